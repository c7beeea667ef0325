"""The documents that every visitor may ask, opened in the background; and how many may ask at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from index.errors import QAError
from index.folder import IndexFolder
from index.types import Document
from qa.api import DocumentQA

__all__ = ["Admission", "Busy", "Opening", "may_remove", "uploaded_source"]

UPLOADED = "uploaded"
"""How the source of a document begins that a visitor put into the shared library."""


class Busy(QAError):
    """Too many questions are waiting."""


class Admission:
    """Lets so many ask at the same time and so many wait; nobody else."""

    def __init__(self, asking: int, waiting: int) -> None:
        self._places = threading.BoundedSemaphore(asking)
        self._lock = threading.Lock()
        self._limit, self._inside = asking + waiting, 0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Waits for its turn.

        Raises:
            Busy: As many as may wait are waiting.
        """
        with self._lock:
            if self._inside >= self._limit:
                raise Busy(f"The server is busy: {self._inside} questions are being answered or wait. Ask again in a moment.")
            self._inside += 1
        try:
            with self._places:
                yield
        finally:
            with self._lock:
                self._inside -= 1


class Opening:
    """The library, opened in a thread of its own and opened again after each change; one for the whole server."""

    def __init__(
        self,
        open_documents: Callable[[], DocumentQA],
        open_folder: Callable[[], IndexFolder] | None = None,
    ) -> None:
        """Takes what opens the documents; nothing is opened yet.

        Args:
            open_documents: Opens them as they are now.
            open_folder: The library's index, where visitors may change it.
        """
        self._open_documents, self._open_folder = open_documents, open_folder
        self._lock = threading.Lock()
        self._bot: Future[DocumentQA] = Future()

    @property
    def changeable(self) -> bool:
        """Whether visitors' uploads go into the library."""
        return self._open_folder is not None

    @property
    def ready(self) -> bool:
        """Whether questions can be answered at once."""
        return self._bot.done() and self._bot.exception() is None

    def start(self) -> None:
        """Begins to open."""
        threading.Thread(target=self._open, name="opening", daemon=True).start()

    def bot(self, timeout: float | None = None) -> DocumentQA:
        """Returns the opened documents, waiting until they are.

        Raises:
            QAError: They cannot be opened.
            TimeoutError: They are not open yet.
        """
        return self._bot.result(timeout)

    def add(self, document: Document) -> None:
        """Puts a visitor's document into the library, beside what is there.

        Raises:
            QAError: It cannot be written.
        """
        here = self.bot().documents
        self._change(lambda folder: folder.add([*(each for each in here if each.id != document.id), document]))

    def remove(self, document: Document) -> None:
        """Takes a visitor's document out of the library.

        Raises:
            QAError: It is not there any more, or was not put there by a visitor.
        """
        if not may_remove(document):
            raise QAError(f"{document.title}: not uploaded here; 'qa index remove' removes it")
        self._change(lambda folder: folder.remove([document.id]))

    def _open(self) -> None:
        try:
            self._bot.set_result(self._open_documents())
        except BaseException as error:  # noqa: BLE001  (kept for whoever asks for the result)
            self._bot.set_exception(error)

    def _change(self, change: Callable[[IndexFolder], object]) -> None:
        if self._open_folder is None:
            raise QAError("the library is not shared; start the server with --shared-library")
        with self._lock:
            change(self._open_folder())
            opened: Future[DocumentQA] = Future()
            opened.set_result(self._open_documents())
            # Whoever asks right now still holds the one before.
            self._bot = opened


def may_remove(document: Document) -> bool:
    """Says whether a library's document was put there by a visitor."""
    return document.source.startswith(f"{UPLOADED}/")


def uploaded_source(name: str, number: str) -> str:
    """Returns the source of a visitor's document: two of one name do not take each other's place."""
    return f"{UPLOADED}/{number}/{name}"
