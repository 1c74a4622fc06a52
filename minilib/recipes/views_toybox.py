"""From one to five pictures of a toy to the views that nobody took: the course's destination."""

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from minilib.diffusion.guidance import Denoise
from minilib.diffusion.losses import simple_loss
from minilib.recipes.toy_views import ToyViewsRecipe, view_training
from minilib.training import TrainConfig
from minilib.views.cameras import Camera
from minilib.views.denoiser import ViewDenoiser, ViewDenoiserConfig
from minilib.views.inputs import Views
from minilib.views.lifted import LiftedConfig
from minilib.views.volume import Rendering


@dataclass(frozen=True, kw_only=True)
class ViewsToybox(ToyViewsRecipe):
    """A view-conditioned diffusion model with geometry in it.

    Beside the error of x̂_0 there is a smaller one for what the volume itself looks like, at the rendering's few pixels:
    colour and outline from the targets, outline from the input views. It tells the volume directly where things are.

    Args:
        model: shape of the network.
        rendering_weight: of the error of the rendering.
    """

    name: str = "views-toybox"
    train: TrainConfig = field(default_factory=lambda: view_training(steps=8_000))
    model: ViewDenoiserConfig = field(default_factory=ViewDenoiserConfig)
    rendering_weight: float = 0.5

    @property
    def image_size(self) -> int:
        """Of the views, in pixels."""
        return self.model.lifted.image_size

    @property
    def extent(self) -> float:
        """How far objects reach from the origin along an axis, in world units."""
        return self.model.lifted.extent

    def make_model(self) -> ViewDenoiser:
        """The untrained model."""
        return ViewDenoiser(self.model, max_views=self.max_views)

    def denoiser_of(self, model: ViewDenoiser, views: Views, targets: Camera, **options: Any) -> Denoise:
        """See `ViewDenoiser.denoiser_of`."""
        return model.denoiser_of(views, targets, **options)

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """The squared error of x̂_0, and the weighted one of the rendering."""
        task = self.task(batch)
        process = self.make_process().to(task.x0.device)
        t = task.t.flatten()

        def talk(model: ViewDenoiser) -> Float[Tensor, " b"]:
            volume, turned = model.observe(task.views, task.targets)
            maps, seen = model.maps(volume, turned)
            maps = (maps * ~task.blind[:, None, None, None, None]).flatten(0, 1)
            predicted = model.predict(task.x_t.flatten(0, 1), t, maps)
            x0, noise = task.x0.flatten(0, 1), task.noise.flatten(0, 1)
            loss = simple_loss(process, predicted, x0, t, noise, prediction_type="sample")
            loss = loss.unflatten(0, task.t.shape).mean(1)
            outline = outline_error(volume.seen, task.input_alpha).mean(1)
            return loss + self.rendering_weight * (rendering_error(seen, task.x0, task.alpha).mean(1) + outline)

        return model(talk=talk)


@dataclass(frozen=True, kw_only=True)
class ViewsLarge(ViewsToybox):
    """The same for 128 pixels and a GPU, for folders of many objects: see `data`.

    A hundred million weights. It was never trained for this course.
    """

    name: str = "views-large"
    train: TrainConfig = field(
        default_factory=lambda: view_training(
            steps=200_000, batch_size=32, learning_rate=2e-4, ema_decay=0.9999, workers=8, warmup_steps=1000
        )
    )
    model: ViewDenoiserConfig = field(
        default_factory=lambda: ViewDenoiserConfig(
            lifted=LiftedConfig(
                image_size=128,
                encoder=(64, 96, 128, 192),
                channels=48,
                volume_size=32,
                render_size=32,
                num_samples=40,
            ),
            widths=(128, 256, 384, 512),
            layers_per_block=2,
        )
    )


def outline_error(seen: Rendering, alpha: Float[Tensor, "b n h w"]) -> Float[Tensor, "b n"]:
    """Squared error of rendered opacities, at their size."""
    truth = F.adaptive_avg_pool2d(alpha, seen.opacity.shape[-1])
    return (seen.opacity.float() - truth).square().flatten(2).mean(2)


def rendering_error(
    seen: Rendering, x0: Float[Tensor, "b m 3 h w"], alpha: Float[Tensor, "b m h w"]
) -> Float[Tensor, "b m"]:
    """Squared error of rendered colours and opacities, at their size. A ray that is not stopped ends on white."""
    size = seen.depth.shape[-1]
    truth = F.adaptive_avg_pool2d(torch.cat([x0, alpha[:, :, None]], dim=2).flatten(0, 1), size)
    colour = seen.values + (1 - seen.opacity)[:, :, None]
    rendered = torch.cat([colour, seen.opacity[:, :, None]], dim=2)
    return (rendered.float() - truth.unflatten(0, x0.shape[:2])).square().flatten(2).mean(2)
