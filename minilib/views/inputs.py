"""What a model of views is given: pictures, and the cameras that took them."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minilib.views.cameras import Camera, matrix_product, project, rotation_pose
from minilib.views.relative import check_cameras

EXTENT = 1.05
"""Half the side of the box around the origin in which objects are, in world units: toys reach 0.96."""


@dataclass(frozen=True)
class Views:
    """Pictures of b objects, n of each, whose centres are the origins of their worlds.

    Attributes:
        images: (b, n, 3, h, w) in [−1, 1], on white.
        camera: n for each object, batch shape (b, n).
    """

    images: Float[Tensor, "b n 3 h w"]
    camera: Camera

    def __getitem__(self, index: object) -> "Views":
        """Some objects, or with two indices some views of some of them."""
        return Views(self.images[index], self.camera[index])  # pyright: ignore[reportArgumentType]


class ViewModel(nn.Module):
    """A model that makes views from others.

    Args:
        max_views: input views at most in training; with more of them it warns.
    """

    def __init__(self, max_views: int):
        super().__init__()
        self.max_views = max_views

    def forward(self, *arguments: object, talk: Callable[..., object] | None = None) -> object:
        """What `talk` says of the model; so that training on several devices sees all that it does.

        Raises:
            TypeError: there is no `talk`.
        """
        if talk is None:
            raise TypeError("expected talk=function of the model; to make views, use `denoiser_of`")
        return talk(self)


def turned_to(camera: Camera, reference: Camera) -> Camera:
    """Cameras (b, m) in worlds turned about their origins so that the axes of the reference camera (b,) are the
    worlds' axes.

    The object's centre stays where it was. How the world was turned before leaves no trace in the result: a network
    that gets it cannot learn which way the objects of its training stood.
    """
    back = rotation_pose(reference.camera_to_world[..., :3, :3].mT)
    return Camera(matrix_product(back[..., None, :, :], camera.camera_to_world), camera.intrinsics)


def check_views(
    views: Views, targets: Camera | None = None, *, image_size: int, trained: int, extent: float = EXTENT
) -> None:
    """Refuses what a model cannot see an object in. Values are looked at on CPUs only.

    Args:
        views: the input views.
        targets: cameras (b, m) of views to be made.
        image_size: of the model, in pixels.
        trained: with how many input views the model was trained at most; more of them warn.
        extent: half the side of the box around the origin in which objects are, in world units.
    Raises:
        ValueError: no object or no view; pictures of another size or range, or another number than cameras; cameras
            that are none (see `check_cameras`), look away from the object or stand inside it.
        TypeError: pictures that are not floating-point.
    """
    images = views.images
    if images.ndim != 5 or images.shape[2] != 3:
        raise ValueError(f"expected images (b, n, 3, h, w), got {tuple(images.shape)}")
    if not images.shape[0] or not images.shape[1]:
        raise ValueError(f"expected at least one object and one input view, got images {tuple(images.shape)}")
    if not images.is_floating_point():
        raise TypeError(f"expected floating-point images in [-1, 1], got {images.dtype}")
    if images.shape[3:] != (image_size, image_size):
        raise ValueError(f"expected images of {image_size} × {image_size} pixels, got {tuple(images.shape[3:])}")
    if views.camera.batch_shape != images.shape[:2]:
        raise ValueError(
            f"expected a camera for each of {tuple(images.shape[:2])} images, got {tuple(views.camera.batch_shape)}"
        )
    if targets is not None and (len(targets.batch_shape) != 2 or targets.batch_shape[0] != len(images)):
        raise ValueError(f"expected target cameras ({len(images)}, m), got {tuple(targets.batch_shape)}")
    if images.device.type == "cpu":
        low, high = float(images.detach().min()), float(images.detach().max())
        if not (low >= -1.01 and high <= 1.01):  # NaN is not, either
            raise ValueError(f"expected images in [-1, 1], got values in [{low:.3g}, {high:.3g}]")
    for name, camera in (("input", views.camera), ("target", targets)):
        if camera is not None:
            check_cameras(camera)
            check_sight(camera, extent, name=f"{name} ")
    if images.shape[1] > trained:
        warnings.warn(f"{images.shape[1]} input views: this model was trained with {trained} at most", stacklevel=3)


def check_sight(camera: Camera, extent: float, *, name: str = "") -> None:
    """Refuses cameras from which the object at the origin cannot be seen. Values are looked at on CPUs only.

    Args:
        camera: many or one.
        extent: half the side of the box around the origin in which the object is, in world units.
        name: what to call the cameras in a message, with a space behind it, such as "input ".
    Raises:
        ValueError: a camera inside the box's inscribed sphere, or one that looks past it.
    """
    if camera.camera_to_world.device.type != "cpu":
        return
    camera = Camera(camera.camera_to_world.detach(), camera.intrinsics.detach())
    away = camera.position.norm(dim=-1)
    if bool((away <= extent).any()):
        raise ValueError(
            f"expected {name}cameras outside the object, whose box reaches {extent:g} from the origin; one is"
            f" {float(away.min()):.3g} away"
        )
    centre, depth = project(camera, torch.zeros_like(camera.position))
    half = 2 * extent / away * camera.intrinsics.diagonal(dim1=-2, dim2=-1)[..., :2].amax(-1)
    off = (centre - 0.5).abs().amax(-1)
    past = (depth <= 0) | (off > 0.5 + half)
    if bool(past.any()):
        angle = math.degrees(float(torch.acos((depth / away).clamp(-1, 1))[past][0]))
        u, v = centre[past][0].tolist()
        where = f", at ({u:.2g}, {v:.2g}) of its picture" if angle < 90 else ", behind it"
        raise ValueError(
            f"expected {name}cameras that look at the object at the origin; one has it {angle:.0f}° beside its axis"
            f"{where}"
        )
