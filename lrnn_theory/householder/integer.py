"""Integer and dyadic factorisations: permutations, projections, resets."""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from lrnn_theory.householder.exact_arrays import shown, zero_keys
from lrnn_theory.householder.product import GHProduct


def identity(n: int) -> GHProduct:
    """The identity of size n: no factors."""
    return projection(n, ())


def permutation_cycles(p: Sequence[int]) -> list[tuple[int, ...]]:
    """Cycles of the permutation i -> p[i], fixed points included, each from its least element.

    Raises:
        ValueError: if `p` is not a permutation of 0..n-1 with n >= 1.

    Example:
        >>> permutation_cycles([1, 0, 2])
        [(0, 1), (2,)]
    """
    images = [operator.index(i) for i in p]
    if not images or sorted(images) != list(range(len(images))):
        raise ValueError(f"Argument 'p' must be a permutation of 0..n-1, not {shown(images)}.")
    cycles: list[tuple[int, ...]] = []
    seen: set[int] = set()
    for start in range(len(images)):
        if start not in seen:
            cycle = [start]
            while (image := images[cycle[-1]]) != start:
                cycle.append(image)
            seen.update(cycle)
            cycles.append(tuple(cycle))
    return cycles


def permutation(p: Sequence[int]) -> GHProduct:
    """`A e_i = e_{p[i]}` as n - #cycles integer transpositions, the fewest GH factors possible.

    The cycle (c_0 c_1 ... c_m) is the product of the transpositions (c_0 c_1) (c_1 c_2) ...

    Raises:
        ValueError: if `p` is not a permutation of 0..n-1 with n >= 1.

    Example:
        >>> three_cycle = permutation([1, 2, 0])
        >>> len(three_cycle), three_cycle.apply([10, 20, 30])
        (2, array([30, 10, 20]))
    """
    pairs = [pair for cycle in permutation_cycles(p) for pair in pairwise(cycle)]
    keys = zero_keys(len(pairs), len(p))
    for key, (i, j) in zip(keys, pairs, strict=True):
        key[i], key[j] = 1, -1
    return GHProduct(keys, np.ones(len(pairs), dtype=np.int64))


def projection(n: int, indices: Collection[int]) -> GHProduct:
    """The diagonal matrix that sets the coordinates `indices` to 0: one factor each, the fewest.

    Raises:
        ValueError: if an index is outside 0..n-1 or repeats.

    Example:
        >>> projection(3, [1]).apply([5, 6, 7])
        array([5, 0, 7])
    """
    keys = zero_keys(len(indices), n)
    for key, i in zip(keys, map(operator.index, indices), strict=True):
        if not 0 <= i < n:
            raise ValueError(f"Argument 'indices' must hold indices in 0..{n - 1}, not {i}.")
        key[i] = 1
    if (keys.sum(axis=0) > 1).any():
        raise ValueError(f"Argument 'indices' must be distinct, not {shown(indices)}.")
    return GHProduct(keys, np.ones(len(keys), dtype=np.int64))


def sign_flip(n: int, indices: Collection[int]) -> GHProduct:
    """The diagonal matrix that negates the coordinates `indices`: one factor each, the fewest.

    Raises:
        ValueError: if an index is outside 0..n-1 or repeats.

    Example:
        >>> sign_flip(3, [1]).apply([5, 6, 7])
        array([ 5, -6,  7])
    """
    half = projection(n, indices)
    return GHProduct(half.keys, 2 * half.betas)


def reset(n: int) -> GHProduct:
    """The zero matrix of size n: n projections, the fewest GH factors possible."""
    return projection(n, range(n))


def register_reset(n: int) -> GHProduct:
    """The 2n x 2n matrix [[0, 0], [I, 0]]: (current, previous) -> (0, current).

    n swaps of the halves, then n projections of the first half: 2n factors, the fewest possible.

    Example:
        >>> register_reset(2).apply([1, 2, 3, 4])
        array([0, 0, 1, 2])
    """
    forget = projection(2 * n, range(n))
    return forget @ permutation([*range(n, 2 * n), *range(n)])


def halving_register_reset(n: int) -> GHProduct:
    """The 2n x 2n matrix [[0, 0], [I/2, 0]] as 3n projections, so with eigenvalues 0 only.

    In a plane, P(e2) P((1, 1)/sqrt 2) P(e1) = e2 e1^T / 2, where P(u) = u u^T = I - k k^T for a
    unit vector k orthogonal to u.

    Example:
        >>> [str(x) for x in halving_register_reset(1).apply([4, 7])]
        ['0', '2']
    """
    mean = zero_keys(n, 2 * n)
    rows = range(n)
    mean[rows, rows] = 1
    mean[rows, range(n, 2 * n)] = -1
    halves = GHProduct(mean, np.array([Fraction(1, 2)] * n, object))
    return projection(2 * n, rows) @ halves @ projection(2 * n, range(n, 2 * n))


def offsets(n: int) -> list[Fraction]:
    """Different dyadic numbers v_1, ..., v_n of sum 0, with |v| <= 1 / sqrt(n).

    Whole numbers around 0 over the least power of two that makes them small enough.

    Example:
        >>> [str(v) for v in offsets(4)]
        ['-1/4', '-1/8', '1/8', '1/4']
    """
    half = n // 2
    whole = [j for j in range(-half, half + 1) if j or n % 2]
    bits = 0
    while n * sum(j * j for j in whole) > 4**bits:
        bits += 1
    return [Fraction(j, 2**bits) for j in whole]


def offset_reset(n: int) -> GHProduct:
    """1 v^T with v = `offsets(n)`: e_j -> (v_j, ..., v_j), and (c, ..., c) -> 0; n factors.

    C = I - (1 - n v)(1 - n v)^T / n takes 1 to n v and so has the eigenvalue -n |v|^2 in [-1, 0];
    then n - 1 projections leave the mean of the entries.  1 v^T has the square 0, so n is least.

    Example:
        >>> [str(x) for x in offset_reset(2).apply([1, 0])]
        ['-1/2', '-1/2']
    """
    steps = np.tri(n, dtype=np.int64)[:-1]
    steps[range(n - 1), range(1, n)] = -np.arange(1, n)  # (1, -1), (1, 1, -2), ...
    sizes = [Fraction(1, i * (i + 1)) for i in range(1, n)]
    mean = GHProduct(steps, np.array(sizes, object)) if n > 1 else identity(n)
    key = [[1 - n * v for v in offsets(n)]]
    return mean @ GHProduct(np.array(key, object), np.array([Fraction(1, n)], object))
