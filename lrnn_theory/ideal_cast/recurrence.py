"""Linear recurrences over the rationals, and the sign that they end with.

A sequence u_0, u_1, ... with sum_k u_k z^(-k-1) = N / D, in lowest terms, is for k >= s, the order
of D at 0, a sum over the nonzero roots λ of D,

    u_k = sum_λ sum_{j < m_λ} b_{λ,j} C(k, j) λ^(k-j),    b_{λ,m_λ-1} != 0.

Everything that must be exact is a polynomial over Q: which roots occur, how often, and the limit.
Only sizes are compared in ball arithmetic, where a comparison is true only if it is certain.
Proofs in docs/ideal-cast.md, sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import comb, lcm
from typing import Any

from flint import acb, acb_poly, arb, arb_poly, ctx, fmpq, fmpq_mat, fmpq_poly, fmpz_poly

PRECISIONS = (128, 256, 512, 1024)
"""Bits of the balls, tried in turn."""
MAX_ORDER = 4096
"""Largest order of a root of unity λ / |λ| that is looked for."""
MAX_BITS = 4096
"""Bounds beyond 2^MAX_BITS are not looked for."""

NO_LEAD = (
    "a complex pair of eigenvalues, no root of unity times a real, decides the rounding "
    "((3+4i)/5 with D = {-1,0,1} gives a word that is not eventually periodic)"
)
BLURRED = f"{PRECISIONS[-1]} bits do not show which eigenvalues decide the rounding"


class UndecidedError(Exception):
    """The question is beyond the method; the message says why."""


@dataclass(frozen=True, eq=False)
class Mode:
    """What one root adds: sum_j weights[j] C(k, j) root^(k-j).

    Attributes:
        root: a root that is not 0: exact if it is rational, a real ball if it is real.
        weights: as exact as the root; the last one is not 0.
        factor: the irreducible polynomial of the root.
    """

    root: fmpq | arb | acb
    weights: tuple[Any, ...]
    factor: fmpz_poly

    @property
    def size(self) -> arb:
        """The modulus of the root."""
        return abs(self.root) if isinstance(self.root, (arb, acb)) else arb(abs(self.root))

    @property
    def is_positive(self) -> bool:
        """Whether the root is certainly a positive real number."""
        return not isinstance(self.root, acb) and bool(self.root > 0)


@dataclass(frozen=True, eq=False)
class Recurrence:
    """The sequence with sum_k u_k z^(-k-1) = numerator / denominator.

    Attributes:
        numerator: of lower degree than the denominator.
        denominator: monic, without common factor; u satisfies no recurrence of lower degree.

    Example:
        >>> fibonacci = Recurrence.of_terms([fmpq(0), fmpq(1)], fmpq_poly([-1, -1, 1]))
        >>> fibonacci.at(100)
        354224848179261915075
    """

    numerator: fmpq_poly
    denominator: fmpq_poly

    @classmethod
    def reduced(cls, numerator: fmpq_poly, denominator: fmpq_poly) -> Recurrence:
        """The sequence of any fraction with a monic denominator."""
        common = numerator.gcd(denominator)
        return cls(numerator // common, denominator // common)

    @classmethod
    def of_terms(cls, terms: Sequence[fmpq], annihilator: fmpq_poly) -> Recurrence:
        """The sequence that starts with `terms` and obeys a monic `annihilator` of their number."""
        product = annihilator * fmpq_poly(list(reversed(terms)))
        return cls.reduced(product.right_shift(len(terms)), annihilator)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The same for equal sequences only."""
        return (*map(str, self.numerator.coeffs()), "/", *map(str, self.denominator.coeffs()))

    @property
    def degree(self) -> int:
        """The order of the recurrence."""
        return self.denominator.degree()

    @cached_property
    def start(self) -> int:
        """The order of the denominator at 0: from this index on, the modes are the sequence."""
        return next(i for i, c in enumerate(self.denominator.coeffs()) if c != 0)

    @cached_property
    def constant(self) -> Fraction:
        """The weight of 1^k, exactly; the limit, if there is one."""
        multiplicity, rest = 0, self.denominator
        while rest(1) == 0:
            multiplicity, rest = multiplicity + 1, rest // fmpq_poly([-1, 1])
        if not multiplicity:
            return Fraction(0)
        return fraction(_weights(self, fmpq(1), multiplicity)[0])

    def terms(self, count: int) -> list[fmpq]:
        """u_0, ..., u_{count - 1}, exactly."""
        d, n, c = self.degree, self.numerator, self.denominator
        out: list[fmpq] = []
        for k in range(count):
            past = (c[i] * out[k - d + i] for i in range(max(d - k, 0), d))
            out.append((n[d - 1 - k] if k < d else fmpq(0)) - sum(past, fmpq(0)))
        return out

    def _companion(self) -> fmpq_mat:
        d = self.degree
        shift = [[fmpq(j == i + 1) for j in range(d)] for i in range(d - 1)]
        return fmpq_mat([*shift, [-self.denominator[j] for j in range(d)]])

    def at(self, k: int) -> fmpq:
        """u_k, exactly."""
        if not self.degree:
            return fmpq(0)
        start = fmpq_mat(self.degree, 1, self.terms(self.degree))
        return (self._companion() ** k * start)[0, 0]

    def minus(self, x: Fraction) -> Recurrence:
        """The sequence u_k - x."""
        line = fmpq_poly([-1, 1])
        numerator = self.numerator * line - self.denominator * fmpq(x.numerator, x.denominator)
        return Recurrence.reduced(numerator, self.denominator * line)

    def every(self, p: int) -> list[Recurrence]:
        """The sequences u_r, u_{r+p}, u_{r+2p}, ... for r = 0, ..., p - 1."""
        d = self.degree
        if p == 1 or not d:
            return [self] * p
        annihilator, terms = (self._companion() ** p).charpoly(), self.terms(p * d)
        return [Recurrence.of_terms(terms[r::p], annihilator) for r in range(p)]

    def modes(self) -> list[Mode]:
        """The modes, in balls of the current precision."""
        out = []
        for factor, multiplicity in self.denominator.numer().factor()[1]:
            if factor == fmpz_poly([0, 1]):
                continue
            if factor.degree() == 1:
                roots: list[Any] = [fmpq(-factor[0], factor[1])]
            else:
                found: Any = factor.complex_roots()
                roots = [ball.real if ball.imag.is_zero() else ball for ball, _ in found]
            out += [Mode(root, _weights(self, root, multiplicity), factor) for root in roots]
        return out

    def turns(self) -> int:
        """A p >= 1 for which λ^p > 0 for every root λ != 0 whose order is at most MAX_ORDER.

        It is found numerically.  Nothing rests on it: another p would only decide less.
        """
        p = 1
        with ctx.workprec(PRECISIONS[0]):
            for mode in self.modes():
                if isinstance(mode.root, acb):
                    turn = mode.root.arg() / (2 * arb.pi())
                    guess = dyadic(turn.mid()).limit_denominator(MAX_ORDER)
                    near = turn.contains(arb(fmpq(guess.numerator, guess.denominator)))
                    p = lcm(p, guess.denominator if near else 1)
                elif not mode.root > 0:
                    p = lcm(p, 2)
        return p


def fraction(x: fmpq) -> Fraction:
    """As a Fraction."""
    return Fraction(int(x.p), int(x.q))


def dyadic(x: arb) -> Fraction:
    """The number that an exact ball is."""
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _weights(u: Recurrence, root: Any, m: int) -> tuple[Any, ...]:
    """N / D = sum_i a_i t^(i-m) + ... at z = root + t; C(k, j) root^(k-j) has weight a_{m-1-j}."""
    n, d = _taylor(u.numerator, root, m), _taylor(u.denominator, root, 2 * m)[m:]
    a: list[Any] = []
    for i in range(m):
        a.append((n[i] - sum(a[j] * d[i - j] for j in range(i))) / d[0])
    return tuple(reversed(a))


def _taylor(poly: fmpq_poly, root: Any, count: int) -> list[Any]:
    ring = {fmpq: fmpq_poly, arb: arb_poly, acb: acb_poly}[type(root)]
    shifted = ring(poly)(ring([root, 1]))
    return [shifted[i] for i in range(count)]


# -------------------------------------------------------------------- the sign in the end


def eventual_sign(u: Recurrence) -> tuple[int, int]:
    """The sign (-1, 0 or 1) of u_k for all k >= K, and such a K.

    Raises:
        UndecidedError: if no single positive root dominates.

    Example:
        >>> eventual_sign(Recurrence.of_terms([fmpq(0), fmpq(1)], fmpq_poly([-1, -1, 1])))
        (1, 1)
    """
    if u.degree == u.start:
        return 0, u.start
    for bits in PRECISIONS:
        with ctx.workprec(bits):
            found = _dominant(u.modes(), u.start)
        if found is not None:
            return found
    raise UndecidedError(BLURRED)


@dataclass(frozen=True, eq=False)
class _Share:
    """|b C(k, degree) λ^(k-degree)| relative to the leading term: weight C(k, degree) exp(k log).

    Attributes:
        log: of |λ| over the leading root; None if they are equal.
    """

    weight: arb
    degree: int
    log: arb | None

    def at(self, k: int) -> arb:
        size = self.weight * comb(k, self.degree)
        return size if self.log is None else size * (self.log * k).exp()


def _dominant(modes: list[Mode], start: int) -> tuple[int, int] | None:
    """`eventual_sign`, or None if the balls are too wide."""
    positive = [mode for mode in modes if mode.is_positive]
    if not positive:
        raise UndecidedError(NO_LEAD)
    lead = max(positive, key=lambda mode: dyadic(mode.size.mid()))
    top, weight = len(lead.weights) - 1, arb(lead.weights[-1])
    if weight.contains(0):
        return None
    scale = lead.size**top / abs(weight)
    shares: list[_Share] = []
    for mode in modes:
        log = None
        if mode is not lead:
            if mode.size > lead.size:
                raise UndecidedError(NO_LEAD)
            if mode.size < lead.size:
                log = (mode.size / lead.size).log()
            elif not same_modulus(mode, lead, modes):
                return None
        for j, b in enumerate(mode.weights[: top if mode is lead else None]):
            shares.append(_Share(abs(acb(b)) * scale / mode.size**j, j, log))
    level = sum((s.weight for s in shares if s.log is None and s.degree == top), arb(0))
    if level > 1 or any(s.log is None and s.degree > top for s in shares):
        raise UndecidedError(NO_LEAD)
    bound = _falls_below_one(shares, top, start)
    return None if bound is None else (1 if weight > 0 else -1, bound)


def _falls_below_one(shares: list[_Share], top: int, start: int) -> int | None:
    """A K with sum of shares < C(k, top) for all k >= K; None if the balls are too wide.

    From `first` on every share over C(k, top) falls, so the sum is tested at K alone, which is at
    least `top`, since C(k, top) = 0 before.
    """
    first = start
    for s in shares:
        if s.log is not None and s.degree > top:
            steps = ((s.degree - top) / ((-s.log).exp() - 1)).ceil().upper()
            if not steps < 2**MAX_BITS:
                return None
            first = max(first, int(dyadic(steps)) + s.degree)

    def below(k: int) -> bool:
        return bool(sum((s.at(k) for s in shares), arb(0)) < comb(k, top))

    low, high = first - 1, first
    while not below(high):
        low, high = high, 2 * high + 1
        if high.bit_length() > MAX_BITS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if below(middle) else (middle, high)
    return high


def same_modulus(mode: Mode, lead: Mode, modes: list[Mode]) -> bool:
    """Whether |λ| is certainly the leading root μ, which must be rational.

    It is if and only if x -> μ²/x permutes the roots of the factor of λ and takes λ to its
    conjugate.  Roots of one factor lie in disjoint balls: the ball of μ²/λ shows which it is.
    """
    if not isinstance(lead.root, fmpq) or not isinstance(mode.root, acb):
        return False
    c = mode.factor.coeffs()
    mirrored = [x * lead.root ** (2 * i) for i, x in enumerate(c)][::-1]
    if fmpq_poly(mirrored) * c[-1] != fmpq_poly(c) * mirrored[-1]:
        return False
    image = acb(lead.root**2) / mode.root
    siblings = [acb(other.root) for other in modes if other.factor == mode.factor]
    met = [[x.overlaps(ball) for x in siblings] for ball in (image, mode.root.conjugate())]
    return met[0] == met[1] and sum(met[0]) == 1
