"""A run as Markdown, for a pull request."""

from __future__ import annotations

import re

from evals.suite.figures import shown
from evals.suite.gates import Verdict
from evals.suite.reports.order import rungs, worst_first
from evals.suite.results import Results
from evals.suite.summary import HEADLINES, OF_A_CATEGORY
from qa.compose import shown as shown_text

__all__ = ["CAVEAT", "markdown"]

CAVEAT = "These figures speak of these questions on these documents only."
WORST = 20


def markdown(results: Results, verdict: Verdict) -> str:
    """Returns the report: verdict, headlines, ladder, categories, all figures, and the worst failures."""
    lines = [f"# Evaluation: {_code(results.gold)}, {results.split}", "", f"**{_plain(verdict.text)}** {CAVEAT}", ""]
    lines += [f"| {' | '.join(HEADLINES)} |", "|---" * len(HEADLINES) + "|"]
    lines += [f"| {' | '.join(shown(results.figure(name)) for name in HEADLINES)} |", ""]
    lines += ["| rung | answer score | passed |", "|---|---|---|"]
    lines += [f"| {name} | {score:.2f} | {passed} |" for name, score, passed in rungs(results)]
    lines += ["", f"Skill: {results.figure('skill').meaning}."]
    names = [*OF_A_CATEGORY, "unscored"]
    lines += ["", "| category | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for category, figures in results.categories.items():
        lines.append(f"| {category} | " + " | ".join(map(shown, figures)) + " |")
    lines += ["", "<details><summary>All figures</summary>", "", "| figure | value | what it is |", "|---|---|---|"]
    lines += [f"| {figure.name} | {shown(figure)} | {figure.meaning} |" for figure in results.figures]
    lines += ["", "</details>", "", *_failures(results), "", _footer(results)]
    return "\n".join(lines) + "\n"


def _failures(results: Results) -> list[str]:
    failed = [entry for entry in worst_first(results.entries) if not entry.score.passed]
    if not failed:
        return ["No question failed."]
    lines = [f"## Failures ({len(failed)})", "", "| question | stage | |", "|---|---|---|"]
    for entry in failed[:WORST]:
        stage, mend = (entry.blame.stage, entry.blame.mend) if entry.blame else ("", "")
        lines.append(f"| {_code(entry.gold.id)} {_code(entry.gold.question)} | {stage} | {mend} |")
    if len(failed) > WORST:
        lines += ["", f"… and {len(failed) - WORST} more in report.html."]
    return lines


def _footer(results: Results) -> str:
    made = f"Made {results.made_at} at revision {results.revision or 'unknown'} in {results.seconds:.0f} s"
    if results.resumed:
        made += f" (without {results.resumed} answers that an interrupted run had left)"
    return f"{made}, at most {results.peak_mb:.0f} MB, on {results.hardware['cores']} cores; {_code(results.command)}."


def _code(text: str) -> str:
    """Returns a text as a code span, in which nothing means anything: no mention, no link, no HTML; cells end at no bar."""
    inside = shown_text(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", inside)), default=0))
    padding = " " if "`" in inside else ""
    return f"{fence}{padding}{inside}{padding}{fence}" if inside else "(empty)"


def _plain(text: str) -> str:
    """Returns a text that neither ends a table's cell nor means anything in Markdown or HTML."""
    shortened = shown_text(text)
    return "".join(f"\\{character}" if character in "\\`*_[]<>|#&!" else character for character in shortened)
