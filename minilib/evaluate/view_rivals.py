"""`views-toybox` beside its rivals on the same toys: Zero-1-to-3 in small, and its own network without noise."""

import time
from typing import Any

import torch
from torch import nn

from minilib.evaluate.common import metric, say
from minilib.evaluate.likeness import sharpness
from minilib.evaluate.orbits import around, front_and_back
from minilib.evaluate.views import COUNTS, SAMPLES, drawn, evaluate_views, held_out, likeness
from minilib.metrics import psnr
from minilib.recipes.view_designs import RegressorToybox
from minilib.recipes.views_toybox import ViewsToybox
from minilib.recipes.vit_toybox import ViTToybox
from minilib.recipes.zero123_toybox import Zero123Toybox
from minilib.weights import load_trained


@torch.no_grad()
def compare_with_rivals(recipe: ViewsToybox, model: nn.Module, *, num_toys: int = 100) -> dict[str, Any]:
    """From one picture, on toys as `evaluate_views` has them: `zero123_psnr_1` and `zero123_mean8_psnr_1`, and what
    ours has more, `over_zero123_1` and `over_zero123_mean8_1`; `regressor_psnr_1`, what the mean of our eight has more,
    `over_regressor_1`, and `regressor_sharpness_1`. At temperature 1, one sample and the mean of eight of ours,
    `psnr_1_at_temperature_1` and `mean8_psnr_1_at_temperature_1`, and `sharpness_1_at_temperature_1`.

    On toys seen from the front whose back is independent of it: `best8_over_regressor_back`, what the best of our eight
    views from behind has over the regressor's, in dB; `mean8_over_regressor_back` of the mean of them; and
    `spread_of_backs`, the standard deviation of the samples' colours there.
    """
    toys = held_out(recipe, num_toys)
    one = toys.views[:, :1]
    ours = drawn(recipe, model, one, toys.target)
    other_recipe, other = load_trained(Zero123Toybox().name)
    theirs = drawn(other_recipe, other, one, toys.target)
    plain_recipe, plain = load_trained(RegressorToybox().name)
    guess = drawn(plain_recipe, plain, one, toys.target, samples=1)[:, 0]
    hot = drawn(recipe, model, one, toys.target, temperature=1.0)
    first, mean = psnr(ours[:, 0], toys.truth), psnr(ours.mean(1), toys.truth)
    first_other, mean_other = psnr(theirs[:, 0], toys.truth), psnr(theirs.mean(1), toys.truth)
    metrics = {
        "zero123_psnr_1": metric(first_other),
        "zero123_mean8_psnr_1": metric(mean_other),
        "over_zero123_1": metric(first - first_other),
        "over_zero123_mean8_1": metric(mean - mean_other),
        "regressor_psnr_1": metric(psnr(guess, toys.truth)),
        "over_regressor_1": metric(mean - psnr(guess, toys.truth)),
        "regressor_sharpness_1": metric(sharpness(guess) / sharpness(toys.truth)),
        "psnr_1_at_temperature_1": metric(psnr(hot[:, 0], toys.truth)),
        "mean8_psnr_1_at_temperature_1": metric(psnr(hot.mean(1), toys.truth)),
        "sharpness_1_at_temperature_1": metric(sharpness(hot[:, 0]) / sharpness(toys.truth)),
    }
    backs = front_and_back(60)
    seen, target, truth = backs.views[:, :1], backs.views.camera[:, 1], backs.views.images[:, 1]
    ours = drawn(recipe, model, seen, target)
    guess = psnr(drawn(plain_recipe, plain, seen, target, samples=1)[:, 0], truth)
    each = psnr(ours, truth[:, None].expand_as(ours))
    return metrics | {
        "best8_over_regressor_back": metric(each.amax(1) - guess),
        "mean8_over_regressor_back": metric(psnr(ours.mean(1), truth) - guess),
        "spread_of_backs": metric(ours.std(1).mean((1, 2, 3))),
    }


@torch.no_grad()
def beside_a_blur(recipe: ViewsToybox, model: nn.Module, *, num_toys: int = 100) -> dict[str, Any]:
    """By how much more a sample, drawn alone, has than the regressor's view of the same toy, from one picture and five:
    `ssim_over_regressor_N`, `mask_iou_over_regressor_N` and, of which less is better, `distance_over_regressor_N`."""
    toys, vit = held_out(recipe, num_toys), load_trained(ViTToybox().name)[1]
    designs, metrics = ((recipe, model), load_trained(RegressorToybox().name)), {}
    for count in (COUNTS[0], COUNTS[-1]):
        made = (drawn(*design, toys.views[:, :count], toys.target, samples=1)[:, 0] for design in designs)
        sample, blur = (likeness(vit, images, toys.truth) for images in made)
        for kind in ("ssim", "distance", "mask_iou"):
            metrics[f"{kind}_over_regressor_{count}"] = metric(sample[kind] - blur[kind])
    return metrics


def speeds(recipe: ViewsToybox, model: nn.Module, *, rounds: int = 5) -> dict[str, Any]:
    """Seconds on this machine: `seconds_view`, one new view from one picture, in 25 steps; `seconds_orbit`, sixteen."""
    toys = around(1)
    found: dict[str, list[float]] = {"seconds_view": [], "seconds_orbit": []}
    for turn in range(rounds + 1):
        for name, targets in (("seconds_view", toys.views.camera[:, 5:6]), ("seconds_orbit", toys.views.camera)):
            started = time.perf_counter()
            recipe.make_views(model, toys.views[:, :1], targets)
            if turn:  # the first one warms up
                found[name].append(time.perf_counter() - started)
    return {name: metric(torch.tensor(values)) for name, values in found.items()}


def evaluate_views_toybox(recipe: ViewsToybox, model: nn.Module) -> dict[str, Any]:
    """All of `evaluate_views`; of toys also `compare_with_rivals`, those that ship, `beside_a_blur` and `speeds`."""
    metrics = evaluate_views(recipe, model, samples=SAMPLES)
    if recipe.data:
        return metrics
    further = compare_with_rivals(recipe, model) | beside_a_blur(recipe, model) | speeds(recipe, model)
    say(further)
    return metrics | further
