"""SAM's image encoder: a ViT in which few blocks see the whole picture (Kirillov et al. 2023, appendix A)."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from minilib.attention.blocks import Block
from minilib.attention.layers import check_heads
from minilib.attention.vit import PatchEmbedding
from minilib.segmentation.window_attention import GridAttention


@dataclass(frozen=True, kw_only=True)
class ImageEncoderConfig:
    """Shape of an image encoder; the defaults are those of SAM's ViT-B.

    Args:
        image_size, patch_size: in pixels; squares.
        in_channels: of a picture.
        width, depth, num_heads: of tokens, number of blocks, heads in each.
        hidden: width inside the MLPs.
        window_size: tokens along a side of a window.
        global_blocks: indices of the blocks that attend to the whole picture.
        out_channels: of the embedding.
        qkv_bias: whether queries, keys and values have one.
        norm_eps: of the layer normalisation in the blocks.
    Raises:
        ValueError: patches that do not divide the image, heads that do not divide the width, a depth or window below 1,
            or a global block that does not exist.
    """

    image_size: int = 1024
    patch_size: int = 16
    in_channels: int = 3
    width: int = 768
    depth: int = 12
    num_heads: int = 12
    hidden: int = 3072
    window_size: int = 14
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)
    out_channels: int = 256
    qkv_bias: bool = True
    norm_eps: float = 1e-6

    def __post_init__(self):
        if self.patch_size < 1 or self.image_size < 1 or self.image_size % self.patch_size:
            raise ValueError(
                f"expected patch_size to divide image_size, got patches of {self.patch_size} and an image of"
                f" {self.image_size} pixels"
            )
        check_heads(self.width, self.num_heads)
        if self.depth < 1 or self.window_size < 1:
            raise ValueError(f"expected depth >= 1 and window_size >= 1, got {self.depth} and {self.window_size}")
        if any(not 0 <= index < self.depth for index in self.global_blocks):
            raise ValueError(f"expected global_blocks in 0..{self.depth - 1}, got {self.global_blocks}")

    @property
    def grid(self) -> int:
        """Tokens along a side."""
        return self.image_size // self.patch_size


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of each pixel's channels, for maps (b, c, h, w)."""

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The map, normalised."""
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class ImageEncoder(nn.Module):
    """Pictures in, maps of features out: what a picture is, before anything is asked about it.

    Args:
        config: its shape.
    """

    def __init__(self, config: ImageEncoderConfig):
        super().__init__()
        self.config = config
        width, grid = config.width, config.grid
        self.patch_embedding = PatchEmbedding(config.in_channels, width, config.patch_size)
        self.positions = nn.Parameter(0.02 * torch.randn(grid**2, width))
        self.blocks = nn.ModuleList()
        for index in range(config.depth):
            block = Block(width, config.num_heads, config.hidden, norm_eps=config.norm_eps)
            window_size = None if index in config.global_blocks else config.window_size
            block.attention = GridAttention(
                width, config.num_heads, grid=grid, window_size=window_size, bias=config.qkv_bias
            )
            self.blocks.append(block)
        self.neck = nn.Sequential(
            nn.Conv2d(width, config.out_channels, 1, bias=False),
            ChannelNorm(config.out_channels, 1e-6),
            nn.Conv2d(config.out_channels, config.out_channels, 3, padding=1, bias=False),
            ChannelNorm(config.out_channels, 1e-6),
        )
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g g"]:
        """The embedding of normalised pictures of `image_size`.

        Raises:
            ValueError: pictures of another shape.
        """
        self.check(images)
        x = self.patch_embedding(images) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.neck(rearrange(x, "b (y x) d -> b d y x", y=self.config.grid))

    def check(self, images: Tensor) -> None:
        """Raises ValueError for pictures of another shape than `forward` wants."""
        expected = (self.config.in_channels, self.config.image_size, self.config.image_size)
        if images.ndim != 4 or images.shape[1:] != expected:
            raise ValueError(f"expected images {('b', *expected)}, got {tuple(images.shape)}")
