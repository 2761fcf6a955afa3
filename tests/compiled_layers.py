"""Layers, arithmetics and states for compiled code."""

import math
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from lrnn_theory import Dense, Layer
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled import CompiledLayer
from lrnn_theory.scanning.kernels import runs_natively
from lrnn_theory.strategies import FORMAT_NAMES, arithmetics, layers

WIDE = [
    "fixed8.4:wide+acc=fixed24.12", "fixed8.4!wrap:wide+acc=fixed30.6", "fixed8.4:wide+acc=float32",
    "fixed12.3!wrap:wide+fma+acc=fixed20.5", "fixed40.20!wrap:wide+acc=float64",
    "fixed8.26:wide+acc=tf32", "fixed3.0:wide+acc=float8_e4m3", "fixed8.0:wide+acc=fixed44.0",
    "fixed1.26!wrap:each", "fixed25.13!wrap:each+fma", "fixed18.9!wrap:once", "fixed18.0:once",
    "fixed26.13:each+fma+factored", "fixed8.4!wrap:each+fma+factored",
    "fixed26.0!wrap:each+factored", "float8_e4m3!sat:wide+acc=float8_e4m3",
    "bfloat16:wide+acc=tf32", "float32:wide+acc=float64",
    "float16!nan:wide+fma+acc=float32", "float8_e5m2:wide+fma+factored+acc=float16",
    "float64!sat:wide+factored", "float8_e4m3!inf:once",
]  # fmt: skip
FORMATS = [*FORMAT_NAMES[:7], "fixed8.4", "fixed8.0", "fixed12.10", "fixed16.2"]


def shortened(layer, grid):
    """The layer with its weights rounded to multiples of 2^-grid of at most 24 bits."""

    def short(array):
        out = np.empty(array.shape, object)
        out.flat = [
            Fraction(min(max(round(x * 2**grid), 1 - 2**24), 2**24 - 1), 2**grid)
            for x in array.ravel().tolist()
        ]
        return out

    t = layer.transition
    arrays = {f.name: getattr(t, f.name) for f in fields(t)}
    kept = {name: x if name == "ptr" else short(x) for name, x in arrays.items()}
    return replace(layer, transition=type(t)(**kept), b=short(layer.b))


@st.composite
def supported(draw):
    """A layer and an arithmetic that compiled code knows."""
    arithmetic = draw(st.one_of(arithmetics(FORMATS), st.sampled_from(WIDE).map(Arithmetic.parse)))
    assume(CompiledLayer.supports(arithmetic))
    layer = draw(layers(dense=not arithmetic.factored))
    if arithmetic.keeps_weights:
        layer = shortened(layer, draw(st.sampled_from([0, 3, 10, 26])))
        assume(runs_natively(layer, arithmetic))
    return layer, arithmetic


@st.composite
def states(draw, layer, form):
    """Any state that the format holds, as floats: also huge, tiny, infinite and NaN."""
    special = {"inf": [math.inf, -math.inf, math.nan], "nan": [math.nan]}.get(form.overflow, [0])
    ends = form.ends if form.name != "float64" else (2**200,)
    scaled = st.builds(
        lambda m, e: m * Fraction(2) ** e, st.integers(-9, 9), st.integers(-160, 130)
    )
    number = st.one_of(
        st.sampled_from([0, 1, -1, Fraction(1, 3), *ends]),
        st.fractions(-4, 4),
        scaled,
        st.sampled_from(special),
    )
    flat = [float(form.round(draw(number))) for _ in range(layer.n * layer.d)]
    return np.array(flat).reshape(layer.n, layer.d)


def same_bits(got, wanted):
    """Equal numbers, one zero, one NaN."""
    assert got.dtype == wanted.dtype == np.float64
    return np.array_equal(got.view(np.int64), np.where(wanted == 0, 0.0, wanted).view(np.int64))


def row(*weights, b=0):
    """One row of weights, and zeros below."""
    n = len(weights)
    matrix = np.zeros((1, n, n), object)
    matrix[0, 0] = weights
    inputs = np.zeros((1, n, 1), object)
    inputs[0, 0, 0] = b
    zeros = np.zeros((n, 1), int)
    return Layer(Dense(matrix), inputs, zeros, (zeros[None],), np.zeros((1, 1, 2), int), 1, 0)
