"""`check`: prove the claim of any certificate again, long words in the cast model included.

The standalone checker replays words letter by letter.  In the cast model that takes k^2 exact
products, out of reach for k = 10^8.  There the formula is evaluated at the two lengths of a
refutation: powers by repeated squaring in balls, and of the sums only what lies between the two
lengths (docs/impossibility.md, section 8).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb_mat, ctx, fmpq_mat

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.eventual import Stream, below, orbit
from lrnn_theory.ideal_cast.cells import Cells
from lrnn_theory.ideal_cast.recurrence import fraction
from lrnn_theory.ideal_cast.sums import CastSum, outwards
from lrnn_theory.ideal_cast.unary import matrix, rational, sequences
from lrnn_theory.impossibility.loops import MAX_SPELLED
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.scanning.cast import CastKernel
from lrnn_theory.transition import Array, Dense
from lrnn_theory.verification import checker, recheck
from lrnn_theory.verification.certificate import Certificate
from lrnn_theory.verification.equivalence import power
from lrnn_theory.verification.verdict import Proved, Refuted, Runs

REPLAYED = 400
"""Longest words that are replayed letter by letter in the cast model."""
BITS = (256, 1024, 4096, 16384, 65_536)
"""Bits of the balls, tried in turn."""
MAX_EXACT = 20_000
"""Largest power that is computed exactly where balls do not decide."""
REFINEMENTS = 4096
"""Most enclosures of a sum that runs to an end of the format."""


def check(
    certificate: Certificate | dict[str, Any] | str | os.PathLike[str],
    weights: LRNN | None = None,
) -> Proved | Refuted:
    """Prove the claim of a certificate again.

    Args:
        certificate: a Certificate, its data, or the path of its file.
        weights: an LRNN that the certificate must be about: its weights, stored in the
            certificate's arithmetic, must be the embedded ones.

    Returns:
        The verdict that was proved again.

    Raises:
        ValueError: if the certificate is malformed or changed, does not prove its claim, or is
            about other weights.
    """
    certificate = Certificate.coerce(certificate)
    if not _is_long(certificate.data):
        return recheck.check(certificate, weights)
    data = certificate.data
    try:
        checker.Claim(**checker.opened(data))  # the digest, and the shapes of all tables
        lrnn = _network(data)
        arithmetic = Arithmetic.parse(data["arithmetic"])
        words = [Runs((letter, count) for letter, count in w) for w in data["words"]]
        answers = [_answer(data["automaton"], word) for word in words]
        alike = _look_alike(lrnn, arithmetic, words)
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"malformed ({type(error).__name__}: {error})") from None
    recheck.need_weights(data, arithmetic, weights)
    if answers[0] == answers[1] or not alike:
        raise ValueError("the words do not look alike, or need the same answer")
    other, word = words
    facts = {"length": word.length}
    other, word = (tuple(w) if w.length <= recheck.FEW_LETTERS else w for w in words)
    return Refuted(str(arithmetic), facts, word, answers[0], answers[1], certificate, other)


def _is_long(data: dict[str, Any]) -> bool:
    """Whether it is about words in the cast model that take too long letter by letter."""
    if data.get("claim") != "confused" or not str(data.get("arithmetic")).endswith(":cast"):
        return False
    try:
        return max(sum(count for _, count in word) for word in data["words"]) > REPLAYED
    except (TypeError, ValueError):
        return False


def _answer(automaton: dict[str, Any], word: Runs) -> str:
    """The answer to the last letter of a word."""
    state, delta = automaton["initial"], np.array(automaton["delta"], np.int32)
    answer = automaton.get("empty", "")
    for letter, count in word.runs:
        a = automaton["letters"].index(letter)
        before = power(delta[a], state, count - 1)
        state, answer = int(delta[a, before]), automaton["answers"][a][before]
    return answer


def _network(data: dict[str, Any]) -> LRNN:
    """The network that a certificate describes, with rational weights."""
    net = data["lrnn"]
    if "tail" in net or "field" in net:
        raise ValueError("a long word is evaluated for rational weights, and without a tail")
    symbols = tuple(sorted({*net["output"], net.get("empty", net["output"][0])}))
    return LRNN(
        letters=tuple(data["automaton"]["letters"]),
        letter_class=np.array(net["letter_class"]),
        heads=tuple(tuple(map(_level, head)) for head in net["heads"]),
        combine=tuple(np.array(c) for c in net["combine"]),
        output=np.array([symbols.index(x) for x in net["output"]]),
        empty_output=symbols.index(net["empty"]) if "empty" in net else -1,
        kind="moore" if "empty" in net else "mealy",
        output_symbols=symbols,
    )


def _level(x: dict[str, Any]) -> Level:
    n, actions = x["n"], x["actions"]
    d = len(x["h0"]) // n
    matrices = np.zeros((len(actions), n, n), object)
    for a, action in enumerate(actions):
        for i, row in enumerate(action["a"]):
            for j, w in row:
                matrices[a, i, j] = Fraction(w)
    words, first = [], 0
    for slot in x["codewords"]:
        rows = len(slot[0]) // d
        words.append(_numbers([v for word in slot for v in word], (len(slot), rows, d)))
        first += rows
    readout, following = np.array(x["readout"]), np.array(x["next"])
    b = _numbers([v for action in actions for v in action["b"]], (len(actions), n, d))
    size, h0 = following.shape[1], _numbers(x["h0"], (n, d))
    layer = Layer(Dense(matrices), b, h0, tuple(words), readout, size, x["initial"])
    return Level(layer, np.array(x["action"]), following, x["reads"])


def _numbers(texts: list[str], shape: tuple[int, ...]) -> Array:
    out = np.empty(len(texts), object)
    out[:] = [Fraction(x) for x in texts]
    return out.reshape(shape)


# -------------------------------------------------------------------- two lengths


def _look_alike(lrnn: LRNN, arithmetic: Arithmetic, words: list[Runs]) -> bool:
    """Whether all that a readout sees after two words u w^k, u w^k' is the same."""
    prefix, cycle = _powers(words)
    index = {letter: i for i, letter in enumerate(lrnn.letters)}
    times = [word.length for word in words]
    classes = lrnn.letter_class.tolist()
    letters = Stream(*(tuple(classes[index[a]] for a in part) for part in (prefix, cycle)))
    for head in lrnn.heads:
        contexts = letters
        for depth, level in enumerate(head):
            actions = Stream.shortest(
                [int(level.action[c]) for c in contexts.head],
                [int(level.action[c]) for c in contexts.cycle],
            )
            for delay in (0, 1) if level.reads == "shifted" else (0,):
                one, other = (t - delay for t in times)
                if not _Lengths(level.layer, actions, arithmetic).same(one, other):
                    return False
            if depth + 1 < len(head):
                # What a level below another one says at all times is decided as it was at first.
                contexts = below(level, contexts, orbit(level.layer, actions, arithmetic))
        if contexts[times[0]] != contexts[times[1]]:
            return False
    return True


def _powers(words: list[Runs]) -> tuple[Sequence[str], Sequence[str]]:
    """(u, w) if the two words are u w^k and u w^k', k <= k'.

    Raises:
        ValueError: if they are not, or too long to be seen to be.
    """
    one, other = words
    (last, *_), (last_other, *_) = one.runs[-1], other.runs[-1]
    if last == last_other and one.runs[:-1] == other.runs[:-1]:
        return Runs(one.runs[:-1]), (last,)
    if other.length > MAX_SPELLED:
        raise ValueError(f"words of more than {MAX_SPELLED} letters must be powers of one letter")
    spelled, rest = list(one), list(other)[one.length :]
    n = len(rest)
    if not n or list(other)[: one.length] != spelled:
        raise ValueError("long words must be powers of a word after one word")
    period = next(p for p in range(1, n + 1) if n % p == 0 and rest[p:] == rest[: n - p])
    end = len(spelled)
    while end >= period and spelled[end - period : end] == rest[:period]:
        end -= period
    return spelled[:end], rest[:period]


class _Lengths:
    """A layer in the cast model at single lengths; names as in `lrnn_theory.ideal_cast.cycle`."""

    def __init__(self, layer: Layer, actions: Stream, arithmetic: Arithmetic) -> None:
        assert arithmetic.format is not None
        self.cells, self.first, self.q = (
            Cells(arithmetic.format),
            len(actions.head),
            len(actions.cycle),
        )
        kernel = CastKernel(layer, arithmetic)
        h = kernel.start(1)
        for a in actions.head:
            h = kernel.step(h, np.array([a]))
        shape = (layer.n, layer.d)
        self.terms = [(fmpq_mat(*shape, list(map(rational, t))), n) for t, n in h[0, 0, 0]]
        self.steps = [
            (matrix(layer.transition.matrix(a)), matrix(layer.b[a])) for a in actions.cycle
        ]
        self.round = self._product(self.q)

    def _product(self, r: int) -> fmpq_mat:
        """A_r ... A_1."""
        n = self.steps[0][0].nrows()
        out = fmpq_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
        for a, _ in self.steps[:r]:
            out = a * out
        return out

    def _added(self, r: int) -> list[tuple[fmpq_mat, int]]:
        """A_r ... A_{u+1} B_u for u = 1, ..., r, each once."""
        out: list[tuple[fmpq_mat, int]] = []
        for a, b in self.steps[:r]:
            out = [*((a * x, n) for x, n in out), (b, 1)]
        return out

    def same(self, one: int, other: int) -> bool:
        """Whether the states at two lengths are cast to the same numbers.

        A state is cast(c + S): c the casts of what was held before the cycle, S those of what the
        cycle added.  Of S only the growth from one length to the other is needed, unless it is
        not made up for by c; then both c + S must be so large that they are cast to an end.
        """
        (j, r), (k, other_r) = (divmod(t - self.first, self.q) for t in (one, other))
        if min(j, k) < 0 or r != other_r or k < j:
            raise ValueError("the lengths of the words do not fit their cycle")
        held = [self._sum(self.terms, r, m) for m in (j, k)]
        grown = [self._sum(self._added(self.q), r, m) for m in range(j, k)]
        growth = [sum(x, Fraction(0)) for x in zip(*grown, strict=True)]
        change = [g + y - x for g, x, y in zip(growth, *held, strict=True)]
        fixed = self._sum(self._added(r), 0, 0)
        return all(
            not x or self._ends_alike(i, r, j, fixed[i] + held[0][i], x)
            for i, x in enumerate(change)
        )

    def _sum(self, parts: list[tuple[fmpq_mat, int]], r: int, m: int) -> list[Fraction]:
        """The entries of the sum of n cast(R_r P^m x) over parts (x, n)."""
        total = [Fraction(0)] * (self.steps[0][1].nrows() * self.steps[0][1].ncols())
        before = self._product(r)
        for bits in BITS:
            with ctx.workprec(bits):
                images = _ball_power(arb_mat(self.round), m) if m else arb_mat(self._product(0))
                images = arb_mat(before) * images
                casts = [self._certain(images * arb_mat(x)) for x, _ in parts]
            if None not in casts:
                break
        else:
            if m > MAX_EXACT:
                raise ValueError(f"{BITS[-1]} bits do not show the cast of a number")
            power = before * self.round**m
            casts = [
                [self.cells.cast(fraction(y)) for y in (power * x).entries()] for x, _ in parts
            ]
        for (_, n), column in zip(parts, casts, strict=True):
            total = [x + n * y for x, y in zip(total, column or [], strict=True)]
        return total

    def _certain(self, x: arb_mat) -> list[Fraction] | None:
        """The casts of balls; None if a ball does not show one."""
        out = []
        for ball in x.entries():
            ends = []
            for side, end in ((-1, ball.lower()), (1, ball.upper())):
                moved = outwards(end, side)
                ends.append(self.cells.ends[side > 0] if moved is None else self.cells.cast(moved))
            if ends[0] != ends[1]:
                return None
            out.append(ends[0])
        return out

    def _ends_alike(self, i: int, r: int, j: int, known: Fraction, change: Fraction) -> bool:
        """Whether entry i is cast to one end at both lengths: `known` + S, and `change` more."""
        total, after = CastSum(self.cells), [self._product(r)]
        for x, _ in self._added(self.q):
            entries = sequences(self.round, x, after)
            total.add(entries[len(entries) // 2 + i], j)
        while True:
            sums = [known + s + c for s in total.bounds for c in (0, change)]
            if len({self.cells.cast(s) for s in sums}) == 1:
                return True
            if total.evaluations > REFINEMENTS or not total.refine():
                return False


def _ball_power(a: arb_mat, m: int) -> arb_mat:
    """A power by repeated squaring; m may be larger than a machine integer."""
    out = None
    for bit in bin(m)[2:]:
        out = None if out is None else out * out
        if bit == "1":
            out = a if out is None else out * a
    assert out is not None
    return out
