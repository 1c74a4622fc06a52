"""What the card of `vit-toybox` rests on: placing toys, scoring maps, shuffling positions."""

import pytest
import torch

from minilib.attention.vit import ViT, ViTConfig
from minilib.evaluate.vit import iou_at_true_size, maps_of, pointing, with_shuffled_positions
from minilib.recipes.vit_toybox import draw_placement, place

TINY = ViTConfig(image_size=16, patch_size=4, width=12, depth=2, num_heads=3, hidden=20, num_classes=4)


def dot(row, column):
    """A black pixel on white, eight by eight, and where it is."""
    rgb, alpha = torch.ones(1, 3, 8, 8), torch.zeros(1, 8, 8)
    rgb[..., row, column], alpha[..., row, column] = -1.0, 1.0
    return rgb, alpha


@pytest.mark.parametrize(
    ("shift", "mirrored", "expected"),
    [((0.0, 0.0), False, (4, 6)), ((0.25, 0.5), False, (6, 7)), ((0.0, 0.0), True, (4, 1)), ((0.5, 0.0), True, (4, 3))],
)
def test_toys_go_where_they_are_put(shift, mirrored, expected):
    background = torch.tensor([[0.2, 0.4, 0.6]])
    new, where = place(*dot(4, 6), torch.ones(1), torch.tensor([shift]), torch.tensor([mirrored]), background)
    assert where[0].argmax() == 8 * expected[0] + expected[1]
    assert new[0, :, expected[0], expected[1]].tolist() == pytest.approx([-1.0] * 3)
    assert new[0, :, 0, 0].tolist() == pytest.approx([0.2, 0.4, 0.6])


def test_smaller_toys_cover_less_and_white_becomes_background():
    rgb, alpha = torch.full((1, 3, 16, 16), -0.5), torch.ones(1, 16, 16)
    still = torch.zeros(1, 2), torch.tensor([False]), torch.tensor([[0.1, 0.1, 0.1]])
    new, where = place(rgb, alpha, torch.tensor([0.5]), *still)
    assert where.sum().item() == pytest.approx(64, rel=0.01)
    assert new[0, :, 8, 8].tolist() == pytest.approx([-0.5] * 3) and new[0, 0, 0, 0] == pytest.approx(0.1)


def test_placements_are_in_range():
    drawn = draw_placement(500, torch.Generator().manual_seed(0))
    assert drawn["zoom"].min() >= 0.75 and drawn["zoom"].max() <= 1.05
    assert (drawn["shift"].abs().amax(1) <= (1 - drawn["zoom"]).clamp(min=0) + 0.05 + 1e-6).all()
    assert drawn["background"].min() >= 0.4 and drawn["background"].max() <= 1.0


def test_scores_of_maps_by_hand():
    masks = torch.zeros(3, 4, 4, dtype=torch.bool)
    masks[:, :2, :2] = True
    maps = torch.rand(3, 4, 4) * 0.1
    maps[0, :2, :2] += 1.0
    maps[1, 2:, 2:] += 1.0
    maps[2, :2, 1:3] += torch.tensor([[1.0, 2.0], [1.0, 1.0]])
    assert pointing(maps, masks).tolist() == [1.0, 0.0, 0.0]
    assert iou_at_true_size(maps, masks).tolist() == pytest.approx([1.0, 0.0, 2 / 6])


def test_shuffled_positions_are_the_same_ones_elsewhere():
    model = ViT(TINY)
    mixed = with_shuffled_positions(model, seed=1)
    assert torch.equal(mixed.positions[0], model.positions[0])
    assert not torch.equal(mixed.positions, model.positions)
    assert torch.equal(mixed.positions[1:].sort(0).values, model.positions[1:].sort(0).values)


def test_maps_have_the_size_of_the_picture_and_leave_the_model_alone():
    torch.manual_seed(0)
    model = ViT(TINY).eval().requires_grad_(False)
    model.head.weight.normal_()
    found = maps_of(model, torch.randn(2, 3, 16, 16), torch.tensor([0, 3]))
    assert list(found) == ["last", "rollout", "relevance", "centre"]
    assert all(values.shape == (2, 16, 16) and not values.requires_grad for values in found.values())
    assert all(block.attention.heads.fused for block in model.blocks)
