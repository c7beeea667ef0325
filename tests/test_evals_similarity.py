import json
import math
from dataclasses import replace
from importlib import resources

import pytest

from evals.similarity import Calibration, SimilarityReader
from index.load import load_text
from qa.reader import Reading

pytest_plugins = ["qa_fixtures"]

QUESTIONS = ["Why did Japan withhold the UN resolution?", "What is the boiling point of lead?", "", "漢字", "x" * 2000]


@pytest.fixture(scope="module")
def two(bot_for, gardens):
    notes = load_text("The tram to the rose garden runs hourly. It stops at the oak. Dogs ride free.", title="Trams")
    return bot_for(notes, gardens)._corpus


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_sentence_has_a_score_and_the_whole_a_probability(bot, question):
    corpus = bot._corpus
    (layout,) = corpus.layouts.values()
    reading = SimilarityReader(corpus).read(question, corpus.passages)
    assert reading.sentences == layout.outline.sentences
    assert len(reading.scores) == len(reading.sentences)
    assert all(0.0 <= score <= 1.0 for score in reading.scores)
    assert 0.0 <= reading.answered <= 1.0


def test_a_sentence_in_two_passages_is_read_once(bot):
    corpus = bot._corpus
    first, second = next(
        (a, b) for a, b in zip(corpus.passages, corpus.passages[1:], strict=False) if a.last_sentence == b.first_sentence
    )
    reading = SimilarityReader(corpus).read("Who met whom?", [second, first, second])
    assert [s.ordinal for s in reading.sentences] == list(range(first.first_sentence, second.last_sentence + 1))


def test_only_what_is_given_is_read(bot):
    corpus = bot._corpus
    reading = SimilarityReader(corpus).read("Who met whom?", corpus.passages[2:3])
    assert reading.sentences == corpus.sentences(corpus.passages[2])


def test_nothing_to_read_answers_nothing(bot):
    assert SimilarityReader(bot._corpus).read("Why?", ()) == Reading((), (), 0.0)


@pytest.mark.parametrize("turned", [False, True])
def test_sentences_come_in_the_order_of_their_documents_whatever_their_ids(two, bot_for, turned):
    corpus = bot_for(*reversed(two.documents))._corpus if turned else two
    reading = SimilarityReader(corpus).read("When is the rose garden watered?", tuple(reversed(corpus.passages)))
    places = [(sentence.document_id, sentence.ordinal) for sentence in reading.sentences]
    counts = {document.id: len(corpus.layouts[document.id].outline.sentences) for document in corpus.documents}
    assert places == [(document_id, ordinal) for document_id, count in counts.items() for ordinal in range(count)]


def test_the_sentence_that_says_it_in_the_same_words_scores_best(two):
    reading = SimilarityReader(two).read("Is the rose garden watered on Mondays?", two.passages)
    best = max(zip(reading.scores, reading.sentences, strict=True), key=lambda scored: scored[0])
    assert two.text(best[1]) == "It is watered on Mondays."


def test_a_closer_question_is_likelier_answered(two):
    reader = SimilarityReader(two)
    near = reader.read("How old is the oak by the gate?", two.passages)
    far = reader.read("What is the boiling point of lead?", two.passages)
    assert near.answered > reader.thresholds["answered"] > far.answered


def test_a_reading_is_the_same_every_time(bot):
    corpus = bot._corpus
    reader = SimilarityReader(corpus)
    for question in QUESTIONS:
        assert reader.read(question, corpus.passages) == SimilarityReader(corpus).read(question, corpus.passages)


def test_numbers_that_are_given_take_the_place_of_the_packaged_ones(two):
    numbers = replace(
        Calibration.load(), answered_threshold=0.123, evidence_threshold=0.9, sentence_slope=0.0, sentence_offset=0.0
    )
    reader = SimilarityReader(two, numbers)
    assert reader.thresholds == {"answered": 0.123, "evidence": 0.9}
    assert set(reader.read("Why?", two.passages).scores) == {0.5}


def test_the_packaged_numbers_are_of_the_packaged_model_and_what_the_reader_uses(two, embedder):
    values = json.loads(resources.files("evals").joinpath("similarity.json").read_text())["values"]
    assert values.pop("embedding_model") == embedder.fingerprint
    assert all(math.isfinite(value) for value in values.values())
    assert values["sentence_slope"] > 0 < values["answered_slope"]
    thresholds = {"answered": values["answered_threshold"], "evidence": values["evidence_threshold"]}
    assert SimilarityReader(two).thresholds == thresholds
    assert all(0.0 < threshold < 1.0 for threshold in thresholds.values())
