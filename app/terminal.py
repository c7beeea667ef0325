"""What the command line prints: answers, quotes, progress. Plain text where the output is not a terminal."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from app.lines import one_line
from index.progress import Listener
from index.receipt import Receipt
from index.types import Document
from qa.compose import place, shown
from qa.types import Answer, Citation

if TYPE_CHECKING:
    from app.saved import Checked

__all__ = [
    "as_fields",
    "listening",
    "print_answer",
    "print_checked",
    "print_documents_asked",
    "print_json",
    "print_library",
    "print_receipt",
    "prompt",
]

PATIENCE = 1.0
"""Seconds of work before a progress bar appears."""
WIDTH = 100
_STATES = {
    "moved": "its document has changed; the quote is still in it, at another place",
    "gone": "stale: the document does not say this any more",
    "no document": "its document is not here; name its file with --doc",
}


def as_fields(answer: Answer) -> dict[str, Any]:
    """Returns everything that an answer holds, its trace included, as JSON knows it."""
    return dataclasses.asdict(answer) | {"answered": answer.answered}


def print_answer(answer: Answer) -> None:
    """Prints the answer, then what it cites or what came closest."""
    console = _console()
    if answer.trace.follow_up:
        _print(console, Text(f"Understood as: {shown(answer.trace.understood)}", style="dim"))
    for note in answer.trace.notes:
        _print(console, Text(note, style="yellow"))
    _print(console, Text(answer.text, style="bold"))
    if answer.status == "empty_question":
        return
    _print(console, Text(f"Confidence that the document answers this: {answer.confidence:.2f} of 1", style="dim"))
    if answer.citations:
        console.print()
        _print_quotes(console, answer.citations, numbered=True)
    elif answer.nearest:
        console.print()
        _print(console, Text("Closest sentences, which are not an answer:", style="dim"))
        _print_quotes(console, answer.nearest, numbered=False)


def print_json(answer: Answer) -> None:
    """Prints everything the answer holds, its trace included."""
    fields = as_fields(answer)
    # Escaped to ASCII, any question can be printed on any terminal, and every JSON parser reads the same.
    click.echo(json.dumps(fields, indent=2))


def print_documents_asked(documents: Sequence[Document]) -> None:
    """Says what a conversation is about."""
    console = _console()
    for document in documents:
        _print(console, Text(shown(document.title), style="bold"))
    _print(console, Text("Ask away; an empty line ends it.", style="dim"))


def print_library(documents: Sequence[Document], passages: Mapping[str, int]) -> None:
    """Prints a row for each document; tab-separated where the output is not a terminal."""
    console = _console()
    rows = [
        (document.id, shown(document.title), f"{len(document.text):,}", str(passages[document.id]), shown(document.source))
        for document in documents
    ]
    if not console.is_terminal:
        for row in rows:
            click.echo("\t".join(row))  # rich would turn tabs into spaces
        return
    table = Table("id", "title", "characters", "passages", "source", box=None, header_style="dim")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def print_receipt(receipt: Receipt) -> None:
    """Prints what a change to the library did."""
    console = _console()
    for title in receipt.added:
        _print(console, Text(f"added    {shown(title)}"))
    for title in receipt.removed:
        _print(console, Text(f"removed  {shown(title)}"))
    for title in receipt.reused:
        _print(console, Text(f"kept     {shown(title)}", style="dim"))
    counts = (
        f"passages: {receipt.passages_added} added, {receipt.passages_reused} kept, {receipt.passages_removed} removed; "
        f"sentences: {receipt.sentences_embedded} embedded, {receipt.sentences_reused} kept"
    )
    reason = f"why: {receipt.reason}" if receipt.reason else "nothing to do: the library holds this already"
    _print(console, Text(counts))
    _print(console, Text(reason))


def print_checked(checked: Sequence[Checked]) -> None:
    """Prints each quote that does not hold, then how many do."""
    console = _console()
    for each in checked:
        if each.state != "holds":
            quote = one_line(each.citation.quote)
            _print(
                console, Text(f"question {each.turn}, “{quote[:80]}{'…' if len(quote) > 80 else ''}”: {_STATES[each.state]}")
            )
    holding = sum(each.state == "holds" for each in checked)
    _print(console, Text(f"{holding} of {len(checked)} quotes stand where they stood"))


def prompt() -> str:
    """Returns the next question; empty when there is none."""
    try:
        return input("\n> " if sys.stdin.isatty() else "").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


@contextmanager
def listening() -> Iterator[Listener]:
    """Gives a listener that prints notices on standard error, and a progress bar there once work takes over a second."""
    console = Console(stderr=True, highlight=False)
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True)
    tasks: dict[str, tuple[TaskID, float]] = {}

    def progress(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = (bar.add_task(stage, total=total or None, visible=False), time.monotonic())
        task, started = tasks[stage]
        late = total == 0 or time.monotonic() - started > PATIENCE
        finished = 0 < total <= done
        bar.update(task, completed=done, visible=late and not finished)
        if finished:
            bar.remove_task(tasks.pop(stage)[0])
        if late and console.is_terminal:
            bar.start() if tasks else bar.stop()

    def notice(line: str) -> None:
        console.print(Text(one_line(line), style="yellow"), soft_wrap=True)

    try:
        yield Listener(notice=notice, progress=progress)
    finally:
        if bar.live.is_started:  # one that never was would still print an empty line
            bar.stop()


def _print_quotes(console: Console, citations: Sequence[Citation], *, numbered: bool) -> None:
    for citation in citations:
        marker = f"[{citation.number}] " if numbered else "·   "
        quote = f"“{shown(citation.quote)}”"
        if console.is_terminal:
            row = Table.grid()
            row.add_row(Text(marker, style="cyan"), Text(quote))
            row.add_row("", Text(place(citation), style="dim"))
            console.print(row)
        else:
            _print(console, Text(marker + quote))
            _print(console, Text(" " * len(marker) + place(citation)))


def _print(console: Console, text: Text) -> None:
    if console.is_terminal:
        console.print(text)
    else:
        console.print(text.plain, markup=False, highlight=False, soft_wrap=True)


def _console() -> Console:
    # Without emoji=False, rich puts a picture in place of a document's ':warning:'.
    console = Console(highlight=False, emoji=False)
    console.width = min(console.width, WIDTH)
    return console
