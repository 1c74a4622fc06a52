"""What is measured of views around a toy."""

import math

import pytest
import torch

from minilib.evaluate.orbits import ORBIT, around, front_and_back, orbit_metrics, reprojection_error, seen_by_the_next
from minilib.recipes.views_toybox import ViewsToybox
from minilib.views.cameras import orbit, pixel_centers, ray_directions


@pytest.fixture(scope="module")
def toys():
    return around(3, first=5)


def test_true_views_agree_where_both_see_a_place(toys):
    _, both = seen_by_the_next(toys.depth, toys.views.camera)
    surface = toys.depth.isfinite().flatten(2)
    assert not (both & ~surface).any()
    assert 0.5 < float(both.sum() / surface.sum()) < 1
    floor = reprojection_error(toys.views.images, toys.depth, toys.views.camera)
    assert floor.max() < 0.12
    mixed = toys.views.images.clone()
    mixed[0, ::2] = mixed[1, ::2]  # every other view shows another toy
    there = reprojection_error(mixed, toys.depth, toys.views.camera)
    assert there[0] > 1.5 * floor[0] and torch.equal(there[1:], floor[1:])


def test_only_the_near_side_of_a_wall_is_seen():
    """A wall of 2 × 2 at the origin, seen from the front, from a little to the left, and from behind."""
    camera = orbit(torch.tensor([[0.0, 0.3, math.pi]]), 0.0, 3.0).to(torch.float32)
    uv = pixel_centers(32, 32).to(camera.position).expand(1, 3, 32, 32, 2)
    rays = ray_directions(camera, uv)
    depth = -camera.position[..., 0][..., None, None] / rays[..., 0]
    places = camera.position[:, :, None, None] + depth[..., None] * rays
    depth = torch.where(places[..., 1:].abs().amax(-1) < 0.8, depth, torch.inf)
    points, both = seen_by_the_next(depth, camera)
    assert both[0, 0].sum() > 0.8 * depth[0, 0].isfinite().sum()  # all but the seam
    assert points[0, 0][both[0, 0]][:, 0].abs().max() < 1e-4
    moved = depth.clone()
    moved[0, 1] -= 0.5  # something stands before the second camera
    assert seen_by_the_next(moved, camera)[1][0, 0].sum() == 0
    moved[0, 1] += 1.0  # the second camera looks through the wall, at something behind it
    assert seen_by_the_next(moved, camera)[1][0, 0].sum() == 0


def test_one_colour_agrees_with_itself(toys):
    assert reprojection_error(torch.zeros_like(toys.views.images), toys.depth, toys.views.camera).max() < 1e-6


@pytest.mark.parametrize("jointly", [True, False])
def test_orbits_are_made_of_what_a_model_draws(toys, jointly):
    calls = []

    class Noisy(ViewsToybox):
        def make_views(self, model, views, targets, *, samples=1, seed=0, temperature=0.6, **options):
            calls.append(targets.batch_shape)
            assert temperature == 1.0
            shape = (*targets.batch_shape, samples, 3, 64, 64)
            return 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))

    sampling = {"averaged": (1, 4), "temperature": 1.0}
    metrics = orbit_metrics(Noisy(), torch.nn.Identity(), toys, inputs=2, jointly=jointly, **sampling)
    assert calls == [(1, ORBIT - 2)] * 3 if jointly else calls == [(1, 1)] * 3 * (ORBIT - 2)
    assert metrics["psnr_of_4"]["value"] > metrics["psnr_of_1"]["value"]
    assert metrics["reprojection_of_4"]["value"] < metrics["reprojection_of_1"]["value"]
    assert metrics["psnr_of_1"]["n"] == 3
    floor, strangers = (metrics[f"reprojection_{kind}"]["value"] for kind in ("floor", "strangers"))
    assert floor < 0.1 < strangers


def test_backs_are_seen_from_behind():
    toys = front_and_back(2)
    assert toys.views.images.shape == (2, 2, 3, 64, 64)
    front, back = toys.views.camera.position[0]
    assert front[0] > 2 and back[0] < -2 and torch.allclose(front[2], back[2])
