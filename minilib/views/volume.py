"""From pictures to a volume and back, by the cameras' own geometry; nothing here is learned.

Lifting asks for each point of space where the cameras saw it, and takes the features there. Rendering goes along the
rays of another camera and adds up what the volume holds, as NeRF does (Mildenhall et al. 2020, eq. 3).

A volume (b, c, r, r, r) fills the cube from −extent to extent around the origin; its axes are z, y, x, so that
volume[:, :, k, j, i] is at (x_i, y_j, z_k). Values sit in the middle of voxels, as those of pictures in the middle of
pixels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from minilib.views.cameras import Camera, pixel_centers, project, ray_directions


class Rendering(NamedTuple):
    """What is seen of a volume.

    Attributes:
        values: what the rays gather, 0 where there is nothing.
        opacity: in [0, 1]: how much of each ray is stopped.
        depth: along the camera's axis, the mean over where a ray is stopped; far for a ray that is not stopped at all.
    """

    values: Float[Tensor, "b m c h w"]
    opacity: Float[Tensor, "b m h w"]
    depth: Float[Tensor, "b m h w"]


def voxel_centers(
    size: int, extent: float, *, device: torch.device | None = None
) -> Float[Tensor, "{size} {size} {size} 3"]:
    """Positions (x, y, z) of the voxels of a volume, in its order."""
    places = ((torch.arange(size, device=device) + 0.5) / size * 2 - 1) * extent
    z, y, x = torch.meshgrid(places, places, places, indexing="ij")
    return torch.stack([x, y, z], dim=-1)


def lift(
    features: Float[Tensor, "b n c h w"], camera: Camera, points: Float[Tensor, "b p 3"]
) -> tuple[Float[Tensor, "b n c p"], Float[Tensor, "b n p"]]:
    """What each view shows where it would show given points: the features there, between pixels by interpolation.

    Whether something stands before a point is not asked: all points of a ray get the same features.

    Args:
        features: of n views of each of b objects.
        camera: of the views, batch shape (b, n).
        points: in world coordinates.
    Returns:
        Features, float32 also where those given are in half precision, 0 for points beside the picture or behind the
        camera; depths of the points along the camera's axis.
    """
    count, size = features.shape[1], points.shape[1]
    uv, depth = project(camera, points[:, None].expand(-1, count, size, 3).to(camera.position))
    uv = torch.where((depth > 0)[..., None], uv, -1.0)  # beside the picture
    grid = rearrange(2 * uv - 1, "b n p d -> (b n) 1 p d").float()
    found = F.grid_sample(features.flatten(0, 1).float(), grid, padding_mode="zeros", align_corners=False)
    return rearrange(found, "(b n) c 1 p -> b n c p", n=count), depth


def mean_and_variance(
    values: Float[Tensor, "b n c p"], weights: Float[Tensor, "b n p"]
) -> tuple[Float[Tensor, "b c p"], Float[Tensor, "b c p"]]:
    """Over the views, weighted; 0 where all weights are 0. The order of the views does not matter."""
    values = values.float()  # the variance is a difference of two numbers that may be nearly equal
    share = (weights / weights.sum(1, keepdim=True).clamp(min=1e-6))[:, :, None]
    mean = (share * values).sum(1)
    return mean, ((share * values.square()).sum(1) - mean.square()).clamp(min=0)


def sample_volume(
    volume: Float[Tensor, "b c r r r"], points: Float[Tensor, "b p 3"], extent: float
) -> Float[Tensor, "b c p"]:
    """A volume's values at points, between voxels by interpolation; 0 outside."""
    grid = (points / extent)[:, None, None].float()
    return F.grid_sample(volume.float(), grid, padding_mode="zeros", align_corners=False)[:, :, 0, 0]


def render(
    volume: Float[Tensor, "b c r r r"],
    density: Float[Tensor, "b 1 r r r"],
    camera: Camera,
    *,
    image_size: int,
    num_samples: int,
    extent: float,
) -> Rendering:
    """Views of volumes: values, opacity and depth at m cameras (b, m) for each.

    Args:
        volume: what is to be seen.
        density: ≥ 0: how much of a ray stops in a unit of length.
        camera: the cameras.
        image_size: of the result.
        num_samples: on each ray, at even depths through the sphere of radius `extent` around the origin.
        extent: half the side of the cube.
    """
    cameras, batch = camera.batch_shape[1], len(volume)
    uv = pixel_centers(image_size, image_size, device=volume.device).to(camera.position)
    directions = ray_directions(camera, uv.expand(*camera.batch_shape, image_size, image_size, 2))
    forward = camera.camera_to_world[..., :3, 2]
    middle = -(camera.position * forward).sum(-1)[..., None, None, None]  # depth of the origin
    steps = (torch.arange(num_samples, device=volume.device).to(middle) + 0.5) / num_samples * 2 - 1
    depth = (middle + extent * steps).expand(batch, cameras, image_size, image_size, num_samples)
    points = camera.position[:, :, None, None, None] + depth[..., None] * directions[..., None, :]
    found = sample_volume(torch.cat([density, volume], dim=1), points.flatten(1, -2), extent)
    found = found.unflatten(2, (cameras, image_size, image_size, num_samples))
    length = 2 * extent / num_samples * directions.norm(dim=-1)[..., None]
    ahead = found[:, 0] * (depth > 0)  # a camera that looks away has part of the sphere behind it
    weights = ray_weights(ahead, length.to(found.dtype))
    opacity = weights.sum(-1)
    far = (middle + extent)[..., 0].to(weights.dtype)
    mean = (weights * depth.to(weights.dtype)).sum(-1) / opacity.clamp(min=1e-3)
    return Rendering(
        values=(found[:, 1:] * weights[:, None]).sum(-1).movedim(1, 2),
        opacity=opacity,
        depth=torch.where(opacity > 1e-3, mean, far),
    )


def ray_weights(density: Float[Tensor, "*n s"], length: Float[Tensor, "*#n #s"]) -> Float[Tensor, "*n s"]:
    """How much of each ray stops at each of its samples: T_i (1 − exp(−σ_i δ_i)), with T_i what has come through to
    it, exp(−Σ_{j<i} σ_j δ_j) (Mildenhall et al. 2020, eq. 3).

    Args:
        density: σ ≥ 0, from the camera outwards.
        length: δ, of the pieces of the ray that the samples stand for.
    """
    passed = torch.exp(-(density * length).cumsum(-1))
    before = torch.cat([torch.ones_like(passed[..., :1]), passed[..., :-1]], dim=-1)
    return before - passed
