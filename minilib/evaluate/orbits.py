"""Toys from all around: do views that were drawn of one toy agree where, by the true toy's shape, they show the same?

Views of another, consistent toy are off as well: what is measured is agreement about the toy that is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from minilib.evaluate.common import metric
from minilib.metrics import psnr
from minilib.recipes.toy_views import ToyViewsRecipe
from minilib.toybox import seeds_of
from minilib.toybox.catalog import make_toy
from minilib.toybox.render import Item, Stage
from minilib.views.cameras import Camera, orbit, pixel_centers, unproject
from minilib.views.inputs import Views
from minilib.views.volume import lift

ORBIT = 16
"""Views around a toy."""

ELEVATION = 0.35
"""Of the cameras of an orbit, in radians."""

TOLERANCE = 0.06
"""How far from what a camera sees a point may lie, in world units, and still count as seen."""


@dataclass(frozen=True)
class Staged:
    """Toys seen from chosen cameras.

    Attributes:
        views: the pictures; all toys have the same cameras.
        depth: of each pixel, infinite where the toy does not cover all of it: colours are mixed with white there.
    """

    views: Views
    depth: Float[Tensor, "b m h w"]


def staged(things: Sequence[Sequence[Item]], camera: Camera, *, image_size: int = 64) -> Staged:
    """Toys, or other coloured meshes, from m cameras (m,)."""
    images, depth = [], []
    for items in things:
        stage = Stage(items)
        seen = [stage.render(camera[number], image_size=image_size) for number in range(len(camera.camera_to_world))]
        images.append(torch.stack([view.rgb for view in seen]))
        covered = [torch.where(view.alpha > 0.999, view.depth, torch.inf) for view in seen]
        depth.append(torch.stack(covered))
    many = (some.float().expand(len(things), *some.shape) for some in (camera.camera_to_world, camera.intrinsics))
    return Staged(Views(torch.stack(images), Camera(*many)), torch.stack(depth))


def around(num_toys: int, first: int = 0, *, image_size: int = 64) -> Staged:
    """Held-out toys from `ORBIT` cameras around them."""
    toys = [make_toy(seed).items() for seed in seeds_of("test")[first : first + num_toys]]
    return staged(toys, orbit(torch.arange(ORBIT) / ORBIT * 2 * torch.pi, ELEVATION, 2.9), image_size=image_size)


def front_and_back(num_toys: int, first: int = 0) -> Staged:
    """Held-out toys whose back is drawn for itself (it has something, or nothing), of which the front tells nothing;
    from the front and from behind."""
    toys: list[Sequence[Item]] = []
    for seed in seeds_of("test")[first:]:
        toy = make_toy(seed)
        if "back" in toy.attributes:
            toys.append(toy.items())
        if len(toys) == num_toys:
            break
    return staged(toys, orbit(torch.tensor([0.0, torch.pi]), ELEVATION, 2.9))


def seen_by_the_next(
    depth: Float[Tensor, "b m h w"], camera: Camera
) -> tuple[Float[Tensor, "b m p 3"], Bool[Tensor, "b m p"]]:
    """Where each pixel of each view lies in space, by its true depth, and whether the next view (after the last one
    comes the first) sees just this place, too, and nothing of the background beside it."""
    b, m, h, w = depth.shape
    finite = depth.isfinite()
    uv = pixel_centers(h, w).to(camera.position).expand(b, m, h, w, 2)
    points = unproject(camera, uv, torch.where(finite, depth, 1.0)).flatten(2, 3)
    behind = torch.where(finite, depth, 1e3)[:, :, None]
    surface, reached = _in_the_next(behind, camera, points)
    return points, finite.flatten(2) & ((reached - surface[:, :, 0]).abs() < TOLERANCE)


def reprojection_error(
    images: Float[Tensor, "b m 3 h w"],
    depth: Float[Tensor, "b m h w"],
    camera: Camera,
    count: Bool[Tensor, " m"] | None = None,
) -> Float[Tensor, " b"]:
    """How differently neighbouring views of a toy colour the places that both see: root of the mean square over all
    such pixels, in shares of the range of colours.

    The views are compared by true depth: views of a toy that is not there are caught as well. A picture without any
    colours would have no error, so say it beside a PSNR.

    Args:
        images, depth, camera: of m views in a ring.
        count: which views count; a pair does if both do. All by default.
    """
    points, both = seen_by_the_next(depth, camera)
    if count is not None:
        both = both & (count & count.roll(-1))[None, :, None]
    theirs, _ = _in_the_next(images, camera, points)
    off = ((images.flatten(3) - theirs) / 2).square().mean(2)
    return ((off * both).sum((1, 2)) / both.sum((1, 2)).clamp(min=1)).sqrt()


def _in_the_next(
    values: Float[Tensor, "b m c h w"], camera: Camera, points: Float[Tensor, "b m p 3"]
) -> tuple[Float[Tensor, "b m c p"], Float[Tensor, "b m p"]]:
    """What the view after each shows at given points, and the points' depths there."""
    b, m = points.shape[:2]
    fold = partial(rearrange, pattern="b m ... -> (b m) 1 ...")
    following = (fold(some.roll(-1, dims=1)) for some in (values, camera.camera_to_world, camera.intrinsics))
    pictures, *parts = following
    found, reached = lift(pictures, Camera(*parts), points.flatten(0, 1))
    return found[:, 0].unflatten(0, (b, m)), reached[:, 0].unflatten(0, (b, m))


@torch.no_grad()
def orbit_metrics(
    recipe: ToyViewsRecipe,
    model: nn.Module,
    toys: Staged,
    *,
    inputs: int = 1,
    jointly: bool = True,
    averaged: Sequence[int] = (1, 2, 4, 8),
    **options: Any,
) -> dict[str, Any]:
    """PSNR and reprojection error of orbits, made from `inputs` of their own views, evenly spread.

    A mean of several samples has a higher PSNR than one, and less in it that could disagree; so designs are to be
    compared where their PSNRs are equal. `psnr_of_K` and `reprojection_of_K` are of the mean of K samples, over
    the views that were drawn; `reprojection_floor` is of the true views, `reprojection_strangers` of true views of two
    toys by turns.

    Args:
        recipe, model: what draws them.
        toys: as from `around`.
        inputs: how many of the views are given.
        jointly: all views of a sample in one call; otherwise each in one of its own, with its own noise.
        averaged: numbers K of samples.
        **options: of the recipe's `make_views`, such as its temperature.
    """
    given = torch.arange(inputs) * ORBIT // inputs
    asked = torch.tensor([number for number in range(ORBIT) if number not in given.tolist()])
    views, total = toys.views, max(averaged)
    made = []
    for number in range(len(views.images)):
        some, targets = views[number : number + 1, given], views.camera[number : number + 1, asked]
        parts = [targets] if jointly else [targets[:, place : place + 1] for place in range(len(asked))]
        draws = [
            recipe.make_views(model, some, part, samples=total, seed=number * ORBIT + place, **options)
            for place, part in enumerate(parts)
        ]
        made.append(torch.cat(draws, dim=1)[0])
    count = torch.zeros(ORBIT, dtype=torch.bool)
    count[asked] = True

    def error(images: Tensor) -> dict[str, Any]:
        return metric(reprojection_error(images, toys.depth, views.camera, count))

    strangers = views.images.clone()
    strangers[:, ::2] = views.images.roll(1, 0)[:, ::2]
    metrics = {"reprojection_floor": error(views.images), "reprojection_strangers": error(strangers)}
    drawn = torch.stack(made)
    for samples in averaged:
        images = views.images.clone()
        images[:, asked] = drawn[:, :, :samples].mean(2)
        metrics[f"psnr_of_{samples}"] = metric(psnr(images[:, asked], views.images[:, asked]).mean(1))
        metrics[f"reprojection_of_{samples}"] = error(images)
    return metrics
