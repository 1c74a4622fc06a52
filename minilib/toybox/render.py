"""Ray-cast pictures of toys: Embree finds what each ray hits, NumPy shades it.

Light is a warm lamp, always in the same place of the world, under a pale sky: soft shadows, a little gloss.
Colours are means over supersamples in linear light; depth, normals and ids are those of the ray through the centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from minilib.toybox.light import BOUNCE, FAR, KEY, SKY, Ground, Table, lamp_directions, linear, shade_table
from minilib.toybox.raycast import RayCaster, dot, unit
from minilib.toybox.shapes import Mesh
from minilib.views.cameras import Camera, project


@dataclass(frozen=True)
class Item:
    """One coloured mesh with the ids its pixels get.

    Attributes:
        mesh: triangles in world coordinates.
        color: sRGB in 0..1.
        part_id: 1..255.
        instance_id: 1..255.
    Raises:
        ValueError: an id or a colour outside its range.
    """

    mesh: Mesh
    color: tuple[float, float, float]
    part_id: int = 1
    instance_id: int = 1

    def __post_init__(self):
        if not (0 < self.part_id < 256 and 0 < self.instance_id < 256):
            raise ValueError(f"expected ids in 1..255, got part {self.part_id} and instance {self.instance_id}")
        if not all(0.0 <= value <= 1.0 for value in self.color):
            raise ValueError(f"expected a colour in 0..1, got {self.color}")


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
        self.background = linear(background)
        groups: dict[int, list[np.ndarray]] = {}
        for item in items:
            groups.setdefault(item.instance_id, []).append(item.mesh.vertices)
        self.boxes = [_corners(np.concatenate(vertices)) for vertices in groups.values()]
        self.part_boxes = torch.from_numpy(np.stack([_corners(item.mesh.vertices) for item in items]))
        triangles = np.concatenate([item.mesh.vertices[item.mesh.faces] for item in items])
        corner_normals = np.concatenate([item.mesh.normals[item.mesh.faces] for item in items])
        count = [len(item.mesh.faces) for item in items]
        self.color = np.repeat(np.stack([linear(item.color) for item in items]), count, axis=0)
        self.part_id = np.repeat(np.array([item.part_id for item in items], np.uint8), count)
        self.instance_id = np.repeat(np.array([item.instance_id for item in items], np.uint8), count)
        # One row for each triangle: the normal of corner 0, and how it changes towards corners 1 and 2.
        slopes = corner_normals[:, 1:] - corner_normals[:, :1]
        self.normal_table = np.concatenate([corner_normals[:, 0], slopes[:, 0], slopes[:, 1]], axis=1, dtype=np.float32)
        self.rays = RayCaster(triangles)

    def render(self, camera: Camera, *, image_size: int = 64, supersample: int = 2, caption: str = "") -> View:
        """A square picture.

        Args:
            camera: one camera, of any dtype and on any device; the view keeps it in float64.
            image_size: width and height in pixels.
            supersample: colours are the mean of supersample × supersample rays a pixel.
            caption: words to keep with the picture.
        Raises:
            ValueError: a size or supersample below 1, or a camera with batch dimensions.
        """
        if image_size < 1 or supersample < 1:
            raise ValueError(f"expected image_size and supersample >= 1, got {image_size} and {supersample}")
        camera = camera.single()
        fine = self._cast(camera, image_size * supersample)
        rgb = _pool(self._shade(fine, supersample), supersample)
        covered = np.zeros(fine.size**2, np.float32)
        covered[fine.toys.pixel] = 1.0
        alpha = _pool(covered.reshape(fine.size, fine.size), supersample)
        center = fine if supersample == 1 else self._cast(camera, image_size)
        pixels, shape = image_size**2, (image_size, image_size)
        ids, depth = np.zeros((2, pixels), np.uint8), np.full(pixels, np.inf, np.float32)
        normals = np.zeros((pixels, 3), np.float32)
        toys, table = center.toys, center.table
        ids[0, toys.pixel], ids[1, toys.pixel] = self.instance_id[toys.face], self.part_id[toys.face]
        depth[toys.pixel], normals[toys.pixel] = toys.depth, self._normals(toys)
        if table is not None:
            depth = np.minimum(depth, table.depth)
            normals[table.depth < np.inf] = (0.0, 0.0, 1.0)
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
            falling = (across[:, 2] + down[:, 2:]).reshape(-1)
            drop = self.ground.height - origin[2]
            below = np.divide(drop, falling, out=np.full_like(falling, np.inf), where=falling * drop > 0)
            keep &= depth < below[pixel]
            below[pixel[keep]] = np.inf
            reach = np.minimum(below, FAR)
            x, y = (origin[k] + reach * (across[:, k] + down[:, k : k + 1]).reshape(-1) for k in (0, 1))
            table = Table(below, x, y)
        toys = _OnToys(pixel[keep], face[keep], direction[keep], depth[keep], u[keep], v[keep])
        return _Hits(size, origin, toys, table)

    def _in_sight(self, camera: Camera, size: int) -> np.ndarray:
        """Pixels inside the projected bounding box of some item: the only ones whose rays can hit anything."""
        uv, depth = project(camera, self.part_boxes)
        if bool((depth <= 1e-3).any()):  # partly behind the camera
            return np.ones(size * size, bool)
        ends = torch.stack([uv.amin(1) * size - 1, uv.amax(1) * size + 2]).clamp(0, size).long()
        mask = np.zeros((size, size), bool)
        for left, top, right, bottom in torch.cat([ends[0], ends[1]], dim=1).tolist():
            mask[top:bottom, left:right] = True
        return mask.reshape(-1)

    def _normals(self, toys: "_OnToys") -> np.ndarray:
        """Interpolated shading normals, turned towards the viewer, (n, 3) float32."""
        rows = self.normal_table.take(toys.face, axis=0)
        normal = unit(rows[:, :3] + toys.u[:, None] * rows[:, 3:6] + toys.v[:, None] * rows[:, 6:])
        normal[dot(normal, toys.direction) > 0] *= -1
        return normal

    def _shade(self, hits: "_Hits", supersample: int) -> np.ndarray:
        """Linear colours of all rays, (size, size, 3) float32."""
        lamps = lamp_directions(hits.size, supersample)
        if self.ground is not None and hits.table is not None:
            rgb = shade_table(self.ground, hits.table, boxes=self.boxes, rays=self.rays, lamps=lamps)
        else:
            rgb = np.empty((hits.size**2, 3), np.float32)
            rgb[:] = self.background
        if len(hits.toys.face):
            rgb[hits.toys.pixel] = self._shade_toys(hits.toys, hits.origin, lamps.take(hits.toys.pixel, axis=0))
        return rgb.reshape(hits.size, hits.size, 3)

    def _shade_toys(self, toys: "_OnToys", origin: np.ndarray, lamp: np.ndarray) -> np.ndarray:
        """Linear colours (n, 3) float32; `lamp` (n, 3) are directions to the light."""
        normal = self._normals(toys)
        point = origin + toys.depth[:, None] * toys.direction + np.float32(2e-3) * normal
        facing = dot(normal, lamp)
        lit = facing > 0
        lit[lit] = ~self.rays.any(point[lit], lamp[lit])
        viewer = -unit(toys.direction)
        shine = dot(normal, unit(lamp + viewer)).clip(0)
        for _ in range(6):  # to the 64th power
            shine *= shine
        edge = 1 - dot(normal, viewer).clip(0, 1)
        up = 0.5 + 0.5 * normal[:, 2:]
        ambient = up * (SKY - BOUNCE) + BOUNCE
        if self.ground is not None:
            ambient *= 0.45 + 0.55 * np.sqrt(((point[:, 2:] - self.ground.height) / 0.35).clip(0, 1))
        color = self.color.take(toys.face, axis=0)
        color *= ambient + (facing * lit)[:, None] * KEY
        color += (0.22 * lit * shine)[:, None]
        color += (0.10 * edge * edge * edge)[:, None] * ambient
        return color


@dataclass(frozen=True)
class _OnToys:
    """Rays that met toys: pixel, triangle, direction of unit depth, depth, barycentric coordinates of the hit."""

    pixel: np.ndarray
    face: np.ndarray
    direction: np.ndarray
    depth: np.ndarray
    u: np.ndarray
    v: np.ndarray


@dataclass(frozen=True)
class _Hits:
    """What the rays of a size × size grid from one origin met."""

    size: int
    origin: np.ndarray
    toys: _OnToys
    table: Table | None


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


def _srgb(linear: np.ndarray) -> np.ndarray:
    return linear.clip(0, 1) ** np.float32(1 / 2.2)
