"""The evaluation that confirms refutations, against the formula letter by letter."""

from fractions import Fraction as Q
from itertools import chain

import cast_networks
import numpy as np
import pytest
from cast_evaluation import cast, same_state
from cast_networks import UnclearError, stretches, views
from cast_walk import walk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lrnn_theory import LRNN, Dense, Layer, Level
from lrnn_theory.strategies import SPECTRAL_CLASSES, spectral_networks

FORMATS = (
    "{0,1}", "{-1,0,1}", "{0,1,2,3,4,5,6,7}", "{-5,-1,1,5}", "fixed4.1", "fixed8.4",
    "float8_e4m3", "float8_e5m2",
)  # fmt: skip


@st.composite
def words(draw):
    """An irregular beginning, and stretches of short cycles."""
    head = draw(st.text("01", max_size=60))
    cycles = draw(st.lists(st.tuples(st.text("01", min_size=1, max_size=3), st.integers(1, 25))))
    return head + "".join(cycle * count for cycle, count in cycles[:3]) + "1"


def by_definition(lrnn, word, name, at):
    """What `views` returns."""
    found = {}
    for t, ((letter, seen, kept), _) in enumerate(walk(lrnn, [(a, 1) for a in word], name), 1):
        if t in at:
            found[t] = letter, [tuple(chain.from_iterable(state)) for state in seen], kept
    return found


@pytest.mark.parametrize("way", ["fractions", "balls", "balls, all unclear"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lrnn=spectral_networks(SPECTRAL_CLASSES, "01", 2, 3, 2),
    word=words(),
    name=st.sampled_from(FORMATS),
    reads=st.sampled_from(["current", "previous", "shifted"]),
)
def test_the_same_as_letter_by_letter(monkeypatch, lrnn, word, name, reads, way):
    lrnn = LRNN(
        lrnn.letters, lrnn.letter_class,
        (tuple(Level(x.layer, x.action, x.next, reads) for x in lrnn.heads[0]),),
        lrnn.output, lrnn.empty_output,
    )  # fmt: skip
    monkeypatch.setattr(cast_networks, "CYCLES", 3)  # or a short word is one cycle
    if way != "fractions":
        monkeypatch.setattr(cast_networks, "EXACT", 0)
        monkeypatch.setattr(cast_networks, "BLOCK", 7)
    if way == "balls, all unclear":  # no float tells a cast
        monkeypatch.setattr(cast_networks, "FLOAT", 1e9)
    at = {1, len(word) // 2 or 1, *range(max(1, len(word) - 3), len(word) + 1)}
    assert views(lrnn, [(a, 1) for a in word], name, at) == by_definition(lrnn, word, name, at)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actions=arrays(np.int64, st.integers(1, 300), elements=st.integers(0, 1)),
    rounds=st.integers(0, 40),
    most=st.sampled_from([2, 7, 64]),
)
def test_stretches_are_cycles_without_a_gap(monkeypatch, actions, rounds, most):
    monkeypatch.setattr(cast_networks, "CYCLES", most)
    actions = np.concatenate([actions, np.tile(actions[:5], rounds)])
    found = list(stretches(actions))
    assert [first for first, _, _ in found] == [0, *(last for _, last, _ in found[:-1])]
    assert found[-1][1] == len(actions)
    for first, last, q in found:
        part = actions[first:last]
        assert 1 <= q <= len(part)
        assert (part[q:] == part[: len(part) - q]).all()
        longer = actions[first : last + 1]
        assert last == len(actions) or (longer[q:] != longer[:-q]).any()


def layer(a, b, h0):
    """A layer of one letter for each of the steps (A, B)."""
    n, zero = len(h0), np.zeros((1, len(h0), 1), int)
    inputs = np.array(b, object).reshape(-1, n, 1)
    readout = np.zeros((len(a), 1, 2), int)
    made = Layer(Dense(np.array(a, object)), inputs, np.array(h0)[:, None], (zero,), readout, 1, 0)
    every = np.arange(len(a))
    one = (Level(made, every, np.zeros((len(a), 1), int), "current"),)
    return LRNN(tuple("10"[: len(a)]), every, (one,), np.zeros(1, int), 0)


FAR = 10_101
"""So many letters are read in balls, no power is so large in fractions, and 2^-FAR is tiny."""
HALVING = [[[Q(3, 4), Q(1, 4)], [Q(1, 4), Q(3, 4)]]]  # 1 on (1, 1), 1/2 on (1, -1)


@pytest.mark.parametrize("rest", [Q(1, 3), Q(1, 2**FAR), Q(0)])
def test_the_side_of_a_midpoint_is_told_for_ever(rest):
    """5/2 + rest / 2^k is cast to 3, 5/2 and 5/2 - rest / 2^k to 2."""
    lrnn = layer(HALVING, [0, 0], [Q(5, 2) + rest, Q(5, 2) - rest])
    found = views(lrnn, [("1", FAR)], "{0,1,2,3,4,5,6,7}", {3, FAR})
    for length in (3, FAR):
        assert found[length][1] == [(3 if rest else 2, 2)]


def test_a_sum_of_terms_that_come_near_a_midpoint():
    """9/8 + 2^-k is cast to 5/4 and 9/8 - 2^-k to 1, for k > 4."""
    lrnn = layer(HALVING, [Q(9, 8) + Q(1, 32), Q(9, 8) - Q(1, 32)], [0, 0])
    (seen,) = views(lrnn, [("1", FAR)], "float8_e5m2", {FAR})[FAR][1]
    assert seen == tuple(cast(FAR * x, "float8_e5m2") for x in (Q(5, 4), Q(1)))


@pytest.mark.parametrize("ones", [2_000, 11_000])  # in fractions and in balls
def test_a_long_beginning(ones):
    """So many terms are halved by each of the next letters, until their casts are 0."""
    lrnn = layer([[[1]], [[Q(1, 2)]]], [1, 0], [0])
    sums = {k: Q(ones, 2**k) for k in (1, 9, 16)} | {17: Q(0), 99: Q(0)}
    at = {ones + k: cast(x, "float8_e5m2") for k, x in sums.items()}
    with pytest.raises(UnclearError):
        views(lrnn, [("1", ones), ("0", 99)], "float8_e5m2", at, most=ones - 1)
    found = views(lrnn, [("1", ones), ("0", 99)], "float8_e5m2", at, most=ones)
    assert {t: seen for t, (_, ((seen,),), _) in found.items()} == at


def test_single_lengths_are_told_apart():
    """One letter before the first confused pair, and before a sum is at the end."""
    slow = [[[1 - Q(1, 10**6)]], [[Q(0)]], [[Q(1)]]]
    assert same_state(*slow, "float32", 103_972_026, 103_972_027)
    assert not same_state(*slow, "float32", 103_972_025, 103_972_026)
    jordan = [[[Q(1), Q(1)], [Q(0), Q(1)]], [[Q(0)], [Q(1)]], [[Q(0)], [Q(0)]]]
    assert same_state(*jordan, "float8_e5m2", 10**6, 10**6 + 1)
    assert not same_state(*jordan, "float32", 20_000, 20_001)
