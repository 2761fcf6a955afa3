"""Group automata in one layer of exact orthogonal matrices of small dimension."""

from __future__ import annotations

from functools import partial

from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import (
    Bounds,
    Construction,
    group_obstacles,
    one_layer,
    tracking_layer,
)
from lrnn_theory.lrnn import LRNN
from lrnn_theory.tracking import Tracking, track


def _obstacles(core: Automaton, *, integral: bool) -> list[str]:
    if reasons := group_obstacles(core):
        return reasons
    found = track(core, integral=integral)
    return [found] if isinstance(found, str) else []


def _tracking(core: Automaton, integral: bool) -> Tracking:
    found = track(core, integral=integral)
    assert isinstance(found, Tracking)  # checked by _obstacles
    return found


def _build(core: Automaton, *, integral: bool) -> LRNN:
    return one_layer(core, tracking_layer(core, _tracking(core, integral)))


def _claims(core: Automaton, *, integral: bool) -> Bounds:
    choice = _tracking(core, integral).choice
    return Bounds(layers=1, n=choice.n, d=1, factors=choice.factors, spectrum=(-1, -1))


ORTHOGONAL = Construction(
    key="orthogonal",
    statement=(
        "A group automaton is one layer of exact orthogonal matrices: of the faithful sums of "
        "irreducible real representations, one with the fewest reflections a letter, "
        "rank(I - rho(a)), letters up to sign where that is shorter."
    ),
    citation="docs/representations.md; reflections: Scherk, Duke Math. J. 17 (1950)",
    obstacles=partial(_obstacles, integral=False),
    build=partial(_build, integral=False),
    claims=partial(_claims, integral=False),
    automatic=False,
    remark="its weights may be irrational, so a float format may drift; choose it by name",
)

SIGNED = Construction(
    key="signed_permutation",
    statement=(
        "As 'orthogonal' with signed permutation matrices only, so that all weights are integers: "
        "S4 as the rotations of the cube takes n = 3 and 2 factors, Q8 takes n = 4."
    ),
    citation="docs/representations.md",
    obstacles=partial(_obstacles, integral=True),
    build=partial(_build, integral=True),
    claims=partial(_claims, integral=True),
)
