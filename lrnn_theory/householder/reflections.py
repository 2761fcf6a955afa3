"""Orthogonal matrices and contractions as products of few factors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory.cyclotomic import Cyclotomic, simplify
from lrnn_theory.householder.exact_arrays import (
    compact,
    field_elements,
    fractions,
    shown,
    square,
    unify,
)
from lrnn_theory.householder.product import GHProduct


def reflection(k: ArrayLike) -> GHProduct:
    """The reflection `I - 2 k k^T / |k|^2`, exact for integers and fractions.

    A fractional key is scaled to coprime integers.  A float beta is rounded toward zero, so that
    `norm_at_most_one()` holds.

    Raises:
        ValueError: if k is not a nonzero vector of integers, fractions or floats.

    Example:
        >>> reflection([1, 2]).betas
        array([Fraction(2, 5)], dtype=object)
    """
    (k,) = unify(k=k)
    if k.ndim != 1 or not any(k):
        raise ValueError(f"Argument 'k' must be a nonzero vector, not {shown(k.tolist())}.")
    if k.dtype == np.float64:
        return _float_product([k], [-1.0], len(k))
    return _exact_product([fractions("k", k)], len(k))


def reflection_length(matrix: ArrayLike, tol: float = 1e-10) -> int:
    """`rank(I - A)`: no fewer GH factors give A; an orthogonal A needs no more.

    Args:
        matrix: shape (n, n); the rank is exact for integers and fractions.
        tol: for floats, the singular values of I - A up to which count as 0.

    Example:
        >>> reflection_length([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
        2
    """
    A = square("matrix", matrix)
    if A.dtype == np.float64:
        return int(np.linalg.matrix_rank(np.eye(len(A)) - A, tol=tol))
    from sympy import QQ
    from sympy.polys.matrices import DomainMatrix

    moved = fractions("matrix", A) - np.eye(len(A), dtype=np.int64)
    rows = [[QQ(x.numerator, x.denominator) for x in row] for row in moved]
    return DomainMatrix(rows, A.shape, QQ).rank()


def orthogonal(Q: ArrayLike, tol: float = 1e-10) -> GHProduct:
    """An orthogonal matrix as rank(I - Q) reflections, the fewest GH factors (Scherk).

    If Qx != x, the reflection along Qx - x takes Qx to x and fixes whatever Q fixes: every
    reflection lowers the rank by one.  Integers, fractions and real cyclotomic numbers are factored
    exactly, with keys of integers or cyclotomic integers; floats to about machine precision.

    Args:
        Q: shape (n, n).
        tol: for floats, the largest accepted entry of Q^T Q - I, and the singular values of
            I - Q up to which count as 0.

    Raises:
        ValueError: if Q is not orthogonal.

    Example:
        >>> quarter_turn = orthogonal([[0, -1], [1, 0]])
        >>> len(quarter_turn), quarter_turn.apply([1, 0])
        (2, array([0, 1]))
    """
    Q = square("Q", Q)
    exact = Q.dtype != np.float64
    Q = field_elements("Q", Q) if exact else Q
    error = abs(Q.T @ Q - np.eye(len(Q), dtype=np.int64)).max()
    if error > (0 if exact else tol):
        raise ValueError(
            f"Argument 'Q' must be orthogonal: an entry of Q^T Q - I is {float(error):.3g}."
        )
    if exact:
        return _exact_product(_exact_keys(Q), len(Q))
    keys = _float_keys(Q, tol)
    return _float_product(keys, [-1.0] * len(keys), len(Q))


def contraction(M: ArrayLike, tol: float = 1e-10) -> GHProduct:
    """A real matrix of norm at most 1 as at most 2n - 1 float factors of norm at most 1.

    Polar decomposition M = U S: U is rank(I - U) reflections, S one factor for every singular
    value below 1.  If rank(I - U) = n, the last reflection is taken along an eigenvector of S and
    merged with that factor of S.  A symmetric M needs only rank(I - M) factors, its eigenvectors.

    Args:
        M: shape (n, n); converted to float64.
        tol: how far the norm may exceed 1, and how near 1 a singular value counts as 1.

    Raises:
        ValueError: if the norm exceeds 1 + tol.

    Example:
        >>> product = contraction([[0, 0.5], [0, 0]])
        >>> len(product), product.norm_at_most_one()
        (3, True)
    """
    M = square("M", M).astype(np.float64)
    left, singular, right = np.linalg.svd(M)
    if singular[0] > 1 + tol:
        raise ValueError(f"Argument 'M' must have norm at most 1, not {singular[0]:.12g}.")
    if np.array_equal(M, M.T):
        values, columns = np.linalg.eigh(M)
        reflections, axes = [], columns.T
    else:
        U, values, axes = left @ right, singular, right
        if values[-1] < 1 - tol and reflection_length(U, tol) == len(M):
            U = U - 2 * np.outer(U @ axes[-1], axes[-1])
            values[-1] *= -1
        reflections = _float_keys(U, tol)
    shrunk = values < 1 - tol
    return _float_product(
        [*reflections, *axes[shrunk]],
        [-1.0] * len(reflections) + np.maximum(values[shrunk], -1.0).tolist(),
        len(M),
    )


def _exact_keys(Q: NDArray[Any]) -> list[NDArray[Any]]:
    """Keys of the reflections whose product is an orthogonal matrix over a field."""
    keys = []
    for j in range(len(Q)):
        k = Q[:, j].copy()
        k[j] -= 1
        if any(k):
            keys.append(k)
            Q = Q - np.outer(k, (k @ Q) * (2 / (k @ k)))
    return keys


def _float_keys(Q: NDArray[np.float64], tol: float) -> list[NDArray[np.float64]]:
    """Unit keys of the reflections whose product is an orthogonal float matrix.

    On an orthonormal basis of the range of I - Q, which Q maps to itself, this is Householder's
    triangularisation with the sign that takes every column to +e_j.  Restricting to the range
    first, and rewriting the difference that cancels, keep it backward stable.
    """
    basis, moved, _ = np.linalg.svd(Q - np.eye(len(Q)))
    basis = basis[:, moved > tol]
    R = basis.T @ Q @ basis
    keys = []
    for j in range(len(R)):
        head, tail = R[j, j], R[j + 1 :, j]
        rest = tail @ tail
        length = math.sqrt(head * head + rest)
        k = np.array([head - length if head <= 0 else -rest / (head + length), *tail])
        if rest > 0 or head < 0:  # else `tol` parted the two equal singular values of a rotation
            k /= np.linalg.norm(k)
            R[j:, j:] -= 2 * np.outer(k, k @ R[j:, j:])
            keys.append(basis[:, j:] @ k)
    return keys


def _exact_product(keys: Sequence[NDArray[Any]], n: int) -> GHProduct:
    """Reflections along keys over a field, each scaled to have coprime integer coefficients."""
    scaled, betas = np.empty((len(keys), n), object), np.empty(len(keys), object)
    for i, key in enumerate(keys):
        parts = [c for x in key for c in (x.coefficients if isinstance(x, Cyclotomic) else (x,))]
        whole = math.lcm(*(c.denominator for c in parts))
        scale = Fraction(whole, math.gcd(*((c * whole).numerator for c in parts)))
        scaled[i] = [simplify(x * scale) for x in key]
        betas[i] = simplify(Fraction(2) / (scaled[i] @ scaled[i]))
    return GHProduct(compact(scaled), compact(betas))


def _float_product(
    keys: Sequence[NDArray[np.float64]], eigenvalues: Sequence[float], n: int
) -> GHProduct:
    """Factors with the eigenvalues given, rounded so as never to leave [-1, 1]."""
    betas = []
    for k, eigenvalue in zip(keys, eigenvalues, strict=True):
        exact = (1 - Fraction(eigenvalue)) / sum(Fraction(x) ** 2 for x in k.tolist())
        beta = float(exact)
        betas.append(math.nextafter(beta, 0.0) if beta > exact else beta)
    return GHProduct(np.array(keys, np.float64).reshape(-1, n), np.array(betas, np.float64))
