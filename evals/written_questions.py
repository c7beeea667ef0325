"""The written questions: passages of our own with questions labelled sentence by sentence (evals/written/FORMAT.md).

`python -m evals.written_questions` checks them all; it prints each fault, the counts, and how well surface features alone tell
answerable questions from others, file by file. It exits with 1 if there is a fault.
"""

from __future__ import annotations

import collections
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from evals.questions import LabelledQuestion, Span
from evals.surface import content_stems, surface_auc
from index.errors import QAError
from index.load import load_text
from index.types import Document

__all__ = ["FOLDER", "SPLITS", "Split", "check", "load_written", "sentences_of"]

FOLDER = Path(__file__).parent / "written"
Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
PASSAGE_FIELDS = {"id", "genre", "split", "title", "heading", "paragraphs", "questions"}
QUESTION_FIELDS = {"q", "type", "history", "nuggets", "useful", "correction"}
UNANSWERED = frozenset({"unanswerable", "false-premise"})
TYPES = UNANSWERED | {"fact", "why", "how", "stance", "yesno", "multi", "paraphrase", "followup", "noisy", "summary"}


def load_written(split: Split, *, twins: bool = False) -> list[LabelledQuestion]:
    """Returns the questions of a split, each with its passage as a document.

    Args:
        split: The passages of `train`, `dev` or `test`.
        twins: Whether a question that has a twin comes a second time, asked of the altered passage.

    Raises:
        QAError: A passage has a fault; the message names file and line.
    """
    questions: list[LabelledQuestion] = []
    for at, passage in _passages(_files()):
        if faults := check(passage):
            raise QAError(f"{at}: {faults[0]}")
        if passage["split"] == split:
            questions += _questions(passage, twins=twins)
    return questions


def sentences_of(passage: Mapping[str, Any]) -> list[str]:
    """Returns a passage's sentences in the order of their numbers."""
    return [sentence for part in passage["paragraphs"] if isinstance(part, list) for sentence in part]


def check(passage: dict[str, Any]) -> list[str]:
    """Returns what is wrong with a passage and its questions, a line each."""
    if set(passage) != PASSAGE_FIELDS:
        return [f"fields {sorted(passage)}"]
    sentences = sentences_of(passage)
    faults = []
    if passage["split"] not in SPLITS:
        faults.append(f"split {passage['split']!r}")
    if not 120 <= sum(len(sentence.split()) for sentence in sentences) <= 1500:
        faults.append("fewer than 120 or more than 1,500 words")
    faults += [f"not a whole sentence: {sentence[:60]!r}" for sentence in sentences if not _is_whole(sentence)]
    for question in passage["questions"]:
        faults += [f"{question.get('q', '')[:60]!r}: {fault}" for fault in _check_question(question, sentences)]
    asked = collections.Counter(
        (question.get("q", "").lower(), *question.get("history", ())) for question in passage["questions"]
    )
    return faults + [f"{question[0][:60]!r}: asked {count} times" for question, count in asked.items() if count > 1]


def _questions(passage: dict[str, Any], *, twins: bool) -> Iterator[LabelledQuestion]:
    sentences = sentences_of(passage)
    document, places = _document(passage, sentences, passage["id"])
    for number, fields in enumerate(passage["questions"]):
        question = LabelledQuestion(
            id=f"{passage['id']}-{number}",
            document=document,
            question=fields["q"],
            category=fields["type"],
            history=tuple(fields["history"]),
            nuggets=tuple(tuple(places[sentence] for sentence in nugget) for nugget in fields["nuggets"]),
            useful=tuple(places[sentence] for sentence in fields["useful"]),
        )
        yield question
        if twins and (replaced := fields.get("twin")):
            altered = [replaced.get(str(number), sentence) for number, sentence in enumerate(sentences)]
            its_id = f"{question.id}-twin"
            its_document, its_places = _document(passage, altered, its_id)
            yield LabelledQuestion(
                id=its_id,
                document=its_document,
                question=question.question,
                category="twin",
                history=question.history,
                nuggets=() if question.answerable else (tuple(its_places[int(sentence)] for sentence in replaced),),
                useful=(),
                twin_of=question.id,
            )


def _document(passage: Mapping[str, Any], sentences: Sequence[str], source: str) -> tuple[Document, list[Span]]:
    """Returns a passage with the given sentences as a document, and where each of them stands."""
    remaining = iter(sentences)
    blocks = [passage["title"]] + ([passage["heading"]] if passage["heading"] else [])
    for part in passage["paragraphs"]:
        blocks.append(part if isinstance(part, str) else " ".join(next(remaining) for _ in part))
    document = load_text("\n\n".join(blocks), title=passage["title"], source=source)
    places: list[Span] = []
    for sentence in sentences:
        start = document.text.index(sentence, places[-1][1] if places else 0)
        places.append((start, start + len(sentence)))
    return document, places


def _is_whole(sentence: str) -> bool:
    return sentence == sentence.strip() and re.search(r"[.!?:][”\"’')\]]*$", sentence) is not None


def _check_question(question: dict[str, Any], sentences: Sequence[str]) -> Iterator[str]:
    if set(question) - {"twin"} != QUESTION_FIELDS or question["type"] not in TYPES:
        yield f"fields {sorted(question)}, type {question.get('type')!r}"
        return
    evidence = {number for nugget in question["nuggets"] for number in nugget}
    if not (evidence | set(question["useful"]) | set(question["correction"])) <= set(range(len(sentences))):
        yield "sentence number out of range"
        return
    if evidence & set(question["useful"]):
        yield "a sentence is both nugget and useful"
    if (question["type"] in UNANSWERED) == bool(evidence) or not all(question["nuggets"]):
        yield f"nuggets {question['nuggets']}"
    if question["type"] == "multi" and len(question["nuggets"]) < 2:
        yield "multi needs two nuggets"
    if (question["type"] == "followup") != bool(question["history"]):
        yield "a follow-up has a history, and nothing else has"
    if question["correction"] and question["type"] != "false-premise":
        yield "only a false premise has a correction"
    if question["type"] == "paraphrase":
        for number in sorted(evidence):
            if shared := content_stems(question["q"]) & content_stems(sentences[number]):
                yield f"shares {sorted(shared)} with sentence {number}"
    if "twin" in question:
        yield from _check_twin(question["twin"], evidence, sentences)


def _check_twin(twin: Any, evidence: set[int], sentences: Sequence[str]) -> Iterator[str]:
    numbers = {str(number) for number in range(len(sentences))}
    if not isinstance(twin, dict) or not twin or not set(twin) <= numbers or not all(map(_is_whole, twin.values())):
        yield "the twin is not a whole sentence for each number"
        return
    replaced = {int(number) for number in twin}
    if evidence - replaced:
        yield f"the twin leaves evidence {sorted(evidence - replaced)} in place"
    if not evidence and len(replaced) != 1:
        yield "the twin of an unanswered question replaces one sentence, which answers it"


def _files() -> list[Path]:
    return sorted(FOLDER.glob("*.jsonl"))


def _passages(files: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                yield f"{file.name}:{number}", json.loads(line)
            except ValueError as error:
                raise QAError(f"{file.name}:{number}: not JSON ({error})") from None


def _main() -> int:
    types: collections.Counter[str] = collections.Counter()
    ids: collections.Counter[str] = collections.Counter()
    splits: collections.Counter[str] = collections.Counter()
    twins = 0
    faults = []
    for file in _files():
        passages = []
        for at, passage in _passages([file]):
            faults += [f"{at}: {fault}" for fault in check(passage)]
            types.update(question["type"] for question in passage["questions"])
            twins += sum("twin" in question for question in passage["questions"])
            splits[f"{passage['split']}"] += len(passage["questions"])
            ids[passage["id"]] += 1
            passages.append((sentences_of(passage), [(q["q"], q["type"] not in UNANSWERED) for q in passage["questions"]]))
        count = sum(len(asked) for _, asked in passages)
        print(f"{file.name}: {len(passages)} passages, {count} questions; AUC of surface features {surface_auc(passages):.2f}")
    faults += [f"passage {passage_id}: {count} times" for passage_id, count in ids.items() if count > 1]
    print(*faults, sep="\n")
    unanswered = sum(types[kind] for kind in UNANSWERED) / max(1, types.total())
    print(f"{len(ids)} passages, {types.total()} questions ({unanswered:.0%} without an answer), {twins} twins: {dict(types)}")
    print(f"{dict(splits)}; {len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(_main())
