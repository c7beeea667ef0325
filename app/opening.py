"""The documents that every visitor may ask, opened in the background; and how many may ask at once."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from index.corpus import Corpus
from index.errors import QAError
from index.folder import IndexFolder
from index.load import load_builtin
from index.progress import Listener
from index.receipt import Receipt
from index.types import Document
from qa.api import DocumentQA

__all__ = ["Admission", "Busy", "Opening", "may_remove", "uploaded_source"]

UPLOADED = "uploaded"
"""How the source of a document begins that a visitor put into the shared library."""
MAX_SHARED = 200
"""Documents that visitors may have put into the shared library at a time."""

_T = TypeVar("_T")


class Busy(QAError):
    """Too many are waiting."""


class Admission:
    """Lets so many in at the same time and so many wait; nobody else. For one event loop."""

    def __init__(self, inside: int, waiting: int) -> None:
        self._turn = asyncio.Semaphore(inside)
        self._limit, self._here = inside + waiting, 0

    async def run(self, work: Callable[[], _T]) -> _T:
        """Does the work in a thread when it is its turn.

        Cancelled, it is left to itself and its result is dropped; but it keeps its place until it ends, since it still works.

        Raises:
            Busy: As many as may wait are waiting.
        """
        if self._here >= self._limit:
            raise Busy(f"The server is busy: {self._here} others are being served or wait. Try again in a moment.")
        self._here += 1
        try:
            await self._turn.acquire()
        except asyncio.CancelledError:
            self._here -= 1
            raise
        loop, context, result = asyncio.get_running_loop(), contextvars.copy_context(), Future[_T]()
        result.set_running_or_notify_cancel()

        def to_the_end() -> None:
            try:
                result.set_result(context.run(work))
            except BaseException as error:  # noqa: BLE001 - kept for whoever waits for the result
                result.set_exception(error)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._leave)

        threading.Thread(target=to_the_end, name="admitted", daemon=True).start()
        return await asyncio.wrap_future(result)

    def _leave(self) -> None:
        self._here -= 1
        self._turn.release()


class Opening:
    """The library, opened in a thread of its own and opened again after each change; one for the whole server."""

    def __init__(
        self,
        open_documents: Callable[[], DocumentQA],
        open_folder: Callable[[Listener], IndexFolder] | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Takes what opens the documents; nothing is opened yet.

        Args:
            open_documents: Opens them as they are now.
            open_folder: The library's index, where visitors may change it.
            notice: Told why they cannot be opened, if so.
        """
        self._open_documents, self._open_folder, self._notice = open_documents, open_folder, notice
        self._lock = threading.Lock()
        self._bot: Future[DocumentQA] = Future()
        self._before: DocumentQA | None = None

    @property
    def changeable(self) -> bool:
        """Whether visitors' uploads go into the library."""
        return self._open_folder is not None

    @property
    def done(self) -> bool:
        """Whether the documents are open, or cannot be opened."""
        return self._bot.done()

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

    def add(self, document: Document, listener: Listener) -> None:
        """Puts a visitor's document into the library, beside what is there; the listener is told of progress.

        Raises:
            QAError: It cannot be written, or visitors have put too much there already.
        """
        here = self.bot().documents
        if sum(map(may_remove, here)) >= MAX_SHARED:
            raise QAError(f"{document.title}: visitors have added {MAX_SHARED} documents already; remove one first")
        # What an index holds at first would make room otherwise.
        builtin = [each for each in (load_builtin(),) if each in here]
        self._change(lambda folder: folder.add([*builtin, document]), listener)

    def remove(self, document: Document) -> None:
        """Takes a visitor's document out of the library.

        Raises:
            QAError: It is not there any more, or was not put there by a visitor.
        """
        if not may_remove(document):
            raise QAError(f"{document.title}: not uploaded here; 'qa index remove' removes it")
        self._change(lambda folder: folder.remove([document.id]), Listener())

    def _open(self) -> None:
        try:
            self._bot.set_result(self._open_documents())
        except BaseException as error:  # noqa: BLE001  (kept for whoever asks for the result)
            self._notice(f"the documents cannot be opened: {error}")
            self._bot.set_exception(error)

    def _change(self, change: Callable[[IndexFolder], tuple[Corpus, Receipt]], listener: Listener) -> None:
        if self._open_folder is None:
            raise QAError("the library is not shared; start the server with --shared-library")
        with self._lock:
            corpus, _ = change(self._open_folder(listener))
            corpus.close()
            opened: Future[DocumentQA] = Future()
            opened.set_result(self._open_documents())
            # Whoever asks right now still holds the one before, so that it is closed one change later.
            if self._before is not None:
                self._before.close()
            self._before, self._bot = self._bot.result(), opened


def may_remove(document: Document) -> bool:
    """Says whether a library's document was put there by a visitor."""
    return document.source.startswith(f"{UPLOADED}/")


def uploaded_source(name: str, number: str) -> str:
    """Returns the source of a visitor's document: two of one name do not take each other's place."""
    return f"{UPLOADED}/{number}/{name}"
