"""Datasets and their cache: the same pictures with and without it, after an interruption, and from two processes."""

import copy
import json
import os
import pickle
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from minilib.toybox import SPLITS
from minilib.toybox.cache import cached_rows
from minilib.toybox.datasets import FIELDS, Clips, Scenes, ToyViews
from minilib.toybox.files import PosedImages, load_mesh
from minilib.toybox.render import Stage
from minilib.toybox.scenes import make_scene
from minilib.toybox.shapes import smooth_shaded
from minilib.views import cameras


def same(a, b):
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]) if torch.is_tensor(value) else value == b[name], name


def test_splits_are_disjoint():
    ranges = list(SPLITS.values())
    assert all(a.stop == b.start for a, b in pairwise(ranges))


@pytest.mark.parametrize(
    "make",
    [
        lambda cache: ToyViews("train", num_toys=3, views_per_toy=2, image_size=32, fields=list(FIELDS), cache=cache),
        lambda cache: Scenes("validation", num_scenes=2, image_size=32, fields=list(FIELDS), cache=cache),
        lambda cache: Clips("test", num_clips=2, num_frames=3, image_size=32, fields=list(FIELDS), cache=cache),
    ],
    ids=["views", "scenes", "clips"],
)
def test_cached_and_fresh_items_are_equal(cache, make):
    cached, again, fresh = make(True), make(True), make(False)
    assert len(cached) == len(fresh)
    for index in range(len(fresh)):
        same(cached[index], fresh[index])
        same(again[index], fresh[index])


def test_items_have_the_conventional_shapes_and_ranges(cache):
    data = ToyViews("test", num_toys=2, views_per_toy=3, image_size=48, fields=list(FIELDS))
    item = data[4]
    assert item["seed"] == SPLITS["test"][1]
    assert item["rgb"].shape == (3, 48, 48) and item["rgb"].min() >= -1 and item["rgb"].max() <= 1
    assert item["alpha"].shape == (48, 48) and item["alpha"].max() == 1
    uv, _ = cameras.project(
        cameras.Camera(item["camera_to_world"], item["intrinsics"]), torch.zeros(1, 3, dtype=torch.float64)
    )
    assert torch.allclose(uv, torch.full((1, 2), 0.5, dtype=torch.float64))
    batch = next(iter(torch.utils.data.DataLoader(data, batch_size=6)))
    assert batch["rgb"].shape == (6, 3, 48, 48) and len(batch["caption"]) == 6


def test_workers_and_copies_read_the_files_anew(cache):
    data = ToyViews("train", num_toys=4, views_per_toy=2, image_size=32)
    assert len(pickle.dumps(data)) < 2000
    same(pickle.loads(pickle.dumps(data))[3], data[3])
    loader = torch.utils.data.DataLoader(data, batch_size=8, num_workers=2, multiprocessing_context="spawn")
    assert torch.equal(next(iter(loader))["rgb"], torch.stack([item["rgb"] for item in data]))
    scene = make_scene(0)
    scene.render(image_size=16)
    assert torch.equal(copy.deepcopy(scene).render(image_size=16).rgb, scene.render(image_size=16).rgb)


def test_interrupted_cache_goes_on_where_it_stopped(cache):
    made = []

    def row(index):
        made.append(index)
        if index == 70 and len(made) < 80:
            raise KeyboardInterrupt
        return {"x": np.full((4,), index, np.int32)}

    with pytest.raises(KeyboardInterrupt):
        cached_rows({"name": "t"}, 100, row)
    first = len(made)
    rows = cached_rows({"name": "t"}, 100, row)
    assert (rows["x"][:, 0] == np.arange(100)).all()
    assert len(made) - first <= 100 - 64 + 1
    assert cached_rows({"name": "t"}, 100, row)["x"].shape == (100, 4)


SLOW_ROWS = """
import sys, time
import numpy as np
from minilib.toybox.cache import cached_rows

def row(index):
    time.sleep(0.01)
    print("made", index, flush=True)
    return {"x": np.full((1000,), index, np.int32)}

rows = cached_rows({"name": "shared"}, 150, row)
print("ok" if (rows["x"] == np.arange(150)[:, None]).all() else "torn")
"""


def start(cache):
    environment = {**os.environ, "MINILIB_CACHE": str(cache)}
    return subprocess.Popen([sys.executable, "-c", SLOW_ROWS], stdout=subprocess.PIPE, text=True, env=environment)


def test_two_processes_make_one_cache_together(cache):
    processes = [start(cache), start(cache)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert all(output.strip().endswith("ok") for output in outputs)
    assert sum(output.count("made") for output in outputs) <= 150 + 2


def test_a_killed_process_leaves_a_cache_that_the_next_completes(cache):
    process = start(cache)
    deadline = time.time() + 60
    while not list(cache.glob("*/done")) and time.time() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    output = start(cache).communicate(timeout=60)[0]
    assert output.strip().endswith("ok")
    assert output.count("made") < 150


@pytest.fixture
def nerf_folder(tmp_path):
    """A rendered toy, written in the NeRF convention by hand: OpenGL axes, field of view across."""
    camera = cameras.orbit(0.6, 0.3, 2.9)
    opengl = camera.camera_to_world.numpy() @ np.diag([1.0, -1.0, -1.0, 1.0])
    picture = Image.fromarray(np.full((20, 20, 4), (255, 0, 0, 128), np.uint8), "RGBA")
    picture.save(tmp_path / "r_0.png")
    data = {
        "camera_angle_x": float(np.radians(40)),
        "frames": [{"file_path": "./r_0", "transform_matrix": opengl.tolist()}],
    }
    (tmp_path / "transforms.json").write_text(json.dumps(data))
    return tmp_path, camera


def test_transforms_json(nerf_folder):
    folder, camera = nerf_folder
    data = PosedImages(folder, image_size=10)
    item = data[0]
    assert len(data) == 1 and item["rgb"].shape == (3, 10, 10)
    assert torch.allclose(item["camera_to_world"], camera.camera_to_world)
    assert torch.allclose(item["intrinsics"], camera.intrinsics)
    assert torch.allclose(item["rgb"][:, 5, 5], torch.tensor([1.0, -0.004, -0.004]), atol=0.01)


@pytest.mark.parametrize("suffix", ["glb", "obj", "ply"])
def test_own_meshes(tmp_path, suffix):
    """A red post on a blue plate, as the format stores colours: at the vertices."""
    post, plate = trimesh.creation.box((1, 1, 2)), trimesh.creation.box((1.2, 1.2, 0.2))
    post.visual.vertex_colors, plate.visual.vertex_colors = [255, 0, 0, 255], [0, 0, 255, 255]
    mesh = trimesh.util.concatenate([post, plate.apply_translation((0, 0, -1.1))])
    if suffix == "glb":  # glTF is y-up
        mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
    mesh.export(tmp_path / f"toy.{suffix}")
    items = load_mesh(tmp_path / f"toy.{suffix}")
    by_color = {tuple(np.round(item.color, 2)): np.ptp(item.mesh.vertices, axis=0) for item in items}
    assert set(by_color) == {(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)}
    red, blue = by_color[1.0, 0.0, 0.0], by_color[0.0, 0.0, 1.0]
    assert red[2] == pytest.approx(2 * red[0]) and blue[0] == pytest.approx(6 * blue[2])
    assert max(np.linalg.norm(item.mesh.vertices, axis=1).max() for item in items) == pytest.approx(0.96)
    view = Stage(items).render(cameras.orbit(0.3, 0.2, 2.9), image_size=32)
    assert 0.1 < view.alpha.mean() < 0.6
    assert view.rgb[0, 12, 16] > view.rgb[2, 12, 16]


def test_meshes_with_a_texture_or_a_material(tmp_path):
    picture = Image.fromarray(np.repeat(np.uint8([[[255, 0, 0], [0, 0, 255]]]), 2, axis=0)).resize((64, 64))
    ball = trimesh.creation.icosphere(3)
    uv = np.stack([(ball.vertices[:, 0] > 0) * 0.8 + 0.1, np.full(len(ball.vertices), 0.5)], axis=1)
    ball.visual = trimesh.visual.TextureVisuals(uv=uv, image=picture)
    ball.export(tmp_path / "textured.glb")
    items = load_mesh(tmp_path / "textured.glb")
    assert 1 < len(items) <= 255
    reddest, bluest = (max(items, key=lambda item, k=k: item.color[k]) for k in (0, 2))
    assert reddest.mesh.vertices[:, 0].mean() < -0.2 and bluest.mesh.vertices[:, 0].mean() > 0.2
    box = trimesh.creation.box()
    box.visual = trimesh.visual.TextureVisuals(
        material=trimesh.visual.material.PBRMaterial(baseColorFactor=[0, 255, 0, 255])
    )
    box.export(tmp_path / "plain.glb")
    assert [item.color for item in load_mesh(tmp_path / "plain.glb")] == [pytest.approx((0.0, 1.0, 0.0))]


def test_many_colours_stay_small(tmp_path):
    ball = trimesh.creation.icosphere(4)
    ball.visual.vertex_colors = np.random.default_rng(0).integers(0, 255, (len(ball.vertices), 4))
    ball.export(tmp_path / "many.ply")
    items = load_mesh(tmp_path / "many.ply")
    assert len(items) <= 255 and sum(item.mesh.vertices.nbytes for item in items) < 5120 * 72 * 2


def test_smooth_shading_rounds_a_ball_and_keeps_the_edges_of_a_box():
    ball, box = trimesh.creation.icosphere(3), trimesh.creation.box()
    shaded = smooth_shaded(np.asarray(ball.triangles))
    assert (shaded.normals * shaded.vertices).sum(1).min() > 0.999
    flat = smooth_shaded(np.asarray(box.triangles))
    assert np.allclose(flat.normals, np.repeat(box.face_normals, 3, axis=0))
