"""What is timed, done by the plain stack. `python -m evals.bench.plain TASK FOLDER` prints one line of JSON.

The plain stack is LlamaIndex's VectorStoreIndex, HuggingFaceEmbedding and ChromaVectorStore with their defaults, and the same
model.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from evals.bench.report import print_result, repeat, since_process_start

if TYPE_CHECKING:
    from llama_index.core.retrievers import BaseRetriever

__all__ = ["main"]


def main(task: str, folder: Path) -> None:
    """Does one task."""
    started = time.perf_counter()
    if task == "prepare":
        from evals.bench.corpus import commentary

        _index(folder, commentary())
        print_result(seconds=time.perf_counter() - started)
    elif task == "first answer":
        from evals.bench.corpus import QUESTIONS

        _open(folder).retrieve(QUESTIONS[0])
        print_result(seconds=since_process_start())
    elif task in ("warm question", "reading"):
        from evals.bench.corpus import QUESTIONS

        print_result(seconds=repeat(_open(folder).retrieve, QUESTIONS))
    elif task in ("chat listens", "chat ready"):
        import gradio as gr

        retriever = _open(folder)
        page = gr.ChatInterface(lambda question, _: retriever.retrieve(question)[0].text, analytics_enabled=False)
        page.launch(prevent_thread_lock=True, quiet=True)
        print_result(seconds=since_process_start())
        page.close(verbose=False)
    elif task in ("embed sentences", "embed chunks"):
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding

        from evals.bench.chunks import chunks
        from evals.bench.corpus import megabyte
        from index.minilm import model_folder

        texts = chunks(megabyte())
        embedding = HuggingFaceEmbedding(model_name=str(model_folder()))
        embedding.get_text_embedding_batch(texts[:64])
        started = time.perf_counter()
        embedding.get_text_embedding_batch(texts)
        print_result(seconds=time.perf_counter() - started)
    elif task == "index":
        from evals.bench.corpus import megabyte

        text = megabyte()
        started = time.perf_counter()
        _index(folder / "megabyte", text)
        print_result(seconds=time.perf_counter() - started)


def _index(folder: Path, text: str) -> None:
    import chromadb
    from llama_index.core import Document, StorageContext, VectorStoreIndex
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.chroma import ChromaVectorStore

    from index.minilm import model_folder

    collection = chromadb.PersistentClient(str(folder)).get_or_create_collection("plain")
    VectorStoreIndex.from_documents(
        [Document(text=text)],
        storage_context=StorageContext.from_defaults(vector_store=ChromaVectorStore(chroma_collection=collection)),
        embed_model=HuggingFaceEmbedding(model_name=str(model_folder())),
    )


def _open(folder: Path) -> BaseRetriever:
    import chromadb
    from llama_index.core import VectorStoreIndex
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.chroma import ChromaVectorStore

    from index.minilm import model_folder

    collection = chromadb.PersistentClient(str(folder)).get_collection("plain")
    index = VectorStoreIndex.from_vector_store(
        ChromaVectorStore(chroma_collection=collection),
        embed_model=HuggingFaceEmbedding(model_name=str(model_folder())),
    )
    return index.as_retriever()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
