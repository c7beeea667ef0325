import os
import resource
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings

from index import corpus as corpus_module
from index.build import build_in_memory
from index.chunk import PassageParser
from index.embed import load_embedder
from index.errors import StoreError
from index.folder import IndexFolder
from index.load import load_builtin, load_text
from index.manifest import Manifest
from index.progress import Listener
from index.receipt import Receipt
from index.settings import IndexSettings

GARDENS_TITLE = "Gardens of the Town"


@pytest.fixture
def index(index_folder):
    return index_folder()


@pytest.fixture
def path(home):
    return home / "index"


def opened(folder):
    """Opens, closes, and returns the receipt."""
    corpus, receipt = folder.open()
    corpus.close()
    return receipt


def files(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def child(connection, path, home, job):
    """Runs in a process of its own: loads the model, does `job`, sends what became of it."""
    notices = []
    listener = Listener(notice=notices.append)
    settings = IndexSettings.resolve(home=home)
    embedder = load_embedder(settings, listener)
    connection.send(job(IndexFolder(path, settings, embedder, listener, load_builtin), notices))


def as_nobody(folder, notices):
    if os.geteuid() == 0:
        os.setuid(65534)
    corpus, receipt = folder.open()
    texts = [document.text for document in corpus.documents]
    errors, boats = [], load_text("Boats keep to the right.")
    for write in (
        lambda: folder.add([boats]),
        lambda: folder.remove([boats.title]),
        folder.rebuild,
    ):
        try:
            write()
        except StoreError as error:
            errors.append(error)
    return texts, receipt, notices, errors


def opened_as_nobody(folder, notices):
    os.setuid(65534)
    try:
        return folder.open()
    except StoreError as error:
        return error


def with_a_full_disk(folder, notices):
    """Lets no file grow beyond a limit, which is what a full disk looks like to whoever writes."""
    errors = []
    for limit in (0, 100, 4096, 100_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            folder.add([load_text("Boats keep to the right. " * 100, source="/notes/boats.txt")])
        except StoreError as error:
            errors.append(error)
    corpus, receipt = folder.open()
    return [document.title for document in corpus.documents], receipt, errors


@pytest.fixture
def run(processes):
    def run(job, path, home):
        ours, theirs = processes.Pipe()
        process = processes.Process(target=child, args=(theirs, path, home, job))
        process.start()
        theirs.close()
        try:
            assert ours.poll(60)
            return ours.recv()
        finally:
            process.kill()
            process.join()

    return run


def test_the_first_open_builds_the_commentary_and_the_second_opens_it_in_place(index, path, commentary, notices):
    corpus, receipt = index.open()
    assert corpus.documents == (commentary,)
    assert receipt == Receipt(
        reason="first use", added=(commentary.title,), passages_added=len(corpus.passages), sentences_embedded=38
    )
    vectors = corpus.vectors(corpus.layouts[commentary.id].outline.sentences)
    corpus.close()
    build = Manifest.read(path).build
    again, receipt = index.open()
    assert receipt == Receipt(reason="", reused=(commentary.title,), passages_reused=len(corpus.passages), sentences_reused=38)
    assert Manifest.read(path).build == build
    assert notices == []
    assert (again.documents, again.passages, again.layouts) == (corpus.documents, corpus.passages, corpus.layouts)
    np.testing.assert_array_equal(again.vectors(again.layouts[commentary.id].outline.sentences), vectors)
    again.close()


def test_adding_and_removing_tell_what_they_did_in_numbers(index, path, boats, gardens, notices):
    index.add([boats])[0].close()
    corpus, receipt = index.add([gardens])
    assert corpus.documents == (boats, gardens)
    passages = len(corpus.layouts[gardens.id].passages)
    assert receipt == Receipt(
        reason="the documents changed",
        added=(GARDENS_TITLE,),
        reused=(boats.title,),
        passages_added=passages,
        passages_reused=1,
        sentences_embedded=5,
        sentences_reused=2,
    )
    corpus.close()
    corpus, receipt = index.remove([boats.id])
    assert corpus.documents == (gardens,)
    assert receipt == Receipt(
        reason="the documents changed",
        reused=(GARDENS_TITLE,),
        removed=(boats.title,),
        passages_reused=passages,
        passages_removed=1,
        sentences_reused=5,
    )
    corpus.close()
    assert opened(index).reason == ""
    assert notices == []
    assert len(list((path / "builds").iterdir())) == 1
    assert [file.stem for copy in ("texts", "texts-copy") for file in (path / copy).iterdir()] == [gardens.id, gardens.id]


def test_the_commentary_makes_room_for_what_is_added(index, commentary, gardens):
    opened(index)
    corpus, receipt = index.add([gardens])
    corpus.close()
    assert corpus.documents == (gardens,)
    assert (receipt.added, receipt.removed) == ((GARDENS_TITLE,), (commentary.title,))


def test_a_commentary_that_somebody_added_stays(index, commentary, gardens):
    theirs = replace(commentary, source="/notes/summit.txt")
    opened(index)
    index.add([theirs])[0].close()
    corpus, _ = index.add([gardens])
    corpus.close()
    assert corpus.documents == (theirs, gardens)


def test_rebuilding_takes_nothing_over(index_folder, counting, embedded, gardens):
    index = index_folder(embedder=counting)
    index.add([gardens])[0].close()
    corpus, receipt = index.rebuild()
    corpus.close()
    assert receipt == Receipt(
        reason="asked for", reused=(GARDENS_TITLE,), passages_added=len(corpus.passages), sentences_embedded=5
    )
    assert len(embedded) == 10


@pytest.mark.parametrize("name", ["id", "title", "source"])
def test_a_document_is_removed_by_any_of_its_names(index, boats, gardens, name):
    index.add([boats, gardens])[0].close()
    corpus, receipt = index.remove([getattr(gardens, name)])
    corpus.close()
    assert corpus.documents == (boats,)
    assert receipt.removed == (GARDENS_TITLE,)


def test_a_title_that_two_documents_share_is_not_enough_to_remove_one(index, gardens):
    other = load_text(gardens.text + "A bench was added.", source="/elsewhere/gardens.txt")
    index.add([gardens, other])[0].close()
    with pytest.raises(StoreError, match=f"2 documents have this title; name one by its id: {gardens.id}, {other.id}$"):
        index.remove([GARDENS_TITLE])
    corpus, _ = index.remove([other.id])
    corpus.close()
    assert corpus.documents == (gardens,)


def test_a_document_is_removed_by_a_path_relative_to_where_one_is(index, tmp_path, monkeypatch, gardens, boats):
    monkeypatch.chdir(tmp_path)
    index.add([gardens, replace(boats, source=str(tmp_path.resolve() / "boats.txt"))])[0].close()
    corpus, _ = index.remove(["boats.txt"])
    corpus.close()
    assert corpus.documents == (gardens,)


def test_removing_what_is_not_there_says_so_and_changes_nothing(index, path, boats, gardens):
    index.add([boats, gardens])[0].close()
    before = Manifest.read(path)
    with pytest.raises(StoreError, match=r"^trains\.txt: no such document in the index; see: qa index list$"):
        index.remove([gardens.id, "trains.txt"])
    assert Manifest.read(path) == before
    assert opened(index).reason == ""


def test_the_last_document_removed_brings_the_commentary_back(index, commentary, gardens):
    index.add([gardens])[0].close()
    corpus, receipt = index.remove([gardens.id])
    corpus.close()
    assert corpus.documents == (commentary,)
    assert (receipt.added, receipt.removed) == ((commentary.title,), (GARDENS_TITLE,))


def test_no_text_is_embedded_twice(index_folder, counting, embedded, commentary, gardens):
    index = index_folder(embedder=counting)
    more = load_text(gardens.text + "\nA bench was added.", source="/notes/more.txt")
    index.add([replace(commentary, source="/notes/summit.txt")])[0].close()
    index.add([gardens])[0].close()
    corpus, receipt = index.add([more])
    corpus.close()
    index.remove([gardens.id])[0].close()
    index.add([gardens])[0].close()
    opened(index)
    assert len(embedded) == len(set(embedded)) == 38 + 5 + 1
    assert embedded[-1] == "A bench was added."
    # Five of its six sentences have the words of another document's.
    assert (receipt.sentences_embedded, receipt.sentences_reused) == (1, 38 + 5 + 5)


def test_no_document_is_cut_twice(index, boats, gardens, monkeypatch):
    index.add([gardens])[0].close()
    parse, cut = PassageParser.parse, []

    def parsing(parser, document, *progress):
        cut.append(document)
        return parse(parser, document, *progress)

    monkeypatch.setattr(PassageParser, "parse", parsing)
    index.add([boats])[0].close()
    assert cut == [boats]


def test_a_repeated_sentence_is_embedded_once_and_found_at_each_place(index_folder, counting, embedded):
    corpus, receipt = index_folder(embedder=counting).add([load_text("It rains. It rains.\n\nThe sun shines. It rains.")])
    assert sorted(embedded) == ["It rains.", "The sun shines."]
    assert (receipt.sentences_embedded, receipt.sentences_reused) == (2, 0)
    found = corpus.search(counting.encode_question("It rains."), 3)
    assert sorted(sentence.ordinal for sentence in found) == [0, 1, 3]
    corpus.close()


def test_adding_the_same_again_changes_nothing(index, path, boats, gardens, notices):
    corpus, _ = index.add([boats, gardens])
    corpus.close()
    before = Manifest.read(path)
    for again in ([gardens], [boats], [gardens, boats]):
        corpus, receipt = index.add(again)
        corpus.close()
        assert corpus.documents == (boats, gardens)
        assert (receipt.reason, receipt.reused, receipt.added) == ("", (boats.title, GARDENS_TITLE), ())
    assert Manifest.read(path) == before
    assert notices == []


def test_a_changed_file_takes_the_place_of_the_old_one(index, path, boats, gardens):
    index.add([gardens, boats])[0].close()
    changed = load_text(gardens.text.replace("300 years", "301 years"), source=gardens.source)
    corpus, receipt = index.add([changed])
    assert corpus.documents == (boats, changed)
    assert (receipt.added, receipt.removed, receipt.sentences_embedded) == ((GARDENS_TITLE,), (GARDENS_TITLE,), 1)
    corpus.close()
    assert not list(path.glob(f"texts*/{gardens.id}.json"))


def test_a_file_that_moved_keeps_its_place_and_its_vectors(index, boats, gardens):
    index.add([gardens, boats])[0].close()
    moved = replace(gardens, source="/elsewhere/gardens.txt")
    corpus, receipt = index.add([moved])
    corpus.close()
    assert corpus.documents == (moved, boats)
    assert receipt.sentences_embedded == 0


def test_open_with_holds_exactly_the_given_documents(index, commentary, gardens, notices):
    corpus, receipt = index.open_with([gardens, commentary])
    corpus.close()
    assert (corpus.documents, receipt.added) == ((gardens, commentary), (GARDENS_TITLE, commentary.title))
    corpus, receipt = index.open_with([gardens, commentary])
    corpus.close()
    assert (corpus.documents, receipt.reason) == ((gardens, commentary), "")
    corpus, receipt = index.open_with([commentary])
    corpus.close()
    assert (corpus.documents, receipt.reused, receipt.removed) == ((commentary,), (commentary.title,), (GARDENS_TITLE,))
    assert receipt.sentences_embedded == 0
    assert notices == []


@pytest.mark.parametrize("how", ["open", "open_with"])
def test_a_build_that_is_distrusted_is_made_again(index, index_folder, path, gardens, notices, how):
    index_folder().add([gardens])[0].close()
    opening = index.open if how == "open" else lambda **options: index.open_with([gardens], **options)
    opening()[0].close()
    build = Manifest.read(path).build
    corpus, receipt = opening(distrust="a search failed")
    corpus.close()
    assert (corpus.documents, receipt.reason, receipt.sentences_embedded) == ((gardens,), "a search failed", 5)
    assert notices == ["rebuilding the index: a search failed"]
    assert Manifest.read(path).build != build
    assert opened(index).reason == ""


def test_a_distrusted_build_that_is_gone_already_is_not_made_again(index, index_folder, path, gardens, notices):
    index.add([gardens])[0].close()
    opened(index)
    index_folder().rebuild()[0].close()
    build = Manifest.read(path).build
    corpus, receipt = index.open(distrust="a search failed")
    corpus.close()
    assert receipt.reason == ""
    assert Manifest.read(path).build == build
    assert notices == []


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("embedding model", {"fingerprint": "another-model:1"}),
        ("passage chunker", {"max_tokens": 40}),
        ("sentence splitter", {}),
        ("index format", {}),
    ],
)
def test_an_index_made_otherwise_is_made_again_and_says_why(
    index, index_folder, embedder, commentary, gardens, notices, monkeypatch, part, changes
):
    index.add([commentary, gardens])[0].close()
    if part == "sentence splitter":
        monkeypatch.setattr("index.sentences.VERSION", "next")
    elif part == "index format":
        monkeypatch.setattr("index.manifest.FORMAT", 2)
    changed = index_folder(embedder=replace(embedder, **changes))
    corpus, receipt = changed.open()
    corpus.close()
    assert receipt.reason.startswith(f"the {part} changed (")
    assert notices == [f"rebuilding the index: {receipt.reason}"]
    assert corpus.documents == (commentary, gardens)
    assert (receipt.sentences_embedded, receipt.sentences_reused) == (corpus.sentence_count, 0)
    assert all(count <= changed._embedder.max_tokens for count in embedder.count_tokens([p.text for p in corpus.passages]))
    assert opened(changed).reason == ""


def test_a_corpus_is_a_snapshot(index, commentary, gardens, embedder):
    corpus, _ = index.open()
    index.add([gardens])[0].close()
    index.rebuild()[0].close()
    question = embedder.encode_question("Did Japan refrain from submitting a UN resolution?")
    assert corpus.documents == (commentary,)
    assert "refrain from submitting a UN resolution" in corpus.text(corpus.search(question, 3)[0])
    corpus.close()


def test_a_text_in_memory_leaves_the_disk_alone(home, gardens, boats, embedder):
    corpus = build_in_memory([gardens], embedder, Listener())
    build_in_memory([boats], embedder, Listener()).close()
    assert (
        corpus.text(corpus.search(embedder.encode_question("How old is the oak?"), 1)[0])
        == "The oak by the gate is 300 years old."
    )
    corpus.close()
    assert not home.exists()


def test_a_document_with_hnsw_files_opens_in_place_again_and_again(index_folder, path, diary_index, diary_embedder, notices):
    shutil.copytree(diary_index, path)
    before = Manifest.read(path)
    assert sum("index_metadata.pickle" in name for name in before.files) == 1
    for _ in range(2):
        corpus, receipt = index_folder(embedder=diary_embedder).open()
        assert corpus.sentence_count == 3005
        assert corpus.search(diary_embedder.encode_question("How old is the oak?"), 5)
        corpus.close()
        assert receipt.reason == ""
    assert Manifest.read(path) == before
    assert notices == []


def test_a_corpus_too_large_for_memory_is_read_and_searched_in_chroma(
    index_folder, path, diary_index, diary_embedder, diary, gardens, monkeypatch
):
    shutil.copytree(diary_index, path)
    in_memory, _ = index_folder(embedder=diary_embedder).open()
    monkeypatch.setattr(corpus_module, "KEPT_IN_MEMORY", 1000)
    on_disk, receipt = index_folder(embedder=diary_embedder).open()
    assert receipt.reason == ""
    sentences = [sentence for layout in on_disk.layouts.values() for sentence in layout.outline.sentences]
    vectors = in_memory.vectors(sentences)
    np.testing.assert_array_equal(on_disk.vectors(sentences[::7]), vectors[::7])
    questions = [
        "How old is the oak by the gate?",
        "Which trains left?",
        "Did the doctor come?",
        "a storm",
        "What burned at the market?",
    ]
    shared = 0
    for question in questions:
        asked = diary_embedder.encode_question(question)
        exact = np.sort(vectors @ asked)[::-1][:10]
        found = on_disk.vectors(on_disk.search(asked, 10)) @ asked
        assert found[0] == pytest.approx(exact[0], abs=1e-5)
        shared += np.count_nonzero(found > exact[-1] - 1e-5)  # sentences that read the same have the same cosine
    assert shared >= 0.95 * 10 * len(questions)
    in_memory.close()
    on_disk.close()


def test_a_change_of_a_corpus_too_large_for_memory_takes_its_vectors_over(
    index_folder, path, diary_index, counting, gardens, diary, embedded, monkeypatch
):
    shutil.copytree(diary_index, path)
    monkeypatch.setattr(corpus_module, "KEPT_IN_MEMORY", 1000)
    corpus, receipt = index_folder(embedder=counting).remove([gardens.id])
    corpus.close()
    assert (corpus.documents, embedded, receipt.sentences_reused) == ((diary,), [], 3000)


def test_a_corpus_too_large_for_memory_that_lost_vectors_has_them_embedded_again(
    index_folder, path, counting, embedded, commentary, gardens, boats, notices, monkeypatch
):
    index_folder().add([replace(commentary, source="/notes/summit.txt"), gardens])[0].close()
    monkeypatch.setattr(corpus_module, "KEPT_IN_MEMORY", 0)
    build = Manifest.read(path).build
    with chromadb.PersistentClient(str(path / "builds" / build / "chroma"), Settings(anonymized_telemetry=False)) as client:
        client.get_collection(f"qa-{build}").update(ids=[f"{gardens.id}:0"], embeddings=[[0.1] * 384])
    corpus, receipt = index_folder(embedder=counting).add([boats])
    assert notices == ["embedding a document again: the store returned a vector that differs from the one written"]
    assert len(embedded) == receipt.sentences_embedded == 5 + 2
    assert receipt.sentences_reused == 38
    assert len(corpus.vectors(corpus.layouts[gardens.id].outline.sentences)) == 5
    corpus.close()


def test_a_folder_that_cannot_be_written_is_answered_from_memory_and_not_changed(run, index_folder, commentary, gardens):
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        path = Path(name) / "index"
        index_folder(path).add([commentary, gardens])[0].close()
        before = files(path)
        for folder in (Path(name), path, *(entry for entry in path.rglob("*"))):
            folder.chmod(0o555 if folder.is_dir() else 0o444)
        try:
            texts, receipt, notices, errors = run(as_nobody, path, path.parent)
        finally:
            for folder in (Path(name), path, *(entry for entry in path.rglob("*") if entry.is_dir())):
                folder.chmod(0o755)
        assert texts == [commentary.text, gardens.text]
        assert receipt.reason == "its folder cannot be written"
        assert notices[-1].startswith(f"{path}: the index cannot be written (Permission denied)")
        assert [type(error).__mro__[1] for error in errors] == [StoreError] * 3
        assert all(str(error).startswith(f"{path}: the index cannot be written (Permission denied)") for error in errors)
        assert files(path) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become someone else")
def test_a_folder_that_cannot_be_entered_is_refused_by_name(run, home):
    home.mkdir(mode=0o700)
    error = run(opened_as_nobody, home / "index", home)
    assert isinstance(error, StoreError)
    assert str(error).startswith(f"{home / 'index'}: the index cannot be read (Permission denied)")


def test_a_full_disk_is_named_and_costs_nothing(run, index, path, home, boats, gardens, notices):
    index.add([gardens])[0].close()
    titles, receipt, errors = run(with_a_full_disk, path, home)
    assert receipt.reason == ""
    assert len(errors) == 4
    assert all(str(error).startswith(f"{path}: ") and "\n" not in str(error) for error in errors)
    assert titles == [GARDENS_TITLE]
    assert opened(index).reason == ""
    assert notices == []
    corpus, _ = index.add([boats])
    corpus.close()
    assert len(list((path / "builds").iterdir())) == 1
    assert sorted(file.stem for file in (path / "texts").iterdir()) == sorted(document.id for document in corpus.documents)


def test_a_folder_that_is_a_file_is_refused_by_name(index_folder, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match=f"^{tmp_path / 'file'}: the index cannot be written"):
        index_folder(tmp_path / "file").rebuild()
