"""What few certificates need beyond checker.py, which loads this file then and is its `core`.

Formats       fixed point and finite sets of numbers
Real          irrational numbers
model         layers in factors, in chunks, as trees, and in the cast model
prepare       proofs that hold in every order of evaluation
Tail          levels that exclude a state each
Census        all states of one layer
proof         the configurations of a network, listed or walked; two words that look alike
"""

import hashlib
import math
import re
import struct
from bisect import bisect_left
from collections import Counter
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

core: Any = None  # the module that loads this file; it sets the name
MAX_CAST = 5_000
REMARKS = {"theorem", "spectra", "preperiod", "period"}  # why words look alike: not proved again


# -------------------------------------------------------------------- numbers


class Format:
    """Fixed point, rounded to nearest, ties to even; or a finite set, ties to the smaller."""

    precision = 0

    def __init__(self, text):
        name, _, mark = text.partition("!")
        self.values, choices = [], ["sat"]
        if fixed := re.fullmatch(r"fixed([0-9]+)\.(-?[0-9]+)", name):
            self.unit, half = Fraction(2) ** -int(fixed[2]), 1 << int(fixed[1]) - 1
            self.ends, choices = (-half * self.unit, (half - 1) * self.unit), ["sat", "wrap"]
            self.corners = self.unit, *self.ends
        else:
            core.need(name[:1] + name[-1:] == "{}", f"unknown format {name[:40]!r}")
            self.values = self.corners = sorted(map(core.rational, name[1:-1].split(",")))
            self.ends = self.values[0], self.values[-1]
        core.need(mark in ("", *choices), f"unknown overflow {mark[:40]!r}")
        self.wraps, self.in_doubles = mark == "wrap", fixed and int(fixed[1]) <= 53

    def grid(self, x, even=True):
        """The nearest number beyond which none ends; not `even`: of two, the smaller."""
        if self.values:  # of two at one distance, min takes the first
            i = bisect_left(self.values, x)
            return min(self.values[max(i - 1, 0) : i + 1], key=lambda v: abs(v - x))
        x = Fraction(x) / self.unit
        return (round(x) if even else math.ceil(x - Fraction(1, 2))) * self.unit

    def multiples(self):
        """All numbers of a fixed-point format."""
        low, high = (int(x / self.unit) for x in self.ends)
        core.need(high - low <= core.MAX_STATES, "too many numbers")
        return [i * self.unit for i in range(low, high + 1)]

    def nearest(self, x):
        """The number that an exact number, an infinity or a NaN becomes."""
        (low, high), special = self.ends, isinstance(x, float)
        if special and (math.isnan(x) or self.wraps):
            return 0
        if not special:
            x = x.by(self.grid) if isinstance(x, Real) else self.grid(x)
            x = (x - low) % (high - low + self.unit) + low if self.wraps else x
        x = min(max(x, low), high)
        return x.numerator if x.denominator == 1 else x


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
    def number(cls, text):
        """A number by the coefficients of its text."""
        return cls.of(map(core.rational, text.split(" ")))

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
        """The coefficients of a number that may be a fraction."""
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

    def __gt__(self, y):
        difference = self + -1 * y
        if isinstance(difference, Real):
            return difference.by(lambda x: x > 0)
        return difference > 0

    def __lt__(self, y):
        return -1 * self > -1 * y

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
    f, (low, high) = list(map(core.rational, polynomial)), map(core.rational, interval)
    slopes = bounds([i * c for i, c in enumerate(f)][1:], low, high)
    ends = bounds(f, low, low)[0] * bounds(f, high, high)[0]
    core.need(low < high and ends < 0 < slopes[0] * slopes[1], "theta is not well defined")
    return type("Number", (Real,), {"f": f, "low": low, "high": high})


# -------------------------------------------------------------------- what layers remember


def model(layer, actions):
    """Letters, the first state, the state after a letter, and what a readout sees of a state."""
    rounds = layer.rounds
    letters = [letter(layer, **x) for x in actions]
    if rounds.name == "cast":
        core.need(not rounds.order, "the cast model has no other order of evaluation")
        memory = Cast(rounds, letters, layer.h0)
    elif rounds.order:
        memory = Blocks(rounds, letters, layer.h0, layer.n)
    else:
        memory = Plain(rounds, letters, layer.h0)
    return letters, memory.start, memory.after, memory.shown


def letter(layer, b, a=None, factors=None):
    """The matrix and the input of an action; the matrix may be a list of factors (key, beta)."""
    rounds = layer.rounds
    if factors is None:
        matrix, b = layer.letter(a, b)
        diagonal = all(i == j for i, row in enumerate(matrix) for j, _ in row)
        core.need(diagonal or not rounds.factored, "no matrix of this arithmetic")
        return matrix, b
    whole = rounds.factored and a is None and len(layer.h0) % layer.n == 0
    core.need(whole, "no matrix of this arithmetic")
    pairs = [read_factor(layer, **f) for f in factors]
    return Factors(layer.n, pairs), tuple(map(rounds.weight, b))


def read_factor(layer, k, beta):
    """The entries of the key, and beta."""
    return layer.sparse(k), layer.rounds.weight(beta)


class Factors:
    """A matrix of n rows, the product of I - beta k k^T, of which the last acts first."""

    def __init__(self, n, factors):
        self.n, self.factors = n, factors

    def affine(self, rounds, b, x):
        """A x + b."""
        after_factor = rounds.store if rounds.name == "once" else rounds.operate
        h, d = list(x), len(x) // self.n
        for key, beta in reversed(self.factors):
            for k in range(d):
                s = rounds.operate(beta * rounds.dot((w, h[c * d + k]) for c, w in key))
                for c, w in key:
                    product = w * s if rounds.fma else rounds.operate(w * s)
                    h[c * d + k] = after_factor(h[c * d + k] + -1 * product)
        if b:
            h = [rounds.operate(x + y) for x, y in zip(h, b, strict=True)]
        return tuple(map(rounds.store, h))


def act(rounds, matrix, b, x):
    """A x + b, by factors or by rows."""
    if isinstance(matrix, Factors):
        return matrix.affine(rounds, b, x)
    return rounds.affine(matrix, b, x)


def dense(p, n):
    """The rows of a matrix of which all entries count."""
    return [list(enumerate(p[i : i + n])) for i in range(0, len(p), n)]


def flat(rounds, matrix, n):
    """All entries of a matrix; factors act on the identity."""
    if isinstance(matrix, Factors):
        return matrix.affine(rounds, (), [int(i % (n + 1) == 0) for i in range(n * n)])
    return tuple(dict(row).get(j, 0) for row in matrix for j in range(n))


class Plain:
    """Letter after letter, be they matrices or factors."""

    def __init__(self, rounds, letters, h0):
        self.rounds, self.letters, self.start = rounds, letters, h0

    def after(self, h, action):
        """A H + B."""
        matrix, b = self.letters[action]
        return act(self.rounds, matrix, b, h)

    def shown(self, h):
        """All of the state."""
        return h


class Blocks:
    """Letters multiplied before they meet the state: (state, blocks (length, product, sum))."""

    def __init__(self, rounds, letters, h0, n):
        self.rounds, self.letters, self.n, self.start = rounds, letters, n, (h0, ())
        match: Any = re.fullmatch(r"tree|chunk:([1-9][0-9]*)", rounds.order)
        core.need(match, f"unknown order of evaluation {rounds.order[:40]!r}")
        self.chunk = int(match[1] or 0)

    def after(self, state, action):
        """In chunks, one block that grows; as a tree, blocks of one length are joined."""
        (h, blocks), (matrix, b), rounds = state, self.letters[action], self.rounds
        if self.chunk and blocks:
            ((size, p, s),) = blocks
            blocks = ((size + 1, act(rounds, matrix, (), p), act(rounds, matrix, b, s)),)
        else:
            blocks = self.joined((*blocks, (1, flat(rounds, matrix, self.n), b)))
        through = blocks[0][0] == self.chunk
        return (self.shown((h, blocks)), ()) if through else (h, blocks)

    def joined(self, blocks):
        """Blocks of which the last two have no longer one length."""
        while len(blocks) > 1 and blocks[-1][0] == blocks[-2][0]:
            (size, p, s), (_, q, r) = blocks[-2:]
            q, affine = dense(q, self.n), self.rounds.affine
            blocks = (*blocks[:-2], (2 * size, affine(q, (), p), affine(q, r, s)))
        return blocks

    def shown(self, state):
        """The state with all blocks applied to it."""
        h, blocks = state
        for _, p, s in blocks:
            h = self.rounds.affine(dense(p, self.n), s, h)
        return h


class Cast:
    """Exact terms, each with how often it comes; a readout sees the cast sum of their casts."""

    def __init__(self, rounds, letters, h0):
        self.rounds, self.letters, self.size = rounds, letters, len(h0)
        self.start = frozenset({(h0, 1)})

    def near(self, x):
        """The nearest number, ties to the smaller; beyond the ends, the end."""
        grid = partial(self.rounds.form.grid, even=False)
        x = x.by(grid) if isinstance(x, Real) else grid(x)
        low, high = self.rounds.form.ends
        return min(max(x, low), high)

    def after(self, terms, action):
        """Every term is moved, and the input is a new one."""
        (matrix, b), moved = self.letters[action], Counter()
        moved[b] = 1
        for term, count in terms:
            moved[act(self.rounds, matrix, (), term)] += count
        counts = self.near(0) != 0  # whether a term of zeros does
        return frozenset((x, c) for x, c in moved.items() if counts or any(x))

    def shown(self, terms):
        """The cast of the sum of casts."""
        casts = [[count * self.near(x) for x in term] for term, count in terms]
        return tuple(self.near(sum(x)) for x in zip([0] * self.size, *casts, strict=True))


# -------------------------------------------------------------------- orders of evaluation


def prepare(claim, rounds):
    """Before layers are read: see to it that a proof ends, and holds in the orders it says."""
    proved, bracketing, prove = claim.claim == "proved", claim.bracketing, claim.prove
    ways = {None: not (proved and rounds.order == "tree")}  # which never comes back
    ways |= {"exact": proved, "order-free": proved and claim.method == "compositional"}
    core.need(ways.get(bracketing), "this order of evaluation is not proved like this")
    if bracketing is not None:
        rounds.order = None  # letter after letter stands for all

    def prove_all(**facts):
        if rounds.name == "cast":  # the k-th letter moves k terms
            words = facts.get("word", ()), *facts.get("words", ())
            length = sum(count for word in words for _, count in word)
            core.need(length <= MAX_CAST, "a cast model of long words: use lrnn check")
        for layer in claim.layers if bracketing is not None else ():
            if bracketing == "exact":
                need_no_rounding(layer)
            else:
                layer.maps = partial(order_free_maps, layer, layer.maps)
        prove(**facts)

    claim.prove = prove_all


def need_no_rounding(layer):
    """Every order of evaluation meets numbers of the format only, so that all orders agree."""
    exact, rounds = core.Arithmetic("exact"), layer.rounds
    rows = [row for matrix, _ in layer.letters for row in as_rows(matrix)]
    moving = all(len(row) < 2 and abs(w) == 1 for row in rows for _, w in row)
    core.need(moving, "a matrix does more than move entries")

    def moves(h):
        for x in (*h, *(-1 * x for x in h), -1, 0, 1):
            fits = not isinstance(x, float) and rounds.operate(x) == rounds.store(x) == x
            core.need(fits, "a number in some order is none of the format")
        return [exact.affine(matrix, b, h) for matrix, b in layer.letters]

    core.reachable({layer.h0, (0,) * len(layer.h0)}, moves)


def as_rows(matrix):
    """The rows of a matrix that is no product."""
    core.need(not isinstance(matrix, Factors), "a matrix does more than move entries")
    return matrix


def order_free_maps(layer, sequential, actions):
    """How actions move the coordinate letter after letter, if all other orders agree.

    x holds the affine maps (p, s) of all words in all bracketings, with the last letter and how
    all letters before it move coordinates.
    """
    maps, states = sequential(actions)
    rounds, every, known = layer.rounds, tuple(range(len(layer.next[0]))), []
    whole = rounds.operate(0) == 0 and not rounds.factored
    core.need(whole, "letters do not act like affine maps")

    def grow(new):
        known.append(new)
        for old in known:
            for (p, s, before, a), (q, r, later, last) in ((old, new), (new, old)):
                q = dense(q, layer.n)
                image = rounds.affine(q, (), p), rounds.affine(q, r, s)
                finite = not any(isinstance(x, float) for part in image for x in part)
                core.need(finite, "an affine map is not finite")
                yield *image, tuple(later[maps[a].get(i, i)] for i in before), last

    letters = [
        (flat(rounds, layer.letters[a][0], layer.n), layer.letters[a][1], every, a) for a in actions
    ]
    found = core.reachable(letters, grow)

    def moves(here):
        h, coordinate = here
        for p, s, before, a in found:
            there, passed = rounds.affine(dense(p, layer.n), s, h), before[coordinate]
            previous, current = layer.read_out(there, a)
            true = layer.reads != "previous" or previous == passed
            true = true and maps[a].setdefault(passed, current) == current
            core.need(true, "a layer does not move its coordinate by maps in every order")
            yield there, current

    core.reachable([(layer.h0, layer.initial)], moves)
    return maps, states


# -------------------------------------------------------------------- exclusion tails


class Tail:
    """Levels of m, ..., 2 coordinates that exclude a state each; docs/cascades.md has the rule."""

    def __init__(self, claim, rounds, delta, answers, initial, contexts):
        self.claim, self.delta, self.answers, self.initial = claim, delta, answers, tuple(initial)
        self.sizes = range(len(initial) + 1, 1, -1)
        self.contexts = [(frozenset(x), a, frozenset(y)) for x, a, y in contexts]
        for x, a, y in self.contexts:
            fits = x and max(len(x), len(y)) <= len(self.sizes) + 1
            core.need(fits and {delta[a][q] for q in x} <= y, "a wrong context of the tail")
        used = (-1, 0, 1) if rounds.factored else (0, 1)
        holds = all(rounds.operate(x) == rounds.store(x) == x for x in used)
        core.need(holds and len(claim.heads) == 1, "a tail follows one head, and needs 0 and 1")

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

    def enter(self, contexts, block):
        """What is known of every context must lie in its blocks, and the automata must agree."""
        claim, meaning = self.claim, {}
        for c, x, a, y in contexts:
            before, letter, after = self.contexts[c]
            same = meaning.setdefault(x, before) == before and x <= before
            same = same and meaning.setdefault(y, after) == after and y <= after
            core.need(same and claim.classes[a] == letter, "a wrong context of the tail")
        rest = meaning[block]
        for size, p in zip(self.sizes, self.initial, strict=True):
            rest = rest - {sorted(rest)[p]} if len(rest) == size else rest
        for a, c in enumerate(claim.classes):
            same = self.delta[c] == claim.delta[a] and self.answers[c] == claim.answers[a]
            core.need(same and rest == {claim.initial}, "the tail is of another automaton")


# -------------------------------------------------------------------- configurations


def proof(claim):
    """What proves a claim that is not decided letter by letter or layer by layer."""
    proofs: Any = {("proved", "orbit"): orbit, ("proved", "closure"): closure}
    proofs["confused", None] = confused
    if (claim.claim, claim.method) == ("proved", "eventual"):
        proofs["proved", "eventual"] = core.extension("checker_eventual.py").eventual
    found = proofs.get((claim.claim, claim.method))
    core.need(found, "unknown claim or method")
    unknown = claim.facts.keys() - {"words", *REMARKS}
    core.need(found != confused or not unknown, f"unknown fields: {sorted(unknown)}"[:200])
    return partial(found, claim)


def rightly(claim, here, letter):
    """The configuration after a letter that is answered right."""
    there, answer, right = claim.after(here, letter)
    core.need(answer == right, "a word is answered wrongly")
    return there


def seen(claim, here, letter, there):
    """What a readout sees of a letter: of what a layer remembers, no more than its state."""
    states = [layer.shown(x) for layer, x in zip(claim.layers, there[0], strict=True)]
    return letter, *states, here[1], there[1]


def read(claim, here, letter, decoder, answers):
    """As `rightly`; for any decoder, equal views must need equal answers."""
    if not decoder:
        return rightly(claim, here, letter)
    there, _, right = claim.after(here, letter)
    same = answers.setdefault(seen(claim, here, letter, there), right) == right
    core.need(same, "a word is answered wrongly, whatever the decoder")
    return there


def orbit(claim, preperiod, period):
    """One letter, whose walk comes back to where it has been."""
    core.need(claim.empty == claim.right_empty, "the empty word is answered wrongly")
    here, mark = claim.start, None
    for i in range(preperiod + period):
        mark = here if i == preperiod else mark
        here = rightly(claim, here, 0)
    core.need(len(claim.letters) == 1 and here == mark, "the walk does not come back")


def closure(claim, states=None, states_digest="", decoder=None):
    """All reachable configurations; with any decoder, equal views must need equal answers."""
    core.need(decoder in (None, "any"), "an unknown decoder")
    same = decoder or claim.empty == claim.right_empty
    core.need(same, "the empty word is answered wrongly")
    letters, answers = range(len(claim.letters)), {}

    def moves(here):
        return [read(claim, here, a, decoder, answers) for a in letters]

    found = core.reachable([claim.start], moves)
    digest = hashlib.sha256()
    for memories, kept, q in found if states_digest else ():
        numbers = [float(x) for h in memories for x in h]
        digest.update(struct.pack(f"<{len(numbers)}d{len(kept) + 1}q", *numbers, *kept, q))
    same = states in (None, len(found)) and states_digest in ("", digest.hexdigest())
    core.need(same, "other states than stated")


def confused(claim, words, **_):
    """Two words that a readout sees alike, and that must be answered differently."""
    (view, *answers), (other_view, *other) = (replay(claim, word) for word in words)
    alike = view is not None and view == other_view
    core.need(alike and answers[1] != other[1], "the words do not look alike")
    claim.ends = [answers, other]


def replay(claim, word):
    """What a readout sees after a word, its answer and the right one."""
    here, last, answer, right = claim.start, None, claim.empty, claim.right_empty
    for letter in claim.spell(word):
        last = here, letter
        here, answer, right = claim.after(here, letter)
    return last and seen(claim, *last, here), answer, right


# -------------------------------------------------------------------- all states of a layer


class Census:
    """A certificate about one layer: what becomes of all its states, one action repeated."""

    def __init__(self, claim, arithmetic, layer: Any, field=None, **facts):
        self.claim, self.arithmetic, self.facts = claim, arithmetic, facts
        rounds = core.Arithmetic(arithmetic, field)
        follows = rounds.state and not rounds.order
        core.need(claim == "census" and follows, "no census of this arithmetic")
        self.layer, self.numbers = core.Layer(rounds, **layer), finite_numbers(rounds.form)

    def cost(self, **_):
        """The number of states."""
        return len(self.numbers) ** len(self.layer.h0)

    def prove(self, action, states, periods, overflow):
        """How many states end in a cycle of each period, or leave the finite numbers."""
        total, ends = self.cost(), {}  # the period that a state ends in; 0 beyond the numbers
        core.need(total <= core.MAX_STATES, f"more than {core.MAX_STATES} states")
        starts = list(product(self.numbers, repeat=len(self.layer.h0)))
        for here in starts:
            path = {}
            while here not in path and here not in ends:
                path[here] = len(path)
                if any(isinstance(x, float) for x in here):
                    ends[here] = 0
                else:
                    here = self.layer.after(here, action)
            end = ends[here] if here in ends else len(path) - path[here]
            ends.update(dict.fromkeys(path, end))
        counts = Counter(ends[start] for start in starts)
        found = total, counts.pop(0, 0), sorted(map(list, counts.items()))
        core.need(found == (states, overflow, periods), "other counts than stated")


def finite_numbers(form):
    """All finite numbers of a format."""
    if not isinstance(form, core.Float):
        return sorted(set(form.values)) or form.multiples()
    core.need(form.precision <= 11, "too many numbers")
    numbers, unit = {0}, Fraction(1, form.finest)
    while unit <= form.ends[1]:
        numbers |= {m * unit for m in range(1 << form.precision)}
        unit *= 2
    positive = [x for x in numbers if x <= form.ends[1]]
    return sorted({*positive, *(-x for x in positive)})
