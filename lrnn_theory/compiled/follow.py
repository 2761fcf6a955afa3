"""A network of one layer followed against an automaton, letter after letter.

The compiled loops are loaded when something is followed: most verdicts follow nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled.layer import CompiledLayer, Indices
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning.kernels import runs_natively
from lrnn_theory.transition import Dense

SLICE = 0.2
"""Seconds of compiled code between two looks at the keyboard."""


class Wiring(NamedTuple):
    """What surrounds the layer, as tables; an answer is an output of the network.

    Attributes:
        action: (letters,).
        answer: (letters, codewords), what the network answers.
        wanted: (letters, states), what it should, in the state before the letter.
        delta: (letters, states).
        guess: (actions, codewords), the codeword last seen after an action on one.
    """

    action: Indices
    answer: Indices
    wanted: Indices
    delta: Indices
    guess: Indices


@dataclass(frozen=True)
class Orbit:
    """What became of a letter that was read again and again.

    Attributes:
        outcome: "wrong": some word is answered wrongly; "cycle": the pairs (state of the layer,
            state of the automaton) repeat and all answers are right, for every length; "stopped":
            neither, so far.
        steps: "wrong": the length of the shortest such word; "cycle": the number of pairs;
            "stopped": the length up to which all answers are right.
        preperiod: pairs before the cycle; 0 unless there is one.
        period: pairs of the cycle; 0 unless there is one.
    """

    outcome: Literal["cycle", "wrong", "stopped"]
    steps: int
    preperiod: int = 0
    period: int = 0


class Follower:
    """A network of one level and an automaton, side by side.

    Args:
        lrnn: one head of one level that reads "previous" or "current", without a tail.
        delta: (letters, states), the automaton's transitions; its letters are its own.
        initial: its initial state.
        response: (states,), or (letters, states) for a Mealy machine, as outputs of the network.
        letter_class: (letters,), the network's class of every letter.
        arithmetic: where the network runs.

    Raises:
        ValueError: if the network or the arithmetic is not supported.
    """

    def __init__(
        self,
        lrnn: LRNN,
        delta: ArrayLike,
        initial: int,
        response: ArrayLike,
        letter_class: ArrayLike,
        arithmetic: Arithmetic,
    ) -> None:
        if not self.supports(lrnn, arithmetic):
            raise ValueError(f"{lrnn!r} cannot be followed in compiled code in '{arithmetic}'.")
        from lrnn_theory.compiled import engine

        self._engine = engine
        level = lrnn.levels[0]
        self.layer = CompiledLayer(level.layer, arithmetic)
        moves, classes = np.asarray(delta, np.int64), np.asarray(letter_class)
        answers, action = np.asarray(response, np.int64), level.action[classes].astype(np.int64)
        read = level.layer.readout[action, :, 0 if level.reads == "previous" else 1]
        self._wiring = Wiring(
            action,
            lrnn.output[level.next[classes[:, None], read]].astype(np.int64),
            answers if answers.ndim == 2 else answers[moves],
            moves,
            np.zeros(level.layer.readout.shape[:2], np.int64),
        )
        self._initial = initial
        self.reset()

    @staticmethod
    def supports(lrnn: LRNN, arithmetic: Arithmetic) -> bool:
        """Whether the network has one level that this can follow, in this arithmetic."""
        if len(lrnn.levels) != 1 or lrnn.tail or lrnn.levels[0].reads == "shifted":
            return False
        layer = lrnn.levels[0].layer
        if arithmetic.factored and isinstance(layer.transition, Dense):
            return False
        return CompiledLayer.supports(arithmetic) and runs_natively(layer, arithmetic)

    @property
    def steps(self) -> int:
        """Letters read since the start."""
        return int(self._at[2])

    @property
    def state(self) -> tuple[NDArray[np.float64], int]:
        """The state of the layer, (n, d), and that of the automaton."""
        h = np.where(np.isnan(self._h), np.nan, self._h.astype(np.float64))
        return h.reshape(self.layer.shape), int(self._at[1])

    def reset(self) -> None:
        """Go back to the empty word."""
        h0 = self.layer.start()
        self._h = self.layer.flat(h0)
        self._anchor = self._h.copy()
        self._at = np.array([self.layer.decode(h0), self._initial, 0, -1, 0, -1])

    def follow(self, letters: ArrayLike) -> int:
        """Read letters of the automaton, up to the first one that is answered wrongly.

        Returns:
            Its index, or -1 if all are answered right.
        """
        word = np.asarray(letters, np.int64).reshape(-1)
        if word.size and not 0 <= word.min() <= word.max() < len(self._wiring.action):
            raise ValueError(f"Argument 'letters' must be in 0..{len(self._wiring.action) - 1}.")
        before = self.steps
        result = self._walk(word, len(word))
        return self.steps - before - 1 if result == self._engine.WRONG else -1

    def orbit(
        self,
        letter: int,
        limit: int,
        progress: Callable[[int], None] | None = None,
        *,
        until: float = math.inf,
    ) -> Orbit:
        """Read one letter again and again, from the empty word.

        Brent's algorithm finds the period of the first repetition; a second pass, of at most as
        many steps, finds where the cycle begins.

        Args:
            letter: a letter of the automaton.
            limit: the most letters read before a repetition is found.
            progress: called several times a second with the number of letters read.
            until: the `time.monotonic()` after which a repetition is no longer looked for.

        Returns:
            The outcome; "stopped" also on a keyboard interrupt.
        """
        self.reset()
        word = np.array([letter])
        self._at[3], self._at[5] = self._initial, 1
        covered = 0
        try:
            for count in _slices(limit):
                result = self._walk(word, count)
                if result == self._engine.WRONG:
                    return Orbit("wrong", self.steps)
                covered = self.steps
                if result == self._engine.CYCLE:
                    period = int(self._at[4])
                    preperiod = self._preperiod(letter, period)
                    return Orbit("cycle", preperiod + period, preperiod, period)
                if monotonic() > until:
                    break
                if progress:
                    progress(covered)
        except KeyboardInterrupt:
            pass
        return Orbit("stopped", covered)

    def _walk(self, word: Indices, count: int) -> int:
        return self._engine.walk(
            self.layer.program,
            self.layer.reader,
            self._wiring,
            self._h,
            self._at,
            self._anchor,
            word,
            count,
        )

    def _preperiod(self, letter: int, period: int) -> int:
        ahead = self.layer.flat(self.layer.start())
        behind = ahead.copy()
        at = np.array([self._initial, self._initial, 0])
        action, succ = self._wiring.action[letter], self._wiring.delta[letter]
        meet = self._engine.meet
        for count in _slices(self.steps + 1):
            if meet(self.layer.program, action, succ, ahead, behind, at, period, count):
                break
        return int(at[2]) - period


def _slices(total: int) -> Iterator[int]:
    """Parts of a number of steps; each takes about as long as a slice, once speed is known."""
    count = 10_000
    while total > 0:
        count = min(count, total)
        start = perf_counter()
        yield count
        seconds = max(perf_counter() - start, 1e-6)
        total -= count
        count = max(1, int(count * min(SLICE / seconds, 10.0)))
