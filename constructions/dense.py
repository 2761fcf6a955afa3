"""The dense baseline: Boolean transition matrices, outside every Householder class."""

from __future__ import annotations

import numpy as np

from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import Bounds, Construction, one_layer
from lrnn_theory.lrnn import LRNN, Layer
from lrnn_theory.transition import Dense

MAX_STATES = 512
"""Largest number of states: a matrix a letter has this number squared of entries."""


def _obstacles(core: Automaton) -> list[str]:
    if core.kind == "mealy":
        return ["a Mealy output depends on the state before the letter, which the layer forgets"]
    if core.n_states > MAX_STATES:
        return [f"the minimal automaton has {core.n_states} states, more than {MAX_STATES}"]
    return []


def _build(core: Automaton) -> LRNN:
    n_letters, n = core.delta.shape
    matrices = np.zeros((n_letters, n, n), np.int64)
    letter, state = np.indices(core.delta.shape)
    matrices[letter, core.delta, state] = 1
    eye = np.eye(n, dtype=np.int64)
    readout = np.zeros((n_letters, n, 2), np.int32)
    readout[:, :, 1] = np.arange(n)
    layer = Layer(
        Dense(matrices),
        np.zeros((n_letters, n, 1), np.int64),
        eye[:, core.initial, None],
        (eye[:, :, None],),
        readout,
        n,
        core.initial,
    )
    return one_layer(core, layer)


DENSE = Construction(
    key="dense",
    statement="Any DFA is one layer whose matrices are the Boolean transition matrices.",
    citation="Grazzi, Siems et al., arXiv 2411.12537, appendix A.3",
    obstacles=_obstacles,
    build=_build,
    claims=lambda core: Bounds(layers=1, n=core.n_states, d=1, factors=None, spectrum=None),
    automatic=False,
    remark="its matrices have norm up to sqrt(n) and are no products of Householder factors",
)
