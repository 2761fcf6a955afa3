"""Permutation actions of small degree for group automata.

The letters of a group automaton permute its states.  A *block system* (a right congruence) turns
them into permutations of fewer points, and several systems side by side into permutations of the
sum of their points.  The automaton can be run on such an action when a vector on the points, moved
along, still tells the state.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.automaton import Automaton


@dataclass(frozen=True, eq=False)
class Action:
    """A permutation action that tracks the states of a group automaton.

    Attributes:
        points: (letters, n), the image of every point under every letter.
        vectors: (states, n), the integer vector of every state; state q is reached from the
            initial vector by moving entry i to position points[a, i] for every letter a.
        exact: whether no sum of block systems of lower degree has one vector for every state; if
            not, this degree is an upper bound only.
    """

    points: NDArray[np.int64]
    vectors: NDArray[np.int64]
    exact: bool


def smallest_action(core: Automaton, max_states: int = 360, max_tries: int = 400) -> Action:
    """An action of small degree, found among sums of block systems of the states.

    Sums are tried in order of their degree, so the result is the least degree of this kind when
    the search ends before `max_tries`; the states themselves are always an action, and the only
    one tried above `max_states` states.  In the word problem of a group, where states are elements,
    block systems are the actions on cosets of all subgroups: the least degree is that of a faithful
    permutation action.

    Args:
        core: an automaton whose letters are permutations.
        max_states: above this number of states only the natural action is used.
        max_tries: number of sums that are tried.
    """
    n = core.n_states

    def natural(exact: bool) -> Action:
        return Action(core.delta.astype(np.int64), np.eye(n, dtype=np.int64), exact)

    if n > max_states or n < 3:
        return natural(n < 3)
    systems, complete = block_systems(core.delta)
    heap: list[tuple[int, tuple[int, ...]]] = []
    for i, labels in enumerate(systems):
        heapq.heappush(heap, (int(labels.max()) + 1, (i,)))
    for _ in range(max_tries):
        if not heap or heap[0][0] >= n:
            return natural(complete)
        degree, chosen = heapq.heappop(heap)
        action = _track(core, [systems[i] for i in chosen], complete)
        if action is not None:
            return action
        for j in range(chosen[-1] + 1, len(systems)):
            total = degree + int(systems[j].max()) + 1
            if total < n:
                heapq.heappush(heap, (total, (*chosen, j)))
    return natural(False)


def block_systems(
    delta: NDArray[np.int32], limit: int = 400
) -> tuple[list[NDArray[np.int64]], bool]:
    """Block systems with 2 <= blocks < states, by size, and whether these are all.

    All are joins of principal ones, the least that put a state with state 0.
    """
    n = delta.shape[1]
    found: dict[bytes, NDArray[np.int64]] = {}
    principal = []
    for q in range(1, n):
        labels = np.arange(n)
        labels[q] = 0
        labels = _close(delta, labels)
        if labels.max() and labels.tobytes() not in found:
            found[labels.tobytes()] = labels
            principal.append(labels)
    queue = list(principal)
    for labels in queue:
        for other in principal:
            if len(found) >= limit:
                break
            joined = join(labels, other)  # the join of congruences is a congruence
            if joined.max() and joined.tobytes() not in found:
                found[joined.tobytes()] = joined
                queue.append(joined)
    systems = sorted(found.values(), key=lambda labels: (int(labels.max()), labels.tobytes()))
    return systems, len(found) < limit


def canonical(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the blocks in the order of their first states."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse.ravel()]


def join(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int64]:
    """The finest partition coarser than both."""
    labels = x.copy()
    while True:
        lowest = np.full(len(x), len(x))
        np.minimum.at(lowest, y, labels)
        merged = lowest[y]
        np.minimum.at(lowest := np.full(len(x), len(x)), labels, merged)
        new = lowest[labels]
        if (new == labels).all():
            return canonical(new)
        labels = new


def _close(delta: NDArray[np.int32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The finest partition coarser than `labels` that every letter respects."""
    labels = canonical(labels)
    while True:
        changed = False
        for row in delta:
            moved = labels[row]
            # `labels` is respected if equal labels have equal images; otherwise join them.
            if len(np.unique(labels * len(labels) + moved)) > labels.max() + 1:
                labels = join(labels, _pull(labels, moved))
                changed = True
        if not changed:
            return labels


def _pull(labels: NDArray[np.int64], moved: NDArray[np.int64]) -> NDArray[np.int64]:
    """A partition of states in which blocks that share a source block are merged."""
    n = len(labels)
    parent = np.arange(n)

    def find(x: int) -> int:
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = int(parent[x])
        return x

    first: dict[int, int] = {}
    for source, target in zip(labels.tolist(), moved.tolist(), strict=True):
        a, b = find(first.setdefault(source, target)), find(target)
        if a != b:
            parent[max(a, b)] = min(a, b)
    return np.array([find(x) for x in labels.tolist()])


def _track(core: Automaton, systems: list[NDArray[np.int64]], exact: bool) -> Action | None:
    """The action on the blocks of the systems, if its vectors tell the states apart.

    Two starting vectors are tried: one marked block a system, and one number for every orbit of
    blocks under what fixes the initial state.  Any vector that this fixes too is constant on these
    orbits, so if the latter does not tell the states apart, none does.
    """
    sizes = [int(labels.max()) + 1 for labels in systems]
    offsets = np.cumsum([0, *sizes])
    n = int(offsets[-1])
    points = np.empty((core.n_letters, n), np.int64)
    marked = np.zeros(n, np.int64)
    for labels, offset, size in zip(systems, offsets, sizes, strict=False):
        first = np.unique(labels, return_index=True)[1]
        points[:, offset : offset + size] = offset + labels[core.delta[:, first]]
        marked[offset + labels[core.initial]] = 1
    vectors = _vectors(core, points, marked)
    if vectors is None:
        vectors = _vectors(core, points, _orbits(core, points))
    return None if vectors is None else Action(points, vectors, exact)


def _orbits(core: Automaton, points: NDArray[np.int64]) -> NDArray[np.int64]:
    """The orbit of every point under the stabiliser of the initial state (Schreier's lemma)."""
    n = points.shape[1]
    leads = np.empty((core.n_states, n), np.int64)  # along the access word of every state
    leads[core.initial] = np.arange(n)
    for state, a, before in _steps(core):
        leads[state] = points[a, leads[before]]
    label = np.arange(n)
    while True:
        new = label.copy()
        for row, moved in zip(core.delta, points, strict=True):
            # From the initial state to q, by the letter, and back from where it leads.
            home = np.argsort(leads[row], axis=1)
            loops = np.take_along_axis(home, moved[leads], axis=1)
            np.minimum.at(new, loops, np.broadcast_to(label, loops.shape))
        if (new == label).all():
            return np.unique(label, return_inverse=True)[1].ravel()
        label = new


def _steps(core: Automaton) -> list[tuple[int, int, int]]:
    """Every state but the initial one, the last letter of its access word, the state before it.

    Those of shorter words come first.
    """
    before = np.argsort(core.delta, axis=1)
    words = sorted(core.access_words.items(), key=lambda pair: len(pair[1]))
    return [(q, int(word[-1]), int(before[word[-1], q])) for q, word in words if len(word)]


def _vectors(
    core: Automaton, points: NDArray[np.int64], start: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """Follow `start` along shortest words; None if a state gets two vectors or two states one."""
    inverse = np.argsort(points, axis=1)
    vectors = np.zeros((core.n_states, len(start)), np.int64)
    vectors[core.initial] = start
    for state, a, before in _steps(core):
        vectors[state] = vectors[before, inverse[a]]
    moved = vectors[:, inverse]  # (states, letters, points)
    if (moved != vectors[core.delta.T]).any() or len(np.unique(vectors, axis=0)) < core.n_states:
        return None
    return vectors
