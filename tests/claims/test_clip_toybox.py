"""What the card of `clip-toybox` says, measured again from the shipped weights on other toys."""

from pathlib import Path

import pytest
import torch

from minilib.clip.zero_shot import class_features, recalled
from minilib.evaluate.clip import combination_features, in_random_order, joint_right
from minilib.evaluate.clip_limits import failures
from minilib.evaluate.clip_toys import (
    CATEGORY_NAMES,
    NEW_PROMPTS,
    PROMPTS,
    Toys,
    encode,
    encode_texts,
)
from minilib.evaluate.few_shot import ATTRIBUTES, NAMED, Task
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


def test_an_ensemble_helps_where_prompts_are_unlike_training(clip, toys, features):
    def right(prompts):
        return joint_right(features, toys.combinations, combination_features(clip, prompts))[toys.unseen]

    members = torch.stack([right([prompt]) for prompt in NEW_PROMPTS]).mean(0)
    assert bootstrap_interval(right(NEW_PROMPTS) - members)[0] > 0.02


def test_captions_find_their_pictures_and_shuffled_ones_less_often(clip, toys, features):
    captions = [
        Words.of(toy).phrase(size=True, detail=True, side=sides[0])
        for toy, sides in zip(toys.toys, toys.sides, strict=True)
    ]
    generator = torch.Generator().manual_seed(3)
    mixed = [in_random_order(caption, generator) for caption in captions]
    found, less = (recalled(encode_texts(clip, some), features[:, 0], 1) for some in (captions, mixed))
    assert bootstrap_interval(found)[0] > 0.8
    assert bootstrap_interval(found - less)[0] > 0.1


def test_what_no_batch_asked_for_is_not_known(clip, toys):
    found = failures(clip, toys)
    low, high = found["left_right"]["ci95"]
    assert low < 0.5 < high < found["left_or_right_side"]["ci95"][0]  # the words are known, the question is not
    assert found["binding_parts"]["ci95"][0] > 0.9


def test_a_picture_helps_with_what_captions_name_and_not_with_the_rest(clip):
    _, vit = load_trained("vit-toybox")
    sizes = {"test_toys": 20, "pool_toys": 40, "tune_toys": 20}
    scores = {}
    for kind, tasks in (("named", NAMED), ("never", ATTRIBUTES)):
        each = []
        for (category, attribute), names in tasks.items():
            task = Task(clip, vit, category, attribute, names, first=FIRST, **sizes)
            rows = task.shots(4, seed=7)
            tip = task.tuned_tip(task.pool.features[rows, 0], task.pool.labels[rows])
            each.append(task.right(tip(task.test.features.flatten(0, 1)).argmax(1)))
        scores[kind] = torch.cat(each)
    assert bootstrap_interval(scores["named"])[0] > 0.95
    assert bootstrap_interval(scores["never"])[1] < 0.65


def test_the_readme_quotes_the_card():
    metrics, readme = cards()["clip-toybox"]["metrics"], (Path(__file__).parents[2] / "README.md").read_text()
    for name in ("zero_shot_seen", "zero_shot_unseen", "category_unseen", "recall_at_1"):
        low, high = metrics[name]["ci95"]
        assert f"{100 * metrics[name]['value']:.1f} [{100 * low:.1f}, {100 * high:.1f}] %" in " ".join(readme.split())
