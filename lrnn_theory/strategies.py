"""Hypothesis strategies: random automata, words over their letters, layers and arithmetics."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton, Kind
from lrnn_theory.lrnn import LRNN, Layer, Level, Reads
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


# -------------------------------------------------------------------- by spectral class

SPECTRAL_CLASSES = (
    "diagonal", "triangular", "psd", "similar", "householder", "signed", "wide", "complex",
)  # fmt: skip
NONNEGATIVE_CLASSES = SPECTRAL_CLASSES[:5]
REAL_CLASSES = SPECTRAL_CLASSES[:6]
_SMALL = st.sampled_from([Fraction(p, q) for p in range(-3, 4) for q in (1, 2, 5)])
_NONNEGATIVE = st.sampled_from(
    [Fraction(0), Fraction(1), *(Fraction(p, 8) for p in range(1, 8)), Fraction(1, 3)]
)


@st.composite
def spectral_matrices(draw: st.DrawFn, kind: str, n: int) -> np.ndarray:
    """Rational (n, n) matrices of a spectral class, as object arrays.

    Args:
        draw: supplied by hypothesis.
        kind: one of `SPECTRAL_CLASSES`.  Eigenvalues are real and in [0, 1] for "diagonal",
            "triangular" (any entries above), "psd" (symmetric), "similar" (triangular in another
            basis) and "householder" (up to two factors in [0, 1]); real for "signed" (as
            "similar"); anything for "wide" (up to four factors in (-1, 1]) and "complex" (rotations
            of finite and infinite order in another basis).
        n: rows.
    """
    if kind in ("householder", "wide"):
        wide = kind == "wide"
        ranges = [Fraction(p, 8) for p in range(-7 * wide, 9)]
        out = np.eye(n, dtype=int).astype(object)
        for _ in range(draw(st.integers(0, 4 if wide else 2))):
            key = np.array(draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), object)
            size = int(key @ key)
            beta = (1 - draw(st.sampled_from(ranges))) / size if size else Fraction(0)
            out = out @ (np.eye(n, dtype=int) - beta * np.outer(key, key))
        return out
    if kind == "psd":
        root = np.array([[draw(_SMALL) for _ in range(n)] for _ in range(n)], object)
        gram = root.T @ root
        return gram / max(Fraction(1), 2 * gram.trace())
    sign = st.sampled_from([1, -1] if kind == "signed" else [1])
    out = np.zeros((n, n), object)
    for i in range(n):
        out[i, i] = draw(_NONNEGATIVE) * draw(sign)
        if kind != "diagonal":
            out[i, i + 1 :] = [draw(_SMALL) for _ in range(n - i - 1)]
    if kind == "complex":
        turns = ([[0, -1], [1, 0]], [[0, -1], [1, -1]], [[Fraction(3, 5), Fraction(-4, 5)],
                 [Fraction(4, 5), Fraction(3, 5)]])  # fmt: skip
        for i in range(0, n - 1, 2):
            block = np.array(draw(st.sampled_from(turns)), object)
            out[i : i + 2, i : i + 2] = draw(_NONNEGATIVE) * block
    if kind in ("similar", "signed", "complex"):
        for _ in range(draw(st.integers(0, 3)) if n > 1 else 0):
            i, j = draw(st.permutations(range(n)))[:2]
            step = draw(st.sampled_from([-2, -1, 1, 2]))
            out[i] = out[i] + step * out[j]  # E A E^-1 with E = I + step e_i e_j^T
            out[:, j] = out[:, j] - step * out[:, i]
    return out


@st.composite
def spectral_networks(
    draw: st.DrawFn,
    kinds: Sequence[str] = SPECTRAL_CLASSES,
    letters: str = "1",
    max_depth: int = 1,
    max_n: int = 3,
    max_d: int = 2,
) -> LRNN:
    """Networks of one head whose matrices are all of some spectral classes.

    Readouts and wiring are arbitrary; the output is a function of the last codeword.

    Args:
        draw: supplied by hypothesis.
        kinds: some of `SPECTRAL_CLASSES`.
        letters: names of the letters.
        max_depth: largest number of layers.
        max_n: largest number of rows of a layer.
        max_d: largest number of columns.
    """
    contexts, levels = len(letters), []
    for _ in range(draw(st.integers(1, max_depth))):
        n, d = draw(st.integers(1, max_n)), draw(st.integers(1, max_d))
        kind, size = draw(st.sampled_from(list(kinds))), draw(st.integers(2, 3))

        def numbers(*shape: int) -> np.ndarray:
            out = np.empty(int(np.prod(shape)), object)
            out[:] = [draw(_SMALL) for _ in out]
            return out.reshape(shape)

        matrices = np.array([draw(spectral_matrices(kind, n)) for _ in range(contexts)], object)
        layer = Layer(
            Dense(matrices),
            numbers(contexts, n, d),
            numbers(n, d),
            (numbers(size, n, d),),
            np.arange(size)[None, :, None].repeat(contexts, 0).repeat(2, 2),
            size,
            0,
        )
        below = draw(st.integers(1, 3))
        cells = draw(
            st.lists(st.integers(0, below - 1), min_size=contexts * size, max_size=contexts * size)
        )
        nxt = np.array(cells).reshape(contexts, size)
        nxt[0, 0] = below - 1  # all contexts below may be met
        levels.append(Level(layer, np.arange(contexts), nxt, draw(st.sampled_from(_READS))))
        contexts = below
    every = np.arange(len(letters))
    return LRNN(tuple(letters), every, (tuple(levels),), np.arange(contexts) % 2, 0)


_READS: tuple[Reads, ...] = ("current", "current", "previous", "shifted")
