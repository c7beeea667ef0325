"""Scored sentences into an answer: which are shown, in which order, and how they read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from index.corpus import Corpus
from index.types import Sentence
from qa.reader import Reading
from qa.types import Citation

__all__ = ["EMPTY", "MAX_SENTENCES", "cite", "leans", "nearest", "not_in_document", "place", "select", "shown", "write"]

MAX_SENTENCES = 3
"""The most sentences that are chosen; one that leans on the sentence before it brings that one along."""
MAX_LEANING = 2
"""How far back a chain of sentences that lean on one another is followed."""
NEAREST = 3
EMPTY = "Please ask a question."

# Nouns that stand for something said before. The idea, and most of the list, is Schmid's 'shell nouns' (English Abstract
# Nouns as Conceptual Shells, 2000).
_SHELL_NOUN = (
    "move|plan|idea|decision|measure|change|step|proposal|approach|policy|announcement|agreement|deal|arrangement|result|"
    "outcome|effect|reason|explanation|problem|issue|question|answer|fact|claim|argument|point|view|same|latter|"
    "former|rest|other|others|two|three|second|third|alternative|exception|difference|figure|figures|number|numbers"
)
_OPENER = r"[\"“‘'(\[]*(?:(?:but|and|so|yet|still|then|however|nor|or|also|even|perhaps|indeed)\b,?\s+)?"
_LEANS = re.compile(
    rf"{_OPENER}(?:"
    r"(?:it|its|he|she|they|his|her|hers|their|theirs|them)\b"
    r"|(?:this|these|that|those|such)\b(?!\s+(?:year|month|week|morning|days|who|which|being|said)\b)"
    rf"|the\s+(?:{_SHELL_NOUN})\b(?!\s+(?:of|that|for|to|between|on|in|from|with|by)\b)"
    r")",
    re.IGNORECASE,
)
# 'It is clear that …', 'It seems …', 'It should not have come as a surprise that …': the 'it' refers to nothing before.
_EXPLETIVE = re.compile(
    rf"{_OPENER}it\b(?:\W+\w+){{0,4}}?\W+(?:is|was|be|been|seems?|appears?|come|comes|came|remains?|follows)\b"
    r"(?!\s+(?:likely|able|unable|ready|expected|set|due|about|said|not\s+(?:likely|able))\b)"
    r".{0,60}?\b(?:that|to|whether|who|how|why)\b",
    re.IGNORECASE,
)
_MARKER_LIKE = re.compile(r"\[(\d+)\]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def leans(text: str) -> bool:
    """Says whether a sentence opens with something that only the sentence before it explains ('The move …', 'It …')."""
    return _LEANS.match(text) is not None and _EXPLETIVE.match(text) is None


def select(reading: Reading, corpus: Corpus, thresholds: Mapping[str, float]) -> list[Sentence]:
    """Returns the sentences that answer, in reading order; as few as the scores allow.

    The best sentence, up to two more that score at least `thresholds['evidence']` times as much, and whatever the chosen
    ones lean on.
    """
    best_first = sorted(zip(reading.scores, reading.sentences, strict=True), key=lambda scored: -scored[0])
    least = best_first[0][0] * thresholds["evidence"]
    chosen = {sentence for score, sentence in best_first[:MAX_SENTENCES] if score >= least}
    for sentence in list(chosen):
        for _ in range(MAX_LEANING):
            before = corpus.before(sentence)
            if before is None or not leans(corpus.text(sentence)):
                break
            chosen.add(before)
            sentence = before
    return list(corpus.in_order(chosen))


def nearest(reading: Reading) -> list[Sentence]:
    """Returns up to three sentences, best first."""
    best_first = sorted(zip(reading.scores, reading.sentences, strict=True), key=lambda scored: -scored[0])
    return [sentence for _, sentence in best_first[:NEAREST]]


def cite(sentences: Sequence[Sentence], reading: Reading, corpus: Corpus) -> tuple[Citation, ...]:
    """Numbers sentences from 1 in the order given."""
    scores = dict(zip(reading.sentences, reading.scores, strict=True))
    citations = []
    for number, sentence in enumerate(sentences, start=1):
        document = corpus.document(sentence.document_id)
        citations.append(
            Citation(
                number=number,
                document_id=document.id,
                title=document.title,
                start=sentence.start,
                end=sentence.end,
                quote=corpus.text(sentence),
                heading=sentence.heading,
                page=corpus.passages_with(sentence)[0].page,
                score=scores.get(sentence, 0.0),
                short_answer=reading.short_answers.get(sentence),
            )
        )
    return tuple(citations)


def write(citations: Sequence[Citation]) -> str:
    """Returns the answer's text: each sentence with its marker."""
    return " ".join(f"{shown(citation.quote)} [{citation.number}]" for citation in citations)


def shown(quote: str) -> str:
    """Returns a quote as one line for people: no line breaks, no control characters, and nothing that looks like a marker.

    A document's own `[3]` is shown as `(3)`, so that every bracketed number in an answer is one of its citations.
    """
    return _MARKER_LIKE.sub(r"(\1)", _CONTROL.sub("", " ".join(quote.split())))


def place(citation: Citation) -> str:
    """Returns where a citation stands, for people: document, section, page."""
    parts = [citation.title] + ([citation.heading] if citation.heading not in (None, citation.title) else [])
    where = " › ".join(shown(part) for part in parts if part)
    return where if citation.page is None else f"{where}, page {citation.page}"


def not_in_document(documents: int) -> str:
    """Returns what is said when nothing answers."""
    return "The document does not answer this." if documents == 1 else "The documents do not answer this."
