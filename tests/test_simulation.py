"""The local certificate refuses every wrong cascade, and says what is wrong."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from cascade_reference import reduced, simulates
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import languages
from lrnn_theory.cascade import Budget, Cascade, decompose
from lrnn_theory.components import POLICIES
from lrnn_theory.languages import BESTIARY
from lrnn_theory.strategies import automata

SEEDS = st.integers(0, 2**32 - 1)
BUDGETS = st.sampled_from([Budget(), Budget(0), Budget(5), Budget(20), Budget(60), Budget(work=80)])

# ---------------------------------------------------------------- laws


@given(automata(), st.sampled_from(sorted(POLICIES)), SEEDS)
def test_any_action_does_where_a_coordinate_means_nothing(automaton, policy, seed):
    cascade = decompose(automaton, policy)
    draw = np.random.default_rng(seed)
    levels = [
        replace(
            level,
            action=np.where(
                level.free, draw.integers(len(level.maps), size=len(level.free)), level.action
            ),
        )
        for level in cascade.levels
    ]
    changed = replace(cascade, levels=tuple(levels))
    changed.check()
    assert simulates(changed)


def mutants(cascade: Cascade, draw: np.random.Generator) -> Iterator[Cascade]:
    """One change each, of every kind, at every level."""
    contexts = [*(len(level.action) for level in cascade.levels[1:])]
    contexts.append(len(cascade.tail_contexts) or len(cascade.final))
    for depth, level in enumerate(cascade.levels):
        maps, following, initial = level.maps.copy(), level.next.copy(), [*cascade.initial]
        row = draw.integers(len(maps))
        maps[row] = draw.permutation(level.size) if draw.random() < 0.5 else maps[row, ::-1]
        entry = tuple(draw.integers(following.shape))
        following[entry] = draw.integers(-1, contexts[depth])
        initial[depth] = int(draw.integers(level.size))
        for changed in (replace(level, maps=maps), replace(level, next=following)):
            levels = (*cascade.levels[:depth], changed, *cascade.levels[depth + 1 :])
            yield replace(cascade, levels=levels)
        yield replace(cascade, initial=tuple(initial))


@given(automata(), st.sampled_from(sorted(POLICIES)), BUDGETS, SEEDS)
def test_certificate_refuses_every_wrong_mutant(automaton, policy, budget, seed):
    cascade = decompose(automaton, policy, budget)
    for mutant in mutants(cascade, np.random.default_rng(seed)):
        if not simulates(mutant):
            with pytest.raises(ValueError, match=r"\.$"):
                mutant.check()


@pytest.mark.parametrize("name", ["tomita_3", "tomita_7", "t4", "contains_aabaa", "modular"])
def test_wrong_mutants_are_many(name):
    automaton = languages.modular_arithmetic(2) if name == "modular" else BESTIARY[name]()
    cascade = decompose(reduced(automaton))
    draw = np.random.default_rng(0)
    wrong = [m for _ in range(10) for m in mutants(cascade, draw) if not simulates(m)]
    assert len(wrong) >= 20
    for mutant in wrong:
        with pytest.raises(ValueError, match=r"\.$"):
            mutant.check()


# ---------------------------------------------------------------- faults


def spoilt(**changes: object) -> Cascade:
    cascade = decompose(languages.tomita(2))
    level = replace(cascade.levels[0], **changes)
    return replace(cascade, levels=(level, *cascade.levels[1:]))


@pytest.mark.parametrize(
    ("cascade", "message"),
    [
        (spoilt(maps=np.array([[0, 1, 0]], np.int32)), "Level 0: maps must hold"),
        (spoilt(maps=np.array([[0, 2]] * 3, np.int32)), "Level 0: maps must hold"),
        (spoilt(action=np.array([0, 9], np.int32)), "Level 0: actions must be below"),
        (spoilt(action=np.array([0], np.int32)), "There must be a context a letter"),
        (spoilt(next=np.full((2, 2), 99, np.int32)), "Level 0: next contexts must be below"),
        (spoilt(next=np.full((2, 2), -1, np.int32)), "Level 0: coordinates that can occur"),
        (spoilt(next=np.zeros((2, 2), np.int32)), "Level 0: a next context serves two letters"),
        (spoilt(next=np.zeros((2, 1), np.int32)), "Level 0: there must be 2 contexts"),
    ],
)
def test_certificate_names_the_fault(cascade, message):
    with pytest.raises(ValueError, match=message):
        cascade.check()


@pytest.mark.parametrize("budget", [Budget(), Budget(0), Budget(8)])
def test_certificate_is_about_this_automaton(budget):
    automaton = languages.tomita(7)
    cascade = decompose(automaton, budget=budget)
    cascade = replace(cascade, automaton=automaton.with_letters("10"))
    with pytest.raises(ValueError, match=r"transitions|tail must be"):
        cascade.check()


def test_certificate_reads_the_final_contexts_and_the_tail():
    cascade = decompose(languages.tomita(2))
    for column in range(3):
        final = cascade.final.copy()
        final[0, column] += 1
        with pytest.raises(ValueError, match="Final context"):
            replace(cascade, final=final).check()
    tailed = decompose(languages.tomita(2), budget=Budget(0))
    tailed.check()
    with pytest.raises(ValueError, match="tail must be"):
        replace(tailed, tail=replace(tailed.tail, sizes=(2,))).check()
    with pytest.raises(ValueError, match="initial"):
        replace(tailed, initial=(0, 0)).check()
