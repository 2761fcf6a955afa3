"""Horizons: exact on one letter, reproducible on random words, and the same by both engines."""

import json
import sys
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import machine

from constructions import compile_dfa
from lrnn_theory import Automaton, Horizon, Proved, check, horizon, languages, scan
from lrnn_theory.plots import plot_horizons
from lrnn_theory.strategies import automata

COARSE = ["bfloat16:once", "float8_e4m3", "float8_e5m2:each+fma", "fixed8.4", "fixed6.3:each"]


def residues(m, steps=(1,)):
    """Which residue modulo m: a Moore machine, so that every slip shows."""
    delta = [[(i + s) % m for i in range(m)] for s in steps]
    names = [str(i) for i in range(m)]
    letters = "abc"[: len(steps)]
    outputs = list(range(m))
    return Automaton.from_table(delta, outputs=outputs, output_symbols=names, letters=letters)


def first_error(lrnn, automaton, arithmetic, word):
    """By the plain scan."""
    tokens = torch.from_numpy(automaton.encode(word)[None])
    said = [lrnn.output_symbols[i] for i in scan(lrnn, tokens, arithmetic)[0].tolist()]
    wanted = [automaton.output_symbols[i] for i in automaton.transduce(tokens.numpy())[0]]
    return next((t for t, (x, y) in enumerate(zip(said, wanted, strict=True), 1) if x != y), None)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(COARSE), st.integers(3, 9), st.lists(st.text("ab", max_size=60), min_size=1))
def test_given_words_err_where_the_plain_scan_errs(arithmetic, m, words):
    automaton = residues(m, (1, m - 1))
    lrnn = compile_dfa(automaton, "rotation")
    found = horizon(lrnn, automaton, arithmetic, words)
    assert list(found.first) == [first_error(lrnn, automaton, arithmetic, w) for w in words]
    for first, covered, word in zip(found.first, found.covered, words, strict=True):
        assert covered == (len(word) if first is None else first - 1)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(COARSE), st.integers(3, 9))
def test_unary_horizons_err_where_the_plain_scan_errs(arithmetic, m):
    automaton = residues(m)
    lrnn = compile_dfa(automaton, "rotation")
    found = horizon(lrnn, automaton, arithmetic)
    length = 300
    slow = first_error(lrnn, automaton, arithmetic, "a" * length)
    if found.never:
        assert slow is None
    elif slow is not None:
        assert found.first == (slow,)
    else:
        assert found.first[0] > length


@settings(max_examples=15, deadline=None)
@given(automata(max_states=4), st.integers(0, 9))
def test_what_is_proved_right_has_no_horizon(automaton, seed):
    lrnn = compile_dfa(automaton)
    found = horizon(lrnn, automaton, "bfloat16", "random", length=30, count=3, seed=seed)
    assert found.first == (None,) * 3
    assert found.covered == (30,) * 3
    letter = automaton.letters[seed % automaton.n_letters]
    assert horizon(lrnn, automaton, "bfloat16", letter=letter).never


@pytest.mark.parametrize(
    ("arithmetic", "m", "first"),
    [("bfloat16:once", 7, 283), ("bfloat16:once", 60, 222), ("bfloat16:each", 100, 54),
     ("bfloat16:each+factored", 100, 240), ("float8_e4m3", 100, 4), ("float16:each", 100, None),
     ("float32", 7, None), ("bfloat16:each", 60, None)],
)  # fmt: skip
def test_known_horizons(arithmetic, m, first):
    """Nearest stored codeword, one letter repeated."""
    automaton = residues(m)
    found = horizon(compile_dfa(automaton, "rotation"), automaton, arithmetic)
    assert found.first == (first,)
    assert found.never is (first is None)


def test_random_words_are_reproducible_and_differ_by_seed():
    automaton = residues(60, (1, 59))
    lrnn = compile_dfa(automaton, "rotation")
    runs = [
        horizon(lrnn, automaton, "bfloat16:each", "random", count=5, length=100_000, seed=s)
        for s in (0, 0, 1)
    ]
    assert runs[0] == runs[1] != runs[2]
    assert len(set(runs[0].first)) > 1
    assert runs[0].minimum == min(runs[0].first)
    assert runs[0].median == sorted(runs[0].first)[2]
    assert json.loads(json.dumps(runs[0].to_dict()))["median"] == runs[0].median


def test_random_words_are_read_block_after_block(monkeypatch):
    """The same letters, given as whole words, err at the same lengths."""
    module = sys.modules[horizon.__module__]
    monkeypatch.setattr(module, "BLOCK", 16)
    automaton = residues(60, (1, 59))
    lrnn = compile_dfa(automaton, "rotation")
    found = horizon(lrnn, automaton, "bfloat16:each", "random", count=6, length=1001, seed=3)
    words = [
        "".join("ab"[x] for block in module._random_letters(2, 1001, (3, i)) for x in block)
        for i in range(6)
    ]
    assert {*map(len, words)} == {1001}
    given = horizon(lrnn, automaton, "bfloat16:each", words)
    assert (found.first, found.covered) == (given.first, given.covered)
    assert found.minimum > 16


@pytest.mark.parametrize(
    ("first", "least", "middle", "text"),
    [
        ((9, 1, 5), 1, 5, "3 of 3 words wrong, first at length 1 (least) and 5 (median)"),
        ((9, 1, None, 5), 1, 7, "3 of 4 words wrong, first at length 1 (least) and 7 (median)"),
        ((9, None), 9, None, "1 of 2 words wrong, first at length 9 (least) and none (median)"),
        ((None, 4, None), 4, None, "1 of 3 words wrong, first at length 4 (least) and none"),
        ((1234,), 1234, 1234, "first wrong at length 1,234"),
        ((None, None), None, None, "right up to length 2,000"),
    ],
)
def test_minimum_and_median_of_first_lengths(first, least, middle, text):
    covered = tuple(2000 + i if x is None else x - 1 for i, x in enumerate(first))
    found = Horizon("float32:each", "random", first, covered)
    assert (found.minimum, found.median) == (least, middle)
    assert str(found).startswith(f"float32:each, random words: {text}")
    assert json.loads(json.dumps(found.to_dict()))["first"] == list(first)


def test_networks_of_several_layers_are_followed_too():
    automaton = languages.BESTIARY["iso_date"]()
    lrnn = compile_dfa(automaton)
    assert len(lrnn.levels) > 1
    words = ["2024-02-29", "", "x" if "x" in automaton.letters else "9999"]
    assert horizon(lrnn, automaton, "float16", words).first == (None,) * 3
    other = compile_dfa(Automaton.from_regex("0*", automaton.letters))
    found = horizon(other, automaton, "float16", words)
    assert found.first == (len("2024-02-29"), None, None) or found.first[0] is not None


def test_a_unary_horizon_covers_what_was_proved():
    right = horizon(compile_dfa("(aa)*"), "(aa)*", "bfloat16", length=77)
    assert (right.first, right.covered, right.never) == ((None,), (77,), True)
    sixty = residues(60)
    wrong = horizon(compile_dfa(sixty, "rotation"), sixty, "bfloat16:once")
    assert (wrong.first, wrong.covered) == ((222,), (221,))
    stopped = horizon(compile_dfa(sixty, "rotation"), sixty, "float32", length=1000)
    assert (stopped.first, stopped.covered, stopped.never) == ((None,), (1000,), False)
    nothing = horizon(replace(compile_dfa("(aa)*"), empty_output=0), "(aa)*")
    assert (nothing.first, nothing.covered) == ((0,), (0,))
    open_end = horizon(compile_dfa(sixty, "rotation"), sixty, "float32@tree", length=50)
    assert (open_end.first, open_end.covered, open_end.never) == ((None,), (49,), False)


def test_the_letter_repeated_is_the_one_asked_for():
    """Also by a Mealy machine, and by a network with a tail, which is followed and not proved."""
    mealy = Automaton.from_table([[1, 0], [0, 1]], outputs=[[0, 1], [1, 2]], output_symbols="xyz")
    assert all(horizon(compile_dfa(mealy), mealy, letter=letter).never for letter in "ab")
    tail, other = machine("Tomita 7, tail").lrnn, Automaton.from_regex("a*b?b?", "ab")
    found = [horizon(tail, other, "bfloat16", letter=letter, length=30) for letter in "ab"]
    assert [(x.first, x.covered) for x in found] == [((None,), (30,)), ((3,), (2,))]


def test_letters_may_be_numbered_otherwise_than_their_classes():
    automaton = Automaton.from_regex("a(a|b)*")
    lrnn = compile_dfa(automaton)
    level = lrnn.levels[0]
    swapped = replace(level, action=level.action[::-1], next=level.next[::-1])
    other = replace(lrnn, letter_class=np.array([1, 0]), heads=((swapped, *lrnn.heads[0][1:]),))
    assert horizon(other, automaton, words=["abb", "baa"]).first == (None, None)


def test_a_mealy_machine_of_several_layers_is_followed():
    mealy = machine("T3, Mealy")
    assert len(mealy.lrnn.levels) > 1
    words = ["abccbacab", "cab", ""]
    assert horizon(mealy.lrnn, mealy.automaton, "float16", words).covered == (9, 3, 0)


@settings(max_examples=10)
@given(st.sampled_from(COARSE), st.lists(st.text("ab", max_size=200), min_size=1, max_size=4))
def test_heads_err_where_the_plain_scan_errs(arithmetic, words):
    automaton = languages.mod(35, "ab")
    x, y = (compile_dfa(languages.mod(p, "ab"), "rotation") for p in (5, 7))
    both = x.output[:, None] * y.output
    lrnn = replace(x, heads=x.heads + y.heads, combine=(both,), output=np.arange(2))
    with patch("lrnn_theory.verification.horizon._SHORTEST", 8):
        found = horizon(lrnn, automaton, arithmetic, words)
    assert list(found.first) == [first_error(lrnn, automaton, arithmetic, w) for w in words]
    for first, covered, word in zip(found.first, found.covered, words, strict=True):
        assert covered == (len(word) if first is None else first - 1)


def test_random_words_are_followed_as_far_by_heads_as_by_one():
    found = horizon(compile_dfa(languages.mod(6)), languages.mod(6), words="random", count=2)
    assert (found.first, found.covered) == ((None, None), (1_000_000, 1_000_000))


def test_misuse():
    automaton = residues(3)
    lrnn = compile_dfa(automaton)
    for options, message in [
        ({"words": "all"}, "words"), ({"letter": "z"}, "letter"), ({"length": 0}, "length"),
        ({"words": "random", "count": 0}, "count"), ({"words": ["az"]}, "letter"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            horizon(lrnn, automaton, **options)


def test_plots(tmp_path):
    automaton = residues(7, (1, 6))
    lrnn = compile_dfa(automaton, "rotation")
    found = [
        horizon(lrnn, automaton, a, "random", count=4, length=2000)
        for a in ("bfloat16:each", "float16", "float8_e4m3")
    ]
    for suffix in ("svg", "pdf", "png"):
        plot_horizons(found).save(tmp_path / f"a.{suffix}")
        plot_horizons(found).save(tmp_path / f"b.{suffix}")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(ValueError, match="svg"):
        plot_horizons(found).save(tmp_path / "a.gif")
    with pytest.raises(ValueError, match="empty"):
        plot_horizons([])
    assert len(list(tmp_path.iterdir())) == 6  # nothing half-written


def test_survival_is_monotone_in_the_data():
    """A sanity check of the reference itself: a longer prefix never errs earlier."""
    automaton = residues(9, (1, 8))
    lrnn = compile_dfa(automaton, "rotation")
    rng = np.random.default_rng(0)
    word = "".join("ab"[i] for i in rng.integers(2, size=400))
    full = horizon(lrnn, automaton, "float8_e4m3", [word]).first[0]
    assert full is not None
    assert horizon(lrnn, automaton, "float8_e4m3", [word[: full - 1]]).first == (None,)
    assert horizon(lrnn, automaton, "float8_e4m3", [word[:full]]).first == (full,)


def test_what_a_horizon_proves_has_a_certificate():
    """One letter repeated, for ever or up to the first wrong answer; random words have none."""
    seven = languages.mod(7)
    lrnn = compile_dfa(seven, construction="rotation")
    never, wrong = (horizon(lrnn, seven, a) for a in ("bfloat16:each", "bfloat16:once"))
    assert (never.never, wrong.minimum) == (True, 287)
    assert isinstance(check(never.certificate), Proved)
    assert len(check(wrong.certificate).word) == 287
    assert "certificate" not in wrong.to_dict()
    assert horizon(lrnn, seven, "bfloat16:once", "random", count=2).certificate is None
    assert horizon(lrnn, seven, "bfloat16:once", length=100).certificate is None
