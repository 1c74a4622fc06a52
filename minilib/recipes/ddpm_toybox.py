"""The course's first model: a class-conditional diffusion model of toys at 32 pixels."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import Dataset

from minilib.diffusion.guidance import Denoise, make_denoiser
from minilib.diffusion.losses import simple_loss, stratified_times
from minilib.diffusion.process import GaussianDiffusion, PredictionType
from minilib.diffusion.samplers import ddim, sampling_times
from minilib.diffusion.schedules import make_betas
from minilib.diffusion.unet import UNet, UNetConfig
from minilib.figures import image_grid
from minilib.recipes.toys32 import toys32
from minilib.toybox.catalog import CATEGORIES
from minilib.training import Recipe, TrainConfig

NULL_LABEL = len(CATEGORIES)
"""The label that means "any toy"."""


@dataclass(frozen=True, kw_only=True)
class DDPMToybox(Recipe):
    """DDPM (Ho et al. 2020) with what has been found since: cosine schedule, v-prediction, guidance without classifier.

    Args:
        unet: shape of the network.
        schedule: of the noise, by name.
        num_train_timesteps: T.
        prediction_type: what the network predicts.
        snr_gamma: γ of the min-SNR weights; None for none.
        label_dropout: share of examples trained without their label, for classifier-free guidance.
        num_toys: toys in the training data, eight views of each.
    """

    name: str = "ddpm-toybox"
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=11_000, batch_size=32, learning_rate=8e-4, warmup_steps=200, ema_decay=0.999
        )
    )
    unet: UNetConfig = field(
        default_factory=lambda: UNetConfig(
            block_out_channels=(32, 32, 128, 128),
            attention=(False, False, True, False),
            layers_per_block=1,
            attention_head_dim=64,
            norm_num_groups=8,
            num_class_embeds=len(CATEGORIES) + 1,
        )
    )
    schedule: str = "cosine"
    num_train_timesteps: int = 1000
    prediction_type: PredictionType = "v_prediction"
    snr_gamma: float | None = None
    label_dropout: float = 0.1
    num_toys: int = 10_000

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
            "t": stratified_times(batch_size, self.num_train_timesteps, generator=generator),
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

    def preview(self, model: nn.Module, path: Path) -> None:
        """Two toys of each category, 20 DDIM steps, guidance 2; always from the same noise."""
        device = next(model.parameters()).device
        labels = torch.arange(len(CATEGORIES), device=device).repeat(2)
        x = torch.randn(len(labels), 3, 32, 32, generator=torch.Generator().manual_seed(0)).to(device)
        denoise = self.denoiser(model, labels, guidance_scale=2.0)
        process = self.make_process().to(device)
        images = ddim(denoise, process, x, sampling_times(self.num_train_timesteps, 20)).cpu()
        figure = image_grid(list(images.reshape(4, -1, 3, 32, 32)), clip=True)
        figure.savefig(path, dpi=100)
        figure.clear()
