"""The exclusion tail: a cascade for any automaton that needs no tables.

Every level names one state that the automaton is *not* in.  The level of size s acts where s
states remain; it stores the rank of the excluded one among them.  If a letter permutes what
remains, the excluded state moves along; if not, the letter's image misses some state, and that
one is excluded next.  After levels of sizes m, m - 1, ..., 2 one state remains.

This is the folklore induction on the number of states: an automaton with n states is simulated by a
permutation-reset automaton with n states that names a state the first is not in, followed by one
with n - 1 states.  The permutations need not come from groups of the transition monoid.  Sets of
states are bitmasks: state q is bit q.  Proof in docs/cascades.md, section 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ExclusionTail:
    """Levels of sizes m, m - 1, ..., 2 whose wiring is computed, not stored.

    A context of these levels is a triple (before, letter, after): the states that the automaton
    can have been in, the letter, and the states that it can be in now, so that the image of
    `before` lies inside `after`.

    Attributes:
        delta: int32 of shape (letters, states).
        sizes: m, m - 1, ..., 2, where no block has more than m states.

    Raises:
        ValueError: if `sizes` does not fall by one down to 2.

    Example:
        >>> delta = np.array([[1, 2, 0], [1, 1, 2]], np.int32)
        >>> tail = ExclusionTail.below(delta, 3)
        >>> tail.map(3, 0b111, 0, 0b111), tail.map(3, 0b111, 1, 0b111)
        ((1, 2, 0), (0, 0, 0))
    """

    delta: NDArray[np.int32]
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.sizes != tuple(range(len(self.sizes) + 1, 1, -1)):
            raise ValueError(f"Argument 'sizes' must be m, m - 1, ..., 2, not {self.sizes}.")

    @classmethod
    def below(cls, delta: NDArray[np.int32], largest: int) -> ExclusionTail:
        """The tail for blocks of at most `largest` states."""
        return cls(delta, tuple(range(largest, 1, -1)))

    @cached_property
    def _targets(self) -> list[list[int]]:
        return self.delta.tolist()

    def image(self, block: int, letter: int) -> int:
        """The set of states reached from `block` by `letter`."""
        row = self._targets[letter]
        image = 0
        for q in elements(block):
            image |= 1 << row[q]
        return image

    def map(self, size: int, before: int, letter: int, after: int) -> tuple[int, ...]:
        """What the level of `size` does to its coordinates in a context.

        Returns:
            The image of coordinates 0, ..., size - 1: the identity if `after` has another number
            of states, a permutation if `before` goes onto `after`, else a constant.
        """
        if after.bit_count() != size:
            return tuple(range(size))
        image = self.image(before, letter)
        if image == after:
            row = self._targets[letter]
            rank = {q: i for i, q in enumerate(elements(after))}
            return tuple(rank[row[q]] for q in elements(before))
        missed = next(i for i, q in enumerate(elements(after)) if not image >> q & 1)
        return (missed,) * size

    def descend(self, size: int, block: int, coordinate: int) -> int:
        """What remains of `block` below the level of `size`."""
        if block.bit_count() != size:
            return block
        return block ^ (1 << elements(block)[coordinate])

    def initial(self, state: int, block: int) -> tuple[int, ...]:
        """Coordinates of all levels for a state in a block: the first other state goes."""
        coordinates = []
        for size in self.sizes:
            acts = block.bit_count() == size
            first = block & -block
            coordinates.append(int(acts and first == 1 << state))
            if acts:
                rest = block ^ first
                block ^= rest & -rest if coordinates[-1] else first
        return tuple(coordinates)

    def walk(
        self, context: tuple[int, int, int], coordinates: Sequence[int]
    ) -> tuple[list[int], tuple[int, int, int]]:
        """One step of all levels: their new coordinates, and the context below the last."""
        before, letter, after = context
        moved = []
        for size, coordinate in zip(self.sizes, coordinates, strict=True):
            moved.append(self.map(size, before, letter, after)[coordinate])
            before = self.descend(size, before, coordinate)
            after = self.descend(size, after, moved[-1])
        return moved, (before, letter, after)


def elements(block: int) -> list[int]:
    """The elements of a bitmask, ascending."""
    states = []
    while block:
        lowest = block & -block
        states.append(lowest.bit_length() - 1)
        block ^= lowest
    return states
