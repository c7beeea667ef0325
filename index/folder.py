"""An index on disk: opened in place when it is sound, and otherwise made again from its texts, saying why.

- manifest.json names the current build; replacing it swaps a build in
- texts/ and texts-copy/ hold the documents, twice: the truth
- builds/<name>/ holds layouts.json and Chroma's files, written once, then only read
- lock is held by whoever writes
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from index.build import Receipt, build
from index.corpus import Corpus
from index.embed import Embedder
from index.errors import StoreError, StoreUnwritable
from index.layouts import dump_layouts, load_layouts
from index.manifest import Manifest, makers
from index.progress import Listener
from index.settings import IndexSettings
from index.store import StoreDamaged, VectorStore, file_checksums
from index.texts import TextFiles
from index.types import Document

__all__ = ["IndexFolder", "build_in_memory"]

LAYOUTS = "layouts.json"

_Change = Callable[[list[Document]], list[Document]]


@dataclass(frozen=True, slots=True)
class _Opened:
    manifest: Manifest
    corpus: Corpus


class IndexFolder:
    """One index in one folder; every method leaves it sound, whatever state it was found in."""

    def __init__(
        self, folder: Path, settings: IndexSettings, embedder: Embedder, listener: Listener, initial: Callable[[], Document]
    ) -> None:
        """Takes the folder's place and what to do with it; nothing is read or written yet.

        Args:
            folder: Made when it is first written.
            settings: Says where Chroma is and how long to wait for a lock.
            embedder: An index made with another is made again.
            listener: Told of notices and progress.
            initial: What the index holds as long as nothing else is in it.
        """
        self._folder = folder
        self._settings = settings
        self._embedder = embedder
        self._listener = listener
        self._initial = initial
        self._texts = TextFiles(folder)
        self._given: dict[str, Document] = {}

    def open(self) -> tuple[Corpus, Receipt]:
        """Opens what the index holds; from memory, with a notice, where its folder cannot be written.

        Raises:
            StoreError: It can neither be opened nor made again.
        """
        opened, _ = self._open_in_place()
        if opened is not None:
            return opened.corpus, Receipt(reason="")
        try:
            return self._rewrite(lambda held: held)
        except StoreUnwritable as error:
            return self._open_in_memory(self._held() or [self._initial()], error)

    def open_with(self, documents: Sequence[Document]) -> tuple[Corpus, Receipt]:
        """Opens the index holding exactly these documents, which are added or removed as needed.

        From memory, with a notice, where its folder cannot be written.
        """
        self._given = {document.id: document for document in documents}
        opened, _ = self._open_in_place()
        if opened is not None and list(opened.corpus.documents) == list(documents):
            return opened.corpus, Receipt(reason="")
        if opened is not None:
            opened.corpus.close()
        try:
            return self._rewrite(lambda _: list(documents))
        except StoreUnwritable as error:
            return self._open_in_memory(documents, error)

    def add(self, documents: Sequence[Document]) -> tuple[Corpus, Receipt]:
        """Adds documents; one from the same source as an older one takes its place."""
        sources = {document.source for document in documents}
        new = {document.id: document for document in documents}

        def added(held: list[Document]) -> list[Document]:
            # An unchanged document keeps its place, a changed one goes to the end.
            kept = [new.get(old.id, old) for old in held if old.id in new or old.source not in sources]
            return kept + [document for document in documents if document not in kept]

        return self._rewrite(added)

    def remove(self, names: Sequence[str]) -> tuple[Corpus, Receipt]:
        """Removes documents by id, title or source; the last one gone, the index holds what it held at first.

        Raises:
            StoreError: No document has one of the names.
        """

        def without(held: list[Document]) -> list[Document]:
            for name in names:
                matching = [d for d in held if name in (d.id, d.title, d.source) or str(Path(name).resolve()) == d.source]
                if not matching:
                    raise StoreError(f"{name}: no such document in the index; see: qa index list")
                held = [document for document in held if document not in matching]
            return held

        return self._rewrite(without)

    def rebuild(self) -> tuple[Corpus, Receipt]:
        """Makes everything again from the texts."""
        return self._rewrite(lambda held: held, afresh="asked for")

    def _open_in_memory(self, documents: Sequence[Document], error: StoreUnwritable) -> tuple[Corpus, Receipt]:
        self._listener.notice(f"{error}; answering from memory this time")
        return build_in_memory(documents, self._embedder, self._listener)

    def _rewrite(self, change: _Change, *, afresh: str = "") -> tuple[Corpus, Receipt]:
        """Builds what `change` makes of the documents held now, and swaps it in."""
        with self._locked():
            opened, trouble = self._open_in_place()  # again: another process may just have built it
            held = list(opened.corpus.documents) if opened is not None else self._held()
            wanted = change(held) or [self._initial()]
            if opened is not None and not afresh and wanted == list(opened.corpus.documents):
                return opened.corpus, Receipt(reason="", reused=tuple(document.title for document in wanted))
            reason = afresh or trouble or "the documents changed"
            if trouble:
                self._listener.notice(f"rebuilding the index: {trouble}")
            before = opened.corpus if opened is not None and not afresh else None
            try:
                return self._swap_in(wanted, reason, before)
            except OSError as error:
                raise _unwritable(self._folder, error) from error
            except StoreDamaged as error:
                raise StoreUnwritable(f"{self._folder}: the new index could not be written or read back: {error}") from error
            finally:
                if opened is not None:
                    opened.corpus.close()

    def _open_in_place(self) -> tuple[_Opened | None, str]:
        """Returns the current build if it is sound, or else why not (in words; empty where there is no index yet)."""
        manifest = Manifest.read(self._folder)
        if manifest is None:
            damaged = Manifest.exists(self._folder) or bool(self._texts.ids())
            return None, f"{self._folder}: its manifest is missing or damaged" if damaged else ""
        if manifest.server != self._settings.chroma_url:
            return None, f"its vectors are in {manifest.server or 'its folder'}, not {self._settings.chroma_url or 'there'}"
        now = makers(self._embedder)
        for part in sorted(now.keys() | manifest.makers.keys()):
            if now.get(part) != manifest.makers.get(part):
                return None, f"the {part} changed ({manifest.makers.get(part)} -> {now.get(part)})"
        folder = self._build_folder(manifest.build)
        for name, digest in manifest.files.items():
            try:
                found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            except OSError as error:
                return None, f"{folder / name}: cannot be read ({error.strerror})"
            if found != digest:
                return None, f"{folder / name}: is damaged"
        documents = [self._text(document_id) for document_id in manifest.documents]
        layouts, checksums = load_layouts(folder / LAYOUTS, documents)
        try:
            store = self._store(manifest.build)
            store.open(len(checksums))
            return _Opened(manifest, Corpus(documents, layouts, checksums, store, self._embedder)), ""
        except StoreDamaged as error:
            return None, str(error)

    def _held(self) -> list[Document]:
        """Returns the documents of an index that cannot be opened in place."""
        manifest = Manifest.read(self._folder)
        ids = manifest.documents if manifest is not None else sorted(self._texts.ids())
        return [self._text(document_id) for document_id in ids]

    def _text(self, document_id: str) -> Document:
        """Returns a stored document; where both copies are damaged, from whoever opens the index with it, or the package."""
        try:
            return self._texts.read(document_id, self._listener)
        except StoreError:
            document = self._given.get(document_id) or self._initial()
            if document.id != document_id:
                raise
            self._texts.write(document)
            return document

    def _swap_in(self, documents: Sequence[Document], reason: str, before: Corpus | None) -> tuple[Corpus, Receipt]:
        for document in documents:
            self._texts.write(document)
        name = uuid.uuid4().hex[:16]
        folder = self._build_folder(name)
        folder.mkdir(parents=True)
        store = self._store(name)
        made = build(documents, store, self._embedder, self._listener, reason=reason, before=before)
        dump_layouts(folder / LAYOUTS, made.corpus.layouts, made.checksums)
        # Read back as the next process will: only what survives this is swapped in.
        made.corpus.close()
        files = {LAYOUTS: hashlib.sha256((folder / LAYOUTS).read_bytes()).hexdigest()}
        if self._settings.chroma_url is None:
            checksums = file_checksums(folder / "chroma")
            files |= {f"chroma/{path}": digest for path, digest in checksums.items()}
        store = self._store(name)
        store.open(len(made.checksums))
        corpus = Corpus(documents, made.corpus.layouts, made.checksums, store, self._embedder)
        manifest = Manifest(
            build=name,
            makers=makers(self._embedder),
            documents=[document.id for document in documents],
            server=self._settings.chroma_url,
            files=files,
        )
        manifest.write(self._folder)
        self._sweep(manifest)
        return corpus, made.receipt

    def _sweep(self, manifest: Manifest) -> None:
        """Deletes what the current build does not need: older and unfinished builds, texts of removed documents.

        What cannot be deleted now, because a reader has it open for one, is left to the next writer.
        """
        for folder in (self._folder / "builds").iterdir():
            if folder.name != manifest.build:
                if self._settings.chroma_url is not None:
                    with suppress(StoreDamaged):
                        store = self._store(folder.name)
                        store.drop()
                        store.close()
                shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            for document_id in self._texts.ids() - set(manifest.documents):
                self._texts.remove(document_id)

    def _build_folder(self, name: str) -> Path:
        return self._folder / "builds" / name

    def _store(self, build_name: str) -> VectorStore:
        collection = f"qa-{build_name}"
        if self._settings.chroma_url is not None:
            return VectorStore.server(self._settings.chroma_url, collection)
        return VectorStore.local(self._build_folder(build_name) / "chroma", collection)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(self._folder / "lock")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                limit = self._settings.lock_timeout
                self._listener.notice(f"{self._folder}: another process is writing this index; waiting up to {limit:.0f} s")
                lock.acquire(timeout=limit)
        except Timeout:
            raise StoreError(
                f"{self._folder}: another process has been writing this index for {self._settings.lock_timeout:.0f} s; "
                "try again when it has finished"
            ) from None
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        try:
            yield
        finally:
            lock.release()


def _unwritable(folder: Path, error: OSError) -> StoreUnwritable:
    reason = error.strerror or str(error)
    return StoreUnwritable(
        f"{folder}: the index cannot be written ({reason}); free space there, allow writing, or set QA_HOME to another folder"
    )


def build_in_memory(documents: Sequence[Document], embedder: Embedder, listener: Listener) -> tuple[Corpus, Receipt]:
    """Builds a corpus that lives no longer than the process; nothing is written to disk."""
    store = VectorStore.memory(f"qa-{uuid.uuid4().hex[:16]}")
    made = build(documents, store, embedder, listener, reason="in memory")
    return made.corpus, made.receipt
