"""Draws docs/ask.svg, the picture in the README, from a real answer: `python docs/picture.py`."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from rich.console import Console

import qa
from app import terminal

QUESTION = "Why did Japan withhold the UN resolution?"


def main() -> None:
    """Asks, prints as `qa ask` does on a terminal, and saves what it looks like."""
    console = Console(record=True, force_terminal=True, width=100, highlight=False)
    terminal._console = lambda: console
    console.print(f"[green]$[/] qa ask {QUESTION!r}")
    with tempfile.TemporaryDirectory() as home, qa.open(settings=qa.IndexSettings.resolve(home=home)) as bot:
        terminal.print_answer(bot.ask(QUESTION))
    svg = console.export_svg(title="qa ask")
    # The picture must not fetch a font from anywhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace("Fira Code", "monospace")
    (Path(__file__).parent / "ask.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
