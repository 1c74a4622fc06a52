"""The catalogue: one seed gives one toy with named, coloured parts and the words that describe it."""

from dataclasses import dataclass, replace

import numpy as np

from minilib.errors import unknown_name
from minilib.toybox import VERSION, split_of
from minilib.toybox.catalog import figures, household, outdoors, vehicles
from minilib.toybox.catalog.parts import COLORS, TRIM, Category, Draft, Part
from minilib.toybox.dice import Dice
from minilib.toybox.render import Item
from minilib.toybox.shapes import fitted

CATEGORIES: dict[str, Category] = {
    "mug": household.mug,
    "teapot": household.teapot,
    "chair": household.chair,
    "table": household.table,
    "lamp": household.lamp,
    "clock": household.clock,
    "gift": household.gift,
    "house": outdoors.house,
    "tree": outdoors.tree,
    "mushroom": outdoors.mushroom,
    "car": vehicles.car,
    "train": vehicles.train,
    "boat": vehicles.boat,
    "plane": vehicles.plane,
    "rocket": vehicles.rocket,
    "robot": figures.robot,
    "duck": figures.duck,
    "cat": figures.cat,
    "penguin": figures.penguin,
    "knight": figures.knight,
}

SIZES = {"small": 0.68, "medium": 0.82, "large": 0.96}
"""Radius of the sphere around a toy of each size, in world units."""


@dataclass(frozen=True)
class Toy:
    """A toy at the origin: its bounding box is centred there and its bounding sphere has its size's radius.

    What `make_toy` chose for the back alone is not measured, and may stick out a little.

    Attributes:
        seed: what it was made from, −1 for a toy read from a file.
        category: such as "mug".
        color: name of the main colour.
        accent: name of the second colour.
        size: "small", "medium" or "large".
        parts: named, coloured pieces; z is up, the front faces +x.
        attributes: further choices, for example {"handle": "left"}; "back" is independent of all that shows in front.
        detail: its named part, with the second colour, such as "a blue handle".
    """

    seed: int
    category: str
    color: str
    accent: str
    size: str
    parts: tuple[Part, ...]
    attributes: dict[str, str]
    detail: str

    @property
    def caption(self) -> str:
        """The toy in words, such as "a small red mug with a blue handle"."""
        return f"a {self.size} {self.color} {self.category}" + (f" with {self.detail}" if self.detail else "")

    @property
    def part_names(self) -> list[str]:
        """Different names of parts, in order; the part id in a view is the position in this list, from 1."""
        return list(dict.fromkeys(part.name for part in self.parts))

    def items(
        self, *, instance_id: int = 1, turn: float = 0.0, position: tuple[float, float, float] = (0, 0, 0)
    ) -> list[Item]:
        """The toy as meshes to render, turned about z by `turn` degrees and moved to `position`."""
        names, tint = self.part_names, COLORS | TRIM
        return [
            Item(part.mesh.turned("z", turn).at(*position), tint[part.color], names.index(part.name) + 1, instance_id)
            for part in self.parts
        ]

    @property
    def height(self) -> float:
        """Full height in world units."""
        return max(float(part.mesh.vertices[:, 2].max()) for part in self.parts) - self.bottom

    @property
    def bottom(self) -> float:
        """z of the lowest point."""
        return min(float(part.mesh.vertices[:, 2].min()) for part in self.parts)

    @property
    def radius(self) -> float:
        """Radius of the upright cylinder around the toy, in world units."""
        return max(float(np.linalg.norm(part.mesh.vertices[:, :2], axis=1).max()) for part in self.parts)


def make_toy(
    seed: int,
    *,
    category: str | None = None,
    color: str | None = None,
    back_seed: int | None = None,
) -> Toy:
    """The toy of a seed.

    Args:
        seed: of one of the splits; the category follows from seed modulo the number of categories.
        category: another category than the seed's.
        color: another main colour than the seed's.
        back_seed: makes only what shows from behind with another seed: the front stays exactly the same.
    Raises:
        ValueError: a seed outside every split, an unknown category or colour.
    """
    for given in (seed, back_seed):
        if given is not None:
            split_of(given)
    name = list(CATEGORIES)[seed % len(CATEGORIES)] if category is None else category
    if name not in CATEGORIES:
        raise unknown_name("toy category", name, CATEGORIES)
    if color is not None and color not in COLORS:
        raise unknown_name("toy colour", color, COLORS)
    dice = Dice("toy", VERSION, name, seed)
    drawn, accent, spare = dice.sample(list(COLORS), 3)
    main = drawn if color is None else color
    draft = Draft(
        dice,
        Dice("back", VERSION, name, seed if back_seed is None else back_seed),
        main,
        spare if accent == main else accent,
    )
    size = dice.choice(list(SIZES))
    CATEGORIES[name](draft)
    meshes = fitted([part.mesh for part in draft.parts], SIZES[size], measure=draft.front)
    return Toy(
        seed=seed,
        category=name,
        color=draft.color,
        accent=draft.accent,
        size=size,
        parts=tuple(replace(part, mesh=mesh) for part, mesh in zip(draft.parts, meshes, strict=True)),
        attributes=draft.attributes,
        detail=_with_article(draft),
    )


def _with_article(draft: Draft) -> str:
    plural = draft.accent_part.endswith("s") or draft.accent_part == "fruit"
    start = "" if plural else ("an " if draft.accent[0] in "aeiou" else "a ")
    return f"{start}{draft.accent} {draft.accent_part}"
