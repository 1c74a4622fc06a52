"""Creatures: robot, duck, cat, penguin, knight."""

import numpy as np

from minilib.toybox.catalog.parts import Draft
from minilib.toybox.shapes import ball, box, cylinder, lathe, prism, tube


def robot(toy: Draft) -> None:
    """One arm is raised, left or right; behind, a key, a battery, a heart or nothing."""
    wide, high = toy.dice.between(0.50, 0.62), toy.dice.between(0.50, 0.62)
    hip = 0.36
    toy.add("body", toy.color, box(0.38, wide, high, radius=0.07).at(0, 0, hip + high / 2))
    top = hip + high
    toy.add("neck", "steel", cylinder(0.09, 0.12).at(0, 0, top + 0.03))
    if toy.choose("head", "box", "dome") == "box":
        toy.add("head", toy.accent, box(0.36, 0.46, 0.36, radius=0.07).at(0, 0, top + 0.26))
        face = 0.18
    else:
        toy.add("head", toy.accent, ball(0.24, 0.26, 0.26).at(0, 0, top + 0.26))
        face = 0.21
    toy.accent_part = "head"
    for y in (-0.10, 0.10):
        toy.add("eye", "white", ball(0.05, 0.075, 0.075).at(face, y, top + 0.31))
        toy.add("eye", "black", ball(0.04, 0.035, 0.035).at(face + 0.035, y, top + 0.31))
    toy.add("mouth", "black", box(0.06, 0.20, 0.04, radius=0.015).at(face - 0.01, 0, top + 0.15))
    toy.add("antenna", "steel", cylinder(0.02, 0.2).at(0, 0, top + 0.52))
    toy.add("antenna", toy.color, ball(0.06, 0.06, 0.06).at(0, 0, top + 0.64))
    panel = toy.choose("panel", "dial", "buttons", "screen")
    if panel == "dial":
        toy.add("panel", "white", cylinder(0.13, 0.05).turned("y", 90).at(0.19, 0, hip + high * 0.58))
        toy.add("panel", "red", box(0.04, 0.03, 0.12, radius=0.01).turned("x", 30).at(0.22, 0, hip + high * 0.60))
    elif panel == "buttons":
        for y, name in ((-0.13, "red"), (0.0, "yellow"), (0.13, "green")):
            toy.add("panel", name, ball(0.04, 0.05, 0.05).at(0.19, y, hip + high * 0.58))
    else:
        toy.add("panel", "black", box(0.05, 0.32, 0.20, radius=0.02).at(0.18, 0, hip + high * 0.60))
        toy.add("panel", "turquoise", box(0.05, 0.25, 0.13, radius=0.02).at(0.19, 0, hip + high * 0.60))
    raised = 1 if toy.choose("raised arm", "left", "right") == "left" else -1
    for y in (-1, 1):
        lift = 0.30 if y == raised else -0.30
        shoulder, elbow = (0, y * (wide / 2 + 0.04), top - 0.12), (0.05, y * (wide / 2 + 0.17), top - 0.12 + lift * 0.4)
        hand = (0.12, y * (wide / 2 + 0.19), top - 0.12 + lift)
        toy.add("arm", toy.accent, tube([shoulder, elbow, hand], 0.075))
        toy.add("hand", "steel", ball(0.10, 0.10, 0.10).at(*hand))
        toy.add("leg", toy.accent, cylinder(0.10, hip).at(0, y * wide * 0.27, hip / 2))
        toy.add("foot", toy.color, box(0.34, 0.22, 0.13, radius=0.05).at(0.05, y * wide * 0.27, 0.07))
    back, x, z = toy.choose_back("key", "battery", "heart", "plain"), -0.19, hip + high * 0.55
    if back == "key":
        toy.add("key", "yellow", cylinder(0.04, 0.16).turned("y", 90).at(x - 0.07, 0, z))
        for y in (-1, 1):
            toy.add("key", "yellow", ball(0.04, 0.13, 0.10).at(x - 0.15, y * 0.12, z))
    elif back == "battery":
        for y in (-0.11, 0.11):
            toy.add("battery", "black", cylinder(0.09, 0.30).at(x - 0.03, y, z))
            toy.add("battery", "orange", cylinder(0.093, 0.10).at(x - 0.03, y, z + 0.10))
    elif back == "heart":
        for y in (-1, 1):
            toy.add("heart", "white", ball(0.05, 0.075, 0.15).turned("x", y * 40).at(x, y * 0.065, z))


def duck(toy: Draft) -> None:
    """A duck on wheels; it looks to its left or its right; a bow tie, a cap or a bare head."""
    long, wide = toy.dice.between(0.55, 0.65), toy.dice.between(0.34, 0.42)
    toy.add("body", toy.color, ball(long, wide, 0.36).at(0, 0, 0.55))
    toy.add("tail", toy.color, ball(0.20, 0.15, 0.09).turned("y", 35).at(-long * 0.92, 0, 0.74))
    for y in (-1, 1):
        toy.add("wing", toy.color, ball(0.30, 0.07, 0.18).turned("y", 12).at(-0.08, y * wide * 0.95, 0.60))
    turn = 28 if toy.choose("looks", "left", "right") == "left" else -28
    head_x, head_z = long * 0.55, 1.02
    parts = [("head", toy.color, ball(0.27, 0.26, 0.27))]
    parts.append(("beak", toy.accent, ball(0.17, 0.14, 0.05).at(0.32, 0, -0.05)))
    parts += [("eye", "black", ball(0.045, 0.045, 0.05).at(0.20, y, 0.08)) for y in (-0.14, 0.14)]
    wears = toy.choose("wears", "bow tie", "cap", "nothing")
    if wears == "cap":
        parts.append(
            ("cap", toy.accent, lathe([(0, 0), (0.23, 0), (0.17, 0.15), (0, 0.17)], fillet=0.06).at(0, 0, 0.16))
        )
        parts.append(("cap", toy.accent, ball(0.17, 0.15, 0.03).at(0.20, 0, 0.17)))
    elif wears == "bow tie":
        parts += [("bow tie", "red", ball(0.05, 0.12, 0.08).at(0.20, y, -0.27)) for y in (-0.09, 0.09)]
    for name, color, mesh in parts:
        toy.add(name, color, mesh.turned("z", turn).at(head_x, 0, head_z))
    toy.add("board", "wood", box(1.0, 0.46, 0.09).at(0, 0, 0.20))
    for x in (-0.34, 0.34):
        for y in (-1, 1):
            toy.add("wheel", toy.accent, cylinder(0.15, 0.09, fillet=0.03).turned("x", 90).at(x, y * 0.27, 0.15))
    toy.accent_part = "wheels"


def cat(toy: Draft) -> None:
    """It sits; its tail curls to one side and one ear wears the accent colour; behind, a patch, stripes or neither."""
    fat = toy.dice.between(0.34, 0.42)
    toy.add("body", toy.color, ball(fat * 0.95, fat, 0.52).at(-0.05, 0, 0.46))
    toy.add("belly", "cream", ball(fat * 0.55, fat * 0.62, 0.34).at(fat * 0.46, 0, 0.42))
    z = 1.06
    toy.add("head", toy.color, ball(0.31, 0.34, 0.29).at(0.06, 0, z))
    marked = 1 if toy.choose("marked ear", "left", "right") == "left" else -1
    for y in (-1, 1):
        ear = lathe([(0, 0), (0.14, 0), (0.02, 0.25), (0, 0.26)], fillet=0.03).scaled(0.6, 1, 1).turned("x", -y * 18)
        toy.add("ear", toy.accent if y == marked else toy.color, ear.at(0.06, y * 0.20, z + 0.18))
        toy.add("eye", "white", ball(0.04, 0.075, 0.085).at(0.31, y * 0.12, z + 0.06))
        toy.add("eye", "black", ball(0.03, 0.035, 0.055).at(0.345, y * 0.12, z + 0.06))
        toy.add("paw", "cream", ball(0.15, 0.11, 0.09).at(fat * 0.85, y * 0.19, 0.09))
        toy.add("leg", toy.color, ball(0.24, 0.13, 0.24).at(-0.02, y * fat * 0.85, 0.22))
    toy.add("nose", "pink", ball(0.04, 0.05, 0.035).at(0.37, 0, z - 0.03))
    angle = np.linspace(0, 2 * np.pi, 25)
    ring = np.stack([0.06 + 0.23 * np.cos(angle), 0.24 * np.sin(angle), np.full(25, z - 0.27)], axis=1)
    toy.add("collar", toy.accent, tube(ring, 0.05))
    toy.accent_part = "collar"
    side = 1 if toy.choose("tail", "left", "right") == "left" else -1
    curl = [
        (-fat, 0, 0.10),
        (-fat - 0.12, side * 0.22, 0.10),
        (-fat + 0.1, side * 0.50, 0.10),
        (0.15, side * 0.58, 0.12),
    ]
    toy.add("tail", toy.color, tube(curl, 0.085))
    back, x = toy.choose_back("patch", "stripes", "plain"), -0.05 - fat * 0.87
    if back == "patch":
        toy.add("patch", toy.accent, ball(0.07, 0.20, 0.24).at(x, 0.06, 0.56))
    elif back == "stripes":
        for height, reach in ((0.36, 0.26), (0.52, 0.28), (0.68, 0.24)):
            toy.add("stripe", "black", ball(0.07, reach, 0.05).at(x + abs(height - 0.5) * 0.22, 0, height))


def penguin(toy: Draft) -> None:
    """One wing is raised, left or right; the scarf's end hangs down the other side; a backpack, a number or neither."""
    fat = toy.dice.between(0.38, 0.46)
    toy.add("body", toy.color, ball(fat, fat * 1.04, 0.60).at(0, 0, 0.62))
    toy.add("belly", "white", ball(fat * 0.72, fat * 0.80, 0.46).at(fat * 0.36, 0, 0.56))
    toy.add("head", toy.color, ball(0.31, 0.31, 0.30).at(0.02, 0, 1.28))
    for y in (-1, 1):
        toy.add("cheek", "white", ball(0.17, 0.14, 0.17).at(0.19, y * 0.10, 1.26))
        toy.add("eye", "black", ball(0.04, 0.04, 0.05).at(0.345, y * 0.11, 1.33))
        toy.add("foot", "orange", ball(0.24, 0.15, 0.07).at(0.14, y * 0.20, 0.06))
    toy.add(
        "beak",
        "orange",
        lathe([(0, 0), (0.09, 0), (0.02, 0.20), (0, 0.21)], fillet=0.03).turned("y", 90).at(0.29, 0, 1.22),
    )
    raised = 1 if toy.choose("raised wing", "left", "right") == "left" else -1
    for y in (-1, 1):
        wing = ball(0.15, 0.06, 0.34).at(0, 0, -0.28).turned("x", y * (125 if y == raised else 24))
        toy.add("wing", toy.color, wing.at(0, y * fat * 0.90, 0.92))
    angle = np.linspace(0, 2 * np.pi, 25)
    ring = np.stack([0.02 + 0.27 * np.cos(angle), 0.27 * np.sin(angle), np.full(25, 1.05)], axis=1)
    toy.add("scarf", toy.accent, tube(ring, 0.08))
    toy.add("scarf", toy.accent, box(0.07, 0.15, 0.38).turned("y", -12).at(fat * 0.98, -raised * 0.17, 0.86))
    toy.accent_part = "scarf"
    hat = toy.choose("hat", "top hat", "bobble hat", "none")
    if hat == "top hat":
        brim = [(0, 0), (0.29, 0), (0.29, 0.05), (0.18, 0.05), (0.19, 0.32), (0, 0.32)]
        toy.add("hat", "black", lathe(brim, fillet=0.03).at(0, 0, 1.50))
    elif hat == "bobble hat":
        cap = [(0, 0), (0.28, 0), (0.29, 0.09), (0.24, 0.09), (0.15, 0.22), (0, 0.26)]
        toy.add("hat", toy.accent, lathe(cap, fillet=0.05).at(0, 0, 1.40))
        toy.add("bobble", "white", ball(0.09, 0.09, 0.09).at(0, 0, 1.70))
    if toy.choose_back("backpack", "number", "plain") == "backpack":
        toy.add("backpack", "wood", box(0.22, 0.42, 0.44, radius=0.09).at(-fat - 0.02, 0, 0.70))
        toy.add("backpack", "cream", box(0.24, 0.26, 0.16, radius=0.05).at(-fat - 0.04, 0, 0.62))
    elif toy.attributes["back"] == "number":
        toy.add("number", "white", ball(0.09, 0.22, 0.24).at(-fat * 0.94, 0, 0.66))
        toy.add("number", "black", box(0.10, 0.07, 0.26, radius=0.02).at(-fat * 1.08, 0, 0.66))


def knight(toy: Draft) -> None:
    """Helmet and shield: the shield is on its left or its right arm; behind, a cape or a bare back."""
    toy.add("base", "wood", cylinder(0.48, 0.12).at(0, 0, 0.06))
    robe = [(0, 0), (0.38, 0), (0.28, 0.45), (0.20, 0.72), (0, 0.72)]
    toy.add("robe", toy.color, lathe(robe, fillet=0.12).at(0, 0, 0.12))
    toy.add("head", "steel", cylinder(0.23, 0.40, fillet=0.12).at(0, 0, 1.02))
    toy.add("visor", "black", box(0.08, 0.26, 0.05, radius=0.02).at(0.21, 0, 1.06))
    toy.add("plume", toy.accent, ball(0.20, 0.06, 0.15).at(-0.08, 0, 1.29))
    toy.accent_part = "plume"
    side = 1 if toy.choose("shield", "left", "right") == "left" else -1
    crest = [(0, -0.30), (0.22, 0.0), (0.22, 0.22), (-0.22, 0.22), (-0.22, 0.0)]
    shield = prism(crest, 0.06).turned("x", 90).turned("z", 90).turned("z", side * 25)
    toy.add("shield", toy.accent, shield.at(0.30, side * 0.36, 0.60))
    toy.add("sword", "steel", box(0.04, 0.08, 0.72, radius=0.015).at(0.28, -side * 0.40, 0.85))
    toy.add("sword", "brown", box(0.07, 0.26, 0.06, radius=0.02).at(0.28, -side * 0.40, 0.50))
    for y in (-1, 1):
        toy.add("arm", toy.color, tube([(0, y * 0.18, 0.74), (0.1, y * 0.32, 0.62), (0.26, y * 0.37, 0.52)], 0.08))
        toy.add("hand", "steel", ball(0.08, 0.08, 0.08).at(0.28, y * 0.38, 0.50))
    if toy.choose_back("cape", "quiver", "plain") == "cape":
        cape = prism([(-0.34, 0.0), (0.34, 0.0), (0.17, 0.66), (-0.17, 0.66)], 0.06).turned("x", 90).turned("z", 90)
        toy.add("cape", toy.accent, cape.turned("y", 12).at(-0.38, 0, 0.18))
    elif toy.attributes["back"] == "quiver":
        toy.add("quiver", "brown", cylinder(0.09, 0.42).turned("x", 25).at(-0.30, 0.05, 0.62))
        toy.add("quiver", "white", ball(0.07, 0.07, 0.09).at(-0.30, -0.05, 0.86))
