"""Where a token is, told in three ways: sines and cosines, learned vectors, rotations."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def sinusoidal(positions: Float[Tensor, "*n"], width: int, *, base: float = 10_000.0) -> Float[Tensor, "*n d"]:
    """Sines and cosines of falling frequency (Vaswani et al. 2017, section 3.5): channels 2i and 2i + 1 hold sine and
    cosine of position / base^(2i/width).

    Args:
        positions: of the tokens.
        width: of the result, even.
        base: what the longest wave approaches, over 2π, as the width grows.
    Raises:
        ValueError: an odd width.
    """
    if width < 2 or width % 2:
        raise ValueError(f"expected an even width, one sine for each cosine, got {width}")
    angles = rotary_angles(positions, width, base=base)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def sinusoidal_2d(height: int, width: int, channels: int, *, base: float = 10_000.0) -> Float[Tensor, "n d"]:
    """`sinusoidal` of rows in the first half of the channels, of columns in the second; token = row · width + column.

    Raises:
        ValueError: channels not divisible by 4.
    """
    if channels < 4 or channels % 4:
        raise ValueError(f"expected channels divisible by 4, two pairs each for rows and columns, got {channels}")
    rows, columns = grid_positions(height, width)
    return torch.cat([sinusoidal(axis, channels // 2, base=base) for axis in (rows, columns)], dim=-1)


def grid_positions(
    height: int, width: int, *, device: torch.device | None = None
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Row and column of each token of a grid, read line by line."""
    places = torch.arange(height * width, device=device)
    return (places // width).float(), (places % width).float()


def resized_positions(
    positions: Float[Tensor, "n d"], old: tuple[int, int], new: tuple[int, int], *, antialias: bool = False
) -> Float[Tensor, "m d"]:
    """Learned position vectors of a grid (rows, columns), interpolated to another grid: bicubic, as in transformers.

    Meta's own code for DINO samples slightly beside these places.

    Args:
        positions: one vector for each place of the old grid, line by line.
        old, new: rows and columns.
        antialias: with torch's antialiased kernel, as DINOv2 with registers and timm do; it is another one for larger
            grids, too.
    Raises:
        ValueError: more or fewer vectors than the old grid has places.
    """
    if len(positions) != old[0] * old[1]:
        raise ValueError(f"expected {old[0]} × {old[1]} = {old[0] * old[1]} positions, got {len(positions)}")
    if old == new:
        return positions
    grid = positions.T.reshape(1, -1, *old).float()
    larger = F.interpolate(grid, size=new, mode="bicubic", align_corners=False, antialias=antialias)
    return larger.flatten(2)[0].T.to(positions.dtype)


def rotary_angles(positions: Float[Tensor, "*n"], width: int, *, base: float = 10_000.0) -> Float[Tensor, "*n r"]:
    """Angles by which `rotate` turns pairs of channels (Su et al. 2021, eq. 15): position / base^(2i/width).

    For two axes, join the angles of each axis at half the width.

    Raises:
        ValueError: an odd width.
    """
    if width < 2 or width % 2:
        raise ValueError(f"expected an even width, to turn pairs of channels, got {width}")
    exponents = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32) / width
    return positions[..., None].float() * torch.exp(-math.log(base) * exponents)


def axial_angles(grid: int, width: int, *, device: torch.device | None = None) -> Float[Tensor, "n r"]:
    """Angles for `rotate`: columns turn the first half of the channels, rows the second (Heo et al. 2024, "Rotary
    Position Embedding for Vision Transformer", section 3.2).

    Raises:
        ValueError: a width not divisible by 4.
    """
    if width < 4 or width % 4:
        raise ValueError(f"expected heads of a width divisible by 4, pairs for rows and columns, got {width}")
    rows, columns = grid_positions(grid, grid, device=device)
    return torch.cat([rotary_angles(axis, width // 2) for axis in (columns, rows)], dim=-1)


def rotate(x: Float[Tensor, "*b n d"], angles: Float[Tensor, "... n r"]) -> Float[Tensor, "*b n d"]:
    """Turns each pair of channels (2i, 2i + 1) by angle i (RoPE; Su et al. 2021, eq. 34).

    The product of a query and a key, each turned by its own position, depends on the positions' difference only.

    Raises:
        ValueError: not one angle for each pair.
    """
    if 2 * angles.shape[-1] != x.shape[-1]:
        raise ValueError(f"expected {x.shape[-1] // 2} angles, one for each pair of channels, got {angles.shape[-1]}")
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
