"""Re-prove a certificate with the standard library alone: python -I -S checker.py c.json

It shares no code with the prover.  From the automaton, the stored weights and the wiring in the
file it recomputes the claim: "proved" by closing every layer by itself and following the wiring
("compositional"), or by closing all reachable configurations ("closure"); "refuted" by replaying
the word.  Numbers are integers and fractions; rounding is integer arithmetic.

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

# name: (precision, smallest normal exponent, largest value, default overflow)
FORMATS = {
    "float64": (53, -1022, Fraction(2**53 - 1) * 2**971, "inf"),
    "float32": (24, -126, Fraction(2**24 - 1) * 2**104, "inf"),
    "bfloat16": (8, -126, Fraction(255) * 2**120, "inf"),
    "float16": (11, -14, Fraction(65504), "inf"),
    "float8_e4m3": (4, -6, Fraction(448), "nan"),
    "float8_e5m2": (3, -14, Fraction(57344), "inf"),
}
MAX_STATES = 5_000_000
MALFORMED = (KeyError, IndexError, TypeError, AttributeError, OverflowError, ZeroDivisionError)


class Rejected(ValueError):  # noqa: N818 - the name of an outcome
    """The certificate does not prove its claim."""


def need(condition, message):
    if not condition:
        raise Rejected(message)


# -------------------------------------------------------------------- numbers


class Real:
    """sum_i c_i zeta^i, a real number of the cyclotomic field of order n (one n a certificate)."""

    def __init__(self, n, c):
        self.n, self.c = n, reduced(n, c)

    def other(self, x):
        return x.c if isinstance(x, Real) else reduced(self.n, [Fraction(x)])

    def __add__(self, x):
        return Real(self.n, [a + b for a, b in zip(self.c, self.other(x), strict=True)])

    def __mul__(self, x):
        c = [Fraction(0)] * (2 * len(self.c))
        for j, b in enumerate(self.other(x)):
            if b:
                for i, a in enumerate(self.c):
                    c[i + j] += a * b
        return Real(self.n, c)

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, x):
        return self.c == self.other(x)

    def __hash__(self):
        return hash(self.c) if any(self.c[1:]) else hash(self.c[0])

    def __gt__(self, x):  # by enclosures of growing precision
        difference, bits = (self + -1 * x).c, 64
        while any(difference):
            total = sum(a * cosine(i, self.n, bits) for i, a in enumerate(difference) if a)
            if abs(total) > sum(map(abs, difference)) * 2 ** (bits // 2):
                return total > 0
            bits *= 2
        return False


@cache
def cyclotomic(n):
    """Coefficients of the n-th cyclotomic polynomial: x^n - 1 divided by those of divisors."""
    p = [-1] + [0] * (n - 1) + [1]
    for d in range(1, n):
        if n % d == 0:
            q = cyclotomic(d)
            quotient = []
            while len(p) >= len(q):
                lead = p[-1]
                quotient.append(lead)
                for j, x in enumerate(reversed(q)):
                    p[-1 - j] -= lead * x
                p.pop()
            p = quotient[::-1]
    return p


def reduced(n, c):
    """Coefficients modulo the n-th cyclotomic polynomial."""
    p = cyclotomic(n)
    out = [Fraction(0)] * n
    for i, x in enumerate(c):
        out[i % n] += x
    while len(out) >= len(p):
        lead = out[-1]
        for j in range(len(p)):
            out[len(out) - len(p) + j] -= lead * p[j]
        out.pop()
    return tuple(out)


@cache
def cosine(i, n, bits):
    """cos(2 pi i / n) times 2^bits, within 2^(bits / 2): Machin's formula and Taylor's series."""

    def arctan(m):
        power, total, k = (1 << bits) // m, 0, 1
        while power:
            total, power, k = total + power // k, -(power // (m * m)), k + 2
        return total

    angle = 8 * i * (4 * arctan(5) - arctan(239)) // n
    total, term, k = 0, 1 << bits, 0
    while term:
        total, k = total + term, k + 2
        term = -(abs(term) * angle * angle >> 2 * bits) // (k * (k - 1)) * (1 if term > 0 else -1)
    return total


def read_number(x, field):
    """A stored weight: an integer, a hexadecimal float, or (`field` not None) an exact text."""
    if type(x) is int:
        return x
    need(type(x) is str, "a weight is not a number")
    if field is None:
        special = x in ("inf", "-inf", "nan")
        need(special or re.fullmatch(r"-?0x[01]\.[0-9a-f]+p[+-]\d+", x), f"no number: {x[:40]!r}")
        return float(x) if special else Fraction(float.fromhex(x))
    c = [Fraction(0)] * field
    for term in x.split(" + "):
        match = re.fullmatch(r"(-?\d+(?:/[1-9]\d*)?)(?: z([1-9]\d{0,4})\^(\d{1,5}))?", term)
        need(match and field % int(match[2] or 1) == 0, f"no exact number: {x[:40]!r}")
        c[int(match[3] or 0) * (field // int(match[2] or 1)) % field] += Fraction(match[1])
    value = Real(field, c)
    return value if any(value.c[1:]) else value.c[0]


class Arithmetic:
    """How numbers are rounded, from the text of an arithmetic."""

    def __init__(self, text, field):
        self.exact, self.field = text == "exact", None
        if self.exact:
            need(type(field) is int and 0 < field <= 100_000, "no field of numbers")
            self.field = field
            return
        pattern = r"([a-z0-9_]+)(?:!(sat|nan|inf))?:(each|wide)(?:\+acc=(float32|float64))?"
        match = re.fullmatch(pattern, text)
        need(match and match[1] in FORMATS, f"unknown arithmetic {text!r}")
        need((match[3] == "wide") == (match[4] is not None), f"unknown arithmetic {text!r}")
        self.form = (*FORMATS[match[1]][:3], match[2] or FORMATS[match[1]][3])
        self.inner = FORMATS[match[4]] if match[4] else self.form

    def store(self, x):
        return x if self.exact else nearest_number(x, self.form)

    def operate(self, x):
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
    if math.isnan(x) or overflow == "inf":
        return x
    return math.nan if overflow == "nan" else int(math.copysign(largest, x))


# -------------------------------------------------------------------- layers


def indices(values, length, bound, what):
    """A list of `length` integers in 0..bound-1."""
    good = type(values) is list and len(values) == length
    need(good and all(type(x) is int and 0 <= x < bound for x in values), f"wrong {what}")
    return values


class Layer:
    """One layer with its wiring: step and decode, with a memory of what was computed."""

    def __init__(self, data, arithmetic, contexts):
        self.arithmetic, self.reads = arithmetic, data["reads"]
        need(self.reads in ("previous", "current", "shifted"), "unknown 'reads'")
        self.n, self.d, size = indices([data[k] for k in ("n", "d", "size")], 3, 10**6, "size")
        self.initial = indices([data["initial"]], 1, size, "initial")[0]
        self.h0 = self.vector(data["h0"], self.n * self.d)
        slots, words = data["slots"], data["codewords"]
        need(sum(indices(slots, len(words), self.n + 1, "slots")) == self.n, "wrong slots")
        self.slots = [(s, [self.vector(w, s * self.d) for w in c]) for s, c in zip(slots, words)]  # noqa: B905
        n_words = math.prod(map(len, words))
        self.actions = [
            (self.matrix(x["a"], self.n), self.matrix(x["b"], self.d)) for x in data["actions"]
        ]
        self.readout = [[indices(p, 2, size, "readout") for p in row] for row in data["readout"]]
        need(len(self.readout) == len(self.actions) > 0 < n_words, "wrong readout")
        need(all(len(row) == n_words for row in self.readout), "wrong readout")
        self.action, self.next = data["action"], data["next"]
        need(len(self.action) == len(self.next) >= contexts, "wrong wiring")
        indices(self.action, len(self.action), len(self.actions), "action")
        for row in self.next:
            indices(row, size, 10**9, "next")
        self.steps, self.decoded = {}, {}

    def weight(self, x):
        value = read_number(x, self.arithmetic.field)
        stored = self.arithmetic.store(value)
        need(stored == value or stored != stored, f"weight {str(x)[:40]} is not in the format")
        return value

    def vector(self, values, length):
        need(len(values) == length, "a vector has a wrong length")
        return tuple(map(self.weight, values))

    def matrix(self, entries, columns):
        """Rows of (column, weight), in ascending order of columns."""
        rows = [[] for _ in range(self.n)]
        for r, c, x in entries:
            indices([r], 1, self.n, "row")
            indices([c], 1, columns, "column")
            need(not rows[r] or rows[r][-1][0] < c, "entries of a row are not in order")
            rows[r].append((c, self.weight(x)))
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
            for rows, words in self.slots:
                part = after[start * self.d : (start + rows) * self.d]
                index = index * len(words) + nearest_word(part, words, self.arithmetic.exact)
                start += rows
            self.decoded[after] = index
        return after, self.readout[action][self.decoded[after]]


def nearest_word(x, words, exact):
    """Index of the largest sum c_i x_i - |c|^2 / 2, ties to the lowest index."""
    if exact and x in words:
        return words.index(x)
    best, top = 0, None if exact else -math.inf
    for j, w in enumerate(words):
        score = square = Fraction(0) if exact else 0.0
        for c, a in zip(w, x, strict=True):
            if c != 0:
                score = score + (c * a if exact else float(c) * float(a))
                square = square + (c * c if exact else float(c) * float(c))
        score = score + square * Fraction(-1, 2) if exact else score - square / 2
        if top is None or score > top:
            best, top = j, score
    return best


# -------------------------------------------------------------------- the claim


class Claim:
    """A certificate, read and validated."""

    def __init__(self, data):
        need(data.get("schema") == "lrnn-theory/certificate", "not an lrnn-theory certificate")
        need(data.get("version") == 1, f"version {data.get('version')!r} is not 1")
        rest = {k: v for k, v in data.items() if k != "digest"}
        text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        need(data.get("digest") == digest, "the digest does not match: the file was changed")
        self.claim, self.method, self.word = data["claim"], data["method"], data.get("word", [])
        m, net, self.arithmetic = data["automaton"], data["lrnn"], data["arithmetic"]
        arithmetic = Arithmetic(self.arithmetic, net.get("field"))
        self.letters, self.symbols = m["letters"], m["output_symbols"]
        need(len(set(self.letters)) == len(self.letters) > 0, "wrong letters")
        self.states = q = len(m["delta"][0])
        need(len(m["delta"]) == len(self.letters), "wrong delta")
        self.delta = [indices(row, q, q, "delta") for row in m["delta"]]
        self.initial = indices([m["initial"]], 1, q, "initial")[0]
        self.mealy = m["kind"] == "mealy"
        rows = m["response"] if self.mealy else [m["response"]] * len(self.letters)
        need(len(rows) == len(self.letters), "wrong response")
        self.response = [indices(r, q, len(self.symbols), "response") for r in rows]
        self.classes = indices(net["letter_class"], len(rows), len(rows), "letter_class")
        self.heads, self.combine, self.answers = [], net["combine"], net["output_symbols"]
        contexts = 0
        for i, head in enumerate(net["heads"]):
            levels, width = [], max(self.classes) + 1
            for level in head:
                levels.append(Layer(level, arithmetic, width))
                width = max(map(max, level["next"])) + 1
            self.heads.append(levels)
            if i:
                table = self.combine[i - 1]
                need(len(table) >= contexts and len(table[0]) >= width, "wrong combine")
                for row in table:
                    indices(row, len(table[0]), 10**9, "combine")
                width = max(map(max, table)) + 1
            contexts = width
        self.tail = Tail(net["tail"], self, contexts) if "tail" in net else None
        self.output = indices(net["output"], len(net["output"]), len(self.answers), "output")
        need(self.tail or len(self.output) >= contexts > 0, "wrong output")
        self.empty = net["empty_output"]
        indices([self.empty + self.mealy], 1, len(self.answers) + self.mealy, "empty_output")

    def expected(self, letter, before, after):
        return self.symbols[self.response[letter][before if self.mealy else after]]

    def step(self, configuration, letter):
        """The next configuration, a pair (state, coordinate if it is shifted) a layer, and the answer."""
        after, joint, i = [], None, 0
        for number, head in enumerate(self.heads):
            c = self.classes[letter]
            for layer in head:
                h, memory = configuration[i]
                h, (previous, current) = layer.step(h, layer.action[c])
                read = {"previous": previous, "current": current, "shifted": memory}[layer.reads]
                c = layer.next[c][read]
                after.append((h, current if layer.reads == "shifted" else 0))
                i += 1
            joint = self.combine[number - 1][joint][c] if number else c
        if self.tail:
            moved, answer = self.tail.walk(joint, configuration[-1])
            return (*after, moved), self.answers[answer]
        return tuple(after), self.answers[self.output[joint]]

    def check(self):
        """Prove the claim again; its name, or Rejected."""
        self.start = tuple((v.h0, v.initial) for head in self.heads for v in head)
        self.start += (self.tail.initial,) if self.tail else ()
        if self.claim == "refuted":
            self.replay()
            return self.claim
        need(self.claim == "proved", f"unknown claim {self.claim!r}")
        if not self.mealy:
            expected = self.expected(0, self.initial, self.initial)
            need(self.answers[self.empty] == expected, "wrong answer to the empty word")
        method = {"compositional": self.compose, "closure": self.close}.get(self.method)
        need(method, f"unknown method {self.method!r}")
        method()
        return self.claim

    def replay(self):
        """The word must be answered wrongly after its last letter: (answered, expected)."""
        configuration, state = self.start, self.initial
        need(self.word or not self.mealy, "a Mealy machine does not answer the empty word")
        expected, answer = self.expected(0, state, state), self.answers[self.empty]
        for name in self.word:
            need(name in self.letters, f"unknown letter {name!r}")
            letter = self.letters.index(name)
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
                need(answer == self.expected(letter, state, row[state]), "a word is answered wrongly")
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
                contexts, block = self.refine(layer, coordinate_maps(layer), contexts, block)
            if number:
                left, right, contexts = joint, contexts, {}
                for c, x, a, y in ((c, *t) for c, triples in left.items() for t in triples):
                    for c2, triples in right.items():
                        for x2, a2, y2 in triples:
                            if a == a2 and x & x2 and y & y2:
                                found = contexts.setdefault(self.combine[number - 1][c][c2], set())
                                found.add((x & x2, a, y & y2))
            joint = contexts
            if self.tail:
                return self.tail.enter(self, contexts, block)
        for c, triples in joint.items():
            answer = self.answers[self.output[c]]
            for old, letter, new in triples:
                for q in members(old if self.mealy else new):
                    need(self.expected(letter, q, q) == answer, "an answer is not proved")

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

    @cache  # noqa: B019 - one claim a run
    def image(self, letter, mask):
        return sum({1 << self.delta[letter][q] for q in members(mask)})


class Tail:
    """Levels of sizes m, ..., 2 that exclude a state each; docs/cascades.md proves their rule.

    Their layers permute or reset one-hot vectors, so 0 and 1 are all they compute with.
    """

    def __init__(self, data, claim, contexts):
        self.delta, self.response = data["delta"], data["response"]
        q = len(self.delta[0])
        for row in (*self.delta, *(self.response if claim.mealy else [self.response])):
            indices(row, q, q if row in self.delta else len(claim.answers), "tail")
        self.contexts = [(int(x, 16), a, int(y, 16)) for x, a, y in data["contexts"]]
        indices([a for _, a, _ in self.contexts], len(self.contexts), len(self.delta), "tail")
        self.initial = tuple(data["initial"])
        self.sizes = range(len(self.initial) + 1, 1, -1)
        for p, size in zip(self.initial, self.sizes, strict=True):
            indices([p], 1, size, "tail")
        need(len(claim.heads) == 1 and len(self.contexts) >= contexts > 0, "wrong tail")
        for x, a, y in self.contexts:
            need(0 < x < 1 << q > y > 0 and self.image(a, x) & ~y == 0, "wrong tail")
            need(max(x.bit_count(), y.bit_count()) <= len(self.initial) + 1, "wrong tail")

    def image(self, letter, mask):
        return sum({1 << self.delta[letter][q] for q in members(mask)})

    def walk(self, context, coordinates):
        """New coordinates and the answer: where s states remain, one of them is excluded."""
        before, a, after = self.contexts[context]
        moved = []
        for size, p in zip(self.sizes, coordinates, strict=True):
            old, new, reached = members(before), members(after), self.image(a, before)
            if len(new) == size:
                excluded = self.delta[a][old[p]] if reached == after else None
                p_new = next(
                    i for i, q in enumerate(new) if q == excluded or not reached >> q & 1
                )
                after ^= 1 << new[p_new]
            else:
                p_new = p
            if len(old) == size:
                before ^= 1 << old[p]
            moved.append(p_new)
        before, after = before.bit_length() - 1, after.bit_length() - 1
        mealy = isinstance(self.response[0], list)
        return tuple(moved), self.response[a][before] if mealy else self.response[after]

    def enter(self, claim, contexts, block):
        """What is known of every context must lie in its blocks, and the automata must agree."""
        meaning = {}
        for c, triples in contexts.items():
            before, letter, after = self.contexts[c]
            for old, a, new in triples:
                need(claim.classes[a] == letter, "a tail context is of another letter")
                for known, stored in ((old, before), (new, after)):
                    same = meaning.setdefault(known, stored) == stored
                    need(same and not known & ~stored, "a tail context has a wrong block")
        remaining = meaning[block]
        for p, size in zip(self.initial, self.sizes, strict=True):
            if remaining.bit_count() == size:
                remaining ^= 1 << members(remaining)[p]
        need(remaining == 1 << claim.initial, "the tail starts from another state")
        for a, c in enumerate(claim.classes):
            need(self.delta[c] == claim.delta[a], "the tail is of another automaton")
            row = self.response[c] if claim.mealy else self.response
            for mine, wanted in zip(row, claim.response[a], strict=True):
                need(claim.answers[mine] == claim.symbols[wanted], "the tail answers otherwise")


def members(mask):
    return [q for q in range(mask.bit_length()) if mask >> q & 1]


def coordinate_maps(layer):
    """How every action of a layer moves its coordinate, by closing the layer's states."""
    label = {layer.h0: layer.initial}
    maps, queue = [{} for _ in layer.actions], deque([layer.h0])
    while queue:
        h = queue.popleft()
        for a, image in enumerate(maps):
            after, (previous, current) = layer.step(h, a)
            need(layer.reads != "previous" or previous == label[h], "a coordinate is misreported")
            need(image.setdefault(label[h], current) == current, "an action is no map")
            if after not in label:
                queue.append(after)
            need(label.setdefault(after, current) == current, "a state has two labels")
    return maps


def check(data, announce=None):
    """Re-prove a certificate; the validated Claim, or Rejected (a ValueError)."""
    try:
        claim = Claim(data)
        if announce:
            layers = [layer for head in claim.heads for layer in head]
            sizes = sum(len(v.actions) for v in layers), sum(len(v.action) for v in layers)
            announce(
                f"{claim.claim} by {claim.method}: {claim.states} states, {len(claim.letters)} "
                f"letters, {len(layers)} layers, {sizes[0]} actions, {sizes[1]} contexts"
            )
        claim.check()
    except MALFORMED as error:
        raise Rejected(f"malformed ({type(error).__name__}: {error})") from None
    return claim


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            claim = check(json.load(file), print)
    except (OSError, ValueError, RecursionError) as error:
        print(f"rejected: {error}", file=sys.stderr)
        return 2
    if claim.claim == "refuted":
        print(f"checked: refuted by the word {' '.join(claim.word)!r} in {claim.arithmetic}")
        return 1
    print(f"checked: proved for all lengths in {claim.arithmetic}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
