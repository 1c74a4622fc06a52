"""What a promptable segmenter learns from (Kirillov et al. 2023, section 3 and appendix A)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minilib.segmentation.metrics import mask_iou


class SamLoss(NamedTuple):
    """The loss of each prompt, and its parts.

    Attributes:
        total: 20 · focal + dice + iou, to be averaged and minimised.
        focal, dice: of the mask that fits best.
        iou: error of the predicted IoUs.
        best: index of the mask that fits best.
    """

    total: Float[Tensor, " p"]
    focal: Float[Tensor, " p"]
    dice: Float[Tensor, " p"]
    iou: Float[Tensor, " p"]
    best: Int[Tensor, " p"]


def focal_loss(
    logits: Float[Tensor, "p m h w"], target: Bool[Tensor, "p h w"], *, alpha: float = 0.25, gamma: float = 2.0
) -> Float[Tensor, "p m"]:
    """Cross-entropy that looks away from pixels that are right already: mean of −α_t (1 − p_t)^γ log p_t (Lin et al.
    2017, eq. 5).

    Args:
        logits: m masks for each of p prompts.
        target: the true mask of each prompt.
        alpha: weight of pixels inside; those outside weigh 1 − alpha.
        gamma: how fast it looks away; 0 gives half the cross-entropy at alpha = 0.5.
    Raises:
        ValueError, TypeError: logits and target that do not fit together; a target that is not bool.
    """
    check_target(logits, target)
    truth = target[:, None].to(logits.dtype).expand_as(logits)
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    weight = torch.where(target[:, None], alpha, 1 - alpha)
    missing = torch.sigmoid(torch.where(target[:, None], -logits, logits))  # 1 − p_t
    return (weight * missing**gamma * entropy).mean(dim=(-2, -1))


def dice_loss(
    logits: Float[Tensor, "p m h w"], target: Bool[Tensor, "p h w"], *, smooth: float = 1.0
) -> Float[Tensor, "p m"]:
    """1 − 2 |A ∩ B| / (|A| + |B|) with probabilities for A (after Milletari et al. 2016, who square below the line).

    Small masks count as much as large ones.

    Args:
        logits, target: as for `focal_loss`.
        smooth: pixels that are added above and below, so that tiny masks do not shake.
    Raises:
        ValueError, TypeError: see `focal_loss`.
    """
    check_target(logits, target)
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    shared = (inside * truth).sum(dim=(-2, -1))
    both = inside.sum(dim=(-2, -1)) + truth.sum(dim=(-2, -1))
    return 1 - (2 * shared + smooth) / (both + smooth)


def sam_loss(
    logits: Float[Tensor, "p m h w"],
    iou: Float[Tensor, "p m"],
    target: Bool[Tensor, "p h w"],
    *,
    focal_weight: float = 20.0,
    dice_weight: float = 1.0,
    iou_weight: float = 1.0,
    absolute: bool = False,
) -> SamLoss:
    """20 · focal + dice of the mask that fits best, plus the squared error of the predicted IoUs.

    A click may mean a part, the whole or a group: each of the masks is free to mean another one, since only the one
    nearest to the target learns from it. Predicted IoUs learn from all masks: they have to tell good from bad.

    Args:
        logits, iou: as from `Sam.predict`, the logits resized to the target.
        target: the true mask of each prompt.
        focal_weight, dice_weight, iou_weight: of the parts.
        absolute: learn the predicted IoUs by their absolute error, not the squared one.
    Raises:
        ValueError, TypeError: see `focal_loss`; or predicted IoUs of another shape than (p, m).
    """
    focal, dice = focal_loss(logits, target), dice_loss(logits, target)
    if iou.shape != focal.shape:
        raise ValueError(f"expected predicted IoUs of shape {tuple(focal.shape)}, got {tuple(iou.shape)}")
    best = (focal_weight * focal + dice_weight * dice).detach().argmin(1)
    rows = torch.arange(len(best), device=best.device)
    true_iou = mask_iou(logits > 0, target[:, None].expand_as(logits))
    gap = iou - true_iou.to(iou.dtype)
    error = (gap.abs() if absolute else gap.square()).mean(1)
    total = focal_weight * focal[rows, best] + dice_weight * dice[rows, best] + iou_weight * error
    return SamLoss(total, focal[rows, best], dice[rows, best], error, best)


def sam2_loss(
    logits: Float[Tensor, "p m h w"],
    iou: Float[Tensor, "p m"],
    object_score: Float[Tensor, " p"],
    target: Bool[Tensor, "p h w"],
    *,
    focal_weight: float = 20.0,
) -> Float[Tensor, " p"]:
    """What one frame of a video teaches (Ravi et al. 2024, appendix D.2.2): as `sam_loss`, with the absolute error of
    the predicted IoUs in place of the squared one, where the object is in sight; and everywhere the cross-entropy of
    the occlusion score.

    Args:
        logits, iou: as from `VideoMaskDecoder`, the logits resized to the target.
        object_score: logit of whether the object is in sight.
        target: the true mask; an empty one means out of sight.
        focal_weight: as in `sam_loss`.
    Raises:
        ValueError, TypeError: see `sam_loss`.
    """
    shown = sam_loss(logits, iou, target, focal_weight=focal_weight, absolute=True).total
    visible = target.flatten(1).any(1).to(iou.dtype)
    return visible * shown + F.binary_cross_entropy_with_logits(object_score, visible, reduction="none")


def check_target(logits: Tensor, target: Tensor) -> None:
    """Raises ValueError for logits and a target that do not fit together, TypeError for a target that is not bool."""
    if target.dtype != torch.bool:
        raise TypeError(f"expected a bool target, got {target.dtype}")
    if logits.ndim != 4 or target.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(
            f"expected logits (p, m, h, w) and a target (p, h, w), got {tuple(logits.shape)} and {tuple(target.shape)}"
        )
