"""Questions to begin with, taken from what a document's own headings and names say it is about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from index.sentences import Outline
from index.types import Document

__all__ = ["example_questions"]

EXAMPLES = 4
_NAME = re.compile(r"(?<![.!?“\"] )(?<!^)\b[A-Z][\w’'-]+(?: (?:[A-Z][\w’'-]+|of(?= [A-Z])))+", re.MULTILINE)


def example_questions(documents: Sequence[tuple[Document, Outline]]) -> tuple[str, ...]:
    """Returns up to four questions about the documents, from their sections in order and then from the names they use most."""
    asked: dict[str, None] = {}
    for document, outline in documents[:EXAMPLES]:
        for heading in outline.headings:
            if heading.text != document.title:
                question = heading.text if heading.text.endswith("?") else f"What does it say about “{heading.text}”?"
                asked.setdefault(question)
        names = Counter(name.group() for name in _NAME.finditer(document.text))
        for name, _ in names.most_common(EXAMPLES):
            asked.setdefault(f"What does it say about {name}?")
    return tuple(asked)[:EXAMPLES]
