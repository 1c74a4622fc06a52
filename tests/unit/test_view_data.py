"""Models of views on other people's data: folders of pictures with cameras."""

import json
import math
import shutil
from dataclasses import replace

import pytest
import torch
import trimesh
from PIL import Image
from view_tools import SMALL

from minilib.evaluate.views import evaluate_views, held_out
from minilib.recipes.view_designs import TransformerToybox
from minilib.recipes.views_toybox import ViewsToybox
from minilib.recipes.zero123_toybox import Zero123Toybox
from minilib.toybox.files import PosedImages, load_mesh
from minilib.toybox.photograph import main
from minilib.toybox.render import Stage
from minilib.training import train
from minilib.views.cameras import Camera, orbit
from minilib.views.transformer import ViewTransformerConfig
from minilib.views.zero123 import Zero123Config
from minilib.weights import load_trained, save_trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two objects for training with 17 views each, one for validation with 13, two for testing with 25."""
    root = tmp_path_factory.mktemp("objects")
    for split, names, views in (("train", "ab", 17), ("validation", "c", 13), ("test", "de", 25)):
        for name in names:
            path = root / split / name
            path.mkdir(parents=True)
            frames = []
            for number in range(views):
                pose = orbit(2 * math.pi * number / views, 0.3, 2.9).camera_to_world
                pose = pose @ torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
                picture = Image.new("RGB", (32, 32), "white") if name in "bd" else Image.new("RGBA", (32, 32))
                picture.paste((10 * number, 30, 30), (8, 8, 24, 24))  # opaque on white, or on nothing
                picture.save(path / f"{number}.png")
                frames.append({"file_path": f"{number}.png", "transform_matrix": pose.tolist()})
            (path / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": frames}))
    return root


def test_each_view_is_in_one_item_at_most(folder):
    data = ViewsToybox(data=str(folder), model=SMALL).make_dataset()
    assert len(data) == 4  # twice eight of 17 views, for two objects
    item = data[0]
    assert item["rgb"].shape == (8, 3, 16, 16) and item["camera_to_world"].dtype == torch.float32
    red = torch.cat([data[number]["rgb"][:, 0, 8, 8] for number in (0, 1)])
    assert len(red.unique()) == 16


def test_where_the_object_is_comes_from_transparency_or_from_white(folder):
    data = ViewsToybox(data=str(folder), model=SMALL).make_dataset()
    transparent, white = data[0], data[2]
    assert ((transparent["alpha"] > 0.5) == (white["alpha"] > 0.5)).float().mean() > 0.9  # but for the seam
    for item in (transparent, white):
        assert item["alpha"][:, 8, 8].min() == 1 and item["alpha"][:, 1, 1].max() == 0
        assert item["rgb"][:, :, 1, 1].min() == 1


def test_an_object_for_testing_is_there_once_with_its_views_mixed(folder):
    recipe = ViewsToybox(data=str(folder), model=SMALL)
    toys = held_out(recipe, 100)
    assert toys.views.images.shape == (2, 12, 3, 16, 16)
    steps = (toys.views.images[0, :, 0, 8, 8].diff() > 0).sum()
    assert 2 <= steps <= 9  # not in the order of the files
    with pytest.raises(ValueError, match="expected at least two objects to measure, got 1 of"):
        held_out(recipe, 100, split="validation")


@pytest.mark.parametrize(
    "recipe",
    [
        ViewsToybox(model=SMALL),
        TransformerToybox(
            model=ViewTransformerConfig(image_size=16, patch_size=8, width=32, depth=1, num_heads=2, hidden=32)
        ),
        Zero123Toybox(model=Zero123Config(widths=(16, 32), attention=(False, True))),
    ],
)
def test_a_model_is_trained_on_a_folder_and_kept_with_it(recipe, folder, tmp_path):

    small = replace(recipe, data=str(folder), train=replace(recipe.train, steps=2, batch_size=2, mixed_precision="no"))
    model = train(small, tmp_path)
    save_trained(small, model, tmp_path)
    kept, _ = load_trained(small.name, tmp_path)
    assert kept == small
    metrics = evaluate_views(kept, load_trained(small.name, tmp_path)[1], samples=1)
    assert metrics[f"psnr_{recipe.max_views}"]["n"] == 2


def test_a_mesh_is_photographed_for_the_recipes(tmp_path):
    ball = trimesh.creation.icosphere(2)
    ball.visual.vertex_colors = [200, 30, 30, 255]
    ball.export(tmp_path / "ball.ply")
    main([str(tmp_path / "ball.ply"), "--folder", str(tmp_path / "train"), "--views", "9", "--image-size", "32"])
    found = PosedImages(tmp_path / "train" / "ball")
    assert len(found) == 9
    stage = Stage(load_mesh(tmp_path / "ball.ply"))
    for item in (found[0], found[8]):
        view = stage.render(Camera(item["camera_to_world"], item["intrinsics"]), image_size=32)
        assert (item["alpha"] - view.alpha).abs().max() <= 1 / 255
        assert (item["rgb"] - view.rgb).abs().max() <= 3 / 255
    shutil.copytree(tmp_path / "train", tmp_path / "validation")
    item = ViewsToybox(data=str(tmp_path), model=SMALL).make_dataset()[0]
    assert item["rgb"].shape == (8, 3, 16, 16) and 0.6 < item["alpha"].mean() < 0.8
