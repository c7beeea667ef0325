"""What opening or changing an index did, for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from index.build import Build
from index.corpus import Corpus
from index.types import Document

__all__ = ["Receipt"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """In document titles and numbers of passages and sentences."""

    reason: str
    """Why there was a build; empty where the index was opened in place."""
    added: tuple[str, ...] = ()
    reused: tuple[str, ...] = ()
    """Documents that were there before with the same text."""
    removed: tuple[str, ...] = ()
    passages_added: int = 0
    """Cut anew."""
    passages_reused: int = 0
    """Taken over from the build before."""
    passages_removed: int = 0
    sentences_embedded: int = 0
    sentences_reused: int = 0
    """Sentences whose vector was taken from the build before."""

    @classmethod
    def in_place(cls, corpus: Corpus) -> Receipt:
        """Returns the receipt of an index that was opened as it was."""
        return cls(
            reason="",
            reused=_titles(corpus.documents),
            passages_reused=len(corpus.passages),
            sentences_reused=corpus.sentence_count,
        )

    @classmethod
    def in_memory(cls, corpus: Corpus, reason: str) -> Receipt:
        """Returns the receipt of a corpus that was built and is not kept."""
        return cls(
            reason=reason,
            added=_titles(corpus.documents),
            passages_added=len(corpus.passages),
            sentences_embedded=corpus.sentence_count,
        )

    @classmethod
    def of(cls, reason: str, documents: Sequence[Document], made: Build, before: Corpus | None, *, taken_over: bool) -> Receipt:
        """Returns the receipt of a build.

        Args:
            reason: Why there was a build.
            documents: What it holds.
            made: What was made.
            before: The corpus before, if it could be opened.
            taken_over: Whether passages were taken over from it.
        """
        known = before.layouts if before is not None else {}
        old = before.documents if before is not None else ()
        new = {document.id for document in documents}
        reused = sum(len(made.layouts[document_id].passages) for document_id in new & known.keys()) if taken_over else 0
        return cls(
            reason=reason,
            added=_titles(document for document in documents if document.id not in known),
            reused=_titles(document for document in documents if document.id in known),
            removed=_titles(document for document in old if document.id not in new),
            passages_added=sum(len(layout.passages) for layout in made.layouts.values()) - reused,
            passages_reused=reused,
            passages_removed=sum(len(known[document_id].passages) for document_id in known.keys() - new),
            sentences_embedded=made.sentences_embedded,
            sentences_reused=made.sentences_reused,
        )


def _titles(documents: Iterable[Document]) -> tuple[str, ...]:
    return tuple(document.title for document in documents)
