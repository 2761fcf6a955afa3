"""The layer that the weights of an operation or layer of flash-linear-attention make.

The numbers are those that its kernels compute with: keys after silu and division by their norm,
beta = 2 sigmoid(.), the state after the tokens that write H_0.  Queries and the decoder say what
the module makes of a state; so the states that can be reached are the codewords of the layer, and
what each is decoded to is its readout.  All of this is computed in float64 without rounding:

    keys and betas are multiples of 1/16, beta |k|^2 is in [0, 2], |k|^2 <= 256, and states and
    values are multiples of 1/256 of at most 2^20.

Then k h is a multiple of 2^-12 below 2^24, and beta k (k h) one of 2^-20 below 2^21.  Other
modules are not read back, with one exception: where an operation gives its state as it is, its
decoder's codewords are the layer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import silu

from lrnn_theory.export.fla_module import FlaLevel, LayerLevel, OperationLevel
from lrnn_theory.export.fla_plan import clear_signs, key_rows, value_columns
from lrnn_theory.export.readout import one_hot_index
from lrnn_theory.transition import Array, Householder

STATES_BY_CODEWORD = 4
"""Most states of a level that are followed, by codewords; ours has as many as it has codewords."""
_EPSILON = 1e-6
"""What the kernels add to |k|^2 before they divide by its root."""

_ROUNDED = (
    "A module of flash-linear-attention is read back as an LRNN only if no kernel rounds its "
    "numbers; try this one on words."
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Recurrence:
    """Factors by action, the first one acting first: (actions, factors, ...).

    Attributes:
        keys: (actions, factors, n).
        betas: (actions, factors).
        values: (actions, factors, d).
        h0: (n, d).
        queries: (heads, n).
    """

    keys: Floats
    betas: Floats
    values: Floats
    h0: Floats
    queries: Floats


def fla_layer(
    level: FlaLevel,
) -> tuple[Householder, Array, Array, tuple[Array, ...], NDArray[np.int64]]:
    """Transition, inputs, H_0, codewords, and the index that the module decodes each to.

    Raises:
        ValueError: if kernels round its numbers, or it is not as it was exported.
    """
    assert isinstance(level, OperationLevel | LayerLevel)
    is_layer = isinstance(level, LayerLevel)
    r = _trimmed(_of_layer(level) if is_layer else _of_operation(level))
    actions, factors, n = r.keys.shape
    d = r.h0.shape[1]
    transition = Householder(
        r.keys[:, ::-1].reshape(-1, n),
        r.betas[:, ::-1].reshape(-1),
        np.arange(actions + 1) * factors,
    )
    if not is_layer and np.array_equal(r.queries, np.eye(n)):
        inputs = np.array(
            [_read(r, a, np.zeros((n, d), object), exact=True) for a in range(actions)]
        )
        numbers = [_numbers(w) for w in level.decoder.codewords]
        words = tuple(w.reshape(len(w), -1, d) for w in numbers)
        return transition, inputs, r.h0, words, np.arange(prod(map(len, words)))
    _check_short(r)
    inputs = np.stack([_read(r, a, np.zeros((n, d))) for a in range(actions)])
    count = prod(len(words) for words in level.decoder.codewords)
    states = _reached(r, STATES_BY_CODEWORD * count)
    return transition, inputs, r.h0, (states,), _decoded(level, r, states, signs=is_layer)


def _read(r: _Recurrence, action: int, h: Array, *, exact: bool = False) -> Array:
    """States (..., n, d) after an action; of objects if exact."""
    for k, beta, v in zip(r.keys[action], r.betas[action], r.values[action], strict=True):
        if beta == 0:
            continue
        if exact:
            k, beta, v = _fractions(k), _fractions(beta)[()], _fractions(v)
        k = k[:, None]
        h = h + beta * k * (v - (k * h).sum(-2, keepdims=True))
    return h


def _fractions(x: Any) -> Array:
    return np.vectorize(Fraction, otypes=[object])(x)


def _trimmed(r: _Recurrence) -> _Recurrence:
    """Without rows that stay 0, with which kernels fill up their blocks."""
    keys = np.where(r.betas[..., None] == 0, 0, r.keys)
    rows = np.flatnonzero((keys != 0).any((0, 1)) | (r.h0 != 0).any(1))
    rows = rows if len(rows) else np.arange(1)
    return _Recurrence(keys[..., rows], r.betas, r.values, r.h0[rows], r.queries[:, rows])


# -------------------------------------------------------------------- weights


def _of_operation(level: OperationLevel) -> _Recurrence:
    keys, betas, values = _numbers(level.keys), _numbers(level.betas), _numbers(level.values)
    return _Recurrence(keys, betas, values, _numbers(level.h0), _numbers(level.queries))


def _of_layer(level: LayerLevel) -> _Recurrence:
    shape, layer, width = level.shape, level.layer, level.width
    heads, n, columns = shape["heads"], key_rows(shape), value_columns(shape)
    factors = shape["factors"] if shape["target"] == "GatedDeltaProduct" else 1

    def by_token(name: str, *size: int) -> Tensor:
        return getattr(layer, name).weight.detach().cpu().T.reshape(width, *size)

    def bent(x: Tensor) -> Tensor:
        return x if shape["target"] == "DeltaNet" else silu(x)

    k = bent(by_token("k_proj", factors, heads, n)).float()
    k = k / ((k * k).sum(-1, keepdim=True) + _EPSILON).sqrt()
    v = silu(by_token("v_proj", factors, heads, columns))
    beta = 2 * by_token("b_proj", factors, heads).sigmoid()
    q = bent(by_token("q_proj", heads, n))
    same = all(torch.equal(x, x[:, :, :1].expand_as(x)) for x in (k, v, beta))
    constants = all(
        torch.equal(x := layer.get_parameter(name).detach().cpu(), torch.as_tensor(y).to(x.dtype))
        for name, y in level.constants().items()
    )
    if not (same and constants and torch.equal(q, q[:1].expand_as(q)) and not v[..., 1:].any()):
        raise ValueError(
            "The weights of a layer of flash-linear-attention are no longer those of one state "
            "that all heads hold and give the signs of."
        )
    tokens = _tokens(level)
    h0 = np.zeros((n, 1))
    keys, betas, values = (_numbers(x[:, :, 0]) for x in (k, beta, v[..., :1]))
    every = _Recurrence(keys, betas, values, h0, _numbers(q[0]))
    _check_short(every)
    if not np.isin(betas, (0, 1, 2)).all():  # the ends of the sigmoid and its middle
        raise ValueError(_ROUNDED)
    for token in range(shape["tokens"], shape["tokens"] + shape["prefix"]):
        h0 = _read(every, token, h0)

    def joined(x: Floats) -> Floats:
        """By action: the factors of its tokens, one after another."""
        return x[tokens].reshape(len(tokens), -1, *x.shape[2:])

    return _Recurrence(joined(keys), joined(betas), joined(values), h0, every.queries)


def _tokens(level: LayerLevel) -> NDArray[np.int64]:
    """The tokens of every action, (actions, tokens a letter)."""
    weight = level.tokens.weight.detach().T.reshape(-1, level.per_letter, level.width)
    return one_hot_index("the tokens of an action", weight)


def _numbers(x: Tensor) -> Floats:
    return x.detach().cpu().double().numpy()


# -------------------------------------------------------------------- states


def _check_short(r: _Recurrence) -> None:
    squares = (r.keys * r.keys).sum(-1)
    shrinks = (r.betas * squares >= 0) & (r.betas * squares <= 2) & (squares <= 256)
    if not (
        shrinks.all()
        and _are_multiples(1 / 16, r.keys, r.betas)
        and _are_multiples(1 / 256, r.values, r.h0)
        and max(abs(r.values).max(initial=0), abs(r.h0).max(initial=0)) <= 1 << 14
    ):
        raise ValueError(_ROUNDED)


def _are_multiples(unit: float, *arrays: Floats) -> bool:
    return all(bool((x / unit == np.rint(x / unit)).all()) for x in arrays)


def _reached(r: _Recurrence, most: int) -> Floats:
    """All states that words reach, (states, n, d), the initial one first."""
    found = {(r.h0 + 0.0).tobytes()}
    every = [r.h0]
    frontier = r.h0[None]
    while len(frontier):
        first = len(every)
        for action in range(len(r.keys)):
            for h in _read(r, action, frontier) + 0.0:  # -0 is 0
                if (name := h.tobytes()) not in found:
                    found.add(name)
                    every.append(h)
        frontier = np.array(every[first:]).reshape(-1, *r.h0.shape)
        if len(every) > most or not _are_multiples(1 / 256, frontier):
            raise ValueError(_ROUNDED)
    return np.array(every)


def _decoded(level: FlaLevel, r: _Recurrence, states: Floats, *, signs: bool) -> NDArray[np.int64]:
    """What the decoder makes of every state."""
    readings = np.einsum("hn,snd->shd", r.queries, states)
    if signs:
        _, clear = clear_signs(r.queries, states[:, :, 0])
        if not clear.all():
            raise ValueError("A layer's head gives a sign that rounding decides; try it on words.")
        readings = np.sign(readings)
    with torch.no_grad():
        parts = torch.as_tensor(readings).split(256)
        return torch.cat([level.decoder(part).argmax(-1) for part in parts]).numpy()
