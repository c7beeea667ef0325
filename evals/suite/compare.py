"""Two runs on the same gold questions: what got better, what got worse, and whether that can be told from chance."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evals.statistics import Interval, holm, mcnemar, paired_bootstrap, questions_needed
from evals.suite.results import Entry, Results
from index.errors import QAError

__all__ = ["Change", "Comparison", "compare", "comparison_text"]

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """How a headline changed."""

    name: str
    before: float
    after: float
    interval: Interval | None
    """95%, of the difference; None for the share that passed, which has an exact test instead."""
    p_value: float
    """Adjusted for the number of headlines (Holm)."""
    needed: int | None
    """About how many questions would show such a difference; None where there is none."""
    questions: int

    @property
    def verdict(self) -> Literal["better", "worse", "cannot tell"]:
        """What can be said."""
        if self.p_value >= SIGNIFICANT:
            return "cannot tell"
        return "better" if self.after > self.before else "worse"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    before: Results
    after: Results
    regressed: tuple[str, ...]
    """Ids that passed before and fail now."""
    improved: tuple[str, ...]
    unchanged: tuple[str, ...]
    unpaired: tuple[str, ...]
    """Ids that one run has and the other has not, or could not run; they count nowhere."""
    changes: tuple[Change, ...]


def compare(before: Results, after: Results) -> Comparison:
    """Pairs two runs question by question.

    Raises:
        QAError: The gold files differ, so that a difference would say nothing about the system; or no question is in both.
    """
    if before.gold_sha256 != after.gold_sha256:
        raise QAError(
            f"the runs have different gold questions ({before.gold} {before.gold_sha256[:12]}, {after.gold} "
            f"{after.gold_sha256[:12]}); run both on the same file"
        )
    one, other = ({e.gold.id: e for e in run.entries if e.score.outcome != "failed"} for run in (before, after))
    ids = [each for each in one if each in other]
    if not ids:
        raise QAError("no question is in both runs")
    pairs = [(one[each], other[each]) for each in ids]
    changes = _changes(pairs)
    known = {entry.gold.id for run in (before, after) for entry in run.entries}
    return Comparison(
        before=before,
        after=after,
        regressed=tuple(old.gold.id for old, new in pairs if old.score.passed and not new.score.passed),
        improved=tuple(old.gold.id for old, new in pairs if new.score.passed and not old.score.passed),
        unchanged=tuple(old.gold.id for old, new in pairs if old.score.passed == new.score.passed),
        unpaired=tuple(sorted(known - set(ids))),
        changes=changes,
    )


def comparison_text(comparison: Comparison) -> str:
    """Returns a comparison as Markdown."""
    lines = ["| | before | after | difference | p | |", "|---|---|---|---|---|---|"]
    for change in comparison.changes:
        interval = f" ({change.interval.low:+.2f} to {change.interval.high:+.2f})" if change.interval else ""
        said: str = change.verdict
        if said == "cannot tell":
            more = max(0, (change.needed or 0) - change.questions)
            said += f"; about {more} more questions needed" if change.needed else ""
        lines.append(
            f"| {change.name} | {change.before:.2f} | {change.after:.2f} | "
            f"{change.after - change.before:+.2f}{interval} | {change.p_value:.3f} | {said} |"
        )
    for name, ids in (
        ("Regressed", comparison.regressed),
        ("Improved", comparison.improved),
        ("In one run only", comparison.unpaired),
    ):
        lines += ["", f"{name} ({len(ids)}): {', '.join(ids) or 'none'}"]
    lines += ["", f"Unchanged: {len(comparison.unchanged)}"]
    return "\n".join(lines) + "\n"


def _changes(pairs: Sequence[tuple[Entry, Entry]]) -> tuple[Change, ...]:
    found = []
    for name in _values(pairs[0][0]):
        both = [
            (before, after, old.gold.cluster)
            for old, new in pairs
            if (before := _values(old)[name]) is not None and (after := _values(new)[name]) is not None
        ]
        if not both:
            continue
        differences = [after - before for before, after, _ in both]
        interval: Interval | None = None
        if name == "passed":
            p_value = mcnemar(differences.count(1), differences.count(-1))
        else:
            interval, p_value = paired_bootstrap(differences, [cluster for _, _, cluster in both])
        found.append(
            Change(
                name=name,
                before=statistics.fmean(before for before, _, _ in both),
                after=statistics.fmean(after for _, after, _ in both),
                interval=interval,
                p_value=p_value,
                needed=questions_needed(differences),
                questions=len(both),
            )
        )
    adjusted = holm([change.p_value for change in found])
    return tuple(replace(change, p_value=p_value) for change, p_value in zip(found, adjusted, strict=True))


def _values(entry: Entry) -> dict[str, float | None]:
    score = entry.score
    return {
        "passed": float(score.passed),
        "answer score": score.value,
        "vital nugget recall": score.vital_recall,
        "citation precision": score.precision,
        "utility": score.utility,
    }
