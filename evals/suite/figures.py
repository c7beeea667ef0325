"""A number over several questions, with its counts and its interval, and how people are shown it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from evals.statistics import bootstrap, wilson
from evals.suite.gold import GoldQuestion
from evals.suite.plain import Plain
from evals.suite.record import Record
from evals.suite.scoring import Score

__all__ = ["FEW", "Asked", "Figure", "known", "mean", "share", "shown", "shown_parts"]

FEW = 14
"""Under so many questions counts are shown, not percentages."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what came of it."""

    question: GoldQuestion
    record: Record
    score: Score

    @property
    def answerable(self) -> bool:
        """Whether its document answers it."""
        return self.question.line.answerable


class Figure(Plain):
    """A number over several questions."""

    name: str
    value: float | None
    """None of nothing."""
    low: float | None = None
    high: float | None = None
    """Of the 95% interval; None where there is none."""
    count: int | None = None
    """What `value` is a share of has so many …"""
    of: int
    """… of so many; for a mean, over how many questions."""
    better: Literal["higher", "lower", "neither"] = "higher"
    meaning: str


def shown(figure: Figure) -> str:
    """Returns a figure for people: its number, then its count and its interval where there are enough questions for one."""
    number, around = shown_parts(figure)
    return f"{number} ({around})" if around else number


def shown_parts(figure: Figure) -> tuple[str, str]:
    """Returns a figure's number for people, and what `shown` puts in brackets."""
    if figure.value is None:
        return "–", ""
    if figure.name.startswith("latency"):
        return f"{figure.value * 1000:.0f} ms", ""
    if figure.count is not None and (figure.of < FEW or figure.low is None):
        return f"{figure.count} of {figure.of}", ""
    if figure.low is None or figure.high is None or figure.of < FEW:
        return f"{figure.value:.2f}", f"of {figure.of}"
    if figure.count is not None:
        return f"{figure.value:.0%}", f"{figure.count} of {figure.of}; {figure.low:.0%} to {figure.high:.0%}"
    return f"{figure.value:.2f}", f"{figure.low:.2f} to {figure.high:.2f}; {figure.of} questions"


def share(
    name: str,
    asked: Sequence[Asked],
    is_so: Callable[[Asked], bool],
    meaning: str,
    better: Literal["higher", "lower"] = "higher",
) -> Figure:
    """Returns the share of the questions of which something is so, with Wilson's interval."""
    count = sum(is_so(each) for each in asked)
    interval = wilson(count, len(asked))
    return Figure(
        name=name,
        value=count / len(asked) if asked else None,
        low=known(interval.low),
        high=known(interval.high),
        count=count,
        of=len(asked),
        better=better,
        meaning=meaning,
    )


def mean(
    name: str,
    asked: Sequence[Asked],
    value_of: Callable[[Asked], float | None],
    meaning: str,
    better: Literal["higher", "lower", "neither"] = "higher",
) -> Figure:
    """Returns the mean over the questions that have a value, with an interval by bootstrap over clusters."""
    pairs = [(value, each.question.line.cluster) for each in asked if (value := value_of(each)) is not None and value == value]
    values, clusters = [value for value, _ in pairs], [cluster for _, cluster in pairs]
    interval = bootstrap(values, clusters)
    return Figure(
        name=name,
        value=statistics.fmean(values) if values else None,
        low=known(interval.low),
        high=known(interval.high),
        of=len(values),
        better=better,
        meaning=meaning,
    )


def known(value: float) -> float | None:
    """Returns a number, or None for NaN, which JSON does not know."""
    return None if math.isnan(value) else value
