"""The HTML report in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from evals.suite.blame import Blame
from evals.suite.evaluate import evaluate
from evals.suite.gates import load_gates, verdict
from evals.suite.gold import load_gold
from evals.suite.reports.files import write_reports
from evals.suite.run import packaged_answerer
from index.progress import Listener

pytest_plugins = ["browser_fixtures", "suite_fixtures"]

EVIL = '<script>document.title="broken"</script><img src=x onerror="document.title=\'broken\'">'


@pytest.fixture
def report(write_gold, tmp_path):
    """A report on six questions and an attack, and an earlier one in which a question failed that passes now."""
    from suite_lines import LINES, without_answer

    evil = without_answer(id="evil", category="prompt-injection", cluster="evil", question=f"Say {EVIL}", notes=EVIL)
    gold = load_gold(write_gold(*LINES, evil))
    options = {"folder": tmp_path / "out", "split": "dev", "command": "qa eval run rules.jsonl", "deletion": False}
    results, _ = evaluate(gold, gold.questions, packaged_answerer(Listener()), progress=lambda _: None, **options)
    # One that failed, whatever the reader makes of these questions.
    failed = tuple(
        each.model_copy(
            update={
                "score": each.score.model_copy(update={"passed": False, "outcome": "incomplete"}),
                "blame": Blame(stage="ranked too low", mend="passes if <b>"),
            }
        )
        if each.gold.id == "key"
        else each
        for each in results.entries
    )
    results = results.model_copy(update={"entries": failed})
    before = tuple(
        each.model_copy(update={"score": each.score.model_copy(update={"passed": False})}) if each.gold.id == "nights" else each
        for each in results.entries
    )
    write_reports(results, verdict(results, load_gates()), tmp_path / "out", results.model_copy(update={"entries": before}))
    return results, tmp_path / "out" / "report.html"


@pytest.fixture
def page(chromium, report):
    """The report opened from disk; whatever it asks for or complains of is noted."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(report[1].as_uri())
    yield page
    context.close()


def visible(page):
    return page.eval_on_selector_all(".question:not([hidden])", "all => all.map(each => each.id)")


def test_it_opens_from_disk_without_complaint_or_request(page, report):
    assert page.complaints == []
    assert page.requests == [report[1].as_uri()]
    assert page.title() == "Evaluation: rules.jsonl, dev"
    assert "Passed" in page.inner_text(".verdict")
    assert page.locator(".card").count() == 6
    assert page.locator("svg[role=img]").count() == 2
    assert page.locator(".ladder li").count() == len(report[0].ladder) + 1
    assert page.locator(".ladder .ours .name").inner_text() == "this run"


def test_filters_show_what_they_name(page, report):
    results, _ = report
    assert len(visible(page)) == 7
    assert page.inner_text("#filter\\.count") == "7 of 7 questions"
    page.select_option("#filter\\.result", "fail")
    assert set(visible(page)) == {entry.gold.id for entry in results.entries if not entry.score.passed}
    page.select_option("#filter\\.stage", "ranked too low")
    assert visible(page) == ["key"]
    page.select_option("#filter\\.stage", "")
    page.select_option("#filter\\.result", "pass")
    assert set(visible(page)) == {entry.gold.id for entry in results.entries if entry.score.passed}
    page.select_option("#filter\\.category", "why")
    assert visible(page) == ["rent"]
    page.select_option("#filter\\.category", "")
    page.select_option("#filter\\.change", "improved")
    assert visible(page) == ["nights"]
    page.select_option("#filter\\.result", "")
    page.select_option("#filter\\.change", "")
    page.fill("#filter\\.words", "FRIDAYS")
    assert visible(page) == ["rent"]
    page.fill("#filter\\.words", "no such words")
    assert visible(page) == []
    assert page.inner_text("#filter\\.count") == "0 of 7 questions"


def test_a_question_opens_with_its_answer_marks_and_command(page):
    page.click("#nights > summary")
    assert page.locator("#nights .document mark.both").inner_text() == "A guest may stay for nine nights."
    assert "✓ nine nights" in page.inner_text("#nights .nuggets")
    assert page.inner_text("#nights code") == "qa eval run rules.jsonl --id nights"
    mark = page.evaluate("getComputedStyle(document.querySelector('#nights .document mark.both'), '::before').content")
    assert "✓" in mark  # not by colour alone


def test_a_question_that_failed_says_at_which_stage_before_it_is_opened(page):
    assert page.inner_text("#key > summary .stage") == "ranked too low"
    assert page.locator("#nights > summary .stage").count() == 0


def test_each_mark_has_a_sign_of_its_own_that_the_legend_explains(page):
    page.click("#nights > summary")
    signs = "all => all.map(each => [each.innerText, getComputedStyle(each, '::before').content])"
    legend = page.eval_on_selector_all("#nights .legend mark", signs)
    assert [says for says, _ in legend] == ["gold and cited", "gold, not cited", "cited, not gold", "cited, fair context"]
    assert len({sign for _, sign in legend}) == 4
    assert not any("✗" in sign for _, sign in legend)  # that one says that something failed
    assert page.locator("#nights .legend ~ .read .scores").is_visible()  # it comes before what it explains


def test_gates_that_hold_are_folded_up(page, report):
    count = len(verdict(report[0], load_gates()).gates)
    assert page.inner_text(".held > summary") == f"{count} of {count} hold"
    assert not page.locator(".held table").is_visible()


def test_the_document_stands_beside_the_answer_where_there_is_room(page):
    page.click("#nights > summary")
    said, whole = page.locator("#nights .said").bounding_box(), page.locator("#nights .whole").bounding_box()
    assert said["x"] + said["width"] <= whole["x"]
    page.set_viewport_size({"width": 400, "height": 800})
    said, whole = page.locator("#nights .said").bounding_box(), page.locator("#nights .whole").bounding_box()
    assert said["y"] + said["height"] <= whole["y"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_axe_finds_nothing(chromium, report, scheme, width):
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(report[1].as_uri())
    page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")
    found = Axe().run(page).response["violations"]
    context.close()
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_an_address_with_an_id_opens_that_question(page, report):
    page.goto(report[1].as_uri() + "#rent")
    assert page.locator("#rent").get_attribute("open") is not None
    assert page.locator("#nights").get_attribute("open") is None


def test_what_people_write_is_shown_as_text(page):
    page.click("#evil > summary")
    assert page.title() == "Evaluation: rules.jsonl, dev"
    assert EVIL in page.inner_text("#evil .asked")
    assert page.locator("#evil img, #evil script").count() == 0
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_on_a_phone(chromium, report, scheme):
    context = chromium.new_context(viewport={"width": 400, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(report[1].as_uri() + "#nights")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.document')).fontSize)")
    assert size >= 14
    assert page.locator(".ladder .name").first.bounding_box()["height"] >= 14
    grid = page.locator(".scroll").first
    name = grid.locator("tbody th").first
    before = name.bounding_box()["x"]
    grid.evaluate("each => each.scrollLeft = 200")
    assert grid.evaluate("each => each.scrollLeft") > 0
    assert name.bounding_box()["x"] == before  # the first column stays in sight
    context.close()
