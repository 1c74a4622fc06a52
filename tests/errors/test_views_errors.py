"""Bad input to the library of views, as users meet it: without shape checks."""

import math

import pytest
import torch

from minilib.views.cameras import Camera, orbit, plucker_rays, project, random_orbit, ray_directions
from minilib.views.relative import check_cameras

CAMERA = orbit(0.3, 0.2, 2.9)


def changed(**entries):
    """The camera with entries of its pose replaced, such as r00 or t3."""
    pose = CAMERA.camera_to_world.clone()
    for name, value in entries.items():
        pose[int(name[1]), int(name[2])] = value
    return Camera(pose, CAMERA.intrinsics)


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        (Camera(CAMERA.camera_to_world, None), "expected intrinsics (*b, 3, 3) beside the poses, got None"),
        (Camera(CAMERA.camera_to_world[None], CAMERA.intrinsics), "got (1, 4, 4) and (3, 3)"),
        (Camera(CAMERA.camera_to_world[:3], CAMERA.intrinsics), "got (3, 4) and (3, 3)"),
        (changed(r03=math.nan), "expected finite poses and intrinsics, got NaN or infinity"),
        (
            Camera(CAMERA.camera_to_world @ torch.diag(torch.tensor([2.0, 1, 1, 1]).double()), CAMERA.intrinsics),
            "off from the identity by",
        ),
        (
            Camera(CAMERA.camera_to_world @ torch.diag(torch.tensor([-1.0, 1, 1, 1]).double()), CAMERA.intrinsics),
            "got a mirrored one",
        ),
        (changed(r30=0.5), "expected 0 0 0 1 as the last row of camera_to_world"),
        (Camera(CAMERA.camera_to_world, -CAMERA.intrinsics), "expected focal lengths > 0"),
    ],
)
def test_what_is_no_camera(camera, words):
    with pytest.raises(ValueError) as caught:
        check_cameras(camera)
    assert words in str(caught.value)


def test_a_scaled_rotation_says_by_how_much():
    scaled = Camera(CAMERA.camera_to_world.clone(), CAMERA.intrinsics)
    scaled.camera_to_world[:3, :3] *= 1.1
    with pytest.raises(ValueError, match=r"off from the identity by 0\.21"):
        check_cameras(scaled)


def test_orbits_out_of_range():
    generator = torch.Generator()
    with pytest.raises(ValueError, match="expected count >= 1 and bounds"):
        random_orbit(0, generator)
    with pytest.raises(ValueError, match="expected count >= 1 and bounds"):
        random_orbit(3, generator, elevation=(0.5, 0.1))
    with pytest.raises(ValueError, match="expected an elevation in radians"):
        orbit(torch.zeros(2), torch.tensor([0.0, 2.0]), 2.9)
    with pytest.raises(ValueError, match="expected a finite azimuth"):
        orbit(torch.tensor([0.0, math.nan]), 0.0, 2.9)


def test_points_of_other_cameras():
    two = orbit(torch.tensor([0.0, 1.0]), 0.2, 2.9)
    for function, values in ((project, torch.zeros(3, 5, 3)), (ray_directions, torch.zeros(5, 2))):
        with pytest.raises(ValueError, match=r"that begin with the cameras' dimensions \(2,\), got"):
            function(two, values.double())
    assert plucker_rays(two, 2, 2).shape == (2, 6, 2, 2)
