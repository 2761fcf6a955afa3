"""What `analyze` says, about every machine and on every kind of argument."""

import json
import re
import time

import pytest
from automata.fa.dfa import DFA
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Budget, is_aperiodic
from lrnn_theory.groups import GroupFacts
from lrnn_theory.languages import BESTIARY
from lrnn_theory.profile import QUICK, Profile, analyze
from lrnn_theory.strategies import automata


@given(automata(max_states=6))
def test_facts_do_not_depend_on_how_the_machine_is_written(automaton):
    profile, minimal = analyze(automaton), analyze(automaton.minimize())
    assert minimal.states == minimal.minimal_states == profile.minimal_states
    assert {**profile.to_dict(), "states": 0} == {**minimal.to_dict(), "states": 0}


@given(automata(max_states=6))
def test_facts_agree_with_each_other(automaton):
    p = analyze(automaton)
    assert p.minimal_states <= p.states
    assert p.letter_classes <= p.letters
    assert len(p.cascade_sizes) <= p.minimal_states - 1
    assert p.monoid_size == p.monoid_enumerated
    assert p.largest_group is not None
    assert p.is_aperiodic == (p.largest_group.order == 1)
    assert p.is_aperiodic == is_aperiodic(automaton.minimize())
    assert p.is_solvable or not p.is_aperiodic
    assert p.is_group == (p.largest_group.order == p.monoid_size)
    assert p.groups is not None
    assert p.groups[0] == p.largest_group
    assert p.groups_are_2_groups == all(g.is_2_group for g in p.groups)
    assert p.groups_are_abelian == all(g.is_abelian for g in p.groups)
    assert p.derived_length == (
        max(g.derived_length or 0 for g in p.groups) if p.is_solvable else None
    )
    assert p.is_aperiodic == (p.derived_length == 0)
    assert p.is_aperiodic or not p.is_r_trivial
    assert p.is_r_trivial or not p.is_j_trivial
    assert p.green is not None
    assert p.is_r_trivial == (p.green.r_classes == p.monoid_size)
    assert p.is_j_trivial == (p.green.d_classes == p.monoid_size)
    assert p.idempotents is not None
    assert p.green.regular_d_classes <= p.idempotents
    assert p.monoid_size == sum(box.count * box.size for box in p.green.boxes)
    assert p.minimal_ideal in {box.size for box in p.green.boxes if box.group is not None}


LARGEST_ENUMERATION = 12
FACTS = (
    "is_group",
    "is_commutative",
    "is_r_trivial",
    "is_j_trivial",
    "is_aperiodic",
    "groups_are_2_groups",
    "groups_are_abelian",
    "is_solvable",
    "derived_length",
    "largest_group",
    "groups",
)


@given(automata(max_states=7), st.sampled_from([QUICK, Budget(0), Budget(30)]))
def test_what_is_said_past_the_bounds_is_true(automaton, budget):
    whole, part = (
        analyze(automaton),
        analyze(automaton, max_monoid=LARGEST_ENUMERATION, budget=budget),
    )
    for fact in FACTS:
        said = getattr(part, fact)
        assert said is None or said == getattr(whole, fact), fact
    if budget == QUICK:  # the cascade decides these
        assert part.is_aperiodic == whole.is_aperiodic
        assert part.groups_are_2_groups == whole.groups_are_2_groups
        assert part.is_solvable == whole.is_solvable


@pytest.mark.parametrize("name", BESTIARY)
def test_every_machine_is_analysed_in_two_seconds(name):
    automaton = BESTIARY[name]()
    start = time.process_time()
    profile = analyze(automaton)
    assert time.process_time() - start < 2
    assert profile.minimal_states == profile.states
    assert profile.is_aperiodic is not None
    assert json.loads(json.dumps(profile.to_dict())).keys() == profile.to_dict().keys()
    lines = str(profile).split("\n\n")[0].splitlines()
    column = lines[0].index(profile.kind)
    assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)
    assert "None" not in str(profile)


@pytest.mark.parametrize("seed", range(5))
def test_random_machines_of_50_states_are_analysed_within_the_bounds(seed):
    automaton = languages.random_automaton(50, seed=seed)
    start = time.process_time()
    profile = analyze(automaton)
    assert time.process_time() - start < 5
    assert profile.is_aperiodic is False
    assert profile.green is None
    assert profile.monoid_enumerated == 100_000


GROUPS = {
    "parity": "Z2",
    "mod_60": "Z60",
    "tomita_5": "Z2 x Z2",
    "s3": "S3",
    "s5": "S5",
    "s5_adjacent": "S5",
    "a5_two_generators": "A5",
    "d4": "D4",
    "q8": "Q8",
    "t5": "S5",
    "dyck_10": "Z1",
    "quoted_string": "Z2",
    "mqtt_broker": "Z2",
}


@pytest.mark.parametrize(("name", "group"), GROUPS.items())
def test_largest_groups(name, group):
    facts = analyze(BESTIARY[name]()).largest_group
    assert facts is not None
    assert facts.name == group


def test_table_of_a_group():
    facts, table, how = str(analyze(languages.symmetric_group(5))).split("\n\n")
    assert "docs/tracking.md" in how
    assert [line.split("  ")[0] for line in table.splitlines()[2:4]] == [
        "signed diagonal: Mamba or GLA with range [-1, 1]",
        "complex diagonal: S4D, LRU",
    ]
    assert facts.splitlines() == [
        "kind                            dfa",
        "states                          120, 120 minimal",
        "letters                         120, 120 distinct",
        "syntactic monoid                120 elements, a group",
        "Green's classes                 1 R, 1 L, 1 H, 1 D of which 1 regular",
        "D-classes                       1 x 1 S5",
        "minimal ideal                   120 elements",
        "commutative                     no",
        "R-trivial                       no",
        "J-trivial (piecewise testable)  no",
        "aperiodic (star-free)           no",
        "largest group                   S5 (order 120)",
        "maximal subgroups               S5",
        "groups are 2-groups             no",
        "groups are abelian              no",
        "groups are solvable             no",
        "cascade levels                  1",
        "cascade sizes                   120, sum 120",
        "cascade contexts                120",
        "transpositions                  at most 100 in an action",
    ]


def test_table_of_a_monoid():
    # T5: the D-class of rank k has S(5, k) rows (kernels) and C(5, k) columns (images) of S_k.
    lines = str(analyze(languages.full_transformation_monoid(5))).splitlines()
    assert [line.split("  ", 1)[1].strip() for line in lines[3:14]] == [
        "3125 elements, 196 idempotent",
        "52 R, 31 L, 456 H, 5 D of which 5 regular",
        "1 x 1 S5, 10 x 5 S4, 25 x 10 S3, 15 x 10 Z2, 1 x 5 Z1",
        "5 elements",
        "no",
        "no",
        "no",
        "no",
        "S5 (order 120)",
        "S5, S4, S3, Z2, Z1",
        "no",
    ]


def test_only_the_largest_boxes_are_shown():
    text = str(analyze(languages.protocol("mqtt_broker")))
    assert re.search(r"D-classes +(\d[\dofx ]* Z2, ){6}and \d+ more\n", text)


def test_table_of_a_machine_past_the_bounds():
    text = str(analyze(languages.protocol("tcp_server"), max_monoid=1_000, budget=Budget(0, 0)))
    assert text.splitlines()[:18] == [
        "kind                 mealy",
        "states               59, 59 minimal",
        "letters              14, 14 distinct",
        "transition monoid    not enumerated: more than 1000 elements",
        "Green's classes      not known",
        "D-classes            not known",
        "minimal ideal        not known",
        "commutative          no",
        "R-trivial            no",
        "J-trivial            no",
        "aperiodic            no",
        "largest group        not known",
        "maximal subgroups    not known",
        "groups are 2-groups  not known",
        "groups are abelian   not known",
        "groups are solvable  not known",
        "cascade levels       58, 58 untabulated",
        "cascade sizes        59 58 57 56 55 54 53 52 51 50 49 48 ... (58 in all), sum 1769",
    ]


def test_one_state():
    profile = analyze("a*")
    assert profile.largest_group == GroupFacts(1, True, True, 0, "Z1")
    assert re.search(r"cascade sizes +-\n", str(profile))
    assert "1 element, a group" in str(profile)


def test_huge_groups_are_abbreviated():
    cycle, swap = [*range(1, 30), 0], [1, 0, *range(2, 30)]
    profile = analyze(Automaton.from_table([cycle, swap], accepting=[0]))
    assert "about 10^32 elements, a group" in str(profile)
    assert "S30 (order about 10^32)" in str(profile)
    assert profile.is_solvable is False


def test_unreachable_states_and_equal_letters_are_merged():
    table = Automaton.from_table([[1, 0, 2, 1], [1, 0, 3, 3]], accepting=[1, 2])
    profile = analyze(table)
    assert (profile.states, profile.minimal_states) == (4, 2)
    assert (profile.letters, profile.letter_classes) == (2, 1)


def test_whatever_stands_for_an_automaton():
    dfa = DFA.from_substring({"0", "1"}, "01")
    assert analyze(dfa) == analyze(languages.contains("01")) == analyze("[01]*01[01]*")
    assert isinstance(analyze(dfa), Profile)


def test_aperiodicity_beyond_the_enumeration():
    profile = analyze(languages.nth_from_last(7), max_monoid=10)
    assert profile.monoid_size is None
    assert profile.is_aperiodic
    assert profile.is_solvable
    assert profile.largest_group == GroupFacts(1, True, True, 0, "Z1")
    unknown = analyze(languages.nth_from_last(7), max_monoid=10, budget=Budget(0, 0))
    assert unknown.is_aperiodic is None


def test_extensions_of_abelian_groups_need_not_be_abelian():
    # The cascade swaps tiles at two levels; the monoid of 59 elements has D4 in it.
    table = [[0, 1, 0, 1, 5, 4], [4, 5, 5, 4, 1, 0], [0, 1, 3, 2, 2, 3]]
    automaton = Automaton.from_table(table, accepting=[0, 2])
    whole, part = analyze(automaton), analyze(automaton, max_monoid=5)
    assert whole.largest_group is not None
    assert (whole.monoid_size, whole.largest_group.name) == (59, "D4")
    assert (part.groups_are_abelian, part.groups_are_2_groups, part.derived_length) == (
        None,
        True,
        None,
    )


@pytest.mark.parametrize(
    "table",
    [
        # Two components together permute a level's coordinates by S3; docs/cascades.md, section 5.
        [[1, 1, 1, 1], [2, 2, 0, 2], [3, 1, 3, 0]],
        # The same, and a letter leads from both to blocks that are not split.
        [[0, 2, 3, 3, 3], [1, 3, 4, 3, 2], [1, 3, 2, 1, 4]],
    ],
)
def test_components_that_share_coordinates_are_told_apart(table):
    states = range(len(table[0]))
    names = [str(q) for q in states]
    automaton = Automaton.from_table(table, outputs=list(states), output_symbols=names)
    whole, part = analyze(automaton), analyze(automaton, max_monoid=5)
    assert whole.groups_are_2_groups
    assert part.monoid_size is None
    assert part.groups_are_2_groups


def test_no_state_comes_back_in_a_large_monoid():
    steps = [[q + (q == i) for q in range(12)] for i in range(11)]
    automaton = Automaton.from_table(steps, accepting=[11])
    profile = analyze(automaton, max_monoid=50, budget=Budget(0, 0))
    assert (profile.monoid_size, profile.is_j_trivial, profile.is_aperiodic) == (None, True, True)
    assert profile.groups == (GroupFacts(1, True, True, 0, "Z1"),)


def test_large_commutative_monoids():
    # a counts modulo 7 once b has come three times; both commute.
    a = [[r, (c + 1) % 7] for r in range(4) for c in range(7)]
    b = [[min(r + 1, 3), c] for r in range(4) for c in range(7)]
    table = [[7 * r + c for r, c in letter] for letter in (a, b)]
    profile = analyze(
        Automaton.from_table(table, accepting=[21]), max_monoid=3, budget=Budget(0, 0)
    )
    assert profile.monoid_size is None
    assert (profile.is_aperiodic, profile.groups_are_abelian, profile.derived_length) == (
        False,
        True,
        1,
    )


@pytest.mark.parametrize(
    ("argument", "error"), [(7, TypeError), (None, TypeError), ("(", ValueError), ("", ValueError)]
)
def test_misuse(argument, error):
    with pytest.raises(error) as caught:
        analyze(argument)
    assert "\n" not in str(caught.value)
