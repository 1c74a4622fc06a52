"""What to predict, which noise levels to weight, which schedule, averaged weights or not: `ddpm-toybox`, but briefly.

`python -m minilib.studies.objectives` trains the network once for each choice, on the same examples in the same
order with the same noise, draws toys without guidance and compares Fréchet distances. The intervals are over the drawn
toys; how much another training seed would change is not in them.
"""

import argparse
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn

from minilib.diffusion.samplers import ddim
from minilib.evaluate import distance_difference, distance_metric, draw, even_labels, in_parts, judge_and_reference
from minilib.metrics import frechet_distance
from minilib.recipes.ddpm_toybox import DDPMToybox
from minilib.studies import write_study
from minilib.training import CHECKPOINT, train

CHOICES: dict[str, dict[str, Any]] = {
    f"{prediction}{', min-SNR' if gamma else ''}": {"prediction_type": prediction, "snr_gamma": gamma}
    for prediction in ("epsilon", "sample", "v_prediction")
    for gamma in (None, 5.0)
}
"""The choices compared under the cosine schedule."""


@dataclass(frozen=True, kw_only=True)
class Watched(DDPMToybox):
    """Keeps the checkpoint of half-time, with its raw and its averaged weights."""

    def preview(self, model: nn.Module, path: Path) -> None:
        """Copies the checkpoint that has just been written."""
        shutil.copy(path.parent / CHECKPOINT, path.with_suffix(".safetensors"))


def trained(steps: int, folder: Path, **changes: Any) -> tuple[DDPMToybox, dict[str, nn.Module]]:
    """Trains one choice; returns its recipe and its models: raw and averaged weights, at half-time and at the end."""
    plain = DDPMToybox()
    config = replace(plain.train, steps=steps, sample_every=steps // 2, checkpoint_every=steps // 2)
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


def main(steps: int, samples: int) -> None:
    """Trains, draws, compares, writes objectives.json."""
    judge, reference = judge_and_reference()
    features: dict[str, Tensor] = {}

    def look(name: str, recipe: DDPMToybox, model: nn.Module) -> None:
        images = draw(recipe, model, even_labels(samples), sampler=ddim, guidance_scale=1.0)
        features[name] = in_parts(judge.features, images)
        print(f"{name}: {frechet_distance(features[name], reference):.1f}", flush=True)

    plain = DDPMToybox()
    runs = CHOICES | {
        "linear schedule": {"schedule": "linear", "prediction_type": plain.prediction_type, "snr_gamma": None}
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, changes in runs.items():
            recipe, models = trained(steps, Path(folder) / name.replace(", ", "-"), **changes)
            look(name, recipe, models["averaged, end"])
            if changes == {"prediction_type": plain.prediction_type, "snr_gamma": None}:
                for kind, model in models.items():
                    if kind != "averaged, end":
                        look(kind, recipe, model)
                features["averaged, end"] = features[name]

    def difference(first: str, second: str) -> dict[str, Any]:
        return distance_difference(features[first], features[second], reference)

    kinds = ("epsilon", "sample", "v_prediction")
    differences = {f"{kind} minus {kind}, min-SNR": difference(kind, f"{kind}, min-SNR") for kind in kinds}
    differences["epsilon minus sample"] = difference("epsilon", "sample")
    differences["epsilon minus v_prediction"] = difference("epsilon", "v_prediction")
    differences["linear minus cosine"] = difference("linear schedule", plain.prediction_type)
    for when in ("half", "end"):
        differences[f"raw minus averaged, {when}"] = difference(f"raw, {when}", f"averaged, {when}")
    write_study(
        "objectives",
        {
            "steps": steps,
            "samples": samples,
            "batch_size": plain.train.batch_size,
            "prediction_type": plain.prediction_type,
            "fd": {name: distance_metric(found, reference) for name, found in features.items()},
            "difference": differences,
        },
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=250, help="of each training")
    parser.add_argument("--samples", type=int, default=200, help="drawn from each model")
    options = parser.parse_args()
    main(options.steps, options.samples)
