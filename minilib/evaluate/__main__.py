"""Measures a trained model on toys that no training has seen: `python -m minilib.evaluate NAME`.

The numbers go into the model's card, each with its 95 % interval and the number of independent things it is made of.
"""

import argparse
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minilib.evaluate.clip import evaluate_clip
from minilib.evaluate.diffusion import evaluate_classifier, evaluate_ddpm
from minilib.evaluate.sam import evaluate_sam
from minilib.evaluate.sam2 import evaluate_sam2
from minilib.evaluate.view_rivals import evaluate_views_toybox
from minilib.evaluate.views import evaluate_views
from minilib.evaluate.vit import evaluate_vit
from minilib.weights import FOLDER, load_trained, read_card, write_card

EVALUATIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "classifier-toybox": evaluate_classifier,
    "clip-toybox": evaluate_clip,
    "ddpm-toybox": evaluate_ddpm,
    "regressor-toybox": evaluate_views,
    "sam2-toybox": evaluate_sam2,
    "sam-toybox": evaluate_sam,
    "transformer-toybox": evaluate_views,
    "views-large": evaluate_views,
    "views-toybox": evaluate_views_toybox,
    "vit-toybox": evaluate_vit,
    "zero123-toybox": evaluate_views,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m minilib.evaluate", description=__doc__)
    parser.add_argument("name", choices=sorted(EVALUATIONS), help="the recipe")
    parser.add_argument("--from", dest="folder", type=Path, help="where it was trained; default: what ships")
    parser.add_argument("--ship", action="store_true", help="copy weights and card to those that ship, with a picture")
    options = parser.parse_args(arguments)
    if options.ship and not options.folder:
        parser.error("--ship needs --from: what ships lies where it ships already")
    folder = options.folder or FOLDER
    recipe, model = load_trained(options.name, folder)
    metrics = EVALUATIONS[options.name](recipe, model)
    path = folder / f"{options.name}.json"
    write_card(path, read_card(path) | {"metrics": metrics})
    if options.ship and folder != FOLDER:
        for suffix in (".safetensors", ".json"):
            shutil.copy(path.with_suffix(suffix), FOLDER)
        recipe.preview(model, FOLDER / f"{options.name}.png")


if __name__ == "__main__":
    main()
