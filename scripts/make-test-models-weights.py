#!/usr/bin/env python3
"""Write the tiny networks on which untrained twins and lesions are tested: testdata/models/weights-*.onnx and twin-*.onnx.

Needs numpy and onnx (1.23.2 wrote the committed files). The same versions give the same bytes. Trained values are round
numbers that no rule would draw, so that a weight that was left alone is seen.

    python3 scripts/make-test-models-weights.py [FOLDER]
"""
import numpy as np
import onnx
from onnx import helper

import test_model
from test_model import FLOAT, FOLDER, HALF, PICTURES, constant, network, node


def save(name, nodes, outputs, initializers=(), opset=13, inputs=(PICTURES,), external=False):
    model = network(name, nodes, inputs, outputs, initializers, opset)
    if external:
        path = FOLDER / f"{name}.onnx"
        weights = path.with_suffix(".weights")
        weights.unlink(missing_ok=True)
        onnx.save_model(model, path, save_as_external_data=True, location=weights.name, size_threshold=0)
    else:
        test_model.save(name, model)


# Mean colours, one row per picture: a picture of one colour reads out one row of the matrix.
COLOURS = [node("GlobalAveragePool", "pictures", "averages"), node("Flatten", "averages", "colours")]


def linear(name, wide=500, element=FLOAT, **options):
    """colours -> (x matrix, 3 x wide, trained to 7) -> (+ bias, trained to 9) -> wide."""
    dtype = np.float32 if element == FLOAT else np.float16
    weights = [constant("matrix", np.full((3, wide), 7), dtype), constant("bias", np.full(wide, 9), dtype)]
    nodes = [*COLOURS, node("MatMul", "colours matrix", "product"), node("Add", "product bias", "wide")]
    pictures = ("pictures", element, ["N", 3, "H", "W"])
    save(name, nodes, [("wide", element, ["N", wide])], weights, inputs=(pictures,), **options)


def shuffled():
    """As linear, trained to 0, 1, 2 ...; Gemm with the matrix transposed, 40 x 3."""
    weights = [constant("matrix", np.arange(120).reshape(40, 3)), constant("bias", np.arange(40) * 100)]
    save(
        "weights-gemm",
        [*COLOURS, node("Gemm", "colours matrix bias", "wide", transB=1)],
        [("wide", FLOAT, ["N", 40])],
        weights,
    )


def normalized(name, opset, batch="N"):
    """As exporters do with equal tensors, shift and mean are stored once, and so are scale and variance.

    conv (1x1, 3 to 4) -> BatchNormalization -> relu -> conv2 -> BatchNormalization -> mean colours."""
    rng = np.arange(12)
    weights = [
        constant("w1", (rng - 5).reshape(4, 3, 1, 1)),
        constant("w2", (rng[:8] - 3).reshape(2, 4, 1, 1)),
        *[constant(f"{part}{layer}", np.full(n, value)) for layer, n in ((1, 4), (2, 2))
          for part, value in (("scale", 3), ("shift", 5))],
    ]
    nodes = [
        node("Conv", "pictures w1", "conv1"),
        node("BatchNormalization", "conv1 scale1 shift1 shift1 scale1", "bn1", epsilon=0.001),
        node("Relu", "bn1", "relu1"),
        node("Conv", "relu1 w2", "conv2"),
        node("BatchNormalization", "conv2 scale2 shift2 shift2 scale2", "bn2"),
        node("GlobalAveragePool", "bn2", "averages"),
        node("Flatten", "averages", "pool"),
    ]
    save(name, nodes, [("pool", FLOAT, [batch, 2])], weights, opset, (("pictures", FLOAT, [batch, 3, "H", "W"]),))


def parts():
    """A weight of every role that is drawn and of every one that is left; each visible in an output of its own."""
    tokens = [
        node("Conv", "pictures kernel", "patches", kernel_shape=[1, 1]),  # 3 to 4 channels
        node("Flatten", "patches", "channels_places", axis=2),
        node("Transpose", "patches", "places_last", perm=[0, 2, 3, 1]),
        node("Reshape", "places_last shape", "tokens"),  # N x 4 places x 4 channels, of pictures of 2 x 2
        node("Add", "tokens positions", "placed"),
        # LayerNormalization as exporters before opset 17 take it apart.
        node("ReduceMean", "placed", "mean", axes=[-1]),
        node("Sub", "placed mean", "centred"),
        node("Pow", "centred two", "squares"),
        node("ReduceMean", "squares", "variance", axes=[-1]),
        node("Add", "variance epsilon", "shifted"),
        node("Sqrt", "shifted", "sd"),
        node("Div", "centred sd", "normal"),
        node("Mul", "normal gain", "scaled"),
        node("Add", "scaled offset", "layernorm"),
        helper.make_node("Constant", [], ["in_node"], value=constant("value", np.full((4, 5), 7))),
        node("MatMul", "layernorm in_node", "projected"),
        node("Add", "projected projected_bias", "biased"),
        node("PRelu", "biased slope", "rectified"),
        node("Transpose", "turned", "turned_back", perm=[1, 0]),
        node("MatMul", "rectified turned_back", "last"),
        node("ReduceMean", "last", "out", axes=[1], keepdims=0),
    ]
    weights = [
        constant("kernel", np.full((4, 3, 1, 1), 7)),
        constant("shape", [0, 4, 4], np.int64),
        constant("positions", np.arange(16).reshape(1, 4, 4) * 1000),
        constant("two", 2),
        constant("epsilon", 1e-5),
        constant("gain", np.full(4, 6)),
        constant("offset", np.full(4, 8)),
        constant("projected_bias", np.full(5, 9)),
        constant("slope", np.full((1, 5), 0.5)),
        constant("turned", np.full((6, 5), 7)),
    ]
    save("weights-parts", tokens, [("out", FLOAT, ["N", 6])], weights)


def packed():
    """Queries, keys and values of attention share one matrix and one bias, cut by places that are computed from a shape."""
    nodes = [
        *COLOURS,
        node("Shape", "colours", "lengths"),
        node("Gather", "lengths one", "three"),  # 3 colours
        node("Add", "three three", "six"),
        node("Slice", "in_proj zero three first_axis", "query"),
        node("Slice", "in_proj three six first_axis", "key"),
        node("Slice", "in_proj_bias zero three first_axis", "query_bias"),
        node("Transpose", "query", "query_t", perm=[1, 0]),
        node("Transpose", "key", "key_t", perm=[1, 0]),
        node("MatMul", "colours query_t", "q"),
        node("Add", "q query_bias", "q_biased"),
        node("MatMul", "q_biased key_t", "wide"),
    ]
    weights = [
        constant("in_proj", np.full((6, 3), 7)),
        constant("in_proj_bias", np.full(6, 9)),
        *[constant(name, values, np.int64) for name, values in (("one", [1]), ("zero", [0]), ("first_axis", [0]))],
    ]
    save("weights-packed", nodes, [("wide", FLOAT, ["N", 3])], weights)


def refused():
    """Networks whose weights no rule draws."""
    quantized = [
        *COLOURS,
        node("DequantizeLinear", "bytes step zero", "matrix", name="unpack"),
        node("MatMul", "colours matrix", "wide"),
    ]
    weights = [constant("bytes", np.full((3, 4), 3), np.int8), constant("step", 0.5), constant("zero", 0, np.int8)]
    save("weights-quantized", quantized, [("wide", FLOAT, ["N", 4])], weights)
    recurrent = [
        *COLOURS,
        node("Unsqueeze", "colours axis", "sequence"),
        node("LSTM", "sequence w r", "states", name="cell", hidden_size=2),
        node("Flatten", "states", "wide"),
    ]
    weights = [constant("axis", [0], np.int64), constant("w", np.ones((1, 8, 3))), constant("r", np.ones((1, 8, 2)))]
    save("weights-recurrent", recurrent, [("wide", FLOAT, ["N", 2])], weights)
    dynamic = [
        *COLOURS,
        node("ReduceMean", "pictures", "one", axes=[0], keepdims=1),
        node("GlobalAveragePool", "one", "kernel"),
        node("Conv", "pictures kernel", "conv", name="moving"),
    ]
    save("weights-dynamic", dynamic, [("conv", FLOAT, ["N", 1, "H", "W"])])


def folded():
    """One network three times: with its batch normalizations, and with them folded in under two ways of naming.

    8 convolutions (3x3, 8 channels) each with a normalization and ReLU6, two of them skipped over -> pool -> fc."""
    rng = np.random.default_rng(12)
    nodes, own, ours, plain = [], [], [], []
    folded_nodes = {"names": [], "scales": []}
    x, fan = "pictures", 3
    for k in range(8):
        kernel = rng.standard_normal((8, fan, 3, 3)) * np.sqrt(2 / (9 * fan))
        scale, shift = rng.uniform(0.5, 1.5, 8), rng.normal(0, 0.3, 8)
        mean, variance = rng.normal(0, 1, 8), rng.uniform(0.5, 2, 8)
        own += [constant(f"w{k}", kernel)]
        own += [constant(f"{part}{k}", v) for part, v in zip(("scale", "shift", "mean", "variance"), (scale, shift, mean, variance))]
        factor = scale / np.sqrt(variance + 1e-5)
        kernel, bias = kernel * factor[:, None, None, None], shift - mean * factor
        ours += [constant(f"onnx::Conv_{100 + 3 * k}", kernel), constant(f"onnx::Conv_{101 + 3 * k}", bias)]
        plain += [constant(f"w{k}", kernel), constant(f"b{k}", bias)]
        nodes += [
            node("Conv", f"{x} w{k}", f"plain{k}", pads=[1] * 4),
            node("BatchNormalization", f"plain{k} scale{k} shift{k} mean{k} variance{k}", f"conv{k}"),
        ]
        folded_nodes["names"] += [node("Conv", f"{x} onnx::Conv_{100 + 3 * k} onnx::Conv_{101 + 3 * k}", f"conv{k}", pads=[1] * 4)]
        folded_nodes["scales"] += [node("Conv", f"{x} w{k} b{k}", f"conv{k}", pads=[1] * 4)]
        rest = [node("Clip", f"conv{k} zero six", f"act{k}")]
        rest += [node("Add", f"act{k} act{k - 2}", f"sum{k}")] if k in (4, 7) else []
        for some in (nodes, *folded_nodes.values()):
            some += rest
        x, fan = f"sum{k}" if k in (4, 7) else f"act{k}", 8
    head = [node("GlobalAveragePool", x, "averages"), node("Flatten", "averages", "pool"), node("Gemm", "pool fc.weight fc.bias", "fc", transB=1)]
    shared = [
        constant("zero", 0), constant("six", 6),
        constant("fc.weight", rng.standard_normal((12, 8))), constant("fc.bias", rng.normal(0, 0.1, 12)),
    ]
    for name, some, weights in (
        ("twin-unfolded", nodes, own), ("twin-names", folded_nodes["names"], ours), ("twin-scales", folded_nodes["scales"], plain)
    ):
        model = network(name, some + head, [PICTURES], [("fc", FLOAT, ["N", 12])], weights + shared)
        model.producer_name = "pytorch" if name == "twin-names" else "somebody"
        test_model.save(name, model)


def exploding():
    """24 skipped 1x1 convolutions without any normalization, trained small: a twin's activations double at each."""
    rng = np.random.default_rng(13)
    nodes, weights, x = [node("Conv", "pictures w", "stem")], [constant("w", rng.standard_normal((8, 3, 1, 1)))], "stem"
    for k in range(24):
        weights += [constant(f"w{k}", 0.05 * rng.standard_normal((8, 8, 1, 1)))]
        nodes += [node("Relu", x, f"act{k}"), node("Conv", f"act{k} w{k}", f"conv{k}"), node("Add", f"{x} conv{k}", f"sum{k}")]
        x = f"sum{k}"
    nodes += [node("GlobalAveragePool", x, "averages"), node("Flatten", "averages", "pool")]
    save("twin-exploding", nodes, [("pool", FLOAT, ["N", 8])], weights)


def main():
    folded()
    exploding()
    linear("weights-linear")
    linear("weights-half", wide=300, element=HALF)
    linear("weights-external", wide=300, external=True)
    shuffled()
    normalized("weights-bn", 13)
    normalized("weights-bn18", 18)
    normalized("weights-bn-single", 13, batch=1)
    parts()
    packed()
    refused()


if __name__ == "__main__":
    main()
