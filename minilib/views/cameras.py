"""Pinhole cameras in the OpenCV convention: x right, y down, z forward into the picture.

Image positions (u, v) are shares of the image's width and height: (0, 0) is the outer corner of the top left pixel,
(1, 1) that of the bottom right one. World z is up; azimuth turns from +x towards +y; angles are radians.

A `Camera` can be many: with matrices (*b, 4, 4), points and positions begin with *b, too, and each camera has its own.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """Where a picture was taken from, and through which lens.

    Attributes:
        camera_to_world: rigid transform, (*b, 4, 4).
        intrinsics: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in shares of the image size, (*b, 3, 3).
    """

    camera_to_world: Float[Tensor, "*b 4 4"]
    intrinsics: Float[Tensor, "*b 3 3"]

    def single(self) -> "Camera":
        """The same camera, detached, in float64 on the CPU, for code that works with one camera in NumPy.

        Raises:
            ValueError: batch dimensions.
        """
        if self.camera_to_world.shape != (4, 4) or self.intrinsics.shape != (3, 3):
            shapes = f"{tuple(self.camera_to_world.shape)} and {tuple(self.intrinsics.shape)}"
            raise ValueError(f"expected one camera, of shapes (4, 4) and (3, 3), got {shapes}")
        return Camera(*(matrix.detach().cpu().double() for matrix in (self.camera_to_world, self.intrinsics)))

    def __getitem__(self, index: Any) -> "Camera":
        """Some of many cameras, by an index of their batch dimensions."""
        return Camera(self.camera_to_world[index], self.intrinsics[index])

    def to(self, *where: Any) -> "Camera":
        """The cameras with another dtype, or on another device; arguments as `Tensor.to`."""
        return Camera(self.camera_to_world.to(*where), self.intrinsics.to(*where))

    @property
    def batch_shape(self) -> torch.Size:
        """*b: how many cameras there are; () for one."""
        return self.camera_to_world.shape[:-2]

    @property
    def position(self) -> Float[Tensor, "*b 3"]:
        """The centre of projection, in world coordinates."""
        return self.camera_to_world[..., :3, 3]


def look_at(
    position: Float[Tensor, "*b 3"], target: Float[Tensor, "*b 3"], *, up: tuple[float, float, float] = (0.0, 0.0, 1.0)
) -> Float[Tensor, "*b 4 4"]:
    """camera_to_world of a camera at `position` that looks at `target` with `up` upwards in the picture.

    Raises:
        ValueError: position and target coincide, or the line between them is parallel to `up`.
    """
    forward = target - position
    right = torch.linalg.cross(forward, forward.new_tensor(up).expand_as(forward))
    if forward.device.type == "cpu" and bool((right.norm(dim=-1) < 1e-6 * forward.norm(dim=-1).clamp(min=1e-6)).any()):
        raise ValueError(f"look_at needs a line of sight that is not zero and not parallel to up = {up}")
    forward, right = (v / v.norm(dim=-1, keepdim=True) for v in (forward, right))
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward, position], dim=-1)
    bottom = position.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*position.shape[:-1], 1, 4)
    return torch.cat([rotation, bottom], dim=-2)


def orbit(
    azimuth: float | Float[Tensor, "*b"],
    elevation: float | Float[Tensor, "*b"],
    distance: float | Float[Tensor, "*b"],
    *,
    fov: float = math.radians(40),
    target_height: float = 0.0,
) -> Camera:
    """Cameras on spheres about (0, 0, target_height), looking at the centre, in float64 on the CPU. Numbers and tensors
    broadcast.

    Args:
        azimuth: radians from +x towards +y; 0 sees a toy's front.
        elevation: radians above the horizon, less than π/2 − 0.001 either way.
        distance: from the centre, > 0.
        fov: full opening angle, the same across and down.
        target_height: z of the point looked at.
    Raises:
        ValueError: an elevation, distance or field of view outside its range.
    """
    given = (torch.as_tensor(value, dtype=torch.float64, device="cpu") for value in (azimuth, elevation, distance))
    angle, height, away = torch.broadcast_tensors(*given)
    if bool((~(height.abs() < math.pi / 2 - 1e-3)).any()):
        raise ValueError(f"expected an elevation in radians, less than π/2 − 0.001 either way, got {elevation}")
    if not bool(((away > 0) & away.isfinite() & angle.isfinite()).all()):
        raise ValueError(f"expected a finite azimuth and a finite distance > 0, got {azimuth} and {distance}")
    direction = torch.stack([height.cos() * angle.cos(), height.cos() * angle.sin(), height.sin()], dim=-1)
    target = direction.new_tensor([0.0, 0.0, target_height]).expand_as(direction)
    pose = look_at(target + away[..., None] * direction, target)
    return Camera(pose, intrinsics_from_fov(fov).to(pose).expand(*pose.shape[:-2], 3, 3))


def random_orbit(
    count: int,
    generator: torch.Generator,
    *,
    elevation: tuple[float, float] = (-math.pi / 2 + 0.01, math.pi / 2 - 0.01),
    distance: tuple[float, float] = (2.9, 2.9),
    fov: float = math.radians(40),
) -> Camera:
    """Cameras whose directions are spread evenly over a sphere, or over a zone of it.

    Args:
        count: how many.
        generator: on the CPU.
        elevation: lowest and highest, in radians. Between them the *sine* is uniform: a zone's area grows with it.
        distance: lowest and highest, uniform between them.
        fov: see `orbit`.
    Raises:
        ValueError: fewer than one camera, bounds in the wrong order, or out of range (see `orbit`).
    """
    if count < 1 or elevation[0] > elevation[1] or distance[0] > distance[1]:
        raise ValueError(
            f"expected count >= 1 and bounds (lowest, highest), got {count}, elevation {elevation}, distance {distance}"
        )
    drawn = torch.rand(3, count, generator=generator, dtype=torch.float64)
    low, high = (math.sin(angle) for angle in elevation)
    height = torch.asin(low + (high - low) * drawn[1]).clamp(*elevation)
    away = distance[0] + (distance[1] - distance[0]) * drawn[2]
    return orbit(math.pi * (2 * drawn[0] - 1), height, away, fov=fov)


def intrinsics_from_fov(fov: float) -> Float[Tensor, "3 3"]:
    """Intrinsics of a square image with full opening angle `fov` (radians), the axis through its centre, float64.

    Raises:
        ValueError: a field of view outside (0, π).
    """
    if not 0.0 < fov < math.pi:
        raise ValueError(f"expected a field of view in radians between 0 and pi, got {fov}")
    focal = 0.5 / math.tan(fov / 2)
    return torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]], dtype=torch.float64)


def pixel_centers(height: int, width: int, *, device: torch.device | None = None) -> Float[Tensor, "h w 2"]:
    """(u, v) of the middle of each pixel, float64."""
    v, u = torch.meshgrid(
        (torch.arange(height, dtype=torch.float64, device=device) + 0.5) / height,
        (torch.arange(width, dtype=torch.float64, device=device) + 0.5) / width,
        indexing="ij",
    )
    return torch.stack([u, v], dim=-1)


def ray_directions(camera: Camera, uv: Float[Tensor, "... 2"]) -> Float[Tensor, "... 3"]:
    """World directions of cameras' rays through image positions (*b, *n, 2), of length 1 along the camera's z axis.

    A point at depth z on a ray is `position + z * direction`.

    Raises:
        ValueError: positions that do not begin with the cameras' batch dimensions.
    """
    flat, focal, centre = _for_each(camera, uv)
    plane = (flat - centre) / focal
    local = torch.cat([plane, torch.ones_like(plane[..., :1])], dim=-1)
    return matrix_product(local, camera.camera_to_world[..., :3, :3].mT).reshape(*uv.shape[:-1], 3)


def project(camera: Camera, points: Float[Tensor, "... 3"]) -> tuple[Float[Tensor, "... 2"], Float[Tensor, "..."]]:
    """Image positions (u, v) and depths along the camera's z axis of world points (*b, *n, 3); a depth <= 0 lies
    behind it.

    Raises:
        ValueError: points that do not begin with the cameras' batch dimensions.
    """
    flat, focal, centre = _for_each(camera, points)
    local = matrix_product(flat - camera.position[..., None, :], camera.camera_to_world[..., :3, :3])
    depth = local[..., 2:]
    uv = focal * local[..., :2] / depth + centre
    return uv.reshape(*points.shape[:-1], 2), depth.reshape(points.shape[:-1])


def unproject(camera: Camera, uv: Float[Tensor, "... 2"], depth: Float[Tensor, "..."]) -> Float[Tensor, "... 3"]:
    """World points at given image positions (*b, *n, 2) and depths (*b, *n); undoes `project`. Errors as there."""
    ways = depth[..., None] * ray_directions(camera, uv)
    batch = len(camera.batch_shape)
    return ways + camera.position.unflatten(-1, (1,) * (ways.ndim - 1 - batch) + (3,))


def plucker_rays(camera: Camera, height: int, width: int) -> Float[Tensor, "*b 6 {height} {width}"]:
    """The ray of each pixel as a line in space: its moment o × d, then its direction d of length 1 (Plücker).

    Any point o of the line gives the same six numbers: a camera that moves along a ray does not change it.
    """
    uv = pixel_centers(height, width, device=camera.camera_to_world.device).to(camera.camera_to_world)
    directions = ray_directions(camera, uv.expand(*camera.batch_shape, height, width, 2))
    directions = directions / directions.norm(dim=-1, keepdim=True)
    moments = torch.linalg.cross(camera.position[..., None, None, :].expand_as(directions), directions)
    return torch.cat([moments, directions], dim=-1).movedim(-1, -3)


def rotation_pose(rotation: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 4 4"]:
    """Rigid transforms that turn, and move nothing."""
    pose = F.pad(rotation, (0, 1, 0, 1))
    pose[..., 3, 3] = 1.0
    return pose


def matrix_product(a: Float[Tensor, "*#b n k"], b: Float[Tensor, "*#b k m"]) -> Float[Tensor, "*b n m"]:
    """a @ b for small matrices, in their precision under autocast, too: rays in half precision would miss pixels."""
    return (a[..., :, :, None] * b[..., None, :, :]).sum(-2)


def _for_each(camera: Camera, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values (*b, *n, d) as (*b, n, d); focal lengths and image centres, (*b, 1, 2)."""
    batch = camera.batch_shape
    if values.shape[: len(batch)] != batch:
        raise ValueError(
            f"expected values that begin with the cameras' dimensions {tuple(batch)}, got {tuple(values.shape)}"
        )
    k = camera.intrinsics
    focal, centre = k.diagonal(dim1=-2, dim2=-1)[..., None, :2], k[..., None, :2, 2]
    return values.reshape(*batch, -1, values.shape[-1]), focal, centre
