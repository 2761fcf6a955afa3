"""A network in the cast model, level by level, from the definition: no kernel of the library.

While the actions of a level come round in a cycle, what it sums up after one more round are the
same casts and those of the terms of one more round: only these are computed.  Fractions up to 10^4
letters, balls beyond.
"""

from bisect import bisect_left
from functools import cache, partial
from itertools import chain, pairwise, repeat

from cast_evaluation import (
    EXACT,
    FRESH,
    Q,
    ball_power,
    cast,
    cast_ratio,
    members,
    outwards,
    rational_matrix,
)
from flint import arb_mat, ctx, fmpq_mat

CYCLES = 64
"""Longest cycle of actions that is looked for."""
BITS = 1024
"""Bits of the balls."""


class UnclearError(Exception):
    """A ball does not tell a cast, or a level takes too long to come into a cycle."""


def casts(x, name):
    """The casts of the entries of a matrix of fractions or balls."""
    if isinstance(x, fmpq_mat):
        return [cast_ratio(int(v.p), int(v.q), name) for v in x.entries()]
    return [ball_cast(v, name) for v in x.entries()]


@cache
def cells(name):
    """All numbers, and as floats the midpoints between them."""
    numbers = members(name)
    return numbers, [float((a + b) / 2) for a, b in pairwise(numbers)]


def ball_cast(ball, name):
    """The cast of a ball: by floats if it is far from every midpoint, or else by its ends."""
    numbers, midpoints = cells(name)
    x, margin = float(ball.mid()), 1e-9 * (1e-30 + abs(float(ball.mid())))
    if float(ball.rad()) < margin / 2:
        i = bisect_left(midpoints, x - margin)
        if i == len(midpoints) or midpoints[i] > x + margin:
            return numbers[i]
    low, high = cast(outwards(ball.lower(), -1), name), cast(outwards(ball.upper(), 1), name)
    if low != high:
        raise UnclearError
    return low


def added(total, x, count=1):
    return [a + count * b for a, b in zip(total, x, strict=True)]


def eventual_cycle(actions):
    """(first, q) with actions[i] = actions[i + q] for all i >= first, first + q small."""
    best = (len(actions), 1)
    for q in range(1, min(CYCLES, len(actions)) + 1):
        first = len(actions) - q
        while first and actions[first - 1] == actions[first - 1 + q]:
            first -= 1
        best = min(best, (first, q), key=sum)
    return best


def layer_states(layer, actions, name, most):
    """What a readout sees after 1, 2, ... actions."""
    steps = {
        int(a): [rational_matrix([[Q(x) for x in row] for row in m.tolist()])
                 for m in (layer.transition.matrix(a), layer.b[a])]
        for a in set(actions)
    }  # fmt: skip
    first, q = eventual_cycle(actions)
    if first > most:
        raise UnclearError
    held = [rational_matrix([[Q(x) for x in row] for row in layer.h0.tolist()])]
    zero, rounded = [Q(0)] * len(held[0].entries()), cache(partial(cast, name=name))

    def seen(constant, terms):
        for x in terms:
            constant = added(constant, casts(x, name))
        return tuple(map(rounded, constant))

    for action in actions[:first]:
        a, b = steps[int(action)]
        held = [*(a * x for x in held), b]
        yield seen(zero, held)
    # From here on: `held`, what this round added, and R P^j w for every w that a round adds.
    cycle = [steps[int(a)] for a in actions[first : first + q]]
    power, round_ = None, []
    for a, b in cycle:
        power = a if power is None else a * power
        round_ = [*(a * x for x in round_), b]
    totals = [zero] * q  # of the casts of all whole rounds but the last, at each place of a round
    origins, balls = (list(held), list(round_)), len(actions) > EXACT
    running = origins
    for j in range(-(-(len(actions) - first) // q)):
        if balls and j % FRESH == 0:
            fresh = ball_power(arb_mat(power), j) if j else 1
            running = tuple([fresh * arb_mat(x) for x in xs] for xs in origins)
        now, (old, late) = [], running
        for r, (a, b) in enumerate(cycle[: len(actions) - first - j * q]):
            ball = arb_mat(a) if balls else a
            now = [*(a * x for x in now), b]
            old, late = [ball * x for x in old], [ball * x for x in late]
            yield seen(seen_sum(totals[r], now, name), old)
            # A round later, what this one added has gone through one more round.
            for x in late:
                totals[r] = added(totals[r], casts(x, name))
        running = (old, late)


def seen_sum(total, terms, name):
    for x in terms:
        total = added(total, casts(x, name))
    return total


def nearest(words, seen):
    """The codeword, rounded to the format, with the largest <c, h> - |c|^2 / 2, the first such."""
    scores = [sum(x * (y - x / 2) for x, y in zip(c, seen, strict=True)) for c in words]
    return scores.index(max(scores))


def views(lrnn, runs, name, at, most=600):
    """What a readout sees after so many letters, for the lengths in `at`.

    UnclearError if it cannot be told, or a level has no cycle after `most` letters.
    """
    (head,) = lrnn.heads
    word = list(chain.from_iterable(repeat(letter, count) for letter, count in runs))
    word = word[: max(at)]
    out = {t: (word[t - 1], [], []) for t in at}
    number = {letter: lrnn.letter_class[i] for i, letter in enumerate(lrnn.letters)}
    contexts = [number[letter] for letter in word]
    with ctx.workprec(BITS):
        for level in head:
            layer = level.layer
            words = [[cast(Q(x), name) for row in w for x in row]
                     for w in layer.codewords[0].tolist()]  # fmt: skip
            actions = [int(level.action[c]) for c in contexts]
            memory, following, known = layer.initial, [], {}
            states = layer_states(layer, actions, name, most)
            for t, seen in enumerate(states, 1):
                if seen not in known:
                    known[seen] = nearest(words, seen)
                previous, current = layer.readout[actions[t - 1], known[seen]]
                read, before = current if level.reads == "current" else previous, memory
                if level.reads == "shifted":
                    read, memory = memory, int(current)
                following.append(int(level.next[contexts[t - 1], read]))
                if t in at:
                    out[t][1].append(seen)
                    if level.reads == "shifted":
                        out[t][2].append((before, memory))
            contexts = following
    return out
