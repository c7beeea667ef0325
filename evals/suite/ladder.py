"""What anyone gets without reading, and what nobody can better: the rungs that every report compares with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from evals.questions import Span
from evals.readers import Ask, always_abstain, bm25, first_three, minilm
from evals.suite.gold import GoldQuestion
from evals.suite.record import Cited, Record
from evals.suite.run import Library
from evals.suite.scoring import Score, score
from index.corpus import Corpus
from qa.conversation import understand

__all__ = ["GOLD", "TRIVIAL", "climb", "skill"]

GOLD = "gold sentences"
TRIVIAL = ("always abstain", "whole document", "first three sentences")
"""Rungs that do not look at the question."""

Show = Callable[[GoldQuestion], Sequence[Span]]


def climb(questions: Sequence[GoldQuestion], library: Library) -> dict[str, list[Score]]:
    """Returns each rung's scores, in the order of the questions.

    Args:
        questions: What is asked.
        library: Opens their documents.
    """
    made: dict[tuple[str, str], Show] = {}
    scores: dict[str, list[Score]] = {}
    for question in questions:
        corpus = library.open(question.document).corpus
        passages = [(passage.start, passage.end) for passage in corpus.passages]
        for name, make in _RUNGS.items():
            key = (name, question.document.id)
            if key not in made:
                made[key] = make(corpus)
            show = made[key]
            scores.setdefault(name, []).append(score(question, _record(question, show(question)), passages))
    return scores


def skill(value: float, ladder: Mapping[str, float]) -> float:
    """Returns how far a score is on the way from the best trivial rung, 0, to the gold sentences, 1; it may be below 0.

    `(value - best trivial) / (gold - best trivial)`.
    """
    floor = max(ladder[name] for name in TRIVIAL)
    return (value - floor) / (ladder[GOLD] - floor) if ladder[GOLD] > floor else float("nan")


def _record(question: GoldQuestion, shown: Sequence[Span]) -> Record:
    asked = any(character.isalnum() for character in question.line.question)
    text = question.document.text
    cited = tuple(Cited(start=start, end=end, quote=text[start:end]) for start, end in shown) if asked else ()
    return Record(
        id=question.id,
        status="answered" if cited else "not_in_document",
        text=" ".join(each.quote for each in cited),
        cited=cited,
    )


def _without_labels(reader: Callable[[Corpus], Ask]) -> Callable[[Corpus], Show]:
    def make(corpus: Corpus) -> Show:
        ask = reader(corpus)

        def show(question: GoldQuestion) -> Sequence[Span]:
            shown = ask(understand(question.line.question, question.line.history)).shown
            return [(sentence.start, sentence.end) for sentence in shown]

        return show

    return make


def _whole(corpus: Corpus) -> Show:
    spans = [(s.start, s.end) for document in corpus.documents for s in corpus.layouts[document.id].outline.sentences]
    return lambda question: spans


def _gold(corpus: Corpus) -> Show:
    return lambda question: sorted({group[0] for nugget in question.nuggets for group in nugget.evidence})


_RUNGS: dict[str, Callable[[Corpus], Show]] = {
    "always abstain": _without_labels(always_abstain),
    "whole document": _whole,
    "first three sentences": _without_labels(first_three),
    "BM25@3": _without_labels(bm25),
    "MiniLM@3": _without_labels(minilm),
    GOLD: _gold,
}
