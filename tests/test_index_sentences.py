import textwrap
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index import sentences as sentences_module
from index.load import normalise
from index.sentences import outline, title_of

MARKS = "\n\n\n  \t\x0b\x0c\x1f\xa0\u3000.!?…:;,\"\"''‘’“”«»()[]{}#*-=|\\•–&^$+0129aAbBzZéßİ漢。한\u200b\u0301\U0001f600"
FRAGMENTS = (
    *("The talks failed.", "It was late!", "Why not?", " “No.” ", '"Yes," he said.', "‘Stop.’ They ran."),
    *("Dr. Smith", " e.g. this", " No. 4", " U.S. President", "(2019)", "(See p. 3.)", "3.14", "10 p.m. on", "et al. (2004)"),
    *("Title of It", "What is it?", "# Heading", "## Two #", "=====", "---", "Key: value", "a | b", "* * *"),
    *("- item one", "1. first", "(a) third", "iv. ", "A.", "http://a.b/c?d=e", "x@y.z", "word " * 40, "x" * 300),
    *("…", "?!", " ’ ", "”", ")", "(", "•", "[1]", "漢字です。次。", "😀", "∯", "&ᓰ&"),
    *(" ", "  ", "\t", "\x0c", "\n", "\n", "\n\n", "\n\n\n"),
)

any_text = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(MARKS)), max_size=200)
written_text = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)
texts = st.one_of(any_text, written_text).map(normalise)


def check(text, cut):
    """Headings and sentences hold each character that is not white space once, in order, and nothing else."""
    spans = sorted([(h.start, h.end) for h in cut.headings] + [(s.start, s.end) for s in cut.sentences])
    position = 0
    for start, end in spans:
        assert position <= start < end
        assert text[position:start].strip() == ""
        assert text[start:end] == text[start:end].strip()
        position = end
    assert text[position:].strip() == ""
    assert [sentence.ordinal for sentence in cut.sentences] == list(range(len(cut.sentences)))
    for one, next_one in pairwise(cut.sentences):
        assert one.end <= next_one.start
        assert one.paragraph <= next_one.paragraph
    for sentence in cut.sentences:
        above = [heading.text for heading in cut.headings if heading.start < sentence.start]
        assert sentence.heading == (above[-1] if above else None)
        assert cut.section(sentence) == len(above)


def sentences(text):
    return [text[sentence.start : sentence.end] for sentence in outline(text, "d").sentences]


def headings(text):
    return [heading.text for heading in outline(text, "d").headings]


@given(texts)
@example("# Only a heading")
@example("Title\n=====")
@example("\u200b")
@example("1.")
def test_nothing_is_lost_repeated_or_moved(text):
    cut = outline(text, "d")
    check(text, cut)
    assert bool(cut.sentences) == bool(text.strip())


@given(texts, st.integers(1, 60))
def test_with_a_limit_every_sentence_fits_and_nothing_is_lost(text, longest):
    cut = outline(text, "d", fits=lambda pieces: [len(piece) <= longest for piece in pieces])
    check(text, cut)
    assert all(sentence.end - sentence.start <= longest for sentence in cut.sentences)


@given(texts, st.integers(2, 50), st.integers(3, 40))
def test_windows_lose_nothing_wherever_they_end(text, window, longest_word):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentences_module, "WINDOW", window)
        patch.setattr(sentences_module, "LONGEST_WORD", longest_word)
        check(text, outline(text, "d"))


def test_a_paragraph_longer_than_a_window_is_cut_as_if_there_were_none(monkeypatch):
    expected = [f"On day {day} Mr. Lee saw No. {day} of the U.S. fleet, e.g. a boat." for day in range(400)]
    assert len(" ".join(expected)) > 4 * sentences_module.WINDOW
    assert sentences(" ".join(expected)) == expected


def test_sentences_are_the_same_wherever_windows_end(monkeypatch):
    expected = ["It is 5 p.m. in the U.S. navy.", "Really... who knew?", "“Yes,” Mr. Lee said."] * 8
    found = set()
    for window in range(200, 320):
        monkeypatch.setattr(sentences_module, "WINDOW", window)
        found.add(tuple(sentences(" ".join(expected))))
    assert found == {tuple(expected)}


def test_a_long_run_without_white_space_is_a_sentence_and_its_neighbours_are_too():
    blob = "data:image/png;base64," + "abcdefghijk" * 20_000
    assert sentences(f"Here is a picture. {blob} It shows a boat. Nobody is on it.") == [
        *("Here is a picture.", f"{blob} It shows a boat.", "Nobody is on it.")
    ]


def test_prose_without_white_space_is_cut_at_its_own_full_stops():
    expected = [f"これは{number}番目の文です。" for number in range(900)]
    assert sentences("".join(expected)) == expected


def test_progress_is_told_in_characters():
    told = []
    text = "# Rain\n\nIt rains.\n\nIt stops.\n\n"
    outline(text, "d", progress=told.append)
    assert told == [text.index("It rains.") + 9, text.index("It stops.") + 9]


def test_a_limit_that_nothing_meets_ends_at_single_characters():
    cut = outline("ab c", "d", fits=lambda pieces: [False] * len(pieces))
    assert [(sentence.start, sentence.end) for sentence in cut.sentences] == [(0, 1), (1, 2), (3, 4)]


def test_a_limit_cuts_at_white_space_and_leaves_what_fits():
    text = "Short one. " + "The long one goes on and on and on and never ends."
    cut = outline(text, "d", fits=lambda pieces: [len(piece) <= 30 for piece in pieces])
    assert [text[s.start : s.end] for s in cut.sentences] == [
        "Short one.",
        "The long one goes on and",
        "on and on and never ends.",
    ]
    assert len({sentence.paragraph for sentence in cut.sentences}) == 1


def test_the_commentary_has_its_title_three_headings_and_38_sentences(commentary):
    cut = outline(commentary.text, commentary.id)
    check(commentary.text, cut)
    title = "The Hanoi Summit Failure and Japan’s Abduction Issue: The Silver Lining on an Otherwise Dark Cloud"
    expected = {title: 8, "Pursuing A Bilateral Thaw": 13, "Changing Approach": 11, "Erring on the Side of Caution": 6}
    assert [heading.text for heading in cut.headings] == list(expected)
    assert [sentence.heading for sentence in cut.sentences] == [text for text, count in expected.items() for _ in range(count)]
    assert {sentence.document_id for sentence in cut.sentences} == {commentary.id}
    # Ten paragraphs, a sentence that begins each, and no sentence that begins within one.
    paragraphs = [line for line in commentary.text.split("\n") if line and line not in expected]
    first = {sentence.paragraph: sentence for sentence in reversed(cut.sentences)}
    assert len(first) == len(paragraphs)
    for start, paragraph in zip(sorted(sentence.start for sentence in first.values()), paragraphs, strict=True):
        assert commentary.text.startswith(paragraph, start)
    assert all(commentary.text[s.end - 1] == "." and commentary.text[s.start].isupper() for s in cut.sentences)


@pytest.mark.parametrize(
    "expected",
    [
        ["The U.S. President met Kim Jong-Un.", "He left."],
        ["A mid-March (2019) announcement came.", "The U.N. resolution (of 2018) did not."],
        ['He said "It is over."', "Then he left."],
        ["He said “It is over.”", "Then he left."],
        ["He said 'It is over.'", "Then he left."],
        ["“He said ‘It is over.’”", "Then he left."],
        ["He called it ‘over’.", "Then he left."],
        ["It was the dogs’.", "Then he left."],
        ["A quotation that began a paragraph ago ends here.”", "Then he left."],
        ['And so does this one."', "Then he left."],
        ["“Is it?” she asked.", "“No.”", "He left.", "(See p. 3.)", "It ended."],
        ["See No. 4 for details.", "Rule No. 5 is void."],
        ["Dr. Smith and Mr. Jones met.", "Prof. Lee did not."],
        ["Take a tool, e.g. a hammer, i.e. something hard.", "It works."],
        ["It closes at 5 p.m. on Mondays.", "On Jan. 5 it is shut.", "It costs 3.50 euros."],
        ["J. R. R. Tolkien wrote it.", "A. Smith read it."],
        ["Really...", "Who knew?!", "Nobody knew!"],
    ],
)
def test_sentence_ends(expected):
    assert sentences(" ".join(expected)) == expected


def test_a_paragraph_that_was_wrapped_to_a_width_stays_one():
    prose = (
        "The committee met on Monday to discuss the harbour. It had been closed since the storm in March, and nobody knew when "
        "it would open again. The vote was postponed."
    )
    text = (
        textwrap.fill(prose, 40)
        + "\n\n"
        + textwrap.fill("In April it met again. This time there was a vote, and the harbour opened.", 40)
    )
    cut = outline(text, "d")
    assert not cut.headings
    assert [text[s.start : s.end].replace("\n", " ") for s in cut.sentences] == [
        "The committee met on Monday to discuss the harbour.",
        "It had been closed since the storm in March, and nobody knew when it would open again.",
        "The vote was postponed.",
        "In April it met again.",
        "This time there was a vote, and the harbour opened.",
    ]
    assert [sentence.paragraph for sentence in cut.sentences] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("marks", ["---", "***", "•••", ["(a)", "(b)", "(c)"], ["a)", "b)", "c)"]])
def test_each_list_item_is_a_paragraph_of_its_own(marks):
    items = ["A rope. It must be long.", "Two buckets", "One lamp"]
    listed = [f"{mark} {item}" for mark, item in zip(marks, items, strict=True)]
    text = "Bring these:\n" + "\n".join(listed) + "\n\nThen go."
    cut = outline(text, "d")
    assert not cut.headings
    assert sentences(text) == ["Bring these:", f"{marks[0]} A rope.", "It must be long.", *listed[1:], "Then go."]
    assert [sentence.paragraph for sentence in cut.sentences] == [0, 1, 1, 2, 3, 4]


def test_the_number_of_a_list_item_goes_with_its_text():
    assert sentences("Do it so. 1. Open the lid. 2. Pour. a. Close it.") == [
        *("Do it so.", "1. Open the lid.", "2. Pour.", "a. Close it.")
    ]
    assert sentences("1. Open the lid.\n2. Pour the water. Wait.\n3. Close it.") == [
        *("1. Open the lid.", "2. Pour the water.", "Wait.", "3. Close it.")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Top\n\nSome text.\n\n## Sub ##\nMore text.\n", ["Top", "Sub"]),
        ("# Is it so. Yes: it is\nSome text.", ["Is it so. Yes: it is"]),
        ("Top\n===\n\nSome text.\n\nSub title\n---\nMore text.\n", ["Top", "Sub title"]),
        (
            "Fares\n\nHow much is it?\n\nTwo euros.\n\nCan I bring a dog?\n\nYes, on a lead.\n",
            ["Fares", "How much is it?", "Can I bring a dog?"],
        ),
        (
            "Rules\n\n1. Scope\n\nThey hold.\n\n2.1 Duties\n\nDo them.\n\nArticle 5\n\nThe end.",
            ["Rules", "1. Scope", "2.1 Duties", "Article 5"],
        ),
    ],
)
def test_headings(text, expected):
    assert headings(text) == expected
    check(text, outline(text, "d"))


@pytest.mark.parametrize(
    "text",
    [
        "Just one line",
        "# Just one line",
        "Just one line.",
        "Apples\n\nPears\n\nPlums\n\nCherries\n\nGrapes\n\nThese are fruits.",
        "Apples\nPears\nPlums\nCherries\nGrapes\n\nThese are fruits.",
        "She came.\n\nName: Ada\n\nBorn: 1815\n\nShe wrote programs.",
        "Name: Ada\nBorn: 1815\nCity: London\n\nShe wrote programs.",
        "She came.\n\n#hash tags are not headings\n\nShe left.",
        "She came.\n\nTo buy\n\n",
        "She came.\n\nRain fell. Boats stayed in\n\nShe left.",
        "name | born\n\nAda | 1815\n\nShe wrote programs.",
        "She came.\n\nThe harbour was open\n\nShe left.",
        "She came.\n\nQuiet hours 10 pm to 7 am\n\nShe left.",
        "She came.\n\nTickets from £4\n\nShe left.",
        "She came.\n\nand then went\n\nShe left.",
    ],
)
def test_what_is_no_heading(text):
    cut = outline(text, "d")
    assert not cut.headings
    check(text, cut)


def test_a_title_needs_something_below_it():
    assert title_of("Harbour Rules\n\nBoats keep to the right.") == "Harbour Rules"
    assert title_of("\n\n# Harbour Rules\nBoats keep to the right.") == "Harbour Rules"
    assert title_of("Harbour Rules") is None
    assert title_of("Boats keep to the right.\n\nSails too.") is None
    assert title_of("") is None
