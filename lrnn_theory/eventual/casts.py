"""A layer in the cast model that takes actions which are periodic in the end."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil, lcm
from typing import Any

import numpy as np

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.eventual.streams import Stream
from lrnn_theory.formats import Format
from lrnn_theory.ideal_cast import Box, Ranges, cycle_ranges, cycle_turns, cycle_values
from lrnn_theory.ideal_cast.cycle import Step
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.cast import CastKernel
from lrnn_theory.scanning.rational import Reader
from lrnn_theory.scanning.stored import store
from lrnn_theory.transition import Array

REPLAYED = 1000
"""Steps of a cycle that are computed one by one before ranges of them are enclosed."""
MAX_CLASSES = 128
"""Most classes of lengths, by their remainder modulo a period, in each of which runs are told."""


class UnsettledError(Exception):
    """No proof that a layer is periodic in the end, or of what it does before; it says why."""


@dataclass(frozen=True, eq=False)
class CastLayer:
    """A layer, and the actions that it takes.

    Attributes:
        seen: what a readout sees after every letter before the cycle of actions, (n, d) each.
        steps: the cycle.
        terms: the exact terms that the layer holds when it begins, and how often each.
        form: the format.
        reader: the decoder.
    """

    seen: tuple[Array, ...]
    steps: tuple[Step, ...]
    terms: tuple[tuple[Array, int], ...]
    form: Format
    reader: Reader

    @classmethod
    def of(cls, layer: Layer, actions: Stream, arithmetic: Arithmetic) -> CastLayer:
        """Take the actions of the head."""
        assert arithmetic.format is not None
        kernel, seen = CastKernel(layer, arithmetic), []
        h = kernel.start(1)
        for a in actions.head:
            h = kernel.step(h, np.array([a]))
            seen.append(kernel.seen(h[0, 0, 0]))
        shape, stored = (layer.n, layer.d), store(layer, arithmetic)
        return cls(
            tuple(seen),
            tuple((layer.transition.matrix(a), layer.b[a]) for a in actions.cycle),
            tuple((_shaped(t, shape), count) for t, count in h[0, 0, 0]),
            arithmetic.format,
            Reader(stored, exact=stored.words[0].dtype == object),
        )

    def states(self) -> Iterator[Array]:
        """What a readout sees after 1, 2, ... letters, by definition."""
        yield from self.seen
        yield from islice(cycle_values(self.steps, self.terms, self.form), 1, None)

    def shaped(self, numbers: Sequence[Any]) -> Array:
        """Numbers of a state, row after row, as an array (n, d)."""
        return _shaped(numbers, self.steps[0][1].shape)


def _shaped(numbers: Sequence[Any], shape: tuple[int, ...]) -> Array:
    out = np.empty(len(numbers), object)
    out[:] = numbers
    return out.reshape(shape)


# -------------------------------------------------------------------- all lengths


Label = int | tuple[Any, ...]
"""What states have in common: their codeword, or all their numbers."""
Labelling = Callable[[Box], Label | None]
"""The label of all states between two; None if that is not known."""


def codeword(reader: Reader) -> Labelling:
    """The codeword that is read."""

    def label(box: Box) -> int | None:
        low, high = box
        return reader(low) if (low == high).all() else reader.between(low, high)

    return label


def state(box: Box) -> tuple[Any, ...] | None:
    """The state itself."""
    low, high = box
    return tuple(low.ravel().tolist()) if (low == high).all() else None


class Runs:
    """The labels of a layer after 1, 2, ... letters, as runs of equal ones.

    The lengths from the cycle on are parted by their remainder modulo `period`; in each class the
    labels are a few runs, told by enclosing the states of ranges of rounds.

    Args:
        layer: the layer.
        label: of its states.
        period: a number of letters that the period is to be a multiple of.
        last: the largest length that will be asked for.
        budget: most enclosures of a run of a sequence.

    Attributes:
        layer: the layer.
        period: in letters.
        classes: for every class, the lengths at which runs start, ascending, and their labels.

    Raises:
        UnsettledError: if a weight is irrational or there are too many classes.
    """

    def __init__(
        self, layer: CastLayer, label: Labelling, period: int, last: int, budget: int
    ) -> None:
        self.layer, self._label, self._last, self._budget = layer, label, last, budget
        self._head = [self._one(x) for x in layer.seen]
        q, self.period = len(layer.steps), period
        if last >= len(self._head) + REPLAYED:
            signed = q * lcm(period // q, cycle_turns(layer.steps, layer.terms))
            self.period = signed if signed <= MAX_CLASSES else period
            if period > MAX_CLASSES:
                raise UnsettledError(f"lengths fall into {period} classes, over {MAX_CLASSES}")
        self.classes: list[tuple[list[int], list[Label]]] = [([], []) for _ in range(self.period)]
        self._replay()
        self._ranges: list[Ranges] | None = None

    def _replay(self) -> None:
        first, steps = len(self._head), ceil(REPLAYED / self.period) * self.period
        states = islice(cycle_values(self.layer.steps, self.layer.terms, self.layer.form), steps)
        for t, x in enumerate(states, first):
            self._record(t, self._one(x))
        self._done = first + steps

    def _one(self, x: Array) -> Label:
        label = self._label((x, x))
        assert label is not None
        return label

    def _record(self, t: int, label: Label) -> None:
        starts, labels = self.classes[(t - len(self._head)) % self.period]
        if not labels or labels[-1] != label:
            starts.append(t)
            labels.append(label)

    def at(self, t: int) -> Label:
        """The label after t letters, t >= 1, within what `extend` has reached."""
        if t <= len(self._head):
            return self._head[t - 1]
        starts, labels = self.classes[(t - len(self._head)) % self.period]
        return labels[bisect_right(starts, t) - 1]

    def starts(self, after: int, last: int) -> list[int]:
        """The lengths t with after < t <= last at which a run starts."""
        return [t for starts, _ in self.classes for t in starts if after < t <= last]

    def extend(self, t: int) -> None:
        """Tell the labels up to t letters.

        Raises:
            UnsettledError: if that takes more enclosures than the budget allows.
        """
        if t < self._done:
            return
        if self._ranges is None:
            self._ranges = self._begin()
        first = len(self._head)
        for r, rounds in enumerate(self._ranges):
            ends = [(t - first - r) // self.period]
            while ends and rounds.at <= ends[0]:
                if sum(x.enclosures for x in self._ranges) > self._budget:
                    raise UnsettledError(
                        f"more than {self._budget} enclosures of states; raise the budget "
                        f"(--budget, Budget(configurations=...)) to go on"
                    )
                label = self._label(rounds.enclose(ends[-1]))
                if label is not None:
                    self._record(first + r + rounds.at * self.period, label)
                    rounds.advance(ends.pop())
                elif ends[-1] > rounds.at:
                    ends.append((rounds.at + ends[-1]) // 2)
                elif not rounds.refine():
                    raise UnsettledError("a state is too near to a midpoint of the format")
        self._done = t + 1

    def _begin(self) -> list[Ranges]:
        """Enclosures of the rounds after those that were replayed."""
        done = (self._done - len(self._head)) // self.period
        steps = self.layer.steps * (self.period // len(self.layer.steps))
        last = max(self._last // self.period + 1, done)
        out = cycle_ranges(steps, self.layer.terms, self.layer.form, last)
        for x in out:
            x.advance(done - 1)
        return out
