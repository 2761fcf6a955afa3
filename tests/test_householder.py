"""GH products act as their matrices do; factorisations are exact and as short as claimed."""

import doctest
import math
import operator
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import permutations
from pathlib import Path

import hypothesis.strategies as st
import ml_dtypes
import numpy as np
import pytest
from householder_reference import (
    PERMUTATIONS,
    SEEDS,
    SIZES,
    dense,
    gh_products,
    integer_products,
    is_positive_semidefinite,
    objects,
)
from hypothesis import given

from lrnn_theory import householder
from lrnn_theory.householder import (
    GHProduct,
    contraction,
    identity,
    orthogonal,
    permutation,
    permutation_cycles,
    projection,
    reflection,
    reflection_length,
    register_reset,
    reset,
    sign_flip,
)

# ---------------------------------------------------------------- laws of products


@given(gh_products(), st.sampled_from([(), (2,), (1,), (0,)]), SEEDS)
def test_apply_is_multiplication_by_the_matrix(product, columns, seed):
    h = np.random.default_rng(seed).integers(-9, 10, (product.n, *columns))
    before = h.copy()
    result = product.apply(h)
    assert result.shape == h.shape
    assert (result == dense(product) @ h.astype(object)).all()
    assert (product.matrix() == dense(product)).all()
    assert (h == before).all()


@given(gh_products(), SEEDS)
def test_apply_takes_batches(product, seed):
    h = np.random.default_rng(seed).integers(-9, 10, (2, 3, product.n, 2))
    result = product.apply(h)
    for i, j in np.ndindex(2, 3):
        assert (result[i, j] == product.apply(h[i, j])).all()


@given(integer_products(), SEEDS)
def test_integers_never_wrap_around(product, seed):
    h = np.random.default_rng(seed).integers(-(2**40), 2**40, product.n)
    assert product.keys.dtype == np.int64
    assert product.apply(h).tolist() == (dense(product) @ h.astype(object)).tolist()
    squares = [sum(x * x for x in k) for k in product.keys.tolist()]
    assert product.eigenvalues().tolist() == [
        1 - beta * square for beta, square in zip(product.betas.tolist(), squares, strict=True)
    ]


@pytest.mark.parametrize(
    ("keys", "betas", "entry"),
    [
        ([[1]] * 70, [-1] * 70, 1),  # grows factor by factor
        ([[10] + [1] * 100], [-1], 2**62 // 210),  # no column is stretched 202 times: entries are
        ([[2**40, 1]], [0], 2**40),  # overflows on the way only
        (np.array([[2**63, 1]], np.uint64), [1], 1),
    ],
)
def test_integers_near_the_limit(keys, betas, entry):
    product = GHProduct(keys, betas)
    h = np.full(product.n, entry)
    assert product.keys.tolist() == np.asarray(keys).tolist()
    assert product.apply(h).tolist() == (dense(product) @ h.astype(object)).tolist()


@given(st.data(), SIZES)
def test_matmul_multiplies_matrices(data, n):
    left, right = data.draw(gh_products(n=n)), data.draw(gh_products(n=n))
    assert len(left @ right) == len(left) + len(right)
    assert ((left @ right).matrix() == dense(left) @ dense(right)).all()


@given(gh_products(st.fractions(-3, 3, max_denominator=6)))
def test_transpose_and_inverse(product):
    assert (product.transpose().matrix() == dense(product).T).all()
    if any(value == 0 for value in product.eigenvalues()):
        with pytest.raises(ValueError, match="has eigenvalue 0"):
            product.inverse()
    else:
        assert ((product @ product.inverse()).matrix() == np.eye(product.n)).all()
        assert ((product.inverse() @ product).matrix() == np.eye(product.n)).all()


def test_inverse_of_integers_is_exact_and_of_floats_float():
    exact = GHProduct([[1, 0]], [3]).inverse()
    assert [exact.betas.dtype, *exact.betas] == [object, Fraction(3, 2)]
    assert isinstance(exact.betas[0], Fraction)
    inexact = GHProduct([[1.0, 0.0]], [3.0]).inverse()
    assert [inexact.betas.dtype, *inexact.betas] == [np.float64, 1.5]
    assert permutation([1, 2, 0]).inverse().keys.dtype == np.int64


@given(gh_products(st.fractions(-3, 3, max_denominator=6)))
def test_eigenvalues_belong_to_the_keys(product):
    values = product.eigenvalues()
    for k, beta, value in zip(product.keys, product.betas, values, strict=True):
        assert (GHProduct([k], [beta]).apply(k) == k * value).all()
    low, high = product.spectrum_range()
    assert all(low <= value <= high for value in values)
    assert product.norm_at_most_one() == (not len(product) or (low >= -1 and high <= 1))


@given(gh_products(st.fractions(-3, 3, max_denominator=6)))
def test_factors_in_unit_interval_give_norm_at_most_one(product):
    A = dense(product)
    has_norm_one = is_positive_semidefinite(np.eye(product.n, dtype=int) - A.T @ A)
    assert has_norm_one or not product.norm_at_most_one()
    if len(product) == 1:
        assert has_norm_one == product.norm_at_most_one()


@given(gh_products())
def test_rank_bounds_the_number_of_factors(product):
    assert reflection_length(product.matrix()) <= len(product)


# ---------------------------------------------------------------- spectra


@given(gh_products(st.fractions(Fraction(-7, 8), 1, max_denominator=8), max_factors=6))
def test_without_reflections_eigenvalues_are_one_or_inside_the_disc(product):
    values = np.linalg.eigvals(product.matrix().astype(float))
    # Defective clusters at 1 do not occur (the eigenvalue 1 of a contraction is semisimple), so
    # rounding moves it little; others keep the distance that small keys and parameters allow.
    assert all(abs(z - 1) < 1e-8 or abs(z) < 1 - 1e-8 for z in values)


@given(gh_products(st.fractions(0, 1, max_denominator=8), max_factors=2))
def test_two_nonnegative_factors_have_eigenvalues_in_unit_interval(product):
    values = np.linalg.eigvals(product.matrix().astype(float))
    assert all(abs(z.imag) < 1e-6 and -1e-6 < z.real < 1 + 1e-6 for z in values)


def test_three_projections_can_have_a_negative_eigenvalue():
    # P(u) = u u^T in the plane kills the direction orthogonal to u.
    u = [(1, 0), (Fraction(3, 5), Fraction(4, 5)), (Fraction(-3, 5), Fraction(4, 5))]
    product = GHProduct([(-y, x) for x, y in u], objects([1, 1, 1]))
    A = product.matrix()
    assert product.spectrum_range() == (0, 0)
    assert A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0] == 0
    assert A.trace() == Fraction(-63, 625)


def test_three_nonnegative_factors_can_have_nonreal_eigenvalues():
    v = [(1, 0), (Fraction(3, 5), Fraction(4, 5)), (Fraction(-3, 5), Fraction(4, 5))]
    product = GHProduct(objects(v), objects([Fraction(3, 4)] * 3))
    A = product.matrix()
    trace, det = A.trace(), A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0]
    assert product.spectrum_range() == (Fraction(1, 4), Fraction(1, 4))
    assert (trace, det) == (Fraction(1933, 8000), Fraction(1, 64))
    assert trace**2 < 4 * det


# ---------------------------------------------------------------- integer factorisations


@given(PERMUTATIONS)
def test_permutation(p):
    product, n = permutation(p), len(p)
    cycles = permutation_cycles(p)
    assert sorted(i for cycle in cycles for i in cycle) == list(range(n))
    assert all(p[i] == j for c in cycles for i, j in zip(c, c[1:] + c[:1], strict=True))
    assert product.matrix().tolist() == [[int(p[i] == j) for i in range(n)] for j in range(n)]
    assert len(product) == n - len(cycles) == reflection_length(product.matrix())
    assert product.keys.dtype == product.betas.dtype == product.matrix().dtype == np.int64
    assert set(product.betas) <= {1}
    assert product.norm_at_most_one()
    assert (product.inverse().matrix() == product.matrix().T).all()


def test_last_factor_acts_first():
    for p in permutations(range(3)):
        for q in permutations(range(3)):
            q_then_p = permutation([p[q[i]] for i in range(3)])
            assert ((permutation(p) @ permutation(q)).matrix() == q_then_p.matrix()).all()
    swap_01, swap_12 = permutation([1, 0, 2]), permutation([0, 2, 1])
    assert (swap_01 @ swap_12).apply([1, 0, 0]).tolist() == [0, 1, 0]
    assert (swap_12 @ swap_01).apply([1, 0, 0]).tolist() == [0, 0, 1]


@given(st.integers(1, 6), st.data())
def test_projection_and_sign_flip(n, data):
    indices = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    for build, value in ((projection, 0), (sign_flip, -1)):
        product = build(n, indices)
        diagonal = [value if i in indices else 1 for i in range(n)]
        assert product.matrix().tolist() == np.diag(diagonal).tolist()
        assert len(product) == len(indices) == reflection_length(product.matrix())
        assert product.matrix().dtype == np.int64


@pytest.mark.parametrize("n", range(1, 7))
def test_resets(n):
    assert not reset(n).matrix().any()
    assert len(reset(n)) == n == reflection_length(np.zeros((n, n), int))
    zero, eye = np.zeros((n, n), int), np.eye(n, dtype=int)
    A = register_reset(n)
    assert (A.matrix() == np.block([[zero, zero], [eye, zero]])).all()
    assert A.matrix().dtype == np.int64
    assert len(A) == 2 * n == reflection_length(A.matrix())
    assert A.norm_at_most_one()


def test_identity_has_no_factors():
    assert len(identity(3)) == 0
    assert identity(3).spectrum_range() == (1, 1)
    assert identity(3).norm_at_most_one()
    assert identity(3).inverse().matrix().tolist() == np.eye(3).tolist()
    assert identity(3).apply(np.arange(3)).dtype == np.int64


# ---------------------------------------------------------------- other arithmetics


@dataclass(frozen=True)
class Root2:
    """a + b sqrt 2: a ring without order and division."""

    a: int | Fraction
    b: int | Fraction

    @staticmethod
    def of(x):
        return x if isinstance(x, Root2) else Root2(x, 0)

    def __add__(self, other):
        other = Root2.of(other)
        return Root2(self.a + other.a, self.b + other.b)

    def __neg__(self):
        return Root2(-self.a, -self.b)

    def __mul__(self, other):
        other = Root2.of(other)
        return Root2(self.a * other.a + 2 * self.b * other.b, self.a * other.b + self.b * other.a)

    def __sub__(self, other):
        return self + -Root2.of(other)

    def __rsub__(self, other):
        return Root2.of(other) - self

    def __eq__(self, other):
        other = Root2.of(other)
        return (self.a, self.b) == (other.a, other.b)

    __radd__ = __add__
    __rmul__ = __mul__


def test_any_exact_ring_will_do():
    # Two reflections whose mirrors enclose 67.5 degrees: a rotation by 135 degrees, of order 8.
    k = [Root2(1, 0), Root2(1, 1)]
    turn = GHProduct(objects([k]), objects([Root2(1, Fraction(-1, 2))])) @ sign_flip(2, [0])
    half = Root2(0, Fraction(1, 2))
    assert turn.eigenvalues().tolist() == [-1, -1]
    assert turn.matrix().tolist() == [[-half, -half], [half, -half]]
    power = reduce(operator.matmul, [turn] * 8)
    assert (power.matrix() == np.eye(2, dtype=int)).all()
    assert ((turn @ turn.inverse()).matrix() == np.eye(2, dtype=int)).all()


@pytest.mark.parametrize(
    ("number", "error"), [(np.float32, -3.4e-8), (ml_dtypes.bfloat16, -2.1e-4)]
)
def test_unit_norm_transposition_is_inexact(number, error):
    v = float(number(math.sqrt(0.5)))
    stored = GHProduct([[v, -v]], [2.0])
    assert 2 * v * v - 1 == pytest.approx(error, rel=0.02)
    assert (stored.matrix() != [[0, 1], [1, 0]]).any()
    # The stored matrix shrinks (1, -1) at every step: the error grows with the length of the word.
    h = np.array([1.0, 0.0])
    for _ in range(1000):
        h = stored.apply(h)
    assert abs(h[1]) == pytest.approx((1 - (1 + 2 * error) ** 1000) / 2, rel=0.05)
    assert (permutation([1, 0]).matrix() == [[0, 1], [1, 0]]).all()


def test_unit_norm_transposition_rounded_to_float32_is_inexact_at_once():
    v, h = np.float32(math.sqrt(0.5)), np.array([1, 0], np.float32)
    h = h - np.array([v, -v]) * (np.float32(2) * (v * h[0] - v * h[1]))
    assert h.dtype == np.float32
    assert h.tolist() != [0, 1]
    assert abs(h - [0, 1]).max() == pytest.approx(6e-8, rel=0.02)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GHProduct([1, 2], [1]), r"'keys' must have shape \(factors, n\)"),
        (lambda: GHProduct(np.zeros((1, 0)), [1.0]), r"'keys' must have shape"),
        (lambda: GHProduct([[1, 2]], [1, 2]), r"'betas' must have shape \(1,\)"),
        (lambda: GHProduct([[1.0, math.nan]], [1.0]), "'keys' must hold .* finite"),
        (lambda: GHProduct([[1.0, 0.0]], [math.inf]), "'betas' must hold .* finite"),
        (lambda: GHProduct([["a"]], [1]), "'keys' must hold"),
        (lambda: GHProduct([[True]], [1]), "'keys' must hold"),
        (lambda: GHProduct([[Fraction(1, 2), 0.5]], [1]), "'keys' must hold"),
        (lambda: GHProduct(objects([[np.int64(1), 2]]), [1]), "'keys' must hold"),
        (lambda: GHProduct([[0.5]], objects([Fraction(1, 2)])), "all exact or all floats"),
        (
            lambda: GHProduct([[1]], objects([Fraction(1, 2)])).apply([0.5]),
            "all exact or all floats",
        ),
        (lambda: identity(2).apply([1, 2, 3]), r"'state' must have shape \(2,\)"),
        (lambda: identity(2).apply(1), "'state' must have shape"),
        (lambda: identity(2).apply(np.zeros((2, 3, 1))), "'state' must have shape"),
        (lambda: identity(2) @ identity(3), "size 2 by one of 3"),
        (lambda: reset(2).inverse(), "factor 0 has eigenvalue 0"),
        (lambda: permutation([0, 0]), "'p' must be a permutation"),
        (lambda: permutation([]), "'p' must be a permutation"),
        (lambda: projection(3, [3]), r"'indices' must hold indices in 0..2, not 3"),
        (lambda: projection(3, [-1]), r"'indices' must hold indices in 0..2, not -1"),
        (lambda: sign_flip(3, [1, 1]), "'indices' must be distinct"),
        (lambda: identity(0), "'n' must be positive, not 0"),
        (lambda: register_reset(-1), "'n' must be positive, not -2"),
        (lambda: reset(10**9), "more than MAX_KEY_ENTRIES"),
        (lambda: register_reset(10**9), "more than MAX_KEY_ENTRIES"),
        (lambda: reflection([0, 0]), "'k' must be a nonzero vector"),
        (lambda: reflection([[1, 0]]), "'k' must be a nonzero vector"),
        (lambda: reflection(objects([Root2(1, 1)])), "'k' must hold integers, fractions or floats"),
        (lambda: orthogonal([[1, 1], [0, 1]]), "'Q' must be orthogonal"),
        (lambda: orthogonal(objects([[1, Fraction(1, 10**12)], [0, 1]])), "must be orthogonal"),
        (lambda: orthogonal([[1.0, 1e-6], [0.0, 1.0]]), "entry of Q.T Q - I is 1e-06"),
        (lambda: orthogonal([[1, 0]]), r"'Q' must have shape \(n, n\)"),
        (lambda: reflection_length(np.zeros((0, 0))), r"'matrix' must have shape \(n, n\)"),
        (lambda: contraction([[1.0, 0.1], [0.0, 1.0]]), "'M' must have norm at most 1, not 1.05"),
        (lambda: contraction([[math.nan]]), "'M' must hold"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_matmul_with_an_array_is_a_type_error():
    with pytest.raises(TypeError, match="operand"):
        operator.matmul(identity(2), np.eye(2))


def test_arrays_cannot_be_changed():
    product = permutation([1, 0])
    with pytest.raises(ValueError, match="read-only"):
        product.keys[0, 0] = 5


def test_examples_in_docstrings_and_on_the_page_run():
    page = Path(__file__).parents[1] / "docs" / "gh-algebra.md"
    modules = (householder.product, householder.integer, householder.reflections)
    results = [doctest.testmod(m, extraglobs=vars(householder)) for m in modules]
    results.append(doctest.testfile(str(page), False))
    assert all(r.attempted > 0 and r.failed == 0 for r in results)
