"""Does the model see the sides that nobody photographed, and does it help to photograph more?"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minilib.evaluate.common import metric, say
from minilib.metrics import psnr
from minilib.recipes.toy_views import ToySets, ToyViewsRecipe, views64
from minilib.views.cameras import Camera
from minilib.views.inputs import Views

COUNTS = (1, 2, 3, 5)
"""Numbers of input views."""

VIEWS = 12
"""Of each held-out toy; the first are inputs, the last is the target."""

SAMPLES = 8


def held_out(num_toys: int, first: int = 0, *, split: str = "test") -> Views:
    """Toys from `VIEWS` random cameras each, of a split that training has not seen."""
    toys = ToySets(views64(split, num_toys=num_toys, views_per_toy=VIEWS, first=first))
    items = [toys[index] for index in range(num_toys)]
    images, poses, lenses = (
        torch.stack([item[name] for item in items]) for name in ("rgb", "camera_to_world", "intrinsics")
    )
    return Views(images, Camera(poses, lenses))


def copied(views: Views, target: Camera) -> Float[Tensor, "b 3 h w"]:
    """Of each toy's input views the one from nearest the target's direction: what a model has to beat."""
    alike = nn.functional.cosine_similarity(views.camera.position, target.position[:, None], dim=-1)
    return views.images[torch.arange(len(alike)), alike.argmax(1)]


@torch.no_grad()
def drawn(
    recipe: ToyViewsRecipe, model: nn.Module, views: Views, target: Camera, *, samples: int = SAMPLES, size: int = 10
) -> Float[Tensor, "b s 3 h w"]:
    """Samples of the target view of each toy, some toys at a time."""
    parts = []
    for start in range(0, len(views.images), size):
        rows = slice(start, start + size)
        made = recipe.make_views(model, views[rows], target[rows][:, None], samples=samples, seed=start)
        parts.append(made[:, 0])
    return torch.cat(parts)


def evaluate_views(
    recipe: ToyViewsRecipe, model: nn.Module, *, num_toys: int = 100, samples: int = SAMPLES
) -> dict[str, Any]:
    """PSNR of the target view in dB, mean over held-out toys; every interval is over toys.

    For N input views, up to what the recipe trains with: `psnr_N` of one sample, `mean8_psnr_N` of the mean of eight,
    `copy_psnr_N` of the nearest input view. `gain_N` is what the mean of eight has over copying, `gain_of_view_N` what
    it gains from N views over the number before.
    """
    toys = held_out(num_toys)
    truth, target = toys.images[:, -1], toys.camera[:, -1]
    metrics, before = {}, None
    for count in (count for count in COUNTS if count <= recipe.max_views):
        views = toys[:, :count]
        made = drawn(recipe, model, views, target, samples=samples)
        copy, one, mean = (psnr(image, truth) for image in (copied(views, target), made[:, 0], made.mean(1)))
        metrics[f"psnr_{count}"] = metric(one)
        metrics[f"mean{samples}_psnr_{count}"] = metric(mean)
        metrics[f"copy_psnr_{count}"] = metric(copy)
        metrics[f"gain_{count}"] = metric(mean - copy)
        if before is not None:
            metrics[f"gain_of_view_{count}"] = metric(mean - before)
        before = mean
    say(metrics)
    return metrics
