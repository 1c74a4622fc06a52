"""Where pictures were taken from: the search, and the fit of a model and its cameras to one object."""

import math
from dataclasses import replace

import pytest
import torch
from view_tools import SMALL

from minilib.views.cameras import Camera, orbit
from minilib.views.denoiser import ViewDenoiser
from minilib.views.inputs import Views
from minilib.views.lifted import Volume
from minilib.views.pose_search import PoseGrid, search_poses
from minilib.views.poses import Adaptation, TurnedCameras, adapt
from minilib.views.relative import relative_to, rotation_error
from minilib.views.volume import Rendering, render, voxel_centers


def painted_ball(camera):
    """Views (m, 3, 16, 16) of a ball whose colours tell its sides apart, from cameras (1, m)."""
    places = voxel_centers(24, 1.05)
    density = 40.0 * (places.norm(dim=-1) < 0.7).float()[None, None]
    seen: Rendering = render(
        places.movedim(-1, 0)[None].float(), density.float(), camera, image_size=16, num_samples=48, extent=1.05
    )
    return (seen.values + (1 - seen.opacity)[:, :, None])[0].clamp(-1, 1)


class KnowsTheBall(torch.nn.Module):
    """In place of `Lifted`: whatever it is shown, it knows the painted ball, as the first of these views sees it."""

    def __init__(self, truth):
        super().__init__()
        self.config, self.truth, self.told = SMALL.lifted, truth, []
        self.pictures = painted_ball(truth[None])

    def number(self, picture):
        return int((self.pictures - picture).abs().flatten(1).sum(1).argmin())

    def forward(self, views):
        self.told.append(views)
        cube, flat = torch.zeros(1, 1, 8, 8, 8), torch.zeros(1, 1, 8, 8)
        return Volume(cube.expand(1, 8, 8, 8, 8), cube, cube, Rendering(cube, flat, flat), views)

    def in_the_world(self, volume, cameras):
        first = self.truth[self.number(volume.views.images[0, 0])]
        turn = torch.eye(4)
        turn[:3, :3] = first.camera_to_world[:3, :3]
        return Camera(turn @ cameras.camera_to_world, cameras.intrinsics)

    def glimpse(self, volume, cameras):
        looks = painted_ball(self.in_the_world(volume, cameras))
        looks = torch.nn.functional.adaptive_avg_pool2d(looks, 8)[None]
        opacity = torch.full(looks[:, :, 0].shape, 0.7)
        return Rendering(looks - 0.3, opacity, looks[:, :, 0])  # three tenths are the white behind


class PaintsTheBall(ViewDenoiser):
    """It guesses the painted ball, as the first of the views that it was shown sees it."""

    def __init__(self, truth):
        super().__init__(SMALL)
        self.lifted = KnowsTheBall(truth)

    def maps(self, volume, targets):
        return self.lifted.in_the_world(volume, targets).camera_to_world, None

    def predict(self, x_t, t, maps):
        assert (t == 999).all()
        return painted_ball(Camera(maps[None], self.lifted.truth.intrinsics[:1].expand(1, len(maps), 3, 3)))


def cameras_at(azimuths, elevations):
    return orbit(torch.tensor(azimuths), torch.tensor(elevations), 2.9).to(torch.float32)


FEW = PoseGrid(azimuths=12, elevations=(0.0, 0.5), finalists=9, starts=2, survivors=2)


@pytest.mark.parametrize("grid", [FEW, PoseGrid(azimuths=12, elevations=(0.0, 0.5))])
def test_cameras_are_found_between_the_places_of_the_grid(grid):
    truth = cameras_at([0.0, 1.0, -1.3], [0.4, 0.1, 0.45])
    model = PaintsTheBall(truth)
    found = search_poses(model, model.lifted.pictures, truth.intrinsics[0], grid)
    assert torch.rad2deg(rotation_error(found, truth)).max() < 4
    assert torch.allclose(found.position.norm(dim=-1), torch.tensor(2.9))
    assert float(found.position[0, 1].abs()) < 1e-6


def test_whoever_has_a_place_tells_the_others():
    truth = cameras_at([0.0, 1.0, -1.3], [0.5, 0.0, 0.5])
    model = PaintsTheBall(truth)
    search_poses(model, model.lifted.pictures, truth.intrinsics[0], replace(FEW, steps=()))
    told = [[model.lifted.number(image) for image in views.images[0]] for views in model.lifted.told]
    assert len(told) == 2 * 3 + 2 * 3  # elevations and survivors
    for block in (told[:3], told[3:6]):
        assert block[0] == [0] and block[1] == block[2] and block[1] in ([0, 1], [0, 2])
    for block in (told[6:9], told[9:]):  # each looks from what all others show
        assert sorted(sorted(one) for one in block) == [[0, 1], [0, 2], [1, 2]]
    first, second = (views.camera[0] for views in model.lifted.told[1:3])
    assert torch.rad2deg(rotation_error(first, second))[1] > 44  # two places are followed up


def test_the_models_guess_decides_among_the_finalists():
    truth = cameras_at([0.0, 1.0, -1.3], [0.5, 0.0, 0.5])
    model, errors = PaintsTheBall(truth), []

    def grey(volume, cameras):
        flat = torch.ones(*cameras.batch_shape, 8, 8)
        return Rendering(torch.zeros(*cameras.batch_shape, 3, 8, 8), flat, flat)

    model.lifted.glimpse = grey
    for finalists in (1, 1000):
        found = search_poses(
            model, model.lifted.pictures, truth.intrinsics[0], replace(FEW, finalists=finalists, steps=())
        )
        errors.append(torch.rad2deg(rotation_error(found, truth)).max())
    assert errors[1] < 20 < errors[0]


def test_a_small_step_is_not_made_where_staying_is_better():
    truth = cameras_at([0.0, math.tau / 12, -math.tau / 6], [0.5, 0.0, 0.5])  # on the grid
    model = PaintsTheBall(truth)
    plain = model.lifted.glimpse

    def misled(volume, cameras):
        seen = plain(volume, cameras)
        if cameras.batch_shape[1] <= 9:  # around a place, which comes first
            seen.values[:, 0] = 9.0
        return seen

    model.lifted.glimpse = misled
    grid = replace(FEW, finalists=1, starts=1, survivors=1)
    found = search_poses(model, model.lifted.pictures, truth.intrinsics[0], grid)
    assert torch.rad2deg(rotation_error(found, truth)).max() < 0.1


def test_more_views_than_in_training_warn_and_are_looked_for():
    truth = cameras_at([0.0, 1.0, -1.3], [0.5, 0.0, 0.5])
    model, grid = PaintsTheBall(truth), replace(FEW, steps=())
    model.max_views = 1
    with pytest.warns(UserWarning, match="3 images: this model was trained with 1 input views at most"):
        found = search_poses(model, model.lifted.pictures, truth.intrinsics[0], grid)
    assert found.batch_shape == (3,)


def test_one_view_is_where_views_are_counted_from():
    camera = search_poses(ViewDenoiser(SMALL), torch.zeros(1, 3, 16, 16), orbit(0.0, 0.0, 2.9).intrinsics)
    assert camera.batch_shape == (1,) and float(camera.position[0, 1].abs()) < 1e-6


def test_turned_cameras_stay_on_their_spheres_and_can_go_anywhere():
    start = orbit(torch.tensor([0.0, 1.0]), 0.3, 2.9).to(torch.float32)
    cameras = TurnedCameras(start)
    assert torch.allclose(cameras().camera_to_world, start.camera_to_world, atol=1e-6)
    with torch.no_grad():
        cameras.turns += torch.tensor([0.0, 0.0, 0.4])
    moved, wanted = cameras(), orbit(torch.tensor([0.0, 1.4]), 0.3, 2.9).to(torch.float32)
    assert torch.allclose(moved.camera_to_world, wanted.camera_to_world, atol=1e-5)
    assert float(rotation_error(moved, start)[1].detach()) == pytest.approx(0.4, abs=1e-3)


def test_a_wrong_camera_moves_to_where_it_fits():
    """The loss is how far the camera is from where it should be: all that is tested is that its gradient arrives."""
    truth = orbit(torch.tensor([0.0, 1.0, 2.0]), 0.3, 2.9).to(torch.float32)
    off = torch.tensor([0.0, 0.15, -0.2])
    cameras = TurnedCameras(orbit(torch.tensor([0.0, 1.0, 2.0]) + off, 0.3, 2.9).to(torch.float32))

    def own(model, camera):
        relative, wanted = relative_to(camera, camera[:1]), relative_to(truth, truth[:1])
        return (relative.camera_to_world - wanted.camera_to_world).square().sum()

    model = ViewDenoiser(SMALL)
    adapt(model, cameras, own, lambda model: torch.zeros(()), Adaptation(steps=100, pose_rate=0.02))
    assert rotation_error(cameras(), truth).max() < 0.01


def test_a_loss_that_is_no_number_ends_the_fit():
    cameras = TurnedCameras(orbit(torch.tensor([0.0, 1.0]), 0.3, 2.9).to(torch.float32))

    def own(model, camera):
        return camera.camera_to_world.sum() * torch.nan

    with pytest.raises(ArithmeticError, match="the loss is nan at step 0 of the adaptation"):
        adapt(ViewDenoiser(SMALL), cameras, own, lambda model: torch.zeros(()), Adaptation(steps=2))


@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_attention_learns_and_nothing_else_and_the_model_itself_stays(rate):
    torch.manual_seed(0)
    model = ViewDenoiser(SMALL).eval().requires_grad_(False)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    camera = orbit(torch.tensor([0.0, 1.0]), 0.3, 2.9).to(torch.float32)
    cameras, calls = TurnedCameras(camera), []

    def own(model, camera):
        views = Views(torch.linspace(-1, 1, 768).reshape(1, 1, 3, 16, 16), camera[None, :1])
        volume, turned = model.observe(views, camera[None, 1:])
        maps, _ = model.maps(volume, turned)
        return model.predict(torch.zeros(1, 3, 16, 16), torch.tensor([500]), maps[0]).square().mean()

    def prior(model):
        calls.append(1)
        return torch.zeros(())

    adapted = adapt(model, cameras, own, prior, Adaptation(steps=2, pose_rate=rate))
    changed = {name for name, value in adapted.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all("attentions" in name for name in changed)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert (cameras.turns[1].abs().max() > 0) == (rate > 0) and cameras.turns[0].abs().max() == 0
    assert len(calls) == 2
    adapt(model, cameras, own, prior, Adaptation(steps=1, prior_weight=0.0))
    assert len(calls) == 2
