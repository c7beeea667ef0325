"""A run as JUnit XML, which CI systems show case by case: a question that failed apart from one that could not be run."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from evals.suite.gates import Verdict
from evals.suite.results import Results

__all__ = ["junit"]


def junit(results: Results, verdict: Verdict) -> str:
    """Returns the XML: a test case for each question, and one for each gate."""
    failed = sum(not e.score.passed and e.record.status != "failed" for e in results.entries)
    failed += sum(not gate.held for gate in verdict.gates)
    errors = sum(entry.record.status == "failed" for entry in results.entries)
    counts = {"tests": str(len(results.entries) + len(verdict.gates)), "failures": str(failed), "errors": str(errors)}
    root = ET.Element("testsuites", counts | {"time": f"{results.seconds:.3f}"})
    about = {"name": _legal(f"{results.gold} {results.split}"), "timestamp": results.made_at}
    suite = ET.SubElement(root, "testsuite", counts | about)
    for entry in results.entries:
        name, group = f"{entry.gold.id} {entry.gold.question}".strip(), _legal(f"{results.gold}.{entry.gold.category}")
        case = ET.SubElement(suite, "testcase", name=_legal(name), classname=group, time=f"{entry.record.seconds:.3f}")
        if entry.record.status == "failed":
            ET.SubElement(case, "error", message=_legal(entry.record.error))
        elif not entry.score.passed:
            stage = f"{entry.blame.stage}. {entry.blame.mend}".strip() if entry.blame else entry.score.outcome
            ET.SubElement(case, "failure", message=_legal(stage)).text = _legal(entry.record.text)
    for gate in verdict.gates:
        case = ET.SubElement(suite, "testcase", name=_legal(gate.name), classname=_legal(f"{results.gold}.gates"), time="0")
        if not gate.held:
            ET.SubElement(case, "failure", message=_legal(f"{gate.name} is {gate.found}, wanted {gate.wanted}"))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _legal(text: str) -> str:
    """Returns a text without the characters that XML does not allow."""
    return "".join(c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff"))
