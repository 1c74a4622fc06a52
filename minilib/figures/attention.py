"""Attention as pictures: a heat map on what it looks at, and every head of every layer."""

from collections.abc import Sequence

import matplotlib
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from minilib.attention.maps import patch_map
from minilib.figures.grid import image_grid


def overlay(
    images: Float[Tensor, "*b c h w"], maps: Float[Tensor, "*b h w"], *, strength: float = 0.65, colors: str = "inferno"
) -> Float[Tensor, "*b 3 h w"]:
    """Heat maps over grey pictures, each map from its own smallest to its own largest value.

    Args:
        images: in [−1, 1].
        maps: a value for each pixel; `minilib.attention.maps.patch_map` makes them from attention.
        strength: share of the heat map, in [0, 1].
        colors: name of a matplotlib colour map.
    Raises:
        ValueError: maps of another size, or a strength outside [0, 1].
    """
    if images.shape[:-3] + images.shape[-2:] != maps.shape:
        raise ValueError(f"expected a map for each pixel of images {tuple(images.shape)}, got {tuple(maps.shape)}")
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"expected strength in [0, 1], got {strength}")
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    span = high - low
    unit = torch.where(span > 1e-5 * high.abs(), (maps - low) / span, 0.0)  # rounding is no heat
    heat = torch.from_numpy(matplotlib.colormaps[colors](unit.detach().cpu().numpy())[..., :3]).to(images)
    grey = images.mean(-3, keepdim=True).clamp(-1, 1)
    return (1 - strength) * grey + strength * (2 * heat.movedim(-1, -3) - 1)


def head_grid(
    layers: Sequence[Float[Tensor, "heads n n"]],
    image: Float[Tensor, "c h w"],
    grid: tuple[int, int],
    *,
    query: int = 0,
    num_prefix: int = 0,
    first: int = 1,
    inches: float = 0.95,
) -> Figure:
    """Where one token looks, over the picture: a row for each layer, a column for each head.

    Args:
        layers: recorded weights of one picture, the first layer first: `[w[0] for (w,) in records.values()]`.
        image: the picture, in [−1, 1].
        grid: rows and columns of patches.
        query: number of the token that looks; that of the first patch is `num_prefix`.
        num_prefix: tokens before those of the patches, which are left out.
        first: number of the first of these layers, for the labels.
        inches: width of one picture.
    Raises:
        ValueError: another number of tokens, no layers, or layers with different numbers of heads.
    """
    size = (image.shape[1], image.shape[2])
    rows = [patch_map(weights[:, query], grid, size, num_prefix=num_prefix) for weights in layers]
    pictures = [overlay(image.expand(len(maps), -1, -1, -1), maps) for maps in rows]
    names = [f"layer {number}" for number in range(first, first + len(rows))]
    heads = [f"head {number}" for number in range(1, len(layers[0]) + 1)] if layers else []
    return image_grid(pictures, row_labels=names, column_labels=heads, inches=inches)
