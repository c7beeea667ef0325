import hashlib
import random
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from qa_checks import assert_sound, essence

import index.corpus
import qa
from index.errors import LoadError
from qa.errors import CitationError

pytest_plugins = ["qa_fixtures"]

COMMENTARY = "a0b7546687d2c1d6539c6b3a00a90fe758ae25ef0ca0b7ff10a1b8a63dd165bd"
UN = "Why did Japan withhold the UN resolution?"
QUESTIONS = [
    UN,
    "Where did the secret talks take place?",
    "What is the boiling point of lead?",
    "What did Abe vow before the Diet?",
    "",
    "And when?",
    "日本",
    "Who met Kim Jong-Un in Hanoi?",
]
TRAMS = "Trams of the Town\n\nThe blue tram runs hourly. It stops at the brewery. Dogs ride free of charge.\n"


@pytest.fixture
def files(tmp_path, gardens):
    """Two files with titles of their own."""
    (tmp_path / "docs").mkdir()
    first, second = tmp_path / "docs" / "gardens.txt", tmp_path / "docs" / "trams.md"
    first.write_text(gardens.text)
    second.write_text(TRAMS)
    return first, second


def test_on_a_fresh_home_the_commentary_is_indexed_and_afterwards_opened_in_place(home):
    with qa.open() as bot:
        assert hashlib.sha256(bot.documents[0].text.encode()).hexdigest() == COMMENTARY
        assert len(bot.documents) == 1
        assert bot.documents[0].source == "builtin:commentary"
        assert bot.receipt.added == (bot.documents[0].title,)
        assert bot.receipt.reason
        first = bot.ask(UN)
        assert_sound(first, bot)
        assert first.answered
    assert home.is_dir()
    with qa.open() as bot:
        assert bot.receipt.reason == ""
        assert bot.receipt.sentences_embedded == 0
        assert essence(bot.ask(UN)) == essence(first)


def test_a_file_is_indexed_once_and_again_when_it_changes(files):
    path, _ = files
    with qa.open(path) as bot:
        assert bot.receipt.reason
        assert [document.title for document in bot.documents] == ["Gardens of the Town"]
        assert bot.documents[0].source == str(path)
    with qa.open(str(path)) as bot:
        assert bot.receipt.reason == ""
    path.write_text(path.read_text().replace("Mondays", "Fridays"))
    with qa.open(path) as bot:
        assert bot.receipt.reason
        assert 0 < bot.receipt.sentences_embedded < bot.receipt.sentences_reused
        answer = bot.ask("On which days is it watered?")
        assert_sound(answer, bot)
        assert "It is watered on Fridays." in [citation.quote for citation in answer.citations]


def test_two_documents_are_kept_apart_in_citations(files):
    with qa.open(*files) as bot:
        gardens, trams = bot.documents
        for document, question, quote in (
            (gardens, "When did the rose garden open?", "The rose garden opened in 1911."),
            (trams, "How often does the blue tram run?", "The blue tram runs hourly."),
        ):
            answer = bot.ask(question)
            assert_sound(answer, bot)
            (citation,) = [citation for citation in answer.citations if citation.quote == quote]
            assert (citation.document_id, citation.title, citation.page) == (document.id, document.title, None)
            assert citation.heading == document.title
        assert set(bot.passage_counts) == {gardens.id, trams.id}
        assert all(count >= 1 for count in bot.passage_counts.values())


def test_the_same_files_are_opened_in_place_however_they_are_named(files):
    qa.open(*files).close()
    for paths in (files[::-1], [files[0].parent], [*files, files[0]], [str(file) for file in files]):
        with qa.open(*paths) as bot:
            assert bot.receipt.reason == ""
            assert [document.source for document in bot.documents] == [str(file) for file in files]


def test_with_another_model_it_says_that_its_numbers_are_a_guess(embedder, monkeypatch):
    notices = []
    listener = qa.Listener(notice=notices.append)
    qa.open(text=TRAMS, listener=listener).close()
    assert notices == []
    other = replace(embedder, fingerprint="some/other-model:1")
    monkeypatch.setattr("qa.api.load_embedder", lambda settings, listener: other)
    qa.open(text=TRAMS, listener=listener).close()
    (line,) = notices
    assert "some/other-model" in line


def test_a_folder_that_gains_a_file_keeps_what_was_embedded(files):
    folder = files[0].parent
    with qa.open(folder) as bot:
        sentences = bot.receipt.sentences_embedded
    (folder / "boats.txt").write_text("Boats keep to the right on the river.")
    with qa.open(folder) as bot:
        assert len(bot.documents) == 3
        assert (bot.receipt.sentences_embedded, bot.receipt.sentences_reused) == (1, sentences)
        assert (len(bot.receipt.added), bot.receipt.removed) == (3, ())


def test_a_folder_gives_the_documents_in_it(files):
    with qa.open(files[0].parent) as bot:
        assert [document.title for document in bot.documents] == ["Gardens of the Town", "Trams of the Town"]
        assert bot.ask("Do dogs ride free on the tram?").answered


def test_the_library_is_left_alone_when_files_are_opened(files):
    with qa.open() as bot:
        commentary = bot.documents
    qa.open(files[0]).close()
    with qa.open() as bot:
        assert bot.documents == commentary
        assert bot.receipt.reason == ""


def test_a_string_is_asked_without_a_trace_on_disk(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with qa.open(text=TRAMS, title="My trams") as bot:
        answer = bot.ask("How often does the blue tram run?")
        assert_sound(answer, bot)
        assert answer.answered
        assert {citation.title for citation in answer.citations} == {"My trams"}
        assert bot.documents[0].text == TRAMS
    assert not home.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_string_without_a_title_has_its_own():
    with qa.open(text=TRAMS) as bot:
        assert bot.documents[0].title == "Trams of the Town"
    with qa.open(text="Only prose here. Nothing above it.") as bot:
        assert bot.documents[0].title == "Untitled"


def test_closing_one_leaves_others_that_live_in_memory_alone(monkeypatch):
    monkeypatch.setattr(index.corpus, "KEPT_IN_MEMORY", 0)
    one, other = qa.open(text=TRAMS), qa.open(text="The oak by the gate is 300 years old.")
    one.close()
    assert other.ask("How old is the oak by the gate?").answered
    other.close()


@pytest.mark.parametrize(
    ("paths", "options", "says"),
    [
        (["a.txt"], {"text": "b"}, "not both"),
        ([], {"title": "A title"}, "a title goes with text"),
        (["a.txt"], {"title": "A title"}, "a title goes with text"),
        (["missing.txt"], {}, "missing.txt: no such file or folder"),
        (["docs", "missing.txt"], {}, "missing.txt: no such file or folder"),
        ([""], {}, "a path is empty"),
        ([], {"text": ""}, "empty"),
        ([], {"text": " \n"}, "empty"),
        ([], {"text": "\ud800"}, "surrogate"),
        (["nul\0.txt"], {}, "cannot be read|no such file"),
        (["x" * 5000], {}, "cannot be read|no such file"),
    ],
)
def test_what_cannot_be_opened_is_one_clear_line(tmp_path, files, monkeypatch, home, paths, options, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoadError, match=says) as caught:
        qa.open(*paths, **options)
    assert isinstance(caught.value, qa.QAError)
    assert "\n" not in str(caught.value)
    assert not home.exists()


def test_every_error_of_the_project_is_a_qa_error():
    assert issubclass(CitationError, qa.QAError)


def test_settings_that_are_given_win_over_the_environment(tmp_path, home):
    settings = qa.IndexSettings(home=tmp_path / "elsewhere", cache=qa.IndexSettings.resolve().cache)
    qa.open(settings=settings).close()
    assert (tmp_path / "elsewhere").is_dir()
    assert not home.exists()


def test_a_home_that_cannot_be_written_is_no_reason_not_to_answer(home):
    home.write_text("a file is in the way")
    notices = []
    with qa.open(listener=qa.Listener(notice=notices.append)) as bot:
        assert bot.ask(UN).answered
    assert len(notices) == 1
    assert "answering from memory" in notices[0]


@pytest.fixture(params=["in memory", "on disk"])
def asked_at_once(request, bot, monkeypatch):
    """The commentary, once with its vectors kept in memory and once with each read from Chroma's files."""
    if request.param == "in memory":
        return bot
    monkeypatch.setattr(index.corpus, "KEPT_IN_MEMORY", 5)
    opened = qa.open()
    request.addfinalizer(opened.close)
    return opened


def test_eight_threads_get_the_answers_that_one_gets(asked_at_once):
    alone = [essence(asked_at_once.ask(question)) for question in QUESTIONS]
    start = threading.Barrier(8)

    def ask(number):
        start.wait()
        order = QUESTIONS[number:] + QUESTIONS[:number]
        said = {question: essence(asked_at_once.ask(question)) for question in order}
        return [said[question] for question in QUESTIONS]

    with ThreadPoolExecutor(8) as threads:
        for said in threads.map(ask, range(8)):
            assert said == alone


def test_eight_conversations_at_once_do_not_mix(bot):
    start = threading.Barrier(8)
    openings = [question for question in QUESTIONS if len(question) > 10]

    def talk(number):
        start.wait()
        conversation = bot.conversation()
        return [essence(conversation.ask(question)) for question in (openings[number % len(openings)], "And when?")]

    with ThreadPoolExecutor(8) as threads:
        for number, said in enumerate(threads.map(talk, range(8))):
            opening = openings[number % len(openings)]
            assert said == [essence(bot.ask(opening)), essence(bot.ask("And when?", history=[opening]))]


def _scramble(file):
    file.write_bytes(random.Random(7).randbytes(file.stat().st_size))


def _empty(file):
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [_scramble, _empty])
def test_an_index_that_is_damaged_while_it_is_open_is_made_again_without_a_word_lost(home, monkeypatch, damage):
    monkeypatch.setattr(index.corpus, "KEPT_IN_MEMORY", 5)
    notices = []
    with qa.open(listener=qa.Listener(notice=notices.append)) as bot:
        before = essence(bot.ask(UN))
        documents = bot.documents
        for file in (home / "library" / "builds").rglob("*"):
            if file.is_file():
                damage(file)
        with ThreadPoolExecutor(4) as threads:
            for said in threads.map(lambda _: essence(bot.ask(UN)), range(4)):
                assert said == before
        assert bot.documents == documents
        assert "damaged" in bot.receipt.reason
        assert len(notices) == 1
        assert notices[0].startswith("rebuilding the index: ")
    with qa.open() as bot:
        assert bot.receipt.reason == ""
        assert essence(bot.ask(UN)) == before


def test_an_index_that_is_deleted_while_it_is_open_still_answers(home, monkeypatch):
    monkeypatch.setattr(index.corpus, "KEPT_IN_MEMORY", 5)
    with qa.open() as bot:
        before = essence(bot.ask(UN))
        shutil.rmtree(home / "library" / "builds")
        assert essence(bot.ask(UN)) == before
    with qa.open() as bot:
        assert essence(bot.ask(UN)) == before
    assert list((home / "library" / "builds").glob("*/layouts.json"))


def test_opened_files_that_are_damaged_are_made_again_even_if_the_files_are_gone(home, files, monkeypatch):
    monkeypatch.setattr(index.corpus, "KEPT_IN_MEMORY", 2)
    with qa.open(*files, listener=qa.Listener(notice=lambda line: None)) as bot:
        before = essence(bot.ask("How old is the oak by the gate?"))
        for path in files:
            path.unlink()
        for file in home.rglob("builds/*/*"):
            if file.is_file():
                _scramble(file)
        for file in home.rglob("chroma.sqlite3"):
            _scramble(file)
        assert essence(bot.ask("How old is the oak by the gate?")) == before
        assert bot.receipt.reason
