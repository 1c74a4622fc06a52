"""Segment Anything in videos: a SAM whose frames remember each other (Ravi et al. 2024, section 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from minilib.segmentation.frames import FramePrediction, Prompt, check_frame, check_mask, chosen
from minilib.segmentation.memory import MemoryConfig, VideoMemory
from minilib.segmentation.memory_bank import MemoryBank
from minilib.segmentation.memory_encoder import MASK_BIAS, MASK_SCALE
from minilib.segmentation.sam import Sam, SamConfig, resize_logits
from minilib.segmentation.video_decoder import Decoded, VideoMaskDecoder

MOST_LOGIT = 32.0
"""What the logits of an answer are cut to before they become a prompt."""


@dataclass(frozen=True, kw_only=True)
class Sam2Config(SamConfig):
    """Shape of SAM 2.

    Args:
        memory: of what it has beyond SAM.
    Raises:
        ValueError: as `SamConfig`; or patches that are no power of 2, or below 4 pixels.
    """

    memory: MemoryConfig = field(default_factory=MemoryConfig)

    def __post_init__(self):
        super().__post_init__()
        size = self.encoder.patch_size
        if size < 4 or size & (size - 1):
            raise ValueError(f"expected a patch_size of 4 pixels or a higher power of 2, got {size}")


class Sam2(Sam):
    """Frames, and prompts on some of them, in; masks of the same object on all of them out.

    The image encoder is SAM's Vision Transformer. The published models have Hiera, whose finer features their mask
    decoder looks at, too.

    Args:
        config: its shape.
    Raises:
        ValueError: see its parts.
    """

    def __init__(self, config: Sam2Config):
        super().__init__(config)
        encoder = config.encoder
        self.mask_decoder: VideoMaskDecoder = VideoMaskDecoder(config.decoder, width=encoder.out_channels)
        self.memory = VideoMemory(config.memory, width=encoder.out_channels, stride=encoder.patch_size)
        factor = encoder.image_size // self.prompt_encoder.mask_size
        self.mask_to_prompt = nn.Conv2d(1, 1, factor, stride=factor)

    def predict(
        self, embedding: Float[Tensor, "b d g g"], *prompts: Any, **named: Any
    ) -> tuple[Float[Tensor, "p m s s"], Float[Tensor, "p m"]]:
        """Masks for prompts on pictures, as `Sam.predict`: each picture is a video of one frame."""
        return super().predict(self.memory.read(embedding, None), *prompts, **named)

    def new_bank(self, num_frames: int, *, num_memories: int | None = None, pointers: bool = True) -> MemoryBank:
        """An empty memory bank for a video.

        Args:
            num_frames: of the video.
            num_memories: at most those of the configuration, for which None stands; with 0 and without pointers, each
                frame is on its own.
            pointers: whether frames get any.
        Raises:
            ValueError: a negative number, or more memories than in the configuration.
        """
        config = self.memory.config
        if num_memories is not None and not 0 <= num_memories <= config.num_memories:
            raise ValueError(f"expected num_memories in 0..{config.num_memories}, got {num_memories}")
        return MemoryBank(
            num_memories=config.num_memories if num_memories is None else num_memories,
            max_pointers=min(num_frames, config.max_pointers) if pointers else 0,
        )

    def track(
        self,
        embedding: Float[Tensor, "b d g g"],
        bank: MemoryBank,
        frame: int,
        prompt: Prompt | None = None,
        *,
        previous: FramePrediction | None = None,
        alone: bool = False,
        reverse: bool = False,
    ) -> FramePrediction:
        """What a frame shows; the bank remembers it.

        Args:
            embedding: of the frame, as from `encode_image`.
            bank: of the video.
            frame: its number.
            prompt: what is said of it.
            previous: the answer that the prompt corrects.
            alone: whether it does not look at the bank, as a frame does whose mask begins with its prompt.
            reverse: whether the video is followed towards its beginning.
        """
        if prompt is not None and prompt.mask is not None:
            prediction = self._believe(embedding, prompt.mask)
        else:
            seen = self.memory.read(embedding, None if alone else bank, frame, reverse=reverse)
            prediction = self._answer(seen, prompt, previous)
        binary = prompt is not None and self.memory.config.binary_prompted and not self.training
        memory = self.memory.write(embedding, prediction.mask, prediction.pointer, prediction.visible, binary=binary)
        bank.add(frame, memory, prompted=prompt is not None)
        return prediction

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]: a video where SAM has a picture
        self,
        frames: Float[Tensor, "b t c h w"],
        prompts: Mapping[int, Prompt],
        *,
        num_memories: int | None = None,
        pointers: bool = True,
    ) -> list[FramePrediction]:
        """Follows an object through each of b videos: frames with prompts first, then from the first of them to the
        end, then from there back to the beginning. Memories are made of the model's own answers.

        Args:
            frames: values in [−1, 1], of `image_size`.
            prompts: by the number of their frame, from 0.
            num_memories, pointers: see `new_bank`.
        Returns:
            An answer for each frame.
        Raises:
            ValueError: frames of another shape or range, or none; no prompt, one on a frame that is not there, or one
                that does not fit (see `PromptEncoder.forward`).
            TypeError: frames that are not floating-point, or a prompt of another dtype.
        """
        if frames.ndim != 5 or not frames.shape[1]:
            raise ValueError(f"expected videos (b, t, c, h, w) of at least one frame, got {tuple(frames.shape)}")
        count, length = frames.shape[:2]
        if not prompts:
            raise ValueError("expected a prompt on at least one frame, got none")
        for frame, prompt in prompts.items():
            check_frame(frame, length)
            self.check_prompt(prompt, count)
        embeddings = self.encode_image(frames.flatten(0, 1)).unflatten(0, (count, length))
        return self.follow(embeddings, prompts, num_memories=num_memories, pointers=pointers)

    def follow(
        self,
        embeddings: Float[Tensor, "b t d g g"],
        prompts: Mapping[int, Prompt],
        *,
        num_memories: int | None = None,
        pointers: bool = True,
    ) -> list[FramePrediction]:
        """As `forward`, for frames that went through `encode_image` already; what is given is not checked."""
        length = embeddings.shape[1]
        bank = self.new_bank(length, num_memories=num_memories, pointers=pointers)
        found = {
            frame: self.track(embeddings[:, frame], bank, frame, prompts[frame], alone=True)
            for frame in sorted(prompts)
        }
        start = min(found)
        for order, reverse in ((range(start, length), False), (range(start, -1, -1), True)):
            for frame in order:
                if frame not in found:
                    found[frame] = self.track(embeddings[:, frame], bank, frame, reverse=reverse)
        return [found[frame] for frame in range(length)]

    def check_prompt(self, prompt: Prompt, count: int) -> None:
        """Raises ValueError or TypeError for what is not a prompt for `count` videos."""
        if prompt.mask is None:
            self.prompt_encoder.check(prompt.points, prompt.labels, None, None)
            if prompt.points is not None and len(prompt.points) != count:
                raise ValueError(f"expected points for each of {count} videos, got {len(prompt.points)}")
            return
        if prompt.points is not None or prompt.labels is not None:
            raise ValueError("expected points with labels or a mask on a frame, got both")
        check_mask(prompt.mask, (count, self.prompt_encoder.image_size, self.prompt_encoder.image_size))

    def _decode(
        self, seen: Tensor, prompt: Prompt | None, masks: Tensor | None, *, multimask: bool
    ) -> tuple[Decoded, Tensor, Tensor]:
        """What the mask decoder says; the index of the best mask; the pointer."""
        if prompt is None or prompt.points is None or prompt.labels is None:
            points, labels = seen.new_zeros(len(seen), 1, 2), torch.full((len(seen), 1), -1, device=seen.device)
        else:
            points, labels = prompt.points, prompt.labels
        tokens, dense = self.prompt_encoder(points, labels, None, masks)
        positions = self.prompt_encoder.grid_positions()
        decoded = self.mask_decoder.decode(seen, positions, tokens, dense, multimask=multimask)
        best = decoded.iou.argmax(1)
        token = decoded.tokens[torch.arange(len(best), device=best.device), best]
        return decoded, best, self.memory.pointer(token, decoded.object_score > 0)

    def _answer(
        self, seen: Float[Tensor, "b d g g"], prompt: Prompt | None, previous: FramePrediction | None
    ) -> FramePrediction:
        """What an embedding shows, asked with points or without."""
        masks = None
        if previous is not None:
            masks = chosen(previous.logits, previous.best, previous.visible).clamp(-MOST_LOGIT, MOST_LOGIT)
        multimask = prompt is None or prompt.points is None or prompt.points.shape[1] <= 1
        decoded, best, pointer = self._decode(seen, prompt, masks, multimask=multimask)
        mask = chosen(decoded.logits, best, decoded.object_score > 0)
        mask = resize_logits(mask[:, None], self.prompt_encoder.image_size)[:, 0]
        return FramePrediction(decoded.logits, decoded.iou, decoded.object_score, best, mask, pointer)

    def _believe(self, embedding: Float[Tensor, "b d g g"], mask: Bool[Tensor, "b h w"]) -> FramePrediction:
        """A mask as an answer; only the pointer comes from the decoder."""
        truth = mask[:, None].to(embedding.dtype)
        size = self.prompt_encoder.mask_size
        *_, pointer = self._decode(embedding, None, self.mask_to_prompt(truth)[:, 0], multimask=True)
        visible = mask.flatten(1).any(1)
        sharp = MASK_SCALE * truth + MASK_BIAS
        return FramePrediction(
            logits=F.interpolate(sharp, (size, size), mode="bilinear", antialias=True, align_corners=False),
            iou=truth.new_ones(len(mask), 1),
            object_score=MASK_SCALE * visible.to(truth.dtype) + MASK_BIAS,
            best=torch.zeros(len(mask), dtype=torch.long, device=mask.device),
            mask=sharp[:, 0],
            pointer=torch.where(visible[:, None], pointer, self.memory.no_object_pointer),
        )
