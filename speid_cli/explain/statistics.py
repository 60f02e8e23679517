"""Whether a mean effect could be chance, when pairs of one chromosome (block, promoter) are not independent.

Such a group of pairs is a unit, as `speid evaluate` resamples them. Many tests go through together.

Shapes: T tests; N pairs; U units.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from speid_cli.dataset.metrics import Array, ratio
from speid_cli.evaluation.measures import cluster_counts

FLIPS = 100_000
# Motifs with smaller q-values are reported as significant.
SIGNIFICANT = 0.05

# Numbers in memory at a time.
_CHUNK = 1 << 22


class Intervals(NamedTuple):
    """Means (T,) and their 95% intervals; NaN where there is nothing to average."""

    value: Array
    low: Array
    high: Array


def unit_sums(values: Array, unit: NDArray[np.int64], units: int) -> tuple[Array, Array]:
    """Sum and number (T, U) of the values (T, N) of each unit; NaN is no value.

    Parameters
    ----------
    unit : int64 (N,)
        Unit of each pair, 0 to `units` - 1.
    """
    tests, known = len(values), ~np.isnan(values)
    place = (np.arange(tests)[:, None] * units + unit)[known]
    sums, counts = (np.bincount(place, weight, tests * units) for weight in (values[known], None))
    return sums.reshape(tests, units).astype(np.float64), counts.reshape(tests, units).astype(np.float64)


def mean_intervals(sums: Array, counts: Array, replicates: int, generator: np.random.Generator) -> Intervals:
    """Mean of each test with the percentile bootstrap interval over units (Efron 1979), widened to hold the mean.

    There is no interval where all values are of one unit.

    Parameters
    ----------
    sums, counts : float64 (T, U)
        What `unit_sums` gives. The same units are drawn for all tests.
    replicates : int
        At least 1.
    """
    value = ratio(sums.sum(axis=1), counts.sum(axis=1))
    draws = cluster_counts(sums.shape[1], replicates, generator)
    bounds = np.empty((2, len(sums)))
    step = max(1, _CHUNK // replicates)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns where all means are NaN, which is the answer there
        for part in (slice(start, start + step) for start in range(0, len(sums), step)):
            means = ratio(draws @ sums[part].T, draws @ counts[part].T)  # (replicates, step)
            bounds[:, part] = np.nanquantile(means, [0.025, 0.975], axis=0)
    low, high = np.fmin(bounds[0], value), np.fmax(bounds[1], value)
    alone = (counts > 0).sum(axis=1) < 2  # resampling one unit changes nothing
    return Intervals(value, np.where(alone, np.nan, low), np.where(alone, np.nan, high))


def sign_flip_p(sums: Array, generator: np.random.Generator, flips: int = FLIPS) -> Array:
    """Two-sided p-values (T,) of the totals of units (T, U), if each unit's sign were chance.

    All 2^U combinations of signs where these are at most `flips`; else `flips` random ones and the
    observed one, the same for all tests. NaN where a unit is NaN.
    """
    count, units = sums.shape
    exact = 2**units <= flips
    total = 2**units if exact else flips
    reached = np.zeros(count)
    # Equal totals may differ in their last digits, as they are summed in another order.
    least = np.abs(sums.sum(axis=1)) - 1e-9 * np.abs(sums).sum(axis=1)
    step = max(1, _CHUNK // max(count, units))
    for start in range(0, total, step):
        flip = np.arange(start, min(start + step, total))
        bits = flip[:, None] >> np.arange(units) & 1 if exact else generator.integers(0, 2, (len(flip), units))
        reached += (np.abs(sums @ (1.0 - 2 * bits).T) >= least[:, None]).sum(axis=1)
    p = reached / total if exact else (reached + 1) / (total + 1)
    return np.where(np.isnan(least), np.nan, p)


def smallest_p(units: int, flips: int = FLIPS) -> float:
    """The smallest p-value that so many units allow: that of a total which only two combinations of signs reach."""
    return max(min(2.0 ** (1 - units), 1.0), 1 / (flips + 1))


def q_values(p: Array) -> Array:
    """Benjamini-Hochberg q-values of p-values of any shape; NaN is no test and stays."""
    q, known = p.copy(), ~np.isnan(p)
    q[known] = false_discovery_control(p[known])
    return q
