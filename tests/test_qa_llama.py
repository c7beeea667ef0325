import asyncio

import pytest
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response
from llama_index.core.chat_engine.types import BaseChatEngine
from llama_index.core.llms import ChatMessage, MessageRole, MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeRelationship, QueryBundle

pytest_plugins = ["qa_fixtures"]

UN = "Why did Japan withhold the UN resolution?"
TALKS = "Where did the secret talks take place?"
LEAD = "What is the boiling point of lead?"


def _assert_cites(nodes, answer, document):
    assert len(nodes) == len(answer.citations)
    for scored, citation in zip(nodes, answer.citations, strict=True):
        node = scored.node
        assert document.text[node.start_char_idx : node.end_char_idx] == node.get_content() == citation.quote
        assert node.metadata["number"] == citation.number
        assert node.metadata["title"] == document.title
        assert node.relationships[NodeRelationship.SOURCE].node_id == document.id
        assert scored.score == citation.score


def _understood(response):
    return response.metadata["answer"].trace.understood


@pytest.mark.parametrize("query", [UN, QueryBundle(UN)])
def test_the_query_engine_responds_with_the_answer_and_its_citations(bot, commentary, query):
    engine = bot.as_query_engine()
    assert isinstance(engine, BaseQueryEngine)
    response = engine.query(query)
    assert type(response) is Response
    assert str(response) == bot.ask(UN).text
    assert response.metadata["answer"].answered
    assert response.source_nodes
    _assert_cites(response.source_nodes, response.metadata["answer"], commentary)


def test_the_query_engine_can_be_awaited(bot, commentary):
    response = asyncio.run(bot.as_query_engine().aquery(UN))
    assert str(response) == bot.ask(UN).text
    _assert_cites(response.source_nodes, response.metadata["answer"], commentary)


@pytest.mark.parametrize(("query", "says"), [(LEAD, "The document does not answer this."), ("", "Please ask a question.")])
def test_where_there_is_no_answer_there_are_no_source_nodes(bot, query, says):
    response = bot.as_query_engine().query(query)
    assert str(response) == says
    assert response.source_nodes == []


def test_the_chat_engine_keeps_a_conversation(bot, commentary):
    engine = bot.as_chat_engine()
    assert isinstance(engine, BaseChatEngine)
    assert engine.chat_history == []
    first = engine.chat(TALKS)
    second = engine.chat("And when?")
    assert _understood(second) == "And when? (secret talks take place)"
    _assert_cites(second.source_nodes, second.metadata["answer"], commentary)
    assert [(message.role, message.content) for message in engine.chat_history] == [
        (MessageRole.USER, TALKS),
        (MessageRole.ASSISTANT, str(first)),
        (MessageRole.USER, "And when?"),
        (MessageRole.ASSISTANT, str(second)),
    ]


def test_chat_engines_of_one_bot_are_apart(bot):
    one, other = bot.as_chat_engine(), bot.as_chat_engine()
    one.chat(TALKS)
    assert _understood(other.chat("And when?")) == "And when?"


def test_a_reset_chat_engine_has_forgotten_everything(bot):
    engine = bot.as_chat_engine()
    engine.chat(TALKS)
    engine.reset()
    assert engine.chat_history == []
    assert _understood(engine.chat("And when?")) == "And when?"
    engine.chat("And when?", chat_history=[ChatMessage(role="user", content=TALKS)])
    engine.reset()
    assert _understood(engine.chat("And when?")) == "And when?"
    assert len(engine.chat_history) == 2


def test_a_history_that_is_passed_in_replaces_the_engines_own_from_then_on(bot):
    engine = bot.as_chat_engine()
    engine.chat("What did Abe vow before the Diet?")
    history = [
        ChatMessage(role="system", content="You are a pirate."),
        ChatMessage(role="user", content=TALKS),
        ChatMessage(role="assistant", content="In Mongolia, and other places."),
    ]
    assert _understood(engine.chat("And when?", chat_history=history)) == "And when? (secret talks take place)"
    assert len(history) == 3  # the caller's list is his
    assert len(engine.chat_history) == 5
    assert _understood(engine.chat("And who was there?")) == "And who was there? (secret talks take place)"
    assert len(engine.chat_history) == 7
    assert _understood(engine.chat("And when?", chat_history=[])) == "And when?"
    assert len(engine.chat_history) == 2


def test_a_streamed_answer_is_the_checked_answer_in_one_piece(bot, commentary):
    engine = bot.as_chat_engine()
    response = engine.stream_chat(TALKS)
    said = bot.ask(TALKS)
    assert list(response.response_gen) == [said.text]
    assert str(response) == said.text
    _assert_cites(response.source_nodes, said, commentary)
    assert list(engine.stream_chat("And when?").response_gen) == [bot.ask("And when?", history=[TALKS]).text]
    assert len(engine.chat_history) == 4


def test_the_chat_engine_can_be_awaited_and_streamed_at_once(bot):
    async def talk():
        engine = bot.as_chat_engine()
        first = await engine.achat(TALKS)
        streamed = await engine.astream_chat("And when?")
        return str(first), [piece async for piece in streamed.async_response_gen()], len(engine.chat_history)

    first, pieces, messages = asyncio.run(talk())
    assert first == bot.ask(TALKS).text
    assert pieces == [bot.ask("And when?", history=[TALKS]).text]
    assert messages == 4


@pytest.mark.parametrize("which", ["bot", "long_bot"])
def test_the_retriever_serves_llamaindexs_own_query_engine(which, request):
    opened = request.getfixturevalue(which)
    (document,) = opened.documents
    engine = RetrieverQueryEngine.from_args(opened.as_retriever(), llm=MockLLM())
    response = engine.query("Who repaired the Quillfeather barometer?")
    # The mock says what it was asked, so the passages have reached the model.
    assert response.source_nodes
    for scored in response.source_nodes:
        node = scored.node
        assert document.text[node.start_char_idx : node.end_char_idx] == node.get_content()
        assert node.get_content() in str(response)
