"""The transition monoid of an automaton, enumerated within bounds, and its groups.

An element is the map on states of a word, as a row; the word uv maps q to v(u(q)).  The monoid of a
minimal DFA is the syntactic monoid of its language, which decides what can recognise it: the
language is star-free exactly if the monoid is aperiodic (Schützenberger 1965); it is in ACC0 if all
groups in the monoid are solvable, and complete for NC1 if not (Barrington and Thérien 1988).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.automaton import Automaton
from lrnn_theory.groups import (
    TRIVIAL_GROUP,
    GroupFacts,
    Rows,
    closure,
    commute,
    permutation_group_facts,
)

MAX_ENTRIES = 16_000_000
"""Largest number of entries (elements x states) of an enumeration."""


@dataclass(frozen=True, eq=False)
class TransitionMonoid:
    """A transition monoid, or the part of it that was enumerated.

    Attributes:
        elements: distinct maps in shortlex order of their words, the identity first, (elements,
            states).
        generators: the distinct maps of the letters, (generators, states).
        complete: whether `elements` is the whole monoid.

    Example:
        >>> from lrnn_theory.languages import tomita
        >>> transition_monoid(tomita(2)).size
        6
    """

    elements: Rows
    generators: Rows
    complete: bool

    @property
    def size(self) -> int:
        """Number of elements that were enumerated."""
        return len(self.elements)

    @property
    def is_group(self) -> bool:
        """Whether it is a group: every letter permutes the states."""
        return bool(_permute(self.generators).all())

    @cached_property
    def is_commutative(self) -> bool | None:
        """Whether any two letters commute; None if there are too many to tell."""
        return commute(self.generators)

    @cached_property
    def idempotents(self) -> int | None:
        """Number of elements with e e = e; None if the enumeration is not complete."""
        if self.is_group:
            return 1
        if not self.complete:
            return None
        return sum(int((_compose(x, x) == x).all(axis=1).sum()) for x in self._blocks())

    @cached_property
    def is_aperiodic(self) -> bool | None:
        """Whether x^n = x^(n+1) for every x and n = states; None if not known.

        One element that is not aperiodic decides, also when the enumeration is not complete.
        """
        for x in self._blocks():
            power = x
            for _ in range((x.shape[1] - 1).bit_length()):
                power = _compose(power, power)
            if (_compose(power, x) != power).any():
                return False
        return True if self.complete else None

    @cached_property
    def subgroups(self) -> list[Rows] | None:
        """The nontrivial maximal subgroups, largest first; None if not complete.

        A maximal subgroup consists of the elements with the image and the kernel of an idempotent,
        and acts faithfully on that image.  Subgroups that are the same as permutations of the
        (renumbered) image are listed once.

        Returns:
            For each, its permutations, (order, rank).
        """
        if not self.complete:
            return None
        found: dict[bytes, list[Rows]] = {}
        for x in self._blocks():
            image = _images(x)
            # x is in a subgroup exactly if it is injective on its image; the idempotent e then
            # maps q to the only r in the image with x(r) = x(q).
            row, r = np.nonzero(image)
            inside = (_images(_compose(x, x)) == image).all(axis=1)
            inverse = np.zeros_like(x)
            inverse[row, x[row, r]] = r
            idempotent = _compose(x, inverse)
            position = np.cumsum(image, axis=1) - 1
            for i in np.flatnonzero(inside):
                permutation = position[i][x[i, image[i]]].astype(x.dtype)
                found.setdefault(idempotent[i].tobytes(), []).append(permutation)
        groups = {}
        for permutations in found.values():
            if len(permutations) > 1:
                rows = np.array(sorted(permutations, key=lambda p: p.tobytes()))
                groups[rows.shape, rows.tobytes()] = rows
        return sorted(groups.values(), key=lambda rows: (-len(rows), rows.shape, rows.tobytes()))

    @cached_property
    def largest_group(self) -> GroupFacts | None:
        """The largest group in it, all of it if `is_group`; None if not known."""
        if self.is_aperiodic:
            return TRIVIAL_GROUP
        if self.is_group:
            return permutation_group_facts(self.generators)
        return permutation_group_facts(self.subgroups[0]) if self.subgroups else None

    @cached_property
    def is_solvable(self) -> bool | None:
        """Whether every group in it is solvable; None if not known."""
        if self.is_commutative or self.is_aperiodic:
            return True
        permuting = self.generators[_permute(self.generators)]
        group = permutation_group_facts(permuting)
        if self.is_group or group.is_solvable is False:
            return group.is_solvable
        if self.subgroups is None:
            return None
        # The smallest group that is not solvable is A5, of order 60.
        verdicts = {permutation_group_facts(g).is_solvable for g in self.subgroups if len(g) >= 60}
        return False if False in verdicts else None if None in verdicts else True

    def _blocks(self) -> Iterator[Rows]:
        """The elements in blocks of bounded size."""
        step = max(1, 2**20 // self.elements.shape[1])
        for i in range(0, self.size, step):
            yield self.elements[i : i + step]


def transition_monoid(
    automaton: Automaton, max_size: int = 100_000, seconds: float = 10.0
) -> TransitionMonoid:
    """Enumerate the maps of words, shortest words first, up to a number of elements and a time.

    Monoids are large: random DFAs of 16 states have over 9 million elements.

    Args:
        automaton: the automaton, used as it is (minimise it for the syntactic monoid).
        max_size: most elements to enumerate; `MAX_ENTRIES` / states if that is fewer.
        seconds: most time to spend.

    Raises:
        ValueError: if a bound is not positive.

    Example:
        >>> from lrnn_theory.languages import full_transformation_monoid
        >>> transition_monoid(full_transformation_monoid(4)).size
        256
    """
    if max_size < 1:
        raise ValueError(f"Argument 'max_size' must be positive, not {max_size}.")
    if not seconds > 0:
        raise ValueError(f"Argument 'seconds' must be positive, not {seconds}.")
    n = automaton.n_states
    delta = automaton.delta.astype(np.min_scalar_type(n - 1))
    generators = delta[sorted(np.unique(delta, axis=0, return_index=True)[1])]
    limit = max(1, min(max_size, MAX_ENTRIES // n))
    elements, complete = closure(generators, limit, time.monotonic() + seconds)
    return TransitionMonoid(elements, generators, complete)


def _compose(first: Rows, then: Rows) -> Rows:
    """Row by row, the map q -> then(first(q))."""
    return np.take_along_axis(then, first, axis=1)


def _permute(maps: Rows) -> NDArray[np.bool_]:
    """Which maps are permutations, (maps,)."""
    return np.all(_images(maps), axis=1)


def _images(maps: Rows) -> NDArray[np.bool_]:
    """Indicator of the image of every map, (maps, states)."""
    image = np.zeros(maps.shape, bool)
    np.put_along_axis(image, maps, True, axis=1)
    return image
