"""The development questions: 60 on three texts written for the purpose, a third of them not answered there.

Thresholds are chosen on these and on nothing else. `evals/dev/questions.jsonl` has an object a line: `id`, `document` (a file
beside it), `question`, `category`, `answerable`, `history` (earlier questions, oldest first), `nuggets` (what a full answer
needs; each a list of sentences any one of which supplies it, verbatim) and `useful` (sentences that are fair context).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from evals.questions import LabelledQuestion, Span
from index.errors import QAError
from index.load import load_paths
from index.types import Document

__all__ = ["load_development"]


def load_development() -> list[LabelledQuestion]:
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

        question = LabelledQuestion(
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


def _span(quote: str, document: Document, number: int) -> Span:
    start = document.text.find(quote)
    if start < 0 or document.text.find(quote, start + 1) >= 0:
        raise QAError(f"questions.jsonl:{number}: not exactly once in {document.title!r}: {quote!r}")
    return start, start + len(quote)
