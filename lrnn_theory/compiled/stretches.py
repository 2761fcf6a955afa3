"""Few long words of one layer that moves entries: many stretches of a word read side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.compiled.packed import single, tables_of
from lrnn_theory.moves import Moves, names_of
from lrnn_theory.packing import PackedLevel
from lrnn_theory.scanning import UnsupportedError

SHORTEST = 1 << 12
"""Letters of a stretch at least."""
_AT_ONCE = 4
"""Words that keep a core busy."""
_FEW = 10_000
"""Letters that are not worth a thread."""


class Stretches:
    """What stretches of letters do to the states of a packed network of one layer.

    Raises:
        UnsupportedError: if there is no summary of a stretch.
    """

    def __init__(self, levels: Sequence[PackedLevel]) -> None:
        self.level, *others = levels
        if others:
            raise UnsupportedError(f"{len(levels)} layers")
        self._names = names_of(self.level)
        self._tables = tables_of((self._names.level,))
        self._read = single(self.level.n, self._names.level.width)

    def pays(self, batch: int, time: int) -> bool:
        """Whether words are so few and so long that they are better read in stretches."""
        return self._count(batch, time) > 1

    def _count(self, batch: int, time: int) -> int:
        wanted = -(-_AT_ONCE * (os.cpu_count() or 1) // max(batch, 1))
        return max(1, min(wanted, time // SHORTEST))

    def checks(self, letters: torch.Tensor) -> bool:  # noqa: ARG002
        """As `Summaries` says."""
        return False

    def moves(self, letters: torch.Tensor) -> Moves:
        """What words, (batch, time), do: (batch, n)."""
        batch, time = letters.shape
        count = self._count(batch, time)
        length = time // count
        whole = letters[:, : count * length].reshape(batch * count, length)
        moves = Moves(*(x.unflatten(0, (batch, count)) for x in self._read_all(whole))).joined()
        rest = letters[:, count * length :]
        return moves.then(self._read_all(rest)) if rest.numel() else moves

    def _read_all(self, words: torch.Tensor) -> Moves:
        rows = words.contiguous().numpy()
        lengths = np.full(len(rows), rows.shape[1])
        names = np.full((len(rows), 1), self._names.level.start, np.uint64)
        unread, nowhere = np.zeros(len(rows), np.int64), np.empty((0, 0), np.int64)

        def read(part: slice) -> None:
            words = rows[part], lengths[part], names[part]
            self._read(self._tables, *words, nowhere, unread[part], nowhere, unread)

        in_threads(read, rows)
        return self._names.moves(torch.from_numpy(names[:, 0].astype(np.int64)))


def in_threads(read: Callable[[slice], None], letters: NDArray[Any]) -> None:
    """Call a function for parts of the rows, (batch, time), one for each core."""
    batch, count = len(letters), os.cpu_count() or 1
    if letters.size < _FEW or count == 1:
        read(slice(batch))
        return
    edges = [batch * i // count for i in range(count + 1)]
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(read, map(slice, edges, edges[1:])))
