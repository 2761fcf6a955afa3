"""Exact certificates about eigenvalues: each is a small value that proves its claim again.

A real matrix has only real eigenvalues if and only if tr q(A)^2 >= 0 for all real polynomials q,
and only nonnegative ones if and only if tr A q(A)^2 >= 0 (Hermite; docs/impossibility.md, section
2).  So one q with a negative trace refutes either, and points between which the minimal polynomial
changes its sign, or an LDL^T factorisation, prove it.  Nothing rests on a floating-point
eigenvalue: a Jordan block in another basis of integers has eigenvalues 1 that LAPACK gives
imaginary parts of 0.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
from flint import acb, arb, ctx, fmpq, fmpq_mat, fmpq_poly
from numpy.typing import ArrayLike

from lrnn_theory.cyclotomic import Cyclotomic
from lrnn_theory.eventual import multiply, square_matrix, to_fmpq
from lrnn_theory.impossibility.definite import LDL, is_symmetric, negative_vector, psd
from lrnn_theory.transition import Array

BITS = (64, 128, 256, 512, 1024, 2048, 4096)
"""Bits of balls, tried in turn; only the search for a certificate needs them."""
MAX_PRODUCTS = 100_000
"""Most products of matrices that are looked at."""


@dataclass(frozen=True)
class RealSpectrum:
    """All eigenvalues are real; `nonnegative` says that none is negative.

    Attributes:
        nonnegative: whether none is negative.
        points: rational matrices: numbers between which the square-free part of the minimal
            polynomial, without its root 0, changes its sign, one more than it has roots.
        form: an LDL^T factorisation: of the matrix, if it is symmetric; of Hermite's form, if it
            is not and has irrational entries.
    """

    nonnegative: bool
    points: tuple[Fraction, ...] = ()
    form: LDL | None = field(default=None, repr=False)

    def check(self, A: ArrayLike) -> bool:
        """Whether it proves the claim for this matrix, computed again."""
        a = square_matrix(A)
        if self.form is not None:
            symmetric = self.nonnegative and is_symmetric(a)
            return self.form.check(a if symmetric else _hermite(a, self.nonnegative))
        if is_symmetric(a) and not self.nonnegative:
            return True
        if _is_irrational(a):
            return False
        poly = _square_free(a)
        if self.nonnegative and self.points and self.points[0] < 0:
            return False
        values = [poly(to_fmpq(x)) for x in self.points]
        rising = all(x < y for x, y in pairwise(self.points))
        changes = sum(bool(x * y < 0) for x, y in pairwise(values))
        return rising and changes == poly.degree()


@dataclass(frozen=True)
class OutsideSpectrum:
    """Some eigenvalue is not real, or (`nonnegative`) not real and nonnegative.

    Attributes:
        nonnegative: which of the two is refuted.
        q: coefficients of a polynomial, constant term first, with tr q(A)^2 < 0 or tr A q(A)^2 < 0.
    """

    nonnegative: bool
    q: tuple[Any, ...]

    def check(self, A: ArrayLike) -> bool:
        """Whether it proves the claim for this matrix, computed again."""
        a = square_matrix(A).astype(object)
        if _is_irrational(a) or any(isinstance(c, Cyclotomic) for c in self.q):
            value = _horner(self.q, a, np.eye(len(a), dtype=int).astype(object))
            square = value @ value
            return bool((a @ square if self.nonnegative else square).trace() < 0)
        m = _matrix(a)
        value = _horner([to_fmpq(c) for c in self.q], m, _matrix(np.eye(len(a), dtype=int)))
        square = value * value
        if self.nonnegative:
            square = m * square
        return bool(sum((square[i, i] for i in range(len(a))), fmpq(0)) < 0)


@dataclass(frozen=True)
class OutsideProduct:
    """A product of matrices with an eigenvalue that is not real (not real and nonnegative).

    Attributes:
        word: indices of the matrices; the first one acts first.
        witness: the certificate of the product.
    """

    word: tuple[int, ...]
    witness: OutsideSpectrum

    def check(self, matrices: Sequence[ArrayLike]) -> bool:
        """Whether it proves the claim for these matrices, computed again."""
        return self.witness.check(multiply([square_matrix(m) for m in matrices], self.word))


def spectrum(A: ArrayLike, *, nonnegative: bool = False) -> RealSpectrum | OutsideSpectrum:
    """Decide whether all eigenvalues are real, and nonnegative if so asked.

    Args:
        A: (n, n), exact numbers; floats are taken for the rationals that they are.
        nonnegative: ask for real and nonnegative eigenvalues.

    Returns:
        A certificate of the answer.

    Raises:
        ValueError: if A is not a square matrix of real numbers.

    Example:
        >>> spectrum([[2, 1], [2, 3]], nonnegative=True)
        RealSpectrum(nonnegative=True, points=(Fraction(0, 1), Fraction(5, 2), Fraction(5, 1)))
        >>> spectrum([[0, -1], [1, 0]])
        OutsideSpectrum(nonnegative=False, q=(Fraction(0, 1), Fraction(1, 1)))
    """
    a = square_matrix(A)
    if is_symmetric(a) and (not nonnegative or psd(a)):
        return RealSpectrum(nonnegative, form=psd(a) if nonnegative else None)
    if _is_irrational(a):
        form = _hermite(a, nonnegative)
        found = psd(form)
        if found is not None:
            return RealSpectrum(nonnegative, form=found)
        return OutsideSpectrum(nonnegative, negative_vector(form))
    poly = _square_free(a)
    for bits in BITS:
        with ctx.workprec(bits):
            roots = _roots(poly)
            outside = [x for x in roots if isinstance(x, acb)]
            negative = [x for x in roots if not isinstance(x, acb) and x < 0]
            if outside or (nonnegative and negative):
                chosen = (outside or negative)[0]
                target = _negative_square(chosen, nonnegative)
                q = _vanishing(roots, chosen, target, zero=_minpoly(a)(0) == 0)
                for candidate in (tuple(map(_short, q)), q) if q else ():
                    witness = OutsideSpectrum(nonnegative, candidate)
                    if witness.check(a):
                        return witness
            elif (points := _between(roots, nonnegative)) is not None:
                certificate = RealSpectrum(nonnegative or not negative, points)
                if certificate.check(a):
                    return certificate
    raise ValueError(f"{BITS[-1]} bits do not separate the eigenvalues of a matrix.")


def outside_product(
    matrices: Sequence[ArrayLike], length: int, *, nonnegative: bool = False
) -> OutsideProduct | None:
    """Search the products of so many matrices for one whose eigenvalues are not all real.

    Args:
        matrices: (n, n) each.
        length: how many are multiplied.
        nonnegative: look for one whose eigenvalues are not all real and nonnegative.

    Returns:
        The first product found; None proves that there is none, since all were looked at.

    Raises:
        ValueError: if there are more than `MAX_PRODUCTS`.

    Example:
        >>> outside_product([[[1, 0], [0, -1]], [[0, 1], [1, 0]]], 1) is None
        True
        >>> outside_product([[[1, 0], [0, -1]], [[0, 1], [1, 0]]], 2).word
        (0, 1)
    """
    exact = [square_matrix(m) for m in matrices]
    if len(exact) ** length > MAX_PRODUCTS:
        raise ValueError(
            f"{len(exact)}^{length} products pass the limit of {MAX_PRODUCTS} "
            f"(lrnn_theory.impossibility.spectrum.MAX_PRODUCTS)."
        )
    for word in product(range(len(exact)), repeat=length):
        if word != min(word[i:] + word[:i] for i in range(len(word))):
            continue  # rotated, it has the same nonzero eigenvalues
        found = spectrum(multiply(exact, word), nonnegative=nonnegative)
        if isinstance(found, OutsideSpectrum):
            return OutsideProduct(word, found)
    return None


def contraction(A: ArrayLike) -> LDL | None:
    """A proof that |Ax| <= |x| for all x, as an LDL^T factorisation of I - A^T A; None if not so.

    Example:
        >>> contraction([[0, 1], [1, 0]]) is None, contraction([[1, 1], [0, 1]]) is None
        (False, True)
    """
    a = square_matrix(A).astype(object)
    return psd(np.eye(len(a), dtype=int).astype(object) - a.T @ a)


# -------------------------------------------------------------------- rational matrices


def _is_irrational(a: Array) -> bool:
    return any(isinstance(x, Cyclotomic) for x in a.flat)


def _matrix(a: Array) -> fmpq_mat:
    return fmpq_mat([[to_fmpq(x) for x in row] for row in a.tolist()])


def _minpoly(a: Array) -> fmpq_poly:
    return fmpq_poly(_matrix(a).minpoly())


def _horner(q: Sequence[Any], a: Any, identity: Any) -> Any:
    """The polynomial q at a matrix."""
    value = 0 * identity
    for c in reversed(q):
        value = (value * a if isinstance(a, fmpq_mat) else value @ a) + c * identity
    return value


def _square_free(a: Array) -> fmpq_poly:
    """The polynomial whose simple roots are the nonzero eigenvalues."""
    poly = _minpoly(a)
    poly = poly.right_shift(next(i for i, c in enumerate(poly.coeffs()) if c != 0))
    return poly // poly.gcd(poly.derivative())


def _roots(poly: fmpq_poly) -> list[arb | acb]:
    """Disjoint balls of the roots; an `arb` is certainly real, an `acb` certainly not."""
    if not poly.degree():
        return []
    found: Any = poly.numer().complex_roots()
    balls = [ball for ball, _ in found]
    return [ball.real if ball.imag.is_zero() else ball for ball in balls]


def _dyadic(x: arb) -> Fraction:
    mantissa, exponent = x.mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _between(roots: list[Any], nonnegative: bool) -> tuple[Fraction, ...] | None:
    """Numbers around and between real roots; the first is 0 if none is negative."""
    ordered = sorted(roots, key=_dyadic)
    if not ordered:
        return (Fraction(0),)
    inner = [(_dyadic(x) + _dyadic(y)) / 2 for x, y in pairwise(ordered)]
    first = Fraction(0) if ordered[0] > 0 else _dyadic(ordered[0]) - 1
    if nonnegative and first < 0:
        return None
    return (first, *inner, _dyadic(ordered[-1]) + 1)


def _negative_square(x: Any, nonnegative: bool) -> acb:
    """A number y with y^2 < 0, or x y^2 < 0; real if x is."""
    if not nonnegative:
        return acb(0, 1)
    return acb(1) if isinstance(x, arb) else acb(0, 1) * x.sqrt().conjugate()


def _vanishing(
    roots: list[Any], chosen: Any, target: acb, *, zero: bool
) -> tuple[Fraction, ...] | None:
    """A polynomial that is nearly `target` at one root, the conjugate at its conjugate, else 0.

    None if these bits do not tell the product of differences of roots from 0.
    """
    pair = [x for x in roots if x is chosen or acb(x).overlaps(acb(chosen).conjugate())]
    others = [acb(x) for x in roots if not any(x is y for y in pair)]
    out: list[Any] = [acb(1)]
    for x in [*others, acb(0)] if zero else others:
        out = [a - x * b for a, b in zip([acb(0), *out], [*out, acb(0)], strict=True)]
    wanted: Any = target / sum((c * acb(chosen) ** i for i, c in enumerate(out)), acb(0))
    if isinstance(chosen, acb):  # times the line that is `wanted` there
        slope = wanted.imag / chosen.imag
        constant = wanted.real - slope * chosen.real
        shifted = [acb(0), *(slope * c for c in out)]
        scaled = [*(constant * c for c in out), acb(0)]
        out = [a + b for a, b in zip(shifted, scaled, strict=True)]
    else:
        out = [c * wanted for c in out]
    return tuple(_dyadic(c.real) for c in out) if all(c.is_finite() for c in out) else None


def _short(x: Fraction) -> Fraction:
    """A near number with a small denominator: a witness need not be sharp."""
    return x.limit_denominator(1000)


def _hermite(a: Array, nonnegative: bool) -> Array:
    """The matrix of traces of A^(i+j), or of A^(i+j+1)."""
    n, power, traces = len(a), np.eye(len(a), dtype=int).astype(object), []
    for _ in range(2 * n):
        traces.append(power.trace())
        power = power @ a
    shift = int(nonnegative)
    out = np.empty((n, n), object)
    for i, j in product(range(n), repeat=2):
        out[i, j] = traces[i + j + shift]
    return out
