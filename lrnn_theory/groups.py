"""Permutation groups: their order, structure and name, in bounded time.

Small groups are listed.  Of the others a whole symmetric or alternating group, as random
permutations generate (Dixon 1969), is told apart, and sympy does the algebra on up to 20 points.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.group_names import abelian_group_name, cycle_lengths, group_name

MAX_DEGREE = 1000
"""Largest number of points of a group that is looked into."""

MAX_ENTRIES = 4_000_000
"""Largest order times degree of a group that is listed."""

MAX_COMPARISONS = 1_000_000_000
"""How many entries may be compared to decide whether maps commute."""

Rows = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class GroupFacts:
    """What is known of a finite group.

    Attributes:
        order: number of elements; None where it was not computed.
        is_abelian: whether it is abelian; None where it was not computed.
        is_solvable: whether it is solvable; None where it was not computed.
        derived_length: number of abelian factors of the derived series, the least number of any
            subnormal series with abelian factors; 0 for the trivial group, 1 for an abelian one;
            None if the group is not solvable or this was not computed.
        name: "Z12", "Z2 x Z4", "S3", "A5", "D4" (of order 8), "Q8", "Dic3", "Z7:Z3", "Z2 x A4";
            None for other groups, and where telling would take long.
    """

    order: int | None
    is_abelian: bool | None
    is_solvable: bool | None
    derived_length: int | None
    name: str | None

    @property
    def is_2_group(self) -> bool | None:
        """Whether the order is a power of 2; None where it was not computed."""
        return None if self.order is None else self.order & (self.order - 1) == 0


TRIVIAL_GROUP = GroupFacts(1, True, True, 0, "Z1")
"""The group of one element."""


def permutation_group_facts(generators: Rows) -> GroupFacts:
    """Order, structure and name of the group that permutations generate.

    Args:
        generators: permutations, (generators, points).

    Example:
        >>> permutation_group_facts(np.array([[1, 2, 0, 3, 4], [0, 1, 3, 4, 2]]))
        GroupFacts(order=60, is_abelian=False, is_solvable=False, derived_length=None, name='A5')
    """
    moved = np.flatnonzero((generators != np.arange(generators.shape[1])).any(axis=0))
    degree = moved.size
    if not degree:
        return TRIVIAL_GROUP
    if degree > MAX_DEGREE:
        return GroupFacts(None, None, None, None, None)
    rows = np.searchsorted(moved, generators[:, moved]).astype(np.min_scalar_type(degree - 1))
    if degree >= 8 and contains_alternating_group(rows):
        even = all((degree - len(cycle_lengths(row.tolist()))) % 2 == 0 for row in rows)
        letter = "A" if even else "S"
        order = math.factorial(degree) // (1 + even)
        return GroupFacts(order, False, False, None, f"{letter}{degree}")
    # A few letters generate the group; one that is not yet in it at least doubles it.
    elements, complete = np.arange(degree, dtype=rows.dtype)[None], True
    inside = set(keys(elements))
    kept: list[int] = []
    for i, key in enumerate(keys(rows)):
        if complete and key in inside:
            continue
        kept.append(i)
        if complete:
            elements, complete = closure(rows[kept], MAX_ENTRIES // degree)
            inside = set(keys(elements))
    is_abelian = commute(rows[kept])
    if not complete:
        if degree <= 20:
            return _sympy_facts(rows[kept])
        return GroupFacts(None, is_abelian, is_abelian or None, 1 if is_abelian else None, None)
    order = len(elements)
    if is_abelian:
        return GroupFacts(order, True, True, 1, abelian_group_name(elements))
    length = _derived_length(rows[kept], order)
    return GroupFacts(order, False, length is not None, length, group_name(elements))


def _derived_length(generators: Rows, order: int) -> int | None:
    """The number of steps of the derived series down to 1; None if it ends before."""
    length = 0
    while order > 1:
        generators, smaller = _derived_subgroup(generators, order)
        if smaller == order:
            return None
        order, length = smaller, length + 1
    return length


def _derived_subgroup(generators: Rows, limit: int) -> tuple[Rows, int]:
    """Generators of the derived subgroup, and its order.

    It is the least normal subgroup that has the commutators of the generators: they, and the
    conjugates of all that generates it, are taken in until nothing is missing.
    """
    inverses = np.argsort(generators, axis=1)
    pairs = list(zip(generators, inverses, strict=True))
    missing = [x[y[x_[y_]]] for (x, x_), (y, y_) in itertools.combinations(pairs, 2)]
    kept, elements = generators[:0], np.arange(generators.shape[1], dtype=generators.dtype)[None]
    inside = set(keys(elements))
    while missing:
        x = missing.pop()
        if x.tobytes() not in inside:
            kept = np.concatenate([kept, x[None]])
            inside = set(keys(closure(kept, limit)[0]))
            missing += [y[x[y_]] for y, y_ in pairs]
    return kept, len(inside)


def commute(maps: Rows) -> bool | None:
    """Whether any two of some maps commute; None if `MAX_COMPARISONS` did not suffice.

    Args:
        maps: maps of 0, ..., n-1 to itself, (maps, n).

    Example:
        >>> commute(np.array([[1, 2, 0], [2, 0, 1]])), commute(np.array([[1, 2, 0], [1, 0, 2]]))
        (True, False)
    """
    for i, row in enumerate(maps):
        if i * maps.size > MAX_COMPARISONS:
            return None
        if (maps[:, row] != row[maps]).any():
            return False
    return True


def contains_alternating_group(generators: Rows, trials: int = 200) -> bool:
    """Whether permutations of n >= 8 points generate A_n or S_n; True is certain, False is not.

    A transitive group that has an element with a cycle of prime length p, n/2 < p < n - 2,
    contains A_n: it is primitive, a power of the element is a single p-cycle, and Jordan's theorem
    applies (C. Jordan 1873; Wielandt, *Finite permutation groups*, 13.9).  About one permutation
    in 1.5 log n is such an element; they are looked for among `trials` random products.

    Args:
        generators: permutations, (generators, points).
        trials: how many products to look at.

    Example:
        >>> contains_alternating_group(np.array([[1, 0, *range(2, 9)], [*range(1, 9), 0]]))
        True
    """
    n = generators.shape[1]
    reached = np.arange(n) == 0
    frontier = np.array([0])
    while frontier.size:
        frontier = np.unique(generators[:, frontier])
        frontier = frontier[~reached[frontier]]
        reached[frontier] = True
    if not reached.all():
        return False
    primes = {
        p for p in range(n // 2 + 1, n - 2) if all(p % d for d in range(2, math.isqrt(p) + 1))
    }
    # Product replacement (Celler et al. 1995): random products from a pool that drifts.
    rng = np.random.default_rng(0)
    pool = np.resize(generators, (max(10, len(generators)), n))
    for trial in range(trials + 60):
        i, j = rng.choice(len(pool), 2, replace=False)
        pool[i] = pool[j][pool[i]]
        if trial >= 60 and primes.intersection(cycle_lengths(pool[i].tolist())):
            return True
    return False


def closure(generators: Rows, limit: int, deadline: float = math.inf) -> tuple[Rows, bool]:
    """Distinct products of maps, in shortlex order of their factors, and whether these are all.

    Args:
        generators: maps of 0, ..., n-1 to itself, (generators, n).
        limit: most products to find, the identity included.
        deadline: when to stop, as told by `time.monotonic`.

    Returns:
        The products, (products, n), and False if there are more.

    Example:
        >>> closure(np.array([[1, 2, 0]], np.uint8), limit=10)[0].tolist()
        [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    """
    n = generators.shape[1]
    frontier = np.arange(n, dtype=generators.dtype)[None]
    seen, found = {frontier.tobytes()}, [frontier]
    step = max(1, 2**18 // generators.size)
    while len(frontier):
        fresh = []
        for i in range(0, len(frontier), step):
            products = generators[:, frontier[i : i + step]].swapaxes(0, 1).reshape(-1, n)
            new = [key for key in dict.fromkeys(keys(products)) if key not in seen]
            room = limit - len(seen)
            seen.update(new[:room])
            fresh += new[:room]
            if len(new) > room or time.monotonic() > deadline:
                found.append(_rows(fresh, generators))
                return np.concatenate(found), False
        frontier = _rows(fresh, generators)
        found.append(frontier)
    return np.concatenate(found), True


def _sympy_facts(rows: Rows) -> GroupFacts:
    """Facts about a group of more elements than are listed, on at most 20 points.

    It is not abelian: such a group would have at most 3^6 * 2 elements.
    """
    from sympy.combinatorics import Permutation, PermutationGroup

    group = PermutationGroup([Permutation(row.tolist()) for row in rows])
    series = group.derived_series()
    length = len(series) - 1 if series[-1].is_trivial else None
    return GroupFacts(int(group.order()), False, length is not None, length, None)


def keys(rows: Rows) -> list[bytes]:
    """The bytes of every row: equal for equal rows of one type."""
    rows = np.ascontiguousarray(rows)
    return rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel().tolist()


def _rows(keys: list[bytes], like: Rows) -> Rows:
    """The inverse of `keys`."""
    return np.frombuffer(b"".join(keys), like.dtype).reshape(-1, like.shape[1])
