"""Verdicts on networks that no construction makes."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from agreement import FORMATS, LIMIT, examine, truth_of
from fraction_reference import Differs, Reference, RunsAway, Same, Truth, compare
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import counter, networks, weighing

from constructions import compile_dfa
from lrnn_theory import (
    LRNN,
    Automaton,
    Dense,
    Householder,
    Proved,
    Refuted,
    Undecided,
    check,
    scan,
    verify,
)
from lrnn_theory.strategies import automata
from lrnn_theory.verification import checker, compositional


def extracted(lrnn: LRNN, limit: int = 60) -> tuple[list[list[int]], list[list[str]]] | None:
    """The Mealy machine of all reachable configurations, by the reference."""
    reference = Reference(lrnn)
    number, order = {reference.start: 0}, [reference.start]
    delta: list[list[int]] = [[] for _ in lrnn.letters]
    answers: list[list[str]] = [[] for _ in lrnn.letters]
    for configuration in order:
        for a, letter in enumerate(lrnn.letters):
            after, answer, _ = reference.step(configuration, letter)
            if number.setdefault(after, len(order)) == len(order):
                order.append(after)
            delta[a].append(number[after])
            answers[a].append(answer)
        if len(order) > limit:
            return None
    return delta, answers


@settings(max_examples=50)
@given(networks(), st.data())
def test_a_network_is_proved_to_be_what_it_is_and_nothing_else(
    lrnn: LRNN, data: st.DataObject
) -> None:
    machine = extracted(lrnn)
    assume(machine is not None)
    assert machine is not None
    delta, answers = machine
    truth, wanted = _mealy(delta, answers)
    outcome = compare(lrnn, truth, LIMIT)
    assert isinstance(outcome, Same)
    arithmetics = ["exact", data.draw(st.sampled_from(FORMATS))] if outcome.small else ["exact"]
    for arithmetic in arithmetics:
        assert isinstance(examine("itself", lrnn, wanted, truth, outcome, arithmetic), Proved)
    # One answer changed: a shortest word to that state, and its letter, refute it.
    a = data.draw(st.integers(0, 1))
    q = data.draw(st.integers(0, len(delta[0]) - 1))
    answers[a][q] = "y" if answers[a][q] == "x" else "x"
    truth, wanted = _mealy(delta, answers)
    outcome = compare(lrnn, truth, LIMIT)
    for arithmetic in arithmetics:
        verdict = examine("another", lrnn, wanted, truth, outcome, arithmetic)
        assert isinstance(verdict, Refuted)


@settings(max_examples=60)
@given(networks(), automata(max_states=2, max_letters=2, kinds=["mealy"]))
def test_a_random_network_and_a_random_automaton(lrnn: LRNN, automaton: Automaton) -> None:
    """Networks whose states run away, too."""
    if automaton.n_letters == 1:
        automaton = replace(
            automaton,
            delta=np.repeat(automaton.delta, 2, 0),
            outputs=np.repeat(automaton.response, 2, 0),
            letters=("a", "b"),
        )
    automaton = replace(automaton, outputs=automaton.response % 2, output_symbols=("x", "y"))
    truth = truth_of(automaton)
    outcome = compare(lrnn, truth, LIMIT)
    examine("random", lrnn, automaton, truth, outcome, "exact")


def _mealy(delta: list[list[int]], answers: list[list[str]]) -> tuple[Truth, Automaton]:
    outputs = np.array([["xy".index(x) for x in row] for row in answers])
    automaton = Automaton.from_table(delta, letters="ab", outputs=outputs, output_symbols="xy")
    return Truth.of_table("mealy", delta, "ab", answers), automaton


# -------------------------------------------------------------------- counters that run away


def test_the_arithmetic_decides_whether_states_run_away() -> None:
    """Adding 1 sticks at 2^8, 2^11 and 2^24 in the formats; an exact counter goes on."""
    lrnn, wanted = counter(6), "a{6}a*"
    for arithmetic, states in (("bfloat16", 257), ("float16", 2049)):
        verdict = verify(lrnn, wanted, arithmetic)
        assert isinstance(verdict, Proved)
        assert verdict.method == "orbit"
        assert verdict.statistics["configurations"] == states
        assert isinstance(check(verdict.certificate, lrnn), Proved)
    verdict = verify(lrnn, wanted, "float32")
    assert isinstance(verdict, Proved)
    assert verdict.statistics["configurations"] == 2**24 + 1
    verdict = verify(lrnn, wanted, "exact", budget=1_000)
    assert isinstance(verdict, Undecided)
    assert verdict.covered == 999


def test_the_arithmetic_decides_the_language() -> None:
    """300 is out of bfloat16's reach, so there the counter rejects everything."""
    lrnn, nothing = counter(300), Automaton.from_table([[0]])
    for arithmetic in ("exact", "float32", "float16"):
        verdict = verify(lrnn, nothing, arithmetic)
        assert isinstance(verdict, Refuted)
        assert verdict.word == ("a",) * 300
        assert (verdict.answered, verdict.expected) == ("1", "0")
        assert isinstance(check(verdict.certificate, lrnn), Refuted)
    assert isinstance(verify(lrnn, nothing, "bfloat16"), Proved)


@pytest.mark.parametrize("budget", [1, 2, 10, 30, 100])
def test_all_words_that_an_undecided_verdict_covers_are_right(budget: int) -> None:
    """Up and down counts: a word is wrong only where it is 8 ahead."""
    lrnn, nothing = counter(8, "ab", (1, -1)), Automaton.from_table([[0], [0]])
    verdict = verify(lrnn, nothing, "exact", budget=budget)
    if budget >= 30:
        assert isinstance(verdict, Refuted)
        assert verdict.word == ("a",) * 8
        return
    assert isinstance(verdict, Undecided)
    assert str(budget) in verdict.reason
    assert verdict.covered == (budget - 1) // 2  # from -n to n in n letters
    for length in range(1, verdict.covered + 1):
        words = list(product(range(2), repeat=length))
        assert not scan(lrnn, words, "exact", outputs="last").any()
    truth = Truth.of_table("dfa", [[0], [0]], "ab", ["0"])
    assert compare(lrnn, truth, budget) == RunsAway(verdict.covered)


# -------------------------------------------------------------------- exactness


BIG = 2**63
FACTOR = Householder(np.array([[2**32]]), np.array([1]), np.array([0, 1]))
PRODUCT = Householder(np.array([[2**20, 2**20], [2**20, 1]]), np.array([1, 1]), np.array([0, 2]))


@pytest.mark.parametrize(
    ("h0", "codewords", "transition"),
    [
        ([2**61, 0, 0, 0], [[0, 0, 0, 0], [8, 0, 0, 0]], None),
        ([BIG], [[0], [BIG]], None),
        ([BIG + 1], [[BIG], [BIG + 1]], None),
        ([-BIG], [[0], [-BIG]], None),
        ([1], [[1], [-1]], FACTOR),
        ([1, 0], [[0, 0], [2**80, 0]], PRODUCT),
    ],
    ids=["decode", "h0", "codeword", "negative", "factor", "product"],
)
def test_exact_means_exact_past_64_bits(h0: Any, codewords: Any, transition: Any) -> None:
    """After one letter the last codeword is the nearest."""
    lrnn = weighing(h0, codewords, transition)
    assert lrnn.levels[0].layer.h0.ravel().tolist() == h0
    assert lrnn.levels[0].layer.codewords[0][:, :, 0].tolist() == codewords
    assert Reference(lrnn).answer(("a",)) == "1"
    assert scan(lrnn, [[0]], "exact").item() == 1
    with patch.object(compositional, "MAX_LAYER_STATES", LIMIT):
        assert not isinstance(verify(lrnn, "a*", "exact", budget=1), Refuted)


@patch.object(checker, "MAX_STATES", 1_000)
def test_a_state_that_is_not_a_number_is_proved_and_checked() -> None:
    """inf - inf: the checker, too, must see that the state comes back."""
    doubling = Dense(np.array([[[2, 0], [2, -2]]]))
    lrnn = weighing([1, 1], [[0, 0]], doubling)
    for arithmetic in ("float16", "float8_e4m3", "bfloat16!nan"):
        verdict = verify(lrnn, "a*", arithmetic)
        assert isinstance(verdict, Proved)
        assert isinstance(check(verdict.certificate, lrnn), Proved)


def test_exact_irrational_scores_are_compared() -> None:
    """A rotation started off the codewords: some of the scores are rational, some are not."""
    six = Automaton.from_table([[1, 2, 3, 4, 5, 0], [0, 1, 2, 3, 4, 5]], accepting=[0])
    lrnn = compile_dfa(six, "rotation")
    level = lrnn.levels[0]
    for start in ([[1], [1]], [[-2], [-2]], [[2], [0]]):
        layer = replace(level.layer, h0=np.array(start))
        moved = replace(lrnn, heads=((replace(level, layer=layer),),))
        truth = truth_of(six)
        outcome = compare(moved, truth, LIMIT)
        assert isinstance(outcome, Same if start == [[2], [0]] else Differs)
        examine(f"start {start}", moved, six, truth, outcome, "exact")
