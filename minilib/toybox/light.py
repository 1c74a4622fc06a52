"""Light: the lamp, the sky, and the table top on which toys throw shadows."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from minilib.errors import unknown_name
from minilib.toybox.raycast import RayCaster, unit

LAMP = np.array([0.50, -0.42, 0.76])
LAMP_SPREAD = 0.09
FAR = np.float32(1e3)
Pattern = Literal["plain", "checks", "stripes", "dots"]
SKY, BOUNCE, KEY = np.array([[0.50, 0.53, 0.58], [0.40, 0.37, 0.34], [0.80, 0.76, 0.70]], np.float32)


@dataclass(frozen=True)
class Ground:
    """An endless table top z = `height` with a pattern, fading into the backdrop.

    Attributes:
        height: z of the surface.
        color: sRGB in 0..1.
        second_color: the pattern's other colour.
        pattern: "plain", "checks", "stripes" or "dots".
        scale: size of one element of the pattern, in world units.
        angle: direction of the pattern, radians.
        backdrop: sRGB of the wall behind.
    Raises:
        ValueError: an unknown pattern, or a scale that is not above 0.
    """

    height: float
    color: tuple[float, float, float]
    second_color: tuple[float, float, float]
    pattern: Pattern = "plain"
    scale: float = 0.5
    angle: float = 0.0
    backdrop: tuple[float, float, float] = (0.9, 0.9, 0.92)

    def __post_init__(self):
        if self.pattern not in get_args(Pattern):
            raise unknown_name("pattern", self.pattern, get_args(Pattern))
        if self.scale <= 0:
            raise ValueError(f"expected a pattern scale > 0, got {self.scale}")


@dataclass(frozen=True)
class Table:
    """For all rays of a grid: depth of the table, inf where something else is seen, and where they meet its plane."""

    depth: np.ndarray
    x: np.ndarray
    y: np.ndarray


def shade_table(
    ground: Ground, table: Table, *, boxes: list[np.ndarray], rays: RayCaster, lamps: np.ndarray
) -> np.ndarray:
    """Linear colours of all rays as if there were no toys but for their shadows, (n, 3) float32.

    Args:
        ground: the table and the wall.
        table: where the rays of a grid meet it.
        boxes: corners of the toys' bounding boxes, (8, 3) each.
        rays: finds what shades a point.
        lamps: directions to the light, (n, 3).
    Returns:
        Rays that miss the table get the colour of the wall.
    """
    shades = _pattern(ground, table.x, table.y)
    near = np.flatnonzero(_near_toys(ground, table, boxes))
    x, y = table.x.take(near), table.y.take(near)
    point = np.stack([x, y, np.full_like(x, ground.height + 2e-3)], axis=1)
    lit = ~rays.any(point, lamps.take(near, axis=0))
    full_light = SKY + np.float32(LAMP[2]) * KEY
    light = SKY * _openness(ground, x, y, boxes)[:, None] + (lit * np.float32(LAMP[2]))[:, None] * KEY
    haze = np.exp((table.x * table.x + table.y * table.y) * np.float32(-0.5 / 5.5**2))
    wall = linear(ground.backdrop)
    shadowed = shades.take(near, axis=0) * light
    shades *= full_light
    shades[near] = shadowed
    shades -= wall
    shades *= haze[:, None]
    shades += wall
    return shades


def _near_toys(ground: Ground, table: Table, boxes: list[np.ndarray]) -> np.ndarray:
    """Visible points that a toy could darken: around it, and in the strip where the lamp throws it, (n,) bool."""
    near = np.zeros(table.x.shape, bool)
    away = -LAMP[:2] / np.linalg.norm(LAMP[:2])
    for box in boxes:
        middle = (box[0] + box[-1]) / 2
        radius = float(np.linalg.norm(box[-1, :2] - middle[:2])) + 0.3
        height = max(float(box[-1, 2]) - ground.height, 0.0)
        reach = height * (float(np.linalg.norm(LAMP[:2])) + LAMP_SPREAD) / (LAMP[2] - LAMP_SPREAD)
        dx, dy = table.x - np.float32(middle[0]), table.y - np.float32(middle[1])
        along, across = dx * np.float32(away[0]) + dy * np.float32(away[1]), dy * np.float32(away[0])
        across -= dx * np.float32(away[1])
        side = radius + LAMP_SPREAD * height
        near |= (np.abs(across) < side) & (along > -radius) & (along < radius + reach)
    return near & (table.depth < np.inf)


def _openness(ground: Ground, x: np.ndarray, y: np.ndarray, boxes: list[np.ndarray]) -> np.ndarray:
    """How much sky points of the table see: less close to where a toy stands, (n,) in 0..1."""
    open_sky = np.ones_like(x)
    for box in boxes:
        low, high = box[0].astype(np.float32), box[-1].astype(np.float32)
        if low[2] - ground.height < 0.12:
            dx = np.maximum(np.abs(x - (low[0] + high[0]) / 2) - (high[0] - low[0]) / 2, 0)
            dy = np.maximum(np.abs(y - (low[1] + high[1]) / 2) - (high[1] - low[1]) / 2, 0)
            open_sky *= 1 - np.float32(0.30) * np.exp((dx * dx + dy * dy) * np.float32(-1 / 0.02))
    return open_sky


def _pattern(ground: Ground, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Linear colour of the table top at points (n,): (n, 3) float32."""
    colors = np.stack([linear(ground.color), linear(ground.second_color)])
    c, s = np.float32(math.cos(ground.angle) / ground.scale), np.float32(math.sin(ground.angle) / ground.scale)
    a, b = x * c + y * s, y * c - x * s
    if ground.pattern == "checks":
        second = (np.floor(a) + np.floor(b)) % 2
    elif ground.pattern == "stripes":
        second = np.floor(a) % 2
    elif ground.pattern == "dots":
        second = (a - np.floor(a) - 0.5) ** 2 + (b - np.floor(b) - 0.5) ** 2 < 0.06
    else:
        second = np.zeros_like(a)
    return colors.take(second.astype(np.int8), axis=0)


@lru_cache(maxsize=4)
def lamp_directions(size: int, supersample: int) -> np.ndarray:
    """Direction to a point of the lamp's disc for each ray of the grid, (size², 3) float32: soft shadows.

    The rays of 2 × 2 neighbouring image pixels all use different points.
    """
    count = 4 * supersample**2
    side = np.cross(LAMP, (0.0, 0.0, 1.0))
    side /= np.linalg.norm(side)
    upward = np.cross(side, LAMP)
    angle = math.pi * (3 - math.sqrt(5)) * np.arange(count)  # a sunflower's golden angle
    radius = LAMP_SPREAD * np.sqrt((np.arange(count) + 0.5) / count)
    points = LAMP + (radius * np.cos(angle))[:, None] * side + (radius * np.sin(angle))[:, None] * upward
    k = np.arange(size)
    within = (k % supersample * supersample)[:, None] + k % supersample
    block = (k // supersample % 2 * 2)[:, None] + k // supersample % 2
    return unit(points).astype(np.float32).take((4 * within + block).reshape(-1), axis=0)


def linear(color: tuple[float, float, float] | np.ndarray) -> np.ndarray:
    """sRGB to linear light, with the plain 2.2 power."""
    return (np.asarray(color, dtype=np.float32)) ** np.float32(2.2)
