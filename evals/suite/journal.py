"""A run's records as they come, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from evals.suite.record import Record

__all__ = ["Journal"]


class Journal:
    """A JSON Lines file: what the run is, then a record a line."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        """Takes up the file if it belongs to the same run.

        Args:
            path: Made when it is missing, begun anew when it belongs to another run.
            fingerprint: Of everything that a record depends on.
        """
        self._path = path
        self.done: dict[str, Record] = {}
        """Records that were kept before; those of questions that failed are asked again."""
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if not lines or lines[0] != json.dumps({"run": fingerprint}):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"run": fingerprint}) + "\n", encoding="utf-8")
            return
        for line in lines[1:]:
            try:
                record = Record.model_validate_json(line)
            except ValidationError:
                continue  # The run ended in the middle of this line.
            if record.status != "failed":
                self.done[record.id] = record

    def keep(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yields records, each of them written before the next is made."""
        with self._path.open("a", encoding="utf-8") as file:
            # After a line that was cut off a new one begins.
            file.write("\n")
            for record in records:
                if record.id not in self.done:
                    file.write(record.model_dump_json() + "\n")
                    file.flush()
                yield record
