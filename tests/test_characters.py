"""Exact characters, against what their theory demands of them and against known tables."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrnn_theory import characters
from lrnn_theory.characters import FiniteGroup, real_characters
from lrnn_theory.cyclotomic import cos_turn
from lrnn_theory.householder import permutation_cycles
from lrnn_theory.word_problems import (
    alternating_group,
    cyclic_group,
    quaternion_group,
    symmetric_group,
)

generating = st.integers(2, 5).flatmap(
    lambda n: st.lists(st.permutations(range(n)), min_size=1, max_size=3)
)
FROBENIUS_21 = [[(x + 1) % 7 for x in range(7)], [2 * x % 7 for x in range(7)]]
PSL27 = [[1, 2, 3, 4, 5, 6, 0, 7], [7, 6, 3, 2, 5, 4, 1, 0]]  # x + 1 and -1/x on the line over F7


def inner(group, x, y):
    sizes = np.bincount(group.classes).tolist()
    return sum(a * b * s for a, b, s in zip(x, y, sizes, strict=True))


@settings(deadline=None)
@given(generating)
def test_powers_of_every_element(rows):
    group = FiniteGroup.generated_by(rows)
    for g in range(group.order):
        powers = group.powers(g)
        assert powers[0] == 0
        assert group.times(g, powers).tolist() == [*powers[1:], 0]
        assert len(set(powers)) == len(powers)


@settings(deadline=None)
@given(generating)
def test_orthogonality_and_completeness(rows):
    group = FiniteGroup.generated_by(rows)
    found = real_characters(group)
    for i, x in enumerate(found):
        for j, y in enumerate(found):
            wanted = x.endomorphisms * group.order if i == j else 0
            assert inner(group, x.values, y.values) == wanted
    assert sum(Fraction(x.dimension**2, x.endomorphisms) for x in found) == group.order


@settings(deadline=None)
@given(generating)
def test_the_permutation_character_and_its_reflection_lengths(rows):
    """The constituents of the permutations add up to n - #cycles reflections for every element."""
    group = FiniteGroup.generated_by(rows)
    points = [group.elements[g] for g in group.representatives]
    fixed = [int((p == np.arange(len(p))).sum()) for p in points]
    lengths = np.zeros(len(points), int)
    dimension = 0
    for x in real_characters(group):
        multiplicity = Fraction(inner(group, x.values, fixed)) / (group.order * x.endomorphisms)
        assert multiplicity.denominator == 1
        assert multiplicity >= 0
        lengths += int(multiplicity) * x.lengths
        dimension += int(multiplicity) * x.dimension
    assert dimension == len(points[0])
    assert lengths.tolist() == [len(p) - len(permutation_cycles(p)) for p in points]


@given(generating, st.data())
def test_elements_multiply_as_maps(rows, data):
    group = FiniteGroup.generated_by(rows)
    g, h = (data.draw(st.integers(0, group.order - 1)) for _ in range(2))
    x, y = group.elements[[g, h]]
    assert (group.elements[group.times(g, h)] == x[y]).all()
    assert group.times(g, group.inverse[g]) == 0
    assert group.classes[group.times(g, h)] == group.classes[group.times(h, g)]
    reached = {0}
    for new, s, old in group.walk:
        assert old in reached
        assert group.times(s, old) == new
        reached.add(new)
    assert len(reached) == group.order


@pytest.mark.parametrize(
    ("rows", "table"),
    [
        (symmetric_group(4).delta, [(1, 1), (1, 1), (2, 1), (3, 1), (3, 1)]),
        (quaternion_group().delta, [(1, 1)] * 4 + [(4, 4)]),
        (alternating_group(4).delta, [(1, 1), (2, 2), (3, 1)]),
        (alternating_group(5).delta, [(1, 1), (3, 1), (3, 1), (4, 1), (5, 1)]),
        (symmetric_group(5).delta, [(1, 1)] * 2 + [(4, 1)] * 2 + [(5, 1)] * 2 + [(6, 1)]),
        (cyclic_group(5).delta, [(1, 1), (2, 2), (2, 2)]),
        (FROBENIUS_21, [(1, 1), (2, 2), (6, 2)]),
        (PSL27, [(1, 1), (6, 1), (6, 2), (7, 1), (8, 1)]),
    ],
    ids=["S4", "Q8", "A4", "A5", "S5", "Z5", "7:3", "PSL(2,7)"],
)
def test_known_dimensions(rows, table):
    found = real_characters(FiniteGroup.generated_by(rows))
    assert [(x.dimension, x.endomorphisms) for x in found] == table


def test_the_icosahedron():
    group = FiniteGroup.generated_by(alternating_group(5).delta)
    golden = -2 * cos_turn(2, 5)
    assert {v for x in real_characters(group)[1:3] for v in x.values} == {
        3, 0, -1, golden, 1 - golden,
    }  # fmt: skip


def test_groups_too_large_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="more than 5040 elements"):
        FiniteGroup.generated_by([[1, 0, *range(2, 8)], [*range(1, 8), 0]])
    monkeypatch.setattr(characters, "MAX_CLASSES", 3)
    with pytest.raises(ValueError, match="5 conjugacy classes, more than 3"):
        real_characters(FiniteGroup.generated_by(symmetric_group(4).delta))
