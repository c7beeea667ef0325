"""A run as Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from evals.suite.figures import shown
from evals.suite.gates import Verdict
from evals.suite.results import Entry, Results
from evals.suite.summary import HEADLINES

__all__ = ["CAVEAT", "markdown"]

CAVEAT = "These figures speak of these questions on these documents only."
WORST = 20


def markdown(results: Results, verdict: Verdict) -> str:
    """Returns the report: verdict, headlines, ladder, categories, all figures, and the worst failures."""
    lines = [f"# Evaluation: {_plain(results.gold)}, {results.split}", "", f"**{_plain(verdict.text)}** {CAVEAT}", ""]
    lines += [f"| {' | '.join(HEADLINES)} |", "|---" * len(HEADLINES) + "|"]
    lines += [f"| {' | '.join(shown(results.figure(name)) for name in HEADLINES)} |", ""]
    lines += ["| rung | answer score | passed |", "|---|---|---|"]
    score = results.figure("answer score").value
    rungs = [(name, rung.score, rung.passed) for name, rung in results.ladder.items()]
    rungs.append(("**this run**", score or 0.0, sum(entry.score.passed for entry in results.entries)))
    asked = len(results.entries)
    lines += [f"| {name} | {value:.2f} | {passed} of {asked} |" for name, value, passed in sorted(rungs, key=itemgetter(1))]
    if results.skill is not None:
        lines += ["", f"Skill: {results.skill:.2f} of the way from the best rung that does not look at the question to gold."]
    lines += ["", "| category | questions | " + " | ".join(HEADLINES) + " |", "|---|---" + "|---" * len(HEADLINES) + "|"]
    for category, figures in results.categories.items():
        lines.append(f"| {category} | {figures[0].of} | " + " | ".join(map(shown, figures)) + " |")
    lines += ["", "<details><summary>All figures</summary>", "", "| figure | value | what it is |", "|---|---|---|"]
    lines += [f"| {figure.name} | {shown(figure)} | {figure.meaning} |" for figure in results.figures]
    lines += ["", "</details>", "", *_failures(results.entries), "", _footer(results)]
    return "\n".join(lines) + "\n"


def _failures(entries: Iterable[Entry]) -> list[str]:
    failed = sorted((entry for entry in entries if not entry.score.passed), key=lambda entry: entry.score.utility or 0)
    if not failed:
        return ["No question failed."]
    lines = [f"## Failures ({len(failed)})", "", "| question | stage | |", "|---|---|---|"]
    for entry in failed[:WORST]:
        stage, mend = (entry.blame.stage, entry.blame.mend) if entry.blame else ("", "")
        lines.append(f"| `{entry.gold.id}` {_plain(entry.gold.question)} | {stage} | {mend} |")
    if len(failed) > WORST:
        lines += ["", f"… and {len(failed) - WORST} more in report.html."]
    return lines


def _footer(results: Results) -> str:
    made = f"Made {results.made_at} at revision {results.revision or 'unknown'} in {results.seconds:.0f} s"
    return f"{made}, at most {results.peak_mb:.0f} MB, on {results.hardware['cores']} cores; `{results.command}`."


def _plain(text: str) -> str:
    """Returns a text that neither ends a table's cell nor means anything in Markdown or HTML."""
    shortened = " ".join(text.split())
    return "".join(f"\\{character}" if character in "\\`*_[]<>|#&!" else character for character in shortened)
