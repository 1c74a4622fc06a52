"""How sure a measurement is."""

import torch
from jaxtyping import Float
from torch import Tensor


def bootstrap_interval(
    values: Float[Tensor, " n"], *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron & Tibshirani 1993, chapter 13).

    Args:
        values: one independent measurement each.
        level: probability that the interval aims to cover, in (0, 1).
        resamples: number of samples drawn with replacement.
        seed: of the resampling.
    Raises:
        ValueError: fewer than two values, or a level outside (0, 1).
    """
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"expected at least two values, got shape {tuple(values.shape)}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"expected a level between 0 and 1, got {level}")
    generator = torch.Generator(device=values.device).manual_seed(seed)
    picks = torch.randint(len(values), (resamples, len(values)), generator=generator, device=values.device)
    tail = (1 - level) / 2
    ends = (
        values.double()[picks]
        .mean(1)
        .quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64, device=values.device))
    )
    return float(ends[0]), float(ends[1])


def frechet_distance(first: Float[Tensor, "n d"], second: Float[Tensor, "m d"]) -> float:
    """Fréchet distance between Gaussians fitted to two sets of features (Heusel et al. 2017, eq. 6).

    |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½). With few features it is too large, by about as much for every set of one
    size: compare only numbers that were computed from equally many, and with that of two sets of real features.

    Raises:
        ValueError: fewer than two features in a set, or sets of different widths.
    """
    if len(first) < 2 or len(second) < 2 or first.shape[1:] != second.shape[1:]:
        raise ValueError(f"expected two sets of features (n, d), got {tuple(first.shape)} and {tuple(second.shape)}")
    first, second = first.double(), second.double()
    difference = (first.mean(0) - second.mean(0)).square().sum()
    covariances = torch.cov(first.T), torch.cov(second.T)
    # The trace of a root is the sum of the roots of the eigenvalues, which are real and not negative here.
    roots = torch.linalg.eigvals(covariances[0] @ covariances[1]).real.clamp(min=0).sqrt()
    return float(difference + covariances[0].trace() + covariances[1].trace() - 2 * roots.sum())


def energy_distance(first: Float[Tensor, "n d"], second: Float[Tensor, "m d"]) -> float:
    """2 E|X − Y| − E|X − X'| − E|Y − Y'| (Székely & Rizzo 2013): 0 if and only if two distributions are one.

    The pairs of a point with itself are left out, so that equal distributions give 0 on average.

    Raises:
        ValueError: fewer than two points in a set, or sets of different widths.
    """
    if len(first) < 2 or len(second) < 2 or first.shape[1:] != second.shape[1:]:
        raise ValueError(f"expected two sets of points (n, d), got {tuple(first.shape)} and {tuple(second.shape)}")
    first, second = first.double(), second.double()
    within = [torch.cdist(x, x).sum() / (len(x) * (len(x) - 1)) for x in (first, second)]
    return float(2 * torch.cdist(first, second).mean() - within[0] - within[1])
