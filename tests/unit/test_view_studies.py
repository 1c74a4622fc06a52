"""Learning curves of models of views."""

import json
from dataclasses import replace

import pytest
import torch

from minilib.evaluate.views import Toys
from minilib.recipes.views_toybox import ViewsToybox
from minilib.studies.view_designs import CURVE, curve_of, guessed, watched
from minilib.training import train
from minilib.views.cameras import Camera, random_orbit
from minilib.views.denoiser import ViewDenoiserConfig
from minilib.views.inputs import Views
from minilib.views.lifted import LiftedConfig

SMALL = ViewDenoiserConfig(
    lifted=LiftedConfig(image_size=16, encoder=(8, 16), channels=8, volume_size=8, render_size=8, num_samples=8),
    widths=(16, 32),
)


@pytest.fixture(scope="module")
def toys():
    generator = torch.Generator().manual_seed(0)
    some = random_orbit(36, generator, elevation=(-0.3, 1.0)).to(torch.float32)
    camera = Camera(some.camera_to_world.unflatten(0, (3, 12)), some.intrinsics.unflatten(0, (3, 12)))
    return Toys(Views(2 * torch.rand(3, 12, 3, 16, 16, generator=generator) - 1, camera))


@pytest.fixture(scope="module")
def recipe():
    plain = ViewsToybox(model=SMALL, num_toys=2)
    return replace(plain, train=replace(plain.train, steps=4, batch_size=2, sample_every=2, mixed_precision="no"))


def test_a_run_is_measured_on_the_way(recipe, toys, tmp_path):
    train(watched(recipe, toys), tmp_path)
    curve = curve_of(tmp_path)
    assert [row["step"] for row in curve] == [2, 4]
    assert curve[0]["minutes"] < curve[1]["minutes"] and "seconds_measuring" not in curve[0]
    assert all(5 < row[f"psnr_{count}"]["value"] < 20 for row in curve for count in (1, 2, 3, 5))
    assert [row["step"] for row in json.loads((tmp_path / CURVE).read_text())] == [2, 4]


def test_a_guess_does_not_depend_on_which_toys_stand_beside_it(recipe, toys):
    torch.manual_seed(0)
    model = recipe.make_model().eval()
    torch.nn.init.normal_(model.unet.conv_out.weight, std=0.1)
    together = guessed(recipe, model, toys.views[:, :2], toys.target)
    alone = guessed(recipe, model, toys.views[:1, :2], toys.target[:1])
    assert torch.allclose(together[:1], alone, atol=1e-5)
    assert (together - guessed(recipe, model, toys.views[:, :1], toys.target)).abs().max() > 1e-3


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected curve.json of a run in"):
        curve_of(tmp_path)
