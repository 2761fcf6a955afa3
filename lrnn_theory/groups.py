"""Permutation groups: their order, structure and name, in bounded time.

sympy does the algebra; what is asked here is small enough for it, or is a whole symmetric or
alternating group, as random permutations generate (Dixon 1969), which is told apart beforehand.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sympy.combinatorics import PermutationGroup

MAX_DEGREE = 1000
"""Largest number of points of a group that is looked into."""

MAX_ENTRIES = 4_000_000
"""Largest order times degree of a group on more than 20 points that is given to sympy."""

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
        name: "Z12", "Z2 x Z4", "S3", "A5", "D4" (of order 8) or "Q8"; None for other groups, and
            where telling would take long.
    """

    order: int | None
    is_abelian: bool | None
    is_solvable: bool | None
    name: str | None


TRIVIAL_GROUP = GroupFacts(1, True, True, "Z1")
"""The group of one element."""


def permutation_group_facts(generators: Rows) -> GroupFacts:
    """Order, structure and name of the group that permutations generate.

    Args:
        generators: permutations, (generators, points).

    Example:
        >>> permutation_group_facts(np.array([[1, 2, 0, 3, 4], [0, 1, 3, 4, 2]]))
        GroupFacts(order=60, is_abelian=False, is_solvable=False, name='A5')
    """
    moved = np.flatnonzero((generators != np.arange(generators.shape[1])).any(axis=0))
    degree = moved.size
    if not degree:
        return TRIVIAL_GROUP
    if degree > MAX_DEGREE:
        return GroupFacts(None, None, None, None)
    rows = np.searchsorted(moved, generators[:, moved]).astype(np.min_scalar_type(degree - 1))
    if degree >= 8 and contains_alternating_group(rows):
        even = all((degree - len(_cycles(row.tolist()))) % 2 == 0 for row in rows)
        letter = "A" if even else "S"
        return GroupFacts(math.factorial(degree) // (1 + even), False, False, f"{letter}{degree}")
    # A few letters generate the group; one that is not yet in it at least doubles it.
    elements, complete = np.arange(degree, dtype=rows.dtype)[None], True
    kept: list[int] = []
    for i, row in enumerate(rows):
        if complete and (elements == row).all(axis=1).any():
            continue
        kept.append(i)
        if complete:
            elements, complete = closure(rows[kept], MAX_ENTRIES // degree)
    is_abelian = commute(rows[kept])
    if not complete and degree > 20:
        return GroupFacts(None, is_abelian, is_abelian or None, None)
    group = _sympy_group(rows[kept])
    order = int(group.order())
    name = _abelian_name(group) if is_abelian else None
    if complete and not is_abelian:
        name = _name(elements, order)
    return GroupFacts(order, is_abelian, bool(group.is_solvable), name)


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
        if trial >= 60 and primes.intersection(_cycles(pool[i].tolist())):
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
            new = [key for key in dict.fromkeys(_keys(products)) if key not in seen]
            room = limit - len(seen)
            seen.update(new[:room])
            fresh += new[:room]
            if len(new) > room or time.monotonic() > deadline:
                found.append(_rows(fresh, generators))
                return np.concatenate(found), False
        frontier = _rows(fresh, generators)
        found.append(frontier)
    return np.concatenate(found), True


def _sympy_group(rows: Rows) -> PermutationGroup:
    from sympy.combinatorics import Permutation, PermutationGroup

    return PermutationGroup([Permutation(row.tolist()) for row in rows])


def _abelian_name(group: PermutationGroup) -> str:
    parts = sorted(group.abelian_invariants())
    if math.lcm(*parts) == group.order():
        return f"Z{group.order()}"
    return " x ".join(f"Z{p}" for p in parts)


def _name(elements: Rows, order: int) -> str | None:
    """Recognise S_n, A_n, D_m and Q8, not abelian and in any action, by the elements' orders.

    S_n and A_n are determined by their order and the set of element orders (J. Bi 1990; W. Shi and
    J. Bi 1992).  A group of order 2m with an element of order m and only involutions outside the
    subgroup that it generates is dihedral.
    """
    orders = Counter(math.lcm(*_cycles(element)) for element in elements.tolist())
    n = next(n for n in range(order) if math.factorial(n) >= order)
    for letter, even in ("S", False), ("A", True):
        if order == math.factorial(n) // (1 + even) and set(orders) == _cycle_orders(n, even):
            return f"{letter}{n}"
    m = order // 2
    if m in orders and orders[2] == m + (m % 2 == 0):
        return f"D{m}"
    return "Q8" if order == 8 else None


def _cycles(permutation: list[int]) -> list[int]:
    """Lengths of the cycles."""
    lengths, seen = [], [False] * len(permutation)
    for start in range(len(permutation)):
        point, length = start, 0
        while not seen[point]:
            seen[point] = True
            point, length = permutation[point], length + 1
        if length:
            lengths.append(length)
    return lengths


def _cycle_orders(n: int, even: bool) -> set[int]:
    """Orders of the permutations of n points, or of the even ones."""
    types = {(0, 1, 0)}  # points in cycles so far, order, parity
    for length in range(1, n + 1):
        types |= {
            (points + k * length, math.lcm(order, length), (parity + k * (length - 1)) % 2)
            for points, order, parity in types
            for k in range(1, (n - points) // length + 1)
        }
    return {order for points, order, parity in types if points == n and not (even and parity)}


def _keys(rows: Rows) -> list[bytes]:
    """The bytes of every row."""
    rows = np.ascontiguousarray(rows)
    return rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel().tolist()


def _rows(keys: list[bytes], like: Rows) -> Rows:
    """The inverse of `_keys`."""
    return np.frombuffer(b"".join(keys), like.dtype).reshape(-1, like.shape[1])
