"""Triton kernels of the scans: a program keeps a state in registers, letter after letter.

And of the short convolution before them, tile by tile.
"""

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


@triton.jit
def selective_forward(
    U, STEP, RATE, B, C, OUT, KEPT, time, channels, per_model, N,
    SIGNED: tl.constexpr, KEEP: tl.constexpr, BLOCK: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """H = a H + step u B^T with a = exp(-step rate), or 2 a - 1; out = H C.  KEPT: H before.

    Programs are (batch, blocks of channels); a batch is `per_model` words of every model.
    """
    word = tl.program_id(0).to(tl.int64)
    c, n = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, STATES)
    inside = (c < channels)[:, None] & (n < N)[None, :]
    entry = c[:, None] * N + n[None, :]
    rate = tl.load(RATE + (word // per_model) * channels * N + entry, mask=inside, other=0.0)
    state = tl.zeros([BLOCK, STATES], tl.float32)
    for t in range(time):
        at = word * time + t
        step = tl.load(STEP + at * channels + c, mask=c < channels, other=0.0)
        u = tl.load(U + at * channels + c, mask=c < channels, other=0.0)
        b = tl.load(B + at * N + n, mask=n < N, other=0.0)
        read = tl.load(C + at * N + n, mask=n < N, other=0.0)
        if KEEP:
            tl.store(KEPT + at * channels * N + entry, state, mask=inside)
        a = tl.exp(-step[:, None] * rate)
        if SIGNED:
            a = 2 * a - 1
        state = a * state + (step * u)[:, None] * b[None, :]
        tl.store(OUT + at * channels + c, tl.sum(state * read[None, :], 1), mask=c < channels)


@triton.jit
def selective_backward(
    U, STEP, RATE, B, C, KEPT, DOUT, DU, DSTEP, DRATE, DB, DC, time, channels, per_model, N,
    SIGNED: tl.constexpr, BLOCK: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """What `selective_forward` did, backwards.

    DRATE is by word, DB and DC are by block of channels: they are summed up afterwards.
    """
    word, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    c, n = block * BLOCK + tl.arange(0, BLOCK), tl.arange(0, STATES)
    inside = (c < channels)[:, None] & (n < N)[None, :]
    entry = c[:, None] * N + n[None, :]
    rate = tl.load(RATE + (word // per_model) * channels * N + entry, mask=inside, other=0.0)
    adjoint = tl.zeros([BLOCK, STATES], tl.float32)
    drate = tl.zeros([BLOCK, STATES], tl.float32)
    for i in range(time):
        at = word * time + time - 1 - i
        step = tl.load(STEP + at * channels + c, mask=c < channels, other=0.0)
        u = tl.load(U + at * channels + c, mask=c < channels, other=0.0)
        b = tl.load(B + at * N + n, mask=n < N, other=0.0)
        read = tl.load(C + at * N + n, mask=n < N, other=0.0)
        before = tl.load(KEPT + at * channels * N + entry, mask=inside, other=0.0)
        dout = tl.load(DOUT + at * channels + c, mask=c < channels, other=0.0)
        share = tl.exp(-step[:, None] * rate)
        a = share
        if SIGNED:
            a = 2 * share - 1
        after = a * before + (step * u)[:, None] * b[None, :]
        adjoint += dout[:, None] * read[None, :]
        partial = (at * tl.num_programs(1) + block) * N + n
        tl.store(DC + partial, tl.sum(dout[:, None] * after, 0), mask=n < N)
        tl.store(DB + partial, tl.sum(adjoint * (step * u)[:, None], 0), mask=n < N)
        written = tl.sum(adjoint * b[None, :], 1)
        dlog = adjoint * before * share  # of -step rate
        if SIGNED:
            dlog = 2 * dlog
        drate -= dlog * step[:, None]
        dstep = u * written - tl.sum(dlog * rate, 1)
        tl.store(DU + at * channels + c, step * written, mask=c < channels)
        tl.store(DSTEP + at * channels + c, dstep, mask=c < channels)
        adjoint = a * adjoint
    tl.store(DRATE + word * channels * N + entry, drate, mask=inside)


@triton.jit
def convolution(
    X, WEIGHT, BIAS, Y, time, width, per_model,
    SIZE: tl.constexpr, ADJOINT: tl.constexpr, TIMES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """y_t = bias + sum of w_i x_{t - SIZE + 1 + i}; adjoint: y_t = sum of w_i x_{t + SIZE - 1 - i}.

    Programs are (batch, blocks of time, blocks of width).
    """
    word = tl.program_id(0).to(tl.int64)
    t = tl.program_id(1) * TIMES + tl.arange(0, TIMES)[:, None]
    c = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)[None, :]
    model = word // per_model
    y = tl.zeros([TIMES, BLOCK], tl.float32)
    if not ADJOINT:
        y += tl.load(BIAS + model * width + c, mask=c < width, other=0.0)
    for i in tl.static_range(SIZE):
        s = t + SIZE - 1 - i if ADJOINT else t - (SIZE - 1 - i)
        inside = (c < width) & (s >= 0) & (s < time)
        x = tl.load(X + (word * time + s) * width + c, mask=inside, other=0.0).to(tl.float32)
        y += tl.load(WEIGHT + (model * SIZE + i) * width + c, mask=c < width, other=0.0) * x
    tl.store(Y + (word * time + t) * width + c, y, mask=(c < width) & (t < time))


@triton.jit
def convolution_weights(
    X, DY, DWEIGHT, time, width, SIZE: tl.constexpr, TIMES: tl.constexpr, BLOCK: tl.constexpr
):
    """The gradients of the weights, by word: programs are (batch, weights, blocks of width)."""
    word, i = tl.program_id(0).to(tl.int64), tl.program_id(1)
    c = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)[None, :]
    total = tl.zeros([TIMES, BLOCK], tl.float32)
    for start in range(0, time, TIMES):
        t = start + tl.arange(0, TIMES)[:, None]
        s = t - (SIZE - 1 - i)
        inside = (c < width) & (t < time)
        dy = tl.load(DY + (word * time + t) * width + c, mask=inside, other=0.0)
        x = tl.load(X + (word * time + s) * width + c, mask=inside & (s >= 0), other=0.0)
        total += dy * x.to(tl.float32)
    c = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)
    tl.store(DWEIGHT + (word * SIZE + i) * width + c, tl.sum(total, 0), mask=c < width)
