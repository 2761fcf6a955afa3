"""Star-free languages need no eigenvalue below 0; others are refused."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions.star_free import STAR_FREE, STAR_FREE_SHIFT
from lrnn_theory import Proved, Refuted, languages, verify
from lrnn_theory.cascade import decompose
from lrnn_theory.construction import core_of
from lrnn_theory.householder import halving_register_reset
from lrnn_theory.onehot import plain_layer
from lrnn_theory.strategies import automata
from lrnn_theory.wiring import wire


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_halving_reset(n):
    reset = halving_register_reset(n)
    half = np.where(np.eye(n, dtype=int), Fraction(1, 2), 0)
    zero = np.zeros((n, n), int)
    assert (reset.matrix() == np.block([[zero, zero], [half, zero]])).all()
    assert len(reset) == 3 * n
    assert reset.spectrum_range() == (0, 0)


@settings(deadline=None, max_examples=60)
@given(automata(max_states=5, max_letters=2), st.sampled_from([STAR_FREE, STAR_FREE_SHIFT]))
def test_any_aperiodic_automaton(automaton, construction):
    core = core_of(automaton)[1]
    assume(not construction.obstacles(core))
    lrnn = construction(automaton)
    assert all((level.layer.transition.eigenvalues == 0).all() for level in lrnn.levels)
    for arithmetic in ("exact", "bfloat16", "fixed8.4"):
        assert isinstance(verify(lrnn, automaton, arithmetic), Proved)


def test_without_a_register_zero_and_one_are_not_enough():
    """A cascade whose levels hand on the coordinate after the letter cannot tell a from aa."""
    automaton = languages.at_least(2)
    lrnn = STAR_FREE(automaton)
    cascade = decompose(core_of(automaton)[1], "strong")
    first = lrnn.heads[0][0]
    plain = plain_layer(cascade.levels[0].maps, cascade.initial[0])
    for reads in ("previous", "current"):
        level = replace(first, layer=plain, action=cascade.levels[0].action, reads=reads)
        broken = replace(lrnn, heads=((level, *lrnn.heads[0][1:]),))
        assert isinstance(verify(broken, automaton, "exact"), Refuted)


def test_a_register_that_holds_ones_would_be_wrong():
    automaton = languages.contains("aab", "ab")
    lrnn = STAR_FREE(automaton)
    level = lrnn.heads[0][0]
    words = (level.layer.codewords[0], level.layer.codewords[1] * 8)
    broken = replace(level, layer=replace(level.layer, codewords=words))
    assert isinstance(
        verify(replace(lrnn, heads=((broken, *lrnn.heads[0][1:]),)), automaton, "exact"), Refuted
    )


def test_the_same_cascade_with_swaps_has_negative_eigenvalues():
    core = core_of(languages.contains("abc", "abc"))[1]
    swaps = wire(decompose(core, "strong"), shifted=False)
    assert min(x for level in swaps.levels for x in level.layer.transition.eigenvalues) == -1
