"""SAM equals Meta's segment_anything and transformers: random weights and ours, float32, 1e-4."""

import re
from dataclasses import fields

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor, sam_model_registry

from minilib.evaluate.sam import AUTOMATIC, tables
from minilib.images import from_uint8, to_uint8
from minilib.interop.sam import load_sam, sam_from_transformers, sam_to_transformers
from minilib.interop.segment_anything import sam_from_segment_anything, sam_to_segment_anything
from minilib.segmentation.automatic import AutomaticConfig, MaskGenerator
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.losses import sam_loss
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.prompts import centre_click, first_click
from minilib.segmentation.sam import Sam, SamConfig, resize_logits
from minilib.weights import load_trained

CLOSE = {"rtol": 1e-5, "atol": 1e-4}
TINY = SamConfig(
    encoder=ImageEncoderConfig(
        image_size=64,
        patch_size=8,
        width=48,
        depth=3,
        num_heads=4,
        hidden=80,
        window_size=3,  # does not divide 8
        global_blocks=(1,),
        out_channels=32,
    ),
    decoder=MaskDecoderConfig(num_heads=4, hidden=64, iou_hidden=24),
    mask_channels=8,
)
VECTORS = r"pos|_tokens?\.weight$|embed(dings)?(\.\d)?\.weight$"
"""Names of weights that are added to others, not multiplied with them."""
PROMPTS = ["points", "boxes", "masks", "points boxes", "points masks", "points boxes masks"]


@torch.no_grad()
def randomised(model, seed=0):
    """No weight is zero, no layer normalisation the identity, and numbers stay near 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        if value.ndim == 1:
            value.add_(0.2 * noise)
        else:
            value.copy_((0.3 if re.search(VECTORS, name) else value[0].numel() ** -0.5) * noise)
    return model.eval()


def images(size, count=2):
    return 2 * torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1)) - 1


def prompts(kinds, count=4, *, size, mask_size):
    generator = torch.Generator().manual_seed(2)
    points = (size - 1) * torch.rand(count, 3, 2, generator=generator)
    labels = torch.tensor([[1, 0, 1], [1, 1, -1], [0, 1, 0], [1, -1, -1]])[:count]
    corners = (size - 1) * torch.rand(count, 2, 2, generator=generator)
    boxes = torch.cat([corners.amin(1), corners.amax(1)], dim=1)
    masks = 4 * torch.randn(count, mask_size, mask_size, generator=generator)
    given = {"points": points, "labels": labels, "boxes": boxes, "masks": masks}
    return {name: value for name, value in given.items() if name.replace("labels", "points") in kinds}


def meta_says(theirs, embedding, given, *, multimask):
    points = (given["points"], given["labels"]) if "points" in given else None
    masks = given["masks"][:, None] if "masks" in given else None
    sparse, dense = theirs.prompt_encoder(points, given.get("boxes"), masks)
    positions = theirs.prompt_encoder.get_dense_pe()
    return sparse, dense, theirs.mask_decoder(embedding, positions, sparse, dense, multimask)


def transformers_says(theirs, given, *, multimask, **pictures):
    """Each prompt is of the one picture, on an axis of its own."""
    names = {"points": "input_points", "labels": "input_labels", "boxes": "input_boxes"}
    arguments = {theirs: given[ours][None] for ours, theirs in names.items() if ours in given}
    if "masks" in given:
        arguments["input_masks"] = given["masks"][:, None]
    said = theirs(**pictures, **arguments, multimask_output=multimask)
    return said.pred_masks.flatten(0, 1), said.iou_scores.flatten(0, 1)


@pytest.fixture(scope="module")
def meta():
    """Meta's model with random weights, and ours with those."""
    torch.manual_seed(0)
    theirs = randomised(sam_to_segment_anything(Sam(TINY)))
    return theirs, sam_from_segment_anything(theirs.state_dict(), decoder_heads=4)


@pytest.fixture(scope="module")
def hub():
    """The model of transformers with random weights, and ours with those."""
    theirs = randomised(sam_to_transformers(Sam(TINY)))
    return theirs, sam_from_transformers(theirs.config.to_dict(), theirs.state_dict())


@torch.no_grad()
def test_image_encoders(meta, hub):
    for theirs, ours in (meta, hub):
        assert ours.config.encoder == TINY.encoder
        normalised = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
        encode = theirs.image_encoder if theirs is meta[0] else theirs.get_image_embeddings
        found = ours.image_encoder(normalised)
        torch.testing.assert_close(found, encode(normalised), **CLOSE)
        assert found.std() > 0.3


@torch.no_grad()
@pytest.mark.parametrize("kinds", PROMPTS)
def test_prompt_encoder_and_decoder_of_meta(meta, kinds):
    theirs, ours = meta
    given = prompts(kinds, size=64, mask_size=32)
    embedding = torch.randn(1, 32, 8, 8, generator=torch.Generator().manual_seed(4))
    for multimask in (True, False):
        sparse, dense, (logits, iou) = meta_says(theirs, embedding, given, multimask=multimask)
        tokens, image = ours.prompt_encoder(**given)
        torch.testing.assert_close(tokens, sparse, **CLOSE)
        torch.testing.assert_close(image.expand_as(dense), dense, **CLOSE)
        found = ours.predict(embedding, **given, multimask=multimask)
        torch.testing.assert_close(found, (logits, iou), **CLOSE)
        assert found[0].std() > 0.1 and found[1].std() > 0.01
    positions = theirs.prompt_encoder.get_dense_pe().flatten(2)[0].T
    torch.testing.assert_close(ours.prompt_encoder.grid_positions(), positions, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("kinds", ["points", "boxes", "points boxes"])
def test_prompt_encoder_and_decoder_of_transformers(hub, kinds):
    theirs, ours = hub
    given = prompts(kinds, size=64, mask_size=32)
    embedding = torch.randn(1, 32, 8, 8, generator=torch.Generator().manual_seed(4))
    for multimask in (True, False):
        said = transformers_says(theirs, given, multimask=multimask, image_embeddings=embedding)
        torch.testing.assert_close(ours.predict(embedding, **given, multimask=multimask), said, **CLOSE)


@torch.no_grad()
def test_mask_prompts_of_transformers(hub):
    """It takes one mask for a picture, for all of its prompts."""
    theirs, ours = hub
    given = prompts("points masks", 1, size=64, mask_size=32)
    embedding = torch.randn(1, 32, 8, 8, generator=torch.Generator().manual_seed(4))
    said = transformers_says(theirs, given, multimask=True, image_embeddings=embedding)
    torch.testing.assert_close(ours.predict(embedding, **given), said, **CLOSE)


@torch.no_grad()
def test_whole_models(meta, hub):
    """Pictures of bytes for Meta's, normalised for transformers', in [−1, 1] for ours."""
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=generator)
    pictures = from_uint8(pixels)
    given = prompts("points", 2, size=64, mask_size=32)
    for index, picture in enumerate(pictures):
        one = {name: value[index : index + 1] for name, value in given.items()}
        theirs, ours = meta
        bytes_first = pixels[index].movedim(-1, 0).float()
        entry = {"image": bytes_first, "original_size": (64, 64)}
        entry |= {"point_coords": one["points"], "point_labels": one["labels"]}
        (said,) = theirs([entry], multimask_output=True)
        logits, iou = ours(picture[None], **one)
        torch.testing.assert_close((logits, iou), (said["low_res_logits"], said["iou_predictions"]), **CLOSE)
        sharp = resize_logits(logits, 64)
        torch.testing.assert_close(sharp, theirs.postprocess_masks(logits, (64, 64), (64, 64)), **CLOSE)

        theirs, ours = hub
        normalised = (picture[None] - ours.mean) / ours.std
        said = transformers_says(theirs, one, multimask=True, pixel_values=normalised)
        torch.testing.assert_close(ours(picture[None], **one), said, **CLOSE)


@torch.no_grad()
def test_ours_run_in_both_libraries():
    ours = randomised(Sam(TINY))
    given = prompts("points", 2, size=64, mask_size=32)
    embedding = ours.encode_image(images(64, 1))
    found = ours.predict(embedding, **given)
    *_, said = meta_says(sam_to_segment_anything(ours), embedding, given, multimask=True)
    torch.testing.assert_close(found, said, **CLOSE)
    theirs = sam_to_transformers(ours)
    normalised = (images(64, 1) - ours.mean) / ours.std
    said = transformers_says(theirs, given, multimask=True, pixel_values=normalised)
    torch.testing.assert_close(found, said, **CLOSE)


@torch.no_grad()
def test_full_size_b():
    theirs = randomised(sam_model_registry["vit_b"]())
    ours = sam_from_segment_anything(theirs.state_dict())
    assert ours.config == SamConfig()
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    picture = images(1024, 1)
    normalised = (picture - ours.mean) / ours.std
    embedding = ours.encode_image(picture)
    torch.testing.assert_close(embedding, theirs.image_encoder(normalised), **CLOSE)
    given = prompts("points boxes masks", 2, size=1024, mask_size=256)
    found = ours.predict(embedding, **given)
    *_, said = meta_says(theirs, embedding, given, multimask=True)
    torch.testing.assert_close(found, said, **CLOSE)

    assert embedding.std() > 0.3 and found[0].std() > 0.1

    hub = sam_to_transformers(ours)
    back = sam_from_transformers(hub.config.to_dict(), hub.state_dict())
    assert all(torch.equal(value, ours.state_dict()[name]) for name, value in back.state_dict().items())
    given = prompts("points", 2, size=1024, mask_size=256)
    said = transformers_says(hub, given, multimask=True, pixel_values=normalised)
    torch.testing.assert_close(ours.predict(embedding, **given), said, **CLOSE)


@pytest.mark.parametrize(("name", "config"), [("vit_l", "large"), ("vit_h", "huge")])
def test_larger_shapes(name, config):
    """The weights of ViT-L and ViT-H find their places; no memory is taken for them."""
    with torch.device("meta"):
        theirs = sam_model_registry[name]()
        ours = sam_from_segment_anything(theirs.state_dict())
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    assert len(ours.config.encoder.global_blocks) == 4 and ours.config.encoder.window_size == 14


@torch.no_grad()
def test_a_folder_of_the_hub_loads(tmp_path, hub):
    theirs, ours = hub
    theirs.save_pretrained(tmp_path)
    loaded = load_sam(str(tmp_path))
    assert loaded.config == ours.config
    given = prompts("boxes", 2, size=64, mask_size=32)
    torch.testing.assert_close(loaded(images(64, 1), **given), ours(images(64, 1), **given))


def photograph(height, width):
    """Soft blobs, as bytes."""
    generator = torch.Generator().manual_seed(6)
    small = torch.rand(1, 3, 6, 6, generator=generator)
    large = torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)
    return (255 * large[0]).round().to(torch.uint8).movedim(0, -1).contiguous()


@torch.no_grad()
def test_predictor_on_a_photograph(meta):
    """Scaled to fit, filled up, and back."""
    theirs, ours = meta
    pixels = photograph(50, 90)
    predictor = SamPredictor(theirs)
    predictor.set_image(pixels.numpy())
    embedding = ours.encode_image(ours.fit_photograph(from_uint8(pixels)))
    torch.testing.assert_close(embedding, predictor.get_image_embedding(), **CLOSE)
    point = np.array([[70.0, 20.0]])
    logits, iou, _ = predictor.predict(point, np.array([1]), return_logits=True)
    scale = torch.tensor([64 / 90, 36 / 50])
    found, scores = ours.predict(embedding, (torch.tensor(point).float() * scale)[None], torch.tensor([[1]]))
    torch.testing.assert_close(resize_logits(found, 64, original=(50, 90))[0], torch.from_numpy(logits), **CLOSE)
    torch.testing.assert_close(scores[0], torch.from_numpy(iou), **CLOSE)


def squares(size, count, generator):
    """A grey picture with squares of random colours, and their masks, later ones before earlier ones."""
    image, masks = torch.zeros(3, *size), torch.zeros(count, *size, dtype=torch.bool)
    for index in range(count):
        side = int(torch.randint(8, 25, (), generator=generator))
        top, left = (int(torch.randint(0, length - side + 1, (), generator=generator)) for length in size)
        masks[:, top : top + side, left : left + side] = False
        masks[index, top : top + side, left : left + side] = True
        image[:, top : top + side, left : left + side] = 2 * torch.rand(3, 1, 1, generator=generator) - 1
    return image, masks


@pytest.fixture(scope="module")
def trained():
    """A model that has half learned one picture, so that its masks are of something; and the picture."""
    torch.manual_seed(0)
    sam, generator = Sam(TINY), torch.Generator().manual_seed(7)
    image, masks = squares((64, 64), 6, generator)
    masks = masks[masks.flatten(1).any(1)]
    optimizer = torch.optim.Adam(sam.parameters(), 3e-3)
    for _ in range(200):
        logits, iou = sam(image[None], first_click(masks, generator), torch.ones(len(masks), 1, dtype=torch.long))
        loss = sam_loss(resize_logits(logits, 64), iou, masks).total.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return sam_to_segment_anything(sam), sam.eval(), image


@torch.no_grad()
@pytest.mark.parametrize(("layers", "size"), [(0, (64, 64)), (1, (160, 144))])
def test_automatic_masks(trained, layers, size):
    theirs, ours, image = trained
    image = torch.nn.functional.interpolate(image[None], size)[0]
    pixels = to_uint8(image)
    settings = {
        "points_per_side": 12,
        "points_per_batch": 50,
        "pred_iou_thresh": 0.3,
        "stability_score_thresh": 0.4,
        "stability_score_offset": 0.5,
        "box_nms_thresh": 0.7,
        "crop_n_layers": layers,
        "crop_n_points_downscale_factor": 2,
    }
    found = same_masks(theirs, ours, pixels, settings)
    assert len(found) >= 8
    if layers:
        assert len({tuple(crop.tolist()) for crop in found.crops}) > 1


@torch.no_grad()
def test_weights_that_ship_run_in_meta_s_generator_and_predictor():
    ours = load_trained("sam-toybox")[1]
    theirs, table = sam_to_segment_anything(ours), tables(1)[0]
    pixels = to_uint8(table.image)
    settings = {field.name: getattr(AUTOMATIC, field.name) for field in fields(AUTOMATIC) if field.name != "crop_edge"}
    assert len(same_masks(theirs, ours, pixels, settings)) >= len(table.toys)
    predictor = SamPredictor(theirs)
    predictor.set_image(pixels.numpy())
    points, labels = centre_click(torch.zeros_like(table.toys[:1]), table.toys[:1])
    logits, iou, _ = predictor.predict(points[0].numpy(), labels[0].numpy(), return_logits=True)
    found, scores = ours(from_uint8(pixels)[None], points, labels)
    torch.testing.assert_close(resize_logits(found, 128)[0], torch.from_numpy(logits), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(scores[0], torch.from_numpy(iou), **CLOSE)


def same_masks(theirs, ours, pixels, settings):
    """What both generators find in a picture, after a comparison."""
    said = SamAutomaticMaskGenerator(theirs, **settings).generate(pixels.numpy())
    found = MaskGenerator(ours, AutomaticConfig(**settings))(from_uint8(pixels))
    assert len(found) == len(said)
    for index, record in enumerate(said):
        assert torch.equal(found.masks[index], torch.from_numpy(record["segmentation"]))
        assert found.masks[index].sum() == record["area"]
        x, y, width, height = record["bbox"]
        assert found.boxes[index].tolist() == [x, y, x + width, y + height]
        x, y, width, height = record["crop_box"]
        assert found.crops[index].tolist() == [x, y, x + width, y + height]
        assert found.iou[index].item() == pytest.approx(record["predicted_iou"], abs=1e-4)
        assert found.stability[index].item() == pytest.approx(record["stability_score"], abs=1e-4)
        assert found.points[index].tolist() == pytest.approx(record["point_coords"][0], abs=1e-4)
    return found
