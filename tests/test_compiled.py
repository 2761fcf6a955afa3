"""Compiled code: every bit of a step, the decoder, and what becomes of a word, checked apart."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from compiled_layers import row, same_bits, states, supported
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import compile_dfa
from lrnn_theory import Diagonal, Layer, packing
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled import CompiledLayer, engine, packed
from lrnn_theory.scanning.float_kernel import FloatKernel
from lrnn_theory.scanning.rational import RationalKernel, exactly


def rational_run(kernel, h, actions):
    """The states that plain fractions reach."""
    now = np.empty((1, *h.shape), object)
    now.flat = [exactly(x) for x in h.ravel().tolist()]
    seen = []
    for action in actions:
        now = kernel.step(now, [action])
        seen.append([float(x) for x in now.flat])
    return np.array(seen).reshape(-1, *h.shape)


# -------------------------------------------------------------------- steps


@settings(max_examples=400)
@given(supported(), st.data())
def test_every_state_is_that_of_plain_fractions(case, data):
    layer, arithmetic = case
    compiled, kernel = CompiledLayer(layer, arithmetic), RationalKernel(layer, arithmetic)
    word = data.draw(st.lists(st.integers(0, layer.n_actions - 1), max_size=6))
    assert same_bits(
        compiled.run(compiled.start(), word), rational_run(kernel, compiled.start(), word)
    )
    h = data.draw(states(layer, arithmetic.format))
    assert same_bits(compiled.run(h, word), rational_run(kernel, h, word))


HALF, TINY = Fraction(1, 2), Fraction(1, 2**25)
HARD = [
    # A hardware multiply-add would leave 2^-60.
    ("float64:each", (1 + Fraction(1, 2**30), -1), 0, (1 + 2.0**-30, 1 + 2.0**-29), 0.0),
    ("float32:each", (1 + Fraction(1, 2**15), -1), 0, (1 + 2.0**-15, 1 + 2.0**-14), 0.0),
    ("float32:each+fma", (-1, 1 + Fraction(1, 2**15)), 0, (1 + 2.0**-14, 1 + 2.0**-15), 2.0**-30),
    # A tie of bfloat16 that only a term 2^-100 of it breaks, and that double loses.
    ("bfloat16:once", (1, 1, 1), 0, (256.0, 1.0, 2.0**-100), 258.0),
    ("bfloat16:once", (1, 1, -1), 0, (256.0, 1.0, 2.0**-100), 256.0),
    ("bfloat16:once", (-1, -1, -1), 0, (256.0, 1.0, 2.0**-100), -258.0),
    ("bfloat16:once", (1, 1, 1), 0, (258.0, 1.0, -(2.0**-100)), 258.0),
    ("bfloat16:once", (1, 1, 1, -1), 0, (256.0, 1.0, 2.0**-44, 2.0**-100), 258.0),
    ("bfloat16:each", (1, 1, 1), 0, (258.0, 1.0, -(2.0**-100)), 260.0),
    # Cancellation of all but the last bit of three.
    ("float32:once", (1, 1, 1), -(2**90), (2.0**90, 2.0**-90, 2.0**-110), 2.0**-90 + 2.0**-110),
    # Subnormals are not flushed, and a sum of them is exact.
    ("float32:each", (1, 1), 0, (2.0**-149, 2.0**-148), 3 * 2.0**-149),
    ("float64:each", (Fraction(1, 2),), 0, (3 * 2.0**-1074,), 2.0**-1073),
    ("float16:each", (Fraction(1, 2),), 0, (3 * 2.0**-24,), 2.0**-23),
    # Overflow: halfway is beyond, and just before it is not.
    ("float16:once", (1, 1), 0, (65504.0, 16.0), math.inf),
    ("float16:once", (1, 1, -1), 0, (65504.0, 16.0, 2.0**-24), 65504.0),
    ("float8_e4m3:once", (1, 1), 0, (448.0, 16.0), 448.0),
    ("float8_e4m3:once", (1, 1, 1), 0, (448.0, 16.0, 2.0**-9), math.nan),
    ("float8_e4m3!sat:each", (-2,), 0, (448.0,), -448.0),
    ("float32!sat:each", (-2,), 0, (2.0**127,), -(2.0**128 - 2.0**104)),
    ("float32!nan:each", (1, 1), 0, (2.0**127, 2.0**127), math.nan),
    ("float64!nan:each", (2,), 0, (1.7e308,), math.nan),
    # inf - inf; a weight that is zero meets no infinity.
    ("bfloat16:once", (1, -1), 0, (math.inf, math.inf), math.nan),
    ("bfloat16:once", (1, 0), 0, (-math.inf, math.inf), -math.inf),
    ("float32:each+fma", (1, 1), 0, (math.inf, 1.0), math.inf),
    # Fixed point: the most negative product saturates before it is subtracted; wrapping.
    ("fixed8.0:each", (-128, 1), 0, (1.0, -1.0), -128.0),
    ("fixed8.0!wrap:each", (127, 1), 0, (2.0, 1.0), -1.0),
    ("fixed8.0!wrap:once", (64, 64), 1, (1.0, 1.0), -127.0),
]  # fmt: skip


@pytest.mark.parametrize(("arithmetic", "weights", "b", "h", "wanted"), HARD)
def test_a_row(arithmetic, weights, b, h, wanted):
    layer, arithmetic = row(*weights, b=b), Arithmetic.parse(arithmetic)
    state = np.array(h).reshape(-1, 1)
    (got,) = CompiledLayer(layer, arithmetic).run(state, [0])
    assert same_bits(got[0], np.array([wanted]))
    plain = FloatKernel(layer, arithmetic, torch.device("cpu"))
    after = plain.step(torch.from_numpy(state[None]).to(plain.carrier), torch.tensor([0]))
    entry = after[0, 0].double().numpy()
    assert same_bits(np.where(np.isnan(entry), np.nan, entry), np.array([wanted]))


def test_wrapping_needs_no_room_for_the_sum():
    """2^51 units and 1/2 - 2^-25: rounded to odd without wrapping first, it would be a tie."""
    n = 1201
    h = np.full((n, 1), 2.0**17 - 1)
    h[-1] = 1.0
    layer = row(*[2**24 - 1] * n, b=HALF - TINY)
    (got,) = CompiledLayer(layer, Arithmetic.parse("fixed18.0!wrap:once")).run(h, [0])
    total = (2**24 - 1) * ((n - 1) * (2**17 - 1) + 1)
    assert total % 2
    assert got[0, 0] == (total + 2**17) % 2**18 - 2**17


def test_what_is_not_native_is_refused():
    for text in (
        "exact",
        "{-1,0,1}",
        "float64:once",
        "float64:each+fma",
        "fixed60.0",
        "bfloat16@tree",
    ):
        with pytest.raises(ValueError, match="no compiled form"):
            CompiledLayer(row(1), Arithmetic.parse(text))
    with pytest.raises(ValueError, match="dense"):
        CompiledLayer(row(1), Arithmetic.parse("float32:each+factored"))
    with pytest.raises(ValueError, match=r"in 0\.\.0"):
        CompiledLayer(row(1), Arithmetic.parse("float32")).run([[0.0]], [1])


# -------------------------------------------------------------------- decoding


@given(supported(), st.data())
def test_a_state_is_read_as_the_reference_reads_it(case, data):
    layer, arithmetic = case
    compiled, kernel = CompiledLayer(layer, arithmetic), RationalKernel(layer, arithmetic)
    h = data.draw(states(layer, arithmetic.format))
    exact = np.array([exactly(x) for x in h.ravel().tolist()], object).reshape(1, *h.shape)
    assert compiled.decode(h) == kernel.decode(exact)[0]


@st.composite
def slots(draw):
    """Codewords of one to three slots, some equal and some a hair apart; 1 to 12 of them."""
    words = []
    for _ in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(1, 2))
        number = st.sampled_from([0, 1, -1, 2, Fraction(1, 3), 1 + Fraction(1, 2**50), 10**150])
        flat = draw(
            st.lists(st.lists(number, min_size=rows, max_size=rows), min_size=1, max_size=12)
        )
        words.append(np.array(flat, object)[:, :, None])
    n, total = sum(w.shape[1] for w in words), math.prod(map(len, words))
    readout = np.zeros((1, total, 2), int)
    return Layer(
        Diagonal(np.ones((1, n), int)), np.zeros((1, n, 1), int), np.zeros((n, 1), int),
        tuple(words), readout, 1, 0,
    )  # fmt: skip


@given(
    slots(),
    st.sampled_from(["float64", "bfloat16:each", "float16!nan:each"]),
    st.integers(0, 2**32),
    st.sampled_from([1e-17, 1e-3, 0.2, 1.0]),
)
def test_what_was_learnt_of_a_codeword_never_misleads(layer, text, seed, size):
    """States wander off codewords and near boundaries; whatever was guessed, nothing changes."""
    compiled = CompiledLayer(layer, Arithmetic.parse(text))
    rng = np.random.default_rng(seed)
    n_words = layer.readout.shape[1]
    words = [np.array(w[:, :, 0], float) for w in layer.codewords]
    h = np.zeros(layer.n)
    for _ in range(60):
        if rng.random() < 0.2:
            pairs = [w[rng.integers(len(w), size=2)] for w in words]
            h = np.concatenate([a + (b - a) * rng.choice([0, 0.5, 0.499]) for a, b in pairs])
        h = h + size * rng.standard_normal(layer.n) * rng.integers(0, 2, layer.n)
        if rng.random() < 0.02:
            h[rng.integers(layer.n)] = rng.choice([math.inf, -math.inf, math.nan])
        with np.errstate(over="ignore", invalid="ignore"):  # scores of inf - inf
            h = h * rng.choice([1.0, 1e160], p=[0.95, 0.05])
        guess = int(rng.integers(n_words))
        found = engine._read(compiled.reader, guess, h)
        assert found == compiled.decode(h)
        assert engine._read(compiled.reader, found, h) == found


@given(st.integers(0, 2**32), st.sampled_from([0.001, 0.01, 0.1]))
def test_a_drifting_state_is_read_as_if_nothing_was_learnt(seed, speed):
    """Among 30 codewords of the plane, more than are rivals of one another."""
    rng = np.random.default_rng(seed)
    words = rng.integers(-99, 99, (30, 2, 1)).astype(object) * Fraction(1, 64)
    layer = Layer(
        Diagonal(np.ones((1, 2), int)),
        np.zeros((1, 2, 1), int),
        np.zeros((2, 1), int),
        (words,),
        np.zeros((1, 30, 2), int),
        1,
        0,
    )
    compiled = CompiledLayer(layer, Arithmetic.parse("float64"))
    found = 0
    for _ in range(5):
        h, course = rng.standard_normal(2), speed * rng.standard_normal(2)
        for _ in range(100):
            h = h + course
            found = engine._read(compiled.reader, found, h)
            assert found == compiled.decode(h)


def test_what_was_compiled_for_one_width_is_found_on_disk_again():
    loops = [packed.single.__wrapped__(2, 3) for _ in range(2)]  # as two processes make it
    tables = packed.tables_of(packing.pack(compile_dfa("(0|10*1)*"), "float32").levels)
    letters, state = np.zeros((1, 0), np.uint8), np.zeros((1, 1), np.uint64)
    zero, none = np.zeros(1, np.int64), np.empty((0, 0), np.int64)
    for loop in loops:
        loop(tables, letters, zero, state, none, zero, none, zero)
    assert sum(loops[1].stats.cache_hits.values()) == 1
