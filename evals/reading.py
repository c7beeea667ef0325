"""How well readers find evidence and know when there is none: `python -m evals.reading`.

Prints a table for each set of questions, every figure with its count, against a ladder of readers that anyone can have:
always abstain, the first three sentences, BM25's best three, MiniLM's best three, and the untrained similarity reader.
The sets are split by document. The public ones need `--data`, a folder
with the files that evals/public_questions.py names.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evals.metrics import Share, auc, expected_calibration_error, f1
from evals.public_questions import load_public
from evals.questions import LabelledQuestion, overlaps
from evals.training.calibration import in_documents
from evals.written_questions import load_written
from index.build import build_in_memory
from index.corpus import Corpus
from index.embed import Embedder, load_embedder
from index.progress import Listener
from index.settings import IndexSettings
from index.types import Sentence
from qa import compose
from qa.conversation import understand
from qa.lexical import BM25
from qa.reader import Reading, SimilarityReader

__all__ = [
    "LADDER",
    "Asked",
    "Outcome",
    "Row",
    "always_abstain",
    "ask_all",
    "bm25",
    "first_three",
    "main",
    "minilm",
    "outcome",
    "similarity_reader",
]

PUBLIC = ("squad", "qed", "fairytales")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reader made of one question."""

    ranked: tuple[Sentence, ...]
    """Every sentence of the text, best first."""
    shown: tuple[Sentence, ...]
    """The sentences that would be shown; none where it declines."""
    confidence: float
    """That the text answers; higher is surer, on the reader's own scale."""


Ask = Callable[[str], Outcome]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what a reader made of it."""

    question: LabelledQuestion
    outcome: Outcome

    def nuggets_in(self, sentences: Iterable[Sentence]) -> int:
        """Returns how many of the question's nuggets the sentences supply."""
        spans = [(sentence.start, sentence.end) for sentence in sentences]
        return sum(any(overlaps(span, wanted) for span in spans for wanted in nugget) for nugget in self.question.nuggets)

    def fair(self) -> int:
        """Returns how many of the shown sentences are evidence, or context that a fair reader accepts."""
        right = [wanted for nugget in self.question.nuggets for wanted in nugget] + list(self.question.useful)
        return sum(any(overlaps((s.start, s.end), wanted) for wanted in right) for s in self.outcome.shown)


@dataclass(frozen=True, slots=True)
class Row:
    """A reader's figures on a set of questions; every one is better when higher, but the two shares of declined answers."""

    recall_at_1: Share
    """Nuggets supplied by the best sentence."""
    recall_at_3: Share
    """Nuggets supplied by the best three."""
    nugget_recall: Share
    """Nuggets of answered answerable questions that the shown sentences supply."""
    citation_precision: Share
    """Sentences shown for answerable questions that are evidence or fair context."""
    declined_unanswerable: Share
    declined_answerable: Share
    """Lower is better."""
    abstention_f1: float
    """Of declining the unanswerable."""
    auc: float
    """Of the confidence, answerable against unanswerable."""
    calibration_error: float
    """Of the confidence as a probability; lower is better."""

    @classmethod
    def of(cls, asked: Sequence[Asked]) -> Row:
        """Counts."""
        answerable = [each for each in asked if each.question.answerable]
        unanswerable = [each for each in asked if not each.question.answerable]
        answered = [each for each in answerable if each.outcome.shown]
        nuggets = sum(len(each.question.nuggets) for each in answerable)
        declined = [sum(not each.outcome.shown for each in group) for group in (unanswerable, answerable)]
        confidences = [each.outcome.confidence for each in asked]
        probabilities = all(0.0 <= confidence <= 1.0 for confidence in confidences)
        return cls(
            recall_at_1=Share(sum(each.nuggets_in(each.outcome.ranked[:1]) for each in answerable), nuggets),
            recall_at_3=Share(sum(each.nuggets_in(each.outcome.ranked[:3]) for each in answerable), nuggets),
            nugget_recall=Share(
                sum(each.nuggets_in(each.outcome.shown) for each in answered),
                sum(len(each.question.nuggets) for each in answered),
            ),
            citation_precision=Share(sum(each.fair() for each in answered), sum(len(each.outcome.shown) for each in answered)),
            declined_unanswerable=Share(declined[0], len(unanswerable)),
            declined_answerable=Share(declined[1], len(answerable)),
            abstention_f1=f1(declined[0], sum(declined), len(unanswerable)),
            auc=auc(
                [each.outcome.confidence for each in answerable],
                [each.outcome.confidence for each in unanswerable],
            ),
            calibration_error=(
                expected_calibration_error(confidences, [each.question.answerable for each in asked])
                if probabilities
                else float("nan")
            ),
        )


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


def similarity_reader(corpus: Corpus) -> Ask:
    """Shows what the untrained reader chooses."""
    reader = SimilarityReader(corpus)

    def ask(question: str) -> Outcome:
        return outcome(reader.read(question, corpus.passages), corpus, reader.thresholds)

    return ask


LADDER: dict[str, Callable[[Corpus], Ask]] = {
    "always abstain": always_abstain,
    "first three sentences": first_three,
    "BM25@3": bm25,
    "MiniLM@3": minilm,
    "similarity reader": similarity_reader,
}
"""What anyone can have without training."""


def outcome(reading: Reading, corpus: Corpus, thresholds: dict[str, float]) -> Outcome:
    """Returns what is shown for a reading."""
    order = np.argsort(-np.array(reading.scores), kind="stable")
    shown = compose.select(reading, corpus, thresholds) if reading.answered >= thresholds["answered"] else []
    return Outcome(tuple(reading.sentences[at] for at in order), tuple(shown), reading.answered)


def ask_all(
    questions: Sequence[LabelledQuestion], readers: dict[str, Callable[[Corpus], Ask]], embedder: Embedder
) -> dict[str, list[Asked]]:
    """Asks every reader every question, each of its own text alone."""
    by_text: dict[str, list[LabelledQuestion]] = {}
    for question in questions:
        by_text.setdefault(question.document.id, []).append(question)
    asked: dict[str, list[Asked]] = {name: [] for name in readers}
    quiet = Listener(notice=print)
    for group in by_text.values():
        corpus = build_in_memory([group[0].document], embedder, quiet)
        for name, make in readers.items():
            ask = make(corpus)
            asked[name] += [Asked(question, ask(understand(question.question, question.history))) for question in group]
    return asked


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m evals.reading", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the public sets; without it only the written questions are asked")
    parser.add_argument("--sample", type=int, default=400, metavar="N", help="the most questions of a public set (default 400)")
    parser.add_argument("--test", action="store_true", help="the written test part, which no choice was made on")
    parser.add_argument("--documents", action="store_true", help="put each written passage among three others first")
    options = parser.parse_args(arguments)
    embedder = load_embedder(replace(IndexSettings.resolve(), embed_model=None), Listener(notice=print))
    split = "test" if options.test else "dev"
    written = load_written("test" if options.test else "dev", twins=True)
    sets = {f"written, {split}": written}
    if options.documents:
        sets = {f"written, {split}, four passages to a document": in_documents(written)}
    if options.data is not None:
        for name in PUBLIC:
            questions = load_public(name, "dev", options.data)
            chosen = random.Random(0).sample(questions, min(options.sample, len(questions)))
            sets[f"{name}, dev"] = sorted(chosen, key=lambda question: question.id)
    for name, questions in sets.items():
        asked = ask_all(questions, LADDER, embedder)
        print(_table(name, {reader: Row.of(outcomes) for reader, outcomes in asked.items()}), flush=True)


def _table(name: str, rows: dict[str, Row]) -> str:
    head = (
        "recall@1", "recall@3", "nugget recall", "citation precision", "unanswerable declined", "answerable declined",
        "abstention F1", "AUC", "ECE",
    )  # fmt: skip
    lines = [f"### {name}", "", "| reader | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for reader, row in rows.items():
        shares = (
            row.recall_at_1, row.recall_at_3, row.nugget_recall, row.citation_precision,
            row.declined_unanswerable, row.declined_answerable,
        )  # fmt: skip
        numbers = ("–" if np.isnan(value) else f"{value:.2f}" for value in (row.abstention_f1, row.auc, row.calibration_error))
        lines.append(f"| {reader} | " + " | ".join([*map(str, shares), *numbers]) + " |")
    return "\n".join([*lines, ""])


def _sentences(corpus: Corpus) -> tuple[Sentence, ...]:
    return tuple(sentence for document in corpus.documents for sentence in corpus.layouts[document.id].outline.sentences)


def _best_three(sentences: tuple[Sentence, ...], scores: np.ndarray) -> Outcome:
    ranked = tuple(sentences[at] for at in np.argsort(-scores, kind="stable"))
    return Outcome(ranked, ranked[:3], float(scores.max()))


if __name__ == "__main__":
    main()
