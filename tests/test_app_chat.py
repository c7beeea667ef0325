"""The chat in a real browser."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from chat_server import SCRIPT, chat_served
from language_model_server import SentencePicker, serving
from playwright.sync_api import expect

from evals.suite.drafts import load_feedback
from index.load import load_builtin

pytest_plugins = ["browser_fixtures", "chat_fixtures"]

UN = "Why did Japan withhold the UN resolution?"
TALKS = "Where did the secret talks take place?"
LEAD = "What is the boiling point of lead?"
EVIL = (
    '<script>document.title="broken"</script><img src=x onerror="document.title=\'broken\'">'
    "[a](javascript:alert(1)) ${1+1} {{value}}"
)
TRAMS = f"Trams of the Town\n\nThe blue tram stops at the brewery {EVIL}. It runs hourly. Dogs ride free of charge.\n"
WAIT = 60_000


@pytest.fixture
def visit(chromium, chat):
    """Opens the page as a new visitor; at the end nothing may have been complained of, or asked of other machines."""
    contexts, complaints, elsewhere = [], [], []

    def opened(url=chat[0], ready=True, **options):
        context = chromium.new_context(**({"viewport": {"width": 1400, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                elsewhere.append(request.url) if not request.url.startswith((url, "blob:", "data:", "file:")) else None
            ),
        )
        page.goto(url)
        if ready:
            expect(page.get_by_label("Your question")).to_be_editable()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert elsewhere == []


def ask(page, question):
    before = page.locator(".turn[data-turn]").count()
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator(".turn[data-turn]")).to_have_count(before + 1)
    return page.locator(".turn[data-turn]").last


def upload(page, name, text):
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "text/plain", "buffer": text.encode()})


def assert_in_view(locator):
    locator.page.wait_for_function(
        """(element) => {
            const { top, bottom } = element.getBoundingClientRect();
            return top >= 0 && bottom <= innerHeight && bottom > top;
        }""",
        arg=locator.element_handle(),
    )


def test_an_answer_stands_beside_its_marked_sentences(visit):
    page = visit()
    expect(page.locator(".example")).to_have_count(4)
    turn = ask(page, UN)
    cited = page.locator("#document .s.cited")
    quotes = turn.locator(".sentence").all_inner_texts()
    assert len(quotes) == cited.count() >= 1
    assert_in_view(cited.first)
    for number in range(len(quotes)):
        turn.locator(".cite").nth(number).click()
        chosen = page.locator("#document .s.chosen")
        expect(chosen).to_have_count(1)
        assert_in_view(chosen)
        said = chosen.evaluate(
            "(s) => [...s.childNodes].filter((n) => n.className !== 'back').map((n) => n.textContent).join('')"
        )
        assert said in load_builtin().text
        assert " ".join(said.split()) in " ".join(quotes[number].split())
        assert chosen.locator(".back").inner_text() == str(number + 1)
    # It is marked by more than a colour, and leads back.
    assert "underline" in chosen.evaluate("(s) => getComputedStyle(s).textDecorationLine")
    chosen.locator(".back").click()
    assert page.evaluate("document.activeElement.id") == f"cite-1-{len(quotes)}"
    expect(turn.locator(".confidence")).to_contain_text(re.compile(r"\(0\.\d\d of 1\)"))


def test_a_marker_that_is_pointed_at_shows_a_card(visit):
    page = visit()
    turn = ask(page, UN)
    card = turn.locator(".card").first
    expect(card).to_be_hidden()
    turn.locator(".cite").first.hover()
    expect(card).to_be_visible()
    expect(card).to_contain_text("The Hanoi Summit Failure")
    assert card.locator("q").inner_text().strip('“”"') in load_builtin().text


def test_a_follow_up_says_how_it_was_understood(visit):
    page = visit()
    ask(page, TALKS)
    turn = ask(page, "And when?")
    expect(turn.locator(".note").first).to_have_text("Understood as: And when? (secret talks take place)")
    details = turn.locator("details")
    details.locator("summary").click()
    expect(details.locator("tbody").first.locator("tr")).to_have_count(10)
    expect(details).to_contain_text("And when? (secret talks take place)")
    # An example is a question, too.
    page.get_by_role("button", name="New conversation").click()
    page.locator(".example").first.click()
    expect(page.locator(".turn[data-turn]")).to_have_count(1)


def test_what_is_closest_is_never_dressed_up_as_an_answer(visit):
    page = visit()
    turn = ask(page, LEAD)
    expect(turn.locator(".said")).to_have_text("The document does not answer this.")
    expect(turn.locator(".nearest")).to_contain_text("which are not an answer")
    assert page.locator("#document .s.cited").count() == 0
    closest = turn.locator(".nearest .cite")
    assert closest.count() == 3
    closest.nth(1).click()
    near = page.locator("#document .s.near")
    expect(near).to_have_count(1)
    assert_in_view(near)
    assert page.locator("#document .s.cited").count() == 0


def test_marks_follow_the_answer_that_is_scrolled_to(visit):
    page = visit()
    page.set_viewport_size({"width": 1200, "height": 560})
    for question in (UN, TALKS, LEAD):
        ask(page, question)
    expect(page.locator("#document .back")).to_have_count(0)  # the last one was declined
    page.locator("#conversation").hover()
    page.mouse.wheel(0, -5000)
    expect(page.locator("#document .back").first).to_have_attribute("href", re.compile("#cite-[12]-"))


def test_a_question_is_edited_asked_again_and_cleared(visit):
    page = visit()
    ask(page, LEAD)
    ask(page, TALKS)
    page.get_by_role("button", name="Edit question 1").click()
    field = page.get_by_role("textbox")
    expect(field).to_have_value(LEAD)
    expect(page.get_by_text("Edit question 1; those after it go")).to_be_visible()
    field.fill(UN)
    field.press("Enter")
    expect(page.locator(".turn[data-turn]")).to_have_count(1)
    expect(page.locator(".question")).to_have_text(UN)
    first = page.locator(".said").inner_text()
    ask(page, TALKS)
    page.get_by_role("button", name="Ask question 1 again").click()
    expect(page.locator(".waiting")).to_have_count(0)
    expect(page.locator(".question")).to_have_text([UN, TALKS])
    expect(page.locator(".said").first).to_have_text(first, use_inner_text=True)
    expect(field).to_be_focused()
    page.get_by_role("button", name="Edit question 2").click()
    expect(field).to_have_value(TALKS)
    field.press("Escape")
    expect(field).to_have_value("")
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".welcome")).to_be_visible()
    turn = ask(page, "And when?")
    expect(turn.locator(".note").filter(has_text="Understood")).to_have_count(0)


def test_a_document_is_brought_asked_and_removed(visit):
    page = visit()
    other = visit()
    upload(page, '../<img src=x onerror="alert(1)">.txt', TRAMS)
    expect(page.locator(".notice")).to_have_text("“Trams of the Town” can be asked now.")
    expect(page.get_by_role("combobox")).to_have_value("Trams of the Town")
    expect(page.locator("#document .title")).to_have_text("Trams of the Town")
    turn = ask(page, "Does the blue tram stop at the brewery?")
    expect(turn.locator(".said")).to_contain_text("The blue tram stops at the brewery <script>")
    turn.locator(".cite").first.hover()
    expect(turn.locator(".card").first).to_contain_text("Trams of the Town")
    assert page.title() == "document-qa"
    # Nobody else sees it.
    other.reload()
    expect(other.get_by_label("Your question")).to_be_editable()
    expect(other.get_by_role("combobox")).to_have_value(load_builtin().title)
    assert other.get_by_role("combobox").is_disabled()
    # All documents are asked together, and one can be chosen.
    page.get_by_role("combobox").click()
    page.get_by_role("option", name="All 2 documents").click()
    expect(page.get_by_role("combobox")).to_have_value("All 2 documents")
    turn = ask(page, "Do dogs pay on the blue tram?")
    expect(turn.locator(".confidence")).to_contain_text("documents")
    expect(page.locator("#document .title")).to_have_text("Trams of the Town")
    turn = ask(page, TALKS)
    expect(page.locator("#document .title")).to_have_text(load_builtin().title)
    page.locator(".turn[data-turn]").nth(1).locator(".cite").first.click()
    expect(page.locator("#document .title")).to_have_text("Trams of the Town")
    expect(page.locator("#document .s.chosen")).to_have_count(1)
    page.get_by_role("combobox").click()
    page.get_by_role("option", name="Trams of the Town").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".notice")).to_have_text("“Trams of the Town” was removed.")
    expect(page.get_by_role("combobox")).to_have_value(load_builtin().title)
    expect(page.locator(".turn[data-turn]")).to_have_count(3)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty.txt", b" \n", "empty.txt: the document is empty or only white space"),
        ("picture.txt", b"\x89PNG\0\0", "picture.txt: is not text"),
        ("latin.md", "caf\xe9".encode("latin-1"), "latin.md: is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_asked_is_refused_and_the_chat_goes_on(visit, name, data, said):
    page = visit()
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "text/plain", "buffer": data})
    expect(page.locator(".notice")).to_contain_text(said)
    assert "answered" in ask(page, UN).locator(".answer").get_attribute("class")


def test_a_file_that_is_too_large_is_refused_and_the_chat_goes_on(visit):
    page = visit()
    upload(page, "large.txt", "x" * 5_300_000)
    expect(page.get_by_text("exceed the maximum allowed size").first).to_be_visible()
    assert "answered" in ask(page, UN).locator(".answer").get_attribute("class")


def test_a_file_name_is_shown_as_text(visit):
    page = visit()
    upload(
        page,
        "<b onclick=alert(1)>trams&amp;.txt",
        "no title here, only one long sentence about the blue tram that runs on and on.",
    )
    expect(page.locator("#document .title")).to_contain_text("trams")
    assert page.locator("#document .title *, .notice *").count() == 0


def test_what_is_typed_is_shown_as_text(visit):
    page = visit()
    turn = ask(page, f"{EVIL} talks?")
    expect(turn.locator(".question")).to_have_text(f"{EVIL} talks?")
    assert page.title() == "document-qa"
    assert page.locator("#conversation img, #conversation a[href^=javascript]").count() == 0
    page.get_by_role("textbox").fill("x" * 2001)
    page.get_by_role("textbox").press("Enter")
    expect(page.locator(".notice")).to_contain_text("2,001 characters; at most 2,000 are read")
    expect(page.get_by_role("textbox")).to_have_value("x" * 2001)


def test_feedback_is_written_as_the_evals_want_it(visit, chat):
    page = visit()
    turn = ask(page, UN)
    turn.get_by_role("button", name="Wrong answer").click()
    expect(turn.get_by_role("button", name="Wrong answer")).to_have_attribute("aria-pressed", "true")
    thumb = load_feedback(chat[1] / "feedback.jsonl")[0][-1]
    assert (thumb.question, thumb.right, thumb.remark) == (UN, False, "")
    page.get_by_label("Marked wrong, thank you. Remark (optional)").fill(EVIL)
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("your remark was written down")
    line = load_feedback(chat[1] / "feedback.jsonl")[0][-1]
    assert (line.question, line.right, line.remark, line.status) == (UN, False, EVIL, "answered")
    assert line.documents == [load_builtin().id]
    assert all(load_builtin().text[c.start : c.end] == c.quote for c in line.citations)


def test_a_conversation_is_saved_and_verified(visit, chat, tmp_path):
    page = visit()
    ask(page, UN)
    ask(page, LEAD)
    saved = {}
    for kind in ("Markdown", "JSON", "page"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save as {kind}").click()
        name = download.value.suggested_filename
        assert re.fullmatch(r"questions-[\d-]+\.(md|json|html)", name)
        saved[kind] = tmp_path / name
        download.value.save_as(saved[kind])
    assert UN.rstrip("?") in saved["Markdown"].read_text()
    document = json.loads(saved["JSON"].read_text())
    assert [turn["status"] for turn in document["turns"]] == ["answered", "not_in_document"]

    def verify(*arguments):
        return subprocess.run([SCRIPT, "verify", saved["JSON"], *arguments], capture_output=True, text=True, timeout=120)

    done = verify("--home", chat[1])
    assert (done.returncode, done.stderr) == (0, "")
    quotes = sum(len(turn["citations"]) + len(turn["nearest"]) for turn in document["turns"])
    assert done.stdout == f"{quotes} of {quotes} quotes stand where they stood\n"
    page.goto(saved["page"].as_uri())
    assert page.locator("article.document .s.cited").count() == len(document["turns"][0]["citations"])
    page.locator(".cite").first.click()
    assert_in_view(page.locator(".s:target"))
    page.goto("about:blank")


def test_nothing_to_save_is_said(visit):
    page = visit()
    page.get_by_role("button", name="Save as JSON").click()
    expect(page.get_by_text("There is nothing to save yet")).to_be_visible()


def test_two_visitors_do_not_see_each_other(visit):
    one, two = visit(), visit()
    ask(one, TALKS)
    turn = ask(two, "And when?")
    expect(turn.locator(".note").filter(has_text="Understood")).to_have_count(0)
    expect(two.locator(".turn[data-turn]")).to_have_count(1)
    expect(one.locator(".turn[data-turn]")).to_have_count(1)
    turn = ask(one, "And when?")
    expect(turn.locator(".note").first).to_contain_text("secret talks")


def tab_to(page, matches, limit=60):
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("(what) => document.activeElement.matches(what)", matches):
            return
    raise AssertionError(f"no {matches} within {limit} tabs")


def test_the_keyboard_is_enough(visit):
    page = visit()
    tab_to(page, "#question textarea")
    page.keyboard.type(UN)
    page.keyboard.press("Enter")
    expect(page.locator(".turn[data-turn]")).to_have_count(1)
    assert page.evaluate("document.activeElement.matches('#question textarea')")
    page.keyboard.press("Shift+Tab")  # backwards, from the field to the answer
    for _ in range(20):
        if page.evaluate("document.activeElement.matches('.cite')"):
            break
        page.keyboard.press("Shift+Tab")
    expect(page.locator(".cite:focus + .card")).to_be_visible()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('#document .back')")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('.cite')")
    tab_to(page, "summary")
    page.keyboard.press("Enter")
    expect(page.locator("details")).to_have_attribute("open", "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_axe_finds_nothing_serious(visit, scheme, width):
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 800})
    assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
    page.wait_for_timeout(500)  # colours fade in
    found = Axe().run(page).response["violations"]
    ask(page, UN)
    turn = ask(page, LEAD)
    turn.locator("summary").click()
    turn.get_by_role("button", name="Right answer").click()
    found += Axe().run(page).response["violations"]
    serious = {
        each["id"]: [node["html"][:200] for node in each["nodes"]]
        for each in found
        if each["impact"] in ("serious", "critical")
    }
    assert serious == {}


def test_a_phone_is_wide_enough(visit):
    page = visit(viewport={"width": 400, "height": 800})
    turn = ask(page, UN)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.locator("#document").bounding_box()["y"] > page.locator("#conversation").bounding_box()["y"]
    turn.locator(".cite").first.click()
    assert_in_view(page.locator("#document .s.chosen"))


def test_a_slow_answer_can_be_stopped_and_one_that_fails_gives_the_question_back(visit, embedder, tmp_path):
    import threading

    release = threading.Event()
    picker = SentencePicker("brewery", short_answer="at the brewery")

    def slow(request):
        release.wait(30)
        return "Hm." if "drives" in request["messages"][1]["content"].rpartition("Question: ")[2] else picker(request)

    (tmp_path / "trams.txt").write_text(TRAMS)
    with (
        serving(slow) as model,
        chat_served(tmp_path / "home", "--doc", str(tmp_path / "trams.txt"), "--llm", "m", "--llm-url", model) as url,
    ):
        page = visit(url)
        page.get_by_label("Your question").fill("Where does it stop?")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")  # pressed twice, it is asked once
        expect(page.locator(".waiting")).to_be_visible()
        expect(page.locator(".notice")).to_have_count(0)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".notice")).to_have_text("Stopped.")
        expect(page.get_by_role("textbox")).to_have_value("Where does it stop?")
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        release.set()
        turn = ask(page, "Where does it stop?")
        # What the visitor wants to know stands out, in the answer and in the document.
        expect(turn.locator(".said strong")).to_have_text("at the brewery")
        expect(page.locator("#document .s.cited strong")).to_have_text("at the brewery")
        expect(page.locator(".turn[data-turn]")).to_have_count(1)
        page.get_by_label("Your question").fill("Who drives?")
        page.keyboard.press("Enter")
        expect(page.locator(".notice")).to_contain_text("the language model m gave 2 replies that cannot be used")
        expect(page.get_by_role("textbox")).to_have_value("Who drives?")
        # A question that fails when it is edited takes nothing with it.
        page.get_by_role("button", name="Edit question 1").click()
        page.get_by_role("textbox").fill("Who drives there?")
        page.keyboard.press("Enter")
        expect(page.locator(".notice")).to_contain_text("cannot be used")
        expect(page.locator(".question")).to_have_text("Where does it stop?")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("textbox")).to_have_value("")
        page.close()


def test_the_page_says_so_until_the_documents_are_open(visit, embedder, tmp_path):
    (tmp_path / "long.txt").write_text("\n\n".join(f"Sentence {n} stands here by itself." for n in range(4000)))
    with chat_served(tmp_path / "home", "--doc", str(tmp_path / "long.txt")) as url:
        page = visit(url, ready=False)
        expect(page.locator(".notice")).to_have_text("Getting ready …")
        assert page.get_by_role("textbox").is_disabled()
        expect(page.get_by_role("textbox")).to_be_editable(timeout=2 * WAIT)
        page.close()


def test_documents_that_cannot_be_opened_are_one_clear_line(visit, embedder, tmp_path):
    with chat_served(tmp_path / "home", "--doc", "no-such-file.txt") as url:
        page = visit(url, ready=False)
        expect(page.locator(".notice")).to_have_text(
            "The documents cannot be opened: no-such-file.txt: no such file or folder; check the path"
        )
        page.close()


def test_a_shared_library_is_everybodys(visit, embedder, tmp_path):
    with chat_served(tmp_path / "home", "--shared-library") as url:
        one = visit(url)
        upload(one, "trams.txt", TRAMS)
        expect(one.locator(".notice")).to_have_text("“Trams of the Town” can be asked now.")
        two = visit(url)
        two.get_by_role("combobox").click()
        two.get_by_role("option", name="Trams of the Town").click()
        turn = ask(two, "Does the blue tram stop at the brewery?")
        expect(turn.locator(".said")).to_contain_text("brewery")
        two.get_by_role("button", name="Remove").click()
        expect(two.locator(".notice")).to_have_text("“Trams of the Town” was removed.")
        expect(two.get_by_role("combobox")).to_have_value(load_builtin().title)
        one.close()
        two.close()


ASKED = (UN, TALKS, LEAD, "Who met in Hanoi?")
ASK_IN_PAGE = """(question) => {
    window.seconds = new Promise((resolve) => {
        const turns = () => document.querySelectorAll(".turn[data-turn]").length;
        const before = turns();
        const field = document.querySelector("#question textarea");
        field.value = question;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        const started = performance.now();
        setTimeout(() => document.querySelector("#ask").click(), 50);
        const look = () => (turns() > before ? resolve((performance.now() - started) / 1000) : setTimeout(look, 20));
        look();
    });
}"""


def test_twenty_visitors_ask_for_a_minute(visit):
    """No error and no answer to somebody else's question; how long they wait is noted, not judged."""
    pages = [visit() for _ in range(20)]
    expected = {}
    for question in ASKED:
        expected[question] = ask(pages[0], question).locator(".said").inner_text()
        pages[0].get_by_role("button", name="New conversation").click()
        expect(pages[0].locator(".welcome")).to_be_visible()
    until, seconds, asked = time.monotonic() + 60, [], 0
    while time.monotonic() < until:
        for number, page in enumerate(pages):
            page.evaluate(ASK_IN_PAGE, ASKED[(number + asked) % len(ASKED)])
        seconds += [page.evaluate("window.seconds") for page in pages]
        asked += 1
    for number, page in enumerate(pages):
        questions = page.locator(".question").all_inner_texts()
        assert questions == [ASKED[(number + place) % len(ASKED)] for place in range(asked)]
        assert page.locator(".said").all_inner_texts() == [expected[question] for question in questions]
    ranked = sorted(seconds)
    print(f"{len(ranked)} answers, median {ranked[len(ranked) // 2]:.2f} s, p95 {ranked[int(len(ranked) * 0.95)]:.2f} s")


def test_the_screens_in_the_docs_are_there():
    docs = Path(__file__).parent.parent / "docs"
    for name in ("chat-light.png", "chat-dark.png", "chat-phone.png", "chat-decline.png"):
        assert (docs / name).read_bytes().startswith(b"\x89PNG")
