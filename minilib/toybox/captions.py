"""Pictures in words: where a toy is seen from, and where toys stand, as the camera sees them."""

import math
from collections.abc import Sequence

import torch

from minilib.toybox.catalog import Toy
from minilib.views.cameras import Camera, project


def side_seen(camera: Camera) -> str:
    """From where a camera that looks at the origin sees a toy: "the front", "its left", "behind" or "its right".

    Left and right are the toy's own.
    """
    x, y, _ = camera.single().position.tolist()
    quarter = round(math.atan2(y, x) / (math.pi / 2)) % 4
    return ("the front", "its left", "behind", "its right")[quarter]


def toy_caption(toy: Toy, camera: Camera) -> str:
    """For example "a small red mug with a blue handle, seen from its left"."""
    return f"{toy.caption}, seen from {side_seen(camera)}"


def relation(camera: Camera, first: Sequence[float], second: Sequence[float]) -> str:
    """Where the first point lies for the camera: "left of", "right of", "in front of" or "behind" the second."""
    camera = camera.single()
    uv, depth = project(camera, torch.tensor([list(first), list(second)], dtype=torch.float64))
    across = float(uv[0, 0] - uv[1, 0]) * float(depth.mean()) / float(camera.intrinsics[0, 0])
    along = float(depth[0] - depth[1])
    if abs(across) > 0.7 * abs(along):
        return "left of" if across < 0 else "right of"
    return "in front of" if along < 0 else "behind"


def scene_caption(camera: Camera, toys: Sequence[Toy], positions: Sequence[Sequence[float]]) -> str:
    """For example "a red chair left of a blue mug, with a green car and a pink duck"."""
    names = [f"{'an' if toy.color[0] in 'aeiou' else 'a'} {toy.color} {toy.category}" for toy in toys]
    text = names[0]
    if len(toys) > 1:
        text += f" {relation(camera, positions[0], positions[1])} {names[1]}"
    if len(toys) > 2:
        text += ", with " + ", ".join(names[2:-1]) + (" and " if len(toys) > 3 else "") + names[-1]
    return text
