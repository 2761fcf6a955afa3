"""Parity by the scalar -1: the smallest LRNN that tracks anything."""

from __future__ import annotations

import numpy as np

from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import Bounds, Construction, group_obstacles, one_layer, orbit_layer
from lrnn_theory.lrnn import LRNN
from lrnn_theory.transition import Householder


def _obstacles(core: Automaton) -> list[str]:
    if core.n_states != 2:
        return [f"the minimal automaton has {core.n_states} states, not 2"]
    return group_obstacles(core)


def _build(core: Automaton) -> LRNN:
    flips = [bool(row[0] == 1) for row in core.delta]
    transition = Householder(
        np.ones((sum(flips), 1), np.int64),
        np.full(sum(flips), 2),
        np.cumsum([0, *flips]),
    )
    vectors = [np.array([1 if q == core.initial else -1]) for q in range(2)]
    return one_layer(core, orbit_layer(core, transition, vectors[core.initial], vectors))


PARITY = Construction(
    key="parity",
    statement="A two-state group automaton is one layer with n = d = 1: H <- -H or H <- H.",
    citation="Grazzi, Siems et al., arXiv 2411.12537, section 4.1",
    obstacles=_obstacles,
    build=_build,
    claims=lambda _: Bounds(layers=1, n=1, d=1, factors=1, spectrum=(-1, -1)),
)
