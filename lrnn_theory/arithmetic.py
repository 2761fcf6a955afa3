"""Arithmetics: what a step of a linear RNN computes, bit for bit.

"float32" alone is not a semantics.  An `Arithmetic` fixes the number format of the state, how a
step H <- A H + B is rounded, and the order of evaluation.  It is one string,

    FORMAT[!sat|!nan|!inf|!wrap][:SEMANTICS[+fma][+factored][+acc=FORMAT]][@ORDER[:C]]

    exact                           rational and algebraic numbers, no rounding
    float32, float32:each           every product and every sum is rounded to float32
    bfloat16, bfloat16:wide+acc=float32
                                    products and sums in float32, one rounding to bfloat16 a step
    bfloat16:once                   exact A H + B, one rounding an entry
    float32:each+fma+factored       one Householder factor at a time, fused multiply-adds
    {-1,0,1}:cast                   the model of the papers: exact until the decoder
    fixed8.4:once@chunk:64          fixed point, chunks of 64 letters

docs/arithmetic.md says what every part means.  A step on the *dense* matrix A, rounded entry by
entry, takes ((A[r,j1] h[j1] + A[r,j2] h[j2]) + ...) + B[r] for row r, over the nonzero entries
j1 < j2 < ...; entries that are zero are skipped; -0 is stored as 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from lrnn_theory.cyclotomic import Exact
from lrnn_theory.formats import FORMATS, Fixed, Float, Format, Number, parse_format

Semantics = Literal["exact", "cast", "once", "wide", "each"]
Order = Literal["sequential", "chunk", "tree"]

DEFAULT_CHUNK = 64

_SYNTAX = re.compile(
    r"(\{[^{}]*\}|[^:@+{}]*)"  # the format, with its overflow
    r"(![a-z]+)?"  # the overflow of a finite set
    r"(?::([a-z]+)((?:\+[^:@+]+)*))?"  # the semantics and its options
    r"(?:@([a-z]+)(?::([0-9]{1,9}))?)?"  # the order
)


@dataclass(frozen=True)
class Arithmetic:
    """A number format with a rounding semantics and an order of evaluation.

    Attributes:
        format: the format of weights and states; None for exact arithmetic.
        semantics: "each" (round every operation), "wide" (operations in `accumulator`, then one
            rounding to `format`), "once" (one rounding of the exact result), "cast" (an exact
            state that the decoder sees through a cast), or "exact".
        accumulator: the format of the operations of "wide".
        fma: whether a product and the sum it goes into are rounded together.
        factored: whether Householder factors are applied one at a time, h - k (beta (k^T h)).
        order: "sequential" (letter after letter), "chunk" (chunks of `chunk` letters, summed up
            as affine maps), or "tree" (aligned blocks of 2^i letters).
        chunk: letters of a chunk; 0 for the other orders.

    Example:
        >>> str(Arithmetic.parse("bfloat16"))
        'bfloat16:wide+acc=float32'
        >>> Arithmetic.parse("float32:each+fma@chunk:16").chunk
        16
    """

    format: Format | None
    semantics: Semantics
    accumulator: Format | None = None
    fma: bool = False
    factored: bool = False
    order: Order = "sequential"
    chunk: int = 0

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
        try:
            return cls._parse(text)
        except ValueError as error:
            raise ValueError(f"Argument 'arithmetic' is {text[:100]!r}: {error}") from None

    @classmethod
    @lru_cache(maxsize=256)
    def _parse(cls, text: str) -> Arithmetic:
        match = _SYNTAX.fullmatch(text)
        if not match:
            raise ValueError(
                "expected 'exact' or FORMAT[!sat|!nan|!inf|!wrap][:SEMANTICS[+fma][+factored]"
                "[+acc=FORMAT]][@ORDER[:C]]."
            )
        name, mark, semantics, options, order, chunk = match.groups()
        if name == "exact":
            raise ValueError("exact arithmetic takes no semantics and no order.")
        form = parse_format(name + (mark or ""))
        wide = isinstance(form, Float) and form.name not in ("float64", "float32")
        default = "wide" if wide else "each" if isinstance(form, Float) else "once"
        semantics = semantics or default
        if semantics not in ("cast", "once", "wide", "each"):
            raise ValueError(f"semantics must be cast, once, wide or each, not {semantics!r}.")
        given = [option for option in (options or "").split("+") if option]
        accumulators = [option[4:] for option in given if option.startswith("acc=")]
        flags = {option for option in given if not option.startswith("acc=")}
        once = len(accumulators) < 2 and len(flags) + len(accumulators) == len(given)
        if flags - {"fma", "factored"} or not once:
            raise ValueError(f"options are +fma, +factored, +acc=FORMAT, each once, not {options}.")
        accumulator = _accumulator(form, semantics, accumulators)
        if "fma" in flags and semantics not in ("wide", "each"):
            raise ValueError(f"'{semantics}' has no operations to fuse.")
        if semantics == "cast" and (flags or order or form.mark):
            raise ValueError("'cast' rounds nothing on the way, saturates, and has no order.")
        if order not in (None, "sequential", "chunk", "tree"):
            raise ValueError(f"the order must be sequential, chunk or tree, not {order!r}.")
        if chunk and order != "chunk":
            raise ValueError("only chunks have a length.")
        if chunk is not None and int(chunk) < 1:
            raise ValueError("a chunk has at least one letter.")
        length = int(chunk or DEFAULT_CHUNK) if order == "chunk" else 0
        if order == "tree" and "factored" in flags:
            raise ValueError("a tree multiplies dense matrices: it has no factored form.")
        return cls(
            form,
            semantics,
            accumulator,
            "fma" in flags,
            "factored" in flags,
            order or "sequential",
            length,
        )

    @property
    def is_exact(self) -> bool:
        """Whether nothing is rounded."""
        return self.format is None

    @property
    def inner(self) -> Format | None:
        """The format of single operations, of "each" and "wide"."""
        return self.format if self.semantics == "each" else self.accumulator

    @property
    def is_native(self) -> bool:
        """Whether float64 operations, each rounded once more, emulate every operation exactly.

        In fixed point the weights must be short, too: see `lrnn_theory.scanning.stored`.

        Doubles have 53 bits: a product of numbers of p and q bits is exact if p + q <= 53, and
        rounding a sum of p-bit floats twice is harmless if 53 >= 2 p + 2.
        """
        form, inner, once = self.format, self.inner or self.format, self.semantics == "once"
        if isinstance(form, Float) and self.semantics != "cast":
            if once:
                return form.precision <= 24 and not self.factored
            return isinstance(inner, Float) and (inner.precision <= 24 or not self.fma)
        if not _is_short(form, 25) or self.semantics == "cast":
            return False
        if once:  # the sum of many products must fit, to be wrapped
            return _is_short(form, 18) and not self.factored
        if isinstance(inner, Float):  # a weight of 24 bits is added to what has fewer
            return inner.precision == 24 or (inner.precision == 53 and not self.fma)
        return _is_short(inner, 26)

    def round(self, x: Exact) -> Exact | Number:
        """A number of a state (of H_0, of a codeword) as this arithmetic stores it."""
        if self.format is None:
            return x
        return self.format.cast(x) if self.semantics == "cast" else self.format.round(x)

    @property
    def keeps_weights(self) -> bool:
        """Whether A and B are exact: fixed point and finite sets are formats of states."""
        return not isinstance(self.format, Float) or self.semantics == "cast"

    def __str__(self) -> str:
        if self.format is None:
            return "exact"
        options = "+fma" * self.fma + "+factored" * self.factored
        if self.accumulator:
            options += f"+acc={self.accumulator.name}"
        order = {"sequential": "", "chunk": f"@chunk:{self.chunk}", "tree": "@tree"}[self.order]
        return f"{self.format.name}{self.format.mark}:{self.semantics}{options}{order}"


def _accumulator(form: Format, semantics: str, names: list[str]) -> Format | None:
    if semantics != "wide":
        if names:
            raise ValueError(f"'{semantics}' takes no accumulator.")
        return None
    if not names:
        if not isinstance(form, Float):
            raise ValueError(f"'wide' needs an accumulator that holds {form.name}: +acc=FORMAT.")
        names = ["float64" if form.name in ("float64", "float32") else "float32"]
    accumulator = parse_format(names[0])
    if accumulator.mark or not accumulator.contains(form):
        raise ValueError(f"the accumulator must hold every number of {form.name}.")
    return accumulator


def _is_short(form: Format | None, width: int) -> bool:
    """Whether a format is fixed point of so many bits, with a point where doubles add exactly."""
    return isinstance(form, Fixed) and form.width <= width and 0 <= form.fraction <= 26


EXACT = Arithmetic(None, "exact")
__all__ = ["EXACT", "FORMATS", "Arithmetic", "Fixed", "Float", "Format", "parse_format"]
