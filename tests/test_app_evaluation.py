import json

import pytest
from click.testing import CliRunner
from language_model_server import SentencePicker, serving
from suite_lines import LINES, line

from app.cli import qa
from evals.suite.results import load_results
from index.errors import QAError

pytest_plugins = ["suite_fixtures"]


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(qa, ["eval", *map(str, arguments)], catch_exceptions=False)

    return run


def test_run_writes_a_report_and_passes(call, write_gold, tmp_path):
    result = call("run", write_gold(*LINES))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Passed: ")
    folder = tmp_path / "eval-rules-dev"
    assert sorted(path.name for path in folder.iterdir()) == ["junit.xml", "report.html", "report.md", "results.json"]
    assert len(load_results(folder).entries) == 6
    assert load_results(folder).figure("evidence deletion").of > 0


def test_one_question_can_be_run_again(call, write_gold, tmp_path):
    gold = write_gold(*LINES)
    assert call("run", gold, "--id", "key", "--no-deletion", "--out", "again").exit_code == 0
    results = load_results(tmp_path / "again")
    assert [entry.gold.id for entry in results.entries] == ["key"]
    assert results.split == "chosen"
    assert results.command == f"qa eval run {gold} --split dev --no-deletion"


def test_a_gate_that_fails_ends_with_1(call, write_gold, tmp_path):
    gates = '[invariants]\n"ROUGE-L" = { least = 1.0 }\n'
    (tmp_path / "gates.toml").write_text(gates)
    result = call("run", write_gold(*LINES), "--gates", "gates.toml", "--no-deletion")
    assert result.exit_code == 1
    assert result.stdout.startswith("Failed: ROUGE-L is ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jsonl"], "none.jsonl: cannot be read"),
        (["rules.jsonl", "--split", "test"], "no question is in the split 'test'"),
        (["rules.jsonl", "--id", "nowhere"], "no question has the id nowhere"),
        (["rules.jsonl", "--gates", "none.toml"], "none.toml: cannot be read"),
        (["rules.jsonl", "--since", "none"], "none: cannot be read"),
        (["bad.jsonl"], "bad.jsonl:2: not JSON"),
    ],
)
def test_what_cannot_be_used_ends_with_2_and_one_line(call, write_gold, tmp_path, arguments, message):
    good = write_gold(*LINES)
    (tmp_path / "bad.jsonl").write_text(good.read_text().splitlines()[0] + "\n{\n")
    result = call("run", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_compare_says_what_changed(call, write_gold):
    gold = write_gold(*LINES)
    call("run", gold, "--no-deletion", "--out", "a")
    call("run", gold, "--no-deletion", "--out", "b", "--since", "a")
    result = call("compare", "a", "b")
    assert result.exit_code == 0
    assert "Regressed (0): none" in result.stdout
    assert "Unchanged: 6" in result.stdout
    call("run", write_gold(*LINES[:3]), "--no-deletion", "--out", "c")
    result = call("compare", "a", "c")
    assert result.exit_code == 2
    assert "different gold questions" in result.stderr
    result = call("run", gold, "--no-deletion", "--out", "d", "--since", "a")
    assert (result.exit_code, "different gold questions" in result.stderr) == (2, True)


def test_a_folder_that_cannot_be_written_ends_with_2_and_one_line(call, write_gold, tmp_path):
    (tmp_path / "file").write_text("")
    result = call("run", write_gold(*LINES), "--out", "file/inside")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_a_run_that_is_interrupted_says_how_to_go_on(call, write_gold, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("evals.suite.evaluate.evaluate", interrupt)
    result = call("run", write_gold(*LINES))
    assert result.exit_code == 130
    assert result.stderr == "qa: interrupted; the same command goes on where it stopped\n"


def test_questions_that_fail_to_run_end_with_3(call, write_gold, monkeypatch):
    def fail(self, question, **options):
        raise QAError("no connection")

    monkeypatch.setattr("qa.engine.Engine.ask", fail)
    result = call("run", write_gold(*LINES))
    assert result.exit_code == 3
    assert result.stdout.startswith("9 questions, with evidence or without, could not be run")


def test_lint_lists_every_fault_and_ends_with_2(call, write_gold):
    assert call("lint", write_gold(*LINES)).stdout.endswith("0 faults\n")
    result = call("lint", write_gold(line(reference=""), line(id="b", cluster="b", category="summary", history=["x"])))
    assert result.exit_code == 2
    assert "nights: answerable, but it has no reference answer" in result.stdout
    assert result.stdout.endswith("2 faults\n")
    result = call("lint", write_gold(line(split="x"), line(split="y", id="b")))
    assert result.exit_code == 2
    assert "rules.jsonl:1: split" in result.stdout
    assert "rules.jsonl:2: split" in result.stdout


def test_lint_without_files_checks_those_of_the_package(call):
    result = call("lint")
    assert result.exit_code == 0
    assert "commentary.jsonl: 120 questions" in result.stdout


def test_add_makes_drafts_of_feedback(call, write_gold, tmp_path):
    from test_evals_suite_drafts import feedback

    gold = write_gold(*LINES)
    (tmp_path / "feedback.jsonl").write_text(feedback().model_dump_json() + "\n")
    result = call("add", gold, "--from", "feedback.jsonl")
    assert result.exit_code == 0
    assert result.stdout.startswith("1 drafts added, 0 known before, 0 passed over\n")
    assert len(gold.read_text().splitlines()) == len(LINES) + 1
    assert call("lint", gold).exit_code == 2
    result = call("run", gold)
    assert (result.exit_code, "a draft that nobody has looked at" in result.stderr) == (2, True)
    gold.write_text(gold.read_text().replace("REVIEW: ", ""))
    assert call("lint", gold).exit_code == 0
    (tmp_path / "feedback.jsonl").write_text(json.dumps({"x": 1}))
    result = call("add", gold, "--from", "feedback.jsonl")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "0 drafts added, 0 known before, 1 passed over")
    assert "passed over: feedback.jsonl:1: " in result.stderr
    assert call("add", gold, "--from", "nothing.jsonl").exit_code == 2


def test_a_language_model_is_evaluated_like_any_other_answerer(call, write_gold, tmp_path):
    picker = SentencePicker("nine nights")
    with serving(picker) as url:
        result = call("run", write_gold(*LINES), "--llm", "a-model", "--llm-url", url, "--no-deletion")
    assert result.exit_code in (0, 1), result.output
    results = load_results(tmp_path / "eval-rules-dev")
    assert results.settings["language model"] == "a-model"
    assert results.command.endswith(f"--no-deletion --llm a-model --llm-url {url}")
    assert picker.requests
    answered = [entry.record for entry in results.entries if entry.record.answered]
    assert answered
    assert all("nine nights" in cited.quote for record in answered for cited in record.cited)
    assert all(record.confidence == picker.certainty for record in answered)


def test_questions_that_a_language_model_did_not_answer_are_unscored(call, write_gold, tmp_path):
    with serving(lambda request: "Hm.") as url:
        result = call("run", write_gold(*LINES), "--llm", "a-model", "--llm-url", url, "--no-deletion")
    assert result.exit_code == 3, result.output
    results = load_results(tmp_path / "eval-rules-dev")
    failed = [entry for entry in results.entries if entry.record.status == "failed"]
    assert len(failed) == len([entry for entry in results.entries if entry.gold.category != "empty"])
    assert "replies that cannot be used" in failed[0].record.error
    assert (tmp_path / "eval-rules-dev" / "report.html").exists()


def test_a_bad_address_is_a_bad_setting(call, write_gold):
    result = call("run", write_gold(*LINES), "--llm", "a-model", "--llm-url", "nonsense")
    assert result.exit_code == 2
    assert "QA_LLM_URL is 'nonsense'" in result.stderr
