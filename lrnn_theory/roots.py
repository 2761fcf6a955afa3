"""Square roots of real cyclotomic numbers, where they are cyclotomic again."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import lcm, pi, prod, sin

from flint import fmpz

from lrnn_theory.cyclotomic import Cyclotomic, Exact, cos_turn, simplify, sin_turn, zeta

MAX_SQUARE_FREE = 250
"""Largest square-free m whose square root is taken: it lies in the field of ζ_m or ζ_4m."""


def square_root(x: Exact) -> Exact | None:
    """The square root of a real number that is not negative, if found among cyclotomic ones.

    Found are the roots of rationals (Gauss sums), of rationals times 2 - 2 cos(2πa/N) =
    (2 sin(πa/N))^2 for x in Q(ζ_N), and of elements of quadratic fields with a square norm, all
    with small numbers.  None says nothing: the root may still be cyclotomic.

    Raises:
        ValueError: if the number is negative.

    Example:
        >>> float(square_root(Fraction(1, 2))), square_root(Fraction(9, 4))
        (0.7071067811865476, Fraction(3, 2))
        >>> square_root(1 + cos_turn(1, 8)) == 2 * cos_turn(1, 16) * square_root(Fraction(1, 2))
        True
    """
    if x < 0:
        raise ValueError(f"Argument 'x' must not be negative, and is {x}.")
    x = x.in_smallest_field() if isinstance(x, Cyclotomic) else x
    if not isinstance(x, Cyclotomic):
        return _rational_root(Fraction(x))
    return _sine_root(x) or _quadratic_root(x)


def _sine_root(x: Cyclotomic) -> Exact | None:
    size, order = float(x), lcm(x.order, 2)
    for a in range(1, order // 2 + 1):
        quotient = size / (2 * sin(pi * a / order)) ** 2
        ratio = Fraction(quotient).limit_denominator(10_000)
        if abs(float(ratio) / quotient - 1) < 1e-11 and (2 - 2 * cos_turn(a, order)) * ratio == x:
            root = _rational_root(ratio)
            return root and (root * (2 * sin_turn(a, 2 * order))).in_smallest_field()
    return None


def _quadratic_root(x: Cyclotomic) -> Exact | None:
    """sqrt(u + sqrt v) = sqrt((u + t) / 2) + sqrt((u - t) / 2) with t = sqrt(u^2 - v)."""
    u = x.mean
    v = ((x - u) * (x - u)).rational
    t = _rational_root(u * u - v) if v is not None and u * u >= v else None
    if t is None or isinstance(t, Cyclotomic):
        return None
    large, small = _rational_root((u + t) / 2), _rational_root((u - t) / 2)
    if large is None or small is None:
        return None
    return next((y for y in (large + small, large - small) if y * y == x), None)


def _rational_root(x: Fraction) -> Exact | None:
    """The square root of a rational x >= 0: those of the primes in it are Gauss sums."""
    factors = fmpz(x.numerator * x.denominator).factor() if x else []
    rest = [int(p) for p, exponent in factors if exponent % 2]
    if prod(rest) > MAX_SQUARE_FREE:
        return None
    whole = prod(int(p) ** (exponent // 2) for p, exponent in factors)
    root = prod(map(_prime_root, rest), start=Fraction(whole, x.denominator))
    return simplify(root) if x else 0


@lru_cache(maxsize=256)
def _prime_root(p: int) -> Cyclotomic:
    if p == 2:
        return zeta(8) + zeta(8, 7)
    squares = {a * a % p for a in range(1, p)}
    gauss = Cyclotomic(p, [0] + [1 if a in squares else -1 for a in range(1, p)])
    return gauss if p % 4 == 1 else gauss * zeta(4, 3)  # i sqrt(p) where p = 3 mod 4
