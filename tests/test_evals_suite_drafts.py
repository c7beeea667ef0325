import json

import pytest
from suite_lines import RULES

from evals.suite.drafts import FeedbackLine, add_drafts, load_feedback
from evals.suite.gold import FOLDER, load_gold
from evals.suite.lint import lint
from evals.suite.schema import GoldError
from index.load import load_builtin, load_text

NIGHTS = "A guest may stay for nine nights."


def feedback(document=None, quote=NIGHTS, **fields):
    document = document or load_text(RULES)
    start = document.text.index(quote)
    citation = {"document_id": document.id, "title": document.title, "start": start, "end": start + len(quote), "quote": quote}
    whole = {
        "at": "2026-11-25T12:00:00+00:00",
        "question": "How long may a guest stay?",
        "history": [],
        "documents": [document.id],
        "status": "answered",
        "text": f"{quote} [1]",
        "confidence": 0.8,
        "citations": [citation],
        "right": True,
    }
    return FeedbackLine.model_validate(whole | fields)


@pytest.fixture
def gold_path(tmp_path):
    (tmp_path / "rules.txt").write_text(RULES, encoding="utf-8")
    return tmp_path / "drafts.jsonl"


def test_a_right_answer_becomes_a_gold_question(gold_path):
    made = add_drafts([feedback()], gold_path)
    assert (len(made.added), made.known, made.passed_over) == (1, 0, ())
    gold = load_gold(gold_path)
    question = gold.questions[0]
    assert question.line.document == "rules.txt"
    assert question.line.notes.startswith("REVIEW: marked right")
    assert [question.document.text[start:end] for start, end in question.evidence] == [NIGHTS]
    assert question.line.reference == NIGHTS
    assert [str(finding).split(":")[1].strip() for finding in lint(gold, {}) if finding.fault] == [
        "a draft that nobody has looked at"
    ]


def test_an_answer_that_is_marked_again_makes_one_draft_of_the_last_line(gold_path):
    later = feedback(at="2026-11-25T12:01:00+00:00", remark="Clear.")
    other = feedback(at="2026-11-25T12:02:00+00:00", right=False)
    assert len(add_drafts([feedback(), later, other], gold_path).added) == 2
    assert "remark: Clear." in load_gold(gold_path).questions[0].line.notes
    assert add_drafts([feedback(), later, other], gold_path).known == 2


def test_a_wrong_answer_becomes_a_question_that_needs_its_evidence(gold_path):
    add_drafts([feedback(right=False, remark="It says nine, not <b>ten</b>.", history=["Who may stay?"])], gold_path)
    question = load_gold(gold_path).questions[0]
    assert (question.line.answerable, question.nuggets, question.line.category) == (True, (), "follow-up")
    assert "remark: It says nine, not <b>ten</b>." in question.line.notes
    assert f"shown: {NIGHTS}" in question.line.notes
    assert any("no nugget is vital" in str(finding) for finding in lint(load_gold(gold_path), {}))


@pytest.mark.parametrize(("right", "answerable"), [(True, False), (False, True)])
def test_a_declined_question_has_no_answer_if_that_was_right(gold_path, right, answerable):
    add_drafts([feedback(status="not_in_document", citations=[], right=right, text="No.")], gold_path)
    line = load_gold(gold_path).questions[0].line
    assert (line.answerable, line.nuggets, line.reference) == (answerable, [], "")


def test_the_same_feedback_is_added_once_and_nothing_that_was_there_is_lost(gold_path):
    add_drafts([feedback()], gold_path)
    # However a reviewer's editor writes it, and whatever line ends JSON lets stand in a remark.
    line = json.loads(gold_path.read_text())
    gold_path.write_text(json.dumps(line | {"notes": "looked at\u2028twice"}, ensure_ascii=False, indent=None) + "\n")
    before = gold_path.read_text()
    made = add_drafts([feedback(), feedback(question="How many nights may a guest stay?")], gold_path)
    assert (len(made.added), made.known) == (1, 1)
    assert gold_path.read_text().startswith(before)
    assert len(load_gold(gold_path).questions) == 2


def test_a_quote_that_stands_there_twice_says_which_is_meant(tmp_path):
    text = "Again\n\nIt rains. It snows. It rains."
    (tmp_path / "again.txt").write_text(text)
    document = load_text(text)
    second = {"document_id": document.id, "title": "Again", "start": 27, "end": 36, "quote": "It rains."}
    add_drafts([feedback(document, "It rains.", citations=[second])], tmp_path / "drafts.jsonl")
    assert load_gold(tmp_path / "drafts.jsonl").questions[0].evidence == ((27, 36),)


def test_the_built_in_document_needs_no_file(tmp_path):
    document = load_builtin()
    quote = "Changing Approach"
    made = add_drafts([feedback(document, quote)], tmp_path / "drafts.jsonl")
    assert len(made.added) == 1
    assert load_gold(tmp_path / "drafts.jsonl").questions[0].line.document == "commentary"


def test_feedback_on_other_documents_is_passed_over_with_a_reason(gold_path):
    elsewhere = load_text("Another text. It is not here.")
    made = add_drafts([feedback(elsewhere, "It is not here."), feedback(documents=["a", "b"])], gold_path)
    assert made.added == ()
    assert made.passed_over == (
        "'How long may a guest stay?': its document is not beside drafts.jsonl, or has changed",
        "'How long may a guest stay?': several documents were asked",
    )
    assert not gold_path.exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quote": "A guest may stay for ten nights."}, "a quote does not stand in the document where it says"),
        ({"start": 0, "end": 33}, "a quote does not stand in the document where it says"),
        ({"quote": "", "start": 5, "end": 5}, "a quote does not stand in the document where it says"),
    ],
)
def test_a_quote_that_is_not_there_makes_no_draft(gold_path, change, reason):
    its = feedback()
    its = its.model_copy(update={"citations": [its.citations[0].model_copy(update=change)]})
    assert add_drafts([its], gold_path).passed_over == (f"'How long may a guest stay?': {reason}",)
    assert add_drafts([feedback(history=[""])], gold_path).passed_over == (
        "'How long may a guest stay?': an earlier question is empty",
    )


def test_a_gold_file_with_a_fault_is_left_as_it_is(gold_path):
    gold_path.write_text("{}\n")
    with pytest.raises(GoldError):
        add_drafts([feedback()], gold_path)
    assert gold_path.read_text() == "{}\n"


def test_faults_in_a_feedback_file_name_their_line(tmp_path):
    path = tmp_path / "feedback.jsonl"
    path.write_text(feedback().model_dump_json() + "\n\n" + json.dumps({"question": "?"}) + "\n{\n")
    lines, faults = load_feedback(path)
    assert lines == [feedback()]
    assert [fault.split(": ")[0] for fault in faults] == ["feedback.jsonl:3", "feedback.jsonl:4"]
    with pytest.raises(GoldError, match="cannot be read"):
        load_feedback(tmp_path / "none.jsonl")
    path.write_text(feedback().model_dump_json() + "\n")
    assert load_feedback(path) == ([feedback()], [])


def test_the_described_format_is_the_format():
    described = (FOLDER / "FORMAT.md").read_text(encoding="utf-8").split("```json\n")[2].split("```")[0]
    assert FeedbackLine.model_validate_json(described).citations[0].quote == NIGHTS
