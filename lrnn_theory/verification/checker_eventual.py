"""Proofs of method "eventual"; checker_proofs.py loads this file, and checker.py is its `core`.

One letter in the cast model is walked up to a length from which on all that a readout sees repeats.
That it does is proved term by term.  An entry u_k of A^k x obeys a linear recurrence, which its
first terms tell.  Its cast stays if u_k goes to a limit, or away, as the powers of one number do,
or if a power of the recurrence does not enlarge the rest.  Proof: docs/certificates.md.
"""

from fractions import Fraction
from typing import Any

core: Any = None  # the module that loads this file; it sets the name
MAX_POWER = 256


def eventual(claim, preperiod, period, decoder=None):
    """One letter in the cast model: from `preperiod` on all that is seen repeats."""
    read = core.load("proofs").read
    whole = len(claim.letters) == 1 and not claim.tail and decoder in (None, "any")
    core.need(whole and all(x.rounds.name == "cast" for x in claim.layers), "not of one letter")
    core.need(period > 0, "no period")
    same = decoder or claim.empty == claim.right_empty
    core.need(same, "the empty word is answered wrongly")
    taken, path, answers = [recorded(layer) for layer in claim.layers], [claim.start], {}
    for _ in range(preperiod + period):
        path.append(read(claim, path[-1], 0, decoder, answers))
    core.need(path[preperiod][1:] == path[-1][1:], "what levels keep does not repeat")
    for i, (layer, actions) in enumerate(zip(claim.layers, taken, strict=True)):
        need_repeats(layer, actions, [states[i] for states, *_ in path], preperiod, period)


def recorded(layer):
    """The actions that a layer takes, from now on."""
    actions = []

    def step(state, action):
        actions.append(action)
        return layer.advance(state, action)

    layer.step = step
    return actions


def need_repeats(layer, actions, states, end, period):
    """If the actions after `end` repeat for ever, so does what a readout sees from there on.

    They repeat since `begin` already.  Of the terms held then and of those that a period adds, the
    casts must stay after as many periods as end - begin has.  Then every period adds the same
    `drift`: it is 0, or has run to an end of the format.
    """
    begin = end
    while begin >= period and actions[begin - period : begin] == actions[begin : begin + period]:
        begin -= period
    rounds, cycle = (end - begin) // period, [layer.letters[a] for a in actions[end:][:period]]
    extra, near = core.load("arithmetic"), layer.after.__self__.near

    def affine(matrix, x):
        return extra.act(layer.rounds, matrix, (), x)

    added = []
    for matrix, b in cycle:
        added = [*(affine(matrix, x) for x in added), b]
    drift = [[0] * len(layer.h0) for _ in cycle]
    for x, grows in [*((x, 0) for x, _ in states[begin]), *((x, 1) for x in added)]:
        core.need(not any(isinstance(c, extra.Real) for c in x), "an irrational number")
        seen = [[] for _ in cycle]  # the term after so many letters of a period
        for k in range(rounds + 2 * layer.n):
            for place, (matrix, _) in zip(seen, cycle, strict=True):
                if k >= rounds:
                    place.append(x)
                x = affine(matrix, x)
        for total, place in zip(drift, seen, strict=True):
            for i, terms in enumerate(zip(*place, strict=True)):
                total[i] += grows * need_stays(list(terms), layer.n, near, layer.rounds.form.ends)
    for state, total in zip(states[end:], drift, strict=False):
        for x, grown in zip(layer.shown(state), total, strict=True):
            stays = not grown or x == layer.rounds.form.ends[grown > 0]
            core.need(stays, "a sum has not come to rest")


def need_stays(u, order, near, ends):
    """The cast of all terms of a sequence, which obeys a linear recurrence of some order."""
    cast, c = near(u[0]), recurrence(u)
    # What the shortest recurrence leaves obeys the longer one too: 0 if 0 so many times.
    holds = all(x == follow(c, u[:k]) for k, x in enumerate(u) if k >= len(c))
    core.need(holds and len(c) + order <= len(u), "no short recurrence")
    limit, d = 0, [1, *(-1 * x for x in c)]
    if sum(d) == 0:  # without the root 1: the weight of 1 is the limit
        d = [sum(d[: i + 1]) for i in range(len(c))]
        core.need(sum(d), "a sequence that grows")
        limit = sum(x * y for x, y in zip(d, u[len(d) - 1 :: -1], strict=True)) / Fraction(sum(d))
    z, c = [x - limit for x in u], [-1 * x for x in d[1:]]
    if len(c) == 1 and c[0] > 0 and z[0] != 0:  # z_k = c^k z_0
        at = near(limit)
        nearing = cast == at or (z[0] > 0 and 2 * limit == at + cast)
        core.need(nearing if c[0] < 1 else cast == ends[z[0] > 0], "a cast does not stay")
    elif c:
        z = z[: len(c)]
        for _ in range(contraction(c) - 1):
            z.append(follow(c, z))
        size = max(map(abs, z))
        core.need(near(limit - size) == cast == near(limit + size), "a cast does not stay")
    return cast


def follow(c, u):
    """The next term by u_k = c_0 u_(k-1) + c_1 u_(k-2) + ..."""
    return sum(x * y for x, y in zip(c, reversed(u), strict=False))


def recurrence(u):
    """The shortest recurrence of a sequence (Berlekamp and Massey)."""
    c, old, failed, missed = [], [], 0, Fraction(1)
    for k, x in enumerate(u):
        gap = x - follow(c, u[:k])
        if gap and not c:
            c, failed, missed = [Fraction(0)] * (k + 1), k, Fraction(gap)
        elif gap:
            scale = gap / missed
            new = [0] * (k - failed - 1) + [scale] + [-scale * y for y in old]
            new += [0] * (len(c) - len(new))
            new = [y + (c[i] if i < len(c) else 0) for i, y in enumerate(new)]
            if k - failed + len(old) >= len(c):
                old, failed, missed = c, k, Fraction(gap)
            c = new
    return c


def contraction(c):
    """So many steps of a recurrence do not enlarge the largest of len(c) consecutive terms."""
    n, steps = len(c), 1
    power = [[Fraction(j == i + 1) for j in range(n)] for i in range(n - 1)]
    power.append([Fraction(x) for x in reversed(c)])
    while max(sum(map(abs, row)) for row in power) > 1:
        steps *= 2
        core.need(steps <= MAX_POWER, "a sequence is not seen to shrink")
        columns = list(zip(*power, strict=True))
        power = [[sum(x * y for x, y in zip(r, s, strict=True)) for s in columns] for r in power]
    return steps
