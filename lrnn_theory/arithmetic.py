"""Number formats and rounding semantics: what a step of a linear RNN computes.

"float32" alone is not a semantics.  An `Arithmetic` fixes the number format of the state, how a
step H <- A H + B is rounded, and (for now always sequential) the order of evaluation.  It is
written as one string, `FORMAT[!sat|!nan|!inf][:SEMANTICS[+acc=FORMAT]]`:

    exact                       rational and algebraic numbers, no rounding
    float32, float32:each       every product and every sum is rounded to float32
    bfloat16, bfloat16:wide+acc=float32
                                products and sums in float32, one rounding to bfloat16 a step

A step takes the *dense* matrix A, rounded entry by entry.  Row r is
((A[r,j1] h[j1] + A[r,j2] h[j2]) + ...) + B[r] over the nonzero entries j1 < j2 < ..., never
contracted into fused multiply-adds; entries that are zero are skipped; -0 is stored as 0.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from lrnn_theory.cyclotomic import Cyclotomic, Exact


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes:
        name: its name.
        precision: bits of the significand, the implicit one included.
        min_exponent: exponent of the smallest normal number, 2^min_exponent.
        max_value: the largest finite number.
        overflow: what a result beyond `max_value` becomes: "inf", "nan", or "sat" (max_value).
    """

    name: str
    precision: int
    min_exponent: int
    max_value: float
    overflow: str = "inf"

    @property
    def quantum(self) -> int:
        """Exponent of the spacing of subnormal numbers."""
        return self.min_exponent - self.precision + 1

    @property
    def exact_integers(self) -> int:
        """Every integer of absolute value up to this is a number of the format."""
        return 2**self.precision

    def round(self, x: Exact | float) -> float:
        """The nearest number of the format, ties to even; an exact number is rounded once.

        Example:
            >>> FORMATS["bfloat16"].round(Fraction(1, 3))
            0.333984375
        """
        if isinstance(x, float):
            if not math.isfinite(x):
                return self._overflow(x) if math.isinf(x) else x
            x = Fraction(x)
        if isinstance(x, Cyclotomic) and x.rational is None:
            bits = 64
            while True:
                near, slack = x.approximate(bits), Fraction(1, 2**bits)
                low, high = self.round(near - slack), self.round(near + slack)
                if low == high:
                    return low
                bits *= 2
        if isinstance(x, Cyclotomic):
            x = x.coefficients[0]
        return self._round_rational(Fraction(x))

    def _round_rational(self, x: Fraction) -> float:
        if not x:
            return 0.0
        size = abs(x)
        exponent = size.numerator.bit_length() - size.denominator.bit_length()
        if size < Fraction(2) ** exponent:
            exponent -= 1
        quantum = max(exponent - self.precision + 1, self.quantum)
        steps = round(size / Fraction(2) ** quantum)  # round() of a Fraction: ties to even
        value = Fraction(2) ** quantum * steps
        if value > Fraction(self.max_value):
            return self._overflow(math.copysign(math.inf, x))
        return float(value) if x > 0 else 0.0 - float(value)

    def _overflow(self, infinity: float) -> float:
        if self.overflow == "nan":
            return math.nan
        return infinity if self.overflow == "inf" else math.copysign(self.max_value, infinity)


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("float64", 53, -1022, float.fromhex("0x1.fffffffffffffp1023")),
        Format("float32", 24, -126, float.fromhex("0x1.fffffep127")),
        Format("bfloat16", 8, -126, float.fromhex("0x1.fep127")),
        Format("float16", 11, -14, 65504.0),
        Format("float8_e4m3", 4, -6, 448.0, "nan"),
        Format("float8_e5m2", 3, -14, 57344.0),
    )
}

_DEFAULT_SEMANTICS = {
    "float64": "each",
    "float32": "each",
    "bfloat16": "wide",
    "float16": "wide",
    "float8_e4m3": "wide",
    "float8_e5m2": "wide",
}

_SYNTAX = re.compile(r"([a-z0-9_]+)(?:!(sat|nan|inf))?(?::(each|wide)(?:\+acc=([a-z0-9_]+))?)?\Z")


@dataclass(frozen=True)
class Arithmetic:
    """A number format with a rounding semantics.

    Attributes:
        format: the format of weights and states; None for exact arithmetic.
        semantics: "each" (round every operation) or "wide" (products and sums in `accumulator`,
            then one rounding to `format`); "exact" for exact arithmetic.
        accumulator: the format of products and sums of "wide".

    Example:
        >>> str(Arithmetic.parse("bfloat16"))
        'bfloat16:wide+acc=float32'
    """

    format: Format | None
    semantics: str
    accumulator: Format | None = None

    @classmethod
    def parse(cls, text: str | Arithmetic) -> Arithmetic:
        """Read the string form; a bare format name means its documented default.

        Raises:
            ValueError: if the text is not an arithmetic.
            TypeError: if it is not text.
        """
        if isinstance(text, Arithmetic):
            return text
        if not isinstance(text, str):
            raise TypeError(f"Argument 'arithmetic' must be a string, not {type(text).__name__}.")
        if text == "exact":
            return EXACT
        match = _SYNTAX.match(text)
        if not match or match[1] not in FORMATS:
            raise ValueError(
                f"Argument 'arithmetic' must be 'exact' or FORMAT[!sat|!nan|!inf]"
                f"[:each|:wide[+acc=FORMAT]] with FORMAT one of {', '.join(FORMATS)}, not {text!r}."
            )
        name, overflow, semantics, accumulator = match.groups()
        semantics = semantics or _DEFAULT_SEMANTICS[name]
        form = FORMATS[name]
        if overflow and overflow != form.overflow:
            form = Format(form.name, form.precision, form.min_exponent, form.max_value, overflow)
        if semantics == "each":
            if accumulator:
                raise ValueError(f"Semantics 'each' takes no accumulator: {text!r}.")
            return cls(form, "each")
        wide = FORMATS.get(
            accumulator or ("float64" if name in ("float64", "float32") else "float32")
        )
        if (
            wide is None
            or wide.name not in ("float32", "float64")
            or wide.precision < form.precision
        ):
            raise ValueError(
                f"Accumulator must be float32 or float64 and at least as wide as {name}: {text!r}."
            )
        return cls(form, "wide", wide)

    @property
    def is_exact(self) -> bool:
        """Whether nothing is rounded."""
        return self.format is None

    def round(self, x: Exact) -> Exact | float:
        """A weight as this arithmetic stores it."""
        return x if self.format is None else self.format.round(x)

    def __str__(self) -> str:
        if self.format is None:
            return "exact"
        mark = (
            ""
            if self.format.overflow == FORMATS[self.format.name].overflow
            else f"!{self.format.overflow}"
        )
        tail = f"+acc={self.accumulator.name}" if self.accumulator else ""
        return f"{self.format.name}{mark}:{self.semantics}{tail}"


EXACT = Arithmetic(None, "exact")
