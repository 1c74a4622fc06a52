"""What every category is written with: named colours and the toy under construction."""

from collections.abc import Callable
from dataclasses import dataclass, field

from minilib.toybox.dice import Dice
from minilib.toybox.shapes import Mesh

Color = tuple[float, float, float]

COLORS: dict[str, Color] = {
    "red": (0.86, 0.17, 0.15),
    "orange": (0.96, 0.51, 0.12),
    "yellow": (0.98, 0.80, 0.20),
    "green": (0.30, 0.65, 0.28),
    "turquoise": (0.20, 0.71, 0.70),
    "blue": (0.18, 0.40, 0.80),
    "purple": (0.52, 0.30, 0.70),
    "pink": (0.96, 0.55, 0.68),
    "brown": (0.52, 0.33, 0.20),
    "grey": (0.58, 0.60, 0.63),
}
"""The colours toys are named by, sRGB in 0..1."""

TRIM: dict[str, Color] = {
    "white": (0.95, 0.94, 0.91),
    "black": (0.14, 0.14, 0.16),
    "cream": (0.93, 0.86, 0.72),
    "glass": (0.55, 0.77, 0.92),
    "wood": (0.72, 0.52, 0.33),
    "steel": (0.72, 0.75, 0.79),
}
"""Colours of tyres, eyes, windows and the like, sRGB in 0..1."""


@dataclass(frozen=True)
class Part:
    """A named, coloured piece of a toy.

    Attributes:
        name: what it is, such as "handle".
        color: its colour's name.
        mesh: its triangles.
    """

    name: str
    color: str
    mesh: Mesh


@dataclass
class Draft:
    """A toy under construction: a category's function adds parts to it and notes what it chose.

    Attributes:
        dice: choices that show from the front.
        back_dice: choices that only show from behind; independent of `dice`.
        color: name of the main colour.
        accent: name of a second colour, another than the main one.
        parts: the pieces so far.
        attributes: what was chosen, for example {"armrests": "yes"}.
        accent_part: the part that captions name together with the accent colour.
        front: number of parts that do not depend on `back_dice`; those after them are chosen by it.
    """

    dice: Dice
    back_dice: Dice
    color: str
    accent: str
    parts: list[Part] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    accent_part: str = ""
    front: int | None = None

    def add(self, name: str, color: str, *meshes: Mesh) -> None:
        """Adds pieces that share a name and a colour."""
        self.parts += [Part(name, color, mesh) for mesh in meshes]

    def choose(self, attribute: str, *options: str) -> str:
        """Picks one of the options and notes it under the attribute's name."""
        self.attributes[attribute] = self.dice.choice(options)
        return self.attributes[attribute]

    def choose_back(self, *options: str) -> str:
        """Picks what the back looks like, independently of the front; only parts of the back may be added after it."""
        self.front = len(self.parts)
        self.attributes["back"] = self.back_dice.choice(options)
        return self.attributes["back"]


Category = Callable[[Draft], None]
