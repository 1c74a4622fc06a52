"""The toybox: a synthetic world of coloured toys, seen from any side, with everything about each pixel known.

The world is frozen at `VERSION`: one seed gives one toy, one scene or one clip, on every machine. z is up and toys
face +x.
"""

from minilib.errors import unknown_name

VERSION = 1

SPLITS = {
    "train": range(0, 1_000_000),
    "validation": range(1_000_000, 1_100_000),
    "test": range(1_100_000, 1_200_000),
}
"""Seeds of toys, scenes and clips; what a scene is made of comes from its own split."""


def split_of(seed: int) -> str:
    """The split that a seed belongs to.

    Raises:
        TypeError: a seed that is not an integer.
        ValueError: a seed outside every split.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"expected a seed of type int, got {seed!r}; int(seed) converts")
    for name, seeds in SPLITS.items():
        if seed in seeds:
            return name
    last = max(seeds.stop for seeds in SPLITS.values()) - 1
    raise ValueError(f"expected a seed in 0..{last}, got {seed}")


def seeds_of(split: str) -> range:
    """The seeds of a split.

    Raises:
        ValueError: an unknown split; the nearest known one is suggested.
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    return SPLITS[split]
