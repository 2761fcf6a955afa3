"""Networks of small integers, a state in one machine word: what the fastest scans run on.

Where nothing is rounded, a state that is reachable from H_0 is often one of finitely many vectors
of small integers.  Entry i, with a bias added so that it is not negative, is kept in bits w i to
w i + w - 1 of a word.  The columns of A are packed alike, so that a step is

    h' = constant(a) + sum_j h_j column_j(a)

in integer arithmetic, with the bits of any arithmetic that makes no rounding error.  Where all
entries are 0 or 1 (registers, one-hot vectors) the sum is over the ones.  The nearest codeword of a
state is looked up by a hash of its word; every step still reads the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import EXACT, Arithmetic
from lrnn_theory.exactness import computes_exactly
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.scanning import UnsupportedError
from lrnn_theory.scanning.exact import ExactKernel
from lrnn_theory.scanning.kernels import make_kernel

MAX_STATES = 65_536
"""Most states of a layer that is packed."""
MAX_STEPS = 1_000_000
"""Most steps, states times actions, that it may take to find them."""
MAX_ENTRIES = 1 << 22
"""Most entries of the tables that say what follows on contexts and states."""
_LARGEST = 1 << 32
"""Entries from here on are not packed."""
_DIRECT = 64
"""Words below this are places of a hash table themselves."""

Words = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PackedLevel:
    """A level of a packed network.

    Attributes:
        n: entries of a state.
        width: bits of an entry.
        bias: what is added to entries.
        start: H_0.
        matrices: (actions, n, n), A.
        inputs: (actions, n), b.
        columns: (actions, n), the packed columns of A.
        constant: (actions,), what a step adds.
        ones: how many entries of a state A reads that are not 0, if all are 0 or 1; else 0.
        least: how many at least.
        support: the bits that A reads.
        action: (contexts,).
        readout: (actions, codewords), the coordinate that is read after an action.
        next: (contexts, coordinates), the context below, or after the last level the output.
        shifted: whether it is the coordinate read one letter before that leads there.
        words: (states,), all reachable states.
        nearest: (states,), the nearest codeword of each.
    """

    n: int
    width: int
    bias: int
    start: int
    matrices: Words
    inputs: Words
    columns: Words
    constant: Words
    ones: int
    least: int
    support: int
    action: NDArray[np.int32]
    readout: NDArray[np.int32]
    next: NDArray[np.int32]
    shifted: bool
    words: Words
    nearest: NDArray[np.int32]

    @cached_property
    def follow(self) -> NDArray[np.int32]:
        """The context below on a context and a codeword, (contexts, codewords)."""
        return np.take_along_axis(self.next, self.readout[self.action], axis=1)

    @cached_property
    def _sorted(self) -> tuple[Words, NDArray[np.int32]]:
        """The words of all states in order, and the nearest codeword of each."""
        order = np.argsort(self.words)
        return self.words[order], self.nearest[order]

    def unpack(self, words: NDArray[Any]) -> Words:
        """States of packed words, (batch, n)."""
        fields = words.astype(np.uint64)[:, None] >> np.arange(self.n, dtype=np.uint64) * np.uint64(
            self.width
        )
        return (fields & np.uint64((1 << self.width) - 1)).astype(np.int64) - self.bias

    def pack(self, states: NDArray[Any]) -> Words:
        """Words of states, (batch,), of shape (batch, n).

        Raises:
            UnsupportedError: if one is not a state that the layer can be in.
        """
        entries = states.astype(np.int64)
        words = packed_words(entries + self.bias, self.width)
        known, _ = self._sorted
        found = known[np.searchsorted(known, words).clip(max=len(known) - 1)]
        if not ((entries == states).all() and (found == words).all()):
            raise UnsupportedError("a state that the layer is never in")
        return words

    def decode(self, words: Words) -> NDArray[np.int32]:
        """The nearest codewords of states that the layer can be in, (batch,)."""
        known, nearest = self._sorted
        return nearest[np.searchsorted(known, words)]


@dataclass(frozen=True, eq=False)
class Packed:
    """A packed network: one chain of levels, of which the first reads letters.

    Attributes:
        levels: the levels; a context of the first is a letter.
        empty_output: the output for the empty word.
    """

    levels: tuple[PackedLevel, ...]
    empty_output: int


def pack(lrnn: LRNN, arithmetic: str | Arithmetic) -> Packed:
    """Pack an LRNN that an arithmetic runs without rounding.

    Raises:
        UnsupportedError: if it rounds, is not a chain of layers of one column, has too many states,
            or does not fit into words of 64 bits.

    Example:
        >>> from constructions import compile_dfa
        >>> [level.width for level in pack(compile_dfa("(0|10*1)*"), "bfloat16").levels]
        [2]
    """
    arithmetic = Arithmetic.parse(arithmetic)
    if len(lrnn.heads) > 1 or lrnn.tail is not None or not lrnn.levels:
        raise UnsupportedError("no layer, parallel heads, or a tail")
    if any(v.layer.d > 1 for v in lrnn.levels):
        raise UnsupportedError("a layer of more than one column")
    if any(v.layer.size * v.layer.n_actions > MAX_STEPS for v in lrnn.levels):
        raise UnsupportedError("too many states and actions")
    if not computes_exactly(lrnn, arithmetic):
        raise UnsupportedError(f"{arithmetic} may round")
    arithmetic = replace(arithmetic, order="sequential", chunk=0)
    after = [v.next for v in lrnn.levels]
    after[-1] = lrnn.output[after[-1]]
    levels = [_pack_level(v, n, arithmetic) for v, n in zip(lrnn.levels, after, strict=True)]
    first = levels[0]
    classes = lrnn.letter_class
    levels[0] = replace(first, action=first.action[classes], next=first.next[classes])
    return Packed(tuple(levels), lrnn.empty_output)


def _pack_level(level: Level, after: NDArray[Any], arithmetic: Arithmetic) -> PackedLevel:
    layer = level.layer
    kernel = ExactKernel(layer, EXACT)
    if not kernel.integral:
        raise UnsupportedError("weights that are not integers")
    actions = np.unique(level.action)
    states = _reachable(kernel, actions)
    low, high = int(states.min()), int(states.max())
    bias, width = max(0, -low), max(1, (high - min(0, low)).bit_length())
    if layer.n * width > 63:
        raise UnsupportedError(f"{layer.n} entries of {width} bits")
    matrices = np.stack([layer.transition.matrix(a) for a in range(layer.n_actions)])
    matrices = matrices.astype(np.int64)
    inputs = layer.b[:, :, 0].astype(np.int64)
    added = bias + inputs - bias * matrices.sum(axis=2)
    columns = packed_words(matrices.transpose(0, 2, 1), width)
    words = packed_words(states + bias, width)
    read = np.flatnonzero(columns.any(axis=0))
    counts = states[:, read].sum(axis=1) if bias == 0 and width == 1 else np.zeros(1, np.int64)
    decoder = make_kernel(layer, arithmetic, torch.device("cpu"))
    h: Any = decoder.start(1)
    rows = states[:, :, None]
    h = rows if isinstance(h, np.ndarray) else torch.from_numpy(rows).to(h.dtype)
    codewords = np.asarray(decoder.decode(h), np.int32)
    return PackedLevel(
        layer.n,
        width,
        bias,
        int(packed_words(layer.h0[:, 0].astype(np.int64) + bias, width)),
        matrices,
        inputs,
        columns,
        packed_words(added, width),
        int(counts.max()),
        int(counts.min()),
        sum(((1 << width) - 1) << int(j) * width for j in read),
        level.action.astype(np.int32),
        coordinates_read(level).astype(np.int32),
        after.astype(np.int32),
        level.reads == "shifted",
        words,
        codewords,
    )


def coordinates_read(level: Level) -> NDArray[Any]:
    """The coordinate read after an action from a codeword, (actions, codewords).

    That of a level that reads "shifted" is passed on one letter later.
    """
    return level.layer.readout[:, :, int(level.reads != "previous")]


def follow_table(level: Level, after: NDArray[Any]) -> NDArray[np.int32]:
    """What follows on a context and a codeword, (contexts, codewords), instead of a coordinate."""
    read = coordinates_read(level)[level.action]
    return np.take_along_axis(after, read, axis=1).astype(np.int32)


def packed_words(fields: Words, width: int) -> Words:
    """Sums of fields times 2^(width i), over the last axis."""
    return (fields << np.arange(fields.shape[-1]) * width).sum(axis=-1)


def _reachable(kernel: ExactKernel, actions: NDArray[np.integer]) -> Words:
    """The states that words lead to, (states, n)."""
    frontier = kernel.start(1)
    seen, states = set(kernel.keys(frontier)), [frontier]
    while len(frontier):
        after = kernel.step(
            np.repeat(frontier, len(actions), axis=0), np.tile(actions, len(frontier))
        )
        fresh = []
        for i, key in enumerate(kernel.keys(after)):
            if key not in seen:
                seen.add(key)
                fresh.append(i)
        if len(seen) > MAX_STATES or len(seen) * len(actions) > MAX_STEPS:
            raise UnsupportedError("too many states")
        if after.dtype == object or int(abs(after).max()) >= _LARGEST:
            raise UnsupportedError("entries that grow too large")
        frontier = after[fresh]
        states.append(frontier)
    return np.concatenate(states)[:, :, 0].astype(np.int64)


def hash_table(level: PackedLevel, bits: int = 64) -> tuple[NDArray[np.int32], int, int]:
    """The nearest codeword of every state by a hash of its word.

    Args:
        level: the level.
        bits: the size of a word, 32 or 64.

    Returns:
        A table, a multiplier and a shift: the codeword of w is in place w * multiplier >> shift of
        the table, where the product is taken modulo 2^bits.
    """
    words = level.words.astype(np.uint64)
    if len(words) == 1:  # any word has this place: a layer on names comes to words not listed
        return level.nearest.astype(np.int32), 0, 0
    if int(words.max()) < _DIRECT:  # the word itself
        table = np.zeros(int(words.max()) + 1, np.int32)
        table[words] = level.nearest
        return table, 1, 0
    rng = np.random.default_rng(0)
    size = len(words).bit_length()
    while True:
        for _ in range(200):
            multiplier = int(rng.integers(1 << (bits - 1), dtype=np.uint64)) | 1
            product = (words * np.uint64(multiplier)) & np.uint64((1 << bits) - 1)
            places = product >> np.uint64(bits - size)
            if len(np.unique(places)) == len(words):
                table = np.zeros(1 << size, np.int32)
                table[places] = level.nearest
                return table, multiplier, bits - size
        size += 1


class ChainTables(NamedTuple):
    """The tables of all levels, one after another; a context is numbered through all of them.

    A *split* level first looks up the coordinate that is read, and then what that leads to: its
    tables are small, and the coordinate may be kept for the next letter.

    Attributes:
        constant: (contexts,), what a step adds.
        column: (contexts,), where the columns of the context's action start.
        columns: packed columns, n an action.
        follow: what a state leads to: the context below; after the last level, the output; for a
            split level, the coordinate read.
        hashes: for every level (multiplier, shift, first, size): from context c a state w leads to
            follow[first + c size + (w multiplier >> shift)], the product taken modulo 2^bits.
        row: (contexts,), for a split level, where the context's action has its row of `follow`:
            the coordinate is follow[row[c] + (w multiplier >> shift)].
        below: what the coordinates of split levels lead to.
        splits: for every level (first, size): from context c coordinate p leads to
            below[first + c size + p]; a size of 0 if it is not split.
    """

    constant: Words
    column: Words
    columns: Words
    follow: NDArray[np.int32]
    hashes: tuple[tuple[int, int, int, int], ...]
    row: Words
    below: NDArray[np.int32]
    splits: tuple[tuple[int, int], ...]


def chain_tables(
    levels: Sequence[PackedLevel], bits: int = 64, largest: int | None = None
) -> ChainTables:
    """The tables that a scan of all levels walks through, for words of 32 or 64 bits.

    Args:
        levels: the levels.
        bits: the size of a word.
        largest: levels whose contexts and states are more are split, and those that read "shifted";
            None if no level may be.

    Raises:
        UnsupportedError: if the tables have more than `MAX_ENTRIES` entries, or a level must be
            split.
    """
    contexts = np.cumsum([0, *(len(x.action) for x in levels)]).tolist()
    parts, hashes, splits, column, first, last = [], [], [], 0, 0, 0
    for level, start, below in zip(levels, contexts, [*contexts[1:-1], 0], strict=False):
        table, multiplier, shift = hash_table(level, bits)
        pairs, actions = len(level.action) * len(table), level.action
        if level.shifted and largest is None:
            raise UnsupportedError("a layer that reads 'shifted'")
        split = level.shifted or (largest is not None and pairs > largest)
        entries = len(level.readout) * len(table) + level.next.size if split else pairs
        if first + last + entries > MAX_ENTRIES:
            raise UnsupportedError("too many contexts and states")
        if split:
            follow, after = level.readout[:, table], level.next + below
            row = first + actions.astype(np.int64) * len(table)
        else:
            follow, after = level.follow[:, table] + below, level.next[:0]
            row = np.zeros(len(actions), np.int64)
        parts.append(
            (
                level.constant[actions],
                column + actions * level.n,
                level.columns.ravel(),
                follow.ravel().astype(np.int32),
                row,
                after.ravel().astype(np.int32),
            )
        )
        hashes.append((multiplier, shift, first - start * len(table), len(table)))
        splits.append((last - start * after.shape[1], after.shape[1]) if split else (0, 0))
        column += level.columns.size
        first += follow.size
        last += after.size
    constant, starts, columns, follow, row, after = map(np.concatenate, zip(*parts, strict=True))
    return ChainTables(constant, starts, columns, follow, tuple(hashes), row, after, tuple(splits))
