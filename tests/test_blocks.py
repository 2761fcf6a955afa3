"""Few factors a letter: groups by blocks of imprimitivity, resets by two numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings

from constructions import compile_dfa
from constructions.blocks import BLOCKS
from lrnn_theory import Automaton, Proved, Refuted, languages, verify
from lrnn_theory.blocks import block_chain
from lrnn_theory.cascade import decompose
from lrnn_theory.construction import core_of
from lrnn_theory.series import refined
from lrnn_theory.strategies import automata, group_automata


@settings(deadline=None, max_examples=25)
@given(automata(max_states=5, max_letters=2))
def test_any_automaton(automaton):
    core = core_of(automaton)[1]
    assume(not BLOCKS.obstacles(core))
    lrnn = BLOCKS(automaton)
    for level in lrnn.levels:
        for array in (*level.layer.transition.arrays, *level.layer.codewords, level.layer.b):
            assert array.dtype == np.int64
    for arithmetic in ("exact", "bfloat16", "float16@tree", "fixed8.0"):
        assert isinstance(verify(lrnn, automaton, arithmetic), Proved)


@settings(deadline=None, max_examples=30)
@given(group_automata(4))
def test_a_chain_of_blocks_is_a_cascade(automaton):
    for most in (0, 3, 100):
        cascade = refined(decompose(automaton), block_chain(most))
        cascade.check()
        assert np.prod(cascade.sizes or (1,)) == len(automaton.access_words)
        if most == 100:
            assert len(cascade.levels) <= 1


@pytest.mark.parametrize(
    ("automaton", "most", "sizes"),
    [
        (languages.mod(60), 0, [3, 4, 5]),
        (languages.mod(60), 6, [3, 4, 5]),
        (languages.mod(64), 0, [2] * 6),
        (languages.mod(64), 8, [8, 8]),
        (languages.mod(60), 30, [6, 10]),
        (languages.symmetric_group(4), 0, [2, 2, 2, 3]),
        (languages.alternating_group(5), 0, [3, 4, 5]),
        (languages.mod(7), 0, [7]),
    ],
    ids=["60", "60 up to 6", "64", "64 up to 8", "60 up to 30", "S4", "A5", "7"],
)
def test_named_chains(automaton, most, sizes):
    cascade = refined(decompose(automaton), block_chain(most))
    cascade.check()
    assert sorted(cascade.sizes) == sizes


@pytest.mark.parametrize(
    ("automaton", "layers", "state", "factors"),
    [
        (languages.mod(32), 5, 5, 1),
        (languages.quaternion_group(), 3, 3, 1),
        (languages.dihedral_group(4), 3, 3, 1),
        (languages.symmetric_group(4, "two"), 4, 6, 1),
        (languages.flip_flop(), 1, 1, 1),
        (languages.full_transformation_monoid(3), 5, 8, 2),
        (languages.BESTIARY["iso_date"](), 5, 9, 2),
        (languages.BESTIARY["ipv4"](), 7, 13, 2),
    ],
    ids=["Z32", "Q8", "D4", "S4", "flip-flop", "T3", "ISO date", "IPv4"],
)
def test_fewest_factors(automaton, layers, state, factors):
    lrnn = compile_dfa(automaton, objective="factors")
    assert lrnn.construction == "blocks"
    assert (lrnn.n_layers, lrnn.state_size, lrnn.max_factors) == (layers, state, factors)
    assert isinstance(verify(lrnn, automaton, "bfloat16"), Proved)
    assert compile_dfa(automaton).construction != "blocks"


def test_a_number_that_is_forgotten_is_refuted():
    automaton = languages.last_letter_and_parity_of_ab()
    lrnn = BLOCKS(automaton)
    level = lrnn.levels[0]
    readout = level.layer.readout.copy()
    readout[..., 0] = readout[..., 1]
    broken = replace(level, layer=replace(level.layer, readout=readout))
    mutant = replace(lrnn, heads=((broken, *lrnn.levels[1:]),))
    verdict = verify(mutant, automaton, "exact")
    assert isinstance(verdict, Refuted)
    assert verdict.word == ("a", "b")


def test_a_wrong_representative_is_refuted():
    automaton = languages.quaternion_group()
    lrnn = BLOCKS(automaton)
    level = lrnn.levels[1]
    mutant = replace(level, action=1 - level.action)
    broken = replace(lrnn, heads=((lrnn.levels[0], mutant, lrnn.levels[2]),))
    assert isinstance(verify(broken, automaton, "exact"), Refuted)


def test_what_could_not_be_proved_is_refused():
    with pytest.raises(ValueError, match="configurations, more than 100000"):
        BLOCKS(languages.BESTIARY["t5"]())
    rows = [[1, 0, *range(2, 8)], [*range(1, 8), 0], [0] * 8]
    with pytest.raises(ValueError, match="more than 5040 elements"):
        BLOCKS(Automaton.from_table(rows, accepting=[0]))
