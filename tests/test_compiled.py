"""Compiled code: every bit of a step, the decoder, and what becomes of a word, checked apart."""

import math
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions import compile_dfa
from lrnn_theory import LRNN, Automaton, Dense, Diagonal, Layer, Level, languages
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled import CompiledLayer, Follower, Orbit, engine, follow
from lrnn_theory.scanning.float_kernel import FloatKernel
from lrnn_theory.scanning.kernels import runs_natively
from lrnn_theory.scanning.rational import RationalKernel, exactly
from lrnn_theory.strategies import FORMAT_NAMES, arithmetics, layers

WIDE = [
    "fixed8.4:wide+acc=fixed24.12", "fixed8.4!wrap:wide+acc=fixed30.6", "fixed8.4:wide+acc=float32",
    "fixed12.3!wrap:wide+fma+acc=fixed20.5", "fixed40.20!wrap:wide+acc=float64",
    "fixed8.26:wide+acc=tf32", "fixed3.0:wide+acc=float8_e4m3", "fixed8.0:wide+acc=fixed44.0",
    "fixed1.26!wrap:each", "fixed25.13!wrap:each+fma", "fixed18.9!wrap:once", "fixed18.0:once",
    "fixed26.13:each+fma+factored", "fixed8.4!wrap:each+fma+factored",
    "fixed26.0!wrap:each+factored", "float8_e4m3!sat:wide+acc=float8_e4m3",
    "bfloat16:wide+acc=tf32", "float32:wide+acc=float64",
    "float16!nan:wide+fma+acc=float32", "float8_e5m2:wide+fma+factored+acc=float16",
    "float64!sat:wide+factored", "float8_e4m3!inf:once",
]  # fmt: skip
FORMATS = [*FORMAT_NAMES[:7], "fixed8.4", "fixed8.0", "fixed12.10", "fixed16.2"]


def shortened(layer, grid):
    """The layer with its weights rounded to multiples of 2^-grid of at most 24 bits."""

    def short(array):
        out = np.empty(array.shape, object)
        out.flat = [
            Fraction(min(max(round(x * 2**grid), 1 - 2**24), 2**24 - 1), 2**grid)
            for x in array.ravel().tolist()
        ]
        return out

    t = layer.transition
    arrays = {f.name: getattr(t, f.name) for f in fields(t)}
    kept = {name: x if name == "ptr" else short(x) for name, x in arrays.items()}
    return replace(layer, transition=type(t)(**kept), b=short(layer.b))


@st.composite
def supported(draw):
    """A layer and an arithmetic that compiled code knows."""
    arithmetic = draw(st.one_of(arithmetics(FORMATS), st.sampled_from(WIDE).map(Arithmetic.parse)))
    assume(CompiledLayer.supports(arithmetic))
    layer = draw(layers(dense=not arithmetic.factored))
    if arithmetic.keeps_weights:
        layer = shortened(layer, draw(st.sampled_from([0, 3, 10, 26])))
        assume(runs_natively(layer, arithmetic))
    return layer, arithmetic


@st.composite
def states(draw, layer, form):
    """Any state that the format holds, as floats: also huge, tiny, infinite and NaN."""
    special = {"inf": [math.inf, -math.inf, math.nan], "nan": [math.nan]}.get(form.overflow, [0])
    ends = form.ends if form.name != "float64" else (2**200,)
    scaled = st.builds(
        lambda m, e: m * Fraction(2) ** e, st.integers(-9, 9), st.integers(-160, 130)
    )
    number = st.one_of(
        st.sampled_from([0, 1, -1, Fraction(1, 3), *ends]),
        st.fractions(-4, 4),
        scaled,
        st.sampled_from(special),
    )
    flat = [float(form.round(draw(number))) for _ in range(layer.n * layer.d)]
    return np.array(flat).reshape(layer.n, layer.d)


def rational_run(kernel, h, actions):
    """The states that plain fractions reach."""
    now = np.empty((1, *h.shape), object)
    now.flat = [exactly(x) for x in h.ravel().tolist()]
    seen = []
    for action in actions:
        now = kernel.step(now, [action])
        seen.append([float(x) for x in now.flat])
    return np.array(seen).reshape(-1, *h.shape)


def same_bits(got, wanted):
    """Equal numbers, one zero, one NaN."""
    assert got.dtype == wanted.dtype == np.float64
    return np.array_equal(got.view(np.int64), np.where(wanted == 0, 0.0, wanted).view(np.int64))


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


def row(*weights, b=0):
    """One row of weights, and zeros below."""
    n = len(weights)
    matrix = np.zeros((1, n, n), object)
    matrix[0, 0] = weights
    inputs = np.zeros((1, n, 1), object)
    inputs[0, 0, 0] = b
    zeros = np.zeros((n, 1), int)
    return Layer(Dense(matrix), inputs, zeros, (zeros[None],), np.zeros((1, 1, 2), int), 1, 0)


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


# -------------------------------------------------------------------- words


def network(layer, reads, nxt):
    """Letters are actions; the output is the context after the only level."""
    letters = np.arange(layer.n_actions)
    level = Level(layer, letters, nxt, reads)
    return LRNN(tuple("abc"[: len(letters)]), letters, ((level,),), np.array([0, 1]), 0)


@st.composite
def followed(draw):
    """A network, and an automaton that it mostly answers like, in an arithmetic."""
    layer, arithmetic = draw(supported())
    bits = st.sampled_from([0] * draw(st.sampled_from([1, 8, 50])) + [1])
    shape = (layer.n_actions, layer.size)
    flat = draw(st.lists(bits, min_size=math.prod(shape), max_size=math.prod(shape)))
    lrnn = network(
        layer, draw(st.sampled_from(["previous", "current"])), np.array(flat).reshape(shape)
    )
    n, letters = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    delta = draw(
        st.lists(
            st.lists(st.integers(0, n - 1), min_size=n, max_size=n),
            min_size=letters,
            max_size=letters,
        )
    )
    classes = draw(
        st.lists(st.integers(0, layer.n_actions - 1), min_size=letters, max_size=letters)
    )
    response = np.zeros((letters, n) if draw(st.booleans()) else n, int)
    return (
        lrnn,
        np.array(delta),
        draw(st.integers(0, n - 1)),
        response,
        np.array(classes),
        arithmetic,
    )


class Plain:
    """The same, by the glossary of an LRNN, one letter at a time, and the decoder in full."""

    def __init__(self, lrnn, delta, initial, response, classes, arithmetic):
        self.lrnn, self.delta, self.response, self.classes = lrnn, delta, response, classes
        self.layer = CompiledLayer(lrnn.levels[0].layer, arithmetic)
        self.h, self.state = self.layer.start(), initial

    def right(self, letter):
        level = self.lrnn.levels[0]
        c = self.classes[letter]
        (self.h,) = self.layer.run(self.h, [level.action[c]])
        pair = level.layer.readout[level.action[c], self.layer.decode(self.h)]
        output = self.lrnn.output[level.next[c, pair[0 if level.reads == "previous" else 1]]]
        before, self.state = self.state, self.delta[letter, self.state]
        wanted = (
            self.response[letter, before] if self.response.ndim == 2 else self.response[self.state]
        )
        return output == wanted

    def orbit(self, letter, limit):
        seen, step = {(self.h.tobytes(), self.state): 0}, 0
        while step < limit:
            step += 1
            if not self.right(letter):
                return Orbit("wrong", step)
            first = seen.setdefault((self.h.tobytes(), self.state), step)
            if first < step:
                return Orbit("cycle", step, first, step - first)
        return Orbit("stopped", step)


@given(followed(), st.data())
def test_words_are_followed_letter_by_letter(case, data):
    follower, plain = Follower(*case), Plain(*case)
    for _ in range(3):
        word = data.draw(st.lists(st.integers(0, len(case[4]) - 1), max_size=12))
        wrong = next((i for i, letter in enumerate(word) if not plain.right(letter)), -1)
        before = follower.steps
        assert follower.follow(word) == wrong
        assert follower.steps == before + (len(word) if wrong < 0 else wrong + 1)
        h, state = follower.state
        assert same_bits(h, plain.h)
        assert state == plain.state


def assert_same_orbit(got, wanted, limit):
    """Brent notices a repetition later than a table of all states does."""
    if got.outcome != "stopped":
        assert got == wanted
    else:
        assert got.steps == limit
        assert wanted.outcome == "stopped" or wanted.steps > limit / 4


@given(followed(), st.data())
def test_an_orbit_is_what_a_table_of_all_states_says(case, data):
    letter = data.draw(st.integers(0, len(case[4]) - 1))
    follower = Follower(*case)
    follower.follow([letter] * 3)
    assert_same_orbit(follower.orbit(letter, 200), Plain(*case).orbit(letter, 200), 200)


RIGHT = {
    "S5": languages.symmetric_group(5),
    "D4": languages.dihedral_group(4),
    "mod 12": languages.mod(12),
    "flip-flop": languages.flip_flop(),
    "parity": Automaton.from_regex("(0|10*1)*"),
}


@pytest.mark.parametrize("text", ["bfloat16", "float8_e5m2:each+factored", "fixed8.4"])
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_network_is_followed_to_its_cycle(name, text):
    automaton = RIGHT[name]
    case = aligned(compile_dfa(automaton), automaton, Arithmetic.parse(text))
    for letter in range(automaton.n_letters):
        orbit = Follower(*case).orbit(letter, 1000)
        assert orbit.outcome == "cycle"
        assert orbit == Plain(*case).orbit(letter, 1000)


def aligned(lrnn, automaton, arithmetic):
    """What a follower takes, for an automaton over the letters of the network."""
    wanted = automaton.with_letters(lrnn.letters).minimize()
    index = np.array([lrnn.output_symbols.index(s) for s in wanted.output_symbols])
    return lrnn, wanted.delta, wanted.initial, index[wanted.response], lrnn.letter_class, arithmetic


def counting(m, text):
    """Counting modulo m by a rotation, read out in full, on one letter."""
    ring = Automaton.from_table(
        np.roll(np.arange(m), -1)[None],
        outputs=np.arange(m),
        output_symbols=[str(i) for i in range(m)],
        letters=["a"],
    )
    return aligned(compile_dfa(ring, construction="rotation"), ring, Arithmetic.parse(text))


@pytest.mark.parametrize(
    ("m", "text", "wanted"),
    [
        (3, "float32:each", Orbit("cycle", 3, 0, 3)),
        (7, "float32:each", Orbit("cycle", 153, 146, 7)),
        (60, "float32:each", Orbit("cycle", 1735, 1675, 60)),
        (60, "float16:each", Orbit("cycle", 180, 120, 60)),
        (60, "bfloat16:each", Orbit("cycle", 185, 125, 60)),
        (7, "bfloat16:once", Orbit("wrong", 283)),
        (5, "bfloat16:each+factored", Orbit("wrong", 257)),
        (60, "bfloat16:each+factored", Orbit("wrong", 75)),
    ],
)
def test_rotations(m, text, wanted):
    case = counting(m, text)
    assert Follower(*case).orbit(0, 10_000) == wanted
    assert Follower(*case).orbit(0, 3 * wanted.steps) == wanted  # a cycle is noticed soon
    assert Plain(*case).orbit(0, 10_000) == wanted


@pytest.mark.parametrize(
    ("matrix", "wanted"),
    [
        ([[0, -2], [2, 0]], Orbit("cycle", 132, 128, 4)),  # a zero meets no infinity
        ([[2, -2], [2, 2]], Orbit("cycle", 88, 87, 1)),  # NaN is one state
    ],
)
def test_a_growing_rotation_leaves_the_finite_numbers(matrix, wanted):
    layer = row(*matrix[0])
    layer = replace(layer, transition=Dense(np.array([matrix])), h0=np.array([[1], [0]]))
    lrnn = network(layer, "current", np.array([[0]]))
    zero = np.zeros(1, int)
    case = (lrnn, zero[None], 0, zero, zero, Arithmetic.parse("float32"))
    assert Follower(*case).orbit(0, 1000) == wanted
    assert Plain(*case).orbit(0, 1000) == wanted


def test_an_orbit_can_be_watched_and_interrupted(monkeypatch):
    monkeypatch.setattr(follow, "SLICE", 1e-4)
    case = counting(60, "float32:each+factored")
    seen = []

    def stop(steps):
        seen.append(steps)
        if steps > 50_000:
            raise KeyboardInterrupt

    orbit = Follower(*case).orbit(0, 10**6, stop)
    assert orbit == Orbit("stopped", seen[-1])
    assert seen == sorted(set(seen))
    assert 50_000 < seen[-1] < 10**6
    assert Follower(*case).orbit(0, 60_001) == Orbit("stopped", 60_001)


def test_what_cannot_be_followed_is_refused():
    automaton = Automaton.from_regex("(0|1)*11(0|1)*")
    deep = compile_dfa(automaton)
    float32 = Arithmetic.parse("float32")
    case = counting(3, "float32")
    assert Follower.supports(case[0], float32)
    assert not Follower.supports(case[0], Arithmetic.parse("float32@tree"))
    assert len(deep.levels) > 1
    with pytest.raises(ValueError, match="cannot be followed"):
        Follower(*aligned(deep, automaton, float32))
    shifted = network(row(1), "shifted", np.array([[0]]))
    assert not Follower.supports(shifted, float32)
    dense = network(row(1), "current", np.array([[0]]))
    assert not Follower.supports(dense, Arithmetic.parse("float32:each+factored"))
    with pytest.raises(ValueError, match=r"in 0\.\.0"):
        Follower(*case).follow([1])
