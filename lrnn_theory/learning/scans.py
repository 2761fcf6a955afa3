"""Differentiable scans in plain torch: a recurrence over time, in few large operations.

    linear_scan     h_t = a_t h_{t-1} + b_t entry by entry (diagonal transitions)
    selective_scan  the same with Mamba's a_t and b_t, read by C_t
    convolution     y_t = b + w_1 x_{t-3} + ... + w_4 x_t, which comes before them
    delta_scan      H_t = g_t (I - beta_t k_t k_t^T) H_{t-1} + beta_t k_t v_t^T, read by q_t

Both agree with the step-by-step recurrence up to rounding, for any sign of a_t and g_t.  They hold
under `torch.func.vmap`, by which several models are trained at once.

Sources: Yang et al., *Parallelizing Linear Transformers with the Delta Rule over Sequence Length*,
arXiv 2406.06484 (the UT transform); Dao and Gu, arXiv 2405.21060 (segment sums).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

SMALLEST = 1e-30
"""Gates nearer to zero count as this: their logarithms are added up."""


def linear_scan(a: Tensor, b: Tensor, chunk: int = 64) -> Tensor:
    """h_t = a_t h_{t-1} + b_t from h_0 = 0, entry by entry.

    Chunks run side by side, so that it takes chunk + time / chunk steps; backwards the same.

    Args:
        a: (batch, time, ...), broadcast to the shape of b.
        b: (batch, time, ...).
        chunk: letters of a chunk.

    Returns:
        All h_t, of the shape of b.

    Example:
        >>> linear_scan(torch.tensor([[-1.0, -1.0, 0.5]]), torch.tensor([[1.0, 0.0, 0.0]]))
        tensor([[ 1.0000, -1.0000, -0.5000]])
    """
    a, b = wide(a), wide(b)
    if b.is_cuda and b.dtype == torch.float32 and (fused := kernels()):
        return fused.linear_scan(a.expand_as(b), b)
    return cast("Tensor", _LinearScan.apply(a.expand_as(b), b, chunk))


def convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A short causal convolution, channel by channel.

    Args:
        x: (batch, time, width).
        weight: (size, width), that of the current letter last.
        bias: (width,).

    Returns:
        (batch, time, width), of the dtype of the weights if that is wider.

    Example:
        >>> x = torch.tensor([[[1.0], [2.0], [4.0]]])
        >>> convolution(x, torch.tensor([[10.0], [1.0]]), torch.zeros(1)).flatten()
        tensor([ 1., 12., 24.])
    """
    if x.is_cuda and weight.dtype == torch.float32 and (fused := kernels()):
        return fused.convolution(x, weight, bias)
    return _convolution(x, weight, bias)


def _convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    (size, _), time, y = weight.shape, x.shape[1], bias
    padded = functional.pad(x, (0, 0, size - 1, 0))
    for i in range(size):
        y = y + weight[i] * padded[:, i : i + time]
    return y


def selective_scan(
    u: Tensor, step: Tensor, rate: Tensor, b: Tensor, c: Tensor, *, signed: bool
) -> Tensor:
    """Mamba's scan from h_0 = 0: h_t = a_t h_{t-1} + Δ_t u_t B_t, read as C_t^T h_t.

    a_t = exp(-Δ_t rate) or, signed, 2 exp(-Δ_t rate) - 1, for every channel and entry of its state.

    Args:
        u: (batch, time, channels).
        step: Δ, of the same shape.
        rate: (channels, n), not negative.
        b: (batch, time, n).
        c: of the same shape.
        signed: whether a_t is in [-1, 1] or in [0, 1].

    Returns:
        (batch, time, channels).

    Example:
        >>> one = torch.ones(1, 3, 1)
        >>> never = torch.full((1, 1), torch.inf)  # a_t = -1
        >>> selective_scan(one, one, never, one, one, signed=True).flatten()
        tensor([1., 0., 1.])
    """
    with torch.autocast(u.device.type, enabled=False):
        u, step, rate, b, c = wide(u), wide(step), wide(rate), wide(b), wide(c)
        if u.is_cuda and u.dtype == torch.float32 and (fused := kernels()):
            return fused.selective_scan(u, step, rate, b, c, signed=signed)
        return _selective_scan(u, step, rate, b, c, signed)


def _selective_scan(
    u: Tensor, step: Tensor, rate: Tensor, b: Tensor, c: Tensor, signed: bool
) -> Tensor:
    share = torch.exp(-step[..., None] * rate)
    a = 2 * share - 1 if signed else share
    states = linear_scan(a, (step * u)[..., None] * b[..., None, :])
    return (states @ c[..., None])[..., 0]


def delta_scan(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    beta: Tensor | None = None,
    gate: Tensor | None = None,
    chunk: int = 16,
) -> Tensor:
    """The gated delta rule from H_0 = 0, read by queries: all H_t^T q_t.

    H_t = g_t (I - beta_t k_t k_t^T) H_{t-1} + beta_t k_t v_t^T.

    Args:
        q: (batch, time, heads, n).
        k: the keys, of the same shape.
        v: (batch, time, heads, d).
        beta: (batch, time, heads); without it H_t = g_t H_{t-1} + k_t v_t^T.
        gate: g_t of any sign, (batch, time, heads); 1 if absent.  Without beta it may be
            (batch, time, heads, n), the diagonal of a matrix.
        chunk: letters of a chunk.

    Returns:
        (batch, time, heads, d).
    """
    with torch.autocast(q.device.type, enabled=False):
        q, k, v = wide(q), wide(k), wide(v)
        if q.is_cuda and q.dtype == torch.float32 and (fused := kernels()):
            if gate is not None and gate.ndim < q.ndim:
                gate = gate[..., None].expand_as(q)
            return fused.delta_scan(q, k, v, beta, gate)
        if gate is not None and gate.ndim == q.ndim:
            states = linear_scan(gate[..., None], k[..., None] * v[..., None, :])
            return (q[..., None, :] @ states)[..., 0, :]
        return _delta_scan(q, k, v, beta, gate, chunk)


@cache
def kernels() -> ModuleType | None:
    """The Triton kernels, if there are a GPU and Triton; they agree with the plain scans."""
    if not (torch.cuda.is_available() and find_spec("triton")):
        return None
    return import_module("lrnn_theory.learning.fused")


def _delta_scan(
    q: Tensor, k: Tensor, v: Tensor, beta: Tensor | None, gate: Tensor | None, chunk: int
) -> Tensor:
    time = q.shape[1]
    size = min(chunk, time)
    q, k, v = (_chunks(x, size) for x in (q, k, v))
    weighted, keys = v, k
    decay = last = segments = None
    if gate is not None:
        gate = _chunks(gate[..., None], size, fill=1.0)[..., 0]
        segments = segment_products(gate)  # at (t, s): g_{s+1} ... g_t
        decay = (segments[..., :1] * gate[..., :1, None])[..., 0, None]  # at t: g_1 ... g_t
        last = segments[..., -1, :, None]
    scores = (q @ k.mT if segments is None else q @ k.mT * segments).tril()
    if beta is not None:
        beta = _chunks(beta[..., None], size)
        overlaps = beta * (k @ k.mT if segments is None else k @ k.mT * segments)
        inverse = unit_lower_inverse(overlaps.tril(-1))
        weighted = inverse @ (beta * v)
        keys = inverse @ (beta * k if decay is None else beta * decay * k)
    read = q if decay is None else decay * q
    write = k if last is None else last * k
    inner, updates = scores @ weighted, write.mT @ weighted
    state, outputs = None, []
    for i in range(q.shape[2]):
        out, update = inner[:, :, i], updates[:, :, i]
        if state is not None:
            out = out + read[:, :, i] @ state
            if beta is not None:
                forgotten = keys[:, :, i] @ state
                out = out - scores[:, :, i] @ forgotten
                update = update - write[:, :, i].mT @ forgotten
            update = update + (state if decay is None else decay[:, :, i, -1:] * state)
        state = update
        outputs.append(out)
    return torch.stack(outputs, 2).flatten(2, 3)[:, :, :time].transpose(1, 2)


def wide(x: Tensor) -> Tensor:
    """In float32 at least: what decides eigenvalues is not computed in half precision."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def segment_products(gate: Tensor) -> Tensor:
    """Products g_{s+1} ... g_t at (t, s) for s <= t, and 0 elsewhere.

    Args:
        gate: (..., time), of any sign.

    Returns:
        (..., time, time).

    Example:
        >>> segment_products(torch.tensor([0.5, -1.0, 2.0])).round(decimals=4) + 0.0
        tensor([[ 1.,  0.,  0.],
                [-1.,  1.,  0.],
                [-2.,  2.,  1.]])
    """
    logs = gate.abs().clamp_min(SMALLEST).log().cumsum(-1)
    above = torch.ones(gate.shape[-1:] * 2, dtype=torch.bool, device=gate.device).triu(1)
    sizes = (logs[..., :, None] - logs[..., None, :]).masked_fill(above, -torch.inf).exp()
    odd = (gate.detach() < 0).to(gate.dtype).cumsum(-1) % 2
    signs = 1 - 2 * odd
    return sizes * signs[..., :, None] * signs[..., None, :]


def unit_lower_inverse(strict: Tensor) -> Tensor:
    """The inverse of I + L for a strictly lower triangular L, block by block.

    With D the inverse of the diagonal blocks of width s and M the blocks beside them, those of
    width 2 s have the inverse D - D M D: log2(time) pairs of matrix products, and as stable as
    forward substitution.

    Args:
        strict: L, (..., time, time).

    Returns:
        (I + L)^-1 of the same shape.
    """
    return cast("Tensor", _Inverse.apply(strict))


class _Inverse(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(strict: Tensor) -> Tensor:
        size = strict.shape[-1]
        index = torch.arange(size, device=strict.device)
        inverse = torch.eye(size, dtype=strict.dtype, device=strict.device)
        width = 1
        while width < size:
            block = index // width
            beside = (block[:, None] == block + 1) & (block[:, None] % 2 == 1)
            inverse = inverse - inverse @ torch.where(beside, strict, 0.0) @ inverse
            width *= 2
        return inverse.expand_as(strict)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del inputs
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (inverse,) = ctx.saved_tensors
        return -(inverse.mT @ gradients[0] @ inverse.mT).tril(-1)


class _LinearScan(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, b: Tensor, chunk: int) -> Tensor:
        return _run(a, b, chunk)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.chunk = inputs[2]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        a, h = ctx.saved_tensors
        # The adjoint u_t = gradient_t + a_{t+1} u_{t+1} is the same scan, backwards.
        after = torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], 1)
        u = _run(after.flip(1), gradients[0].flip(1), ctx.chunk).flip(1)
        before = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], 1)
        return u * before, u, None


def _run(a: Tensor, b: Tensor, chunk: int) -> Tensor:
    """The scan without gradients: within chunks side by side, then the ends of chunks."""
    time = b.shape[1]
    if time <= chunk:
        return _steps(a, b)[0]
    rest = -time % chunk
    pad = (0, 0) * (b.ndim - 2) + (0, rest)
    shape = (b.shape[0], -1, chunk, *b.shape[2:])
    a, b = functional.pad(a, pad).reshape(shape), functional.pad(b, pad).reshape(shape)
    inner, through = _steps(a.transpose(1, 2), b.transpose(1, 2), products=True)
    ends = _steps(through[:, -1], inner[:, -1])[0]  # the state at the end of every chunk
    before = torch.cat([torch.zeros_like(ends[:, :1]), ends[:, :-1]], 1)
    h = inner + through * before[:, None]
    return h.transpose(1, 2).flatten(1, 2)[:, :time]


def _steps(a: Tensor, b: Tensor, *, products: bool = False) -> tuple[Tensor, Tensor]:
    """One step after the other: all h_t, and if wanted all a_t ... a_1."""
    factors, inputs = a.unbind(1), b.unbind(1)
    states, through = [inputs[0]], [factors[0]]
    for a_t, b_t in zip(factors[1:], inputs[1:], strict=True):
        states.append(torch.addcmul(b_t, a_t, states[-1]))
        if products:
            through.append(a_t * through[-1])
    return torch.stack(states, 1), torch.stack(through, 1) if products else a


def _chunks(x: Tensor, size: int, fill: float = 0.0) -> Tensor:
    """(batch, time, heads, width) to (batch, heads, chunks, size, width), padded in time."""
    x = functional.pad(x, (0, 0, 0, 0, 0, -x.shape[1] % size), value=fill)
    return x.unflatten(1, (-1, size)).permute(0, 3, 1, 2, 4)
