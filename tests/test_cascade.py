"""Cascades simulate their automata, keep the proved bounds, and reach the known sizes."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from cascade_reference import follows, largest_group, reduced, table
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.components import POLICIES
from lrnn_theory.divisors import cascade_groups, is_aperiodic
from lrnn_theory.groups import permutation_group_facts
from lrnn_theory.languages import BESTIARY
from lrnn_theory.strategies import automata

SEEDS = st.integers(0, 2**32 - 1)
BUDGETS = st.sampled_from([Budget(), Budget(0), Budget(5), Budget(20), Budget(60), Budget(work=80)])


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


# ---------------------------------------------------------------- groups of components


def test_groups_of_components_are_those_of_the_monoid_up_to_extension():
    # The monoids' groups are GAP's: tests/oracles.
    path = Path(__file__).parent / "oracles" / "gap_monoids.json"
    oracle = json.loads(path.read_text())
    compared = 0
    for letters, *_, boxes in oracle["machines"]:
        automaton = Automaton.from_table([[int(q) for q in row] for row in letters])
        if automaton.trim().n_states < automaton.n_states:
            continue
        compared += 1
        rows, complete = cascade_groups(automaton)
        found = [permutation_group_facts(group) for group in rows]
        groups = [oracle["groups"][box[3]] for box in boxes if box[3] >= 0]
        assert complete
        assert all(g.order is not None and g.order > 1 for g in found)
        assert primes(g.order for g in found) == primes(g[0] for g in groups), letters
        assert all(g.is_solvable for g in found) == all(g[3] for g in groups), letters
    assert compared > 200


def primes(orders) -> set[int]:
    return {
        p for n in orders for p in range(2, n + 1) if n % p == 0 and all(p % d for d in range(2, p))
    }


def test_groups_of_components_are_bounded():
    t5 = languages.full_transformation_monoid(5)
    groups, complete = cascade_groups(t5, Budget(contexts=40))
    assert not complete
    assert [permutation_group_facts(g).name for g in groups] == ["S5"]
    assert cascade_groups(languages.mod(1)) == ([], True)
