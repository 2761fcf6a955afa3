"""Semidefinite matrices over any exact ordered numbers, by LDL^T factorisations."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lrnn_theory.transition import Array, exact_array


@dataclass(frozen=True)
class LDL:
    """A symmetric matrix is L D L^T with D diagonal and nonnegative.

    Attributes:
        lower: L, unit lower triangular, row by row.
        pivots: the diagonal of D.
    """

    lower: tuple[tuple[Any, ...], ...]
    pivots: tuple[Any, ...]

    def check(self, A: ArrayLike) -> bool:
        """Whether A = L D L^T and D >= 0, computed again."""
        lower, pivots = np.array(self.lower, object), np.array(self.pivots, object)
        same = ((lower * pivots) @ lower.T == exact_array("A", A)).all()
        return bool(same) and all(x >= 0 for x in self.pivots)


def psd(A: ArrayLike) -> LDL | None:
    """A proof that a matrix is symmetric and positive semidefinite; None if it is not.

    Example:
        >>> psd([[1, 2], [2, 4]]).pivots
        (Fraction(1, 1), Fraction(0, 1))
        >>> psd([[1, 2], [2, 3]]) is None
        True
    """
    a = exact_array("A", A)
    if not is_symmetric(a):
        return None
    lower, pivots, fault = _eliminate(a)
    return None if fault else LDL(tuple(map(tuple, lower.tolist())), pivots)


def negative_vector(A: ArrayLike) -> tuple[Any, ...]:
    """A vector x with x^T A x < 0.

    Raises:
        ValueError: if A is not symmetric, or there is no such vector.

    Example:
        >>> negative_vector([[0, 1], [1, 5]])
        (Fraction(-3, 1), Fraction(1, 1))
    """
    a = exact_array("A", A)
    _, _, fault = _eliminate(a) if is_symmetric(a) else (None, None, ())
    if not fault:
        raise ValueError("Argument 'A' must be symmetric and not positive semidefinite.")
    return fault


def is_symmetric(a: Array) -> bool:
    """Whether a matrix is its own transpose."""
    return a.ndim == 2 and a.shape[0] == a.shape[1] and bool((a == a.T).all())


def _eliminate(a: Array) -> tuple[Array, tuple[Any, ...], tuple[Any, ...]]:
    """L and the pivots, or a vector on which the form is negative."""
    n = len(a)
    rest, lower = a.astype(object), np.eye(n, dtype=int).astype(object)
    rest = rest * Fraction(1)
    pivots = []
    for i in range(n):
        pivot, column = rest[i, i], rest[i + 1 :, i]
        x = np.zeros(n, object)
        if pivot < 0:
            x[i] = Fraction(1)
        elif not pivot and (met := np.flatnonzero(column != 0)).size:
            j = i + 1 + int(met[0])  # 2 t c + m < 0 for t = -(m / 2 + 1) / c rounded
            c, m = rest[i, j], rest[j, j]
            x[i], x[j] = -(m + 1) / (2 * c), Fraction(1)
        if any(x):
            return lower, (), tuple(_back(lower, x))
        pivots.append(pivot)
        if pivot:
            ratio = np.array([y / pivot for y in column], object)
            lower[i + 1 :, i] = ratio
            rest[i + 1 :, i + 1 :] -= ratio[:, None] * column[None, :]
    return lower, tuple(pivots), ()


def _back(lower: Array, x: Array) -> list[Any]:
    """The solution y of L^T y = x."""
    y = x.copy()
    for i in range(len(y) - 2, -1, -1):
        y[i] -= sum(lower[j, i] * y[j] for j in range(i + 1, len(y)))
    return y.tolist()
