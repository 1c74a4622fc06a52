"""Things out of doors: house, tree, mushroom."""

import numpy as np

from minilib.toybox.catalog.parts import Draft
from minilib.toybox.shapes import ball, box, cylinder, lathe, prism, tube


def house(toy: Draft) -> None:
    """Door left or right of the window, chimney to one side; behind, a window, a garage, ivy or nothing."""
    deep, wide, high = toy.dice.between(0.70, 0.85), toy.dice.between(0.85, 1.05), toy.dice.between(0.50, 0.65)
    toy.add("wall", toy.color, box(deep, wide, high, radius=0.02).at(0, 0, high / 2))
    rise = toy.dice.between(0.38, 0.52)
    gable = [(-wide / 2, 0), (wide / 2, 0), (0, rise)]
    toy.add("wall", toy.color, prism(gable, deep, bevel=0.01).turned("x", 90).turned("z", 90).at(0, 0, high - 0.01))
    slope = np.degrees(np.arctan2(rise, wide / 2))
    length = np.hypot(rise, wide / 2) + 0.14
    for side in (-1, 1):
        pane = box(deep + 0.18, length, 0.09, radius=0.03).turned("x", -side * slope)
        toy.add("roof", toy.accent, pane.at(0, side * wide * 0.265, high + rise * 0.5 + 0.02))
    toy.accent_part = "roof"
    lean = 1 if toy.choose("chimney", "left", "right") == "left" else -1
    toy.add(
        "chimney", "brown", box(0.15, 0.15, 0.5, radius=0.02).at(-deep * 0.18, lean * wide * 0.26, high + rise * 0.72)
    )
    y = wide * 0.22 * (1 if toy.choose("door", "left", "right") == "left" else -1)
    toy.add("door", "wood", box(0.06, 0.22, 0.38, radius=0.02).at(deep / 2, y, 0.19))
    toy.add("knob", "black", ball(0.03, 0.03, 0.03).at(deep / 2 + 0.03, y + 0.06, 0.19))
    toy.add("window", "white", box(0.05, 0.28, 0.28, radius=0.02).at(deep / 2, -y, high * 0.55))
    toy.add("window", "glass", box(0.06, 0.21, 0.21, radius=0.02).at(deep / 2, -y, high * 0.55))
    back, x = toy.choose_back("window", "garage", "ivy", "plain"), -deep / 2
    if back == "window":
        toy.add("window", "white", box(0.05, 0.52, 0.28, radius=0.02).at(x, 0, high * 0.55))
        toy.add("window", "glass", box(0.06, 0.45, 0.21, radius=0.02).at(x, 0, high * 0.55))
    elif back == "garage":
        for z in (0.07, 0.19, 0.31):
            toy.add("garage", "white", box(0.06, 0.56, 0.11, radius=0.02).at(x, 0, z))
    elif back == "ivy":
        for y, z, r in ((-0.25, 0.15, 0.14), (-0.22, 0.34, 0.12), (-0.10, 0.12, 0.12), (-0.28, 0.5, 0.09)):
            toy.add("ivy", "green", ball(0.06, r, r).at(x, y * wide, z))


def tree(toy: Draft) -> None:
    """Fir or leafy; fruit all round, a bird's house on one side."""
    trunk = toy.dice.between(0.35, 0.5)
    toy.add("trunk", "brown", cylinder(0.13, trunk, top=0.09).at(0, 0, trunk / 2))
    if toy.choose("kind", "fir", "leafy") == "fir":
        radius, z = toy.dice.between(0.48, 0.58), trunk - 0.08
        for shrink, height in ((1.0, 0.50), (0.78, 0.46), (0.54, 0.42)):
            skirt = [(0, 0), (radius * shrink, 0), (radius * 0.12, height), (0, height)]
            toy.add("crown", toy.color, lathe(skirt, fillet=0.06).at(0, 0, z))
            z += height * 0.62
        toy.add("top", toy.accent, ball(0.09, 0.09, 0.11).at(0, 0, z + 0.20))
        toy.accent_part, reach, middle = "top", radius * 0.62, trunk + 0.12
    else:
        radius = toy.dice.between(0.40, 0.48)
        for k in range(5):
            angle, r = k * 2 * np.pi / 5, radius * toy.dice.between(0.62, 0.78)
            toy.add("crown", toy.color, ball(r, r, r).at(0.28 * np.cos(angle), 0.28 * np.sin(angle), trunk + 0.25))
        toy.add("crown", toy.color, ball(radius, radius, radius * 0.9).at(0, 0, trunk + 0.52))
        for k in range(7):
            angle = k * 2.4 + toy.dice.between(0, 0.5)
            z = trunk + toy.dice.between(0.12, 0.42)
            toy.add("fruit", toy.accent, ball(0.08, 0.08, 0.08).at(0.53 * np.cos(angle), 0.53 * np.sin(angle), z))
        toy.accent_part, reach, middle = "fruit", 0.48, trunk + 0.28
    side = 1 if toy.choose("birdhouse", "left", "right") == "left" else -1
    toy.add("birdhouse", "cream", box(0.18, 0.18, 0.22).at(0.1, side * reach, middle))
    toy.add(
        "birdhouse", "black", cylinder(0.05, 0.04, fillet=0.01).turned("y", 90).at(0.19, side * reach, middle + 0.02)
    )


def mushroom(toy: Draft) -> None:
    """A spotted cap with a small door; a snail sits to one side."""
    stem, wide = toy.dice.between(0.45, 0.6), toy.dice.between(0.55, 0.68)
    toy.add("stem", "cream", cylinder(0.26, stem, top=0.20, fillet=0.05).at(0, 0, stem / 2))
    cap = [(0.12, 0.02), *((wide * np.cos(a), 0.52 * np.sin(a)) for a in np.linspace(0, np.pi / 2, 10))]
    toy.add("cap", toy.color, lathe(cap, fillet=0.05).at(0, 0, stem - 0.06))
    for k in range(9):
        lift, angle = (0.42, 0.95)[k % 2] + toy.dice.between(-0.1, 0.1), k * 2 * np.pi / 9
        x, z = wide * np.cos(lift), 0.52 * np.sin(lift)
        size = toy.dice.between(0.07, 0.11)
        spot = ball(0.045, size, size).turned("y", -np.degrees(lift)).at(x, 0, stem - 0.06 + z)
        toy.add("spot", toy.accent, spot.turned("z", np.degrees(angle)))
    toy.accent_part = "spots"
    toy.add("door", "wood", box(0.08, 0.17, 0.28).at(0.21, 0, 0.15))
    side = 1 if toy.choose("snail", "left", "right") == "left" else -1
    toy.add("snail", "brown", cylinder(0.11, 0.09).turned("x", 90).at(0.28, side * 0.40, 0.14))
    toy.add(
        "snail", "cream", tube([(0.12, side * 0.4, 0.04), (0.40, side * 0.4, 0.04), (0.46, side * 0.4, 0.13)], 0.04)
    )
