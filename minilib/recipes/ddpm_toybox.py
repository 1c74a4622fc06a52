"""The course's first model: a class-conditional diffusion model of toys at 32 pixels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.data import Dataset

from minilib.diffusion.guidance import Denoise, make_denoiser
from minilib.diffusion.losses import simple_loss, stratified_times
from minilib.diffusion.process import GaussianDiffusion, PredictionType
from minilib.diffusion.samplers import ddim, ddpm, dpm_solver_pp_2m, sampling_times
from minilib.diffusion.schedules import make_betas
from minilib.diffusion.unet import UNet, UNetConfig
from minilib.errors import unknown_name
from minilib.figures import image_grid
from minilib.recipes.toys32 import toys32
from minilib.toybox.catalog import CATEGORIES
from minilib.training import Recipe, TrainConfig

NULL_LABEL = len(CATEGORIES)
"""The label that means "any toy"."""


@dataclass(frozen=True, kw_only=True)
class DDPMToybox(Recipe):
    """DDPM (Ho et al. 2020) with what has been found since: cosine schedule, time and label as scale and shift of the
    normalised features, guidance without classifier. The network predicts x_0, mostly from much noise: there it is
    decided what a toy is and which colours it has.

    Args:
        unet: shape of the network.
        schedule: of the noise, by name.
        num_train_timesteps: T.
        prediction_type: what the network predicts.
        snr_gamma: γ of the min-SNR weights; None for none.
        time_shift: towards the noise, of the times that are trained.
        label_dropout: share of examples trained without their label, for classifier-free guidance.
        num_toys: toys in the training data, eight views of each.
    Raises:
        ValueError: an unknown schedule or prediction type, or a number out of range.
    """

    name: str = "ddpm-toybox"
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=8_000, batch_size=32, learning_rate=1.5e-3, max_grad_norm=0.2, ema_decay=0.999
        )
    )
    unet: UNetConfig = field(
        default_factory=lambda: UNetConfig(
            block_out_channels=(16, 32, 96, 128),
            attention=(False, True, True, True),
            mid_attention=False,  # with "scale_shift" it has no norm: training diverged at a learning rate of 2e-3
            layers_per_block=1,
            attention_head_dim=32,
            norm_num_groups=8,
            num_class_embeds=len(CATEGORIES) + 1,
            time_embedding_norm="scale_shift",
        )
    )
    schedule: str = "cosine"
    num_train_timesteps: int = 1000
    prediction_type: PredictionType = "sample"
    snr_gamma: float | None = None
    time_shift: float = 3.0
    label_dropout: float = 0.1
    num_toys: int = 5_000

    def __post_init__(self):
        make_betas(self.schedule, self.num_train_timesteps)
        if self.prediction_type not in get_args(PredictionType):
            raise unknown_name("prediction type", self.prediction_type, get_args(PredictionType))
        if self.num_train_timesteps < 25:
            raise ValueError(f"expected num_train_timesteps >= 25, the previews' steps, got {self.num_train_timesteps}")
        if not 0.0 <= self.label_dropout < 1.0:
            raise ValueError(f"expected label_dropout in [0, 1), got {self.label_dropout}")
        if self.time_shift <= 0:
            raise ValueError(f"expected time_shift > 0, got {self.time_shift}")

    def make_model(self) -> UNet:
        """The untrained U-Net; its last layer starts at zero, so that it begins by predicting nothing at all."""
        model = UNet(self.unet)
        nn.init.zeros_(model.conv_out.weight)
        # Convolutions on a processor are faster with the channels last in memory.
        return model.to(memory_format=torch.channels_last)

    def make_process(self) -> GaussianDiffusion:
        """The forward process."""
        return GaussianDiffusion(make_betas(self.schedule, self.num_train_timesteps))

    def make_dataset(self) -> Dataset:
        """Pictures with the number of their category."""
        return toys32("train", num_toys=self.num_toys)

    def draw(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Times, noise, and which examples lose their label."""
        return {
            "t": stratified_times(batch_size, self.num_train_timesteps, shift=self.time_shift, generator=generator),
            "noise": torch.randn(batch_size, 3, 32, 32, generator=generator),
            "unlabelled": torch.rand(batch_size, generator=generator) < self.label_dropout,
        }

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """L_simple of the chosen prediction and weights."""
        process = self.make_process().to(batch["rgb"].device)
        x0, t, noise = batch["rgb"], batch["t"], batch["noise"]
        labels = batch["category"].masked_fill(batch["unlabelled"], NULL_LABEL)
        prediction = model(process.q_sample(x0, t, noise), t, labels)
        return simple_loss(
            process, prediction, x0, t, noise, prediction_type=self.prediction_type, snr_gamma=self.snr_gamma
        )

    def denoiser(self, model: nn.Module, labels: Tensor, *, guidance_scale: float = 1.0, **options: Any) -> Denoise:
        """The `Denoise` of a trained model for the samplers; further options are `make_denoiser`'s."""
        return make_denoiser(
            model,
            self.make_process().to(labels.device),
            prediction_type=self.prediction_type,
            labels=labels,
            guidance_scale=guidance_scale,
            null_label=NULL_LABEL,
            **options,
        )

    def sample(
        self,
        model: nn.Module,
        labels: Int[Tensor, " b"],
        *,
        sampler: Callable[..., Tensor] = dpm_solver_pp_2m,
        steps: int = 25,
        guidance_scale: float = 2.0,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> Float[Tensor, "b 3 32 32"]:
        """Draws one toy for each label; further options are the sampler's.

        Raises:
            ValueError: a label that is none of the categories' nor NULL_LABEL, or more steps than the training had.
        """
        x = torch.randn(len(labels), 3, 32, 32, generator=generator).to(labels.device)
        if sampler in (ddim, ddpm):
            options |= {"generator": generator}
        denoise = self.denoiser(model, labels, guidance_scale=guidance_scale)
        times = sampling_times(self.num_train_timesteps, steps)
        return sampler(denoise, self.make_process().to(labels.device), x, times, **options)

    def preview(self, model: nn.Module, path: Path) -> None:
        """Two toys of each category, always from the same noise."""
        labels = torch.arange(len(CATEGORIES), device=next(model.parameters()).device).repeat(2)
        images = self.sample(model, labels, generator=torch.Generator().manual_seed(0)).cpu()
        figure = image_grid(list(images.reshape(4, -1, 3, 32, 32)), clip=True)
        figure.savefig(path, dpi=100)
        plt.close(figure)
