"""Smooth-shaded triangle meshes: rounded boxes, lathes, tubes and prisms, the pieces that toys are made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Mesh:
    """Triangles with a normal at each corner.

    Attributes:
        vertices: positions, (v, 3) float64.
        normals: unit shading normals of the vertices, (v, 3) float64; corners of a sharp edge are stored twice.
        faces: vertex indices, (f, 3) int64, counter-clockwise seen from outside.
    """

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray

    def at(self, x: float, y: float, z: float) -> "Mesh":
        """Moved by (x, y, z)."""
        return replace(self, vertices=self.vertices + (x, y, z))

    def scaled(self, x: float, y: float, z: float) -> "Mesh":
        """Stretched along the axes; the factors are positive."""
        normals = self.normals / (x, y, z)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return replace(self, vertices=self.vertices * (x, y, z), normals=normals)

    def turned(self, axis: str, degrees: float) -> "Mesh":
        """Turned about the "x", "y" or "z" axis through the origin, right-handed."""
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        rotation = {
            "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
            "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
            "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
        }[axis]
        return replace(self, vertices=self.vertices @ rotation.T, normals=self.normals @ rotation.T)


def fitted(meshes: Sequence[Mesh], radius: float, *, measure: int | None = None) -> list[Mesh]:
    """The meshes, moved and scaled: their common bounding box is centred, their farthest point is at `radius`.

    Args:
        meshes: at least one.
        radius: of the bounding sphere.
        measure: only the first so many are measured, so that what comes after changes nothing before it.
    """
    points = np.concatenate([mesh.vertices for mesh in meshes[:measure]])
    center = (points.min(0) + points.max(0)) / 2
    scale = radius / float(np.linalg.norm(points - center, axis=1).max())
    return [replace(mesh, vertices=(mesh.vertices - center) * scale) for mesh in meshes]


@lru_cache
def _cube_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The surface of a cube as points (v, 3), each as a direction (v, 3), and faces (f, 3).

    Its coordinates hold both -0 and +0, so that the sign of each coordinate says which corner a point belongs to.
    """
    ticks = np.array([-1.0, -0.0, 0.0, 1.0])
    u, v = np.meshgrid(ticks, ticks, indexing="ij")
    w = np.ones_like(u)
    sides = [
        np.roll(np.stack([sign * w, sign * u, v], axis=-1), axis, axis=-1).reshape(-1, 3)
        for axis in range(3)
        for sign in (1.0, -1.0)
    ]
    points = np.concatenate(sides)
    faces = np.concatenate([_grid_faces(4, 4) + 16 * side for side in range(6)])
    return points, points / np.linalg.norm(points, axis=1, keepdims=True), faces


def box(x: float, y: float, z: float, *, radius: float = 0.04) -> Mesh:
    """A box of full size (x, y, z) about the origin, its edges rounded."""
    half = np.array([x, y, z]) / 2
    radius = min(radius, 0.999 * float(half.min()))
    # The eight corner pieces of a sphere, pulled apart.
    points, normals, faces = _cube_grid()
    return Mesh(np.copysign(half - radius, points) + radius * normals, normals, faces)


def lathe(profile: ArrayLike, *, fillet: float = 0.0, segments: int = 24) -> Mesh:
    """A profile turned about the z axis.

    Args:
        profile: (radius, z) points in the order that keeps the outside on the right: up the outside.
        fillet: radius with which inner corners of the profile are rounded.
        segments: number of flat pieces around.
    """
    points = _rounded(np.asarray(profile, dtype=float), fillet)
    step = np.diff(points, axis=0)
    flat = np.stack([step[:, 1], -step[:, 0]], axis=1) / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-12)
    # The normal at a joint is shared where the profile bends by less than 40 degrees, and doubled at a sharper edge.
    smooth = (flat[1:] * flat[:-1]).sum(1, keepdims=True) > math.cos(math.radians(40))
    shared = (flat[1:] + flat[:-1]) / 2
    first = np.concatenate([flat[:1], np.where(smooth, shared, flat[1:])])
    last = np.concatenate([np.where(smooth, shared, flat[:-1]), flat[-1:]])
    rings = np.stack([points[:-1], points[1:]], axis=1)  # (pieces, 2, 2)
    bends = np.stack([first, last], axis=1)
    bends /= np.linalg.norm(bends, axis=-1, keepdims=True)
    angle = np.linspace(0.0, 2 * math.pi, segments + 1)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def spin(pairs: np.ndarray) -> np.ndarray:
        radial = pairs[..., None, :1] * circle
        height = np.broadcast_to(pairs[..., None, 1:], (*radial.shape[:-1], 1))
        return np.concatenate([radial, height], axis=-1).reshape(-1, 3)

    piece = _grid_faces(2, segments + 1)[:, ::-1]
    starts = 2 * (segments + 1) * np.arange(len(step))
    return _without_slivers(Mesh(spin(rings), spin(bends), (piece + starts[:, None, None]).reshape(-1, 3)))


@lru_cache
def _unit_ball() -> Mesh:
    angle = np.linspace(-math.pi / 2, math.pi / 2, 12)
    return lathe(np.stack([np.cos(angle).round(12), np.sin(angle)], axis=1), segments=22)


def ball(x: float, y: float, z: float) -> Mesh:
    """An ellipsoid with radii (x, y, z) about the origin."""
    return _unit_ball().scaled(x, y, z)


def cylinder(radius: float, height: float, *, top: float | None = None, fillet: float = 0.03) -> Mesh:
    """A round, rounded-edged post about the z axis, centred at the origin; `top` is the upper radius if it differs."""
    top, half = radius if top is None else top, height / 2
    return lathe([(0, -half), (radius, -half), (top, half), (0, half)], fillet=fillet)


def tube(path: ArrayLike, radius: float, *, segments: int = 10) -> Mesh:
    """A round rod with round ends along the points of a path, (k, 3)."""
    points = np.asarray(path, dtype=float)
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    cap = np.linspace(0, math.pi / 2, 3)[:-1]
    along = np.concatenate([-np.cos(cap), np.zeros(len(points)), np.cos(cap[::-1])])
    around = np.concatenate([np.sin(cap), np.ones(len(points)), np.sin(cap[::-1])])
    index = np.concatenate([[0] * len(cap), np.arange(len(points)), [-1] * len(cap)])
    side = np.cross(tangent[0], np.eye(3)[np.abs(tangent[0]).argmin()])
    frames = []
    for direction in tangent:  # each frame turns as little as possible from the one before
        side = side - (side @ direction) * direction
        side /= np.linalg.norm(side)
        frames.append((side, np.cross(direction, side)))
    frame = np.asarray(frames)[index]  # (rings, 2, 3)
    angle = np.linspace(0, 2 * math.pi, segments + 1)
    radial = np.cos(angle)[:, None] * frame[:, None, 0] + np.sin(angle)[:, None] * frame[:, None, 1]
    normals = along[:, None, None] * tangent[index][:, None] + around[:, None, None] * radial
    vertices = points[index][:, None] + radius * normals
    faces = _grid_faces(len(index), segments + 1)[:, ::-1]
    return _without_slivers(Mesh(vertices.reshape(-1, 3), normals.reshape(-1, 3), faces))


def prism(outline: ArrayLike, thickness: float, *, bevel: float = 0.02) -> Mesh:
    """A flat piece: an outline in the x-y plane, `thickness` along z about the origin, its rims bevelled.

    Args:
        outline: (k, 2) points, counter-clockwise, star-shaped as seen from their mean.
        thickness: full extent along z.
        bevel: width of the slanted rim.
    """
    rim = np.asarray(outline, dtype=float)
    edge = np.roll(rim, -1, axis=0) - rim
    edge /= np.linalg.norm(edge, axis=1, keepdims=True)
    outward = np.stack([edge[:, 1], -edge[:, 0]], axis=1)
    miter = outward + np.roll(outward, 1, axis=0)
    miter /= np.maximum((miter**2).sum(1, keepdims=True) / 2, 0.35)
    bevel = min(bevel, 0.45 * thickness)
    half = thickness / 2
    inner = rim - bevel * miter

    def level(points: np.ndarray, z: float) -> np.ndarray:
        return np.concatenate([points, np.full((len(points), 1), z)], axis=1)

    rings = [level(inner, -half), level(rim, -half + bevel), level(rim, half - bevel), level(inner, half)]
    center = level(inner.mean(0, keepdims=True), 0.0)
    triangles = []
    for low, high in pairwise(rings):
        low_next, high_next = np.roll(low, -1, axis=0), np.roll(high, -1, axis=0)
        triangles += [np.stack([low, low_next, high_next], axis=1), np.stack([low, high_next, high], axis=1)]
    for ring, z in ((rings[0][::-1], -half), (rings[-1], half)):
        hub = np.broadcast_to(center + (0, 0, z), ring.shape)
        triangles.append(np.stack([hub, ring, np.roll(ring, -1, axis=0)], axis=1))
    return flat_shaded(np.concatenate(triangles))


def flat_shaded(triangles: np.ndarray) -> Mesh:
    """Triangles (f, 3, 3) with their own flat normals; those without area are left out."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.linalg.norm(normals, axis=1)
    triangles, normals = triangles[length > 1e-12], (normals / np.maximum(length, 1e-12)[:, None])[length > 1e-12]
    return Mesh(triangles.reshape(-1, 3), np.repeat(normals, 3, axis=0), np.arange(3 * len(triangles)).reshape(-1, 3))


def smooth_shaded(triangles: np.ndarray, *, crease: float = 35.0) -> Mesh:
    """Triangles (f, 3, 3), in their order, shaded smoothly except across edges sharper than `crease` degrees.

    The normal at a corner is the mean of those faces around it, weighted by area, that turn from its own face by less.
    """
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    unit = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-30)
    corners = triangles.reshape(-1, 3)
    tolerance = 1e-6 * float(np.ptp(corners, axis=0).max())
    _, point = np.unique(np.round(corners / tolerance).astype(np.int64), axis=0, return_inverse=True)
    order = np.argsort(point.reshape(-1), kind="stable")  # corners that meet in one point stand together
    count = np.bincount(point.reshape(-1))
    size = np.repeat(count, count)
    one = np.repeat(np.arange(len(order)), size)
    first = np.repeat(np.repeat(np.cumsum(count) - count, count), size)
    other = first + np.arange(len(one)) - np.repeat(np.cumsum(size) - size, size)
    face_one, face_other = order[one] // 3, order[other] // 3
    near = (unit[face_one] * unit[face_other]).sum(1) > math.cos(math.radians(crease))
    normals = np.empty_like(corners)
    for axis in range(3):
        normals[order, axis] = np.bincount(one, near * cross[face_other, axis], minlength=len(order))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    return Mesh(corners, normals, np.arange(len(corners)).reshape(-1, 3))


def _grid_faces(rows: int, columns: int) -> np.ndarray:
    """Two triangles for each cell of a grid of vertices, (2 (rows−1) (columns−1), 3)."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1, 1)
    return np.concatenate([corner + [0, columns, columns + 1], corner + [0, columns + 1, 1]])


def _rounded(points: np.ndarray, fillet: float) -> np.ndarray:
    """The polyline with its inner corners replaced by short parabolic arcs."""
    if fillet <= 0.0:
        return points
    pieces = [points[:1]]
    for before, corner, after in zip(points[:-2], points[1:-1], points[2:], strict=True):
        back, forth = before - corner, after - corner
        back *= min(fillet / max(np.linalg.norm(back), 1e-9), 0.48)
        forth *= min(fillet / max(np.linalg.norm(forth), 1e-9), 0.48)
        s = np.linspace(0, 1, 4)[:, None]
        pieces.append(corner + (1 - s) ** 2 * back + s**2 * forth)
    return np.concatenate([*pieces, points[-1:]])


def _without_slivers(mesh: Mesh) -> Mesh:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return replace(mesh, faces=mesh.faces[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-10])
