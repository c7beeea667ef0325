"""Metrics as pure functions: lists in, a number out.

Shares come with what they are shares of, so that a report can give counts and an interval.
"""

from __future__ import annotations

import collections
import itertools
import math
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = [
    "Bin",
    "Share",
    "auc",
    "augrc",
    "aurc",
    "brier",
    "calibration_bins",
    "character_precision",
    "character_recall",
    "coverage_at_risk",
    "expected_calibration_error",
    "f1",
    "jaccard",
    "ndcg",
    "reciprocal_rank",
    "risk_coverage",
    "rouge_l",
    "token_f1",
]

Spans = Sequence[tuple[int, int]]
"""Half-open [start, end) stretches of one text."""


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

    NaN of nothing. Naeini, Cooper and Hauskrecht 2015.
    """
    found = calibration_bins(probabilities, outcomes, weights=weights, bins=bins)
    total = sum(each.weight for each in found)
    return sum(abs(each.mean - each.share) * each.weight for each in found) / total if total else float("nan")


def brier(probabilities: Sequence[float], outcomes: Sequence[bool]) -> float:
    """Returns the mean of `(probability - outcome)^2`, in 0..1, lower is better; NaN of nothing.

    Brier 1950.
    """
    squares = [(probability - outcome) ** 2 for probability, outcome in zip(probabilities, outcomes, strict=True)]
    return sum(squares) / len(squares) if squares else float("nan")


def character_precision(cited: Spans, right: Spans, neutral: Spans = ()) -> float:
    """Returns the share of the cited characters that are right, in 0..1, higher is better.

    `|cited and right| / |cited without neutral|`, each character counted once; a character both right and neutral is right.
    NaN where nothing is cited but what is neutral. Precision as van Rijsbergen 1979 has it, over characters.
    """
    shown, gold = _characters(cited), _characters(right)
    counted = shown - (_characters(neutral) - gold)
    return len(shown & gold) / len(counted) if counted else float("nan")


def character_recall(cited: Spans, groups: Sequence[Spans]) -> float:
    """Returns the share of the needed characters that are cited, in 0..1, higher is better.

    Of each group of alternatives the one counts that is cited most of, and of those the shortest:
    `sum |alternative and cited| / sum |alternative|`. NaN without groups.
    """
    shown = _characters(cited)
    found = needed = 0
    for group in groups:
        cited_of = {span: len(shown.intersection(range(*span))) for span in group}
        best = max(group, key=lambda span: (cited_of[span] / (span[1] - span[0]), span[0] - span[1]))
        found += cited_of[best]
        needed += best[1] - best[0]
    return found / needed if needed else float("nan")


def jaccard(one: Spans, other: Spans) -> float:
    """Returns `|both| / |either|` by characters; in 0..1, higher is more alike, 1 where both are empty. Jaccard 1912."""
    first, second = _characters(one), _characters(other)
    return len(first & second) / len(first | second) if first | second else 1.0


def risk_coverage(confidences: Sequence[float], wrong: Sequence[bool]) -> list[tuple[float, float]]:
    """Returns (coverage, risk) where the surest 1, 2 … of the questions are answered; both in 0..1.

    Risk is the share of wrong ones among those answered. Of equal confidences all are answered or none; each of them then has
    the same point. El-Yaniv and Wiener 2010.
    """
    order = sorted(range(len(wrong)), key=lambda at: -confidences[at])
    points: list[tuple[float, float]] = []
    errors = 0
    for done, at in enumerate(order, start=1):
        errors += wrong[at]
        if done == len(order) or confidences[order[done]] != confidences[at]:
            points += [(done / len(order), errors / done)] * (done - len(points))
    return points


def aurc(confidences: Sequence[float], wrong: Sequence[bool]) -> float:
    """Returns the mean risk over all coverages, in 0..1, lower is better; NaN of nothing. Geifman, Uziel and El-Yaniv 2019."""
    points = risk_coverage(confidences, wrong)
    return sum(risk for _, risk in points) / len(points) if points else float("nan")


def augrc(confidences: Sequence[float], wrong: Sequence[bool]) -> float:
    """Returns the area under the generalised risk over coverage, in 0..0.5, lower is better; NaN of nothing.

    Generalised risk is `coverage * risk`, the share of all questions that are answered wrongly; straight lines between its
    points, from (0, 0). Traub et al. 2024.
    """
    points = [(0.0, 0.0), *((coverage, coverage * risk) for coverage, risk in risk_coverage(confidences, wrong))]
    areas = [(after[0] - before[0]) * (after[1] + before[1]) / 2 for before, after in itertools.pairwise(points)]
    return sum(areas) if areas else float("nan")


def coverage_at_risk(confidences: Sequence[float], wrong: Sequence[bool], most: float = 0.05) -> float:
    """Returns the largest coverage at which the risk is at most `most`; in 0..1, higher is better, NaN of nothing.

    0 where the risk is higher at every coverage. Geifman and El-Yaniv 2017.
    """
    if not wrong:
        return float("nan")
    return max((coverage for coverage, risk in risk_coverage(confidences, wrong) if risk <= most), default=0.0)


def reciprocal_rank(relevant: Sequence[bool]) -> float:
    """Returns `1 / rank` of the first relevant result; in 0..1, higher is better, 0 where none is. Voorhees 1999."""
    return next((1 / rank for rank, hit in enumerate(relevant, start=1) if hit), 0.0)


def ndcg(relevant: Sequence[bool], total: int, depth: int = 10) -> float:
    """Returns the discounted gain of the first `depth` results over the best possible; in 0..1, higher is better.

    `sum 1 / log2(rank + 1)` over the relevant ones (Jarvelin and Kekalainen 2002, binary gains). NaN where nothing is relevant.

    Args:
        relevant: For each result, best first, whether it is.
        total: How many relevant ones there are, found or not.
        depth: How many results count.
    """
    gain = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(relevant[:depth], start=1) if hit)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(total, depth) + 1))
    return gain / best if best else float("nan")


def token_f1(said: str, wanted: str) -> float:
    """Returns the F1 of two texts' words as bags, in 0..1, higher is better.

    The official SQuAD 2.0 script's: lower case, punctuation and articles removed, split at white space. Two texts without words
    are alike. Rajpurkar, Jia and Liang 2018.
    """
    one, other = _squad_words(said), _squad_words(wanted)
    if not one or not other:
        return float(one == other)
    return f1((collections.Counter(one) & collections.Counter(other)).total(), len(one), len(other))


def rouge_l(said: str, wanted: str) -> float:
    """Returns the F1 of the longest common subsequence of two texts' words, in 0..1, higher is better.

    ROUGE-L as Google's rouge_score computes it without stemming: lower case, runs of a-z and 0-9 (Lin 2004).
    """
    one, other = (re.findall(r"[a-z0-9]+", text.lower()) for text in (said, wanted))
    row = [0] * (len(other) + 1)
    for word in one:
        above = 0
        for at, its in enumerate(other, start=1):
            above, row[at] = row[at], above + 1 if word == its else max(row[at], row[at - 1])
    return f1(row[-1], len(one), len(other)) if one and other else 0.0


def _characters(spans: Spans) -> set[int]:
    return {at for start, end in spans for at in range(start, end)}


def _squad_words(text: str) -> list[str]:
    plain = "".join(character for character in text.lower() if character not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", plain).split()
