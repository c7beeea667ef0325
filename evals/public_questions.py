"""Public question sets, read into the project's own shape: for warming a reader up, and for comparison.

None of them is part of the project. Each file has its checksum here, so that a training run says what it was made from.

- `squad2_dev_half.json.gz`: half of SQuAD 2.0 dev, 16 articles, 6,078 questions, half without an answer; CC BY-SA 4.0;
  rajpurkar.github.io/SQuAD-explorer
- `qed_dev.jsonl.gz`: QED dev, 1,355 Natural Questions with the sentence that answers; CC BY-SA 3.0;
  google-research-datasets/QED
- `fairytaleqa_train.json.gz`, `fairytaleqa_val.json.gz`: FairytaleQA, 8,548 and 1,025 questions on stories; Apache 2.0;
  uci-soe/FairytaleQAData
- `covid_qa_200423.json.gz`: COVID-QA, 98 articles, 1,380 questions by experts; Apache 2.0; deepset-ai/COVID-QA

Splits are by article, story or page title, never by question.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evals.questions import LabelledQuestion, Span
from evals.written_questions import Split
from index.errors import QAError
from index.load import load_text
from index.sentences import outline
from index.types import Document
from qa.lexical import stems

__all__ = ["CHECKSUMS", "SETS", "load_public"]

SQUAD_DEV = frozenset({"Normans", "Packet_switching", "Immune_system", "Warsaw", "Force"})
"""The articles kept for comparison."""
LEAST_OVERLAP = 0.65
"""How much of a free-text answer a sentence must hold, 1.25 being all of it and of the question, to count as its evidence."""
CHECKSUMS = {
    "covid_qa_200423.json.gz": "926d6dba2f7a3749a47e6a0f3c1d58db0b6eb315c0e0a4c8dc2af7b81c4968a8",
    "fairytaleqa_train.json.gz": "59088c35156ff170d15fff3512e2758e21a1007b48168f9e9d5e1d39477f4783",
    "fairytaleqa_val.json.gz": "6ab41a55d9fc2e1fc2c4aa612567a9a9c543f9efba15480215239eb85589294a",
    "qed_dev.jsonl.gz": "ff6e3e3fb8300638d9279a67d4ed64fdddfeee9840e7a5d29dbaf7b39b139115",
    "squad2_dev_half.json.gz": "ab88d9e9776b4c139c60ec47f1628204f4906bc3e8068f016cecb78fe861d084",
}


def load_public(name: str, split: Split, folder: Path) -> list[LabelledQuestion]:
    """Returns the questions of one set's split; a set without that split has none.

    Args:
        name: A key of SETS.
        split: `train` or `dev`.
        folder: Where the files lie.

    Raises:
        QAError: A file is missing, or is not the one that the checksum names.
    """
    return [question for question, its_split in SETS[name](folder) if its_split == split]


def _squad(folder: Path) -> Iterator[tuple[LabelledQuestion, Split]]:
    for article in json.loads(_read(folder, "squad2_dev_half.json.gz"))["data"]:
        split: Split = "dev" if article["title"] in SQUAD_DEV else "train"
        for number, paragraph in enumerate(article["paragraphs"]):
            source = f"squad-{article['title']}-{number}"
            yield from ((question, split) for question in _extractive(paragraph, source, article["title"].replace("_", " ")))


def _covid(folder: Path) -> Iterator[tuple[LabelledQuestion, Split]]:
    for number, article in enumerate(json.loads(_read(folder, "covid_qa_200423.json.gz"))["data"]):
        for paragraph in article["paragraphs"]:
            yield from ((question, "train") for question in _extractive(paragraph, f"covid-{number}", f"Article {number}"))


def _extractive(paragraph: dict[str, Any], source: str, title: str) -> Iterator[LabelledQuestion]:
    """Yields the questions of a paragraph in SQuAD's format; one whose answer cannot be found is left out."""
    document = load_text(paragraph["context"], title=title, source=source)
    sentences = _sentences(document)
    for number, asked in enumerate(paragraph["qas"]):
        answers = [_near(document.text, answer["text"].strip(), answer["answer_start"]) for answer in asked["answers"]]
        spans = [answer for answer in answers if answer is not None]
        evidence = sorted({sentence for start, _ in spans for sentence in sentences if sentence[0] <= start < sentence[1]})
        if not asked.get("is_impossible") and not evidence:
            continue
        nuggets = (tuple(evidence),) if not asked.get("is_impossible") else ()
        yield _question(f"{source}-{number}", document, asked["question"], "fact", nuggets, spans[0] if nuggets else None)


def _qed(folder: Path) -> Iterator[tuple[LabelledQuestion, Split]]:
    for number, line in enumerate(_read(folder, "qed_dev.jsonl.gz").splitlines()):
        example = json.loads(line)
        document = load_text(example["paragraph_text"], title=example["title_text"], source=f"qed-{number}")
        annotation = example["annotation"]
        answers = [answer for group in example["original_nq_answers"] for answer in group]
        spans = [_near(document.text, answer["string"], answer["start"]) for answer in answers]
        found = [span for span in spans if span is not None]
        if annotation["explanation_type"] == "none" or not found:
            continue
        if annotation["explanation_type"] == "single_sentence":
            selected = annotation["selected_sentence"]
            wanted = [(selected["start"], selected["end"])]
        else:
            wanted = found
        evidence = tuple(s for s in _sentences(document) if any(s[0] <= start < s[1] for start, _ in wanted))
        inside = next((span for span in found if any(s[0] <= span[0] < s[1] for s in evidence)), None)
        if evidence:
            question = _question(f"qed-{number}", document, f"{example['question_text']}?", "fact", (evidence,), inside)
            yield question, _split_by_hash(example["title_text"])


def _fairytales(folder: Path) -> Iterator[tuple[LabelledQuestion, Split]]:
    splits: tuple[tuple[Split, str], ...] = (("train", "fairytaleqa_train.json.gz"), ("dev", "fairytaleqa_val.json.gz"))
    for split, name in splits:
        content = json.loads(_read(folder, name))
        documents: dict[tuple[str, str], tuple[Document, list[Span], list[set[str]]]] = {}
        for number, asked in enumerate(content["questions"]):
            if not asked["explicit"] or len(asked["sections"]) != 1:
                continue
            place = (asked["story"], asked["sections"][0])
            if place not in documents:
                text = content["stories"][place[0]][place[1]]
                document = load_text(text, title=place[0], source=f"fairytale-{place[0]}-{place[1]}")
                sentences = _sentences(document)
                words = [set(found) for found in stems([document.text[start:end] for start, end in sentences])]
                documents[place] = (document, sentences, words)
            document, sentences, words = documents[place]
            if evidence := _sentences_like(asked["question"], asked["answers"], sentences, words):
                yield (
                    _question(f"fairytale-{split}-{number}", document, asked["question"], asked["attribute"], (evidence,)),
                    split,
                )


def _sentences_like(question: str, answers: list[str], sentences: list[Span], words: list[set[str]]) -> tuple[Span, ...]:
    """Returns the one or two sentences that hold most of the words of a free-text answer, and of its question."""
    asked = set(stems([question])[0])
    overlap = [0.0] * len(sentences)
    for wanted in map(set, stems(answers)):
        for number, found in enumerate(words):
            if wanted:
                shared = len(wanted & found) / len(wanted) + 0.25 * len(asked & found) / max(1, len(asked))
                overlap[number] = max(overlap[number], shared)
    best = max(overlap)
    return (
        tuple(span for span, share in zip(sentences, overlap, strict=True) if share == best)[:2]
        if best >= LEAST_OVERLAP
        else ()
    )


def _question(
    its_id: str, document: Document, text: str, category: str, nuggets: tuple[tuple[Span, ...], ...], short: Span | None = None
) -> LabelledQuestion:
    return LabelledQuestion(its_id, document, text.strip(), category, (), nuggets, (), short)


def _sentences(document: Document) -> list[Span]:
    return [(sentence.start, sentence.end) for sentence in outline(document.text, document.id).sentences]


def _near(text: str, quote: str, start: int) -> Span | None:
    """Returns the occurrence of a quote that is closest to where it stood before the text was normalised."""
    found = [match.start() for match in re.finditer(re.escape(quote), text)] if quote else []
    nearest = min(found, key=lambda place: abs(place - start), default=None)
    return None if nearest is None else (nearest, nearest + len(quote))


def _split_by_hash(key: str) -> Split:
    """Returns `dev` for three keys of ten, always the same ones."""
    return "dev" if int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % 10 < 3 else "train"


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise QAError(
            f"{path}: cannot be read ({error.strerror}); see evals/public_questions.py for where it comes from"
        ) from None
    found = hashlib.sha256(data).hexdigest()
    if found != CHECKSUMS[name]:
        raise QAError(f"{path}: sha256 is {found}, not {CHECKSUMS[name]}; it is another edition of the file")
    return gzip.decompress(data)


SETS: dict[str, Callable[[Path], Iterator[tuple[LabelledQuestion, Split]]]] = {
    "squad": _squad,
    "qed": _qed,
    "fairytales": _fairytales,
    "covid": _covid,
}
"""Each set's name, and what reads it."""
