"""Two runs on the same gold questions: what got better, what got worse, and whether that can be told from chance."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evals.statistics import Interval, bootstrap, holm, mcnemar, questions_needed, sign_flip
from evals.suite.results import Entry, Results
from evals.suite.scoring import COMPLETE, RIGHT
from index.errors import QAError

__all__ = ["Change", "Comparison", "compare", "comparison_text", "refuse_other_gold"]

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """How a headline changed."""

    name: str
    before: float
    after: float
    interval: Interval
    """95%, of the difference, by bootstrap over clusters."""
    p_value: float
    """Adjusted for the number of figures compared (Holm)."""
    needed: int | None
    """About how many questions would show such a difference; None where there is none."""
    questions: int

    @property
    def verdict(self) -> Literal["better", "worse", "cannot tell"]:
        """What can be said."""
        if self.p_value >= SIGNIFICANT:
            return "cannot tell"
        return "better" if (self.after > self.before) != (self.name == "over-refusal") else "worse"


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
    """Ids that one run has and the other has not; they count nowhere."""
    unscored: tuple[str, ...]
    """Ids that one of the runs could not run; they count nowhere either."""
    changes: tuple[Change, ...]


def compare(before: Results, after: Results) -> Comparison:
    """Pairs two runs question by question.

    Raises:
        QAError: The gold files differ, so that a difference would say nothing about the system; or no question is in both.
    """
    refuse_other_gold(before.gold_sha256, after.gold_sha256)
    one, other = ({entry.gold.id: entry for entry in run.entries} for run in (before, after))
    both = [each for each in one if each in other]
    unscored = [each for each in both if "failed" in (one[each].score.outcome, other[each].score.outcome)]
    ids = [each for each in both if each not in unscored]
    if not ids:
        raise QAError("no question was scored in both runs")
    pairs = [(one[each], other[each]) for each in ids]
    changes = _changes(pairs)
    return Comparison(
        before=before,
        after=after,
        regressed=tuple(old.gold.id for old, new in pairs if old.score.passed and not new.score.passed),
        improved=tuple(old.gold.id for old, new in pairs if new.score.passed and not old.score.passed),
        unchanged=tuple(old.gold.id for old, new in pairs if old.score.passed == new.score.passed),
        unpaired=tuple(sorted(set(one) ^ set(other))),
        unscored=tuple(unscored),
        changes=changes,
    )


def refuse_other_gold(before: str, after: str) -> None:
    """Checks that two runs have the same gold questions, by the files' sha256.

    Raises:
        QAError: They have not, so that a difference would say nothing about the system.
    """
    if before != after:
        raise QAError(
            f"the runs have different gold questions (sha256 {before[:12]}… and {after[:12]}…); run both on the same file"
        )


def comparison_text(comparison: Comparison) -> str:
    """Returns a comparison as Markdown."""
    lines = ["| | questions | before | after | difference | p | |", "|---|---|---|---|---|---|---|"]
    for change in comparison.changes:
        low, high = change.interval
        interval = f" ({low:+.2f} to {high:+.2f})" if low == low else ""
        said: str = change.verdict
        if said == "cannot tell" and change.needed is not None:
            said += f"; about {max(1, change.needed - change.questions)} more questions needed"
        lines.append(
            f"| {change.name} | {change.questions} | {change.before:.2f} | {change.after:.2f} | "
            f"{change.after - change.before:+.2f}{interval} | {change.p_value:.3f} | {said} |"
        )
    for name, ids in (
        ("Regressed", comparison.regressed),
        ("Improved", comparison.improved),
        ("In one run only", comparison.unpaired),
        ("Could not be run", comparison.unscored),
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
        its_clusters = [cluster for _, _, cluster in both]
        shares = name in _SHARES
        p_value = mcnemar(differences.count(1), differences.count(-1)) if shares else sign_flip(differences, its_clusters)
        found.append(
            Change(
                name=name,
                before=statistics.fmean(before for before, _, _ in both),
                after=statistics.fmean(after for _, after, _ in both),
                interval=bootstrap(differences, its_clusters),
                p_value=p_value,
                needed=None,
                questions=len(both),
            )
        )
    adjusted = holm([change.p_value for change in found])
    return tuple(
        replace(change, p_value=p_value, needed=questions_needed(change.questions, change.p_value, len(found)))
        for change, p_value in zip(found, adjusted, strict=True)
    )


_SHARES = ("passed", "complete answers", "unanswerable handled", "over-refusal")
"""Headlines of which a question is either one thing or the other: these have McNemar's exact test."""


def _values(entry: Entry) -> dict[str, float | None]:
    """Returns what each headline has of a question; None where it does not concern it."""
    score, due = entry.score, entry.gold.answerable
    return {
        "answer score": score.value,
        "passed": float(score.passed),
        "complete answers": float(score.outcome in COMPLETE) if due else None,
        "citation precision": score.precision,
        "unanswerable handled": None if due else float(score.outcome in RIGHT),
        "over-refusal": float(not entry.record.answered) if due else None,
    }
