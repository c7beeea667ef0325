"""Turns a trained network's logits into probabilities and thresholds, on the dev part of the written questions.

People ask documents, not paragraphs, and the best of many windows scores higher than one. So each dev passage is put among
others, four to a document, before its questions are asked; longer texts are asked as they are. Each question is also asked of
a document that does not hold its passage: that is what an off-topic question looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from evals.documents import mix_weights, off_topic
from evals.metrics import expected_calibration_error
from evals.questions import LabelledQuestion, overlaps, share_of_nuggets
from index.build import build_in_memory
from index.corpus import Corpus
from index.embed import Embedder
from index.progress import Listener
from qa import compose
from qa.conversation import understand
from qa.evidence import EvidenceReader, Signals, logistic
from qa.model import EvidenceModel, Numbers
from qa.reader import Reading
from qa.retrieve import HybridRetriever

__all__ = ["Read", "fit"]

ANSWERED_THRESHOLD = 0.5
"""Likelier answered than not: a wrong answer costs as much as a right one is worth, declining costs and earns nothing."""
EVIDENCE_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(2, 20))
SHORT_ANSWER_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
BREAK_EVEN = 0.5
"""The overlap (F1 of characters) from which marking a short answer is better than marking none."""


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What the network made of a question asked of a document."""

    question: LabelledQuestion
    corpus: Corpus
    signals: Signals


def fit(
    model: EvidenceModel, questions: Sequence[LabelledQuestion], short: Sequence[LabelledQuestion], embedder: Embedder
) -> tuple[Numbers, dict[str, float]]:
    """Returns the numbers, and what they were chosen by.

    Args:
        model: The network; its own numbers are not used.
        questions: As `in_documents` makes them.
        short: Questions with short answers marked.
        embedder: Embeds the documents, whose vectors the passages are ranked by.
    """
    far = off_topic(questions)
    reads = _read_all(model, [*questions, *far], embedder)
    answerable = [each for each in reads if each.question.answerable]
    labels = [_labels(each) for each in answerable]
    evidence = LogisticRegression(C=1e4, max_iter=1000).fit(
        np.concatenate([each.signals.table()[label >= 0] for each, label in zip(answerable, labels, strict=True)]),
        np.concatenate([label[label >= 0] for label in labels]),
    )
    features = np.array([[each.signals.answered, evidence.decision_function(each.signals.table()).max()] for each in reads])
    truth = np.array([each.question.answerable for each in reads])
    is_far = np.arange(len(reads)) >= len(questions)
    weights = np.array(mix_weights(truth.tolist(), is_far.tolist()))
    answered = LogisticRegression(C=1e4).fit(features, truth, sample_weight=weights)
    probabilities = answered.predict_proba(features)[:, 1]
    slopes = [round(float(slope), 4) for slope in evidence.coef_[0]]
    numbers = Numbers(
        embedding_model=embedder.fingerprint,
        evidence_slope=slopes[0],
        similarity_slope=slopes[1],
        before_slope=slopes[2],
        lexical_slope=slopes[3],
        evidence_offset=round(float(evidence.intercept_[0]), 4),
        answered_slope=round(float(answered.coef_[0, 0]), 4),
        best_slope=round(float(answered.coef_[0, 1]), 4),
        answered_offset=round(float(answered.intercept_[0]), 4),
        answered_threshold=ANSWERED_THRESHOLD,
        evidence_threshold=0.0,
        short_answer_threshold=0.0,
    )
    by_threshold = {least: _shown(numbers, answerable, least) for least in EVIDENCE_THRESHOLDS}
    least = max(by_threshold, key=lambda each: by_threshold[each][2])
    marked = _short_answers(model, short, embedder)
    shortest = max(SHORT_ANSWER_THRESHOLDS, key=lambda each: sum(f1 - BREAK_EVEN for chance, f1 in marked if chance >= each))
    kept = [f1 for chance, f1 in marked if chance >= shortest]
    return replace(numbers, evidence_threshold=least, short_answer_threshold=shortest), {
        "asked": len(reads),
        "answerable declined": round(float((probabilities[truth] < ANSWERED_THRESHOLD).mean()), 3),
        "near misses declined": round(float((probabilities[~truth & ~is_far] < ANSWERED_THRESHOLD).mean()), 3),
        "off-topic declined": round(float((probabilities[is_far] < ANSWERED_THRESHOLD).mean()), 3),
        "calibration error": round(
            expected_calibration_error(probabilities.tolist(), truth.tolist(), weights=weights.tolist()), 3
        ),
        "nugget recall": round(by_threshold[least][0], 3),
        "citation precision": round(by_threshold[least][1], 3),
        "short answers marked": round(len(kept) / max(1, len(marked)), 3),
        "their overlap with the right ones": round(sum(kept) / max(1, len(kept)), 3),
    }


def _read_all(model: EvidenceModel, questions: Sequence[LabelledQuestion], embedder: Embedder) -> list[Read]:
    documents = {question.document.id: question.document for question in questions}
    quiet = Listener(notice=print)
    readers = {}
    for document_id, document in documents.items():
        corpus = build_in_memory([document], embedder, quiet)
        readers[document_id] = (corpus, HybridRetriever(corpus), EvidenceReader(corpus, model))
    reads = []
    for question in questions:
        corpus, retriever, reader = readers[question.document.id]
        asked = understand(question.question, question.history)
        passages = [found.passage for found in retriever.passages(asked)]
        reads.append(Read(question, corpus, reader.signals(asked, passages)))
    return reads


def _labels(read: Read) -> npt.NDArray[np.int64]:
    """Returns for each sentence that was read 1 for evidence, 0 for none, and -1 for what is neither right nor wrong."""
    wanted = [span for nugget in read.question.nuggets for span in nugget]
    labels = []
    for sentence in read.signals.sentences:
        place = (sentence.start, sentence.end)
        if any(overlaps(place, span) for span in wanted):
            labels.append(1)
        else:
            labels.append(-1 if any(overlaps(place, span) for span in read.question.useful) else 0)
    return np.array(labels)


def _shown(numbers: Numbers, reads: Sequence[Read], least: float) -> tuple[float, float, float]:
    """Returns nugget recall, citation precision (context counts as right) and their F1, over all nuggets and citations."""
    found = nuggets = fair = shown = 0.0
    for read in reads:
        scores = logistic(read.signals.combined(numbers))
        reading = Reading(read.signals.sentences, tuple(scores.tolist()), 1.0)
        chosen = [(s.start, s.end) for s in compose.select(reading, read.corpus, {"evidence": least})]
        right = [span for nugget in read.question.nuggets for span in nugget] + list(read.question.useful)
        found += share_of_nuggets(read.question, chosen) * len(read.question.nuggets)
        nuggets += len(read.question.nuggets)
        fair += sum(any(overlaps(place, span) for span in right) for place in chosen)
        shown += len(chosen)
    recall, precision = found / nuggets, fair / shown
    return recall, precision, 2 * recall * precision / max(recall + precision, 1e-9)


def _short_answers(
    model: EvidenceModel, questions: Sequence[LabelledQuestion], embedder: Embedder
) -> list[tuple[float, float]]:
    """Returns for each question the probability of the best sentence's span, and its F1 with the right one by characters."""
    found = []
    quiet = Listener(notice=print)
    for question in questions:
        if question.short_answer is None:
            continue
        corpus = build_in_memory([question.document], embedder, quiet)
        signals = EvidenceReader(corpus, model).signals(question.question, corpus.passages)
        span = signals.spans[signals.sentences[int(signals.evidence.argmax())]]
        start, end = question.short_answer
        shared = max(0, min(end, span.end) - max(start, span.start))
        found.append((span.probability, 2 * shared / (end - start + span.end - span.start)))
    return found
