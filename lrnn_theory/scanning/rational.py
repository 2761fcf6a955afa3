"""Any rounding arithmetic in plain Python numbers: slow, and as close to its definition as can be.

It runs what float64 cannot emulate (finite sets, wide fixed point, float64 with fused or exact
sums), and it is the reference that the fast kernels are tested against.  Finite numbers are
fractions, so that a product or sum is exact until it is rounded; inf and NaN are floats.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cyclotomic import Cyclotomic
from lrnn_theory.formats import Format
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.stored import StoredLayer, store

Number = Any  # an exact number (Fraction, Cyclotomic), inf or NaN
Pairs = Iterable[tuple[Number, Number]]


def exactly(x: Any) -> Number:
    """A stored number without rounding; one NaN object, so that equal states are equal tuples."""
    if isinstance(x, float) and not math.isfinite(x):
        return math.nan if math.isnan(x) else x
    return x if isinstance(x, Cyclotomic) else Fraction(x)


def times(x: Number, y: Number) -> Number:
    """The exact product; IEEE 754 where a factor is inf or NaN."""
    if not isinstance(x, float) and not isinstance(y, float):
        return x * y
    return _size(x) * _size(y)


def plus(x: Number, y: Number) -> Number:
    """The exact sum; IEEE 754 where a term is inf or NaN."""
    if not isinstance(x, float) and not isinstance(y, float):
        return x + y
    return _size(x) + _size(y)


def _size(x: Number) -> float:
    return x if isinstance(x, float) else float((x > 0) - (x < 0))


class RationalKernel:
    """States are object arrays (batch, n, d) of fractions, inf and NaN."""

    def __init__(self, layer: Layer, arithmetic: Arithmetic) -> None:
        assert arithmetic.format is not None
        self.arithmetic = arithmetic
        self.form: Format = arithmetic.format
        self.inner: Format | None = arithmetic.inner
        stored = store(layer, arithmetic)
        self._rows, self._factors, self.b = [], [], np.empty((0, layer.n, layer.d), object)
        self._append(stored)
        self.h0 = fractions(stored.h0)
        self.reader = Reader(stored, exact=stored.words[0].dtype == object)

    def _append(self, stored: StoredLayer) -> None:
        n = stored.columns.shape[1]
        for columns, values in zip(stored.columns.tolist(), stored.values.tolist(), strict=True):
            self._rows.append([_entries(c, v, n) for c, v in zip(columns, values, strict=True)])
        if stored.factors is not None:
            f = stored.factors
            rows = zip(f.columns.tolist(), f.values.tolist(), strict=True)
            betas = map(exactly, f.betas.tolist())
            pairs = [(_entries(*row, n), beta) for row, beta in zip(rows, betas, strict=True)]
            self._factors += [pairs[i:j] for i, j in pairwise(f.ptr.tolist())]
        self.b = np.concatenate([self.b, fractions(stored.b)])

    def extend(self, layer: Layer) -> None:
        """Append the actions of a layer that is otherwise the same."""
        self._append(store(layer, self.arithmetic))

    # ---------------------------------------------------------------- operations

    def _operate(self, x: Number) -> Number:
        return x if self.inner is None else exactly(self.inner.round(x))

    def _store(self, x: Number) -> Number:
        return exactly(self.form.round(x))

    def _dot(self, pairs: Pairs) -> Number:
        total: Number | None = None
        for w, x in pairs:
            product = times(w, x)
            if total is None:
                total = self._operate(product)
            elif self.arithmetic.fma:
                total = self._operate(plus(total, product))
            else:
                total = self._operate(plus(total, self._operate(product)))
        return Fraction(0) if total is None else total

    def _finish(self, total: Number, b: Number | None) -> Number:
        return self._store(total if b is None else self._operate(plus(total, b)))

    # ---------------------------------------------------------------- steps

    def start(self, batch: int) -> NDArray[Any]:
        """The initial state, (batch, n, d)."""
        return np.repeat(self.h0[None], batch, axis=0)

    def step(self, h: NDArray[Any], action: NDArray[Any]) -> NDArray[Any]:
        """States after one action each, (batch, n, d)."""
        return self.move(h, action, self.b[np.asarray(action)])

    def move(self, x: NDArray[Any], action: NDArray[Any], b: NDArray[Any] | None) -> NDArray[Any]:
        """A x + b, rounded like one step, for x of shape (batch, n, any)."""
        out = np.empty_like(x)
        for i, a in enumerate(np.asarray(action).tolist()):
            for j in range(x.shape[2]):
                column = x[i, :, j].tolist()
                inputs = [None] * len(column) if b is None else b[i, :, j].tolist()
                out[i, :, j] = self._column(column, a, inputs)
        return out

    def _column(self, h: list[Number], a: int, b: Sequence[Number | None]) -> list[Number]:
        if self._factors:
            for key, beta in reversed(self._factors[a]):
                h = self._reflect(h, key, beta)
            totals = h
        else:
            totals = [self._dot((w, h[j]) for j, w in row) for row in self._rows[a]]
        return [self._finish(x, y) for x, y in zip(totals, b, strict=True)]

    def _reflect(
        self, h: list[Number], key: list[tuple[int, Number]], beta: Number
    ) -> list[Number]:
        scale = self._operate(times(beta, self._dot((k, h[j]) for j, k in key)))
        h = list(h)
        for j, k in key:
            product = times(-k, scale)
            if self.inner is None:
                h[j] = self._store(plus(h[j], product))
            elif self.arithmetic.fma:
                h[j] = self._operate(plus(h[j], product))
            else:
                h[j] = self._operate(plus(h[j], -self._operate(-product)))
        return h

    def matrices(self, action: NDArray[Any]) -> NDArray[Any]:
        """The stored matrix of each action, (batch, n, n); factors act on the identity."""
        n = len(self.h0)
        out = np.full((len(action), n, n), Fraction(0), object)
        if self._factors:
            out[:, range(n), range(n)] = Fraction(1)
            return self.move(out, action, None)
        for i, a in enumerate(np.asarray(action).tolist()):
            for r, row in enumerate(self._rows[a]):
                for c, w in row:
                    out[i, r, c] = w
        return out

    def affine(self, p: NDArray[Any], x: NDArray[Any], b: NDArray[Any] | None) -> NDArray[Any]:
        """P x + b, rounded like one step, for matrices P of shape (batch, n, n)."""
        out = np.empty_like(x)
        for i, r, j in np.ndindex(*x.shape):
            total = self._dot(zip(p[i, r].tolist(), x[i, :, j].tolist(), strict=True))
            out[i, r, j] = self._finish(total, None if b is None else b[i, r, j])
        return out

    # ---------------------------------------------------------------- reading

    def decode(self, h: NDArray[Any]) -> NDArray[np.int64]:
        """Nearest codeword, slot by slot."""
        return np.array([self.reader(x) for x in h], np.int64)

    def keys(self, h: NDArray[Any]) -> list[Hashable]:
        """Every state as a tuple of numbers."""
        return [tuple(row) for row in h.reshape(len(h), -1).tolist()]


class Reader:
    """The nearest codeword of one state, by scores in float64 or exact ones."""

    def __init__(self, stored: StoredLayer, *, exact: bool) -> None:
        self._exact = exact
        self._slots = []
        for rows, words, (columns, values), offsets in zip(
            stored.slots, stored.words, stored.codewords, stored.offsets, strict=True
        ):
            pairs = zip(columns.tolist(), values.tolist(), strict=True)
            sparse = [_entries(*row, words.shape[1], exact=exact) for row in pairs]
            self._slots.append((rows, sparse, offsets.tolist()))

    def __call__(self, h: NDArray[Any]) -> int:
        """Index of the nearest codeword of a state (n, d)."""
        index = 0
        for rows, words, offsets in self._slots:
            x = h[rows].ravel().tolist()
            x = x if self._exact else list(map(float, x))
            best, top = 0, None
            for j, (word, offset) in enumerate(zip(words, offsets, strict=True)):
                terms = [c * x[i] for i, c in word]
                score = sum(terms[1:], terms[0] if terms else 0) - offset
                if score != score:
                    score = -math.inf  # a NaN
                if top is None or score > top:
                    best, top = j, score
            index = index * len(words) + best
        return index

    def between(self, low: NDArray[Any], high: NDArray[Any]) -> int | None:
        """The index of the nearest codeword of all states between two, (n, d) each.

        A score is monotone in every number of a state, rounded or not.  So the ends bound it; None
        if these bounds leave several codewords, or are not finite.
        """
        index = 0
        for rows, words, offsets in self._slots:
            ends = [x[rows].ravel().tolist() for x in (low, high)]
            if not self._exact:
                ends = [list(map(float, x)) for x in ends]
            bounds = []
            for word, offset in zip(words, offsets, strict=True):
                pair = []
                for side in (0, 1):
                    terms = [c * ends[side if c > 0 else 1 - side][i] for i, c in word]
                    pair.append(sum(terms[1:], terms[0] if terms else 0) - offset)
                bounds.append(pair)
            if not all(-math.inf < x < math.inf for pair in bounds for x in pair):
                return None
            best = max(range(len(bounds)), key=lambda j: bounds[j][0])
            rest = [high for j, (_, high) in enumerate(bounds) if j != best]
            if rest and bounds[best][0] <= max(rest):
                return None
            index = index * len(words) + best
        return index


def _entries(
    columns: list[int], values: list[Any], n: int, *, exact: bool = True
) -> list[tuple[int, Any]]:
    """The pairs (column, number) of a padded row."""
    pairs = zip(columns, values, strict=True)
    return [(c, exactly(v) if exact else v) for c, v in pairs if c < n]


def fractions(array: NDArray[Any]) -> NDArray[Any]:
    """An array of stored numbers as `exactly` gives them."""
    out = np.empty(array.shape, object)
    for i, x in zip(np.ndindex(array.shape), array.ravel().tolist(), strict=True):
        out[i] = exactly(x)
    return out
