"""Builds on disk: each in a folder, and a Chroma collection, of its own; written once, then only read."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from index.build import Build, build
from index.corpus import Corpus
from index.embed import Embedder
from index.layouts import dump_layouts, load_layouts
from index.manifest import Manifest, makers
from index.progress import Listener
from index.settings import IndexSettings
from index.store import StoreDamaged, VectorStore, file_checksums
from index.types import Document

__all__ = ["Builds"]

LAYOUTS = "layouts.json"


class Builds:
    """The builds of one index; the manifest says which is current."""

    def __init__(self, folder: Path, settings: IndexSettings, embedder: Embedder, listener: Listener) -> None:
        self._folder = folder
        self._settings = settings
        self._embedder = embedder
        self._listener = listener

    def open(self, manifest: Manifest, documents: Sequence[Document]) -> Corpus:
        """Opens the build that a manifest names.

        Raises:
            StoreDamaged: It is not what was written; the message says in which way.
        """
        folder = self._folder / manifest.build
        for name, digest in manifest.files.items():
            try:
                found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            except OSError as error:
                raise StoreDamaged(f"{folder / name}: cannot be read ({error.strerror})") from error
            if found != digest:
                raise StoreDamaged(f"{folder / name}: is damaged")
        layouts, checksums = load_layouts(folder / LAYOUTS, documents)
        store = self._store(manifest.build)
        store.open(len(checksums))
        return Corpus(documents, layouts, checksums, store, self._embedder)

    def make(self, documents: Sequence[Document], before: Corpus | None) -> tuple[Manifest, Corpus, Build]:
        """Makes a build, and opens it as the next process will, so that nothing unreadable becomes current.

        Raises:
            OSError: The folder cannot be written.
            StoreDamaged: What was written could not be read back.
        """
        name = uuid.uuid4().hex[:16]
        folder = self._folder / name
        folder.mkdir(parents=True)
        store = self._store(name)
        made = build(documents, store, self._embedder, self._listener, before)
        store.close()
        dump_layouts(folder / LAYOUTS, made.layouts, made.checksums)
        files = {LAYOUTS: hashlib.sha256((folder / LAYOUTS).read_bytes()).hexdigest()}
        if self._settings.chroma_url is None:
            files |= {f"chroma/{path}": digest for path, digest in file_checksums(folder / "chroma").items()}
        manifest = Manifest(
            build=name,
            makers=makers(self._embedder),
            documents=[document.id for document in documents],
            server=self._settings.chroma_url,
            files=files,
        )
        return manifest, self.open(manifest, documents), made

    def sweep(self, current: str) -> None:
        """Deletes older and unfinished builds.

        What cannot be deleted now, because a reader has it open for one, is left to the next writer.
        """
        for folder in self._folder.iterdir():
            if folder.name != current:
                if self._settings.chroma_url is not None:
                    with suppress(StoreDamaged):
                        store = self._store(folder.name)
                        store.drop()
                        store.close()
                shutil.rmtree(folder, ignore_errors=True)

    def _store(self, build_name: str) -> VectorStore:
        collection = f"qa-{build_name}"
        if self._settings.chroma_url is not None:
            return VectorStore.server(self._settings.chroma_url, collection)
        return VectorStore.local(self._folder / build_name / "chroma", collection)
