"""Do more pictures help if nobody knows where they were taken from? SAP3D's arms, on `views-toybox`.

`python -m minilib.studies.adaptation --folder FOLDER` fits the model to held-out toys, one after the other, and writes
adaptation.json; it goes on where the folder ends.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from minilib.evaluate.adaptation import Object, arms, as_first_sees, own_loss, prior_loss
from minilib.evaluate.common import metric
from minilib.evaluate.views import COUNTS, Toys, held_out
from minilib.metrics import psnr
from minilib.recipes.views_toybox import ViewsToybox
from minilib.studies import write_study
from minilib.studies.view_designs import guessed
from minilib.views.denoiser import ViewDenoiser
from minilib.views.pose_search import PoseGrid
from minilib.views.poses import Adaptation, TurnedCameras, adapt
from minilib.weights import load_trained

FIRST = 100
"""Number of the first toy: the card's are those before."""

CONFIG = Adaptation(steps=20, learning_rate=5e-4, pose_rate=1e-2)
"""Found on validation toys: of the rates that were tried, those under which moving cameras gained most."""

SEARCH = PoseGrid(finalists=9, starts=2, survivors=2)
"""More thorough than the default; five pictures take three times as long."""

FORGETTING_EVERY = 4
"""On one of so many toys it is measured what the model forgets of others."""

OFF = ("error_before", "error_after", "near_before", "near_after")
"""What is said of the poses."""


def object_of(toys: Toys, row: int, count: int) -> Object:
    """A toy with its first `count` views, told in the first one's axes."""
    camera = toys.views.camera[row]
    told = as_first_sees(camera[[*range(count), -1]], camera[0])
    return Object(toys.views.images[row, :count], told[:-1], toys.truth[row], told[-1])


def forgetting(
    recipe: ViewsToybox, model: ViewDenoiser, thing: Object, others: Toys, data: Any, config: Adaptation
) -> float:
    """How many dB the guess on other toys gains by an adaptation to one; below 0 it forgets."""
    cameras = TurnedCameras(thing.camera)
    adapted = adapt(model, cameras, own_loss(recipe, thing.images), prior_loss(recipe, data), config)

    def quality(some: ViewDenoiser) -> Tensor:
        return psnr(guessed(recipe, some, others.views[:, :2], others.target), others.truth).mean()

    return float(quality(adapted) - quality(model))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over toys with intervals: each arm for each number of pictures, and differences of arms."""
    found: dict[str, Any] = {}
    by_count = {count: [row for row in rows if row["count"] == count] for count in COUNTS}

    def column(count: int, name: str) -> Tensor:
        return torch.tensor([row[name] for row in by_count[count]])

    for count in COUNTS:
        for name in ("known", "none", "true", "frozen", "refined", *OFF):
            if all(name in row for row in by_count[count]):
                found[f"{name}_{count}"] = metric(column(count, name))
    first = column(COUNTS[0], "none")
    for count in COUNTS[1:]:
        found[f"refined_minus_frozen_{count}"] = metric(column(count, "refined") - column(count, "frozen"))
        found[f"refined_minus_none_{count}"] = metric(column(count, "refined") - column(count, "none"))
        found[f"true_minus_known_{count}"] = metric(column(count, "true") - column(count, "known"))
        found[f"frozen_minus_none_{count}"] = metric(column(count, "frozen") - column(count, "none"))
        found[f"refined_gain_{count}"] = metric(column(count, "refined") - first)
    found[f"known_minus_refined_{COUNTS[-1]}"] = metric(column(COUNTS[-1], "known") - column(COUNTS[-1], "refined"))
    steps = torch.stack([first, *(column(count, "refined") for count in COUNTS[1:])])
    found["monotone"] = metric((steps.diff(dim=0) > 0).all(0).float())
    for name in ("forgetting", "forgetting_without_prior"):
        found[name] = metric(torch.tensor([row[name] for row in rows if name in row]))
    return found


@cache
def _known(num_toys: int) -> tuple[ViewsToybox, ViewDenoiser, Toys, Toys, Any]:
    """What every row needs: recipe, model, toys, other toys and training data."""
    recipe, model = load_trained(ViewsToybox().name)
    return (
        recipe,
        model,
        held_out(recipe, num_toys, FIRST),
        held_out(recipe, 20, split="validation"),
        recipe.make_dataset(),
    )


def row_of(number: int, count: int, num_toys: int) -> dict[str, Any]:
    """What is measured of a toy with so many pictures."""
    recipe, model, toys, others, data = _known(num_toys)
    thing = object_of(toys, number, count)
    row: dict[str, Any] = {"toy": number, "count": count}
    row |= arms(recipe, model, thing, data, CONFIG, grid=SEARCH, seed=number)
    if count == COUNTS[-1] and number % FORGETTING_EVERY == 0:
        row["forgetting"] = forgetting(recipe, model, thing, others, data, CONFIG)
        bare = replace(CONFIG, prior_weight=0.0)
        row["forgetting_without_prior"] = forgetting(recipe, model, thing, others, data, bare)
    return row


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m minilib.studies.adaptation", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where what is measured is kept on the way")
    parser.add_argument("--toys", type=int, default=40)
    options = parser.parse_args()
    if options.toys < FORGETTING_EVERY + 1:  # an interval needs two
        parser.error(f"expected --toys {FORGETTING_EVERY + 1} at least, got {options.toys}")
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "rows.json"
    rows: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    done = {(row["toy"], row["count"]) for row in rows}
    left = [(number, count) for number in range(options.toys) for count in COUNTS if (number, count) not in done]
    _known(options.toys)  # pictures are rendered once, before there are many processes
    # batches are small, so a process on each core is quicker than all cores for one
    with ProcessPoolExecutor(
        mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as processes:
        for future in as_completed([processes.submit(row_of, *which, options.toys) for which in left]):
            rows.append(future.result())
            file.write_text(json.dumps(rows, indent=1))
            print({name: round(value, 2) for name, value in rows[-1].items()}, flush=True)
    rows.sort(key=lambda row: (row["toy"], row["count"]))
    write_study(
        "adaptation", {"config": asdict(CONFIG), "search": asdict(SEARCH), "toys": options.toys} | summary(rows)
    )


if __name__ == "__main__":
    main()
