"""Triton kernels that turn outputs, letter after letter, into those of words."""

from __future__ import annotations

import triton
import triton.language as tl

TILE = tl.constexpr(64)
"""Lanes and letters, or bytes, that one program turns round."""


@triton.jit
def _tile(tall):
    """Places down and lanes along of a program's tile; there are `tall` places."""
    tiles = (tall + TILE - 1) // TILE
    number = tl.program_id(0)
    down = (number % tiles) * TILE + tl.arange(0, TILE)
    return down, (number // tiles) * TILE + tl.arange(0, TILE)


@triton.jit
def spread_outputs(told, out, lanes, time, count, length):
    """All outputs of words.

    told: (length, lanes), of `count` stretches of a row, which has `time` letters; out: (rows,
    time), int64.
    """
    t, lane = _tile(length)
    place = t.to(tl.int64)[:, None] * lanes + lane[None, :]
    inside = (t < length)[:, None] & (lane < lanes)[None, :]
    tile = tl.trans(tl.load(told + place, mask=inside, other=0).to(tl.int64))
    row = lane // count
    when = ((lane - row * count) * length)[:, None] + t[None, :]
    inside = (t < length)[None, :] & (lane < lanes)[:, None] & (when < time)
    tl.store(out + row.to(tl.int64)[:, None] * time + when, tile, mask=inside)


@triton.jit
def join_contexts(
    first, second, table, lengths, out, count, words, tall, wide,
    HAS_LENGTHS: tl.constexpr, PAST: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """What two contexts lead to, place after place.

    first, second: contexts, of one shape, `count` places in rows of `words`; table: (tall, wide);
    out: the results; if HAS_LENGTHS, a place past the end of its word is -1 if PAST, else it stays.
    """
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < count
    # What is past the end of a word may be no context.
    row = tl.minimum(tl.load(first + place, mask=inside, other=0).to(tl.int32), tall - 1)
    column = tl.minimum(tl.load(second + place, mask=inside, other=0).to(tl.int32), wide - 1)
    joint = tl.load(table + tl.maximum(row, 0) * wide + tl.maximum(column, 0))
    if HAS_LENGTHS:
        time = place // words
        reads = time < tl.load(lengths + (place - time * words), mask=inside, other=0)
        if PAST:
            joint = tl.where(reads, joint, -1)
        else:
            inside = inside & reads
    tl.store(out + place, joint.to(out.dtype.element_ty), mask=inside)


@triton.jit
def pack_outputs(
    told, lengths, out, lanes, time, count, length, HAS_LENGTHS: tl.constexpr
):  # fmt: skip
    """Outputs 0 and 1 of words as bits, the first one the lowest of its byte.

    As `spread_outputs`, but lengths: (rows,), or any; out: (rows, bytes), uint8, with zeros past
    the end of a row; and a length that is a multiple of 8 if there are several stretches.
    """
    width = (time + 7) // 8
    byte, lane = _tile((length + 7) // 8)
    row = lane // count
    begin = (lane - row * count) * length
    end = tl.minimum(time - begin, length)
    if HAS_LENGTHS:
        end = tl.minimum(end, tl.load(lengths + row, mask=lane < lanes, other=0).to(tl.int32))
    end = tl.where(lane < lanes, end, 0)
    bits = tl.zeros([TILE, TILE], tl.int32)
    for i in tl.static_range(8):
        t = 8 * byte + i
        place = t.to(tl.int64)[:, None] * lanes + lane[None, :]
        said = tl.load(told + place, mask=t[:, None] < end[None, :], other=0)
        bits |= said.to(tl.int32) << i
    where = (begin // 8)[:, None] + byte[None, :]
    inside = (lane < lanes)[:, None] & (byte < (length + 7) // 8)[None, :] & (where < width)
    tl.store(out + row.to(tl.int64)[:, None] * width + where, tl.trans(bits), mask=inside)
