import json
from dataclasses import replace

import pytest

from evals.suite.compare import compare, comparison_text
from evals.suite.evaluate import evaluate
from evals.suite.gates import Gates, check_ids, load_gates, packaged_gates, verdict
from evals.suite.gold import FOLDER, load_gold
from evals.suite.ladder import GOLD, TRIVIAL, skill
from evals.suite.results import Results, load_results
from evals.suite.run import Library, Opened, packaged_answerer, without
from index.build import build_in_memory
from index.errors import QAError
from index.load import load_text
from index.progress import Listener

pytest_plugins = ["suite_fixtures"]


@pytest.fixture
def answerer():
    return packaged_answerer(Listener())


@pytest.fixture
def run(gold, answerer, tmp_path):
    """Evaluates the house rules' questions."""

    def evaluated(answerer=answerer, gold=gold, questions=None, **options):
        asked = []
        whole = {"folder": tmp_path / "out", "split": "dev", "command": "qa eval run", "deletion": True} | options
        results, evaluated.finish = evaluate(gold, questions or gold.questions, answerer, progress=asked.append, **whole)
        return results, asked

    return evaluated


def with_wrong(results, ids):
    """The same run with the answers to these questions taken for wrong."""
    document = json.loads(results.model_dump_json())
    for entry in document["entries"]:
        if entry["gold"]["id"] in ids:
            entry["score"] |= {"passed": False, "value": 0.0, "outcome": "wrong", "utility": -1}
    return Results.model_validate(document)


def stumbling(answerer, word, error):
    """The same answerer, except that questions with this word end in an error."""

    def open_document(document, before):
        opened = answerer.open_document(document, before)

        def ask(question, *, history):
            if word in question:
                raise error
            return opened.ask(question, history=history)

        return Opened(ask, opened.corpus)

    return replace(answerer, open_document=open_document)


def test_a_run_holds_everything_that_a_report_needs(run, gold):
    results, asked = run()
    assert asked == [question.id for question in gold.questions] + ["nights", "key", "rent"]
    assert [entry.gold.id for entry in results.entries] == [question.id for question in gold.questions]
    assert results.figure("quote validity").value == 1
    assert results.figure("same answer twice").count == 6
    assert results.figure("unscored").count == 0
    assert [entry.record.cold for entry in results.entries] == [True] + [False] * 5
    assert results.entries[-1].score.outcome == "rightly declined"
    assert results.documents[0].text.startswith("House Rules")
    assert results.ladder[GOLD].score == 1
    assert results.ladder["always abstain"].passed == 3
    assert results.ladder["whole document"].passed == 1  # the empty question
    assert results.seconds > 0
    assert results.peak_mb > 1
    assert all(entry.answered_without_evidence is not None for entry in results.entries[:3])
    assert all(entry.blame is None or not entry.score.passed for entry in results.entries)


def test_results_survive_being_written(run, tmp_path):
    results, _ = run()
    (tmp_path / "results.json").write_text(results.model_dump_json())
    assert load_results(tmp_path) == results
    assert load_results(tmp_path / "results.json") == results


@pytest.mark.parametrize("content", ["{}", "no JSON", '{"version": 2}'])
def test_a_file_that_holds_no_results_is_said_to(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(QAError, match="not the results of a run, or of another version than 1"):
        load_results(tmp_path)
    with pytest.raises(QAError, match=r"nowhere.*cannot be read"):
        load_results(tmp_path / "nowhere")


def test_a_question_that_ends_in_an_error_is_unscored_and_ends_nothing(run, answerer):
    results, _ = run(stumbling(answerer, "rent", QAError("no connection")))
    failed = next(entry for entry in results.entries if entry.gold.id == "rent")
    assert (failed.record.status, failed.record.error, failed.score.value) == ("failed", "no connection", None)
    assert results.figure("unscored").count == 1
    assert results.figure("answer score").of == 5
    judged = verdict(results, load_gates())
    assert (judged.status, judged.exit_code) == ("questions failed to run", 3)


def test_whatever_goes_wrong_with_a_question_is_its_own(run, answerer):
    results, _ = run(stumbling(answerer, "rent", ZeroDivisionError("by nothing")), deletion=False)
    assert [entry.record.error for entry in results.entries if entry.record.status == "failed"] == [
        "ZeroDivisionError: by nothing"
    ]
    assert verdict(results, load_gates()).exit_code == 3


def test_an_interrupted_run_goes_on_where_it_stopped(run, answerer, tmp_path):
    whole, _ = run(folder=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(stumbling(answerer, "rent", KeyboardInterrupt()))
    (journal,) = (tmp_path / "out").glob(".run-*.jsonl")
    with journal.open("ab") as file:
        file.write('{"id": "rent", "text": "“'.encode()[:-1])  # cut off in the middle of a line, and of a character
    asked_for = []

    def open_document(document, before):
        opened = answerer.open_document(document, before)

        def ask(question, *, history):
            asked_for.append(question)
            return opened.ask(question, history=history)

        return Opened(ask, opened.corpus)

    results, _ = run(replace(answerer, open_document=open_document))
    assert "How long may a guest stay?" not in asked_for[:8]  # two of the six were done; the rest is asked twice each
    assert asked_for[0] == "Why is the rent due on Fridays?"
    for one, other in zip(results.entries, whole.entries, strict=True):
        assert one.score == other.score
        assert one.record.candidates == other.record.candidates
    assert (results.resumed, whole.resumed) == (2, 0)
    run.finish()
    assert list((tmp_path / "out").iterdir()) == []


def test_another_run_in_the_same_folder_begins_at_the_beginning_and_loses_nothing(run, answerer):
    with pytest.raises(KeyboardInterrupt):
        run(stumbling(answerer, "rent", KeyboardInterrupt()))
    other, _ = run(replace(answerer, settings={"answerer": "another"}))
    run.finish()
    assert other.resumed == 0
    same, _ = run()
    assert same.resumed == 2


def test_a_document_that_cannot_be_opened_leaves_its_questions_unscored(run, answerer):
    def open_document(document, before):
        raise QAError("the disk is full")

    results, _ = run(replace(answerer, open_document=open_document))
    assert results.figure("unscored").count == 6
    assert (results.ladder, results.figure("skill").value, results.figure("answer score").value) == ({}, None, None)
    assert verdict(results, load_gates()).exit_code == 3


def test_deletions_that_end_in_an_error_are_counted(run, answerer):
    def open_document(document, before):
        if before is not None:
            raise QAError("the disk is full")
        return answerer.open_document(document, before)

    results, _ = run(replace(answerer, open_document=open_document))
    failed = results.figure("unscored without evidence")
    assert (failed.count, failed.of, results.figure("evidence deletion").of) == (3, 3, 0)
    assert verdict(results, load_gates()).exit_code == 3


def test_evidence_is_deleted_and_nothing_else(gold):
    question = gold.questions[1]
    shortened = without(question.document, question.evidence)
    assert "key" not in shortened.text
    assert "nine nights" in shortened.text
    assert "Money" in shortened.text
    assert shortened.title == question.document.title
    assert without(question.document, []).text == question.document.text


def test_only_what_changed_is_embedded_again(gold, answerer, embedder):
    embedded = []
    counted = replace(embedder, embedding=Counting(embedder.embedding, embedded))

    def open_document(document, before):
        corpus = build_in_memory([document], counted, Listener(), before)
        return Opened(lambda question, *, history: None, corpus)

    library = Library(open_document)
    document, evidence = gold.questions[1].document, gold.questions[1].evidence
    library.open(document)
    assert len(embedded) == 6
    library.open_without(document, evidence)
    assert len(embedded) == 6


class Counting:
    def __init__(self, inside, embedded):
        self._inside, self._embedded = inside, embedded

    def get_text_embedding_batch(self, texts):
        self._embedded.extend(texts)
        return self._inside.get_text_embedding_batch(texts)


def test_a_question_whose_document_ends_with_its_evidence_is_unscored_not_wrong(write_gold, run):
    from suite_lines import line

    gold = load_gold(write_gold(line()))
    only = replace(gold.questions[0], document=load_text("A guest may stay for nine nights.", title="Rules"))
    only = replace(only, nuggets=(replace(only.nuggets[0], evidence=(((0, 33),),)),), allowed=())
    results, _ = run(gold=gold, questions=[only])
    assert results.entries[0].answered_without_evidence is None
    assert results.figure("unscored without evidence").count == 1


def test_skill_is_0_for_trivial_and_1_for_gold():
    ladder = {"always abstain": 0.3, "whole document": 0.2, "first three sentences": 0.1, "BM25@3": 0.5, GOLD: 1.0}
    assert set(TRIVIAL) < set(ladder)
    assert skill(0.3, ladder) == 0
    assert skill(1.0, ladder) == 1
    assert skill(0.65, ladder) == pytest.approx(0.5)
    assert skill(0.1, ladder) < 0


def test_skill_has_an_interval_and_is_in_the_verdict(run):
    results, _ = run()
    skill = results.figure("skill")
    assert skill.low <= skill.value <= skill.high <= 1
    assert f"; skill {skill.value:.2f}" in verdict(results, load_gates()).text
    worse = with_wrong(results, {entry.gold.id for entry in results.entries})
    bad = skill.model_copy(update={"value": -0.2})
    figures = tuple(bad if figure.name == "skill" else figure for figure in worse.figures)
    assert "no better than answering all alike" in verdict(worse.model_copy(update={"figures": figures}), load_gates()).text


class TestGates:
    def gates(self, **fields):
        return Gates.model_validate({"invariants": {"quote validity": {"least": 1.0}}} | fields)

    def test_all_hold(self, run):
        results, _ = run()
        judged = verdict(results, self.gates())
        assert (judged.status, judged.exit_code) == ("passed", 0)
        assert judged.text.startswith("Passed: all 1 gates hold (none of them is about quality); ")

    def test_a_floor_and_a_ceiling(self, run):
        results, _ = run()
        judged = verdict(
            results, self.gates(gold={"rules": {"floors": {"ROUGE-L": {"least": 0.99}, "over-refusal": {"most": 1}}}})
        )
        assert (judged.status, judged.exit_code) == ("a gate failed", 1)
        assert judged.text.startswith("Failed: ROUGE-L is 0.")
        assert "wanted at least 0.99" in judged.text
        assert [gate.held for gate in judged.gates] == [True, False, True]

    def test_the_floors_of_other_gold_files_are_theirs(self, run):
        results, _ = run()
        assert verdict(results, self.gates(gold={"other": {"floors": {"ROUGE-L": {"least": 0.99}}}})).exit_code == 0

    def test_must_pass(self, run):
        results, _ = run()
        passed, failed = "nothing", "nights"
        results = with_wrong(results, {failed})
        assert verdict(results, self.gates(gold={"rules": {"must_pass": [passed, "not-asked"]}})).exit_code == 0
        judged = verdict(results, self.gates(gold={"rules": {"must_pass": [passed, failed]}}))
        assert judged.exit_code == 1
        assert f"question {failed}" in judged.text

    def test_a_floor_under_what_was_not_measured_is_not_reached(self, run):
        results, _ = run(deletion=False)
        for name, found in (("accuracy", "no such figure"), ("evidence deletion", "no such figure")):
            judged = verdict(results, self.gates(gold={"rules": {"floors": {name: {"least": 0}}}}))
            assert judged.exit_code == 1
            assert judged.gates[1].found == found
        declined = results.model_copy(update={"figures": tuple(f.model_copy(update={"value": None}) for f in results.figures)})
        judged = verdict(declined, self.gates(gold={"rules": {"floors": {"citation precision": {"least": 0}}}}))
        assert [(gate.found, gate.held) for gate in judged.gates] == [
            ("nothing to measure", True),
            ("nothing to measure", False),
        ]

    def test_must_pass_names_questions_that_there_are(self, gold):
        check_ids(self.gates(gold={"rules": {"must_pass": ["nights"]}}), gold)
        with pytest.raises(QAError, match=r"must_pass names nowhere, which rules\.jsonl has not"):
            check_ids(self.gates(gold={"rules": {"must_pass": ["nights", "nowhere"]}}), gold)

    @pytest.mark.parametrize("content", ["= 5", "[invariants]\nx = 5", "[colours]"])
    def test_a_damaged_file_is_said_to_be(self, tmp_path, content):
        (tmp_path / "gates.toml").write_text(content)
        with pytest.raises(QAError, match=r"gates\.toml: "):
            load_gates(tmp_path / "gates.toml")
        with pytest.raises(QAError, match="cannot be read"):
            load_gates(tmp_path / "none.toml")

    def test_another_file_of_the_same_name_has_no_floors(self, gold, tmp_path):
        assert packaged_gates(load_gold(FOLDER / "ferry-inquiry.jsonl")).gold
        found = packaged_gates(replace(gold, path=tmp_path / "ferry-inquiry.jsonl"))
        assert found.invariants
        assert not found.gold

    def test_those_of_the_package_speak_of_its_gold_files(self):
        gates = load_gates()
        assert set(gates.gold) == {path.stem for path in FOLDER.glob("*.jsonl")}
        for name, its in gates.gold.items():
            assert its.floors
            assert its.must_pass
            ids = {question.id: question.line.split for question in load_gold(FOLDER / f"{name}.jsonl").questions}
            assert all(ids[wanted] == "dev" for wanted in its.must_pass)


class TestComparison:
    def test_the_same_run_twice(self, run):
        results, _ = run()
        found = compare(results, results)
        assert (found.regressed, found.improved) == ((), ())
        assert len(found.unchanged) == 6
        assert {change.verdict for change in found.changes} == {"cannot tell"}

    def test_what_changed_is_named(self, run):
        results, _ = run()
        passed = [entry.gold.id for entry in results.entries if entry.score.passed]
        worse = with_wrong(results, passed[:2])
        found = compare(results, worse)
        assert found.regressed == tuple(passed[:2])
        assert compare(worse, results).improved == tuple(passed[:2])
        text = comparison_text(found)
        assert f"Regressed (2): {', '.join(passed[:2])}" in text
        assert "more questions needed" in text

    def test_many_changes_can_be_told_from_chance(self, run):
        results, _ = run()
        document = json.loads(results.model_dump_json())
        entries = []
        for number in range(12):
            for entry in document["entries"]:
                copy = json.loads(json.dumps(entry))
                copy["gold"] |= {"id": f"{entry['gold']['id']}-{number}", "cluster": f"{entry['gold']['cluster']}-{number}"}
                copy["score"] |= {"passed": True, "value": 1.0, "utility": 1}
                entries.append(copy)
        good = Results.model_validate(document | {"entries": entries})
        found = compare(good, with_wrong(good, {entry.gold.id for entry in good.entries[:30]}))
        by_name = {change.name: change.verdict for change in found.changes}
        assert by_name["passed"] == by_name["answer score"] == "worse"

    def test_other_gold_questions_are_refused(self, run):
        results, _ = run()
        with pytest.raises(QAError, match="different gold questions"):
            compare(results, results.model_copy(update={"gold_sha256": "0" * 64}))

    def test_no_question_in_common(self, run):
        results, _ = run()
        with pytest.raises(QAError, match="no question was scored in both runs"):
            compare(results, results.model_copy(update={"entries": ()}))
