"""Things of the house: mug, teapot, chair, table, lamp, clock, gift."""

import numpy as np

from minilib.toybox.catalog.parts import Draft
from minilib.toybox.shapes import ball, box, cylinder, lathe, prism, tube


def _arc(center: tuple[float, float], radius: float, start: float, end: float, *, points: int = 11) -> np.ndarray:
    """An arc in the x-z plane, (points, 3); angles in degrees from +x towards +z."""
    angle = np.radians(np.linspace(start, end, points))
    return np.stack([center[0] + radius * np.cos(angle), np.zeros(points), center[1] + radius * np.sin(angle)], axis=1)


def mug(toy: Draft) -> None:
    """The handle is on its left or its right, an emblem on its front."""
    radius, height = toy.dice.between(0.40, 0.52), toy.dice.between(0.80, 1.10)
    top = radius * toy.dice.between(0.98, 1.12)
    wall = 0.05
    profile = [(0, 0), (radius, 0), (top, height), (top - wall, height), (radius - wall, 0.08), (0, 0.08)]
    toy.add("body", toy.color, lathe(profile, fillet=0.06))
    toy.add("drink", "brown", cylinder(top - wall - 0.01, 0.02, fillet=0).at(0, 0, height * 0.82))
    side = 90 if toy.choose("handle", "left", "right") == "left" else -90
    handle = _arc(((radius + top) / 2 - 0.03, height * 0.52), height * 0.29, -80, 80)
    toy.add("handle", toy.accent, tube(handle, 0.065).turned("z", side))
    toy.accent_part = "handle"
    emblem = toy.choose("emblem", "dot", "square", "bar")
    shape = {
        "dot": lambda: cylinder(0.17, 0.06).turned("y", 90),
        "square": lambda: box(0.06, 0.24, 0.24),
        "bar": lambda: box(0.06, 0.11, 0.46),
    }[emblem]()
    toy.add("emblem", "white", shape.at((radius + top) / 2 - 0.01, 0, height * 0.48))


def teapot(toy: Draft) -> None:
    """The spout points to its left or its right, the handle to the other side."""
    wide, high = toy.dice.between(0.50, 0.62), toy.dice.between(0.40, 0.52)
    toy.add("body", toy.color, ball(wide, wide, high).at(0, 0, high))
    toy.add("foot", toy.accent, cylinder(wide * 0.55, 0.08).at(0, 0, 0.03))
    toy.add("lid", toy.accent, ball(wide * 0.55, wide * 0.55, 0.12).at(0, 0, high * 1.88))
    toy.add("knob", toy.color, ball(0.09, 0.09, 0.09).at(0, 0, high * 1.88 + 0.17))
    toy.accent_part = "lid"
    turn = 90 if toy.choose("spout", "left", "right") == "left" else -90
    spout = np.array([(wide * 0.7, 0, high * 0.7), (wide * 1.15, 0, high * 0.95), (wide * 1.42, 0, high * 1.6)])
    toy.add("spout", toy.color, tube(spout, 0.10).turned("z", turn))
    toy.add("handle", toy.accent, tube(_arc((-wide * 0.85, high), high * 0.62, 75, 285), 0.07).turned("z", turn))


def chair(toy: Draft) -> None:
    """Armrests or none, three kinds of back."""
    wide, deep, high = toy.dice.between(0.70, 0.85), toy.dice.between(0.65, 0.80), toy.dice.between(0.50, 0.65)
    back = toy.dice.between(0.70, 0.95)
    toy.add("seat", toy.color, box(deep, wide, 0.12).at(0, 0, high))
    for x in (-1, 1):
        for y in (-1, 1):
            leg = cylinder(0.045, high, top=0.065)
            toy.add("leg", toy.accent, leg.at(x * (deep / 2 - 0.09), y * (wide / 2 - 0.09), high / 2))
    toy.accent_part = "legs"
    x = -deep / 2 + 0.05
    if toy.choose("backrest", "solid", "slats", "rails") == "solid":
        toy.add("backrest", toy.color, box(0.10, wide, back, radius=0.05).at(x, 0, high + back / 2))
    else:
        for y in (-1, 1):
            toy.add("backrest", toy.color, box(0.09, 0.09, back).at(x, y * (wide / 2 - 0.045), high + back / 2))
        toy.add("backrest", toy.color, box(0.09, wide, 0.14).at(x, 0, high + back - 0.05))
        if toy.attributes["backrest"] == "slats":
            for y in (-0.2, 0.0, 0.2):
                toy.add("backrest", toy.color, box(0.06, 0.08, back).at(x, y * wide, high + back / 2))
        else:
            for z in (0.32, 0.62):
                toy.add("backrest", toy.color, box(0.06, wide, 0.10).at(x, 0, high + z * back))
    if toy.choose("armrests", "yes", "no") == "yes":
        for y in (-1, 1):
            toy.add("armrest", toy.color, box(deep * 0.92, 0.10, 0.09).at(0.03, y * (wide / 2 - 0.03), high + 0.34))
            toy.add("armrest", toy.accent, cylinder(0.04, 0.3).at(deep / 2 - 0.1, y * (wide / 2 - 0.03), high + 0.2))


def table(toy: Draft) -> None:
    """Round or square, on four legs or one; a drawer in the front of square ones, a bowl, a book or nothing on top."""
    wide, deep, high = toy.dice.between(1.0, 1.3), toy.dice.between(0.75, 0.95), toy.dice.between(0.60, 0.80)
    top = toy.choose("top", "round", "square")
    slab = cylinder(0.55 * wide, 0.10) if top == "round" else box(deep, wide, 0.10)
    toy.add("top", toy.color, slab.at(0, 0, high))
    if toy.choose("base", "legs", "pillar") == "legs":
        for x in (-1, 1):
            for y in (-1, 1):
                at = (x * deep * 0.38, y * deep * 0.38) if top == "round" else (x * deep * 0.4, y * wide * 0.42)
                toy.add("leg", toy.accent, cylinder(0.05, high, top=0.07).at(*at, high / 2))
        toy.accent_part = "legs"
    else:
        toy.add("pillar", toy.accent, lathe([(0, 0), (0.34, 0), (0.10, 0.12), (0.08, high), (0, high)], fillet=0.08))
        toy.accent_part = "pillar"
    if top == "square":
        toy.add("drawer", toy.color, box(0.5, wide * 0.5, 0.17).at(deep / 2 - 0.28, 0, high - 0.13))
        toy.add("knob", "white", ball(0.05, 0.05, 0.05).at(deep / 2, 0, high - 0.13))
    on_top = toy.choose("on top", "bowl", "book", "nothing")
    y = wide * 0.22 * toy.dice.choice((-1, 1))
    if on_top == "bowl":
        bowl = [(0, 0), (0.10, 0), (0.21, 0.15), (0.18, 0.15), (0.08, 0.04), (0, 0.04)]
        toy.add("bowl", "white", lathe(bowl, fillet=0.03).at(0, y, high + 0.05))
    elif on_top == "book":
        toy.add("book", toy.accent, box(0.30, 0.22, 0.08, radius=0.02).turned("z", 20).at(0, y, high + 0.09))


def lamp(toy: Draft) -> None:
    """Three shades; a pull cord on its left or its right."""
    high, wide = toy.dice.between(0.85, 1.15), toy.dice.between(0.40, 0.52)
    toy.add("base", toy.accent, lathe([(0, 0), (0.32, 0), (0.30, 0.08), (0.05, 0.16), (0, 0.16)], fillet=0.05))
    toy.add("stem", toy.accent, cylinder(0.045, high).at(0, 0, high / 2))
    toy.accent_part = "base"
    shade = toy.choose("shade", "cone", "drum", "dome")
    outside: list[tuple[float, float]]
    if shade == "dome":
        outside = [(wide * np.cos(a), 0.45 * np.sin(a)) for a in np.linspace(0, np.pi / 2, 9)]
    else:
        outside = [(wide, 0), (wide * (0.45 if shade == "cone" else 0.88), 0.46), (0, 0.46)]
    inside = [(0.04, 0.38), (wide - 0.05, 0.0)]
    toy.add("shade", toy.color, lathe(inside + outside, fillet=0.03).at(0, 0, high - 0.06))
    toy.add("bulb", "cream", ball(0.12, 0.12, 0.12).at(0, 0, high + 0.08))
    y = wide * 0.7 * (1 if toy.choose("cord", "left", "right") == "left" else -1)
    toy.add("cord", "white", tube([(0.1, y, high), (0.1, y, high - 0.18), (0.1, y, high - 0.36)], 0.018))
    toy.add("cord", "white", ball(0.05, 0.05, 0.06).at(0.1, y, high - 0.40))


def clock(toy: Draft) -> None:
    """A face with two hands in front; behind, a key, a door, two screws or nothing: the face does not tell."""
    radius, deep = toy.dice.between(0.50, 0.60), toy.dice.between(0.26, 0.36)
    toy.add("case", toy.color, cylinder(radius, deep, fillet=0.06).turned("y", 90).at(0, 0, radius + 0.1))
    toy.add("face", "white", cylinder(radius * 0.84, 0.04).turned("y", 90).at(deep / 2, 0, radius + 0.1))
    for y in (-1, 1):
        toy.add("foot", toy.accent, ball(0.11, 0.11, 0.13).at(0, y * radius * 0.55, 0.14))
        toy.add("bell", toy.accent, ball(0.17, 0.17, 0.13).turned("x", -y * 32).at(0, y * 0.36, 2 * radius + 0.12))
    toy.accent_part = "bells"
    front = deep / 2 + 0.03
    for length, width, angle in ((0.30, 0.07, toy.dice.between(0, 360)), (0.42, 0.05, toy.dice.between(0, 360))):
        hand = box(0.03, width, length * 1.2, radius=0.015).at(0, 0, length * 0.5).turned("x", angle)
        toy.add("hand", "black", hand.at(front, 0, radius + 0.1))
    toy.add("hand", "black", ball(0.05, 0.05, 0.05).at(front, 0, radius + 0.1))
    back = toy.choose_back("key", "door", "screws", "plain")
    x = -deep / 2
    if back == "key":
        toy.add("key", "steel", cylinder(0.04, 0.2).turned("y", 90).at(x - 0.08, 0, radius + 0.1))
        for y in (-1, 1):
            toy.add("key", "steel", ball(0.05, 0.12, 0.10).at(x - 0.18, y * 0.11, radius + 0.1))
    elif back == "door":
        toy.add("door", toy.accent, box(0.06, 0.44, 0.5).at(x, 0, radius + 0.1))
        toy.add("door", "white", ball(0.05, 0.05, 0.05).at(x - 0.03, 0.13, radius + 0.1))
    elif back == "screws":
        for y in (-0.25, 0.25):
            toy.add("screw", "black", cylinder(0.09, 0.06).turned("y", 90).at(x, y, radius + 0.1))


def gift(toy: Draft) -> None:
    """A parcel with a bow; a round, square or star-shaped tag in front, and one behind that the first does not tell."""
    size = toy.dice.between(0.75, 0.95)
    high = size * toy.dice.between(0.75, 1.1)
    toy.add("parcel", toy.color, box(size, size, high).at(0, 0, high / 2))
    for x, y in ((size + 0.03, 0.16), (0.16, size + 0.03)):
        toy.add("ribbon", toy.accent, box(x, y, high + 0.03, radius=0.03).at(0, 0, high / 2))
    toy.accent_part = "ribbon"
    for side in (-1, 1):
        loop = ball(0.10, 0.20, 0.11).turned("x", side * 25).at(0, side * 0.18, high + 0.10)
        toy.add("bow", toy.accent, loop)
    toy.add("bow", toy.accent, ball(0.08, 0.08, 0.08).at(0, 0, high + 0.06))
    star = [
        ((0.17 if k % 2 == 0 else 0.08) * np.cos(a), (0.17 if k % 2 == 0 else 0.08) * np.sin(a))
        for k, a in enumerate(np.arange(10) * np.pi / 5)
    ]
    tags = {
        "disc": lambda: cylinder(0.14, 0.05).turned("y", 90),
        "square": lambda: box(0.05, 0.24, 0.24),
        "star": lambda: prism(star, 0.06).turned("y", 90),
    }
    where = size / 2 + 0.02, size * 0.27, high * 0.72
    toy.add("tag", "white", tags[toy.choose("tag", *tags)]().at(*where))
    toy.add("back tag", "white", tags[toy.choose_back(*tags)]().turned("z", 180).at(-where[0], where[1], where[2]))
