"""A line of a gold file as it is written: which fields there are, and what may stand in them (evals/gold/FORMAT.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, ValidationError

from evals.suite.plain import Plain
from index.errors import QAError

__all__ = [
    "BUILT_IN",
    "CATEGORIES",
    "UNANSWERED",
    "Category",
    "GoldError",
    "GoldLine",
    "GoldNugget",
    "Occurrence",
    "Quote",
    "Split",
    "Strict",
    "first_fault",
    "parse_line",
    "read_lines",
]

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


class Strict(Plain):
    """Plain data that people write: nothing is taken for what it is not, `"5"` for 5."""

    model_config = ConfigDict(strict=True)


Text = Annotated[str, Field(min_length=1)]


class Occurrence(Strict):
    """A quote that stands in the document more than once."""

    quote: Text
    occurrence: Annotated[int, Field(ge=1)]
    """Counts from 1."""


Quote = Text | Occurrence


class GoldNugget(Strict):
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


class GoldLine(Strict):
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


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Returns the lines of a JSON Lines file that are not blank, each with its number, counted from 1.

    Raises:
        GoldError: The file is missing, or not UTF-8.
    """
    try:
        # Not splitlines(): JSON may hold other line ends than a line feed as they are.
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise GoldError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise GoldError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def parse_line(written: str) -> GoldLine:
    """Reads a line.

    Raises:
        GoldError: It is not JSON, or a field is missing, unknown or wrong; the message names the field, not the line.
    """
    try:
        fields = json.loads(written, object_pairs_hook=_once_each)
    except ValueError as error:
        raise GoldError(f"not JSON ({error})") from None
    except RecursionError:
        raise GoldError("not a gold line (nested too deeply)") from None
    try:
        return GoldLine.model_validate(fields)
    except ValidationError as error:
        raise GoldError(first_fault(error)) from None


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(name for at, (name, _) in enumerate(pairs) if name in dict(pairs[:at]))
        raise GoldError(f"{twice}: stands there twice")
    return fields


def first_fault(error: ValidationError) -> str:
    """Returns which field is wrong first, and how."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg'].lower()}"
