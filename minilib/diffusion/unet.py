"""The U-Net of denoising diffusion models (Ho et al. 2020, appendix B): what noise is in this image at time t?

Down through coarser and coarser resolutions, up again, and at every resolution the way up is handed what the way down
saw there. Built as diffusers' `UNet2DModel`, whose weights fit (`minilib.interop.diffusers`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from minilib.attention.layers import Heads


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Shape of a U-Net.

    Args:
        in_channels, out_channels: of the image and of the prediction; twice as many out if the variance is learned.
        block_out_channels: width at each resolution, the finest first; each is half the size of the one before.
        attention: whether a resolution has self-attention after each residual block.
        up_attention: the same on the way up, the finest first; None for as on the way down.
        mid_attention: whether the coarsest point, between the two ways, has it.
        layers_per_block: residual blocks at each resolution on the way down; one more on the way up.
        attention_head_dim: width of a head; None for one head.
        norm_num_groups, norm_eps: of the group normalisation.
        dropout: share of values dropped in each residual block in training.
        num_class_embeds: number of class labels, "no label" included; None for an unconditional model.
        context_dim: width of tokens from elsewhere that all resolutions with attention look at, too, on both ways, as
            latent diffusion looks at a text (Rombach et al. 2022, section 3.3); None for none.
        time_embedding_norm: "default" adds the time to the features (DDPM); "scale_shift" also scales them after
            the second normalisation (Improved DDPM, section 3.4).
        flip_sin_to_cos, freq_shift: of the time embedding, as in diffusers.
        downsample_padding: 1 pads all sides before halving, 0 only right and bottom (as the original DDPM).
    Raises:
        ValueError: lengths that differ, or widths that groups or heads do not divide.
    """

    in_channels: int = 3
    out_channels: int = 3
    block_out_channels: tuple[int, ...] = (128, 256, 256, 256)
    attention: tuple[bool, ...] = (False, True, False, False)
    up_attention: tuple[bool, ...] | None = None
    mid_attention: bool = True
    layers_per_block: int = 2
    attention_head_dim: int | None = None
    norm_num_groups: int = 32
    norm_eps: float = 1e-6
    dropout: float = 0.0
    num_class_embeds: int | None = None
    context_dim: int | None = None
    time_embedding_norm: Literal["default", "scale_shift"] = "default"
    flip_sin_to_cos: bool = True
    freq_shift: int = 0
    downsample_padding: int = 1

    def __post_init__(self):
        for name in ("attention", "up_attention"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.block_out_channels):
                count = len(self.block_out_channels)
                raise ValueError(f"expected {name} to have {count} entries, as block_out_channels, got {len(value)}")
        attended = [
            w
            for w, one, other in zip(
                self.block_out_channels, self.attention, self.up_attention or self.attention, strict=True
            )
            if one or other
        ]
        attended += [self.block_out_channels[-1]] * self.mid_attention
        _check_divides("norm_num_groups", self.norm_num_groups, self.block_out_channels)
        if self.attention_head_dim is not None:
            _check_divides("attention_head_dim", self.attention_head_dim, attended)


class UNet(nn.Module):
    """The denoising network: a noised image, its time and (if conditional) a class label in, a prediction out.

    Args:
        config: its shape.
    """

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        widths, embed_dim = config.block_out_channels, 4 * config.block_out_channels[0]
        self.time_embedding = TimeEmbedding(config)
        self.class_embedding = nn.Embedding(config.num_class_embeds, embed_dim) if config.num_class_embeds else None
        self.conv_in = nn.Conv2d(config.in_channels, widths[0], 3, padding=1)

        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips, width = [widths[0]], widths[0]  # widths of what the way down hands to the way up
        for level, out in enumerate(widths):
            last = level == len(widths) - 1
            ins = [width] + [out] * (config.layers_per_block - 1)
            self.down_blocks.append(DownBlock(config, ins, out, config.attention[level], "" if last else "down"))
            skips += [out] * (config.layers_per_block + (not last))
            width = out
        self.mid_block = MidBlock(config, width)
        for level in reversed(range(len(widths))):
            out, ins = widths[level], []
            for _ in range(config.layers_per_block + 1):
                ins.append(width + skips.pop())
                width = out
            attention = (config.up_attention or config.attention)[level]
            self.up_blocks.append(UpBlock(config, ins, out, attention, "up" if level else ""))

        self.conv_norm_out = nn.GroupNorm(config.norm_num_groups, widths[0], config.norm_eps)
        self.conv_out = nn.Conv2d(widths[0], config.out_channels, 3, padding=1)

    def forward(
        self,
        x_t: Float[Tensor, "b c h w"],
        t: Num[Tensor, " b"],
        labels: Int[Tensor, " b"] | None = None,
        context: Float[Tensor, "b n e"] | None = None,
    ) -> Float[Tensor, "b c2 h w"]:
        """The prediction for noised images.

        Args:
            x_t: noised images; height and width divisible by 2 as often as they are halved.
            t: times, 0..T−1.
            labels: class labels, 0..num_class_embeds−1; None only for an unconditional model.
            context: n tokens for each image; None only for a model without `context_dim`.
        Raises:
            ValueError: labels or a context missing or not wanted; labels (on the CPU) out of range; a wrong number of
                channels or a size that cannot be halved often enough.
        """
        self._check(x_t, t, labels)
        if (context is None) != (self.config.context_dim is None):
            wanted = f"a context (b, n, {self.config.context_dim})" if self.config.context_dim else "no context"
            raise ValueError(f"expected {wanted}, got {'none' if context is None else tuple(context.shape)}")
        embedding = self.time_embedding(t, x_t.dtype)
        if self.class_embedding is not None:
            embedding = embedding + self.class_embedding(labels)
        x = self.conv_in(x_t)
        skips = [x]
        for block in self.down_blocks:
            x = block(x, embedding, skips, context)
        x = self.mid_block(x, embedding)
        for block in self.up_blocks:
            x = block(x, embedding, skips, context)
        return self.conv_out(F.silu(self.conv_norm_out(x)))

    def _check(self, x_t: Tensor, t: Tensor, labels: Tensor | None) -> None:
        classes = self.config.num_class_embeds
        halvings = len(self.config.block_out_channels) - 1
        if x_t.ndim != 4 or x_t.shape[1] != self.config.in_channels:
            raise ValueError(f"expected images (b, {self.config.in_channels}, h, w), got {tuple(x_t.shape)}")
        if any(side % 2**halvings for side in x_t.shape[2:]):
            raise ValueError(f"expected height and width divisible by {2**halvings}, got {tuple(x_t.shape[2:])}")
        if t.shape != x_t.shape[:1]:
            raise ValueError(f"expected t of shape ({len(x_t)},), one time for each image, got {tuple(t.shape)}")
        if (labels is None) != (classes is None):
            wanted = f"class labels 0..{classes - 1}" if classes else "no class labels: this model has none"
            raise ValueError(f"expected {wanted}, got {'none' if labels is None else 'some'}")
        if labels is None or classes is None:
            return
        if labels.shape != x_t.shape[:1]:
            raise ValueError(f"expected labels of shape ({len(x_t)},), one for each image, got {tuple(labels.shape)}")
        # Reading labels would stall an accelerator's queue, and break a compiled graph.
        if labels.device.type == "cpu" and len(labels) and not torch.compiler.is_compiling():
            low, high = int(labels.min()), int(labels.max())
            if low < 0 or high >= classes:
                raise ValueError(f"expected class labels in 0..{classes - 1}, got {low}..{high}")


class TimeEmbedding(nn.Module):
    """A time as sines and cosines of falling frequency (Vaswani et al. 2017, section 3.5), then two linear layers."""

    frequencies: Tensor

    def __init__(self, config: UNetConfig):
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

    def __init__(self, config: UNetConfig, in_channels: int, out_channels: int):
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

    def __init__(self, config: UNetConfig, channels: int, *, normalise: bool = True, context_dim: int | None = None):
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
        config: UNetConfig,
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

    def __init__(self, config: UNetConfig, channels: int, direction: Literal["down", "up"]):
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

    def __init__(self, config: UNetConfig, channels: int):
        super().__init__()
        self.resnets = nn.ModuleList(ResnetBlock(config, channels, channels) for _ in range(2))
        # As in diffusers, where the time scales and shifts the features this one attention goes without a norm.
        normalise = config.time_embedding_norm == "default"
        attention = SpatialAttention(config, channels, normalise=normalise) if config.mid_attention else nn.Identity()
        self.attentions = nn.ModuleList([attention])

    def forward(self, x: Float[Tensor, "b c h w"], embedding: Float[Tensor, "b e"]) -> Float[Tensor, "b c h w"]:
        """x after the turning point."""
        return self.resnets[1](self.attentions[0](self.resnets[0](x, embedding)), embedding)


def _check_divides(name: str, part: int, widths: Sequence[int]) -> None:
    for width in widths:
        if part < 1 or width % part:
            raise ValueError(f"expected {name} to divide every width, got {part} and width {width}")
