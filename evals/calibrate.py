"""Fits the untrained reader's numbers: `python -m evals.calibrate`, with `--write` into evals/similarity.json.

- The weights of the neighbour and of shared words: the best recall of nuggets among the first three sentences, on the
  training part of the written questions (evals/written).
- The scores and the probability of an answer: Platt scaling on the development questions (evals/dev), each asked of its own
  text, and of the two other texts, which do not answer it.
- The thresholds: on the development questions, the one for answering by balanced accuracy, the one for further sentences by
  F0.5 of citation precision and nugget recall, which counts precision double: uncited is better than miscited.

Prints what each choice was made from, and how the development questions fare when the text they are asked of is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from evals.development import load_development
from evals.questions import LabelledQuestion, Span, overlaps, share_of_nuggets
from evals.similarity import Calibration, SimilarityReader
from evals.written_questions import load_written
from index.build import build_in_memory
from index.corpus import Corpus
from index.embed import Embedder, load_embedder
from index.progress import Listener
from index.settings import IndexSettings
from index.types import Document
from qa import compose
from qa.conversation import understand
from qa.reader import Reading

__all__ = ["Asked", "main"]

HERE = Path(__file__).parent
TARGET = HERE / "similarity.json"
WEIGHTS = (0.0, 0.25, 0.5, 0.75)
LEXICAL_WEIGHTS = (0.0, 0.2, 0.4, 0.6)
EVIDENCE_THRESHOLDS = tuple(round(0.3 + 0.05 * step, 2) for step in range(15))
OFF_TOPIC_SHARE = 1.0
"""Questions asked of the wrong text weigh, together, this many times as much as the near misses."""

Similarities = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question asked of a text, its own or another."""

    question: LabelledQuestion
    corpus: Corpus
    answerable: bool
    similarity: Similarities
    """Of each sentence of the text, in order."""
    weight: float

    def is_nugget(self) -> list[bool]:
        """Says of each sentence whether it belongs to the answer."""
        return [
            self.answerable and any(overlaps(span, wanted) for nugget in self.question.nuggets for wanted in nugget)
            for span in self.spans()
        ]

    def spans(self) -> list[Span]:
        """Returns the place of each sentence."""
        (layout,) = self.corpus.layouts.values()
        return [(sentence.start, sentence.end) for sentence in layout.outline.sentences]


def main() -> None:
    """Fits everything anew."""
    parser = argparse.ArgumentParser(prog="python -m evals.calibrate", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write evals/similarity.json")
    options = parser.parse_args()
    listener = Listener(notice=print)
    embedder = load_embedder(replace(IndexSettings.resolve(), embed_model=None), listener)
    numbers = Calibration(embedder.fingerprint, 0, 0, 1, 0, 1, 0, 0.5, 0.5)
    numbers = _choose_weights(numbers, [question for question in load_written("train") if question.answerable], embedder)
    asked = _ask_all(load_development(), numbers, embedder)
    numbers = _fit(numbers, asked)
    _report(numbers, asked)
    data = b"".join(path.read_bytes() for path in sorted((HERE / "dev").iterdir()))
    made_of = {
        "weights": "evals/written, split train: recall of nuggets among the first three sentences",
        "scores and thresholds": "evals/dev, 60 questions",
        "sha256 of evals/dev": hashlib.sha256(data).hexdigest(),
    }
    print(numbers)
    if options.write:
        content = {"made_by": "python -m evals.calibrate --write", "made_of": made_of, "values": asdict(numbers)}
        TARGET.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {TARGET.name}")


def _choose_weights(numbers: Calibration, questions: Sequence[LabelledQuestion], embedder: Embedder) -> Calibration:
    corpora = _corpora((question.document for question in questions), embedder)
    nuggets = sum(len(question.nuggets) for question in questions)
    best = (0.0, numbers)
    for previous, lexical in product(WEIGHTS, LEXICAL_WEIGHTS):
        tried = replace(numbers, previous_weight=previous, lexical_weight=lexical)
        readers = {document_id: SimilarityReader(corpus, tried) for document_id, corpus in corpora.items()}
        found = 0.0
        for question in questions:
            sentences = corpora[question.document.id].layouts[question.document.id].outline.sentences
            similarity = readers[question.document.id].similarity(understand(question.question, question.history), sentences)
            first = [sentences[position] for position in np.argsort(-similarity, kind="stable")[:3]]
            share = share_of_nuggets(question, [(sentence.start, sentence.end) for sentence in first])
            found += share * len(question.nuggets)
        print(f"neighbour {previous:.2f}, words {lexical:.1f}: {found:.0f} of {nuggets} nuggets among three")
        best = max(best, (found, tried), key=lambda scored: scored[0])
    return best[1]


def _corpora(documents: Iterable[Document], embedder: Embedder) -> dict[str, Corpus]:
    quiet = Listener(notice=print)
    return {
        document.id: build_in_memory([document], embedder, quiet)
        for document in {document.id: document for document in documents}.values()
    }


def _ask_all(questions: Sequence[LabelledQuestion], numbers: Calibration, embedder: Embedder) -> list[Asked]:
    corpora = _corpora((question.document for question in questions), embedder)
    near_misses = sum(not question.answerable for question in questions)
    off_topic = len(questions) * (len(corpora) - 1)
    asked = []
    for question, (document_id, corpus) in product(questions, corpora.items()):
        own = document_id == question.document.id
        similarity = SimilarityReader(corpus, numbers).similarity(
            understand(question.question, question.history), corpus.layouts[document_id].outline.sentences
        )
        weight = 1.0 if own else OFF_TOPIC_SHARE * near_misses / off_topic
        asked.append(Asked(question, corpus, own and question.answerable, similarity, weight))
    return asked


def _fit(numbers: Calibration, asked: Sequence[Asked]) -> Calibration:
    own = [each for each in asked if each.answerable]
    slope, offset = _platt(
        np.concatenate([each.similarity for each in own]), [label for each in own for label in each.is_nugget()]
    )
    numbers = replace(numbers, sentence_slope=round(slope, 4), sentence_offset=round(offset, 4))
    slope, offset = _platt(
        np.array([each.similarity.max() for each in asked]),
        [each.answerable for each in asked],
        [each.weight for each in asked],
    )
    numbers = replace(numbers, answered_slope=round(slope, 4), answered_offset=round(offset, 4))
    probabilities = {each: _probability(numbers, each) for each in asked}
    # Halfway between two neighbours, so that no question's own probability sits on the threshold.
    candidates = [(low + high) / 2 for low, high in pairwise(sorted(set(probabilities.values())))]
    threshold = max(candidates, key=lambda least: _balanced_accuracy(probabilities, least))
    numbers = replace(numbers, answered_threshold=round(threshold, 4))
    evidence = max(EVIDENCE_THRESHOLDS, key=lambda least: _evidence(replace(numbers, evidence_threshold=least), own)[2])
    return replace(numbers, evidence_threshold=evidence)


def _platt(values: Similarities, labels: Sequence[bool], weights: Sequence[float] | None = None) -> tuple[float, float]:
    model = LogisticRegression(C=1e4).fit(values[:, None], labels, sample_weight=weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _probability(numbers: Calibration, asked: Asked) -> float:
    best = float(asked.similarity.max())
    return float(1 / (1 + np.exp(-(numbers.answered_slope * best + numbers.answered_offset))))


def _balanced_accuracy(probabilities: dict[Asked, float], threshold: float) -> float:
    answered = [p >= threshold for each, p in probabilities.items() if each.answerable]
    declined = [(p < threshold, each.weight) for each, p in probabilities.items() if not each.answerable]
    right = sum(weight for was, weight in declined if was) / sum(weight for _, weight in declined)
    return (sum(answered) / len(answered) + right) / 2


def _evidence(numbers: Calibration, asked: Sequence[Asked]) -> tuple[float, float, float]:
    """Returns nugget recall, citation precision (context counts as right) and their F0.5, means over answerables.

    F0.5 = 1.25 P R / (0.25 P + R) (van Rijsbergen 1979).
    """
    recalls, precisions = [], []
    for each in asked:
        (layout,) = each.corpus.layouts.values()
        scores = 1 / (1 + np.exp(-(numbers.sentence_slope * each.similarity + numbers.sentence_offset)))
        reading = Reading(layout.outline.sentences, tuple(scores.tolist()), 1.0)
        chosen = compose.select(reading, each.corpus, {"evidence": numbers.evidence_threshold})
        shown = [(sentence.start, sentence.end) for sentence in chosen]
        fair = [wanted for nugget in each.question.nuggets for wanted in nugget] + list(each.question.useful)
        recalls.append(share_of_nuggets(each.question, shown))
        precisions.append(sum(any(overlaps(span, wanted) for wanted in fair) for span in shown) / len(shown))
    recall, precision = float(np.mean(recalls)), float(np.mean(precisions))
    return recall, precision, 1.25 * recall * precision / max(0.25 * precision + recall, 1e-9)


def _report(numbers: Calibration, asked: Sequence[Asked]) -> None:
    own = [each for each in asked if each.answerable]
    print("all three texts:", _summary(numbers, asked))
    recall, precision, score = _evidence(numbers, own)
    print(f"nugget recall {recall:.2f}, citation precision {precision:.2f}, F0.5 {score:.2f} ({len(own)} questions)")
    for left_out in sorted({each.question.document.title for each in asked}):
        rest = [each for each in asked if each.question.document.title != left_out]
        fitted = _fit(numbers, [each for each in rest if next(iter(each.corpus.documents)).title != left_out])
        there = [each for each in asked if next(iter(each.corpus.documents)).title == left_out]
        print(f"fitted without {left_out!r}, asked of it: {_summary(fitted, there)}")


def _summary(numbers: Calibration, asked: Sequence[Asked]) -> str:
    def share(wanted: Iterable[Asked], *, answered: bool) -> str:
        group = list(wanted)
        count = sum((_probability(numbers, each) >= numbers.answered_threshold) == answered for each in group)
        return f"{count} of {len(group)}"

    own = [each for each in asked if each.question.document.id == each.corpus.documents[0].id]
    return (
        f"answered {share((each for each in own if each.answerable), answered=True)} answerable, declined "
        f"{share((each for each in own if not each.answerable), answered=False)} near misses and "
        f"{share((each for each in asked if each not in own), answered=False)} asked of the wrong text"
    )


if __name__ == "__main__":
    main()
