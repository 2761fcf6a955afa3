"""The Triton kernels of the differentiable scans; interpreted where there is no GPU."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import vmap

pytest.importorskip("triton", reason="Triton is made for Linux only")

from lrnn_theory.learning import fused, scans

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def compare(kernel, plain, inputs: list[torch.Tensor]) -> None:
    """Values and gradients of both, for one model and for two side by side.

    What cancels leaves an error in proportion to the largest gradients: that of a first gate is 0.
    """
    for run in (
        lambda f: f(*inputs),
        lambda f: vmap(f)(*[torch.stack([x, x / 2]) for x in inputs]),
    ):
        mine, theirs = run(kernel), run(plain)
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
        weights = torch.randn_like(mine)
        gradients = [torch.autograd.grad((weights * y).sum(), inputs) for y in (mine, theirs)]
        largest = max(1.0, *(float(b.abs().max()) for b in gradients[1]))
        for a, b in zip(*gradients, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5 * largest)


def plain(name: str):
    """The scan of `scans` without kernels."""
    return {"linear": scans._LinearScan.apply, "delta": scans._delta_scan}[name]


@settings(max_examples=5)
@given(time=st.integers(1, 7), size=st.integers(1, 300), seed=st.integers(0, 99))
def test_linear(time: int, size: int, seed: int) -> None:
    torch.manual_seed(seed)
    a, b = (torch.randn(2, time, size, device=DEVICE).requires_grad_() for _ in "ab")
    compare(fused.linear_scan, lambda a, b: plain("linear")(a, b, 4), [a, b])


@settings(max_examples=4)
@pytest.mark.parametrize(
    ("gated", "beta"),  # no layer has a vector and beta, and so no plain scan
    [("", False), ("", True), ("scalar", False), ("scalar", True), ("vector", False)],
)
@given(time=st.integers(1, 6), n=st.integers(1, 5), d=st.integers(1, 6), seed=st.integers(0, 99))
def test_delta(gated: str, beta: bool, time: int, n: int, d: int, seed: int) -> None:
    torch.manual_seed(seed)

    def draw(*shape: int, low: float = -1.0, high: float = 1.0) -> torch.Tensor:
        x = torch.rand(2, time, 2, *shape, device=DEVICE)
        return (low + (high - low) * x).requires_grad_()

    # As layers have them: matrices of norm at most 1.
    inputs = [draw(n), draw(n, low=-(n**-0.5), high=n**-0.5), draw(d)]
    inputs += [draw(low=0.0, high=2.0)] * beta
    inputs += [draw(n) if gated == "vector" else draw()] * bool(gated)

    def kernel(q, k, v, *more):
        strength = more[0] if beta else None
        gate = more[-1] if gated else None
        if gated == "scalar":
            gate = gate[..., None].expand_as(q)
        return fused.delta_scan(q, k, v, strength, gate)

    def reference(q, k, v, *more):
        strength, gate = more[0] if beta else None, more[-1] if gated else None
        if gated == "vector":
            states = plain("linear")(
                gate[..., None].expand(*k.shape, d), k[..., None] * v[..., None, :], 4
            )
            return (q[..., None, :] @ states)[..., 0, :]
        return plain("delta")(q, k, v, strength, gate, 4)

    compare(kernel, reference, inputs)


@settings(max_examples=5)
@pytest.mark.parametrize("signed", [False, True])
@given(
    time=st.integers(1, 6),
    channels=st.integers(1, 40),
    n=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_selective(signed: bool, time: int, channels: int, n: int, seed: int) -> None:
    torch.manual_seed(seed)
    u, b, c = (torch.randn(2, time, size, device=DEVICE) for size in (channels, n, n))
    step, rate = torch.rand(2, time, channels, device=DEVICE), torch.rand(channels, n) * 3
    inputs = [x.requires_grad_() for x in (u, step, rate.to(DEVICE), b, c)]
    compare(
        partial(fused.selective_scan, signed=signed),
        lambda *given: scans._selective_scan(*given, signed),
        inputs,
    )


@settings(max_examples=8)
@given(
    time=st.integers(1, 20),
    width=st.integers(1, 70),
    size=st.integers(1, 5),
    half=st.booleans(),
    seed=st.integers(0, 99),
)
def test_convolution(time: int, width: int, size: int, half: bool, seed: int) -> None:
    torch.manual_seed(seed)
    shapes = ((2, time, width), (size, width), (width,))
    x, weight, bias = (torch.randn(shape, device=DEVICE).requires_grad_() for shape in shapes)

    def rounded(x, *more):
        """Inputs in half precision, and their gradients rounded once."""
        return scans._convolution(x.bfloat16().float() if half else x, *more)

    def kernel(x, *more):
        return fused.convolution(x.bfloat16() if half else x, *more)

    compare(kernel, rounded, [x, weight, bias])


def test_states_are_not_kept_without_gradients() -> None:
    q = torch.randn(1, 5, 1, 4, device=DEVICE)
    with torch.no_grad():
        kept = fused._Delta.apply(q, q, q, None, None, torch.is_grad_enabled())[1]
    assert kept.numel() == 0
