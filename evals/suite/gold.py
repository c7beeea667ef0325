"""Gold questions: what is asked, and what a full answer must cite. The format is described in evals/gold/FORMAT.md.

A gold file is JSON Lines. Quotes are stored, and found in the document when the file is loaded: each stands there exactly once,
or says which occurrence it means.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.questions import Span
from index.errors import LoadError, QAError
from index.load import BUILTIN, load_builtin, load_paths
from index.types import Document

__all__ = [
    "BUILT_IN",
    "CATEGORIES",
    "FOLDER",
    "UNANSWERED",
    "Category",
    "Fact",
    "GoldError",
    "GoldLine",
    "GoldQuestion",
    "GoldSet",
    "Split",
    "load_gold",
]

FOLDER = Path(__file__).parents[1] / "gold"
BUILT_IN = "commentary"
"""What a gold file calls the built-in document."""
Category = Literal[
    "fact",
    "why",
    "how",
    "stance",
    "yes-no",
    "multi-evidence",
    "paraphrase",
    "follow-up",
    "noisy",
    "summary",
    "unanswerable-near",
    "unanswerable-far",
    "false-premise",
    "prompt-injection",
    "empty",
]
CATEGORIES: tuple[Category, ...] = get_args(Category)
UNANSWERED = frozenset({"unanswerable-near", "unanswerable-far", "false-premise", "prompt-injection", "empty"})
"""Categories whose questions the document does not answer; every other category is answerable."""
Split = Literal["dev", "test"]


class GoldError(QAError):
    """A gold file cannot be used; the message names file and line, and of several faults the first and their number."""

    def __init__(self, faults: str | list[str]) -> None:
        self.faults = [faults] if isinstance(faults, str) else faults
        """Each a line."""
        more = f" (and {len(self.faults) - 1} more; 'qa eval lint' lists them)" if len(self.faults) > 1 else ""
        super().__init__(self.faults[0] + more)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Text = Annotated[str, Field(min_length=1)]


class Occurrence(_Strict):
    """A quote that stands in the document more than once."""

    quote: Text
    occurrence: Annotated[int, Field(ge=1)]
    """Counts from 1."""


Quote = Text | Occurrence


class GoldNugget(_Strict):
    """One thing that an answer says."""

    says: Text
    """In a few words, for people."""
    vital: bool = True
    """Whether an answer without it is incomplete."""
    evidence: Annotated[list[Annotated[list[Quote], Field(min_length=1)]], Field(min_length=1)]
    """Groups of alternatives: of each group one quote must be cited."""
    accept: list[Text] = []
    """Regular expressions, any one of which says that an answer in a language model's own words holds the nugget."""
    reject: list[Text] = []
    """Regular expressions, any one of which says that such an answer gets it wrong."""


class GoldLine(_Strict):
    """A line of a gold file, as it is written."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    document: Text
    """`commentary` for the built-in one, or a file beside the gold file."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the document's file."""
    question: str
    history: list[Text] = []
    """The asker's earlier questions, oldest first."""
    category: Category
    cluster: Text
    """Paraphrases, misspellings and follow-ups of one question share it."""
    split: Split
    answerable: bool
    nuggets: list[GoldNugget] = []
    allowed: list[Quote] = []
    """Useful context: neither right nor wrong to cite."""
    must_not: list[Text] = []
    """Regular expressions that no answer's text may match."""
    correction: list[Quote] = []
    """For a false premise: what shows that it is false; citing that and nothing else is a right answer."""
    reference: str = ""
    """A full answer in good prose; empty where there is none."""
    author: Text
    notes: str = ""


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
    try:
        content = path.read_bytes()
        lines = content.decode("utf-8").splitlines()
    except OSError as error:
        raise GoldError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise GoldError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    questions: list[GoldQuestion] = []
    faults: list[str] = []
    documents: dict[str, tuple[Document, str]] = {}
    known: dict[str, int] = {}
    for number, written in enumerate(lines, start=1):
        if not written.strip():
            continue
        try:
            line = _parse(written)
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
    return GoldSet(path, hashlib.sha256(content).hexdigest(), tuple(questions))


def _parse(written: str) -> GoldLine:
    try:
        fields = json.loads(written)
    except ValueError as error:
        raise GoldError(f"not JSON ({error})") from None
    try:
        return GoldLine.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        raise GoldError(f"{where}: {first['msg'].lower()}") from None


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
