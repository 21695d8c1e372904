"""What the scripts share that write the tiny networks of the tests (make-test-models*.py).

Needs numpy and onnx (1.23.2 wrote the committed files). The same versions give the same bytes.
"""
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "testdata" / "models"
FLOAT, HALF, BFLOAT, BYTE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.UINT8
INT, LONG, BOOL = TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL
# Any number of colour pictures of any size.
PICTURES = ("pictures", FLOAT, ["N", 3, "H", "W"])


def constant(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.array(values, dtype=dtype), name)


def node(op, inputs, outputs, name="", **attributes):
    """An operator; `inputs` and `outputs` are names with a space between them, "-" a name that is left out."""
    names = [["" if other == "-" else other for other in text.split(" ")] for text in (inputs, outputs)]
    return helper.make_node(op, *names, name=name, **attributes)


def network(name, nodes, inputs, outputs, initializers=(), opset=13, ir=8, domains=(), check=True):
    """A model; `inputs` and `outputs` are (name, kind, axes), or what ONNX makes of that."""
    infos = [[helper.make_tensor_value_info(*i) if isinstance(i, tuple) else i for i in l] for l in (inputs, outputs)]
    graph = helper.make_graph(nodes, name, *infos, list(initializers))
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(domain, 1) for domain in domains]
    model = helper.make_model(graph, producer_name="catsel", ir_version=ir, opset_imports=opsets)
    if check:
        onnx.checker.check_model(model)
    return model


def save(file, model):
    """Writes a model to `file`.onnx in the folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{file}.onnx").write_bytes(model.SerializeToString(deterministic=True))
