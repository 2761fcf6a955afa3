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
from lrnn_theory.green import GreenClasses, green_classes, strong_components
from lrnn_theory.groups import (
    MAX_COMPARISONS,
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
    def groups_are_2_groups(self) -> bool | None:
        """Whether every group in it has a power of 2 as order; None if not known.

        That is so if x^m with m = 2^k >= states is idempotent for every x.  One element for which
        it is not decides, also when the enumeration is not complete.
        """
        for x in self._blocks():
            power = x
            for _ in range((x.shape[1] - 1).bit_length()):
                power = _compose(power, power)
            if (_compose(power, power) != power).any():
                return False
        return True if self.complete else None

    @cached_property
    def groups_are_elementary(self) -> bool | None:
        """Whether x^2 = 1 for every element x of every group in it; None if not known.

        That is so if x^m = x^(m+2) for every x and m >= states.  One element for which it is not
        decides, also when the enumeration is not complete.
        """
        for x in self._blocks():
            power = x
            for _ in range((x.shape[1] - 1).bit_length()):
                power = _compose(power, power)
            if (_compose(_compose(power, x), x) != power).any():
                return False
        return True if self.complete else None

    @cached_property
    def is_r_trivial(self) -> bool:
        """Whether elements with one right ideal are equal.

        That is so exactly if no state comes back after another one (Brzozowski and Fich 1980).
        """
        return len(set(strong_components(self.generators.T.tolist()))) == self.generators.shape[1]

    @cached_property
    def is_j_trivial(self) -> bool | None:
        """Whether elements with one two-sided ideal are equal; None if there are too many letters.

        That is so exactly if it is R-trivial and for any two letters a and b words over a and b
        lead from q a and q b to one state, for all states q (Klima and Polak 2013).
        """
        if not self.is_r_trivial:
            return False
        k, n = self.generators.shape
        if k * k * n > MAX_COMPARISONS // 16:
            return None
        for a in self.generators:
            first = np.broadcast_to(a, self.generators.shape)
            power = _compose(first, self.generators)
            for _ in range((n - 1).bit_length()):
                power = _compose(power, power)
            if (_compose(first, power) != _compose(self.generators, power)).any():
                return False
        return True

    @cached_property
    def minimal_ideal(self) -> int | None:
        """Number of elements of the least ideal, those of least rank; None if not known."""
        if self.is_group:
            return self.largest_group.order if self.largest_group else None
        if not self.complete:
            return None
        ranks = np.concatenate([_images(x).sum(axis=1) for x in self._blocks()])
        return int((ranks == ranks.min()).sum())

    def green(self, seconds: float) -> GreenClasses | None:
        """Its Green's classes, if `seconds` suffice; None if it is no group and not complete."""
        if self.is_group:
            return None if self.largest_group is None else GreenClasses.of_group(self.largest_group)
        return green_classes(self.elements, self.generators, seconds) if self.complete else None

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
    def units(self) -> GroupFacts:
        """The group of its permutations, which the letters that permute the states generate."""
        return permutation_group_facts(self.generators[_permute(self.generators)])

    @cached_property
    def largest_group(self) -> GroupFacts | None:
        """The largest group in it, all of it if `is_group`; None if not known."""
        if self.is_aperiodic:
            return TRIVIAL_GROUP
        if self.is_group:
            return self.units
        return permutation_group_facts(self.subgroups[0]) if self.subgroups else None

    @cached_property
    def is_solvable(self) -> bool | None:
        """Whether every group in it is solvable; None if not known."""
        if self.is_commutative or self.is_aperiodic:
            return True
        if self.is_group or self.units.is_solvable is False:
            return self.units.is_solvable
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
