"""An exclusion tail in compiled code: its contexts and actions are computed, letter after letter.

A context of its levels is a pair of sets: what remains of a block of states before the letter, and
of one after it.  Each is a machine word: bit i stands for the i-th state of the block that the
stored levels end in.  Levels speak of ranks within a set only, so that the states themselves are
not needed before one remains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.exactness import holds_register_layers
from lrnn_theory.scanning import UnsupportedError
from lrnn_theory.tail import Tail

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
_LARGEST = 63
"""Most states of a block."""
_MAX_ENTRIES = 1 << 24
"""Most entries of a table with one for every context and state."""


class CompiledTail:
    """The levels of a tail, as the coordinates that their layers hold.

    A layer's state is (e_p, e_r) or (e_p, 0): a permutation moves p; a reset moves p to r, and sets
    p.  So it is known by p and r + 1, or 0.

    Args:
        tail: the levels.
        arithmetic: where they run.

    Raises:
        UnsupportedError: if the layers are not computed exactly, or the tail is too large.
    """

    def __init__(self, tail: Tail, arithmetic: Arithmetic) -> None:
        if arithmetic.semantics == "cast" or not holds_register_layers(arithmetic):
            raise UnsupportedError("a tail computes with 0 and 1")
        n_states = tail.exclusion.delta.shape[1]
        largest = len(tail.sizes) + 1
        if largest > _LARGEST or len(tail.contexts) * n_states > _MAX_ENTRIES:
            raise UnsupportedError("a tail of too many states or contexts")
        self.sizes = tail.sizes
        before = _members([x for x, _, _ in tail.contexts], n_states)
        after = _members([y for _, _, y in tail.contexts], n_states)
        letter = np.array([a for _, a, _ in tail.contexts])
        rank = after.cumsum(axis=1, dtype=np.int8) - 1
        context, state = np.nonzero(before)
        place = np.concatenate([np.arange(k) for k in before.sum(axis=1)])
        self._moves = np.zeros((len(before), largest), np.int8)
        moved = tail.exclusion.delta[letter[context], state]
        self._moves[context, place] = rank[context, moved]
        self._counts = np.stack([before.sum(axis=1), after.sum(axis=1)], axis=1)
        self._mealy = tail.response.ndim == 2
        self._answers = np.zeros((len(before), largest), np.int32)
        if self._mealy:
            self._answers[context, place] = tail.response[letter[context], state]
        else:
            context, state = np.nonzero(after)
            self._answers[context, rank[context, state]] = tail.response[state]

    def enter(self, hidden: Sequence[Any]) -> NDArray[np.int64]:
        """Where a batch stands, (batch, levels, 2).

        Raises:
            UnsupportedError: if a layer is never in such a state.
        """
        if not self.sizes:
            return np.zeros((0, 0, 2), np.int64)
        pairs = [
            _coordinates(np.asarray(h)[:, :, 0], n) for h, n in zip(hidden, self.sizes, strict=True)
        ]
        return np.stack(pairs, axis=1)

    def leave(self, state: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The states of every layer, (batch, 2 size, 1)."""
        hidden = []
        for depth, size in enumerate(self.sizes):
            now, before = state[:, depth].T
            ones = np.eye(size, dtype=np.int64)[now]
            kept = np.eye(size + 1, dtype=np.int64)[before, 1:]
            hidden.append(np.concatenate([ones, kept], axis=1)[:, :, None])
        return hidden

    def read(
        self, contexts: NDArray[np.int64], lengths: NDArray[Any], state: NDArray[np.int64]
    ) -> None:
        """Put the outputs, or -1 past the end, in the place of contexts, (batch, time)."""
        left = np.zeros(len(self.sizes) + 1, np.int64)
        tables = self._moves, self._counts, self._answers, self._mealy
        _read(*tables, contexts, lengths, state, left)


def _members(blocks: Sequence[int], n_states: int) -> NDArray[np.bool_]:
    """Bitmasks as rows of zeros and ones, (blocks, states)."""
    size = -(-n_states // 8)
    rows = b"".join(x.to_bytes(size, "little") for x in blocks)
    bits = np.unpackbits(np.frombuffer(rows, np.uint8).reshape(-1, size), axis=1, bitorder="little")
    return bits[:, :n_states].astype(np.bool_)


def _coordinates(rows: NDArray[Any], size: int) -> NDArray[np.int64]:
    """What states (e_p, e_r) or (e_p, 0), (batch, 2 size), hold: p, and r + 1 or 0."""
    one = rows == 1
    now, before = one[:, :size], one[:, size:]
    valid = (one | (rows == 0)).all() and (now.sum(axis=1) == 1).all()
    if not (valid and (before.sum(axis=1) <= 1).all()):
        raise UnsupportedError("a state that the layer is never in")
    return np.stack([now @ np.arange(size), before @ np.arange(1, size + 1)], axis=1)


@njit(**_OPTIONS, forceinline=True)
def _select(block, rank):
    """The element of a set that has this rank, as a bit."""
    for _ in range(rank):
        block &= block - 1
    return block & -block


@njit(**_OPTIONS, forceinline=True)
def _index(bit):
    """The number of a bit, by the exponent of a double."""
    return (np.float64(bit).view(np.int64) >> 52) - 1023


@njit(**_OPTIONS, forceinline=True)
def _rank(block, bit):
    """How many elements of a set lie below a bit."""
    rank, block = 0, block & (bit - 1)
    while block:
        block &= block - 1
        rank += 1
    return rank


@njit(**_OPTIONS, cache=True)
def _read(moves, counts, answers, mealy, contexts, lengths, state, left):
    """The rule of `lrnn_theory.exclusion.ExclusionTail`; `left` has room for a count a state."""
    largest = len(left)
    for k in range(len(contexts)):
        for t in range(contexts.shape[1]):
            if t >= lengths[k]:
                contexts[k, t] = -1
                continue
            c = contexts[k, t]
            before_size, after_size = counts[c, 0], counts[c, 1]
            before = (np.int64(1) << before_size) - 1
            after = (np.int64(1) << after_size) - 1
            # How many elements of the set before go to each of the one after: its image.
            for i in range(after_size):
                left[i] = 0
            image = np.int64(0)
            for i in range(before_size):
                left[moves[c, i]] += 1
                image |= np.int64(1) << moves[c, i]
            for size in range(max(before_size, after_size), 1, -1):
                depth = largest - size
                p, to, gone, lost = state[k, depth, 0], 0, np.int64(0), np.int64(0)
                if before_size == size:  # a state leaves the set before, and its image perhaps
                    gone = _select(before, p)
                    to = moves[c, _index(gone)]
                    left[to] -= 1
                    if not left[to]:
                        lost = np.int64(1) << to
                if after_size == size:
                    if image == after:  # a permutation
                        moved = np.int64(1) << to
                    else:
                        moved = after & ~image
                        moved &= -moved
                        state[k, depth, 1] = p + 1
                    state[k, depth, 0] = _rank(after, moved)
                    after ^= moved
                    after_size -= 1
                if gone:
                    image ^= lost
                    before ^= gone
                    before_size -= 1
            contexts[k, t] = answers[c, _index(before if mealy else after)]
