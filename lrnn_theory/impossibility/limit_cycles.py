"""Where the theorems end: cycles that rounding makes, and reasons why there are none.

A layer repeats one action, H <- q(A H + B), and rounds.  `period_one_reason` looks for a proof that
its orbits end in fixed points, `limit_cycle` for an orbit that does not.  docs/limit-cycles.md
says what they ask for, docs/proofs/rounding.md has the proofs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, isfinite
from typing import Any

import numpy as np
from flint import arb, ctx

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cyclotomic import Cyclotomic, cos_turn, sin_turn
from lrnn_theory.eventual import Runner, cycle_of, runner
from lrnn_theory.formats import Fixed, Float, Format
from lrnn_theory.impossibility.definite import LDL, psd
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.stored import store
from lrnn_theory.transition import Array, Householder
from lrnn_theory.verification.census import census

MAX_SECTOR = 4096
"""Longest period that a sector excludes."""
CENSUS = 100_000
"""Most states of a format that are all followed."""
STEPS = 20_000
"""Most steps of an orbit that is searched for a cycle."""


@dataclass(frozen=True)
class Triangular:
    """Every orbit ends in a fixed point: the matrix is triangular with a nonnegative diagonal.

    Attributes:
        order: an order of the coordinates in which each depends on itself and earlier ones.
    """

    order: tuple[int, ...]


@dataclass(frozen=True)
class PSD:
    """Every orbit ends in a fixed point: rounded once, and symmetric positive semidefinite.

    Attributes:
        proof: an LDL^T factorisation of the stored matrix.
    """

    proof: LDL = field(repr=False)


@dataclass(frozen=True)
class Sector:
    """No cycle has a period of 2, ..., `up_to`: rounded once, and x* A x lies in a sector.

    It says nothing about longer periods.

    Attributes:
        up_to: the sector is |arg z| <= pi / up_to.
        slope: at most tan(pi / up_to); None for a half-plane.
        proof: an LDL^T factorisation of slope (A + A^T) + i (A - A^T), as a real matrix of twice
            the size; for a half-plane of A + A^T.
    """

    up_to: int
    slope: Fraction | Cyclotomic | None = field(repr=False)
    proof: LDL = field(repr=False)


@dataclass(frozen=True)
class Margin:
    """Every orbit ends in a fixed point: symmetric, and far enough from singular.

    Attributes:
        eigenvalue: the eigenvalues are at least this, 2 error / gap.
        error: what is computed before B is added is within this of the exact sum.
        gap: different numbers of the format differ by this at least.
        proof: an LDL^T factorisation of A - eigenvalue I.
    """

    eigenvalue: Fraction
    error: Fraction
    gap: Fraction
    proof: LDL = field(repr=False)


Reason = Triangular | PSD | Sector | Margin


def period_one_reason(layer: Layer, arithmetic: str | Arithmetic, action: int = 0) -> Reason | None:
    """Why a layer that repeats an action and rounds every step comes to rest.

    Args:
        layer: the layer; what counts are its matrices as the arithmetic stores them.
        arithmetic: one that rounds, in sequential order.
        action: the action that is repeated.

    Returns:
        A reason, for all initial states and all inputs B; None proves nothing.

    Raises:
        ValueError: if the arithmetic does not round every step, or the action is out of range.

    Example:
        >>> from lrnn_theory import LRNN, Dense
        >>> def layer(a):
        ...     return LRNN.from_layer(Dense(np.array([a])), [[0, 0]], [1, 0], "1").levels[0].layer
        >>> period_one_reason(layer([[1, 7], [0, 1]]), "float32")
        Triangular(order=(1, 0))
        >>> period_one_reason(layer([[3, 1], [1, 3]]), "float32:once")
        PSD()
        >>> period_one_reason(layer([[3, 1], [1, 3]]), "float32:each") is None
        True
        >>> period_one_reason(layer([[3, 1], [-1, 3]]), "float32:once")
        Sector(up_to=9)
    """
    arithmetic, form = _rounding(layer, arithmetic, action)
    if form.overflow == "wrap":
        return None
    if arithmetic.factored and isinstance(layer.transition, Householder):
        return None
    a = stored_matrix(layer, arithmetic, action)
    if a is None:
        return None
    order = _triangular_order(a)
    if order is not None and all(x >= 0 for x in a.diagonal()):
        return Triangular(order)
    if arithmetic.semantics == "once":
        proof = psd(a)
        return PSD(proof) if proof is not None else _sector(a, form)
    return _margin(a, arithmetic, form)


@dataclass(frozen=True, eq=False)
class LimitCycle:
    """States that follow one another for ever.

    Attributes:
        arithmetic: where the layer runs.
        action: the action that is repeated.
        states: (period, n, d); the last one leads to the first.
    """

    arithmetic: str
    action: int
    states: Array

    @property
    def period(self) -> int:
        """Their number."""
        return len(self.states)

    def check(self, layer: Layer) -> bool:
        """Whether each state leads to the next, computed again."""
        run = runner(layer, Arithmetic.parse(self.arithmetic))
        steps = [run(h, np.array([self.action]))[-1] for h in self.states]
        return all(
            np.array_equal(x, y) for x, y in zip(steps, np.roll(self.states, -1, 0), strict=True)
        )


def limit_cycle(
    layer: Layer,
    arithmetic: str | Arithmetic,
    action: int = 0,
    *,
    tries: int = 64,
    seed: int = 0,
) -> LimitCycle | None:
    """Search for an orbit that does not come to rest.

    Args:
        layer: the layer.
        arithmetic: one that rounds every step, in sequential order.
        action: the action that is repeated.
        tries: random initial states, after the layer's own.
        seed: of the random states.

    Returns:
        A cycle of more than one finite state; None if there is none (formats with at most `CENSUS`
        states are followed from all of them) or none was met.

    Raises:
        ValueError: as for `period_one_reason`.

    Example:
        >>> from lrnn_theory import LRNN, Dense
        >>> a = np.array([[[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]]])
        >>> layer = LRNN.from_layer(Dense(a), [[0, 0]], [5, 6], "1").levels[0].layer
        >>> limit_cycle(layer, "float8_e5m2:each").states[:, :, 0].tolist()
        [[6.0, 5.0], [5.0, 6.0]]
    """
    arithmetic, form = _rounding(layer, arithmetic, action)
    run = runner(layer, arithmetic)
    first = run(None, np.zeros(0, np.int64))[0]
    found = _cycle(run, first, action, arithmetic)
    if found is not None:
        return found
    if _count(form) ** first.size <= CENSUS:
        cycles = census(layer, action, arithmetic).cycles
        period = min((p for p in cycles if p > 1), default=0)
        if not period:
            return None
        states = [_state(values, first) for values in cycles[period]]
        return LimitCycle(str(arithmetic), action, np.array(states))
    rng = np.random.default_rng(seed)
    for _ in range(tries):
        scale = 2.0 ** rng.integers(-4, 8)
        values = [form.round(Fraction(x)) for x in rng.normal(0, scale, first.size)]
        found = _cycle(run, _state(values, first), action, arithmetic)
        if found is not None:
            return found
    return None


def stored_matrix(layer: Layer, arithmetic: Arithmetic, action: int) -> Array | None:
    """The matrix of an action as an arithmetic stores it, exactly; None if entries overflow."""
    stored, n = store(layer, arithmetic), layer.n
    out = np.zeros((n, n), object)
    for i in range(n):
        for j, x in zip(stored.columns[action, i], stored.values[action, i], strict=True):
            if j < n:
                if isinstance(x, float) and not isfinite(x):
                    return None
                out[i, j] = x if isinstance(x, Cyclotomic) else Fraction(x)
    return out


def _rounding(layer: Layer, arithmetic: str | Arithmetic, action: int) -> tuple[Arithmetic, Format]:
    check_type("layer", layer, Layer)
    arithmetic = Arithmetic.parse(arithmetic)
    if arithmetic.format is None or arithmetic.semantics == "cast":
        raise ValueError(f"Argument 'arithmetic' must round every step, not '{arithmetic}'.")
    if arithmetic.order != "sequential":
        raise ValueError(f"Argument 'arithmetic' must be sequential, not '{arithmetic}'.")
    if not 0 <= action < layer.n_actions:
        raise ValueError(f"Argument 'action' must be in 0..{layer.n_actions - 1}, not {action}.")
    return arithmetic, arithmetic.format


# -------------------------------------------------------------------- reasons


def _triangular_order(a: Array) -> tuple[int, ...] | None:
    """An order in which every coordinate depends on itself and earlier ones only."""
    rest, order = set(range(len(a))), []
    while rest:
        free = [i for i in sorted(rest) if not any(a[i, j] for j in rest if j != i)]
        if not free:
            return None
        order += free
        rest -= set(free)
    return tuple(order)


def _sector(a: Array, form: Format) -> Sector | None:
    """The narrowest sector |arg z| <= pi / p that holds x* A x for all complex x.

    It does if tan(pi / p) (A + A^T) + i (A - A^T) is positive semidefinite.  Slopes little below
    the tangent tell all but what lies on the border, where the tangent itself decides.
    """
    low, high = 1, 2
    while high <= MAX_SECTOR and _in_sector(a, _slope(high)) is not None:
        low, high = high, 2 * high
    high = min(high, MAX_SECTOR + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _in_sector(a, _slope(middle)) is None else (middle, high)
    slope = _tangent(low + 1)
    if slope is None and form.overflow != "sat":  # of a half-plane infinities may leave
        slope = _slope(2)
    if _on_border(a, low + 1) and (proof := _in_sector(a, slope)) is not None:
        return Sector(low + 1, slope, proof)
    slope = _slope(low)
    found = _in_sector(a, slope) if low > 1 else None
    return None if found is None else Sector(low, slope, found)


def _in_sector(a: Array, slope: Fraction | Cyclotomic | None) -> LDL | None:
    even, odd = a + a.T, a - a.T
    if slope is None:
        return psd(even)
    return psd(np.block([[slope * even, -odd], [odd, slope * even]]))


def _slope(p: int) -> Fraction:
    """Little below tan(pi / p)."""
    with ctx.workprec(64):
        return Fraction(1 << 20) if p == 2 else _below((arb.pi() / p).tan())


def _tangent(p: int) -> Cyclotomic | None:
    """tan(pi / p), None for infinity."""
    return None if p == 2 else sin_turn(1, 2 * p) / cos_turn(1, 2 * p)


def _on_border(a: Array, p: int) -> bool:
    """Whether a sector of pi / p may just hold x* A x: so floats say.

    Then t = tan(pi / p) is a root of the polynomial det(t (A + A^T) + i (A - A^T)) of degree at
    most n, but for kernels in common; so cos(2 pi / p), of degree phi(p) / 2, has no larger one.
    """
    if sum(gcd(k, p) == 1 for k in range(p)) > 2 * len(a):
        return False
    x, angle = a.astype(float), np.pi / p
    form = np.sin(angle) * (x + x.T) + 1j * np.cos(angle) * (x - x.T)
    return bool(abs(np.linalg.eigvalsh(form)[0]) <= 1e-9 * np.abs(x).max())


def _below(x: arb) -> Fraction:
    """A fraction less than a number, by little."""
    mantissa, exponent = x.lower().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent) - Fraction(1, 1 << 40)


def _margin(a: Array, arithmetic: Arithmetic, form: Format) -> Margin | None:
    inner = arithmetic.inner
    if arithmetic.factored or not isinstance(form, (Fixed, Float)) or inner is None:
        return None
    if not isinstance(inner, (Fixed, Float)) or any(isinstance(x, Cyclotomic) for x in a.flat):
        return None
    largest = max(map(abs, form.ends))
    error = Fraction(0)
    for row in a:
        used = [x for x in row if x]
        size = 2 * sum(map(abs, used)) * largest  # twice: for what rounding adds to partial sums
        if size > inner.ends[1]:
            return None
        if isinstance(inner, Fixed):
            here = len(used) * inner.unit / 2  # sums are exact
        else:
            here = (2 * len(used) - 1) * (
                size * Fraction(2) ** -inner.precision + Fraction(2) ** inner.quantum
            )
        error = max(error, here)
    gap = form.unit if isinstance(form, Fixed) else Fraction(2) ** form.quantum
    least = 2 * error / gap
    proof = psd(a - least * np.eye(len(a), dtype=int))
    return None if proof is None else Margin(least, error, gap, proof)


# -------------------------------------------------------------------- cycles


def _count(form: Format) -> int:
    """How many numbers a format has, if not more than `CENSUS`."""
    if isinstance(form, Fixed):
        return min(1 << form.width, CENSUS + 1)
    if isinstance(form, Float) and form.precision > 4:
        return CENSUS + 1
    return len(form.numbers())


def _cycle(run: Runner, start: Array, action: int, arithmetic: Arithmetic) -> LimitCycle | None:
    states = cycle_of(run, start, action, STEPS)
    if states is None or len(states) == 1 or not _is_finite(states):
        return None
    return LimitCycle(str(arithmetic), action, states)


def _state(values: Iterable[Any], like: Array) -> Array:
    """A state of these numbers as a runner takes it: fractions, not floats as objects."""
    return np.array([Fraction(x) for x in values], object).astype(like.dtype).reshape(like.shape)


def _is_finite(states: Any) -> bool:
    return bool(np.isfinite(states.astype(float)).all())
