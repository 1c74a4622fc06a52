"""The view-conditioned diffusion model: what it may and may not depend on."""

from functools import partialmethod

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from view_tools import SMALL, some_views

from minilib.attention.layers import Heads
from minilib.attention.positions import sinusoidal
from minilib.attention.vit import unpatchify
from minilib.diffusion.samplers import ddim, sampling_times
from minilib.evaluate.views import copied
from minilib.metrics import psnr
from minilib.recipes.view_designs import RegressorToybox, TransformerToybox
from minilib.recipes.views_toybox import ViewsLarge, ViewsToybox
from minilib.recipes.zero123_toybox import Zero123Toybox
from minilib.training import TrainConfig, train
from minilib.views.cameras import Camera, orbit, pixel_centers, ray_directions
from minilib.views.denoiser import ViewDenoiser
from minilib.views.inputs import Views
from minilib.views.lifted import Lifted, LiftedConfig, Volume
from minilib.views.transformer import Moves, ViewTransformer, ViewTransformerConfig
from minilib.views.volume import voxel_centers
from minilib.views.zero123 import Zero123, Zero123Config
from minilib.weights import load_trained, save_trained


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = ViewDenoiser(SMALL).eval()
    torch.nn.init.normal_(model.unet.conv_out.weight, std=0.1)
    return model


def answer(model, views, targets):
    denoise = model.denoiser_of(views, targets)
    noise = torch.randn(
        len(views.images) * targets.batch_shape[1], 3, 16, 16, generator=torch.Generator().manual_seed(1)
    )
    with torch.no_grad():
        return denoise(noise, torch.full((len(noise),), 600))


def test_the_order_of_the_other_views_does_not_matter(model):
    views, targets = some_views(2, 4), some_views(2, 3, seed=5).camera
    order = [0, 3, 1, 2]
    assert torch.allclose(answer(model, views, targets), answer(model, views[:, order], targets), atol=1e-5)


def test_how_the_world_is_turned_does_not_matter(model):
    views, targets = some_views(2, 2), some_views(2, 1, seed=5).camera
    turn = torch.eye(4).repeat(2, 1, 1)
    turn[:, :3, :3] = some_views(2, 1, seed=8).camera.camera_to_world[:, 0, :3, :3]

    def turned(camera):
        return Camera(turn[:, None] @ camera.camera_to_world, camera.intrinsics)

    there = answer(model, Views(views.images, turned(views.camera)), turned(targets))
    assert torch.allclose(answer(model, views, targets), there, atol=1e-4)


def test_a_volume_is_made_once_for_a_toy_and_maps_once_for_its_targets(monkeypatch):
    recipe, calls = ViewsToybox(model=SMALL), []
    model, views = recipe.make_model().eval(), some_views(1, 2)

    def count(part, name):
        plain = getattr(part, name)
        monkeypatch.setattr(part, name, lambda *told: (calls.append((part, name)), plain(*told))[1])

    for part, name in (work := ((model.lifted, "forward"), (model.lifted, "look"), (model.unet, "forward"))):
        count(part, name)
    recipe.make_views(model, views, some_views(1, 3, seed=5).camera, steps=4)
    assert [calls.count(one) for one in work] == [1, 1, 4]


def test_cameras_may_be_more_precise_than_pictures(model):
    """Those of `orbit` are."""
    views, targets = some_views(2, 2), some_views(2, 1, seed=5).camera
    precise = Views(views.images, views.camera.to(torch.float64))
    assert torch.allclose(answer(model, views, targets), answer(model, precise, targets.to(torch.float64)), atol=1e-5)


def test_a_glimpse_shows_the_colours_and_depths_that_the_maps_are_made_of(model):
    views, targets = some_views(2, 2), some_views(2, 3, seed=5).camera
    with torch.no_grad():
        volume, turned = model.observe(views, targets)
        glimpse, (_, seen) = model.lifted.glimpse(volume, turned), model.maps(volume, turned)
    for ours, theirs in zip(glimpse, seen, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert glimpse.values.shape == (2, 3, 3, 8, 8) and glimpse.opacity.max() > 0


def test_it_looks_at_its_views_and_at_where_it_is_asked(model):
    views, targets = some_views(2, 2), some_views(2, 1, seed=5).camera
    before = answer(model, views, targets)
    assert (before - answer(model, Views(-views.images, views.camera), targets)).abs().max() > 1e-3
    assert (before - answer(model, views, some_views(2, 1, seed=6).camera)).abs().max() > 1e-3
    assert (before - answer(model, views[:, :1], targets)).abs().max() > 1e-3


def test_targets_and_objects_do_not_see_each_other(model):
    views, targets = some_views(2, 2), some_views(2, 2, seed=5).camera
    together = model.denoiser_of(views, targets)
    noise = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    t = torch.full((4,), 600)
    alone = model.denoiser_of(views[1:], targets[1:, :1])
    with torch.no_grad():
        assert torch.allclose(together(noise, t)[2:3], alone(noise[2:3], t[:1]), atol=1e-5)


def test_guidance_at_zero_is_blind_and_at_one_is_none(model):
    views, targets = some_views(1, 2), some_views(1, 1, seed=5).camera
    noise, t = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)), torch.full((1,), 600)
    with torch.no_grad():
        blind = model.predict(noise, t, torch.zeros(1, model.lifted.map_channels, 8, 8)).clamp(-1, 1)
        assert torch.allclose(model.denoiser_of(views, targets, guidance_scale=0.0)(noise, t), blind, atol=1e-6)
        one, almost = (model.denoiser_of(views, targets, guidance_scale=s)(noise, t) for s in (1.0, 1.000001))
        assert torch.allclose(one, almost, atol=1e-4)


def test_a_sampler_takes_it_and_samples_stand_beside_each_other(model):
    recipe = ViewsToybox(model=SMALL)
    views, targets = some_views(2, 2), some_views(2, 1, seed=5).camera
    made = recipe.make_views(model, views, targets, samples=3, steps=4, temperature=0.5)
    assert made.shape == (2, 1, 3, 3, 16, 16) and made.abs().max() <= 1.0
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 1, 3, 3, 16, 16, generator=generator)
    denoise = model.denoiser_of(views[1:], targets[1:])
    alone = ddim(denoise, recipe.make_process(), 0.5 * noise[1, 0, 2:3], sampling_times(1000, 4))
    assert torch.allclose(made[1, 0, 2:3], alone, atol=1e-4)
    hot, cold = (recipe.make_views(model, views, targets, samples=3, steps=4, temperature=t) for t in (1.0, 0.0))
    assert hot.std(2).mean() > made.std(2).mean() > 0 and torch.equal(cold[:, :, 0], cold[:, :, 1])


def test_a_step_of_the_recipe_trains_every_weight():
    recipe = ViewsToybox(model=SMALL, num_toys=2)
    torch.manual_seed(0)
    model = recipe.make_model()
    torch.nn.init.normal_(model.unet.conv_out.weight, std=0.1)
    generator = torch.Generator().manual_seed(3)
    views = some_views(4, 8)
    batch = {
        "rgb": views.images,
        "alpha": torch.rand(4, 8, 16, 16, generator=generator),
        "camera_to_world": views.camera.camera_to_world,
        "intrinsics": views.camera.intrinsics,
        **recipe.draw(4, generator),
    }
    batch["count"] = torch.full((4,), 3)
    losses = recipe.losses(model, batch)
    assert losses.shape == (4,)
    losses.mean().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []
    assert all(set(row[:3]).isdisjoint(row[-2:]) for row in batch["order"].tolist())


def test_a_toy_has_all_its_views_and_their_cameras():
    toys = ViewsToybox().objects("validation", 2)
    toy = toys[1]
    assert len(toys) == 2 and toy["rgb"].shape == (8, 3, 64, 64) and toy["camera_to_world"].dtype == torch.float32
    single = toys.views[8 + 3]
    assert torch.equal(single["rgb"], toy["rgb"][3])


def test_copying_takes_the_nearest_view():
    camera = orbit(torch.tensor([[0.0, 1.0, 2.0]]), 0.2, 2.9).to(torch.float32)
    images = torch.stack([torch.full((3, 4, 4), value) for value in (-1.0, 0.0, 1.0)])[None]
    near = orbit(torch.tensor([1.3]), 0.4, 2.9).to(torch.float32)
    assert torch.equal(copied(Views(images, camera), near), images[:, 1])
    assert torch.allclose(psnr(images[:, 0], images[:, 1]), torch.tensor([6.0206]), atol=1e-3)


ZERO = Zero123Config(image_size=16, feature_dim=128, context_dim=16, widths=(32, 32), attention=(True, True))


def zero123():
    torch.manual_seed(0)
    model = Zero123(ZERO).eval()
    for name, weight in model.unet.named_parameters():
        if name.endswith(("to_out.weight", "conv_out.weight")):
            torch.nn.init.normal_(weight, std=0.2)
    return model


@pytest.mark.parametrize("tokens", [1, 3])
def test_one_context_token_tells_all_pixels_the_same(tokens):
    """The trap: a softmax over one key is 1, whatever the query. What is added does not depend on the place."""
    model, generator = zero123(), torch.Generator().manual_seed(2)
    added = []
    for block in (*model.unet.down_blocks, *model.unet.up_blocks):
        for look in block.context_attentions:
            look.register_forward_hook(lambda _, given, out: added.append(out - given[0]))
    x_t, image = torch.randn(2, 2, 3, 16, 16, generator=generator)
    features, offset = torch.randn(2, tokens, 128, generator=generator), torch.randn(2, 4, generator=generator)
    with torch.no_grad():
        model(x_t, torch.tensor([100, 900]), image, features, offset)
    assert len(added) == 6
    for some in added:
        spread = (some - some.mean((2, 3), keepdim=True)).abs().max() / some.abs().max()
        assert spread < 1e-5 if tokens == 1 else spread > 1e-3


def test_blind_zero123_has_no_input_view():
    model, generator = zero123(), torch.Generator().manual_seed(2)
    x_t, one, other = torch.randn(3, 1, 3, 16, 16, generator=generator)
    t, features, offset = torch.tensor([500]), torch.randn(1, 1, 128, generator=generator), torch.zeros(1, 4)
    blind = torch.tensor([True])
    with torch.no_grad():
        assert torch.equal(model(x_t, t, one, features, offset, blind), model(x_t, t, other, -features, offset, blind))
        assert not torch.allclose(model(x_t, t, one, features, offset), model(x_t, t, other, features, offset))
        turned = offset + torch.tensor([[0.0, 1.0, -1.0, 0.0]])
        assert not torch.allclose(model(x_t, t, one, features, offset), model(x_t, t, one, features, turned))
        blindly = model.denoiser_of(one, features, offset, guidance_scale=0.0)(x_t, t)
        assert torch.allclose(blindly, model(x_t, t, one, features, offset, blind).clamp(-1, 1), atol=1e-4)


@pytest.mark.parametrize("patches", [False, True])
def test_a_step_of_zero123s_recipe(patches):
    recipe = Zero123Toybox(model=Zero123Config(widths=(16, 32), attention=(False, True)), num_toys=4, patches=patches)
    data, model = recipe.make_dataset(), recipe.make_model()
    batch = torch.utils.data.default_collate([data[index] for index in range(4)])
    batch |= recipe.draw(4, torch.Generator().manual_seed(0))
    losses = recipe.losses(model, batch)
    assert losses.shape == (4,) and losses.isfinite().all()
    losses.mean().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []
    camera = Camera(batch["camera_to_world"], batch["intrinsics"])
    views = Views(batch["rgb"], camera)
    made = recipe.make_views(model, views[:2, :1], camera[:2, 6:], samples=2, steps=2)
    assert made.shape == (2, 2, 2, 3, 64, 64)


TOKENS = ViewTransformerConfig(image_size=16, patch_size=8, width=32, depth=2, num_heads=2, hidden=32)


@pytest.fixture(scope="module")
def transformer():
    torch.manual_seed(0)
    model = ViewTransformer(TOKENS).eval()
    for name, weight in model.named_parameters():
        if "modulation" in name or name.startswith("out."):
            torch.nn.init.normal_(weight, std=0.3)
    return model


def test_the_transformer_does_not_know_where_the_world_is(transformer):
    """Not only turned: any rigid motion of the world."""
    views, targets = some_views(2, 2), some_views(2, 2, seed=5).camera
    motion = some_views(2, 1, seed=8).camera.camera_to_world

    def moved(camera):
        return Camera(motion @ camera.camera_to_world, camera.intrinsics)

    generator = torch.Generator().manual_seed(1)
    x_t, t = torch.randn(2, 2, 3, 16, 16, generator=generator), torch.full((2, 2), 600)
    with torch.no_grad():
        here = transformer.predict(x_t, t, targets, transformer.remember(views))
        there = transformer.predict(
            x_t, t, moved(targets), transformer.remember(Views(views.images, moved(views.camera)))
        )
        other = transformer.predict(x_t, t, moved(targets), transformer.remember(views))
    assert torch.allclose(here, there, atol=1e-4)
    assert (here - other).abs().max() > 1e-2


def in_one_pass(transformer, views, x_t, t, targets, mask, monkeypatch):
    """Clean and noised views through every block together; `mask` (v, v) says which view may look at which."""
    count, per_view = views.images.shape[1], TOKENS.grid**2
    camera = Camera(
        torch.cat([views.camera.camera_to_world, targets.camera_to_world], 1),
        torch.cat([views.camera.intrinsics, targets.intrinsics], 1),
    )
    x, moves = transformer.tokens(torch.cat([views.images, x_t], 1), camera), Moves(camera, TOKENS)
    times = transformer.time(sinusoidal(t.float(), TOKENS.width))
    condition = torch.cat([transformer.clean.expand(len(x), count, -1), times], 1)
    allowed = mask.repeat_interleave(per_view, 0).repeat_interleave(per_view, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Heads, "forward", partialmethod(Heads.forward, mask=allowed))
        for block in transformer.blocks:
            x, _ = block(x, condition, moves, None)
    shift, scale = transformer.modulation(F.silu(times))[:, :, None].chunk(2, dim=-1)
    pixels = transformer.out(transformer.norm(x[:, count:]) * (1 + scale) + shift)
    return unpatchify(pixels.flatten(0, 1), (TOKENS.grid, TOKENS.grid)).unflatten(0, x_t.shape[:2])


def test_kept_keys_and_values_give_what_one_pass_over_all_views_gives(transformer, monkeypatch):
    views, targets = some_views(2, 3), some_views(2, 2, seed=5).camera
    x_t, t = torch.randn(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(1)), torch.full((2, 2), 600)
    noised = torch.arange(5) >= 3
    mask = noised[:, None] | ~noised  # clean views do not see noised ones
    with torch.no_grad():
        kept = transformer.predict(x_t, t, targets, transformer.remember(views))
        together = in_one_pass(transformer, views, x_t, t, targets, mask, monkeypatch)
        unmasked = in_one_pass(transformer, views, x_t, t, targets, torch.ones_like(mask), monkeypatch)
    assert torch.allclose(kept, together, rtol=1e-5, atol=1e-5)
    assert (kept - unmasked).abs().max() > 1e-3


def test_cached_is_uncached_and_the_order_of_views_does_not_matter(transformer):
    views, targets = some_views(2, 3), some_views(2, 2, seed=5).camera
    noise = torch.randn(12, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    t = torch.full((12,), 600)
    with torch.no_grad():
        cached = transformer.denoiser_of(views, targets, samples=3)(noise, t)
        uncached = transformer.denoiser_of(views, targets, samples=3, cached=False)(noise, t)
        shuffled = transformer.denoiser_of(views[:, [2, 0, 1]], targets, samples=3)(noise, t)
        fewer = transformer.denoiser_of(views[:, :1], targets, samples=3)(noise, t)
    assert torch.allclose(cached, uncached, atol=1e-6)
    assert torch.allclose(cached, shuffled, atol=1e-5)
    assert (cached - fewer).abs().max() > 1e-3


def test_targets_are_drawn_together(transformer):
    views, targets = some_views(1, 2), some_views(1, 2, seed=5).camera
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        both = transformer.denoiser_of(views, targets)(noise, torch.tensor([600, 600]))
        alone = transformer.denoiser_of(views, targets[:, :1])(noise[:1], torch.tensor([600]))
    assert (both[:1] - alone).abs().max() > 1e-3


def test_rays_in_a_query_meet_rays_in_a_key(transformer):
    """GTA's product is qᵀ · world_to_camera_i · camera_to_world_j · k, as written out."""
    camera = some_views(1, 2).camera
    moves = Moves(camera, TOKENS)
    q, k = torch.randn(2, 1, 2, 4, 2, 16, generator=torch.Generator().manual_seed(3))
    moved_q, moved_k = (moves.query(q)[..., :8].unflatten(-1, (2, 4)), moves.key(k)[..., :8].unflatten(-1, (2, 4)))
    relative = torch.linalg.inv(camera.camera_to_world[0, 0]) @ camera.camera_to_world[0, 1]
    relative[:3, 3] /= TOKENS.unit
    expected = torch.einsum("i,ij,j->", q[0, 0, 0, 0, :4], relative, k[0, 1, 0, 0, :4])
    assert torch.allclose((moved_q[0, 0, 0, 0, 0] * moved_k[0, 1, 0, 0, 0]).sum(), expected, atol=1e-5)


@pytest.mark.parametrize(
    "recipe", [TransformerToybox(model=TOKENS, num_toys=2), RegressorToybox(model=SMALL, num_toys=2, start="")]
)
def test_a_step_of_the_other_designs(recipe):
    torch.manual_seed(0)
    model, views = recipe.make_model(), some_views(2, 8)
    batch = {
        "rgb": views.images,
        "alpha": torch.rand(2, 8, 16, 16, generator=torch.Generator().manual_seed(3)),
        "camera_to_world": views.camera.camera_to_world,
        "intrinsics": views.camera.intrinsics,
        **recipe.draw(2, torch.Generator().manual_seed(0)),
    }
    batch["blind"] = torch.zeros(2, dtype=torch.bool)
    losses = recipe.losses(model, batch)
    assert losses.shape == (2,)
    losses.mean().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)  # the last layers begin at zero
    made = recipe.make_views(model, views[:, :2], views.camera[:, 6:], samples=2, steps=2)
    assert made.shape == (2, 2, 2, 3, 16, 16) and made.abs().max() <= 1
    assert torch.equal(made[:, :, 0], made[:, :, 1]) == isinstance(recipe, RegressorToybox)


def test_the_regressor_begins_with_what_the_diffusion_model_has_learnt(tmp_path):
    """Its lifting stays, and is not written a second time."""
    learnt, model = load_trained("views-toybox")[1].state_dict(), RegressorToybox().make_model()
    assert all(torch.equal(value, learnt[name]) for name, value in model.state_dict().items())
    assert all(w.requires_grad == name.startswith("unet.") for name, w in model.named_parameters())
    with pytest.raises(ValueError, match="views-toybox does not fit ViewDenoiser"):
        RegressorToybox(model=SMALL).make_model()
    recipe = RegressorToybox(num_toys=2, train=TrainConfig(steps=1, batch_size=2, warmup_steps=0, learning_rate=0.01))
    trained = train(recipe, tmp_path)
    path = save_trained(recipe, trained, tmp_path)
    assert all(name.startswith("unet.") for name in load_file(path.with_suffix(".safetensors")))
    again = load_trained(recipe.name, tmp_path)[1].state_dict()
    assert all(torch.equal(value.half().float(), again[name]) for name, value in trained.state_dict().items())
    assert not torch.equal(again["unet.conv_in.weight"], learnt["unet.conv_in.weight"])


def ball(camera, size, radius):
    """Views (b, n, 3, size, size) of a ball whose colour is the place on it, on white, and which pixels show it."""
    uv = pixel_centers(size, size).to(camera.position).expand(*camera.batch_shape, size, size, 2)
    rays = torch.nn.functional.normalize(ray_directions(camera, uv), dim=-1)
    start = camera.position[:, :, None, None]
    along = (start * rays).sum(-1)
    inside = along.square() - start.square().sum(-1) + radius**2
    points = start + (-along - inside.clamp(min=0).sqrt())[..., None] * rays
    return torch.where(inside[..., None] > 0, points, 1.0).movedim(-1, 2), inside > 0.02


def test_what_is_looked_up_is_what_the_target_sees():
    """A ball, dense where it is, seen by two cameras: pixels come from where the target's rays meet it."""
    config = LiftedConfig(
        image_size=32, encoder=(8, 16), channels=8, volume_size=32, extent=0.8, render_size=32, num_samples=64
    )
    lifted, azimuths = Lifted(config), torch.tensor([[-0.5, 0.6]])
    camera, target = (orbit(some, 0.3, 2.2).to(torch.float32) for some in (azimuths, torch.tensor([[0.1]])))
    images, _ = ball(camera, 32, 0.6)
    truth, hit = ball(target, 32, 0.6)
    places = voxel_centers(32, 0.8)
    density = 60.0 * (places.norm(dim=-1) < 0.6).float()[None, None]
    values = torch.zeros(1, 8, 32, 32, 32)
    features = torch.zeros(1, 2, 8, 16, 16)
    volume = Volume(values, density, features, lifted._render(values, density, camera), Views(images, camera))
    maps, _ = lifted.look(volume, target)
    start = 8 + 2 + 3 + 8
    for first in (start, start + 12):  # mixed, then of the best view
        pixels = torch.nn.functional.pixel_shuffle(maps[:, 0, first : first + 12], 2)
        error = (pixels - truth[:, 0]).abs().amax(1)[hit[:, 0]]
        assert error.median() < 0.06 and error.quantile(0.9) < 0.2
        mirrored = (pixels.flip(-1) - truth[:, 0]).abs().amax(1)[hit[:, 0]]
        transposed = (pixels.mT - truth[:, 0]).abs().amax(1)[hit[:, 0]]
        assert mirrored.median() > 0.2 and transposed.median() > 0.2
    seen = maps[0, 0, start + 24]
    assert seen[6:10, 6:10].min() > 0.5


def test_half_precision_looks_where_full_precision_does(model):
    """Rays, depths and places stay float32 under autocast: what is looked up differs by rounded features alone."""
    views, targets = some_views(2, 3), some_views(2, 2, seed=5).camera
    with torch.no_grad():
        volume, turned = model.observe(views, targets)
        with torch.autocast("cpu", torch.bfloat16):
            half, again = model.observe(views, targets)
            rendered = model.lifted.look(volume, again)[0]  # the same volume
        full = model.lifted.look(volume, turned)[0]
    assert torch.equal(turned.camera_to_world, again.camera_to_world)
    assert half.seen.depth.dtype == torch.float32
    assert (half.seen.depth - volume.seen.depth).abs().max() < 0.05
    pixels = slice(8 + 2 + 3 + 8, 8 + 2 + 3 + 8 + 24)
    assert torch.allclose(rendered[:, :, pixels], full[:, :, pixels], atol=1e-3)


def test_more_views_than_in_training_warn_and_are_used():
    recipe = ViewsToybox(model=SMALL)
    torch.manual_seed(0)
    model = recipe.make_model().eval()
    torch.nn.init.normal_(model.unet.conv_out.weight, std=0.1)
    views, targets = some_views(1, 6), some_views(1, 1, seed=5).camera
    with pytest.warns(UserWarning, match="6 input views: this model was trained with 5 at most"):
        made = recipe.make_views(model, views, targets, steps=2)
    fewer = recipe.make_views(model, views[:, :5], targets, steps=2)
    assert made.shape == (1, 1, 1, 3, 16, 16) and (made - fewer).abs().max() > 1e-3


def test_the_large_preset_has_the_size_it_says():
    with torch.device("meta"):
        model = ViewsLarge().make_model()
    assert 90e6 < sum(weight.numel() for weight in model.parameters()) < 110e6
