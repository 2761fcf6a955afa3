"""The cast of a format, and the interval of numbers that have a given cast."""

from __future__ import annotations

from fractions import Fraction

from lrnn_theory.formats import Format

SHORT, BITS, TINY = 256, 96, -2000
"""Fractions with longer denominators are enclosed in so many bits, not below 2^TINY."""


class Cells:
    """A format as the map from numbers to numbers that its cast is.

    Attributes:
        form: the format; only its `cast` and its `ends` are used.
        ends: its smallest and its largest number.

    Example:
        >>> from lrnn_theory.formats import parse_format
        >>> Cells(parse_format("{0,1,4}")).of(Fraction(1))
        (Fraction(1, 2), Fraction(5, 2))
    """

    def __init__(self, form: Format) -> None:
        self.form, self.ends = form, form.ends
        self._known: dict[Fraction, tuple[Fraction | None, Fraction | None]] = {}

    def cast(self, x: Fraction) -> Fraction:
        """The nearest number, ties to the smaller; beyond the ends, the end."""
        return Fraction(self.form.cast(x))

    def cast_ratio(self, p: int, q: int) -> Fraction:
        """The cast of p / q, q > 0: for long integers by short bounds, where these tell it.

        Example:
            >>> from lrnn_theory.formats import parse_format
            >>> Cells(parse_format("{0,1,4}")).cast_ratio(3**900 + 1, 2 * 3**900)
            Fraction(1, 1)
        """
        if q.bit_length() > SHORT:
            e = max(TINY, p.bit_length() - q.bit_length() - BITS)
            n = (p << -e) // q if e < 0 else p // (q << e)
            unit = Fraction(2) ** e
            c = self.cast(n * unit)
            upper = self.of(c)[1]
            if upper is None or (n + 1) * unit <= upper:
                return c
        return self.cast(Fraction(p, q))

    def next(self, c: Fraction, end: Fraction) -> Fraction:
        """The number next to c in the direction of an end; c itself at the end.

        The cast of the midpoint of two numbers is neither of them if and only if there is a number
        between them.
        """
        near = end
        while (middle := self.cast((c + near) / 2)) not in (c, near):
            near = middle
        return near

    def of(self, c: Fraction) -> tuple[Fraction | None, Fraction | None]:
        """Bounds with cast(x) = c if and only if lower < x <= upper; None is infinite."""
        if c not in self._known:
            below, above = (self.next(c, end) for end in self.ends)
            self._known[c] = (
                (c + below) / 2 if below < c else None,
                (c + above) / 2 if above > c else None,
            )
        return self._known[c]
