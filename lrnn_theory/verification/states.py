"""The reachable states of one layer in an arithmetic, interned and stepped in batches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.congruence import coarsest_congruence
from lrnn_theory.cyclotomic import Cyclotomic
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.kernels import make_kernel
from lrnn_theory.verification.rowset import RowSet, Stack

Tensor = torch.Tensor

_CHUNK_ENTRIES = 4_000_000
"""Numbers of state stepped at once."""

_CHUNK_OBJECTS = 10_000
"""The same, where they are no tensors: fractions may be long, and the time is looked at between."""

_MEMO_ENTRIES = 1 << 28
"""Transitions (states times actions, four bytes each) up to which they are remembered."""


MAX_BITS = 1 << 30
"""Bits of the exact numbers in all states of a layer, past which a search is to stop."""


class OutOfTimeError(Exception):
    """A layer was to be stepped after the time that its table was given."""


class StateTable:
    """States of a layer, numbered from 0 (the initial one) as they are first met.

    The step is the scan's own kernel, so what is examined is what runs.

    Args:
        layer: the layer.
        arithmetic: where it runs.
        device: where a kernel of tensors steps; the others step on the CPU.
        until: the `time.monotonic()` after which no step is begun, but `OutOfTimeError` raised.

    Attributes:
        device: where the tensors of `advance` and `read` lie.
    """

    def __init__(
        self,
        layer: Layer,
        arithmetic: Arithmetic,
        device: torch.device | str | None = None,
        *,
        until: float = math.inf,
    ) -> None:
        self.layer, self._until = layer, until
        self._kernel = make_kernel(layer, arithmetic, torch.device(device or "cpu"))
        first = self._kernel.start(1)
        self._tensors = isinstance(first, Tensor)
        self._states = _Numbers(first) if self._tensors else _Objects(first, self._kernel.keys)
        self._states.add(first)
        self.device = first.device if self._tensors else torch.device("cpu")
        self._codewords = Stack(torch.as_tensor(self._kernel.decode(first)))
        self._observe = getattr(self._kernel, "observe", None)
        self._sights: dict[Hashable, int] = {}
        self._shown = Stack(torch.empty(0, dtype=torch.int64, device=self.device))
        self._readout = torch.tensor(layer.readout, device=self.device)
        shape = (1, layer.n_actions)
        self._next = Stack(torch.full(shape, -1, dtype=torch.int32, device=self.device))
        self._remembers = True
        entries = _CHUNK_ENTRIES if self._tensors else _CHUNK_OBJECTS
        self._chunk = max(1, entries // self._states.size)

    def __len__(self) -> int:
        return len(self._codewords)

    @property
    def outgrown(self) -> bool:
        """Whether exact numbers have grown past `MAX_BITS`."""
        return self._states.bits > MAX_BITS

    def step(self, states: NDArray[Any], actions: NDArray[Any]) -> NDArray[np.int64]:
        """Numbers of the states after one action each."""
        return self.advance(self._index(states), self._index(actions)).cpu().numpy()

    def coordinates(
        self, states: NDArray[Any], actions: NDArray[Any]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """What the readout says of states reached by actions: (previous, current)."""
        pair = self.read(self._index(states), self._index(actions)).cpu().numpy()
        return pair[:, 0], pair[:, 1]

    def advance(self, states: Tensor, actions: Tensor) -> Tensor:
        """As `step`, for int64 tensors (k,) on the device."""
        if not self._remembers:
            return self._compute(states, actions)
        after = self._next.rows[states, actions].long()
        missing = (after < 0).nonzero().ravel()
        if len(missing):
            after[missing] = self._compute(states[missing], actions[missing])
        return after

    def read(self, states: Tensor, actions: Tensor) -> Tensor:
        """As `coordinates`, for int64 tensors (k,) on the device: (k, 2)."""
        return self._readout[actions, self._codewords.rows[states]]

    def shown(self, states: Tensor) -> Tensor:
        """For every state a number, the same for those that show a readout the same.

        In the cast model it sees casts, not exact terms; in chunks and trees, not how they stand.
        """
        if self._observe is None:
            return states
        if known := range(len(self._shown.rows), len(self)):
            seen = self._observe(self._states.take(torch.tensor(known, device=self.device)))
            rows = seen.reshape(len(known), -1).tolist()
            keys = [tuple(x if x == x else "nan" for x in row) for row in rows]
            sights = [self._sights.setdefault(key, len(self._sights)) for key in keys]
            self._shown.append(torch.tensor(sights, device=self.device))
        return self._shown.rows[states]

    def representatives(self, limit: int) -> Tensor | None:
        """For every state, the first one that reads the same whatever actions follow.

        Closes the layer by itself; None if it has more than `limit` states.
        """
        n_actions, first = self.layer.n_actions, 0
        after, read = [], []
        while first < len(self):
            end = len(self)
            if end > limit or self.outgrown:
                return None
            states = torch.arange(first, end, device=self.device).repeat_interleave(n_actions)
            actions = torch.arange(n_actions, device=self.device).repeat(end - first)
            after.append(self.advance(states, actions))
            previous, current = self.read(after[-1], actions).long().unbind(1)
            read.append(previous * self.layer.size + current)
            first = end
        delta, response = (torch.cat(x).reshape(-1, n_actions).cpu() for x in (after, read))
        block = coarsest_congruence(delta.T.numpy(), response.T.numpy())
        member = np.unique(block, return_index=True)[1]
        return torch.as_tensor(member[block], device=self.device)

    def values(self, states: Tensor) -> Tensor | None:
        """All numbers of states, float64, (k, numbers); None where they are no tensors."""
        return self._states.values(states)

    def _compute(self, states: Tensor, actions: Tensor) -> Tensor:
        codes, inverse = torch.unique(states * self.layer.n_actions + actions, return_inverse=True)
        return torch.cat([self._meet(part) for part in codes.split(self._chunk)])[inverse]

    def _meet(self, codes: Tensor) -> Tensor:
        """States after distinct transitions (state times actions, plus action)."""
        if time.monotonic() > self._until:
            raise OutOfTimeError
        n_actions = self.layer.n_actions
        source, action = codes // n_actions, codes % n_actions
        after = self._kernel.step(
            self._states.take(source), action if self._tensors else action.numpy()
        )
        numbers, fresh = self._states.add(after)
        if len(fresh):
            found = self._kernel.decode(self._states.take(numbers[fresh]))
            self._codewords.append(torch.as_tensor(found))
        self._remembers &= len(self) * n_actions <= _MEMO_ENTRIES
        if self._remembers:
            self._next.append(self._next.rows.new_full((len(fresh), n_actions), -1))
            self._next.rows[source, action] = numbers.int()
        return numbers

    def _index(self, array: NDArray[Any]) -> Tensor:
        return torch.as_tensor(array.astype(np.int64), device=self.device)


class _Numbers:
    """States that are tensors, as the bits of float64, which holds all their numbers.

    All NaNs are one.
    """

    bits = 0  # none of them grows

    def __init__(self, first: Tensor) -> None:
        self._like = first
        self.size = first[0].numel()
        self._bits = RowSet(self.size, first.device)

    def add(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of states, and the places of those not met before; see `RowSet.add`."""
        x = h.flatten(1).double()
        return self._bits.add(torch.where(x.isnan(), torch.nan, x).view(torch.int64))

    def take(self, numbers: Tensor) -> Tensor:
        """The states, (k, ...), as the kernel takes them."""
        x = self.values(numbers).to(self._like.dtype)
        return x.reshape(-1, *self._like.shape[1:])

    def values(self, numbers: Tensor) -> Tensor:
        """All their numbers, (k, size)."""
        return self._bits.rows[numbers].view(torch.float64)


class _Objects:
    """States in numpy arrays of integers or objects, told apart by their keys."""

    def __init__(self, first: NDArray[Any], keys: Callable[[Any], list[Hashable]]) -> None:
        self._keys = keys
        self._numbers: dict[Hashable, int] = {}
        self._states = first  # rows past len(self._numbers) are spare capacity
        self.size = first[0].size
        self.bits = 0

    def add(self, h: NDArray[Any]) -> tuple[Tensor, Tensor]:
        """As `_Numbers.add`."""
        known = len(self._numbers)
        numbers, fresh = [], []
        for i, key in enumerate(self._keys(h)):
            numbers.append(self._numbers.setdefault(key, len(self._numbers)))
            if numbers[-1] == known + len(fresh):
                fresh.append(i)
        self._states = _placed(self._states, known, h[fresh])
        if h.dtype == object:
            self.bits += sum(map(_bits, h[fresh].flat))
        return torch.tensor(numbers), torch.tensor(fresh, dtype=torch.int64)

    def take(self, numbers: Tensor) -> NDArray[Any]:
        """The states, (k, ...), as the kernel takes them."""
        return self._states[numbers.numpy()]

    def values(self, numbers: Tensor) -> None:
        """None: they need not be floats."""


def _bits(x: Any) -> int:
    """About the size of a number."""
    if isinstance(x, Cyclotomic):
        return sum(map(_bits, x.coefficients))
    if isinstance(x, (int, Fraction)):
        return x.numerator.bit_length() + x.denominator.bit_length()
    return 64


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
