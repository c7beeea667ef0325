import gzip
import hashlib
import json

import pytest

import evals.public_questions
from evals.public_questions import SETS, load_public
from index.errors import QAError

CONTEXT = "The ferry stopped in 1990.\r\nIt was old. The council of Brill paid for the pier."
SQUAD = {
    "data": [
        {
            "title": title,
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {"question": " When? ", "answers": [{"text": "1990", "answer_start": 21}], "is_impossible": False},
                        {"question": "Who?", "answers": [{"text": "Brill", "answer_start": 54}], "is_impossible": False},
                        {"question": "Where?", "answers": [], "is_impossible": True},
                        {"question": "Lost?", "answers": [{"text": "nowhere", "answer_start": 3}], "is_impossible": False},
                    ],
                }
            ],
        }
        for title in ("Normans", "Steam_engine")
    ]
}
TALES = {
    "stories": {"Snow": {"1": "The sun was setting. The snow man wished to slide along the ice. The dog barked."}},
    "questions": [
        {
            "story": "Snow",
            "sections": ["1"],
            "question": question,
            "explicit": explicit,
            "attribute": "action",
            "answers": answers,
        }
        for question, explicit, answers in (
            ("What did the snow man wish?", True, ["to slide along the ice"]),
            ("Why?", False, ["fun"]),
            ("Who?", True, ["a cat"]),
        )
    ],
}
QED = {
    "title_text": "Ferry",
    "paragraph_text": "The ferry stopped in 1990 . It was old .",
    "question_text": "when did the ferry stop",
    "sentence_starts": [0, 28],
    "original_nq_answers": [[{"start": 21, "end": 25, "string": "1990"}]],
    "annotation": {"explanation_type": "single_sentence", "selected_sentence": {"start": 0, "end": 28, "string": ""}},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Small files in the sets' formats."""
    contents = {
        "squad2_dev_half.json.gz": json.dumps(SQUAD),
        "covid_qa_200423.json.gz": json.dumps(SQUAD),
        "fairytaleqa_train.json.gz": json.dumps(TALES),
        "fairytaleqa_val.json.gz": json.dumps(TALES),
        "qed_dev.jsonl.gz": json.dumps(QED),
    }
    checksums = {}
    for name, content in contents.items():
        data = gzip.compress(content.encode())
        (tmp_path / name).write_bytes(data)
        checksums[name] = hashlib.sha256(data).hexdigest()
    monkeypatch.setattr(evals.public_questions, "CHECKSUMS", checksums)
    return tmp_path


def quotes(question):
    return [[question.document.text[start:end] for start, end in nugget] for nugget in question.nuggets]


def test_squad_is_split_by_article_and_its_answers_are_sentences(folder):
    when, who, where = load_public("squad", "dev", folder)
    assert quotes(when) == [["The ferry stopped in 1990."]]
    assert quotes(who) == [["The council of Brill paid for the pier."]]
    assert quotes(where) == []
    start, end = who.short_answer
    assert who.document.text[start:end] == "Brill"
    assert when.question == "When?"
    assert [question.document.title for question in load_public("squad", "train", folder)] == ["Steam engine"] * 3


def test_fairytales_take_the_sentence_that_holds_the_answer(folder):
    (wish,) = load_public("fairytales", "train", folder)
    assert quotes(wish) == [["The snow man wished to slide along the ice."]]
    assert len(load_public("fairytales", "dev", folder)) == 1


def test_qed_takes_the_selected_sentence(folder):
    (question,) = load_public("qed", "train", folder) + load_public("qed", "dev", folder)
    assert question.question == "when did the ferry stop?"
    assert [nugget[0].startswith("The ferry stopped") for nugget in quotes(question)] == [True]


@pytest.mark.parametrize("name", sorted(SETS))
def test_another_edition_of_a_file_is_refused_and_a_missing_one_named(folder, name):
    for file in folder.iterdir():
        file.write_bytes(gzip.compress(b"{}"))
    with pytest.raises(QAError, match="is another edition of the file"):
        load_public(name, "train", folder)
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(QAError, match=r"\.gz: cannot be read \(No such file or directory\)"):
        load_public(name, "train", folder)
