"""Word problems of groups: is the product of a word's letters the identity?

The states are the group's elements, and a letter multiplies from the right, so that words are read
left to right: the first letter acts first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.automaton import Automaton
from lrnn_theory.table import check_size


def symmetric_group(n: int, generators: Literal["all", "adjacent", "two"] = "all") -> Automaton:
    """Word problem of S_n: words whose product is the identity; n! states.

    A letter is a permutation in one-line notation: "231" takes 1 to 2, 2 to 3 and 3 to 1.  The
    first letter of a word acts first.

    Args:
        n: number of points, 2 to 9.
        generators: the letters: every permutation, the n - 1 transpositions of neighbours, or the
            transposition of 1 and 2 with the cycle 1 -> 2 -> ... -> n -> 1.

    Example:
        >>> symmetric_group(3).accepts("213 132 231".split())
        True
        >>> symmetric_group(3).accepts("132 213 231".split())
        False
    """
    check_integer("n", n, 2, 9)
    transpositions = [_cycle(n, i, i + 1) for i in range(n - 1)]
    chosen = _choose(
        generators, adjacent=transpositions, two=[transpositions[0], _cycle(n, *range(n))]
    )
    check_size(math.factorial(n) if chosen is None else len(chosen), math.factorial(n))
    return _word_problem(_permutations(n), chosen)


def alternating_group(
    n: int, generators: Literal["all", "three_cycles", "two"] = "all"
) -> Automaton:
    """Word problem of A_n: words whose product is the identity; n!/2 states.

    Letters are even permutations in one-line notation, as for `symmetric_group`.

    Args:
        n: number of points, 3 to 9.
        generators: the letters: every even permutation, the cycles 1 -> 2 -> k -> 1, or
            1 -> 2 -> 3 -> 1 with the longest even cycle on 1, ..., n or on 2, ..., n.

    Example:
        >>> alternating_group(4, "two")
        <Automaton dfa: 12 states, 2 letters>
    """
    check_integer("n", n, 3, 9)
    three_cycles = [_cycle(n, 0, 1, k) for k in range(2, n)]
    long = _cycle(n, *range(1 - n % 2, n))
    chosen = _choose(generators, three_cycles=three_cycles, two=[three_cycles[0], long])
    order = math.factorial(n) // 2
    check_size(order if chosen is None else len(chosen), order)
    points = _permutations(n)
    inversions = sum(
        (points[:, i] > points[:, j]).astype(int) for i, j in itertools.combinations(range(n), 2)
    )
    return _word_problem(points[inversions % 2 == 0], chosen)


def cyclic_group(m: int) -> Automaton:
    """Word problem of Z_m with every element as a letter: m letters, m states.

    Example:
        >>> cyclic_group(12).accepts(["7", "5"])
        True
    """
    check_integer("m", m, 1)
    check_size(m, m)
    q = np.arange(m)
    return Automaton.from_table((q[:, None] + q) % m, accepting=[0], letters=map(str, q))


def dihedral_group(m: int) -> Automaton:
    """Word problem of the dihedral group of order 2m, letters r (rotation) and s (reflection).

    Example:
        >>> dihedral_group(4).accepts("srsr"), dihedral_group(4).accepts("srs")
        (True, False)
    """
    check_integer("m", m, 1)
    check_size(2, 2 * m)
    k = np.arange(m)
    # State k + m f is r^k s^f, and s r = r^-1 s.
    r = [(k + 1) % m, m + (k - 1) % m]
    s = [m + k, k]
    return Automaton.from_table([np.concatenate(r), np.concatenate(s)], accepting=[0], letters="rs")


def quaternion_group() -> Automaton:
    """Word problem of the quaternion group Q8, its 8 elements as letters.

    Example:
        >>> quaternion_group().accepts(["i", "j", "-k"]), quaternion_group().accepts(["j", "j"])
        (True, False)
    """
    # State 2 a + s is (-1)^s times unit a of 1, i, j, k; two units multiply to the unit a ^ b.
    negative = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 1]])
    (a, s), (b, t) = np.divmod(np.arange(8)[:, None], 2), np.divmod(np.arange(8), 2)
    delta = 2 * (b ^ a) + (s ^ t ^ negative[b, a])  # row a: right multiplication of b by a
    return Automaton.from_table(
        delta, accepting=[0], letters=("1", "-1", "i", "-i", "j", "-j", "k", "-k")
    )


def check_integer(name: str, value: int, low: int, high: int | None = None) -> None:
    """Raise TypeError for what is not an integer, ValueError for one outside low..high."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise TypeError(f"Argument '{name}' must be an integer, not {value!r}.")
    if value < low or (high is not None and value > high):
        bound = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"Argument '{name}' must be {bound}, not {value}.")


def _cycle(n: int, *points: int) -> tuple[int, ...]:
    """The permutation of 0, ..., n-1 that takes each of `points` to the next one."""
    image = list(range(n))
    for p, q in zip(points, (*points[1:], points[0]), strict=True):
        image[p] = q
    return tuple(image)


def _permutations(n: int) -> NDArray[np.int64]:
    """All permutations in lexicographic order, (n!, n)."""
    return np.array(list(itertools.permutations(range(n))))


def _choose(generators: str, **sets: list[tuple[int, ...]]) -> list[tuple[int, ...]] | None:
    """The named generators; None for "all"."""
    if generators != "all" and generators not in sets:
        raise ValueError(
            f"Argument 'generators' must be one of {', '.join(['all', *sets])}, not {generators!r}."
        )
    return None if generators == "all" else list(dict.fromkeys(sets[generators]))


def _word_problem(
    group: NDArray[np.int64], generators: Iterable[Sequence[int]] | None
) -> Automaton:
    """The DFA whose states are the group's elements, sorted, and the identity first."""
    letters = group if generators is None else np.array(list(generators))
    weights = 10 ** np.arange(group.shape[1])[::-1]
    code = group @ weights
    # State g after the letter a is the map i -> a(g(i)).
    delta = [np.searchsorted(code, a[group] @ weights) for a in letters]
    names = ["".join(str(p + 1) for p in a) for a in letters]
    return Automaton.from_table(delta, accepting=[0], letters=names)
