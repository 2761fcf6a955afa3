"""Products of Householder factors by their definition, and strategies for matrices."""

import math
import operator
from fractions import Fraction
from functools import reduce

import hypothesis.strategies as st
import numpy as np
from numpy.typing import NDArray

from lrnn_theory.householder import (
    GHProduct,
    identity,
    reflection,
)

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 5)
IN_UNIT = st.fractions(-1, 1, max_denominator=8)


PERMUTATIONS = st.integers(1, 9).flatmap(lambda n: st.permutations(range(n)))


def objects(values: object) -> NDArray[np.object_]:
    return np.array(values, dtype=object)


def dense(product: GHProduct) -> NDArray[np.object_]:
    """The matrix by its definition, in Python integers and fractions."""
    n = product.n
    factors = [
        np.eye(n, dtype=int).astype(object) - np.outer(k, k) * beta
        for k, beta in zip(product.keys.astype(object), product.betas.astype(object), strict=True)
    ]
    return reduce(np.matmul, factors, np.eye(n, dtype=int).astype(object))


def is_positive_semidefinite(matrix: NDArray[np.object_]) -> bool:
    """Exact symmetric elimination (LDL^T)."""
    S = matrix * Fraction(1)
    while S.size:
        pivot, column = S[0, 0], S[1:, 0]
        if pivot < 0 or (pivot == 0 and any(column)):
            return False
        S = S[1:, 1:] - (np.outer(column, column) / pivot if pivot else 0)
    return True


def rotations(*angles: float) -> NDArray[np.float64]:
    """Block diagonal matrix of plane rotations."""
    Q = np.zeros((2 * len(angles), 2 * len(angles)))
    for i, a in enumerate(angles):
        Q[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [
            [math.cos(a), -math.sin(a)],
            [math.sin(a), math.cos(a)],
        ]
    return Q


def random_basis(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


@st.composite
def keys_of(draw: st.DrawFn, n: int) -> NDArray[np.object_]:
    return objects(draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n).filter(any)))


@st.composite
def gh_products(
    draw: st.DrawFn,
    eigenvalues: st.SearchStrategy[Fraction] = IN_UNIT,
    n: int | None = None,
    max_factors: int = 4,
) -> GHProduct:
    """Exact products whose factors have the given eigenvalues."""
    n = draw(SIZES) if n is None else n
    keys = draw(st.lists(keys_of(n), max_size=max_factors))
    betas = [(1 - draw(eigenvalues)) / (k @ k) for k in keys]
    return GHProduct(np.array(keys, object).reshape(-1, n), objects(betas))


@st.composite
def integer_products(draw: st.DrawFn) -> GHProduct:
    n, factors = draw(SIZES), draw(st.integers(0, 4))
    entry = st.sampled_from([3, 1000, 2**31, 2**62]).flatmap(lambda m: st.integers(-m, m))
    keys = [draw(entry) for _ in range(factors * n)]
    betas = [draw(entry) for _ in range(factors)]
    return GHProduct(np.array(keys, np.int64).reshape(factors, n), np.array(betas, np.int64))


@st.composite
def rational_orthogonals(draw: st.DrawFn) -> NDArray[np.object_]:
    n = draw(SIZES)
    reflections = [reflection(k) for k in draw(st.lists(keys_of(n), max_size=n + 2))]
    return dense(reduce(operator.matmul, reflections, identity(n)))
