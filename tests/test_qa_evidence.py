import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

import qa.evidence
import qa.model
from index.errors import ModelError
from index.load import load_text
from qa.evidence import EvidenceReader
from qa.model import CARD, MODEL, EvidenceModel, packaged_model
from qa.reader import Reading
from qa.windows import Window

pytest_plugins = ["qa_fixtures"]

FILES = Path(qa.evidence.__file__).parent
QUESTIONS = ["Why did Japan withhold the UN resolution?", "What is the boiling point of lead?", "", "漢字", "x" * 2000]


@pytest.fixture(scope="module")
def model():
    return packaged_model()


@pytest.fixture(scope="module")
def two(bot_for, gardens):
    notes = load_text("The tram to the rose garden runs hourly. It stops at the oak. Dogs ride free.", title="Trams")
    return bot_for(notes, gardens)._corpus


@pytest.fixture
def copied(tmp_path):
    """The model's two files, for a test to spoil."""
    for name in (MODEL, CARD):
        (tmp_path / name).write_bytes((FILES / name).read_bytes())
    return tmp_path / MODEL


def test_the_file_is_small_enough_to_come_with_the_package():
    assert (FILES / MODEL).stat().st_size <= 25_000_000


def test_the_card_says_what_the_model_was_made_of():
    card = json.loads((FILES / CARD).read_text(encoding="utf-8"))
    assert card["made_by"].startswith("python -m evals.training")
    assert all(len(checksum) == 64 for checksum in card["made_of"].values())


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_sentence_has_a_score_and_the_whole_a_probability(bot, model, question):
    corpus = bot._corpus
    (layout,) = corpus.layouts.values()
    reading = EvidenceReader(corpus, model).read(question, corpus.passages)
    in_order = list(layout.outline.sentences)
    assert list(reading.sentences) == [sentence for sentence in in_order if sentence in set(reading.sentences)]
    whole = [set(corpus.sentences(passage)) for passage in corpus.passages]
    assert any(set(reading.sentences) == set().union(*whole[:count]) for count in range(1, len(whole) + 1))
    assert len(reading.scores) == len(reading.sentences)
    assert all(0.0 <= score <= 1.0 for score in reading.scores)
    assert 0.0 <= reading.answered <= 1.0
    for sentence, (start, end) in reading.short_answers.items():
        assert sentence.start <= start < end <= sentence.end


def test_a_sentence_in_two_passages_has_the_better_of_its_scores(bot, model):
    corpus = bot._corpus
    first, second = next(
        (a, b) for a, b in zip(corpus.passages, corpus.passages[1:], strict=False) if a.last_sentence == b.first_sentence
    )
    reader = EvidenceReader(corpus, model)
    # The same words are weighed alike in all three readings: BM25 knows the sentences that are given.
    shared = corpus.sentences(second)[0]
    both = reader.signals("Who met whom?", [first, second])
    assert [s.ordinal for s in both.sentences] == list(range(first.first_sentence, second.last_sentence + 1))
    windows = [reader.signals("Who met whom?", [passage]) for passage in (first, second)]
    alone = [dict(zip(logits.sentences, logits.evidence.tolist(), strict=True))[shared] for logits in windows]
    together = dict(zip(both.sentences, both.evidence.tolist(), strict=True))[shared]
    assert together == pytest.approx(max(alone), abs=0.5)


def test_only_what_is_given_is_read(bot, model):
    corpus = bot._corpus
    reading = EvidenceReader(corpus, model).read("Who met whom?", corpus.passages[2:3])
    assert reading.sentences == corpus.sentences(corpus.passages[2])


def test_nothing_to_read_answers_nothing(bot, model):
    assert EvidenceReader(bot._corpus, model).read("Why?", ()) == Reading((), (), 0.0)


def test_passages_are_read_best_first_until_enough_has_been_read(long_bot, model):
    corpus = long_bot._corpus
    passages = tuple(reversed(corpus.passages))
    reading = EvidenceReader(corpus, model, read_tokens=600).read("Who repaired it?", passages)
    read = {sentence for passage in passages[:2] for sentence in corpus.sentences(passage)}
    assert read <= set(reading.sentences) < {sentence for passage in passages[:4] for sentence in corpus.sentences(passage)}
    assert set(EvidenceReader(corpus, model, read_tokens=1).read("Who?", passages).sentences) == set(
        corpus.sentences(passages[0])
    )


def test_the_sentence_that_answers_scores_best_and_its_short_answer_is_found(two, model):
    reading = EvidenceReader(two, model).read("On which day is the rose garden watered?", two.passages)
    best = max(zip(reading.scores, reading.sentences, strict=True), key=lambda scored: scored[0])[1]
    assert two.text(best) == "It is watered on Mondays."


def test_a_question_the_text_answers_is_likelier_answered(two, model):
    reader = EvidenceReader(two, model)
    near = reader.read("How old is the oak by the gate?", two.passages)
    far = reader.read("What is the boiling point of lead?", two.passages)
    assert near.answered > reader.thresholds["answered"] > far.answered


def test_signals_are_those_of_their_sentences(two, model):
    question = "On which day is the rose garden watered?"
    signals = EvidenceReader(two, model).signals(question, two.passages)
    vector = two.encode_question(question)
    for at, sentence in enumerate(signals.sentences):
        cosine = float(two.vectors([sentence])[0] @ vector)
        assert signals.similarity[at] == pytest.approx(cosine, abs=1e-5)
        before = two.previous(sentence)
        expected = cosine if before is None else float(two.vectors([before])[0] @ vector)
        assert signals.before[at] == pytest.approx(expected, abs=1e-5)
        assert 0.0 <= signals.lexical[at] < 1.0
    numbers = replace(
        model.numbers, evidence_slope=0.0, similarity_slope=2.0, before_slope=0.0, lexical_slope=0.0, evidence_offset=1.0
    )
    assert signals.combined(numbers) == pytest.approx(2.0 * signals.similarity + 1.0)
    numbers = replace(numbers, answered_slope=0.0, best_slope=1.0, answered_offset=-1.0)
    assert signals.probability(numbers) == pytest.approx(1 / (1 + math.exp(-2.0 * signals.similarity.max())))


def test_a_reading_is_the_same_every_time(bot, model):
    corpus = bot._corpus
    reader = EvidenceReader(corpus, model)
    for question in QUESTIONS:
        assert reader.read(question, corpus.passages) == EvidenceReader(corpus, model).read(question, corpus.passages)


def test_padding_changes_nothing(model):
    """A window is scored alone; the network must not care, since it was trained on padded batches."""
    from qa.windows import pack_windows

    short, long = (
        Window([2040, 3000], [[1996, 2154], [2003]], [0.1, 0.2]),
        Window([2040], [list(range(3000, 3100))] * 2, [0, 0]),
    )
    names = ("token_ids", "segments", "positions", "lexical")
    together = model._session.run(None, dict(zip(names, pack_windows([short, long]), strict=True)))
    alone = model.read(short)
    assert together[0][0, :2] == pytest.approx(alone.evidence, abs=0.2)
    assert together[1][0] == pytest.approx(alone.answered, abs=0.2)


@pytest.mark.parametrize("name", [MODEL, CARD])
def test_a_missing_file_is_named(copied, name):
    copied.with_name(name).unlink()
    with pytest.raises(ModelError, match=rf"{name}: the evidence reader cannot be read \(No such file or directory\)"):
        EvidenceModel.load(copied)


def test_a_damaged_network_is_refused(copied):
    data = bytearray(copied.read_bytes())
    data[len(data) // 2] ^= 1
    copied.write_bytes(data)
    with pytest.raises(ModelError, match=rf"{MODEL}: the evidence reader is damaged \(sha256 "):
        EvidenceModel.load(copied)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"sha256": "0", "numbers": {}}', '{"sha256": "0", "numbers": 3}'])
def test_damaged_numbers_are_refused(copied, content):
    copied.with_name(CARD).write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=rf"{CARD}: the evidence reader's numbers are damaged"):
        EvidenceModel.load(copied)


def test_without_its_model_nothing_is_opened(monkeypatch, copied):
    import qa as api

    copied.unlink()
    monkeypatch.setattr(qa.model.resources, "files", lambda package: copied.parent)
    packaged_model.cache_clear()
    try:
        with pytest.raises(ModelError, match=str(copied)):
            api.open(text="The oak is old.")
    finally:
        packaged_model.cache_clear()


def test_short_answers_are_marked_from_the_threshold_on(two, model):
    question = "How old is the oak by the gate?"
    never = EvidenceModel.__new__(EvidenceModel)
    never.__dict__.update(model.__dict__ | {"numbers": replace(model.numbers, short_answer_threshold=1.1)})
    always = EvidenceModel.__new__(EvidenceModel)
    always.__dict__.update(model.__dict__ | {"numbers": replace(model.numbers, short_answer_threshold=0.0)})
    assert EvidenceReader(two, never).read(question, two.passages).short_answers == {}
    marked = EvidenceReader(two, always).read(question, two.passages).short_answers
    assert {two.text(sentence) for sentence in marked} == {two.text(s) for p in two.passages for s in two.sentences(p)}


@pytest.mark.parametrize(
    ("words", "marked"),
    [
        ("mid-March (2019", "mid-March (2019)"),
        ("2019)", "(2019)"),
        ("It (the fair) came in mid-March", "It (the fair) came in mid-March"),
        ("said “no", "said “no”"),
    ],
)
def test_a_short_answer_takes_in_the_bracket_it_lacks(words, marked):
    sentence = "It (the fair) came in mid-March (2019) and she said “no”"
    start = sentence.index(words)
    first, last = qa.evidence._closed(sentence, qa.evidence.Span(100 + start, 100 + start + len(words), 0.9), 100)
    assert sentence[first - 100 : last - 100] == marked
