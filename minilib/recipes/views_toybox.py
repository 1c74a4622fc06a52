"""From one to five pictures of a toy to the views that nobody took: the course's destination."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import Dataset

from minilib.diffusion.losses import simple_loss, stratified_times
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.samplers import ddim, sampling_times
from minilib.diffusion.schedules import make_betas
from minilib.figures import image_grid
from minilib.toybox.datasets import ToyViews
from minilib.training import Recipe, TrainConfig
from minilib.views.cameras import Camera
from minilib.views.denoiser import ViewDenoiser, ViewDenoiserConfig
from minilib.views.inputs import Views

VIEWS_PER_TOY = 8


def views64(split: str, *, num_toys: int, views_per_toy: int = VIEWS_PER_TOY, first: int = 0) -> ToyViews:
    """Views of toys at 64 pixels from all around; arguments as `ToyViews`."""
    return ToyViews(
        split,
        num_toys=num_toys,
        views_per_toy=views_per_toy,
        first=first,
        fields=("rgb", "alpha", "camera_to_world", "intrinsics"),
    )


class ToySets(Dataset):
    """Toys with all their views. Items as those of `ToyViews`, with a leading axis of views, in float32.

    Args:
        views: of which toys.
    """

    def __init__(self, views: ToyViews):
        self.views = views

    def __len__(self) -> int:
        return len(self.views) // self.views.views_per_toy

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        toy = self.views.toy(index)
        return {name: toy[name].float() for name in ("rgb", "alpha", "camera_to_world", "intrinsics")}


@dataclass(frozen=True, kw_only=True)
class ViewsToybox(Recipe):
    """A view-conditioned diffusion model on toys seen from all around.

    In each step all toys of the batch show the same number of input views, 1 to `max_views`, and are asked for
    `num_targets` others. Beside the error of x̂_0 there is a small one for what the volume itself looks like from the
    targets: colour and outline, at the rendering's few pixels. It teaches the volume where things are long before the
    U-Net would.

    Args:
        model: shape of the network.
        num_toys: of the training split, eight views each.
        num_targets: views of each toy that are learned from in a step.
        blind: share of examples without their maps, for classifier-free guidance.
        time_shift: towards the noise, of the times that are trained.
        num_train_timesteps: T, of a cosine schedule.
        rendering_weight: of the error of the rendering.
    Raises:
        ValueError: a number out of range.
    """

    name: str = "views-toybox"
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=8_000,
            batch_size=24,
            learning_rate=8e-4,
            weight_decay=0.01,
            ema_decay=0.998,
            mixed_precision="bf16",
            sample_every=500,
        )
    )
    model: ViewDenoiserConfig = field(default_factory=ViewDenoiserConfig)
    num_toys: int = 6_000
    num_targets: int = 2
    blind: float = 0.1
    time_shift: float = 3.0
    num_train_timesteps: int = 1000
    rendering_weight: float = 0.5

    def __post_init__(self):
        if not 1 <= self.num_targets <= VIEWS_PER_TOY - self.model.max_views:
            raise ValueError(
                f"expected 1 to {VIEWS_PER_TOY - self.model.max_views} targets beside {self.model.max_views} input"
                f" views, got {self.num_targets}"
            )
        if not 0.0 <= self.blind < 1.0 or self.time_shift <= 0 or self.num_train_timesteps < 25:
            raise ValueError(
                f"expected blind in [0, 1), time_shift > 0 and num_train_timesteps >= 25, got {self.blind},"
                f" {self.time_shift} and {self.num_train_timesteps}"
            )

    def make_model(self) -> ViewDenoiser:
        """The untrained model."""
        return ViewDenoiser(self.model)

    def make_process(self) -> GaussianDiffusion:
        """The forward process."""
        return GaussianDiffusion(make_betas("cosine", self.num_train_timesteps))

    def make_dataset(self) -> Dataset:
        """Toys with all their views."""
        return ToySets(views64("train", num_toys=self.num_toys))

    def draw(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Which views are seen and which are asked for, times, noise, and which examples lose their maps."""
        targets, size = (batch_size, self.num_targets), self.model.lifted.image_size
        times = stratified_times(
            batch_size * self.num_targets, self.num_train_timesteps, shift=self.time_shift, generator=generator
        )
        return {
            "order": torch.rand(batch_size, VIEWS_PER_TOY, generator=generator).argsort(1),
            "count": torch.randint(1, self.model.max_views + 1, (1,), generator=generator).expand(batch_size),
            "t": times.unflatten(0, targets),
            "noise": torch.randn(*targets, 3, size, size, generator=generator),
            "blind": torch.rand(batch_size, generator=generator) < self.blind,
        }

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """The squared error of x̂_0, and the weighted one of the rendering."""
        process = self.make_process().to(batch["rgb"].device)
        count = int(batch["count"][0])
        toys = torch.arange(len(batch["rgb"]), device=batch["rgb"].device)[:, None]
        inputs, asked = batch["order"][:, :count], batch["order"][:, -self.num_targets :]
        camera = Camera(batch["camera_to_world"], batch["intrinsics"])
        views, targets = Views(batch["rgb"], camera)[toys, inputs], camera[toys, asked]
        x0, alpha = batch["rgb"][toys, asked], batch["alpha"][toys, asked]
        t, noise = batch["t"].flatten(), batch["noise"].flatten(0, 1)
        x_t = process.q_sample(x0.flatten(0, 1), t, noise)
        blind = batch["blind"].repeat_interleave(self.num_targets)

        def talk(model: ViewDenoiser) -> Float[Tensor, " b"]:
            volume, turned = model.observe(views, targets)
            maps, seen = model.maps(volume, turned)
            maps = maps.flatten(0, 1) * ~blind[:, None, None, None]
            predicted = model.predict(x_t, t, maps)
            loss = simple_loss(process, predicted, x0.flatten(0, 1), t, noise, prediction_type="sample")
            small = F.adaptive_avg_pool2d(torch.cat([x0, alpha[:, :, None]], dim=2).flatten(0, 1), seen.depth.shape[-1])
            # a ray that is not stopped ends on the white ground
            colour = seen.values + (1 - seen.opacity)[:, :, None]
            rendered = torch.cat([colour, seen.opacity[:, :, None]], dim=2).flatten(0, 1)
            rough = (rendered.float() - small).square().flatten(1).mean(1)
            return (loss + self.rendering_weight * rough).unflatten(0, (-1, self.num_targets)).mean(1)

        return model(talk=talk)

    @torch.no_grad()
    def make_views(
        self,
        model: ViewDenoiser,
        views: Views,
        targets: Camera,
        *,
        samples: int = 1,
        steps: int = 25,
        seed: int = 0,
        **options: Any,
    ) -> Float[Tensor, "b m s 3 h w"]:
        """Views at target cameras (b, m), drawn by DDIM; further options are those of `ViewDenoiser.denoiser_of`."""
        denoise = model.denoiser_of(views, targets, samples=samples, **options)
        shape = (*targets.batch_shape, samples)
        size = self.model.lifted.image_size
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(*shape, 3, size, size, generator=generator).flatten(0, 2).to(views.images)
        times = sampling_times(self.num_train_timesteps, steps)
        return ddim(denoise, self.make_process().to(x.device), x, times).unflatten(0, shape)

    def preview(self, model: nn.Module, path: Path) -> None:
        """New toys: inputs (1 and 3), the truth, two samples from each."""
        toys = ToySets(views64("validation", num_toys=8))
        batch = torch.utils.data.default_collate([toys[index] for index in range(8)])
        camera = Camera(batch["camera_to_world"], batch["intrinsics"])
        views = Views(batch["rgb"], camera)
        made = [self.make_views(model, views[:, :n], camera[:, 7:], samples=2)[:, 0] for n in (1, 3)]  # pyright: ignore
        columns = torch.cat([batch["rgb"][:, [0, 7]], *made], dim=1)
        figure = image_grid(list(columns), clip=True)
        figure.savefig(path, dpi=100)
        plt.close(figure)
