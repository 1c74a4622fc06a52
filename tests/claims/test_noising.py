"""The measured claims of the chapter on noising, on toys that the chapter does not use."""

import pytest
import torch
import torch.nn.functional as F

from minilib.diffusion.ideal import ideal_x0, image_probabilities
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import make_betas
from minilib.metrics import bootstrap_interval
from minilib.toybox.datasets import ToyViews

COUNT = 60


@pytest.fixture(scope="module")
def toys():
    data = ToyViews("test", num_toys=200, views_per_toy=1, fields=("rgb",), first=1000, cache=False)
    return torch.stack([data[i]["rgb"] for i in range(len(data))])


@pytest.fixture(scope="module")
def shares(toys):
    """Share of the steps at which each toy is recognisable among the 200, by schedule and size."""
    generator, rows, found = torch.Generator().manual_seed(1), torch.arange(COUNT), {}
    for size in (16, 32, 64):
        images = F.avg_pool2d(toys, 64 // size)
        for name in ("linear", "cosine"):
            process, times = GaussianDiffusion(make_betas(name)), range(20, 1000, 40)
            hits = torch.zeros(COUNT)
            for t in times:
                time = torch.full((COUNT,), t)
                x_t = process.q_sample(images[:COUNT], time, torch.randn(images[:COUNT].shape, generator=generator))
                hits += image_probabilities(process, x_t, time, images)[rows, rows] > 0.5
            found[name, size] = hits / len(times)
    return found


@pytest.mark.parametrize("size", [16, 32, 64])
def test_cosine_spends_more_steps_on_recognisable_pictures(shares, size):
    low, _ = bootstrap_interval(shares["cosine", size] - shares["linear", size])
    assert low > 0.15


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize(("small", "large"), [(16, 32), (32, 64)])
def test_larger_pictures_survive_longer_under_the_same_schedule(shares, name, small, large):
    low, _ = bootstrap_interval(shares[name, large] - shares[name, small])
    assert low > 0.03


def test_a_perfect_predictor_only_repeats_its_pictures(toys):
    generator = torch.Generator().manual_seed(2)
    process, images = GaussianDiffusion(make_betas("cosine", 250)), F.avg_pool2d(toys, 4)
    x = torch.randn(8, 3, 16, 16, generator=generator)
    for step in reversed(range(250)):
        t = torch.full((8,), step)
        mean, variance = process.q_posterior(ideal_x0(process, x, t, images), x, t)
        x = mean + variance.sqrt() * torch.randn(x.shape, generator=generator)
    distance = (x[:, None] - images).flatten(2).norm(dim=2).amin(1)
    apart = (images[:, None] - images).flatten(2).norm(dim=2).fill_diagonal_(torch.inf).amin(1)
    assert distance.max() < 0.01 * apart.min()
