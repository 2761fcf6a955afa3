"""One Householder factor a letter: groups by signs and reflections, resets by a clock and a delay.

A layer of one factor cannot both reset and tell what it held before.  So a level that resets is two
layers: a number, and a delay that writes each new value over the older of the last two, in turn.
Whose turn it is, a clock tells: the scalar -1, at the bottom of the network.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Cascade
from lrnn_theory.characters import Index
from lrnn_theory.construction import Bounds, Construction, empty_output
from lrnn_theory.cover import Level as CascadeLevel
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.onehot import sign_layer
from lrnn_theory.polygons import one_factor_cascade, polygon, polygon_layer, reflections
from lrnn_theory.scalars import delay_layer, number_layer
from lrnn_theory.series import level_automaton, permutes
from lrnn_theory.wiring import by_current


def _obstacles(core: Automaton) -> list[str]:
    try:
        one_factor_cascade(core)
    except ValueError as error:
        return [str(error)]
    return []


def _build(core: Automaton) -> LRNN:
    cascade = one_factor_cascade(core)
    before, letter, after = cascade.final.T
    output = core.response[letter, before] if core.kind == "mealy" else core.response[after]
    clocked = bool(_delayed(cascade, core.kind))
    letters = np.arange(core.n_letters)
    levels: list[Level] = []
    if clocked:
        turns = np.arange(2 * core.n_letters).reshape(-1, 2)
        levels.append(Level(sign_layer(), np.ones_like(letters), turns, "previous"))
    for depth, (level, initial) in enumerate(zip(cascade.levels, cascade.initial, strict=True)):
        told = depth in _delayed(cascade, core.kind)
        levels += _layers(level, initial, 2 if clocked else 1, delayed=told)
    return LRNN(
        letters=core.letters,
        letter_class=letters,
        heads=(tuple(levels),),
        output=output.repeat(2 if clocked else 1),
        empty_output=empty_output(core),
        kind=core.kind,
        output_symbols=core.output_symbols,
    )


def _delayed(cascade: Cascade, kind: str) -> list[int]:
    """The levels that reset and whose coordinate before the letter is needed."""
    last = len(cascade.levels) - (kind != "mealy")
    return [i for i, level in enumerate(cascade.levels[:last]) if not permutes(level)]


def _layers(level: CascadeLevel, initial: int, phases: int, *, delayed: bool) -> Iterator[Level]:
    """The layers of a level; every context is one of the cascade with the phase of the clock."""
    phase = np.tile(np.arange(phases), len(level.action))
    action = level.action.repeat(phases)
    # The context below for every coordinate before the letter; what never occurs may be any.
    below = np.maximum(level.next, 0).repeat(phases, axis=0) * phases + phase[:, None]
    contexts = np.arange(len(action))
    if not permutes(level) and not delayed:
        answers = by_current(level.next, level.maps[level.action])
        below = np.maximum(answers, 0).repeat(phases, axis=0) * phases + phase[:, None]
        yield Level(number_layer(level.maps, initial), action, below, "current")
        return
    if not permutes(level):
        values = np.arange(len(action) * level.size).reshape(len(action), -1)
        yield Level(number_layer(level.maps, initial), action, values, "current")
        writes = (phase[:, None] * level.size + np.arange(level.size)).ravel()
        # Of the two numbers, (size, size), the one that was not written is of the step before.
        pairs = np.indices((level.size, level.size)).reshape(2, -1)
        older = below[contexts[:, None], pairs[1 - phase]]
        yield Level(
            delay_layer(level.size, initial), writes, older.repeat(level.size, 0), "current"
        )
        return
    core = level_automaton(level.maps, initial)
    if level.size == 2:
        swaps = (level.maps[:, 0] == 1).astype(np.int64)
        yield Level(sign_layer(), swaps[action], below, "previous")
        return
    shape = polygon(core)
    assert shape is not None  # checked by one_factor_cascade
    turning = (shape.letters[:, 1] == 0) & (shape.letters[:, 0] != 0)
    odd = np.arange(2 if turning.any() else 1)
    if turning.any():
        yield Level(
            sign_layer(), turning[action].astype(int), 2 * contexts[:, None] + odd, "previous"
        )
    after: Index = (odd ^ turning[:, None]).ravel()
    layer = polygon_layer(core, shape, reflections(shape, odd.tolist()), after)
    acts = (action[:, None] * len(odd) + odd).ravel()
    yield Level(layer, acts, below.repeat(len(odd), axis=0), "previous")


def _claims(core: Automaton) -> Bounds:
    cascade = one_factor_cascade(core)
    delayed = _delayed(cascade, core.kind)
    pairs = len(delayed) + sum(x.size > 2 and permutes(x) for x in cascade.levels)
    return Bounds(
        layers=len(cascade.levels) + pairs + bool(delayed), n=2, d=1, factors=1, spectrum=(-1, 0)
    )


ONE_FACTOR = Construction(
    key="one_factor",
    statement=(
        "Layers with n <= 2 and one Householder factor a letter, with eigenvalues in [-1, 0]: "
        "resets by a number, a delay and a clock, groups split into levels of two points (a sign) "
        "or of a polygon (a sign and a reflection)."
    ),
    citation="docs/regular-languages.md; the idea of blocks: Siems et al., arXiv 2502.10297",
    obstacles=_obstacles,
    build=_build,
    claims=_claims,
    automatic=False,
    remark="it takes up to twice the layers, and a polygon's weights are irrational",
)
