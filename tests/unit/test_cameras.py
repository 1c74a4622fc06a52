"""Cameras: projection and its inverse, directions, conventions."""

import math

import cv2
import numpy as np
import torch
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from minilib.views import cameras
from minilib.views.relative import inverse_pose, relative_to, rotation_error, spherical_offset, translation_error

angles = st.floats(-math.pi, math.pi)
elevations = st.floats(-1.4, 1.4)


def close(ours, theirs, *, atol=1e-9):
    return torch.allclose(ours, theirs, rtol=0, atol=atol)


@given(angles, elevations, st.floats(1.0, 9.0), st.floats(0.2, 2.0))
def test_projection_round_trip(azimuth, elevation, distance, fov):
    camera = cameras.orbit(azimuth, elevation, distance, fov=fov)
    generator = torch.Generator().manual_seed(0)
    points = 0.5 * torch.randn(50, 3, generator=generator, dtype=torch.float64) / 3
    uv, depth = cameras.project(camera, points)
    assert close(cameras.unproject(camera, uv, depth), points)
    places, far = torch.rand(50, 2, generator=generator, dtype=torch.float64), 1.0 + depth
    again, back = cameras.project(camera, cameras.unproject(camera, places, far))
    assert close(again, places) and close(back, far)


@given(angles, elevations)
def test_pose_is_a_rigid_transform_that_looks_at_the_target(azimuth, elevation):
    camera = cameras.orbit(azimuth, elevation, 3.0, target_height=0.4)
    rotation = camera.camera_to_world[:3, :3]
    assert close(rotation @ rotation.T, torch.eye(3, dtype=torch.float64), atol=1e-12)
    assert abs(torch.linalg.det(rotation) - 1) < 1e-12
    uv, depth = cameras.project(camera, torch.tensor([[0.0, 0.0, 0.4]], dtype=torch.float64))
    assert close(uv, torch.full((1, 2), 0.5, dtype=torch.float64))
    assert abs(depth.item() - 3.0) < 1e-9


def test_axes_are_opencvs():
    """From the front (+x), +y of the world lies to the right, +z up: u grows to the right, v downwards."""
    camera = cameras.orbit(0.0, 0.0, 3.0)
    uv, _ = cameras.project(camera, torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.0, 0.5]], dtype=torch.float64))
    assert uv[0, 0] > 0.5 and abs(uv[0, 1] - 0.5) < 1e-9
    assert uv[1, 1] < 0.5 and abs(uv[1, 0] - 0.5) < 1e-9


def test_field_of_view_reaches_the_borders():
    camera = cameras.orbit(0.0, 0.0, 2.0, fov=math.radians(90))
    uv, _ = cameras.project(camera, torch.tensor([[0.0, 2.0, 0.0], [0.0, -2.0, 0.0]], dtype=torch.float64))
    assert close(uv[:, 0], torch.tensor([1.0, 0.0], dtype=torch.float64))


def test_gradients_flow_through_look_at():
    position = torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64, requires_grad=True)
    camera = cameras.Camera(
        cameras.look_at(position, torch.zeros(3, dtype=torch.float64)), cameras.intrinsics_from_fov(0.7)
    )
    uv, _ = cameras.project(camera, torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float64))
    uv.sum().backward()
    assert position.grad is not None and position.grad.abs().sum() > 0


def some_cameras(*shape, seed=0):
    """Random cameras of a batch shape, about half of a sphere apart."""
    count = math.prod(shape)
    some = cameras.random_orbit(count, torch.Generator().manual_seed(seed), distance=(2.0, 4.0))
    return cameras.Camera(some.camera_to_world.unflatten(0, shape), some.intrinsics.unflatten(0, shape))


def test_many_cameras_are_as_each_of_them():
    many = some_cameras(2, 3)
    points = 0.3 * torch.randn(2, 3, 4, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    uv, depth = cameras.project(many, points)
    directions, back = cameras.ray_directions(many, uv), cameras.unproject(many, uv, depth)
    assert close(back, points)
    for i in range(2):
        for j in range(3):
            one_uv, one_depth = cameras.project(many[i, j], points[i, j])
            assert torch.equal(uv[i, j], one_uv) and torch.equal(depth[i, j], one_depth)
            assert torch.equal(directions[i, j], cameras.ray_directions(many[i, j], uv[i, j]))
    for number, azimuth in enumerate(torch.tensor([0.0, 1.0])):
        together = cameras.orbit(torch.tensor([0.0, 1.0]), 0.3, 2.0)
        assert close(together[number].camera_to_world, cameras.orbit(azimuth, 0.3, 2.0).camera_to_world)


def test_directions_are_spread_evenly_over_the_sphere():
    """Archimedes: on a sphere, each coordinate is uniform."""
    some = cameras.random_orbit(20_000, torch.Generator().manual_seed(0), distance=(3.0, 3.0))
    unit = some.position / 3.0
    for axis in range(3):
        found = torch.histc(unit[:, axis], bins=10, min=-1.0, max=1.0) / 2000
        assert (found - 1).abs().max() < 0.1
    zone = cameras.random_orbit(1000, torch.Generator().manual_seed(0), elevation=(0.1, 0.4), distance=(2.0, 3.0))
    height = torch.asin(zone.position[:, 2] / zone.position.norm(dim=-1))
    assert height.min() >= 0.1 and height.max() <= 0.4 and zone.position.norm(dim=-1).min() < 2.05


def test_plucker_rays_are_lines_not_points():
    camera = some_cameras(2)
    rays = cameras.plucker_rays(camera, 6, 8)
    moment, direction = rays[:, :3], rays[:, 3:]
    assert close(direction.norm(dim=1), torch.ones(2, 6, 8, dtype=torch.float64))
    assert (moment * direction).sum(1).abs().max() < 1e-12
    # a camera further along its own axis has the same central line
    pose = camera.camera_to_world.clone()
    pose[:, :3, 3] += 1.7 * pose[:, :3, 2]
    moved = cameras.plucker_rays(cameras.Camera(pose, camera.intrinsics), 5, 5)
    assert close(moved[:, :, 2, 2], cameras.plucker_rays(camera, 5, 5)[:, :, 2, 2])
    # points of a ray satisfy p × d = moment, wherever they are on it
    uv = cameras.pixel_centers(6, 8).expand(2, 6, 8, 2)
    points = cameras.unproject(camera, uv, torch.rand(2, 6, 8, dtype=torch.float64) + 0.5).movedim(-1, 1)
    assert close(torch.linalg.cross(points, direction, dim=1), moment, atol=1e-12)


def test_relative_cameras_do_not_know_where_the_world_is():
    some = some_cameras(2, 4)
    moved = torch.eye(4, dtype=torch.float64)
    moved[:3] = some_cameras(1, seed=5).camera_to_world[0, :3]
    elsewhere = cameras.Camera(moved @ some.camera_to_world, some.intrinsics)
    here = relative_to(some, some[:, :1])
    assert close(here.camera_to_world, relative_to(elsewhere, elsewhere[:, :1]).camera_to_world, atol=1e-12)
    assert close(here.camera_to_world[:, 0], torch.eye(4, dtype=torch.float64).expand(2, 4, 4), atol=1e-12)
    again = relative_to(
        here,
        relative_to(cameras.Camera(torch.eye(4).double().expand(2, 4, 4), some[:, 0].intrinsics), some[:, 0])[:, None],
    )
    assert close(again.camera_to_world, some.camera_to_world, atol=1e-12)


def test_zero123s_numbers():
    reference = cameras.orbit(0.3, 0.2, 2.5)
    assert close(spherical_offset(reference, reference), torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=torch.float64))
    offset = spherical_offset(cameras.orbit(0.3 + math.pi / 2, 0.5, 3.0), reference)
    # higher is less from the z axis
    assert close(offset, torch.tensor([-0.3, 1.0, 0.0, 0.5], dtype=torch.float64))
    turned = spherical_offset(cameras.orbit(1.3 + math.pi / 2, 0.5, 3.0), cameras.orbit(1.3, 0.2, 2.5))
    assert close(offset, turned)


@given(st.floats(1e-8, math.pi - 1e-3))
def test_errors_of_poses_are_angles_and_distances(angle):
    truth = cameras.orbit(0.4, 0.3, 3.0)
    turn = torch.eye(4, dtype=torch.float64)
    turn[0, 0] = turn[1, 1] = math.cos(angle)
    turn[1, 0], turn[0, 1] = math.sin(angle), -math.sin(angle)
    rolled = cameras.Camera(truth.camera_to_world @ turn, truth.intrinsics)
    assert abs(float(rotation_error(rolled, truth)) - angle) < 1e-9
    assert float(translation_error(rolled, truth)) < 1e-12
    assert math.isclose(float(translation_error(cameras.orbit(0.4, 0.3, 4.5), truth)), 1.5)


def test_the_same_point_in_opencv():
    camera = some_cameras(1)[0]
    points = 0.4 * torch.randn(20, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    world_to_camera = inverse_pose(camera.camera_to_world).numpy()
    pixels = camera.intrinsics.numpy() * [[64.0], [48.0], [1.0]]
    rotation, _ = cv2.Rodrigues(world_to_camera[:3, :3])
    theirs, _ = cv2.projectPoints(points.numpy(), rotation, world_to_camera[:3, 3], pixels, None)
    ours = cameras.project(camera, points)[0].numpy() * [64.0, 48.0]
    assert abs(ours - theirs[:, 0]).max() < 1e-9


def test_the_same_rays_in_trimesh():
    """trimesh's cameras are OpenGL's: y up, looking along −z; it counts rows of pixels from below."""
    camera = some_cameras(1)[0]
    scene = trimesh.Scene()
    scene.camera = trimesh.scene.Camera(resolution=(16, 16), fov=(40.0, 40.0))
    scene.camera_transform = camera.camera_to_world.numpy() @ np.diag([1.0, -1.0, -1.0, 1.0])
    origins, directions, pixels = scene.camera_rays()
    ours = cameras.ray_directions(camera, cameras.pixel_centers(16, 16))
    ours = (ours / ours.norm(dim=-1, keepdim=True)).numpy()
    assert np.allclose(origins, camera.position.numpy(), rtol=0, atol=1e-12)
    assert np.allclose(directions, ours[15 - pixels[:, 1], pixels[:, 0]], rtol=0, atol=1e-9)


def test_gradients_reach_the_poses():
    pose = some_cameras(2).camera_to_world.clone().requires_grad_()
    camera = cameras.Camera(pose, some_cameras(2).intrinsics)
    cameras.plucker_rays(camera, 3, 3).square().sum().backward()
    assert pose.grad is not None and pose.grad[:, :3].abs().sum() > 0
    values = torch.zeros(2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: cameras.project(cameras.Camera(p, camera.intrinsics), values)[0], pose)
