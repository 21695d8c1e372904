"""Replaces functions of a peer by ones that ask our tools, and counts what came of it.

An adapter is a function with the peer's signature that writes arrays into files, runs a tool and returns its numbers:

    @adapter("scipy.spatial.distance.pdist", "rsa rdm")
    def pdist(X, metric="euclidean", *, out=None, **options):
        if out is not None:
            raise Outside("out=")
        return rsa_rdm(X, metric)

Of every call the peer's own function is asked too, with nothing replaced below it. What the test then gets is:

agree      our numbers, which are the peer's to TOLERANCE
disagree   our numbers, which are not
refused    the peer's, since our tool stopped with an error; the error is kept
outside    the peer's, since the adapter raised Outside(which option we do not have)
raised     the peer's exception; it is noted where our tool gave numbers for the same call
"""

import contextlib
import csv
import functools
import importlib
import inspect
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

TOOLS = Path(os.environ.get("CHECK_PEERS_TOOLS", Path(__file__).resolve().parents[2] / "target" / "release"))
# Sums of a few thousand f8 terms in another order differ by 1e-13 of the largest; divisions by small spreads take some of it.
TOLERANCE = 1e-9
# A number that is 0 but for rounding has no relative accuracy: this part of `scale` (or of the largest number) is nothing.
NOTHING = 1e-12
# A process costs milliseconds; a test that calls one function in a loop says nothing new after so many.
MOST_CALLS = 30


class Outside(Exception):
    """The call asks for what our tools do not offer; the text says which option."""


class Refused(Exception):
    """Our tool stopped with an error; the text is its message."""


class Ours:
    """Numbers of ours with the size that counts as 1 beside them: distances of data around 1e6 are 0 up to 1e-6."""

    def __init__(self, numbers, scale=1.0):
        self.numbers, self.scale = numbers, scale


class Record:
    def __init__(self, name, tool):
        self.name, self.tool = name, tool
        self.counts = Counter()
        self.outside, self.refused, self.raised = Counter(), Counter(), Counter()
        self.disagreements = []

    def as_json(self):
        return {"name": self.name, "tool": self.tool, "counts": self.counts, "outside": self.outside, "refused": self.refused,
                "raised": self.raised, "disagreements": self.disagreements}


records = {}
adapters = []
# Called with the peer's function and its replacement, for peers that keep lists of their functions.
registers = []
# The test that runs, how often it called what, and whether a peer's own function runs just now.
test = ""
calls = defaultdict(int)
own = 0


def adapter(target, tool, take=None, put=None, method=False):
    """`take(result)` are the numbers in what the peer returns, `put(result, ours)` that result with ours in their place."""

    def decorate(function):
        adapters.append((target, tool, function, take or (lambda result: result), put or like, method))
        return function

    return decorate


def like(result, ours):
    """Ours in the type of the peer's result."""
    if isinstance(result, np.ndarray):
        return np.asarray(ours).reshape(result.shape).astype(result.dtype)
    if isinstance(result, tuple):
        return tuple(like(r, o) for r, o in zip(result, ours))
    if isinstance(result, np.generic):
        return result.dtype.type(np.asarray(ours).reshape(()))
    return type(result)(np.asarray(ours).reshape(()))


def with_fields(result, **fields):
    """A result that is a tuple with names, some of these replaced by numbers of the same shape."""
    names = {name: getattr(result, name) for name in fields}
    values = [next((like(names[f], fields[f]) for f in fields if names[f] is v or _same(names[f], v)), v) for v in tuple(result)]
    new = tuple.__new__(type(result), values)
    for name, value in getattr(result, "__dict__", {}).items():
        new.__dict__[name] = value
    for name in fields:
        if name in getattr(new, "__dict__", {}):
            new.__dict__[name] = like(names[name], fields[name])
    return new


def _same(a, b):
    return type(a) is type(b) and np.array_equal(a, b, equal_nan=True)


# Files and processes ------------------------------------------------------------------------------------------------

folder = None
numbered = 0


@contextlib.contextmanager
def files():
    """A folder for the files of one call, in memory where the machine has such a place."""
    global folder
    before = folder
    folder = tempfile.mkdtemp(prefix="check-peers-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder = before


def new_file(ending):
    global numbered
    numbered += 1
    return os.path.join(folder, f"{numbered}.{ending}")


def npy(array, ids=None):
    """A file of the array in f8, with the ids of its rows behind it."""
    array = plain(array)
    path = new_file("npy")
    with open(path, "wb") as file:
        np.save(file, np.ascontiguousarray(array, dtype="<f8"))
        if ids is not None:
            np.save(file, np.array([str(i) for i in ids], dtype=str))
    return path


def table(**columns):
    path = new_file("csv")
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values()))
    return path


def plain(array):
    """Numbers that f8 holds, or Outside."""
    if np.ma.isMaskedArray(array):
        raise Outside("masked arrays")
    if hasattr(array, "toarray") or type(array).__module__.startswith("scipy.sparse"):
        raise Outside("sparse arrays")
    try:
        array = np.asarray(array)
    except Exception as error:
        raise Outside("not an array of numbers") from error
    if array.dtype.kind not in "fiub" or (array.dtype.kind == "f" and array.dtype.itemsize > 8):
        raise Outside("dtypes that f8 does not hold (complex, longdouble, object, text)")
    if array.dtype.kind in "iu" and array.size and max(abs(int(array.max())), abs(int(array.min()))) > 2**53:
        raise Outside("integers above 2^53, which f8 does not hold")
    array = array.astype(np.float64)
    if np.isinf(array).any():
        raise Outside("infinite values, which are missing values to us")
    return array


def matrix(array):
    array = plain(array)
    if array.ndim != 2:
        raise Outside("not a matrix")
    return array


def vector(array):
    array = plain(array)
    if array.ndim != 1:
        raise Outside("not a vector")
    return array


def run(tool, *words):
    """Standard output of one of our tools. Its error, where it ends so, is raised as Refused."""
    command = [str(TOOLS / tool), *(str(w) for w in words), "--quiet", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode not in (0, 1):
        # A crash is ours to mend, and a command line that cannot be read (2) a mistake of the adapter; neither is an answer.
        raise AssertionError(f"{' '.join(command)}: {done.stderr.decode()}")
    if done.returncode:
        raise Refused(message(done.stderr.decode()))
    return done.stdout


def message(stderr):
    """The error without names of files and numbers, so that equal reasons are counted together."""
    lines = [line for line in stderr.splitlines() if line and "warning:" not in line]
    text = lines[-1] if lines else "no message"
    text = re.sub(re.escape(folder or "\0") + r"/\S*?(?=[,:;)\s]|$)", "FILE", text)
    return re.sub(r"\d[\d.e+-]*", "N", text)[:150]


def read_npy(data):
    return np.load(io.BytesIO(data))


def read_table(data):
    """Rows of a table as dictionaries of text."""
    return list(csv.DictReader(io.StringIO(data.decode())))


def column(rows, name):
    return np.array([float(row[name]) if row[name] else np.nan for row in rows])


# The replacement ----------------------------------------------------------------------------------------------------


def agree(ours, peers, scale):
    """Whether the numbers are equal to TOLERANCE, and by how much the worst differs."""
    ours, peers = np.asarray(ours), np.asarray(peers)
    if ours.size != peers.size:
        return False, f"shape {ours.shape} against {peers.shape}"
    tolerance = TOLERANCE
    if peers.dtype.kind == "f" and peers.dtype.itemsize < 8:
        # What the peer computes in f4 it has to some units of its last place, ours is f8.
        tolerance = 64 * np.finfo(peers.dtype).eps
    ours, peers = ours.ravel().astype(np.float64), peers.ravel().astype(np.float64)
    if not ours.size:
        return True, ""
    missing = np.isnan(ours) != np.isnan(peers)
    if missing.any():
        i = int(np.argmax(missing))
        return False, f"{'NaN' if np.isnan(ours[i]) else 'a number'} against {'NaN' if np.isnan(peers[i]) else 'a number'}"
    both = ~np.isnan(ours) & (ours != peers)
    ours, peers = ours[both], peers[both]
    if not ours.size:
        return True, ""
    if not (np.isfinite(ours) & np.isfinite(peers)).all():
        return False, "infinite on one side"
    largest = max(scale, np.abs(peers).max())
    difference = np.abs(ours - peers)
    allowed = tolerance * np.abs(peers) + max(NOTHING, tolerance * 1e-3) * largest
    worst = int(np.argmax(difference / allowed))
    return bool((difference <= allowed).all()), f"{ours[worst]:.9g} against {peers[worst]:.9g}"


def flat(numbers):
    if isinstance(numbers, (tuple, list)):
        return [np.asarray(n) for n in numbers]
    return [np.asarray(numbers)]


def wrap(original, record, function, take, put, method):
    signature = inspect.signature(function)

    @functools.wraps(original)
    def replacement(*args, **kwargs):
        global own
        if own:
            return original(*args, **kwargs)
        calls[record.name] += 1
        # The peer may write into what it was given; ours gets what was there before.
        before = copied(args, kwargs, method)
        own += 1
        try:
            error = result = None
            try:
                result = original(*args, **kwargs)
            except Exception as raised:
                error = raised
            try:
                if calls[record.name] > MOST_CALLS:
                    raise Outside(f"more than {MOST_CALLS} calls in one test")
                try:
                    signature.bind(*before[0], **before[1])
                except TypeError as unknown:
                    raise Outside(f"other arguments ({unknown})"[:80]) from unknown
                with files():
                    ours = function(*before[0], **before[1])
            except Outside as outside:
                record.counts["outside" if error is None else "raised"] += 1
                if error is None:
                    record.outside[str(outside)] += 1
            except Refused as refused:
                record.counts["raised" if error is not None else "refused"] += 1
                if error is None:
                    record.refused[str(refused)] += 1
            except AssertionError:
                raise
            except Exception:
                # An adapter may stumble over what the peer refuses as well; over anything else it may not.
                if error is None:
                    raise
                record.counts["raised"] += 1
            else:
                if error is not None:
                    record.counts["raised"] += 1
                    record.raised[f"{type(error).__name__}: {error}"[:120]] += 1
                else:
                    scale = 1.0
                    if isinstance(ours, Ours):
                        ours, scale = ours.numbers, ours.scale
                    pairs = list(zip(flat(ours), flat(take(result)), strict=True))
                    verdicts = [agree(o, p, scale) for o, p in pairs]
                    if all(same for same, _ in verdicts):
                        record.counts["agree"] += 1
                    else:
                        record.counts["disagree"] += 1
                        what = "; ".join(text for same, text in verdicts if not same)
                        record.disagreements.append({"test": test, "what": what, "call": brief(before)})
                    result = put(result, ours)
            if error is not None:
                raise error
            return result
        finally:
            own -= 1

    return replacement


def copied(args, kwargs, method):
    def one(value):
        return value.copy() if isinstance(value, np.ndarray) and not np.ma.isMaskedArray(value) else value

    first = args[:1] if method else ()
    return first + tuple(one(a) for a in args[len(first):]), {k: one(v) for k, v in kwargs.items()}


def brief(arguments):
    def one(value):
        if isinstance(value, np.ndarray):
            return f"{value.dtype}{list(value.shape)}"
        return re.sub(r" at 0x\w+", "", re.sub(r"\s+", " ", repr(value)))[:40]

    args, kwargs = arguments
    return ", ".join([one(a) for a in args] + [f"{k}={one(v)}" for k, v in kwargs.items()])[:160]


def install():
    """Puts the adapters in the place of what they replace, in every module of the peer that has it by name."""
    for target, tool, function, take, put, method in adapters:
        module_name, name = target.rsplit(".", 1)
        if method:
            module_name, class_name = module_name.rsplit(".", 1)
        module = importlib.import_module(module_name)
        owner = getattr(module, class_name) if method else module
        original = owner.__dict__[name] if method else getattr(owner, name)
        shown = f"{class_name}.{name}" if method else name
        record = records[target] = Record(f"{module_name}.{shown}", tool)
        replacement = wrap(original, record, function, take, put, method)
        setattr(owner, name, replacement)
        for register in registers:
            register(original, replacement)
        if method:
            continue
        package = module_name.split(".")[0]
        for other_name, other in list(sys.modules.items()):
            if other is None or other_name.split(".")[0] != package:
                continue
            for attribute, value in list(vars(other).items()):
                if value is original:
                    setattr(other, attribute, replacement)
