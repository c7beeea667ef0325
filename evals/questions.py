"""A question, and what a full answer to it needs: the shape of all labelled questions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from index.types import Document

__all__ = ["LabelledQuestion", "Span", "overlaps", "share_of_nuggets"]

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question and what a full answer to it needs."""

    id: str
    document: Document
    question: str
    category: str
    history: tuple[str, ...]
    """The asker's earlier questions, oldest first."""
    nuggets: tuple[tuple[Span, ...], ...]
    """For each nugget the spans of the sentences any one of which supplies it; empty where the document does not answer."""
    useful: tuple[Span, ...]
    """Sentences that are fair context: neither right nor wrong to show."""
    short_answer: Span | None = None
    """Where the short answer stands, for data sets that say so."""
    twin_of: str | None = None
    """The id of the same question asked of a text that differs in its evidence alone: one of the two is answered."""

    @property
    def answerable(self) -> bool:
        """Whether the document answers it."""
        return bool(self.nuggets)


def share_of_nuggets(question: LabelledQuestion, shown: Iterable[Span]) -> float:
    """Returns the share of an answerable question's nuggets that the shown spans supply, in 0..1."""
    spans = list(shown)
    supplied = [any(overlaps(span, wanted) for span in spans for wanted in nugget) for nugget in question.nuggets]
    return sum(supplied) / len(supplied)


def overlaps(span: Span, wanted: Span) -> bool:
    """Says whether two spans share a character."""
    return span[0] < wanted[1] and wanted[0] < span[1]
