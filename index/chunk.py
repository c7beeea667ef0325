"""Sentences into passages, as a LlamaIndex node parser.

A passage is as many whole sentences as the embedding model reads at once: MiniLM reads 256 tokens and drops the rest without
a word, so the usual 1,024-token chunk loses three quarters of its text. Neighbours share one sentence; none crosses a
heading. Offsets are carried from the sentences, never searched for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llama_index.core.node_parser import NodeParser
from llama_index.core.schema import BaseNode, MetadataMode, NodeRelationship, TextNode
from llama_index.core.schema import Document as LlamaDocument
from pydantic import Field

from index.sentences import Outline, outline
from index.types import Document, Passage, Sentence

__all__ = ["VERSION", "Layout", "PassageParser", "pack", "passage_of"]

VERSION = "1"
"""Part of an index's fingerprint: raise it when the same sentences may be packed differently."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A document's outline and the passages it is packed into."""

    outline: Outline
    passages: tuple[Passage, ...]


class PassageParser(NodeParser):
    """Cuts documents into passages; usable in any LlamaIndex pipeline."""

    max_tokens: int = Field(gt=0)
    """The most tokens a passage may have, special tokens not counted."""
    count_tokens: Callable[[list[str]], list[int]] = Field(exclude=True)
    """Counts each string's tokens, without special tokens and without a limit."""

    def parse(self, document: Document, progress: Callable[[int], None] | None = None) -> Layout:
        """Returns the document's sentences and passages; `progress` is told how many characters are done."""
        cut = outline(document.text, document.id, fits=self._fits, progress=progress)
        texts = [document.text[sentence.start : sentence.end] for sentence in cut.sentences]
        return Layout(cut, tuple(pack(document, cut, self.count_tokens(texts), self.max_tokens)))

    def _fits(self, texts: list[str]) -> list[bool]:
        return [tokens <= self.max_tokens for tokens in self.count_tokens(texts)]

    def _parse_nodes(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> list[BaseNode]:
        parsed: list[BaseNode] = []
        for node in nodes:
            text = node.get_content(metadata_mode=MetadataMode.NONE)
            document = Document(id=node.node_id, title=str(node.metadata.get("title", "")), source="", text=text)
            parsed += [
                TextNode(
                    id_=passage.id,
                    text=passage.text,
                    start_char_idx=passage.start,
                    end_char_idx=passage.end,
                    metadata={"heading": passage.heading} if passage.heading else {},
                    relationships={NodeRelationship.SOURCE: node.as_related_node_info()},
                )
                for passage in self.parse(document).passages
            ]
        return parsed

    def _postprocess_parsed_nodes(self, nodes: list[BaseNode], parent_doc_map: dict[str, LlamaDocument]) -> list[BaseNode]:
        """Keeps the offsets: LlamaIndex would search for each text, and find an earlier one that reads the same."""
        spans = [(node.start_char_idx, node.end_char_idx) for node in nodes if isinstance(node, TextNode)]
        nodes = super()._postprocess_parsed_nodes(nodes, parent_doc_map)
        for node, span in zip(nodes, spans, strict=True):
            assert isinstance(node, TextNode)  # _parse_nodes makes no others
            node.start_char_idx, node.end_char_idx = span
        return nodes


def pack(document: Document, cut: Outline, token_counts: Sequence[int], max_tokens: int) -> list[Passage]:
    """Packs sentences into passages.

    Args:
        document: The sentences' document.
        cut: Its outline.
        token_counts: Tokens of each sentence; one with more than `max_tokens` becomes a passage of its own.
        max_tokens: The most tokens a passage may have.
    """
    sentences = cut.sentences
    sections = [cut.section(sentence) for sentence in sentences]

    def goes_on(last: int, tokens: int) -> bool:
        """Says whether a passage of so many tokens that ends with `last` may take the sentence after it."""
        return (
            last + 1 < len(sentences)
            and tokens + token_counts[last + 1] <= max_tokens
            and sections[last + 1] == sections[last]
            and not _inside_word(document.text, sentences[last].end, sentences[last + 1].start)
        )

    passages: list[Passage] = []
    first = 0
    while first < len(sentences):
        last, tokens = first, token_counts[first]
        while goes_on(last, tokens):
            last += 1
            tokens += token_counts[last]
        passages.append(passage_of(document, sentences, first, last))
        first = last if last > first and goes_on(last, token_counts[last]) else last + 1
    return passages


def passage_of(document: Document, sentences: Sequence[Sentence], first: int, last: int, page: int | None = None) -> Passage:
    """Returns the passage from one of a document's sentences to another, both included."""
    start, end = sentences[first].start, sentences[last].end
    return Passage(
        id=f"{document.id}:{first}-{last}",
        document_id=document.id,
        start=start,
        end=end,
        text=document.text[start:end],
        first_sentence=first,
        last_sentence=last,
        heading=sentences[first].heading,
        page=page,
    )


def _inside_word(text: str, end: int, start: int) -> bool:
    """Says whether a sentence was cut inside a word: joined again, its parts may have more tokens than they have alone."""
    return start == end and not any(unicodedata.category(character).startswith("P") for character in text[end - 1 : end + 1])
