"""Random choices that stay the same on every machine and in every version of Python and NumPy."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of choices for a key such as `Dice("toy", 3)`.

    Everything is drawn through `random.Random.random`, the one method whose sequence Python promises to keep.
    """

    def __init__(self, *key: str | int):
        self._random = random.Random("/".join(map(str, key)))

    def between(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self._random.random()

    def choice(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[int(self._random.random() * len(options))]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different options, in random order."""
        rest = list(options)
        return [rest.pop(int(self._random.random() * len(rest))) for _ in range(count)]
