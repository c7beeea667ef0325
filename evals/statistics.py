"""How sure a measured number is, and whether two systems differ: intervals and tests, seeded, for few questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Interval", "bootstrap", "holm", "mcnemar", "paired_bootstrap", "questions_needed", "wilson"]

RESAMPLES = 2000
SEED = 0


class Interval(NamedTuple):
    """A 95% confidence interval; of nothing, NaN twice."""

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
    """Returns the percentile interval of a mean, whole clusters drawn with replacement (Efron 1979; Field and Welsh 2007).

    Args:
        values: One for each question.
        clusters: Of each question; questions of one cluster are not independent.
    """
    means = _resampled_means(values, clusters)
    if not len(means):
        return Interval(math.nan, math.nan)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(low), float(high))


def paired_bootstrap(differences: Sequence[float], clusters: Sequence[str]) -> tuple[Interval, float]:
    """Returns the interval of a mean difference, and a two-sided p-value: twice the share of means on the other side of 0."""
    means = _resampled_means(differences, clusters)
    if not len(means):
        return Interval(math.nan, math.nan), 1.0
    low, high = np.percentile(means, [2.5, 97.5])
    # One more of each, so that no p-value is 0 (Davison and Hinkley 1997).
    below, above = (int((means <= 0).sum()) + 1, int((means >= 0).sum()) + 1)
    return Interval(float(low), float(high)), min(1.0, 2 * min(below, above) / (len(means) + 1))


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


def questions_needed(differences: Sequence[float]) -> int | None:
    """Returns how many questions in all would show a mean difference like this one (p < 0.05) four times in five.

    `((1.96 + 0.84) * deviation / mean)^2`, the paired z-test's; None where there is no difference to go by.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or values.mean() == 0 or values.std(ddof=1) == 0:
        return None
    return math.ceil(((1.96 + 0.8416) * float(values.std(ddof=1)) / float(values.mean())) ** 2)


def _resampled_means(values: Sequence[float], clusters: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    names = sorted(set(clusters))
    number = {name: at for at, name in enumerate(names)}
    sums, sizes = np.zeros(len(names)), np.zeros(len(names))
    for value, cluster in zip(values, clusters, strict=True):
        sums[number[cluster]] += value
        sizes[number[cluster]] += 1
    if not names:
        return np.empty(0)
    drawn = np.random.default_rng(SEED).integers(0, len(names), size=(RESAMPLES, len(names)))
    means: np.ndarray[tuple[int], np.dtype[np.float64]] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return means
