"""Prove the claim of a certificate again: python -I -S checker.py certificate.json.

This file needs the standard library only and shares no code with the prover.  From the automaton,
the stored weights and the wiring it computes all that is claimed again, with integers and
fractions; a float is an infinity or a NaN.  docs/certificates.md has the format and the proofs.
Exit code: 0 "proved" holds, 1 "refuted" or "confused" holds, 2 the certificate is rejected.
"""

import hashlib
import json
import math
import re
import struct
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

FLOATS = {  # bits of the significand, exponent of the smallest number, largest number, overflow
    "float64": (53, -1074, (2**53 - 1) * 2**971, "inf"),
    "float32": (24, -149, (2**24 - 1) * 2**104, "inf"),
    "tf32": (11, -136, (2**11 - 1) * 2**117, "inf"),
    "bfloat16": (8, -133, (2**8 - 1) * 2**120, "inf"),
    "float16": (11, -24, (2**11 - 1) * 2**5, "inf"),
    "float8_e5m2": (3, -16, (2**3 - 1) * 2**13, "inf"),
    "float8_e4m3": (4, -9, 448, "nan"),
}
SPECIAL = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
ARITHMETIC = (
    r"([^:@]+):(each|wide|once|cast)(\+fma)?(\+factored)?(?:\+acc=([^:@]+))?"
    r"(?:@(?:(tree)|chunk:([1-9][0-9]*)))?"
)
INDICES = r'(?>[0-9\[\]{}:,]|"(?>[^"\\]|\\.)*")*'
MAX_STATES, MAX_STEPS, MAX_CAST = 5_000_000, 1_000_000_000, 5_000


def need(condition, reason):
    """Reject the certificate unless the condition holds."""
    if not condition:
        raise ValueError(reason)


def rational(text):
    """A fraction, such as -1/2, or an integer."""
    need(re.fullmatch(r"-?[0-9]+(/[1-9][0-9]*)?", text), f"not a number: {text[:40]!r}")
    return Fraction(text) if "/" in text else int(text)


def reachable(first, moves):
    """All that `moves` leads to from the things given, first come, first served."""
    found, seen = list(first), set(first)
    for here in found:  # which grows meanwhile
        for there in moves(here):
            if there not in seen:
                need(len(seen) < MAX_STATES, f"more than {MAX_STATES} states")
                seen.add(there)
                found.append(there)
    return found


def bounds(c, low, high):
    """Bounds of sum c_i x^i for low <= x <= high."""
    bottom = top = 0
    for a in reversed(c):
        corners = [x * y for x in (bottom, top) for y in (low, high)]
        bottom, top = min(corners) + a, max(corners) + a
    return bottom, top


class Real(tuple):
    """sum c_i theta^i, no fraction at sight; theta is the only root of f between low and high."""

    f: list[Any]  # these three are set by `field`
    low: Any
    high: Any

    @classmethod
    def of(cls, c):
        """A number by its coefficients: a fraction, or reduced modulo f."""
        c, f = [*c, *[0] * len(cls.f)], cls.f
        while len(c) >= len(f):
            lead = Fraction(c.pop()) / f[-1]
            for j, a in enumerate(f[:-1] if lead else (), len(c) - len(f) + 1):
                c[j] -= lead * a
        return cls(c) if any(c[1:]) else c[0]

    def c(self, y):
        return y if isinstance(y, Real) else (Fraction(y), *[0] * (len(self) - 1))  # not of inf

    def __add__(self, y):
        return self.of(a + b for a, b in zip(self, self.c(y), strict=True))

    def __mul__(self, y):
        product = [0] * (2 * len(self))
        for i, a in enumerate(self):
            for j, b in enumerate(self.c(y), i):
                product[j] += a * b
        return self.of(product)

    __radd__, __rmul__ = __add__, __mul__

    def __gt__(self, fraction):
        return self.by(lambda x: x > fraction)

    def by(self, rule):
        """What a monotone rule, which jumps at fractions, makes of the number."""
        f, low, high = self.f, self.low, self.high
        for _ in range(10_000):
            one, other = map(rule, bounds(self, low, high))
            if one == other:
                return one
            middle = Fraction(low + high) / 2
            left = bounds(f, low, low)[0] * bounds(f, middle, middle)[0] <= 0
            low, high = (low, middle) if left else (middle, high)
        raise ValueError("two numbers are too near to be told apart")


def field(polynomial, interval):
    """The numbers of a field: a Real with its own theta."""
    f, (low, high) = list(map(rational, polynomial)), map(rational, interval)
    slopes = bounds([i * c for i, c in enumerate(f)][1:], low, high)
    ends = bounds(f, low, low)[0] * bounds(f, high, high)[0]
    need(low < high and ends < 0 < slopes[0] * slopes[1], "theta is not well defined")
    return type("Number", (Real,), {"f": f, "low": low, "high": high})


class Format:
    """A number format; it rounds once, ties to even (a cast: ties to the smaller)."""

    def __init__(self, text, cast=False):
        name, _, mark = text.partition("!")
        self.precision, self.values, self.plain, choices = 0, [], -1, ["sat", "wrap"]
        if fixed := re.fullmatch(r"fixed([0-9]+)\.(-?[0-9]+)", name):
            self.unit, half = Fraction(2) ** -int(fixed[2]), 1 << int(fixed[1]) - 1
            self.ends = -half * self.unit, (half - 1) * self.unit
        elif name in FLOATS:
            self.precision, exponent, largest, overflow = FLOATS[name]
            self.unit, self.ends = Fraction(2) ** exponent, (-largest, largest)
            self.plain, choices = min(1 << self.precision, largest), [overflow, "inf", "sat", "nan"]
        else:
            need(name[:1] + name[-1:] == "{}", f"unknown format {name[:40]!r}")
            self.values, choices = sorted(map(rational, name[1:-1].split(","))), ["sat"]
            self.ends = self.values[0], self.values[-1]
        need(mark in ("", *choices), f"unknown overflow {mark[:40]!r}")
        self.overflow = "sat" if cast else mark or choices[0]
        self.ties = (lambda x: math.ceil(x - Fraction(1, 2))) if cast else round
        self.corners = self.values or [self.unit, *self.ends]
        self.in_doubles = self.precision > 0 or (fixed and int(fixed[1]) <= 53)

    def grid(self, x):
        """The nearest number beyond which none ends."""
        if self.values:  # of two at one distance, min takes the first
            i = bisect_left(self.values, x)
            return min(self.values[max(i - 1, 0) : i + 1], key=lambda v: abs(v - x))
        unit, size = self.unit, abs(Fraction(x))
        if self.precision:
            exponent = size.numerator.bit_length() - size.denominator.bit_length()
            exponent -= size < Fraction(2) ** exponent
            unit = max(unit, Fraction(2) ** (exponent - self.precision + 1))
        return self.ties(x / unit) * unit

    def nearest(self, x) -> Any:
        """The number that an exact number, an infinity or a NaN becomes."""
        if type(x) is int and -self.plain <= x <= self.plain:
            return x
        low, high = self.ends
        if not isinstance(x, float):
            y = x.by(self.grid) if isinstance(x, Real) else self.grid(x)
            if self.overflow == "wrap":
                y = (y - low) % (high - low + self.unit) + low
            if low <= y <= high:
                return y.numerator if y.denominator == 1 else y
            x = math.inf if y > 0 else -math.inf
        if not self.precision and (math.isnan(x) or self.overflow == "wrap"):
            return 0
        if math.isnan(x) or self.overflow == "nan":
            return math.nan  # always the same object, so that equal states are equal
        return x if self.overflow == "inf" else self.ends[x > 0]


class Arithmetic:
    """How numbers are read, and how a step is rounded."""

    def __init__(self, text, numbers: Any = None):
        match: Any = re.fullmatch(ARITHMETIC, "float64:each" if text == "exact" else text)
        need(match, f"unknown arithmetic {text[:40]!r}")
        form, name, self.fma, self.factored, inner, self.tree, chunk = match.groups()
        self.chunk, self.numbers, self.is_cast = int(chunk or 0), numbers, name == "cast"
        self.form: Any = None if text == "exact" else Format(form, self.is_cast)
        self.state = None if self.is_cast else self.form
        self.weight = self.state if self.state and self.state.precision else None
        self.store = self.state.nearest if self.state else lambda x: x
        self.operate = self.store if name == "each" else lambda x: x
        need((inner is None) == (name != "wide"), f"unknown arithmetic {text[:40]!r}")
        if inner:
            self.operate = Format(inner).nearest
            holds = all(self.operate(x) == x for x in self.form.corners)
            need(holds, "the accumulator does not hold the format")
        self.after_factor = self.store if name == "once" else self.operate

    def read(self, text, form):
        """A number of a format, or an exact one: coefficients of powers of theta."""
        if form and text in SPECIAL:
            value = SPECIAL[text]
        else:
            c = [rational(x) for x in text.split(" ")]
            value = self.numbers.of(c) if len(c) > 1 else c[0]
        same = form is None or [form.nearest(value)] == [value]  # in a list, NaN is NaN
        need(same, f"not a number of the format: {text[:40]!r}")
        return value

    def dot(self, pairs):
        """A sum of products, in order."""
        total = None
        for w, x in pairs:
            product = w * x if self.fma and total is not None else self.operate(w * x)
            total = product if total is None else self.operate(total + product)
        return total or 0

    def affine(self, matrix, x, b=()):
        """A x + b; A is (n, rows [(column, weight), ...], factors (key, beta))."""
        n, rows, factors = matrix
        h, d = list(x), len(x) // n
        for key, beta in reversed(factors):
            for k in range(d):
                s = self.operate(beta * self.dot((w, h[c * d + k]) for c, w in key))
                for c, w in key:
                    product = w * s if self.fma else self.operate(w * s)
                    h[c * d + k] = self.after_factor(h[c * d + k] + -1 * product)
        if rows:
            h = [self.dot((w, h[c * d + k]) for c, w in row) for row in rows for k in range(d)]
        if b:
            h = [self.operate(x + y) for x, y in zip(h, b, strict=True)]
        return tuple(map(self.store, h))


class Layer:
    """A layer with its wiring; a state is all that the order of evaluation has to remember."""

    def __init__(self, data, rounds):
        self.rounds, self.n, self.reads, form = rounds, data["n"], data["reads"], rounds.form
        self.initial, self.action, self.next = data["initial"], data["action"], data["next"]
        self.readout, self.matrices, self.slots = data["readout"], [], []

        def vector(texts, form=rounds.weight):
            return tuple(rounds.read(x, form) for x in texts)

        def sparse(entries):
            places = [i for i, _ in entries]
            ordered = places == sorted({*places}) and all(i < self.n for i in places)
            need(ordered, "the entries of a matrix are not in order")
            return list(zip(places, vector(x for _, x in entries), strict=True))

        self.h0, self.b = vector(data["h0"], rounds.state), []
        for x in data["actions"]:
            self.b.append(vector(x["b"]))
            rows = [sparse(row) for row in x.get("a", ())]
            factors = [(sparse(f["k"]), *vector([f["beta"]])) for f in x.get("factors", ())]
            self.matrices.append((self.n, rows, factors))
            diagonal = all(i == j for i, row in enumerate(rows) for j, _ in row)
            formed = len(rows) == self.n and not factors and (diagonal or not rounds.factored)
            need(formed or (rounds.factored and "a" not in x), "no matrix of this arithmetic")
        self.scores = Arithmetic("float64:each" if form and form.in_doubles else "exact")
        for slot in data["codewords"]:
            words = [[(i, rounds.read(x, form)) for i, x in enumerate(word)] for word in slot]
            words = [[(i, c) for i, c in word if c != 0] for word in words]
            squares = [self.scores.dot((c, c) for _, c in word) for word in words]
            halves = [self.scores.store(Fraction(-1, 2) * x) for x in squares]
            self.slots.append((len(slot[0]), list(zip(words, halves, strict=True))))
            need(len({*map(len, slot)}) == 1, "the codewords of a slot have two sizes")
        sizes = {sum(size for size, _ in self.slots), len(self.h0), *map(len, self.b)}
        whole = len(sizes) == 1 and len(self.h0) % self.n == 0
        need(whole and self.reads in ("previous", "current", "shifted"), "a malformed layer")
        self.start: Any = frozenset({(self.h0, 1)}) if rounds.is_cast else (self.h0, ())
        self.step = lru_cache(1 << 17)(self.advance)

    def dense(self, p):
        """A matrix of which all entries count."""
        return self.n, [list(enumerate(p[i : i + self.n])) for i in range(0, len(p), self.n)], ()

    def flat(self, action):
        """All entries of the matrix of an action; factors act on the identity."""
        n, rows, factors = self.matrices[action]
        if rows:
            return tuple(dict(row).get(j, 0) for row in rows for j in range(n))
        return self.rounds.affine((n, rows, factors), [i % (n + 1) == 0 for i in range(n * n)])

    def advance(self, state, action):
        """The state after an action, and what the readout says: (previous, current)."""
        rounds, matrix, b = self.rounds, self.matrices[action], self.b[action]
        if rounds.is_cast:
            terms, near = Counter([b]), rounds.form.nearest
            for term, count in state:
                terms[rounds.affine(matrix, term)] += count
            kept = frozenset((x, c) for x, c in terms.items() if any(x) or near(0) != 0)
            return kept, *self.read_out(self.shown(kept), action)
        (seen, blocks), grown = state, ()
        if not rounds.tree and not rounds.chunk:
            seen = rounds.affine(matrix, seen, b)
        elif rounds.tree or not blocks:
            grown = (*blocks, (1, self.flat(action), b))
        else:
            size, p, s = blocks[0]
            grown = ((size + 1, rounds.affine(matrix, p), rounds.affine(matrix, s, b)),)
        while rounds.tree and len(grown) > 1 and grown[-1][0] == grown[-2][0]:
            (size, p, s), (_, q, r) = grown[-2:]
            q = self.dense(q)
            grown = (*grown[:-2], (2 * size, rounds.affine(q, p), rounds.affine(q, s, r)))
        seen = self.shown((seen, grown))
        through = not grown or grown[0][0] == rounds.chunk
        return (seen, ()) if through else (state[0], grown), *self.read_out(seen, action)

    def shown(self, state):
        """What a readout sees of a state: in the cast model, its cast."""
        if not self.rounds.is_cast:
            seen, blocks = state
            for _, p, s in blocks:
                seen = self.rounds.affine(self.dense(p), seen, s)
            return seen
        near = self.rounds.form.nearest
        casts = [[count * near(x) for x in term] for term, count in state]
        return tuple(near(sum(x)) for x in zip([0] * len(self.h0), *casts, strict=True))

    def read_out(self, x, action):
        """(previous, current) of the nearest codeword, slot by slot; ties to the lowest.

        NaN scores -inf.
        """
        index = start = 0
        for size, words in self.slots:
            best, top = 0, None
            for j, (word, half) in enumerate(words):
                score = self.scores.dot((c, x[start + i]) for i, c in word)
                score = self.scores.store(score + half)
                worse = score != score or score == -math.inf
                if not worse and (top is None or score + -1 * top > 0):
                    best, top = j, score
            index, start = index * len(words) + best, start + size
        previous, current = self.readout[action][index]
        return previous, current

    def need_no_rounding(self):
        """Every order of evaluation meets numbers of the format only, so that all orders agree."""
        exact, rounds = Arithmetic("exact"), self.rounds
        rows = [row for _, rows, _ in self.matrices for row in rows]
        moving = all(len(row) < 2 and abs(w) == 1 for row in rows for _, w in row)
        need(moving and len(rows) == self.n * len(self.b), "a matrix does more than move entries")

        def moves(h):
            for x in (*h, *(-1 * x for x in h), -1, 0, 1):
                fits = not isinstance(x, float) and rounds.operate(x) == rounds.store(x) == x
                need(fits, "a number in some order is none of the format")
            return [exact.affine(m, h, b) for m, b in zip(self.matrices, self.b, strict=True)]

        reachable({self.h0, (0,) * len(self.h0)}, moves)

    def follow(self, steps, maps):
        """The number of states that steps lead to, which move coordinates by maps.

        A step comes with the map of all letters but the last, and the last one.  The maps of
        single letters are filled in where they are not known.
        """

        def moves(here):
            state, p = here
            for step, before, a in steps:
                there, previous, current = step(state)
                true = self.reads != "previous" or previous == before[p]
                true = true and maps[a].setdefault(before[p], current) == current
                need(true, "a layer does not move its coordinate by maps")
                yield there, current

        return len(reachable([(self.start, self.initial)], moves))

    def orderless(self, maps):
        """The affine maps of all words in all bracketings, as `follow` takes them."""
        affine, known, every = self.rounds.affine, [], tuple(range(len(self.next[0])))

        def grow(new):
            known.append(new)
            for old in known:
                for (p, s, before, a), (q, r, later, last) in ((old, new), (new, old)):
                    image = affine(self.dense(q), p), affine(self.dense(q), s, r)
                    finite = not any(isinstance(x, float) for part in image for x in part)
                    need(finite, "an affine map is not finite")
                    yield *image, tuple(later[maps[a].get(i, i)] for i in before), last

        def step(state, p, s, action):
            h = affine(self.dense(p), state[0], s)
            return (h, ()), *self.read_out(h, action)

        whole = self.rounds.operate(0) == 0 and not self.rounds.factored
        need(whole, "letters do not act like affine maps")
        letters = [(self.flat(a), self.b[a], every, a) for a in maps]
        blocks = reachable(letters, grow)
        return [(partial(step, p=p, s=s, action=a), before, a) for p, s, before, a in blocks]


class Tail:
    """Levels of m, ..., 2 coordinates that exclude a state each; docs/cascades.md has the rule."""

    def __init__(self, data):
        self.delta, self.answers, self.initial = data["delta"], data["answers"], data["initial"]
        self.sizes = range(len(self.initial) + 1, 1, -1)
        self.contexts = [(frozenset(x), a, frozenset(y)) for x, a, y in data["contexts"]]
        for x, a, y in self.contexts:
            fits = x and max(len(x), len(y)) <= len(self.sizes) + 1
            need(fits and {self.delta[a][q] for q in x} <= y, "a wrong context of the tail")

    def walk(self, context, coordinates):
        """The coordinates after a letter, and the answer."""
        (before, a, after), moved = self.contexts[context], []
        for size, p in zip(self.sizes, coordinates, strict=True):
            image = {self.delta[a][q] for q in before}
            gone = sorted(before)[p] if len(before) == size else None
            if len(after) == size:
                out = self.delta[a][gone] if image == after else min(after - image)
                p = sorted(after).index(out)
                after -= {out}
            before -= {gone}
            moved.append(p)
        return moved, self.answers[a][min(before)]

    def enter(self, contexts, block, claim):
        """What is known of every context must lie in its blocks, and the automata must agree."""
        meaning = {}
        for c, x, a, y in contexts:
            before, letter, after = self.contexts[c]
            same = meaning.setdefault(x, before) == before and x <= before
            same = same and meaning.setdefault(y, after) == after and y <= after
            need(same and claim.classes[a] == letter, "a wrong context of the tail")
        rest = meaning[block]
        for size, p in zip(self.sizes, self.initial, strict=True):
            rest = rest - {sorted(rest)[p]} if len(rest) == size else rest
        for a, c in enumerate(claim.classes):
            same = self.delta[c] == claim.delta[a] and self.answers[c] == claim.answers[a]
            need(same and rest == {claim.start[2]}, "the tail is of another automaton")


class Claim:
    """A certificate, read.  A configuration: (states of layers, coordinates kept, automaton)."""

    def __init__(self, data):
        rest = {k: v for k, v in data.items() if k != "digest"}
        text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
        version = data.get("schema"), data.get("version")
        need(version == ("lrnn-theory/certificate", 2), "not a certificate of version 2")
        same = data.get("digest") == hashlib.sha256(text.encode()).hexdigest()
        need(same, "the digest does not match: the file was changed")
        need(re.fullmatch(INDICES, text), "a number that is no index")
        self.data, machine, net = data, data["automaton"], data["lrnn"]
        self.claim, self.method, self.views = data["claim"], data.get("method"), {}
        self.letters, self.delta, self.answers = map(machine.get, ("letters", "delta", "answers"))
        self.classes, self.combine = net["letter_class"], net["combine"]
        self.output, self.empty = net["output"], (net.get("empty"), machine.get("empty"))
        rounds = Arithmetic(data["arithmetic"], field(**net["field"]) if "field" in net else None)
        self.bracketing, proved = data.get("bracketing"), self.claim == "proved"
        orders = {None: not (proved and rounds.tree), "exact": proved}
        orders["order-free"] = proved and self.method == "compositional"
        need(orders.get(self.bracketing), "this order of evaluation is not proved like this")
        if self.bracketing:
            rounds.tree, rounds.chunk = None, 0  # one order stands for all
        self.heads = [[Layer(level, rounds) for level in head] for head in net["heads"]]
        self.layers = [layer for head in self.heads for layer in head]
        kept = [x.initial for x in self.layers if x.reads == "shifted"]
        self.tail = Tail(net["tail"]) if "tail" in net else None
        if self.tail:
            kept += self.tail.initial
            used = (-1, 0, 1) if rounds.factored else (0, 1)
            holds = all(rounds.operate(x) == rounds.store(x) == x for x in used)
            need(holds and len(self.heads) == 1, "a tail follows one head, and needs 0 and 1")
        self.start = tuple(x.start for x in self.layers), tuple(kept), machine["initial"]
        tables = self.letters, {*self.letters}, self.classes, self.delta, self.answers
        shapes = {*map(len, tables)}, {len(row) for row in (*self.delta, *self.answers)}
        whole = all(len(x) == 1 for x in shapes) and len(self.combine) == len(self.heads) - 1
        named = type(self.letters) is list and all(isinstance(x, str) for x in self.letters)
        inside = max(machine["initial"], *map(max, self.delta)) < len(self.delta[0])
        need(whole and named and inside, "malformed tables")

    def after(self, here, letter):
        """The configuration after a letter, what a readout sees, its answer and the right one."""
        states, kept, q = here
        inputs, memory, after, new, joint = iter(states), iter(kept), [], [], 0
        for number, head in enumerate(self.heads):
            c = self.classes[letter]
            for layer in head:
                h, previous, current = layer.step(next(inputs), layer.action[c])
                after.append(h)
                if layer.reads == "shifted":
                    previous = next(memory)
                    new.append(current)
                c = layer.next[c][current if layer.reads == "current" else previous]
            joint = self.combine[number - 1][joint][c] if number else c
        moved, answer = self.tail.walk(joint, memory) if self.tail else ((), self.output[joint])
        there = tuple(after), (*new, *moved), self.delta[letter][q]
        return there, (letter, *there[:2], kept), answer, self.answers[letter][q]

    def replay(self, word):
        """What a readout sees after a word of [letter, count], its answer and the right one."""
        here, view, (answer, right) = self.start, None, self.empty
        for name, count in word:
            letter = self.letters.index(name)
            need(count, "a letter that does not come")
            for _ in range(count):
                here, view, answer, right = self.after(here, letter)
        return view, answer, right

    def shown(self, letter, states, *kept):
        """What a readout sees, without what the cast model hides of states."""
        return letter, *(x.shown(h) for x, h in zip(self.layers, states, strict=True)), kept

    def cost(self):
        """About how many steps of layers the proof takes."""
        data, words = self.data, [self.data.get("word", ()), *self.data.get("words", ())]
        length = sum(count for word in words for _, count in word)
        cast = any(x.rounds.is_cast for x in self.layers)
        need(not cast or length <= MAX_CAST, "a cast model of long words: use lrnn check")
        length += data.get("preperiod", 0) + data.get("period", 0)
        length += data.get("states", 0) * len(self.letters)
        closed = zip(data.get("layers", ()), self.layers, strict=False)
        return length * len(self.layers) + sum(x["states"] * len(v.b) for x, v in closed)

    def check(self):
        """Prove the claim again; `ends` says where the words of a refutation lead."""
        words = [self.data["word"]] if self.claim == "refuted" else self.data.get("words", ())
        self.ends = ends = [self.replay(word) for word in words]
        if self.claim == "refuted":
            _, answer, right = ends[0]
            need(answer != right and None not in ends[0][1:], "the word is answered correctly")
        elif self.claim == "confused":
            (view, _, right), (other_view, _, other) = ends
            alike = view and other_view and self.shown(*view) == self.shown(*other_view)
            need(alike and right != other, "the words do not look alike")
        else:
            methods = {m.__name__: m for m in (self.closure, self.orbit, self.compositional)}
            need(self.claim == "proved" and self.method in methods, "unknown claim or method")
            self.any = self.data.get("decoder") == "any"
            need(not self.any or self.method == "closure", "any decoder needs a closure")
            need(self.any or self.empty[0] == self.empty[1], "the empty word is answered wrongly")
            for layer in self.layers if self.bracketing == "exact" else ():
                layer.need_no_rounding()
            facts = methods[self.method]()
            same = all(self.data.get(k, v) == v for k, v in facts.items())
            need(same, "other states than stated")

    def rightly(self, here, letter):
        """The configuration after a letter that is answered right."""
        there, view, answer, right = self.after(here, letter)
        if self.any:
            answer = self.views.setdefault(self.shown(*view), right)
        need(answer == right, "a word is answered wrongly")
        return there

    def orbit(self):
        """One letter, whose walk comes back to where it has been."""
        here, mark = self.start, None
        for i in range(self.data["preperiod"] + self.data["period"]):
            mark = here if i == self.data["preperiod"] else mark
            here = self.rightly(here, 0)
        need(len(self.letters) == 1 and here == mark, "the walk does not come back")
        return {}

    def closure(self):
        """All reachable configurations."""
        letters, digest = range(len(self.letters)), hashlib.sha256()
        found = reachable([self.start], lambda x: [self.rightly(x, a) for a in letters])
        stated = bool(self.data.get("states_digest"))
        for states, kept, q in found if stated else ():
            numbers = [float(x) for h, _ in states for x in h]
            digest.update(struct.pack(f"<{len(numbers)}d{len(kept) + 1}q", *numbers, *kept, q))
        return {"states": len(found), "states_digest": digest.hexdigest() * stated}

    def compositional(self):
        """Every layer by itself, then the wiring by induction: contexts (c, x, letter, y)."""
        whole, counts, joint = frozenset(range(len(self.delta[0]))), [], set()
        for number, head in enumerate(self.heads):
            contexts, block = {(c, whole, a, whole) for a, c in enumerate(self.classes)}, whole
            for layer in head:
                maps = {a: {} for a in sorted({layer.action[c] for c, *_ in contexts})}
                every = range(len(layer.next[0]))
                letters = [(partial(layer.step, action=a), every, a) for a in maps]
                counts.append({"states": layer.follow(letters, maps)})
                if self.bracketing == "order-free":
                    layer.follow(layer.orderless(maps), maps)
                contexts, block = self.refine(layer, maps, contexts, block)
            if number:
                contexts = {
                    (self.combine[number - 1][j][c], x & x2, a, y & y2)
                    for j, x, a, y in joint
                    for c, x2, a2, y2 in contexts
                    if a == a2 and x & x2
                }
            joint = contexts
            if self.tail:
                self.tail.enter(joint, block, self)
        for j, x, a, _ in joint if not self.tail else ():
            right = {self.answers[a][q] for q in x} == {self.output[j]}
            need(right, "an answer is not proved")
        return {"layers": counts}

    def refine(self, layer, maps, contexts, block):
        """Contexts below a level, with blocks x and y narrowed to its tiles, and the first tile."""
        leaving, grown, below = defaultdict(list), defaultdict(set), set()
        for c, x, a, y in contexts:
            leaving[x].append((c, a, y))

        def moves(here):
            x, p, q = here
            return [(y, maps[layer.action[c]][p], self.delta[a][q]) for c, a, y in leaving[x]]

        for x, p, q in reachable([(block, layer.initial, self.start[2])], moves):
            grown[x, p].add(q)
        tiles = {place: frozenset(tile) for place, tile in grown.items()}
        for (x, p), tile in tiles.items():
            for c, a, y in leaving[x]:
                current = maps[layer.action[c]][p]
                read = current if layer.reads == "current" else p
                below.add((layer.next[c][read], tile, a, tiles[y, current]))
        return below, tiles[block, layer.initial]


def check(data, announce=None):
    """Prove the claim of a certificate again: the Claim, or ValueError."""
    try:
        claim = Claim(data)
        cost = claim.cost()
        if announce:
            announce(f"{claim.claim}: {cost} steps of layers, 10 to 500 microseconds each")
        need(cost <= MAX_STEPS, f"more than {MAX_STEPS} steps of layers")
        claim.check()
    except (MemoryError, RecursionError) as error:
        raise ValueError(f"too large to check ({type(error).__name__})") from None
    except (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError) as error:
        raise ValueError(f"malformed ({type(error).__name__}: {error})") from None
    return claim


def unique(pairs):
    """An object of JSON; a key that stands twice could show a reader another claim."""
    need(len(dict(pairs)) == len(pairs), "a key of a JSON object stands twice")
    return dict(pairs)


def main(arguments):
    """Command line: one certificate file."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            claim = check(json.load(file, object_pairs_hook=unique), print)
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        print(f"rejected: {error}", file=sys.stderr)
        return 2
    word = claim.data.get("word", claim.data.get("words", "for all lengths"))
    print(f"checked: {claim.claim} {json.dumps(word)} in {claim.data['arithmetic']}")
    return int(claim.claim != "proved")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
