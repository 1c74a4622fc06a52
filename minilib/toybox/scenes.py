"""Toys on a table: still scenes, and clips in which the camera orbits and something passes in front of a toy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minilib.toybox import VERSION, seeds_of, split_of
from minilib.toybox.captions import scene_caption
from minilib.toybox.catalog import Toy, make_toy
from minilib.toybox.catalog.parts import COLORS, Part
from minilib.toybox.dice import Dice
from minilib.toybox.light import Ground
from minilib.toybox.render import Stage, View
from minilib.toybox.shapes import box, fitted
from minilib.views.cameras import Camera, orbit

TABLE_COLORS = [
    (0.80, 0.68, 0.54),
    (0.91, 0.87, 0.80),
    (0.74, 0.82, 0.86),
    (0.80, 0.86, 0.76),
    (0.90, 0.80, 0.80),
    (0.72, 0.72, 0.78),
    (0.62, 0.48, 0.38),
    (0.93, 0.90, 0.72),
]
WALL_COLORS = [
    (0.93, 0.93, 0.95),
    (0.86, 0.90, 0.94),
    (0.95, 0.91, 0.85),
    (0.88, 0.93, 0.88),
    (0.92, 0.88, 0.93),
    (0.62, 0.68, 0.76),
]


@dataclass(frozen=True)
class Placed:
    """A toy and where it stands.

    Attributes:
        toy: what stands there.
        x, y: its centre on the table.
        turn: degrees about z.
    """

    toy: Toy
    x: float
    y: float
    turn: float

    @property
    def position(self) -> tuple[float, float, float]:
        """The toy's centre, when it stands on the table z = 0."""
        return self.x, self.y, -self.toy.bottom


@dataclass(frozen=True)
class Scene:
    """Toys on a table; instance ids are positions in `placed`, from 1.

    Attributes:
        placed: the toys.
        ground: the table and the wall behind it.
        camera: where the scene is looked at from, unless another camera is given.
    """

    placed: tuple[Placed, ...]
    ground: Ground
    camera: Camera

    @cached_property
    def _stage(self) -> Stage:
        items = [
            item
            for number, place in enumerate(self.placed, start=1)
            for item in place.toy.items(instance_id=number, turn=place.turn, position=place.position)
        ]
        return Stage(items, ground=self.ground)

    def render(self, camera: Camera | None = None, *, image_size: int = 128, supersample: int = 2) -> View:
        """The scene from its own camera or another one; errors as `Stage.render`."""
        camera = self.camera if camera is None else camera
        return self._stage.render(
            camera, image_size=image_size, supersample=supersample, caption=self.caption_from(camera)
        )

    def caption_from(self, camera: Camera) -> str:
        """The scene in words, as that camera sees it."""
        return scene_caption(camera, [p.toy for p in self.placed], [p.position for p in self.placed])

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_stage"}  # Embree cannot be copied

    def visible_fraction(self, view: View) -> list[float]:
        """For each toy, the share of its pixels that nothing hides; 0 for a toy outside the picture."""
        shares = []
        for number, place in enumerate(self.placed, start=1):
            alone = Stage(place.toy.items(turn=place.turn, position=place.position))
            whole = alone.render(view.camera, image_size=view.alpha.shape[-1], supersample=1).instance_ids > 0
            seen = view.instance_ids == number
            shares.append(float(seen.sum()) / max(float(whole.sum()), 1.0))
        return shares


def make_scene(seed: int, *, num_toys: int | None = None) -> Scene:
    """2 to 5 toys on a table, close enough to hide parts of each other.

    Args:
        seed: of one of the splits; the toys come from the same split.
        num_toys: 2..5, instead of the seed's own choice.
    Raises:
        ValueError: a seed outside every split, a number of toys outside 2..5.
    """
    dice = Dice("scene", VERSION, seed)
    seeds = seeds_of(split_of(seed))
    count = 2 + int(dice.between(0, 4))
    if num_toys is not None:
        if not 2 <= num_toys <= 5:
            raise ValueError(f"expected 2 to 5 toys, got {num_toys}")
        count = num_toys
    toys = [make_toy(int(dice.between(seeds.start, seeds.stop))) for _ in range(count)]
    placed = _arranged(toys, dice)
    azimuth, elevation = dice.between(-math.pi, math.pi), math.radians(dice.between(16, 48))
    return Scene(placed, _table(dice), orbit(azimuth, elevation, _distance(placed), target_height=0.45))


@dataclass(frozen=True)
class Clip:
    """A short film: the camera orbits, an occluder crosses the line of sight to the target, a twin stands elsewhere.

    Attributes:
        scenes: one for each frame; only the camera and the occluder move.
        target: instance id of the toy to follow.
        distractor: instance id of its identical twin, 0 without one.
        occluder: instance id of what passes in front, 0 without one.
    """

    scenes: tuple[Scene, ...]
    target: int
    distractor: int
    occluder: int

    def render(self, *, image_size: int = 128, supersample: int = 2) -> list[View]:
        """All frames; errors as `Stage.render`."""
        return [scene.render(image_size=image_size, supersample=supersample) for scene in self.scenes]


def make_clip(seed: int, *, num_frames: int = 8, distractor: bool = True, occluder: bool = True) -> Clip:
    """An orbit clip.

    Args:
        seed: of one of the splits; the toys come from the same split.
        num_frames: at least 2.
        distractor: whether an identical twin of the target stands elsewhere.
        occluder: whether a board passes between the camera and the target half-way.
    Raises:
        ValueError: a seed outside every split, fewer than two frames.
    """
    if num_frames < 2:
        raise ValueError(f"expected at least 2 frames, got {num_frames}")
    dice = Dice("clip", VERSION, seed)
    seeds = seeds_of(split_of(seed))
    target, third = (make_toy(int(dice.between(seeds.start, seeds.stop))) for _ in range(2))
    placed = _arranged([target, target, third] if distractor else [target, third], dice)
    ground, distance = _table(dice), _distance(placed) * 1.08
    sweep = math.radians(dice.between(35, 80)) * dice.choice((-1, 1))
    starts = [dice.between(-math.pi, math.pi) for _ in range(16)]
    start = max(starts, key=lambda angle: min(_clearance(placed, angle), _clearance(placed, angle + sweep)))
    elevation, direction = math.radians(dice.between(14, 26)), dice.choice((-1, 1))
    board = _board(dice.choice(list(COLORS)), radius=1.05 * float(np.hypot(target.radius, target.height / 2)))
    scenes = []
    for moment in np.linspace(0.0, 1.0, num_frames):
        camera = orbit(start + sweep * float(moment), elevation, distance, target_height=0.45)
        extra = (_in_front(placed[0], board, camera, direction * (float(moment) - 0.5)),) if occluder else ()
        scenes.append(Scene(placed + extra, ground, camera))
    return Clip(tuple(scenes), 1, 2 if distractor else 0, len(placed) + 1 if occluder else 0)


def _arranged(toys: Sequence[Toy], dice: Dice) -> tuple[Placed, ...]:
    """Places toys at random so that none overlap, in the smallest circle that is found to do."""
    radius, placed = 0.75 + 0.25 * len(toys), []
    while len(placed) < len(toys):
        toy = toys[len(placed)]
        angle, away = dice.between(0, 2 * math.pi), radius * math.sqrt(dice.between(0, 1))
        x, y = away * math.cos(angle), away * math.sin(angle)
        if all(math.hypot(x - p.x, y - p.y) > toy.radius + p.toy.radius for p in placed):
            placed.append(Placed(toy, x, y, dice.between(0, 360)))
        else:
            radius *= 1.02
    x, y = np.mean([p.x for p in placed]), np.mean([p.y for p in placed])
    return tuple(Placed(p.toy, p.x - float(x), p.y - float(y), p.turn) for p in placed)


def _distance(placed: Sequence[Placed]) -> float:
    """How far the camera has to be for all toys to fit into the picture."""
    reach = max(math.hypot(p.x, p.y) + p.toy.radius for p in placed)
    return 0.9 + 2.35 * max(reach, 1.2)


def _table(dice: Dice) -> Ground:
    color, second = dice.sample(TABLE_COLORS, 2)
    return Ground(
        height=0.0,
        color=color,
        second_color=second,
        pattern=dice.choice(("plain", "plain", "checks", "stripes", "dots")),
        scale=dice.between(0.5, 1.1),
        angle=dice.between(0, math.pi),
        backdrop=dice.choice(WALL_COLORS),
    )


def _board(color: str, radius: float) -> Toy:
    """The occluder: a standing board, just large enough to hide the target."""
    (mesh,) = fitted([box(0.16, 1.0, 1.1, radius=0.06)], radius)
    return Toy(-1, "board", color, color, "large", (Part("board", color, mesh),), {}, "")


def _clearance(placed: Sequence[Placed], azimuth: float) -> float:
    """How freely a camera at that azimuth sees the first toy past the others, seen from above; below 0 one hides it."""
    forward = -np.array([math.cos(azimuth), math.sin(azimuth)])
    target, gaps = placed[0], [1.0]
    for other in placed[1:]:
        offset = np.array([other.x - target.x, other.y - target.y])
        if offset @ forward < 0:
            gaps.append(float(abs(offset @ (-forward[1], forward[0]))) - target.toy.radius - other.toy.radius)
    return min(gaps)


def _in_front(target: Placed, board: Toy, camera: Camera, share: float) -> Placed:
    """The board, between target and camera; `share` −0.5..0.5 moves it across from one side to the other."""
    eye = camera.position[:2].numpy() - (target.x, target.y)
    towards = eye / np.linalg.norm(eye)
    across = np.array([-towards[1], towards[0]])
    away = target.toy.radius + 0.55
    x, y = (target.x, target.y) + away * towards + share * 4.4 * board.radius * across
    return Placed(board, float(x), float(y), math.degrees(math.atan2(towards[1], towards[0])))
