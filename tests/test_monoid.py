"""Transition monoids, against plain enumeration and the published sizes."""

import itertools
import time
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.groups import permutation_group_facts
from lrnn_theory.monoid import TransitionMonoid, transition_monoid
from lrnn_theory.strategies import automata
from lrnn_theory.word_problems import alternating_group, symmetric_group

Map = tuple[int, ...]


def after(first: Map, then: Map) -> Map:
    return tuple(then[q] for q in first)


def plain_monoid(automaton: Automaton) -> set[Map]:
    """Every map of a word, by adding one letter at a time until nothing is new."""
    letters = [tuple(row) for row in automaton.delta.tolist()]
    found = {tuple(range(automaton.n_states))}
    while new := {after(x, a) for x in found for a in letters} - found:
        found |= new
    return found


def plain_maximal_groups(monoid: set[Map]) -> list[set[Map]]:
    """The groups of units of eMe, for every idempotent e."""
    groups = []
    for e in monoid:
        if after(e, e) == e:
            local = {after(after(e, x), e) for x in monoid}
            groups.append({x for x in local if any(after(x, y) == e == after(y, x) for y in local)})
    return groups


small = automata(max_states=4, max_letters=3)


# ---------------------------------------------------------------- laws


@given(small)
def test_elements_are_all_maps_of_words(automaton):
    monoid = transition_monoid(automaton)
    plain = plain_monoid(automaton)
    assert monoid.complete
    assert monoid.size == len(plain)
    assert {tuple(row) for row in monoid.elements.tolist()} == plain


@given(small)
def test_elements_are_in_shortlex_order_of_their_words(automaton):
    letters = automaton.merge_letters()[1].delta.tolist()
    in_order: dict[Map, None] = {}
    for length in range(5):
        for word in itertools.product(letters, repeat=length):
            product = tuple(range(automaton.n_states))
            for letter in word:
                product = after(product, letter)
            in_order.setdefault(product)
    elements = [tuple(row) for row in transition_monoid(automaton).elements.tolist()]
    assert elements[: len(in_order)] == list(in_order)


@given(small)
def test_facts_agree_with_their_definitions(automaton):
    monoid, plain = transition_monoid(automaton), plain_monoid(automaton)
    assert monoid.idempotents == sum(after(x, x) == x for x in plain)
    assert monoid.is_commutative == all(
        after(x, y) == after(y, x) for x, y in itertools.combinations(plain, 2)
    )
    groups = plain_maximal_groups(plain)
    assert monoid.is_group == any(group == plain for group in groups)
    assert monoid.is_aperiodic == all(len(group) == 1 for group in groups)
    assert {len(g) for g in monoid.subgroups or ()} == {len(g) for g in groups} - {1}
    assert monoid.largest_group is not None
    assert monoid.largest_group.order == max(map(len, groups))
    assert monoid.is_solvable  # S4 and all its subgroups are


@given(small)
def test_subgroups_are_groups(automaton):
    for group in transition_monoid(automaton).subgroups or ():
        members = {tuple(row) for row in group.tolist()}
        assert len(members) == len(group)
        assert {after(x, y) for x in members for y in members} == members
        assert permutation_group_facts(group).order == len(group)


@given(small, st.integers(1, 20))
def test_a_bounded_enumeration_is_a_prefix(automaton, max_size):
    whole, part = transition_monoid(automaton), transition_monoid(automaton, max_size)
    assert part.complete == (whole.size <= max_size)
    assert np.array_equal(part.elements, whole.elements[:max_size])
    if not part.complete:
        assert part.idempotents in (None, 1)
        assert part.subgroups is None
        for fact in ("is_aperiodic", "is_solvable", "is_group", "is_commutative"):
            assert getattr(part, fact) in (None, getattr(whole, fact))


# ---------------------------------------------------------------- published facts


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_full_transformation_monoid(n):
    monoid = transition_monoid(languages.full_transformation_monoid(n))
    assert monoid.size == n**n
    assert monoid.idempotents == sum(comb(n, k) * k ** (n - k) for k in range(n + 1))
    assert monoid.subgroups is not None
    assert [len(g) for g in monoid.subgroups] == [factorial(k) for k in range(n, 1, -1)]
    assert monoid.is_solvable == (n < 5)
    assert not monoid.is_aperiodic


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("parity", 2),
        ("flip_flop", 3),
        ("mod_60", 60),
        ("tomita_1", 2),
        ("tomita_2", 6),
        ("tomita_5", 4),
        ("tomita_6", 3),
        ("at_least_5", 6),
        ("seventh_from_last", 2**8 - 1),
        ("s5", 120),
        ("a5_two_generators", 60),
        ("q8", 8),
    ],
)
def test_sizes(name, size):
    assert transition_monoid(languages.BESTIARY[name]()).size == size


APERIODIC = {
    "flip_flop": True,
    "tomita_1": True,
    "tomita_2": True,
    "tomita_3": False,
    "tomita_4": True,
    "tomita_5": False,
    "tomita_6": False,
    "tomita_7": True,
    "contains_abc": True,
    "seventh_from_last": True,
    "at_least_5": True,
    "dyck_10": True,
    "dyck_3_of_two_kinds": True,
    "iso_datetime": True,
    "ipv4": True,
    "uuid": True,
    "quoted_string": False,  # an even number of backslashes
    "parity": False,
    "last_letter_and_parity_of_ab": False,
    "modular_arithmetic_5": False,
    "random_50": False,
    "tls": True,
}


@pytest.mark.parametrize(("name", "aperiodic"), APERIODIC.items())
def test_aperiodic(name, aperiodic):
    monoid = transition_monoid(languages.BESTIARY[name]())
    assert monoid.is_aperiodic is aperiodic
    if aperiodic:
        assert monoid.is_solvable
        assert monoid.subgroups == []


@pytest.mark.parametrize(
    ("name", "solvable"),
    {
        "s3": True,
        "s4_two_generators": True,
        "a4": True,
        "q8": True,
        "d5": True,
        "t4": True,
        "s5": False,
        "a5_two_generators": False,
        "t5": False,
    }.items(),
)
def test_solvable(name, solvable):
    assert transition_monoid(languages.BESTIARY[name]()).is_solvable is solvable


def test_first_letter_acts_first():
    s3 = symmetric_group(3)
    monoid = transition_monoid(s3)
    swap, turn = s3.delta[s3.letter_index["213"]], s3.delta[s3.letter_index["231"]]
    found = {tuple(row): i for i, row in enumerate(monoid.elements.tolist())}
    assert {tuple(turn[swap]), tuple(swap[turn])} <= found.keys()
    product = turn[swap]  # swap, then turn
    assert product[s3.initial] == s3.run(["213", "231"]) != s3.run(["231", "213"])


def test_one_state():
    monoid = transition_monoid(languages.mod(1))
    assert (monoid.size, monoid.idempotents) == (1, 1)
    assert monoid.is_group
    assert monoid.is_aperiodic
    assert monoid.is_commutative


def test_equal_letters_are_one_generator():
    automaton = Automaton.from_table([[1, 0], [0, 1], [1, 0]], accepting=[0])
    assert transition_monoid(automaton).generators.tolist() == [[1, 0], [0, 1]]


# ---------------------------------------------------------------- bounds


def random_16() -> Automaton:
    return languages.random_automaton(20, seed=20)


def test_size_is_bounded():
    automaton = random_16()
    assert automaton.n_states == 16
    monoid = transition_monoid(automaton, max_size=20_000)
    assert (monoid.size, monoid.complete) == (20_000, False)
    assert len(np.unique(monoid.elements, axis=0)) == 20_000


def test_time_is_bounded():
    start = time.monotonic()
    monoid = transition_monoid(random_16(), max_size=10**9, seconds=0.2)
    assert time.monotonic() - start < 2
    assert not monoid.complete


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("lrnn_theory.monoid.MAX_ENTRIES", 1_000)
    assert transition_monoid(random_16()).size == 1_000 // 16


def test_what_is_not_known_is_none():
    monoid = transition_monoid(languages.nth_from_last(7), max_size=50)
    assert monoid.is_aperiodic is None
    assert monoid.is_solvable is None
    assert monoid.largest_group is None
    assert monoid.idempotents is None


def test_facts_of_large_groups_need_no_enumeration():
    a7 = alternating_group(7, "two")
    points = Automaton.from_table([[1, 2, 0, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6, 0]], letters="ab")
    monoid = transition_monoid(points, max_size=100)
    assert not monoid.complete
    assert monoid.largest_group is not None
    assert (monoid.largest_group.name, monoid.largest_group.order) == ("A7", a7.n_states)
    assert (monoid.idempotents, monoid.is_solvable, monoid.is_commutative) == (1, False, False)


def test_permuting_letters_decide_that_a_large_monoid_is_not_solvable():
    monoid = transition_monoid(languages.full_transformation_monoid(8), max_size=1_000)
    assert not monoid.complete
    assert monoid.is_solvable is False


def test_a_group_that_no_letter_belongs_to():
    # The 5-cycle and the 3-cycle that generate A5, and a sixth state that joins the first.
    automaton = Automaton.from_table([[1, 2, 3, 4, 0, 0], [1, 2, 0, 3, 4, 0]], accepting=[0])
    monoid = transition_monoid(automaton)
    assert monoid.subgroups is not None
    assert [group.shape for group in monoid.subgroups] == [(60, 5)]
    assert monoid.is_solvable is False
    assert monoid.largest_group == permutation_group_facts(alternating_group(5).delta)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"max_size": 0}, "Argument 'max_size' must be positive, not 0."),
        ({"seconds": 0.0}, "Argument 'seconds' must be positive, not 0.0."),
        ({"seconds": float("nan")}, "Argument 'seconds' must be positive, not nan."),
    ],
)
def test_bounds_must_be_positive(bounds, message):
    with pytest.raises(ValueError, match=message):
        transition_monoid(languages.parity(), **bounds)


def test_a_monoid_can_be_made_by_hand():
    identity = np.array([[0, 1]], np.uint8)
    assert TransitionMonoid(identity, identity, complete=True).largest_group == (
        permutation_group_facts(identity)
    )
