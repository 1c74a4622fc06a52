"""A run of training on disk: one file, written in one piece or not at all, from which it goes on exactly."""

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

if TYPE_CHECKING:
    from minilib.training import EMA, Recipe

CHECKPOINT = "checkpoint.safetensors"


def save_checkpoint(
    path: Path, recipe: "Recipe", model: nn.Module, ema: "EMA", optimizer: Any, *, step: int, seconds: float
) -> None:
    """Writes all that resuming needs as one file, in one piece or not at all.

    Raises:
        OSError: it cannot be written, for example because the disk is full; an earlier file at `path` is untouched.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in ema.model.state_dict().items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items()}
    facts = {"step": step, "seconds": round(seconds, 1), "recipe": dataclasses.asdict(recipe)}
    data = to_bytes({name: value.cpu().contiguous() for name, value in tensors.items()}, {"facts": json.dumps(facts)})
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        kept = f"the one of step {step_of(path)} is kept" if path.exists() else "there is none before it"
        reason = error.strerror or str(error)
        message = f"cannot write the checkpoint of step {step} ({len(data) / 1e6:.0f} MB) to {path}: {reason}; {kept}"
        raise OSError(error.errno, message) from error


def load_checkpoint(path: Path, recipe: "Recipe", model: nn.Module, ema: "EMA", optimizer: Any) -> dict[str, Any]:
    """Puts a checkpoint's tensors where they belong; returns its step, seconds and recipe.

    Raises:
        ValueError: a damaged file, or one that another recipe or other settings have made.
    """
    facts = read_facts(path)
    wanted, found = json.loads(json.dumps(dataclasses.asdict(recipe))), facts["recipe"]
    if wanted["name"] != found["name"]:
        raise ValueError(f"{path} is a checkpoint of the recipe {found['name']!r}, expected {wanted['name']!r}")
    different = _differences(found, wanted)
    if different:
        raise ValueError(
            f"{path} was made with other settings: {'; '.join(different)}; change them back, or start anew"
        )
    with safe_open(path, "pt") as file:
        tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for prefix, target in (("model.", model), ("ema.", ema.model)):
        target.load_state_dict(
            {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
        )
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return facts


def read_facts(path: Path) -> dict[str, Any]:
    """A checkpoint's step, seconds and recipe, without its tensors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no checkpoint of this library.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}")
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["facts"])
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no checkpoint, or is damaged ({error}): delete it to start anew") from error


def step_of(path: Path) -> int:
    """The number of updates that a checkpoint has seen; errors as `read_facts`."""
    return int(read_facts(path)["step"])


def _differences(found: Any, wanted: Any, name: str = "") -> list[str]:
    """Where two nested dicts of settings differ: "train.steps is 10 there, 20 here"."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(found.keys() | wanted.keys())
        return [
            text
            for key in keys
            for text in _differences(found.get(key), wanted.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if found == wanted else [f"{name} is {found} there, {wanted} here"]
