"""A search for two words that look alike in the cast model."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning.cast import CastKernel

Word = tuple[int, ...]


class _Node(NamedTuple):
    """A network after a word: states of layers, what "shifted" levels remember, the automaton's."""

    states: tuple[Any, ...]
    memory: tuple[int, ...]
    state: int
    word: Word


def confused_pair(
    lrnn: LRNN, wanted: Automaton, arithmetic: Arithmetic, budget: int
) -> tuple[tuple[Word, int], tuple[Word, int]] | None:
    """Two words with one last letter after which all that a readout sees is the same.

    Args:
        lrnn: a network without a tail.
        wanted: an automaton that answers them differently.
        arithmetic: the cast model of some format.
        budget: how many words are read.

    Returns:
        Each word with the answer that it needs; None if none of the first words are confused.
    """
    kernels = [CastKernel(level.layer, arithmetic) for level in lrnn.levels]
    shifted = [level.layer.initial for level in lrnn.levels if level.reads == "shifted"]
    start = tuple(kernel.start(1) for kernel in kernels)
    queue = deque([_Node(start, tuple(shifted), wanted.initial, ())])
    views: dict[Any, tuple[Word, int]] = {}
    for _ in range(budget):
        node = queue.popleft()
        for letter in range(len(lrnn.letters)):
            after, view = _read(lrnn, kernels, node, letter)
            state = int(wanted.delta[letter, node.state])
            response = wanted.response
            found = response[letter, node.state] if response.ndim == 2 else response[state]
            this = (*node.word, letter), int(found)
            known = views.setdefault(view, this)
            if known[1] != this[1]:
                return known, this
            queue.append(_Node(*after, state, this[0]))
    return None


def _read(
    lrnn: LRNN, kernels: list[CastKernel], node: _Node, letter: int
) -> tuple[tuple[tuple[Any, ...], tuple[int, ...]], Any]:
    """The network after a letter, and what a readout sees."""
    old, number = iter(node.memory), 0
    states: list[Any] = []
    memory: list[int] = []
    seen: list[Any] = [letter]
    for head in lrnn.heads:
        c = int(lrnn.letter_class[letter])
        for level in head:
            a, kernel = int(level.action[c]), kernels[number]
            h = kernel.step(node.states[number], np.array([a]))
            states.append(h)
            seen.append(tuple(kernel.seen(h[0, 0, 0]).ravel().tolist()))
            previous, current = level.layer.readout[a, int(kernel.decode(h)[0])]
            if level.reads == "shifted":
                previous = next(old)
                memory.append(int(current))
            c = int(level.next[c, current if level.reads == "current" else previous])
            number += 1
    after = tuple(states), tuple(memory)
    return after, (tuple(seen), node.memory, tuple(memory))
