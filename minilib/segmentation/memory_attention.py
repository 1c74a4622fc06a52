"""SAM 2's memory attention: a frame asks the frames before it where the object is (Ravi et al. 2024, section 4)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minilib.attention.blocks import MLP
from minilib.attention.layers import CrossAttention, check_heads
from minilib.attention.positions import axial_angles, grid_positions, rotary_angles, sinusoidal


def grid_waves(grid: int, channels: int, *, device: torch.device | None = None) -> Float[Tensor, "n c"]:
    """Sines and cosines of rows in the first half of the channels, of columns in the second, where the whole grid is
    2π long (Carion et al. 2020, "End-to-End Object Detection with Transformers", section A.4).

    Raises:
        ValueError: channels not divisible by 4.
    """
    if channels < 4 or channels % 4:
        raise ValueError(f"expected channels divisible by 4, two pairs each for rows and columns, got {channels}")
    axes = grid_positions(grid, grid, device=device)
    step = 2 * math.pi / (grid + 1e-6)
    return torch.cat([sinusoidal((axis + 1) * step, channels // 2) for axis in axes], dim=-1)


def time_waves(times: Float[Tensor, " n"], width: int) -> Float[Tensor, "n d"]:
    """How long ago a pointer was made: sines in the first half of the channels, cosines in the second, each frequency
    twice.

    Args:
        times: in shares of the longest time that is remembered.
        width: of the result, divisible by 4.
    """
    angles = rotary_angles(times, width // 2).repeat_interleave(2, dim=-1)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class MemoryBlock(nn.Module):
    """Tokens of the frame ask each other, then the memories, then think; what each step says is added.

    Args:
        width, num_heads: of tokens and attention.
        hidden: width inside the MLP.
        channels: of a memory.
    """

    def __init__(self, width: int, num_heads: int, hidden: int, channels: int):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.self_attention = CrossAttention(width, num_heads)
        self.cross_attention = CrossAttention(width, num_heads, context_width=channels)
        self.mlp = MLP(width, hidden, nn.ReLU())

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        keys: Float[Tensor, "b m c"],
        values: Float[Tensor, "b m c"],
        rotation: tuple[Float[Tensor, "n r"], Float[Tensor, "m r"]],
    ) -> Float[Tensor, "b n d"]:
        """The tokens after this block.

        Args:
            x: tokens of the frame.
            keys, values: of the memories, with and without their positions.
            rotation: angles of the tokens and of the memories.
        """
        y = self.norm1(x)
        x = x + self.self_attention(y, y, rotation=(rotation[0], rotation[0]))
        x = x + self.cross_attention(self.norm2(x), keys, values, rotation=rotation)
        return x + self.mlp(self.norm3(x))


class MemoryAttention(nn.Module):
    """The embedding of a frame, after it has looked at memories.

    There is no dropout, which the published models train with.

    Args:
        width: of the embedding.
        channels: of a memory.
        depth, num_heads: number of blocks, heads in each.
        hidden: width inside their MLPs.
    Raises:
        ValueError: heads that do not divide the width, or whose width 4 does not divide.
    """

    def __init__(self, *, width: int, channels: int, depth: int, num_heads: int, hidden: int):
        super().__init__()
        check_heads(width, num_heads)
        self.head_width = width // num_heads
        axial_angles(1, self.head_width)
        self.blocks = nn.ModuleList(MemoryBlock(width, num_heads, hidden, channels) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        memories: Float[Tensor, "b m c"],
        positions: Float[Tensor, "m c"],
        *,
        num_pointers: int = 0,
    ) -> Float[Tensor, "b n d"]:
        """The tokens of a frame, told what the memories say.

        Args:
            x: tokens of the frame, line by line, of a square.
            memories: tokens of the memories, n for each of them, then those of the pointers.
            positions: when and where the tokens of the memories are.
            num_pointers: tokens at the end that are nowhere in the picture, and are not rotated.
        Raises:
            ValueError: tokens that are no square, or memories that do not have n tokens each.
        """
        n, m = x.shape[1], memories.shape[1]
        grid = math.isqrt(n)
        count, rest = divmod(m - num_pointers, n)
        if grid**2 != n or count < 0 or rest:
            raise ValueError(
                f"expected a square of tokens and as many for each memory, got {n} tokens and {m} of memories, of"
                f" which {num_pointers} are pointers"
            )
        angles = axial_angles(grid, self.head_width, device=x.device)
        unmoved = angles.new_zeros(num_pointers, angles.shape[1])
        rotation = (angles, torch.cat([angles.repeat(count, 1), unmoved]))
        x = x + 0.1 * grid_waves(grid, x.shape[2], device=x.device).to(x.dtype)
        keys = memories + positions
        for block in self.blocks:
            x = block(x, keys, memories, rotation)
        return self.norm(x)
