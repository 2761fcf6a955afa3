"""Triton kernels for a layer whose actions copy, negate or clear entries: a state in bytes.

The state is followed by name: byte i of one or two registers says which entry of the state at the
start is now entry i, with the highest bit set if it was negated.  One byte permutation is a step
for four entries.  The names after a stretch of letters are also what those letters do to any state,
so that stretches can be read side by side and put together afterwards.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lrnn_theory.cuda.packed_kernels import context_below


@triton.jit
def _pick(x, y, selector, ASM: tl.constexpr):
    """Four of the eight bytes of x and y, named by the lowest four nibbles of a selector."""
    if ASM:
        return tl.inline_asm_elementwise(
            "prmt.b32 $0, $1, $2, $3;", "=r,r,r,r", [x, y, selector], tl.int32, True, 1
        )
    out = x ^ x
    for i in tl.static_range(4):
        k = (selector >> (4 * i)) & 7
        byte = tl.where(k < 4, x >> (8 * (k & 3)), y >> (8 * (k & 3))) & 255
        out |= byte << (8 * i)
    return out


@triton.jit
def _nibbles(x):
    """A selector of the entries that four bytes name."""
    x = x & 0x07070707
    x = x | (x >> 4)
    return (x & 0xFF) | ((x >> 8) & 0xFF00)


@triton.jit
def copies_of_stretches(
    letters, names, selectors, signs,
    rows, time, count, length, stride,
    WORDS: tl.constexpr, SIGNED: tl.constexpr, RAGGED: tl.constexpr, ASM: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """What stretches of letters do.

    letters: rows of `stride` bytes, of which `time` are letters, in `count` stretches of `length`
    (a multiple of four); names: (WORDS, rows * count), the result; selectors: (256,);
    signs: (WORDS, 256).
    """
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < rows * count
    row = lane // count
    start = (lane - row * count) * length
    source = letters + row.to(tl.int64) * (stride // 4) + start // 4
    x = tl.full([BLOCK], 0x03020100, tl.int32)
    y = tl.full([BLOCK], 0x07060504, tl.int32)
    for t in range(length // 4):
        reads = inside & (start + 4 * t < time) if RAGGED else inside
        four = tl.load(source + t, mask=reads, other=0)
        for k in tl.static_range(4):
            letter = (four >> (8 * k)) & 255
            selector = tl.load(selectors + letter)
            moved = _pick(x, y, selector, ASM)
            if SIGNED:
                moved ^= tl.load(signs + letter)
            if WORDS == 2:
                other = _pick(x, y, selector >> 16, ASM)
                if SIGNED:
                    other ^= tl.load(signs + 256 + letter)
                y = tl.where(start + 4 * t + k < time, other, y) if RAGGED else other
            x = tl.where(start + 4 * t + k < time, moved, x) if RAGGED else moved
    tl.store(names + lane, x, mask=inside)
    if WORDS == 2:
        tl.store(names + rows * count + lane, y, mask=inside)


@triton.jit
def _composed(
    names, first, last, group, words,
    WORDS: tl.constexpr, ASM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """What the stretches from `first` to before `last` do, at most `group`, one after another."""
    x = tl.full([BLOCK], 0x03020100, tl.int32)
    y = tl.full([BLOCK], 0x07060504, tl.int32)
    for i in range(group):
        reads = first + i < last
        u = tl.load(names + first + i, mask=reads, other=0x03020100)
        moved = _pick(x, y, _nibbles(u), ASM) ^ (u & -2139062144)
        if WORDS == 2:
            v = tl.load(names + words + first + i, mask=reads, other=0x07060504)
            y = _pick(x, y, _nibbles(v), ASM) ^ (v & -2139062144)
        x = moved
    return x, y


@triton.jit
def compose_copies(
    names, out, rows, count, total, group,
    WORDS: tl.constexpr, ASM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Put together what consecutive stretches do, `group` at a time.

    names: (WORDS, rows * total), stretches of a row one after another; out: (WORDS, rows * count).
    """
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < rows * count
    row = lane // count
    first = row * total + (lane - row * count) * group
    last = tl.minimum(first + group, (row + 1) * total)
    last = tl.where(inside, last, 0)
    x, y = _composed(names, first, last, group, rows * total, WORDS, ASM, BLOCK)
    tl.store(out + lane, x, mask=inside)
    if WORDS == 2:
        tl.store(out + rows * count + lane, y, mask=inside)


@triton.jit
def finish_copies(
    names, state, letters, output, follow, rows, total, last_letter, stride,
    WORDS: tl.constexpr, N: tl.constexpr, WIDTH: tl.constexpr, BIAS: tl.constexpr,
    LEVELS: tl.constexpr, ASM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Take packed states, (rows,), through all stretches of their row, and read the outputs.

    names: (WORDS, rows * total); letters: rows of `stride` bytes.
    """
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < rows
    lane = tl.minimum(lane, rows - 1)
    first = lane * total
    x, y = _composed(names, first, first + total, total, rows * total, WORDS, ASM, BLOCK)
    h = tl.load(state + lane)
    new = h ^ h
    for i in tl.static_range(N):
        four = x if i < 4 else y
        name = (four >> (8 * (i % 4))) & 255
        place = name & 127
        entry = ((h >> (place * WIDTH).to(h.dtype)) & ((1 << WIDTH) - 1)).to(tl.int32) - BIAS
        entry = tl.where(place < N, entry, 0)
        entry = tl.where(name > 127, -entry, entry) + BIAS
        new += entry.to(h.dtype) << (i * WIDTH)
    letter = tl.load(letters + lane.to(tl.int64) * stride + last_letter).to(tl.int32)
    told = context_below(new, letter, follow, LEVELS, 0)
    tl.store(state + lane, new, mask=inside)
    tl.store(output + lane, told, mask=inside)
