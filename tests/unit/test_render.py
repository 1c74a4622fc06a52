"""The renderer against geometry that is known exactly."""

import functools
import math

import numpy as np
import pytest
import torch

from minilib.toybox.catalog import CATEGORIES, make_toy
from minilib.toybox.light import Ground
from minilib.toybox.raycast import RayCaster
from minilib.toybox.render import Item, Stage
from minilib.toybox.shapes import Mesh, ball, box, cylinder, lathe, prism, tube
from minilib.views import cameras

RED = (0.8, 0.1, 0.1)


def dense_ball(radius: float) -> Mesh:
    angle = np.linspace(-math.pi / 2, math.pi / 2, 300)
    return lathe(radius * np.stack([np.cos(angle).round(12), np.sin(angle)], axis=1), segments=600)


def sphere_depth(camera: cameras.Camera, radius: float, size: int) -> torch.Tensor:
    """Depth along z where each pixel's ray first meets a sphere about the origin, inf where it does not."""
    direction = cameras.ray_directions(camera, cameras.pixel_centers(size, size))
    origin = camera.position
    a, b, c = (direction**2).sum(-1), (direction @ origin), origin @ origin - radius**2
    root = b**2 - a * c
    return torch.where(root > 0, (-b - root.clamp(min=0).sqrt()) / a, torch.inf)


@pytest.mark.parametrize("azimuth", [0.3, 2.0, -1.2])
def test_depth_and_normals_of_a_sphere(azimuth):
    camera = cameras.orbit(azimuth, 0.5, 3.0)
    view = Stage([Item(dense_ball(0.8), RED)]).render(camera, image_size=96)
    expected = sphere_depth(camera, 0.8, 96)
    both = torch.isfinite(expected) & torch.isfinite(view.depth)
    differs = torch.isfinite(expected) != torch.isfinite(view.depth)
    assert differs.float().mean() < 2e-3
    near_the_rim = sphere_depth(camera, 0.79, 96).isinf() & both
    inside = both & ~near_the_rim
    assert (view.depth[inside] - expected[inside]).abs().max() < 5e-4
    points = cameras.unproject(camera, cameras.pixel_centers(96, 96)[inside], view.depth[inside].double())
    assert (points.norm(dim=-1) - 0.8).abs().max() < 2e-4
    normals = view.normals.permute(1, 2, 0)[inside].double()
    assert ((normals * points / 0.8).sum(-1) > 0.9995).all()


def test_depth_of_a_box_is_exact_and_unprojects_onto_its_faces():
    camera = cameras.orbit(0.7, 0.4, 3.0)
    half = torch.tensor([0.5, 0.35, 0.4], dtype=torch.float64)
    view = Stage([Item(box(1.0, 0.7, 0.8, radius=0.0), RED)]).render(camera, image_size=128)
    hit = torch.isfinite(view.depth)
    points = cameras.unproject(camera, cameras.pixel_centers(128, 128)[hit], view.depth[hit].double())
    assert (((points.abs() / half).amax(-1)) - 1).abs().max() < 1e-5
    direction = cameras.ray_directions(camera, cameras.pixel_centers(128, 128))
    t1, t2 = (-half - camera.position) / direction, (half - camera.position) / direction
    near, far = torch.minimum(t1, t2).amax(-1), torch.maximum(t1, t2).amin(-1)
    assert ((near < far) != hit).float().mean() < 1e-3
    both = (near < far) & hit
    assert (view.depth[both] - near[both]).abs().max() < 1e-5


def test_depth_of_the_table_is_exact():
    ground = Ground(0.0, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    camera = cameras.orbit(0.2, 0.6, 4.0)
    view = Stage([Item(ball(0.2, 0.2, 0.2).at(0, 0, 0.2), RED)], ground=ground).render(camera, image_size=64)
    table = (view.instance_ids == 0) & torch.isfinite(view.depth)
    points = cameras.unproject(camera, cameras.pixel_centers(64, 64)[table], view.depth[table].double())
    assert points[:, 2].abs().max() < 1e-4


def test_alpha_is_the_covered_share():
    camera = cameras.orbit(0.0, 0.0, 3.0)
    stage = Stage([Item(dense_ball(0.5), RED)])
    coarse = stage.render(camera, image_size=32, supersample=2).alpha
    fine = stage.render(camera, image_size=64, supersample=1).alpha
    assert torch.equal(coarse, torch.nn.functional.avg_pool2d(fine[None], 2)[0])
    angle = math.asin(0.5 / 3.0)
    disc = math.pi * (math.tan(angle) / (2 * math.tan(math.radians(20)))) ** 2
    assert abs(coarse.mean().item() - disc) < 0.01


def test_lamp_side_is_lighter_and_shadow_darkens_the_table():
    ground = Ground(0.0, (0.7, 0.7, 0.7), (0.7, 0.7, 0.7))
    post = Item(cylinder(0.15, 1.2).at(0, 0, 0.6), RED)
    camera = cameras.orbit(math.radians(-40), 0.9, 5.0)
    with_post = Stage([post], ground=ground).render(camera, image_size=64)
    shadow = torch.tensor([[-0.35, 0.3, 0.0]], dtype=torch.float64)
    clear = torch.tensor([[0.6, -0.5, 0.0]], dtype=torch.float64)
    light = []
    for point in (shadow, clear):
        uv, _ = cameras.project(camera, point)
        column, row = (uv[0] * 64).long().tolist()
        light.append(with_post.rgb[:, row, column].mean().item())
    assert light[0] < light[1] - 0.3


@pytest.mark.parametrize(
    "shape", [box(1, 2, 3), ball(1, 1, 2), cylinder(1, 2), tube([(0, 0, 0), (0, 1, 0), (1, 2, 0)], 0.2)]
)
def test_shapes_are_closed_and_face_outwards(shape):
    corners = shape.vertices[shape.faces]
    face_normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((face_normal * shape.normals[shape.faces].mean(1)).sum(1) > 0).all()
    assert np.abs(face_normal.sum(0)).max() < 1e-9
    assert np.allclose(np.linalg.norm(shape.normals, axis=1), 1)


def test_prism_volume():
    shape = prism([(0, 0), (1, 0), (1, 1), (0, 1)], 0.5, bevel=0.0)
    corners = shape.vertices[shape.faces]
    assert abs((corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])).sum() / 6 - 0.5) < 1e-9


def test_any_kind_of_single_camera_renders():
    stage, camera = Stage([Item(ball(0.5, 0.5, 0.5), RED)]), cameras.orbit(0.3, 0.4, 3.0)
    expected = stage.render(camera).rgb
    pose = camera.camera_to_world.float().requires_grad_()
    assert (stage.render(cameras.Camera(pose, camera.intrinsics.half())).rgb - expected).abs().max() < 0.05


def test_both_ray_casters_agree():
    """Embree's answers, and those of the intersector that serves where Embree has no wheel."""
    meshes = [item.mesh for item in make_toy(list(CATEGORIES).index("mug")).items()]
    triangles = np.concatenate([mesh.vertices[mesh.faces] for mesh in meshes])
    camera = cameras.orbit(0.5, 0.4, 2.9)
    directions = cameras.ray_directions(camera, cameras.pixel_centers(24, 24)).reshape(-1, 3).numpy().astype(np.float32)
    origin = camera.position.numpy().astype(np.float32)
    fast, slow = RayCaster(triangles), RayCaster(triangles, embree=False)
    face, depth, u, v = fast.first(origin, directions)
    face2, depth2, u2, v2 = slow.first(origin, directions)
    same = (face == face2) & (face >= 0)
    assert (face == face2).mean() > 0.99
    assert same.sum() > 100
    for ours, theirs in ((depth, depth2), (u, u2), (v, v2)):
        assert np.abs(ours[same] - theirs[same]).max() < 2e-3
    origins = np.broadcast_to(origin, directions.shape).copy()
    assert (fast.any(origins, directions) == slow.any(origins, directions)).mean() > 0.99


def test_pictures_are_the_same_with_the_slower_ray_caster(monkeypatch):
    items, camera = make_toy(list(CATEGORIES).index("gift")).items(), cameras.orbit(0.5, 0.4, 2.9)
    fast = Stage(items).render(camera, image_size=24)
    monkeypatch.setattr("minilib.toybox.render.RayCaster", functools.partial(RayCaster, embree=False))
    slow = Stage(items).render(camera, image_size=24)
    assert torch.equal(fast.part_ids, slow.part_ids)
    assert (fast.rgb - slow.rgb).abs().max() < 1e-3
