"""What is measured of models of views."""

import math
from typing import ClassVar

import pytest
import torch
from skimage.metrics import structural_similarity

from minilib.attention.vit import ViT, ViTConfig
from minilib.evaluate import view_rivals
from minilib.evaluate.common import metric
from minilib.evaluate.likeness import feature_distance, sharpness, ssim
from minilib.evaluate.view_rivals import beside_a_blur, compare_with_rivals, speeds
from minilib.evaluate.views import evaluate_views, held_out, likeness
from minilib.images import shown
from minilib.metrics import psnr
from minilib.recipes.views_toybox import ViewsToybox
from minilib.weights import load_trained


@pytest.fixture(scope="module")
def toys():
    return held_out(ViewsToybox(), 3)


def test_what_is_measured_of_a_model(toys):
    """A model that draws nearly the truth, nearer with more views, and each sample a little less near than the last."""

    class Near(ViewsToybox):
        def make_views(self, model, views, targets, *, samples=1, **options):
            apart = torch.cdist(targets.position[:, 0], toys.target.position)
            truth = toys.truth[apart.argmin(1)][:, None, None]
            off = 0.4 / views.images.shape[1] * (1 + torch.arange(samples))[:, None, None, None]
            return (truth + off * (-1) ** torch.arange(64)).expand(-1, 1, samples, 3, 64, 64)

    metrics = evaluate_views(Near(max_views=2), torch.nn.Identity(), num_toys=3, samples=2)
    kinds = ("psnr", "ssim", "distance", "mask_iou", "sharpness")
    several = [f"{start}{kind}_{count}" for count in (1, 2) for start in ("", "copy_") for kind in kinds]
    once = [f"{kind}_{count}" for count in (1, 2) for kind in ("mean2_psnr", "best2_psnr", "gain")]
    assert sorted(metrics) == sorted([*several, *once, "gain_of_view_2"])
    value = {name: found["value"] for name, found in metrics.items()}
    for name, share in (("psnr_1", 0.2), ("psnr_2", 0.1)):
        assert value[name] == pytest.approx(-20 * math.log10(share))
    assert value["mean2_psnr_2"] == pytest.approx(-20 * math.log10(0.15)) and value["best2_psnr_2"] == value["psnr_2"]
    assert value["gain_of_view_2"] == pytest.approx(20 * math.log10(2)) and value["sharpness_2"] > 1
    assert value["ssim_2"] > value["ssim_1"] and value["distance_2"] < value["distance_1"]
    assert value["copy_mask_iou_1"] < 1
    copy = psnr(toys.views.images[:, 0], toys.truth).mean().item()
    assert value["copy_psnr_1"] == pytest.approx(copy)
    assert value["gain_1"] == pytest.approx(value["mean2_psnr_1"] - copy)


def test_structural_similarity_is_that_of_scikit_image(toys):
    """White around the pictures: the two go on differently beyond the edge."""
    first, second = (
        torch.nn.functional.pad(some, (8,) * 4, value=1.0) for some in (toys.views.images[:, 0], toys.truth)
    )
    for value, *pair in zip(ssim(first, second), first, second, strict=True):
        halves = ((some.double().numpy() + 1) / 2 for some in pair)
        settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
        _, everywhere = structural_similarity(*halves, channel_axis=0, data_range=1.0, **settings)
        assert float(value) == pytest.approx(everywhere.mean(), abs=1e-5)


def test_a_network_sees_no_difference_between_equal_pictures_and_some_between_others(toys):
    torch.manual_seed(0)
    vit = ViT(ViTConfig(image_size=64, patch_size=16, width=32, depth=2, num_heads=2, hidden=64, num_classes=0)).eval()
    assert feature_distance(vit, toys.truth, toys.truth).abs().max() == 0
    there = feature_distance(vit, toys.truth, toys.views.images[:, 0])
    assert torch.equal(there, feature_distance(vit, toys.views.images[:, 0], toys.truth))
    assert there.min() > 0 and there.max() < 4
    assert all(not block._forward_hooks for block in vit.blocks)


def test_the_shipped_vit_finds_a_blur_nearer_than_another_toy(toys):
    _, vit = load_trained("vit-toybox")
    blurred = torch.nn.functional.avg_pool2d(toys.truth, 3, stride=1, padding=1, count_include_pad=False)
    blur, other = (feature_distance(vit, some, toys.truth) for some in (blurred, toys.truth.roll(1, 0)))
    assert (blur > 0).all() and (blur < other).all()


def test_a_blurred_edge_is_less_sharp():
    edge = torch.ones(3, 12, 12)
    edge[:, :, 6:] = -1
    ramp = torch.ones(3, 12, 12)
    ramp[:, :, 4:9] = torch.linspace(0.6, -1, 5)  # as far down, in five steps
    ramp[:, :, 9:] = -1
    assert float(sharpness(ramp) / sharpness(edge)) == pytest.approx((1 / 5) ** 0.5, abs=1e-4)
    assert sharpness(torch.zeros(1, 3, 8, 8)) == 0


def test_what_is_not_white_is_shown():
    picture = torch.ones(3, 8, 8)
    picture[1, 2:4, 5] = 0.5
    picture[:, 7, 7] = 0.95
    assert shown(picture).nonzero().tolist() == [[2, 5], [3, 5]]


class Says(ViewsToybox):
    seen: ClassVar[list[int]] = []

    def make_views(self, model, views, targets, *, samples=1, **options):
        self.seen.append(views.images.shape[1])
        steps = model.step * torch.arange(samples)[:, None, None, None]
        return (model.shade + steps).expand(*targets.batch_shape, samples, 3, 64, 64)


class Shade(torch.nn.Module):
    def __init__(self, shade, step):
        super().__init__()
        self.shade, self.step = shade, step


def test_a_sample_is_compared_with_a_blur_toy_by_toy(monkeypatch):
    """A sample is grey, the regressor says white, in which no outline is."""
    vit, asked = load_trained("vit-toybox"), []
    shipped = {"vit-toybox": vit, "regressor-toybox": (Says(), Shade(1.0, 0.0))}
    monkeypatch.setattr(view_rivals, "load_trained", shipped.__getitem__)
    monkeypatch.setattr(Says, "seen", asked)
    found = beside_a_blur(Says(), Shade(0.0, 0.0), num_toys=3)
    truth = held_out(ViewsToybox(), 3).truth
    grey, white = (likeness(vit[1], torch.full_like(truth, shade), truth) for shade in (0.0, 1.0))
    for kind in ("ssim", "distance", "mask_iou"):
        gap = metric(grey[kind] - white[kind])
        for count in (1, 5):
            measured = found[f"{kind}_over_regressor_{count}"]
            assert [measured["value"], *measured["ci95"]] == pytest.approx([gap["value"], *gap["ci95"]])
    assert found["mask_iou_over_regressor_1"]["value"] == pytest.approx(shown(truth).float().mean().item())
    assert asked == [1, 1, 5, 5]


def test_rivals_are_compared_on_the_same_toys(monkeypatch):
    """Ours draws grey, lighter by 0.2 in each sample; a rival says white; the regressor says grey."""
    told = {"zero123-toybox": Shade(1.0, 0.0), "regressor-toybox": Shade(0.0, 0.0)}
    monkeypatch.setattr(view_rivals, "load_trained", lambda name: (Says(), told[name]))
    found = compare_with_rivals(Says(), Shade(0.0, 0.1), num_toys=3)
    value = {name: row["value"] for name, row in found.items()}
    truth = held_out(ViewsToybox(), 3).truth
    white, grey = (psnr(torch.full_like(truth, shade), truth).mean().item() for shade in (1.0, 0.0))
    mean = psnr(torch.full_like(truth, 0.35), truth).mean().item()
    assert value["zero123_psnr_1"] == pytest.approx(white) and value["regressor_psnr_1"] == pytest.approx(grey)
    assert value["over_zero123_1"] == pytest.approx(grey - white, abs=1e-4)
    assert value["over_zero123_mean8_1"] == pytest.approx(mean - white, abs=1e-4)
    assert value["over_regressor_1"] == pytest.approx(mean - grey, abs=1e-4)
    assert value["regressor_sharpness_1"] == 0 and found["best8_over_regressor_back"]["n"] == 60
    assert value["best8_over_regressor_back"] >= value["mean8_over_regressor_back"] > 0
    assert value["spread_of_backs"] == pytest.approx(torch.arange(8.0).mul(0.1).std().item())


def test_speeds_are_those_of_one_view_and_of_an_orbit():
    asked = []

    class Counts(ViewsToybox):
        def make_views(self, model, views, targets, **options):
            asked.append(targets.batch_shape[1])

    found = speeds(Counts(), torch.nn.Identity(), rounds=2)
    assert asked == [1, 16] * 3 and all(row["n"] == 2 and row["value"] >= 0 for row in found.values())
