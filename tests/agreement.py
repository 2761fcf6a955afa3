"""Whether `verify`, `check` and `scan` agree with the reference, on one network and automaton."""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from fraction_reference import Differs, Reference, RunsAway, Same, Truth, compare

from lrnn_theory import (
    LRNN,
    Automaton,
    Budget,
    Certificate,
    Proved,
    Refuted,
    Undecided,
    check,
    scan,
    verify,
)
from lrnn_theory.verification import Verdict, checker, compositional
from lrnn_theory.verification.certificate import digest

LIMIT = 200
"""Configurations that the reference closes before it says that states run away."""

FORMATS = ("float32", "bfloat16", "float16")
ARITHMETICS = ("exact", *FORMATS)


def truth_of(automaton: Automaton) -> Truth:
    """An automaton as automata-lib and plain lists have it."""
    answers = np.array(automaton.output_symbols, object)[automaton.response].tolist()
    delta, letters = automaton.delta.tolist(), automaton.letters
    return Truth.of_table(automaton.kind, delta, letters, answers, automaton.initial)


@patch.object(compositional, "MAX_LAYER_STATES", LIMIT)  # exact states that run away grow ever
@patch.object(checker, "MAX_STATES", 10 * LIMIT)  # longer: the default limits take minutes
def examine(
    label: str,
    lrnn: LRNN,
    automaton: Automaton,
    truth: Truth,
    outcome: Same | Differs | RunsAway,
    arithmetic: str,
) -> Verdict:
    """Assert that `verify`, `check` and `scan` agree with the reference.

    `outcome` is the reference's, up to `LIMIT`; in a float arithmetic it must hold there too.
    """
    where = f"{label} in {arithmetic}"
    verdict = verify(lrnn, automaton, arithmetic, budget=Budget(configurations=2 * LIMIT))
    if isinstance(verdict, Undecided):
        assert isinstance(outcome, RunsAway), (where, verdict, outcome)
        assert outcome.covered <= verdict.covered, (where, verdict, outcome)
        # The reference's pairs are more: it neither minimises the automaton nor merges letters.
        further = (compare(lrnn, truth, factor * LIMIT) for factor in (4, 40))
        assert any(verdict.covered <= right_up_to(o) for o in further), (where, verdict)
        return verdict
    if isinstance(outcome, RunsAway):  # `verify` went further than the reference
        outcome = compare(lrnn, truth, 50 * LIMIT)
    if isinstance(verdict, Proved):
        assert isinstance(outcome, Same), (where, verdict, outcome)
        check_proof(verdict, lrnn)
    else:
        assert isinstance(verdict, Refuted)
        assert isinstance(outcome, Differs), (where, verdict, outcome)
        assert len(verdict.word) == len(outcome.word), (where, verdict, outcome)
        check_refutation(verdict, lrnn, truth)
    return verdict


def right_up_to(outcome: Same | Differs | RunsAway) -> float:
    """A length up to which all words are answered right."""
    match outcome:
        case Same():
            return math.inf
        case Differs(word=word):
            return len(word) - 1
        case RunsAway(covered=covered):
            return covered


def check_proof(verdict: Proved, lrnn: LRNN) -> None:
    assert isinstance(check(verdict.certificate, lrnn), Proved)
    word = [lrnn.letters[0]]
    for lie in (
        forged(verdict.certificate, claim="refuted", word=[]),
        forged(verdict.certificate, claim="refuted", word=[[a, 1] for a in word]),
    ):
        with pytest.raises(ValueError, match="answer"):
            check(lie)


def check_refutation(verdict: Refuted, lrnn: LRNN, truth: Truth) -> None:
    word = verdict.word
    assert Reference(lrnn).answer(word) == verdict.answered != verdict.expected
    assert truth.answer(word) == verdict.expected
    if word:
        tokens = [[lrnn.letters.index(a) for a in word]]
        answered = scan(lrnn, tokens, verdict.arithmetic, outputs="last")
        assert lrnn.output_symbols[answered[0]] == verdict.answered
    checked = check(verdict.certificate, lrnn)
    assert isinstance(checked, Refuted)
    assert (checked.word, checked.answered) == (word, verdict.answered)
    lies = [
        forged(verdict.certificate, claim="proved", method=f) for f in ("compositional", "closure")
    ]
    if word:  # no shorter word is a counterexample
        shorter = [[a, 1] for a in word[:-1]]
        lies.append(forged(verdict.certificate, word=shorter))
    with patch.object(checker, "MAX_STATES", LIMIT):  # of a lie, exact states may run away
        for lie in lies:
            with pytest.raises(ValueError, match=r"answer|coordinate|map|label|tail|more than"):
                check(lie)


def forged(certificate: Certificate, **changes: Any) -> Certificate:
    """Another claim about the same network, with a digest that matches it."""
    about = ("schema", "version", "claim", "arithmetic", "automaton", "lrnn")
    data = {name: certificate.data[name] for name in about} | changes
    return Certificate({**data, "digest": digest(data)})
