"""SAM 2's parts, and how it follows an object, equal transformers: random weights, float32, 1e-4."""

import re

import pytest
import torch
import torch.nn.functional as F
from transformers import (
    Sam2ImageProcessor,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam2VideoVideoProcessor,
    SamConfig,
)
from transformers.models.sam2_video import modeling_sam2_video as modeling

from minilib.attention.positions import axial_angles
from minilib.interop.sam2 import load_sam2_video, sam2_from_transformers
from minilib.segmentation.frames import Prompt
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.memory_attention import grid_waves, time_waves
from minilib.segmentation.memory_bank import Memory
from minilib.segmentation.video import VideoSegmenter

CLOSE = {"rtol": 1e-5, "atol": 1e-4}
WIDTH, CHANNELS, SIZE, GRID, NUM_FRAMES = 128, 64, 64, 4, 12
ENCODER = ImageEncoderConfig(
    image_size=SIZE,
    patch_size=16,
    width=32,
    depth=1,
    num_heads=2,
    hidden=32,
    window_size=4,
    global_blocks=(),
    out_channels=WIDTH,
)
VECTORS = r"_tokens?\.weight$|embed(ding)?(\.weight)?$|positional_encoding$|pointer$|parameter$"
"""Names of weights that are added to others, not multiplied with them."""


def tiny_config(**others):
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [SIZE, SIZE],
        "blocks_per_stage": [1, 1, 1, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 1, 1],
        "window_size_per_stage": [2, 2, 2, 2],
        "global_attention_blocks": [2],
    }
    vision = {
        "model_type": "sam2_vision_model",
        "backbone_config": backbone,
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[4 * GRID] * 2, [2 * GRID] * 2, [GRID] * 2],
        "fpn_hidden_size": WIDTH,
    }
    decoder = {
        "hidden_size": WIDTH,
        "mlp_dim": 48,
        "num_attention_heads": 4,
        "iou_head_hidden_dim": 24,
        "dynamic_multimask_via_stability": False,
    }
    memory = {
        "memory_attention_hidden_size": WIDTH,
        "memory_attention_num_layers": 2,
        "memory_attention_num_attention_heads": 2,
        "memory_attention_feed_forward_hidden_size": 40,
        "memory_attention_rope_feat_sizes": [GRID, GRID],
        "memory_encoder_hidden_size": WIDTH,
        "mask_downsampler_embed_dim": WIDTH,
        "memory_fuser_embed_dim": WIDTH,
        "memory_fuser_intermediate_dim": 56,
        "num_maskmem": 4,
        "max_object_pointers_in_encoder": 5,
    }
    prompt = {"hidden_size": WIDTH, "image_size": SIZE, "mask_input_channels": 8}
    return Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=prompt,
        mask_decoder_config=decoder,
        image_size=SIZE,
        **(memory | others),
    )


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def randomised(model):
    """No weight is zero, no layer normalisation the identity, and numbers stay near 1."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        if re.search(VECTORS, name):
            value.copy_(0.5 * noise)
        elif value.ndim == 1:
            value.add_(0.2 * noise)
        else:
            value.copy_(value[0].numel() ** -0.5 * noise)
    model.prompt_encoder.shared_embedding.load_state_dict(model.shared_image_embedding.state_dict())
    return model.eval()


FEWER = {
    "memory_attention_num_layers": 1,
    "memory_attention_num_attention_heads": 1,
    "memory_fuser_num_layers": 1,
    "num_maskmem": 7,
    "max_object_pointers_in_encoder": 16,
}


@pytest.fixture(scope="module", params=[{}, FEWER], ids=["two heads", "long memory"])
def models(request):
    """The model of transformers with random weights, and ours with those."""
    torch.manual_seed(0)
    theirs = randomised(Sam2VideoModel(tiny_config(**request.param)))
    return theirs, sam2_from_transformers(theirs.config.to_dict(), theirs.state_dict(), encoder=ENCODER)


def fine_features(count=1):
    """What Hiera would add to the upscaled features: nothing, as ours has nothing to add."""
    return [torch.zeros(count, WIDTH // 8, 4 * GRID, 4 * GRID), torch.zeros(count, WIDTH // 4, 2 * GRID, 2 * GRID)]


def tokens_first(x):
    """(b, d, g, g) to (n, b, d), as transformers has it."""
    return x.flatten(2).permute(2, 0, 1)


def test_all_weights_but_those_of_hiera_are_ours(models):
    theirs, ours = models
    count = sum(value.numel() for name, value in theirs.named_parameters() if not name.startswith("vision_encoder"))
    count -= sum(value.numel() for name, value in theirs.named_parameters() if ".conv_s" in name) + WIDTH
    assert sum(p.numel() for p in ours.parameters()) - sum(p.numel() for p in ours.image_encoder.parameters()) == count


@torch.no_grad()
def test_memory_encoder(models):
    theirs, ours = models
    embedding, masks = random(2, WIDTH, GRID, GRID), 10 * random(2, SIZE, SIZE, seed=1)
    features, positions = theirs.memory_encoder(embedding, masks[:, None])
    found = ours.memory.encoder(embedding, masks)
    torch.testing.assert_close(found, features, **CLOSE)
    assert found.std() > 0.1
    torch.testing.assert_close(grid_waves(GRID, CHANNELS), positions[0].flatten(1).T, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize(("count", "num_pointers"), [(1, 0), (3, 4), (0, 2)])
def test_memory_attention(models, count, num_pointers):
    theirs, ours = models
    n, m = GRID**2, count * GRID**2 + num_pointers
    x, memories, positions = random(2, n, WIDTH), random(2, m, CHANNELS, seed=1), random(m, CHANNELS, seed=2)
    waves = modeling.Sam2VideoPositionEmbeddingSine(WIDTH // 2, normalize=True)
    said = theirs.memory_attention(
        current_vision_features=x.transpose(0, 1),
        current_vision_position_embeddings=tokens_first(waves(torch.Size((2, WIDTH, GRID, GRID)), "cpu", x.dtype)),
        memory=memories.transpose(0, 1),
        memory_posision_embeddings=positions[:, None].expand(-1, 2, -1),
        num_object_pointer_tokens=num_pointers,
    )
    found = ours.memory.attention(x, memories, positions, num_pointers=num_pointers)
    torch.testing.assert_close(found, said.transpose(0, 1).reshape(found.shape), **CLOSE)


@torch.no_grad()
def test_rotations_and_times(models):
    theirs, ours = models
    attention = theirs.memory_attention
    cos, sin = attention.rotary_emb(torch.zeros(1), attention.position_ids)
    angles = axial_angles(GRID, ours.memory.attention.head_width).repeat_interleave(2, dim=-1)
    torch.testing.assert_close((angles.cos(), angles.sin()), (cos.squeeze(0), sin.squeeze(0)), **CLOSE)
    times = torch.tensor([0.0, 0.2, 1.0, 2.5])
    torch.testing.assert_close(time_waves(times, WIDTH), modeling.get_1d_sine_pe(times, WIDTH), **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("multimask", [True, False])
@pytest.mark.parametrize("kinds", ["points", "points masks", "box"])
def test_mask_decoder_and_object_score(models, kinds, multimask):
    theirs, ours = models
    embedding = random(2, WIDTH, GRID, GRID)
    points = torch.tensor([[[3.0, 4], [50, 20]], [[30, 60], [5, 5]]])
    labels = torch.tensor([[2, 3], [2, 3]]) if kinds == "box" else torch.tensor([[1, 0], [1, -1]])
    masks = 4 * random(2, 4 * GRID, 4 * GRID) if "masks" in kinds else None
    sparse, dense = theirs.prompt_encoder(
        points[:, None], labels[:, None], None, None if masks is None else masks[:, None]
    )
    positions = theirs.get_image_wide_positional_embeddings()
    logits, iou, tokens, score = theirs.mask_decoder(
        image_embeddings=embedding,
        image_positional_embeddings=positions.repeat(2, 1, 1, 1),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense.expand(2, -1, -1, -1),
        multimask_output=multimask,
        high_resolution_features=fine_features(2),
    )
    ours_sparse, ours_dense = ours.prompt_encoder(points, labels, None, masks)
    torch.testing.assert_close(ours_sparse, sparse[:, 0], **CLOSE)
    grid = ours.prompt_encoder.grid_positions()
    found = ours.mask_decoder.decode(embedding, grid, ours_sparse, ours_dense, multimask=multimask)
    torch.testing.assert_close(tuple(found), (logits[:, 0], iou[:, 0], tokens[:, 0], score[:, 0, 0]), **CLOSE)
    assert found.logits.std() > 0.1 and found.object_score.std() > 0.001


@torch.no_grad()
@pytest.mark.parametrize("binary", [False, True])
def test_writing(models, binary, monkeypatch):
    theirs, ours = models
    keep_float32(monkeypatch)
    embedding, mask = random(2, WIDTH, GRID, GRID), 2 * random(2, SIZE, SIZE, seed=1)
    score = torch.tensor([1.5, -0.5])
    said, _ = theirs._encode_new_memory(tokens_first(embedding), mask[:, None], score[:, None, None], binary)
    pointer = random(2, WIDTH, seed=3)
    memory = ours.memory.write(embedding, mask, pointer, score > 0, binary=binary)
    torch.testing.assert_close(memory.features, said.transpose(0, 1), **CLOSE)
    token = random(2, WIDTH, seed=4)
    visible = score > 0
    expected = torch.where(visible[:, None], theirs.object_pointer_proj(token), theirs.no_object_pointer)
    torch.testing.assert_close(ours.memory.pointer(token, visible), expected, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("reverse", [False, True])
def test_reading(models, reverse):
    """Frames with prompts before and after, some tracked ones, one of them missing."""
    theirs, ours = models
    session = session_of(torch.zeros(NUM_FRAMES, WIDTH, GRID, GRID))
    index = session.obj_id_to_idx(1)
    bank = ours.new_bank(NUM_FRAMES)
    where = grid_waves(GRID, CHANNELS)[:, None]
    for frame in (1, 2, 3, 5, 7, 8, 9, 10):
        features, pointer = random(1, GRID**2, CHANNELS, seed=frame), random(1, WIDTH, seed=20 + frame)
        prompted = frame in (1, 8)
        bank.add(frame, Memory(features, pointer), prompted=prompted)
        stored = {"maskmem_features": features.transpose(0, 1), "maskmem_pos_enc": where, "object_pointer": pointer}
        session.store_output(index, frame, output_value=stored, is_conditioning_frame=prompted)
    embedding = random(1, WIDTH, GRID, GRID)
    waves = modeling.Sam2VideoPositionEmbeddingSine(WIDTH // 2, normalize=True)
    for frame in (4, 6, 11):
        said = theirs._prepare_memory_conditioned_features(
            inference_session=session,
            frame_idx=frame,
            obj_idx=index,
            is_initial_conditioning_frame=False,
            current_vision_features=tokens_first(embedding),
            current_vision_positional_embeddings=tokens_first(waves(embedding.shape, "cpu", embedding.dtype)),
            num_total_frames=NUM_FRAMES,
            track_in_reverse_time=reverse,
        )
        torch.testing.assert_close(ours.memory.read(embedding, bank, frame, reverse=reverse), said, **CLOSE)


def keep_float32(monkeypatch):
    """transformers rounds memories to bfloat16; here it does not."""

    class Torch:
        bfloat16 = torch.float32

        def __getattr__(self, name):
            return getattr(torch, name)

    monkeypatch.setattr(modeling, "torch", Torch())


def session_of(embeddings):
    """A session whose frames have these embeddings, whatever the pictures are."""
    session = modeling.Sam2VideoInferenceSession(
        video=torch.zeros(len(embeddings), 3, SIZE, SIZE),
        video_height=SIZE,
        video_width=SIZE,
        dtype=torch.float32,
        max_vision_features_cache_size=len(embeddings),
    )
    waves = modeling.Sam2VideoPositionEmbeddingSine(WIDTH // 2, normalize=True)
    for index, embedding in enumerate(embeddings[:, None]):
        maps = [*fine_features(), embedding]
        positions = [waves(one.shape, "cpu", one.dtype) for one in maps[:-1]]
        positions.append(waves(embedding.shape, "cpu", embedding.dtype))
        session.cache.cache_vision_features(
            index,
            {
                "vision_feats": [tokens_first(one) for one in maps],
                "vision_pos_embeds": [tokens_first(one) for one in positions],
            },
        )
    return session


def square_mask():
    mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    mask[20:45, 10:30] = True
    return mask


def say(theirs, session, frame, prompt):
    """Gives transformers a prompt for a frame, and lets it answer."""
    index = session.obj_id_to_idx(1)
    if prompt.mask is not None:
        session.add_mask_inputs(index, frame, prompt.mask[None])
    else:
        session.add_point_inputs(
            index, frame, {"point_coords": prompt.points[None], "point_labels": prompt.labels[None]}
        )
    session.obj_with_new_inputs = [1]
    return theirs(session, frame_idx=frame)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["click", "box", "mask"])
@pytest.mark.parametrize("sight", ["always", "now and then", "never"])
def test_following_an_object(models, kind, sight, monkeypatch):
    """Two prompts, forwards from the first to the end, then backwards to the beginning."""
    theirs, ours = models
    keep_float32(monkeypatch)
    frames = 2 * torch.rand(NUM_FRAMES, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(7)) - 1
    embeddings = ours.encode_image(frames)
    click = Prompt(torch.tensor([[[30.0, 22]]]), torch.tensor([[1]]))
    scores = torch.cat([answer.object_score for answer in ours(frames[None], {4: click})]).sort().values
    middle = scores[NUM_FRAMES // 2 - 1 : NUM_FRAMES // 2 + 1].mean()
    for head in (theirs.mask_decoder.pred_obj_score_head.proj_out, ours.mask_decoder.score_head[-1]):
        shift = {"always": 5.0, "now and then": 0.0, "never": -5.0}[sight] - middle
        monkeypatch.setitem(head._parameters, "bias", head.bias + shift)
    session, segmenter = session_of(embeddings), VideoSegmenter(ours)
    segmenter.start(frames)

    box = Prompt(torch.tensor([[[10.0, 20], [29, 44]]]), torch.tensor([[2, 3]]))
    prompts = {4: {"click": click, "box": box, "mask": Prompt(mask=square_mask()[None])}[kind], 8: click}
    for frame, prompt in prompts.items():
        said = say(theirs, session, frame, prompt)
        if prompt is click:
            found = segmenter.add_click(frame, 30, 22)
        elif prompt is box:
            found = segmenter.add_box(frame, 10, 20, 29, 44)
        else:
            found = segmenter.add_mask(frame, square_mask())
        torch.testing.assert_close(found.object_score, said.object_score_logits.squeeze(), **CLOSE)

    visible = []
    for reverse in (False, True):
        answers = list(segmenter.propagate(4, reverse=reverse))
        for found, said in zip(answers, theirs.propagate_in_video_iterator(session, 4, reverse=reverse), strict=True):
            assert found.frame == said.frame_idx
            torch.testing.assert_close(found.object_score, said.object_score_logits.squeeze(), **CLOSE)
            if found.frame not in prompts:
                visible.append(found.object_score.item() > 0)
            if kind != "mask" or found.frame != 4:
                large = F.interpolate(said.pred_masks, (SIZE, SIZE), mode="bilinear", align_corners=False)
                torch.testing.assert_close(found.logits, large[0, 0], **CLOSE)
    assert {"always": all(visible), "now and then": len(set(visible)) == 2, "never": not any(visible)}[sight]


def test_published_weights_follow_a_click(tmp_path):
    """A stand-in with random weights, in the layout of facebook/sam2.1-hiera-tiny."""
    torch.manual_seed(0)
    config, size = tiny_config(), {"height": SIZE, "width": SIZE}
    backbone = config.vision_config.backbone_config  # one that can run: no global block where a stage begins
    backbone.window_size_per_stage, backbone.global_attention_blocks = [8, 4, 4, 2], []
    model = Sam2VideoModel(config)
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(5.0)  # it believes to see the object
    model.save_pretrained(tmp_path)
    processors = Sam2ImageProcessor(size=size), Sam2VideoVideoProcessor(size=size)
    Sam2VideoProcessor(*processors, target_size=SIZE).save_pretrained(tmp_path)
    follow, frames = load_sam2_video(str(tmp_path)), 2 * torch.rand(4, 3, 48, 40) - 1
    masks = follow(frames, 2, torch.tensor([[30.0, 12]]), torch.tensor([1]))
    assert masks.shape == (4, 48, 40) and masks.dtype == torch.bool
    assert masks.flatten(1).any(1).all() and not masks.all()
    with pytest.raises(ValueError, match=r"expected a frame in 0\.\.3, got -1"):
        follow(frames, -1, torch.tensor([[30.0, 12]]), torch.tensor([1]))
    with pytest.raises(ValueError, match=r"points \(k, 2\) and labels \(k,\), got \(4, 3, 48, 40\), \(2,\), \(1,\)"):
        follow(frames, 0, torch.tensor([30.0, 12]), torch.tensor([1]))


def test_other_models_are_refused(tmp_path):
    with pytest.raises(OSError, match="is no folder here"):
        load_sam2_video(str(tmp_path / "nowhere"))
    SamConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="expected a model of type sam2_video, got 'sam'"):
        load_sam2_video(str(tmp_path))
