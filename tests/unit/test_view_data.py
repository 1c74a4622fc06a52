"""Models of views on other people's data: folders of pictures with cameras."""

import json
import math
from dataclasses import replace

import pytest
import torch
from PIL import Image

from minilib.evaluate.views import held_out
from minilib.recipes.view_designs import TransformerToybox
from minilib.recipes.views_toybox import ViewsToybox
from minilib.training import train
from minilib.views.cameras import orbit
from minilib.views.denoiser import ViewDenoiserConfig
from minilib.views.lifted import LiftedConfig
from minilib.views.transformer import ViewTransformerConfig
from minilib.weights import load_trained, save_trained

SMALL = ViewDenoiserConfig(
    lifted=LiftedConfig(image_size=16, encoder=(8, 16), channels=8, volume_size=8, render_size=8, num_samples=8),
    widths=(16, 32),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two objects for training with 17 views each, and one in each of the other splits with 13."""
    root = tmp_path_factory.mktemp("objects")
    for split, names, views in (("train", "ab", 17), ("validation", "c", 13), ("test", "d", 13)):
        for name in names:
            path = root / split / name
            path.mkdir(parents=True)
            frames = []
            for number in range(views):
                pose = orbit(2 * math.pi * number / views, 0.3, 2.9).camera_to_world
                pose = pose @ torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
                Image.new("RGBA", (32, 32), (10 * number, 30, 30, 255)).save(path / f"{number}.png")
                frames.append({"file_path": f"{number}.png", "transform_matrix": pose.tolist()})
            (path / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": frames}))
    return root


def test_each_view_is_in_one_item_at_most(folder):
    data = ViewsToybox(data=str(folder), model=SMALL).make_dataset()
    assert len(data) == 4  # twice eight of 17 views, for two objects
    item = data[0]
    assert item["rgb"].shape == (8, 3, 16, 16) and item["camera_to_world"].dtype == torch.float32
    red = torch.cat([data[number]["rgb"][:, 0, 0, 0] for number in (0, 1)])
    assert len(red.unique()) == 16


@pytest.mark.parametrize(
    "recipe",
    [
        ViewsToybox(model=SMALL),
        TransformerToybox(
            model=ViewTransformerConfig(image_size=16, patch_size=8, width=32, depth=1, num_heads=2, hidden=32)
        ),
    ],
)
def test_a_model_is_trained_on_a_folder_and_kept_with_it(recipe, folder, tmp_path):

    small = replace(recipe, data=str(folder), train=replace(recipe.train, steps=2, batch_size=2, mixed_precision="no"))
    model = train(small, tmp_path)
    save_trained(small, model, tmp_path)
    kept, _ = load_trained(small.name, tmp_path)
    assert kept == small
    toys = held_out(kept, 100)
    assert toys.views.images.shape == (1, 12, 3, 16, 16)
