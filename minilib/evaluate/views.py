"""Does the model see the sides that nobody photographed, and does it help to photograph more?"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minilib.attention.vit import ViT
from minilib.evaluate.common import metric, say, stacked
from minilib.evaluate.likeness import feature_distance, sharpness, ssim
from minilib.images import shown
from minilib.metrics import psnr
from minilib.recipes.toy_views import TEMPERATURE, ToyViewsRecipe
from minilib.recipes.vit_toybox import ViTToybox
from minilib.segmentation.metrics import mask_iou
from minilib.views.cameras import Camera
from minilib.views.inputs import Views
from minilib.weights import load_trained

COUNTS = (1, 2, 3, 5)
"""Numbers of input views."""

VIEWS = 12
"""Of each held-out toy; the first are inputs, the last is the target."""

SAMPLES = 8


@dataclass(frozen=True)
class Toys:
    """Held-out toys, or other objects.

    Attributes:
        views: `VIEWS` of each; the first are inputs, the last is the target.
    """

    views: Views

    @property
    def truth(self) -> Float[Tensor, "b 3 h w"]:
        """The target's picture."""
        return self.views.images[:, -1]

    @property
    def target(self) -> Camera:
        """The target's camera."""
        return self.views.camera[:, -1]


def held_out(recipe: ToyViewsRecipe, num_toys: int, first: int = 0, *, split: str = "test") -> Toys:
    """Toys from `VIEWS` random cameras each, of a split that training has not seen; of a folder of objects, as many of
    them as there are, up to `num_toys`.

    Raises:
        ValueError: a folder with fewer than two objects in the split.
    """
    toys = recipe.objects(split, num_toys, VIEWS, first, once=True)
    start = first if recipe.data else 0
    rows = range(start, min(start + num_toys, len(toys)))
    if len(rows) < 2:
        raise ValueError(
            f"expected at least two objects to measure, got {len(rows)} of {recipe.data or 'the toys'}, {split}"
        )
    images, poses, lenses = stacked(toys, rows, "rgb", "camera_to_world", "intrinsics")
    return Toys(Views(images, Camera(poses, lenses)))


def copied(views: Views, target: Camera) -> Float[Tensor, "b 3 h w"]:
    """Of each toy's input views the one from nearest the target's direction: what a model has to beat."""
    alike = nn.functional.cosine_similarity(views.camera.position, target.position[:, None], dim=-1)
    return views.images[torch.arange(len(alike)), alike.argmax(1)]


@torch.no_grad()
def drawn(
    recipe: ToyViewsRecipe,
    model: nn.Module,
    views: Views,
    target: Camera,
    *,
    samples: int = SAMPLES,
    size: int = 10,
    temperature: float = TEMPERATURE,
) -> Float[Tensor, "b s 3 h w"]:
    """Samples of the target view of each toy, some toys at a time."""
    parts = []
    for start in range(0, len(views.images), size):
        rows = slice(start, start + size)
        asked = target[rows][:, None]
        made = recipe.make_views(model, views[rows], asked, samples=samples, temperature=temperature, seed=start)
        parts.append(made[:, 0])
    return torch.cat(parts)


def likeness(
    vit: ViT, images: Float[Tensor, "b 3 h w"], truth: Float[Tensor, "b 3 h w"]
) -> dict[str, Float[Tensor, " b"]]:
    """PSNR in dB, SSIM, distance in a ViT's features, IoU of what is not white, and sharpness in shares of the truth's.
    The truth itself has infinity, 1, 0, 1 and 1."""
    return {
        "psnr": psnr(images, truth),
        "ssim": ssim(images, truth),
        "distance": feature_distance(vit, images, truth),
        "mask_iou": mask_iou(shown(images), shown(truth)),
        "sharpness": sharpness(images) / sharpness(truth),
    }


def evaluate_views(
    recipe: ToyViewsRecipe, model: nn.Module, *, num_toys: int = 100, samples: int = SAMPLES
) -> dict[str, Any]:
    """How near views come to the truth, mean over held-out toys; every interval is over toys.

    For N input views, up to what the recipe trains with: what `likeness` says of one sample (`psnr_N`, `ssim_N` …) and
    of the nearest input view (`copy_psnr_N` …); the PSNR of the mean of eight samples (`mean8_psnr_N`) and of the best
    of them (`best8_psnr_N`). `gain_N` is what the mean of eight has over copying, `gain_of_view_N` what it gains from N
    views over the number before.
    """
    toys, vit = held_out(recipe, num_toys), load_trained(ViTToybox().name)[1]
    metrics, before = {}, None
    for count in (count for count in COUNTS if count <= recipe.max_views):
        views = toys.views[:, :count]
        made = drawn(recipe, model, views, toys.target, samples=samples)
        ours = likeness(vit, made[:, 0], toys.truth)
        copy = likeness(vit, copied(views, toys.target), toys.truth)
        mean, each = psnr(made.mean(1), toys.truth), psnr(made, toys.truth[:, None].expand_as(made))
        metrics |= {f"{name}_{count}": metric(values) for name, values in ours.items()}
        metrics |= {f"copy_{name}_{count}": metric(values) for name, values in copy.items()}
        metrics[f"mean{samples}_psnr_{count}"] = metric(mean)
        metrics[f"best{samples}_psnr_{count}"] = metric(each.amax(1))
        metrics[f"gain_{count}"] = metric(mean - copy["psnr"])
        if before is not None:
            metrics[f"gain_of_view_{count}"] = metric(mean - before)
        before = mean
    say(metrics)
    return metrics
