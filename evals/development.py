"""The development questions: 60 on three texts written for the purpose, a third of them not answered there.

Thresholds are chosen on these and on nothing else. `evals/dev/questions.jsonl` has an object a line: `id`, `document` (a file
beside it), `question`, `category`, `answerable`, `history` (earlier questions, oldest first), `nuggets` (what a full answer
needs; each a list of sentences any one of which supplies it, verbatim) and `useful` (sentences that are fair context).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from index.errors import QAError
from index.load import load_paths
from index.types import Document

__all__ = ["DevelopmentQuestion", "Span", "load_development", "overlaps", "share_of_nuggets"]

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class DevelopmentQuestion:
    """A question and what a full answer to it needs."""

    id: str
    document: Document
    question: str
    category: str
    history: tuple[str, ...]
    nuggets: tuple[tuple[Span, ...], ...]
    """For each nugget the spans of the sentences that supply it; empty where the document does not answer."""
    useful: tuple[Span, ...]

    @property
    def answerable(self) -> bool:
        """Whether the document answers it."""
        return bool(self.nuggets)


def load_development() -> list[DevelopmentQuestion]:
    """Returns the questions in the order of their file.

    Raises:
        QAError: A quote does not stand exactly once in its document; the message names file and line.
    """
    with resources.as_file(resources.files("evals").joinpath("dev")) as folder:
        documents = {Path(document.source).name: document for document in load_paths([folder])}
        lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = []
    for number, line in enumerate(lines, start=1):
        fields = json.loads(line)
        document = documents[fields["document"]]

        def spans(quotes: Iterable[str], document: Document = document, number: int = number) -> tuple[Span, ...]:
            return tuple(_span(quote, document, number) for quote in quotes)

        question = DevelopmentQuestion(
            id=fields["id"],
            document=document,
            question=fields["question"],
            category=fields["category"],
            history=tuple(fields["history"]),
            nuggets=tuple(spans(alternatives) for alternatives in fields["nuggets"]),
            useful=spans(fields["useful"]),
        )
        if question.answerable != fields["answerable"]:
            raise QAError(f"questions.jsonl:{number}: 'answerable' does not agree with 'nuggets'")
        questions.append(question)
    return questions


def share_of_nuggets(question: DevelopmentQuestion, shown: Iterable[Span]) -> float:
    """Returns the share of an answerable question's nuggets that the shown spans supply, in 0..1."""
    spans = list(shown)
    supplied = [any(overlaps(span, wanted) for span in spans for wanted in nugget) for nugget in question.nuggets]
    return sum(supplied) / len(supplied)


def overlaps(span: Span, wanted: Span) -> bool:
    """Says whether two spans share a character."""
    return span[0] < wanted[1] and wanted[0] < span[1]


def _span(quote: str, document: Document, number: int) -> Span:
    start = document.text.find(quote)
    if start < 0 or document.text.find(quote, start + 1) >= 0:
        raise QAError(f"questions.jsonl:{number}: not exactly once in {document.title!r}: {quote!r}")
    return start, start + len(quote)
