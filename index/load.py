"""Files, folders and strings into Documents.

Text is normalised once, here: line ends become a line feed, a byte order mark is dropped, and the rest is put into Unicode
normalisation form C. Every offset in the project points into the text that comes out of this module.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from index.errors import LoadError
from index.progress import Listener
from index.sentences import title_of
from index.types import Document

__all__ = ["BUILTIN", "FOLDER_SUFFIXES", "load_builtin", "load_bytes", "load_paths", "load_text", "normalise"]

FOLDER_SUFFIXES = frozenset({".txt", ".text", ".md", ".markdown"})
"""The kinds of file that are taken from a folder; a file that is named itself may have any ending."""

BUILTIN = resources.files("index").joinpath("data/commentary.txt")
"""The commentary's file."""

_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")


def normalise(text: str) -> str:
    """Returns the text with uniform line ends, no byte order mark, in NFC; nothing that can be seen is lost."""
    return unicodedata.normalize("NFC", _LINE_ENDS.sub("\n", text.lstrip("\ufeff")))


def load_text(text: str, *, title: str | None = None, source: str = "text") -> Document:
    """Makes a document of a string.

    Args:
        text: The document, of any length.
        title: What citations call it; None takes the text's own first line if that is a title, and else 'Untitled'.
        source: Where it came from, for people to read.

    Raises:
        LoadError: The text holds no character but white space, or a lone surrogate (no UTF-8 text has one).
    """
    text = normalise(text)
    if not text.strip():
        raise LoadError(f"{source}: the document is empty or only white space; give one with text in it")
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise LoadError(f"{source}: character {error.start} is half of a surrogate pair; re-save it as UTF-8") from None
    return Document(
        id=hashlib.sha256(encoded).hexdigest()[:16],
        title=title or title_of(text) or "Untitled",
        source=source,
        text=text,
    )


def load_bytes(data: bytes, *, name: str, source: str) -> Document:
    """Makes a document of a text file's content.

    Args:
        data: UTF-8, with a byte order mark or without.
        name: What citations call a document that has no title of its own.
        source: Where it came from, for people to read.

    Raises:
        LoadError: It is not UTF-8 text, or holds none.
    """
    if b"\0" in data:
        raise LoadError(f"{source}: is not text (it holds zero bytes); convert it to UTF-8 text first")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LoadError(f"{source}: is not UTF-8 text (byte {error.start}); convert it to UTF-8 text first") from None
    return load_text(text, title=title_of(normalise(text)) or name, source=source)


def load_builtin() -> Document:
    """Returns the commentary that comes with the package."""
    return load_text(BUILTIN.read_bytes().decode("utf-8"), source="builtin:commentary")


def load_paths(paths: Iterable[str | Path], listener: Listener | None = None) -> list[Document]:
    """Reads files, and the text files of folders, into documents; one that occurs twice is returned once.

    A file in a folder that cannot be read is passed over with a notice that says why; one that is named itself is not.

    Raises:
        LoadError: A path is missing or unreadable, a file is not UTF-8 text or is empty, or a folder holds no text file
            that can be read.
    """
    documents: dict[str, Document] = {}
    for path in map(Path, paths):
        try:
            is_folder, exists = path.expanduser().is_dir(), path.expanduser().exists()
        except (OSError, ValueError, RuntimeError) as error:
            raise LoadError(f"{path}: cannot be read ({error}); check the path") from None
        if not exists:
            raise LoadError(f"{path}: no such file or folder; check the path")
        path = path.expanduser()
        for document in _load_folder(path, listener or Listener()) if is_folder else [_load_file(path)]:
            documents.setdefault(document.id, document)
    return list(documents.values())


def _load_folder(folder: Path, listener: Listener) -> list[Document]:
    documents = []
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if hidden or file.suffix.lower() not in FOLDER_SUFFIXES or not file.is_file():
            continue
        try:
            documents.append(_load_file(file))
        except LoadError as error:
            listener.notice(f"passed over: {error}")
    if not documents:
        endings = ", ".join(sorted(FOLDER_SUFFIXES))
        raise LoadError(f"{folder}: the folder holds no readable text file ({endings}); name a file or another folder")
    return documents


def _load_file(path: Path) -> Document:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LoadError(f"{path}: cannot be read ({error.strerror or error})") from None
    # A name need not be UTF-8; what is not is shown as a question mark in a diamond.
    name, source = (os.fsencode(part).decode("utf-8", "replace") for part in (path.stem, path.resolve()))
    return load_bytes(data, name=name, source=source)
