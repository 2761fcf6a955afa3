"""One step of one layer, for a batch: the reference that defines every arithmetic.

`FloatKernel` is plain torch, elementwise and in a stated order, on the CPU or CUDA; it never calls
a library matrix product, so that what it computes is the documented semantics, bit for bit.
`ExactKernel` computes with integers, fractions or cyclotomic numbers in numpy.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic, Format
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.stored import StoredLayer, store

_NATIVE = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Kernel(Protocol):
    """The step of a layer in an arithmetic; arrays are torch tensors or numpy arrays."""

    def start(self, batch: int) -> Any:
        """The initial state, (batch, n, d)."""
        ...

    def step(self, h: Any, action: Any) -> Any:
        """States after one action each, (batch, n, d)."""
        ...

    def decode(self, h: Any) -> Any:
        """Index of the nearest codeword, (batch,)."""
        ...

    def keys(self, h: Any) -> list[Hashable]:
        """A key for every state of the batch; equal states have equal keys."""
        ...

    def extend(self, layer: Layer) -> None:
        """Append the actions of a layer that is otherwise the same."""
        ...


def make_kernel(layer: Layer, arithmetic: Arithmetic, device: torch.device) -> Kernel:
    """The kernel of a layer; exact arithmetic runs on the CPU whatever the device."""
    if arithmetic.is_exact:
        return ExactKernel(layer, arithmetic)
    return FloatKernel(layer, arithmetic, device)


def round_to(x: torch.Tensor, form: Format) -> torch.Tensor:
    """Round float32 or float64 values to a format, ties to even, once; the dtype is kept."""
    native = _NATIVE.get(form.name)
    if form.name == "float64" or native == x.dtype:
        out = x
    elif native is not None and (x.dtype == torch.float32 or native == torch.float32):
        # A cast from float64 to a 16-bit format would round twice, through float32.
        out = x.to(native).to(x.dtype)
    else:
        wide = x.double()
        exponent = torch.frexp(wide).exponent.long()
        quantum = (exponent - form.precision).clamp(min=form.quantum)
        scale = ((quantum + 1023) << 52).view(torch.float64)  # 2^quantum, exactly
        wide = torch.round(wide / scale) * scale
        big = wide.abs() > form.max_value
        out = torch.where(big, torch.copysign(torch.full_like(wide, torch.inf), wide), wide)
        out = out.to(x.dtype)
    if form.overflow == "inf":
        return out
    infinite = torch.isinf(out)
    limit = torch.full_like(out, form.max_value if form.overflow == "sat" else torch.nan)
    return torch.where(infinite, torch.copysign(limit, out), out)


class FloatKernel:
    """A step in floating point.  The carrier dtype holds every number of format and accumulator."""

    def __init__(self, layer: Layer, arithmetic: Arithmetic, device: torch.device) -> None:
        form = arithmetic.format
        assert form is not None
        self.arithmetic, self.device = arithmetic, device
        self.form = form
        self.inner = arithmetic.accumulator or form
        self.carrier = torch.float64 if self.inner.name == "float64" else torch.float32
        stored = store(layer, arithmetic)
        self.columns, self.values, self.b = self._actions(stored)
        self.h0 = self._tensor(stored.h0, self.carrier)
        self.slots = stored.slots
        self.codewords = [
            (self._tensor(c, torch.int64), self._tensor(x, torch.float64))
            for c, x in stored.codewords
        ]
        self.offsets = [self._tensor(s, torch.float64) for s in stored.offsets]

    def _tensor(self, array: NDArray[Any], dtype: torch.dtype) -> torch.Tensor:
        return torch.as_tensor(array, device=self.device).to(dtype).contiguous()

    def _actions(self, stored: StoredLayer) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        # Shapes (actions, width, n) so that a gather over rows is contiguous.
        columns = self._tensor(stored.columns.transpose(0, 2, 1), torch.int64)
        values = self._tensor(stored.values.transpose(0, 2, 1), self.carrier)
        return columns, values, self._tensor(stored.b, self.carrier)

    def extend(self, layer: Layer) -> None:
        """Append the actions of a layer that is otherwise the same."""
        columns, values, b = self._actions(store(layer, self.arithmetic))
        self.columns = torch.cat([self.columns, columns])
        self.values = torch.cat([self.values, values])
        self.b = torch.cat([self.b, b])

    def start(self, batch: int) -> torch.Tensor:
        """The initial state, (batch, n, d)."""
        return self.h0.expand(batch, *self.h0.shape).clone()

    def step(self, h: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """Round-each or wide semantics; see `lrnn_theory.arithmetic`."""
        columns, values = self.columns[action], self.values[action]
        padded = torch.cat([h, h.new_zeros(len(h), 1, h.shape[2])], dim=1)
        total = None
        for j in range(columns.shape[1]):
            index = columns[:, j, :, None].expand(-1, -1, h.shape[2])
            term = round_to(values[:, j, :, None] * padded.gather(1, index), self.inner)
            total = term if total is None else round_to(total + term, self.inner)
        assert total is not None
        total = round_to(total + self.b[action], self.inner)
        return round_to(total, self.form) + 0.0  # -0 + 0 = 0: one bit pattern for zero

    def decode(self, h: torch.Tensor) -> torch.Tensor:
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

    def keys(self, h: torch.Tensor) -> list[Hashable]:
        """The bytes of every state."""
        flat = h.flatten(1).cpu().numpy()
        return [row.tobytes() for row in flat]


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
            best = [_nearest(row, words.astype(object), offset) for row in x.astype(object)]
            index = index * len(words) + np.array(best, np.int64)
        return index

    def keys(self, h: NDArray[Any]) -> list[Hashable]:
        """Every state as a tuple of numbers."""
        return [tuple(row) for row in h.reshape(len(h), -1).tolist()]


def _nearest(x: NDArray[Any], words: NDArray[Any], offset: NDArray[Any]) -> int:
    for j, word in enumerate(words):  # a state on a codeword needs no order of the field
        if all(a == b for a, b in zip(x, word, strict=True)):
            return j
    scores = [(word * x).sum() - o for word, o in zip(words, offset, strict=True)]
    best = 0
    for j, s in enumerate(scores):
        if s > scores[best]:
            best = j
    return best
