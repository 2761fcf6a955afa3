"""Networks that no construction makes: counters, scales, and random ones."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from lrnn_theory import LRNN, Dense, Diagonal, Householder, Layer, Level
from lrnn_theory.exclusion import ExclusionTail
from lrnn_theory.lrnn import Reads
from lrnn_theory.tail import Tail
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


def turning() -> LRNN:
    """A turn by atan(4/3), no part of a circle: fractions of 5^k; nothing is ever wrong."""
    turn = np.array([[[Fraction(3, 5), Fraction(-4, 5)], [Fraction(4, 5), Fraction(3, 5)]]])
    return weighing([1, 0], [[1000, 0], [0, 0]], Dense(turn))


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


NATIVE = ["float64", "float32", "bfloat16", "float16:once", "float8_e4m3", "fixed12.4", "tf32:each"]
"""Arithmetics that doubles emulate."""


def same_bits(x: Any, y: Any) -> bool:
    """Whether two arrays or tensors are the same, zeros' signs and NaNs included."""
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype == object:
        pairs = zip(x.ravel(), y.ravel(), strict=True)
        return x.shape == y.shape and all(type(a) is type(b) and a == b for a, b in pairs)
    return x.dtype == y.dtype and x.tobytes() == y.tobytes()


def random_words(
    lrnn: LRNN, seed: int, batch: int = 7, time: int = 30, dtype: Any = np.int64
) -> tuple[np.ndarray, np.ndarray]:
    """Letters (batch, time), and lengths."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(len(lrnn.letters), size=(batch, time)).astype(dtype)
    return tokens, rng.integers(time + 1, size=batch)


@st.composite
def chains(draw: st.DrawFn) -> LRNN:
    """Networks of one head whose levels read "previous" or "current"."""
    lrnn = draw(networks())
    reads = draw(st.sampled_from(["previous", "current"]))
    head = tuple(replace(v, reads=reads) if v.reads == "shifted" else v for v in lrnn.heads[0])
    assume(head)
    finals = int(head[-1].next.max()) + 1
    return replace(lrnn, heads=(head,), combine=(), output=np.arange(finals) % 2)


@st.composite
def with_tails(draw: st.DrawFn) -> LRNN:
    """Mealy and Moore networks of one head, or no layer, and a tail that need not be right."""
    lrnn = draw(networks())
    head = lrnn.heads[0]
    classes = int(lrnn.letter_class.max()) + 1
    finals = int(head[-1].next.max()) + 1 if head else classes
    n_states = draw(st.integers(1, 7))
    delta = draw(_indices(n_states, classes, n_states))
    largest = draw(st.integers(1, n_states))
    exclusion = ExclusionTail.below(delta, largest)
    blocks = st.sets(st.integers(0, n_states - 1), min_size=1, max_size=largest)
    contexts = []
    for _ in range(finals):
        before, letter = draw(blocks), draw(st.integers(0, classes - 1))
        after = {int(delta[letter, q]) for q in before}
        more = draw(st.integers(0, largest - len(after)))
        after |= set(draw(st.permutations(range(n_states)))[:more])
        contexts.append((sum(1 << q for q in before), letter, sum(1 << q for q in after)))
    mealy = draw(st.booleans())
    initial = [draw(st.integers(0, size - 1)) for size in exclusion.sizes]
    response = draw(_indices(2, *((classes, n_states) if mealy else (n_states,))))
    return replace(
        lrnn,
        heads=(head,),
        combine=(),
        output=np.zeros(0, np.int32),
        kind="mealy" if mealy else "moore",
        empty_output=-1 if mealy else 0,
        tail=Tail(exclusion, tuple(contexts), tuple(initial), response),
    )


@st.composite
def signed(draw: st.DrawFn) -> LRNN:
    """One layer whose rows have at most one entry, 1 or -1, and else a constant, or nothing."""
    largest = draw(st.sampled_from([0, 2]))
    n, actions = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    matrices, b = np.zeros((actions, n, n), int), np.zeros((actions, n, 1), int)
    for a in range(actions):
        column = rng.permutation(n) if draw(st.booleans()) else rng.integers(n, size=n)
        matrices[a, np.arange(n), column] = rng.choice([1, 1, -1, 0], size=n)
        b[a, :, 0] = np.where(
            matrices[a].any(axis=1), 0, rng.integers(-largest, largest + 1, size=n)
        )
    codewords = rng.integers(-2, 3, size=(3, n, 1))
    readout = np.tile(np.arange(3)[:, None], (actions, 1, 2))
    h0 = rng.integers(-2, 3, size=(n, 1))
    layer = Layer(Dense(matrices), b, h0, (codewords,), readout, 3, 0)
    level = Level(layer, np.arange(actions), rng.integers(2, size=(actions, 3)), "current")
    letters = tuple("abc"[:actions])
    return LRNN(letters, np.arange(actions), ((level,),), np.arange(2), 0)
