"""One letter in the cast model: decided for all lengths by how the network ends.

A layer adds up infinitely many different terms, so that no list of states is ever closed.  But what
a readout sees is periodic in the end, from a length on that is computed (docs/ideal-cast.md).
Before it, lengths fall into few runs on which all is alike.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.eventual import Lengths, Stream, UnsettledError
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification.closure import Budget, Stopped, out_of_time
from lrnn_theory.verification.compositional import Target

FIRST = 1000
"""Lengths that are looked at first; then four times as many, and so on."""


@dataclass(frozen=True)
class Settled:
    """All lengths are answered right (for decoder "any": can be).

    Attributes:
        preperiod: from this length on, what is seen and what is wanted are periodic.
        period: with this period.
        lengths: at how many lengths that was looked at.
    """

    preperiod: int
    period: int
    lengths: int


@dataclass(frozen=True)
class Err:
    """The least length that is answered wrongly.

    Attributes:
        length: of the word.
        output: the network's answer.
        expected: the target's.
    """

    length: int
    output: int
    expected: int


@dataclass(frozen=True)
class Alike:
    """Two lengths that no decoder tells apart.

    Attributes:
        first: the first length that looks like `other`.
        other: the least length that looks like one which needs another answer.
        expected: the answer that `first` needs.
        expected_other: that of `other`.
    """

    first: int
    other: int
    expected: int
    expected_other: int


def decides(lrnn: LRNN, arithmetic: Arithmetic) -> bool:
    """Whether this method may apply."""
    sequential = arithmetic.order == "sequential"
    return arithmetic.semantics == "cast" and sequential and len(lrnn.letters) == 1


def decide(
    lrnn: LRNN,
    target: Target,
    arithmetic: Arithmetic,
    budget: Budget,
    progress: Callable[[int], None] | None = None,
    *,
    any_decoder: bool = False,
    until: float = math.inf,
) -> Settled | Err | Alike | Stopped:
    """Whether a network answers all powers of its only letter right.

    Args:
        lrnn: the network.
        target: the automaton.
        arithmetic: the cast model of some format.
        budget: a tenth of its configurations is the largest number of enclosures of the states of a
            layer, which take longer.
        progress: called with the length up to which all is known.
        any_decoder: ask whether some function of all that a readout sees would be right.
        until: the `time.monotonic()` after which no length is looked at.

    Returns:
        `Settled`; or `Err` (`Alike`) with the shortest words; or `Stopped`.

    Raises:
        UnsettledError: if the network is not known to be periodic in the end.
    """
    wanted = _wanted(target)
    lengths = Lengths(
        lrnn,
        arithmetic,
        "view" if any_decoder else "answer",
        modulo=len(wanted.cycle),
        after=len(wanted.head),
        budget=max(1, budget.configurations // 10),
    )
    judge = _Any(lengths, wanted) if any_decoder else _Own(lengths, wanted)
    done, looked = 0, 0
    try:
        while done < lengths.last:
            now = min(lengths.last, max(FIRST, 4 * done))
            lengths.extend(now + lengths.period + 1)
            for t in sorted(lengths.candidates(done, now)):
                if time.monotonic() > until:
                    return Stopped(done, looked, out_of_time(budget))
                judge.look(t)
                looked += 1
            fault = judge.fault(now if now < lengths.last else None)
            if fault is not None:
                return fault
            done = now
            if progress:
                progress(done)
    except UnsettledError as reason:
        return Stopped(done, looked, str(reason))
    except KeyboardInterrupt:
        return Stopped(done, looked, "interrupted")
    return Settled(lengths.preperiod, lengths.period, looked)


def _wanted(target: Target) -> Stream:
    """The answers that the target gives to 1, 2, ... letters."""
    q, path, seen = target.initial, [], {}
    while q not in seen:
        seen[q] = len(path)
        after = int(target.delta[0, q])
        response = target.response
        path.append(int(response[0, q] if response.ndim == 2 else response[after]))
        q = after
    return Stream.shortest(path[: seen[q]], path[seen[q] :])


class _Own:
    """Looks for the first wrong answer."""

    def __init__(self, lengths: Lengths, wanted: Stream) -> None:
        self._lengths, self._wanted = lengths, wanted
        self._wrong: int | None = None

    def look(self, t: int) -> None:
        if self._lengths.at(t) != self._wanted[t]:
            self._wrong = min(t, self._wrong or t)

    def fault(self, known: int | None) -> Err | None:
        """The first, if all lengths up to `known` (None: all lengths) have been looked at."""
        t = self._wrong
        if t is None or (known is not None and t > known):
            return None
        answer = self._lengths.at(t)
        assert isinstance(answer, int)
        return Err(t, answer, self._wanted[t])


class _Any:
    """Looks for the first length that looks like an earlier one and needs another answer."""

    def __init__(self, lengths: Lengths, wanted: Stream) -> None:
        self._lengths, self._wanted = lengths, wanted
        self._first: dict[Hashable, dict[int, int]] = {}

    def look(self, t: int) -> None:
        first = self._first.setdefault(self._lengths.at(t), {})
        answer = self._wanted[t]
        first[answer] = min(t, first.get(answer, t))

    def fault(self, known: int | None) -> Alike | None:
        """As that of `_Own`."""
        pairs = [
            sorted((t, a) for a, t in x.items())[:2] for x in self._first.values() if len(x) > 1
        ]
        if not pairs:
            return None
        (one, expected), (other, expected_other) = min(pairs, key=lambda pair: pair[1])
        if known is not None and other > known:
            return None
        return Alike(one, other, expected, expected_other)
