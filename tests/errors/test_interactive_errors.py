"""What the interactives say when they are given something else than they expect."""

import sys

import numpy as np
import pytest
import torch

from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import make_betas
from minilib.interactive import Choice, Flipbook, HoverMaps, Orbit, PromptBars, Question, Quiz
from minilib.interactive.clicker import mask_clicker
from minilib.interactive.live import caption_search, noising_lab, view_lab
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.sam import Sam, SamConfig

FRAME = torch.zeros(3, 4, 4)
CHOICES = [Choice("yes", "so it is", correct=True), Choice("no", "it is not")]


@pytest.mark.parametrize(
    "tracks, labels, message",
    [
        ({}, ["0"], "at least one track of frames, got none"),
        ({"a": []}, [], "a label for each frame, got no labels"),
        ({"a": [FRAME]}, ["0", "1"], "expected 2 frames in track 'a', one a label, got 1"),
        ({"a": [FRAME], "b": []}, ["0"], "expected 1 frames in track 'b', one a label, got 0"),
        ({"a": [FRAME[0]]}, ["0"], r"track 'a', frame 0: .*\(3, height, width\) for floats, got \(4, 4\)"),
        ({"a": [FRAME[None]]}, ["0"], r"one image of shape \(3, height, width\) for floats, got \(1, 3, 4, 4\)"),
        ({"a": [FRAME.permute(1, 2, 0)]}, ["0"], r"for floats, got \(4, 4, 3\)"),
        ({"a": [FRAME.byte()]}, ["0"], r"\(height, width, 3\) for bytes, got \(3, 4, 4\)"),
        ({"a": [FRAME.int()]}, ["0"], "expected floats in .* or uint8 bytes, got torch.int32"),
        ({"a": [FRAME + 255]}, ["0"], r"frame 0: expected image values in \[-1, 1\], got 255 to 255.*clip=True"),
        ({"a": [FRAME, torch.zeros(3, 8, 4)]}, ["0", "1"], r"one size \(height, width\), got \[\(4, 4\), \(8, 4\)\]"),
        ({"a": [np.zeros((0, 4, 3), np.uint8)]}, ["0"], r"for bytes, got \(0, 4, 3\)"),
    ],
)
def test_flipbook_names_the_frames_it_cannot_show(tracks, labels, message):
    with pytest.raises(ValueError, match=message):
        Flipbook(tracks, labels, alt="frames")


def test_flipbook_refuses_what_is_not_an_image():
    with pytest.raises(TypeError, match="track 'a', frame 0: expected a tensor or an array, got str"):
        Flipbook({"a": ["picture.png"]}, ["0"], alt="frames")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"alt": " "}, "an alt text that says what the frames show"),
        ({"alt": "frames", "scale": 0}, "a scale of at least 1, got 0"),
        ({"alt": "frames", "readouts": {"b": ["1"]}}, "readouts for unknown track 'b'; the tracks are 'a'"),
        ({"alt": "frames", "readouts": {"a": []}}, "expected 1 readouts in track 'a', one a label, got 0"),
    ],
)
def test_flipbook_names_the_option_it_cannot_use(options, message):
    with pytest.raises(ValueError, match=message):
        Flipbook({"a": [FRAME]}, ["0"], **options)


@pytest.mark.parametrize(
    "choices, message",
    [
        (CHOICES[:1], "'Right\\?': expected at least two choices, got 1"),
        ([CHOICES[1], CHOICES[1]], "exactly one correct choice, got 0"),
        ([CHOICES[0], CHOICES[0]], "exactly one correct choice, got 2"),
        ([CHOICES[0], Choice("no", " ")], "choice 'no' does not say why"),
    ],
)
def test_question_says_what_is_missing(choices, message):
    with pytest.raises(ValueError, match=message):
        Question("Right?", choices)


def test_quiz_without_questions():
    with pytest.raises(ValueError, match="at least one question, got none"):
        Quiz([])


def test_noising_lab_without_ipywidgets_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ImportError, match=r"ipywidgets is needed .* pip install 'minilib\[live\]'"):
        noising_lab(FRAME, {"linear": GaussianDiffusion(make_betas("linear"))})


@pytest.mark.parametrize(
    "image, steps, scale, message",
    [
        (FRAME, [], 1, "one number of steps T, got no processes"),
        (FRAME, [10, 20], 1, r"one number of steps T, got \[10, 20\]"),
        (FRAME, [10], 0, "a scale of at least 1, got 0"),
        (FRAME[0], [10], 1, r"image: expected one image of shape \(3, height, width\)"),
        (FRAME + 2, [10], 1, r"image: expected image values in \[-1, 1\]"),
    ],
)
def test_noising_lab_names_what_it_cannot_use(image, steps, scale, message):
    processes = {str(number): GaussianDiffusion(make_betas("linear", number)) for number in steps}
    with pytest.raises(ValueError, match=message):
        noising_lab(image, processes, scale=scale)


MAPS = {"a": torch.ones(2, 3, 4, 4)}


@pytest.mark.parametrize(
    "image, maps, options, message",
    [
        (FRAME[0], MAPS, {}, r"image: expected one image of shape \(3, height, width\) for floats, got \(4, 4\)"),
        (FRAME, {}, {}, "one grid of places .*, got no panels"),
        (FRAME, {"a": torch.ones(2, 3, 4)}, {}, r"maps 'a': expected shape \(rows, .*, got \(2, 3, 4\)"),
        (FRAME, {"a": -torch.ones(2, 3, 4, 4)}, {}, "maps 'a': expected values that are not negative, got -1 to -1"),
        (FRAME, {"a": torch.full((2, 3, 4, 4), torch.nan)}, {}, "not negative, got nan to nan"),
        (FRAME, MAPS | {"b": torch.ones(3, 3, 4, 4)}, {}, r"got \[\(2, 3\), \(3, 3\)\]"),
        (FRAME, MAPS, {"start": (2, 0)}, r"expected a start in 2 rows and 3 columns, got \(2, 0\)"),
        (FRAME, MAPS, {"readouts": ["one"]}, "expected 6 readouts, one a place, got 1"),
        (FRAME, MAPS, {"alt": ""}, "an alt text that says what the picture and the maps show"),
        (FRAME, MAPS, {"across": 0}, "expected across of at least 1, got 0"),
    ],
)
def test_hovermaps_name_what_they_cannot_show(image, maps, options, message):
    with pytest.raises(ValueError, match=message):
        HoverMaps(image, maps, **{"alt": "maps", **options})


def test_hovermaps_refuse_what_are_no_maps():
    with pytest.raises(TypeError, match="maps 'a': expected a tensor or an array, got list"):
        HoverMaps(FRAME, {"a": [1]}, alt="maps")


RING = torch.zeros(2, 4, 3, 5, 5)


@pytest.mark.parametrize(
    "panels, options, message",
    [
        ({}, {}, "expected panels of one size, got no panels"),
        ({"a": RING[0]}, {}, r"panel 'a': expected views \(rings, cameras, 3, h, w\), got \(4, 3, 5, 5\)"),
        ({"a": RING + 2}, {}, r"panel 'a', ring 0, camera 0: expected image values in \[-1, 1\]"),
        ({"a": RING, "b": RING[:1]}, {}, "expected panels of one size, got"),
        ({"a": RING}, {"start": (2, 0)}, r"expected a start in 2 rings of 4 cameras, got \(2, 0\)"),
        ({"a": RING}, {"readouts": ["one"]}, "expected 8 readouts, one a camera, got 1"),
        ({"a": RING}, {"alt": " "}, "an alt text that says what the views show"),
        ({"a": RING}, {"scale": 0}, "expected scale of at least 1, got 0"),
    ],
)
def test_orbits_name_what_they_cannot_show(panels, options, message):
    with pytest.raises(ValueError, match=message):
        Orbit(panels, **{"alt": "a toy", **options})


def test_orbits_refuse_what_are_no_views():
    with pytest.raises(TypeError, match="panel 'a': expected a tensor or an array, got list"):
        Orbit({"a": [1]}, alt="a toy")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"images": []}, "expected pictures, and words for each place, got 0"),
        ({"cosines": torch.zeros(1, 3)}, r"cosines of shape \(1, 2\): pictures, thing; got \(1, 3\)"),
        ({"cosines": torch.tensor([[0.0, 1.5]])}, r"cosines in \[-1, 1\], got 0 to 1.5"),
        ({"cosines": torch.full((1, 2), torch.nan)}, r"cosines in \[-1, 1\], got nan to nan"),
        ({"start": (2,)}, r"a start below \(2,\), one number for each place, got \(2,\)"),
        ({"vary": "colour"}, "vary to be one of .'thing'., got 'colour'"),
        ({"alt": " "}, "alt texts that say what the pictures show"),
        ({"alts": []}, "an alt text for each of 1 pictures, got 0"),
        ({"scale": 0.0}, "scale > 0 and size >= 1, got 0.0 and 72"),
    ],
)
def test_promptbars_name_what_they_cannot_show(changes, message):
    options = {"images": [FRAME], "cosines": torch.zeros(1, 2), "words": {"thing": ["mug", "car"]}, "alts": ["A mug"]}
    with pytest.raises(ValueError, match=message):
        PromptBars(**{**options, "alt": "toys", "scale": 1.0, **changes})


@pytest.mark.parametrize(
    "features, options, message",
    [
        (torch.eye(3), {}, "one feature for each image, got 3 for 2 images"),
        (torch.eye(2), {"shown": 3}, r"shown in 1\.\.2 and scale >= 1, got 3 and 2"),
        (torch.eye(2), {"shown": 1, "scale": 0}, r"shown in 1\.\.2 and scale >= 1, got 1 and 0"),
    ],
)
def test_caption_search_names_what_it_cannot_search(features, options, message):
    with pytest.raises(ValueError, match=message):
        caption_search(torch.zeros(2, 3, 4, 4), features, lambda caption: torch.zeros(2), **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"scale": 0}, "a scale of at least 1, got 0"),
        ({"azimuths": (90, 90)}, r"azimuths from a lower to a higher angle, got \(90, 90\)"),
        ({"elevations": (50, 10)}, r"elevations from a lower to a higher angle, got \(50, 10\)"),
    ],
)
def test_view_lab_names_what_it_cannot_offer(options, message):
    with pytest.raises(ValueError, match=message):
        view_lab(lambda azimuth, elevation, seed: torch.zeros(3, 4, 4), **options)


@pytest.fixture(scope="module")
def sam():
    encoder = ImageEncoderConfig(
        image_size=32, patch_size=8, width=12, depth=1, num_heads=2, hidden=16, window_size=2, global_blocks=(0,),
        out_channels=16,
    )  # fmt: skip
    return Sam(SamConfig(encoder=encoder, decoder=MaskDecoderConfig(depth=1, num_heads=2, hidden=16, iou_hidden=8)))


PHOTO = torch.zeros(3, 32, 32)


@pytest.mark.parametrize("missing", ["anywidget", "ipywidgets"])
def test_mask_clicker_without_its_extra_names_it(sam, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"{missing} is needed .* pip install 'minilib\[live\]'"):
        mask_clicker(sam, PHOTO)


@pytest.mark.parametrize(
    "image, scale, error, message",
    [
        (FRAME, 3, ValueError, r"an image of shape \(3, 32, 32\), got \(3, 4, 4\).*fit_photograph"),
        (PHOTO[None], 3, ValueError, r"an image of shape \(3, 32, 32\), got \(1, 3, 32, 32\)"),
        (PHOTO[:1], 3, ValueError, r"got \(1, 32, 32\)"),
        (PHOTO + 2, 3, ValueError, r"image: expected image values in \[-1, 1\], got 2 to 2"),
        (PHOTO * torch.nan, 3, ValueError, "got NaN values"),
        (PHOTO.byte(), 3, TypeError, r"a floating-point image in \[-1, 1\], got torch.uint8"),
        (PHOTO.numpy(), 3, TypeError, r"a floating-point image in \[-1, 1\], got ndarray"),
        (PHOTO, 0, ValueError, "a scale of at least 1, got 0"),
    ],
)
def test_mask_clicker_names_what_it_cannot_show_before_it_encodes(sam, monkeypatch, image, scale, error, message):
    monkeypatch.setattr(Sam, "encode_image", lambda *_: pytest.fail("encoded"))
    with pytest.raises(error, match=message):
        mask_clicker(sam, image, scale=scale)
