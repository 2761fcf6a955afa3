"""Transition monoids of named machines, against published sizes and facts.

Every expectation is a formula or a statement of the literature, named by a key of `SOURCES`:
nothing here was copied from what the library says.
"""

from collections.abc import Iterator
from math import comb, factorial
from typing import Any

import pytest

from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.monoid import transition_monoid
from lrnn_theory.word_problems import (
    alternating_group,
    cyclic_group,
    dihedral_group,
    quaternion_group,
    symmetric_group,
)

SOURCES = {
    "GM": "Ganyushkin, Mazorchuk, Classical finite transformation semigroups, 2009: chapters 2, 4",
    "Howie": "Howie, Fundamentals of semigroup theory, 1995: 1.2, 4.1, 5.1, exercises of chapter 5",
    "Howie71": "Howie, Products of idempotents in certain semigroups of transformations, 1971",
    "Higgins": "Higgins, Combinatorial results for semigroups of order-preserving mappings, 1993",
    "Fernandes": "Fernandes, The monoid of all injective order preserving partial transformations"
    " on a finite chain, 2001",
    "Pin": "Pin, Varieties of formal languages, 1986: chapters 2, 4, 5",
    "PRS": "Perles, Rabin, Shamir, The theory of definite automata, 1963",
    "Simon": "Simon, Piecewise testable events, 1975",
    "Tomita": "Tomita, Dynamic construction of finite automata, 1982; groups: see Pin",
    "BST": "Schützenberger 1965: star-free is aperiodic; bounded nesting: Brzozowski, Knast, 1978",
    "Rotman": "Rotman, An introduction to the theory of groups, 1995: chapters 1-5, 7",
    "FM": "arithmetic modulo the prime 5: groups Z5 = (F_5, +) and Z4 = (F_5 without 0, *)",
}

Fact = tuple[str, Automaton, str, dict[str, Any]]


def points(*letters: list[int]) -> Automaton:
    return Automaton.from_table([list(letter) for letter in letters])


def stirling(n: int, k: int) -> int:
    """Number of partitions of n points into k parts."""
    if n == k:
        return 1
    return 0 if k in (0, n + 1) or n == 0 else k * stirling(n - 1, k) + stirling(n - 1, k - 1)


def bell(n: int) -> int:
    return sum(stirling(n, k) for k in range(n + 1))


def fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


SYMMETRIC = {0: "Z1", 1: "Z1", 2: "Z2", 3: "S3", 4: "S4", 5: "S5", 6: "S6"}


def of_points(n: int) -> Iterator[Fact]:
    """Monoids of all maps of n points of some kind; partial maps have a sink."""
    cycle, swap = [*range(1, n), 0], [1, 0, *range(2, n)]
    ranks = range(1, n + 1)
    yield (
        f"T{n}",
        points(cycle, swap, [0, 0, *range(2, n)]),
        "GM",
        {
            "size": n**n,
            "idempotents": sum(comb(n, k) * k ** (n - k) for k in ranks),
            "r": bell(n),
            "l": 2**n - 1,
            "h": sum(stirling(n, k) * comb(n, k) for k in ranks),
            "d": n,
            "regular": n,
            "ideal": n,
            "groups": {SYMMETRIC[k] for k in ranks},
            "boxes": {(stirling(n, k), comb(n, k), factorial(k)) for k in ranks},
            "solvable": n < 5,
            "two_groups": n < 3,
            "aperiodic": False,
        },
    )
    if n > 5:
        return
    cycle, swap, sunk = [*cycle, n], [*swap, n], [n, *range(1, n), n]
    ranks = range(n + 1)
    yield (
        f"symmetric inverse {n}",
        points(cycle, swap, sunk),
        "Howie",
        {
            "size": sum(comb(n, k) ** 2 * factorial(k) for k in ranks),
            "idempotents": 2**n,
            "r": 2**n,
            "l": 2**n,
            "h": sum(comb(n, k) ** 2 for k in ranks),
            "d": n + 1,
            "regular": n + 1,
            "ideal": 1,
            "groups": {SYMMETRIC[k] for k in ranks},
            "boxes": {(comb(n, k), comb(n, k), factorial(k)) for k in ranks},
            "solvable": n < 5,
        },
    )
    yield (
        f"partial maps {n}",
        points(cycle, swap, sunk, [0, 0, *range(2, n + 1)]),
        "GM",
        {
            "size": (n + 1) ** n,
            "idempotents": sum(comb(n, k) * (k + 1) ** (n - k) for k in ranks),
            "r": bell(n + 1),
            "l": 2**n,
            "h": sum(stirling(n + 1, k + 1) * comb(n, k) for k in ranks),
            "d": n + 1,
            "regular": n + 1,
            "ideal": 1,
            "groups": {SYMMETRIC[k] for k in ranks},
            "solvable": n < 5,
        },
    )


def of_ordered_points(n: int) -> Iterator[Fact]:
    """Monoids of maps that keep the order of n points."""
    up = [[q + (q == i) for q in range(n)] for i in range(n - 1)]
    down = [[q - (q == i) for q in range(n)] for i in range(1, n)]
    yield (
        f"order-preserving {n}",
        points(*up, *down),
        "Howie71",
        {
            "size": comb(2 * n - 1, n),
            "idempotents": fibonacci(2 * n),
            "r": 2 ** (n - 1),
            "l": 2**n - 1,
            "h": comb(2 * n - 1, n),
            "d": n,
            "regular": n,
            "ideal": n,
            "groups": {"Z1"},
            "aperiodic": True,
            "j_trivial": False,
        },
    )
    catalan = comb(2 * n, n) // (n + 1)
    yield (
        f"Catalan {n}",
        points(*up),
        "Higgins",
        {
            "size": catalan,
            "idempotents": 2 ** (n - 1),
            "r": catalan,
            "l": catalan,
            "d": catalan,
            "regular": 2 ** (n - 1),
            "ideal": 1,
            "j_trivial": True,
            "r_trivial": True,
            "aperiodic": True,
        },
    )
    # Partial maps: i -> i + 1 alone, both ways, on all points but one or two.
    partial = [[*range(n), n] for _ in range(2 * n - 1)]
    for i in range(n - 1):
        partial[2 * i][i : i + 2] = [i + 1, n]
        partial[2 * i + 1][i : i + 2] = [n, i]
    partial[-1][0] = n
    yield (
        f"order-preserving partial injections {n}",
        points(*partial),
        "Fernandes",
        {
            "size": comb(2 * n, n),
            "idempotents": 2**n,
            "r": 2**n,
            "l": 2**n,
            "h": comb(2 * n, n),
            "d": n + 1,
            "regular": n + 1,
            "ideal": 1,
            "aperiodic": True,
        },
    )


def of_a_group(name: str, machine: Automaton, order: int, length: int | None) -> Fact:
    """A group: one class of each kind.  The length is the derived length, None if not solvable."""
    return (
        f"group {name}",
        machine,
        "Rotman",
        {
            "size": order,
            "idempotents": 1,
            "r": 1,
            "l": 1,
            "h": 1,
            "d": 1,
            "regular": 1,
            "ideal": order,
            "is_group": True,
            "groups": {name},
            "lengths": {length},
            "commutative": length is not None and length < 2,
            "solvable": length is not None,
            "two_groups": order & (order - 1) == 0,
            "aperiodic": order == 1,
            "j_trivial": order == 1,
        },
    )


def affine(p: int, root: int) -> Automaton:
    """x -> a x + b modulo p."""
    return points([(x + 1) % p for x in range(p)], [root * x % p for x in range(p)])


def signed_permutations(n: int) -> Automaton:
    """The hyperoctahedral group: point i and its negative i + n."""
    cycle = [(i + 1) % n + n * s for s in (0, 1) for i in range(n)]
    swap = [(1 - i if i < 2 else i) + n * s for s in (0, 1) for i in range(n)]
    sign = [n, *range(1, n), 0, *range(n + 1, 2 * n)]
    return points(cycle, swap, sign)


def groups() -> Iterator[Fact]:
    for m in (1, 2, 3, 4, 5, 6, 7, 12, 60):
        yield of_a_group(f"Z{m}", languages.mod(m), m, int(m > 1))
    yield of_a_group("Z30", cyclic_group(30), 30, 1)
    for n, length in ((3, 2), (4, 3), (5, None), (6, None)):
        yield of_a_group(f"S{n}", symmetric_group(n, "two"), factorial(n), length)
    for n, length in ((4, 2), (5, None), (6, None)):
        yield of_a_group(f"A{n}", alternating_group(n, "two"), factorial(n) // 2, length)
    yield of_a_group("S7", points([*range(1, 7), 0], [1, 0, *range(2, 7)]), 5040, None)
    for m in (4, 5, 6, 12):
        yield of_a_group(f"D{m}", dihedral_group(m), 2 * m, 2)
    yield of_a_group("Q8", quaternion_group(), 8, 2)
    yield of_a_group("Z5:Z4", affine(5, 2), 20, 2)
    yield of_a_group("Z7:Z6", affine(7, 3), 42, 2)
    yield of_a_group("Z7:Z3", affine(7, 2), 21, 2)
    yield of_a_group("D4", signed_permutations(2), 8, 2)
    yield of_a_group("Z2 x S4", signed_permutations(3), 48, 3)
    yield of_a_group("Z2 x Z2", languages.tomita(5), 4, 1)
    yield of_a_group("Z3", languages.tomita(6), 3, 1)
    yield of_a_group("Z2", languages.parity(), 2, 1)


def of_languages() -> Iterator[Fact]:
    for n in range(2, 6):
        # The Brandt monoid: partial maps of rank 1 of n states, nothing and the identity.
        word = "abcde"[:n]
        yield (
            f"({word})*",
            Automaton.from_regex(f"({word})*"),
            "Pin",
            {
                "size": n * n + 2,
                "idempotents": n + 2,
                "r": n + 2,
                "l": n + 2,
                "h": n * n + 2,
                "d": 3,
                "regular": 3,
                "ideal": 1,
                "aperiodic": True,
                "j_trivial": False,
            },
        )
    for n in (2, 3, 4):
        # Right zeros and an identity: n resets.
        yield (
            f"{n} resets",
            points(*([i] * n for i in range(n)), list(range(n))),
            "Pin",
            {
                "size": n + 1,
                "idempotents": n + 1,
                "r": 2,
                "l": n + 1,
                "d": 2,
                "regular": 2,
                "ideal": n,
                "aperiodic": True,
                "r_trivial": False,
            },
        )
    for r, m in ((2, 3), (3, 4), (1, 6), (5, 2)):
        # The powers of one letter of index r and period m: a^r, ..., a^(r+m-1) are a group.
        yield (
            f"index {r}, period {m}",
            points([*range(1, r + m), r]),
            "Howie",
            {
                "size": r + m,
                "idempotents": 2,
                "r": r + 1,
                "l": r + 1,
                "h": r + 1,
                "d": r + 1,
                "regular": 2,
                "ideal": m,
                "groups": {"Z1", f"Z{m}"},
                "lengths": {0, 1},
                "commutative": True,
                "two_groups": m in (2, 4),
            },
        )
    for k in (3, 7):
        # Words of fewer than k letters, and the constants, which are right zeros.
        yield (
            f"k-th letter from the end, {k}",
            languages.nth_from_last(k),
            "PRS",
            {
                "size": 2 ** (k + 1) - 1,
                "idempotents": 2**k + 1,
                "r": 2**k,
                "l": 2 ** (k + 1) - 1,
                "d": 2**k,
                "regular": 2,
                "ideal": 2**k,
                "aperiodic": True,
            },
        )
    for n in (1, 5):
        # Powers of a up to the n-th, which is zero; b is the identity.
        yield (
            f"at least {n}",
            languages.at_least(n),
            "Simon",
            {
                "size": n + 1,
                "idempotents": 2,
                "d": n + 1,
                "regular": 2,
                "ideal": 1,
                "commutative": True,
                "j_trivial": True,
            },
        )
    for name in ("iso_date", "iso_datetime", "ipv4", "uuid"):  # finite languages
        piecewise = {"j_trivial": True, "aperiodic": True, "ideal": 1, "groups": {"Z1"}}
        yield name, languages.regex(name), "Simon", piecewise
    star_free = {"aperiodic": True, "groups": {"Z1"}, "two_groups": True, "j_trivial": False}
    for name in ("dyck_5", "dyck_10", "dyck_3_of_two_kinds"):
        yield name, languages.BESTIARY[name](), "BST", star_free | {"ideal": 1}
    for word in ("abc", "aabaa"):
        yield f"contains {word}", languages.contains(word), "Pin", star_free | {"ideal": 1}
    yield "tomita 1", languages.tomita(1), "Tomita", {"size": 2, "j_trivial": True}  # 1*
    yield "tomita 2", languages.tomita(2), "Tomita", star_free | {"size": 6, "d": 3}  # (10)*
    yield "tomita 3", languages.tomita(3), "Tomita", {
        "aperiodic": False, "groups": {"Z1", "Z2"}, "two_groups": True
    }  # fmt: skip
    yield "tomita 4", languages.tomita(4), "Tomita", star_free | {"ideal": 1}  # no 000
    yield "tomita 7", languages.tomita(7), "Simon", {"j_trivial": True}  # no 1...0...1...0
    yield (
        "arithmetic modulo 5",
        languages.modular_arithmetic(5),
        "FM",
        {
            "groups": {"Z1", "Z4", "Z5"},
            "two_groups": False,
            "solvable": True,
            "lengths": {0, 1},
        },
    )


TABLE = [
    *(fact for n in range(2, 7) for fact in of_points(n)),
    *(fact for n in range(2, 8) for fact in of_ordered_points(n)),
    *groups(),
    *of_languages(),
]


def test_the_table_is_long_and_has_sources():
    assert len(TABLE) >= 60
    assert {source for _, _, source, _ in TABLE} == set(SOURCES)
    assert len({name + source for name, _, source, _ in TABLE}) > 80


@pytest.mark.parametrize("fact", [pytest.param(fact, id=fact[0]) for fact in TABLE])
def test_published_facts(fact):
    name, machine, source, wanted = fact
    monoid = transition_monoid(machine, seconds=60)
    green = monoid.green(seconds=60)
    assert green is not None
    facts = {
        "size": monoid.size,
        "idempotents": monoid.idempotents,
        "r": green.r_classes,
        "l": green.l_classes,
        "h": green.h_classes,
        "d": green.d_classes,
        "regular": green.regular_d_classes,
        "ideal": monoid.minimal_ideal,
        "groups": {g.name for g in green.groups},
        "lengths": {g.derived_length for g in green.groups},
        "boxes": {(b.r_classes, b.l_classes, b.h_order) for b in green.boxes},
        "is_group": monoid.is_group,
        "commutative": monoid.is_commutative,
        "solvable": monoid.is_solvable,
        "two_groups": monoid.groups_are_2_groups,
        "aperiodic": monoid.is_aperiodic,
        "r_trivial": monoid.is_r_trivial,
        "j_trivial": monoid.is_j_trivial,
    }
    assert {key: facts[key] for key in wanted} == wanted, (name, SOURCES[source])
