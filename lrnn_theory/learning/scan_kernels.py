"""Triton kernels of the scans: a program keeps a state in registers, letter after letter."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def linear_forward(A, B, H, time, size, BLOCK: tl.constexpr):
    """h_t = a_t h_{t-1} + b_t on arrays (batch, time, size); programs are (batch, blocks)."""
    entry = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = entry < size
    at = tl.program_id(0).to(tl.int64) * time * size + entry
    h = tl.zeros([BLOCK], tl.float32)
    for _ in range(time):
        a = tl.load(A + at, mask=inside, other=0.0)
        h = a * h + tl.load(B + at, mask=inside, other=0.0)
        tl.store(H + at, h, mask=inside)
        at += size


@triton.jit
def linear_backward(A, H, G, DA, DB, time, size, BLOCK: tl.constexpr):
    """The adjoint u_t = g_t + a_{t+1} u_{t+1} gives u_t to b_t and u_t h_{t-1} to a_t."""
    entry = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = entry < size
    start = tl.program_id(0).to(tl.int64) * time * size + entry
    carried = tl.zeros([BLOCK], tl.float32)
    for i in range(time):
        at = start + (time - 1 - i) * size
        u = tl.load(G + at, mask=inside, other=0.0) + carried
        not_first = entry * 0 + i < time - 1
        before = tl.load(H + at - size, mask=inside & not_first, other=0.0)
        tl.store(DB + at, u, mask=inside)
        tl.store(DA + at, u * before, mask=inside)
        carried = tl.load(A + at, mask=inside, other=0.0) * u


@triton.jit
def delta_forward(
    Q, K, V, BETA, GATE, OUT, KEPT, time, heads, N, D,
    HAS_BETA: tl.constexpr, HAS_GATE: tl.constexpr, KEEP: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """H = G H; H = H + k u^T with u = beta (v - H^T k), or v; out = H^T q.  KEPT: H before G."""
    program = tl.program_id(0).to(tl.int64)
    n, d = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    inside = (n < N)[:, None] & (d < D)[None, :]
    entry = n[:, None] * D + d[None, :]
    state = tl.zeros([ROWS, COLUMNS], tl.float32)
    for t in range(time):
        at = ((program // heads) * time + t) * heads + program % heads
        q = tl.load(Q + at * N + n, mask=n < N, other=0.0)
        k = tl.load(K + at * N + n, mask=n < N, other=0.0)
        u = tl.load(V + at * D + d, mask=d < D, other=0.0)
        if KEEP:
            tl.store(KEPT + (program * time + t) * N * D + entry, state, mask=inside)
        if HAS_GATE:
            state = tl.load(GATE + at * N + n, mask=n < N, other=0.0)[:, None] * state
        if HAS_BETA:
            u = tl.load(BETA + at) * (u - tl.sum(k[:, None] * state, 0))
        state += k[:, None] * u[None, :]
        tl.store(OUT + at * D + d, tl.sum(q[:, None] * state, 0), mask=d < D)


@triton.jit
def delta_backward(
    Q, K, V, BETA, GATE, KEPT, DOUT, DQ, DK, DV, DBETA, DGATE, time, heads, N, D,
    HAS_BETA: tl.constexpr, HAS_GATE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """What `delta_forward` did, backwards; `adjoint` is the gradient of the state."""
    program = tl.program_id(0).to(tl.int64)
    n, d = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    inside = (n < N)[:, None] & (d < D)[None, :]
    entry = n[:, None] * D + d[None, :]
    adjoint = tl.zeros([ROWS, COLUMNS], tl.float32)
    for i in range(time):
        t = time - 1 - i
        at = ((program // heads) * time + t) * heads + program % heads
        q = tl.load(Q + at * N + n, mask=n < N, other=0.0)
        k = tl.load(K + at * N + n, mask=n < N, other=0.0)
        v = tl.load(V + at * D + d, mask=d < D, other=0.0)
        before = tl.load(KEPT + (program * time + t) * N * D + entry, mask=inside, other=0.0)
        dout = tl.load(DOUT + at * D + d, mask=d < D, other=0.0)
        state = before
        if HAS_GATE:
            gate = tl.load(GATE + at * N + n, mask=n < N, other=0.0)
            state = gate[:, None] * before
        u = v
        if HAS_BETA:
            beta = tl.load(BETA + at)
            error = v - tl.sum(k[:, None] * state, 0)
            u = beta * error
        adjoint += q[:, None] * dout[None, :]
        after = state + k[:, None] * u[None, :]
        tl.store(DQ + at * N + n, tl.sum(after * dout[None, :], 1), mask=n < N)
        dv = tl.sum(k[:, None] * adjoint, 0)
        dk = tl.sum(adjoint * u[None, :], 1)
        if HAS_BETA:
            tl.store(DBETA + at, tl.sum(dv * error, 0))
            dv = beta * dv
            dk -= tl.sum(state * dv[None, :], 1)
            adjoint -= k[:, None] * dv[None, :]
        tl.store(DK + at * N + n, dk, mask=n < N)
        tl.store(DV + at * D + d, dv, mask=d < D)
        if HAS_GATE:
            tl.store(DGATE + at * N + n, tl.sum(adjoint * before, 1), mask=n < N)
            adjoint = gate[:, None] * adjoint
