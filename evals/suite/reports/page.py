"""A run as one HTML page that opens from disk and asks the network for nothing."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Literal, NamedTuple

import jinja2

from evals.metrics import calibration_bins, risk_coverage
from evals.questions import Span
from evals.suite.blame import STAGES
from evals.suite.figures import shown, shown_parts
from evals.suite.gates import Verdict
from evals.suite.reports import plots
from evals.suite.reports.markdown import CAVEAT
from evals.suite.reports.order import OURS, rungs, worst_first
from evals.suite.results import AskedDocument, Entry, Results
from evals.suite.summary import HEADLINES, OF_A_CATEGORY

__all__ = ["Candidate", "Change", "Piece", "changes", "page", "pieces"]

Change = Literal["regressed", "improved", "same", "new"]
CANDIDATES = 8
"""How many of the best sentences are shown with their scores, whatever they are."""
SIGNS = {"both": "✓", "gold": "◇", "correction": "◇", "cited": "▲", "fair": "○", "": "·"}
BEGINNING = 200
"""Characters of a sentence beside its score."""


class Piece(NamedTuple):
    """A stretch of a document that is marked in one way throughout."""

    text: str
    kind: str
    """`both` gold and cited, `gold` not cited, `cited` not gold, `fair` context cited, `correction` not cited; or empty."""


class Candidate(NamedTuple):
    """A sentence that was read."""

    rank: int
    text: str
    """Its beginning."""
    score: float
    kind: str
    """As of a Piece."""


def page(results: Results, verdict: Verdict, since: Results | None = None) -> str:
    """Returns the page.

    Args:
        results: The run.
        verdict: Of it.
        since: An earlier run; each question then says whether it changed.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(resources.files("evals.suite.reports").joinpath("page.html").read_text("utf-8"))
    scored = [entry for entry in results.entries if entry.score.outcome != "failed"]
    confidences = [entry.score.confidence for entry in scored]
    documents = {document.name: document for document in results.documents}
    changed = changes(results, since)
    return template.render(
        results=results,
        verdict=verdict,
        caveat=CAVEAT,
        headlines=[results.figure(name) for name in HEADLINES],
        category_names=OF_A_CATEGORY,
        shown=shown,
        shown_parts=shown_parts,
        stages=STAGES,
        signs=SIGNS,
        ladder=rungs(results),
        ours=OURS,
        risk=plots.risk_coverage(risk_coverage(confidences, [not entry.score.would_be_right for entry in scored])),
        reliability=plots.reliability(calibration_bins(confidences, [entry.gold.answerable for entry in scored])),
        entries=[_shown_entry(e, documents[e.gold.document], changed[e.gold.id]) for e in worst_first(results.entries)],
        since=since,
        command=results.command,
    )


def changes(results: Results, since: Results | None) -> dict[str, Change]:
    """Returns for each question whether it passes where it failed before, or the other way round."""
    before: Mapping[str, bool] = {entry.gold.id: entry.score.passed for entry in since.entries} if since else {}
    found: dict[str, Change] = {}
    for entry in results.entries:
        was, now = before.get(entry.gold.id), entry.score.passed
        found[entry.gold.id] = "new" if was is None else "same" if was == now else "improved" if now else "regressed"
    return found


def pieces(text: str, entry: Entry) -> list[Piece]:
    """Returns a document cut where its marks begin and end."""
    gold: Sequence[Span] = (*entry.marks.vital, *entry.marks.other)
    cited = entry.record.spans
    places = {0, len(text)} | {at for span in (*gold, *cited, *entry.marks.allowed, *entry.marks.correction) for at in span}
    edges = sorted(at for at in places if 0 <= at <= len(text))
    return [Piece(text[start:end], _kind((start, end), entry)) for start, end in itertools.pairwise(edges)]


def _kind(place: Span, entry: Entry) -> str:
    """Returns how a stretch that no mark begins or ends in is marked."""

    def inside(spans: Sequence[Span]) -> bool:
        return any(start <= place[0] and place[1] <= end for start, end in spans)

    marks = entry.marks
    is_cited = inside(entry.record.spans)
    if inside((*marks.vital, *marks.other)):
        return "both" if is_cited else "gold"
    if inside(marks.correction):
        return "both" if is_cited else "correction"
    if is_cited:
        return "fair" if inside(marks.allowed) else "cited"
    return ""


def _shown_entry(entry: Entry, document: AskedDocument, change: Change) -> dict[str, Any]:
    candidates = _candidates(entry, document.text)
    least = entry.record.thresholds.get("evidence")
    return {
        "entry": entry,
        "change": change,
        "title": document.title,
        "pieces": pieces(document.text, entry),
        "candidates": candidates,
        "least": least * candidates[0].score if candidates and least is not None else None,
    }


def _candidates(entry: Entry, text: str) -> list[Candidate]:
    """Returns the best sentences, and those below them that are marked."""
    found = []
    for rank, each in enumerate(entry.record.candidates, start=1):
        kind = _kind(each.span, entry)
        if rank <= CANDIDATES or kind:
            quote = " ".join(text[each.start : each.end].split())
            found.append(Candidate(rank, quote if len(quote) <= BEGINNING else quote[: BEGINNING - 1] + "…", each.score, kind))
    return found
