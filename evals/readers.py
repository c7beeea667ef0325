"""Readers to compare: those that anyone can have without training, and the trained one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.late_interaction import max_similarity, token_vectors
from evals.similarity import SimilarityReader
from index.corpus import Corpus
from index.types import Sentence
from qa import compose
from qa.evidence import EvidenceReader
from qa.lexical import BM25
from qa.model import EvidenceModel
from qa.reader import Reading
from qa.retrieve import HybridRetriever

__all__ = [
    "LADDER",
    "Ask",
    "Outcome",
    "always_abstain",
    "bm25",
    "evidence_reader",
    "first_three",
    "late_interaction",
    "minilm",
    "outcome",
    "similarity_reader",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reader made of one question."""

    ranked: tuple[Sentence, ...]
    """Every sentence that was read, best first."""
    shown: tuple[Sentence, ...]
    """The sentences that would be shown; none where it declines."""
    confidence: float
    """That the text answers; higher is surer, on the reader's own scale."""


Ask = Callable[[str], Outcome]


def always_abstain(corpus: Corpus) -> Ask:
    """Shows nothing, whatever is asked."""
    sentences = _sentences(corpus)
    return lambda question: Outcome(sentences, (), 0.0)


def first_three(corpus: Corpus) -> Ask:
    """Shows how the text begins, whatever is asked."""
    sentences = _sentences(corpus)
    return lambda question: Outcome(sentences, sentences[:3], 1.0)


def bm25(corpus: Corpus) -> Ask:
    """Shows BM25's best three."""
    sentences = _sentences(corpus)
    words = BM25([corpus.text(sentence) for sentence in sentences])
    return lambda question: _best_three(sentences, words.scores(question))


def minilm(corpus: Corpus) -> Ask:
    """Shows the three sentences whose vectors are closest to the question's."""
    sentences = _sentences(corpus)
    vectors = corpus.vectors(sentences)
    return lambda question: _best_three(sentences, vectors @ corpus.encode_question(question))


def late_interaction(corpus: Corpus) -> Ask:
    """Shows the three sentences whose tokens are closest to the question's."""
    sentences = _sentences(corpus)
    kept = token_vectors([corpus.text(sentence) for sentence in sentences])

    def ask(question: str) -> Outcome:
        (asked,) = token_vectors([question])
        return _best_three(sentences, np.array([max_similarity(asked, sentence) for sentence in kept]))

    return ask


def similarity_reader(corpus: Corpus) -> Ask:
    """Shows what the untrained reader chooses."""
    reader = SimilarityReader(corpus)

    def ask(question: str) -> Outcome:
        return outcome(reader.read(question, corpus.passages), corpus, reader.thresholds)

    return ask


def evidence_reader(file: Path) -> Callable[[Corpus], Ask]:
    """Returns what shows the choice of a trained network, given by its file."""
    model = EvidenceModel.load(file)

    def of(corpus: Corpus) -> Ask:
        reader = EvidenceReader(corpus, model)
        retriever = HybridRetriever(corpus)

        def ask(question: str) -> Outcome:
            passages = [found.passage for found in retriever.passages(question)]
            return outcome(reader.read(question, passages), corpus, reader.thresholds)

        return ask

    return of


LADDER: dict[str, Callable[[Corpus], Ask]] = {
    "always abstain": always_abstain,
    "first three sentences": first_three,
    "BM25@3": bm25,
    "MiniLM@3": minilm,
    "late interaction@3": late_interaction,
    "similarity reader": similarity_reader,
}
"""What anyone can have without training."""


def outcome(reading: Reading, corpus: Corpus, thresholds: dict[str, float]) -> Outcome:
    """Returns what is shown for a reading."""
    order = np.argsort(-np.array(reading.scores), kind="stable")
    shown = compose.select(reading, corpus, thresholds) if reading.answered >= thresholds["answered"] else []
    return Outcome(tuple(reading.sentences[at] for at in order), tuple(shown), reading.answered)


def _sentences(corpus: Corpus) -> tuple[Sentence, ...]:
    return tuple(sentence for document in corpus.documents for sentence in corpus.layouts[document.id].outline.sentences)


def _best_three(sentences: tuple[Sentence, ...], scores: np.ndarray) -> Outcome:
    ranked = tuple(sentences[at] for at in np.argsort(-scores, kind="stable"))
    return Outcome(ranked, ranked[:3], float(scores.max()))
