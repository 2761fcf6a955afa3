"""The reachable states of one layer in an arithmetic, interned and stepped in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.kernels import make_kernel

_CHUNK_ENTRIES = 4_000_000
"""Numbers of state stepped at once."""


class StateTable:
    """States of a layer, numbered from 0 (the initial one) as they are first met.

    The step is the scan's own kernel, so what is examined is what runs.
    """

    def __init__(self, layer: Layer, arithmetic: Arithmetic) -> None:
        self.layer = layer
        self._kernel = make_kernel(layer, arithmetic, torch.device("cpu"))
        self._exact = arithmetic.is_exact
        first = self._kernel.start(1)
        self._states = self._numpy(first)  # rows past len(self) are spare capacity
        self._codewords = self._numpy(self._kernel.decode(first))
        self._ids = {self._kernel.keys(first)[0]: 0}
        self._next: dict[int, int] = {}
        self._chunk = max(1, _CHUNK_ENTRIES // self._states[0].size)

    def __len__(self) -> int:
        return len(self._ids)

    def step(self, states: NDArray[Any], actions: NDArray[Any]) -> NDArray[np.int64]:
        """Numbers of the states after one action each."""
        codes = states.astype(np.int64) * self.layer.n_actions + actions
        distinct, inverse = np.unique(codes, return_inverse=True)
        missing = [c for c in distinct.tolist() if c not in self._next]
        for i in range(0, len(missing), self._chunk):
            self._compute(np.array(missing[i : i + self._chunk], np.int64))
        table = self._next
        return np.array([table[c] for c in distinct.tolist()], np.int64)[inverse.ravel()]

    def coordinates(
        self, states: NDArray[np.int64], actions: NDArray[Any]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """What the readout says of states reached by actions: (previous, current)."""
        pair = self.layer.readout[actions, self._codewords[states]]
        return pair[:, 0], pair[:, 1]

    def _compute(self, codes: NDArray[np.int64]) -> None:
        source, action = np.divmod(codes, self.layer.n_actions)
        h = self._states[source]
        after = self._kernel.step(
            h if self._exact else torch.from_numpy(h),
            action if self._exact else torch.from_numpy(action),
        )
        known = len(self)
        fresh = []
        for i, (code, key) in enumerate(zip(codes.tolist(), self._kernel.keys(after), strict=True)):
            target = self._ids.setdefault(key, known + len(fresh))
            if target == known + len(fresh):
                fresh.append(i)
            self._next[code] = target
        if fresh:
            new = after[fresh]
            self._states = _placed(self._states, known, self._numpy(new))
            found = self._numpy(self._kernel.decode(new))
            self._codewords = _placed(self._codewords, known, found)

    def _numpy(self, h: Any) -> NDArray[Any]:
        return np.asarray(h) if self._exact else h.numpy()


def _placed(array: NDArray[Any], start: int, rows: NDArray[Any]) -> NDArray[Any]:
    """Write rows at `start`, in a larger copy where the array is too short."""
    end = start + len(rows)
    if rows.dtype == object and array.dtype != object:  # integers outgrew int64
        array = array.astype(object)
    if end > len(array):
        larger = np.empty((max(end, 2 * len(array)), *array.shape[1:]), array.dtype)
        larger[:start] = array[:start]
        array = larger
    array[start:end] = rows
    return array
