"""Eigenvalues stay in the range that a layer claims, for all parameters, inputs and formats.

What decides an eigenvalue is a float, so that the claim can be checked exactly: entries of
diagonals as they are, 1 - beta |k|^2 in fractions.  Large parameters saturate every gate.
"""

import math
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lrnn_theory.learning.layers import LAYERS, RANGES, RecurrentLayer, make_layer
from lrnn_theory.learning.layers.base import unit

FORMATS = {"float64": torch.float64, "float32": torch.float32,
           "bfloat16": torch.bfloat16, "float16": torch.float16}  # fmt: skip
DIAGONAL = ("mamba", "mamba2", "gla", "mlstm", "rwkv6")
DELTA = ("deltanet", "gated_deltanet", "deltaproduct")
scales = st.sampled_from([0.0, 1e-6, 0.3, 1.0, 10.0, 1e3, 3e4])


def features_of(name: str, r: Any, dtype: torch.dtype, scale: float, seed: int):
    """A layer whose parameters have a given size, and its features of inputs of all sizes."""
    torch.manual_seed(seed)
    layer = make_layer(name, 8, 2, r, conv_size=2)
    assert isinstance(layer, RecurrentLayer)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_((scale * torch.randn_like(p)).clamp(-6e4, 6e4))
    sizes = torch.tensor([0.0, 1e-4, 1.0, 100.0, 1e4])[torch.randint(5, (1, 6, 1))]
    x = sizes * torch.randn(1, 6, 8)
    layer = layer.to(dtype)
    with torch.no_grad():
        return layer, layer.features(x.to(dtype))


@pytest.mark.parametrize("dtype", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("r", RANGES)
@pytest.mark.parametrize("name", DIAGONAL)
@settings(max_examples=10)
@given(scale=scales, seed=st.integers(0, 99))
def test_diagonals_stay_in_range(
    name: str, r: str, dtype: torch.dtype, scale: float, seed: int
) -> None:
    layer, features = features_of(name, r, dtype, scale, seed)
    a = layer.transition(features)
    entries = torch.diagonal(a, dim1=-2, dim2=-1)
    finite = ~entries.isnan()  # an input that overflows before the gate has no gate
    low = 0.0 if r == "[0,1]" else -1.0
    assert (entries[finite] >= low).all()
    assert (entries[finite] <= 1.0).all()
    if scale <= 1:
        assert finite.all()
    assert (a - torch.diag_embed(entries))[finite.all(-1)].eq(0).all()


@pytest.mark.parametrize("dtype", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("r", RANGES)
@pytest.mark.parametrize("name", DELTA)
@settings(max_examples=5)
@given(scale=scales, seed=st.integers(0, 99))
def test_householder_factors_stay_in_range(
    name: str, r: str, dtype: torch.dtype, scale: float, seed: int
) -> None:
    layer, features = features_of(name, r, dtype, scale, seed)
    keys = features["k"].flatten(0, -2).double()
    betas = features["β"].flatten().double()
    low = 0 if r == "[0,1]" else -1
    for key, beta in zip(keys.tolist(), betas.tolist(), strict=True):
        if any(math.isnan(x) for x in (*key, beta)):  # the input overflowed before
            continue
        square = sum(Fraction(x) ** 2 for x in key)
        assert square <= 1
        assert low <= 1 - Fraction(beta) * square <= 1
    a = layer.transition({x: f.double() for x, f in features.items()})
    a = a[~a.isnan().flatten(-2).any(-1)]
    # Products of factors of norm at most 1; the float product rounds.
    assert (torch.linalg.matrix_norm(a, 2) <= 1 + 1e-12).all()
    if name == "deltanet" and r == "[0,1]":
        assert (torch.linalg.eigvalsh(a) >= -1e-12).all()


@example(values=[1e-38, 1e-38], dtype=torch.float32)
@example(values=[3e38, 3e38], dtype=torch.float32)
@example(values=[0.0, 0.0], dtype=torch.float32)
@settings(max_examples=200)
@given(
    values=st.lists(st.floats(-1e4, 1e4, width=16), min_size=1, max_size=64),
    dtype=st.sampled_from(list(FORMATS.values())),
)
def test_keys_are_no_longer_than_1(values: list[float], dtype: torch.dtype) -> None:
    key = unit(torch.tensor(values, dtype=dtype)).double().tolist()
    square = sum(Fraction(x) ** 2 for x in key)
    assert square <= 1
    if max(map(abs, values)) >= 1e-4:
        assert square >= 1 - 1e-4


def test_plain_normalisation_leaves_the_range() -> None:
    """Why `unit` shortens: dividing by a rounded norm makes lengths above 1, eigenvalues < -1."""
    torch.manual_seed(0)
    x = torch.randn(200, 16)
    plain = torch.nn.functional.normalize(x, dim=-1)
    squares = [sum(Fraction(v) ** 2 for v in row) for row in plain.double().tolist()]
    assert max(squares) > 1
    assert min(1 - 2 * s for s in squares) < -1


@settings(max_examples=30)
@given(scale=st.sampled_from([0.0, 0.3, 1.0, 30.0]), seed=st.integers(0, 99))
def test_rwkv7_is_real_and_in_range(scale: float, seed: int) -> None:
    layer, f = features_of("rwkv7", "[-1,1]", torch.float64, scale, seed)
    a = layer.transition(f)
    eigenvalues = torch.linalg.eigvals(a)
    # Near a double eigenvalue an error e of A moves eigenvalues by its root.
    assert (eigenvalues.imag.abs() <= 1e-6).all()
    low = f["w"].amin(-1) - f["a"].amax(-1)
    assert (eigenvalues.real >= low[..., None] - 1e-6).all()
    assert (eigenvalues.real <= f["w"].amax(-1, keepdim=True) + 1e-6).all()
    assert (eigenvalues.real > -0.46).all()


@pytest.mark.parametrize("name", sorted(set(LAYERS) - {"rwkv7"}))
def test_the_signed_range_is_used(name: str) -> None:
    """The signed range holds eigenvalues that the classic one does not, for the same parameters."""
    lows = {}
    for r in RANGES:
        layer, features = features_of(name, r, torch.float64, 1.0, 0)
        eigenvalues = torch.linalg.eigvals(layer.transition(features).detach()).real
        lows[r] = float(eigenvalues.min())
    assert lows["[0,1]"] >= -1e-12
    assert -1 <= lows["[-1,1]"] < -0.1
