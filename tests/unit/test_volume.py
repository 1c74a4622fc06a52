"""Lifting pictures into a volume and rendering it, against what geometry says."""

import math

import pytest
import torch

from minilib.views import volume
from minilib.views.cameras import Camera, orbit, pixel_centers, project, random_orbit
from minilib.views.inputs import turned_to
from minilib.views.relative import rotation_error


def some_cameras(b, n, seed=0):
    some = random_orbit(b * n, torch.Generator().manual_seed(seed), elevation=(-0.3, 1.0)).to(torch.float32)
    return Camera(some.camera_to_world.unflatten(0, (b, n)), some.intrinsics.unflatten(0, (b, n)))


def test_a_picture_of_positions_lifts_to_positions():
    """Features that say where they are in the picture come out as each point's projection."""
    camera = some_cameras(2, 3)
    features = pixel_centers(32, 32).float().movedim(-1, 0).expand(2, 3, 2, 32, 32)
    points = 1.2 * torch.rand(2, 50, 3, generator=torch.Generator().manual_seed(1)) - 0.6
    found, depth = volume.lift(features, camera, points)
    for b in range(2):
        for n in range(3):
            uv, away = project(camera[b, n], points[b])
            assert torch.allclose(found[b, n].mT, uv, atol=1e-5)
            assert torch.allclose(depth[b, n], away, atol=1e-5)


def test_points_that_a_camera_does_not_see_get_nothing():
    camera = some_cameras(1, 1)
    behind = camera.position[0] * 2
    beside = camera.position[0] + camera.camera_to_world[0, :, :3, 2] + 5 * camera.camera_to_world[0, :, :3, 0]
    features = torch.ones(1, 1, 4, 8, 8)
    found, depth = volume.lift(features, camera, torch.stack([behind, beside, torch.zeros(1, 3)], dim=1))
    assert torch.equal(found[0, 0, 0], torch.tensor([0.0, 0.0, 1.0]))
    assert depth[0, 0, 0] < 0 < depth[0, 0, 1]


def test_the_order_of_views_does_not_matter():
    generator = torch.Generator().manual_seed(2)
    values, weights = torch.randn(2, 4, 3, 10, generator=generator), torch.rand(2, 4, 10, generator=generator)
    order = torch.tensor([2, 0, 3, 1])
    for one, other in zip(
        volume.mean_and_variance(values, weights),
        volume.mean_and_variance(values[:, order], weights[:, order]),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-6)
    mean, variance = volume.mean_and_variance(values, torch.ones(2, 4, 10))
    assert torch.allclose(mean, values.mean(1), atol=1e-6)
    assert torch.allclose(variance, values.var(1, correction=0), atol=1e-5)
    unseen = volume.mean_and_variance(values, torch.zeros(2, 4, 10))
    assert all(torch.equal(some, torch.zeros(2, 3, 10)) for some in unseen)


def test_a_volume_is_read_where_its_voxels_are():
    size, extent = 6, 0.9
    centres = volume.voxel_centers(size, extent)
    assert torch.allclose(centres[0, 0, :, 0], torch.linspace(-0.75, 0.75, 6))
    stored = centres.movedim(-1, 0)[None]  # a volume of positions
    inside = 1.4 * torch.rand(1, 40, 3, generator=torch.Generator().manual_seed(3)) - 0.7
    assert torch.allclose(volume.sample_volume(stored, inside, extent).mT, inside, atol=1e-6)
    assert torch.equal(volume.sample_volume(stored, torch.full((1, 1, 3), 5.0), extent), torch.zeros(1, 3, 1))


@pytest.mark.parametrize("voxel", [(2, 9, 12), (8, 8, 8), (13, 4, 6)])
def test_one_voxel_is_seen_where_it_is(voxel):
    size, extent = 16, 0.9
    density = torch.zeros(1, 1, size, size, size)
    density[(0, 0, *voxel)] = 400.0
    where = volume.voxel_centers(size, extent)[voxel]
    camera = some_cameras(1, 3, seed=4)
    values = torch.full((1, 2, size, size, size), 0.5)
    values[:, 1] = -1.0
    seen = volume.render(values, density, camera, image_size=48, num_samples=96, extent=extent)
    for number in range(3):
        uv, depth = project(camera[0, number], where[None])
        opacity = seen.opacity[0, number]
        place = (opacity[..., None] * pixel_centers(48, 48).float()).sum((0, 1)) / opacity.sum()
        assert torch.allclose(place, uv[0], atol=0.01)
        row, column = (uv[0, 1] * 48).long(), (uv[0, 0] * 48).long()
        assert opacity[row, column] > 0.99
        assert abs(seen.depth[0, number, row, column] - depth[0]) < 1.5 * 2 * extent / size
        assert torch.allclose(seen.values[0, number, :, row, column], torch.tensor([0.5, -1.0]), atol=0.02)
        assert opacity[:2].max() < 1e-3


def test_a_cube_of_fog_stops_what_its_thickness_says():
    """A ray through the middle of the faces goes a known way through density σ: 1 − exp(−σ · way) is stopped."""
    extent, sigma = 0.6, 0.7
    density = torch.full((1, 1, 8, 8, 8), sigma)
    camera = orbit(0.0, 0.0, 3.0).to(torch.float32)
    camera = Camera(camera.camera_to_world[None, None], camera.intrinsics[None, None])
    values = torch.ones(1, 1, 8, 8, 8)
    seen = volume.render(values, density, camera, image_size=33, num_samples=400, extent=extent)
    # the last half voxel before each face, as far as samples go, is interpolated with the nothing outside: ¾ are left
    thickness = 2 * extent - 2 * extent / 8 / 4
    assert abs(float(seen.opacity[0, 0, 16, 16]) - (1 - math.exp(-sigma * thickness))) < 1e-3
    assert seen.opacity[0, 0, 0, 0] < 1e-6


def test_ray_weights_are_nerfs_sum():
    generator = torch.Generator().manual_seed(5)
    density, length = 3 * torch.rand(4, 7, generator=generator), torch.rand(4, 7, generator=generator)
    weights = volume.ray_weights(density, length)
    for ray in range(4):
        passed = 1.0
        for i in range(7):
            stopped = 1 - math.exp(-float(density[ray, i] * length[ray, i]))
            assert math.isclose(float(weights[ray, i]), passed * stopped, abs_tol=1e-6)
            passed *= 1 - stopped


def test_what_is_behind_a_camera_is_not_seen():
    solid, values = torch.full((1, 1, 8, 8, 8), 50.0), torch.ones(1, 1, 8, 8, 8)
    pose = torch.eye(4)
    pose[2, 3] = 3.0  # above the volume, looking up
    camera = Camera(pose[None, None], torch.eye(3)[None, None])
    away = volume.render(values, solid, camera, image_size=8, num_samples=8, extent=0.9)
    pose[:3, :3] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    toward = volume.render(values, solid, camera, image_size=8, num_samples=8, extent=0.9)
    assert away.opacity.max() == 0 and toward.opacity.max() > 0.9


def test_gradients_reach_images_and_poses():
    camera = some_cameras(1, 2)
    seeing, asking = (camera.camera_to_world.clone().requires_grad_() for _ in range(2))
    features = torch.rand(1, 2, 3, 16, 16, generator=torch.Generator().manual_seed(6)).requires_grad_()
    points = volume.voxel_centers(8, 0.9).reshape(1, -1, 3)
    lifted, depth = volume.lift(features, Camera(seeing, camera.intrinsics), points)
    mean, _ = volume.mean_and_variance(lifted, (depth > 0).float())
    cube = mean.unflatten(-1, (8, 8, 8))
    asked = Camera(asking, camera.intrinsics)
    seen = volume.render(cube, cube[:, :1], asked, image_size=8, num_samples=8, extent=0.9)
    (seen.values.sum() + seen.depth.sum()).backward()
    assert features.grad is not None and features.grad.abs().sum() > 0
    for pose in (seeing, asking):
        assert pose.grad is not None and bool((pose.grad[..., :3, :].flatten(2).abs().sum(2) > 0).all())


def test_a_turned_world_leaves_no_trace():
    camera = some_cameras(2, 3)
    turn = torch.eye(4).expand(2, 4, 4).clone()
    turn[:, :3, :3] = some_cameras(2, 1, seed=9).camera_to_world[:, 0, :3, :3]
    moved = Camera(turn[:, None] @ camera.camera_to_world, camera.intrinsics)
    here, there = turned_to(camera, camera[:, 0]), turned_to(moved, moved[:, 0])
    assert torch.allclose(here.camera_to_world, there.camera_to_world, atol=1e-5)
    identity = Camera(torch.eye(4).expand(2, 4, 4), camera[:, 0].intrinsics)
    assert rotation_error(here[:, 0], identity).max() < 1e-3
    assert torch.allclose(here.position.norm(dim=-1), camera.position.norm(dim=-1), atol=1e-5)
