"""Things that go: car, train, boat, plane, rocket."""

import numpy as np

from minilib.toybox.catalog.parts import Draft
from minilib.toybox.shapes import Mesh, ball, box, cylinder, lathe, prism, tube


def _wheel(radius: float, width: float) -> Mesh:
    """A wheel whose axle points along y."""
    return cylinder(radius, width, fillet=0.04).turned("x", 90)


def car(toy: Draft) -> None:
    """Lights in front; a stripe along its left or right door; behind, a spare wheel, a trunk, or lights only."""
    long, wide = toy.dice.between(1.25, 1.5), toy.dice.between(0.62, 0.72)
    toy.add("body", toy.color, box(long, wide, 0.34, radius=0.12).at(0, 0, 0.36))
    cabin = toy.dice.between(0.55, 0.75)
    x = toy.dice.between(-0.16, 0.02)
    toy.add("cabin", toy.color, box(cabin, wide * 0.86, 0.34, radius=0.11).at(x, 0, 0.64))
    toy.add("window", "glass", box(cabin * 0.72, wide * 0.88, 0.19, radius=0.05).at(x, 0, 0.65))
    toy.add("window", "glass", box(cabin * 1.02, wide * 0.62, 0.19, radius=0.05).at(x, 0, 0.65))
    radius = toy.dice.between(0.18, 0.23)
    for sx in (-0.31, 0.31):
        for y in (-1, 1):
            toy.add("tyre", "black", _wheel(radius, 0.15).at(sx * long, y * (wide / 2 - 0.02), radius))
            toy.add("wheel", toy.accent, _wheel(radius * 0.55, 0.17).at(sx * long, y * (wide / 2 - 0.02), radius))
    toy.accent_part = "wheels"
    for y in (-1, 1):
        toy.add("headlight", "cream", ball(0.05, 0.09, 0.08).at(long / 2 - 0.01, y * wide * 0.32, 0.40))
        toy.add("tail light", "red", ball(0.04, 0.07, 0.06).at(-long / 2 + 0.01, y * wide * 0.34, 0.42))
    toy.add("bumper", "steel", box(0.10, wide * 0.9, 0.08).at(long / 2, 0, 0.25))
    side = 1 if toy.choose("stripe", "left", "right") == "left" else -1
    toy.add("stripe", "white", box(long * 0.5, 0.03, 0.10, radius=0.01).at(0, side * wide / 2, 0.40))
    back, x = toy.choose_back("spare wheel", "box", "plain"), -long / 2
    if back == "spare wheel":
        toy.add("spare wheel", "black", cylinder(0.17, 0.12, fillet=0.04).turned("y", 90).at(x - 0.04, 0, 0.38))
        toy.add("spare wheel", toy.accent, cylinder(0.09, 0.14).turned("y", 90).at(x - 0.04, 0, 0.38))
    elif back == "box":
        toy.add("box", "wood", box(0.16, 0.36, 0.24).at(x - 0.05, 0, 0.38))


def train(toy: Draft) -> None:
    """A locomotive: funnel in front, cab behind; a bell on its left or its right."""
    long, radius = toy.dice.between(0.75, 0.9), toy.dice.between(0.24, 0.29)
    toy.add("boiler", toy.color, cylinder(radius, long, fillet=0.05).turned("y", 90).at(0.18, 0, 0.34 + radius))
    toy.add("nose", "black", cylinder(radius * 0.8, 0.06).turned("y", 90).at(0.18 + long / 2, 0, 0.34 + radius))
    toy.add("nose", "cream", ball(0.05, 0.08, 0.08).at(0.21 + long / 2, 0, 0.34 + radius))
    toy.add("chassis", "black", box(long + 0.42, 0.5, 0.12).at(0, 0, 0.30))
    toy.add("cab", toy.color, box(0.42, 0.60, 0.66).at(-long / 2 - 0.02, 0, 0.66))
    toy.add("window", "glass", box(0.20, 0.63, 0.22).at(-long / 2 - 0.02, 0, 0.78))
    toy.add("roof", toy.accent, box(0.56, 0.70, 0.09).at(-long / 2 - 0.02, 0, 1.02))
    funnel = [(0, 0), (0.08, 0), (0.07, 0.18), (0.14, 0.34), (0.10, 0.34), (0, 0.28)]
    toy.add("funnel", toy.accent, lathe(funnel, fillet=0.02).at(0.18 + long * 0.32, 0, 0.30 + 2 * radius))
    toy.add("dome", toy.accent, ball(0.11, 0.11, 0.12).at(0.14, 0, 0.34 + 2 * radius))
    toy.accent_part = "roof"
    side = 1 if toy.choose("bell", "left", "right") == "left" else -1
    toy.add("bell", "yellow", ball(0.09, 0.09, 0.10).at(0.10 + long * 0.2, side * radius * 0.95, 0.44 + radius * 1.6))
    for x in (-0.42, -0.02, 0.38):
        for y in (-1, 1):
            toy.add("wheel", "red", _wheel(0.19, 0.09).at(x, y * 0.27, 0.19))
            toy.add("wheel", "steel", _wheel(0.07, 0.12).at(x, y * 0.27, 0.19))
    for y in (-1, 1):
        toy.add("rod", "steel", box(0.86, 0.04, 0.06, radius=0.02).at(-0.02, y * 0.34, 0.19))
    toy.add("cowcatcher", toy.accent, prism([(0, -0.26), (0.24, 0), (0, 0.26)], 0.12).at(0.18 + long / 2, 0, 0.16))
    if toy.choose_back("coal", "lamp", "plain") == "coal":
        toy.add("coal", "black", *(ball(0.11, 0.12, 0.10).at(-long / 2 - 0.27, y, 0.44) for y in (-0.16, 0.02, 0.18)))
    elif toy.attributes["back"] == "lamp":
        toy.add("lamp", "yellow", ball(0.06, 0.10, 0.10).at(-long / 2 - 0.24, 0, 0.55))


def boat(toy: Draft) -> None:
    """One mast; the sail is set to its left or its right, the flag to the other."""
    long, wide = toy.dice.between(1.3, 1.5), toy.dice.between(0.60, 0.70)
    t = np.linspace(-1, 1, 13)[1:-1]
    half = wide / 2 * (1 - t.clip(0) ** 2.2) * (1 - (-t).clip(0) ** 5 * 0.5)
    deck = [(long / 2 * a, -b) for a, b in zip(t, half, strict=True)] + [(long / 2, 0)]
    deck += [(long / 2 * a, b) for a, b in zip(t[::-1], half[::-1], strict=True)]
    toy.add("hull", toy.color, prism(deck, 0.30, bevel=0.13).at(0, 0, 0.17))
    toy.add("deck", "wood", prism([(0.90 * x, 0.82 * y) for x, y in deck], 0.05).at(0, 0, 0.32))
    toy.add("cabin", "white", box(0.36, wide * 0.55, 0.20, radius=0.06).at(-long * 0.24, 0, 0.43))
    toy.add("window", "glass", box(0.20, wide * 0.57, 0.08, radius=0.03).at(-long * 0.24, 0, 0.45))
    mast = toy.dice.between(0.85, 1.0)
    toy.add("mast", "brown", cylinder(0.035, mast).at(0.12, 0, 0.3 + mast / 2))
    side = 1 if toy.choose("sail", "left", "right") == "left" else -1
    swing = 180 - side * toy.dice.between(25, 50)
    sail = prism([(0, 0), (0.66, 0.04), (0.03, mast * 0.84)], 0.05, bevel=0.015).turned("x", 90).at(0.05, 0, 0)
    toy.add("sail", toy.accent, sail.turned("z", swing).at(0.12, 0, 0.46))
    toy.accent_part = "sail"
    flag = prism([(0, 0), (0.24, 0.08), (0, 0.16)], 0.03).turned("x", 90).turned("z", -side * 60)
    toy.add("flag", toy.color, flag.at(0.14, 0, 0.16 + mast))
    ring = np.linspace(0, 2 * np.pi, 21)
    buoy = tube(np.stack([0.10 * np.cos(ring), 0 * ring, 0.10 * np.sin(ring)], axis=1), 0.045)
    toy.add("life ring", "orange", buoy.at(-long * 0.1, side * wide * 0.47, 0.24))


def plane(toy: Draft) -> None:
    """A propeller in front; one wing tip wears the accent colour, left or right."""
    long, fat = toy.dice.between(1.2, 1.4), toy.dice.between(0.17, 0.21)
    hull = [(0, -0.5), (0.35, -0.46), (0.92, -0.1), (1.0, 0.15), (0.85, 0.42), (0.5, 0.5), (0, 0.5)]
    toy.add("hull", toy.color, lathe([(r * fat, z * long) for r, z in hull], fillet=0.22).turned("y", 90).at(0, 0, 0.5))
    span = toy.dice.between(0.72, 0.85)
    wing = [(-0.16, 0), (0.20, 0), (0.12, span), (-0.10, span)]
    tip = [(-0.105, span * 0.74), (0.14, span * 0.74), (0.12, span + 0.015), (-0.105, span + 0.015)]
    marked = 1 if toy.choose("marked wing", "left", "right") == "left" else -1
    height = 0.5 + (fat * 0.55 if toy.choose("wings", "high", "low") == "high" else -fat * 0.55)
    for side in (-1, 1):
        turn = 0 if side == 1 else 180
        # Mirrored by turning over about x, so that the leading edge stays in front.
        toy.add("wing", toy.color, prism(wing, 0.07).turned("x", turn).at(0.08, 0, height))
        if side == marked:
            toy.add("wing tip", toy.accent, prism(tip, 0.09).turned("x", turn).at(0.08, 0, height))
        tail = [(-0.10, 0), (0.10, 0), (0.03, 0.32), (-0.09, 0.32)]
        toy.add("tail", toy.accent, prism(tail, 0.05).turned("x", turn).at(-long * 0.43, 0, 0.54))
    fin = [(-0.12, 0), (0.12, 0), (-0.02, 0.34), (-0.13, 0.34)]
    toy.add("tail", toy.accent, prism(fin, 0.05).turned("x", 90).at(-long * 0.43, 0, 0.56))
    toy.accent_part = "tail"
    toy.add("cockpit", "glass", ball(0.20, 0.11, 0.11).at(0.14, 0, 0.5 + fat * 0.85))
    toy.add("spinner", toy.accent, ball(0.10, 0.08, 0.08).at(long / 2, 0, 0.5))
    for angle in (35, 155, 275):
        blade = box(0.03, 0.08, 0.30, radius=0.015).at(0, 0, 0.16).turned("x", angle)
        toy.add("propeller", "black", blade.at(long / 2 + 0.03, 0, 0.5))
    for y in (-1, 1):
        toy.add("wheel", "black", _wheel(0.10, 0.07).at(0.18, y * 0.20, 0.12))
        toy.add("strut", "steel", tube([(0.14, y * 0.10, 0.42), (0.16, y * 0.15, 0.27), (0.18, y * 0.2, 0.13)], 0.025))


def rocket(toy: Draft) -> None:
    """Three or four fins, a porthole in front, a ladder to one side; behind, a hatch, a star or nothing."""
    high, radius = toy.dice.between(1.2, 1.45), toy.dice.between(0.22, 0.28)
    hull = [(0, 0.16), (0.62, 0.16), (1.0, 0.52), (0.98, 0.62), (0.80, 0.84), (0.42, 1.02), (0.0, 1.14)]
    points = [(r * radius, 0.12 + (z - 0.16) * high) for r, z in hull]
    toy.add("hull", toy.color, lathe(points, fillet=0.20))
    cone = [
        (r * radius * 1.03, z) for r, z in ((0.76, 0.12 + 0.71 * high), (0.42, 0.12 + 0.865 * high), (0, 0.14 + high))
    ]
    toy.add("nose", toy.accent, lathe(cone, fillet=0.16))
    toy.add("engine", "steel", lathe([(0, 0), (0.17, 0), (0.11, 0.16), (0, 0.16)], fillet=0.02).at(0, 0, 0.02))
    fins = 3 if toy.choose("fins", "three", "four") == "three" else 4
    fin = prism([(0, 0.28), (0.10, 0.10), (0.36, -0.16), (0.36, 0.06), (0.10, 0.52), (0, 0.58)], 0.07)
    for k in range(fins):
        blade = fin.turned("x", 90).at(radius * 0.72, 0, 0.14)
        toy.add("fin", toy.accent, blade.turned("z", 60 + k * 360 / fins))
    toy.accent_part = "fins"
    middle = 0.12 + 0.42 * high
    toy.add("porthole", "steel", cylinder(0.15, 0.08, fillet=0.03).turned("y", 90).at(radius * 0.97, 0, middle))
    toy.add("porthole", "glass", ball(0.05, 0.10, 0.10).at(radius * 0.97 + 0.03, 0, middle))
    side = 1 if toy.choose("ladder", "left", "right") == "left" else -1
    for k in range(5):
        z = 0.12 + (0.26 + 0.075 * k) * high
        toy.add("ladder", "black", box(0.16, 0.05, 0.035, radius=0.01).at(0, side * (radius * 0.99 + 0.01), z))
    back = toy.choose_back("hatch", "star", "plain")
    if back == "hatch":
        toy.add("hatch", "black", box(0.08, 0.22, 0.34).at(-radius * 0.94, 0, middle))
    elif back == "star":
        star = [
            ((0.16, 0.07)[k % 2] * np.cos(a), (0.16, 0.07)[k % 2] * np.sin(a))
            for k, a in enumerate(np.arange(10) * np.pi / 5)
        ]
        toy.add("star", "white", prism(star, 0.14).turned("y", 90).at(-radius * 0.95, 0, middle))
