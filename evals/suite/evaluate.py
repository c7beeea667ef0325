"""A whole evaluation: asks, deletes evidence and asks again, scores, and gathers it into Results."""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from evals.questions import Span
from evals.suite.blame import blame
from evals.suite.figures import Asked, Figure, known, share
from evals.suite.gold import GoldQuestion, GoldSet
from evals.suite.journal import Journal
from evals.suite.ladder import climb, skill
from evals.suite.record import Record
from evals.suite.results import AskedDocument, Entry, Marks, Results, Rung
from evals.suite.run import Answerer, Library, Progress, ask_all, delete_and_ask
from evals.suite.scoring import score
from evals.suite.summary import by_category, figures

__all__ = ["evaluate", "finish"]

ROOT = Path(__file__).parents[2]
JOURNALS = ("run.jsonl", "deletion.jsonl")


def evaluate(
    gold: GoldSet,
    questions: Sequence[GoldQuestion],
    answerer: Answerer,
    *,
    folder: Path,
    split: str,
    command: str,
    deletion: bool,
    progress: Progress,
) -> Results:
    """Returns the results of a run; interrupted, it goes on where it stopped when it is called again.

    The records that the run keeps in the folder are deleted by `finish`, once the results are written.

    Args:
        gold: The gold file.
        questions: Those of it that are asked.
        answerer: What is evaluated.
        folder: Where the run keeps its records while it lasts.
        split: What the results call the questions.
        command: What the results say makes them anew.
        deletion: Whether each answerable question is asked a second time without its evidence.
        progress: Told of each question asked.
    """
    started = time.perf_counter()
    library = Library(answerer.open_document)
    fingerprint = _fingerprint(gold, questions, answerer)
    journal, shortened = (Journal(folder / name, fingerprint) for name in JOURNALS)
    records = journal.keep(ask_all(questions, library, journal.done, progress))
    asked = [
        Asked(question, record, score(question, record, _passages(question, library)))
        for question, record in zip(questions, records, strict=True)
    ]
    without: dict[str, Record] = {}
    if deletion:
        again = shortened.keep(delete_and_ask(questions, library, shortened.done, progress))
        without = {record.id: record for record in again if record.status != "failed"}
    ladder = {
        name: Rung(
            score=statistics.fmean(each.value for each in scores if each.value is not None),
            passed=sum(each.passed for each in scores),
        )
        for name, scores in climb(questions, library).items()
    }
    found = figures(asked) + _deletion_figure(asked, without)
    value = found[0].value
    return Results(
        made_at=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=command,
        gold=gold.path.name,
        gold_sha256=gold.sha256,
        split=split,
        revision=_revision(),
        settings=answerer.settings,
        hardware={
            "machine": platform.machine(),
            "system": platform.system(),
            "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
            "Python": platform.python_version(),
        },
        seconds=time.perf_counter() - started,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        documents=_documents(questions),
        entries=tuple(_entry(each, asked, without) for each in asked),
        figures=tuple(found),
        categories={category: tuple(its) for category, its in by_category(asked).items()},
        ladder=ladder,
        skill=None if value is None else known(skill(value, {name: rung.score for name, rung in ladder.items()})),
    )


def finish(folder: Path) -> None:
    """Deletes what a run kept while it lasted; its results are written."""
    for name in JOURNALS:
        (folder / name).unlink(missing_ok=True)


def _passages(question: GoldQuestion, library: Library) -> list[Span]:
    return [(passage.start, passage.end) for passage in library.open(question.document).corpus.passages]


def _entry(its: Asked, everything: Sequence[Asked], without: Mapping[str, Record]) -> Entry:
    question = its.question
    vital = tuple(span for nugget in question.vital for span in nugget.spans)
    return Entry(
        gold=question.line,
        marks=Marks(
            vital=vital,
            other=tuple(span for span in question.evidence if span not in vital),
            allowed=question.allowed,
            correction=question.correction,
        ),
        record=its.record,
        score=its.score,
        blame=blame(its, everything),
        answered_without_evidence=without[question.id].answered if question.id in without else None,
    )


def _deletion_figure(asked: Sequence[Asked], without: Mapping[str, Record]) -> list[Figure]:
    given = [each for each in asked if each.question.id in without and each.record.answered]
    if not without:
        return []
    meaning = "of the answers given to answerable questions, those that end when their evidence is deleted"
    return [share("evidence deletion", given, lambda each: not without[each.question.id].answered, meaning)]


def _documents(questions: Iterable[GoldQuestion]) -> tuple[AskedDocument, ...]:
    found = {
        question.line.document: AskedDocument(
            name=question.line.document,
            sha256=question.line.sha256,
            title=question.document.title,
            text=question.document.text,
        )
        for question in questions
    }
    return tuple(found.values())


def _fingerprint(gold: GoldSet, questions: Iterable[GoldQuestion], answerer: Answerer) -> str:
    """Returns a checksum of all that a record depends on, the code included."""
    digest = hashlib.sha256(gold.sha256.encode())
    digest.update("\n".join(question.id for question in questions).encode())
    digest.update(repr(sorted(answerer.settings.items())).encode())
    for package in ("index", "qa", "evals/suite"):
        for file in sorted((ROOT / package).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _revision() -> str:
    """Returns the short git revision, with a plus sign where files differ from it; empty outside a checkout."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    if not (ROOT / ".git").exists():
        return ""
    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
