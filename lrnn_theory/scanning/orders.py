"""Orders of evaluation other than letter after letter, as kernels around a sequential one.

A state is what the order has to remember, in one array of n + 1 rows: columns of affine maps and
states, and a last row that starts with a counter.  So a scan, a closure or a search in chunks is
the same code as one letter after letter.
"""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.float_kernel import FloatKernel
from lrnn_theory.scanning.rational import RationalKernel

Base = FloatKernel | RationalKernel

MAX_LEVELS = 32
"""A tree sums up words of fewer than 2^MAX_LEVELS letters."""


class _Ordered:
    """What both orders share: the affine maps of letters, and reading."""

    def __init__(self, base: Base) -> None:
        self.base: Any = base  # tensors or arrays of fractions
        self.n, self.d = base.h0.shape

    def extend(self, layer: Layer) -> None:
        """Append the actions of a layer that is otherwise the same."""
        self.base.extend(layer)

    def _zeros(self, batch: int, columns: int) -> Any:
        shape = (batch, self.n + 1, columns)
        if isinstance(self.base, FloatKernel):
            return self.base.h0.new_zeros(shape)
        return np.full(shape, Fraction(0), object)

    def _letter(self, action: Any) -> tuple[Any, Any]:
        """The affine maps (A, B) of letters."""
        return self.base.matrices(action), self.base.b[action]

    def observe(self, x: Any) -> Any:
        """The state that the decoder sees, (batch, n, d)."""
        raise NotImplementedError

    def decode(self, x: Any) -> Any:
        """Index of the nearest codeword, (batch,)."""
        return self.base.decode(self.observe(x))

    def keys(self, x: Any) -> list[Hashable]:
        """A key for every state of the batch."""
        return self.base.keys(x)


class ChunkKernel(_Ordered):
    """Chunks of C letters: columns H (d), P (n) and S (d); the counter is the place in the chunk.

    Between chunks P and S are zero and the counter is 0.
    """

    def __init__(self, base: Base, length: int) -> None:
        super().__init__(base)
        self.length = length

    def _parts(self, x: Any) -> tuple[Any, Any, Any]:
        h = x[:, : self.n]
        return h[:, :, : self.d], h[:, :, self.d : self.d + self.n], h[:, :, self.d + self.n :]

    def start(self, batch: int) -> Any:
        """The initial state."""
        x = self._zeros(batch, 2 * self.d + self.n)
        x[:, : self.n, : self.d] = self.base.start(batch)
        return x

    def step(self, x: Any, action: Any) -> Any:
        """States after one action each."""
        out = _copy(x)
        h, p, s = self._parts(out)
        first = x[:, self.n, 0] == 0
        p[first], s[first] = self._letter(action[first])
        later = ~first
        b = self.base.b[action[later]]
        p[later] = self.base.move(p[later], action[later], None)
        s[later] = self.base.move(s[later], action[later], b)
        out[:, self.n, 0] = x[:, self.n, 0] + 1
        done = out[:, self.n, 0] == self.length
        h[done] = self.base.affine(p[done], h[done], s[done])
        p[done] = s[done] = out[done, self.n :, :1] = self._zeros(1, 1)[0, 0, 0]
        return out

    def observe(self, x: Any) -> Any:
        """H between chunks, P H + S within one."""
        h, p, s = self._parts(x)
        out = _copy(h)
        within = x[:, self.n, 0] != 0
        out[within] = self.base.affine(p[within], h[within], s[within])
        return out


class TreeKernel(_Ordered):
    """Aligned blocks of 2^i letters, in columns i (n + d) of P and S; the counter is the length."""

    def start(self, batch: int) -> Any:
        """The initial state: no blocks."""
        return self._zeros(batch, MAX_LEVELS * (self.n + self.d))

    def _block(self, x: Any, level: int) -> tuple[Any, Any]:
        at = level * (self.n + self.d)
        columns = x[:, : self.n]
        return columns[:, :, at : at + self.n], columns[:, :, at + self.n : at + self.n + self.d]

    def step(self, x: Any, action: Any) -> Any:
        """States after one action each."""
        out = _copy(x)
        length = _integers(x[:, self.n, 0])
        p, s = self._letter(action)
        active = length == length
        for level in range(MAX_LEVELS):
            low, low_s = self._block(out, level)
            full = (length >> level) % 2 == 1
            rest = active & ~full
            low[rest], low_s[rest] = p[rest], s[rest]
            active = active & full
            if not bool(active.any()):
                break
            later = p[active], s[active]
            s[active] = self.base.affine(later[0], low_s[active], later[1])
            p[active] = self.base.affine(later[0], low[active], None)
            low[active] = low_s[active] = self._zeros(1, 1)[0, 0, 0]
        out[:, self.n, 0] = x[:, self.n, 0] + 1
        return out

    def observe(self, x: Any) -> Any:
        """H_0 taken through the blocks, largest first."""
        h = self.base.start(len(x))
        length = _integers(x[:, self.n, 0])
        for level in reversed(range(int(length.max()).bit_length() if len(x) else 0)):
            full = (length >> level) % 2 == 1
            p, s = self._block(x, level)
            h[full] = self.base.affine(p[full], h[full], s[full])
        return h


def _copy(x: Any) -> Any:
    return x.clone() if isinstance(x, torch.Tensor) else x.copy()


def _integers(x: Any) -> Any:
    return x.long() if isinstance(x, torch.Tensor) else x.astype(np.int64)
