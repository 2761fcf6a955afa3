"""Packed networks on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.cuda.launch import Words, read_words
from lrnn_theory.cuda.packed_kernels import read_packed
from lrnn_theory.packing import ChainTables, Packed, PackedLevel, chain_tables

_SHALLOW = 4
"""Levels of which the loop over four letters is unrolled: more take too long to compile."""
_FEW_LANES = 1 << 16
"""Lanes that do not hide how long a level waits for the one before it."""
_BY_CONTEXT = 1 << 10
"""Entries of a table of columns by context at most."""


class PackedScan:
    """A packed network on a device.

    Args:
        packed: the network.
        device: a CUDA device, or the CPU under Triton's interpreter.

    Raises:
        UnsupportedError: if its tables are too large.
    """

    def __init__(self, packed: Packed, device: torch.device) -> None:
        self.packed, self.device = packed, device
        bits = max(v.n * v.width for v in packed.levels)
        self.bits = 32 if bits <= 32 else 64
        self.word = torch.uint32 if self.bits == 32 else torch.uint64
        chain = chain_tables(packed.levels, self.bits)
        tables = _Tables(chain)
        self.levels = tuple(
            (v.n, v.width, v.ones, v.least, v.support, *tables.add(v, *h))
            for v, h in zip(packed.levels, chain.hashes, strict=True)
        )
        follow = np.concatenate(tables.follow)
        kind = next(x for x in (np.uint8, np.int16, np.int32) if follow.max() <= np.iinfo(x).max)
        self.follow = torch.from_numpy(follow.astype(kind)).to(device)
        self._tables = (
            torch.from_numpy(tables.column.astype(np.int32)).to(device),
            self._words(np.concatenate(tables.columns)),
            self.follow,
        )
        self._known = len(packed.levels[0].follow)
        self.first = self._words(np.array([[v.start] for v in packed.levels]))
        """The packed initial state, (levels, 1)."""

    def _words(self, array: Any) -> torch.Tensor:
        kind = np.uint32 if self.bits == 32 else np.uint64
        return torch.from_numpy(array.astype(np.uint64).astype(kind)).to(self.device)

    def start(self, batch: int) -> torch.Tensor:
        """The packed initial states, (levels, batch), to be taken on."""
        signed = torch.int32 if self.bits == 32 else torch.int64
        starts = self.first.view(signed).expand(-1, batch)
        return starts.clone(memory_format=torch.contiguous_format).view(self.word)

    def run(self, words: Words) -> None:
        """Read words; their states are packed, (levels, batch), of dtype `word`."""
        depth = len(self.levels)
        read_words(
            read_packed,
            words,
            (*self._tables, self._known),
            LEVELS=self.levels,
            UNROLLED=depth <= _SHALLOW,
            STAGGERED=depth > 1 and len(words.output) <= _FEW_LANES,
        )


class _Tables:
    """The tables of a chain, so small that lanes seldom miss, and meet in few lines of a cache.

    Attributes:
        column: (contexts,), where the first column of a context's action is.
        columns: of every level, entry after entry of all its actions; or of all its contexts, if
            these are few, so that no column is looked up.
        follow: of every level, one row if all contexts lead alike.
    """

    def __init__(self, chain: ChainTables) -> None:
        self.column = chain.column.copy()
        self.columns: list[NDArray[Any]] = []
        self.follow: list[NDArray[Any]] = []
        self._chain, self._context = chain, 0

    def add(
        self, level: PackedLevel, multiplier: int, shift: int, first: int, size: int
    ) -> tuple[int, ...]:
        """A level from its multiplier on, as `read_packed` takes it."""
        context, count = self._context, len(level.follow)
        self._context += count
        place = sum(map(len, self.follow))
        rows = self._chain.follow[first + context * size :][: count * size].reshape(count, size)
        if alike := bool((rows == rows[0]).all()):
            rows = rows[:1]
        self.follow.append(rows.ravel())
        hashed = (place, 0) if alike else (place - context * size, size)
        columns = level.columns.reshape(-1, level.n)
        if level.ones == level.least == 1:  # one column is added, which takes the constant along
            columns = columns + level.constant[:, None]
        elif level.constant.any():
            columns = np.concatenate([columns, level.constant[:, None]], axis=1)
        start = sum(map(len, self.columns))
        by_context = count * level.n <= _BY_CONTEXT
        if by_context:
            columns = columns[level.action]
        self.column[context : context + count] = start + level.action
        self.columns.append(columns.T.ravel())
        adds = columns.shape[1] > level.n
        return multiplier, shift, *hashed, by_context, start - context, len(columns), adds, context
