"""A text in chunks of 256 tokens, as LlamaIndex cuts it when it is told what the model reads."""

from __future__ import annotations

__all__ = ["chunks"]


def chunks(text: str) -> list[str]:
    """Returns chunks of at most 254 of the model's tokens, two places being kept for its special ones, without overlap."""
    from llama_index.core.node_parser import SentenceSplitter
    from tokenizers import Tokenizer

    from index.minilm import model_folder

    tokenizer = Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    splitter = SentenceSplitter(
        chunk_size=254, chunk_overlap=0, tokenizer=lambda piece: tokenizer.encode(piece, add_special_tokens=False).ids
    )
    return splitter.split_text(text)
