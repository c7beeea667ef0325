import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from language_model_server import SentencePicker, serving

from app.cli import main, qa
from index.load import load_builtin, load_paths

UN = "Why did Japan withhold the UN resolution?"
LEAD = "What is the boiling point of lead?"
TALKS = "Where did the secret talks take place?"
TRAMS = "Trams of the Town\n\nThe blue tram runs hourly. It stops at the brewery. Dogs ride free of charge.\n"
SCRIPT = str(Path(sys.executable).with_name("qa"))

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NASTY = "\x1b[31m\x1b]0;pwned\x07\u202e"


@pytest.fixture(autouse=True)
def no_colour(monkeypatch):
    """Output is captured, not a terminal, whatever the caller's environment says of its own."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(home):
    """Runs a command in this process; its result has exit_code, stdout and stderr."""
    return lambda *arguments, **options: CliRunner().invoke(qa, list(arguments), catch_exceptions=False, **options)


@pytest.fixture
def end(home, capsys):
    """Runs a command as the `qa` script does, errors included; returns exit code, stdout and stderr."""

    def run_to_the_end(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run_to_the_end


@pytest.fixture
def trams(tmp_path):
    file = tmp_path / "trams.txt"
    file.write_text(TRAMS)
    return str(file)


def _rows(listed):
    return [line.split("\t") for line in listed.stdout.splitlines()]


@pytest.mark.parametrize(("question", "code"), [(UN, 0), (LEAD, 3), ("", 2), ("?!", 2)])
def test_the_exit_code_tells_the_status(run, question, code):
    result = run("ask", question)
    assert result.exit_code == code
    assert result.stdout.strip()
    assert result.stderr == ""


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["ask"], ["ask", "a", "b"], ["ask", "a", "--nonsense"], ["index", "add"], ["index", "remove"]]
)
def test_wrong_usage_is_2_and_says_how(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", UN, "--doc", "missing.txt"],
        ["chat", "--doc", "missing.txt"],
        ["index", "add", "missing.txt"],
        ["index", "remove", "no such document"],
        ["ask", UN, "--chroma-url", "nonsense"],
        ["ask", UN, "--llm", "m", "--llm-url", "nonsense"],
        ["ask", UN, "--llm", "m", "--llm-url", "http://127.0.0.1:9/v1"],
    ],
)
def test_an_error_is_1_and_one_line(end, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, out, err = end(*arguments)
    assert code == 1
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("qa: ")
    assert "Traceback" not in err


def test_a_fault_of_the_program_keeps_its_traceback(home, monkeypatch):
    monkeypatch.setattr("index.settings.IndexSettings.resolve", lambda **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["ask", UN])


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "-h"], ["chat", "-h"], ["index", "add", "-h"], ["--version"]])
def test_help_is_printed_and_nothing_is_made(run, home, arguments):
    result = run(*arguments)
    assert result.exit_code == 0
    assert result.stdout
    assert not home.exists()


def test_an_answer_is_printed_with_a_line_for_each_quote(run):
    result = run("ask", UN)
    lines = result.stdout.splitlines()
    quotes = [line for line in lines if re.match(r"\[\d+\] “", line)]
    assert [int(line[1]) for line in quotes] == list(range(1, len(quotes) + 1))
    text = load_builtin().text
    for number, line in enumerate(quotes, start=1):
        quote = line.removeprefix(f"[{number}] “").removesuffix("”")
        assert quote in text
        assert f"{quote} [{number}]" in lines[0]
        place = lines[lines.index(line) + 1]
        assert place.startswith("    The Hanoi Summit Failure")
    assert re.search(r"^Confidence that the document answers this: 0\.\d\d of 1$", result.stdout, re.M)
    assert not CONTROL.search(result.stdout)


def test_what_is_closest_is_not_printed_as_an_answer(run):
    result = run("ask", LEAD)
    lines = result.stdout.splitlines()
    assert lines[0] == "The document does not answer this."
    assert "Closest sentences, which are not an answer:" in lines
    assert sum(line.startswith("·   “") for line in lines) == 3
    assert not re.search(r"\[\d\]", result.stdout)


@pytest.mark.parametrize(("question", "status"), [(UN, "answered"), (LEAD, "not_in_document"), ("", "empty_question")])
def test_json_is_the_whole_answer_and_its_offsets_slice_the_document(run, question, status):
    answer = json.loads(run("ask", question, "--json").stdout)
    assert (answer["question"], answer["status"], answer["answered"]) == (question, status, status == "answered")
    document = load_builtin()
    for citation in answer["citations"] + answer["nearest"]:
        assert citation["document_id"] == document.id
        assert document.text[citation["start"] : citation["end"]] == citation["quote"]
    assert bool(answer["citations"]) == (status == "answered")
    assert bool(answer["nearest"]) == (status == "not_in_document")
    assert 0 <= answer["confidence"] <= 1
    assert answer["trace"]["understood"] == question
    for found in answer["trace"]["passages"]:
        assert document.text[found["passage"]["start"] : found["passage"]["end"]] == found["passage"]["text"]


def test_json_can_be_printed_anywhere_whatever_was_asked(run):
    question = f"Why {NASTY} did \udcff Japan 日本 🎌 withhold it?"
    result = run("ask", question, "--json")
    assert result.stdout.isascii()
    assert not CONTROL.search(result.stdout)
    assert json.loads(result.stdout)["question"] == question


def test_two_documents_are_asked_and_told_apart(run, tmp_path, gardens, trams):
    other = tmp_path / "gardens.txt"
    other.write_text(gardens.text)
    result = run("ask", "When did the rose garden open?", "--doc", trams, "--doc", str(other), "--json")
    assert result.exit_code == 0
    texts = {document.id: document.text for document in load_paths([trams, other])}
    citations = json.loads(result.stdout)["citations"]
    for citation in citations:
        assert texts[citation["document_id"]][citation["start"] : citation["end"]] == citation["quote"]
    assert ("Gardens of the Town", "The rose garden opened in 1911.") in [(c["title"], c["quote"]) for c in citations]
    assert run("ask", LEAD, "--doc", str(tmp_path)).stdout.startswith("The documents do not answer this.")


def test_the_library_can_be_added_to_listed_rebuilt_and_removed_from(run, end, trams):
    (built_in,) = _rows(run("index", "list"))
    assert built_in[1].startswith("The Hanoi Summit Failure")
    assert built_in[2] == f"{len(load_builtin().text):,}"
    assert int(built_in[3]) >= 1
    assert built_in[4] == "builtin:commentary"

    added = run("index", "add", trams)
    assert added.exit_code == 0
    assert "added    Trams of the Town" in added.stdout.splitlines()
    rows = _rows(run("index", "list"))
    assert [row[1] for row in rows] == ["Trams of the Town"]  # the built-in one has made room
    assert rows[0][4] == trams
    assert run("ask", "How often does the blue tram run?").exit_code == 0

    again = run("index", "add", trams)
    assert again.stdout.splitlines()[-1] == "nothing to do: the library holds this already"

    rebuilt = run("index", "rebuild")
    assert rebuilt.exit_code == 0
    assert "why: asked for" in rebuilt.stdout.splitlines()
    assert _rows(run("index", "list")) == rows

    code, out, err = end("index", "remove", "no such document")
    assert (code, out) == (1, "")
    assert err == "qa: no such document: no such document in the index; see: qa index list\n"
    assert _rows(run("index", "list")) == rows

    removed = run("index", "remove", "Trams of the Town")
    assert removed.exit_code == 0
    assert "removed  Trams of the Town" in removed.stdout.splitlines()
    assert _rows(run("index", "list")) == [built_in]


def test_a_chat_understands_follow_ups_and_ends_with_an_empty_line(run):
    result = run("chat", input=f"{TALKS}\nAnd when?\n\n{UN}\n")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("The Hanoi Summit Failure")
    understood = [line for line in lines if line.startswith("Understood as:")]
    assert understood == ["Understood as: And when? (secret talks take place)"]
    assert sum(line.startswith("Confidence") for line in lines) == 2  # what comes after the empty line is not asked
    assert not CONTROL.search(result.stdout)
    assert result.stderr == ""


def test_a_chat_ends_with_its_input(run):
    result = run("chat", input=LEAD)
    assert result.exit_code == 0
    assert "The document does not answer this." in result.stdout.splitlines()
    assert run("chat", input="").exit_code == 0


@pytest.fixture
def nasty(tmp_path):
    """A file whose name, title, heading and sentences hold escape sequences, an override and things that look like markup."""
    file = tmp_path / f"na{NASTY}sty.txt"
    file.write_text(
        f"Gardens {NASTY}of [bold]Goole[/bold]\n\n"
        f"The rose {NASTY}garden opened in 1911 [3] with a :warning: sign. It is watered on Mondays.\n"
    )
    return file


def test_nothing_in_a_document_or_question_reaches_the_terminal_as_a_control(run, nasty):
    question = f"When did the {NASTY}rose garden open?"
    for result in (
        run("ask", question, "--doc", str(nasty)),
        run("chat", "--doc", str(nasty), input=f"{question}\nAnd the {NASTY}sign?\n"),
        run("index", "add", str(nasty)),
        run("index", "list"),
        run("index", "remove", str(nasty)),
    ):
        assert result.exit_code == 0
        assert "Gardens" in result.stdout
        assert not CONTROL.search(result.stdout + result.stderr)


def test_on_a_terminal_there_is_colour_but_nothing_of_the_documents_own(run, nasty, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    printed = run("ask", "When did the rose garden open?", "--doc", str(nasty)).stdout
    assert "\x1b[1m" in printed
    assert "\x1b[31m" not in printed
    plain = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    assert not CONTROL.search(plain)
    assert "garden opened in 1911 (3) with a :warning: sign. [1]" in " ".join(plain.split())
    assert max(map(len, plain.splitlines())) <= 100


def test_what_looks_like_markup_in_a_document_is_printed_as_it_stands(run, nasty):
    lines = run("ask", "When did the rose garden open?", "--doc", str(nasty)).stdout.splitlines()
    assert lines[0].endswith("garden opened in 1911 (3) with a :warning: sign. [1]")
    assert any("[bold]Goole[/bold]" in line for line in lines)


def test_an_error_about_a_nasty_name_is_one_line_without_controls(end, tmp_path):
    code, _, err = end("ask", UN, "--doc", f"{tmp_path}/no{NASTY}\n\u2028thing.txt")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert not CONTROL.search(err)


def test_notices_go_to_standard_error_only(run, home, trams):
    first = run("ask", UN)
    for file in (home / "library" / "builds").rglob("layouts.json"):
        file.write_text("damaged")
    second = run("ask", UN)
    assert second.stdout == first.stdout
    (line,) = second.stderr.splitlines()
    assert line.startswith("rebuilding the index: ")
    assert line.endswith("layouts.json: is damaged")


def test_a_home_may_be_named_on_the_command_line(run, home, tmp_path):
    assert run("ask", UN, "--home", str(tmp_path / "elsewhere")).exit_code == 0
    assert (tmp_path / "elsewhere").is_dir()
    assert not home.exists()


def _script(*arguments, **options):
    options = {"capture_output": True, "text": True, "encoding": "utf-8", **options}
    return subprocess.run([SCRIPT, *arguments], check=False, **options)


def test_the_script_answers_on_a_terminal_that_knows_only_ascii(home, nasty):
    (nasty.parent / f"zero{NASTY}.txt").write_bytes(b"a\0b")
    done = _script(
        *("ask", "When did the rose garden open?", "--doc", str(nasty.parent)),
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert "garden opened in 1911" in done.stdout
    assert done.stdout.isascii()
    # The file that was passed over is named, in one line.
    (line,) = done.stderr.splitlines()
    assert line.startswith("passed over: ")
    assert not CONTROL.search(done.stdout + done.stderr)


def test_the_script_does_not_mind_that_nobody_reads_on(home, trams):
    with subprocess.Popen([SCRIPT, "ask", UN, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_the_script_takes_bytes_that_are_no_text(home, trams):
    question = b"Why did Japan \xff withhold the UN resolution?"
    utf_8 = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([SCRIPT, "chat"], input=question + b"\n", capture_output=True, check=False, env=utf_8)
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"Confidence that the document answers this" in done.stdout
    done = subprocess.run([SCRIPT.encode(), b"ask", question], capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stderr == b""


def test_a_language_model_chooses_the_sentences(run, trams):
    with serving(SentencePicker("brewery")) as url:
        result = run("ask", "Where can I get off?", "--doc", trams, "--llm", "m", "--llm-url", url)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "It stops at the brewery. [1]"
