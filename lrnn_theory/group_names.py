"""Names of finite groups, each by a criterion that determines the group up to isomorphism.

`family` knows symmetric, alternating, dihedral, dicyclic and some Frobenius groups by how many
elements they have of each order; `direct_factors` finds direct products.  Every criterion is proved
or cited in docs/analysis.md, section 4.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_TABLE = 400
"""Largest order of a group whose direct factors are sought."""

MAX_COMPLEMENTS = 1_000
"""How many complements of a cyclic factor may be tried."""

Rows = NDArray[np.integer[Any]]
Table = NDArray[np.int64]


def group_name(elements: Rows) -> str | None:
    """The name of a group that is not abelian; None if it has none here.

    Args:
        elements: all its elements as permutations, the identity first, (order, points).

    Example:
        >>> s3 = itertools.permutations(range(3))
        >>> group_name(np.array([[*p, *q] for p in s3 for q in ([3, 4], [4, 3])]))
        'D6'
    """
    name = family(_element_orders(elements))
    if name is not None or len(elements) > MAX_TABLE:
        return name
    number = {x.tobytes(): i for i, x in enumerate(elements)}
    table = np.array([[number[y.tobytes()] for y in x[elements]] for x in elements]).T
    factors = direct_factors(table)
    if len(factors) == 1:
        return None
    cyclic: list[int] = []
    names: list[str] = []
    for factor in factors:
        orders = Counter(_orders(factor).tolist())
        if len(factor) in orders:
            cyclic.append(len(factor))
            continue
        name = None if (factor == factor.T).all() else family(orders)
        if name is None:
            return None
        names.append(name)
    return " x ".join([abelian_name(cyclic)] * bool(cyclic) + sorted(names))


def abelian_group_name(elements: Rows) -> str:
    """The name of an abelian group.

    It is a product of cyclic groups of prime-power orders; of these, as many have at least p^k
    elements as the number of x with x^(p^k) = 1 has factors p more than that for k - 1.

    Args:
        elements: all its elements as permutations, (order, points).

    Example:
        >>> swaps = np.array([[0, 1, 2, 3], [1, 0, 2, 3], [0, 1, 3, 2], [1, 0, 3, 2]])
        >>> abelian_group_name(swaps)
        'Z2 x Z2'
    """
    orders = _element_orders(elements)
    parts: list[int] = []
    for p in (p for p in orders if p > 1 and all(p % d for d in range(2, math.isqrt(p) + 1))):
        roots, k, at_least = 1, 1, []
        while (more := sum(n for order, n in orders.items() if p**k % order == 0)) > roots:
            at_least.append(round(math.log(more // roots, p)))
            roots, k = more, k + 1
        parts += [p ** sum(count > i for count in at_least) for i in range(at_least[0])]
    return abelian_name(parts)


def abelian_name(parts: list[int]) -> str:
    """The name of a product of cyclic groups of prime-power orders.

    Example:
        >>> abelian_name([3, 4]), abelian_name([4, 2, 3])
        ('Z12', 'Z2 x Z3 x Z4')
    """
    order = math.prod(parts)
    if math.lcm(*parts) == order:
        return f"Z{order}"
    return " x ".join(f"Z{p}" for p in sorted(parts))


def family(orders: Counter[int]) -> str | None:
    """The name that the orders of all elements determine, of a group that is not abelian.

    Args:
        orders: how many elements have each order.

    Example:
        >>> family(Counter({1: 1, 2: 1, 4: 6})), family(Counter({1: 1, 3: 14, 7: 6}))
        ('Q8', 'Z7:Z3')
    """
    order = orders.total()
    n = next(n for n in range(order) if math.factorial(n) >= order)
    for letter, even in ("S", False), ("A", True):
        if order == math.factorial(n) // (1 + even) and set(orders) == _cycle_orders(n, even):
            return f"{letter}{n}"
    half, quarter = order // 2, order // 4
    if half in orders and order % 2 == 0:
        if orders[2] == half + (half % 2 == 0):
            return f"D{half}"
        if order % 4 == 0 and orders[4] == half + 2 * (quarter % 2 == 0):
            return f"Dic{quarter}" if quarter & (quarter - 1) else f"Q{order}"
    p = max(d for d in orders if all(d % q for q in range(2, math.isqrt(d) + 1)))
    if orders[p] == p - 1 and all(d % p or d == p for d in orders):
        return f"Z{p}:Z{order // p}"
    return "SL(2, 3)" if order == 24 and orders[2] == 1 and orders[3] == 8 else None


def direct_factors(table: Table) -> list[Table]:
    """Groups whose direct product is the given one, split as far as the search can.

    It splits off normal closures of single elements by their centralizers, and cyclic central
    subgroups by complements that shift generators.

    Args:
        table: number of the product of any two elements, (order, order); 0 is the identity.

    Example:
        >>> [len(factor) for factor in direct_factors(np.add.outer(range(6), range(6)) % 6)]
        [3, 2]
    """
    n = len(table)
    everything = np.arange(n)
    inverse = (table == 0).argmax(axis=1)
    conjugates = table[table[inverse], everything[:, None]]
    commuting = table == table.T
    for g in np.unique(conjugates.min(axis=0))[1:]:
        normal = _generated(table, np.unique(conjugates[:, g]))
        rest = np.flatnonzero(commuting[normal].all(axis=0))
        if 1 < len(rest) == n // len(normal) and np.intersect1d(normal, rest).size == 1:
            return direct_factors(_part(table, normal)) + direct_factors(_part(table, rest))
    orders = _orders(table)
    by_order = np.argsort(-orders, kind="stable")
    generators: list[int] = []
    inside = np.array([0])
    for g in by_order.tolist():
        if not np.isin(g, inside):
            generators.append(g)
            inside = _generated(table, np.array(generators))
    for z in by_order[commuting.all(axis=0)[by_order]].tolist():
        order = int(orders[z])
        if not 1 < order < n or order ** len(generators) > MAX_COMPLEMENTS:
            continue
        powers = [0]
        while len(powers) < order:
            powers.append(int(table[powers[-1], z]))
        for shift in itertools.product(powers, repeat=len(generators)):
            rest = _generated(table, table[generators, shift])
            if len(rest) * order == n:
                return direct_factors(_part(table, np.array(sorted(powers)))) + direct_factors(
                    _part(table, rest)
                )
    return [table]


def cycle_lengths(permutation: list[int]) -> list[int]:
    """Lengths of the cycles of a permutation.

    Example:
        >>> cycle_lengths([1, 0, 2])
        [2, 1]
    """
    lengths, seen = [], [False] * len(permutation)
    for start in range(len(permutation)):
        point, length = start, 0
        while not seen[point]:
            seen[point] = True
            point, length = permutation[point], length + 1
        if length:
            lengths.append(length)
    return lengths


def _element_orders(elements: Rows) -> Counter[int]:
    """How many permutations have each order."""
    return Counter(math.lcm(*cycle_lengths(x)) for x in elements.tolist())


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


def _orders(table: Table) -> NDArray[np.int64]:
    """The order of every element."""
    order = np.ones(len(table), np.int64)
    power = everything = np.arange(len(table))
    while power.any():
        order += power != 0
        power = np.where(power != 0, table[power, everything], 0)
    return order


def _generated(table: Table, generators: NDArray[np.int64]) -> NDArray[np.int64]:
    """The elements of the subgroup that some elements generate, in increasing order."""
    inside = np.arange(len(table)) == 0
    fresh = np.array([0])
    while fresh.size:
        products = table[np.ix_(fresh, generators)].ravel()
        fresh = np.unique(products[~inside[products]])
        inside[fresh] = True
    return np.flatnonzero(inside)


def _part(table: Table, members: NDArray[np.int64]) -> Table:
    """The table of a subgroup."""
    return np.searchsorted(members, table[np.ix_(members, members)])
