"""Recurrences of the ideal cast: terms, modes, eventual signs."""

import pytest
from flint import arb, fmpq, fmpq_poly
from hypothesis import assume, given
from hypothesis import strategies as st
from ideal_cast_reference import SETS, SMALL, Q, nearest, vectors

from lrnn_theory.formats import FORMATS, parse_format
from lrnn_theory.ideal_cast.cells import Cells
from lrnn_theory.ideal_cast.recurrence import (
    Recurrence,
    UndecidedError,
    eventual_sign,
)
from lrnn_theory.ideal_cast.sums import LIMIT, CastSum, Curve, outwards

# -------------------------------------------------------------------- recurrences


@st.composite
def recurrences(draw: st.DrawFn) -> Recurrence:
    roots = draw(st.lists(SMALL, max_size=4))
    annihilator = fmpq_poly([1])
    for root in roots:
        annihilator *= fmpq_poly([fmpq(-root.numerator, root.denominator), 1])
    annihilator *= draw(
        st.sampled_from([fmpq_poly([1]), fmpq_poly([1, 0, 1]), fmpq_poly([-2, 0, 1])])
    )
    terms = [fmpq(x.numerator, x.denominator) for x in vectors(draw, annihilator.degree())]
    return Recurrence.of_terms(terms, annihilator)


@given(recurrences(), SMALL, st.integers(1, 5))
def test_recurrences_are_closed_under_what_is_done_to_them(u, x, p):
    terms = u.terms(40)
    assert [u.at(k) for k in range(12)] == terms[:12]
    c = fmpq(x.numerator, x.denominator)
    assert u.minus(x).terms(40) == [t - c for t in terms]
    for r, w in enumerate(u.every(p)):
        assert w.terms(8) == terms[r::p][:8]


@given(recurrences())
def test_signs_hold_from_their_bound_on(u):
    for w in u.every(u.turns()):
        try:
            sign, bound = eventual_sign(w)
        except UndecidedError:
            continue
        assume(bound < 300)
        assert {(t > 0) - (t < 0) for t in w.terms(bound + 40)[bound:]} == {sign}


def test_a_bound_is_sharp_for_one_term_against_a_constant():
    decay = Recurrence.of_terms([fmpq(1)], fmpq_poly([fmpq(-1, 2), 1]))
    assert eventual_sign(decay.minus(Q(1, 1000))) == (-1, 10)
    assert eventual_sign(decay.minus(Q(1, 1024))) == (-1, 11)


def test_a_bound_waits_for_a_power_that_rises_first():
    """1 - 1000 C(k, 2) / 10^(k-2) is positive at 0 and 1, and then not before 7."""
    annihilator = fmpq_poly([-1, 1]) * fmpq_poly([fmpq(-1, 10), 1]) ** 3
    u = Recurrence.of_terms([fmpq(1), fmpq(1), fmpq(-999), fmpq(-299)], annihilator)
    assert [k for k, x in enumerate(u.terms(60)) if x < 0] == [2, 3, 4, 5, 6]
    assert eventual_sign(u) == (1, 7)


@given(recurrences(), st.sampled_from(SETS), st.integers(0, 60), st.integers(0, 60))
def test_curves_enclose(u, name, first, length):
    first += u.start
    curve = Curve(u, Cells(parse_format(name)), first + length)
    run = curve.run(first, first + length)
    terms = u.terms(first + length + 1)[first:]
    assert all(run.low <= nearest(Q(int(t.p), int(t.q)), name) <= run.high for t in terms)


@given(recurrences(), st.sampled_from(SETS), st.integers(0, 200))
def test_sums_are_exact_and_enclosed_on_the_way(u, name, count):
    exact = sum(nearest(Q(int(t.p), int(t.q)), name) for t in u.terms(count))
    total = CastSum(Cells(parse_format(name)))
    total.add(u, count)
    while True:
        low, high = total.bounds
        assert low <= exact <= high
        if not total.refine():
            break
    assert low == high


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("exponent", [-20_000, -LIMIT - 1, -LIMIT, 0, LIMIT - 1, LIMIT, 20_000])
def test_rounding_outwards(sign, exponent):
    x = sign * Q(2) ** exponent
    for side in (-1, 1):
        bound = outwards(arb((sign, exponent)), side)
        if bound is None:
            assert exponent >= LIMIT
            assert side == sign
        else:
            assert side * (bound - x) >= 0
            assert bound * sign >= 0
            assert (bound == x) or not -LIMIT < exponent < LIMIT


@pytest.mark.parametrize("name", [*SETS, *FORMATS, "fixed64.70"])
def test_cells(name):
    cells = Cells(parse_format(name))
    near = cells.cast(Q(3, 7))
    for c in {near, *cells.ends, cells.cast(Q(0)), cells.cast(Q(1, 10**9))}:
        lower, upper = cells.of(c)
        tiny = Q(1, 2**2000)
        assert (lower is None) == (c == cells.ends[0])
        assert (upper is None) == (c == cells.ends[1])
        if lower is not None:
            assert cells.cast(lower) < c == cells.cast(lower + tiny)
        if upper is not None:
            assert cells.cast(upper) == c < cells.cast(upper + tiny)
