"""Losses against other ways to compute the same thing."""

import math

import pytest
import torch

from minilib.diffusion import losses
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import make_betas, shift_times, snr

PROCESS = GaussianDiffusion(make_betas("cosine", 100))
GENERATOR = torch.Generator().manual_seed(0)
X0, NOISE, WRONG = torch.randn(3, 40, 3, 4, 4, generator=GENERATOR).clamp(-1, 1)
T = torch.arange(40) * 2 + 3
X_T = PROCESS.q_sample(X0, T, NOISE)


@pytest.mark.parametrize("gamma", [1.0, 5.0])
def test_min_snr_is_one_loss_of_x0_whatever_is_predicted(gamma):
    """A network that is wrong by the same picture loses the same, in all three ways of saying it."""
    guess = X0 + 0.1 * WRONG
    said = {
        "sample": guess,
        "epsilon": PROCESS.predict_noise(guess, X_T, T, prediction_type="sample"),
        "v_prediction": PROCESS.predict_velocity(guess, X_T, T, prediction_type="sample"),
    }
    weight = snr(PROCESS.alphas_cumprod[T].double()).clamp(max=gamma)
    wanted = (weight * (guess - X0).double().square().flatten(1).mean(1)).float()
    for kind, prediction in said.items():
        found = losses.simple_loss(PROCESS, prediction, X0, T, NOISE, prediction_type=kind, snr_gamma=gamma)
        torch.testing.assert_close(found, wanted, rtol=2e-3, atol=1e-6)


def test_stratified_times_cover_everything_evenly():
    times = torch.cat([losses.stratified_times(50, 1000, generator=GENERATOR) for _ in range(400)])
    counts = times.bincount(minlength=1000)
    assert len(counts) == 1000 and counts.float().mean() == 20
    assert abs(times[::50].float().mean() - 499.5) < 60  # the first of a batch can be any
    one = losses.stratified_times(50, 1000, generator=GENERATOR).sort().values
    assert (one // 20).unique().numel() >= 49


def test_shifted_times_crowd_at_the_noise_and_stay_in_range():
    times = losses.stratified_times(100_000, 1000, shift=3.0, generator=GENERATOR)
    for u in (0.25, 0.5, 0.75):  # as many lie below the shifted time as below the even one
        assert (times < 1000 * 3 * u / (1 + 2 * u)).float().mean() == pytest.approx(u, abs=0.002)
    almost = torch.tensor([1 - 3 * 2**-24])
    assert shift_times(almost, 3.0) == 1.0  # rounded up, which the times must not be
    assert losses.stratified_times(2**24, 1000, shift=3.0, generator=GENERATOR).max() == 999


def test_prior_bits_in_half_precision():
    half = losses.prior_bits(PROCESS, X0.bfloat16())
    assert half.shape == (len(X0),) and half.isfinite().all()


def test_kl_is_that_of_torch():
    means, spreads = torch.randn(2, 50, generator=GENERATOR), torch.rand(2, 50, generator=GENERATOR) + 0.2
    first, second = (torch.distributions.Normal(m, s) for m, s in zip(means, spreads, strict=True))
    wanted = torch.distributions.kl_divergence(first, second)
    found = losses.gaussian_kl(means[0], 2 * spreads[0].log(), means[1], 2 * spreads[1].log())
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_the_masses_of_all_bytes_sum_to_one():
    values = torch.arange(256) / 127.5 - 1
    for mean, deviation in ((0.1, 0.02), (-0.9, 0.3), (1.0, 0.005)):
        log_variance = torch.full((256,), 2 * math.log(deviation))
        mass = losses.discrete_log_likelihood(values, torch.full((256,), mean), log_variance).exp()
        assert float(mass.sum()) == pytest.approx(1.0, abs=1e-4)


def test_the_bound_of_a_perfect_model_is_the_cost_of_the_bytes():
    """A model that knows x_0 pays nothing but the last step, and that next to nothing."""
    bytes_only = ((X0 + 1) * 127.5).round() / 127.5 - 1
    x_t = PROCESS.q_sample(bytes_only, T, NOISE)
    log_variance, high = PROCESS.log_variance_bounds(T, x_t)
    exact = losses.vlb_bits(PROCESS, bytes_only, x_t, T, bytes_only, log_variance)
    assert exact.abs().max() < 1e-5
    assert (losses.vlb_bits(PROCESS, bytes_only, x_t, T, bytes_only + 0.1, log_variance) > exact).all()
    assert (losses.vlb_bits(PROCESS, bytes_only, x_t, T, bytes_only, high) > exact).all()
    by_hand = 0.5 * 0.01 * (snr(PROCESS.alphas_cumprod[T - 1].double()) - snr(PROCESS.alphas_cumprod[T].double()))
    found = losses.vlb_bits(PROCESS, bytes_only, x_t, T, bytes_only + 0.1, log_variance)
    torch.testing.assert_close(found.double(), by_hand / math.log(2), rtol=5e-3, atol=1e-6)


def test_the_prior_costs_nothing_only_under_pure_noise():
    assert losses.prior_bits(PROCESS, X0).max() < 1e-4
    early = GaussianDiffusion(make_betas("linear", 10))
    assert losses.prior_bits(early, X0).min() > 1e-3


def test_the_hybrid_loss_teaches_the_variance_only_by_its_bound():
    fraction = torch.zeros_like(X0).requires_grad_()
    mean = (NOISE + 0.1 * WRONG).requires_grad_()
    total = losses.hybrid_loss(PROCESS, torch.cat([mean, fraction], dim=1), X0, T, NOISE).sum()
    from_mean, from_fraction = torch.autograd.grad(total, (mean, fraction))
    simple = losses.simple_loss(PROCESS, mean, X0, T, NOISE, prediction_type="epsilon").sum()
    (wanted,) = torch.autograd.grad(simple, mean)
    torch.testing.assert_close(from_mean, wanted, rtol=1e-5, atol=1e-7)
    assert (from_fraction.flatten(1).abs().sum(1) > 0).all()
