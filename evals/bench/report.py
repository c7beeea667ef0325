"""How a timed process reports."""

from __future__ import annotations

import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence

__all__ = ["STARTED", "print_result", "repeat", "since_process_start"]

STARTED = "BENCH_STARTED"
"""The environment variable that holds the time of the start, in seconds since the epoch."""


def print_result(*, seconds: float) -> None:
    """Prints the time and the process's peak memory as one line of JSON."""
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb}))


def since_process_start() -> float:
    """Returns the seconds since whoever times us started this process, the interpreter's own start included."""
    return time.time() - float(os.environ[STARTED])


def repeat(ask: Callable[[str], object], questions: Sequence[str], rounds: int = 10) -> float:
    """Returns the median time of a question in seconds, after one round that is not counted."""
    times = []
    for round_number in range(rounds + 1):
        for question in questions:
            started = time.perf_counter()
            ask(question)
            if round_number:
                times.append(time.perf_counter() - started)
    return statistics.median(times)
