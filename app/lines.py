"""What goes to standard error: one line each, whatever the name of a file holds."""

from __future__ import annotations

import logging

__all__ = ["OneLine", "one_line"]


def one_line(text: str) -> str:
    """Returns a text without line breaks, escape sequences and other characters that are not there to be read."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


class OneLine(logging.Formatter):
    """Formats a log record's message as one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Returns the message; a traceback, if there is one, comes after it."""
        return one_line(record.getMessage())
