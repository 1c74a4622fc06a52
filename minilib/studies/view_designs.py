"""What does geometry buy? Designs of models of views, trained on the same toys for equal times.

`python -m minilib.studies.view_designs train NAME --folder FOLDER` trains a recipe and measures it on the way;
`python -m minilib.studies.view_designs gather FOLDER ...` writes what was measured to view_designs.json, how near the
designs come to the truth on held-out toys once they are trained, and by how much the first is better than each other.

What is measured on the way is the model's guess in one step from noise alone, near the mean of all answers: it is
quick, and a model that does not use its input views shows the same number for any number of them. In the end views are
drawn from one picture, too.
"""

import argparse
import json
import time
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minilib.checkpoints import LOG
from minilib.evaluate.common import metric
from minilib.evaluate.views import COUNTS, SAMPLES, Toys, copied, drawn, held_out
from minilib.metrics import psnr
from minilib.recipes import RECIPES, make_recipe
from minilib.recipes.toy_views import ToyViewsRecipe
from minilib.studies import write_study
from minilib.train import warn_of_slow_bf16, with_settings
from minilib.training import train
from minilib.views.cameras import Camera
from minilib.views.inputs import Views
from minilib.weights import load_trained, save_trained

CURVE = "curve.json"
"""What a run has measured so far, in its folder."""


@torch.no_grad()
def guessed(
    recipe: ToyViewsRecipe, model: nn.Module, views: Views, target: Camera, *, size: int = 20
) -> Float[Tensor, "b 3 h w"]:
    """What the model makes of noise alone in one step, for one target of each toy, some toys at a time."""
    parts = []
    for start in range(0, len(views.images), size):
        rows = slice(start, start + size)
        denoise = recipe.denoiser_of(model, views[rows], target[rows][:, None])
        shape = views.images[rows, 0].shape
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(start)).to(views.images)
        last = torch.full((len(noise),), recipe.num_train_timesteps - 1, device=noise.device)
        parts.append(denoise(noise, last).clamp(-1, 1))
    return torch.cat(parts)


def measured(recipe: ToyViewsRecipe, model: nn.Module, toys: Toys) -> dict[str, Float[Tensor, " b"]]:
    """PSNR of the guess of each toy, for each number of input views that the recipe trains with."""
    counts = [count for count in COUNTS if count <= recipe.max_views]
    found = {n: guessed(recipe, model, toys.views[:, :n], toys.target) for n in counts}
    return {f"psnr_{n}": psnr(images, toys.truth) for n, images in found.items()}


def sampled(recipe: ToyViewsRecipe, model: nn.Module, toys: Toys) -> dict[str, Float[Tensor, " b"]]:
    """PSNR from one picture of one sample of each toy, and of the mean of eight."""
    made = drawn(recipe, model, toys.views[:, :1], toys.target)
    return {"sample_psnr_1": psnr(made[:, 0], toys.truth), f"mean{SAMPLES}_psnr_1": psnr(made.mean(1), toys.truth)}


def apart(ours: dict[str, Float[Tensor, " b"]], others: dict[str, Float[Tensor, " b"]]) -> dict[str, dict[str, Any]]:
    """Differences of what was measured of two designs on the same toys, toy by toy, where both have it; `growth` is by
    how much more their guesses differ from five pictures than from one."""
    gaps = {name: ours[name] - others[name] for name in ours if name in others}
    few, many = (f"psnr_{count}" for count in (COUNTS[0], COUNTS[-1]))
    if many in gaps:
        gaps["growth"] = gaps[many] - gaps[few]
    return {name: metric(gap) for name, gap in gaps.items()}


def watched(recipe: ToyViewsRecipe, toys: Toys) -> ToyViewsRecipe:
    """The same recipe, but where it would draw a preview it is measured."""

    class Watched(type(recipe)):
        def preview(self, model: nn.Module, path: Path) -> None:
            started, file = time.monotonic(), path.parent / CURVE
            before = json.loads(file.read_text()) if file.exists() else []
            step = int(path.stem.removeprefix("step-"))
            found = {name: metric(values) for name, values in measured(self, model, toys).items()}
            row = {"step": step, "seconds_measuring": time.monotonic() - started} | found
            file.write_text(json.dumps([*(row for row in before if row["step"] < step), row], indent=1))
            print({name: round(value["value"], 2) for name, value in found.items()}, flush=True)

    return Watched(**{field.name: getattr(recipe, field.name) for field in fields(recipe)})  # pyright: ignore[reportAbstractUsage]


def curve_of(folder: Path) -> list[dict[str, Any]]:
    """What a run has measured, with the minutes of training alone until then.

    Raises:
        FileNotFoundError: the folder holds no such run.
    """
    for name in (CURVE, LOG):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"expected {name} of a run in {folder}; there is none")
    rows = [line.split(",") for line in (folder / LOG).read_text().splitlines()[1:]]
    seconds = {int(row[0]) + 1: float(row[-1]) for row in rows}
    curve, spent = [], 0.0
    for row in json.loads((folder / CURVE).read_text()):
        row["minutes"] = (seconds[row["step"]] - spent) / 60
        spent += row.pop("seconds_measuring")
        curve.append(row)
    return curve


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m minilib.studies.view_designs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("train", help="train and measure a recipe")
    one.add_argument("name", choices=sorted(n for n in RECIPES if issubclass(RECIPES[n], ToyViewsRecipe)))
    one.add_argument("--folder", type=Path, required=True)
    one.add_argument("--resume", action="store_true")
    one.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="such as train.steps=100")
    all_ = commands.add_parser("gather", help="write view_designs.json from the folders of runs")
    all_.add_argument("folders", type=Path, nargs="+", help="each named as its recipe")
    options = parser.parse_args()
    if options.command == "gather":
        found: dict[str, Any] = {folder.name: curve_of(folder) for folder in options.folders}
        trained: list[Any] = [load_trained(folder.name, folder) for folder in options.folders]
        new = held_out(trained[0][0], 100)
        values = {recipe.name: measured(recipe, model, new) | sampled(recipe, model, new) for recipe, model in trained}
        first, *others = values
        found |= {f"{first} minus {name}": apart(values[first], values[name]) for name in others}
        for recipe, model in trained:
            parameters = sum(weight.numel() for weight in model.parameters())
            tested = {kind: metric(each) for kind, each in values[recipe.name].items()}
            found[f"{recipe.name}, run"] = {"parameters": parameters, "train": asdict(recipe.train), "test": tested}
        toys = held_out(trained[0][0], 100, split="validation")
        found["copy"] = {f"psnr_{n}": metric(psnr(copied(toys.views[:, :n], toys.target), toys.truth)) for n in COUNTS}
        write_study("view_designs", found)
        return
    recipe: Any = with_settings(make_recipe(options.name), options.set)
    warn_of_slow_bf16(recipe)
    recipe = replace(recipe, train=replace(recipe.train, sample_every=recipe.train.steps // 12))
    model = train(watched(recipe, held_out(recipe, 100, split="validation")), options.folder, resume=options.resume)
    save_trained(recipe, model, options.folder)


if __name__ == "__main__":
    main()
