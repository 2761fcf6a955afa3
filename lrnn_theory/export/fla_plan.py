"""How a layer runs in an operation or layer of flash-linear-attention: factors, queries, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.export.encoding import (
    Factor,
    Spread,
    SpreadFactor,
    delta_factors,
    is_short,
    spread,
)
from lrnn_theory.export.torch_weights import floats
from lrnn_theory.lrnn import Layer

Operation = Literal[
    "fused_recurrent_delta_rule",
    "chunk_delta_rule",
    "chunk_gated_delta_product",
    "fused_recurrent_gated_delta_rule",
    "chunk_gated_delta_rule",
]
FlaLayer = Literal["DeltaNet", "GatedDeltaNet", "GatedDeltaProduct"]
Mode = Literal["fused_recurrent", "chunk"]
Keys = Literal["integer", "unit"]

OPERATIONS: tuple[str, ...] = get_args(Operation)
LAYERS: tuple[str, ...] = get_args(FlaLayer)
MODES: tuple[str, ...] = get_args(Mode)
MAX_KEY = 256
"""Most rows of a state that the kernels take."""
_SMALL = 4
"""Most rows of a slot of which all small integer queries are tried."""
_MARGIN = 0.02
"""Least share of its largest possible value that a query must have on a codeword, or 0."""
_NARROW, _WIDE = 1, 16
"""Columns of a state: a fused kernel takes any number, a chunked one multiplies blocks of 16."""


class Plan:
    """The weights of a level, before there are modules: its shape, factors, queries, codewords."""

    def __init__(
        self,
        shape: dict[str, Any],
        factors: Sequence[Sequence[Factor]] | Spread,
        queries: NDArray[np.float64],
        codewords: list[NDArray[np.float64]],
        h0: NDArray[np.float64],
        *,
        unit: bool,
        is_exact: bool,
    ) -> None:
        self.shape, self.factors, self.queries = shape, factors, queries
        self.codewords, self.h0, self.unit, self.is_exact = codewords, h0, unit, is_exact


def checked_mode(target: str, mode: str | None, keys: str) -> Mode:
    """The kernels that run an operation or a layer: what is asked for, or what its name says.

    Raises:
        ValueError: if there is no such target, mode or keys, or an operation has another mode.
    """
    for name, value, known in (
        ("target", target, (*OPERATIONS, *LAYERS)),
        ("mode", mode, (*MODES, None)),
        ("keys", keys, get_args(Keys)),
    ):
        if value not in known:
            names = ", ".join(x for x in known if x)
            raise ValueError(f"Argument '{name}' must be one of {names}, not {value!r}.")
    if target in LAYERS:
        return "chunk" if mode == "chunk" else "fused_recurrent"
    own: Mode = "chunk" if target.startswith("chunk") else "fused_recurrent"
    if mode not in (None, own):
        raise ValueError(f"Argument 'mode' must be '{own}' for {target}, not {mode!r}.")
    return own


def plan_level(layer: Layer, target: str, mode: str, keys: str) -> Plan:
    """How a layer runs in an operation or layer of flash-linear-attention."""
    signs = target in LAYERS
    queries, words = _queries(layer, signs=signs)
    h0 = floats(layer.h0)
    shape: dict[str, Any] = {
        "target": target,
        "mode": mode,
        "readings": [[len(w), w.shape[1]] for w in words],
        "heads": len(queries),
    }
    if not signs:
        plain = delta_factors(layer)
        shape |= {"factors": max(1, *map(len, plain)), "rows": layer.n}
        unit = keys == "unit"
        exact = not unit and _stays_short(plain) and all(is_short(w) for w in words)
        return Plan(shape, plain, queries, words, h0, unit=unit, is_exact=exact)
    signed = target == "DeltaNet"
    wide = spread(layer, signed=signed, mirrored=not signed and bool((queries < 0).any()))
    if wide.rows > MAX_KEY:
        raise ValueError(
            f"A layer of {layer.n} rows takes {wide.rows} in {target}, more than {MAX_KEY}."
        )
    most = max(1, *map(len, wide.factors))
    spread_queries = np.zeros((len(queries), wide.rows))
    if wide.mirror is None:
        spread_queries[:, wide.place] = queries
    else:
        spread_queries[:, wide.place] = np.maximum(queries, 0)
        spread_queries[:, wide.mirror] = np.maximum(-queries, 0)
    if target == "GatedDeltaProduct":
        shape |= {"tokens": layer.n_actions, "prefix": -(-len(wide.start) // most)}
    else:
        shape |= {"tokens": len(distinct_factors(wide)[0]), "prefix": len(wide.start)}
    shape |= {"factors": most, "rows": wide.rows}
    exact = wide.is_exact
    return Plan(shape, wide, spread_queries, words, h0, unit=False, is_exact=exact)


def _stays_short(factors: list[list[Factor]]) -> bool:
    """Whether products of these factors have small integer entries; see `encoding`."""
    for f in (f for action in factors for f in action):
        square = (f.key * f.key).sum()
        small = all(x in (-1, 0, 1) for x in f.key.tolist()) and square <= 2
        if not small or f.beta * square not in (0, 1, 2) or not is_short(floats(f.value)):
            return False
    return True


def _queries(layer: Layer, *, signs: bool) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Queries (heads, n), and for every slot what its heads give on the codewords (words, heads d).

    Raises:
        ValueError: if only signs are seen, and two codewords of a slot have the same.
    """
    queries, words, first = [], [], 0
    for slot in layer.codewords:
        numbers = floats(slot)  # (words, rows, d)
        rows = numbers.shape[1]
        if signs:
            chosen = _sign_queries(numbers)
        elif _one_hot(numbers):
            chosen = np.arange(1, rows + 1)[None].astype(float)
        else:
            chosen = np.eye(rows)
        seen = np.einsum("hr,wrd->whd", chosen, numbers).reshape(len(numbers), -1)
        wide = np.zeros((len(chosen), layer.n))
        wide[:, first : first + rows] = chosen
        queries.append(wide)
        words.append(np.sign(seen) if signs else seen)
        first += rows
    return np.concatenate(queries), words


def _sign_queries(words: NDArray[np.float64]) -> NDArray[np.float64]:
    """Queries whose signs tell codewords of one column apart: few, found one after another."""
    flat = words[:, :, 0]
    rows = flat.shape[1]
    if _one_hot(words):
        bits = max(1, rows.bit_length())
        return (np.arange(1, rows + 1)[None] >> np.arange(bits)[:, None] & 1).astype(float)
    eye = np.eye(rows)
    pairs = [eye[i] + sign * eye[j] for sign in (-1, 1) for i in range(rows) for j in range(i)]
    small = product((-2, -1, 0, 1, 2), repeat=rows) if rows <= _SMALL else ()
    few = np.array([*eye, *pairs, *(q for q in small if any(q))], float)
    for queries in (few, np.concatenate([few, _many_queries(rows)])):
        values, clear = clear_signs(queries, flat)
        usable = clear.all(axis=1)
        chosen = _telling_apart(np.sign(values[usable]).astype(np.int64))
        if chosen is not None:
            return queries[usable][chosen] if chosen else eye[:1]
    raise ValueError("A layer gives signs only, and no signs tell all codewords of a slot apart.")


def _many_queries(rows: int) -> NDArray[np.float64]:
    """Directions for codewords that are orthogonal to all short ones, as irrational ones may be."""
    return np.random.default_rng(0).integers(-16, 17, size=(2000, rows)).astype(float)


def _telling_apart(patterns: NDArray[np.int64]) -> list[int] | None:
    """Rows of (queries, codewords) in which any two columns differ; None if there are none."""
    chosen: list[int] = []
    block = np.zeros(patterns.shape[1], np.int64)
    while block.max() < len(block) - 1:
        split = [len(np.unique(block * 3 + p)) for p in patterns]
        best = int(np.argmax(split)) if split else 0
        if not split or split[best] == block.max() + 1:
            return None
        chosen.append(best)
        block = np.unique(block * 3 + patterns[best], return_inverse=True)[1]
    return chosen


def clear_signs(
    queries: NDArray[np.float64], states: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The values of queries on states of one column, and whether their signs survive rounding.

    Args:
        queries: (queries, n).
        states: (states, n).

    Returns:
        Both (queries, states).
    """
    values = queries @ states.T
    sizes = np.linalg.norm(queries, axis=1)
    bounds = _MARGIN * sizes[:, None] * np.linalg.norm(states, axis=1)
    # A 0 is seen as one only if it adds up nothing, or the normalised query is not rounded.
    short = np.array([is_short(q / (s or 1)) for q, s in zip(queries, sizes, strict=True)])
    nothing = abs(queries) @ abs(states).T == 0
    return values, (abs(values) > bounds) | nothing | ((values == 0) & short[:, None])


def _one_hot(words: NDArray[np.float64]) -> bool:
    """Whether codewords are 0 or a standard basis vector, all of at most 255 rows."""
    flat = words.reshape(len(words), -1)
    small = words.shape[1] < 256 and words.shape[2] == 1
    return bool(small and ((flat == 0) | (flat == 1)).all() and (flat.sum(axis=1) <= 1).all())


def key_rows(shape: dict[str, Any]) -> int:
    """Rows of the state as kernels see it: a power of two, at least 16."""
    return max(16, 1 << (shape["rows"] - 1).bit_length())


def value_columns(shape: dict[str, Any]) -> int:
    """Columns of the state as kernels see it."""
    return _WIDE if shape["mode"] == "chunk" else _NARROW


def distinct_factors(wide: Spread) -> tuple[list[SpreadFactor], NDArray[np.int64]]:
    """The distinct factors, and those of every action by number, (actions, factors).

    An action of few factors ends with a factor of beta 0.
    """
    known: dict[Any, int] = {}
    vocabulary: list[SpreadFactor] = []

    def number(factor: SpreadFactor) -> int:
        name = (factor.key.tobytes(), factor.beta, factor.value)
        if name not in known:
            known[name] = len(vocabulary)
            vocabulary.append(factor)
        return known[name]

    most = max(1, *map(len, wide.factors))
    rest = SpreadFactor(np.zeros(wide.rows), 0.0, 0.0)
    index = [
        [number(f) for f in (*factors, *[rest] * (most - len(factors)))] for factors in wide.factors
    ]
    return vocabulary, np.array(index)
