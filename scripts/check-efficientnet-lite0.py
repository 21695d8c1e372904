#!/usr/bin/env python3
"""Check a converted EfficientNet-lite0 on pictures of the set-up; exit 1 and one line if it is not what it should be.

    check-efficientnet-lite0.py MODEL.onnx STIMULI_DIR

1. Every tensor that the project names is an output, with its number of channels.
2. Pictures whose ImageNet class the trained network knows: that class is among its best (emoji are far from
   photographs, so only clear cases are asked for).
3. Eight logits of one picture against values kept here, within 1e-3 (the kernels of other processors differ by about
   1e-4 where values are near 10), so that a change of weights, graph or preprocessing does not pass unseen.
"""

import pathlib
import sys

import numpy as np
import onnxruntime
from PIL import Image

BLOCK_CHANNELS = [16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320]
CHANNELS = {"stem": 32, "head": 1280, "pool": 1280, "logits": 1000}
CHANNELS |= {f"block_{i:02}": n for i, n in enumerate(BLOCK_CHANNELS)}

# picture, ImageNet class, how far down the ranking it may be
KNOWN = [
    ("bucket", 463, 1),
    ("church", 497, 1),
    ("umbrella", 879, 1),
    ("accordion", 401, 5),
    ("telephone", 528, 5),
    ("laptop", 620, 5),
]
FINGERPRINT_PICTURE = "bucket"
FINGERPRINT = {0: -1.20313, 100: -0.82396, 281: 0.05929, 463: 9.19233, 497: 0.11805, 659: 5.88755, 879: -0.39247, 999: 0.94416}
TOLERANCE = 1e-3


def load(path):
    picture = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
    scaled = (np.asarray(picture, np.float32) - 127) / 128
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def check(session, stimuli):
    outputs = {output.name: output.shape[1] for output in session.get_outputs()}
    if outputs != CHANNELS:
        return f"outputs and channels are {outputs}, expected {CHANNELS}"
    for picture, known, rank in KNOWN:
        logits = session.run(["logits"], {"image": load(stimuli / "images" / f"{picture}.png")})[0][0]
        best = np.argsort(-logits, kind="stable")[:5]
        if known not in best[:rank]:
            return f"{picture}: the best classes are {best.tolist()}, expected {known} among the first {rank}"
        if picture == FINGERPRINT_PICTURE:
            got = logits[list(FINGERPRINT)]
            difference = np.abs(got - list(FINGERPRINT.values())).max()
            if not difference <= TOLERANCE:
                return f"{picture}: logits differ by {difference:.6f} from those kept, more than {TOLERANCE}: {got.tolist()}"
    return None


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    model, stimuli = map(pathlib.Path, sys.argv[1:])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    wrong = check(session, stimuli)
    if wrong is not None:
        sys.exit(f"check-efficientnet-lite0: {model}: {wrong}")


if __name__ == "__main__":
    main()
