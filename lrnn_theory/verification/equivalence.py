"""`verify`: does an LRNN answer like an automaton on every word, in a given arithmetic?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton, shown
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification.certificate import certify
from lrnn_theory.verification.closure import Budget, Closed, Wrong, close
from lrnn_theory.verification.compositional import NotComposedError, Target, prove
from lrnn_theory.verification.verdict import Proved, Refuted, Undecided


def verify(
    lrnn: LRNN,
    automaton: Any,
    arithmetic: str | Arithmetic = "float32",
    *,
    budget: Budget | int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Proved | Refuted | Undecided:
    """Decide whether an LRNN answers like an automaton on every word, of any length.

    Args:
        lrnn: any LRNN, compiled or loaded.
        automaton: what it should answer like, over the same letters: an Automaton, an automata-lib
            DFA, a networkx graph, or a regex.
        arithmetic: number format and rounding, such as "bfloat16"; see `lrnn_theory.arithmetic`.
            The verdict holds for the sequential order of evaluation, letter after letter.
        budget: a `Budget`, or a number of configurations: how far layers, and then the
            breadth-first closure, are followed.
        progress: called now and then with the number of configurations closed.

    Returns:
        `Proved`, `Refuted` with a shortest word, or `Undecided` with the length up to which all
        words are right.

    Raises:
        ValueError: if the letters or the kinds (DFA, Moore, Mealy) differ.

    Example:
        >>> from constructions import compile_dfa
        >>> verify(compile_dfa("(0|10*1)*"), "(0|10*1)*", "bfloat16").method
        'compositional'
    """
    arithmetic = Arithmetic.parse(arithmetic)
    if not isinstance(lrnn, LRNN):
        raise TypeError(f"Argument 'lrnn' must be an LRNN, not {type(lrnn).__name__}.")
    if isinstance(budget, int) and not isinstance(budget, bool):
        budget = Budget(configurations=budget)
    if budget is not None and not isinstance(budget, Budget):
        raise TypeError(f"Argument 'budget' must be a Budget or an int, not {budget!r}.")
    budget = budget or Budget()
    wanted = _align(lrnn, Automaton.coerce(automaton, lrnn.letters))
    target, representative, symbols = _target(lrnn, wanted)
    name = str(arithmetic)

    def refuted(word: tuple[int, ...], output: int, expected: int) -> Refuted:
        letters = tuple(lrnn.letters[representative[a]] for a in word)
        certificate = certify(lrnn, wanted, arithmetic, "refuted", word=letters)
        statistics = {"length": len(word)}
        return Refuted(name, statistics, letters, symbols[output], symbols[expected], certificate)

    if wanted.kind != "mealy":
        expected = int(target.response[target.initial])
        if lrnn.empty_output != expected:
            return refuted((), lrnn.empty_output, expected)
    try:
        statistics: dict[str, Any] = dict(prove(lrnn, target, arithmetic, budget.configurations))
    except NotComposedError as reason:
        statistics = {"not compositional": str(reason)}
    else:
        certificate = certify(lrnn, wanted, arithmetic, "proved", method="compositional")
        return Proved(name, statistics, "compositional", certificate)
    result = close(lrnn, target, arithmetic, budget, progress)
    if isinstance(result, Wrong):
        return refuted(result.word, result.output, result.expected)
    if isinstance(result, Closed):
        certificate = certify(lrnn, wanted, arithmetic, "proved", method="closure")
        statistics |= {
            "configurations": result.configurations,
            "layer states": result.layer_states,
        }
        return Proved(name, statistics, "closure", certificate)
    statistics["configurations"] = result.configurations
    return Undecided(name, statistics, result.covered, result.reason)


def _align(lrnn: LRNN, automaton: Automaton) -> Automaton:
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
