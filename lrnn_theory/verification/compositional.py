"""Proof by composition: every layer by itself, then the wiring by induction on the word.

1. *Layers.*  Close the states of a layer under the actions in use, in the given arithmetic, and
   label each with the coordinate that the readout calls current.  If labels are consistent, each
   action moves coordinates by a map, and the readout reports the label truly, whatever the word.
2. *Wiring.*  A context is described by triples (X, a, Y): the automaton was in the set X, read the
   letter a, and is in the set Y.  Start from (Q, a, Q).  A level whose coordinate is p in block X
   narrows X to its *tile* T(X, p): the least sets with the initial state in the initial tile and
   T(X, p) a inside T(Y, map(p)) for every context.  After the last level, the response must be
   constant on what is left, and equal to the output.

By induction on the word the automaton's state is always in the tiles that the coordinates name.
Everything is recomputed from the weights and the automaton; no decomposition needs to be stored.
The proof succeeds on what the constructions build.  Failure proves nothing: a network may be right
although a layer by itself is not, or although its coordinates name sets that overlap.
docs/certificates.md has the induction in full.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.tail import Tail
from lrnn_theory.verification.orderfree import NotOrderFreeError, close_products
from lrnn_theory.verification.states import StateTable

MAX_LAYER_STATES = 20_000
"""Largest number of states of a layer that is closed by itself."""

Triple = tuple[int, int, int]


class NotComposedError(Exception):
    """This method cannot prove the LRNN right; the message says where it stopped."""


@dataclass(frozen=True, eq=False)
class Target:
    """The automaton to compare with, over letters that the LRNN may further merge.

    Attributes:
        delta: (letters, states).
        initial: its initial state.
        response: (states,), or (letters, states) for a Mealy machine, as LRNN output indices.
        letter_class: (letters,), the LRNN's class of every letter.
    """

    delta: NDArray[np.int32]
    initial: int
    response: NDArray[np.int32]
    letter_class: NDArray[np.int32]


@dataclass(frozen=True)
class Composed:
    """A proof: the states of every layer, head after head, and the contexts' triples."""

    layer_states: tuple[int, ...]
    triples: int


def prove(
    lrnn: LRNN,
    target: Target,
    arithmetic: Arithmetic,
    limit: int = MAX_LAYER_STATES,
    *,
    order_free: bool = False,
    until: float = math.inf,
) -> Composed:
    """Prove that the LRNN responds like the target after every non-empty word.

    Args:
        lrnn: the network.
        target: the automaton.
        arithmetic: where the network runs.
        limit: the largest number of states of a layer.
        order_free: whether every layer must be right in every order of evaluation.
        until: the `time.monotonic()` after which no layer is stepped.

    Raises:
        NotComposedError: if this method fails.
        OutOfTimeError: if the time ends before.
    """
    images = _Images(target.delta)
    everything = (1 << target.delta.shape[1]) - 1
    joint: dict[int, set[Triple]] | None = None
    layer_states: list[int] = []
    n_triples = 0
    if order_free:
        arithmetic = replace(arithmetic, order="sequential", chunk=0)
    root = defaultdict(set)
    for a, c in enumerate(target.letter_class.tolist()):
        root[c].add((everything, a, everything))
    for i, head in enumerate(lrnn.heads):
        contexts: dict[int, set[Triple]] = root
        block = everything
        for depth, level in enumerate(head):
            used = np.unique(level.action[list(contexts)])
            table = StateTable(level.layer, arithmetic, until=until)
            where = f"layer {depth} of head {i}"
            maps, count = _close_layer(level, used, table, min(limit, MAX_LAYER_STATES), where)
            if order_free:
                try:
                    close_products(level, arithmetic, maps, used)
                except NotOrderFreeError as reason:
                    raise NotComposedError(f"{where}: {reason}") from None
            layer_states.append(count)
            contexts, block = _refine(level, maps, contexts, block, target.initial, images)
            n_triples += sum(map(len, contexts.values()))
        joint = contexts if joint is None else _meet(lrnn.combine[i - 1], joint, contexts)
        if lrnn.tail is not None:
            _enter_tail(lrnn.tail, contexts, block, target)
            return Composed(tuple(layer_states), n_triples)
    assert joint is not None
    for c, triples in joint.items():
        output = int(lrnn.output[c])
        for old, a, new in triples:
            mealy = target.response.ndim == 2
            states = _members(old if mealy else new)
            answers = target.response[a, states] if mealy else target.response[states]
            if (answers != output).any():
                raise NotComposedError(f"final context {c} does not fix the response")
    return Composed(tuple(layer_states), n_triples)


def _close_layer(
    level: Level, used: NDArray[Any], table: StateTable, limit: int, where: str
) -> tuple[NDArray[np.int64], int]:
    """The coordinate map of every action used, (actions, size), -1 where never needed."""
    layer = level.layer
    maps = np.full((layer.n_actions, layer.size), -1, np.int64)
    labels = np.array([layer.initial])
    frontier = np.array([0])
    while frontier.size:
        source = np.repeat(frontier, len(used))
        action = np.tile(used, len(frontier))
        after = table.step(source, action)
        if len(table) > limit:
            raise NotComposedError(f"{where} has more than {limit} states")
        if table.outgrown:
            raise NotComposedError(f"{where} has exact numbers that grow")
        previous, current = table.coordinates(after, action)
        if level.reads == "previous" and (previous != labels[source]).any():
            raise NotComposedError(f"{where} misreports the previous coordinate")
        first_new = len(labels)
        grown = np.full(len(table), -1)
        grown[:first_new] = labels
        fresh = after >= first_new
        grown[after[fresh]] = current[fresh]
        if (grown[after] != current).any():
            raise NotComposedError(f"{where} has a state with two labels")
        known = maps[action, labels[source]]
        maps[action, labels[source]] = current
        if ((known >= 0) & (known != current)).any() or (
            maps[action, labels[source]] != current
        ).any():
            raise NotComposedError(f"{where} does not move coordinates by maps")
        labels = grown
        frontier = np.arange(first_new, len(labels))
    return maps, len(table)


def _refine(
    level: Level,
    maps: NDArray[np.int64],
    contexts: dict[int, set[Triple]],
    block: int,
    initial_state: int,
    images: _Images,
) -> tuple[dict[int, set[Triple]], int]:
    """Contexts with their triples below a level, and the initial block there."""
    out_of: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for c, triples in contexts.items():
        for old, a, new in triples:
            out_of[old].append((c, a, new))
    moves = {c: maps[level.action[c]].tolist() for c in contexts}
    start = (block, level.layer.initial)
    tiles: dict[tuple[int, int], int] = defaultdict(int)
    tiles[start] = 1 << initial_state
    queue = [start]
    waiting = {start}
    while queue:
        here = queue.pop()
        waiting.discard(here)
        states = tiles[here]
        for c, a, new in out_of[here[0]]:
            there = (new, moves[c][here[1]])
            grown = tiles[there] | images(a, states)
            if grown != tiles[there]:
                tiles[there] = grown
                if there not in waiting:
                    waiting.add(there)
                    queue.append(there)
    below: dict[int, set[Triple]] = defaultdict(set)
    for (old, p), states in tiles.items():
        for c, a, new in out_of[old]:
            current = moves[c][p]
            read = current if level.reads == "current" else p
            below[int(level.next[c, read])].add((states, a, tiles[new, current]))
    return below, tiles[start]


def _enter_tail(tail: Tail, contexts: dict[int, set[Triple]], block: int, target: Target) -> None:
    """The blocks that the tail starts from must hold what is known, and mean one thing.

    From there on the rule of exclusion is right on any automaton (docs/cascades.md), and a
    one-hot register layer computes with 0 and 1 only, exactly in every arithmetic.
    """
    meaning: dict[int, int] = {}
    for c, triples in contexts.items():
        before, letter, after = tail.contexts[c]
        for old, a, new in triples:
            if target.letter_class[a] != letter:
                raise NotComposedError(f"context {c} of the tail is of another letter")
            for known, stored in ((old, before), (new, after)):
                if known & ~stored or meaning.setdefault(known, stored) != stored:
                    raise NotComposedError(f"context {c} of the tail has a wrong block")
    remaining = meaning[block]
    for size, coordinate in zip(tail.sizes, tail.initial, strict=True):
        remaining = tail.exclusion.descend(size, remaining, coordinate)
    if remaining != 1 << target.initial:
        raise NotComposedError("the initial coordinates of the tail name another state")
    classes = target.letter_class
    response = tail.response[classes] if tail.response.ndim == 2 else tail.response
    if not (
        np.array_equal(tail.exclusion.delta[classes], target.delta)
        and np.array_equal(response, target.response)
    ):
        raise NotComposedError("the tail is of another automaton")


def _meet(
    combine: NDArray[np.int32], left: dict[int, set[Triple]], right: dict[int, set[Triple]]
) -> dict[int, set[Triple]]:
    """Joint contexts of two heads: what both know."""
    joint: dict[int, set[Triple]] = defaultdict(set)
    for c, triples in left.items():
        for c2, triples2 in right.items():
            for old, a, new in triples:
                for old2, a2, new2 in triples2:
                    if a == a2 and old & old2 and new & new2:
                        joint[int(combine[c, c2])].add((old & old2, a, new & new2))
    return joint


def _members(mask: int) -> NDArray[np.int64]:
    bits = np.frombuffer(mask.to_bytes((mask.bit_length() + 7) // 8, "little"), np.uint8)
    return np.flatnonzero(np.unpackbits(bits, bitorder="little"))


class _Images:
    """Images of sets of states (bitmasks) under letters, cached."""

    def __init__(self, delta: NDArray[np.int32]) -> None:
        self._bits = [[1 << int(q) for q in row] for row in delta]
        self._cache: dict[tuple[int, int], int] = {}

    def __call__(self, letter: int, mask: int) -> int:
        found = self._cache.get((letter, mask))
        if found is None:
            bits: Sequence[int] = self._bits[letter]
            found, rest = 0, mask
            while rest:
                low = rest & -rest
                found |= bits[low.bit_length() - 1]
                rest ^= low
            self._cache[letter, mask] = found
        return found
