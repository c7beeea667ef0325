"""BM25 over stemmed words."""

from __future__ import annotations

from collections.abc import Sequence

import bm25s
import numpy as np
import numpy.typing as npt
import Stemmer

__all__ = ["BM25", "saturated", "stems"]

LEXICAL_HALF = 4.0
"""The BM25 score of a sentence that counts half."""


def stems(texts: Sequence[str]) -> list[list[str]]:
    """Returns each text's stemmed words, English stop words and single letters left out."""
    # A stemmer is not safe to share between threads.
    stemmer = Stemmer.Stemmer("english")
    found: list[list[str]] = bm25s.tokenize(list(texts), stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)
    return found


def saturated(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns sentences' BM25 scores brought into 0..1: s / (s + 4), so that 4 counts half."""
    return scores / (scores + LEXICAL_HALF)


class BM25:
    """BM25 (Robertson and Zaragoza 2009) over a fixed set of texts, with bm25s's defaults: Lucene's form, k1 1.5, b 0.75."""

    def __init__(self, texts: Sequence[str]) -> None:
        words = stems(texts)
        self._size = len(texts)
        self._index: bm25s.BM25 | None = None
        self._vocabulary: set[str] = set().union(*words)
        if self._vocabulary:
            self._index = bm25s.BM25()
            self._index.index(words, show_progress=False)

    def scores(self, question: str) -> npt.NDArray[np.float32]:
        """Returns each text's score for the question, 0 or more."""
        known = [word for word in stems([question])[0] if word in self._vocabulary]
        if self._index is None or not known:
            return np.zeros(self._size, dtype=np.float32)
        return np.asarray(self._index.get_scores(known), dtype=np.float32)
