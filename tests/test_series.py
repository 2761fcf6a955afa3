"""Cascades whose levels permute or reset, and their groups split along subgroups."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrnn_theory import Automaton, languages
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.characters import FiniteGroup
from lrnn_theory.series import derived_series, permutes, refined, separated, square_series
from lrnn_theory.strategies import automata, group_automata


def follow(cascade, word):
    coordinates = cascade.initial
    for letter in word:
        coordinates = cascade.step(coordinates, letter)
    return cascade.decode(coordinates)


@settings(deadline=None, max_examples=60)
@given(automata(max_states=5, max_letters=3), st.lists(st.integers(0, 2), max_size=12))
def test_levels_permute_or_reset(automaton, word):
    core = automaton.trim()
    cascade = separated(decompose(core))
    cascade.check()
    for level in cascade.levels:
        constant = (level.maps == level.maps[:, :1]).all(axis=1)
        stays = (level.maps == np.arange(level.size)).all(axis=1)
        assert permutes(level) or (constant | stays).all()
    word = [a % core.n_letters for a in word]
    state = core.initial
    for a in word:
        state = core.delta[a, state]
    assert follow(cascade, word) == state


@settings(deadline=None, max_examples=40)
@given(group_automata(4), st.sampled_from([derived_series, square_series]))
def test_quotients_are_abelian_and_few(automaton, chain):
    cascade = decompose(automaton)
    group = FiniteGroup.generated_by(automaton.delta)
    if chain is square_series and group.order & (group.order - 1):
        with pytest.raises(ValueError, match="is no 2-group"):
            refined(cascade, chain)
        return
    split = refined(cascade, chain)
    split.check()
    assert np.prod(split.sizes or (1,)) == group.order
    for level in split.levels:
        maps = level.maps.astype(np.int64)
        assert permutes(level)
        assert all((x[y] == y[x]).all() for x in maps for y in maps)
        assert FiniteGroup.generated_by(maps).order == level.size
        if chain is square_series:
            assert (maps[np.arange(len(maps))[:, None], maps] == np.arange(level.size)).all()


@pytest.mark.parametrize(
    ("automaton", "derived", "squares"),
    [
        (languages.symmetric_group(3), (2, 3), None),
        (languages.symmetric_group(4), (2, 3, 4), None),
        (languages.quaternion_group(), (4, 2), (4, 2)),
        (languages.dihedral_group(8), (4, 4), (4, 2, 2)),
        (languages.mod(16), (16,), (2, 2, 2, 2)),
        (languages.alternating_group(5), None, None),
    ],
    ids=["S3", "S4", "Q8", "D8", "Z16", "A5"],
)
def test_named_groups(automaton, derived, squares):
    for chain, sizes in ((derived_series, derived), (square_series, squares)):
        if sizes is None:
            with pytest.raises(ValueError, match=r"is not solvable|is no 2-group"):
                refined(decompose(automaton), chain)
        else:
            assert refined(decompose(automaton), chain).sizes == sizes


def test_a_wrong_product_is_found():
    cascade = separated(decompose(languages.full_transformation_monoid(3)))
    level = cascade.levels[1]
    action = np.where(level.action, (level.action + 1) % len(level.maps), 0)
    with pytest.raises(ValueError, match=r"Level \d|context|state"):
        replace(
            cascade, levels=(cascade.levels[0], replace(level, action=action), *cascade.levels[2:])
        ).check()


def test_what_is_too_large_is_refused():
    tail = decompose(languages.contains("abc", "abc"), budget=Budget(contexts=0))
    with pytest.raises(ValueError, match="exclusion tail"):
        separated(tail)
    many = Automaton.from_table([[1, 0, *range(2, 6)], [*range(1, 6), 0]], accepting=[0])
    with pytest.raises(ValueError, match="720 elements, more than 512"):
        refined(decompose(many), derived_series)
