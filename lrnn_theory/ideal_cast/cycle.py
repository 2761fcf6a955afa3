"""The cast model where letters come round in a cycle, from any terms that are there already.

A layer that has read some word holds finitely many exact terms t.  From then on let it take the
steps (A_1, B_1), ..., (A_q, B_q) again and again.  With P = A_q ... A_1, R_r = A_r ... A_1 and
w_u = A_q ... A_{u+1} B_u it holds, after j rounds and r more steps, the cast of

    sum_t cast(R_r P^j t) + sum_u sum_{m<j} cast(R_r P^m w_u) + sum_{u<=r} cast(A_r ... A_{u+1} B_u)

and for fixed r these are sums as in `unary`, of recurrences in j.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm

import numpy as np
from flint import fmpq_mat

from lrnn_theory.formats import Format
from lrnn_theory.ideal_cast.cells import Cells
from lrnn_theory.ideal_cast.recurrence import Recurrence, UndecidedError
from lrnn_theory.ideal_cast.unary import (
    MAX_PERIOD,
    EventualCast,
    Power,
    Unresolved,
    assemble,
    matrix,
    power_entry,
    sequences,
    sum_entry,
)
from lrnn_theory.transition import Array

Step = tuple[Array, Array]
"""A, (n, n), and B, (n, d)."""
Terms = Sequence[tuple[Array, int]]
"""Exact terms, (n, d), and how often each is there."""


def eventual_cycle(
    steps: Sequence[Step], terms: Terms, form: Format, *, budget: int = 1_000_000
) -> EventualCast | Unresolved:
    """The state after k steps, for all large k.

    Args:
        steps: what is repeated; rational.
        terms: what is there before; rational.
        form: the finite set of numbers.
        budget: most enclosures computed, as for `eventual_cast`.

    Returns:
        The eventual period in steps, proved, or `Unresolved`.

    Example:
        >>> from lrnn_theory.formats import parse_format
        >>> flip, keep = (np.array([[-1]]), np.array([[0]])), (np.array([[1]]), np.array([[0]]))
        >>> found = eventual_cycle([flip, keep], [(np.array([[1]]), 1)], parse_format("{-1,0,1}"))
        >>> found.preperiod, found.period
        (0, 4)
    """
    try:
        return _eventual(steps, terms, form, budget, labels=False)
    except UndecidedError as error:
        return Unresolved(str(error))


def eventual_period(
    steps: Sequence[Step], terms: Terms, form: Format, *, budget: int = 256
) -> tuple[int, int] | Unresolved:
    """From where on the states are periodic, and with which period, whatever they are.

    That takes no sum of millions of casts, so that it is fast where `eventual_cycle` is not.

    Args:
        steps: as for `eventual_cycle`.
        terms: as for `eventual_cycle`.
        form: the finite set of numbers.
        budget: enclosures spent on finding a smaller period.

    Returns:
        The preperiod and a period, not always the least one; or `Unresolved`.

    Example:
        >>> from lrnn_theory.formats import parse_format
        >>> slow = (np.array([[Fraction(999_999, 1_000_000)]]), np.array([[1]]))
        >>> eventual_period([slow], [(np.array([[0]]), 1)], parse_format("float32"))
        (103972026, 1)
    """
    try:
        found = _eventual(steps, terms, form, budget, labels=True)
    except UndecidedError as error:
        return Unresolved(str(error))
    return found.preperiod, found.period


def _eventual(
    steps: Sequence[Step], terms: Terms, form: Format, budget: int, *, labels: bool
) -> EventualCast:
    cells, known, cycle = Cells(form), _Powers(form), Cycle(steps)
    held = [(sequences(cycle.round, matrix(t), cycle.partial), n) for t, n in terms]
    added = [sequences(cycle.round, w, cycle.partial) for w in cycle.added]
    size, ends = steps[0][1].size, []
    for r in range(len(steps)):
        entries = []
        for i, part in enumerate(cycle.constant(r, cells)):
            at = r * size + i
            summands = [known(us[at]) for us in added]
            initials = [(known(us[at]), n) for us, n in held]
            first, values, spent = sum_entry(summands, initials, cells, budget, part, labels=labels)
            entries.append((first, values))
            budget = max(0, budget - spent)
        ends.append(assemble(entries, steps[0][1].shape))
    return _interleaved(ends, len(steps) if labels else 1)


def cycle_values(steps: Sequence[Step], terms: Terms, form: Format) -> Iterator[Array]:
    """The states after 0, 1, 2, ... steps, by definition; arguments as for `eventual_cycle`.

    Raises:
        UndecidedError: if a weight is irrational.
    """
    cycle, cells, shape = Cycle(steps), Cells(form), steps[0][1].shape
    held, added = [(matrix(t), n) for t, n in terms], list(cycle.added)
    constants = [cycle.constant(r, cells) for r in range(len(steps))]
    totals = [[Fraction(0)] * len(constants[0]) for _ in steps]
    while True:
        for r, a in enumerate(cycle.matrices):
            total = totals[r]
            out = [x + y for x, y in zip(total, constants[r], strict=True)]
            for x, n in held:
                out = [y + n * c for y, c in zip(out, _casts(x, cells), strict=True)]
            state = np.empty(len(out), object)
            state[:] = [cells.cast(x) for x in out]
            yield state.reshape(shape)
            # What was added in a round counts from the next one on: now, if another one begins.
            for x in added:
                totals[r] = [y + c for y, c in zip(totals[r], _casts(x, cells), strict=True)]
            held = [(a * x, n) for x, n in held]
            added = [a * x for x in added]


class Cycle:
    """Products of the matrices of a cycle.

    Attributes:
        matrices: A_1, ..., A_q.
        round: P.
        partial: R_1, ..., R_{q-1}.
        added: w_1, ..., w_q.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.matrices = [matrix(a) for a, _ in steps]
        self.inputs = [matrix(b) for _, b in steps]
        product, self.partial = self.matrices[0], []
        for a in self.matrices[1:]:
            self.partial.append(product)
            product = a * product
        self.round = product
        self.added = self._moved(len(steps))

    def _moved(self, r: int) -> list[fmpq_mat]:
        """A_r ... A_{u+1} B_u for u = 1, ..., r."""
        out: list[fmpq_mat] = []
        for a, b in zip(self.matrices[:r], self.inputs[:r], strict=True):
            out = [*(a * x for x in out), b]
        return out

    def constant(self, r: int, cells: Cells) -> list[Fraction]:
        """What the steps since the last round add after r of them."""
        columns = [_casts(x, cells) for x in self._moved(r)]
        if not columns:
            return [Fraction(0)] * len(self.inputs[0].entries())
        return [sum(x, Fraction(0)) for x in zip(*columns, strict=True)]


def _casts(x: fmpq_mat, cells: Cells) -> list[Fraction]:
    return [cells.cast_ratio(int(y.p), int(y.q)) for y in x.entries()]


class _Powers:
    """The casts of recurrences, each computed once."""

    def __init__(self, form: Format) -> None:
        self._cells = Cells(form)
        self._known: dict[tuple[str, ...], Power] = {}

    def __call__(self, u: Recurrence) -> Power:
        if u.key not in self._known:
            self._known[u.key] = power_entry(u, self._cells)
        return self._known[u.key]


def _interleaved(ends: list[EventualCast], unit: int) -> EventualCast:
    """The sequence whose subsequences of residues r are given; its period is a multiple of unit."""
    q = len(ends)
    rounds = lcm(*(x.period for x in ends))
    if q * rounds > MAX_PERIOD:
        raise UndecidedError(f"the period may be {q * rounds}, more than {MAX_PERIOD}")
    first = max(0, *(q * (x.preperiod - 1) + r + 1 for r, x in enumerate(ends)))
    values = [ends[k % q].at(k // q) for k in range(first, first + q * rounds)]
    flat = [tuple(v.ravel().tolist()) for v in values]
    n = len(flat)
    period = next(p for p in range(unit, n + 1, unit) if n % p == 0 and flat[p:] == flat[: n - p])
    return EventualCast(first, period, tuple(values[:period]))
