#!/usr/bin/env python3
"""Write the tiny networks with which the tests ask for layers in every way: testdata/models/layers-*.onnx.

Needs numpy and onnx (1.23.2 wrote the committed files). The same versions give the same bytes.

    python3 scripts/make-test-models-layers.py [FOLDER]
"""
import numpy as np
from onnx import TensorProto

import test_model
from test_model import BFLOAT, BOOL, FLOAT, FOLDER, HALF, INT, LONG, PICTURES, constant, network


def node(op, inputs, outputs, name="", scopes=None, **attributes):
    made = test_model.node(op, inputs, outputs, name, **attributes)
    if scopes is not None:
        made.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=repr(scopes))
    return made


def save(name, nodes, inputs, outputs, initializers=(), opset=17, **options):
    test_model.save(f"layers-{name}", network(name, nodes, inputs, outputs, initializers, opset, **options))


def block(dynamo):
    """A residual block whose one ReLU is called twice, named as PyTorch's old or new exporter names nodes.

    stem: R and -R; conv1 doubles, conv2 keeps, so the first ReLU gives 2R and 0, the second 3R and 0 (R positive).
    The block also measures its own size, after its last ReLU, for the reshaping outside.
    """
    two = np.reshape([1, 0, 0, 1], (2, 2, 1, 1))
    weights = [
        constant("stem.weight", np.reshape([1, 0, 0, -1, 0, 0], (2, 3, 1, 1))),
        constant("layer1.0.conv1.weight", 2 * two),
        constant("layer1.0.conv2.weight", two),
        constant("zero", 0, np.int64),
        constant("minus_one", [-1], np.int64),
        constant("axis", [0], np.int64),
    ]
    # path of the module, its own name as TorchScript writes it, operator, inputs (by step), step
    steps = [
        (["stem"], "Conv", "pictures stem.weight", "stem"),
        (["layer1", "layer1.0", "conv1"], "Conv", "stem layer1.0.conv1.weight", "conv1"),
        (["layer1", "layer1.0", "relu"], "Relu", "conv1", "first"),
        (["layer1", "layer1.0", "conv2"], "Conv", "first layer1.0.conv2.weight", "conv2"),
        (["layer1", "layer1.0"], "Add", "conv2 stem", "sum"),
        (["layer1", "layer1.0", "relu_1"], "Relu", "sum", "second"),
        (["layer1", "layer1.0"], "Shape", "second", "shape"),
        (["layer1", "layer1.0"], "Gather", "shape zero", "n"),
        ([], "Unsqueeze", "n axis", "n_axis"),
        ([], "Concat", "n_axis minus_one", "target"),
        ([], "Reshape", "second target", "flat"),
    ]
    named, nodes = {}, []
    for i, (path, op, inputs, step) in enumerate(steps):
        inputs = " ".join(named.get(name, name) for name in inputs.split(" "))
        attributes = {"axis": 0} if op == "Concat" else {}
        if dynamo:
            own = f"{op.lower()}_{i}"
            modules, module = [], ""
            for part in path:
                part = part.removesuffix("_1")
                module = part if part.startswith(module + ".") or not module else f"{module}.{part}"
                modules.append(module)
            named[step] = own
            nodes.append(node(op, inputs, own, f"node_{own}", ["", *modules, own], **attributes))
        else:
            name = "/" + "/".join([*path, op])
            named[step] = name + "_output_0"
            nodes.append(node(op, inputs, named[step], name, **attributes))
    out = (named["flat"], FLOAT, ["N", None])
    save("dynamo" if dynamo else "torchscript", nodes, [PICTURES], [out], weights)


def renames():
    """Chains of renamings, and what looks like one: turned mixes axes, pairs puts two pictures' values in one row."""
    save(
        "renames",
        [
            node("ReduceMean", "pictures", "mean", axes=[3], keepdims=0),
            node("Identity", "mean", "same"),
            node("Dropout", "same", "kept", "drop"),
            node("Flatten", "kept", "flat"),
            node("Unsqueeze", "flat last", "longer"),
            node("Cast", "longer", "cast", to=FLOAT),
            node("Squeeze", "cast last", "shorter"),
            node("Cast", "shorter", "half", to=HALF),
            node("Cast", "half", "back", to=FLOAT),
            node("Transpose", "mean", "turned", perm=[0, 2, 1]),
            node("Flatten", "turned", "turned_flat"),
            node("Transpose", "mean", "behind", perm=[1, 0, 2]),
            node("Reshape", "behind six", "mixed"),
            node("Reshape", "mean rows", "by_row"),
            node("Shape", "mean", "shape"),
            node("Greater", "mean nothing", "positive"),
        ],
        [("pictures", FLOAT, ["N", 3, 2, "W"])],
        [("back", FLOAT, ["N", 6]), ("mixed", FLOAT, [None, 6])],
        [
            constant("last", [2], np.int64),
            constant("six", [-1, 6], np.int64),
            constant("rows", [-1, 2], np.int64),
            constant("nothing", 0),
        ],
    )


def inputs():
    """sum: pictures * scale + bias of each picture; text: of the tokens alone; both: the two together."""
    kinds = [FLOAT, TensorProto.DOUBLE, HALF, BFLOAT]
    kinds += [TensorProto.INT8, TensorProto.INT16, INT, LONG]
    kinds += [TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64, BOOL]
    nodes = [
        node("ReduceMean", "pictures", "mean", axes=[2, 3], keepdims=0),
        node("Cast", "tokens", "numbers", to=FLOAT),
        node("ReduceSum", "numbers axis", "text"),
        node("Where", "switch mean text", "either"),
        node("Add", "mean text", "both"),
    ]
    named = [PICTURES, ("tokens", LONG, ["N", "length"]), ("switch", BOOL, [None, 1])]
    terms = "mean"
    for kind in kinds:
        name = TensorProto.DataType.Name(kind).lower()
        named.append((f"in_{name}", kind, ["N", 1]))
        nodes.append(node("Cast", f"in_{name}", f"as_{name}", to=FLOAT))
        terms += f" as_{name}"
    nodes.append(node("Sum", terms, "all"))
    named.append(("words", TensorProto.STRING, [1]))
    nodes.append(node("Identity", "words", "said"))
    save(
        "inputs",
        nodes,
        named,
        [("both", FLOAT, ["N", 3]), ("all", FLOAT, ["N", 3]), ("said", TensorProto.STRING, [1])],
        [constant("axis", [1], np.int64)],
    )


def kinds():
    """bf: bf16 activations; foreign: behind an operator that nobody knows; names of nodes that stand for several tensors."""
    save(
        "kinds",
        [
            node("ReduceMean", "pictures", "mean", axes=[2, 3], keepdims=0),
            node("Cast", "mean", "bf", to=BFLOAT),
            node("Split", "mean thirds", "red green blue", "split", axis=1),
            node("Neg", "red", "minus_red", "negative"),
            node("Neg", "green", "minus_green"),
            node("Concat", "minus_red minus_green blue", "7", axis=1),
            node("SequenceConstruct", "red green", "sequence"),
            node("SequenceAt", "sequence one", "second"),
        ],
        [PICTURES],
        [("7", FLOAT, ["N", 3]), ("second", FLOAT, ["N", 1])],
        [constant("one", 1, np.int64), constant("thirds", [1, 1, 1], np.int64)],
    )
    foreign = node("Mystery", "mean", "strange")
    foreign.domain = "nobody.knows"
    save(
        "foreign",
        [
            node("ReduceMean", "pictures", "mean", axes=[2, 3], keepdims=0),
            foreign,
            node("Relu", "strange", "after"),
        ],
        [PICTURES],
        [("after", FLOAT, ["N", 3])],
        domains=["nobody.knows"],
        check=False,
    )
    # Before IR version 4 weights are inputs too.
    save(
        "old",
        [
            node("Conv", "pictures weight", "conv", "conv1"),
            node("Relu", "conv", "relu"),
            node("GlobalAveragePool", "relu", "average"),
            node("Flatten", "average", "pool"),
        ],
        [PICTURES, ("weight", FLOAT, [2, 3, 1, 1])],
        [("pool", FLOAT, ["N", 2])],
        [constant("weight", np.reshape([1, -1, 0, 0, 0, 1], (2, 3, 1, 1)))],
        opset=7,
        ir=3,
    )


def mask(c, p, kernel):
    """exp(-(|C d|_0^p + |C d|_1^p)) over the offsets d from the kernel's centre: Lp-convolution (Kwon et al., 2025)."""
    offsets = np.stack(np.meshgrid(*[np.arange(k) - (k - 1) / 2 for k in kernel], indexing="ij"))
    z = np.abs(np.einsum("cij,jhw->cihw", c, offsets))
    return np.exp(-(z ** p[:, None, None, None]).sum(axis=1))


def lpconv():
    """The same Lp-convolution twice: its mask computed in the graph, and multiplied into the weights beforehand.

    Channel 0 has p = 2, channel 1 p = 16, both C = diag(1 / 1.5001), as an initial 3x3 kernel grown to 7x7 has; channel
    2 has a skewed C and p = 3, and weights from -2 to 2. `even` is a plain convolution with a kernel of 2x4, padded unequally.
    """
    kernel = (7, 7)
    c = np.stack([np.eye(2) / 1.5001, np.eye(2) / 1.5001, np.array([[0.5, 0.25], [-0.125, 0.75]])])
    log2p = np.array([1, 4, np.log2(3)])
    weight = np.ones((3, 3, *kernel))
    weight[2] = (np.arange(147) % 5 - 2).reshape(3, *kernel)
    even = np.arange(48).reshape(2, 3, 2, 4) % 7 - 3
    folded = weight * mask(c, 2.0**log2p, kernel)[:, None]
    conv = dict(kernel_shape=kernel, pads=[3, 3, 3, 3])
    tail = [
        node("Relu", "conv", "relu", "/net/relu/Relu"),
        node("Conv", "pictures even_weight", "even", "/net/even/Conv", kernel_shape=[2, 4], pads=[0, 1, 1, 2]),
    ]
    outputs = [("relu", FLOAT, ["N", 3, None, None]), ("even", FLOAT, ["N", 2, None, None])]
    save(
        "lpconv-folded",
        [node("Conv", "pictures weight", "conv", "/net/conv/Conv", **conv), *tail],
        [PICTURES],
        outputs,
        [constant("weight", folded), constant("even_weight", even)],
    )
    # As an exporter leaves it: ranges, a grid by expansion, |C d| by a matrix product, powers, the exponential.
    grid = [
        node("Range", "zero seven one", "steps", "/net/conv/Range"),
        node("Sub", "steps centre", "offsets", "/net/conv/Sub"),
        node("Unsqueeze", "offsets first_axis", "rows", "/net/conv/Unsqueeze"),
        node("Unsqueeze", "offsets second_axis", "columns", "/net/conv/Unsqueeze_1"),
        node("Expand", "rows kernel", "d_columns", "/net/conv/Expand"),
        node("Expand", "columns kernel", "d_rows", "/net/conv/Expand_1"),
        node("Reshape", "d_rows one_row", "d0", "/net/conv/Reshape"),
        node("Reshape", "d_columns one_row", "d1", "/net/conv/Reshape_1"),
        node("Concat", "d0 d1", "d", "/net/conv/Concat", axis=0),
    ]
    computed = [
        node("MatMul", "C d", "Cd", "/net/conv/MatMul"),
        node("Abs", "Cd", "size", "/net/conv/Abs"),
        node("Pow", "two log2p", "p", "/net/conv/Pow"),
        node("Pow", "size p", "powers", "/net/conv/Pow_1"),
        node("ReduceSum", "powers second_axis", "distance", "/net/conv/ReduceSum", keepdims=0),
        node("Neg", "distance", "negative", "/net/conv/Neg"),
        node("Exp", "negative", "flat_mask", "/net/conv/Exp"),
        node("Reshape", "flat_mask mask_shape", "mask", "/net/conv/Reshape_2"),
        node("Mul", "weight mask", "masked", "/net/conv/Mul"),
        node("Conv", "pictures masked", "conv", "/net/conv/Conv", **conv),
    ]
    save(
        "lpconv-unfolded",
        [*grid, *computed, *tail],
        [PICTURES],
        outputs,
        [
            constant("zero", 0),
            constant("seven", 7),
            constant("one", 1),
            constant("two", 2),
            constant("centre", 3),
            constant("first_axis", [0], np.int64),
            constant("second_axis", [1], np.int64),
            constant("kernel", kernel, np.int64),
            constant("one_row", [1, 49], np.int64),
            constant("mask_shape", [3, 1, *kernel], np.int64),
            constant("C", c),
            constant("log2p", log2p.reshape(3, 1, 1)),
            constant("weight", weight),
            constant("even_weight", even),
        ],
    )


def folded():
    """A convolution into which its exporter folded the normalization behind it: the weights have a name of its making."""
    save(
        "folded",
        [
            node("Conv", "pictures onnx::Conv_12 onnx::Conv_13", "/conv1/Conv_output_0", "/conv1/Conv"),
            node("Conv", "/conv1/Conv_output_0 conv2.weight", "/conv2/Conv_output_0", "/conv2/Conv"),
        ],
        [PICTURES],
        [("/conv2/Conv_output_0", FLOAT, ["N", 1, "H", "W"])],
        [
            constant("onnx::Conv_12", np.reshape([1, 2, 3], (1, 3, 1, 1))),
            constant("onnx::Conv_13", [0]),
            constant("conv2.weight", np.reshape([2], (1, 1, 1, 1))),
        ],
    )


def large():
    """shifted: each colour's mean plus the last row of a table of 2.2 GB, which the test makes, mostly hole."""
    rows = 184_000_000
    table = TensorProto(name="table", data_type=FLOAT, dims=[rows, 3], data_location=TensorProto.EXTERNAL)
    for key, value in [("location", "large.weights"), ("offset", "0"), ("length", str(rows * 12))]:
        table.external_data.add(key=key, value=value)
    save(
        "large",
        [
            node("ReduceMean", "pictures", "mean", axes=[2, 3], keepdims=0),
            node("Gather", "table last", "row", axis=0),
            node("Add", "mean row", "shifted"),
        ],
        [PICTURES],
        [("shifted", FLOAT, ["N", 3])],
        [table, constant("last", [rows - 1], np.int64)],
        check=False,
    )


def main():
    block(dynamo=False)
    block(dynamo=True)
    renames()
    inputs()
    kinds()
    lpconv()
    folded()
    large()


if __name__ == "__main__":
    main()
