import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.load import load_text
from qa.compose import MAX_LEANING, MAX_SENTENCES, cite, leans, nearest, select, shown, write
from qa.reader import Reading

pytest_plugins = ["qa_fixtures"]

HARBOUR = """The harbour closed in May. It reopened in June. The move surprised everyone. Ferries came back first.

They were few. Fishing boats followed in August. The mayor was pleased. This lasted for a year.

The board met in Goole. Its chair resigned. Nobody replaced her.

Under New Management

It opened again. Such a plan had failed before. That was in Deal. They had no crane.
"""
COUNT = 15


@pytest.fixture(scope="module")
def harbour(bot_for):
    """A corpus of one document with two sections."""
    opened = bot_for(load_text(HARBOUR, title="Harbour"))
    assert opened._corpus.sentence_count == COUNT
    return opened._corpus


def _reading(corpus, scores):
    (layout,) = corpus.layouts.values()
    return Reading(layout.outline.sentences, tuple(scores), 0.9)


@pytest.mark.parametrize(
    ("quote", "line"),
    [
        ("As he wrote [3], it failed.", "As he wrote (3), it failed."),
        ("See [1][22] and [ 3 ] and [a].", "See (1)(22) and [ 3 ] and [a]."),
        ("In Arabic figures: [٣].", "In Arabic figures: (٣)."),
        ("Hidden [\x013].", "Hidden (3)."),
        ("Doubled [[4]].", "Doubled [(4)]."),
        ("It ran\nover two\r\nlines and\ta tab.", "It ran over two lines and a tab."),
        ("Page\x0cbreak and\u2028separator.", "Page break and separator."),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]0;title\x07bell\x00\x7f\x9b", "]0;titlebell"),
        ("left \u202eright\u202c \u2066in\u2069 \u200e\u200f\u061cmarks", "left right in marks"),
        ("“Quoted – text…” 漢字 👩‍👧 é", "“Quoted – text…” 漢字 👩‍👧 é"),
    ],
)
def test_a_quote_is_shown_as_one_line_without_markers_or_controls(quote, line):
    assert shown(quote) == line


@given(st.text(st.characters() | st.sampled_from("[]0123456789\n\x1b\u202e ")))
def test_no_text_gets_a_marker_or_control_or_line_break_onto_the_screen(text):
    line = shown(text)
    assert not re.search(r"\[\d+\]", line)
    assert not any(unicodedata.category(character) == "Cc" for character in line)
    embeddings = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not embeddings & {unicodedata.bidirectional(character) for character in line}
    assert len(line.splitlines()) <= 1


@pytest.mark.parametrize(
    "sentence",
    [
        "The move, which surprised everyone, came late.",
        "The plan failed.",
        "The latter was cheaper.",
        "The other harbour closed.",
        "This became a key campaign promise.",
        "These were the first.",
        "That is why they left.",
        "Those are the rules.",
        "Such a plan cannot hold.",
        "It promised to act.",
        "It rained all through the talks.",
        "Its chair resigned.",
        "He seemed eager.",
        "They were few.",
        "But it failed.",
        "However, they left.",
        "“They left,” she said.",
        "And she wept.",
    ],
)
def test_a_sentence_that_opens_by_pointing_back_leans(sentence):
    assert leans(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The move of the capital took years.",
        "The decision to close the harbour was his.",
        "The harbour closed in May.",
        "It is important to note that Abe has long considered it.",
        "It is unclear whether they met.",
        "It seems that nobody came.",
        "It should not have come as a surprise that the talks failed.",
        "That year the rains failed.",
        "This week the board meets.",
        "These days nobody asks.",
        "Those who waited were served.",
        "Abe seemed eager.",
        "Italy left.",
        "Items were sold.",
        "Thistles grow there.",
        "Hershey makes chocolate.",
        "Those being questioned said nothing.",
        "",
    ],
)
def test_a_sentence_that_stands_alone_does_not_lean(sentence):
    assert not leans(sentence)


scores_of_all = st.lists(st.floats(0.01, 1.0), min_size=COUNT, max_size=COUNT)


@given(scores_of_all, st.floats(0.0, 1.0))
def test_the_best_sentences_are_chosen_in_reading_order_with_what_they_lean_on(harbour, scores, evidence):
    reading = _reading(harbour, scores)
    chosen = select(reading, harbour, {"evidence": evidence})
    assert chosen == select(reading, harbour, {"evidence": evidence})
    ordinals = [sentence.ordinal for sentence in chosen]
    assert ordinals == sorted(set(ordinals))
    best = max(scores)
    assert scores.index(best) in ordinals
    leaned_on = {harbour.before(sentence) for sentence in chosen if leans(harbour.text(sentence))}
    for sentence in chosen:
        score = scores[sentence.ordinal]
        among_the_best = score >= best * evidence and sum(other > score for other in scores) < MAX_SENTENCES
        assert among_the_best or sentence in leaned_on
    assert len([sentence for sentence in chosen if sentence not in leaned_on]) <= MAX_SENTENCES
    assert len(chosen) <= MAX_SENTENCES * (1 + MAX_LEANING)
    first = reading.sentences[scores.index(best)]
    if leans(harbour.text(first)):
        assert harbour.before(first) in [*chosen, None]


def test_no_more_than_three_sentences_are_chosen_for_their_scores(harbour):
    scores = [0.5] * COUNT
    scores[0] = scores[3] = scores[5] = scores[8] = 0.9
    assert [s.ordinal for s in select(_reading(harbour, scores), harbour, {"evidence": 0.0})] == [0, 3, 5]


@pytest.mark.parametrize(
    ("best", "chosen"),
    [
        (0, [0]),  # 'The harbour closed in May.'
        (1, [0, 1]),  # 'It reopened in June.'
        (2, [0, 1, 2]),  # 'The move surprised everyone.' leans on 'It reopened …', which leans in turn
        (4, [3, 4]),  # 'They were few.' opens a paragraph
        (11, [11]),  # 'It opened again.' stands first under its heading
        (14, [12, 13, 14]),  # a long chain is not followed to its end
    ],
)
def test_a_chosen_sentence_brings_along_what_it_leans_on(harbour, best, chosen):
    scores = [0.1] * COUNT
    scores[best] = 0.9
    assert [s.ordinal for s in select(_reading(harbour, scores), harbour, {"evidence": 0.5})] == chosen


def test_what_is_brought_along_may_stand_outside_what_was_read(harbour):
    (layout,) = harbour.layouts.values()
    reading = Reading(layout.outline.sentences[1:2], (0.9,), 0.9)
    chosen = select(reading, harbour, {"evidence": 0.5})
    assert {sentence.ordinal for sentence in chosen} == {0, 1}
    citations = cite(chosen, reading, harbour)
    assert {citation.score for citation in citations} == {0.0, 0.9}


@pytest.mark.parametrize("turned", [False, True])
def test_sentences_of_two_documents_are_shown_in_the_order_of_the_documents_whatever_their_ids(bot_for, gardens, turned):
    documents = [load_text("The tram runs hourly. Dogs ride free.", title="Trams"), gardens]
    corpus = bot_for(*(reversed(documents) if turned else documents))._corpus
    sentences = [sentence for layout in corpus.layouts.values() for sentence in layout.outline.sentences]
    reading = Reading(tuple(sentences), tuple(0.9 if s.ordinal == 0 else 0.1 for s in sentences), 0.9)
    chosen = select(reading, corpus, {"evidence": 0.5})
    assert [sentence.document_id for sentence in chosen] == [document.id for document in corpus.documents]


@given(scores_of_all)
def test_the_nearest_are_three_best_first(harbour, scores):
    ordinals = [sentence.ordinal for sentence in nearest(_reading(harbour, scores))]
    assert [scores[ordinal] for ordinal in ordinals] == sorted(scores, reverse=True)[:3]
    assert len(set(ordinals)) == 3


def test_citations_are_numbered_in_the_order_given_and_hold_the_documents_own_text(harbour):
    (document,) = harbour.documents
    reading = _reading(harbour, [position / 20 for position in range(COUNT)])
    citations = cite(reading.sentences[7:4:-1], reading, harbour)
    assert [citation.number for citation in citations] == [1, 2, 3]
    assert [citation.quote for citation in citations] == [
        "This lasted for a year.",
        "The mayor was pleased.",
        "Fishing boats followed in August.",
    ]
    assert all(document.text[citation.start : citation.end] == citation.quote for citation in citations)
    assert [citation.score for citation in citations] == [0.35, 0.3, 0.25]
    assert write(citations) == "This lasted for a year. [1] The mayor was pleased. [2] Fishing boats followed in August. [3]"
