"""Group automata in one layer of permutations (Grazzi, Siems et al., Theorem 3)."""

from __future__ import annotations

from lrnn_theory import householder as gh
from lrnn_theory.actions import smallest_action
from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import Bounds, Construction, group_obstacles, one_layer, points_layer
from lrnn_theory.lrnn import LRNN


def _build(core: Automaton) -> LRNN:
    return one_layer(core, points_layer(core))


def _claims(core: Automaton) -> Bounds:
    # The published bound counts displaced states of the DFA; it must be n - #cycles in the action
    # that is used (S6's outer automorphism sends a transposition to a triple transposition).
    points = smallest_action(core).points
    n = points.shape[1]
    factors = max(n - len(gh.permutation_cycles(image)) for image in points.tolist())
    return Bounds(layers=1, n=n, d=1, factors=factors, spectrum=(-1, -1))


PERMUTATION = Construction(
    key="permutation",
    statement=(
        "A group automaton is one layer: its letters act as permutation matrices on n points, "
        "each a product of n - #cycles integer reflections."
    ),
    citation="Grazzi, Siems et al., arXiv 2411.12537, Theorem 3",
    obstacles=group_obstacles,
    build=_build,
    claims=_claims,
)
