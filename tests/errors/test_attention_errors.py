"""Bad input to attention gets one clear line. Run without shape checks, as users do."""

import pytest
import torch
from torch import nn

from minilib.attention import maps
from minilib.attention.blocks import Block
from minilib.attention.layers import CrossAttention, SelfAttention, attention, attention_weights
from minilib.attention.positions import resized_positions, rotary_angles, rotate, sinusoidal, sinusoidal_2d
from minilib.attention.recorder import record_attention, unfused, use_fused
from minilib.attention.vit import ViT, ViTConfig, patchify, unpatchify
from minilib.interop.timm import vit_from_timm
from minilib.interop.vit import vit_config_from_transformers, vit_from_transformers, vit_to_transformers
from minilib.interop.vit_pytorch import vit_to_vit_pytorch
from minilib.recipes import ViTToybox

q = torch.randn(1, 2, 3, 4)
tiny = ViTConfig(image_size=8, patch_size=4, width=8, depth=2, num_heads=2, hidden=16, num_classes=3)
layers = [torch.rand(1, 2, 5, 5)] * 2


def recorded_fused():
    with record_attention(ViT(tiny)):
        pass


def recorded_nothing():
    with record_attention(nn.Linear(2, 2)):
        pass


def made_fused_while_recorded():
    vit = ViT(tiny)
    with unfused(vit), record_attention(vit):
        use_fused(vit, True)
        vit(torch.rand(1, 3, 8, 8))


def recorded_twice():
    vit = ViT(tiny)
    with unfused(vit), record_attention(vit), record_attention(vit):
        pass


def of_another_pass():
    found = []
    vit = ViT(tiny)
    for _ in range(2):
        with unfused(vit), record_attention(vit) as records:
            logits = vit(torch.rand(1, 3, 8, 8))
        found = found or [weights for (weights,) in records.values()]
    maps.relevance(found, logits.sum())


def changed(**changes):
    return ViT(ViTConfig(**{**tiny.__dict__, **changes}))


def hf_dino(**changes):
    from transformers import Dinov2Config

    return Dinov2Config(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, **changes).to_dict()


def from_timm(**changes):
    from timm.models.vision_transformer import VisionTransformer

    return vit_from_timm(VisionTransformer(img_size=8, patch_size=4, embed_dim=8, depth=1, num_heads=2, **changes))


def post_norm():
    from timm.models.vision_transformer import ResPostBlock

    return from_timm(block_fn=ResPostBlock)


def hf(**changes):
    from transformers import ViTConfig as Theirs

    options = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return Theirs(**options, image_size=8, patch_size=4, **changes).to_dict()


def misfit():
    from transformers import ViTConfig as Theirs
    from transformers import ViTModel

    options = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = ViTModel(Theirs(**options, image_size=8, patch_size=4))
    state = model.state_dict()
    del state["layernorm.weight"]
    state["something.else"] = torch.zeros(1)
    vit_from_transformers(model.config.to_dict(), state)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ViTConfig(image_size=30, patch_size=8), "patches of 8 and an image of 30 pixels"),
        (lambda: ViT(tiny)(torch.rand(1, 3, 10, 8)), r"divisible by patch_size = 4, got \(1, 3, 10, 8\)"),
        (lambda: ViT(tiny)(torch.rand(1, 1, 8, 8)), r"expected images \(b, 3, h, w\), got \(1, 1, 8, 8\)"),
        (lambda: patchify(torch.rand(1, 3, 9, 8), 4), r"divisible by patch_size = 4, got \(1, 3, 9, 8\)"),
        (lambda: unpatchify(torch.rand(1, 5, 48), (2, 2)), r"\(2 · 2, 3 · size²\), got \(1, 5, 48\)"),
        (lambda: unpatchify(torch.rand(1, 4, 47), (2, 2)), r"\(2 · 2, 3 · size²\), got \(1, 4, 47\)"),
        (lambda: ViTConfig(width=10, num_heads=3), "got 3 heads and width 10"),
        (lambda: SelfAttention(8, 0), "got 0 heads and width 8"),
        (lambda: CrossAttention(8, 2, inner=5), "got 2 heads and width 5"),
        (lambda: attention(q, q, q, torch.ones(3, 4, dtype=torch.bool)), r"\(1, 2, 3, 3\), got \(3, 4\)"),
        (lambda: attention_weights(q, q, torch.ones(5, 1, 2, 3, 3, dtype=torch.bool)), r"got \(5, 1, 2, 3, 3\)"),
        (recorded_fused, r"fused attention of blocks.0.attention, .* call use_fused\(model, False\) first"),
        (made_fused_while_recorded, r"call use_fused\(model, False\) first"),
        (recorded_twice, "ViT is being recorded already"),
        (of_another_pass, r"does not depend on layers \[0, 1\]"),
        (lambda: ViTConfig(image_size=0), "an image of 0 pixels"),
        (lambda: ViTConfig(depth=0), "depth >= 1 and num_registers >= 0, got 0 and 0"),
        (lambda: ViTConfig(num_registers=-1), "got 12 and -1"),
        (lambda: ViTConfig(pool="avg"), "Unknown pool 'avg'"),
        (lambda: changed(activation="relu"), "Unknown activation 'relu'"),
        (lambda: Block(8, 2, 16, norm="Pre"), "Unknown norm 'Pre'. Did you mean 'pre'"),
        (lambda: ViT(tiny).patch_embedding(torch.rand(1, 3, 9, 8)), r"patch_size = 4, got \(1, 3, 9, 8\)"),
        (recorded_nothing, "Linear has no attention that can be recorded"),
        (lambda: use_fused(nn.Linear(2, 2), False), "Linear has no attention that can be recorded"),
        (lambda: maps.rollout([]), "at least one layer"),
        (lambda: maps.rollout([layers[0], torch.rand(1, 2, 4, 4)]), r"one number of tokens, got .*\(1, 2, 4, 4\)"),
        (lambda: maps.rollout(layers, fusion="maen"), "Unknown fusion 'maen'. Did you mean 'mean'"),
        (lambda: maps.rollout(layers, discard_ratio=1.0), r"discard_ratio in \[0, 1\), got 1.0"),
        (lambda: maps.relevance(layers, torch.zeros(())), "of a pass with gradients"),
        (lambda: maps.attention_distance(layers[0], (2, 2)), "expected 0 \\+ 2 · 2 tokens, got 5"),
        (lambda: maps.patch_map(layers[0][..., 0, :], (2, 3), (8, 8)), "expected 0 \\+ 2 · 3 tokens, got 5"),
        (lambda: sinusoidal(torch.arange(3.0), 5), "even width, one sine for each cosine, got 5"),
        (lambda: sinusoidal_2d(2, 2, 6), "divisible by 4, two pairs each for rows and columns, got 6"),
        (lambda: rotary_angles(torch.arange(3.0), 5), "even width, to turn pairs of channels, got 5"),
        (lambda: rotate(q, torch.rand(3, 4)), "expected 2 angles, one for each pair of channels, got 4"),
        (lambda: resized_positions(torch.rand(5, 2), (2, 2), (3, 3)), "2 × 2 = 4 positions, got 5"),
        (lambda: vit_config_from_transformers({"model_type": "bert"}), "got 'bert'"),
        (lambda: vit_config_from_transformers(hf(hidden_act="relu")), "MLP with gelu, got 'relu'"),
        (misfit, r"(?s)norm\.weight.*something\.else"),
        (lambda: vit_config_from_transformers({"model_type": "deit"}), "a second token, for distillation"),
        (lambda: vit_config_from_transformers(hf_dino(use_swiglu_ffn=True)), "got one with SwiGLU"),
        (lambda: vit_config_from_transformers(hf() | {"image_size": [8, 8]}), r"image_size = \[8, 8\]"),
        (lambda: from_timm(act_layer=nn.ReLU), "MLP with gelu, got ReLU"),
        (lambda: from_timm(global_pool="avg", pool_include_prefix=True), "got pool_include_prefix = True"),
        (lambda: from_timm(global_pool="map"), "global_pool in token, avg, got 'map'"),
        (lambda: vit_from_timm(nn.Linear(2, 2)), "VisionTransformer of Blocks, got Linear of NoneType"),
        (post_norm, "got VisionTransformer of ResPostBlock"),
        (lambda: vit_to_transformers(changed(num_registers=1)), r"num_registers = 1 \(expected 0\)"),
        (lambda: vit_to_transformers(changed(pool="mean")), "pool = 'mean'"),
        (lambda: vit_to_transformers(changed(layer_scale=0.1)), "layer_scale = 0.1"),
        (lambda: vit_to_transformers(changed(antialias=True)), "antialias = True"),
        (lambda: vit_to_transformers(changed(norm_input=True)), "norm_input = True"),
        (lambda: vit_to_transformers(changed(patch_bias=False)), "patch_bias = False"),
        (lambda: vit_to_transformers(changed(activation="quick_gelu")), "activation = 'quick_gelu'"),
        (lambda: vit_to_vit_pytorch(changed()), r"vit-pytorch does not have qkv_bias = True \(expected False\)"),
        (lambda: vit_to_vit_pytorch(changed(qkv_bias=False, num_heads=1)), "num_heads = 1, num_classes = 3"),
        (lambda: vit_to_vit_pytorch(changed(qkv_bias=False, num_classes=0)), "num_heads = 2, num_classes = 0"),
        (lambda: ViTToybox(label_smoothing=1.0), r"label_smoothing in \[0, 1\), got 1.0"),
    ],
)
def test_value_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("dtype", [torch.float32, torch.long])
def test_mask_of_another_type(dtype):
    for function in (attention_weights, lambda q, k, mask: attention(q, k, k, mask)):
        with pytest.raises(TypeError, match=f"expected a bool mask, True where a query may look, got {dtype}"):
            function(q, q, torch.ones(3, 3, dtype=dtype))
