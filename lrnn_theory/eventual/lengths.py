"""A network in the cast model that reads one letter, at all lengths."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import lcm
from typing import Literal

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.eventual.casts import CastLayer, Runs, codeword, state
from lrnn_theory.eventual.network import settle
from lrnn_theory.eventual.streams import Stream
from lrnn_theory.lrnn import LRNN, Level

Sees = Literal["answer", "view"]


@dataclass(frozen=True, eq=False)
class _Part:
    """A level, what it is given, and what is known of its states: codewords, or the states."""

    level: Level
    contexts: Stream
    actions: Stream
    runs: Runs

    def read(self, t: int, column: int) -> int:
        """The coordinate that the readout calls previous (0) or current (1) after t letters."""
        seen = self.runs.at(t)
        index = (
            self.runs.layer.reader(self.runs.layer.shaped(seen))
            if isinstance(seen, tuple)
            else seen
        )
        return int(self.level.layer.readout[self.actions[t], index, column])

    def remembered(self, t: int) -> int:
        """The coordinate that a level which reads "shifted" keeps after t letters."""
        return self.read(t, 1) if t else self.level.layer.initial

    def below(self, t: int) -> int:
        """The context that the level leads to, after t letters."""
        if self.level.reads == "shifted":
            passed = self.remembered(t - 1)
        else:
            passed = self.read(t, int(self.level.reads == "current"))
        return int(self.level.next[self.contexts[t], passed])

    def view(self, t: int) -> Hashable:
        """What a readout sees of the level after t letters."""
        kept = (t - 1, t) if self.level.reads == "shifted" else ()
        return self.runs.at(t), *map(self.remembered, kept)


class Lengths:
    """What a network of one letter answers, or shows a readout, after 1, 2, ... letters.

    From `preperiod` on that is periodic.  Before, it is enough to look at the lengths that
    `candidates` names: at any other one the same is seen as at an earlier one that has the same
    remainder modulo `period`.

    Args:
        lrnn: a network of one letter.
        arithmetic: the cast model of some format.
        sees: the answer, or all that a readout sees of the layers.
        modulo: the period is to be a multiple of it.
        after: a length that the preperiod is to exceed.
        budget: most enclosures of a run of a sequence, for every layer.

    Attributes:
        preperiod: in letters.
        period: in letters.

    Raises:
        UnsettledError: if a layer is not known to be periodic in the end.
    """

    def __init__(
        self,
        lrnn: LRNN,
        arithmetic: Arithmetic,
        sees: Sees,
        *,
        modulo: int,
        after: int,
        budget: int,
    ) -> None:
        found = settle(lrnn, (), (0,), arithmetic)
        self._lrnn, self._sees = lrnn, sees
        streams = (*found.contexts, *found.actions)
        first = max(after, *(len(x.head) + 1 for x in streams), 0) + 1
        self.preperiod = max(found.preperiod, first)
        self.period = lcm(found.period, modulo)
        last = self.preperiod + self.period + 1
        self._ends: list[_Part | None] = []
        self._parts: list[_Part] = []
        given = iter(zip(found.orbits, found.contexts, found.actions, strict=True))
        for head in lrnn.heads:
            end = None
            for level, (orbit, contexts, actions) in zip(head, given, strict=False):
                if sees == "answer" and level is not head[-1]:
                    continue
                layer = CastLayer.of(level.layer, actions, arithmetic)
                label = codeword(layer.reader) if sees == "answer" else state
                runs = Runs(layer, label, orbit.period, last, budget)
                end = _Part(level, contexts, actions, runs)
                self._parts.append(end)
            self._ends.append(end)
        self.period = lcm(self.period, *(part.runs.period for part in self._parts))
        self._base = first + self.period

    @property
    def last(self) -> int:
        """What is seen after more letters has been seen before, with the same remainder."""
        return self.preperiod + self.period

    def extend(self, t: int) -> None:
        """Compute what is needed of up to t letters.

        Raises:
            UnsettledError: if that takes more enclosures than the budget allows.
        """
        for part in self._parts:
            part.runs.extend(t)

    def candidates(self, after: int, last: int) -> set[int]:
        """The lengths t to be looked at because of something that begins at after < t <= last.

        They may be larger than `last`, by no more than one period.
        """
        out = set(range(after + 1, min(last, self._base) + 1))
        for part in self._parts:
            delays = (0, 1) if part.level.reads == "shifted" else (0,)
            for t in part.runs.starts(after, last):
                for delay in delays:
                    out.update(range(t + delay, t + delay + self.period, part.runs.period))
        return out

    def at(self, t: int) -> Hashable:
        """What is seen after t letters: the answer, as an index, or a view."""
        if self._sees == "view":
            return tuple(part.view(t) for part in self._parts)
        joint = 0
        for number, end in enumerate(self._ends):
            c = int(self._lrnn.letter_class[0]) if end is None else end.below(t)
            joint = int(self._lrnn.combine[number - 1][joint, c]) if number else c
        return int(self._lrnn.output[joint])
