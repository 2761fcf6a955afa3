"""A round of cover refinement: its components, and the machines on which a wrong one fails."""

import networkx as nx
import numpy as np
import pytest
from cascade_reference import largest_group, monoid, simulates, table
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import cover, languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.components import POLICIES, BijectionGraph
from lrnn_theory.divisors import is_aperiodic

# ---------------------------------------------------------------- pitfalls, the smallest machines

PITFALLS = {
    "expanding every block": [[1, 2, 3, 2], [2, 2, 0, 0]],
    "not propagating non-expandability": [[0, 3, 3, 2], [1, 3, 1, 1], [2, 2, 2, 1]],
    "forgetting the initial state": [[1, 0]],
    "one level by size, tiles by component": [[1, 2, 2], [0, 2, 2]],
    "resets computed from tiles": [[1, 1, 1], [2, 1, 1]],
    "a group from formal inverses": [[1, 3, 0, 3], [2, 1, 3, 1]],
    "a group from overlaid components": [[1, 1, 1, 1], [2, 2, 0, 2], [3, 1, 3, 0]],
    "one-way chains of one size": [[0, 1, 1, 0], [1, 3, 2, 2], [2, 3, 0, 2]],
    "charts joined without relabelling": [[1, 1, 3, 1], [2, 3, 2, 3]],
    "states that never occur in a block": [[4, 4, 4, 1, 5, 2], [5, 3, 4, 0, 5, 3]],
}


@pytest.mark.parametrize("name", PITFALLS)
@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_pitfall_machines_are_simulated(name, policy):
    cascade = decompose(table(*PITFALLS[name]), policy)
    cascade.check()
    assert simulates(cascade)
    assert all(size >= 2 for size in cascade.sizes)


def test_expanding_every_block_would_fail(monkeypatch):
    monkeypatch.setattr(cover, "_expandable", lambda size, *_: size > 1)
    with pytest.raises(ValueError, match="neither a permutation nor a reset"):
        decompose(table(*PITFALLS["expanding every block"]), "weak").check()


def test_not_propagating_non_expandability_would_fail(monkeypatch):
    def blocked_at_once_only(size, old, new):
        blocked = np.zeros(len(size), bool)
        blocked[new[size[old] > size[new]]] = True
        return (size > 1) & ~blocked

    monkeypatch.setattr(cover, "_expandable", blocked_at_once_only)
    with pytest.raises(KeyError):
        decompose(table(*PITFALLS["not propagating non-expandability"]), "weak")


def test_initial_tile_contains_the_initial_state():
    swap = decompose(table(*PITFALLS["forgetting the initial state"]))
    assert (swap.sizes, swap.decode(swap.initial)) == ((2,), 0)
    assert swap.step(swap.initial, 0) != swap.initial


def test_coordinates_of_components_are_overlaid():
    assert decompose(table(*PITFALLS["one level by size, tiles by component"]), "weak").sizes == (
        2,
        2,
    )


def test_frames_are_carried_not_sorted(monkeypatch):
    dyck = languages.bounded_dyck(5)
    assert decompose(dyck, "weak").statistics.transpositions == 0
    chart = BijectionGraph.chart
    monkeypatch.setattr(
        BijectionGraph,
        "chart",
        lambda *args: {x: tuple(sorted(frame)) for x, frame in chart(*args).items()},
    )
    assert decompose(dyck, "weak").statistics.transpositions == 1


def test_weak_may_permute_where_the_monoid_does_not():
    automaton = table(*PITFALLS["a group from formal inverses"])
    transpositions = {p: decompose(automaton, p).statistics.transpositions for p in POLICIES}
    assert transpositions == {"weak": 1, "strong": 0, "faithful": 0}
    assert is_aperiodic(automaton)
    assert largest_group(automaton) == 1


def test_charts_are_relabelled_when_joined():
    automaton = table(*PITFALLS["charts joined without relabelling"])
    assert is_aperiodic(automaton)
    assert decompose(automaton, "faithful").statistics.transpositions == 0


def test_overlaid_components_may_generate_a_larger_group():
    automaton = table(*PITFALLS["a group from overlaid components"])
    level = decompose(automaton, "strong").levels[1]
    turns = {tuple(m) for m in level.maps.tolist() if len(set(m)) == level.size}
    generated = monoid(Automaton.from_table([list(t) for t in sorted(turns)], accepting=[0]))
    assert (level.size, len(generated), largest_group(automaton)) == (3, 6, 2)


def test_bound_is_not_that_of_strong():
    automaton = table(*PITFALLS["one-way chains of one size"])
    assert decompose(automaton, "strong").sizes == (3, 3, 3, 2)
    assert decompose(automaton, "weak").sizes == (3, 3, 2)


# ---------------------------------------------------------------- parts


@given(st.integers(0, 2**32 - 1))
def test_strong_components_agree_with_networkx(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    edges = np.column_stack(
        [rng.integers(n, size=2 * n), np.zeros(2 * n), rng.integers(n, size=2 * n)]
    )
    graph = BijectionGraph(
        np.zeros((1, 1), np.int32), np.ones((n, 1), bool), range(n), edges.astype(int)
    )
    oracle = nx.DiGraph()
    oracle.add_nodes_from(range(n))
    oracle.add_edges_from((int(x), int(y)) for x, _, y in edges)
    parts = graph.strong_components()
    assert {frozenset(p) for p in parts} == {
        frozenset(p) for p in nx.strongly_connected_components(oracle)
    }
    order = {x: k for k, part in enumerate(parts) for x in part}
    assert all(order[x] <= order[y] for x, y in oracle.edges)


def test_work_is_counted_over_all_levels():
    automaton = languages.random_automaton(20, "ab", 2)
    finer = cover.Cover.trivial(*automaton.delta.shape)
    total = 0
    while finer.largest > 1:
        coarse = finer
        level, _, finer = cover.refine(automaton.delta, 0, coarse, "weak", 10**9)
        total += coarse.work(level.size)
    assert decompose(automaton, "weak", Budget(work=total)).tail is None
    assert decompose(automaton, "weak", Budget(work=total - 1)).tail is not None
