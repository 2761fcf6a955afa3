"""Diagonal layers: 2-groups by signs, solvable groups by rotations of planes, resets by zeros."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lrnn_theory import householder as gh
from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Cascade
from lrnn_theory.construction import Bounds, Construction, group_obstacles, tracking_layer
from lrnn_theory.lrnn import LRNN, Layer
from lrnn_theory.onehot import stack
from lrnn_theory.scalars import number_layer
from lrnn_theory.series import abelian_cascade, level_automaton, signed_cascade, turns
from lrnn_theory.tracking import Tracking, track
from lrnn_theory.wiring import wire


def _obstacles(core: Automaton, make: Callable[[Automaton], Cascade]) -> list[str]:
    try:
        make(core)
    except ValueError as error:
        return [str(error)]
    return []


def _layer(maps: NDArray[np.int32], initial: int) -> Layer:
    """Resets and the identity by a number, what else there is by a representation."""
    turning = turns(maps)
    if not len(turning):
        return number_layer(maps, initial)
    resets = (maps == maps[:, :1]).all(axis=1)
    core = level_automaton(turning, initial)
    found = track(core)
    assert isinstance(found, Tracking)  # checked by _obstacles
    layer = tracking_layer(core, found)
    words, place = layer.codewords[0], np.cumsum(~resets) - 1
    products = [
        gh.reset(layer.n) if reset else gh.orthogonal(found.matrices[i])
        for reset, i in zip(resets, place, strict=True)
    ]
    first = np.array([found.states.tolist().index(q) for q in range(layer.size)])
    readout = layer.readout[place * ~resets].copy()
    readout[resets, :, 0] = 0
    b = np.where(resets[:, None, None], words[first[maps[:, 0]]], 0)
    transition = stack(products, layer.n)
    return replace(layer, transition=transition, b=b, readout=readout)


def _build(core: Automaton, make: Callable[[Automaton], Cascade]) -> LRNN:
    return wire(make(core), shifted=bool(group_obstacles(core)), plain=_layer)


def _claims(core: Automaton, make: Callable[[Automaton], Cascade]) -> Bounds:
    levels = make(core).levels
    # A group of order 2^r and exponent 2 takes r signs; any group of order m at most m - 1 rows.
    signs = make is signed_cascade
    rows = [x.size.bit_length() - 1 if signs else x.size - 1 for x in levels if len(turns(x.maps))]
    widest = max(rows + [1] * bool(levels), default=0)
    return Bounds(layers=len(levels), n=widest, d=1, factors=widest, spectrum=(-1, 0))


SIGNED_DIAGONAL = Construction(
    key="signed_diagonal",
    statement=(
        "An automaton whose groups are 2-groups is a cascade of diagonal layers with entries 1, -1 "
        "and 0: signs for quotients of exponent 2, numbers for resets, then with a short "
        "convolution. A group takes as many layers as its series of squares is long, the fewest."
    ),
    citation="Nowak et al., arXiv 2606.01765, for which groups; docs/tracking.md",
    obstacles=partial(_obstacles, make=signed_cascade),
    build=partial(_build, make=signed_cascade),
    claims=partial(_claims, make=signed_cascade),
    automatic=False,
    remark="its layers are diagonal, which takes more of them; choose it by name",
)

COMPLEX_DIAGONAL = Construction(
    key="complex_diagonal",
    statement=(
        "An automaton whose groups are solvable is a cascade of complex diagonal layers, that is, "
        "turns of planes: abelian quotients, and numbers for resets, then with a short "
        "convolution. A group takes as many layers as its derived series is long, the fewest."
    ),
    citation="Shakerinava et al., arXiv 2603.01959; docs/tracking.md",
    obstacles=partial(_obstacles, make=abelian_cascade),
    build=partial(_build, make=abelian_cascade),
    claims=partial(_claims, make=abelian_cascade),
    automatic=False,
    remark="its weights may be irrational, so a float format may drift; choose it by name",
)
