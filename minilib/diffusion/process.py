"""Forward process of a denoising diffusion model (Ho et al. 2020, section 2) and what a network can learn from it.

Time is counted as in code, from 0: index t holds the paper's step t + 1, so `t = 0` is already noised once and
`t = num_train_timesteps - 1` is the end. The clean image has no index.
"""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minilib.diffusion import schedules
from minilib.errors import unknown_name

PredictionType = Literal["epsilon", "sample", "v_prediction"]


class GaussianDiffusion(nn.Module):
    """q(x_t | x_0), its single steps and its posterior, for a fixed noise schedule.

    Data may have any shape after the batch: (b, c, h, w) for images, (b, 2) for points in the plane.

    Args:
        betas: variances β_1..β_T, shape (T,), each in (0, 1).
    Attributes:
        betas, alphas, alphas_cumprod, alphas_cumprod_prev: float32 buffers of shape (T,), computed in float64: early in
            a schedule 1 − ᾱ_t is so small that float32 would keep only three of its digits.
    Raises:
        TypeError: betas that are not floating point.
        ValueError: betas that are not one-dimensional, empty, or not all in (0, 1).
    """

    betas: Tensor
    alphas: Tensor
    alphas_cumprod: Tensor
    alphas_cumprod_prev: Tensor
    _signal: Tensor
    _sigma: Tensor
    _posterior_x0: Tensor
    _posterior_x_t: Tensor
    _posterior_variance: Tensor
    _log_signal: Tensor
    _log_posterior_variance: Tensor

    def __init__(self, betas: Float[Tensor, " t"]):
        super().__init__()
        if not betas.is_floating_point():
            raise TypeError(f"expected floating-point betas, got {betas.dtype}")
        if betas.ndim != 1 or len(betas) == 0:
            raise ValueError(f"expected betas of shape (T,) with T >= 1, got {tuple(betas.shape)}")
        outside = ~((betas > 0) & (betas < 1))
        if bool(outside.any()):
            first = int(outside.nonzero()[0])
            raise ValueError(f"expected every beta in (0, 1), got beta {betas[first].item():.4g} at index {first}")
        betas = betas.double()
        cumulative = schedules.alphas_cumprod(betas)
        previous = torch.cat([torch.ones_like(cumulative[:1]), cumulative[:-1]])
        posterior_variance = (1.0 - previous) / (1.0 - cumulative) * betas
        # At t = 0 it is 0, which has no logarithm: the next one, as in Improved DDPM's code; β where T = 1.
        bounded = torch.cat([posterior_variance[1:2] if len(betas) > 1 else betas, posterior_variance[1:]])
        for name, value in {
            "betas": betas,
            "alphas": 1.0 - betas,
            "alphas_cumprod": cumulative,
            "alphas_cumprod_prev": previous,
            "_signal": cumulative.sqrt(),
            "_sigma": (1.0 - cumulative).sqrt(),
            "_posterior_x0": previous.sqrt() * betas / (1.0 - cumulative),
            "_posterior_x_t": (1.0 - betas).sqrt() * (1.0 - previous) / (1.0 - cumulative),
            "_posterior_variance": posterior_variance,
            "_log_signal": 0.5 * cumulative.log(),
            "_log_posterior_variance": bounded.log(),
        }.items():
            self.register_buffer(name, value.float(), persistent=False)

    @property
    def num_train_timesteps(self) -> int:
        """T, the number of noising steps."""
        return len(self.betas)

    def signal_and_noise(
        self, t: Int[Tensor, " b"], like: Float[Tensor, "b *d"]
    ) -> tuple[Float[Tensor, "b *ones"], Float[Tensor, "b *ones"]]:
        """√ᾱ_t and √(1−ᾱ_t), shaped (b, 1, ..., 1) to multiply `like`, in its dtype but at least float32.

        Raises:
            TypeError: t that is not an integer tensor.
            ValueError: t of another batch size than `like`; on the CPU also t outside 0..T-1.
        """
        return self._at(self._signal, t, like), self._at(self._sigma, t, like)

    def levels(self, t: Int[Tensor, " n"]) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """log √ᾱ_t and √(1−ᾱ_t) at any times, float32: both keep their digits at either end of the schedule."""
        return self._log_signal[t], self._sigma[t]

    def log_variance_bounds(
        self, t: Int[Tensor, " b"], like: Float[Tensor, "b *d"]
    ) -> tuple[Float[Tensor, "b *ones"], Float[Tensor, "b *ones"]]:
        """log β̃_t and log β_t, between which the variance of the best step back lies; at t = 0, β̃ of t = 1 is taken.

        Raises:
            TypeError, ValueError: as `signal_and_noise`.
        """
        return self._at(self._log_posterior_variance, t, like), self._at(self.betas, t, like).log()

    def q_sample(
        self, x0: Float[Tensor, "b *d"], t: Int[Tensor, " b"], noise: Float[Tensor, "b *d"]
    ) -> Float[Tensor, "b *d"]:
        """Noises `x0` to time t in one jump: √ᾱ_t x_0 + √(1−ᾱ_t) ε (DDPM, eq. 4).

        Raises:
            TypeError, ValueError: as `signal_and_noise`; also `noise` of another shape than `x0`.
        """
        _check_same(x0=x0, noise=noise)
        signal, sigma = self.signal_and_noise(t, x0)
        return (signal * x0 + sigma * noise).to(x0.dtype)

    def q_step(
        self, x_prev: Float[Tensor, "b *d"], t: Int[Tensor, " b"], noise: Float[Tensor, "b *d"]
    ) -> Float[Tensor, "b *d"]:
        """One small step x_{t−1} → x_t: √(1−β_t) x_{t−1} + √β_t ε (DDPM, eq. 2). At t = 0, `x_prev` is the clean image.

        Raises:
            TypeError, ValueError: as `q_sample`.
        """
        _check_same(x_prev=x_prev, noise=noise)
        signal, sigma = self._at(self.alphas, t, x_prev).sqrt(), self._at(self.betas, t, x_prev).sqrt()
        return (signal * x_prev + sigma * noise).to(x_prev.dtype)

    def q_posterior(
        self, x0: Float[Tensor, "b *d"], x_t: Float[Tensor, "b *d"], t: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *ones"]]:
        """Mean μ̃ and variance β̃ of q(x_{t−1} | x_t, x_0) (DDPM, eq. 6 and 7). At t = 0 they are x_0 and 0.

        Raises:
            TypeError, ValueError: as `q_sample`.
        """
        _check_same(x0=x0, x_t=x_t)
        mean = self._at(self._posterior_x0, t, x0) * x0 + self._at(self._posterior_x_t, t, x_t) * x_t
        return mean.to(x_t.dtype), self._at(self._posterior_variance, t, x_t)

    def velocity(
        self, x0: Float[Tensor, "b *d"], t: Int[Tensor, " b"], noise: Float[Tensor, "b *d"]
    ) -> Float[Tensor, "b *d"]:
        """v = √ᾱ_t ε − √(1−ᾱ_t) x_0 (Salimans & Ho 2022, section 4).

        Raises:
            TypeError, ValueError: as `q_sample`.
        """
        _check_same(x0=x0, noise=noise)
        signal, sigma = self.signal_and_noise(t, x0)
        return (signal * noise - sigma * x0).to(x0.dtype)

    def predict_x0(
        self,
        prediction: Float[Tensor, "b *d"],
        x_t: Float[Tensor, "b *d"],
        t: Int[Tensor, " b"],
        *,
        prediction_type: PredictionType,
    ) -> Float[Tensor, "b *d"]:
        """The clean image that a prediction of ε ("epsilon"), x_0 ("sample") or v ("v_prediction") stands for.

        Raises:
            TypeError, ValueError: as `q_sample`; also an unknown `prediction_type`.
        """
        _check_same(prediction=prediction, x_t=x_t)
        signal, sigma = self.signal_and_noise(t, x_t)
        if prediction_type == "epsilon":
            return ((x_t - sigma * prediction) / signal).to(x_t.dtype)
        if prediction_type == "sample":
            return prediction
        if prediction_type == "v_prediction":
            return (signal * x_t - sigma * prediction).to(x_t.dtype)
        raise unknown_name("prediction type", prediction_type, get_args(PredictionType))

    def predict_noise(
        self,
        prediction: Float[Tensor, "b *d"],
        x_t: Float[Tensor, "b *d"],
        t: Int[Tensor, " b"],
        *,
        prediction_type: PredictionType,
    ) -> Float[Tensor, "b *d"]:
        """The noise ε that a prediction of ε, x_0 or v stands for; arguments and errors as `predict_x0`."""
        _check_same(prediction=prediction, x_t=x_t)
        signal, sigma = self.signal_and_noise(t, x_t)
        if prediction_type == "epsilon":
            return prediction
        if prediction_type == "sample":
            return ((x_t - signal * prediction) / sigma).to(x_t.dtype)
        if prediction_type == "v_prediction":
            return (sigma * x_t + signal * prediction).to(x_t.dtype)
        raise unknown_name("prediction type", prediction_type, get_args(PredictionType))

    def predict_velocity(
        self,
        prediction: Float[Tensor, "b *d"],
        x_t: Float[Tensor, "b *d"],
        t: Int[Tensor, " b"],
        *,
        prediction_type: PredictionType,
    ) -> Float[Tensor, "b *d"]:
        """The velocity v that a prediction of ε, x_0 or v stands for; arguments and errors as `predict_x0`."""
        x0 = self.predict_x0(prediction, x_t, t, prediction_type=prediction_type)
        return self.velocity(x0, t, self.predict_noise(prediction, x_t, t, prediction_type=prediction_type))

    def _at(self, values: Float[Tensor, " t"], t: Int[Tensor, " b"], like: Float[Tensor, "b *d"]) -> Tensor:
        """values[t] shaped (b, 1, ..., 1), in the dtype of `like` but at least float32: in bfloat16 0.999 is 1."""
        if not like.is_floating_point():
            raise TypeError(f"expected floating-point data, got {like.dtype}; minilib.images.from_uint8 converts")
        if t.is_floating_point() or t.dtype == torch.bool:
            raise TypeError(f"expected integer time indices t, got {t.dtype}")
        if t.shape != like.shape[:1]:
            raise ValueError(
                f"expected t of shape ({len(like)},), one time for each image of the batch, got {tuple(t.shape)}"
            )
        # Reading t would stall an accelerator's queue, and break a compiled graph.
        if t.device.type == "cpu" and len(t) and not torch.compiler.is_compiling():
            low, high = int(t.min()), int(t.max())
            if low < 0 or high >= len(values):
                raise ValueError(f"expected t in 0..{len(values) - 1} (T = {len(values)}, from 0), got {low}..{high}")
        dtype = torch.promote_types(like.dtype, torch.float32)
        return values.index_select(0, t.long()).to(dtype).reshape(-1, *[1] * (like.ndim - 1))


def _check_same(**tensors: Tensor) -> None:
    """Raises TypeError for a tensor that is not floating point, ValueError for two of different shapes."""
    (first_name, first), (second_name, second) = tensors.items()
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise TypeError(f"expected a floating-point {name}, got {tensor.dtype}; minilib.images.from_uint8 converts")
    if first.shape != second.shape:
        raise ValueError(
            f"{first_name} and {second_name} must have one shape, got {tuple(first.shape)} and {tuple(second.shape)}"
        )
