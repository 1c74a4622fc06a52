"""torch Datasets of the toybox: views of single toys, scenes and clips, by disjoint ranges of seeds."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from minilib.errors import unknown_name
from minilib.images import from_uint8, to_uint8
from minilib.toybox import VERSION, seeds_of
from minilib.toybox.cache import Row, cached_rows
from minilib.toybox.captions import toy_caption
from minilib.toybox.catalog import CATEGORIES, make_toy
from minilib.toybox.dice import Dice
from minilib.toybox.render import Stage, View
from minilib.toybox.scenes import make_clip, make_scene
from minilib.views.cameras import Camera, orbit

FIELDS: dict[str, Callable[[View], np.ndarray]] = {
    "rgb": lambda view: to_uint8(view.rgb).numpy(),
    "alpha": lambda view: (view.alpha * 255).round().to(torch.uint8).numpy(),
    "instance_ids": lambda view: view.instance_ids.numpy(),
    "part_ids": lambda view: view.part_ids.numpy(),
    "depth": lambda view: view.depth.numpy(),
    "normals": lambda view: view.normals.numpy().astype(np.float16),
    "camera_to_world": lambda view: view.camera.camera_to_world.numpy(),
    "intrinsics": lambda view: view.camera.intrinsics.numpy(),
    "caption": lambda view: np.array(view.caption.encode(), dtype="S224"),
}
"""How each field of a view is stored."""


class _Rendered(Dataset):
    """Rows of views, one for each seed; a row is what is cheapest to make at once: a toy's views, a clip's frames."""

    def __init__(
        self,
        name: str,
        split: str,
        count: int,
        first: int,
        fields: Sequence[str],
        settings: dict[str, Any],
        cache: bool,
    ):
        seeds = seeds_of(split)
        if count < 1 or first < 0 or first + count > len(seeds):
            raise ValueError(f"expected 1 to {len(seeds)} seeds of split {split!r}, got {count} from number {first} on")
        for field in fields:
            if field not in FIELDS:
                raise unknown_name("field", field, FIELDS)
        self.seeds = seeds[first : first + count]
        self.fields = tuple(dict.fromkeys(fields))
        self.cache = cache
        self._key = {"name": name, "version": VERSION, "seeds": [self.seeds.start, self.seeds.stop], **settings}
        self._key["fields"] = list(self.fields)
        self._row(0)  # a setting that cannot be rendered is refused now
        if cache:
            _ = self._rows

    def __len__(self) -> int:
        return len(self.seeds)

    def __getstate__(self) -> dict[str, Any]:
        # A worker process opens the files anew; sending it the pictures would take long.
        return {name: value for name, value in self.__dict__.items() if name != "_rows"}

    @cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        return cached_rows(self._key, len(self.seeds), self._row)

    def _render(self, seed: int, only: int | None) -> tuple[list[View], dict[str, np.ndarray]]:
        """The views of a row, or the one with number `only`, and whatever else is known about it."""
        raise NotImplementedError

    def _row(self, index: int, only: int | None = None) -> Row:
        views, extra = self._render(self.seeds[index], only)
        return {name: np.stack([FIELDS[name](view) for view in views]) for name in self.fields} | extra

    def _get(self, index: int, view: int | None) -> dict[str, Any]:
        """Row `index`: one view of it, or all with a leading axis."""
        if not 0 <= index < len(self.seeds):
            raise IndexError(f"expected an index in 0..{len(self) - 1}, got {index}")
        stored = {name: array[index] for name, array in self._rows.items()} if self.cache else None
        row = stored or self._row(index, view)
        item: dict[str, Any] = {"seed": self.seeds[index]}
        for name, array in row.items():
            several = name in self.fields and view is None
            value = array if several or name not in self.fields else array[view if self.cache else 0]
            if name == "caption":
                item[name] = [c.decode() for c in value] if several else bytes(value).decode()
                continue
            tensor = torch.from_numpy(np.array(value))
            if name == "rgb":
                tensor = from_uint8(tensor)
            elif name == "alpha":
                tensor = tensor.float() / 255
            elif name == "normals":
                tensor = tensor.float()
            item[name] = tensor
        return item


class ToyViews(_Rendered):
    """Views of single toys on white; item i is view i % views_per_toy of toy i // views_per_toy.

    Items are dicts: seed (int), category (int64, the index in CATEGORIES) and the chosen `fields` as tensors, in the
    ranges and shapes of `View` (captions as strings).

    Args:
        split: "train", "validation" or "test": disjoint ranges of toys.
        num_toys: how many toys.
        views_per_toy: how many cameras for each, uniform in `azimuth` and `elevation`.
        image_size: width and height in pixels.
        supersample: rays a pixel, each way.
        elevation: lowest and highest camera in radians above the horizon.
        azimuth: of the camera, in radians from the toy's front, counted towards its left.
        distance: of the camera from the toy's centre, in world units.
        fields: what to keep; names of FIELDS.
        first: number of the split's first toy to use.
        cache: keep the pictures in memory-mapped files; otherwise every item is rendered when asked for.
    Raises:
        ValueError: an unknown split or field (the nearest is suggested), more toys than the split has, no views.
        OSError: the cache cannot be written.
    """

    def __init__(
        self,
        split: str,
        *,
        num_toys: int,
        views_per_toy: int = 8,
        image_size: int = 64,
        supersample: int = 2,
        elevation: tuple[float, float] = (math.radians(-5), math.radians(55)),
        azimuth: tuple[float, float] = (-math.pi, math.pi),
        distance: float = 2.9,
        fields: Sequence[str] = ("rgb", "alpha", "camera_to_world", "intrinsics", "caption"),
        first: int = 0,
        cache: bool = True,
    ):
        if views_per_toy < 1:
            raise ValueError(f"expected views_per_toy >= 1, got {views_per_toy}")
        self.views_per_toy, self.image_size, self.supersample = views_per_toy, image_size, supersample
        self.elevation, self.azimuth, self.distance = elevation, azimuth, distance
        settings = {
            "views": views_per_toy,
            "size": image_size,
            "supersample": supersample,
            "elevation": list(elevation),
            "azimuth": list(azimuth),
            "distance": distance,
        }
        super().__init__("toy-views", split, num_toys, first, fields, settings, cache)

    def __len__(self) -> int:
        return len(self.seeds) * self.views_per_toy

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"expected an index in 0..{len(self) - 1}, got {index}")
        return self._get(index // self.views_per_toy, index % self.views_per_toy)

    def toy(self, number: int) -> dict[str, Any]:
        """All views of a toy: an item with a leading axis in each of the `fields`.

        Raises:
            IndexError: no such toy.
        """
        return self._get(number, None)

    def camera(self, seed: int, number: int) -> Camera:
        """The camera of a toy's view."""
        dice = Dice("view", VERSION, seed, number)
        return orbit(dice.between(*self.azimuth), dice.between(*self.elevation), self.distance)

    def _render(self, seed: int, only: int | None) -> tuple[list[View], dict[str, np.ndarray]]:
        toy = make_toy(seed)
        stage = Stage(toy.items())
        views = []
        for number in range(self.views_per_toy) if only is None else [only]:
            camera = self.camera(seed, number)
            caption = toy_caption(toy, camera)
            views.append(
                stage.render(camera, image_size=self.image_size, supersample=self.supersample, caption=caption)
            )
        return views, {"category": np.array(list(CATEGORIES).index(toy.category))}


class Scenes(_Rendered):
    """Tabletop scenes, one view each; arguments, items (without category) and errors as `ToyViews`."""

    def __init__(
        self,
        split: str,
        *,
        num_scenes: int,
        image_size: int = 128,
        supersample: int = 2,
        fields: Sequence[str] = ("rgb", "instance_ids", "part_ids", "caption"),
        first: int = 0,
        cache: bool = True,
    ):
        self.image_size, self.supersample = image_size, supersample
        settings = {"size": image_size, "supersample": supersample}
        super().__init__("scenes", split, num_scenes, first, fields, settings, cache)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._get(index, 0)

    def _render(self, seed: int, only: int | None) -> tuple[list[View], dict[str, np.ndarray]]:
        return [make_scene(seed).render(image_size=self.image_size, supersample=self.supersample)], {}


class Clips(_Rendered):
    """Orbit clips with an occluder and an identical distractor; every field has a leading axis of frames.

    Items also hold `target` and `distractor`, instance ids (int64). Other arguments and errors as `ToyViews`.
    """

    def __init__(
        self,
        split: str,
        *,
        num_clips: int,
        num_frames: int = 8,
        image_size: int = 128,
        supersample: int = 2,
        fields: Sequence[str] = ("rgb", "instance_ids", "camera_to_world", "intrinsics"),
        first: int = 0,
        cache: bool = True,
    ):
        self.num_frames, self.image_size, self.supersample = num_frames, image_size, supersample
        settings = {"frames": num_frames, "size": image_size, "supersample": supersample}
        super().__init__("clips", split, num_clips, first, fields, settings, cache)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._get(index, None)

    def _render(self, seed: int, only: int | None) -> tuple[list[View], dict[str, np.ndarray]]:
        clip = make_clip(seed, num_frames=self.num_frames)
        views = clip.render(image_size=self.image_size, supersample=self.supersample)
        return views, {"target": np.array(clip.target), "distractor": np.array(clip.distractor)}
