"""Products of generalized Householder factors, and factorisations into as few as possible.

A generalized Householder (GH) factor is `C = I - beta k k^T`; its eigenvalue on k is
`1 - beta |k|^2`, every other one is 1.  In `A = C_1 C_2 ... C_k` the last factor acts first.
Keys are not normalised, so that transpositions (`e_i - e_j`, beta 1), projections (`e_i`, beta 1)
and sign flips (`e_i`, beta 2) are integers.  docs/gh-algebra.md proves every factor count.

Source: Grazzi, Siems et al., arXiv 2411.12537, Proposition 1; Scherk, Duke Math. J. 17 (1950).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from numbers import Rational
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_KEY_ENTRIES = 50_000_000
"""Largest number of key entries (factors times n) that a factorisation writes (400 MB)."""


@dataclass(frozen=True, eq=False, init=False)
class GHProduct:
    """The matrix `A = C_1 C_2 ... C_k` with `C_i = I - betas[i] keys[i] keys[i]^T`.

    Row 0 is the leftmost factor, which acts last.  Arrays of int64 and of objects are exact: an
    object is a `Fraction`, or an element of any commutative ring that mixes with int under
    `+ - *`.  Integer results that might leave int64 are computed in Python integers.

    Attributes:
        keys: shape (factors, n); int64, object or float64.
        betas: shape (factors,); the same type as the keys.

    Raises:
        ValueError: if shapes disagree, a value is not finite, or floats are mixed with objects.

    Example:
        >>> swap = GHProduct([[1, -1]], [1])
        >>> swap.apply([5, 7])
        array([7, 5])
    """

    keys: NDArray[Any]
    betas: NDArray[Any]
    __array_ufunc__ = None  # numpy leaves `product @ array` to us: a TypeError

    def __init__(self, keys: ArrayLike, betas: ArrayLike) -> None:
        keys, betas = _unify(keys=keys, betas=betas)
        if keys.ndim != 2 or keys.shape[1] == 0:
            raise ValueError(
                f"Argument 'keys' must have shape (factors, n) with n >= 1, not {keys.shape}."
            )
        if betas.shape != keys.shape[:1]:
            raise ValueError(
                f"Argument 'betas' must have shape ({len(keys)},), one for every key, "
                f"not {betas.shape}."
            )
        keys.flags.writeable = False
        betas.flags.writeable = False
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "betas", betas)

    @property
    def n(self) -> int:
        """Number of rows and columns of the matrix."""
        return self.keys.shape[1]

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return f"<GHProduct {self.n} x {self.n}: {len(self)} factors>"

    def apply(self, state: ArrayLike) -> NDArray[Any]:
        """`A @ state`, factor by factor: O(factors n d) operations, and A is never formed.

        Args:
            state: shape (n,), (n, d) or (..., n, d).

        Returns:
            A new array of the same shape, exact if the factors and the state are.

        Raises:
            ValueError: if n differs, or an object array meets a float array.

        Example:
            >>> GHProduct([[1, -1, 0], [0, 1, -1]], [1, 1]).apply([10, 20, 30])
            array([30, 10, 20])
        """
        keys, betas, h = _unify(keys=self.keys, betas=self.betas, state=state)
        if h.ndim == 0 or h.shape[max(h.ndim - 2, 0)] != self.n:
            raise ValueError(
                f"Argument 'state' must have shape ({self.n},) or (..., {self.n}, d), "
                f"not {h.shape}."
            )
        if h.dtype == np.int64 and not _stays_in_int64(keys, betas, h):
            keys, betas, h = keys.astype(object), betas.astype(object), h.astype(object)
        shape = h.shape
        h = h[:, None] if h.ndim == 1 else h
        for key, beta in zip(keys[::-1], betas[::-1], strict=True):
            # Most keys are sparse: a transposition moves two rows, a projection one.
            rows = np.flatnonzero(key)
            k, moved = key[rows], h[..., rows, :]
            h[..., rows, :] = moved - k[:, None] * ((k @ moved) * beta)[..., None, :]
        return h.reshape(shape)

    def matrix(self) -> NDArray[Any]:
        """The matrix A of shape (n, n), exact for exact factors.

        Example:
            >>> register_reset(1).matrix()
            array([[0, 0],
                   [1, 0]])
        """
        return self.apply(np.eye(self.n, dtype=np.int64))

    def eigenvalues(self) -> NDArray[Any]:
        """The eigenvalue `1 - beta |k|^2` of every factor (not those of A), shape (factors,).

        Example:
            >>> GHProduct([[1, -1], [0, 1]], [1, 1]).eigenvalues()
            array([-1,  0])
        """
        if self.keys.dtype == np.float64:
            return 1.0 - _weights(self.keys, self.betas)
        return _compact(1 - _weights(self.keys.astype(object), self.betas.astype(object)))

    def spectrum_range(self) -> tuple[Any, Any]:
        """Smallest and largest of `eigenvalues()`; (1, 1) for the empty product.

        Example:
            >>> register_reset(3).spectrum_range()
            (-1, 0)
        """
        values = self.eigenvalues().tolist() or [1]
        return min(values), max(values)

    def norm_at_most_one(self) -> bool:
        """Whether every factor has its eigenvalue in [-1, 1], decided exactly.

        Sufficient for `|A| <= 1` in the spectral norm, not necessary: factors with the
        eigenvalues 2 and 1/2 along one key cancel.  Floats are taken for the rationals they are;
        ring elements must have an order.

        Example:
            >>> register_reset(3).norm_at_most_one()
            True
        """
        keys, betas = self.keys.astype(object), self.betas.astype(object)
        if self.keys.dtype == np.float64:
            keys, betas = _fractions("keys", keys), _fractions("betas", betas)
        return all(0 <= weight <= 2 for weight in _weights(keys, betas))

    def __matmul__(self, other: GHProduct) -> GHProduct:
        """The product of the matrices, `other` acting first: the factors are concatenated."""
        if not isinstance(other, GHProduct):
            return NotImplemented
        if other.n != self.n:
            raise ValueError(f"Cannot multiply a product of size {self.n} by one of {other.n}.")
        left, right, left_betas, right_betas = _unify(
            left=self.keys, right=other.keys, left_betas=self.betas, right_betas=other.betas
        )
        return GHProduct(np.concatenate([left, right]), np.concatenate([left_betas, right_betas]))

    def transpose(self) -> GHProduct:
        """The transpose: the same symmetric factors in reverse order."""
        return GHProduct(self.keys[::-1], self.betas[::-1])

    def inverse(self) -> GHProduct:
        """The inverse: factors `I + beta / (1 - beta |k|^2) k k^T` in reverse order.

        Raises:
            ValueError: if a factor is singular (eigenvalue 0).

        Example:
            >>> permutation([1, 2, 0]).inverse().apply([30, 10, 20])
            array([10, 20, 30])
        """
        values, betas = self.eigenvalues().astype(object), self.betas.astype(object)
        for i, value in enumerate(values):
            if value == 0:
                raise ValueError(f"Cannot invert: factor {i} has eigenvalue 0.")
            # A reflection is its own inverse: no division, which the ring may not have.
            if value != -1:
                beta = Fraction(betas[i]) if isinstance(betas[i], int) else betas[i]
                betas[i] = -beta / value
        exact = self.keys.dtype != np.float64
        betas = _compact(betas) if exact else betas.astype(np.float64)
        return GHProduct(self.keys[::-1], betas[::-1])


# ---------------------------------------------------------------- integer factorisations


def identity(n: int) -> GHProduct:
    """The identity of size n: no factors."""
    return projection(n, ())


def permutation_cycles(p: Sequence[int]) -> list[tuple[int, ...]]:
    """Cycles of the permutation i -> p[i], fixed points included, each from its least element.

    Raises:
        ValueError: if `p` is not a permutation of 0..n-1 with n >= 1.

    Example:
        >>> permutation_cycles([1, 0, 2])
        [(0, 1), (2,)]
    """
    images = [operator.index(i) for i in p]
    if not images or sorted(images) != list(range(len(images))):
        raise ValueError(f"Argument 'p' must be a permutation of 0..n-1, not {_shown(images)}.")
    cycles: list[tuple[int, ...]] = []
    seen: set[int] = set()
    for start in range(len(images)):
        if start not in seen:
            cycle = [start]
            while (image := images[cycle[-1]]) != start:
                cycle.append(image)
            seen.update(cycle)
            cycles.append(tuple(cycle))
    return cycles


def permutation(p: Sequence[int]) -> GHProduct:
    """`A e_i = e_{p[i]}` as n - #cycles integer transpositions, the fewest GH factors possible.

    The cycle (c_0 c_1 ... c_m) is the product of the transpositions (c_0 c_1) (c_1 c_2) ...

    Raises:
        ValueError: if `p` is not a permutation of 0..n-1 with n >= 1.

    Example:
        >>> three_cycle = permutation([1, 2, 0])
        >>> len(three_cycle), three_cycle.apply([10, 20, 30])
        (2, array([30, 10, 20]))
    """
    pairs = [pair for cycle in permutation_cycles(p) for pair in pairwise(cycle)]
    keys = _zeros(len(pairs), len(p))
    for key, (i, j) in zip(keys, pairs, strict=True):
        key[i], key[j] = 1, -1
    return GHProduct(keys, np.ones(len(pairs), dtype=np.int64))


def projection(n: int, indices: Collection[int]) -> GHProduct:
    """The diagonal matrix that sets the coordinates `indices` to 0: one factor each, the fewest.

    Raises:
        ValueError: if an index is outside 0..n-1 or repeats.

    Example:
        >>> projection(3, [1]).apply([5, 6, 7])
        array([5, 0, 7])
    """
    keys = _zeros(len(indices), n)
    for key, i in zip(keys, map(operator.index, indices), strict=True):
        if not 0 <= i < n:
            raise ValueError(f"Argument 'indices' must hold indices in 0..{n - 1}, not {i}.")
        key[i] = 1
    if (keys.sum(axis=0) > 1).any():
        raise ValueError(f"Argument 'indices' must be distinct, not {_shown(indices)}.")
    return GHProduct(keys, np.ones(len(keys), dtype=np.int64))


def sign_flip(n: int, indices: Collection[int]) -> GHProduct:
    """The diagonal matrix that negates the coordinates `indices`: one factor each, the fewest.

    Raises:
        ValueError: if an index is outside 0..n-1 or repeats.

    Example:
        >>> sign_flip(3, [1]).apply([5, 6, 7])
        array([ 5, -6,  7])
    """
    half = projection(n, indices)
    return GHProduct(half.keys, 2 * half.betas)


def reset(n: int) -> GHProduct:
    """The zero matrix of size n: n projections, the fewest GH factors possible."""
    return projection(n, range(n))


def register_reset(n: int) -> GHProduct:
    """The 2n x 2n matrix [[0, 0], [I, 0]]: (current, previous) -> (0, current).

    n swaps of the halves, then n projections of the first half: 2n factors, the fewest possible.

    Example:
        >>> register_reset(2).apply([1, 2, 3, 4])
        array([0, 0, 1, 2])
    """
    forget = projection(2 * n, range(n))
    return forget @ permutation([*range(n, 2 * n), *range(n)])


# ---------------------------------------------------------------- orthogonal, contraction


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
    (k,) = _unify(k=k)
    if k.ndim != 1 or not any(k):
        raise ValueError(f"Argument 'k' must be a nonzero vector, not {_shown(k.tolist())}.")
    if k.dtype == np.float64:
        return _float_product([k], [-1.0], len(k))
    return _rational_product([_fractions("k", k)], len(k))


def reflection_length(matrix: ArrayLike, tol: float = 1e-10) -> int:
    """`rank(I - A)`: no fewer GH factors give A; an orthogonal A needs no more.

    Args:
        matrix: shape (n, n); the rank is exact for integers and fractions.
        tol: for floats, the singular values of I - A up to which count as 0.

    Example:
        >>> reflection_length([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
        2
    """
    A = _square("matrix", matrix)
    if A.dtype == np.float64:
        return int(np.linalg.matrix_rank(np.eye(len(A)) - A, tol=tol))
    from sympy import QQ
    from sympy.polys.matrices import DomainMatrix

    moved = _fractions("matrix", A) - np.eye(len(A), dtype=np.int64)
    rows = [[QQ(x.numerator, x.denominator) for x in row] for row in moved]
    return DomainMatrix(rows, A.shape, QQ).rank()


def orthogonal(Q: ArrayLike, tol: float = 1e-10) -> GHProduct:
    """An orthogonal matrix as rank(I - Q) reflections, the fewest GH factors (Scherk).

    If Qx != x, the reflection along Qx - x takes Qx to x and fixes whatever Q fixes: every
    reflection lowers the rank by one.  Integers and fractions are factored exactly, with integer
    keys; floats to about machine precision.

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
    Q = _square("Q", Q)
    exact = Q.dtype != np.float64
    Q = _fractions("Q", Q) if exact else Q
    error = abs(Q.T @ Q - np.eye(len(Q), dtype=np.int64)).max()
    if error > (0 if exact else tol):
        raise ValueError(
            f"Argument 'Q' must be orthogonal: an entry of Q^T Q - I is {float(error):.3g}."
        )
    if exact:
        return _rational_product(_rational_keys(Q), len(Q))
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
    M = _square("M", M).astype(np.float64)
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


def _rational_keys(Q: NDArray[Any]) -> list[NDArray[Any]]:
    """Keys of the reflections whose product is an orthogonal matrix of fractions."""
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


def _rational_product(keys: Sequence[NDArray[Any]], n: int) -> GHProduct:
    """Reflections along fractional keys, each scaled to coprime integers."""
    scaled = np.empty((len(keys), n), dtype=object)
    for row, key in zip(scaled, keys, strict=True):
        whole = key * math.lcm(*(x.denominator for x in key))
        row[:] = [int(x) for x in whole / math.gcd(*(x.numerator for x in whole))]
    betas = np.array([Fraction(2, int(k @ k)) for k in scaled], dtype=object)
    return GHProduct(_compact(scaled), _compact(betas))


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


# ---------------------------------------------------------------- arrays


def _unify(**arrays: ArrayLike) -> list[NDArray[Any]]:
    """Copies of the arrays with one type: int64, object (exact) or float64."""
    converted = []
    for name, values in arrays.items():
        array = np.asarray(values)
        array = array.astype(object) if array.dtype == np.uint64 else array
        if not _is_numeric(array):
            raise ValueError(
                f"Argument '{name}' must hold integers, exact ring elements or finite floats, "
                f"not {_shown(array.tolist())}."
            )
        converted.append(array)
    kinds = {array.dtype.kind for array in converted}
    if kinds >= {"O", "f"}:
        names = ", ".join(f"'{name}'" for name in arrays)
        raise ValueError(f"Arguments {names} must be all exact or all floats, not a mixture.")
    dtype = object if "O" in kinds else np.float64 if "f" in kinds else np.int64
    return [array.astype(dtype) for array in converted]


def _is_numeric(array: NDArray[Any]) -> bool:
    """Whether an array holds integers, finite floats, or objects that compute exactly."""
    if array.dtype == object:
        # A numpy integer inside an object array would wrap around.
        return not any(isinstance(x, float | complex | str | np.generic) for x in array.flat)
    return array.dtype.kind in "iuf" and bool(np.isfinite(array).all())


def _compact(array: NDArray[Any]) -> NDArray[Any]:
    """Rational objects as int64 if every one is an integer that fits; otherwise unchanged."""
    fits = all(
        isinstance(x, int | Fraction) and x.denominator == 1 and abs(x) < 2**63 for x in array.flat
    )
    return array.astype(np.int64) if fits else array


def _fractions(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Integers, fractions or floats as the fractions they are."""
    array = array.astype(object)
    if not all(isinstance(x, Rational | float) for x in array.flat):
        raise ValueError(f"Argument '{name}' must hold integers, fractions or floats.")
    return np.asarray(np.frompyfunc(Fraction, 1, 1)(array))


def _square(name: str, values: ArrayLike) -> NDArray[Any]:
    (matrix,) = _unify(**{name: values})
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(
            f"Argument '{name}' must have shape (n, n) with n >= 1, not {matrix.shape}."
        )
    return matrix


def _zeros(factors: int, n: int) -> NDArray[np.int64]:
    """Room for integer keys."""
    if isinstance(n, bool) or operator.index(n) < 1:
        raise ValueError(f"Argument 'n' must be positive, not {n}.")
    if factors * n > MAX_KEY_ENTRIES:
        raise ValueError(
            f"{factors} factors of size {n} need {factors * n} key entries, more than "
            f"MAX_KEY_ENTRIES = {MAX_KEY_ENTRIES}."
        )
    return np.zeros((factors, n), dtype=np.int64)


def _weights(keys: NDArray[Any], betas: NDArray[Any]) -> NDArray[Any]:
    """`beta |k|^2` of every factor, in the arithmetic of the arrays."""
    return (keys * keys).sum(axis=1) * betas


def _stays_in_int64(keys: NDArray[Any], betas: NDArray[Any], h: NDArray[Any]) -> bool:
    """Whether a bound on `|A h|` says that it fits.

    A factor stretches a column by at most max(1, |1 - beta |k|^2|).  On the way there int64 is
    arithmetic modulo 2^64, where overflow does no harm.  2^62 leaves room for rounding the bound.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        eigenvalues = 1.0 - _weights(keys.astype(np.float64), betas.astype(np.float64))
        column = math.sqrt(keys.shape[1]) * np.abs(h.astype(np.float64)).max(initial=0.0)
        return bool(column * np.maximum(1.0, np.abs(eigenvalues)).prod() < 2.0**62)


def _shown(values: object) -> str:
    text = str(values)
    return text if len(text) <= 60 else text[:57] + "..."
