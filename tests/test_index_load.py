import hashlib
import os
import unicodedata
from importlib import resources

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.errors import LoadError
from index.load import load_builtin, load_paths, load_text, normalise

COMMENTARY_SHA256 = "a0b7546687d2c1d6539c6b3a00a90fe758ae25ef0ca0b7ff10a1b8a63dd165bd"

MARKS = "\ufeff\r\n\x85\u2028\u2029\x0b\x0c e\u0301A\u030a\u1100\u1161\u212b"


def refusal(*paths):
    with pytest.raises(LoadError) as caught:
        load_paths(paths)
    return str(caught.value)


def test_commentary_is_packaged_byte_for_byte_and_normalisation_leaves_it_alone():
    data = resources.files("index").joinpath("data/commentary.txt").read_bytes()
    document = load_builtin()
    assert hashlib.sha256(data).hexdigest() == COMMENTARY_SHA256
    assert document.text.encode("utf-8") == data
    assert document.id == COMMENTARY_SHA256[:16]
    assert document.source == "builtin:commentary"
    assert document.title.startswith("The Hanoi Summit Failure and Japan’s Abduction Issue")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"])
def test_every_line_end_becomes_a_line_feed(line_end):
    assert normalise(f"one{line_end}two{line_end}{line_end}three") == "one\ntwo\n\nthree"


def test_a_byte_order_mark_goes_and_one_inside_stays():
    assert normalise("\ufeffone\ufefftwo") == "one\ufefftwo"


def test_text_is_composed():
    assert normalise("Cafe\u0301 \u212b") == "Café Å"


@given(st.text(st.one_of(st.characters(), st.sampled_from(MARKS)), max_size=60))
@example("\ufeff\ufeffone")
def test_normalising_twice_is_normalising_once(text):
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not set(once) & set("\r\x85\u2028\u2029")


@given(st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(MARKS)), min_size=1, max_size=60))
def test_a_document_holds_its_normalised_text_and_is_named_by_its_hash(text):
    if not normalise(text).strip():
        with pytest.raises(LoadError, match="empty or only white space"):
            load_text(text)
        return
    document = load_text(text)
    assert document.text == normalise(text)
    assert hashlib.sha256(document.text.encode("utf-8")).hexdigest().startswith(document.id)
    assert len(document.id) == 16


def test_a_string_takes_the_given_title_then_its_own_then_untitled():
    titled = "Harbour Rules\n\nBoats keep to the right."
    assert load_text(titled, title="Given").title == "Given"
    assert load_text(titled).title == "Harbour Rules"
    assert load_text("Boats keep to the right.").title == "Untitled"
    assert load_text("Boats keep to the right.").source == "text"


@pytest.mark.parametrize("text", ["", " \n\t ", "\ufeff", "\u3000\u2028"])
def test_a_string_without_text_is_refused(text):
    with pytest.raises(LoadError, match=r"^text: the document is empty or only white space"):
        load_text(text)


def test_a_lone_surrogate_is_refused():
    with pytest.raises(LoadError, match="character 4 is half of a surrogate pair") as caught:
        load_text("half\ud83d of it")
    assert str(caught.value).isprintable()


def test_a_file_is_read_with_its_path_as_source(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_bytes("\ufeffHarbour Rules\r\n\r\nBoats keep to the right, cafe\u0301 on the left.\r\n".encode())
    (document,) = load_paths([file])
    assert document.text == "Harbour Rules\n\nBoats keep to the right, café on the left.\n"
    assert (document.title, document.source) == ("Harbour Rules", str(file.resolve()))


def test_a_file_without_a_title_line_is_called_by_its_name(tmp_path):
    file = tmp_path / "harbour.log"
    file.write_text("boats keep to the right.")
    assert load_paths([str(file)])[0].title == "harbour"


def test_a_path_may_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "harbour.txt").write_text("Boats keep to the right.")
    assert load_paths(["~/harbour.txt"])[0].source == str(tmp_path / "harbour.txt")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"caf\xe9 at the harbour", "is not UTF-8 text (byte 3)"),
        (b"\xff\xfeh\x00i\x00", "is not text (it holds zero bytes)"),
        (b"%PDF-1.7\n\x00\x01", "is not text (it holds zero bytes)"),
        (b"", "is empty or only white space"),
        (b" \r\n\t\xe3\x80\x80\n", "is empty or only white space"),
        (b"\xed\xa0\xbd", "is not UTF-8 text (byte 0)"),
    ],
)
def test_a_file_that_is_no_text_is_refused_by_name_in_one_line(tmp_path, data, reason):
    file = tmp_path / "bad.txt"
    file.write_bytes(data)
    message = refusal(file)
    assert message.startswith(f"{file}: ") or message.startswith(f"{file.resolve()}: ")
    assert reason in message
    assert "\n" not in message


def test_a_missing_path_is_refused_by_name(tmp_path):
    assert refusal(tmp_path / "nowhere.txt") == f"{tmp_path / 'nowhere.txt'}: no such file or folder; check the path"


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "~no-such-user-here/x"])
def test_a_path_that_cannot_be_one_is_refused_in_one_line(path):
    message = refusal(path)
    assert path in message
    assert "\n" not in message


def test_a_folder_gives_its_text_files_in_order_and_nothing_hidden(tmp_path):
    for name in ["b.md", "a.txt", "sub/c.TEXT", ".hidden.txt", ".git/d.txt", "image.png", "e.csv"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}.")
    assert [document.text for document in load_paths([tmp_path])] == ["this is a.txt.", "this is b.md.", "this is sub/c.TEXT."]


def test_a_folder_inside_a_hidden_one_may_be_named(tmp_path):
    folder = tmp_path / ".notes"
    folder.mkdir()
    (folder / "a.txt").write_text("this is a.")
    assert len(load_paths([folder])) == 1


def test_a_bad_file_in_a_folder_is_passed_over_with_a_notice(tmp_path, listener, notices):
    (tmp_path / "good.txt").write_text("this is good.")
    (tmp_path / "bad.txt").write_bytes(b"caf\xe9")
    (document,) = load_paths([tmp_path], listener)
    assert document.text == "this is good."
    assert notices == [f"passed over: {tmp_path / 'bad.txt'}: is not UTF-8 text (byte 3); convert it to UTF-8 text first"]


@pytest.mark.parametrize("names", [[], ["image.png"], ["bad.txt"]])
def test_a_folder_without_readable_text_is_refused_by_name(tmp_path, names):
    for name in names:
        (tmp_path / name).write_bytes(b"\0")
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path}: the folder holds no readable text file")
    assert "\n" not in message


def test_the_same_text_is_loaded_once(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"the same text.\n")
    (tmp_path / "b.txt").write_bytes(b"the same text.\r\n")
    (tmp_path / "c.txt").write_bytes(b"another text.\n")
    documents = load_paths([tmp_path / "a.txt", tmp_path, tmp_path / "a.txt"])
    assert [os.path.basename(document.source) for document in documents] == ["a.txt", "c.txt"]
