"""Cameras: projection and its inverse, directions, conventions."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from minilib.views import cameras

angles = st.floats(-math.pi, math.pi)
elevations = st.floats(-1.4, 1.4)


@given(angles, elevations, st.floats(1.0, 9.0), st.floats(0.2, 2.0))
def test_projection_round_trip(azimuth, elevation, distance, fov):
    camera = cameras.orbit(azimuth, elevation, distance, fov=fov)
    generator = torch.Generator().manual_seed(0)
    points = 0.5 * torch.randn(50, 3, generator=generator, dtype=torch.float64) / 3
    uv, depth = cameras.project(camera, points)
    assert torch.allclose(cameras.unproject(camera, uv, depth), points, atol=1e-9)


@given(angles, elevations)
def test_pose_is_a_rigid_transform_that_looks_at_the_target(azimuth, elevation):
    camera = cameras.orbit(azimuth, elevation, 3.0, target_height=0.4)
    rotation = camera.camera_to_world[:3, :3]
    assert torch.allclose(rotation @ rotation.T, torch.eye(3, dtype=torch.float64), atol=1e-12)
    assert abs(torch.linalg.det(rotation) - 1) < 1e-12
    uv, depth = cameras.project(camera, torch.tensor([[0.0, 0.0, 0.4]], dtype=torch.float64))
    assert torch.allclose(uv, torch.full((1, 2), 0.5, dtype=torch.float64))
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
    assert torch.allclose(uv[:, 0], torch.tensor([1.0, 0.0], dtype=torch.float64))


def test_gradients_flow_through_look_at():
    position = torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64, requires_grad=True)
    camera = cameras.Camera(
        cameras.look_at(position, torch.zeros(3, dtype=torch.float64)), cameras.intrinsics_from_fov(0.7)
    )
    uv, _ = cameras.project(camera, torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float64))
    uv.sum().backward()
    assert position.grad is not None and position.grad.abs().sum() > 0
