"""The ideal cast on unary words: what is proved for all lengths agrees with the definition."""

from collections.abc import Iterator
from itertools import islice
from math import log

import numpy as np
import pytest
from flint import ctx, fmpq, fmpq_poly
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ideal_cast_reference import (
    SETS,
    Q,
    agrees,
    nearest,
    nonnegative_spectra,
    reference,
    roots_of_unity,
    vectors,
)

from lrnn_theory.cyclotomic import cos_turn, sin_turn
from lrnn_theory.formats import FORMATS, parse_format
from lrnn_theory.ideal_cast import (
    EventualCast,
    Unresolved,
    cast_value,
    eventual_cast,
    eventual_power,
)
from lrnn_theory.ideal_cast.cells import Cells
from lrnn_theory.ideal_cast.recurrence import (
    Recurrence,
    UndecidedError,
    eventual_sign,
    fraction,
    same_modulus,
)
from lrnn_theory.ideal_cast.sums import LIMIT, CastSum

# -------------------------------------------------------------------- laws


@given(nonnegative_spectra(), st.sampled_from(SETS), st.data())
def test_nonnegative_spectrum_ends_constant(A, name, data):
    B, h = vectors(data.draw, len(A)), vectors(data.draw, len(A))
    found = eventual_cast(A, B, h, parse_format(name))
    assert isinstance(found, EventualCast)
    assert found.period == 1
    if found.preperiod <= 400:
        agrees(found, reference(A, B, h, name))


@given(roots_of_unity(), st.sampled_from(SETS), st.data())
def test_roots_of_unity_end_in_a_period_that_divides_their_orders(drawn, name, data):
    A, order = drawn
    B, h = vectors(data.draw, len(A)), vectors(data.draw, len(A))
    found = eventual_cast(A, B, h, parse_format(name))
    assert isinstance(found, EventualCast)
    assert order % found.period == 0
    if found.preperiod <= 400:
        agrees(found, reference(A, B, h, name))


@given(st.integers(1, 3), st.sampled_from(SETS), st.data())
def test_any_answer_is_right(n, name, data):
    A = [vectors(data.draw, n) for _ in range(n)]
    B, h = vectors(data.draw, n), vectors(data.draw, n)
    form = parse_format(name)
    power, found = eventual_power(A, h, form), eventual_cast(A, B, h, form)
    if isinstance(power, EventualCast) and power.preperiod <= 400:
        agrees(power, casts(A, h, name))
    assume(isinstance(found, EventualCast) and found.preperiod <= 400)
    agrees(found, reference(A, B, h, name))


def casts(A: list[list[Q]], v: list[Q], name: str) -> Iterator[list[Q]]:
    while True:
        yield [nearest(x, name) for x in v]
        v = [sum((a * x for a, x in zip(row, v, strict=True)), Q(0)) for row in A]


@given(st.integers(1, 3), st.sampled_from(SETS), st.data())
@settings(max_examples=20)
def test_cast_value_is_the_definition(n, name, data):
    A = [vectors(data.draw, n) for _ in range(n)]
    B, h = vectors(data.draw, n), vectors(data.draw, n)
    for k, state in enumerate(islice(reference(A, B, h, name), 12)):
        assert cast_value(A, B, h, parse_format(name), k).tolist() == state


@given(st.data())
def test_columns_are_independent(data):
    A = data.draw(nonnegative_spectra())
    n, form = len(A), parse_format("fixed8.4")
    pairs = [(vectors(data.draw, n), vectors(data.draw, n)) for _ in range(2)]
    B, h = (np.array(x, object).T for x in zip(*pairs, strict=True))
    both = eventual_cast(A, B, h, form)
    alone = [eventual_cast(A, b, v, form) for b, v in pairs]
    assert both.preperiod == max(x.preperiod for x in alone)
    last = both.at(both.preperiod)
    assert last.shape == (n, 2)
    assert last.T.tolist() == [x.at(x.preperiod).tolist() for x in alone]


# -------------------------------------------------------------------- named cases

SLOW = Q(999_999, 1_000_000)


@pytest.mark.parametrize(
    ("name", "last"), [("float8_e4m3", 6.9e6), ("bfloat16", 9.3e7), ("float32", 1.04e8)]
)
def test_the_last_change_of_a_slow_decay(name, last):
    found = eventual_power([[SLOW]], [1], parse_format(name))
    half = Q(2) ** FORMATS[name].quantum / 2
    assert found.at(found.preperiod).tolist() == [0]
    assert found.preperiod == int(log(half) / log(SLOW)) + 1  # the first k with SLOW^k < half
    assert found.preperiod == pytest.approx(last, rel=0.01)


def test_a_jordan_block_saturates_at_the_last_midpoint():
    found = eventual_power([[1, 1], [0, 1]], [0, 1], parse_format("float32"))
    assert found.preperiod == 2**128 - 2**104 - 2**103 + 1
    assert found.at(10**40).tolist() == [2**128 - 2**104, 1]


def test_a_sum_of_a_million_terms_is_exact():
    ones = int(log(1 / 2) / log(SLOW)) + 1  # the terms above 1/2, cast to 1
    for gap, end in ((2 * ones - 2, 2 * ones - 2), (2 * ones, 1)):
        found = eventual_cast([[SLOW]], [1], [0], parse_format(f"{{0,1,{gap}}}"))
        assert found.preperiod == ones
        assert found.at(ones).tolist() == [end]


def test_a_sum_of_two_slow_decays_agrees_with_floats():
    """2 x^i - y^i rises to 1.09 and falls: its cast goes up and down."""
    x, y, count = 1 - 2e-6, 1 - 6e-6, 2_000_000
    i = np.arange(count)
    values = np.array([0, 1 / 4, 1 / 2, 1, 33 / 32])
    terms = 2 * x**i - y**i
    exact = values[np.searchsorted((values[1:] + values[:-1]) / 2, terms)].sum()
    u = two_decays(2, Q(x), Q(y))
    total = CastSum(Cells(parse_format("{0,1/4,1/2,1,33/32}")))
    total.add(u, count)
    while total.refine():
        pass
    assert total.bounds == (exact, exact)
    assert total.evaluations < 1000


@pytest.mark.parametrize(("name", "sign"), [("{1,5}", 1), ("{-5,-1}", -1)])
def test_terms_beyond_every_bound_are_cast_to_the_end(name, sign):
    """2^k is cast to 1 twice, and to 5 from 4 on."""
    assert LIMIT < 9000
    u = Recurrence.of_terms([fmpq(sign)], fmpq_poly([-2, 1]))
    total = CastSum(Cells(parse_format(name)))
    total.add(u, 9000)
    while total.refine():
        pass
    exact = sign * (2 + 5 * 8998)
    assert total.bounds == (exact, exact)


def two_decays(weight: int, x: Q, y: Q) -> Recurrence:
    x, y = (fmpq(t.numerator, t.denominator) for t in (x, y))
    return Recurrence.of_terms([fmpq(weight - 1), weight * x - y], fmpq_poly([x * y, -x - y, 1]))


def test_the_counter_sticks_at_seven():
    found = eventual_cast([[1]], [1], [0], parse_format("{0,1,2,3,4,5,6,7}"))
    assert (found.preperiod, found.period, found.at(9).tolist()) == (7, 1, [7])


def test_a_drift_saturates_within_two_percent_of_the_bound():
    ones, more = (int(log(x) / log(SLOW)) + 1 for x in (0.75, 0.255))
    top = 3_000_000
    found = eventual_cast([[SLOW]], [1], [0], parse_format(f"{{1/100,1/2,1,{top}}}"))
    # From k = more on H_k is the cast of (ones + more) / 2 + (k - more + 1) / 100.
    least = 50 * (top + 1) - 50 * (ones + more) + more
    assert least <= found.preperiod <= 1.021 * least
    assert found.at(found.preperiod).tolist() == [top]


def test_without_zero_there_is_a_drift():
    up = eventual_cast([[Q(1, 2)]], [0], [0], parse_format("{-5,-2,1,2,3,40}"))
    assert (up.preperiod, up.at(50).tolist()) == (21, [40])
    down = eventual_cast([[Q(1, 2)]], [0], [0], parse_format("{-5,-1,1,2,3,40}"))  # a tie
    assert down.at(50).tolist() == [-5]


def test_signs_and_quarter_turns():
    form = parse_format("{-1,0,1}")
    flip = eventual_cast([[-1]], [0], [1], form)
    assert (flip.preperiod, flip.period) == (0, 2)
    assert [flip.at(k).tolist() for k in (10, 11)] == [[1], [-1]]
    turn = eventual_cast([[0, -1], [1, 0]], [0, 0], [1, 0], form)
    assert (turn.preperiod, turn.period) == (0, 4)
    assert [turn.at(k).tolist() for k in range(4)] == [[1, 0], [0, 1], [-1, 0], [0, -1]]


def test_periods_of_summands_and_initial_terms_meet():
    """The last entry adds 1, -1, 1, ... up, to which the first term adds 1, -1, 0, 1, ..."""
    A = [[-1, 0, 0, 0], [0, 0, -1, 0], [0, 1, -1, 0], [1, 1, 0, 0]]
    B, h = [1, 0, 0, 0], [0, 1, 0, 0]
    name = "{-4,-3,-2,-1,0,1,2,3,4}"
    found = eventual_cast(A, B, h, parse_format(name))
    assert found.period == 6
    agrees(found, reference(A, B, h, name))


def test_a_small_negative_eigenvalue_alternates_forever_at_a_midpoint():
    A = [[1, 0, 0], [0, Q(-1, 8), 0], [1, 1, 0]]
    found = eventual_power(A, [Q(1, 2), Q(1, 4), 0], parse_format("{0,1}"))
    # The third entry is 1/2 + (1/4) (-1/8)^(k-1).
    assert found.period == 2
    assert [found.at(10**9 + i)[2] for i in range(2)] == [0, 1]
    agrees(found, casts(A, [Q(1, 2), Q(1, 4), Q(0)], "{0,1}"))
    positive = eventual_power(
        [[1, 0, 0], [0, Q(1, 8), 0], [1, -1, 0]],
        [Q(1, 2), Q(1, 4), 0],
        parse_format("{0,1}"),
    )
    assert (positive.period, positive.at(10**9)[2]) == (1, 0)


TURN = np.array([[3, -4], [4, 3]], object)  # 5 times a rotation that is no root of unity
TERNARY = parse_format("{-1,0,1}")


def beside(corner: int, radius: Q | int) -> list[list[Q]]:
    """[[corner, (1, 0)], [0, a rotation of the given radius]]."""
    a = np.full((3, 3), Q(0), object)
    a[0, 0], a[0, 1], a[1:, 1:] = corner, 1, TURN * Q(radius, 5)
    return a.tolist()


@pytest.mark.parametrize(
    ("A", "v"),
    [
        ((TURN * Q(1, 5)).tolist(), [1, 0]),
        (beside(1, 1), [Q(1, 2), 1, 0]),  # about a midpoint
        (beside(1, Q(1, 2)), [0, Q(13, 28), 0]),  # a midpoint in the limit
        (beside(1, 2), [0, Q(1, 10**9), 0]),
    ],
)
def test_a_turn_that_is_no_root_of_unity_may_decide(A, v):
    found = eventual_power(A, v, TERNARY)
    assert isinstance(found, Unresolved)
    assert "(3+4i)/5" in found.reason


@pytest.mark.parametrize(
    ("A", "v", "final"),
    [
        ((TURN * Q(1, 5)).tolist(), [Q(1, 4), Q(1, 5)], [0, 0]),  # too small
        ((TURN * Q(9, 50)).tolist(), [1, 0], [0, 0]),  # it dies out
        (beside(1, 1), [2, Q(1, 10), 0], [1, 0, 0]),  # about 2 + 1/20
    ],
)
def test_a_turn_that_is_no_root_of_unity_may_not_matter(A, v, final):
    found = eventual_power(A, v, TERNARY)
    assert (found.period, found.at(10**6).tolist()) == (1, final)


def with_a_turn(root: int, weight: Q, factor: fmpq_poly, small: Q) -> Recurrence:
    """weight root^k plus what starts with `small`, 0, 0, ... and obeys the factor."""
    annihilator, tail = fmpq_poly([-root, 1]) * factor, [small] + [Q(0)] * factor.degree()
    tail[-1] = -fraction(factor[0]) * small
    terms = [weight * root**k + x for k, x in enumerate(tail)]
    return Recurrence.of_terms([fmpq(t.numerator, t.denominator) for t in terms], annihilator)


FIVEFOLD = fmpq_poly([25, -6, 1])  # (3+4i)^k and its conjugate
UNIT = fmpq_poly([1, fmpq(-6, 5), 1])


@pytest.mark.parametrize("root", [5, 6])
def test_a_turn_is_outweighed(root):
    u = with_a_turn(root, Q(2), FIVEFOLD, Q(1))
    sign, bound = eventual_sign(u.minus(Q(1000)))
    assert (sign, bound < 10) == (1, True)
    assert all(t > 1000 for t in u.terms(200)[bound:])


@pytest.mark.parametrize(
    ("root", "factor", "small"),
    [
        (4, FIVEFOLD, Q(1, 10**9)),
        (1, UNIT * UNIT, Q(1, 10**9)),  # k cos(k θ) against 1
        (1, UNIT * fmpq_poly([1, 0, 1]), Q(100)),  # no faster than 1, but too much of it
    ],
)
def test_a_turn_wins_in_the_end(root, factor, small):
    with pytest.raises(UndecidedError, match=r"\(3\+4i\)/5"):
        eventual_sign(with_a_turn(root, Q(1), factor, small))


def test_a_turn_nearly_on_the_circle_is_not_taken_for_one_on_it():
    s, c = 2 + fmpq(1, 10**100), fmpq(3, 5)  # roots r^±1 (3±4i)/5 with r + 1/r = s
    factor = fmpq_poly([1, -2 * c * s, s * s - 2 + 4 * c * c, -2 * c * s, 1])
    assert len(factor.numer().factor()[1]) == 1
    assert moduli_are_one(factor) == [False] * 4
    with pytest.raises(UndecidedError):
        eventual_sign(with_a_turn(1, Q(1), factor, Q(1, 100)))


def test_a_turn_on_the_circle_is_known_to_be_on_it():
    salem = fmpq_poly([1, -2, 1, -2, 1])  # r, 1/r and two on the circle
    assert sorted(moduli_are_one(salem)) == [False, False, True, True]
    assert moduli_are_one(UNIT) == [True, True]
    assert moduli_are_one(FIVEFOLD) == [False, False]


def moduli_are_one(factor: fmpq_poly) -> list[bool]:
    with ctx.workprec(512):
        lead, *modes = Recurrence.reduced(factor.derivative(), factor).minus(Q(1)).modes()
        assert lead.root == 1
        return [same_modulus(mode, lead, modes) for mode in modes]


def test_irrational_weights_are_refused_by_name():
    turn = [[cos_turn(1, 5), -sin_turn(1, 5)], [sin_turn(1, 5), cos_turn(1, 5)]]
    form = parse_format("{-1,0,1}")
    assert "irrational" in eventual_cast(turn, [0, 0], [1, 0], form).reason
    assert cast_value(turn, [0, 0], [1, 0], form, 5).tolist() == [1, 0]


def test_out_of_budget():
    found = eventual_cast([[SLOW]], [1], [0], parse_format("float32"), budget=1000)
    assert isinstance(found, Unresolved)
    assert "1000 enclosures" in found.reason


def test_shapes_are_checked():
    form = parse_format("{0,1}")
    with pytest.raises(ValueError, match="square"):
        eventual_cast([[1, 2]], [1], [1], form)
    with pytest.raises(ValueError, match="must have shape"):
        eventual_cast([[1]], [1, 2], [1], form)
    with pytest.raises(ValueError, match="at least"):
        eventual_cast([[1]], [1], [0], parse_format("{0,1,2}")).at(0)


def near_projection() -> list[list[Q]]:
    u, v = (np.array([Q(3, 5) * sign, Q(4, 5)], object) for sign in (1, -1))
    one = np.eye(2, dtype=object)
    return ((one - Q(9, 10) * np.outer(u, u)) @ (one - np.outer(v, v))).tolist()


def over(denominator: int, rows: list[list[int]]) -> list[list[Q]]:
    return [[Q(x, denominator) for x in row] for row in rows]


@pytest.mark.parametrize(
    ("A", "B", "h", "name"),
    [
        (
            over(4, [[3, 1], [1, 3]]),
            [Q(0), Q(0)],
            [Q(5), Q(6)],
            "float8_e5m2",
        ),
        (
            over(4, [[3, 1], [1, 3]]),
            [Q(0), Q(0)],
            [Q(13), Q(14)],
            "float8_e4m3",
        ),
        (
            over(16, [[5, -5], [1, -1]]),
            [Q(0), Q(17, 32)],
            [Q(0), Q(0)],
            "fixed8.0",
        ),
        (
            over(512, [[291, -122], [58, -12]]),
            [Q(1), Q(1)],
            [Q(0), Q(0)],
            "fixed8.0",
        ),
        (
            over(1, [[2, -4], [1, -2]]),
            [Q(0), Q(0)],
            [Q(1), Q(1)],
            "{-1,0,1}",
        ),
        (
            near_projection(),
            [Q(0), Q(-52, 100)],
            [Q(0), Q(0)],
            "{-4,-3,-2,-1,0,1,2,3,4}",
        ),
    ],
)
def test_what_cycles_under_stepwise_rounding_ends_constant(A, B, h, name):
    found = eventual_cast(A, B, h, parse_format(name))
    assert found.period == 1
    agrees(found, reference(A, B, h, name))
    final = found.at(found.preperiod).tolist()
    assert all(x == final for x in islice(reference(A, B, h, name), 4, found.preperiod + 1))


@given(st.sampled_from(SETS), st.data(), st.sampled_from([-1, 0, 1]), st.integers(100, 9000))
def test_long_fractions_are_cast_by_short_bounds(name, data, side, bits):
    """Near a number, on a midpoint, and next to it: by 3^-1000 up to 2^-9000."""
    cells = Cells(parse_format(name))
    c = cells.cast(data.draw(st.fractions(-600, 600, max_denominator=99)))
    near = data.draw(st.sampled_from([c, *(x for x in cells.of(c) if x is not None)]))
    x = near + side * Q(1, data.draw(st.sampled_from([2**bits, 3**1000])))
    q = 7**200  # not in lowest terms
    assert cells.cast_ratio(x.numerator * q, x.denominator * q) == nearest(x, name)
