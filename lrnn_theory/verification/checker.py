"""Prove the claim of a certificate again: python -I -S checker.py certificate.json.

This file needs the standard library only and shares no code with the prover.  In integers and
fractions it computes all that is claimed again; a float is an infinity or a NaN.  The format, the
proofs, and the files beside this one that few certificates need are in docs/certificates.md.
Exit code: 0 the proof holds, 1 "refuted" or "confused" holds, 2 the certificate is rejected.
"""

import hashlib
import json
import math
import re
import sys
from fractions import Fraction
from functools import cache, lru_cache
from importlib import util
from itertools import repeat
from pathlib import Path
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
ARITHMETIC = r"([^:@]+):(each|wide|once|cast)(\+fma)?(\+factored)?(?:\+acc=([^:@]+))?(?:@(.+))?"
INDICES = r'(?>[0-9\[\]{}:,]|"(?>[^"\\]|\\.)*")*'
MAX_STATES, MAX_STEPS, MAX_SIZE = 5_000_000, 1_000_000_000, 500_000_000


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


@cache
def load(name):
    """One of the files beside this one, as a module in which this one is called `core`."""
    path = Path(__file__).with_name(f"checker_{name}.py")
    need(path.is_file(), f"this certificate needs the file {path.name}, beside the checker")
    spec: Any = util.spec_from_file_location(path.stem, path)
    module: Any = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.core = sys.modules[__name__]
    return module


class Float:
    """A floating-point format; it rounds once, ties to even."""

    def __init__(self, text):
        name, _, mark = text.partition("!")
        self.precision, self.exponent, largest, overflow = FLOATS[name]
        need(mark in ("", "inf", "sat", "nan"), f"unknown overflow {mark[:40]!r}")
        self.overflow, self.in_doubles, self.finest = mark or overflow, True, 1 << -self.exponent
        self.ends, self.corners = (-largest, largest), (Fraction(1, self.finest), largest)

    def grid(self, x, even=True):
        """The nearest number, were none too large; not `even`: of two, the smaller."""
        n, d = x.numerator, x.denominator
        size = n.bit_length() - d.bit_length()  # 2^(size - 1) < |x| < 2^(size + 1)
        size -= abs(n) << max(-size, 0) < d << max(size, 0)
        exponent = max(self.exponent, size - self.precision + 1)
        d <<= max(exponent, 0)
        q, r = divmod(n << max(-exponent, 0), d)
        q += 2 * r > d or (2 * r == d and even and q % 2)
        return q << exponent if exponent >= 0 else Fraction(q, 1 << -exponent)

    def nearest(self, x):
        """The number that an exact number, an infinity or a NaN becomes."""
        if not isinstance(x, float):
            n, d = x.numerator, x.denominator
            if n.bit_length() <= self.precision and d & (d - 1) == 0 and d <= self.finest:
                return n if d == 1 else x  # few bits, over a power of two
            x = self.grid(x)
            if abs(x) <= self.ends[1]:
                return x
            x = math.inf if x > 0 else -math.inf
        if math.isnan(x) or self.overflow == "nan":
            return math.nan  # always the same object, so that equal states are equal
        return x if self.overflow == "inf" else self.ends[x > 0]


class Arithmetic:
    """How numbers are read, and how a step is rounded."""

    def __init__(self, text, field=None):
        match: Any = re.fullmatch(ARITHMETIC, "float64:each" if text == "exact" else text)
        need(match, f"unknown arithmetic {text[:40]!r}")
        form, self.name, self.fma, self.factored, inner, self.order = match.groups()
        self.field: Any = load("arithmetic").field(**field) if field is not None else None
        self.form: Any = None if text == "exact" else self.format(form)
        self.state = None if self.name == "cast" else self.form
        stored = self.state if self.state and self.state.precision else None
        self.weight = lambda x: self.read(x, stored)
        self.store = self.state.nearest if self.state else lambda x: x
        self.operate = self.store if self.name == "each" else lambda x: x
        self.plain = not (self.factored or self.order or self.name == "cast")
        need((inner is None) == (self.name != "wide"), f"unknown arithmetic {text[:40]!r}")
        if inner:
            self.operate = self.format(inner).nearest
            need(all(self.operate(x) == x for x in self.form.corners), "a narrow accumulator")

    def format(self, text):
        """A number format."""
        return Float(text) if text.split("!")[0] in FLOATS else load("arithmetic").Format(text)

    def read(self, text, form):
        """A number of a format, or an exact one."""
        special = form and text in ("inf", "-inf", "nan")
        parse = self.field.number if " " in text else rational
        value = form.nearest(float(text)) if special else parse(text)
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

    def affine(self, rows, b, x):
        """A x + b, with the rows [(column, weight), ...] of A; b may be empty."""
        d = len(x) // len(rows)
        try:
            h = [self.dot((w, x[c * d + k]) for c, w in row) for row in rows for k in range(d)]
            if b:
                h = [self.operate(s + y) for s, y in zip(h, b, strict=True)]
        except OverflowError:  # an infinity or a NaN met a number beyond all doubles
            h = load("arithmetic").affine(self, rows, b, x)
        return tuple(map(self.store, h))


class Layer:
    """A layer with its wiring."""

    def __init__(self, rounds, n, initial, h0, codewords, actions, readout, action, next, reads):
        self.rounds, self.n, self.initial, self.reads = rounds, n, initial, reads
        self.readout, self.action, self.next, self.slots = readout, action, next, []
        self.h0 = tuple(rounds.read(x, rounds.state) for x in h0)
        if rounds.plain:  # the state is all that is remembered, and a readout sees all of it
            self.letters = [self.letter(**x) for x in actions]
            self.start, self.shown = self.h0, lambda h: h
            self.after = lambda h, action: rounds.affine(*self.letters[action], h)
        else:
            model = load("arithmetic").model(self, actions)
            self.letters, self.start, self.after, self.shown = model
        self.step = lru_cache(1 << 17)(self.advance)
        in_doubles = rounds.form and rounds.form.in_doubles
        self.scores = Arithmetic("float64:each" if in_doubles else "exact")
        for slot in codewords:
            words = [[(i, rounds.read(x, rounds.form)) for i, x in enumerate(w)] for w in slot]
            words = [[(i, c) for i, c in word if c != 0] for word in words]
            squares = [self.scores.dot((c, c) for _, c in word) for word in words]
            halves = [self.scores.store(Fraction(-1, 2) * x) for x in squares]
            self.slots.append((len(slot[0]), list(zip(words, halves, strict=True))))
            need(len({*map(len, slot)}) == 1, "the codewords of a slot have two sizes")
        sizes = {sum(size for size, _ in self.slots), *(len(b) for _, b in self.letters)}
        need(sizes == {len(h0)} and reads in ("previous", "current", "shifted"), "malformed layer")

    def letter(self, a, b):
        """The matrix and the input of an action."""
        need(len(a) == self.n, "no matrix of this arithmetic")
        return [self.sparse(row) for row in a], tuple(map(self.rounds.weight, b))

    def sparse(self, entries):
        """Entries (place, weight) of a vector."""
        places = [i for i, _ in entries]
        need(places == sorted({*places}) and all(i < self.n for i in places), "unordered entries")
        return [(i, self.rounds.weight(x)) for i, x in entries]

    def advance(self, state, action):
        """What is remembered after an action, and what the readout says: (previous, current)."""
        there = self.after(state, action)
        return there, *self.read_out(self.shown(there), action)

    def read_out(self, x, action):
        """(previous, current) of the nearest codeword, slot by slot; ties to the lowest."""
        index = start = 0
        for size, words in self.slots:
            scores = []
            for w, half in words:
                score = self.scores.store(self.scores.dot((c, x[start + i]) for i, c in w) + half)
                scores.append(-math.inf if score is math.nan else score)
            index, start = index * len(words) + scores.index(max(scores)), start + size
        return self.readout[action][index]

    def maps(self, actions):
        """How each action moves the coordinate, whatever came before; the number of states."""
        maps = {a: {} for a in actions}

        def moves(here):
            state, p = here
            for a in actions:
                there, previous, current = self.step(state, a)
                true = maps[a].setdefault(p, current) == current
                true = true and (self.reads != "previous" or previous == p)
                need(true, "a layer does not move its coordinate by maps")
                yield there, current

        return maps, len(reachable([(self.start, self.initial)], moves))


class Claim:
    """A certificate, read.  A configuration: (states of layers, coordinates kept, automaton)."""

    def __init__(self, claim, arithmetic, automaton: Any, lrnn: Any, **facts):
        self.claim, self.arithmetic, self.facts = claim, arithmetic, facts
        self.method, self.bracketing = facts.pop("method", None), facts.pop("bracketing", None)
        proofs = {("refuted", None): self.refuted, ("proved", "compositional"): self.compositional}
        self.prove = proofs.get((claim, self.method)) or load("proofs").proof(self)
        self.read_automaton(**automaton)
        self.read_network(**lrnn)

    def read_automaton(self, letters, delta, initial, answers, empty=None):
        """What is right."""
        self.letters, self.delta, self.answers, self.right_empty = letters, delta, answers, empty
        self.initial, sizes = initial, {len(letters), len({*letters}), len(delta), len(answers)}
        whole = len(sizes) == 1 == len({len(row) for row in (*delta, *answers)})
        named = type(letters) is list and all(isinstance(x, str) for x in letters)
        inside = max(initial, *map(max, delta)) < len(delta[0])
        need(whole and named and inside, "malformed tables")

    def read_network(self, letter_class, heads, combine, output, empty=None, field=None, tail=None):
        """What answers."""
        self.classes, self.output, self.empty = letter_class, output, empty
        self.combine = [[range(1 << 60)], *combine]  # contexts of the first head stay as they are
        rounds = Arithmetic(self.arithmetic, field)
        if not rounds.plain or self.bracketing is not None:
            load("proofs").prepare(self, rounds)
        self.heads = [[Layer(rounds, **level) for level in head] for head in heads]
        self.layers = [layer for head in self.heads for layer in head]
        kept = tuple(x.initial for x in self.layers if x.reads == "shifted")
        self.tail = load("proofs").Tail(self, rounds, **tail) if tail is not None else None
        kept += self.tail.initial if self.tail else ()
        self.start = tuple(x.start for x in self.layers), kept, self.initial
        whole = len(letter_class) == len(self.letters) and len(combine) == len(heads) - 1
        need(whole, "malformed tables")

    def after(self, here, letter):
        """The configuration after a letter, its answer and the right one."""
        states, kept, q = here
        inputs, memory, after, new, joint = iter(states), iter(kept), [], [], 0
        for head, combine in zip(self.heads, self.combine, strict=True):
            c = self.classes[letter]
            for layer in head:
                state, previous, current = layer.step(next(inputs), layer.action[c])
                after.append(state)
                if layer.reads == "shifted":
                    previous = next(memory)
                    new.append(current)
                c = layer.next[c][current if layer.reads == "current" else previous]
            joint = combine[joint][c]
        moved, answer = self.tail.walk(joint, memory) if self.tail else ((), self.output[joint])
        there = tuple(after), (*new, *moved), self.delta[letter][q]
        return there, answer, self.answers[letter][q]

    def cost(self, word=(), words=(), preperiod=0, period=0, states=0, layers=(), **_):
        """About how many steps of layers the proof takes."""
        walks = sum(count for x in (word, *words) for _, count in x) + preperiod + period
        closed = zip(layers, self.layers, strict=False)
        configurations = (walks + states * len(self.letters)) * len(self.layers)
        return configurations + sum(x["states"] * len(v.letters) for x, v in closed)

    def spell(self, word):
        """The letters of a word of [letter, count]."""
        for name, count in word:
            need(count, "a letter that does not come")
            yield from repeat(self.letters.index(name), count)

    def refuted(self, word):
        """A word that is answered wrongly; `ends` has the answers."""
        here, answer, right = self.start, self.empty, self.right_empty
        for letter in self.spell(word):
            here, answer, right = self.after(here, letter)
        need(answer != right and None not in (answer, right), "the word is answered correctly")
        self.ends: Any = [(answer, right)]

    def compositional(self, layers=None):
        """Every layer by itself, then the wiring by induction: contexts (c, x, letter, y)."""
        need(self.empty == self.right_empty, "the empty word is answered wrongly")
        whole, counts = frozenset(range(len(self.delta[0]))), []
        joint, block = {(0, whole, a, whole) for a in range(len(self.letters))}, whole
        for head, combine in zip(self.heads, self.combine, strict=True):
            contexts, block = {(c, whole, a, whole) for a, c in enumerate(self.classes)}, whole
            for layer in head:
                maps, states = layer.maps({layer.action[c] for c, *_ in contexts})
                counts.append({"states": states})
                contexts, block = self.refine(layer, maps, contexts, block)
            joint = {
                (combine[j][c], x & x2, a, y & y2)
                for j, x, a, y in joint
                for c, x2, a2, y2 in contexts
                if a == a2 and x & x2
            }
        if self.tail:
            self.tail.enter(joint, block)
        for j, x, a, _ in joint if not self.tail else ():
            need({self.answers[a][q] for q in x} == {self.output[j]}, "an answer is not proved")
        need(layers in (None, counts), "other states than stated")

    def refine(self, layer, maps, contexts, block):
        """Contexts below a level, with blocks x and y narrowed to its tiles, and the first tile."""
        leaving, grown, below = {}, {}, set()
        for c, x, a, y in contexts:
            leaving.setdefault(x, []).append((c, a, y))

        def moves(here):
            x, p, q = here
            return [(y, maps[layer.action[c]][p], self.delta[a][q]) for c, a, y in leaving[x]]

        for x, p, q in reachable([(block, layer.initial, self.initial)], moves):
            grown.setdefault((x, p), set()).add(q)
        tiles = {place: frozenset(tile) for place, tile in grown.items()}
        for (x, p), tile in tiles.items():
            for c, a, y in leaving[x]:
                current = maps[layer.action[c]][p]
                read = current if layer.reads == "current" else p
                below.add((layer.next[c][read], tile, a, tiles[y, current]))
        return below, tiles[block, layer.initial]


def opened(data):
    """What a certificate says, if nobody changed it."""
    contents = {k: v for k, v in data.items() if k != "digest"}
    text = json.dumps(contents, sort_keys=True, separators=(",", ":"))
    version = contents.pop("schema", None), contents.pop("version", None)
    need(version == ("lrnn-theory/certificate", 2), "not a certificate of version 2")
    same = data.get("digest") == hashlib.sha256(text.encode()).hexdigest()
    need(same, "the digest does not match: the file was changed")
    need(re.fullmatch(INDICES, text), "a number that is no index")
    return contents


def check(data, announce=lambda _: None):
    """Prove the claim of a certificate again: the Claim, or ValueError."""
    try:
        claim = (load("proofs").Census if "layer" in data else Claim)(**opened(data))
        cost = claim.cost(**claim.facts)
        announce(f"{claim.claim}: {cost} steps of layers, 10 to 500 microseconds each")
        need(cost <= MAX_STEPS, f"more than {MAX_STEPS} steps of layers")
        claim.prove(**claim.facts)
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
            claim = check(json.loads(file.read(MAX_SIZE), object_pairs_hook=unique), print)
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        print(f"rejected: {error}", file=sys.stderr)
        return 2
    word = claim.facts.get("word", claim.facts.get("words", "for all lengths"))
    print(f"checked: {claim.claim} {json.dumps(word)} in {claim.arithmetic}")
    return int(claim.claim in ("refuted", "confused"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
