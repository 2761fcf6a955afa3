"""One Householder factor a letter: a clock, delays, signs and reflections."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from constructions.one_factor import ONE_FACTOR
from lrnn_theory import Automaton, Proved, Refuted, languages, verify
from lrnn_theory.construction import core_of
from lrnn_theory.scalars import delay_layer
from lrnn_theory.strategies import automata
from lrnn_theory.word_problems import alternating_group, symmetric_group


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.filter_too_much])
@given(automata(max_states=4, max_letters=2))
def test_any_automaton(automaton):
    core = core_of(automaton)[1]
    assume(not ONE_FACTOR.obstacles(core))
    lrnn = ONE_FACTOR(automaton)
    for level in lrnn.levels:
        transition = level.layer.transition
        assert transition.factors.max(initial=0) <= 1
        assert all(-1 <= x <= 0 for x in transition.eigenvalues)
        assert level.layer.n <= 2
        assert level.reads in ("previous", "current")  # no convolution
    assert isinstance(verify(lrnn, automaton, "exact"), Proved)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("flip_flop", 1), ("last_letter_and_parity_of_ab", 4), ("tomita_7", 6), ("dyck_5", 12),
        ("iso_date", 10), ("q8", 3), ("s4_two_generators", 4), ("t3", 8), ("t4", 14),
        ("modular_arithmetic_5", 10), ("tls", 7),
    ],
)  # fmt: skip
def test_named_machines(name, layers):
    automaton = languages.BESTIARY[name]()
    lrnn = ONE_FACTOR(automaton)
    assert (lrnn.n_layers, lrnn.max_factors) == (layers, 1)
    assert isinstance(verify(lrnn, automaton, "exact"), Proved)


@pytest.mark.parametrize("name", ["tomita_7", "iso_date", "q8", "email"])
def test_without_polygons_all_is_exact_in_bfloat16(name):
    automaton = languages.BESTIARY[name]()
    lrnn = ONE_FACTOR(automaton)
    for level in lrnn.levels:
        assert all(x.dtype == np.int64 for x in level.layer.transition.arrays)
    for arithmetic in ("bfloat16", "float16:each", "fixed8.0"):
        assert isinstance(verify(lrnn, automaton, arithmetic), Proved)


@given(st.integers(2, 4), st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 3))
def test_a_delay_remembers_two(size, numbers, initial):
    initial %= size
    layer = delay_layer(size, initial)
    h, last = layer.h0[:, 0], [initial, initial]
    for t, p in enumerate(x % size for x in numbers):
        action = (t % 2) * size + p
        h = layer.transition.matrix(action) @ h + layer.b[action, :, 0]
        last[t % 2] = p
        assert h.tolist() == last
        word = int(h[0]) * size + int(h[1])
        assert layer.readout[action, word, 1] == word


def test_a_clock_that_stands_still_is_refuted():
    automaton = languages.at_least(3)
    lrnn = ONE_FACTOR(automaton)
    clock = lrnn.levels[0]
    still = replace(clock, action=0 * clock.action)
    broken = replace(lrnn, heads=((still, *lrnn.levels[1:]),))
    assert isinstance(verify(broken, automaton, "exact"), Refuted)


def test_a_delay_that_reads_the_new_value_is_refuted():
    automaton = languages.last_letter_and_parity_of_ab()
    lrnn = ONE_FACTOR(automaton)
    delay = lrnn.levels[2]
    size = int(np.sqrt(delay.layer.size))
    flipped = np.arange(delay.layer.size).reshape(size, size).T.ravel()
    broken = replace(delay, next=delay.next[:, flipped])
    heads = ((*lrnn.levels[:2], broken, *lrnn.levels[3:]),)
    assert isinstance(verify(replace(lrnn, heads=heads), automaton, "exact"), Refuted)


def test_other_groups_are_refused():
    for automaton in (symmetric_group(5, "two"), alternating_group(5, "two")):
        with pytest.raises(ValueError, match="is not solvable"):
            ONE_FACTOR(automaton)
    frobenius = [[(x + 1) % 7 for x in range(7)], [2 * x % 7 for x in range(7)]]
    with pytest.raises(ValueError, match="a group of 7 points is neither cyclic nor dihedral"):
        ONE_FACTOR(Automaton.from_table(frobenius, accepting=[0]))
