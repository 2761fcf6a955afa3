"""`verify`: does an LRNN answer like an automaton on every word, in a given arithmetic?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton, shown
from lrnn_theory.compiled import Follower
from lrnn_theory.eventual import UnsettledError
from lrnn_theory.exactness import computes_exactly, holds_register_layers
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification.certificate import certify
from lrnn_theory.verification.closure import (
    Budget,
    Closed,
    Confused,
    Stopped,
    Wrong,
    close,
    out_of_time,
)
from lrnn_theory.verification.compositional import (
    MAX_LAYER_STATES,
    NotComposedError,
    Target,
    prove,
)
from lrnn_theory.verification.states import OutOfTimeError
from lrnn_theory.verification.unary import Alike, Err, decide, decides
from lrnn_theory.verification.verdict import Proved, Refuted, Runs, Undecided

Decoder = Literal["own", "any"]

FEW_STATES = 256
"""A layer over one letter that has more states is followed by the compiled orbit."""
FEW_SUMS = 32
"""States of one letter in the cast model, which hold more and more terms, before looking ahead."""
MANY_SUMS = 500
"""The same, where looking ahead told nothing."""
SLACK = 2
"""So much later than they have settled, sequences are seen to stay by simpler means."""
FEW_LETTERS = 1_000_000
"""Longest word that is written out letter by letter."""


def verify(
    lrnn: LRNN,
    automaton: Any,
    arithmetic: str | Arithmetic = "float32",
    *,
    decoder: Decoder = "own",
    budget: Budget | int | None = None,
    progress: Callable[[int], None] | None = None,
    device: torch.device | str | None = None,
) -> Proved | Refuted | Undecided:
    """Decide whether an LRNN answers like an automaton on every word, of any length.

    Args:
        lrnn: any LRNN, compiled or loaded.
        automaton: what it should answer like, over the same letters: an Automaton, an automata-lib
            DFA, a networkx graph, or a regex.
        arithmetic: number format, rounding and order of evaluation, such as "bfloat16:once"; see
            docs/arithmetic.md.
        decoder: "any" asks whether some function of state and last letter answers right, whatever
            the LRNN's own does.
        budget: a `Budget`, or a number of configurations: how far layers, and then the
            breadth-first closure, are followed, and for how many seconds in all.
        progress: called now and then with the number of configurations closed.
        device: where states are stepped; the CPU if not given.

    Returns:
        `Proved`, `Refuted` with a shortest word, or `Undecided` with the length up to which all
        words are right.  Interrupting (Ctrl-C) gives `Undecided`.

    Raises:
        ValueError: if the letters or the kinds (DFA, Moore, Mealy) differ.

    Example:
        >>> from constructions import compile_dfa
        >>> verify(compile_dfa("(0|10*1)*"), "(0|10*1)*", "bfloat16").method
        'compositional'
    """
    arithmetic = Arithmetic.parse(arithmetic)
    check_type("lrnn", lrnn, LRNN)
    if decoder not in ("own", "any"):
        raise ValueError(f"Argument 'decoder' must be 'own' or 'any', not {decoder!r}.")
    if isinstance(budget, int) and not isinstance(budget, bool):
        budget = Budget(configurations=budget)
    if budget is not None and not isinstance(budget, Budget):
        raise TypeError(f"Argument 'budget' must be a Budget or an int, not {budget!r}.")
    wanted = align(lrnn, Automaton.coerce(automaton, lrnn.letters))
    question = Question(lrnn, wanted, arithmetic, budget, progress, device)
    return question.decide_any() if decoder == "any" else question.decide()


class Question:
    """One LRNN, one automaton, one arithmetic."""

    def __init__(
        self,
        lrnn: LRNN,
        wanted: Automaton,
        arithmetic: Arithmetic,
        budget: Budget | None = None,
        progress: Callable[[int], None] | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        self.lrnn, self.wanted, self.arithmetic = lrnn, wanted, arithmetic
        self.budget, self.progress = budget or Budget(), progress
        self.until = self.budget.deadline()
        self.device = torch.device(device or "cpu")
        self.target, self.representative, self.symbols = _target(lrnn, wanted)
        # Where nothing is rounded, any order gives the bits of the sequential one.
        self.exact = arithmetic.order != "sequential" and computes_exactly(lrnn, arithmetic)
        self.working = (
            replace(arithmetic, order="sequential", chunk=0) if self.exact else arithmetic
        )
        self.statistics: dict[str, Any] = {}

    def decide(self) -> Proved | Refuted | Undecided:
        """The methods one after the other, the cheapest first."""
        if self.wanted.kind != "mealy":
            expected = int(self.target.response[self.target.initial])
            if self.lrnn.empty_output != expected:
                return self.refuted((), self.lrnn.empty_output, expected)
        if self.lrnn.tail and not holds_register_layers(self.arithmetic):
            return self.undecided(0, f"a tail computes with 0 and 1, which {self.arithmetic} lacks")
        unary = len(self.lrnn.letters) == 1 and Follower.supports(self.lrnn, self.working)
        few = FEW_STATES if unary else MAX_LAYER_STATES
        if decides(self.lrnn, self.working):
            few = FEW_SUMS
        try:
            verdict = self.composition(min(self.budget.configurations, few))
        except OutOfTimeError:
            return self.undecided(0, out_of_time(self.budget))
        if verdict is None:
            verdict = self.orbit() if unary else self.eventual("own")
        return self.closure("own") if verdict is None else verdict

    def decide_any(self) -> Proved | Refuted | Undecided:
        """For any decoder."""
        verdict = self.eventual("any")
        return self.closure("any") if verdict is None else verdict

    def composition(self, limit: int) -> Proved | None:
        """Every layer by itself, in the given order of evaluation or in all."""
        reasons = []
        orders = [False] if self.working.order == "sequential" else [True, False]
        for order_free in orders:
            if self.working.order == "tree" and not order_free:
                break  # not a finite machine
            try:
                found = prove(
                    self.lrnn,
                    self.target,
                    self.working,
                    limit,
                    order_free=order_free,
                    until=self.until,
                )
            except NotComposedError as reason:
                reasons.append(str(reason))
                continue
            facts: dict[str, Any] = {"layers": [{"states": n} for n in found.layer_states]}
            if order_free:
                facts["bracketing"] = "order-free"
            self.statistics = {"layer states": sum(found.layer_states), "triples": found.triples}
            return self.proved("compositional", **facts)
        self.statistics["not compositional"] = "; ".join(reasons)
        return None

    def follower(self) -> Follower:
        """The LRNN beside the target, in compiled code."""
        target = self.target
        return Follower(
            self.lrnn,
            target.delta,
            target.initial,
            target.response,
            target.letter_class,
            self.working,
        )

    def orbit(self) -> Proved | Refuted | Undecided:
        """The cycle of the only letter."""
        follower = self.follower()
        found = follower.orbit(0, self.budget.steps, self.progress, until=self.until)
        self.statistics["steps"] = found.steps
        if found.outcome == "cycle":
            self.statistics["configurations"] = found.preperiod + found.period
            return self.proved("orbit", preperiod=found.preperiod, period=found.period)
        if found.outcome == "stopped":
            limit = self.budget.steps
            reason = "interrupted"
            if time.monotonic() > self.until:
                reason = out_of_time(self.budget)
            elif found.steps >= limit:
                reason = f"more than {limit} steps of the orbit (Budget(steps=...))"
            return self.undecided(found.steps, reason)
        level, c = self.lrnn.levels[0], self.target.letter_class[0]
        a = level.action[c]
        read = level.layer.readout[a, follower.layer.decode(follower.state[0])]
        output = int(self.lrnn.output[level.next[c, read[int(level.reads != "previous")]]])
        before = power(self.target.delta[0], self.target.initial, found.steps - 1)
        response, after = self.target.response, self.target.delta[0, before]
        expected = int(response[0, before] if response.ndim == 2 else response[after])
        return self.refuted_by_power(found.steps, output, expected)

    def eventual(self, decoder: Decoder) -> Proved | Refuted | Undecided | None:
        """How the only letter ends in the cast model; None in other arithmetics."""
        if not decides(self.lrnn, self.working):
            return None
        verdict = self.closure(decoder, FEW_SUMS)
        if not isinstance(verdict, Undecided):
            return verdict
        try:
            found = decide(
                self.lrnn,
                self.target,
                self.working,
                self.budget,
                self.progress,
                any_decoder=decoder == "any",
                until=self.until,
            )
        except UnsettledError as reason:
            verdict = self.closure(decoder, MANY_SUMS)
            return (
                replace(verdict, reason=str(reason)) if isinstance(verdict, Undecided) else verdict
            )
        if isinstance(found, Err):
            return self.refuted_by_power(found.length, found.output, found.expected)
        if isinstance(found, Alike):
            words = [self.power(found.first), self.power(found.other)]
            return self.confused_words(words, found.expected_other, found.expected)
        if isinstance(found, Stopped):
            self.statistics["lengths"] = found.configurations
            return self.undecided(found.covered, found.reason)
        facts: dict[str, Any] = {"preperiod": found.preperiod, "period": found.period}
        self.statistics = {"lengths": found.lengths, **facts}
        facts["preperiod"] *= SLACK
        if decoder == "any":
            facts["decoder"] = "any"
        return self.proved("eventual", **facts)

    def closure(self, decoder: Decoder, limit: int | None = None) -> Proved | Refuted | Undecided:
        """All reachable configurations, at most so many."""
        budget = self.budget
        if limit is not None:
            budget = replace(budget, configurations=min(limit, budget.configurations))
        result = close(
            self.lrnn,
            self.target,
            self.working,
            budget,
            self.progress,
            device=self.device,
            decoder=decoder,
            until=self.until,
        )
        if isinstance(result, Wrong):
            return self.refuted(result.word, result.output, result.expected)
        if isinstance(result, Confused):
            return self.confused(result)
        if isinstance(result, Closed):
            self.statistics |= {
                "configurations": result.configurations,
                "layer states": result.layer_states,
            }
            facts = {"states": result.configurations, "states_digest": result.digest}
            if decoder == "any":
                facts["decoder"] = "any"
            return self.proved("closure", **facts)
        self.statistics["configurations"] = result.configurations
        return self.undecided(result.covered, result.reason)

    # ---------------------------------------------------------------- verdicts

    def proved(self, method: str, **facts: Any) -> Proved:
        """With its certificate."""
        if self.exact:
            facts["bracketing"] = "exact"
        certificate = certify(
            self.lrnn, self.wanted, self.arithmetic, "proved", method=method, **facts
        )
        return Proved(str(self.arithmetic), self.statistics, method, certificate)

    def refuted(self, word: tuple[int, ...], output: int, expected: int) -> Refuted:
        """With its certificate."""
        letters = self.names(word)
        certificate = certify(self.lrnn, self.wanted, self.arithmetic, "refuted", word=letters)
        statistics = {"length": len(word)}
        answers = self.symbols[output], self.symbols[expected]
        return Refuted(str(self.arithmetic), statistics, letters, *answers, certificate)

    def refuted_by_power(self, length: int, output: int, expected: int) -> Refuted:
        """By a power of the only letter."""
        if length <= FEW_LETTERS:
            return self.refuted((0,) * length, output, expected)
        word = self.power(length)
        certificate = certify(self.lrnn, self.wanted, self.arithmetic, "refuted", runs=word.runs)
        answers = self.symbols[output], self.symbols[expected]
        return Refuted(str(self.arithmetic), {"length": length}, word, *answers, certificate)

    def confused(self, found: Confused) -> Refuted:
        """Two words that no decoder tells apart."""
        words = [Runs((a, 1) for a in self.names(w)) for w in (found.word, found.other)]
        return self.confused_words(words, found.expected_other, found.expected)

    def confused_words(self, words: list[Runs], answered: int, expected: int) -> Refuted:
        """Two words that no decoder tells apart; the first needs `expected`."""
        certificate = certify(
            self.lrnn, self.wanted, self.arithmetic, "confused", words=[w.runs for w in words]
        )
        statistics = {"length": words[0].length}
        answers = self.symbols[answered], self.symbols[expected]
        word, other = (tuple(w) if w.length <= FEW_LETTERS else w for w in words)
        return Refuted(str(self.arithmetic), statistics, word, *answers, certificate, other)

    def power(self, length: int) -> Runs:
        """A power of the only letter."""
        return Runs([(self.names((0,))[0], length)])

    def undecided(self, covered: int, reason: str) -> Undecided:
        """With what was covered."""
        return Undecided(str(self.arithmetic), self.statistics, covered, reason)

    def names(self, word: tuple[int, ...]) -> tuple[str, ...]:
        """Letters of the target as letters of the LRNN."""
        return tuple(self.lrnn.letters[self.representative[a]] for a in word)


def power(row: NDArray[np.int32], state: int, times: int) -> int:
    """The state after a letter, with this row of transitions, is read so many times."""
    seen: dict[int, int] = {}
    path: list[int] = []
    while state not in seen:
        seen[state] = len(path)
        path.append(state)
        state = int(row[state])
    entry = seen[state]
    if times < len(path):
        return path[times]
    return path[entry + (times - entry) % (len(path) - entry)]


def align(lrnn: LRNN, automaton: Automaton) -> Automaton:
    """The minimal automaton over the LRNN's letters.

    Raises:
        ValueError: if the letters or the kinds differ.
    """
    if sorted(automaton.letters) != sorted(lrnn.letters):
        raise ValueError(
            f"The LRNN reads the letters {shown(lrnn.letters)}, "
            f"but the automaton reads {shown(automaton.letters)}."
        )
    if automaton.kind != lrnn.kind:
        raise ValueError(
            f"The LRNN answers like a {lrnn.kind}, but the automaton is a {automaton.kind}."
        )
    return automaton.with_letters(lrnn.letters).minimize()


def _target(lrnn: LRNN, wanted: Automaton) -> tuple[Target, list[int], tuple[str, ...]]:
    """The automaton with one letter for all that neither it nor the LRNN tells apart."""
    symbols = tuple(dict.fromkeys((*lrnn.output_symbols, *wanted.output_symbols)))
    index = np.array([symbols.index(s) for s in wanted.output_symbols], np.int32)
    merged, core = wanted.merge_letters()
    pairs = np.stack([lrnn.letter_class, merged], axis=1)
    first = np.sort(np.unique(pairs, axis=0, return_index=True)[1])
    response = index[core.response]
    target = Target(
        core.delta[merged[first]],
        core.initial,
        response[merged[first]] if wanted.kind == "mealy" else response,
        lrnn.letter_class[first],
    )
    return target, first.tolist(), symbols
