"""Rows of images with labels."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from minilib.images import to_uint8


def image_grid(
    rows: Sequence[Float[Tensor, "n c h w"]],
    *,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    inches: float = 0.95,
    clip: bool = False,
) -> Figure:
    """Images in rows, each pixel crisp.

    Args:
        rows: images in [−1, 1] of 1 or 3 channels, the same number in each row.
        row_labels: text to the left of each row.
        column_labels: text above each column.
        inches: width of one image.
        clip: cut values outside [−1, 1] off instead of refusing them.
    Raises:
        ValueError: no rows, rows or labels of different lengths, or values outside [−1, 1] and no `clip`.
    """
    if not rows or len({len(row) for row in rows}) != 1:
        raise ValueError(f"expected rows of one length, got lengths {[len(row) for row in rows]}")
    for name, labels, count in (("row", row_labels, len(rows)), ("column", column_labels, len(rows[0]))):
        if labels and len(labels) != count:
            raise ValueError(f"expected {count} {name} labels or none, got {len(labels)}")
    columns = len(rows[0])
    figure, axes = plt.subplots(len(rows), columns, figsize=(inches * columns, inches * len(rows)), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    for i, row in enumerate(rows):
        for j, image in enumerate(to_uint8(torch.as_tensor(row), clip=clip).expand(-1, -1, -1, 3)):
            axis = axes[i, j]
            axis.imshow(image.cpu().numpy(), interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
            if i == 0 and column_labels:
                axis.set_title(column_labels[j], fontsize=9)
            if j == 0 and row_labels:
                axis.set_ylabel(row_labels[i], fontsize=9)
    return figure
