"""What is measured of models of views."""

import pytest
import torch
from skimage.metrics import structural_similarity

from minilib.attention.vit import ViT, ViTConfig
from minilib.evaluate.likeness import feature_distance, sharpness, shown, ssim
from minilib.evaluate.views import evaluate_views, held_out
from minilib.metrics import psnr
from minilib.recipes.views_toybox import ViewsToybox


@pytest.fixture(scope="module")
def toys():
    return held_out(ViewsToybox(), 3)


def test_what_is_measured_of_a_model(toys):
    """A model that draws the truth would be infinitely far above copying; one that draws grey is where grey is."""

    class Grey(ViewsToybox):
        def make_views(self, model, views, targets, *, samples=1, **options):
            return torch.zeros(*targets.batch_shape, samples, 3, 64, 64)

    metrics = evaluate_views(Grey(max_views=2), torch.nn.Identity(), num_toys=3, samples=2)
    kinds = ("psnr", "ssim", "distance", "mask_iou", "sharpness")
    several = [f"{start}{kind}_{count}" for count in (1, 2) for start in ("", "copy_") for kind in kinds]
    once = [f"{kind}_{count}" for count in (1, 2) for kind in ("mean2_psnr", "best2_psnr", "gain")]
    assert sorted(metrics) == sorted([*several, *once, "floor_mask_iou", "gain_of_view_2"])
    assert metrics["sharpness_1"]["value"] == 0.0 and metrics["floor_mask_iou"]["value"] > 0.8
    assert metrics["psnr_1"]["value"] == metrics["mean2_psnr_2"]["value"] and metrics["gain_of_view_2"]["value"] == 0.0
    assert metrics["psnr_1"]["value"] == pytest.approx(psnr(torch.zeros(3, 3, 64, 64), toys.truth).mean().item())
    copy = psnr(toys.views.images[:, 0], toys.truth).mean().item()
    assert metrics["copy_psnr_1"]["value"] == pytest.approx(copy)


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


def test_a_blur_is_less_sharp_and_an_outline_is_where_the_picture_is_not_white(toys):
    blurred = torch.nn.functional.avg_pool2d(toys.truth, 5, stride=1, padding=2, count_include_pad=False)
    assert (sharpness(blurred) < 0.8 * sharpness(toys.truth)).all()
    assert sharpness(torch.zeros(1, 3, 8, 8)) == 0
    picture = torch.ones(3, 8, 8)
    picture[1, 2:4, 5] = 0.5
    assert shown(picture).nonzero().tolist() == [[2, 5], [3, 5]]
