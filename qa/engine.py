"""The chain: understand, retrieve, read, compose, check."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from index.corpus import Corpus
from index.types import Passage, RetrievedPassage, Sentence
from qa import compose
from qa.citations import check
from qa.conversation import understand
from qa.reader import Reader
from qa.retrieve import HybridRetriever
from qa.types import Answer, Citation, ScoredSentence, Status, Trace

__all__ = ["MAX_QUESTION", "Engine"]

MAX_QUESTION = 2000
"""Characters of a question that are read; the embedding model reads about half as much."""
EARLIER_QUESTIONS = 10
"""How many of the questions before are looked at."""
REMEMBERED_CITATIONS = 9

_HAS_WORD = re.compile(r"[^\W_]")


class Engine:
    """Answers questions about one corpus; safe to use from several threads."""

    def __init__(self, corpus: Corpus, reader: Reader) -> None:
        self.corpus = corpus
        self.retriever = HybridRetriever(corpus)
        self.reader = reader
        self._documents = {document.id: document for document in corpus.documents}

    def ask(self, question: str, *, history: Sequence[str] = (), earlier_citations: Sequence[Citation] = ()) -> Answer:
        """Answers a question.

        Args:
            question: In any words; of a very long one the first 2,000 characters are read, and the trace says so.
            history: The asker's earlier questions, oldest first.
            earlier_citations: What earlier answers cited; a follow-up may be answered by it again.

        Returns:
            A checked answer, whatever was asked: 'not in the document' is an answer too.
        """
        seconds: dict[str, float] = {}
        notes: tuple[str, ...] = ()
        asked = question
        if len(asked) > MAX_QUESTION:
            asked = asked[:MAX_QUESTION]
            notes = (f"The question has {len(question):,} characters; only the first {MAX_QUESTION:,} were read.",)
        # Control characters and lone surrogates are no part of a question, and some of them no part of any text.
        asked = " ".join("".join(character if character.isprintable() else " " for character in asked).split())
        if not _HAS_WORD.search(asked):
            return self._checked(
                Answer(question, compose.EMPTY, "empty_question", (), 0.0, (), Trace(understood=asked, notes=notes))
            )
        with _timed(seconds, "understand"):
            earlier = [past[:MAX_QUESTION] for past in history if _HAS_WORD.search(past)][-EARLIER_QUESTIONS:]
            understood = understand(asked, earlier)
        with _timed(seconds, "retrieve"):
            retrieved = self.retriever.passages(understood)
            if understood != asked:
                retrieved += self._remembered(earlier_citations, retrieved)
        with _timed(seconds, "read"):
            reading = self.reader.read(understood, [candidate.passage for candidate in retrieved])
        with _timed(seconds, "compose"):
            chosen: Sequence[Sentence] = reading.chosen or ()
            if reading.chosen is None and reading.answered >= self.reader.thresholds["answered"]:
                chosen = compose.select(reading, self.corpus, self.reader.thresholds)
            citations = compose.cite(chosen, reading, self.corpus)
            if citations:
                nearest: tuple[Citation, ...] = ()
                text = compose.write(citations)
            else:
                nearest = compose.cite(compose.nearest(reading), replace(reading, short_answers={}), self.corpus)
                text = compose.not_in_document(len(self.corpus.documents))
        scored = sorted(map(ScoredSentence, reading.sentences, reading.scores), key=lambda sentence: -sentence.score)
        trace = Trace(
            understood=understood,
            follow_up=understood != asked,
            passages=tuple(retrieved),
            sentences=tuple(scored),
            thresholds=dict(self.reader.thresholds),
            seconds=seconds,
            notes=notes,
        )
        status: Status = "answered" if citations else "not_in_document"
        return self._checked(Answer(question, text, status, citations, reading.answered, nearest, trace))

    def _remembered(self, citations: Sequence[Citation], retrieved: Sequence[RetrievedPassage]) -> list[RetrievedPassage]:
        """Returns the passages of earlier citations that were not retrieved again."""
        known = {candidate.passage.id for candidate in retrieved}
        found: dict[str, Passage] = {}
        for citation in citations[-REMEMBERED_CITATIONS:]:
            layout = self.corpus.layouts.get(citation.document_id)
            for passage in layout.passages if layout is not None else ():
                if passage.start <= citation.start and citation.end <= passage.end and passage.id not in known:
                    found[passage.id] = passage
        return [RetrievedPassage(passage, 0.0, 0.0, 0.0) for passage in found.values()]

    def _checked(self, answer: Answer) -> Answer:
        return check(answer, self._documents)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - started
