"""A trace says what the scan says, and its states are the states of the scan."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions import compile_dfa
from lrnn_theory import languages, scan, trace, tracing
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.cyclotomic import Cyclotomic, cos_turn, sin_turn
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
        for mine, theirs in zip(run.floats, state.hidden, strict=True):
            assert mine[t].tolist() == np.asarray(theirs[0]).astype(float).tolist()


@pytest.mark.parametrize("construction", ["regular_language", "input_shift", "star_free"])
def test_actions_explain_the_states(construction):
    """H_t = A(action) H_{t-1} + B(action), with the actions of the trace."""
    lrnn = compile_dfa(languages.contains("abc"), construction)
    run = trace(lrnn, "abcabbabcc", "exact")
    for level, states, actions, read in zip(
        lrnn.levels, run.floats, run.actions, run.coordinates, strict=True
    ):
        transition = level.layer.transition
        assert isinstance(transition, Householder)
        for t, a in enumerate(actions):
            after = transition.matrix(a).astype(float) @ states[t] + level.layer.b[a].astype(float)
            assert states[t + 1].tolist() == after.tolist()
            codewords = level.layer.readout[a, :, 1]
            assert read[t + 1] in codewords
    assert len({tuple(x) for x in run.coordinates[0].reshape(-1, 1)}) > 1


def test_states_are_numbers_of_the_arithmetic():
    lrnn = compile_dfa(languages.mod(7), "rotation")
    exact, rounded = lrnn.trace("aa", "exact"), lrnn.trace("aa", "bfloat16")
    assert all(isinstance(x, Cyclotomic) for x in exact.states[0][1:].ravel())
    assert exact.states[0][1].ravel().tolist() == [cos_turn(1, 7), sin_turn(1, 7)]
    assert str(exact).splitlines()[2].split() == ["a", "~0.6235", "~0.7818", "0"]
    assert rounded.states[0].dtype.kind == "f"
    assert [x.dtype for x in exact.floats] == [np.float64]
    assert compile_dfa("(a|b)*b").trace("ab", "exact").states[0].dtype.kind == "i"


def test_states_of_the_cast_model_are_those_that_the_decoder_sees():
    run = compile_dfa(languages.mod(7), "rotation").trace("aa", "{-1,0,1}:cast")
    assert [h.ravel().tolist() for h in run.states[0]] == [[1, 0], [1, 1], [0, 1]]


def test_what_is_shown():
    run = compile_dfa("(<|b)*b").trace("<b")
    rows = [line.split() for line in str(run).splitlines()]
    assert rows[1:] == [["1", "0", "0"], ["<", "1", "0", "0"], ["b", "0", "1", "1"]]
    assert run._repr_html_().count("<tr>") == 4
    assert "<td>&lt;</td>" in run._repr_html_()
    assert "output" in str(compile_dfa(languages.protocol("tls")).trace([]))  # and no output


def test_long_traces_are_shown_in_part():
    run = compile_dfa("(ab)*").trace("ab" * 500 + "b")
    lines = str(run).splitlines()
    assert len(lines) == tracing.MAX_SHOWN + 2
    assert lines[tracing.MAX_SHOWN // 2 + 1].split() == ["…"] * len(lines[0].split("  "))
    assert lines[-1].split()[0] == "b"
    wide = compile_dfa(languages.mod(60), "dense").trace("a")
    assert "…" in str(wide)


def test_misuse(monkeypatch):
    lrnn = compile_dfa("(ab)*")
    with pytest.raises(ValueError, match="Unknown letter"):
        trace(lrnn, "abc")
    with pytest.raises(ValueError, match="float33"):
        trace(lrnn, "ab", "float33")
    monkeypatch.setattr(tracing, "MAX_NUMBERS", 50)
    with pytest.raises(ValueError, match="'word' must be shorter"):
        trace(lrnn, "ab" * 20)
