"""Any regular language at the published width: a register in the mean of the rows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings

from constructions import compile_dfa
from constructions.regular_language import OFFSET
from lrnn_theory import Householder, Proved, Refuted, languages, verify
from lrnn_theory.construction import core_of
from lrnn_theory.householder import offset_reset, offsets, reflection_length
from lrnn_theory.onehot import offset_layer
from lrnn_theory.strategies import automata


def bits(n):
    """The offsets are multiples of 2^-bits."""
    return max(v.denominator for v in offsets(n)).bit_length() - 1


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 21, 22])
def test_the_reset(n):
    product, v = offset_reset(n), np.array(offsets(n), object)
    matrix = product.matrix()
    assert (matrix == np.tile(v, (n, 1))).all()
    assert len(set(v)) == n
    assert sum(v) == 0
    assert n * sum(v * v) <= 1  # the square of the norm
    assert n == 1 or 4 * n * sum(v * v) > 1  # and no power of two could be spared
    assert len(product) == n == reflection_length(matrix)
    low, high = product.spectrum_range()
    assert (low, high) == (-n * sum(v * v), 0) if n > 1 else (0, 0)


def test_the_bits():
    assert [bits(n) for n in (1, 2, 3, 4, 5, 6, 21, 22, 83, 84)] == [
        0, 1, 2, 3, 3, 4, 7, 8, 11, 12,
    ]  # fmt: skip


@pytest.mark.parametrize("n", [2, 3, 5, 8, 21])
def test_states_are_codewords_and_lie_apart(n):
    layer = offset_layer([[0] * n, [*range(1, n), 0], [n - 1] * n], n // 2)
    words = layer.codewords[0][:, :, 0].astype(float)  # dyadic, so exact
    for a in range(3):
        after = words @ layer.transition.matrix(a).astype(float).T + layer.b[a, :, 0]
        assert {x.tobytes() for x in after} <= {x.tobytes() for x in words}
    apart = ((words[:, None] - words) ** 2).sum(axis=2)[~np.eye(len(words), dtype=bool)]
    step = float(offsets(n)[-1] - offsets(n)[-2])
    assert apart.min() == n * step**2


@settings(deadline=None, max_examples=40)
@given(automata(max_states=6, max_letters=2))
def test_any_automaton_at_the_published_width(automaton):
    core = core_of(automaton)[1]
    assume(core.n_states > 1)
    lrnn = OFFSET(automaton)
    assert lrnn.n_layers <= core.n_states - 1
    for depth, level in enumerate(lrnn.levels):
        layer, transition = level.layer, level.layer.transition
        assert isinstance(transition, Householder)
        assert layer.n == layer.size <= core.n_states - depth
        assert layer.d == 1
        assert transition.factors.max(initial=0) <= layer.n
        assert all(-1 <= x <= 0 for x in transition.eigenvalues)
        assert layer.b.dtype == np.int64
        assert (layer.b >= 0).all()
    for arithmetic in ("exact", "bfloat16", "bfloat16:once", "float32", "float32@tree"):
        assert isinstance(verify(lrnn, automaton, arithmetic), Proved)


@pytest.mark.parametrize(
    "name", ["iso_date", "t4", "tomita_7", "modular_arithmetic_5", "flip_flop"]
)
@pytest.mark.parametrize("arithmetic", ["exact", "float32", "bfloat16", "float16", "fixed16.8"])
def test_named_machines(name, arithmetic):
    automaton = languages.BESTIARY[name]()
    assert isinstance(verify(OFFSET(automaton), automaton, arithmetic), Proved)


def test_a_format_with_too_few_bits_is_refuted():
    """Offsets of 21 coordinates are multiples of 2^-7: one and an offset take 8 bits."""
    automaton = last_two(21)
    lrnn = OFFSET(automaton)
    assert max(level.layer.n for level in lrnn.levels) == 21
    assert isinstance(verify(lrnn, automaton, "bfloat16:once"), Proved)
    assert isinstance(verify(lrnn, automaton, "float8_e4m3:once"), Refuted)


def last_two(k):
    """The last letter, and whether it repeated the one before it; k letters."""
    pairs = [(x, y) for x in range(k) for y in range(2)]
    delta = [[2 * a + (a == x) for x, _ in pairs] for a in range(k)]
    return languages.Automaton.from_table(
        delta, outputs=range(2 * k), output_symbols=[str(q) for q in range(2 * k)]
    )


def test_without_the_mean_or_with_its_signs_turned_it_is_refuted():
    automaton = languages.last_letter_and_parity_of_ab()
    lrnn = OFFSET(automaton)
    level = lrnn.levels[0]
    layer = level.layer

    def mutant(**change):
        broken = replace(level, layer=replace(layer, **change))
        return replace(lrnn, heads=((broken, *lrnn.levels[1:]),))

    zero = replace(layer.transition, keys=np.array([[1, 0], [0, 1]] * 2), betas=np.ones(4, int))
    for change in ({"transition": zero}, {"readout": layer.readout[:, [1, 0, 3, 2]]}):
        assert isinstance(verify(mutant(**change), automaton, "bfloat16"), Refuted)


def test_what_is_too_wide_or_not_tabulated_is_refused():
    with pytest.raises(ValueError, match="has 65 coordinates, more than 64"):
        OFFSET(last_two(65))
    large = languages.random_automaton(60, "ab", 0)
    with pytest.raises(ValueError, match="exclusion tail has registers"):
        OFFSET(large)


def test_half_the_width_of_the_register():
    automaton = languages.last_letter_and_parity_of_ab()
    offset, register = (compile_dfa(automaton, key) for key in ("offset_register", None))
    assert (offset.widths, register.widths) == ((2, 2), (4, 2))
    assert (offset.max_factors, register.max_factors) == (2, 4)
