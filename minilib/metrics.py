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
