"""States of a cycle over ranges of rounds: bounds that hold for all of millions of rounds.

After j rounds and r more steps a layer holds the sum of `cycle`.  For a <= j <= b every term that
was there before the cycle lies between bounds, and what the rounds from a on add lies between 0 and
b - a times bounds of a round.  The cast of the sum of these bounds encloses the states: it is
monotone.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

import numpy as np

from lrnn_theory.formats import Format
from lrnn_theory.ideal_cast.cells import Cells
from lrnn_theory.ideal_cast.cycle import Cycle, Step, Terms
from lrnn_theory.ideal_cast.recurrence import Recurrence
from lrnn_theory.ideal_cast.sums import CastSequence, CastSum
from lrnn_theory.ideal_cast.unary import matrix, sequences
from lrnn_theory.transition import Array

Box = tuple[Array, Array]
"""Smallest and largest entries, (n, d) each."""


class Ranges:
    """The states after j rounds and r more steps, for ranges of j one after the other.

    Attributes:
        at: the next j.
    """

    def __init__(
        self,
        held: list[list[tuple[CastSequence, int]]],
        added: list[list[CastSequence]],
        constant: list[Fraction],
        cells: Cells,
        shape: tuple[int, int],
    ) -> None:
        self._held, self._added, self._constant = held, added, constant
        self._cells, self._shape = cells, shape
        self._sums = [CastSum(cells) for _ in constant]
        self._computed = 0
        self.at = 0

    @property
    def enclosures(self) -> int:
        """How many enclosures of a run of a sequence have been computed."""
        return self._computed + sum(x.evaluations for x in self._sums)

    def enclose(self, last: int) -> Box:
        """Bounds of the states for at <= j <= last; the state itself if they are equal."""
        box: Box = np.empty(self._shape, object), np.empty(self._shape, object)
        for i, (constant, total) in enumerate(zip(self._constant, self._sums, strict=True)):
            ends = [constant + x for x in total.bounds]
            for casts, count in self._held[i]:
                ends = [
                    x + count * y for x, y in zip(ends, casts.bounds(self.at, last), strict=True)
                ]
            if self.at < last and self._added[i]:
                grown = [casts.bounds(self.at, last - 1) for casts in self._added[i]]
                low, high = (
                    sum(x, Fraction(0)) * (last - self.at) for x in zip(*grown, strict=True)
                )
                ends = [ends[0] + min(low, 0), ends[1] + max(high, 0)]
            for side, x in zip(box, ends, strict=True):
                side.flat[i] = self._cells.cast(x)
            self._computed += len(self._held[i]) + len(self._added[i])
        return box

    def advance(self, last: int) -> None:
        """Go on to j = last + 1."""
        for total, added in zip(self._sums, self._added, strict=True):
            for casts in added:
                total.extend(casts, self.at, last)
        self.at = last + 1

    def refine(self) -> bool:
        """Sharpen the sums of what former rounds added; False if that is not possible."""
        return sum(total.refine() for total in self._sums) > 0


def cycle_turns(steps: Sequence[Step], terms: Terms) -> int:
    """A number of rounds that leaves, of all that a cycle multiplies by, positive powers.

    It is found numerically, for eigenvalues that are roots of unity times a positive number; see
    `Recurrence.turns`.

    Raises:
        UndecidedError: if a weight is irrational.
    """
    cycle = Cycle(steps)
    parts = [*(matrix(t) for t, _ in terms), *cycle.added]
    return lcm(*(u.turns() for x in parts for u in sequences(cycle.round, x, cycle.partial)))


def cycle_ranges(steps: Sequence[Step], terms: Terms, form: Format, last: int) -> list[Ranges]:
    """The states after j rounds and r more steps, for every r; arguments as for `eventual_cycle`.

    Args:
        steps: what is repeated.
        terms: what is there before.
        form: the finite set of numbers.
        last: the largest j that will be asked for.

    Raises:
        UndecidedError: if a weight is irrational.

    Example:
        >>> from lrnn_theory.formats import parse_format
        >>> counter = [(np.array([[1]]), np.array([[1]]))]
        >>> (after,) = cycle_ranges(counter, [(np.array([[0]]), 1)], parse_format("float32"), 10**9)
        >>> [int(x.item()) for x in after.enclose(10**9)]
        [0, 1000000000]
    """
    cycle, cells, shape = Cycle(steps), Cells(form), steps[0][1].shape
    known: dict[tuple[str, ...], CastSequence] = {}

    def casts(u: Recurrence) -> CastSequence:
        if u.key not in known:
            known[u.key] = CastSequence(u, cells, last)
        return known[u.key]

    held = [(sequences(cycle.round, matrix(t), cycle.partial), n) for t, n in terms]
    added = [sequences(cycle.round, w, cycle.partial) for w in cycle.added]
    least = 0 if cells.cast(Fraction(0)) else 1  # the degree of sequences that count
    out, size = [], steps[0][1].size
    for r in range(len(steps)):
        places = range(r * size, (r + 1) * size)
        out.append(
            Ranges(
                [[(casts(us[i]), n) for us, n in held if us[i].degree >= least] for i in places],
                [[casts(us[i]) for us in added if us[i].degree >= least] for i in places],
                cycle.constant(r, cells),
                cells,
                shape,
            )
        )
    return out
