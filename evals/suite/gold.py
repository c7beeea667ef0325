"""Gold questions: what is asked, and what a full answer must cite. The format is described in evals/gold/FORMAT.md.

A gold file is JSON Lines. Quotes are stored, and found in the document when the file is loaded: each stands there exactly once,
or says which occurrence it means.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evals.questions import Span
from evals.suite.schema import BUILT_IN, GoldError, GoldLine, Occurrence, parse_line, read_lines
from index.errors import LoadError
from index.load import BUILTIN, load_builtin, load_paths
from index.types import Document

__all__ = ["FOLDER", "Fact", "GoldQuestion", "GoldSet", "load_gold"]

FOLDER = Path(__file__).parents[1] / "gold"


@dataclass(frozen=True, slots=True)
class Fact:
    """A nugget whose quotes were found."""

    says: str
    vital: bool
    evidence: tuple[tuple[Span, ...], ...]
    accept: tuple[re.Pattern[str], ...]
    reject: tuple[re.Pattern[str], ...]

    @property
    def spans(self) -> tuple[Span, ...]:
        """All its evidence, whatever the group."""
        return tuple(span for group in self.evidence for span in group)


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A line of a gold file with its quotes found in the document."""

    line: GoldLine
    document: Document
    nuggets: tuple[Fact, ...]
    allowed: tuple[Span, ...]
    correction: tuple[Span, ...]
    must_not: tuple[re.Pattern[str], ...]

    @property
    def id(self) -> str:
        """Its id, unique in its file."""
        return self.line.id

    @property
    def vital(self) -> tuple[Fact, ...]:
        """The nuggets without which an answer is incomplete."""
        return tuple(nugget for nugget in self.nuggets if nugget.vital)

    @property
    def evidence(self) -> tuple[Span, ...]:
        """All evidence of all nuggets."""
        return tuple(span for nugget in self.nuggets for span in nugget.spans)


@dataclass(frozen=True, slots=True)
class GoldSet:
    """The questions of a gold file."""

    path: Path
    sha256: str
    """Of the file."""
    questions: tuple[GoldQuestion, ...]

    def part(self, split: str | None = None, ids: Iterable[str] = ()) -> tuple[GoldQuestion, ...]:
        """Returns the questions of a split, or those named; in the file's order.

        Raises:
            GoldError: No question has one of the ids, or none is left.
        """
        wanted = set(ids)
        if missing := wanted - {question.id for question in self.questions}:
            raise GoldError(f"{self.path}: no question has the id {', '.join(sorted(missing))}")
        chosen = [q for q in self.questions if (not split or q.line.split == split) and (not wanted or q.id in wanted)]
        if not chosen:
            raise GoldError(f"{self.path}: no question is in the split {split!r}" if split else f"{self.path}: no questions")
        return tuple(chosen)


def load_gold(path: Path) -> GoldSet:
    """Reads a gold file strictly.

    Raises:
        GoldError: The file or a document is missing, a line has a fault, or a document is not the one that was labelled.
    """
    lines = read_lines(path)
    questions: list[GoldQuestion] = []
    faults: list[str] = []
    documents: dict[str, tuple[Document, str]] = {}
    known: dict[str, int] = {}
    for number, written in lines:
        try:
            line = parse_line(written)
            if line.id in known:
                raise GoldError(f"the id {line.id} is line {known[line.id]}'s")
            known[line.id] = number
            if line.document not in documents:
                documents[line.document] = _document(line.document, path.parent)
            questions.append(_resolve(line, *documents[line.document]))
        except GoldError as error:
            faults.append(f"{path.name}:{number}: {error}")
    if faults:
        raise GoldError(faults)
    return GoldSet(path, hashlib.sha256(path.read_bytes()).hexdigest(), tuple(questions))


def _document(name: str, folder: Path) -> tuple[Document, str]:
    if name == BUILT_IN:
        return load_builtin(), hashlib.sha256(BUILTIN.read_bytes()).hexdigest()
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or "\\" in name:
        raise GoldError(f"document {name!r}: give {BUILT_IN!r} or a file in the gold file's folder")
    path = folder / inside
    try:
        return load_paths([path])[0], hashlib.sha256(path.read_bytes()).hexdigest()
    except (LoadError, OSError) as error:
        raise GoldError(f"document {name!r}: {error}") from None


def _resolve(line: GoldLine, document: Document, sha256: str) -> GoldQuestion:
    if line.sha256 != sha256:
        raise GoldError(
            f"document {line.document!r} changed since it was labelled: its sha256 is {sha256}; check the quotes and update it"
        )

    def spans(quotes: Iterable[str | Occurrence]) -> tuple[Span, ...]:
        return tuple(_find(quote, document.text) for quote in quotes)

    return GoldQuestion(
        line=line,
        document=document,
        nuggets=tuple(
            Fact(
                says=nugget.says,
                vital=nugget.vital,
                evidence=tuple(spans(group) for group in nugget.evidence),
                accept=_patterns(nugget.accept),
                reject=_patterns(nugget.reject),
            )
            for nugget in line.nuggets
        ),
        allowed=spans(line.allowed),
        correction=spans(line.correction),
        must_not=_patterns(line.must_not),
    )


def _find(quote: str | Occurrence, text: str) -> Span:
    wanted, occurrence = (quote, None) if isinstance(quote, str) else (quote.quote, quote.occurrence)
    starts = [match.start() for match in re.finditer(re.escape(wanted), text)]
    shown = wanted if len(wanted) <= 60 else wanted[:57] + "…"
    if not starts:
        raise GoldError(f"the document does not hold the quote {shown!r}")
    if occurrence is None and len(starts) > 1:
        raise GoldError(f'the quote {shown!r} stands there {len(starts)} times; say {{"quote": …, "occurrence": 1}}')
    if occurrence is not None and occurrence > len(starts):
        raise GoldError(f"the quote {shown!r} stands there {len(starts)} times, not {occurrence}")
    start = starts[(occurrence or 1) - 1]
    return start, start + len(wanted)


def _patterns(written: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    try:
        return tuple(re.compile(pattern, re.IGNORECASE) for pattern in written)
    except re.error as error:
        raise GoldError(f"{error.pattern!r} is no regular expression ({error.msg})") from None
    except (OverflowError, RecursionError) as error:
        raise GoldError(f"a regular expression is too large ({error})") from None
