"""Documents into a build: sentences, passages, vectors; what is unchanged is taken over, never made again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.chunk import Layout, PassageParser
from index.corpus import Corpus, rows_of
from index.embed import Embedder
from index.progress import Listener
from index.store import VectorStore, checksum
from index.types import Document

__all__ = ["Build", "Receipt", "build"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a build did, in document titles and numbers of passages and sentences."""

    reason: str
    """Why there was a build; empty where the index was opened in place."""
    added: tuple[str, ...] = ()
    reused: tuple[str, ...] = ()
    """Documents that were there before with the same text."""
    removed: tuple[str, ...] = ()
    passages_added: int = 0
    passages_reused: int = 0
    passages_removed: int = 0
    sentences_embedded: int = 0
    sentences_reused: int = 0
    """Sentences whose vector was taken from the build before."""


@dataclass(frozen=True, slots=True)
class Build:
    """A corpus with what is needed to keep it."""

    corpus: Corpus
    checksums: list[int]
    receipt: Receipt


def build(
    documents: Sequence[Document],
    store: VectorStore,
    embedder: Embedder,
    listener: Listener,
    *,
    reason: str,
    before: Corpus | None = None,
) -> Build:
    """Cuts and embeds documents into a store.

    Args:
        documents: What the corpus is to hold, in order.
        store: Written anew.
        embedder: Its tokens bound the passages.
        listener: Told of progress.
        reason: Goes into the receipt.
        before: A sound corpus made the same way; what it shares with the new one is taken over.
    """
    known = before.layouts if before is not None else {}
    parser = PassageParser(max_tokens=embedder.max_tokens, count_tokens=embedder.count_tokens)
    layouts: dict[str, Layout] = {}
    for number, document in enumerate(documents):
        listener.progress("finding sentences", number, len(documents))
        layouts[document.id] = known.get(document.id) or parser.parse(document)
    listener.progress("finding sentences", len(documents), len(documents))
    rows = [row for document in documents for row in rows_of(document, layouts[document.id])]
    vectors, embedded = _vectors([row.text for row in rows], before, embedder, listener)
    store.write(rows, vectors, listener)
    checksums = [checksum(vector) for vector in vectors]
    old = {document.id: document for document in before.documents} if before is not None else {}
    new_ids = {document.id for document in documents}
    receipt = Receipt(
        reason=reason,
        added=tuple(document.title for document in documents if document.id not in old),
        reused=tuple(document.title for document in documents if document.id in old),
        removed=tuple(document.title for document in old.values() if document.id not in new_ids),
        passages_added=sum(len(layouts[document.id].passages) for document in documents if document.id not in old),
        passages_reused=sum(len(layouts[document.id].passages) for document in documents if document.id in old),
        passages_removed=sum(len(known[document_id].passages) for document_id in old if document_id not in new_ids),
        sentences_embedded=embedded,
        sentences_reused=len(rows) - embedded,
    )
    return Build(Corpus(documents, layouts, checksums, store, embedder), checksums, receipt)


def _vectors(
    texts: list[str], before: Corpus | None, embedder: Embedder, listener: Listener
) -> tuple[npt.NDArray[np.float32], int]:
    """Returns a vector for each text, and how many had to be embedded."""
    known: dict[str, npt.NDArray[np.float32]] = {}
    if before is not None:
        for layout in before.layouts.values():
            sentences = layout.outline.sentences
            vectors = before.vectors(sentences)
            known.update(zip((before.text(sentence) for sentence in sentences), vectors, strict=True))
    missing = list(dict.fromkeys(text for text in texts if text not in known))
    if missing:
        known.update(zip(missing, embedder.encode(missing, listener), strict=True))
    return np.array([known[text] for text in texts], dtype=np.float32), len(missing)
