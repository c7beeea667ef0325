"""Where sentences and passages stand, in a file: so that opening an index cuts nothing again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from index.chunk import Layout, passage_of
from index.sentences import Heading, Outline
from index.types import Document, Sentence

__all__ = ["dump_layouts", "load_layouts"]


def dump_layouts(path: Path, layouts: Mapping[str, Layout], checksums: Sequence[int]) -> None:
    """Writes where sentences and passages stand, and the vectors' checksums.

    Raises:
        OSError: The file cannot be written.
    """
    content: dict[str, Any] = {"checksums": list(checksums), "documents": {}}
    for document_id, layout in layouts.items():
        content["documents"][document_id] = {
            "headings": [[heading.start, heading.end, heading.text] for heading in layout.outline.headings],
            "sentences": [[s.start, s.end, s.paragraph, s.heading] for s in layout.outline.sentences],
            "passages": [[p.first_sentence, p.last_sentence, p.page] for p in layout.passages],
        }
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def load_layouts(path: Path, documents: Sequence[Document]) -> tuple[dict[str, Layout], list[int]]:
    """Reads what `dump_layouts` wrote; the caller has checked the file's checksum.

    Raises:
        OSError: The file cannot be read.
        KeyError: A document is not in it.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    return {document.id: _layout(document, content["documents"][document.id]) for document in documents}, content["checksums"]


def _layout(document: Document, stored: dict[str, Any]) -> Layout:
    sentences = tuple(Sentence(document.id, ordinal, *fields) for ordinal, fields in enumerate(stored["sentences"]))
    headings = tuple(Heading(*fields) for fields in stored["headings"])
    passages = tuple(passage_of(document, sentences, first, last, page) for first, last, page in stored["passages"])
    return Layout(Outline(headings, sentences), passages)
