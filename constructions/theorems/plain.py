"""Exact linear algebra and automata from their definitions, for checks.

Nothing here uses the code that a theorem is built into: products of factors are multiplied out,
ranks and characteristic polynomials are FLINT's, definiteness is decided by elimination, real roots
are counted by Sturm's theorem, and automata are run letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from lrnn_theory.householder import GHProduct
from lrnn_theory.theorem import require

Matrix = NDArray[np.object_]
Generator = np.random.Generator

MAX_BITS = 1 << 12
"""Precision at which roots that are not told apart from the unit circle are given up."""


# -------------------------------------------------------------------- matrices


def exact(values: Any) -> Matrix:
    """An array of fractions."""
    return np.vectorize(Fraction, otypes=[object])(np.asarray(values, object))


def eye(n: int) -> Matrix:
    """The identity."""
    return exact(np.eye(n, dtype=int))


def written_out(product: GHProduct) -> Matrix:
    """The matrix of a product by its definition, factor after factor."""
    a = eye(product.n)
    for key, beta in zip(product.keys.tolist(), product.betas.tolist(), strict=True):
        k = exact(key)
        a = a - np.outer(a @ k, Fraction(beta) * k)  # A (I - beta k k^T)
    return a


def as_flint(a: Matrix) -> flint.fmpq_mat:
    """A matrix in FLINT."""
    entries = [flint.fmpq(x.numerator, x.denominator) for x in exact(a).ravel().tolist()]
    return flint.fmpq_mat(a.shape[0], a.shape[1], entries)


def rank(a: Matrix) -> int:
    """The rank, exactly."""
    return as_flint(a).rank() if a.size else 0


def moved(a: Matrix) -> int:
    """rank(I - A): no product of fewer factors is A."""
    return rank(eye(len(a)) - a)


def is_psd(a: Matrix, *, strictly: bool = False) -> bool:
    """Whether a symmetric matrix is positive semidefinite, or definite; by elimination."""
    s = exact(a)
    while s.size:
        pivot, column = s[0, 0], s[1:, 0]
        if pivot < 0 or (pivot == 0 and (strictly or any(column))):
            return False
        s = s[1:, 1:] - (np.outer(column, column) / pivot if pivot else 0)
    return True


def norm_at_most_one(a: Matrix) -> bool:
    """Whether I - A^T A is positive semidefinite."""
    return is_psd(eye(a.shape[1]) - a.T @ a)


def to_floats(a: Matrix) -> NDArray[np.float64]:
    """For measures that are shown only."""
    return a.astype(float)


def power(a: Matrix, exponent: int) -> Matrix:
    """A^k by squaring."""
    out = eye(len(a))
    while exponent:
        out = out @ a if exponent & 1 else out
        a, exponent = a @ a, exponent >> 1
    return out


def inverse(a: Matrix) -> Matrix:
    """The inverse, by FLINT."""
    found = as_flint(a).inv()
    n = len(a)
    return exact([[Fraction(int(found[i, j].p), int(found[i, j].q)) for j in range(n)]
                  for i in range(n)])  # fmt: skip


# -------------------------------------------------------------------- spectra


def characteristic(a: Matrix) -> list[Fraction]:
    """Coefficients of the characteristic polynomial, the constant first."""
    return [Fraction(int(c.p), int(c.q)) for c in as_flint(a).charpoly().coeffs()]


def _trimmed(p: list[Fraction]) -> list[Fraction]:
    while p and p[-1] == 0:
        p = p[:-1]
    return p


def _divide(p: list[Fraction], q: list[Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    """Quotient and remainder."""
    p, quotient = list(p), [Fraction(0)] * max(len(p) - len(q) + 1, 0)
    for shift in reversed(range(len(quotient))):
        quotient[shift] = p[shift + len(q) - 1] / q[-1]
        for i, c in enumerate(q):
            p[shift + i] -= quotient[shift] * c
    return quotient, _trimmed(p)


def _derivative(p: list[Fraction]) -> list[Fraction]:
    return [i * c for i, c in enumerate(p)][1:]


def squarefree(p: list[Fraction]) -> list[Fraction]:
    """The polynomial with the same roots, each once."""
    a, b = p, _trimmed(_derivative(p))
    while b:
        a, b = b, _divide(a, b)[1]
    return _divide(p, a)[0]


def real_roots(p: list[Fraction], low: Fraction | None, high: Fraction | None) -> int:
    """How many different real roots there are in (low, high], by Sturm's theorem."""
    chain = [squarefree(p)]
    following = _trimmed(_derivative(chain[0]))
    while following:
        chain.append(following)
        following = [-c for c in _divide(chain[-2], chain[-1])[1]]

    def changes(x: Fraction | None, sign: int) -> int:
        values = []
        for c in chain:
            if x is None:
                value = c[-1] * (sign if len(c) % 2 == 0 else 1)
            else:
                value = sum((t * x**i for i, t in enumerate(c)), Fraction(0))
            if value:
                values.append(value > 0)
        return sum(x != y for x, y in pairwise(values))

    return changes(low, -1) - changes(high, 1)


def different_roots(p: list[Fraction]) -> int:
    """How many different complex roots there are."""
    return len(squarefree(p)) - 1


def spectrum_within(a: Matrix, low: Fraction, high: Fraction) -> bool:
    """Whether all eigenvalues are real and in [low, high]."""
    p = characteristic(a)
    at_low = sum((c * low**i for i, c in enumerate(p)), Fraction(0)) == 0
    return real_roots(p, low, high) + at_low == different_roots(p)


def nonreal_eigenvalues(a: Matrix) -> int:
    """How many different eigenvalues are not real."""
    p = characteristic(a)
    return different_roots(p) - real_roots(p, None, None)


def without_ones(a: Matrix) -> list[Fraction]:
    """The characteristic polynomial without its roots 1."""
    p = characteristic(a)
    while sum(p) == 0:
        quotient = [p[-1]]
        for c in p[-2:0:-1]:
            quotient.append(c + quotient[-1])
        p = quotient[::-1]
    return p


def largest_modulus(p: list[Fraction]) -> float:
    """The largest modulus of a root, certified to be less than 1."""
    if len(p) < 2:
        return 0.0
    whole = flint.fmpq_poly([flint.fmpq(c.numerator, c.denominator) for c in p]).numer()
    bits, before = 64, flint.ctx.prec
    try:
        while bits <= MAX_BITS:
            flint.ctx.prec = bits
            roots: Any = whole.complex_roots()  # typed as one ball
            moduli = [abs(root) for root, _ in roots]
            if all(m < 1 for m in moduli):
                return max(float(m) for m in moduli)
            require(not any(m > 1 for m in moduli), "an eigenvalue lies outside the unit circle")
            bits *= 4
    finally:
        flint.ctx.prec = before
    require(False, "an eigenvalue other than 1 lies on the unit circle")
    raise AssertionError


# -------------------------------------------------------------------- random numbers


def count(k: int, unit: str) -> str:
    """A number with its unit.

    Example:
        >>> count(1, "layer"), count(2, "layer")
        ('1 layer', '2 layers')
    """
    return f"{k} {unit}" if k == 1 else f"{k} {unit}s"


def pick(rng: Generator, choices: Sequence[Any]) -> Any:
    """One of several things."""
    return choices[int(rng.integers(len(choices)))]


def vector(rng: Generator, n: int, low: int = -3, high: int = 3) -> Matrix:
    """Integers, not all zero."""
    while True:
        k = rng.integers(low, high + 1, n)
        if k.any():
            return exact(k.tolist())


def unimodular(rng: Generator, n: int) -> Matrix:
    """An integer matrix with an integer inverse."""
    p = eye(n)
    for _ in range(int(rng.integers(0, 4)) if n > 1 else 0):
        i, j = rng.permutation(n)[:2].tolist()
        p[i] = p[i] + int(pick(rng, [-2, -1, 1, 2])) * p[j]
    return p


def fraction_between(rng: Generator, low: int, high: int, denominators: int = 8) -> Fraction:
    """A fraction in [low, high]."""
    q = int(rng.integers(1, denominators + 1))
    return Fraction(int(rng.integers(low * q, high * q + 1)), q)


# -------------------------------------------------------------------- words and maps


def words(n_letters: int, length: int) -> Iterator[tuple[int, ...]]:
    """All words up to a length, shortest first."""
    level: list[tuple[int, ...]] = [()]
    for _ in range(length + 1):
        yield from level
        level = [(*w, a) for w in level for a in range(n_letters)]


def monoid(rows: Sequence[Sequence[int]], limit: int = 20_000) -> list[tuple[int, ...]]:
    """All maps that nonempty words make, or the first `limit`; x after w is x[w[q]]."""
    letters = list(dict.fromkeys(tuple(map(int, row)) for row in rows))
    seen, queue = set(letters), list(letters)
    for m in queue:
        for a in letters:
            longer = tuple(a[q] for q in m)
            if longer not in seen:
                seen.add(longer)
                queue.append(longer)
        if len(seen) > limit:
            break
    return queue


def compose(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """The map that is `first`, then `second`."""
    return tuple(second[q] for q in first)


def cycle_length(m: tuple[int, ...]) -> int:
    """The period of the powers of a map: the order of the group that they end in."""
    seen: dict[tuple[int, ...], int] = {}
    p = m
    while p not in seen:
        seen[p] = len(seen)
        p = compose(p, m)
    return len(seen) - seen[p]


def subgroups(maps: Sequence[tuple[int, ...]]) -> list[list[tuple[int, ...]]]:
    """The maximal groups in a finite semigroup of maps, one for every idempotent."""
    found = []
    for e in (m for m in maps if compose(m, m) == m):
        image = sorted(set(e))
        group = [
            m
            for m in maps
            if sorted(set(m)) == image
            and compose(e, m) == m
            and len({m[q] for q in image}) == len(image)
        ]
        found.append(group)
    return found


def commutator_subgroup(group: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Generated by all x^-1 y^-1 x y."""
    identity = next(g for g in group if compose(g, g) == g)
    inverse_of = {g: next(h for h in group if compose(g, h) == identity) for g in group}
    made = {
        compose(compose(inverse_of[x], inverse_of[y]), compose(x, y)) for x in group for y in group
    }
    queue = list(made)
    for g in queue:
        for h in list(made):
            if (product := compose(g, h)) not in made:
                made.add(product)
                queue.append(product)
    return list(made)


def is_solvable(group: Sequence[tuple[int, ...]]) -> bool:
    """Whether the derived series ends with one element."""
    while len(group) > 1:
        smaller = commutator_subgroup(group)
        if len(smaller) == len(group):
            return False
        group = smaller
    return True
