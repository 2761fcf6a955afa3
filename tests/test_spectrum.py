"""Certificates of spectra prove what they say, and only that."""

from dataclasses import replace
from fractions import Fraction as Q

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from lrnn_theory.cyclotomic import cos_turn, sin_turn
from lrnn_theory.impossibility import (
    OutsideSpectrum,
    RealSpectrum,
    contraction,
    negative_vector,
    outside_product,
    psd,
    spectrum,
    unity_orders,
)
from lrnn_theory.strategies import (
    NONNEGATIVE_CLASSES,
    REAL_CLASSES,
    SPECTRAL_CLASSES,
    spectral_matrices,
)


def matrices(kinds, n=4):
    return st.sampled_from(kinds).flatmap(
        lambda kind: st.integers(1, n).flatmap(lambda k: spectral_matrices(kind, k))
    )


@settings(max_examples=40)
@given(matrices(SPECTRAL_CLASSES), st.booleans())
def test_as_sympy_counts_roots(a, nonnegative):
    """Sturm sequences of sympy: an independent decision of the same question."""
    x = sympy.Symbol("x")
    poly = sympy.Matrix(len(a), len(a), lambda i, j: sympy.Rational(str(a[i, j]))).charpoly(x)
    free = sympy.Poly(sympy.prod(f.as_expr() for f, _ in poly.sqf_list()[1]), x)
    count = free.count_roots(0, None) if nonnegative else free.count_roots()
    found = spectrum(a, nonnegative=nonnegative)
    assert isinstance(found, RealSpectrum) == (count == free.degree())
    assert found.check(a)


@given(matrices(NONNEGATIVE_CLASSES))
def test_nonnegative_classes(a):
    found = spectrum(a, nonnegative=True)
    assert isinstance(found, RealSpectrum)
    assert found.nonnegative
    assert not RealSpectrum(True, (Q(-1), *found.points[1:])).check(-a - np.eye(len(a), dtype=int))


@given(matrices(REAL_CLASSES))
def test_real_classes(a):
    assert isinstance(spectrum(a), RealSpectrum)


@given(matrices(SPECTRAL_CLASSES), matrices(SPECTRAL_CLASSES))
def test_a_certificate_of_another_matrix_is_none(a, b):
    """Whatever it is checked against, a certificate never proves what is false."""
    found = spectrum(a)
    if len(a) == len(b) and found.check(b):
        assert type(spectrum(b)) is type(found)
    if isinstance(found, RealSpectrum) and found.points:
        assert not replace(found, points=found.points[:-1]).check(a) or len(found.points) == 1


@pytest.mark.parametrize("bits", [20, 60])
def test_nearly_equal_eigenvalues_take_more_bits(bits):
    """Four pairs near 1, as rounding makes them of a DeltaNet's eigenvalue."""
    a = np.zeros((8, 8), object)
    for i in range(4):
        small = Q(i + 1, 2**bits)
        a[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[Q(1), -small], [small, Q(1)]]
    for nonnegative in (False, True):
        found = spectrum(a, nonnegative=nonnegative)
        assert isinstance(found, OutsideSpectrum)
        assert found.check(a)


def test_a_jordan_block_in_another_basis():
    """Numpy finds imaginary parts; all eigenvalues are 1."""
    p, rng = np.eye(8, dtype=int).astype(object), np.random.default_rng(0)
    q = p.copy()
    for _ in range(30):
        i, j = rng.choice(8, 2, replace=False)
        p[:, j] += 2 * p[:, i]
        q[i] -= 2 * q[j]
    assert (p @ q == np.eye(8, dtype=int)).all()
    a = p @ (np.eye(8, dtype=int) + np.eye(8, k=1, dtype=int)) @ q
    assert abs(np.linalg.eigvals(a.astype(float)).imag).max() > 1e-3
    assert spectrum(a, nonnegative=True).points == (0, 2)


def test_irrational_entries():
    c, s = cos_turn(1, 5), sin_turn(1, 5)
    turn = np.array([[c, -s], [s, c]], object)
    assert isinstance(spectrum(turn), OutsideSpectrum)
    assert spectrum(turn).check(turn)
    stretched = turn @ np.diag([1, 2]) @ turn.T @ np.diag([3, 1])
    found = spectrum(stretched, nonnegative=True)
    assert isinstance(found, RealSpectrum)
    assert found.check(stretched)
    assert not found.check(turn)
    assert contraction(turn).check(np.zeros((2, 2), int))
    assert unity_orders(turn) == {5}


@given(matrices(("psd", "signed", "similar")), st.integers(0, 2))
def test_semidefinite_or_a_vector(a, shift):
    m = a + a.T - shift * np.eye(len(a), dtype=int)
    found = psd(m)
    if found is None:
        x = np.array(negative_vector(m), object)
        assert x @ m @ x < 0
    else:
        assert found.check(m)
        assert not found.check(m - np.eye(len(m), dtype=int))
        with pytest.raises(ValueError, match="semidefinite"):
            negative_vector(m)
    assert psd([[1, 1], [0, 1]]) is None


def test_products():
    flips = [[[0, 1], [1, 0]], [[1, 0], [0, -1]]]
    assert outside_product(flips, 1) is None
    found = outside_product(flips, 2)
    assert found.word == (0, 1)
    assert found.check(flips)
    assert not found.check([flips[0], flips[0]])
    with pytest.raises(ValueError, match="limit"):
        outside_product(flips, 20)


def test_unity_orders():
    assert unity_orders([[Q(1, 2)]]) == frozenset()
    assert unity_orders([[-1, 0, 0], [0, 0, -1], [0, 1, -1]]) == {2, 3}
    assert unity_orders([[1, 1], [0, 1]]) == {1}


@pytest.mark.parametrize("a", [[1, 2], [[1, 2]], np.zeros((0, 0))])
def test_misuse(a):
    with pytest.raises(ValueError, match="square"):
        spectrum(a)
