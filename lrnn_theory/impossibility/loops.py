"""Words u w^k, and what a language wants of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from lrnn_theory.automaton import Automaton
from lrnn_theory.eventual import Stream

MAX_LETTERS = 4
"""Longest word that is repeated."""
MAX_SPELLED = 1_000_000
"""Longest word that repeats more than one letter: it is written letter by letter."""
MAX_LOOPS = 64
"""Most loops of a language that are tried."""


@dataclass(frozen=True)
class Loop:
    """The words u w^k, and the answers that a language gives to them.

    Attributes:
        prefix: the letters of u.
        cycle: the letters of w.
        answers: the answer to u w^k, for k >= 1, as an index of an output symbol.
    """

    prefix: tuple[int, ...]
    cycle: tuple[int, ...]
    answers: Stream

    @property
    def period(self) -> int:
        """The period of the answers; more than 1."""
        return len(self.answers.cycle)

    def pair(self, first: int, period: int) -> tuple[int, int] | None:
        """The least k >= first for which u w^k and u w^(k + period) need different answers.

        None if there are none: the period of the answers divides the one given.
        """
        first = max(first, 1)
        last = max(first, len(self.answers.head) + 1) + self.period
        for k in range(first, last):
            if self.answers[k] != self.answers[k + period]:
                return k, k + period
        return None


def loops(automaton: Automaton, max_letters: int = MAX_LETTERS) -> Iterator[Loop]:
    """Loops of an automaton that its answers tell apart for ever; shortest w, then shortest u.

    Args:
        automaton: minimal; equal letters are tried once.
        max_letters: longest w.

    Example:
        >>> [loop.cycle for loop in loops(Automaton.from_regex("(11)*"))]
        [(0,)]
        >>> list(loops(Automaton.from_regex("(01)*")))
        []
    """
    letter_class, _ = automaton.merge_letters()
    letters = sorted(int(np.flatnonzero(letter_class == c)[0]) for c in set(letter_class.tolist()))
    prefixes, count = _shortest_words(automaton, letters), 0
    for length in range(1, max_letters + 1):
        for word in product(letters, repeat=length):
            if any(word == word[:d] * (length // d) for d in range(1, length) if length % d == 0):
                continue
            for loop in _loops_of(automaton, word, prefixes):
                yield loop
                count += 1
                if count == MAX_LOOPS:
                    return


def _shortest_words(automaton: Automaton, letters: list[int]) -> dict[int, tuple[int, ...]]:
    words: dict[int, tuple[int, ...]] = {automaton.initial: ()}
    queue = deque([automaton.initial])
    while queue:
        q = queue.popleft()
        for a in letters:
            there = int(automaton.delta[a, q])
            if there not in words:
                words[there] = (*words[q], a)
                queue.append(there)
    return words


def _loops_of(
    automaton: Automaton, word: tuple[int, ...], prefixes: dict[int, tuple[int, ...]]
) -> Iterator[Loop]:
    seen: set[int] = set()
    for start, prefix in prefixes.items():  # shortest first
        path, place = [start], {start: 0}
        answers = []
        while True:
            q, answer = _read(automaton, path[-1], word)
            answers.append(answer)
            if q in place:
                break
            place[q] = len(path)
            path.append(q)
        cycle = path[place[q] :]
        stream = Stream.shortest(answers[: place[q]], answers[place[q] :])
        if cycle[0] not in seen and len(stream.cycle) > 1:
            yield Loop(prefix, word, stream)
        seen.update(cycle)


def _read(automaton: Automaton, state: int, word: tuple[int, ...]) -> tuple[int, int]:
    """The state after a word, and the answer to its last letter."""
    before = state
    for a in word:
        before, state = state, int(automaton.delta[a, state])
    response = automaton.response
    answer = response[word[-1], before] if response.ndim == 2 else response[state]
    return state, int(answer)
