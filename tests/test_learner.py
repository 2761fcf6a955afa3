"""Active learning of what an LRNN implements, where its configurations are too many."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from networks import counter

from constructions import compile_dfa
from lrnn_theory import Automaton, Proved, extract, languages, verify
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.strategies import automata
from lrnn_theory.verification import Budget, extraction, learner
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


@pytest.mark.parametrize(
    "automaton",
    [
        Automaton.from_regex("([ac]b|d)*", "dcba"),
        Automaton.from_table(
            [[1, 0], [0, 0], [1, 0]], outputs=[[0, 1], [1, 1], [0, 1]], letters="abc"
        ),
    ],
)
def test_letters_of_one_class_are_learnt_with_the_others(automaton):
    lrnn = compile_dfa(automaton)
    assert len(set(lrnn.letter_class.tolist())) < len(lrnn.letters)
    found = learn(lrnn, Arithmetic.parse("float32"), Budget(500))
    assert found is not None
    assert found.difference(automaton.minimize()) is None


@pytest.mark.parametrize("attacks", [0, 1000])
def test_attacks_find_what_is_undecided(attacks, monkeypatch):
    """Where `verify` refutes nothing, random words do, at the first try or at the last."""

    def hesitant(*arguments, **options):
        verdict = verify(*arguments, **options)
        return verdict if isinstance(verdict, Proved) else None

    monkeypatch.setattr(learner, "verify", hesitant)
    monkeypatch.setattr(learner._Table.attack, "__defaults__", (attacks,))
    monkeypatch.setattr(learner, "_LAST_ATTACKS", 1000 - attacks)
    found = learn(compile_dfa(languages.mod(7)), Arithmetic.parse("float32"), Budget(500))
    assert found is not None
    assert found.n_states == 7


def test_a_protocol_needs_no_refutation(monkeypatch):
    """States of tcp_server differ on words of ten letters, of which most lead to a sink."""
    verdicts = []

    def watched(*arguments, **options):
        verdicts.append(verify(*arguments, **options))
        return verdicts[-1]

    monkeypatch.setattr(learner, "verify", watched)
    automaton = languages.protocol("tcp_server")
    found = learn(compile_dfa(automaton), Arithmetic.parse("bfloat16"), Budget(5_000))
    assert found is not None
    assert found.n_states == 59
    assert found.difference(automaton) is None
    assert [type(v) for v in verdicts] == [Proved]


def test_words_of_an_attack_follow_the_hypothesis():
    """They start with access words; half of them find a state that one letter of 20 leads to."""
    letters = [chr(ord("a") + i) for i in range(20)]
    delta = [[1, 2, 3, 4, 5, 6, 7, 7], *[[0] * 7 + [7]] * 19]
    automaton = Automaton.from_table(delta, accepting=[False] * 7 + [True], letters=letters)
    classes = np.arange(20)
    lrnn = replace(counter(1, "".join(letters), tuple(range(20))), letter_class=classes)
    table = learner._Table(lrnn, Arithmetic.parse("exact"))
    table.access = [(), (0,), (0, 0), (0, 0, 0)]
    table.delta = dict(zip(table.letters, [[1, 2, 3, 3], *[[0] * 4] * 19], strict=True))
    tokens, lengths = table._walks(400)
    assert tokens.shape == (400, lengths.max())
    starts = lengths - lengths.min()
    assert set(starts.tolist()) == {0, 1, 2, 3}
    for row, start in zip(tokens, starts, strict=True):
        assert (row[:start] == 0).all()
    within = np.arange(tokens.shape[1]) < lengths[:, None]
    assert tokens[within].max() == 19
    reached = (automaton.transduce(tokens)[:, -1:] == 1).ravel()
    assert not reached[::2].any()
    assert 0.05 < reached[1::2].mean() < 0.9


def test_what_is_not_proved_is_not_learnt(monkeypatch):
    """Random words tell no difference, but the rotation is not decided."""
    monkeypatch.setattr(learner._Table.attack, "__defaults__", (1000,))
    monkeypatch.setattr(learner, "_LAST_ATTACKS", 2000)
    lrnn = compile_dfa(languages.mod(7), "rotation")
    assert learn(lrnn, Arithmetic.parse("float32@tree"), Budget(5)) is None


@pytest.mark.parametrize("most", [6, 7])
def test_more_states_than_the_limit_are_not_learnt(most, monkeypatch):
    monkeypatch.setattr(learner, "MAX_STATES", most)
    found = learn(compile_dfa(languages.mod(7)), Arithmetic.parse("float32"), Budget(500))
    assert (found is None) == (most < 7)


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
