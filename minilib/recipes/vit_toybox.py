"""A Vision Transformer that names toys, wherever they stand in the picture and whatever is behind them."""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.data import Dataset

from minilib.attention.vit import ViT, ViTConfig
from minilib.toybox.catalog import CATEGORIES
from minilib.toybox.datasets import ToyViews
from minilib.training import Recipe, TrainConfig


def toys64(split: str, *, num_toys: int, first: int = 0, cache: bool = True) -> ToyViews:
    """Eight views of each toy from all sides at 64 pixels, with what covers the background; arguments as `ToyViews`."""
    return ToyViews(
        split,
        num_toys=num_toys,
        first=first,
        views_per_toy=8,
        image_size=64,
        elevation=(math.radians(5), math.radians(40)),
        fields=("rgb", "alpha"),
        cache=cache,
    )


def draw_placement(batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Where `place` puts toys and before what: size, place, mirrored or not, a light background."""
    zoom = 0.75 + 0.3 * torch.rand(batch_size, generator=generator)
    room = (1 - zoom).clamp(min=0.0)[:, None] + 0.05
    return {
        "zoom": zoom,
        "shift": room * (2 * torch.rand(batch_size, 2, generator=generator) - 1),
        "mirrored": torch.rand(batch_size, generator=generator) < 0.5,
        "background": 1 - 0.6 * torch.rand(batch_size, 3, generator=generator),
    }


def place(
    rgb: Float[Tensor, "b 3 h w"],
    alpha: Float[Tensor, "b h w"],
    zoom: Float[Tensor, " b"],
    shift: Float[Tensor, "b 2"],
    mirrored: Bool[Tensor, " b"],
    background: Float[Tensor, "b 3"],
) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b h w"]]:
    """Toys on white, moved onto a background of one colour.

    Args:
        rgb, alpha: pictures in [−1, 1] on white; where the toy is, in [0, 1].
        zoom: size of the picture in the new one.
        shift: of its centre to the right and down; 1 is half a picture.
        mirrored: bool, whether left and right change places.
        background: colours in [−1, 1].
    Returns:
        The new pictures, and where the toys are in them.
    """
    sign = 1.0 - 2.0 * mirrored.to(zoom.dtype)
    zero = torch.zeros_like(zoom)
    rows = [
        torch.stack([sign / zoom, zero, -sign * shift[:, 0] / zoom], dim=1),
        torch.stack([zero, 1 / zoom, -shift[:, 1] / zoom], dim=1),
    ]
    layers = torch.cat([rgb - 1.0, alpha[:, None]], dim=1)  # zeros, as beyond the edge, are white without a toy
    grid = F.affine_grid(torch.stack(rows, dim=1), list(layers.shape), align_corners=False)
    moved = F.grid_sample(layers, grid, align_corners=False)
    rgb, alpha = moved[:, :3], moved[:, 3:]
    return rgb + 1.0 + (1 - alpha) * (background[:, :, None, None] - 1.0), alpha[:, 0]


@dataclass(frozen=True, kw_only=True)
class ViTToybox(Recipe):
    """Toys of the training split, placed anew in every step.

    Args:
        vit: shape of the network.
        num_toys: toys in the training data, eight views of each.
        label_smoothing: share of the target that is spread over all categories.
    Raises:
        ValueError: a label smoothing outside [0, 1).
    """

    name: str = "vit-toybox"
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=4800,
            batch_size=64,
            learning_rate=8e-4,
            weight_decay=0.05,
            ema_decay=0.998,
            sample_every=10_000,
        )
    )
    vit: ViTConfig = field(
        default_factory=lambda: ViTConfig(
            image_size=64, patch_size=8, width=192, depth=6, num_heads=6, hidden=768, num_classes=len(CATEGORIES)
        )
    )
    num_toys: int = 6000
    label_smoothing: float = 0.05

    def __post_init__(self):
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ValueError(f"expected label_smoothing in [0, 1), got {self.label_smoothing}")

    def make_model(self) -> nn.Module:
        """The untrained transformer.

        Its positions start as large as the patches' tokens. From the usual 0.02, hundreds of steps pass in which the
        network sees a heap of patches and learns next to nothing.
        """
        model = ViT(self.vit)
        nn.init.normal_(model.positions, std=0.5)
        return model

    def make_dataset(self) -> Dataset:
        """Pictures from all sides, with the number of their category."""
        return toys64("train", num_toys=self.num_toys)

    def draw(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Where each toy stands, and before what."""
        return draw_placement(batch_size, generator)

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """Cross-entropy."""
        placement = {name: batch[name] for name in ("zoom", "shift", "mirrored", "background")}
        images, _ = place(batch["rgb"], batch["alpha"], **placement)
        return F.cross_entropy(model(images), batch["category"], label_smoothing=self.label_smoothing, reduction="none")
