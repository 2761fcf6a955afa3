"""Packed networks in compiled code: states stay in machine words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from lrnn_theory.packing import Packed, PackedLevel, chain_tables

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False, "cache": True}
_AT_ONCE = 64
"""Words that a thread reads side by side in a cascade."""
SPECIALISED = 12
"""Largest number of entries of a layer for which a loop of its own is compiled."""


class Tables(NamedTuple):
    """What the loops read; the last four are those of `lrnn_theory.packing.ChainTables`.

    Attributes:
        sizes: (levels, 3), n, and where and how long the rows of `follow` are.
        ones: (levels,), 1 if one entry of a state is read, which is 1; 2 if some are; else 0.
        words: (levels, 5), the support, the hash's multiplier and shift, the width and the mask of
            an entry.
        constant, column, columns, follow: of contexts numbered through all levels.
    """

    sizes: NDArray[np.int64]
    ones: NDArray[np.int64]
    words: NDArray[np.uint64]
    constant: NDArray[np.uint64]
    column: NDArray[np.int64]
    columns: NDArray[np.uint64]
    follow: NDArray[np.int32]


class PackedChain:
    """A packed network in compiled code."""

    def __init__(self, packed: Packed) -> None:
        self.levels = packed.levels
        self._tables = tables_of(packed.levels)
        first = packed.levels[0]
        alone = len(packed.levels) == 1 and first.n <= SPECIALISED
        self._read_last = single(first.n, first.width) if alone else read

    def enter(self, hidden: Sequence[Any]) -> list[NDArray[np.uint64]]:
        """The states of a batch as words, (batch, levels).

        Raises:
            UnsupportedError: if the network is never in such a state.
        """
        pairs = zip(self.levels, hidden, strict=True)
        words = [level.pack(np.asarray(h)[:, :, 0]) for level, h in pairs]
        return [np.stack(words, axis=1).astype(np.uint64)]

    def leave(self, state: list[NDArray[np.uint64]]) -> list[NDArray[np.int64]]:
        """The states of every level, (batch, n, 1)."""
        columns = state[0].T
        return [v.unpack(x)[:, :, None] for v, x in zip(self.levels, columns, strict=True)]

    def read(
        self,
        letters: NDArray[Any],
        lengths: NDArray[np.int64],
        state: list[NDArray[np.uint64]],
        output: NDArray[np.int64],
        every: NDArray[np.int64] | None,
    ) -> None:
        """Read words, (batch, time), of these lengths; states and outputs are taken on."""
        room = np.empty(_AT_ONCE, np.int64)
        if every is None:
            nowhere = np.empty((0, 0), np.int64)
            self._read_last(self._tables, letters, lengths, state[0], output, nowhere, room)
        else:
            read(self._tables, letters, lengths, state[0], output, every, room)


def tables_of(levels: tuple[PackedLevel, ...]) -> Tables:
    """The tables of a chain of levels."""
    chain = chain_tables(levels)
    return Tables(
        np.array([[x.n, *h[2:]] for x, h in zip(levels, chain.hashes, strict=True)]),
        np.array([1 if x.ones == x.least == 1 else 2 * (x.ones > 0) for x in levels]),
        np.array(
            [
                [x.support, *h[:2], x.width, (1 << x.width) - 1]
                for x, h in zip(levels, chain.hashes, strict=True)
            ],
            np.uint64,
        ),
        chain.constant.astype(np.uint64),
        chain.column,
        chain.columns.astype(np.uint64),
        chain.follow,
    )


def _count_trailing_zeros(_context, word):
    """The number of zeros below the lowest one; 64 for 0."""

    def generate(context, builder, _signature, arguments):
        never = context.get_constant(types.boolean, False)
        return builder.cttz(arguments[0], never)

    return word(word), generate


_trailing_zeros: Any = intrinsic(_count_trailing_zeros)


@njit(**_OPTIONS)
def read(tables, letters, lengths, state, output, every, context):
    """Read words through a chain of levels, some side by side; `context` has room for theirs."""
    depth = len(tables.sizes)
    for first in range(0, len(letters), len(context)):
        count = min(len(context), len(letters) - first)
        shortest = longest = lengths[first]
        for k in range(first, first + count):
            shortest, longest = min(shortest, lengths[k]), max(longest, lengths[k])
        for t in range(longest):
            some = t >= shortest
            for k in range(count):
                if not (some and t >= lengths[first + k]):
                    context[k] = letters[first + k, t]
            for i in range(depth):
                n, row, size = tables.sizes[i, 0], tables.sizes[i, 1], tables.sizes[i, 2]
                support, width, mask = tables.words[i, 0], tables.words[i, 3], tables.words[i, 4]
                multiplier, shift = tables.words[i, 1], tables.words[i, 2]
                ones = tables.ones[i]
                for k in range(count):
                    if some and t >= lengths[first + k]:
                        continue
                    c = context[k]
                    h, column = state[first + k, i], tables.column[c]
                    new = tables.constant[c]
                    if ones == 1:
                        new += tables.columns[column + np.int64(_trailing_zeros(h & support))]
                    elif ones:
                        h &= support
                        while h:
                            new += tables.columns[column + np.int64(_trailing_zeros(h))]
                            h &= h - np.uint64(1)
                    else:
                        for j in range(n):
                            new += (h & mask) * tables.columns[column + j]
                            h >>= width
                    state[first + k, i] = new
                    place = row + c * size + np.int64((new * multiplier) >> shift)
                    context[k] = tables.follow[place]
            for k in range(count):
                if not (some and t >= lengths[first + k]):
                    output[first + k] = context[k]
                    if every.size:
                        every[first + k, t] = context[k]


@cache
def single(n: int, width: int) -> Any:
    """A scan of one layer to the last output: its loop over n entries is unrolled."""
    mask = np.uint64((1 << width) - 1)

    @njit(**_OPTIONS)
    def step(tables, letter, h):
        column = tables.column[letter]
        new = tables.constant[letter]
        for j in range(n):
            new += ((h >> np.uint64(j * width)) & mask) * tables.columns[column + j]
        return new

    @njit(**_OPTIONS)
    def read_last(tables, letters, lengths, state, output, every, context):  # noqa: ARG001
        for first in range(0, len(letters), 4):
            last = min(first + 4, len(letters))
            together = 0
            if last == first + 4:
                together = min(
                    min(lengths[first], lengths[first + 1]),
                    min(lengths[first + 2], lengths[first + 3]),
                )
                h0, h1 = state[first, 0], state[first + 1, 0]
                h2, h3 = state[first + 2, 0], state[first + 3, 0]
                for t in range(together):
                    h0 = step(tables, letters[first, t], h0)
                    h1 = step(tables, letters[first + 1, t], h1)
                    h2 = step(tables, letters[first + 2, t], h2)
                    h3 = step(tables, letters[first + 3, t], h3)
                state[first, 0], state[first + 1, 0] = h0, h1
                state[first + 2, 0], state[first + 3, 0] = h2, h3
            for k in range(first, last):
                h = state[k, 0]
                for t in range(together, lengths[k]):
                    h = step(tables, letters[k, t], h)
                state[k, 0] = h
                if lengths[k]:
                    c = np.int64(letters[k, lengths[k] - 1])
                    place = np.int64((h * tables.words[0, 1]) >> tables.words[0, 2])
                    output[k] = tables.follow[tables.sizes[0, 1] + c * tables.sizes[0, 2] + place]

    return read_last
