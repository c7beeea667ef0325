"""The training run: batches, the loss, a moving average of the weights, checkpoints."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from evals.training.examples import Example, Sample, Sampler
from evals.training.network import HEAD_START, Batch, EvidenceNetwork, Scores
from index.errors import QAError
from qa.windows import pack_windows

__all__ = ["Plan", "loss_of", "train"]

MASK = 103
"""[MASK]: tokens are hidden now and then, so that no passage is learnt by heart."""
DRAWN_TOGETHER = 256
"""Examples whose windows are sorted by length into batches."""
HEADS, GATES = 5.0, 80.0
"""How much faster the new layers and the gates learn than MiniLM's own weights."""
GATE_NAMES = ("own", "beside", "to_question", "from_question", "scale", "offset")
SAVED_EVERY = 200
CLIPPED = 1.0
"""The largest norm of a gradient."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does; a checkpoint goes on only under the same plan."""

    steps: int
    seed: int = 1
    head_start: float = HEAD_START
    """Of a token's own segment over others at the beginning."""
    learning_rate: float = 6e-5
    """Of MiniLM's own weights at the end of the warm-up; falls to 0 in a straight line."""
    warm_up: int = 100
    weight_decay: float = 0.01
    batch_tokens: int = 4000
    """Padding included."""
    short_windows: int = 128
    """The most tokens of a window's sentences in the first half of the run."""
    long_windows: int = 254
    """Likewise in the second half."""
    masked: float = 0.1
    """The share of the tokens hidden, on average; it differs from window to window."""
    averaging: float = 0.998
    """How much of the average of the weights is kept at each step."""


def train(
    examples: Sequence[Example],
    weights: Mapping[str, float],
    plan: Plan,
    checkpoint: Path | None,
    progress: Callable[[int, float], None],
) -> EvidenceNetwork:
    """Returns the trained network, its weights averaged over the last steps.

    Args:
        examples: All that may be drawn.
        weights: How often each source's examples come up in a round, by source.
        plan: The run's numbers.
        checkpoint: Where the run is saved every 200 steps, and taken up from; None saves nothing.
        progress: Told after each step how many are done and what the loss was.

    Raises:
        QAError: The checkpoint belongs to another plan.
    """
    torch.manual_seed(plan.seed)
    network = EvidenceNetwork(plan.head_start)
    optimizer = torch.optim.AdamW(_groups(network, plan), lr=plan.learning_rate)
    factors = [group["factor"] for group in optimizer.param_groups]
    average = {name: value.detach().clone() for name, value in network.named_parameters() if value.requires_grad}
    done = 0
    if checkpoint is not None and checkpoint.exists():
        saved: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        if saved["plan"] != asdict(plan):
            raise QAError(f"{checkpoint}: belongs to a run with another plan, {saved['plan']}; name another file or delete it")
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        average, done = saved["average"], saved["done"]
    half = plan.steps // 2
    for step in range(done, plan.steps):
        if step in (done, half):
            # Windows depend on the step alone, so that a run that was taken up goes another way through the same data.
            rng = random.Random(f"{plan.seed}-{step}")
            tokens = plan.short_windows if step < half else plan.long_windows
            batches = _batches(examples, weights, Sampler(examples, tokens, rng), plan, rng)
        rate = plan.learning_rate * min(1.0, (step + 1) / plan.warm_up) * (1 - step / plan.steps)
        for group, factor in zip(optimizer.param_groups, factors, strict=True):
            group["lr"] = rate * factor
        samples, pairs = next(batches)
        batch = _hide(Batch(*map(torch.from_numpy, pack_windows([sample.window for sample in samples]))), plan.masked)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = network(*batch)
        loss = loss_of(Scores(*(logits.float() for logits in scores)), samples, pairs)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIPPED)
        optimizer.step()
        with torch.no_grad():
            kept = min(plan.averaging, (step + 1) / (step + 10))
            for name, value in network.named_parameters():
                if value.requires_grad:
                    average[name].lerp_(value, 1 - kept)
        progress(step + 1, float(loss.detach()))
        if checkpoint is not None and ((step + 1) % SAVED_EVERY == 0 or step + 1 == plan.steps):
            state = {"plan": asdict(plan), "network": network.state_dict(), "optimizer": optimizer.state_dict()}
            partial = checkpoint.with_suffix(".part")
            torch.save(state | {"average": average, "done": step + 1}, partial)
            partial.replace(checkpoint)
    network.load_state_dict(average, strict=False)
    return network.eval()


def loss_of(scores: Scores, samples: Sequence[Sample], pairs: Sequence[tuple[int, int]]) -> Tensor:
    """Returns the sum of five losses.

    - Which sentence, in windows that answer: for each nugget, the cross-entropy of its sentences against those that are no
      evidence; and for each sentence by itself, the binary cross-entropy of being evidence, counted thrice.
    - Whether the window answers: binary cross-entropy.
    - For a question and its twin: that the window that answers scores higher (logistic loss of the difference), counted half.
    - Where the short answer begins and ends, where a set says so: cross-entropy over the tokens, counted half.
    """
    answered = torch.tensor([float(sample.answered) for sample in samples])
    loss = functional.binary_cross_entropy_with_logits(scores.answered, answered)
    ranking, single = [], []
    for row, sample in enumerate(samples):
        logits = scores.evidence[row, : len(sample.window.sentences)]
        evidence = {place for nugget in sample.nuggets for place in nugget}
        if not evidence:
            continue
        others = [place for place in range(len(logits)) if place not in evidence | sample.ignored]
        for nugget in sample.nuggets:
            ranking.append(logits[others + nugget].logsumexp(0) - logits[nugget].logsumexp(0))
        chosen = sorted(evidence) + others
        wanted = torch.tensor([1.0] * len(evidence) + [0.0] * len(others))
        single.append(functional.binary_cross_entropy_with_logits(logits[chosen], wanted))
    if ranking:
        loss = loss + torch.stack(ranking).mean() + 3 * torch.stack(single).mean()
    if pairs:
        better, worse = (torch.tensor(side) for side in zip(*pairs, strict=True))
        loss = loss + 0.5 * functional.softplus(scores.answered[worse] - scores.answered[better]).mean()
    spans = [(row, *sample.short_answer) for row, sample in enumerate(samples) if sample.short_answer is not None]
    if spans:
        rows, starts, ends = (torch.tensor(column) for column in zip(*spans, strict=True))
        placed = functional.cross_entropy(scores.starts[rows], starts) + functional.cross_entropy(scores.ends[rows], ends)
        loss = loss + 0.5 * placed
    return loss


def _groups(network: EvidenceNetwork, plan: Plan) -> list[dict[str, Any]]:
    gates, heads, matrices, vectors = [], [], [], []
    for name, value in network.named_parameters():
        if not value.requires_grad:
            continue
        if name.rsplit(".", 1)[-1].endswith(GATE_NAMES):
            gates.append(value)
        elif name.startswith(("evidence.", "answered.", "answer_ends.")):
            heads.append(value)
        elif value.dim() > 1:
            matrices.append(value)
        else:
            vectors.append(value)
    return [
        {"params": gates, "factor": GATES, "weight_decay": 0.0},
        {"params": heads, "factor": HEADS, "weight_decay": plan.weight_decay},
        {"params": matrices, "factor": 1.0, "weight_decay": plan.weight_decay},
        {"params": vectors, "factor": 1.0, "weight_decay": 0.0},
    ]


def _batches(
    examples: Sequence[Example], weights: Mapping[str, float], sampler: Sampler, plan: Plan, rng: random.Random
) -> Iterator[tuple[list[Sample], list[tuple[int, int]]]]:
    """Yields batches without end, each with its pairs: the places of a window that answers and of its twin that does not."""
    by_source: dict[str, list[Example]] = {}
    for example in examples:
        by_source.setdefault(example.source, []).append(example)
    while True:
        pool: list[Example] = []
        for source, all_of_it in by_source.items():
            rounds, rest = divmod(weights[source], 1.0)
            pool += all_of_it * int(rounds) + rng.sample(all_of_it, int(len(all_of_it) * rest))
        rng.shuffle(pool)
        for first in range(0, len(pool), DRAWN_TOGETHER):
            drawn = [sampler.draw(example) for example in pool[first : first + DRAWN_TOGETHER]]
            drawn.sort(key=lambda group: max(sample.window.tokens for sample in group))
            batches: list[list[list[Sample]]] = [[]]
            for group in drawn:
                longest = max(sample.window.tokens for sample in group)
                size = sum(map(len, batches[-1])) + len(group)
                if batches[-1] and longest * size > plan.batch_tokens:
                    batches.append([])
                batches[-1].append(group)
            rng.shuffle(batches)
            for batch in batches:
                samples = [sample for group in batch for sample in group]
                place = {id(sample): at for at, sample in enumerate(samples)}
                pairs = [
                    (place[id(better)], place[id(worse)])
                    for group in batch
                    for better, worse in [sorted(group, key=lambda sample: not sample.answered)] * (len(group) == 2)
                    if better.answered and not worse.answered
                ]
                yield samples, pairs


def _hide(batch: Batch, share: float) -> Batch:
    """Replaces some tokens by [MASK], never [CLS] or [SEP]: fewer in some windows, up to twice the share in others."""
    chance = torch.rand(len(batch.token_ids), 1) * 2 * share
    # Half as many in the question, where a single word may be all it asks.
    chance = torch.where(batch.segments == 0, chance / 2, chance)
    last = torch.cat(
        [batch.segments[:, 1:] != batch.segments[:, :-1], torch.ones_like(batch.segments[:, :1], dtype=torch.bool)], 1
    )
    plain = (batch.segments >= 0) & (batch.positions > 0) & ~last
    hidden = plain & (torch.rand(batch.token_ids.shape) < chance)
    return batch._replace(token_ids=torch.where(hidden, MASK, batch.token_ids))
