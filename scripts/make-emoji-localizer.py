#!/usr/bin/env python3
"""Make a localizer of faces, bodies, places, objects and characters from an emoji package.

    make-emoji-localizer.py --pictures fluent-emoji-3d.tgz --names unicode-emoji-json.tgz OUT_DIR

INPUT   emoji-localizer.csv beside this script: which emoji stands for which category. Its ids are the Unicode names, as
        unicode-emoji-json spells them; that package turns them into code points, and the picture package names its files
        by code points. Both are read from their npm tarballs (MIT licences).
OUTPUT  OUT_DIR/images/STIMULUS.png   256x256 RGB, on grey 127 (which the network's scaling makes exactly zero)
        OUT_DIR/stimuli.csv           stimulus,path,category,domain,face_species,half
                face_species  human or animal for faces, else empty
                half          odd or even: two independent halves, alternating within each category

A person or hand that Unicode lets have a skin tone gets one of the five, in turn down the table: each picture once, and
no tone tells its category. The same inputs give the same bytes.
"""

import argparse
import csv
import gzip
import io
import itertools
import json
import pathlib
import tarfile

from PIL import Image

TABLE = pathlib.Path(__file__).with_name("emoji-localizer.csv")
BACKGROUND = (127, 127, 127)
SIZE = (256, 256)
SKIN_TONES = ["1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"]
EMOJI_PRESENTATION = "fe0f"


def read_names(path):
    """Unicode name -> (code points in hexadecimal, whether a skin tone may follow the first one)."""
    with tarfile.open(path) as tar:
        emoji = json.load(tar.extractfile("package/data-by-emoji.json"))
    return {entry["slug"]: ([f"{ord(c):x}" for c in text], entry["skin_tone_support"]) for text, entry in emoji.items()}


def file_stems(codes, tone):
    """The stems under which a picture may be filed: packages differ in where they keep the presentation selector."""
    if tone is not None:
        rest = codes[1:]
        codes = [codes[0], tone] + (rest[1:] if rest[:1] == [EMOJI_PRESENTATION] else rest)
    plain = [code for code in codes if code != EMOJI_PRESENTATION]
    return ["-".join(codes), "-".join(plain), "-".join([*plain, EMOJI_PRESENTATION])]


def on_grey(data):
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    if picture.size != SIZE:
        raise ValueError(f"{picture.size[0]}x{picture.size[1]} pixels, not {SIZE[0]}x{SIZE[1]}")
    ground = Image.new("RGBA", SIZE, (*BACKGROUND, 255))
    ground.alpha_composite(picture)
    return ground.convert("RGB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", required=True, type=pathlib.Path, help="npm tarball of @lobehub/fluent-emoji-3d")
    parser.add_argument("--names", required=True, type=pathlib.Path, help="npm tarball of unicode-emoji-json")
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()

    names = read_names(arguments.names)
    with open(TABLE, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if len({row["stimulus"] for row in rows}) != len(rows):
        parser.error(f"{TABLE.name}: a stimulus occurs twice")

    tones = itertools.cycle(SKIN_TONES)
    n_in_category = {}
    (arguments.out / "images").mkdir(parents=True, exist_ok=True)
    # Unpacked once: seeking in a gzip stream would start over for every picture.
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(arguments.pictures.read_bytes()))) as tar:
        members = {pathlib.PurePosixPath(m.name).stem: m for m in tar.getmembers() if m.name.endswith(".webp")}
        for row in rows:
            stimulus, category = row["stimulus"], row["category"]
            if stimulus not in names:
                parser.error(f"{TABLE.name}: no emoji is named {stimulus}")
            codes, takes_tone = names[stimulus]
            stems = [stem for stem in file_stems(codes, next(tones) if takes_tone else None) if stem in members]
            if not stems:
                parser.error(f"{TABLE.name}: no picture of {stimulus} in {arguments.pictures.name}")
            row["path"] = f"images/{stimulus}.png"
            row["half"] = ("odd", "even")[n_in_category.get(category, 0) % 2]
            n_in_category[category] = n_in_category.get(category, 0) + 1
            on_grey(tar.extractfile(members[stems[0]]).read()).save(arguments.out / row["path"], optimize=False, compress_level=6)

    with open(arguments.out / "stimuli.csv", "w", newline="", encoding="utf-8") as file:
        columns = ["stimulus", "path", "category", "domain", "face_species", "half"]
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
