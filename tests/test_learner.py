"""Active learning of what an LRNN implements, where its configurations are too many."""

import pytest
from hypothesis import given, settings

from constructions import compile_dfa
from lrnn_theory import Proved, extract, languages, verify
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.strategies import automata
from lrnn_theory.verification import Budget, extraction
from lrnn_theory.verification.learner import learn


@settings(max_examples=25, deadline=None)
@given(automata(max_states=6))
def test_what_is_learnt_is_the_minimal_automaton(automaton):
    lrnn = compile_dfa(automaton)
    found = learn(lrnn, Arithmetic.parse("bfloat16"), Budget(5_000))
    assert found is not None
    minimal = automaton.minimize()
    assert found.n_states == minimal.n_states
    assert found.difference(minimal) is None


@pytest.mark.parametrize("name", ["iso_date", "tcp", "mod(7)"])
def test_named_machines_are_learnt(name):
    automaton = languages.mod(7) if name == "mod(7)" else languages.BESTIARY[name]()
    found = learn(compile_dfa(automaton), Arithmetic.parse("float32"), Budget(50_000))
    assert found is not None
    assert found.difference(automaton.minimize()) is None


def test_extraction_learns_where_closing_is_too_much(monkeypatch):
    """The first closing gives up; there is no second one, for what is learnt is proved."""
    budgets = []

    def closing(*arguments):
        budgets.append(arguments[3].configurations)
        return close(*arguments)

    close = extraction._close
    monkeypatch.setattr(extraction, "FEW", 5)
    monkeypatch.setattr(extraction, "_close", closing)
    automaton = languages.BESTIARY["iso_date"]()
    lrnn = compile_dfa(automaton)
    found = extract(lrnn, "float16")
    assert budgets == [5]
    assert found.difference(automaton.minimize()) is None
    assert isinstance(verify(lrnn, found, "float16"), Proved)
