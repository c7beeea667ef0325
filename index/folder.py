"""An index on disk: opened in place when it is sound, and otherwise made again from its texts, saying why.

- manifest.json names the current build; replacing it swaps a build in
- texts/ and texts-copy/ hold the documents, twice: the truth
- builds/<name>/ holds layouts.json and Chroma's files, written once, then only read
- lock is held by whoever writes
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from index.build import Build, build_in_memory
from index.builds import Builds
from index.corpus import Corpus
from index.embed import Embedder
from index.errors import StoreError, StoreUnwritable
from index.manifest import Manifest, makers
from index.progress import Listener
from index.receipt import Receipt
from index.settings import IndexSettings
from index.store import StoreDamaged
from index.texts import TextFiles
from index.types import Document

__all__ = ["IndexFolder"]

_Change = Callable[[Callable[[], list[Document]]], list[Document]]


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
        self._builds = Builds(folder / "builds", settings, embedder, listener)
        self._given: dict[str, Document] = {}
        self._build = ""
        """The build that was opened last."""

    def open(self, *, distrust: str = "") -> tuple[Corpus, Receipt]:
        """Opens what the index holds; from memory, with a notice, where its folder cannot be written.

        Args:
            distrust: What was found wrong with the build that was opened last; it is made again if it is still there.

        Raises:
            StoreError: It can neither be opened nor made again.
        """
        opened, _ = self._open_in_place()
        if opened is not None and not distrust:
            self._build = opened.manifest.build
            return opened.corpus, Receipt.in_place(opened.corpus)
        if opened is not None:
            opened.corpus.close()
        try:
            return self._rewrite(lambda held: held(), distrust=distrust)
        except StoreUnwritable as error:
            return self._open_in_memory(self._held() or [self._initial()], error)

    def open_with(self, documents: Sequence[Document], *, distrust: str = "") -> tuple[Corpus, Receipt]:
        """Opens the index holding exactly these documents, which are added or removed as needed; otherwise like `open`."""
        self._given = {document.id: document for document in documents}
        opened, _ = self._open_in_place()
        if opened is not None and not distrust and list(opened.corpus.documents) == list(documents):
            self._build = opened.manifest.build
            return opened.corpus, Receipt.in_place(opened.corpus)
        if opened is not None:
            opened.corpus.close()
        try:
            return self._rewrite(lambda _: list(documents), distrust=distrust)
        except StoreUnwritable as error:
            return self._open_in_memory(documents, error)

    def add(self, documents: Sequence[Document]) -> tuple[Corpus, Receipt]:
        """Adds documents; one from the same source as an older one takes its place."""
        sources = {document.source for document in documents}
        new = self._given = {document.id: document for document in documents}

        def added(held: Callable[[], list[Document]]) -> list[Document]:
            # What an index holds at first makes room; an unchanged document keeps its place, a changed one goes to the end.
            gone = sources | {self._initial().source}
            kept = [new.get(old.id, old) for old in held() if old.id in new or old.source not in gone]
            ids = {old.id for old in kept}
            return kept + [document for document in documents if document.id not in ids]

        return self._rewrite(added)

    def remove(self, names: Sequence[str]) -> tuple[Corpus, Receipt]:
        """Removes documents by id, title or source; the last one gone, the index holds what it held at first.

        Raises:
            StoreError: No document has one of the names, or more than one has it as its title.
        """

        def without(held: Callable[[], list[Document]]) -> list[Document]:
            left = held()
            for name in names:
                unwanted = _named(name, left)
                left = [document for document in left if document != unwanted]
            return left

        return self._rewrite(without)

    def rebuild(self) -> tuple[Corpus, Receipt]:
        """Makes everything again from the texts."""
        return self._rewrite(lambda held: held(), afresh="asked for")

    def _open_in_memory(self, documents: Sequence[Document], error: StoreUnwritable) -> tuple[Corpus, Receipt]:
        self._listener.notice(f"{error}; answering from memory this time")
        corpus = build_in_memory(documents, self._embedder, self._listener)
        return corpus, Receipt.in_memory(corpus, "its folder cannot be written")

    def _rewrite(self, change: _Change, *, afresh: str = "", distrust: str = "") -> tuple[Corpus, Receipt]:
        """Builds what `change` makes of the documents held now, and swaps it in.

        Args:
            change: Takes what returns the documents that are held, and returns those that shall be.
            afresh: Why nothing is taken over from the build before, if so.
            distrust: The same, but only if the build before is still the one that was opened last.
        """
        with self._locked():
            opened, trouble = self._open_in_place()  # again: another process may just have built it
            if opened is not None and distrust and opened.manifest.build == self._build:
                afresh = trouble = distrust

            def held() -> list[Document]:
                return list(opened.corpus.documents) if opened is not None else self._held()

            wanted = change(held) or [self._initial()]
            if opened is not None and not afresh and wanted == list(opened.corpus.documents):
                self._build = opened.manifest.build
                return opened.corpus, Receipt.in_place(opened.corpus)
            if trouble:
                self._listener.notice(f"rebuilding the index: {trouble}")
            reason = afresh or trouble or ("the documents changed" if opened is not None else "first use")
            before = opened.corpus if opened is not None else None
            sibling = self._sibling(wanted) if opened is None and not trouble else None
            try:
                corpus, made = self._swap_in(wanted, None if afresh else before or sibling)
                return corpus, Receipt.of(reason, wanted, made, before, taken_over=not afresh)
            except OSError as error:
                raise _unwritable(self._folder, error) from error
            except StoreDamaged as error:
                raise StoreUnwritable(f"{self._folder}: the new index could not be written or read back: {error}") from error
            finally:
                for done in (before, sibling):
                    if done is not None:
                        done.close()

    def _sibling(self, documents: Sequence[Document]) -> Corpus | None:
        """Opens the index beside a new one that shares most of its documents, so that they are not embedded again."""
        ids = {document.id for document in documents}
        shared = {
            folder: len(ids.intersection(manifest.documents))
            for folder in self._folder.parent.iterdir()
            if folder != self._folder and (manifest := Manifest.read(folder)) is not None
        }
        best = max(shared, key=lambda folder: shared[folder], default=None)
        if best is None or not shared[best]:
            return None
        opened: _Opened | None = None
        with suppress(StoreError):  # then it is of no help
            opened, _ = IndexFolder(best, self._settings, self._embedder, self._listener, self._initial)._open_in_place()
        return opened.corpus if opened is not None else None

    def _open_in_place(self) -> tuple[_Opened | None, str]:
        """Returns the current build if it is sound, or else why not (in words; empty where there is no index yet)."""
        manifest = Manifest.read(self._folder)
        if manifest is None:
            try:
                damaged = Manifest.exists(self._folder) or bool(self._texts.ids())
            except OSError as error:
                raise StoreError(
                    f"{self._folder}: the index cannot be read ({error.strerror}); allow reading, or set QA_HOME to another "
                    "folder"
                ) from error
            return None, f"{self._folder}: its manifest is missing or damaged" if damaged else ""
        if manifest.server != self._settings.chroma_url:
            return (
                None,
                f"its vectors are in {manifest.server or 'its folder'}, not in {self._settings.chroma_url or 'its folder'}",
            )
        now = makers(self._embedder)
        for part in sorted(now.keys() | manifest.makers.keys()):
            if now.get(part) != manifest.makers.get(part):
                return None, f"the {part} changed ({manifest.makers.get(part)} -> {now.get(part)})"
        documents = self._documents(manifest.documents)
        if len(documents) < len(manifest.documents):
            if Manifest.read(self._folder) != manifest:  # another process has just removed a document
                return self._open_in_place()
            return None, "a document's text is lost"
        try:
            return _Opened(manifest, self._builds.open(manifest, documents)), ""
        except StoreDamaged as error:
            return None, str(error)

    def _held(self) -> list[Document]:
        """Returns the documents of an index that cannot be opened in place; those whose text is lost are set aside."""
        manifest = Manifest.read(self._folder)
        ids = manifest.documents if manifest is not None else sorted(self._texts.ids())
        documents = self._documents(ids)
        found = {document.id for document in documents}
        for document_id in ids:
            if document_id not in found:
                self._listener.notice(self._texts.set_aside(document_id))
        return documents

    def _documents(self, ids: Sequence[str]) -> list[Document]:
        """Returns the stored documents that can be read, with the help of whoever opens the index with them."""
        documents = []
        for document_id in ids:
            document = self._texts.read(document_id, self._listener)
            if document is None:
                document = self._given.get(document_id)
                if document is None and self._initial().id == document_id:
                    document = self._initial()
                if document is not None:
                    with suppress(OSError):
                        self._texts.write(document)
            if document is not None:
                documents.append(document)
        return documents

    def _swap_in(self, documents: Sequence[Document], before: Corpus | None) -> tuple[Corpus, Build]:
        for document in documents:
            self._texts.write(document)
        manifest, corpus, made = self._builds.make(documents, before)
        manifest.write(self._folder)
        self._build = manifest.build
        self._builds.sweep(manifest.build)
        self._sweep_texts(manifest)
        return corpus, made

    def _sweep_texts(self, manifest: Manifest) -> None:
        """Deletes texts of removed documents; what cannot be deleted now is left to the next writer."""
        with suppress(OSError):
            for document_id in self._texts.ids() - set(manifest.documents):
                self._texts.remove(document_id)
            for unfinished in self._folder.rglob(".*.json.*"):  # by a writer that was killed
                unfinished.unlink(missing_ok=True)

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


def _named(name: str, documents: Sequence[Document]) -> Document:
    """Returns the document with this id or source, or else the only one with this title."""
    place = str(Path(name).resolve())
    for document in documents:
        if name in (document.id, document.source) or document.source == place:
            return document
    titled = [document for document in documents if document.title == name]
    if len(titled) > 1:
        raise StoreError(f"{name}: {len(titled)} documents have this title; name one by its id: " + _ids(titled))
    if not titled:
        raise StoreError(f"{name}: no such document in the index; see: qa index list")
    return titled[0]


def _ids(documents: Sequence[Document]) -> str:
    return ", ".join(document.id for document in documents)
