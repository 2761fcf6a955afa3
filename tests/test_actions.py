"""A small permutation action tracks the states of its automaton."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import Automaton, languages
from lrnn_theory.actions import smallest_action


def tracks(automaton):
    """Whether every letter moves the vector of every state to that of the next, all distinct."""
    action = smallest_action(automaton)
    assert len(np.unique(action.vectors, axis=0)) == automaton.n_states
    for row, points in zip(automaton.delta, action.points, strict=True):
        moved = np.empty_like(action.vectors)
        moved[:, points] = action.vectors
        assert (moved == action.vectors[row]).all()
    return action.points.shape[1]


@given(
    st.integers(2, 6).flatmap(lambda n: st.lists(st.permutations(range(n)), min_size=1, max_size=3))
)
def test_any_group_automaton(rows):
    automaton = Automaton.from_table(rows, accepting=[0]).trim()
    assert tracks(automaton) <= automaton.n_states


@given(st.lists(st.permutations(range(4)), min_size=2, max_size=3))
def test_pairs_of_points(rows):
    """Ordered pairs: an action on fewer points may tell some of them apart, but not all."""
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    moved = [[pairs.index((p[i], p[j])) for i, j in pairs] for p in rows]
    tracks(Automaton.from_table(moved, accepting=[0]).trim())


def test_known_degrees():
    degrees = {"s5": 5, "s4_two_generators": 4, "a5_two_generators": 5, "d5": 5, "q8": 8, "z6": 5}
    assert {name: tracks(languages.BESTIARY[name]()) for name in degrees} == degrees
