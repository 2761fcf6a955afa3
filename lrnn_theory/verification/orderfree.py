"""A proof about one layer that holds for every order of evaluation.

Rounded products of affine maps are not associative, so each bracketing of a word is a computation
of its own.  Let X be the least set of pairs (rounded affine map, what it stands for) that holds the
letters' and is closed under rounded products, and Y the least set of pairs (state, coordinate) that
holds the initial one and is closed under the maps of X.  Whatever the order (letter after letter,
in chunks, as a tree), the maps and states that arise lie in X and Y.  If X and Y are finite and
every state of Y is read as its coordinate, the layer is right in every order, for all lengths.
docs/certificates.md has the induction.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import Level
from lrnn_theory.scanning.float_kernel import FloatKernel
from lrnn_theory.scanning.kernels import make_kernel
from lrnn_theory.scanning.rational import RationalKernel

MAX_MAPS = 1_000
"""Most rounded affine maps of a layer; all their pairs are multiplied."""

Coordinates = tuple[int, ...]
"""A map of coordinates; -1 where it is never applied."""


class NotOrderFreeError(Exception):
    """The layer is not proved right in every order; the message says where it stopped."""


def close_products(
    level: Level, arithmetic: Arithmetic, maps: NDArray[np.int64], used: NDArray[Any]
) -> int:
    """Close a layer's affine maps and states under every bracketing.

    Args:
        level: the layer and what is read from it.
        arithmetic: the rounding; its order does not matter.
        maps: (actions, size), how actions move coordinates, -1 where they never do.
        used: the actions in use.

    Returns:
        The number of affine maps with what they stand for.

    Raises:
        NotOrderFreeError: if more than `MAX_MAPS` maps arise, a number is not finite, a state is
            misread, or the arithmetic is factored (its letters are no matrices).
    """
    if arithmetic.factored:
        raise NotOrderFreeError("factors are applied letter after letter, never multiplied")
    if arithmetic.format is None or arithmetic.format.round(0) != 0:
        raise NotOrderFreeError("entries that are zero count, for the format has no zero")
    layer, n = level.layer, level.layer.n
    kernel: Any = make_kernel(layer, replace(arithmetic, order="sequential", chunk=0), _CPU)
    moves = [tuple(row) for row in maps.tolist()]
    identity = tuple(range(layer.size))

    pool = _Pool(kernel, n + layer.d)
    action: Any = used if isinstance(kernel, RationalKernel) else torch.as_tensor(used)
    ids = pool.add(_joined(kernel.matrices(action), kernel.b[action]))
    # An element: the rounded map, the coordinates before its last letter, its last action.
    elements = [(i, identity, a) for i, a in zip(ids.tolist(), used.tolist(), strict=True)]
    seen, products, fresh = set(elements), {}, elements
    while fresh:
        pairs = [*product(fresh, elements), *product(elements, fresh)]
        _multiply(kernel, pool, n, products, pairs)
        fresh = []
        for (i, before, a), (j, before2, a2) in pairs:
            made = products[i, j], _then(_then(before, moves[a]), before2), a2
            if made not in seen:
                seen.add(made)
                fresh.append(made)
        elements = elements + fresh
        if len(elements) > MAX_MAPS:
            raise NotOrderFreeError(f"more than {MAX_MAPS} rounded affine maps")
    _read_states(level, kernel, pool, elements, moves)
    return len(elements)


def _multiply(
    kernel: Any, pool: _Pool, n: int, products: dict[tuple[int, int], int], pairs: list[Any]
) -> None:
    """Fill in the products j after i of all pairs of rounded maps."""
    missing = sorted({(x[0], y[0]) for x, y in pairs} - products.keys())
    for at in range(0, len(missing), 100_000):
        part = np.array(missing[at : at + 100_000])
        first, second = pool.rows(part[:, 0]), pool.rows(part[:, 1])
        p = kernel.affine(second[:, :, :n], first[:, :, :n], None)
        s = kernel.affine(second[:, :, :n], first[:, :, n:], second[:, :, n:])
        ids = pool.add(_joined(p, s))
        products.update(zip(map(tuple, part.tolist()), ids.tolist(), strict=True))


def _read_states(
    level: Level, kernel: Any, pool: _Pool, elements: list[Any], moves: list[Coordinates]
) -> None:
    """Close the states under all maps, and read each of them after each map."""
    layer, n = level.layer, level.layer.n
    states = _Pool(kernel, layer.d)
    states.add(kernel.start(1))
    frontier = [(0, layer.initial)]
    seen = set(frontier)
    matrix = np.array([i for i, _, _ in elements])
    readout = layer.readout
    while frontier:
        state, coordinate = frontier.pop()
        columns = pool.rows(matrix)
        h = states.rows(np.full(len(elements), state))
        after = kernel.affine(columns[:, :, :n], h, columns[:, :, n:])
        words = np.asarray(kernel.decode(after)).tolist()
        ids = states.add(after).tolist()
        for (_, before, a), word, target in zip(elements, words, ids, strict=True):
            previous = before[coordinate]
            current = moves[a][previous] if previous >= 0 else -1
            if current < 0:
                continue  # no word leads here
            told = readout[a, word]
            if told[1] != current or (level.reads == "previous" and told[0] != previous):
                raise NotOrderFreeError("some bracketing of a word is misread")
            if (target, current) not in seen:
                seen.add((target, current))
                frontier.append((target, current))


def _then(first: Coordinates, second: Coordinates) -> Coordinates:
    return tuple(second[p] if p >= 0 else -1 for p in first)


class _Pool:
    """Arrays (n, columns), numbered by their bits."""

    def __init__(self, kernel: FloatKernel | RationalKernel, columns: int) -> None:
        self._keys = kernel.keys
        self._ids: dict[Any, int] = {}
        self._rows = (
            kernel.start(1).repeat(1, 1, columns)[:0, :, :columns]
            if isinstance(kernel, FloatKernel)
            else np.empty((0, len(kernel.h0), columns), object)
        )

    def add(self, rows: Any) -> NDArray[np.int64]:
        """Numbers of arrays of shape (batch, n, columns)."""
        if not all(map(np.isfinite, np.asarray(rows, float).ravel())):
            raise NotOrderFreeError("a number is not finite")
        known = len(self._ids)
        ids = [self._ids.setdefault(key, len(self._ids)) for key in self._keys(rows)]
        fresh = np.unique(ids, return_index=True)[1]
        fresh = fresh[np.array(ids)[fresh] >= known]
        new = rows[fresh]
        self._rows: Any = (
            torch.cat([self._rows, new])
            if isinstance(rows, torch.Tensor)
            else np.concatenate([self._rows, new])
        )
        return np.array(ids, np.int64)

    def rows(self, ids: NDArray[np.int64]) -> Any:
        """The arrays of these numbers."""
        return self._rows[ids]


def _joined(p: Any, s: Any) -> Any:
    return torch.cat([p, s], 2) if isinstance(p, torch.Tensor) else np.concatenate([p, s], axis=2)


_CPU = torch.device("cpu")
