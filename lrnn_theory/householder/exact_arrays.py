"""Arrays of integers, exact ring elements or floats: one type, checked, without overflow."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory.cyclotomic import Cyclotomic

MAX_KEY_ENTRIES = 50_000_000
"""Largest number of key entries (factors times n) that a factorisation writes (400 MB)."""


def unify(**arrays: ArrayLike) -> list[NDArray[Any]]:
    """Copies of the arrays with one type: int64, object (exact) or float64."""
    converted = []
    for name, values in arrays.items():
        array = np.asarray(values)
        array = array.astype(object) if array.dtype == np.uint64 else array
        if not _is_numeric(array):
            raise ValueError(
                f"Argument '{name}' must hold integers, exact ring elements or finite floats, "
                f"not {shown(array.tolist())}."
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


def compact(array: NDArray[Any]) -> NDArray[Any]:
    """Rational objects as int64 if every one is an integer that fits; otherwise unchanged."""
    fits = all(
        isinstance(x, int | Fraction) and x.denominator == 1 and abs(x) < 2**63 for x in array.flat
    )
    return array.astype(np.int64) if fits else array


def fractions(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Integers, fractions or floats as the fractions they are."""
    array = array.astype(object)
    if not all(isinstance(x, Rational | float) for x in array.flat):
        raise ValueError(f"Argument '{name}' must hold integers, fractions or floats.")
    return np.asarray(np.frompyfunc(Fraction, 1, 1)(array))


def field_elements(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """As `fractions`, but cyclotomic numbers may be among them."""
    if any(isinstance(x, Cyclotomic) for x in array.flat):
        values = [x if isinstance(x, Cyclotomic) else Fraction(x) for x in array.flat]
        out = np.empty(array.shape, object)
        out.reshape(-1)[:] = values
        return out
    return fractions(name, array)


def square(name: str, values: ArrayLike) -> NDArray[Any]:
    """A square matrix as an array of one type; ValueError if it is none."""
    (matrix,) = unify(**{name: values})
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(
            f"Argument '{name}' must have shape (n, n) with n >= 1, not {matrix.shape}."
        )
    return matrix


def zero_keys(factors: int, n: int) -> NDArray[np.int64]:
    """Room for integer keys."""
    if isinstance(n, bool) or operator.index(n) < 1:
        raise ValueError(f"Argument 'n' must be positive, not {n}.")
    if factors * n > MAX_KEY_ENTRIES:
        raise ValueError(
            f"{factors} factors of size {n} need {factors * n} key entries, more than "
            f"MAX_KEY_ENTRIES = {MAX_KEY_ENTRIES}."
        )
    return np.zeros((factors, n), dtype=np.int64)


def weights(keys: NDArray[Any], betas: NDArray[Any]) -> NDArray[Any]:
    """`beta |k|^2` of every factor, in the arithmetic of the arrays."""
    return (keys * keys).sum(axis=1) * betas


def stays_in_int64(keys: NDArray[Any], betas: NDArray[Any], h: NDArray[Any]) -> bool:
    """Whether a bound on `|A h|` says that it fits.

    A factor stretches a column by at most max(1, |1 - beta |k|^2|).  On the way there int64 is
    arithmetic modulo 2^64, where overflow does no harm.  2^62 leaves room for rounding the bound.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        eigenvalues = 1.0 - weights(keys.astype(np.float64), betas.astype(np.float64))
        column = math.sqrt(keys.shape[1]) * np.abs(h.astype(np.float64)).max(initial=0.0)
        return bool(column * np.maximum(1.0, np.abs(eigenvalues)).prod() < 2.0**62)


def shown(values: object) -> str:
    """A short text for messages."""
    text = str(values)
    return text if len(text) <= 60 else text[:57] + "..."
