"""Exact cyclotomic numbers: field laws, order, text."""

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory.cyclotomic import (
    Cyclotomic,
    cos_turn,
    cyclotomic_polynomial,
    parse_exact,
    simplify,
    sin_turn,
    zeta,
)

rationals = st.fractions(-4, 4, max_denominator=9)
numbers = st.builds(
    lambda n, c: Cyclotomic(n, c), st.integers(1, 15), st.lists(rationals, min_size=1, max_size=9)
)
reals = st.builds(lambda x: x + x.conjugate(), numbers)


def value(x):
    """The complex number, by mpmath."""
    root = mpmath.expjpi(mpmath.mpf(2) / x.order)
    return sum(
        (mpmath.mpf(c.numerator) / c.denominator) * root**i for i, c in enumerate(x.coefficients)
    )


@given(numbers, numbers)
def test_operations_agree_with_complex_numbers(x, y):
    for exact, wanted in (
        (x + y, value(x) + value(y)),
        (x - y, value(x) - value(y)),
        (x * y, value(x) * value(y)),
        (x.conjugate(), mpmath.conj(value(x))),
    ):
        assert abs(value(exact) - wanted) < 1e-9


@given(numbers, numbers, numbers)
def test_ring_laws(x, y, z):
    assert (x + y) * z == x * z + y * z
    assert x * y == y * x
    assert (x * y) * z == x * (y * z)
    assert x - x == 0
    assert not x - x


@given(numbers, st.integers(1, 4))
def test_a_larger_field_changes_nothing(x, k):
    lifted = x.lift(k * x.order)
    assert lifted == x
    assert hash(lifted) == hash(x)


@given(reals, reals)
def test_order_of_reals(x, y):
    gap = float(x) - float(y)
    if abs(gap) > 1e-9:
        assert (x < y) == (gap < 0)
    assert (x <= y) == (x < y or x == y)
    assert abs(float(abs(x)) - abs(float(x))) < 1e-12


@given(reals, st.integers(1, 200))
def test_approximation_is_within_its_bound(x, bits):
    fine = x.approximate(bits + 60)
    assert abs(x.approximate(bits) - fine) <= Fraction(1, 2**bits) + Fraction(1, 2 ** (bits + 60))


@given(numbers)
def test_text_round_trip(x):
    assert parse_exact(str(x)) == x
    assert parse_exact(str(simplify(x))) == x


def test_sign_of_a_tiny_number_is_exact():
    root = 2 * cos_turn(1, 5)  # (sqrt 5 - 1) / 2
    tiny = Cyclotomic(1, [1])
    for _ in range(60):
        tiny = tiny * root
    assert 0 < float(tiny) < 1e-12
    # F_60 phi'^... : powers of the golden ratio are near integers; the order must still be exact.
    assert tiny > 0
    assert -tiny < 0
    assert tiny - tiny == 0


def test_trigonometry():
    for q in range(1, 30):
        for p in range(q):
            c, s = cos_turn(p, q), sin_turn(p, q)
            assert c * c + s * s == 1
            assert math.isclose(float(c), math.cos(2 * math.pi * p / q), abs_tol=1e-14)
            assert math.isclose(float(s), math.sin(2 * math.pi * p / q), abs_tol=1e-14)


def test_known_numbers():
    root2 = zeta(8) + zeta(8, -1)
    assert root2 * root2 == 2
    assert cos_turn(1, 3) == Fraction(-1, 2)
    assert simplify(cos_turn(1, 3)) == Fraction(-1, 2)
    assert simplify(cos_turn(0, 7)) == 1
    assert cyclotomic_polynomial(12) == (1, 0, -1, 0, 1)
    assert min(cyclotomic_polynomial(105)) == -2
    with pytest.raises(ValueError, match="real"):
        zeta(5).approximate(10)


@pytest.mark.parametrize(
    "text", ["", "1.5", "z3^1", "1/0", "1 z0^0", "1 z3^3", "1 z999999^1", "é", "1 + "]
)
def test_malformed_text_is_refused(text):
    with pytest.raises(ValueError, match=r"exact number|zero|range"):
        parse_exact(text)
