"""Trained weights that ship with the library, each NAME.safetensors beside its card NAME.json."""

import dataclasses
import hashlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from minilib.checkpoints import CHECKPOINT, fit_state_dict, read_facts, write_atomically

if TYPE_CHECKING:
    from minilib.training import Recipe

FOLDER = Path(__file__).parent


def cards(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The card of every shipped model by name: recipe, seed, steps, minutes, hardware, toybox version, sha256, metrics.

    Raises:
        FileNotFoundError: a card without its weights.
        ValueError: weights whose sha256 is not the card's.
    """
    return {path.stem: _checked(path)[0] for path in sorted(folder.glob("*.json"))}


def load_trained(name: str, folder: Path = FOLDER) -> tuple[Any, Any]:
    """A trained model in evaluation mode, float32 on the CPU, and the recipe it was trained by, as its card has it.

    Args:
        name: of the recipe, such as "ddpm-toybox".
        folder: where NAME.safetensors and NAME.json lie; by default those that ship.
    Returns:
        The recipe and the model.
    Raises:
        FileNotFoundError: no such card or weights in the folder.
        ValueError: an unknown name, a damaged card, damaged weights, weights that do not fit the recipe's model, or a
            card with settings that the recipe does not have, or a model that it builds on is not the one it was trained
            with.
    """
    from minilib.recipes import make_recipe

    plain, path = make_recipe(name), folder / f"{name}.json"
    if not path.is_file():
        present = ", ".join(sorted(card.stem for card in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(f"no trained {name!r} in {folder} (there: {present}); python -m minilib.train {name}")
    card, data = _checked(path)
    try:
        recipe = _restored(plain, card["recipe"])
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path.name} has settings that this version's {name} does not know: {error}") from error
    model = recipe.make_model()
    given = _given(model)
    if given and _digest(to_bytes(given)) != card.get("given_sha256"):
        raise ValueError(f"{name} was trained with other weights of the model that it builds on: fetch both again")
    fit_state_dict(model, given | from_bytes(data), source=f"{name}.safetensors")
    return recipe, model.eval().requires_grad_(False)


def save_trained(recipe: "Recipe", model: nn.Module, folder: Path) -> Path:
    """Writes a model in half precision, and its card without metrics, into `folder`; returns the card's path.

    Weights that do not learn are not written again: `make_model` takes them from another trained model. The card has
    their sha256, so that they stay the same.

    `python -m minilib.evaluate` fills the metrics in.
    """
    from minilib.toybox import VERSION

    given = _given(recipe.make_model())
    learned = {name: value for name, value in model.state_dict().items() if name not in given}
    data = to_bytes({name: value.half().cpu().contiguous() for name, value in learned.items()})
    seconds = read_facts(folder / CHECKPOINT)["seconds"]
    device = next(model.parameters()).device
    card = {
        "recipe": dataclasses.asdict(recipe),
        "seed": recipe.train.seed,
        "steps": recipe.train.steps,
        "minutes": round(seconds / 60, 1),
        "hardware": _hardware(device),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "toybox_version": VERSION,
        "sha256": _digest(data),
        **({"given_sha256": _digest(to_bytes(given))} if given else {}),
        "metrics": {},
    }
    write_atomically(folder / f"{recipe.name}.safetensors", data, what="the trained weights")
    path = folder / f"{recipe.name}.json"
    write_card(path, card)
    return path


def read_card(path: Path) -> dict[str, Any]:
    """A card, as `write_card` wrote it.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"the card {path} is damaged ({error}): fetch it again") from error


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    """Writes a card as JSON, in one piece or not at all."""
    write_atomically(path, (json.dumps(card, indent=1) + "\n").encode(), what="the card")


def _given(model: nn.Module) -> dict[str, Tensor]:
    """The weights of an untrained model that do not learn, in half precision."""
    return {
        name: some.detach().half().contiguous() for name, some in model.named_parameters() if not some.requires_grad
    }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _restored(part: Any, saved: Mapping[str, Any]) -> Any:
    """A recipe, or a part of one, with saved settings."""
    changes = {}
    for name, value in saved.items():
        nested = isinstance(value, Mapping)
        changes[name] = (
            _restored(getattr(part, name), value) if nested else tuple(value) if isinstance(value, list) else value
        )
    return dataclasses.replace(part, **changes)


def _checked(path: Path) -> tuple[dict[str, Any], bytes]:
    """A card and the bytes of its weights."""
    card, weights = read_card(path), path.with_suffix(".safetensors")
    if not weights.is_file():
        raise FileNotFoundError(f"{path.name} describes {weights.name}, which is missing from {path.parent}")
    data = weights.read_bytes()
    digest = _digest(data)
    if digest != card["sha256"]:
        raise ValueError(f"{weights.name} has sha256 {digest}, its card says {card['sha256']}: fetch it again")
    return card, data


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name(device)}"
    return f"{os.cpu_count()} cores, {platform.machine()}"
