import re
import xml.etree.ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from evals.suite.evaluate import evaluate
from evals.suite.gates import load_gates, verdict
from evals.suite.gold import load_gold
from evals.suite.reports.files import write_reports
from evals.suite.reports.junit import junit
from evals.suite.reports.markdown import markdown
from evals.suite.reports.page import changes, page, pieces
from evals.suite.run import packaged_answerer
from index.progress import Listener

pytest_plugins = ["suite_fixtures"]

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)"> | `code` [link](javascript:alert(3))'


@pytest.fixture
def results_of(tmp_path):
    answerer = packaged_answerer(Listener())

    def evaluated(gold):
        options = {"folder": tmp_path / "out", "split": "dev", "command": "qa eval run", "deletion": False}
        return evaluate(gold, gold.questions, answerer, progress=lambda _: None, **options)[0]

    return evaluated


@pytest.fixture
def results(results_of, gold):
    return results_of(gold)


@pytest.fixture
def evil(results_of, write_gold):
    """A run in which whatever people write is an attack."""
    from suite_lines import line, without_answer

    return results_of(
        load_gold(
            write_gold(
                line(question=EVIL + " How long may a guest stay?", notes=EVIL, reference="Nine nights " + EVIL, author=EVIL),
                without_answer(id="b", category="prompt-injection", question=EVIL, cluster=EVIL),
            )
        )
    )


def entry(results, question_id):
    return next(each for each in results.entries if each.gold.id == question_id)


def test_the_pieces_of_a_document_are_the_document(results):
    for each in results.entries:
        text = results.documents[0].text
        assert "".join(piece.text for piece in pieces(text, each)) == text


def test_marks_say_what_is_gold_what_is_cited_and_what_is_both(results):
    nights = entry(results, "nights")
    text = results.documents[0].text
    assert [(p.text, p.kind) for p in pieces(text, nights) if p.kind] == [("A guest may stay for nine nights.", "both")]
    uncited = nights.model_copy(update={"record": nights.record.model_copy(update={"cited": ()})})
    assert [p.kind for p in pieces(text, uncited) if p.kind] == ["gold"]
    swapped = uncited.model_copy(update={"record": entry(results, "rent").record})
    assert {p.kind for p in pieces(text, swapped)} == {"", "gold", "cited"}
    kitchen = entry(results, "kitchen")
    assert "correction" in {p.kind for p in pieces(text, kitchen.model_copy(update={"record": uncited.record}))}


def test_changes_are_by_id(results):
    failed = [
        each.model_copy(update={"score": each.score.model_copy(update={"passed": not each.score.passed})})
        if each.gold.id == "nights"
        else each
        for each in results.entries[:-1]
    ]
    before = results.model_copy(update={"entries": tuple(failed)})
    now = entry(results, "nights").score.passed
    found = changes(results, before)
    assert found["nights"] == ("improved" if now else "regressed")
    assert found["key"] == "same"
    assert found["nothing"] == "new"


def test_junit_tells_failures_from_errors(results):
    failing = entry(results, "nights")
    record = failing.record.model_copy(update={"status": "failed", "error": "no \x00 connection"})
    broken = failing.model_copy(update={"record": record})
    wrong = entry(results, "key")
    wrong = wrong.model_copy(update={"score": wrong.score.model_copy(update={"passed": False}), "blame": None})
    rest = tuple(each for each in results.entries if each.gold.id not in ("nights", "key"))
    root = ET.fromstring(junit(results.model_copy(update={"entries": (broken, wrong, *rest)}), verdict(results, load_gates())))
    suite = root.find("testsuite")
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases)
    assert [case.get("name").split()[0] for case in cases if case.find("error") is not None] == ["nights"]
    assert "key" in [case.get("name").split()[0] for case in cases if case.find("failure") is not None]
    assert int(suite.get("errors")) == 1
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))


def test_markdown_has_verdict_ladder_categories_and_failures(results):
    text = markdown(results, verdict(results, load_gates()))
    for part in (
        "# Evaluation: `rules.jsonl`, dev",
        "questions on these documents only",
        "| gold sentences | 1.00 |",
        "| why | 1.00 (of 1) | 1 of 1 |",
    ):
        assert part in text


def test_what_people_write_cannot_break_a_report(evil):
    judged = verdict(evil, load_gates())
    html = page(evil, judged)
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    failed = [each.model_copy(update={"score": each.score.model_copy(update={"passed": False})}) for each in evil.entries]
    text = markdown(evil.model_copy(update={"entries": tuple(failed)}), judged)
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in rendered
    assert not re.search(r"<script|<img|<a ", rendered)
    ET.fromstring(junit(evil, judged))


def test_gates_that_failed_stay_in_sight(results):
    judged = verdict(results, load_gates())
    gates = tuple(gate.model_copy(update={"held": gate.name != "unscored"}) for gate in judged.gates)
    html = page(results, judged.model_copy(update={"gates": gates}))
    in_sight, folded = html[html.index("<h2>Gates</h2>") :].split('<details class="held">')[:2]
    assert "✗ unscored" in in_sight
    assert "✓ quote validity" not in in_sight
    assert "✓ quote validity" in folded


def test_the_page_asks_the_network_for_nothing(results):
    html = page(results, verdict(results, load_gates()))
    assert "default-src 'none'" in html
    for source in ("http://", "https://", "src=", "@import", "url("):
        assert source not in html, source


def test_four_files_are_written_whole(results, tmp_path):
    write_reports(results, verdict(results, load_gates()), tmp_path / "new" / "folder")
    names = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert names == ["junit.xml", "report.html", "report.md", "results.json"]
