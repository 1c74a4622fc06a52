"""The parts of the U-Net of denoising diffusion models (Ho et al. 2020, appendix B)."""

import math
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Num
from torch import Tensor, nn

from minilib.attention.layers import Heads

if TYPE_CHECKING:
    from minilib.diffusion.unet import UNetConfig


class TimeEmbedding(nn.Module):
    """A time as sines and cosines of falling frequency (Vaswani et al. 2017, section 3.5), then two linear layers."""

    frequencies: Tensor

    def __init__(self, config: "UNetConfig"):
        super().__init__()
        width = config.block_out_channels[0]
        half = width // 2
        exponents = torch.arange(half, dtype=torch.float32) / (half - config.freq_shift)
        self.register_buffer("frequencies", torch.exp(-math.log(10_000.0) * exponents), persistent=False)
        self.flip_sin_to_cos = config.flip_sin_to_cos
        self.linear_1 = nn.Linear(width, 4 * width)
        self.linear_2 = nn.Linear(4 * width, 4 * width)

    def forward(self, t: Num[Tensor, " b"], dtype: torch.dtype) -> Float[Tensor, "b e"]:
        """Embeds times; the angles are float32 whatever the `dtype` of the result, or late times would be rounded."""
        angles = t.float()[:, None] * self.frequencies.float()
        parts = [angles.cos(), angles.sin()] if self.flip_sin_to_cos else [angles.sin(), angles.cos()]
        return self.linear_2(F.silu(self.linear_1(torch.cat(parts, dim=1).to(dtype))))


class ResnetBlock(nn.Module):
    """Two convolutions with the time between them, and the input added to their result."""

    def __init__(self, config: "UNetConfig", in_channels: int, out_channels: int):
        super().__init__()
        self.scale_shift = config.time_embedding_norm == "scale_shift"
        self.norm1 = nn.GroupNorm(config.norm_num_groups, in_channels, config.norm_eps)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(4 * config.block_out_channels[0], out_channels * (1 + self.scale_shift))
        self.norm2 = nn.GroupNorm(config.norm_num_groups, out_channels, config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None
        nn.init.zeros_(self.conv2.weight)  # a new block adds nothing yet, as in the original DDPM

    def forward(self, x: Float[Tensor, "b c h w"], embedding: Float[Tensor, "b e"]) -> Float[Tensor, "b c2 h w"]:
        """x plus what the block has to add."""
        time = self.time_emb_proj(F.silu(embedding))[:, :, None, None]
        h = self.conv1(F.silu(self.norm1(x)))
        if self.scale_shift:
            scale, shift = time.chunk(2, dim=1)
            h = self.norm2(h) * (1 + scale) + shift
        else:
            h = self.norm2(h + time)
        h = self.conv2(self.dropout(F.silu(h)))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class SpatialAttention(nn.Module):
    """All pixels of a coarse feature map look at each other, or at tokens from elsewhere; what they gather is added."""

    def __init__(self, config: "UNetConfig", channels: int, *, normalise: bool = True, context_dim: int | None = None):
        super().__init__()
        self.group_norm = nn.GroupNorm(config.norm_num_groups, channels, config.norm_eps) if normalise else None
        self.to_q = nn.Linear(channels, channels)
        self.to_k, self.to_v = (nn.Linear(context_dim or channels, channels) for _ in range(2))
        self.to_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.to_out.weight)
        self.heads = Heads(channels // (config.attention_head_dim or channels))

    def forward(
        self, x: Float[Tensor, "b c h w"], context: Float[Tensor, "b n e"] | None = None
    ) -> Float[Tensor, "b c h w"]:
        """x plus, for each pixel, what it gathered from all others, or from the context."""
        tokens = rearrange(x if self.group_norm is None else self.group_norm(x), "b c h w -> b (h w) c")
        asked = tokens if context is None else context
        out = self.to_out(self.heads(self.to_q(tokens), self.to_k(asked), self.to_v(asked)))
        return x + rearrange(out, "b (h w) c -> b c h w", h=x.shape[2])


class Block(nn.Module):
    """What belongs to one resolution on one way: residual blocks, each with attention or not, then a change of size."""

    def __init__(
        self,
        config: "UNetConfig",
        in_channels: list[int],
        out_channels: int,
        attention: bool,
        resample: Literal["down", "up", ""],
    ):
        super().__init__()
        self.resnets = nn.ModuleList(ResnetBlock(config, width, out_channels) for width in in_channels)
        self.attentions = nn.ModuleList(
            SpatialAttention(config, out_channels) if attention else nn.Identity() for _ in in_channels
        )
        self.context_attentions = nn.ModuleList(
            SpatialAttention(config, out_channels, context_dim=config.context_dim)
            for _ in (in_channels if attention and config.context_dim else [])
        )
        self.resample = Resample(config, out_channels, resample) if resample else None

    def step(self, index: int, x: Tensor, embedding: Tensor, context: Tensor | None) -> Tensor:
        """One residual block and what follows it."""
        x = self.attentions[index](self.resnets[index](x, embedding))
        return self.context_attentions[index](x, context) if self.context_attentions else x


class DownBlock(Block):
    """A resolution on the way down; what it computes is also put on top of the pile of skips."""

    def forward(
        self,
        x: Float[Tensor, "b c h w"],
        embedding: Float[Tensor, "b e"],
        skips: list[Tensor],
        context: Float[Tensor, "b n e2"] | None = None,
    ) -> Float[Tensor, "b c2 h2 w2"]:
        """x at half its size, except at the coarsest resolution; every result on the way is added to `skips`."""
        for index in range(len(self.resnets)):
            x = self.step(index, x, embedding, context)
            skips.append(x)
        if self.resample is not None:
            x = self.resample(x)
            skips.append(x)
        return x


class UpBlock(Block):
    """A resolution on the way up; each residual block also sees the topmost of the pile of skips."""

    def forward(
        self,
        x: Float[Tensor, "b c h w"],
        embedding: Float[Tensor, "b e"],
        skips: list[Tensor],
        context: Float[Tensor, "b n e2"] | None = None,
    ) -> Float[Tensor, "b c2 h2 w2"]:
        """x at double its size, except at the finest resolution; takes what it needs from the end of `skips`."""
        for index in range(len(self.resnets)):
            x = self.step(index, torch.cat([x, skips.pop()], dim=1), embedding, context)
        return x if self.resample is None else self.resample(x)


class Resample(nn.Module):
    """Halves the resolution by a convolution with stride 2, or doubles it by repeating pixels and a convolution.

    Either convolution begins as a small blur of each channel: from the first step on, the coarse resolutions hold
    averages of the picture, in which there is less noise.
    """

    def __init__(self, config: "UNetConfig", channels: int, direction: Literal["down", "up"]):
        super().__init__()
        self.up, self.pad = direction == "up", config.downsample_padding == 0
        stride, padding = (1, 1) if self.up else (2, config.downsample_padding)
        self.conv = nn.Conv2d(channels, channels, 3, stride=stride, padding=padding)
        blur = torch.tensor([0.25, 0.5, 0.25])
        nn.init.dirac_(self.conv.weight)
        with torch.no_grad():
            self.conv.weight.copy_(self.conv.weight.sum((2, 3), keepdim=True) * blur[:, None] * blur)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        """x at half or double its height and width."""
        if self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        elif self.pad:
            x = F.pad(x, (0, 1, 0, 1))
        return self.conv(x)


class MidBlock(nn.Module):
    """The turning point: two residual blocks with attention between them."""

    def __init__(self, config: "UNetConfig", channels: int):
        super().__init__()
        self.resnets = nn.ModuleList(ResnetBlock(config, channels, channels) for _ in range(2))
        # As in diffusers, where the time scales and shifts the features this one attention goes without a norm.
        normalise = config.time_embedding_norm == "default"
        attention = SpatialAttention(config, channels, normalise=normalise) if config.mid_attention else nn.Identity()
        self.attentions = nn.ModuleList([attention])

    def forward(self, x: Float[Tensor, "b c h w"], embedding: Float[Tensor, "b e"]) -> Float[Tensor, "b c h w"]:
        """x after the turning point."""
        return self.resnets[1](self.attentions[0](self.resnets[0](x, embedding)), embedding)
