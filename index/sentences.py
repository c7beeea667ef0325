"""A document's text into sentences, each with its paragraph and heading.

Three steps: lines into blocks (a paragraph, a list item, a heading), blocks into headings and prose, prose into sentences.
Sentence ends are found by pysbd. Measured on the project's 240 written passages (2,563 inner sentence ends), it misses 6 and
adds 5; the punkt data that LlamaIndex ships misses 4 and adds 32 ('No. | 4', 'e.g. | in'), nupunkt misses 40 and adds 5.
Of pysbd's output only the places where sentences start are used, so that no character can be lost whatever it returns.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pysbd

from index.types import Sentence

__all__ = ["VERSION", "Heading", "Outline", "outline", "title_of"]

VERSION = "1"
"""Part of an index's fingerprint: raise it when the same text may come out differently."""

MAX_HEADINGS_IN_A_ROW = 3
"""A title, a section and a subsection may follow one another; a longer run of short lines is a list."""
WINDOW = 4000
"""Characters of a paragraph that are looked at together; hardly any is as long."""
LONGEST_WORD = 300
"""A longer run of characters without white space, or a full stop of Chinese and Japanese, is no prose of any language."""
MAX_HEADING_WORDS = 14
MAX_TITLE_WORDS = 30
WRAPPED_LINE_LENGTH = 120
"""Lines longer than this were not broken by an editor or a mail program to fit a width."""

_MARKDOWN_HEADING = re.compile(r"#{1,6}[ \t]+(?P<text>\S.*?)[ \t#]*$")
_LIST_ITEM = re.compile(r"(?:[-*+•–]|\(?\d{1,3}[.)]|\(?[A-Za-z][.)])[ \t]+\S")
_NUMBERED = re.compile(r"(?:\d{1,3}(?:\.\d{1,3})*[.)]?|(?:section|chapter|part|article|appendix)\s+\w{1,5}[.:]?)\s+\S", re.I)
_KEY_AND_VALUE = re.compile(r"[^:]{1,40}:\s+\S")
_ENDS_LIKE_PROSE = re.compile(r"[.;,:!…][\"'”’)\]]*$")
_SENTENCE_INSIDE = re.compile(r"[a-z]{3}[.!?]\s+[A-Z]")
_FINITE_VERB = re.compile(r"\b(?:is|are|was|were|has|have|had|will|would|must|can|cannot|could|may|should|does|did|do)\b", re.I)
_QUESTION_WORD = re.compile(r"(?:what|why|how|when|where|who|which|whose)\b", re.I)
# 'Quiet hours 10 pm to 7 am' is a fact, which must not be lost as a heading; 'Phase 2' and 'What 2019 changed' are headings.
_QUANTITY = re.compile(r"[$£€¥]\s?\d|\d\s?(?:%|°|[ap]\.?m\b|k?[gm]\b|[a-z]+s\b|[mb]illion\b|per\b)")
_SENTENCE_END = re.compile(r"[.!?…][\"”’)\]]*\s+")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_NUMBER = re.compile(r"\d{1,3}[.)]\s+")
_CLOSERS = re.compile(r"[”’\"')\]»]+(?=\s)")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading's place in its document."""

    start: int
    end: int
    text: str
    """Without Markdown's number signs."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A document's headings and sentences; together their spans hold every character that is not white space."""

    headings: tuple[Heading, ...]
    sentences: tuple[Sentence, ...]

    def section(self, sentence: Sentence) -> int:
        """Returns how many headings stand before the sentence: the same number means the same section."""
        return bisect_right([heading.start for heading in self.headings], sentence.start)


@dataclass(frozen=True, slots=True)
class _Block:
    """One or more lines that belong together: a heading, a paragraph, a list item."""

    start: int
    end: int
    lines: int
    marked_heading: str | None = None


def outline(
    text: str,
    document_id: str,
    *,
    fits: Callable[[list[str]], list[bool]] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Outline:
    """Cuts a text into headings and sentences.

    Args:
        text: A normalised text.
        document_id: Put into each sentence.
        fits: Says of each string whether the embedding model reads it whole. A sentence that does not fit is cut at
            white space until its parts do. None lets every sentence be.
        progress: Told how many characters are done.
    """
    blocks = _blocks(text)
    is_heading = _headings(text, blocks)
    headings: list[Heading] = []
    pieces: list[tuple[int, int, int, str | None]] = []
    for number, block in enumerate(blocks):
        if is_heading[number]:
            headings.append(Heading(block.start, block.end, block.marked_heading or text[block.start : block.end]))
            continue
        under = headings[-1].text if headings else None
        pieces += [(start, end, number, under) for start, end in _split(text, block)]
        if progress is not None:
            progress(block.end)
    if fits is not None:
        pieces = _cut_to_fit(text, pieces, fits)
    return Outline(
        tuple(headings),
        tuple(Sentence(document_id, ordinal, *piece) for ordinal, piece in enumerate(pieces)),
    )


def title_of(text: str) -> str | None:
    """Returns the text's first line if it is a title, which is to say a heading with something below it."""
    head = text.lstrip()[:4000]
    blocks = _blocks(head)
    if not blocks or not _headings(head, blocks)[0]:
        return None
    return blocks[0].marked_heading or head[blocks[0].start : blocks[0].end]


def _blocks(text: str) -> list[_Block]:
    blocks: list[_Block] = []
    run: list[tuple[int, int]] = []
    for match in re.finditer(r"[^\n]*\n?", text):
        line = match.group()
        stripped = line.strip()
        if stripped:
            start = match.start() + line.index(stripped[0])
            run.append((start, start + len(stripped)))
        elif run:
            blocks += _blocks_of_run(text, run)
            run = []
    return blocks + _blocks_of_run(text, run)


def _blocks_of_run(text: str, lines: list[tuple[int, int]]) -> list[_Block]:
    """Joins the lines that were only broken to fit a width; every other line is a block of its own."""
    blocks: list[_Block] = []
    width = max((end - start for start, end in lines), default=0)
    open_block: list[tuple[int, int]] = []

    def close() -> None:
        if open_block:
            blocks.append(_Block(open_block[0][0], open_block[-1][1], len(open_block)))
            open_block.clear()

    for start, end in lines:
        line = text[start:end]
        marked = _MARKDOWN_HEADING.match(line)
        if marked:
            close()
            blocks.append(_Block(start, end, 1, marked["text"]))
            continue
        if re.fullmatch(r"=+|-{2,}", line) and len(open_block) == 1:
            title = text[open_block[0][0] : open_block[0][1]]
            blocks.append(_Block(open_block[0][0], end, 2, title))
            open_block.clear()
            continue
        if open_block:
            last_start, last_end = open_block[-1]
            first_word = len(line.split(maxsplit=1)[0])
            had_room = last_end - last_start + 1 + first_word <= width
            if had_room or width > WRAPPED_LINE_LENGTH or _LIST_ITEM.match(line):
                close()
        open_block.append((start, end))
    close()
    return blocks


def _headings(text: str, blocks: list[_Block]) -> list[bool]:
    """Says which blocks are headings: they look like one, and prose follows."""
    flags = [
        block.marked_heading is not None or _looks_like_heading(text[block.start : block.end], block, first=number == 0)
        for number, block in enumerate(blocks)
    ]
    run_start = 0
    for number in range(len(blocks) + 1):
        if number < len(blocks) and flags[number]:
            continue
        run = range(run_start, number)
        if number == len(blocks) or len(run) > MAX_HEADINGS_IN_A_ROW:
            for unmarked in run:
                flags[unmarked] = blocks[unmarked].marked_heading is not None and number < len(blocks)
        run_start = number + 1
    return flags


def _looks_like_heading(line: str, block: _Block, *, first: bool) -> bool:
    words = len(line.split())
    if block.lines > 1 or words > (MAX_TITLE_WORDS if first else MAX_HEADING_WORDS) or not re.search(r"[^\W\d_]", line):
        return False
    if _ENDS_LIKE_PROSE.search(line) or _SENTENCE_INSIDE.search(line) or "|" in line:
        return False
    numbered = _NUMBERED.match(line) is not None
    initial = re.search(r"[^\W\d_]", line)
    starts_like_heading = line[0].isalnum() and initial is not None and not initial.group().islower()
    if first or numbered:
        return starts_like_heading or numbered
    if not starts_like_heading or _LIST_ITEM.match(line) or _KEY_AND_VALUE.match(line) or _QUANTITY.search(line):
        return False
    return _QUESTION_WORD.match(line) is not None or line.endswith("?") or not _FINITE_VERB.search(line)


def _split(text: str, block: _Block) -> list[tuple[int, int]]:
    """Cuts a block into sentences; the spans hold all its characters but the white space between them."""
    prose = re.sub(r"\s", " ", text[block.start : block.end])  # pysbd would end a sentence at every line feed
    starts = [_past_number(prose, start) for start in _sentence_starts(prose)]
    for index, start in enumerate(starts):
        # A closing quotation mark belongs to the sentence that it closes.
        closers = _CLOSERS.match(prose, start)
        if closers and index > 0:
            starts[index] = closers.end()
    spans: list[tuple[int, int]] = []
    pending: int | None = None
    for start, end in pairwise([*sorted(set(starts)), len(prose)]):
        piece = prose[start:end]
        if not piece.strip():
            continue
        start += len(piece) - len(piece.lstrip())
        end = start + len(piece.strip())
        if pending is not None:
            start, pending = pending, None
        if not _LETTER_OR_DIGIT.search(piece) and spans:
            spans[-1] = (spans[-1][0], end)  # stray punctuation goes with the sentence before it
        elif re.fullmatch(r"\W*\w{1,3}[.)]\W*", prose[start:end]) and _LIST_ITEM.match(prose, start) and end < len(prose):
            pending = start  # a list item's number goes with its text
        else:
            spans.append((start, end))
    if pending is not None:
        spans.append((pending, len(prose.rstrip())))
    return [(block.start + start, block.start + end) for start, end in spans]


def _past_number(prose: str, start: int) -> int:
    """Returns where the sentence starts that pysbd took for a list item: '… on day 10. Station two …'.

    0, which is a start anyway, where no sentence starts there.
    """
    number = _NUMBER.match(prose, start)
    if number is None or not prose[:start].rstrip()[-1:].isalnum():
        return start
    return number.end() if re.match(r"[\"“‘(]*[A-ZÀ-Þ]", prose[number.end() :]) else 0


def _sentence_starts(prose: str) -> list[int]:
    """Returns where sentences start, 0 among them, as pysbd finds them."""
    # A segmenter keeps state while it works, so each call has its own.
    segmenter = pysbd.Segmenter(language="en", clean=False, char_span=True)
    starts = {0}
    at = 0
    while at < len(prose):
        # pysbd takes time by the square of what it is given.
        window = prose[at : at + WINDOW]
        if re.search(rf"[^\s。！？]{{{LONGEST_WORD}}}", window):  # no prose; pysbd would take seconds over it
            found = sorted(match.end() for match in _SENTENCE_END.finditer(window) if match.end() < len(window))
        else:
            found = sorted(segment.start for segment in segmenter.segment(window) if 0 < segment.start < len(window))
        if at + WINDOW < len(prose):
            # What goes on beyond the window is left to the next, which starts with a sentence where one does.
            found = [start for start in found if start <= WINDOW * 9 // 10]
            ahead = found[-1] if found else window.rfind(" ", WINDOW // 2) + 1 or WINDOW
        else:
            ahead = WINDOW
        starts |= {at + start for start in found}
        at += ahead
    return sorted(starts)


def _cut_to_fit(
    text: str, pieces: list[tuple[int, int, int, str | None]], fits: Callable[[list[str]], list[bool]]
) -> list[tuple[int, int, int, str | None]]:
    kept: list[tuple[int, int, int, str | None]] = []
    while pieces:
        verdicts = fits([text[start:end] for start, end, _, _ in pieces])
        too_long: list[tuple[int, int, int, str | None]] = []
        for piece, fit in zip(pieces, verdicts, strict=True):
            # A single character cannot be cut further.
            (kept if fit or piece[1] - piece[0] < 2 else too_long).append(piece)
        pieces = [half for piece in too_long for half in _halves(text, piece)]
    return sorted(kept, key=lambda piece: piece[0])


def _halves(text: str, piece: tuple[int, int, int, str | None]) -> list[tuple[int, int, int, str | None]]:
    """Cuts at the white space nearest to the middle, or in the middle where there is none."""
    start, end, paragraph, heading = piece
    middle = (start + end) // 2
    gaps = [start + gap.start() for gap in re.finditer(r"\s+", text[start:end])]
    at = min(gaps, key=lambda gap: abs(gap - middle), default=middle)
    right = at
    while right < end and text[right].isspace():
        right += 1
    return [(start, at, paragraph, heading), (right, end, paragraph, heading)]
