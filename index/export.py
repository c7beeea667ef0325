"""The packaged MiniLM as an ONNX graph, made once and kept in the user's cache.

Run as `python -m index.export FILE` in a process of its own, because torch takes seconds to import and hundreds of
megabytes that answering does not need.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from index.errors import ModelError
from index.minilm import model_folder

__all__ = ["export"]

SAME_VECTOR = 0.9999
"""The least cosine between a vector of the graph and the same vector of torch."""


def export(path: Path) -> None:
    """Writes the graph: token ids and mask in, sentence vectors out."""
    import onnxruntime
    import torch
    from transformers import AutoModel

    class SentenceEncoder(torch.nn.Module):
        """MiniLM with its pooling, as sentence-transformers applies it: masked mean, then length 1."""

        def __init__(self) -> None:
            super().__init__()
            # Written-out attention is faster in ONNX Runtime than the traced form of torch's fused attention.
            self.model = AutoModel.from_pretrained(model_folder(), attn_implementation="eager", local_files_only=True)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            tokens = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(tokens.dtype)
            mean = (tokens * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            unit: torch.Tensor = torch.nn.functional.normalize(mean)
            return unit

    model = SentenceEncoder().eval()
    # Two tensors: the exporter takes one that is given twice for a single input.
    token_ids, mask = torch.full((2, 16), 2000), torch.ones((2, 16), dtype=torch.int64)
    mask[1, 9:] = 0
    shape = {0: torch.export.Dim("batch", min=1, max=1024), 1: torch.export.Dim("tokens", min=2, max=512)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notes by the exporter about its own future
        program = torch.onnx.export(
            model,
            (token_ids, mask),
            input_names=["input_ids", "attention_mask"],
            output_names=["sentence_embedding"],
            dynamic_shapes=(shape, shape),
            dynamo=True,
            verbose=False,
        )
        assert program is not None  # it is None only where a file name is given
        program.save(path)
    with torch.no_grad():
        expected = model(token_ids[:, :12], mask[:, :12]).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {"input_ids": token_ids[:, :12].numpy(), "attention_mask": mask[:, :12].numpy()}
    (found,) = session.run(["sentence_embedding"], inputs)
    if (found * expected).sum(axis=1).min() < SAME_VECTOR:
        raise ModelError("the exported graph does not compute what the model computes; report this with your torch version")


if __name__ == "__main__":
    export(Path(sys.argv[1]))
