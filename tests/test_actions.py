"""A small permutation action tracks the states of its automaton."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lrnn_theory import Automaton, actions, languages
from lrnn_theory.actions import smallest_action
from lrnn_theory.characters import FiniteGroup


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
    """Ordered pairs: the points themselves, numbered first, second and other, are enough."""
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    moved = [[pairs.index((p[i], p[j])) for i, j in pairs] for p in rows]
    automaton = Automaton.from_table(moved, accepting=[0]).trim()
    assert tracks(automaton) <= 4 or automaton.n_states < 12


def test_known_degrees():
    degrees = {"s5": 5, "s4_two_generators": 4, "a5_two_generators": 5, "d5": 5, "q8": 8, "z6": 5}
    machines = {name: languages.BESTIARY[name]() for name in degrees}
    assert {name: tracks(machine) for name, machine in machines.items()} == degrees
    # S5 and A5 have 156 and 59 subgroups: all sums of lower degree were tried.
    assert all(smallest_action(machine).exact for machine in machines.values())


def test_a_search_that_was_cut_short_proves_nothing(monkeypatch):
    s4 = languages.BESTIARY["s4_two_generators"]()
    assert not smallest_action(s4, max_tries=1).exact
    assert not smallest_action(s4, max_states=20).exact
    for k in (3, 6):  # the sums of six of the 63 systems of two blocks in Z2^6 are too many
        q = np.arange(2**k)
        cube = Automaton.from_table([q ^ (1 << i) for i in range(k)], accepting=[0])
        assert (tracks(cube), smallest_action(cube).exact) == ((6, True) if k == 3 else (64, False))
    monkeypatch.setattr(actions, "block_systems", lambda _: ([], False))
    assert not smallest_action(s4).exact


@settings(deadline=None, max_examples=15)
@given(st.lists(st.permutations(range(4)), min_size=1, max_size=3))
def test_the_least_degree_of_word_problems(rows):
    """Against subgroups listed by brute force: sums of coset actions without a common kernel."""
    group = FiniteGroup.generated_by(rows)
    if group.order < 2:
        return
    table = [group.times(a, np.arange(group.order)) for a in dict.fromkeys(group.letters.tolist())]
    action = smallest_action(Automaton.from_table(table, accepting=[0]))
    everything = range(group.order)
    subgroups = {
        tuple(group.subgroup([g, h])) for g in everything for h in everything
    }  # those of S4 have two generators at most
    cores = {}
    for subgroup in subgroups:
        kept = [
            g
            for g in subgroup
            if all(group.times(group.times(x, g), group.inverse[x]) in subgroup for x in everything)
        ]
        degree = group.order // len(subgroup)
        cores[frozenset(kept)] = min(degree, cores.get(frozenset(kept), degree))
    least = {frozenset(everything): 0}
    for _ in range(3):
        for a, x in list(least.items()):
            for b, y in cores.items():
                least[a & b] = min(x + y, least.get(a & b, x + y))
    assert action.exact
    assert action.points.shape[1] == least[frozenset([0])]
