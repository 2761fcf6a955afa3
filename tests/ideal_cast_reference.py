"""The ideal cast from its definition, and random matrices for it."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from math import lcm

import numpy as np
from hypothesis import strategies as st

from lrnn_theory.formats import Float, parse_format
from lrnn_theory.ideal_cast import (
    EventualCast,
)

Q = Fraction
SETS = (
    *("{0,1}", "{-1,0,1}", "{-4,-3,-2,-1,0,1,2,3,4}", "{0,1,2,3,4,5,6,7}", "{-2,1,2,5}"),
    *("{-7/2,-1/3,1/4,9}", "{3}", "fixed4.1", "fixed8.4", "fixed8.0", "float8_e4m3", "float8_e5m2"),
)
SMALL = st.sampled_from([Q(p, q) for p in range(-4, 5) for q in (1, 2, 3, 8)])
NONNEGATIVE = st.sampled_from([Q(p) for p in ("0", "1/8", "1/3", "1/2", "3/4", "9/10", "1", "2")])


def numbers(name: str) -> list[Q]:
    """All numbers of a small format, by its definition."""
    form = parse_format(name)
    if isinstance(form, Float):
        places = range(form.quantum, 17)
        floats = {Q(m) * Q(2) ** e for e in places for m in range(2**form.precision)}
        return sorted({s * x for x in floats for s in (1, -1) if x <= form.max_value})
    if name.startswith("{"):
        return sorted(map(Q, name[1:-1].split(",")))
    width, fraction = map(int, name[5:].split("."))
    return [Q(i, 2**fraction) for i in range(-(2 ** (width - 1)), 2 ** (width - 1))]


NUMBERS = {name: np.array(numbers(name), object) for name in SETS}


def nearest(x: Q, name: str) -> Q:
    """The nearest number, the smaller of two."""
    all_numbers = NUMBERS[name]
    i = int(np.searchsorted(all_numbers, x))
    return min(all_numbers[max(i - 1, 0) : i + 1], key=lambda c: (abs(x - c), c))


def reference(A: list[list[Q]], B: list[Q], h: list[Q], name: str) -> Iterator[list[Q]]:
    """H_0, H_1, ... in plain Python."""
    total = [Q(0)] * len(h)
    while True:
        yield [nearest(s + nearest(x, name), name) for s, x in zip(total, h, strict=True)]
        total = [s + nearest(x, name) for s, x in zip(total, B, strict=True)]
        B, h = (
            [sum((a * x for a, x in zip(row, v, strict=True)), Q(0)) for row in A] for v in (B, h)
        )


def agrees(found: EventualCast, states: Iterator[list[Q]], beyond: int = 100) -> None:
    """The definition gives what was found, from the preperiod to a while after."""
    states = islice(states, found.preperiod, found.preperiod + 2 * found.period + beyond)
    for k, state in enumerate(states, found.preperiod):
        assert found.at(k).tolist() == state, k


@st.composite
def unimodular(draw: st.DrawFn, n: int) -> tuple[np.ndarray, np.ndarray]:
    """An integer matrix with its inverse."""
    p, q = np.eye(n, dtype=object), np.eye(n, dtype=object)
    for _ in range(draw(st.integers(0, 3)) if n > 1 else 0):
        i, j = draw(st.permutations(range(n)))[:2]
        step, back = np.eye(n, dtype=object), np.eye(n, dtype=object)
        step[i, j] = draw(st.sampled_from([-2, -1, 1, 2]))
        back[i, j] = -step[i, j]
        p, q = p @ step, back @ q
    return p, q


@st.composite
def nonnegative_spectra(draw: st.DrawFn) -> list[list[Q]]:
    """Triangular with a nonnegative diagonal, in another basis of integers."""
    n = draw(st.integers(1, 4))
    t = np.full((n, n), Q(0), object)
    for i in range(n):
        t[i, i:] = [draw(NONNEGATIVE), *(draw(SMALL) for _ in range(n - i - 1))]
    p, q = draw(unimodular(n))
    return (p @ t @ q).tolist()


BLOCKS = {
    2: [[0, 1], [1, 0]],
    3: [[0, -1], [1, -1]],
    4: [[0, -1], [1, 0]],
    6: [[0, -1], [1, 1]],
    5: [[0, 0, 0, -1], [1, 0, 0, -1], [0, 1, 0, -1], [0, 0, 1, -1]],
}


@st.composite
def roots_of_unity(draw: st.DrawFn) -> tuple[list[list[Q]], int]:
    """Blocks whose eigenvalues are roots of unity times a positive number, and their order."""
    orders = draw(st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=2))
    blocks = [np.array(BLOCKS[m], object) * draw(SMALL.filter(bool)) for m in orders]
    n = sum(map(len, blocks))
    a, at = np.full((n, n), Q(0), object), 0
    for block in blocks:
        a[at : at + len(block), at : at + len(block)] = block
        a[:at, at : at + len(block)] = draw(st.sampled_from([Q(0), Q(1)]))
        at += len(block)
    p, q = draw(unimodular(n))
    return (p @ a @ q).tolist(), lcm(2, *orders)


def vectors(draw: st.DrawFn, n: int) -> list[Q]:
    return [draw(SMALL) for _ in range(n)]
