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
from lrnn_theory.lrnn import Layer
from lrnn_theory.transition import MAX_WEIGHTS, Diagonal

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """Rounded weights; float64 arrays, or exact ones (int64 or object) in exact arithmetic.

    Attributes:
        columns: (actions, n, width), columns of the nonzero entries of every row in ascending
            order, padded with n (a row of zeros that kernels append to the state).
        values: (actions, n, width), the entries; 0 where padded.
        b: (actions, n, d).
        h0: (n, d).
        words: for every slot, its codewords, (codewords, rows * d).
        codewords: for every slot, `(columns, values)` of the nonzero entries of its codewords in
            ascending order, (codewords, width) each, padded with column rows * d.
        offsets: one array (codewords,) for every slot: |c|^2 / 2 in float64 (exact if exact),
            summed in index order.
        slots: the range of state rows of every slot.
    """

    columns: NDArray[np.int64]
    values: Array
    b: Array
    h0: Array
    words: tuple[Array, ...]
    codewords: tuple[tuple[NDArray[np.int64], Array], ...]
    offsets: tuple[Array, ...]
    slots: tuple[slice, ...]


def store(layer: Layer, arithmetic: Arithmetic) -> StoredLayer:
    """Materialise and round a layer.

    Raises:
        ValueError: if the dense matrices would have more than `MAX_WEIGHTS` entries.
    """
    n, n_actions = layer.n, layer.n_actions
    columns, values = _matrix_rows(layer)
    rounded = _rounder(arithmetic)
    if columns.size > MAX_WEIGHTS:
        raise ValueError(
            f"{n_actions} matrices of {n} x {n} pass the limit of {MAX_WEIGHTS} weights "
            f"(raise lrnn_theory.transition.MAX_WEIGHTS for more)."
        )
    words = tuple(rounded(c).reshape(len(c), -1) for c in layer.codewords)
    edges = np.cumsum([0, *(c.shape[1] for c in layer.codewords)])
    return StoredLayer(
        columns,
        rounded(values),
        rounded(layer.b),
        rounded(layer.h0),
        words,
        tuple(_word_rows(c) for c in words),
        tuple(_half_squares(c) for c in words),
        tuple(slice(int(i), int(j)) for i, j in pairwise(edges)),
    )


def _matrix_rows(layer: Layer) -> tuple[NDArray[np.int64], Array]:
    n, n_actions = layer.n, layer.n_actions
    if isinstance(layer.transition, Diagonal):
        columns = np.broadcast_to(np.arange(n)[None, :, None], (n_actions, n, 1))
        return columns.copy(), layer.transition.diagonal[:, :, None].copy()
    entries = []
    for action in range(n_actions):
        matrix = layer.transition.matrix(action)
        r, c = np.nonzero(matrix)
        entries.append((r, c, matrix[r, c]))
    return _sparse(entries, n, n)


def _word_rows(words: Array) -> tuple[NDArray[np.int64], Array]:
    r, c = np.nonzero(words)
    columns, values = _sparse([(r, c, words[r, c])], *words.shape)
    return columns[0], values[0]


def _sparse(
    entries: list[tuple[Array, Array, Array]], n_rows: int, n_columns: int
) -> tuple[NDArray[np.int64], Array]:
    """Nonzero entries (rows, columns, values) of matrices as padded rows; see `StoredLayer`."""
    width = max(1, *(int(np.bincount(r, minlength=n_rows).max()) for r, _, _ in entries))
    kinds = {v.dtype for _, _, v in entries}
    columns = np.full((len(entries), n_rows, width), n_columns, np.int64)
    values = np.zeros(columns.shape, np.result_type(*kinds))
    for i, (r, c, v) in enumerate(entries):
        place = np.arange(len(r)) - np.searchsorted(r, r)  # rank of an entry within its row
        columns[i, r, place], values[i, r, place] = c, v
    return columns, values


def _rounder(arithmetic: Arithmetic) -> Callable[[Array], Array]:
    if arithmetic.is_exact:
        return lambda array: array
    cache: dict[Any, float] = {}

    def rounded(array: Array) -> NDArray[np.float64]:
        flat = array.ravel()
        distinct, inverse = (
            (flat, np.arange(flat.size))
            if array.dtype == object
            else np.unique(flat, return_inverse=True)
        )
        out = np.empty(len(distinct))
        for i, x in enumerate(distinct.tolist()):
            if x not in cache:
                cache[x] = float(arithmetic.round(x))
            out[i] = cache[x]
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
