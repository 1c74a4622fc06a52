"""SAM's mask decoder: a few tokens ask the picture, and the picture asks back (Kirillov et al. 2023, appendix A)."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from minilib.attention.blocks import MLP
from minilib.attention.layers import CrossAttention, check_heads


@dataclass(frozen=True, kw_only=True)
class MaskDecoderConfig:
    """Shape of a mask decoder; the defaults are those of SAM. Its width is that of the image embedding.

    Args:
        depth, num_heads: number of two-way blocks, heads in each.
        hidden: width inside their MLPs.
        downsample_rate: what queries, keys and values between tokens and picture are narrower by.
        num_masks: that one prompt gets if it is ambiguous; one more is for prompts that are not.
        iou_hidden: width inside the head that predicts the IoU.
        norm_eps: of the layer normalisation in the blocks.
    Raises:
        ValueError: a depth or a number of masks below 1.
    """

    depth: int = 2
    num_heads: int = 8
    hidden: int = 2048
    downsample_rate: int = 2
    num_masks: int = 3
    iou_hidden: int = 256
    norm_eps: float = 1e-5

    def __post_init__(self):
        if self.depth < 1 or self.num_masks < 1:
            raise ValueError(f"expected depth >= 1 and num_masks >= 1, got {self.depth} and {self.num_masks}")


class TwoWayBlock(nn.Module):
    """Tokens ask each other, then the picture, think, and are asked by the picture.

    Where a token or a pixel is, is added anew each time that somebody asks or is asked, never to what they answer.

    Args:
        width: of tokens and pixels.
        config: of the decoder.
        first: whether it is the first block, whose tokens are still nothing but their positions.
    """

    def __init__(self, width: int, config: MaskDecoderConfig, *, first: bool):
        super().__init__()
        self.first = first
        inner = width // config.downsample_rate
        self.self_attention = CrossAttention(width, config.num_heads)
        self.tokens_to_image = CrossAttention(width, config.num_heads, inner=inner)
        self.image_to_tokens = CrossAttention(width, config.num_heads, inner=inner)
        self.mlp = MLP(width, config.hidden, nn.ReLU())
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.LayerNorm(width, config.norm_eps) for _ in range(4))

    def forward(
        self,
        tokens: Float[Tensor, "p t d"],
        image: Float[Tensor, "p n d"],
        token_positions: Float[Tensor, "p t d"],
        image_positions: Float[Tensor, "n d"],
    ) -> tuple[Float[Tensor, "p t d"], Float[Tensor, "p n d"]]:
        """Tokens and picture after this block."""
        if self.first:
            tokens = self.norm1(self.self_attention(tokens, tokens))
        else:
            placed = tokens + token_positions
            tokens = self.norm1(tokens + self.self_attention(placed, placed, tokens))
        placed_image = image + image_positions
        tokens = self.norm2(tokens + self.tokens_to_image(tokens + token_positions, placed_image, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.image_to_tokens(placed_image, tokens + token_positions, tokens))
        return tokens, image


class Upscale(nn.Module):
    """Each token becomes 2 × 2: a transposed convolution with kernel and stride 2, as the linear layer that it is."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        bound = (4 * out_channels) ** -0.5  # as torch begins this convolution
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels, 2, 2).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))

    def forward(self, x: Float[Tensor, "*b c"]) -> Float[Tensor, "*b 4 d"]:
        """Vectors of the upper left, upper right, lower left and lower right quarter of each token."""
        kernel = rearrange(self.weight, "c d y x -> (y x d) c")
        return F.linear(x, kernel, self.bias.repeat(4)).unflatten(-1, (4, -1))


def three_layers(width: int, hidden: int, out: int) -> nn.Sequential:
    """A small network with two hidden layers."""
    return nn.Sequential(
        nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, out)
    )


class MaskDecoder(nn.Module):
    """Image embedding and prompts to masks, and to how good each mask is.

    Args:
        config: its shape.
        width: of the image embedding, divisible by 8.
    Raises:
        ValueError: a width not divisible by 8, or heads that do not divide width and width / downsample_rate.
    """

    def __init__(self, config: MaskDecoderConfig, *, width: int):
        super().__init__()
        if width % 8:
            raise ValueError(f"expected a width divisible by 8, got {width}")
        check_heads(width // config.downsample_rate, config.num_heads)
        self.config = config
        count = config.num_masks + 1
        self.iou_token = nn.Parameter(torch.randn(1, width))
        self.mask_tokens = nn.Parameter(torch.randn(count, width))
        self.blocks = nn.ModuleList(TwoWayBlock(width, config, first=index == 0) for index in range(config.depth))
        self.final_attention = CrossAttention(width, config.num_heads, inner=width // config.downsample_rate)
        self.final_norm = nn.LayerNorm(width, 1e-5)
        self.upscale1, self.upscale2 = Upscale(width, width // 4), Upscale(width // 4, width // 8)
        self.upscale_norm = nn.LayerNorm(width // 4, 1e-6)
        self.activation = nn.GELU()
        self.hypernetworks = nn.ModuleList(three_layers(width, width, width // 8) for _ in range(count))
        self.iou_head = three_layers(width, config.iou_hidden, count)

    def forward(
        self,
        embedding: Float[Tensor, "b d g g"],
        positions: Float[Tensor, "n d"],
        prompts: Float[Tensor, "p t d"],
        dense: Float[Tensor, "q d g g"],
        *,
        multimask: bool = True,
    ) -> tuple[Float[Tensor, "p m s s"], Float[Tensor, "p m"]]:
        """Masks for each prompt.

        Args:
            embedding: of b pictures; b divides p, and the p / b prompts of one picture follow each other.
            positions: of the embedding's tokens.
            prompts, dense: as from `PromptEncoder`.
            multimask: whether the prompts are ambiguous: `num_masks` masks for each, else one.
        Returns:
            Logits of the masks, at four times the resolution of the embedding; predicted IoUs.
        Raises:
            ValueError: a number of pictures that does not divide that of prompts.
        """
        return self.draw(*self.ask(embedding, positions, prompts, dense), multimask=multimask)

    def ask(
        self,
        embedding: Float[Tensor, "b d g g"],
        positions: Float[Tensor, "n d"],
        prompts: Float[Tensor, "p t d"],
        dense: Float[Tensor, "q d g g"],
    ) -> tuple[Float[Tensor, "p m d"], Float[Tensor, "p n d"]]:
        """Tokens and picture after all blocks, as arguments of `forward`: the token of the IoU, those of the masks,
        those of the prompts; errors as there."""
        count = len(prompts)
        if count % len(embedding):
            raise ValueError(f"expected as many prompts for each of {len(embedding)} pictures, got {count} altogether")
        image = rearrange(embedding.repeat_interleave(count // len(embedding), 0) + dense, "p d y x -> p (y x) d")
        output = torch.cat([self.iou_token, self.mask_tokens]).expand(count, -1, -1)
        first = torch.cat([output, prompts], dim=1)
        tokens = first
        for block in self.blocks:
            tokens, image = block(tokens, image, first, positions)
        asked = self.final_attention(tokens + first, image + positions, image)
        return self.final_norm(tokens + asked), image

    def draw(
        self, tokens: Float[Tensor, "p t d"], image: Float[Tensor, "p n d"], *, multimask: bool = True
    ) -> tuple[Float[Tensor, "p m s s"], Float[Tensor, "p m"]]:
        """Logits and predicted IoUs of the masks, from what `ask` gives."""
        grid = math.isqrt(image.shape[1])
        pixels = self.activation(self.upscale_norm(self.upscale1(image)))
        pixels = self.activation(self.upscale2(pixels))  # (p, n, 4, 4, d / 8): the quarters of the quarters
        wanted = range(1, self.config.num_masks + 1) if multimask else range(1)
        weights = torch.stack([self.hypernetworks[index](tokens[:, 1 + index]) for index in wanted], dim=1)
        logits = weights @ pixels.flatten(1, -2).mT
        logits = rearrange(
            logits, "p m (y x y2 x2 y4 x4) -> p m (y y2 y4) (x x2 x4)", y=grid, x=grid, y2=2, x2=2, y4=2, x4=2
        )
        return logits, self.iou_head(tokens[:, 0])[:, wanted.start : wanted.stop]
