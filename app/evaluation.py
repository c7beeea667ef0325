"""`qa eval`: gold questions asked, compared, checked, and made from feedback."""

from __future__ import annotations

import itertools
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.lines import one_line
from app.options import with_language_model
from index.errors import QAError

if TYPE_CHECKING:
    from qa.settings import LanguageModelSettings

__all__ = ["evaluation"]

UNUSABLE = 2
INTERRUPTED = 130
"""What shells give a command that Ctrl-C ended."""


@contextmanager
def _bad_gold_ends() -> Iterator[None]:
    """Turns an error about gold questions, settings or files into one line and the exit code for it."""
    try:
        yield
    except (QAError, OSError) as error:
        click.echo(f"qa: {one_line(str(error))}", err=True)
        sys.exit(UNUSABLE)
    except KeyboardInterrupt:
        click.echo("qa: interrupted; the same command goes on where it stopped", err=True)
        sys.exit(INTERRUPTED)


@click.group("eval")
def evaluation() -> None:
    """Ask gold questions and see how good the answers are.

    Exit codes: 0 passed, 1 a gate failed, 2 bad gold questions or settings, 3 questions failed to run.
    """


@evaluation.command()
@click.argument("gold", type=click.Path(path_type=Path), required=False)
@click.option("--split", type=click.Choice(["dev", "test", "all"]), default="dev", show_default=True, help="Which questions.")
@click.option("--id", "ids", metavar="ID", multiple=True, help="Only this question; may be repeated.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the report.  [default: eval-GOLD-SPLIT]"
)
@click.option("--since", type=click.Path(path_type=Path), help="An earlier run: the report says what changed.")
@click.option("--gates", type=click.Path(path_type=Path), help="Another file than evals/gates.toml.")
@click.option("--deletion/--no-deletion", default=True, help="Whether to ask again with the evidence deleted.")
@_bad_gold_ends()
@with_language_model
def run(
    gold: Path | None,
    split: str,
    ids: tuple[str, ...],
    out: Path | None,
    since: Path | None,
    gates: Path | None,
    deletion: bool,
    llm: LanguageModelSettings | None,
) -> None:
    """Ask the questions of GOLD (the commentary's, if not given) and write a report.

    An interrupted run goes on where it stopped. The folder gets report.html, report.md, results.json and junit.xml.
    """
    from app.terminal import listening
    from evals.suite.compare import refuse_other_gold
    from evals.suite.evaluate import evaluate
    from evals.suite.gates import check_ids, load_gates, packaged_gates, verdict
    from evals.suite.gold import FOLDER, load_gold
    from evals.suite.lint import refuse_faults
    from evals.suite.reports.files import write_reports
    from evals.suite.results import load_results
    from evals.suite.run import packaged_answerer

    path = gold or FOLDER / "commentary.jsonl"
    folder = out or Path(f"eval-{path.stem}-{'chosen' if ids else split}")
    with listening() as listener:
        earlier = load_results(since) if since else None
        gold_set = load_gold(path)
        its_gates = load_gates(gates) if gates else packaged_gates(gold_set)
        if earlier is not None:
            refuse_other_gold(earlier.gold_sha256, gold_set.sha256)
        refuse_faults(gold_set)
        check_ids(its_gates, gold_set)
        questions = gold_set.part(None if ids or split == "all" else split, ids)
        asked = len(questions) + (sum(question.line.answerable for question in questions) if deletion else 0)
        done = itertools.count(1)
        results, finish = evaluate(
            gold_set,
            questions,
            packaged_answerer(listener, llm),
            folder=folder,
            split="chosen" if ids else split,
            command=_command(gold, split, gates, llm, deletion=deletion),
            deletion=deletion,
            progress=lambda _: listener.progress("asking", next(done), asked),
        )
        said = verdict(results, its_gates)
        write_reports(results, said, folder, earlier)
        finish()
    click.echo(f"{said.text}\n{one_line(str(folder / 'report.html'))}")
    sys.exit(said.exit_code)


@evaluation.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
def compare(before: Path, after: Path) -> None:
    """Compare two runs (folders, or their results.json) question by question."""
    from evals.suite.compare import compare as compared
    from evals.suite.compare import comparison_text
    from evals.suite.results import load_results

    with _bad_gold_ends():
        click.echo(comparison_text(compared(load_results(before), load_results(after))), nl=False)


@evaluation.command()
@click.argument("gold", type=click.Path(path_type=Path), nargs=-1)
def lint(gold: tuple[Path, ...]) -> None:
    """Check gold files (all that come with the package, if none is given); faults end with exit code 2."""
    from evals.suite.gold import FOLDER, load_gold
    from evals.suite.lint import lint as linted
    from evals.suite.lint import published
    from evals.suite.schema import GoldError

    faults = 0
    for path in gold or sorted(FOLDER.glob("*.jsonl")):
        try:
            gold_set = load_gold(path)
        except GoldError as error:
            found = error.faults
            faults += len(found)
        else:
            findings = linted(gold_set, published())
            found = [f"{path.name}: {finding}" for finding in findings]
            faults += sum(finding.fault for finding in findings)
            click.echo(f"{one_line(str(path))}: {len(gold_set.questions)} questions")
        for line in found:
            click.echo(one_line(line))
    click.echo(f"{faults} faults")
    sys.exit(UNUSABLE if faults else 0)


@evaluation.command()
@click.argument("gold", type=click.Path(path_type=Path))
@click.option("--from", "feedback", type=click.Path(path_type=Path), required=True, help="The chat's feedback file.")
def add(gold: Path, feedback: Path) -> None:
    """Add drafts to GOLD, one for each answer that someone marked right or wrong; each has still to be looked at."""
    from evals.suite.drafts import add_drafts, load_feedback

    with _bad_gold_ends():
        lines, faults = load_feedback(feedback)
        made = add_drafts(lines, gold)
    passed_over = [*faults, *made.passed_over]
    for line in passed_over:
        click.echo(f"passed over: {one_line(line)}", err=True)
    click.echo(f"{len(made.added)} drafts added, {made.known} known before, {len(passed_over)} passed over")
    if made.added:
        click.echo("Look at each, take REVIEW out of its notes, then: qa eval lint " + shlex.quote(one_line(str(gold))))


def _command(gold: Path | None, split: str, gates: Path | None, llm: LanguageModelSettings | None, *, deletion: bool) -> str:
    words = ["qa", "eval", "run", *([str(gold)] if gold else []), "--split", split, *([] if deletion else ["--no-deletion"])]
    words += ["--gates", str(gates)] if gates else []
    if llm is not None:
        words += ["--llm", llm.model, "--llm-url", llm.url]
    return one_line(shlex.join(words))
