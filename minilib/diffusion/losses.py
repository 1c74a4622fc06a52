"""What a denoising network is trained to minimise (Ho et al. 2020; Nichol & Dhariwal 2021; Hang et al. 2023)."""

import math
from typing import get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minilib.diffusion.process import GaussianDiffusion, PredictionType
from minilib.diffusion.schedules import shift_times
from minilib.errors import unknown_name


def prediction_target(
    process: GaussianDiffusion,
    x0: Float[Tensor, "b *d"],
    t: Int[Tensor, " b"],
    noise: Float[Tensor, "b *d"],
    *,
    prediction_type: PredictionType,
) -> Float[Tensor, "b *d"]:
    """What the network should have said: ε ("epsilon"), x_0 ("sample") or v ("v_prediction").

    Raises:
        ValueError: an unknown `prediction_type`.
    """
    if prediction_type == "epsilon":
        return noise
    if prediction_type == "sample":
        return x0
    if prediction_type == "v_prediction":
        return process.velocity(x0, t, noise)
    raise unknown_name("prediction type", prediction_type, get_args(PredictionType))


def min_snr_weights(
    snr: Float[Tensor, "*shape"], *, gamma: float = 5.0, prediction_type: PredictionType
) -> Float[Tensor, "*shape"]:
    """Factors on the squared error that make it min(SNR, γ) times that of x_0 (Hang et al. 2023, section 3.4).

    Args:
        snr: signal-to-noise ratios, any shape.
        gamma: the cap; 5 in the paper.
        prediction_type: what the squared error is measured in: an error of x_0 is one of ε times 1/SNR, and one of v
            times 1/(SNR + 1).
    Raises:
        ValueError: a γ that is not positive, or an unknown `prediction_type`.
    """
    if gamma <= 0:
        raise ValueError(f"expected gamma > 0, got {gamma}")
    capped = snr.clamp(max=gamma)
    if prediction_type == "sample":
        return capped
    if prediction_type == "epsilon":
        return capped / snr
    if prediction_type == "v_prediction":
        return capped / (snr + 1)
    raise unknown_name("prediction type", prediction_type, get_args(PredictionType))


def simple_loss(
    process: GaussianDiffusion,
    prediction: Float[Tensor, "b *d"],
    x0: Float[Tensor, "b *d"],
    t: Int[Tensor, " b"],
    noise: Float[Tensor, "b *d"],
    *,
    prediction_type: PredictionType,
    snr_gamma: float | None = None,
) -> Float[Tensor, " b"]:
    """L_simple of each example: the mean squared error of the prediction (DDPM, eq. 14).

    Args:
        process: how x_t was made.
        prediction: the network's output for x_t at time t.
        x0, t, noise: what x_t was made of.
        prediction_type: what the network predicts.
        snr_gamma: γ of the min-SNR weights; None for no weights.
    Raises:
        ValueError: an unknown `prediction_type`, or a γ that is not positive.
    """
    target = prediction_target(process, x0, t, noise, prediction_type=prediction_type)
    losses = (prediction.float() - target.float()).square().flatten(1).mean(1)
    if snr_gamma is None:
        return losses
    signal, sigma = process.signal_and_noise(t, x0)
    snr = (signal / sigma).square().flatten()
    return losses * min_snr_weights(snr, gamma=snr_gamma, prediction_type=prediction_type)


def stratified_times(
    batch_size: int, num_train_timesteps: int, *, shift: float = 1.0, generator: torch.Generator | None = None
) -> Int[Tensor, " b"]:
    """Times 0..T−1 for a batch, each random, together spread evenly (Kingma et al. 2021, appendix I.1).

    Args:
        batch_size: how many.
        num_train_timesteps: T.
        shift: above 1 for more of the noisy times, as in `shift_times`.
        generator: of the randomness.
    """
    offset = torch.rand(1, generator=generator)
    even = (offset + torch.arange(batch_size) / batch_size) % 1.0
    mixed = even[torch.randperm(batch_size, generator=generator)]
    return (shift_times(mixed, shift) * num_train_timesteps).long().clamp(max=num_train_timesteps - 1)  # rounding


def learned_log_variance(
    process: GaussianDiffusion, fraction: Float[Tensor, "b *d"], t: Int[Tensor, " b"]
) -> Float[Tensor, "b *d"]:
    """log Σ_θ between its bounds: v log β_t + (1 − v) log β̃_t (Improved DDPM, eq. 15).

    Args:
        process: gives β_t and β̃_t.
        fraction: the network's second output, −1 for β̃_t and 1 for β_t: v is (fraction + 1)/2.
        t: times.
    """
    low, high = process.log_variance_bounds(t, fraction)
    v = (fraction + 1) / 2
    return v * high + (1 - v) * low


def gaussian_kl(mean1: Tensor, log_variance1: Tensor, mean2: Tensor, log_variance2: Tensor) -> Float[Tensor, "*shape"]:
    """KL(N(mean1, e^log_variance1) ‖ N(mean2, e^log_variance2)) of each number, in nats; shapes broadcast."""
    difference = log_variance2 - log_variance1
    return 0.5 * (difference + torch.exp(-difference) + (mean1 - mean2) ** 2 * torch.exp(-log_variance2) - 1.0)


def discrete_log_likelihood(
    x0: Float[Tensor, "b *d"], mean: Float[Tensor, "b *d"], log_variance: Float[Tensor, "b *#d"]
) -> Float[Tensor, "b *d"]:
    """log of the Gaussian's mass on the bin of x_0, one of 256 even ones in [−1, 1], in nats (DDPM, eq. 13)."""
    inverse = torch.exp(-0.5 * log_variance)
    upper = torch.special.ndtr((x0 - mean + 1 / 255) * inverse)
    lower = torch.special.ndtr((x0 - mean - 1 / 255) * inverse)
    upper, lower = torch.where(x0 > 0.999, 1.0, upper), torch.where(x0 < -0.999, 0.0, lower)
    return torch.log((upper - lower).clamp(min=1e-12))


def vlb_bits(
    process: GaussianDiffusion,
    x0: Float[Tensor, "b *d"],
    x_t: Float[Tensor, "b *d"],
    t: Int[Tensor, " b"],
    predicted_x0: Float[Tensor, "b *d"],
    log_variance: Float[Tensor, "b *#d"],
) -> Float[Tensor, " b"]:
    """One term of the variational bound for each example, in bits per dimension (DDPM, eq. 5).

    L_{t−1}, the distance of the model's step from the posterior's, where index t > 0; L_0, the cost of the picture's
    bytes themselves, where t = 0. The bound is the sum over all t and `prior_bits`.

    Args:
        process: the forward process.
        x0: clean images whose values are bytes / 127.5 − 1.
        x_t: the same at time t.
        t: times.
        predicted_x0: the model's estimate of x_0.
        log_variance: log of the variance of the model's step.
    """
    true_mean, _ = process.q_posterior(x0, x_t, t)
    mean, _ = process.q_posterior(predicted_x0, x_t, t)
    true_log_variance, _ = process.log_variance_bounds(t, x0)
    kl = gaussian_kl(true_mean, true_log_variance, mean, log_variance).flatten(1).mean(1)
    surprise = -discrete_log_likelihood(x0, mean, log_variance).flatten(1).mean(1)
    return torch.where(t == 0, surprise, kl) / math.log(2)


def prior_bits(process: GaussianDiffusion, x0: Float[Tensor, "b *d"]) -> Float[Tensor, " b"]:
    """L_T of each example, in bits per dimension: what is still known about it at the end of time (DDPM, eq. 5)."""
    end = torch.full((len(x0),), process.num_train_timesteps - 1, device=x0.device)
    signal, sigma = process.signal_and_noise(end, x0)
    zero = torch.zeros((), device=x0.device)
    kl = gaussian_kl(signal * x0, 2 * torch.log(sigma), zero, zero)
    return kl.flatten(1).mean(1) / math.log(2)


def hybrid_loss(
    process: GaussianDiffusion,
    output: Float[Tensor, "b c2 *d"],
    x0: Float[Tensor, "b c *d"],
    t: Int[Tensor, " b"],
    noise: Float[Tensor, "b c *d"],
    *,
    prediction_type: PredictionType = "epsilon",
    vlb_weight: float = 1e-3,
) -> Float[Tensor, " b"]:
    """L_simple + λ L_vlb for a network that learns its variance, too (Improved DDPM, eq. 16).

    L_vlb teaches the variance only: the mean it is given is detached. It is a sum over T times of which one was
    drawn, so the drawn term counts T times.

    Args:
        process: how x_t was made.
        output: the network's output, the prediction first, then the `fraction` of `learned_log_variance`.
        x0, t, noise: what x_t was made of.
        prediction_type: what the first half of the output predicts.
        vlb_weight: λ.
    Raises:
        ValueError: an output that has not twice the channels of x_0.
    """
    if output.shape[1] != 2 * x0.shape[1]:
        raise ValueError(f"expected {2 * x0.shape[1]} channels, a prediction and a variance, got {output.shape[1]}")
    prediction, fraction = output.chunk(2, dim=1)
    x_t = process.q_sample(x0, t, noise)
    predicted_x0 = process.predict_x0(prediction.detach(), x_t, t, prediction_type=prediction_type)
    bits = vlb_bits(process, x0, x_t, t, predicted_x0, learned_log_variance(process, fraction, t))
    simple = simple_loss(process, prediction, x0, t, noise, prediction_type=prediction_type)
    return simple + vlb_weight * process.num_train_timesteps * bits
