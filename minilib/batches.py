"""Which examples and which random numbers a step of training gets, wherever it runs: by (seed, step) alone."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

if TYPE_CHECKING:
    from minilib.training import Recipe, TrainConfig


def rows_of(step: int, *, batch_size: int, dataset_size: int, seed: int) -> list[int]:
    """Which examples a step takes: the data in a new random order for each pass, cut into batches."""
    places = range(step * batch_size, (step + 1) * batch_size)
    return [_order(seed, place // dataset_size, dataset_size)[place % dataset_size] for place in places]


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, size: int) -> list[int]:
    return torch.randperm(size, generator=generator(seed, 2 * epoch)).tolist()


def generator(seed: int, stream: int) -> torch.Generator:
    """A generator for one of many independent streams of a seed."""
    return torch.Generator().manual_seed(mixed(seed, stream))


def mixed(seed: int, stream: int) -> int:
    """One number for two; torch's generators keep 32 bits of it."""
    return (seed * 0x9E3779B1 + stream) % 2**32


def share(config: "TrainConfig", part: int, process: int, processes: int) -> slice:
    """Which rows of a batch a process has, in one of the parts that it computes one after the other."""
    size = config.batch_size // (processes * config.gradient_accumulation)
    start = (part * processes + process) * size
    return slice(start, start + size)


def loader(recipe: "Recipe", first: int, process: int, processes: int) -> DataLoader:
    """This process's examples for all steps from `first` on."""
    config, dataset = recipe.train, recipe.make_dataset()
    size = len(dataset)  # pyright: ignore[reportArgumentType]

    def batches() -> Iterator[list[int]]:
        for step in range(first, config.steps):
            rows = rows_of(step, batch_size=config.batch_size, dataset_size=size, seed=config.seed)
            for part in range(config.gradient_accumulation):
                yield rows[share(config, part, process, processes)]

    return DataLoader(dataset, batch_sampler=_Batches(batches), num_workers=config.workers)


class _Batches:
    def __init__(self, make: Any):
        self.make = make

    def __iter__(self) -> Iterator[list[int]]:
        return self.make()
