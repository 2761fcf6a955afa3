"""Formats are correctly rounded, and arithmetics are read and written as one string."""

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory.arithmetic import FORMATS, Arithmetic
from lrnn_theory.cyclotomic import cos_turn
from lrnn_theory.scanning.kernels import round_to

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


@given(formats, st.floats(width=32))
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


@pytest.mark.parametrize("form", list(FORMATS.values())[1:], ids=lambda f: f.name)
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


def test_overflow_policies():
    values = {"": math.nan, "!sat": 448.0, "!inf": math.inf, "!nan": math.nan}
    for mark, wanted in values.items():
        form = Arithmetic.parse(f"float8_e4m3{mark}").format
        for x in (1000, Fraction(1000), 1000.0, math.inf):
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
    ],
)
def test_text_round_trip(text, canonical):
    arithmetic = Arithmetic.parse(text)
    assert str(arithmetic) == canonical
    assert Arithmetic.parse(canonical) == arithmetic


@pytest.mark.parametrize(
    "text",
    ["", "float", "fp32", "exact:each", "float32:each+acc=float64", "float32:wide+acc=bfloat16",
     "float64:wide+acc=float32", "bfloat16:once", "bfloat16@tree", "float32!"],
)  # fmt: skip
def test_bad_text_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r"arithmetic|accumulator|Accumulator") as error:
        Arithmetic.parse(text)
    assert "\n" not in str(error.value)


def test_only_text_is_read():
    with pytest.raises(TypeError, match="string"):
        Arithmetic.parse(32)
