"""Does a memory follow a toy through a clip, behind a board and past its twin, and what does it do without one?"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from minilib.evaluate.common import metric, say
from minilib.recipes.sam2_toybox import Sam2Toybox, clips128
from minilib.recipes.sam_toybox import SMALLEST
from minilib.segmentation.frames import FramePrediction, Prompt
from minilib.segmentation.metrics import contour_f, j_and_f, mask_iou
from minilib.segmentation.prompts import centre_click, mask_boxes
from minilib.segmentation.sam2 import Sam2

HIDDEN = 0.35
"""Of the most pixels that the toy shows on any frame: where it shows fewer, it counts as hidden."""

AWAY = (3, 4)
"""Frames on which a film may cut away to another one."""

ARMS = {
    f"{number}_{'pointers' if pointers else 'alone'}": {"num_memories": number, "pointers": pointers}
    for number in (0, 1, 4, 7)
    for pointers in (True, False)
}
"""Memories and pointers: all that is compared."""


@dataclass(frozen=True)
class Films:
    """Held-out clips as the image encoder sees them, and the toy to follow, its twin and the board.

    Attributes:
        frames: in [−1, 1].
        embeddings: of the frames.
        target, twin: their pixels, on each frame.
    """

    frames: Float[Tensor, "b t 3 h w"]
    embeddings: Float[Tensor, "b t d g g"]
    target: Bool[Tensor, "b t h w"]
    twin: Bool[Tensor, "b t h w"]

    def hidden(self) -> Bool[Tensor, "b t"]:
        """Frames on which most of the toy is behind something."""
        pixels = self.target.flatten(2).sum(2)
        return pixels < HIDDEN * pixels.amax(1, keepdim=True)

    def after(self) -> Bool[Tensor, "b t"]:
        """Frames after the toy was hidden, on which it is not."""
        hidden = self.hidden()
        hidden[:, 0] = False  # there it was pointed at
        return (hidden.cumsum(1) > 0) & ~self.hidden()

    def cut(self) -> "Films":
        """The same, but the frames `AWAY` show the film before: nothing of the toy, or of its twin, is in sight.

        Raises:
            ValueError: there is only one film.
        """
        if len(self.frames) < 2:
            raise ValueError("expected at least two films, to cut from one to another, got one")
        frames, embeddings, target, twin = (
            value.clone() for value in (self.frames, self.embeddings, self.target, self.twin)
        )
        for own in (frames, embeddings):
            own[:, AWAY] = own[:, AWAY].roll(1, 0)
        target[:, AWAY], twin[:, AWAY] = False, False
        return Films(frames, embeddings, target, twin)


@torch.no_grad()
def films(model: Sam2, num_clips: int, first: int = 0) -> Films:
    """Clips of the test split whose toy shows enough of itself on the first frame."""
    data = clips128("test", num_clips=num_clips, first=first)
    items = [data[number] for number in range(num_clips)]
    items = [item for item in items if (item["instance_ids"][0] == item["target"]).sum() >= SMALLEST]
    frames = torch.stack([item["rgb"] for item in items])
    ids = torch.stack([item["instance_ids"].long() for item in items])
    target, twin = (torch.stack([item[name] for item in items]) for name in ("target", "distractor"))
    embeddings = torch.stack([model.encode_image(some) for some in frames])
    return Films(frames, embeddings, *(ids == one[:, None, None, None] for one in (target, twin)))


def first_prompts(target: Bool[Tensor, "b h w"]) -> dict[str, Prompt]:
    """What can be said of the first frame: its mask, a box, or the click at its deepest point."""
    points, labels = centre_click(torch.zeros_like(target), target)
    corners = mask_boxes(target).float().unflatten(1, (2, 2))
    both = torch.tensor([2, 3], device=target.device).expand(len(target), -1)
    return {"mask": Prompt(mask=target), "box": Prompt(corners, both), "click": Prompt(points, labels)}


@torch.no_grad()
def follow(
    model: Sam2, some: Films, prompt: Prompt, *, num_memories: int | None = None, pointers: bool = True
) -> tuple[Bool[Tensor, "b t h w"], Bool[Tensor, "b t"]]:
    """Masks, and whether the model says that the toy is in sight, on all frames after a prompt on the first one."""
    answers: list[FramePrediction] = model.follow(
        some.embeddings, {0: prompt}, num_memories=num_memories, pointers=pointers
    )
    masks = torch.stack([answer.mask > 0 for answer in answers], dim=1)
    return masks, torch.stack([answer.visible for answer in answers], dim=1)


def over_frames(values: Float[Tensor, "b t"], frames: Bool[Tensor, "b t"]) -> Float[Tensor, " c"]:
    """The mean of each clip that has such frames, over them."""
    has = frames.any(1)
    return (values * frames).sum(1)[has] / frames.sum(1)[has]


@torch.no_grad()
def evaluate_sam2(recipe: Sam2Toybox, model: Sam2, *, num_clips: int = 200) -> dict[str, Any]:
    """Masks of the toy that a board will hide, on held-out clips with its twin; the first frame, whose prompt comes
    from the truth, does not count. Every interval is over clips.

    `j_and_f`: the mean of `j` and `f` over frames, after the first frame's mask, as video benchmarks have it;
    `j_and_f_box`, `j_and_f_click`: after a box, after one click. `j_and_f_before`, `j_and_f_during`, `j_and_f_after`:
    frames before, while and after the toy is hidden. `memories_N_pointers`, `memories_N_alone`: J&F over all frames
    with at most N memories, with and without pointers; `before_N_…` and `after_N_…`: before and after it was hidden.
    `twin_N_pointers`, `twin_N_alone`: share of clips on whose last frame the mask covers more of the twin than of the
    toy, and `kept_N_…`, more of the toy (the rest covers neither). In films that cut away, `gone_said`, `seen_said`:
    share of frames on which the occlusion score is right, where the toy has no pixel and where it has; `j_and_f_back`:
    J&F after it has come back. `gain_of_the_first`: what one memory brings, over all frames, and
    `gain_of_the_first_after` after the toy was hidden; `gain_of_the_others`: what six more bring there;
    `gain_of_pointers`, `gain_of_pointers_to_one`: what pointers add there to seven memories, and to one.
    """
    some = films(model, num_clips)
    prompts, hidden = first_prompts(some.target[:, 0]), some.hidden()
    later = torch.ones_like(hidden)
    later[:, 0] = False
    after = some.after()
    before = later & ~hidden & ~after
    metrics = {}
    for name, prompt in prompts.items():
        masks, _ = follow(model, some, prompt)
        j, f = mask_iou(masks, some.target), contour_f(masks, some.target)
        if name != "mask":
            metrics[f"j_and_f_{name}"] = metric(over_frames((j + f) / 2, later))
            continue
        parts = {"j_and_f": ((j + f) / 2, later), "j": (j, later), "f": (f, later)}
        parts |= {
            f"j_and_f_{when}": ((j + f) / 2, which & later)
            for when, which in (("before", before), ("during", hidden), ("after", after))
        }
        metrics |= {key: metric(over_frames(*values)) for key, values in parts.items()}
    other = some.cut()
    masks, visible = follow(model, other, prompts["mask"])
    back = torch.zeros_like(later)
    back[:, max(AWAY) + 1 :] = True
    both, there = j_and_f(masks, other.target), other.target.flatten(2).any(2)
    metrics["gone_said"] = metric(over_frames((~visible).float(), later & ~there))
    metrics["seen_said"] = metric(over_frames(visible.float(), later & there))
    metrics["j_and_f_back"] = metric(over_frames(both, back))
    everywhere, afterwards = {}, {}
    for arm, options in ARMS.items():
        masks, _ = follow(model, some, prompts["mask"], **options)
        both = j_and_f(masks, some.target)
        everywhere[arm], afterwards[arm] = over_frames(both, later), over_frames(both, after)
        metrics[f"memories_{arm}"], metrics[f"after_{arm}"] = metric(everywhere[arm]), metric(afterwards[arm])
        metrics[f"before_{arm}"] = metric(over_frames(both, before))
        on_toy, on_twin = ((masks & which)[:, -1].flatten(1).sum(1) for which in (some.target, some.twin))
        metrics[f"twin_{arm}"] = metric((on_twin > on_toy).float())
        metrics[f"kept_{arm}"] = metric((on_toy > on_twin).float())
    for name, values, one, other in (
        ("gain_of_the_first", everywhere, "1_alone", "0_alone"),
        ("gain_of_the_first_after", afterwards, "1_alone", "0_alone"),
        ("gain_of_the_others", afterwards, "7_alone", "1_alone"),
        ("gain_of_pointers", afterwards, "7_pointers", "7_alone"),
        ("gain_of_pointers_to_one", afterwards, "1_pointers", "1_alone"),
    ):
        metrics[name] = metric(values[one] - values[other])
    say(metrics)
    return metrics
