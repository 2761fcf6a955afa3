"""The cast model: exact products and sums, and a decoder that sees them through a cast.

H_t = cast( sum_i cast(A_t ... A_{i+1} B_i) + cast(A_t ... A_1 H_0) ), as in Grazzi, Siems et al.,
arXiv 2411.12537, App. B.1.  A state is the multiset of the exact terms; those that are zero and
stay so are dropped, so that resets forget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.rational import Reader, exactly
from lrnn_theory.scanning.stored import store

Term = tuple[Any, ...]
"""The n * d exact numbers of a term, row-major."""


class CastKernel:
    """States are object arrays (batch, 1, 1) of frozensets of pairs (term, how often)."""

    def __init__(self, layer: Layer, arithmetic: Arithmetic) -> None:
        assert arithmetic.format is not None
        self.arithmetic, self.form = arithmetic, arithmetic.format
        self.d = layer.d
        stored = store(layer, arithmetic)
        self._shape = stored.h0.shape
        self._rows: list[list[list[tuple[int, Any]]]] = []
        self._b: list[Term] = []
        self.extend(layer)
        self.h0 = self._terms({tuple(stored.h0.ravel().tolist()): 1})
        self._reader = Reader(stored, exact=stored.words[0].dtype == object)
        self._images: dict[tuple[Term, int], Term] = {}
        self._casts: dict[Term, Term] = {}
        # A set without 0 casts a zero term to something: then it counts for ever.
        self._zero_counts = bool(self.form.cast(0))

    def extend(self, layer: Layer) -> None:
        """Append the actions of a layer that is otherwise the same."""
        stored = store(layer, self.arithmetic)
        n = layer.n
        for columns, values in zip(stored.columns.tolist(), stored.values.tolist(), strict=True):
            rows = zip(columns, values, strict=True)
            self._rows.append([[(c, v) for c, v in zip(*r, strict=True) if c < n] for r in rows])
        self._b += [tuple(b.ravel().tolist()) for b in stored.b]

    def _terms(self, counts: dict[Term, int]) -> frozenset[tuple[Term, int]]:
        return frozenset(counts.items())

    def start(self, batch: int) -> NDArray[Any]:
        """The initial state, (batch, 1, 1)."""
        return _boxed([self.h0] * batch)

    def step(self, h: NDArray[Any], action: NDArray[Any]) -> NDArray[Any]:
        """States after one action each, (batch, 1, 1)."""
        pairs = zip(h[:, 0, 0], np.asarray(action).tolist(), strict=True)
        return _boxed([self._step(terms, a) for terms, a in pairs])

    def _step(self, terms: frozenset[tuple[Term, int]], a: int) -> frozenset[tuple[Term, int]]:
        after: Counter[Term] = Counter()
        for term, count in terms:
            after[self._image(term, a)] += count
        after[self._b[a]] += 1
        if not self._zero_counts:
            after = Counter({term: count for term, count in after.items() if any(term)})
        return self._terms(after)

    def _image(self, term: Term, a: int) -> Term:
        if (term, a) not in self._images:
            d = self.d
            self._images[term, a] = tuple(
                sum(w * term[c * d + j] for c, w in row) for row in self._rows[a] for j in range(d)
            )
        return self._images[term, a]

    def _cast(self, term: Term) -> Term:
        if term not in self._casts:
            self._casts[term] = tuple(exactly(self.form.cast(x)) for x in term)
        return self._casts[term]

    def seen(self, terms: frozenset[tuple[Term, int]]) -> NDArray[Any]:
        """What the decoder sees of a state, (n, d)."""
        casts = [[count * x for x in self._cast(term)] for term, count in terms]
        total = [self.form.cast(sum(x)) for x in zip(*casts, strict=True)]
        out = np.zeros(self._shape, object)
        numbers = list(map(exactly, total)) or [exactly(self.form.cast(0))] * out.size
        for i, x in zip(np.ndindex(out.shape), numbers, strict=True):
            out[i] = x
        return out

    def observe(self, h: NDArray[Any]) -> NDArray[Any]:
        """What the decoder sees of states, (batch, n, d)."""
        return np.array([self.seen(x) for x in h[:, 0, 0]]).reshape(-1, *self._shape)

    def decode(self, h: NDArray[Any]) -> NDArray[np.int64]:
        """Nearest codeword, slot by slot."""
        return np.array([self._reader(self.seen(x)) for x in h[:, 0, 0]], np.int64)

    def keys(self, h: NDArray[Any]) -> list[Hashable]:
        """The multisets."""
        return h[:, 0, 0].tolist()


def _boxed(states: list[Any]) -> NDArray[Any]:
    out = np.empty((len(states), 1, 1), object)
    for i, state in enumerate(states):
        out[i, 0, 0] = state
    return out
