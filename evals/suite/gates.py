"""Gates: what must hold for a run to count as passed, and the verdict, text and exit code in one."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from evals.suite.figures import shown, shown_parts
from evals.suite.gold import FOLDER, GoldSet
from evals.suite.plain import Plain
from evals.suite.results import Results
from evals.suite.schema import first_fault
from index.errors import QAError

__all__ = ["GATES", "Gate", "Gates", "GoldGates", "Limit", "Verdict", "check_ids", "load_gates", "packaged_gates", "verdict"]

GATES = Path(__file__).parents[1] / "gates.toml"
PASSED, GATE_FAILED, QUESTIONS_FAILED = 0, 1, 3
"""Exit codes; 2 is for a gold file or settings that cannot be used, where there is no run to judge."""


class Limit(Plain):
    """Bounds of a figure, themselves allowed."""

    least: float | None = None
    most: float | None = None


class GoldGates(Plain):
    """What one gold file's runs must reach."""

    floors: dict[str, Limit] = {}
    must_pass: list[str] = []
    """Ids of questions none of which may fail."""


class Gates(Plain):
    """evals/gates.toml."""

    invariants: dict[str, Limit]
    """Of every run, whatever the gold file."""
    gold: dict[str, GoldGates] = {}
    """By the gold file's name, without its ending."""


class Gate(Plain):
    """A gate and whether it held."""

    name: str
    wanted: str
    found: str
    held: bool


class Verdict(Plain):
    """What came of a run: the text and the exit code agree because they are made together."""

    status: Literal["passed", "a gate failed", "questions failed to run"]
    text: str
    exit_code: int
    gates: tuple[Gate, ...]


def packaged_gates(gold: GoldSet) -> Gates:
    """Returns the gates that come with the package; its floors are for its own gold files, not for others of their names."""
    gates = load_gates()
    return gates if gold.path.resolve().parent == FOLDER.resolve() else gates.model_copy(update={"gold": {}})


def load_gates(path: Path = GATES) -> Gates:
    """Reads gates.

    Raises:
        QAError: The file is missing or has a fault.
    """
    try:
        return Gates.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise QAError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise QAError(f"{path}: not TOML ({error})") from None
    except ValidationError as error:
        raise QAError(f"{path}: {first_fault(error)}") from None


def check_ids(gates: Gates, gold: GoldSet) -> None:
    """Checks that a gold file has the questions that must pass.

    Raises:
        QAError: It has not; a question that was renamed would never be missed.
    """
    wanted = gates.gold.get(gold.path.stem, GoldGates()).must_pass
    if missing := sorted(set(wanted) - {question.id for question in gold.questions}):
        raise QAError(f"gates: must_pass names {', '.join(missing)}, which {gold.path.name} has not")


def verdict(results: Results, gates: Gates) -> Verdict:
    """Judges a run."""
    checked = tuple(_checked(results, gates))
    failed = [gate for gate in checked if not gate.held]
    counts = {figure.name: figure.count or 0 for figure in results.figures}
    passed = f"questions that pass: {shown(results.figure('passed'))}; {_skill(results)}"
    if unscored := counts["unscored"] + counts.get("unscored without evidence", 0):
        text = f"{unscored} questions, with evidence or without, could not be run. Of the others, {passed}."
        return Verdict(status="questions failed to run", text=text, exit_code=QUESTIONS_FAILED, gates=checked)
    if failed:
        names = "; ".join(f"{gate.name} is {gate.found}, wanted {gate.wanted}" for gate in failed)
        text = f"Failed: {names}."
        return Verdict(status="a gate failed", text=text, exit_code=GATE_FAILED, gates=checked)
    no_floors = "" if set(gates.gold.get(Path(results.gold).stem, GoldGates()).floors) else " (none of them is about quality)"
    text = f"Passed: all {len(checked)} gates hold{no_floors}; {passed}."
    return Verdict(status="passed", text=text, exit_code=PASSED, gates=checked)


def _skill(results: Results) -> str:
    skill = results.figure("skill")
    if skill.value is None:
        return "nothing to compare with"
    said = f"skill {shown(skill)}"
    return said if skill.value > 0 else f"{said}, no better than answering all alike"


def _checked(results: Results, gates: Gates) -> Iterator[Gate]:
    ours = gates.gold.get(Path(results.gold).stem, GoldGates())
    known = {figure.name: figure for figure in results.figures}
    for name, limit in {**gates.invariants, **(ours.floors if results.split != "chosen" else {})}.items():
        sides = (("at least", limit.least), ("at most", limit.most))
        wanted = " and ".join(f"{side} {bound:g}" for side, bound in sides if bound is not None)
        value = known[name].value if name in known else None
        if value is None:
            # An invariant of what there is none of is not broken; a floor under what was not measured is not reached.
            held = name in known and name in gates.invariants
            yield Gate(name=name, wanted=wanted, found="nothing to measure" if name in known else "no such figure", held=held)
        else:
            held = (limit.least is None or value >= limit.least) and (limit.most is None or value <= limit.most)
            number, around = shown_parts(known[name])
            # Four figures: a number rounded as elsewhere could look like the bound that it misses.
            yield Gate(name=name, wanted=wanted, found=f"{value:.4g} ({around or number})", held=held)
    entries = {entry.gold.id: entry for entry in results.entries}
    for each in ours.must_pass:
        if each in entries:
            yield Gate(
                name=f"question {each}", wanted="passed", found=entries[each].score.outcome, held=entries[each].score.passed
            )
