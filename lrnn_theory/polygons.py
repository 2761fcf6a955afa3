"""Cyclic and dihedral groups as symmetries of a polygon, by single reflections of the plane.

Proofs in docs/representations.md (Theorem 6) and docs/regular-languages.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lrnn_theory.automaton import Automaton
from lrnn_theory.blocks import block_chain
from lrnn_theory.cascade import Cascade, remembered
from lrnn_theory.characters import FiniteGroup, Index
from lrnn_theory.cyclotomic import cos_turn, sin_turn
from lrnn_theory.lrnn import Layer
from lrnn_theory.series import (
    MAX_ORDER,
    derived_series,
    level_automaton,
    permutes,
    refined,
    separated_cascade,
)
from lrnn_theory.transition import Householder


@dataclass(frozen=True, eq=False)
class Polygon:
    """A group automaton read as symmetries of a regular m-gon.

    The symmetry (k, f) is S^f followed by a turn R^k; R turns by 1/m, S reflects in the first axis.

    Attributes:
        m: number of corners.
        letters: (letters, 2), the symmetry (k, f) that every letter is.
        states: (m, copies), the state that (k, f) takes the initial one to.  One copy: the states
            are the corners, and S keeps the initial one.  Two: they are the symmetries themselves.
    """

    m: int
    letters: Index
    states: Index


def polygon(core: Automaton) -> Polygon | None:
    """Read a core; None if its letters do not generate a cyclic or dihedral group.

    Such a group acts faithfully and transitively on corners or on itself only: a point's
    stabiliser holds no turn, since a subgroup of the turns is normal.
    """
    try:
        group = FiniteGroup.generated_by(core.delta)
    except ValueError:
        return None
    order, image = group.order, group.elements[:, core.initial]
    if order not in (core.n_states, 2 * core.n_states):
        return None
    turns = max((group.powers(g) for g in group.representatives.tolist()), key=len)
    k, names = np.arange(len(turns)), np.zeros((order, 2), np.int64)
    names[turns, 0] = k
    if len(turns) == order:
        return Polygon(order, names[group.letters], image[turns][:, None])
    fixing = np.flatnonzero(image == core.initial)
    flip = int((fixing if len(fixing) > 1 else np.setdiff1d(np.arange(order), turns))[-1])
    flips = group.times(np.array(turns), flip)
    if 2 * len(turns) != order or group.times(flips, flips).any():
        return None
    names[flips] = np.stack([k, np.ones_like(k)], axis=1)
    copies = [turns] if order == 2 * core.n_states else [turns, flips]
    return Polygon(len(turns), names[group.letters], np.stack([image[c] for c in copies], axis=1))


def reflections(shape: Polygon, odd: list[int]) -> Householder:
    """One reflection for every letter and parity; none for the identity.

    The reflection R^k S has the axis k/2m of a turn, so its key is a quarter of a turn further.
    """
    keys: list[list[Any]] = []
    ptr = [0]
    for k, f in shape.letters.tolist():
        for q in odd:
            # A flip: R^k S, or S R^k S S = R^-k S.  A turn: S R^k = R^-k S, or R^k S.
            axis = k if f != q else -k
            if k or f:
                p, m = axis % (2 * shape.m), 2 * shape.m
                keys.append(
                    [(-sin_turn(p, m)).in_smallest_field(), cos_turn(p, m).in_smallest_field()]
                )
            ptr.append(len(keys))
    return Householder(np.array(keys, object).reshape(-1, 2), np.full(len(keys), 2), np.array(ptr))


def polygon_layer(core: Automaton, shape: Polygon, transition: Householder, odd: Index) -> Layer:
    """States on a circle, as they are after an even number of turns; mirrored after an odd one.

    A corner k stands at the angle k/m of a turn, a symmetry (k, f) at k/m + 1/4m or, for f = 1,
    k/m - 1/4m: the middles between neighbouring axes.
    """
    m, copies = shape.states.shape
    offset = [0] if copies == 1 else [1, -1]
    places = [(4 * k + o) % (4 * m) for k in range(m) for o in offset]
    number = {place: i for i, place in enumerate(places)}
    state = np.array([shape.states.ravel(), shape.states.ravel()])
    state[1] = state[1][[number[-place % (4 * m)] for place in places]]
    words = np.array(
        [[f(p, 4 * m).in_smallest_field() for f in (cos_turn, sin_turn)] for p in places], object
    )
    before = np.argsort(core.delta, axis=1)
    readout = np.zeros((len(odd), len(places), 2), np.int32)
    readout[:, :, 1] = state[odd]
    for action, current in enumerate(state[odd]):
        readout[action, :, 0] = before[action * core.n_letters // len(odd), current]
    b = np.zeros((len(odd), 2, 1), np.int64)
    h0 = words[number[offset[0]]][:, None]
    return Layer(transition, b, h0, (words[:, :, None],), readout, core.n_states, core.initial)


def _one_factor_cascade(core: Automaton) -> Cascade:
    cascade = separated_cascade(core)
    for level in cascade.levels:
        group = FiniteGroup.generated_by(level.maps) if permutes(level) else None
        if group and group.order <= MAX_ORDER:
            derived_series(group, np.zeros(1, np.int64))  # no other group is made of polygons
    cascade = refined(cascade, block_chain(0))
    for level in cascade.levels:
        if permutes(level) and level.size > 2 and polygon(level_automaton(level.maps)) is None:
            raise ValueError(f"a group of {level.size} points is neither cyclic nor dihedral")
    return cascade


one_factor_cascade = remembered(_one_factor_cascade)
"""A cascade whose levels reset, or permute two points or the corners of a polygon.

ValueError if none is found.  All states must be reachable.
"""
