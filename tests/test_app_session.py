import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from qa_checks import assert_sound

import qa
from app.examples import example_questions
from app.opening import Admission, Busy, Opening
from app.session import MAX_QUESTION, MAX_UPLOADS, Session
from index.errors import QAError
from index.load import load_text
from index.progress import Listener
from index.sentences import outline
from qa.api import open_library

pytest_plugins = ["qa_fixtures"]

TRAMS = b"Trams of the Town\n\nThe blue tram runs hourly. It stops at the brewery. Dogs ride free of charge.\n"
TALKS = "Where did the secret talks take place?"


@pytest.fixture
def opening(bot):
    made = Opening(lambda: bot)
    made.start()
    return made


@pytest.fixture
def session(opening):
    return Session(opening, max_upload=10_000)


def ask(session, question, keep=None):
    asking = session.begin(question, keep)
    turn = session.answer(asking)
    assert session.finish(asking, turn)
    return turn


def test_an_answer_is_the_bots_own(session, bot):
    turn = ask(session, TALKS)
    assert_sound(turn.answer, bot)
    assert turn.answer.text == bot.ask(TALKS).text
    assert turn.documents == bot.documents


def test_follow_ups_are_understood_as_in_a_conversation(session, bot):
    talk = bot.conversation()
    talk.ask(TALKS)
    ask(session, TALKS)
    turn = ask(session, "And when?")
    assert turn.answer.citations == talk.ask("And when?").citations
    assert turn.answer.trace.understood == "And when? (secret talks take place)"
    session.clear()
    assert ask(session, "And when?").answer.trace.follow_up is False


def test_turns_go_only_when_the_answer_that_replaces_them_is_there(session):
    first, second = ask(session, TALKS), ask(session, "And when?")
    failing = session.begin("Who met?", keep=0)
    assert session.finish(failing, None)
    assert session.turns == (first, second)
    again = ask(session, "Who met in Hanoi?", keep=0)
    assert session.turns == (again,)
    assert again.history == ()


def test_asked_again_a_question_takes_its_own_place_alone(session):
    trams = session.add(TRAMS, "trams.txt", Listener())
    ask(session, "Do dogs pay?")
    session.choose(None)
    last = ask(session, TALKS)
    asking = session.begin("Do dogs pay?", 0, again=True)
    turn = session.answer(asking)
    assert session.finish(asking, turn)
    assert session.turns == (turn, last)
    assert turn.documents == (trams,)  # those it was asked of, not those that are chosen now
    session.remove(trams.id)
    with pytest.raises(QAError, match="“Trams of the Town” is not here any more"):
        session.answer(session.begin("Do dogs pay?", 0, again=True))


def test_one_question_at_a_time_and_what_was_given_up_stays_out(session):
    asking = session.begin(TALKS)
    with pytest.raises(QAError, match="Another question is being answered"):
        session.begin("And when?")
    turn = session.answer(asking)
    assert session.give_up() == TALKS
    assert not session.finish(asking, turn)
    assert session.turns == ()
    asking = session.begin(TALKS)
    session.clear()
    assert not session.finish(asking, turn)
    assert (session.turns, session.give_up()) == ((), None)


def test_visitors_do_not_see_each_other(opening, session):
    other = Session(opening, max_upload=10_000)
    document = session.add(TRAMS, "trams.txt", Listener())
    ask(session, "Do dogs pay?")
    assert other.turns == ()
    assert document not in other.documents
    assert other.document(document.id) is None
    assert session.document(document.id)[0] == document
    with pytest.raises(QAError, match="Only documents that were uploaded here"):
        other.remove(document.id)


def test_an_upload_is_chosen_asked_and_removed(session, bot):
    told = []
    document = session.add(TRAMS, "trams.txt", Listener(progress=lambda *what: told.append(what)))
    assert told
    assert (document.title, session.chosen) == ("Trams of the Town", (document,))
    turn = ask(session, "Do dogs pay on the tram?")
    assert {c.title for c in turn.answer.citations or turn.answer.nearest} == {"Trams of the Town"}
    session.choose(None)
    assert session.chosen == (*bot.documents, document)
    both = ask(session, "Do dogs pay on the tram?")
    assert both.documents == (*bot.documents, document)
    session.choose("nonsense")
    assert session.chosen == session.documents
    assert not session.removable(bot.documents[0])
    with pytest.raises(QAError, match="Only documents that were uploaded here"):
        session.remove(bot.documents[0].id)
    session.remove(document.id)
    assert session.documents == bot.documents
    # What was answered from it can still be looked at.
    assert session.document(document.id)[0] == document
    session.close()
    assert session.documents == bot.documents


def test_an_upload_of_what_is_there_already_is_that(session, bot):
    document = session.add(bot.documents[0].text.encode(), "again.txt", Listener())
    assert session.documents == bot.documents
    assert session.chosen == bot.documents
    assert document.id == bot.documents[0].id


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\x\\y.txt", "a\0b.txt", "", ".."])
def test_a_name_is_never_a_path(session, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    document = session.add(b"no title here, only this one sentence about trams that goes on and on.", name, Listener())
    assert document in session.documents
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"x" * 10_001, "big.txt: has 0.0 MB; at most 0.00954 MB can be asked"),
        (b"", "big.txt: the document is empty"),
        (b"\0", "big.txt: is not text"),
        (b"\xff\xfe", "big.txt: is not UTF-8"),
    ],
)
def test_what_cannot_be_asked_is_refused(session, data, said):
    with pytest.raises(QAError, match=re.escape(said)):
        session.add(data, "big.txt", Listener())
    assert len(session.documents) == 1


def test_so_many_uploads_and_no_more(session):
    for number in range(MAX_UPLOADS):
        session.add(f"Text number {number} stands here, alone.".encode(), f"{number}.txt", Listener())
    with pytest.raises(QAError, match="20 documents are open already; remove one first"):
        session.add(b"One more.", "more.txt", Listener())


@pytest.mark.parametrize(
    ("question", "said"), [("x" * (MAX_QUESTION + 1), "at most 2,000 are read"), (" \n", "Please ask a question.")]
)
def test_a_question_that_is_too_long_or_empty_is_refused(session, question, said):
    with pytest.raises(QAError, match=said):
        session.begin(question)
    assert session.asking is None


def test_half_a_character_is_no_text(session):
    assert ask(session, "Who met in Hanoi \ud800?").question == "Who met in Hanoi ??"


def test_a_mark_is_remembered(session):
    ask(session, TALKS)
    session.mark(0, right=False)
    assert session.turns[0].mark is False


def in_a_loop(scene):
    """Runs a scene in a thread of its own: Playwright keeps an event loop in this one."""
    with ThreadPoolExecutor() as pool:
        return pool.submit(asyncio.run, scene()).result(60)


def test_only_so_many_wait():
    leave = threading.Event()

    async def scene():
        admission = Admission(inside=1, waiting=1)
        both = [asyncio.ensure_future(admission.run(lambda: leave.wait(30))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="2 others are being served or wait"):
            await admission.run(lambda: True)
        leave.set()
        assert await asyncio.gather(*both) == [True, True]
        return await admission.run(lambda: "again")

    assert in_a_loop(scene) == "again"


def test_work_that_nobody_waits_for_keeps_its_place_until_it_ends():
    leave, started = threading.Event(), threading.Event()

    async def scene():
        admission = Admission(inside=1, waiting=0)
        given_up = asyncio.ensure_future(admission.run(lambda: started.set() or leave.wait(30)))
        await asyncio.to_thread(started.wait, 30)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        with pytest.raises(Busy):
            await admission.run(lambda: True)
        leave.set()
        while True:
            try:
                return await admission.run(lambda: "next")
            except Busy:
                await asyncio.sleep(0.01)

    assert in_a_loop(scene) == "next"


def test_who_gives_up_waiting_leaves_the_place_to_others():
    leave = threading.Event()

    async def scene():
        admission = Admission(inside=1, waiting=1)
        first, waiting = (asyncio.ensure_future(admission.run(lambda: leave.wait(30))) for _ in range(2))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.sleep(0.05)
        third = asyncio.ensure_future(admission.run(lambda: "third"))
        await asyncio.sleep(0.05)
        leave.set()
        return await first, await third

    assert in_a_loop(scene) == (True, "third")


def test_documents_that_cannot_be_opened_say_so_to_everyone():
    def fails():
        raise QAError("no such file")

    told = []
    opening = Opening(fails, notice=told.append)
    assert not opening.done
    opening.start()
    for _ in range(2):
        with pytest.raises(QAError, match="no such file"):
            opening.bot(timeout=30)
    assert told == ["the documents cannot be opened: no such file"]


def test_a_shared_library_keeps_what_was_there_and_what_others_brought(settings, commentary):
    opening = Opening(lambda: qa.open(settings=settings), lambda listener: open_library(settings, listener))
    opening.start()
    one, two = (Session(opening, max_upload=10_000) for _ in range(2))
    trams = one.add(TRAMS, "notes.txt", Listener())
    rules = two.add(b"House rules\n\nA guest may stay for nine nights.", "notes.txt", Listener())
    assert {document.title for document in one.documents} == {commentary.title, "Trams of the Town", "House rules"}
    assert [document.title for document in qa.open(settings=settings).documents] == [d.title for d in two.documents]
    assert not one.removable(commentary)
    one.remove(rules.id)
    two.remove(trams.id)
    assert one.documents == (commentary,)


def examples(*documents):
    return example_questions([(document, outline(document.text, document.id)) for document in documents])


def test_example_questions_come_from_the_document(commentary):
    questions = examples(commentary)
    assert len(questions) == 4
    assert questions[0] == "What does it say about “Pursuing A Bilateral Thaw”?"
    plain = load_text("It was late. Then Ann Lee came in, and Ann Lee left.")
    assert examples(plain)[0] == "What does it say about Ann Lee?"
    rates = load_text("Rates\n\nthe mooring costs nine pounds a night, and the mooring is paid at the office.")
    assert examples(rates)[0] == "What does it say about “mooring”?"
    assert len(examples(rates)) == 4
    in_turn = examples(commentary, plain)
    assert (in_turn[0], in_turn[1]) == (questions[0], "What does it say about Ann Lee?")
    asked = load_text("Rules\n\nMay I smoke?\n\nNobody may smoke inside, not even at the window.")
    assert examples(asked)[0] == "May I smoke?"
    assert examples() == ()
