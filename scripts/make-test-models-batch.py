#!/usr/bin/env python3
"""Write the tiny networks in which pictures meet, or only seem to: testdata/models/batch-*.onnx.

Needs numpy and onnx (1.23.2 wrote the committed files). The same versions give the same bytes.

    python3 scripts/make-test-models-batch.py [FOLDER]
"""
from functools import partial

import numpy as np
from onnx import TensorProto, helper

import test_model
from test_model import BOOL, FLOAT, HALF, LONG, constant, network

RNG = np.random.default_rng(10)
# These name their domain, also where it is the standard one.
node = partial(test_model.node, domain="")


def longs(name, values):
    return constant(name, values, np.int64)


def noise(name, *shape, dtype=np.float32):
    return constant(name, RNG.standard_normal(shape), dtype)


def save(name, nodes, initializers=(), outputs=("y",), opset=17, kind=FLOAT, pictures=("N", 3, 4, 4), extra=()):
    """A network on pictures of 4x4 pixels; `x` (N x 8) comes out of a convolution, in those that begin with it."""
    inputs = [("pictures", kind, list(pictures)), *extra]
    outputs = [(output, kind, None) for output in outputs]
    test_model.save(f"batch-{name}", network(name, nodes, inputs, outputs, initializers, opset, check=False))


STEM = [
    node("Conv", "pictures kernel", "c", "stem", strides=[2, 2]),
    node("Relu", "c", "r"),
    node("Flatten", "r", "x"),
]
# The first channel is never silent.
KERNEL = constant("kernel", np.stack([np.abs(RNG.standard_normal((3, 2, 2))), RNG.standard_normal((3, 2, 2))]))


def coupled():
    """Rows that depend on other pictures or on chance; the layer is y, `guilty` the node by which they do."""
    zero_axis, zero = longs("axis", [0]), longs("zero", 0)

    def of(name, nodes, *initializers, **more):
        save(name, [*STEM, *nodes], [KERNEL, *initializers], **more)

    of("softmax", [node("Softmax", "x", "y", "guilty", axis=0)])
    of("mean", [node("ReduceMean", "x", "m", "guilty", axes=[0]), node("Sub", "x m", "y")])
    of(
        "layernorm",
        [
            node("Transpose", "x", "t", perm=[1, 0]),
            node("ReduceMean", "t", "m", "guilty", axes=[1]),
            node("Sub", "t m", "d"),
            node("Transpose", "d", "y", perm=[1, 0]),
        ],
    )
    of(
        "dropout",
        [node("Dropout", "x ratio on", "y", "guilty")],
        constant("ratio", 0.5),
        constant("on", True, bool),
        opset=13,
    )
    of(
        "dropout-off",
        [node("Dropout", "x ratio off", "y", "innocent")],
        constant("ratio", 0.5),
        constant("off", False, bool),
        opset=13,
    )
    statistics = [constant(name, np.ones(8)) for name in ("scale", "bias", "mean", "variance")]
    of(
        "norm9",
        [node("BatchNormalization", "x scale bias mean variance", "y m v sm sv", "guilty")],
        *statistics,
        opset=9,
    )
    of("norm9-eval", [node("BatchNormalization", "x scale bias mean variance", "y - - - -", "innocent")], *statistics, opset=9)
    of(
        "norm15",
        [node("BatchNormalization", "x scale bias mean variance", "y m v", "guilty", training_mode=1)],
        *statistics,
        opset=15,
    )
    of(
        "random",
        [
            node("RandomUniformLike", "x", "u", "guilty", low=-1.0, high=1.0),
            node("Mul", "u nothing", "z"),
            node("Add", "x z", "y"),
        ],
        constant("nothing", 0.0),
    )
    of("bernoulli", [node("Sigmoid", "x", "p"), node("Bernoulli", "p", "y", "guilty")])
    branch = helper.make_graph(
        [node("RandomNormal", "-", "n", "inside", shape=[8]), node("Add", "x n", "b")],
        "branch",
        [],
        [helper.make_tensor_value_info("b", FLOAT, None)],
    )
    for inner in branch.node[:1]:
        del inner.input[:]
    of("branch", [node("If", "yes", "y", "chooser", then_branch=branch, else_branch=branch)], constant("yes", True, bool))
    of(
        "gru",
        [node("Unsqueeze", "x one", "s"), node("GRU", "s W R", "g -", "guilty", hidden_size=4), node("Squeeze", "g both", "y")],
        longs("one", [1]),
        longs("both", [1, 2]),
        noise("W", 1, 12, 8),
        noise("R", 1, 12, 4),
    )
    of("cumsum", [node("CumSum", "x zero", "y", "guilty")], zero)
    of("cumsum-back", [node("CumSum", "x zero", "y", "guilty", reverse=1)], zero)
    of(
        "topk",
        [node("TopK", "x k", "t i", "guilty", axis=0), node("Sub", "x t", "y")],
        longs("k", [1]),
    )
    of("count", [node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Cast", "n", "f", to=FLOAT), node("Div", "x f", "y", "guilty")], zero)
    of(
        "flip",
        [node("Slice", "x last first axis back", "y", "guilty")],
        longs("last", [-1]),
        longs("first", [-1000]),
        longs("back", [-1]),
        zero_axis,
    )
    of(
        "weak",
        [node("ReduceMean", "x", "m", "guilty", axes=[0]), node("Mul", "m little", "l"), node("Add", "x l", "y")],
        constant("little", 1e-4),
    )
    of(
        "quantized",
        [
            node("DynamicQuantizeLinear", "x", "q s z", "guilty"),
            node("DequantizeLinear", "q s z", "y"),
        ],
    )
    # Between two units of very different size only the small one mixes.
    of(
        "small",
        [
            node("Slice", "x zero_at one_at unit", "a"),
            node("ReduceMean", "a", "m", "guilty", axes=[0]),
            node("Mul", "x large", "l"),
            node("Add", "a m", "am"),
            node("Mul", "am little", "small"),
            node("Add", "l one", "big"),
            node("Concat", "big small", "y", axis=1),
        ],
        longs("zero_at", [0]),
        longs("one_at", [1]),
        longs("unit", [1]),
        constant("large", 1e5),
        constant("little", 1e-2),
        constant("one", 1.0),
    )
    of("similarity", [node("Transpose", "x", "t"), node("MatMul", "x t", "y", "guilty")])


    fixed = (4, 3, 4, 4)
    of("fixed-mean", [node("ReduceMean", "x", "m", "guilty", axes=[0]), node("Sub", "x m", "y")], pictures=fixed)
    # A number of its own for every place of the batch, and nothing else.
    of("fixed-place", [node("Add", "x places", "y", "guilty")], noise("places", 4, 1), pictures=fixed)
    of("fixed", [node("Reshape", "x rows", "merged"), node("Neg", "merged", "m"), node("Reshape", "m again", "y")], longs("rows", [-1, 4]), longs("again", [4, 8]), pictures=fixed)
    of("baked-four", [node("Reshape", "x again", "y")], longs("again", [4, 8]))


def right():
    """Rows that are one picture's, in shapes that do not show it; the layers stand behind one another."""
    seq = [
        node("Conv", "pictures kernel4", "c", strides=[2, 2]),
        node("Reshape", "c tokens", "ct"),
        node("Transpose", "ct", "tokens_first", perm=[0, 2, 1]),
    ]
    weights = [noise("kernel4", 4, 3, 2, 2), longs("tokens", [0, 4, 4])]
    # A class token, expanded to the batch.
    save(
        "vit",
        [
            *seq,
            node("Shape", "c", "s"),
            node("Gather", "s zero", "n"),
            node("Concat", "n ones", "to", axis=0),
            node("Expand", "class to", "classes"),
            node("Concat", "classes tokens_first", "joined", axis=1),
            node("Add", "joined positions", "placed"),
            node("Reshape", "placed rows", "flat"),
            node("MatMul", "flat W", "mixed"),
            node("Reshape", "mixed back", "y"),
        ],
        [
            *weights,
            longs("zero", [0]),
            longs("ones", [1, 4]),
            noise("class", 1, 1, 4),
            noise("positions", 1, 5, 4),
            longs("rows", [-1, 4]),
            noise("W", 4, 4),
            longs("back", [-1, 5, 4]),
        ],
        outputs=("y", "flat", "mixed"),
    )
    # Attention with tokens first: heads share the axis with the pictures, and later tokens do, pictures second.
    save(
        "sequence-first",
        [
            *seq,
            node("Transpose", "tokens_first", "tnc", perm=[1, 0, 2]),
            node("Reshape", "tnc heads", "tnh"),
            node("Transpose", "tnh", "q", perm=[1, 0, 2]),
            node("Transpose", "q", "kt", perm=[0, 2, 1]),
            node("MatMul", "q kt", "scores"),
            node("Softmax", "scores", "attention", axis=-1),
            node("MatMul", "attention q", "heads_out"),
            node("Transpose", "heads_out", "back", perm=[1, 0, 2]),
            node("Reshape", "back joined", "token_picture"),
            node("MatMul", "token_picture W", "mlp"),
            node("Reshape", "mlp apart", "apart_out"),
            node("Transpose", "apart_out", "y", perm=[1, 0, 2]),
        ],
        [*weights, longs("heads", [4, -1, 2]), longs("joined", [-1, 4]), noise("W", 4, 4), longs("apart", [4, -1, 4])],
        outputs=("y", "scores", "attention", "heads_out", "token_picture", "mlp"),
    )
    # Windows of 2x2 pixels, channels last.
    save(
        "windows",
        [
            node("Transpose", "pictures", "nhwc", perm=[0, 2, 3, 1]),
            node("Reshape", "nhwc six", "cut"),
            node("Transpose", "cut", "sorted", perm=[0, 1, 3, 2, 4, 5]),
            node("Reshape", "sorted windows", "w"),
            node("MatMul", "w W", "mixed"),
            node("Reshape", "mixed six", "uncut"),
            node("Transpose", "uncut", "unsorted", perm=[0, 1, 3, 2, 4, 5]),
            node("Reshape", "unsorted whole", "y"),
        ],
        [longs("six", [-1, 2, 2, 2, 2, 3]), longs("windows", [-1, 4, 3]), noise("W", 3, 3), longs("whole", [-1, 4, 4, 3])],
        outputs=("y", "w", "mixed"),
    )
    # Rounding blown up: a small difference of large numbers, and large beside small ones.
    save(
        "range",
        [
            *STEM,
            node("MatMul", "x W", "w"),
            node("Mul", "w large", "l"),
            node("Add", "l w", "a"),
            node("Sub", "a l", "difference"),
            node("Concat", "a difference", "y", axis=1),
        ],
        [KERNEL, noise("W", 8, 6), constant("large", 3e5)],
        outputs=("y", "difference"),
    )
    # Half precision, several layers deep.
    nodes, kernels, last = [], [], "pictures"
    for i in range(6):
        kernels.append(constant(f"k{i}", RNG.standard_normal((8, 3 if i == 0 else 8, 3, 3)) / 6, np.float16))
        nodes += [node("Conv", f"{last} k{i}", f"c{i}", pads=[1, 1, 1, 1]), node("Relu", f"c{i}", f"r{i}")]
        last = f"r{i}"
    save("half", [*nodes, node("GlobalAveragePool", last, "y")], kernels, kind=HALF)
    # Batch 1 in a constant, with a batch of any size promised.
    save(
        "baked",
        [*STEM[:2], node("Reshape", "r one", "x", "baked"), node("MatMul", "x W", "y")],
        [KERNEL, longs("one", [1, 8]), noise("W", 8, 5)],
    )
    # The same, but nothing fails: the pictures come out behind one another.
    save("laid-out", [*STEM[:2], node("Reshape", "r one", "y")], [KERNEL, longs("one", [1, -1])])


def left_out():
    """Outputs left out at which ONNX Runtime is killed."""
    half = [longs("halves", [3, 5])]
    save("split", [*STEM, node("Split", "x halves", "- y", "cut", axis=1)], [KERNEL, *half])
    branch = helper.make_graph(
        [node("Split", "x halves", "a -", "inside", axis=1), node("Neg", "x", "b")],
        "branch",
        [],
        [helper.make_tensor_value_info("a", FLOAT, None), helper.make_tensor_value_info("b", FLOAT, None)],
    )
    save("split-branch", [*STEM, node("If", "yes", "y -", "chooser", then_branch=branch, else_branch=branch)], [KERNEL, *half, constant("yes", True, bool)])
    body = helper.make_graph(
        [node("Identity", "go", "on"), node("Neg", "v", "next"), node("Abs", "v", "scanned")],
        "body",
        [
            helper.make_tensor_value_info("i", LONG, []),
            helper.make_tensor_value_info("go", BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", BOOL, []),
            helper.make_tensor_value_info("next", FLOAT, None),
            helper.make_tensor_value_info("scanned", FLOAT, None),
        ],
    )
    save("loop", [*STEM, node("Loop", "three yes x", "y -", "turns", body=body)], [KERNEL, longs("three", 3), constant("yes", True, bool)])
    save("sum", [*STEM, node("Sum", "x - x", "y", "adds")], [KERNEL])


def kinds():
    """Values that are no tensors, and layers with very long names."""
    save(
        "sequences",
        [
            *STEM,
            node("SequenceConstruct", "x x", "sequence"),
            node("SplitToSequence", "x", "parts", axis=1, keepdims=1),
            node("Optional", "x", "perhaps"),
            node("SequenceAt", "sequence zero", "y"),
        ],
        [KERNEL, longs("zero", 0)],
    )
    long = "module." * 40
    save("long", [*STEM, node("Neg", "x", long + "a"), node("Abs", "x", long + "b"), node("Neg", long + "b", "y")], [KERNEL])


def damaged():
    """Weights whose shape is not what they hold."""
    for name, dims in (("huge", [1 << 31, 1 << 31]), ("overflow", [1 << 40, 1 << 40]), ("negative", [8, -5]), ("short", [8, 7])):
        weight = TensorProto(name="W", data_type=FLOAT, dims=dims, raw_data=np.ones(40, np.float32).tobytes())
        save(name, [*STEM, node("MatMul", "x W", "y")], [KERNEL, weight])


coupled()
right()
left_out()
kinds()
damaged()
