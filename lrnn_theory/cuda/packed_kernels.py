"""Triton kernels for packed networks: a state in one register, all levels in one loop.

A lane reads a word from left to right; letters come four at a time, as the bytes of an int32.
What a kernel computes is the integer arithmetic of `lrnn_theory.packing`, so that nothing can be
rounded, contracted or reordered.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _column_sum(h, column, columns, N: tl.constexpr, WIDTH: tl.constexpr):
    """sum_j h_j column_j(a) over all entries."""
    total = h ^ h
    for j in tl.static_range(N):
        entry = (h >> (j * WIDTH)) & ((1 << WIDTH) - 1)
        total += entry * tl.load(columns + column + j)
    return total


@triton.jit
def _ones_sum(h, column, columns, SUPPORT: tl.constexpr, ONES: tl.constexpr, LEAST: tl.constexpr):
    """The same where entries are 0 or 1, and LEAST to ONES of those that A reads are 1."""
    held = h & SUPPORT
    total = h ^ h
    for i in tl.static_range(ONES):
        low = held & (~held + 1)
        # A power of two as a float32 has its exponent in the bits from 23 on.
        place = (low.to(tl.float32).to(tl.int32, bitcast=True) >> 23) - 127
        if i < LEAST:
            total += tl.load(columns + column + place)
        else:
            total += tl.load(columns + column + place, mask=low != 0, other=0)
        held ^= low
    return total


@triton.jit
def _step(h, c, constant, column_of, columns, LEVELS: tl.constexpr, i: tl.constexpr):
    """The state after context c."""
    N: tl.constexpr = LEVELS[i][0]
    WIDTH: tl.constexpr = LEVELS[i][1]
    ONES: tl.constexpr = LEVELS[i][2]
    LEAST: tl.constexpr = LEVELS[i][3]
    SUPPORT: tl.constexpr = LEVELS[i][4]
    column = tl.load(column_of + c)
    if ONES > 0:
        moved = _ones_sum(h, column, columns, SUPPORT, ONES, LEAST)
    else:
        moved = _column_sum(h, column, columns, N, WIDTH)
    return moved + tl.load(constant + c)


@triton.jit
def context_below(h, c, follow, LEVELS: tl.constexpr, i: tl.constexpr):
    """The context that a state leads to from context c; after the last level, the output."""
    MULTIPLIER: tl.constexpr = LEVELS[i][5]
    SHIFT: tl.constexpr = LEVELS[i][6]
    FIRST: tl.constexpr = LEVELS[i][7]
    SIZE: tl.constexpr = LEVELS[i][8]
    return tl.load(follow + FIRST + c * SIZE + ((h * MULTIPLIER) >> SHIFT).to(tl.int32))


@triton.jit
def _letter(
    h, c, letter, reads, every,
    constant, column_of, columns, follow, inside,
    LEVELS: tl.constexpr, RAGGED: tl.constexpr, EVERY: tl.constexpr,
):  # fmt: skip
    """Take all levels through a letter: their states, and the context of the last (or output)."""
    below = tl.where(reads, letter, 0) if RAGGED else letter
    after = ()
    for i in tl.static_range(len(LEVELS)):
        new = _step(h[i], below, constant, column_of, columns, LEVELS, i)
        if i < len(LEVELS) - 1 or EVERY:
            below = context_below(new, below, follow, LEVELS, i)
        if RAGGED:
            new = tl.where(reads, new, h[i])
        after = after + (new,)
    if RAGGED:
        below = tl.where(reads, below, c)
    if EVERY:
        tl.store(every, below.to(every.dtype.element_ty), mask=inside & reads)
    return after, below


@triton.jit
def read_packed(
    letters, lengths, state, output, every,
    constant, column_of, columns, follow,
    batch, time, stride,
    LEVELS: tl.constexpr, HAS_LENGTHS: tl.constexpr, RAGGED: tl.constexpr, EVERY: tl.constexpr,
    UNROLLED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Read words.

    letters: (batch, stride) bytes, a multiple of four; lengths: (batch,); state: (levels, batch),
    taken on; output: (batch,), taken on; every: (time, batch), where outputs go if EVERY.
    A level is (n, width, ones, least, support, multiplier, shift, first, size).
    """
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < batch
    lane = tl.minimum(lane, batch - 1)  # what is read of a state must be one
    h = ()
    for i in tl.static_range(len(LEVELS)):
        h = h + (tl.load(state + i * batch + lane),)
    c = tl.load(output + lane)
    end = tl.zeros([BLOCK], tl.int32) + time
    if HAS_LENGTHS:
        end = tl.load(lengths + lane).to(tl.int32)
    source = letters + lane.to(tl.int64) * (stride // 4)
    sink = every + lane
    for t in range(0, time, 4):
        four = tl.load(source + t // 4)
        if UNROLLED:
            for place in tl.static_range(4):
                h, c = _letter(
                    h, c, (four >> (8 * place)) & 255, t + place < end, sink,
                    constant, column_of, columns, follow, inside,
                    LEVELS, RAGGED, EVERY,
                )  # fmt: skip
                if EVERY:
                    sink += batch
        else:
            for place in range(4):
                h, c = _letter(
                    h, c, (four >> (8 * place)) & 255, t + place < end, sink,
                    constant, column_of, columns, follow, inside,
                    LEVELS, RAGGED, EVERY,
                )  # fmt: skip
                if EVERY:
                    sink += batch
    for i in tl.static_range(len(LEVELS)):
        tl.store(state + i * batch + lane, h[i], mask=inside)
    if not EVERY:
        # A word of no letter has no context: any will do, since its output is not taken.
        context = tl.where(end > 0, c, 0)
        told = context_below(h[len(LEVELS) - 1], context, follow, LEVELS, len(LEVELS) - 1)
        c = tl.where(end > 0, told, tl.load(output + lane))
    tl.store(output + lane, c, mask=inside)
