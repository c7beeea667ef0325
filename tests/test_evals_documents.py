import pytest

from evals.documents import MIX, in_documents, mix_weights, off_topic, passage_of
from evals.questions import overlaps
from evals.written_questions import load_written


@pytest.fixture(scope="module")
def written():
    return load_written("dev", twins=True)


def test_labels_still_mark_the_same_words_in_the_longer_document(written):
    for before, after in zip(written, in_documents(written), strict=True):
        for old, new in zip((*before.nuggets, before.useful), (*after.nuggets, after.useful), strict=True):
            words = [before.document.text[start:end] for start, end in old]
            assert [after.document.text[start:end] for start, end in new] == words
        assert before.document.text in after.document.text


def test_a_question_and_its_twin_have_the_same_neighbours(written):
    asked = {question.id: question for question in in_documents(written)}
    twins = [question for question in asked.values() if question.twin_of is not None and "+" in question.document.source]
    assert twins
    for twin in twins:
        assert twin.document.source.split("+") == asked[twin.twin_of].document.source.split("+")


def test_off_topic_questions_are_asked_of_documents_without_their_passage(written):
    asked = in_documents(written)
    far = off_topic(asked)
    assert len(far) > 0.9 * sum(question.twin_of is None for question in asked)
    own = {question.id: question.document for question in asked}
    for question in far:
        assert not question.answerable
        assert passage_of(question) not in question.document.source.split("+")
        assert question.document.text != own[question.id].text
    assert off_topic(asked) == far


def test_the_three_kinds_count_as_the_mix_says():
    answerable, far = [True, False, False, False, False], [False, False, False, True, True]
    weights = mix_weights(answerable, far)
    assert [weights[0], sum(weights[1:3]), sum(weights[3:])] == pytest.approx([5 * share for share in MIX])
    # Where a kind is missing, the others keep their proportion.
    assert mix_weights([True, True, False], [False, False, True]) == pytest.approx([1.2, 1.2, 0.6])


def test_overlap_is_of_half_open_spans():
    assert overlaps((0, 2), (1, 3))
    assert not overlaps((0, 2), (2, 3))
