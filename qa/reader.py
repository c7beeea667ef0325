"""What a reader of evidence is: a question and passages into a score for each sentence, and 'is it answered here?'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from index.types import Passage, Sentence

__all__ = ["Reader", "Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader makes of the passages."""

    sentences: tuple[Sentence, ...]
    """Each sentence of the passages once, in the order of their documents."""
    scores: tuple[float, ...]
    """Of each sentence: how likely it is to belong to the answer, 0..1."""
    answered: float
    """The probability, 0..1, that the passages answer the question."""
    short_answers: Mapping[Sentence, tuple[int, int]] = field(default_factory=dict)
    """Where in its document a sentence's short answer stands, half-open, for those in which one stands out."""
    chosen: tuple[Sentence, ...] | None = None
    """The sentences that answer, in the order of their documents, where the reader chooses them itself; empty if none does.
    None leaves the choice to the scores."""


class Reader(Protocol):
    """Anything that reads."""

    thresholds: dict[str, float]
    """`answered`: the least probability at which an answer is given. `evidence`: the least score of a sentence that is
    shown beside the best one, as a share of the best one's; a reader that chooses has none."""

    def read(self, question: str, passages: Sequence[Passage]) -> Reading:
        """Reads the passages with the question in mind."""
        ...
