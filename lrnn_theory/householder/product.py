"""A product of generalized Householder factors."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory.householder.exact_arrays import compact, fractions, stays_in_int64, unify, weights


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
        keys, betas = unify(keys=keys, betas=betas)
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
        keys, betas, h = unify(keys=self.keys, betas=self.betas, state=state)
        if h.ndim == 0 or h.shape[max(h.ndim - 2, 0)] != self.n:
            raise ValueError(
                f"Argument 'state' must have shape ({self.n},) or (..., {self.n}, d), "
                f"not {h.shape}."
            )
        if h.dtype == np.int64 and not stays_in_int64(keys, betas, h):
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
            return 1.0 - weights(self.keys, self.betas)
        return compact(1 - weights(self.keys.astype(object), self.betas.astype(object)))

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
            keys, betas = fractions("keys", keys), fractions("betas", betas)
        return all(0 <= weight <= 2 for weight in weights(keys, betas))

    def __matmul__(self, other: GHProduct) -> GHProduct:
        """The product of the matrices, `other` acting first: the factors are concatenated."""
        if not isinstance(other, GHProduct):
            return NotImplemented
        if other.n != self.n:
            raise ValueError(f"Cannot multiply a product of size {self.n} by one of {other.n}.")
        left, right, left_betas, right_betas = unify(
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
        betas = compact(betas) if exact else betas.astype(np.float64)
        return GHProduct(self.keys[::-1], betas[::-1])
