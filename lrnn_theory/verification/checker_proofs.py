"""Claims and proofs that few certificates need; checker.py loads this file then and is its `core`.

prepare       proofs that hold in every order of evaluation
Tail          levels that exclude a state each
proof         the configurations of a network, listed or walked; two words that look alike
Census        all states of one layer
"""

import hashlib
import re
import struct
from collections import Counter
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

core: Any = None  # the module that loads this file; it sets the name
MAX_CAST = 5_000  # letters
REMARKS = {"theorem", "spectra", "preperiod", "period"}  # why words look alike: not proved again


# -------------------------------------------------------------------- orders of evaluation


def prepare(claim, rounds):
    """Before layers are read: see to it that a proof ends, and holds in the orders it says."""
    proved, bracketing, prove = claim.claim == "proved", claim.bracketing, claim.prove
    known = re.fullmatch(r"tree|chunk:[1-9][0-9]{0,8}", rounds.order or "tree")
    known = known and not (rounds.factored and rounds.order == "tree")
    core.need(known, f"unknown order of evaluation {claim.arithmetic[-40:]!r}")
    if rounds.name == "cast":
        core.need(re.fullmatch(r"[^!]+:cast", claim.arithmetic), "the cast model has no options")
        claim.cost = partial(cast_cost, claim)
    ways = {None: not (proved and rounds.order == "tree")}  # which never comes back
    ways |= {"exact": proved, "order-free": proved and claim.method == "compositional"}
    core.need(ways.get(bracketing), "this order of evaluation is not proved like this")
    if bracketing is not None:
        rounds.order = None  # letter after letter stands for all

    def prove_all(**facts):
        for layer in claim.layers if bracketing is not None else ():
            if bracketing == "exact":
                need_no_rounding(layer)
            else:
                layer.maps = partial(order_free_maps, layer, layer.maps)
        prove(**facts)

    claim.prove = prove_all


def cast_cost(claim, **facts):
    """About how many terms layers move in the cast model: the k-th letter of a word moves k."""
    words = facts.get("word", ()), *facts.get("words", ())
    lengths = [sum(count for _, count in word) for word in words]
    if claim.method == "eventual":
        lengths.append(facts["preperiod"] + facts["period"])
    other = "; lrnn check compares longer words" if claim.claim == "confused" else ""
    reason = f"{sum(lengths)} letters in the cast model, which is followed for {MAX_CAST}{other}"
    core.need(sum(lengths) <= MAX_CAST, reason)
    return core.Claim.cost(claim, **facts) + len(claim.layers) * sum(k * k // 2 for k in lengths)


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
    factors = isinstance(matrix, core.load("arithmetic").Factors)
    core.need(not factors, "a matrix does more than move entries")
    return matrix


def order_free_maps(layer, sequential, actions):
    """How actions move the coordinate letter after letter, if all other orders agree.

    x holds the affine maps (p, s) of all words in all bracketings, with the last letter and how
    all letters before it move coordinates.
    """
    maps, states = sequential(actions)
    dense, flat = core.load("arithmetic").dense, core.load("arithmetic").flat
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
        proofs["proved", "eventual"] = core.load("eventual").eventual
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
