"""The Python API: open documents, ask questions."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from index.build import build_in_memory
from index.corpus import Corpus
from index.embed import Embedder, load_embedder
from index.errors import LoadError
from index.folder import IndexFolder
from index.load import load_builtin, load_paths, load_text
from index.progress import Listener
from index.receipt import Receipt
from index.sentences import Outline
from index.settings import IndexSettings
from index.store import StoreDamaged
from index.types import Document
from qa.conversation import Conversation
from qa.engine import Engine
from qa.evidence import EvidenceReader
from qa.model import packaged_model
from qa.reader import Reader
from qa.settings import LanguageModelSettings
from qa.types import Answer, Citation

if TYPE_CHECKING:
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.chat_engine.types import BaseChatEngine
    from llama_index.core.llms import LLM
    from llama_index.core.retrievers import BaseRetriever

__all__ = ["DocumentQA", "language_model", "open", "open_library", "reader_for"]


class DocumentQA:
    """Documents that answer questions. Made by `qa.open()`; usable from several threads, and as a context manager."""

    def __init__(self, reopen: Callable[[str], tuple[Corpus, Receipt]], embedder: Embedder, llm: LLM | None = None) -> None:
        """Opens the documents.

        Args:
            reopen: Opens the index; given what was found wrong with it since, makes it again. Empty the first time.
            embedder: What the index was made with.
            llm: Chooses the sentences; None leaves that to the evidence reader.
        """
        self._reopen = reopen
        self._lock = threading.Lock()
        self._embedder, self._llm = embedder, llm
        self._reader_of = reader_for(llm)
        self._corpus, self.receipt = reopen("")
        self._engine = Engine(self._corpus, self._reader_of(self._corpus))

    @property
    def documents(self) -> tuple[Document, ...]:
        """The documents that are asked; a citation's offsets index into `document.text`."""
        return self._corpus.documents

    def outline(self, document_id: str) -> Outline:
        """Returns where a document's headings and sentences stand; citations are of these sentences."""
        return self._corpus.layouts[document_id].outline

    @property
    def passage_counts(self) -> dict[str, int]:
        """How many passages each document has, by document id."""
        return {document_id: len(layout.passages) for document_id, layout in self._corpus.layouts.items()}

    def ask(self, question: str, history: Sequence[str] = (), *, earlier_citations: Sequence[Citation] = ()) -> Answer:
        """Answers one question from the documents alone.

        Args:
            question: In any words.
            history: The asker's earlier questions, oldest first, in whose light a follow-up is understood.
            earlier_citations: What was cited in answer to them, which may answer a follow-up again.
        """
        return self._ask(question, history, earlier_citations)

    def conversation(self) -> Conversation:
        """Returns a new conversation, which remembers its own turns and nobody else's."""
        return Conversation(self._ask)

    def as_retriever(self) -> BaseRetriever:
        """Returns the passages' retriever as a LlamaIndex retriever."""
        return self._engine.retriever

    def as_query_engine(self) -> BaseQueryEngine:
        """Returns a LlamaIndex query engine; a response's `source_nodes` are its citations."""
        from qa.llama import CitedQueryEngine

        return CitedQueryEngine(self.ask)

    def as_chat_engine(self) -> BaseChatEngine:
        """Returns a LlamaIndex chat engine with a conversation of its own."""
        from qa.llama import CitedChatEngine

        return CitedChatEngine(self.conversation, self.ask)

    def with_documents(self, documents: Sequence[Document], listener: Listener | None = None) -> DocumentQA:
        """Opens other documents in memory, taking over what is known of those that this one has; nothing is written to disk.

        Args:
            documents: What is to be asked instead, in the order in which it is listed.
            listener: Told of progress.
        """
        corpus = build_in_memory(documents, self._embedder, listener or Listener(), self._corpus)
        return DocumentQA(lambda _: (corpus, Receipt.in_memory(corpus, "opened beside others")), self._embedder, self._llm)

    def close(self) -> None:
        """Lets go of the index's files."""
        self._corpus.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, question: str, history: Sequence[str], earlier: Sequence[Citation]) -> Answer:
        engine = self._engine
        try:
            return engine.ask(question, history=history, earlier_citations=earlier)
        except StoreDamaged as error:
            # The index was damaged, or replaced by another process, since it was opened.
            with self._lock:
                if self._engine is engine:
                    self._corpus, self.receipt = self._reopen(str(error))
                    self._engine = Engine(self._corpus, self._reader_of(self._corpus))
            return self._engine.ask(question, history=history, earlier_citations=earlier)


def open(  # the name is the contract: `qa.open()`
    *paths: str | Path,
    text: str | None = None,
    title: str | None = None,
    settings: IndexSettings | None = None,
    listener: Listener | None = None,
    llm: LLM | None = None,
) -> DocumentQA:
    """Opens documents to be asked; they are indexed the first time and opened in place afterwards.

    Args:
        paths: Files and folders. With none, the library: the built-in commentary until documents are added to it.
        text: A document as a string, instead of paths; nothing of it is written to disk.
        title: What citations call the string.
        settings: Where indexes live and which model embeds; None takes them from the environment.
        listener: Told of notices and progress; None sends notices to the log named 'qa'.
        llm: Any LlamaIndex language model, which then chooses the sentences; None takes the one that `QA_LLM` names, if any.

    Raises:
        QAError: A document cannot be read, the model cannot be loaded, or the index cannot be opened; one clear line.
    """
    if text is not None and paths:
        raise LoadError("give either paths or text, not both")
    if title is not None and text is None:
        raise LoadError("a title goes with text; files have their own")
    settings = settings or IndexSettings.resolve()
    listener = listener or Listener()
    llm = llm or language_model(LanguageModelSettings.resolve())
    if text is not None:
        document = load_text(text, title=title)
        embedder = load_embedder(settings, listener)
        _say_if_uncalibrated(embedder, listener)
        corpus = build_in_memory([document], embedder, listener)
        return DocumentQA(lambda _: (corpus, Receipt.in_memory(corpus, "given as text")), embedder, llm)
    if any(not str(path) for path in paths):
        raise LoadError("a path is empty; name a file or a folder")
    documents = sorted(load_paths(paths, listener), key=lambda document: document.source)
    embedder = load_embedder(settings, listener)
    _say_if_uncalibrated(embedder, listener)
    if not paths:
        library = _library(settings, embedder, listener)
        return DocumentQA(lambda distrust: library.open(distrust=distrust), embedder, llm)
    names = "\n".join(document.source for document in documents)
    folder = settings.home / f"files-{hashlib.sha256(names.encode()).hexdigest()[:16]}"
    index = IndexFolder(folder, settings, embedder, listener, load_builtin)
    return DocumentQA(lambda distrust: index.open_with(documents, distrust=distrust), embedder, llm)


def open_library(settings: IndexSettings, listener: Listener) -> IndexFolder:
    """Returns the index that `qa.open()` opens when no paths are given, to add to it and remove from it."""
    return _library(settings, load_embedder(settings, listener), listener)


def language_model(settings: LanguageModelSettings | None) -> LLM | None:
    """Returns the language model that the settings name; nothing is sent to it yet."""
    if settings is None:
        return None
    from qa.language_model import connect  # takes two seconds

    return connect(settings)


def reader_for(llm: LLM | None) -> Callable[[Corpus], Reader]:
    """Returns what makes the reader of a corpus: the packaged one, or one in which a language model chooses.

    Raises:
        ModelError: The packaged network is missing or damaged.
    """
    model = packaged_model()
    if llm is None:
        return lambda corpus: EvidenceReader(corpus, model)
    from qa.language_model import LanguageModelReader

    return lambda corpus: LanguageModelReader(corpus, model, llm)


def _say_if_uncalibrated(embedder: Embedder, listener: Listener) -> None:
    if embedder.fingerprint != packaged_model().numbers.embedding_model:
        name = embedder.fingerprint.split(":", 1)[0]
        listener.notice(f"thresholds and confidence were fitted for all-MiniLM-L6-v2; with {name} they are only a guess")


def _library(settings: IndexSettings, embedder: Embedder, listener: Listener) -> IndexFolder:
    return IndexFolder(settings.home / "library", settings, embedder, listener, load_builtin)
