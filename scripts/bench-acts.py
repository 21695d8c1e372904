#!/usr/bin/env python3
"""How fast ann-acts is, beside ONNX Runtime alone, Pillow and (where a Python has them) torch and torchvision.

    bench-acts.py [--rounds 3] [--threads N] [--batch 16] [--folder build/bench/acts] [--torch-python PYTHON]

Networks of the shapes of ResNet-50 and MobileNetV2 and the pictures are made here from a seed. Rates are marginal, so that starting
and loading do not count: (pictures of the long run - of the short one) / (seconds of the long one - of the short one),
best of the rounds, peers in turn within a round. `share` is end to end over ONNX Runtime's own rate on batches that
lie ready in memory, same library, threads and batch. What decoding must cost at least is said beside it: with all cores busy
the share cannot exceed 1 / (1 + CPU time to prepare a picture / CPU time of the network for it).
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
ACTS = ROOT / "target/release/ann-acts"
LIBRARY = ROOT / "build/onnxruntime/libonnxruntime.so"


class Net:
    """A network of convolutions with random weights, scaled to keep the size of what flows through."""

    def __init__(self):
        from onnx import helper, numpy_helper

        self.helper, self.numpy_helper = helper, numpy_helper
        self.rng, self.nodes, self.weights, self.n = np.random.default_rng(0), [], [], 0

    def node(self, op, inputs, **attributes):
        self.n += 1
        out = f"t{self.n}"
        self.nodes.append(self.helper.make_node(op, inputs, [out], **attributes))
        return out

    def conv(self, x, n_in, n_out, kernel, stride=1, group=1):
        fan_in = n_in // group * kernel * kernel
        values = self.rng.standard_normal((n_out, n_in // group, kernel, kernel), dtype=np.float32) / np.float32(np.sqrt(fan_in))
        name = f"w{self.n}"
        self.weights.append(self.numpy_helper.from_array(values, name))
        return self.node("Conv", [x, name], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, group=group)

    def save(self, x, path):
        from onnx import TensorProto

        self.nodes.append(self.helper.make_node("GlobalAveragePool", [x], ["average"]))
        self.nodes.append(self.helper.make_node("Flatten", ["average"], ["pool"]))
        graph = self.helper.make_graph(
            self.nodes, "bench",
            [self.helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["N", 3, 224, 224])],
            [self.helper.make_tensor_value_info("pool", TensorProto.FLOAT, None)], self.weights)
        model = self.helper.make_model(graph, ir_version=8, opset_imports=[self.helper.make_opsetid("", 13)])
        path.write_bytes(model.SerializeToString())


def resnet50(path):
    net = Net()
    x = net.node("Relu", [net.conv("pictures", 3, 64, 7, 2)])
    x = net.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    n_in = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = net.node("Relu", [net.conv(x, n_in, width, 1)])
            y = net.node("Relu", [net.conv(y, width, width, 3, stride)])
            y = net.conv(y, width, width * 4, 1)
            x = net.conv(x, n_in, width * 4, 1, stride) if not block else x
            x, n_in = net.node("Relu", [net.node("Add", [x, y])]), width * 4
    net.save(x, path)


def mobilenetv2(path):
    net = Net()
    relu6 = lambda x: net.node("Clip", [x, "zero", "six"])
    for name, value in (("zero", 0), ("six", 6)):
        net.weights.append(net.numpy_helper.from_array(np.array(value, np.float32), name))
    x, n_in = relu6(net.conv("pictures", 3, 32, 3, 2)), 32
    for t, n_out, n, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(n):
            stride, wide = first if i == 0 else 1, n_in * t
            y = relu6(net.conv(x, n_in, wide, 1)) if t > 1 else x
            y = relu6(net.conv(y, wide, wide, 3, stride, group=wide))
            y = net.conv(y, wide, n_out, 1)
            x, n_in = (net.node("Add", [x, y]) if stride == 1 and n_in == n_out else y), n_out
    net.save(relu6(net.conv(x, 320, 1280, 1)), path)


def nothing(path):
    """The mean of each colour: what is left is reading, decoding and resizing."""
    Net().save("pictures", path)


def pictures(folder, n):
    """JPEGs of 1024 x 768, colour, quality 90: clouds of three sizes and grain, about 200 kB each, as photographs are."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        path = folder / f"{i:04}.jpg"
        if path.exists():
            continue
        rng = np.random.default_rng(i)
        image = np.zeros((768, 1024, 3), np.float32)
        for cells, size in ((4, 70), (16, 40), (64, 20)):
            cloud = rng.uniform(-size, size, (cells * 3 // 4, cells, 3)).astype(np.float32)
            for colour in range(3):
                image[..., colour] += np.asarray(Image.fromarray(cloud[..., colour]).resize((1024, 768), Image.BICUBIC))
        image += 128 + rng.normal(0, 6, image.shape)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(path, quality=90)


def timed(command, log):
    """Wall seconds, CPU seconds and peak MB of a whole process; its failure ends the benchmark."""
    start = time.perf_counter()
    with open(log, "wb") as out:
        child = subprocess.Popen([str(part) for part in command], stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"bench-acts: {' '.join(map(str, command))} failed:\n{pathlib.Path(log).read_text(errors='replace')}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


PURE = """
import sys, time, json, resource, numpy as np, onnxruntime as ort
model, batch, threads, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
options = ort.SessionOptions(); options.intra_op_num_threads = threads
session = ort.InferenceSession(model, options, providers=['CPUExecutionProvider'])
x = np.random.default_rng(0).standard_normal((batch, 3, 224, 224), dtype=np.float32)
for _ in range(2): session.run(['pool'], {'pictures': x})
cpu = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
start, start_cpu, n = time.perf_counter(), cpu(), 0
while time.perf_counter() - start < seconds: session.run(['pool'], {'pictures': x}); n += batch
print(json.dumps({'rate': n / (time.perf_counter() - start), 'cpu': (cpu() - start_cpu) / n}))
"""

PILLOW = """
import sys, time, json, glob, numpy as np
from PIL import Image
files = sorted(glob.glob(sys.argv[1] + '/*.jpg'))
mean, sd = np.array([.485, .456, .406], np.float32)[:, None, None], np.array([.229, .224, .225], np.float32)[:, None, None]
def prepare(file):
    image = Image.open(file).convert('RGB'); w, h = image.size
    image = image.resize((256 * w // min(w, h), 256 * h // min(w, h)), Image.BILINEAR); w, h = image.size
    left, top = round((w - 224) / 2), round((h - 224) / 2)
    return (np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32).transpose(2, 0, 1) / np.float32(255) - mean) / sd
prepare(files[0]); start = time.perf_counter()
for file in files: prepare(file)
print(json.dumps({'rate': len(files) / (time.perf_counter() - start)}))
"""

TORCH = """
import sys, time, json, glob, resource, torch, torchvision
from PIL import Image
files = sorted(glob.glob(sys.argv[1] + '/*.jpg')); threads = int(sys.argv[2]); torch.set_num_threads(threads)
net = torchvision.models.resnet50(weights=None).eval()
steps = torchvision.transforms.Compose([torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(224), torchvision.transforms.ToTensor(),
    torchvision.transforms.Normalize([.485, .456, .406], [.229, .224, .225])])
class Set(torch.utils.data.Dataset):
    def __len__(self): return len(files)
    def __getitem__(self, i): return steps(Image.open(files[i]).convert('RGB'))
kept = []; net.avgpool.register_forward_hook(lambda *a: kept.append(a[2].flatten(1).numpy()))
start = time.perf_counter()
with torch.inference_mode():
    for x in torch.utils.data.DataLoader(Set(), batch_size=int(sys.argv[3]), num_workers=threads): net(x)
print(json.dumps({'rate': len(files) / (time.perf_counter() - start), 'mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def peer(interpreter, code, *arguments):
    out = subprocess.run([interpreter, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"bench-acts: a peer failed:\n{out.stderr}")
    return json.loads(out.stdout.splitlines()[-1])


def marginal(command, short, long, log):
    """Pictures per second and CPU seconds per picture, of the pictures that the long list has beyond the short one; peak MB."""
    n = [len(pathlib.Path(part).read_text().splitlines()) - 1 for part in (short, long)]
    (t0, c0, _), (t1, c1, mb) = (timed([*command, part], log) for part in (short, long))
    return (n[1] - n[0]) / (t1 - t0), (c1 - c0) / (n[1] - n[0]), mb


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments.add_argument("--batch", type=int, default=16)
    arguments.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/bench/acts")
    arguments.add_argument("--torch-python", default=sys.executable)
    arguments.add_argument("--make", action="store_true", help="only make networks and pictures")
    options = arguments.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if options.make:
        for name, make in (("resnet50", resnet50), ("mobilenetv2", mobilenetv2), ("nothing", nothing)):
            if not (folder / f"{name}.onnx").exists():
                make(folder / f"{name}.onnx")
        return pictures(folder / "pictures", 64)
    # In a process of its own: the peak memory of a child counts from that of its parent.
    subprocess.run([sys.executable, __file__, "--make", "--folder", folder], check=True)
    lists = {}
    for n in (1, 16, 96, 256, 768):
        lists[n] = folder / f"{n}.csv"
        lists[n].write_text("path,stimulus\n" + "".join(f"pictures/{i % 64:04}.jpg,s{i}\n" for i in range(n)))
    log = folder / "log.txt"
    os.environ["ORT_DYLIB_PATH"] = str(LIBRARY)
    base = ["--preprocess", "imagenet", "--layer", "pool", "--device", "cpu", "--quiet", "-o", folder / "out.npy"]

    one = ["--threads", "1", "--batch", "16"]
    prepare, pillow = [], []
    for _ in range(options.rounds):
        prepare.append(marginal([ACTS, folder / "nothing.onnx", *base, *one], lists[16], lists[256], log))
        pillow.append(peer(sys.executable, PILLOW, folder / "pictures")["rate"])
    ours, theirs = max(rate for rate, _, _ in prepare), max(pillow)
    cpu_prepare = min(cpu for _, cpu, _ in prepare)
    print(f"decode, resize, normalize on one core, 1024 x 768 JPEG: {ours:.0f} images/s; Pillow {theirs:.0f}; ratio {ours / theirs:.2f}")

    start = min(timed([ACTS, folder / "nothing.onnx", *base, lists[1]], log)[0] for _ in range(5))
    print(f"start-up with one picture and a network without weights: {start:.3f} s")

    memory = 0
    both = ["--threads", options.threads, "--batch", options.batch]
    for name, short, long in (("resnet50", 16, 96), ("mobilenetv2", 96, 768)):
        rates, pure = [], []
        for _ in range(options.rounds):
            pure.append(peer(sys.executable, PURE, folder / f"{name}.onnx", options.batch, options.threads, 4))
            rates.append(marginal([ACTS, folder / f"{name}.onnx", *base, *both], lists[short], lists[long], log))
            pure.append(peer(sys.executable, PURE, folder / f"{name}.onnx", options.batch, options.threads, 4))
        rate, floor = max(r for r, _, _ in rates), max(p["rate"] for p in pure)
        cpu = min(p["cpu"] for p in pure)
        mb = max(mb for _, _, mb in rates)
        memory = mb if name == "resnet50" else memory
        bound = 1 / (1 + cpu_prepare / cpu)
        print(f"{name}: {rate:.1f} images/s end to end, ONNX Runtime alone {floor:.1f}; share {rate / floor:.3f}, "
              f"bound {bound:.3f} with {options.threads} busy cores; {mb:.0f} MB")

    has_torch = subprocess.run([options.torch_python, "-c", "import torch, torchvision"], capture_output=True).returncode == 0
    if has_torch:
        torch = peer(options.torch_python, TORCH, folder / "pictures", options.threads, options.batch)
        print(f"resnet50 in torch with a DataLoader: {torch['rate']:.1f} images/s, {torch['mb']:.0f} MB; ours {memory:.0f} MB, "
              f"ratio {memory / torch['mb']:.2f}")
    else:
        print("torch and torchvision: skipped, this Python has none (--torch-python names one that has)")


if __name__ == "__main__":
    main()
