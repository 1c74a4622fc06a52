"""Ray-cast pictures of toys: Embree finds what each ray hits, NumPy shades it.

Light is a warm lamp, always in the same place of the world, under a pale sky: soft shadows, a little gloss.
Colours are means over supersamples in linear light; depth, normals and ids are those of the ray through the centre.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from minilib.toybox.raycast import RayCaster, dot, unit
from minilib.toybox.shapes import Mesh
from minilib.views.cameras import Camera, project

LAMP = np.array([0.50, -0.42, 0.76])
LAMP_SPREAD = 0.09
SKY, BOUNCE, KEY = np.array([[0.50, 0.53, 0.58], [0.40, 0.37, 0.34], [0.80, 0.76, 0.70]], np.float32)


@dataclass(frozen=True)
class Item:
    """One coloured mesh with the ids its pixels get.

    Attributes:
        mesh: triangles in world coordinates.
        color: sRGB in 0..1.
        part_id: 1..255.
        instance_id: 1..255.
    """

    mesh: Mesh
    color: tuple[float, float, float]
    part_id: int = 1
    instance_id: int = 1


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
    """

    height: float
    color: tuple[float, float, float]
    second_color: tuple[float, float, float]
    pattern: Literal["plain", "checks", "stripes", "dots"] = "plain"
    scale: float = 0.5
    angle: float = 0.0
    backdrop: tuple[float, float, float] = (0.9, 0.9, 0.92)


@dataclass(frozen=True)
class View:
    """A picture and all that is known about it.

    Attributes:
        rgb: colours in [−1, 1], (3, h, w) float32.
        alpha: share of the pixel that a toy covers, (h, w) float32.
        instance_ids: which toy, 0 where there is none, (h, w) uint8.
        part_ids: which part of the toy, 0 where there is none, (h, w) uint8.
        depth: distance along the camera's z axis in world units, inf where nothing is hit, (h, w) float32.
        normals: unit surface normals in world coordinates, 0 where nothing is hit, (3, h, w) float32.
        camera: where from.
        caption: the picture in words.
    """

    rgb: Float[Tensor, "3 h w"]
    alpha: Float[Tensor, "h w"]
    instance_ids: UInt8[Tensor, "h w"]
    part_ids: UInt8[Tensor, "h w"]
    depth: Float[Tensor, "h w"]
    normals: Float[Tensor, "3 h w"]
    camera: Camera
    caption: str = ""


class Stage:
    """Toys prepared for rendering from any number of cameras.

    Args:
        items: the meshes.
        ground: the table they stand on; without one the toys float before a plain `background`.
        background: sRGB in 0..1 where a ray meets nothing and there is no ground.
    Raises:
        ValueError: no items.
    """

    def __init__(
        self,
        items: Sequence[Item],
        *,
        ground: Ground | None = None,
        background: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ):
        if not items:
            raise ValueError("expected at least one item to render, got none")
        self.ground = ground
        self.background = _linear(background)
        groups: dict[int, list[np.ndarray]] = {}
        for item in items:
            groups.setdefault(item.instance_id, []).append(item.mesh.vertices)
        self.boxes = [_corners(np.concatenate(vertices)) for vertices in groups.values()]
        triangles = np.concatenate([item.mesh.vertices[item.mesh.faces] for item in items])
        corner_normals = np.concatenate([item.mesh.normals[item.mesh.faces] for item in items])
        count = [len(item.mesh.faces) for item in items]
        self.color = np.repeat(np.stack([_linear(item.color) for item in items]), count, axis=0)
        self.part_id = np.repeat(np.array([item.part_id for item in items], np.uint8), count)
        self.instance_id = np.repeat(np.array([item.instance_id for item in items], np.uint8), count)
        # One row for each triangle: the normal of corner 0, and how it changes towards corners 1 and 2.
        slopes = corner_normals[:, 1:] - corner_normals[:, :1]
        self.normal_table = np.concatenate([corner_normals[:, 0], slopes[:, 0], slopes[:, 1]], axis=1, dtype=np.float32)
        self.rays = RayCaster(triangles)

    def render(self, camera: Camera, *, image_size: int = 64, supersample: int = 2, caption: str = "") -> View:
        """A square picture.

        Args:
            camera: one camera, no batch dimensions.
            image_size: width and height in pixels.
            supersample: colours are the mean of supersample × supersample rays a pixel.
            caption: words to keep with the picture.
        Raises:
            ValueError: a size or supersample below 1.
        """
        if image_size < 1 or supersample < 1:
            raise ValueError(f"expected image_size and supersample >= 1, got {image_size} and {supersample}")
        fine = self._cast(camera, image_size * supersample)
        rgb = _pool(self._shade(fine, supersample), supersample)
        covered = np.zeros(fine.size**2, np.float32)
        covered[fine.toy.pixel] = 1.0
        alpha = _pool(covered.reshape(fine.size, fine.size), supersample)
        center = fine if supersample == 1 else self._cast(camera, image_size)
        pixels, shape = image_size**2, (image_size, image_size)
        ids, depth = np.zeros((2, pixels), np.uint8), np.full(pixels, np.inf, np.float32)
        normals = np.zeros((pixels, 3), np.float32)
        at = center.toy.pixel
        ids[0, at], ids[1, at], depth[at] = self.instance_id[center.face], self.part_id[center.face], center.toy.depth
        normals[at] = self._normals(center)
        if center.table is not None:
            depth[center.table.pixel], normals[center.table.pixel] = center.table.depth, (0.0, 0.0, 1.0)
        return View(
            rgb=torch.from_numpy(_srgb(rgb) * 2 - 1).permute(2, 0, 1).contiguous(),
            alpha=torch.from_numpy(alpha),
            instance_ids=torch.from_numpy(ids[0].reshape(shape)),
            part_ids=torch.from_numpy(ids[1].reshape(shape)),
            depth=torch.from_numpy(depth.reshape(shape)),
            normals=torch.from_numpy(normals.reshape(*shape, 3)).permute(2, 0, 1).contiguous(),
            camera=camera,
            caption=caption,
        )

    def _cast(self, camera: Camera, size: int) -> "_Hits":
        pose, lens = camera.camera_to_world.numpy().astype(np.float32), camera.intrinsics.numpy().astype(np.float32)
        center = (np.arange(size, dtype=np.float32) + 0.5) / size
        across = ((center - lens[0, 2]) / lens[0, 0])[:, None] * pose[:3, 0]
        down = ((center - lens[1, 2]) / lens[1, 1])[:, None] * pose[:3, 1] + pose[:3, 2]
        origin = pose[:3, 3]
        pixel = np.flatnonzero(self._in_sight(camera, size))
        direction = across.take(pixel % size, axis=0) + down.take(pixel // size, axis=0)
        face, depth, u, v = self.rays.first(origin, direction)
        keep = face >= 0
        table = None
        if self.ground is not None:
            every = (across[None] + down[:, None]).reshape(-1, 3)
            drop = self.ground.height - origin[2]
            below = np.divide(
                drop, every[:, 2], out=np.full(size * size, np.inf, np.float32), where=every[:, 2] * drop > 0
            )
            keep &= depth < below[pixel]
            below[pixel[keep]] = np.inf
            on_table = np.flatnonzero(below < np.inf)
            table = _Rays(on_table, every.take(on_table, axis=0), below[on_table])
        hits = _Rays(pixel[keep], direction[keep], depth[keep])
        return _Hits(size, origin, hits, face[keep], np.stack([u[keep], v[keep]], axis=1), table)

    def _in_sight(self, camera: Camera, size: int) -> np.ndarray:
        """Pixels inside the projected bounding box of some toy: the only ones whose rays can hit anything."""
        mask = np.zeros((size, size), bool)
        uv, depth = project(camera, torch.from_numpy(np.stack(self.boxes)))
        if bool((depth <= 1e-3).any()):  # partly behind the camera
            return np.ones(size * size, bool)
        low, high = (uv.amin(1) * size - 1).floor().long(), (uv.amax(1) * size + 1).ceil().long()
        for (left, top), (right, bottom) in zip(low.tolist(), high.tolist(), strict=True):
            mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
        return mask.reshape(-1)

    def _normals(self, hits: "_Hits") -> np.ndarray:
        """Interpolated shading normals of the rays that hit toys, turned towards the viewer, (n, 3) float32."""
        table = self.normal_table.take(hits.face, axis=0)
        normal = unit(table[:, :3] + hits.uv[:, :1] * table[:, 3:6] + hits.uv[:, 1:] * table[:, 6:])
        normal[dot(normal, hits.toy.direction) > 0] *= -1
        return normal

    def _shade(self, hits: "_Hits", supersample: int) -> np.ndarray:
        """Linear colours of all rays, (size, size, 3) float32."""
        rgb = np.empty((hits.size**2, 3), np.float32)
        rgb[:] = self.background if self.ground is None else _linear(self.ground.backdrop)
        lamps = _lamp_directions(4 * supersample**2).take(_lamp_index(hits.size, supersample), axis=0)
        if len(hits.face):
            lamp = lamps.take(hits.toy.pixel, axis=0)
            normal = self._normals(hits)
            point = hits.points(hits.toy) + np.float32(2e-3) * normal
            facing = dot(normal, lamp)
            lit = facing > 0
            lit[lit] = ~self.rays.any(point[lit], lamp[lit])
            viewer = -unit(hits.toy.direction)
            shine = dot(normal, unit(lamp + viewer)).clip(0)
            for _ in range(6):  # to the 64th power
                shine *= shine
            edge = 1 - dot(normal, viewer).clip(0, 1)
            up = 0.5 + 0.5 * normal[:, 2:]
            ambient = up * (SKY - BOUNCE) + BOUNCE
            if self.ground is not None:
                ambient *= 0.45 + 0.55 * ((point[:, 2:] - self.ground.height) / 0.35).clip(0, 1) ** 0.5
            color = self.color.take(hits.face, axis=0)
            color *= ambient + (facing * lit)[:, None] * KEY
            color += (0.22 * lit * shine)[:, None]
            color += (0.10 * edge * edge * edge)[:, None] * ambient
            rgb[hits.toy.pixel] = color
        if self.ground is not None and hits.table is not None:
            lamp = lamps.take(hits.table.pixel, axis=0)
            rgb[hits.table.pixel] = self._shade_ground(self.ground, hits.points(hits.table), lamp)
        return rgb.reshape(hits.size, hits.size, 3)

    def _shade_ground(self, ground: Ground, point: np.ndarray, lamp: np.ndarray) -> np.ndarray:
        """Linear colours of points of the table, (n, 3) float32; lamp (n, 3) are directions to the light."""
        light = np.empty_like(point)
        light[:] = SKY + np.float32(LAMP[2]) * KEY
        near = np.flatnonzero(self._near_toys(ground, point))
        shadow_rays = point.take(near, axis=0)
        shadow_rays[:, 2] = ground.height + 2e-3
        lit = ~self.rays.any(shadow_rays, lamp.take(near, axis=0))
        light[near] = SKY * self._openness(ground, shadow_rays)[:, None] + (lit * np.float32(LAMP[2]))[:, None] * KEY
        light *= _pattern(ground, point)
        haze = np.exp(dot(point[:, :2], point[:, :2]) * np.float32(-0.5 / 5.5**2))[:, None]
        wall = _linear(ground.backdrop)
        light -= wall
        light *= haze
        light += wall
        return light

    def _near_toys(self, ground: Ground, point: np.ndarray) -> np.ndarray:
        """Points of the table that a toy could darken: from its bounding box to where the lamp throws that, (n,)."""
        boxes = np.concatenate(self.boxes)
        reach = (boxes[:, 2:] - ground.height).clip(0) / LAMP[2]
        thrown = [boxes[:, :2] - reach * (LAMP[:2] + spread) for spread in (-LAMP_SPREAD, LAMP_SPREAD)]
        ends = np.concatenate([boxes[:, :2], *thrown]).astype(np.float32)
        low, high = ends.min(0) - np.float32(0.3), ends.max(0) + np.float32(0.3)
        x, y = point[:, 0], point[:, 1]
        return (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])

    def _openness(self, ground: Ground, point: np.ndarray) -> np.ndarray:
        """How much sky a point of the table sees: less close to where a toy stands, (n,) in 0..1."""
        open_sky = np.ones(len(point), np.float32)
        for box in self.boxes:
            low, high = box[0].astype(np.float32), box[-1].astype(np.float32)
            if low[2] - ground.height < 0.12:
                x = np.maximum(np.abs(point[:, 0] - (low[0] + high[0]) / 2) - (high[0] - low[0]) / 2, 0)
                y = np.maximum(np.abs(point[:, 1] - (low[1] + high[1]) / 2) - (high[1] - low[1]) / 2, 0)
                open_sky *= 1 - np.float32(0.30) * np.exp((x * x + y * y) * np.float32(-1 / 0.02))
        return open_sky


@dataclass(frozen=True)
class _Rays:
    """Rays that met something: index of the pixel, direction of unit depth, depth."""

    pixel: np.ndarray
    direction: np.ndarray
    depth: np.ndarray


@dataclass(frozen=True)
class _Hits:
    """What the rays of a size × size grid met: toys, at barycentric `uv` of triangles `face`, and the table."""

    size: int
    origin: np.ndarray
    toy: _Rays
    face: np.ndarray
    uv: np.ndarray
    table: _Rays | None

    def points(self, rays: _Rays) -> np.ndarray:
        """World points, (n, 3) float32."""
        return self.origin + rays.depth[:, None] * rays.direction


def _pattern(ground: Ground, point: np.ndarray) -> np.ndarray:
    """Linear colour of the table top at points (n, 3): (n, 3), or (1, 3) if it is plain."""
    colors = np.stack([_linear(ground.color), _linear(ground.second_color)])
    if ground.pattern == "plain":
        return colors[:1]
    c, s = np.float32(math.cos(ground.angle) / ground.scale), np.float32(math.sin(ground.angle) / ground.scale)
    a, b = point[:, 0] * c + point[:, 1] * s, point[:, 1] * c - point[:, 0] * s
    if ground.pattern == "checks":
        second = (np.floor(a) + np.floor(b)) % 2
    elif ground.pattern == "stripes":
        second = np.floor(a) % 2
    else:
        second = (a - np.floor(a) - 0.5) ** 2 + (b - np.floor(b) - 0.5) ** 2 < 0.06
    return colors.take(second.astype(np.int8), axis=0)


def _lamp_directions(count: int) -> np.ndarray:
    """Directions to points spread over the lamp's disc, (count, 3) float32: soft shadows."""
    side = np.cross(LAMP, (0.0, 0.0, 1.0))
    side /= np.linalg.norm(side)
    upward = np.cross(side, LAMP)
    angle = math.pi * (3 - math.sqrt(5)) * np.arange(count)  # a sunflower's golden angle
    radius = LAMP_SPREAD * np.sqrt((np.arange(count) + 0.5) / count)
    lamps = LAMP + (radius * np.cos(angle))[:, None] * side + (radius * np.sin(angle))[:, None] * upward
    return (lamps / np.linalg.norm(lamps, axis=1, keepdims=True)).astype(np.float32)


@lru_cache(maxsize=8)
def _lamp_index(size: int, supersample: int) -> np.ndarray:
    """Which of the 4 supersample² lamp points each ray uses: all differ within 2 × 2 image pixels, (size²,)."""
    k = np.arange(size)
    within = (k % supersample * supersample)[:, None] + k % supersample
    block = (k // supersample % 2 * 2)[:, None] + k // supersample % 2
    return (4 * within + block).reshape(-1)


def _corners(points: np.ndarray) -> np.ndarray:
    """The 8 corners of the bounding box, (8, 3)."""
    ends = np.stack([points.min(0), points.max(0)])
    return np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(-1, 3)


def _pool(values: np.ndarray, step: int) -> np.ndarray:
    """Means of step × step blocks of the first two axes."""
    total = np.zeros_like(values[::step, ::step])
    for row in range(step):
        for column in range(step):
            total += values[row::step, column::step]
    return total / np.float32(step**2)


def _linear(color: tuple[float, float, float] | np.ndarray) -> np.ndarray:
    """sRGB to linear light, with the plain 2.2 power."""
    return (np.asarray(color, dtype=np.float32)) ** np.float32(2.2)


def _srgb(linear: np.ndarray) -> np.ndarray:
    return linear.clip(0, 1) ** np.float32(1 / 2.2)
