"""Rounding inside Triton kernels: the operations of `lrnn_theory.compiled.engine`, for lanes.

A rule is the tuple `lrnn_theory.scanning.rules.Rule`.  Kernels that use these functions must be
launched with `enable_fp_fusion=False`.
"""

from __future__ import annotations

import triton
import triton.language as tl

_KEEP = tl.constexpr(0)
_FLOAT = tl.constexpr(2)
_WRAP = tl.constexpr(4)
_EXPONENT = tl.constexpr(0x7FF0000000000000)
_INFINITY = tl.constexpr(float("inf"))


@triton.jit
def _rint(x):
    """The nearest integer, ties to even."""
    size = tl.abs(x)
    whole = (size + 4503599627370496.0) - 4503599627370496.0
    return tl.where(size < 4503599627370496.0, tl.where(x < 0, -whole, whole), x)


@triton.jit
def wrapped(x, RULE: tl.constexpr):
    """The exact remainder of x, at most half the range in size; that of an infinity is 0."""
    LIMIT: tl.constexpr = RULE[1]
    rest = x - LIMIT * _rint(x / LIMIT)
    return tl.where(tl.abs(x) < LIMIT * 9007199254740992.0, rest, 0.0)


@triton.jit
def round_double(x, RULE: tl.constexpr):
    """A double rounded once to a format; the zero that it may become has no sign."""
    KIND: tl.constexpr = RULE[0]
    LIMIT: tl.constexpr = RULE[1]
    BEYOND: tl.constexpr = RULE[2]
    UNIT: tl.constexpr = RULE[3]
    SCALE: tl.constexpr = RULE[4]
    LOW: tl.constexpr = RULE[5]
    HIGH: tl.constexpr = RULE[6]
    if KIND == _KEEP:
        out = x
    elif KIND <= _FLOAT:
        out = x
        if KIND == _FLOAT:
            bits = x.to(tl.int64, bitcast=True) & _EXPONENT
            push = tl.maximum(bits.to(tl.float64, bitcast=True), UNIT) * SCALE
            out = (x + push) - push
        beyond = tl.where(x < 0, -BEYOND, BEYOND).to(tl.float64)
        out = tl.where(tl.abs(x) < LIMIT, out, tl.where(x == x, beyond, x))
    elif KIND == _WRAP:
        y = _rint(wrapped(x, RULE) * SCALE) * UNIT
        out = tl.where(x == x, tl.where(y <= HIGH, y + 0.0, LOW), 0.0)
    else:
        y = _rint(x * SCALE) * UNIT
        y = tl.where(y < LOW, LOW, tl.where(y > HIGH, HIGH, y)) + 0.0
        out = tl.where(x == x, y, 0.0)
    return out


@triton.jit
def two_sum(x, y):
    """The rounded sum and its error."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


@triton.jit
def to_odd(total, rest):
    """The exact sum rounded to odd, so that it may be rounded again; |rest| < 1 ulp of total."""
    bits = total.to(tl.int64, bitcast=True)
    away = tl.where((rest > 0) == (total > 0), 1, -1)
    moves = (rest != 0) & (rest == rest) & ((bits & 1) == 0) & (tl.abs(total) < _INFINITY)
    return tl.where(moves, bits + away, bits).to(tl.float64, bitcast=True)
