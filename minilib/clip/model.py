"""CLIP: two transformers, one for pictures and one for texts, that end in one space (Radford et al. 2021)."""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from minilib.attention.blocks import Activation, Block, make_activation
from minilib.attention.layers import causal_mask, check_heads
from minilib.attention.vit import ViT, ViTConfig

MAX_SCALE = 100.0
"""What cosines are multiplied with at most (Radford et al. 2021, section 2.5)."""


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Shape of a text transformer; the defaults are those of CLIP B/32.

    Args:
        vocab_size: pieces of the tokenizer; the last one ends a text.
        context_length: pieces in a sequence.
        width, depth, num_heads: of tokens, number of blocks, heads in each.
        hidden: width inside the MLPs.
        activation: in the MLPs.
        norm_eps: of the layer normalisation.
    Raises:
        ValueError: heads that do not divide the width.
    """

    vocab_size: int = 49408
    context_length: int = 77
    width: int = 512
    depth: int = 12
    num_heads: int = 8
    hidden: int = 2048
    activation: Activation = "quick_gelu"
    norm_eps: float = 1e-5

    def __post_init__(self):
        check_heads(self.width, self.num_heads)


class TextTransformer(nn.Module):
    """Reads from left to right; what it knows at the end of a text is its feature.

    Args:
        config: its shape.
    """

    def __init__(self, config: TextConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.positions = nn.Parameter(torch.empty(config.context_length, config.width))
        self.blocks = nn.ModuleList(
            Block(
                config.width,
                config.num_heads,
                config.hidden,
                norm_eps=config.norm_eps,
                activation=make_activation(config.activation),
            )
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width, config.norm_eps)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.01)

    def tokens(self, ids: Int[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
        """All tokens after the last block, normalised.

        Raises:
            ValueError: a sequence longer than the context.
        """
        return self.read(self.embedding(ids))

    def read(self, words: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """As `tokens`, from the vectors of the pieces, which need not be those of any words."""
        length = words.shape[1]
        if length > self.config.context_length:
            raise ValueError(f"expected at most {self.config.context_length} tokens, got {length}")
        x = words + self.positions[:length]
        mask = causal_mask(length, device=words.device)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

    def forward(self, ids: Int[Tensor, "b n"]) -> Float[Tensor, "b d"]:
        """The token at the first end mark of each text: the only one that has seen all of it.

        Raises:
            ValueError: a sequence longer than the context, or (looked at on CPUs only) without an end mark.
        """
        tokens, ends = self.tokens(ids), ids == self.config.vocab_size - 1
        if ids.device.type == "cpu" and not bool(ends.any(1).all()):  # elsewhere, looking would make the device wait
            raise ValueError(
                f"expected the end mark {self.config.vocab_size - 1} in each text, got none in text number"
                f" {int((~ends.any(1)).int().argmax())}: are these the numbers of this model's tokenizer?"
            )
        return tokens[torch.arange(len(ids), device=ids.device), ends.int().argmax(1)]


@dataclass(frozen=True, kw_only=True)
class CLIPConfig:
    """Shape of CLIP; the defaults are those of B/32.

    Args:
        image: the picture's transformer, without classes.
        text: the text's transformer.
        embed_dim: of the common space.
    Raises:
        ValueError: a picture's transformer with classes.
    """

    image: ViTConfig = field(
        default_factory=lambda: ViTConfig(
            patch_size=32,
            num_classes=0,
            norm_eps=1e-5,
            norm_input=True,
            patch_bias=False,
            activation="quick_gelu",
        )
    )
    text: TextConfig = field(default_factory=TextConfig)
    embed_dim: int = 512

    def __post_init__(self):
        if self.image.num_classes:
            raise ValueError(f"expected a ViT without classes, got num_classes = {self.image.num_classes}")


class CLIP(nn.Module):
    """Pictures and texts to features of unit length, whose products say how well they fit.

    Args:
        config: its shape.
    """

    def __init__(self, config: CLIPConfig):
        super().__init__()
        self.config = config
        self.image_tower, self.text_tower = ViT(config.image), TextTransformer(config.text)
        self.image_projection = nn.Linear(config.image.width, config.embed_dim, bias=False)
        self.text_projection = nn.Linear(config.text.width, config.embed_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        for projection in (self.image_projection, self.text_projection):
            nn.init.normal_(projection.weight, std=projection.in_features**-0.5)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """What cosines are multiplied with: 1/temperature, at most 100."""
        return self.logit_scale.exp().clamp(max=MAX_SCALE)

    def encode_images(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Features of unit length; errors as for `ViT.tokens`."""
        return F.normalize(self.image_projection(self.image_tower(images)), dim=-1)

    def encode_texts(self, ids: Int[Tensor, "b n"]) -> Float[Tensor, "b d"]:
        """Features of unit length; errors as for `TextTransformer`."""
        return F.normalize(self.text_projection(self.text_tower(ids)), dim=-1)

    def forward(
        self, images: Float[Tensor, "b c h w"], ids: Int[Tensor, "k n"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "k d"], Float[Tensor, ""]]:
        """All that a loss needs: features of the pictures, features of the texts, the scale."""
        return self.encode_images(images), self.encode_texts(ids), self.scale
