"""A mixture of Gaussians and everything a diffusion model of it would have to learn, in closed form.

Noised Gaussians are Gaussians, so the noised mixture is a mixture, too: its density, its score, its best denoiser and
its classifier are exact. What a loss or a sampler should do can be checked against them.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minilib.diffusion.process import GaussianDiffusion


class GaussianMixture(nn.Module):
    """Round Gaussians in d dimensions.

    Args:
        means: centres, shape (k, d).
        deviations: standard deviation of each, shape (k,), positive.
        weights: how likely each is, shape (k,), positive; scaled to sum to 1. None for equal ones.
    Raises:
        ValueError: shapes that do not fit, or values that are not positive.
    """

    means: Tensor
    variances: Tensor
    log_weights: Tensor

    def __init__(
        self, means: Float[Tensor, "k d"], deviations: Float[Tensor, " k"], weights: Float[Tensor, " k"] | None = None
    ):
        super().__init__()
        weights = torch.ones_like(deviations) if weights is None else weights
        if means.ndim != 2 or not len(means) == len(deviations) == len(weights):
            shapes = f"{tuple(means.shape)}, {tuple(deviations.shape)} and {tuple(weights.shape)}"
            raise ValueError(f"expected means (k, d), deviations (k,) and weights (k,), got {shapes}")
        if not bool((deviations > 0).all() and (weights > 0).all()):
            raise ValueError("expected positive deviations and weights")
        self.register_buffer("means", means.clone())
        self.register_buffer("variances", deviations**2)
        self.register_buffer("log_weights", torch.log(weights / weights.sum()))

    def sample(
        self, n: int, *, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "n d"], Int[Tensor, " n"]]:
        """n points and the number of the Gaussian that each is from."""
        k = torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        return self.means[k] + self.variances[k, None].sqrt() * noise.to(self.means.device), k

    def log_density(
        self, process: GaussianDiffusion, x_t: Float[Tensor, "b d"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, " b"]:
        """log q(x_t), in nats."""
        return torch.logsumexp(self._joint(process, x_t, t), dim=1)

    def log_class_probability(
        self, process: GaussianDiffusion, x_t: Float[Tensor, "b d"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b k"]:
        """log p(k | x_t): the perfect classifier of noisy points."""
        return torch.log_softmax(self._joint(process, x_t, t), dim=1)

    def x0(
        self,
        process: GaussianDiffusion,
        x_t: Float[Tensor, "b d"],
        t: Int[Tensor, " b"],
        labels: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b d"]:
        """E[x_0 | x_t], the denoiser with the smallest squared error; with `labels`, E[x_0 | x_t, k]."""
        signal, sigma = process.signal_and_noise(t, x_t)
        gain = signal * self.variances / (signal**2 * self.variances + sigma**2)  # (b, k)
        means = self.means + gain[..., None] * (x_t[:, None] - signal[..., None] * self.means)
        if labels is not None:
            return means[torch.arange(len(labels), device=labels.device), labels]
        return torch.einsum("bk,bkd->bd", self.log_class_probability(process, x_t, t).exp(), means)

    def score(
        self, process: GaussianDiffusion, x_t: Float[Tensor, "b d"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b d"]:
        """∇ log q(x_t) = −E[ε | x_t]/√(1−ᾱ_t) (Song & Ermon 2019; Tweedie's formula)."""
        signal, sigma = process.signal_and_noise(t, x_t)
        return (signal * self.x0(process, x_t, t) - x_t) / sigma**2

    def _joint(self, process: GaussianDiffusion, x_t: Tensor, t: Tensor) -> Tensor:
        """log p(k) + log q(x_t | k), shape (b, k)."""
        signal, sigma = process.signal_and_noise(t, x_t)
        variance = signal**2 * self.variances + sigma**2  # (b, k)
        distance = (x_t[:, None] - signal[..., None] * self.means).square().sum(-1)
        return self.log_weights - distance / (2 * variance) - x_t.shape[1] / 2 * torch.log(2 * math.pi * variance)
