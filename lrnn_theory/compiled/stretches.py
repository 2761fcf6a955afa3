"""Few long words of one layer that moves entries: many stretches of a word read side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.compiled.packed import single, tables_of
from lrnn_theory.packing import PackedLevel, named
from lrnn_theory.scanning import UnsupportedError

SHORTEST = 1 << 12
"""Letters of a stretch at least."""


class Stretches:
    """What stretches of letters do to the states of a layer, by the names of its entries.

    Raises:
        UnsupportedError: if the layer does more than move, negate and clear entries.
    """

    def __init__(self, level: PackedLevel) -> None:
        names = named(level)
        if names is None:
            raise UnsupportedError("a layer that does more than move entries")
        self._level, self._names = level, names
        self._tables = tables_of((names,))
        self._read = single(names.n, names.width)

    def run(
        self,
        letters: NDArray[Any],
        state: NDArray[np.uint64],
        count: int,
        in_threads: Callable[[Callable[[slice], None], NDArray[Any]], None],
    ) -> None:
        """Take states through words.

        Args:
            letters: (batch, time), a time that `count` divides.
            state: (batch, 1), packed states, taken on.
            count: stretches of a word.
            in_threads: calls a function for parts of rows.
        """
        batch, time = letters.shape
        rows = letters.reshape(batch * count, time // count)
        lengths = np.full(len(rows), rows.shape[1])
        names = np.full((len(rows), 1), self._names.start, np.uint64)
        unread, nowhere = np.zeros(len(rows), np.int64), np.empty((0, 0), np.int64)

        def read(part: slice) -> None:
            words = rows[part], lengths[part], names[part]
            self._read(self._tables, *words, nowhere, unread[part], nowhere, unread)

        in_threads(read, rows)
        moves = self._names.unpack(names[:, 0]).reshape(batch, count, -1)
        h = self._level.unpack(state[:, 0])
        for k in range(count):
            place = np.maximum(abs(moves[:, k]) - 1, 0)
            h = np.sign(moves[:, k]) * np.take_along_axis(h, place, axis=1)
        state[:, 0] = self._level.pack(h)
