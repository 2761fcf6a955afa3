"""Any regular language with few factors a letter: groups by blocks, resets by two numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.automaton import Automaton
from lrnn_theory.blocks import block_chain
from lrnn_theory.cascade import Cascade, remembered
from lrnn_theory.construction import Bounds, Construction, points_layer, tracking_layer
from lrnn_theory.lrnn import LRNN, Layer
from lrnn_theory.scalars import number_layer, number_register_layer
from lrnn_theory.series import level_automaton, refined, separated_cascade, turns
from lrnn_theory.tracking import Tracking, track
from lrnn_theory.transition import Householder
from lrnn_theory.wiring import wire

MAX_SIGNED = 24
"""Largest number of coordinates of which signed permutation matrices are looked for."""


def _split(core: Automaton) -> Cascade:
    """Levels that reset or permute few points: as few factors as it finds, then as few levels."""
    cascade = separated_cascade(core)
    narrow = refined(cascade, block_chain(0))
    most = _wire(narrow).max_factors or 0
    wide = refined(cascade, block_chain(most + 1))
    return wide if _wire(wide).max_factors == most else narrow


_cascade = remembered(_split)


def _wire(cascade: Cascade) -> LRNN:
    return wire(cascade, shifted=False, plain=_layer, register=number_register_layer)


def _layer(maps: NDArray[np.int32], initial: int) -> Layer:
    """Resets by a number; permutations of points, or of signed axes where that is shorter."""
    if not len(turns(maps)):
        return number_layer(maps, initial)
    core = level_automaton(maps, initial)
    layers = [points_layer(core)]
    if core.n_states <= MAX_SIGNED and isinstance(found := track(core, integral=True), Tracking):
        layers.append(tracking_layer(core, found))
    return min(layers, key=lambda layer: (_most(layer), layer.n))


def _most(layer: Layer) -> int:
    assert isinstance(layer.transition, Householder)
    return int(layer.transition.factors.max(initial=0))


def _obstacles(core: Automaton) -> list[str]:
    try:
        separated_cascade(core)
    except ValueError as error:
        return [str(error)]
    return []


def _claims(core: Automaton) -> Bounds:
    levels = _cascade(core).levels
    groups = [x.size for x in levels if len(turns(x.maps))]
    widest = max([*groups, 2])
    most = max([*(size - 1 for size in groups), 2])
    return Bounds(layers=len(levels), n=widest, d=1, factors=most, spectrum=(-1, 0))


BLOCKS = Construction(
    key="blocks",
    statement=(
        "Any regular language in more layers with fewer factors: levels either permute or reset; a "
        "reset is two numbers and two factors, and a group is split by blocks of imprimitivity "
        "into levels of few points, each n - #cycles integer reflections."
    ),
    citation="Krohn and Rhodes, Trans. AMS 116 (1965), by the cascades of docs/cascades.md",
    obstacles=_obstacles,
    build=lambda core: _wire(_cascade(core)),
    claims=_claims,
    automatic=False,
    automatic_for=("state", "factors"),
    remark="its codewords are numbers, nearer to one another than one-hot vectors are",
)
