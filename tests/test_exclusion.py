"""The exclusion tail simulates any automaton, from any consistent pair of blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory.exclusion import ExclusionTail, elements
from lrnn_theory.strategies import automata

SEEDS = st.integers(0, 2**32 - 1)


def universal(automaton):
    """The tail for all states, and the block of all states."""
    n = automaton.n_states
    return ExclusionTail.below(automaton.delta, n), (1 << n) - 1


@given(automata(max_states=12), SEEDS)
def test_simulates_long_words(automaton, seed):
    tail, everything = universal(automaton)
    coordinates, state = list(tail.initial(automaton.initial, everything)), automaton.initial
    for letter in np.random.default_rng(seed).integers(automaton.n_letters, size=100).tolist():
        coordinates, (before, _, after) = tail.walk((everything, letter, everything), coordinates)
        assert before == 1 << state
        state = int(automaton.delta[letter, state])
        assert after == 1 << state


def test_simulates_two_thousand_letters():
    delta = np.random.default_rng(0).integers(12, size=(3, 12)).astype(np.int32)
    tail, everything = ExclusionTail.below(delta, 12), (1 << 12) - 1
    coordinates, state = list(tail.initial(5, everything)), 5
    for letter in np.random.default_rng(1).integers(3, size=2_000).tolist():
        coordinates, (before, _, after) = tail.walk((everything, letter, everything), coordinates)
        assert (before, after) == (1 << state, 1 << int(delta[letter, state]))
        state = int(delta[letter, state])


@st.composite
def contexts(draw):
    """A tail, and a context in which the image of the block before lies in the block after."""
    automaton = draw(automata())
    tail, everything = universal(automaton)
    before = draw(st.integers(1, everything))
    letter = draw(st.integers(0, automaton.n_letters - 1))
    after = tail.image(before, letter) | draw(st.integers(0, everything))
    return tail, (before, letter, after)


@given(contexts(), st.data())
def test_every_level_keeps_images_inside_and_halts_at_single_states(drawn, data):
    tail, (before, letter, after) = drawn
    for size in tail.sizes:
        row = tail.map(size, before, letter, after)
        assert len(row) == size
        assert len(set(row)) in (1, size)
        if after.bit_count() != size:
            assert row == tuple(range(size))
        elif before.bit_count() != size:
            assert len(set(row)) == 1
        coordinate = data.draw(st.integers(0, size - 1))
        before = tail.descend(size, before, coordinate)
        after = tail.descend(size, after, row[coordinate])
        assert tail.image(before, letter) & ~after == 0
        assert max(before.bit_count(), after.bit_count()) < size
    assert before.bit_count() == after.bit_count() == 1


@given(automata(), st.data())
def test_initial_coordinates_keep_the_state(automaton, data):
    tail, everything = universal(automaton)
    state = data.draw(st.integers(0, automaton.n_states - 1))
    block = data.draw(st.integers(0, everything)) | 1 << state
    remaining = block
    for size, coordinate in zip(tail.sizes, tail.initial(state, block), strict=True):
        assert coordinate < size
        assert coordinate <= 1 if remaining.bit_count() == size else coordinate == 0
        remaining = tail.descend(size, remaining, coordinate)
    assert remaining == 1 << state


@given(automata(), st.data())
def test_image_is_the_set_of_targets(automaton, data):
    tail, everything = universal(automaton)
    block = data.draw(st.integers(0, everything))
    letter = data.draw(st.integers(0, automaton.n_letters - 1))
    targets = {int(automaton.delta[letter, q]) for q in elements(block)}
    assert set(elements(tail.image(block, letter))) == targets


def test_permutations_resets_and_rest():
    # The letters turn 0 -> 1 -> 2 -> 0, and send 0 and 1 to 1.
    tail = ExclusionTail.below(np.array([[1, 2, 0], [1, 1, 2]], np.int32), 3)
    assert tail.sizes == (3, 2)
    assert tail.map(3, 0b111, 0, 0b111) == (1, 2, 0)
    assert tail.map(3, 0b111, 1, 0b111) == (0, 0, 0)
    assert tail.map(2, 0b101, 1, 0b110) == (0, 1)
    assert tail.map(2, 0b110, 0, 0b101) == (1, 0)
    assert tail.map(2, 0b001, 0, 0b010) == (0, 1)
    assert tail.descend(2, 0b101, 1) == 0b001
    assert tail.descend(2, 0b100, 1) == 0b100


@pytest.mark.parametrize("sizes", [(3,), (2, 3), (3, 2, 1), (4, 2)])
def test_sizes_fall_by_one(sizes):
    with pytest.raises(ValueError, match="'sizes' must be m, m - 1"):
        ExclusionTail(np.zeros((1, 4), np.int32), sizes)
