"""What holds of every answer, and the two sentences that stand out in the long document."""

from qa import Answer, DocumentQA
from qa.citations import check
from qa.compose import MAX_LEANING, MAX_SENTENCES

BAROMETER = "Ottoline Vasquez repaired the Quillfeather barometer with a hairpin."
PHYSICIANS = "Physicians cured the feverish infant by feeding it honey."


def assert_sound(answer: Answer, bot: DocumentQA) -> None:
    """Asserts what holds whatever was asked."""
    documents = {document.id: document for document in bot.documents}
    assert check(answer, documents) is answer
    for citation in (*answer.citations, *answer.nearest):
        document = documents[citation.document_id]
        assert document.text[citation.start : citation.end] == citation.quote
        assert citation.title == document.title
        assert 0.0 <= citation.score <= 1.0
    if answer.status == "answered":
        assert 1 <= len(answer.citations) <= MAX_SENTENCES * (1 + MAX_LEANING)
        assert answer.nearest == ()
        assert answer.confidence >= answer.trace.thresholds["answered"]
    elif answer.status == "not_in_document":
        assert answer.citations == ()
        assert 1 <= len(answer.nearest) <= 3
        assert answer.confidence < answer.trace.thresholds["answered"]
        scores = [citation.score for citation in answer.nearest]
        assert scores == sorted(scores, reverse=True)
    else:
        assert answer.status == "empty_question"
        assert (answer.citations, answer.nearest, answer.confidence) == ((), (), 0.0)
        assert answer.text == "Please ask a question."


def essence(answer: Answer) -> tuple:
    """Returns all of an answer but how long it took."""
    trace = answer.trace
    said = (answer.question, answer.text, answer.status, answer.citations, answer.confidence, answer.nearest)
    return (*said, trace.understood, trace.passages, trace.sentences, trace.notes)
