"""One step of one layer in floating or fixed point: the reference that defines every arithmetic.

Plain torch, elementwise and in a stated order, on the CPU or CUDA; it never calls a library matrix
product, so that what it computes is docs/arithmetic.md, bit for bit.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.rounding import odd_sum, odd_total, round_to
from lrnn_theory.scanning.stored import StoredFactors, StoredLayer, store

Tensor = torch.Tensor

_IN_FLOAT32 = {"float32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2"}
"""Formats whose single products and sums float32 carries exactly enough."""


class FloatKernel:
    """A native arithmetic (`Arithmetic.is_native`), letter after letter.

    The carrier dtype holds every number of format and accumulator.  Keys and rows are padded to a
    common width with zeros that meet a row of zeros appended to the state.
    """

    def __init__(self, layer: Layer, arithmetic: Arithmetic, device: torch.device) -> None:
        assert arithmetic.format is not None
        self.arithmetic, self.device = arithmetic, device
        self.form = arithmetic.format
        self.inner = arithmetic.inner or self.form
        self.once = arithmetic.semantics == "once"
        small = {self.form.name, self.inner.name} <= _IN_FLOAT32
        exact = self.once or arithmetic.fma
        self.carrier = torch.float32 if small and not exact else torch.float64
        stored = store(layer, arithmetic)
        self.columns, self.values, self.b = self._actions(stored)
        self.factors = None if stored.factors is None else self._factors(stored.factors, layer.n)
        self.h0 = self._tensor(stored.h0, self.carrier)
        self.slots = stored.slots
        self.codewords = [
            (self._tensor(c, torch.int64), self._tensor(x, torch.float64))
            for c, x in stored.codewords
        ]
        self.offsets = [self._tensor(s, torch.float64) for s in stored.offsets]

    def _tensor(self, array: NDArray[Any], dtype: torch.dtype) -> Tensor:
        return torch.as_tensor(array, device=self.device).to(dtype).contiguous()

    def _actions(self, stored: StoredLayer) -> tuple[Tensor, Tensor, Tensor]:
        # Shapes (actions, width, n) so that a gather over rows is contiguous.
        columns = self._tensor(stored.columns.transpose(0, 2, 1), torch.int64)
        values = self._tensor(stored.values.transpose(0, 2, 1), self.carrier)
        return columns, values, self._tensor(stored.b, self.carrier)

    def _factors(self, stored: StoredFactors, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Columns and values (actions, factors, width) and betas (actions, factors), last first.

        Actions with fewer factors end with the identity, beta = 0 and no key.
        """
        ptr = self._tensor(stored.ptr, torch.int64)
        most = int((ptr[1:] - ptr[:-1]).max()) if len(ptr) > 1 else 0
        index = ptr[1:, None] - 1 - torch.arange(most, device=self.device)
        index = torch.where(index >= ptr[:-1, None], index, len(stored.betas))
        columns = self._tensor(stored.columns, torch.int64)
        values = self._tensor(stored.values, self.carrier)
        betas = self._tensor(stored.betas, self.carrier)
        columns = torch.cat([columns, columns.new_full((1, columns.shape[1]), n)])
        values = torch.cat([values, values.new_zeros(1, values.shape[1])])
        return columns[index], values[index], torch.cat([betas, betas.new_zeros(1)])[index]

    def extend(self, layer: Layer) -> None:
        """Append the actions of a layer of dense rows that is otherwise the same."""
        stored = store(layer, self.arithmetic)
        columns, values, b = self._actions(stored)
        self.b = torch.cat([self.b, b])
        if self.factors is None or stored.factors is None:
            self.columns = torch.cat([self.columns, columns])
            self.values = torch.cat([self.values, values])
            return
        new = self._factors(stored.factors, layer.n)
        old = self.factors
        shape = [max(a, b) for a, b in zip(old[0].shape, new[0].shape, strict=True)]

        def joined(part: int, padding: int) -> Tensor:
            pair = old[part], new[part]
            return torch.cat([_padded(x, shape, padding) for x in pair])

        self.factors = joined(0, layer.n), joined(1, 0), joined(2, 0)

    # ---------------------------------------------------------------- operations

    def _operate(self, x: Tensor) -> Tensor:
        return round_to(x, self.inner)

    def _fused(self, total: Tensor | None, w: Tensor, x: Tensor) -> Tensor:
        """The sum of a total and w x."""
        if total is None:
            return self._operate(w * x)
        if self.arithmetic.fma:
            return self._operate(odd_sum(w * x, total))
        return self._operate(total + self._operate(w * x))

    def _sum(self, pairs: Iterable[tuple[Tensor, Tensor]], b: Tensor | None) -> Tensor:
        """One rounded step: the sum of w x over the pairs, and then b."""
        if self.once:
            terms = [w * x for w, x in pairs]
            return self._store(odd_total(terms if b is None else [*terms, b.expand_as(terms[0])]))
        total = None
        for w, x in pairs:
            total = self._fused(total, w, x)
        assert total is not None
        return self._store(total if b is None else self._operate(total + b))

    def _store(self, x: Tensor) -> Tensor:
        return round_to(x, self.form) + 0.0  # -0 + 0 = 0: one bit pattern for zero

    # ---------------------------------------------------------------- steps

    def start(self, batch: int) -> Tensor:
        """The initial state, (batch, n, d)."""
        return self.h0.expand(batch, *self.h0.shape).clone()

    def step(self, h: Tensor, action: Tensor) -> Tensor:
        """States after one action each, (batch, n, d)."""
        return self.move(h, action, self.b[action])

    def move(self, x: Tensor, action: Tensor, b: Tensor | None) -> Tensor:
        """A x + b, rounded like one step, for x of shape (batch, n, any)."""
        padded = torch.cat([x, x.new_zeros(len(x), 1, x.shape[2])], dim=1)
        if self.factors is not None:
            return self._move_factors(padded, action, b)
        columns, values = self.columns[action], self.values[action]
        pairs = (
            (values[:, j, :, None], padded.gather(1, _wide(columns[:, j], x.shape[2])))
            for j in range(columns.shape[1])
        )
        return self._sum(pairs, b)

    def _move_factors(self, padded: Tensor, action: Tensor, b: Tensor | None) -> Tensor:
        assert self.factors is not None
        columns, values, betas = (x[action] for x in self.factors)
        for f in range(columns.shape[1]):
            index = _wide(columns[:, f], padded.shape[2])
            x, k = padded.gather(1, index), values[:, f, :, None]
            total = None
            for j in range(x.shape[1]):
                total = self._fused(total, k[:, j], x[:, j])
            assert total is not None
            scale = self._operate(betas[:, f, None] * total)[:, None]
            fma = self.arithmetic.fma
            moved = odd_sum(-(k * scale), x) if fma else x - self._operate(k * scale)
            moved = torch.where(k != 0, self._operate(moved), x)
            padded = padded.scatter(1, index, moved)
        total = padded[:, :-1]
        return self._store(total if b is None else self._operate(total + b))

    def matrices(self, action: Tensor) -> Tensor:
        """The stored matrix of each action, (batch, n, n); factors act on the identity."""
        n = self.h0.shape[0]
        if self.factors is not None:
            eye = torch.eye(n, dtype=self.carrier, device=self.device)
            return self.move(eye.expand(len(action), n, n), action, None)
        dense = self.h0.new_zeros(len(action), n + 1, n)
        return dense.scatter(1, self.columns[action], self.values[action])[:, :n].transpose(1, 2)

    def affine(self, p: Tensor, x: Tensor, b: Tensor | None) -> Tensor:
        """P x + b, rounded like one step, for matrices P of shape (batch, n, n)."""
        pairs = ((p[:, :, j, None], x[:, j, None, :]) for j in range(p.shape[2]))
        return self._sum(pairs, b)

    # ---------------------------------------------------------------- reading

    def decode(self, h: Tensor) -> Tensor:
        """Nearest codeword, slot by slot; scores in float64, in index order."""
        index = None
        for rows, (columns, values), offset in zip(
            self.slots, self.codewords, self.offsets, strict=True
        ):
            x = h[:, rows].flatten(1).double()
            x = torch.cat([x, x.new_zeros(len(x), 1)], dim=1)
            score = values[:, 0] * x[:, columns[:, 0]]
            for i in range(1, columns.shape[1]):
                score = score + values[:, i] * x[:, columns[:, i]]
            score = torch.nan_to_num(score - offset, -torch.inf, torch.inf, -torch.inf)
            best = score.argmax(dim=1)
            index = best if index is None else index * len(offset) + best
        assert index is not None
        return index

    def keys(self, h: Tensor) -> list[Hashable]:
        """The bytes of every state."""
        flat = h.flatten(1).cpu().numpy()
        return [row.tobytes() for row in flat]


def _wide(index: Tensor, columns: int) -> Tensor:
    return index[:, :, None].expand(-1, -1, columns)


def _padded(x: Tensor, shape: list[int], value: int) -> Tensor:
    """Grow all axes but the first at their ends."""
    sizes = [(0, s - old) for s, old in zip(shape[1 : x.ndim], x.shape[1:], strict=True)]
    flat = [n for pair in reversed(sizes) for n in pair]
    return torch.nn.functional.pad(x, flat, value=value)
