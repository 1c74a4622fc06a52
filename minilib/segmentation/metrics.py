"""How well a mask fits: IoU, boundary IoU, and J&F."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def mask_iou(prediction: Bool[Tensor, "*b h w"], target: Bool[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """Intersection over union, DAVIS' region similarity J (Perazzi et al. 2016, section 5.1); 1 for two empty masks.

    Raises:
        TypeError: masks that are not bool.
        ValueError: masks of different shapes.
    """
    check_pair(prediction, target)
    shared = (prediction & target).flatten(-2).sum(-1).float()
    either = (prediction | target).flatten(-2).sum(-1).float()
    return torch.where(either > 0, shared / either.clamp(min=1), 1.0)


def boundary_iou(
    prediction: Bool[Tensor, "*b h w"], target: Bool[Tensor, "*b h w"], *, dilation_ratio: float = 0.02
) -> Float[Tensor, "*b"]:
    """IoU of the seams, the pixels inside a mask that are near its edge (Cheng et al. 2021, "Boundary IoU", eq. 2).

    Args:
        prediction, target: masks; the picture's edge is one of theirs, too.
        dilation_ratio: width of the seam, in shares of the picture's diagonal; at least one pixel.
    Raises:
        TypeError, ValueError: see `mask_iou`; or a dilation_ratio that is not positive.
    """
    check_pair(prediction, target)
    if dilation_ratio <= 0:
        raise ValueError(f"expected dilation_ratio > 0, got {dilation_ratio}")
    width = max(1, round(dilation_ratio * math.hypot(*target.shape[-2:])))
    return mask_iou(_seam(prediction, width), _seam(target, width))


def contour_f(
    prediction: Bool[Tensor, "*b h w"], target: Bool[Tensor, "*b h w"], *, tolerance: float = 0.008
) -> Float[Tensor, "*b"]:
    """F-measure of contours, DAVIS' contour accuracy F (Perazzi et al. 2016, section 5.1).

    Precision is the share of the prediction's contour that lies near the target's, recall the share of the target's
    that lies near the prediction's; F is their harmonic mean, 1 for two empty masks.

    Args:
        prediction, target: masks.
        tolerance: what is near, in shares of the picture's diagonal, rounded up to pixels.
    Raises:
        TypeError, ValueError: see `mask_iou`; or a tolerance that is not positive.
    """
    check_pair(prediction, target)
    if tolerance <= 0:
        raise ValueError(f"expected tolerance > 0, got {tolerance}")
    radius = math.ceil(tolerance * math.hypot(*target.shape[-2:]))
    ours, theirs = _contour(prediction), _contour(target)
    precision, recall = _share_near(ours, theirs, radius), _share_near(theirs, ours, radius)
    total = precision + recall
    return torch.where(total > 0, 2 * precision * recall / total.clamp(min=1e-12), 0.0)


def j_and_f(prediction: Bool[Tensor, "*b h w"], target: Bool[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """J&F, the mean of `mask_iou` and `contour_f` that video benchmarks report; errors as there."""
    return (mask_iou(prediction, target) + contour_f(prediction, target)) / 2


def check_pair(prediction: Tensor, target: Tensor) -> None:
    """Raises TypeError for masks that are not bool, ValueError for masks of different shapes."""
    if prediction.dtype != torch.bool or target.dtype != torch.bool:
        raise TypeError(f"expected bool masks, got {prediction.dtype} and {target.dtype}")
    if prediction.shape != target.shape or target.ndim < 2 or not target.shape[-1] * target.shape[-2]:
        raise ValueError(
            f"expected two masks (..., h, w) of one shape, got {tuple(prediction.shape)} and {tuple(target.shape)}"
        )


def _seam(masks: Tensor, width: int) -> Tensor:
    """Pixels inside from which a step of `width`, straight or diagonal, can lead outside."""
    outside = F.pad((~masks).reshape(-1, 1, *masks.shape[-2:]).float(), (width,) * 4, value=1.0)
    return masks & (F.max_pool2d(outside, 2 * width + 1, stride=1) > 0).reshape(masks.shape)


def _contour(masks: Tensor) -> Tensor:
    """Pixels that differ from their neighbour to the right, below, or right below."""
    right, below = masks.roll(-1, -1), masks.roll(-1, -2)
    right[..., -1], below[..., -1, :] = masks[..., -1], masks[..., -1, :]
    corner = right.roll(-1, -2)
    corner[..., -1, :] = right[..., -1, :]
    return (masks ^ right) | (masks ^ below) | (masks ^ corner)


def _share_near(these: Tensor, those: Tensor, radius: int) -> Tensor:
    """Share of `these` pixels that lie within `radius` of `those`; 1 if there are none."""
    steps = torch.arange(-radius, radius + 1, device=those.device)
    disk = (steps[:, None] ** 2 + steps**2 <= radius**2).float()
    near = F.conv2d(those.reshape(-1, 1, *those.shape[-2:]).float(), disk[None, None], padding=radius) > 0.5
    found = (these & near.reshape(those.shape)).flatten(-2).sum(-1).float()
    count = these.flatten(-2).sum(-1).float()
    return torch.where(count > 0, found / count.clamp(min=1), 1.0)
