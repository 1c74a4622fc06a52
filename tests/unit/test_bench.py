"""The comparison of speeds: calls take turns, and all contestants compute the same."""

import pytest
import torch

from minilib.attention.vit import ViT, ViTConfig
from minilib.clip.model import CLIPConfig, TextConfig
from minilib.interop.bench import (
    clip_contestants,
    contestants,
    features_of,
    logits_of,
    median_ratio,
    side_by_side,
)


def test_calls_take_turns():
    order = []
    seconds = side_by_side({name: lambda name=name: order.append(name) for name in "abc"}, rounds=3)
    assert "".join(order) == "abcbcacababc"
    assert {name: len(found) for name, found in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_ratio_is_the_median_over_rounds():
    assert median_ratio([1.0, 9.0, 2.0], [2.0, 3.0, 2.0]) == 1.0


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="expected calls and rounds >= 1, got 0 and 3"):
        side_by_side({}, rounds=3)


@torch.no_grad()
def test_contestants_say_the_same():
    shape = {"image_size": 16, "patch_size": 8, "width": 24, "depth": 2, "num_heads": 4, "hidden": 40}
    vit = ViT(ViTConfig(**shape, num_classes=5, qkv_bias=False))
    for parameter in vit.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    logits = {name: logits_of(model, images) for name, model in contestants(vit).items()}
    for name in ("transformers", "vit-pytorch"):
        torch.testing.assert_close(logits[name], logits["minilib"], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_clip_contestants_say_the_same():
    shape = {"width": 24, "depth": 2, "num_heads": 4, "hidden": 40, "activation": "quick_gelu"}
    image = ViTConfig(
        **shape, image_size=16, patch_size=8, num_classes=0, norm_input=True, patch_bias=False, norm_eps=1e-5
    )
    text = TextConfig(**shape, vocab_size=30, context_length=6)
    models = clip_contestants(CLIPConfig(image=image, text=text, embed_dim=10))
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[28, 4, 5, 29, 0, 0], [28, 7, 9, 11, 13, 29]])
    for ours, theirs in zip(*(features_of(model, images, ids) for model in models.values()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
