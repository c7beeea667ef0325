import json

import pytest
from suite_lines import LINES, RULES, line, without_answer

from evals.suite.gold import FOLDER, load_gold
from evals.suite.lint import lint, published, reference_score
from evals.suite.schema import CATEGORIES, GoldError

pytest_plugins = ["suite_fixtures"]


def faults_of(path, published_texts=None):
    return [str(finding) for finding in lint(load_gold(path), published_texts or {}) if finding.fault]


def test_quotes_are_found_in_the_document(gold):
    question = gold.questions[0]
    ((start, end),) = question.nuggets[0].evidence[0]
    assert question.document.text[start:end] == "A guest may stay for nine nights."
    assert [question.document.text[start:end] for start, end in question.allowed] == [
        "Longer stays need a letter from the warden."
    ]
    assert gold.questions[4].correction


def test_a_part_of_a_gold_set_is_a_split_or_some_ids(gold):
    assert [question.id for question in gold.part(ids=["rent", "nights"])] == ["nights", "rent"]
    assert len(gold.part("dev")) == len(LINES)
    with pytest.raises(GoldError, match="in the split 'test'"):
        gold.part("test")
    with pytest.raises(GoldError, match="no question has the id nowhere"):
        gold.part(ids=["nowhere"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"question": 5}, "question: input should be a valid string"),
        ({"colour": "red"}, "colour: extra inputs are not permitted"),
        ({"split": "train"}, "split: input should be 'dev' or 'test'"),
        ({"answerable": "yes"}, "answerable: input should be a valid boolean"),
        ({"id": "Nights!"}, "id: string should match pattern"),
        ({"allowed": ["Cats are welcome."]}, "does not hold the quote 'Cats are welcome.'"),
        ({"allowed": ["key"]}, "stands there 2 times; say"),
        ({"allowed": [{"quote": "key", "occurrence": 4}]}, "stands there 2 times, not 4"),
        ({"sha256": "0" * 64}, "changed since it was labelled: its sha256 is"),
        ({"document": "../rules.txt"}, "give 'commentary' or a file in the gold file's folder"),
        ({"document": "/etc/passwd"}, "give 'commentary' or a file in the gold file's folder"),
        ({"document": "missing.txt"}, "missing.txt"),
        ({"must_not": ["("]}, "no regular expression"),
        ({"nuggets": [{"says": "x", "evidence": []}]}, "nuggets.0.evidence: list should have at least 1 item"),
    ],
)
def test_a_fault_names_its_line(write_gold, fields, message):
    path = write_gold(LINES[1], line(**fields))
    with pytest.raises(GoldError) as caught:
        load_gold(path)
    assert str(caught.value).startswith("rules.jsonl:2: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_several_faults_the_first_is_told_and_all_are_kept(write_gold):
    path = write_gold(line(), line(), line(split="x", id="b"))
    with pytest.raises(
        GoldError, match=r"rules.jsonl:2: the id nights is line 1's \(and 1 more; 'qa eval lint' lists them\)"
    ) as e:
        load_gold(path)
    assert len(e.value.faults) == 2


def test_a_line_that_is_not_json_and_a_missing_file_are_faults(write_gold, tmp_path):
    path = write_gold(line())
    path.write_text(path.read_text() + "{not json\n")
    with pytest.raises(GoldError, match=r"rules.jsonl:2: not JSON"):
        load_gold(path)
    with pytest.raises(GoldError, match=r"none.jsonl: cannot be read"):
        load_gold(tmp_path / "none.jsonl")
    path.write_text(json.dumps(line())[:-1] + ', "id": "again"}\n')
    with pytest.raises(GoldError, match=r"rules.jsonl:1: id: stands there twice"):
        load_gold(path)
    path.write_text("[" * 100_000 + "\n")
    with pytest.raises(GoldError, match="nested too deeply"):
        load_gold(path)
    path.write_text(json.dumps(line(must_not=["a{99999999999}"])) + "\n")
    with pytest.raises(GoldError, match="a regular expression is too large"):
        load_gold(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(GoldError, match="not UTF-8 at byte 0"):
        load_gold(path)


def test_an_occurrence_is_counted_from_1(write_gold):
    gold = load_gold(write_gold(line(allowed=[{"quote": "key", "occurrence": 2}])))
    assert gold.questions[0].allowed == ((RULES.rindex("key"), RULES.rindex("key") + 3),)


def test_a_sound_file_has_no_faults(write_gold):
    assert faults_of(write_gold(*LINES)) == []


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"answerable": False}, "answerable is False in the category fact"),
        ({"nuggets": []}, "no nugget is vital"),
        ({"category": "unanswerable-far", "answerable": False}, "not answerable, but it has nuggets"),
        ({"correction": ["The key costs two pounds."]}, "only a false premise has a correction"),
        ({"history": ["And then?"]}, "a follow-up has a history"),
        ({"category": "follow-up"}, "a follow-up has a history"),
        ({"question": "?"}, "an empty question holds no letter"),
        ({"category": "multi-evidence"}, "multi-evidence needs two sentences"),
        ({"allowed": ["A guest may stay for nine nights."]}, "both evidence and allowed"),
        ({"reference": ""}, "no reference answer"),
        ({"reference": "At most ten nights."}, "the reference answer scores 0.00"),
        ({"reference": "A long time."}, "the reference answer scores 0.00"),
        ({"reference": "Nine nights, my lord.", "must_not": ["my lord"]}, "the reference answer scores 0.00"),
        ({"category": "paraphrase"}, "shares ['guest', 'stay'] with its evidence"),
        ({"nuggets": [{"says": "x", "evidence": [["The key costs two pounds."]]}]}, "no pattern that accepts it"),
    ],
)
def test_lint_finds_labels_that_contradict_one_another(write_gold, fields, fault):
    assert any(fault in found for found in faults_of(write_gold(line(**fields)))), faults_of(write_gold(line(**fields)))


def test_lint_finds_a_cluster_in_both_splits(write_gold):
    path = write_gold(line(), line(id="b", split="test", question="For how many nights?"))
    assert faults_of(path) == ["b: the cluster 'nights' lies in both splits"]


def test_lint_finds_a_test_question_that_leaked(write_gold):
    path = write_gold(line(split="test"))
    assert faults_of(path, {"README.md": "Try: how long may\na guest stay"}) == [
        "nights: a test question, but README.md holds it"
    ]
    assert faults_of(path, {"README.md": "How long may a dog stay?"}) == []
    assert faults_of(write_gold(line()), {"README.md": "How long may a guest stay?"}) == []


def test_lint_warns_of_near_duplicates_and_of_half_sentences(write_gold):
    path = write_gold(line(allowed=["Dogs are welcome"]), line(id="b", cluster="b", question="How long may a guest stay here?"))
    warnings = [str(finding) for finding in lint(load_gold(path), {}) if not finding.fault]
    assert warnings == [
        "nights: warning: not whole sentences: 'Dogs are welcome'",
        "b: warning: nearly nights, but in another cluster",
    ]


def test_the_reference_of_a_question_without_nuggets_is_right(write_gold):
    assert reference_score(load_gold(write_gold(without_answer(category="unanswerable-far"))).questions[0]) == 1.0


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.jsonl")), ids=lambda path: path.stem)
def test_the_gold_files_that_come_with_the_package_are_sound(path):
    gold = load_gold(path)
    assert [str(finding) for finding in lint(gold, published()) if finding.fault] == []
    assert {question.line.category for question in gold.questions} == set(CATEGORIES)
    unanswered = sum(not question.line.answerable for question in gold.questions)
    assert 0.25 <= unanswered / len(gold.questions) <= 0.4


def test_the_format_description_names_every_field_and_category():
    described = (FOLDER / "FORMAT.md").read_text(encoding="utf-8")
    fields = [key for key in LINES[0] if key != "says"]
    for name in [*fields, "history", "must_not", "correction", "notes", *CATEGORIES]:
        assert f"`{name}`" in described, name
    example = json.loads(described.split("```json\n")[1].split("```")[0].replace("…64 hex digits…", "0" * 64))
    assert set(fields) <= set(example)
