"""What can go wrong between a question and its answer."""

from __future__ import annotations

from index.errors import QAError

__all__ = ["CitationError", "LanguageModelError", "QAError"]


class CitationError(QAError):
    """An answer broke the citation invariant and was not shown.

    This is a fault of the program. Report the question and the document.
    """


class LanguageModelError(QAError):
    """The language model could not be reached, or said nothing that can be used. No answer is made without it instead."""
