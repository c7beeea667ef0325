"""The evidence reader's network: MiniLM reading a question and the sentences of a passage together, through gates.

MiniLM was trained to compare sentences, each read by itself. Here the question and each sentence are segments of one input,
each with its own [CLS] and [SEP] and its own positions from 0, so that with the segments kept apart the network computes
exactly MiniLM's similarities. What one segment may see of another is gated: in each attention head of each layer, a token's own
segment has a head start of `own` over other segments (added to the attention logits), to which are added `beside` for the
neighbouring sentences, `to_question` for sentences looking at the question and `from_question` for the question looking
at sentences. These are learnt. Training thus begins from what MiniLM knows and opens to reading what pays; a cross-encoder that
begins with everything open forgets the similarities first (recall among three fell from 0.79 to 0.75 where this rose to 0.82).

The gates are extra dimensions of queries and keys, so that no matrix of biases is ever built.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from index.minilm import model_folder

__all__ = ["HEAD_START", "Batch", "EvidenceNetwork", "GatedLayer", "Scores"]

HEADS, WIDTH, LAYERS = 12, 384, 6
MAX_POSITIONS = 256
FAR_BELOW = -1e4
"""A logit that counts as nothing, also in 16 bits."""
HEAD_START = 4.0
"""Of a token's own segment at the beginning of training: of 250 other tokens each counts e^-4, 4.6 tokens in all. That costs
the prior next to nothing. With 0 the network starts as a cross-encoder, with 30 it is and stays a bi-encoder."""


class GatedLayer(nn.Module):
    """A layer of BERT with gated attention; post-normalised, as BERT's are."""

    def __init__(self, head_start: float) -> None:
        super().__init__()
        self.attention_in = nn.Linear(WIDTH, 3 * WIDTH)
        self.attention_out = nn.Linear(WIDTH, WIDTH)
        self.attention_norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.own = nn.Parameter(torch.full((HEADS,), head_start))
        self.beside = nn.Parameter(torch.zeros(HEADS))
        self.to_question = nn.Parameter(torch.zeros(HEADS))
        self.from_question = nn.Parameter(torch.zeros(HEADS))

    def forward(self, states: Tensor, own: Tensor, beside: Tensor, question: Tensor, padding: Tensor) -> Tensor:
        """Returns new states.

        Args:
            states: (batch, tokens, 384).
            own: (batch, tokens, segments), 1 at each token's segment.
            beside: Likewise, 1 at the sentences before and after a token's sentence.
            question: (batch, tokens, 1), 1 for the question's tokens.
            padding: (batch, 1, 1, tokens), 0 for tokens and a large negative number for padding.
        """
        tokens = states.shape[1]
        size = WIDTH // HEADS
        # The batch size is left to be inferred: an exported graph must work for any.
        query, key, value = self.attention_in(states).reshape(-1, tokens, 3, HEADS, size).permute(2, 0, 3, 1, 4)
        scale = math.sqrt(size)

        def gate(of_heads: Tensor) -> Tensor:
            return (of_heads * scale).reshape(1, HEADS, 1, 1)

        passage = 1 - question
        gates = torch.cat(
            [
                gate(self.own) * own.unsqueeze(1) + gate(self.beside) * beside.unsqueeze(1),
                gate(self.from_question) * question.unsqueeze(1),
                gate(self.to_question) * passage.unsqueeze(1),
            ],
            dim=-1,
        )
        places = torch.cat([own, passage, question], dim=-1).unsqueeze(1).expand(-1, HEADS, -1, -1)
        query = torch.cat([query, gates.to(query.dtype)], dim=-1)
        key = torch.cat([key, places.to(key.dtype)], dim=-1)
        weights = torch.softmax(query @ key.transpose(-1, -2) / scale + padding.to(query.dtype), dim=-1)
        seen = (weights @ value).transpose(1, 2).reshape(-1, tokens, WIDTH)
        states = self.attention_norm(states + self.attention_out(seen))
        normed: Tensor = self.norm(states + self.down(functional.gelu(self.up(states))))
        return normed


class Batch(NamedTuple):
    """Windows as the network reads them; made by `qa.windows`."""

    token_ids: Tensor
    """(batch, tokens), integers."""
    segments: Tensor
    """(batch, tokens): 0 for the question's tokens, n for those of the window's nth sentence, -1 for padding."""
    positions: Tensor
    """(batch, tokens): each token's place in its segment, from 0."""
    lexical: Tensor
    """(batch, sentences): the sentence's saturated BM25 score for the question, 0..1."""


class Scores(NamedTuple):
    """What the network says of windows; logits all."""

    evidence: Tensor
    """(batch, sentences): that a sentence belongs to the answer, given that the window answers; very low for padding."""
    answered: Tensor
    """(batch,): that the window answers the question."""
    starts: Tensor
    """(batch, tokens): that the short answer begins with this token."""
    ends: Tensor
    """(batch, tokens): that it ends with this token."""


class EvidenceNetwork(nn.Module):
    """Reads a question and a window of sentences into scores."""

    def __init__(self, head_start: float = HEAD_START) -> None:
        """Takes MiniLM's weights, and how far each token's own segment is ahead of others at the beginning."""
        super().__init__()
        weights = {name: value.float() for name, value in load_file(model_folder() / "model.safetensors").items()}
        self.words = _embedding(weights["embeddings.word_embeddings.weight"])
        self.words.requires_grad_(False)
        self.positions = _embedding(weights["embeddings.position_embeddings.weight"][:MAX_POSITIONS])
        # What BERT adds to each token of a first sentence; what tells a question's tokens from a passage's is learnt.
        self.kinds = nn.Parameter(weights["embeddings.token_type_embeddings.weight"][:1].repeat(2, 1))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        _fill(self.norm, weights, "embeddings.LayerNorm")
        self.layers = nn.ModuleList(_layer(weights, f"encoder.layer.{number}", head_start) for number in range(LAYERS))
        # A linear layer of zeros at the end of each: at first, only the similarities count.
        self.evidence = nn.Sequential(nn.Linear(4 * WIDTH, WIDTH), nn.GELU(), _zeros(nn.Linear(WIDTH, 1)))
        self.answered = nn.Sequential(nn.Linear(3 * WIDTH, WIDTH), nn.GELU(), _zeros(nn.Linear(WIDTH, 1)))
        self.answer_ends = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, 2))
        self.cosine_scale = nn.Parameter(torch.tensor(14.0))
        self.before_scale = nn.Parameter(torch.tensor(3.0))
        self.lexical_scale = nn.Parameter(torch.tensor(3.0))
        self.offset = nn.Parameter(torch.tensor(-6.0))
        self.best_scale = nn.Parameter(torch.tensor(0.3))

    def forward(self, token_ids: Tensor, segments: Tensor, positions: Tensor, lexical: Tensor) -> Scores:
        """Scores a batch of windows; the arguments are those of Batch."""
        count = lexical.shape[1] + 1
        own = (segments.unsqueeze(-1) == torch.arange(count, device=segments.device)).to(self.kinds.dtype)
        sentences = own[:, :, 1:]
        none = torch.zeros_like(own[:, :, :1])
        beside = torch.cat([none, sentences[:, :, 1:], none], -1) + torch.cat([none, none, sentences[:, :, :-1]], -1)
        question = own[:, :, :1]
        padding = torch.where(segments < 0, FAR_BELOW, 0.0)[:, None, None, :]
        states = self.norm(self.words(token_ids) + self.positions(positions) + self.kinds[(segments > 0).long()])
        for layer in self.layers:
            states = layer(states, own, beside, question, padding)
        states = states.float()
        # MiniLM's sentence vector is the mean over a text's tokens, the special ones included.
        vectors = own.transpose(1, 2) @ states / own.sum(1).clamp(min=1).unsqueeze(-1)
        asked, read = vectors[:, :1].expand(-1, count - 1, -1), vectors[:, 1:]
        first = states[:, :1]
        similarity = functional.cosine_similarity(read, asked, dim=-1)
        evidence = (
            self.evidence(torch.cat([read, read * asked, asked, first.expand(-1, count - 1, -1)], -1)).squeeze(-1)
            + self.cosine_scale * similarity
            # A sentence often leans on the one before it.
            + self.before_scale * torch.cat([similarity[:, :1], similarity[:, :-1]], -1)
            + self.lexical_scale * lexical
            + self.offset
        )
        evidence = torch.where(sentences.sum(1) > 0, evidence, FAR_BELOW)
        best = (torch.softmax(evidence, -1).unsqueeze(1) @ read).squeeze(1)
        answered = self.answered(torch.cat([first.squeeze(1), best, best * vectors[:, 0]], -1)).squeeze(-1)
        # What a token means beside what is asked for: a year, where the question says 'when'.
        ends = self.answer_ends(torch.cat([states, states * vectors[:, :1]], -1))
        ends = torch.where((segments > 0).unsqueeze(-1), ends, FAR_BELOW)
        return Scores(evidence, answered + self.best_scale * evidence.amax(-1), ends[..., 0], ends[..., 1])


def _layer(weights: dict[str, Tensor], name: str, head_start: float) -> GatedLayer:
    layer = GatedLayer(head_start)
    parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    layer.attention_in.weight.data.copy_(torch.cat([weights[f"{part}.weight"] for part in parts]))
    layer.attention_in.bias.data.copy_(torch.cat([weights[f"{part}.bias"] for part in parts]))
    _fill(layer.attention_out, weights, f"{name}.attention.output.dense")
    _fill(layer.attention_norm, weights, f"{name}.attention.output.LayerNorm")
    _fill(layer.up, weights, f"{name}.intermediate.dense")
    _fill(layer.down, weights, f"{name}.output.dense")
    _fill(layer.norm, weights, f"{name}.output.LayerNorm")
    return layer


def _fill(module: nn.Linear | nn.LayerNorm, weights: dict[str, Tensor], name: str) -> None:
    module.weight.data.copy_(weights[f"{name}.weight"])
    module.bias.data.copy_(weights[f"{name}.bias"])


def _embedding(weights: Tensor) -> nn.Embedding:
    embedding = nn.Embedding(*weights.shape)
    embedding.weight.data.copy_(weights)
    return embedding


def _zeros(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
