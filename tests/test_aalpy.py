"""AALpy learns back what was compiled, from the running LRNN."""

from __future__ import annotations

import importlib.util
import random

import pytest
from networks import counter

from constructions import compile_dfa
from lrnn_theory import Automaton, extract, languages
from lrnn_theory.export import aalpy_sul, from_aalpy, learn_with_aalpy

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("aalpy") is None, reason="needs the extra aalpy"
)

MACHINES = [
    "parity", "flip_flop", "last_letter_and_parity_of_ab", "mod_3", "mod_5", "mod_4_of_a",
    "tomita_1", "tomita_2", "tomita_3", "tomita_4", "tomita_5", "tomita_6", "tomita_7",
    "contains_abc", "contains_aabaa", "third_from_last", "at_least_5", "dyck_5", "z6", "d4",
]  # fmt: skip


@pytest.mark.parametrize("name", MACHINES)
def test_it_learns_back_what_was_compiled(name):
    random.seed(0)
    automaton = languages.BESTIARY[name]().minimize()
    learnt = learn_with_aalpy(compile_dfa(automaton), "bfloat16", walks=10, length=12)
    assert learnt.kind == automaton.kind
    assert automaton.difference(learnt) is None
    assert learnt.n_states == automaton.n_states


def test_it_learns_what_runs_and_not_what_was_meant():
    """In eight bits 16 + 1 is 16, so that nothing counts to twenty."""
    random.seed(0)
    for arithmetic, states in (("float8_e4m3", 1), ("bfloat16", 21)):
        learnt = learn_with_aalpy(counter(20), arithmetic, walks=3, length=60)
        assert learnt.n_states == states
        assert learnt.difference(extract(counter(20), arithmetic)) is None


def test_machines_with_outputs_are_learnt():
    random.seed(0)
    delta = [[1, 2, 0], [0, 0, 2]]
    moore = Automaton.from_table(delta, outputs=[0, 1, 2], output_symbols="xyz")
    mealy = Automaton.from_table(delta, outputs=[[0, 1, 2], [2, 2, 0]], output_symbols="xyz")
    for automaton in (moore, mealy):
        learnt = learn_with_aalpy(compile_dfa(automaton), walks=10, length=8)
        assert automaton.difference(learnt) is None


def test_a_system_answers_the_empty_word():
    even = aalpy_sul(compile_dfa("(0|10*1)*"))
    assert even.query(()) == [True]
    assert even.query(("1", "0", "1")) == [False, False, True]


def test_only_automata_are_taken():
    with pytest.raises(TypeError, match="automaton of AALpy"):
        from_aalpy("x")
