"""How sure a measured number is, and whether two systems differ: intervals and tests, seeded, for few questions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "Interval",
    "bootstrap",
    "holm",
    "mcnemar",
    "percentile_interval",
    "questions_needed",
    "resampled_means",
    "sign_flip",
    "wilson",
]

RESAMPLES = 2000
EXACT = 12
SEED = 0


class Interval(NamedTuple):
    """A 95% confidence interval; NaN twice where there is too little to say."""

    low: float
    high: float


def wilson(count: int, of: int) -> Interval:
    """Returns the interval of a share; Wilson 1927, without continuity correction."""
    from scipy.stats import binomtest

    if not of:
        return Interval(math.nan, math.nan)
    found = binomtest(count, of).proportion_ci(method="wilson")
    return Interval(float(found.low), float(found.high))


def bootstrap(values: Sequence[float], clusters: Sequence[str]) -> Interval:
    """Returns the percentile interval of a mean, whole clusters drawn with replacement.

    Efron 1979; Field and Welsh 2007. NaN for fewer than two clusters.

    Args:
        values: One for each question.
        clusters: Of each question; questions of one cluster are not independent.
    """
    return percentile_interval(resampled_means(values, clusters))


def resampled_means(values: Sequence[float], clusters: Sequence[str]) -> npt.NDArray[np.float64]:
    """Returns 2,000 means over clusters drawn with replacement, the same ones for the same clusters; none of fewer than two."""
    sums, sizes = _cluster_sums(values, clusters)
    if len(sums) < 2:
        return np.empty(0)
    drawn = np.random.default_rng(SEED).integers(0, len(sums), size=(RESAMPLES, len(sums)))
    means: npt.NDArray[np.float64] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return means


def percentile_interval(resampled: npt.NDArray[np.float64]) -> Interval:
    """Returns the middle 95% of what was found in resamples, those left out that have none (NaN); NaN twice where all are."""
    resampled = resampled[~np.isnan(resampled)]
    if not len(resampled):
        return Interval(math.nan, math.nan)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Interval(float(low), float(high))


def sign_flip(differences: Sequence[float], clusters: Sequence[str]) -> float:
    """Returns the two-sided p-value of a mean difference: how often it is as large when each cluster's sign is left to chance.

    All sign patterns of up to twelve clusters, else 4,000 drawn ones and the one that was measured (Fisher 1935; Ernst 2004).
    With fewer than six clusters it cannot go below 0.05.
    """
    sums = _cluster_sums(differences, clusters)[0]
    if not len(sums):
        return 1.0
    if len(sums) <= EXACT:
        patterns = np.array(list(itertools.product((1.0, -1.0), repeat=len(sums))))
    else:
        drawn = np.random.default_rng(SEED).integers(0, 2, size=(2 * RESAMPLES, len(sums))) * 2.0 - 1.0
        patterns = np.concatenate([np.ones((1, len(sums))), drawn])
    # Rounding must not make a pattern smaller that is as large.
    return float((np.abs(patterns @ sums) >= abs(float(sums.sum())) - 1e-12).mean())


def mcnemar(better: int, worse: int) -> float:
    """Returns the exact two-sided p-value that so many questions passed only before, and so many only after (McNemar 1947)."""
    from scipy.stats import binomtest

    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values adjusted for being several (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, at in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[at]))
        adjusted[at] = largest
    return adjusted


def questions_needed(questions: int, p_value: float, tests: int) -> int | None:
    """Returns how many questions in all would show a difference like this one four times in five, the strictest test passed.

    `questions * ((z(1 - 0.05 / 2 tests) + z(0.8)) / z(1 - p / 2))^2`: the normal deviate of a difference grows with the root of
    the number of questions. That of the test's own p-value is taken, so that exact tests and clusters are heeded.

    Args:
        questions: How many were asked.
        p_value: Two-sided, before it is adjusted.
        tests: How many there are in all; Holm holds the smallest p-value against 0.05 / tests.

    Returns:
        None where there is no difference to go by.
    """
    from scipy.stats import norm

    found = float(norm.isf(p_value / 2))
    if found <= 0:
        return None
    return math.ceil(questions * ((float(norm.isf(0.025 / tests)) + float(norm.isf(0.2))) / found) ** 2)


def _cluster_sums(values: Sequence[float], clusters: Sequence[str]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns each cluster's sum, and how many values it has; in the order of their names."""
    names = {name: at for at, name in enumerate(sorted(set(clusters)))}
    sums, sizes = np.zeros(len(names)), np.zeros(len(names))
    for value, cluster in zip(values, clusters, strict=True):
        sums[names[cluster]] += value
        sizes[names[cluster]] += 1
    return sums, sizes
