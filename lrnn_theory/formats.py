"""Number formats: floating point, fixed point, and arbitrary finite sets of rationals.

    float64 float32 tf32 bfloat16 float16 float8_e4m3 float8_e5m2
    fixed8.4                two's complement: 8 bits, 4 of them after the point
    {-1,-1/2,0,1/2,1}       a finite set

Every exact number is rounded once.  `round` is what hardware does: to the nearest number, ties to
even (in a finite set, to the smaller).  `cast` is the model of Grazzi, Siems et al., arXiv
2411.12537, App. B.1: to the nearest number, ties to the smaller, beyond the ends to the end.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from lrnn_theory.cyclotomic import Cyclotomic, Exact

Number = int | Fraction | float
"""A number of a format; the only floats that are no rationals are infinities and NaN."""


class Format(ABC):
    """A finite set of numbers with a way to round to it.

    Attributes:
        overflow: what a result beyond the ends becomes: "inf", "nan", "sat" (the end), or "wrap".
    """

    overflow: str

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name, without the mark for overflow."""

    @property
    @abstractmethod
    def overflows(self) -> tuple[str, ...]:
        """The choices of `overflow`, the default first."""

    def round(self, x: Exact | float) -> Number:
        """The nearest number, ties to even; an exact number is rounded once.

        Example:
            >>> parse_format("bfloat16").round(Fraction(1, 3))
            0.333984375
            >>> parse_format("fixed8.4").round(Fraction(1, 3))
            0.3125
        """
        if isinstance(x, float) and not math.isfinite(x):
            return self._special(x)
        return _settle(x, self._round)

    def cast(self, x: Exact) -> Number:
        """The nearest number, ties to the smaller; beyond the ends, the end.

        Example:
            >>> parse_format("{0,1,4}").cast(Fraction(5, 2))
            Fraction(1, 1)
        """
        return _settle(x, self._cast)

    @abstractmethod
    def contains(self, other: Format) -> bool:
        """Whether every number of the other format is one of this; float and fixed point only."""

    @property
    @abstractmethod
    def ends(self) -> tuple[Fraction, Fraction]:
        """The smallest and the largest number."""

    @property
    @abstractmethod
    def exact_integers(self) -> int:
        """A bound: every integer of at most this absolute value is a number of the format."""

    @abstractmethod
    def numbers(self) -> list[Number]:
        """All finite numbers, ascending.

        Raises:
            ValueError: if there are more than `MAX_SET`.
        """

    @property
    def mark(self) -> str:
        """The mark for an overflow that is not the default."""
        return "" if self.overflow == self.overflows[0] else f"!{self.overflow}"

    @abstractmethod
    def _round(self, x: Fraction) -> Number: ...

    @abstractmethod
    def _cast(self, x: Fraction) -> Number: ...

    @abstractmethod
    def _special(self, x: float) -> Number: ...


def _settle(x: Exact | float, to: Callable[[Fraction], Number]) -> Number:
    """Apply a monotone function with rational jumps to an exact number."""
    if isinstance(x, Cyclotomic):
        if x.rational is not None:
            return to(x.rational)
        bits = 64
        while True:
            near, slack = x.approximate(bits), Fraction(1, 2**bits)
            low, high = to(near - slack), to(near + slack)
            if low == high or (low != low and high != high):  # two NaN are unequal
                return low
            bits *= 2
    return to(Fraction(x))


def _half_down(x: Fraction) -> int:
    """The nearest integer, ties to the smaller."""
    return math.ceil(x - Fraction(1, 2))


@dataclass(frozen=True)
class Float(Format):
    """A binary floating-point format with subnormals.

    Attributes:
        label: its name.
        precision: bits of the significand, the implicit one included.
        min_exponent: exponent of the smallest normal number, 2^min_exponent.
        max_value: the largest finite number.
    """

    label: str
    precision: int
    min_exponent: int
    max_value: float
    overflow: str = "inf"

    @property
    def name(self) -> str:
        """The label."""
        return self.label

    @property
    def overflows(self) -> tuple[str, ...]:
        """The default first."""
        return ("nan", "sat", "inf") if self.name == "float8_e4m3" else ("inf", "sat", "nan")

    @property
    def quantum(self) -> int:
        """Exponent of the spacing of subnormal numbers."""
        return self.min_exponent - self.precision + 1

    @property
    def ends(self) -> tuple[Fraction, Fraction]:
        """The finite ends."""
        return -Fraction(self.max_value), Fraction(self.max_value)

    @property
    def exact_integers(self) -> int:
        """2^precision, unless the format ends before."""
        return min(2**self.precision, int(self.max_value))

    def contains(self, other: Format) -> bool:
        """Whether every finite number of the other format is one of this."""
        if isinstance(other, Float):
            wider = self.precision >= other.precision and self.max_value >= other.max_value
            return wider and self.quantum <= other.quantum
        if isinstance(other, Fixed):
            fits = max(map(abs, other.ends)) <= self.max_value
            return fits and self.quantum <= -other.fraction and other.width - 1 <= self.precision
        return False

    def numbers(self) -> list[Number]:
        """All finite numbers, ascending."""
        exponents = range(self.quantum, self._unit(self.ends[1]).numerator.bit_length())
        if len(exponents) << (self.precision - 1) > MAX_SET // 2:
            raise ValueError(f"{self.name} has more than {MAX_SET} numbers.")
        low = 1 << (self.precision - 1)
        sizes = {Fraction(2) ** self.quantum * m for m in range(low)}
        sizes |= {Fraction(2) ** e * m for e in exponents for m in range(low, 2 * low)}
        return sorted(float(s * x) for x in sizes if x <= self.ends[1] for s in {1, -1 if x else 1})

    def _unit(self, x: Fraction) -> Fraction:
        """The spacing of numbers around x, downwards if x is a power of two."""
        size = abs(x)
        exponent = size.numerator.bit_length() - size.denominator.bit_length()
        if size < Fraction(2) ** exponent:
            exponent -= 1
        return Fraction(2) ** max(exponent - self.precision + 1, self.quantum)

    def _round(self, x: Fraction) -> float:
        if not x:
            return 0.0
        unit = self._unit(x)
        value = unit * round(x / unit)  # round() of a Fraction: ties to even
        if abs(value) > self.max_value:
            return self._special(math.inf if x > 0 else -math.inf)
        return float(value)

    def _cast(self, x: Fraction) -> float:
        if not x:
            return 0.0
        unit = self._unit(x)
        low, high = self.ends
        return float(min(max(unit * _half_down(x / unit), low), high))

    def _special(self, x: float) -> float:
        if math.isnan(x) or self.overflow == "nan":
            return math.nan
        return x if self.overflow == "inf" else math.copysign(self.max_value, x)


@dataclass(frozen=True)
class Fixed(Format):
    """Fixed point: the multiples of 2^-fraction of `width` bits in two's complement."""

    width: int
    fraction: int
    overflow: str = "sat"

    @property
    def overflows(self) -> tuple[str, ...]:
        """The default first."""
        return ("sat", "wrap")

    @property
    def name(self) -> str:
        """The text fixedW.F."""
        return f"fixed{self.width}.{self.fraction}"

    @property
    def unit(self) -> Fraction:
        """The spacing."""
        return Fraction(2) ** -self.fraction

    @property
    def ends(self) -> tuple[Fraction, Fraction]:
        """From -2^(width - 1) to 2^(width - 1) - 1 units."""
        half = 1 << (self.width - 1)
        return -half * self.unit, (half - 1) * self.unit

    @property
    def exact_integers(self) -> int:
        """The largest number, if integers are numbers at all."""
        return int(self.ends[1]) if self.fraction >= 0 else 0

    def round(self, x: Exact | float) -> Number:
        """The nearest number, ties to even; beyond the ends, the end or what two's complement has.

        An irrational number is rounded first and wrapped then: wrapping is not monotone.
        """
        if isinstance(x, float) and not math.isfinite(x):
            return self._special(x)
        return self._wrapped(int(_settle(x, lambda y: round(y / self.unit))))

    def contains(self, other: Format) -> bool:
        """Whether the other is fixed point with no finer spacing and no wider range."""
        if not isinstance(other, Fixed):
            return False
        return self.fraction >= other.fraction and self.ends[1] >= other.ends[1]

    def numbers(self) -> list[Number]:
        """All numbers, ascending."""
        if self.width > 16:
            raise ValueError(f"{self.name} has more than {MAX_SET} numbers.")
        half = 1 << (self.width - 1)
        return [self._number(steps) for steps in range(-half, half)]

    @property
    def in_doubles(self) -> bool:
        """Whether float64 holds every number."""
        return self.width <= 53 and abs(self.fraction) <= 900

    def _number(self, steps: int) -> Number:
        value = steps * self.unit
        return float(value) if self.in_doubles else value

    def _round(self, x: Fraction) -> Number:
        return self._wrapped(round(x / self.unit))

    def _wrapped(self, steps: int) -> Number:
        half = 1 << (self.width - 1)
        if self.overflow == "wrap":
            return self._number((steps + half) % (2 * half) - half)
        return self._number(min(max(steps, -half), half - 1))

    def _cast(self, x: Fraction) -> Number:
        half = 1 << (self.width - 1)
        return self._number(min(max(_half_down(x / self.unit), -half), half - 1))

    def _special(self, x: float) -> Number:
        if math.isnan(x) or self.overflow == "wrap":
            return self._number(0)
        half = 1 << (self.width - 1)
        return self._number(half - 1 if x > 0 else -half)


@dataclass(frozen=True)
class FiniteSet(Format):
    """A finite set of rationals, ascending; ties go to the smaller, overflow saturates."""

    values: tuple[Fraction, ...]
    overflow: str = "sat"

    @property
    def overflows(self) -> tuple[str, ...]:
        """Only one."""
        return ("sat",)

    @property
    def name(self) -> str:
        """The text {x,y,...}."""
        return "{" + ",".join(map(str, self.values)) + "}"

    @property
    def ends(self) -> tuple[Fraction, Fraction]:
        """The smallest and the largest."""
        return self.values[0], self.values[-1]

    @property
    def exact_integers(self) -> int:
        """The largest N with all of -N..N in the set; 0 if not even 0 and 1."""
        n = 0 if 0 in self.values else -1
        while n >= 0 and {n + 1, -n - 1} <= set(self.values):
            n += 1
        return max(n, 0)

    def contains(self, other: Format) -> bool:
        """Whether the other is a subset."""
        return isinstance(other, FiniteSet) and set(other.values) <= set(self.values)

    def numbers(self) -> list[Number]:
        """The values."""
        return list(self.values)

    def _round(self, x: Fraction) -> Fraction:
        i = bisect_left(self.values, x)
        if i == 0:
            return self.values[0]
        if i == len(self.values):
            return self.values[-1]
        low, high = self.values[i - 1 : i + 1]
        return low if x - low <= high - x else high

    _cast = _round

    def _special(self, x: float) -> Fraction:
        raise ValueError(f"A finite set holds no {x}.")


FORMATS: dict[str, Float] = {
    f.name: f
    for f in (
        Float("float64", 53, -1022, float.fromhex("0x1.fffffffffffffp1023")),
        Float("float32", 24, -126, float.fromhex("0x1.fffffep127")),
        Float("tf32", 11, -126, float.fromhex("0x1.ffcp127")),
        Float("bfloat16", 8, -126, float.fromhex("0x1.fep127")),
        Float("float16", 11, -14, 65504.0),
        Float("float8_e4m3", 4, -6, 448.0, "nan"),
        Float("float8_e5m2", 3, -14, 57344.0),
    )
}

MAX_WIDTH = 1024
"""Most bits of a fixed-point number, and of its scale."""
MAX_SET = 65_536
"""Most numbers of a finite set."""

_FIXED = re.compile(r"fixed(\d{1,4})\.(-?\d{1,4})")
_RATIONAL = re.compile(r"-?\d{1,300}(/[1-9]\d{0,299}|\.\d{1,300})?")


def parse_format(text: str) -> Format:
    """A format by its name, optionally with a mark for overflow such as "!sat".

    Raises:
        ValueError: if there is no such format.
    """
    name, _, overflow = text.partition("!")
    form: Float | Fixed | FiniteSet
    if name in FORMATS:
        form = FORMATS[name]
    elif match := _FIXED.fullmatch(name):
        form = Fixed(int(match[1]), int(match[2]))
        if not (1 <= form.width <= MAX_WIDTH and abs(form.fraction) <= MAX_WIDTH):
            raise ValueError(f"A fixed-point format has 1..{MAX_WIDTH} bits, not {name!r}.")
    elif name[:1] == "{" and name[-1:] == "}":
        items = [item.strip() for item in name[1:-1].split(",")]
        if not all(map(_RATIONAL.fullmatch, items)) or len(items) > MAX_SET:
            raise ValueError(
                f"A finite set is written like {{-1,0,1/2}}, of at most {MAX_SET} rationals, "
                f"not {name[:80]!r}."
            )
        form = FiniteSet(tuple(sorted(set(map(Fraction, items)))))
    else:
        raise ValueError(
            f"Unknown number format {name[:80]!r}: expected 'exact', one of {', '.join(FORMATS)}, "
            f"fixedWIDTH.FRACTION or {{x,y,...}}."
        )
    if "!" in text:
        if overflow not in form.overflows:
            raise ValueError(
                f"Overflow of {name[:80]} must be one of {', '.join(form.overflows)}, "
                f"not {overflow!r}."
            )
        form = replace(form, overflow=overflow)
    return form
