"""Toys seen from all around, and what all recipes that make their views have in common."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from minilib.diffusion.guidance import Denoise
from minilib.diffusion.losses import stratified_times
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.samplers import ddim, sampling_times
from minilib.diffusion.schedules import make_betas
from minilib.figures import image_grid
from minilib.recipes.view_sets import FolderSets, ToySets
from minilib.training import Recipe, TrainConfig
from minilib.views.cameras import Camera
from minilib.views.inputs import EXTENT, Views

VIEWS_PER_TOY = 8

TEMPERATURE = 0.6
"""Of samples, for all designs. On validation toys, samples of so short a training are blotchy at 1; much less so at
0.6, where they still differ."""


class Task(NamedTuple):
    """What a step asks of a model.

    Attributes:
        views: the input views of b toys.
        input_alpha: how much of each of their pixels the toy covers.
        inputs: their numbers among each toy's views.
        targets: m cameras for each toy.
        x0, alpha: what they see.
        t, noise, x_t: times, noise, and the noised views.
        blind: toys whose input views are withheld, for classifier-free guidance.
    """

    views: Views
    input_alpha: Float[Tensor, "b n h w"]
    inputs: Int[Tensor, "b n"]
    targets: Camera
    x0: Float[Tensor, "b m 3 h w"]
    alpha: Float[Tensor, "b m h w"]
    t: Int[Tensor, "b m"]
    noise: Float[Tensor, "b m 3 h w"]
    x_t: Float[Tensor, "b m 3 h w"]
    blind: Bool[Tensor, " b"]


def view_training(*, steps: int, **changes: Any) -> TrainConfig:
    """How all models of views are trained, but for what is changed."""
    plain: dict[str, Any] = {
        "steps": steps,
        "batch_size": 24,
        "learning_rate": 8e-4,
        "weight_decay": 0.01,
        "ema_decay": 0.998,
        "mixed_precision": "bf16",
        "sample_every": 2_000,
    }
    return TrainConfig(**(plain | changes))


@dataclass(frozen=True, kw_only=True)
class ToyViewsRecipe(Recipe):
    """Learns to make views of toys from others.

    In each step all toys of the batch show the same number of input views and are asked for `num_targets` others.

    Args:
        data: folder with the folders train, validation and test, in each of them a folder for each object, with a
            `transforms.json`; empty for toys.
        num_toys: of the training split, eight views each; of a folder, all objects are used.
        max_views: input views at most; how many there are is drawn for each step.
        num_targets: views of each toy that are learned from in a step.
        blind: share of toys whose input views are withheld, for classifier-free guidance.
        time_shift: towards the noise, of the times that are trained.
        num_train_timesteps: T, of a cosine schedule.
    Raises:
        ValueError: a number out of range.
    """

    data: str = ""
    num_toys: int = 6_000
    max_views: int = 5
    num_targets: int = 2
    blind: float = 0.1
    time_shift: float = 3.0
    num_train_timesteps: int = 1000

    def __post_init__(self):
        if not (1 <= self.max_views < VIEWS_PER_TOY and 1 <= self.num_targets <= VIEWS_PER_TOY - self.max_views):
            raise ValueError(
                f"expected max_views >= 1 and num_targets >= 1 that are at most {VIEWS_PER_TOY} together, got"
                f" {self.max_views} and {self.num_targets}"
            )
        if not 0.0 <= self.blind < 1.0 or self.time_shift <= 0 or self.num_train_timesteps < 25:
            raise ValueError(
                f"expected blind in [0, 1), time_shift > 0 and num_train_timesteps >= 25, got {self.blind},"
                f" {self.time_shift} and {self.num_train_timesteps}"
            )

    @property
    @abstractmethod
    def image_size(self) -> int:
        """Of the views, in pixels."""

    @abstractmethod
    def denoiser_of(
        self, model: Any, views: Views, targets: Camera, *, samples: int = 1, guidance_scale: float = 1.0
    ) -> Denoise:
        """The `Denoise` of views at target cameras (b, m), for x_t of shape (b · m · samples, 3, h, w): samples of one
        target stand together."""

    def make_process(self) -> GaussianDiffusion:
        """The forward process."""
        return GaussianDiffusion(make_betas("cosine", self.num_train_timesteps))

    @property
    def extent(self) -> float:
        """How far objects reach from the origin along an axis, in world units."""
        return EXTENT

    def objects(
        self, split: str, num_toys: int, views: int = VIEWS_PER_TOY, first: int = 0, *, once: bool = False
    ) -> ToySets | FolderSets:
        """Objects of a split, each with so many views in an item.

        Args:
            split: "train", "validation" or "test".
            num_toys, first: which toys; of a folder, all objects are there.
            views: in an item.
            once: whether a folder's object is in one item only, however many views it has; toys are.
        Raises:
            FileNotFoundError, ValueError: see `FolderSets`.
        """
        if self.data:
            folder = Path(self.data) / split
            return FolderSets(folder, image_size=self.image_size, views=views, extent=self.extent, once=once)
        return ToySets(split, num_toys=num_toys, views=views, image_size=self.image_size, first=first)

    def training_objects(self) -> ToySets | FolderSets:
        """What is learned from. Of a folder, the split that previews need is looked at now, too, not hours later."""
        if self.data:
            self.objects("validation", 0)
        return self.objects("train", self.num_toys)

    def make_dataset(self) -> Dataset:
        """What a step draws its examples from."""
        return self.training_objects()

    def draw(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Which views are seen and which are asked for, times, seeds of the noise, and who is blind."""
        times = stratified_times(
            batch_size * self.num_targets, self.num_train_timesteps, shift=self.time_shift, generator=generator
        )
        return {
            "order": torch.rand(batch_size, VIEWS_PER_TOY, generator=generator).argsort(1),
            "count": torch.randint(1, self.max_views + 1, (1,), generator=generator).expand(batch_size),
            "t": times.unflatten(0, (batch_size, self.num_targets)),
            "seed": torch.randint(0, 2**31, (batch_size,), generator=generator),
            "blind": torch.rand(batch_size, generator=generator) < self.blind,
        }

    def task(self, batch: dict[str, Tensor]) -> Task:
        """What a batch asks."""
        images, device = batch["rgb"], batch["rgb"].device
        toys = torch.arange(len(images), device=device)[:, None]
        inputs, asked = batch["order"][:, : int(batch["count"][0])], batch["order"][:, -self.num_targets :]
        camera = Camera(batch["camera_to_world"], batch["intrinsics"])
        x0 = images[toys, asked]
        noise = torch.stack(
            [
                torch.randn(x0.shape[1:], generator=torch.Generator().manual_seed(seed))
                for seed in batch["seed"].tolist()
            ]
        ).to(x0)
        process = self.make_process().to(device)
        x_t = process.q_sample(x0.flatten(0, 1), batch["t"].flatten(), noise.flatten(0, 1)).view_as(x0)
        return Task(
            views=Views(images, camera)[toys, inputs],
            input_alpha=batch["alpha"][toys, inputs],
            inputs=inputs,
            targets=camera[toys, asked],
            x0=x0,
            alpha=batch["alpha"][toys, asked],
            t=batch["t"],
            noise=noise,
            x_t=x_t,
            blind=batch["blind"],
        )

    @torch.no_grad()
    def make_views(
        self,
        model: Any,
        views: Views,
        targets: Camera,
        *,
        samples: int = 1,
        steps: int = 25,
        temperature: float = TEMPERATURE,
        seed: int = 0,
        **options: Any,
    ) -> Float[Tensor, "b m s 3 h w"]:
        """Views at target cameras (b, m), drawn by DDIM; further options are those of `denoiser_of`.

        Args:
            model, views, targets: what draws, what is given, and what is asked for.
            samples: of each target.
            steps: of DDIM.
            temperature: standard deviation of the noise that drawing begins with. At 1 it draws from what the model has
                learnt; below, nearer to the mean of that (as Kingma & Dhariwal 2018, section 6, do with another
                model).
            seed: of the noise.
        Raises:
            ValueError: a temperature out of range; and see `denoiser_of`, `sampling_times`.
        """
        if not 0 <= temperature < math.inf:
            raise ValueError(f"expected a finite temperature >= 0, got {temperature}")
        denoise = self.denoiser_of(model, views, targets, samples=samples, **options)
        shape = (*targets.batch_shape, samples, *views.images.shape[2:])
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).flatten(0, 2)
        x = temperature * noise.to(views.images)
        times = sampling_times(self.num_train_timesteps, steps)
        return ddim(denoise, self.make_process().to(x.device), x, times).unflatten(0, shape[:3])

    def preview(self, model: nn.Module, path: Path) -> None:
        """New toys: an input view, the target, two samples from one view and, if there can be so many, from three."""
        toys, device = self.objects("validation", 8, once=True), next(model.parameters()).device
        batch = default_collate([toys[index] for index in range(min(8, len(toys)))])
        camera = Camera(batch["camera_to_world"], batch["intrinsics"]).to(device)
        views = Views(batch["rgb"].to(device), camera)
        counts = [count for count in (1, 3) if count <= self.max_views]
        made = [self.make_views(model, views[:, :n], camera[:, 7:], samples=2)[:, 0].cpu() for n in counts]
        figure = image_grid(list(torch.cat([batch["rgb"][:, [0, 7]], *made], dim=1)), clip=True)
        figure.savefig(path, dpi=100)
        plt.close(figure)
