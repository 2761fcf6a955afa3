"""Orthogonal matrices and contractions as products of factors, exact and as short as claimed."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from householder_reference import (
    PERMUTATIONS,
    SEEDS,
    dense,
    random_basis,
    rational_orthogonals,
    rotations,
)
from hypothesis import given

from lrnn_theory.householder import (
    contraction,
    orthogonal,
    reflection,
    reflection_length,
)

# ---------------------------------------------------------------- orthogonal matrices


@given(rational_orthogonals())
def test_rational_orthogonal_is_factored_exactly(Q):
    product = orthogonal(Q)
    assert (dense(product) == Q).all()
    assert len(product) == reflection_length(Q)
    assert all(math.gcd(*k) == 1 for k in product.keys.tolist())
    assert set(product.eigenvalues()) <= {-1}


@given(PERMUTATIONS, SEEDS)
def test_signed_permutation_has_integer_reflections(p, seed):
    signs = np.random.default_rng(seed).choice([-1, 1], len(p))
    Q = np.eye(len(p), dtype=np.int64)[:, p] * signs
    product = orthogonal(Q)
    assert product.keys.dtype == product.betas.dtype == np.int64
    assert (product.matrix() == Q).all()
    assert len(product) == reflection_length(Q)


@given(
    st.lists(st.sampled_from([1e-9, 2e-9, 1e-6, 0.1, 1.0, 2.0, math.pi - 1e-8]), max_size=4),
    st.lists(st.sampled_from([-1, 1]), max_size=4),
    SEEDS,
)
def test_float_orthogonal_is_factored_to_machine_precision(angles, signs, seed):
    n = 2 * len(angles) + len(signs)
    if n == 0:
        return
    basis = random_basis(np.random.default_rng(seed), n)
    blocks = np.diag([0.0] * 2 * len(angles) + signs)
    blocks[: 2 * len(angles), : 2 * len(angles)] = rotations(*angles)
    Q = basis @ blocks @ basis.T
    product = orthogonal(Q)
    assert len(product) == 2 * len(angles) + signs.count(-1) == reflection_length(Q)
    assert abs(product.matrix() - Q).max() < 1e-13
    assert product.norm_at_most_one()
    assert abs(product.eigenvalues() + 1).max(initial=0) < 1e-15


def test_tolerance_between_the_two_singular_values_of_a_rotation():
    for seed in range(50):
        basis = random_basis(np.random.default_rng(seed), 4)
        Q = (
            basis @ np.diag([1.0, 1, 0, 0]) @ basis.T
            + basis[:, 2:] @ rotations(1e-9) @ basis[:, 2:].T
        )
        moved = np.linalg.svd(Q - np.eye(4))[1]
        product = orthogonal(Q, tol=float(moved[1]))
        assert len(product) <= 2
        assert abs(product.matrix() - Q).max() < 1e-8


# ---------------------------------------------------------------- contractions


@given(
    st.integers(1, 7),
    st.sampled_from(["random", "singular", "norm one", "conformal", "scattered", "nilpotent"]),
    SEEDS,
)
def test_contraction(n, kind, seed):
    rng = np.random.default_rng(seed)
    values = rng.random(n)
    if kind == "singular":
        values[rng.random(n) < 0.5] = 0
    elif kind == "norm one":
        values[rng.random(n) < 0.5] = 1
    elif kind == "conformal":
        values[:] = 0.7
    elif kind == "scattered":
        values = rng.choice([0, 1e-300, 1e-12, 0.5, 1 - 1e-9, 1], n)
    M = random_basis(rng, n) * values @ random_basis(rng, n).T
    if kind == "nilpotent":
        M = np.eye(n, k=1) * values
    product = contraction(M)
    assert abs(product.matrix() - M).max() < 1e-13
    assert reflection_length(M) <= len(product) <= 2 * n - 1
    assert product.norm_at_most_one()


@given(st.integers(1, 7), SEEDS)
def test_symmetric_contraction_needs_one_factor_an_eigenvalue(n, seed):
    rng = np.random.default_rng(seed)
    basis = random_basis(rng, n)
    M = basis * rng.choice([-1, -0.5, 0, 0.3, 1], n) @ basis.T
    M = (M + M.T) / 2
    product = contraction(M)
    assert abs(product.matrix() - M).max() < 1e-13
    assert len(product) == reflection_length(M)
    assert product.norm_at_most_one()


@pytest.mark.parametrize("value", [-1.0, -0.5, 0.0, 0.25, 1 / 3])
def test_scalar_contraction_is_one_factor(value):
    product = contraction([[value]])
    assert len(product) == 1
    assert product.eigenvalues() == pytest.approx([value], abs=1e-15)


@pytest.mark.parametrize(
    ("M", "factors"),
    [
        (np.zeros((4, 4)), 4),
        (np.eye(4), 0),
        (-np.eye(4), 4),
        (np.diag([1, 0, -1, 0.5]), 3),
        (np.eye(4)[[1, 2, 3, 0]], 3),  # orthogonal: no factor of S
        (rotations(1, 2), 4),
        (rotations(1, 2) / 2, 7),  # conformal, not symmetric: the bound 2n - 1
    ],
)
def test_contraction_examples(M, factors):
    product = contraction(M)
    assert abs(product.matrix() - M).max() < 1e-14
    assert len(product) == factors
    assert product.norm_at_most_one()


@given(st.integers(1, 6), SEEDS)
def test_float_reflection_never_leaves_the_unit_ball(n, seed):
    k = np.random.default_rng(seed).normal(size=n)
    product = reflection(k)
    assert product.norm_at_most_one()
    assert product.apply(k) == pytest.approx(-k)
