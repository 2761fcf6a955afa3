"""Cyclic and dihedral groups in two layers of single reflections, for all letters."""

from __future__ import annotations

import numpy as np

from lrnn_theory.automaton import Automaton
from lrnn_theory.characters import Index
from lrnn_theory.construction import Bounds, Construction, empty_output, group_obstacles
from lrnn_theory.lrnn import LRNN, Level, Reads
from lrnn_theory.onehot import sign_layer
from lrnn_theory.polygons import polygon, polygon_layer, reflections

MAX_STATES = 512
"""Largest number of states: the second layer has a codeword each."""


def _obstacles(core: Automaton) -> list[str]:
    if core.n_states > MAX_STATES:
        return [f"the minimal automaton has {core.n_states} states, more than {MAX_STATES}"]
    if reasons := group_obstacles(core):
        return reasons
    return [] if polygon(core) else ["its letters do not generate a cyclic or dihedral group"]


def _build(core: Automaton) -> LRNN:
    shape = polygon(core)
    assert shape is not None  # checked by _obstacles
    turning = (shape.letters[:, 1] == 0) & (shape.letters[:, 0] != 0)
    # A turn alternates between two reflections, so how many there were is told modulo 2.
    odd = [0, 1] if turning.any() else [0]
    contexts = np.arange(core.n_letters * len(odd)).reshape(core.n_letters, len(odd))
    after = np.array([[q ^ int(t) for q in odd] for t in turning])
    transition = reflections(shape, odd)
    level = Level(
        polygon_layer(core, shape, transition, after.ravel()),
        contexts.ravel(),
        _answers(core, len(odd)),
        _reads(core),
    )
    first = Level(sign_layer(), turning.astype(int), contexts, "previous") if odd[1:] else None
    return LRNN(
        letters=core.letters,
        letter_class=np.arange(core.n_letters),
        heads=((first, level) if first else (level,),),
        output=np.arange(len(core.output_symbols)),
        empty_output=empty_output(core),
        kind=core.kind,
        output_symbols=core.output_symbols,
    )


def _reads(core: Automaton) -> Reads:
    return "previous" if core.kind == "mealy" else "current"


def _answers(core: Automaton, copies: int) -> Index:
    answers = core.response.astype(np.int64)
    if core.kind != "mealy":
        answers = np.tile(answers, (core.n_letters, 1))
    return answers.repeat(copies, axis=0)


REFLECTIONS = Construction(
    key="reflections",
    statement=(
        "Cyclic and dihedral groups are at most two layers with n = 1 and n = 2 and one reflection "
        "a letter: the sign of the number of turns, then a reflection for a turn and a parity."
    ),
    citation=(
        "Grazzi, Siems et al., arXiv 2411.12537, Theorem 6, for all letters of cyclic groups; "
        "Siems et al., arXiv 2502.10297, for dihedral groups"
    ),
    obstacles=_obstacles,
    build=_build,
    claims=lambda _: Bounds(layers=2, n=2, d=1, factors=1, spectrum=(-1, -1)),
    automatic=False,
    remark="its weights are irrational, so a float format may drift; choose it by name",
)
