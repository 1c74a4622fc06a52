"""From noise to data, step by step: pure functions, one for each algorithm, named as in the papers.

All take a `Denoise` (see `guidance`), the noise to start from, and the falling times to visit; the last step always
goes to the clean image. A `callback` sees every step, which is how figures are made. Nothing is learned here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minilib.diffusion.guidance import Denoise
from minilib.diffusion.process import GaussianDiffusion
from minilib.errors import unknown_name

Spacing = Literal["leading", "trailing", "linspace"]
Variance = Literal["posterior", "beta", "learned"]


@dataclass(frozen=True)
class SamplerStep:
    """What a callback sees after a step.

    Attributes:
        index: number of the step, from 0.
        t: the time it started from, a tensor without dimensions.
        x_t: the noisy images it started from.
        x0: the estimate of the clean images.
        x_prev: where it went, less noisy; clean after the last step.
    """

    index: int
    t: Tensor
    x_t: Tensor
    x0: Tensor
    x_prev: Tensor


Callback = Callable[[SamplerStep], object]
PURE_NOISE = 1e-3
"""√ᾱ up to which `heun` makes no correction."""


def sampling_times(
    num_train_timesteps: int, num_inference_steps: int, *, spacing: Spacing = "trailing"
) -> Int[Tensor, " n"]:
    """Falling times to visit, of the T that the model was trained on (Lin et al. 2023, table 2).

    "trailing" starts at the very end, T − 1, where there is nothing but noise; "leading" ends at 0 but starts up to a
    stride too early; "linspace" does both, with uneven strides.

    Raises:
        ValueError: fewer than one step, more steps than the model was trained on, or an unknown spacing.
    """
    n, total = num_inference_steps, num_train_timesteps
    if not 1 <= n <= total:
        raise ValueError(f"expected 1 to {total} sampling steps (the model was trained on {total}), got {n}")
    if spacing == "leading":
        return (torch.arange(n) * (total // n)).flip(0)
    if spacing == "trailing":
        return torch.arange(total, 0, -total / n, dtype=torch.float64)[:n].round().long() - 1
    if spacing == "linspace":
        return torch.linspace(0, total - 1, n, dtype=torch.float64).round().long().flip(0)
    raise unknown_name("spacing", spacing, get_args(Spacing))


@torch.no_grad()
def ddpm(
    denoise: Denoise,
    process: GaussianDiffusion,
    x: Float[Tensor, "b *d"],
    times: Int[Tensor, " n"],
    *,
    variance: Variance = "posterior",
    generator: torch.Generator | None = None,
    callback: Callback | None = None,
) -> Float[Tensor, "b *d"]:
    """Ancestral sampling: draws each step from the posterior at the estimated x_0 (DDPM, algorithm 2).

    With fewer `times` than T a step spans several of the process's, whose β is 1 − ᾱ_t/ᾱ_s (Improved DDPM, section 4).

    Args:
        denoise: (x_t, t) → x̂_0; for variance "learned" → (x̂_0, fraction), see `losses.learned_log_variance`.
        process: the forward process.
        x: noise to start from, N(0, I).
        times: falling times, see `sampling_times`.
        variance: of a step: "posterior", β̃, is best for data that are one point; "beta" for data that are N(0, I);
            "learned" for a network that says which mixture of the two.
        generator: of the fresh noise of each step; the last step has none.
        callback: called after each step.
    Raises:
        ValueError: times that do not fall within the process's, or an unknown variance.
        TypeError: a denoiser that gives a fraction where none is wanted, or none where one is.
    """
    if variance not in get_args(Variance):
        raise unknown_name("variance", variance, get_args(Variance))
    log_signal, sigma = _levels(process, times, x)
    for i, t in enumerate(times.to(x.device)):
        answer = denoise(x, t.expand(len(x)))
        if isinstance(answer, tuple) != (variance == "learned"):
            found = "a pair" if isinstance(answer, tuple) else "one tensor"
            raise TypeError(
                f'expected a pair from the denoiser with variance "learned" only, got {found}, {variance!r}'
            )
        x0, fraction = answer if isinstance(answer, tuple) else (answer, None)
        alpha = torch.exp(2 * (log_signal[i] - log_signal[i + 1]))
        beta = -torch.expm1(2 * (log_signal[i] - log_signal[i + 1]))
        share = (sigma[i + 1] / sigma[i]) ** 2
        x_prev = log_signal[i + 1].exp() * beta / sigma[i] ** 2 * x0 + alpha.sqrt() * share * x
        if i + 1 < len(times):
            if fraction is not None:
                v = (fraction + 1) / 2
                deviation = torch.exp(0.5 * (v * beta.log() + (1 - v) * (share * beta).log()))
            else:
                deviation = (beta if variance == "beta" else share * beta).sqrt()
            x_prev = x_prev + deviation * _noise_like(x, generator)
        x = _report(callback, i, t, x, x0, x_prev)
    return x


@torch.no_grad()
def ddim(
    denoise: Denoise,
    process: GaussianDiffusion,
    x: Float[Tensor, "b *d"],
    times: Int[Tensor, " n"],
    *,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
    callback: Callback | None = None,
) -> Float[Tensor, "b *d"]:
    """Denoising diffusion implicit models (Song, Meng & Ermon 2021, eq. 12 and 16).

    Goes to the clean estimate and back to the next level with the *same* noise, where DDPM takes fresh noise.

    Args:
        eta: share of fresh noise: 0 none (the start decides everything), 1 as much as `ddpm` (variance "posterior").
        denoise, process, x, times, generator, callback: as for `ddpm`.
    Raises:
        ValueError: times that do not fall within the process's, or an η outside [0, 1].
    """
    if not 0.0 <= eta <= 1.0:
        raise ValueError(f"expected eta in [0, 1], got {eta}")
    log_signal, sigma = _levels(process, times, x)
    signal = log_signal.exp()
    for i, t in enumerate(times.to(x.device)):
        x0 = denoise(x, t.expand(len(x)))
        noise = (x - signal[i] * x0) / sigma[i]
        share, log_alpha = sigma[i + 1] / sigma[i], 2 * (log_signal[i] - log_signal[i + 1])
        fresh = eta * share * (-torch.expm1(log_alpha)).sqrt()
        # √(1−ᾱ_s − fresh²), without taking two numbers apart that are nearly equal where ᾱ_t is small and η is 1
        kept = sigma[i + 1] * (1 - eta**2 + eta**2 * share**2 * torch.exp(log_alpha)).sqrt()
        x_prev = signal[i + 1] * x0 + kept * noise
        if eta > 0 and i + 1 < len(times):
            x_prev = x_prev + fresh * _noise_like(x, generator)
        x = _report(callback, i, t, x, x0, x_prev)
    return x


@torch.no_grad()
def dpm_solver_pp_2m(
    denoise: Denoise,
    process: GaussianDiffusion,
    x: Float[Tensor, "b *d"],
    times: Int[Tensor, " n"],
    *,
    callback: Callback | None = None,
) -> Float[Tensor, "b *d"]:
    """DPM-Solver++(2M): second order for one network call a step (Lu et al. 2022, algorithm 2).

    Solves the ODE exactly but for x̂_0, which it takes to be a straight line in λ, half the log SNR, through its last
    two values. The first step has no value before it, and the last has infinite length in λ: both are of first order.
    Arguments and errors as for `ddpm`.
    """
    log_signal, sigma = _levels(process, times, x)
    signal, half_log_snr = log_signal.exp(), log_signal - sigma.log()
    previous: Tensor | None = None
    for i, t in enumerate(times.to(x.device)):
        x0 = denoise(x, t.expand(len(x)))
        estimate = x0
        if previous is not None and i + 1 < len(times):
            h, h_before = half_log_snr[i + 1] - half_log_snr[i], half_log_snr[i] - half_log_snr[i - 1]
            estimate = x0 + h / (2 * h_before) * (x0 - previous)
        shrink = sigma[i + 1] / sigma[i]
        x_prev = shrink * x + (signal[i + 1] - signal[i] * shrink) * estimate
        previous = x0
        x = _report(callback, i, t, x, x0, x_prev)
    return x


@torch.no_grad()
def euler(
    denoise: Denoise,
    process: GaussianDiffusion,
    x: Float[Tensor, "b *d"],
    times: Int[Tensor, " n"],
    *,
    callback: Callback | None = None,
) -> Float[Tensor, "b *d"]:
    """Euler's method on the probability-flow ODE (Song et al. 2021, eq. 13), in the variables of Karras et al. 2022.

    For y = x/√ᾱ and s = √(1−ᾱ)/√ᾱ the ODE is dy/ds = (y − x̂_0)/s (EDM, eq. 3). Arguments and errors as for `ddpm`.
    """
    log_signal, sigma = _levels(process, times, x)
    signal = log_signal.exp()
    s = sigma / signal
    y = x / signal[0]
    for i, t in enumerate(times.to(x.device)):
        x0 = denoise(signal[i] * y, t.expand(len(x)))
        # y + (s' − s)(y − x̂_0)/s, without taking apart two numbers that are nearly equal where s is large
        y_prev = x0 + s[i + 1] / s[i] * (y - x0)
        _report(callback, i, t, signal[i] * y, x0, signal[i + 1] * y_prev)
        y = y_prev
    return y


@torch.no_grad()
def heun(
    denoise: Denoise,
    process: GaussianDiffusion,
    x: Float[Tensor, "b *d"],
    times: Int[Tensor, " n"],
    *,
    callback: Callback | None = None,
) -> Float[Tensor, "b *d"]:
    """Heun's method on the ODE of `euler`: goes, looks, and goes again with the mean slope (EDM, algorithm 1).

    Asks the network twice a step, but for the last. A step that begins in practically pure noise, such as the first
    of the cosine schedule, stays Euler's: there s falls from 2·10⁴ by orders of magnitude, and the mean of the slopes
    at its ends is further off than the first of them. Arguments and errors as for `ddpm`.
    """
    log_signal, sigma = _levels(process, times, x)
    signal = log_signal.exp()
    s = sigma / signal
    y = x / signal[0]
    moments = times.to(x.device)
    for i, t in enumerate(moments):
        x0 = denoise(signal[i] * y, t.expand(len(x)))
        slope = (y - x0) / s[i]
        y_prev = y + (s[i + 1] - s[i]) * slope
        if i + 1 < len(moments):
            x0_ahead = denoise(signal[i + 1] * y_prev, moments[i + 1].expand(len(x)))
            corrected = y + (s[i + 1] - s[i]) * (slope + (y_prev - x0_ahead) / s[i + 1]) / 2
            y_prev = torch.where(signal[i] > PURE_NOISE, corrected, y_prev)
        _report(callback, i, t, signal[i] * y, x0, signal[i + 1] * y_prev)
        y = y_prev
    return y


def _levels(process: GaussianDiffusion, times: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """log √ᾱ and √(1−ᾱ) at the times and, one more, at the clean image: 0 and 0."""
    if times.ndim != 1 or len(times) == 0 or times.is_floating_point():
        raise ValueError(f"expected a list of integer times, got {times.dtype} of shape {tuple(times.shape)}")
    if times.device.type == "cpu":  # reading them would stall an accelerator's queue
        first, last = int(times[0]), int(times[-1])
        if first >= process.num_train_timesteps or last < 0 or bool((times.diff() >= 0).any()):
            raise ValueError(
                f"expected times that fall within {process.num_train_timesteps - 1}..0, got {times.tolist()}"
            )
    log_signal, sigma = process.levels(times.to(process.betas.device))
    zero = torch.zeros(1, device=x.device, dtype=sigma.dtype)
    return torch.cat([log_signal.to(x.device), zero]), torch.cat([sigma.to(x.device), zero])


def _noise_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    # Drawn where the generator lives, so that a seed gives the same noise on every device.
    device = x.device if generator is None else generator.device
    return torch.randn(x.shape, generator=generator, device=device, dtype=x.dtype).to(x.device)


def _report(callback: Callback | None, index: int, t: Tensor, x_t: Tensor, x0: Tensor, x_prev: Tensor) -> Tensor:
    x_prev = x_prev.to(x_t.dtype)
    if callback is not None:
        callback(SamplerStep(index, t, x_t, x0, x_prev))
    return x_prev
