"""Exact transition matrices of a layer: Householder products, diagonal, or dense."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory.cyclotomic import Cyclotomic, simplify
from lrnn_theory.householder import GHProduct

Array = NDArray[Any]
_SMALL = 2**62
"""Integers below this in absolute value are kept in int64."""

MAX_WEIGHTS = 200_000_000
"""Largest accepted number of entries of one array of weights."""


def exact_array(name: str, values: ArrayLike) -> Array:
    """An array of exact numbers: int64 if all are machine integers, else object.

    Floats are taken for the dyadic rationals they are.

    Raises:
        ValueError: if an entry is NaN or infinite.
        TypeError: if an entry is not a number.
    """
    array = np.asarray(values)
    if np.issubdtype(array.dtype, np.integer):
        if not array.size or -_SMALL < int(array.min()) <= int(array.max()) < _SMALL:
            return array.astype(np.int64)
        array = array.astype(object)
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all():
            raise ValueError(f"Argument '{name}' must hold finite numbers, not NaN or infinity.")
        if (array == np.rint(array)).all() and (abs(array) < 2.0**53).all():
            return array.astype(np.int64)
        array = np.vectorize(Fraction, otypes=[object])(array.astype(np.float64))
    if array.dtype != object:
        raise TypeError(f"Argument '{name}' must hold numbers, not {array.dtype}.")
    exact = np.empty(array.shape, object)
    for index, x in np.ndenumerate(array):
        if isinstance(x, (float, np.floating)):
            if not np.isfinite(x):
                raise ValueError(f"Argument '{name}' must hold finite numbers, not {x}.")
            x = Fraction(float(x))
        if isinstance(x, bool) or not isinstance(x, (int, np.integer, Fraction, Cyclotomic)):
            raise TypeError(f"Argument '{name}' must hold exact numbers, not {x!r}.")
        exact[index] = simplify(int(x) if isinstance(x, np.integer) else x)
    if all(isinstance(x, int) and abs(x) < _SMALL for x in exact.flat):
        return exact.astype(np.int64)
    return exact


def index_array(name: str, values: ArrayLike, ndim: int, bound: int) -> NDArray[np.int32]:
    """An array of indices in 0..bound-1 with `ndim` dimensions; ValueError if it is none."""
    array = np.asarray(values)
    if array.ndim != ndim or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"Argument '{name}' must be an integer array of {ndim} dimensions.")
    if array.size and not 0 <= array.min() <= array.max() < bound:
        raise ValueError(
            f"Argument '{name}' must hold indices in 0..{bound - 1}, "
            f"not {array.min()}..{array.max()}."
        )
    return array.astype(np.int32)


# -------------------------------------------------------------------- transitions


@dataclass(frozen=True, eq=False)
class Householder:
    """Products of generalized Householder factors I - beta k k^T.

    Attributes:
        keys: (factors, n), the vectors k, not normalised.
        betas: (factors,).
        ptr: (actions + 1,); action a is the product of the factors ptr[a], ..., ptr[a+1] - 1 in
            this order, so the last one acts first; no factor at all is the identity.
    """

    keys: Array
    betas: Array
    ptr: NDArray[Any]

    def __post_init__(self) -> None:
        keys, betas = exact_array("keys", self.keys), exact_array("betas", self.betas)
        ptr = np.asarray(self.ptr, np.int64)
        if keys.ndim != 2 or betas.shape != keys.shape[:1]:
            raise ValueError(
                f"Arguments 'keys' and 'betas' must have shapes (factors, n) and (factors,), "
                f"not {keys.shape} and {betas.shape}."
            )
        if ptr.ndim != 1 or ptr[0] != 0 or ptr[-1] != len(keys) or (np.diff(ptr) < 0).any():
            raise ValueError(f"Argument 'ptr' must rise from 0 to the {len(keys)} factors.")
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "betas", betas)
        object.__setattr__(self, "ptr", ptr)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The exact arrays."""
        return (self.keys, self.betas)

    @property
    def n(self) -> int:
        """Dimension."""
        return self.keys.shape[1]

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return len(self.ptr) - 1

    @property
    def factors(self) -> NDArray[np.int64]:
        """Number of factors of every action."""
        return np.diff(self.ptr)

    @cached_property
    def eigenvalues(self) -> Array:
        """1 - beta |k|^2 of every factor."""
        return GHProduct(self.keys, self.betas).eigenvalues()

    def product(self, action: int) -> GHProduct:
        """The factors of an action."""
        rows = slice(self.ptr[action], self.ptr[action + 1])
        return GHProduct(self.keys[rows], self.betas[rows])

    def matrix(self, action: int) -> Array:
        """The product, exactly, of shape (n, n)."""
        return self.product(action).matrix()


@dataclass(frozen=True, eq=False)
class Diagonal:
    """Diagonal matrices, stored as `diagonal` of shape (actions, n)."""

    diagonal: Array

    def __post_init__(self) -> None:
        diagonal = exact_array("diagonal", self.diagonal)
        if diagonal.ndim != 2:
            raise ValueError(
                f"Argument 'diagonal' must have shape (actions, n), not {diagonal.shape}."
            )
        object.__setattr__(self, "diagonal", diagonal)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The exact arrays."""
        return (self.diagonal,)

    @property
    def n(self) -> int:
        """Dimension."""
        return self.diagonal.shape[1]

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return len(self.diagonal)

    def matrix(self, action: int) -> Array:
        """The diagonal matrix, of shape (n, n)."""
        out = np.zeros((self.n, self.n), self.diagonal.dtype)
        np.fill_diagonal(out, self.diagonal[action])
        return out


@dataclass(frozen=True, eq=False)
class Dense:
    """Arbitrary matrices of shape (actions, n, n); the baseline outside every Householder class."""

    matrices: Array

    def __post_init__(self) -> None:
        matrices = exact_array("matrices", self.matrices)
        if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2]:
            raise ValueError(
                f"Argument 'matrices' must have shape (actions, n, n), not {matrices.shape}."
            )
        object.__setattr__(self, "matrices", matrices)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The exact arrays."""
        return (self.matrices,)

    @property
    def n(self) -> int:
        """Dimension."""
        return self.matrices.shape[1]

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return len(self.matrices)

    def matrix(self, action: int) -> Array:
        """The matrix, of shape (n, n)."""
        return self.matrices[action]


Transition = Householder | Diagonal | Dense
