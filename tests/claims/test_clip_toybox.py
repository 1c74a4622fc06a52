"""What the card of `clip-toybox` says, measured again from the shipped weights on other toys."""

from pathlib import Path

import pytest

from minilib.clip.zero_shot import class_features, recalled
from minilib.evaluate.clip import combination_features, joint_right
from minilib.evaluate.clip_toys import CATEGORY_NAMES, PROMPTS, Toys, encode, encode_texts
from minilib.evaluate.few_shot import ATTRIBUTES, Task
from minilib.metrics import bootstrap_interval
from minilib.recipes.clip_toybox import Words, toybox_tokenizer
from minilib.weights import cards, load_trained

FIRST = 4000
"""Number of the first toy here; the card's are those before."""


@pytest.fixture(scope="module")
def clip():
    return load_trained("clip-toybox")[1]


@pytest.fixture(scope="module")
def toys():
    return Toys(400, first=FIRST)


@pytest.fixture(scope="module")
def features(clip, toys):
    return encode(clip, toys.images[:, :2].flatten(0, 1)).unflatten(0, (-1, 2))


def test_sizes_are_as_promised(clip):
    card = cards()["clip-toybox"]
    assert card["parameters"] == sum(p.numel() for p in clip.parameters()) <= 8_000_000
    assert card["minutes"] <= 90
    assert card["metrics"]["zero_shot_seen"]["value"] >= 0.92
    assert card["metrics"]["zero_shot_unseen"]["value"] >= 0.75


def test_new_toys_are_named(clip, toys, features):
    names = class_features(clip, toybox_tokenizer(), CATEGORY_NAMES, PROMPTS)
    right = ((features @ names.T).argmax(2) == toys.categories[:, None]).float().mean(1)
    assert bootstrap_interval(right[toys.seen])[0] > 0.88


def test_combinations_that_were_never_seen_together_are_named(clip, toys, features):
    right = joint_right(features, toys.combinations, combination_features(clip), seed=3)
    assert bootstrap_interval(right[toys.unseen])[0] > 0.7


def test_captions_find_their_pictures(clip, toys, features):
    captions = [
        Words.of(toy).phrase(size=True, detail=True, side=sides[0])
        for toy, sides in zip(toys.toys, toys.sides, strict=True)
    ]
    found = recalled(encode_texts(clip, captions), features[:, 0], 5)
    assert bootstrap_interval(found)[0] > 0.5  # guessing: 5 of 400


def test_a_few_pictures_add_what_no_caption_says(clip):
    names = ATTRIBUTES["table", "top"]
    task = Task(clip, "table", "top", names, test_toys=40, pool_toys=60, tune_toys=20)
    features, labels = task.shots(16, seed=1)
    tip = task.right(task.tuned_tip(features, labels)(task.test.flatten(0, 1)).argmax(1))
    assert bootstrap_interval(tip)[0] > 0.5


def test_the_readme_quotes_the_card():
    metrics, readme = cards()["clip-toybox"]["metrics"], (Path(__file__).parents[2] / "README.md").read_text()
    for name in ("zero_shot_seen", "zero_shot_unseen", "recall_at_1"):
        low, high = metrics[name]["ci95"]
        assert f"{100 * metrics[name]['value']:.1f} [{100 * low:.1f}, {100 * high:.1f}] %" in " ".join(readme.split())
