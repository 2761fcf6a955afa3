"""Exact matrices: their products, and the roots of unity among their eigenvalues."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import ArrayLike

from lrnn_theory.cyclotomic import Cyclotomic, cyclotomic_polynomial
from lrnn_theory.transition import Array, exact_array


def unity_orders(A: ArrayLike) -> frozenset[int]:
    """The orders of the roots of unity among the eigenvalues.

    Example:
        >>> sorted(unity_orders([[-1, 0, 0], [0, 0, -1], [0, 1, -1]]))
        [2, 3]
    """
    poly = rational_form(square_matrix(A)).charpoly().numer()
    orders = (int(factor.is_cyclotomic()) for factor, _ in poly.factor()[1])
    return frozenset(m for m in orders if m)


def rational_form(A: Array) -> fmpq_mat:
    """The matrix over the rationals; entries of Q(ζ_N) become matrices of multiplication.

    The eigenvalues are then those of A and of its conjugates: roots of unity keep their orders.
    """
    order = int(np.lcm.reduce([x.order for x in A.flat if isinstance(x, Cyclotomic)] or [1]))
    degree = len(cyclotomic_polynomial(order)) - 1
    n = len(A)
    out = [[fmpq(0)] * (n * degree) for _ in range(n * degree)]
    for (i, j), x in np.ndenumerate(A):
        for s in range(degree):
            if isinstance(x, Cyclotomic):
                column = (x * Cyclotomic(order, [0] * s + [1])).lift(order).coefficients
            else:
                column = [Fraction(int(x.numerator), int(x.denominator)) * (r == s)
                          for r in range(degree)]  # fmt: skip
            for r, c in enumerate(column):
                out[i * degree + r][j * degree + s] = to_fmpq(c)
    return fmpq_mat(out)


def multiply(matrices: Sequence[Array], word: Sequence[int]) -> Array:
    """The product of the matrices of a word, of which the first acts first."""
    out = matrices[word[0]].astype(object)
    for i in word[1:]:
        out = matrices[i].astype(object) @ out
    return out


def square_matrix(A: ArrayLike) -> Array:
    """A square matrix of exact real numbers; a ValueError for anything else."""
    a = exact_array("A", A)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not a.size:
        raise ValueError(f"Argument 'A' must be a square matrix, not of shape {a.shape}.")
    if any(isinstance(x, Cyclotomic) and not x.is_real for x in a.flat):
        raise ValueError("Argument 'A' must hold real numbers.")
    return a


def to_fmpq(x: Any) -> fmpq:
    """A rational number for python-flint."""
    return fmpq(int(x.numerator), int(x.denominator))
