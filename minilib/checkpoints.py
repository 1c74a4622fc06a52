"""A run of training on disk: its checkpoint, written in one piece or not at all, and its log."""

import csv
import dataclasses
import io
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

if TYPE_CHECKING:
    from minilib.training import EMA, Recipe

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.csv"
HARMLESS = ("train.workers", "train.sample_every", "train.checkpoint_every")
"""Settings that a run may be resumed with other values of."""


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
    kept = f"the one of step {step_of(path)} is kept" if path.exists() else "there is none before it"
    write_atomically(path, data, what=f"the checkpoint of step {step}", otherwise=f"; {kept}")


def write_atomically(path: Path, data: bytes, *, what: str, otherwise: str = "") -> None:
    """Writes a file in one piece or not at all.

    Args:
        path: where to.
        data: its bytes.
        what: the file is, for the message of the error.
        otherwise: what the message ends with.
    Raises:
        OSError: it cannot be written, for example because the disk is full; an earlier file at `path` is untouched.
    """
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        message = f"cannot write {what} ({len(data) / 1e6:.1f} MB) to {path}: {reason}{otherwise}"
        raise OSError(error.errno, message) from error


def load_checkpoint(path: Path, recipe: "Recipe", model: nn.Module, ema: "EMA", optimizer: Any) -> dict[str, Any]:
    """Puts a checkpoint's tensors where they belong; returns its step, seconds and recipe.

    Raises:
        ValueError: a damaged file, one that another recipe or other settings have made, or tensors that do not fit.
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
        part = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
        fit_state_dict(target, part, source=str(path))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = value
    learning = {index for index, parameter in enumerate(model.parameters()) if parameter.requires_grad}
    # weights that have had no gradient yet have no state, either
    fits = set(moments) <= learning if recipe.leaves_weights_unused else set(moments) == learning
    if not fits:
        raise ValueError(f"{path} holds the optimizer's state of {len(moments)} parameters, expected {len(learning)}")
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, values in optimizer.state.items():  # with the strides of its parameter, as before it was saved
        for key in ("exp_avg", "exp_avg_sq"):
            values[key] = torch.empty_like(parameter).copy_(values[key])
    return facts


def fit_state_dict(model: nn.Module, state: Mapping[str, Tensor], *, source: str, new: str | None = None) -> None:
    """Loads `state` into `model`, all of it or nothing.

    Args:
        model: to be filled.
        state: its weights.
        source: what an error message calls them.
        new: a pattern; weights with a name in which it is found may be missing, and stay as they are.
    Raises:
        ValueError: keys that are missing, unexpected or of another shape; lists them.
    """
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    problems = {
        "missing": sorted(name for name in wanted.keys() - found.keys() if not (new and re.search(new, name))),
        "unexpected": sorted(found.keys() - wanted.keys()),
        "of another shape": [
            f"{name} {found[name]} (expected {wanted[name]})"
            for name in sorted(wanted.keys() & found.keys())
            if wanted[name] != found[name]
        ],
    }
    said = [f"{len(names)} {kind}: {', '.join(names)}" for kind, names in problems.items() if names]
    if said:
        raise ValueError(f"{source} does not fit {type(model).__name__}: {'; '.join(said)}")
    model.load_state_dict(state, strict=new is None)


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
    """Where two nested dicts of settings differ: "train.steps is 10 there, 20 here"; without what changes no number."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(found.keys() | wanted.keys())
        return [
            text
            for key in keys
            for text in _differences(found.get(key), wanted.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if found == wanted or name in HARMLESS else [f"{name} is {found} there, {wanted} here"]


class Log:
    """Loss, learning rate, gradient norm and seconds of each step, as CSV.

    Args:
        path: of the file; of an earlier run's, the rows from step `first` on are dropped.
        first: the step that this run begins with.
    Raises:
        OSError: the file cannot be written; says which.
    """

    COLUMNS = ("step", "loss", "learning_rate", "gradient_norm", "seconds")

    def __init__(self, path: Path, first: int):
        rows = []
        if path.exists():
            with path.open(newline="") as file:
                rows = [row for row in csv.reader(file) if row and row[0].isdigit() and int(row[0]) < first]
        self.path = path
        text = io.StringIO(newline="")
        csv.writer(text).writerows([self.COLUMNS, *rows])
        write_atomically(path, text.getvalue().encode(), what="the log")

    def add(self, step: int, *values: float) -> None:
        """Appends a row: the step, and a value for each further column."""
        try:
            with self.path.open("a", newline="") as file:
                csv.writer(file).writerow([step, *(f"{value:.6g}" for value in values)])
        except OSError as error:
            raise OSError(error.errno, f"cannot write the log {self.path}: {error.strerror or error}") from error
