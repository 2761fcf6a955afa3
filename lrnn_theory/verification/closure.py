"""Breadth-first closure of the reachable pairs (LRNN state, automaton state).

It decides: a closed set without a wrong answer is a proof for all lengths, a wrong answer comes
with a shortest word.  It stops undecided only at its budget.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from lrnn_theory.arguments import positive
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification.compositional import Target
from lrnn_theory.verification.configurations import Configurations, Step
from lrnn_theory.verification.rowset import RowSet, Stack
from lrnn_theory.verification.states import MAX_BITS, OutOfTimeError


@dataclass(frozen=True)
class Budget:
    """How far a closure may go.

    Attributes:
        configurations: number of pairs (LRNN state, automaton state), and of states of a layer
            that is closed by itself.
        seconds: wall-clock time; None for no limit.  A run that stops on time is not
            reproducible, one that stops on configurations is.
        steps: letters that the orbit of a single layer over a single letter is followed.
    """

    configurations: int = 500_000
    seconds: float | None = None
    steps: int = 1_000_000_000

    def __post_init__(self) -> None:
        for name, number in (("configurations", self.configurations), ("steps", self.steps)):
            positive(name, number)
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"Argument 'seconds' must be positive, not {self.seconds}.")

    def deadline(self) -> float:
        """The `time.monotonic()` at which a search that begins now must end."""
        return math.inf if self.seconds is None else time.monotonic() + self.seconds


@dataclass(frozen=True)
class Closed:
    """Every reachable configuration answers right (for decoder "any": a decoder can).

    Attributes:
        configurations: how many there are.
        layer_states: states of all layers together.
        digest: SHA-256 of the configurations; see `Configurations.digest`.
    """

    configurations: int
    layer_states: int
    digest: str


@dataclass(frozen=True)
class Wrong:
    """A shortest word (letter indices of the target) with a wrong answer after its last letter."""

    word: tuple[int, ...]
    output: int
    expected: int


@dataclass(frozen=True)
class Confused:
    """Two words (letter indices of the target) that no decoder can answer right.

    They end with the same letter and show a readout the same, but call for different answers.
    `other` is as short as can be, and `word` is a shortest one that looks like it.
    """

    word: tuple[int, ...]
    other: tuple[int, ...]
    expected: int
    expected_other: int


@dataclass(frozen=True)
class Stopped:
    """The search ended early; every word up to length `covered` is answered right."""

    covered: int
    configurations: int
    reason: str


def close(
    lrnn: LRNN,
    target: Target,
    arithmetic: Arithmetic,
    budget: Budget,
    progress: Callable[[int], None] | None = None,
    *,
    device: torch.device | str | None = None,
    decoder: Literal["own", "any"] = "own",
    until: float | None = None,
) -> Closed | Wrong | Confused | Stopped:
    """Close the reachable configurations, breadth first.

    Args:
        lrnn: the network.
        target: the automaton.
        arithmetic: where the network runs.
        budget: when to stop.
        progress: called with the number of configurations after every length.
        device: where to compute, if the arithmetic can; by default the CPU.
        decoder: "own" compares the network's answers with the target's; "any" asks whether some
            function of the letter and of all that a readout sees would answer right.
        until: the `time.monotonic()` at which the seconds of the budget end, if they began before.

    Returns:
        `Closed`; or `Wrong` (`Confused` for any decoder) with a shortest word; or `Stopped`, at
        the budget or by an interrupt from the keyboard.
    """
    until = budget.deadline() if until is None else until
    reached = Configurations(lrnn, target, arithmetic, device, until=until)
    judge = _AnyDecoder(reached) if decoder == "any" else _OwnDecoder(reached)
    covered = 0
    try:
        for step in reached.steps():
            fault = judge(step)
            if fault is not None:
                return fault
            reason = exceeded(budget, reached, until)
            if reason:
                return Stopped(covered, len(reached), reason)
            if step.ends_length:
                covered += 1
                if progress:
                    progress(len(reached))
        return Closed(len(reached), reached.layer_states, reached.digest())
    except OutOfTimeError:
        return Stopped(covered, len(reached), out_of_time(budget))
    except KeyboardInterrupt:
        return Stopped(covered, len(reached), "interrupted")


def exceeded(budget: Budget, reached: Configurations, until: float) -> str:
    """Why a search must stop, or "" if it may go on; `until` is its `Budget.deadline`."""
    if len(reached) > budget.configurations:
        return (
            f"more than {budget.configurations} configurations; "
            f"raise the budget (--budget, Budget(configurations=...)) to go on"
        )
    if reached.outgrown:
        return f"exact numbers of more than {MAX_BITS} bits, which grow with the word"
    return out_of_time(budget) if time.monotonic() > until else ""


def out_of_time(budget: Budget) -> str:
    """Why a search stops whose time is over."""
    return (
        f"more than {budget.seconds} s; raise the budget (--seconds, Budget(seconds=...)) to go on"
    )


class _OwnDecoder:
    """Looks for a wrong answer."""

    def __init__(self, reached: Configurations) -> None:
        self._reached = reached

    def __call__(self, step: Step) -> Wrong | None:
        wrong = (step.output != step.expected).nonzero().ravel()
        if not len(wrong):
            return None
        at = int(wrong[0])
        word = self._reached.word(step.first + at)
        return Wrong(word, int(step.output[at]), int(step.expected[at]))


class _AnyDecoder:
    """Looks for two transitions that show a readout the same, and need different answers.

    A readout sees the letter, the states after it and, of shifted levels and of the tail, whose
    states keep it, the coordinates before it.
    """

    def __init__(self, reached: Configurations) -> None:
        self._reached = reached
        memory = reached.memory
        self._views = RowSet(reached.width + memory.stop - memory.start, reached.device)
        self._first = Stack(torch.empty((0, 2), dtype=torch.int64, device=reached.device))

    def __call__(self, step: Step) -> Confused | None:
        reached = self._reached
        view = torch.cat(
            [step.letter[:, None], reached.shown(step.after), step.before[:, reached.memory]], 1
        )
        number, fresh = self._views.add(view)
        transition = torch.arange(step.first, step.first + len(view), device=view.device)
        self._first.append(torch.stack([transition[fresh], step.expected[fresh]], 1))
        known = self._first.rows[number]
        conflict = (known[:, 1] != step.expected).nonzero().ravel()
        if not len(conflict):
            return None
        at = int(conflict[0])
        first, expected = known[at].tolist()
        word, other = map(self._reached.word, (first, step.first + at))
        return Confused(word, other, expected, int(step.expected[at]))
