"""Noise schedules: how fast an image is destroyed (Ho et al. 2020, section 4; Nichol & Dhariwal 2021, section 3.2).

A schedule has two faces. In discrete time it is a list of variances β_1..β_T, one for each small step. In continuous
time it is one falling curve ᾱ(u), u from 0 to 1: the share of the image's variance that is left. All β are float64, on
the CPU.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from minilib.errors import unknown_name


def linear_betas(
    num_train_timesteps: int = 1000, *, beta_start: float = 1e-4, beta_end: float = 0.02
) -> Float[Tensor, " t"]:
    """β rises on a straight line from `beta_start` to `beta_end` (DDPM, section 4).

    Raises:
        ValueError: fewer than one step, or not 0 < beta_start <= beta_end < 1.
    """
    _check_steps(num_train_timesteps)
    if not 0.0 < beta_start <= beta_end < 1.0:
        raise ValueError(f"expected 0 < beta_start <= beta_end < 1, got {beta_start} and {beta_end}")
    return torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64)


def cosine_betas(
    num_train_timesteps: int = 1000, *, offset: float = 0.008, max_beta: float = 0.999
) -> Float[Tensor, " t"]:
    """β that make ᾱ follow a squared cosine (Improved DDPM, eq. 17).

    Args:
        num_train_timesteps: T.
        offset: the paper's s; keeps the first steps from being too small.
        max_beta: cap that keeps the last step from being singular.
    Raises:
        ValueError: fewer than one step, a negative offset, or a cap outside (0, 1).
    """
    if offset < 0.0:
        raise ValueError(f"expected an offset >= 0, got {offset}")
    return betas_from_alpha_bar(lambda u: cosine_alpha_bar(u, offset=offset), num_train_timesteps, max_beta=max_beta)


BETA_SCHEDULES: dict[str, Callable[[int], Tensor]] = {"linear": linear_betas, "cosine": cosine_betas}


def make_betas(name: str, num_train_timesteps: int = 1000) -> Float[Tensor, " t"]:
    """The named schedule, "linear" or "cosine", with its paper's constants.

    Raises:
        ValueError: an unknown name (the nearest known one is suggested), or fewer than one step.
    """
    if name not in BETA_SCHEDULES:
        raise unknown_name("noise schedule", name, BETA_SCHEDULES)
    return BETA_SCHEDULES[name](num_train_timesteps)


def betas_from_alpha_bar(
    alpha_bar: Callable[[Tensor], Tensor], num_train_timesteps: int, *, max_beta: float = 0.999
) -> Float[Tensor, " t"]:
    """Cuts a continuous curve ᾱ(u) into T steps: β_t = 1 − ᾱ(t/T) / ᾱ((t−1)/T), at most `max_beta`.

    Raises:
        ValueError: fewer than one step, a cap outside (0, 1), or a curve that does not fall from 1 towards 0.
    """
    _check_steps(num_train_timesteps)
    if not 0.0 < max_beta < 1.0:
        raise ValueError(f"expected max_beta between 0 and 1, got {max_beta}")
    curve = alpha_bar(torch.linspace(0.0, 1.0, num_train_timesteps + 1, dtype=torch.float64))
    if not bool(abs(curve[0] - 1) < 1e-6 and (curve[:-1] > 0).all() and curve[-1] >= 0 and (curve.diff() < 0).all()):
        raise ValueError(
            "expected ᾱ to start at 1 and to fall from u = 0 to u = 1 without going below 0; this curve does not"
        )
    return (1.0 - curve[1:] / curve[:-1]).clamp(max=max_beta)


def linear_alpha_bar(u: Tensor, *, beta_min: float = 0.1, beta_max: float = 20.0) -> Tensor:
    """Continuous-time twin of `linear_betas`: ᾱ(u) = exp(−β_min u − ½(β_max − β_min) u²) (Song et al. 2021, eq. 33).

    Args:
        u: times in [0, 1], any shape.
        beta_min: rate of noising at u = 0; T times the discrete β_1.
        beta_max: rate of noising at u = 1; T times the discrete β_T.
    """
    return torch.exp(-beta_min * u - 0.5 * (beta_max - beta_min) * u**2)


def cosine_alpha_bar(u: Tensor, *, offset: float = 0.008) -> Tensor:
    """ᾱ(u) = cos²(½π (u + s)/(1 + s)) / cos²(½π s/(1 + s)), u in [0, 1], any shape (Improved DDPM, eq. 17)."""
    angle = (u + offset) / (1.0 + offset) * (math.pi / 2)
    return (torch.cos(angle) / math.cos(offset / (1.0 + offset) * math.pi / 2)) ** 2


def alphas_cumprod(betas: Float[Tensor, " t"]) -> Float[Tensor, " t"]:
    """ᾱ_t = ∏ (1 − β_s), s = 1..t (DDPM, below eq. 4)."""
    return torch.cumprod(1.0 - betas, dim=0)


def snr(alpha_bar: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Signal-to-noise ratio ᾱ / (1 − ᾱ) of x_t (Kingma et al. 2021, section 3.1, variance-preserving case)."""
    return alpha_bar / (1.0 - alpha_bar)


def log_snr(alpha_bar: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """λ = log SNR = log ᾱ − log(1 − ᾱ), in nats; 0 where the image and the noise are equally strong."""
    return torch.log(alpha_bar) - torch.log1p(-alpha_bar)


def _check_steps(num_train_timesteps: int) -> None:
    if num_train_timesteps < 1:
        raise ValueError(f"expected num_train_timesteps >= 1, got {num_train_timesteps}")


def shift_times(u: Float[Tensor, " n"], shift: float) -> Float[Tensor, " n"]:
    """Times in [0, 1] moved towards the noise: s u/(1 + (s − 1) u) (Esser et al. 2024, eq. 23).

    Args:
        u: times, 0 for data and 1 for noise; these two stay where they are.
        shift: s; 1 moves nothing. From evenly spread u, s times as many come to lie at the noisy end.
    Raises:
        ValueError: a shift that is not positive.
    """
    if shift <= 0:
        raise ValueError(f"expected shift > 0, got {shift}")
    return shift * u / (1 + (shift - 1) * u)
