"""Formats are correctly rounded, and arithmetics are read and written as one string."""

import math
from fractions import Fraction
from itertools import islice, permutations

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory.arithmetic import FORMATS, Arithmetic
from lrnn_theory.cyclotomic import cos_turn
from lrnn_theory.formats import parse_format
from lrnn_theory.scanning.rounding import odd_sum, odd_total, round_to
from lrnn_theory.strategies import arithmetics

NUMPY = {
    "float64": np.float64,
    "float32": np.float32,
    "bfloat16": ml_dtypes.bfloat16,
    "float16": np.float16,
    "float8_e4m3": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
}
_TORCH = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float8_e4m3": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
}
formats = st.sampled_from(list(FORMATS.values()))


def neighbours(form, x):
    """All numbers of a small format, or the floats around x found by brute force."""
    e = math.floor(math.log2(abs(x))) if x else form.min_exponent
    unit = Fraction(2) ** max(e - form.precision + 1, form.quantum)
    base = math.floor(x / unit)
    return [unit * (base + i) for i in (-1, 0, 1, 2)]


@given(formats, st.fractions(-1000, 1000))
def test_rounding_is_to_the_nearest_and_even(form, x):
    got = form.round(x)
    if not math.isfinite(got):
        assert abs(x) > form.max_value
        return
    got = Fraction(got)
    candidates = [c for c in neighbours(form, x) if abs(c) <= form.max_value]
    best = min(abs(c - x) for c in candidates)
    assert abs(got - x) == best
    nearest = [c for c in candidates if abs(c - x) == best]
    if len(nearest) == 2:  # a tie goes to the even significand
        e = math.floor(math.log2(abs(got))) if got else form.min_exponent
        unit = Fraction(2) ** max(e - form.precision + 1, form.quantum)
        assert (got / unit) % 2 == 0


@given(st.sampled_from([FORMATS[name] for name in NUMPY]), st.floats(width=32))
def test_rounding_a_float_agrees_with_the_libraries(form, x):
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = float(np.float32(x).astype(NUMPY[form.name]))
    got = form.round(x)
    if math.isnan(wanted):
        assert math.isnan(got)
    else:
        assert got == wanted


@given(formats, st.lists(st.floats(), min_size=1, max_size=20))
def test_the_torch_rounding_is_the_exact_one(form, values):
    x = torch.tensor(values, dtype=torch.float64)
    got = round_to(x, form).tolist()
    for value, result in zip(values, got, strict=True):
        wanted = form.round(value)
        assert result == wanted or (math.isnan(result) and math.isnan(wanted))


@pytest.mark.parametrize("form", [FORMATS[name] for name in _TORCH], ids=lambda f: f.name)
def test_subnormal_numbers(form):
    """Halves and quarters of the smallest number, around the smallest normal number, too."""
    smallest = float(torch.finfo(_TORCH[form.name]).smallest_normal) * 2.0 ** (1 - form.precision)
    steps = [i / 4 for i in range(-70, 71)] + [2 ** (form.precision - 1) + i / 4 for i in range(9)]
    x = torch.tensor(steps, dtype=torch.float64) * smallest
    wanted = [round(i) * smallest for i in steps]  # round() takes ties to even
    unit_steps = [i for i, w in enumerate(wanted) if abs(w) < smallest * 2**form.precision]
    got = round_to(x, form).tolist()
    for i in unit_steps:
        assert form.round(Fraction(steps[i]) * Fraction(smallest)) == wanted[i]
        assert got[i] == wanted[i]


def test_rounding_once_from_float64():
    """Through float32 this number would round up; ml_dtypes and torch do so."""
    x = 1 + 2**-8 + 2**-40
    assert FORMATS["bfloat16"].round(x) == 1 + 2**-7
    down = 1 + 2**-8 - 2**-40
    assert FORMATS["bfloat16"].round(down) == 1.0
    assert round_to(torch.tensor([down], dtype=torch.float64), FORMATS["bfloat16"]).item() == 1.0
    assert torch.tensor([x - 2**-39], dtype=torch.float64).to(torch.float32).to(
        torch.bfloat16
    ).item() in (1.0, 1 + 2**-7)


def test_irrational_numbers_are_rounded_correctly():
    for q in range(3, 60):
        x = cos_turn(1, q)
        for form in FORMATS.values():
            near = x.approximate(400)
            assert form.round(x) == form.round(near)


@pytest.mark.parametrize("form", ["fixed4.80!wrap", "fixed4.80", "fixed2.200!wrap"])
def test_irrational_numbers_are_wrapped_after_rounding(form):
    """The steps of the format repeat long before an approximation has all of its bits."""
    for q in range(5, 20):
        x = cos_turn(1, q)
        assert parse_format(form).round(x) == parse_format(form).round(x.approximate(400))


def test_overflow_policies():
    values = {"": math.nan, "!sat": 448.0, "!inf": math.inf, "!nan": math.nan}
    for mark, wanted in values.items():
        form = Arithmetic.parse(f"float8_e4m3{mark}").format
        for x in (1000, Fraction(1000), 1000.0, math.inf, 1000 * cos_turn(1, 9)):
            got = form.round(x)
            assert got == wanted or (math.isnan(got) and math.isnan(wanted))
    assert FORMATS["float16"].round(65519) == 65504.0
    assert FORMATS["float16"].round(-65520) == -math.inf


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("exact", "exact"),
        ("float64", "float64:each"),
        ("float32", "float32:each"),
        ("bfloat16", "bfloat16:wide+acc=float32"),
        ("float16", "float16:wide+acc=float32"),
        ("float8_e4m3!sat", "float8_e4m3!sat:wide+acc=float32"),
        ("float8_e5m2:each", "float8_e5m2:each"),
        ("float32:wide", "float32:wide+acc=float64"),
        ("bfloat16:wide+acc=float64", "bfloat16:wide+acc=float64"),
        ("bfloat16:once", "bfloat16:once"),
        ("tf32", "tf32:wide+acc=float32"),
        ("fixed8.4", "fixed8.4:once"),
        ("fixed8.-2!wrap:each", "fixed8.-2!wrap:each"),
        ("fixed8.4!sat", "fixed8.4:once"),
        ("fixed8.4:wide+acc=fixed32.8", "fixed8.4:wide+acc=fixed32.8"),
        ("{1, 0.5,-1,1}", "{-1,1/2,1}:once"),
        ("{0,1}:cast", "{0,1}:cast"),
        ("float32:each+factored+fma@sequential", "float32:each+fma+factored"),
        ("bfloat16@chunk", "bfloat16:wide+acc=float32@chunk:64"),
        ("bfloat16:once@chunk:7", "bfloat16:once@chunk:7"),
        ("float16@tree", "float16:wide+acc=float32@tree"),
    ],
)
def test_text_round_trip(text, canonical):
    arithmetic = Arithmetic.parse(text)
    assert str(arithmetic) == canonical
    assert Arithmetic.parse(canonical) == arithmetic


@given(arithmetics(orders=True))
def test_what_is_printed_is_read_back(arithmetic):
    assert Arithmetic.parse(str(arithmetic)) == arithmetic


@pytest.mark.parametrize(
    "text",
    ["", "float", "fp32", "exact:each", "float32:each+acc=float64", "float32:wide+acc=bfloat16",
     "float64:wide+acc=float32", "float32!", "float32!wrap", "fixed8.4!inf", "{0,1}!wrap",
     "bfloat16:twice", "bfloat16:once+fma", "bfloat16:each+fma+fma", "bfloat16:each+", "fixed0.1",
     "fixed8", "fixed8.4:wide", "fixed9999.1", "{}", "{0,a}", "{1/0}", "{0,1}:cast+factored",
     "float32!sat:cast", "float32:cast@tree", "exact@tree", "float32@tree:2", "float32@chunk:0",
     "float32@forest", "float32:each+factored@tree", "float32@chunk:-1",
     "{0" + ",1" * 70000 + "}"],
)  # fmt: skip
def test_bad_text_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match="arithmetic") as error:
        Arithmetic.parse(text)
    assert "\n" not in str(error.value)


def test_only_text_is_read():
    with pytest.raises(TypeError, match="string"):
        Arithmetic.parse(32)


# -------------------------------------------------------------------- small formats, all numbers

SETS = {
    "{-1,0,1}": [-1, 0, 1],
    "{-2,-1/3,0,1/2,4}": [-2, Fraction(-1, 3), 0, Fraction(1, 2), 4],
    "{7}": [7],
    "fixed5.2": [Fraction(i, 4) for i in range(-16, 16)],
    "fixed4.-1": [2 * i for i in range(-8, 8)],
    "float8_e5m2!sat": sorted(
        s * m * Fraction(2) ** e for s in (1, -1) for e in range(-16, 14) for m in (0, 4, 5, 6, 7)
    ),
    "float8_e4m3!sat": sorted(
        s * m * Fraction(2) ** e for s in (1, -1) for e in range(-9, 6) for m in (0, *range(8, 16))
    ),
}
SETS["float8_e5m2!sat"] = [x for x in SETS["float8_e5m2!sat"] if abs(x) <= 57344]
SETS["float8_e4m3!sat"] = [x for x in SETS["float8_e4m3!sat"] if abs(x) <= 448]


@given(st.sampled_from(sorted(SETS)), st.fractions(-600, 600) | st.fractions(-3, 3))
def test_round_and_cast_search_the_nearest_number(name, x):
    form, numbers = parse_format(name), SETS[name]
    if name.startswith("float8"):  # subnormals
        numbers = sorted(
            {*numbers, *(s * i * Fraction(2) ** form.quantum for s in (1, -1) for i in range(8))}
        )
    assert form.ends == (numbers[0], numbers[-1])
    best = min(abs(y - x) for y in numbers)
    nearest = sorted(y for y in numbers if abs(y - x) == best)
    assert form.cast(x) == nearest[0]
    assert form.round(x) in nearest
    if len(nearest) == 1:
        assert form.round(x) == nearest[0]


@given(st.fractions(-600, 600))
def test_ties_of_fixed_point_are_even_and_overflow_wraps(x):
    form = parse_format("fixed5.2!wrap")
    steps = round(4 * x)
    assert form.round(x) * 4 == (steps + 16) % 32 - 16
    got = round_to(torch.tensor([float(x)], dtype=torch.float64), form).item()
    assert got == form.round(float(x))


@given(st.sampled_from(["fixed8.4", "fixed8.4!wrap", "fixed24.30", "fixed16.-3"]), st.floats())
def test_the_torch_rounding_of_fixed_point_is_the_exact_one(name, x):
    form = parse_format(name)
    if math.isfinite(x) and abs(x) > 1e15:
        x = math.copysign(math.inf, x)
    got = round_to(torch.tensor([x], dtype=torch.float64), form).item()
    assert got == form.round(x)


doubles = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e200, max_value=1e200)


@given(st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53), st.integers(-60, 60))
def test_inexact_sums_are_rounded_to_odd(m, n, exponent):
    """The sum itself, or of the two doubles around it the one that ends in a 1."""
    x, y = float(m), math.ldexp(n, exponent)
    exact = Fraction(x) + Fraction(y)
    odd = odd_sum(torch.tensor([x], dtype=torch.float64), torch.tensor([y], dtype=torch.float64))
    if Fraction(x + y) == exact:
        assert odd.item() == x + y
    else:
        assert odd.view(torch.int64).item() % 2 == 1
        below, above = (math.nextafter(odd.item(), end) for end in (-math.inf, math.inf))
        assert below < exact < above


@pytest.mark.parametrize(
    ("terms", "wanted"),
    [
        ((1, 2.0**-24, 2.0**-80), 1 + 2**-23),
        ((-1, -(2.0**-24), -(2.0**-80)), -1 - 2**-23),
        ((1, 2.0**-23, 2.0**-24, -(2.0**-80)), 1 + 2**-23),
        ((1 + 2**-24 + 2**-52, -(2.0**-60)), 1 + 2**-23),
        ((1 + 2**-24, 2.0**-80, -(2.0**-140)), 1 + 2**-23),
        ((2.0**90, 1, 2.0**-24, -(2.0**90), 2.0**-80), 1 + 2**-23),
        ((2.0**90, 2.0**30, 1, 2.0**-23, -(2.0**30), -(2.0**90), 2.0**-24), 1 + 2**-22),
    ],
)
def test_a_sum_beside_a_tie_is_not_taken_for_the_tie(terms, wanted):
    """Halfway between two numbers of float32, or next to it, in any order of the terms."""
    for order in islice(permutations(terms), 300):
        tensors = [torch.tensor([v], dtype=torch.float64) for v in order]
        assert round_to(odd_total(tensors), FORMATS["float32"]).item() == wanted


def test_sums_that_are_not_finite_are_those_of_plain_addition():
    inf = math.inf
    for x, y in ((inf, 1.0), (-2.0, -inf), (1e308, 1e308), (-1e308, -1e308), (inf, inf)):
        terms = [torch.tensor([v], dtype=torch.float64) for v in (x, y)]
        assert odd_sum(*terms).item() == odd_total(terms).item() == x + y
    terms = [torch.tensor([v], dtype=torch.float64) for v in (inf, -inf, 1.0)]
    assert odd_sum(*terms[:2]).isnan().item()
    assert odd_total(terms).isnan().item()


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float8_e4m3", "float8_e5m2", "tf32"])
def test_tensors_of_doubles_are_rounded_once(name):
    """Just above and below a tie, which float32 cannot tell from it."""
    form = FORMATS[name]
    unit = 2.0 ** (1 - form.precision)
    for tie, below, above in (
        (1 + unit / 2, 1, 1 + unit),
        (1 + 3 * unit / 2, 1 + unit, 1 + 2 * unit),
    ):
        x = torch.tensor([tie - 2.0**-40, tie + 2.0**-40], dtype=torch.float64)
        assert round_to(torch.cat([x, -x]), form).tolist() == [below, above, -below, -above]


@given(st.lists(doubles, min_size=1, max_size=7), st.sampled_from(["float32", "bfloat16", "tf32"]))
def test_exact_sums_are_rounded_once(values, name):
    form = FORMATS[name]
    terms = [torch.tensor([v], dtype=torch.float64) for v in values]
    wanted = form.round(sum(map(Fraction, values)))
    assert round_to(odd_total(terms), form).item() == wanted
    if len(values) == 2:
        assert round_to(odd_sum(*terms), form).item() == wanted


@pytest.mark.parametrize(
    ("big", "small", "inside"),
    [
        ("float32", "bfloat16", True), ("bfloat16", "float16", False),
        ("float16", "bfloat16", False),
        ("tf32", "bfloat16", True), ("tf32", "float16", True), ("float16", "float8_e4m3", True),
        ("float8_e5m2", "float8_e4m3", False), ("float32", "fixed25.4", True),
        ("float32", "fixed26.4", False), ("fixed16.8", "fixed8.4", True),
        ("fixed16.4", "fixed8.6", False), ("fixed8.4", "float8_e4m3", False),
        ("{-1,0,1}", "{0,1}", True), ("{0,1}", "{-1,0}", False),
    ],
)  # fmt: skip
def test_which_formats_hold_which(big, small, inside):
    assert parse_format(big).contains(parse_format(small)) is inside


@pytest.mark.parametrize(
    ("text", "native"),
    [("float32", True), ("float64", True), ("float64:each+fma", False), ("float64:once", False),
     ("bfloat16:wide+fma", True), ("float32:once+factored", False), ("fixed8.4", True),
     ("fixed8.0!wrap:wide+acc=fixed44.0", False), ("fixed8.4:wide+acc=tf32", False),
     ("fixed20.2", False), ("fixed8.-1", False), ("{0,1}", False), ("float32:cast", False)],
)  # fmt: skip
def test_which_arithmetics_doubles_emulate(text, native):
    """A 24-bit weight times 127, plus a half less a bit, has more bits than a double."""
    assert Arithmetic.parse(text).is_native is native


@pytest.mark.parametrize(
    ("text", "largest"),
    [("{-2,-1,0,1,2,5}", 2), ("{-1,0,1}", 1), ("{0,1}", 0), ("{-1,1}", 0), ("{-1,-1/2,1}", 0),
     ("fixed8.0", 127), ("fixed8.4", 7), ("fixed8.8", 0), ("fixed8.-1", 0), ("bfloat16", 256),
     ("float16", 2048), ("float8_e4m3", 16), ("float8_e5m2", 8)],
)  # fmt: skip
def test_integers_up_to_a_bound_are_numbers_of_a_format(text, largest):
    form = parse_format(text)
    assert form.exact_integers == largest
    if largest:
        every = range(-largest, largest + 1)
        assert [form.round(i) for i in every] == list(every)


@pytest.mark.parametrize(
    ("big", "small", "inside"),
    [("float8_e4m3", "fixed4.-5", True), ("float8_e4m3", "fixed4.-7", False),
     ("fixed16.4", "fixed8.4", True), ("fixed8.4", "fixed16.4", False)],
)  # fmt: skip
def test_a_format_holds_another_only_up_to_its_end(big, small, inside):
    outer, inner = parse_format(big), parse_format(small)
    assert outer.contains(inner) is inside
    assert all(outer.round(Fraction(x)) == x for x in inner.numbers()) is inside


@pytest.mark.parametrize(
    ("text", "count"),
    [("float8_e4m3", 253), ("float8_e5m2", 247), ("float16", 63_487), ("bfloat16", 65_279),
     ("fixed16.3", 65_536), ("tf32", None), ("fixed17.3", None), ("float32", None)],
)  # fmt: skip
def test_all_numbers_of_a_format_are_few_or_refused(text, count):
    form = parse_format(text)
    if count is None:
        with pytest.raises(ValueError, match="more than 65536"):
            form.numbers()
        return
    numbers = form.numbers()
    assert len(numbers) == len(set(numbers)) == count
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == form.ends
    assert all(form.round(x) == x for x in numbers[:: count // 100])


@pytest.mark.parametrize(
    ("widest", "wider"),
    [("fixed18.2", "fixed19.2"), ("fixed25.0:each", "fixed26.0:each"),
     ("fixed8.26:each", "fixed8.27:each"), ("fixed8.0:each", "fixed8.-1:each"),
     ("fixed8.4:wide+acc=fixed26.4", "fixed8.4:wide+acc=fixed27.4"),
     ("fixed8.4:wide+acc=float64", "fixed8.4:wide+fma+acc=float64"),
     ("float32:each+fma", "float64:each+fma"), ("float32:once", "float32:once+factored")],
)  # fmt: skip
def test_where_doubles_cease_to_emulate(widest, wider):
    assert Arithmetic.parse(widest).is_native
    assert not Arithmetic.parse(wider).is_native


@pytest.mark.parametrize(
    "text",
    ["bfloat16:each+factored+factored", "bfloat16:wide+acc=float32!sat", "fixed8.4!wrap:cast",
     "bfloat16:wide+acc=float32+acc=float64", "bfloat16@tree:4", "bfloat16@sequential:4"],
)  # fmt: skip
def test_an_option_that_says_nothing_is_refused(text):
    with pytest.raises(ValueError, match="arithmetic"):
        Arithmetic.parse(text)
