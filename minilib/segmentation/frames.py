"""What is said of a frame of a video, and what SAM 2 answers (Ravi et al. 2024, section 3)."""

from numbers import Integral
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

ABSENT = -1024.0
"""Logit of a mask whose object is out of sight."""


class Prompt(NamedTuple):
    """What is said of one frame of each of b videos: points with labels, or a mask.

    Attributes:
        points: pixels (x, y); a box is two of them, its corners, with the labels 2 and 3.
        labels: as for `PromptEncoder`.
        mask: of the object, at the size of the frame; it is believed as it is.
    """

    points: Float[Tensor, "b n 2"] | None = None
    labels: Int[Tensor, "b n"] | None = None
    mask: Bool[Tensor, "b h w"] | None = None


class FramePrediction(NamedTuple):
    """What SAM 2 says of one frame of each of b videos.

    Attributes:
        logits: m masks, at four times the resolution of the image embedding: three if at most one point was given, else
            one.
        iou: predicted, in (0, 1).
        object_score: the occlusion score, a logit: above 0 the object is in sight.
        best: index of the mask with the highest predicted IoU.
        mask: logits of that mask, at the size of the frame; `ABSENT` if the object is out of sight.
        pointer: what the object is.
    """

    logits: Float[Tensor, "b m s s"]
    iou: Float[Tensor, "b m"]
    object_score: Float[Tensor, " b"]
    best: Int[Tensor, " b"]
    mask: Float[Tensor, "b h w"]
    pointer: Float[Tensor, "b d"]

    @property
    def visible(self) -> Bool[Tensor, " b"]:
        """Whether the object is in sight."""
        return self.object_score > 0


def chosen(logits: Float[Tensor, "b m s s"], best: Int[Tensor, " b"], visible: Bool[Tensor, " b"]) -> Tensor:
    """The logits (b, s, s) of one mask of each; `ABSENT` where the object is out of sight."""
    rows = torch.arange(len(logits), device=logits.device)
    return torch.where(visible[:, None, None], logits[rows, best], ABSENT)


def check_mask(mask: Tensor, shape: tuple[int, ...]) -> None:
    """Raises TypeError for a mask that is not a bool tensor, ValueError for one of another shape."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        found = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise TypeError(f"expected a mask that is a bool tensor, got {found}")
    if tuple(mask.shape) != shape:
        raise ValueError(f"expected a mask of shape {shape}, got {tuple(mask.shape)}")


def check_frame(frame: int, num_frames: int) -> None:
    """Raises ValueError for the number of a frame that a video does not have, TypeError for no whole number."""
    if not isinstance(frame, Integral):
        raise TypeError(f"expected the number of a frame, got {frame!r}")
    if not 0 <= frame < num_frames:
        raise ValueError(f"expected a frame in 0..{num_frames - 1}, got {frame}")
