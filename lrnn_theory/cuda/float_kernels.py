"""Triton kernels for layers that round: a lane keeps all states in registers, letter after letter.

Weights are in the type of the states, float32 where the machine's own operations are the
arithmetic's, else float64; zeros of a matrix that no action fills are left out.  A zero of one
action is multiplied, which changes nothing but where an entry is infinite or NaN: such words are
marked, and read again by the plain scan.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lrnn_theory.cuda.packed_kernels import begins, fetched, four_of, letter_of, report
from lrnn_theory.cuda.rounding_kernels import round_double, to_odd, two_sum, wrapped

_WRAP = tl.constexpr(4)
_INFINITY = tl.constexpr(float("inf"))


@triton.jit
def _product(x, y, FMA: tl.constexpr, INNER: tl.constexpr):
    """The product, rounded unless it is to be fused with a sum."""
    product = x * y
    if not (FMA or x.dtype == tl.float32):
        product = round_double(product, INNER)
    return product


@triton.jit
def _sum(x, y, ODD: tl.constexpr, INNER: tl.constexpr):
    """The sum, rounded; y may be an exact product, or a weight that is not of the format."""
    if x.dtype == tl.float32:
        total = x + y
    elif ODD:
        total, rest = two_sum(x, y)
        total = round_double(to_odd(total, rest), INNER)
    else:
        total = round_double(x + y, INNER)
    return total


@triton.jit
def _store(x, FINAL: tl.constexpr, FINAL_TYPE: tl.constexpr):
    """An entry of the new state: a sum, so that it is not -0."""
    if x.dtype == tl.float64:
        out = round_double(x, FINAL)
    elif FINAL_TYPE == tl.bfloat16:
        bits = x.to(tl.int32, bitcast=True)
        kept = (bits + 0x7FFF + ((bits >> 16) & 1)) & -65536
        out = tl.where(x == x, kept.to(tl.float32, bitcast=True), x) + 0.0
    elif FINAL_TYPE == tl.float16:
        out = x.to(tl.float16).to(tl.float32) + 0.0
    else:
        out = x
    return out


# LEVELS has four tuples of integers for every level i:
# 4 i       n, d, factors, slots, codewords, where its state, action, values, betas, b and follow
#           begin, and whether it has a b;
# 4 i + 1   the columns of the entries of its matrices, row after row, or the entries of its keys;
# 4 i + 2   where the entries of a row begin, and after the last row their number;
# 4 i + 3   for every slot: its first entry of the state, entries, codewords, and where these begin
#           in `entries` and `offsets`.
# Functions take all levels and a number, since a part of a constant tuple is a constant only once
# it is named as one.


@triton.jit
def _entry(
    h, LEVELS: tl.constexpr, i: tl.constexpr, e: tl.constexpr,
    FIRST: tl.constexpr, D: tl.constexpr,
):  # fmt: skip
    """The entry of the state that entry e of a matrix or key is multiplied with."""
    PLACE: tl.constexpr = FIRST + LEVELS[4 * i + 1][e] * D
    return h[PLACE]


@triton.jit
def _input(h, b, LEVELS: tl.constexpr, i: tl.constexpr):
    """An entry of b."""
    HAS_B: tl.constexpr = LEVELS[4 * i][11]
    if HAS_B:
        given = tl.load(b)
    else:
        given = tl.zeros_like(h[0])
    return given


@triton.jit
def _exact_entry(
    h, values, given,
    LEVELS: tl.constexpr, i: tl.constexpr, r: tl.constexpr, c: tl.constexpr, FINAL: tl.constexpr,
):  # fmt: skip
    """An exact dot product and b, rounded to odd (`lrnn_theory.scanning.rounding.odd_total`)."""
    BEGIN: tl.constexpr = LEVELS[4 * i + 2][r]
    END: tl.constexpr = LEVELS[4 * i + 2][r + 1]
    FIRST: tl.constexpr = LEVELS[4 * i][5] + c
    D: tl.constexpr = LEVELS[4 * i][1]
    KIND: tl.constexpr = FINAL[0]
    plain = given
    parts = (given,)
    for e in tl.static_range(BEGIN, END):
        carry = tl.load(values + e) * _entry(h, LEVELS, i, e, FIRST, D)
        plain += carry
        if KIND == _WRAP:
            carry = wrapped(carry, FINAL)
        grown = ()
        for k in tl.static_range(len(parts)):
            carry, rest = two_sum(carry, parts[k])
            grown = grown + (rest,)
        parts = grown + (carry,)
    total = parts[0]
    for k in tl.static_range(1, len(parts)):
        total, rest = two_sum(total, parts[k])
        total = to_odd(total, rest)
    return tl.where(tl.abs(plain) < _INFINITY, total, plain)


@triton.jit
def _dense_entry(
    h, values, given,
    LEVELS: tl.constexpr, i: tl.constexpr, r: tl.constexpr, c: tl.constexpr,
    FMA: tl.constexpr, ODD: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """A dot product and b, if the layer has one, in order."""
    BEGIN: tl.constexpr = LEVELS[4 * i + 2][r]
    END: tl.constexpr = LEVELS[4 * i + 2][r + 1]
    FIRST: tl.constexpr = LEVELS[4 * i][5] + c
    D: tl.constexpr = LEVELS[4 * i][1]
    total = tl.zeros_like(given)
    for e in tl.static_range(BEGIN, END):
        term = _product(tl.load(values + e), _entry(h, LEVELS, i, e, FIRST, D), FMA, INNER)
        total = _sum(total, term, ODD, INNER)
    HAS_B: tl.constexpr = LEVELS[4 * i][11]
    if HAS_B:
        total = _sum(total, given, ODD, INNER)
    return total


@triton.jit
def _dense_step(
    h, a, values, b,
    LEVELS: tl.constexpr, i: tl.constexpr,
    ONCE: tl.constexpr, FMA: tl.constexpr, ODD: tl.constexpr,
    INNER: tl.constexpr, FINAL: tl.constexpr, FINAL_TYPE: tl.constexpr,
):  # fmt: skip
    """A h + b for a level of matrices."""
    N: tl.constexpr = LEVELS[4 * i][0]
    D: tl.constexpr = LEVELS[4 * i][1]
    ENTRIES: tl.constexpr = LEVELS[4 * i + 2][N]
    VALUES: tl.constexpr = LEVELS[4 * i][7]
    B: tl.constexpr = LEVELS[4 * i][9]
    matrix = values + VALUES + a * ENTRIES
    b += B + a * (N * D)
    new = ()
    for r in tl.static_range(N):
        for c in tl.static_range(D):
            given = _input(h, b + (r * D + c), LEVELS, i)
            if ONCE:
                total = _exact_entry(h, matrix, given, LEVELS, i, r, c, FINAL)
            else:
                total = _dense_entry(h, matrix, given, LEVELS, i, r, c, FMA, ODD, INNER)
            new = new + (_store(total, FINAL, FINAL_TYPE),)
    return new


@triton.jit
def _moved(
    entry, s, key,
    LEVELS: tl.constexpr, i: tl.constexpr, e: tl.constexpr, k: tl.constexpr, c: tl.constexpr,
    D: tl.constexpr, FMA: tl.constexpr, ODD: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """Entry k of the state less s times entry e of the key, if that is its own."""
    PLACE: tl.constexpr = LEVELS[4 * i + 1][e] * D + c
    if PLACE == k:
        entry = _sum(entry, -_product(tl.load(key + e), s, FMA, INNER), ODD, INNER)
    return entry


@triton.jit
def _factored_step(
    h, a, values, betas, b,
    LEVELS: tl.constexpr, i: tl.constexpr, FMA: tl.constexpr, ODD: tl.constexpr,
    INNER: tl.constexpr, FINAL: tl.constexpr, FINAL_TYPE: tl.constexpr,
):  # fmt: skip
    """The factors of an action, the first to act first, and b."""
    N: tl.constexpr = LEVELS[4 * i][0]
    D: tl.constexpr = LEVELS[4 * i][1]
    FACTORS: tl.constexpr = LEVELS[4 * i][2]
    KEYED: tl.constexpr = len(LEVELS[4 * i + 1])
    FIRST: tl.constexpr = LEVELS[4 * i][5]
    VALUES: tl.constexpr = LEVELS[4 * i][7]
    BETAS: tl.constexpr = LEVELS[4 * i][8]
    B: tl.constexpr = LEVELS[4 * i][9]
    values += VALUES
    betas += BETAS
    b += B + a * (N * D)
    x = ()
    for k in tl.static_range(N * D):
        x = x + (h[FIRST + k],)
    for f in range(FACTORS):
        key = values + (a * FACTORS + f) * KEYED
        beta = tl.load(betas + a * FACTORS + f)
        for c in tl.static_range(D):
            s = tl.zeros_like(beta)
            for e in tl.static_range(KEYED):
                entry = _entry(x, LEVELS, i, e, c, D)
                s = _sum(s, _product(tl.load(key + e), entry, FMA, INNER), ODD, INNER)
            s = beta * s
            if s.dtype != tl.float32:
                s = round_double(s, INNER)
            after = ()
            for k in tl.static_range(N * D):
                moved = x[k]
                for e in tl.static_range(KEYED):
                    moved = _moved(moved, s, key, LEVELS, i, e, k, c, D, FMA, ODD, INNER)
                after = after + (moved,)
            x = after
    new = ()
    for k in tl.static_range(N * D):
        entry = _sum(x[k], _input(x, b + k, LEVELS, i), ODD, INNER)
        new = new + (_store(entry, FINAL, FINAL_TYPE),)
    return new


@triton.jit
def _nearest(
    h, lane, entries, offsets, FIRST: tl.constexpr,
    LEVELS: tl.constexpr, i: tl.constexpr, s: tl.constexpr,
):  # fmt: skip
    """The codeword of a slot with the largest score; the state starts at h[FIRST]."""
    ROW: tl.constexpr = FIRST + LEVELS[4 * i + 3][5 * s + 0]
    SIZE: tl.constexpr = LEVELS[4 * i + 3][5 * s + 1]
    COUNT: tl.constexpr = LEVELS[4 * i + 3][5 * s + 2]
    ENTRIES: tl.constexpr = LEVELS[4 * i + 3][5 * s + 3]
    OFFSETS: tl.constexpr = LEVELS[4 * i + 3][5 * s + 4]
    entries += ENTRIES
    offsets += OFFSETS
    best = lane * 0
    top = tl.zeros(lane.shape, tl.float64) - _INFINITY
    for w in range(COUNT):
        score = tl.zeros(lane.shape, tl.float64)
        for k in tl.static_range(SIZE):
            score += tl.load(entries + w * SIZE + k) * h[ROW + k].to(tl.float64)
        score -= tl.load(offsets + w)
        better = score > top
        best = tl.where(better, w, best)
        top = tl.where(better, score, top)
    return best


@triton.jit
def _below(
    h, c, lane, entries, offsets, follow, FIRST: tl.constexpr,
    LEVELS: tl.constexpr, i: tl.constexpr,
):  # fmt: skip
    """What a state leads to from context c, by the nearest codewords of its slots."""
    SLOTS: tl.constexpr = LEVELS[4 * i][3]
    FOLLOW: tl.constexpr = LEVELS[4 * i][10]
    SIZE: tl.constexpr = LEVELS[4 * i][4]
    code = _nearest(h, lane, entries, offsets, FIRST, LEVELS, i, 0)
    for s in tl.static_range(1, SLOTS):
        code = _times_words(code, LEVELS, i, s)
        code += _nearest(h, lane, entries, offsets, FIRST, LEVELS, i, s)
    return tl.load(follow + FOLLOW + c * SIZE + code)


@triton.jit
def _times_words(code, LEVELS: tl.constexpr, i: tl.constexpr, s: tl.constexpr):
    COUNT: tl.constexpr = LEVELS[4 * i + 3][5 * s + 2]
    return code * COUNT


@triton.jit
def _level(
    h, below, lane, action, values, betas, b, entries, offsets, follow,
    LEVELS: tl.constexpr, i: tl.constexpr, DECODES: tl.constexpr,
    ONCE: tl.constexpr, FMA: tl.constexpr, ODD: tl.constexpr,
    INNER: tl.constexpr, FINAL: tl.constexpr, FINAL_TYPE: tl.constexpr,
):  # fmt: skip
    """The state of a level after a context, and the context that it leads to."""
    ACTION: tl.constexpr = LEVELS[4 * i][6]
    FACTORS: tl.constexpr = LEVELS[4 * i][2]
    a = tl.load(action + ACTION + below)
    if FACTORS > 0:
        new = _factored_step(h, a, values, betas, b, LEVELS, i, FMA, ODD, INNER, FINAL, FINAL_TYPE)
    else:
        new = _dense_step(h, a, values, b, LEVELS, i, ONCE, FMA, ODD, INNER, FINAL, FINAL_TYPE)
    if DECODES:
        below = _below(new, below, lane, entries, offsets, follow, 0, LEVELS, i)
    return new, below


@triton.jit
def _taken(
    after, h, new, poison, reads, LEVELS: tl.constexpr, i: tl.constexpr, RAGGED: tl.constexpr
):
    """The states so far with those of a level, unless its word has ended; NaN once not finite."""
    SIZE: tl.constexpr = LEVELS[4 * i][0] * LEVELS[4 * i][1]
    FIRST: tl.constexpr = LEVELS[4 * i][5]
    for k in tl.static_range(SIZE):
        entry = tl.where(reads, new[k], h[FIRST + k]) if RAGGED else new[k]
        poison += entry - entry
        after = after + (entry,)
    return after, poison


@triton.jit
def _letter(
    h, c, poison, letter, reads, sink, inside, lane,
    action, values, betas, b, entries, offsets, follow,
    LEVELS: tl.constexpr, RAGGED: tl.constexpr, EVERY: tl.constexpr,
    ONCE: tl.constexpr, FMA: tl.constexpr, ODD: tl.constexpr,
    INNER: tl.constexpr, FINAL: tl.constexpr, FINAL_TYPE: tl.constexpr,
):  # fmt: skip
    """Take all levels through a letter: their states, and the context of the last (or output)."""
    DEPTH: tl.constexpr = len(LEVELS) // 4
    below = letter
    after = ()
    for i in tl.static_range(DEPTH):
        new, below = _level(
            h, below, lane, action, values, betas, b, entries, offsets, follow,
            LEVELS, i, EVERY or i < DEPTH - 1, ONCE, FMA, ODD, INNER, FINAL, FINAL_TYPE,
        )  # fmt: skip
        after, poison = _taken(after, h, new, poison, reads, LEVELS, i, RAGGED)
    told = below
    if RAGGED:
        told = tl.where(reads, below, -1)
        below = tl.where(reads, below, c)
    if EVERY:
        tl.store(sink, told.to(sink.dtype.element_ty), mask=inside)
    return after, below, poison


@triton.jit
def read_floats(
    letters, wrong, lengths, state, output, every, marked,
    action, values, betas, b, entries, offsets, follow, known,
    lanes, time, stride, count, length,
    LEVELS: tl.constexpr, NUMBERS: tl.constexpr,
    FRESH: tl.constexpr, HAS_LENGTHS: tl.constexpr, RAGGED: tl.constexpr,
    EVERY: tl.constexpr, UNROLLED: tl.constexpr,
    ONCE: tl.constexpr, FMA: tl.constexpr, ODD: tl.constexpr,
    INNER: tl.constexpr, FINAL: tl.constexpr, FINAL_TYPE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Read words.

    letters, wrong, lengths, output, every and known: as `read_packed` takes them; state: (numbers,
    lanes), those of all levels, taken on, or if FRESH (numbers, 1), as there; marked: (lanes,),
    which words met an infinity or a NaN, and wrong[1] becomes 1 if there is one.
    """
    DEPTH: tl.constexpr = len(LEVELS) // 4
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < lanes
    lane = tl.minimum(lane, lanes - 1)
    row, begin = begins(lane, count, length)
    h = ()
    for k in tl.static_range(NUMBERS):
        h = h + (tl.load(state + (k + lane * 0 if FRESH else k * lanes + lane)),)
    poison = tl.zeros_like(h[0])
    c = tl.load(output + lane).to(tl.int32)
    strange = c ^ c
    end = time - begin
    if HAS_LENGTHS:
        end = tl.load(lengths + row).to(tl.int32) - begin
    source = letters + row.to(tl.int64) * (stride // 4) + begin // 4
    last = (stride - begin) // 4 - 1
    sink = every + lane
    for t in range(0, length, 16):
        sixteen = fetched(source, t, last)
        for w in range(tl.minimum(4, (length - t + 3) // 4)):
            four = four_of(sixteen, w)
            first = t + 4 * w
            if UNROLLED:
                for place in tl.static_range(4):
                    letter, strange = letter_of(four, place, known, strange)
                    h, c, poison = _letter(
                        h, c, poison, letter, first + place < end, sink, inside, lane,
                        action, values, betas, b, entries, offsets, follow,
                        LEVELS, RAGGED, EVERY, ONCE, FMA, ODD, INNER, FINAL, FINAL_TYPE,
                    )  # fmt: skip
                    if EVERY:
                        sink += lanes
            else:
                for place in range(4):
                    letter, strange = letter_of(four, place, known, strange)
                    h, c, poison = _letter(
                        h, c, poison, letter, first + place < end, sink, inside, lane,
                        action, values, betas, b, entries, offsets, follow,
                        LEVELS, RAGGED, EVERY, ONCE, FMA, ODD, INNER, FINAL, FINAL_TYPE,
                    )  # fmt: skip
                    if EVERY:
                        sink += lanes
    if not FRESH:
        for k in tl.static_range(NUMBERS):
            tl.store(state + k * lanes + lane, h[k], mask=inside)
    if not EVERY:
        FIRST: tl.constexpr = LEVELS[4 * DEPTH - 4][5]
        # A word of no letter has no context: any will do, since its output is not taken.
        context = tl.where(end > 0, c, 0)
        told = _below(h, context, lane, entries, offsets, follow, FIRST, LEVELS, DEPTH - 1)
        c = tl.where(end > 0, told, c)
    tl.store(output + lane, c, mask=inside)
    tl.store(marked + lane, (poison != 0).to(tl.int8), mask=inside)
    report(poison != 0, wrong + 1)
    if not HAS_LENGTHS:
        report(strange != 0, wrong)
