"""A run as one file, results.json: what was asked, what came of it, what it is worth. Reports are made from it alone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from evals.questions import Span
from evals.suite.blame import Blame
from evals.suite.figures import Figure
from evals.suite.plain import Plain
from evals.suite.record import Record
from evals.suite.schema import GoldLine
from evals.suite.scoring import Score
from index.errors import QAError

__all__ = ["AskedDocument", "Entry", "Marks", "Results", "Rung", "load_results"]

VERSION = 1


class AskedDocument(Plain):
    """A document that was asked."""

    name: str
    """As the gold file calls it."""
    sha256: str
    title: str
    text: str


class Marks(Plain):
    """Where a question's labels stand in its document."""

    vital: tuple[Span, ...] = ()
    other: tuple[Span, ...] = ()
    """Evidence of nuggets that are not vital."""
    allowed: tuple[Span, ...] = ()
    correction: tuple[Span, ...] = ()


class Entry(Plain):
    """A question, all that is known of it."""

    gold: GoldLine
    marks: Marks
    record: Record
    score: Score
    blame: Blame | None = None
    answered_without_evidence: bool | None = None
    """Whether it was answered still when its evidence had been deleted; None where that was not tried or ended in an error."""


class Rung(Plain):
    """What a rung of the ladder gets."""

    score: float
    passed: int


class Results(Plain):
    """A run."""

    version: Literal[1] = 1
    """Of this schema."""
    made_at: str
    """ISO 8601, with the time zone."""
    command: str
    """What makes it anew."""
    gold: str
    """The gold file's name …"""
    gold_sha256: str
    """… and checksum."""
    split: str
    """`dev`, `test`, `all`, or `chosen` where single questions were named."""
    revision: str
    """The code's git revision, with `+` where files were changed since; empty outside a checkout."""
    settings: dict[str, str]
    """What answered: models with their checksums, thresholds."""
    hardware: dict[str, str]
    seconds: float
    resumed: int
    """How many answers were taken over from a run that was interrupted; `seconds` is without them."""
    peak_mb: float
    documents: tuple[AskedDocument, ...]
    entries: tuple[Entry, ...]
    figures: tuple[Figure, ...]
    categories: dict[str, tuple[Figure, ...]]
    """The main figures of each category."""
    ladder: dict[str, Rung]

    def figure(self, name: str) -> Figure:
        """Returns a figure by name."""
        return next(figure for figure in self.figures if figure.name == name)


def load_results(path: Path) -> Results:
    """Reads a run.

    Raises:
        QAError: The file, or the results.json of the folder, is missing or not of this version.
    """
    file = path / "results.json" if path.is_dir() else path
    try:
        return Results.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise QAError(f"{file}: cannot be read ({error.strerror}); 'qa eval run' makes it") from None
    except (ValidationError, UnicodeDecodeError):
        raise QAError(
            f"{file}: not the results of a run, or of another version than {VERSION}; run 'qa eval run' again"
        ) from None
