"""Exact sums of many cast numbers: a sequence of millions of terms is cast run by run.

On an interval of indices the modes enclose the sequence.  Where the ends of the enclosure have the
same cast, all terms have it; elsewhere the interval is halved.  Proof in docs/ideal-cast.md,
section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any

from flint import acb, arb, ctx, fmpq

from lrnn_theory.ideal_cast.cells import Cells
from lrnn_theory.ideal_cast.recurrence import Recurrence, fraction

LIMIT = 8192
"""Bounds above 2^LIMIT count as infinite, and bounds below 2^-LIMIT as zero, both outwards."""
MAX_EXACT = 1_000_000
"""Largest index at which a term is computed exactly, if balls cannot tell its cast."""


@dataclass(frozen=True, eq=False)
class Run:
    """Consecutive terms u_first, ..., u_last whose casts lie between `low` and `high`.

    Attributes:
        between: if low and high are neighbours, their midpoint, less the constant of the sequence.
    """

    curve: Curve
    first: int
    last: int
    low: Fraction
    high: Fraction
    between: arb | None

    @property
    def count(self) -> int:
        """How many terms it has; `len` would end at 2^63 - 1."""
        return self.last - self.first + 1


class Curve:
    """A sequence on intervals of indices, from `start` on."""

    def __init__(self, u: Recurrence, cells: Cells, last: int) -> None:
        self.u, self.cells, self.bits = u, cells, 128 + 2 * last.bit_length()
        self.modes: list[tuple[Any, list[Any]]] = []
        with ctx.workprec(self.bits):
            for mode in u.modes():
                ring: Any = arb if mode.is_positive else acb
                root, weights = ring(mode.root), [ring(b) for b in mode.weights]
                if mode.root == 1:
                    weights[0] = arb(0)  # u.constant, which stays exact
                self.modes.append((root.log(), [b / root**j for j, b in enumerate(weights)]))

    def run(self, first: int, last: int, within: Run | None = None) -> Run:
        """Bounds of the cast of u_first, ..., u_last, which may be known to lie in another run."""
        with ctx.workprec(self.bits):
            index, total = arb(first).union(arb(last)), acb(0)
            for log, weights in self.modes:
                size = sum((b * _binomials(first, last, j) for j, b in enumerate(weights)), acb(0))
                total += size * (log * index).exp()
            if within is None or within.between is None:
                low, high = self._cast(total.real.lower(), -1), self._cast(total.real.upper(), 1)
                between = self._between(low, high)
            else:  # one of two neighbours: a comparison tells
                low, high, between = within.low, within.high, within.between
                if total.real > between:
                    low = high
                elif total.real < between:
                    high = low
        if low != high and first == last <= MAX_EXACT:
            low = high = self.cells.cast(fraction(self.u.at(first)))
        return Run(self, first, last, low, high, between)

    def _between(self, low: Fraction, high: Fraction) -> arb | None:
        middle = (low + high) / 2
        if low == high or self.cells.cast(middle) not in (low, high):
            return None
        gap = middle - self.u.constant
        return arb(fmpq(gap.numerator, gap.denominator))

    def _cast(self, x: arb, side: int) -> Fraction:
        moved = outwards(x, side)
        if moved is None:
            return self.cells.ends[side > 0]
        return self.cells.cast(self.u.constant + moved)


def _binomials(first: int, last: int, j: int) -> arb:
    low = arb(comb(first, j))
    return low if first == last else low.union(arb(comb(last, j)))


def outwards(x: arb, side: int) -> Fraction | None:
    """A bound on the given side that fits into LIMIT bits; None if it is infinite."""
    if not x.is_finite():
        return None
    mantissa, exponent = (int(part) for part in x.man_exp())
    size, sign = abs(mantissa).bit_length() + exponent, (mantissa > 0) - (mantissa < 0)
    if size > LIMIT:
        return None if sign == side else sign * Fraction(2) ** LIMIT / 2
    if size < -LIMIT:
        return Fraction(side, 2**LIMIT) if sign == side else Fraction(0)
    return mantissa * Fraction(2) ** exponent


class CastSequence:
    """cast(u_0), cast(u_1), ... on intervals of indices.

    Args:
        u: the sequence.
        cells: the format.
        last: the largest index that will be asked for.
    """

    def __init__(self, u: Recurrence, cells: Cells, last: int) -> None:
        self.head = [cells.cast(fraction(x)) for x in u.terms(min(u.start, last + 1))]
        self._curve = Curve(u, cells, last + 1) if len(self.head) <= last else None

    def bounds(self, first: int, last: int) -> tuple[Fraction, Fraction]:
        """Bounds of cast(u_first), ..., cast(u_last)."""
        ends, run = self.head[first : last + 1], self.run(first, last)
        if run is not None:
            ends += [run.low, run.high]
        return min(ends), max(ends)

    def run(self, first: int, last: int) -> Run | None:
        """The part of an interval beyond the head."""
        first = max(first, len(self.head))
        return None if self._curve is None or last < first else self._curve.run(first, last)


class CastSum:
    """The sum of cast(u_k) over several ranges of k, between two bounds.

    Attributes:
        known: the part that is exact.
        unknown: the runs that are not.
        evaluations: enclosures computed so far.
    """

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.known = Fraction(0)
        self.unknown: list[Run] = []
        self.evaluations = 0

    def add(self, u: Recurrence, count: int) -> None:
        """Add the sum of cast(u_k) over k < count."""
        self.extend(CastSequence(u, self.cells, count - 1), 0, count - 1)

    def extend(self, casts: CastSequence, first: int, last: int) -> None:
        """Add the sum over first <= k <= last."""
        self.known += sum(casts.head[first : last + 1], Fraction(0))
        run = casts.run(first, last)
        if run is not None:
            self._take(run)

    def _take(self, run: Run) -> None:
        self.evaluations += 1
        if run.low == run.high:
            self.known += run.count * run.low
        else:
            self.unknown.append(run)

    @property
    def bounds(self) -> tuple[Fraction, Fraction]:
        """The sum lies between these; they are equal if it is known."""
        low = sum((run.count * run.low for run in self.unknown), self.known)
        high = sum((run.count * run.high for run in self.unknown), self.known)
        return low, high

    def refine(self) -> bool:
        """Halve every unknown run; False if there is none of several terms."""
        runs, self.unknown = self.unknown, []
        for run in runs:
            if run.first == run.last:
                self.unknown.append(run)
                continue
            middle = (run.first + run.last) // 2
            self._take(run.curve.run(run.first, middle, run))
            self._take(run.curve.run(middle + 1, run.last, run))
        return any(run.first < run.last for run in runs)
