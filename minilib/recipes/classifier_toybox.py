"""The judge of generated toys: a small classifier that the generator has never met, trained on other toys."""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import Dataset

from minilib.toybox.catalog import CATEGORIES
from minilib.toybox.datasets import ToyViews
from minilib.training import Recipe, TrainConfig


class ToyClassifier(nn.Module):
    """A residual convolutional network (He et al. 2016).

    Those of `classifier-toybox` are the space in which Fréchet distances are measured.

    Args:
        widths: channels after each halving of the picture; multiples of 8.
        num_classes: number of categories.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128), num_classes: int = len(CATEGORIES)):
        super().__init__()
        layers, before = [], 3
        for width in widths:
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), Residual(width)]
            before = width
        self.layers = nn.Sequential(*layers, nn.GroupNorm(8, before), nn.SiLU())
        self.head = nn.Linear(before, num_classes)

    def features(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """What the last layer judges by: the mean of each channel over the picture."""
        return self.layers(image).mean((2, 3))

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """Logits of the categories for images in [−1, 1]."""
        return self.head(self.features(image))


class Residual(nn.Module):
    """Two normalised convolutions, added to their input."""

    def __init__(self, width: int):
        super().__init__()
        halves = [[nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)] for _ in range(2)]
        self.layers = nn.Sequential(*halves[0], *halves[1])

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """x plus what the block has to add."""
        return x + self.layers(x)


@dataclass(frozen=True, kw_only=True)
class ClassifierToybox(Recipe):
    """Toys 10,000 and up of the training split, which `ddpm-toybox` does not see.

    Args:
        num_toys: toys in the training data, eight views of each.
        first: number of the first one.
        label_smoothing: share of the target that is spread over all categories.
    """

    name: str = "classifier-toybox"
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=3000, batch_size=64, learning_rate=2e-3, weight_decay=0.02, ema_decay=0.998, sample_every=10_000
        )
    )
    num_toys: int = 8000
    first: int = 10_000
    label_smoothing: float = 0.05

    def make_model(self) -> ToyClassifier:
        """The untrained classifier."""
        return ToyClassifier().to(memory_format=torch.channels_last)

    def make_dataset(self) -> Dataset:
        """Pictures from all sides, with the number of their category."""
        return ToyViews(
            "train",
            num_toys=self.num_toys,
            first=self.first,
            views_per_toy=8,
            image_size=32,
            elevation=(math.radians(5), math.radians(40)),
            fields=("rgb",),
        )

    def draw(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Shifts by up to two pixels each way, against learning the exact position."""
        return {"shift": torch.randint(5, (batch_size, 2), generator=generator)}

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """Cross-entropy."""
        padded = F.pad(batch["rgb"], (2, 2, 2, 2), value=1.0)  # the background is white
        rows, columns = batch["shift"].T[:, :, None] + torch.arange(32, device=padded.device)
        moved = padded[
            torch.arange(len(padded), device=padded.device)[:, None, None], :, rows[:, :, None], columns[:, None]
        ]
        logits = model(moved.movedim(-1, 1))
        return F.cross_entropy(logits, batch["category"], label_smoothing=self.label_smoothing, reduction="none")
