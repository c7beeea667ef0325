"""Turns a trained network's logits into probabilities and thresholds, on the dev part of the written questions.

People ask documents, not paragraphs, and the best of many windows scores higher than one. So each dev passage is put among
others, four to a document, before its questions are asked; longer texts are asked as they are. Each question is also asked of
a document that does not hold its passage: that is what an off-topic question looks like.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from evals.metrics import expected_calibration_error
from evals.questions import LabelledQuestion, Span, overlaps, share_of_nuggets
from index.build import build_in_memory
from index.corpus import Corpus
from index.embed import Embedder
from index.load import load_text
from index.progress import Listener
from qa import compose
from qa.conversation import understand
from qa.evidence import EvidenceModel, EvidenceReader, Logits, Numbers, logistic
from qa.reader import Reading
from qa.retrieve import HybridRetriever

__all__ = ["Read", "fit", "in_documents"]

Floats = npt.NDArray[np.float64]

TOGETHER = 4
"""Passages to a document."""
LONG = 3000
"""Characters from which a text is a document by itself."""
EVIDENCE_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(2, 20))
SHORT_ANSWER_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
BREAK_EVEN = 0.5
"""The overlap (F1 of characters) from which marking a short answer is better than marking none."""


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What the network made of a question asked of a document."""

    question: LabelledQuestion
    corpus: Corpus
    own: bool
    """Whether the document is the question's own."""
    logits: Logits

    @property
    def answerable(self) -> bool:
        """Whether the document answers."""
        return self.own and self.question.answerable


def in_documents(questions: Sequence[LabelledQuestion]) -> list[LabelledQuestion]:
    """Returns the questions asked of longer documents: each short passage put among three others of the same set."""
    originals = {question.document.source: question.document for question in questions if question.twin_of is None}
    short = [document for document in originals.values() if len(document.text) < LONG]
    asked = []
    for question in questions:
        if len(question.document.text) >= LONG:
            asked.append(question)
            continue
        own = _passage_of(question)
        # The same neighbours for all questions of a passage, and for its twins.
        neighbours = random.Random(own).sample([document for document in short if document.source != own], TOGETHER - 1)
        place = random.Random(f"{own} place").randrange(TOGETHER)
        parts = [document.text for document in neighbours]
        parts.insert(place, question.document.text)
        shift = sum(len(part) + 2 for part in parts[:place])
        names = [document.source for document in neighbours]
        names.insert(place, own)
        document = load_text("\n\n".join(parts), title=question.document.title, source="+".join(names))
        moved = replace(
            question,
            document=document,
            nuggets=tuple(tuple(_moved(span, shift) for span in nugget) for nugget in question.nuggets),
            useful=tuple(_moved(span, shift) for span in question.useful),
        )
        asked.append(moved)
    return asked


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
    reads = _read_all(model, questions, embedder)
    answerable = [each for each in reads if each.answerable]
    labels = [_labels(each) for each in answerable]
    evidence = LogisticRegression(C=1e4).fit(
        np.concatenate([each.logits.evidence[label >= 0] for each, label in zip(answerable, labels, strict=True)])[:, None],
        np.concatenate([label[label >= 0] for label in labels]),
    )
    features = np.array([[each.logits.answered, each.logits.evidence.max()] for each in reads])
    truth = np.array([each.answerable for each in reads])
    # Off-topic questions weigh, together, as much as near misses: they are many only because they are cheap to make.
    near, far = (sum(not each.answerable and each.own is own for each in reads) for own in (True, False))
    weights = np.array([1.0 if each.own else near / far for each in reads])
    answered = LogisticRegression(C=1e4).fit(features, truth, sample_weight=weights)
    probabilities = answered.predict_proba(features)[:, 1]
    # Halfway between two neighbours, so that no question's own probability sits on the threshold.
    candidates = [(low + high) / 2 for low, high in pairwise(sorted(set(probabilities.tolist())))]
    threshold = max(candidates, key=lambda least: _balanced(probabilities, truth, weights, least))
    numbers = Numbers(
        evidence_slope=round(float(evidence.coef_[0, 0]), 4),
        evidence_offset=round(float(evidence.intercept_[0]), 4),
        answered_slope=round(float(answered.coef_[0, 0]), 4),
        best_slope=round(float(answered.coef_[0, 1]), 4),
        answered_offset=round(float(answered.intercept_[0]), 4),
        answered_threshold=round(threshold, 4),
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
        "balanced accuracy": round(_balanced(probabilities, truth, weights, threshold), 3),
        "calibration error": round(expected_calibration_error(probabilities.tolist(), truth.tolist()), 3),
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
        asked = understand(question.question, question.history)
        others = [] if question.twin_of else [random.Random(question.id).choice(list(documents))]
        for document_id in [question.document.id, *others]:
            corpus, retriever, reader = readers[document_id]
            own = document_id == question.document.id
            if own or _passage_of(question) not in corpus.documents[0].source.split("+"):
                passages = [found.passage for found in retriever.passages(asked)]
                reads.append(Read(question, corpus, own, reader.score(asked, passages)))
    return reads


def _passage_of(question: LabelledQuestion) -> str:
    """Returns the id of the passage that a question, or the question it is a twin of, was written for."""
    return (question.twin_of or question.id).rsplit("-", 1)[0]


def _labels(read: Read) -> npt.NDArray[np.int64]:
    """Returns for each sentence that was read 1 for evidence, 0 for none, and -1 for what is neither right nor wrong."""
    wanted = [span for nugget in read.question.nuggets for span in nugget]
    labels = []
    for sentence in read.logits.sentences:
        place = (sentence.start, sentence.end)
        if any(overlaps(place, span) for span in wanted):
            labels.append(1)
        else:
            labels.append(-1 if any(overlaps(place, span) for span in read.question.useful) else 0)
    return np.array(labels)


def _balanced(probabilities: Floats, truth: npt.NDArray[np.bool_], weights: Floats, least: float) -> float:
    """Returns the mean of the shares of answerable questions answered and of others declined, by weight; 0..1."""
    right = (probabilities >= least) == truth
    return float((right[truth].mean() + np.average(right[~truth], weights=weights[~truth])) / 2)


def _shown(numbers: Numbers, reads: Sequence[Read], least: float) -> tuple[float, float, float]:
    """Returns nugget recall, citation precision (context counts as right) and their F1, over all nuggets and citations."""
    found = nuggets = fair = shown = 0.0
    for read in reads:
        scores = logistic(numbers.evidence_slope * read.logits.evidence + numbers.evidence_offset)
        reading = Reading(read.logits.sentences, tuple(scores.tolist()), 1.0)
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
        logits = EvidenceReader(corpus, model).score(question.question, corpus.passages)
        span = logits.spans[logits.sentences[int(logits.evidence.argmax())]]
        start, end = question.short_answer
        shared = max(0, min(end, span.end) - max(start, span.start))
        found.append((span.probability, 2 * shared / (end - start + span.end - span.start)))
    return found


def _moved(span: Span, shift: int) -> Span:
    return span[0] + shift, span[1] + shift
