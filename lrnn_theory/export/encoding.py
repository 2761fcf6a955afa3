"""Layers as factors of the delta rule: H <- (I - beta k k^T) H + beta k v^T, one after another.

What the kernels of flash-linear-attention round decides which numbers may be stored.  There are two
encodings:

* *Integer* (`delta_factors`), for kernels that take k as it is: the layer's own keys and betas.
  With entries 0, 1, -1, beta |k|^2 in {0, 1, 2} and |k|^2 <= 2 every number that a kernel meets is
  a small integer, also in chunks: there T = (I + tril(diag(beta) K K^T))^-1 has the entries
  -beta_j k_i^T C_{i-1} ... C_{j+1} k_j, of absolute value at most 2 since the C are contractions.
* *Spread* (`spread`), for layers that divide k by its norm and bend it by silu: every coordinate
  has `copies` equal rows and, where keys of both signs occur, as many rows of its negative.  A
  factor then has a key without negative entries whose norm is a power of two, so that k / |k| is
  exact in bfloat16: e_i - e_j becomes (e_i + e_i' + e_-j + e_-j') / 2, and then
  (e_j + e_j' + e_-i + e_-i') / 2.

The input b of an action is written by its factors: C_F ... C_{j+1} beta_j k_j v_j^T sum up to b.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.lrnn import Layer
from lrnn_theory.transition import Array, Dense, Diagonal

WRITE = 64
"""What a spread layer holds for 1: silu(64) = 64 in every format, and sums stay exact."""
LEAST = 32
"""Least entry of a key of a spread layer: silu keeps numbers from here on."""


@dataclass(frozen=True, eq=False)
class Factor:
    """One step of the delta rule.

    Attributes:
        key: (n,), k.
        beta: beta.
        value: (d,), v.
    """

    key: Array
    beta: Any
    value: Array


def delta_factors(layer: Layer) -> list[list[Factor]]:
    """The factors of every action, the first one acting first.

    Raises:
        ValueError: if matrices are dense, or an input cannot be written by the factors.
    """
    return [_factors(layer, a) for a in range(layer.n_actions)]


def _factors(layer: Layer, action: int) -> list[Factor]:
    n, d = layer.n, layer.d
    match layer.transition:
        case Dense():
            raise ValueError(
                "A layer of dense matrices has no Householder factors, as the delta rule needs."
            )
        case Diagonal(diagonal=diagonal):
            row = diagonal[action]
            keys = np.eye(n, dtype=np.int64)[np.flatnonzero(row != 1)]
            betas = 1 - row[row != 1]
        case transition:
            product = transition.product(action)
            keys, betas = product.keys[::-1], product.betas[::-1]
    values = _values(keys, betas, layer.b[action])
    if values is None:
        raise ValueError(
            f"Action {action} of a layer adds an input that its {len(keys)} Householder factors "
            f"cannot write: the delta rule writes along its keys only."
        )
    zero = np.zeros(d, np.int64)
    return [
        Factor(k, beta, values.get(j, zero))
        for j, (k, beta) in enumerate(zip(keys, betas.tolist(), strict=True))
    ]


def _values(keys: Array, betas: Array, b: Array) -> dict[int, Array] | None:
    """The values v_j that write b, of projections on axes if they can; None if there are none."""
    if not (b != 0).any():
        return {}
    if not all(isinstance(x, int | Fraction) for a in (keys, betas, b) for x in a.ravel().tolist()):
        return None
    # The columns C_F ... C_{j+1} beta_j k_j, the last factor's first.
    order: list[int] = []
    moved: list[Array] = []
    for j in reversed(range(len(keys))):
        x = keys[j].astype(object) * betas[j]
        for i in range(j + 1, len(keys)):
            x = x - keys[i] * (betas[i] * (keys[i].astype(object) * x).sum())
        moved.append(x)
        order.append(j)
    axis = [_axis(keys[j]) is not None for j in order]
    ranked = sorted(range(len(order)), key=lambda i: (not axis[i], i))
    columns = np.array([moved[i] for i in ranked], object).reshape(len(ranked), len(b)).T
    solved = _solve(columns, b.astype(object))
    return None if solved is None else {order[ranked[i]]: v for i, v in solved.items()}


def _solve(columns: Array, b: Array) -> dict[int, Array] | None:
    """Rows v_i, (d,), with sum_i columns[:, i] v_i = b, exactly; those left out are 0."""
    rest = np.concatenate([columns, b], axis=1)
    n, width = columns.shape
    pivots: list[int] = []
    for c in range(width):
        r = len(pivots)
        below = [i for i in range(r, n) if rest[i, c] != 0]
        if not below:
            continue
        rest[[r, below[0]]] = rest[[below[0], r]]
        rest[r] = rest[r] * Fraction(1, 1) / rest[r, c]
        for i in range(n):
            if i != r and rest[i, c] != 0:
                rest[i] = rest[i] - rest[r] * rest[i, c]
        pivots.append(c)
    if (rest[len(pivots) :, width:] != 0).any():
        return None
    return {c: rest[r, width:] for r, c in enumerate(pivots)}


def _axis(key: Array) -> int | None:
    """The only nonzero entry of a key, or None."""
    (place,) = np.nonzero(key)
    return int(place[0]) if len(place) == 1 else None


# -------------------------------------------------------------------- the spread encoding


@dataclass(frozen=True, eq=False)
class SpreadFactor:
    """A step of a layer that normalises its keys.

    Attributes:
        key: (rows,), nonzero entries at least `LEAST` in size; divided by its norm in the layer.
        beta: in [0, 2].
        value: what is written along the normalised key.
    """

    key: NDArray[np.float64]
    beta: float
    value: float


@dataclass(frozen=True, eq=False)
class Spread:
    """A layer for kernels that normalise keys.

    Attributes:
        rows: rows of the state.
        factors: the factors of every action, the first one acting first.
        start: the factors that write H_0 into a state of zeros.
        place: (n,), the first row of every coordinate.
        mirror: (n,), the first row of its negative, or None if there are none.
        is_exact: whether bfloat16 has all normalised keys, and all betas are 0, 1 or 2.
    """

    rows: int
    factors: list[list[SpreadFactor]]
    start: list[SpreadFactor]
    place: NDArray[np.int64]
    mirror: NDArray[np.int64] | None
    is_exact: bool


def spread(layer: Layer, *, signed: bool, mirrored: bool = False) -> Spread:
    """The spread encoding of a layer.

    Args:
        layer: a layer of one column.
        signed: whether keys may have entries of both signs; if not, rows of negatives are added
            where they are needed.
        mirrored: whether to add rows of negatives in any case.

    Raises:
        ValueError: if `delta_factors` fails, the layer has several columns, an eigenvalue lies
            outside [-1, 1], or an input is not written along an axis.
    """
    if layer.d != 1:
        raise ValueError(f"A layer must have one column to be spread, not {layer.d}.")
    plain = [[(_floats(f.key), f) for f in action] for action in delta_factors(layer)]
    oblique = [k for action in plain for k, _ in action if (k != 0).sum() > 1]
    squares = {float(k @ k) for k in oblique}
    copies = 2 if squares and all(_power_of_4(2 * s) for s in squares) else 1
    mixed = any((k > 0).any() and (k < 0).any() for k in oblique)
    sheets = 2 if mirrored or (mixed and not signed) else 1
    maker = _Spreader(layer.n, copies, sheets)
    factors = [[s for k, f in action for s in maker.factors(k, f)] for action in plain]
    h0 = _floats(layer.h0[:, 0])
    start = [
        s
        for i in np.flatnonzero(h0)
        for row, sign in maker.rows_of(int(i))
        for s in maker.write(row, 1.0, sign * float(h0[i]))
    ]
    every = [s for action in factors for s in action]
    exact = all(s.beta in (0, 1, 2) and is_short(s.key / np.linalg.norm(s.key)) for s in every)
    place = np.arange(layer.n) * copies * sheets
    mirror = place + copies if sheets == 2 else None
    return Spread(layer.n * copies * sheets, factors, start, place, mirror, exact)


@dataclass(frozen=True)
class _Spreader:
    n: int
    copies: int
    sheets: int

    def rows_of(self, i: int) -> list[tuple[int, int]]:
        """The rows of a coordinate, and the sign in which each holds it."""
        first = i * self.copies * self.sheets
        signs = [s for s in (1, -1)[: self.sheets] for _ in range(self.copies)]
        return [(first + j, sign) for j, sign in enumerate(signs)]

    def factors(self, k: NDArray[np.float64], factor: Factor) -> list[SpreadFactor]:
        """What one factor becomes."""
        beta = float(factor.beta * (factor.key * factor.key).sum())
        value = float(factor.value[0])
        if not 0 <= beta <= 2:
            raise ValueError(f"An eigenvalue must be in [-1, 1] for such a layer, not {1 - beta}.")
        i = _axis(k)
        if i is not None:
            value /= k[i]
            return [s for row, sign in self.rows_of(i) for s in self.write(row, beta, sign * value)]
        if value:
            raise ValueError("An input must be written along an axis for such a layer.")
        if self.sheets == 1:
            same = (k >= 0).all() or (k <= 0).all()
            return [self._oblique([abs(k)] if same else [k], beta)]
        positive, negative = np.maximum(k, 0), np.maximum(-k, 0)
        pairs = [(positive, negative), (negative, positive)]
        return [self._oblique(pair, beta) for pair in pairs]

    def write(self, row: int, beta: float, value: float) -> list[SpreadFactor]:
        """A factor along the axis of a row; a negative number is written and then reflected."""
        key = np.zeros(self.n * self.copies * self.sheets)
        key[row] = WRITE
        steps = [SpreadFactor(key, beta, WRITE * abs(value))]
        if value < 0:
            if beta != 1:
                raise ValueError("A negative input must be written by a projection.")
            steps.append(SpreadFactor(key, 2.0, 0.0))
        return steps

    def _oblique(self, parts: Any, beta: float) -> SpreadFactor:
        wide = np.stack(np.broadcast_arrays(*parts), axis=1)  # (n, sheets)
        key = np.repeat(wide.ravel(), self.copies)
        least = abs(key[key != 0]).min()
        return SpreadFactor(key * max(1.0, 2.0 ** np.ceil(np.log2(LEAST / least))), beta, 0.0)


def _floats(array: Array) -> NDArray[np.float64]:
    return np.array([float(x) for x in array.ravel().tolist()]).reshape(array.shape)


def is_short(x: NDArray[np.float64]) -> bool:
    """Whether bfloat16 has all of these numbers."""
    mantissa = np.frexp(x)[0] * 256
    return bool((mantissa == np.rint(mantissa)).all())


def _power_of_4(x: float) -> bool:
    mantissa, exponent = np.frexp(x)
    return mantissa == 0.5 and exponent % 2 == 1
