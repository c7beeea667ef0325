"""The trained evidence reader: a network that reads a question and a passage's sentences together.

`python -m evals.training` makes its two files: `evidence.onnx`, the network, and `evidence.json`, its checksum, what it was
made from, and the numbers that turn its logits into probabilities.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from index.corpus import Corpus
from index.errors import ModelError
from index.minilm import load_tokenizer
from index.types import Passage, Sentence
from qa.lexical import BM25, saturated
from qa.reader import Reading
from qa.windows import MAX_SENTENCE_TOKENS, Window, pack_windows

if TYPE_CHECKING:
    import onnxruntime

__all__ = [
    "CARD",
    "MODEL",
    "EvidenceModel",
    "EvidenceReader",
    "Logits",
    "Numbers",
    "Span",
    "WindowScores",
    "logistic",
    "packaged_model",
    "session_options",
]

MODEL, CARD = "evidence.onnx", "evidence.json"
READ_TOKENS = 2048
"""Passages are read best first until so many tokens have been; the best one is read whatever its length."""
LONGEST_SHORT_ANSWER = 30
"""Tokens."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What turns logits into probabilities and choices; fitted on dev questions by `evals.training`."""

    evidence_slope: float
    evidence_offset: float
    """A sentence's score is the logistic function of slope x its highest logit + offset (Platt scaling)."""
    answered_slope: float
    best_slope: float
    answered_offset: float
    """The probability that a question is answered, likewise, from the windows' highest logit of being answered and the
    sentences' highest logit of being evidence."""
    answered_threshold: float
    evidence_threshold: float
    short_answer_threshold: float
    """The least probability at which a span is taken for the short answer."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowScores:
    """What the network says of one window; logits."""

    evidence: Floats
    """Of each sentence."""
    answered: float
    starts: Floats
    ends: Floats
    """Of each token of the window's sequence."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a short answer may stand, half-open, and how likely it does."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """What the network makes of a question and its passages."""

    sentences: tuple[Sentence, ...]
    """Each sentence that was read, once, in the order of their documents."""
    evidence: npt.NDArray[np.float64]
    """Of each sentence: of belonging to the answer, given that there is one."""
    answered: float
    """The windows' highest logit of answering the question."""
    spans: Mapping[Sentence, Span]
    """Of each sentence: the likeliest place of a short answer in its document."""


class EvidenceModel:
    """The network on ONNX Runtime; it may be shared by readers and threads."""

    def __init__(self, data: bytes, numbers: Numbers) -> None:
        """Takes the content of a model file, and the numbers that belong to it."""
        import onnxruntime

        self.numbers = numbers
        self.tokenizer = load_tokenizer()
        self._session = onnxruntime.InferenceSession(data, session_options(), providers=["CPUExecutionProvider"])

    @classmethod
    def load(cls, model: Path) -> EvidenceModel:
        """Loads a network's file, and the numbers in `evidence.json` beside it.

        Raises:
            ModelError: A file is missing or damaged; it is named.
        """
        card = model.with_name(CARD)
        data, written = _read(model), _read(card)
        try:
            stored = json.loads(written)
            wanted, numbers = stored["sha256"], Numbers(**stored["numbers"])
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{card}: the evidence reader's numbers are damaged ({error}); reinstall the package") from None
        found = hashlib.sha256(data).hexdigest()
        if found != wanted:
            raise ModelError(f"{model}: the evidence reader is damaged (sha256 {found}, not {wanted}); reinstall the package")
        return cls(data, numbers)

    def read(self, window: Window) -> WindowScores:
        """Scores one window."""
        names = ("token_ids", "segments", "positions", "lexical")
        evidence, answered, starts, ends = self._session.run(
            ["evidence", "answered", "starts", "ends"], dict(zip(names, pack_windows([window]), strict=True))
        )
        return WindowScores(evidence[0], float(answered[0]), starts[0], ends[0])


@cache
def packaged_model() -> EvidenceModel:
    """Returns the network that comes with the package, loaded once.

    Raises:
        ModelError: A file is missing or damaged; it is named.
    """
    return EvidenceModel.load(Path(str(resources.files("qa").joinpath(MODEL))))


class EvidenceReader:
    """Reads by the trained network."""

    def __init__(self, corpus: Corpus, model: EvidenceModel) -> None:
        """Takes the corpus whose passages are read, and the network."""
        self._corpus = corpus
        self._model = model
        numbers = model.numbers
        self.thresholds = {"answered": numbers.answered_threshold, "evidence": numbers.evidence_threshold}
        # Short documents are read again and again: their words and tokens are kept.
        self._prepared = lru_cache(maxsize=4)(self._prepare)

    def read(self, question: str, passages: Sequence[Passage]) -> Reading:
        """Reads the passages, best first, with the question in mind."""
        logits = self.score(question, passages)
        if not logits.sentences:
            return Reading((), (), 0.0)
        numbers = self._model.numbers
        best = float(logits.evidence.max())
        answered = numbers.answered_slope * logits.answered + numbers.best_slope * best + numbers.answered_offset
        scores = logistic(numbers.evidence_slope * logits.evidence + numbers.evidence_offset)
        likely = {
            sentence: (span.start, span.end)
            for sentence, span in logits.spans.items()
            if span.probability >= numbers.short_answer_threshold
        }
        return Reading(logits.sentences, tuple(scores.tolist()), float(logistic(np.array(answered))), likely)

    def score(self, question: str, passages: Sequence[Passage]) -> Logits:
        """Returns what `read` makes probabilities of: each sentence's best over the windows that it stands in."""
        words, tokens = self._prepared(self._order({s for passage in passages for s in self._corpus.sentences(passage)}))
        lexical = dict(zip(tokens, saturated(words.scores(question)).tolist(), strict=True))
        asked = self._model.tokenizer.encode(question, add_special_tokens=False).ids
        evidence: dict[Sentence, float] = {}
        spans: dict[Sentence, Span] = {}
        answered, read = float("-inf"), 0
        for passage in passages:
            sentences = self._corpus.sentences(passage)
            window = Window(asked, [tokens[s].ids for s in sentences], [lexical[s] for s in sentences])
            if evidence and read + window.tokens > READ_TOKENS:
                break
            read += window.tokens
            scores = self._model.read(window)
            answered = max(answered, scores.answered)
            found = _likeliest_spans(window, scores, [tokens[sentence] for sentence in sentences])
            for sentence, logit, span in zip(sentences, scores.evidence.tolist(), found, strict=True):
                if logit > evidence.get(sentence, float("-inf")):
                    evidence[sentence] = logit
                    spans[sentence] = Span(sentence.start + span.start, sentence.start + span.end, span.probability)
        in_order = self._order(evidence)
        return Logits(in_order, np.array([evidence[sentence] for sentence in in_order]), answered, spans)

    def _prepare(self, sentences: tuple[Sentence, ...]) -> tuple[BM25, dict[Sentence, _Tokens]]:
        texts = [self._corpus.text(sentence) for sentence in sentences]
        encodings = self._model.tokenizer.encode_batch(texts, add_special_tokens=False)
        tokens = (_Tokens(encoding.ids[:MAX_SENTENCE_TOKENS], encoding.offsets[:MAX_SENTENCE_TOKENS]) for encoding in encodings)
        return BM25(texts), dict(zip(sentences, tokens, strict=True))

    def _order(self, sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
        order = {document.id: position for position, document in enumerate(self._corpus.documents)}
        return tuple(sorted(sentences, key=lambda sentence: (order[sentence.document_id], sentence.ordinal)))


@dataclass(frozen=True, slots=True)
class _Tokens:
    """A sentence's tokens, and where each stands in it."""

    ids: list[int]
    offsets: list[tuple[int, int]]


def _likeliest_spans(window: Window, scores: WindowScores, sentences: Sequence[_Tokens]) -> list[Span]:
    """Returns for each sentence of a window the span that is likeliest to be the short answer, counted from its start."""
    starts, ends = _softmax(scores.starts), _softmax(scores.ends)
    found = []
    place = Window(window.question, (), ()).tokens
    for tokens in sentences:
        first = place + 1  # after [CLS]
        last = first + len(tokens.ids)
        place = last + 1
        if first == last:
            found.append(Span(0, 0, 0.0))
            continue
        chances = np.triu(np.outer(starts[first:last], ends[first:last]))
        chances -= np.triu(chances, LONGEST_SHORT_ANSWER)
        start, end = np.unravel_index(int(chances.argmax()), chances.shape)
        found.append(Span(tokens.offsets[start][0], tokens.offsets[end][1], float(chances[start, end])))
    return found


def session_options() -> onnxruntime.SessionOptions:
    """Returns how the network is run: on all cores that the process may use, quietly."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return options


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the evidence reader cannot be read ({error.strerror}); reinstall the package") from None


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max())
    shares: Floats = powers / powers.sum()
    return shares


def logistic(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns 1 / (1 + e^-x) of each."""
    probabilities: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.asarray(values, dtype=np.float64)))
    return probabilities
