"""Facts about permutation groups, against sympy and the groups of the textbooks."""

from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy.combinatorics import Permutation, PermutationGroup

from lrnn_theory import groups
from lrnn_theory.group_names import abelian_name
from lrnn_theory.groups import (
    TRIVIAL_GROUP,
    GroupFacts,
    closure,
    commute,
    contains_alternating_group,
    permutation_group_facts,
)
from lrnn_theory.word_problems import (
    alternating_group,
    cyclic_group,
    dihedral_group,
    quaternion_group,
    symmetric_group,
)


def rows(n: int, *permutations: str) -> np.ndarray:
    """Permutations of n points in cycle notation over 1, ..., n: "1 2 3, 4 5"."""
    table = np.tile(np.arange(n), (len(permutations), 1))
    for row, text in zip(table, permutations, strict=True):
        for cycle in text.split(","):
            points = [int(p) - 1 for p in cycle.split()]
            row[points] = points[1:] + points[:1]
    return table


def sympy_group(generators: np.ndarray) -> PermutationGroup:
    return PermutationGroup([Permutation(row.tolist()) for row in generators])


permutations = st.integers(1, 9).flatmap(
    lambda n: st.lists(st.permutations(range(n)), min_size=1, max_size=3)
)


@given(permutations)
def test_facts_agree_with_sympy(generators):
    table = np.array(generators)
    facts, group = permutation_group_facts(table), sympy_group(table)
    assert facts.order == group.order()
    assert facts.is_abelian == group.is_abelian
    assert facts.is_solvable == group.is_solvable
    series = group.derived_series()
    assert facts.derived_length == (len(series) - 1 if series[-1].is_trivial else None)
    if facts.name == f"S{table.shape[1]}":
        assert group.order() == factorial(table.shape[1])


turns = st.lists(st.integers(2, 9), min_size=1, max_size=4).flatmap(
    lambda cycles: st.lists(
        st.tuples(*(st.integers(0, n - 1) for n in cycles)), min_size=1, max_size=3
    ).map(lambda turns: [(cycles, turn) for turn in turns])
)
"""Permutations that turn the same cycles: any finite abelian group is among these."""


@given(turns)
def test_abelian_groups_have_the_name_that_sympy_finds(turns):
    starts = [np.cumsum([0, *cycles[:-1]]) for cycles, _ in turns]
    table = np.array(
        [
            np.concatenate(
                [s + (np.arange(n) + t) % n for s, n, t in zip(start, *turn, strict=True)]
            )
            for start, turn in zip(starts, turns, strict=True)
        ]
    )
    facts, group = permutation_group_facts(table), sympy_group(table)
    assert facts.is_abelian
    assert facts.order == group.order()
    assert facts.name == (abelian_name(group.abelian_invariants()) if group.order() > 1 else "Z1")


@given(st.integers(8, 12), st.data())
def test_giants_are_certain(n, data):
    generators = np.array(data.draw(st.lists(st.permutations(range(n)), min_size=1, max_size=3)))
    if contains_alternating_group(generators):
        group = sympy_group(generators)
        assert group.order() >= factorial(n) // 2


@given(permutations)
def test_closure_is_the_group(generators):
    table = np.array(generators, np.uint8)
    elements, complete = closure(table, limit=5_000)
    order = sympy_group(table).order()
    assert complete == (order <= 5_000)
    assert len(np.unique(elements, axis=0)) == len(elements) == min(order, 5_000)


NAMED = {
    "Z1": np.arange(4)[None],
    "Z7": cyclic_group(7).delta,
    "Z12": rows(7, "1 2 3, 4 5 6 7"),
    "Z2 x Z2": rows(4, "1 2", "3 4"),
    "Z2 x Z4": rows(6, "1 2", "3 4 5 6"),
    "S3": dihedral_group(3).delta,
    "S4": symmetric_group(4, "two").delta,
    "S5": symmetric_group(5).delta,
    "S6": symmetric_group(6, "two").delta,
    "A4": alternating_group(4).delta,
    "A5": alternating_group(5, "two").delta,
    "A6": alternating_group(6, "three_cycles").delta,
    "D4": dihedral_group(4).delta,
    "D5": rows(5, "1 2 3 4 5", "2 5, 3 4"),
    "D6": rows(5, "1 2 3, 4 5", "1 2"),
    "D50": dihedral_group(50).delta,
    "Q8": quaternion_group().delta,
    "S7": rows(9, "2 4", "2 4 5 6 7 8 9"),
    "A9": rows(9, "1 2 3", "3 4 5 6 7 8 9"),
    "S20": rows(20, "1 2", " ".join(map(str, range(1, 21)))),
    "A101": rows(101, "1 2 3", " ".join(map(str, range(1, 102)))),
    "S1000": rows(1000, "1 2", " ".join(map(str, range(1, 1001)))),
}


@pytest.mark.parametrize("name", NAMED)
def test_names(name):
    assert permutation_group_facts(NAMED[name]).name == name


# Groups of equal order that are easily taken for one another: generators, name, order and derived
# length, None if not solvable.
ALIKE = {
    "SL(2, 3), of order 24 like S4": (
        rows(8, "1 2 3 4, 5 6 7 8", "2 5 6, 4 7 8"),
        "SL(2, 3)",
        24,
        3,
    ),
    "Z2 x A4, of order 24 like S4": (rows(6, "1 2", "3 4 5", "4 5 6"), "Z2 x A4", 24, 2),
    "Z2 x A5, of order 120 like S5": (rows(7, "1 2", "3 4 5 6 7", "3 4 5"), "Z2 x A5", 120, None),
    "Dic3, of order 12 like A4 and D6": (rows(7, "1 2 3", "2 3, 4 5 6 7"), "Dic3", 12, 2),
    "F20, of order 20 like D10": (rows(5, "1 2 3 4 5", "2 3 5 4"), "Z5:Z4", 20, 2),
    "F21": (rows(7, "1 2 3 4 5 6 7", "2 3 5, 4 7 6"), "Z7:Z3", 21, 2),
    "PSL(2, 7)": (rows(7, "1 2 3 4 5 6 7", "2 3, 4 7"), None, 168, None),
    "M11": (rows(11, "1 2 3 4 5 6 7 8 9 10 11", "3 7 11 8, 4 10 5 6"), None, 7920, None),
    "S10 wr Z2": (
        rows(20, "1 2", "1 2 3 4 5 6 7 8 9 10", ",".join(f"{i} {i + 10}" for i in range(1, 11))),
        None,
        factorial(10) ** 2 * 2,
        None,
    ),
}


@pytest.mark.parametrize("which", ALIKE)
def test_groups_that_are_alike(which):
    generators, name, order, length = ALIKE[which]
    facts = GroupFacts(order, False, length is not None, length, name)
    assert permutation_group_facts(generators) == facts


def test_a_mathieu_group_is_no_giant():
    # M24, five times transitive: 23-cycle and involutions as in Conway and Sloane, chapter 10.
    n = 24
    shift = [(i + 1) % 23 for i in range(23)] + [23]
    inverse = [23 if i == 0 else -pow(i, -1, 23) % 23 for i in range(23)] + [0]
    squares = {i * i % 23 for i in range(1, 23)}
    delta = [
        pow(i, 3, 23) * pow(9, -1, 23) % 23 if i in squares or i == 0 else 9 * pow(i, 3, 23) % 23
        for i in range(23)
    ] + [23]
    m24 = np.array([shift, inverse, delta])
    assert not contains_alternating_group(m24)
    assert sympy_group(m24).order() == 244_823_040
    assert permutation_group_facts(m24) == GroupFacts(None, False, None, None, None)
    assert contains_alternating_group(np.array([shift, [1, 0, *range(2, n)], inverse]))


def test_large_groups_are_not_looked_into():
    n = groups.MAX_DEGREE + 1
    cycle = (np.arange(n) + 1) % n
    assert permutation_group_facts(cycle[None]) == GroupFacts(None, None, None, None, None)
    assert permutation_group_facts(cycle[None, :-1] % (n - 1)).name == f"Z{n - 1}"
    blocks = rows(60, "1 2", " ".join(map(str, range(1, 31))), "31 32", "31 32 33 34")
    assert permutation_group_facts(blocks).order is None


def test_fixed_points_do_not_count():
    assert permutation_group_facts(rows(5000, "7 9", "7 9 4999")).name == "S3"
    assert permutation_group_facts(np.arange(5000)[None]) == TRIVIAL_GROUP


def test_commute_is_bounded(monkeypatch):
    z50 = cyclic_group(50).delta
    assert commute(z50) is True
    monkeypatch.setattr(groups, "MAX_COMPARISONS", 10_000)
    assert commute(z50) is None
    assert commute(symmetric_group(4).delta) is False
