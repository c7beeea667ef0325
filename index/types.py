"""Documents and the pieces they are cut into.

Offsets are half-open [start, end) indices of code points into `Document.text`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Document", "Passage", "RetrievedPassage", "Sentence"]


@dataclass(frozen=True, slots=True)
class Document:
    """A text as it was normalised when it was loaded; it never changes afterwards."""

    id: str
    """The first 16 hexadecimal digits of the sha256 of `text` in UTF-8."""
    title: str
    """What citations call the document: its own title line where it has one, or else the file's name."""
    source: str
    """Where it came from: an absolute path, `builtin:commentary`, or `text` for a string."""
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence's place in its document."""

    document_id: str
    ordinal: int
    """Counts from 0 through the document; headings are not counted."""
    start: int
    end: int
    paragraph: int
    """Counts from 0 through the document, headings counted; sentences with the same number stand in one paragraph."""
    heading: str | None
    """The text of the heading it stands under; None above the first heading."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Whole consecutive sentences under one heading, few enough for the embedding model to read at once.

    Invariant: `document.text[start:end] == text`.
    """

    id: str
    """`<document id>:<first sentence>-<last sentence>`."""
    document_id: str
    start: int
    end: int
    text: str
    first_sentence: int
    last_sentence: int
    """Ordinal of the last sentence, itself included."""
    heading: str | None
    page: int | None
    """Counts from 1; None where the format has no pages."""


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A passage and why it was retrieved."""

    passage: Passage
    score: float
    """The fused score that ranks it; higher is better, comparable within one question only."""
    dense: float
    """Cosine between the question and the passage's closest sentence, in -1..1."""
    lexical: float
    """BM25 score of the passage, 0 or more.

    All three are 0 for a passage that was not found for this question but kept from an earlier turn.
    """
