"""Exact real and complex numbers of cyclotomic fields Q(ζ_N), ζ_N = exp(2πi/N).

They hold every weight that the constructions need and a float cannot: cosines and sines of
rational turns, and square roots of integers (every quadratic field lies in a cyclotomic one, by
Kronecker and Weber).  An element is a polynomial in ζ_N with rational coefficients, reduced modulo
the N-th cyclotomic polynomial, so equality is equality of coefficients.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm

from flint import fmpq, fmpq_poly

MAX_ORDER = 100_000
"""Largest accepted N; an element of Q(ζ_N) takes up to N rationals."""


class Cyclotomic:
    """An element of Q(ζ_N).

    Args:
        order: N >= 1.
        coefficients: rationals; entry i multiplies ζ_N^i (any number of them; they are reduced).

    Raises:
        ValueError: if `order` is not between 1 and `MAX_ORDER`.

    Example:
        >>> root2 = zeta(8) + zeta(8, -1)
        >>> root2 * root2 == 2
        True
        >>> float(root2)
        1.4142135623730951
    """

    __slots__ = ("_real", "coefficients", "order")

    def __init__(self, order: int, coefficients: Iterable[Fraction | int]) -> None:
        if not 1 <= order <= MAX_ORDER:
            raise ValueError(f"Argument 'order' must be in 1..{MAX_ORDER}, not {order}.")
        self.order = order
        exact = [c if type(c) is Fraction else Fraction(c) for c in coefficients]
        self.coefficients = _reduce(order, exact)
        self._real: bool | None = None  # not yet known

    # ---------------------------------------------------------------- field operations

    def lift(self, order: int) -> Cyclotomic:
        """The same number written in Q(ζ_order), where `order` is a multiple of this order."""
        if order == self.order:
            return self
        stride = order // self.order
        spread = [Fraction(0)] * (stride * len(self.coefficients))
        spread[::stride] = self.coefficients
        return Cyclotomic(order, spread)

    def _pair(self, other: object) -> tuple[Cyclotomic, Cyclotomic] | None:
        if isinstance(other, (int, Fraction)):
            return self, Cyclotomic(self.order, [other])
        if not isinstance(other, Cyclotomic):
            return None
        order = lcm(self.order, other.order)
        return self.lift(order), other.lift(order)

    def __add__(self, other: object) -> Cyclotomic:
        pair = self._pair(other)
        if pair is None:
            return NotImplemented
        x, y = pair
        return Cyclotomic(x.order, map(sum, zip(x.coefficients, y.coefficients, strict=True)))

    def __neg__(self) -> Cyclotomic:
        return Cyclotomic(self.order, [-c for c in self.coefficients])

    def __sub__(self, other: object) -> Cyclotomic:
        pair = self._pair(other)
        return NotImplemented if pair is None else pair[0] + -pair[1]

    def __rsub__(self, other: object) -> Cyclotomic:
        return -self + other

    def __mul__(self, other: object) -> Cyclotomic:
        if isinstance(other, (int, Fraction)):
            return Cyclotomic(self.order, [other * c for c in self.coefficients])
        pair = self._pair(other)
        if pair is None:
            return NotImplemented
        x, y = pair
        product = [Fraction(0)] * (2 * len(x.coefficients))
        for i, a in enumerate(x.coefficients):
            if a:
                for j, b in enumerate(y.coefficients):
                    if b:
                        product[i + j] += a * b
        return Cyclotomic(x.order, product)

    def inverse(self) -> Cyclotomic:
        """The reciprocal.

        Raises:
            ZeroDivisionError: if the number is 0.

        Example:
            >>> (1 + zeta(8)).inverse() * (1 + zeta(8)) == 1
            True
        """
        if not self:
            raise ZeroDivisionError("0 has no inverse")
        own = fmpq_poly([fmpq(c.numerator, c.denominator) for c in self.coefficients])
        _, factor, _ = own.xgcd(fmpq_poly(list(cyclotomic_polynomial(self.order))))
        return Cyclotomic(self.order, [Fraction(int(c.p), int(c.q)) for c in factor.coeffs()])

    def __truediv__(self, other: object) -> Cyclotomic:
        pair = self._pair(other)
        return NotImplemented if pair is None else pair[0] * pair[1].inverse()

    def __rtruediv__(self, other: object) -> Cyclotomic:
        return self.inverse() * other

    __radd__ = __add__
    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        pair = self._pair(other)
        return NotImplemented if pair is None else pair[0].coefficients == pair[1].coefficients

    def __bool__(self) -> bool:
        return any(self.coefficients)

    def __hash__(self) -> int:
        return hash(self.mean)  # equal numbers of different orders must agree

    @property
    def mean(self) -> Fraction:
        """The mean of the conjugates: the trace to Q divided by the degree."""
        n = self.order
        terms = (c * _normalised_trace(n, i) for i, c in enumerate(self.coefficients) if c)
        return sum(terms, start=Fraction(0))

    # ---------------------------------------------------------------- real numbers

    def conjugate(self) -> Cyclotomic:
        """The complex conjugate."""
        n = self.order
        flipped = [Fraction(0)] * n
        for i, c in enumerate(self.coefficients):
            flipped[-i % n] += c
        return Cyclotomic(n, flipped)

    def in_smallest_field(self) -> Exact:
        """The same number written with the least order N; an int or Fraction if it is rational.

        For a prime p whose square divides N, Q(ζ_(N/p)) has the powers ζ_N^i with p | i as a basis;
        for another one it has the numbers that the relative trace multiplies by p - 1.

        Example:
            >>> (zeta(60, 12) * 2).in_smallest_field()
            2 z5^1
        """
        x = self
        for p in (p for p in range(2, self.order + 1) if self.order % p == 0):
            while x.order % p == 0 and (smaller := x._without(p)) is not None:
                x = smaller
        return simplify(x)

    def _without(self, p: int) -> Cyclotomic | None:
        """The number in Q(ζ_(N/p)), for a divisor p of N; None if it is not there or p no prime."""
        m = self.order // p
        if m % p == 0:
            if any(c for i, c in enumerate(self.coefficients) if i % p):
                return None
            return Cyclotomic(m, self.coefficients[::p])
        if any(p % d == 0 for d in range(2, p)):
            return None
        inverse = pow(p, -1, m) if m > 1 else 0
        trace = [Fraction(0)] * m
        for i, c in enumerate(self.coefficients):  # ζ_N^i = ζ_m^(i / p) times a power of ζ_p
            trace[i * inverse % m] += c if i % p == 0 else -c / (p - 1)
        smaller = Cyclotomic(m, trace)
        return smaller if smaller == self else None

    @property
    def is_real(self) -> bool:
        """Whether the number is real."""
        if self._real is None:
            self._real = self == self.conjugate()
        return self._real

    @property
    def rational(self) -> Fraction | None:
        """The value as a Fraction, or None if it is irrational."""
        return None if any(self.coefficients[1:]) else self.coefficients[0]

    def approximate(self, bits: int) -> Fraction:
        """A rational within 2^-bits of a real element.

        Raises:
            ValueError: if the number is not real.
        """
        if not self.is_real:
            raise ValueError(f"Expected a real number, not {self}.")
        scale = sum(abs(c.numerator) // c.denominator + 1 for c in self.coefficients)
        work = bits + scale.bit_length() + 16
        work += -work % 64  # few precisions, so that cosines are shared
        total = sum(
            c.numerator * _cosine(i, self.order, work) // c.denominator
            for i, c in enumerate(self.coefficients)
            if c
        )
        return Fraction(total, 1 << work)

    def sign(self) -> int:
        """-1, 0 or 1, exactly, for a real element."""
        if not self:
            return 0
        bits = 64
        while abs(value := self.approximate(bits)) <= Fraction(1, 2**bits):
            bits *= 2
        return 1 if value > 0 else -1

    def __float__(self) -> float:
        return float(self.approximate(128))

    def __lt__(self, other: object) -> bool:
        return (self - other).sign() < 0

    def __gt__(self, other: object) -> bool:
        return (self - other).sign() > 0

    def __le__(self, other: object) -> bool:
        return (self - other).sign() <= 0

    def __ge__(self, other: object) -> bool:
        return (self - other).sign() >= 0

    def __abs__(self) -> Cyclotomic:
        return -self if self.sign() < 0 else self

    # ---------------------------------------------------------------- text

    def __str__(self) -> str:
        terms = [
            f"{c}" if i == 0 else f"{c} z{self.order}^{i}"
            for i, c in enumerate(self.coefficients)
            if c
        ]
        return " + ".join(terms) or "0"

    __repr__ = __str__


Exact = int | Fraction | Cyclotomic
"""Types of exact weights."""


def zeta(order: int, power: int = 1) -> Cyclotomic:
    """ζ_order^power."""
    coefficients = [0] * order
    coefficients[power % order] = 1
    return Cyclotomic(order, coefficients)


def cos_turn(p: int, q: int) -> Cyclotomic:
    """cos(2π p/q), exactly."""
    coefficients = [Fraction(0)] * q
    coefficients[p % q] += Fraction(1, 2)
    coefficients[-p % q] += Fraction(1, 2)
    cosine = Cyclotomic(q, coefficients)
    cosine._real = True
    return cosine


def sin_turn(p: int, q: int) -> Cyclotomic:
    """sin(2π p/q) = cos(2π (p/q - 1/4)), exactly."""
    return cos_turn(4 * p - q, 4 * q)


def simplify(x: Exact) -> Exact:
    """An int if `x` is an integer, a Fraction if it is rational, else `x` itself."""
    value = x.rational if isinstance(x, Cyclotomic) else x
    if value is None:
        return x
    return value.numerator if Fraction(value).denominator == 1 else value


def short_text(x: Exact) -> str:
    """An exact number for people: short rationals whole, others to four digits after a `~`.

    Example:
        >>> short_text(Fraction(1, 2)), short_text(-3), short_text(cos_turn(1, 7))
        ('1/2', '-3', '~0.6235')
    """
    x = simplify(x)
    text = "" if isinstance(x, Cyclotomic) else str(x)
    return text if 0 < len(text) <= 12 else f"~{float(x):.4g}"


_TERM = re.compile(r"(-?\d+(?:/\d+)?)(?: z(\d+)\^(\d+))?\Z", re.ASCII)


def parse_exact(text: str) -> Exact:
    """Read what `str` writes for an int, a Fraction or a Cyclotomic.

    Raises:
        ValueError: if `text` is anything else.

    Example:
        >>> parse_exact("1/2 z7^1 + 1/2 z7^6") == cos_turn(1, 7)
        True
    """
    total: Exact = 0
    for term in text.split(" + "):
        match = _TERM.match(term)
        if not match or len(term) > 1000:
            raise ValueError(
                f"Expected an exact number such as '3', '-1/2' or '1/2 z8^1', not {text[:80]!r}."
            )
        rational, order, power = match.groups()
        if rational.partition("/")[2].strip("0") == "" and "/" in rational:
            raise ValueError(f"Division by zero in {text[:80]!r}.")
        value = Fraction(rational)
        if order is None:
            total = total + value
            continue
        if not 1 <= int(order) <= MAX_ORDER or int(power) >= int(order):
            raise ValueError(f"Root of unity out of range in {text[:80]!r}.")
        total = total + zeta(int(order), int(power)) * value
    return simplify(total)


# -------------------------------------------------------------------- polynomials


@lru_cache(maxsize=256)
def cyclotomic_polynomial(n: int) -> tuple[int, ...]:
    """Coefficients of Φ_n, constant term first."""
    poly = [-1] + [0] * (n - 1) + [1]
    for d in range(1, n):
        if n % d == 0:
            poly = _divide(poly, cyclotomic_polynomial(d))
    return tuple(poly)


def _divide(numerator: list[int], monic: tuple[int, ...]) -> list[int]:
    rest, degree = list(numerator), len(monic) - 1
    quotient = [0] * (len(rest) - degree)
    for i in range(len(quotient) - 1, -1, -1):
        quotient[i] = lead = rest[i + degree]
        if lead:
            for j, c in enumerate(monic):
                rest[i + j] -= lead * c
    return quotient


def _reduce(n: int, coefficients: list[Fraction]) -> tuple[Fraction, ...]:
    folded = coefficients[:n] + [Fraction(0)] * (n - len(coefficients))
    for i in range(n, len(coefficients)):
        folded[i % n] += coefficients[i]
    phi = cyclotomic_polynomial(n)
    degree = len(phi) - 1
    sparse = [(j - degree, c) for j, c in enumerate(phi[:-1]) if c]
    for i in range(n - 1, degree - 1, -1):
        lead = folded[i]
        if lead:
            for offset, c in sparse:
                folded[i + offset] -= lead * c
    return tuple(folded[:degree])


@lru_cache(maxsize=65536)
def _cosine(i: int, n: int, bits: int) -> int:
    """2^bits cos(2πi/n), within 1."""
    import mpmath

    with mpmath.workprec(bits + 8):
        return int(mpmath.nint(mpmath.ldexp(mpmath.cospi(mpmath.mpf(2 * i) / n), bits)))


@lru_cache(maxsize=65536)
def _normalised_trace(n: int, power: int) -> Fraction:
    """Trace of ζ_n^power to Q divided by the degree: μ(m)/φ(m) with m the order of the power."""
    m = n // gcd(n, power)
    phi = cyclotomic_polynomial(m)
    # The trace is minus the second coefficient of the minimal polynomial.
    return Fraction(-phi[-2], len(phi) - 1)
