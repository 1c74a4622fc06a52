"""How good drawn toys are: as asked for, as varied as real ones, and no copies."""

import time
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minilib.diffusion.samplers import ddim, ddpm, dpm_solver_pp_2m
from minilib.evaluate.common import even_labels, in_parts, metric, say, stacked
from minilib.metrics import bootstrap_statistic, frechet_distance
from minilib.recipes.classifier_toybox import ClassifierToybox, ToyClassifier
from minilib.recipes.ddpm_toybox import DDPMToybox
from minilib.recipes.toys32 import toys32
from minilib.toybox.catalog import CATEGORIES
from minilib.weights import load_trained

SAMPLERS = {"ddpm": ddpm, "ddim": ddim, "dpm_solver_pp_2m": dpm_solver_pp_2m}
STEPS = (5, 10, 25, 50, 1000)
REFERENCE_TOYS = 500
"""Of the test split: the first so many are what samples are compared with; the floor comes from those after them."""


def distance_metric(
    features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], reference: Float[Tensor, "m d"]
) -> dict[str, Any]:
    """The Fréchet distance of some features from a reference, as cards hold it; n is the number of features.

    How many there are of each label was fixed, so the bootstrap keeps that.
    """
    interval = bootstrap_statistic(lambda some: frechet_distance(some, reference), features, strata=labels)
    return {"value": frechet_distance(features, reference), "ci95": list(interval), "n": len(features)}


def held_out_toys(num_toys: int, first: int = 0) -> tuple[Float[Tensor, "n 3 32 32"], Int[Tensor, " n"]]:
    """Eight views of each of some toys of the test split, and their categories."""
    data = toys32("test", num_toys=num_toys, first=first)
    images, labels = stacked(data, range(len(data)), "rgb", "category")
    return images, labels


def draw(
    recipe: DDPMToybox, model: Any, labels: Int[Tensor, " n"], *, batch_size: int = 100, seed: int = 0, **options: Any
) -> Float[Tensor, "n 3 32 32"]:
    """Draws one image for each label, in batches; `options` are those of `DDPMToybox.sample`."""
    generator = torch.Generator().manual_seed(seed)
    parts = [recipe.sample(model, part, generator=generator, **options) for part in labels.split(batch_size)]
    return torch.cat(parts)


def nearest(images: Float[Tensor, "n 3 32 32"], data: Any) -> Float[Tensor, " n"]:
    """Root mean squared difference of each image from the most similar one in the data."""
    best = torch.full((len(images),), torch.inf)
    for start in range(0, len(data), 4000):
        (rows,) = stacked(data, range(start, min(start + 4000, len(data))), "rgb")
        best = torch.minimum(best, torch.cdist(images.flatten(1), rows.flatten(1)).amin(1))
    return best / images[0].numel() ** 0.5


def evaluate_classifier(recipe: ClassifierToybox, model: ToyClassifier, *, num_toys: int = 1000) -> dict[str, Any]:
    """Share of held-out pictures whose category it names; the interval is over toys, of which each has eight views."""
    images, labels = held_out_toys(num_toys)
    right = (in_parts(model, images).argmax(1) == labels).float()
    return {"accuracy": metric(right.unflatten(0, (num_toys, -1)).mean(1))}


def judge_and_reference() -> tuple[ToyClassifier, Float[Tensor, "n d"]]:
    """The judge, and its features of the pictures that samples are compared with."""
    _, judge = load_trained("classifier-toybox")
    return judge, in_parts(judge.features, held_out_toys(REFERENCE_TOYS)[0])


def evaluate_ddpm(
    recipe: DDPMToybox,
    model: Any,
    *,
    agreement_samples: int = 600,
    distance_samples: int = 100,
    guidance_samples: int = 200,
) -> dict[str, Any]:
    """Are the drawn toys what was asked for, how far are they from real ones at each number of steps, are they copies?

    `class_agreement`: DPM-Solver++(2M), 25 steps, guidance 2. `fd_STEPS_SAMPLER`: Fréchet distance of samples without
    guidance from 4,000 real test pictures in the classifier's feature space; `fd_real`: of other real ones, as many.
    `agreement_at_SCALE`, `variety_at_SCALE`: under guidance, from the same noises; variety is the mean distance of the
    features of two toys of one category. `nearest_train`: RMS difference from the most similar training picture;
    `nearest_train_real`: of real new ones. `seconds_16`: for 16 samples as for `class_agreement`.
    """
    judge, reference = judge_and_reference()
    others, other_labels = held_out_toys(REFERENCE_TOYS, first=REFERENCE_TOYS)
    one_each = torch.arange(REFERENCE_TOYS) * 8 + torch.arange(REFERENCE_TOYS) % 8
    others, other_labels = others[one_each], other_labels[one_each]
    some = slice(0, distance_samples)
    floor = distance_metric(in_parts(judge.features, others[some]), other_labels[some], reference)
    metrics: dict[str, Any] = {"fd_real": floor}

    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        draw(recipe, model, even_labels(16))
        seconds.append(time.perf_counter() - started)
    metrics["seconds_16"] = metric(torch.tensor(seconds[1:]))  # the first one warms up

    wanted = even_labels(agreement_samples)
    drawn = draw(recipe, model, wanted)
    metrics["class_agreement"] = metric((in_parts(judge, drawn).argmax(1) == wanted).float())
    train = recipe.make_dataset()
    metrics["nearest_train"] = metric(nearest(drawn, train))
    metrics["nearest_train_real"] = metric(nearest(others, train))
    say(metrics)
    metrics |= _under_guidance(recipe, model, judge, even_labels(guidance_samples))
    features, labels = {}, even_labels(distance_samples)
    for steps in STEPS:
        for name, sampler in SAMPLERS.items():
            images = draw(recipe, model, labels, sampler=sampler, steps=steps, guidance_scale=1.0, seed=1)
            features[steps, name] = in_parts(judge.features, images)
            found = {f"fd_{steps}_{name}": distance_metric(features[steps, name], labels, reference)}
            say(found)
            metrics |= found
    for steps in (5, 10, 25):
        pair = features[steps, "ddpm"], features[steps, "ddim"]
        metrics[f"ddpm_minus_ddim_fd_{steps}"] = distance_difference(*pair, labels, reference)
    return metrics


def distance_difference(
    first: Float[Tensor, "n d"],
    second: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    reference: Float[Tensor, "m d"],
) -> dict[str, Any]:
    """How much further the first features are from the reference than the second, as cards hold it."""

    def apart(a: Tensor, b: Tensor) -> float:
        return frechet_distance(a, reference) - frechet_distance(b, reference)

    interval = bootstrap_statistic(apart, first, second, strata=labels)
    return {"value": apart(first, second), "ci95": list(interval), "n": len(first)}


def _under_guidance(recipe: DDPMToybox, model: Any, judge: ToyClassifier, labels: Tensor) -> dict[str, Any]:
    right, variety = {}, {}
    for scale in (0, 1, 2, 4):
        images = draw(recipe, model, labels, guidance_scale=float(scale), seed=2)
        right[scale] = (in_parts(judge, images).argmax(1) == labels).float()
        features = in_parts(judge.features, images)
        variety[scale] = torch.stack([torch.pdist(features[labels == k]).mean() for k in range(len(CATEGORIES))])
    metrics = {f"agreement_at_{scale}": metric(values) for scale, values in right.items()}
    metrics |= {f"variety_at_{scale}": metric(values) for scale, values in variety.items()}
    metrics["agreement_2_minus_1"] = metric(right[2] - right[1])
    metrics["variety_4_minus_1"] = metric(variety[4] - variety[1])
    say(metrics)
    return metrics
