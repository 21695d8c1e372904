"""Small pictures of every kind that people have, and what Pillow makes of them.

testdata/pictures/NAME                          the picture, encoded by Pillow
testdata/golden/pictures/NAME.rgb.npy           decoded: Image.open(NAME).convert("RGB"), u8, height x width x 3
testdata/golden/pictures/NAME.KERNEL-WxH.npy    decoded, then resize((W, H), KERNEL)
testdata/golden/pictures/NAME.KERNEL-shortS-cropC.npy
                                                decoded, short side resized to S, then the central C x C square

The short-side rule and the crop are torchvision's: the long side is int(S * long / short), the crop
starts at round((size - C) / 2) with ties to the even number.
"""

import io

import numpy as np
from PIL import Image

from golden.files import random

KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def gradient_with_noise(rng, height, width):
    """A colour ramp with noise and one hard-edged square: smooth, rough and sharp in one picture."""
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.stack([255 * x / (width - 1), 255 * y / (height - 1), 255 * (1 - x / (width - 1))], axis=2)
    noise = rng.normal(0, 12, size=(height, width, 3))
    picture = np.clip(ramp + noise, 0, 255).astype(np.uint8)
    picture[height // 4 : height // 2, width // 3 : width // 2] = (250, 5, 120)
    return picture


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pictures():
    """Name -> bytes, in a fixed order."""
    rng = random(1)
    colour = Image.fromarray(gradient_with_noise(rng, 40, 50))
    odd = Image.fromarray(gradient_with_noise(rng, 41, 53))
    grey = odd.convert("L")
    alpha = np.linspace(0, 255, 41 * 53).reshape(41, 53).astype(np.uint8)
    rgba = Image.fromarray(np.dstack([np.asarray(odd), alpha]))
    grey_alpha = Image.merge("LA", [grey, Image.fromarray(alpha)])
    y, x = np.mgrid[0:40, 0:50]
    grey16 = Image.fromarray((x * 1300 + y * 17 + 123).astype(np.uint16))
    y, x = np.mgrid[0:30, 0:200]
    wide = Image.fromarray(np.stack([x, 8 * y, (x + y) % 64 * 4], axis=2).astype(np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6  # "rotate 90 degrees to show": Pillow's open, and so every reference, leaves it alone
    return {
        "colour.png": encoded(colour, "PNG"),
        "wide.png": encoded(wide, "PNG"),
        "grey.png": encoded(grey, "PNG"),
        "alpha.png": encoded(rgba, "PNG"),
        "grey-alpha.png": encoded(grey_alpha, "PNG"),
        "palette.png": encoded(colour.quantize(16, dither=Image.Dither.NONE), "PNG"),
        "one-bit.png": encoded(grey.point(lambda v: 255 * (v > 127), "1"), "PNG"),
        "grey16.png": encoded(grey16, "PNG"),
        "grey.jpg": encoded(grey, "JPEG", quality=90),
        "colour-444.jpg": encoded(odd, "JPEG", quality=90, subsampling="4:4:4"),
        "colour-422.jpg": encoded(odd, "JPEG", quality=85, subsampling="4:2:2"),
        "colour-420.jpg": encoded(odd, "JPEG", quality=85, subsampling="4:2:0"),
        "progressive-420.jpg": encoded(odd, "JPEG", quality=75, subsampling="4:2:0", progressive=True),
        "turned.jpg": encoded(odd, "JPEG", quality=85, subsampling="4:2:0", exif=turned),
        "cmyk.jpg": encoded(odd.convert("CMYK"), "JPEG", quality=90),
        "lossless.webp": encoded(odd, "WEBP", lossless=True),
        "lossy.webp": encoded(odd, "WEBP", quality=80),
        "lossless-alpha.webp": encoded(rgba, "WEBP", lossless=True, exact=True),
    }


def short_side_then_crop(image, short, crop, kernel):
    width, height = image.size
    if width <= height:
        size = (short, int(short * height / width))
    else:
        size = (int(short * width / height), short)
    image = image.resize(size, kernel)
    left = int(round((size[0] - crop) / 2.0))
    top = int(round((size[1] - crop) / 2.0))
    return image.crop((left, top, left + crop, top + crop))


def make(testdata):
    for name, data in pictures().items():
        assert len(data) < 12_000, (name, len(data))
        testdata.write(f"pictures/{name}", data)
        image = Image.open(io.BytesIO(data)).convert("RGB")

        def keep(what, picture):
            testdata.array(f"golden/pictures/{name}.{what}.npy", np.asarray(picture))

        keep("rgb", image)
        if name == "grey16.png":
            # Pillow's "RGB" clips 16-bit greys at 255 instead of scaling them: the values themselves, too.
            keep("u16", Image.open(io.BytesIO(data)))
            continue
        for kernel in ("bilinear", "bicubic"):
            keep(f"{kernel}-32x32", image.resize((32, 32), KERNELS[kernel]))
        if name in ("colour.png", "wide.png", "colour-420.jpg"):
            for kernel in ("bilinear", "bicubic"):
                keep(f"{kernel}-short28-crop24", short_side_then_crop(image, 28, 24, KERNELS[kernel]))
        if name in ("colour.png", "wide.png"):
            for kernel in KERNELS:
                keep(f"{kernel}-17x9", image.resize((17, 9), KERNELS[kernel]))
        if name == "colour.png":
            for kernel in KERNELS:
                keep(f"{kernel}-60x47", image.resize((60, 47), KERNELS[kernel]))
