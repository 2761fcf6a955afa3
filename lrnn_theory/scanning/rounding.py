"""Rounding of torch tensors to a format, correctly and once, on any device.

Single operations on numbers of at most 24 bits are exact enough in float64 that one more rounding
gives the right result.  Where they are not (a fused multiply-add, an exact dot product), the exact
result is first rounded to odd in float64, after which rounding to at most 50 bits is right too
(Boldo and Melquiond, IEEE Trans. Computers 57(4), 2008).
"""

from __future__ import annotations

import torch

from lrnn_theory.formats import Fixed, Float, Format

Tensor = torch.Tensor

NATIVE = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def round_to(x: Tensor, form: Format) -> Tensor:
    """Round float32 or float64 values to a format, ties to even, once; the dtype is kept."""
    if isinstance(form, Fixed):
        return _round_fixed(x, form)
    assert isinstance(form, Float)
    native = NATIVE.get(form.name)
    if form.name == "float64" or native == x.dtype:
        out = x
    elif native is not None and (x.dtype == torch.float32 or native == torch.float32):
        # A cast from float64 to a 16-bit format would round twice, through float32.
        out = x.to(native).to(x.dtype)
    else:
        wide = x.double()
        exponent = torch.frexp(wide).exponent.long()
        quantum = (exponent - form.precision).clamp(min=form.quantum)
        scale = ((quantum + 1023) << 52).view(torch.float64)  # 2^quantum, exactly
        wide = torch.round(wide / scale) * scale
        big = wide.abs() > form.max_value
        out = torch.where(big, torch.copysign(torch.full_like(wide, torch.inf), wide), wide)
        out = out.to(x.dtype)
    if form.overflow == "inf":
        return out
    infinite = torch.isinf(out)
    limit = torch.full_like(out, form.max_value if form.overflow == "sat" else torch.nan)
    return torch.where(infinite, torch.copysign(limit, out), out)


def _round_fixed(x: Tensor, form: Fixed) -> Tensor:
    half = 2.0 ** (form.width - 1)
    steps = torch.round(x.double() * 2.0**form.fraction)
    if form.overflow == "wrap":
        steps = torch.nan_to_num(steps, 0.0, 0.0, 0.0)
        steps = steps - 2 * half * torch.floor((steps + half) / (2 * half))
    else:
        steps = torch.nan_to_num(steps, 0.0).clamp(-half, half - 1)
    return (steps * 2.0**-form.fraction).to(x.dtype)


def two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The rounded sum and its error: s + e = a + b exactly, unless s is not finite."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def odd_sum(a: Tensor, b: Tensor) -> Tensor:
    """The sum a + b in float64, rounded to odd: where inexact, the neighbour with an odd end."""
    s, e = two_sum(a, b)
    bits = s.view(torch.int64)
    inexact = (e != 0) & torch.isfinite(s) & (bits & 1 == 0)
    toward = torch.where((e > 0) == (s > 0), 1, -1)
    return torch.where(inexact, bits + toward, bits).view(torch.float64)


def odd_total(terms: list[Tensor]) -> Tensor:
    """The exact sum of float64 terms rounded to odd; inf and nan as plain addition gives them.

    The partial sums are kept as nonadjacent expansions (Shewchuk, Discrete Comput. Geom. 18, 1997,
    theorem 10), so that adding the parts up from the smallest, rounding to odd, loses nothing.
    """
    plain = terms[0]
    for term in terms[1:]:
        plain = plain + term
    expansion = [terms[0]]
    for term in terms[1:]:
        carry, parts = term, []
        for part in expansion:
            carry, error = two_sum(carry, part)
            parts.append(error)
        expansion = [*parts, carry]
    total = expansion[0]
    for part in expansion[1:]:
        total = odd_sum(total, part)
    return torch.where(torch.isfinite(plain), total, plain)
