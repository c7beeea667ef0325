"""Texts into unit vectors, as a LlamaIndex embedding: MiniLM on ONNX Runtime, or any sentence-transformers model by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import PrivateAttr

from index.errors import ModelError
from index.minilm import GRAPH_VERSION, MAX_TOKENS, WEIGHTS_SHA256, MiniLM
from index.progress import Listener
from index.settings import IndexSettings

__all__ = ["Embedder", "MiniLMEmbedding", "load_embedder"]

Vectors = npt.NDArray[np.float32]

TEXTS_PER_CALL = 256


class MiniLMEmbedding(BaseEmbedding):
    """all-MiniLM-L6-v2 on ONNX Runtime; unit vectors of 384 dimensions, the first 256 tokens of each text read."""

    _model: MiniLM = PrivateAttr()

    def __init__(self, model: MiniLM, **kwargs: Any) -> None:
        super().__init__(model_name="all-MiniLM-L6-v2", embed_batch_size=TEXTS_PER_CALL, **kwargs)
        self._model = model

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._model.encode(texts).tolist()
        return vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


@dataclass(frozen=True, slots=True)
class Embedder:
    """A LlamaIndex embedding with what its interface leaves out: how much it reads, and which weights it has."""

    embedding: BaseEmbedding
    fingerprint: str
    """Changes when the same text may get another vector."""
    max_tokens: int
    """How many tokens of a text are read, special tokens not counted."""
    count_tokens: Callable[[Sequence[str]], list[int]]
    """Counts each text's tokens, without special tokens and without a limit."""

    def encode(self, texts: Sequence[str], listener: Listener) -> Vectors:
        """Returns one row for each text, of length 1, with progress as it goes."""
        order = sorted(range(len(texts)), key=lambda position: len(texts[position]))
        rows: list[Vectors] = []
        for first in range(0, len(order), TEXTS_PER_CALL):
            batch = [texts[position] for position in order[first : first + TEXTS_PER_CALL]]
            rows.append(np.asarray(self.embedding.get_text_embedding_batch(batch), dtype=np.float32))
            listener.progress("embedding sentences", min(first + TEXTS_PER_CALL, len(order)), len(order))
        vectors = np.concatenate(rows)
        vectors[order] = vectors.copy()
        return vectors

    def encode_question(self, question: str) -> Vectors:
        """Returns the question's vector, of length 1."""
        return np.asarray(self.embedding.get_query_embedding(question), dtype=np.float32)


def load_embedder(settings: IndexSettings, listener: Listener) -> Embedder:
    """Loads the embedding model that the settings name.

    Raises:
        ModelError: The model is missing, altered or cannot be loaded.
    """
    if settings.embed_model is not None:
        return _load_named(settings.embed_model, settings.cache)
    model = MiniLM(settings.cache, listener)
    return Embedder(
        embedding=MiniLMEmbedding(model),
        fingerprint=f"all-MiniLM-L6-v2:{WEIGHTS_SHA256}:{GRAPH_VERSION}",
        max_tokens=MAX_TOKENS - 2,
        count_tokens=model.count_tokens,
    )


def _load_named(name: str, cache: Path) -> Embedder:
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from safetensors import SafetensorError

    try:
        embedding = HuggingFaceEmbedding(model_name=name, normalize=True, cache_folder=str(cache / "hub"))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise ModelError(f"embedding model {name!r} could not be loaded: {reason}") from None
    tokenizer = embedding._model.tokenizer
    longest = int(embedding._model.max_seq_length or embedding.max_length)

    def count_tokens(texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        encoded = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    return Embedder(
        embedding=embedding,
        fingerprint=f"{name}:{_folder_state(Path(name))}",
        max_tokens=longest - tokenizer.num_special_tokens_to_add(),
        count_tokens=count_tokens,
    )


def _folder_state(folder: Path) -> str:
    """Returns a digest of a local model's files by name, size and time; 'hub' for a model that is not a local folder."""
    if not folder.is_dir():
        return "hub"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    state = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr(state).encode()).hexdigest()[:16]
