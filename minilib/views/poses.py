"""Pictures whose cameras nobody wrote down: where did they stand?

First a search: where would a camera have to stand, for the volume of the views that have a place already to look like
the picture? Then, in the manner of SAP3D (Han et al. 2024), the poses are parameters, and are moved downhill on the
loss of the view model itself while its attention is fitted to the object's own pictures.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from minilib.diffusion.unet_blocks import SpatialAttention
from minilib.views.cameras import Camera, matrix_product, orbit
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


class TurnedCameras(nn.Module):
    """Cameras that can learn where they stand: each has a turn about the object's centre, an axis times an angle in
    radians, which starts at 0. The first camera stays: the others are told in its frame.

    SAP3D's three numbers are polar angle, azimuth and distance; here a camera may roll, and keeps its distance.

    Args:
        camera: where they stand at first, (n,).
    """

    pose: Tensor
    intrinsics: Tensor

    def __init__(self, camera: Camera):
        super().__init__()
        self.register_buffer("pose", camera.camera_to_world.detach().clone())
        self.register_buffer("intrinsics", camera.intrinsics.detach().clone())
        self.turns = nn.Parameter(torch.zeros(len(camera.camera_to_world), 3))

    def forward(self) -> Camera:
        """Where they stand now."""
        x, y, z = self.turns.to(self.pose).unbind(-1)
        zero = torch.zeros_like(x)
        rows = [torch.stack(row, dim=-1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
        turn = torch.linalg.matrix_exp(torch.stack(rows, dim=-2) * (torch.arange(len(x)) > 0).to(x)[:, None, None])
        whole = F.pad(turn, (0, 1, 0, 1))
        whole[:, 3, 3] = 1.0
        return Camera(matrix_product(whole, self.pose), self.intrinsics)


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
    ways = turned_to(Camera(*(x.expand(len(firsts.camera_to_world), *x.shape) for x in _parts(others))), firsts)
    own = turned_to(firsts[:, None], firsts)[0, 0]  # the first camera in its own axes: the same in all worlds
    look = _Look(model, images, grid.finalists, last_time)
    alone = look.volume({0: own})
    found = [look.best(alone, ways[height], range(1, count)) for height in range(len(firsts.camera_to_world))]
    height = min(range(len(found)), key=lambda number: sum(error for _, error in found[number].values()))
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
        camera = Camera(*(torch.stack(list(some)) for some in zip(*map(_parts, places.values()), strict=True)))
        return self.model.lifted(Views(self.images[list(places)][None], camera[None]))

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
    poses = torch.stack([place.camera_to_world for place in places])
    turn = F.pad(first.camera_to_world[:3, :3], (0, 1, 0, 1))
    turn[3, 3] = 1.0
    return Camera(matrix_product(turn[None], poses), torch.stack([place.intrinsics for place in places]))


def _with_lens(camera: Camera, intrinsics: Float[Tensor, "3 3"]) -> Camera:
    camera = camera.to(torch.float32)
    return Camera(camera.camera_to_world, intrinsics.cpu().expand(*camera.batch_shape, 3, 3))


def _parts(camera: Camera) -> tuple[Tensor, Tensor]:
    return camera.camera_to_world, camera.intrinsics


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """How a view model is fitted to one object.

    Args:
        steps: updates.
        learning_rate: of the attention's weights.
        pose_rate: of the cameras' turns, in radians; 0 leaves the cameras where they are.
        own_weight, prior_weight: of the loss on the object's own pictures, and on others, which keeps the model from
            forgetting (Han et al. 2024: 1.5 and 1).
    Raises:
        ValueError: a number out of range.
    """

    steps: int = 100
    learning_rate: float = 2e-4
    pose_rate: float = 5e-3
    own_weight: float = 1.5
    prior_weight: float = 1.0

    def __post_init__(self):
        rates = (self.learning_rate, self.pose_rate, self.own_weight, self.prior_weight)
        if self.steps < 1 or self.learning_rate == 0 or not all(0 <= rate < math.inf for rate in rates):
            raise ValueError(f"expected steps >= 1, learning_rate > 0 and no negative rate or weight, got {self}")


def adapt(
    model: ViewDenoiser,
    cameras: TurnedCameras,
    own: Callable[[ViewDenoiser, Camera], Tensor],
    prior: Callable[[ViewDenoiser], Tensor],
    config: Adaptation,
) -> ViewDenoiser:
    """Fits the attention of a copy of a view model to one object, and moves `cameras`, whose pictures they are, to
    where they fit best (Han et al. 2024, section 3.3).

    Args:
        model: stays as it is.
        cameras: move, if there is a `pose_rate`.
        own: loss of a model on pairs of the object's pictures with given cameras; draws them anew at each call.
        prior: loss of a model on other objects; not called if it has no weight.
        config: how.
    Raises:
        ArithmeticError: the loss became NaN or infinite; says at which step.
    """
    adapted = deepcopy(model).requires_grad_(False).train()
    layers = [module for module in adapted.modules() if isinstance(module, SpatialAttention)]
    weights = [weight.requires_grad_() for layer in layers for weight in layer.parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": weights, "lr": config.learning_rate},
            {"params": list(cameras.parameters()), "lr": config.pose_rate},
        ],
        weight_decay=0.0,
    )
    for step in range(config.steps):
        loss = config.own_weight * own(adapted, cameras())
        if config.prior_weight:
            loss = loss + config.prior_weight * prior(adapted)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ArithmeticError(f"the loss is {value} at step {step} of the adaptation: try lower rates")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return adapted.requires_grad_(False).eval()
