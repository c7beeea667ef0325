"""Labelled questions as windows to train on.

A window is drawn anew each time a question comes up: now and then its evidence is taken out (what was answered then is not),
some other sentences are left out, or the question is put beside another text of its set, which does not answer it. A
question and its twin get the same stretch of their texts.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tokenizers import Tokenizer

from evals.questions import LabelledQuestion, Span, overlaps
from index.sentences import outline
from index.types import Document
from qa.conversation import understand
from qa.lexical import BM25, saturated
from qa.windows import MAX_QUESTION_TOKENS, MAX_SENTENCE_TOKENS, Window

__all__ = ["Example", "Sample", "Sampler", "Text", "examples_of"]

EVIDENCE_TAKEN_OUT = 0.2
"""How often an answerable question is asked of its text without the evidence."""
OTHER_TEXT = 0.1
"""How often a question is asked of another text."""
THINNED, LEFT_OUT = 0.3, 0.15
"""How often a window loses sentences that are no evidence, and each one's chance to go."""
PAIRED = 0.7
"""How often a question that has a twin comes together with it."""
AROUND_EVIDENCE = 0.8
"""How often a window of a longer text is laid around the evidence of an answerable question; else it lies anywhere."""


@dataclass(eq=False)
class Text:
    """A document's sentences as token ids."""

    sentences: list[list[int]]
    offsets: list[list[Span]]
    """Where each token stands in its document."""
    words: BM25

    def lexical(self, question: str) -> list[float]:
        """Returns each sentence's saturated BM25 score."""
        scores: list[float] = saturated(self.words.scores(question)).tolist()
        return scores


@dataclass(eq=False)
class Example:
    """A question on its text."""

    source: str
    question: str
    token_ids: list[int]
    text: Text
    lexical: list[float]
    nuggets: list[list[int]]
    """Sentence numbers; empty where the text does not answer."""
    useful: set[int]
    short_answer: tuple[int, int, int] | None
    """Sentence number, and the first and last token of the short answer in it."""
    twin: Example | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sample:
    """A window with what is true of it."""

    window: Window
    nuggets: list[list[int]]
    """Places in the window."""
    ignored: set[int]
    """Places of sentences that are neither right nor wrong."""
    short_answer: tuple[int, int] | None
    """The first and last token of the short answer in the window's sequence."""

    @property
    def answered(self) -> bool:
        """Whether the window answers the question."""
        return bool(self.nuggets)


def examples_of(questions: Iterable[LabelledQuestion], source: str, tokenizer: Tokenizer) -> list[Example]:
    """Returns the questions as examples, twins joined; follow-ups as they are understood."""
    texts: dict[str, tuple[Text, list[Span]]] = {}
    examples: dict[str, Example] = {}
    for question in questions:
        if question.document.id not in texts:
            texts[question.document.id] = _text(question.document, tokenizer)
        text, places = texts[question.document.id]
        asked = understand(question.question, question.history)

        def numbers(spans: Iterable[Span], places: list[Span] = places) -> list[int]:
            return [n for n, place in enumerate(places) if any(overlaps(place, span) for span in spans)]

        examples[question.id] = example = Example(
            source=source,
            question=asked,
            token_ids=tokenizer.encode(asked, add_special_tokens=False).ids[:MAX_QUESTION_TOKENS],
            text=text,
            lexical=text.lexical(asked),
            nuggets=[numbers(nugget) for nugget in question.nuggets],
            useful=set(numbers(question.useful)),
            short_answer=_short_answer(question.short_answer, text),
        )
        if question.twin_of is not None:
            example.twin = examples[question.twin_of]
            example.twin.twin = example
    return list(examples.values())


class Sampler:
    """Draws windows."""

    def __init__(self, examples: Sequence[Example], max_tokens: int, rng: random.Random) -> None:
        """Takes all examples of a run.

        Args:
            examples: From any number of sets.
            max_tokens: Of a window's sentences, special tokens not counted.
            rng: The run's only source of chance.
        """
        self._max_tokens = max_tokens
        self._rng = rng
        self._of_source: dict[str, list[Example]] = {}
        for example in examples:
            self._of_source.setdefault(example.source, []).append(example)

    def draw(self, example: Example) -> list[Sample]:
        """Returns a window for the example, or one for it and one for its twin."""
        if example.twin is not None and self._rng.random() < PAIRED:
            # A replacement may be split into more sentences than what it replaced, so each text has a stretch of its own.
            pair = (example, example.twin)
            sentences = [each.text.sentences for each in pair]
            differs = next(n for n, (one, other) in enumerate(zip(*sentences, strict=False)) if one != other)
            samples = []
            for each in pair:
                first, last = self._stretch(each.text, range(len(each.text.sentences)), differs, fixed=True)
                samples.append(self._sample(each, each.text, range(first, last), each.lexical))
            return samples
        return [self._alone(example)]

    def _alone(self, example: Example) -> Sample:
        rng = self._rng
        text, lexical = example.text, example.lexical
        kept = list(range(len(text.sentences)))
        evidence = {number for nugget in example.nuggets for number in nugget}
        if rng.random() < OTHER_TEXT:
            other = rng.choice(self._of_source[example.source]).text
            # A twin's text is another one too, but it holds what this one holds.
            if not any(sentence in text.sentences for sentence in other.sentences):
                text, lexical, kept, evidence = other, other.lexical(example.question), list(range(len(other.sentences))), set()
        elif evidence and rng.random() < EVIDENCE_TAKEN_OUT and len(kept) - len(evidence | example.useful) >= 2:
            kept = [number for number in kept if number not in evidence | example.useful]
        elif rng.random() < THINNED:
            kept = [number for number in kept if number in evidence or rng.random() >= LEFT_OUT] or kept
        centres = [place for place, number in enumerate(kept) if number in evidence]
        around = rng.choice(centres) if centres and rng.random() < AROUND_EVIDENCE else rng.randrange(len(kept))
        first, last = self._stretch(text, kept, around)
        return self._sample(example, text, kept[first:last], lexical)

    def _stretch(self, text: Text, kept: Sequence[int], around: int, *, fixed: bool = False) -> tuple[int, int]:
        """Returns the first place and the one past the last of as many sentences as fit, grown from one of them."""
        lengths = [min(len(text.sentences[number]), MAX_SENTENCE_TOKENS) for number in kept]
        first, last, tokens = around, around + 1, lengths[around]
        while True:
            before = first > 0 and tokens + lengths[first - 1] <= self._max_tokens
            after = last < len(kept) and tokens + lengths[last] <= self._max_tokens
            if not before and not after:
                return first, last
            if before and (not after or ((first + last) % 2 == 0 if fixed else self._rng.random() < 0.5)):
                first -= 1
                tokens += lengths[first]
            else:
                tokens += lengths[last]
                last += 1

    def _sample(self, example: Example, text: Text, chosen: Sequence[int], lexical: Sequence[float]) -> Sample:
        own = text is example.text
        place = {number: at for at, number in enumerate(chosen)}
        nuggets = [[place[number] for number in nugget if number in place] for nugget in example.nuggets] if own else []
        window = Window(
            example.token_ids, [text.sentences[number] for number in chosen], [lexical[number] for number in chosen]
        )
        short = None
        if own and example.short_answer is not None and example.short_answer[0] in place:
            number, start, end = example.short_answer
            before = Window(window.question, window.sentences[: place[number]], ()).tokens + 1
            short = (before + start, before + end)
        ignored = {place[number] for number in example.useful if number in place} if own else set()
        return Sample(window, [nugget for nugget in nuggets if nugget], ignored, short)


def _text(document: Document, tokenizer: Tokenizer) -> tuple[Text, list[Span]]:
    places = [(sentence.start, sentence.end) for sentence in outline(document.text, document.id).sentences]
    written = [document.text[start:end] for start, end in places]
    encodings = tokenizer.encode_batch(written, add_special_tokens=False)
    sentences = [encoding.ids[:MAX_SENTENCE_TOKENS] for encoding in encodings]
    offsets = [
        [(start + first, start + last) for first, last in encoding.offsets[:MAX_SENTENCE_TOKENS]]
        for (start, _), encoding in zip(places, encodings, strict=True)
    ]
    return Text(sentences, offsets, BM25(written)), places


def _short_answer(span: Span | None, text: Text) -> tuple[int, int, int] | None:
    if span is None:
        return None
    for number, offsets in enumerate(text.offsets):
        inside = [token for token, place in enumerate(offsets) if overlaps(place, span)]
        if inside:
            return number, inside[0], inside[-1]
    return None
