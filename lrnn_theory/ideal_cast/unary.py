"""The state of a linear RNN in the cast model after k equal letters, for all k at once.

    H_k = cast( sum_{i<k} cast(A^i B) + cast(A^k H_0) ),

with exact products and sums (Grazzi, Siems et al., arXiv 2411.12537, App. B.1).  Each entry of
A^k v is a linear recurrence.  On suitable residue classes of k its cast ends constant, at an index
that is bounded by comparing the terms of the recurrence, not by waiting for the last change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import ceil, floor, lcm
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpq_poly
from numpy.typing import ArrayLike

from lrnn_theory.cyclotomic import Cyclotomic
from lrnn_theory.formats import Format
from lrnn_theory.ideal_cast.cells import Cells
from lrnn_theory.ideal_cast.recurrence import Recurrence, UndecidedError, eventual_sign
from lrnn_theory.ideal_cast.sums import CastSum
from lrnn_theory.transition import Array, exact_array

MAX_PERIOD = 4096
"""Longest period of an answer."""
ZERO = Fraction(0)
SATURATION_BUDGET = 4096
"""Enclosures spent on sharpening the bound of a sum that runs to an end of the format."""


@dataclass(frozen=True, eq=False)
class EventualCast:
    """A sequence of states that is periodic from some index on.

    Attributes:
        preperiod: a proved bound, not always the least one.
        period: the least period from there on.
        values: the states at preperiod, ..., preperiod + period - 1; each an object array of
            Fractions of the shape of the initial state.
    """

    preperiod: int
    period: int
    values: tuple[Array, ...]

    def at(self, k: int) -> Array:
        """The state after k letters.

        Raises:
            ValueError: if k is less than `preperiod`.
        """
        if k < self.preperiod:
            raise ValueError(f"Argument 'k' must be at least {self.preperiod}, not {k}.")
        return self.values[(k - self.preperiod) % self.period]


@dataclass(frozen=True)
class Unresolved:
    """No answer, and why."""

    reason: str


def cast_value(A: ArrayLike, B: ArrayLike, h0: ArrayLike, form: Format, k: int) -> Array:
    """H_k by its definition, in exact arithmetic: for small k.

    Args:
        A: (n, n), exact numbers, cyclotomic ones included.
        B: of the shape of h0.
        h0: (n,) or (n, d).
        form: the finite set of numbers.
        k: the number of letters.

    Returns:
        Fractions, of the shape of h0.

    Example:
        >>> from lrnn_theory.formats import parse_format
        >>> cast_value([[1]], [1], [0], parse_format("{0,1,2,3}"), 7)
        array([Fraction(3, 1)], dtype=object)
    """
    return next(islice(cast_values(A, B, h0, form), k, None))


def cast_values(A: ArrayLike, B: ArrayLike, h0: ArrayLike, form: Format) -> Iterator[Array]:
    """H_0, H_1, H_2, ... by definition; arguments as for `cast_value`."""
    a, b, h = (x.astype(object) for x in _arguments(A, B, h0))
    cast = np.vectorize(lambda x: Fraction(form.cast(x)), otypes=[object])
    total = np.full(h.shape, Fraction(0), object)
    while True:
        yield cast(total + cast(h))
        total, b, h = total + cast(b), a @ b, a @ h


def eventual_power(A: ArrayLike, v: ArrayLike, form: Format) -> EventualCast | Unresolved:
    """cast(A^k v) for all large k.

    Args:
        A: (n, n), rational.
        v: (n,) or (n, d), rational.
        form: the finite set of numbers.

    Returns:
        The eventual period, proved; `Unresolved` if eigenvalues that are no roots of unity times
        positive numbers decide the rounding, or if a weight is irrational.

    Raises:
        ValueError: if the shapes disagree.

    Example:
        >>> from lrnn_theory.formats import parse_format
        >>> eventual_power([[Fraction(1, 3)]], [1], parse_format("float32")).preperiod
        95
    """
    a, vector, _ = _arguments(A, v, v)
    try:
        cells = Cells(form)
        columns = vector.reshape(len(a), -1)
        entries = [power_entry(u, cells) for u in sequences(matrix(a), matrix(columns))]
        return assemble([(e.preperiod, e.values) for e in entries], vector.shape)
    except UndecidedError as error:
        return Unresolved(str(error))


def eventual_cast(
    A: ArrayLike, B: ArrayLike, h0: ArrayLike, form: Format, *, budget: int = 1_000_000
) -> EventualCast | Unresolved:
    """H_k for all large k.

    Args:
        A: (n, n), rational.
        B: rational, of the shape of h0.
        h0: (n,) or (n, d), rational.
        form: the finite set of numbers.
        budget: most enclosures computed to add up the terms before the summand is periodic.  They
            are needed only where the sum comes to rest inside the format.

    Returns:
        The eventual period, proved; `Unresolved` as for `eventual_power`, or out of budget.

    Raises:
        ValueError: if the shapes disagree.

    Example:
        >>> from lrnn_theory.formats import parse_format
        >>> counter = eventual_cast([[1]], [1], [0], parse_format("{0,1,2,3,4,5,6,7}"))
        >>> counter.preperiod, counter.period, counter.at(10**9)
        (7, 1, array([Fraction(7, 1)], dtype=object))
    """
    a, b, h = _arguments(A, B, h0)
    cells, entries = Cells(form), []
    try:
        power, both = matrix(a), (matrix(x.reshape(len(a), -1)) for x in (b, h))
        for u, w in zip(*(sequences(power, x) for x in both), strict=True):
            summand, initial = power_entry(u, cells), power_entry(w, cells)
            preperiod, values, spent = sum_entry([summand], [(initial, 1)], cells, budget)
            entries.append((preperiod, values))
            budget -= spent
        return assemble(entries, h.shape)
    except UndecidedError as error:
        return Unresolved(str(error))


# -------------------------------------------------------------------- weights


def _arguments(A: ArrayLike, B: ArrayLike, h0: ArrayLike) -> tuple[Array, Array, Array]:
    a, b, h = exact_array("A", A), exact_array("B", B), exact_array("h0", h0)
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"Argument 'A' must be a square matrix, not of shape {a.shape}.")
    if h.ndim not in (1, 2) or len(h) != len(a) or b.shape != h.shape:
        raise ValueError(
            f"Arguments 'B' and 'h0' must have shape ({len(a)},) or ({len(a)}, d), "
            f"not {b.shape} and {h.shape}."
        )
    return a, b, h


def rational(x: Any) -> fmpq:
    """For python-flint; UndecidedError if it is irrational."""
    if isinstance(x, Cyclotomic):
        if x.rational is None:
            raise UndecidedError(f"the weight {x} is irrational; rational weights are decided")
        x = x.rational
    return fmpq(int(x.numerator), int(x.denominator))


def matrix(a: Array) -> fmpq_mat:
    """For python-flint; UndecidedError if an entry is irrational."""
    return fmpq_mat(len(a), a.shape[1], [rational(x) for x in a.flat])


def sequences(a: fmpq_mat, v: fmpq_mat, after: Sequence[fmpq_mat] = ()) -> list[Recurrence]:
    """The entries of A^k v, in row-major order, and then of R A^k v for every R of `after`."""
    annihilator = fmpq_poly(a.minpoly())
    rows = []
    for _ in range(annihilator.degree()):
        rows.append([x for y in (v, *(r * v for r in after)) for x in y.entries()])
        v = a * v
    return [Recurrence.of_terms(terms, annihilator) for terms in zip(*rows, strict=True)]


# -------------------------------------------------------------------- one entry of a power


@dataclass(frozen=True)
class Power:
    """cast(u_k), eventually periodic.

    Attributes:
        preperiod: from here on it is.
        values: of one period, starting at `preperiod`.
        classes: for each residue of k modulo the period, the subsequence and a bound from which
            its cast is constant.
    """

    preperiod: int
    values: tuple[Fraction, ...]
    classes: tuple[tuple[Recurrence, int], ...]

    def at(self, k: int) -> Fraction:
        """cast(u_k) for k >= preperiod, and what would be there before if it were periodic."""
        return self.values[(k - self.preperiod) % len(self.values)]


def power_entry(u: Recurrence, cells: Cells) -> Power:
    """The casts of a sequence; UndecidedError if they have no proved period."""
    p = u.turns()
    if p > MAX_PERIOD:
        raise UndecidedError(f"the eigenvalues have orders up to {p}, more than {MAX_PERIOD}")
    classes, ends = [], []
    for w in u.every(p):
        bound, end = _settle(w, cells)
        classes.append((w, bound))
        ends.append(end)
    preperiod = max(0, *(p * (bound - 1) + r + 1 for r, (_, bound) in enumerate(classes)))
    values = tuple(ends[(preperiod + r) % p] for r in range(p))
    return Power(preperiod, values, tuple(classes))


def _settle(u: Recurrence, cells: Cells) -> tuple[int, Fraction]:
    """A K and a c with cast(u_k) = c for all k >= K.

    The candidates for c are the cast of the limit, its upper neighbour if the limit is a midpoint
    approached from above, and the ends.  The signs of u - lower and u - upper end decide.
    """
    bottom, top = cells.ends
    near = cells.cast(u.constant)
    for c in dict.fromkeys((near, cells.next(near, top), bottom, top)):
        lower, upper = cells.of(c)
        above, first = (1, 0) if lower is None else eventual_sign(u.minus(lower))
        beyond, second = (-1, 0) if upper is None else eventual_sign(u.minus(upper))
        if above > 0 >= beyond:
            return max(first, second), c
    raise AssertionError("A sequence with eventual signs has an eventual cast.")


# -------------------------------------------------------------------- one entry of a state


def sum_entry(
    summands: Sequence[Power],
    initials: Sequence[tuple[Power, int]],
    cells: Cells,
    budget: int,
    constant: Fraction = ZERO,
    *,
    labels: bool = False,
) -> tuple[int, tuple[Fraction, ...], int]:
    """The end of an entry of H.

    Args:
        summands: terms of which one more is added with every step.
        initials: terms that are there from the start, and how often.
        cells: the format.
        budget: most enclosures computed.
        constant: is added to each.
        labels: where a sum needs more enclosures, return instead of the values numbers that are
            equal where the values are: the values less that sum, before the cast.

    Returns:
        From where on the entry is periodic, its values from there, and the enclosures spent.

    Raises:
        UndecidedError: if the period or the budget is too large.
    """
    terms = [*summands, *(u for u, _ in initials)]
    q = lcm(*(len(u.values) for u in terms))
    if q > MAX_PERIOD:
        raise UndecidedError(f"the period may be {q}, more than {MAX_PERIOD}")
    start = max((u.preperiod for u in terms), default=0)
    # H_{start+i+mq} = cast(S_start + m drift + offsets[i])
    partial, offsets = Fraction(0), []
    for k in range(start, start + q):
        offsets.append(partial + constant + sum(count * u.at(k) for u, count in initials))
        partial += sum(u.at(k) for u in summands)
    drift = partial
    total = CastSum(cells)
    for summand in summands:
        p = len(summand.values)
        for r, (u, bound) in enumerate(summand.classes):
            total.add(u, bound)
            # Of the indices below `start` that are r modulo p, the others are past the bound.
            total.known += ((start - r + p - 1) // p - bound) * summand.at(r)
    if drift:
        return *_saturate(total, drift, offsets, start, cells, budget), total.evaluations
    if labels and len(set(offsets)) == 1:
        return start, (offsets[0],), 0
    while True:
        low, high = ([cells.cast(s + x) for x in offsets] for s in total.bounds)
        if low == high:
            return start, tuple(low), total.evaluations
        if total.evaluations >= budget or not total.refine():
            if labels:
                return start, tuple(offsets), total.evaluations
            raise UndecidedError(f"the sum of {start} terms needs more than {budget} enclosures")


def _saturate(
    total: CastSum,
    drift: Fraction,
    offsets: list[Fraction],
    start: int,
    cells: Cells,
    budget: int,
) -> tuple[int, tuple[Fraction, ...]]:
    """From where on the sum is at an end, up to 2 % where the budget allows."""
    end = cells.ends[drift > 0]
    lower, upper = cells.of(end)

    def rounds(s: Fraction) -> int:
        """The least m >= 0 with s + m drift + offset in the cell of the end, for all offsets."""
        if drift > 0:
            return 0 if lower is None else max(0, floor((lower - s - min(offsets)) / drift) + 1)
        return 0 if upper is None else max(0, ceil((upper - s - max(offsets)) / drift))

    while True:
        bounds = [start + rounds(s) * len(offsets) for s in total.bounds]
        sharp = 50 * (max(bounds) - min(bounds)) <= max(bounds)
        if sharp or total.evaluations >= min(budget, SATURATION_BUDGET) or not total.refine():
            return max(bounds), (end,)


# -------------------------------------------------------------------- all entries


def assemble(
    entries: list[tuple[int, tuple[Fraction, ...]]], shape: tuple[int, ...]
) -> EventualCast:
    """A state from where each entry is periodic from on, and its values."""
    preperiod = max((first for first, _ in entries), default=0)
    reduced = []
    for first, values in entries:
        period = _least_period(values)
        reduced.append([values[(preperiod - first + i) % period] for i in range(period)])
    period = lcm(*map(len, reduced))
    if period > MAX_PERIOD:
        raise UndecidedError(f"the period is {period}, more than {MAX_PERIOD}")
    states = []
    for i in range(period):
        state = np.empty(len(reduced), object)
        state[:] = [values[i % len(values)] for values in reduced]
        states.append(state.reshape(shape))
    return EventualCast(preperiod, period, tuple(states))


def _least_period(values: tuple[Fraction, ...]) -> int:
    n = len(values)
    return next(p for p in range(1, n + 1) if n % p == 0 and values[p:] == values[:-p])
