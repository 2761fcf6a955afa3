"""Hypothesis strategies: random automata, and words over their letters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from lrnn_theory.automaton import Automaton, Kind

KINDS: tuple[Kind, ...] = ("dfa", "moore", "mealy")


@st.composite
def automata(
    draw: st.DrawFn,
    max_states: int = 8,
    max_letters: int = 3,
    kinds: Sequence[Kind] = KINDS,
    names: st.SearchStrategy[str] | None = None,
) -> Automaton:
    """Total automata, not necessarily minimal or reachable.

    Args:
        draw: supplied by hypothesis.
        max_states: largest number of states.
        max_letters: largest number of letters.
        kinds: some of "dfa", "moore" and "mealy".
        names: names of letters and outputs; "a", "b", ... and "0", "1", "2" if not given.
    """
    n = draw(st.integers(1, max_states))
    n_letters = draw(st.integers(1, max_letters))
    kind = draw(st.sampled_from(list(kinds)))

    def table(bound: int, *shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        cells = st.lists(st.integers(0, bound - 1), min_size=size, max_size=size)
        return np.array(draw(cells), np.int32).reshape(shape)

    letters = symbols = None
    if names is not None:
        some = st.lists(names.filter(bool), min_size=n_letters, max_size=n_letters, unique=True)
        letters = draw(some)
        symbols = draw(st.lists(names, min_size=3, max_size=3, unique=True))
    delta = table(n, n_letters, n)
    initial = draw(st.integers(0, n - 1))
    if kind == "dfa":
        accepting = table(2, n).astype(bool)
        return Automaton.from_table(delta, accepting=accepting, initial=initial, letters=letters)
    return Automaton.from_table(
        delta,
        initial=initial,
        letters=letters,
        outputs=table(3, n) if kind == "moore" else table(3, n_letters, n),
        output_symbols=symbols or ("0", "1", "2"),
    )


def words(automaton: Automaton, max_length: int = 20) -> st.SearchStrategy[list[str]]:
    """Words over the letters of an automaton, as lists of letter names."""
    return st.lists(st.sampled_from(automaton.letters), max_size=max_length)
