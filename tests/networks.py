"""Networks that no construction makes: counters, scales, and random ones."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lrnn_theory import LRNN, Dense, Diagonal, Householder, Layer, Level
from lrnn_theory.lrnn import Reads
from lrnn_theory.transition import Transition


def counter(threshold: int, letters: str = "a", steps: tuple[int, ...] = (1,)) -> LRNN:
    """H <- H + step, accepting once H is nearer to 2 * threshold - 1 than to 0.

    That is from `threshold` on, where the arithmetic can count so far.
    """
    layer = Layer(
        Diagonal(np.ones((len(steps), 1), int)),
        np.array(steps).reshape(-1, 1, 1),
        np.zeros((1, 1), int),
        (np.array([0, 2 * threshold - 1]).reshape(2, 1, 1),),
        np.tile(np.array([[0, 0], [0, 1]], np.int32), (len(steps), 1, 1)),
        2,
        0,
    )
    every = np.arange(len(letters), dtype=np.int32)
    level = Level(layer, every, np.tile(np.array([0, 1], np.int32), (len(letters), 1)), "current")
    return LRNN(tuple(letters), every, ((level,),), np.array([0, 1], np.int32), 0)


def weighing(h0: Any, codewords: Any, transition: Any = None) -> LRNN:
    """One letter, one action, no input: the answer is 1 if the last codeword is nearest."""
    h0, words = np.array(h0), np.array(codewords)
    n = len(h0)
    readout = np.zeros((1, len(words), 2), np.int32)
    readout[0, -1, 1] = 1
    layer = Layer(
        transition or Dense(np.eye(n, dtype=int)[None]),
        np.zeros((1, n, 1), int),
        h0.reshape(n, 1),
        (words.reshape(len(words), n, 1),),
        readout,
        2,
        1,
    )
    one = np.zeros(1, np.int32)
    level = Level(layer, one, np.array([[0, 1]], np.int32), "current")
    return LRNN(("a",), one, ((level,),), np.array([0, 1], np.int32), 1)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Small layers of every kind of transition, with several slots and columns."""
    n, d = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    n_actions, size = draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def weights(*shape: int) -> np.ndarray:
        some = st.sampled_from([0, 0, 1, 1, -1, 2, Fraction(1, 2)])
        count = math.prod(shape)
        values = draw(st.lists(some, min_size=count, max_size=count))
        return np.array([*values, None], object)[:-1].reshape(shape)

    transition: Transition
    kind = draw(st.sampled_from(["dense", "diagonal", "householder"]))
    if kind == "dense":
        transition = Dense(weights(n_actions, n, n))
    elif kind == "diagonal":
        transition = Diagonal(weights(n_actions, n))
    else:
        counts = draw(st.lists(st.integers(0, 2), min_size=n_actions, max_size=n_actions))
        ptr = np.cumsum([0, *counts])
        transition = Householder(weights(int(ptr[-1]), n), weights(int(ptr[-1])), ptr)
    cut = draw(st.integers(1, n))
    rows = [cut, n - cut] if cut < n else [n]
    words = tuple(weights(draw(st.integers(1, 2)), r, d) for r in rows)
    shape = (n_actions, math.prod(map(len, words)), 2)
    return Layer(
        transition,
        weights(n_actions, n, d),
        weights(n, d),
        words,
        draw(_indices(size, *shape)),
        size,
        draw(st.integers(0, size - 1)),
    )


@st.composite
def _indices(draw: st.DrawFn, bound: int, *shape: int) -> np.ndarray:
    count = math.prod(shape)
    values = draw(st.lists(st.integers(0, bound - 1), min_size=count, max_size=count))
    return np.array(values, np.int32).reshape(shape)


@st.composite
def networks(draw: st.DrawFn) -> LRNN:
    """Mealy networks of one or two heads of up to two levels over the letters a and b."""
    heads, finals = [], []
    for _ in range(draw(st.integers(1, 2))):
        contexts, levels = 2, []
        for _ in range(draw(st.integers(0, 2))):
            layer, below = draw(layers()), draw(st.integers(1, 3))
            action = draw(_indices(layer.n_actions, contexts))
            nxt = draw(_indices(below, contexts, layer.size))
            reads: Reads = draw(st.sampled_from(["previous", "current", "shifted"]))
            levels.append(Level(layer, action, nxt, reads))
            contexts = below
        heads.append(tuple(levels))
        finals.append(contexts)
    combine = () if len(heads) == 1 else (draw(_indices(4, *finals)),)
    return LRNN(
        letters=("a", "b"),
        letter_class=draw(_indices(2, 2)),
        heads=tuple(heads),
        combine=combine,
        output=draw(_indices(2, finals[0] if len(heads) == 1 else 4)),
        empty_output=-1,
        kind="mealy",
        output_symbols=("x", "y"),
    )
