"""Sentence vectors in Chroma, through LlamaIndex's ChromaVectorStore; the only module that knows either.

A store is written once, by one process, into a collection of its own, and is only read afterwards. Chroma's local files do not
notice damage: a scrambled HNSW file ends the process or returns other vectors (Chroma issues 6975 and 7090 tell of indexes
lost this way). So files are compared with the checksums taken when they were written before Chroma sees them, and every
vector that comes out is compared with its own.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import chromadb
import httpx
import numpy as np
import numpy.typing as npt
from chromadb.config import Settings
from chromadb.errors import ChromaError
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.vector_stores.chroma import ChromaVectorStore

from index.errors import StoreError
from index.progress import Listener

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

__all__ = ["Row", "StoreDamaged", "VectorStore", "checksum", "file_checksums"]

Vectors = npt.NDArray[np.float32]

ROWS_PER_WRITE = 1000
ROWS_PER_READ = 5000
# Vectors have length 1, so the inner product is their cosine; Chroma's own cosine would scale them once more, and what comes
# back would not be what was written.
_COLLECTION = {"hnsw": {"space": "ip", "ef_construction": 200, "ef_search": 256}}


class StoreDamaged(StoreError):
    """The store does not hold what was written; it can be made again from the texts."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is kept beside a sentence's vector."""

    id: str
    """`<document id>:<ordinal>`."""
    document_id: str
    text: str
    start: int
    end: int
    heading: str | None


@dataclass(slots=True)
class VectorStore:
    """One Chroma collection: a row for each sentence."""

    _client: ClientAPI
    _name: str
    _where: str
    """The folder or the server's URL, for messages."""
    _temporary: bool = False
    _collection: Collection | None = field(default=None)

    @classmethod
    def local(cls, folder: Path, name: str) -> VectorStore:
        """Opens, or makes, Chroma's files in a folder."""
        with _damage_noticed(str(folder)):
            return cls(chromadb.PersistentClient(str(folder), settings=_settings()), name, str(folder))

    @classmethod
    def server(cls, url: str, name: str) -> VectorStore:
        """Connects to a Chroma server.

        Raises:
            StoreError: No server answers there.
        """
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 8000)
        try:
            client = chromadb.HttpClient(
                host=parts.hostname or "localhost", port=port, ssl=parts.scheme == "https", settings=_settings()
            )
        except (ValueError, OSError, ChromaError) as error:
            raise StoreError(
                f"{url}: no Chroma server answers ({_first_line(error)}); start one with: chroma run --port {port}"
            ) from None
        return cls(client, name, url)

    @classmethod
    def memory(cls, name: str) -> VectorStore:
        """Makes a store that lives no longer than the process."""
        return cls(chromadb.EphemeralClient(settings=_settings()), name, "memory", _temporary=True)

    def write(self, rows: Sequence[Row], vectors: Vectors, listener: Listener) -> None:
        """Writes everything into a new collection."""
        with _damage_noticed(self._where):
            self._collection = self._client.create_collection(
                self._name,
                embedding_function=None,
                configuration=_COLLECTION,  # type: ignore[arg-type]
            )
            store = ChromaVectorStore(chroma_collection=self._collection)
            for first in range(0, len(rows), ROWS_PER_WRITE):
                batch = range(first, min(first + ROWS_PER_WRITE, len(rows)))
                store.add([_node(rows[position], vectors[position]) for position in batch])
                listener.progress("storing vectors", batch.stop, len(rows))

    def open(self, count: int) -> None:
        """Makes an existing collection ready to be read.

        Raises:
            StoreDamaged: There is no such collection, or it does not have `count` rows.
        """
        with _damage_noticed(self._where):
            self._collection = self._client.get_collection(self._name, embedding_function=None)
            found = self._collection.count()
        if found != count:
            raise StoreDamaged(f"the store returned {found} vectors where {count} were written")

    def read(self, ids: Sequence[str]) -> Vectors:
        """Returns the vectors of the given rows, in that order.

        Raises:
            StoreDamaged: A row is missing.
        """
        assert self._collection is not None  # write or open comes first
        found: dict[str, Any] = {}
        with _damage_noticed(self._where):
            for first in range(0, len(ids), ROWS_PER_READ):
                # Only the vectors are wanted; the rest is read because a search reads it, so that damage to it shows here.
                answer = self._collection.get(
                    ids=list(ids[first : first + ROWS_PER_READ]), include=["embeddings", "metadatas", "documents"]
                )
                embeddings = answer["embeddings"]
                assert embeddings is not None  # they were asked for
                found.update(zip(answer["ids"], embeddings, strict=True))
        if len(found) != len(ids):
            raise StoreDamaged(f"the store returned {len(found)} of {len(ids)} vectors")
        return np.array([found[row_id] for row_id in ids], dtype=np.float32)

    def search(self, vector: Vectors, limit: int) -> list[str]:
        """Returns the ids of the rows nearest to a vector by cosine, nearest first."""
        assert self._collection is not None  # write or open comes first
        query = VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=limit)
        with _damage_noticed(self._where):
            result = ChromaVectorStore(chroma_collection=self._collection).query(query)
        return list(result.ids or [])

    def drop(self) -> None:
        """Deletes the collection if it is there."""
        with _damage_noticed(self._where):
            if self._name in {collection.name for collection in self._client.list_collections()}:
                self._client.delete_collection(self._name)
        self._collection = None

    def close(self) -> None:
        """Lets go of Chroma's files; what is in memory is gone."""
        if self._temporary:
            self.drop()
        self._collection = None
        self._client.close()  # type: ignore[attr-defined]  # on the concrete clients, not on their interface


def checksum(vector: Vectors) -> int:
    """Returns a vector's CRC-32, by which a changed one is noticed."""
    return zlib.crc32(np.ascontiguousarray(vector, dtype=np.float32).tobytes())


def file_checksums(folder: Path) -> dict[str, str]:
    """Returns the sha256 of each file that Chroma leaves alone once it is written: those of complete HNSW segments.

    The others are chroma.sqlite3, which Chroma touches whenever it opens it, and files of segments too small to have been
    saved, whose content Chroma does not read.
    """
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for saved in sorted(folder.glob("*/index_metadata.pickle"))
        for path in sorted(saved.parent.iterdir())
    }


def _settings() -> Settings:
    return Settings(anonymized_telemetry=False)


def _node(row: Row, vector: Vectors) -> TextNode:
    return TextNode(
        id_=row.id,
        text=row.text,
        start_char_idx=row.start,
        end_char_idx=row.end,
        metadata={"heading": row.heading} if row.heading else {},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=row.document_id)},
        embedding=vector.tolist(),
    )


@contextmanager
def _damage_noticed(what: str) -> Iterator[None]:
    """Turns what Chroma raises over damaged files into StoreDamaged."""
    try:
        yield
    except StoreError:
        raise
    except httpx.TransportError as error:
        raise StoreError(f"{what}: the Chroma server no longer answers ({_first_line(error)}); start it again") from error
    except (ChromaError, ValueError, KeyError, TypeError, OSError, AttributeError) as error:
        # AttributeError: Chroma's clean-up stumbles over what its failed start never made.
        raise StoreDamaged(f"{what}: Chroma cannot read or write it ({_first_line(error)})") from error
    except BaseException as error:
        # A panic in Chroma's Rust code arrives as a BaseException of a class that cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise StoreDamaged(f"{what}: Chroma failed inside ({_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200] or type(error).__name__
