"""The reachable configurations of a network beside an automaton, in the order of a queue."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.tail import Tail, TailTables
from lrnn_theory.verification.compositional import Target
from lrnn_theory.verification.rowset import RowSet, Stack
from lrnn_theory.verification.states import StateTable

Tensor = torch.Tensor

_SLICE_WORDS = 1 << 22
"""Words of the rows that are stepped at once."""

_MERGE_LIMIT = 1_000
"""States of a layer, closed by itself, up to which they are merged."""


@dataclass(frozen=True, eq=False)
class Step:
    """Configurations in order, each with every letter of the target in order; k rows.

    Attributes:
        first: number of the first transition (configuration times letters, plus letter); the
            others follow.
        letter: (k,).
        before: the configurations left, (k, width).
        after: the configurations reached, (k, width).
        number: their numbers, (k,).
        output: what the network answers, (k,).
        expected: what the target answers, (k,).
        ends_length: whether all words of one more length have been read now.
    """

    first: int
    letter: Tensor
    before: Tensor
    after: Tensor
    number: Tensor
    output: Tensor
    expected: Tensor
    ends_length: bool


class Configurations:
    """The configurations of a network beside an automaton, numbered in the order of a queue.

    A configuration is a row of integers: the number of the state of every layer, the coordinates
    that shifted levels and the tail remember, and the automaton's state.

    Args:
        lrnn: the network.
        target: the automaton.
        arithmetic: where the network runs.
        device: where to compute, if the arithmetic can; by default the CPU.
        merge: take states of a layer for one that read the same whatever follows.  There are
            fewer configurations then, with the same answers.
        until: the `time.monotonic()` after which layers are no longer stepped; then `steps` (with
            `merge` already this) raises `OutOfTimeError`.

    Attributes:
        device: where the rows lie.
        width: of a row.
        memory: the columns of the coordinates.
    """

    def __init__(
        self,
        lrnn: LRNN,
        target: Target,
        arithmetic: Arithmetic,
        device: torch.device | str | None = None,
        *,
        merge: bool = False,
        until: float = math.inf,
    ) -> None:
        self._tables = [
            StateTable(level.layer, arithmetic, device, until=until) for level in lrnn.levels
        ]
        self.device = self._tables[0].device if self._tables else torch.device("cpu")
        self._merged = [t.representatives(_MERGE_LIMIT) if merge else None for t in self._tables]
        shifted = [i for i, level in enumerate(lrnn.levels) if level.reads == "shifted"]
        tail = lrnn.tail.initial if lrnn.tail else ()
        depth = len(self._tables)
        self.memory = slice(depth, depth + len(shifted) + len(tail))
        self._remembered = {i: depth + place for place, i in enumerate(shifted)}
        self._tail = _TailWalks(lrnn.tail, self.device) if lrnn.tail else None
        self._tail_columns = slice(depth + len(shifted), self.memory.stop)

        self._heads = [
            [(self._table(v.action), self._table(v.next), v.reads) for v in head]
            for head in lrnn.heads
        ]
        self._combine = [self._table(c) for c in lrnn.combine]
        self._output = self._table(lrnn.output)
        self._classes = self._table(target.letter_class)
        self._delta, self._response = self._table(target.delta), self._table(target.response)

        memory = [lrnn.levels[i].layer.initial for i in shifted]
        start = torch.tensor([[*[0] * depth, *memory, *tail, target.initial]], device=self.device)
        self.width = start.shape[1]
        self._rows = RowSet(self.width, self.device)
        self._rows.add(start)
        self._origin = Stack(torch.tensor([-1], device=self.device))

    def _table(self, array: NDArray[Any]) -> Tensor:
        return torch.tensor(array, device=self.device)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def outgrown(self) -> bool:
        """Whether exact numbers of some layer have grown past `states.MAX_BITS`."""
        return any(table.outgrown for table in self._tables)

    @property
    def layer_states(self) -> int:
        """States of all layers together."""
        return sum(map(len, self._tables))

    def steps(self) -> Iterator[Step]:
        """Read every letter in every configuration, in order, until none is new."""
        stride = max(1, _SLICE_WORDS // (len(self._classes) * self.width))
        first = 0
        while first < len(self):
            end = len(self)  # of the configurations reached by words of one length
            for i in range(first, end, stride):
                yield self._step(i, min(i + stride, end), ends_length=i + stride >= end)
            first = end

    def _step(self, start: int, stop: int, *, ends_length: bool) -> Step:
        n_letters = len(self._classes)
        before = self._rows.rows[start:stop].repeat_interleave(n_letters, 0)
        letter = torch.arange(n_letters, device=self.device).repeat(stop - start)
        after, output = self._read(before, letter)
        number, fresh = self._rows.add(after)
        first = start * n_letters
        self._origin.append(first + fresh)
        state = before[:, -1] if self._response.ndim == 2 else after[:, -1]
        expected = (
            self._response[letter, state] if self._response.ndim == 2 else self._response[state]
        )
        return Step(first, letter, before, after, number, output, expected.long(), ends_length)

    def _read(self, before: Tensor, letter: Tensor) -> tuple[Tensor, Tensor]:
        """Configurations after a letter each, and the network's answers."""
        after = torch.empty_like(before)
        after[:, -1] = self._delta[letter, before[:, -1]]
        token = self._classes[letter].long()
        joint = token
        i = 0
        for number, head in enumerate(self._heads):
            c = token
            for action, below, reads in head:
                a = action[c].long()
                state = self._tables[i].advance(before[:, i], a)
                previous, current = self._tables[i].read(state, a).unbind(1)
                merged = self._merged[i]
                after[:, i] = state if merged is None else merged[state]
                read = previous if reads == "previous" else current
                if reads == "shifted":
                    column = self._remembered[i]
                    read = before[:, column]
                    after[:, column] = current
                c = below[c, read.long()].long()
                i += 1
            joint = c if number == 0 else self._combine[number - 1][joint, c].long()
        if self._tail is None:
            return after, self._output[joint].long()
        after[:, self._tail_columns], output = self._tail(joint, before[:, self._tail_columns])
        return after, output

    def shown(self, rows: Tensor) -> Tensor:
        """Configurations without the automaton's state, and of layers what a readout sees."""
        layers = [table.shown(rows[:, i]) for i, table in enumerate(self._tables)]
        return torch.cat([*(x[:, None] for x in layers), rows[:, len(layers) : -1]], 1)

    def word(self, transition: int) -> tuple[int, ...]:
        """The letters of the target on the way to a transition, its own the last."""
        n_letters, origin = len(self._classes), self._origin.rows.cpu()
        letters: list[int] = []
        while transition >= 0:
            configuration, letter = divmod(transition, n_letters)
            letters.append(letter)
            transition = int(origin[configuration])
        return tuple(reversed(letters))

    def digest(self) -> str:
        """SHA-256 of all configurations in order, in hexadecimal; "" if states are not tensors.

        Each is written as little-endian words: for every layer the numbers of its state as
        float64, row-major, NaN as 0x7ff8000000000000; then as int64 the coordinates remembered
        by shifted levels, those of the tail, and the automaton's state.
        """
        sha = hashlib.sha256()
        for rows in self._rows.rows.split(max(1, _SLICE_WORDS // self.width)):
            words = [rows[:, len(self._tables) :]]
            for i, table in reversed(list(enumerate(self._tables))):
                values = table.values(rows[:, i])
                if values is None:
                    return ""
                words.insert(0, values.view(torch.int64))
            sha.update(torch.cat(words, 1).cpu().numpy().astype("<i8").tobytes())
        return sha.hexdigest()


class _TailWalks:
    """The levels of a tail.  They compute with 0 and 1 only: coordinates stand for their states."""

    def __init__(self, tail: Tail, device: torch.device) -> None:
        self._tables = TailTables(tail)
        width = len(tail.sizes) + 1
        self._met = RowSet(width, device)  # context, coordinates
        self._walks = Stack(torch.empty((0, width), dtype=torch.int64, device=device))

    def __call__(self, context: Tensor, coordinates: Tensor) -> tuple[Tensor, Tensor]:
        """The new coordinates and the answers."""
        number, fresh = self._met.add(torch.cat([context[:, None], coordinates], 1))
        if len(fresh):
            new = self._met.rows[len(self._walks) :]
            walks = [self._tables.walk(c, p) for c, *p in new.tolist()]
            self._walks.append(new.new_tensor([[*moved, answer] for moved, answer in walks]))
        walks = self._walks.rows[number]
        return walks[:, :-1], walks[:, -1]
