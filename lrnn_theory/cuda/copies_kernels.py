"""Triton kernels for a layer whose actions copy, negate or clear entries: a state in bytes.

The state is followed by name: byte i of one or two registers says which entry of the state at the
start is now entry i, with the highest bit set if it was negated.  One byte permutation is a step
for four entries.  The names after a stretch of letters are also what those letters do to any state,
so that stretches can be read side by side and put together afterwards.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lrnn_theory.cuda.packed_kernels import (
    begins,
    context_below,
    fetched,
    four_of,
    report,
)


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
def _then(x, y, names, place, words, reads, WORDS: tl.constexpr, ASM: tl.constexpr):
    """The names x, y, and after them those of a stretch, unless there is none."""
    u = tl.load(names + place, mask=reads, other=0x03020100)
    moved = _pick(x, y, _nibbles(u), ASM) ^ (u & -2139062144)
    if WORDS == 2:
        v = tl.load(names + words + place, mask=reads, other=0x07060504)
        y = _pick(x, y, _nibbles(v), ASM) ^ (v & -2139062144)
    return moved, y


@triton.jit
def _composed(
    names, first, last, group, words,
    WORDS: tl.constexpr, ASM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """What the stretches from `first` to before `last` do, at most `group`, one after another."""
    x = tl.full([BLOCK], 0x03020100, tl.int32)
    y = tl.full([BLOCK], 0x07060504, tl.int32)
    for i in range(0, group, 8):
        for k in tl.static_range(8):  # so that eight are fetched at once
            place = first + i + k
            x, y = _then(x, y, names, place, words, place < last, WORDS, ASM)
    return x, y


@triton.jit
def _applied(x, y, h, N: tl.constexpr, WIDTH: tl.constexpr, BIAS: tl.constexpr):
    """The packed state that names make of a packed state."""
    new = h ^ h
    for i in tl.static_range(N):
        four = x if i < 4 else y
        name = (four >> (8 * (i % 4))) & 255
        place = name & 127
        entry = ((h >> (place * WIDTH).to(h.dtype)) & ((1 << WIDTH) - 1)).to(tl.int32) - BIAS
        entry = tl.where(place < N, entry, 0)
        entry = tl.where(name > 127, -entry, entry) + BIAS
        new += entry.to(h.dtype) << (i * WIDTH)
    return new


@triton.jit
def _finish(
    lane, names, state, letters, output, follow, rows, total, last_letter, stride,
    FRESH: tl.constexpr, LEVELS: tl.constexpr,
    WORDS: tl.constexpr, N: tl.constexpr, WIDTH: tl.constexpr, BIAS: tl.constexpr,
    ASM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """As `finish_copies`, for some rows."""
    inside = lane < rows
    lane = tl.minimum(lane, rows - 1)
    first = lane * total
    x, y = _composed(names, first, first + total, total, rows * total, WORDS, ASM, BLOCK)
    h = tl.load(state + lane * 0) if FRESH else tl.load(state + lane)
    new = _applied(x, y, h, N, WIDTH, BIAS)
    letter = tl.load(letters + lane.to(tl.int64) * stride + last_letter).to(tl.int32)
    told = context_below(new, letter, follow, LEVELS, 0)
    if not FRESH:
        tl.store(state + lane, new, mask=inside)
    tl.store(output + lane, told, mask=inside)


@triton.jit
def copies_of_stretches(
    letters, wrong, names, selectors, signs,
    state, output, follow,
    rows, time, count, length, stride,
    SIGNED: tl.constexpr, RAGGED: tl.constexpr,
    TOTAL: tl.constexpr, FRESH: tl.constexpr, LEVELS: tl.constexpr,
    WORDS: tl.constexpr, N: tl.constexpr, WIDTH: tl.constexpr, BIAS: tl.constexpr,
    ASM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """What stretches of letters do.

    letters: rows of `stride` bytes, of which `time` are letters, in `count` stretches of `length`
    (a multiple of four); wrong: set by `report`; names: (WORDS, rows * count), the result;
    selectors: (256,), negative for what is no letter; signs: (WORDS, 256).  If TOTAL, which is then
    `count` and divides BLOCK, rows are finished too, as `finish_copies` does it.
    """
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < rows * count
    row, begin = begins(tl.minimum(lane, rows * count - 1), count, length)
    source = letters + row.to(tl.int64) * (stride // 4) + begin // 4
    last = (stride - begin) // 4 - 1
    x = tl.full([BLOCK], 0x03020100, tl.int32)
    y = tl.full([BLOCK], 0x07060504, tl.int32)
    strange = x ^ x
    for t in range(0, length, 16):
        sixteen = fetched(source, t, last)
        for w in range(tl.minimum(4, (length - t) // 4)):
            four = four_of(sixteen, w)
            first = begin + t + 4 * w
            for k in tl.static_range(4):
                letter = (four >> (8 * k)) & 255
                selector = tl.load(selectors + letter)
                strange |= selector
                moved = _pick(x, y, selector, ASM)
                if SIGNED:
                    moved ^= tl.load(signs + letter)
                if WORDS == 2:
                    other = _pick(x, y, selector >> 16, ASM)
                    if SIGNED:
                        other ^= tl.load(signs + 256 + letter)
                    y = tl.where(first + k < time, other, y) if RAGGED else other
                x = tl.where(first + k < time, moved, x) if RAGGED else moved
    tl.store(names + lane, x, mask=inside)
    if WORDS == 2:
        tl.store(names + rows * count + lane, y, mask=inside)
    report(strange < 0, wrong)
    if TOTAL > 0:
        tl.debug_barrier()  # the names of a row were found by lanes of this program
        ROWS: tl.constexpr = BLOCK // TOTAL
        lane = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
        _finish(
            lane, names, state, letters.to(tl.pointer_type(tl.uint8), bitcast=True), output, follow,
            rows, TOTAL, time - 1, stride,
            FRESH, LEVELS, WORDS, N, WIDTH, BIAS, ASM, ROWS,
        )  # fmt: skip


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
    FRESH: tl.constexpr, LEVELS: tl.constexpr,
    WORDS: tl.constexpr, N: tl.constexpr, WIDTH: tl.constexpr, BIAS: tl.constexpr,
    ASM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Take packed states, (rows,), through all stretches of their row, and read the outputs.

    If FRESH there is one state, which all rows start from, and which stays as it is.
    names: (WORDS, rows * total); letters: rows of `stride` bytes.
    """
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    _finish(
        lane, names, state, letters, output, follow, rows, total, last_letter, stride,
        FRESH, LEVELS, WORDS, N, WIDTH, BIAS, ASM, BLOCK,
    )  # fmt: skip


@triton.jit
def copies_before(
    names, above, out, rows, count, total, group,
    HAS_ABOVE: tl.constexpr, WORDS: tl.constexpr, ASM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """What all stretches of a row that are before a stretch do.

    names: (WORDS, rows * total), of stretches; above: (WORDS, rows * count), what is before a group
    of them, if HAS_ABOVE; out: (WORDS, rows * total).
    """
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < rows * count
    row, begin = begins(lane, count, group)
    words = rows * total
    x = tl.full([BLOCK], 0x03020100, tl.int32)
    y = tl.full([BLOCK], 0x07060504, tl.int32)
    if HAS_ABOVE:
        x = tl.load(above + lane, mask=inside, other=0)
        if WORDS == 2:
            y = tl.load(above + rows * count + lane, mask=inside, other=0)
    for i in range(group):
        place = row * total + begin + i
        here = inside & (begin + i < total)
        tl.store(out + place, x, mask=here)
        if WORDS == 2:
            tl.store(out + words + place, y, mask=here)
        x, y = _then(x, y, names, place, words, here, WORDS, ASM)


@triton.jit
def states_before(
    names, state, out, rows, count,
    WORDS: tl.constexpr, N: tl.constexpr, WIDTH: tl.constexpr, BIAS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """The packed states of rows, (rows,), at the start of every stretch, (rows * count,)."""
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < rows * count
    lane = tl.minimum(lane, rows * count - 1)
    x = tl.load(names + lane)
    y = x
    if WORDS == 2:
        y = tl.load(names + rows * count + lane)
    h = tl.load(state + lane // count)
    tl.store(out + lane, _applied(x, y, h, N, WIDTH, BIAS), mask=inside)
