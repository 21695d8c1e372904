#!/usr/bin/env python3
"""Write the tiny transformers and maps that tests/ann_acts/units.rs runs, and what NumPy makes of them.

Needs numpy and onnx (1.23.2 wrote the committed files). The networks go to testdata/models, the values that a second
implementation of them in NumPy (in f8) works out to testdata/models/vit-activations.json.

    python3 scripts/make-test-models-units.py [FOLDER]
"""
import json

import numpy as np
from onnx import helper, numpy_helper

import test_model
from test_model import FLOAT, FOLDER, network

WIDTH, HEADS, PATCH, MAP = 6, 2, 2, (2, 3)  # a map that is not square


class Network:
    """An ONNX graph that grows node by node, and its values for the two test pictures, side by side."""

    def __init__(self, pictures):
        self.nodes, self.weights, self.values, self.n = [], [], {"pictures": pictures}, 0

    def weight(self, values, dtype=np.float32):
        self.n += 1
        name = f"w{self.n}"
        values = np.asarray(values, dtype=dtype)
        self.weights.append(numpy_helper.from_array(values, name))
        self.values[name] = values.astype(np.float64) if dtype == np.float32 else values
        return name

    def add(self, op, inputs, output, value, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        self.values[output] = value(*[self.values[name] for name in inputs])
        return output

    def save(self, name, outputs, shape):
        outputs = [(output, FLOAT, [None] * self.values[output].ndim) for output in outputs]
        inputs = [("pictures", FLOAT, shape)]
        test_model.save(name, network(name, self.nodes, inputs, outputs, self.weights, opset=17))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def conv(x, w):
    n, c, h, wd = x.shape
    k = w.shape[2]
    cut = x.reshape(n, c, h // k, k, wd // k, k)
    return np.einsum("ncyixj,ocij->noyx", cut, w)


def layer_norm(net, rng, x, name, whole):
    scale = net.weight(rng.uniform(0.5, 1.5, WIDTH))
    bias = net.weight(rng.uniform(-0.5, 0.5, WIDTH))
    mean, var = lambda v: v.mean(-1, keepdims=True), lambda v: v.var(-1, keepdims=True)
    if whole:
        return net.add(
            "LayerNormalization", [x, scale, bias], name,
            lambda v, s, b: (v - mean(v)) / np.sqrt(var(v) + 1e-5) * s + b, axis=-1, epsilon=1e-5,
        )
    m = net.add("ReduceMean", [x], f"{name}/mean", mean, axes=[-1])
    d = net.add("Sub", [x, m], f"{name}/centred", np.subtract)
    q = net.add("Mul", [d, d], f"{name}/squared", np.multiply)
    v = net.add("ReduceMean", [q], f"{name}/variance", mean, axes=[-1])
    e = net.add("Add", [v, net.weight(1e-5)], f"{name}/safe", np.add)
    s = net.add("Sqrt", [e], f"{name}/sd", np.sqrt)
    z = net.add("Div", [d, s], f"{name}/z", np.divide)
    z = net.add("Mul", [z, scale], f"{name}/scaled", np.multiply)
    return net.add("Add", [z, bias], name, np.add)


def linear(net, rng, x, n_in, n_out, name):
    w = net.weight(rng.normal(size=(n_in, n_out)) / np.sqrt(n_in))
    x = net.add("MatMul", [x, w], f"{name}/product", np.matmul)
    return net.add("Add", [x, net.weight(rng.uniform(-0.1, 0.1, n_out))], name, np.add)


def block(net, rng, x, name, whole):
    heads = net.weight([0, 0, HEADS, WIDTH // HEADS], np.int64)
    joined = net.weight([0, 0, WIDTH], np.int64)
    split = lambda v, _: v.reshape(*v.shape[:2], HEADS, WIDTH // HEADS)
    normed = layer_norm(net, rng, x, f"{name}/norm1", whole)
    q, k, v = (linear(net, rng, normed, WIDTH, WIDTH, f"{name}/{part}") for part in "qkv")
    q, k, v = (net.add("Reshape", [t, heads], f"{t}/heads", split) for t in (q, k, v))
    q = net.add("Transpose", [q], f"{name}/query", lambda t: t.transpose(0, 2, 1, 3), perm=[0, 2, 1, 3])
    k = net.add("Transpose", [k], f"{name}/key", lambda t: t.transpose(0, 2, 3, 1), perm=[0, 2, 3, 1])
    v = net.add("Transpose", [v], f"{name}/value", lambda t: t.transpose(0, 2, 1, 3), perm=[0, 2, 1, 3])
    a = net.add("MatMul", [q, k], f"{name}/scores", np.matmul)
    a = net.add("Softmax", [a], f"{name}/attention", softmax, axis=-1)
    o = net.add("MatMul", [a, v], f"{name}/weighed", np.matmul)
    o = net.add("Transpose", [o], f"{name}/by_token", lambda t: t.transpose(0, 2, 1, 3), perm=[0, 2, 1, 3])
    o = net.add("Reshape", [o, joined], f"{name}/joined", lambda t, _: t.reshape(*t.shape[:2], WIDTH))
    o = linear(net, rng, o, WIDTH, WIDTH, f"{name}/out")
    x = net.add("Add", [x, o], f"{name}/middle", np.add)
    h = layer_norm(net, rng, x, f"{name}/norm2", whole)
    h = linear(net, rng, h, WIDTH, 2 * WIDTH, f"{name}/fc1")
    h = net.add("Relu", [h], f"{name}/relu", lambda t: np.maximum(t, 0))
    h = linear(net, rng, h, 2 * WIDTH, WIDTH, f"{name}/fc2")
    return net.add("Add", [x, h], name, np.add)


def transformer(pictures, n_prefix, whole, seed):
    """Patches, class token and registers, positions, two blocks, a last norm."""
    rng = np.random.default_rng(seed)
    net = Network(pictures)
    height, width = MAP
    kernel = net.weight(rng.normal(size=(WIDTH, 3, PATCH, PATCH)))
    net.add("Conv", ["pictures", kernel], "patches", conv, kernel_shape=[PATCH] * 2, strides=[PATCH] * 2)
    rows = net.weight([0, 0, -1], np.int64)
    net.add("Reshape", ["patches", rows], "rows", lambda v, _: v.reshape(*v.shape[:2], -1))
    x = net.add("Transpose", ["rows"], "embedded", lambda v: v.transpose(0, 2, 1), perm=[0, 2, 1])
    if n_prefix:
        # As exporters write it: the token is spread over as many pictures as there are.
        tokens = net.weight(rng.normal(size=(1, n_prefix, WIDTH)))
        shape = net.add("Shape", ["embedded"], "shape", lambda v: np.array(v.shape))
        n = net.add("Gather", ["shape", net.weight([0], np.int64)], "n", lambda v, i: v[i])
        one = net.weight([1], np.int64)
        full = net.add("Concat", ["n", one, one], "full", lambda *v: np.concatenate(v), axis=0)
        net.add("Expand", [tokens, full], "prefix", lambda v, s: np.broadcast_to(v, (s[0], *v.shape[1:])))
        x = net.add("Concat", ["prefix", x], "tokens", lambda *v: np.concatenate(v, axis=1), axis=1)
    positions = net.weight(rng.normal(size=(1, n_prefix + height * width, WIDTH)))
    x = net.add("Add", [x, positions], "placed", np.add)
    for i in range(2):
        x = block(net, rng, x, f"block{i}", whole)
    layer_norm(net, rng, x, "norm", whole)
    return net


def shuffled(pictures):
    """maps: NCHW; last: the same as NHWC; flat: flattened; ratio: maps by itself; means: flattened means."""
    net = Network(pictures)
    kernel = net.weight(np.reshape([1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1], (4, 3, 1, 1)))
    net.add("Conv", ["pictures", kernel], "maps", conv)
    net.add("Transpose", ["maps"], "last", lambda v: v.transpose(0, 2, 3, 1), perm=[0, 2, 3, 1])
    net.add("Relu", ["last"], "last_relu", lambda v: np.maximum(v, 0))
    net.add("Flatten", ["maps"], "flat", lambda v: v.reshape(len(v), -1))
    with np.errstate(invalid="ignore"):
        net.add("Div", ["maps", "maps"], "ratio", np.divide)
    net.add("GlobalAveragePool", ["maps"], "average", lambda v: v.mean((2, 3), keepdims=True))
    net.add("Flatten", ["average"], "means", lambda v: v.reshape(len(v), -1))
    return net


def pictures():
    """Two pictures of 4 rows and 6 columns; tests/ann_acts/units.rs makes the same."""
    y, x = np.mgrid[0:4, 0:6]
    levels = [[(37 * y + 11 * x + 50 * c + 90 * i) % 256 for c in range(3)] for i in range(2)]
    return np.array(levels, dtype=np.float64)


def main():
    golden = {}
    shape = ["N", 3, 4, 6]
    for name, n_prefix, whole in [("vit", 1, True), ("vit-parts", 1, False), ("vit-registers", 3, True), ("vit-bare", 0, True)]:
        net = transformer(pictures() / 255, n_prefix, whole, seed=3)
        net.save(name, ["norm"], shape)
        layers = ["block0", "block1/joined", "norm"] if n_prefix != 1 or whole else ["norm"]
        golden[name] = {layer: np.round(net.values[layer].reshape(2, -1), 7).tolist() for layer in layers}
    shuffled(pictures()).save("maps", ["last_relu", "flat", "ratio", "means"], ["N", 3, "H", "W"])
    (FOLDER / "vit-activations.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
