"""The evidence reader's network on ONNX Runtime.

`python -m evals.training` makes its two files: `evidence.onnx`, the network, and `evidence.json`, its checksum, what it was
made from, and the numbers that turn its logits into probabilities.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from index.errors import ModelError
from index.minilm import load_tokenizer
from qa.windows import Window, pack_windows

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["CARD", "MODEL", "EvidenceModel", "Numbers", "WindowScores", "packaged_file", "packaged_model", "session_options"]

MODEL, CARD = "evidence.onnx", "evidence.json"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What turns signals into probabilities and choices; fitted on dev questions by `evals.training`."""

    embedding_model: str
    """The fingerprint of the model whose similarities they were fitted for."""
    evidence_slope: float
    similarity_slope: float
    before_slope: float
    lexical_slope: float
    evidence_offset: float
    """A sentence's score is the logistic function of the four signals, each times its slope, and the offset."""
    answered_slope: float
    best_slope: float
    answered_offset: float
    """The probability that a question is answered, likewise, from the windows' highest logit of being answered and the
    best sentence's combined signals."""
    answered_threshold: float
    evidence_threshold: float
    short_answer_threshold: float
    """The least probability at which a span is taken for the short answer."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowScores:
    """What the network says of one window; logits."""

    evidence: Floats
    """Of each sentence."""
    answered: float
    starts: Floats
    ends: Floats
    """Of each token of the window's sequence."""


class EvidenceModel:
    """The network on ONNX Runtime; it may be shared by readers and threads."""

    def __init__(self, data: bytes, numbers: Numbers) -> None:
        """Takes the content of a model file, and the numbers that belong to it."""
        import onnxruntime

        self.numbers = numbers
        self.sha256 = hashlib.sha256(data).hexdigest()
        """Of the model file."""
        self.tokenizer = load_tokenizer()
        self._session = onnxruntime.InferenceSession(data, session_options(), providers=["CPUExecutionProvider"])

    @classmethod
    def load(cls, model: Path) -> EvidenceModel:
        """Loads a network's file, and the numbers in `evidence.json` beside it.

        Raises:
            ModelError: A file is missing or damaged; it is named.
        """
        card = model.with_name(CARD)
        data, written = _read(model), _read(card)
        try:
            stored = json.loads(written)
            wanted, numbers = stored["sha256"], Numbers(**stored["numbers"])
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{card}: the evidence reader's numbers are damaged ({error}); reinstall the package") from None
        found = hashlib.sha256(data).hexdigest()
        if found != wanted:
            raise ModelError(f"{model}: the evidence reader is damaged (sha256 {found}, not {wanted}); reinstall the package")
        return cls(data, numbers)

    def read(self, window: Window) -> WindowScores:
        """Scores one window."""
        names = ("token_ids", "segments", "positions", "lexical")
        evidence, answered, starts, ends = self._session.run(
            ["evidence", "answered", "starts", "ends"], dict(zip(names, pack_windows([window]), strict=True))
        )
        return WindowScores(evidence[0], float(answered[0]), starts[0], ends[0])


@cache
def packaged_model() -> EvidenceModel:
    """Returns the network that comes with the package, loaded once.

    Raises:
        ModelError: A file is missing or damaged; it is named.
    """
    return EvidenceModel.load(packaged_file())


def packaged_file() -> Path:
    """Returns where the network that comes with the package lies."""
    return Path(str(resources.files("qa").joinpath(MODEL)))


def session_options() -> onnxruntime.SessionOptions:
    """Returns how the network is run: on all cores that the process may use, quietly."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return options


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the evidence reader cannot be read ({error.strerror}); reinstall the package") from None
