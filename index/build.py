"""Documents into a build: sentences, passages, vectors; what is unchanged is taken over, never made again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.chunk import Layout, PassageParser
from index.corpus import Corpus, rows_of
from index.embed import Embedder
from index.progress import Listener
from index.store import StoreDamaged, VectorStore, checksum
from index.types import Document

__all__ = ["Build", "build", "build_in_memory"]


@dataclass(frozen=True, slots=True)
class Build:
    """What was made, to be kept or opened."""

    layouts: dict[str, Layout]
    """By document id."""
    checksums: list[int]
    """Of each sentence's vector, in the order of the documents."""
    sentences_embedded: int
    sentences_reused: int
    """Sentences whose vector was taken from the corpus before."""


def build(
    documents: Sequence[Document], store: VectorStore, embedder: Embedder, listener: Listener, before: Corpus | None = None
) -> Build:
    """Cuts and embeds documents into an empty store.

    Args:
        documents: What is to be held, in order.
        store: Written.
        embedder: Its tokens bound the passages.
        listener: Told of progress.
        before: A sound corpus made the same way; what it shares with the new one is taken over.
    """
    layouts = _layouts(documents, before, embedder, listener)
    rows = [row for document in documents for row in rows_of(document, layouts[document.id])]
    vectors, embedded, reused = _vectors([row.text for row in rows], before, embedder, listener)
    store.write(rows, vectors, listener)
    return Build(layouts, [checksum(vector) for vector in vectors], embedded, reused)


def build_in_memory(
    documents: Sequence[Document], embedder: Embedder, listener: Listener, before: Corpus | None = None
) -> Corpus:
    """Builds a corpus that lives no longer than the process; nothing is written to disk.

    Args:
        documents: What is to be held, in order.
        embedder: Its tokens bound the passages.
        listener: Told of progress.
        before: A sound corpus made the same way; what it shares with the new one is taken over.
    """
    store = VectorStore.memory(f"qa-{uuid.uuid4().hex[:16]}")
    made = build(documents, store, embedder, listener, before)
    return Corpus(documents, made.layouts, made.checksums, store, embedder)


def _layouts(documents: Sequence[Document], before: Corpus | None, embedder: Embedder, listener: Listener) -> dict[str, Layout]:
    parser = PassageParser(max_tokens=embedder.max_tokens, count_tokens=embedder.count_tokens)
    total = sum(len(document.text) for document in documents)
    done = 0
    layouts: dict[str, Layout] = {}
    for document in documents:
        known = before.layouts.get(document.id) if before is not None else None

        def progress(characters: int, done: int = done) -> None:
            listener.progress("finding sentences", done + characters, total)

        layouts[document.id] = known or parser.parse(document, progress)
        done += len(document.text)
    listener.progress("finding sentences", total, total)
    return layouts


def _vectors(
    texts: list[str], before: Corpus | None, embedder: Embedder, listener: Listener
) -> tuple[npt.NDArray[np.float32], int, int]:
    """Returns a vector for each text, how many different texts were embedded, and how many texts were there before."""
    known: dict[str, npt.NDArray[np.float32]] = {}
    if before is not None:
        for layout in before.layouts.values():
            sentences = layout.outline.sentences
            try:
                vectors = before.vectors(sentences)
            except StoreDamaged as error:
                listener.notice(f"embedding a document again: {error}")
                continue
            known.update(zip((before.text(sentence) for sentence in sentences), vectors, strict=True))
    reused = sum(text in known for text in texts)
    missing = list(dict.fromkeys(text for text in texts if text not in known))
    if missing:
        known.update(zip(missing, embedder.encode(missing, listener), strict=True))
    return np.array([known[text] for text in texts], dtype=np.float32), len(missing), reused
