"""One-hot layers report the coordinates before and after every action."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.onehot import is_permutation, offset_layer, plain_layer, register_layer
from lrnn_theory.verification.states import StateTable


@st.composite
def coordinate_maps(draw):
    size = draw(st.integers(1, 5))
    permutation = st.permutations(range(size))
    constant = st.integers(0, size - 1).map(lambda q: [q] * size)
    return np.array(draw(st.lists(permutation | constant, min_size=1, max_size=4)))


@given(coordinate_maps(), st.lists(st.integers(0, 3), max_size=12), st.integers(0, 4))
def test_readouts_tell_the_truth(maps, actions, initial):
    initial %= maps.shape[1]
    for arithmetic in ("exact", "bfloat16", "float8_e5m2:each"):
        for make in (plain_layer, register_layer, offset_layer):
            if make is offset_layer and arithmetic.startswith("float8"):
                continue  # offsets of five coordinates take 4 bits
            table = StateTable(make(maps, initial), Arithmetic.parse(arithmetic))
            state, coordinate = np.array([0]), initial
            for a in actions:
                action = np.array([a % len(maps)])
                image = maps[action[0]]
                state = table.step(state, action)
                previous, current = table.coordinates(state, action)
                if make is not plain_layer or is_permutation(image):
                    assert previous[0] == coordinate
                coordinate = image[coordinate]
                assert current[0] == coordinate


@pytest.mark.parametrize("make", [plain_layer, register_layer, offset_layer])
def test_other_maps_are_refused(make):
    with pytest.raises(ValueError, match="permutation or constant"):
        make([[0, 0, 1]], 0)
    with pytest.raises(ValueError, match="shape"):
        make([], 0)
