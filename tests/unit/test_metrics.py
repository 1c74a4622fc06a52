"""Distances and intervals against closed forms, scipy and repeated experiments."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from minilib.evaluate.common import metric_printer
from minilib.metrics import bootstrap_interval, bootstrap_statistic, energy_distance, frechet_distance


def normal(n, d, seed, shift=0.0, scale=1.0):
    return shift + scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exactly(mean, covariance):
    """A set with exactly this mean and covariance."""
    raw = normal(200, len(mean), 0)
    raw = raw - raw.mean(0)
    white = torch.linalg.solve(torch.linalg.cholesky(torch.cov(raw.T)), raw.T).T
    return white @ torch.linalg.cholesky(covariance).T + mean


def test_frechet_distance_of_known_gaussians():
    mean, first, second = torch.tensor([3.0, -4.0]).double(), torch.tensor([4.0, 9.0]), torch.tensor([1.0, 25.0])
    one = exactly(torch.zeros(2).double(), torch.diag(first).double())
    two = exactly(mean, torch.diag(second).double())
    wanted = 25 + float((first.sqrt() - second.sqrt()).square().sum())
    assert frechet_distance(one, two) == pytest.approx(wanted, rel=1e-6)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("n", "m"), [(60, 90), (300, 200)])
def test_frechet_distance_is_the_textbook_formula_with_scipy(n, m):
    mix = normal(40, 40, 1)
    one, two = normal(n, 40, 2) @ mix, normal(m, 40, 3, shift=0.3) @ mix.T
    covariances = [np.cov(x.numpy(), rowvar=False) for x in (one, two)]
    root = sqrtm(covariances[0] @ covariances[1])
    difference = (one.mean(0) - two.mean(0)).square().sum()
    wanted = float(difference) + np.trace(covariances[0] + covariances[1] - 2 * np.real(root))
    assert frechet_distance(one, two) == pytest.approx(wanted, rel=1e-5)


def test_energy_distance_is_zero_on_average_for_one_distribution_only():
    same = [energy_distance(normal(50, 2, i), normal(60, 2, 100 + i)) for i in range(40)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 40**0.5
    assert energy_distance(normal(50, 2, 0), normal(60, 2, 1, shift=1.0)) > max(same)


def test_bootstrap_of_a_mean_is_the_other_bootstrap_of_a_mean():
    values = normal(100, 1, 4)[:, 0]
    ours = bootstrap_statistic(lambda x: float(x.mean()), values, resamples=2000)
    assert ours == pytest.approx(bootstrap_interval(values), abs=0.03)


def test_bootstrap_of_a_distance_covers_other_samples_of_the_same_size():
    """Nineteen in twenty samples should have a distance within the interval of one; we accept seventeen."""
    reference = normal(2000, 10, 5)

    def distance(x):
        return frechet_distance(x, reference)

    others = [distance(normal(100, 10, 100 + i, shift=0.5)) for i in range(40)]
    middle = np.mean(others)
    covered = 0
    for i in range(20):
        sample = normal(100, 10, 200 + i, shift=0.5)
        low, high = bootstrap_statistic(distance, sample)
        assert low < distance(sample) < high
        covered += low < middle < high
    assert covered >= 17


def test_strata_keep_their_numbers():
    """Two groups far apart, as many of each in every sample: the mean varies only as much as within the groups."""
    strata = torch.arange(100) % 2
    values = normal(100, 1, 6)[:, 0] + 10 * strata
    low, high = bootstrap_statistic(lambda x: float(x.mean()), values, strata=strata)
    assert high - low == pytest.approx(4 * 1 / 100**0.5, rel=0.25)
    low, high = bootstrap_statistic(lambda x: float(x.mean()), values)
    assert high - low > 1.5
    with pytest.raises(ValueError, match=r"expected 3 values in each set, as strata, got \[100\]"):
        bootstrap_statistic(lambda x: 0.0, values, strata=strata[:3])


def test_bootstrap_refuses_what_it_cannot_resample():
    with pytest.raises(ValueError, match=r"at least two values in each set, got \[1\]"):
        bootstrap_statistic(lambda x: 0.0, torch.zeros(1))
    with pytest.raises(ValueError, match="level between 0 and 1, got 2"):
        bootstrap_statistic(lambda x: 0.0, torch.zeros(3), level=2.0)


def test_a_metric_is_shown_with_its_interval(capsys):
    show = metric_printer({"right": {"value": 0.5, "ci95": [0.256, 0.75], "n": 7}}, scale=100, digits=1)
    show("right", "named right, %")
    show("right", "as a share", 1)
    assert capsys.readouterr().out.splitlines() == [
        "named right, %: 50.0 [25.6, 75.0], n = 7",
        "as a share: 0.5 [0.3, 0.8], n = 7",
    ]
