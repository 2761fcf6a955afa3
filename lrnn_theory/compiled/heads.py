"""Parallel heads and a tail in compiled code: one after the other over a stretch of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled.chain import FloatChain
from lrnn_theory.compiled.packed import PackedChain
from lrnn_theory.compiled.tail import CompiledTail
from lrnn_theory.lrnn import LRNN
from lrnn_theory.packing import pack
from lrnn_theory.scanning import UnsupportedError

_TIME = 1024
"""Letters of a word that are taken through all heads before the next."""


def chain_of(lrnn: LRNN, arithmetic: Arithmetic) -> PackedChain | FloatChain:
    """The only head of a network, packed if it can be.

    Raises:
        UnsupportedError: if there is no compiled form.
    """
    try:
        return PackedChain(pack(lrnn, arithmetic))
    except UnsupportedError as reason:
        return FloatChain(lrnn, arithmetic, str(reason))


class Heads:
    """Chains of levels, what they say together, and the tail that reads it.

    Raises:
        UnsupportedError: if some part has no compiled form.
    """

    def __init__(self, lrnn: LRNN, arithmetic: Arithmetic) -> None:
        self._lrnn = lrnn
        self._heads = [
            chain_of(lrnn.head(i), arithmetic) if head else None
            for i, head in enumerate(lrnn.heads)
        ]
        self._tail = None if lrnn.tail is None else CompiledTail(lrnn.tail, arithmetic)

    def enter(self, hidden: Sequence[Any], shifted: Sequence[Any]) -> list[NDArray[Any]]:
        """The states of a batch, head after head."""
        state, at = [], 0
        for chain, head in zip(self._heads, self._lrnn.heads, strict=True):
            if chain is not None:
                of_head = slice(at, at + len(head))
                state += chain.enter(hidden[of_head], shifted[of_head])
            at += len(head)
        return state if self._tail is None else [*state, self._tail.enter(hidden[at:])]

    def leave(self, state: list[NDArray[Any]]) -> tuple[list[Any], list[Any]]:
        """The states of every level, and the coordinates; all NaNs are one."""
        hidden, shifted = [], []
        for chain, part in self._parts(state):
            if chain is not None:
                h, x = chain.leave(part)
                hidden += h
                shifted += x
        return hidden if self._tail is None else hidden + self._tail.leave(state[-1]), shifted

    def read(
        self,
        letters: NDArray[Any],
        lengths: NDArray[np.int64],
        state: list[NDArray[Any]],
        output: NDArray[np.int64],
        every: NDArray[np.int64] | None,
    ) -> None:
        """Read words, (batch, time), of these lengths; states and outputs are taken on."""
        rows = np.arange(len(letters))
        for first in range(0, letters.shape[1], _TIME):
            part = letters[:, first : first + _TIME]
            left = (lengths - first).clip(0, part.shape[1])
            found = self._read_stretch(part, left, state)
            some = left > 0
            output[some] = found[rows[some], left[some] - 1]
            if every is not None:
                within = np.arange(part.shape[1]) < left[:, None]
                every[:, first : first + _TIME][within] = found[within]

    def _read_stretch(
        self, letters: NDArray[Any], lengths: NDArray[np.int64], state: list[NDArray[Any]]
    ) -> NDArray[np.int64]:
        """The outputs, (batch, time); anything past the end of a word."""
        joint: Any = None
        unread = np.zeros(len(letters), np.int64)
        for i, (chain, part) in enumerate(self._parts(state)):
            contexts = np.zeros(letters.shape, np.int64)
            if chain is None:
                within = np.arange(letters.shape[1]) < lengths[:, None]
                contexts[within] = self._lrnn.letter_class[letters[within]]
            else:
                chain.read(letters, lengths, part, unread, contexts)
            joint = contexts if i == 0 else self._lrnn.combine[i - 1][joint, contexts]
        if self._tail is None:
            return self._lrnn.output[joint].astype(np.int64)
        self._tail.read(joint, lengths, state[-1])
        return joint

    def _parts(self, state: list[NDArray[Any]]) -> Iterator[tuple[Any, list[NDArray[Any]]]]:
        """Every head with its states."""
        at = 0
        for chain in self._heads:
            count = 0 if chain is None else chain.arrays
            yield chain, state[at : at + count]
            at += count
