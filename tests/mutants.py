"""Compiled machines, what they should answer, and every single change of a weight or wiring entry.

What they should answer is built by automata-lib from the same regex or table, not from our
`Automaton`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from itertools import chain, islice, zip_longest
from typing import Any, NamedTuple

import numpy as np
from automata.fa.dfa import DFA
from automata.fa.nfa import NFA
from fraction_reference import Truth
from numpy.typing import NDArray

from constructions import compile_dfa
from lrnn_theory import LRNN, Automaton, Diagonal, Level
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.exclusion import ExclusionTail
from lrnn_theory.tail import Tail
from lrnn_theory.wiring import wire

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
    """`answers`: "0" or "1" a state (DFA), symbols a state (Moore), or a row a letter (Mealy)."""
    names = letters[: len(delta)]
    if not isinstance(answers, str):
        kind, symbols, rows = "mealy", "xyz", answers
    else:
        kind, symbols = ("dfa", "01") if set(answers) <= set("01") else ("moore", "xyz")
        rows = [answers]
    truth = Truth.of_table(kind, delta, names, answers)
    indices = np.array([[symbols.index(symbol) for symbol in row] for row in rows])
    if kind == "dfa":
        automaton = Automaton.from_table(delta, accepting=indices[0] == 1, letters=names)
    else:
        outputs = indices if kind == "mealy" else indices[0]
        automaton = Automaton.from_table(
            delta, outputs=outputs, output_symbols=symbols, letters=names
        )
    return Machine(compile_dfa(automaton, construction), automaton, truth)


def random_table(seed: int, kind: str, construction: str | None = None) -> Machine:
    rng = random.Random(seed)
    delta = [[rng.randrange(5) for _ in range(5)] for _ in range(2)]
    rows = ["".join(rng.choices("01" if kind == "dfa" else "xyz", k=5)) for _ in range(2)]
    answers = rows if kind == "mealy" else rows[0]
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


def with_tail(machine: Machine, contexts: int) -> Machine:
    """The same machine by a cascade that may tabulate so many contexts only."""
    core = machine.automaton.minimize()
    lrnn = wire(decompose(core, budget=Budget(contexts=contexts)), shifted=False)
    assert lrnn.tail is not None
    return machine._replace(lrnn=replace(lrnn, letters=core.letters))


LAST_LETTER_AND_PARITY = [[1, 1, 2, 2], [0, 3, 0, 3]]

MACHINES: dict[str, Callable[[], Machine]] = {
    "parity": partial(regex, "(b|ab*a)*"),
    "parity, diagonal": diagonal,
    "parity, Mealy": partial(table, [[1, 0], [0, 1]], ["xy", "xx"]),
    "everything": partial(regex, "(a|b)*", "regular_language"),
    "mod 3": partial(regex, "(aaa)*", letters="a"),
    "mod 3 by rotation": partial(table, [[1, 2, 0], [0, 1, 2]], "010", "rotation"),
    "mod 6": partial(table, [[1, 2, 3, 4, 5, 0], [0, 1, 2, 3, 4, 5]], "101000"),
    "mod 6 by rotation": partial(
        table, [[1, 2, 3, 4, 5, 0], [5, 0, 1, 2, 3, 4]], "100000", "rotation"
    ),
    "S3": partial(table, [[1, 0, 2], [1, 2, 0]], "100", "permutation"),
    "S3, Moore": partial(table, [[1, 0, 2], [1, 2, 0]], "xyz", "permutation"),
    "Klein four-group": partial(table, [[1, 0, 3, 2], [2, 3, 0, 1]], "1000", "permutation"),
    "flip-flop": partial(table, [[0, 0], [1, 1], [0, 1]], "xy"),
    "flip-flop, input shift": partial(table, [[0, 0], [1, 1], [0, 1]], "01", "input_shift"),
    "T3": partial(table, [[1, 2, 0], [1, 0, 2], [0, 0, 2]], "100"),
    "T3, offset register": partial(
        table, [[1, 2, 0], [1, 0, 2], [0, 0, 2]], "xyz", "offset_register"
    ),
    "T3, Mealy": partial(table, [[1, 2, 0], [1, 0, 2], [0, 0, 2]], ["xyz", "xyx", "zzx"]),
    "letters alike": partial(table, [[1, 1, 2], [0, 2, 1], [0, 2, 1]], "001"),
    "ends in abb": partial(regex, "(a|b)*abb"),
    "ends in abb, input shift": partial(regex, "(a|b)*abb", "input_shift"),
    "ends in abb, dense": partial(regex, "(a|b)*abb", "dense"),
    "Tomita 2": partial(regex, "(ab)*"),
    "Tomita 7": partial(regex, "a*b*a*b*"),
    "Tomita 7, input shift": partial(regex, "a*b*a*b*", "input_shift"),
    "last letter and parity of ab": partial(table, LAST_LETTER_AND_PARITY, "0011"),
    "two heads": two_heads,
    "random 3": partial(random_table, 3, "dfa"),
    "random 23, input shift": partial(random_table, 23, "dfa", "input_shift"),
    "random 1, Moore": partial(random_table, 1, "moore"),
    "random 21, Moore, dense": partial(random_table, 21, "moore", "dense"),
    "random 17, Mealy": partial(random_table, 17, "mealy"),
    "random 21, Mealy, input shift": partial(random_table, 21, "mealy", "input_shift"),
    "ends in abb, tail": lambda: with_tail(regex("(a|b)*abb"), 0),
    "Tomita 7, tail": lambda: with_tail(regex("a*b*a*b*"), 8),
    "random 12, Mealy, tail": lambda: with_tail(random_table(12, "mealy"), 0),
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
    final = len(lrnn.output) if lrnn.tail is None else len(lrnn.tail.contexts)
    widths = [len(head[0].action) if head else final for head in lrnn.heads]
    classes = min(int(lrnn.letter_class.max()) + 1, *widths)
    yield Place("letter_class", lrnn.letter_class, classes, lambda x: replace(lrnn, letter_class=x))
    yield Place("output", lrnn.output, answers, lambda x: replace(lrnn, output=x))
    if lrnn.kind != "mealy":
        empty = np.array([lrnn.empty_output])
        yield Place("empty_output", empty, answers, lambda x: replace(lrnn, empty_output=int(x[0])))
    if lrnn.tail is not None:
        yield from _places_of_tail(lrnn, lrnn.tail)
    for i, joint in enumerate(lrnn.combine):
        bound = len(lrnn.combine[i + 1]) if i + 1 < len(lrnn.combine) else final

        def combined(x: NDArray[Any], i: int = i) -> LRNN:
            return replace(lrnn, combine=(*lrnn.combine[:i], x, *lrnn.combine[i + 1 :]))

        yield Place("combine", joint, bound, combined)
    for i, head in enumerate(lrnn.heads):
        last = lrnn.combine[max(i - 1, 0)].shape[min(i, 1)] if lrnn.combine else final
        for j, level in enumerate(head):
            below = len(head[j + 1].action) if j + 1 < len(head) else last
            yield from _places_of_level(lrnn, i, j, level, below)


def _places_of_tail(lrnn: LRNN, tail: Tail) -> Iterator[Place]:
    n_states = tail.exclusion.delta.shape[1]

    def put(name: str, x: Any) -> LRNN:
        return replace(lrnn, tail=replace(tail, **{name: x}))

    def put_delta(x: NDArray[Any]) -> LRNN:
        return put("exclusion", ExclusionTail(x, tail.sizes))

    def put_contexts(x: NDArray[Any]) -> LRNN:
        return put("contexts", tuple(map(tuple, x.tolist())))

    def put_initial(x: NDArray[Any]) -> LRNN:
        return put("initial", tuple(x.tolist()))

    answers = len(lrnn.output_symbols)
    yield Place("tail.response", tail.response, answers, partial(put, "response"))
    yield Place("tail.delta", tail.exclusion.delta, n_states, put_delta)
    yield Place("tail.contexts", np.array(tail.contexts), 1 << n_states, put_contexts)
    yield Place("tail.initial", np.array(tail.initial), len(tail.initial) + 1, put_initial)


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
    valid = _valid((c for c in turns if c is not None), machine(name).lrnn.tail is not None)
    return list(islice(valid, count))


def _valid(
    changes: Iterable[tuple[str, Callable[[], LRNN]]], may_fail: bool
) -> Iterator[tuple[str, LRNN]]:
    """The mutants that are networks at all: one with a tail may be refused as inconsistent."""
    for label, make in changes:
        try:
            yield label, make()
        except ValueError:
            if not may_fail:
                raise
