import pytest
from hypothesis import given
from hypothesis import strategies as st
from qa_checks import BAROMETER, assert_sound, essence

from qa.conversation import CARRIED_WORDS, is_follow_up, understand
from qa.retrieve import READ_WHOLE

pytest_plugins = ["qa_fixtures"]

TALKS = "Where did the secret talks take place?"


@pytest.mark.parametrize(
    "question",
    [
        "And when?",
        "But why did the talks fail?",
        "So what happened next?",
        "Why?",
        "Where else?",
        "When exactly?",
        "How so?",
        "Since when?",
        "Why not?",
        "What about Japan?",
        "how about the harbour in Goole?",
        "What else did Tokyo do?",
        "Who else was there?",
        "Why did they do that?",
        "What did he say about the summit?",
        "Was it successful in the end?",
        "How many of them came back?",
        "Who proposed the same plan?",
        "Which one was cheaper?",
        "How long did it take the envoys?",
        "Is her brother still there?",
        "What did the former want?",
        "What was his reason?",
        "What does it cost?",
        "Why did they tell Abe?",
        "Which countries?",
        "What is the reason?",
        "Why Abe?",
        "“And when?”",
    ],
)
def test_a_question_that_leans_on_the_one_before_is_a_follow_up(question):
    assert is_follow_up(question)
    assert understand(question, [TALKS]) != question


@pytest.mark.parametrize(
    "question",
    [
        "Why did Japan withhold the UN resolution?",
        "Is there a deadline for the memo?",
        "Are there any talks in Mongolia?",
        "What does this document say about trade?",
        "What does it say about “Changing Approach”?",
        "Does it mention mooring?",
        "What does the author of this commentary think about Abe?",
        "Where did the secret talks take place?",
        "Did Abe meet his counterpart?",
        "Why did Abe say that he would not be dissuaded?",
        "Is it true that Abe met Kim?",
        "Is it likely that the harbour closes?",
        "What is denuclearization?",
        "Who is Abe?",
        "What happened to those who were abducted?",
        "What did both Japan and Korea want?",
        "Did the ferry that sank carry freight?",
        "Does the author think the summit failed?",
        "How much did the harbour cost in 1911?",
        "Did people in Goole sell their cellars?",
        "Why did resolution 2397 lose its force?",
    ],
)
def test_a_question_that_stands_alone_is_left_alone(question):
    assert not is_follow_up(question)
    assert understand(question, [TALKS, "And when?"]) == question


@pytest.mark.parametrize(
    "question",
    [
        "Why did Abe change his course?",
        "Is it true that Abe changed his course?",
        "Was there at the same time any doubt that Abe gave his consent?",
        "In 2018, what did it cost?",
    ],
)
def test_a_pronoun_that_a_name_before_it_explains_does_not_make_a_follow_up(question):
    assert not is_follow_up(question)


def test_a_follow_up_takes_over_the_content_words_of_the_question_before():
    assert understand("And when?", [TALKS]) == "And when? (secret talks take place)"
    assert understand("And when were the talks?", [TALKS]) == "And when were the talks? (secret take place)"


def test_follow_ups_chain_back_to_the_last_question_that_stands_alone():
    history = ["How old is the oak by the gate?", TALKS, "And when?"]
    assert understand("And who was there?", history) == "And who was there? (secret talks take place)"
    history = [TALKS, "And when?", "What did Abe promise the families?"]
    assert understand("Why?", history) == "Why? (Abe promise families)"


@pytest.mark.parametrize("history", [[], [""], ["", "   "], ["?!"]])
def test_without_anything_before_it_a_follow_up_is_taken_as_it_is(history):
    assert understand("Why did they do that?", history) == "Why did they do that?"


def test_empty_questions_in_between_do_not_cut_the_thread():
    assert understand("And when?", ["", TALKS, ""]) == "And when? (secret talks take place)"
    assert understand("And when?", [TALKS, "  ", "?"]).endswith("(secret talks take place)")


def test_no_more_words_are_carried_than_the_limit():
    long = "What did " + " ".join(f"town{number}" for number in range(200)) + " decide?"
    carried = understand("Why?", [long]).removeprefix("Why? (").removesuffix(")").split()
    assert carried == [f"town{number}" for number in range(CARRIED_WORDS)]


@given(st.text(st.characters(), max_size=60), st.lists(st.text(st.characters(), max_size=60), max_size=4))
def test_a_question_is_only_ever_added_to(question, history):
    understood = understand(question, history)
    assert understood == question or understood.startswith(f"{question.rstrip()} (")


def test_a_conversation_remembers_its_turns_and_forgets_them_when_cleared(bot):
    talk = bot.conversation()
    assert talk.turns == ()
    first, second = talk.ask(TALKS), talk.ask("And when?")
    assert [(turn.question, turn.answer) for turn in talk.turns] == [(TALKS, first), ("And when?", second)]
    assert second.question == "And when?"
    assert second.trace.understood == "And when? (secret talks take place)"
    assert_sound(second, bot)
    talk.clear()
    assert talk.turns == ()
    assert talk.ask("And when?").trace.understood == "And when?"


def test_conversations_know_nothing_of_each_other(bot):
    one, other = bot.conversation(), bot.conversation()
    one.ask(TALKS)
    other.ask("What did Abe vow before the Diet?")
    assert one.ask("And when?").trace.understood == "And when? (secret talks take place)"
    assert other.ask("And when?").trace.understood == "And when? (Abe vow Diet)"
    assert bot.ask("And when?").trace.understood == "And when?"
    assert len(one.turns) == len(other.turns) == 2


def test_an_empty_question_in_a_conversation_is_remembered_but_nothing_follows_it_up(bot):
    talk = bot.conversation()
    talk.ask(TALKS)
    assert talk.ask("  ").status == "empty_question"
    assert talk.ask("And when?").trace.understood == "And when? (secret talks take place)"
    assert [turn.question for turn in talk.turns] == [TALKS, "  ", "And when?"]


def test_a_history_gives_the_same_answers_as_the_conversation_it_was(bot):
    talk = bot.conversation()
    asked = [TALKS, "And when?", "What did Abe vow before the Diet?", "", "Why did he do that?"]
    for number, question in enumerate(asked):
        said = talk.ask(question)
        assert essence(said) == essence(bot.ask(question, history=asked[:number]))


def test_a_history_that_is_no_text_at_all_does_no_harm(bot):
    for past in ("", "\ud800", "\x00\x1b[31m", "🎌", "x" * 50_000):
        answer = bot.ask("And when did they meet?", history=[past, past])
        assert_sound(answer, bot)


def test_what_was_cited_before_is_read_again_by_a_follow_up_on_a_long_document(long_bot):
    (document,) = long_bot.documents
    assert long_bot._corpus.sentence_count > READ_WHOLE
    talk = long_bot.conversation()
    assert BAROMETER in [citation.quote for citation in talk.ask("Who repaired the Quillfeather barometer?").citations]
    place = document.text.index(BAROMETER)

    def read(answer):
        return any(found.passage.start <= place < found.passage.end for found in answer.trace.passages)

    # The question in between stands alone: it looks for its own passages only, and so does its follow-up by its words.
    asked = ["Who repaired the Quillfeather barometer?", "Did the masons of Arden mend their roofs?", "And their gates?"]
    assert not read(talk.ask(asked[1]))
    assert not read(long_bot.ask(asked[2], history=asked[:2]))
    followed = talk.ask(asked[2])
    assert read(followed)
    assert_sound(followed, long_bot)
