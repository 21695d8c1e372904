"""How golden values are written down."""

import io
import json
import shutil

import numpy as np


def random(seed):
    """The generator by name: numpy's default may change, PCG64 does not."""
    return np.random.Generator(np.random.PCG64(seed))


class Testdata:
    """The files of testdata/golden and testdata/pictures, kept until all are made."""

    def __init__(self):
        self.files = {}

    def write(self, name, data):
        assert len(data) < 200_000, f"{name}: {len(data)} bytes, but a test file stays under 200 kB"
        assert name not in self.files, f"{name}: made twice"
        self.files[name] = data

    def save(self, folder):
        """Removes both folders first, so that nothing in them can be older than the scripts."""
        for made in ("golden", "pictures"):
            shutil.rmtree(folder / made, ignore_errors=True)
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def array(self, name, *arrays):
        """One or several arrays back to back, as numpy.save writes them."""
        buffer = io.BytesIO()
        for array in arrays:
            np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
        self.write(name, buffer.getvalue())

    def json(self, name, value):
        """A tree of numbers; floats with all their digits, NaN as null, infinities as "inf" and "-inf"."""
        text = json.dumps(plain(value), indent=None, separators=(",", ":"), allow_nan=False)
        self.write(name, (text.replace('],"', '],\n"') + "\n").encode())

    def csv(self, name, header, rows):
        lines = [",".join(header)] + [",".join(str(cell) for cell in row) for row in rows]
        self.write(name, ("\n".join(lines) + "\n").encode())


def plain(value):
    """NumPy values as JSON ones."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        if np.isnan(value):
            return None
        return float(value) if np.isfinite(value) else str(float(value))
    return value
