"""The ideal cast on unary words: what is proved for all lengths agrees with the definition."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from math import lcm, log

import numpy as np
import pytest
from flint import arb, ctx, fmpq, fmpq_poly
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lrnn_theory.cyclotomic import cos_turn, sin_turn
from lrnn_theory.formats import FORMATS, Float, parse_format
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
from lrnn_theory.ideal_cast.sums import LIMIT, CastSum, Curve, outwards

Q = Fraction
SETS = (
    *("{0,1}", "{-1,0,1}", "{-4,-3,-2,-1,0,1,2,3,4}", "{0,1,2,3,4,5,6,7}", "{-2,1,2,5}"),
    *("{-7/2,-1/3,1/4,9}", "{3}", "fixed4.1", "fixed8.4", "fixed8.0", "float8_e4m3", "float8_e5m2"),
)
SMALL = st.sampled_from([Q(p, q) for p in range(-4, 5) for q in (1, 2, 3, 8)])
NONNEGATIVE = st.sampled_from([Q(p) for p in ("0", "1/8", "1/3", "1/2", "3/4", "9/10", "1", "2")])

# -------------------------------------------------------------------- the definition, once more


def numbers(name: str) -> list[Q]:
    """All numbers of a small format, by its definition."""
    form = parse_format(name)
    if isinstance(form, Float):
        places = range(form.quantum, 17)
        floats = {Q(m) * Q(2) ** e for e in places for m in range(2**form.precision)}
        return sorted({s * x for x in floats for s in (1, -1) if x <= form.max_value})
    if name.startswith("{"):
        return sorted(map(Q, name[1:-1].split(",")))
    width, fraction = map(int, name[5:].split("."))
    return [Q(i, 2**fraction) for i in range(-(2 ** (width - 1)), 2 ** (width - 1))]


NUMBERS = {name: np.array(numbers(name), object) for name in SETS}


def nearest(x: Q, name: str) -> Q:
    """The nearest number, the smaller of two."""
    all_numbers = NUMBERS[name]
    i = int(np.searchsorted(all_numbers, x))
    return min(all_numbers[max(i - 1, 0) : i + 1], key=lambda c: (abs(x - c), c))


def reference(A: list[list[Q]], B: list[Q], h: list[Q], name: str) -> Iterator[list[Q]]:
    """H_0, H_1, ... in plain Python."""
    total = [Q(0)] * len(h)
    while True:
        yield [nearest(s + nearest(x, name), name) for s, x in zip(total, h, strict=True)]
        total = [s + nearest(x, name) for s, x in zip(total, B, strict=True)]
        B, h = (
            [sum((a * x for a, x in zip(row, v, strict=True)), Q(0)) for row in A] for v in (B, h)
        )


def agrees(found: EventualCast, states: Iterator[list[Q]], beyond: int = 100) -> None:
    """The definition gives what was found, from the preperiod to a while after."""
    states = islice(states, found.preperiod, found.preperiod + 2 * found.period + beyond)
    for k, state in enumerate(states, found.preperiod):
        assert found.at(k).tolist() == state, k


# -------------------------------------------------------------------- random matrices


@st.composite
def unimodular(draw: st.DrawFn, n: int) -> tuple[np.ndarray, np.ndarray]:
    """An integer matrix with its inverse."""
    p, q = np.eye(n, dtype=object), np.eye(n, dtype=object)
    for _ in range(draw(st.integers(0, 3)) if n > 1 else 0):
        i, j = draw(st.permutations(range(n)))[:2]
        step, back = np.eye(n, dtype=object), np.eye(n, dtype=object)
        step[i, j] = draw(st.sampled_from([-2, -1, 1, 2]))
        back[i, j] = -step[i, j]
        p, q = p @ step, back @ q
    return p, q


@st.composite
def nonnegative_spectra(draw: st.DrawFn) -> list[list[Q]]:
    """Triangular with a nonnegative diagonal, in another basis of integers."""
    n = draw(st.integers(1, 4))
    t = np.full((n, n), Q(0), object)
    for i in range(n):
        t[i, i:] = [draw(NONNEGATIVE), *(draw(SMALL) for _ in range(n - i - 1))]
    p, q = draw(unimodular(n))
    return (p @ t @ q).tolist()


BLOCKS = {
    2: [[0, 1], [1, 0]],
    3: [[0, -1], [1, -1]],
    4: [[0, -1], [1, 0]],
    6: [[0, -1], [1, 1]],
    5: [[0, 0, 0, -1], [1, 0, 0, -1], [0, 1, 0, -1], [0, 0, 1, -1]],
}


@st.composite
def roots_of_unity(draw: st.DrawFn) -> tuple[list[list[Q]], int]:
    """Blocks whose eigenvalues are roots of unity times a positive number, and their order."""
    orders = draw(st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=2))
    blocks = [np.array(BLOCKS[m], object) * draw(SMALL.filter(bool)) for m in orders]
    n = sum(map(len, blocks))
    a, at = np.full((n, n), Q(0), object), 0
    for block in blocks:
        a[at : at + len(block), at : at + len(block)] = block
        a[:at, at : at + len(block)] = draw(st.sampled_from([Q(0), Q(1)]))
        at += len(block)
    p, q = draw(unimodular(n))
    return (p @ a @ q).tolist(), lcm(2, *orders)


def vectors(draw: st.DrawFn, n: int) -> list[Q]:
    return [draw(SMALL) for _ in range(n)]


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
