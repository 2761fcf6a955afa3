"""Arithmetic that few certificates need; checker.py loads this file then and is its `core`.

Format        fixed point and finite sets of numbers
Real          irrational numbers
model         layers in factors, in chunks, as trees, and in the cast model
"""

import math
import re
from bisect import bisect_left
from collections import Counter
from fractions import Fraction
from functools import partial
from typing import Any

core: Any = None  # the module that loads this file; it sets the name


# -------------------------------------------------------------------- numbers


class Format:
    """Fixed point, rounded to nearest, ties to even; or a finite set, ties to the smaller."""

    precision = 0

    def __init__(self, text):
        name, _, mark = text.partition("!")
        self.values, choices = [], ["sat"]
        if fixed := re.fullmatch(r"fixed([0-9]{1,4})\.(-?[0-9]{1,4})", name):
            self.unit, half = Fraction(2) ** -int(fixed[2]), 1 << int(fixed[1]) - 1
            self.ends, choices = (-half * self.unit, (half - 1) * self.unit), ["sat", "wrap"]
            self.corners = self.unit, *self.ends
        else:
            core.need(name[:1] + name[-1:] == "{}", f"unknown format {name[:40]!r}")
            self.values = self.corners = sorted(map(core.rational, name[1:-1].split(",")))
            self.ends = self.values[0], self.values[-1]
        core.need(mark in ("", *choices), f"unknown overflow {mark[:40]!r}")
        self.wraps, self.in_doubles = mark == "wrap", fixed and int(fixed[1]) <= 53

    def grid(self, x, even=True):
        """The nearest number beyond which none ends; not `even`: of two, the smaller."""
        if self.values:  # of two at one distance, min takes the first
            i = bisect_left(self.values, x)
            return min(self.values[max(i - 1, 0) : i + 1], key=lambda v: abs(v - x))
        x = Fraction(x) / self.unit
        return (round(x) if even else math.ceil(x - Fraction(1, 2))) * self.unit

    def multiples(self):
        """All numbers of a fixed-point format."""
        low, high = (int(x / self.unit) for x in self.ends)
        core.need(high - low <= core.MAX_STATES, "too many numbers")
        return [i * self.unit for i in range(low, high + 1)]

    def nearest(self, x):
        """The number that an exact number, an infinity or a NaN becomes."""
        (low, high), special = self.ends, isinstance(x, float)
        if special and (math.isnan(x) or self.wraps):
            return 0
        if not special:
            x = x.by(self.grid) if isinstance(x, Real) else self.grid(x)
            x = (x - low) % (high - low + self.unit) + low if self.wraps else x
        x = min(max(x, low), high)
        return x.numerator if x.denominator == 1 else x


def bounds(c, low, high):
    """Bounds of sum c_i x^i for low <= x <= high."""
    bottom = top = 0
    for a in reversed(c):
        corners = [x * y for x in (bottom, top) for y in (low, high)]
        bottom, top = min(corners) + a, max(corners) + a
    return bottom, top


class Real(tuple):
    """sum c_i theta^i, no fraction at sight; theta is the only root of f between low and high."""

    f: list[Any]  # these three are set by `field`
    low: Any
    high: Any

    @classmethod
    def number(cls, text):
        """A number by the coefficients of its text."""
        return cls.of(map(core.rational, text.split(" ")))

    @classmethod
    def of(cls, c):
        """A number by its coefficients: a fraction, or reduced modulo f."""
        c, f = [*c, *[0] * len(cls.f)], cls.f
        while len(c) >= len(f):
            lead = Fraction(c.pop()) / f[-1]
            for j, a in enumerate(f[:-1] if lead else (), len(c) - len(f) + 1):
                c[j] -= lead * a
        return cls(c) if any(c[1:]) else c[0]

    def c(self, y):
        """The coefficients of a number that may be a fraction."""
        return y if isinstance(y, Real) else (Fraction(y), *[0] * (len(self) - 1))  # not of inf

    def __add__(self, y):
        return self.of(a + b for a, b in zip(self, self.c(y), strict=True))

    def __mul__(self, y):
        product = [0] * (2 * len(self))
        for i, a in enumerate(self):
            for j, b in enumerate(self.c(y), i):
                product[j] += a * b
        return self.of(product)

    __radd__, __rmul__ = __add__, __mul__

    def __gt__(self, y):
        difference = self + -1 * y
        if isinstance(difference, Real):
            return difference.by(lambda x: x > 0)
        return difference > 0

    def __lt__(self, y):
        return -1 * self > -1 * y

    def by(self, rule):
        """What a monotone rule, which jumps at fractions, makes of the number."""
        f, low, high = self.f, self.low, self.high
        for _ in range(10_000):
            one, other = map(rule, bounds(self, low, high))
            if one == other:
                return one
            middle = Fraction(low + high) / 2
            left = bounds(f, low, low)[0] * bounds(f, middle, middle)[0] <= 0
            low, high = (low, middle) if left else (middle, high)
        raise ValueError("two numbers are too near to be told apart")


def field(polynomial, interval):
    """The numbers of a field: a Real with its own theta."""
    f, (low, high) = list(map(core.rational, polynomial)), map(core.rational, interval)
    slopes = bounds([i * c for i, c in enumerate(f)][1:], low, high)
    ends = bounds(f, low, low)[0] * bounds(f, high, high)[0]
    core.need(low < high and ends < 0 < slopes[0] * slopes[1], "theta is not well defined")
    return type("Number", (Real,), {"f": f, "low": low, "high": high})


# -------------------------------------------------------------------- what layers remember


def model(layer, actions):
    """Letters, the first state, the state after a letter, and what a readout sees of a state."""
    rounds = layer.rounds
    letters = [letter(layer, **x) for x in actions]
    if rounds.name == "cast":
        memory = Cast(rounds, letters, layer.h0)
    elif rounds.order:
        memory = Blocks(rounds, letters, layer.h0, layer.n)
    else:
        memory = Plain(rounds, letters, layer.h0)
    return letters, memory.start, memory.after, memory.shown


def letter(layer, b, a=None, factors=None):
    """The matrix and the input of an action; the matrix may be a list of factors (key, beta)."""
    rounds = layer.rounds
    if factors is None:
        matrix, b = layer.letter(a, b)
        diagonal = all(i == j for i, row in enumerate(matrix) for j, _ in row)
        core.need(diagonal or not rounds.factored, "no matrix of this arithmetic")
        return matrix, b
    whole = rounds.factored and a is None and len(layer.h0) % layer.n == 0
    core.need(whole, "no matrix of this arithmetic")
    pairs = [read_factor(layer, **f) for f in factors]
    return Factors(layer.n, pairs), tuple(map(rounds.weight, b))


def read_factor(layer, k, beta):
    """The entries of the key, and beta."""
    return layer.sparse(k), layer.rounds.weight(beta)


def plus(x, y):
    """A sum; what a number beside an infinity or a NaN is, does not matter."""
    if isinstance(x, float) == isinstance(y, float):
        return x + y
    return x if isinstance(x, float) else y


def times(x, y):
    """A product; of a number beside an infinity or a NaN, the sign is enough."""
    if isinstance(x, float) == isinstance(y, float):
        return x * y
    return math.prod(v if isinstance(v, float) else (v > 0) - (v < 0) for v in (x, y))


def dot(rounds, pairs):
    """A sum of products, in order; no number is too large."""
    total = None
    for w, x in pairs:
        product = times(w, x)
        product = product if rounds.fma and total is not None else rounds.operate(product)
        total = product if total is None else rounds.operate(plus(total, product))
    return total or 0


def affine(rounds, rows, b, x):
    """A x + b before it is stored; no number is too large."""
    d = len(x) // len(rows)
    h = [dot(rounds, ((w, x[c * d + k]) for c, w in row)) for row in rows for k in range(d)]
    return [rounds.operate(plus(s, y)) for s, y in zip(h, b, strict=True)] if b else h


class Factors:
    """A matrix of n rows, the product of I - beta k k^T, of which the last acts first."""

    def __init__(self, n, factors):
        self.n, self.factors = n, factors

    def affine(self, rounds, b, x):
        """A x + b."""
        after_factor = rounds.store if rounds.name == "once" else rounds.operate
        h, d = list(x), len(x) // self.n
        for key, beta in reversed(self.factors):
            for k in range(d):
                s = dot(rounds, ((w, h[c * d + k]) for c, w in key))
                s = rounds.operate(times(beta, s))
                for c, w in key:
                    product = times(w, s) if rounds.fma else rounds.operate(times(w, s))
                    h[c * d + k] = after_factor(plus(h[c * d + k], -1 * product))
        if b:
            h = [rounds.operate(plus(x, y)) for x, y in zip(h, b, strict=True)]
        return tuple(map(rounds.store, h))


def act(rounds, matrix, b, x):
    """A x + b, by factors or by rows."""
    if isinstance(matrix, Factors):
        return matrix.affine(rounds, b, x)
    return rounds.affine(matrix, b, x)


def dense(p, n):
    """The rows of a matrix of which all entries count."""
    return [list(enumerate(p[i : i + n])) for i in range(0, len(p), n)]


def flat(rounds, matrix, n):
    """All entries of a matrix; factors act on the identity."""
    if isinstance(matrix, Factors):
        return matrix.affine(rounds, (), [int(i % (n + 1) == 0) for i in range(n * n)])
    return tuple(dict(row).get(j, 0) for row in matrix for j in range(n))


class Plain:
    """Letter after letter, be they matrices or factors."""

    def __init__(self, rounds, letters, h0):
        self.rounds, self.letters, self.start = rounds, letters, h0

    def after(self, h, action):
        """A H + B."""
        matrix, b = self.letters[action]
        return act(self.rounds, matrix, b, h)

    def shown(self, h):
        """All of the state."""
        return h


class Blocks:
    """Letters multiplied before they meet the state: (state, blocks (length, product, sum))."""

    def __init__(self, rounds, letters, h0, n):
        self.rounds, self.letters, self.n, self.start = rounds, letters, n, (h0, ())
        self.chunk = int(rounds.order.partition(":")[2] or 0)  # 0 in a tree

    def after(self, state, action):
        """In chunks, one block that grows; as a tree, blocks of one length are joined."""
        (h, blocks), (matrix, b), rounds = state, self.letters[action], self.rounds
        if self.chunk and blocks:
            ((size, p, s),) = blocks
            blocks = ((size + 1, act(rounds, matrix, (), p), act(rounds, matrix, b, s)),)
        else:
            blocks = self.joined((*blocks, (1, flat(rounds, matrix, self.n), b)))
        through = blocks[0][0] == self.chunk
        return (self.shown((h, blocks)), ()) if through else (h, blocks)

    def joined(self, blocks):
        """Blocks of which the last two have no longer one length."""
        while len(blocks) > 1 and blocks[-1][0] == blocks[-2][0]:
            (size, p, s), (_, q, r) = blocks[-2:]
            q, affine = dense(q, self.n), self.rounds.affine
            blocks = (*blocks[:-2], (2 * size, affine(q, (), p), affine(q, r, s)))
        return blocks

    def shown(self, state):
        """The state with all blocks applied to it."""
        h, blocks = state
        for _, p, s in blocks:
            h = self.rounds.affine(dense(p, self.n), s, h)
        return h


class Cast:
    """Exact terms, each with how often it comes; a readout sees the cast sum of their casts."""

    def __init__(self, rounds, letters, h0):
        self.rounds, self.letters, self.size = rounds, letters, len(h0)
        self.start = frozenset({(h0, 1)})

    def near(self, x):
        """The nearest number, ties to the smaller; beyond the ends, the end."""
        grid = partial(self.rounds.form.grid, even=False)
        x = x.by(grid) if isinstance(x, Real) else grid(x)
        low, high = self.rounds.form.ends
        return min(max(x, low), high)

    def after(self, terms, action):
        """Every term is moved, and the input is a new one."""
        (matrix, b), moved = self.letters[action], Counter()
        moved[b] = 1
        for term, count in terms:
            moved[act(self.rounds, matrix, (), term)] += count
        counts = self.near(0) != 0  # whether a term of zeros does
        return frozenset((x, c) for x, c in moved.items() if counts or any(x))

    def shown(self, terms):
        """The cast of the sum of casts."""
        casts = [[count * self.near(x) for x in term] for term, count in terms]
        return tuple(self.near(sum(x)) for x in zip([0] * self.size, *casts, strict=True))
