"""Poses that learn: in the manner of SAP3D (Han et al. 2024), the cameras of an object's pictures are moved downhill on
the loss of a view model, while its attention is fitted to these pictures."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minilib.diffusion.unet_blocks import SpatialAttention
from minilib.views.cameras import Camera, matrix_product, rotation_pose
from minilib.views.denoiser import ViewDenoiser


class TurnedCameras(nn.Module):
    """Cameras that can learn where they stand: each has a turn about the object's centre, an axis times an angle in
    radians, which starts at 0. The first camera stays: the others are told in its frame.

    SAP3D's three numbers are polar angle, azimuth and distance; here a camera may roll, and keeps its distance.

    Args:
        camera: where they stand at first, (n,).
    """

    pose: Tensor
    intrinsics: Tensor

    def __init__(self, camera: Camera):
        super().__init__()
        self.register_buffer("pose", camera.camera_to_world.detach().clone())
        self.register_buffer("intrinsics", camera.intrinsics.detach().clone())
        self.turns = nn.Parameter(torch.zeros(len(camera.camera_to_world), 3))

    def forward(self) -> Camera:
        """Where they stand now."""
        x, y, z = self.turns.to(self.pose).unbind(-1)
        zero = torch.zeros_like(x)
        rows = [torch.stack(row, dim=-1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
        turn = torch.linalg.matrix_exp(torch.stack(rows, dim=-2) * (torch.arange(len(x)) > 0).to(x)[:, None, None])
        return Camera(matrix_product(rotation_pose(turn), self.pose), self.intrinsics)


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """How a view model is fitted to one object.

    Args:
        steps: updates.
        learning_rate: of the attention's weights.
        pose_rate: of the cameras' turns, in radians; 0 leaves the cameras where they are.
        own_weight, prior_weight: of the loss on the object's own pictures, and on others, which keeps the model from
            forgetting (Han et al. 2024: 1.5 and 1).
    Raises:
        ValueError: a number out of range.
    """

    steps: int = 100
    learning_rate: float = 2e-4
    pose_rate: float = 5e-3
    own_weight: float = 1.5
    prior_weight: float = 1.0

    def __post_init__(self):
        rates = (self.learning_rate, self.pose_rate, self.own_weight, self.prior_weight)
        if self.steps < 1 or self.learning_rate == 0 or not all(0 <= rate < math.inf for rate in rates):
            raise ValueError(f"expected steps >= 1, learning_rate > 0 and no negative rate or weight, got {self}")


def adapt(
    model: ViewDenoiser,
    cameras: TurnedCameras,
    own: Callable[[ViewDenoiser, Camera], Tensor],
    prior: Callable[[ViewDenoiser], Tensor],
    config: Adaptation,
) -> ViewDenoiser:
    """Fits the attention of a copy of a view model to one object, and moves `cameras`, whose pictures they are, to
    where they fit best (Han et al. 2024, section 3.3).

    Args:
        model: stays as it is.
        cameras: move, if there is a `pose_rate`.
        own: loss of a model on pairs of the object's pictures with given cameras; draws them anew at each call.
        prior: loss of a model on other objects; not called if it has no weight.
        config: how.
    Raises:
        ArithmeticError: the loss became NaN or infinite; says at which step.
    """
    adapted = deepcopy(model).requires_grad_(False).train()
    layers = [module for module in adapted.modules() if isinstance(module, SpatialAttention)]
    weights = [weight.requires_grad_() for layer in layers for weight in layer.parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": weights, "lr": config.learning_rate},
            {"params": list(cameras.parameters()), "lr": config.pose_rate},
        ],
        weight_decay=0.0,
    )
    for step in range(config.steps):
        loss = config.own_weight * own(adapted, cameras())
        if config.prior_weight:
            loss = loss + config.prior_weight * prior(adapted)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ArithmeticError(f"the loss is {value} at step {step} of the adaptation: try lower rates")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return adapted.requires_grad_(False).eval()
