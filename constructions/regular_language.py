"""Any regular language: a cascade of permutation-reset levels (G-T4, repaired).

The construction as published feeds a level the coordinates of the levels above *before* the
letter, but a layer of eq. (1) outputs what it holds *after* it, and a reset destroys the
difference.  Two repairs: a pre-state register of n more rows in every level whose previous
coordinate is needed (`REGISTER`, the default), or an input shift, the short convolution that real
layers have (`SHIFT`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Cascade, decompose
from lrnn_theory.cascade import Level as CascadeLevel
from lrnn_theory.construction import Bounds, Construction, core_of, empty_output
from lrnn_theory.lrnn import LRNN, Layer, Level, Reads
from lrnn_theory.onehot import is_permutation, plain_layer, register_layer
from lrnn_theory.tail import Tail


def wire(cascade: Cascade, *, shifted: bool) -> LRNN:
    """The LRNN of a cascade, with registers or with an input shift.

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
            layer, reads = plain_layer(level.maps, cascade.initial[depth]), "shifted"
        elif last and tail is None and core.kind != "mealy":
            layer, reads = plain_layer(level.maps, cascade.initial[depth]), "current"
            nxt = _by_current(nxt, level.maps[level.action])
        elif permuting:
            layer, reads = plain_layer(level.maps, cascade.initial[depth]), "previous"
        else:
            layer, reads = register_layer(level.maps, cascade.initial[depth]), "previous"
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


def _by_current(nxt: NDArray[np.int64], maps: NDArray[np.int32]) -> NDArray[np.int64]:
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


def published(automaton: Automaton) -> LRNN:
    """The construction as published: no register, so a level sees coordinates after the letter.

    It is wrong where a reset hides the coordinate before the letter that a level below needs; kept
    to be refuted (docs/regular-languages.md).  A context is a context of the cascade, which wants
    the coordinates before the letter, with the coordinates passed so far.
    """
    core = core_of(automaton)[1]
    cascade = decompose(core)
    if core.kind == "mealy" or cascade.tail is not None:
        raise ValueError("Argument 'automaton' must be a DFA or Moore machine without a tail.")
    contexts: list[tuple[int, tuple[int, ...]]] = [(a, ()) for a in range(core.n_letters)]
    levels = []
    for level, initial in zip(cascade.levels, cascade.initial, strict=True):
        below: dict[tuple[int, tuple[int, ...]], int] = {}
        rows = [
            [
                below.setdefault((int(level.next[c, p]), (*above, p)), len(below))
                for p in range(level.size)
            ]
            for c, above in contexts
        ]
        action = level.action[[c for c, _ in contexts]]
        levels.append(Level(plain_layer(level.maps, initial), action, np.array(rows), "current"))
        contexts = list(below)
    states = [cascade.decode(coordinates) for _, coordinates in contexts]
    return LRNN(
        letters=core.letters,
        letter_class=np.arange(core.n_letters),
        heads=(tuple(levels),),
        output=core.response[states],
        empty_output=empty_output(core),
        kind=core.kind,
        output_symbols=core.output_symbols,
    )


def _claims(core: Automaton, width: int) -> Bounds:
    q = core.n_states
    return Bounds(layers=max(q - 1, 0), n=width * q, d=1, factors=width * q, spectrum=(-1, 0))


REGISTER = Construction(
    key="regular_language",
    statement=(
        "Any regular language: at most |Q| - 1 layers, level l of width at most 2(|Q| - l + 1), "
        "d = 1, transition matrices products of integer Householder factors with eigenvalues "
        "-1 and 0."
    ),
    citation="Grazzi, Siems et al., arXiv 2411.12537, Theorem 4, repaired with a register",
    obstacles=lambda _: [],
    build=lambda core: wire(decompose(core), shifted=False),
    claims=lambda core: _claims(core, 2),
)

SHIFT = Construction(
    key="input_shift",
    statement=(
        "Any regular language: as 'regular_language' with width |Q| - l + 1, where a short "
        "convolution delivers to each level the outputs of one step earlier."
    ),
    citation="Grazzi, Siems et al., arXiv 2411.12537, Theorem 4, repaired with an input shift",
    obstacles=lambda _: [],
    build=lambda core: wire(decompose(core), shifted=True),
    claims=lambda core: _claims(core, 1),
    automatic=False,
    remark="it needs a short convolution beside the recurrence",
)
