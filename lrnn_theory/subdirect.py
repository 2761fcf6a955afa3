"""Subdirect factors: automata side by side that together tell the state.

A *congruence* is a partition of the states that the letters respect.  If no two states lie in one
block of all of several congruences, the automata on their blocks, run side by side, tell the state
(Birkhoff 1944, for algebras).  For every least congruence that is not equality, an *atom*, some
largest one that does not contain it is taken: below what all of these share there would be an atom.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.actions import canonical, join
from lrnn_theory.characters import FiniteGroup

MAX_STATES = 64
"""Most states whose congruences are looked for, unless letters permute them."""

MAX_GROUP_STATES = 360
"""Likewise, where they do."""

MAX_CONGRUENCES = 400
"""Most congruences that are looked at."""

Labels = NDArray[np.int64]


def subdirect_factors(delta: NDArray[np.int32]) -> list[Labels]:
    """Congruences, the block number of every state, that share nothing but equality.

    None of them can be left out.  There is one, equality, if nothing else is found, and none for
    one state.

    Args:
        delta: transitions, (letters, states); all states reachable from one another by the letters
            if these are permutations.

    Example:
        >>> counter = np.array([[1, 2, 3, 4, 5, 0]], np.int32)
        >>> [x.tolist() for x in subdirect_factors(counter)]
        [[0, 1, 0, 1, 0, 1], [0, 1, 2, 0, 1, 2]]
    """
    table = delta.astype(np.int32)
    return list(_factors(table.tobytes(), table.shape))


@lru_cache(maxsize=4)
def _factors(table: bytes, shape: tuple[int, int]) -> tuple[Labels, ...]:
    delta = np.frombuffer(table, np.int32).reshape(shape)
    n = delta.shape[1]
    equality = np.arange(n)
    found = _congruences(delta) if n > 1 else None
    if found is None:
        return (equality,) if n > 1 else ()
    chosen = [
        min((_largest(atom, some) for some in (found, found[::-1])), key=lambda x: int(x.max()))
        for atom in _least(found)
    ] or [equality]
    chosen = sorted({x.tobytes(): x for x in chosen}.values(), key=lambda x: (x.max(), x.tobytes()))
    for labels in chosen[::-1]:
        rest = [x for x in chosen if x is not labels]
        if rest and len(np.unique(np.stack(rest), axis=1).T) == n:
            chosen = rest
    return tuple(chosen)


def _largest(atom: Labels, congruences: list[Labels]) -> Labels:
    """A congruence that does not contain `atom`, and none that contains it does not either."""
    largest = np.arange(len(atom))
    for labels in congruences:
        joined = join(largest, labels)
        if not _within(atom, joined):
            largest = joined
    return largest


def _congruences(delta: NDArray[np.int32]) -> list[Labels] | None:
    """The least congruences that join two states, the coarsest first; None if they are many."""
    n = delta.shape[1]
    if (np.sort(delta, axis=1) == np.arange(n)).all():
        # Some letter or product takes any state to the first one, and its blocks along.
        delta, firsts, most = _generators(delta), [0], MAX_GROUP_STATES
    else:
        firsts, most = range(n), MAX_STATES
    if n > most:
        return None
    rows = delta.tolist()
    joined = [_joining(rows, p, q) for p in firsts for q in range(p + 1, n)]
    found = {x.tobytes(): x for x in joined if x.any()}
    if len(found) > MAX_CONGRUENCES:
        return None
    return sorted(found.values(), key=lambda x: int(x.max()))


def _generators(delta: NDArray[np.int32]) -> NDArray[np.int32]:
    """Some permutations that generate the same group as all."""
    try:
        group = FiniteGroup.generated_by(delta)
    except ValueError:  # too large to tell
        return delta
    return group.elements[group.generators].astype(np.int32)


def _joining(rows: list[list[int]], p: int, q: int) -> Labels:
    """The least congruence with p and q in one block."""
    parent = list(range(len(rows[0])))

    def find(x: int) -> int:
        while parent[x] != x:
            parent[x] = x = parent[parent[x]]
        return x

    stack = [(p, q)]
    while stack:
        x, y = map(find, stack.pop())
        if x != y:
            parent[x] = y
            stack += [(row[x], row[y]) for row in rows]
    return canonical(np.array([find(x) for x in range(len(parent))]))


def _least(congruences: list[Labels]) -> list[Labels]:
    """Those that contain no other."""
    return [x for x in congruences if not any(y is not x and _within(y, x) for y in congruences)]


def _within(finer: Labels, coarser: Labels) -> bool:
    """Whether every block of one lies in a block of the other."""
    return len(np.unique(finer * len(finer) + coarser)) == finer.max() + 1
