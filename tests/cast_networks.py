"""A network in the cast model, level by level, from the definition: no kernel of the library.

The actions of a level are read as stretches, in each of which a short cycle comes round.  There
all terms are R P^j x: those held when it began, and those that each round adds.  Their casts are
told by fractions up to 10^4 letters.  Beyond they are told by floats with bounds of their errors,
by balls where these do not do, and by the side of the limit on which a ball is where the limit is
a midpoint.
"""

import math
from functools import cache
from itertools import chain, pairwise, repeat

import numpy as np
from cast_evaluation import EXACT, Q, ball_power, cast, cast_ratio, members, outwards
from cast_evaluation import rational_matrix as matrix
from flint import arb_mat, ctx, fmpq_mat, fmpq_poly

CYCLES = 64
"""Longest cycle of actions that is looked for."""
BITS = 1024
"""Bits of the balls."""
BLOCK = 256
"""Most rounds after which a power is computed anew."""
AT_ONCE = 1_000_000
"""Most casts told at once."""
FLOAT = 1e-15
"""A bound of the relative error of an operation of floats."""
POWER = 10_000
"""Largest power that is computed in fractions where balls do not do."""
TINY = 3000
"""A fraction whose denominator has half as many bits is no nearer than 2^-TINY to a midpoint."""


class UnclearError(Exception):
    """A ball does not tell a cast, or a level takes too long to come into a cycle."""


class Grid:
    """The numbers of a format: the place of each, integers in some unit, and the midpoints."""

    def __init__(self, name):
        self.name, numbers = name, members(name)
        scale = math.lcm(*(x.denominator for x in numbers))
        self.index = {x: i for i, x in enumerate(numbers)}
        self.units = np.array([int(x * scale) for x in numbers])
        self.midpoints = np.array([float((a + b) / 2) for a, b in pairwise(numbers)])

    def of(self, x):
        """The index of the cast of a rational number."""
        return self.index[cast_ratio(int(x.p), int(x.q), self.name)]

    def sums(self, units):
        """The indices of the casts of sums."""
        return np.searchsorted(self.units[1:] + self.units[:-1], 2 * units)


grid = cache(Grid)


# -------------------------------------------------------------------- powers


def by_fractions(before, x, rounds, form):
    """Indices of the casts of R P^j x, for j < rounds and each R of `before`, some j at a time.

    P is the last R.
    """
    for _ in range(rounds):
        moved = [r * x for r in before]
        yield np.array([[[[form.of(v) for v in row] for row in m.tolist()] for m in moved]])
        x = moved[-1]


def by_balls(before, x, rounds, form):
    """The same: P^j x = L + D^j (x - L), where L is the limit and D is P without its 1."""
    power = before[-1]
    projection = onto_fixed(power)
    limit, rest = projection * x, arb_mat(x - projection * x)
    small = arb_mat(power - projection)
    block = max(1, min(rounds, BLOCK, AT_ONCE // (len(before) * x.nrows() * x.ncols())))
    table = [small**k for k in range(block)]
    table = [[arb_mat(r) * d for r in before] for d in table]
    ends = [r * limit for r in before]
    moves, shifts = floats(table), floats([[arb_mat(e) for e in ends]])
    for first in range(0, rounds, block):
        moved = ball_power(small, first) * rest if first else rest
        count = min(block, rounds - first)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is not sure
            value, error = product((moves[0][:count], moves[1][:count]), floats([[moved]]))
            value, error = value + shifts[0], error + shifts[1]
            error = 1.01 * error + FLOAT * abs(value)
        index = np.searchsorted(form.midpoints, value - error)
        sure = (index == np.searchsorted(form.midpoints, value + error)) & np.isfinite(error)
        for k, r, i, c in np.argwhere(~sure).tolist():
            ball = sum(table[k][r][i, m] * moved[m, c] for m in range(moved.nrows()))
            found = beside(ends[r][i, c], ball, form)
            if found is None:
                found = exactly(power, before[r], x, first + k, i, c, form)
            index[k, r, i, c] = found
        yield index


def onto_fixed(power):
    """The projection onto the fixed vectors, along the other eigenspaces; 0 if there is none."""
    annihilator = power.minpoly()
    others, rest = divmod(annihilator, fmpq_poly([-1, 1]))
    if rest or not others(1):
        return 0 * power
    out, one = 0 * power, power**0
    for c in reversed(others.coeffs()):
        out = out * power + c * one
    return out * (1 / others(1))


def floats(balls):
    """Midpoints of matrices of balls, and bounds of their distances from the numbers meant."""
    middle, radius = (
        np.array([[[[float(f(v)) for v in row] for row in m.tolist()] for m in ms] for ms in balls])
        for f in (lambda v: v.mid(), lambda v: v.rad())
    )
    return middle, 1.01 * radius + FLOAT * abs(middle) + 1e-300


def product(left, right):
    """A product of such matrices."""
    (a, da), (b, db) = left, right
    return a @ b, abs(a) @ db + da @ (abs(b) + db) + 10 * FLOAT * (abs(a) @ abs(b)) + 1e-300


def beside(limit, ball, form):
    """The index of the cast of limit + ball; None if it is not clear."""
    start, tiny = Q(int(limit.p), int(limit.q)), Q(1, 2**TINY)
    if start.denominator.bit_length() > TINY // 2:
        return None
    low, high = outwards(ball.lower(), -1), outwards(ball.upper(), 1)
    if ball > 0:  # no midpoint is between the limit and what is so near to it
        low = max(low, tiny)
    elif ball < 0:
        high = min(high, -tiny)
    found = {form.index[cast(start + x, form.name)] for x in (low, high)}
    return found.pop() if len(found) == 1 else None


def exactly(power, before, x, j, i, c, form):
    """The index of the cast of an entry of R P^j x."""
    if j > POWER:
        raise UnclearError
    column = fmpq_mat(x.nrows(), 1, [x[m, c] for m in range(x.nrows())])
    return form.of((before * (power**j * column))[i, 0])


def summed(before, terms, rounds, form, powers):
    """The sums over all terms x of the casts of R P^j x, in units: (rounds, R, n, d)."""
    n, d = terms[0].nrows(), terms[0].ncols()
    rows = zip(*(x.tolist() for x in terms), strict=True)
    x = fmpq_mat([list(chain.from_iterable(row)) for row in rows])
    parts = (form.units[index].reshape(len(index), len(before), n, len(terms), d).sum(3)
             for index in powers(before, x, rounds, form))  # fmt: skip
    return np.concatenate(list(parts))


# -------------------------------------------------------------------- layers


def stretches(actions):
    """(first, last, q): actions[i] = actions[i + q] for first <= i < i + q < last.

    Each is as long as can be, and then q as small.
    """
    breaks = {q: np.flatnonzero(actions[q:] != actions[:-q]) for q in range(1, CYCLES + 1)}
    first = 0
    while first < len(actions):
        last, q = 0, 0
        for p, places in breaks.items():
            at = np.searchsorted(places, first)
            end = int(places[at]) + p if at < len(places) else len(actions)
            if end > last:
                last, q = end, p
        yield first, last, min(q, last - first)
        first = last


def layer_states(layer, actions, name, most):
    """What a readout sees after 1, 2, ... actions: indices of numbers, (letters, n, d)."""
    form, powers = grid(name), by_balls if len(actions) > EXACT else by_fractions
    steps = {a: [matrix([[Q(v) for v in row] for row in m.tolist()])
                 for m in (layer.transition.matrix(a), layer.b[a])]
             for a in np.unique(actions).tolist()}  # fmt: skip
    held, out = [matrix([[Q(v) for v in row] for row in layer.h0.tolist()])], []
    for first, last, q in stretches(actions):
        if first > most:
            raise UnclearError
        before, added = [], [[]]  # R and what steps 1, ..., r add, for r = 1, ..., q
        for a, b in (steps[i] for i in actions[first : first + q].tolist()):
            before.append(a * before[-1] if before else a)
            added.append([*(a * x for x in added[-1]), b])
        new, rounds = added[-1], -(-(last - first) // q)
        total = summed(before, held, rounds, form, powers)
        late = summed(before, new, rounds, form, powers)
        total += np.cumsum(late, 0) - late  # what former rounds added
        for r, terms in enumerate(added[1:]):
            total[:, r] += sum(form.units[[[form.of(v) for v in row] for row in x.tolist()]]
                               for x in terms)  # fmt: skip
        out.append(form.sums(total).reshape(-1, *layer.h0.shape)[: last - first])
        if last < len(actions):
            whole, rest = divmod(last - first, q)
            held = [before[-1] ** whole * x for x in held]
            for _ in range(whole):
                held += new
                new = [before[-1] * x for x in new]
            held = [*(before[rest - 1] * x if rest else x for x in held), *added[rest]]
    return np.concatenate(out)


def nearest(words, seen):
    """The codeword, rounded to the format, with the largest <c, h> - |c|^2 / 2, the first such."""
    scores = [sum(x * (y - x / 2) for x, y in zip(c, seen, strict=True)) for c in words]
    return scores.index(max(scores))


def views(lrnn, runs, name, at, most=600):
    """What a readout sees after so many letters, for the lengths in `at`.

    UnclearError if it cannot be told, or a level takes up no cycle for good in `most` letters.
    """
    (head,) = lrnn.heads
    numbers = members(name)
    word = list(chain.from_iterable(repeat(letter, count) for letter, count in runs))[: max(at)]
    out = {t: (word[t - 1], [], []) for t in at}
    number = {letter: lrnn.letter_class[i] for i, letter in enumerate(lrnn.letters)}
    contexts = np.array([number[letter] for letter in word])
    with ctx.workprec(BITS):
        for level in head:
            layer = level.layer
            words = [[cast(Q(x), name) for row in w for x in row]
                     for w in layer.codewords[0].tolist()]  # fmt: skip
            actions = level.action[contexts]
            states = layer_states(layer, actions, name, most).reshape(len(word), -1)
            kinds, kind = np.unique(states, axis=0, return_inverse=True)
            seen = [tuple(numbers[i] for i in row) for row in kinds]
            read = np.array([nearest(words, x) for x in seen])[kind.ravel()]
            previous, current = layer.readout[actions, read].T
            if level.reads == "shifted":
                previous = np.concatenate([[layer.initial], current[:-1]])
            for t in at:
                out[t][1].append(seen[kind.flat[t - 1]])
                if level.reads == "shifted":
                    out[t][2].append((int(previous[t - 1]), int(current[t - 1])))
            contexts = level.next[contexts, current if level.reads == "current" else previous]
    return out
