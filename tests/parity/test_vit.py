"""The Vision Transformer equals transformers' and timm's with the same random weights, float32, 1e-5."""

import numpy as np
import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    ViTModel,
)

from minilib.attention.recorder import record_attention, use_fused
from minilib.attention.vit import ViT
from minilib.attention.vit import ViTConfig as OurConfig
from minilib.interop.timm import vit_from_timm
from minilib.interop.vit import load_vit, vit_from_transformers, vit_to_transformers
from minilib.interop.vit_pytorch import vit_to_vit_pytorch

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
TINY = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 32, "patch_size": 8}
TINY_TIMM = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 4}


def shake(module):
    """Biases, tokens and positions that start at zero would hide a lost one."""
    for parameter in module.parameters():
        if parameter.ndim == 1 or parameter.shape[0] == 1:
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    return module.eval()


def images(height=32, width=None):
    return torch.randn(2, 3, height, width or height, generator=torch.Generator().manual_seed(1))


SIZES = [(32, 32), (48, 48), (32, 48), (16, 24)]


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("qkv_bias", [True, False])
def test_vit_classifier_both_ways(size, qkv_bias):
    torch.manual_seed(0)
    theirs = shake(ViTForImageClassification(ViTConfig(**TINY, intermediate_size=40, num_labels=5, qkv_bias=qkv_bias)))
    ours = vit_from_transformers(theirs.config.to_dict(), theirs.state_dict())
    expected = theirs(images(*size), interpolate_pos_encoding=size != (32, 32)).logits
    torch.testing.assert_close(ours(images(*size)), expected, **CLOSE)
    back = vit_to_transformers(ours)
    said = back(images(*size), interpolate_pos_encoding=size != (32, 32)).logits
    torch.testing.assert_close(said, expected, **CLOSE)


@torch.no_grad()
def test_attention_of_every_layer():
    torch.manual_seed(0)
    theirs = shake(ViTModel(ViTConfig(**TINY, intermediate_size=40)))
    theirs.set_attn_implementation("eager")
    ours = vit_from_transformers(theirs.config.to_dict(), theirs.state_dict())
    use_fused(ours, False)
    with record_attention(ours) as records:
        tokens = ours.tokens(images())
    said = theirs(images(), output_attentions=True)
    torch.testing.assert_close(tokens, said.last_hidden_state, **CLOSE)
    assert list(records) == [f"blocks.{k}.attention" for k in range(3)]
    for (weights,), expected in zip(records.values(), said.attentions, strict=True):
        torch.testing.assert_close(weights, expected, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("registers", [0, 2])
def test_dinov2(size, registers):
    torch.manual_seed(0)
    if registers:
        config = Dinov2WithRegistersConfig(**TINY, num_register_tokens=registers)
        theirs = shake(Dinov2WithRegistersModel(config))
    else:
        theirs = shake(Dinov2Model(Dinov2Config(**TINY)))
    ours = vit_from_transformers(theirs.config.to_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.tokens(images(*size)), theirs(images(*size)).last_hidden_state, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [
        {"num_classes": 5},
        {"num_classes": 0},
        {"num_classes": 5, "init_values": 0.1, "reg_tokens": 2, "no_embed_class": True},
        {"num_classes": 5, "global_pool": "avg", "fc_norm": False, "qkv_bias": False},
    ],
    ids=["as DeiT", "features", "as DINOv2", "mean of the patches"],
)
def test_timm(options):
    torch.manual_seed(0)
    theirs = shake(VisionTransformer(**TINY_TIMM, **options))
    torch.testing.assert_close(vit_from_timm(theirs)(images()), theirs(images()), **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES)
def test_timm_at_other_sizes(size):
    torch.manual_seed(0)
    theirs = shake(VisionTransformer(**TINY_TIMM, num_classes=5, dynamic_img_size=True))
    torch.testing.assert_close(vit_from_timm(theirs)(images(*size)), theirs(images(*size)), **CLOSE)


@torch.no_grad()
def test_vit_b_16_at_full_size():
    torch.manual_seed(0)
    theirs = ViTForImageClassification(ViTConfig(num_labels=1000)).eval()
    ours = vit_from_transformers(theirs.config.to_dict(), theirs.state_dict())
    assert sum(parameter.numel() for parameter in ours.parameters()) == 86_567_656
    torch.testing.assert_close(ours(images(224)), theirs(images(224)).logits, **CLOSE)
    for name in ("vit_base_patch16_224", "deit_base_patch16_224"):
        theirs = shake(timm.create_model(name, pretrained=False))
        torch.testing.assert_close(vit_from_timm(theirs)(images(224)), theirs(images(224)), **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("classes", [0, 3])
def test_a_published_model_loads_from_its_folder(tmp_path, classes):
    """A stand-in with random weights, in the layout of google/vit-base-patch16-224 and facebook/dino-vits8."""
    torch.manual_seed(0)
    config = ViTConfig(**TINY, intermediate_size=40, num_labels=classes)
    theirs = shake(ViTForImageClassification(config) if classes else ViTModel(config))
    theirs.save_pretrained(tmp_path)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    ours, prepare, names = load_vit(str(tmp_path))
    photograph = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    seen = prepare(photograph)
    assert seen.shape == (1, 3, 32, 32)
    expected = theirs(seen).logits if classes else theirs(seen).last_hidden_state[:, 0]
    torch.testing.assert_close(ours(seen), expected, **CLOSE)
    assert len(names) == classes


@pytest.mark.parametrize("source", ["nobody/nothing", "/no/such/folder"])
def test_a_hub_without_the_model_is_one_error_at_once(source):
    with pytest.raises(OSError, match=f"'{source}' is no folder here, and the hub does not give it"):
        load_vit(source)


def test_a_model_of_another_kind_is_refused_before_it_is_fetched(tmp_path):
    ViTConfig(**TINY, hidden_act="relu").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="MLP with gelu, got 'relu'"):
        load_vit(str(tmp_path))
    ViTConfig(**TINY).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"no architectures in its config\.json"):
        load_vit(str(tmp_path))


@torch.no_grad()
def test_vit_pytorch_says_the_same():
    torch.manual_seed(0)
    ours = shake(
        ViT(
            OurConfig(
                image_size=32, patch_size=8, width=24, depth=3, num_heads=4, hidden=40, num_classes=5, qkv_bias=False
            )
        )
    )
    torch.testing.assert_close(vit_to_vit_pytorch(ours)(images()), ours(images()), **CLOSE)
