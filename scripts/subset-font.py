#!/usr/bin/env python3
"""Cuts crates/drawing/font/DejaVuSans-subset.ttf from the DejaVu Sans that matplotlib's wheel brings.

Latin, Greek and Cyrillic letters, digits, punctuation, arrows and the signs of mathematics that figures use; no
hinting and no layout tables, which neither the SVG nor its widths need. Run it in the Python of `make golden`
(fonttools and matplotlib are pinned there); the same versions write the same bytes.
"""

from pathlib import Path
import shutil

from fontTools import subset
from fontTools.ttLib import TTFont
import matplotlib

RANGES = [
    (0x20, 0x7E), (0xA0, 0x17F), (0x192, 0x192), (0x218, 0x21B),  # Latin
    (0x2BC, 0x2DD), (0x300, 0x308),  # accents
    (0x370, 0x3FF), (0x400, 0x45F),  # Greek, Cyrillic
    (0x2010, 0x2027), (0x2030, 0x203A), (0x2070, 0x209C), (0x20AC, 0x20AC),  # punctuation, small digits
    (0x2190, 0x2194), (0x2202, 0x2202), (0x2206, 0x2207), (0x2211, 0x221E), (0x2260, 0x2265), (0x2248, 0x2248),
    (0x2229, 0x222A), (0x25A0, 0x25A1), (0x25CF, 0x25CF), (0x2605, 0x2606), (0xFFFD, 0xFFFD),
]

here = Path(__file__).resolve().parent.parent / "crates" / "drawing" / "font"
source = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
options = subset.Options()
options.hinting = False
options.layout_features = []
options.drop_tables += ["GSUB", "GPOS", "GDEF", "kern", "FFTM"]
options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
options.notdef_outline = True
font = TTFont(source / "DejaVuSans.ttf", recalcTimestamp=False)
cutter = subset.Subsetter(options)
cutter.populate(unicodes=[code for first, last in RANGES for code in range(first, last + 1)])
cutter.subset(font)
here.mkdir(parents=True, exist_ok=True)
font.save(here / "DejaVuSans-subset.ttf")
shutil.copy(source / "LICENSE_DEJAVU", here / "LICENSE-DejaVu")
print((here / "DejaVuSans-subset.ttf").stat().st_size, "bytes")
