"""What came of one question, as plain data: everything that scoring and reports need, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from evals.questions import Span
from evals.suite.plain import Plain
from index.corpus import Corpus
from qa import compose
from qa.reader import Reading
from qa.types import Answer

__all__ = ["Cited", "Read", "Record", "Selection", "record_of", "without_markers", "would_show"]


_MARKER = re.compile(r"\s*\[\d+\]")


def without_markers(text: str) -> str:
    """Returns an answer's text without the markers of its citations."""
    return _MARKER.sub("", text)


class Cited(Plain):
    """A stretch of the document that was shown."""

    start: int
    end: int
    quote: str
    """As it was shown; scoring compares it with the document."""

    @property
    def span(self) -> Span:
        """Where it stands."""
        return self.start, self.end


class Read(Plain):
    """A stretch that was read, and its score."""

    start: int
    end: int
    score: float

    @property
    def span(self) -> Span:
        """Where it stands."""
        return self.start, self.end


class Selection(Plain):
    """What is shown where the evidence threshold is at most `least`."""

    least: float
    """The score of the last chosen sentence as a share of the best one's, 0..1."""
    spans: tuple[Span, ...]


class Record(Plain):
    """What came of one question."""

    id: str
    status: Literal["answered", "not_in_document", "empty_question", "failed"]
    """`failed` is a question that ended in an error: it has no score, and is counted as such."""
    error: str = ""
    text: str = ""
    """The answer's, markers included."""
    own_words: bool = False
    """Whether the text is more than the quotes it cites, as a language model's is."""
    cited: tuple[Cited, ...] = ()
    nearest: tuple[Cited, ...] = ()
    confidence: float = 0.0
    understood: str = ""
    passages: tuple[Read, ...] = ()
    """What was retrieved, best first."""
    candidates: tuple[Read, ...] = ()
    """Every sentence that was read, best first."""
    selections: tuple[Selection, ...] = ()
    """What is shown with one, two and three chosen sentences, were the question answered; none where a language model chose."""
    thresholds: Mapping[str, float] = {}
    seconds: float = 0.0
    seconds_by_stage: Mapping[str, float] = {}
    cold: bool = False
    """Whether it was the first question asked of its document; `seconds` then holds the opening too."""
    same_again: bool = True
    """Whether the same question got the same answer a second time."""

    @property
    def answered(self) -> bool:
        """Whether an answer was given."""
        return self.status == "answered"

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where what is cited stands."""
        return tuple(each.span for each in self.cited)


def would_show(record: Record, least: float | None = None) -> tuple[Span, ...]:
    """Returns what is shown, or would have been had the question not been declined.

    Args:
        record: Of a question.
        least: The evidence threshold; None for the run's own.
    """
    if least is None and record.cited:
        return record.spans
    limit = record.thresholds.get("evidence", 1.0) if least is None else least
    fitting = [selection.spans for selection in record.selections if selection.least >= limit]
    return fitting[-1] if fitting else ()


def record_of(question_id: str, answer: Answer, corpus: Corpus, seconds: float, *, cold: bool, same_again: bool) -> Record:
    """Returns an answer as a record."""
    trace = answer.trace
    return Record(
        id=question_id,
        status=answer.status,
        text=answer.text,
        own_words=answer.answered and answer.text != compose.write(answer.citations),
        cited=tuple(Cited(start=each.start, end=each.end, quote=each.quote) for each in answer.citations),
        nearest=tuple(Cited(start=each.start, end=each.end, quote=each.quote) for each in answer.nearest),
        confidence=answer.confidence,
        understood=trace.understood,
        passages=tuple(Read(start=p.passage.start, end=p.passage.end, score=p.score) for p in trace.passages),
        candidates=tuple(Read(start=s.sentence.start, end=s.sentence.end, score=s.score) for s in trace.sentences),
        selections=_selections(answer, corpus),
        thresholds=dict(trace.thresholds or {}),
        seconds=seconds,
        seconds_by_stage=dict(trace.seconds or {}),
        cold=cold,
        same_again=same_again,
    )


def _selections(answer: Answer, corpus: Corpus) -> tuple[Selection, ...]:
    if "evidence" not in (answer.trace.thresholds or {}):
        return ()  # a language model chose
    best_first = answer.trace.sentences
    reading = Reading(tuple(s.sentence for s in best_first), tuple(s.score for s in best_first), answer.confidence)
    selections = []
    for scored in best_first[: compose.MAX_SENTENCES]:
        # Rounding must not leave out the sentence that the threshold is made for.
        least = scored.score / best_first[0].score * (1 - 1e-9) if best_first[0].score else 1.0
        chosen = compose.select(reading, corpus, {"evidence": least})
        selections.append(Selection(least=least, spans=tuple((sentence.start, sentence.end) for sentence in chosen)))
    return tuple(selections)
