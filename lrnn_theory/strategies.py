"""Hypothesis strategies: random automata, words over their letters, layers and arithmetics."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton, Kind
from lrnn_theory.lrnn import Layer
from lrnn_theory.transition import Dense, Diagonal, Householder

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


@st.composite
def group_automata(draw: st.DrawFn, max_points: int = 5, max_letters: int = 3) -> Automaton:
    """Minimal automata whose letters are permutations; on ordered pairs of points half the time.

    Args:
        draw: supplied by hypothesis.
        max_points: largest number of points that the letters permute.
        max_letters: largest number of letters.
    """
    n = draw(st.integers(2, max_points))
    rows = draw(st.lists(st.permutations(range(n)), min_size=1, max_size=max_letters))
    if n > 2 and draw(st.booleans()):
        pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
        rows = [[pairs.index((p[i], p[j])) for i, j in pairs] for p in rows]
    initial = draw(st.integers(0, len(rows[0]) - 1))
    return Automaton.from_table(rows, accepting=[initial], initial=initial).minimize()


FORMAT_NAMES = (
    "float64", "float32", "tf32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2",
    "fixed8.4", "fixed8.0", "fixed12.10", "fixed16.-2", "fixed40.20", "fixed70.30",
    "{-1,0,1}", "{-2,-1,-1/3,0,1/2,1,4}", "{1,2}",
)  # fmt: skip


@st.composite
def arithmetics(
    draw: st.DrawFn, formats: Sequence[str] = FORMAT_NAMES, *, orders: bool = False
) -> Arithmetic:
    """Rounding arithmetics: any format, overflow, semantics but "cast", and options.

    Args:
        draw: supplied by hypothesis.
        formats: names to choose from.
        orders: also orders other than the sequential one.
    """
    name = draw(st.sampled_from(list(formats)))
    floating, fixed = name in FORMAT_NAMES[:7], name.startswith("fixed")
    if floating:
        name += draw(st.sampled_from(["", "!sat", "!nan", "!inf"]))
    elif fixed:
        name += draw(st.sampled_from(["", "!wrap"]))
    semantics = draw(st.sampled_from(["each", "once", "wide"] if floating else ["each", "once"]))
    options = "+fma" * (semantics != "once" and draw(st.booleans()))
    order = draw(st.sampled_from(["", "@chunk:1", "@chunk:3", "@tree"])) if orders else ""
    options += "+factored" * (order != "@tree" and draw(st.booleans()))
    return Arithmetic.parse(f"{name}:{semantics}{options}{order}")


@st.composite
def layers(draw: st.DrawFn, max_n: int = 4, max_d: int = 2, *, dense: bool = True) -> Layer:
    """Layers of 1 to 3 actions with exact rational weights, some of them extreme.

    The readout says which action and codeword were met: (action, codeword) as one coordinate.

    Args:
        draw: supplied by hypothesis.
        max_n: largest number of rows.
        max_d: largest number of columns.
        dense: whether matrices without Householder factors are drawn too.
    """
    n, d = draw(st.integers(1, max_n)), draw(st.integers(1, max_d))
    actions = draw(st.integers(1, 3))
    simple = st.sampled_from([0, 0, 1, -1, 2, Fraction(1, 2), Fraction(1, 3), Fraction(-7, 5)])
    extreme = st.builds(
        lambda m, e: Fraction(m) * Fraction(2) ** e, st.integers(-9, 9), st.integers(-140, 130)
    )
    number = draw(st.sampled_from([simple, simple, st.fractions(-4, 4), extreme]))

    def array(*shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        out = np.empty(size, object)
        out[:] = draw(st.lists(number, min_size=size, max_size=size))
        return out.reshape(shape)

    kind = draw(st.sampled_from(["dense"] * dense + ["diagonal", "householder", "householder"]))
    if kind == "dense":
        transition = Dense(array(actions, n, n))
    elif kind == "diagonal":
        transition = Diagonal(array(actions, n))
    else:
        counts = draw(st.lists(st.integers(0, 3), min_size=actions, max_size=actions))
        ptr = np.cumsum([0, *counts])
        transition = Householder(array(ptr[-1], n), array(ptr[-1]), ptr)
    k = draw(st.integers(1, 3))
    readout = np.arange(actions * k).reshape(actions, k, 1).repeat(2, axis=2)
    return Layer(
        transition, array(actions, n, d), array(n, d), (array(k, n, d),), readout, actions * k, 0
    )
