"""Do the views that a model draws of a toy agree? Designs of models of views, jointly and one by one.

`python -m minilib.studies.orbits FOLDER ...` measures trained runs, in folders named as their recipes, or what ships
under that name, and adds it to orbits.json.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from minilib.evaluate.orbits import around, orbit_metrics
from minilib.studies import write_study
from minilib.weights import FOLDER, load_trained

TOGETHER = {"transformer-toybox"}
"""Designs in which the views of a sample look at each other; in the others, together or one by one is the same."""

AVERAGED = (1, 2, 4)
"""Numbers of samples whose mean is measured, too: a higher PSNR, and less that could disagree."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m minilib.studies.orbits", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="of runs, or names of what ships")
    parser.add_argument("--toys", type=int, default=20)
    parser.add_argument("--inputs", type=int, nargs="+", default=[1, 3], help="numbers of input views")
    parser.add_argument("--temperature", type=float, help="of samples, if not the usual one")
    options = parser.parse_args()
    toys, found = around(options.toys, 400), {}
    sampling, hotter = {}, ""
    if options.temperature is not None:
        sampling, hotter = {"temperature": options.temperature}, f", temperature {options.temperature:g}"
    for folder in options.folders:
        recipe, model = load_trained(folder.name, folder if folder.is_dir() else FOLDER)
        for inputs in (count for count in options.inputs if count <= recipe.max_views):
            for jointly in (True, False) if folder.name in TOGETHER else (True,):
                name = f"{folder.name}, {inputs}{'' if jointly else ', one by one'}{hotter}"
                metrics: dict[str, Any] = orbit_metrics(
                    recipe, model, toys, inputs=inputs, jointly=jointly, averaged=AVERAGED, **sampling
                )
                found[name] = metrics
                print(name, {key: round(value["value"], 4) for key, value in metrics.items()}, flush=True)
    write_study("orbits", found, add=True)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
