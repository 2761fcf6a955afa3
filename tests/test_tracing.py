"""A trace says what the scan says, and its states are the states of the scan."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions import compile_dfa
from lrnn_theory import languages, scan, trace, tracing
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.strategies import automata
from lrnn_theory.transition import Householder
from lrnn_theory.wiring import wire

ARITHMETICS = ("exact", "float32", "bfloat16:once", "float32:each+factored", "float32@chunk:3")


@given(automata(), st.data(), st.sampled_from((*ARITHMETICS, "float32@tree", "{-1,0,1}")))
def test_outputs_are_those_of_the_scan(automaton, data, arithmetic):
    lrnn = compile_dfa(automaton)
    letters = st.integers(0, automaton.n_letters - 1)
    word = data.draw(st.lists(letters, min_size=1, max_size=12))
    run = trace(lrnn, word, arithmetic)
    assert run.outputs[1:].tolist() == scan(lrnn, [word], arithmetic)[0].tolist()
    assert run.outputs[0] == lrnn.empty_output
    assert run.word.tolist() == word


def with_tail(automaton):
    core = automaton.minimize().merge_letters()[1]
    return wire(decompose(core, budget=Budget(contexts=0)), shifted=False)


@pytest.mark.parametrize("arithmetic", ARITHMETICS[:4])
@pytest.mark.parametrize("machine", ["iso_date", "tls", "s4_two_generators", "tomita_3"])
def test_states_are_those_of_the_scan(machine, arithmetic):
    automaton = languages.BESTIARY[machine]()
    lrnn = with_tail(automaton) if machine == "tomita_3" else compile_dfa(automaton)
    assert (lrnn.tail is not None) == (machine == "tomita_3")
    word = np.random.default_rng(0).integers(automaton.n_letters, size=7)
    run = trace(lrnn, word, arithmetic)
    assert len(run.states) == len(lrnn.widths)
    for t in (1, 7):
        _, state = scan(lrnn, word[None, :t], arithmetic, return_state=True)
        for mine, theirs in zip(run.states, state.hidden, strict=True):
            assert mine[t].tolist() == np.asarray(theirs[0]).astype(float).tolist()


@pytest.mark.parametrize("construction", ["regular_language", "input_shift", "star_free"])
def test_actions_explain_the_states(construction):
    """H_t = A(action) H_{t-1} + B(action), with the actions of the trace."""
    lrnn = compile_dfa(languages.contains("abc"), construction)
    run = trace(lrnn, "abcabbabcc", "exact")
    for level, states, actions, read in zip(
        lrnn.levels, run.states, run.actions, run.coordinates, strict=True
    ):
        transition = level.layer.transition
        assert isinstance(transition, Householder)
        for t, a in enumerate(actions):
            after = transition.matrix(a).astype(float) @ states[t] + level.layer.b[a].astype(float)
            assert states[t + 1].tolist() == after.tolist()
            codewords = level.layer.readout[a, :, 1]
            assert read[t + 1] in codewords
    assert len({tuple(x) for x in run.coordinates[0].reshape(-1, 1)}) > 1


def test_misuse(monkeypatch):
    lrnn = compile_dfa("(ab)*")
    with pytest.raises(ValueError, match="Unknown letter"):
        trace(lrnn, "abc")
    with pytest.raises(ValueError, match="float33"):
        trace(lrnn, "ab", "float33")
    monkeypatch.setattr(tracing, "MAX_NUMBERS", 50)
    with pytest.raises(ValueError, match="'word' must be shorter"):
        trace(lrnn, "ab" * 20)
