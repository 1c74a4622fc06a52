"""Properties of the noise schedules and the forward process."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minilib.diffusion import guidance, schedules
from minilib.diffusion.process import GaussianDiffusion

SCHEDULES = ["linear", "cosine"]
steps = st.integers(min_value=2, max_value=400)
names = st.sampled_from(SCHEDULES)


@given(names, steps)
def test_snr_falls_monotonically(name, num_steps):
    ratio = schedules.snr(schedules.alphas_cumprod(schedules.make_betas(name, num_steps)))
    assert bool((ratio[1:] < ratio[:-1]).all())


@given(names, st.integers(min_value=2, max_value=400), st.data())
def test_two_steps_merge_into_one(name, num_steps, data):
    """Noising twice gives the signal and the variance of one jump over both steps."""
    t = torch.tensor([data.draw(st.integers(min_value=1, max_value=num_steps - 1))])
    process = GaussianDiffusion(schedules.make_betas(name, num_steps)).double()
    zero, one = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    # What the walk does to the image and to each of its two noises is read off with ones and zeros.
    image = process.q_step(process.q_sample(one, t - 1, zero), t, zero)
    early_noise = process.q_step(process.q_sample(zero, t - 1, one), t, zero)
    late_noise = process.q_step(zero, t, one)
    assert torch.allclose(image, process.q_sample(one, t, zero), atol=1e-6)
    assert torch.allclose(early_noise**2 + late_noise**2, process.q_sample(zero, t, one) ** 2, atol=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_unit_variance_is_preserved(name):
    process = GaussianDiffusion(schedules.make_betas(name, 50))
    signal, sigma = process.signal_and_noise(torch.arange(50), torch.zeros(50, 1))
    assert torch.allclose(signal**2 + sigma**2, torch.ones(50, 1), atol=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_stepwise_noising_has_the_distribution_of_the_closed_form(name):
    """200,000 walks of 30 small steps: mean and variance of their ends are those of one jump."""
    generator = torch.Generator().manual_seed(0)
    process = GaussianDiffusion(schedules.make_betas(name, 40))
    walkers = 200_000
    x = torch.full((walkers, 1), 0.8)
    for t in range(30):
        x = process.q_step(x, torch.full((walkers,), t), torch.randn(walkers, 1, generator=generator))
    signal, sigma = process.signal_and_noise(torch.tensor([29]), torch.zeros(1, 1))
    standard_error = 1 / math.sqrt(walkers)
    assert abs(x.mean() - 0.8 * signal.item()) < 5 * standard_error
    assert abs(x.var() - sigma.item() ** 2) < 5 * math.sqrt(2) * standard_error


@pytest.mark.parametrize("name", SCHEDULES)
def test_posterior_is_bayes_rule(name):
    """On a grid, q(x_{t-1} | x_t, x_0) ∝ q(x_t | x_{t-1}) q(x_{t-1} | x_0), integrated numerically."""
    betas = schedules.make_betas(name, 20)
    cumulative, process = schedules.alphas_cumprod(betas), GaussianDiffusion(betas).double()
    x0, x_t = torch.tensor([[0.4]]).double(), torch.tensor([[-0.3]]).double()
    grid = torch.linspace(-8, 8, 200_001, dtype=torch.float64)
    for t in (1, 7, 15):
        bar, alpha, beta = cumulative[t - 1], 1 - betas[t], betas[t]
        log_density = -((x_t - alpha.sqrt() * grid) ** 2) / (2 * beta) - (grid - bar.sqrt() * x0) ** 2 / (2 * (1 - bar))
        weight = torch.softmax(log_density.flatten(), 0)
        mean, variance = process.q_posterior(x0, x_t, torch.tensor([t]))
        grid_mean = (weight * grid).sum()
        assert abs(grid_mean - mean.item()) < 1e-5
        assert abs((weight * (grid - grid_mean) ** 2).sum() - variance.item()) < 1e-5


def test_posterior_of_the_first_step_is_the_clean_image():
    process = GaussianDiffusion(schedules.cosine_betas(10))
    x0, x_t = torch.rand(3, 2, 4, 4), torch.rand(3, 2, 4, 4)
    mean, variance = process.q_posterior(x0, x_t, torch.zeros(3, dtype=torch.long))
    assert torch.allclose(mean, x0, atol=1e-6)
    assert torch.equal(variance, torch.zeros(3, 1, 1, 1))


@given(names, st.integers(min_value=0, max_value=15), st.sampled_from(["epsilon", "sample", "v_prediction"]))
def test_targets_convert_into_each_other(name, t, prediction_type):
    process = GaussianDiffusion(schedules.make_betas(name, 20)).double()
    generator = torch.Generator().manual_seed(t)
    x0, noise = torch.randn(2, 5, 3, 3, 3, generator=generator, dtype=torch.float64)
    time = torch.full((5,), t)
    x_t = process.q_sample(x0, time, noise)
    velocity = process.velocity(x0, time, noise)
    given = {"epsilon": noise, "sample": x0, "v_prediction": velocity}[prediction_type]
    for found, expected in (
        (process.predict_x0(given, x_t, time, prediction_type=prediction_type), x0),
        (process.predict_noise(given, x_t, time, prediction_type=prediction_type), noise),
        (process.predict_velocity(given, x_t, time, prediction_type=prediction_type), velocity),
    ):
        assert torch.allclose(found, expected, atol=1e-5)


def test_each_image_of_a_batch_gets_its_own_time():
    process = GaussianDiffusion(schedules.linear_betas(100))
    x0, noise, t = torch.rand(4, 3, 4, 4), torch.randn(4, 3, 4, 4), torch.tensor([0, 99, 50, 3])
    together = process.q_sample(x0, t, noise)
    alone = torch.cat([process.q_sample(x0[k : k + 1], t[k : k + 1], noise[k : k + 1]) for k in range(4)])
    assert torch.equal(together, alone)


@pytest.mark.parametrize(
    ("betas", "curve"),
    [
        (schedules.linear_betas(20_000, beta_start=0.1 / 20_000, beta_end=20 / 20_000), schedules.linear_alpha_bar),
        (schedules.cosine_betas(20_000), schedules.cosine_alpha_bar),
    ],
)
def test_many_small_steps_follow_the_continuous_curve(betas, curve):
    u = torch.arange(1, 20_001, dtype=torch.float64) / 20_000
    assert (schedules.alphas_cumprod(betas) - curve(u)).abs().max() < 5e-4


def test_log_snr_is_the_logarithm_of_snr():
    bar = torch.tensor([0.999, 0.5, 1e-4], dtype=torch.float64)
    assert torch.allclose(schedules.log_snr(bar), schedules.snr(bar).log())
    assert schedules.log_snr(bar)[1] == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_data_is_noised_as_well_as_its_precision_allows(dtype):
    """√(1 − β) is 1 in bfloat16: the factors must not be rounded before they are used."""
    process, t = GaussianDiffusion(schedules.linear_betas(1000)), torch.arange(0, 1000, 50)
    x0, noise = torch.randn(2, 20, 3, 4, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
    x_t = process.q_sample(x0, t, noise)
    clean = process.predict_x0(noise, x_t, t, prediction_type="sample")
    pairs = [
        (x_t, process.q_sample(x0.float(), t, noise.float())),
        (process.q_step(x0, t, noise), process.q_step(x0.float(), t, noise.float())),
        (process.velocity(x0, t, noise), process.velocity(x0.float(), t, noise.float())),
        (process.q_posterior(x0, x_t, t)[0], process.q_posterior(x0.float(), x_t.float(), t)[0]),
    ]
    assert clean.dtype == dtype
    for half, full in pairs:
        assert half.dtype == dtype
        assert torch.equal(half, full.to(dtype))


def test_guided_asks_the_blind_one_only_where_it_counts():
    def given(x_t, t):
        return 0.5 * x_t

    def never(x_t, t):
        raise AssertionError("asked")

    x_t, t = torch.tensor([[0.4, -3.0]]), torch.zeros(1, dtype=torch.long)
    assert torch.equal(guidance.guided(given, never, guidance_scale=1.0)(x_t, t), torch.tensor([[0.2, -1.0]]))
    twice = guidance.guided(given, lambda x_t, t: 0.25 * x_t, guidance_scale=2.0)(x_t, t)
    torch.testing.assert_close(twice, torch.tensor([[0.3, -1.0]]))
