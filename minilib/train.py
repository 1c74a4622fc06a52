"""Trains a recipe: `python -m minilib.train NAME`, or `accelerate launch -m minilib.train NAME` on many devices."""

import argparse
import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch

from minilib.errors import require, unknown_name
from minilib.recipes import RECIPES, make_recipe
from minilib.training import Recipe, train
from minilib.weights import save_trained

T = TypeVar("T")


def with_settings(recipe: T, settings: Sequence[str]) -> T:
    """The recipe with settings such as "train.steps=100" changed; each keeps the type it had.

    Raises:
        ValueError: no "=", an unknown name (the nearest is suggested), or a value of another type.
    """
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"expected name=value, such as train.steps=100, got {setting!r}")
        recipe = _replaced(recipe, name.split("."), text, name)
    return recipe


def _replaced(part: T, path: list[str], text: str, name: str) -> T:
    fields = [field.name for field in dataclasses.fields(part)]  # pyright: ignore[reportArgumentType]
    if path[0] not in fields:
        raise unknown_name("setting", path[0], fields)
    old = getattr(part, path[0])
    if len(path) > 1:
        return dataclasses.replace(part, **{path[0]: _replaced(old, path[1:], text, name)})  # pyright: ignore
    if not isinstance(old, (int, float, str)):
        raise ValueError(f"{name} cannot be set here: it is {old!r}; make a recipe in Python instead")
    if isinstance(old, bool) and text not in ("true", "false"):
        raise ValueError(f"{name}={text}: expected true or false")
    try:
        new = text == "true" if isinstance(old, bool) else type(old)(text)
        return dataclasses.replace(part, **{path[0]: new})  # pyright: ignore
    except ValueError as error:
        raise ValueError(f"{name}={text}: {error}") from error


def has_bf16() -> bool:
    """Whether the processor computes in bf16 at a bearable speed: of Intel's and AMD's, those with AVX-512 do."""
    return torch.backends.cpu.get_cpu_capability() not in ("NO AVX", "AVX2")


def warn_of_slow_bf16(recipe: Recipe) -> None:
    """Tells who is about to train in bf16 on a processor without it."""
    if recipe.train.mixed_precision == "bf16" and not torch.cuda.is_available() and not has_bf16():
        warnings.warn(
            "this processor has no arithmetic for bf16 and will take many times as long as in float32: stop, and add"
            " --set train.mixed_precision=no",
            stacklevel=3,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m minilib.train", description=__doc__)
    parser.add_argument("name", choices=sorted(RECIPES), help="the recipe")
    parser.add_argument("--folder", type=Path, help="where the run is kept; default: runs/NAME")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint, exactly")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="such as train.steps=100")
    options = parser.parse_args(arguments)
    recipe = with_settings(make_recipe(options.name), options.set)
    warn_of_slow_bf16(recipe)
    folder = options.folder or Path("runs") / options.name
    model = train(recipe, folder, resume=options.resume)
    state = require("accelerate", extra="train").PartialState()
    if state.is_main_process:
        save_trained(recipe, model, folder)
    state.destroy_process_group()


if __name__ == "__main__":
    main()
