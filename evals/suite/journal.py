"""A run's records as they come, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from evals.suite.record import Record

__all__ = ["Journal"]


class Journal:
    """A JSON Lines file, a record a line."""

    def __init__(self, folder: Path, name: str, fingerprint: str) -> None:
        """Takes up the run's file if there is one; another run in the same folder has another file.

        Args:
            folder: Made when it is missing.
            name: What the records are of.
            fingerprint: Of everything that a record depends on.
        """
        self._path = path = folder / f".{name}-{fingerprint[:12]}.jsonl"
        self.done: dict[str, Record] = {}
        """Records that were kept before; those of questions that failed are asked again."""
        folder.mkdir(parents=True, exist_ok=True)
        # A run that was killed may have left half a line, or half a character.
        written = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for line in written.split("\n"):
            try:
                record = Record.model_validate_json(line)
            except ValidationError:
                continue
            if record.status != "failed":
                self.done[record.id] = record

    def remove(self) -> None:
        """Deletes the file: what it held is kept elsewhere now."""
        self._path.unlink(missing_ok=True)

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
