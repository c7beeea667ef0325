"""How long work tells whoever waits for it what it is doing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Listener"]

_log = logging.getLogger("qa")


def _no_progress(stage: str, done: int, total: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Listener:
    """Where notices and progress go; by default notices go to the log named 'qa' and progress nowhere."""

    notice: Callable[[str], None] = _log.warning
    """Takes one line that a person should see, such as why an index is rebuilt."""
    progress: Callable[[str, int, int], None] = _no_progress
    """Takes a stage's name, how many of its steps are done, and how many there are; 0 where nobody knows."""
