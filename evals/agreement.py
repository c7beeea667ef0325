"""How far two people agree on the written questions: `python -m evals.agreement`.

`evals/second_labels.jsonl` has labels by a second reader, who did not see the first ones: an object a line with the passage's
id, the question's number and words, whether it was asked of the twin's text, whether it was read alone, and nuggets and useful
sentences as in evals/written/FORMAT.md. A question that was reworded since is passed over. Where it was not read alone, the
second reader had the question and its twin on one sheet, which hints at the answer of some: an upper bound.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evals.written_questions import FOLDER

__all__ = ["agreement", "main"]

SECOND = Path(__file__).parent / "second_labels.jsonl"


def main() -> None:
    """Prints the agreement on whether a question is answered, and on the sentences that answer it."""
    passages = {
        passage["id"]: passage
        for file in sorted(FOLDER.glob("*.jsonl"))
        for passage in map(json.loads, file.read_text(encoding="utf-8").splitlines())
    }
    labels = [json.loads(line) for line in SECOND.read_text(encoding="utf-8").splitlines()]
    for alone, name in ((False, "question and twin on one sheet"), (True, "each read alone")):
        print(f"{name}:\n{agreement(passages, [label for label in labels if label['alone'] is alone])}")


def agreement(passages: Mapping[str, Mapping[str, Any]], labels: Iterable[Mapping[str, Any]]) -> str:
    """Returns Cohen's kappa of answered or not, and the F1 of the evidence sentences, with counts, as text."""
    table: Counter[tuple[bool, bool]] = Counter()
    shared = first_only = second_only = reworded = alike = 0
    for label in labels:
        question = passages[label["passage"]]["questions"][label["number"]]
        if question["q"] != label["q"] or (label["twin"] and "twin" not in question):
            reworded += 1
            continue
        first = {sentence for nugget in question["nuggets"] for sentence in nugget}
        if label["twin"]:
            first = set() if first else {int(sentence) for sentence in question["twin"]}
        second = {sentence for nugget in label["nuggets"] for sentence in nugget}
        table[bool(first), bool(second)] += 1
        if first and second:
            alike += first == second
            fair = set(question["useful"]) | set(label["useful"])
            shared += len(first & second)
            first_only += len(first - second - fair)
            second_only += len(second - first - fair)
    total = table.total()
    agreed = (table[True, True] + table[False, False]) / total
    answered = [sum(count for said, count in table.items() if said[reader]) / total for reader in (0, 1)]
    chance = answered[0] * answered[1] + (1 - answered[0]) * (1 - answered[1])
    f1 = 2 * shared / (2 * shared + first_only + second_only)
    return (
        f"  {total} questions labelled twice, {reworded} reworded since\n"
        f"  answered or not: {agreed:.3f} agree; Cohen's kappa {(agreed - chance) / (1 - chance):.2f}; {dict(table)}\n"
        f"  evidence, where both say answered: F1 {f1:.3f} (context that either accepts left out); {alike} times the very same"
    )


if __name__ == "__main__":
    main()
