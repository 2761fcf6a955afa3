"""Permutation-reset cascades of any automaton, by cover refinement.

A cascade is a stack of small automata, the *levels*.  Each letter permutes a level's coordinates
or resets them to one, depending on the letter and on the levels above before and after it.  The
coordinates of all levels together name the automaton's state.  There are at most |Q| - 1 levels,
and the l-th has at most |Q| - l + 1 coordinates.  Algorithm and proofs: docs/cascades.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.automaton import Automaton
from lrnn_theory.components import POLICIES
from lrnn_theory.cover import Cover, Level, bitmasks, refine
from lrnn_theory.exclusion import ExclusionTail
from lrnn_theory.simulation import check_wiring

__all__ = [
    "Budget",
    "Cascade",
    "ExclusionTail",
    "Level",
    "Statistics",
    "decompose",
]


@dataclass(frozen=True)
class Budget:
    """How much of a cascade may be tabulated; counted work, so that results are reproducible.

    The tables of most machines are small, but they can grow exponentially with the number of
    states.  A level that would pass a limit is not made, and an `ExclusionTail` takes over.

    Attributes:
        contexts: contexts of all levels together; 0 tabulates nothing.
        work: memory cells to write: states times contexts, all levels together; and for every
            level its size times (contexts + states times blocks), all levels together.

    Raises:
        ValueError: if a limit is negative.
    """

    contexts: int = 200_000
    work: int = 40_000_000

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            if limit < 0:
                raise ValueError(f"Argument '{name}' must be non-negative, not {limit}.")


@dataclass(frozen=True)
class Statistics:
    """The size of a cascade.

    Attributes:
        sizes: number of coordinates of every level, those of the tail included.
        contexts: number of contexts of every tabulated level.
        transpositions: the most transpositions that one action of a level is a product of (n
            minus the number of cycles; 0 for a reset); an upper bound if there is a tail.
    """

    sizes: tuple[int, ...]
    contexts: tuple[int, ...]
    transpositions: int

    @property
    def levels(self) -> int:
        """Number of levels."""
        return len(self.sizes)

    @property
    def coordinates(self) -> int:
        """Sum of the sizes of all levels."""
        return sum(self.sizes)


@dataclass(frozen=True, eq=False)
class Cascade:
    """A permutation-reset cascade that simulates an automaton.

    It reads a letter a as follows.  Let c = a.  At every level, with coordinate p, the new
    coordinate is `maps[action[c], p]`, then c becomes `next[c, p]`.  After the last level
    `final[c]` has the states before and after the letter.

    Attributes:
        automaton: the automaton decomposed; every state is reachable.
        policy: "weak", "strong" or "faithful", see `decompose`.
        initial: the coordinates of the initial state, one for every level and level of the tail.
        levels: the tabulated levels; context c of the first is letter c.
        final: int32 of shape (contexts, 3), the rows (state before, letter, state after) that
            the last `Level.next` points to; of shape (0, 3) if there is a tail.
        tail: the levels after the tabulated ones, or None.
        tail_contexts: what the last `Level.next` points to if there is a tail: triples (states
            before as a bitmask, letter, states after as a bitmask).

    Example:
        >>> odd = Automaton.from_table([[0, 1], [1, 0]], accepting=[1], letters="01")
        >>> cascade = decompose(odd)
        >>> cascade.step(cascade.initial, 1), cascade.decode((1,))
        ((1,), 1)
        >>> cascade.check()
    """

    automaton: Automaton
    policy: str
    initial: tuple[int, ...]
    levels: tuple[Level, ...]
    final: NDArray[np.int32]
    tail: ExclusionTail | None = None
    tail_contexts: tuple[tuple[int, int, int], ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of coordinates of every level, those of the tail included."""
        return (*(level.size for level in self.levels), *(self.tail.sizes if self.tail else ()))

    @cached_property
    def statistics(self) -> Statistics:
        """Levels, coordinates, contexts and transpositions."""
        moved = [transpositions(row) for level in self.levels for row in level.maps.tolist()]
        if self.tail is not None:
            moved += [size - 1 for size in self.tail.sizes]
        contexts = tuple(len(level.action) for level in self.levels)
        return Statistics(self.sizes, contexts, max(moved, default=0))

    def step(self, coordinates: Sequence[int], letter: int) -> tuple[int, ...]:
        """Coordinates after a letter (its index).

        Raises:
            ValueError: if the letter, the number of coordinates or one of them is out of range,
                or if no word leads to these coordinates.
        """
        return self._read(coordinates, letter)[0]

    def decode(self, coordinates: Sequence[int]) -> int:
        """The state that coordinates stand for.

        Raises:
            ValueError: as `step`.
        """
        # The state before a letter is the same for every letter.
        return self._read(coordinates, 0)[1]

    def encode(self, state: int) -> tuple[int, ...]:
        """Coordinates for a state: those after a shortest word that leads to it.

        Raises:
            ValueError: if there is no such state.
        """
        word = self.automaton.access_words.get(state)
        if word is None:
            raise ValueError(
                f"Argument 'state' must be in 0..{self.automaton.n_states - 1}, not {state}."
            )
        coordinates = self.initial
        for letter in word:
            coordinates = self.step(coordinates, letter)
        return coordinates

    def check(self) -> None:
        """Prove that the cascade simulates its automaton on all words, in linear time.

        Nothing is believed of how the cascade was made: the proof is by induction over the
        levels from their tables alone (docs/cascades.md, "The local certificate").

        Raises:
            ValueError: what is wrong, and at which level, if this proves nothing.
        """
        contexts = self.tail_contexts
        if self.tail is None:
            contexts = [(1 << p, a, 1 << q) for p, a, q in self.final.tolist()]
        check_wiring(self.automaton.delta, self.levels, self.initial, contexts)
        largest = max(max(x.bit_count(), y.bit_count()) for x, _, y in contexts)
        tail = self.tail or ExclusionTail.below(self.automaton.delta, 1)
        if not np.array_equal(tail.delta, self.automaton.delta) or len(tail.sizes) < largest - 1:
            raise ValueError(f"The tail must be of this automaton, for sets of {largest} states.")
        if self.decode(self.initial) != self.automaton.initial:
            raise ValueError("The initial coordinates must stand for the initial state.")

    def _read(self, coordinates: Sequence[int], letter: int) -> tuple[tuple[int, ...], int]:
        """Coordinates after a letter, and the state before it."""
        sizes = self.sizes
        if len(coordinates) != len(sizes) or not all(
            0 <= p < size for p, size in zip(coordinates, sizes, strict=True)
        ):
            raise ValueError(
                f"Argument 'coordinates' must hold one coordinate below each of {sizes}, "
                f"not {tuple(coordinates)}."
            )
        if not 0 <= letter < self.automaton.n_letters:
            raise ValueError(
                f"Argument 'letter' must be in 0..{self.automaton.n_letters - 1}, not {letter}."
            )
        context = letter
        moved: list[int] = []
        for level, p in zip(self.levels, coordinates, strict=False):
            moved.append(int(level.maps[level.action[context], p]))
            context = int(level.next[context, p])
            if context < 0:
                raise ValueError(f"No word leads to coordinates {tuple(coordinates)}.")
        if self.tail is None:
            return tuple(moved), int(self.final[context, 0])
        below, (before, _, _) = self.tail.walk(
            self.tail_contexts[context], coordinates[len(self.levels) :]
        )
        return (*moved, *below), before.bit_length() - 1


def decompose(
    automaton: Automaton, policy: str | None = None, budget: Budget | None = None
) -> Cascade:
    """Decompose an automaton into a permutation-reset cascade.

    Minimise it and merge its letters first if the cascade may be as small as that allows; only
    unreachable states are dropped here.

    Args:
        automaton: any automaton; outputs and acceptance play no part.
        policy: what a level may split.  "weak": all that can be split; the bound |Q| - 1 on
            levels is for this one.  "strong": only blocks whose splits are permuted by a group
            that divides the transition monoid.  "faithful": also what follows group-free blocks
            without being permuted.  If the monoid is aperiodic, neither of these two permutes.
            None: "faithful" if that takes no more levels than "weak", else "weak".
        budget: limits on the tables; past them the cascade ends in an `ExclusionTail`, whose
            permutations need not come from the monoid under any policy.

    Raises:
        ValueError: if there is no such policy.

    Example:
        >>> counter = Automaton.from_table([[1, 2, 3, 0], [0, 0, 0, 0]], accepting=[3])
        >>> decompose(counter).sizes, decompose(counter, budget=Budget(contexts=0)).sizes
        ((4,), (4, 3, 2))
    """
    if policy is not None and policy not in POLICIES:
        raise ValueError(f"Argument 'policy' must be one of {', '.join(POLICIES)}, not {policy!r}.")
    automaton = automaton.trim()
    budget = budget or Budget()
    if policy is not None:
        return _tabulated(automaton, policy, budget)
    cascade = _tabulated(automaton, "weak", budget)
    if cascade.tail is None:
        other = _tabulated(automaton, "faithful", budget, max_levels=len(cascade.levels))
        if other.tail is None:
            return other
    return cascade


def remembered(make: Callable[[Automaton], Cascade]) -> Callable[[Automaton], Cascade]:
    """The same function, which makes the cascade of the last few automata once only.

    Automata with the same transitions and initial state share it, whatever their outputs; errors
    are remembered, too.
    """

    @lru_cache(maxsize=4)
    def of_table(table: bytes, shape: tuple[int, int], initial: int) -> Cascade | str:
        delta = np.frombuffer(table, np.int32).reshape(shape)
        try:
            return make(Automaton.from_table(delta, accepting=[], initial=initial))
        except ValueError as error:
            return str(error)

    def of_automaton(automaton: Automaton) -> Cascade:
        delta = automaton.delta.astype(np.int32)
        found = of_table(delta.tobytes(), delta.shape, automaton.initial)
        if isinstance(found, str):
            raise ValueError(found)
        return replace(found, automaton=automaton)

    return of_automaton


def rounds(automaton: Automaton, policy: str, budget: Budget) -> Iterator[tuple[Level, int, Cover]]:
    """Levels, their initial coordinates and the covers below them, as far as the budget goes.

    The contexts below the last level are not counted: they are a transition table again.
    """
    cover = Cover.trivial(automaton.n_letters, automaton.n_states)
    contexts = len(cover.contexts)
    limit = min(budget.contexts, budget.work // automaton.n_states)
    work = budget.work
    while cover.largest > 1 and contexts <= limit:
        refined = refine(automaton.delta, automaton.initial, cover, policy, work)
        if refined is None:
            return
        level, coordinate, finer = refined
        work -= cover.work(level.size)
        contexts += len(finer.contexts)
        cover = finer
        if cover.largest > 1 and contexts > limit:
            return
        yield level, coordinate, cover


def _tabulated(
    automaton: Automaton, policy: str, budget: Budget, max_levels: int | None = None
) -> Cascade:
    levels: list[Level] = []
    initial: list[int] = []
    cover = Cover.trivial(automaton.n_letters, automaton.n_states)
    for level, coordinate, finer in islice(rounds(automaton, policy, budget), max_levels):
        levels.append(level)
        initial.append(coordinate)
        cover = finer
    old, letter, new = cover.contexts.T
    if cover.largest == 1:
        state = cover.blocks.argmax(axis=1)
        final = np.column_stack([state[old], letter, state[new]]).astype(np.int32)
        return Cascade(automaton, policy, tuple(initial), tuple(levels), final)
    tail = ExclusionTail.below(automaton.delta, cover.largest)
    blocks = bitmasks(cover.blocks)
    return Cascade(
        automaton,
        policy,
        (*initial, *tail.initial(automaton.initial, blocks[cover.initial])),
        tuple(levels),
        np.empty((0, 3), np.int32),
        tail,
        tuple((blocks[x], a, blocks[y]) for x, a, y in cover.contexts.tolist()),
    )


def transpositions(row: Sequence[int]) -> int:
    """Size minus number of cycles of a permutation; 0 for a reset."""
    if len(set(row)) < len(row):
        return 0
    unseen = set(range(len(row)))
    cycles = 0
    while unseen:
        cycles += 1
        i = next(iter(unseen))
        while i in unseen:
            unseen.remove(i)
            i = row[i]
    return len(row) - cycles
