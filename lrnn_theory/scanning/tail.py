"""The levels of an exclusion tail in a scan: layers that grow an action when it is first needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lrnn_theory.onehot import register_layer
from lrnn_theory.scanning.kernels import make_kernel
from lrnn_theory.tail import Tail, TailTables

if TYPE_CHECKING:
    from lrnn_theory.scanning.reference import Machine


class TailRunner:
    """The tail's kernels with the tables met so far, on the machine's device."""

    def __init__(self, tail: Tail, machine: Machine) -> None:
        self._machine = machine
        self._tail = tail
        depth = len(tail.sizes)
        identity = [np.arange(size)[None] for size in tail.sizes]
        layers = [register_layer(m, p) for m, p in zip(identity, tail.initial, strict=True)]
        # Action 0 of every kernel is the identity; the tables' action a is the kernel's a + 1.
        self._kernels = [make_kernel(v, machine.arithmetic, machine.device) for v in layers]
        self._readouts = [machine.table(v.readout) for v in layers]
        self._known = [0] * depth
        self._next = [machine.table(np.zeros((0, size))) for size in tail.sizes]
        self._action = [machine.table(np.zeros(0)) for _ in range(depth)]

    @cached_property
    def _tables(self) -> TailTables:
        """Made when it is first needed: all contexts of the first level take a while."""
        return TailTables(self._tail)

    def start(self, batch: int) -> tuple[Any, ...]:
        """The initial states of the tail's layers."""
        return tuple(k.start(batch) for k in self._kernels)

    def step(self, hidden: tuple[Any, ...], context: Any) -> tuple[list[Any], Any]:
        """States after a letter, and the outputs."""
        after = []
        for depth, kernel in enumerate(self._kernels):
            self._grow(depth)
            action = self._action[depth][context]
            h = kernel.step(hidden[depth], action)
            previous = self._readouts[depth][action, kernel.decode(h)][:, 0]
            below = self._next[depth][context, previous]
            if (below < 0).any():
                self._meet(depth, context, previous)
                below = self._next[depth][context, previous]
            context = below
            after.append(h)
        return after, self._machine.table(self._tables.outputs)[context]

    def _grow(self, depth: int) -> None:
        """Bring the tables on the device up to the contexts and actions met."""
        tables, known = self._tables, self._known[depth]
        images = tables.actions[depth][known:]
        if images:
            layer = register_layer(np.array(images), self._tail.initial[depth])
            self._kernels[depth].extend(layer)
            new = self._machine.table(layer.readout)
            self._readouts[depth] = _joined(self._readouts[depth], new)
            self._known[depth] += len(images)
        old = len(self._action[depth])
        actions = tables.action[depth][old:]
        if actions:
            rows = np.full((len(actions), self._tail.sizes[depth]), -1)
            self._action[depth] = _joined(
                self._action[depth], self._machine.table(np.array(actions) + 1)
            )
            self._next[depth] = _joined(self._next[depth], self._machine.table(rows))

    def _meet(self, depth: int, context: Any, previous: Any) -> None:
        """Number the contexts below that these pairs lead to."""
        pairs = np.stack([np.asarray(torch.as_tensor(x).cpu()) for x in (context, previous)], 1)
        pairs = np.unique(pairs, axis=0)
        below = [self._tables.below(depth, c, p) for c, p in pairs.tolist()]
        c, p, b = (self._machine.table(x) for x in (pairs[:, 0], pairs[:, 1], np.array(below)))
        self._next[depth][c, p] = b


def _joined(old: Any, new: Any) -> Any:
    return torch.cat([old, new]) if isinstance(old, torch.Tensor) else np.concatenate([old, new])
