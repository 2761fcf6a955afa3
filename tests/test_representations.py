"""Exact orthogonal matrices of groups: proved for many, and refused when one entry is wrong."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lrnn_theory import householder as gh
from lrnn_theory.characters import FiniteGroup, real_characters
from lrnn_theory.representations import irreducible
from lrnn_theory.word_problems import (
    alternating_group,
    dihedral_group,
    quaternion_group,
    symmetric_group,
)

generating = st.integers(2, 4).flatmap(
    lambda n: st.lists(st.permutations(range(n)), min_size=1, max_size=3)
)


def models(rows, dimension):
    group = FiniteGroup.generated_by(rows)
    return [irreducible(group, c) for c in real_characters(group) if c.dimension == dimension]


@settings(deadline=None, max_examples=40)
@given(generating, st.data())
def test_irreducibles_of_random_groups(rows, data):
    """Groups on up to 4 points: everything of at most 4 dimensions has an exact form."""
    group = FiniteGroup.generated_by(rows)
    small = [c for c in real_characters(group) if c.dimension <= 4]
    model = irreducible(group, data.draw(st.sampled_from(small)))
    assert model is not None
    model.check()
    a = int(data.draw(st.sampled_from(group.letters.tolist())))
    factors = gh.orthogonal(model.matrix(a))
    assert len(factors) == model.character.lengths[group.classes[a]]
    assert (factors.matrix() == model.matrix(a)).all()


@settings(deadline=None, max_examples=40)
@given(generating, st.data())
def test_one_wrong_number_is_found(rows, data):
    group = FiniteGroup.generated_by(rows)
    small = [c for c in real_characters(group) if 2 <= c.dimension <= 4]
    assume(small)
    model = irreducible(group, data.draw(st.sampled_from(small)))
    s = data.draw(st.sampled_from(sorted(model.generators)))
    i, j = (data.draw(st.integers(0, model.n - 1)) for _ in range(2))
    model.generators[s][i, j] = model.generators[s][i, j] + Fraction(1, 7)
    with pytest.raises(ArithmeticError):
        model.check()


def test_orthogonal_matrices_that_do_not_act_like_the_group():
    model = models(symmetric_group(4).delta, 3)[0]
    a, b = list(model.generators)[:2]
    model.generators[a], model.generators[b] = model.generators[b], model.generators[a]
    with pytest.raises(ArithmeticError, match="does not act like it"):
        model.check()


def test_a_representation_with_another_character():
    first, second = models(symmetric_group(4).delta, 3)
    with pytest.raises(ArithmeticError, match="traces"):
        replace(first, character=second.character).check()


@pytest.mark.parametrize(
    ("rows", "n", "degree", "signed"),
    [
        (symmetric_group(4).delta, 3, 1, True),  # the cube's rotations, the tetrahedron's all
        (quaternion_group().delta, 4, 1, True),
        (dihedral_group(4).delta, 2, 1, True),
        (alternating_group(4).delta, 3, 1, True),
        (symmetric_group(3).delta, 2, 4, False),  # sqrt 3 in the field of z12
        (alternating_group(5).delta, 3, 4, False),  # sqrt 5 in the field of z5
        (symmetric_group(5, "two").delta, 4, 4, False),  # sqrt 5 again
    ],
    ids=["S4", "Q8", "D4", "A4", "S3", "A5", "S5"],
)
def test_fields(rows, n, degree, signed):
    for model in models(rows, n):
        model.check()
        assert model.cost[0] == degree
        assert model.is_signed_permutation == signed


def test_the_standard_representation_of_s5_is_not_rational():
    """Its discriminant is 5, no square, so the form is no multiple of a sum of 4 squares."""
    gram = np.full((4, 4), -1, int) + 5 * np.eye(4, dtype=int)
    assert round(np.linalg.det(gram)) == 5**3


def test_what_is_too_large_is_not_tried():
    group = FiniteGroup.generated_by([[1, 2, 3, 4, 5, 0], [1, 0, 2, 3, 4, 5]])
    sixteen = real_characters(group)[-1]
    assert sixteen.dimension == 16
    assert irreducible(group, sixteen) is None
