"""From a regular expression, built term by term, to the states and transitions of a DFA.

A state is a set of partial derivatives of the expression (Antimirov 1996), so that a counted
repetition is a counter and is never written out.  Letters that no set of characters tells apart
are handled together (Owens, Reppy and Turon 2009).
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.table import MAX_TABLE_ENTRIES

VISITS_PER_STATE = 50
"""Derivatives that the construction may look at for each of `max_states`, on average."""

Ranges = tuple[tuple[int, int], ...]  # of code points: inclusive, disjoint, increasing


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The characters in any of several ranges."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """All other characters."""
    starts = [0, *(high + 1 for _, high in ranges)]
    ends = [*(low - 1 for low, _ in ranges), sys.maxunicode]
    return tuple((low, high) for low, high in zip(starts, ends, strict=True) if low <= high)


def charset(text: str) -> Ranges:
    """The characters of a text."""
    return union((ord(c), ord(c)) for c in text)


def is_single(ranges: Ranges) -> bool:
    """Whether the set holds exactly one character."""
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


EMPTY = 0


class Terms:
    """Regular expressions by number: equal ones have equal numbers, the empty word has 0.

    A shape is `("empty",)`, `("chars", ranges)`, `("cat", head, tail)` where the head is no "cat",
    `("alt", *branches)` or `("repeat", body, low, high)`.
    """

    def __init__(self) -> None:
        self.shape: list[tuple[Any, ...]] = []
        self.nullable: list[bool] = []  # whether the term matches the empty word
        self.positions: list[float] = []  # "chars" in it, with every repetition written out
        self._number: dict[tuple[Any, ...], int] = {}
        self._cats: dict[tuple[int, int], int] = {}
        self._steps: dict[int, tuple[tuple[int, int], ...]] = {}
        self._add(("empty",), True, 0)

    def _add(self, shape: tuple[Any, ...], nullable: bool, positions: float) -> int:
        if shape not in self._number:
            self._number[shape] = len(self.shape)
            self.shape.append(shape)
            self.nullable.append(nullable)
            self.positions.append(positions)
        return self._number[shape]

    def chars(self, ranges: Ranges) -> int:
        """One character of `ranges`."""
        return self._add(("chars", ranges), False, 1)

    def alt(self, branches: Iterable[int]) -> int:
        """The union of the branches."""
        unique = tuple(dict.fromkeys(branches))
        if len(unique) == 1:
            return unique[0]
        nullable = any(self.nullable[t] for t in unique)
        return self._add(("alt", *unique), nullable, sum(self.positions[t] for t in unique))

    def repeat(self, body: int, low: int, high: float) -> int:
        """From `low` to `high` copies of `body`, where `high` may be infinite."""
        if body == EMPTY or high == 0:
            return EMPTY
        if low == high == 1:
            return body
        if self.nullable[body]:
            low = 0
        copies = max(low, 1) if high == inf else high
        return self._add(("repeat", body, low, high), low == 0, copies * self.positions[body])

    def cat(self, left: int, right: int) -> int:
        """`left` followed by `right`, bracketed to the right."""
        if right == EMPTY:
            return left
        pending = []
        while left != EMPTY and (left, right) not in self._cats:
            pending.append(left)
            left = self.split(left)[1]
        term = right if left == EMPTY else self._cats[left, right]
        for left in reversed(pending):
            head = self.split(left)[0]
            nullable = self.nullable[head] and self.nullable[term]
            positions = self.positions[head] + self.positions[term]
            term = self._cats[left, right] = self._add(("cat", head, term), nullable, positions)
        return term

    def split(self, term: int) -> tuple[int, int]:
        """The first factor of a concatenation, and the rest."""
        shape = self.shape[term]
        return (shape[1], shape[2]) if shape[0] == "cat" else (term, EMPTY)

    def steps(self, term: int) -> tuple[tuple[int, int], ...]:
        """Antimirov's linear form: "chars" that can be read first, each with what may follow."""
        if term not in self._steps:
            steps: dict[tuple[int, int], None] = {}
            rest = term
            while rest != EMPTY:
                head, rest = self.split(rest)
                for chars, residual in self._steps_of_head(head):
                    steps[chars, self.cat(residual, rest)] = None
                if not self.nullable[head]:
                    break
            self._steps[term] = tuple(steps)
        return self._steps[term]

    def _steps_of_head(self, head: int) -> Iterator[tuple[int, int]]:
        match self.shape[head]:
            case ("chars", _):
                yield head, EMPTY
            case ("alt", *branches):
                for branch in branches:
                    yield from self.steps(branch)
            case ("repeat", body, low, high):
                others = self.repeat(body, max(low - 1, 0), high - 1)
                for chars, residual in self.steps(body):
                    yield chars, self.cat(residual, others)

    def widest(self, terms: Iterable[int]) -> frozenset[int]:
        """The terms, without most of those whose words another of them has too.

        r{i,j}s contains r{m,n}s if i <= m and n <= j, and rs contains s if r matches the empty
        word.  This keeps `.*a.{0,30}`, and patterns with many optional parts, small.
        """
        contained: set[int] = set()
        counted: defaultdict[tuple[int, int], list[tuple[int, float, int]]] = defaultdict(list)
        for term in terms:
            head, rest = self.split(term)
            if self.shape[head][0] == "repeat":
                _, body, low, high = self.shape[head]
                counted[body, rest].append((low, -high, term))
            while head != EMPTY and self.nullable[head] and rest not in contained:
                contained.add(rest)
                head, rest = self.split(rest)
        for group in counted.values():
            widest = 0.0
            for _, minus_high, term in sorted(group):
                if minus_high < widest:
                    widest = minus_high
                else:
                    contained.add(term)
        return frozenset(terms) - contained


def _letter_classes(charsets: Iterable[Ranges], codes: Sequence[int]) -> NDArray[np.int64]:
    """A number for every letter, equal for letters that lie in the same sets; shape (letters,)."""
    toggled: defaultdict[int, int] = defaultdict(int, {0: 0})
    for k, ranges in enumerate(charsets):
        for first, last in _spans(ranges, codes):
            toggled[first] ^= 1 << k
            toggled[last] ^= 1 << k
    starts = sorted(toggled.keys() - {len(codes)})
    classes: dict[int, int] = {}
    inside, labels = 0, []
    for start in starts:
        inside ^= toggled[start]  # the bit mask of the sets that hold the letters from here on
        labels.append(classes.setdefault(inside, len(classes)))
    return np.repeat(labels, np.diff([*starts, len(codes)]))


def _spans(ranges: Ranges, codes: Sequence[int]) -> list[tuple[int, int]]:
    return [(bisect_left(codes, low), bisect_right(codes, high)) for low, high in ranges]


def determinise(
    terms: Terms, root: int, codes: Sequence[int], max_states: int, subject: str
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """The total automaton of a term, with the initial state 0.

    Args:
        terms: where the term is defined.
        root: the term.
        codes: code points of the letters, increasing.
        max_states: how many states there may be.
        subject: what error messages are about.

    Returns:
        `(delta, accepting)`, of shapes (letters, states) and (states,).

    Raises:
        ValueError: if a limit is exceeded.
    """
    charsets = {t: shape[1] for t, shape in enumerate(terms.shape) if shape[0] == "chars"}
    letter_class = _letter_classes(charsets.values(), codes)
    n_classes = int(letter_class.max()) + 1

    @cache
    def classes(chars: int) -> list[int]:
        spans = _spans(charsets[chars], codes)
        return sorted({c for i, j in spans for c in np.unique(letter_class[i:j]).tolist()})

    limit = min(max_states, MAX_TABLE_ENTRIES // len(codes))
    visits = 0
    index: dict[frozenset[int], int] = {}
    states: list[frozenset[int]] = []
    rows = []

    def number(state: frozenset[int]) -> int:
        if state not in index:
            if len(states) >= limit:
                raise ValueError(
                    f"{subject} needs more than {limit} states over {len(codes)} letters before "
                    f"minimisation; simplify it, or raise the limit in Python "
                    f"(Automaton.from_regex(..., max_states=...); "
                    f"lrnn_theory.derivatives.MAX_TABLE_ENTRIES)."
                )
            index[state] = len(states)
            states.append(state)
        return index[state]

    number(frozenset([root]))
    for state in states:
        targets: defaultdict[int, set[int]] = defaultdict(set)
        for chars, residual in (step for term in state for step in terms.steps(term)):
            for c in classes(chars):
                targets[c].add(residual)
            visits += 1 + len(classes(chars))
            if visits > VISITS_PER_STATE * max_states:
                raise ValueError(
                    f"{subject} needs more than {VISITS_PER_STATE * max_states} derivatives; "
                    f"simplify it, or raise the limit in Python "
                    f"(Automaton.from_regex(..., max_states=...), {VISITS_PER_STATE} for each)."
                )
        sink = number(frozenset()) if len(targets) < n_classes else -1
        row = np.full(n_classes, sink, np.int32)
        for c, target in targets.items():
            row[c] = number(terms.widest(target))
        rows.append(row)
    accepting = [any(terms.nullable[t] for t in state) for state in states]
    return np.array(rows).T[letter_class], np.array(accepting)
