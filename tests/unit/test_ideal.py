"""The best denoiser of a finite set, against brute force and against its own defining property."""

import torch

from minilib.diffusion.ideal import ideal_x0, image_probabilities
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import cosine_betas
from minilib.metrics import bootstrap_interval

process = GaussianDiffusion(cosine_betas(50))
generator = torch.Generator().manual_seed(0)
images = torch.rand(20, 2, 3, 3, generator=generator) * 2 - 1


def test_probabilities_are_bayes_rule():
    t = torch.tensor([30, 45])
    x_t = process.q_sample(images[:2], t, torch.randn(2, 2, 3, 3, generator=generator))
    found = image_probabilities(process, x_t, t, images)
    for k in range(2):
        signal, sigma = process.signal_and_noise(t[k : k + 1], x_t[k : k + 1])
        likelihood = torch.distributions.Normal(signal * images, sigma).log_prob(x_t[k]).flatten(1).sum(1)
        assert torch.allclose(found[k], torch.softmax(likelihood, 0), atol=1e-5)


def test_no_constant_or_shrunk_answer_has_a_lower_error():
    count = 4000
    picks = torch.randint(20, (count,), generator=generator)
    t = torch.full((count,), 40)
    x_t = process.q_sample(images[picks], t, torch.randn(count, 2, 3, 3, generator=generator))
    best = ideal_x0(process, x_t, t, images)

    def error(answer):
        return (answer - images[picks]).pow(2).mean()

    for rival in (
        images.mean(0).expand_as(best),
        0.9 * best,
        1.1 * best,
        images[image_probabilities(process, x_t, t, images).argmax(1)],
    ):
        assert error(best) < error(rival)


def test_bootstrap_interval_covers_the_mean_about_as_often_as_it_says():
    hits = 0
    for seed in range(200):
        values = torch.randn(60, generator=torch.Generator().manual_seed(seed)) + 3
        low, high = bootstrap_interval(values, resamples=400, seed=seed)
        hits += low < 3 < high
    assert 0.88 < hits / 200 <= 0.99
