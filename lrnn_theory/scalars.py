"""Layers whose coordinate is one number: for levels of a cascade that reset or stay.

A reset forgets all, so a coordinate that is never permuted needs no vector of its own: H = p.

* `number_layer`: a reset is A = 0, B = q.
* `number_register_layer`: H = (current, previous); a reset is [[0, 0], [1, 0]], a swap and a
  projection, with B = (q, 0).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory import householder as gh
from lrnn_theory.lrnn import Layer
from lrnn_theory.onehot import stack


def number_layer(maps: ArrayLike, initial: int) -> Layer:
    """The layer of width 1 for maps of shape (actions, size), each the identity or constant.

    Its readout knows the current coordinate; the previous one only where it stays.

    Raises:
        ValueError: if a map is neither the identity nor constant.
    """
    size, target = _targets(maps)
    products = [gh.identity(1) if q < 0 else gh.reset(1) for q in target]
    readout = np.zeros((len(target), size, 2), np.int32)
    readout[:, :, 1] = np.arange(size)
    readout[target < 0, :, 0] = np.arange(size)
    b = np.maximum(target, 0).reshape(-1, 1, 1)
    words = np.arange(size).reshape(size, 1, 1)
    return Layer(stack(products, 1), b, words[initial], (words,), readout, size, initial)


def number_register_layer(maps: ArrayLike, initial: int) -> Layer:
    """The layer of width 2 that knows the previous coordinate, too, after every action.

    Raises:
        ValueError: if a map is neither the identity nor constant.
    """
    size, target = _targets(maps)
    products = [gh.identity(2) if q < 0 else gh.register_reset(1) for q in target]
    readout = np.zeros((len(target), size, size, 2), np.int32)
    readout[..., 1] = np.arange(size)[:, None]
    readout[target < 0, ..., 0] = np.arange(size)[:, None]
    readout[target >= 0, ..., 0] = np.arange(size)
    b = np.zeros((len(target), 2, 1), np.int64)
    b[:, 0, 0] = np.maximum(target, 0)
    words = np.arange(size).reshape(size, 1, 1)
    h0 = np.full((2, 1), initial)
    pairs = readout.reshape(len(target), -1, 2)
    return Layer(stack(products, 2), b, h0, (words, words), pairs, size, initial)


def _targets(maps: ArrayLike) -> tuple[int, NDArray[np.int64]]:
    """The size, and what every map resets to; -1 for the identity."""
    maps = np.asarray(maps, np.int64)
    stays = (maps == np.arange(maps.shape[1])).all(axis=1)
    if not (stays | (maps == maps[:, :1]).all(axis=1)).all():
        raise ValueError("A coordinate map of numbers must be the identity or constant.")
    return maps.shape[1], np.where(stays & (maps.shape[1] > 1), -1, maps[:, 0])


def delay_layer(size: int, initial: int) -> Layer:
    """The layer of width 2 that keeps the last two of a sequence of numbers below `size`.

    Action s * size + p writes p over the number in row s: A is a projection.  Its coordinate is the
    pair of numbers, row by row; the previous coordinate is not known.
    """
    written = np.arange(size)
    products = [gh.projection(2, [row]) for row in range(2) for _ in written]
    b = np.zeros((2, size, 2, 1), np.int64)
    b[0, :, 0, 0] = b[1, :, 1, 0] = written
    words = written.reshape(size, 1, 1)
    readout = np.zeros((2 * size, size * size, 2), np.int32)
    readout[:, :, 1] = np.arange(size * size)
    return Layer(
        stack(products, 2), b.reshape(-1, 2, 1), np.full((2, 1), initial), (words, words), readout,
        size * size, initial * (size + 1),
    )  # fmt: skip
