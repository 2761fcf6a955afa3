"""Every single change of a weight or a wiring entry gets the verdict that the truth demands.

The truth is `fraction_reference`: fractions and automata-lib, no code of the engine's.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from agreement import FORMATS, LIMIT, check_refutation, examine
from fraction_reference import Differs, RunsAway, Same, compare
from mutants import MACHINES, machine, mutants

from constructions import compile_dfa
from constructions.regular_language import published
from lrnn_theory import LRNN, Proved, Refuted, verify

COUNTS = {name: 10 if "rotation" in name else 50 for name in MACHINES}
"""Mutants of every machine; irrational weights take a certificate's checker long."""


@cache
def mutants_and_truth(name: str, count: int) -> list[tuple[str, LRNN, Same | Differs | RunsAway]]:
    truth = machine(name).truth
    return [(label, m, compare(m, truth, LIMIT)) for label, m in mutants(name, count)]


def campaign(name: str, count: int, formats: int) -> None:
    m = machine(name)
    for i, (label, mutant, outcome) in enumerate(mutants_and_truth(name, count)):
        examine(f"{name}: {label}", mutant, m.automaton, m.truth, outcome, "exact")
        if not isinstance(outcome, RunsAway) and outcome.small:
            for j in range(formats):
                form = FORMATS[(i + j) % len(FORMATS)]
                examine(f"{name}: {label}", mutant, m.automaton, m.truth, outcome, form)


@pytest.mark.parametrize("name", MACHINES)
def test_the_machine_itself_is_proved(name: str) -> None:
    m = machine(name)
    outcome = compare(m.lrnn, m.truth, LIMIT)
    assert isinstance(outcome, Same)
    examine(name, m.lrnn, m.automaton, m.truth, outcome, "exact")


@pytest.mark.parametrize("name", MACHINES)
def test_every_mutant_gets_the_true_verdict(name: str) -> None:
    campaign(name, COUNTS[name], formats=1)


def test_the_campaign_is_large_and_varied() -> None:
    outcomes = Counter()
    for name in MACHINES:
        for label, _, outcome in mutants_and_truth(name, COUNTS[name]):
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
    campaign(name, 12 * COUNTS[name], formats=3)


# -------------------------------------------------------------------- the published construction


def test_the_published_construction_is_refuted_on_ab_and_the_repaired_one_proved() -> None:
    m = machine("last letter and parity of ab")
    mutant = published(m.automaton)
    assert [level.layer.n for level in mutant.levels] == [2, 2]  # the published width, no register
    assert compare(mutant, m.truth, LIMIT) == Differs(("a", "b"), small=True)
    for arithmetic in ("exact", *FORMATS):
        verdict = verify(mutant, m.automaton, arithmetic)
        assert isinstance(verdict, Refuted)
        assert verdict.word == ("a", "b")
        check_refutation(verdict, mutant, m.truth)
        for construction in ("regular_language", "input_shift"):
            repaired = compile_dfa(m.automaton, construction)
            assert isinstance(verify(repaired, m.automaton, arithmetic), Proved)
