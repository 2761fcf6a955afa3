"""An independent reference for `scan` and `verify`: plain Python on integers and fractions.

It reads the arrays of an LRNN and follows the glossary in `lrnn_theory.lrnn`, but shares no code
with the engine: matrices are full products of I - beta k k^T, a state is decoded to the codeword
at the least distance, and what an automaton wants is asked of automata-lib.  The only irrational
numbers it knows are those of Q(√3), enough for rotations by multiples of 30°.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

from automata.fa.dfa import DFA

from lrnn_theory.lrnn import LRNN, Layer

# -------------------------------------------------------------------- numbers


@dataclass(frozen=True)
class Root3:
    """a + b √3 with b != 0, so that equal numbers are equal objects."""

    a: Any
    b: Any

    def __add__(self, x: Any) -> Any:
        c, d = parts(x)
        return root3(self.a + c, self.b + d)

    def __sub__(self, x: Any) -> Any:
        c, d = parts(x)
        return root3(self.a - c, self.b - d)

    def __rsub__(self, x: Any) -> Any:
        return root3(x - self.a, -self.b)

    def __mul__(self, x: Any) -> Any:
        c, d = parts(x)
        return root3(self.a * c + 3 * self.b * d, self.a * d + self.b * c)

    __radd__, __rmul__ = __add__, __mul__


def root3(a: Any, b: Any) -> Any:
    return Root3(a, b) if b else a


def parts(x: Any) -> tuple[Any, Any]:
    return (x.a, x.b) if isinstance(x, Root3) else (x, 0)


def is_positive(x: Any) -> bool:
    a, b = parts(x)
    return a + b > 0 if a * b >= 0 else (a > 0) == (a * a > 3 * b * b)


_HALF = Fraction(1, 2)
_COSINES = [(1, 0), (0, _HALF), (_HALF, 0), (0, 0), (-_HALF, 0), (0, -_HALF)]
"""cos(30° i) for i < 6, as a + b √3."""


def exact(weight: Any) -> Any:
    """A weight as an int, a Fraction or a Root3."""
    if isinstance(weight, int | Fraction):
        return weight
    total: Any = 0
    for i, c in enumerate(weight.coefficients):  # of exp(2 pi i / order); the real part suffices
        if c:
            turn, rest = divmod(12 * i, weight.order)
            assert rest == 0, "only multiples of 30 degrees"
            a, b = _COSINES[turn % 6]
            total = total + root3(a, b) * (c if turn % 12 < 6 else -c)
    return total


def is_small(x: Any) -> bool:
    """A multiple of 1/4 up to 64: stored, multiplied and summed exactly from bfloat16 upwards."""
    return not isinstance(x, Root3) and (4 * x) % 1 == 0 and abs(x) <= 64


# -------------------------------------------------------------------- one layer


def _product(a: list[list[Any]], b: list[list[Any]]) -> list[list[Any]]:
    columns = list(zip(*b, strict=True))
    return [[_dot(row, column) for column in columns] for row in a]


def _dot(x: Any, y: Any) -> Any:
    return sum((a * b for a, b in zip(x, y, strict=True) if a and b), 0)


def matrix(transition: Any, action: int) -> list[list[Any]]:
    """A transition matrix as rows; in C_1 C_2 ... C_k the factor C_k acts first."""
    n = transition.n
    if hasattr(transition, "matrices"):
        return [[exact(x) for x in row] for row in transition.matrices[action].tolist()]
    if hasattr(transition, "diagonal"):
        diagonal = transition.diagonal[action].tolist()
        return [[exact(diagonal[i]) if i == j else 0 for j in range(n)] for i in range(n)]
    out = [[int(i == j) for j in range(n)] for i in range(n)]
    for f in range(transition.ptr[action], transition.ptr[action + 1]):
        k = [exact(x) for x in transition.keys[f].tolist()]
        beta = exact(transition.betas[f : f + 1].tolist()[0])
        factor = [[int(i == j) - beta * k[i] * k[j] for j in range(n)] for i in range(n)]
        out = _product(out, factor)
    return out


class LayerReference:
    """H <- A_a H + B_a on tuples of n * d numbers, row after row."""

    def __init__(self, layer: Layer) -> None:
        self.d = layer.d
        self.matrices = [matrix(layer.transition, a) for a in range(layer.n_actions)]
        self.b = [[exact(x) for x in b.ravel().tolist()] for b in layer.b]
        self.h0 = tuple(exact(x) for x in layer.h0.ravel().tolist())
        self.slots = [[[exact(x) for x in w.ravel().tolist()] for w in c] for c in layer.codewords]
        self.readout = layer.readout.tolist()
        numbers = [x for rows in (*self.matrices, *self.slots) for row in rows for x in row]
        self.small = all(map(is_small, (*numbers, *self.h0, *(x for b in self.b for x in b))))
        self._memory: dict[Any, Any] = {}

    def step(self, h: tuple[Any, ...], action: int) -> tuple[tuple[Any, ...], list[int], bool]:
        """The state after an action, (previous, current), and whether all numbers are small."""
        if (h, action) not in self._memory:
            columns = [h[k :: self.d] for k in range(self.d)]
            moved = [_dot(row, column) for row in self.matrices[action] for column in columns]
            after = tuple(x + y for x, y in zip(moved, self.b[action], strict=True))
            pair = self.readout[action][self.decode(after)]
            self._memory[h, action] = after, pair, self.small and all(map(is_small, after))
        return self._memory[h, action]

    def decode(self, h: tuple[Any, ...]) -> int:
        """The index, row-major over the slots, of the codewords at the least distance."""
        index = start = 0
        for words in self.slots:
            part = h[start : start + len(words[0])]
            start += len(part)
            distances = []
            for word in words:
                difference = [x - c for x, c in zip(part, word, strict=True)]
                distances.append(_dot(difference, difference))
            best = 0
            for j, distance in enumerate(distances):
                if is_positive(distances[best] - distance):
                    best = j
            index = index * len(words) + best
        return index


@lru_cache(maxsize=128)
def layer_reference(layer: Layer) -> LayerReference:
    """One reference a layer object: most mutants of a machine share most of their layers."""
    return LayerReference(layer)


# -------------------------------------------------------------------- the whole network


class TailReference:
    """Levels of m, m - 1, ..., 2 coordinates, each the rank of a state that is ruled out.

    A level acts where as many states remain as it has coordinates.  If a letter carries the states
    before onto those after, so it does the one ruled out; else the first state that nothing is
    carried to is ruled out.
    """

    def __init__(self, tail: Any) -> None:
        self.delta = tail.exclusion.delta.tolist()
        self.start = tuple(tail.initial)
        self.contexts = [(states(x), a, states(y)) for x, a, y in tail.contexts]
        self.response = tail.response.tolist()

    def step(self, coordinates: tuple[int, ...], context: int) -> tuple[tuple[int, ...], int]:
        """The coordinates after a letter, and the index of the answer."""
        before, letter, after = self.contexts[context]
        moves = self.delta[letter]
        moved = []
        for p, size in zip(coordinates, range(len(coordinates) + 1, 1, -1), strict=True):
            q = p  # a level that does not act keeps its coordinate
            if len(after) == size:
                image = {moves[x] for x in before}
                if len(image) < size:
                    q = next(i for i, x in enumerate(after) if x not in image)
                else:
                    q = after.index(moves[before[p]])
                after = after[:q] + after[q + 1 :]
            if len(before) == size:
                before = before[:p] + before[p + 1 :]
            moved.append(q)
        if isinstance(self.response[0], list):
            return tuple(moved), self.response[letter][before[-1]]
        return tuple(moved), self.response[after[-1]]


def states(mask: int) -> list[int]:
    return [q for q in range(mask.bit_length()) if mask >> q & 1]


class Reference:
    """An LRNN; a configuration is a pair (state, coordinate read next if shifted) a layer.

    The coordinates of a tail follow: its layers hold nothing but 0 and 1.
    """

    def __init__(self, lrnn: LRNN) -> None:
        self.letters = lrnn.letters
        self.classes = dict(zip(lrnn.letters, lrnn.letter_class.tolist(), strict=True))
        self.heads = [
            [(layer_reference(v.layer), v.action.tolist(), v.next.tolist(), v.reads) for v in head]
            for head in lrnn.heads
        ]
        self.combine = [table.tolist() for table in lrnn.combine]
        self.symbols = lrnn.output_symbols
        self.output = [self.symbols[i] for i in lrnn.output.tolist()]
        self.empty = None if lrnn.kind == "mealy" else self.symbols[lrnn.empty_output]
        start: list[Any] = [
            (layer_reference(v.layer).h0, v.layer.initial if v.reads == "shifted" else 0)
            for head in lrnn.heads
            for v in head
        ]
        self.tail = None if lrnn.tail is None else TailReference(lrnn.tail)
        if self.tail is not None:
            start.append(self.tail.start)
        self.start = tuple(start)

    def step(self, configuration: Any, letter: str) -> tuple[Any, str, bool]:
        """The next configuration, the answer, and whether all numbers were small."""
        after: list[Any] = []
        small = True
        finals = []
        for head in self.heads:
            c = self.classes[letter]
            for layer, action, nxt, reads in head:
                h, shifted = configuration[len(after)]
                h, (previous, current), fits = layer.step(h, action[c])
                coordinate = {"previous": previous, "current": current, "shifted": shifted}[reads]
                after.append((h, current if reads == "shifted" else 0))
                small = small and fits
                c = nxt[c][coordinate]
            finals.append(c)
        joint = finals[0]
        for table, c in zip(self.combine, finals[1:], strict=True):
            joint = table[joint][c]
        if self.tail is not None:
            coordinates, index = self.tail.step(configuration[-1], joint)
            return (*after, coordinates), self.symbols[index], small
        return tuple(after), self.output[joint], small

    def answer(self, word: tuple[str, ...]) -> str | None:
        """The answer after a word."""
        configuration, answer = self.start, self.empty
        for letter in word:
            configuration, answer, _ = self.step(configuration, letter)
        return answer


class Truth:
    """What an LRNN should answer: an automata-lib DFA, with outputs if it is Moore or Mealy.

    Outputs are a symbol for every state, or for every pair (letter, state before it).
    """

    def __init__(self, dfa: DFA, outputs: dict[Any, str] | None = None) -> None:
        self.dfa, self.outputs = dfa, outputs
        self.start = dfa.initial_state
        self.mealy = outputs is not None and self.start not in outputs

    @classmethod
    def of_table(
        cls,
        kind: str,
        delta: list[list[int]],
        letters: Sequence[str],
        answers: Any,
        initial: int = 0,
    ) -> Truth:
        """From plain lists.

        `answers` has a symbol for every state, "0" or "1" for a DFA, or a row of them for every
        letter (Mealy).
        """
        columns = list(zip(*delta, strict=True))
        n = len(columns)
        dfa = DFA(
            states=set(range(n)),
            input_symbols=set(letters),
            transitions={q: dict(zip(letters, row, strict=True)) for q, row in enumerate(columns)},
            initial_state=initial,
            final_states={q for q in range(n) if kind == "dfa" and answers[q] == "1"},
        )
        if kind == "dfa":
            return cls(dfa)
        if kind == "moore":
            return cls(dfa, dict(enumerate(answers)))
        rows = zip(letters, answers, strict=True)
        return cls(dfa, {(a, q): symbol for a, row in rows for q, symbol in enumerate(row)})

    def step(self, state: Any, letter: str) -> tuple[Any, str]:
        """The next state and the answer."""
        after = self.dfa.transitions[state][letter]
        if self.mealy:
            assert self.outputs is not None
            return after, self.outputs[letter, state]
        return after, self.of(after)

    def of(self, state: Any) -> str:
        """The answer in a state of a DFA or a Moore machine."""
        if self.outputs is None:
            return "1" if state in self.dfa.final_states else "0"
        return self.outputs[state]

    def answer(self, word: tuple[str, ...]) -> str | None:
        """The answer after a word; a DFA's is automata-lib's own."""
        if self.outputs is None:
            return "1" if self.dfa.accepts_input("".join(word)) else "0"
        state, answer = self.start, None if self.mealy else self.of(self.start)
        for letter in word:
            state, answer = self.step(state, letter)
        return answer


# -------------------------------------------------------------------- the closure


@dataclass(frozen=True)
class Same:
    """No word tells them apart."""

    configurations: int
    small: bool


@dataclass(frozen=True)
class Differs:
    """A shortest word that does."""

    word: tuple[str, ...]
    small: bool


@dataclass(frozen=True)
class RunsAway:
    """Too many configurations; no word up to length `covered` tells them apart."""

    covered: int


def compare(lrnn: LRNN, truth: Truth, limit: int) -> Same | Differs | RunsAway:
    """Close all pairs (configuration, state of the truth), breadth first, up to a limit.

    `small` says that no number up to the verdict leaves what 16-bit floats hold exactly, so that
    the verdict is the one in floating point too.
    """
    reference = Reference(lrnn)
    if not truth.mealy and reference.empty != truth.of(truth.start):
        return Differs((), small=True)
    first = (reference.start, truth.start)
    seen = {first}
    frontier: list[tuple[Any, tuple[str, ...]]] = [(first, ())]
    small = True
    while frontier:
        further = []
        for ((configuration, state), word), letter in product(frontier, reference.letters):
            after, answered, fits = reference.step(configuration, letter)
            state_after, expected = truth.step(state, letter)
            small = small and fits
            if answered != expected:
                return Differs((*word, letter), small)
            pair = (after, state_after)
            if pair not in seen:
                if len(seen) >= limit:
                    return RunsAway(len(word))
                seen.add(pair)
                further.append((pair, (*word, letter)))
        frontier = further
    return Same(len(seen), small)
