"""What is wrong with a gold file that can still be read: labels that contradict one another, and questions that leaked."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evals.questions import Span
from evals.suite.gold import GoldQuestion, GoldSet
from evals.suite.schema import UNANSWERED, GoldError
from evals.suite.scoring import judge
from evals.surface import content_stems
from index.sentences import outline

__all__ = ["Finding", "lint", "published", "reference_score", "refuse_faults"]

ROOT = Path(__file__).parents[2]
NEAR_DUPLICATE = 0.8
"""The Jaccard similarity of two questions' words from which they look like one."""
_TEXTS = frozenset({".md", ".py", ".html", ".js", ".json", ".toml", ".txt", ".svg"})
LEAKING_WORDS = 4
"""A question of fewer words may turn up anywhere by chance."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found in a gold file."""

    id: str
    text: str
    fault: bool = True
    """Whether it makes the file unfit for use; else it is for someone to look at."""

    def __str__(self) -> str:
        return f"{self.id}: {'' if self.fault else 'warning: '}{self.text}"


def lint(gold: GoldSet, published: Mapping[str, str]) -> list[Finding]:
    """Returns what is wrong: drafts first, then question by question, then what concerns several.

    Args:
        gold: The questions.
        published: Texts that no test question may turn up in (README, prompts, examples), by name.
    """
    draft = "a draft that nobody has looked at: mend it, and take REVIEW out of its notes"
    found = [Finding(question.id, draft) for question in gold.questions if question.line.notes.startswith("REVIEW")]
    found += [Finding(question.id, text) for question in gold.questions for text in _contradictions(question)]
    found += [Finding(q.id, text, fault=False) for q in gold.questions for text in _not_sentences(q)]
    splits: dict[str, str] = {}
    for question in gold.questions:
        if splits.setdefault(question.line.cluster, question.line.split) != question.line.split:
            found.append(Finding(question.id, f"the cluster {question.line.cluster!r} lies in both splits"))
    found += _leaks(gold.questions, published)
    return found + list(_near_duplicates(gold.questions))


def refuse_faults(gold: GoldSet) -> None:
    """Checks that a gold file can be asked: labels that contradict one another would be scored all the same.

    Raises:
        GoldError: There is a fault; leaks and warnings are for `lint` alone.
    """
    if faults := [f"{gold.path.name}: {finding}" for finding in lint(gold, {}) if finding.fault]:
        raise GoldError(faults)


def published() -> dict[str, str]:
    """Returns the texts that people and models are given with the project, by file: no test question may turn up in them.

    What is at hand: in an installed package the code alone, in a checkout also README and docs.
    """
    files = [ROOT / "README.md", *(file for folder in ("docs", "qa", "app") for file in (ROOT / folder).rglob("*"))]
    texts = [file for file in files if file.suffix in _TEXTS and file.is_file()]
    return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in texts}


def reference_score(question: GoldQuestion) -> float:
    """Returns what the scorer gives the reference answer with all gold sentences cited: its vital nugget recall, 0 if wrong."""
    if not question.vital:
        return 1.0
    gold = [group[0] for nugget in question.nuggets for group in nugget.evidence]
    recall, _, outcome = judge(question, gold, True, question.line.reference)
    return 0.0 if outcome == "wrong" else recall or 0.0


def _contradictions(question: GoldQuestion) -> Iterator[str]:
    line = question.line
    if line.answerable == (line.category in UNANSWERED):
        yield f"answerable is {line.answerable} in the category {line.category}"
    if line.answerable and not question.vital:
        yield "answerable, but no nugget is vital"
    if not line.answerable and question.nuggets:
        yield "not answerable, but it has nuggets with evidence"
    if question.correction and line.category != "false-premise":
        yield "only a false premise has a correction"
    if (line.category == "follow-up") != bool(line.history) and (line.answerable or line.category == "follow-up"):
        yield "a follow-up has a history, and no other answerable question has"
    if (line.category == "empty") == any(character.isalnum() for character in line.question):
        yield "an empty question holds no letter or figure, and every other one does"
    if line.category == "multi-evidence" and len({group for nugget in question.nuggets for group in nugget.evidence}) < 2:
        yield "multi-evidence needs two sentences together"
    if both := set(question.evidence) & set(question.allowed):
        yield f"{len(both)} quote(s) both evidence and allowed"
    yield from _faults_of_reference(question)
    if line.category == "paraphrase":
        asked = content_stems(line.question)
        for start, end in question.evidence:
            if shared := asked & content_stems(question.document.text[start:end]):
                yield f"a paraphrase, but it shares {sorted(shared)} with its evidence"


def _faults_of_reference(question: GoldQuestion) -> Iterator[str]:
    if question.line.answerable and not question.line.reference:
        yield "answerable, but it has no reference answer"
    elif any(not nugget.accept for nugget in question.vital):
        yield "a vital nugget has no pattern that accepts it"
    elif (score := reference_score(question)) < 1:
        yield f"the reference answer scores {score:.2f}, not 1.00: check accept, reject and must_not"


def _not_sentences(question: GoldQuestion) -> Iterator[str]:
    sentences = outline(question.document.text, question.document.id).sentences
    starts, ends = {sentence.start for sentence in sentences}, {sentence.end for sentence in sentences}
    quotes: Iterable[Span] = (*question.evidence, *question.allowed, *question.correction)
    for start, end in quotes:
        if start not in starts or end not in ends:
            yield f"not whole sentences: {question.document.text[start:end][:60]!r}"


def _leaks(questions: Iterable[GoldQuestion], published: Mapping[str, str]) -> Iterator[Finding]:
    texts = {name: _plain(text) for name, text in published.items()}
    for question in questions:
        asked = _plain(question.line.question)
        if question.line.split == "test" and len(asked.split()) >= LEAKING_WORDS:
            yield from (Finding(question.id, f"a test question, but {name} holds it") for name in texts if asked in texts[name])


def _near_duplicates(questions: Iterable[GoldQuestion]) -> Iterator[Finding]:
    by_words: dict[tuple[str, tuple[str, ...]], list[tuple[GoldQuestion, set[str]]]] = collections.defaultdict(list)
    for question in questions:
        words = set(_plain(question.line.question).split())
        same_history = (question.document.id, tuple(question.line.history))
        for other, its_words in by_words[same_history]:
            alike = len(words & its_words) / max(1, len(words | its_words))
            if alike >= NEAR_DUPLICATE and other.line.cluster != question.line.cluster:
                yield Finding(question.id, f"nearly {other.id}, but in another cluster", fault=False)
        by_words[same_history].append((question, words))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
