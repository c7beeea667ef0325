"""Asks the questions: each document is opened once, each question asked twice, and nothing that was done is lost."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from evals.questions import Span
from evals.suite.gold import GoldQuestion
from evals.suite.record import Record, record_of
from index.build import build_in_memory
from index.corpus import Corpus
from index.embed import load_embedder
from index.errors import QAError
from index.load import load_text
from index.progress import Listener
from index.settings import IndexSettings
from index.types import Document
from qa.api import language_model, reader_for
from qa.engine import Engine
from qa.model import packaged_model
from qa.settings import LanguageModelSettings
from qa.types import Answer

__all__ = [
    "Answerer",
    "Ask",
    "Library",
    "Opened",
    "Opener",
    "Progress",
    "ask_all",
    "delete_and_ask",
    "packaged_answerer",
    "without",
]

Progress = Callable[[str], None]
"""Told of each question that is done, by its id."""


class Ask(Protocol):
    """Answers a question."""

    def __call__(self, question: str, *, history: Sequence[str]) -> Answer:
        """Answers it in the light of the asker's earlier questions."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A document that can be asked."""

    ask: Ask
    corpus: Corpus


Opener = Callable[[Document, Corpus | None], Opened]
"""Opens a document; what it shares with a corpus given with it may be taken over."""


@dataclass(frozen=True, slots=True)
class Answerer:
    """What is evaluated."""

    open_document: Opener
    settings: dict[str, str]
    """What it is, models with checksums and thresholds: a report says so, and only the same goes on with an interrupted run."""


def packaged_answerer(listener: Listener, language_model_settings: LanguageModelSettings | None = None) -> Answerer:
    """Returns the answerer that comes with the package, with a language model that chooses the sentences or without.

    Raises:
        ModelError: A model is missing or damaged.
    """
    embedder, model = load_embedder(replace(IndexSettings.resolve(), embed_model=None), listener), packaged_model()
    reader_of = reader_for(language_model(language_model_settings))

    def open_document(document: Document, before: Corpus | None) -> Opened:
        corpus = build_in_memory([document], embedder, Listener(), before)
        return Opened(Engine(corpus, reader_of(corpus)).ask, corpus)

    numbers = model.numbers
    chosen_by = {"answerer": "sentences of the document, no language model"}
    if language_model_settings is not None:
        chosen_by = {
            "answerer": "sentences of the document, chosen by a language model",
            "language model": language_model_settings.model,
            "its server": language_model_settings.url,
        }
    return Answerer(
        open_document,
        {
            **chosen_by,
            "embedding model": embedder.fingerprint,
            "evidence reader": model.sha256,
            "its numbers": hashlib.sha256(repr(numbers).encode()).hexdigest(),
            "answer threshold": f"{numbers.answered_threshold:g}",
            "evidence threshold": f"{numbers.evidence_threshold:g}",
        },
    )


class Library:
    """The documents of a run, each opened once."""

    def __init__(self, open_document: Opener) -> None:
        self._open_document = open_document
        self._opened: dict[str, Opened] = {}

    def __contains__(self, document: Document) -> bool:
        return document.id in self._opened

    def open(self, document: Document) -> Opened:
        """Returns the document, opened now or before."""
        if document.id not in self._opened:
            self._opened[document.id] = self._open_document(document, None)
        return self._opened[document.id]

    def open_without(self, document: Document, spans: Sequence[Span]) -> Opened:
        """Returns the document without some of its text; only what changed is embedded, and nothing of it is kept."""
        return self._open_document(without(document, spans), self.open(document).corpus)


def ask_all(
    questions: Sequence[GoldQuestion], library: Library, done: Mapping[str, Record], progress: Progress
) -> Iterator[Record]:
    """Yields each question's record, in the order of the questions.

    Args:
        questions: What is asked.
        library: Opens their documents.
        done: Records of an earlier run that was interrupted; these are yielded as they are.
        progress: Told of each question.
    """
    for question in questions:
        cold = question.document not in library
        yield done.get(question.id) or _ask(question, partial(library.open, question.document), cold=cold)
        progress(question.id)


def delete_and_ask(
    questions: Sequence[GoldQuestion], library: Library, done: Mapping[str, Record], progress: Progress
) -> Iterator[Record]:
    """Yields a record for each answerable question, asked of its document without any of its evidence.

    The arguments are those of `ask_all`. Offsets in these records are those of the shortened document.
    """
    for question in questions:
        if question.line.answerable:
            opened = partial(library.open_without, question.document, question.evidence)
            yield done.get(question.id) or _ask(question, opened, cold=True)
            progress(question.id)


def without(document: Document, spans: Sequence[Span]) -> Document:
    """Returns a document without some stretches of it, its paragraphs and headings kept."""
    kept, end = [], 0
    for start, its_end in sorted(spans):
        kept.append(document.text[end : max(end, start)])
        end = max(end, its_end)
    kept.append(document.text[end:])
    return load_text("".join(kept), title=document.title, source=document.source)


def _ask(question: GoldQuestion, open_document: Callable[[], Opened], *, cold: bool) -> Record:
    started = time.perf_counter()
    try:
        opened = open_document()
        answer = opened.ask(question.line.question, history=question.line.history)
        seconds = time.perf_counter() - started
        again = opened.ask(question.line.question, history=question.line.history)
    except QAError as error:
        return Record(id=question.id, status="failed", error=str(error))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with one question, the others are asked, and it is unscored
        return Record(id=question.id, status="failed", error=f"{type(error).__name__}: {error}")
    same = (answer.text, answer.confidence, answer.citations) == (again.text, again.confidence, again.citations)
    return record_of(question.id, answer, opened.corpus, seconds, cold=cold, same_again=same)
