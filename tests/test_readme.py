import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.serve import ServeSettings

pytest_plugins = ["chat_fixtures"]

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def environment(tmp_path):
    return os.environ | {
        "QA_HOME": str(tmp_path / "home"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def test_it_is_short():
    assert len(README.splitlines()) < 150


def test_its_program_asks_the_chat(chat):
    _, code = blocks("python")
    code = code.replace("http://127.0.0.1:7860", chat[0])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\[1\].* \[\(\d+, \d+\)", done.stdout)
    assert "The Hanoi Summit Failure" in done.stdout


def test_make_chat_serves_on_the_port_it_says():
    command = ["make", "--no-print-directory", "-n", "chat", "READY="]  # make runs the tests too, and would print
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == ".venv/bin/qa serve\n"
    assert (ServeSettings().host, ServeSettings().port) == ("127.0.0.1", 7860)


def test_its_python_runs(environment):
    code, _ = blocks("python")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for line in re.findall(r'# "(.*?)"', code):
        assert line.strip("… ") in done.stdout


def test_its_qa_commands_run(environment, tmp_path):
    (tmp_path / "house-rules.txt").write_text("House rules\n\nA guest may stay for at most nine nights. Dogs are welcome.\n")
    commands = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines() if line.startswith("qa ")]
    assert len(commands) >= 6
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, input="\n", capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        if "ask" in command:
            assert "A guest may stay for at most nine nights. [1]" in done.stdout


def test_make_ask_answers(environment):
    (command,) = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("make ask")]
    # The environment that runs this test is set up already, wherever it is.
    command = command.replace("make ask", f"make --no-print-directory ask READY= VENV={sys.prefix}")
    done = subprocess.run(command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\[1\]", done.stdout)


def test_make_hands_a_question_on_as_it_is(environment):
    question = "Who said $HOME; `id` \"this\" & 'that'?"
    command = ["make", "--no-print-directory", "ask", "READY=", f"VENV={sys.prefix}"]
    done = subprocess.run(command, cwd=ROOT, env=environment | {"Q": question}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "uid=" not in done.stdout


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_documented_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`make (\w+)", README)) | {"ask", "test"}:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_make_is_at_hand():
    assert shutil.which("make")
