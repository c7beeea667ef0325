"""`python -m evals.bench` times this project against the plain stack, in turns, and prints ratios.

Machines differ and are noisy, so a ratio is that of two runs made one after the other, and the median of such pairs counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from evals.bench.report import STARTED

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class Task:
    """Something both stacks do."""

    name: str
    says: str
    pairs: int
    most: float | None
    """The target: the most the ratio may be; None where there is none."""
    most_ms: float | None = None
    """The target in milliseconds, where it is one of time."""


TASKS = (
    Task("first answer", "process start to first answer, commentary, index on disk", 5, 0.45),
    Task("warm question", "a further question, commentary, median", 3, None, most_ms=40.0),
    Task("reading", "of which reading question and text together, median; theirs is the whole", 3, None, most_ms=250.0),
    Task("chat listens", "process start to a page that is served, index on disk", 3, None),
    Task("chat ready", "process start to a page that can be asked", 3, None, most_ms=8000.0),
    Task("embed chunks", "embedding 1 MB, the same 256-token chunks", 1, 1.0),
    Task("embed sentences", "embedding 1 MB, ours by sentence, theirs by 256-token chunk", 1, 1.0),
    Task("index", "indexing 1 MB into Chroma; theirs drops what is past 256 of 1,024 tokens", 1, None),
)


def main() -> int:
    """Runs the tasks and returns the number of targets missed."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench", description=__doc__)
    parser.add_argument("--only", metavar="TASK", choices=[task.name for task in TASKS], help="run one task")
    parser.add_argument("--pairs", type=int, help="how many pairs of runs, instead of each task's own number")
    chosen = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as plain:
        _run("ours", "prepare", ours)
        _run("plain", "prepare", plain)
        for task in TASKS:
            if chosen.only in (None, task.name):
                missed += _compare(task, chosen.pairs or task.pairs, ours, plain)
    return missed


def _compare(task: Task, pairs: int, ours: str, plain: str) -> bool:
    runs = [(_run("ours", task.name, ours), _run("plain", task.name, plain)) for _ in range(pairs)]
    ratio = statistics.median(mine["seconds"] / theirs["seconds"] for mine, theirs in runs)
    mine, theirs = (statistics.median(pair[side]["seconds"] for pair in runs) for side in (0, 1))
    memory = [statistics.median(pair[side]["peak_mb"] for pair in runs) for side in (0, 1)]
    print(f"{task.says}:")
    print(f"  ratio {ratio:.2f} of the plain stack  (ours {_time(mine)}, plain {_time(theirs)}; medians of {pairs} pairs)")
    print(f"  peak memory: ours {memory[0]:.0f} MB, plain {memory[1]:.0f} MB")
    missed = False
    if task.most is not None:
        missed = ratio > task.most
        print(f"  target: ratio at most {task.most:.2f} - {'MISSED' if missed else 'met'}")
    if task.most_ms is not None:
        missed = mine * 1000 > task.most_ms
        print(f"  target: at most {task.most_ms:.0f} ms - {'MISSED' if missed else 'met'}")
    return missed


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _run(stack: str, task: str, folder: str) -> dict[str, float]:
    command = [sys.executable, "-m", f"evals.bench.{stack}", task, folder]
    environment = os.environ | {STARTED: str(time.time())}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
    return result


if __name__ == "__main__":
    sys.exit(main())
