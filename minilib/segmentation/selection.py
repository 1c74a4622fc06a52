"""Which of many masks to keep: stable ones, whole ones, and one of each thing (Kirillov et al. 2023, appendix B)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def stability_score(logits: Float[Tensor, "*b h w"], offset: float = 1.0) -> Float[Tensor, "*b"]:
    """How little a mask depends on where logits are cut: IoU of the masks above +offset and above −offset; NaN where
    the larger one is empty."""
    inner, outer = ((logits > cut).flatten(-2).sum(-1) for cut in (offset, -offset))
    return inner / outer


def near_edge(
    boxes: Int[Tensor, "n 4"], crop: tuple[int, int, int, int], size: tuple[int, int], tolerance: float
) -> Bool[Tensor, " n"]:
    """Whether a box has a side near an edge of the crop that is no edge of the picture of height and width `size`."""
    picture = (0, 0, size[1], size[0])
    near = [((boxes - torch.tensor(edges, device=boxes.device)).abs() <= tolerance) for edges in (crop, picture)]
    return (near[0] & ~near[1]).any(1)


def nms(boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"], threshold: float) -> Int[Tensor, " m"]:
    """Non-maximum suppression: goes through boxes from the best on and drops those that one kept overlaps too much.

    Args:
        boxes: (x1, y1, x2, y2).
        scores: higher is better.
        threshold: IoU from which on (exclusive) two boxes are taken for one.
    Returns:
        Indices of those kept, best first.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes = boxes[order]
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    upper, lower = torch.maximum(boxes[:, None, :2], boxes[:, :2]), torch.minimum(boxes[:, None, 2:], boxes[:, 2:])
    shared = (lower - upper).clamp(min=0).prod(2)
    overlaps = (shared / (areas[:, None] + areas - shared) > threshold).cpu()
    kept = torch.ones(len(boxes), dtype=torch.bool)
    for index in range(len(boxes)):
        if kept[index]:
            kept[index + 1 :] &= ~overlaps[index, index + 1 :]
    return order[kept.to(order.device)]
