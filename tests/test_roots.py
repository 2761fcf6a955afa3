"""Square roots of cyclotomic numbers."""

from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lrnn_theory.cyclotomic import Cyclotomic, cos_turn, simplify, sin_turn
from lrnn_theory.roots import square_root

smooth = st.builds(
    lambda *powers: Fraction(2) ** powers[0] * Fraction(3) ** powers[1] * Fraction(5) ** powers[2],
    *[st.integers(-3, 3)] * 3,
)
small = st.fractions(Fraction(1, 3), 3, max_denominator=3)


@given(smooth)
def test_rationals_have_roots(x):
    root = square_root(x)
    assert root * root == x
    assert root > 0


@settings(deadline=None)
@given(small, st.integers(1, 12), st.integers(2, 12))
def test_sines_are_found(ratio, a, n):
    assume(a % n)
    square = simplify(sin_turn(a, 2 * n) * sin_turn(a, 2 * n) * ratio)
    root = square_root(square)
    assert root is not None
    assert root * root == square


@given(smooth, st.integers(5, 12))
def test_negative_numbers_are_refused(x, n):
    for negative in (-x, -x * sin_turn(1, n)):
        with pytest.raises(ValueError, match="must not be negative"):
            square_root(negative)


@settings(deadline=None)
@given(small, small, st.sampled_from([2, 3, 5, 7]))
def test_squares_in_quadratic_fields_are_found(a, b, m):
    y = square_root(Fraction(m)) * b + a
    assert square_root(y * y) == y


def test_a_root_that_is_not_found():
    assert square_root(1 + square_root(Fraction(2))) is None
    assert square_root(Fraction(257)) is None  # there is one, but too large
    assert square_root(2 * cos_turn(1, 5)) is None  # 1/golden: norm -1


numbers = st.builds(
    Cyclotomic,
    st.integers(1, 15),
    st.lists(st.fractions(-4, 4, max_denominator=9), min_size=1, max_size=9),
)


@given(numbers, st.integers(1, 6))
def test_the_smallest_field(x, k):
    least, lifted = x.in_smallest_field(), x.lift(k * x.order).in_smallest_field()
    assert least == x == lifted
    orders = {getattr(y, "order", 1) for y in (least, lifted)}
    assert len(orders) == 1
    assert x.order % orders.pop() == 0


@given(numbers.filter(bool))
def test_inverses(x):
    assert x * x.inverse() == 1
    assert 3 / x == x.inverse() * 3
    assert x / x == 1
