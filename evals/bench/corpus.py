"""The texts that are timed."""

from __future__ import annotations

import json

from evals.written_questions import FOLDER
from index.load import load_builtin

__all__ = ["QUESTIONS", "commentary", "megabyte"]

QUESTIONS = (
    "Which countries took part in the second summit?",
    "How did the prime minister's tone change over time?",
    "What happened to the people who were abducted?",
    "Who met in Mongolia?",
    "Why would losing an ally matter?",
    "What is said about the price of rice?",
)
"""Timed, not scored."""


def commentary() -> str:
    """Returns the built-in document's text."""
    return load_builtin().text


def megabyte() -> str:
    """Returns about a million characters of prose with no two sentences alike, so that none can be embedded once for both."""
    passages: list[list[str]] = []
    for part in sorted(FOLDER.glob("*.jsonl")):
        for line in part.read_text(encoding="utf-8").splitlines():
            passages += [part for part in json.loads(line)["paragraphs"] if isinstance(part, list)]
    paragraphs: list[str] = []
    characters = edition = 0
    while characters < 1_000_000:
        edition += 1
        for sentences in passages:
            # 'In edition 2, …': the sentence stays a sentence, and is no copy of the first.
            lead = f"In edition {edition}, " if edition > 1 else ""
            paragraphs.append(" ".join(lead + sentence for sentence in sentences))
            characters += len(paragraphs[-1]) + 2
            if characters >= 1_000_000:
                break
    return "\n\n".join(paragraphs)
