"""What the cards of `sam-toybox` and `sam2-toybox` say, measured again from the shipped weights on other scenes."""

from pathlib import Path

import pytest
import torch

from minilib.evaluate.sam import automatic, clicked, tables
from minilib.evaluate.sam2 import ARMS, films, first_prompts, follow, over_frames
from minilib.metrics import bootstrap_interval
from minilib.segmentation.metrics import j_and_f
from minilib.weights import cards, load_trained

FIRST_SCENE, FIRST_CLIP = 2000, 1000
"""Numbers of the first scene and clip here; the cards' are those before."""

QUOTED = {
    "sam-toybox": ("iou_best_of_3", "iou_picked", "iou_clicks_3", "ambiguous_gain"),
    "sam2-toybox": ("j_and_f", "j_and_f_click", "after_7_pointers", "after_1_alone"),
}


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


@pytest.fixture(scope="module")
def tracked():
    """J&F of each frame after the first (clips, 7), which frames are hidden or after that, and masks, for some arms."""
    _, sam2 = load_trained("sam2-toybox")
    some = films(sam2, 40, first=FIRST_CLIP)
    prompt = first_prompts(some.target[:, 0])["mask"]
    masks = {arm: follow(sam2, some, prompt, **ARMS[arm])[0] for arm in ("7_pointers", "1_alone", "0_alone")}
    return some, {arm: j_and_f(found, some.target) for arm, found in masks.items()}


@pytest.mark.parametrize("name", sorted(QUOTED))
def test_sizes_are_as_promised(name):
    card = cards()[name]
    assert card["parameters"] == sum(p.numel() for p in load_trained(name)[1].parameters()) <= 8_000_000
    assert card["minutes"] <= 120


def test_the_cards_reach_what_was_asked():
    sam, sam2 = (cards()[name]["metrics"] for name in ("sam-toybox", "sam2-toybox"))
    assert sam["iou_best_of_3"]["value"] >= 0.85 and sam["iou_picked"]["value"] >= 0.78
    assert sam2["j_and_f"]["value"] >= 0.75


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


def test_memories_follow_a_toy_behind_a_board_and_past_its_twin(tracked):
    some, scores = tracked
    assert bootstrap_interval(scores["7_pointers"][:, 1:].mean(1))[0] > 0.7
    after = {arm: over_frames(values, some.after()) for arm, values in scores.items()}
    assert bootstrap_interval(after["7_pointers"] - after["1_alone"])[0] > 0
    everywhere = {arm: values[:, 1:].mean(1) for arm, values in scores.items()}
    assert bootstrap_interval(everywhere["1_alone"] - everywhere["0_alone"])[0] > 0
    assert bootstrap_interval(everywhere["7_pointers"] - everywhere["0_alone"])[0] > 0.1


@pytest.mark.parametrize("name", sorted(QUOTED))
def test_the_readme_quotes_the_card(name):
    metrics, readme = cards()[name]["metrics"], (Path(__file__).parents[2] / "README.md").read_text()
    for quoted in QUOTED[name]:
        low, high = metrics[quoted]["ci95"]
        assert f"{metrics[quoted]['value']:.3f} [{low:.3f}, {high:.3f}]" in " ".join(readme.split())
