"""Bad input gets one clear line that says what was given and what to do. Run without shape checks, as users do."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import minilib.toybox.cache as cache_module
from minilib import errors
from minilib.diffusion import schedules
from minilib.diffusion.ideal import ideal_x0
from minilib.diffusion.process import GaussianDiffusion
from minilib.figures import head_grid, image_grid, overlay
from minilib.images import from_uint8, to_uint8
from minilib.metrics import bootstrap_interval
from minilib.toybox.catalog import make_toy
from minilib.toybox.datasets import Scenes, ToyViews
from minilib.toybox.files import PosedImages, load_mesh
from minilib.toybox.light import Ground
from minilib.toybox.render import Item, Stage
from minilib.toybox.scenes import make_clip, make_scene
from minilib.toybox.shapes import box
from minilib.views import cameras
from minilib.weights import cards

process = GaussianDiffusion(schedules.linear_betas(10))
x0 = torch.rand(2, 3, 4, 4)
now = torch.tensor([0, 9])


def toys(**changes):
    return ToyViews("train", **{"num_toys": 1, "cache": False, **changes})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: process.q_sample(x0, torch.tensor([0, 10]), x0), ValueError, r"t in 0\.\.9 .*got 0\.\.10"),
        (lambda: process.q_sample(x0, torch.tensor([-1, 3]), x0), ValueError, r"t in 0\.\.9 .*got -1\.\.3"),
        (lambda: process.q_sample(x0, torch.tensor([0.0, 1.0]), x0), TypeError, "integer time indices.*float32"),
        (lambda: process.q_sample(x0, torch.tensor([1, 2, 3]), x0), ValueError, r"t of shape \(2,\).*got \(3,\)"),
        (lambda: process.q_sample(x0, now, x0[:1]), ValueError, r"x0 and noise must have one shape.*\(1, 3, 4, 4\)"),
        (lambda: process.q_sample((x0 * 255).byte(), now, x0), TypeError, "floating-point x0, got torch.uint8"),
        (lambda: process.q_posterior(x0, x0[..., :2], now), ValueError, "x0 and x_t must have one shape"),
        (
            lambda: process.predict_x0(x0, x0, now, prediction_type="velocity"),
            ValueError,
            "Unknown prediction type 'velocity'.*epsilon, sample, v_prediction",
        ),
        (
            lambda: process.predict_noise(x0, x0, now, prediction_type="eps"),
            ValueError,
            "Did you mean 'epsilon'",
        ),
        (lambda: GaussianDiffusion(torch.tensor([0.1, 1.2])), ValueError, "beta 1.2 at index 1"),
        (lambda: GaussianDiffusion(torch.ones(2, 2) / 2), ValueError, r"shape \(T,\).*got \(2, 2\)"),
        (lambda: GaussianDiffusion(torch.tensor([1, 2])), TypeError, "floating-point betas, got torch.int64"),
        (
            lambda: schedules.make_betas("cosin", 10),
            ValueError,
            "Unknown noise schedule 'cosin'. Did you mean 'cosine'",
        ),
        (lambda: schedules.linear_betas(0), ValueError, "num_train_timesteps >= 1, got 0"),
        (lambda: schedules.linear_betas(10, beta_start=0.5, beta_end=0.1), ValueError, "beta_start <= beta_end"),
        (
            lambda: schedules.betas_from_alpha_bar(lambda u: 0.5 + 0.4 * torch.cos(9 * u), 10),
            ValueError,
            "expected ᾱ to start at 1 and to fall",
        ),
        (lambda: to_uint8(2 * torch.ones(3, 2, 2)), ValueError, r"values in \[-1, 1\], got 2 to 2.*clip=True"),
        (lambda: to_uint8(torch.full((3, 2, 2), float("nan"))), ValueError, "got NaN values"),
        (lambda: to_uint8(torch.ones(2, 2)), ValueError, r"\(2, 2\)"),
        (lambda: from_uint8(torch.ones(2, 2, 3)), TypeError, "uint8 image.*float32"),
        (lambda: from_uint8(np.ones((2, 2, 3), np.uint8)), TypeError, "uint8 tensor of shape .* got ndarray"),
        (lambda: make_toy(-1), ValueError, r"seed in 0\.\.1199999, got -1"),
        (lambda: make_toy(torch.tensor(3)), TypeError, r"seed of type int, got tensor\(3\)"),
        (lambda: make_scene("3"), TypeError, "seed of type int, got '3'"),
        (lambda: Ground(0.0, (1, 1, 1), (1, 1, 1), pattern="check"), ValueError, "Did you mean 'checks'"),
        (lambda: Ground(0.0, (1, 1, 1), (1, 1, 1), scale=0), ValueError, "scale > 0, got 0"),
        (lambda: Item(box(1, 1, 1), (1, 0, 0), part_id=300), ValueError, "ids in 1..255, got part 300"),
        (lambda: Item(box(1, 1, 1), (255, 0, 0)), ValueError, r"colour in 0..1, got \(255, 0, 0\)"),
        (lambda: cameras.orbit(0, 0, float("nan")), ValueError, "finite distance > 0, got 0 and nan"),
        (lambda: cameras.Camera(torch.eye(4)[None], torch.eye(3)).single(), ValueError, r"one camera.*\(1, 4, 4\)"),
        (lambda: toys(image_size=0), ValueError, "got 0 and 2"),
        (lambda: toys(distance=-1.0), ValueError, "finite distance > 0"),
        (lambda: make_toy(1_200_000), ValueError, r"seed in 0\.\.1199999, got 1200000"),
        (lambda: make_toy(3, category="tabel"), ValueError, "Did you mean 'table'"),
        (lambda: make_toy(3, color="gray"), ValueError, "Unknown toy colour 'gray'. Did you mean 'grey'"),
        (lambda: make_scene(2_000_000), ValueError, "seed in 0"),
        (lambda: make_scene(0, num_toys=9), ValueError, "2 to 5 toys, got 9"),
        (lambda: make_clip(0, num_frames=1), ValueError, "at least 2 frames, got 1"),
        (lambda: Stage([]), ValueError, "at least one item"),
        (lambda: cameras.orbit(0, 2.0, 3.0), ValueError, "elevation in radians.*got 2.0"),
        (lambda: cameras.orbit(0, 0.0, -1.0), ValueError, "finite distance > 0, got 0 and -1.0"),
        (lambda: cameras.intrinsics_from_fov(40.0), ValueError, "field of view in radians.*40.0"),
        (
            lambda: cameras.look_at(torch.tensor([0.0, 0, 3]), torch.zeros(3)),
            ValueError,
            "not parallel to up",
        ),
        (lambda: Stage(make_toy(0).items()).render(cameras.orbit(0, 0, 3), image_size=0), ValueError, "got 0 and 2"),
        (lambda: ToyViews("training", num_toys=1), ValueError, "Unknown split 'training'. Did you mean 'train'"),
        (lambda: toys(fields=["rbg"]), ValueError, "Unknown field 'rbg'. Did you mean 'rgb'"),
        (lambda: toys(num_toys=0), ValueError, "got 0 from number 0 on"),
        (lambda: toys(views_per_toy=0), ValueError, "views_per_toy >= 1, got 0"),
        (lambda: toys()[8], IndexError, r"index in 0\.\.7, got 8"),
        (
            lambda: Scenes("test", num_scenes=100_001, cache=False),
            ValueError,
            "1 to 100000 seeds of split 'test', got 100001",
        ),
    ],
)
def test_message(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_missing_extra_says_what_to_install():
    with pytest.raises(ImportError, match=r"no_such_package is needed.*pip install 'minilib\[live\]'"):
        errors.require("no_such_package", extra="live")


def test_unwritable_cache(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MINILIB_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match="set MINILIB_CACHE to a folder you can write to, or pass cache=False"):
        toys(cache=True)


def test_too_little_room_is_said_before_work_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILIB_CACHE", str(tmp_path))
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"MB are needed and 0 MB are free; set MINILIB_CACHE"):
        toys(cache=True)


def test_full_disk_keeps_what_is_finished(tmp_path):
    """Under a limit on file size the write fails as on a full disk; with the limit lifted the work goes on."""
    code = """
import resource, signal
import numpy as np
from minilib.toybox.cache import cached_rows
def row(index):
    return {"x": np.full((1000,), index, np.int32)}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100 * 4000 + 50, resource.RLIM_INFINITY))
try:
    cached_rows({"name": "full"}, 150, row)
except OSError as error:
    print("said:", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print((cached_rows({"name": "full"}, 150, row)["x"][:, 0] == np.arange(150)).all())
"""
    environment = {**os.environ, "MINILIB_CACHE": str(tmp_path)}
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment).stdout
    assert "said: " in output and "cannot keep rendered pictures" in output
    assert output.strip().endswith("True")


GOOD_FRAME = {"file_path": "a.png", "transform_matrix": np.eye(4).tolist()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "no list of 'frames'"),
        (json.dumps({"frames": []}), "no list of 'frames'"),
        (json.dumps({"frames": [GOOD_FRAME]}), "neither 'camera_angle_x' .* nor 'fl_x'"),
        (json.dumps({"fl_x": 3, "frames": [{"transform_matrix": []}]}), "frame 0 has no 'file_path'"),
        (json.dumps({"fl_x": 3, "frames": [{**GOOD_FRAME, "transform_matrix": [[1]]}]}), "frame 0 needs a 4×4"),
        (
            json.dumps({"fl_x": 3, "frames": [{**GOOD_FRAME, "transform_matrix": (2 * np.eye(4)).tolist()}]}),
            "not a rotation R and a translation: R Rᵀ is off from the identity by 3,",
        ),
        (
            json.dumps({"fl_x": 3, "frames": [{**GOOD_FRAME, "transform_matrix": np.diag([1, 1, -1, 1]).tolist()}]}),
            "by 0, the determinant is -1",
        ),
        (json.dumps({"fl_x": 3, "frames": [1]}), "every frame to be an object"),
        (json.dumps({"fl_x": "x", "frames": [GOOD_FRAME]}), "numbers above 0 for fl_x"),
        (json.dumps({"camera_angle_x": 40, "frames": [GOOD_FRAME]}), "'camera_angle_x' in radians, below pi, got 40"),
        (json.dumps({"fl_x": 3, "k1": 0.1, "frames": [GOOD_FRAME]}), "lens distortion .* is not supported"),
    ],
)
def test_broken_transforms_json(tmp_path, content, message):
    (tmp_path / "transforms.json").write_text(content)
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ValueError, match=message) as caught:
        PosedImages(tmp_path)
    assert "transforms.json" in str(caught.value)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected a transforms.json at"):
        PosedImages(tmp_path)
    data = {"fl_x": 3, "frames": [GOOD_FRAME]}
    (tmp_path / "transforms.json").write_text(json.dumps(data))
    with pytest.raises(FileNotFoundError, match=r"frame 0 names .*a\.png"):
        PosedImages(tmp_path)
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"a\.png is not a picture"):
        PosedImages(tmp_path)[0]
    with pytest.raises(FileNotFoundError, match="expected a mesh file at"):
        load_mesh(tmp_path / "none.glb")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"hello", r"expected a mesh file \(.glb, .*got a.txt"),
        ("a.glb", b"not a glb", "cannot be read as a mesh"),
        ("a.ply", b"ply\nformat ascii 1.0\n", "cannot be read as a mesh"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\n", "holds no triangles|cannot be read"),
        ("b.obj", b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "holds no triangles with an area"),
    ],
)
def test_broken_mesh(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_mesh(tmp_path / name)
    assert name in str(caught.value)


def test_weights_that_do_not_match_their_card(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"sha256": "0"}))
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors, which is missing"):
        cards(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(ValueError, match=r"model\.safetensors has sha256 .* its card says 0"):
        cards(tmp_path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval(torch.ones(1)), "at least two values"),
        (lambda: bootstrap_interval(torch.ones(5), level=95), "level between 0 and 1, got 95"),
        (lambda: image_grid([]), "rows of one length"),
        (lambda: image_grid([x0[:1], x0]), r"rows of one length, got lengths \[1, 2\]"),
        (lambda: image_grid([x0], row_labels=["a", "b"]), "expected 1 row labels or none, got 2"),
        (lambda: image_grid([3 * x0 + 2]), r"values in \[-1, 1\]"),
        (lambda: overlay(x0, x0[:, 0, 1:]), "expected a map for each pixel of images"),
        (lambda: overlay(x0, x0[:, 0], strength=2.0), r"strength in \[0, 1\], got 2.0"),
        (lambda: head_grid([], x0[0], (2, 2)), "rows of one length"),
        (lambda: head_grid([torch.ones(2, 4, 4)], x0[0], (2, 2), num_prefix=1), "expected 1 \\+ 2 · 2 tokens, got 4"),
        (lambda: ideal_x0(process, x0, now, x0[..., :2]), "images and x_t must agree in shape"),
    ],
)
def test_measuring_and_drawing(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_q_sample_compiles_without_a_graph_break():
    """Here, because the run-time type checks of the other tests cannot be compiled."""
    compiled = torch.compile(process.q_sample, fullgraph=True, backend="eager")
    assert torch.equal(compiled(x0, now, x0), process.q_sample(x0, now, x0))
