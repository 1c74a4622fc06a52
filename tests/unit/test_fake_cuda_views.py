"""The library of views on fake CUDA tensors."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from view_tools import SMALL

from minilib.metrics import psnr
from minilib.recipes.views_toybox import ViewsToybox, rendering_error
from minilib.views.cameras import Camera, plucker_rays
from minilib.views.denoiser import ViewDenoiser
from minilib.views.inputs import Views, turned_to
from minilib.views.relative import check_cameras, relative_to, rotation_error, spherical_offset, translation_error
from minilib.views.transformer import ViewTransformer, ViewTransformerConfig
from minilib.views.zero123 import Zero123, Zero123Config


def some_cameras(*shape):
    return Camera(torch.eye(4, device="cuda").expand(*shape, 4, 4), torch.eye(3, device="cuda").expand(*shape, 3, 3))


def test_cameras_to_each_other():
    with FakeTensorMode():
        some = some_cameras(2, 3)
        check_cameras(some)
        outputs = [
            plucker_rays(some, 4, 4),
            relative_to(some, some[:, :1]).camera_to_world,
            turned_to(some, some[:, 0]).camera_to_world,
            spherical_offset(some, some[:, :1]),
            rotation_error(some, some),
            translation_error(some, some),
        ]
        assert all(output.device.type == "cuda" for output in outputs)


def test_view_denoiser():
    with FakeTensorMode(allow_non_fake_inputs=True):
        with torch.device("cuda"):
            model = ViewDenoiser(SMALL)
        views = Views(torch.zeros(2, 3, 3, 16, 16, device="cuda"), some_cameras(2, 3))
        volume, turned = model.observe(views, some_cameras(2, 2))
        maps, seen = model.maps(volume, turned)
        t = torch.zeros(4, dtype=torch.long, device="cuda")
        x0 = torch.zeros(2, 2, 3, 16, 16, device="cuda")
        predicted = model.predict(x0.flatten(0, 1), t, maps.flatten(0, 1))
        denoise = model.denoiser_of(views, some_cameras(2, 1), guidance_scale=2.0)
        outputs = [
            predicted,
            rendering_error(seen, x0, x0[:, :, 0]),
            denoise(x0[:, 0], t[:2]),
            psnr(predicted, predicted + 1),
        ]
        assert all(output.device.type == "cuda" for output in outputs)


def test_what_a_step_asks():
    recipe = ViewsToybox(model=SMALL)
    drawn = recipe.draw(2, torch.Generator().manual_seed(0))
    drawn["count"] = torch.full((2,), 3)  # how many is read on the host
    images, alpha = torch.zeros(2, 8, 3, 16, 16), torch.zeros(2, 8, 16, 16)
    poses, lenses = torch.eye(4).expand(2, 8, 4, 4), torch.eye(3).expand(2, 8, 3, 3)
    batch = {"rgb": images, "alpha": alpha, "camera_to_world": poses, "intrinsics": lenses, **drawn}
    task = recipe.task(batch)
    assert task.views.images.shape == (2, 3, 3, 16, 16) and task.x_t.shape == (2, 2, 3, 16, 16)


def test_view_transformer():
    config = ViewTransformerConfig(image_size=16, width=32, depth=2, num_heads=2, hidden=32)
    with FakeTensorMode(allow_non_fake_inputs=True):
        with torch.device("cuda"):
            model = ViewTransformer(config)
        views = Views(torch.zeros(2, 3, 3, 16, 16, device="cuda"), some_cameras(2, 3))
        denoise = model.denoiser_of(views, some_cameras(2, 2), guidance_scale=2.0)
        x_t, t = torch.zeros(4, 3, 16, 16, device="cuda"), torch.zeros(4, dtype=torch.long, device="cuda")
        assert denoise(x_t, t).device.type == "cuda"


def test_zero123():
    config = Zero123Config(image_size=16, context_dim=16, widths=(32, 32), attention=(False, True))
    with FakeTensorMode(allow_non_fake_inputs=True):
        with torch.device("cuda"):
            model = Zero123(config)
        image, t = torch.zeros(2, 3, 16, 16, device="cuda"), torch.zeros(2, dtype=torch.long, device="cuda")
        features, offset = torch.zeros(2, 1, 128, device="cuda"), torch.zeros(2, 4, device="cuda")
        denoise = model.denoiser_of(image, features, offset, guidance_scale=3.0)
        assert denoise(image, t).device.type == "cuda"
