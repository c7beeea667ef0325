"""Metrics as pure functions: lists in, a number out.

Shares come with what they are shares of, so that a report can give counts and an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["Bin", "Share", "auc", "calibration_bins", "expected_calibration_error", "f1"]


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


class Bin(NamedTuple):
    """Probabilities close to one another, and what came of them."""

    mean: float
    """Of the probabilities."""
    share: float
    """Of those that came true."""
    size: int
    weight: float


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
    probabilities: Sequence[float], outcomes: Sequence[bool], weights: Sequence[float] | None = None, bins: int = 10
) -> list[Bin]:
    """Returns each equally wide bin of probabilities that holds anything, lowest first.

    Args:
        probabilities: What was said, 0..1.
        outcomes: Whether it was so.
        weights: How much each counts in its bin; None for alike.
        bins: Into how many the range is cut.
    """
    found = []
    weights = [1.0] * len(probabilities) if weights is None else weights
    numbers = [min(int(probability * bins), bins - 1) for probability in probabilities]
    for number in range(bins):
        inside = [at for at, its in enumerate(numbers) if its == number]
        weight = sum(weights[at] for at in inside)
        if weight:
            mean = sum(probabilities[at] * weights[at] for at in inside) / weight
            found.append(Bin(mean, sum(outcomes[at] * weights[at] for at in inside) / weight, len(inside), weight))
    return found


def expected_calibration_error(
    probabilities: Sequence[float], outcomes: Sequence[bool], weights: Sequence[float] | None = None, bins: int = 10
) -> float:
    """Returns the mean distance between probability and outcome over equal bins, by weight; 0..1, lower is better.

    Naeini, Cooper and Hauskrecht 2015.
    """
    found = calibration_bins(probabilities, outcomes, weights=weights, bins=bins)
    return sum(abs(each.mean - each.share) * each.weight for each in found) / max(sum(each.weight for each in found), 1e-9)
