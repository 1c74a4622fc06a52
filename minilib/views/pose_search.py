"""Pictures whose cameras nobody wrote down: where would a camera have to stand, for what a view model makes of the
other pictures to look like this one?"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from minilib.views.cameras import Camera, orbit
from minilib.views.denoiser import ViewDenoiser
from minilib.views.inputs import Views, turned_to
from minilib.views.relative import check_cameras

STEEPEST = 1.5
"""Elevation that is looked at, in radians either way: straight up, "upright" has no meaning."""


@dataclass(frozen=True, kw_only=True)
class PoseGrid:
    """Where cameras are looked for: on a sphere about the object, upright, looking at its centre.

    Args:
        azimuths: how many, all around.
        elevations: in radians above the horizon.
        distance: from the centre, in world units.
        finalists: places that are looked at closely, for each view; of a small step's, where it already is, too.
        starts: for each elevation of the first camera, how many places of the view that is placed first are followed
            up; they are 45° apart, and among the finalists, of which there should then be more.
        survivors: of all that was followed up, what is looked at in the end.
        steps: in radians; by these, one after the other, each camera moves in the end.
    Raises:
        ValueError: nothing to look for, a distance that is not positive, or a number below 1.
    """

    azimuths: int = 24
    elevations: tuple[float, ...] = tuple(math.radians(angle) for angle in (0, 17, 33, 50))
    distance: float = 2.9
    finalists: int = 3
    starts: int = 1
    survivors: int = 1
    steps: tuple[float, ...] = tuple(math.radians(angle) for angle in (7.5, 4))

    def __post_init__(self):
        least = min(self.azimuths, len(self.elevations), self.finalists, self.starts, self.survivors)
        if least < 1 or self.distance <= 0 or not all(step > 0 for step in self.steps):
            raise ValueError(
                "expected azimuths, elevations, finalists, starts and survivors >= 1, a distance > 0 and steps > 0,"
                f" got {self}"
            )

    def places(self) -> Float[Tensor, "c 2"]:
        """Azimuths and elevations of the grid."""
        turns = torch.arange(self.azimuths) / self.azimuths * math.tau
        return torch.cartesian_prod(turns, torch.tensor(self.elevations))


@dataclass(frozen=True)
class _Try:
    """Azimuth and elevation of some pictures, by their numbers; and how badly each is explained there."""

    places: dict[int, Float[Tensor, " 2"]]
    errors: dict[int, float]

    def with_place(self, number: int, place: Float[Tensor, " 2"], error: float) -> "_Try":
        return _Try(self.places | {number: place}, self.errors | {number: error})

    @property
    def total(self) -> float:
        return sum(self.errors.values())


@torch.no_grad()
def search_poses(
    model: ViewDenoiser,
    images: Float[Tensor, "n 3 h w"],
    intrinsics: Float[Tensor, "3 3"],
    grid: PoseGrid | None = None,
    *,
    last_time: int = 999,
) -> Camera:
    """Cameras (n,) under which a view model explains pictures best, in a world that is upright and has the first camera
    at azimuth 0.

    The volume of the first view is looked at from everywhere on the grid. Where it looks most like a picture, the model
    guesses the whole view, in one step from noise. The view that is explained best gets its place and goes into the
    volume, and so on. This is done for each elevation that the first camera may have had and, if `starts` is above 1,
    for further places of the first view to be placed: an object may look alike from both sides. Under what explains the
    views best, each camera then looks anew, from what the others show, and moves by smaller and smaller steps. Of one
    picture alone nothing says how high its camera stood; it gets the grid's first elevation.

    Args:
        model: the view model.
        images: in [−1, 1], on white; more than the model's `max_views` + 1 of them warn.
        intrinsics: of all cameras.
        grid: where to look, and how closely.
        last_time: the time of pure noise.
    Raises:
        ValueError: no picture, or pictures of another size than the model's, or with values outside [−1, 1];
            intrinsics that are missing, of many cameras, or none (see `check_cameras`).
    """
    grid, size = grid or PoseGrid(), model.config.lifted.image_size
    if images.ndim != 4 or not len(images) or images.shape[1:] != (3, size, size):
        raise ValueError(f"expected at least one image, (n, 3, {size}, {size}), got {tuple(images.shape)}")
    if len(images) - 1 > model.max_views:  # each camera is looked for from what all others show
        warnings.warn(
            f"{len(images)} images: this model was trained with {model.max_views} input views at most", stacklevel=3
        )
    if not bool((images.abs() <= 1.01).all()):  # NaN is not, either
        raise ValueError(f"expected images in [-1, 1], got values in [{images.min():.3g}, {images.max():.3g}]")
    check_cameras(Camera(torch.eye(4, device=images.device), intrinsics))
    search = _Search(model, images, intrinsics, grid, last_time)
    if len(images) == 1:
        return search.cameras(torch.tensor([[0.0, grid.elevations[0]]]))
    tries = [one for elevation in grid.elevations for one in search.begin(elevation)]
    best = sorted(tries, key=lambda one: one.total)[: grid.survivors]
    found = min((search.settle(one) for one in best), key=lambda one: one.total)
    return search.cameras(torch.stack([found.places[number] for number in range(len(images))]))


class _Search:
    """Compares pictures with what the model makes of others, seen from many places."""

    def __init__(
        self,
        model: ViewDenoiser,
        images: Float[Tensor, "n 3 h w"],
        intrinsics: Float[Tensor, "3 3"],
        grid: PoseGrid,
        last_time: int,
    ):
        self.model, self.images, self.grid, self.last_time = model, images, grid, last_time
        self.intrinsics = intrinsics.to(images)
        noise = torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(0))
        self.noise = noise.to(images)

    def cameras(self, places: Float[Tensor, "c 2"]) -> Camera:
        """Upright cameras at azimuths and elevations."""
        pose = orbit(places[:, 0], places[:, 1], self.grid.distance).camera_to_world
        return Camera(pose.to(self.images), self.intrinsics.expand(len(places), 3, 3))

    def begin(self, elevation: float) -> list[_Try]:
        """All pictures with a place each, if the first camera stood at an elevation."""
        start, others = {0: torch.tensor([0.0, elevation])}, range(1, len(self.images))
        found = self.best(start, self.grid.places(), others)
        surest = min(others, key=lambda number: found[number][0][1])
        seconds: list[tuple[Tensor, float]] = []
        for place, error in found[surest]:
            if all(abs(math.remainder(float(place[0] - one[0]), math.tau)) > math.pi / 4 for one, _ in seconds):
                seconds.append((place, error))
        return [self.complete(_Try(start, {}).with_place(surest, *one)) for one in seconds[: self.grid.starts]]

    def complete(self, some: _Try) -> _Try:
        """Places for all pictures that have none, the surest first."""
        while left := [number for number in range(len(self.images)) if number not in some.places]:
            found = self.best(some.places, self.grid.places(), left)
            surest = min(left, key=lambda number: found[number][0][1])
            some = some.with_place(surest, *found[surest][0])
        return some

    def settle(self, some: _Try) -> _Try:
        """Each picture looks anew from what the others show: first everywhere, then by small steps about its place."""
        for step in (None, *self.grid.steps):
            for number, place in list(some.places.items()):
                around = self.grid.places()
                if step is not None:
                    about = torch.tensor([0.0, -step, step])  # where it is comes first
                    around = place + torch.cartesian_prod(about, about)
                    around[:, 1].clamp_(-STEEPEST, STEEPEST)
                if number == 0:  # azimuths are counted from its own
                    around = around[around[:, 0] == 0]
                rest = {other: where for other, where in some.places.items() if other != number}
                found = self.best(rest, around, [number], keep_first=step is not None)
                some = some.with_place(number, *found[number][0])
        return some

    def best(
        self,
        known: dict[int, Tensor],
        candidates: Float[Tensor, "c 2"],
        rows: Sequence[int],
        *,
        keep_first: bool = False,
    ) -> dict[int, list[tuple[Tensor, float]]]:
        """For each of some pictures, the best candidates with their errors, the best first: from there the picture is
        explained by those whose places are known. With `keep_first` the first candidate is always a finalist."""
        camera = self.cameras(torch.stack(list(known.values())))
        told = Views(self.images[list(known)][None], turned_to(camera[None], camera[:1]))
        volume, ways = self.model.lifted(told), turned_to(self.cameras(candidates)[None], camera[:1])
        truth = self.images[list(rows)]
        picks = torch.arange(len(candidates), device=truth.device).expand(len(truth), -1)
        if len(candidates) > self.grid.finalists:
            seen = self.model.lifted.glimpse(volume, ways)
            looks = (seen.values + (1 - seen.opacity)[:, :, None])[0].float()
            small = F.adaptive_avg_pool2d(truth, looks.shape[-1])
            errors = torch.cdist(small.flatten(1), looks.flatten(1))
            if keep_first:
                errors[:, 0] = -1
            picks = errors.topk(self.grid.finalists, largest=False).indices
        asked, where = picks.unique(return_inverse=True)
        maps, _ = self.model.maps(volume, ways[:, asked])
        times = torch.full((len(asked),), self.last_time, device=maps.device)
        guesses = self.model.predict(self.noise.expand(len(asked), -1, -1, -1), times, maps[0]).float()
        close = (guesses[where] - truth[:, None]).square().mean((2, 3, 4))
        found = {}
        for row, number in enumerate(rows):
            order = close[row].argsort().tolist()
            found[number] = [(candidates[int(picks[row, k])], float(close[row, k])) for k in order]
        return found
