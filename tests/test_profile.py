"""What `analyze` says, about every machine and on every kind of argument."""

import json
import time

import pytest
from automata.fa.dfa import DFA
from hypothesis import given

from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Budget, is_aperiodic
from lrnn_theory.groups import GroupFacts
from lrnn_theory.languages import BESTIARY
from lrnn_theory.profile import Profile, analyze
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


@pytest.mark.parametrize("name", BESTIARY)
def test_every_machine_is_analysed_in_two_seconds(name):
    automaton = BESTIARY[name]()
    start = time.process_time()
    profile = analyze(automaton)
    assert time.process_time() - start < 2
    assert profile.minimal_states == profile.states
    assert profile.is_aperiodic is not None
    assert json.loads(json.dumps(profile.to_dict())).keys() == profile.to_dict().keys()
    lines = str(profile).splitlines()
    column = lines[0].index(profile.kind)
    assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)
    assert "None" not in str(profile)


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
    assert str(analyze(languages.symmetric_group(5))).splitlines() == [
        "kind                   dfa",
        "states                 120, 120 minimal",
        "letters                120, 120 distinct",
        "transition monoid      120 elements, a group",
        "largest group          S5 (order 120)",
        "aperiodic (star-free)  no",
        "solvable               no",
        "commutative            no",
        "cascade levels         1",
        "cascade sizes          120, sum 120",
        "cascade contexts       120",
        "transpositions         at most 100 in an action",
    ]


def test_table_of_a_machine_past_the_bounds():
    text = str(analyze(languages.protocol("tcp_server"), max_monoid=1_000, budget=Budget(0, 0)))
    assert text.splitlines()[:9] == [
        "kind               mealy",
        "states             59, 59 minimal",
        "letters            14, 14 distinct",
        "transition monoid  not enumerated: more than 1000 elements",
        "largest group      not known",
        "aperiodic          no",
        "solvable           not known",
        "commutative        no",
        "cascade levels     58, 58 untabulated",
    ]


def test_one_state():
    profile = analyze("a*")
    assert profile.largest_group == GroupFacts(1, True, True, 0, "Z1")
    assert "cascade sizes          -" in str(profile)
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


@pytest.mark.parametrize(
    ("argument", "error"), [(7, TypeError), (None, TypeError), ("(", ValueError), ("", ValueError)]
)
def test_misuse(argument, error):
    with pytest.raises(error) as caught:
        analyze(argument)
    assert "\n" not in str(caught.value)
