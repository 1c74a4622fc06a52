"""What the card of `sam-toybox` says, measured again from the shipped weights on other scenes."""

from pathlib import Path

import pytest
import torch

from minilib.evaluate.sam import automatic, clicked, tables
from minilib.metrics import bootstrap_interval
from minilib.weights import cards, load_trained

FIRST_SCENE = 2000
"""Number of the first scene here; the card's are those before."""

QUOTED = ("iou_best_of_3", "iou_picked", "iou_clicks_3", "ambiguous_gain")
"""What the README says of it."""


@pytest.fixture(scope="module")
def scores():
    """A list over scenes for each measurement, each the mean over the scene's toys."""
    _, sam = load_trained("sam-toybox")
    found: dict[str, list[torch.Tensor]] = {}
    with torch.no_grad():
        for table in tables(60, first=FIRST_SCENE):
            for name, values in clicked(sam, table, 5).items():
                found.setdefault(name, []).append(values.float().mean())
    return {name: torch.stack(values) for name, values in found.items()}


def test_sizes_are_as_promised():
    card, (_, sam) = cards()["sam-toybox"], load_trained("sam-toybox")
    assert card["parameters"] == sum(p.numel() for p in sam.parameters()) <= 8_000_000
    assert card["minutes"] <= 120


def test_the_card_reaches_what_was_asked():
    metrics = cards()["sam-toybox"]["metrics"]
    assert metrics["iou_best_of_3"]["value"] >= 0.85 and metrics["iou_picked"]["value"] >= 0.78


def test_one_click_finds_whole_toys(scores):
    assert bootstrap_interval(scores["iou_best_of_3"])[0] > 0.8
    assert bootstrap_interval(scores["iou_picked"])[0] > 0.73


def test_three_masks_hold_more_than_one(scores):
    assert bootstrap_interval(scores["ambiguous_oracle"] - scores["ambiguous_single"])[0] > 0.1


def test_each_click_helps(scores):
    means = [float(scores[f"iou_clicks_{k}"].mean()) for k in range(1, 4)]
    assert means == sorted(means)
    assert bootstrap_interval(scores["iou_clicks_3"] - scores["iou_clicks_1"])[0] > 0
    assert bootstrap_interval(scores["iou_clicks_5"] - scores["iou_clicks_1"])[0] > 0


def test_predicted_ious_are_near_what_is_to_be_expected(scores):
    assert bootstrap_interval(scores["iou_error"])[1] < 0.15
    low, high = bootstrap_interval(scores["iou_over"])
    assert -0.1 < low < high < 0.1


def test_most_toys_are_found_without_a_click():
    _, sam = load_trained("sam-toybox")
    recalls, precisions = zip(*(automatic(sam, table) for table in tables(12, first=FIRST_SCENE)), strict=True)
    assert sum(recalls) / len(recalls) > 0.7 and sum(precisions) / len(precisions) > 0.7


def test_the_readme_quotes_the_card():
    metrics, readme = cards()["sam-toybox"]["metrics"], (Path(__file__).parents[2] / "README.md").read_text()
    for name in QUOTED:
        low, high = metrics[name]["ci95"]
        assert f"{metrics[name]['value']:.3f} [{low:.3f}, {high:.3f}]" in " ".join(readme.split())
