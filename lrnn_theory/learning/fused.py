"""The scans as two Triton kernels each, where there is a GPU; float32.

Under `torch.func.vmap` the models are part of the batch.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import triton
from torch import Tensor
from torch.autograd import Function

from lrnn_theory.learning import scan_kernels

_KERNELS: Any = scan_kernels
_BLOCK = 256
_CHANNELS = 32
_TILE = {"TIMES": 16, "BLOCK": 64}


def linear_scan(a: Tensor, b: Tensor) -> Tensor:
    """See `scans.linear_scan`; both of one shape, float32."""
    return cast("Tensor", _Linear.apply(a, b))


def delta_scan(q: Tensor, k: Tensor, v: Tensor, beta: Tensor | None, gate: Tensor | None) -> Tensor:
    """See `scans.delta_scan`; the gate is (batch, time, heads, n), all in float32."""
    return cast("Any", _Delta.apply(q, k, v, beta, gate, torch.is_grad_enabled()))[0]


def selective_scan(
    u: Tensor, step: Tensor, rate: Tensor, b: Tensor, c: Tensor, *, signed: bool
) -> Tensor:
    """See `scans.selective_scan`; all in float32."""
    keep = torch.is_grad_enabled()
    return cast("Any", _Selective.apply(u, step, rate[None], b, c, signed, keep))[0]


def convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """See `scans.convolution`; weights in float32."""
    return cast("Tensor", _Convolution.apply(x, weight[None], bias[None]))


def _merged(size: int, dims: tuple[Any, ...], arguments: tuple[Any, ...]) -> list[Any]:
    """Arguments of one call for all models: their dimension joined to the batch."""
    found = []
    for x, dim in zip(arguments, dims, strict=True):
        if isinstance(x, Tensor):
            x = x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0)
            x = x.flatten(0, 1)
        found.append(x)
    return found


class _Linear(Function):
    @staticmethod
    def forward(a: Tensor, b: Tensor) -> Tensor:
        a, b = a.contiguous(), b.contiguous()
        h, (batch, time) = torch.empty_like(b), b.shape[:2]
        size = b[0, 0].numel()
        grid = (batch, triton.cdiv(size, _BLOCK))
        _KERNELS.linear_forward[grid](a, b, h, time, size, BLOCK=_BLOCK)
        return h

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        a, h = ctx.saved_tensors
        a, g = a.contiguous(), gradients[0].contiguous()
        da, db, (batch, time) = torch.empty_like(h), torch.empty_like(h), h.shape[:2]
        size = h[0, 0].numel()
        grid = (batch, triton.cdiv(size, _BLOCK))
        _KERNELS.linear_backward[grid](a, h, g, da, db, time, size, BLOCK=_BLOCK)
        return da, db

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Tensor, int]:
        h = linear_scan(*_merged(info.batch_size, in_dims, arguments))
        return h.unflatten(0, (info.batch_size, -1)), 0


def _of_all_models(
    function: type[Function], info: Any, in_dims: tuple[Any, ...], arguments: Any
) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
    """(outputs, what is kept) of a function of a batch, called for the batches of all models."""
    results = cast("Any", function.apply(*_merged(info.batch_size, in_dims, arguments)))
    out, kept = (x.unflatten(0, (info.batch_size, -1)) for x in results)
    return (out, kept), (0, 0)


class _Delta(Function):
    @staticmethod
    def forward(
        q: Tensor, k: Tensor, v: Tensor, beta: Tensor | None, gate: Tensor | None, keep: bool
    ) -> tuple[Tensor, Tensor]:
        q, k, v, beta, gate = _contiguous(q, k, v, beta, gate)
        batch, time, heads, n = q.shape
        d = v.shape[-1]
        out = torch.empty_like(v)
        kept = q.new_empty((batch * heads, time, n, d) if keep else (batch, 0))
        _KERNELS.delta_forward[(batch * heads,)](
            q, k, v, beta, gate, out, kept, time, heads, n, d,
            HAS_BETA=beta is not None, HAS_GATE=gate is not None, KEEP=keep, **_sizes(n, d),
        )  # fmt: skip
        return out, kept.view(batch, -1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*inputs[:5], output[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        *inputs, kept = ctx.saved_tensors
        q, k, v, beta, gate = _contiguous(*inputs)
        batch, time, heads, n = q.shape
        d = v.shape[-1]
        found = [None if x is None else torch.empty_like(x) for x in (q, k, v, beta, gate)]
        _KERNELS.delta_backward[(batch * heads,)](
            q, k, v, beta, gate, kept, gradients[0].contiguous(), *found, time, heads, n, d,
            HAS_BETA=beta is not None, HAS_GATE=gate is not None, **_sizes(n, d),
        )  # fmt: skip
        return (*found, None)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], *arguments: Any
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        return _of_all_models(_Delta, info, in_dims, arguments)


class _Selective(Function):
    """The rates are (models, channels, n); the batch is that of all models."""

    @staticmethod
    def forward(
        u: Tensor, step: Tensor, rate: Tensor, b: Tensor, c: Tensor, signed: bool, keep: bool
    ) -> tuple[Tensor, Tensor]:
        u, step, rate, b, c = _contiguous(u, step, rate, b, c)
        (batch, time, channels), (models, _, n) = u.shape, rate.shape
        out = torch.empty_like(u)
        kept = u.new_empty((batch, time, channels, n) if keep else (batch, 0))
        _KERNELS.selective_forward[(batch, triton.cdiv(channels, _CHANNELS))](
            u, step, rate, b, c, out, kept, time, channels, batch // models, n,
            SIGNED=signed, KEEP=keep, **_selective_sizes(n),
        )  # fmt: skip
        return out, kept.view(batch, -1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*inputs[:5], output[1])
        ctx.signed = inputs[5]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        *inputs, kept = ctx.saved_tensors
        u, step, rate, b, c = _contiguous(*inputs)
        (batch, time, channels), (models, _, n) = u.shape, rate.shape
        blocks = triton.cdiv(channels, _CHANNELS)
        du, dstep = torch.empty_like(u), torch.empty_like(u)
        drate = u.new_empty((batch, channels, n))
        db, dc = (u.new_empty((batch, time, blocks, n)) for _ in "bc")
        _KERNELS.selective_backward[(batch, blocks)](
            u, step, rate, b, c, kept, gradients[0].contiguous(), du, dstep, drate, db, dc,
            time, channels, batch // models, n, SIGNED=ctx.signed, **_selective_sizes(n),
        )  # fmt: skip
        drate = drate.unflatten(0, (models, -1)).sum(1)
        return du, dstep, drate, db.sum(2), dc.sum(2), None, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], *arguments: Any
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        return _of_all_models(_Selective, info, in_dims, arguments)


class _Convolution(Function):
    """The weights are (models, size, width), and a bias (models, width)."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return _convolve(x, weight, bias, adjoint=False)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight, bias = ctx.saved_tensors
        (x, dy), (batch, time, width) = _contiguous(x, gradients[0]), x.shape
        models, size, _ = weight.shape
        found = dy.new_empty((batch, size, width))
        _KERNELS.convolution_weights[(batch, size, triton.cdiv(width, _TILE["BLOCK"]))](
            x, dy, found, time, width, SIZE=size, **_TILE
        )
        dweight, dbias = (y.unflatten(0, (models, -1)).sum(1) for y in (found, dy.sum(1)))
        return _convolve(dy, weight, bias, adjoint=True).to(x.dtype), dweight, dbias

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Tensor, int]:
        y = cast("Tensor", _Convolution.apply(*_merged(info.batch_size, in_dims, arguments)))
        return y.unflatten(0, (info.batch_size, -1)), 0


def _convolve(x: Tensor, weight: Tensor, bias: Tensor, *, adjoint: bool) -> Tensor:
    x, weight, bias = _contiguous(x, weight, bias)
    (batch, time, width), (models, size, _) = x.shape, weight.shape
    y = torch.empty_like(x, dtype=torch.float32)
    grid = (batch, triton.cdiv(time, _TILE["TIMES"]), triton.cdiv(width, _TILE["BLOCK"]))
    _KERNELS.convolution[grid](
        x, weight, bias, y, time, width, batch // models, SIZE=size, ADJOINT=adjoint, **_TILE
    )
    return y


def _contiguous(*tensors: Any) -> list[Any]:
    return [None if x is None else x.contiguous() for x in tensors]


def _sizes(n: int, d: int) -> dict[str, int]:
    """Constants of the kernels: powers of two, and a warp for every 512 numbers of a state."""
    rows, columns = triton.next_power_of_2(n), triton.next_power_of_2(d)
    warps = min(max(rows * columns // 512, 1), 8)
    return {"ROWS": rows, "COLUMNS": columns, "num_warps": warps}


def _selective_sizes(n: int) -> dict[str, int]:
    """Constants of the kernels, as above."""
    states = triton.next_power_of_2(n)
    warps = min(max(_CHANNELS * states // 512, 1), 8)
    return {"BLOCK": _CHANNELS, "STATES": states, "num_warps": warps}
