"""A whole evaluation: asks, deletes evidence and asks again, scores, and gathers it into Results."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from evals.statistics import Interval, percentile_interval, resampled_means
from evals.suite.blame import blame
from evals.suite.figures import Asked, Figure, known, share
from evals.suite.gold import GoldQuestion, GoldSet
from evals.suite.journal import Journal
from evals.suite.ladder import climb, skill
from evals.suite.record import Record
from evals.suite.results import AskedDocument, Entry, Marks, Results, Rung
from evals.suite.run import Answerer, Library, Progress, ask_all, delete_and_ask
from evals.suite.scoring import Score, score
from evals.suite.summary import by_category, figures

__all__ = ["evaluate"]

ROOT = Path(__file__).parents[2]


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
) -> tuple[Results, Callable[[], None]]:
    """Returns the results of a run; interrupted, it goes on where it stopped when it is called again.

    The second thing returned deletes the records that the run keeps in the folder; to be called once the results are written.

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
    journals = [Journal(folder, name, fingerprint) for name in ("run", "deletion")]
    records = journals[0].keep(ask_all(questions, library, journals[0].done, progress))
    asked = [_asked(question, record, library) for question, record in zip(questions, records, strict=True)]
    without: dict[str, Record] = {}
    if deletion:
        again = journals[1].keep(delete_and_ask(questions, library, journals[1].done, progress))
        without = {record.id: record for record in again}
    scored = [each for each in asked if each.score.value is not None]
    rungs = climb([each.question for each in scored], library)
    ladder = {
        name: Rung(score=statistics.fmean(each.value or 0.0 for each in scores), passed=sum(each.passed for each in scores))
        for name, scores in rungs.items()
    }
    found = [*figures(asked), _skill_figure(scored, rungs), *_deletion_figures(asked, without)]
    results = Results(
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
        resumed=sum(len(journal.done) for journal in journals),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        documents=_documents(questions),
        entries=tuple(_entry(each, asked, without) for each in asked),
        figures=tuple(found),
        categories={category: tuple(its) for category, its in by_category(asked).items()},
        ladder=ladder,
    )

    def finish() -> None:
        for journal in journals:
            journal.remove()

    return results, finish


def _asked(question: GoldQuestion, record: Record, library: Library) -> Asked:
    if record.status == "failed":
        return Asked(question, record, score(question, record, ()))
    passages = library.open(question.document).corpus.passages
    return Asked(question, record, score(question, record, [(passage.start, passage.end) for passage in passages]))


def _entry(its: Asked, everything: Sequence[Asked], without: Mapping[str, Record]) -> Entry:
    question, again = its.question, without.get(its.question.id)
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
        answered_without_evidence=again.answered if again is not None and again.status != "failed" else None,
    )


def _skill_figure(scored: Sequence[Asked], rungs: Mapping[str, Sequence[Score]]) -> Figure:
    values = {name: [each.value or 0.0 for each in scores] for name, scores in rungs.items()}
    ours = [each.score.value or 0.0 for each in scored]
    clusters = [each.question.line.cluster for each in scored]
    value, interval = math.nan, Interval(math.nan, math.nan)
    if scored:
        value = skill(statistics.fmean(ours), {name: statistics.fmean(its) for name, its in values.items()})
        # The rungs are drawn together with the run, so that an easy sample is easy for all.
        drawn = {name: resampled_means(its, clusters) for name, its in values.items()}
        columns = [dict(zip(drawn, row, strict=True)) for row in zip(*drawn.values(), strict=True)]
        again = zip(resampled_means(ours, clusters), columns, strict=True)
        interval = percentile_interval(np.array([skill(mean, rung) for mean, rung in again]))
    return Figure(
        name="skill",
        value=known(value),
        low=known(interval.low),
        high=known(interval.high),
        of=len(scored),
        meaning="from 0, the best rung that does not look at the question, to 1, citing just the gold sentences",
    )


def _deletion_figures(asked: Sequence[Asked], without: Mapping[str, Record]) -> list[Figure]:
    if not without:
        return []
    failed = sum(record.status == "failed" for record in without.values())
    given = [
        each
        for each in asked
        if each.record.answered and each.question.id in without and without[each.question.id].status != "failed"
    ]
    meaning = "of the answers given to answerable questions, those that end when their evidence is deleted"
    return [
        share("evidence deletion", given, lambda each: not without[each.question.id].answered, meaning),
        Figure(
            name="unscored without evidence",
            value=failed / len(without),
            count=failed,
            of=len(without),
            better="lower",
            meaning="ended in an error when their evidence was deleted",
        ),
    ]


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
