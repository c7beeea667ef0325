"""How well readers find evidence and know when there is none: `python -m evals.reading`.

Prints a table for each set of questions, every figure with its count, against a ladder of readers that anyone can have:
always abstain, the first three sentences, BM25's best three, MiniLM's best three, late interaction, and the untrained
similarity reader; and how reliable the trained reader's confidence is. The sets are split by document; the trained reader has
seen no text of any of them. Each question but the twins is also asked of another document of its set: that is what 'off-topic'
means. The public sets need `--data`, a folder with the files that evals/public_questions.py names.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evals.documents import in_documents, mix_weights, off_topic
from evals.metrics import Share, auc, expected_calibration_error, f1
from evals.public_questions import load_public
from evals.questions import LabelledQuestion, overlaps
from evals.readers import LADDER, Ask, Outcome, evidence_reader
from evals.reliability import reliability_plot
from evals.written_questions import Split, load_written
from index.build import build_in_memory
from index.corpus import Corpus
from index.embed import Embedder, load_embedder
from index.progress import Listener
from index.settings import IndexSettings
from index.types import Sentence
from qa.conversation import understand
from qa.model import packaged_file

__all__ = ["Asked", "Row", "ask_all", "main"]

PUBLIC = ("squad", "qed", "fairytales")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what a reader made of it."""

    question: LabelledQuestion
    outcome: Outcome
    off_topic: bool = False
    """Whether it was asked of a document that it is not about."""

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
    declined_near: Share
    """Near misses and false premises."""
    declined_off_topic: Share
    declined_answerable: Share
    """Lower is better."""
    abstention_f1: float
    """Of declining the unanswerable of both kinds."""
    auc_near: float
    """Of the confidence, answerable against near misses and false premises."""
    auc_off_topic: float
    calibration_error: float
    """Of the confidence as a probability, over the mix of `evals.documents`; lower is better."""

    @classmethod
    def of(cls, asked: Sequence[Asked]) -> Row:
        """Counts."""
        answerable = [each for each in asked if each.question.answerable]
        near = [each for each in asked if not each.question.answerable and not each.off_topic]
        far = [each for each in asked if each.off_topic]
        answered = [each for each in answerable if each.outcome.shown]
        nuggets = sum(len(each.question.nuggets) for each in answerable)
        declined, declined_near, declined_far = (
            Share(sum(not each.outcome.shown for each in group), len(group)) for group in (answerable, near, far)
        )
        declined_right = int(declined_near.count + declined_far.count)
        confidences = [each.outcome.confidence for each in asked]
        return cls(
            recall_at_1=Share(sum(each.nuggets_in(each.outcome.ranked[:1]) for each in answerable), nuggets),
            recall_at_3=Share(sum(each.nuggets_in(each.outcome.ranked[:3]) for each in answerable), nuggets),
            nugget_recall=Share(
                sum(each.nuggets_in(each.outcome.shown) for each in answered),
                sum(len(each.question.nuggets) for each in answered),
            ),
            citation_precision=Share(sum(each.fair() for each in answered), sum(len(each.outcome.shown) for each in answered)),
            declined_near=declined_near,
            declined_off_topic=declined_far,
            declined_answerable=declined,
            abstention_f1=f1(declined_right, declined_right + int(declined.count), len(near) + len(far)),
            auc_near=_auc(answerable, near),
            auc_off_topic=_auc(answerable, far),
            calibration_error=(
                expected_calibration_error(confidences, *_outcomes(asked))
                if all(0.0 <= confidence <= 1.0 for confidence in confidences)
                else float("nan")
            ),
        )


def ask_all(
    questions: Sequence[LabelledQuestion], readers: dict[str, Callable[[Corpus], Ask]], embedder: Embedder
) -> dict[str, list[Asked]]:
    """Asks every reader every question, of its own document alone, and of one that it is not about."""
    by_text: dict[str, list[tuple[LabelledQuestion, bool]]] = {}
    for group, far in ((questions, False), (off_topic(questions), True)):
        for question in group:
            by_text.setdefault(question.document.id, []).append((question, far))
    asked: dict[str, list[Asked]] = {name: [] for name in readers}
    quiet = Listener(notice=print)
    for of_text in by_text.values():
        corpus = build_in_memory([of_text[0][0].document], embedder, quiet)
        for name, make in readers.items():
            ask = make(corpus)
            asked[name] += [
                Asked(question, ask(understand(question.question, question.history)), far) for question, far in of_text
            ]
    return asked


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m evals.reading", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the public sets; without it only the written questions are asked")
    parser.add_argument("--set", action="append", choices=["written", *PUBLIC], help="only this set; may be repeated")
    parser.add_argument("--sample", type=int, default=400, metavar="N", help="the most questions of a public set (default 400)")
    parser.add_argument("--test", action="store_true", help="the written test part, which no choice was made on")
    parser.add_argument("--documents", action="store_true", help="put each written passage among three others first")
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME=FILE", help="another model by evals.training, as a row NAME"
    )
    options = parser.parse_args(arguments)
    embedder = load_embedder(replace(IndexSettings.resolve(), embed_model=None), Listener(notice=print))
    split: Split = "test" if options.test else "dev"
    chosen = options.set or (["written", *PUBLIC] if options.data is not None else ["written"])
    sets: dict[str, list[LabelledQuestion]] = {}
    for name in chosen:
        if name == "written":
            questions = load_written(split, twins=True)
            if options.documents:
                sets[f"written, {split}, four passages to a document"] = in_documents(questions)
            else:
                sets[f"written, {split}"] = questions
        elif options.data is None:
            parser.error(f"--set {name} needs --data")
        else:
            questions = load_public(name, "dev", options.data)
            drawn = random.Random(0).sample(questions, min(options.sample, len(questions)))
            sets[f"{name}, dev"] = sorted(drawn, key=lambda question: question.id)
    readers = LADDER | {"evidence reader": evidence_reader(packaged_file())}
    for entry in options.model:
        name, _, file = entry.partition("=")
        readers[name] = evidence_reader(Path(file))
    for name, questions in sets.items():
        asked = ask_all(questions, readers, embedder)
        print(_table(name, {reader: Row.of(outcomes) for reader, outcomes in asked.items()}), flush=True)
        confidences = [each.outcome.confidence for each in asked["evidence reader"]]
        print(f"```text\n{reliability_plot(confidences, *_outcomes(asked['evidence reader']))}\n```\n", flush=True)


def _table(name: str, rows: dict[str, Row]) -> str:
    head = (
        "recall@1", "recall@3", "nugget recall", "citation precision", "near misses declined", "off-topic declined",
        "answerable declined", "abstention F1", "AUC near", "AUC off-topic", "ECE",
    )  # fmt: skip
    lines = [f"### {name}", "", "| reader | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for reader, row in rows.items():
        shares = (
            row.recall_at_1, row.recall_at_3, row.nugget_recall, row.citation_precision,
            row.declined_near, row.declined_off_topic, row.declined_answerable,
        )  # fmt: skip
        values = (row.abstention_f1, row.auc_near, row.auc_off_topic, row.calibration_error)
        numbers = ("–" if math.isnan(value) else f"{value:.2f}" for value in values)
        lines.append(f"| {reader} | " + " | ".join([*map(str, shares), *numbers]) + " |")
    return "\n".join([*lines, ""])


def _auc(answerable: Sequence[Asked], others: Sequence[Asked]) -> float:
    return auc([each.outcome.confidence for each in answerable], [each.outcome.confidence for each in others])


def _outcomes(asked: Sequence[Asked]) -> tuple[list[bool], list[float]]:
    """Returns whether each was answerable, and its weight."""
    truth = [each.question.answerable for each in asked]
    return truth, mix_weights(truth, [each.off_topic for each in asked])


if __name__ == "__main__":
    main()
