import multiprocessing
import os
import random
from dataclasses import replace

import hypothesis
import numpy as np
import pytest

from index.embed import Embedder, load_embedder
from index.folder import IndexFolder
from index.load import load_builtin, load_text
from index.progress import Listener
from index.settings import IndexSettings

# The same examples each time: a property that starts to fail does so for the change that broke it.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

GARDENS = """Gardens of the Town

The rose garden opened in 1911. It is watered on Mondays. In winter the beds are covered with straw.

Trees

The oak by the gate is 300 years old. Nobody waters it.
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Where this test's indexes live; whatever the person who runs the tests has set does not count."""
    for name in list(os.environ):
        if name.startswith("QA_") and name != "QA_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("QA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session", autouse=True)
def embedder():
    """The real model; its graph is exported where the cache does not have it yet."""
    return load_embedder(replace(IndexSettings.resolve(), embed_model=None), Listener())


@pytest.fixture
def settings(home):
    return IndexSettings.resolve()


@pytest.fixture
def notices():
    """What the test's listener was told."""
    return []


@pytest.fixture
def listener(notices):
    return Listener(notice=notices.append)


@pytest.fixture
def index_folder(home, settings, embedder, listener):
    """Makes handles on this test's index; keywords replace settings."""

    def make(path=home / "index", embedder=embedder, listener=listener, **changes):
        return IndexFolder(path, replace(settings, **changes), embedder, listener, load_builtin)

    return make


@pytest.fixture(scope="session")
def commentary():
    return load_builtin()


@pytest.fixture(scope="session")
def gardens():
    return load_text(GARDENS, source="/notes/gardens.txt")


@pytest.fixture(scope="session")
def boats():
    return load_text("Harbour Rules\n\nBoats keep to the right. Sails are taken in.\n", source="/notes/boats.txt")


def remembering(embedder, embedded, known=None):
    """Returns the embedder, writing down each text it is given; texts in `known` get the vector found there."""
    known = {} if known is None else known

    class Remembering(Embedder):
        def encode(self, texts, listener):
            embedded.extend(texts)
            new = [text for text in texts if text not in known]
            if new:
                known.update(zip(new, super().encode(new, listener), strict=True))
            return np.array([known[text] for text in texts])

    return Remembering(embedder.embedding, embedder.fingerprint, embedder.max_tokens, embedder.count_tokens)


@pytest.fixture
def embedded():
    """The texts that `counting` embedded, one entry for each time."""
    return []


@pytest.fixture
def counting(embedder, embedded):
    return remembering(embedder, embedded)


@pytest.fixture(scope="session")
def diary():
    """A document of 3,000 sentences, 600 of them different: enough for Chroma to save HNSW files."""
    rng = random.Random(3000)
    who = ["Rose", "Oak", "Boat", "Train", "School", "Baker", "Doctor", "Market", "River", "Storm"]
    what = ["opened", "closed", "burned", "moved", "came", "left"]
    sentences = [f"{rng.choice(who)} {day} {rng.choice(what)}." for day in range(600)] * 5
    paragraphs = [" ".join(sentences[at : at + 10]) for at in range(0, 3000, 10)]
    return load_text("\n\n".join(paragraphs), title="Diary", source="/notes/diary.txt")


@pytest.fixture(scope="session")
def diary_embedder(embedder):
    """The real model, which embeds each sentence of the diary once in all tests."""
    return remembering(embedder, [], {})


@pytest.fixture(scope="session")
def diary_index(tmp_path_factory, diary, gardens, diary_embedder):
    """A sound index of the diary and another document; tests work on copies of it."""
    path = tmp_path_factory.mktemp("diary") / "index"
    folder = IndexFolder(path, IndexSettings.resolve(home=path.parent, environ={}), diary_embedder, Listener(), load_builtin)
    folder.add([diary, gardens])[0].close()
    return path


@pytest.fixture(scope="session")
def processes():
    """Starts child processes that have the index package loaded already, and neither a model nor Chroma at work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["index.folder", "index.load"])
    return context
