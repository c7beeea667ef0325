"""Documents opened for the qa tests; a test module takes them with `pytest_plugins = ["qa_fixtures"]`."""

from itertools import product

import pytest
from qa_checks import BAROMETER, PHYSICIANS

from index.build import build_in_memory
from index.load import load_text
from index.progress import Listener
from index.receipt import Receipt
from qa import DocumentQA

TOWNS = ("Arden", "Brill", "Corby", "Deal", "Ely", "Fowey", "Goole", "Hythe", "Ilkley", "Jarrow", "Kelso", "Louth")
TRADES = ("bakers", "coopers", "dyers", "farriers", "glaziers", "hatters", "joiners", "masons", "potters", "tanners")
DEEDS = ("sold their cellars", "painted their gates", "counted their ladders", "mended their roofs", "moved their benches")


@pytest.fixture(scope="session")
def bot_for(embedder):
    """Opens documents in memory, with the tests' one model."""

    def opened(*documents):
        corpus = build_in_memory(documents, embedder, Listener())
        return DocumentQA(lambda distrust: (corpus, Receipt.in_memory(corpus, "for a test")), embedder)

    return opened


@pytest.fixture(scope="session")
def bot(bot_for, commentary):
    """The commentary."""
    return bot_for(commentary)


@pytest.fixture(scope="session")
def trades():
    """602 sentences: too many to be read whole, with two that stand out."""
    sentences = [f"The {trade} of {town} {deed}." for town, trade, deed in product(TOWNS, TRADES, DEEDS)]
    sentences.insert(300, BAROMETER)
    sentences.insert(450, PHYSICIANS)
    paragraphs = [" ".join(sentences[first : first + 7]) for first in range(0, len(sentences), 7)]
    return load_text("\n\n".join(paragraphs), title="Trades")


@pytest.fixture(scope="session")
def long_bot(bot_for, trades):
    """The long document."""
    return bot_for(trades)
