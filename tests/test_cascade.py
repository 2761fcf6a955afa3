"""Cascades simulate, keep their bounds, and their certificate refuses every wrong one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import cover, languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Budget, Cascade, decompose, is_aperiodic
from lrnn_theory.components import POLICIES, BijectionGraph
from lrnn_theory.languages import BESTIARY
from lrnn_theory.strategies import automata

SEEDS = st.integers(0, 2**32 - 1)
BUDGETS = st.sampled_from([Budget(), Budget(0), Budget(5), Budget(20), Budget(60), Budget(work=80)])


def table(*rows: Sequence[int]) -> Automaton:
    return Automaton.from_table(rows, accepting=[0])


def reduced(automaton: Automaton) -> Automaton:
    return automaton.minimize().merge_letters()[1]


def follows(cascade: Cascade, word: Sequence[int]) -> bool:
    """Whether the cascade names the right state before and after every letter of a word."""
    state, coordinates = cascade.automaton.initial, cascade.initial
    for letter in word:
        if cascade.decode(coordinates) != state:
            return False
        coordinates = cascade.step(coordinates, letter)
        state = int(cascade.automaton.delta[letter, state])
    return cascade.decode(coordinates) == state


def simulates(cascade: Cascade, limit: int = 5_000) -> bool:
    """Whether all configurations that words lead to (if at most `limit`) name the right state."""
    start = (cascade.initial, cascade.automaton.initial)
    seen, queue = {start}, [start]
    for coordinates, state in queue:
        try:
            if cascade.decode(coordinates) != state:
                return False
            for letter in range(cascade.automaton.n_letters):
                found = (
                    cascade.step(coordinates, letter),
                    int(cascade.automaton.delta[letter, state]),
                )
                if found not in seen:
                    seen.add(found)
                    queue.append(found)
        except ValueError:
            return False
        if len(seen) > limit:
            break
    return True


def monoid(automaton: Automaton) -> set[tuple[int, ...]]:
    """All transformations of the reachable states by words."""
    letters = [tuple(row) for row in automaton.trim().delta.tolist()]
    seen, queue = set(letters), list(letters)
    for m in queue:
        for a in letters:
            longer = tuple(a[q] for q in m)
            if longer not in seen:
                seen.add(longer)
                queue.append(longer)
    return seen


def group_at(idempotent: tuple[int, ...], elements: set[tuple[int, ...]]) -> int:
    """Order of the maximal subgroup of a monoid around an idempotent."""
    image = sorted(set(idempotent))
    return len(
        {
            m
            for m in elements
            if sorted(set(m)) == image
            and all(m[q] == m[idempotent[q]] for q in range(len(m)))
            and len({m[q] for q in image}) == len(image)
        }
    )


def largest_group(automaton: Automaton) -> int:
    elements = monoid(automaton)
    idempotents = [m for m in elements if all(m[q] == q for q in set(m))]
    return max(group_at(e, elements) for e in idempotents)


# ---------------------------------------------------------------- laws


@given(automata(), st.sampled_from([None, *POLICIES]), BUDGETS, SEEDS)
def test_cascade_simulates_and_certifies(automaton, policy, budget, seed):
    cascade = decompose(automaton, policy, budget)
    cascade.check()
    core = cascade.automaton
    assert core.n_states == automaton.trim().n_states
    for state, letter in product(range(core.n_states), range(core.n_letters)):
        coordinates = cascade.encode(state)
        assert cascade.decode(coordinates) == state
        assert cascade.decode(cascade.step(coordinates, letter)) == core.delta[letter, state]
    word = np.random.default_rng(seed).integers(core.n_letters, size=200)
    assert follows(cascade, word.tolist())


@given(automata(), BUDGETS)
def test_weak_keeps_the_bounds(automaton, budget):
    cascade = decompose(automaton, "weak", budget)
    n = cascade.automaton.n_states
    assert len(cascade.sizes) <= n - 1
    assert all(2 <= size <= n - depth for depth, size in enumerate(cascade.sizes))


@given(automata(), st.sampled_from(sorted(POLICIES)))
def test_every_level_has_a_choice_and_every_action_is_used(automaton, policy):
    cascade = decompose(automaton, policy)
    assert cascade.tail is None
    assert cascade.policy == policy
    for level in cascade.levels:
        assert level.size >= 2
        assert set(level.action.tolist()) == set(range(len(level.maps)))
        assert len({tuple(m) for m in level.maps.tolist()}) == len(level.maps)


@given(automata())
def test_default_policy_is_faithful_only_at_no_cost(automaton):
    chosen = decompose(automaton)
    levels = {policy: len(decompose(automaton, policy).levels) for policy in POLICIES}
    assert len(chosen.levels) <= levels["weak"]
    assert chosen.policy == ("faithful" if levels["faithful"] <= levels["weak"] else "weak")


@given(automata(max_states=5))
def test_aperiodicity_agrees_with_the_monoid(automaton):
    assert is_aperiodic(automaton) == (largest_group(automaton) == 1)


@given(automata(max_states=5))
def test_policies_but_weak_permute_only_if_the_monoid_does(automaton):
    if largest_group(automaton) == 1:
        for policy in ("strong", "faithful"):
            assert decompose(automaton, policy).statistics.transpositions == 0


def mutants(cascade: Cascade, draw: np.random.Generator) -> Iterator[Cascade]:
    """One change each, of every kind, at every level."""
    contexts = [*(len(level.action) for level in cascade.levels[1:])]
    contexts.append(len(cascade.tail_contexts) or len(cascade.final))
    for depth, level in enumerate(cascade.levels):
        maps, following, initial = level.maps.copy(), level.next.copy(), [*cascade.initial]
        row = draw.integers(len(maps))
        maps[row] = draw.permutation(level.size) if draw.random() < 0.5 else maps[row, ::-1]
        entry = tuple(draw.integers(following.shape))
        following[entry] = draw.integers(-1, contexts[depth])
        initial[depth] = int(draw.integers(level.size))
        for changed in (replace(level, maps=maps), replace(level, next=following)):
            levels = (*cascade.levels[:depth], changed, *cascade.levels[depth + 1 :])
            yield replace(cascade, levels=levels)
        yield replace(cascade, initial=tuple(initial))


@given(automata(), st.sampled_from(sorted(POLICIES)), BUDGETS, SEEDS)
def test_certificate_refuses_every_wrong_mutant(automaton, policy, budget, seed):
    cascade = decompose(automaton, policy, budget)
    for mutant in mutants(cascade, np.random.default_rng(seed)):
        if not simulates(mutant):
            with pytest.raises(ValueError, match=r"\.$"):
                mutant.check()


@pytest.mark.parametrize("name", ["tomita_3", "tomita_7", "t4", "contains_aabaa", "modular"])
def test_wrong_mutants_are_many(name):
    automaton = languages.modular_arithmetic(2) if name == "modular" else BESTIARY[name]()
    cascade = decompose(reduced(automaton))
    draw = np.random.default_rng(0)
    wrong = [m for _ in range(10) for m in mutants(cascade, draw) if not simulates(m)]
    assert len(wrong) >= 20
    for mutant in wrong:
        with pytest.raises(ValueError, match=r"\.$"):
            mutant.check()


@given(SEEDS)
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


def test_one_state_has_no_level():
    cascade = decompose(table([0], [0]))
    cascade.check()
    assert (cascade.sizes, cascade.initial, cascade.final.tolist()) == (
        (),
        (),
        [[0, 0, 0], [0, 1, 0]],
    )
    assert cascade.decode(()) == 0


# ---------------------------------------------------------------- figures

FIGURES = {
    "parity": (1, 2, 2, 1),
    "mod_3": (1, 3, 1, 2),
    "mod_60": (1, 60, 1, 59),
    "tomita_1": (1, 2, 2, 0),
    "tomita_2": (2, 4, 6, 0),
    "tomita_3": (4, 8, 22, 1),
    "tomita_4": (3, 6, 12, 0),
    "tomita_5": (1, 4, 2, 2),
    "tomita_6": (1, 3, 2, 2),
    "tomita_7": (3, 6, 14, 0),
    "modular_arithmetic_5": (3, 13, 130, 4),
    "contains_abc": (3, 6, 18, 0),
    "dyck_5": (6, 12, 42, 0),
    "dyck_10": (11, 22, 132, 0),
    "t3": (2, 5, 12, 2),
    "t4": (3, 9, 34, 3),
    "t5": (4, 14, 83, 4),
    "iso_date": (5, 15, 216, 0),
    "iso_datetime": (5, 23, 670, 0),
    "ipv4": (7, 19, 564, 0),
    "email": (6, 14, 193, 0),
    "uuid": (13, 35, 515, 0),
    "seventh_from_last": (7, 14, 254, 0),
    "tls": (3, 11, 160, 0),
    "mqtt_broker": (8, 50, 12152, 4),
}
"""Levels, coordinates, contexts and transpositions under "weak"."""


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    cascade = decompose(reduced(BESTIARY[name]()), "weak")
    cascade.check()
    found = cascade.statistics
    figures = (found.levels, found.coordinates, sum(found.contexts), found.transpositions)
    assert figures == FIGURES[name]


RANDOM = {
    (10, 0): (7, 4, 11, 36),
    (10, 1): (9, 8, 25, 247),
    (10, 2): (10, 8, 27, 461),
    (20, 1): (15, 12, 57, 9312),
    (20, 2): (17, 13, 41, 2213),
    (20, 3): (19, 13, 51, 9958),
    (50, 0): (40, 19, 93, 141199),
    (50, 2): (46, 22, 132, 38340),
    (50, 4): (34, 18, 70, 20397),
}
"""Of `random_automaton(n, "ab", seed)`: states, levels, coordinates and contexts under "weak".

The tables of (50, 2) pass the budget: its last levels are an exclusion tail.
"""


@pytest.mark.parametrize(("n", "seed"), RANDOM)
def test_random_figures(n, seed):
    automaton = languages.random_automaton(n, "ab", seed)
    cascade = decompose(automaton, "weak")
    cascade.check()
    found = cascade.statistics
    figures = (automaton.n_states, found.levels, found.coordinates, sum(found.contexts))
    assert figures == RANDOM[n, seed]


@pytest.mark.parametrize("name", ["ipv4", "tomita_7", "t4", "random_20", "tls"])
@pytest.mark.parametrize("budget", [Budget(), Budget(0), Budget(100)])
def test_long_words(name, budget):
    cascade = decompose(reduced(BESTIARY[name]()), budget=budget)
    word = np.random.default_rng(0).integers(cascade.automaton.n_letters, size=2_000)
    assert follows(cascade, word.tolist())


# ---------------------------------------------------------------- budgets


def test_results_do_not_depend_on_time():
    first, second = (decompose(languages.protocol("tcp_server"), "weak") for _ in range(2))
    assert first.tail_contexts == second.tail_contexts
    for one, other in zip(first.levels, second.levels, strict=True):
        assert np.array_equal(one.next, other.next)
        assert np.array_equal(one.maps, other.maps)


@pytest.mark.parametrize("limit", [0, 1, 10, 100, 1_000, 10_000])
def test_budget_is_kept(limit):
    automaton = languages.random_automaton(20, "ab", 1)
    cascade = decompose(automaton, budget=Budget(limit))
    cascade.check()
    spent = sum(cascade.statistics.contexts) + len(cascade.tail_contexts)
    assert spent <= max(limit, automaton.n_letters)
    assert len(cascade.sizes) <= automaton.n_states - 1


def test_no_budget_is_the_universal_cascade():
    cascade = decompose(reduced(languages.regex("ipv4")), budget=Budget(0))
    assert cascade.levels == ()
    assert cascade.sizes == tuple(range(25, 1, -1))
    assert cascade.policy == "weak"


def test_work_bounds_wide_machines():
    cascade = decompose(languages.random_automaton(300, "abcdef", 0))
    assert cascade.tail is not None
    cells = max(level.next.size for level in cascade.levels)
    assert cells <= Budget().work
    assert len(cascade.tail_contexts) * cascade.automaton.n_states <= Budget().work


def test_aperiodicity_may_stay_open():
    assert is_aperiodic(languages.random_automaton(50, "ab", 0), Budget(0)) is None
    assert is_aperiodic(languages.nth_from_last(7)) is True
    assert is_aperiodic(languages.parity(), Budget(2)) is False


# ---------------------------------------------------------------- what the certificate refuses


def spoilt(**changes: object) -> Cascade:
    cascade = decompose(languages.tomita(2))
    level = replace(cascade.levels[0], **changes)
    return replace(cascade, levels=(level, *cascade.levels[1:]))


@pytest.mark.parametrize(
    ("cascade", "message"),
    [
        (spoilt(maps=np.array([[0, 1, 0]], np.int32)), "Level 0: maps must hold"),
        (spoilt(maps=np.array([[0, 2]] * 3, np.int32)), "Level 0: maps must hold"),
        (spoilt(action=np.array([0, 9], np.int32)), "Level 0: actions must be below"),
        (spoilt(action=np.array([0], np.int32)), "There must be a context a letter"),
        (spoilt(next=np.full((2, 2), 99, np.int32)), "Level 0: next contexts must be below"),
        (spoilt(next=np.full((2, 2), -1, np.int32)), "Level 0: coordinates that can occur"),
        (spoilt(next=np.zeros((2, 2), np.int32)), "Level 0: a next context serves two letters"),
        (spoilt(next=np.zeros((2, 1), np.int32)), "Level 0: there must be 2 contexts"),
    ],
)
def test_certificate_names_the_fault(cascade, message):
    with pytest.raises(ValueError, match=message):
        cascade.check()


def test_certificate_reads_the_final_contexts_and_the_tail():
    cascade = decompose(languages.tomita(2))
    for column in range(3):
        final = cascade.final.copy()
        final[0, column] += 1
        with pytest.raises(ValueError, match="Final context"):
            replace(cascade, final=final).check()
    tailed = decompose(languages.tomita(2), budget=Budget(0))
    tailed.check()
    with pytest.raises(ValueError, match="exclude"):
        replace(tailed, tail=replace(tailed.tail, sizes=(2,))).check()
    with pytest.raises(ValueError, match="initial"):
        replace(tailed, initial=(0, 0)).check()


# ---------------------------------------------------------------- misuse

PARITY = decompose(languages.parity())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decompose(languages.parity(), "holonomy"), "'policy' must be one of weak, strong"),
        (lambda: Budget(contexts=-1), "'contexts' must be non-negative, not -1"),
        (lambda: Budget(work=-1), "'work' must be non-negative, not -1"),
        (lambda: PARITY.encode(2), "'state' must be in 0..1, not 2"),
        (lambda: PARITY.step((0,), 2), "'letter' must be in 0..1, not 2"),
        (lambda: PARITY.step((2,), 0), "'coordinates' must hold one coordinate below each"),
        (lambda: PARITY.decode((0, 0)), "'coordinates' must hold one coordinate below each"),
    ],
)
def test_misuse_is_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_impossible_coordinates_are_refused():
    cascade = decompose(reduced(languages.regex("ipv4")))
    with pytest.raises(ValueError, match="No word leads to coordinates"):
        cascade.decode((2, 2, 0, 0, 0, 0, 0))
