"""A question's record against its labels: what was right, and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from evals import metrics
from evals.questions import Span
from evals.suite.gold import Fact, GoldQuestion
from evals.suite.plain import Plain
from evals.suite.record import Record, without_markers, would_show

__all__ = ["COMPLETE", "COVERED", "LEAST_PRECISION", "RIGHT", "NuggetFound", "Outcome", "Score", "judge", "score"]

COVERED = 0.9
"""The share of a quote's characters from which it counts as cited."""
LEAST_PRECISION = 0.5
"""The citation precision from which a complete answer passes: at least half of what it shows belongs there."""

Outcome = Literal[
    "right",
    "rightly declined",
    "premise corrected",
    "too much beside it",
    "incomplete",
    "wrongly declined",
    "wrong",
    "wrongly answered",
    "failed",
]
RIGHT: frozenset[Outcome] = frozenset({"right", "rightly declined", "premise corrected"})
COMPLETE: frozenset[Outcome] = frozenset({"right", "too much beside it"})
_WRONG: frozenset[Outcome] = frozenset({"wrong", "wrongly answered"})


class NuggetFound(Plain):
    """A nugget, and whether the answer supplies it."""

    says: str
    vital: bool
    found: bool


class Score(Plain):
    """What one question's answer is worth. A number that the question cannot have is None."""

    id: str
    outcome: Outcome
    passed: bool
    """An answer that was due has every vital nugget, and at least half of what it cites belongs there; what has no answer was
    declined, or its premise corrected."""
    value: float | None
    """The answer score, 0..1: for an answer that was due, the harmonic mean of its vital nugget recall and its citation
    precision; 1 for what was rightly declined or corrected; 0 for the rest."""
    nuggets: tuple[NuggetFound, ...] = ()
    vital_recall: float | None = None
    """The share of the vital nuggets that the answer supplies; 0 where it was declined."""
    precision: float | None = None
    """Citation precision by characters; what answers a question without an answer has 0."""
    recall: float | None = None
    """Citation recall by characters, of the vital nuggets."""
    quotes: int = 0
    """How many citations there are …"""
    valid_quotes: int = 0
    """… and how many of them are the document's text at the place they name."""
    utility: int | None = None
    """1 for what passed; 0 for a wrong abstention, and for an answer that lacks something or shows too much; -1 for a wrong
    answer."""
    confidence: float = 0.0
    would_be_right: bool = False
    """Whether what is shown, or would have been had it not been declined, passes; what has no answer passes only where its
    premise is corrected."""
    rouge_l: float | None = None
    token_f1: float | None = None
    length_ratio: float | None = None
    """Words of the answer to words of the reference."""
    retrieved: dict[str, float] = {}
    """recall@1, @3, @5 of vital nuggets, reciprocal rank and nDCG@10 over the retrieved passages."""


def score(question: GoldQuestion, record: Record, passages: Sequence[Span]) -> Score:
    """Scores a question.

    Args:
        question: With its labels.
        record: What came of it.
        passages: All passages of its document.
    """
    if record.status == "failed":
        return Score(id=question.id, outcome="failed", passed=False, value=None)
    shown = record.spans
    own_words = record.text if record.own_words else None
    vital_recall, precision, outcome = judge(question, shown, record.answered, own_words)
    right = outcome in RIGHT
    value = float(right)
    if question.line.answerable:
        product = (vital_recall or 0.0) * (precision or 0.0)
        value = 2 * product / ((vital_recall or 0.0) + (precision or 0.0)) if product and outcome != "wrong" else 0.0
    plain = without_markers(record.text)
    to_compare = bool(record.answered and question.line.answerable and question.line.reference)
    would_be = outcome if record.answered else judge(question, would_show(record), answered=True)[2]
    return Score(
        id=question.id,
        outcome=outcome,
        passed=right,
        value=value,
        nuggets=tuple(
            NuggetFound(says=nugget.says, vital=nugget.vital, found=record.answered and _supplies(nugget, shown, own_words))
            for nugget in question.nuggets
        ),
        vital_recall=vital_recall,
        precision=precision,
        recall=_character_recall(question, shown),
        quotes=len(record.cited),
        valid_quotes=sum(question.document.text[cited.start : cited.end] == cited.quote for cited in record.cited),
        utility=1 if right else -1 if outcome in _WRONG else 0,
        confidence=record.confidence,
        would_be_right=would_be in RIGHT,
        rouge_l=metrics.rouge_l(plain, question.line.reference) if to_compare else None,
        token_f1=metrics.token_f1(plain, question.line.reference) if to_compare else None,
        length_ratio=len(plain.split()) / len(question.line.reference.split()) if to_compare else None,
        retrieved=_retrieved(question, record, passages) if question.line.answerable else {},
    )


def judge(
    question: GoldQuestion, shown: Sequence[Span], answered: bool, own_words: str | None = None
) -> tuple[float | None, float | None, Outcome]:
    """Returns vital nugget recall, citation precision and what came of a question.

    Args:
        question: With its labels.
        shown: What was cited.
        answered: Whether it was answered; an answer may cite nothing, a declined question cites nothing.
        own_words: The answer's text where it is more than its quotes; its nuggets must then be said, too.
    """
    if not answered:
        return (0.0, None, "wrongly declined") if question.line.answerable else (None, None, "rightly declined")
    said = own_words if own_words is not None else " ".join(question.document.text[start:end] for start, end in shown)
    refused = any(pattern.search(said) for pattern in question.must_not)
    if not question.line.answerable:
        if not refused and question.correction and _is_correction(question, shown):
            return None, None, "premise corrected"
        return None, 0.0, "wrongly answered"
    found = [_supplies(nugget, shown, own_words) for nugget in question.vital]
    recall = sum(found) / len(found)
    precision = _precision(question, shown)
    if refused or not any(_supplies(nugget, shown, own_words) for nugget in question.nuggets):
        return recall, precision, "wrong"
    if not all(found):
        return recall, precision, "incomplete"
    return recall, precision, "right" if (precision or 0.0) >= LEAST_PRECISION else "too much beside it"


def _supplies(nugget: Fact, shown: Sequence[Span], own_words: str | None) -> bool:
    cited = all(any(_covers(shown, span) for span in group) for group in nugget.evidence)
    if own_words is None:
        return cited
    said = not nugget.accept or any(pattern.search(own_words) for pattern in nugget.accept)
    return cited and said and not any(pattern.search(own_words) for pattern in nugget.reject)


def _covers(shown: Sequence[Span], wanted: Span) -> bool:
    return metrics.character_recall(shown, [[wanted]]) >= COVERED


def _is_correction(question: GoldQuestion, shown: Sequence[Span]) -> bool:
    beside = metrics.character_precision(shown, question.correction, question.allowed)
    return any(_covers(shown, span) for span in question.correction) and beside == 1.0


def _precision(question: GoldQuestion, shown: Sequence[Span]) -> float | None:
    precision = metrics.character_precision(shown, question.evidence, question.allowed)
    return None if math.isnan(precision) else precision


def _character_recall(question: GoldQuestion, shown: Sequence[Span]) -> float | None:
    groups = [group for nugget in question.vital for group in nugget.evidence]
    return metrics.character_recall(shown, groups) if groups else None


def _retrieved(question: GoldQuestion, record: Record, passages: Sequence[Span]) -> dict[str, float]:
    def holds(passage: Span) -> bool:
        return any(passage[0] <= start and end <= passage[1] for start, end in question.evidence)

    ranked = [passage.span for passage in record.passages]
    found = {}
    for depth in (1, 3, 5):
        supplied = [_supplies(nugget, ranked[:depth], None) for nugget in question.vital]
        found[f"recall@{depth}"] = sum(supplied) / len(supplied)
    relevant = [holds(passage) for passage in ranked]
    found["MRR"] = metrics.reciprocal_rank(relevant)
    found["nDCG@10"] = metrics.ndcg(relevant, sum(map(holds, passages)))
    # Evidence that no passage holds whole makes no passage relevant; there is nothing to rank then.
    return {name: value for name, value in found.items() if not math.isnan(value)}
