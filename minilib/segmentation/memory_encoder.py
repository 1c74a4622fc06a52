"""SAM 2's memory encoder: what a frame shows and where the object is, in few channels (Ravi et al. 2024, section 4)."""

from jaxtyping import Float
from torch import Tensor, nn

from minilib.attention.blocks import MLP, Scale
from minilib.segmentation.image_encoder import ChannelNorm

MASK_SCALE, MASK_BIAS = 20.0, -10.0
"""Of probabilities, when a mask goes into memory."""


def memory_mask(logits: Float[Tensor, "b h w"], *, binary: bool = False) -> Float[Tensor, "b h w"]:
    """A mask as the memory encoder reads it: 20 · sigmoid(logits) − 10.

    Args:
        logits: of the mask, at the size of the picture.
        binary: whether to cut it at 0 first.
    """
    inside = (logits > 0).to(logits.dtype) if binary else logits.sigmoid()
    return MASK_SCALE * inside + MASK_BIAS


class MaskDownsampler(nn.Module):
    """A mask, made as coarse as the image embedding: each layer halves it and has four times the channels.

    Args:
        width: of the result.
        stride: pixels along a side of a token, a power of 2.
    Raises:
        ValueError: a stride that is no power of 2.
    """

    def __init__(self, width: int, stride: int):
        super().__init__()
        if stride < 1 or stride & (stride - 1):
            raise ValueError(f"expected patches of a power of 2 pixels, got {stride}")
        self.layers = nn.ModuleList()
        channels = 1
        for _ in range(stride.bit_length() - 1):
            halve = nn.Conv2d(channels, 4 * channels, 3, stride=2, padding=1)
            self.layers.append(nn.Sequential(halve, ChannelNorm(4 * channels, 1e-6), nn.GELU()))
            channels *= 4
        self.to_out = nn.Conv2d(channels, width, 1)

    def forward(self, masks: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b d g g"]:
        """The masks, in tokens."""
        for layer in self.layers:
            masks = layer(masks)
        return self.to_out(masks)


class FuserBlock(nn.Module):
    """A ConvNeXt block: tokens look around in their own channel, then think (Liu et al. 2022, "A ConvNet for the
    2020s", section 2).

    Args:
        width: of tokens.
        hidden: width inside the MLP.
        layer_scale: first value of the factors that the result is multiplied with.
    """

    def __init__(self, width: int, hidden: int, layer_scale: float):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, 1e-6)
        self.mlp = MLP(width, hidden)
        self.scale = Scale(width, layer_scale)

    def forward(self, x: Float[Tensor, "b d g g"]) -> Float[Tensor, "b d g g"]:
        """The map after this block."""
        thought = self.scale(self.mlp(self.norm(self.depthwise(x).movedim(1, -1))))
        return x + thought.movedim(-1, 1)


class MemoryEncoder(nn.Module):
    """An image embedding and a mask to a memory.

    Args:
        width: of the image embedding.
        channels: of a memory.
        stride: pixels along a side of a token, a power of 2.
        depth, hidden: number of fuser blocks, width inside their MLPs.
        layer_scale: as for `FuserBlock`.
    Raises:
        ValueError: a stride that is no power of 2.
    """

    def __init__(self, *, width: int, channels: int, stride: int, depth: int, hidden: int, layer_scale: float):
        super().__init__()
        self.mask_downsampler = MaskDownsampler(width, stride)
        self.from_image = nn.Conv2d(width, width, 1)
        self.fuser = nn.Sequential(*(FuserBlock(width, hidden, layer_scale) for _ in range(depth)))
        self.to_memory = nn.Conv2d(width, channels, 1)

    def forward(self, embedding: Float[Tensor, "b d g g"], masks: Float[Tensor, "b h w"]) -> Float[Tensor, "b c g g"]:
        """The memory of a frame.

        Args:
            embedding: of the picture alone, before any memory was added to it.
            masks: as from `memory_mask`, `stride` times as fine as the embedding.
        Raises:
            ValueError: masks of another size.
        """
        coarse = self.mask_downsampler(masks[:, None])
        if coarse.shape != embedding.shape:
            stride = 2 ** len(self.mask_downsampler.layers)
            expected = (len(embedding), *(stride * side for side in embedding.shape[2:]))
            raise ValueError(f"expected masks of shape {expected}, got {tuple(masks.shape)}")
        return self.to_memory(self.fuser(self.from_image(embedding) + coarse))
