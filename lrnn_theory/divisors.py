"""Groups that divide the transition monoid of an automaton, found without the monoid.

The permuting actions of a "strong" cascade generate them: docs/cascades.md and docs/analysis.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Budget, rounds, transpositions
from lrnn_theory.cover import Cover
from lrnn_theory.green import connected_components


def is_aperiodic(automaton: Automaton, budget: Budget | None = None) -> bool | None:
    """Whether the transition monoid of the reachable part has trivial subgroups only.

    The minimal automaton is aperiodic if and only if its language is star-free (Schützenberger,
    On finite monoids having only trivial subgroups, Information and Control 8, 1965).  Decided
    without the monoid: the "strong" cascade has a permuting action if and only if some group in
    the monoid is not trivial (docs/cascades.md).  The problem is PSPACE-complete (Cho and Huynh,
    Theoretical Computer Science 88, 1991), hence the budget.

    Returns:
        The answer, or None if the budget did not suffice.

    Example:
        >>> is_aperiodic(Automaton.from_table([[0, 1], [1, 0]], accepting=[1]))
        False
    """
    automaton = automaton.trim()
    largest = automaton.n_states
    for level, _, cover in rounds(automaton, "strong", budget or Budget()):
        if any(transpositions(row) for row in level.maps.tolist()):
            return False
        largest = cover.largest
    return True if largest == 1 else None


def cascade_groups(
    automaton: Automaton, budget: Budget | None = None
) -> tuple[list[NDArray[np.int32]], bool]:
    """Generators of the groups by which the components of the "strong" cascade permute.

    Each of them divides the transition monoid of the reachable part, and if they are all, every
    simple group that divides the monoid divides one of them (docs/analysis.md, section 5).

    Returns:
        For every component that is permuted its distinct actions, other than the identity,
        (actions, coordinates); and whether these are all: False if the budget did not suffice.

    Example:
        >>> groups, complete = cascade_groups(Automaton.from_table([[1, 2, 0], [1, 1, 2]]))
        >>> [group.tolist() for group in groups], complete
        ([[[2, 0, 1]], [[1, 0]]], True)
    """
    automaton = automaton.trim()
    groups: list[NDArray[np.int32]] = []
    cover = Cover.trivial(automaton.n_letters, automaton.n_states)
    for level, _, finer in rounds(automaton, "strong", budget or Budget()):
        identity = np.arange(level.size)
        permutes = (np.sort(level.maps, axis=1) == identity).all(axis=1)
        moves = (level.maps != identity).any(axis=1)
        # A component is connected, and all edges into it come from it.
        edge = np.flatnonzero(permutes[level.action] & ~level.free)
        old, _, new = cover.contexts[edge].T
        component = connected_components(len(cover.blocks), old, new)[new]
        action = level.action[edge]
        for k in np.unique(component[moves[action]]):
            used = np.unique(action[component == k])
            groups.append(level.maps[used[moves[used]]])
        cover = finer
    return groups, cover.largest == 1
