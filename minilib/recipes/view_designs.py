"""What `views-toybox` is compared with: the same task without geometry in the network, and without noise."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minilib.checkpoints import fit_state_dict
from minilib.diffusion.guidance import Denoise
from minilib.diffusion.losses import simple_loss, stratified_times
from minilib.recipes.toy_views import Task, ToyViewsRecipe, view_training
from minilib.recipes.views_toybox import ViewsToybox
from minilib.training import TrainConfig
from minilib.views.cameras import Camera
from minilib.views.denoiser import ViewDenoiser
from minilib.views.inputs import Views
from minilib.views.transformer import ViewTransformer, ViewTransformerConfig


@dataclass(frozen=True, kw_only=True)
class TransformerToybox(ToyViewsRecipe):
    """Views as tokens; geometry only in how cameras move the channels of attention.

    All targets of a toy are drawn together, so they are noised to one time. How many there are, up to `num_targets`, is
    drawn for each step: the model has to do with one, too.

    Args:
        model: shape of the network.
    """

    name: str = "transformer-toybox"
    leaves_weights_unused: ClassVar[bool] = True
    train: TrainConfig = field(default_factory=lambda: view_training(steps=3_700, learning_rate=6e-4))
    model: ViewTransformerConfig = field(default_factory=ViewTransformerConfig)

    @property
    def image_size(self) -> int:
        """Of the views, in pixels."""
        return self.model.image_size

    def make_model(self) -> ViewTransformer:
        """The untrained model."""
        return ViewTransformer(self.model, max_views=self.max_views)

    def denoiser_of(self, model: ViewTransformer, views: Views, targets: Camera, **options: Any) -> Denoise:
        """See `ViewTransformer.denoiser_of`."""
        return model.denoiser_of(views, targets, **options)

    def draw(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """As all recipes of views, but one time for all targets of a toy; and how many targets there are."""
        times = stratified_times(batch_size, self.num_train_timesteps, shift=self.time_shift, generator=generator)
        number = torch.randint(1, self.num_targets + 1, (1,), generator=generator)
        return super().draw(batch_size, generator) | {
            "t": times[:, None].expand(-1, self.num_targets),
            "number": number.expand(batch_size),
        }

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """The squared error of x̂_0. Whether the toys are blind is the whole batch's, by the first of them: then no keys
        of input views are there to be looked at."""
        task, number = self.task(batch), int(batch["number"][0])
        process = self.make_process().to(task.x0.device)

        def talk(model: ViewTransformer) -> Float[Tensor, " b"]:
            memory = None if bool(batch["blind"][0]) else model.remember(task.views)
            x_t, x0, t, noise = (some[:, :number] for some in (task.x_t, task.x0, task.t, task.noise))
            predicted = model.predict(x_t, t, task.targets[:, :number], memory)
            parts = (some.flatten(0, 1) for some in (predicted, x0, t, noise))
            return simple_loss(process, *parts, prediction_type="sample").unflatten(0, t.shape).mean(1)

        return model(talk=talk)


@dataclass(frozen=True, kw_only=True)
class RegressorToybox(ViewsToybox):
    """The network of `views-toybox` without noise: what is asked for is drawn at once, from zeros, always the same.

    The least squared error belongs to the mean of all views that there could be; where the input views do not decide,
    that is a blur.

    Args:
        start: name of the trained model whose weights it begins with, and whose lifting it keeps; empty for none.
    """

    name: str = "regressor-toybox"
    train: TrainConfig = field(default_factory=lambda: view_training(steps=1_000, learning_rate=3e-4))
    blind: float = 0.0
    start: str = "views-toybox"

    def make_model(self) -> ViewDenoiser:
        """A model that has learnt what `start` has, and goes on learning in its U-Net alone: what it is told of the
        input views stays.

        Raises:
            FileNotFoundError, ValueError: nothing trained is there by that name, or it has another shape.
        """
        model = super().make_model()
        if self.start:
            from minilib.weights import load_trained

            fit_state_dict(model, load_trained(self.start)[1].state_dict(), source=self.start)
            model.lifted.requires_grad_(False)
        return model

    def task(self, batch: dict[str, Tensor]) -> Task:
        """As `views-toybox`, but nothing is left of the target, and the time says so."""
        task = super().task(batch)
        last = torch.full_like(task.t, self.num_train_timesteps - 1)
        return task._replace(x_t=torch.zeros_like(task.x_t), t=last)

    @torch.no_grad()
    def make_views(
        self,
        model: ViewDenoiser,
        views: Views,
        targets: Camera,
        *,
        samples: int = 1,
        steps: int = 1,
        temperature: float = 0.0,
        seed: int = 0,
        **options: Any,
    ) -> Float[Tensor, "b m s 3 h w"]:
        """Views at target cameras (b, m), in one step and without noise, whatever `steps`, `temperature` and `seed`
        say, so all samples are the same. Further options are those of `denoiser_of`."""
        denoise = self.denoiser_of(model, views, targets, **options)
        zeros = views.images.new_zeros(targets.batch_shape.numel(), *views.images.shape[2:])
        x0 = denoise(zeros, torch.full((len(zeros),), self.num_train_timesteps - 1, device=zeros.device))
        return x0.unflatten(0, targets.batch_shape)[:, :, None].expand(-1, -1, samples, -1, -1, -1)
