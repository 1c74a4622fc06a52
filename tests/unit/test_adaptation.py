"""SAP3D's adaptation: what it is measured on, and what a step of it sees."""

import pytest
import torch
from view_tools import SMALL, some_toys

from minilib.evaluate.adaptation import arms, own_loss, pose_errors
from minilib.recipes.views_toybox import ViewsToybox
from minilib.studies.adaptation import OFF, object_of, summary
from minilib.views.cameras import orbit
from minilib.views.poses import Adaptation, TurnedCameras

RECIPE = ViewsToybox(model=SMALL, num_toys=6)


@pytest.fixture(scope="module")
def toys():
    return some_toys(2)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = RECIPE.make_model().eval()
    torch.nn.init.normal_(model.unet.conv_out.weight, std=0.1)
    return model.requires_grad_(False)


def test_poses_of_own_pictures_get_a_gradient_and_other_pictures_do_not_count(toys, model):
    thing = object_of(toys, 0, 3)
    cameras = TurnedCameras(thing.camera)
    loss = own_loss(RECIPE, thing.images)(model, cameras())
    loss.backward()
    turns = cameras.turns.grad
    assert turns is not None and turns[0].abs().max() == 0 and turns[1:].abs().min() > 0
    assert torch.equal(loss, own_loss(RECIPE, thing.images)(model, cameras()))
    other = own_loss(RECIPE, thing.images, seed=1)(model, cameras())
    assert not torch.equal(loss, other)


def test_times_leave_out_both_ends(toys, model, monkeypatch):
    seen = []
    losses = ViewsToybox.losses

    def kept(self, model, batch):
        seen.append(batch)
        return losses(self, model, batch)

    monkeypatch.setattr(ViewsToybox, "losses", kept)
    own = own_loss(RECIPE, object_of(toys, 0, 4).images, tasks=8)
    for _ in range(20):
        own(model, object_of(toys, 0, 4).camera)
    times = torch.cat([batch["t"].flatten() for batch in seen])
    assert times.min() >= 20 and times.max() <= 980 and times.max() > 900
    counts = {int(batch["count"][0]) for batch in seen}
    assert counts == {1, 2, 3} and not any(batch["blind"].any() for batch in seen)
    for batch in seen:
        inputs, asked = batch["order"][:, : int(batch["count"][0])], batch["order"][:, -1:]
        assert not (inputs == asked).any() and batch["order"].max() < 4


def test_one_picture_makes_no_pair(toys):
    with pytest.raises(ValueError, match="expected at least two pictures of the object, got 1"):
        own_loss(RECIPE, toys.views.images[0, :1])


def test_an_object_is_told_in_its_first_cameras_axes(toys):
    thing = object_of(toys, 1, 2)
    assert torch.allclose(thing.camera.camera_to_world[0, :3, :3], torch.eye(3), atol=1e-5)
    assert torch.allclose(thing.camera.position.norm(dim=-1), torch.full((2,), 2.9), atol=1e-4)
    assert torch.equal(thing.truth, toys.truth[1]) and thing.target.camera_to_world.shape == (4, 4)


def test_pose_errors_do_not_depend_on_the_world():
    truth = orbit(torch.tensor([0.0, 1.0, 2.0]), 0.3, 2.9).to(torch.float32)
    found = orbit(torch.tensor([0.5, 1.7, 2.5]), 0.3, 2.9).to(torch.float32)
    errors = pose_errors(found, truth)
    assert errors.shape == (2,) and 10 < errors[0] < 12 and errors[1] < 0.01


def test_all_arms_are_measured(toys, model):
    data, config = RECIPE.make_dataset(), Adaptation(steps=1)
    alone = arms(RECIPE, model, object_of(toys, 0, 1), data, config)
    assert set(alone) == {"known", "none"} and alone["known"] == pytest.approx(alone["none"], abs=1e-3)
    found = arms(RECIPE, model, object_of(toys, 0, 2), data, config)
    assert set(found) == {"known", "none", "true", "frozen", "refined", *OFF}
    assert found["near_before"] == float(found["error_before"] < 15)
    assert found["true"] != found["known"] and found["frozen"] != found["refined"]


def test_the_summary_pairs_toys():
    rows = []
    for toy in range(3):
        for count, gain in ((1, 0.0), (2, 1.0), (3, 2.0), (5, 3.0)):
            row = {"toy": toy, "count": count, "known": 17.0 + toy, "none": 16.0 + toy + gain / 2}
            if count > 1:
                row |= {"true": 20.0, "frozen": 16.0 + toy, "refined": 16.0 + toy + gain}
                row |= {"error_before": 20.0, "error_after": 10.0, "near_before": 0.5, "near_after": 1.0}
            if count == 5:
                row |= {"forgetting": -0.1, "forgetting_without_prior": -1.0}
            rows.append(row)
    rows[-2]["refined"] = 16.0  # the third toy falls once
    found = summary(rows)
    assert found["refined_gain_5"]["value"] == pytest.approx(3.0) and found["refined_gain_5"]["ci95"] == [3.0, 3.0]
    assert found["monotone"]["value"] == pytest.approx(2 / 3)
    assert found["refined_minus_frozen_2"]["value"] == pytest.approx(1.0)
    assert "error_before_1" not in found and found["forgetting_without_prior"]["value"] == -1.0
