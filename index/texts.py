"""The original texts, kept beside the vectors in two copies: they are the truth, everything else can be made from them."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

from index.progress import Listener
from index.types import Document

__all__ = ["TextFiles", "write_atomically"]

COPIES = ("texts", "texts-copy")


class TextFiles:
    """The texts of one index, a file for each document, twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ids(self) -> set[str]:
        """Returns the ids of all documents that have a file, sound or not."""
        return {file.stem for copy in COPIES for file in (self._folder / copy).glob("*.json")}

    def write(self, document: Document) -> None:
        """Keeps a document.

        Raises:
            OSError: The folder cannot be written.
        """
        for copy in COPIES:
            write_atomically(self._folder / copy / f"{document.id}.json", _serialise(document))

    def read(self, document_id: str, listener: Listener) -> Document | None:
        """Returns a document, mending a damaged copy from the sound one; None where no copy is sound."""
        files = [self._folder / copy / f"{document_id}.json" for copy in COPIES]
        found = [_parse(file, document_id) for file in files]
        document = next((document for document in found if document is not None), None)
        if document is None:
            return None
        for file, copy in zip(files, found, strict=True):
            if copy is None:
                listener.notice(f"{file}: damaged; restored from the other copy")
                try:
                    write_atomically(file, _serialise(document))
                except OSError as error:
                    listener.notice(f"{file}: could not be restored ({error.strerror})")
        return document

    def set_aside(self, document_id: str) -> str:
        """Moves both damaged copies of a document out of the way, and returns a line that says so."""
        kept = self._folder / "damaged"
        try:
            kept.mkdir(exist_ok=True)
            for copy in COPIES:
                file = self._folder / copy / f"{document_id}.json"
                if file.exists():
                    file.replace(kept / f"{copy}-{file.name}")
        except OSError:
            kept = self._folder / COPIES[0]  # they stay where they are
        return (
            f"document {document_id}: both copies of its text are damaged and it is no longer in the index; what is left is "
            f"in {kept}; add the file again with: qa index add FILE"
        )

    def remove(self, document_id: str) -> None:
        """Deletes both copies."""
        for copy in COPIES:
            (self._folder / copy / f"{document_id}.json").unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file so that a reader, or a crash, finds the old content or the new, never a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _serialise(document: Document) -> bytes:
    fields = {"id": document.id, "title": document.title, "source": document.source, "text": document.text}
    body = json.dumps(fields, ensure_ascii=False).encode("utf-8")
    return hashlib.sha256(body).hexdigest().encode("ascii") + b"\n" + body


def _parse(file: Path, document_id: str) -> Document | None:
    try:
        digest, _, body = file.read_bytes().partition(b"\n")
    except OSError:
        return None
    if hashlib.sha256(body).hexdigest().encode("ascii") != digest:
        return None
    document = Document(**json.loads(body))
    return document if document.id == document_id else None
