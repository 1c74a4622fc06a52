"""What to predict, which noise levels to weight or to draw, which schedule, averaged weights: `ddpm-toybox`, briefly.

`python -m minilib.studies.objectives` trains the network once for each choice, on the same examples in the same
order with the same noise, and compares drawn toys and errors on held-out ones. The intervals are over toys; how much
another training seed would change is not in them.
"""

import argparse
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from minilib.checkpoints import CHECKPOINT
from minilib.diffusion.samplers import ddim
from minilib.evaluate.common import even_labels, in_parts, metric
from minilib.evaluate.diffusion import (
    distance_difference,
    distance_metric,
    draw,
    held_out_toys,
    judge_and_reference,
)
from minilib.metrics import frechet_distance
from minilib.recipes.ddpm_toybox import DDPMToybox
from minilib.studies import write_study
from minilib.training import train

KINDS = ("epsilon", "sample", "v_prediction")
TIMES = tuple(range(50, 1000, 100))
"""Where errors are measured."""


@dataclass(frozen=True, kw_only=True)
class Watched(DDPMToybox):
    """Keeps the checkpoint of half-time, with its raw and its averaged weights."""

    def preview(self, model: nn.Module, path: Path) -> None:
        """Copies the checkpoint that has just been written."""
        shutil.copy(path.parent / CHECKPOINT, path.with_suffix(".safetensors"))


def trained(steps: int, folder: Path, **changes: Any) -> tuple[DDPMToybox, dict[str, nn.Module]]:
    """Trains one choice; returns its recipe and its models: raw and averaged weights, at half-time and at the end."""
    config = replace(DDPMToybox().train, steps=steps, sample_every=steps // 2, checkpoint_every=steps // 2)
    recipe = Watched(train=config, **changes)
    train(recipe, folder)
    models = {}
    for when, step in (("half", steps // 2), ("end", steps)):
        tensors = load_file(folder / f"step-{step:06d}.safetensors")
        for kind, prefix in (("raw", "model."), ("averaged", "ema.")):
            model = recipe.make_model().eval().requires_grad_(False)
            parts = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            model.load_state_dict(parts)
            models[f"{kind}, {when}"] = model
    return recipe, models


def errors(
    recipe: DDPMToybox, model: nn.Module, x0: Float[Tensor, "n 3 32 32"], labels: Tensor
) -> Float[Tensor, "times n"]:
    """Squared errors of the estimated pictures at TIMES, always under the same noise."""
    process, denoise = recipe.make_process(), recipe.denoiser(model, labels)
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    rows = []
    for time in TIMES:
        t = torch.full((len(x0),), time)
        rows.append((denoise(process.q_sample(x0, t, noise), t) - x0).square().flatten(1).mean(1))
    return torch.stack(rows)


@torch.no_grad()
def main(steps: int, samples: int) -> None:
    """Trains, draws, compares, writes objectives.json."""
    judge, reference = judge_and_reference()
    wanted = even_labels(samples)
    pictures, labels = (held[::8] for held in held_out_toys(samples))
    features: dict[str, Tensor] = {}
    wrong: dict[str, Tensor] = {}

    def look(name: str, recipe: DDPMToybox, model: nn.Module) -> None:
        images = draw(recipe, model, wanted, sampler=ddim, guidance_scale=1.0)
        features[name] = in_parts(judge.features, images)
        print(f"{name}: Fréchet distance {frechet_distance(features[name], reference):.1f}", flush=True)

    plain = DDPMToybox()
    base = {"prediction_type": "sample", "snr_gamma": None, "time_shift": 1.0}
    runs = {
        f"{kind}{', min-SNR' if gamma else ''}": base | {"prediction_type": kind, "snr_gamma": gamma}
        for kind in KINDS
        for gamma in (None, 5.0)
    } | {"linear schedule": base | {"schedule": "linear"}, "shifted times": base | {"time_shift": plain.time_shift}}
    with tempfile.TemporaryDirectory() as folder:
        for name, changes in runs.items():
            with torch.enable_grad():
                recipe, models = trained(steps, Path(folder) / name.replace(", ", "-"), **changes)
            look(name, recipe, models["averaged, end"])
            if recipe.schedule == plain.schedule:
                wrong[name] = errors(recipe, models["averaged, end"], pictures, labels)
            if changes == base:
                for kind in ("raw, half", "averaged, half", "raw, end"):
                    look(kind, recipe, models[kind])
                features["averaged, end"] = features[name]

    def difference(first: str, second: str) -> dict[str, Any]:
        return distance_difference(features[first], features[second], wanted, reference)

    pairs = [(kind, f"{kind}, min-SNR") for kind in KINDS]
    pairs += [
        ("epsilon", "sample"),
        ("v_prediction", "sample"),
        ("linear schedule", "sample"),
        ("sample", "shifted times"),
    ]
    pairs += [(f"raw, {when}", f"averaged, {when}") for when in ("half", "end")]
    write_study(
        "objectives",
        {
            "steps": steps,
            "batch_size": plain.train.batch_size,
            "times": TIMES,
            "fd": {name: distance_metric(found, wanted, reference) for name, found in features.items()},
            "error": {name: [metric(row) for row in found] for name, found in wrong.items()},
            "difference": {f"{first} minus {second}": difference(first, second) for first, second in pairs},
        },
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400, help="of each training")
    parser.add_argument("--samples", type=int, default=200, help="toys drawn from each model, and held-out ones")
    options = parser.parse_args()
    main(options.steps, options.samples)
