"""Where a question that failed went wrong, and what would have mended it at what price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from evals.questions import Span
from evals.suite.figures import Asked
from evals.suite.gold import GoldQuestion
from evals.suite.record import would_show
from evals.suite.scoring import judge, passes

__all__ = ["STAGES", "Blame", "Stage", "blame"]

Stage = Literal[
    "ended in an error", "not retrieved", "ranked too low", "declined by threshold", "shown but wrong", "wrongly answered"
]
STAGES: dict[Stage, str] = {
    "ended in an error": "the question could not be answered at all",
    "not retrieved": "a vital sentence was in no passage that was read",
    "ranked too low": "every vital sentence was read, but others were put before one of them",
    "declined by threshold": "the right sentences came first, but the confidence was too low to show them",
    "shown but wrong": "every vital sentence was shown, with too much that does not belong there",
    "wrongly answered": "the document does not answer, but an answer was shown",
}


class Blame(BaseModel):
    """The stage at which a question failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Stage
    mend: str = ""
    """What would have made it pass, and what that breaks; empty where no threshold would."""


def blame(failed: Asked, everything: Sequence[Asked]) -> Blame | None:
    """Returns where a question failed; None where it passed.

    Args:
        failed: The question.
        everything: All questions of the run, which another threshold would concern too.
    """
    if failed.score.passed:
        return None
    if failed.score.outcome == "failed":
        return Blame(stage="ended in an error")
    confidence = failed.record.confidence
    if not failed.answerable:
        broken = sum(e.score.passed and e.record.answered and e.record.confidence <= confidence for e in everything)
        return Blame(stage="wrongly answered", mend=_mend(f"the answer threshold were above {confidence:.2f}", broken))
    if not failed.record.answered and passes(failed.question, would_show(failed.record), answered=True):
        broken = sum(
            each.score.passed and not each.record.answered and each.record.confidence >= confidence for each in everything
        )
        return Blame(stage="declined by threshold", mend=_mend(f"the answer threshold were {confidence:.2f}", broken))
    stage: Stage = "shown but wrong"
    if not _holds_all(failed.question, [each.span for each in failed.record.candidates]):
        return Blame(stage="not retrieved")
    if not _holds_all(failed.question, would_show(failed.record)):
        stage = "ranked too low"
    if failed.record.answered:
        for selection in failed.record.selections:
            if passes(failed.question, selection.spans, answered=True):
                broken = sum(_breaks(each, selection.least) for each in everything)
                return Blame(stage=stage, mend=_mend(f"the evidence threshold were {selection.least:.2f}", broken))
    return Blame(stage=stage)


def _mend(what: str, broken: int) -> str:
    return f"passes if {what}; that breaks {broken} other{'' if broken == 1 else 's'}"


def _breaks(asked: Asked, least: float) -> bool:
    if not asked.score.passed or not asked.record.answered or not asked.record.selections:
        return False
    return not passes(asked.question, would_show(asked.record, least), answered=True)


def _holds_all(question: GoldQuestion, shown: Sequence[Span]) -> bool:
    return judge(question, shown, answered=True)[2] == "right"
