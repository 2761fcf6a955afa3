"""How compiled code, on CPU or GPU, rounds to a format: a few numbers instead of a `Format`."""

from __future__ import annotations

from dataclasses import replace
from math import frexp, inf, nan, nextafter
from typing import NamedTuple

from lrnn_theory.formats import Fixed, Float, Format

KEEP, NATIVE, FLOAT, SATURATE, WRAP = range(5)
"""The machine has rounded; it has, but overflow is special; a float; fixed point, two ways."""


class Rule(NamedTuple):
    """Rounding of a float64 to a format, as `lrnn_theory.compiled.engine` does it.

    Attributes:
        kind: KEEP, NATIVE, FLOAT, SATURATE or WRAP.
        limit: the least size that overflows a float; a power of two that every size to be wrapped
            is reduced by.
        beyond: what overflow becomes, without its sign.
        unit: the smallest normal number of a float; the spacing of fixed point.
        scale: of a float, 1.5 * 2^(53 - precision), which pushes the bits to be dropped out of a
            double of one binade; of fixed point, 1 / unit.
        low: the smallest number of fixed point.
        high: the largest.
    """

    kind: int
    limit: float = inf
    beyond: float = inf
    unit: float = 0.0
    scale: float = 0.0
    low: float = 0.0
    high: float = 0.0


def rule(form: Format) -> Rule:
    """The rule of a float or of fixed point, of at most 53 bits."""
    if isinstance(form, Fixed):
        unit = float(form.unit)
        low, high = map(float, form.ends)
        kind = WRAP if form.overflow == "wrap" else SATURATE
        return Rule(kind, high - low + unit, 0.0, unit, 1 / unit, low, high)
    assert isinstance(form, Float)
    beyond = {"inf": inf, "nan": nan, "sat": form.max_value}[form.overflow]
    if form.name == "float64":
        return Rule(KEEP if beyond == inf else NATIVE, beyond=beyond)
    least = 2.0**form.min_exponent
    return Rule(FLOAT, _limit(form), beyond, least, 1.5 * 2.0 ** (53 - form.precision))


def _limit(form: Float) -> float:
    """The least double that rounds beyond the largest number: half a step on, or just after it."""
    half_step = 2.0 ** (frexp(form.max_value)[1] - form.precision - 1)
    middle = form.max_value + half_step
    beyond = replace(form, overflow="inf").round(middle) == inf
    return middle if beyond else nextafter(middle, inf)
