"""The trained evidence reader: what its network makes of a question and passages, beside similarity and shared words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from index.corpus import Corpus
from index.types import Passage, Sentence
from qa.lexical import BM25, saturated
from qa.model import EvidenceModel, Numbers, WindowScores
from qa.reader import Reading
from qa.windows import MAX_SENTENCE_TOKENS, Window

__all__ = ["EvidenceReader", "Signals", "Span", "logistic"]

READ_TOKENS = 768
"""Passages are read best first until so many tokens have been, about three; the best one is read whatever its length.
Reading all of a document of a thousand words finds no more: recall among three 0.775, with three passages 0.774, with two 0.757
(written questions, dev, four passages to a document)."""
LONGEST_SHORT_ANSWER = 30
"""Tokens."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """Where a short answer may stand, half-open, and how likely it does."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What is known of a question and the sentences that were read for it."""

    sentences: tuple[Sentence, ...]
    """Each sentence that was read, once, in the order of their documents."""
    evidence: npt.NDArray[np.float64]
    """Of each sentence: the network's logit of belonging to the answer, given that there is one."""
    similarity: npt.NDArray[np.float64]
    """Of each sentence: the cosine of its vector and the question's."""
    before: npt.NDArray[np.float64]
    """Likewise of the sentence before it, on which it may lean; a document's first sentence is its own."""
    lexical: npt.NDArray[np.float64]
    """Of each sentence: its saturated BM25 score, 0..1."""
    answered: float
    """The windows' highest logit of answering the question."""
    spans: Mapping[Sentence, Span]
    """Of each sentence: the likeliest place of a short answer in its document."""

    def table(self) -> npt.NDArray[np.float64]:
        """Returns the four signals of each sentence, (sentences, 4), in the order of their definition."""
        return np.stack([self.evidence, self.similarity, self.before, self.lexical], axis=1)

    def combined(self, numbers: Numbers) -> npt.NDArray[np.float64]:
        """Returns the combined signals of each sentence, a logit."""
        slopes = (numbers.evidence_slope, numbers.similarity_slope, numbers.before_slope, numbers.lexical_slope)
        logits: npt.NDArray[np.float64] = self.table() @ np.array(slopes) + numbers.evidence_offset
        return logits

    def probability(self, numbers: Numbers) -> float:
        """Returns how likely it is that the question is answered, 0..1."""
        best = float(self.combined(numbers).max())
        logit = numbers.answered_slope * self.answered + numbers.best_slope * best + numbers.answered_offset
        return float(logistic(np.array(logit)))


class EvidenceReader:
    """Reads by the trained network."""

    def __init__(self, corpus: Corpus, model: EvidenceModel, read_tokens: int = READ_TOKENS) -> None:
        """Takes the corpus whose passages are read, the network, and how many tokens are read before passages are left out."""
        self._corpus = corpus
        self._read_tokens = read_tokens
        self._model = model
        numbers = model.numbers
        self.thresholds = {"answered": numbers.answered_threshold, "evidence": numbers.evidence_threshold}
        # Short documents are read again and again: their words and tokens are kept.
        self._prepared = lru_cache(maxsize=4)(self._prepare)

    def read(self, question: str, passages: Sequence[Passage]) -> Reading:
        """Reads the passages, best first, with the question in mind; those past the limit are left out."""
        signals = self.signals(question, passages)
        if not signals.sentences:
            return Reading((), (), 0.0)
        numbers = self._model.numbers
        likely = {
            sentence: _closed(self._corpus.text(sentence), span, sentence.start)
            for sentence, span in signals.spans.items()
            if span.probability >= numbers.short_answer_threshold
        }
        scores = logistic(signals.combined(numbers))
        return Reading(signals.sentences, tuple(scores.tolist()), signals.probability(numbers), likely)

    def signals(self, question: str, passages: Sequence[Passage]) -> Signals:
        """Returns what `read` makes probabilities of; a sentence's logit is its best over the windows that it stands in."""
        given = self._corpus.in_order(s for passage in passages for s in self._corpus.sentences(passage))
        words, tokens = self._prepared(given)
        lexical = dict(zip(tokens, saturated(words.scores(question)).tolist(), strict=True))
        asked = self._model.tokenizer.encode(question, add_special_tokens=False).ids
        evidence: dict[Sentence, float] = {}
        spans: dict[Sentence, Span] = {}
        answered, read = float("-inf"), 0
        for passage in passages:
            sentences = self._corpus.sentences(passage)
            window = Window(asked, [tokens[s].ids for s in sentences], [lexical[s] for s in sentences])
            if evidence and read + window.tokens > self._read_tokens:
                break
            read += window.tokens
            scores = self._model.read(window)
            answered = max(answered, scores.answered)
            found = _likeliest_spans(window, scores, [tokens[sentence] for sentence in sentences])
            for sentence, logit, span in zip(sentences, scores.evidence.tolist(), found, strict=True):
                if logit > evidence.get(sentence, float("-inf")):
                    evidence[sentence] = logit
                    spans[sentence] = Span(sentence.start + span.start, sentence.start + span.end, span.probability)
        in_order = self._corpus.in_order(evidence)
        before = [self._corpus.previous(sentence) or sentence for sentence in in_order]
        known = tuple(dict.fromkeys([*in_order, *before]))
        cosines = self._corpus.vectors(known) @ self._corpus.encode_question(question)
        similarity = dict(zip(known, cosines.tolist(), strict=True))
        return Signals(
            sentences=in_order,
            evidence=np.array([evidence[sentence] for sentence in in_order]),
            similarity=np.array([similarity[sentence] for sentence in in_order]),
            before=np.array([similarity[sentence] for sentence in before]),
            lexical=np.array([lexical[sentence] for sentence in in_order]),
            answered=answered,
            spans=spans,
        )

    def _prepare(self, sentences: tuple[Sentence, ...]) -> tuple[BM25, dict[Sentence, _Tokens]]:
        texts = [self._corpus.text(sentence) for sentence in sentences]
        encodings = self._model.tokenizer.encode_batch(texts, add_special_tokens=False)
        tokens = (_Tokens(encoding.ids[:MAX_SENTENCE_TOKENS], encoding.offsets[:MAX_SENTENCE_TOKENS]) for encoding in encodings)
        return BM25(texts), dict(zip(sentences, tokens, strict=True))


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


def _closed(sentence: str, span: Span, first: int) -> tuple[int, int]:
    """Returns a span's place, with the bracket or quotation mark that it lacks if that stands right beside it.

    Args:
        sentence: Its text.
        span: Where the short answer stands in the document.
        first: Where the sentence begins there.
    """
    start, end = span.start - first, span.end - first
    for opening, closing in ("()", "[]", "“”"):
        lacking = sentence.count(opening, start, end) - sentence.count(closing, start, end)
        if lacking > 0 and sentence[end : end + 1] == closing:
            end += 1
        elif lacking < 0 and sentence[max(start - 1, 0) : start] == opening:
            start -= 1
    return first + start, first + end


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max())
    shares: Floats = powers / powers.sum()
    return shares


def logistic(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns 1 / (1 + e^-x) of each."""
    probabilities: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.asarray(values, dtype=np.float64)))
    return probabilities
