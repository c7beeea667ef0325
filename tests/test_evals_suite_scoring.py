import itertools
import re
from dataclasses import replace

import pytest

from evals.suite.blame import blame
from evals.suite.figures import Asked, share, shown
from evals.suite.record import Cited, Read, Record, Selection, would_show
from evals.suite.scoring import score
from evals.suite.summary import OF_A_CATEGORY, by_category, figures

pytest_plugins = ["suite_fixtures"]

NIGHTS = "A guest may stay for nine nights."
LONGER = "Longer stays need a letter from the warden."
DOGS = "Dogs are welcome, but not in the kitchen."
KEY = "The key costs two pounds."
PAID = "It is paid back when the key comes home."
RENT = "The rent is due on Fridays because the office closes early on Saturdays."


def record(question, *quotes, answered=True, text=None, **fields):
    """What citing these quotes comes to."""
    cited = []
    for quote in quotes:
        start = question.document.text.index(quote)
        cited.append(Cited(start=start, end=start + len(quote), quote=quote))
    status = "answered" if answered else "not_in_document"
    whole = {"id": question.id, "status": status, "text": text or " ".join(quotes), "cited": tuple(cited), "confidence": 0.6}
    return Record(**(whole | fields))


def scored(question, *quotes, **fields):
    return score(question, record(question, *quotes, **fields), [(0, len(question.document.text))])


def asked(gold, *answers):
    """The questions of the house rules with these answers: quotes, or None for declined."""
    found = []
    for question, quotes in zip(gold.questions, answers, strict=True):
        its = record(question, *(quotes or ()), answered=quotes is not None)
        found.append(Asked(question, its, score(question, its, [(0, len(question.document.text))])))
    return found


@pytest.fixture
def right(gold):
    """All six answered as they should be."""
    return asked(gold, [NIGHTS], [KEY, PAID], [RENT], None, None, None)


def figure(questions, name):
    return next(each for each in figures(questions) if each.name == name)


def test_a_right_answer_scores_1(gold):
    its = scored(gold.questions[0], NIGHTS)
    assert (its.outcome, its.passed, its.value, its.vital_recall, its.precision, its.recall) == ("right", True, 1, 1, 1, 1)
    assert its.nuggets[0].found
    assert its.utility == 1


def test_allowed_context_neither_helps_nor_hurts(gold):
    assert scored(gold.questions[0], NIGHTS, LONGER).precision == 1
    only_context = scored(gold.questions[0], LONGER)
    assert (only_context.outcome, only_context.precision, only_context.value, only_context.utility) == ("wrong", None, 0, -1)


def test_what_does_not_belong_there_costs_precision(gold):
    its = scored(gold.questions[0], NIGHTS, DOGS)
    expected = len(NIGHTS) / (len(NIGHTS) + len(DOGS))
    assert its.precision == pytest.approx(expected)
    assert its.value == pytest.approx(2 * expected / (1 + expected))
    assert (its.outcome, its.passed, its.utility) == ("too much beside it", False, 0)  # less than half belongs there


def test_half_an_answer_is_incomplete(gold):
    its = scored(gold.questions[1], KEY)
    assert (its.outcome, its.vital_recall, its.precision, its.utility, its.passed) == ("incomplete", 0.5, 1, 0, False)
    assert its.value == pytest.approx(2 / 3)
    assert its.recall == pytest.approx(len(KEY) / (len(KEY) + len(PAID)))


def test_a_wrong_abstention_is_worth_nothing_and_costs_nothing(gold):
    its = scored(gold.questions[0], answered=False)
    assert (its.outcome, its.value, its.vital_recall, its.precision, its.utility) == ("wrongly declined", 0, 0, None, 0)


def test_unanswerable_questions_are_declined_or_wrong(gold):
    assert scored(gold.questions[3], answered=False).outcome == "rightly declined"
    wrong = scored(gold.questions[3], NIGHTS)
    assert (wrong.outcome, wrong.value, wrong.precision, wrong.utility) == ("wrongly answered", 0, 0, -1)


def test_a_false_premise_may_be_corrected_with_that_and_nothing_else(gold):
    assert scored(gold.questions[4], DOGS).outcome == "premise corrected"
    assert scored(gold.questions[4], answered=False).outcome == "rightly declined"
    assert scored(gold.questions[4], DOGS, NIGHTS).outcome == "wrongly answered"
    assert scored(gold.questions[4], NIGHTS).outcome == "wrongly answered"


def test_abstention_is_read_from_the_status_never_from_the_text(gold):
    assert scored(gold.questions[3], text="The document does not answer this.", answered=True).outcome == "wrongly answered"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("A guest may stay nine nights [1].", "right"),
        ("A guest may stay ten nights [1].", "wrong"),
        ("A guest may stay [1].", "wrong"),
        ("Nine nights, and not ten nights [1].", "wrong"),
    ],
)
def test_an_answer_in_its_own_words_must_also_say_it(gold, text, outcome):
    assert scored(gold.questions[0], NIGHTS, text=text, own_words=True).outcome == outcome


def test_a_question_that_failed_to_run_has_no_score(gold, right):
    failed = Record(id="nights", status="failed", error="no connection")
    its = score(gold.questions[0], failed, [])
    assert (its.outcome, its.value, its.passed) == ("failed", None, False)
    questions = [Asked(gold.questions[0], failed, its), *right[1:]]
    unscored, passed = figure(questions, "unscored"), figure(questions, "passed")
    assert (unscored.count, unscored.of, passed.count, passed.of) == (1, 6, 5, 5)


def test_all_right_is_1_everywhere(right):
    for name in ("answer score", "passed", "complete answers", "citation precision", "unanswerable handled", "quote validity"):
        assert figure(right, name).value == 1, name
    assert figure(right, "over-refusal").value == 0
    assert figure(right, "utility").value == 1
    assert [each.name for each in figures(right)][:6] == list(OF_A_CATEGORY)


class TestMutations:
    """A scorer that does not notice damage is none: each mutation lowers what it concerns."""

    def test_answers_shuffled_between_questions(self, gold, right):
        shuffled = asked(gold, [RENT], [NIGHTS], [KEY, PAID], None, None, None)
        for name in ("answer score", "passed", "complete answers", "vital nugget recall", "citation precision", "utility"):
            assert figure(shuffled, name).value < figure(right, name).value, name

    def test_a_nugget_removed(self, gold, right):
        removed = asked(gold, [NIGHTS], [PAID], [RENT], None, None, None)
        for name in ("answer score", "passed", "complete answers", "vital nugget recall", "citation recall"):
            assert figure(removed, name).value < figure(right, name).value, name

    def test_a_citation_shifted_by_one_character(self, gold, right):
        moved = right[0].record.cited[0]
        moved = moved.model_copy(update={"start": moved.start + 1, "end": moved.end + 1})
        record = right[0].record.model_copy(update={"cited": (moved,)})
        its = replace(right[0], record=record, score=score(gold.questions[0], record, []))
        for name in ("quote validity", "citation precision", "citation recall", "answer score"):
            assert figure([its, *right[1:]], name).value < figure(right, name).value, name

    def test_a_wrong_sentence_added(self, gold, right):
        added = asked(gold, [NIGHTS], [KEY, PAID], [RENT, NIGHTS], None, None, None)
        for name in ("answer score", "citation precision"):
            assert figure(added, name).value < figure(right, name).value, name

    def test_an_unanswerable_question_answered(self, gold, right):
        answered = asked(gold, [NIGHTS], [KEY, PAID], [RENT], [NIGHTS], None, None)
        for name in ("answer score", "passed", "unanswerable handled", "abstention recall", "citation precision", "utility"):
            assert figure(answered, name).value < figure(right, name).value, name

    def test_an_answerable_question_declined(self, gold, right):
        declined = asked(gold, None, [KEY, PAID], [RENT], None, None, None)
        for name in ("answer score", "passed", "complete answers", "vital nugget recall", "abstention precision", "utility"):
            assert figure(declined, name).value < figure(right, name).value, name
        assert figure(declined, "over-refusal").value > 0


def test_categories_have_their_own_headlines(right):
    grid = by_category(right)
    assert list(grid) == ["fact", "multi-evidence", "why", "unanswerable-near", "false-premise", "empty"]
    assert [each.name for each in grid["why"]] == [*OF_A_CATEGORY, "unscored"]
    assert shown(grid["why"][1]) == "1 of 1"
    assert shown(grid["empty"][2]) == "–"


def test_few_questions_are_counted_and_more_are_shares_with_an_interval(right):
    assert shown(share("passed", right, lambda each: True, "x")) == "6 of 6"
    many = list(itertools.islice(itertools.cycle(right), 20))
    assert shown(share("passed", many, lambda each: each.answerable, "x")) == "55% (11 of 20; 34% to 74%)"


def test_what_would_have_been_shown_depends_on_the_evidence_threshold(gold):
    selections = (Selection(least=1.0, spans=((0, 1),)), Selection(least=0.6, spans=((0, 1), (2, 3))))
    its = record(gold.questions[0], answered=False, selections=selections, thresholds={"evidence": 0.8})
    assert would_show(its) == ((0, 1),)
    assert would_show(its, 0.5) == ((0, 1), (2, 3))
    assert would_show(its, 1.1) == ()


class TestBlame:
    """Each failure has one stage."""

    def selection(self, question, least, *quotes):
        return Selection(least=least, spans=record(question, *quotes).spans)

    def found(self, question, *quotes):
        return tuple(Read(start=s, end=e, score=0.5) for s, e in record(question, *quotes).spans)

    def of(self, gold, number, its, others=()):
        question = gold.questions[number]
        return blame(Asked(question, its, score(question, its, [])), [Asked(question, its, score(question, its, [])), *others])

    def test_none_for_what_passed(self, right):
        assert blame(right[0], right) is None

    def test_wrongly_answered(self, gold, right):
        its = record(gold.questions[3], NIGHTS, confidence=0.704)
        found = self.of(gold, 3, its, right[:3])
        assert (found.stage, found.mend) == (
            "wrongly answered",
            "passes if the answer threshold were 0.71; that breaks 3 others",
        )

    def test_declined_by_threshold(self, gold, right):
        question = gold.questions[0]
        its = record(question, answered=False, confidence=0.416, selections=(self.selection(question, 1.0, NIGHTS),))
        found = self.of(gold, 0, its, right[3:])
        assert (found.stage, found.mend) == (
            "declined by threshold",
            "passes if the answer threshold were 0.41; that breaks 3 others",
        )

    def test_not_retrieved(self, gold):
        its = record(gold.questions[0], RENT, passages=self.found(gold.questions[0], RENT))
        assert self.of(gold, 0, its).stage == "not retrieved"

    def test_ranked_too_low_and_what_would_mend_it(self, gold):
        question = gold.questions[1]
        selections = (self.selection(question, 1.0, KEY), self.selection(question, 0.628, KEY, PAID))
        its = record(question, KEY, passages=self.found(question, KEY, PAID), selections=selections)
        found = self.of(gold, 1, its)
        assert (found.stage, found.mend) == (
            "ranked too low",
            "passes if the evidence threshold were 0.62; that breaks 0 others",
        )

    def test_ranked_too_low_where_no_threshold_helps(self, gold):
        question = gold.questions[0]
        its = record(question, RENT, passages=self.found(question, RENT, DOGS, KEY, NIGHTS))
        found = self.of(gold, 0, its)
        assert (found.stage, found.mend) == ("ranked too low", "")

    def test_shown_but_wrong(self, gold):
        question = gold.questions[0]
        its = record(question, NIGHTS, RENT, passages=self.found(question, NIGHTS, RENT))
        assert self.of(gold, 0, its).stage == "shown but wrong"

    def test_what_must_not_be_said_does_not_hide_what_was_found(self, gold):
        question = replace(gold.questions[0], must_not=(re.compile("Dogs"),))
        its = record(question, DOGS, passages=self.found(question, DOGS, NIGHTS))
        asked = Asked(question, its, score(question, its, []))
        assert blame(asked, [asked]).stage == "ranked too low"
        its = record(question, DOGS, NIGHTS, passages=self.found(question, DOGS, NIGHTS))
        asked = Asked(question, its, score(question, its, []))
        assert (asked.score.outcome, blame(asked, [asked]).stage) == ("wrong", "shown but wrong")

    def test_ended_in_an_error(self, gold):
        assert self.of(gold, 0, Record(id="nights", status="failed", error="x")).stage == "ended in an error"
