"""Attention equals torch's own, float32, 1e-5: function, layer and block. Positions equal transformers'."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb, create_sinusoidal_positions

from minilib.attention.blocks import Block
from minilib.attention.layers import CrossAttention, SelfAttention, attention, attention_weights, causal_mask
from minilib.attention.positions import rotary_angles, rotate, sinusoidal
from minilib.attention.recorder import use_fused

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def shake(module):
    """Biases that start at zero would hide a lost one."""
    for parameter in module.parameters():
        parameter.data.copy_(0.2 * torch.randn(parameter.shape) + (parameter.ndim == 1))
    return module.eval()


def some_mask():
    mask = torch.rand(2, 1, 5, 7, generator=torch.Generator().manual_seed(0)) < 0.6
    mask[..., 0] = True
    return mask


@pytest.mark.parametrize("mask", [None, some_mask()], ids=["open", "masked"])
def test_both_paths_equal_torch(mask):
    q, k, v = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 7, 8), torch.randn(2, 3, 7, 4)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(attention(q, k, v, mask), expected, **CLOSE)
    torch.testing.assert_close(attention_weights(q, k, mask) @ v, expected, **CLOSE)


def test_causal_mask_is_torch_s():
    q = torch.randn(1, 2, 6, 4)
    expected = F.scaled_dot_product_attention(q, q, q, is_causal=True)
    torch.testing.assert_close(attention(q, q, q, causal_mask(6)), expected, **CLOSE)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_self_attention_equals_multihead_attention(fused, bias):
    torch.manual_seed(0)
    theirs = shake(nn.MultiheadAttention(12, 3, bias=bias, batch_first=True))
    ours = SelfAttention(12, 3, bias=bias)
    state = theirs.state_dict()
    ours.load_state_dict(
        {"to_qkv.weight": state["in_proj_weight"], "to_out.weight": state["out_proj.weight"]}
        | ({"to_qkv.bias": state["in_proj_bias"], "to_out.bias": state["out_proj.bias"]} if bias else {}),
        strict=bias,
    )
    if not bias:
        nn.init.zeros_(ours.to_out.bias)
    use_fused(ours, fused)
    x, mask = torch.randn(2, 5, 12), torch.rand(5, 5) < 0.7
    mask |= torch.eye(5, dtype=torch.bool)
    expected, weights = theirs(x, x, x, attn_mask=~mask, average_attn_weights=False)
    torch.testing.assert_close(ours(x, mask), expected, **CLOSE)
    q, k, _ = (part.unflatten(-1, (3, 4)).transpose(1, 2) for part in ours.to_qkv(x).chunk(3, dim=-1))
    torch.testing.assert_close(attention_weights(q, k, mask), weights, **CLOSE)


@pytest.mark.parametrize("fused", [True, False])
def test_cross_attention_equals_multihead_attention(fused):
    torch.manual_seed(0)
    theirs = shake(nn.MultiheadAttention(12, 3, kdim=6, vdim=6, batch_first=True))
    ours, state = CrossAttention(12, 3, context_width=6), theirs.state_dict()
    biases = state["in_proj_bias"].chunk(3)
    found = {"to_out.weight": state["out_proj.weight"], "to_out.bias": state["out_proj.bias"]}
    for one, bias in zip("qkv", biases, strict=True):
        found |= {f"to_{one}.weight": state[f"{one}_proj_weight"], f"to_{one}.bias": bias}
    ours.load_state_dict(found)
    use_fused(ours, fused)
    x, keys, values = torch.randn(2, 5, 12), torch.randn(2, 7, 6), torch.randn(2, 7, 6)
    torch.testing.assert_close(ours(x, keys, values), theirs(x, keys, values)[0], **CLOSE)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block_equals_transformer_encoder_layer(norm):
    torch.manual_seed(0)
    theirs = shake(nn.TransformerEncoderLayer(12, 3, 20, 0.0, "gelu", batch_first=True, norm_first=norm == "pre"))
    names = {
        "self_attn.in_proj_": "attention.to_qkv.",
        "self_attn.out_proj.": "attention.to_out.",
        "linear1.": "mlp.0.",
        "linear2.": "mlp.2.",
        "norm": "norm",
    }
    state = {
        ours + name.removeprefix(prefix): value
        for name, value in theirs.state_dict().items()
        for prefix, ours in names.items()
        if name.startswith(prefix)
    }
    ours = Block(12, 3, 20, norm=norm, norm_eps=1e-5)
    ours.load_state_dict(state)
    x, mask = torch.randn(2, 5, 12), causal_mask(5)
    with torch.no_grad():
        torch.testing.assert_close(ours(x, mask), theirs(x, src_mask=~mask), **CLOSE)


def test_rotary_positions_equal_transformers():
    x = torch.randn(2, 9, 3, 8)  # GPT-J keeps the heads after the tokens
    sin, cos = create_sinusoidal_positions(9, 8).chunk(2, dim=-1)
    expected = apply_rotary_pos_emb(x, sin[None], cos[None])
    angles = rotary_angles(torch.arange(9.0), 8)
    torch.testing.assert_close(rotate(x.transpose(1, 2), angles).transpose(1, 2), expected, **CLOSE)


def test_sinusoidal_positions_equal_transformers():
    sin, cos = create_sinusoidal_positions(9, 8).chunk(2, dim=-1)
    found = sinusoidal(torch.arange(9.0), 8)
    torch.testing.assert_close(found[:, 0::2], sin, **CLOSE)
    torch.testing.assert_close(found[:, 1::2], cos, **CLOSE)
