"""What `sam2-toybox` is taught by, and what is measured of it: prompts on clips, hidden frames, memories."""

import pytest
import torch
import torch.nn.functional as F

from minilib.evaluate.sam2 import ARMS, Films, evaluate_sam2, films, first_prompts, over_frames
from minilib.recipes.sam2_toybox import KINDS, EncodedClips, PromptedSam2, Sam2Toybox, choose_object, clips128, cut_away
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.losses import sam2_loss, sam_loss
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.memory import MemoryConfig
from minilib.segmentation.sam2 import Sam2Config
from minilib.weights import load_trained

SMALL = Sam2Config(
    encoder=ImageEncoderConfig(
        image_size=128, patch_size=16, width=12, depth=1, num_heads=2, hidden=16, window_size=2, global_blocks=(0,),
        out_channels=16,
    ),
    decoder=MaskDecoderConfig(depth=1, num_heads=2, hidden=16, iou_hidden=8),
    memory=MemoryConfig(channels=8, depth=1, hidden=16, fuser_depth=1, fuser_hidden=16),
)  # fmt: skip


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    sam2 = PromptedSam2(SMALL).eval()
    with torch.no_grad():
        sam2.mask_decoder.score_head[-1].bias.fill_(1.0)  # it believes to see the object
    return sam2


@pytest.fixture(scope="module")
def some(small):
    return films(small, 2)


def test_half_of_the_objects_are_the_one_that_will_be_hidden():
    ids = torch.zeros(20, 20, dtype=torch.long)
    ids[:10, :10], ids[10:, :10], ids[0, 19] = 1, 3, 2
    assert [choose_object(ids, which) for which in (0.0, 0.49, 0.5, 0.99)] == [1, 1, 1, 3]
    ids[ids == 1] = 0
    assert [choose_object(ids, which) for which in (0.0, 0.49)] == [3, 3]  # 2 shows too little
    assert choose_object((ids == 2) * 2, 0.3) == 2  # unless there is nothing else


def prompt_for(kind, second, target):
    batch = {"kind": torch.tensor([kind]), "second": torch.tensor([second]), "seed": torch.tensor([5])}
    return Sam2Toybox().draw_prompts(target, 2, batch)


def test_first_prompts_are_clicks_boxes_or_masks():
    target = torch.zeros(1, 8, 128, 128, dtype=torch.bool)
    target[:, :, 40:60, 70:90] = True
    click, box, mask = (prompt_for(kind, 0.9, target)[2] for kind in (0.1, KINDS["click"] + 0.1, 0.9))
    x, y = click.points[0, 0].long().tolist()
    assert target[0, 2, y, x] and click.labels.tolist() == [[1]]
    assert box.labels.tolist() == [[2, 3]] and (box.points[0, 0] - torch.tensor([70, 40])).abs().max() <= 2.5
    assert torch.equal(mask.mask, target[:, 2])


def test_a_second_prompt_is_the_mask_of_another_frame():
    target = torch.rand(1, 8, 128, 128) > 0.5
    places = set()
    for second in torch.linspace(0, 0.2499, 50).tolist():
        prompts = prompt_for(0.1, second, target)
        (other,) = set(prompts) - {2}
        assert torch.equal(prompts[other].mask, target[:, other])
        places.add(other)
    assert places == set(range(8)) - {2}


def test_a_step_of_the_recipe():
    recipe = Sam2Toybox(num_clips=2)
    model, data = recipe.make_model(), recipe.make_dataset()
    sam = load_trained("sam-toybox")[1]
    assert isinstance(data, EncodedClips) and len(data) == 2
    assert sum(p.numel() for p in model.parameters()) <= 8_000_000
    for name, weight in sam.named_parameters():
        assert torch.equal(model.get_parameter(name), weight)
    frames = clips128("train", num_clips=2)[1]["rgb"]
    torch.testing.assert_close(data[1]["embedding"].float(), sam.encode_image(frames), atol=2e-2, rtol=2e-3)
    batch = {name: torch.stack([data[i][name] for i in range(2)]) for name in data[0]}
    batch |= recipe.draw(2, torch.Generator().manual_seed(0)) | {"cut": torch.tensor([0.15, 0.9])}
    losses = recipe.losses(model, batch)
    assert losses.shape == (2,) and losses.isfinite().all()
    for row in range(2):  # however many processes share a batch
        alone = recipe.losses(model, {name: value[row : row + 1] for name, value in batch.items()})
        torch.testing.assert_close(alone[0], losses[row], rtol=1e-3, atol=1e-4)
    losses.mean().backward()
    assert (
        model.memory.attention.blocks[0].mlp[0].weight.grad.abs().sum() > 0
        and model.image_encoder.positions.grad is None
    )


def test_frames_without_the_object_teach_the_score_alone():
    generator = torch.Generator().manual_seed(0)
    logits, iou = torch.randn(2, 3, 8, 8, generator=generator), torch.rand(2, 3, generator=generator)
    score, target = torch.tensor([1.0, 2.0]), torch.zeros(2, 8, 8, dtype=torch.bool)
    target[0, 2:6, 2:6] = True
    found = sam2_loss(logits, iou, score, target)
    torch.testing.assert_close(found[1], F.softplus(torch.tensor(2.0)))
    parts = sam_loss(logits, iou, target)
    either = ((logits[0] > 0) | target[0]).flatten(1).sum(1)
    true = ((logits[0] > 0) & target[0]).flatten(1).sum(1) / either
    wanted = 20 * parts.focal[0] + parts.dice[0] + (iou[0] - true).abs().mean() + F.softplus(torch.tensor(-1.0))
    torch.testing.assert_close(found[0], wanted)


def test_encoded_frames_give_what_frames_give(small, some):
    prompts = {0: first_prompts(some.target[:, 0])["click"]}
    ours, theirs = small.follow(some.embeddings, prompts), small(some.frames, prompts)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.mask, other.mask, atol=1e-4, rtol=1e-4)


def test_hidden_frames_and_means_over_them():
    target = torch.zeros(1, 4, 10, 10, dtype=torch.bool)
    target[0, 0], target[0, 2, :5], target[0, 3, :3] = True, True, True
    both = Films(torch.zeros(1, 4, 3, 10, 10), torch.zeros(1, 4, 2, 2, 2), target, ~target)
    assert both.hidden().tolist() == [[False, True, False, True]]
    values = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    which = torch.tensor([[True, False, True, False], [False] * 4])
    assert over_frames(values, which).tolist() == [2.0]


def test_a_film_cuts_away_and_comes_back(some):
    other = some.cut()
    assert torch.equal(other.frames[0, 3:5], some.frames[1, 3:5]) and not other.target[:, 3:5].any()
    assert torch.equal(other.embeddings[:, 5:], some.embeddings[:, 5:]) and torch.equal(
        other.frames[:, :3], some.frames[:, :3]
    )
    assert some.target[:, 3:5].any()  # the film itself is as it was


def test_some_clips_cut_away_for_two_frames():
    away = cut_away(torch.tensor([0.0, 0.15, 0.2999, 0.31]), 8)
    assert [row.nonzero()[:, 0].tolist() for row in away] == [[0, 1], [4, 5], [7], []]


def test_the_first_frame_says_what_is_meant(some):
    prompts = first_prompts(some.target[:, 0])
    assert torch.equal(prompts["mask"].mask, some.target[:, 0])
    for index, (point, box) in enumerate(zip(prompts["click"].points[:, 0], prompts["box"].points, strict=True)):
        x, y = point.long().tolist()
        assert some.target[index, 0, y, x] and (box[0] <= point).all() and (point <= box[1]).all()
    assert not (some.target & some.twin).any() and some.twin.any()


@torch.no_grad()
def test_without_memories_nothing_depends_on_the_first_frame(small, some):
    prompts = {0: first_prompts(some.target[:, 0])["mask"]}
    other = torch.cat([some.embeddings[:, :1].flip(0), some.embeddings[:, 1:]], dim=1)
    for arm, options in ARMS.items():
        before, after = (small.follow(codes, prompts, **options)[1].logits for codes in (some.embeddings, other))
        assert torch.equal(before, after) == (arm == "0_alone"), arm


def test_all_that_is_measured(small):
    metrics = evaluate_sam2(Sam2Toybox(), small, num_clips=6)
    assert {"j_and_f", "j_and_f_click", "j_and_f_after", "gone_said"} <= set(metrics)
    assert {f"{kind}_{arm}" for kind in ("memories", "after", "twin") for arm in ARMS} <= set(metrics)
    assert metrics["memories_7_pointers"]["value"] == pytest.approx(metrics["j_and_f"]["value"])
