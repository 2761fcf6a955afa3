"""Random automata, facts about them by brute force, and networks run by definition."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from constructions.theorems import plain
from constructions.theorems.plain import Generator, pick
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN
from lrnn_theory.theorem import Hypothesis, require
from lrnn_theory.transition import Householder

Draw = Callable[[Generator], Automaton]

# -------------------------------------------------------------------- random automata


def _table(rng: Generator, rows: Any) -> Automaton:
    """The minimal automaton of a table with random acceptance that is not constant."""
    n = len(rows[0])
    accepting = rng.random(n) < 0.5
    accepting[int(rng.integers(n))] = True
    return Automaton.from_table(rows, accepting=accepting).minimize()


def any_automaton(rng: Generator) -> Automaton:
    """A random table of at most 6 states and 3 letters."""
    n, letters = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    return _table(rng, rng.integers(n, size=(letters, n)))


def machine_with_outputs(rng: Generator) -> Automaton:
    """A random Moore or Mealy machine."""
    n, letters = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    delta = rng.integers(n, size=(letters, n))
    shape = (n,) if rng.random() < 0.5 else (letters, n)
    return Automaton.from_table(delta, outputs=rng.integers(3, size=shape)).minimize()


def group_automaton(rng: Generator) -> Automaton:
    """Random permutations of at most 5 points, or of their ordered pairs."""
    n, letters = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    rows: Any = [rng.permutation(n).tolist() for _ in range(letters)]
    if n in (3, 4) and rng.random() < 0.5:
        pairs = list(itertools.permutations(range(n), 2))
        rows = [[pairs.index((p[i], p[j])) for i, j in pairs] for p in rows]
    start = int(rng.integers(len(rows[0])))
    return Automaton.from_table(rows, accepting=[start], initial=start).minimize()


def counter(rng: Generator, largest: int = 20) -> Automaton:
    """Counting modulo a number up to `largest`, letters adding different numbers."""
    m, letters = int(rng.integers(1, largest + 1)), int(rng.integers(1, 4))
    q = np.arange(m)
    rows = [(q + int(rng.integers(m))) % m for _ in range(letters)]
    return Automaton.from_table(rows, accepting=[0]).minimize()


def two_states(rng: Generator) -> Automaton:
    """Letters that swap two states or keep them; the first swaps."""
    flips = [1, *rng.integers(2, size=int(rng.integers(0, 3))).tolist()]
    rows = [[f, 1 - f] for f in flips]
    return Automaton.from_table(rows, accepting=[int(rng.integers(2))])


def polygon_automaton(rng: Generator) -> Automaton:
    """Turns and reflections of a polygon, or turns alone, on its symmetries."""
    m, flips = int(rng.integers(2, 9)), rng.random() < 0.6
    k = np.arange(m)
    rows = []
    for _ in range(int(rng.integers(1, 4))):
        turn, flip = int(rng.integers(m)), flips and rng.random() < 0.5
        r = [(k + turn) % m, m + (k - turn) % m]
        rows.append(np.concatenate([r[1], r[0]] if flip else r))
    return Automaton.from_table(rows, accepting=[0]).minimize()


def star_free_automaton(rng: Generator) -> Automaton:
    """Maps that keep the order of at most 5 states: powers of such a map settle."""
    n, letters = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    return _table(rng, np.sort(rng.integers(n, size=(letters, n)), axis=1))


def mixture(*draws: Draw) -> Draw:
    """One of several kinds."""
    return lambda rng: pick(rng, draws)(rng)


ANY = mixture(
    any_automaton, any_automaton, group_automaton, star_free_automaton, machine_with_outputs
)


# -------------------------------------------------------------------- facts by brute force


def core_rows(automaton: Automaton) -> list[tuple[int, ...]]:
    """The letters of the minimal automaton as maps."""
    return [tuple(row) for row in automaton.minimize().delta.tolist()]


def not_a_group(automaton: Automaton) -> str:
    """Why the letters of the minimal automaton are no permutations; empty if they are."""
    lossy = [row for row in core_rows(automaton) if len(set(row)) < len(row)]
    return f"a letter takes two states to one: {lossy[0]}" if lossy else ""


def not_aperiodic(automaton: Automaton) -> str:
    """Why the monoid has a group; empty if it has none."""
    periods = [plain.cycle_length(m) for m in plain.monoid(core_rows(automaton))]
    return f"a word acts with period {max(periods)}" if max(periods) > 1 else ""


def not_cyclic(automaton: Automaton) -> str:
    """Why the letters generate no cyclic group as large as the states; empty if they do."""
    if reason := not_a_group(automaton):
        return reason
    rows = core_rows(automaton)
    orders = [plain.cycle_length(m) for m in plain.monoid(rows)]
    m = len(orders)
    return "" if max(orders) == m == len(rows[0]) else f"{m} maps of orders up to {max(orders)}"


def not_dihedral(automaton: Automaton) -> str:
    """Why the letters generate no cyclic or dihedral group; empty if they do.

    Half of the elements are powers of one, and all others are involutions that invert it.
    """
    if reason := not_a_group(automaton):
        return reason
    group = plain.monoid(core_rows(automaton))
    for g in group:
        turns = [g]
        while len(turns) < plain.cycle_length(g):
            turns.append(plain.compose(turns[-1], g))
        rest = set(group) - set(turns)
        one = turns[-1]
        if not rest or (
            len(group) == 2 * len(turns)
            and all(
                plain.compose(s, s) == one
                and plain.compose(plain.compose(s, g), plain.compose(s, g)) == one
                for s in rest
            )
        ):
            return ""
    return "no element has the index 1, or the index 2 and is inverted by all others"


def not_two_states(automaton: Automaton) -> str:
    """Why the minimal automaton has no two states that letters keep or swap."""
    n = len(core_rows(automaton)[0])
    return not_a_group(automaton) or ("" if n == 2 else f"there are {n} states")


def hypothesis(text: str, reason: Callable[[Automaton], str]) -> Hypothesis:
    """An assumption about an automaton."""
    return Hypothesis(text, reason)


# -------------------------------------------------------------------- networks by definition


class Follower:
    """A network run letter by letter in doubles, as docs/files.md defines it.

    Nearest codewords are found by distance, and matrices are multiplied out factor by factor.
    """

    def __init__(self, lrnn: LRNN) -> None:
        self.lrnn = lrnn
        self.matrices = [
            [matrix_in_doubles(level.layer.transition, a) for a in range(level.layer.n_actions)]
            for level in lrnn.levels
        ]

    def answer(self, word: Sequence[int]) -> int:
        """The output after a word."""
        lrnn, out = self.lrnn, self.lrnn.empty_output
        states = [_floats(level.layer.h0) for level in lrnn.levels]
        held = [level.layer.initial for level in lrnn.levels]
        for letter in word:
            at, joint = 0, -1
            for k, head in enumerate(lrnn.heads):
                context = int(lrnn.letter_class[letter])
                for level in head:
                    layer, action = level.layer, int(level.action[context])
                    states[at] = self.matrices[at][action] @ states[at] + _floats(layer.b[action])
                    previous, current = layer.readout[action, _nearest(layer, states[at])]
                    read = {"previous": previous, "current": current, "shifted": held[at]}
                    held[at] = int(current)
                    context = int(level.next[context, int(read[level.reads])])
                    at += 1
                joint = context if k == 0 else int(lrnn.combine[k - 1][joint, context])
            out = int(lrnn.output[joint])
        return out


def _floats(values: Any) -> np.ndarray:
    return np.vectorize(float, otypes=[float])(values) if values.size else values.astype(float)


def matrix_in_doubles(transition: Any, action: int) -> np.ndarray:
    """A transition matrix, its factors multiplied out."""
    if not isinstance(transition, Householder):
        return _floats(transition.matrix(action))
    product, a = transition.product(action), np.eye(transition.n)
    for key, beta in zip(_floats(product.keys), _floats(product.betas), strict=True):
        a = a - np.outer(a @ key, float(beta) * key)
    return a


def _nearest(layer: Any, state: np.ndarray) -> int:
    index, row = 0, 0
    for words in layer.codewords:
        values = _floats(words)
        part = state[row : row + words.shape[1]]
        distances = ((values - part) ** 2).sum(axis=(1, 2))
        index, row = index * len(words) + int(distances.argmin()), row + words.shape[1]
    return index


def agree(lrnn: LRNN, automaton: Automaton, rng: Generator, count: int = 12) -> None:
    """Require that a network answers random words like an automaton, by definition."""
    if lrnn.tail is not None:
        return
    follower = Follower(lrnn)
    for _ in range(count):
        word = rng.integers(automaton.n_letters, size=int(rng.integers(1, 25))).tolist()
        expected = answer_of(automaton, word)
        said = lrnn.output_symbols[follower.answer(word)]
        require(said == expected, f"it answers {said} to {word}, not {expected}")


def answer_of(automaton: Automaton, word: Sequence[int]) -> str:
    """An automaton's output after a word that is not empty."""
    state, last = automaton.initial, automaton.initial
    for letter in word:
        state, last = int(automaton.delta[letter, state]), state
    response = automaton.response
    index = response[word[-1], last] if automaton.kind == "mealy" else response[state]
    return automaton.output_symbols[int(index)]


def named(name: str) -> Callable[[], Automaton]:
    """A machine of the bestiary."""
    return languages.BESTIARY[name]
