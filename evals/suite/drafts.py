"""From chat to gold: answers that people marked right or wrong, as drafts of gold questions.

Feedback is JSON Lines, a FeedbackLine a line, written by the chat. A draft is a gold line that someone has still to look at, as
its notes say: what was cited and marked right becomes nuggets; of what was marked wrong the notes keep what was shown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from evals.suite.record import without_markers
from evals.suite.schema import (
    BUILT_IN,
    Category,
    GoldError,
    GoldLine,
    GoldNugget,
    Occurrence,
    Strict,
    first_fault,
    parse_line,
    read_lines,
)
from index.errors import LoadError
from index.load import BUILTIN, load_builtin, load_paths

__all__ = ["Added", "FeedbackCitation", "FeedbackLine", "add_drafts", "load_feedback"]


class FeedbackCitation(Strict):
    """A citation as it was shown."""

    document_id: str
    """The first 16 hexadecimal digits of the sha256 of the document's text."""
    title: str
    start: int
    end: int
    quote: str


class FeedbackLine(Strict):
    """An answer that someone marked."""

    version: Literal[1] = 1
    at: str
    """ISO 8601, with the time zone."""
    question: str
    history: list[str]
    """The asker's earlier questions, oldest first."""
    documents: list[str]
    """The ids of the documents that were asked."""
    status: Literal["answered", "not_in_document"]
    text: str
    confidence: float
    citations: list[FeedbackCitation]
    right: bool
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of feedback."""

    added: tuple[str, ...]
    """Ids of new drafts."""
    known: int
    """Lines that had become drafts before."""
    passed_over: tuple[str, ...]
    """Why a line became none; a line each."""


def load_feedback(path: Path) -> tuple[list[FeedbackLine], list[str]]:
    """Returns feedback, and what is wrong with lines that cannot be read: a writer that was killed leaves half a line.

    Raises:
        GoldError: The file is missing or not UTF-8.
    """
    found, faults = [], []
    for number, line in read_lines(path):
        try:
            found.append(FeedbackLine.model_validate_json(line))
        except ValidationError as error:
            faults.append(f"{path.name}:{number}: {first_fault(error)}")
    return found, faults


def add_drafts(feedback: Iterable[FeedbackLine], out: Path) -> Added:
    """Appends a draft to `out` for each answer that was marked and is not there yet.

    An answer that was marked the same way again, as when a remark is added, makes one draft, of the last line.
    Documents are the built-in one and the files beside `out`; feedback on others is passed over.

    Raises:
        GoldError: A line of `out` has a fault, or it cannot be written.
    """
    there = [parse_line(line) for _, line in read_lines(out)] if out.exists() else []
    ids = {line.id for line in there}
    documents = _documents(out.parent)
    added: dict[str, GoldLine] = {}
    known, passed_over = 0, []
    for each in {_marked(line): line for line in feedback}.values():
        draft_id = "chat-" + hashlib.sha256(repr(_marked(each)).encode()).hexdigest()[:10]
        if draft_id in ids or draft_id in added:
            known += 1
        elif why := _unusable(each, documents, out.name):
            passed_over.append(f"{each.question[:60]!r}: {why}")
        else:
            added[draft_id] = _draft(draft_id, each, *documents[each.documents[0]])
    if added:
        partial = out.with_name(f"{out.name}.part")
        try:
            written = out.read_text(encoding="utf-8") if out.exists() else ""
            before = written if not written or written.endswith("\n") else written + "\n"
            partial.write_text(before + "".join(line.model_dump_json() + "\n" for line in added.values()), encoding="utf-8")
            partial.replace(out)
        except OSError as error:
            raise GoldError(f"{out}: cannot be written ({error.strerror})") from None
    return Added(tuple(added), known, tuple(passed_over))


def _marked(feedback: FeedbackLine) -> tuple[object, ...]:
    """Returns which answer was marked, and how."""
    return feedback.question, tuple(feedback.history), tuple(feedback.documents), feedback.text, feedback.right


def _unusable(feedback: FeedbackLine, documents: Mapping[str, tuple[str, str, str]], name: str) -> str:
    """Returns why feedback cannot become a draft; nothing where it can."""
    if len(feedback.documents) != 1:
        return "several documents were asked"
    if feedback.documents[0] not in documents:
        return f"its document is not beside {name}, or has changed"
    text = documents[feedback.documents[0]][2]
    if any(not c.quote or text[c.start : c.end] != c.quote for c in feedback.citations):
        return "a quote does not stand in the document where it says"
    return "" if all(feedback.history) else "an earlier question is empty"


def _documents(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Returns name, checksum and text of each document that a gold file in the folder can name, by document id."""
    builtin = load_builtin()
    found = {builtin.id: (BUILT_IN, hashlib.sha256(BUILTIN.read_bytes()).hexdigest(), builtin.text)}
    for file in sorted(folder.glob("*")):
        if file.suffix in {".txt", ".md"} and file.is_file():
            try:
                document = load_paths([file])[0]
            except LoadError:
                continue
            found[document.id] = (file.name, hashlib.sha256(file.read_bytes()).hexdigest(), document.text)
    return found


def _draft(draft_id: str, feedback: FeedbackLine, document: str, sha256: str, text: str) -> GoldLine:
    answered = feedback.status == "answered"
    # What was declined rightly has no answer; what was declined wrongly has one that someone must find.
    answerable = answered if feedback.right else True
    category: Category = "follow-up" if feedback.history else "fact"
    marked = "right" if feedback.right else "wrong"
    notes = [f"REVIEW: marked {marked} on {feedback.at}"]
    if feedback.remark:
        notes.append(f"remark: {feedback.remark}")
    if not feedback.right:
        notes.append("shown: " + (" / ".join(c.quote for c in feedback.citations) if answered else "not in the document"))
    right = [citation for citation in feedback.citations if feedback.right and answered]
    return GoldLine(
        id=draft_id,
        document=document,
        sha256=sha256,
        question=feedback.question,
        history=feedback.history,
        category=category if answerable else "unanswerable-near",
        cluster=draft_id,
        split="dev",
        answerable=answerable,
        nuggets=[GoldNugget(says=c.quote[:80], evidence=[[_quote(c, text)]], accept=[re.escape(c.quote)]) for c in right],
        reference=without_markers(feedback.text) if right else "",
        author="chat",
        notes="; ".join(notes),
    )


def _quote(citation: FeedbackCitation, text: str) -> str | Occurrence:
    starts: Sequence[int] = [match.start() for match in re.finditer(re.escape(citation.quote), text)]
    if len(starts) < 2:
        return citation.quote
    return Occurrence(quote=citation.quote, occurrence=1 + sum(start < citation.start for start in starts))
