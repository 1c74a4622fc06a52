"""Bad input to SAM 2 gets one clear line. Run without shape checks, as users do."""

from dataclasses import replace

import pytest
import torch

from minilib.attention.positions import axial_angles
from minilib.interop.sam2 import SETTINGS, sam2_from_transformers
from minilib.segmentation.frames import Prompt
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.memory import MemoryConfig, VideoMemory
from minilib.segmentation.memory_attention import MemoryAttention, grid_waves
from minilib.segmentation.memory_bank import MemoryBank
from minilib.segmentation.memory_encoder import MaskDownsampler, MemoryEncoder
from minilib.segmentation.sam2 import Sam2, Sam2Config
from minilib.segmentation.video import VideoSegmenter

shape = {"image_size": 32, "patch_size": 4, "width": 24, "depth": 1, "num_heads": 2, "hidden": 32}
encoder = ImageEncoderConfig(**shape, window_size=4, global_blocks=(), out_channels=16)
memory = MemoryConfig(channels=8, depth=1, hidden=32, fuser_depth=1, fuser_hidden=32)
decoder = MaskDecoderConfig(num_heads=2, hidden=32)
sam2 = Sam2(Sam2Config(encoder=encoder, decoder=decoder, mask_channels=4, memory=memory)).eval()
frames = torch.zeros(3, 3, 32, 32)
one = torch.tensor([[1]])
click = Prompt(torch.tensor([[[3.0, 4]]]), one)
mask = torch.zeros(32, 32, dtype=torch.bool)
mask[2:5, 2:5] = True
attention = MemoryAttention(width=16, channels=8, depth=1, num_heads=1, hidden=16)
tokens = torch.zeros(1, 4, 16)
memory_encoder = MemoryEncoder(width=16, channels=8, stride=4, depth=1, hidden=8, layer_scale=0.1)


def opened(some=frames, **options):
    segmenter = VideoSegmenter(sam2, **options)
    segmenter.start(some)
    return segmenter


def clicked():
    segmenter = opened()
    segmenter.add_click(0, 3, 4)
    return segmenter


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: opened(frames[:0]), "a video of at least one frame, got none"),
        (lambda: opened([]), "a video of at least one frame, got none"),
        (
            lambda: opened([frames[0], frames[0], frames[0, :, :16]]),
            r"of one size, got frame 0 of \(3, 32, 32\) and frame 2 of \(3, 16, 32\)",
        ),
        (lambda: opened(frames[..., :16]), r"images \('b', 3, 32, 32\), got \(3, 3, 32, 16\)"),
        (lambda: opened(frames[0]), r"images \('b', 3, 32, 32\), got \(3, 32, 32\)"),
        (lambda: opened(frames.movedim(1, -1)), r"images \('b', 3, 32, 32\), got \(3, 32, 32, 3\)"),
        (lambda: opened(frames + 200), r"image values in \[-1, 1\], got 200 to 200"),
        (lambda: opened(num_memories=8), r"num_memories in 0\.\.7, got 8"),
        (lambda: opened(num_memories=-1), r"num_memories in 0\.\.7, got -1"),
        (lambda: VideoSegmenter(sam2).propagate(), r"expected a video, got none: call start\(frames\) first"),
        (lambda: VideoSegmenter(sam2).add_click(0, 1, 1), r"expected a video, got none: call start\(frames\) first"),
        (lambda: opened().propagate(), "a click, a box or a mask before propagate, got none"),
        (lambda: opened().propagate(1, reverse=True), "a click, a box or a mask before propagate, got none"),
        (lambda: clicked().propagate(3), r"a frame in 0\.\.2, got 3"),
        (lambda: opened().add_click(3, 1, 1), r"a frame in 0\.\.2, got 3"),
        (lambda: opened().add_click(-1, 1, 1), r"a frame in 0\.\.2, got -1"),
        (lambda: opened().add_mask(7, mask), r"a frame in 0\.\.2, got 7"),
        (lambda: opened().add_box(7, 1, 1, 2, 2), r"a frame in 0\.\.2, got 7"),
        (lambda: opened().add_click(0, 32, 1), r"0 <= x < 32 and 0 <= y < 32, got \(32, 1\)"),
        (lambda: opened().add_click(0, 3, -0.5), r"0 <= x < 32 and 0 <= y < 32, got \(3, -0\.5\)"),
        (lambda: opened().add_click(0, float("nan"), 1), r"got \(nan, 1\)"),
        (lambda: opened().add_click(0, 1, 1, label=2), r"the label 1 \(inside\) or 0 \(outside\), got 2"),
        (lambda: opened().add_click(0, 1, 1, label="1"), r"the label 1 \(inside\) or 0 \(outside\), got '1'"),
        (lambda: opened().add_box(0, 1, 1, 40, 2), r"0 <= x < 32 and 0 <= y < 32, got \(40, 2\)"),
        (lambda: opened().add_box(0, 5, 1, 4, 2), r"x1 <= x2 and y1 <= y2, got \(5, 1, 4, 2\)"),
        (lambda: opened().add_mask(0, mask[:16]), r"a mask of shape \(32, 32\), got \(16, 32\)"),
        (lambda: opened().add_mask(0, mask & False), "at least one pixel, got an empty one"),
        (lambda: sam2(frames, {0: click}), r"videos \(b, t, c, h, w\) of at least one frame, got \(3, 3, 32, 32\)"),
        (lambda: sam2(frames[None, :0], {0: click}), r"at least one frame, got \(1, 0, 3, 32, 32\)"),
        (lambda: sam2(frames[None], {}), "a prompt on at least one frame, got none"),
        (lambda: sam2(frames[None], {3: click}), r"a frame in 0\.\.2, got 3"),
        (lambda: sam2(frames[None], {0: Prompt()}), "got none"),
        (lambda: sam2(frames[None], {0: Prompt(click.points)}), "points and labels together, got points only"),
        (lambda: sam2(frames[None], {0: Prompt(*click[:2], mask[None])}), "labels or a mask on a frame, got both"),
        (lambda: sam2(frames[None], {0: Prompt(mask=mask)}), r"a mask of shape \(1, 32, 32\), got \(32, 32\)"),
        (lambda: sam2(frames[None].repeat(2, 1, 1, 1, 1), {0: click}), "points for each of 2 videos, got 1"),
        (lambda: sam2(frames[None], {0: click._replace(labels=5 * one)}), r"labels in \(-1, 0, 1, 2, 3\), got 5"),
        (lambda: sam2(frames[None] + 2, {0: click}), r"image values in \[-1, 1\], got 2 to 2"),
        (lambda: sam2(frames[None], {0: click}, num_memories=9), r"num_memories in 0\.\.7, got 9"),
        (lambda: MemoryBank(num_memories=-1, max_pointers=3), "num_memories >= 0 .* got -1 and 3"),
        (lambda: MemoryConfig(num_memories=0), "num_memories >= 1, got 0"),
        (lambda: MemoryConfig(channels=0), "channels >= 1, got 0"),
        (lambda: VideoMemory(memory, width=20, stride=4), "divide the width of the image embedding, got 8 and 20"),
        (lambda: MaskDownsampler(8, 12), "a power of 2 pixels, got 12"),
        (lambda: Sam2Config(encoder=replace(encoder, patch_size=2)), "4 pixels or a higher power of 2, got 2"),
        (
            lambda: memory_encoder(torch.zeros(1, 16, 8, 8), torch.zeros(1, 16, 16)),
            r"masks of shape \(1, 32, 32\), got \(1, 16, 16\)",
        ),
        (lambda: attention(tokens[:, :3], tokens[..., :8], tokens[0, :, :8]), "got 3 tokens and 4 of memories"),
        (
            lambda: attention(tokens, tokens[..., :8], tokens[0, :, :8], num_pointers=1),
            "got 4 tokens and 4 of memories, of which 1 are pointers",
        ),
        (lambda: MemoryAttention(width=18, channels=8, depth=1, num_heads=1, hidden=8), "divisible by 4, .* got 18"),
        (lambda: axial_angles(2, 6), "a width divisible by 4, .* got 6"),
        (lambda: grid_waves(2, 6), "channels divisible by 4, .* got 6"),
        (lambda: sam2_from_transformers({"model_type": "sam"}, {}, encoder=encoder), "type sam2_video, got 'sam'"),
    ],
)
def test_value_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: opened(frames.to(torch.uint8)), "got torch.uint8; from_uint8 converts bytes"),
        (lambda: opened([frames[0].numpy()]), "frames that are tensors, got frame 0 of type ndarray"),
        (lambda: opened().add_mask(0, mask.float()), "a mask that is a bool tensor, got torch.float32"),
        (lambda: opened().add_mask(0, mask.numpy()), "a mask that is a bool tensor, got ndarray"),
        (lambda: opened().add_click(0.5, 1, 1), r"the number of a frame, got 0\.5"),
        (lambda: sam2(frames[None].to(torch.uint8), {0: click}), "got torch.uint8; from_uint8 converts bytes"),
        (lambda: sam2(frames[None], {0: Prompt(mask=mask[None].float())}), "bool tensor, got torch.float32"),
        (lambda: sam2(frames[None], {0: click._replace(labels=one.float())}), "integer labels, got torch.float32"),
    ],
)
def test_type_errors(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_a_refused_prompt_changes_nothing():
    segmenter = clicked()
    before = [answer.logits for answer in segmenter.propagate()]
    for wrong in (lambda: segmenter.add_click(1, 99, 1), lambda: segmenter.add_box(0, 9, 9, 1, 1)):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(ValueError, match="of one size"):
        segmenter.start([frames[0], frames[0, :, :16]])
    assert all(torch.equal(one.logits, other) for one, other in zip(segmenter.propagate(), before, strict=True))


@pytest.mark.parametrize(
    ("part", "name", "value"), [(part, name, "other") for part in SETTINGS for name in SETTINGS[part]]
)
def test_settings_that_ours_does_not_have(part, name, value):
    config = {"model_type": "sam2_video"} | SETTINGS[""]
    config |= {section: dict(SETTINGS[section]) for section in SETTINGS if section}
    (config[part] if part else config)[name] = value
    with pytest.raises(ValueError, match=rf"expected {name} = .*got 'other'"):
        sam2_from_transformers(config, {}, encoder=encoder)
