"""What a certificate claims, replayed: a reference that shares no code with the checker.

The weights are read back into layers, which the kernels of plain fractions step, and the wiring is
followed as docs/certificates.md has it.  Tables are taken as they stand: an entry that leads out of
range does no harm unless a word comes across it, and then the claim does not hold.
"""

import random
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from importlib import import_module
from math import prod
from types import SimpleNamespace

import numpy as np

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cyclotomic import cos_turn, cyclotomic_polynomial
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.cast import CastKernel
from lrnn_theory.scanning.exact import ExactKernel
from lrnn_theory.scanning.orders import ChunkKernel, TreeKernel
from lrnn_theory.scanning.rational import RationalKernel
from lrnn_theory.transition import Dense, Diagonal, Householder

TailReference = import_module("fraction_reference").TailReference  # it stands beside the tests

CONFIGURATIONS = 3_000
"""So many are closed, breadth first, of what is proved."""
WORDS, LETTERS = 20, 300
"""Random words that it must answer right, too, and their length."""
LONGEST = 20_000
"""Longer words of a refutation are not replayed."""


class UnjudgedError(Exception):
    """The reference cannot tell whether the claim holds."""


def confirmed(data):
    """Whether the claim of a certificate holds, as far as it is replayed.

    Raises:
        UnjudgedError: if the certificate has no network of this package, or too long a word.
    """
    try:
        arithmetic = Arithmetic.parse(data["arithmetic"])
        orders = {arithmetic}
        if data.get("bracketing"):
            orders.add(replace(arithmetic, order="sequential", chunk=0))
        replays = [Replay(data, order) for order in orders]
    except (LookupError, TypeError, ValueError) as error:
        raise UnjudgedError(f"{type(error).__name__}: {error}") from None
    try:
        return all(holds(data, replay) for replay in replays)
    except (LookupError, StopIteration, ValueError):  # a word leads nowhere
        return False


def holds(data, replay):
    """Whether the claim holds in one order of evaluation."""
    if data["claim"] == "proved":
        return never_wrong(replay, data.get("decoder") == "any")
    words = [data["word"]] if data["claim"] == "refuted" else data["words"]
    if sum(count for word in words for _, count in word) > LONGEST:
        raise UnjudgedError(f"words of more than {LONGEST} letters")
    (view, answer, right), *rest = map(replay.read, words)
    if rest:
        ((other_view, _, other),) = rest
        return view == other_view and right != other
    return answer != right and None not in (answer, right)


def never_wrong(replay, any_readout):
    """Whether no wrong answer is found; with any readout, whether one could be right."""
    if not any_readout and replay.empty[0] != replay.empty[1]:
        return False
    readout = {}

    def right_after(here, letter):
        there, view, answer, right = replay.step(here, letter)
        return there, right == (readout.setdefault(view, right) if any_readout else answer)

    letters = range(len(replay.letters))
    found, seen = [replay.start], {replay.start}
    for here in found:  # which grows meanwhile
        for letter in letters:
            there, right = right_after(here, letter)
            if not right:
                return False
            if there not in seen and len(seen) < CONFIGURATIONS:
                seen.add(there)
                found.append(there)
    rng = random.Random(0)
    for _ in range(WORDS):
        here = replay.start
        for letter in rng.choices(letters, k=LETTERS):
            here, right = right_after(here, letter)
            if not right:
                return False
    return True


# -------------------------------------------------------------------- the network


class Replay:
    """The network and the automaton of a certificate, in one order of evaluation.

    A configuration: the states of all layers, the coordinates that they remember, those of the
    tail, and the automaton's state.
    """

    def __init__(self, data, arithmetic):
        net, machine = data["lrnn"], data["automaton"]
        numbers = Numbers(arithmetic, net.get("field"))
        self.letters, self.delta, self.right = (machine[k] for k in ("letters", "delta", "answers"))
        self.classes, self.combine, self.output = net["letter_class"], net["combine"], net["output"]
        self.empty = net.get("empty"), machine.get("empty")
        self.heads = [[LayerReplay(x, numbers) for x in head] for head in net["heads"]]
        layers = [layer for head in self.heads for layer in head]
        kept = tuple(x.initial if x.reads == "shifted" else 0 for x in layers)
        self.tail, excluded = None, ()
        if "tail" in net:
            numbers.need_units()
            self.tail, excluded = read_tail(net["tail"]), tuple(net["tail"]["initial"])
        self.start = tuple(x.start for x in layers), kept, excluded, machine["initial"]

    def step(self, here, letter):
        """The configuration after a letter, what a readout sees, the answer and the right one."""
        states, kept, excluded, q = here
        after, keep, joint = [], [], None
        for number, head in enumerate(self.heads):
            c = self.classes[letter]
            for layer in head:
                shifted = kept[len(after)]
                state, (previous, current) = layer.step(states[len(after)], layer.action[c])
                read = {"previous": previous, "current": current, "shifted": shifted}[layer.reads]
                after.append(state)
                keep.append(current if layer.reads == "shifted" else 0)
                c = layer.next[c][read]
            joint = self.combine[number - 1][joint][c] if number else c
        moved, answer = self.tail.step(excluded, joint) if self.tail else ((), self.output[joint])
        there = tuple(after), tuple(keep), moved, self.delta[letter][q]
        return there, (letter, kept, excluded, *there[:3]), answer, self.right[letter][q]

    def read(self, word):
        """What a readout sees after a word of [letter, count], the answer and the right one."""
        here, view, (answer, right) = self.start, None, self.empty
        for name, count in word:
            letter = self.letters.index(name)
            for _ in range(count):
                here, view, answer, right = self.step(here, letter)
        return view, answer, right


class LayerReplay:
    """A layer; its states are numbered as they are met."""

    def __init__(self, data, numbers):
        arithmetic, actions, n = numbers.arithmetic, data["actions"], data["n"]
        exact_weights = arithmetic.keeps_weights or arithmetic.is_exact
        h0 = numbers.array(data["h0"], arithmetic.semantics == "cast").reshape(n, -1)
        b = numbers.array([x for action in actions for x in action["b"]], exact_weights)
        words = [numbers.array([x for w in slot for x in w], False) for slot in data["codewords"]]
        d = h0.shape[1]
        words = [x.reshape(len(s), -1, d) for x, s in zip(words, data["codewords"], strict=True)]
        layer = Layer(
            read_transition(actions, n, numbers, exact_weights),
            b.reshape(len(actions), n, d),
            h0,
            tuple(words),
            np.zeros((len(actions), prod(map(len, words)), 2), int),  # indices are looked up here
            1,
            0,
        )
        self.kernel = make_kernel(layer, arithmetic)
        self.readout, self.initial, self.reads = data["readout"], data["initial"], data["reads"]
        self.action, self.next = data["action"], data["next"]
        self.found, self.numbers, self.steps = [], {}, {}
        self.start = self.number(self.kernel.start(1))

    def number(self, h):
        """The number of a state: equal ones have one."""
        number = self.numbers.setdefault(self.kernel.keys(h)[0], len(self.found))
        if number == len(self.found):
            self.found.append(h)
        return number

    def step(self, state, action):
        """The state after an action, and what the readout says: (previous, current)."""
        if (state, action) not in self.steps:
            h = self.kernel.step(self.found[state], np.array([action]))
            pair = self.readout[action][int(self.kernel.decode(h)[0])]
            self.steps[state, action] = self.number(h), pair
        return self.steps[state, action]


def make_kernel(layer, arithmetic):
    """The kernel of Python numbers for any arithmetic, native or not."""
    if arithmetic.is_exact:
        return ExactKernel(layer, arithmetic)
    if arithmetic.semantics == "cast":
        return CastKernel(layer, arithmetic)
    kernel = RationalKernel(layer, arithmetic)
    for name in ("_operate", "_store"):  # rounding takes long, and meets few numbers
        setattr(kernel, name, lru_cache(1 << 16)(getattr(kernel, name)))
    if arithmetic.order == "chunk":
        return ChunkKernel(kernel, arithmetic.chunk)
    return ShortTree(kernel) if arithmetic.order == "tree" else kernel


class ShortTree(TreeKernel):
    """A tree with room for the longest word only."""

    def start(self, batch):
        """The initial state: no blocks."""
        return super().start(batch)[:, :, : LONGEST.bit_length() * (self.n + self.d)]


# -------------------------------------------------------------------- reading


class Numbers:
    """Weights, which are texts."""

    def __init__(self, arithmetic, field):
        self.arithmetic, self.theta = arithmetic, None if field is None else theta_of(field)

    def array(self, texts, exact):
        """An array of numbers, exact ones or numbers of the format, which storing must not move."""
        out = np.empty(len(texts), object)
        for i, text in enumerate(texts):
            if text.lstrip("-") in ("inf", "nan"):  # by an overflow, or not at all
                out[i] = (-1 if text[0] == "-" else 1) * 2**2000
                same = str(self.arithmetic.round(out[i])) == text
            else:
                out[i] = at(list(map(Fraction, text.split(" "))), self.theta)
                same = exact or self.arithmetic.round(out[i]) == out[i]
            if not same:
                raise UnjudgedError(f"{text[:40]} is no number of {self.arithmetic}")
        return out

    def need_units(self):
        """The layers of a tail compute with 0 and 1, by factors also with -1."""
        for form in (self.arithmetic.format, self.arithmetic.inner):
            for x in (0, 1, -1)[: 2 + self.arithmetic.factored] if form else ():
                if form.round(x) != x:
                    raise UnjudgedError(f"a tail without {x}")


def at(coefficients, x):
    """The value of a polynomial, constant term first."""
    total = 0
    for c in reversed(coefficients):
        total = total * x + c if total else c
    return total


def theta_of(field):
    """2 cos(2 pi / N) for the N that a field is made with."""
    polynomial = list(map(Fraction, field["polynomial"]))
    low, high = map(Fraction, field["interval"])
    degree = 2 * (len(polynomial) - 1)  # of the roots of unity, at most
    for order in range(5, 6 * degree + 6):
        if len(cyclotomic_polynomial(order)) <= degree + 1:
            theta = 2 * cos_turn(1, order)
            if low < theta < high and not at(polynomial, theta):
                return theta
    raise UnjudgedError("theta is no 2 cos(2 pi / N)")


def read_transition(actions, n, numbers, exact):
    """The matrices or the factors of all actions."""

    def dense(entries):
        vector = np.full(n, 0, object)
        vector[[i for i, _ in entries]] = numbers.array([x for _, x in entries], exact)
        return vector

    if not numbers.arithmetic.factored:
        return Dense(np.array([[dense(row) for row in x["a"]] for x in actions], object))
    if all("a" in x for x in actions):
        rows = [[dense(row) for row in x["a"]] for x in actions]
        return Diagonal(np.array([[row[i] for i, row in enumerate(x)] for x in rows], object))
    if any("a" in x for x in actions):
        raise UnjudgedError("factors beside a diagonal")
    factors = [f for x in actions for f in x["factors"]]
    keys = np.array([dense(f["k"]) for f in factors], object).reshape(-1, n)
    betas = numbers.array([f["beta"] for f in factors], exact)
    return Householder(keys, betas, np.cumsum([0, *(len(x["factors"]) for x in actions)]))


def read_tail(data):
    """The rule of a tail, which answers with symbols."""
    return TailReference(
        SimpleNamespace(
            exclusion=SimpleNamespace(delta=np.array(data["delta"])),
            initial=data["initial"],
            contexts=[(mask(x), a, mask(y)) for x, a, y in data["contexts"]],
            response=np.array(data["answers"], object),
        )
    )


def mask(states):
    """A set of states as bits."""
    return sum(1 << q for q in {*states})
