"""Every single change of a weight or a wiring entry gets the verdict that the truth demands.

The truth is `fraction_reference`: fractions and automata-lib, no code of the engine's.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from fraction_reference import Differs, Reference, RunsAway, Same, compare
from mutants import MACHINES, Machine, machine, mutants

from constructions import compile_dfa
from lrnn_theory import (
    LRNN,
    Automaton,
    Budget,
    Certificate,
    Level,
    Proved,
    Refuted,
    Undecided,
    check,
    scan,
    verify,
)
from lrnn_theory.cascade import decompose
from lrnn_theory.onehot import plain_layer
from lrnn_theory.verification import checker, compositional
from lrnn_theory.verification.certificate import digest

LIMIT = 200
"""Configurations that the reference closes before it says that a mutant's states run away."""

FORMATS = ("float32", "bfloat16", "float16")


@cache
def mutants_and_truth(name: str, count: int) -> list[tuple[str, LRNN, Same | Differs | RunsAway]]:
    truth = machine(name).truth
    return [(label, m, compare(m, truth, LIMIT)) for label, m in mutants(name, count)]


# -------------------------------------------------------------------- verdicts


@pytest.fixture(autouse=True)
def _give_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact states that run away grow ever longer: 100,000 of them take minutes."""
    monkeypatch.setattr(compositional, "MAX_LAYER_STATES", LIMIT)
    monkeypatch.setattr(checker, "MAX_STATES", 10 * LIMIT)


def examine(
    label: str, mutant: LRNN, m: Machine, outcome: Same | Differs | RunsAway, arithmetic: str
) -> None:
    """Assert that `verify`, `check` and `scan` agree with the reference on a mutant."""
    where = f"{label} in {arithmetic}"
    verdict = verify(mutant, m.automaton, arithmetic, budget=Budget(configurations=2 * LIMIT))
    if isinstance(verdict, Undecided):
        assert isinstance(outcome, RunsAway), (where, verdict, outcome)
        further = compare(mutant, m.truth, 4 * LIMIT)  # everything up to a longer length is right
        assert isinstance(further, RunsAway), (where, verdict, further)
        assert outcome.covered <= verdict.covered <= further.covered, (where, verdict, further)
        return
    if isinstance(outcome, RunsAway):  # `verify` went further than the reference
        outcome = compare(mutant, m.truth, 50 * LIMIT)
    if isinstance(verdict, Proved):
        assert isinstance(outcome, Same), (where, verdict, outcome)
        check_proof(verdict, mutant)
    else:
        assert isinstance(outcome, Differs), (where, verdict, outcome)
        assert len(verdict.word) == len(outcome.word), (where, verdict, outcome)
        check_refutation(verdict, mutant, m)


def check_proof(verdict: Proved, mutant: LRNN) -> None:
    assert isinstance(check(verdict.certificate, mutant), Proved)
    word = [mutant.letters[0]]
    for lie in (
        forged(verdict.certificate, claim="refuted", word=[]),
        forged(verdict.certificate, claim="refuted", word=word),
    ):
        with pytest.raises(ValueError, match="answer"):
            check(lie)


def check_refutation(verdict: Refuted, mutant: LRNN, m: Machine) -> None:
    word = verdict.word
    assert Reference(mutant).answer(word) == verdict.answered != verdict.expected
    assert m.truth.answer(word) == verdict.expected
    if word:
        tokens = [[mutant.letters.index(a) for a in word]]
        answered = scan(mutant, tokens, verdict.arithmetic, outputs="last")
        assert mutant.output_symbols[answered[0]] == verdict.answered
    checked = check(verdict.certificate, mutant)
    assert isinstance(checked, Refuted)
    assert (checked.word, checked.answered) == (word, verdict.answered)
    lies = [
        forged(verdict.certificate, claim="proved", method=f) for f in ("compositional", "closure")
    ]
    if word:  # no shorter word is a counterexample
        lies.append(forged(verdict.certificate, word=list(word[:-1])))
    with patch.object(checker, "MAX_STATES", LIMIT):  # of a lie, exact states may run away
        for lie in lies:
            with pytest.raises(ValueError, match=r"answer|coordinate|map|label|more than"):
                check(lie)


def forged(certificate: Certificate, **changes: Any) -> Certificate:
    """Another claim, with a digest that matches it."""
    data = {**certificate.data, **changes}
    return Certificate({**data, "digest": digest(data)})


def campaign(name: str, count: int, formats: int) -> None:
    m = machine(name)
    for i, (label, mutant, outcome) in enumerate(mutants_and_truth(name, count)):
        examine(f"{name}: {label}", mutant, m, outcome, "exact")
        if not isinstance(outcome, RunsAway) and outcome.small:
            for j in range(formats):
                form = FORMATS[(i + j) % len(FORMATS)]
                examine(f"{name}: {label}", mutant, m, outcome, form)


# -------------------------------------------------------------------- tests


@pytest.mark.parametrize("name", MACHINES)
def test_the_machine_itself_is_proved(name: str) -> None:
    m = machine(name)
    outcome = compare(m.lrnn, m.truth, LIMIT)
    assert isinstance(outcome, Same)
    examine(name, m.lrnn, m, outcome, "exact")


@pytest.mark.parametrize("name", MACHINES)
def test_every_mutant_gets_the_true_verdict(name: str) -> None:
    campaign(name, 50, formats=1)


def test_the_campaign_is_large_and_varied() -> None:
    outcomes = Counter()
    for name in MACHINES:
        for label, _, outcome in mutants_and_truth(name, 50):
            outcomes[type(outcome)] += 1
            outcomes[label.partition("[")[0], type(outcome)] += 1
    assert len(MACHINES) >= 20
    assert outcomes[Differs] + outcomes[Same] + outcomes[RunsAway] >= 1_000
    assert outcomes[Differs] >= 700
    assert outcomes[Same] >= 400
    assert outcomes[RunsAway] >= 50
    weights = ("keys", "betas", "diagonal", "matrices", "b", "h0", "codeword")
    wiring = ("readout", "action", "next", "combine", "output", "empty_output", "letter_class")
    tail = ("tail.response", "tail.delta", "tail.contexts", "tail.initial")
    for kind in (*weights, *wiring, *tail):
        assert outcomes[kind, Differs], kind


@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINES)
def test_every_one_of_many_mutants_gets_the_true_verdict(name: str) -> None:
    campaign(name, 500, formats=3)


# -------------------------------------------------------------------- the published construction


def published(automaton: Automaton) -> LRNN:
    """G-T4 as published: no register, so a level sees the coordinates above after the letter.

    The cascade wants them before it.  A context is (context of the cascade, coordinates so far).
    """
    cascade = decompose(automaton)
    contexts: list[tuple[int, tuple[int, ...]]] = [(a, ()) for a in range(automaton.n_letters)]
    levels = []
    for level, initial in zip(cascade.levels, cascade.initial, strict=True):
        below: dict[tuple[int, tuple[int, ...]], int] = {}
        rows = [
            [
                below.setdefault((int(level.next[c, p]), (*above, p)), len(below))
                for p in range(level.size)
            ]
            for c, above in contexts
        ]
        action = level.action[[c for c, _ in contexts]]
        levels.append(
            Level(plain_layer(level.maps, initial), action, np.array(rows, np.int32), "current")
        )
        contexts = list(below)
    states = [cascade.decode(coordinates) for _, coordinates in contexts]
    return LRNN(
        letters=automaton.letters,
        letter_class=np.arange(automaton.n_letters, dtype=np.int32),
        heads=(tuple(levels),),
        output=automaton.response[states],
        empty_output=int(automaton.response[automaton.initial]),
    )


def test_the_published_construction_is_refuted_on_ab_and_the_repaired_one_proved() -> None:
    m = machine("last letter and parity of ab")
    mutant = published(m.automaton)
    assert [level.layer.n for level in mutant.levels] == [2, 2]  # the published width, no register
    assert compare(mutant, m.truth, LIMIT) == Differs(("a", "b"), small=True)
    for arithmetic in ("exact", *FORMATS):
        verdict = verify(mutant, m.automaton, arithmetic)
        assert isinstance(verdict, Refuted)
        assert verdict.word == ("a", "b")
        check_refutation(verdict, mutant, m)
        for construction in ("regular_language", "input_shift"):
            repaired = compile_dfa(m.automaton, construction)
            assert isinstance(verify(repaired, m.automaton, arithmetic), Proved)
