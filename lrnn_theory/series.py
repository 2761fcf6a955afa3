"""Cascades whose levels only permute or only reset, and whose groups are split along subgroups.

Krohn and Rhodes: a level that permutes n coordinates by a group K and resets them is a level that
multiplies elements of K, above one that resets.  With g the product of the permutations so far and
y a coordinate, x = g(y) is the level's own: a permutation k makes (k g, y), a reset to q makes
(g, g^-1(q)).

A level that permutes by K is in turn a chain of them, along subgroups K = N_0 > N_1 > ...: the one
of N_i / N_{i+1} multiplies cosets.  Proofs in docs/cascades.md, section 10.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Budget, Cascade, decompose, remembered
from lrnn_theory.characters import FiniteGroup, Index
from lrnn_theory.cover import Level
from lrnn_theory.tracking import track

MAX_CONTEXTS = 2_000_000
"""Most entries of the table of a level."""

BUDGET = Budget(contexts=20_000, work=4_000_000)
"""How much of a cascade is tabulated here."""

MAX_CONFIGURATIONS = 100_000
"""Most configurations of a network that is called proved."""

MAX_ORDER = 512
"""Largest group whose series are looked for."""

Chain = Callable[[FiniteGroup, Index], Sequence[Index]]
"""Subgroups N_1 > N_2 > ... (ascending elements) of a group; the second argument is the subgroup
that fixes the initial coordinate, which contains the last of them."""


def separated(cascade: Cascade, chain: Chain | None = None) -> Cascade:
    """The cascade with every level that permutes and resets made two.

    Args:
        cascade: the cascade.
        chain: if given, a level stays whole whose group is regular and takes one step of it.

    Raises:
        ValueError: if there is a tail, or a group or table is too large.
    """
    return _replaced(cascade, lambda level, initial: _separate(level, initial, chain))


def refined(cascade: Cascade, chain: Chain) -> Cascade:
    """A separated cascade with every level that permutes split along the subgroups of its group.

    Raises:
        ValueError: if there is a tail, or a group or table is too large.
    """
    return _replaced(cascade, lambda level, initial: _refine(level, initial, chain))


def turns(maps: NDArray[np.int32]) -> NDArray[np.int32]:
    """The maps that permute, (actions, size); none if these are the identity only."""
    identity = np.arange(maps.shape[1])
    kept = maps[(np.sort(maps, axis=1) == identity).all(axis=1)]
    return kept if (kept != identity).any() else kept[:0]


def level_automaton(maps: NDArray[np.int32], initial: int = 0) -> Automaton:
    """The coordinates of a level as states, its actions as letters."""
    letters = [str(a) for a in range(len(maps))]
    return Automaton.from_table(maps, accepting=[], initial=initial, letters=letters)


def configurations(cascade: Cascade) -> int:
    """How many configurations have to be gone through to prove a separated cascade's network right.

    One layer after the other is proved right if every coordinate narrows down the state, or all
    levels permute.  A product of permutations above a level that resets tells nothing by itself.
    """
    mixed = {permutes(level) for level in cascade.levels} == {True, False}
    return math.prod(cascade.sizes) if mixed else 1


def permutes(level: Level) -> bool:
    """Whether all actions are permutations."""
    return bool((np.sort(level.maps, axis=1) == np.arange(level.size)).all())


def derived_series(group: FiniteGroup, _: Index) -> list[Index]:
    """Subgroups down to 1 with abelian quotients, as few as possible.

    Raises:
        ValueError: if the group is not solvable, or too large.
    """
    found = _series(group, lambda x: _commutators(group, x))
    if found is None:
        raise ValueError(f"a group of order {group.order} is not solvable")
    return found


def square_series(group: FiniteGroup, _: Index) -> list[Index]:
    """Subgroups down to 1 with quotients of exponent 2, as few as possible.

    Raises:
        ValueError: if the group is no 2-group, or too large.
    """
    found = _series(group, lambda x: np.unique(group.times(x, x)))
    if found is None:
        raise ValueError(f"a group of order {group.order} is no 2-group")
    return found


def _series(group: FiniteGroup, generators: Callable[[Index], Index]) -> list[Index] | None:
    if group.order > MAX_ORDER:
        raise ValueError(f"a group has {group.order} elements, more than {MAX_ORDER}")
    found = [np.arange(group.order)]
    while len(found[-1]) > 1:
        smaller = _generated(group, generators(found[-1]))
        if len(smaller) == len(found[-1]):
            return None
        found.append(smaller)
    return found[1:]


def _generated(group: FiniteGroup, elements: Index) -> Index:
    kept: list[int] = []
    found = np.zeros(1, np.int64)
    for g in elements.tolist():
        if g not in found:
            kept.append(g)
            found = group.subgroup(kept)
    return found


def _commutators(group: FiniteGroup, x: Index) -> Index:
    found = [
        np.unique(group.times(group.times(g, x), group.inverse[group.times(x, g)]))
        for g in x.tolist()
    ]
    return np.unique(np.concatenate(found))


Replacement = Callable[[Level, int], list[tuple[Level, int]]]


def _replaced(cascade: Cascade, replacement: Replacement) -> Cascade:
    if cascade.tail is not None:
        raise ValueError("the tables of the cascade are too large, so it has an exclusion tail")
    pairs = [
        pair
        for level, initial in zip(cascade.levels, cascade.initial, strict=True)
        for pair in replacement(level, initial)
    ]
    levels, initial = tuple(x for x, _ in pairs), tuple(p for _, p in pairs)
    return replace(cascade, levels=levels, initial=initial)


def _check_size(level: Level, elements: int, width: int) -> None:
    entries = len(level.action) * elements * width
    if entries > MAX_CONTEXTS:
        raise ValueError(
            f"a level of the cascade takes {entries} entries, more than {MAX_CONTEXTS}"
        )


def _group(level: Level) -> tuple[FiniteGroup, Index, Index]:
    """The group of a level, the element of every context, and what a context resets to or -1."""
    kept = (np.sort(level.maps, axis=1) == np.arange(level.size)).all(axis=1)
    letters = np.zeros(len(level.maps), np.int64)
    rows = level.maps[kept] if kept.any() else np.arange(level.size)[None]
    group = FiniteGroup.generated_by(rows)
    letters[kept] = group.letters[: kept.sum()]
    target = np.where(kept, -1, level.maps[:, 0])
    return group, letters[level.action], target[level.action]


def _separate(level: Level, initial: int, chain: Chain | None) -> list[tuple[Level, int]]:
    identity = np.arange(level.size)
    moved = (level.maps != identity).any(axis=1)
    constant = (level.maps == level.maps[:, :1]).all(axis=1)
    if not (moved & ~constant).any() or not constant.any():
        return [(level, initial)]
    group, element, target = _group(level)
    regular = len(np.unique(group.elements[:, 0])) == group.order == level.size
    if chain and regular and len(chain(group, np.zeros(1, np.int64))) == 1:
        return [(level, initial)]
    _check_size(level, group.order, level.size)
    contexts, everything = len(level.action), np.arange(group.order)
    used, action = np.unique(element, return_inverse=True)
    above = Level(
        group.order,
        group.times(used[:, None], everything).astype(np.int32),
        action.ravel().astype(np.int32),
        np.arange(contexts * group.order).reshape(contexts, -1).astype(np.int32),
        np.zeros(contexts, bool),
    )
    maps = np.concatenate([identity[None], np.repeat(identity[:, None], level.size, 1)])
    # A reset is seen by the product before the letter, which it does not change.
    home = group.elements[group.inverse][:, np.maximum(target, 0)].T  # (contexts, elements)
    below = Level(
        level.size,
        maps.astype(np.int32),
        np.where(target[:, None] < 0, 0, home + 1).ravel().astype(np.int32),
        level.next[:, group.elements].reshape(-1, level.size),
        np.repeat(level.free, group.order),
    )
    return [(above, 0), (below, initial)]


def _refine(level: Level, initial: int, chain: Chain) -> list[tuple[Level, int]]:
    if not permutes(level):
        return [(level, initial)]
    group, element, _ = _group(level)
    fixing = np.flatnonzero(group.elements[:, initial] == initial)
    subgroups = [np.arange(group.order), *chain(group, fixing)]
    if len(subgroups) == 1:
        return [(level, initial)]
    # A level holds the coset of the product modulo a subgroup, within that modulo the one before.
    contexts, (number, tops) = len(level.action), left_cosets(group, subgroups[0])
    found: list[Level] = []
    for inside, subgroup in pairwise(subgroups):
        moved = group.times(element[:, None], tops)  # (contexts, cosets above)
        twist = group.times(group.inverse[tops[number[moved]]], moved)
        used, action = np.unique(twist, return_inverse=True)
        number, bottoms = left_cosets(group, subgroup)
        _check_size(level, len(tops), len(inside) // len(subgroup))
        steps = inside[np.sort(np.unique(number[inside], return_index=True)[1])]
        place = np.full(len(bottoms), -1)
        place[number[steps]] = np.arange(len(steps))
        maps = place[number[group.times(used[:, None], steps)]]
        maps, same = np.unique(maps, axis=0, return_inverse=True)
        following = number[group.times(tops[:, None], steps)]  # (cosets above, steps)
        start = len(bottoms) * np.arange(contexts)[:, None, None]
        found.append(
            Level(
                len(steps),
                maps.astype(np.int32),
                same.ravel()[action.ravel()].astype(np.int32),
                (start + following).reshape(-1, len(steps)).astype(np.int32),
                np.zeros(action.size, bool),
            )
        )
        tops = bottoms
    ends = level.next[:, group.elements[tops, initial]].ravel()
    found[-1] = replace(found[-1], next=ends[found[-1].next])
    return [(x, 0) for x in found]


def left_cosets(group: FiniteGroup, subgroup: Index) -> tuple[Index, Index]:
    """The number of the coset g N of every element g, and one element of each; N is number 0."""
    least = np.full(group.order, group.order)
    for n in subgroup.tolist():
        least = np.minimum(least, group.times(np.arange(group.order), n))
    first, number = np.unique(least, return_inverse=True)
    return number.ravel(), first


def _diagonal_cascade(core: Automaton, chain: Chain) -> Cascade:
    lossless = (np.sort(core.delta, axis=1) == np.arange(core.n_states)).all()
    # The groups of components of the strong cascade divide the monoid.
    cascade = decompose(core, "weak" if lossless else "strong", BUDGET)
    cascade = refined(separated(cascade, chain), chain)
    for level in cascade.levels:
        turning = turns(level.maps)
        if len(turning) and isinstance(found := track(level_automaton(turning)), str):
            raise ValueError(found)
    return cascade


signed_cascade = remembered(partial(_diagonal_cascade, chain=square_series))
"""A cascade whose levels reset or multiply in groups of exponent 2; ValueError if none is found.

Groups take as few levels as there can be.  All states must be reachable.
"""

abelian_cascade = remembered(partial(_diagonal_cascade, chain=derived_series))
"""Likewise, in abelian groups."""


def _separated_cascade(core: Automaton) -> Cascade:
    cascade = separated(decompose(core, budget=BUDGET))
    if (many := configurations(cascade)) > MAX_CONFIGURATIONS:
        raise ValueError(
            f"its groups above resets have {many} configurations, more than {MAX_CONFIGURATIONS}"
        )
    return cascade


separated_cascade = remembered(_separated_cascade)
"""The cascade of an automaton, separated; ValueError if it is too large to be proved right.

All states must be reachable.
"""
