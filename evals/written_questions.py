"""The written questions: 240 passages of our own with 3,360 questions, labelled sentence by sentence (evals/written/FORMAT.md).

`python -m evals.written_questions` checks them all; it prints each fault and the counts, and exits with 1 if there is a fault.
"""

from __future__ import annotations

import collections
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evals.development import DevelopmentQuestion, Span
from index.errors import QAError
from index.load import load_text
from qa.lexical import stems

__all__ = ["FOLDER", "check", "load_written"]

FOLDER = Path(__file__).parent / "written"
PASSAGE_FIELDS = {"id", "genre", "title", "heading", "paragraphs", "questions"}
QUESTION_FIELDS = {"q", "type", "history", "nuggets", "useful", "correction"}
UNANSWERED = frozenset({"unanswerable", "false-premise"})
TYPES = UNANSWERED | {"fact", "why", "how", "stance", "yesno", "multi", "paraphrase", "followup", "noisy", "summary"}


def load_written(parts: Sequence[int]) -> list[DevelopmentQuestion]:
    """Returns the questions of the given parts (1 to 8), each with its passage as a document.

    Raises:
        QAError: A passage has a fault; the message names file and line.
    """
    questions = []
    for at, passage in _passages(FOLDER / f"part-{part}.jsonl" for part in parts):
        if faults := check(passage):
            raise QAError(f"{at}: {faults[0]}")
        paragraphs = [" ".join(sentences) for sentences in passage["paragraphs"]]
        headings = [passage["title"]] + ([passage["heading"]] if passage["heading"] else [])
        document = load_text("\n\n".join(headings + paragraphs), title=passage["title"], source=passage["id"])
        places: list[Span] = []
        for sentence in _sentences(passage):
            start = document.text.index(sentence, places[-1][1] if places else 0)
            places.append((start, start + len(sentence)))
        for number, fields in enumerate(passage["questions"]):
            questions.append(
                DevelopmentQuestion(
                    id=f"{passage['id']}-{number}",
                    document=document,
                    question=fields["q"],
                    category=fields["type"],
                    history=tuple(fields["history"]),
                    nuggets=tuple(tuple(places[sentence] for sentence in nugget) for nugget in fields["nuggets"]),
                    useful=tuple(places[sentence] for sentence in fields["useful"]),
                )
            )
    return questions


def check(passage: dict[str, Any]) -> list[str]:
    """Returns what is wrong with a passage and its questions, a line each."""
    if set(passage) != PASSAGE_FIELDS:
        return [f"fields {sorted(passage)}"]
    sentences = _sentences(passage)
    faults = []
    if not 120 <= sum(len(sentence.split()) for sentence in sentences) <= 450:
        faults.append("fewer than 120 or more than 450 words")
    for sentence in sentences:
        if sentence != sentence.strip() or not re.search(r"[.!?:][”\"’')\]]*$", sentence):
            faults.append(f"not a whole sentence: {sentence[:60]!r}")
    for question in passage["questions"]:
        faults += [f"{question.get('q', '')[:60]!r}: {fault}" for fault in _check_question(question, sentences)]
    asked = collections.Counter(question.get("q", "").lower() for question in passage["questions"])
    return faults + [f"{question[:60]!r}: asked {count} times" for question, count in asked.items() if count > 1]


def _check_question(question: dict[str, Any], sentences: Sequence[str]) -> Iterator[str]:
    if set(question) != QUESTION_FIELDS or question["type"] not in TYPES:
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
        asked = {word for word in stems([question["q"]])[0] if len(word) > 3}
        for number in sorted(evidence):
            if shared := asked & set(stems([sentences[number]])[0]) - _EVERYDAY:
                yield f"shares {sorted(shared)} with sentence {number}"


_EVERYDAY = frozenset(
    stems(
        [
            "about after before could does from have into more most much only other over same some that them "
            "they this those very were what when which who will with would your been being very just also"
        ]
    )[0]
)


def _sentences(passage: dict[str, Any]) -> list[str]:
    return [sentence for sentences in passage["paragraphs"] for sentence in sentences]


def _passages(files: Iterator[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                yield f"{file.name}:{number}", json.loads(line)
            except ValueError as error:
                raise QAError(f"{file.name}:{number}: not JSON ({error})") from None


def _main() -> int:
    types: collections.Counter[str] = collections.Counter()
    ids: collections.Counter[str] = collections.Counter()
    faults = []
    for at, passage in _passages(file for file in sorted(FOLDER.glob("part-*.jsonl"))):
        faults += [f"{at}: {fault}" for fault in check(passage)]
        types.update(question["type"] for question in passage["questions"])
        ids[passage["id"]] += 1
    faults += [f"passage {passage_id}: {count} times" for passage_id, count in ids.items() if count > 1]
    print(*faults, sep="\n")
    print(f"{len(ids)} passages, {types.total()} questions, {len(faults)} faults: {dict(types)}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(_main())
