"""Breadth-first closure of the reachable pairs (LRNN state, automaton state).

It decides: a closed set without a wrong answer is a proof for all lengths, a wrong answer comes
with a shortest word.  It stops undecided only at its budget.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.tail import TailTables
from lrnn_theory.verification.compositional import Target
from lrnn_theory.verification.states import StateTable


@dataclass(frozen=True)
class Budget:
    """How far a closure may go.

    Attributes:
        configurations: number of pairs (LRNN state, automaton state), and of states of a layer
            that is closed by itself.
        seconds: wall-clock time; None for no limit.  A run that stops on time is not
            reproducible, one that stops on configurations is.
    """

    configurations: int = 500_000
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.configurations < 1:
            raise ValueError(
                f"Argument 'configurations' must be positive, not {self.configurations}."
            )
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"Argument 'seconds' must be positive, not {self.seconds}.")


@dataclass(frozen=True)
class Closed:
    """Every reachable configuration answers right."""

    configurations: int
    layer_states: int


@dataclass(frozen=True)
class Wrong:
    """A shortest word (letter indices of the target) with a wrong answer after its last letter."""

    word: tuple[int, ...]
    output: int
    expected: int


@dataclass(frozen=True)
class Stopped:
    """The budget ended the search; every word up to length `covered` is answered right."""

    covered: int
    configurations: int
    reason: str


def close(
    lrnn: LRNN,
    target: Target,
    arithmetic: Arithmetic,
    budget: Budget,
    progress: Callable[[int], None] | None = None,
) -> Closed | Wrong | Stopped:
    """Close the reachable configurations, breadth first.

    Args:
        lrnn: the network.
        target: the automaton.
        arithmetic: where the network runs.
        budget: when to stop.
        progress: called with the number of configurations after every length.
    """
    runner = _Runner(lrnn, target, arithmetic)
    deadline = None if budget.seconds is None else time.monotonic() + budget.seconds
    frontier = runner.start()
    seen = {row.tobytes() for row in frontier}
    parents = [np.array([-1])]
    letters = [np.array([-1])]
    first_id, length = 0, 0
    while len(frontier):
        rows, source, via = [], [], []
        for a in range(len(target.letter_class)):
            after, output, expected = runner.step(frontier, a)
            wrong = np.flatnonzero(output != expected)
            if wrong.size:
                at = int(wrong[0])
                word = (*_trace(parents, letters, first_id + at), a)
                return Wrong(word, int(output[at]), int(expected[at]))
            keep = []
            for i, row in enumerate(after):
                key = row.tobytes()
                if key not in seen:
                    seen.add(key)
                    keep.append(i)
            rows.append(after[keep])
            source.append(first_id + np.array(keep, np.int64))
            via.append(np.full(len(keep), a))
            reason = _exceeded(len(seen), budget, deadline)
            if reason:
                return Stopped(length, len(seen), reason)
        first_id += len(frontier)
        frontier = np.concatenate(rows)
        parents.append(np.concatenate(source))
        letters.append(np.concatenate(via))
        length += 1
        if progress:
            progress(len(seen))
    return Closed(len(seen), sum(map(len, runner.tables)))


def _exceeded(configurations: int, budget: Budget, deadline: float | None) -> str:
    if configurations > budget.configurations:
        return (
            f"more than {budget.configurations} configurations; "
            f"raise the budget (--budget, Budget(configurations=...)) to go on"
        )
    if deadline is not None and time.monotonic() > deadline:
        return f"more than {budget.seconds} s; raise the budget (Budget(seconds=...)) to go on"
    return ""


def _trace(
    parents: list[NDArray[np.int64]], letters: list[NDArray[np.int64]], node: int
) -> tuple[int, ...]:
    parent, letter = np.concatenate(parents), np.concatenate(letters)
    word: list[int] = []
    while parent[node] >= 0:
        word.append(int(letter[node]))
        node = int(parent[node])
    return tuple(reversed(word))


class _Runner:
    """Steps rows of numbers.

    A row holds the states of all layers, the coordinates of shifted layers, those of the tail,
    and the automaton's state.
    """

    def __init__(self, lrnn: LRNN, target: Target, arithmetic: Arithmetic) -> None:
        self.lrnn, self.target = lrnn, target
        self.tables = [StateTable(level.layer, arithmetic) for level in lrnn.levels]
        self.shifted = [i for i, level in enumerate(lrnn.levels) if level.reads == "shifted"]
        # The layers of a tail compute with 0 and 1 only, so their coordinates are their states.
        self.tail = None if lrnn.tail is None else TailTables(lrnn.tail)

    def start(self) -> NDArray[np.int64]:
        """The initial configuration, as one row."""
        memory = [self.lrnn.levels[i].layer.initial for i in self.shifted]
        tail = list(self.lrnn.tail.initial) if self.lrnn.tail else []
        states = [0] * len(self.tables)
        return np.array([[*states, *memory, *tail, self.target.initial]], np.int64)

    def step(
        self, rows: NDArray[np.int64], letter: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Configurations after a letter, the LRNN's outputs, and the automaton's."""
        after = np.empty_like(rows)
        state = rows[:, -1]
        after[:, -1] = self.target.delta[letter, state]
        token = np.full(len(rows), self.target.letter_class[letter], np.int64)
        joint = token
        i = 0
        for head_index, head in enumerate(self.lrnn.heads):
            c = token
            for level in head:
                a = level.action[c]
                after[:, i] = self.tables[i].step(rows[:, i], a)
                read, current = self.tables[i].coordinates(after[:, i], a)
                if level.reads == "current":
                    read = current
                elif level.reads == "shifted":
                    memory = len(self.tables) + self.shifted.index(i)
                    read = rows[:, memory]
                    after[:, memory] = current
                c = level.next[c, read].astype(np.int64)
                i += 1
            joint = c if head_index == 0 else self.lrnn.combine[head_index - 1][joint, c]
        if self.tail is None:
            output = self.lrnn.output[joint].astype(np.int64)
        else:
            first = len(self.tables) + len(self.shifted)
            coordinates = rows[:, first:-1].tolist()
            walks = list(map(self.tail.walk, joint.tolist(), coordinates))
            after[:, first:-1] = [moved for moved, _ in walks]
            output = np.array([answer for _, answer in walks], np.int64)
        response = self.target.response
        expected = response[letter, state] if response.ndim == 2 else response[after[:, -1]]
        return after, output, expected.astype(np.int64)
