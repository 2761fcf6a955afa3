"""One step of one layer in exact arithmetic: integers, fractions or cyclotomic numbers in numpy."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.stored import store


class ExactKernel:
    """A step in exact arithmetic: int64 while it provably suffices, else Python numbers."""

    def __init__(self, layer: Layer, arithmetic: Arithmetic) -> None:
        stored = store(layer, arithmetic)
        self.arithmetic = arithmetic
        self.columns = stored.columns.transpose(0, 2, 1)
        self.values = stored.values.transpose(0, 2, 1)
        self.b, self.h0 = stored.b, stored.h0
        self.slots, self.words, self.offsets = stored.slots, stored.words, stored.offsets
        self.integral = all(x.dtype != object for x in (self.values, self.b, self.h0))
        if self.integral:
            self.row_sum = int(abs(self.values).sum(axis=1, dtype=object).max(initial=0))
            self.b_max = int(abs(self.b).max(initial=0))

    def extend(self, layer: Layer) -> None:
        """Append the actions of an integer layer that is otherwise the same."""
        stored = store(layer, self.arithmetic)
        self.columns = np.concatenate([self.columns, stored.columns.transpose(0, 2, 1)])
        self.values = np.concatenate([self.values, stored.values.transpose(0, 2, 1)])
        self.b = np.concatenate([self.b, stored.b])

    def start(self, batch: int) -> NDArray[Any]:
        """The initial state, (batch, n, d)."""
        start = self.h0 if self.integral else self.h0.astype(object)
        return np.repeat(start[None], batch, axis=0)

    def step(self, h: NDArray[Any], action: NDArray[Any]) -> NDArray[Any]:
        """A h + b, exactly."""
        action = np.asarray(action)
        if h.dtype != object and int(abs(h).max(initial=0)) * self.row_sum + self.b_max >= 2**62:
            h = h.astype(object)
        columns, values = self.columns[action], self.values[action]
        padded = np.concatenate([h, np.zeros_like(h[:, :1])], axis=1)
        total = self.b[action].astype(h.dtype)
        for j in range(columns.shape[1]):
            index = np.broadcast_to(columns[:, j, :, None], h.shape)
            total = total + values[:, j, :, None] * np.take_along_axis(padded, index, axis=1)
        return total

    def decode(self, h: NDArray[Any]) -> NDArray[np.int64]:
        """Nearest codeword, slot by slot, exactly."""
        index = np.zeros(len(h), np.int64)
        for rows, words, offset in zip(self.slots, self.words, self.offsets, strict=True):
            x = h[:, rows].reshape(len(h), words.shape[1])
            if h.dtype != object and words.dtype != object:
                # Twice the score is an integer; it fits where |h| and |c| are below 2^28.
                largest = max(int(abs(x).max(initial=0)), int(abs(words).max()))
                if largest * words.shape[1] < 2**28:
                    score = 2 * (x @ words.T) - (words * words).sum(axis=1)
                    index = index * len(words) + score.argmax(axis=1)
                    continue
                x = x.astype(object)
            best = [nearest_word(row, words.astype(object), offset) for row in x.astype(object)]
            index = index * len(words) + np.array(best, np.int64)
        return index

    def keys(self, h: NDArray[Any]) -> list[Hashable]:
        """Every state as a tuple of numbers."""
        return [tuple(row) for row in h.reshape(len(h), -1).tolist()]


def nearest_word(x: NDArray[Any], words: NDArray[Any], offset: NDArray[Any]) -> int:
    """Index of the nearest codeword, exactly; ties to the lowest."""
    for j, word in enumerate(words):  # a state on a codeword needs no order of the field
        if all(a == b for a, b in zip(x, word, strict=True)):
            return j
    scores = [(word * x).sum() - o for word, o in zip(words, offset, strict=True)]
    best = 0
    for j, s in enumerate(scores):
        if s > scores[best]:
            best = j
    return best
