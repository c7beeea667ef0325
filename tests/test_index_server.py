import http.server
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings

from index.errors import StoreError
from index.load import load_text
from index.manifest import Manifest

BOATS = load_text("Harbour Rules\n\nBoats keep to the right. Sails are taken in.\n", source="/notes/boats.txt")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A real Chroma server on loopback."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        program = Path(sys.executable).parent / "chroma"
        command = [program, "run", "--path", self.folder, "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.folder.parent / "chroma.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    pytest.fail("the Chroma server did not start: " + (self.folder.parent / "chroma.log").read_text())
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def client(self):
        return chromadb.HttpClient(host="127.0.0.1", port=self.port, settings=Settings(anonymized_telemetry=False))

    def collections(self):
        with self.client() as client:
            return {collection.name for collection in client.list_collections()}


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server") / "chroma")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(shared_server):
    """The server, with nothing of other tests in it."""
    with shared_server.client() as client:
        for collection in client.list_collections():
            client.delete_collection(collection.name)
    return shared_server


@pytest.fixture
def stopped_later(tmp_path):
    server = Server(tmp_path / "chroma")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def path(home):
    return home / "index"


def opened(folder):
    corpus, receipt = folder.open()
    corpus.close()
    return receipt


def vectors(corpus):
    return corpus.vectors([sentence for layout in corpus.layouts.values() for sentence in layout.outline.sentences])


def test_an_index_on_a_server_is_built_and_opened_in_place(server, index_folder, path, commentary, notices, embedder):
    corpus, receipt = index_folder(chroma_url=server.url).open()
    assert (corpus.documents, receipt.added) == ((commentary,), (commentary.title,))
    build = Manifest.read(path).build
    assert server.collections() == {f"qa-{build}"}
    assert not list(path.rglob("chroma*"))
    again, receipt = index_folder(chroma_url=server.url).open()
    assert receipt.reason == ""
    assert Manifest.read(path).build == build
    np.testing.assert_array_equal(vectors(again), vectors(corpus))
    found = again.search(embedder.encode_question("Did Japan refrain from submitting a UN resolution?"), 3)
    assert "refrain from submitting a UN resolution" in again.text(found[0])
    assert notices == []
    corpus.close()
    again.close()


def test_a_change_on_a_server_drops_the_old_collection_and_no_other(server, index_folder, path, gardens):
    with server.client() as client:
        client.create_collection("somebody-elses", embedding_function=None)
    index = index_folder(chroma_url=server.url)
    index.add([gardens])[0].close()
    corpus, receipt = index.add([BOATS])
    corpus.close()
    assert (receipt.added, receipt.sentences_embedded, receipt.sentences_reused) == ((BOATS.title,), 2, 5)
    assert server.collections() == {f"qa-{Manifest.read(path).build}", "somebody-elses"}
    corpus, receipt = index.remove([gardens.id])
    corpus.close()
    assert (corpus.documents, receipt.removed) == ((BOATS,), (gardens.title,))
    assert server.collections() == {f"qa-{Manifest.read(path).build}", "somebody-elses"}
    assert opened(index).reason == ""


def test_two_indexes_share_a_server(server, index_folder, tmp_path, commentary, gardens):
    one, other = (index_folder(tmp_path / name, chroma_url=server.url) for name in ("one", "other"))
    one.add([commentary])[0].close()
    other.add([gardens])[0].close()
    one.rebuild()[0].close()
    assert len(server.collections()) == 2
    assert opened(one).reason == opened(other).reason == ""


def test_a_collection_that_vanished_is_made_again_and_says_so(server, index_folder, path, gardens, notices):
    index = index_folder(chroma_url=server.url)
    index.add([gardens])[0].close()
    with server.client() as client:
        client.delete_collection(f"qa-{Manifest.read(path).build}")
    corpus, receipt = index.open()
    corpus.close()
    assert corpus.documents == (gardens,)
    assert receipt.reason.startswith(server.url)
    assert "does not exist" in receipt.reason
    assert notices == [f"rebuilding the index: {receipt.reason}"]
    assert opened(index).reason == ""


@pytest.mark.parametrize("change", ["vector", "row"])
def test_a_collection_that_somebody_changed_is_made_again_and_says_so(server, index_folder, path, gardens, notices, change):
    index = index_folder(chroma_url=server.url)
    corpus, _ = index.add([gardens])
    before = vectors(corpus)
    corpus.close()
    with server.client() as client:
        collection = client.get_collection(f"qa-{Manifest.read(path).build}")
        if change == "vector":
            collection.update(ids=[f"{gardens.id}:2"], embeddings=[[0.1] * 384])
        else:
            collection.delete(ids=[f"{gardens.id}:2"])
    corpus, receipt = index.open()
    np.testing.assert_allclose(vectors(corpus), before, atol=1e-5)
    corpus.close()
    assert receipt.reason in (
        "the store returned a vector that differs from the one written",
        "the store returned 4 vectors where 5 were written",
    )
    assert notices == [f"rebuilding the index: {receipt.reason}"]
    assert opened(index).reason == ""


def test_an_index_moves_to_a_server_and_back(server, index_folder, path, gardens, notices):
    index_folder().add([gardens])[0].close()
    receipt = opened(index_folder(chroma_url=server.url))
    assert receipt.reason == f"its vectors are in its folder, not in {server.url}"
    assert not list(path.rglob("chroma.sqlite3"))
    receipt = opened(index_folder())
    assert receipt.reason == f"its vectors are in {server.url}, not in its folder"
    assert len(notices) == 2
    assert opened(index_folder()).reason == ""


def test_a_server_that_does_not_run_is_named_and_costs_nothing(index_folder, stopped_later, path, gardens, embedder, notices):
    server = stopped_later
    index = index_folder(chroma_url=server.url)
    corpus, _ = index.add([gardens])
    before = Manifest.read(path)
    server.stop()
    question = embedder.encode_question("How old is the oak?")
    for attempt in (index.open, index.rebuild, lambda: index.add([BOATS]), lambda: corpus.search(question, 1)):
        with pytest.raises(StoreError) as caught:
            attempt()
        assert str(caught.value).startswith(f"{server.url}: ")
        assert "answers" in str(caught.value)
        assert "\n" not in str(caught.value)
    corpus.close()
    assert Manifest.read(path) == before
    server.start()
    assert opened(index).reason == ""
    assert notices == []


def test_a_server_that_is_no_chroma_is_named_in_one_line(index_folder, path):
    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=other.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{other.server_address[1]}"
    try:
        with pytest.raises(StoreError) as caught:
            index_folder(chroma_url=url).open()
    finally:
        other.shutdown()
        thread.join()
        other.server_close()
    assert str(caught.value).startswith(f"{url}: no Chroma server answers (")
    assert "\n" not in str(caught.value)
    assert Manifest.read(path) is None
