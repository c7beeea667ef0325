"""Questions to begin with, taken from what a document's own headings and words say it is about."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from index.sentences import Outline
from index.types import Document
from qa.lexical import stems

__all__ = ["example_questions"]

EXAMPLES = 4
WORDS_LOOKED_AT = 200
_NAME = re.compile(r"(?<![.!?“\"] )(?<!^)\b[A-Z][\w’'-]+(?: (?:[A-Z][\w’'-]+|of(?= [A-Z])))+", re.MULTILINE)
_WORD = re.compile(r"\b[a-z][a-z-]{4,}\b")


def example_questions(documents: Sequence[tuple[Document, Outline]]) -> tuple[str, ...]:
    """Returns up to four questions about the documents, in turn from each: its sections in order, then what it names most."""
    by_turns = itertools.zip_longest(*(_of(document, outline) for document, outline in documents[:EXAMPLES]))
    asked = dict.fromkeys(question for turn in by_turns for question in turn if question)
    return tuple(itertools.islice(asked, EXAMPLES))


def _of(document: Document, outline: Outline) -> Iterator[str]:
    for heading in outline.headings:
        if heading.text != document.title:
            yield heading.text if heading.text.endswith("?") else f"What does it say about “{heading.text}”?"
    names = Counter(name.group() for name in _NAME.finditer(document.text))
    words = Counter(word.group() for word in _WORD.finditer(document.text)).most_common(WORDS_LOOKED_AT)
    # Words that say nothing have no stem.
    telling = [f"“{word}”" for (word, _), its in zip(words, stems([word for word, _ in words]), strict=True) if its]
    for name in (*(name for name, _ in names.most_common(EXAMPLES)), *telling[:EXAMPLES]):
        yield f"What does it say about {name}?"
