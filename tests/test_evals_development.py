import copy
import hashlib
import json
import shutil
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

import evals.development
import evals.written_questions
from evals.development import load_development
from evals.questions import LabelledQuestion, overlaps, share_of_nuggets
from evals.written_questions import FOLDER, SPLITS, check, load_written, sentences_of
from index.errors import QAError

DEV = Path(evals.development.__file__).parent / "dev"


@pytest.fixture(scope="module")
def questions():
    return load_development()


def test_there_are_sixty_questions_two_thirds_of_them_answerable(questions):
    assert len(questions) == 60
    assert sum(question.answerable for question in questions) == 40
    assert len({question.id for question in questions}) == 60
    assert len({question.document.id for question in questions}) == 3


def test_spans_are_the_quotes(questions):
    lines = [json.loads(line) for line in (DEV / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    for question, fields in zip(questions, lines, strict=True):
        text = question.document.text
        assert [[text[start:end] for start, end in nugget] for nugget in question.nuggets] == fields["nuggets"]
        assert [text[start:end] for start, end in question.useful] == fields["useful"]
        assert (question.id, question.question, list(question.history)) == (fields["id"], fields["question"], fields["history"])
        assert question.answerable == fields["answerable"]


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A copy of the data, in which a test changes what it likes."""
    shutil.copytree(DEV, tmp_path / "dev")
    monkeypatch.setattr(evals.development.resources, "files", lambda package: tmp_path)

    def change(number, **fields):
        file = tmp_path / "dev" / "questions.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines()
        lines[number - 1] = json.dumps(json.loads(lines[number - 1]) | fields)
        file.write_text("\n".join(lines), encoding="utf-8")

    return change


def test_an_unchanged_copy_loads(planted, questions):
    planted(1)
    loaded = load_development()
    assert [replace(q, document=None) for q in loaded] == [replace(q, document=None) for q in questions]
    assert [q.document.id for q in loaded] == [q.document.id for q in questions]


@pytest.mark.parametrize(
    ("number", "fields"),
    [
        (1, {"nuggets": [["This stands nowhere."]]}),
        (2, {"useful": ["This stands nowhere."]}),
        (5, {"nuggets": [["the"]]}),  # stands there more than once
        (60, {"useful": [""]}),
        (1, {"answerable": False}),
        (3, {"answerable": True}),
        (1, {"nuggets": []}),
    ],
)
def test_a_wrong_label_is_named_by_its_line(planted, number, fields):
    planted(number, **fields)
    with pytest.raises(QAError, match=rf"questions\.jsonl:{number}: "):
        load_development()


def test_the_calibration_was_made_of_the_development_questions_that_are_here():
    stored = json.loads(resources.files("evals").joinpath("similarity.json").read_text(encoding="utf-8"))
    data = b"".join(path.read_bytes() for path in sorted(DEV.iterdir()))
    assert stored["made_of"]["sha256 of evals/dev"] == hashlib.sha256(data).hexdigest()
    assert 0.0 < stored["values"]["answered_threshold"] < 1.0
    assert 0.0 < stored["values"]["evidence_threshold"] < 1.0


@pytest.mark.parametrize(
    ("span", "wanted", "shares"),
    [((0, 5), (4, 9), True), ((0, 5), (5, 9), False), ((5, 9), (0, 5), False), ((2, 3), (0, 9), True), ((0, 9), (2, 3), True)],
)
def test_spans_overlap_when_they_share_a_character(span, wanted, shares):
    assert overlaps(span, wanted) is shares


def test_a_nugget_is_supplied_by_any_one_of_its_sentences(questions):
    question = LabelledQuestion("x", questions[0].document, "?", "fact", (), (((0, 10), (20, 30)), ((40, 50),)), ())
    assert share_of_nuggets(question, []) == 0.0
    assert share_of_nuggets(question, [(20, 30)]) == 0.5
    assert share_of_nuggets(question, [(0, 10), (20, 30)]) == 0.5
    assert share_of_nuggets(question, [(5, 45)]) == 1.0
    assert share_of_nuggets(question, [(10, 20), (30, 40), (50, 60)]) == 0.0


@pytest.fixture(scope="module")
def passages():
    files = sorted(FOLDER.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_written_questions_have_no_fault(passages):
    assert [fault for passage in passages for fault in check(passage)] == []
    assert len(passages) == len({passage["id"] for passage in passages}) >= 400
    asked = [question for passage in passages for question in passage["questions"]]
    assert len(asked) >= 6000
    assert sum(not question["nuggets"] for question in asked) >= len(asked) / 3


def test_the_written_questions_load_with_spans_that_are_whole_sentences(passages):
    loaded = load_written("dev")
    kept = [passage for passage in passages if passage["split"] == "dev"]
    assert {question.document.source for question in loaded} == {passage["id"] for passage in kept}
    assert len(loaded) == sum(len(passage["questions"]) for passage in kept)
    sentences = {passage["id"]: set(sentences_of(passage)) for passage in kept}
    for question in loaded:
        for start, end in [*(span for nugget in question.nuggets for span in nugget), *question.useful]:
            assert question.document.text[start:end] in sentences[question.document.source]
        assert question.answerable == (question.category not in {"unanswerable", "false-premise"})


def _drop_words(passage):
    passage["paragraphs"] = [["Too short."]]
    passage["questions"] = []


def _question(kind, **changes):
    def plant(passage):
        question = next(question for question in passage["questions"] if question["type"] == kind)
        question.update(changes)

    return plant


def _echo_the_evidence(passage):
    question = next(question for question in passage["questions"] if question["type"] == "paraphrase")
    sentences = [sentence for paragraph in passage["paragraphs"] for sentence in paragraph]
    question["q"] = sentences[question["nuggets"][0][0]]


def _set_sentence(text):
    def plant(passage):
        passage["paragraphs"][0][0] = text

    return plant


def _ask_twice(passage):
    passage["questions"][1]["q"] = passage["questions"][0]["q"].upper()


def _both_nugget_and_useful(passage):
    question = next(question for question in passage["questions"] if question["nuggets"])
    question["useful"] = [*question["useful"], question["nuggets"][0][0]]


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (lambda passage: passage.pop("heading"), "fields"),
        (lambda passage: passage.update(note=""), "fields"),
        (_drop_words, "fewer than 120"),
        (lambda passage: passage["paragraphs"].append(["Word." + " word" * 1500 + "."]), "more than 1,500"),
        (lambda passage: passage.update(split="exam"), "split"),
        (_set_sentence("It does not end here and"), "not a whole sentence"),
        (_set_sentence(" It begins with a space."), "not a whole sentence"),
        (_ask_twice, "asked 2 times"),
        (_both_nugget_and_useful, "both nugget and useful"),
        (_echo_the_evidence, "shares"),
        (_question("fact", type="riddle"), "fields"),
        (_question("fact", extra=1), "fields"),
        (_question("fact", nuggets=[[999]]), "out of range"),
        (_question("fact", nuggets=[[-1]]), "out of range"),
        (_question("fact", useful=[999]), "out of range"),
        (_question("fact", nuggets=[]), "nuggets"),
        (_question("fact", nuggets=[[0], []], useful=[]), "nuggets"),
        (_question("unanswerable", nuggets=[[0]]), "nuggets"),
        (_question("multi", nuggets=[[0]], useful=[]), "two nuggets"),
        (_question("followup", history=[]), "follow-up"),
        (_question("fact", history=["Why?"]), "follow-up"),
        (_question("fact", correction=[0]), "correction"),
        (_question("fact", twin={"0": "No full stop"}), "twin"),
        (_question("fact", twin={"999": "Out of range."}), "twin"),
        (_question("fact", twin={}), "twin"),
        (_question("fact", nuggets=[[0, 1]], useful=[], twin={"0": "Only one of two."}), "leaves evidence [1]"),
        (_question("unanswerable", twin={"0": "One.", "1": "Two."}), "replaces one sentence"),
    ],
)
def test_a_planted_fault_is_found(passages, plant, says):
    kinds = {"fact", "multi", "followup", "unanswerable", "paraphrase"}
    passage = copy.deepcopy(next(p for p in passages if kinds <= {question["type"] for question in p["questions"]}))
    assert check(passage) == []
    plant(passage)
    faults = check(passage)
    assert faults
    assert all("\n" not in fault for fault in faults)
    assert any(says in fault for fault in faults)


def test_splits_share_no_passage_and_a_twin_turns_its_question_round():
    splits = {split: load_written(split, twins=True) for split in SPLITS}
    texts = {
        split: {q.document.source.split("-twin")[0].rsplit("-", 1)[0] for q in asked if q.twin_of}
        for split, asked in splits.items()
    }
    assert not texts["train"] & texts["dev"] and not texts["dev"] & texts["test"] and not texts["train"] & texts["test"]
    for asked in splits.values():
        by_id = {question.id: question for question in asked}
        twins = [question for question in asked if question.twin_of]
        assert len(twins) > 100
        for twin in twins:
            original = by_id[twin.twin_of]
            assert (twin.question, twin.history) == (original.question, original.history)
            assert twin.answerable != original.answerable
            assert twin.document.text != original.document.text
            for start, end in (span for nugget in twin.nuggets for span in nugget):
                assert twin.document.text[start:end] not in original.document.text


def test_a_written_passage_with_a_fault_is_not_loaded(tmp_path, monkeypatch, passages):
    monkeypatch.setattr(evals.written_questions, "FOLDER", tmp_path)
    good, bad = json.dumps(passages[0]), json.dumps(passages[1] | {"title": None, "note": ""})
    (tmp_path / "passages.jsonl").write_text(f"{good}\n{bad}\n", encoding="utf-8")
    with pytest.raises(QAError, match=r"passages\.jsonl:2: fields"):
        load_written("train")
    (tmp_path / "passages.jsonl").write_text(f"{good}\n\n{{\n", encoding="utf-8")
    with pytest.raises(QAError, match=r"passages\.jsonl:2: not JSON"):
        load_written("train")
    (tmp_path / "passages.jsonl").write_text(good, encoding="utf-8")
    assert len(load_written("train")) == len(passages[0]["questions"])
