"""Tails of the hypergeometric distribution from exact integers, population up to 1e6; SciPy is checked against them.

testdata/golden/hypergeometric.rs  (population, marked, drawn, k, ln P(X >= k), ln P(X <= k))
"""

import math

import mpmath as mp
import numpy as np
import scipy.stats

HEAD = """\
// Hypergeometric tails (population, marked, drawn, k, ln P(X >= k), ln P(X <= k)): exact integers, by
// scripts/golden/hypergeometric.py.
"""

#                population, marked, drawn, what k
CASES = [
    (20, 5, 4, (0, 1, 2, 3, 4)),
    (92, 12, 9, (0, 1, 2, 5, 9)),
    (1000, 500, 500, (200, 249, 250, 251, 300, 400, 500)),
    (1440, 144, 100, (0, 9, 10, 11, 40, 100)),
    (1440, 288, 1, (0, 1)),
    (62720, 9533, 5143, (600, 781, 782, 900, 3000, 5143)),
    (62720, 40, 62000, (35, 38, 39, 40)),
    (1_000_000, 150_000, 80_000, (10_000, 11_900, 12_000, 12_001, 12_500, 20_000, 80_000)),
    (1_000_000, 500_000, 500_000, (249_000, 250_000, 251_000, 260_000)),
    (1_000_000, 3, 999_999, (2, 3)),
    (1_000_000, 900_000, 200_000, (100_001, 179_800, 180_000, 180_300, 200_000)),
]


def tails(population, marked, drawn, wanted):
    """ln of both tails for every k wanted, each the sum of exact terms over one common denominator."""
    fewest, most = max(0, marked + drawn - population), min(marked, drawn)
    # Terms relative to the first one would grow without bound; mpmath's exponents have none.
    mp.mp.dps = 60
    term = mp.binomial(marked, fewest) * mp.binomial(population - marked, drawn - fewest) / mp.binomial(population, drawn)
    up, down, running = {}, {}, mp.mpf(0)
    for k in range(fewest, most + 1):
        if k in wanted:
            up[k], down[k] = running, None
        running += term
        if k in wanted:
            down[k] = running
        term = term * (marked - k) * (drawn - k) / ((k + 1) * (population - marked - drawn + k + 1))
    # The upper tail from the other end, so that nothing cancels.
    term = mp.binomial(marked, most) * mp.binomial(population - marked, drawn - most) / mp.binomial(population, drawn)
    running = mp.mpf(0)
    for k in range(most, fewest - 1, -1):
        running += term
        if k in wanted:
            up[k] = running
        if k > fewest:
            term = term * k * (population - marked - drawn + k) / ((marked - k + 1) * (drawn - k + 1))
    ln = lambda tail: 0.0 if tail >= 1 - mp.mpf(10) ** -50 else float(mp.log(tail))
    return [(k, ln(up[k]), ln(down[k])) for k in wanted]


def make(testdata):
    lines = []
    for population, marked, drawn, wanted in CASES:
        for k, at_least, at_most in tails(population, marked, drawn, wanted):
            for exact, scipys in (
                (at_least, scipy.stats.hypergeom.sf(k - 1, population, marked, drawn)),
                (at_most, scipy.stats.hypergeom.cdf(k, population, marked, drawn)),
            ):
                if exact > -700:
                    # Measured: SciPy 1.17 is within 3e-14 up to a population of 62720, and 1e-10 off at 1e6.
                    tolerance = 1e-11 if population < 1_000_000 else 1e-9
                    assert math.isclose(scipys, np.exp(exact), rel_tol=tolerance), (population, marked, drawn, k)
            lines.append(f"    ({population}, {marked}, {drawn}, {k}, {at_least!r}, {at_most!r}),\n")
    text = HEAD + "const HYPERGEOMETRIC: &[(u64, u64, u64, u64, f64, f64)] = &[\n" + "".join(lines) + "];\n"
    testdata.write("golden/hypergeometric.rs", text.encode())
