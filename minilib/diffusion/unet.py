"""The U-Net of denoising diffusion models (Ho et al. 2020, appendix B): what noise is in this image at time t?

Down through coarser and coarser resolutions, up again, and at every resolution the way up is handed what the way down
saw there. Built as diffusers' `UNet2DModel`, whose weights fit (`minilib.interop.diffusers`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from minilib.diffusion.unet_blocks import DownBlock, MidBlock, TimeEmbedding, UpBlock


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
        ValueError: lengths that differ, widths that groups or heads do not divide, or a context and no resolution that
            looks at it.
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
        if self.context_dim is not None and not attended:
            raise ValueError(
                f"expected a resolution with attention to look at a context of {self.context_dim}, got none"
            )
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


def _check_divides(name: str, part: int, widths: Sequence[int]) -> None:
    for width in widths:
        if part < 1 or width % part:
            raise ValueError(f"expected {name} to divide every width, got {part} and width {width}")
