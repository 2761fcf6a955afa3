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
_LARGEST = 1 << 18
"""Entries of the largest table of what follows on contexts and states: it stays in the cache."""


class Tables(NamedTuple):
    """What the loops read; the last six are those of `lrnn_theory.packing.ChainTables`.

    Attributes:
        sizes: (levels, 5), n, and where and how long the rows of `follow` and of `below` are.
        shifted: (levels,), whether a level passes on what it read one letter before.
        ones: (levels,), 1 if one entry of a state is read, which is 1; 2 if some are; else 0.
        words: (levels, 5), the support, the hash's multiplier and shift, the width and the mask of
            an entry.
        constant, column, columns, follow, row, below: of contexts numbered through all levels.
    """

    sizes: NDArray[np.int64]
    shifted: NDArray[np.bool_]
    ones: NDArray[np.int64]
    words: NDArray[np.uint64]
    constant: NDArray[np.uint64]
    column: NDArray[np.int64]
    columns: NDArray[np.uint64]
    follow: NDArray[np.int32]
    row: NDArray[np.int64]
    below: NDArray[np.int32]


class PackedChain:
    """A packed network in compiled code.

    Attributes:
        levels: its levels.
        arrays: how many arrays hold the states of a batch.
    """

    arrays = 2

    def __init__(self, packed: Packed) -> None:
        self.levels = packed.levels
        self._tables = tables_of(packed.levels)
        first = packed.levels[0]
        alone = len(packed.levels) == 1 and first.n <= SPECIALISED and not self._tables.sizes[0, 4]
        self._read_last = single(first.n, first.width) if alone else read

    def enter(self, hidden: Sequence[Any], shifted: Sequence[Any]) -> list[NDArray[Any]]:
        """The states of a batch as words, and the coordinates read last, (batch, levels) each.

        Raises:
            UnsupportedError: if the network is never in such a state.
        """
        pairs = zip(self.levels, hidden, strict=True)
        words = [level.pack(np.asarray(h)[:, :, 0]) for level, h in pairs]
        read = [np.asarray(x) for x in shifted]
        return [np.stack(words, axis=1).astype(np.uint64), np.stack(read, axis=1)]

    def leave(self, state: list[NDArray[Any]]) -> tuple[list[Any], list[Any]]:
        """The states of every level, (batch, n, 1), and the coordinates, (batch,)."""
        pairs = zip(self.levels, state[0].T, strict=True)
        return [level.unpack(x)[:, :, None] for level, x in pairs], list(state[1].T)

    def read(
        self,
        letters: NDArray[Any],
        lengths: NDArray[np.int64],
        state: list[NDArray[Any]],
        output: NDArray[np.int64],
        every: NDArray[np.int64] | None,
    ) -> None:
        """Read words, (batch, time), of these lengths; states and outputs are taken on."""
        room, (words, memory) = np.empty(_AT_ONCE, np.int64), state
        if every is None:
            nowhere = np.empty((0, 0), np.int64)
            self._read_last(self._tables, letters, lengths, words, memory, output, nowhere, room)
        else:
            read(self._tables, letters, lengths, words, memory, output, every, room)


def tables_of(levels: tuple[PackedLevel, ...]) -> Tables:
    """The tables of a chain of levels."""
    chain = chain_tables(levels, largest=_LARGEST)
    places = zip(levels, chain.hashes, chain.splits, strict=True)
    return Tables(
        np.array([[x.n, *h[2:], *split] for x, h, split in places]),
        np.array([x.shifted for x in levels]),
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
        chain.row,
        chain.below,
    )


def _count_trailing_zeros(_context, word):
    """The number of zeros below the lowest one; 64 for 0."""

    def generate(context, builder, _signature, arguments):
        never = context.get_constant(types.boolean, False)
        return builder.cttz(arguments[0], never)

    return word(word), generate


_trailing_zeros: Any = intrinsic(_count_trailing_zeros)


@njit(**_OPTIONS)
def read(tables, letters, lengths, state, memory, output, every, context):
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
                first_below, split = tables.sizes[i, 3], tables.sizes[i, 4]
                ones, shifted = tables.ones[i], tables.shifted[i]
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
                    place = np.int64((new * multiplier) >> shift)
                    if not split:
                        context[k] = tables.follow[row + c * size + place]
                        continue
                    read = passed = np.int64(tables.follow[tables.row[c] + place])
                    if shifted:
                        passed, memory[first + k, i] = memory[first + k, i], read
                    context[k] = tables.below[first_below + c * split + passed]
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
    def read_last(tables, letters, lengths, state, memory, output, every, context):  # noqa: ARG001
        # Inside: numba's cache on disk never finds a loop again that refers to a compiled function.
        def step(letter, h):
            column = tables.column[letter]
            new = tables.constant[letter]
            for j in range(n):
                new += ((h >> np.uint64(j * width)) & mask) * tables.columns[column + j]
            return new

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
                    h0 = step(letters[first, t], h0)
                    h1 = step(letters[first + 1, t], h1)
                    h2 = step(letters[first + 2, t], h2)
                    h3 = step(letters[first + 3, t], h3)
                state[first, 0], state[first + 1, 0] = h0, h1
                state[first + 2, 0], state[first + 3, 0] = h2, h3
            for k in range(first, last):
                h = state[k, 0]
                for t in range(together, lengths[k]):
                    h = step(letters[k, t], h)
                state[k, 0] = h
                if lengths[k]:
                    c = np.int64(letters[k, lengths[k] - 1])
                    place = np.int64((h * tables.words[0, 1]) >> tables.words[0, 2])
                    output[k] = tables.follow[tables.sizes[0, 1] + c * tables.sizes[0, 2] + place]

    return read_last
