"""States by hand: encode, decode, traces, and what notebooks show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import counter

from constructions import compile_dfa
from lrnn_theory import extract, languages, scan
from lrnn_theory.strategies import automata


@given(automata(max_states=6), st.sampled_from(["float32", "exact", "bfloat16"]))
def test_decoding_undoes_encoding(automaton, arithmetic):
    lrnn = compile_dfa(automaton)
    machine = extract(lrnn, arithmetic)
    assert machine.n_states == automaton.minimize().n_states
    for state in range(machine.n_states):
        hidden = lrnn.encode(state, arithmetic)
        assert lrnn.decode(hidden, arithmetic).tolist() == [state]


@given(automata(max_states=6), st.data())
def test_a_word_leads_to_the_state_of_the_automaton(automaton, data):
    lrnn = compile_dfa(automaton)
    machine = extract(lrnn)
    word = data.draw(st.lists(st.integers(0, automaton.n_letters - 1), max_size=12))
    tokens = np.array([word], np.int64)
    hidden = scan(lrnn, tokens, return_state=True)[1]
    assert lrnn.decode(hidden).tolist() == [machine.run([machine.letters[a] for a in word])]


def test_scans_continue_from_an_encoded_state():
    lrnn = compile_dfa(languages.tomita(4))
    machine = extract(lrnn)
    for state in range(machine.n_states):
        said = scan(lrnn, [[0, 0, 1, 0]], initial=lrnn.encode(state))[0].tolist()
        expected = []
        for a in (0, 0, 1, 0):
            state = machine.delta[a, state]
            expected.append(int(machine.accepting[state]))
        assert said == expected


def test_states_are_those_of_the_arithmetic():
    lrnn = counter(20)
    assert extract(lrnn, "float8_e4m3").n_states == 1
    assert lrnn.decode(lrnn.encode(0, "float8_e4m3"), "float8_e4m3").tolist() == [0]
    with pytest.raises(ValueError, match="one of the 1 states, not 1"):
        lrnn.encode(1, "float8_e4m3")
    assert lrnn.decode(lrnn.encode(20, "bfloat16"), "bfloat16").tolist() == [20]


def test_notebooks_show_small_matrices():
    html = compile_dfa(languages.parity())._repr_html_()
    assert "[[-1]]" not in html
    assert "[-1]" in html
    assert "<script" not in compile_dfa("(<|s)*")._repr_html_()
