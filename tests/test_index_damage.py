import itertools
import random
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

from index.build import build_in_memory
from index.embed import load_embedder
from index.errors import StoreError
from index.folder import IndexFolder
from index.load import load_builtin, load_text
from index.manifest import Manifest
from index.progress import Listener
from index.settings import IndexSettings
from index.texts import TextFiles

COPIES = ("texts", "texts-copy")
BOATS = load_text("Harbour Rules\n\nBoats keep to the right. Sails are taken in.\n", source="/notes/boats.txt")
TRAINS = load_text("Timetable\n\nThe night train leaves at ten. It stops twice.\n", source="/notes/trains.txt")


def state(corpus):
    """What a corpus holds, whatever the order of its documents, and its vectors."""
    layouts = {(document, corpus.layouts[document.id].passages) for document in corpus.documents}
    return layouts, {d.id: corpus.vectors(corpus.layouts[d.id].outline.sentences) for d in corpus.documents}


def assert_same(one, other):
    assert one[0] == other[0]
    for document_id, vectors in one[1].items():
        np.testing.assert_allclose(vectors, other[1][document_id], atol=1e-5)


def opened(folder):
    """Opens an index and closes it again; returns what it held and the receipt."""
    corpus, receipt = folder.open()
    seen = state(corpus)
    corpus.close()
    return seen, receipt


@pytest.fixture(scope="module")
def summit(commentary):
    """The commentary as somebody's own file."""
    return replace(commentary, source="/notes/summit.txt")


@pytest.fixture(scope="module")
def sound(tmp_path_factory, summit, gardens, embedder):
    """A sound index of two documents; tests work on copies of it."""
    path = tmp_path_factory.mktemp("sound") / "index"
    folder = IndexFolder(path, IndexSettings.resolve(home=path.parent, environ={}), embedder, Listener(), load_builtin)
    folder.add([summit, gardens])[0].close()
    return path


@pytest.fixture(scope="module")
def before(sound, embedder):
    """What the sound index holds."""
    folder = IndexFolder(sound, IndexSettings.resolve(home=sound.parent, environ={}), embedder, Listener(), load_builtin)
    return opened(folder)[0]


@pytest.fixture(scope="module")
def diary_before(diary_index, diary_embedder):
    settings = IndexSettings.resolve(home=diary_index.parent, environ={})
    return opened(IndexFolder(diary_index, settings, diary_embedder, Listener(), load_builtin))[0]


def damage(file, rng):
    data = bytearray(file.read_bytes())
    kind = rng.choice(["delete", "empty", "truncate", "scramble", "zero", "flip"])
    at = rng.randrange(len(data)) if data else 0
    length = rng.choice([16, 4096, len(data)])
    if kind == "empty":
        data.clear()
    elif kind == "truncate":
        del data[at:]
    elif kind == "scramble":
        data[at : at + length] = rng.randbytes(len(data[at : at + length]))
    elif kind == "zero":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif data:
        data[at] ^= 1 << rng.randrange(8)
    if kind == "delete":
        file.unlink()
    else:
        file.write_bytes(data)
    return kind


def victims(path, rng, wanted=lambda name: True):
    """Up to three files of an index, never both copies of one text."""
    files = [file for file in path.rglob("*") if file.is_file() and file.name != "lock" and wanted(file.name)]
    files.sort(key=lambda file: (file.name, file.parent.name in COPIES and file.parent.name))  # builds have random names
    rng.shuffle(files)
    chosen = {}
    for file in files[: rng.randint(1, 3)]:
        chosen.setdefault(file.name if file.parent.name in COPIES else file, file)
    return list(chosen.values())


@pytest.mark.parametrize("seed", range(50))
def test_a_damaged_index_is_what_it_was(index_folder, sound, before, home, notices, seed, embedder):
    path = home / "index"
    shutil.copytree(sound, path)
    rng = random.Random(seed)
    done = {str(file.relative_to(path)): damage(file, rng) for file in victims(path, rng)}
    corpus, receipt = index_folder().open()
    found = corpus.search(embedder.encode_question("How old is the oak by the gate?"), 3)
    assert corpus.text(found[0]) == "The oak by the gate is 300 years old.", done
    assert_same(state(corpus), before)
    corpus.close()
    restored = [line for line in notices if line.endswith("damaged; restored from the other copy")]
    rebuilt = [line for line in notices if line.startswith("rebuilding the index: ")]
    assert len(restored) + len(rebuilt) == len(notices)
    assert rebuilt == ([f"rebuilding the index: {receipt.reason}"] if receipt.reason else [])
    notices.clear()
    again, receipt = opened(index_folder())
    assert receipt.reason == ""
    assert notices == []
    assert_same(again, before)


@pytest.mark.parametrize("seed", range(10))
def test_damaged_hnsw_files_never_reach_chroma(index_folder, diary_index, diary_embedder, diary_before, home, notices, seed):
    path = home / "index"
    shutil.copytree(diary_index, path)
    rng = random.Random(seed)
    hit = victims(path, rng, lambda name: name.endswith((".bin", ".pickle")))
    assert hit
    unchanged = [file.read_bytes() for file in hit]
    kinds = [damage(file, rng) for file in hit]
    harmless = all(file.exists() and file.read_bytes() == data for file, data in zip(hit, unchanged, strict=True))
    assert not harmless, kinds
    after, receipt = opened(index_folder(embedder=diary_embedder))
    assert_same(after, diary_before)
    assert receipt.reason.startswith(str(path / "builds"))
    assert notices == [f"rebuilding the index: {receipt.reason}"]
    assert opened(index_folder(embedder=diary_embedder))[1].reason == ""


def test_damage_that_only_a_search_would_meet_is_noticed(index_folder, sound, before, home, notices, embedder):
    path = home / "index"
    shutil.copytree(sound, path)
    (database,) = path.glob("builds/*/chroma/chroma.sqlite3")
    with closing(sqlite3.connect(database)) as connection:
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'embedding_metadata'").fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * page_size)
        file.write(b"\xff" * page_size)
    corpus, receipt = index_folder().open()
    assert "malformed" in receipt.reason
    assert notices == [f"rebuilding the index: {receipt.reason}"]
    assert len(corpus.search(embedder.encode_question("How old is the oak by the gate?"), 3)) == 3
    assert_same(state(corpus), before)
    corpus.close()


@pytest.fixture
def half_lost(index_folder, gardens, home):
    """An index of two documents, of which both copies of the second are damaged."""
    index_folder().add([BOATS, gardens])[0].close()
    for copy in COPIES:
        (home / "index" / copy / f"{gardens.id}.json").write_bytes(copy.encode())
    return home / "index"


def test_a_text_with_both_copies_damaged_is_set_aside_with_a_notice_and_may_be_added_again(
    half_lost, index_folder, gardens, notices
):
    corpus, receipt = index_folder().open()
    corpus.close()
    assert corpus.documents == (BOATS,)
    assert receipt.reason == "a document's text is lost"
    assert {line.partition(":")[0] for line in notices} == {"rebuilding the index", f"document {gardens.id}"}
    assert all("\n" not in line for line in notices)
    (told,) = (line for line in notices if line.startswith("document "))
    assert "both copies of its text are damaged" in told
    assert "qa index add" in told
    assert str(half_lost / "damaged") in told
    assert {file.read_bytes() for file in (half_lost / "damaged").iterdir()} == {copy.encode() for copy in COPIES}
    notices.clear()
    index_folder().add([gardens])[0].close()
    corpus, receipt = index_folder().open()
    corpus.close()
    assert (corpus.documents, receipt.reason, notices) == ((BOATS, gardens), "", [])


@pytest.mark.parametrize("how", ["add", "open_with"])
def test_a_text_with_both_copies_damaged_is_mended_by_whoever_brings_it(half_lost, index_folder, gardens, how):
    index = index_folder()
    corpus, _ = index.add([gardens]) if how == "add" else index.open_with([BOATS, gardens])
    corpus.close()
    assert corpus.documents == (BOATS, gardens)
    corpus, receipt = index_folder().open()
    corpus.close()
    assert (corpus.documents, receipt.reason) == ((BOATS, gardens), "")


@pytest.mark.parametrize("change", ["rebuild", "add", "remove"])
def test_a_text_with_both_copies_damaged_does_not_stop_a_change(half_lost, index_folder, gardens, notices, change):
    index = index_folder()
    changes = {"rebuild": index.rebuild, "add": lambda: index.add([TRAINS]), "remove": lambda: index.remove([BOATS.id])}
    corpus, _ = changes[change]()
    corpus.close()
    left = {"rebuild": (BOATS,), "add": (BOATS, TRAINS), "remove": (load_builtin(),)}
    assert corpus.documents == left[change]
    assert any(line.startswith(f"document {gardens.id}: both copies of its text are damaged") for line in notices)
    assert opened(index_folder())[1].reason == ""


def test_the_commentary_needs_no_copy(index_folder, home, commentary):
    opened(index_folder())
    for copy in COPIES:
        shutil.rmtree(home / "index" / copy)
    after, receipt = opened(index_folder())
    assert receipt.reason == ""
    assert [document for document, _ in after[0]] == [commentary]
    assert_clean(home / "index")


@pytest.mark.parametrize("gone", ["builds", "manifest.json", "texts", "texts-copy", "lock"])
def test_a_part_of_the_index_may_be_deleted(index_folder, sound, before, home, gone):
    path = home / "index"
    shutil.copytree(sound, path)
    shutil.rmtree(path / gone) if (path / gone).is_dir() else (path / gone).unlink()
    after, _ = opened(index_folder())
    assert_same(after, before)
    assert opened(index_folder())[1].reason == ""


def test_an_index_that_is_deleted_starts_again_with_the_commentary(index_folder, sound, home, commentary, notices):
    path = home / "index"
    shutil.copytree(sound, path)
    opened(index_folder())
    shutil.rmtree(path)
    after, _ = opened(index_folder())
    assert [document for document, _ in after[0]] == [commentary]
    assert notices == []


def test_a_text_file_under_another_name_is_not_taken_for_it(index_folder, sound, home, summit, gardens, notices):
    path = home / "index"
    shutil.copytree(sound, path)
    shutil.copy(path / "texts" / f"{summit.id}.json", path / "texts" / f"{gardens.id}.json")
    after, _ = opened(index_folder())
    assert {document for document, _ in after[0]} == {summit, gardens}
    assert notices == [f"{path / 'texts' / gardens.id}.json: damaged; restored from the other copy"]


def test_a_build_that_is_interrupted_at_any_step_leaves_the_index_as_it_was(index_folder, sound, before, home):
    path = home / "index"
    shutil.copytree(sound, path)
    build = Manifest.read(path).build
    for step in itertools.count(1):
        steps = []

        def progress(*told, steps=steps, step=step):
            steps.append(told)
            if len(steps) == step:
                raise KeyboardInterrupt

        folder = index_folder(listener=Listener(progress=progress))
        try:
            folder.add([BOATS])[0].close()
        except KeyboardInterrupt:
            after, receipt = opened(index_folder())
            assert receipt.reason == ""
            assert Manifest.read(path).build == build
            assert_same(after, before)
        else:
            break
    assert {stage for stage, _, _ in steps} == {"finding sentences", "embedding sentences", "storing vectors"}
    assert step > 3
    assert_clean(path)


def assert_clean(path):
    """Only what the manifest names is there."""
    manifest = Manifest.read(path)
    assert [folder.name for folder in (path / "builds").iterdir()] == [manifest.build]
    assert sorted(entry.name for entry in path.iterdir()) == ["builds", "lock", "manifest.json", "texts", "texts-copy"]
    for copy in COPIES:
        assert {entry.name for entry in (path / copy).iterdir()} == {f"{document}.json" for document in manifest.documents}


def test_leftovers_of_a_writer_killed_while_it_wrote_a_file_are_deleted(index_folder, sound, home):
    path = home / "index"
    shutil.copytree(sound, path)
    for place in (path, path / "texts", path / "texts-copy"):
        (place / ".manifest.json.k1ll3d").write_bytes(b"{")
    (path / "texts" / "0123456789abcdef.json").write_bytes(b"half")
    (path / "builds" / "unfinished").mkdir()
    index_folder().add([BOATS])[0].close()
    assert_clean(path)


def write_and_wait(connection, path, home, names):
    """Runs in a process of its own: says when it begins to write, and when it is done."""
    notices = []
    settings = IndexSettings.resolve(home=home)
    embedder = load_embedder(settings, Listener())
    build_in_memory([TRAINS], embedder, Listener()).close()  # so that what is slow only once lies behind it
    folder = IndexFolder(path, settings, embedder, Listener(notice=notices.append), load_builtin)
    documents = [document for document in (BOATS, TRAINS) if document.title in names]
    connection.send("ready")
    connection.recv()
    corpus, receipt = folder.add(documents) if documents else folder.open()
    titles = [document.title for document in corpus.documents]
    corpus.close()
    connection.send((titles, receipt, notices))


def add_and_remove(connection, path, home, names):
    """Runs in a process of its own: changes the index again and again."""
    settings = IndexSettings.resolve(home=home)
    folder = IndexFolder(path, settings, load_embedder(settings, Listener()), Listener(), load_builtin)
    connection.send("ready")
    connection.recv()
    for _ in range(4):
        folder.add([BOATS])[0].close()
        folder.remove([BOATS.id])[0].close()
    connection.send("done")


def start(processes, target, home, names):
    """Returns a process that is ready to write the index in `home`, and the connection to it."""
    ours, theirs = processes.Pipe()
    process = processes.Process(target=target, args=(theirs, home / "index", home, names), daemon=True)
    process.start()
    theirs.close()
    assert answer(ours) == "ready"
    return process, ours


def answer(connection):
    assert connection.poll(60)
    return connection.recv()


@pytest.fixture
def writer(processes, home):
    """Starts processes that write this test's index; none of them outlives the test."""
    started = []

    def start_writer(*names, target=write_and_wait):
        process, connection = start(processes, target, home, names)
        started.append(process)
        return process, connection

    yield start_writer
    for process in started:
        process.kill()
        process.join()


@pytest.fixture(scope="module")
def seconds_to_add(tmp_path_factory, processes, sound):
    """How long a writer takes, so that kills fall into all of its work."""
    home = tmp_path_factory.mktemp("timed")
    shutil.copytree(sound, home / "index")
    process, connection = start(processes, write_and_wait, home, ("Harbour Rules", "Timetable"))
    began = time.perf_counter()
    connection.send("go")
    answer(connection)
    seconds = time.perf_counter() - began
    process.join()
    return seconds


@pytest.mark.parametrize("moment", range(16))
def test_a_writer_that_is_killed_leaves_the_state_before_or_after(
    writer, index_folder, sound, home, moment, seconds_to_add, summit, gardens
):
    path = home / "index"
    shutil.copytree(sound, path)
    process, connection = writer("Harbour Rules", "Timetable")
    connection.send("go")
    time.sleep(seconds_to_add * random.Random(moment).uniform(moment, moment + 1) / 14)
    process.kill()
    process.join()
    corpus, receipt = index_folder().open()
    corpus.close()
    assert receipt.reason == ""
    assert list(corpus.documents) in ([summit, gardens], [summit, gardens, BOATS, TRAINS])
    corpus, _ = index_folder().remove([gardens.id])
    corpus.close()
    assert_clean(path)


@pytest.mark.parametrize("moment", range(4))
def test_a_first_build_that_is_killed_is_made_again(writer, index_folder, home, moment, seconds_to_add, commentary):
    process, connection = writer()
    connection.send("go")
    time.sleep(seconds_to_add * random.Random(moment).uniform(moment, moment + 1) / 4)
    process.kill()
    process.join()
    corpus, _ = index_folder().open()
    corpus.close()
    assert corpus.documents == (commentary,)
    assert opened(index_folder())[1].reason == ""
    index_folder().rebuild()[0].close()
    assert_clean(home / "index")


def test_two_processes_that_open_a_new_index_at_once_get_the_same(writer, index_folder, home, commentary):
    connections = [writer()[1] for _ in range(2)]
    for connection in connections:
        connection.send("go")
    answers = [answer(connection) for connection in connections]
    assert [titles for titles, _, _ in answers] == [[commentary.title]] * 2
    assert sorted(receipt.reason for _, receipt, _ in answers) == ["", "first use"]
    assert opened(index_folder())[1].reason == ""
    assert_clean(home / "index")


def test_two_processes_that_add_at_once_both_get_theirs_in(writer, index_folder, sound, home, summit, gardens):
    shutil.copytree(sound, home / "index")
    connections = [writer(name)[1] for name in ("Harbour Rules", "Timetable")]
    for connection in connections:
        connection.send("go")
    answers = [answer(connection) for connection in connections]
    assert [receipt.added for _, receipt, _ in answers] == [("Harbour Rules",), ("Timetable",)]
    corpus, receipt = index_folder().open()
    corpus.close()
    assert receipt.reason == ""
    assert set(corpus.documents) == {summit, gardens, BOATS, TRAINS}
    assert_clean(home / "index")


def test_a_writer_waits_for_another_and_says_so(index_folder, sound, home):
    path = home / "index"
    shutil.copytree(sound, path)
    other = FileLock(path / "lock")
    other.acquire()
    notices = []

    def notice(line):
        notices.append(line)
        other.release()

    corpus, receipt = index_folder(listener=Listener(notice=notice)).add([BOATS])
    corpus.close()
    assert receipt.added == (BOATS.title,)
    assert notices == [f"{path}: another process is writing this index; waiting up to 120 s"]


def test_a_writer_gives_up_in_the_end_and_readers_do_not_wait(index_folder, sound, home, notices):
    path = home / "index"
    shutil.copytree(sound, path)
    with FileLock(path / "lock"):
        with pytest.raises(StoreError) as caught:
            index_folder(lock_timeout=0.1).add([BOATS])
        assert str(caught.value) == (
            f"{path}: another process has been writing this index for 0 s; try again when it has finished"
        )
        assert notices == [f"{path}: another process is writing this index; waiting up to 0 s"]
        assert opened(index_folder())[1].reason == ""


def test_readers_find_a_whole_index_while_another_process_writes(writer, index_folder, sound, home, summit, gardens):
    shutil.copytree(sound, home / "index")
    _, connection = writer(target=add_and_remove)
    connection.send("go")
    reads = 0
    while not connection.poll():
        corpus, _ = index_folder().open()
        corpus.close()
        assert set(corpus.documents) - {BOATS} == {summit, gardens}
        reads += 1
    assert connection.recv() == "done"
    assert reads > 1


def test_a_document_that_is_removed_while_the_index_is_opened(index_folder, sound, home, monkeypatch, summit, gardens):
    """The manifest was read before another process swapped its build in, the texts after."""
    shutil.copytree(sound, home / "index")
    read, once = TextFiles.read, []

    def read_late(texts, document_id, listener):
        if not once:
            once.append(True)
            index_folder().remove([gardens.id])[0].close()
        return read(texts, document_id, listener)

    monkeypatch.setattr(TextFiles, "read", read_late)
    corpus, receipt = index_folder().open()
    corpus.close()
    assert corpus.documents == (summit,)
    assert receipt.reason == ""
