"""Theorems about rounding at every step: cycles that it makes, and where nothing is rounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import isqrt
from typing import Any

import numpy as np

from constructions.permutation import PERMUTATION
from constructions.theorems import machines, plain
from constructions.theorems.built import prove
from constructions.theorems.plain import Generator, Matrix, pick
from lrnn_theory import householder as gh
from lrnn_theory import languages
from lrnn_theory.arithmetic import FORMATS, Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.ideal_cast import EventualCast, cast_value, eventual_cast
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.theorem import Hypothesis, Theorem, Worst, require
from lrnn_theory.transition import Dense, Householder

PAGE = "docs/proofs/rounding.md"
TESTS = ("tests/test_census.py", "tests/test_theorems.py")
ONCE = "an exact dot product, rounded once a step; overflow saturates"
Q = Fraction


@dataclass(frozen=True)
class Step:
    """One letter repeated: h <- round(A h + b).

    Attributes:
        a: (n, n).
        b: (n,).
        arithmetic: where it runs.
    """

    a: Matrix
    b: Matrix
    arithmetic: str

    @property
    def stored(self) -> Matrix:
        """A as it is stored: rounded entry by entry in floating point, exact elsewhere."""
        form = Arithmetic.parse(self.arithmetic).format
        if self.arithmetic.startswith(("fixed", "{")) or form is None:
            return self.a
        return np.vectorize(lambda x: Fraction(form.round(x)), otypes=[object])(self.a)

    def layer(self, h0: Any = None, words: Any = None) -> Layer:
        """The layer of one action."""
        n = len(self.a)
        start = plain.exact([0] * n if h0 is None else h0)
        codes = plain.exact([start.tolist()] if words is None else words)
        k = len(codes)
        readout = np.tile(np.arange(k)[:, None], (1, 1, 2))
        return Layer(
            Dense(self.a[None]), self.b[None, :, None], start[:, None], (codes[:, :, None],),
            readout, k, 0,
        )  # fmt: skip


def rounded_once(step: Step, h: Matrix) -> Matrix:
    """One step in fixed point or a finite set by definition."""
    x = step.a @ h + step.b
    name = step.arithmetic.partition(":")[0].partition("!")[0]
    if name.startswith("{"):
        numbers = sorted(Fraction(t) for t in name[1:-1].split(","))
        nearest = [min(numbers, key=lambda c: (abs(c - y), c)) for y in x]
        return plain.exact(nearest)
    width, places = (int(t) for t in name.removeprefix("fixed").split("."))
    unit, half = Fraction(2) ** -places, 2 ** (width - 1)
    return plain.exact([min(max(round(y / unit), -half), half - 1) * unit for y in x])


# -------------------------------------------------------------------- cycles that rounding makes


@dataclass(frozen=True)
class Cycle:
    """A step with a nonnegative real spectrum, and two states that it swaps in an arithmetic."""

    step: Step
    first: Matrix
    second: Matrix


def parity_network(cycle: Cycle) -> LRNN:
    """0 keeps the state, 1 takes the step: the state tells the parity of the ones."""
    n = len(cycle.first)
    step, words = cycle.step, np.stack([cycle.first, cycle.second])
    readout = np.tile(np.arange(2)[:, None], (2, 1, 2))
    layer = Layer(
        Dense(np.stack([plain.eye(n), step.a])),
        np.stack([0 * step.b, step.b])[:, :, None],
        cycle.first[:, None], (words[:, :, None],), readout, 2, 0,
    )  # fmt: skip
    level = Level(layer, np.arange(2), np.array([[0, 1], [0, 1]]), "current")
    return LRNN(("0", "1"), np.arange(2), ((level,),), np.arange(2), 0)


def _cycles(cycle: Cycle) -> Worst:
    step = cycle.step
    if step.arithmetic.startswith(("fixed", "{")):
        require((rounded_once(step, cycle.first) == cycle.second).all(), "it does not go there")
        require((rounded_once(step, cycle.second) == cycle.first).all(), "it does not come back")
    from lrnn_theory.impossibility import period_one_reason  # loads torch

    reason = period_one_reason(step.layer(), step.arithmetic)
    require(reason is None, f"it is said to settle: {reason}")
    lrnn = parity_network(cycle)
    prove(lrnn, languages.parity(), step.arithmetic)
    # In the cast model the same layer ends constant, as Theorem 1 says.
    form = Arithmetic.parse(step.arithmetic).format
    assert form is not None
    settled = eventual_cast(step.a, step.b, cycle.first, form)
    require(isinstance(settled, EventualCast) and settled.period == 1, "its cast state alternates")
    assert isinstance(settled, EventualCast)
    for k in range(settled.preperiod, settled.preperiod + 3):
        same = (cast_value(step.a, step.b, cycle.first, form, k) == settled.at(k)).all()
        require(same, f"its cast state at {k} is another")
    entries = ", ".join(str(x) for x in step.a.flat)
    return Worst(len(step.a), f"parity in {step.arithmetic} by [{entries}]")


def _nonnegative_spectrum(cycle: Cycle) -> str:
    p = plain.characteristic(cycle.step.stored)
    zero = p[0] == 0
    real = plain.real_roots(p, Q(0), None) + zero
    return "" if real == plain.different_roots(p) else "an eigenvalue is not in [0, inf)"


def _of(a: Any, b: Any, arithmetic: str, first: Any, second: Any) -> Cycle:
    step = Step(plain.exact(a), plain.exact(b), arithmetic)
    return Cycle(step, plain.exact(first), plain.exact(second))


MEAN = [[Q(3, 4), Q(1, 4)], [Q(1, 4), Q(3, 4)]]
_U, _V = plain.exact([Q(3, 5), Q(4, 5)]), plain.exact([Q(-3, 5), Q(4, 5)])
_TWO = (plain.eye(2) - Q(9, 10) * np.outer(_U, _U)) @ (plain.eye(2) - np.outer(_V, _V))

CYCLES: dict[str, Callable[[], Cycle]] = {
    f"one factor in {name}, every operation": partial(
        _of, MEAN, [0, 0], f"{name}:each", [low, low + 1], [low + 1, low]
    )
    for name, low in (
        ("float8_e5m2", 5), ("float8_e4m3", 13), ("bfloat16", 173), ("float16", 1365),
        ("float32", 12582914),
    )
} | {
    "two factors, int4, once": partial(
        _of, _TWO, [0, Q(-52, 100)], "fixed4.0:once", [0, 0], [0, -1]
    ),
    "two factors, int8, once": partial(
        _of, [[Q(5, 16), Q(-5, 16)], [Q(1, 16), Q(-1, 16)]], [0, Q(17, 32)], "fixed8.0:once",
        [0, 0], [0, 1],
    ),
    "nilpotent, three numbers, once": partial(
        _of, [[2, -4], [1, -2]], [0, 0], "{-1,0,1}:once", [1, 1], [-1, -1]
    ),
    "nilpotent, bfloat16, once": partial(
        _of, [[240, -225], [256, -240]], [-8, -5], "bfloat16:once", [832, 892], [-1024, -1096]
    ),
}  # fmt: skip
"""Layers that recognise parity because they round."""


def _varied(rng: Generator) -> Cycle:
    """A known cycle with its rows in another order; those of fixed point and sets also mirrored."""
    cycle = pick(rng, list(CYCLES.values()))()
    order = rng.permutation(2)
    signs = np.array([1, 1])
    exact_ties = cycle.step.arithmetic.startswith("{") or "each" in cycle.step.arithmetic
    if not exact_ties and "fixed" in cycle.step.arithmetic:
        signs = rng.choice([-1, 1], 2)
    a = cycle.step.a[order][:, order] * np.outer(signs, signs)
    first, second = (x[order] * signs for x in (cycle.first, cycle.second))
    if rng.random() < 0.5:
        first, second = second, first
    step = Step(plain.exact(a), plain.exact(cycle.step.b[order] * signs), cycle.step.arithmetic)
    return Cycle(step, plain.exact(first), plain.exact(second))


# -------------------------------------------------------------------- integers


_NAMES = ("float64", "float32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2")


def _in_every_format(automaton: Automaton) -> Worst:
    lrnn = PERMUTATION(automaton)
    for name in _NAMES:
        prove(lrnn, automaton, name)
    states = automaton.minimize().n_states
    return Worst(states, f"{states} states, n = {lrnn.widths[0]}, in {len(_NAMES)} formats")


def _rounded_root_half(precision: int) -> Fraction:
    """The number of so many bits nearest to 1/sqrt 2, by integer square roots."""
    scaled = isqrt(2 ** (2 * precision + 1)) // 2  # floor(2^p / sqrt 2), in [2^(p-1), 2^p)
    below_middle = 2 * (2 * scaled + 1) ** 2 > 4 * 2 ** (2 * precision)
    return Fraction(scaled if below_middle else scaled + 1, 2**precision)


def _unit_norm(name: str) -> Worst:
    form = FORMATS[name]
    v = _rounded_root_half(form.precision)
    stored = Fraction(form.round(Fraction(isqrt(2**401), 2**201)))  # 200 bits of 1/sqrt 2
    require(stored == v, f"{name} stores 1/sqrt 2 as {float(stored)}, not {float(v)}")
    transition = Householder(plain.exact([[v, -v]]), np.array([2]), np.array([0, 1]))
    error = 2 * v * v - 1
    value = Fraction(transition.eigenvalues[0])
    require(value == -1 - 2 * error, f"the eigenvalue is {value}")
    require(error != 0 and value != -1, "the unit-norm form is exact")
    exactly = gh.permutation([1, 0])
    require([int(x) for x in exactly.eigenvalues()] == [-1], "the integer form is not exact")
    a = plain.exact(transition.matrix(0))
    require((plain.power(a, 2) != plain.eye(2)).any(), "twice is the identity")
    return Worst(abs(float(error)), f"{name}: 2 v^2 - 1 = {float(error):.3g}")


THEOREMS = (
    Theorem(
        key="rounding_does_parity",
        name="Theorem 1 ends where steps are rounded",
        statement=(
            "Layers whose matrices have nonnegative real eigenvalues only recognise parity, for "
            "all lengths, when every step or every operation is rounded, in every format: "
            "rounding is a nonlinearity.  In the cast model the same layers end constant."
        ),
        citation="ours, against reading Grazzi, Siems et al., arXiv 2411.12537, Theorem 1, so",
        status="refuted as written",
        precision="rounded once a step, or every operation",
        hypotheses=(
            Hypothesis("the stored matrix has nonnegative real eigenvalues", _nonnegative_spectrum),
        ),
        draw=_varied,
        examine=_cycles,
        hard=CYCLES,
        outside={
            "a swap": lambda: _of([[0, 1], [1, 0]], [0, 0], "fixed4.0:once", [0, 1], [1, 0])
        },
        page=f"{PAGE}#which-layers-are-safe",
        tests=TESTS,
    ),
    Theorem(
        key="integer_reflections",
        name="Permutations by integer reflections are exact in every format",
        statement=(
            "A group automaton by integer transpositions has as many states in float64 as in "
            "8-bit floats, and is right for all lengths in each."
        ),
        citation="docs/arithmetic.md",
        status="proved",
        precision="the default semantics of every floating-point format",
        hypotheses=(
            machines.hypothesis("every letter permutes the minimal states", machines.not_a_group),
        ),
        draw=machines.group_automaton,
        examine=_in_every_format,
        hard={"modulo 12": partial(languages.mod, 12)},
        outside={"flip-flop": languages.flip_flop},
        page="docs/arithmetic.md#when-the-order-does-not-matter",
        constructions=("permutation", "cyclic"),
        tests=("tests/test_exactness.py",),
    ),
    Theorem(
        key="unit_norm_transposition",
        name="Transpositions of unit norm are not exact",
        statement=(
            "With k = v (e_i - e_j), beta = 2 and v = 1/sqrt 2 as stored, the eigenvalue is "
            "-1 - 2 (2 v^2 - 1), never -1: errors grow with the length.  k = e_i - e_j, beta = 1 "
            "is exact."
        ),
        citation="docs/gh-algebra.md",
        status="proved",
        precision="keys stored in a floating-point format, exact products",
        draw=lambda rng: pick(rng, _NAMES),
        examine=_unit_norm,
        hard={name: (lambda name=name: name) for name in _NAMES},
        page="docs/gh-algebra.md#conventions",
        tests=("tests/test_householder.py",),
    ),
)  # fmt: skip
