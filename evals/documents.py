"""Passages' questions asked of longer documents: people ask documents, not paragraphs, and in those more can go wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evals.questions import LabelledQuestion, Span
from index.load import load_text

__all__ = ["MIX", "in_documents", "mix_weights", "off_topic", "passage_of"]

MIX = (4 / 6, 1 / 6, 1 / 6)
"""What people are taken to ask: questions that their document answers, near misses and false premises, and what is off its
topic. Probabilities are calibrated for this mix; the written questions hold many more near misses."""
TOGETHER = 4
"""Passages to a document."""
LONG = 3000
"""Characters from which a text is a document by itself."""


def in_documents(questions: Sequence[LabelledQuestion]) -> list[LabelledQuestion]:
    """Returns the questions asked of longer documents: each short passage put among three others of the same set."""
    originals = {question.document.source: question.document for question in questions if question.twin_of is None}
    short = [document for document in originals.values() if len(document.text) < LONG]
    asked = []
    for question in questions:
        if len(question.document.text) >= LONG:
            asked.append(question)
            continue
        own = passage_of(question)
        # The same neighbours for all questions of a passage, and for its twins.
        neighbours = random.Random(own).sample([document for document in short if document.source != own], TOGETHER - 1)
        place = random.Random(f"{own} place").randrange(TOGETHER)
        parts = [document.text for document in neighbours]
        parts.insert(place, question.document.text)
        shift = sum(len(part) + 2 for part in parts[:place])
        names = [document.source for document in neighbours]
        names.insert(place, own)
        document = load_text("\n\n".join(parts), title=question.document.title, source="+".join(names))
        moved = replace(
            question,
            document=document,
            nuggets=tuple(tuple(_moved(span, shift) for span in nugget) for nugget in question.nuggets),
            useful=tuple(_moved(span, shift) for span in question.useful),
        )
        asked.append(moved)
    return asked


def off_topic(questions: Sequence[LabelledQuestion]) -> list[LabelledQuestion]:
    """Returns the questions, each asked of another document of the set, which has another title; twins are left out."""
    documents = list({question.document.id: question.document for question in questions}.values())
    asked = []
    for question in questions:
        other = random.Random(question.id).choice(documents)
        same = other.title == question.document.title or passage_of(question) in other.source.split("+")
        if question.twin_of is None and not same:
            asked.append(replace(question, document=other, nuggets=(), useful=(), short_answer=None))
    return asked


def mix_weights(answerable: Sequence[bool], off_topic: Sequence[bool]) -> list[float]:
    """Returns a weight for each question asked, so that the three kinds count as MIX says; their sum is the count."""
    truth, far = np.array(answerable), np.array(off_topic)
    groups = [truth, ~truth & ~far, ~truth & far]
    shares = [share if group.any() else 0.0 for share, group in zip(MIX, groups, strict=True)]
    weights = np.select(groups, [share / max(1, group.sum()) for share, group in zip(shares, groups, strict=True)])
    found: list[float] = (weights * len(truth) / sum(shares)).tolist()
    return found


def passage_of(question: LabelledQuestion) -> str:
    """Returns the id of the passage that a question, or the question it is a twin of, was written for."""
    return (question.twin_of or question.id).rsplit("-", 1)[0]


def _moved(span: Span, shift: int) -> Span:
    return span[0] + shift, span[1] + shift
