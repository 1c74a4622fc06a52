"""How far two sets are apart, and how sure a measurement is."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
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


def bootstrap_statistic(
    statistic: Callable[..., float],
    *sets: Float[Tensor, "..."],
    strata: Int[Tensor, " s"] | None = None,
    level: float = 0.95,
    resamples: int = 200,
    seed: int = 0,
) -> tuple[float, float]:
    """Bootstrap interval of any statistic of one or more sets, such as a distance between them.

    Each set is resampled with replacement along its first axis. Distances grow when rows repeat, so the resampled
    values are moved until their mean is the statistic itself: the interval says how much the statistic varies from one
    sample to the next, and nothing about a bias that it has at this size (Efron & Tibshirani 1993, chapter 10).

    Args:
        statistic: called with the sets.
        sets: independent measurements along the first axis.
        strata: the group of each measurement, the same in all sets, where it was fixed how many come from each group,
            such as so many samples of each category; resampling then keeps those numbers.
        level, resamples, seed: as for `bootstrap_interval`.
    Raises:
        ValueError: a set of fewer than two, strata of another length, or a level outside (0, 1).
    """
    if strata is not None and any(len(values) != len(strata) for values in sets):
        raise ValueError(
            f"expected {len(strata)} values in each set, as strata, got {[len(values) for values in sets]}"
        )
    if any(len(values) < 2 for values in sets):
        raise ValueError(f"expected at least two values in each set, got {[len(values) for values in sets]}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"expected a level between 0 and 1, got {level}")
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(resamples):
        picks = [_resampled(len(values), strata, generator) for values in sets]
        found.append(statistic(*(values[pick] for values, pick in zip(sets, picks, strict=True))))
    values, tail = torch.tensor(found, dtype=torch.float64), (1 - level) / 2
    moved = values - values.mean() + statistic(*sets)
    low, high = moved.quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64))
    return float(low), float(high)


def _resampled(n: int, strata: Tensor | None, generator: torch.Generator) -> Tensor:
    """n rows drawn with replacement, each from its own stratum."""
    if strata is None:
        return torch.randint(n, (n,), generator=generator)
    picks = torch.empty(n, dtype=torch.long)
    for stratum in strata.unique():
        (rows,) = torch.nonzero(strata == stratum, as_tuple=True)
        picks[rows] = rows[torch.randint(len(rows), (len(rows),), generator=generator)]
    return picks


def psnr(images: Float[Tensor, "*b c h w"], truth: Float[Tensor, "*b c h w"]) -> Float[Tensor, "*b"]:
    """Peak signal-to-noise ratio of images in [−1, 1], in dB: −10 log₁₀ of the mean squared error in shares of the
    range. Infinite for equal images."""
    error = ((images - truth) / 2).square().flatten(-3).mean(-1)
    return -10 * torch.log10(error)


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
