import asyncio

import numpy as np
import pytest
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeRelationship
from qa_checks import BAROMETER, PHYSICIANS

from qa.lexical import BM25, stems
from qa.retrieve import READ_WHOLE, HybridRetriever

pytest_plugins = ["qa_fixtures"]

NEAR_WORDS = "Who repaired the Quillfeather barometer?"
OTHER_WORDS = "How did doctors make the ill baby well again?"


@pytest.fixture(scope="module")
def short(bot):
    return HybridRetriever(bot._corpus)


@pytest.fixture(scope="module")
def long(long_bot):
    assert long_bot._corpus.sentence_count > READ_WHOLE
    assert len(long_bot._corpus.passages) > 8
    return HybridRetriever(long_bot._corpus)


@pytest.mark.parametrize("question", ["Why did Japan withhold the UN resolution?", "zebra", "", "日本", "the of and"])
def test_a_short_document_is_read_whole_best_passage_first(short, bot, question):
    found = short.passages(question)
    assert sorted(each.passage.id for each in found) == sorted(passage.id for passage in bot._corpus.passages)
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("question", [NEAR_WORDS, OTHER_WORDS, "zebra", "", "the of and", "the bakers of Arden " * 50])
def test_of_a_long_document_at_most_eight_passages_are_read(long, question):
    found = long.passages(question)
    assert 1 <= len(found) <= 8
    assert len({each.passage.id for each in found}) == len(found)
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    for each in found:
        assert -1.0001 <= each.dense <= 1.0001
        assert each.lexical >= 0


def test_a_needle_is_found_by_its_words(long):
    assert BAROMETER in long.passages(NEAR_WORDS)[0].passage.text


def test_a_needle_is_found_by_its_meaning(long):
    # Not one word in common, so BM25 has nothing to go by.
    assert not set(stems([OTHER_WORDS])[0]) & set(stems([PHYSICIANS])[0])
    found = long.passages(OTHER_WORDS)
    (hit,) = [each for each in found if PHYSICIANS in each.passage.text]
    assert hit is found[0]


def test_a_limit_is_kept(long_bot):
    assert len(HybridRetriever(long_bot._corpus, limit=3).passages(NEAR_WORDS)) == 3


@pytest.mark.parametrize("question", [NEAR_WORDS, OTHER_WORDS, "Did the masons of Arden mend their roofs?"])
def test_the_ranking_is_the_same_every_time(long, long_bot, question):
    assert long.passages(question) == long.passages(question) == HybridRetriever(long_bot._corpus).passages(question)


@pytest.mark.parametrize("which", ["bot", "long_bot"])
def test_nodes_carry_their_place_in_the_document(which, request):
    opened = request.getfixturevalue(which)
    retriever = opened.as_retriever()
    assert isinstance(retriever, BaseRetriever)
    (document,) = opened.documents
    nodes = retriever.retrieve(NEAR_WORDS)
    assert 1 <= len(nodes) <= 8
    for scored in nodes:
        node = scored.node
        assert document.text[node.start_char_idx : node.end_char_idx] == node.get_content()
        assert node.relationships[NodeRelationship.SOURCE].node_id == document.id
        assert node.metadata["title"] == document.title
    assert [scored.score for scored in nodes] == sorted((scored.score for scored in nodes), reverse=True)
    again = asyncio.run(retriever.aretrieve(NEAR_WORDS))
    assert [scored.node.node_id for scored in again] == [scored.node.node_id for scored in nodes]


def test_words_are_compared_by_their_stems_and_common_ones_do_not_count():
    scores = BM25(["The ferries are repaired.", "A ferry sank.", "It is the of and."]).scores("Who was repairing the ferry?")
    assert scores[0] > scores[1] > scores[2] == 0


@pytest.mark.parametrize("texts", [[], [""], ["", "the of and", "…"], ["漢字", "ferry"]])
def test_texts_and_questions_without_words_score_nothing(texts):
    for question in ("", "the", "barometer", "\x00", "\ud800"):
        assert np.array_equal(BM25(texts).scores(question), np.zeros(len(texts)))
