"""In which order reports put things."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from evals.suite.results import Entry, Results

__all__ = ["OURS", "rungs", "worst_first"]

OURS = "this run"


def rungs(results: Results) -> list[tuple[str, float, str]]:
    """Returns name, answer score and passes of each rung of the ladder and of the run among them, worst first."""
    scored = sum(entry.score.value is not None for entry in results.entries)
    found = [(name, rung.score, f"{rung.passed} of {scored}") for name, rung in results.ladder.items()]
    value = results.figure("answer score").value
    if value is not None:
        found.append((OURS, value, f"{sum(entry.score.passed for entry in results.entries)} of {scored}"))
    return sorted(found, key=itemgetter(1))


def worst_first(entries: Iterable[Entry]) -> list[Entry]:
    """Returns questions that could not be run, then wrong answers, the surest first, then other failures, then the rest."""

    def badness(entry: Entry) -> tuple[bool, float, float]:
        utility = -2 if entry.score.outcome == "failed" else (entry.score.utility or 0)
        return entry.score.passed, utility, -entry.score.confidence

    return sorted(entries, key=badness)
