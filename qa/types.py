"""Answers, and the citations they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from index.types import RetrievedPassage, Sentence

__all__ = ["Answer", "Citation", "ScoredSentence", "Status", "Trace", "Turn"]

Status = Literal["answered", "not_in_document", "empty_question"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A sentence of the document, exactly as it stands there.

    Invariant, checked before an answer leaves: `document.text[start:end] == quote`.
    """

    number: int
    """Counts from 1 in order of appearance; `[number]` in the answer's text points here."""
    document_id: str
    title: str
    """The document's title."""
    start: int
    end: int
    quote: str
    heading: str | None
    page: int | None
    score: float
    """How likely the sentence is to belong to the answer, in 0..1, as the reader estimates it."""
    short_answer: tuple[int, int] | None = None
    """Where the short answer stands, [start, end) in the document and within the citation; None if none stands out."""


@dataclass(frozen=True, slots=True)
class ScoredSentence:
    """A sentence that was read, and its score in 0..1."""

    sentence: Sentence
    score: float


@dataclass(frozen=True, slots=True)
class Trace:
    """How an answer was found."""

    understood: str
    """The question as it was understood: as asked, or a follow-up together with what it refers to."""
    follow_up: bool = False
    """Whether it was understood in the light of an earlier question."""
    passages: tuple[RetrievedPassage, ...] = ()
    """What was read, best first."""
    sentences: tuple[ScoredSentence, ...] = ()
    """Every sentence that was read, best first."""
    thresholds: Mapping[str, float] | None = None
    """What the scores were compared with, by name; None where nothing was read."""
    seconds: Mapping[str, float] | None = None
    """How long each stage took."""
    notes: tuple[str, ...] = ()
    """What the asker should know, such as that an over-long question was cut; one line each."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer made of cited sentences, or the statement that the document holds none."""

    question: str
    """As it was asked."""
    text: str
    """Sentences of the document, each followed by its marker `[1]`, `[2]` …; otherwise a sentence that says why not."""
    status: Status
    citations: tuple[Citation, ...]
    """In order of appearance; empty unless answered."""
    confidence: float
    """The estimated probability, 0..1, that the document answers the question."""
    nearest: tuple[Citation, ...]
    """Where not answered: up to three of the closest sentences, best first. They are not an answer."""
    trace: Trace

    @property
    def answered(self) -> bool:
        """Whether the document answers the question."""
        return self.status == "answered"


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and answer of a conversation."""

    question: str
    answer: Answer
