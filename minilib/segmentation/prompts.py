"""Prompts for masks that are known: clicks, boxes and masks, to train and to measure with.

What is drawn comes from a generator on the CPU, whatever the masks are on, so that a seed means the same everywhere.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minilib.errors import require


def first_click(target: Bool[Tensor, "p h w"], generator: torch.Generator) -> Float[Tensor, "p 1 2"]:
    """A pixel (x, y) of each mask, all equally likely (Kirillov et al. 2023, appendix A).

    Raises:
        TypeError: masks that are not bool.
        ValueError: an empty mask, or another shape. Values are looked at on CPUs only.
    """
    check_masks(target)
    return _drawn(target, generator)


def corrective_click(
    prediction: Bool[Tensor, "p h w"], target: Bool[Tensor, "p h w"], generator: torch.Generator
) -> tuple[Float[Tensor, "p 1 2"], Int[Tensor, "p 1"]]:
    """A pixel where the prediction is wrong, all equally likely (Kirillov et al. 2023, appendix A).

    Returns:
        Points (x, y); labels: 1 where the mask was missed, 0 where there is none, −1 if nothing is wrong.
    Raises:
        TypeError, ValueError: see `first_click`; or masks of different shapes.
    """
    check_masks(target, prediction)
    wrong = prediction ^ target
    points = _drawn(wrong, generator)
    columns, rows = points.long().unbind(-1)
    labels = target[torch.arange(len(target), device=target.device)[:, None], rows, columns].long()
    return points, labels.masked_fill(~wrong.flatten(1).any(1, keepdim=True), -1)


def centre_click(
    prediction: Bool[Tensor, "p h w"], target: Bool[Tensor, "p h w"]
) -> tuple[Float[Tensor, "p 1 2"], Int[Tensor, "p 1"]]:
    """The pixel deepest inside what is wrong, by its distance to the nearest pixel that is not, or to the picture's
    edge (Kirillov et al. 2023, section 7.1): the same click each time, to measure with. For a first click, predict
    nothing.

    Returns, raises:
        As `corrective_click`.
    """
    check_masks(target, prediction)
    ndimage = require("scipy.ndimage", extra="train")
    points, labels = torch.zeros(len(target), 1, 2), torch.full((len(target), 1), -1)
    for index, (said, true) in enumerate(zip(prediction.cpu(), target.cpu(), strict=True)):
        deepest = 0.0
        for label, wrong in ((1, true & ~said), (0, said & ~true)):
            depth = ndimage.distance_transform_edt(F.pad(wrong, (1, 1, 1, 1)).numpy())[1:-1, 1:-1]
            if depth.max() > deepest:
                deepest = depth.max()
                row, column = divmod(int(depth.argmax()), depth.shape[1])
                points[index, 0] = torch.tensor([column, row])
                labels[index, 0] = label
    return points.to(target.device), labels.to(target.device)


def mask_boxes(masks: Bool[Tensor, "p h w"]) -> Int[Tensor, "p 4"]:
    """The outermost pixels (x1, y1, x2, y2) of each mask; zeros for an empty one."""
    found = []
    for axis in (1, 2):
        inside = masks.any(axis)
        places = torch.arange(inside.shape[1], device=masks.device)
        last = places.masked_fill(~inside, -1).amax(1)
        first = places.masked_fill(~inside, inside.shape[1]).amin(1)
        found += [first, last]
    boxes = torch.stack([found[0], found[2], found[1], found[3]], dim=1)
    return boxes.masked_fill(found[1][:, None] < 0, 0)


def jittered_boxes(
    target: Bool[Tensor, "p h w"], generator: torch.Generator, *, std: float = 0.1, most: float = 20 / 1024
) -> Float[Tensor, "p 4"]:
    """Boxes around masks, drawn by an unsteady hand (Kirillov et al. 2023, appendix A).

    Args:
        target: the masks.
        generator: on the CPU.
        std: deviation of each coordinate, in shares of the box's width or height.
        most: what a coordinate is off by at most, in shares of the picture's longer side.
    Returns:
        (x1, y1, x2, y2) in pixels, inside the picture and in order.
    Raises:
        TypeError, ValueError: see `first_click`; or a negative `std` or `most`.
    """
    check_masks(target)
    if std < 0 or most < 0:
        raise ValueError(f"expected std >= 0 and most >= 0, got {std} and {most}")
    boxes = mask_boxes(target).float()
    height, width = target.shape[1:]
    noise = torch.randn(len(target), 4, generator=generator).to(boxes)
    limit = most * max(height, width)
    moved = boxes + (std * (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2) * noise).clamp(-limit, limit)
    moved = torch.minimum(moved.clamp(min=0), moved.new_tensor([width - 1, height - 1]).repeat(2))
    return torch.cat([torch.minimum(moved[:, :2], moved[:, 2:]), torch.maximum(moved[:, :2], moved[:, 2:])], dim=1)


def mask_prompt(
    masks: Bool[Tensor, "p h w"], mask_size: int, *, strength: float = 10.0
) -> Float[Tensor, "p {mask_size} {mask_size}"]:
    """Masks as SAM reads them: the share of each coarser pixel that is inside, from −strength (none) to strength.

    Args:
        masks: of any size.
        mask_size: of the result, `PromptEncoder.mask_size`.
        strength: of the logits.
    Raises:
        TypeError, ValueError: see `first_click`; or a size or strength that is not positive.
    """
    check_masks(masks)
    if mask_size < 1 or strength <= 0:
        raise ValueError(f"expected mask_size >= 1 and strength > 0, got {mask_size} and {strength}")
    return strength * (2 * F.adaptive_avg_pool2d(masks[:, None].float(), mask_size)[:, 0] - 1)


def check_masks(target: Tensor, prediction: Tensor | None = None) -> None:
    """Raises what `first_click` and `corrective_click` say."""
    for name, masks in (("target", target), ("prediction", prediction)):
        if masks is not None and masks.dtype != torch.bool:
            raise TypeError(f"expected bool masks, got a {name} of {masks.dtype}")
    if target.ndim != 3 or not target.numel():
        raise ValueError(f"expected masks (p, h, w), got a target of shape {tuple(target.shape)}")
    if prediction is not None and prediction.shape != target.shape:
        raise ValueError(f"expected a prediction of shape {tuple(target.shape)}, got {tuple(prediction.shape)}")
    if target.device.type == "cpu" and not target.flatten(1).any(1).all():
        index = int(target.flatten(1).any(1).int().argmin())
        raise ValueError(f"expected masks with at least one pixel, got target {index} empty")


def _drawn(masks: Tensor, generator: torch.Generator) -> Tensor:
    """A pixel (x, y) of each mask, all equally likely; the first one of an empty mask."""
    ranks = torch.rand(masks.shape, generator=generator).to(masks.device)
    place = ranks.masked_fill(~masks, -1.0).flatten(1).argmax(1)
    return torch.stack([place % masks.shape[2], place // masks.shape[2]], dim=-1)[:, None].float()
