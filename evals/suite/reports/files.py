"""A run's four files: results.json, report.md, junit.xml and report.html."""

from __future__ import annotations

from pathlib import Path

from evals.suite.gates import Verdict
from evals.suite.reports.junit import junit
from evals.suite.reports.markdown import markdown
from evals.suite.reports.page import page
from evals.suite.results import Results

__all__ = ["write_reports"]


def write_reports(results: Results, verdict: Verdict, folder: Path, since: Results | None = None) -> None:
    """Writes them; each is whole or as it was before.

    Args:
        results: The run.
        verdict: Of it.
        folder: Made if it is missing.
        since: An earlier run, for the page to say what changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = {
        "results.json": results.model_dump_json(indent=1) + "\n",
        "report.md": markdown(results, verdict),
        "junit.xml": junit(results, verdict),
        "report.html": page(results, verdict, since),
    }
    for name, text in written.items():
        partial = folder / f"{name}.part"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
