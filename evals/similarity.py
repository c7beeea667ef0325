"""The untrained reader, a baseline: it reads by sentence vectors and BM25.

It scores a sentence by its closeness to the question, by its neighbour's (a sentence often leans on the one before it), and by
the words they share. Its numbers come from `evals.calibrate`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from index.corpus import Corpus
from index.types import Passage, Sentence
from qa.evidence import logistic
from qa.lexical import BM25, saturated
from qa.reader import Reading

__all__ = ["Calibration", "SimilarityReader"]

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The untrained reader's numbers, fitted by `evals.calibrate` on the development questions."""

    embedding_model: str
    """The fingerprint of the model that the numbers hold for."""
    previous_weight: float
    """Of the cosine between the question and the sentence before."""
    lexical_weight: float
    """Of the saturated BM25 score, which is in 0..1."""
    sentence_slope: float
    sentence_offset: float
    """A sentence's score is the logistic function of slope x combined similarity + offset (Platt scaling)."""
    answered_slope: float
    answered_offset: float
    """The probability that a question is answered, likewise, from the best sentence's combined similarity."""
    answered_threshold: float
    evidence_threshold: float

    @classmethod
    def load(cls) -> Calibration:
        """Returns the calibration that comes with the package."""
        stored = json.loads(resources.files("evals").joinpath("similarity.json").read_text(encoding="utf-8"))
        return cls(**stored["values"])


class SimilarityReader:
    """Reads by sentence vectors and BM25."""

    def __init__(self, corpus: Corpus, calibration: Calibration | None = None) -> None:
        """Takes the corpus whose vectors are read.

        Args:
            corpus: Holds all passages that will be read.
            calibration: None takes the one that comes with the package.
        """
        self._corpus = corpus
        self._calibration = calibration or Calibration.load()
        self.thresholds = {
            "answered": self._calibration.answered_threshold,
            "evidence": self._calibration.evidence_threshold,
        }
        # Short documents are read whole again and again: their word index is kept.
        self._words = lru_cache(maxsize=4)(self._index_words)

    def read(self, question: str, passages: Sequence[Passage]) -> Reading:
        """Reads the passages with the question in mind."""
        sentences = self._corpus.in_order(s for passage in passages for s in self._corpus.sentences(passage))
        if not sentences:
            return Reading((), (), 0.0)
        numbers = self._calibration
        similarity = self.similarity(question, sentences)
        scores = logistic(numbers.sentence_slope * similarity + numbers.sentence_offset)
        answered = logistic(numbers.answered_slope * similarity.max(keepdims=True) + numbers.answered_offset)
        return Reading(sentences, tuple(scores.tolist()), float(answered[0]))

    def similarity(self, question: str, sentences: tuple[Sentence, ...]) -> Scores:
        """Returns each sentence's combined similarity with the question, about -1..2; higher is better."""
        corpus = self._corpus
        vector = corpus.encode_question(question)
        dense = (corpus.vectors(sentences) @ vector).astype(np.float64)
        before = dense.copy()
        for position in range(1, len(sentences)):
            if corpus.previous(sentences[position]) == sentences[position - 1]:
                before[position] = dense[position - 1]
        weight = self._calibration.previous_weight
        lexical = self._calibration.lexical_weight * saturated(self._words(sentences).scores(question))
        combined: Scores = (dense + weight * before) / (1 + weight) + lexical
        return combined

    def _index_words(self, sentences: tuple[Sentence, ...]) -> BM25:
        return BM25([self._corpus.text(sentence) for sentence in sentences])
