"""How cameras stand to each other: in the frame of one of them, as Zero-1-to-3 says it, and how far apart."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from minilib.views.cameras import Camera, matrix_product

TOLERANCE = 1e-3
"""How far a pose may be from a rotation with a last row 0 0 0 1, in its largest entry."""

FARTHEST = 5.0
"""How many sizes of its picture a principal point may be from the middle: pictures may be cut out of larger ones."""


def check_cameras(camera: Camera) -> None:
    """Refuses what are no cameras. Values are looked at on CPUs only.

    Raises:
        ValueError: intrinsics missing or of another number than poses; no camera at all; NaN; a matrix that is no
            rotation (it says by how much), or a mirrored one; a last row that is not 0 0 0 1; a focal length that is
            not positive; a principal point so far away that intrinsics must be in pixels.
    """
    if not isinstance(camera.intrinsics, Tensor):
        raise ValueError(f"expected intrinsics (*b, 3, 3) beside the poses, got {camera.intrinsics!r}")
    pose, k = camera.camera_to_world.detach(), camera.intrinsics.detach()
    if pose.shape[-2:] != (4, 4) or k.shape[-2:] != (3, 3) or pose.shape[:-2] != k.shape[:-2]:
        raise ValueError(
            f"expected poses (*b, 4, 4) and intrinsics (*b, 3, 3), got {tuple(pose.shape)} and {tuple(k.shape)}"
        )
    if not pose.numel():
        raise ValueError(f"expected at least one camera, got poses {tuple(pose.shape)}")
    if pose.device.type != "cpu":
        return
    if not bool(pose.isfinite().all() and k.isfinite().all()):
        raise ValueError("expected finite poses and intrinsics, got NaN or infinity")
    rotation = pose[..., :3, :3]
    identity = torch.eye(3, dtype=pose.dtype, device=pose.device)
    off = float((matrix_product(rotation, rotation.mT) - identity).abs().max())
    if off > TOLERANCE:
        raise ValueError(
            f"expected rotations R in camera_to_world, got R Rᵀ that is off from the identity by {off:.3g}"
        )
    if bool((torch.linalg.det(rotation) < 0).any()):
        raise ValueError("expected rotations in camera_to_world, got a mirrored one (determinant -1)")
    if float((pose[..., 3, :] - pose.new_tensor([0.0, 0.0, 0.0, 1.0])).abs().max()) > TOLERANCE:
        raise ValueError(f"expected 0 0 0 1 as the last row of camera_to_world, got {pose[..., 3, :].tolist()}")
    focal = k.diagonal(dim1=-2, dim2=-1)[..., :2]
    if not bool((focal > 0).all()):
        raise ValueError(f"expected focal lengths > 0, got {focal.tolist()}")
    middle = k[..., :2, 2].reshape(-1, 2)
    if float((middle - 0.5).abs().max()) > FARTHEST:
        worst = middle[(middle - 0.5).abs().amax(-1).argmax()].tolist()
        raise ValueError(
            "expected intrinsics in shares of the image's size, with a principal point near (0.5, 0.5), got one at"
            f" ({worst[0]:.3g}, {worst[1]:.3g}): divide the rows of intrinsics in pixels by width and height"
        )


def relative_to(camera: Camera, reference: Camera) -> Camera:
    """The cameras as `reference` sees them: in its frame, in which it is the identity itself. Batches broadcast.

    What is said of cameras in this way does not change if the world is moved or turned as a whole.
    """
    pose = matrix_product(inverse_pose(reference.camera_to_world), camera.camera_to_world)
    return Camera(pose, camera.intrinsics.expand(*pose.shape[:-2], 3, 3))


def inverse_pose(pose: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The inverse of rigid transforms, from their transposed rotations."""
    turned = pose[..., :3, :3].mT
    moved = -matrix_product(turned, pose[..., :3, 3:])
    return torch.cat([torch.cat([turned, moved], dim=-1), pose[..., 3:, :]], dim=-2)


def spherical_offset(camera: Camera, reference: Camera) -> Float[Tensor, "*b 4"]:
    """[Δθ, sin Δφ, cos Δφ, Δr] from a reference camera to another, both about the world's origin: what Zero-1-to-3 is
    told of a view (Liu et al. 2023, section 3.2 and the appendix on coordinates). θ is the angle from the z axis, φ the
    azimuth, r the distance.

    It needs to know where up is, and says nothing about where a camera looks.
    """
    (theta, phi, r), (theta0, phi0, r0) = (_spherical(one.position) for one in (camera, reference))
    turn = phi - phi0
    return torch.stack(torch.broadcast_tensors(theta - theta0, turn.sin(), turn.cos(), r - r0), dim=-1)


def rotation_error(camera: Camera, truth: Camera) -> Float[Tensor, "*b"]:
    """The angle in radians, 0..π, of the rotation that is left between cameras."""
    difference = camera.camera_to_world[..., :3, :3] - truth.camera_to_world[..., :3, :3]
    # ‖A − B‖ = 2√2 sin(angle / 2): exact for small angles, where the arc cosine of a trace loses half of its digits.
    return 2 * torch.asin((difference.flatten(-2).norm(dim=-1) / (2 * math.sqrt(2))).clamp(max=1))


def translation_error(camera: Camera, truth: Camera) -> Float[Tensor, "*b"]:
    """The distance between cameras' centres, in world units."""
    return (camera.position - truth.position).norm(dim=-1)


def _spherical(position: Float[Tensor, "*b 3"]) -> tuple[Tensor, Tensor, Tensor]:
    r = position.norm(dim=-1)
    return torch.acos((position[..., 2] / r).clamp(-1, 1)), torch.atan2(position[..., 1], position[..., 0]), r
