"""Metrics as pure functions: lists in, a number out.

Shares come with what they are shares of, so that a report can give counts and an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Share", "auc", "calibration_bins", "expected_calibration_error", "f1"]


@dataclass(frozen=True, slots=True)
class Share:
    """A share as the two counts it is made of."""

    count: float
    of: int

    @property
    def value(self) -> float:
        """`count / of`, in 0..1; NaN of nothing."""
        return self.count / self.of if self.of else float("nan")

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.count:.0f}/{self.of})" if self.of else "–"


def auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """Returns the area under the ROC curve, in 0..1, 0.5 for chance, higher is better; NaN where a class is empty.

    The probability that a positive's value is higher than a negative's, ties counting half (Mann and Whitney 1947; Hanley
    and McNeil 1982).
    """
    if not len(positives) or not len(negatives):
        return float("nan")
    order = np.argsort(np.concatenate([positives, negatives]), kind="stable")
    values = np.concatenate([positives, negatives])[order]
    # Equal values share the mean of their ranks.
    _, first, counts = np.unique(values, return_index=True, return_counts=True)
    mean_ranks = np.repeat(first + (counts + 1) / 2, counts)
    ranks = np.empty_like(mean_ranks)
    ranks[order] = mean_ranks
    rank_sum = float(ranks[: len(positives)].sum())
    return (rank_sum - len(positives) * (len(positives) + 1) / 2) / (len(positives) * len(negatives))


def f1(right: int, said: int, wanted: int) -> float:
    """Returns the harmonic mean of precision `right / said` and recall `right / wanted`, in 0..1, higher is better."""
    return 2 * right / (said + wanted) if said + wanted else float("nan")


def calibration_bins(
    probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = 10
) -> list[tuple[float, float, int]]:
    """Returns mean probability, share of outcomes and count of each equally wide bin that holds anything, lowest first."""
    found = []
    numbers = [min(int(probability * bins), bins - 1) for probability in probabilities]
    for number in range(bins):
        inside = [at for at, its in enumerate(numbers) if its == number]
        if inside:
            mean = sum(probabilities[at] for at in inside) / len(inside)
            found.append((mean, sum(outcomes[at] for at in inside) / len(inside), len(inside)))
    return found


def expected_calibration_error(probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = 10) -> float:
    """Returns the mean distance between probability and outcome over equal bins, weighted by count; 0..1, lower is better.

    Naeini, Cooper and Hauskrecht 2015.
    """
    found = calibration_bins(probabilities, outcomes, bins)
    return sum(abs(mean - share) * count for mean, share, count in found) / max(1, len(probabilities))
