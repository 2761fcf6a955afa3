"""The cast formula at given words, from its definition: it shares no code with the library.

Up to 10^4 letters in fractions.  Beyond, for powers of one letter, in intervals of fractions with
short denominators: powers by repeated squaring, sums by their growth from one length to the other;
a sum that must have passed an end is bounded over ranges [2^i, 2^(i+1)) of indices.
"""

import math
from bisect import bisect_left
from fractions import Fraction
from functools import cache

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
    """The numbers of a finite set."""
    return sorted(map(Q, name[1:-1].split(",")))


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


# -------------------------------------------------------------------- intervals


TINY = Q(1, 2**2000)


def short(low, high, bits):
    """An interval around another one, of numbers of so many bits, none but 0 below 2^-2000."""

    def cut(x, down):
        if abs(x) < TINY:
            return Q(0) if not x or down == (x > 0) else -TINY if down else TINY
        e = x.numerator.bit_length() - x.denominator.bit_length() - bits
        scaled = x / Q(2) ** e
        return (math.floor(scaled) if down else math.ceil(scaled)) * Q(2) ** e

    return cut(low, True), cut(high, False)


def product(a, v, bits):
    def entry(row, j):
        low = high = Q(0)
        for k, (p, q) in enumerate(row):
            r, s = v[k][j]
            corners = (p * r, p * s, q * r, q * s)
            low, high = low + min(corners), high + max(corners)
        return short(low, high, bits)

    return [[entry(row, j) for j in range(len(v[0]))] for row in a]


def point(v):
    return [[(x, x) for x in row] for row in v]


def hull(x, y):
    return [
        [(min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(r, s, strict=True)]
        for r, s in zip(x, y, strict=True)
    ]


def interval_power(a, k, bits):
    """A^k, or None if the intervals grow too wide."""
    out = point([[Q(int(i == j)) for j in range(len(a))] for i in range(len(a))])
    for bit in bin(k)[2:]:
        out = product(out, out, bits)
        if bit == "1":
            out = product(point(a), out, bits)
        if any(high - low > 1 and high - low > abs(low) / 2 for row in out for low, high in row):
            return None
    return out


def certain_casts(v, name):
    ends = [[(cast(low, name), cast(high, name)) for low, high in row] for row in v]
    if any(low != high for row in ends for low, high in row):
        return None
    return [[low for low, _ in row] for row in ends]


def powers_cast(a, v, k, name):
    for bits in (200, 800):
        power = interval_power(a, k, bits)
        found = certain_casts(product(power, point(v), bits), name) if power else None
        if found is not None:
            return found
    return None


def sum_bounds(a, b, k, name, basis):
    """Bounds of the sum of cast(A^i B) over i < k, entry by entry, in a basis (P, P^-1)."""
    p, q = basis
    t, w = times(times(q, a), p), times(q, b)
    head = min(k, 64)
    low = [[Q(0)] * len(b[0]) for _ in b]
    term = b
    for _ in range(head):
        low, term = added(low, casts(term, name)), times(a, term)
    high, first = low, head
    ranges = point([[Q(int(i == j)) for j in range(len(a))] for i in range(len(a))])
    square, size = point(t), 1
    while first < k:
        if size < first:  # hull of T^0, ..., T^(size - 1)
            ranges = hull(ranges, product(square, ranges, 400))
            square, size = product(square, square, 400), 2 * size
            continue
        count = min(size, k - first)
        moved = product(
            product(square, ranges, 400), point(w), 400
        )  # indices size, ..., 2 size - 1
        if first != size:
            return None
        image = product(point(p), moved, 400)
        low = added(low, [[cast(x, name) for x, _ in row] for row in image], count)
        high = added(high, [[cast(x, name) for _, x in row] for row in image], count)
        first += count
    return low, high


def same_state(a, b, h0, name, one, other, basis=None):
    """Whether the states after `one` and `other` equal letters are certainly equal.

    None if it cannot be told.
    """
    if max(one, other) <= EXACT:
        found = unary_states(a, b, h0, name, {one, other})
        return found[one] == found[other]
    held = [powers_cast(a, h0, k, name) for k in (one, other)]
    grown = [powers_cast(a, b, k, name) for k in range(one, other)]
    if None in held or None in grown:
        return None
    change = added(held[1], held[0], -1)
    for x in grown:
        change = added(change, x)
    if not any(x for row in change for x in row):
        return True
    bounds = None if basis is None else sum_bounds(a, b, one, name, basis)
    if bounds is None:
        return None
    sums = [added(x, held[0]) for x in bounds]
    sums += [added(x, change) for x in sums]
    seen = [casts(x, name) for x in sums]
    alike = [
        not change[i][j] or len({x[i][j] for x in seen}) == 1
        for i in range(len(b))
        for j in range(len(b[0]))
    ]
    return True if all(alike) else None
