import numpy as np
import pytest

from index import corpus as corpus_module
from index.build import build_in_memory
from index.corpus import Corpus, rows_of
from index.load import load_text
from index.progress import Listener
from index.store import Row, StoreDamaged, VectorStore, checksum, file_checksums


@pytest.fixture
def two_documents(commentary, gardens, embedder):
    corpus = build_in_memory([commentary, gardens], embedder, Listener())
    yield corpus
    corpus.close()


def rows(count):
    return [Row(f"d:{at}", "d", f"text {at}", at, at + 6, "Heading" if at % 2 else None) for at in range(count)]


def unit_vectors(count, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, 384)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def written(folder, count, name="qa-test"):
    store = VectorStore.local(folder, name)
    store.write(rows(count), unit_vectors(count), Listener())
    return store


def ids(count):
    return [f"d:{number}" for number in range(count)]


def all_sentences(corpus):
    return [sentence for layout in corpus.layouts.values() for sentence in layout.outline.sentences]


def test_vectors_come_back_bit_for_bit_in_the_order_asked_for(tmp_path):
    store = written(tmp_path, 50)
    np.testing.assert_array_equal(store.read(ids(50)), unit_vectors(50))
    np.testing.assert_array_equal(store.read(["d:7", "d:49", "d:0"]), unit_vectors(50)[[7, 49, 0]])
    store.close()
    reopened = VectorStore.local(tmp_path, "qa-test")
    reopened.open(50)
    np.testing.assert_array_equal(reopened.read(ids(50)[::-1]), unit_vectors(50)[::-1])
    reopened.close()


def test_progress_of_writing_is_told_by_the_thousand(tmp_path):
    told = []
    store = VectorStore.local(tmp_path, "qa-test")
    store.write(rows(1200), unit_vectors(1200), Listener(progress=lambda *step: told.append(step)))
    store.close()
    assert told == [("storing vectors", 1000, 1200), ("storing vectors", 1200, 1200)]


def test_search_ranks_by_cosine(tmp_path):
    store = written(tmp_path, 200)
    question = unit_vectors(1, seed=1)[0]
    exact = [f"d:{number}" for number in np.argsort(-unit_vectors(200) @ question)[:10]]
    assert store.search(question, 10) == exact
    store.close()


@pytest.mark.parametrize("count", [1, 999, 1000, 1001, 2300])
def test_files_with_a_checksum_are_left_alone_by_opening_reading_and_searching(tmp_path, count):
    written(tmp_path, count).close()
    before = file_checksums(tmp_path)
    assert len(before) == (5 if count >= 1000 else 0)
    for _ in range(2):
        store = VectorStore.local(tmp_path, "qa-test")
        store.open(count)
        np.testing.assert_array_equal(store.read(ids(count)), unit_vectors(count))
        assert len(store.search(unit_vectors(1, seed=1)[0], 5)) == min(5, count)
        store.close()
        assert file_checksums(tmp_path) == before


def test_a_collection_that_is_not_as_it_was_written_is_damaged(tmp_path):
    written(tmp_path, 20).close()
    store = VectorStore.local(tmp_path, "qa-test")
    with pytest.raises(StoreDamaged, match="20 vectors where 21 were written"):
        store.open(21)
    store.open(20)
    with pytest.raises(StoreDamaged, match="returned 1 of 2 vectors"):
        store.read(["d:0", "d:20"])
    store.close()
    absent = VectorStore.local(tmp_path, "qa-other")
    with pytest.raises(StoreDamaged, match="qa-other"):
        absent.open(20)
    absent.close()


def test_a_collection_is_written_once_and_dropped_once_or_more(tmp_path):
    store = written(tmp_path, 30)
    with pytest.raises(StoreDamaged, match="already exists"):
        store.write(rows(10), unit_vectors(10), Listener())
    store.drop()
    store.drop()
    with pytest.raises(StoreDamaged, match="does not exist"):
        store.open(30)
    store.write(rows(10), unit_vectors(10), Listener())
    np.testing.assert_array_equal(store.read(ids(10)), unit_vectors(10))
    store.close()


def test_a_folder_that_is_no_chroma_folder_is_damaged(tmp_path):
    (tmp_path / "chroma.sqlite3").write_bytes(b"not a database " * 100)
    with pytest.raises(StoreDamaged, match="Chroma cannot read or write it") as caught:
        VectorStore.local(tmp_path, "qa-test")
    assert str(caught.value).startswith(f"{tmp_path}: ")
    assert "\n" not in str(caught.value)


def test_stores_in_memory_do_not_share_what_they_hold():
    one, other = VectorStore.memory("qa-one"), VectorStore.memory("qa-other")
    one.write(rows(3), unit_vectors(3), Listener())
    other.write(rows(2), unit_vectors(2, seed=2), Listener())
    one.close()
    np.testing.assert_array_equal(other.read(ids(2)), unit_vectors(2, seed=2))
    other.close()
    again = VectorStore.memory("qa-one")
    with pytest.raises(StoreDamaged):
        again.open(3)
    again.close()


def test_a_checksum_tells_vectors_apart():
    vector = unit_vectors(1)[0]
    other = vector.copy()
    other[100] = np.nextafter(other[100], 1)
    assert checksum(vector) == checksum(vector.tolist())
    assert checksum(vector) != checksum(other)


def test_a_corpus_reads_what_was_indexed(two_documents, commentary, gardens):
    corpus = two_documents
    assert corpus.documents == (commentary, gardens)
    assert corpus.document(gardens.id) is gardens
    assert corpus.sentence_count == len(all_sentences(corpus)) == 43
    for passage in corpus.passages:
        sentences = corpus.sentences(passage)
        assert corpus.document(passage.document_id).text[passage.start : passage.end] == passage.text
        assert passage.text.startswith(corpus.text(sentences[0]))
        assert passage.text.endswith(corpus.text(sentences[-1]))
    for sentence in all_sentences(corpus):
        holding = [p for p in corpus.passages if p.document_id == sentence.document_id and p.start <= sentence.start < p.end]
        assert corpus.passages_with(sentence) == holding


def test_the_sentence_before_is_of_the_same_paragraph_or_of_the_same_section(embedder):
    text = "# Rain\n\nIt rains. It stops.\n\nIt rains again.\n\n# Sun\n\nThe sun shines.\n"
    document = load_text(text)
    corpus = build_in_memory([document], embedder, Listener())
    rains, stops, again, shines = corpus.layouts[document.id].outline.sentences
    assert [corpus.previous(sentence) for sentence in (rains, stops, again, shines)] == [None, rains, None, None]
    assert [corpus.before(sentence) for sentence in (rains, stops, again, shines)] == [None, rains, stops, None]
    corpus.close()


def test_a_corpus_is_searched_across_documents(two_documents, embedder):
    found = two_documents.search(embedder.encode_question("How old is the oak by the gate?"), 3)
    assert two_documents.text(found[0]) == "The oak by the gate is 300 years old."
    found = two_documents.search(embedder.encode_question("Did Japan refrain from submitting a UN resolution?"), 3)
    assert "refrain from submitting a UN resolution" in two_documents.text(found[0])
    everything = two_documents.search(embedder.encode_question("And when?"), 1000)
    assert len(everything) == 43
    assert set(everything) == set(all_sentences(two_documents))


def test_vectors_are_those_of_the_sentences(two_documents, embedder):
    sentences = all_sentences(two_documents)[::-3]
    expected = embedder.encode([two_documents.text(sentence) for sentence in sentences], Listener())
    np.testing.assert_allclose(two_documents.vectors(sentences), expected, atol=1e-5)


@pytest.mark.parametrize("kept", [0, 43])
def test_a_changed_vector_is_noticed(tmp_path, two_documents, embedder, monkeypatch, kept):
    corpus = two_documents
    monkeypatch.setattr(corpus_module, "KEPT_IN_MEMORY", kept)
    sentences = all_sentences(corpus)
    vectors = corpus.vectors(sentences)
    checksums = [checksum(vector) for vector in vectors]
    vectors[42] = -vectors[42]
    store = VectorStore.local(tmp_path, "qa-test")
    store.write([row for d in corpus.documents for row in rows_of(d, corpus.layouts[d.id])], vectors, Listener())
    with pytest.raises(StoreDamaged, match="differs from the one written"):
        Corpus(corpus.documents, corpus.layouts, checksums, store, embedder).vectors(sentences)
    store.close()
