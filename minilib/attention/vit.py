"""The Vision Transformer (Dosovitskiy et al. 2021): a picture is a sentence of patches."""

from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from minilib.attention.blocks import Activation, Block, make_activation
from minilib.attention.layers import Heads, check_heads
from minilib.attention.positions import resized_positions
from minilib.errors import unknown_name

POOLS = ("class", "mean")


@dataclass(frozen=True, kw_only=True)
class ViTConfig:
    """Shape of a Vision Transformer; the defaults are those of ViT-B/16.

    Args:
        image_size, patch_size: in pixels; squares. Larger and smaller pictures work too, with interpolated positions.
        in_channels: of a picture.
        width, depth, num_heads: of tokens, number of blocks, heads in each.
        hidden: width inside the MLPs.
        num_classes: of the classifier; 0 for none: the model then gives the pooled features.
        pool: what the classifier sees: the class token, or the mean of the patches.
        num_registers: further tokens that belong to no patch (Darcet et al. 2024).
        qkv_bias: whether queries, keys and values have a bias.
        norm_eps: of the layer normalisation.
        layer_scale: first value of the LayerScale factors; None for none.
        antialias: whether positions are smoothed when they are interpolated.
        norm_input: whether tokens are normalised before the first block, as in CLIP.
        patch_bias: whether the patch embedding has a bias.
        activation: in the MLPs.
    Raises:
        ValueError: patches that do not divide the image, heads that do not divide the width, a depth or number of
            registers out of range, or an unknown pool.
    """

    image_size: int = 224
    patch_size: int = 16
    in_channels: int = 3
    width: int = 768
    depth: int = 12
    num_heads: int = 12
    hidden: int = 3072
    num_classes: int = 1000
    pool: Literal["class", "mean"] = "class"
    num_registers: int = 0
    qkv_bias: bool = True
    norm_eps: float = 1e-6
    layer_scale: float | None = None
    antialias: bool = False
    norm_input: bool = False
    patch_bias: bool = True
    activation: Activation = "gelu"

    def __post_init__(self):
        if self.patch_size < 1 or self.image_size < 1 or self.image_size % self.patch_size:
            raise ValueError(
                f"expected patch_size to divide image_size, got patches of {self.patch_size} and an image of"
                f" {self.image_size} pixels"
            )
        check_heads(self.width, self.num_heads)
        if self.depth < 1 or self.num_registers < 0:
            raise ValueError(f"expected depth >= 1 and num_registers >= 0, got {self.depth} and {self.num_registers}")
        if self.pool not in POOLS:
            raise unknown_name("pool", self.pool, POOLS)

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.image_size // self.patch_size


def patchify(images: Float[Tensor, "b c h w"], patch_size: int) -> Float[Tensor, "b n p"]:
    """Cuts pictures into patches, line by line; a patch is flattened as channel, row, column.

    Raises:
        ValueError: a picture that is no whole number of patches.
    """
    check_patches(images, patch_size)
    return rearrange(images, "b c (gh ph) (gw pw) -> b (gh gw) (c ph pw)", ph=patch_size, pw=patch_size)


def unpatchify(
    patches: Float[Tensor, "b n p"], grid: tuple[int, int], *, channels: int = 3
) -> Float[Tensor, "b c h w"]:
    """Puts patches together again: the inverse of `patchify`.

    Args:
        patches: as from `patchify`.
        grid: rows and columns of patches.
        channels: of the pictures.
    Raises:
        ValueError: another number of patches, or patches that are no squares.
    """
    size = round((patches.shape[-1] / channels) ** 0.5)
    if patches.shape[1] != grid[0] * grid[1] or channels * size**2 != patches.shape[-1]:
        expected = f"({grid[0]} · {grid[1]}, {channels} · size²)"
        raise ValueError(f"expected patches of shape (b, n, p) with (n, p) = {expected}, got {tuple(patches.shape)}")
    return rearrange(patches, "b (gh gw) (c ph pw) -> b c (gh ph) (gw pw)", gh=grid[0], c=channels, ph=size)


class PatchEmbedding(nn.Module):
    """Patches to tokens: `patchify` and a linear layer, computed as the convolution that is the same."""

    def __init__(self, in_channels: int, width: int, patch_size: int, *, bias: bool = True):
        super().__init__()
        self.patch_size = patch_size
        self.projection = nn.Conv2d(in_channels, width, patch_size, stride=patch_size, bias=bias)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n d"]:
        """One token for each patch, line by line.

        Raises:
            ValueError: a picture that is no whole number of patches.
        """
        check_patches(images, self.patch_size)
        return self.projection(images).flatten(2).mT


class ViT(nn.Module):
    """Pictures in, logits of the classes out.

    Args:
        config: its shape.
    """

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.config = config
        width = config.width
        self.patch_embedding = PatchEmbedding(config.in_channels, width, config.patch_size, bias=config.patch_bias)
        self.class_token = nn.Parameter(torch.zeros(width))
        self.registers = nn.Parameter(torch.zeros(config.num_registers, width)) if config.num_registers else None
        self.positions = nn.Parameter(0.02 * torch.randn(1 + config.grid**2, width))
        self.norm_input = nn.LayerNorm(width, config.norm_eps) if config.norm_input else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(
                width,
                config.num_heads,
                config.hidden,
                norm_eps=config.norm_eps,
                bias=config.qkv_bias,
                layer_scale=config.layer_scale,
                activation=make_activation(config.activation),
            )
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(width, config.norm_eps)
        self.head = nn.Linear(width, config.num_classes) if config.num_classes else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if isinstance(self.head, nn.Linear):
            nn.init.zeros_(self.head.weight)  # the first loss is the logarithm of the number of classes

    @property
    def num_prefix(self) -> int:
        """Tokens before those of the patches: the class token and the registers."""
        return 1 + self.config.num_registers

    def tokens(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n d"]:
        """All tokens after the last block, normalised: class token, registers, patches line by line.

        Raises:
            ValueError: a wrong number of channels, or a picture that is no whole number of patches.
        """
        return self._tokens(images, None)

    def _tokens(self, images: Float[Tensor, "b c h w"], last: int | None) -> Float[Tensor, "b n d"]:
        """The tokens, of which the last block computes only the `last` first ones."""
        if images.ndim != 4 or images.shape[1] != self.config.in_channels:
            raise ValueError(f"expected images (b, {self.config.in_channels}, h, w), got {tuple(images.shape)}")
        patches = self.patch_embedding(images)
        grid = images.shape[2] // self.config.patch_size, images.shape[3] // self.config.patch_size
        old = self.config.grid, self.config.grid
        places = resized_positions(self.positions[1:], old, grid, antialias=self.config.antialias)
        first = (self.class_token + self.positions[0]).expand(len(images), 1, -1)
        parts = [first, patches + places]
        if self.registers is not None:
            parts.insert(1, self.registers.expand(len(images), -1, -1))
        x = self.norm_input(torch.cat(parts, dim=1))
        for block in self.blocks[:-1]:
            x = block(x)
        return self.norm(self.blocks[-1](x, first=last))

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Logits of the classes, or the pooled features of a model without classes; errors as for `tokens`.

        With fused attention the last block computes the class token alone, if nobody will see the others; written-out
        attention, which may be recorded, computes all.
        """
        if self.config.pool == "mean":
            return self.head(self.tokens(images)[:, self.num_prefix :].mean(1))
        fused = all(layer.fused for layer in self.modules() if isinstance(layer, Heads))
        return self.head(self._tokens(images, 1 if fused else None)[:, 0])


def check_patches(images: Tensor, patch_size: int) -> None:
    """Raises ValueError if pictures (b, c, h, w) are no whole number of patches high and wide."""
    if images.ndim != 4 or any(side % patch_size or not side for side in images.shape[2:]):
        raise ValueError(
            f"expected images (b, c, h, w) with height and width divisible by patch_size = {patch_size},"
            f" got {tuple(images.shape)}"
        )
