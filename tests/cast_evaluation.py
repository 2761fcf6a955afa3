"""The cast formula at given words, from its definition: it shares no code with the library.

Up to 10^4 letters in fractions.  Beyond, for powers of one letter, in balls: powers by repeated
squaring, sums by their growth from one length to the other; a sum that must have passed an end is
bounded over chunks of indices.
"""

import math
from bisect import bisect_left
from fractions import Fraction
from functools import cache

from flint import arb, arb_mat, ctx, fmpq, fmpq_mat

Q = Fraction
EXACT = 10_000
FLOATS = {  # bits, exponent of the smallest number, largest number
    "float32": (24, -149, (2**24 - 1) * 2**104),
    "bfloat16": (8, -133, (2**8 - 1) * 2**120),
    "float16": (11, -24, (2**11 - 1) * 2**5),
    "float8_e5m2": (3, -16, (2**3 - 1) * 2**13),
    "float8_e4m3": (4, -9, 448),
}


@cache
def members(name):
    """The numbers of a small format, in order."""
    if name[0] == "{":
        return sorted(map(Q, name[1:-1].split(",")))
    if name[:5] == "fixed":
        width, point = map(int, name[5:].split("."))
        return [Q(k, 2**point) for k in range(-(2 ** (width - 1)), 2 ** (width - 1))]
    bits, unit, largest = FLOATS[name]
    sizes = [range(2**bits)]  # in units of 2^unit, then 2^(unit + 1), ...
    while sizes[-1][-1] * Q(2) ** (unit + len(sizes) - 1) < largest:
        sizes.append(range(2 ** (bits - 1), 2**bits))
    found = {k * Q(2) ** (unit + i) for i, ks in enumerate(sizes) for k in ks}
    return sorted(x * sign for x in found if x <= largest for sign in ((1, -1) if x else (1,)))


def cast(x, name):
    """The nearest number, ties to the smaller; beyond the ends, the end."""
    return cast_ratio(x.numerator, x.denominator, name)


def cast_ratio(n, d, name):
    """The cast of n / d, d > 0, which need not be in lowest terms."""
    if name[0] == "{":
        values = members(name)
        i = bisect_left(values, True, key=lambda v: v.numerator * d >= n * v.denominator)
        return min(values[max(i - 1, 0) : i + 1], key=lambda v: (abs(v * d - n), v))
    if name in FLOATS:
        bits, unit, largest = FLOATS[name]
        unit = max(unit, abs(n).bit_length() - d.bit_length() - bits)
        while at_least(abs(n), d, unit + bits):
            unit += 1
        low = -largest
    else:
        width, point = map(int, name[5:].split("."))
        unit = -point
        low, largest = -(Q(2) ** (width - 1 - point)), (2 ** (width - 1) - 1) * Q(2) ** -point
    n, d = (n << -unit, d) if unit < 0 else (n, d << unit)
    steps = -((d - 2 * n) // (2 * d))  # ceil(n / d - 1 / 2)
    return min(max(steps * Q(2) ** unit, low), largest)


def at_least(n, d, e):
    """Whether n / d >= 2^e."""
    return n >= d << e if e >= 0 else n << -e >= d


def times(a, v):
    return [
        [sum((x * v[k][j] for k, x in enumerate(row) if x), Q(0)) for j in range(len(v[0]))]
        for row in a
    ]


def added(x, y, count=1):
    return [[a + count * b for a, b in zip(r, s, strict=True)] for r, s in zip(x, y, strict=True)]


def casts(v, name):
    return [[cast(x, name) for x in row] for row in v]


# -------------------------------------------------------------------- exact


def states(steps, h0, name):
    """The state after every step (A, B): the cast of the sum of the casts of all its terms."""
    terms = [h0]
    for a, b in steps:
        terms = [*(times(a, t) for t in terms), b]
        total = casts(terms[0], name)
        for t in terms[1:]:
            total = added(total, casts(t, name))
        yield casts(total, name)


def unary_states(a, b, h0, name, lengths):
    """The states after so many equal letters, by length; A^i B and A^k H_0 over one denominator."""
    q, p, r = (math.lcm(*(x.denominator for row in m for x in row)) for m in (a, b, h0))
    m, term, power = (
        [[int(x * d) for x in row] for row in v] for v, d in ((a, q), (b, p), (h0, r))
    )
    total, out = [[Q(0)] * len(h0[0]) for _ in h0], {}
    for k in range(max(lengths) + 1):
        if k in lengths:
            held = [[cast_ratio(x, r, name) for x in row] for row in power]
            out[k] = casts(added(total, held), name)
        total = added(total, [[cast_ratio(x, p, name) for x in row] for row in term])
        term, power = (
            [[sum(x * v[i][j] for i, x in enumerate(row)) for j in range(len(v[0]))] for row in m]
            for v in (term, power)
        )
        p, r = p * q, r * q
    return out


# -------------------------------------------------------------------- balls


CHUNKS = (8, 64, 512)
"""Chunks of an octave of indices over which a sum is bounded, tried in turn."""
FRESH = 64
"""Chunks after which a power is computed anew."""
ORDER = 5
"""Differences of A^i B, over a chunk, that are kept."""


def ball_power(a, k):
    """A^k in balls."""
    out = square = None
    while k:
        square = a if square is None else square * square
        if k & 1:
            out = square if out is None else out * square
        k >>= 1
    return out


def rational_matrix(v):
    entries = [fmpq(x.numerator, x.denominator) for row in v for x in row]
    return fmpq_mat(len(v), len(v[0]), entries)


def outwards(end, side):
    """A fraction on one side of the end of a ball; none of them is huge or tiny."""
    mantissa, exponent = map(int, end.man_exp())
    if not mantissa:
        return Q(0)
    high = exponent + abs(mantissa).bit_length()
    if high < -3000:
        return Q(side, 2**3000) if (mantissa > 0) == (side > 0) else Q(0)
    if high > 3000:
        return Q(2) ** 3000 * (1 if mantissa > 0 else -1)
    return mantissa * Q(2) ** exponent


def range_casts(low, high, name):
    """The casts of the ends of lists of balls."""
    below = [cast(outwards(x.lower(), -1), name) for x in low.entries()]
    return below, [cast(outwards(x.upper(), 1), name) for x in high.entries()]


def powers_cast(a, v, k, name):
    """The entries of cast(A^k v); None if balls do not tell them."""
    for bits in (256, 1024, 4096, 65_536):
        with ctx.workprec(bits):
            x = arb_mat(rational_matrix(v))
            moved = ball_power(arb_mat(rational_matrix(a)), k) * x if k else x
            low, high = range_casts(moved, moved, name)
        if low == high:
            return low
    if k <= 30_000:
        return [cast(Q(int(x.p), int(x.q)), name)
                for x in (rational_matrix(a) ** k * rational_matrix(v)).entries()]  # fmt: skip
    return None


def sum_bounds(a, b, k, name, chunks):
    """Bounds of the sum of cast(A^i B) over i < k, entry by entry.

    Over a chunk of indices m, ..., m + c - 1 Newton's forward differences give
    A^(m + j) B = sum_{r < R} C(j, r) A^m (A - I)^r B + C(j, R) A^i A^m (A - I)^R B for some mean
    over i < j, so that a hull of A^0, ..., A^(c - 1) bounds what is left.
    """
    exact, v = rational_matrix(a), rational_matrix(b)
    n = exact.nrows()
    eye = fmpq_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
    with ctx.workprec(4096):
        first = [arb_mat((exact - eye) ** r * v) for r in range(ORDER + 1)]
        power, size, hull = arb_mat(exact), 1, arb_mat(eye)
        low, high = [Q(0)] * len(v.entries()), [Q(0)] * len(v.entries())
        m, parts, used = 0, first, 0
        while m < k:
            if 2 * size * chunks <= m:
                moved = power * hull
                around = [x.union(y) for x, y in zip(hull.entries(), moved.entries(), strict=True)]
                hull = arb_mat(n, n, around)
                power, size = power * power, 2 * size
                continue
            if used == FRESH:  # balls grow with every product
                fresh, used = ball_power(arb_mat(exact), m), 0
                parts = [fresh * part for part in first]
            count = min(size, k - m)
            total, binomial = parts[0], arb(1)
            for r, part in enumerate(parts[1:], 1):
                binomial = binomial * arb(max(0, count - r)) / r
                span = arb(0).union(binomial)
                total = total + (hull * part if r == ORDER else part) * span
            ends = range_casts(total, total, name)
            low, high = ([x + count * y for x, y in zip(s, e, strict=True)]
                         for s, e in zip((low, high), ends, strict=True))  # fmt: skip
            m += count
            if count == size:
                parts, used = [power * part for part in parts], used + 1
    return low, high


def same_state(a, b, h0, name, one, other):
    """Whether the states after `one` and `other` equal letters, one < other, are certainly equal.

    None if it cannot be told.
    """
    if max(one, other) <= EXACT:
        found = unary_states(a, b, h0, name, {one, other})
        return found[one] == found[other]
    held = [powers_cast(a, h0, k, name) for k in (one, other)]
    grown = [powers_cast(a, b, k, name) for k in range(one, other)]
    if None in held or None in grown:
        return None
    change = [y - x + sum(g) for x, y, *g in zip(*held, *grown, strict=True)]
    if not any(change):
        return True
    for chunks in CHUNKS:
        bounds = sum_bounds(a, b, one, name, chunks)
        alike = [
            not c
            or len({cast(s[i] + held[0][i] + more, name) for s in bounds for more in (0, c)}) == 1
            for i, c in enumerate(change)
        ]
        if all(alike):
            return True
    return None
