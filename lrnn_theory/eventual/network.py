"""A network on the words u w^k: level by level, each on the eventual outputs of those below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.eventual.casts import UnsettledError
from lrnn_theory.eventual.orbits import Orbit, orbit
from lrnn_theory.eventual.streams import Stream
from lrnn_theory.lrnn import LRNN, Level

MAX_PERIOD = 65_536
"""Longest period of a network."""


@dataclass(frozen=True, eq=False)
class Settled:
    """What a readout may see of a network is periodic in the end.

    It sees the last letter, the state of every layer (in the cast model as it is cast), and what
    levels that read "shifted" remember.

    Attributes:
        preperiod: the number of letters from which on it is.
        period: in letters.
        orbits: those of all levels, head after head.
        contexts: the contexts that every level enters, head after head.
        actions: the actions that every level takes in them.
    """

    preperiod: int
    period: int
    orbits: tuple[Orbit, ...]
    contexts: tuple[Stream, ...]
    actions: tuple[Stream, ...]


def settle(
    lrnn: LRNN, prefix: Sequence[int], cycle: Sequence[int], arithmetic: Arithmetic
) -> Settled:
    """Follow a network on u w^k for all k.

    Args:
        lrnn: the network.
        prefix: the letters of u, as indices.
        cycle: the letters of w.
        arithmetic: where the network runs.

    Raises:
        UnsettledError: if some layer is not known to be periodic in the end.
    """
    if lrnn.tail is not None:
        raise UnsettledError("an exclusion tail computes its wiring: it is not followed")
    letters = Stream(
        tuple(lrnn.letter_class[list(prefix)].tolist()),
        tuple(lrnn.letter_class[list(cycle)].tolist()),
    )
    orbits, entered, streams = [], [], []
    preperiod, period = len(prefix) + 1, len(cycle)
    for head in lrnn.heads:
        contexts = letters
        for depth, level in enumerate(head):
            actions = Stream.shortest(
                [int(level.action[c]) for c in contexts.head],
                [int(level.action[c]) for c in contexts.cycle],
            )
            found = orbit(level.layer, actions, arithmetic)
            orbits.append(found)
            entered.append(contexts)
            streams.append(actions)
            delay = int(level.reads == "shifted")
            preperiod = max(preperiod, len(contexts.head) + 1, found.preperiod + delay)
            period = lcm(period, found.period, len(contexts.cycle))
            if period > MAX_PERIOD:
                raise UnsettledError(f"the period may be {period}, more than {MAX_PERIOD}")
            if depth + 1 < len(head):
                contexts = below(level, contexts, found)
    return Settled(preperiod, period, tuple(orbits), tuple(entered), tuple(streams))


def below(level: Level, contexts: Stream, found: Orbit) -> Stream:
    """The contexts of the next level."""
    first = max(len(contexts.head), found.preperiod) + 1
    period = lcm(len(contexts.cycle), found.period)
    codewords = found.codewords(first + period)
    column = int(level.reads != "previous")
    remembered, out = level.layer.initial, []
    for t, codeword in enumerate(codewords, 1):
        read = int(level.layer.readout[level.action[contexts[t]], codeword, column])
        passed = read
        if level.reads == "shifted":
            passed, remembered = remembered, read
        out.append(int(level.next[contexts[t], passed]))
    return Stream.shortest(out[:first], out[first:])
