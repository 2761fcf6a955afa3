"""Theorems in the cast model of the papers: parity, counting, and what their proofs leave out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import flint
import numpy as np

from constructions.theorems import plain
from constructions.theorems.plain import Generator, Matrix, pick
from lrnn_theory.formats import parse_format
from lrnn_theory.ideal_cast import EventualCast, eventual_cast
from lrnn_theory.theorem import Hypothesis, Theorem, Worst, require

PAGE = "docs/ideal-cast.md"
MODEL = "the cast model: exact products and sums, cast to the nearest number, ties to the smaller"
GRAZZI = "Grazzi, Siems et al., arXiv 2411.12537"
BY_HAND = 600
"""Lengths up to which states are computed from the definition."""

Q = Fraction
SETS = (
    "{0,1}", "{-1,0,1}", "{-4,-3,-2,-1,0,1,2,3,4}", "{0,1,2,3,4,5,6,7}", "{-2,1,2,5}", "{3}",
    "{-7/2,-1/3,1/4,9}", "fixed4.1", "fixed8.4", "float8_e4m3", "float8_e5m2",
)  # fmt: skip


@dataclass(frozen=True)
class Unary:
    """A layer that reads one letter, in a format."""

    a: Matrix
    b: Matrix
    h0: Matrix
    name: str


def numbers_of(name: str) -> list[Fraction]:
    """All numbers of a small format, by its definition."""
    if name.startswith("{"):
        return sorted(Fraction(t) for t in name[1:-1].split(","))
    if name.startswith("fixed"):
        width, places = (int(t) for t in name[5:].split("."))
        return [Q(i, 2**places) for i in range(-(2 ** (width - 1)), 2 ** (width - 1))]
    precision, quantum, top = {"float8_e4m3": (4, -9, 448), "float8_e5m2": (3, -16, 57344)}[name]
    found = {Q(m) * Q(2) ** e for e in range(quantum, 17) for m in range(2**precision)}
    return sorted({s * x for x in found for s in (1, -1) if x <= top})


def cast_of(name: str) -> Callable[[Fraction], Fraction]:
    """The nearest number, the smaller of two; beyond the ends, the end."""
    every = numbers_of(name)

    def cast(x: Fraction) -> Fraction:
        i = bisect_left(every, x)
        return min(every[max(i - 1, 0) : i + 1], key=lambda c: (abs(x - c), c))

    return cast


def by_definition(layer: Unary) -> Iterator[list[Fraction]]:
    """H_0, H_1, ... of the cast model, in plain fractions."""
    cast = cast_of(layer.name)
    b, h, total = layer.b, layer.h0, [Q(0)] * len(layer.h0)
    while True:
        yield [cast(s + cast(x)) for s, x in zip(total, h, strict=True)]
        total = [s + cast(x) for s, x in zip(total, b, strict=True)]
        b, h = layer.a @ b, layer.a @ h


def settled(layer: Unary) -> EventualCast:
    """What the library proves of all lengths, compared with the definition where that is short."""
    found = eventual_cast(layer.a, layer.b, layer.h0, parse_format(layer.name))
    require(isinstance(found, EventualCast), f"it is unresolved: {found}")
    assert isinstance(found, EventualCast)
    if found.preperiod <= BY_HAND and (layer.name in SETS or layer.name.startswith("{")):
        window = islice(by_definition(layer), found.preperiod, found.preperiod + 20)
        for k, state in enumerate(window, found.preperiod):
            require(found.at(k).tolist() == state, f"at length {k} the state is another")
    elif len(layer.a) == 1 and not any(layer.b):
        _decay(layer, found)
    return found


def _decay(layer: Unary, found: EventualCast) -> None:
    """A power of one number, by balls: it has just come below the last midpoint of the format."""
    form = parse_format(layer.name)
    end = Q(found.at(found.preperiod)[0])
    with_bits = flint.ctx.prec
    flint.ctx.prec = 200
    try:
        a = layer.a[0, 0]
        value = flint.arb(flint.fmpq(a.numerator, a.denominator))
        h = layer.h0[0]
        for k in (found.preperiod, found.preperiod + 1, 2 * found.preperiod):
            power = value**k * flint.fmpq(h.numerator, h.denominator)
            near = Q(int(power.mid().man_exp()[0])) * Q(2) ** int(power.mid().man_exp()[1])
            require(Q(form.cast(near)) == end, f"at length {k} the state is another")
        power = value ** (found.preperiod - 1) * flint.fmpq(h.numerator, h.denominator)
        near = Q(int(power.mid().man_exp()[0])) * Q(2) ** int(power.mid().man_exp()[1])
        require(Q(form.cast(near)) != end, "the state was the last one before")
    finally:
        flint.ctx.prec = with_bits


def _entries(rng: Generator, n: int) -> Matrix:
    return plain.exact([pick(rng, [Q(p, q) for p in range(-4, 5) for q in (1, 2, 3, 8)])
                        for _ in range(n)])  # fmt: skip


def with_spectrum(rng: Generator, values: list[Fraction]) -> Matrix:
    """A rational matrix with these eigenvalues, mostly not normal."""
    n = len(values)
    a = plain.exact(np.zeros((n, n), int))
    for i, value in enumerate(values):
        a[i, i] = value
        a[i, i + 1 :] = _entries(rng, n - i - 1)
    p = plain.unimodular(rng, n)
    return p @ a @ plain.inverse(p)


_NONNEGATIVE = [Q(0), Q(1, 8), Q(1, 3), Q(1, 2), Q(3, 4), Q(1), Q(1), Q(2)]
_REAL = [*_NONNEGATIVE, Q(-1), Q(-1), Q(-1, 2), Q(-3, 4), Q(-2)]


def _random(rng: Generator, values: list[Fraction]) -> Unary:
    n = int(rng.integers(1, 5))
    a = with_spectrum(rng, [pick(rng, values) for _ in range(n)])
    return Unary(a, _entries(rng, n), _entries(rng, n), pick(rng, SETS))


def _scalar(a: Any, b: Any, h0: Any, name: str) -> Unary:
    return Unary(plain.exact([[a]]), plain.exact([b]), plain.exact([h0]), name)


def _nonnegative(layer: Unary) -> str:
    p = plain.characteristic(layer.a)
    real = plain.real_roots(p, Q(0), None) + (p[0] == 0)
    return "" if real == plain.different_roots(p) else "an eigenvalue is not in [0, inf)"


def _real(layer: Unary) -> str:
    count = plain.nonreal_eigenvalues(layer.a)
    return f"{count} eigenvalues are not real" if count else ""


def _parity(layer: Unary) -> Worst:
    found = settled(layer)
    require(found.period == 1, f"the period is {found.period}")
    k = found.preperiod
    return Worst(k, f"1^{k} and 1^{k + 1} are confused: n = {len(layer.a)}, {layer.name}")


def _counting(layer: Unary) -> Worst:
    found = settled(layer)
    require(found.period in (1, 2), f"the period is {found.period}")
    k = found.preperiod
    return Worst(
        found.period + k / (k + 1),
        f"period {found.period} from {k} on: n = {len(layer.a)}, {layer.name}",
    )


def _boundary(sign: int) -> Unary:
    """1/2 + 1/4 (-1/8)^k, about the midpoint of 0 and 1."""
    a = plain.exact([[1, 0, 0], [0, Q(sign, 8), 0], [1, 1, 0]])
    return Unary(a, plain.exact([0, 0, 0]), plain.exact([Q(1, 2), Q(1, 4), 0]), "{0,1}")


_SLOW = Q(999_999, 1_000_000)
_TURN = plain.exact([[0, -1], [1, -1]])

THEOREMS = (
    Theorem(
        key="parity_needs_negative",
        name="Parity needs an eigenvalue outside [0, inf)",
        statement=(
            "In the cast model a layer whose A(1) has only nonnegative real eigenvalues ends "
            "constant on 1, 11, 111, ...: there is a k such that 1^k and 1^(k+1) are confused."
        ),
        citation=f"{GRAZZI}, Theorem 1",
        status="proved",
        precision=MODEL,
        hypotheses=(Hypothesis("all eigenvalues are real and nonnegative", _nonnegative),),
        draw=lambda rng: _random(rng, _NONNEGATIVE),
        examine=_parity,
        hard={
            "the counter sticks at 7": lambda: _scalar(1, 1, 0, "{0,1,2,3,4,5,6,7}"),
            "without 0 there is a drift": lambda: _scalar(Q(1, 2), 0, 0, "{-5,-2,1,2,3,40}"),
            "ties go to the smaller, and drift": lambda: _scalar(Q(1, 2), 0, 0, "{-5,-1,1,2,3,40}"),
            "a Jordan block": lambda: Unary(
                plain.exact([[1, 1], [0, 1]]), plain.exact([0, 0]), plain.exact([0, 1]), "fixed8.4"
            ),
            "a midpoint from above": lambda: _boundary(1),
            "float8_e4m3, 0.999999^k": lambda: _scalar(_SLOW, 0, 1, "float8_e4m3"),
            "bfloat16, 0.999999^k": lambda: _scalar(_SLOW, 0, 1, "bfloat16"),
            "float32, 0.999999^k": lambda: _scalar(_SLOW, 0, 1, "float32"),
        },
        outside={
            "-1": lambda: _scalar(-1, 0, 1, "{-1,0,1}"),
            "-1/8 beside 1, at a midpoint": lambda: _boundary(-1),
        },
        page="docs/proofs/parity.md",
        tests=("tests/test_ideal_cast.py",),
    ),
    Theorem(
        key="counting_needs_complex",
        name="Counting modulo m, no power of 2, needs a non-real eigenvalue",
        statement=(
            "In the cast model a layer whose A(1) has only real eigenvalues ends in period 1 or 2 "
            "on 1, 11, 111, ...; so one layer counts modulo 1 and 2 only."
        ),
        citation=f"{GRAZZI}, Theorem 2",
        status="proved",
        precision=MODEL,
        hypotheses=(Hypothesis("all eigenvalues are real", _real),),
        draw=lambda rng: _random(rng, _REAL),
        examine=_counting,
        hard={
            "-1": lambda: _scalar(-1, 0, 1, "{-1,0,1}"),
            "-1/8 beside 1, at a midpoint": lambda: _boundary(-1),
            "-1 and 1 in one block": lambda: Unary(
                plain.exact([[-1, 1], [0, 1]]), plain.exact([1, Q(1, 2)]), plain.exact([1, 0]),
                "{-4,-3,-2,-1,0,1,2,3,4}",
            ),
        },
        outside={
            "a turn by a third": lambda: Unary(
                _TURN, plain.exact([0, 0]), plain.exact([1, 0]), "{-1,0,1}"
            )
        },
        page=f"{PAGE}#4-a-power",
        tests=("tests/test_ideal_cast.py",),
    ),
)  # fmt: skip
