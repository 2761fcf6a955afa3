"""Theorems about rounding at every step: cycles that it makes, and where nothing is rounded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import isqrt

import numpy as np

from constructions.permutation import PERMUTATION
from constructions.theorems import machines, plain
from constructions.theorems.built import prove
from constructions.theorems.plain import Generator, Matrix, pick
from lrnn_theory import householder as gh
from lrnn_theory import languages
from lrnn_theory.arithmetic import FORMATS, Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.gallery import GALLERY, Example
from lrnn_theory.ideal_cast import EventualCast, cast_value, eventual_cast
from lrnn_theory.lrnn import Layer
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

    def layer(self) -> Layer:
        """The layer of one action, from 0."""
        zero = plain.exact(np.zeros((len(self.a), 1), int))
        readout = np.zeros((1, 1, 2), np.int32)
        return Layer(Dense(self.a[None]), self.b[None, :, None], zero, (zero[None],), readout, 1, 0)


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


def _step(cycle: Example) -> Step:
    return Step(cycle.transition.matrix(0), plain.exact(cycle.b), cycle.arithmetic)


def _cycles(cycle: Example) -> Worst:
    step = _step(cycle)
    first, second = map(plain.exact, cycle.cycle)
    if step.arithmetic.startswith(("fixed", "{")):
        require((rounded_once(step, first) == second).all(), "it does not go there")
        require((rounded_once(step, second) == first).all(), "it does not come back")
    from lrnn_theory.impossibility import period_one_reason  # loads torch

    reason = period_one_reason(step.layer(), step.arithmetic)
    require(reason is None, f"it is said to settle: {reason}")
    prove(cycle.parity(), EVEN, step.arithmetic)
    # In the cast model the same layer ends constant, as Theorem 1 says.
    form = Arithmetic.parse(step.arithmetic).format
    assert form is not None
    settled = eventual_cast(step.a, step.b, first, form)
    require(isinstance(settled, EventualCast) and settled.period == 1, "its cast state alternates")
    assert isinstance(settled, EventualCast)
    for k in range(settled.preperiod, settled.preperiod + 3):
        same = (cast_value(step.a, step.b, first, form, k) == settled.at(k)).all()
        require(same, f"its cast state at {k} is another")
    entries = ", ".join(str(x) for x in step.a.flat)
    return Worst(len(step.a), f"parity in {step.arithmetic} by [{entries}]")


def _nonnegative_spectrum(cycle: Example) -> str:
    p = plain.characteristic(_step(cycle).stored)
    zero = p[0] == 0
    real = plain.real_roots(p, Q(0), None) + zero
    return "" if real == plain.different_roots(p) else "an eigenvalue is not in [0, inf)"


EVEN = Automaton.from_regex("(0|10*1)*")
CYCLES = [x for x in GALLERY[:-1] if len(x.cycle) == 2 and "factored" not in x.arithmetic]
"""Layers that recognise parity because they round; the spectrum of the last is another."""


def _swap() -> Example:
    swap = Dense(plain.exact([[[0, 1], [1, 0]]]))
    return Example("a swap", swap, (0, 0), (0, 1), "fixed4.0:once", ((0, 1), (1, 0)))


def _varied(rng: Generator) -> Example:
    """A known cycle with its rows in another order; those of fixed point also mirrored."""
    cycle = pick(rng, CYCLES)
    order = rng.permutation(2)
    signs = rng.choice([-1, 1], 2) if "fixed" in cycle.arithmetic else np.array([1, 1])
    a = cycle.transition.matrix(0)[order][:, order] * np.outer(signs, signs)
    b, *states = (tuple(plain.exact(x)[order] * signs) for x in (cycle.b, *cycle.cycle))
    if rng.random() < 0.5:
        states.reverse()
    return Example(cycle.name, Dense(a[None]), b, states[0], cycle.arithmetic, tuple(states))


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
        hard={f"{x.name}, {x.arithmetic}": (lambda x=x: x) for x in CYCLES},
        outside={"a swap": _swap},
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
