"""One visitor: a conversation, the documents it is about, and the visitor's own uploads. Nobody else sees them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from app.opening import Admission, Opening, may_remove, uploaded_source
from index.errors import LoadError, QAError
from index.load import load_bytes
from index.progress import Listener
from index.types import Document
from qa.api import DocumentQA
from qa.types import Answer

__all__ = ["MAX_QUESTION", "MAX_TURNS", "MAX_UPLOADS", "Session", "Turned"]

MAX_QUESTION = 2000
"""Characters that a question may have."""
MAX_UPLOADS = 20
"""Documents of their own that visitors may have at a time."""
MAX_TURNS = 200
"""Questions of one conversation."""
KEPT_OPEN = 8
"""Choices of documents that are kept opened, beside the library."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A question with its answer, and what was asked."""

    question: str
    answer: Answer
    documents: tuple[Document, ...]
    """All that were searched."""
    history: tuple[str, ...]
    """The questions before it."""
    mark: bool | None = None
    """Whether the visitor marked it right or wrong."""


class Session:
    """What one browser tab has asked and brought."""

    def __init__(self, opening: Opening, admission: Admission, max_upload: int) -> None:
        """Begins.

        Args:
            opening: The library.
            admission: How many may ask at once.
            max_upload: Bytes of the largest file that may be brought.
        """
        self._opening, self._admission, self._max_upload = opening, admission, max_upload
        self._own: list[Document] = []
        self._chosen: str | None = None
        self._opened: dict[tuple[str, ...], DocumentQA] = {}
        self._turns: list[Turned] = []

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

    def document(self, document_id: str) -> Document | None:
        """Returns a document that may be asked, or that an answer was made from."""
        known = {document.id: document for turn in self._turns for document in turn.documents}
        known |= {document.id: document for document in self.documents}
        return known.get(document_id)

    def ask(self, question: str) -> Turned:
        """Answers a question in the light of the ones before; `remember` makes it part of the conversation.

        Raises:
            QAError: It is too long, the server is busy, or it cannot be answered.
        """
        if len(question) > MAX_QUESTION:
            raise QAError(f"The question has {len(question):,} characters; at most {MAX_QUESTION:,} are read. Shorten it.")
        if len(self._turns) >= MAX_TURNS:
            raise QAError(f"This conversation has {MAX_TURNS} questions; save it and begin a new one.")
        with self._admission.admitted():
            history = tuple(turn.question for turn in self._turns)
            cited = [citation for turn in self._turns for citation in turn.answer.citations]
            documents = self.chosen
            answer = self._open(documents, Listener()).ask(question, history, earlier_citations=cited)
            return Turned(question, answer, documents, history)

    def remember(self, turn: Turned) -> None:
        """Makes a turn the last one of the conversation."""
        self._turns.append(turn)

    def rewind(self, turns: int) -> None:
        """Forgets all but the first turns."""
        del self._turns[turns:]

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
            raise LoadError(f"{name}: has {len(data) / 1e6:.1f} MB; at most {self._max_upload / 1e6:g} MB can be asked")
        if len(self._own) >= MAX_UPLOADS:
            raise LoadError(f"{name}: {MAX_UPLOADS} documents are open already; remove one first")
        document = load_bytes(data, name=stem, source=name)
        if self._opening.changeable:
            number = hashlib.sha256(data).hexdigest()[:16]
            document = load_bytes(data, name=stem, source=uploaded_source(name, number))
            self._opening.add(document)
        elif document.id not in {each.id for each in self.documents}:
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
            self._opened = {ids: bot for ids, bot in self._opened.items() if document_id not in ids}
        else:
            self._opening.remove(document)
        if self._chosen == document_id:
            self._chosen = None
        return document

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
                del self._opened[next(iter(self._opened))]
        return self._opened[ids]


def _shared(documents: Sequence[Document], ids: Sequence[str]) -> int:
    return sum(len(document.text) for document in documents if document.id in ids)
