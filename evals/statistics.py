"""How sure a measured number is, and whether two systems differ: intervals and tests, seeded, for few questions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Interval", "bootstrap", "holm", "mcnemar", "questions_needed", "sign_flip", "wilson"]

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
    sums, sizes = _cluster_sums(values, clusters)
    if len(sums) < 2:
        return Interval(math.nan, math.nan)
    drawn = np.random.default_rng(SEED).integers(0, len(sums), size=(RESAMPLES, len(sums)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [2.5, 97.5])
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


def questions_needed(differences: Sequence[float]) -> int | None:
    """Returns how many questions in all would show a mean difference like this one (p < 0.05) four times in five.

    `((1.96 + 0.84) * deviation / mean)^2`, the paired z-test's, as if all were independent; None where there is nothing to go
    by.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or values.mean() == 0 or values.std(ddof=1) == 0:
        return None
    return math.ceil(((1.96 + 0.8416) * float(values.std(ddof=1)) / float(values.mean())) ** 2)


def _cluster_sums(values: Sequence[float], clusters: Sequence[str]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns each cluster's sum, and how many values it has; in the order of their names."""
    names = {name: at for at, name in enumerate(sorted(set(clusters)))}
    sums, sizes = np.zeros(len(names)), np.zeros(len(names))
    for value, cluster in zip(values, clusters, strict=True):
        sums[names[cluster]] += value
        sizes[names[cluster]] += 1
    return sums, sizes
