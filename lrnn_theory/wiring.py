"""The LRNN of a permutation-reset cascade: one layer a level, and its wiring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.cascade import Cascade
from lrnn_theory.cascade import Level as CascadeLevel
from lrnn_theory.construction import empty_output
from lrnn_theory.lrnn import LRNN, Layer, Level, Reads
from lrnn_theory.onehot import is_permutation, plain_layer, register_layer
from lrnn_theory.tail import Tail

LayerOf = Callable[[NDArray[np.int32], int], Layer]
"""What makes the layer of a level from its maps and its initial coordinate."""


def wire(
    cascade: Cascade,
    *,
    shifted: bool,
    plain: LayerOf = plain_layer,
    register: LayerOf = register_layer,
) -> LRNN:
    """The LRNN of a cascade, with registers or with an input shift.

    Args:
        cascade: the cascade.
        shifted: whether a level reads the coordinates above it as they were one step earlier.
        plain: makes the layers that permute only, or whose previous coordinate is not needed.
        register: makes the other ones.

    Contexts are merged from the last level upwards: two contexts of a level are one if they take
    the same action and lead on to the same contexts.
    """
    core = cascade.automaton
    response = core.response
    before, letter, after = cascade.final.T
    target = response[letter, before] if core.kind == "mealy" else response[after]
    tail = None
    if cascade.tail is not None:
        stored = len(cascade.levels)
        tail = Tail(cascade.tail, cascade.tail_contexts, cascade.initial[stored:], response)
        target = np.arange(len(tail.contexts))
    levels: list[Level] = []
    for depth in reversed(range(len(cascade.levels))):
        level = _settled(cascade.levels[depth])
        last = depth == len(cascade.levels) - 1
        permuting = all(is_permutation(m) for m in level.maps)
        nxt = np.where(level.next >= 0, target[level.next], -1)
        layer: Layer
        reads: Reads
        if shifted:
            layer, reads = plain(level.maps, cascade.initial[depth]), "shifted"
        elif last and tail is None and core.kind != "mealy":
            layer, reads = plain(level.maps, cascade.initial[depth]), "current"
            nxt = by_current(nxt, level.maps[level.action])
        elif permuting:
            layer, reads = plain(level.maps, cascade.initial[depth]), "previous"
        else:
            layer, reads = register(level.maps, cascade.initial[depth]), "previous"
        rows = np.concatenate([level.action[:, None], nxt], axis=1)
        merged, target = np.unique(rows, axis=0, return_inverse=True)
        target = target.ravel()
        if depth == 0:  # the contexts of the first level are the letters
            merged, target = rows, np.arange(len(rows))
        levels.append(Level(layer, merged[:, 0], np.maximum(merged[:, 1:], 0), reads))
    return LRNN(
        letters=core.letters,
        letter_class=np.arange(core.n_letters),
        heads=(tuple(reversed(levels)),),
        output=np.arange(0 if tail else len(core.output_symbols)) if levels or tail else target,
        empty_output=empty_output(core),
        kind=core.kind,
        output_symbols=core.output_symbols,
        tail=tail,
    )


def _settled(level: CascadeLevel) -> CascadeLevel:
    """Send the coordinate to 0 where it means nothing, if the level can reset at all.

    A stale coordinate would do no harm, but a known one keeps the reachable configurations few,
    and the proof of the wiring short.  A level that only permutes needs no register, and keeps
    doing so.
    """
    if all(is_permutation(m) for m in level.maps) or not level.free.any():
        return level
    zero = np.zeros((1, level.size), level.maps.dtype)
    action = np.where(level.free, len(level.maps), level.action)
    maps, action = _distinct(np.concatenate([level.maps, zero]), action)
    return replace(level, maps=maps, action=action)


def _distinct(maps: NDArray[np.int32], action: NDArray[np.int64]) -> tuple[Any, Any]:
    """Number the actions anew, equal ones alike and unused ones dropped."""
    rows, inverse = np.unique(maps, axis=0, return_inverse=True)
    used, action = np.unique(inverse.ravel()[action], return_inverse=True)
    return rows[used], action.ravel()


def by_current(nxt: NDArray[Any], maps: NDArray[np.int32]) -> NDArray[Any]:
    """Index the last level's outputs by the coordinate after the letter instead of before it.

    The letter, the blocks and the coordinate after it fix the state after it, so two previous
    coordinates with one image have one output.
    """
    out = np.full_like(nxt, -1)
    rows = np.arange(len(nxt))
    for previous in range(nxt.shape[1]):
        known = nxt[:, previous] >= 0
        out[rows[known], maps[known, previous]] = nxt[known, previous]
    return out
