"""The local certificate of a cascade: that it simulates an automaton, proved from its tables.

Checking every configuration of a cascade is out of the question: their number is a product over
the levels.  It is enough to look at every context once.  A context stands for a pair of *nodes*,
what the levels above say before and after the letter.  A node and a coordinate lead to a node of
the next level; that this depends on nothing else is what makes coordinates mean a state.  The
nodes are computed here, as coarse as the tables force them to be.  Proof in docs/cascades.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.cover import Level, letter_images

Indices = NDArray[np.int64]
_NOWHERE = np.iinfo(np.int64).max


def check_wiring(
    delta: NDArray[np.int32],
    levels: Sequence[Level],
    initial: Sequence[int],
    contexts: Sequence[tuple[int, int, int]],
) -> None:
    """Prove that levels track the sets of states named below them.

    Args:
        delta: transitions, of shape (letters, states).
        levels: the levels; context c of the first is letter c.
        initial: the initial coordinates of at least these levels.
        contexts: what the last level points to (the first contexts, if there is no level):
            triples (set of states before, letter, set of states after), sets as bitmasks.

    Raises:
        ValueError: if a table has a wrong shape or an index out of range; if an action is neither
            a permutation nor a reset; if coordinates that can occur have no context; or if the
            set of states before or after is not a function of the coordinates, or does not
            follow the transitions.
    """
    counts = [*(len(level.action) for level in levels), len(contexts)]
    if counts[0] != len(delta) or len(initial) < len(levels):
        raise ValueError("There must be a context a letter, and a coordinate a level.")
    letter = np.arange(len(delta))
    old = new = np.zeros(len(delta), np.int64)
    start = 0
    for number, (level, coordinate, n_next) in enumerate(
        zip(levels, initial, counts[1:], strict=False)
    ):
        try:
            _check_tables(level, len(letter), coordinate, n_next)
            letter, old, new, start = _next_nodes(
                level, coordinate, (letter, old, new, start), n_next
            )
        except ValueError as error:
            raise ValueError(f"Level {number}: {error}") from None
    _check_meaning(delta, contexts, letter, old, new)


def _check_tables(level: Level, n_contexts: int, coordinate: int, n_next: int) -> None:
    size, maps = level.size, level.maps
    if maps.shape[1:] != (size,) or (maps.size and not 0 <= maps.min() <= maps.max() < size):
        raise ValueError(f"maps must hold coordinates below {size} in rows of {size}.")
    constant = (maps == maps[:, :1]).all(axis=1)
    permutation = (np.sort(maps, axis=1) == np.arange(size)).all(axis=1)
    if not (constant | permutation).all():
        raise ValueError(
            f"action {np.argmin(constant | permutation)} is neither a permutation nor a reset."
        )
    if level.action.shape != (n_contexts,) or level.next.shape != (n_contexts, size):
        raise ValueError(f"there must be {n_contexts} contexts of {size} coordinates.")
    if not 0 <= level.action.min() <= level.action.max() < len(maps):
        raise ValueError(f"actions must be below {len(maps)}.")
    if not -1 <= level.next.min() <= level.next.max() < n_next:
        raise ValueError(f"next contexts must be below {n_next}, or -1.")
    if not 0 <= coordinate < size:
        raise ValueError(f"the initial coordinate must be below {size}, not {coordinate}.")


def _next_nodes(
    level: Level, coordinate: int, above: tuple[Indices, Indices, Indices, int], n_next: int
) -> tuple[Indices, Indices, Indices, int]:
    """Letter, node before and node after of every next context, and the initial node.

    A context that cannot occur has letter -1.
    """
    letter, old, new, start = above
    live = np.flatnonzero(letter >= 0)
    letter, old, new = letter[live], old[live], new[live]
    moved = level.maps[level.action[live]]
    reached = np.zeros((int(max(old.max(), new.max())) + 1, level.size), np.bool_)
    reached[start, coordinate] = True
    while True:
        c, p = np.nonzero(reached[old] & ~reached[new[:, None], moved])
        if not c.size:
            break
        reached[new[c], moved[c, p]] = True
    c, p = np.nonzero(reached[old])
    target = level.next[live[c], p]
    if (target < 0).any():
        raise ValueError("coordinates that can occur have no next context.")
    next_letter = np.full(n_next, -1)
    next_letter[target] = letter[c]
    if (next_letter[target] != letter[c]).any():
        raise ValueError("a next context serves two letters.")
    # A pair (node, coordinate) and the node below it are one; so pairs that meet in a context
    # below are one.
    pair = np.concatenate([old[c] * level.size + p, new[c] * level.size + moved[c, p]])
    below = np.concatenate([target, n_next + target])
    pair_node = np.arange(reached.size)
    while True:
        node = np.full(2 * n_next, _NOWHERE)
        np.minimum.at(node, below, pair_node[pair])
        merged = pair_node.copy()
        np.minimum.at(merged, pair, node[below])
        if (merged == pair_node).all():
            break
        pair_node = merged
    names, index = np.unique(node, return_inverse=True)
    first = int(pair_node[start * level.size + coordinate])
    return next_letter, index[:n_next], index[n_next:], int(np.searchsorted(names, first))


def _check_meaning(
    delta: NDArray[np.int32],
    contexts: Sequence[tuple[int, int, int]],
    letter: Indices,
    old: Indices,
    new: Indices,
) -> None:
    """Check that final contexts follow the transitions, and that nodes determine their sets."""
    n_states = delta.shape[1]
    meaning: dict[int, int] = {}
    number: dict[int, int] = {}
    live = np.flatnonzero(letter >= 0)
    for c in live.tolist():
        before, a, after = contexts[c]
        if a != letter[c] or not all(0 < states < 1 << n_states for states in (before, after)):
            raise ValueError(f"Final context {c} must be of letter {letter[c]}: {contexts[c]}.")
        for node, states in ((int(old[c]), before), (int(new[c]), after)):
            number.setdefault(states, len(number))
            if meaning.setdefault(node, states) != states:
                raise ValueError(f"Final context {c} contradicts others on what coordinates mean.")
    n_bytes = (n_states + 7) // 8
    packed = b"".join(states.to_bytes(n_bytes, "little") for states in number)
    rows = np.frombuffer(packed, np.uint8).reshape(-1, n_bytes)
    sets = np.unpackbits(rows, axis=1, count=n_states, bitorder="little").astype(np.bool_)
    before = [number[contexts[c][0]] for c in live.tolist()]
    after = [number[contexts[c][2]] for c in live.tolist()]
    reached = letter_images(delta, sets)[before, letter[live], :n_states]
    wrong = np.flatnonzero((reached & ~sets[after]).any(axis=1))
    if wrong.size:
        c = int(live[wrong[0]])
        raise ValueError(f"Final context {c} contradicts the transitions: {contexts[c]}.")
