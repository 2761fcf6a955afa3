"""The compiled loops.  One translation unit: numba's cache on disk knows the age of one file only.

A state is a flat array, row after row, of doubles or, where the machine's own float32 operations
are the arithmetic's, of float32.  Every operation is exact in double, or rounded to odd, and then
rounded once as a `Rule` says.  Nothing is contracted or reassociated: numba does so only if asked.
The tuples `p` (a `Program`), `reader` (a `Reader`) and `wiring` (a `Wiring`) are defined where
they are filled, in `lrnn_theory.compiled.layer` and `.follow`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from lrnn_theory.scanning.rules import FLOAT, KEEP, NATIVE, SATURATE, WRAP, Rule

_EXPONENT = 0x7FF0000000000000
RIGHT, WRONG, CYCLE = range(3)
# Without its runtime numba counts no references to arrays; nothing here makes or keeps one.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
_entry = njit(**_OPTIONS, cache=True)
_cold = njit(**_OPTIONS)
_jit = njit(**_OPTIONS, forceinline=True)

# -------------------------------------------------------------------- rounding


@_jit
def round_double(x: float, rule: Rule) -> float:
    """A double rounded once to a format; the zero that it may become has no sign."""
    if rule.kind == KEEP:
        return x
    if rule.kind <= FLOAT:
        if not abs(x) < rule.limit:
            return np.copysign(rule.beyond, x) if x == x else x
        if rule.kind == NATIVE:
            return x
        binade = np.int64(np.float64(x).view(np.int64) & _EXPONENT).view(np.float64)
        push = max(binade, rule.unit) * rule.scale
        return (x + push) - push
    if x != x:
        return 0.0
    if rule.kind == SATURATE:
        return min(max(np.rint(x * rule.scale) * rule.unit, rule.low), rule.high) + 0.0
    y = np.rint(_wrapped(x, rule) * rule.scale) * rule.unit
    return y + 0.0 if y <= rule.high else rule.low


@_jit
def _wrapped(x: float, rule: Rule) -> float:
    """The exact remainder of x, at most half the range in size; that of an infinity is 0."""
    if abs(x) >= rule.limit * 2.0**53:
        return 0.0
    return x - rule.limit * np.rint(x / rule.limit)


@_jit
def _two_sum(x: float, y: float) -> tuple[float, float]:
    """The rounded sum and its error; the error of an infinite sum is NaN."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


@_jit
def _to_odd(total: float, rest: float) -> float:
    """The exact sum rounded to odd, so that it may be rounded again; |rest| < 1 ulp of total."""
    bits = np.float64(total).view(np.int64)
    if rest != rest or rest == 0.0 or bits & 1:
        return total
    return np.int64(bits + (1 if (rest > 0.0) == (total > 0.0) else -1)).view(np.float64)


def _rounded(x: float, rule: Rule) -> float:
    """The result of an operation, rounded to the inner format, in the type of x."""
    raise NotImplementedError


def _sum(x: float, y: float, p: Any) -> float:
    """The sum, rounded; y may be an exact product, or a weight that is not of the format."""
    raise NotImplementedError


@overload(_rounded)
def _overload_rounded(x, rule):  # noqa: ARG001
    if x is types.float32:
        return lambda x, rule: x  # noqa: ARG005
    return lambda x, rule: round_double(x, rule)


@overload(_sum)
def _overload_sum(x, y, p):  # noqa: ARG001
    if x is types.float32:
        return lambda x, y, p: x + y  # noqa: ARG005

    def emulated(x, y, p):
        if not p.odd:
            return round_double(x + y, p.inner)
        total, rest = _two_sum(x, y)
        return round_double(_to_odd(total, rest), p.inner)

    return emulated


@_jit
def _product(x: float, y: float, p: Any) -> float:
    """The product, rounded unless it is to be fused with a sum."""
    return x * y if p.fma else _rounded(x * y, p.inner)


# -------------------------------------------------------------------- one step


@_jit
def _exact_row(p: Any, first: int, last: int, h: Any, column: int, b: float) -> float:
    """An exact dot product and b, rounded to odd.

    The partial sums never overlap (Shewchuk, Discrete Comput. Geom. 18, 1997, Theorem 12).
    """
    plain = np.float64(b)
    for e in range(first, last):
        plain += p.values[e] * h[p.columns[e] + column]
    if not np.isfinite(plain):
        return plain
    partials = p.partials
    partials[0] = b
    count = 1
    for e in range(first, last):
        x = np.float64(p.values[e] * h[p.columns[e] + column])
        if p.final.kind == WRAP:
            x = _wrapped(x, p.final)
        kept = 0
        for i in range(count):
            x, rest = _two_sum(x, partials[i])
            if rest != 0.0:
                partials[kept] = rest
                kept += 1
        partials[kept] = x
        count = kept + 1
    total = partials[count - 1]
    for i in range(count - 2, -1, -1):
        total, rest = _two_sum(total, partials[i])
        if rest != 0.0:
            return _to_odd(total, rest)
    return total


@_jit
def _store(p: Any, x: float, h: Any, at: int) -> None:
    """Round an entry of the new state.  It is a sum, so that it is not -0."""
    if p.final.kind == KEEP:
        h[at] = x
    else:
        h[at] = round_double(np.float64(x), p.final)


@_jit
def _copy(h: Any, to: Any) -> None:
    for i in range(len(h)):
        to[i] = h[i]


@_jit
def _dense_step(p: Any, action: int, h: Any) -> None:
    for r in range(p.n):
        row = action * p.n + r
        first, last = p.starts[row], p.starts[row + 1]
        for c in range(p.d):
            at = r * p.d + c
            b = p.b[action, at]
            if p.once:
                _store(p, _exact_row(p, first, last, h, c, b), p.scratch, at)
                continue
            total = p.zero
            for e in range(first, last):
                total = _sum(total, _product(p.values[e], h[p.columns[e] + c], p), p)
            _store(p, _sum(total, b, p), p.scratch, at)
    _copy(p.scratch, h)


@_jit
def _factored_step(p: Any, action: int, h: Any) -> None:
    for f in range(p.ptr[action + 1] - 1, p.ptr[action] - 1, -1):
        first, last = p.starts[f], p.starts[f + 1]
        for c in range(p.d):
            s = p.zero
            for e in range(first, last):
                s = _sum(s, _product(p.values[e], h[p.columns[e] + c], p), p)
            s = _rounded(p.betas[f] * s, p.inner)
            for e in range(first, last):
                at = p.columns[e] + c
                h[at] = _sum(h[at], -_product(p.values[e], s, p), p)
    for i in range(len(h)):
        _store(p, _sum(h[i], p.b[action, i], p), h, i)


@_jit
def step(p: Any, action: int, h: Any) -> None:
    """Take h to A h + b, in place."""
    if p.factored:
        _factored_step(p, action, h)
    else:
        _dense_step(p, action, h)


@_entry
def run(p: Any, h: Any, actions: Any, states: Any) -> None:
    """Write the state after every action."""
    for t in range(len(actions)):
        step(p, actions[t], h)
        for i in range(len(h)):
            states[t, i] = h[i] if h[i] == h[i] else np.nan


# -------------------------------------------------------------------- reading


@_jit
def _score(reader: Any, w: int, h: Any) -> float:
    score = 0.0
    for e in range(reader.starts[w], reader.starts[w + 1]):
        score += reader.values[e] * h[reader.columns[e]]
    return score - reader.offsets[w]


@_cold
def _nearest(reader: Any, s: int, h: Any) -> int:
    """The codeword of slot s with the largest score; a NaN is never larger."""
    best, top = reader.words[s], -np.inf
    for w in range(best, reader.words[s + 1]):
        score = _score(reader, w, h)
        if score > top:
            best, top = w, score
    return best


@_entry
def decode(reader: Any, h: Any) -> int:
    """Index of the nearest codeword, slot by slot."""
    index = 0
    for s in range(len(reader.words) - 1):
        first, end = reader.words[s], reader.words[s + 1]
        index = index * (end - first) + _nearest(reader, s, h) - first
    return index


@_jit
def _center(reader: Any, s: int, w: int, h: Any) -> float:
    """Make h the center of the ball of codeword w of slot s; how far it may reach at most."""
    first, place, size = reader.rows[s], reader.places[w], 0.0
    for i in range(reader.rows[s + 1] - first):
        reader.balls[place + i] = h[first + i]
        size = max(size, abs(h[first + i]))
    return size + reader.largest[s]


@_jit
def _error(reader: Any, s: int, reach: float) -> float:
    """What four scores of slot s in double are wrong by at most, for states in such a ball.

    A score of m entries is wrong by (m + 2) u m (C H + C^2 / 2), and by what underflow loses, if
    no entry of a codeword is larger than C, none of the state than H, and u = 2^-53.
    """
    m, largest = reader.rows[s + 1] - reader.rows[s], reader.largest[s]
    return 5.0 * (m + 2) * m * largest * (2.0 * reach + largest) * 2.0**-53 + m * 2.0**-1065


@_jit
def _radius(reader: Any, m: int, w: int, x: int, h: Any, error: float) -> float:
    """How far a state may be from h, in every entry, and codeword w surely scores more than x.

    At a distance of r the lead changes by at most r |w - x|_1.  -1 if there is no such distance.
    """
    slack = 1.0 - (m + 10) * 2.0**-50
    distance, c, d = 0.0, reader.places[w], reader.places[x]
    for i in range(m):
        distance += abs(reader.entries[c + i] - reader.entries[d + i])
    lead = _score(reader, w, h) - _score(reader, x, h)
    radius = (lead * slack - error) / distance * slack
    return radius if radius > 0.0 else -1.0


@_cold
def _watch(reader: Any, s: int, w: int, h: Any) -> None:
    """Find where codeword w scores more than its rivals, and where more than all but them."""
    radii, rivals = reader.radii[w], reader.rivals[w]
    reach, m = _center(reader, s, w, h), reader.rows[s + 1] - reader.rows[s]
    error = _error(reader, s, reach)
    for i in range(len(rivals)):
        radii[i], rivals[i] = reach, w
    radii[-1] = reach
    for other in range(reader.words[s], reader.words[s + 1]):
        if other != w:
            radius, x = _radius(reader, m, w, other, h, error), other
            for i in range(len(rivals)):
                if radius < radii[i]:
                    radii[i], radius = radius, radii[i]
                    rivals[i], x = x, rivals[i]
            radii[-1] = min(radii[-1], radius)


@_cold
def _move(reader: Any, s: int, w: int, h: Any, shift: float) -> None:
    """Move the ball of codeword w to h, `shift` away; what is known of rivals is found anew."""
    radii, rivals = reader.radii[w], reader.rivals[w]
    reach, m = _center(reader, s, w, h), reader.rows[s + 1] - reader.rows[s]
    error = _error(reader, s, reach)
    radii[-1] = (radii[-1] - shift * (1.0 + 2.0**-50)) * (1.0 - 2.0**-50)
    radii[0] = radii[-1]
    for x in rivals:
        if x != w:
            radii[0] = min(radii[0], _radius(reader, m, w, x, h, error))


@_jit
def _read_slot(reader: Any, s: int, w: int, h: Any) -> int:
    """The nearest codeword of a slot; fast if it is w, or a rival, and h where it was before."""
    first = reader.rows[s]
    offset = reader.places[w] - first
    shift = 0.0
    for i in range(first, reader.rows[s + 1]):
        distance = abs(h[i] - reader.balls[offset + i])
        shift = max(shift, distance if distance == distance else np.inf)
    if shift <= reader.radii[w, 0]:
        return w
    best, top = w, _score(reader, w, h)
    if not (shift < reader.radii[w, -1] and top > -np.inf):
        w = _nearest(reader, s, h)
        _watch(reader, s, w, h)
        return w
    for x in reader.rivals[w]:
        score = _score(reader, x, h)
        if score > top or (score == top and x < best):
            best, top = x, score
    if best == w:
        _move(reader, s, w, h, shift)
    return best


@_jit
def _read(reader: Any, guess: int, h: Any) -> int:
    """Index of the nearest codeword, given a guess."""
    index, weight = 0, 1
    for s in range(len(reader.words) - 2, -1, -1):
        first, count = reader.words[s], reader.words[s + 1] - reader.words[s]
        digit = guess % count if s > 0 else guess
        guess //= count
        index += weight * (_read_slot(reader, s, first + digit, h) - first)
        weight *= count
    return index


# -------------------------------------------------------------------- many letters


@_jit
def _equal(h: Any, other: Any) -> bool:
    for i in range(len(h)):
        if h[i] != other[i] and (h[i] == h[i] or other[i] == other[i]):
            return False
    return True


@_jit
def _cell(p: Any, row: int, column: int) -> float:
    for e in range(p.starts[row], p.starts[row + 1]):
        if p.columns[e] == column:
            return p.values[e]
    return p.zero


@_jit
def _row(p: Any, a: float, b: float, c: float, x: float, y: float) -> float:
    """The row a x + b y + c of a step."""
    total = _sum(_sum(p.zero, _product(a, x, p), p), _product(b, y, p), p)
    return _sum(total, c, p)


@_jit
def _spin(
    p: Any, reader: Any, wiring: Any, h: Any, at: Any, anchor: Any, letter: int, count: int
) -> None:
    """As `walk`, in registers: a matrix of the plane, one letter, and no more than is foreseen.

    It stops before a state that is not near a known one of the codeword expected, a wrong answer,
    a repetition, or a move of the anchor.  Entries that are 0 are not skipped, which does no harm:
    an infinity makes them NaN, which is near nothing.
    """
    x, y = h[0], h[1]
    action = wiring.action[letter]
    a, b, e = _cell(p, 2 * action, 0), _cell(p, 2 * action, 1), p.b[action, 0]
    c, d, f = _cell(p, 2 * action + 1, 0), _cell(p, 2 * action + 1, 1), p.b[action, 1]
    answer, wanted = wiring.answer[letter], wiring.wanted[letter]
    delta, guesses = wiring.delta[letter], wiring.guess[action]
    codeword, state, anchored = at[0], at[1], at[3]
    if at[5] > 0:
        count = min(count, at[5] - at[4] - 1)
    read = 0
    while read < count:
        new_x, new_y = _row(p, a, b, e, x, y), _row(p, c, d, f, x, y)
        guess, new = guesses[codeword], delta[state]
        radius = reader.radii[guess, 0]
        if not (
            abs(new_x - reader.balls[2 * guess]) <= radius
            and abs(new_y - reader.balls[2 * guess + 1]) <= radius
            and answer[guess] == wanted[state]
        ):
            break
        if new == anchored and new_x == anchor[0] and new_y == anchor[1]:
            break
        x, y, codeword, state = new_x, new_y, guess, new
        read += 1
    h[0], h[1], at[0], at[1] = x, y, codeword, state
    at[2] += read
    at[4] += read


@_entry
def walk(
    p: Any, reader: Any, wiring: Any, h: Any, at: Any, anchor: Any, letters: Any, count: int
) -> int:
    """Read `count` letters, or one letter again and again, until an answer is wrong.

    `at` holds the codeword and the automaton's state, and the number of letters read; then, for
    Brent's search for a cycle, the automaton's state that goes with the `anchor`, the letters read
    since, and after how many the anchor is moved (-1: there is none).
    """
    again = len(letters) == 1
    spins = again and p.planar and len(reader.words) == 2
    start, end = at[2], at[2] + count
    while at[2] < end:
        letter = letters[0 if again else at[2] - start]
        if spins:
            _spin(p, reader, wiring, h, at, anchor, letter, end - at[2])
            if at[2] == end:
                break
        action, codeword, state = wiring.action[letter], at[0], at[1]
        step(p, action, h)
        found = _read(reader, wiring.guess[action, codeword], h)
        wiring.guess[action, codeword] = found
        at[0], at[1] = found, wiring.delta[letter, state]
        at[2] += 1
        at[4] += 1
        if wiring.answer[letter, found] != wiring.wanted[letter, state]:
            return WRONG
        if at[1] == at[3] and _equal(h, anchor):
            return CYCLE
        if at[4] == at[5]:
            _copy(h, anchor)
            at[3], at[4], at[5] = at[1], 0, 2 * at[5]
    return RIGHT


@_entry
def read_level(
    p: Any,
    reader: Any,
    action: Any,
    follow: Any,
    below: Any,
    guess: Any,
    state: Any,
    memory: Any,
    contexts: Any,
    lengths: Any,
    silent: bool,
) -> None:
    """Read words of contexts, and put in the place of each the one that it leads to below.

    `guess` holds the codeword last seen after an action on one.  A silent level does so at the end
    of each word only.  If `below` is not empty, the level reads "shifted": `follow` has the
    coordinates read, `memory` the last ones, and `below` what these lead to.
    """
    for k in range(len(contexts)):
        h, last, codeword = state[k], lengths[k] - 1, 0
        for t in range(lengths[k]):
            c = np.int64(contexts[k, t])
            a = action[c]
            step(p, a, h)
            if not silent or t == last:
                found = _read(reader, guess[a, codeword], h)
                guess[a, codeword] = found
                codeword = found
                contexts[k, t] = follow[c, found]
                if below.size:
                    read = contexts[k, t]
                    contexts[k, t] = below[c, memory[k]]
                    memory[k] = read


@_entry
def meet(
    p: Any, action: int, succ: Any, ahead: Any, behind: Any, at: Any, lead: int, count: int
) -> bool:
    """Step one state `lead` times, then both until they are equal; whether they are.

    `at` holds the two states of the automaton, and the steps taken; `count` more are taken.
    """
    for _ in range(count):
        if at[2] >= lead:
            if at[0] == at[1] and _equal(ahead, behind):
                return True
            step(p, action, behind)
            at[1] = succ[at[1]]
        step(p, action, ahead)
        at[0] = succ[at[0]]
        at[2] += 1
    return False
