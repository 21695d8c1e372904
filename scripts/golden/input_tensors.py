"""The tensors that torchvision, timm and transformers hand to a network, of pictures of every kind.

testdata/pictures/NAME                      pictures beside those of pictures.py: 16-bit colour, transparency, every EXIF
                                            orientation in four formats, a single pixel and other tiny ones
testdata/golden/tensors/tensors.json        per transform: the command line of ann-acts that should give the same, a
                                            configuration file if it reads one, and per picture shape, SHA-256 of the
                                            little-endian f4 values (colour, row, column) and four of the values

With torchvision installed its own transforms are used, else Pillow with their geometry written out below; both give the
same bytes. timm's and transformers' transforms are written out from their definitions (transforms_imagenet_eval;
image_transforms.resize, center_crop, rescale, normalize), because their packages are large and their arithmetic is short.
"""

import hashlib
import io
import json
import math
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from golden import pictures as small
from golden.files import random

try:
    import torch
    from torchvision import transforms
    from torchvision.transforms import InterpolationMode
except ImportError:
    transforms = None

KERNELS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
ORIENTATION = 0x0112


# Pictures -------------------------------------------------------------------------------------------------------------


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def deep_png(values, colour_type):
    """A 16-bit PNG, which Pillow reads but cannot write."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows, 9))
        + png_chunk(b"IEND", b"")
    )


def oriented(number):
    exif = Image.Exif()
    exif[ORIENTATION] = number
    return exif


def pictures():
    """Name -> bytes, in a fixed order."""
    rng = random(2)
    deep = rng.integers(0, 65536, size=(9, 14, 4))
    colour = Image.fromarray(small.gradient_with_noise(rng, 10, 13))
    palette = colour.quantize(8, dither=Image.Dither.NONE)
    few = Image.fromarray(rng.integers(0, 256, size=(7, 5, 3)).astype(np.uint8))
    keyed = few.getpixel((2, 3))
    encoded = small.encoded
    made = {
        "rgb16.png": deep_png(deep[:, :, :3], 2),
        "rgba16.png": deep_png(deep, 6),
        "grey-alpha16.png": deep_png(deep[:, :, :2], 4),
        "palette-transparent.png": encoded(palette, "PNG", transparency=3),
        "palette-alphas.png": encoded(palette, "PNG", transparency=bytes([0, 40, 80, 120, 160, 200, 255, 255])),
        "keyed.png": encoded(few, "PNG", transparency=keyed),
        "colour.bmp": encoded(few, "BMP"),
        "colour.gif": encoded(palette, "GIF"),
        "transparent.gif": encoded(palette, "GIF", transparency=3),
        "colour.ppm": encoded(few, "PPM"),
        "lzw.tif": encoded(colour, "TIFF", compression="tiff_lzw"),
        "one-pixel.png": encoded(colour.crop((3, 4, 4, 5)), "PNG"),
        "one-pixel.jpg": encoded(colour.crop((3, 4, 4, 5)), "JPEG"),
        "row.png": encoded(colour.crop((0, 4, 13, 5)), "PNG"),
        "column.webp": encoded(colour.crop((6, 0, 7, 10)), "WEBP", lossless=True),
        "two-by-three.jpg": encoded(colour.crop((2, 2, 4, 5)), "JPEG", quality=90),
        "progressive-tiny.jpg": encoded(colour, "JPEG", quality=90, progressive=True),
    }
    for number in range(1, 9):
        exif = oriented(number)
        made[f"exif-{number}.jpg"] = encoded(colour, "JPEG", quality=90, exif=exif)
        made[f"exif-{number}.png"] = encoded(colour, "PNG", exif=exif)
        made[f"exif-{number}.webp"] = encoded(colour, "WEBP", lossless=True, exif=exif)
        made[f"exif-{number}.tif"] = encoded(colour, "TIFF", exif=exif)
    return made


def huge():
    """6000 x 4000 pixels by a rule that the test has too."""
    y, x = np.mgrid[0:4000, 0:6000].astype(np.int64)
    rgb = np.stack([3 * x + 5 * y + (x * y >> 6), x ^ y, (x * x + 7 * y) >> 5], axis=2)
    return Image.fromarray((rgb & 255).astype(np.uint8))


# torchvision ----------------------------------------------------------------------------------------------------------


def short_side(image, n, kernel):
    width, height = image.size
    size = (n, int(n * height / width)) if width <= height else (int(n * width / height), n)
    return image if image.size == size else image.resize(size, KERNELS[kernel])


def center_crop(image, height, width, border=(0, 0, 0)):
    """torchvision's: borders of (crop - size) // 2 before and the rest behind, offsets rounded half to even."""
    w, h = image.size
    if width > w or height > h:
        left, top = max(width - w, 0) // 2, max(height - h, 0) // 2
        padded = Image.new("RGB", (max(width, w), max(height, h)), tuple(border))
        padded.paste(image, (left, top))
        image, (w, h) = padded, padded.size
    top, left = int(round((h - height) / 2.0)), int(round((w - width) / 2.0))
    return image.crop((left, top, left + width, top + height))


def normalized(image, mean=(0, 0, 0), std=(1, 1, 1)):
    """ToTensor and Normalize: u8 / 255, - mean, / std, each in f4."""
    f4 = np.float32
    x = np.asarray(image).transpose(2, 0, 1).astype(f4) / f4(255)
    return (x - np.array(mean, f4)[:, None, None]) / np.array(std, f4)[:, None, None]


def torchvision_steps(resize, crop, kernel, mean, std):
    """Resize (a number: the short side; a pair: height, width; None), CenterCrop, ToTensor, Normalize."""
    if transforms is not None:
        steps = []
        if resize is not None:
            steps.append(transforms.Resize(resize, interpolation=InterpolationMode(kernel)))
        if crop is not None:
            steps.append(transforms.CenterCrop(crop))
        steps += [transforms.ToTensor(), transforms.Normalize(torch.tensor(mean), torch.tensor(std))]
        whole = transforms.Compose(steps)
        return lambda image: whole(image).numpy()

    def whole(image):
        if isinstance(resize, int):
            image = short_side(image, resize, kernel)
        elif resize is not None and image.size != (resize[1], resize[0]):
            image = image.resize((resize[1], resize[0]), KERNELS[kernel])
        if crop is not None:
            image = center_crop(image, *((crop, crop) if isinstance(crop, int) else crop))
        return normalized(image, mean, std)

    return whole


# timm -----------------------------------------------------------------------------------------------------------------


def timm_config(size, part, mode, kernel):
    mean, std = IMAGENET
    return {
        "architecture": "made_up",
        "pretrained_cfg": {
            "input_size": [3, *size],
            "interpolation": kernel,
            "crop_pct": part,
            "crop_mode": mode,
            "mean": mean,
            "std": std,
        },
    }


def timm_steps(config):
    cfg = config["pretrained_cfg"]
    size = cfg["input_size"][1:]
    kernel = cfg["interpolation"]
    scale = [math.floor(n / cfg["crop_pct"]) for n in size]

    def keep_ratio(image, choose, kernel):
        width, height = image.size
        ratio = choose(height / scale[0], width / scale[1])
        return image.resize((round(width / ratio), round(height / ratio)), KERNELS[kernel])

    def whole(image):
        border = (0, 0, 0)
        if cfg["crop_mode"] == "squash":
            image = image.resize((scale[1], scale[0]), KERNELS[kernel])
        elif cfg["crop_mode"] == "border":
            border = [round(255 * v) for v in cfg["mean"]]
            image = keep_ratio(image, max, kernel)
        elif scale[0] == scale[1]:
            image = short_side(image, scale[0], kernel)
        else:
            image = keep_ratio(image, min, "bilinear")  # create_transform does not hand its interpolation on here
        return normalized(center_crop(image, *size, border), cfg["mean"], cfg["std"])

    return whole


# transformers ---------------------------------------------------------------------------------------------------------


def hugging_face_steps(config):
    """The processors that compute with NumPy: Pillow resizes, rescaling in f8, normalization in f4."""
    kernel = {2: "bilinear", 3: "bicubic"}[config["resample"]]
    size = config["size"]

    def crop_down(x, height, width):
        h, w = x.shape[:2]
        padded = np.zeros((max(h, height), max(w, width), 3), x.dtype)
        top, left = math.ceil((padded.shape[0] - h) / 2), math.ceil((padded.shape[1] - w) / 2)
        padded[top : top + h, left : left + w] = x
        top, left = (h - height) // 2 + top, (w - width) // 2 + left
        return padded[top : top + height, left : left + width]

    def whole(image):
        if "crop_pct" in config:
            image = short_side(image, int(size["shortest_edge"] / config["crop_pct"]), kernel)
            x = crop_down(np.asarray(image), size["shortest_edge"], size["shortest_edge"])
        else:
            if "shortest_edge" in size:
                image = short_side(image, size["shortest_edge"], kernel)
            else:
                image = image.resize((size["width"], size["height"]), KERNELS[kernel])
            x = np.asarray(image)
            if config.get("do_center_crop"):
                x = crop_down(x, config["crop_size"]["height"], config["crop_size"]["width"])
        if config.get("do_rescale", True):
            x = (x.astype(np.float64) * config.get("rescale_factor", 1 / 255)).astype(np.float32)
        x = x.astype(np.float32)
        if config.get("do_normalize"):
            x = (x - np.array(config["image_mean"], np.float32)) / np.array(config["image_std"], np.float32)
        if config.get("do_flip_channel_order"):
            x = x[:, :, ::-1]
        return x.transpose(2, 0, 1)

    return whole


def processor(name, **fields):
    """A preprocessor_config.json as transformers writes it."""
    config = {"image_processor_type": f"{name}ImageProcessor", "do_resize": True, "do_rescale": True}
    config["rescale_factor"] = 0.00392156862745098
    return {**config, **fields}


# All of it ------------------------------------------------------------------------------------------------------------


def all_transforms():
    """Name -> (options of ann-acts, configuration or None, what it computes)."""
    none = ([0.0] * 3, [1.0] * 3)
    normal = {"do_normalize": True, "image_mean": CLIP[0], "image_std": CLIP[1]}
    vit = processor("ViT", size={"height": 33, "width": 47}, resample=2, **normal)
    clip = processor("CLIP", size={"shortest_edge": 30}, resample=3, do_center_crop=True,
                     crop_size={"height": 23, "width": 24}, **normal)  # fmt: skip
    pad = {**clip, "crop_size": {"height": 41, "width": 64}}
    convnext = processor("ConvNext", size={"shortest_edge": 29}, crop_pct=0.9, resample=3, **normal)
    mobilevit = processor("MobileViT", size={"shortest_edge": 35}, resample=2, do_center_crop=True,
                          crop_size={"height": 32, "width": 32}, do_flip_channel_order=True)  # fmt: skip
    plain = "--preprocess raw01"
    table = {
        "imagenet": ("--preprocess imagenet", None, torchvision_steps(256, 224, "bilinear", *IMAGENET)),
        "clip": ("--preprocess clip", None, torchvision_steps(224, 224, "bicubic", *CLIP)),
        "short odd": (f"{plain} --resize 57 --crop 30x32", None, torchvision_steps(57, (30, 32), "bilinear", *none)),
        "exact": (f"{plain} --resize 33x47 --interpolation bicubic", None,
                  torchvision_steps((33, 47), None, "bicubic", *none)),
        "padded": (f"{plain} --resize 20 --crop 33x70 --interpolation bicubic", None,
                   torchvision_steps(20, (33, 70), "bicubic", *none)),
    }  # fmt: skip
    for mode in ("center", "squash", "border"):
        config = timm_config((24, 24), 0.95, mode, "bicubic")
        table[f"timm {mode}"] = ("", config, timm_steps(config))
    wide = timm_config((20, 31), 0.9, "center", "bicubic")
    table["timm wide"] = ("", wide, timm_steps(wide))
    for name, config in {"vit": vit, "clip": clip, "clip padded": pad, "convnext": convnext, "mobilevit": mobilevit}.items():
        table[f"hugging face {name}"] = ("", config, hugging_face_steps(config))
    return table


def digest(tensor):
    values = np.ascontiguousarray(tensor, "<f4")
    flat = values.ravel()
    at = [0, flat.size // 3, flat.size // 2, flat.size - 1]
    return {
        "shape": list(values.shape),
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "samples": [[i, float(flat[i])] for i in at],
    }


def make(testdata):
    print(f"input tensors by {'torchvision' if transforms else 'Pillow with the geometry of torchvision'}")
    own = pictures()
    for name, data in own.items():
        assert len(data) < 4_000, (name, len(data))
        testdata.write(f"pictures/{name}", data)
    everything = {**small.pictures(), **own}
    opened = {name: Image.open(io.BytesIO(data)) for name, data in everything.items()}
    rgb = {name: image.convert("RGB") for name, image in opened.items()}
    turned = {name: ImageOps.exif_transpose(image).convert("RGB") for name, image in opened.items()}
    first = {name: image for name, image in rgb.items() if not name.startswith("exif-") or name.startswith("exif-6")}
    result = {}

    def keep(name, options, config, steps, chosen):
        tensors = {picture: digest(steps(image)) for picture, image in chosen.items()}
        result[name] = {"options": options, "config": config, "pictures": tensors}

    few = ("colour.png", "wide.png", "colour-420.jpg", "one-pixel.png", "row.png", "column.webp", "two-by-three.jpg")
    few = {name: rgb[name] for name in few}
    table = all_transforms()
    for name, (options, config, steps) in table.items():
        chosen = first if name in ("imagenet", "clip") else few
        keep(name, f"{options} --grey16 clip".strip(), config, steps, chosen)
    as_it_is = torchvision_steps(None, None, "bilinear", [0.0] * 3, [1.0] * 3)
    keep("as it is", "--preprocess raw01 --grey16 clip", None, as_it_is, rgb)
    keep("turned", "--preprocess raw01 --exif --grey16 clip", None, as_it_is, turned)
    steps = table["short odd"][2]
    keep("turned, short odd", f"{table['short odd'][0]} --exif", None, steps, {n: i for n, i in turned.items() if "exif" in n})
    image = huge()
    for name in ("imagenet", "clip"):
        keep(f"huge {name}", table[name][0], None, table[name][2], {"huge.ppm": image})
    lines = [f"{json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in result.items()]
    text = "{\n" + ",\n".join(line.replace('"sha256"', '\n"sha256"') for line in lines) + "\n}\n"
    testdata.write("golden/tensors/tensors.json", text.encode())
