"""Segment Anything: hand-computed cases and properties; prompts, losses, metrics and automatic masks."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torchvision.ops import nms as torchvision_nms
from torchvision.ops import sigmoid_focal_loss

from minilib.attention.recorder import record_attention, use_fused
from minilib.interop.bench import embedding_of, masks_of, sam_contestants
from minilib.segmentation import window_attention
from minilib.segmentation.automatic import AutomaticConfig, MaskGenerator, crop_boxes, point_grid
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.losses import dice_loss, focal_loss, sam_loss
from minilib.segmentation.mask_decoder import MaskDecoderConfig, Upscale
from minilib.segmentation.metrics import boundary_iou, contour_f, j_and_f, mask_iou
from minilib.segmentation.prompts import (
    centre_click,
    corrective_click,
    first_click,
    jittered_boxes,
    mask_boxes,
    mask_prompt,
)
from minilib.segmentation.sam import Sam, SamConfig, resize_logits, scaled_size
from minilib.segmentation.selection import near_edge, nms, stability_score
from minilib.segmentation.window_attention import GridAttention, RelativeHeads


def tiny_sam():
    torch.manual_seed(0)
    encoder = ImageEncoderConfig(
        image_size=32,
        patch_size=4,
        width=24,
        depth=2,
        num_heads=2,
        hidden=32,
        window_size=3,
        global_blocks=(1,),
        out_channels=16,
    )
    decoder = MaskDecoderConfig(num_heads=2, hidden=32, iou_hidden=16)
    return Sam(SamConfig(encoder=encoder, decoder=decoder, mask_channels=4)).eval()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def square(size, top, left, side):
    mask = torch.zeros(1, size, size, dtype=torch.bool)
    mask[:, top : top + side, left : left + side] = True
    return mask


def blobs(count=4, size=40, seed=0):
    """Smooth random masks."""
    small = torch.randn(count, 1, 5, 5, generator=seeded(seed))
    return F.interpolate(small, (size, size), mode="bicubic")[:, 0] > 0


@torch.no_grad()
def test_relative_scores_by_hand():
    heads = RelativeHeads(1, 2, 2)
    heads.height_positions.copy_(torch.tensor([[1.0, 0], [2, 0], [3, 0]]))  # distances −1, 0, 1
    heads.width_positions.copy_(torch.tensor([[0, 10.0], [0, 20], [0, 30]]))
    q = torch.tensor([[[[1.0, 1], [1, 0], [0, 1], [2, 3]]]])
    scores = heads.relative_scores(q)[0, 0]
    assert scores[0].tolist() == [2 + 20, 2 + 10, 1 + 20, 1 + 10]  # upper left: others are to the right and below
    assert scores[1].tolist() == [2, 2, 1, 1]
    assert scores[3].tolist() == [2 * 3 + 3 * 30, 2 * 3 + 3 * 20, 2 * 2 + 3 * 30, 2 * 2 + 3 * 20]


@torch.no_grad()
def test_fused_written_out_and_in_parts_are_one(monkeypatch):
    sam, images = tiny_sam(), 2 * torch.rand(1, 3, 32, 32, generator=seeded()) - 1
    for block in sam.image_encoder.blocks:
        block.attention.heads.height_positions.normal_()
    fused = sam.encode_image(images)
    monkeypatch.setattr(window_attention, "BIAS_ENTRIES", 1)
    torch.testing.assert_close(sam.encode_image(images), fused, rtol=1e-5, atol=1e-5)
    use_fused(sam, False)
    with record_attention(sam) as records:
        torch.testing.assert_close(sam.encode_image(images), fused, rtol=1e-5, atol=1e-5)
    windowed, whole = (weights for weights in records.values() if weights)
    assert windowed[0].shape == (9, 2, 9, 9) and whole[0].shape == (1, 2, 64, 64)
    torch.testing.assert_close(whole[0].sum(-1), torch.ones(1, 2, 64))


@torch.no_grad()
@pytest.mark.parametrize("window_size", [3, 4])
def test_tokens_see_their_window_only(window_size):
    attention = GridAttention(8, 2, grid=8, window_size=window_size)
    x = torch.randn(1, 64, 8, generator=seeded())
    before = attention(x).unflatten(1, (8, 8))
    x[0, 0] += 1
    changed = (attention(x).unflatten(1, (8, 8)) - before).abs().amax((0, 3)) > 1e-6
    assert changed[:window_size, :window_size].all() and changed.sum() == window_size**2


@torch.no_grad()
def test_upscaling_is_the_transposed_convolution():
    layer, x = Upscale(8, 4), torch.randn(2, 8, 3, 3, generator=seeded())
    found = layer(x.flatten(2).mT).unflatten(1, (3, 3)).unflatten(3, (2, 2))
    expected = F.conv_transpose2d(x, layer.weight, layer.bias, stride=2)
    torch.testing.assert_close(found.permute(0, 5, 1, 3, 2, 4).reshape(2, 4, 6, 6), expected)


@torch.no_grad()
def test_a_box_is_two_points():
    encoder = tiny_sam().prompt_encoder
    box = torch.tensor([[3.0, 4, 20, 30]])
    corners, _ = encoder(points=box.reshape(1, 2, 2), labels=torch.tensor([[2, 3]]))
    found, _ = encoder(boxes=box)
    torch.testing.assert_close(found, corners[:, :2])
    assert corners.shape[1] == 3  # points without a box get one that is none


@torch.no_grad()
def test_no_point_has_no_place():
    sam = tiny_sam()
    embedding = torch.randn(1, 16, 8, 8, generator=seeded())
    labels = torch.tensor([[1, -1]])
    here = sam.predict(embedding, torch.tensor([[[5.0, 6], [0, 0]]]), labels)
    there = sam.predict(embedding, torch.tensor([[[5.0, 6], [900, -3]]]), labels)
    torch.testing.assert_close(here, there)


@torch.no_grad()
def test_prompts_of_several_pictures_follow_each_other():
    sam = tiny_sam()
    images = 2 * torch.rand(2, 3, 32, 32, generator=seeded()) - 1
    points, labels = 31 * torch.rand(6, 2, 2, generator=seeded(1)), torch.tensor([[1, 0]]).expand(6, 2)
    logits, iou = sam(images, points, labels)
    assert logits.shape == (6, 3, 32, 32) and iou.shape == (6, 3)
    for index in range(2):
        rows = slice(3 * index, 3 * index + 3)
        alone = sam(images[index : index + 1], points[rows], labels[rows])
        torch.testing.assert_close(alone, (logits[rows], iou[rows]), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_an_answer_is_a_prompt():
    sam = tiny_sam()
    embedding = torch.randn(1, 16, 8, 8, generator=seeded())
    points, labels = torch.full((1, 1, 2), 9.0), torch.ones(1, 1, dtype=torch.long)
    logits, iou = sam.predict(embedding, points, labels)
    best = logits[torch.arange(1), iou.argmax(1)]
    assert best.shape[-1] == sam.prompt_encoder.mask_size
    again, score = sam.predict(embedding, points, labels, masks=best, multimask=False)
    assert again.shape == (1, 1, 32, 32) and score.shape == (1, 1)
    assert not torch.allclose(again, sam.predict(embedding, points, labels, multimask=False)[0])


def test_it_learns_one_picture():
    sam = tiny_sam().train()
    target = square(32, 8, 10, 12)
    images = torch.where(target, 0.8, -0.5)[:, None].repeat(1, 3, 1, 1)
    points, labels = torch.tensor([[[15.0, 14]]]), torch.tensor([[1]])
    optimizer = torch.optim.Adam(sam.parameters(), 3e-3)
    for _ in range(80):
        logits, iou = sam(images, points, labels)
        loss = sam_loss(resize_logits(logits, 32), iou, target)
        optimizer.zero_grad()
        loss.total.mean().backward()
        optimizer.step()
    assert mask_iou(logits[0, loss.best] > 0, target).item() > 0.9
    assert loss.iou.item() < 0.1


def test_sizes_keep_their_shape():
    assert scaled_size((50, 90), 64) == (36, 64)
    assert scaled_size((64, 64), 128) == (128, 128)
    logits = torch.randn(1, 3, 8, 8, generator=seeded())
    assert resize_logits(logits, 32).shape == (1, 3, 32, 32)
    assert resize_logits(logits, 32, original=(50, 90)).shape == (1, 3, 50, 90)
    photograph = torch.full((3, 10, 20), 0.5)
    fitted = tiny_sam().fit_photograph(photograph)
    assert fitted.shape == (1, 3, 32, 32) and fitted[..., :16, :].std() < 1e-6
    assert fitted[0, :, -1, 0].tolist() == pytest.approx([2 * mean - 1 for mean in (0.485, 0.456, 0.406)])


def test_first_clicks_are_inside_and_everywhere():
    target = square(16, 3, 5, 4).expand(400, -1, -1)
    points = first_click(target, seeded())
    assert torch.equal(points, first_click(target, seeded()))
    columns, rows = points[:, 0].long().unbind(1)
    assert target[0, rows, columns].all()
    counts = torch.bincount((rows - 3) * 4 + columns - 5, minlength=16)
    assert counts.min() > 8 and counts.max() < 50  # 25 each are expected


def test_corrective_clicks_say_what_was_wrong():
    target = torch.cat([square(16, 2, 2, 5)] * 3)
    prediction = torch.cat([square(16, 2, 2, 4), square(16, 2, 2, 7), square(16, 2, 2, 5)])
    points, labels = corrective_click(prediction, target, seeded())
    assert labels.flatten().tolist() == [1, 0, -1]
    for index in range(2):
        column, row = points[index, 0].long().tolist()
        assert prediction[index, row, column] != target[index, row, column]


def test_centre_clicks():
    nothing = torch.zeros(1, 21, 21, dtype=torch.bool)
    points, labels = centre_click(nothing, square(21, 4, 6, 9))
    assert points.tolist() == [[[10.0, 8.0]]] and labels.item() == 1
    # One large false positive beats a small miss.
    target, prediction = square(21, 1, 1, 5), square(21, 10, 10, 7)
    points, labels = centre_click(prediction | square(21, 1, 1, 3), target)
    assert points.tolist() == [[[13.0, 13.0]]] and labels.item() == 0
    # What touches the edge is not deeper there.
    points, _ = centre_click(nothing, square(21, 0, 0, 9))
    assert points.tolist() == [[[4.0, 4.0]]]
    assert centre_click(target, target)[1].item() == -1


def test_boxes():
    masks = torch.cat([square(16, 3, 5, 4), torch.zeros(1, 16, 16, dtype=torch.bool), square(16, 0, 15, 1)])
    assert mask_boxes(masks).tolist() == [[5, 3, 8, 6], [0, 0, 0, 0], [15, 0, 15, 0]]
    target = square(128, 20, 30, 50).expand(500, -1, -1)
    assert jittered_boxes(target, seeded(), std=0.0)[0].tolist() == [30, 20, 79, 69]
    moved = jittered_boxes(target, seeded(), most=1.0) - torch.tensor([30.0, 20, 79, 69])
    assert torch.equal(moved, jittered_boxes(target, seeded(), most=1.0) - torch.tensor([30.0, 20, 79, 69]))
    assert moved.std().item() == pytest.approx(4.9, rel=0.1)
    limited = jittered_boxes(target, seeded()) - torch.tensor([30.0, 20, 79, 69])
    assert limited.abs().max().item() == pytest.approx(20 / 1024 * 128)
    edge = jittered_boxes(square(128, 0, 0, 128).expand(50, -1, -1), seeded(), std=1.0, most=1.0)
    assert edge.min() >= 0 and edge.max() <= 127 and (edge[:, :2] <= edge[:, 2:]).all()


def test_mask_prompts():
    logits = mask_prompt(square(16, 4, 4, 6), 4)
    assert logits[0, 1].tolist() == [-10, 10, 0, -10] and logits[0, 2, 2].item() == -5
    assert mask_prompt(square(16, 4, 4, 6), 32).shape == (1, 32, 32)


def test_losses_by_hand():
    logits = torch.tensor([[[[2.0, -1], [0, -3]]]])
    target = torch.tensor([[[True, False], [True, False]]])
    p = [1 / (1 + math.exp(-x)) for x in (2, -1, 0, -3)]
    right = [p[0], 1 - p[1], p[2], 1 - p[3]]
    weights = [0.25, 0.75, 0.25, 0.75]
    focal = sum(-w * (1 - q) ** 2 * math.log(q) for w, q in zip(weights, right, strict=True)) / 4
    assert focal_loss(logits, target).item() == pytest.approx(focal, rel=1e-5)
    assert dice_loss(logits, target).item() == pytest.approx(1 - (2 * (p[0] + p[2]) + 1) / (sum(p) + 2 + 1), rel=1e-5)


def test_focal_loss_equals_torchvision():
    logits = 3 * torch.randn(4, 3, 8, 8, generator=seeded())
    target = torch.rand(4, 8, 8, generator=seeded(1)) > 0.5
    truth = target[:, None].float().expand_as(logits)
    expected = sigmoid_focal_loss(logits, truth, alpha=0.25, gamma=2.0).mean((2, 3))
    torch.testing.assert_close(focal_loss(logits, target), expected)


def test_only_the_best_mask_learns():
    target = square(8, 2, 2, 4)
    logits = torch.stack([-torch.ones(1, 8, 8), torch.where(target, 3.0, -3.0), torch.ones(1, 8, 8)], dim=1)
    logits.requires_grad_()
    iou = torch.tensor([[0.5, 0.5, 0.5]], requires_grad=True)
    loss = sam_loss(logits, iou, target)
    assert loss.best.tolist() == [1]
    assert loss.iou.item() == pytest.approx((0.5**2 + 0.5**2 + 0.25**2) / 3)  # IoUs are 0, 1 and a quarter
    assert loss.total.item() == pytest.approx((20 * loss.focal + loss.dice + loss.iou).item())
    loss.total.sum().backward()
    assert logits.grad[0, 1].abs().min() > 0 and not logits.grad[0, [0, 2]].any()
    assert (iou.grad != 0).all()


def test_iou_by_hand():
    assert mask_iou(square(8, 0, 0, 4), square(8, 2, 2, 4)).item() == pytest.approx(4 / 28)
    nothing = torch.zeros(2, 3, 8, 8, dtype=torch.bool)
    assert mask_iou(nothing, nothing).tolist() == [[1.0] * 3] * 2
    assert mask_iou(nothing[0, 0], square(8, 0, 0, 4)[0]).item() == 0


def test_boundary_iou_equals_erosion():
    first, second = blobs(), blobs() ^ blobs(seed=1)
    width = round(0.02 * math.hypot(40, 40))
    for one, other, found in zip(first, second, boundary_iou(first, second), strict=True):
        seams = []
        for mask in (one, other):
            inner = ndimage.binary_erosion(mask.numpy(), torch.ones(3, 3).bool().numpy(), iterations=width)
            seams.append(mask & ~torch.from_numpy(inner))
        assert found.item() == pytest.approx(mask_iou(*seams).item())
    assert boundary_iou(first, first).tolist() == [1.0] * 4


def test_contour_f_equals_distances():
    first, second = blobs(), blobs(seed=1)
    radius = math.ceil(0.008 * math.hypot(40, 40))

    def contour(mask):
        """Pixels that differ from one of three neighbours, by slices."""
        found = torch.zeros_like(mask)
        found[:, :-1] |= mask[:, :-1] != mask[:, 1:]
        found[:-1] |= mask[:-1] != mask[1:]
        found[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
        return found

    for one, other, found in zip(first, second, contour_f(first, second), strict=True):
        ours, theirs = contour(one), contour(other)
        far = [torch.from_numpy(ndimage.distance_transform_edt((~edge).numpy())) for edge in (ours, theirs)]
        precision = (far[1][ours] <= radius).float().mean()
        recall = (far[0][theirs] <= radius).float().mean()
        assert found.item() == pytest.approx((2 * precision * recall / (precision + recall)).item(), rel=1e-5)
    nothing = torch.zeros_like(first)
    assert contour_f(nothing, first).tolist() == [0.0] * 4 and contour_f(nothing, nothing).tolist() == [1.0] * 4
    assert j_and_f(first, first).tolist() == [1.0] * 4
    torch.testing.assert_close(j_and_f(first, second), (mask_iou(first, second) + contour_f(first, second)) / 2)


def test_suppression_equals_torchvision():
    corners = 50 * torch.rand(200, 2, 2, generator=seeded())
    boxes = torch.cat([corners.amin(1), corners.amax(1)], dim=1)
    scores = torch.rand(200, generator=seeded(1))
    for threshold in (0.1, 0.4, 0.7):
        assert torch.equal(nms(boxes, scores, threshold), torchvision_nms(boxes, scores, threshold))
    assert nms(boxes[:0], scores[:0], 0.5).tolist() == []


def test_grids_crops_edges_and_stability():
    assert point_grid(2).tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    crops = crop_boxes((100, 200), 1, 0.5)
    assert crops[0] == ((0, 0, 200, 100), 0)
    assert [crop for crop, layer in crops if layer] == [
        (0, 0, 125, 75),
        (0, 25, 125, 100),
        (75, 0, 200, 75),
        (75, 25, 200, 100),
    ]
    boxes = torch.tensor([[0, 0, 40, 40], [0, 0, 110, 40], [30, 30, 90, 50]])
    assert near_edge(boxes, (0, 0, 125, 75), (100, 200), 20.0).tolist() == [False, True, False]
    logits = torch.tensor([[[2.0, 0.5], [-0.5, -2]], [[-2.0, -2], [-2, -2]]])
    stability = stability_score(logits)
    assert stability[0].item() == pytest.approx(1 / 3) and stability[1].isnan()


@torch.no_grad()
def test_masks_of_a_picture_come_out_best_first():
    sam = tiny_sam()
    image = F.interpolate(2 * torch.rand(1, 3, 4, 4, generator=seeded()) - 1, (24, 40), mode="bilinear")[0]
    config = AutomaticConfig(points_per_side=4, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=0.5)
    found = MaskGenerator(sam, config)(image)
    assert 0 < len(found) < 48 and found.masks.shape[1:] == (24, 40)
    assert (found.iou.diff() <= 0).all()
    assert torch.equal(found.boxes, mask_boxes(found.masks))


@torch.no_grad()
def test_contestants_say_the_same():
    images = torch.randn(1, 3, 32, 32, generator=seeded())
    points, labels = torch.tensor([[[5.0, 6]], [[20, 9]]]), torch.ones(2, 1, dtype=torch.long)
    said = [
        (embedding_of(model, images), masks_of(model, embedding_of(model, images), points, labels))
        for model in sam_contestants(tiny_sam()).values()
    ]
    assert len(said) == 3
    for other in said[1:]:
        torch.testing.assert_close(other, said[0], rtol=1e-4, atol=1e-4)
