"""Diagonal layers: 2-groups by signs, solvable groups by turns, resets by zeros."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions import compile_dfa
from constructions.diagonal import COMPLEX_DIAGONAL, SIGNED_DIAGONAL
from lrnn_theory import Proved, Refuted, analyze, languages, verify
from lrnn_theory.construction import core_of
from lrnn_theory.groups import permutation_group_facts
from lrnn_theory.scalars import number_layer, number_register_layer
from lrnn_theory.strategies import automata, group_automata


def matrices(lrnn):
    for level in lrnn.levels:
        t = level.layer.transition
        yield [t.matrix(a).astype(float) for a in range(t.n_actions)]


def check(lrnn, construction):
    for layer in matrices(lrnn):
        if construction is SIGNED_DIAGONAL:
            assert all(set(np.diag(x)) <= {-1, 0, 1} for x in layer)
            assert all((x == np.diag(np.diag(x))).all() for x in layer)
        else:  # normal matrices that commute
            pairs = [(x, y) for x in layer for y in [*layer, x.T]]
            assert all(abs(x @ y - y @ x).max() < 1e-9 for x, y in pairs)


@settings(deadline=None, max_examples=40)
@given(automata(max_states=4, max_letters=2), st.sampled_from([SIGNED_DIAGONAL, COMPLEX_DIAGONAL]))
def test_any_automaton_whose_groups_allow_it(automaton, construction):
    core = core_of(automaton)[1]
    if construction.obstacles(core):
        profile = analyze(automaton)
        if construction is COMPLEX_DIAGONAL:  # monoids on four states: S4 at most
            raise AssertionError(construction.obstacles(core))
        assert not profile.groups_are_2_groups or "no 2-group" in construction.obstacles(core)[0]
        return
    lrnn = construction(automaton)
    check(lrnn, construction)
    assert isinstance(verify(lrnn, automaton, "exact"), Proved)
    if construction is SIGNED_DIAGONAL:
        for arithmetic in ("bfloat16", "fixed8.0", "float8_e4m3"):
            assert isinstance(verify(lrnn, automaton, arithmetic), Proved)


@settings(deadline=None, max_examples=40)
@given(group_automata(4))
def test_a_group_takes_as_many_layers_as_its_derived_length(automaton):
    core = core_of(automaton)[1]
    facts = permutation_group_facts(core.delta)
    assume(facts.is_solvable)
    lrnn = COMPLEX_DIAGONAL(automaton)
    assert lrnn.n_layers == facts.derived_length
    assert {level.reads for level in lrnn.levels} <= {"previous", "current"}  # no convolution
    assert isinstance(verify(lrnn, automaton, "exact"), Proved)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_signs_count_modulo_powers_of_two(k):
    automaton = languages.mod(2**k)
    lrnn = SIGNED_DIAGONAL(automaton)
    assert (lrnn.widths, lrnn.max_factors) == ((1,) * k, 1)
    assert isinstance(verify(lrnn, automaton, "bfloat16"), Proved)


@pytest.mark.parametrize("m", [3, 6, 2 * 3 * 5])
def test_signs_do_not_count_modulo_anything_else(m):
    with pytest.raises(ValueError, match="is no 2-group"):
        SIGNED_DIAGONAL(languages.mod(m))


def test_resets_and_groups_together():
    for name in ("modular_arithmetic_5", "t3", "t4", "iso_date", "random_10"):
        automaton = languages.BESTIARY[name]()
        lrnn = compile_dfa(automaton, construction="complex_diagonal")
        check(lrnn, COMPLEX_DIAGONAL)
        assert isinstance(verify(lrnn, automaton, "exact"), Proved)


def test_a_wrong_sign_is_refuted():
    automaton = languages.quaternion_group()
    lrnn = SIGNED_DIAGONAL(automaton)
    level = lrnn.levels[1]
    stays = replace(level.layer.transition, betas=0 * level.layer.transition.betas)
    mutant = replace(level, layer=replace(level.layer, transition=stays))
    broken = replace(lrnn, heads=((lrnn.levels[0], mutant),))
    assert isinstance(verify(broken, automaton, "exact"), Refuted)


@given(st.integers(2, 6), st.lists(st.integers(-1, 5), min_size=1, max_size=8), st.integers(0, 5))
def test_numbers_are_read_before_and_after(size, targets, initial):
    initial %= size
    targets = [min(q, size - 1) for q in targets]
    maps = np.array([range(size) if q < 0 else [q] * size for q in targets])
    for make in (number_layer, number_register_layer):
        layer = make(maps, initial)
        h, p = layer.h0[:, 0], initial
        for a, q in enumerate(targets):
            h = layer.transition.matrix(a) @ h + layer.b[a, :, 0]
            word = int(h[0]) if make is number_layer else int(h[0]) * size + int(h[1])
            before, after = layer.readout[a, word]
            assert after == (p if q < 0 else q)
            assert before == p or (make is number_layer and q >= 0)
            p = after


def test_numbers_do_not_permute():
    for make in (number_layer, number_register_layer):
        with pytest.raises(ValueError, match="identity or constant"):
            make([[1, 0]], 0)
