"""Does a view model get better for an object when it is fitted to the object's own pictures, and their cameras moved?

The arms are SAP3D's question (Han et al. 2024) in small: pictures of which nobody wrote down where they were taken.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import default_collate

from minilib.images import shown
from minilib.metrics import psnr
from minilib.recipes.views_toybox import ViewsToybox
from minilib.views.cameras import Camera
from minilib.views.denoiser import ViewDenoiser
from minilib.views.inputs import Views, turned_to
from minilib.views.pose_search import PoseGrid, search_poses
from minilib.views.poses import Adaptation, TurnedCameras, adapt
from minilib.views.relative import rotation_error

TASKS = 2
"""In a step, of the object's own pictures and of others."""

NEAR = 15.0
"""Degrees that a camera may be off and still count as found."""


def own_loss(
    recipe: ViewsToybox, images: Float[Tensor, "n 3 h w"], *, seed: int = 0, tasks: int = TASKS
) -> Callable[[ViewDenoiser, Camera], Tensor]:
    """The recipe's loss on an object's own pictures, some of them given and another one asked for, drawn anew at each
    call. Times are in 0.02 T..0.98 T, and nobody is blind (Han et al. 2024, section 3.3). Outlines are taken from the
    pictures, which stand on white.

    Raises:
        ValueError: fewer than two pictures: there is no pair.
    """
    n, generator = len(images), torch.Generator().manual_seed(seed)
    if n < 2:
        raise ValueError(f"expected at least two pictures of the object, got {n}")
    single = replace(recipe, num_targets=1, blind=0.0)
    low, high = int(0.02 * recipe.num_train_timesteps), int(0.98 * recipe.num_train_timesteps)
    pictures = {"rgb": images, "alpha": shown(images).float()}

    def own(model: ViewDenoiser, camera: Camera) -> Tensor:
        drawn = single.draw(tasks, generator)
        drawn["order"] = torch.rand(tasks, n, generator=generator).argsort(1)
        drawn["count"] = torch.randint(1, min(n, recipe.max_views + 1), (1,), generator=generator).expand(tasks)
        drawn["t"] = low + drawn["t"] * (high - low) // recipe.num_train_timesteps
        known = pictures | {"camera_to_world": camera.camera_to_world, "intrinsics": camera.intrinsics}
        batch = {name: some.expand(tasks, *some.shape) for name, some in known.items()}
        return single.losses(model, batch | _beside(images, drawn)).mean()

    return own


def prior_loss(
    recipe: ViewsToybox, data: Any, *, seed: int = 0, tasks: int = TASKS
) -> Callable[[ViewDenoiser], Tensor]:
    """The recipe's loss on objects of `data`, others at each call."""
    generator, single = torch.Generator().manual_seed(seed), replace(recipe, num_targets=1)

    def prior(model: ViewDenoiser) -> Tensor:
        rows = torch.randint(len(data), (tasks,), generator=generator).tolist()
        batch = default_collate([data[row] for row in rows]) | single.draw(tasks, generator)
        return single.losses(model, _beside(next(model.parameters()), batch)).mean()

    return prior


def _beside(place: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch on the device of a tensor."""
    return {name: value.to(place.device) for name, value in batch.items()}


def as_first_sees(camera: Camera, first: Camera) -> Camera:
    """Cameras (n,) in a world that is turned so that its axes are those of the camera `first`."""
    return turned_to(camera[None], first[None])[0]


def pose_errors(found: Camera, truth: Camera) -> Float[Tensor, " m"]:
    """Rotation errors in degrees of all cameras (n,) but the first, in whose axes both are told."""
    ours, theirs = (as_first_sees(camera, camera[0]) for camera in (found, truth))
    return torch.rad2deg(rotation_error(ours, theirs))[1:]


@dataclass(frozen=True)
class Object:
    """An object whose pictures are given, and a view that is asked for, all told in the first camera's axes.

    Attributes:
        images: the pictures.
        camera: where they were taken from.
        truth, target: the view asked for, and its camera.
    """

    images: Float[Tensor, "n 3 h w"]
    camera: Camera
    truth: Float[Tensor, "3 h w"]
    target: Camera

    @torch.no_grad()
    def quality(
        self, recipe: ViewsToybox, model: ViewDenoiser, camera: Camera, *, samples: int = 4, steps: int = 10
    ) -> float:
        """PSNR in dB of the mean of some quick samples, if the pictures are taken for those of given cameras."""
        views, asked = Views(self.images[None], camera[None]), self.target[None, None]
        made = recipe.make_views(model, views, asked, samples=samples, steps=steps)
        return float(psnr(made[0, 0].mean(0), self.truth))


def arms(
    recipe: ViewsToybox,
    model: ViewDenoiser,
    thing: Object,
    data: Any,
    config: Adaptation,
    *,
    grid: PoseGrid | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """PSNR of an object's view in each arm; how many degrees the poses are off before and after, in the mean, and which
    share of them by less than `NEAR`.

    All that is drawn, of the object's tasks and of others in `data`, is the same in all arms.

    `known`: true cameras, no adaptation; `none`: cameras found by the search on `grid` (None for the usual one), no
    adaptation; `true`: adaptation, true cameras; `frozen`: adaptation, cameras found, which stay; `refined`: the same,
    and they move. Of one picture there are no pairs: all arms are one.
    """
    last_time, intrinsics = recipe.num_train_timesteps - 1, thing.camera.intrinsics[0]
    start = search_poses(model, thing.images, intrinsics, grid, last_time=last_time)
    start = as_first_sees(start, start[0])
    found = {
        "known": thing.quality(recipe, model, thing.camera),
        "none": thing.quality(recipe, model, start),
    }
    if len(thing.images) == 1:
        return found
    for name, camera, rate in (
        ("true", thing.camera, 0.0),
        ("frozen", start, 0.0),
        ("refined", start, config.pose_rate),
    ):
        cameras = TurnedCameras(camera)
        own, prior = own_loss(recipe, thing.images, seed=seed), prior_loss(recipe, data, seed=seed)
        adapted = adapt(model, cameras, own, prior, replace(config, pose_rate=rate))
        with torch.no_grad():
            moved = cameras()
        found[name] = thing.quality(recipe, adapted, moved)
        if name == "refined":
            found |= _off("after", pose_errors(moved, thing.camera))
    return found | _off("before", pose_errors(start, thing.camera))


def _off(when: str, errors: Float[Tensor, " m"]) -> dict[str, float]:
    """The mean of errors, and how many are small: one camera on the wrong side of an object outweighs many good ones in
    a mean."""
    return {f"error_{when}": float(errors.mean()), f"near_{when}": float((errors < NEAR).float().mean())}
