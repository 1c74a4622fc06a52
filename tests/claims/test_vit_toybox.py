"""What the card of `vit-toybox` says, measured again from the shipped weights on other toys."""

from pathlib import Path

import pytest
import torch

from minilib.evaluate.common import in_parts
from minilib.evaluate.vit import (
    iou_at_true_size,
    maps_of,
    placed_toys,
    plain_toys,
    pointing,
    with_shuffled_positions,
)
from minilib.interop.vit import vit_to_transformers
from minilib.metrics import bootstrap_interval
from minilib.studies import read_study
from minilib.weights import cards, load_trained

FIRST = 2000
"""Number of the first toy here; the card's are those before."""


@pytest.fixture(scope="module")
def vit():
    return load_trained("vit-toybox")[1]


@pytest.fixture(scope="module")
def placed():
    return placed_toys(200, first=FIRST, seed=5)


def test_sizes_are_as_promised(vit):
    card = cards()["vit-toybox"]
    assert card["parameters"] == sum(p.numel() for p in vit.parameters()) <= 5_000_000
    assert card["minutes"] <= 40
    assert card["metrics"]["accuracy"]["value"] >= 0.97


def test_new_toys_are_named(vit):
    images, labels = plain_toys(100, first=FIRST)
    right = (in_parts(vit, images).argmax(1) == labels).float().unflatten(0, (100, 8)).mean(1)
    assert bootstrap_interval(right)[0] > 0.95


def test_positions_are_needed(vit, placed):
    images, _, labels = placed
    right, mixed = (
        (in_parts(model, images).argmax(1) == labels).float() for model in (vit, with_shuffled_positions(vit, seed=3))
    )
    assert bootstrap_interval(right - mixed)[0] > 0.2


def test_the_same_in_transformers(vit, placed):
    with torch.no_grad():
        theirs = vit_to_transformers(vit)(placed[0][:8]).logits
    torch.testing.assert_close(theirs, vit(placed[0][:8]), rtol=1e-4, atol=1e-4)


def test_rollout_shows_the_toy_and_the_last_layer_does_not(vit, placed):
    images, masks, labels = placed
    found = maps_of(vit, images, labels)
    ious = {name: iou_at_true_size(maps, masks) for name, maps in found.items()}
    for other in ("last", "relevance", "centre"):
        assert bootstrap_interval(ious["rollout"] - ious[other])[0] > 0.1
    hits = pointing(found["rollout"], masks)
    assert bootstrap_interval(hits - pointing(found["last"], masks))[0] > 0.3
    assert hits.mean() > 0.9


def test_the_readme_quotes_the_card():
    metrics, readme = cards()["vit-toybox"]["metrics"], (Path(__file__).parents[2] / "README.md").read_text()
    for name in ("accuracy", "accuracy_placed"):
        low, high = metrics[name]["ci95"]
        assert f"{100 * metrics[name]['value']:.1f} [{100 * low:.1f}, {100 * high:.1f}] %" in " ".join(readme.split())


def test_convolutions_need_fewer_toys():
    """What the study measured; training both anew would take half an hour."""
    study = read_study("cnn_and_vit")
    assert abs(study["parameters"]["cnn"] / study["parameters"]["vit"] - 1) < 0.01
    assert all(study["accuracy"]["vit minus cnn"][str(n)]["ci95"][1] < 0 for n in study["sizes"])
