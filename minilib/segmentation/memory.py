"""SAM 2's memory: how a frame is written into it, and how another one reads it (Ravi et al. 2024, section 4)."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from minilib.segmentation.mask_decoder import three_layers
from minilib.segmentation.memory_attention import MemoryAttention, grid_waves, time_waves
from minilib.segmentation.memory_bank import Memory, MemoryBank
from minilib.segmentation.memory_encoder import MemoryEncoder, memory_mask


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    """Shape of a memory; the defaults are those of SAM 2.1.

    Args:
        channels: of a memory.
        num_memories, max_pointers: see `MemoryBank`.
        depth, num_heads, hidden: of the memory attention: number of blocks, heads in each, width inside the MLPs.
        fuser_depth, fuser_hidden: of the memory encoder: number of blocks, width inside their MLPs.
        layer_scale: first value of the factors in the memory encoder.
        binary_prompted: whether, outside training, masks of frames with prompts are cut at 0 before they are
            remembered, as in the published models.
    Raises:
        ValueError: channels, memories, pointers or a depth below 1.
    """

    channels: int = 64
    num_memories: int = 7
    max_pointers: int = 16
    depth: int = 4
    num_heads: int = 1
    hidden: int = 2048
    fuser_depth: int = 2
    fuser_hidden: int = 1024
    layer_scale: float = 1e-6
    binary_prompted: bool = False

    def __post_init__(self):
        for name in ("channels", "num_memories", "max_pointers", "depth", "fuser_depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} >= 1, got {getattr(self, name)}")


class VideoMemory(nn.Module):
    """All that SAM 2 learns beyond an image encoder, a prompt encoder and a mask decoder.

    Args:
        config: its shape.
        width: of the image embedding.
        stride: pixels along a side of a token, a power of 2.
    Raises:
        ValueError: channels that do not divide the width, or a stride that is no power of 2.
    """

    def __init__(self, config: MemoryConfig, *, width: int, stride: int):
        super().__init__()
        if width % config.channels:
            raise ValueError(
                f"expected channels of a memory that divide the width of the image embedding, got {config.channels} and"
                f" {width}"
            )
        self.config = config
        self.encoder = MemoryEncoder(
            width=width,
            channels=config.channels,
            stride=stride,
            depth=config.fuser_depth,
            hidden=config.fuser_hidden,
            layer_scale=config.layer_scale,
        )
        self.attention = MemoryAttention(
            width=width,
            channels=config.channels,
            depth=config.depth,
            num_heads=config.num_heads,
            hidden=config.hidden,
        )
        self.no_memory = nn.Parameter(0.02 * torch.randn(width))
        self.no_object_features = nn.Parameter(0.02 * torch.randn(config.channels))
        self.no_object_pointer = nn.Parameter(0.02 * torch.randn(width))
        self.positions = nn.Parameter(0.02 * torch.randn(config.num_memories, config.channels))
        self.pointer_head = three_layers(width, width, width)
        self.to_pointer_position = nn.Linear(width, config.channels)

    def pointer(self, token: Float[Tensor, "b d"], visible: Bool[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """What an object is, from the token that its mask was made of; a learned vector if it is out of sight."""
        return torch.where(visible[:, None], self.pointer_head(token), self.no_object_pointer)

    def write(
        self,
        embedding: Float[Tensor, "b d g g"],
        mask: Float[Tensor, "b h w"],
        pointer: Float[Tensor, "b d"],
        visible: Bool[Tensor, " b"],
        *,
        binary: bool = False,
    ) -> Memory:
        """The memory of a frame.

        Args:
            embedding: of the picture alone.
            mask: logits, at the size of the picture.
            pointer: as from `pointer`.
            visible: whether the object is in sight; otherwise a learned vector is added in all places.
            binary: whether to cut the mask at 0.
        """
        features = self.encoder(embedding, memory_mask(mask, binary=binary))
        features = rearrange(features, "b c y x -> b (y x) c")
        return Memory(torch.where(visible[:, None, None], features, features + self.no_object_features), pointer)

    def read(
        self, embedding: Float[Tensor, "b d g g"], bank: MemoryBank | None, frame: int = 0, *, reverse: bool = False
    ) -> Float[Tensor, "b d g g"]:
        """The embedding of a frame after it has looked at what the bank has for it; if that is nothing, or there is no
        bank, with a learned vector in place of it.

        Args:
            embedding: of the picture alone.
            bank: the memories of the video.
            frame, reverse: as for `MemoryBank.memories`.
        """
        memories = [] if bank is None else bank.memories(frame, reverse=reverse)
        pointers = [] if bank is None else bank.pointers(frame, reverse=reverse)
        if bank is None or not (memories or pointers):
            return embedding + self.no_memory[:, None, None]
        width, grid = embedding.shape[1:3]
        parts = width // self.config.channels
        where = grid_waves(grid, self.config.channels, device=embedding.device).to(embedding.dtype)
        tokens = [memory.features for _, memory in memories]
        positions = [where + self.positions[away - 1] for away, _ in memories]  # the last one for those with prompts
        if pointers:
            whole = torch.stack([memory.pointer for _, memory in pointers], dim=1)
            tokens.append(rearrange(whole, "b p (parts c) -> b (p parts) c", parts=parts))
            longest = max(bank.max_pointers - 1, 1)
            times = torch.tensor([away / longest for away, _ in pointers], device=embedding.device)
            when = self.to_pointer_position(time_waves(times, width).to(embedding.dtype))
            positions.append(when.repeat_interleave(parts, dim=0))
        asked = self.attention(
            rearrange(embedding, "b d y x -> b (y x) d"),
            torch.cat(tokens, dim=1),
            torch.cat(positions),
            num_pointers=parts * len(pointers),
        )
        return rearrange(asked, "b (y x) d -> b d y x", y=grid)
