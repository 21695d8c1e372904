"""Log survival functions of Student's t and of the normal, far into the tails, with 60 and 300 digits (mpmath)."""

import mpmath as mp

DEGREES_OF_FREEDOM = [1, 2, 3.5, 6.123784, 7, 30, 199, 200, 1438, 1e4, 1e6, 9999999, 10000001, 1e9, 1e15]
T = [-40, -5, -1, -0.01, 1e-8, 0.01, 0.5, 1, 1.3, 2, 5, 7, 12.5, 40, 100, 1000]
Z = [-30, -8, -3, -2.99, -1, -0.5, 0.5, 1, 2.5, 2.999, 3, 3.1, 4.99, 5, 5.01, 8, 20, 38, 100, 1e4]

HEAD = """\
// ln P(T > t) as (t, df, value) and ln P(Z > z) as (z, value): mpmath, by scripts/golden/distributions.py.
"""


def student_t_ln_sf(t, df):
    """ln P(T > t): the incomplete beta function, or where that fails (huge df) the integral of the density."""
    t, df = mp.mpf(t), mp.mpf(df)
    if df <= 2e6:
        upper = mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2
    else:
        scale = mp.exp(mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2)) / mp.sqrt(df * mp.pi)
        start = abs(t)
        edges = [start + mp.mpf(k) / (4 * max(1, start)) for k in range(160)]
        upper = mp.quad(lambda u: scale * mp.exp(-(df + 1) / 2 * mp.log1p(u * u / df)), edges)
    return mp.log(upper if t >= 0 else 1 - upper)


def table(name, kind, rows):
    lines = "".join(f"    ({', '.join(repr(float(mp.nstr(value, 20))) for value in row)}),\n" for row in rows)
    return f"const {name}: &[{kind}] = &[\n{lines}];\n"


def make(testdata):
    mp.mp.dps = 60
    # Beyond this the integral of the density would need more than its 160 pieces.
    pairs = [(t, df) for df in DEGREES_OF_FREEDOM for t in T if df < 1e6 or -6 <= t <= 40]
    student = [(t, df, student_t_ln_sf(t, df)) for t, df in pairs]
    mp.mp.dps = 300
    normal = [(z, mp.log(mp.erfc(mp.mpf(z) / mp.sqrt(2)) / 2)) for z in Z]
    text = HEAD + table("STUDENT_T", "(f64, f64, f64)", [[mp.mpf(v) for v in row] for row in student])
    text += table("NORMAL", "(f64, f64)", [[mp.mpf(v) for v in row] for row in normal])
    testdata.write("golden/distributions.rs", text.encode())
