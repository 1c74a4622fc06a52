"""Trains a model: one loop for every recipe, on one processor or, under `accelerate launch`, on many.

Everything that a recipe draws in a step (which examples, which noise) comes from (seed, step) for the whole batch, and
each process takes its share. So a run that was killed goes on exactly as if it had not been, and two processes compute
what one would have; with dropout, whose masks each process draws for itself, only the first is true.
"""

import dataclasses
import math
import time
from abc import ABC, abstractmethod
from copy import deepcopy
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from minilib.batches import generator, loader, mixed, share
from minilib.checkpoints import CHECKPOINT, LOG, Log, load_checkpoint, save_checkpoint, step_of
from minilib.errors import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a model is trained.

    Args:
        steps: updates of the weights.
        batch_size: examples in each update, over all processes and accumulated parts.
        learning_rate: its highest value, reached after `warmup_steps`; it then falls to 0 like a half cosine.
        warmup_steps: updates in which it rises from 0.
        weight_decay: of AdamW.
        max_grad_norm: longer gradients are cut to this length.
        ema_decay: of the averaged weights, once the ramp of `ema_decay_at` has reached it.
        gradient_accumulation: parts that a batch is computed in, one after the other, to save memory.
        mixed_precision: "bf16" computes in half precision where that is safe; the weights stay float32.
        seed: of the initial weights, the order of the examples and everything random in a step.
        workers: processes that load examples.
        sample_every, checkpoint_every: updates between two pictures, and between two checkpoints.
    Raises:
        ValueError: a number out of range; says which.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int = 100
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    ema_decay: float = 0.999
    gradient_accumulation: int = 1
    mixed_precision: str = "no"
    seed: int = 0
    workers: int = 0
    sample_every: int = 500
    checkpoint_every: int = 250

    def __post_init__(self):
        positive = ("steps", "batch_size", "learning_rate", "max_grad_norm", "gradient_accumulation", "sample_every")
        for name in (*positive, "checkpoint_every"):
            if not getattr(self, name) > 0:
                raise ValueError(f"expected {name} > 0, got {getattr(self, name)}")
        for name in ("warmup_steps", "weight_decay", "workers"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"expected {name} >= 0, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"expected seed in 0..2³² − 1, got {self.seed}")
        if not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"expected ema_decay in [0, 1), got {self.ema_decay}")
        if self.mixed_precision not in ("no", "bf16"):
            raise ValueError(f"expected mixed_precision 'no' or 'bf16', got {self.mixed_precision!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """A model, its data and its loss: all that `train` needs. Subclasses are frozen dataclasses of plain values."""

    name: str
    train: TrainConfig
    leaves_weights_unused: ClassVar[bool] = False
    """Whether there are steps in which some weights get no gradient; several devices have to know."""

    @abstractmethod
    def make_model(self) -> nn.Module:
        """The untrained model."""

    @abstractmethod
    def make_dataset(self) -> Dataset:
        """The training examples, dicts of tensors."""

    @abstractmethod
    def draw(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """All that is random in a step, for the whole batch: tensors whose first axis is the example."""

    @abstractmethod
    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """The loss of each example of a batch, which holds its data and what was drawn for it."""

    def preview(self, model: nn.Module, path: Path) -> None:  # noqa: B027  # optional
        """Saves a picture of what the averaged model can do by now, as `path`; nothing by default."""


class TrainingDivergedError(ArithmeticError):
    """The loss or the gradient is no number any more."""


class EMA:
    """Exponential moving average of a model's weights: smoother than the weights in training, and the ones to use.

    Args:
        model: the model to follow.
        decay: the highest decay, in [0, 1).
    Attributes:
        model: a copy with the averaged weights, in evaluation mode.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model = deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Moves the average towards the `model` after its update number `step`, counted from 0."""
        weight = 1.0 - ema_decay_at(step, self.decay)
        for mean, value in zip(self.model.parameters(), model.parameters(), strict=True):
            mean.lerp_(value.detach(), weight)
        for mean, value in zip(self.model.buffers(), model.buffers(), strict=True):
            mean.copy_(value)


def ema_decay_at(step: int, decay: float) -> float:
    """The decay after update number `step`, from 0: (1 + step)/(10 + step), until that reaches `decay`.

    Without this ramp, the average of a short run would be mostly its random start.
    """
    return min(decay, (1 + step) / (10 + step))


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Rises on a line for `warmup_steps`, then falls like a half cosine and would reach 0 at the end."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))


def train(recipe: Recipe, folder: Path, *, resume: bool = False) -> nn.Module:
    """Trains a recipe's model and returns it with its averaged weights.

    Writes into `folder`: checkpoint.safetensors, log.csv (loss, learning rate, gradient norm, seconds of each step) and
    what the recipe's `preview` draws.

    Args:
        recipe: what to train.
        folder: made if it is missing.
        resume: go on from the folder's checkpoint, exactly; without one, start.
    Raises:
        FileExistsError: the folder holds a checkpoint and `resume` is False.
        ValueError: the checkpoint is another recipe's or damaged, processes and parts do not divide the batch, or the
            processes do not share one folder.
        TrainingDivergedError: the loss or the gradient became NaN or infinite.
        OSError: the folder cannot be written, or the disk is full; the checkpoint before stays as it was.
    """
    accelerate = require("accelerate", extra="train")
    config, path = recipe.train, folder / CHECKPOINT
    distributed = accelerate.DistributedDataParallelKwargs(find_unused_parameters=recipe.leaves_weights_unused)
    accelerator = accelerate.Accelerator(
        gradient_accumulation_steps=config.gradient_accumulation,
        mixed_precision=config.mixed_precision,
        kwargs_handlers=[distributed],
    )
    parts = accelerator.num_processes * config.gradient_accumulation
    if config.batch_size % parts:
        raise ValueError(
            f"expected batch_size to be divisible by {parts} (processes × gradient_accumulation),"
            f" got {config.batch_size}"
        )
    if path.exists() and not resume:
        raise FileExistsError(
            f"{path} holds a run at step {step_of(path)}: go on with --resume, or choose another folder"
        )
    accelerator.wait_for_everyone()
    folder.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(config.seed)
    model = recipe.make_model()
    ema = EMA(model, config.ema_decay)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    state = load_checkpoint(path, recipe, model, ema, optimizer) if path.exists() else {"step": 0, "seconds": 0.0}
    first, before = int(state["step"]), float(state["seconds"])
    starts = accelerate.utils.gather_object([first])
    if len(set(starts)) > 1:
        raise ValueError(f"the processes find {folder} at steps {starts}: expected one folder that all of them share")
    model, optimizer = accelerator.prepare(model, optimizer)
    ema.model.to(accelerator.device)

    examples = iter(loader(recipe, first, accelerator.process_index, accelerator.num_processes))
    log = Log(folder / LOG, first) if accelerator.is_main_process else None
    bar = tqdm(initial=first, total=config.steps, desc=recipe.name, mininterval=1.0, disable=log is None)
    started, shown = time.monotonic(), math.nan
    with bar:
        for step in range(first, config.steps):
            rate = learning_rate_at(step, config)
            for group in optimizer.param_groups:
                group["lr"] = rate
            torch.manual_seed(mixed(config.seed, 2**31 + step * accelerator.num_processes + accelerator.process_index))
            drawn = recipe.draw(config.batch_size, generator(config.seed, 2 * step + 1))
            total, norm, mean = torch.zeros((), device=accelerator.device), torch.zeros(()), math.nan
            for part in range(config.gradient_accumulation):
                rows = share(config, part, accelerator.process_index, accelerator.num_processes)
                batch = next(examples) | {name: value[rows] for name, value in drawn.items()}
                batch = {name: value.to(accelerator.device) for name, value in batch.items()}
                with accelerator.accumulate(model):
                    with accelerator.autocast():
                        loss = recipe.losses(model, batch).mean()
                    total += loss.detach() / config.gradient_accumulation
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        norm = accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
                        mean = float(accelerator.reduce(total, reduction="mean"))
                        _check_finite(mean, float(norm), step, rate, path)
                    optimizer.step()
                    optimizer.zero_grad()
            ema.update(accelerator.unwrap_model(model), step)
            shown = mean if math.isnan(shown) else 0.98 * shown + 0.02 * mean
            bar.set_postfix(loss=f"{shown:.4f}", refresh=False)
            bar.update()
            if log:
                seconds = before + time.monotonic() - started
                log.add(step, mean, rate, float(norm), seconds)
                done = step + 1
                if done % config.checkpoint_every == 0 or done == config.steps:
                    plain = accelerator.unwrap_model(model)
                    save_checkpoint(path, recipe, plain, ema, optimizer, step=done, seconds=seconds)
                if done % config.sample_every == 0 or done == config.steps:
                    recipe.preview(ema.model, folder / f"step-{done:06d}.png")
    accelerator.wait_for_everyone()
    return ema.model


def _check_finite(loss: float, norm: float, step: int, rate: float, path: Path) -> None:
    for name, value in (("loss", loss), ("gradient's norm", norm)):
        if not math.isfinite(value):
            saved = f"the checkpoint of step {step_of(path)} is kept" if path.exists() else "there is no checkpoint yet"
            raise TrainingDivergedError(
                f"the {name} is {value} at step {step} (learning rate {rate:.2g}); training stops here, {saved}."
                " Usual causes: a learning rate too high, or NaN in the data. Resuming would repeat this step exactly:"
                " start anew in another folder, with a lower rate"
            )
