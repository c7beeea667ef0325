"""A trained network as the model file that answers are made with: an ONNX graph whose weights are 8-bit numbers.

Each matrix is stored as signed 8-bit numbers with one scale for each output (each word, for the word vectors), and made
32-bit again when the file is loaded, so that the arithmetic is the network's own and only the rounding of weights is lost.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch

from evals.training.network import FAR_BELOW, Batch, EvidenceNetwork, Scores
from index.errors import ModelError
from qa.model import session_options
from qa.windows import Window, pack_windows

if TYPE_CHECKING:
    import onnx

__all__ = ["export"]

SMALLEST = 10_000
"""Numbers in a matrix that is worth storing in 8 bits."""
SAME = 0.5
"""The most that a logit of the graph may differ from the network's."""


def export(network: EvidenceNetwork) -> bytes:
    """Returns the content of the model file.

    Raises:
        ModelError: The graph does not compute what the network computes.
    """
    import onnxruntime

    network = network.eval()
    question, short, long = [2040, 3000, 2001], [1996, 2154, 2003], list(range(3000, 3012))
    windows = [Window(question, [short, long, short], [0.1, 0.4, 0.2]), Window(question[:2], [long], [0.0])]
    inputs = Batch(*map(torch.from_numpy, pack_windows(windows)))
    batch, tokens, sentences = (torch.export.Dim(name, min=1, max=4096) for name in ("batch", "tokens", "sentences"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notes by the exporter about its own future
        program = torch.onnx.export(
            network,
            tuple(inputs),
            input_names=list(Batch._fields),
            output_names=list(Scores._fields),
            dynamic_shapes=({0: batch, 1: tokens},) * 3 + ({0: batch, 1: sentences},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # it is None only where a file name is given
    data: bytes = _in_8_bits(program.model_proto).SerializeToString()
    with torch.no_grad():
        expected = network(*inputs)
    session = onnxruntime.InferenceSession(data, session_options(), providers=["CPUExecutionProvider"])
    found = session.run(None, {name: value.numpy() for name, value in zip(Batch._fields, inputs, strict=True)})
    for name, logits, wanted in zip(Scores._fields, found, expected, strict=True):
        difference = float(np.abs(logits - wanted.numpy())[wanted.numpy() > FAR_BELOW / 2].max())
        if difference > SAME:
            raise ModelError(f"the graph's {name} is off by {difference:.2f}; report this with your torch version")
    return data


def _in_8_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replaces each large matrix by 8-bit numbers and scales, and a node that makes 32-bit numbers of them."""
    import onnx
    from onnx import helper, numpy_helper

    readers = {name: node for node in model.graph.node for name in node.input}
    nodes, kept = [], []
    for matrix in model.graph.initializer:
        values = numpy_helper.to_array(matrix)
        if values.ndim != 2 or values.size < SMALLEST or values.dtype != np.float32:
            kept.append(matrix)
            continue
        # Word vectors are rows; of a matrix that is multiplied with, each column makes an output.
        axis = 0 if readers[matrix.name].op_type == "Gather" else 1
        scale = np.abs(values).max(axis=1 - axis) / 127
        scale = np.where(scale == 0, 1, scale).astype(np.float32)
        rounded = np.rint(values / np.expand_dims(scale, 1 - axis)).astype(np.int8)
        kept.append(numpy_helper.from_array(rounded, f"{matrix.name}.int8"))
        kept.append(numpy_helper.from_array(scale, f"{matrix.name}.scale"))
        inputs = [f"{matrix.name}.int8", f"{matrix.name}.scale"]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [matrix.name], axis=axis))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    del model.graph.value_info[:]
    # The exporter notes the source files' places on the machine that it ran on.
    for part in (model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.checker.check_model(model)
    return model
