"""What a network in the cast model answers after every letter, from the definition: no kernel of
the library, and no cycles looked for, as in cast_networks.py."""

from itertools import repeat

from cast_evaluation import Q, added, casts, times


class _Layer:
    """One layer: its exact terms, and what a readout sees of their sum.

    While one action is repeated, the terms that it added are A^i B: only their casts are summed up.
    """

    def __init__(self, layer, name):
        self.layer, self.name = layer, name
        self.terms = [[[Q(x) for x in row] for row in layer.h0.tolist()]]
        self.action, self.powers, self.total = None, [], None

    def step(self, action):
        if action != self.action:
            self.terms += self.powers
            self.a = [[Q(x) for x in r] for r in self.layer.transition.matrix(action).tolist()]
            self.b = [[Q(x) for x in row] for row in self.layer.b[action].tolist()]
            self.action, self.powers = action, []
            self.total = [[Q(0)] * len(self.b[0]) for _ in self.b]
        self.powers.append(times(self.a, self.powers[-1]) if self.powers else self.b)
        self.terms = [times(self.a, t) for t in self.terms]
        self.total = added(self.total, casts(self.powers[-1], self.name))
        seen = self.total
        for t in self.terms:
            seen = added(seen, casts(t, self.name))
        self.seen = casts(seen, self.name)
        return self.seen


def _nearest(layer, seen, name):
    """The codeword, rounded to the format, with the largest <c, h> - |c|^2 / 2, the first such."""
    flat, scores = [x for row in seen for x in row], []
    for word in layer.codewords[0].tolist():
        c = [x for row in casts([[Q(x) for x in row] for row in word], name) for x in row]
        scores.append(sum(x * (y - x / 2) for x, y in zip(c, flat, strict=True)))
    return scores.index(max(scores))


def walk(lrnn, runs, name):
    """After every letter: what a readout sees, and the answer."""
    (head,) = lrnn.heads
    layers = [_Layer(level.layer, name) for level in head]
    memory = [level.layer.initial for level in head]
    for letter in (a for a, count in runs for a in repeat(a, count)):
        c = lrnn.letter_class[lrnn.letters.index(letter)]
        seen, kept = [], []
        for i, (level, layer) in enumerate(zip(head, layers, strict=True)):
            action = int(level.action[c])
            seen.append(layer.step(action))
            codeword = _nearest(level.layer, layer.seen, name)
            previous, current = level.layer.readout[action, codeword]
            read = current if level.reads == "current" else previous
            if level.reads == "shifted":
                read, before, memory[i] = memory[i], memory[i], int(current)
                kept.append((before, memory[i]))
            c = int(level.next[c, read])
        yield (letter, seen, kept), int(lrnn.output[c])
