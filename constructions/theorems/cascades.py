"""Theorems about cascades: their length, what they contain, and how they are certified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from constructions.theorems import machines, plain
from constructions.theorems.machines import named
from constructions.theorems.plain import Generator
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Budget, Cascade, decompose
from lrnn_theory.construction import core_of
from lrnn_theory.divisors import is_aperiodic
from lrnn_theory.theorem import Theorem, Worst, require

PAGE = "docs/cascades.md"
TESTS = ("tests/test_cascade.py", "tests/test_cover.py")
PRECISION = "no arithmetic: automata"
CITATION = "docs/cascades.md; Zeiger, Information and Control 10 (1967); tail: folklore"

PITFALLS = {
    "expanding every block": [[1, 2, 3, 2], [2, 2, 0, 0]],
    "blocks that cannot be expanded": [[0, 3, 3, 2], [1, 3, 1, 1], [2, 2, 2, 1]],
    "a single letter": [[1, 0]],
    "tiles of different sizes": [[1, 2, 2], [0, 2, 2]],
    "resets of the old block": [[1, 1, 1], [2, 1, 1]],
    "a group that the monoid lacks": [[1, 3, 0, 3], [2, 1, 3, 1]],
    "levels of strong": [[0, 1, 1, 0], [1, 3, 2, 2], [2, 3, 0, 2]],
    "an overlaid S3": [[1, 1, 1, 1], [2, 2, 0, 2], [3, 1, 3, 0]],
}
"""Small tables on which cascade algorithms go wrong."""


def _reduced(automaton: Automaton) -> Automaton:
    return core_of(automaton)[1]


def _table(rows: list[list[int]]) -> Callable[[], Automaton]:
    return lambda: Automaton.from_table(rows, accepting=[0])


def follow(cascade: Cascade, rng: Generator, count: int = 30) -> None:
    """Require that coordinates name the state, and that letters permute or reset every level."""
    automaton = cascade.automaton
    for level in cascade.levels:
        for image in level.maps.tolist():
            one_to_one = len(set(image)) == len(image)
            require(one_to_one or len(set(image)) == 1, f"a level maps {image}")
    for _ in range(count):
        state, coordinates = automaton.initial, cascade.initial
        for letter in rng.integers(automaton.n_letters, size=int(rng.integers(0, 20))).tolist():
            require(cascade.decode(coordinates) == state, f"{coordinates} is not state {state}")
            coordinates = cascade.step(coordinates, letter)
            state = int(automaton.delta[letter, state])
        require(cascade.decode(coordinates) == state, f"{coordinates} is not state {state}")


def _levels(automaton: Automaton) -> Worst:
    n = automaton.n_states
    cascade = decompose(automaton)
    follow(cascade, np.random.default_rng(n))
    cascade.check()
    sizes = cascade.sizes
    require(len(sizes) <= max(n - 1, 0), f"{len(sizes)} levels for {n} states")
    for number, size in enumerate(sizes, 1):
        require(size <= n - number + 1, f"level {number} has {size} coordinates, {n} states")
    return Worst(
        len(sizes) / max(n - 1, 1) + n / 100, f"{n} states: sizes {'+'.join(map(str, sizes))}"
    )


def _tail(automaton: Automaton) -> Worst:
    n = automaton.n_states
    cascade = decompose(automaton, budget=Budget(contexts=0))
    require(cascade.sizes == tuple(range(n, 1, -1)), f"the sizes are {cascade.sizes}")
    follow(cascade, np.random.default_rng(n))
    cascade.check()
    return Worst(n, f"{n} states: {max(n - 1, 0)} levels, no table")


def _aperiodic(automaton: Automaton) -> Worst:
    expected = not machines.not_aperiodic(automaton)
    require(is_aperiodic(automaton) is expected, f"is_aperiodic denies that it is {expected}")
    cascade = decompose(automaton, "strong")
    maps = [m for level in cascade.levels for m in level.maps.tolist()]
    permuting = [m for m in maps if len(set(m)) == len(m) and m != sorted(m)]
    require(bool(permuting) != expected, f"'strong' permutes by {permuting[:1]}")
    follow(cascade, np.random.default_rng(automaton.n_states))
    kind = "aperiodic" if expected else "not aperiodic"
    return Worst(automaton.n_states, f"{kind}, {automaton.n_states} states")


def _small(automaton: Automaton) -> str:
    size = len(plain.monoid(machines.core_rows(automaton), 3000))
    return "" if size <= 3000 else "the monoid has more than 3000 elements"


def _spoilt(cascade: Cascade, rng: Generator) -> Cascade | None:
    """The cascade with one entry of `final` or of an action changed; None if it has one state."""
    if not cascade.levels or cascade.automaton.n_states < 2:
        return None
    final = cascade.final.copy()
    row = int(rng.integers(len(final)))
    final[row, 2] = (final[row, 2] + 1) % cascade.automaton.n_states
    return replace(cascade, final=final)


def _certificate(automaton: Automaton) -> Worst:
    cascade, rng = decompose(automaton), np.random.default_rng(automaton.n_states)
    cascade.check()
    follow(cascade, rng)
    rejected = 0
    for _ in range(4):
        spoilt = _spoilt(cascade, rng)
        if spoilt is None:
            continue
        try:
            spoilt.check()
        except ValueError:
            rejected += 1
            continue
        require(False, "a wrong table passes")
    return Worst(automaton.n_states, f"{automaton.n_states} states, {rejected} mutants rejected")


def _entry(
    key: str, name: str, statement: str, examine: Callable[[Any], Worst], **more: Any
) -> Theorem:
    known: dict[str, Callable[[], Automaton]] = {k: _table(v) for k, v in PITFALLS.items()}
    known |= {"Tomita 7": named("tomita_7"), "all maps of 4 states": named("t4")}
    hard = {k: (lambda make=make: _reduced(make())) for k, make in known.items()}
    return Theorem(
        key=key, name=name, statement=statement, citation=CITATION, status="proved",
        precision=PRECISION, examine=examine, hard=hard | more.pop("hard", {}),
        draw=lambda rng: _reduced(machines.ANY(rng)), tests=TESTS, **more,
    )  # fmt: skip


THEOREMS = (
    _entry(
        "cascade_levels",
        "Cascades of at most |Q| - 1 levels",
        "Every automaton is simulated by a cascade of permutation-reset levels, at most |Q| - 1, "
        "the l-th with at most |Q| - l + 1 coordinates.",
        _levels,
        hard={"ISO date": lambda: _reduced(languages.regex("iso_date"))},
        page=f"{PAGE}#4-the-cascade-is-right-and-short",
        constructions=("regular_language", "input_shift"),
    ),
    _entry(
        "exclusion_tail",
        "One cascade for all automata with |Q| states",
        "With nothing tabulated, |Q| - 1 levels of sizes |Q|, ..., 2 simulate any automaton: each "
        "names a state that the automaton is not in.",
        _tail,
        page=f"{PAGE}#7-budgets-and-the-exclusion-tail",
        constructions=("regular_language",),
    ),
    replace(
        _entry(
            "cascade_aperiodic",
            "Aperiodicity without the monoid",
            "The 'strong' cascade of an automaton only resets and stays if and only if the groups "
            "in its monoid are trivial.",
            _aperiodic,
            page=f"{PAGE}#5-which-permutations-arise",
            constructions=("star_free", "star_free_shift"),
        ),
        hypotheses=(machines.hypothesis("the monoid has at most 3000 elements", _small),),
        outside={"all maps of 5 states": named("t5")},
    ),
    _entry(
        "cascade_certificate",
        "A cascade is checked locally",
        "If the tables of a cascade pass the test of its wiring, linear in their size, it "
        "simulates its automaton; a final context that names another state does not pass.",
        _certificate,
        page=f"{PAGE}#6-the-local-certificate",
    ),
)  # fmt: skip
