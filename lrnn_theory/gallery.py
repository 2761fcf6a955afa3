"""Limit cycles of rounding, one for every class that has them; docs/limit-cycles.md shows them.

All matrices but the last have nonnegative real eigenvalues.  In the cast model such layers come to
rest (Theorem 1 of Grazzi, Siems et al., arXiv 2411.12537).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from lrnn_theory.lrnn import LRNN, Layer
from lrnn_theory.transition import Dense, Householder, Transition

Pair = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Example:
    """A layer and a cycle of it.

    Attributes:
        name: what it is.
        transition: one matrix.
        b: its input, (n,).
        start: H_0, (n,); the cycle is reached from there.
        arithmetic: where it runs.
        cycle: the states, (period, n), in order.
    """

    name: str
    transition: Transition
    b: Pair
    start: Pair
    arithmetic: str
    cycle: tuple[Pair, ...]

    @property
    def layer(self) -> Layer:
        """The layer, without a readout."""
        return LRNN.from_layer(self.transition, [self.b], self.start, "1").levels[0].layer

    def parity(self) -> LRNN:
        """A network for parity on {0, 1}*: letter 1 is the layer's action, 0 keeps the state.

        H_0 is the first state of the cycle, which must have period 2.
        """
        if len(self.cycle) != 2:
            raise ValueError(f"Parity needs a cycle of 2 states, not {len(self.cycle)}.")
        n = len(self.b)
        matrices = np.array([np.eye(n, dtype=int), self.transition.matrix(0)], object)
        b = np.array([(0,) * n, self.b], object)[..., None]
        words = np.array(self.cycle, object)[..., None]
        h0 = words[0]
        bare = LRNN.from_layer(Dense(matrices), b, h0, "01").levels[0]
        readout = np.array([[[0, 0], [1, 1]]] * 2)
        layer = Layer(Dense(matrices), b, h0, (words,), readout, 2, 0)
        level = type(bare)(layer, np.arange(2), np.array([[1, 0]] * 2), "current")
        return LRNN(("0", "1"), np.arange(2), ((level,),), np.arange(2), 1)


def _dense(rows: list[list[int]], over: int = 1) -> Dense:
    return Dense(np.array([[[Fraction(x, over) for x in row] for row in rows]], object))


def _factor(key: list[Fraction]) -> Householder:
    return Householder(np.array([key], object), np.array([1]), np.array([0, 1]))


def _stored_projection() -> Dense:
    """I - 11^T / 6 with its entries rounded to bfloat16: no longer positive semidefinite."""
    diagonal, other = Fraction(213, 256), Fraction(-171, 1024)
    return Dense(np.full((1, 6, 6), other, object) + (diagonal - other) * np.eye(6, dtype=int))


_SYMMETRIC, _TWO = _dense([[3, 1], [1, 3]], 4), _dense([[5, -5], [1, -1]], 16)
_THREE, _NIL = _dense([[291, -122], [58, -12]], 512), _dense([[240, -225], [256, -240]])
_INTEGERS = "{-4,-3,-2,-1,0,1,2,3,4}"


def _swap(arithmetic: str, x: int) -> Example:
    pairs = ((x, x + 1), (x + 1, x))
    return Example("symmetric, every operation", _SYMMETRIC, (0, 0), pairs[0], arithmetic, pairs)


def _two(arithmetic: str, b: Pair, *cycle: Pair) -> Example:
    name = "two factors, rounded once" if len(cycle) == 2 else "period 3, rounded once"
    matrix = _TWO if len(cycle) == 2 else _THREE
    return Example(name, matrix, b, (0, 0), arithmetic, cycle)


def _f(*texts: str) -> Pair:
    return tuple(map(Fraction, texts))


GALLERY: tuple[Example, ...] = (
    _swap("float8_e5m2:each", 5),
    _swap("float8_e4m3:each", 13),
    _swap("bfloat16:each", 173),
    _swap("float16:each", 1365),
    _swap("float32:each", 12_582_914),
    Example(
        "a factor as a vector, every operation",
        _factor([Fraction(3, 5), Fraction(4, 5)]),
        (0, 0),
        (1, 0),
        "fixed8.0:each+factored",
        ((1, 0), (0, -1)),
    ),
    Example(
        "a factor as a vector, every operation",
        _factor([Fraction(6, 8), Fraction(5, 8)]),
        (0, 0),
        _f("171/8", "-103/4"),
        "bfloat16:each+factored",
        (_f("171/8", "-103/4"), _f("43/2", "-205/8")),
    ),
    _two("fixed8.0:once", _f("0", "17/32"), (0, 0), (0, 1)),
    _two("float8_e5m2:once", _f("-7/2", "-16"), (2, -14), _f("3/2", "-16")),
    _two("float8_e4m3:once", _f("-15/16", "11/8"), _f("-15/8", "5/4"), _f("-15/8", "9/8")),
    _two("bfloat16:once", _f("-129/128", "-125/8"), _f("81/16", "-231/16"),
         _f("163/32", "-115/8")),
    _two("float16:once", _f("-1047/4096", "1871/2048"), _f("-1521/2048", "209/256"),
         _f("-1521/2048", "1671/2048")),
    _two("float32:once", _f("16671361/4194304", "7233045/262144"),
         (-5.865702152252197, 25.6237850189209), (-5.8657026290893555, 25.623783111572266)),
    Example(
        "two factors, rounded once",
        _dense([[704, 528], [-228, -171]], 3125),
        (0, Fraction(-13, 25)),
        (0, 0),
        f"{_INTEGERS}:once",
        ((0, 0), (0, -1)),
    ),
    _two("float32:once", _f("-8877797/8388608", "-14926513/4194304"),
         (-0.5016209483146667, -3.532782554626465), (-0.5016210079193115, -3.532782793045044),
         (-0.5016209483146667, -3.532782793045044)),
    Example("nilpotent, rounded once", _dense([[2, -4], [1, -2]]), (0, 0), (1, 1),
            "{-1,0,1}:once", ((1, 1), (-1, -1))),
    Example("nilpotent, rounded once", _NIL, (-8, -5), (0, 0), "bfloat16:once",
            ((832, 892), (-1024, -1096))),
    Example("a projection as bfloat16 stores it, rounded once", _stored_projection(),
            (Fraction(501, 1000),) * 6, (0,) * 6, "fixed8.0:once", ((0,) * 6, (1,) * 6)),
)  # fmt: skip
"""The examples."""
