#!/usr/bin/env python3
"""Turn a network of torchvision, timm or your own into an ONNX file for ann-acts, and prove that it is the same.

Layers keep the names of their modules (ann-acts --layer layer4.1.relu), any number of pictures goes in at once, and
config.json beside the network tells ann-acts how pictures are prepared. The file is run by ONNX Runtime beside torch
on random pictures; where an output or an inner module differs, nothing is written.
"""

import argparse
import collections
import contextlib
import copy
import dataclasses
import difflib
import hashlib
import importlib
import importlib.util
import inspect
import json
import logging
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import warnings

EXAMPLES = """examples:
  # weights come from the internet on the first call
  scripts/export-onnx.py torchvision:resnet18 --weights DEFAULT -o resnet18/model.onnx
  # the untrained network of the same shape
  scripts/export-onnx.py timm:vit_tiny_patch16_224 --no-pretrained --seed 1 -o vit-untrained/model.onnx
  # your own: make_model() in mymodule.py returns the nn.Module
  scripts/export-onnx.py mymodule.py:make_model --size 64 --mean 0.5 --std 0.25 -o mine/model.onnx
"""

# What a protobuf file can hold is 2 GiB; the graph itself needs some room beside the weights.
LARGEST_FILE = 2_000_000_000
# Evenly spread over the network; all of a ResNet-50 or a ViT-B would be some 200.
MOST_CHECKED = 64
MOST_CHECKED_BYTES = 1 << 30
# ann-acts looks for these before config.json.
READ_EARLIER = ["processor_config.json", "preprocessor_config.json", "preprocess_cfg.json", "open_clip_config.json"]
INTERPOLATIONS = ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
SCOPES = "pkg.torch.onnx.name_scopes"


class Refused(Exception):
    """What is wrong; what to do."""


def say(text):
    print(f"export-onnx: {text}", file=sys.stderr)


def need(module, package=None):
    """Imports a package of the user's environment, or says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = package or module.split(".")[0]
        raise Refused(f"{sys.executable} cannot import {module} ({error}); {sys.executable} -m pip install {package}")


# ---------------------------------------------------------------- how pictures are prepared


@dataclasses.dataclass
class Steps:
    """From picture to network input: resize, centre crop, x / 255, minus mean, over std."""

    resize: object = None  # N: the short side to N; (H, W): exactly that; None: as it is
    crop: object = None  # (H, W) or None
    interpolation: str = "bilinear"
    mean: tuple = (0.0, 0.0, 0.0)
    std: tuple = (1.0, 1.0, 1.0)
    n_colours: int = 3

    def as_options(self):
        """The same steps as options of ann-acts."""

        def sides(size):
            return "none" if size is None else size if isinstance(size, int) else "x".join(map(str, size))

        def colours(values):
            return ",".join(f"{value:g}" for value in values)

        return (
            f"--preprocess raw01 --resize {sides(self.resize)} --crop {sides(self.crop)} "
            f"--interpolation {self.interpolation} --mean {colours(self.mean)} --std {colours(self.std)}"
        )


def config_of(steps):
    """The steps in the form of timm's pretrained_cfg, which ann-acts follows exactly."""

    def refuse(why):
        return Refused(
            f"config.json cannot say these steps ({why}); export with --no-config --size HxW, and give ann-acts "
            f"{steps.as_options()}"
        )

    if steps.resize is None:
        raise refuse("pictures are not resized")
    squash = not isinstance(steps.resize, int)
    size = steps.crop or (steps.resize if squash else None)
    if size is None:
        raise refuse("without a crop, pictures keep their proportions and differ in size")
    if not squash and size[0] != size[1]:
        raise refuse(f"the short side to {steps.resize}, then a crop that is not square")
    resized = steps.resize if squash else (steps.resize, steps.resize)
    # The file holds a ratio, and a reader takes int(size / ratio): half a pixel more survives the rounding.
    ratios = [side / (to + more) for more in (0, 0.5) for side, to in zip(size, resized)]
    fits = (ratio for ratio in ratios if all(int(side / ratio) == to for side, to in zip(size, resized)))
    ratio = next(fits, None)
    if ratio is None:
        raise refuse(f"resized to {resized}, cropped to {size}: height and width in different ratios")
    return {
        "input_size": [steps.n_colours, *size],
        "crop_pct": ratio,
        "crop_mode": "squash" if squash else "center",
        "interpolation": steps.interpolation,
        "mean": list(map(float, steps.mean)),
        "std": list(map(float, steps.std)),
    }


def steps_of(transform):
    """The steps of a torchvision transform for pictures; one that cannot be followed is refused by name."""
    kind = type(transform).__name__
    if kind == "ImageClassification":
        if not transform.antialias:
            raise Refused(
                "antialias=False; ann-acts filters as Pillow does, say antialias=True if pictures are Pillow's"
            )
        resize, crop = list(transform.resize_size), list(transform.crop_size)
        return Steps(
            resize=resize[0] if len(resize) == 1 else tuple(resize),
            crop=(crop * 2)[:2] and tuple((crop * 2)[:2]),
            interpolation=filter_of(transform.interpolation),
            mean=tuple(transform.mean),
            std=tuple(transform.std),
        )
    steps, is_tensor, is_scaled, is_normalized = Steps(), False, False, False
    for step in flat(transform):
        kind, module = type(step).__name__, type(step).__module__
        if not module.startswith("torchvision.transforms"):
            raise Refused(
                f"a transform {kind} of {module} is not among those that can be followed; write the steps with "
                "torchvision's Resize, CenterCrop, ToTensor, Normalize, or give --size --mean --std"
            )
        if kind == "Resize":
            if is_tensor or steps.crop:
                raise Refused(
                    "Resize stands behind ToTensor or CenterCrop; ann-acts resizes pictures, first: put Resize first"
                )
            if step.max_size is not None:
                raise Refused(f"Resize(max_size={step.max_size}) cannot be followed; leave out max_size")
            if step.antialias is False:
                raise Refused("Resize(antialias=False): ann-acts filters as Pillow does; say antialias=True")
            size = [step.size] if isinstance(step.size, int) else list(step.size)
            steps.resize = size[0] if len(size) == 1 else tuple(size)
            steps.interpolation = filter_of(step.interpolation)
        elif kind == "CenterCrop" and not is_normalized:
            size = [step.size] if isinstance(step.size, int) else list(step.size)
            steps.crop = tuple((size * 2)[:2])
        elif kind == "ToTensor":
            is_tensor = is_scaled = True
        elif kind in ("PILToTensor", "ToImage", "ToPureTensor", "RGB"):
            is_tensor |= kind != "RGB"
        elif kind == "ConvertImageDtype" or (kind == "ToDtype" and step.scale):
            is_scaled = True
        elif kind == "Normalize" and not is_normalized:
            steps.mean, steps.std = (tuple(map(float, values)) for values in (step.mean, step.std))
            is_normalized = True
        elif kind != "Identity":
            raise Refused(
                f"the transform {kind} at its place cannot be followed; ann-acts knows Resize, CenterCrop, "
                "ToTensor, Normalize in this order: leave it out, or export with --no-config"
            )
    if not is_scaled:
        raise Refused(
            "the transform leaves values from 0 to 255; export with --no-config and give ann-acts "
            + steps.as_options().replace("raw01", "raw255")
        )
    return steps


def flat(transform):
    for step in getattr(transform, "transforms", None) or [transform]:
        yield from flat(step) if step is not transform else [step]


def filter_of(mode):
    """The name of a filter; on pictures torchvision's nearest-exact is Pillow's nearest, too."""
    name = getattr(mode, "value", mode)
    name = "nearest" if name == "nearest-exact" else name
    if name not in INTERPOLATIONS:
        raise Refused(f"interpolation {name} is not one of {' '.join(INTERPOLATIONS)}; choose another")
    return name


def prepared(picture, config):
    """What ann-acts makes of a picture with this config.json, as a colour x row x column array."""
    np, image = need("numpy"), need("PIL.Image", "pillow")
    _, height, width = config["input_size"]
    scaled_height, scaled_width = (int(side / config["crop_pct"]) for side in (height, width))
    old_width, old_height = picture.size
    fill = (0, 0, 0)
    if config["crop_mode"] == "squash":
        to = (scaled_width, scaled_height)
    elif config["crop_mode"] == "border":
        ratio = max(old_height / scaled_height, old_width / scaled_width)
        to = (round(old_width / ratio), round(old_height / ratio))
        fill = tuple(round(255 * value) for value in config["mean"])
    elif scaled_height != scaled_width:
        # ann-acts follows the versions of timm that resize with their default here.
        ratio = min(old_height / scaled_height, old_width / scaled_width)
        to = (round(old_width / ratio), round(old_height / ratio))
        config = {**config, "interpolation": "bilinear"}
    else:
        short, n = min(picture.size), scaled_height
        to = tuple(n if side == short else n * side // short for side in picture.size)
    resized = picture.resize(to, getattr(image.Resampling, config["interpolation"].upper()))

    def start(length, crop):
        return (crop - length) // 2 if crop > length else -round((length - crop) / 2)

    fitted = image.new("RGB", (width, height), fill)
    fitted.paste(resized, (start(to[0], width), start(to[1], height)))
    levels = np.asarray(fitted, dtype=np.float32) / np.float32(255)
    return ((levels - np.float32(config["mean"])) / np.float32(config["std"])).transpose(2, 0, 1)


def prove_config(config, transform):
    """Refuses a config.json that prepares some picture otherwise than the transform does."""
    np, image = need("numpy"), need("PIL.Image", "pillow")
    random = np.random.default_rng(0)
    for height, width in [(301, 407), (640, 333), (97, 131), (256, 256)]:
        picture = image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        ours, theirs = prepared(picture, config), np.asarray(transform(picture))
        if ours.shape != theirs.shape or not np.array_equal(ours, theirs):
            raise Refused(
                f"config.json would prepare a picture of {width} x {height} otherwise than the transform does "
                f"({theirs.shape} from torch, {ours.shape} from config.json); export with --no-config"
            )


# ---------------------------------------------------------------- the network


def torchvision_network(name, options):
    models = need("torchvision").models
    if name not in models.list_models():
        near = difflib.get_close_matches(name, models.list_models(), 3)
        raise Refused(f"torchvision has no model {name}; nearest are {', '.join(near) or 'none'}")
    known = models.get_model_weights(name)
    is_file = options.weights and pathlib.Path(options.weights).is_file()
    weights = None
    if not is_file:
        wanted = options.weights or "DEFAULT"
        if wanted not in known.__members__:
            raise Refused(f"--weights {wanted} is neither a file nor among {', '.join(known.__members__)}")
        weights = known[wanted]
    transform = weights.transforms() if weights else None
    pretrained = weights if options.pretrained else None
    model = downloaded(lambda: models.get_model(name, weights=pretrained), name)
    if is_file:
        load_weights(model, options.weights)
    said = options.weights if is_file else str(weights).split(".")[-1] if options.pretrained else None
    return model, transform, None, said


def timm_network(name, options):
    timm = need("timm")
    if ":" not in name and not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), 3)
        raise Refused(f"timm has no model {name}; nearest are {', '.join(near) or 'none'}")
    is_file = options.weights and options.weights != "DEFAULT"
    pretrained = options.pretrained and not is_file
    model = downloaded(lambda: timm.create_model(name, pretrained=pretrained), name)
    if is_file:
        load_weights(model, options.weights)
        return model, None, None, options.weights
    data = timm.data.resolve_model_data_config(model)
    config = {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}
    transform = timm.data.create_transform(**data, is_training=False)
    tag = model.pretrained_cfg.get("tag") or model.pretrained_cfg.get("architecture")
    return model, transform, config, f"timm {tag}" if pretrained else None


def downloaded(make, name):
    try:
        return make()
    except Exception as error:
        if not isinstance(error, (OSError, RuntimeError)) and "hub" not in type(error).__module__:
            raise
        raise Refused(
            f"the weights of {name} could not be had ({brief(error)}); on a machine without internet put the file "
            "into the cache (TORCH_HOME, HF_HOME), or use --no-pretrained for random weights"
        )


def own_network(place, name, options):
    if place.endswith(".py"):
        path = pathlib.Path(place)
        if not path.is_file():
            raise Refused("no such file; give FILE.py:NAME")
        sys.path.insert(0, str(path.parent.resolve()))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    else:
        module = need(place)
    if not hasattr(module, name):
        raise Refused(f"{place} has no {name}; it has {', '.join(n for n in vars(module) if not n.startswith('_'))}")
    nn = need("torch").nn
    model = getattr(module, name)
    if not isinstance(model, nn.Module):
        model = model()
    if not isinstance(model, nn.Module):
        raise Refused(f"{name}() gives a {type(model).__name__}; it must give an nn.Module")
    if options.weights:
        load_weights(model, options.weights)
    return model, None, None, options.weights or f"as {name}() makes them"


def load_weights(model, path):
    """Loads a state_dict, or a checkpoint that holds one, with no key missing and none left over."""
    torch = need("torch")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise Refused(f"{path}: cannot be read as weights ({brief(error)}); save model.state_dict() with torch.save")
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state.get(key), dict):
            state = state[key]
    if all(key.startswith("module.") for key in state):
        say(f"{path}: all keys start with module. (DataParallel), which is left out")
        state = {key.removeprefix("module."): value for key, value in state.items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise Refused(f"{path}: does not fit the network ({brief(error, 3)})")


def plural(n, thing):
    return f"{n} {thing}" + "s" * (n != 1)


def brief(error, n_lines=1):
    """The first lines of an error, or of the one that led to it."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: " + " ".join(lines[:n_lines])[:400]


# ---------------------------------------------------------------- the ONNX file


def export(model, pictures, path, options):
    """Writes the file with one of torch's two exporters, module names kept and no layer folded into another."""
    torch = need("torch")
    onnx = need("onnx")
    n_outputs = len(tensors_of(run_torch(model, pictures)))
    outputs = ["output"] if n_outputs == 1 else [f"output_{i}" for i in range(n_outputs)]
    names = {"input_names": ["pictures"], "output_names": outputs, "opset_version": options.opset}
    try:
        if options.exporter == "dynamo":
            need("onnxscript")
            if "dynamic_shapes" not in inspect.signature(torch.onnx.export).parameters:
                raise Refused(
                    f"torch {torch.__version__} has no newer exporter that can be used; add --exporter torchscript"
                )
            shapes = None if options.fixed_batch else ({0: torch.export.Dim("N")},)
            # optimize=True would fold normalizations into convolutions, and the layers would lose their names.
            with contextlib.redirect_stdout(sys.stderr):
                program = torch.onnx.export(
                    model, (pictures,), dynamo=True, dynamic_shapes=shapes, optimize=False, verbose=False, **names
                )
            optimizer = importlib.import_module("onnxscript.optimizer")
            optimizer.fold_constants(program.model)
            optimizer.remove_unused_nodes(program.model)
            program.save(str(path), external_data=True)
        else:
            older = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
            axes = None if options.fixed_batch else {name: {0: "N"} for name in ["pictures", *outputs]}
            # training=EVAL would fold normalizations into convolutions; the model itself stands in eval mode.
            keep = torch.onnx.TrainingMode.PRESERVE
            torch.onnx.export(model, (pictures,), str(path), dynamic_axes=axes, training=keep, **older, **names)
    except Refused:
        raise
    except Exception as error:
        if options.traceback:
            raise
        other = "torchscript" if options.exporter == "dynamo" else "dynamo"
        raise Refused(
            f"torch's {options.exporter} exporter failed ({brief(error, 2)}); try --exporter {other}, or "
            "--fixed-batch if the network computes with the number of pictures (--traceback shows where)"
        )
    proto = onnx.load(str(path))
    tidy(proto.graph)
    opset = next(entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx"))
    if options.opset not in (None, opset):
        raise Refused(f"the exporter wrote opset {opset}, not {options.opset}; leave out --opset or try another")
    return proto, opset


def tidy(graph):
    """Constants and copies of weights become weights, so that a listing of layers shows layers."""
    weights = {weight.name: weight for weight in graph.initializer}
    outputs = {output.name for output in graph.output}
    kept = []
    for node in graph.node:
        made = None
        if node.output[0] in outputs:
            pass
        elif node.op_type == "Constant" and [attribute.name for attribute in node.attribute] == ["value"]:
            made = node.attribute[0].t
        elif node.op_type == "Identity" and node.input[0] in weights:
            made = weights[node.input[0]]
        if made is None:
            kept.append(node)
            continue
        made = copy.deepcopy(made)
        made.name = node.output[0]
        graph.initializer.append(made)
        weights[made.name] = made
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in names_read(node)} | outputs
    unused = [weight for weight in graph.initializer if weight.name not in used]
    for weight in unused:
        graph.initializer.remove(weight)


def names_read(node):
    yield from node.input
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for inner in graph.node:
                yield from names_read(inner)
            yield from (output.name for output in graph.output)


def save(proto, folder, name, options):
    """Writes the file, its weights beside it where one file cannot hold them; returns the names written."""
    onnx = need("onnx")
    n_bytes = sum(len(weight.raw_data) for weight in proto.graph.initializer)
    if n_bytes <= LARGEST_FILE and not options.external_data:
        onnx.save_model(proto, str(folder / name))
        return [name]
    data = f"{name}.data"
    onnx.save_model(proto, str(folder / name), save_as_external_data=True, location=data, size_threshold=1024)
    return [data, name]


def module_of(node):
    """The module whose node this is, read as ann-acts reads it; empty where there is none."""
    for entry in node.metadata_props:
        if entry.key == SCOPES:
            scopes = entry.value.split("'")[1::2]
            module = scopes[-2] if len(scopes) > 1 else ""
            return "" if module == "_empty_nn_module_stack_from_metadata_hook" else module
    module = []
    for scope in filter(None, node.name.split("/")[:-1]):
        if module and scope.startswith(module[-1] + "."):
            module.pop()
        module.append(scope)
    return ".".join(module)


# ---------------------------------------------------------------- the proof


def tensors_of(output):
    torch = need("torch")
    return [leaf for leaf in torch.utils._pytree.tree_leaves(output) if isinstance(leaf, torch.Tensor)]


def run_torch(model, pictures):
    with need("torch").no_grad():
        return model(pictures)


def random_pictures(n, config):
    """Pictures of coarse and fine noise, with the range that the network is used to."""
    torch = need("torch")
    colours, height, width = config["input_size"]
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(n, colours, 7, 7, generator=generator)
    coarse = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    levels = (0.7 * coarse + 0.3 * torch.rand(n, colours, height, width, generator=generator)).clamp(0, 1)

    def column(values):
        return torch.tensor(values[:colours]).reshape(1, -1, 1, 1)

    return (levels - column(config["mean"])) / column(config["std"])


def is_idle(module):
    """Whether a module that gives back its very input did nothing to it: one that works in place gives it back, too."""
    return not getattr(module, "inplace", False) or "Drop" in type(module).__name__


def calls_of(model, pictures, wanted=None):
    """What leaves the modules, in the order of the calls: (name, number of the call, tensor); without `wanted` the
    tensor's bytes stand in its place, and calls that give back what they were given are left out."""
    torch = need("torch")
    calls, count = [], {}

    def hook(name):
        def keep(_module, inputs, output):
            count[name] = count.get(name, -1) + 1
            if isinstance(output, torch.Tensor) and output.is_floating_point():
                key = (name, count[name])
                if wanted is None:
                    if not (inputs and output is inputs[0] and is_idle(_module)):
                        calls.append((*key, output.numel() * output.element_size()))
                elif key in wanted:
                    # The next module may work in place.
                    calls.append((*key, output.clone()))

        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in model.named_modules() if name]
    try:
        run_torch(model, pictures)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def leaving(graph):
    """The tensors that leave each module: made within it, and read outside of it or an output; in graph order."""
    readers, leave = {}, {}
    for node in graph.node:
        for tensor in names_read(node):
            readers.setdefault(tensor, set()).add(module_of(node))
    outputs = {output.name for output in graph.output}
    for node in graph.node:
        parts = module_of(node).split(".")
        paths = [".".join(parts[: n + 1]) for n in range(len(parts)) if parts[n]]
        for tensor in filter(None, node.output):
            for path in paths:
                outside = (not f"{reader}.".startswith(f"{path}.") for reader in readers.get(tensor, ()))
                if tensor in outputs or any(outside):
                    leave.setdefault(path, []).append(tensor)
    return leave


def spread(calls):
    """Some of the calls, evenly over the network, that can be held in memory."""
    n = min(len(calls), MOST_CHECKED)
    kept = [calls[i * len(calls) // n] for i in range(n)]
    while len(kept) > 1 and sum(n_bytes for _, _, n_bytes in kept) > MOST_CHECKED_BYTES:
        kept = kept[1::2]
    return kept


def prove(model, folder, name, config, options):
    """Compares outputs and modules of the file with torch's; returns what config.json says of it."""
    onnx, runtime, np = need("onnx"), need("onnxruntime"), need("numpy")
    pictures = random_pictures(1 if options.fixed_batch else 3, config)
    graph_file = onnx.load(str(folder / name), load_external_data=False)
    graph = graph_file.graph
    outputs = [output.name for output in graph.output]
    leave = leaving(graph)

    def candidates(path, call):
        """Tensors that leave the module; the older exporter numbers its later calls."""
        numbered = leave.get(f"{path}_{call}", []) if call else []
        return numbered or leave.get(path, [])

    every = calls_of(model, pictures)
    there = [call for call in every if candidates(call[0], call[1])]
    missing = sorted({path for path, call, _ in every if not candidates(path, call)})
    expected = calls_of(model, pictures, {(path, call) for path, call, _ in spread(there)})
    asked = sorted({tensor for path, call, _ in expected for tensor in candidates(path, call)} - set(outputs))
    graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in asked)
    opened = folder / "every-layer.onnx"
    opened.write_bytes(graph_file.SerializeToString())
    session_options = runtime.SessionOptions()
    session_options.log_severity_level = 3
    session = runtime.InferenceSession(str(opened), session_options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"pictures": pictures.numpy()})))
    opened.unlink()
    worst, astray = (0.0, ""), []
    count = collections.Counter(path for path, _, _ in every)

    def distance(ours, theirs):
        # NaN on one side alone stays NaN, which no limit lets through.
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        return float(np.where(same, 0, np.abs(ours - theirs)).max())

    def compare(what, theirs, tensors):
        nonlocal worst
        same_shape = [tensor for tensor in tensors if found[tensor].shape == theirs.shape]
        if not same_shape:
            return False
        # Of the largest value: small ones are sums of large ones, whose order differs.
        largest = float(np.nan_to_num(np.abs(theirs)).max()) or 1.0
        difference = min(distance(found[tensor], theirs) for tensor in same_shape) / largest
        if not difference <= options.tolerance:
            raise Refused(
                f"{what} differs from torch by {difference:.2g} of its largest value, more than "
                f"{options.tolerance:g}; nothing is written; try the other --exporter, or another --opset"
            )
        worst = max(worst, (difference, what))
        # ann-acts takes the last that leaves a module; of several calls, those of the newer exporter share a name.
        kind, _, path = what.partition(" ")
        if len(tensors) > 1 and kind == "module" and count[path] == 1:
            last = [tensor for tensor in tensors if found[tensor].dtype.kind == "f"][-1]
            if found[last].shape != theirs.shape or distance(found[last], theirs) > options.tolerance * largest:
                astray.append(path)
        return True

    for output, theirs in zip(outputs, tensors_of(run_torch(model, pictures))):
        if not compare(f"output {output}", theirs.numpy(), [output]):
            raise Refused(
                f"output {output} has shape {found[output].shape}, but {tuple(theirs.shape)} in torch; nothing is "
                "written; if the network computes with the number of pictures, --fixed-batch"
            )
    others = [
        path for path, call, theirs in expected if not compare(f"module {path}", theirs.numpy(), candidates(path, call))
    ]
    if not options.fixed_batch:
        found.update(zip(outputs, session.run(outputs, {"pictures": pictures[:1].numpy()})))
        for output, theirs in zip(outputs, tensors_of(run_torch(model, pictures[:1]))):
            if not compare(f"output {output} of one picture", theirs.numpy(), [output]):
                raise Refused("one picture alone gives another shape than in torch; nothing is written; --fixed-batch")
    n_modules = len({path for path, _, _ in every})
    n_missing = len(set(missing) | set(others))
    say(
        f"{n_modules - n_missing} of {n_modules} modules that compute something stand in the file under their names; "
        f"{plural(len(outputs), 'output')} and {plural(len(expected) - len(others), 'call')} of modules agree with "
        f"torch on {plural(len(pictures), 'random picture')}, worst difference "
        f"{worst[0]:.1e} of the largest value ({worst[1]}; limit {options.tolerance:g})"
    )
    if n_missing:
        shown = sorted(set(missing) | set(others))
        say(
            f"not in the file, as another module computes them along: {', '.join(shown[:8])}"
            + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")
        )
    if astray:
        say(
            f"warning: --layer gives another tensor than what leaves these modules: {', '.join(astray)}; "
            "see --list-layers"
        )
    return {"checked_calls": len(expected) - len(others), "worst_difference": worst[0], "tolerance": options.tolerance}


# ---------------------------------------------------------------- the command


def whole(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


def size(text):
    """N, or (H, W)."""
    try:
        sides = [whole(side) for side in text.split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise argparse.ArgumentTypeError(f"{text} is not N or HxW")
    return sides[0] if len(sides) == 1 else tuple(sides)


def colours(text):
    try:
        values = [float(value) for value in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(f"{text} is not one number or three, for red, green, blue")
    return tuple(values * 3 if len(values) == 1 else values)


def arguments():
    parser = argparse.ArgumentParser(
        prog="export-onnx.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="torchvision:NAME, timm:NAME, FILE.py:NAME or PACKAGE.MODULE:NAME; "
        "NAME of your own is an nn.Module, or what makes one when called without arguments",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=pathlib.Path,
        required=True,
        metavar="FILE.onnx",
        help="the network; config.json is written into the same folder, so give each network its own",
    )
    weights = parser.add_argument_group("weights")
    weights.add_argument(
        "--weights",
        metavar="NAME|FILE",
        help="torchvision's name of the weights [default: DEFAULT], or a file "
        "with a state_dict, which for torchvision and timm needs --transform or --size --mean --std",
    )
    weights.add_argument(
        "--no-pretrained",
        dest="pretrained",
        action="store_false",
        help="random weights, drawn from --seed as the library draws them; pictures as for the trained ones",
    )
    weights.add_argument("--seed", type=int, default=0, metavar="N", help="of torch's random numbers [default: 0]")
    pictures = parser.add_argument_group("pictures (torchvision's and timm's own weights bring all of this along)")
    pictures.add_argument(
        "--size",
        type=size,
        metavar="N|HxW",
        help="what the network takes. N: the short side to N, then a square crop; HxW: resized to exactly this",
    )
    pictures.add_argument(
        "--resize", type=size, metavar="N|HxW", help="resize to this before the crop [default: --size]"
    )
    pictures.add_argument("--interpolation", choices=INTERPOLATIONS, help="Pillow's filters [default: bilinear]")
    pictures.add_argument("--mean", type=colours, metavar="R,G,B", help="subtracted from x / 255; one number or three")
    pictures.add_argument("--std", type=colours, metavar="R,G,B", help="divided by, after that")
    pictures.add_argument("--grey", action="store_true", help="the network takes one channel")
    pictures.add_argument(
        "--transform", metavar="FILE.py:NAME", help="a torchvision transform, or what makes one, instead of these"
    )
    pictures.add_argument("--no-config", dest="config", action="store_false", help="write no config.json")
    how = parser.add_argument_group("export")
    how.add_argument(
        "--exporter",
        choices=["dynamo", "torchscript"],
        default="dynamo",
        help="torch's newer exporter (torch.export) or its older one [default: dynamo]",
    )
    how.add_argument("--opset", type=whole, metavar="N", help="version of ONNX's operators [default: torch's choice]")
    how.add_argument(
        "--fixed-batch", action="store_true", help="one picture at a time, for networks that compute with their number"
    )
    how.add_argument(
        "--external-data", action="store_true", help="weights into FILE.onnx.data, as is done above 2 GB in any case"
    )
    how.add_argument(
        "--tolerance",
        type=float,
        default=1e-4,
        metavar="X",
        help="largest difference from torch, of the largest value "
        "of the layer [default: 1e-4: sums of f4 in another order differ by some 1e-6 in each layer]",
    )
    how.add_argument("--no-check", dest="check", action="store_false", help="do not compare with torch")
    how.add_argument("--traceback", action="store_true", help="show where an exporter failed")
    options = parser.parse_args()
    place, colon, name = options.source.partition(":")
    if not colon or not place or not name:
        parser.error(f"SOURCE {options.source} is not torchvision:NAME, timm:NAME, FILE.py:NAME or PACKAGE.MODULE:NAME")
    options.library = place if place in ("torchvision", "timm") else None
    if options.output.suffix != ".onnx":
        parser.error(f"--output {options.output} does not end in .onnx")
    steps = [
        name
        for name in ("size", "resize", "interpolation", "mean", "std", "grey", "transform")
        if getattr(options, name)
    ]
    of_file = bool(options.weights) and pathlib.Path(options.weights).is_file()
    if options.library and steps and options.config and not of_file:
        parser.error(f"--{steps[0]}: the weights of {place} bring their own; ann-acts --{steps[0]} overrides them")
    if options.library and of_file and not options.pretrained:
        parser.error("--no-pretrained and --weights FILE exclude each other")
    if not options.library and not options.pretrained:
        parser.error("--no-pretrained is for torchvision and timm; your own function chooses its weights")
    if options.transform and len(steps) > 1:
        parser.error("--transform says all the steps; leave out the others")
    if not options.library or of_file:
        if not options.transform and not (options.size and (not options.config or (options.mean and options.std))):
            parser.error("how are pictures prepared? give --size, --mean and --std, or --transform FILE.py:NAME")
    return options


def asked_steps(options):
    """The steps of --size and its companions."""
    side = options.size
    crop = (side, side) if isinstance(side, int) else side
    steps = Steps(options.resize or side, crop, options.interpolation or "bilinear", n_colours=1 if options.grey else 3)
    steps.mean, steps.std = options.mean or steps.mean, options.std or steps.std
    return steps


def own_transform(where):
    place, _, name = where.rpartition(":")
    if not place:
        raise Refused(f"--transform {where} is not FILE.py:NAME")
    spec = importlib.util.spec_from_file_location("transform_of_pictures", place)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(pathlib.Path(place).parent.resolve()))
    spec.loader.exec_module(module)
    transform = getattr(module, name)
    is_maker = inspect.isfunction(transform)
    return transform() if is_maker else transform


def picture_config(options, transform, config):
    """What config.json says of pictures, proven against the transform where there is one."""
    if options.transform:
        transform = own_transform(options.transform)
    elif options.size:
        transform = None
    if transform is None:
        steps = asked_steps(options)
        if not options.config:
            height, width = steps.crop
            return {"input_size": [steps.n_colours, height, width], "mean": list(steps.mean), "std": list(steps.std)}
        return config_of(steps)
    config = config or config_of(steps_of(transform))
    prove_config(config, transform)
    return config


def in_words(config):
    colours, height, width = config["input_size"]
    scaled = [int(side / config["crop_pct"]) for side in (height, width)]
    way = {"squash": f"resized to {scaled[0]}x{scaled[1]}", "border": f"fitted into {scaled[0]}x{scaled[1]}"}
    resize = way.get(config["crop_mode"], f"short side to {scaled[0]}")
    return (
        f"{resize} ({config['interpolation']}), crop {height}x{width}, (x / 255 - {config['mean']}) / {config['std']}"
    )


def check_place(path, options):
    """Refuses a folder in which ann-acts would follow another configuration, or in which one would be lost."""
    if not options.config:
        return
    for name in READ_EARLIER:
        if (path.parent / name).exists():
            raise Refused(
                f"{path.parent / name} is there, and ann-acts follows it before config.json; give another folder to -o"
            )
    there = path.parent / "config.json"
    if there.exists():
        try:
            written_for = json.loads(there.read_text())["export"]["network"]
        except (ValueError, KeyError, TypeError):
            written_for = None
        if written_for != path.name:
            raise Refused(
                f"{there} is there and belongs to {written_for or 'something else'}; give another folder to -o, "
                "or --no-config"
            )


def run(options):
    torch = need("torch")
    check_place(options.output, options)
    if options.check:
        need("onnxruntime")
    need("onnx")
    torch.manual_seed(options.seed)
    place, _, name = options.source.partition(":")
    makers = {"torchvision": torchvision_network, "timm": timm_network}
    if options.library:
        model, transform, config, weights = makers[options.library](name, options)
    else:
        model, transform, config, weights = own_network(*options.source.rsplit(":", 1), options)
    model = getattr(model, "module", model) if isinstance(model, torch.nn.DataParallel) else model
    model = model.cpu().float().eval()
    # In eval mode the attention of torch may take a road that no exporter knows.
    if hasattr(torch.backends, "mha"):
        torch.backends.mha.set_fastpath_enabled(False)
    config = picture_config(options, transform, config)
    pictures = random_pictures(1 if options.fixed_batch else 2, config)
    try:
        twice = [tensors_of(run_torch(model, pictures)) for _ in range(2)]
    except Exception as error:
        if options.traceback:
            raise
        raise Refused(
            f"the network does not take pictures of shape {tuple(pictures.shape)} ({brief(error)}); it must take one "
            "batch of pictures and nothing else"
        )
    if not all(torch.equal(a, b) or torch.isnan(a).any() for a, b in zip(*twice)):
        raise Refused(
            "the network gives other numbers each time it sees the same pictures; make what is random in it "
            "depend on self.training"
        )
    folder = options.output.parent
    made = [above for above in [folder, *folder.parents] if not above.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix=".export-onnx-", dir=folder))
    try:
        proto, opset = export(model, pictures, scratch / "exported.onnx", options)
        (scratch / "whole").mkdir()
        scratch_whole = scratch / "whole"
        files = save(proto, scratch_whole, options.output.name, options)
        proof = prove(model, scratch_whole, options.output.name, config, options) if options.check else None
        record = {
            "network": options.output.name,
            "sha256": hashlib.sha256((scratch_whole / options.output.name).read_bytes()).hexdigest(),
            "source": options.source,
            "weights": weights or f"random, seed {options.seed}",
            "exporter": options.exporter,
            "opset": opset,
            "torch": torch.__version__,
            "proof": proof,
        }
        if options.config:
            text = {"architecture": name, "pretrained_cfg": config, "export": record}
            (scratch_whole / "config.json").write_text(json.dumps(text, indent=2) + "\n")
            files.insert(0, "config.json")
        for file in files:
            os.replace(scratch_whole / file, folder / file)
        made = []
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        for above in made:
            with contextlib.suppress(OSError):
                above.rmdir()
    n_bytes = sum((folder / file).stat().st_size for file in files)
    say(
        f"{options.output}: {n_bytes / 1e6:.1f} MB, opset {opset}, {options.exporter} exporter of torch "
        f"{torch.__version__}, weights: {record['weights']}"
    )
    if options.config:
        say(f"{folder / 'config.json'}: {in_words(config)}")
    if not options.check:
        say("warning: not compared with torch (--no-check)")


def main():
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    try:
        run(options)
    except Refused as error:
        print(f"export-onnx: {options.source}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if options.traceback:
            raise
        print(f"export-onnx: {options.source}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
