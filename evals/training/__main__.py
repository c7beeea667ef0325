"""Makes the evidence reader anew: `python -m evals.training --data FOLDER` trains, exports, calibrates, writes its two files.

FOLDER holds the public sets that evals/public_questions.py names. With `--checkpoint FILE` a run is saved every 200 steps, and
goes on from there when it is started again; with a finished one it only exports and calibrates. On two CPU cores a hundred
steps take about a minute with the short windows of the first half, and about two with the long ones of the second.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evals.documents import in_documents
from evals.public_questions import CHECKSUMS, SETS, load_public
from evals.training.calibration import fit
from evals.training.examples import Example, examples_of
from evals.training.export import export
from evals.training.loop import Plan, train
from evals.training.network import HEAD_START, EvidenceNetwork
from evals.written_questions import FOLDER, load_written
from index.embed import load_embedder
from index.minilm import WEIGHTS_SHA256, load_tokenizer
from index.progress import Listener
from index.settings import IndexSettings
from qa.model import CARD, MODEL, EvidenceModel, Numbers

__all__ = ["WEIGHTS", "load_examples", "main"]

QA = Path(__file__).parents[2] / "qa"
WEIGHTS = {"written": 1.0, "squad": 0.5, "qed": 1.0, "fairytales": 0.4, "covid": 0.3}
"""How often each set's questions come up in a round: our own are the ones that sound like readers."""
SHORT_ANSWERS = ("squad", "qed")
SHORT_ANSWERS_ASKED = 300
"""Of each of these sets' dev part, to choose from when a short answer is marked."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs."""
    parser = argparse.ArgumentParser(prog="python -m evals.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--checkpoint", type=Path, help="file that takes the run's state, and gives it back")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--head-start", type=float, default=HEAD_START, help="0 trains a cross-encoder, 30 a bi-encoder (default %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=QA, help="folder for evidence.onnx and evidence.json (default: qa/)")
    options = parser.parse_args(arguments)
    plan = Plan(steps=options.steps, seed=options.seed, head_start=options.head_start)
    network = _train(load_examples(options.data), plan, options.checkpoint)
    data = export(network)
    print(f"exported: {len(data) / 1e6:.1f} MB; calibrating", flush=True)
    embedder = load_embedder(replace(IndexSettings.resolve(), embed_model=None), Listener(notice=print))
    short = []
    for name in SHORT_ANSWERS:
        questions = [question for question in load_public(name, "dev", options.data) if question.short_answer is not None]
        short += random.Random(0).sample(questions, min(SHORT_ANSWERS_ASKED, len(questions)))
    raw = EvidenceModel(data, Numbers("", 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0))
    numbers, chosen_by = fit(raw, in_documents(load_written("dev")), short, embedder)
    written = b"".join(path.read_bytes() for path in sorted(FOLDER.glob("*.jsonl")))
    card = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "numbers": asdict(numbers),
        "chosen_by": chosen_by,
        "made_by": f"python -m evals.training --steps {plan.steps} --seed {plan.seed} --head-start {plan.head_start:g}",
        "plan": asdict(plan),
        "made_of": {
            "all-MiniLM-L6-v2": WEIGHTS_SHA256,
            "evals/written, split train; numbers: split dev": hashlib.sha256(written).hexdigest(),
            **CHECKSUMS,
        },
    }
    (options.out / MODEL).write_bytes(data)
    (options.out / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(card, indent=2))


def load_examples(data: Path) -> list[Example]:
    """Returns all training examples."""
    tokenizer = load_tokenizer()
    examples = examples_of(load_written("train", twins=True), "written", tokenizer)
    for name in SETS:
        examples += examples_of(load_public(name, "train", data), name, tokenizer)
    return examples


def _train(examples: Sequence[Example], plan: Plan, checkpoint: Path | None) -> EvidenceNetwork:
    print(f"{len(examples):,} questions on {len({id(example.text) for example in examples}):,} texts", flush=True)
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]:.3f}"))
    with Progress(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task("training", total=plan.steps, loss=float("nan"))
        smooth = float("nan")
        last = time.monotonic()

        def progress(step: int, loss: float) -> None:
            nonlocal smooth, last
            smooth = loss if smooth != smooth else 0.98 * smooth + 0.02 * loss
            bar.update(task, completed=step, loss=smooth)
            if not bar.console.is_terminal and time.monotonic() - last > 60:
                last = time.monotonic()
                print(f"step {step} of {plan.steps}, loss {smooth:.3f}", flush=True)

        return train(examples, WEIGHTS, plan, checkpoint, progress)


if __name__ == "__main__":
    main()
