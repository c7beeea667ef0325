import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from index.load import load_text
from qa.citations import check
from qa.compose import write
from qa.errors import CitationError
from qa.types import Answer, Citation, Trace

OTHER = load_text("Another document altogether, with sentences of its own.", title="Other")
PIECES = ("The move failed.", " It was late! ", "\n\n", "  ", "[1]", "[2] ", "“No,”", "漢字。", "😀", "\x1b[31m", "\u202e", "a")


def _citation(document, start, end, number=1):
    return Citation(number, document.id, document.title, start, end, document.text[start:end], None, None, 0.5)


def _answered(citations, confidence=0.8):
    return Answer("?", write(citations), "answered", tuple(citations), confidence, (), Trace("?"))


def _declined(nearest):
    return Answer("?", "The document does not answer this.", "not_in_document", (), 0.2, tuple(nearest), Trace("?"))


@st.composite
def cited(draw, least=1):
    """A document and citations of slices of it."""
    document = load_text("".join(draw(st.lists(st.sampled_from(PIECES), min_size=2, max_size=12))) + "end.", title="T")
    spans = st.tuples(st.integers(0, len(document.text)), st.integers(0, len(document.text))).map(sorted)
    spans = spans.filter(lambda span: document.text[span[0] : span[1]].strip())
    chosen = draw(st.lists(spans, min_size=least, max_size=4))
    return document, [_citation(document, *span, number) for number, span in enumerate(chosen, start=1)]


def _breaks(answer, *documents):
    with pytest.raises(CitationError):
        check(answer, {document.id: document for document in documents})


def _changed_one(draw, citations, change):
    """Returns the citations with one of them changed."""
    position = draw(st.integers(0, len(citations) - 1))
    return [change(citation) if at == position else citation for at, citation in enumerate(citations)]


@given(cited())
def test_an_answer_made_of_slices_of_its_document_passes_unchanged(made):
    document, citations = made
    answer = _answered(citations)
    assert check(answer, {document.id: document}) is answer
    answer = _declined(citations[:3])
    assert check(answer, {document.id: document}) is answer


@given(cited(), st.data())
def test_a_quote_that_is_not_the_slice_is_noticed(made, data):
    document, citations = made
    at = data.draw(st.integers(0, 1000))

    def alter(citation):
        position = at % len(citation.quote)
        return replace(citation, quote=citation.quote[:position] + "¶" + citation.quote[position + 1 :])

    wrong = _changed_one(data.draw, citations, alter)
    _breaks(_answered(wrong), document)
    _breaks(_declined(wrong), document)


@given(cited(), st.data(), st.sampled_from([(1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0)]))
def test_an_offset_that_is_one_off_is_noticed(made, data, off):
    document, citations = made
    wrong = _changed_one(data.draw, citations, lambda c: replace(c, start=c.start + off[0], end=c.end + off[1]))
    # In 'aaa' a neighbouring slice reads the same, and is then just as true.
    assume(all(c.start < 0 or document.text[c.start : c.end] != c.quote for c in wrong if c not in citations))
    _breaks(_answered(wrong), document)
    _breaks(_declined(wrong), document)


@given(cited(), st.data(), st.sampled_from([(-1, 0), (0, 10_000), (-10_000, 0)]))
def test_an_offset_outside_the_document_is_noticed_though_python_would_slice_there(made, data, off):
    document, citations = made

    def move(citation):
        start = off[0] or citation.start
        end = citation.end + off[1]
        return replace(citation, start=start, end=end, quote=document.text[start:end])

    _breaks(_answered(_changed_one(data.draw, citations, move)), document)


@given(cited(), st.data())
def test_a_citation_of_a_document_that_was_not_asked_is_noticed(made, data):
    document, citations = made
    wrong = _changed_one(data.draw, citations, lambda c: replace(c, document_id=OTHER.id))
    _breaks(_answered(wrong), document)
    _breaks(_declined(wrong), document)


@given(cited(), st.data())
def test_a_citation_of_the_wrong_one_of_two_documents_is_noticed(made, data):
    document, citations = made
    wrong = _changed_one(data.draw, citations, lambda c: replace(c, document_id=OTHER.id))
    assume(all(OTHER.text[c.start : c.end] != c.quote for c in wrong if c.document_id == OTHER.id))
    _breaks(_answered(wrong), document, OTHER)


@pytest.mark.parametrize("span", [(9, 11), (9, 9), (12, 12), (12, 9)])
def test_a_blank_or_empty_quote_is_noticed(span):
    document = load_text("It ended.  \n It began.", title="T")
    _breaks(_answered([_citation(document, *span)]), document)
    _breaks(_declined([_citation(document, *span)]), document)


@given(cited(least=2), st.data())
def test_numbers_that_do_not_count_from_one_in_order_are_noticed(made, data):
    document, citations = made
    count = len(citations)
    numbers = data.draw(
        st.sampled_from(
            [
                [*range(1, count), count + 1],  # one skipped
                list(range(2, count + 2)),  # none is 1
                list(range(count)),  # from 0
                [1, *range(1, count)],  # one twice
                list(range(count, 0, -1)),  # the other way round
            ]
        )
    )
    wrong = [replace(citation, number=number) for citation, number in zip(citations, numbers, strict=True)]
    _breaks(_answered(wrong), document)


@given(cited(least=2), st.data())
def test_a_text_that_is_not_the_cited_sentences_with_their_markers_is_noticed(made, data):
    document, citations = made
    answer = _answered(citations)
    number = data.draw(st.integers(1, len(citations)))
    marker = f" [{number}]"
    broken = {
        "a marker is missing": answer.text.replace(marker, "", 1),
        "a marker is there twice": answer.text.replace(marker, marker * 2, 1),
        "a marker has the wrong number": answer.text.replace(marker, f" [{len(citations) + 1}]", 1),
        "a marker points at nothing": f"{answer.text} [{len(citations) + 1}]",
        "a sentence without citation comes last": f"{answer.text} The moon is made of cheese.",
        "a sentence without citation comes first": f"The moon is made of cheese. {answer.text}",
        "a sentence is missing": write(citations[1:]),
        "nothing is said": "",
        "a word was changed": answer.text.replace(marker, f" not{marker}", 1),
    }
    text = broken[data.draw(st.sampled_from(sorted(broken)))]
    assume(text != answer.text)
    _breaks(replace(answer, text=text), document)


def test_a_number_in_brackets_that_is_the_documents_own_is_noticed_even_if_it_was_not_rewritten(monkeypatch):
    document = load_text("The move [2] failed.", title="T")
    monkeypatch.setattr("qa.citations.shown", str)
    answer = replace(_answered([_citation(document, 0, 20)]), text="The move [2] failed. [1]")
    _breaks(answer, document)


@given(cited())
def test_a_status_that_does_not_fit_the_citations_is_noticed(made):
    document, citations = made
    answer = _answered(citations)
    _breaks(replace(answer, citations=()), document)
    _breaks(replace(answer, citations=(), text=""), document)
    for status in ("not_in_document", "empty_question"):
        _breaks(replace(answer, status=status), document)
        _breaks(replace(_declined([]), status=status, citations=tuple(citations)), document)


@given(cited())
def test_what_is_said_instead_of_an_answer_says_nothing_about_the_document(made):
    document, citations = made
    for text in (write(citations), "The moon is made of cheese.", "The document does not answer this. [1]", ""):
        _breaks(replace(_declined(citations[:1]), text=text), document)


@given(cited())
def test_only_what_is_not_in_the_document_has_nearest_sentences(made):
    document, citations = made
    _breaks(replace(_answered(citations), nearest=tuple(citations[:1])), document)
    empty = Answer("", "Please ask a question.", "empty_question", (), 0.0, (), Trace(""))
    assert check(empty, {document.id: document}) is empty
    _breaks(replace(empty, nearest=tuple(citations[:1])), document)


@pytest.mark.parametrize("confidence", [-0.001, 1.001, math.nan, math.inf, -math.inf])
def test_a_confidence_that_is_no_probability_is_noticed(confidence):
    _breaks(_answered([_citation(OTHER, 0, 16)], confidence), OTHER)
    _breaks(replace(_declined([]), confidence=confidence), OTHER)


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_certainty_is_a_probability_too(confidence):
    answer = _answered([_citation(OTHER, 0, 16)], confidence)
    assert check(answer, {OTHER.id: OTHER}) is answer
