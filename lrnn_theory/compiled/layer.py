"""One layer in compiled code, bit for bit as docs/arithmetic.md says."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.formats import FORMATS
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.rules import KEEP, Rule, rule
from lrnn_theory.scanning.stored import StoredLayer, store

Indices = NDArray[np.int64]
Floats = NDArray[Any]

RIVALS = 8
"""Codewords that a state is likely to come near to, besides the one that it is read as."""


class Program(NamedTuple):
    """The weights of a layer and how a step is rounded; arrays of the type of the state.

    Attributes:
        once: whether a row is summed exactly.
        fma: whether a product is rounded together with the sum it goes into.
        odd: whether the terms of a sum may be so unlike that their sum in double is to be rounded
            to odd: products of `fma`, and weights that are not of the format.
        planar: whether a step is a dense matrix of the plane, rounded by single operations only.
        factored: whether the sparse rows are keys of Householder factors, or rows of matrices.
        inner: rounding of single operations.
        final: rounding of the result of a step.
        n: rows of the state.
        d: columns of the state.
        zero: 0.
        starts: (rows + 1,), where the entries of every sparse row start.
        columns: (entries,), where a column's row starts in a flat state.
        values: (entries,).
        ptr: (actions + 1,), the factors of every action.
        betas: (factors,).
        b: (actions, n * d).
        scratch: (n * d,).
        partials: partial sums of an exact sum.
    """

    once: bool
    fma: bool
    odd: bool
    planar: bool
    factored: bool
    inner: Rule
    final: Rule
    n: int
    d: int
    zero: np.floating
    starts: Indices
    columns: Indices
    values: Floats
    ptr: Indices
    betas: Floats
    b: Floats
    scratch: Floats
    partials: Floats


class Reader(NamedTuple):
    """The decoder of a layer, and what is known of it.

    Codewords of all slots are numbered one after another.

    Attributes:
        rows: (slots + 1,), where the entries of every slot start in a flat state.
        words: (slots + 1,), the first codeword of every slot.
        largest: (slots,), the largest entry of all its codewords.
        places: (codewords,), where a codeword starts in `entries`.
        entries: those of all codewords.
        starts: (codewords + 1,), where its nonzero entries start.
        columns: (nonzero entries,), where they are in a flat state.
        values: (nonzero entries,).
        offsets: (codewords,), |c|^2 / 2.
        balls: states that were read as every codeword, in the places of `entries`.
        rivals: (codewords, 8), the codewords that such a state was nearest to but for this one.
        radii: (codewords, 9), how far from it they, and all others, are known to score less; see
            `engine._watch`.  -1 until there is such a state.
    """

    rows: Indices
    words: Indices
    largest: Floats
    places: Indices
    entries: Floats
    starts: Indices
    columns: Indices
    values: Floats
    offsets: Floats
    balls: Floats
    rivals: Indices
    radii: Floats


class CompiledLayer:
    """A layer in a rounding arithmetic, letter after letter.

    Attributes:
        shape: of a state, (n, d).
        program: the step.
        reader: the decoder.

    Raises:
        ValueError: if the arithmetic is not supported, if the weights beside fixed point are too
            long (see `lrnn_theory.scanning.stored`), or if factors are needed and there are none.
    """

    def __init__(self, layer: Layer, arithmetic: Arithmetic) -> None:
        if not self.supports(arithmetic):
            raise ValueError(f"Arithmetic '{arithmetic}' has no compiled form.")
        stored = store(layer, arithmetic)
        if not stored.is_native:
            raise ValueError("Weights of a layer are too long for compiled code.")
        self.shape = stored.h0.shape
        self.program = _program(stored, arithmetic)
        self.reader = _reader(stored)
        self._h0 = stored.h0

    @staticmethod
    def supports(arithmetic: Arithmetic) -> bool:
        """Whether doubles emulate the arithmetic, and it reads letter after letter."""
        return arithmetic.is_native and arithmetic.order == "sequential"

    def start(self) -> NDArray[np.float64]:
        """The initial state, (n, d)."""
        return self._h0.copy()

    def flat(self, h: ArrayLike) -> Floats:
        """A state as compiled code holds it: a copy of shape (n * d,)."""
        return np.array(h, self.program.b.dtype).reshape(-1)

    def run(self, h: ArrayLike, actions: ArrayLike) -> NDArray[np.float64]:
        """The states after every action, (actions, n, d), from a state of shape (n, d)."""
        taken = np.asarray(actions, np.int64).reshape(-1)
        if taken.size and not 0 <= taken.min() <= taken.max() < len(self.program.b):
            raise ValueError(f"Argument 'actions' must be in 0..{len(self.program.b) - 1}.")
        from lrnn_theory.compiled import engine

        states = np.empty((len(taken), self.program.b.shape[1]))
        engine.run(self.program, self.flat(h), taken, states)
        return states.reshape(-1, *self.shape)

    def decode(self, h: ArrayLike) -> int:
        """Index of the codeword nearest to a state of shape (n, d)."""
        from lrnn_theory.compiled import engine

        return int(engine.decode(self.reader, self.flat(h)))


def _program(stored: StoredLayer, arithmetic: Arithmetic) -> Program:
    form, inner = arithmetic.format, arithmetic.inner or arithmetic.format
    assert form is not None
    assert inner is not None
    once, factors = arithmetic.semantics == "once", stored.factors
    plain = inner == FORMATS["float32"] and not once and not arithmetic.fma
    kind = np.float32 if plain else np.float64
    n, d = stored.h0.shape
    columns, values = (
        (factors.columns, factors.values)
        if factors
        else (stored.columns.reshape(-1, stored.columns.shape[2]), stored.values)
    )
    starts, columns, values = _compact(columns, values.reshape(columns.shape), n)
    width = int(np.diff(starts).max(initial=0))
    return Program(
        once,
        arithmetic.fma,
        arithmetic.fma or (arithmetic.keeps_weights and inner.name != "float64"),
        (n, d) == (2, 1) and arithmetic.semantics == "each" and not factors,
        factors is not None,
        rule(inner),
        Rule(KEEP) if arithmetic.semantics == "each" else rule(form),
        n,
        d,
        kind(0),
        starts,
        columns * d,
        values.astype(kind),
        factors.ptr if factors else np.zeros(1, np.int64),
        factors.betas.astype(kind) if factors else np.zeros(0, kind),
        stored.b.reshape(-1, n * d).astype(kind),
        np.empty(n * d, kind),
        np.empty(width + 1),
    )


def _reader(stored: StoredLayer) -> Reader:
    d = stored.h0.shape[1]
    sizes = [words.shape[1] for words in stored.words]
    rows = np.array([s.start * d for s in stored.slots] + [stored.h0.size])
    starts, columns, values = [np.zeros(1, np.int64)], [], []
    for (c, v), first, size in zip(stored.codewords, rows, sizes, strict=False):
        ends, c, v = _compact(c, v, size)
        starts.append(starts[-1][-1] + ends[1:])
        columns.append(first + c)
        values.append(v)
    counts = [len(words) for words in stored.words]
    entries = np.concatenate([words.ravel() for words in stored.words])
    lengths = np.repeat(sizes, counts)
    return Reader(
        rows,
        np.cumsum([0, *counts]),
        np.array([abs(words).max() for words in stored.words]),
        np.cumsum(lengths) - lengths,
        entries,
        np.concatenate(starts),
        np.concatenate(columns),
        np.concatenate(values),
        np.concatenate(stored.offsets),
        entries.copy(),
        np.zeros((sum(counts), RIVALS), np.int64),
        np.full((sum(counts), RIVALS + 1), -1.0),
    )


def _compact(columns: Indices, values: Floats, padding: int) -> tuple[Indices, Indices, Floats]:
    """Starts, columns and values of rows padded with a column number."""
    real = columns < padding
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(real.sum(axis=1))])
    return starts, columns[real], values[real]
