"""Learning curves of models of views."""

import json
from dataclasses import replace

import pytest
import torch
from view_tools import SMALL, some_toys

from minilib import studies
from minilib.metrics import psnr
from minilib.recipes.views_toybox import ViewsToybox
from minilib.studies import view_designs
from minilib.studies.view_designs import CURVE, apart, curve_of, guessed, watched
from minilib.training import train


@pytest.fixture(scope="module")
def toys():
    return some_toys(3)


@pytest.fixture(scope="module")
def recipe():
    plain = ViewsToybox(model=SMALL, num_toys=2)
    return replace(plain, train=replace(plain.train, steps=4, batch_size=2, sample_every=2, mixed_precision="no"))


def test_a_run_is_measured_on_the_way(recipe, toys, tmp_path):
    train(watched(recipe, toys), tmp_path)
    curve = curve_of(tmp_path)
    assert [row["step"] for row in curve] == [2, 4]
    assert curve[0]["minutes"] < curve[1]["minutes"] and "seconds_measuring" not in curve[0]
    assert all(5 < row[f"psnr_{count}"]["value"] < 20 for row in curve for count in (1, 2, 3, 5))
    assert [row["step"] for row in json.loads((tmp_path / CURVE).read_text())] == [2, 4]


def test_a_guess_does_not_depend_on_which_toys_stand_beside_it(recipe, toys):
    torch.manual_seed(0)
    model = recipe.make_model().eval()
    torch.nn.init.normal_(model.unet.conv_out.weight, std=0.1)
    together = guessed(recipe, model, toys.views[:, :2], toys.target)
    alone = guessed(recipe, model, toys.views[:1, :2], toys.target[:1])
    assert torch.allclose(together[:1], alone, atol=1e-5)
    assert (together - guessed(recipe, model, toys.views[:, :1], toys.target)).abs().max() > 1e-3


def test_samples_of_a_trained_design_are_measured_one_by_one_and_together(recipe, toys, monkeypatch):
    def drawn(recipe, model, views, target, *, samples=8):
        assert views.images.shape[:2] == (3, 1)
        made = toys.truth[:, None].repeat(1, samples, 1, 1, 1)
        made[:, 0] *= 0.8
        return made

    monkeypatch.setattr(view_designs, "drawn", drawn)
    found = view_designs.sampled(recipe, recipe.make_model(), toys)
    assert torch.allclose(found["sample_psnr_1"], psnr(0.8 * toys.truth, toys.truth))
    assert torch.allclose(found["mean8_psnr_1"], psnr(0.975 * toys.truth, toys.truth))


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected curve.json of a run in"):
        curve_of(tmp_path)


def test_parts_of_a_study_may_be_measured_on_different_days(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "FOLDER", tmp_path)
    studies.write_study("race", {"hare": 1, "snail": 1})
    studies.write_study("race", {"hare": 2, "hedgehog": 3}, add=True)
    assert studies.read_study("race") == {"hare": 2, "snail": 1, "hedgehog": 3}
    studies.write_study("race", {"hare": 4})
    assert studies.read_study("race") == {"hare": 4}


def test_designs_are_compared_toy_by_toy_where_both_were_measured():
    ours = {"psnr_1": torch.tensor([20.0, 10.0]), "psnr_5": torch.tensor([21.0, 12.0])}
    found = apart(ours, {"psnr_1": torch.tensor([19.0, 7.0])})
    assert set(found) == {"psnr_1"} and found["psnr_1"]["value"] == 2.0 and found["psnr_1"]["n"] == 2
    found = apart(ours, {"psnr_1": torch.tensor([19.0, 9.0]), "psnr_5": torch.tensor([18.0, 9.0])})
    assert (found["psnr_1"]["value"], found["psnr_5"]["value"], found["growth"]["value"]) == (1.0, 3.0, 2.0)
