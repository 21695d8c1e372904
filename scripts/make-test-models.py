#!/usr/bin/env python3
"""Write the tiny networks that the tests of ann-acts run: testdata/models/*.onnx.

Needs numpy and onnx (1.23.2 wrote the committed files). The same versions give the same bytes.
Every weight is a round number, so that expected activations can be worked out by hand.

    python3 scripts/make-test-models.py [FOLDER]
"""
import numpy as np
from onnx import TensorProto

from test_model import BYTE, FLOAT, FOLDER, HALF, PICTURES, constant, network, node
from test_model import save as save_model


def save(name, nodes, inputs, outputs, initializers=()):
    save_model(name, network(name, nodes, inputs, outputs, initializers))


def tiny():
    """Any batch, any size. conv: R - G and B - 1; relu; pool: their means; logits: sum and difference of pool."""
    save(
        "tiny",
        [
            node("Conv", "pictures weight bias", "conv", name="/features/conv/Conv"),
            node("Relu", "conv", "relu", name="/features/relu/Relu"),
            node("GlobalAveragePool", "relu", "average"),
            node("Flatten", "average", "pool"),
            node("MatMul", "pool head", "logits"),
        ],
        [("pictures", FLOAT, ["N", 3, "H", "W"])],
        [("logits", FLOAT, ["N", 2])],
        [
            constant("weight", np.reshape([1, -1, 0, 0, 0, 1], (2, 3, 1, 1))),
            constant("bias", [0, -1]),
            constant("head", [[1, 1], [1, -1]]),
        ],
    )


def per_picture_mean(name, element, shape, axes, batch_out):
    """mean: mean over rows and columns of each colour."""
    nodes, source = [], "pictures"
    if element == BYTE:
        nodes.append(node("Cast", "pictures", "numbers", to=FLOAT))
        source = "numbers"
    out = FLOAT if element == BYTE else element
    nodes.append(node("ReduceMean", source, "mean", axes=axes, keepdims=0))
    save(name, nodes, [("pictures", element, shape)], [("mean", out, [batch_out, 3])])


def grey():
    """Networks of one channel, its axis second or last: mean over rows and columns."""
    for name, shape, axes in [("grey", ["N", 1, "H", "W"], [2, 3]), ("grey-nhwc", ["N", "H", "W", 1], [1, 2])]:
        nodes = [node("ReduceMean", "pictures", "mean", axes=axes, keepdims=0)]
        save(name, nodes, [("pictures", FLOAT, shape)], [("mean", FLOAT, ["N", 1])])


def tokens():
    """As some exporters write attention: colours first, pictures second, and a batch axis without a name."""
    save(
        "tokens",
        [
            node("ReduceMean", "pictures", "mean", axes=[3], keepdims=0),
            node("Transpose", "mean", "tokens", perm=[1, 0, 2]),
            node("Shape", "pictures", "shape"),
            node("ReduceMean", "tokens", "over_pictures", axes=[1], keepdims=0),
        ],
        [("pictures", FLOAT, [None, 3, 2, 2])],
        [("tokens", FLOAT, [3, None, 2])],
    )


def nan():
    """ratio: each colour's mean divided by itself; 0/0 where a colour is black."""
    save(
        "nan",
        [
            node("ReduceMean", "pictures", "mean", axes=[2, 3], keepdims=0),
            node("Div", "mean mean", "ratio"),
        ],
        [("pictures", FLOAT, ["N", 3, "H", "W"])],
        [("ratio", FLOAT, ["N", 3])],
    )


def two_inputs():
    """A network that wants more than a picture."""
    save(
        "two-inputs",
        [node("Add", "pictures other", "sum")],
        [("pictures", FLOAT, ["N", 3, 2, 2]), ("other", FLOAT, ["N", 3, 2, 2])],
        [("sum", FLOAT, ["N", 3, 2, 2])],
    )


def external():
    """scaled: the pictures times 2, 3 and 4 per colour; the factors lie in external.weights."""
    factors = np.array([2, 3, 4], dtype="<f4").reshape(1, 3, 1, 1)
    (FOLDER / "external.weights").write_bytes(factors.tobytes())
    tensor = TensorProto(name="factors", data_type=FLOAT, dims=factors.shape, data_location=TensorProto.EXTERNAL)
    for key, value in [("location", "external.weights"), ("offset", "0"), ("length", "12")]:
        tensor.external_data.add(key=key, value=value)
    scaled = [node("Mul", "pictures factors", "scaled")]
    outputs = [("scaled", FLOAT, ["N", 3, "H", "W"])]
    save_model("external", network("external", scaled, [PICTURES], outputs, [tensor], check=False))


def main():
    tiny()
    per_picture_mean("nhwc", FLOAT, ["N", "H", "W", 3], [1, 2], "N")
    per_picture_mean("pairs", FLOAT, [2, 3, 2, 2], [2, 3], 2)
    per_picture_mean("single", FLOAT, [1, 3, 2, 2], [2, 3], 1)
    per_picture_mean("bytes", BYTE, ["N", 3, 2, 2], [2, 3], "N")
    per_picture_mean("half", HALF, ["N", 3, 2, 2], [2, 3], "N")
    grey()
    tokens()
    nan()
    two_inputs()
    external()


if __name__ == "__main__":
    main()
