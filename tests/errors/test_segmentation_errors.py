"""Bad input to Segment Anything gets one clear line. Run without shape checks, as users do."""

import pytest
import torch

from minilib.attention.recorder import use_fused
from minilib.evaluate.sam2 import Films
from minilib.interop.sam import load_sam, sam_from_transformers, sam_to_transformers
from minilib.interop.segment_anything import sam_from_segment_anything
from minilib.recipes.sam2_toybox import EncodedClips
from minilib.recipes.sam_toybox import SamToybox
from minilib.segmentation.automatic import AutomaticConfig, MaskGenerator
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.losses import dice_loss, focal_loss, sam_loss
from minilib.segmentation.mask_decoder import MaskDecoder, MaskDecoderConfig
from minilib.segmentation.metrics import boundary_iou, contour_f, mask_iou
from minilib.segmentation.prompt_encoder import PromptEncoder
from minilib.segmentation.prompts import centre_click, corrective_click, first_click, jittered_boxes, mask_prompt
from minilib.segmentation.sam import Sam, SamConfig, resize_logits
from minilib.segmentation.window_attention import GridAttention, RelativeHeads

shape = {"image_size": 32, "patch_size": 4, "width": 24, "depth": 2, "num_heads": 2, "hidden": 32}
encoder = ImageEncoderConfig(**shape, window_size=4, global_blocks=(1,), out_channels=16)
sam = Sam(SamConfig(encoder=encoder, decoder=MaskDecoderConfig(num_heads=2, hidden=32), mask_channels=4)).eval()
embedding = torch.zeros(1, 16, 8, 8)
image = torch.zeros(1, 3, 32, 32)
generator = torch.Generator().manual_seed(0)
mask = torch.zeros(2, 8, 8, dtype=torch.bool)
mask[:, 2:4, 2:4] = True
empty = mask & torch.tensor([True, False])[:, None, None]
logits = torch.zeros(2, 3, 8, 8)
attention, heads = GridAttention(8, 2, grid=4), RelativeHeads(2, 4, 2)
config = sam_to_transformers(sam).config.to_dict()


def points(*places):
    return torch.tensor([places])


def predict(*prompts, **others):
    return sam.predict(embedding, *prompts, **others)


one = torch.tensor([[1]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: predict(), "expected a prompt: points with labels, boxes or masks; got none"),
        (lambda: predict(points((1.0, 2.0))), "points and labels together, got points only"),
        (lambda: predict(labels=one), "points and labels together, got labels only"),
        (lambda: predict(points((32.0, 2.0)), one), r"0 <= x, y < image_size = 32, got \(32, 2\)"),
        (lambda: predict(points((3.0, -1.0)), one), r"0 <= x, y < image_size = 32, got \(3, -1\)"),
        (lambda: predict(points((3.0, torch.nan)), one), r"got \(3, nan\)"),
        (lambda: predict(points((3.0, 1.0)), 4 * one), r"labels in \(-1, 0, 1, 2, 3\), got 4"),
        (lambda: predict(points((3.0, 1.0)), -2 * one), r"labels in \(-1, 0, 1, 2, 3\), got -2"),
        (lambda: predict(points((3.0, 1.0)), one[0]), r"labels of shape \(1, 1\), got \(1,\)"),
        (lambda: predict(torch.zeros(1, 2), one), r"points of shape \(1, 2, 2\), got \(1, 2\)"),
        (lambda: predict(torch.zeros(1, 0, 2), one[:, :0]), "at least one prompt with at least one point"),
        (lambda: predict(torch.zeros(0, 1, 2), one[:0]), "at least one prompt with at least one point"),
        (lambda: predict(boxes=torch.tensor([[5.0, 2, 4, 9]])), r"0 <= x1 <= x2 <= 32 .* got \(5, 2, 4, 9\)"),
        (lambda: predict(boxes=torch.tensor([[1.0, 9, 4, 2]])), r"0 <= y1 <= y2 <= 32, got \(1, 9, 4, 2\)"),
        (lambda: predict(boxes=torch.tensor([[1.0, 9, 40, 12]])), r"got \(1, 9, 40, 12\)"),
        (lambda: predict(boxes=torch.zeros(4)), r"boxes of shape \(4, 4\), got \(4,\)"),
        (lambda: predict(points((3.0, 1.0)), one, boxes=torch.zeros(2, 4)), r"boxes of shape \(1, 4\), got \(2, 4\)"),
        (lambda: predict(masks=torch.zeros(1, 16, 16)), r"masks of shape \(1, 32, 32\), got \(1, 16, 16\)"),
        (lambda: sam.predict(embedding.repeat(2, 1, 1, 1), points((3.0, 1.0)), one), "each of 2 pictures, got 1"),
        (lambda: sam.encode_image(image[..., :16]), r"images \('b', 3, 32, 32\), got \(1, 3, 32, 16\)"),
        (lambda: sam.encode_image(image[:, :1]), r"images \('b', 3, 32, 32\), got \(1, 1, 32, 32\)"),
        (lambda: sam.encode_image(image[0]), r"images \('b', 3, 32, 32\), got \(3, 32, 32\)"),
        (lambda: sam.encode_image(image + 100), r"image values in \[-1, 1\], got 100 to 100"),
        (lambda: sam.encode_image(image * torch.nan), r"image values in \[-1, 1\], got nan to nan"),
        (lambda: sam.fit_photograph(image), r"a picture \(c, h, w\), got \(1, 3, 32, 32\)"),
        (lambda: sam.fit_photograph(image[0] + 2), r"image values in \[-1, 1\], got 2 to 2"),
        (lambda: resize_logits(logits, 0), "sizes >= 1, got 0 and None"),
        (lambda: MaskGenerator(sam)(image), r"a picture \(c, h, w\), got \(1, 3, 32, 32\)"),
        (lambda: ImageEncoderConfig(image_size=100), "patches of 16 and an image of 100 pixels"),
        (lambda: ImageEncoderConfig(num_heads=7), "got 7 heads and width 768"),
        (lambda: ImageEncoderConfig(window_size=0), "window_size >= 1, got 12 and 0"),
        (lambda: ImageEncoderConfig(depth=4), r"global_blocks in 0\.\.3, got \(2, 5, 8, 11\)"),
        (lambda: MaskDecoderConfig(num_masks=0), "num_masks >= 1, got 2 and 0"),
        (lambda: MaskDecoder(MaskDecoderConfig(), width=20), "a width divisible by 8, got 20"),
        (lambda: MaskDecoder(MaskDecoderConfig(), width=24), "got 8 heads and width 12"),
        (lambda: PromptEncoder(width=7, grid=2, image_size=8), "an even width .* got 7 and 16"),
        (lambda: PromptEncoder(width=8, grid=2, image_size=8, mask_channels=6), "got 8 and 6"),
        (lambda: SamConfig(image_mean=(0.5,)), "for each of 3 channels"),
        (lambda: attention(torch.zeros(1, 16, 8), first=1), "neither mask, angles nor first"),
        (lambda: heads(*torch.zeros(3, 1, 4, 8), mask=mask), "neither mask nor rotation"),
        (lambda: first_click(empty, generator), "at least one pixel, got target 1 empty"),
        (lambda: first_click(mask[0], generator), r"masks \(p, h, w\), got a target of shape \(8, 8\)"),
        (lambda: corrective_click(mask[:1], mask, generator), r"a prediction of shape \(2, 8, 8\), got \(1, 8, 8\)"),
        (lambda: centre_click(mask, empty), "got target 1 empty"),
        (lambda: jittered_boxes(mask, generator, std=-1), "std >= 0 and most >= 0, got -1"),
        (lambda: mask_prompt(mask, 0), "mask_size >= 1 and strength > 0, got 0"),
        (lambda: focal_loss(logits, mask[:1]), r"got \(2, 3, 8, 8\) and \(1, 8, 8\)"),
        (lambda: sam_loss(logits, torch.zeros(2, 2), mask), r"IoUs of shape \(2, 3\), got \(2, 2\)"),
        (lambda: mask_iou(mask, mask[:, :4]), r"of one shape, got \(2, 8, 8\) and \(2, 4, 8\)"),
        (lambda: boundary_iou(mask, mask, dilation_ratio=0), "dilation_ratio > 0, got 0"),
        (lambda: contour_f(mask, mask, tolerance=0), "tolerance > 0, got 0"),
        (lambda: AutomaticConfig(points_per_side=0), "points_per_side >= 1, got 0"),
        (lambda: AutomaticConfig(crop_n_layers=-1), "crop_n_layers >= 0 .* got -1 layers"),
        (
            lambda: AutomaticConfig(points_per_side=4, crop_n_layers=3, crop_n_points_downscale_factor=2),
            "a point in each crop, got 3 layers of 4 points a side, divided by 2",
        ),
        (lambda: AutomaticConfig(crop_overlap_ratio=1.0), r"crop_overlap_ratio in \[0, 1\), got 1\.0"),
        (lambda: sam_from_transformers({"model_type": "sam2"}, {}), "type sam, got 'sam2'"),
        (
            lambda: sam_from_segment_anything({"image_encoder.pos_embed": image}),
            r"the state dict has no image_encoder\.patch_embed\.proj\.weight",
        ),
        (lambda: sam_from_segment_anything({"trunk.pos_embed": image}), "segment_anything's Sam, got trunk.pos_embed"),
    ],
)
def test_value_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: predict(torch.tensor([[[3, 1]]]), one), "floating-point points, got torch.int64"),
        (lambda: predict(points((3.0, 1.0)), one.float()), "integer labels, got torch.float32"),
        (lambda: predict(points((3.0, 1.0)), one.bool()), "integer labels, got torch.bool"),
        (lambda: predict(boxes=torch.tensor([[1, 2, 3, 4]])), "floating-point boxes, got torch.int64"),
        (lambda: predict(masks=torch.ones(1, 32, 32, dtype=torch.bool)), "floating-point masks, got torch.bool"),
        (lambda: sam.encode_image(image.to(torch.uint8)), "got torch.uint8; from_uint8 converts bytes"),
        (lambda: first_click(mask.float(), generator), "bool masks, got a target of torch.float32"),
        (lambda: corrective_click(mask.float(), mask, generator), "bool masks, got a prediction of torch.float32"),
        (lambda: dice_loss(logits, mask.float()), "a bool target, got torch.float32"),
        (lambda: mask_iou(mask, mask.int()), "bool masks, got torch.bool and torch.int32"),
    ],
)
def test_type_errors(call, words):
    with pytest.raises(TypeError, match=words):
        call()


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("vision_config", "use_rel_pos", False),
        ("vision_config", "hidden_act", "relu"),
        ("prompt_encoder_config", "num_point_embeddings", 5),
        ("mask_decoder_config", "iou_head_depth", 4),
    ],
)
def test_settings_that_ours_does_not_have(part, name, value):
    other = config | {part: config[part] | {name: value}}
    with pytest.raises(ValueError, match=rf"expected {name} = .* in {part}, got {value!r}"):
        sam_from_transformers(other, {})


def test_missing_weights_are_listed():
    state = sam_to_transformers(sam).state_dict()
    del state["vision_encoder.neck.conv1.weight"]
    with pytest.raises(ValueError, match=r"does not fit Sam: 1 missing: image_encoder\.neck\.0\.weight"):
        sam_from_transformers(config, state)
    del state["prompt_encoder.no_mask_embed.weight"]
    with pytest.raises(ValueError, match="2 missing"):
        sam_from_transformers(config, state)


def test_fused_attention_records_nothing():
    layer = sam.image_encoder.blocks[0].attention.heads
    layer.record = []
    try:
        with pytest.raises(ValueError, match=r"call use_fused\(model, False\) first"):
            sam.encode_image(image)
        use_fused(sam, False)
        sam.encode_image(image)
        assert len(layer.record) == 1
    finally:
        use_fused(sam, True)
        layer.record = None


def test_no_such_model():
    with pytest.raises(OSError, match="is no folder here, and the hub does not give it"):
        load_sam("./no-such-folder")


@pytest.mark.parametrize(("settings", "got"), [({"max_clicks": 1}, "2 and 1"), ({"prompts_per_scene": 0}, "0 and 5")])
def test_recipes_that_ask_nothing(settings, got):
    with pytest.raises(ValueError, match=f"expected prompts_per_scene >= 1 and max_clicks >= 2, got {got}"):
        SamToybox(**settings)


def test_clips_without_another_one_to_cut_to():
    with pytest.raises(ValueError, match="expected at least two clips, to cut from one to another, got 1"):
        EncodedClips([None], sam)
    film = Films(torch.zeros(1, 8, 3, 4, 4), torch.zeros(1, 8, 2, 1, 1), *torch.zeros(2, 1, 8, 4, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="expected at least two films, to cut from one to another, got one"):
        film.cut()
