"""Every single change of a weight or a wiring entry gets the verdict that the truth demands.

The truth is `fraction_reference`: fractions and automata-lib, no code of the engine's.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from itertools import chain, zip_longest
from typing import Any, NamedTuple

import numpy as np
import pytest
from automata.fa.dfa import DFA
from automata.fa.nfa import NFA
from fraction_reference import Differs, Reference, RunsAway, Same, Truth, compare
from numpy.typing import NDArray

from constructions import compile_dfa
from lrnn_theory import (
    LRNN,
    Automaton,
    Budget,
    Certificate,
    Diagonal,
    Level,
    Proved,
    Refuted,
    Undecided,
    check,
    scan,
    verify,
)
from lrnn_theory.verification import checker, compositional
from lrnn_theory.verification.certificate import digest

LIMIT = 400
"""Configurations that the reference closes before it says that a mutant's states run away."""

FORMATS = ("float32", "bfloat16", "float16")


# -------------------------------------------------------------------- machines


class Machine(NamedTuple):
    """A compiled network, what it was compiled from, and what it should answer."""

    lrnn: LRNN
    automaton: Automaton
    truth: Truth


def regex(pattern: str, construction: str | None = None, letters: str = "ab") -> Machine:
    automaton = Automaton.from_regex(pattern, letters)
    nfa = NFA.from_regex(pattern, input_symbols=set(letters))
    truth = Truth(DFA.from_nfa(nfa).to_complete())
    return Machine(compile_dfa(automaton, construction), automaton, truth)


def table(
    delta: list[list[int]], answers: Any, construction: str | None = None, letters: str = "abc"
) -> Machine:
    """`answers`: accepting states, a string of symbols (Moore), or one for every letter (Mealy)."""
    names, n = letters[: len(delta)], len(delta[0])
    accepting = answers if isinstance(answers, set) else set()
    moves = {q: {a: row[q] for a, row in zip(names, delta, strict=True)} for q in range(n)}
    dfa = DFA(
        states=set(range(n)),
        input_symbols=set(names),
        transitions=moves,
        initial_state=0,
        final_states=accepting,
    )
    if isinstance(answers, set):
        automaton = Automaton.from_table(delta, accepting=answers, letters=names)
        return Machine(compile_dfa(automaton, construction), automaton, Truth(dfa))
    rows = [answers] if isinstance(answers, str) else answers
    indices = np.array([["xyz".index(symbol) for symbol in row] for row in rows])
    outputs: dict[Any, str] = dict(enumerate(answers))
    if isinstance(answers, str):
        indices = indices[0]
    else:
        rows = zip(names, answers, strict=True)
        outputs = {(a, q): symbol for a, row in rows for q, symbol in enumerate(row)}
    automaton = Automaton.from_table(delta, outputs=indices, output_symbols="xyz", letters=names)
    return Machine(compile_dfa(automaton, construction), automaton, Truth(dfa, outputs))


def random_table(seed: int, kind: str, construction: str | None = None) -> Machine:
    rng = random.Random(seed)
    delta = [[rng.randrange(5) for _ in range(5)] for _ in range(2)]
    answers: Any = {q for q in range(5) if rng.random() < 0.5}
    if kind != "dfa":
        rows = ["".join(rng.choices("xyz", k=5)) for _ in range(2)]
        answers = rows[0] if kind == "moore" else rows
    return table(delta, answers, construction)


def diagonal() -> Machine:
    """Parity by diagonal matrices, which no construction uses."""
    machine = regex("(b|ab*a)*", "parity")
    level = machine.lrnn.heads[0][0]
    layer = replace(level.layer, transition=Diagonal(np.array([[-1], [1]])))
    return machine._replace(
        lrnn=replace(machine.lrnn, heads=((replace(level, layer=layer),),), construction="")
    )


def two_heads() -> Machine:
    """A word in two languages: one head for each, and a table that combines their answers."""
    left, right = regex("(b|ab*a)*"), regex("(a|b)*abb")
    both = (left.truth.dfa & right.truth.dfa).to_complete()
    lrnn = replace(
        left.lrnn,
        heads=(*left.lrnn.heads, *right.lrnn.heads),
        combine=(np.array([[0, 0], [0, 1]]),),
        empty_output=0,
        construction="",
    )
    return Machine(lrnn, Automaton.from_dfa(both), Truth(both))


LAST_LETTER_AND_PARITY = [[1, 1, 2, 2], [0, 3, 0, 3]]

MACHINES: dict[str, Callable[[], Machine]] = {
    "parity": partial(regex, "(b|ab*a)*"),
    "parity, diagonal": diagonal,
    "parity, Mealy": partial(table, [[1, 0], [0, 1]], ["xy", "xx"]),
    "everything": partial(regex, "(a|b)*", "regular_language"),
    "mod 3": partial(regex, "(aaa)*", letters="a"),
    "mod 3 by rotation": partial(table, [[1, 2, 0], [0, 1, 2]], {1}, "rotation"),
    "mod 6": partial(table, [[1, 2, 3, 4, 5, 0], [0, 1, 2, 3, 4, 5]], {0, 2}),
    "mod 6 by rotation": partial(table, [[1, 2, 3, 4, 5, 0], [5, 0, 1, 2, 3, 4]], {0}, "rotation"),
    "S3": partial(table, [[1, 0, 2], [1, 2, 0]], {0}, "permutation"),
    "S3, Moore": partial(table, [[1, 0, 2], [1, 2, 0]], "xyz", "permutation"),
    "Klein four-group": partial(table, [[1, 0, 3, 2], [2, 3, 0, 1]], {0}, "permutation"),
    "flip-flop": partial(table, [[0, 0], [1, 1], [0, 1]], "xy"),
    "flip-flop, input shift": partial(table, [[0, 0], [1, 1], [0, 1]], {1}, "input_shift"),
    "T3": partial(table, [[1, 2, 0], [1, 0, 2], [0, 0, 2]], {0}),
    "T3, Mealy": partial(table, [[1, 2, 0], [1, 0, 2], [0, 0, 2]], ["xyz", "xyx", "zzx"]),
    "letters alike": partial(table, [[1, 1, 2], [0, 2, 1], [0, 2, 1]], {2}),
    "ends in abb": partial(regex, "(a|b)*abb"),
    "ends in abb, input shift": partial(regex, "(a|b)*abb", "input_shift"),
    "ends in abb, dense": partial(regex, "(a|b)*abb", "dense"),
    "Tomita 2": partial(regex, "(ab)*"),
    "Tomita 7": partial(regex, "a*b*a*b*"),
    "Tomita 7, input shift": partial(regex, "a*b*a*b*", "input_shift"),
    "last letter and parity of ab": partial(table, LAST_LETTER_AND_PARITY, {2, 3}),
    "two heads": two_heads,
    "random 1": partial(random_table, 1, "dfa"),
    "random 2, input shift": partial(random_table, 2, "dfa", "input_shift"),
    "random 3, Moore": partial(random_table, 3, "moore"),
    "random 4, Moore, dense": partial(random_table, 4, "moore", "dense"),
    "random 5, Mealy": partial(random_table, 5, "mealy"),
    "random 6, Mealy, input shift": partial(random_table, 6, "mealy", "input_shift"),
}


@cache
def machine(name: str) -> Machine:
    return MACHINES[name]()


# -------------------------------------------------------------------- single changes


class Place(NamedTuple):
    """An array of a network whose entries may change: weights, or indices below a bound."""

    kind: str
    array: NDArray[Any]
    bound: int | None
    put: Callable[[NDArray[Any]], LRNN]

    def changes(self) -> Iterator[tuple[str, Callable[[], LRNN]]]:
        """Every single change: what it is, and the mutant."""
        for i, x in enumerate(self.array.ravel().tolist()):
            if self.bound is None:
                values = [x + 1, x - 1, x + 2, x + Fraction(1, 2), -1 * x, 2 * x, 0 * x]
            else:
                values = list(range(self.bound))
            for y in dict.fromkeys(values):
                if y != x:
                    yield f"{self.kind}[{i}]: {x} -> {y}", partial(self._changed, i, y)

    def _changed(self, i: int, value: Any) -> LRNN:
        array = self.array.astype(object if self.bound is None else self.array.dtype)
        array.flat[i] = value
        return self.put(array)


def places(lrnn: LRNN) -> Iterator[Place]:
    """All arrays of a network."""
    answers = len(lrnn.output_symbols)
    widths = [len(head[0].action) if head else len(lrnn.output) for head in lrnn.heads]
    classes = min(int(lrnn.letter_class.max()) + 1, *widths)
    yield Place("letter_class", lrnn.letter_class, classes, lambda x: replace(lrnn, letter_class=x))
    yield Place("output", lrnn.output, answers, lambda x: replace(lrnn, output=x))
    if lrnn.kind != "mealy":
        empty = np.array([lrnn.empty_output])
        yield Place("empty_output", empty, answers, lambda x: replace(lrnn, empty_output=int(x[0])))
    for i, joint in enumerate(lrnn.combine):
        bound = len(lrnn.combine[i + 1]) if i + 1 < len(lrnn.combine) else len(lrnn.output)

        def combined(x: NDArray[Any], i: int = i) -> LRNN:
            return replace(lrnn, combine=(*lrnn.combine[:i], x, *lrnn.combine[i + 1 :]))

        yield Place("combine", joint, bound, combined)
    for i, head in enumerate(lrnn.heads):
        if not lrnn.combine:
            final = len(lrnn.output)
        else:
            final = lrnn.combine[max(i - 1, 0)].shape[min(i, 1)]
        for j, level in enumerate(head):
            below = len(head[j + 1].action) if j + 1 < len(head) else final
            yield from _places_of_level(lrnn, i, j, level, below)


def _places_of_level(lrnn: LRNN, i: int, j: int, level: Level, below: int) -> Iterator[Place]:
    layer, transition = level.layer, level.layer.transition

    def put(name: str, x: Any) -> LRNN:
        head = lrnn.heads[i]
        new = (*head[:j], replace(level, **{name: x}), *head[j + 1 :])
        return replace(lrnn, heads=(*lrnn.heads[:i], new, *lrnn.heads[i + 1 :]))

    def put_layer(name: str, x: Any) -> LRNN:
        return put("layer", replace(layer, **{name: x}))

    def put_words(slot: int, x: NDArray[Any]) -> LRNN:
        words = layer.codewords
        return put_layer("codewords", (*words[:slot], x, *words[slot + 1 :]))

    def put_weight(name: str, x: NDArray[Any]) -> LRNN:
        return put_layer("transition", replace(transition, **{name: x}))

    yield Place("action", level.action, layer.n_actions, partial(put, "action"))
    yield Place("next", level.next, below, partial(put, "next"))
    yield Place("readout", layer.readout, layer.size, partial(put_layer, "readout"))
    yield Place("b", layer.b, None, partial(put_layer, "b"))
    yield Place("h0", layer.h0, None, partial(put_layer, "h0"))
    for slot, words in enumerate(layer.codewords):
        yield Place("codeword", words, None, partial(put_words, slot))
    for name in ("keys", "betas", "diagonal", "matrices"):
        if hasattr(transition, name):
            yield Place(name, getattr(transition, name), None, partial(put_weight, name))


def mutants(name: str, count: int) -> list[tuple[str, LRNN]]:
    """Up to so many distinct mutants of a machine, the kinds in turn; the same ones every time."""
    rng = random.Random(name)
    by_kind: dict[str, list[Any]] = {}
    for place in places(machine(name).lrnn):
        by_kind.setdefault(place.kind, []).extend(place.changes())
    for changes in by_kind.values():
        rng.shuffle(changes)
    turns = chain.from_iterable(zip_longest(*by_kind.values()))
    picked = [change for change in turns if change is not None][:count]
    return [(label, make()) for label, make in picked]


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
    for kind in (*weights, *wiring):
        assert outcomes[kind, Differs], kind


@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINES)
def test_every_one_of_many_mutants_gets_the_true_verdict(name: str) -> None:
    campaign(name, 500, formats=3)
