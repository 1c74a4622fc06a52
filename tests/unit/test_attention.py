"""What attention does by definition: hand-computed cases, masks, positions, maps."""

import math

import pytest
import torch

from minilib.attention import maps
from minilib.attention.blocks import Block
from minilib.attention.layers import CrossAttention, SelfAttention, attention, attention_weights, causal_mask
from minilib.attention.positions import (
    grid_positions,
    resized_positions,
    rotary_angles,
    rotate,
    sinusoidal,
    sinusoidal_2d,
)
from minilib.attention.recorder import record_attention, unfused, use_fused
from minilib.attention.vit import PatchEmbedding, ViT, ViTConfig, patchify, unpatchify
from minilib.diffusion.unet import UNet, UNetConfig

SMALL = ViTConfig(image_size=16, patch_size=4, width=12, depth=3, num_heads=3, hidden=20, num_classes=4)


def shaken_vit(**changes):
    torch.manual_seed(0)
    model = ViT(ViTConfig(**{**SMALL.__dict__, **changes})).eval()
    for parameter in model.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return model


def test_three_tokens_by_hand():
    q = torch.tensor([[2.0, 0.0]])
    k = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    e = [math.exp(x / math.sqrt(2)) for x in (2, 0, -2)]
    torch.testing.assert_close(attention_weights(q, k), torch.tensor([e]) / sum(e))


def test_a_query_that_may_look_nowhere_gathers_zeros_and_leaves_gradients_finite():
    q = torch.randn(1, 2, 3, 4, requires_grad=True)
    mask = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    for gathered in (attention(q, q, q, mask), attention_weights(q, q, mask) @ q):
        assert torch.equal(gathered[0, :, 1], torch.zeros(2, 4))
        assert gathered.isfinite().all()
        (gradient,) = torch.autograd.grad(gathered.sum(), q)
        assert gradient.isfinite().all()


def test_masked_keys_do_not_matter():
    q, k, v = torch.randn(1, 1, 2, 4), torch.randn(1, 1, 3, 4), torch.randn(1, 1, 3, 4)
    mask = torch.tensor([True, True, False])
    expected = attention(q, k[:, :, :2], v[:, :, :2])
    torch.testing.assert_close(attention(q, k, v, mask.expand(2, 3)), expected)


def test_tokens_after_do_not_reach_tokens_before():
    block = Block(8, 2, 16)
    x = torch.randn(1, 5, 8)
    changed = x.clone()
    changed[:, 3:] += 1.0
    one, other = (block(tokens, causal_mask(5)) for tokens in (x, changed))
    torch.testing.assert_close(one[:, :3], other[:, :3])
    assert (one[:, 3:] - other[:, 3:]).abs().max() > 0.1


def test_attention_without_positions_knows_no_order():
    layer, x, order = SelfAttention(8, 2), torch.randn(2, 6, 8), torch.randperm(6)
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order])


def test_sinusoidal_positions():
    found = sinusoidal(torch.arange(7.0), 6)
    for position in range(7):
        for i in range(3):
            angle = position / 10_000 ** (2 * i / 6)
            assert found[position, 2 * i] == pytest.approx(math.sin(angle), abs=1e-6)
            assert found[position, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-6)
    flat = sinusoidal_2d(2, 3, 8)
    torch.testing.assert_close(flat[5], torch.cat([sinusoidal(torch.tensor(1.0), 4), sinusoidal(torch.tensor(2.0), 4)]))


def test_rotated_products_depend_on_the_distance_only():
    q, k = torch.randn(2, 8, dtype=torch.float64)
    rows, columns = grid_positions(5, 5)

    def angles(place):
        return torch.cat([rotary_angles(axis[place], 4) for axis in (rows, columns)])

    def product(i, j):
        return rotate(q[None], angles(i)[None])[0] @ rotate(k[None], angles(j)[None])[0]

    torch.testing.assert_close(product(0, 7), product(12, 19), rtol=1e-5, atol=1e-5)
    assert (product(0, 7) - product(0, 8)).abs() > 1e-3
    torch.testing.assert_close(rotate(q[None], angles(7)[None]).norm(), q.norm(), rtol=1e-6, atol=1e-6)


def test_positions_can_be_resized():
    rows, columns = grid_positions(4, 4)
    positions = torch.stack([rows, columns], dim=1)
    assert torch.equal(resized_positions(positions, (4, 4), (4, 4)), positions)
    larger = resized_positions(positions, (4, 4), (8, 8)).reshape(8, 8, 2)
    torch.testing.assert_close(larger[4, :, 0], larger[4, :1, 0].expand(8))  # rows stay rows
    assert (larger[2:6, :, 0].diff(dim=0) > 0).all()


def test_patches_are_a_convolution_s():
    images = torch.randn(2, 3, 8, 12)
    patches = patchify(images, 4)
    assert patches.shape == (2, 6, 48)
    assert torch.equal(patches[0, 4].reshape(3, 4, 4), images[0, :, 4:8, 4:8])
    assert torch.equal(unpatchify(patches, (2, 3)), images)
    layer = PatchEmbedding(3, 10, 4)
    by_hand = patches @ layer.projection.weight.flatten(1).T + layer.projection.bias
    torch.testing.assert_close(layer(images), by_hand, rtol=1e-5, atol=1e-5)


def test_without_positions_the_order_of_patches_does_not_matter():
    model, images = shaken_vit(), torch.randn(2, 3, 16, 16)
    mixed = unpatchify(patchify(images, 4)[:, torch.randperm(16)], (4, 4))
    assert (model(images) - model(mixed)).abs().max() > 1e-2
    model.positions.data[1:] = model.positions[1]
    torch.testing.assert_close(model(images), model(mixed), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("registers", [0, 2])
def test_recording_changes_nothing(registers):
    model, images = shaken_vit(num_registers=registers), torch.randn(2, 3, 16, 16)
    expected = model(images)
    use_fused(model, False)
    with record_attention(model) as records:
        torch.testing.assert_close(model(images), expected, rtol=1e-5, atol=1e-5)
    model(images)
    n = 17 + registers
    for (weights,) in records.values():
        assert weights.shape == (2, 3, n, n)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, n))


def recorded(model, images):
    use_fused(model, False)
    with record_attention(model) as records:
        logits = model(images)
    return logits, [weights for (weights,) in records.values()]


@torch.no_grad()
@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@pytest.mark.parametrize("discard_ratio", [0.0, 0.7])
def test_rollout_by_hand(fusion, discard_ratio):
    _, layers = recorded(shaken_vit(), torch.randn(2, 3, 16, 16))
    found = maps.rollout(layers, fusion=fusion, discard_ratio=discard_ratio)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 17))
    for b in range(2):
        joint = torch.eye(17)
        for weights in layers:
            fused = {"mean": weights.mean(1), "max": weights.amax(1), "min": weights.amin(1)}[fusion][b].clone()
            lowest = fused.flatten().sort().indices[: int(discard_ratio * 17 * 17)]
            fused.view(-1)[lowest] = 0.0
            step = 0.5 * fused + 0.5 * torch.eye(17)
            joint = torch.diag(1 / step.sum(1)) @ step @ joint
        torch.testing.assert_close(found[b], joint)


def test_relevance_of_three_layers_by_hand_and_of_another_class():
    logits, layers = recorded(shaken_vit(), torch.randn(2, 3, 16, 16))
    score = logits[:, 1].sum()
    gradients = torch.autograd.grad(score, layers, retain_graph=True)
    expected = torch.eye(17).expand(2, 17, 17)
    for weights, gradient in zip(layers, gradients, strict=True):
        expected = expected + torch.einsum("bij,bjk->bik", (gradient * weights).clamp(min=0).mean(1), expected)
    found = maps.relevance(layers, score)
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, maps.relevance(layers, logits[:, 2].sum()))


def test_maps_of_the_unet_at_one_resolution():
    torch.manual_seed(0)
    unet = UNet(UNetConfig(block_out_channels=(8, 8), attention=(True, True), norm_num_groups=4)).eval()
    for parameter in unet.parameters():  # some layers start at zero
        parameter.data.add_(0.2 * torch.randn_like(parameter))
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([3, 500])
    with unfused(unet), record_attention(unet) as records:
        said = unet(x, t)
    layers = [weights for (weights,) in records.values() if weights.shape[-1] == 64]
    assert 2 <= len(layers) < len(records)
    torch.testing.assert_close(maps.rollout(layers).sum(-1), torch.ones(2, 64))
    found = maps.relevance(layers, said[:, :, 4, 4].sum())
    with unfused(unet), record_attention(unet) as records:
        alone = unet(x[:1], t[:1])
    layers = [weights for (weights,) in records.values() if weights.shape[-1] == 64]
    torch.testing.assert_close(maps.relevance(layers, alone[:, :, 4, 4].sum())[0], found[0], rtol=1e-3, atol=1e-5)
    assert not torch.allclose(found[0], torch.eye(64), atol=1e-4)


def test_unfused_leaves_the_model_as_it_was():
    model = shaken_vit()
    model.blocks[1].attention.heads.fused = False
    with pytest.raises(KeyError), unfused(model):
        assert not any(block.attention.heads.fused for block in model.blocks)
        raise KeyError
    assert [block.attention.heads.fused for block in model.blocks] == [True, False, True]


@torch.no_grad()
@pytest.mark.parametrize("fused", [True, False])
def test_rotary_layers_see_differences_only(fused):
    torch.manual_seed(0)
    layer, cross = SelfAttention(8, 2), CrossAttention(8, 2)
    x, y = torch.randn(1, 6, 8), torch.randn(1, 4, 8)
    for module in (layer, cross):
        use_fused(module, fused)
    near, far = (rotary_angles(torch.arange(6.0) + start, 4) for start in (0, 50))
    torch.testing.assert_close(layer(x, angles=near), layer(x, angles=far), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(layer(x, angles=near), layer(x), atol=1e-3)
    both = cross(x, y, rotation=(near, near[:4]))
    torch.testing.assert_close(both, cross(x, y, rotation=(far, far[:4])), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(both, cross(x, y, rotation=(far, near[:4])), atol=1e-3)


def test_attention_distance_of_known_heads():
    own = torch.eye(6).expand(1, 1, 6, 6)
    assert maps.attention_distance(own, (2, 3)) == 0.0
    next_one = torch.zeros(1, 1, 6, 6)
    for i, j in ((0, 1), (1, 2), (2, 1), (3, 4), (4, 5), (5, 4)):
        next_one[0, 0, i, j] = 1.0
    assert maps.attention_distance(next_one, (2, 3)) == 1.0
    with_class = torch.zeros(1, 1, 7, 7)
    with_class[..., 1:, 1:] = 0.25 * next_one
    with_class[..., 0] = 0.75
    assert maps.attention_distance(with_class, (2, 3), num_prefix=1) == 1.0


def test_patch_map_puts_patches_where_they_are():
    weights = torch.zeros(2, 7)
    weights[:, 1 + 5] = 1.0
    found = maps.patch_map(weights, (2, 3), (8, 12), num_prefix=1)
    assert found.shape == (2, 8, 12)
    assert found[0].argmax() // 12 >= 4 and found[0].argmax() % 12 >= 8


def test_entropy_of_known_rows():
    rows = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.25] * 4])
    torch.testing.assert_close(maps.entropy(rows), torch.tensor([0.0, math.log(4)]))


def test_without_the_root_entropy_falls():
    torch.manual_seed(0)
    q, k = torch.randn(64, 128), torch.randn(64, 128)
    with_root, without = attention_weights(q, k), torch.softmax(q @ k.T, dim=-1)
    assert maps.entropy(with_root).mean() > 3.5 > 1.0 > maps.entropy(without).mean()


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, {"num_registers": 2, "layer_scale": 0.5}, {"pool": "mean"}])
def test_the_short_way_to_the_class_token_gives_the_same(changes):
    model, images = shaken_vit(**changes), torch.randn(2, 3, 16, 16)
    tokens = model.tokens(images)
    expected = model.head(tokens[:, model.num_prefix :].mean(1) if changes.get("pool") else tokens[:, 0])
    for fused in (True, False):
        use_fused(model, fused)
        torch.testing.assert_close(model(images), expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_block_for_the_first_tokens_gives_what_all_would(norm):
    torch.manual_seed(0)
    block, x, angles = Block(8, 2, 16, norm=norm), torch.randn(2, 5, 8), rotary_angles(torch.arange(5.0), 4)
    torch.testing.assert_close(block(x, angles=angles, first=2), block(x, angles=angles)[:, :2], rtol=1e-5, atol=1e-6)


def test_every_parameter_of_the_vit_learns():
    model = shaken_vit(num_registers=2, layer_scale=0.5, pool="mean")
    model(torch.randn(2, 3, 16, 16)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in model.parameters())
