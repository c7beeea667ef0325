"""Where a question that failed went wrong, and what would have mended it at what price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from evals.questions import Span
from evals.suite.figures import Asked
from evals.suite.gold import GoldQuestion
from evals.suite.plain import Plain
from evals.suite.record import would_show
from evals.suite.scoring import RIGHT, judge

__all__ = ["STAGES", "Blame", "Stage", "blame"]

Stage = Literal[
    "ended in an error", "not retrieved", "ranked too low", "declined by threshold", "shown but wrong", "wrongly answered"
]
STAGES: dict[Stage, str] = {
    "ended in an error": "the question could not be answered at all",
    "not retrieved": "a vital sentence stands in no passage that was found",
    "ranked too low": "every vital sentence was found, but others came before one of them and were chosen",
    "declined by threshold": "the right sentences came first, but the confidence was too low to show them",
    "shown but wrong": "every vital sentence was shown, with too much, or something that must not be said, beside it",
    "wrongly answered": "the document does not answer, but an answer was shown",
}


class Blame(Plain):
    """The stage at which a question failed."""

    stage: Stage
    mend: str = ""
    """What would have made it pass, and what that breaks; empty where no threshold would."""


def blame(failed: Asked, everything: Sequence[Asked]) -> Blame | None:
    """Returns where a question failed; None where it passed.

    Args:
        failed: The question.
        everything: All questions of the run, which another threshold would concern too.
    """
    score, record, question = failed.score, failed.record, failed.question
    if score.passed:
        return None
    if score.outcome == "failed":
        return Blame(stage="ended in an error")
    if not failed.answerable:
        above = math.floor(record.confidence * 100 + 1) / 100
        return Blame(stage="wrongly answered", mend=_mend("answer", everything, failed, answer=above))
    if not record.answered and judge(question, would_show(record), answered=True)[2] in RIGHT:
        reached = math.floor(record.confidence * 100) / 100
        return Blame(stage="declined by threshold", mend=_mend("answer", everything, failed, answer=reached))
    # A reader may choose a sentence that stood in no passage found: one that another leans on.
    if not _has_all(question, [*(each.span for each in record.passages), *record.spans]):
        return Blame(stage="not retrieved")
    stage: Stage = "shown but wrong" if record.answered and _has_all(question, record.spans) else "ranked too low"
    if record.answered:
        for selection in record.selections:
            if mend := _mend("evidence", everything, failed, evidence=math.floor(selection.least * 100) / 100):
                return Blame(stage=stage, mend=mend)
    return Blame(stage=stage)


def _mend(
    name: str, everything: Sequence[Asked], failed: Asked, *, answer: float | None = None, evidence: float | None = None
) -> str:
    """Returns what another threshold would do; nothing where the question would fail still."""
    if not _would_pass(failed, answer, evidence):
        return ""
    broken = sum(each.score.passed and not _would_pass(each, answer, evidence) for each in everything)
    limit = answer if answer is not None else evidence
    return f"passes if the {name} threshold were {limit:.2f}; that breaks {broken} other{'' if broken == 1 else 's'}"


def _would_pass(asked: Asked, answer: float | None, evidence: float | None) -> bool:
    record = asked.record
    if record.status in ("failed", "empty_question"):
        return asked.score.passed
    answered = record.answered if answer is None else record.confidence >= answer
    shown = (record.spans if record.answered else would_show(record)) if evidence is None else would_show(record, evidence)
    # A language model's words were made for what it cited; with anything else cited nothing is known of them.
    own_words = record.text if record.own_words and answered else None
    return judge(asked.question, shown, answered, own_words)[2] in RIGHT


def _has_all(question: GoldQuestion, shown: Sequence[Span]) -> bool:
    return judge(question, shown, answered=True)[0] == 1.0
