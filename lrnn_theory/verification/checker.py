"""Re-prove a certificate with the standard library alone.

    python -I -S checker.py certificate.json

It shares no code with the prover.  From the automaton, the stored weights and the wiring in the
file it recomputes the claim: "proved" by closing every layer by itself and following the wiring
("compositional"), or by closing all reachable configurations ("closure"); "refuted" by replaying
the word.  Numbers are integers and fractions; rounding is integer arithmetic.  Every integer in
the file is an index, and one out of range stops the proof; weights are texts.

Exit code: 0 the claim "proved" holds, 1 the claim "refuted" holds, 2 the certificate is rejected.
"""

import hashlib
import json
import math
import re
import sys
from collections import deque
from fractions import Fraction
from functools import cache
from typing import Any, NoReturn

# name: (precision, smallest normal exponent, largest value, default overflow)
FORMATS: dict[str, tuple[int, int, Fraction, str]] = {
    "float64": (53, -1022, Fraction(2**53 - 1) * 2**971, "inf"),
    "float32": (24, -126, Fraction(2**24 - 1) * 2**104, "inf"),
    "bfloat16": (8, -126, Fraction(255) * 2**120, "inf"),
    "float16": (11, -14, Fraction(65504), "inf"),
    "float8_e4m3": (4, -6, Fraction(448), "nan"),
    "float8_e5m2": (3, -14, Fraction(57344), "inf"),
}
MAX_STATES = 5_000_000
MAX_FIELD = 10_000


class Rejected(ValueError):  # noqa: N818 - the name of an outcome
    """The certificate does not prove its claim."""


def reject(reason) -> NoReturn:
    """Stop the proof."""
    raise Rejected(reason)


def need(condition, reason):
    """Stop the proof unless the condition holds."""
    if not condition:
        reject(reason)


# -------------------------------------------------------------------- numbers


class Real:
    """sum_i c_i zeta^i, a real number of the cyclotomic field of order n (one n a certificate)."""

    def __init__(self, n, c):
        self.n, self.c = n, modulo(n, c)

    def __add__(self, x):
        other = x.c if isinstance(x, Real) else modulo(self.n, [Fraction(x)])
        return Real(self.n, [a + b for a, b in zip(self.c, other, strict=True)])

    def __mul__(self, x):
        other = x.c if isinstance(x, Real) else [Fraction(x)]
        product = [Fraction(0)] * (len(self.c) + len(other))
        for i, a in enumerate(self.c):
            for j, b in enumerate(other):
                product[i + j] += a * b
        return Real(self.n, product)

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, x):
        return not any((self + -1 * x).c)

    def __hash__(self):
        return hash(self.c if any(self.c[1:]) else self.c[0])

    def __lt__(self, x):
        return self * -1 > x * -1

    def __gt__(self, x):  # by enclosures of growing precision
        difference, bits = (self + -1 * x).c, 64
        while any(difference):
            total = sum(a * cosine(i, self.n, bits) for i, a in enumerate(difference))
            if abs(total) > sum(map(abs, difference)) * 2 ** (bits // 2):
                return total > 0
            bits *= 2
        return False


@cache
def cyclotomic(n):
    """Coefficients of the n-th cyclotomic polynomial, from Phi_1 = x - 1, prime by prime.

    Phi_pm(x) = Phi_m(x^p) if p divides m, else Phi_m(x^p) / Phi_m(x).
    """
    phi, m, p = [-1, 1], 1, 2
    while m < n:
        while n // m % p:
            p += 1
        powers = [0] * ((len(phi) - 1) * p + 1)
        powers[::p] = phi
        if m % p:
            quotient = []
            for i in range(len(powers) - 1, len(phi) - 2, -1):
                lead = powers[i]
                quotient.append(lead)
                for j, x in enumerate(phi, i - len(phi) + 1):
                    powers[j] -= lead * x
            powers = quotient[::-1]
        phi, m = powers, m * p
    return phi


def modulo(n, c):
    """Coefficients modulo the n-th cyclotomic polynomial."""
    p, rest = cyclotomic(n), [sum(c[i::n], Fraction(0)) for i in range(n)]
    while len(rest) >= len(p):
        lead = rest[-1]
        if lead:
            for j, x in enumerate(p):
                rest[j - len(p)] -= lead * x
        rest.pop()
    return tuple(rest)


@cache
def cosine(i, n, bits):
    """cos(2 pi i / n) times 2^bits, within 2^(bits / 2): Machin's formula and Taylor's series."""

    def arctan(m):
        power, total, sign, k = (1 << bits) // m, 0, 1, 1
        while power:
            total, sign, power, k = total + sign * (power // k), -sign, power // (m * m), k + 2
        return total

    angle = 8 * i * (4 * arctan(5) - arctan(239)) // n
    total, term, sign, k = 0, 1 << bits, 1, 0
    while term:
        total, sign, k = total + sign * term, -sign, k + 2
        term = (term * angle * angle >> 2 * bits) // (k * (k - 1))
    return total


class Arithmetic:
    """How numbers are read and rounded, from the text of an arithmetic."""

    def __init__(self, text, field):
        self.exact, self.field = text == "exact", field
        if not self.exact:
            pattern = r"([a-z0-9_]+)(?:!(sat|nan|inf))?:(?:each|wide\+acc=(float32|float64))"
            match = re.fullmatch(pattern, text) or reject(f"unknown arithmetic {text!r}")
            self.form = (*FORMATS[match[1]][:3], match[2] or FORMATS[match[1]][3])
            self.inner = FORMATS[match[3]] if match[3] else self.form
            need(self.inner[0] >= self.form[0], f"unknown arithmetic {text!r}")
        else:
            need(type(field) is int and 0 < field <= MAX_FIELD, "the field is out of range")

    def read(self, text):
        """A stored weight: an integer, a hexadecimal float, or (exact only) an exact number."""
        if not self.exact:
            if text in ("inf", "-inf", "nan"):
                return float(text)
            stored = re.fullmatch(r"-?([0-9]{1,16}|0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,4})", text)
            value = Fraction(float.fromhex(text) if "x" in text else text) if stored else None
            if value is None or self.store(value) != value:
                reject(f"not a number of the format: {text[:40]!r}")
            return value if value.denominator > 1 else value.numerator
        c = [Fraction(0)] * self.field
        for term in text.split(" + "):
            pattern = r"(-?[0-9]+(?:/[1-9][0-9]*)?)(?: z([1-9][0-9]{0,4})\^([0-9]{1,5}))?"
            match = re.fullmatch(pattern, term) or reject(f"not an exact number: {text[:40]!r}")
            stride, rest = divmod(self.field, int(match[2] or 1))
            need(rest == 0, f"a number outside the field: {text[:40]!r}")
            c[int(match[3] or 0) * stride % self.field] += Fraction(match[1])
        value = Real(self.field, c)
        need(value == Real(self.field, [c[-i] for i in range(self.field)]), "a number is not real")
        return value if any(value.c[1:]) else value.c[0]

    def store(self, x):
        """Round to the format of the state."""
        return x if self.exact else nearest_number(x, self.form)

    def operate(self, x):
        """Round the result of one operation."""
        return x if self.exact else nearest_number(x, self.inner)


def nearest_number(x, form):
    """Round to a format, ties to even; a float here is an infinity or a NaN."""
    precision, low, largest, overflow = form
    if type(x) is int and abs(x) <= 1 << precision and abs(x) <= largest:
        return x
    if not isinstance(x, float):
        size = Fraction(abs(x))
        exponent = size.numerator.bit_length() - size.denominator.bit_length()
        exponent -= size < Fraction(2) ** exponent
        unit = Fraction(2) ** max(exponent - precision + 1, low - precision + 1)
        size = round(size / unit) * unit
        if size <= largest:
            size = size.numerator if size.denominator == 1 else size
            return size if x > 0 else -size
        x = math.inf if x > 0 else -math.inf
    if math.isnan(x) or overflow == "nan":
        return math.nan  # one object, so that states with it are equal
    if overflow == "inf":
        return x
    return int(math.copysign(largest, x))


# -------------------------------------------------------------------- layers


class Layer:
    """One layer with its wiring: step and decode, with a memory of what was computed."""

    def __init__(self, data, arithmetic):
        self.arithmetic, self.reads, self.initial = arithmetic, data["reads"], data["initial"]
        self.action, self.next, self.readout = data["action"], data["next"], data["readout"]
        n, self.d = data["n"], data["d"]
        self.h0 = tuple(map(arithmetic.read, data["h0"]))
        need(n > 0 < self.d and len(self.h0) == n * self.d, "a layer has inconsistent shapes")
        words = [[tuple(map(arithmetic.read, w)) for w in slot] for slot in data["codewords"]]
        self.slots = [(s * self.d, w) for s, w in zip(data["slots"], words, strict=True)]
        self.actions = [
            (self.rows(x["a"], n, n), self.rows(x["b"], n, self.d)) for x in data["actions"]
        ]
        shapes = {len(self.h0), sum(s for s, _ in self.slots)}
        need(self.reads in ("previous", "current", "shifted"), "unknown 'reads'")
        whole = all(slot and all(len(w) == s for w in slot) for s, slot in self.slots)
        need(whole and shapes == {n * self.d}, "a layer has inconsistent shapes")
        self.steps: dict[Any, Any] = {}
        self.decoded: dict[Any, int] = {}

    def rows(self, entries, n, columns):
        """Rows of (column, weight), which must come in ascending order."""
        places = [(r, c) for r, c, _ in entries]
        need(places == sorted(set(places)), "entries of a matrix are not in order")
        need(all(c < columns for _, c in places), "an entry is outside its matrix")
        rows = [[] for _ in range(n)]
        for r, c, x in entries:
            rows[r].append((c, self.arithmetic.read(x)))
        return rows

    def step(self, h, action):
        """The state after an action, and what the readout says: (previous, current)."""
        if (h, action) not in self.steps:
            need(len(self.steps) < MAX_STATES, f"more than {MAX_STATES} steps of a layer")
            operate, d, out = self.arithmetic.operate, self.d, []
            for row, inputs in zip(*self.actions[action], strict=True):
                for k in range(d):
                    total = 0
                    for i, (c, w) in enumerate(row):
                        term = operate(w * h[c * d + k])
                        total = operate(total + term) if i else term
                    total = operate(total + dict(inputs).get(k, 0))
                    out.append(self.arithmetic.store(total))
            self.steps[h, action] = tuple(out)
        after = self.steps[h, action]
        if after not in self.decoded:
            index, start = 0, 0
            for size, words in self.slots:
                x = after[start : start + size]
                index = index * len(words) + nearest_word(x, words, self.arithmetic.exact)
                start += size
            self.decoded[after] = index
        previous, current = self.readout[action][self.decoded[after]]
        return after, previous, current


def nearest_word(x, words, exact):
    """Index of the largest sum c_i x_i - |c|^2 / 2 over nonzero c_i, ties to the lowest index."""
    if exact and x in words:
        return words.index(x)
    best, top = 0, None if exact else -math.inf
    for j, word in enumerate(words):
        pairs = [(c, a) if exact else (float(c), float(a)) for c, a in zip(word, x) if c != 0]  # noqa: B905
        score = square = Fraction(0) if exact else 0.0
        for c, a in pairs:
            score, square = score + c * a, square + c * c
        score = score + square * (Fraction(-1, 2) if exact else -0.5)
        if top is None or score > top:
            best, top = j, score
    return best


class Tail:
    """Levels of sizes m, ..., 2 that exclude a state each; docs/cascades.md proves their rule.

    Their layers permute or reset one-hot vectors, so 0 and 1 are all they compute with.
    """

    def __init__(self, data):
        self.delta, self.response = data["delta"], data["response"]
        self.contexts = [(int(x, 16), a, int(y, 16)) for x, a, y in data["contexts"]]
        self.initial = tuple(data["initial"])
        self.sizes = range(len(self.initial) + 1, 1, -1)
        for x, a, y in self.contexts:
            largest = max(x.bit_count(), y.bit_count())
            if x < 1 or y < 1 or image(self.delta[a], x) & ~y or largest > len(self.initial) + 1:
                reject("a context of the tail is wrong")

    def walk(self, context, coordinates):
        """New coordinates and the answer: where s states remain, one of them is excluded."""
        before, a, after = self.contexts[context]
        row, moved = self.delta[a], []
        for size, p in zip(self.sizes, coordinates, strict=True):
            old, new, reached = members(before), members(after), image(row, before)
            if len(new) == size:
                missing = row[old[p]] if reached == after else None
                p_new = next(i for i, q in enumerate(new) if q == missing or not reached >> q & 1)
                after ^= 1 << new[p_new]
            else:
                p_new = p
            if len(old) == size:
                before ^= 1 << old[p]
            moved.append(p_new)
        mealy = isinstance(self.response[0], list)
        state = (before if mealy else after).bit_length() - 1
        return tuple(moved), (self.response[a] if mealy else self.response)[state]


def members(mask):
    return [q for q in range(mask.bit_length()) if mask >> q & 1]


def image(row, mask):
    return sum({1 << row[q] for q in members(mask)})


# -------------------------------------------------------------------- the claim


def indices(data):
    """Whether a tree of JSON holds texts and natural numbers only."""
    if isinstance(data, dict):
        data = list(data.values())
    return all(map(indices, data)) if isinstance(data, list) else (
        isinstance(data, str) or (type(data) is int and data >= 0)
    )  # fmt: skip


class Claim:
    """A certificate, read: what is claimed, of which automaton and which LRNN."""

    def __init__(self, data):
        if data.get("schema") != "lrnn-theory/certificate" or data.get("version") != 1:
            reject("not a certificate of version 1")
        rest = {k: v for k, v in data.items() if k != "digest"}
        text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
        if data.get("digest") != hashlib.sha256(text.encode()).hexdigest():
            reject("the digest does not match: the file was changed")
        need(indices(rest), "a number that is no index")
        self.claim, self.method, self.word = data["claim"], data["method"], data.get("word", [])
        machine, net, self.arithmetic = data["automaton"], data["lrnn"], data["arithmetic"]
        arithmetic = Arithmetic(self.arithmetic, net.get("field"))
        self.letters, self.symbols = machine["letters"], machine["output_symbols"]
        self.delta, self.initial = machine["delta"], machine["initial"]
        self.kind, self.states = machine["kind"], len(self.delta[0])
        need(self.kind in ("dfa", "moore", "mealy"), f"unknown kind {self.kind!r}")
        self.mealy = self.kind == "mealy"
        self.response = (
            machine["response"] if self.mealy else [machine["response"]] * len(self.delta)
        )
        self.classes, self.combine, self.answers = (
            net[name] for name in ("letter_class", "combine", "output_symbols")
        )
        self.output, self.empty = net["output"], net["empty_output"]
        self.heads = [[Layer(level, arithmetic) for level in head] for head in net["heads"]]
        self.layers = [layer for head in self.heads for layer in head]
        need(self.heads and len(self.combine) == len(self.heads) - 1, "heads are missing")
        self.tail = Tail(net["tail"]) if "tail" in net else None
        need(not self.tail or len(self.heads) == 1, "a tail follows one head")
        for names in (self.letters, self.symbols, self.answers, sorted(set(self.word))):
            texts = isinstance(names, list) and all(isinstance(x, str) for x in names)
            need(texts and len(set(names)) == len(names), "names must be distinct texts")
        plain = self.symbols == self.answers == ["0", "1"]
        need(plain or self.kind != "dfa", "a dfa answers 0 or 1")
        need(isinstance(self.word, list), "the word must be a list of letters")
        lengths = {len(self.letters), len(set(self.letters)), len(self.classes), len(self.delta)}
        rows = {len(row) for row in (*self.delta, *self.response)}
        if len(lengths) > 1 or rows != {self.states} or len(self.response) != len(self.delta):
            reject("the tables of the automaton have inconsistent shapes")
        need(max(self.initial, *map(max, self.delta)) < self.states, "a state is out of range")
        self.images: dict[tuple[int, int], int] = {}
        self.start = tuple((layer.h0, layer.initial) for layer in self.layers)
        self.start += (self.tail.initial,) if self.tail else ()

    def expected(self, letter, before, after):
        """The automaton's answer."""
        return self.symbols[self.response[letter][before if self.mealy else after]]

    def step(self, configuration, letter):
        """The next configuration (a pair of state and shifted coordinate a layer), the answer."""
        after, joint, layers = [], None, iter(configuration)
        for number, head in enumerate(self.heads):
            c = self.classes[letter]
            for layer in head:
                h, memory = next(layers)
                h, previous, current = layer.step(h, layer.action[c])
                read = {"previous": previous, "current": current, "shifted": memory}[layer.reads]
                c = layer.next[c][read]
                after.append((h, current if layer.reads == "shifted" else 0))
            joint = self.combine[number - 1][joint][c] if number else c
        if self.tail:
            moved, answer = self.tail.walk(joint, configuration[-1])
            return (*after, moved), self.answers[answer]
        return tuple(after), self.answers[self.output[joint]]

    def check(self):
        """Prove the claim again, or raise Rejected."""
        if self.claim == "refuted":
            self.replay()
        elif self.claim == "proved" and self.method in ("compositional", "closure"):
            first = self.expected(0, self.initial, self.initial)
            if not self.mealy and self.answers[self.empty] != first:
                reject("the empty word is answered wrongly")
            (self.compose if self.method == "compositional" else self.close)()
        else:
            reject(f"unknown claim {self.claim!r} by {self.method!r}")

    def replay(self):
        """The word must be answered wrongly after its last letter: (answered, expected)."""
        configuration, state = self.start, self.initial
        if self.mealy and not self.word:
            reject("a Mealy machine does not answer the empty word")
        expected, answer = self.expected(0, state, state), self.answers[self.empty]
        for letter in map(self.letters.index, self.word):
            configuration, answer = self.step(configuration, letter)
            before, state = state, self.delta[letter][state]
            expected = self.expected(letter, before, state)
        need(answer != expected, "the word is answered correctly")
        return answer, expected

    def close(self):
        """Close the reachable configurations; none may answer wrongly."""
        seen = {(self.start, self.initial)}
        queue = deque(seen)
        while queue:
            configuration, state = queue.popleft()
            for letter, row in enumerate(self.delta):
                after, answer = self.step(configuration, letter)
                if answer != self.expected(letter, state, row[state]):
                    reject("a word is answered wrongly")
                if (after, row[state]) not in seen:
                    need(len(seen) < MAX_STATES, f"more than {MAX_STATES} configurations")
                    seen.add((after, row[state]))
                    queue.append((after, row[state]))

    def compose(self):
        """Layers by themselves, then the wiring by induction; see docs/certificates.md."""
        whole, joint = (1 << self.states) - 1, {}
        for number, head in enumerate(self.heads):
            contexts, block = {}, whole
            for letter, c in enumerate(self.classes):
                contexts.setdefault(c, set()).add((whole, letter, whole))
            for layer in head:
                maps = coordinate_maps(layer, {layer.action[c] for c in contexts})
                contexts, block = self.refine(layer, maps, contexts, block)
            if self.tail:
                return self.enter(self.tail, contexts, block)
            if number:
                left, right, contexts = joint, contexts, {}
                for c, (x, a, y) in ((c, t) for c, triples in left.items() for t in triples):
                    for c2, (x2, a2, y2) in ((c, t) for c, ts in right.items() for t in ts):
                        if a == a2 and x & x2 and y & y2:
                            found = contexts.setdefault(self.combine[number - 1][c][c2], set())
                            found.add((x & x2, a, y & y2))
            joint = contexts
        for c, (old, letter, new) in ((c, t) for c, triples in joint.items() for t in triples):
            answer = self.answers[self.output[c]]
            for q in members(old if self.mealy else new):
                need(self.expected(letter, q, q) == answer, "an answer is not proved")
        return None

    def refine(self, layer, maps, contexts, block):
        """Narrow the triples (X, letter, Y) of every context by a level's coordinates."""
        leaving = {}
        for c, triples in contexts.items():
            for old, letter, new in triples:
                leaving.setdefault(old, []).append((c, letter, new))
        start = (block, layer.initial)
        tiles, queue = {start: 1 << self.initial}, deque([start])
        while queue:
            old, p = queue.popleft()
            for c, letter, new in leaving.get(old, ()):
                there = (new, maps[layer.action[c]][p])
                grown = tiles.get(there, 0) | self.image(letter, tiles[old, p])
                if grown != tiles.get(there):
                    tiles[there] = grown
                    queue.append(there)
        below = {}
        for (old, p), states in tiles.items():
            for c, letter, new in leaving.get(old, ()):
                current = maps[layer.action[c]][p]
                target = layer.next[c][current if layer.reads == "current" else p]
                below.setdefault(target, set()).add((states, letter, tiles[new, current]))
        return below, tiles[start]

    def image(self, letter, mask):
        """The image of a set of states."""
        if (letter, mask) not in self.images:
            self.images[letter, mask] = image(self.delta[letter], mask)
        return self.images[letter, mask]

    def enter(self, tail, contexts, block):
        """What is known of every context must lie in its blocks, and the automata must agree."""
        meaning = {}
        for c, triples in contexts.items():
            before, letter, after = tail.contexts[c]
            for old, a, new in triples:
                same = [meaning.setdefault(x, y) == y for x, y in ((old, before), (new, after))]
                if self.classes[a] != letter or not all(same) or old & ~before or new & ~after:
                    reject("a context of the tail is wrong")
        remaining = meaning[block]
        for p, size in zip(tail.initial, tail.sizes, strict=True):
            if remaining.bit_count() == size:
                remaining ^= 1 << members(remaining)[p]
        for a, c in enumerate(self.classes):
            answers = [self.answers[i] for i in (tail.response[c] if self.mealy else tail.response)]
            same = answers == [self.symbols[i] for i in self.response[a]]
            if remaining != 1 << self.initial or tail.delta[c] != self.delta[a] or not same:
                reject("the tail is of another automaton")


def coordinate_maps(layer, used):
    """How actions in use move a layer's coordinate, by closing the layer's states."""
    label = {layer.h0: layer.initial}
    maps, queue = {a: {} for a in used}, deque([layer.h0])
    while queue:
        h = queue.popleft()
        for a, moved in maps.items():
            after, previous, current = layer.step(h, a)
            if after not in label:
                queue.append(after)
            true = layer.reads != "previous" or previous == label[h]
            if not true or moved.setdefault(label[h], current) != current:
                reject("a layer misreports a coordinate")
            if label.setdefault(after, current) != current:
                reject("a state of a layer has two coordinates")
    return maps


def check(data, announce=None):
    """Re-prove a certificate; the Claim, or Rejected (a ValueError)."""
    try:
        claim = Claim(data)
        if announce:
            actions = sum(len(layer.actions) for layer in claim.layers)
            contexts = sum(len(layer.action) for layer in claim.layers)
            announce(
                f"{claim.claim} by {claim.method}: {claim.states} states, {len(claim.letters)} "
                f"letters, {len(claim.layers)} layers, {actions} actions, {contexts} contexts"
            )
        claim.check()
    except Rejected:
        raise
    except (MemoryError, RecursionError) as error:
        raise Rejected(f"too large to check ({type(error).__name__})") from None
    except (AttributeError, ArithmeticError, LookupError, StopIteration) as error:
        raise Rejected(f"malformed ({type(error).__name__}: {error})") from None
    except (TypeError, ValueError) as error:
        raise Rejected(f"malformed ({type(error).__name__}: {error})") from None
    return claim


def unique(pairs):
    """An object of JSON; a key that stands twice could show a reader another claim."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key of a JSON object stands twice")
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
    if claim.claim == "refuted":
        print(f"checked: refuted by the word {' '.join(claim.word)!r} in {claim.arithmetic}")
        return 1
    print(f"checked: proved for all lengths in {claim.arithmetic}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
