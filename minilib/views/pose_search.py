"""Pictures whose cameras nobody wrote down: where would a camera have to stand, for what a view model makes of the
other pictures to look like this one?"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from minilib.views.cameras import Camera, matrix_product, orbit, rotation_pose
from minilib.views.denoiser import ViewDenoiser
from minilib.views.inputs import Views, turned_to
from minilib.views.lifted import Volume


@dataclass(frozen=True, kw_only=True)
class PoseGrid:
    """Where cameras are looked for: on a sphere about the object, upright, looking at its centre.

    Args:
        azimuths: how many, all around.
        elevations: in radians above the horizon.
        distance: from the centre, in world units.
        finalists: places that are looked at closely, for each view and each assumption about the first camera; 0 for
            none.
        rounds: how often each view looks for its place anew once all have one.
    Raises:
        ValueError: nothing to look for, a distance that is not positive, or a negative number.
    """

    azimuths: int = 24
    elevations: tuple[float, ...] = tuple(math.radians(angle) for angle in (0, 17, 33, 50))
    distance: float = 2.9
    finalists: int = 8
    rounds: int = 2

    def __post_init__(self):
        if self.azimuths < 1 or not self.elevations or self.distance <= 0 or min(self.finalists, self.rounds) < 0:
            raise ValueError(
                f"expected azimuths >= 1, elevations, a distance > 0 and finalists and rounds >= 0, got {self}"
            )

    def firsts(self) -> Camera:
        """What the first view's camera may be: its azimuth is 0, for that is what azimuths are counted from."""
        return orbit(0.0, torch.tensor(self.elevations), self.distance)

    def others(self) -> Camera:
        """What another view's camera may be."""
        turns = torch.arange(self.azimuths) / self.azimuths * 2 * math.pi
        azimuth, elevation = torch.cartesian_prod(turns, torch.tensor(self.elevations)).T
        return orbit(azimuth, elevation, self.distance)


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

    The volume of the first view is looked at from everywhere on the grid, under each assumption of how high the first
    camera stood. Where it looks most like a picture, the model guesses the whole view, in one step from noise. The
    assumption that explains all others best is kept. Then the view that is explained best gets its place and goes into
    the volume, and so on; and in the end each looks anew, from what the others show. Of one picture alone nothing says
    how high its camera stood; it gets the grid's first elevation.

    Args:
        model: the view model.
        images: in [−1, 1], on white.
        intrinsics: of all cameras.
        grid: where to look, and how closely.
        last_time: the time of pure noise.
    Raises:
        ValueError: no picture, or pictures of another size than the model's, or with values outside [−1, 1].
    """
    grid, size = grid or PoseGrid(), model.config.lifted.image_size
    if images.ndim != 4 or not len(images) or images.shape[1:] != (3, size, size):
        raise ValueError(f"expected at least one image, (n, 3, {size}, {size}), got {tuple(images.shape)}")
    if not bool((images.abs() <= 1.01).all()):  # NaN is not, either
        raise ValueError(f"expected images in [-1, 1], got values in [{images.min():.3g}, {images.max():.3g}]")
    lens, device, count = intrinsics.to(torch.float32), images.device, len(images)
    firsts, others = (_with_lens(some, lens).to(device) for some in (grid.firsts(), grid.others()))
    heights = range(len(grid.elevations))
    ways = turned_to(others[None][[0 for _ in heights]], firsts)  # (heights, c): the same places for each
    own = turned_to(firsts[:, None], firsts)[0, 0]  # the first camera in its own axes: the same in all worlds
    look = _Look(model, images, grid.finalists, last_time)
    alone = look.volume({0: own})
    found = [look.best(alone, ways[height], range(1, count)) for height in heights]
    height = min(heights, key=lambda number: sum(error for _, error in found[number].values()))
    places, ways = {0: own}, ways[height]
    while len(places) < count:
        left = [number for number in range(count) if number not in places]
        if len(places) > 1:
            found[height] = look.best(look.volume(places), ways, left)
        chosen = min(left, key=lambda number: found[height][number][1])
        places[chosen] = found[height][chosen][0]
    for _ in range(grid.rounds if count > 2 else 0):
        for number in range(1, count):
            rest = {other: place for other, place in places.items() if other != number}
            places[number] = look.best(look.volume(rest), ways, [number])[number][0]
    return _upright([places[number] for number in range(count)], firsts[height])


class _Look:
    """Compares pictures with what the model makes of others, seen from many places."""

    def __init__(self, model: ViewDenoiser, images: Float[Tensor, "n 3 h w"], finalists: int, last_time: int):
        self.model, self.images, self.finalists, self.last_time = model, images, finalists, last_time
        noise = torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(0))
        self.noise = noise.to(images)

    def volume(self, places: Mapping[int, Camera]) -> Volume:
        """Of the pictures that have a place."""
        return self.model.lifted(Views(self.images[list(places)][None], _stacked(places.values())[None]))

    def best(self, volume: Volume, ways: Camera, numbers: Iterable[int]) -> dict[int, tuple[Camera, float]]:
        """For some pictures the place among `ways` (c,) from where they are explained best, and their error there."""
        rows = list(numbers)
        if not rows:
            return {}
        seen = self.model.lifted.glimpse(volume, ways[None])
        looks = (seen.values + (1 - seen.opacity)[:, :, None])[0].float()
        small = F.adaptive_avg_pool2d(self.images[rows], looks.shape[-1])
        errors = torch.cdist(looks.flatten(1), small.flatten(1)).square().T / small[0].numel()
        if not self.finalists:
            return {n: (ways[int(row.argmin())], float(row.min())) for n, row in zip(rows, errors, strict=True)}
        picks = errors.topk(min(self.finalists, errors.shape[1]), largest=False).indices
        asked, where = picks.flatten().unique(return_inverse=True)
        maps, _ = self.model.maps(volume, ways[asked][None])
        times = torch.full((len(asked),), self.last_time, device=maps.device)
        guesses = self.model.predict(self.noise.expand(len(asked), -1, -1, -1), times, maps[0]).float()
        truth = self.images[rows][:, None]
        close = (guesses[where.view_as(picks)] - truth).square().mean((2, 3, 4))
        chosen = close.argmin(1)
        return {
            number: (ways[int(picks[row, chosen[row]])], float(close[row, chosen[row]]))
            for row, number in enumerate(rows)
        }


def _upright(places: Sequence[Camera], first: Camera) -> Camera:
    """Cameras that are told in the first one's axes, in a world in which that one stands where it is said to."""
    turn, camera = rotation_pose(first.camera_to_world[:3, :3]), _stacked(places)
    return Camera(matrix_product(turn[None], camera.camera_to_world), camera.intrinsics)


def _stacked(cameras: Iterable[Camera]) -> Camera:
    many = list(cameras)
    return Camera(torch.stack([one.camera_to_world for one in many]), torch.stack([one.intrinsics for one in many]))


def _with_lens(camera: Camera, intrinsics: Float[Tensor, "3 3"]) -> Camera:
    camera = camera.to(torch.float32)
    return Camera(camera.camera_to_world, intrinsics.cpu().expand(*camera.batch_shape, 3, 3))
