"""Pinhole cameras in the OpenCV convention: x right, y down, z forward into the picture.

Image positions (u, v) are shares of the image's width and height: (0, 0) is the outer corner of the top left pixel,
(1, 1) that of the bottom right one. World z is up; azimuth turns from +x towards +y; angles are radians.
"""

import math
from dataclasses import dataclass

import torch
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
    azimuth: float, elevation: float, distance: float, *, fov: float = math.radians(40), target_height: float = 0.0
) -> Camera:
    """A camera on a sphere about (0, 0, target_height), looking at its centre, float64.

    Args:
        azimuth: radians from +x towards +y; 0 sees a toy's front.
        elevation: radians above the horizon, at most π/2 − 0.001 either way.
        distance: from the centre, > 0.
        fov: full opening angle, the same across and down.
        target_height: z of the point looked at.
    Raises:
        ValueError: an elevation, distance or field of view outside its range.
    """
    if not abs(elevation) < math.pi / 2 - 1e-3:
        raise ValueError(f"expected an elevation in radians strictly between -pi/2 and pi/2, got {elevation}")
    if not 0.0 < distance < math.inf or not math.isfinite(azimuth):
        raise ValueError(f"expected a finite azimuth and a finite distance > 0, got {azimuth} and {distance}")
    direction = [
        math.cos(elevation) * math.cos(azimuth),
        math.cos(elevation) * math.sin(azimuth),
        math.sin(elevation),
    ]
    target = torch.tensor([0.0, 0.0, target_height], dtype=torch.float64)
    position = target + distance * torch.tensor(direction, dtype=torch.float64)
    return Camera(look_at(position, target), intrinsics_from_fov(fov))


def intrinsics_from_fov(fov: float) -> Float[Tensor, "3 3"]:
    """Intrinsics of a square image with full opening angle `fov` (radians), the axis through its centre, float64.

    Raises:
        ValueError: a field of view outside (0, π).
    """
    if not 0.0 < fov < math.pi:
        raise ValueError(f"expected a field of view in radians between 0 and pi, got {fov}")
    focal = 0.5 / math.tan(fov / 2)
    return torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]], dtype=torch.float64)


def pixel_centers(height: int, width: int) -> Float[Tensor, "h w 2"]:
    """(u, v) of the middle of each pixel, float64."""
    v, u = torch.meshgrid(
        (torch.arange(height, dtype=torch.float64) + 0.5) / height,
        (torch.arange(width, dtype=torch.float64) + 0.5) / width,
        indexing="ij",
    )
    return torch.stack([u, v], dim=-1)


def ray_directions(camera: Camera, uv: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n 3"]:
    """World directions of one camera's rays through image positions, of length 1 along the camera's z axis.

    A point at depth z on the ray is `camera.position + z * direction`.
    """
    k = camera.intrinsics
    x = (uv[..., 0] - k[0, 2]) / k[0, 0]
    y = (uv[..., 1] - k[1, 2]) / k[1, 1]
    return torch.stack([x, y, torch.ones_like(x)], dim=-1) @ camera.camera_to_world[:3, :3].mT


def project(camera: Camera, points: Float[Tensor, "*n 3"]) -> tuple[Float[Tensor, "*n 2"], Float[Tensor, "*n"]]:
    """Image positions (u, v) and depths along one camera's z axis of world points; a depth <= 0 lies behind it."""
    local = (points - camera.position) @ camera.camera_to_world[:3, :3]
    depth = local[..., 2]
    k = camera.intrinsics
    return torch.stack([k[0, 0], k[1, 1]]) * local[..., :2] / depth[..., None] + k[:2, 2], depth


def unproject(camera: Camera, uv: Float[Tensor, "*n 2"], depth: Float[Tensor, "*n"]) -> Float[Tensor, "*n 3"]:
    """World points at given image positions and depths of one camera; undoes `project`."""
    return camera.position + depth[..., None] * ray_directions(camera, uv)
