"""One visitor: a conversation, the documents it is about, and the visitor's own uploads. Nobody else sees them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from app.opening import Opening, may_remove, uploaded_source
from index.errors import LoadError, QAError
from index.load import load_bytes
from index.progress import Listener
from index.sentences import Outline
from index.types import Document
from qa.api import DocumentQA
from qa.types import Answer

__all__ = ["MAX_QUESTION", "MAX_TURNS", "MAX_UPLOADS", "Asking", "Session", "Turned", "within_limit"]

MAX_QUESTION = 2000
"""Characters that a question may have."""
MAX_UPLOADS = 20
"""Documents of their own that visitors may have at a time."""
MAX_TURNS = 200
"""Questions of one conversation."""
MB = 2**20
"""As Gradio counts, which refuses larger files too."""
KEPT_OPEN = 8
"""Choices of documents that are kept opened, beside the library."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A question with its answer, and what was asked."""

    question: str
    answer: Answer
    documents: tuple[Document, ...]
    """All that were searched."""
    outlines: Mapping[str, Outline]
    """Of each of them, by id: its sentences, as they are cited."""
    history: tuple[str, ...]
    """The questions before it."""
    mark: bool | None = None
    """Whether the visitor marked it right or wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """A question that is being answered."""

    question: str
    keep: int
    """How many turns there are before it; those after them go when the answer is there …"""
    again: bool = False
    """… but where a question is asked again as it was: then only its own turn is replaced."""


class Session:
    """What one browser tab has asked and brought."""

    def __init__(self, opening: Opening, max_upload: int) -> None:
        """Begins.

        Args:
            opening: The library.
            max_upload: Bytes of the largest file that may be brought.
        """
        self._opening, self._max_upload = opening, max_upload
        self._own: list[Document] = []
        self._chosen: str | None = None
        self._opened: dict[tuple[str, ...], DocumentQA] = {}
        self._turns: list[Turned] = []
        self.asking: Asking | None = None
        """The question that is being answered now."""
        self.shown: str | None = None
        """The id of the document on the page."""

    @property
    def turns(self) -> tuple[Turned, ...]:
        """What was asked, oldest first."""
        return tuple(self._turns)

    @property
    def documents(self) -> tuple[Document, ...]:
        """All that this visitor may ask: the library's, then the visitor's own."""
        library = self._opening.bot().documents
        here = {document.id for document in library}
        return (*library, *(document for document in self._own if document.id not in here))

    @property
    def chosen(self) -> tuple[Document, ...]:
        """What the next question is asked of."""
        documents = self.documents
        return tuple(document for document in documents if document.id == self._chosen) or documents

    def choose(self, document_id: str | None) -> None:
        """Chooses one document, or all with None; one that is not there chooses all."""
        self._chosen = document_id

    def removable(self, document: Document) -> bool:
        """Says whether this visitor may remove the document."""
        return document in self._own or (self._opening.changeable and may_remove(document))

    def document(self, document_id: str) -> tuple[Document, Outline] | None:
        """Returns a document that may be asked, or that an answer was made from, with its outline."""
        for bot in (self._opening.bot(), *self._opened.values()):
            for document in bot.documents:
                if document.id == document_id:
                    return document, bot.outline(document_id)
        for turn in self._turns:
            for document in turn.documents:
                if document.id == document_id:
                    return document, turn.outlines[document_id]
        return None

    def begin(self, question: str, keep: int | None = None, *, again: bool = False) -> Asking:
        """Notes that a question is being answered, as the one after the first `keep` turns or after all of them.

        Asked `again`, it stands there already, and what comes after it stays.

        Raises:
            QAError: It is empty or too long, or another one is being answered.
        """
        question = within_limit(question)
        if not question.strip():
            raise QAError("Please ask a question.")
        if self.asking is not None:
            raise QAError("Another question is being answered; wait for it, or stop it.")
        keep = len(self._turns) if keep is None else keep
        if keep >= MAX_TURNS:
            raise QAError(f"This conversation has {MAX_TURNS} questions; save it and begin a new one.")
        self.asking = Asking(question, keep, again)
        return self.asking

    def answer(self, asking: Asking) -> Turned:
        """Answers a question in the light of the turns that it keeps; changes nothing.

        Raises:
            QAError: It cannot be answered.
        """
        before = self._turns[: asking.keep]
        history = tuple(turn.question for turn in before)
        cited = [citation for turn in before for citation in turn.answer.citations]
        bot = self._open(self._asked_before(self._turns[asking.keep]) if asking.again else self.chosen, Listener())
        answer = bot.ask(asking.question, history, earlier_citations=cited)
        outlines = {document.id: bot.outline(document.id) for document in bot.documents}
        return Turned(asking.question, answer, bot.documents, outlines, history)

    def finish(self, asking: Asking, turn: Turned | None) -> bool:
        """Makes the answer the last turn of the conversation; with None, or if it was given up since, nothing changes.

        Returns whether it was still wanted.
        """
        wanted = self.asking is asking
        if wanted:
            self.asking = None
            if turn is not None:
                self._turns[asking.keep : asking.keep + 1 if asking.again else None] = [turn]
        return wanted

    def give_up(self) -> str | None:
        """Forgets the question that is being answered, and returns it."""
        given_up, self.asking = self.asking, None
        return None if given_up is None else given_up.question

    def clear(self) -> None:
        """Forgets the conversation; the documents stay."""
        self.give_up()
        self._turns.clear()

    def mark(self, number: int, right: bool) -> None:
        """Remembers that an answer was marked.

        Args:
            number: Of its turn, from 0; there must be one.
            right: How.
        """
        self._turns[number] = replace(self._turns[number], mark=right)

    def add(self, data: bytes, name: str, listener: Listener) -> Document:
        """Opens a file that the visitor brought, and chooses it.

        Args:
            data: The file's content.
            name: What the visitor calls it; used as a title where the text has none, and never as a path.
            listener: Told of progress.

        Raises:
            QAError: It is too large, empty or no text, or there are too many already.
        """
        stem = PurePath(name).stem or "Untitled"
        if len(data) > self._max_upload:
            raise LoadError(f"{name}: has {len(data) / MB:.1f} MB; at most {self._max_upload / MB:.3g} MB can be asked")
        if len(self._own) >= MAX_UPLOADS:
            raise LoadError(f"{name}: {MAX_UPLOADS} documents are open already; remove one first")
        document = load_bytes(data, name=stem, source=name)
        if document.id not in {each.id for each in self.documents}:
            if self._opening.changeable:
                number = hashlib.sha256(data).hexdigest()[:16]
                self._opening.add(load_bytes(data, name=stem, source=uploaded_source(name, number)), listener)
            else:
                # Opened at once, so that the time it takes shows as progress and not as a slow first answer.
                self._open([document], listener)
                self._own.append(document)
        self._chosen = document.id
        return document

    def remove(self, document_id: str) -> Document:
        """Removes a document that the visitor brought; answers made from it stay.

        Raises:
            QAError: It is not there, or not the visitor's.
        """
        document = next((each for each in self.documents if each.id == document_id), None)
        if document is None or not self.removable(document):
            raise QAError("Only documents that were uploaded here can be removed.")
        if document in self._own:
            self._own.remove(document)
            for ids in [ids for ids in self._opened if document_id in ids]:
                self._opened.pop(ids).close()
        else:
            self._opening.remove(document)
        if self._chosen == document_id:
            self._chosen = None
        return document

    def close(self) -> None:
        """Lets go of all that was opened."""
        self.clear()
        self._own.clear()
        while self._opened:
            self._opened.popitem()[1].close()

    def _asked_before(self, turn: Turned) -> Sequence[Document]:
        """Returns what a turn was asked of, where all of it is still there."""
        here = {document.id for document in self.documents}
        if gone := [document.title for document in turn.documents if document.id not in here]:
            raise QAError(f"“{gone[0]}” is not here any more; type the question to ask it of other documents.")
        return turn.documents

    def _open(self, documents: Sequence[Document], listener: Listener) -> DocumentQA:
        library = self._opening.bot()
        ids = tuple(document.id for document in documents)
        if ids == tuple(document.id for document in library.documents):
            return library
        if ids not in self._opened:
            # From whichever has most of it, so that the least is embedded.
            nearest = max((library, *self._opened.values()), key=lambda bot: _shared(bot.documents, ids))
            self._opened[ids] = nearest.with_documents(documents, listener)
            while len(self._opened) > KEPT_OPEN:
                self._opened.pop(next(iter(self._opened))).close()
        return self._opened[ids]


def within_limit(question: str) -> str:
    """Returns a question as text; half a surrogate pair is none, and is replaced.

    Raises:
        QAError: It is too long.
    """
    if len(question) > MAX_QUESTION:
        raise QAError(f"The question has {len(question):,} characters; at most {MAX_QUESTION:,} are read. Shorten it.")
    return question.encode("utf-8", "replace").decode("utf-8")


def _shared(documents: Sequence[Document], ids: Sequence[str]) -> int:
    return sum(len(document.text) for document in documents if document.id in ids)
