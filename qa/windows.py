"""What the evidence reader's network is given: a question and the sentences of a window, as segments of one sequence.

    segment    0                  1                  2
    tokens     [CLS] q q q [SEP]  [CLS] s s s [SEP]  [CLS] s s [SEP]  padding
    positions  0 1 2 3 4          0 1 2 3 4          0 1 2 3          0

Training and answering build it here alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_QUESTION_TOKENS", "MAX_SENTENCE_TOKENS", "Window", "pack_windows"]

CLS, SEP, PADDING = 101, 102, 0
MAX_QUESTION_TOKENS = 64
"""How much of a question is read beside a passage, special tokens not counted; hardly any is as long."""
MAX_SENTENCE_TOKENS = 254

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """A question beside consecutive sentences."""

    question: Sequence[int]
    """Token ids without special ones; those past the 64th are not read."""
    sentences: Sequence[Sequence[int]]
    """Likewise for each sentence; those past its 254th are not read."""
    lexical: Sequence[float]
    """For each sentence its saturated BM25 score for the question, 0..1."""

    @property
    def tokens(self) -> int:
        """The length of the sequence, special tokens included."""
        question = min(len(self.question), MAX_QUESTION_TOKENS)
        return question + 2 + sum(min(len(sentence), MAX_SENTENCE_TOKENS) + 2 for sentence in self.sentences)


def pack_windows(windows: Sequence[Window]) -> tuple[Integers, Integers, Integers, Floats]:
    """Returns token ids, segments and positions, (windows, tokens), and the lexical scores, (windows, sentences), padded.

    The order and meaning are those of `evals.training.network.Batch`.
    """
    longest = max(window.tokens for window in windows)
    token_ids = np.full((len(windows), longest), PADDING, dtype=np.int64)
    segments = np.full((len(windows), longest), -1, dtype=np.int64)
    positions = np.zeros((len(windows), longest), dtype=np.int64)
    lexical = np.zeros((len(windows), max(len(window.sentences) for window in windows)), dtype=np.float32)
    for row, window in enumerate(windows):
        lexical[row, : len(window.lexical)] = window.lexical
        place = 0
        parts = [window.question[:MAX_QUESTION_TOKENS], *(sentence[:MAX_SENTENCE_TOKENS] for sentence in window.sentences)]
        for segment, part in enumerate(parts):
            end = place + len(part) + 2
            token_ids[row, place:end] = [CLS, *part, SEP]
            segments[row, place:end] = segment
            positions[row, place:end] = np.arange(end - place)
            place = end
    return token_ids, segments, positions, lexical
