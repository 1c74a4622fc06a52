"""What `sam-toybox` is taught by, and what will be measured of it: targets, conversations, meanings of a click."""

import pytest
import torch

from minilib.evaluate.sam import AUTOMATIC, Table, automatic, clicked, tables
from minilib.recipes import sam_toybox
from minilib.recipes.sam_toybox import PromptedSam, SamToybox, choose_target, for_each, large_enough
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.prompts import first_click
from minilib.segmentation.sam import Sam, SamConfig
from minilib.studies import read_study
from minilib.weights import load_trained

SMALL = SamConfig(
    encoder=ImageEncoderConfig(
        image_size=128, patch_size=32, width=12, depth=1, num_heads=2, hidden=16, window_size=2, global_blocks=(0,),
        out_channels=16,
    ),
    decoder=MaskDecoderConfig(depth=1, num_heads=2, hidden=16, iou_hidden=8),
)  # fmt: skip


@pytest.fixture(scope="module")
def ids():
    """Two toys: the first has two parts, the second one that is too small to ask for."""
    instances, parts = torch.zeros(128, 128, dtype=torch.long), torch.zeros(128, 128, dtype=torch.long)
    instances[10:30, 10:30], parts[10:30, 10:20], parts[10:30, 20:30] = 1, 1, 2
    instances[60:90, 60:90], parts[60:90, 60:90] = 2, 1
    parts[60:62, 60:62] = 2
    return instances, parts


def test_only_what_shows_enough_is_asked_for(ids):
    instances, parts = ids
    assert large_enough(instances) == [1, 2]
    assert large_enough(parts, instances == 1) == [1, 2] and large_enough(parts, instances == 2) == [1]


@pytest.mark.parametrize(
    ("kind", "which", "part", "pixels"),
    [(0.0, 0.0, 0.0, 400), (0.59, 0.99, 0.0, 900), (0.61, 0.0, 0.99, 200), (0.81, 0.0, 0.0, 1300)],
)
def test_targets_are_toys_parts_or_all(ids, kind, which, part, pixels):
    assert choose_target(*ids, kind, which, part).sum() == pixels


def test_each_picture_draws_by_itself(ids):
    masks = (ids[0] > 0).expand(4, -1, -1)
    both = for_each(first_click, [torch.Generator().manual_seed(k) for k in (1, 2)], masks)[0]
    alone = for_each(first_click, [torch.Generator().manual_seed(2)], masks[2:])[0]
    assert torch.equal(both[2:], alone) and not torch.equal(both[:2], alone)


def test_a_step_of_the_recipe():
    recipe = SamToybox(num_scenes=3, prompts_per_scene=2)
    data = recipe.make_dataset()
    names = ("rgb", "instance_ids", "part_ids")
    batch = {name: torch.stack([data[i][name] for i in range(3)]) for name in names}  # pyright: ignore
    model = recipe.make_model()
    assert sum(p.numel() for p in model.parameters()) <= 8_000_000
    _, vit = load_trained("vit-toybox")
    for name, weight in vit.blocks.named_parameters():
        assert torch.equal(model.image_encoder.blocks.get_parameter(name), weight)
    losses = recipe.losses(model, batch | recipe.draw(3, torch.Generator().manual_seed(0)))
    assert losses.shape == (3,) and losses.isfinite().all()
    losses.mean().backward()
    assert model.image_encoder.positions.grad.abs().sum() > 0


def test_a_click_means_three_things(ids):
    instances, parts = ids
    table = Table(torch.zeros(3, 128, 128), instances, parts, torch.stack([instances == 1, instances == 2]))
    assert table.meanings(12, 12).flatten(1).sum(1).tolist() == [200, 400, 1300]


@torch.no_grad()
def test_all_that_is_measured_of_a_table():
    torch.manual_seed(0)
    sam = Sam(SMALL).eval()
    table = tables(1)[0]
    found = clicked(sam, table, 3)
    assert set(found) >= {"iou_best_of_3", "iou_picked", "iou_box", "iou_clicks_1", "iou_clicks_3", "ambiguous_oracle"}
    assert all(values.shape == (len(table.toys),) for values in found.values())
    assert (found["iou_best_of_3"] >= found["iou_picked"]).all()
    recall, precision = automatic(sam, table)
    assert 0 <= recall <= 1 and 0 <= precision <= 1


def test_odds_are_those_of_the_draw(ids):
    """Bayes' rule, against many draws of a target and a click in it."""
    instances, parts = ids
    table = Table(torch.zeros(3, 128, 128), instances, parts, torch.stack([instances == 1, instances == 2]))
    generator, counts = torch.Generator().manual_seed(0), torch.zeros(3)
    for kind, which, part in torch.rand(4000, 3, generator=generator).tolist():
        target = choose_target(instances, parts, kind, which, part)
        if target[12, 12]:
            counts[{200: 0, 400: 1, 1300: 2}[int(target.sum())]] += 1 / target.sum()  # the click is here
    torch.testing.assert_close(table.odds(12, 12), counts / counts.sum(), atol=0.03, rtol=0)
    assert table.odds(60, 60)[0] == 0  # its part is too small to be meant
    cut, both = torch.zeros_like(instances), torch.zeros_like(instances)
    cut[5:11, 5:11], both[5:8, 5:11], both[8:11, 5:11] = 1, 1, 2
    alone = Table(torch.zeros(3, 128, 128), cut, both, (cut == 1)[None])  # all its parts are too small
    torch.testing.assert_close(alone.odds(5, 5), torch.tensor([0.0, 0.8, 0.2]))


def test_clicks_are_computed_in_full_precision(monkeypatch):
    """…and the encoder in half."""
    recipe, seen = SamToybox(num_scenes=3, prompts_per_scene=2), []

    def watch(sam, embedding, target, *rest):
        seen.append((embedding, torch.is_autocast_enabled("cpu")))
        return embedding.new_zeros(len(target))

    monkeypatch.setattr(sam_toybox, "conversation", watch)
    item, model = recipe.make_dataset()[0], PromptedSam(SMALL)
    batch = {name: item[name][None] for name in ("rgb", "instance_ids", "part_ids")}
    with torch.autocast("cpu", torch.bfloat16):
        recipe.losses(model, batch | recipe.draw(1, torch.Generator().manual_seed(0)))
    ((embedding, half),) = seen
    assert embedding.dtype == torch.float32 and not half
    assert torch.equal(embedding, embedding.bfloat16().float())


def test_thresholds_are_those_of_the_study():
    chosen = read_study("sam_thresholds")["chosen"]
    assert (AUTOMATIC.pred_iou_thresh, AUTOMATIC.stability_score_thresh) == (chosen["iou"], chosen["stability"])
