"""Integer constructions give the same bits in every order and format."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import weighing

from constructions import compile_dfa
from lrnn_theory import Automaton, Dense, languages
from lrnn_theory.arithmetic import FORMATS, Arithmetic
from lrnn_theory.exactness import computes_exactly, exact_bits
from lrnn_theory.scanning import Machine
from lrnn_theory.scanning.rounding import round_to

MACHINES = {
    "parity": (languages.parity(), 1),
    "mod 12": (languages.mod(12), 1),
    "S4": (languages.symmetric_group(4), 2),
    "S5": (languages.symmetric_group(5), 2),
    "ISO date": (Automaton.from_regex(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"), 1),
    "T3": (Automaton.from_table([[1, 2, 0], [1, 0, 2], [0, 0, 2]], accepting=[0]), 1),
}


def affine(layer, action, form):
    """The map of an action on homogeneous coordinates, rounded to a format."""
    n = layer.n
    m = torch.eye(n + 1, dtype=torch.float64)
    m[:n, :n] = torch.from_numpy(layer.transition.matrix(action).astype(float))
    m[:n, n] = torch.from_numpy(layer.b[action, :, 0].astype(float))
    return round_to(m, form)


def times(x, y, form):
    """A matrix product with every product and every sum rounded."""
    total = torch.zeros(x.shape[0], y.shape[1], dtype=torch.float64)
    for j in range(x.shape[1]):
        total = round_to(total + round_to(x[:, j, None] * y[None, j], form), form)
    return total


def tree(maps, form):
    """The later half after the earlier half, recursively."""
    if len(maps) == 1:
        return maps[0]
    half = len(maps) // 2
    return times(tree(maps[half:], form), tree(maps[:half], form), form)


@pytest.mark.parametrize("name", MACHINES)
def test_exact_bits(name):
    automaton, bits = MACHINES[name]
    assert exact_bits(compile_dfa(automaton)) == bits


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", MACHINES)
def test_every_order_gives_the_same_bits(name, form):
    automaton, _ = MACHINES[name]
    lrnn = compile_dfa(automaton)
    bits = exact_bits(lrnn)
    form = FORMATS[form]
    assert bits is not None
    assert form.precision >= bits
    rng = np.random.default_rng(0)
    for level in lrnn.levels:
        layer = level.layer
        actions = rng.integers(0, layer.n_actions, 37)
        maps = [affine(layer, a, form) for a in actions]
        h0 = torch.cat([torch.from_numpy(layer.h0[:, 0].astype(float)), torch.ones(1)])[:, None]
        sequential = h0
        for m in maps:
            sequential = times(m, sequential, form)
        chunked = h0
        for i in range(0, len(maps), 5):
            chunked = times(tree(maps[i : i + 5], form), chunked, form)
        assert torch.equal(sequential, chunked)
        assert torch.equal(sequential, times(tree(maps, form), h0, form))


@pytest.mark.parametrize("name", MACHINES)
def test_every_format_gives_the_same_states(name):
    automaton, _ = MACHINES[name]
    lrnn = compile_dfa(automaton)
    letters = np.random.default_rng(1).integers(0, automaton.n_letters, (20, 50))
    final = []
    for text in (*FORMATS, "bfloat16:each", "float16:each", "exact"):
        machine = Machine(lrnn, Arithmetic.parse(text))
        state = machine.start(20)
        for t in range(50):
            column = letters[:, t]
            state = machine.step(state, column if text == "exact" else torch.from_numpy(column))
        final.append([np.asarray(h, float) for h in state.hidden])
    for hidden in final[1:]:
        assert all(np.array_equal(x, y) for x, y in zip(final[0], hidden, strict=True))


def test_chunks_start_from_zero():
    """A state that stays put says nothing: the affine map of a chunk holds larger numbers."""
    automaton = Automaton.from_table([[1, 2, 3, 0]], accepting=[0])
    lrnn = compile_dfa(automaton, construction="permutation")
    layer = lrnn.levels[0].layer
    h0 = np.array([[4], [0], [-4], [0]])
    # H <- P H + B with B = H_0 - P H_0 leaves H_0 alone, and takes 0 to entries of 8.
    still = replace(layer, h0=h0, b=(h0 - layer.transition.matrix(0) @ h0)[None])
    level = replace(lrnn.levels[0], layer=still)
    assert abs(still.b).max() == 4
    assert exact_bits(replace(lrnn, heads=((level,),))) == 3


@pytest.mark.parametrize(
    ("matrix", "bits"),
    [([[0, 1], [-1, 0]], 2), ([[0, 0], [0, 0]], 2), ([[1, 1], [0, 1]], None),
     ([[0, 2], [0, 0]], None), ([[0, Fraction(1, 2)], [0, 0]], None)],
)  # fmt: skip
def test_only_moves_of_entries_qualify(matrix, bits):
    """Sums, factors beyond 1 and fractions may be exact on the way of one word but not of all."""
    lrnn = weighing([3, 0], [[3, 0], [0, 3]], Dense(np.array([matrix], object)))
    assert exact_bits(lrnn) == bits


@given(st.integers(0, 2**32))
def test_the_largest_number_is_that_of_the_states(seed):
    """Against all states, from H_0 and from 0, of layers that move, negate, clear and add."""
    rng = np.random.default_rng(seed)
    n, actions = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    matrices = np.zeros((actions, n, n), int)
    for matrix in matrices:
        for row in matrix:
            row[rng.integers(n)] = rng.integers(-1, 2)
    b = rng.integers(-2, 3, (actions, n, 1)) * (rng.random((actions, n, 1)) < 0.4)
    lrnn = weighing(rng.integers(-3, 4, n).tolist(), [[0] * n, [1] * n])
    (level,) = lrnn.levels
    readout = np.tile(level.layer.readout, (actions, 1, 1))
    layer = replace(level.layer, transition=Dense(matrices), b=b, readout=readout)
    states = {tuple(layer.h0[:, 0].tolist()), (0,) * n}
    frontier = set(states)
    while frontier and len(states) < 20_000:
        after = {
            tuple((m @ h + v[:, 0]).tolist())
            for h in map(np.array, frontier)
            for m, v in zip(matrices, b, strict=True)
        }
        frontier = after - states
        states |= frontier
        if max(max(map(abs, h)) for h in states) > 1000:  # it never ends
            break
    found = exact_bits(replace(lrnn, heads=((replace(level, layer=layer),),)))
    if frontier:
        assert found is None
    else:
        largest = max(max(map(abs, h)) for h in states)
        assert found == max(1, (max(largest, 1) - 1).bit_length())


@pytest.mark.parametrize(
    ("text", "exact"),
    [("{-4,-3,-2,-1,0,1,2,3,4}", True), ("{-3,-2,-1,0,1,2,3}", False), ("{-2,-1,0,1,2}", False),
     ("fixed4.0:each", True), ("fixed4.1:each", False), ("fixed4.-1:each", False),
     ("float8_e4m3", True), ("float8_e4m3:cast", False), ("float8_e4m3:each+factored", False),
     ("exact", True)],
)  # fmt: skip
def test_which_arithmetics_compute_exactly(text, exact):
    """Numbers of up to 3 are taken to need those up to 4."""
    lrnn = weighing([3, 0], [[3, 0], [0, 3]], Dense(np.array([[[0, 1], [-1, 0]]])))
    assert computes_exactly(lrnn, Arithmetic.parse(text)) is exact


def test_a_rotation_is_not_exactly_representable():
    assert exact_bits(compile_dfa(languages.mod(7), construction="rotation")) is None


def test_an_order_does_show_where_weights_are_rounded():
    """The law above is not vacuous: a rotation by 2 pi / 7 in bfloat16 depends on the order."""
    layer = compile_dfa(languages.mod(7), construction="rotation").levels[0].layer
    form = FORMATS["bfloat16"]
    exact = np.vectorize(float)(layer.transition.matrix(0))
    m = torch.eye(3, dtype=torch.float64)
    m[:2, :2] = round_to(torch.from_numpy(exact), form)
    sequential = h0 = torch.tensor([[1.0], [0.0], [1.0]], dtype=torch.float64)
    for _ in range(64):
        sequential = times(m, sequential, form)
    assert not torch.equal(sequential, times(tree([m] * 64, form), h0, form))
