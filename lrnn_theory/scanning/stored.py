"""A layer as an arithmetic stores it: rounded, with the nonzero entries of every matrix row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cyclotomic import Cyclotomic
from lrnn_theory.lrnn import Layer
from lrnn_theory.transition import MAX_WEIGHTS, Dense, Diagonal, Householder

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class StoredFactors:
    """Rounded Householder factors I - beta k k^T.

    Action a owns the factors ptr[a]:ptr[a+1], of which the last acts first.

    Attributes:
        ptr: (actions + 1,).
        columns: (factors, width), columns of the nonzero entries of every key in ascending order,
            padded with n.
        values: (factors, width), the entries; 0 where padded.
        betas: (factors,).
    """

    ptr: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: Array
    betas: Array


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """Stored weights: float64 arrays, or arrays of exact numbers (int64 or object).

    Floating point rounds the weights.  Fixed point and finite sets round states (H_0, codewords)
    only; their weights are float64 where they are short, so that products are exact.

    Attributes:
        columns: (actions, n, width), columns of the nonzero entries of every row in ascending
            order, padded with n (a row of zeros that kernels append to the state); of width 0 if
            there are `factors`.
        values: (actions, n, width), the entries; 0 where padded.
        factors: the factors of all actions, in a factored arithmetic.
        b: (actions, n, d).
        h0: (n, d).
        words: for every slot, its codewords, (codewords, rows * d).
        codewords: for every slot, `(columns, values)` of the nonzero entries of its codewords in
            ascending order, (codewords, width) each, padded with column rows * d.
        offsets: one array (codewords,) for every slot: |c|^2 / 2 in float64 (exact if the
            codewords are), summed in index order.
        slots: the range of state rows of every slot.
    """

    columns: NDArray[np.int64]
    values: Array
    factors: StoredFactors | None
    b: Array
    h0: Array
    words: tuple[Array, ...]
    codewords: tuple[tuple[NDArray[np.int64], Array], ...]
    offsets: tuple[Array, ...]
    slots: tuple[slice, ...]

    @property
    def is_native(self) -> bool:
        """Whether all weights are float64."""
        factors = self.factors
        weights = (
            [self.b, self.values] if factors is None else [self.b, factors.values, factors.betas]
        )
        return all(x.dtype == np.float64 for x in (*weights, self.h0, *self.words))


def store(layer: Layer, arithmetic: Arithmetic) -> StoredLayer:
    """Materialise and round a layer.

    Raises:
        ValueError: if the dense matrices would have more than `MAX_WEIGHTS` entries, or a factored
            arithmetic meets a layer of dense matrices.
    """
    seen: Rounder = _rounder(arithmetic.round) if arithmetic.format else _same
    rounded = _short_or_exact if arithmetic.keeps_weights else seen
    if arithmetic.is_exact or arithmetic.semantics == "cast":
        rounded = _same
    factors = None
    if arithmetic.factored and isinstance(layer.transition, Dense):
        raise ValueError(
            f"Arithmetic '{arithmetic}' needs factors, but a layer has dense matrices."
        )
    if arithmetic.factored and isinstance(layer.transition, Householder):
        factors = _factors(layer.transition, rounded)
        columns = np.zeros((layer.n_actions, layer.n, 0), np.int64)
        values = columns.astype(factors.values.dtype)
    else:
        columns, values = _matrix_rows(layer, rounded)
    words = tuple(seen(c).reshape(len(c), -1) for c in layer.codewords)
    edges = np.cumsum([0, *(c.shape[1] for c in layer.codewords)])
    return StoredLayer(
        columns,
        values,
        factors,
        rounded(layer.b),
        layer.h0 if rounded is _same else seen(layer.h0),
        words,
        tuple(_word_rows(c) for c in words),
        tuple(_half_squares(c) for c in words),
        tuple(slice(int(i), int(j)) for i, j in pairwise(edges)),
    )


def _matrix_rows(layer: Layer, rounded: Rounder) -> tuple[NDArray[np.int64], Array]:
    n, transition = layer.n, layer.transition
    entries = []
    for action in range(layer.n_actions):
        if isinstance(transition, Diagonal):
            r = c = np.arange(n)
            entries.append((r, c, transition.diagonal[action]))
            continue
        matrix = transition.matrix(action)
        r, c = np.nonzero(matrix)
        entries.append((r, c, matrix[r, c]))
    return _sparse(_rounded_entries(entries, rounded), n, n)


def _factors(transition: Householder, rounded: Rounder) -> StoredFactors:
    keys = rounded(transition.keys)
    r, c = np.nonzero(keys)
    columns, values = _sparse([(r, c, keys[r, c])], *keys.shape)
    return StoredFactors(transition.ptr, columns[0], values[0], rounded(transition.betas))


def _word_rows(words: Array) -> tuple[NDArray[np.int64], Array]:
    r, c = np.nonzero(words)
    columns, values = _sparse([(r, c, words[r, c])], *words.shape)
    return columns[0], values[0]


Entries = tuple[Array, Array, Array]


def _rounded_entries(entries: list[Entries], rounded: Rounder) -> list[Entries]:
    """The entries that are not zero when stored."""
    kept = []
    values = rounded(np.concatenate([v for _, _, v in entries]))
    ends = np.cumsum([len(r) for r, _, _ in entries])
    for (r, c, _), v in zip(entries, np.split(values, ends[:-1]), strict=True):
        nonzero = v != 0
        kept.append((r[nonzero], c[nonzero], v[nonzero]))
    return kept


def _sparse(entries: list[Entries], n_rows: int, n_columns: int) -> tuple[NDArray[np.int64], Array]:
    """Nonzero entries (rows, columns, values) of matrices as padded rows; see `StoredLayer`."""
    counts = (np.bincount(r, minlength=n_rows).max(initial=0) for r, _, _ in entries)
    width = max(1, *map(int, counts))
    if len(entries) * n_rows * width > MAX_WEIGHTS:
        raise ValueError(
            f"{len(entries)} matrices of {n_rows} x {n_columns} pass the limit of {MAX_WEIGHTS} "
            f"weights (raise lrnn_theory.transition.MAX_WEIGHTS for more)."
        )
    kinds = {v.dtype for _, _, v in entries}
    columns = np.full((len(entries), n_rows, width), n_columns, np.int64)
    values = np.zeros(columns.shape, np.result_type(*kinds))
    for i, (r, c, v) in enumerate(entries):
        place = np.arange(len(r)) - np.searchsorted(r, r)  # rank of an entry within its row
        columns[i, r, place], values[i, r, place] = c, v
    return columns, values


Rounder = Callable[[Array], Array]


def _same(array: Array) -> Array:
    return array


def _short_or_exact(array: Array) -> Array:
    """Weights beside fixed point: doubles if all are multiples of 2^-26 of at most 24 bits."""
    if array.dtype == np.int64:
        short = not array.size or int(abs(array).max()) < 1 << 24
    else:
        short = all(
            isinstance(x, int | Fraction)
            and (1 << 26) % x.denominator == 0
            and x.numerator.bit_length() <= 24
            for x in array.flat
        )
    return array.astype(np.float64) if short else array.astype(object)


def _rounder(to: Callable[[Any], Any]) -> Rounder:
    """Round arrays of exact numbers; each distinct number once."""
    cache: dict[Any, Any] = {}

    def rounded(array: Array) -> Array:
        flat = array.ravel()
        distinct, inverse = (
            (flat, np.arange(flat.size))
            if array.dtype == object
            else np.unique(flat, return_inverse=True)
        )
        out = np.empty(len(distinct), object)
        for i, x in enumerate(distinct.tolist()):
            # To hash all coefficients, or to compare conjugates of one hash, would take longer.
            key = (id(x),) if isinstance(x, Cyclotomic) else x
            if key not in cache:
                cache[key] = to(x)
            out[i] = cache[key]
        if all(isinstance(x, float) for x in out):
            out = out.astype(np.float64)
        elif array.dtype == np.int64 and all(type(x) is int for x in out):
            out = out.astype(np.int64)
        return out[inverse.ravel()].reshape(array.shape)

    return rounded


def _half_squares(words: Array) -> Array:
    if words.dtype == object or words.dtype == np.int64:
        total = (words.astype(object) ** 2 if words.dtype == np.int64 else words * words).sum(
            axis=1
        )
        return np.array([Fraction(1, 2) * x for x in total], object)
    total = np.zeros(len(words))
    for i in range(words.shape[1]):
        total = total + words[:, i] * words[:, i]
    return total / 2
