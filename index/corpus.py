"""An opened index: documents with their sentences and passages, and the sentences' vectors."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from index.chunk import Layout
from index.embed import Embedder
from index.store import Row, StoreDamaged, VectorStore, checksum
from index.types import Document, Passage, Sentence

__all__ = ["KEPT_IN_MEMORY", "Corpus", "rows_of"]

Vectors = npt.NDArray[np.float32]

KEPT_IN_MEMORY = 20_000
"""Up to this many sentences (about 2.5 MB of text) the vectors are read, and checked, when the index is opened."""


class Corpus:
    """Documents that can be searched and read; a snapshot that later builds do not change."""

    def __init__(
        self,
        documents: Sequence[Document],
        layouts: Mapping[str, Layout],
        checksums: Sequence[int],
        store: VectorStore,
        embedder: Embedder,
    ) -> None:
        """Takes an open store with a row for each sentence, in the order of the documents.

        Raises:
            StoreDamaged: The store does not return the vectors that were written.
        """
        self.documents = tuple(documents)
        self.layouts = {document.id: layouts[document.id] for document in documents}
        self.passages = tuple(passage for document in documents for passage in layouts[document.id].passages)
        self._by_id = {document.id: document for document in documents}
        self._store = store
        self._checksums = checksums
        self._first_row: dict[str, int] = {}
        total = 0
        for document in documents:
            self._first_row[document.id] = total
            total += len(layouts[document.id].outline.sentences)
        self.sentence_count = total
        self._row_ids = [_row_id(s) for document in documents for s in layouts[document.id].outline.sentences]
        self._first_passage = {
            document.id: [passage.first_sentence for passage in layouts[document.id].passages] for document in documents
        }
        # Whoever retrieves and whoever reads ask for the same question's vector, one after the other.
        self.encode_question = lru_cache(maxsize=1)(embedder.encode_question)
        self._vectors = self._read_all() if total <= KEPT_IN_MEMORY else None

    def document(self, document_id: str) -> Document:
        """Returns the document with this id."""
        return self._by_id[document_id]

    def sentences(self, passage: Passage) -> tuple[Sentence, ...]:
        """Returns a passage's sentences."""
        sentences = self.layouts[passage.document_id].outline.sentences
        return sentences[passage.first_sentence : passage.last_sentence + 1]

    def in_order(self, sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
        """Returns the sentences, each once, in the order of their documents and of their places in them."""
        return tuple(sorted(set(sentences), key=lambda sentence: (self._first_row[sentence.document_id], sentence.ordinal)))

    def text(self, sentence: Sentence) -> str:
        """Returns a sentence as it stands in its document."""
        return self._by_id[sentence.document_id].text[sentence.start : sentence.end]

    def previous(self, sentence: Sentence) -> Sentence | None:
        """Returns the sentence before this one in the same paragraph."""
        if sentence.ordinal == 0:
            return None
        before = self.layouts[sentence.document_id].outline.sentences[sentence.ordinal - 1]
        return before if before.paragraph == sentence.paragraph else None

    def before(self, sentence: Sentence) -> Sentence | None:
        """Returns the sentence before this one under the same heading, be it in another paragraph."""
        if sentence.ordinal == 0:
            return None
        cut = self.layouts[sentence.document_id].outline
        before = cut.sentences[sentence.ordinal - 1]
        return before if cut.section(before) == cut.section(sentence) else None

    def passages_with(self, sentence: Sentence) -> list[Passage]:
        """Returns the one or two passages that hold a sentence."""
        passages = self.layouts[sentence.document_id].passages
        position = bisect_right(self._first_passage[sentence.document_id], sentence.ordinal) - 1
        return [
            passage for passage in passages[max(position - 1, 0) : position + 1] if passage.last_sentence >= sentence.ordinal
        ]

    def vectors(self, sentences: Sequence[Sentence]) -> Vectors:
        """Returns a row of length 1 for each sentence.

        Raises:
            StoreDamaged: The store does not return the vectors that were written.
        """
        numbers = [self._first_row[sentence.document_id] + sentence.ordinal for sentence in sentences]
        if self._vectors is not None:
            return self._vectors[numbers]
        return self._checked(self._store.read([_row_id(sentence) for sentence in sentences]), numbers)

    def search(self, vector: Vectors, limit: int) -> list[Sentence]:
        """Returns the sentences nearest to a vector by cosine, nearest first."""
        try:
            row_ids = self._store.search(vector, min(limit, self.sentence_count))
        except StoreDamaged:
            if self._vectors is None:
                raise
            # A later build may have taken this one's place; the vectors, which were checked, are at hand.
            row_ids = [self._row_ids[row] for row in np.argsort(-(self._vectors @ vector), kind="stable")[:limit]]
        found = []
        for row_id in row_ids:
            document_id, _, ordinal = row_id.partition(":")
            found.append(self.layouts[document_id].outline.sentences[int(ordinal)])
        return found

    def close(self) -> None:
        """Lets go of the store."""
        self._store.close()

    def _read_all(self) -> Vectors:
        return self._checked(self._store.read(self._row_ids), range(len(self._row_ids)))

    def _checked(self, vectors: Vectors, numbers: Sequence[int]) -> Vectors:
        for vector, number in zip(vectors, numbers, strict=True):
            if checksum(vector) != self._checksums[number]:
                raise StoreDamaged("the store returned a vector that differs from the one written")
        return vectors


def rows_of(document: Document, layout: Layout) -> list[Row]:
    """Returns what is stored for each sentence of a document."""
    return [
        Row(
            id=_row_id(sentence),
            document_id=document.id,
            text=document.text[sentence.start : sentence.end],
            start=sentence.start,
            end=sentence.end,
            heading=sentence.heading,
        )
        for sentence in layout.outline.sentences
    ]


def _row_id(sentence: Sentence) -> str:
    return f"{sentence.document_id}:{sentence.ordinal}"
