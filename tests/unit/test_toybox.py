"""Toys, scenes and clips are what their seeds and words say."""

import math

import numpy as np
import pytest
import torch

from minilib.toybox import SPLITS
from minilib.toybox.captions import relation, side_seen
from minilib.toybox.catalog import CATEGORIES, SIZES, make_toy
from minilib.toybox.catalog.parts import COLORS
from minilib.toybox.render import Stage
from minilib.toybox.scenes import make_clip, make_scene
from minilib.views.cameras import orbit

NAMES = list(CATEGORIES)
WITH_BACK = [name for name in NAMES if "back" in make_toy(0, category=name).attributes]


def test_there_is_variety():
    assert len(NAMES) >= 12
    assert len(WITH_BACK) >= 4
    toys = [make_toy(seed) for seed in range(200)]
    assert {toy.category for toy in toys} == set(NAMES)
    assert {toy.color for toy in toys} == set(COLORS)
    assert {toy.size for toy in toys} == set(SIZES)


@pytest.mark.parametrize("name", NAMES)
def test_toy_fits_its_size_and_says_its_colours(name):
    for seed in range(5):
        toy = make_toy(seed, category=name)
        points = np.concatenate([part.mesh.vertices for part in toy.parts])
        assert np.linalg.norm(points, axis=1).max() < SIZES[toy.size] * 1.12
        assert toy.color != toy.accent
        assert {toy.color, toy.accent} <= {part.color for part in toy.parts}
        assert f"{toy.size} {toy.color} {name}" in toy.caption and toy.accent in toy.caption
        assert len(toy.part_names) >= 3
        named = toy.caption.split(toy.accent + " ")[-1]
        assert any(part.name in (named, named.removesuffix("s")) and part.color == toy.accent for part in toy.parts)


@pytest.mark.parametrize("name", WITH_BACK)
def test_the_back_cannot_be_guessed_from_the_front(name):
    """Pixel for pixel, the front stays; the back differs."""
    toys = [make_toy(3, category=name, back_seed=seed) for seed in range(8)]
    assert len({toy.attributes["back"] for toy in toys}) >= 2
    first = toys[0]
    other = next(toy for toy in toys if toy.attributes["back"] != first.attributes["back"])
    front = [Stage(toy.items()).render(orbit(0.0, math.radians(15), 2.9)).rgb for toy in (first, other)]
    behind = [Stage(toy.items()).render(orbit(math.pi, math.radians(15), 2.9)).rgb for toy in (first, other)]
    assert torch.equal(front[0], front[1])
    assert (behind[0] - behind[1]).abs().max() > 0.1


def test_chiral_toys_are_not_their_mirror_image():
    """A handle on the left is not one on the right: from the front, most toys differ from their mirrored picture."""
    camera = orbit(0.0, math.radians(10), 2.9)
    pictures = [Stage(make_toy(seed).items()).render(camera).alpha for seed in range(len(NAMES))]
    assert sum(bool((p - p.flip(-1)).abs().mean() > 0.01) for p in pictures) >= 10


def test_part_ids_name_the_parts():
    toy = make_toy(NAMES.index("mug"))
    view = Stage(toy.items()).render(orbit(math.pi / 2, 0.2, 2.9))
    seen = {toy.part_names[int(k) - 1] for k in view.part_ids.unique() if k > 0}
    assert {"body", "drink"} & seen and seen <= set(toy.part_names)


def test_sides_are_the_toys_own():
    assert [side_seen(orbit(math.radians(a), 0.3, 3)) for a in (10, 80, -170, -95)] == [
        "the front", "its left", "behind", "its right",
    ]  # fmt: skip


def test_relations_are_the_cameras():
    camera = orbit(0.0, 0.3, 6.0)
    assert relation(camera, (0, -1, 0), (0, 1, 0)) == "left of"
    assert relation(camera, (0, 1, 0), (0, -1, 0)) == "right of"
    assert relation(camera, (1, 0, 0), (-1, 0, 0)) == "in front of"
    assert relation(orbit(math.pi, 0.3, 6.0), (0, -1, 0), (0, 1, 0)) == "right of"


@pytest.mark.parametrize("seed", range(12))
def test_scene_has_its_toys_on_the_table_and_apart(seed):
    scene = make_scene(seed)
    assert 2 <= len(scene.placed) <= 5
    for k, a in enumerate(scene.placed):
        assert abs(a.position[2] + a.toy.bottom) < 1e-9
        for b in scene.placed[k + 1 :]:
            assert math.hypot(a.x - b.x, a.y - b.y) > a.toy.radius + b.toy.radius - 1e-9
    view = scene.render(image_size=64)
    assert set(view.instance_ids.unique().tolist()) <= set(range(len(scene.placed) + 1))
    assert all(f"{p.toy.color} {p.toy.category}" in view.caption for p in scene.placed)
    shares = scene.visible_fraction(view)
    assert len(shares) == len(scene.placed) and max(shares) > 0.5


def test_scenes_vary_in_background_and_hide_toys_partly():
    scenes = [make_scene(seed) for seed in range(40)]
    assert {scene.ground.pattern for scene in scenes} == {"plain", "checks", "stripes", "dots"}
    hidden = [share for s in scenes[:20] for share in s.visible_fraction(s.render(image_size=48, supersample=1))]
    assert sum(0.05 < share < 0.9 for share in hidden) >= 5


@pytest.mark.parametrize("seed", range(8))
def test_clip_hides_its_target_half_way(seed):
    clip = make_clip(seed)
    views = clip.render(image_size=64, supersample=1)
    seen = [scene.visible_fraction(view)[clip.target - 1] for scene, view in zip(clip.scenes, views, strict=True)]
    assert seen[0] > 0.9 and seen[-1] > 0.9
    assert min(seen[2:6]) < 0.5
    target, twin = (clip.scenes[0].placed[k - 1].toy for k in (clip.target, clip.distractor))
    assert target == twin
    assert clip.scenes[0].placed[clip.occluder - 1].toy.category == "board"


def test_a_scene_uses_toys_of_its_own_split():
    for name, seeds in SPLITS.items():
        for seed in (seeds[0], seeds[-1]):
            for maker in (make_scene, lambda s: make_clip(s).scenes[0]):
                toys = [p.toy for p in maker(seed).placed if p.toy.category != "board"]
                assert all(toy.seed in SPLITS[name] for toy in toys)
