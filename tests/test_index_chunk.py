import unicodedata
from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from llama_index.core import Document as LlamaDocument
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import NodeRelationship

from index.chunk import PassageParser
from index.load import normalise
from index.types import Document

FRAGMENTS = (
    *("The talks failed. ", "It was late! ", "Nobody knew why, and nobody asked what would come of it in the end. ", "“No.” "),
    *("\n\n", "\n\n", "\n\n# Heading\n\n", "\n\n## Sub\n", "\n- one item\n", "\n\nA Title Line\n\n", "word " * 60),
    *("漢字", "漢字です。次。", "한국어 문장. ", "x" * 150, "Donaudampfschifffahrt" * 20, "é" * 30, "😀" * 9),
    *("1234567890" * 12, "\u200b", "a-b/c_d" * 20),
)

texts = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=25).map("".join).map(normalise)


@pytest.fixture(scope="session")
def parser(embedder):
    """Makes parsers that count with the real tokenizer."""

    def make(max_tokens):
        return PassageParser(max_tokens=max_tokens, count_tokens=embedder.count_tokens)

    return make


def is_punctuation(characters):
    return any(unicodedata.category(character).startswith("P") for character in characters)


def check(document, layout, parser):
    sentences = layout.outline.sentences
    headings = [heading.start for heading in layout.outline.headings]
    tokens = parser.count_tokens([document.text[s.start : s.end] for s in sentences])
    held = set()
    for passage in layout.passages:
        inside = sentences[passage.first_sentence : passage.last_sentence + 1]
        held.update(sentence.ordinal for sentence in inside)
        assert document.text[passage.start : passage.end] == passage.text
        assert (passage.start, passage.end) == (inside[0].start, inside[-1].end)
        assert {sentence.heading for sentence in inside} == {passage.heading}
        assert not any(passage.start < heading < passage.end for heading in headings)
        assert passage.id == f"{document.id}:{passage.first_sentence}-{passage.last_sentence}"
        assert passage.document_id == document.id
        assert parser.count_tokens([passage.text])[0] <= parser.max_tokens
    assert held == set(range(len(sentences)))
    for passage, following in pairwise(layout.passages):
        last, after = sentences[passage.last_sentence], sentences[passage.last_sentence + 1]
        shared = passage.last_sentence - following.first_sentence + 1
        same_section = bisect_right(headings, last.start) == bisect_right(headings, after.start)
        # The two parts of a word that was cut may have more tokens together than apart; they are not joined again.
        in_word = last.end == after.start and not is_punctuation(document.text[last.end - 1 : last.end + 1])
        room = tokens[last.ordinal] + tokens[after.ordinal] <= parser.max_tokens
        alone = passage.first_sentence == passage.last_sentence
        assert shared == (1 if same_section and room and not in_word and not alone else 0)
        # Nothing more would have fitted.
        if same_section and not in_word:
            assert sum(tokens[passage.first_sentence : passage.last_sentence + 2]) > parser.max_tokens


@given(text=texts, max_tokens=st.sampled_from([4, 12, 40, 254]))
@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
def test_passages_are_whole_sentences_that_fit_and_hold_everything(parser, text, max_tokens):
    document = Document("d", "", "", text)
    check(document, parser(max_tokens).parse(document), parser(max_tokens))


@pytest.mark.parametrize(
    "text",
    [
        "漢字かな交じり文。" * 200,
        "漢" * 2000,
        "x" * 3000,
        "Zażółć" * 400,
        ("word " * 700).strip() + ".",
        "A short one. " + "and on " * 400 + ". Another short one.",
        "😀" * 1500,
        "0123456789" * 200,
    ],
    ids=[
        "cjk",
        "cjk without an end",
        "one letter",
        "no white space",
        "one long sentence",
        "long between short",
        "emoji",
        "digits",
    ],
)
def test_text_of_any_kind_is_cut_to_what_the_model_reads(parser, embedder, text):
    document = Document("d", "", "", text)
    layout = parser(embedder.max_tokens).parse(document)
    check(document, layout, parser(embedder.max_tokens))
    assert "".join(text[s.start : s.end] for s in layout.outline.sentences).replace(" ", "") == text.replace(" ", "")


def test_the_commentary_is_seven_passages_of_what_the_model_reads(parser, embedder, commentary):
    layout = parser(embedder.max_tokens).parse(commentary)
    check(commentary, layout, parser(embedder.max_tokens))
    assert [(passage.first_sentence, passage.last_sentence) for passage in layout.passages] == [
        *((0, 6), (6, 7), (8, 16), (16, 20), (21, 28), (28, 31), (32, 37))
    ]


def test_a_llamaindex_pipeline_gets_nodes_with_the_right_offsets(parser, commentary):
    source = LlamaDocument(text=commentary.text, id_="commentary", metadata={"title": commentary.title})
    nodes = IngestionPipeline(transformations=[parser(60)], disable_cache=True).run(documents=[source])
    passages = parser(60).parse(Document("commentary", "", "", commentary.text)).passages
    assert [(node.id_, node.start_char_idx, node.end_char_idx) for node in nodes] == [
        (passage.id, passage.start, passage.end) for passage in passages
    ]
    for node, passage in zip(nodes, passages, strict=True):
        assert commentary.text[node.start_char_idx : node.end_char_idx] == node.text == passage.text
        assert node.metadata == {"title": commentary.title, "heading": passage.heading}
        assert node.relationships[NodeRelationship.SOURCE].node_id == "commentary"


def test_offsets_are_right_where_a_passage_repeats_earlier_words(parser):
    text = "# One\n\nIt rains. It stops. It rains again.\n\n# Two\n\nIt stops.\n\n# Three\n\nIt rains again.\n"
    nodes = IngestionPipeline(transformations=[parser(60)], disable_cache=True).run(documents=[LlamaDocument(text=text)])
    assert [node.text for node in nodes] == ["It rains. It stops. It rains again.", "It stops.", "It rains again."]
    assert [node.start_char_idx for node in nodes] == [7, text.rindex("It stops."), text.rindex("It rains again.")]
