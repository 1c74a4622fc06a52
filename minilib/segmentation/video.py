"""A video that one can click on: prompts on any frame at any time, followed forwards and backwards (Ravi et al. 2024,
section 3)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from minilib.segmentation.frames import FramePrediction, Prompt, check_frame, check_mask
from minilib.segmentation.sam import check_range
from minilib.segmentation.sam2 import Sam2


class FrameMask(NamedTuple):
    """The object on one frame.

    Attributes:
        frame: its number, from 0.
        logits: of the mask, above 0 inside; −1024 everywhere if the object is out of sight.
        iou: predicted, in (0, 1); 1 for a mask that was given.
        object_score: the occlusion score, a logit: above 0 the object is in sight.
    """

    frame: int
    logits: Float[Tensor, "h w"]
    iou: Float[Tensor, ""]
    object_score: Float[Tensor, ""]

    @property
    def mask(self) -> Bool[Tensor, "h w"]:
        """The pixels of the object."""
        return self.logits > 0


class VideoSegmenter:
    """Follows one object through one video; for several objects use as many of these.

    Args:
        model: a SAM 2, in evaluation mode.
        num_memories: at most those of the model, for which None stands; 1 for frames with prompts alone. With 0 and
            without pointers, each frame is on its own.
        pointers: whether frames get the pointers of others.
    Raises:
        ValueError: a negative number of memories, or more than the model has.
    """

    def __init__(self, model: Sam2, *, num_memories: int | None = None, pointers: bool = True):
        self.model, self.num_memories, self.pointers = model, num_memories, pointers
        self._frames: Tensor | None = None
        self._reset(1)

    def start(self, frames: Float[Tensor, "t c h w"] | Sequence[Float[Tensor, "c h w"]]) -> None:
        """Opens a video, and forgets the one before.

        Args:
            frames: values in [−1, 1], of the model's `image_size`; `Sam.fit_photograph` makes others fit.
        Raises:
            ValueError: no frames, frames of different sizes or of another size than the model's, or values outside
                [−1, 1].
            TypeError: frames that are not floating-point tensors.
        """
        video = self._checked(frames)
        self._frames = video
        self._reset(len(video))

    def add_click(self, frame: int, x: float, y: float, label: int = 1) -> FrameMask:
        """Says that a pixel belongs to the object, or does not; adds to earlier points on the frame, and corrects
        the answer that there is for it.

        Args:
            frame: its number.
            x, y: the pixel; (0, 0) is the upper left one.
            label: 1 inside, 0 outside.
        Returns:
            The object on this frame.
        Raises:
            ValueError: no video, no such frame, a point outside the image, or another label.
        """
        self._check_place(frame, x, y)
        if label not in (0, 1):
            raise ValueError(f"expected the label 1 (inside) or 0 (outside), got {label!r}")
        return self._say(frame, self._points([(x, y)], [int(label)], self._prompts.get(frame)))

    def add_box(self, frame: int, x1: float, y1: float, x2: float, y2: float) -> FrameMask:
        """Says what box the object is in; replaces what was said of the frame.

        Args:
            frame: its number.
            x1, y1, x2, y2: the outermost pixels.
        Returns:
            The object on this frame.
        Raises:
            ValueError: no video, no such frame, a corner outside the image, or x2 < x1 or y2 < y1.
        """
        self._check_place(frame, x1, y1)
        self._check_place(frame, x2, y2)
        if x2 < x1 or y2 < y1:
            raise ValueError(f"expected a box with x1 <= x2 and y1 <= y2, got ({x1:g}, {y1:g}, {x2:g}, {y2:g})")
        self._forget(frame)
        return self._say(frame, self._points([(x1, y1), (x2, y2)], [2, 3], None))

    def add_mask(self, frame: int, mask: Bool[Tensor, "h w"]) -> FrameMask:
        """Says which pixels are the object; replaces what was said of the frame.

        Args:
            frame: its number.
            mask: of the size of the video.
        Returns:
            The object on this frame.
        Raises:
            ValueError: no video, no such frame, an empty mask, or one of another size.
            TypeError: a mask that is not bool.
        """
        video = self._opened(frame)
        check_mask(mask, tuple(video.shape[2:]))
        if not mask.any():
            raise ValueError("expected a mask with at least one pixel, got an empty one")
        self._forget(frame)
        return self._say(frame, Prompt(mask=mask[None].to(self.model.mean.device)))

    def propagate(self, start: int | None = None, *, reverse: bool = False) -> Iterator[FrameMask]:
        """Follows the object from a frame to the end of the video or, in reverse, to its beginning.

        Args:
            start: number of the first frame; None for the first one with a prompt.
            reverse: the direction.
        Returns:
            The object on each frame, as soon as it is found; frames with prompts keep their answer.
        Raises:
            ValueError: no video, no prompt on any frame, or no such frame.
        """
        video = self._opened(0 if start is None else start)
        if not self._prompts:
            raise ValueError("expected a click, a box or a mask before propagate, got none: add one to any frame")
        first = min(self._prompts) if start is None else start
        return self._follow(range(first, -1, -1) if reverse else range(first, len(video)), reverse)

    def _reset(self, num_frames: int) -> None:
        self._bank = self.model.new_bank(num_frames, num_memories=self.num_memories, pointers=self.pointers)
        self._embeddings: dict[int, Tensor] = {}
        self._prompts: dict[int, Prompt] = {}
        self._answers: dict[int, FramePrediction] = {}
        self._reverse: dict[int, bool] = {}  # in which direction a frame was tracked, if it was

    @torch.no_grad()
    def _follow(self, order: range, reverse: bool) -> Iterator[FrameMask]:
        for frame in order:
            if frame not in self._prompts:
                self._answers[frame] = self.model.track(self._embedding(frame), self._bank, frame, reverse=reverse)
                self._reverse[frame] = reverse
            yield self._result(frame)

    @torch.no_grad()
    def _say(self, frame: int, prompt: Prompt) -> FrameMask:
        self._answers[frame] = self.model.track(
            self._embedding(frame),
            self._bank,
            frame,
            prompt,
            previous=self._answers.get(frame),
            alone=frame not in self._reverse,
            reverse=self._reverse.get(frame, False),
        )
        self._prompts[frame] = prompt
        return self._result(frame)

    def _forget(self, frame: int) -> None:
        """What was said of a frame."""
        self._prompts.pop(frame, None)
        self._answers.pop(frame, None)

    def _points(self, places: list[tuple[float, float]], labels: list[int], earlier: Prompt | None) -> Prompt:
        """A prompt of points, added to those of an earlier one."""
        device = self.model.mean.device
        new = torch.tensor([places], dtype=torch.float32, device=device), torch.tensor([labels], device=device)
        if earlier is None or earlier.points is None or earlier.labels is None:
            return Prompt(*new)
        return Prompt(torch.cat([earlier.points, new[0]], 1), torch.cat([earlier.labels, new[1]], 1))

    @torch.no_grad()
    def _embedding(self, frame: int) -> Tensor:
        if frame not in self._embeddings:
            picture = self._opened(frame)[frame : frame + 1]
            self._embeddings[frame] = self.model.encode_image(picture.to(self.model.mean.device))
        return self._embeddings[frame]

    def _result(self, frame: int) -> FrameMask:
        answer = self._answers[frame]
        return FrameMask(frame, answer.mask[0], answer.iou[0].amax(), answer.object_score[0])

    def _opened(self, frame: int) -> Tensor:
        if self._frames is None:
            raise ValueError("expected a video, got none: call start(frames) first")
        check_frame(frame, len(self._frames))
        return self._frames

    def _check_place(self, frame: int, x: float, y: float) -> None:
        height, width = self._opened(frame).shape[2:]
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(f"expected a point with 0 <= x < {width} and 0 <= y < {height}, got ({x:g}, {y:g})")

    def _checked(self, frames: Tensor | Sequence[Tensor]) -> Tensor:
        if len(frames) == 0:
            raise ValueError("expected a video of at least one frame, got none")
        for index, frame in enumerate(frames):
            if not isinstance(frame, Tensor):
                raise TypeError(f"expected frames that are tensors, got frame {index} of type {type(frame).__name__}")
            if frame.shape != frames[0].shape:
                sizes = f"{tuple(frames[0].shape)} and frame {index} of {tuple(frame.shape)}"
                raise ValueError(f"expected frames of one size, got frame 0 of {sizes}")
        video = frames if isinstance(frames, Tensor) else torch.stack(list(frames))
        self.model.image_encoder.check(video)
        check_range(video)
        return video
