import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from app.cli import qa as command
from app.feedback import feedback_line, write_feedback
from app.render import as_markdown, as_text, confidence_in_words, conversation, document_page, welcome
from app.saved import Saved, as_json, as_page, conversation_as_markdown, load_saved, verify
from app.session import Asking, Turned
from evals.suite.drafts import load_feedback
from index.errors import QAError
from index.load import load_text
from index.sentences import outline
from qa.compose import place

pytest_plugins = ["qa_fixtures"]

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"
UN = "Why did Japan withhold the UN resolution?"
LEAD = "What is the boiling point of lead?"


def turned(bot, *questions):
    turns = []
    for question in questions:
        history = tuple(turn.question for turn in turns)
        outlines = {document.id: bot.outline(document.id) for document in bot.documents}
        turns.append(Turned(question, bot.ask(question, history), bot.documents, outlines, history))
    return turns


@pytest.fixture(scope="module")
def turns(bot):
    return turned(bot, UN, LEAD, " ", "And when?")


@pytest.fixture(scope="module")
def evil(bot_for):
    document = load_text(f"{EVIL} rules\n\nThe [1] *blue* tram {EVIL} stops here. It `runs` hourly.", title=f"T {EVIL}")
    return turned(bot_for(document), f"Where does the blue tram stop {EVIL}?")


@pytest.mark.parametrize("make", [conversation, lambda turns: as_page(turns, AT)])
def test_whatever_it_is_is_shown_as_text(evil, make):
    html = make(evil)
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "<img" not in html


def test_a_conversation_has_a_marker_for_each_citation(turns):
    html = conversation(turns)
    for number, turn in enumerate(turns, start=1):
        for citation in turn.answer.citations:
            assert f'id="cite-{number}-{citation.number}"' in html
            assert f'href="#s-{citation.document_id}-{citation.start}"' in html
    assert "The document does not answer this." in html
    assert html.count("which are not an answer") == sum(turn.answer.status == "not_in_document" for turn in turns)
    assert "Please ask a question." in html


def test_a_question_in_work_and_a_notice_are_shown(turns):
    html = conversation(turns[:1], asking=Asking(EVIL, 1), notice=EVIL)
    assert html.count("&lt;script&gt;") == 2
    assert "Reading …" in html
    assert EVIL not in welcome([], [EVIL], EVIL)


def test_each_sentence_of_a_document_can_be_found(commentary):
    html = document_page(commentary, outline(commentary.text, commentary.id))
    for sentence in outline(commentary.text, commentary.id).sentences:
        assert f'id="s-{commentary.id}-{sentence.start}" data-start="{sentence.start}" data-end="{sentence.end}"' in html
    assert html.count("<h3>") == 3
    assert html.count(commentary.title) == 2  # its heading, and what the article is called


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(1.0, "Almost certainly"), (0.75, "Probably"), (0.5, "Perhaps"), (0.49, "Perhaps not"), (0.0, "Almost certainly not")],
)
def test_confidence_in_words(confidence, words):
    assert confidence_in_words(confidence) == words


def test_copied_text_has_the_citations(turns, evil):
    (first, *_) = turns
    lines = as_text(first.answer).splitlines()
    assert lines[0] == first.answer.text
    assert lines[2].startswith("[1] “A mid-March")
    assert lines[2].endswith(f"({place(first.answer.citations[0])})")
    assert as_text(turns[1].answer) == as_markdown(turns[1].answer) == "The document does not answer this."
    said = as_markdown(evil[0].answer)
    assert "<" not in said.replace("\\<", "")
    assert "\\*blue\\*" in said


def test_markdown_has_every_question(turns):
    said = conversation_as_markdown(turns, AT)
    assert said.startswith("# Questions and answers, 2026-01-02 03:04\n\n## Why did Japan withhold the UN resolution?\n\n")
    assert said.count("\n## ") == 4
    assert "## (empty)" in said
    assert said.count("Confidence that the document answers this: ") == 3


def test_a_saved_page_has_its_marks(turns, commentary):
    html = as_page(turns, AT)
    assert '<a class="back" href="#cite-1-1" aria-label="To citation 1.1">1.1</a>A mid-March' in html
    assert "<button" not in html
    assert "<script" not in html
    assert commentary.title in html
    # The closest sentences can be looked up, too.
    declined = as_page(turns[1:2], AT)
    for citation in turns[1].answer.nearest:
        assert f'id="s-{citation.document_id}-{citation.start}"' in declined


def test_what_was_saved_is_verified(turns, commentary, tmp_path):
    path = tmp_path / "saved.json"
    path.write_text(as_json(turns, AT), encoding="utf-8")
    saved = load_saved(path)
    quotes = sum(len(turn.answer.citations) + len(turn.answer.nearest) for turn in turns)

    def states(*documents):
        return [each.state for each in verify(saved, documents)]

    assert states(commentary) == ["holds"] * quotes
    assert states() == ["no document"] * quotes
    first = turns[0].answer.citations[0].quote
    moved = load_text("A new beginning.\n\n" + commentary.text, title=commentary.title)
    assert states(moved) == ["moved"] * quotes
    changed = load_text(commentary.text.replace(first, "Nothing."), title=commentary.title)
    assert states(changed)[0] == "gone"
    assert "moved" in states(changed)
    namesake = load_text("Something else.", title=commentary.title)
    assert states(moved, namesake) == states(namesake, moved) == ["moved"] * quotes


def test_a_tampered_quote_is_found(turns, commentary):
    document = json.loads(as_json(turns, AT))
    document["turns"][0]["citations"][0]["quote"] = "Japan withheld nothing."
    assert verify(Saved.model_validate(document), [commentary])[0].state == "gone"
    document["turns"][0]["citations"][0]["document_id"] = "unheard of"
    assert verify(Saved.model_validate(document), [commentary])[0].state == "no document"


def test_qa_verify_says_what_is_stale(turns, tmp_path, home):
    (tmp_path / "saved.json").write_text(as_json(turns, AT), encoding="utf-8")
    document = json.loads(as_json(turns, AT))
    document["turns"][0]["citations"][0]["quote"] = f"Nothing {EVIL}\x1b[31m."
    (tmp_path / "stale.json").write_text(json.dumps(document))

    def run(name):
        return CliRunner().invoke(command, ["verify", str(tmp_path / name)])

    assert run("saved.json").exit_code == 0
    stale = run("stale.json")
    assert stale.exit_code == 1
    assert stale.stdout.startswith(f"question 1, “Nothing {EVIL} [31m.”: stale: the document does not say this any more\n")
    for content in ("{}", "nonsense", '{"version": 2}'):
        (tmp_path / "bad.json").write_text(content)
        result = run("bad.json")
        assert isinstance(result.exception, QAError)
        assert "is not a saved conversation" in str(result.exception)
    assert "cannot be read" in str(run("missing.json").exception)


def test_feedback_is_what_the_evals_read(turns, tmp_path):
    path = tmp_path / "new" / "feedback.jsonl"
    for right, turn in ((True, turns[0]), (False, turns[3])):
        write_feedback(feedback_line(turn, right, "x" * 5000, AT), path)
    (first, second), _ = load_feedback(path)
    assert (first.question, first.right, len(first.remark)) == (UN, True, 1000)
    assert second.history == [UN, LEAD]  # an empty question is none
    assert first.citations[0].quote == turns[0].answer.citations[0].quote
    assert path.stat().st_mode & 0o077 == 0


def test_feedback_after_a_line_that_was_cut_off_is_whole(turns, tmp_path):
    path = tmp_path / "feedback.jsonl"
    path.write_text('{"version":1,"at":')
    write_feedback(feedback_line(turns[0], True, "", AT), path)
    assert [line[:11] for line in path.read_text().splitlines()] == ['{"version":', '{"version":']
    json.loads(path.read_text().splitlines()[1])


def test_feedback_written_at_the_same_time_stays_apart(turns, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "feedback.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: write_feedback(feedback_line(turns[0], True, str(n), AT), path), range(100)))
    assert sorted(int(line.remark) for line in load_feedback(path)[0]) == list(range(100))


def test_feedback_that_cannot_be_written_is_one_line(turns, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(QAError, match="your feedback could not be written"):
        write_feedback(feedback_line(turns[0], True, "", AT), tmp_path / "file" / "feedback.jsonl")
