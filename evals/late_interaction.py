"""Late interaction as a baseline: MiniLM's token vectors of sentences, kept, against the question's (ColBERT, Khattab 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from index.minilm import model_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["max_similarity", "token_vectors"]

Floats = npt.NDArray[np.float32]


def token_vectors(texts: Sequence[str]) -> list[Floats]:
    """Returns for each text the unit vectors of its tokens, (tokens, 384), special ones left out."""
    found = _model().encode(list(texts), output_value="token_embeddings", convert_to_numpy=False, show_progress_bar=False)
    vectors = []
    for each in found:
        tokens = each.float().numpy()[1:-1]
        vectors.append(tokens / np.linalg.norm(tokens, axis=1, keepdims=True))
    return vectors


def max_similarity(question: Floats, sentence: Floats) -> float:
    """Returns the mean over the question's tokens of each one's closest cosine in the sentence; -1..1, higher is better."""
    return float((question @ sentence.T).max(axis=1).mean()) if len(question) and len(sentence) else -1.0


@cache
def _model() -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(model_folder()), device="cpu", local_files_only=True)
