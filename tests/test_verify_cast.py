"""Verdicts on one letter in the cast model, for all lengths, against the formula itself."""

from dataclasses import replace
from fractions import Fraction as Q
from itertools import product
from unittest.mock import patch

import numpy as np
import pytest
from cast_walk import walk
from flint import fmpz
from hypothesis import given, settings
from hypothesis import strategies as st

from lrnn_theory import (
    LRNN,
    Automaton,
    Dense,
    Layer,
    Level,
    Proved,
    Refuted,
    Undecided,
    horizon,
    verify,
)
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.eventual import Stream, UnsettledError, casts, orbit, orbits
from lrnn_theory.lrnn.layer import Reads
from lrnn_theory.strategies import SPECTRAL_CLASSES, spectral_networks
from lrnn_theory.verification import Budget, unary

FORMATS = (
    "{0,1}", "{-1,0,1}", "{0,1,2,3,4,5,6,7}", "{-5,-1,1,5}", "fixed4.1", "fixed8.4",
    "float8_e4m3", "float8_e5m2", "bfloat16", "float32",
)  # fmt: skip
BUDGET = Budget(5_000, seconds=10)
"""Without a bound on the time, thousands of terms of a rare network take minutes."""
REPLAYED = 150


def scalar(a, b, h0, words, reads: Reads = "current", outputs=None):
    """A layer of one number."""
    return vector([[a]], [b], [h0], [[w] for w in words], reads, outputs)


def vector(a, b, h0, words, reads: Reads = "current", outputs=None):
    """A layer that answers the parity of the nearest codeword's index, or an output of it."""
    k, n = len(words), len(h0)
    layer = Layer(
        Dense(np.array([a], object)),
        np.array(b, object).reshape(1, n, 1),
        np.array(h0, object).reshape(n, 1),
        (np.array(words, object).reshape(k, n, 1),),
        np.arange(k)[None, :, None].repeat(2, 2),
        k,
        0,
    )
    level = Level(layer, np.zeros(1, int), np.arange(k)[None], reads)
    output = np.arange(k) % 2 if outputs is None else np.array(outputs)
    return LRNN(("1",), np.zeros(1, int), ((level,),), output, int(output[0]))


def machine(answers, preperiod, period):
    """The automaton that answers so up to some length, and then again and again."""
    n = preperiod + period
    delta = [[*range(1, n), preperiod]]
    return Automaton.from_table(delta, accepting=np.flatnonzero(answers[:n]), letters="1")


def first_error(answers, automaton):
    """The first length at which these answers, from the empty word on, are wrong."""
    state = automaton.initial
    for t, answer in enumerate(answers):
        if answer != automaton.accepting[state]:
            return t
        state = automaton.delta[0, state]
    return None


def first_conflict(views, automaton):
    """The least length that looks like an earlier one and needs another answer, and that one."""
    met, state = {}, automaton.delta[0, automaton.initial]
    for t, view in enumerate(views, 1):
        needs = met.setdefault(str(view), {})
        needs.setdefault(bool(automaton.accepting[state]), t)
        if len(needs) == 2:
            return t, min(needs.values())
        state = automaton.delta[0, state]
    return None


# -------------------------------------------------------------------- laws


@settings(max_examples=6)
@given(
    spectral_networks(SPECTRAL_CLASSES, "1", 2, 3, 2),
    st.sampled_from(FORMATS),
    st.sampled_from([1, 2, 5, 40, 120]),
    st.sampled_from([1, 1, 2, 3, 4, 12]),
    st.sampled_from([3, 3, casts.REPLAYED]),
)
def test_verdicts_are_those_of_the_formula(lrnn, name, preperiod, period, replayed):
    """The automaton is that of the answers themselves, if they are periodic so soon.

    Where few letters are replayed, the others are told by enclosing ranges of them.
    """
    with patch.object(casts, "REPLAYED", replayed), patch.object(unary, "FIRST", replayed):
        compare(lrnn, name, preperiod, period)


def compare(lrnn, name, preperiod, period):
    steps = list(walk(lrnn, [("1", REPLAYED)], name))
    answers = [lrnn.empty_output, *(answer for _, answer in steps)]
    automaton = machine(answers, preperiod, period)
    verdict = verify(lrnn, automaton, f"{name}:cast", budget=BUDGET)
    error = first_error(answers, automaton)
    if isinstance(verdict, Refuted) and verdict.statistics["length"] <= REPLAYED:
        assert len(verdict.word) == error
    elif isinstance(verdict, Undecided):
        assert error is None or error > verdict.covered
    else:
        assert error is None
    verdict = verify(lrnn, automaton, f"{name}:cast", decoder="any", budget=BUDGET)
    conflict = first_conflict([view for view, _ in steps], automaton)
    if isinstance(verdict, Refuted) and verdict.other and len(verdict.other) <= REPLAYED:
        assert (len(verdict.other), len(verdict.word)) == conflict
    elif isinstance(verdict, Undecided):
        assert conflict is None or conflict[0] > verdict.covered
    else:
        assert conflict is None


@pytest.mark.parametrize(
    ("lrnn", "name"),
    [
        (scalar(Q(997, 1000), 0, 5, (0, 1, 3)), "float8_e4m3"),
        (scalar(Q(997, 1000), 0, 5, (0, 1, 3)), "float32"),
        (scalar(Q(-997, 1000), 0, 5, (0, 1, 3)), "bfloat16"),
        (scalar(Q(997, 1000), 1, 0, (0, 100, 320)), "fixed16.6"),
        (scalar(Q(997, 1000), 1, 0, (0, 150, 250, 320)), "float8_e4m3"),
        (scalar(1, Q(1, 3), 0, (0, 900, 1100)), "float32"),
        (vector([[Q(99, 100), 1], [0, Q(99, 100)]], [0, 0], [0, 1], [[0, 0], [30, 0]]), "bfloat16"),
        (vector([[0, 1], [-1, 0]], [Q(1, 3), 0], [1, 0], [[0, 0], [1, 1]]), "fixed8.4"),
        (vector([[0, Q(999, 1000)], [-1, 0]], [1, 0], [1, 0], [[0, 0], [1, 1]]), "fixed8.2"),
    ],
)  # fmt: skip
def test_thousands_of_lengths_beyond_those_that_are_replayed(lrnn, name):
    lengths = 2600
    answers = [lrnn.empty_output, *(x for _, x in walk(lrnn, [("1", lengths)], name))]
    changes = [t for t in range(1, lengths) if answers[t] != answers[t - 1]]
    right = machine(answers, 1, lengths - 4)
    verdict = verify(lrnn, right, f"{name}:cast")
    assert isinstance(verdict, Proved) or verdict.statistics["length"] > lengths - 4
    for t in {1, 1001, 2500, *changes[-2:]} - {0}:  # one answer changed
        wrong = list(answers)
        wrong[t] ^= 1
        verdict = verify(lrnn, machine(wrong, 1, lengths - 4), f"{name}:cast")
        assert isinstance(verdict, Refuted)
        assert len(verdict.word) == t


@settings(max_examples=15)
@given(
    spectral_networks(SPECTRAL_CLASSES, "ab", 1, 2, 2),
    st.sampled_from(FORMATS),
    st.lists(st.integers(0, 1), max_size=3),
    st.lists(st.integers(0, 1), min_size=1, max_size=3),
)
def test_codewords_told_by_enclosures_are_those_of_single_steps(lrnn, name, head, cycle):
    """What a layer hands on to the next one, after a head and a cycle of letters."""
    (level,) = lrnn.levels
    actions = Stream.shortest(*([int(level.action[c]) for c in part] for part in (head, cycle)))
    try:
        found = orbit(level.layer, actions, Arithmetic.parse(f"{name}:cast"))
    except UnsettledError:
        return
    steps = found.codewords(120)
    with patch.object(casts, "REPLAYED", 3), patch.object(orbits, "REPLAYED", 3):
        assert found.codewords(120) == steps


@settings(max_examples=15)
@given(
    spectral_networks(SPECTRAL_CLASSES[:6], "1", 2, 2, 1), st.sampled_from(FORMATS[:8]), st.data()
)
def test_mutants_are_refuted(lrnn, name, data):
    """A network that is proved, with one answer or one state of the automaton changed."""
    answers = [lrnn.empty_output, *(x for _, x in walk(lrnn, [("1", 160)], name))]
    automaton = machine(answers, 80, 12)
    if not isinstance(verify(lrnn, automaton, f"{name}:cast"), Proved):
        return
    assert automaton.accepting.tolist() == [bool(x) for x in answers[:92]]
    accepting = automaton.accepting.copy()
    t = data.draw(st.integers(0, 91))
    accepting[t] ^= True
    verdict = verify(lrnn, replace(automaton, accepting=accepting), f"{name}:cast")
    assert isinstance(verdict, Refuted)
    assert len(verdict.word) == t


# -------------------------------------------------------------------- long words


def test_a_slow_decay_errs_at_the_very_length_that_it_must():
    """0.999999^k passes 1/2 between these two lengths: integers say so."""
    lrnn = scalar(Q(999_999, 1_000_000), 0, 1, (0, 1), outputs=[0, 1])
    lrnn = replace(lrnn, empty_output=1)
    verdict = verify(lrnn, "1*", "float32:cast")
    assert isinstance(verdict, Refuted)
    k = len(verdict.word)
    slow, fast = fmpz(999_999), fmpz(10**6)
    assert 2 * slow ** (k - 1) > fast ** (k - 1)
    assert 2 * slow**k <= fast**k
    found = horizon(lrnn, "1*", "float32:cast")
    assert (found.first, found.covered, found.never) == ((k,), (k - 1,), False)


def test_a_ramp_to_the_end_of_float32_is_proved_and_refuted():
    """The sum is cast to the end for ever; up to the last midpoint it is counted exactly."""
    lrnn = scalar(1, 1, 0, (0, 7), outputs=[0, 1])
    verdict = verify(lrnn, "1{4}1*", "float32:cast")
    assert isinstance(verdict, Proved)
    assert verdict.method == "eventual"
    assert verdict.statistics["preperiod"] > 2**127
    assert horizon(lrnn, "1{4}1*", "float32:cast").never
    late = scalar(1, 1, 0, (0, 10**38), outputs=[0, 1])
    never = Automaton.from_table([[0]], accepting=[], letters="1")
    verdict = verify(late, never, "float32:cast")
    assert isinstance(verdict, Refuted)
    k = verdict.statistics["length"]
    half = int(np.float32(10**38)) // 2  # where both codewords are as near: the first one is read
    assert k == half + 2**101 + 1  # the midpoint to the next number is cast to the smaller one
    assert horizon(late, never, "float32:cast").first == (k,)


def test_any_decoder_of_a_layer_that_takes_millions_of_letters_to_settle():
    lrnn = scalar(Q(999_999, 1_000_000), 0, 1, (0, 1))
    assert isinstance(verify(lrnn, "1*", "float8_e4m3:cast", decoder="any"), Proved)
    verdict = verify(lrnn, "1{1}", "float8_e4m3:cast", decoder="any")
    assert isinstance(verdict, Refuted)
    assert (verdict.word, verdict.other) == (("1",), ("1", "1"))


def test_levels_above_others_are_given_what_those_end_with():
    """Below: a sum that passes 3 after the sixth letter; above: a turn that it switches on."""
    below = scalar(1, Q(1, 2), 0, (0, 6), reads="shifted").levels[0]
    still, turn = [[1]], [[-1]]
    layer = Layer(
        Dense(np.array([still, turn], object)), np.zeros((2, 1, 1), int), np.ones((1, 1), int),
        (np.array([[[1]], [[-1]]]),), np.array([[[0, 0], [1, 1]]] * 2), 2, 0,
    )  # fmt: skip
    above = Level(layer, np.arange(2), np.array([[0, 1]] * 2), "current")
    lrnn = LRNN(("1",), np.zeros(1, int), ((below, above),), np.array([1, 0]), 1)
    answers = [1, *(x for _, x in walk(lrnn, [("1", 60)], "fixed8.4"))]
    change = answers.index(0)
    assert answers[:change] == [1] * change
    assert answers[change:] == [t % 2 for t in range(len(answers) - change)]
    right = machine(answers, change - 1, 2)
    assert isinstance(verify(lrnn, right, "fixed8.4:cast"), Proved)
    for t, reads in product((change - 2, change, change + 1), ("previous", "current")):
        wrong = list(answers)
        wrong[t] ^= 1
        assert isinstance(verify(lrnn, machine(wrong, 30, 2), "fixed8.4:cast"), Refuted)
        other = replace(lrnn, heads=((replace(below, reads=reads), above),))
        assert isinstance(verify(other, right, "fixed8.4:cast"), Refuted)


# -------------------------------------------------------------------- what is not decided


def test_why_a_word_that_never_repeats_is_undecided():
    turn = [[Q(3, 5), Q(-4, 5)], [Q(4, 5), Q(3, 5)]]
    lrnn = vector(turn, [0, 0], [1, 0], [[1, 0], [-1, 0]], outputs=[1, 1])
    verdict = verify(lrnn, "1*", "{-1,0,1}:cast")
    assert isinstance(verdict, Undecided)
    assert "complex pair" in verdict.reason
    assert verdict.covered > 100
    wrong = verify(lrnn, "1{0,20}", "{-1,0,1}:cast")
    assert isinstance(wrong, Refuted)
    assert len(wrong.word) == 21


def test_a_budget_of_enclosures():
    lrnn = scalar(Q(999_999, 1_000_000), 0, 1, (0, 1))
    verdict = verify(lrnn, "1*", "float32:cast", decoder="any", budget=1000)
    assert isinstance(verdict, Undecided)
    assert "more than 100 enclosures" in verdict.reason
    assert verdict.covered == 1000
