"""Partitions of states that the letters respect, and shortest words that tell states apart.

Both work on a bare table of transitions and responses; a response of shape (states,) is seen on
arrival (DFA, Moore), one of shape (letters, states) when the letter is read (Mealy).

Sources: J. Hopcroft, "An n log n algorithm for minimizing states in a finite automaton", 1971;
E. F. Moore, "Gedanken-experiments on sequential machines", 1956.
"""

from __future__ import annotations

from array import array
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

MAX_PAIRS = 400_000_000
"""Largest accepted number of pairs of states, a byte each, in the search for a difference."""


def coarsest_congruence(
    delta: NDArray[np.integer], response: NDArray[np.integer]
) -> NDArray[np.int32]:
    """Coarsest partition of the states that the response and every letter respect.

    Hopcroft's algorithm, O(letters * states * log states).  It runs on Python containers because
    a split must cost the size of its smaller part; array operations on whole blocks take quadratic
    time on a chain of states.

    Args:
        delta: transitions, (letters, states).
        response: (states,) or (letters, states).

    Returns:
        Block numbers 0, 1, ... of every state, (states,).

    Example:
        >>> coarsest_congruence(np.array([[1, 2, 3, 0]]), np.array([0, 1, 0, 1])).tolist()
        [0, 1, 0, 1]
    """
    n = delta.shape[1]
    rows = response.T if response.ndim == 2 else response[:, None]
    block = np.unique(rows, axis=0, return_inverse=True)[1].ravel().tolist()
    blocks: list[set[int]] = [set() for _ in range(max(block) + 1)]
    for state, number in enumerate(block):
        blocks[number].add(state)
    # sources[start[q]:start[q + 1]] are the states that a letter sends to q.  As `array`, which
    # Python reads faster than a numpy array and which takes a ninth of the memory of a list.
    preimages = []
    for row in delta:
        sources = np.argsort(row, kind="stable")
        start = np.searchsorted(row[sources], np.arange(n + 1))
        preimages.append([array("i", x.astype(np.int32).tobytes()) for x in (sources, start)])
    splitter = 0
    # Every block is a splitter once.  When a block splits, its smaller part becomes a new block:
    # if the old one was already used, the larger part need not be; if not, it still will be.
    while splitter < len(blocks):
        targets = list(blocks[splitter])
        for sources, start in preimages:
            hit: dict[int, list[int]] = defaultdict(list)
            for q in targets:
                for p in sources[start[q] : start[q + 1]]:
                    hit[block[p]].append(p)
            for number, inside in hit.items():
                whole = blocks[number]
                if len(inside) == len(whole):
                    continue
                if 2 * len(inside) <= len(whole):
                    smaller = set(inside)
                    whole -= smaller
                else:
                    smaller = whole.difference(inside)
                    blocks[number] = set(inside)
                for p in smaller:
                    block[p] = len(blocks)
                blocks.append(smaller)
        splitter += 1
    return np.array(block, np.int32)


def distinguishing_word(
    delta: NDArray[np.integer], response: NDArray[np.integer], p: int, q: int
) -> tuple[int, ...] | None:
    """The shortest word on which states p and q respond differently, or None if there is none.

    Breadth-first over pairs of blocks of the coarsest congruence, a level at a time.  Among the
    shortest words it is the first in the order of the letters.

    Args:
        delta: transitions, (letters, states).
        response: (states,) or (letters, states).
        p: a state.
        q: a state.

    Raises:
        ValueError: if there are too many pairs.

    Example:
        >>> distinguishing_word(np.array([[1, 2, 2]]), np.array([0, 0, 1]), 0, 1)
        (0,)
    """
    block = coarsest_congruence(delta, response)
    if block[p] == block[q]:
        return None
    first = np.unique(block, return_index=True)[1]
    delta, response = block[delta[:, first]], response[..., first]
    left, right = block[[p]], block[[q]]
    mealy = response.ndim == 2
    if not mealy and response[left] != response[right]:
        return ()
    n_letters, n = delta.shape
    if n * n > MAX_PAIRS:
        raise ValueError(
            f"A comparison may have at most {MAX_PAIRS} pairs of states (raise "
            f"lrnn_theory.congruence.MAX_PAIRS for more), not {n} x {n}."
        )
    seen = np.zeros(n * n, np.bool_)
    parents: list[NDArray[np.int64]] = []
    while True:
        # Rows are pairs in the order of their words, columns are letters.
        after_left, after_right = delta[:, left].T, delta[:, right].T
        if mealy:
            differ = response[:, left].T != response[:, right].T
        else:
            differ = response[after_left] != response[after_right]
        if differ.any():
            return _spell(parents, int(differ.argmax()), n_letters)
        after_left, after_right = after_left.ravel(), after_right.ravel()
        pairs, place = np.unique(after_left * np.int64(n) + after_right, return_index=True)
        fresh = ~seen[pairs] & (after_left != after_right)[place]
        seen[pairs[fresh]] = True
        place = np.sort(place[fresh])
        parents.append(place)
        left, right = after_left[place], after_right[place]


def _spell(parents: list[NDArray[np.int64]], place: int, n_letters: int) -> tuple[int, ...]:
    """The word that ends at a place: its row (the pair before) and its column (the letter)."""
    pair, letter = divmod(place, n_letters)
    word = [letter]
    for level in reversed(parents):
        pair, letter = divmod(int(level[pair]), n_letters)
        word.append(letter)
    return tuple(reversed(word))
