"""Networks followed in compiled code, against the plain machine."""

import math
from dataclasses import replace

import numpy as np
import pytest
from compiled_layers import row, same_bits, supported
from hypothesis import given
from hypothesis import strategies as st

from constructions import compile_dfa
from lrnn_theory import LRNN, Automaton, Budget, Dense, Level, Undecided, languages, verify
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled import CompiledLayer, Follower, Orbit, follow

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
    "mod 9": languages.mod(9),
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


def test_a_verdict_says_why_an_orbit_was_stopped(monkeypatch):
    monkeypatch.setattr(follow, "SLICE", 1e-4)

    def stop(_):
        raise KeyboardInterrupt

    lrnn, target = compile_dfa(languages.mod(60), "rotation"), languages.mod(60)
    verdict = verify(lrnn, target, "float32:each+factored", progress=stop)
    assert (type(verdict), verdict.reason) == (Undecided, "interrupted")
    short = Budget(configurations=10, steps=1000)
    verdict = verify(lrnn, target, "float32:each+factored", budget=short)
    assert isinstance(verdict, Undecided)
    assert "more than 1000 steps" in verdict.reason


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
