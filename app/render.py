"""Answers and documents as HTML: pure functions; whatever comes from documents, questions and files is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from app.session import Asking, Turned
from index.sentences import Heading, Outline
from index.types import Document, Sentence
from qa.compose import place, shown
from qa.types import Answer, Citation

__all__ = [
    "PATIENCE",
    "Mark",
    "as_markdown",
    "as_text",
    "confidence_in_words",
    "conversation",
    "document_page",
    "flat",
    "plain_markdown",
    "saved_page",
    "welcome",
]

PATIENCE = 0.5
"""Seconds; an answer that takes longer can be stopped, and appears sentence by sentence."""
SENTENCES_LISTED = 10
"""Of the sentences that were read, so many are listed under 'How this was found'."""

_NUMBERED = re.compile(r"^(\d+)([.)])")
_WORDS = (
    (0.9, "Almost certainly"),
    (0.7, "Probably"),
    (0.5, "Perhaps"),
    (0.3, "Perhaps not"),
    (0.1, "Probably not"),
    (0.0, "Almost certainly not"),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A cited sentence in a saved document."""

    label: str
    """`2.1`: the first citation of the second answer."""
    href: str
    short_answer: tuple[int, int] | None


def conversation(turns: Sequence[Turned], asking: Asking | None = None, notice: str | None = None) -> str:
    """Returns the conversation.

    Args:
        turns: What was asked.
        asking: A question that is being answered, if one is; the turns that will not stay are left out.
        notice: What the visitor should know beside it, such as an error.
    """
    if asking is not None and not asking.again:
        turns = turns[: asking.keep]
    # An answer that took a while appears sentence by sentence.
    slow = bool(turns) and sum((turns[-1].answer.trace.seconds or {}).values()) > PATIENCE
    return _render("conversation.html", turns=turns, asking=asking, notice=notice, slow=slow, live=True)


def welcome(documents: Sequence[Document], examples: Sequence[str], notice: str | None = None) -> str:
    """Returns what an empty conversation shows: what can be asked, and questions to begin with."""
    return _render("welcome.html", documents=documents, examples=examples, notice=notice)


def document_page(document: Document, outline: Outline, marks: Mapping[tuple[int, int], Sequence[Mark]] | None = None) -> str:
    """Returns a document set as an article, each sentence in an element that says where it stands.

    Args:
        document: It.
        outline: Its headings and sentences, as they are cited.
        marks: Of the sentences that are marked for good, by start and end; in the chat, the browser marks them.
    """
    return _render("document.html", document=document, blocks=_blocks(document, outline), marks=marks or {})


def saved_page(
    turns: Sequence[Turned],
    marked: Sequence[tuple[Document, Outline, Mapping[tuple[int, int], Sequence[Mark]]]],
    style: str,
    at: str,
) -> str:
    """Returns a page that stands alone.

    Args:
        turns: What was asked.
        marked: The documents that were cited, with their marks.
        style: The style sheet.
        at: When it was saved, for people to read.
    """
    documents = [Markup(document_page(*each)) for each in marked]
    return _render("saved.html", turns=turns, documents=documents, style=Markup(style), at=at, slow=False)


def confidence_in_words(confidence: float) -> str:
    """Returns how likely it is that the document answers, in words."""
    return next(words for least, words in _WORDS if confidence >= least)


def as_text(answer: Answer) -> str:
    """Returns an answer and its citations as plain text, to be pasted somewhere."""
    cited = (f"[{each.number}] “{shown(each.quote)}” ({place(each)})" for each in answer.citations)
    return "\n".join([answer.text, "", *cited]) if answer.citations else answer.text


def as_markdown(answer: Answer) -> str:
    """Returns an answer and its citations as Markdown; what the document says is never taken for markup."""
    cited = (
        f"- \\[{each.number}\\] “{plain_markdown(each.quote)}” ({plain_markdown(place(each))})" for each in answer.citations
    )
    if not answer.citations:
        return answer.text
    said = " ".join(f"{plain_markdown(each.quote)} \\[{each.number}\\]" for each in answer.citations)
    return "\n".join([said, "", *cited])


def plain_markdown(text: str) -> str:
    """Returns a text in one line that Markdown shows as it is; only an address becomes a link."""
    escaped = "".join(f"\\{each}" if each in "\\`*_{}[]<>#+-!|~&" else each for each in shown(text))
    return _NUMBERED.sub(r"\1\\\2", escaped)


def flat(text: str) -> str:
    """Returns a text with each run of white space as one space, as questions are understood."""
    return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class _Block:
    kind: Literal["heading", "paragraph"]
    heading: Heading | None = None
    sentences: tuple[Sentence, ...] = ()


def _blocks(document: Document, outline: Outline) -> list[_Block]:
    # The title stands above the article already.
    headings = [(each.start, _Block("heading", each)) for each in outline.headings if each.text != document.title]
    paragraphs = []
    for _, group in groupby(outline.sentences, key=lambda sentence: sentence.paragraph):
        sentences = tuple(group)
        paragraphs.append((sentences[0].start, _Block("paragraph", sentences=sentences)))
    return [block for _, block in sorted([*headings, *paragraphs], key=lambda placed: placed[0])]


def _short(citation: Citation) -> tuple[str, str, str]:
    """Returns a quote before, in and after its short answer."""
    if citation.short_answer is None:
        return shown(citation.quote), "", ""
    start, end = (offset - citation.start for offset in citation.short_answer)
    before, short, after = citation.quote[:start], citation.quote[start:end], citation.quote[end:]
    # Each part is shown as one line; the spaces at its ends are part of the sentence.
    kept = [f"{' ' if part[:1].isspace() else ''}{shown(part)}{' ' if part[-1:].isspace() else ''}" for part in (before, after)]
    return kept[0], shown(short), kept[1]


def _text_of(turn: Turned, sentence: Sentence) -> str:
    text = next(document.text for document in turn.documents if document.id == sentence.document_id)
    return text[sentence.start : sentence.end]


def _emphasised(text: str, start: int, short: tuple[int, int] | None) -> Markup:
    if short is None:
        return Markup("{}").format(text)
    first, last = short[0] - start, short[1] - start
    return Markup("{}<strong>{}</strong>{}").format(text[:first], text[first:last], text[last:])


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("app", "assets"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shown"] = shown
    environment.globals.update(
        as_markdown=as_markdown,
        as_text=as_text,
        confidence_in_words=confidence_in_words,
        emphasised=_emphasised,
        flat=flat,
        place=place,
        sentences_listed=SENTENCES_LISTED,
        short_of=_short,
        text_of=_text_of,
    )
    return environment


def _render(template: str, **values: object) -> str:
    page: str = _environment().get_template(template).render(**values)
    return page
