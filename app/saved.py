"""A conversation saved: as Markdown, as JSON that can be verified later, as a page that stands alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from app.render import Mark, as_markdown, flat, plain_markdown, saved_page
from app.session import Turned
from evals.suite.plain import Plain
from index.errors import QAError
from index.types import Document
from qa.compose import place
from qa.types import Citation

__all__ = [
    "Checked",
    "Saved",
    "SavedCitation",
    "SavedDocument",
    "SavedTurn",
    "as_file",
    "as_json",
    "as_page",
    "conversation_as_markdown",
    "load_saved",
    "verify",
]


class SavedDocument(Plain):
    """A document that was asked."""

    id: str
    sha256: str
    """Of its text in UTF-8."""
    title: str


class SavedCitation(Plain):
    """A citation; offsets are code points of the document's text."""

    number: int
    document_id: str
    start: int
    end: int
    quote: str
    heading: str | None
    page: int | None
    score: float


class SavedTurn(Plain):
    """A question and its answer."""

    question: str
    understood: str
    status: Literal["answered", "not_in_document", "empty_question"]
    text: str
    confidence: float
    documents: tuple[str, ...]
    """Ids of what was asked."""
    citations: tuple[SavedCitation, ...]
    nearest: tuple[SavedCitation, ...]


class Saved(Plain):
    """A conversation."""

    version: Literal[1] = 1
    saved_at: str
    """ISO 8601, with the time zone."""
    documents: tuple[SavedDocument, ...]
    turns: tuple[SavedTurn, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a quote."""

    turn: int
    """Counts from 1."""
    citation: SavedCitation
    title: str
    state: Literal["holds", "moved", "gone", "no document"]
    """`holds`: it stands where it stood. `moved`: its document changed, the quote is still in it. `gone`: it is not.
    `no document`: there is none with this content or this title."""


def as_json(turns: Sequence[Turned], at: datetime) -> str:
    """Returns the conversation as JSON."""
    documents = {document.id: document for turn in turns for document in turn.documents}
    saved = Saved(
        saved_at=at.isoformat(timespec="seconds"),
        documents=tuple(SavedDocument(id=each.id, sha256=_sha256(each), title=each.title) for each in documents.values()),
        turns=tuple(
            SavedTurn(
                question=turn.question,
                understood=turn.answer.trace.understood,
                status=turn.answer.status,
                text=turn.answer.text,
                confidence=turn.answer.confidence,
                documents=tuple(document.id for document in turn.documents),
                citations=tuple(map(_saved, turn.answer.citations)),
                nearest=tuple(map(_saved, turn.answer.nearest)),
            )
            for turn in turns
        ),
    )
    return saved.model_dump_json(indent=2) + "\n"


def conversation_as_markdown(turns: Sequence[Turned], at: datetime) -> str:
    """Returns the conversation as Markdown."""
    parts = [f"# Questions and answers, {at:%Y-%m-%d %H:%M}"]
    for turn in turns:
        question = plain_markdown(turn.question)
        parts.append(f"## {question or '(empty)'}")
        if turn.answer.trace.understood != flat(turn.question):
            parts.append(f"Understood as: {plain_markdown(turn.answer.trace.understood)}")
        parts.append(as_markdown(turn.answer))
        if turn.answer.nearest:
            parts.append("Closest sentences, which are not an answer:")
            parts.append("\n".join(f"- “{plain_markdown(c.quote)}” ({plain_markdown(place(c))})" for c in turn.answer.nearest))
        if turn.answer.status != "empty_question":
            parts.append(f"Confidence that the document answers this: {turn.answer.confidence:.2f} of 1")
    return "\n\n".join(parts) + "\n"


def as_page(turns: Sequence[Turned], at: datetime) -> str:
    """Returns the conversation as an HTML page that needs nothing else, with the cited sentences marked in their documents."""
    marks: dict[str, dict[tuple[int, int], list[Mark]]] = {}
    for number, turn in enumerate(turns, start=1):
        for each in turn.answer.nearest:
            marks.setdefault(each.document_id, {})
        for each in turn.answer.citations:
            mark = Mark(f"{number}.{each.number}", f"#cite-{number}-{each.number}", each.short_answer)
            marks.setdefault(each.document_id, {}).setdefault((each.start, each.end), []).append(mark)
    used = {d.id: (d, turn.outlines[d.id], marks[d.id]) for turn in turns for d in turn.documents if d.id in marks}
    style = resources.files("app").joinpath("assets/chat.css").read_text(encoding="utf-8")
    return saved_page(turns, list(used.values()), style, f"{at:%Y-%m-%d %H:%M}")


def as_file(turns: Sequence[Turned], at: datetime, kind: str) -> dict[str, str]:
    """Returns name, media type and text of the file that a browser saves, of the kind `md`, `json` or `html`."""
    media_type, make = {
        "md": ("text/markdown", conversation_as_markdown),
        "json": ("application/json", as_json),
        "html": ("text/html", as_page),
    }[kind]
    return {"name": f"questions-{at:%Y-%m-%d-%H%M}.{kind}", "type": media_type, "text": make(turns, at)}


def load_saved(path: Path) -> Saved:
    """Reads a conversation that was saved as JSON.

    Raises:
        QAError: The file is missing or is not one.
    """
    try:
        return Saved.model_validate_json(path.read_bytes())
    except OSError as error:
        raise QAError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise QAError(f"{path}: is not a saved conversation ({where}: {first['msg']}); save one as JSON in the chat") from None


def verify(saved: Saved, documents: Sequence[Document]) -> list[Checked]:
    """Returns what became of each quote, the closest sentences too.

    Args:
        saved: The conversation.
        documents: As they are now.
    """
    by_hash = {_sha256(document): document for document in documents}
    known = {document.id: document for document in saved.documents}
    checked = []
    for number, turn in enumerate(saved.turns, start=1):
        for citation in (*turn.citations, *turn.nearest):
            its = known.get(citation.document_id)
            if its is None:
                checked.append(Checked(number, citation, citation.document_id, "no document"))
                continue
            same = by_hash.get(its.sha256)
            alike = [document for document in documents if document.title == its.title]
            state: Literal["holds", "moved", "gone", "no document"]
            if same is not None:
                state = "holds" if same.text[citation.start : citation.end] == citation.quote else "gone"
            elif alike:
                state = "moved" if any(citation.quote in document.text for document in alike) else "gone"
            else:
                state = "no document"
            checked.append(Checked(number, citation, its.title, state))
    return checked


def _sha256(document: Document) -> str:
    return hashlib.sha256(document.text.encode("utf-8")).hexdigest()


def _saved(citation: Citation) -> SavedCitation:
    return SavedCitation(
        number=citation.number,
        document_id=citation.document_id,
        start=citation.start,
        end=citation.end,
        quote=citation.quote,
        heading=citation.heading,
        page=citation.page,
        score=citation.score,
    )
