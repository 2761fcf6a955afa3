"""Names of groups, against all groups of order up to 60 as GAP knows them."""

import functools
import json
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import group_names
from lrnn_theory.group_names import abelian_name, direct_factors, family, group_name
from lrnn_theory.groups import closure, permutation_group_facts

ORACLE = json.loads((Path(__file__).parent / "oracles" / "gap_groups.json").read_text())
NAMES = {name: (order, number) for name, order, number in ORACLE["names"]}
PRODUCTS = {((a, i), (b, j)): (n, k) for a, i, b, j, n, k in ORACLE["products"]}
GROUPS_OF_ORDER = {8: 5, 12: 5, 16: 14, 24: 15, 32: 51, 48: 52, 60: 13}
"""Besche, Eick and O'Brien, A millennium project: constructing small groups, 2002, table 1."""


def elements_of(generators: list[list[int]]) -> np.ndarray:
    degree = max((len(g) for g in generators), default=1)
    rows = [[p - 1 for p in g] + list(range(len(g), degree)) for g in generators]
    return np.array(rows or [[0]], np.uint8)


def meaning(name: str) -> tuple[int, int]:
    """The group that GAP makes of a name."""
    return functools.reduce(
        lambda g, h: PRODUCTS[min(g, h), max(g, h)],
        [NAMES[factor] for factor in name.split(" x ")],
    )


def test_the_oracle_has_all_groups():
    found = Counter(order for order, *_ in ORACLE["groups"])
    assert set(found) == set(range(1, 61))
    assert {n: found[n] for n in GROUPS_OF_ORDER} == GROUPS_OF_ORDER


@pytest.mark.parametrize("order", range(1, 61))
def test_a_name_means_one_group(order):
    for n, number, structure, generators in ORACLE["groups"]:
        if n != order:
            continue
        facts = permutation_group_facts(elements_of(generators))
        assert facts.order == order
        if facts.name is None:
            # Only other extensions, and products with one, may lack a name.
            assert re.search(r":|\.|QD|GL\(2,3\)", structure), structure
        else:
            assert meaning(facts.name) == (order, number), structure


def test_every_name_is_given():
    given_names = {
        permutation_group_facts(elements_of(generators)).name
        for _, _, _, generators in ORACLE["groups"]
    }
    # Z4 x Z15 and the like are written by primary parts or, if cyclic, by their order.
    assert set(NAMES) <= given_names


def test_names_of_products_do_not_depend_on_the_order_of_the_factors():
    s3 = [(0, 1, 2), (1, 0, 2), (1, 2, 0)]
    turn = [(0, 1, 2, 3), (1, 2, 3, 0), (3, 2, 1, 0)]
    left = [[*p, *(3 + x for x in q)] for p in s3 for q in turn]
    right = [[*q, *(4 + x for x in p)] for p in s3 for q in turn]
    names = {permutation_group_facts(np.array(rows)).name for rows in (left, right)}
    assert names == {"D4 x S3"}


@given(st.lists(st.integers(2, 6), min_size=1, max_size=3))
def test_products_of_cyclic_groups_are_split_into_primary_parts(orders):
    table = np.zeros((1, 1), np.int64)
    for m in orders:
        cycle = np.add.outer(np.arange(m), np.arange(m)) % m
        n = len(table) * m
        table = (table[:, None, :, None] * m + cycle[None, :, None, :]).reshape(n, n)
    parts = sorted(len(factor) for factor in direct_factors(table))
    primary = {2: [2], 3: [3], 4: [4], 5: [5], 6: [2, 3]}
    assert parts == sorted(p for m in orders for p in primary[m])
    assert math.prod(parts) == len(table)


def test_the_search_for_factors_is_bounded(monkeypatch):
    generators = [[1, 0, 2, 3, 4, 5], [0, 1, 3, 4, 2, 5], [0, 1, 2, 4, 5, 3]]
    a4_times_z2, _ = closure(np.array(generators), 50)
    assert group_name(a4_times_z2) == "Z2 x A4"
    monkeypatch.setattr(group_names, "MAX_TABLE", 23)
    assert group_name(a4_times_z2) is None


@pytest.mark.parametrize(
    ("orders", "name"),
    [
        ({1: 1, 2: 3, 3: 2}, "S3"),
        ({1: 1, 2: 5, 4: 2}, "D4"),
        ({1: 1, 2: 1, 4: 10, 8: 4}, "Q16"),
        ({1: 1, 2: 5, 4: 10}, None),  # no dihedral group of order 16 is without order 8
        ({1: 1, 2: 1, 3: 2, 4: 6, 6: 2}, "Dic3"),
        ({1: 1, 2: 5, 4: 10, 5: 4}, "Z5:Z4"),
        ({1: 1, 2: 1, 3: 8, 4: 6, 6: 8}, "SL(2, 3)"),
        ({1: 1, 3: 26}, None),  # order 27, exponent 3
    ],
)
def test_families(orders, name):
    assert family(Counter(orders)) == name


def test_abelian_names():
    assert abelian_name([2]) == "Z2"
    assert abelian_name([3, 5, 4]) == "Z60"
    assert abelian_name([2, 2, 9]) == "Z2 x Z2 x Z9"
