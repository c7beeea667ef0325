"""The invariant that every answer is checked against before anybody sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from index.types import Document
from qa.compose import EMPTY, not_in_document, shown
from qa.errors import CitationError
from qa.types import Answer, Citation

__all__ = ["check"]

_MARKER = re.compile(r"\[(\d+)\]")
_SAID_INSTEAD = frozenset({EMPTY, not_in_document(1), not_in_document(2)})
"""All that the text of an answer without citations may say."""


def check(answer: Answer, documents: Mapping[str, Document]) -> Answer:
    """Returns the answer unchanged if it keeps the invariant.

    Each quote, the nearest ones too, is the exact slice of its document and is not blank, and its short answer, if it has
    one, stands within it; the citations are numbered
    1, 2, … in order of appearance; the text is nothing but their sentences, each followed by its marker; an answer that
    is not 'answered' cites nothing and says no more than that; only 'not in the document' has nearest sentences; the
    confidence is a probability.

    Raises:
        CitationError: It does not; the message names what is wrong.
    """
    _check_slices(answer.citations, documents)
    _check_slices(answer.nearest, documents)
    if answer.answered != bool(answer.citations):
        raise CitationError(f"status {answer.status!r} with {len(answer.citations)} citations")
    numbers = [citation.number for citation in answer.citations]
    if numbers != list(range(1, len(numbers) + 1)):
        raise CitationError(f"citations are numbered {numbers}")
    if answer.nearest and answer.status != "not_in_document":
        raise CitationError(f"status {answer.status!r} with {len(answer.nearest)} nearest sentences")
    if answer.answered:
        expected = " ".join(f"{shown(citation.quote)} [{citation.number}]" for citation in answer.citations)
        if answer.text != expected:
            raise CitationError("the text is not the cited sentences with their markers")
    elif answer.text not in _SAID_INSTEAD:
        raise CitationError("the text says something that is not cited")
    markers = [int(marker) for marker in _MARKER.findall(answer.text)]
    if markers != numbers:
        raise CitationError(f"markers {markers} for citations {numbers}")
    if not 0.0 <= answer.confidence <= 1.0:
        raise CitationError(f"confidence {answer.confidence} is not a probability")
    return answer


def _check_slices(citations: Iterable[Citation], documents: Mapping[str, Document]) -> None:
    for citation in citations:
        document = documents.get(citation.document_id)
        if document is None:
            raise CitationError(f"citation [{citation.number}] is of a document that was not asked")
        if not 0 <= citation.start < citation.end <= len(document.text) or not citation.quote.strip():
            raise CitationError(f"citation [{citation.number}] is empty or outside {document.title!r}")
        if document.text[citation.start : citation.end] != citation.quote:
            raise CitationError(f"citation [{citation.number}] is not what stands in {document.title!r} there")
        if citation.short_answer is not None:
            start, end = citation.short_answer
            if not citation.start <= start < end <= citation.end:
                raise CitationError(f"the short answer of citation [{citation.number}] stands outside it")
