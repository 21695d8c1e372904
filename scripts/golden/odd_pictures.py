"""Pictures in forms that loaders read differently, and what Pillow makes of them.

testdata/golden/odd-pictures.json: a list of
    name          with the ending of its format
    file          the contents, hexadecimal
    height, width
    rgb           Image.open(NAME).convert("RGB"), hexadecimal, row by row
    grey          that .convert("L")
    on            laid on BACKGROUND by Image.paste with its alpha as the mask; null where it has no transparency
    transparent   some of its alpha is below 255
    corrupt       libjpeg warns that its data are corrupt
"""

import io
import json
import struct

import numpy as np
from PIL import Image

from golden.files import random

BACKGROUND = (10, 128, 200)
MASKS_565 = (0xF800, 0x07E0, 0x001F)
MASKS_555 = (0x7C00, 0x03E0, 0x001F)


def netpbm(rng):
    """Every kind, with whites below, at and above those that others handle."""
    width, height = 5, 3
    for white in (1, 3, 15, 31, 100, 254, 255, 256, 1023, 65535):
        for kind, channels in ((2, 1), (3, 3), (5, 1), (6, 3)):
            levels = rng.integers(0, white + 1, width * height * channels)
            head = f"P{kind}\n# made\n{width} {height}\n{white}\n".encode()
            if kind < 4:
                body = " ".join(str(level) for level in levels).encode() + b"\n"
            else:
                body = levels.astype("u1" if white < 256 else ">u2").tobytes()
            yield f"p{kind}-{white}.ppm", head + body
    bits = rng.integers(0, 2, (3, 11))
    yield "p1.pbm", b"P1 11 3\n" + "\n".join("".join(str(bit) for bit in row) for row in bits).encode() + b"\n"
    yield "p4.pbm", b"P4 11 3\n" + np.packbits(bits.astype("u1"), axis=1).tobytes()
    yield "beyond-white.pgm", b"P5 3 1 100\n" + bytes([50, 101, 255])


def bmp(rng, width, height, header, masks, from_top):
    """16 bits a pixel; without masks 5 bits of each colour."""
    pixels = rng.integers(0, 256, (width * 16 + 31) // 32 * 4 * height, dtype=np.uint8).tobytes()
    if header == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, 16)
    else:
        signed = -height if from_top else height
        head = struct.pack("<IiiHHIIiiII", header, width, signed, 1, 16, 3 if masks else 0, len(pixels), 0, 0, 0, 0)
        head += b"".join(struct.pack("<I", mask) for mask in masks)
        head = head.ljust(header, b"\0")
    offset = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + head + pixels


def bitmaps(rng):
    for width, height in ((7, 3), (4, 5)):
        for from_top in (False, True):
            tag = f"{width}x{height}{'-top' if from_top else ''}"
            yield f"555-{tag}.bmp", bmp(rng, width, height, 40, (), from_top)
            yield f"565-{tag}.bmp", bmp(rng, width, height, 40, MASKS_565, from_top)
            yield f"555-masks-{tag}.bmp", bmp(rng, width, height, 40, MASKS_555, from_top)
            yield f"565-v5-{tag}.bmp", bmp(rng, width, height, 124, (*MASKS_565, 0), from_top)
            yield f"1555-v4-{tag}.bmp", bmp(rng, width, height, 108, (*MASKS_555, 0x8000), from_top)
        yield f"os2-{width}x{height}.bmp", bmp(rng, width, height, 12, (), False)


def lzw(indices):
    """GIF's compression with codes of one width: the table is cleared before they grow."""
    bits = 8 if max(indices) > 15 else 4
    codes = []
    for i, index in enumerate(indices):
        if i % ((1 << bits) - 2) == 0:
            codes.append(1 << bits)
        codes.append(int(index))
    codes.append((1 << bits) + 1)
    number = sum(code << (bits + 1) * i for i, code in enumerate(codes))
    data = number.to_bytes(((bits + 1) * len(codes) + 7) // 8, "little")
    blocks = [data[i : i + 255] for i in range(0, len(data), 255)]
    return bytes([bits]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def gif(screen, frame, indices, shared, own, clear, background):
    def flags(palette):
        return 0 if palette is None else 0x80 | (len(palette) // 3 - 1).bit_length() - 1

    data = b"GIF89a" + struct.pack("<HHBBB", *screen, flags(shared), background, 0) + (shared or b"")
    if clear is not None:
        data += b"!\xf9\x04" + bytes([1, 0, 0, clear, 0])
    data += b"," + struct.pack("<HHHH", *frame) + bytes([flags(own)]) + (own or b"")
    return data + lzw(indices) + b";"


def gifs(rng):
    long, short = (rng.integers(0, 256, 3 * n, dtype=np.uint8).tobytes() for n in (16, 8))
    ramp = bytes(level for index in range(16) for level in (index,) * 3)
    inside, beyond, away = (2, 1, 4, 3), (5, 4, 6, 5), (9, 7, 2, 2)
    cases = [
        (inside, long, None, None),
        (inside, long, None, 3),
        (inside, long, None, 200),
        (inside, long, short, None),
        (inside, long, short, 0),
        (inside, short, None, None),
        (inside, None, long, 5),
        (inside, None, None, None),
        (inside, None, None, 9),
        (inside, long, ramp, None),
        (inside, ramp, None, 2),
        (beyond, long, None, None),
        (beyond, long, None, 4),
        (away, long, None, None),
        (away, None, short, 1),
        ((0, 0, 8, 6), long, None, 7),
    ]
    for i, (frame, shared, own, clear) in enumerate(cases):
        indices = rng.integers(0, 16, frame[2] * frame[3])
        yield f"canvas-{i}.gif", gif((8, 6), frame, indices, shared, own, clear, 5)


def saved(picture, form, **options):
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def transparent(rng):
    values = rng.integers(0, 256, (5, 7, 4), dtype=np.uint8)
    rgba = Image.fromarray(values)
    rgb = rgba.convert("RGB")
    yield "rgba.png", saved(rgba, "PNG")
    yield "rgba.tif", saved(rgba, "TIFF")
    # ExtraSamples 2 (alpha) becomes 1 (alpha with which the colours were multiplied).
    tag = struct.pack("<HHI", 338, 3, 1)
    before, after = saved(rgba, "TIFF").split(tag)
    yield "multiplied.tif", before + tag + b"\1" + after[1:]
    yield "cmyk.tif", saved(Image.fromarray(values, "CMYK"), "TIFF")
    yield "rgba.webp", saved(rgba, "WEBP", lossless=True, exact=True)
    yield "opaque.png", saved(Image.fromarray(np.dstack([values[..., :3], np.full((5, 7), 255, np.uint8)])), "PNG")
    yield "grey-alpha.png", saved(Image.merge("LA", (rgba.getchannel(0), rgba.getchannel(3))), "PNG")
    yield "keyed.png", saved(rgb, "PNG", transparency=tuple(int(v) for v in values[1, 2, :3]))
    palette = rgb.quantize(16)
    yield "palette-alphas.png", saved(palette, "PNG", transparency=bytes(range(0, 256, 17)))
    yield "palette.png", saved(palette, "PNG")
    yield "palette.bmp", saved(palette, "BMP")


def corrupt(rng):
    """Damage of which libjpeg makes something with a warning, and Pillow without a word."""
    rgb = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    for name, options in (("420", {}), ("444", {"subsampling": 0}), ("progressive", {"progressive": True})):
        whole = saved(rgb, "JPEG", quality=60, **options)
        half = (whole.rindex(b"\xff\xda") + len(whole)) // 2
        yield f"end-{name}.jpg", whole[:half] + b"\xff\xd9" + whole[half + 2 :]
        yield f"stuffed-{name}.jpg", whole[:-2] + bytes(40) + whole[-2:]
    whole = saved(rgb, "JPEG", quality=60, restart_marker_blocks=1)
    half = whole.index(b"\xff\xd1")
    yield "restart.jpg", whole[:half] + b"\xff\xd6" + whole[half + 2 :]


def make(testdata):
    rng = random(24)
    kinds = [(False, netpbm), (False, bitmaps), (False, gifs), (False, transparent), (True, corrupt)]
    pictures = []
    for is_corrupt, kind in kinds:
        for name, data in kind(rng):
            picture = Image.open(io.BytesIO(data))
            picture.load()
            laid, is_transparent = None, False
            if picture.mode in ("RGBA", "LA") or "transparency" in picture.info:
                alpha = picture.convert("RGBA")
                laid = Image.new("RGB", picture.size, BACKGROUND)
                laid.paste(alpha, mask=alpha.getchannel("A"))
                is_transparent = alpha.getchannel("A").getextrema()[0] < 255
            rgb = picture.convert("RGB")
            grey = rgb.convert("L")
            # Pillow contradicts itself where a frame's own palette is a ramp of greys and the file's is not: its RGB is
            # by the file's, its grey by the frame's. Ours are one picture.
            assert name == "canvas-9.gif" or grey.tobytes() == picture.convert("L").tobytes(), name
            pictures.append(
                {
                    "name": name,
                    "file": data.hex(),
                    "height": picture.height,
                    "width": picture.width,
                    "rgb": rgb.tobytes().hex(),
                    "grey": grey.tobytes().hex(),
                    "on": laid.tobytes().hex() if laid else None,
                    "transparent": is_transparent,
                    "corrupt": is_corrupt,
                }
            )
    lines = ",\n".join(json.dumps(picture) for picture in pictures)
    testdata.write("golden/odd-pictures.json", f"[\n{lines}\n]\n".encode())
