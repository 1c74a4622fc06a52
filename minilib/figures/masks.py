"""Masks and clicks on pictures."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from torch import Tensor

from minilib.images import to_uint8

COLORS = ((0.12, 0.47, 0.95), (1.0, 0.55, 0.05), (0.10, 0.72, 0.35), (0.85, 0.20, 0.65), (0.95, 0.80, 0.10))
"""Of masks, in turn."""


def painted(image: Float[Tensor, "3 h w"], masks: Bool[Tensor, "n h w"]) -> Float[Tensor, "3 h w"]:
    """A picture with masks laid over it, each in its colour; where several overlap, the last one is seen.

    Args:
        image, masks: as for `draw_masks`.
    """
    shown = image
    for number, mask in enumerate(masks):
        color = 2 * image.new_tensor(COLORS[number % len(COLORS)])[:, None, None] - 1
        shown = torch.where(mask, 0.45 * image + 0.55 * color, shown)
    return shown


def draw_masks(
    axis: Axes,
    image: Float[Tensor, "3 h w"],
    masks: Bool[Tensor, "n h w"] | None = None,
    *,
    points: Float[Tensor, "k 2"] | None = None,
    labels: Int[Tensor, " k"] | None = None,
    box: Sequence[float] | None = None,
    title: str = "",
) -> None:
    """A picture with masks over it, each in its colour and with its outline, and what was asked.

    Args:
        axis: to draw on.
        image: in [−1, 1].
        masks: laid over it; where several overlap, the last one is seen.
        points: pixels (x, y) that were clicked.
        labels: of the points: 1 inside (a green dot), 0 outside (a red cross); all inside if there are none.
        box: (x1, y1, x2, y2).
        title: above it.
    Raises:
        ValueError: see `to_uint8`.
    """
    chosen = masks if masks is not None else torch.zeros(0, *image.shape[1:], dtype=torch.bool)
    axis.imshow(to_uint8(painted(image, chosen)).cpu().numpy(), interpolation="nearest")
    for number, mask in enumerate(chosen.cpu().numpy()):
        if mask.any() and not mask.all():
            axis.contour(mask, levels=[0.5], colors=[COLORS[number % len(COLORS)]], linewidths=1.2)
    if points is not None:
        inside = torch.ones(len(points)) if labels is None else labels
        for (x, y), label in zip(points.tolist(), inside.tolist(), strict=True):
            marker, color = ("o", "#22dd55") if label == 1 else ("X", "#ee2233")
            axis.plot(x, y, marker, ms=6, mfc=color, mec="white", mew=1.1)
    if box is not None:
        x1, y1, x2, y2 = box
        axis.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], color="#22dd55", lw=1.5)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    if title:
        axis.set_title(title, fontsize=9)
