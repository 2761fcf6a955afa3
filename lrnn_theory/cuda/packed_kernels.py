"""Triton kernels for packed networks: a state in one register, all levels in one loop.

A lane reads a word, or a stretch of one, from left to right; letters come four at a time, as the
bytes of an int32, and four of these are fetched together, since a lane's next letters lie in the
same line of memory, which would not stay in the cache until they are due.  What a kernel computes
is the integer arithmetic of `lrnn_theory.packing`, so that nothing can be rounded, contracted or
reordered.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def begins(lane, count, length):
    """Row and first letter of a lane: rows are read in `count` stretches of `length`."""
    row = lane // count
    return row, (lane - row * count) * length


@triton.jit
def fetched(source, t, last):
    """Sixteen letters from t on; words beyond the last are not due."""
    w = t // 4
    return (
        tl.load(source + tl.minimum(w, last)),
        tl.load(source + tl.minimum(w + 1, last)),
        tl.load(source + tl.minimum(w + 2, last)),
        tl.load(source + tl.minimum(w + 3, last)),
    )


@triton.jit
def letter_of(four, place, known, strange):
    """A letter; one that is none becomes the last, which does no harm, and `strange` not 0."""
    letter = (four >> (8 * place)) & 255
    right = tl.minimum(letter, known - 1)
    return right, strange | (letter ^ right)


@triton.jit
def report(strange, wrong):
    """Set wrong[0], int32, if there is a lane of which this is so."""
    met = tl.max(strange.to(tl.int32), axis=0)
    tl.atomic_max(wrong, met, mask=met > 0)


@triton.jit
def four_of(sixteen, w):
    """Four of sixteen letters."""
    low = tl.where(w == 0, sixteen[0], sixteen[1])
    return tl.where(w < 2, low, tl.where(w == 2, sixteen[2], sixteen[3]))


@triton.jit
def _column_sum(h, column, columns, N: tl.constexpr, WIDTH: tl.constexpr, STRIDE: tl.constexpr):
    """sum_j h_j column_j(a) over all entries."""
    total = h ^ h
    for j in tl.static_range(N):
        entry = (h >> (j * WIDTH)) & ((1 << WIDTH) - 1)
        total += entry * tl.load(columns + column + j * STRIDE)
    return total


@triton.jit
def _ones_sum(
    h, column, columns,
    SUPPORT: tl.constexpr, ONES: tl.constexpr, LEAST: tl.constexpr, STRIDE: tl.constexpr,
):  # fmt: skip
    """The same where entries are 0 or 1, and LEAST to ONES of those that A reads are 1."""
    held = h & SUPPORT
    total = h ^ h
    for i in tl.static_range(ONES):
        low = held & (~held + 1)
        # A power of two as a float32 has its exponent in the bits from 23 on.
        place = (low.to(tl.float32).to(tl.int32, bitcast=True) >> 23) - 127
        if i < LEAST:
            total += tl.load(columns + column + place * STRIDE)
        else:
            total += tl.load(columns + column + place * STRIDE, mask=low != 0, other=0)
        held ^= low
    return total


@triton.jit
def _step(h, c, column_of, columns, LEVELS: tl.constexpr, i: tl.constexpr):
    """The state after context c."""
    N: tl.constexpr = LEVELS[i][0]
    WIDTH: tl.constexpr = LEVELS[i][1]
    ONES: tl.constexpr = LEVELS[i][2]
    LEAST: tl.constexpr = LEVELS[i][3]
    SUPPORT: tl.constexpr = LEVELS[i][4]
    BY_CONTEXT: tl.constexpr = LEVELS[i][9]
    COLUMN: tl.constexpr = LEVELS[i][10]
    STRIDE: tl.constexpr = LEVELS[i][11]
    ADDS: tl.constexpr = LEVELS[i][12]
    if BY_CONTEXT:
        column = c + COLUMN
    else:
        column = tl.load(column_of + c)
    if ONES > 0:
        moved = _ones_sum(h, column, columns, SUPPORT, ONES, LEAST, STRIDE)
    else:
        moved = _column_sum(h, column, columns, N, WIDTH, STRIDE)
    if ADDS:
        moved += tl.load(columns + column + N * STRIDE)
    return moved


@triton.jit
def context_below(h, c, follow, LEVELS: tl.constexpr, i: tl.constexpr):
    """The context that a state leads to from context c; after the last level, the output."""
    MULTIPLIER: tl.constexpr = LEVELS[i][5]
    SHIFT: tl.constexpr = LEVELS[i][6]
    FIRST: tl.constexpr = LEVELS[i][7]
    SIZE: tl.constexpr = LEVELS[i][8]
    place = FIRST + c * SIZE + ((h * MULTIPLIER) >> SHIFT).to(tl.int32)
    return tl.load(follow + place).to(tl.int32)


@triton.jit
def _first_context(lane, LEVELS: tl.constexpr, i: tl.constexpr):
    CONTEXT: tl.constexpr = LEVELS[i][13]
    return lane * 0 + CONTEXT


@triton.jit
def _letter(
    h, contexts, c, letter, t, end, every,
    column_of, columns, follow, inside,
    LEVELS: tl.constexpr, RAGGED: tl.constexpr, EVERY: tl.constexpr, STAGGERED: tl.constexpr,
):  # fmt: skip
    """Take all levels through a letter each.

    It is the same letter, t, for all, or if STAGGERED letter t - i for level i, whose context its
    neighbour found one letter before.  Returns the states, the contexts of the levels for the next
    letter, and the context of the last level (or output).
    """
    DEPTH: tl.constexpr = len(LEVELS)
    below = letter
    after = ()
    found = (letter,)
    when = t + letter * 0
    for i in tl.static_range(DEPTH):
        if STAGGERED and i > 0:
            below = contexts[i]
            when -= 1
        new = _step(h[i], below, column_of, columns, LEVELS, i)
        if i < DEPTH - 1 or EVERY:
            below = context_below(new, below, follow, LEVELS, i)
        if STAGGERED:
            new = tl.where((when >= 0) & (when < end), new, h[i])
        elif RAGGED:
            new = tl.where(when < end, new, h[i])
        after = after + (new,)
        if i < DEPTH - 1:
            found = found + (below,)
    told = below
    if STAGGERED:
        inside = inside & (when >= 0)
        c = tl.where((when >= 0) & (when < end), below, c)
        told = tl.where(when < end, below, -1)
    elif RAGGED:
        c = tl.where(when < end, below, c)
        told = tl.where(when < end, below, -1)
    else:
        c = below
    if EVERY:
        if every.dtype.element_ty == tl.int64:  # they would push the letters out of the cache
            tl.store(every, told.to(tl.int64), mask=inside, cache_modifier=".cs")
        else:
            tl.store(every, told.to(every.dtype.element_ty), mask=inside)
    return after, found, c


@triton.jit
def read_packed(
    letters, wrong, lengths, state, output, every,
    column_of, columns, follow, known,
    lanes, time, stride, count, length,
    LEVELS: tl.constexpr, FRESH: tl.constexpr, HAS_LENGTHS: tl.constexpr, RAGGED: tl.constexpr,
    EVERY: tl.constexpr, UNROLLED: tl.constexpr, STAGGERED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Read words.

    letters: rows of `stride` bytes, a multiple of four, of which `time` are letters, in `count`
    stretches of `length`, a lane each; wrong: set by `report`, unless rows have lengths; lengths:
    (rows,), letters of every row; state: (levels, lanes), taken on, or if FRESH (levels, 1), from
    which all start, and which stays as it is; output: (lanes,), taken on; every: (length rounded up
    to four, lanes), where outputs go if EVERY; known: letters.  A level is (n, width, ones, least,
    support, multiplier, shift, first, size, whether columns are stored by context, and where then,
    how far apart they are, whether there is one more, which is added, its first context).
    """
    DEPTH: tl.constexpr = len(LEVELS)
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < lanes
    lane = tl.minimum(lane, lanes - 1)  # what is read of a state must be one
    row, begin = begins(lane, count, length)
    h = ()
    contexts = ()
    for i in tl.static_range(DEPTH):
        h = h + (tl.load(state + (i + lane * 0 if FRESH else i * lanes + lane)),)
        contexts = contexts + (_first_context(lane, LEVELS, i),)
    c = tl.load(output + lane).to(tl.int32)
    strange = c ^ c
    end = time - begin
    if HAS_LENGTHS:
        end = tl.load(lengths + row).to(tl.int32) - begin
    source = letters + row.to(tl.int64) * (stride // 4) + begin // 4
    last = (stride - begin) // 4 - 1
    sink = every + lane
    if STAGGERED:
        sink -= (DEPTH - 1) * lanes
    for t in range(0, length, 16):
        sixteen = fetched(source, t, last)
        for w in range(tl.minimum(4, (length - t + 3) // 4)):
            four = four_of(sixteen, w)
            first = t + 4 * w
            if UNROLLED:
                for place in tl.static_range(4):
                    letter, strange = letter_of(four, place, known, strange)
                    h, contexts, c = _letter(
                        h, contexts, c, letter, first + place, end, sink,
                        column_of, columns, follow, inside,
                        LEVELS, RAGGED, EVERY, STAGGERED,
                    )  # fmt: skip
                    if EVERY:
                        sink += lanes
            else:
                for place in range(4):
                    letter, strange = letter_of(four, place, known, strange)
                    h, contexts, c = _letter(
                        h, contexts, c, letter, first + place, end, sink,
                        column_of, columns, follow, inside,
                        LEVELS, RAGGED, EVERY, STAGGERED,
                    )  # fmt: skip
                    if EVERY:
                        sink += lanes
    if STAGGERED:
        for late in range(DEPTH - 1):
            h, contexts, c = _letter(
                h, contexts, c, lane * 0, (length + 3) // 4 * 4 + late, end, sink,
                column_of, columns, follow, inside,
                LEVELS, RAGGED, EVERY, STAGGERED,
            )  # fmt: skip
            if EVERY:
                sink += lanes
    if not FRESH:
        for i in tl.static_range(DEPTH):
            tl.store(state + i * lanes + lane, h[i], mask=inside)
    if not EVERY:
        # A word of no letter has no context: any will do, since its output is not taken.
        context = tl.where(end > 0, c, 0)
        told = context_below(h[DEPTH - 1], context, follow, LEVELS, DEPTH - 1)
        c = tl.where(end > 0, told, tl.load(output + lane).to(tl.int32))
    tl.store(output + lane, c, mask=inside)
    if not HAS_LENGTHS:
        report(strange != 0, wrong)
