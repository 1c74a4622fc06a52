"""The picture to click on: its traits are set as a browser would set them, and a tiny random SAM answers."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from traitlets import TraitError

from minilib.interactive.clicker import FILL, OUTLINE, _overlay, mask_clicker
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.sam import Sam, SamConfig, resize_logits

SMALL = SamConfig(
    encoder=ImageEncoderConfig(
        image_size=128, patch_size=32, width=12, depth=1, num_heads=2, hidden=16, window_size=2, global_blocks=(0,),
        out_channels=16,
    ),
    decoder=MaskDecoderConfig(depth=1, num_heads=2, hidden=16, iou_hidden=8),
)  # fmt: skip

ONE = [(40.0, 50.0, 1)]
TWO = [*ONE, (90.0, 20.0, 0)]


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return Sam(SMALL).eval()


@pytest.fixture
def image():
    return torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture
def box(sam, image):
    return mask_clicker(sam, image, scale=2)


def shown(box) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(box.picture.picture)))


def expected(sam, image, **prompts):
    """Masks and predicted IoUs, asked for without the widget."""
    with torch.no_grad():
        logits, ious = sam(image[None], **prompts)
    return resize_logits(logits, 128)[0] > 0, ious[0]


def pixels(image) -> np.ndarray:
    return ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def test_before_a_prompt_the_picture_is_shown_as_it_is(box, image):
    assert (shown(box) == pixels(image).repeat(2, axis=0).repeat(2, axis=1)).all()
    assert not box.thumbnails.children and box.choice.value is None and box.choice.layout.display == "none"
    assert box.readout.value.startswith("No prompt yet")


def test_one_click_gives_three_masks_and_the_best_is_drawn(box, sam, image):
    box.picture.points = ONE
    masks, ious = expected(sam, image, points=torch.tensor([[[40.0, 50.0]]]), labels=torch.tensor([[1]]))
    best = int(ious.argmax())
    assert len(box.thumbnails.children) == 3 and box.choice.value == best
    assert [label for label, _ in box.choice.options] == [f"IoU {value:.2f}" for value in ious.tolist()]
    assert (shown(box) == _overlay(pixels(image), masks[best], scale=2)).all()
    borders = [child.layout.border_top for child in box.thumbnails.children]
    assert ["transparent" not in border for border in borders] == [number == best for number in range(3)]
    assert box.readout.value.startswith(f"1 point: mask {best + 1} of 3, predicted IoU {ious[best]:.2f}, ")


def test_another_mask_is_picked_without_asking_again(box, sam, image, monkeypatch):
    box.picture.points = ONE
    masks, _ = expected(sam, image, points=torch.tensor([[[40.0, 50.0]]]), labels=torch.tensor([[1]]))
    monkeypatch.setattr(Sam, "predict", None)
    for number in range(3):
        box.choice.value = number
        assert (shown(box) == _overlay(pixels(image), masks[number], scale=2)).all()
        assert f"mask {number + 1} of 3" in box.readout.value
        assert "transparent" not in box.thumbnails.children[number].layout.border_top


def test_a_second_click_leaves_one_mask(box, sam, image):
    box.picture.points = ONE
    box.choice.value = 2
    box.picture.points = TWO
    points, labels = torch.tensor([[[40.0, 50.0], [90.0, 20.0]]]), torch.tensor([[1, 0]])
    masks, _ = expected(sam, image, points=points, labels=labels, multimask=False)
    assert len(box.thumbnails.children) == 1 and box.choice.value == 0
    assert (shown(box) == _overlay(pixels(image), masks[0], scale=2)).all()
    assert box.readout.value.startswith("2 points: one mask, predicted IoU ")


def test_removing_points_goes_back(box):
    empty = box.picture.picture
    box.picture.points = ONE
    one = box.picture.picture
    box.picture.points = TWO
    box.picture.points = ONE
    assert box.picture.picture == one and len(box.thumbnails.children) == 3
    box.picture.points = []
    assert box.picture.picture == empty and not box.thumbnails.children


def test_a_box_alone_or_with_a_point_gives_one_mask(box, sam, image):
    box.picture.box = [10, 20, 60, 70]
    boxes = torch.tensor([[10.0, 20.0, 60.0, 70.0]])
    masks, _ = expected(sam, image, boxes=boxes, multimask=False)
    assert len(box.thumbnails.children) == 1
    assert (shown(box) == _overlay(pixels(image), masks[0], scale=2)).all()
    assert box.readout.value.startswith("a box: one mask")
    box.picture.points = ONE
    assert len(box.thumbnails.children) == 1 and box.readout.value.startswith("1 point and a box: one mask")


def test_buttons_clear_points_and_box(box):
    box.picture.points, box.picture.box = TWO, [10, 20, 60, 70]
    box.clear_points.click()
    assert box.picture.points == [] and box.readout.value.startswith("a box: one mask")
    box.clear_box.click()
    assert box.picture.box == [] and box.readout.value.startswith("No prompt yet")


def test_the_toggle_says_what_a_click_is(box):
    assert box.picture.label == 1
    box.label.value = 0
    assert box.picture.label == 0


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("points", [*ONE, (500, 3, 1)], "0 &lt;= x, y &lt; image_size = 128, got (500, 3)"),
        ("points", [(float("nan"), 3, 1)], "got (nan, 3)"),
        ("box", [10, 20, 200, 30], "got (10, 20, 200, 30)"),
        ("box", [60, 20, 10, 30], "got (60, 20, 10, 30)"),
        ("box", [1, 2, 3], "expected boxes of shape (1, 4), got (1, 3)"),
    ],
)
def test_prompts_outside_the_picture_are_told_and_nothing_is_lost(box, trait, value, message):
    box.picture.points, box.picture.box = TWO, [10, 20, 60, 70]
    before = box.picture.picture
    setattr(box.picture, trait, value)
    assert message in box.readout.value
    assert (box.picture.points, box.picture.box) == (TWO, [10, 20, 60, 70])
    assert box.picture.picture == before and len(box.thumbnails.children) == 1
    box.picture.points = ONE
    assert box.readout.value.startswith("1 point and a box")


@pytest.mark.parametrize("points", [[(1, 2)], [(1, 2, 3)], [("x", 2, 1)]])
def test_what_is_no_list_of_points_is_refused_at_once(box, points):
    with pytest.raises(TraitError, match="points"):
        box.picture.points = points
    assert box.picture.points == []


def test_the_image_is_encoded_once_whatever_is_asked(sam, image, monkeypatch):
    calls = []
    encode = Sam.encode_image

    def watch(self, images):
        calls.append(encode(self, images))
        return calls[-1]

    monkeypatch.setattr(Sam, "encode_image", watch)
    box = mask_clicker(sam, image)
    box.picture.points, box.picture.box = TWO, [10, 20, 60, 70]
    box.choice.value = 0
    box.clear_points.click()
    assert len(calls) == 1 and not calls[0].requires_grad


def test_a_mask_is_tinted_inside_and_outlined():
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[2:7, 2:7] = True
    drawn = _overlay(np.zeros((8, 8, 3), np.uint8), mask)
    assert (drawn[~mask.numpy()] == 0).all() and (drawn[2, 2:7] == OUTLINE).all()
    assert (drawn[4, 4] == np.rint(0.45 * np.array(FILL))).all()
