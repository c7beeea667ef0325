"""What an index holds and what it was made with: one small file that names the current build.

Replacing it is what swaps a new build in.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from index import chunk, sentences
from index.embed import Embedder
from index.texts import write_atomically

__all__ = ["FORMAT", "Manifest", "makers"]

FORMAT = 1
"""Raise it when the files are laid out differently."""

FILE = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The description of a complete build."""

    build: str
    """Names the build's folder and its collection."""
    makers: dict[str, str]
    """What cut and embedded the texts, by part; the fingerprint of everything but the texts."""
    documents: list[str]
    """Document ids in order. An id is its text's hash, so this is the fingerprint of the texts."""
    server: str | None
    """The Chroma server that holds the vectors; None where they are in the build's folder."""
    files: dict[str, str]
    """The sha256 of the build's files, by path in its folder."""

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """Returns the manifest, or None where there is none that is sound."""
        try:
            digest, _, body = (folder / FILE).read_bytes().partition(b"\n")
        except OSError:
            return None
        if hashlib.sha256(body).hexdigest().encode("ascii") != digest:
            return None
        try:
            return cls(**json.loads(body))
        except TypeError:  # written by a version with other fields
            return None

    @staticmethod
    def exists(folder: Path) -> bool:
        """Says whether there is a manifest, sound or not."""
        return (folder / FILE).exists()

    def write(self, folder: Path) -> None:
        """Makes this the index's manifest.

        Raises:
            OSError: The folder cannot be written.
        """
        body = json.dumps(asdict(self), ensure_ascii=False).encode("utf-8")
        write_atomically(folder / FILE, hashlib.sha256(body).hexdigest().encode("ascii") + b"\n" + body)


def makers(embedder: Embedder) -> dict[str, str]:
    """Returns what texts would be cut and embedded with now, by part."""
    return {
        "index format": str(FORMAT),
        "sentence splitter": f"{sentences.VERSION}, pysbd {version('pysbd')}",
        "passage chunker": f"{chunk.VERSION}, {embedder.max_tokens} tokens",
        "embedding model": embedder.fingerprint,
    }
