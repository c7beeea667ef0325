"""All questions together: figures with counts and intervals."""

from __future__ import annotations

import collections
import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Literal

from evals import metrics
from evals.statistics import bootstrap
from evals.suite.figures import Asked, Figure, known, mean, share
from evals.suite.scoring import COMPLETE, RIGHT

__all__ = ["HEADLINES", "OF_A_CATEGORY", "by_category", "figures"]

HEADLINES = ("skill", "answer score", "complete answers", "citation precision", "unanswerable handled", "over-refusal")
"""The six figures that a report begins with."""
OF_A_CATEGORY = ("answer score", "passed", "complete answers", "citation precision", "unanswerable handled", "over-refusal")
"""Those that each category has."""


PRECISION = "cited characters that are evidence, of those that are not fair context; over answers that cite more than that"


def figures(asked: Sequence[Asked]) -> list[Figure]:
    """Returns all figures over the questions but those that need another run: skill, and evidence deletion."""
    scored = _scored(asked)
    found = [*_main(scored), *_of_citations(scored), *_of_abstention(scored), *_of_confidence(scored)]
    return [*found, *_of_retrieval(scored), *_of_text(scored), *_of_stability(scored), *_of_time(scored), _unscored(asked)]


def by_category(asked: Sequence[Asked]) -> dict[str, list[Figure]]:
    """Returns the main figures of each category, and what is unscored in it; in the order in which they come up."""
    groups: dict[str, list[Asked]] = collections.defaultdict(list)
    for each in asked:
        groups[each.question.line.category].append(each)
    return {category: [*_main(_scored(group)), _unscored(group)] for category, group in groups.items()}


def _scored(asked: Sequence[Asked]) -> list[Asked]:
    return [each for each in asked if each.score.outcome != "failed"]


def _main(asked: Sequence[Asked]) -> list[Figure]:
    due = [each for each in asked if each.answerable]
    answered = [each for each in asked if each.score.precision is not None]
    others = [each for each in asked if not each.answerable]
    return [
        mean("answer score", asked, lambda each: each.score.value, "vital nuggets and citation precision together"),
        share(
            "passed",
            asked,
            lambda each: each.score.passed,
            "complete and at least half of it evidence, or rightly declined",
        ),
        share("complete answers", due, lambda each: each.score.outcome in COMPLETE, "answerable, every vital nugget shown"),
        mean("citation precision", answered, lambda each: each.score.precision, PRECISION),
        share("unanswerable handled", others, lambda each: each.score.outcome in RIGHT, "declined, or the premise corrected"),
        share("over-refusal", due, lambda each: not each.record.answered, "answerable, but declined", better="lower"),
    ]


def _of_citations(asked: Sequence[Asked]) -> list[Figure]:
    due = [each for each in asked if each.answerable]
    given = [each for each in due if each.record.answered]
    valid, quotes = sum(each.score.valid_quotes for each in asked), sum(each.score.quotes for each in asked)
    return [
        Figure(
            name="quote validity",
            value=valid / quotes if quotes else None,
            count=valid,
            of=quotes,
            meaning="citations that are the document's text at the place they name; anything but all is a fault",
        ),
        mean("vital nugget recall", due, lambda each: each.score.vital_recall, "of answerable questions; 0 where declined"),
        mean("… of answers given", given, lambda each: each.score.vital_recall, "of answerable questions that were answered"),
        mean("citation recall", due, lambda each: each.score.recall, "characters of the vital evidence that are cited"),
        mean(
            "utility", asked, lambda each: each.score.utility, "1 passed, 0 incomplete, cluttered or wrongly declined, -1 wrong"
        ),
    ]


def _of_abstention(asked: Sequence[Asked]) -> list[Figure]:
    # A premise that is set right counts as declined: no answer to the question was given.
    def is_declined(each: Asked) -> bool:
        return not each.record.answered or each.score.outcome == "premise corrected"

    declined = [each for each in asked if is_declined(each)]
    others = [each for each in asked if not each.answerable]
    right = sum(not each.answerable for each in declined)
    premises = [each for each in asked if each.question.line.category == "false-premise"]
    harmonic = metrics.f1(right, len(declined), len(others))
    return [
        share("abstention precision", declined, lambda each: not each.answerable, "of the declined, what has no answer"),
        share("abstention recall", others, is_declined, "of what has no answer, the declined"),
        Figure(name="abstention F1", value=known(harmonic), of=len(asked), meaning="harmonic mean of the two"),
        share("false premises handled", premises, lambda each: each.score.outcome in RIGHT, "declined or corrected"),
    ]


def _of_confidence(asked: Sequence[Asked]) -> list[Figure]:
    confidences = [each.score.confidence for each in asked]
    truth = [each.answerable for each in asked]
    wrong = [not each.score.would_be_right for each in asked]
    positives = [c for c, answerable in zip(confidences, truth, strict=True) if answerable]
    negatives = [c for c, answerable in zip(confidences, truth, strict=True) if not answerable]

    def plain(name: str, value: float, meaning: str, better: Literal["higher", "lower"] = "lower") -> Figure:
        return Figure(name=name, value=known(value), of=len(asked), better=better, meaning=meaning)

    return [
        plain("AUC", metrics.auc(positives, negatives), "an answerable question has the higher confidence", "higher"),
        mean(
            "Brier score",
            asked,
            lambda each: metrics.brier([each.score.confidence], [each.answerable]),
            "squared distance of confidence from the truth",
            "lower",
        ),
        plain("calibration error", metrics.expected_calibration_error(confidences, truth), "ECE over ten bins"),
        plain("AURC", metrics.aurc(confidences, wrong), "mean risk over all coverages"),
        plain("AUGRC", metrics.augrc(confidences, wrong), "mean share of wrong answers over all coverages"),
        plain("coverage at 5% risk", metrics.coverage_at_risk(confidences, wrong), "answered at that risk", "higher"),
    ]


def _of_retrieval(asked: Sequence[Asked]) -> list[Figure]:
    due = [each for each in asked if each.score.retrieved]
    names = dict.fromkeys(name for each in due for name in each.score.retrieved)
    meaning = {"MRR": "one over the rank of the first passage with evidence", "nDCG@10": "of passages with evidence"}
    return [
        mean(
            f"retrieval {name}",
            due,
            lambda each, name=name: each.score.retrieved.get(name),  # type: ignore[misc]
            meaning.get(name, "vital nuggets in the passages ranked first"),
        )
        for name in names
    ]


def _of_text(asked: Sequence[Asked]) -> list[Figure]:
    given = [each for each in asked if each.score.rouge_l is not None]
    return [
        mean("ROUGE-L", given, lambda each: each.score.rouge_l, "to the reference answer"),
        mean("token F1", given, lambda each: each.score.token_f1, "to the reference answer"),
        mean("length ratio", given, lambda each: each.score.length_ratio, "words to the reference's", better="neither"),
    ]


def _of_stability(asked: Sequence[Asked]) -> list[Figure]:
    clusters: dict[tuple[str, object], list[Asked]] = collections.defaultdict(list)
    for each in asked:
        if each.answerable:
            clusters[each.question.line.cluster, each.question.document.id].append(each)
    pairs = [
        (metrics.jaccard(one.record.spans, other.record.spans), one.question.line.cluster)
        for group in clusters.values()
        for one, other in itertools.combinations(group, 2)
        if _asks_the_same(one, other) and (one.record.answered or other.record.answered)
    ]
    shared = [share for share, _ in pairs]
    interval = bootstrap(shared, [cluster for _, cluster in pairs])
    return [
        share("same answer twice", asked, lambda each: each.record.same_again, "asked again, with the same answer"),
        Figure(
            name="same evidence across a cluster",
            value=statistics.fmean(shared) if shared else None,
            low=known(interval.low),
            high=known(interval.high),
            of=len(pairs),
            meaning="shared characters of what is shown for two wordings; over pairs of which one at least is answered",
        ),
    ]


def _asks_the_same(one: Asked, other: Asked) -> bool:
    needs = [{nugget.evidence for nugget in each.question.vital} for each in (one, other)]
    return needs[0] == needs[1]


def _of_time(asked: Sequence[Asked]) -> list[Figure]:
    warm = sorted(each.record.seconds for each in asked if not each.record.cold)
    cold = [each.record.seconds for each in asked if each.record.cold]

    def time(name: str, value: float | None, of: int, meaning: str) -> Figure:
        return Figure(name=f"latency {name}", value=value, of=of, better="lower", meaning=meaning)

    return [
        time("p50, warm", statistics.median(warm) if warm else None, len(warm), "the middle question"),
        time("p95, warm", warm[math.ceil(0.95 * len(warm)) - 1] if warm else None, len(warm), "all but one in twenty"),
        time("cold", statistics.median(cold) if cold else None, len(cold), "opening a document and asking the first question"),
    ]


def _unscored(asked: Sequence[Asked]) -> Figure:
    failed = sum(each.score.outcome == "failed" for each in asked)
    part = failed / len(asked) if asked else None
    return Figure(
        name="unscored",
        value=part,
        count=failed,
        of=len(asked),
        better="lower",
        meaning="ended in an error; in no other figure",
    )
