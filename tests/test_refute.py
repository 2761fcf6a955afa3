"""What `refute` claims is so, by an evaluation that shares no code with it."""

from dataclasses import replace
from fractions import Fraction as Q

import numpy as np
import pytest
from cast_evaluation import same_state
from cast_networks import views
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import compile_dfa
from lrnn_theory import (
    LRNN,
    Automaton,
    Dense,
    Diagonal,
    Householder,
    Layer,
    Level,
    check,
    refute,
)
from lrnn_theory.strategies import (
    NONNEGATIVE_CLASSES,
    REAL_CLASSES,
    SPECTRAL_CLASSES,
    spectral_networks,
)
from lrnn_theory.verification.certificate import digest

FORMATS = (
    "{0,1}", "{-1,0,1}", "{0,1,2,3,4,5,6,7}", "{-5,-1,1,5}", "fixed4.1", "fixed8.4", "fixed8.0",
    "float8_e4m3", "float8_e5m2", "bfloat16", "float16", "float32",
)  # fmt: skip
PARITY = Automaton.from_regex("(11)*")
BOTH = Automaton.from_regex("(0|10*1)*")
REPLAYED = 600


def runs(word):
    return getattr(word, "runs", None) or [(a, 1) for a in word]


def length(word):
    return sum(count for _, count in runs(word))


def confirmed(lrnn, wanted, found, name):
    """Whether the words are confused and need different answers; None if too long to see."""
    words = [found.other, found.word]
    lengths = [length(w) for w in words]
    answers = [answer(wanted, w) for w in words]
    assert answers == [found.answered, found.expected]
    assert answers[0] != answers[1]
    if max(lengths) <= REPLAYED:
        seen = [views(lrnn, runs(w), name, {n})[n] for w, n in zip(words, lengths, strict=True)]
        return seen[0] == seen[1]
    if len(lrnn.levels) > 1 or lrnn.levels[0].reads == "shifted":
        return None
    layer = lrnn.levels[0].layer
    a = lrnn.letters.index(runs(words[0])[-1][0])
    if any(len(runs(w)) > 1 for w in words):
        return None
    arrays = [[[Q(x) for x in row] for row in m.tolist()]
              for m in (layer.transition.matrix(a), layer.b[a], layer.h0)]  # fmt: skip
    return same_state(*arrays, name, *lengths)


def answer(wanted, word):
    """The answer to a word of runs."""
    state = wanted.initial
    for letter, count in runs(word):
        row, path = wanted.delta[wanted.letters.index(letter)], [state]
        while (there := int(row[path[-1]])) not in path:
            path.append(there)
        first = path.index(there)
        loop = len(path) - first
        state = path[count] if count < len(path) else path[first + (count - first) % loop]
    return str(int(wanted.accepting[state]))


def mod(m, letters="1"):
    ones = [(q + 1) % m for q in range(m)]
    delta = [ones if letter == "1" else list(range(m)) for letter in letters]
    return Automaton.from_table(delta, accepting=[0], letters=letters)


# -------------------------------------------------------------------- laws


@given(spectral_networks(NONNEGATIVE_CLASSES), st.sampled_from(FORMATS))
def test_nonnegative_spectra_confuse_parity(lrnn, name):
    found = refute(lrnn, PARITY, f"{name}:cast")
    assert found is not None
    assert found.certificate.data["theorem"] == "G-T1"
    assert length(found.word) == length(found.other) + 1
    assert confirmed(lrnn, PARITY, found, name) in (True, None)
    again = check(found.certificate, lrnn)
    assert sorted([runs(again.word), runs(again.other)]) == sorted(
        [runs(found.word), runs(found.other)]
    )


@settings(max_examples=30)
@given(spectral_networks(NONNEGATIVE_CLASSES, "01", 3, 2, 1), st.sampled_from(FORMATS[:9]))
def test_any_depth(lrnn, name):
    found = refute(lrnn, BOTH, f"{name}:cast")
    if found is None:  # a layer below another one that runs to an end of the format for long
        assert name.startswith("float8")
    else:
        assert confirmed(lrnn, BOTH, found, name) in (True, None)
        check(found.certificate, lrnn)


@settings(max_examples=30)
@given(
    spectral_networks(REAL_CLASSES, "1", 2, 2, 1),
    st.sampled_from(FORMATS[:7]),
    st.sampled_from([3, 5, 6, 7, 12]),
)
def test_real_spectra_do_not_count_to_what_is_no_power_of_two(lrnn, name, m):
    found = refute(lrnn, mod(m), f"{name}:cast")
    assert found is not None
    assert confirmed(lrnn, mod(m), found, name) in (True, None)


@given(spectral_networks(SPECTRAL_CLASSES, "01", 2, 2, 1), st.sampled_from(FORMATS[:7]))
@settings(max_examples=20)
def test_whatever_is_claimed_is_so(lrnn, name):
    found = refute(lrnn, BOTH, f"{name}:cast", budget=30)
    if found is not None:
        assert confirmed(lrnn, BOTH, found, name) in (True, None)


@given(spectral_networks(("wide",), "1", 1, 3, 1))
def test_factors_in_the_open_range_with_finitely_many_exact_states(lrnn):
    """The unary lemma: the states have period 1 in the end, or are infinitely many."""
    found = refute(lrnn, PARITY, "exact", budget=50)
    layer = lrnn.levels[0].layer
    h, a, states = layer.h0.astype(object), layer.transition.matrix(0), []
    for _ in range(layer.n + 2):
        states.append(h.tolist())
        h = a @ h + layer.b[0]
    assert (found is not None) == (states[-1] == states[-2])
    if found is not None:
        assert found.certificate.data["theorem"] == "unary lemma"
        check(found.certificate, lrnn)


@given(
    spectral_networks(("diagonal",), "01", 2, 2, 1),
    st.sampled_from(["float8_e4m3", "float8_e5m2:each", "fixed8.4", "{-1,0,1}", "bfloat16:each"]),
)
@settings(max_examples=30)
def test_nonnegative_diagonals_that_round_every_step(lrnn, name):
    found = refute(lrnn, BOTH, name)
    assert found is not None
    assert check(found.certificate, lrnn).arithmetic == found.arithmetic


@pytest.mark.parametrize("m", [2, 3, 4, 6])
@pytest.mark.parametrize("arithmetic", ["float32:cast", "exact", "bfloat16", "float32:each"])
def test_a_network_that_is_right_is_never_refuted(m, arithmetic):
    for name in ("parity", "cyclic") if m == 2 else ("cyclic",):
        for letters in ("1", "01"):
            wanted = mod(m, letters)
            assert refute(compile_dfa(wanted, name), wanted, arithmetic, budget=60) is None


# -------------------------------------------------------------------- traps and named cases


def unary(a, b, h):
    return LRNN.from_layer(Dense(np.array([a], object)), np.array([b], object), h, "1")


@pytest.mark.parametrize(
    ("a", "b", "name", "least"),
    [
        (Q(999_999, 1_000_000), 0, "float8_e4m3", 6_931_469),
        (Q(999_999, 1_000_000), 0, "bfloat16", 92_881_676),
        (Q(999_999, 1_000_000), 0, "float32", 103_972_026),
        (Q(999_999, 1_000_000), 1, "float32", 103_972_026),  # the sum of 10^8 casts is not needed
    ],
)
def test_words_of_a_hundred_million_letters(a, b, name, least):
    lrnn = unary([[a]], [b], [1])
    found = refute(lrnn, PARITY, f"{name}:cast")
    assert length(found.other) == least
    assert confirmed(lrnn, PARITY, found, name)
    assert check(found.certificate, lrnn).word.runs in (found.word.runs, found.other.runs)


def decay(digits):
    """Two letters, 1 - 10^-digits each; B is the letter."""
    a = 1 - Q(1, 10**digits)
    return LRNN.from_layer(Diagonal(np.array([[a], [a]])), [[0], [1]], [1], "01")


def test_long_powers_of_two_letters_are_proved_again():
    found = refute(decay(4), "(0101)*", "float8_e4m3:cast")
    assert (len(found.other), len(found.word)) == (69312, 69314)
    assert set(runs(found.word)[::2]), set(runs(found.word)[1::2]) == ({("0", 1)}, {("1", 1)})
    assert check(found.certificate, decay(4)).word == found.word


def test_words_that_are_no_powers_are_not_proved():
    data = dict(refute(decay(3), "(0101)*", "float8_e4m3:cast").certificate.data)
    one, other = data["words"]
    other = [*other[:-4], ["1", 1], *other[-3:]]  # ... 1 1 0 1
    data["words"] = [one, other]
    data["digest"] = digest(data)
    with pytest.raises(ValueError, match="powers of a word"):
        check(data)


def test_powers_of_two_letters_that_cannot_be_written_are_not_tried():
    found = refute(decay(7), "(0101)*", "float8_e4m3:cast")  # (01)^k for k = 3.5 * 10^6
    assert found.certificate.data["theorem"] == "search"


def late(digits, one):
    """A layer that reads 0 or `one`, the nearer to (1 - 10^-digits)^k, and an upper one."""
    below = unary([[1 - Q(1, 10**digits)]], [0], [1]).levels[0].layer
    words = np.array([[[0]], [[one]]], object)
    readout = np.arange(2)[None, :, None].repeat(2, 2)
    below = replace(below, codewords=(words,), readout=readout, size=2, initial=1)
    above = Layer(Diagonal(np.array([[Q(1, 2)], [Q(1, 3)]])), np.ones((2, 1, 1), int),
                  np.zeros((1, 1), int), (words,), readout.repeat(2, 0), 2, 0)  # fmt: skip
    zero = np.zeros(1, int)
    levels = (
        Level(below, zero, np.array([[0, 1]]), "current"),
        Level(above, np.arange(2), np.zeros((2, 2), int), "current"),
    )
    return LRNN(("1",), zero, (levels,), zero, 0)


@pytest.mark.parametrize(
    ("digits", "reason"),
    [
        # (1 - 10^-5)^k > 17/32, which lies between the numbers 1/2 and 9/16, for 63,251 letters
        (5, "a layer hears changes of those below for 63251 letters, more than 2000"),
        (6, "a layer below another one takes 6931469 letters to settle, more than 1000000"),
    ],
)
def test_why_words_told_nothing(digits, reason):
    told, lrnn = [], late(digits, 1)
    assert refute(lrnn, PARITY, "float8_e4m3:cast", budget=1, unsettled=told.append) is None
    assert told == [f"words (1)^k: {reason}"]


def test_a_lower_layer_that_settles_late_and_is_heard_early():
    """It takes 693,144 letters to come to rest, but reads 0 from the first one on."""
    found = refute(late(5, 9), PARITY, "float8_e4m3:cast")
    assert (length(found.other), length(found.word)) == (693_144, 693_145)
    lengths = [693_144, 693_145]
    seen = views(late(5, 9), [("1", 693_145)], "float8_e4m3", [693_143, *lengths])
    assert seen[693_143] != seen[693_144] == seen[693_145]
    assert check(found.certificate, late(5, 9)).word == found.word


def test_a_sum_that_runs_to_the_end_of_float32_for_10_to_the_38_letters():
    lrnn = unary([[1, 1], [0, 1]], [0, 1], [0, 0])
    found = refute(lrnn, PARITY, "float32:cast")
    assert found.word.runs[0][1] > 10**38
    arrays = [[[Q(1), Q(1)], [Q(0), Q(1)]], [[Q(0)], [Q(1)]], [[Q(0)], [Q(0)]]]
    counts = [w.runs[0][1] for w in (found.other, found.word)]
    assert same_state(*arrays, "float32", *counts)
    check(found.certificate, lrnn)


def test_trap_the_sum_saturates():
    found = refute(unary([[1]], [1], [0]), PARITY, "{0,1,2,3,4,5,6,7}:cast")
    assert (length(found.other), length(found.word)) == (7, 8)


def test_trap_a_set_without_0_drifts():
    found = refute(unary([[0]], [0], [0]), PARITY, "{-5,-1,1,5}:cast")
    assert confirmed(unary([[0]], [0], [0]), PARITY, found, "{-5,-1,1,5}")
    assert length(found.other) > 1  # the sum of casts of 0 first runs to -5


def test_trap_ties_to_the_smaller_drift():
    lrnn = unary([[1]], [Q(-1, 2)], [0])  # cast(-1/2) = -1 among the integers
    found = refute(lrnn, PARITY, "fixed4.0:cast")
    assert length(found.other) == 8
    assert confirmed(lrnn, PARITY, found, "fixed4.0")


def test_trap_the_hypothesis_does_not_say_which_letter():
    """Letter 0 has the negative eigenvalue; powers of 1 are confused all the same."""
    lrnn = LRNN.from_layer(Diagonal(np.array([[-1], [1]])), [[0], [0]], [1], "01")
    found = refute(lrnn, BOTH, "{-1,0,1}:cast")
    assert set(found.word) == {"1"}


def test_trap_a_negative_eigenvalue_inside_alternates_at_a_midpoint():
    """1/2 + 1/4 (-1/8)^k cast to {0, 1} alternates for ever: parity, and no refutation."""
    a = [[1, 0, 0], [0, Q(-1, 8), 0], [1, 1, 0]]
    lrnn = unary(a, [0, 0, 0], [Q(1, 2), Q(1, 4), 0])
    assert refute(lrnn, PARITY, "{0,1}:cast", budget=300) is None
    assert refute(lrnn, mod(3), "{0,1}:cast").certificate.data["theorem"] == "G-T2"


def test_trap_eight_is_a_power_of_two_and_too_many_for_two_layers():
    """Two levels of -1 count modulo 4: the proof of G-T2 forbids 8 there."""
    four = compile_dfa(mod(4), "reflections")
    assert refute(four, mod(4), "exact") is None
    assert refute(four, mod(8), "exact") is not None


def test_trap_infinitely_many_exact_states():
    """h <- h + 1 counts exactly; in a finite format it is refuted."""
    lrnn = unary([[1]], [1], [0])
    assert refute(lrnn, PARITY, "exact", budget=300) is None
    assert refute(lrnn, PARITY, "float16:each") is not None


def test_trap_wrapping_integers_count():
    lrnn = unary([[1]], [1], [0])
    assert refute(lrnn, PARITY, "fixed8.0!wrap") is None
    assert refute(lrnn, PARITY, "fixed8.0") is not None
    assert refute(lrnn, mod(3), "fixed8.0!wrap") is not None


def test_trap_three_factors_in_the_positive_range():
    """G-T1 does not cover them, the unary lemma does."""
    third, v = Q(3, 4), [[1, 0], [Q(3, 5), Q(4, 5)], [Q(-3, 5), Q(4, 5)]]
    t = Householder(np.array(v, object), np.array([third] * 3, object), np.array([0, 3]))
    lrnn = LRNN.from_layer(t, [[0, 0]], [0, 0], "1")
    assert refute(lrnn, PARITY, "exact").certificate.data["theorem"] == "unary lemma"


def test_trap_the_pair_for_a_time_invariant_layer_depends_on_b():
    """01 and 11 are one state of the layer of the position's parity, but not of h <- -h + x.

    The latter is h = #ones at even places - #ones at odd ones, up to its sign: h mod 2 is exact
    parity, with infinitely many states.  In a finite format it fails like any other.
    """
    position = LRNN.from_layer(Diagonal(np.array([[-1], [-1]])), [[1], [1]], [0], "01")
    alternating = LRNN.from_layer(Diagonal(np.array([[-1], [-1]])), [[0], [1]], [0], "01")

    def state(b, word):
        h = 0
        for letter in word:
            h = -h + b[int(letter)]
        return h

    assert state((1, 1), "01") == state((1, 1), "11")
    assert state((0, 1), "01") != state((0, 1), "11")
    found = refute(position, BOTH, "exact")
    assert state((1, 1), found.word) == state((1, 1), found.other)
    assert sum(map(int, found.word)) % 2 != sum(map(int, found.other)) % 2
    assert refute(alternating, BOTH, "exact") is None
    for arithmetic in ("fixed4.0", "fixed8.0:cast", "bfloat16"):
        found = refute(alternating, BOTH, arithmetic)
        assert check(found.certificate, alternating).arithmetic == found.arithmetic
    assert confirmed(alternating, BOTH, refute(alternating, BOTH, "{-1,0,1}:cast"), "{-1,0,1}")


def test_a_time_invariant_minus_1_does_recognise_unary_parity():
    lrnn = unary([[-1]], [0], [1])
    for arithmetic in ("exact", "float32", "float32:cast"):
        assert refute(lrnn, PARITY, arithmetic) is None


def test_unary_lemma_orders():
    """diag(-1, R(2 pi / 3)) has orbits of period 2, 3 and 6: they are told apart."""
    a = [[-1, 0, 0], [0, 0, -1], [0, 1, -1]]
    for h, counts in (([1, 0, 0], {2}), ([0, 1, 0], {3}), ([1, 1, 0], {2, 3, 6})):
        lrnn = unary(a, [0, 0, 0], h)
        assert {m for m in range(2, 8) if refute(lrnn, mod(m), "exact") is None} == counts


def test_words_that_are_repeated():
    """No letter alone tells (01)^k apart."""
    wanted = Automaton.from_regex("(0101)*")
    lrnn = LRNN.from_layer(
        Diagonal(np.array([[Q(1, 2)], [Q(1, 3)]], object)), [[0], [1]], [1], "01"
    )
    found = refute(lrnn, wanted, "fixed8.4:cast")
    assert "".join(found.word).strip("0") in ("1" + "01" * k for k in range(100))
    assert confirmed(lrnn, wanted, found, "fixed8.4")


def test_misuse():
    lrnn = unary([[1]], [1], [0])
    with pytest.raises(TypeError, match="LRNN"):
        refute("layer", PARITY)
    with pytest.raises(ValueError, match="letters"):
        refute(lrnn, Automaton.from_regex("(ab)*"))
    with pytest.raises(ValueError, match="letters"):
        LRNN.from_layer(Diagonal(np.array([[1]])), [[0]], [0], "01")
