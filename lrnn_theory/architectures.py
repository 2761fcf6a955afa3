"""Which classes of linear RNNs can track an automaton: what is proved, and what is open.

"yes" names a construction that builds such a network; "no" follows from the groups of the
automaton by the theorem of docs/tracking.md, for exact arithmetic and finitely many reachable
states, whatever the inputs, the readout and what stands between the layers; `refute` finds the
words that such a network confuses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Cascade
from lrnn_theory.polygons import one_factor_cascade
from lrnn_theory.series import (
    MAX_CONFIGURATIONS,
    abelian_cascade,
    configurations,
    permutes,
    signed_cascade,
)
from lrnn_theory.tracking import Tracking, track

if TYPE_CHECKING:
    from lrnn_theory.profile import Profile

MAX_ORDER = 256
"""Largest group of which matrices are looked for."""

THEOREMS = ("docs/tracking.md, One layer", "docs/tracking.md, Some number of layers")
"""Where every "no" of the two columns is proved."""

MAX_STATES = 512
"""Most states of which dense matrices are made."""


@dataclass(frozen=True)
class Cell:
    """An answer.

    Attributes:
        answer: "yes", "no" or "open" (no construction here, and no theorem against it).
        construction: for "yes", the key of a construction that builds such a network.
        reason: for "no", the fact that it follows from.
        theorem: for "no", where the theorem is proved.
        refuted_in: for "no", the arithmetics of which theorems say that any such network confuses
            two words: "cast" for FORMAT:cast, "exact" if finitely many states are reached.  Ask
            `refute` for the words.
    """

    answer: Literal["yes", "no", "open"]
    construction: str | None = None
    reason: str | None = None
    theorem: str | None = None
    refuted_in: tuple[Literal["cast", "exact"], ...] = ()

    def __str__(self) -> str:
        more = self.construction or self.reason
        return f"{self.answer} ({more})" if more else self.answer


@dataclass(frozen=True)
class Row:
    """What a class of transition matrices can do.

    Attributes:
        matrices: the class.
        models: systems of that class.
        one_layer: whether one layer tracks the automaton.
        layers: whether some number of layers does.
    """

    matrices: str
    models: str
    one_layer: Cell
    layers: Cell


@dataclass(frozen=True)
class _Facts:
    """What the answers depend on; None is not known."""

    aperiodic: bool | None
    elementary: bool | None  # all elements of groups are involutions or identities
    two_groups: bool | None
    abelian: bool | None
    solvable: bool | None
    letters_rest: bool  # every letter, repeated, comes to rest
    letters_swap: bool  # no letter has a cycle of more than two states
    one_factor: bool  # a group of which every letter acts by one reflection
    signs: bool  # a cascade of diagonal layers of signs and resets
    turns: bool  # likewise, of turns and resets
    star_free: bool  # the cascade of a star-free language fits
    group: bool
    small: bool
    dihedral: bool
    corners: bool  # a cascade of layers of one factor is found
    one_reset: bool  # and it has one level, which resets


def architectures(
    minimal: Automaton, profile: Profile, elementary: bool | None, *, star_free: bool
) -> tuple[Row, ...]:
    """The table of an automaton.

    Args:
        minimal: the minimal automaton with equal letters merged.
        profile: its facts.
        elementary: whether all groups have exponent 1 or 2; None if not known.
        star_free: whether its cascade of resets is within bounds.
    """
    facts = _facts(minimal, profile, elementary, star_free)
    resets = Cell("yes", "star_free_shift") if facts.star_free else Cell("open")
    return (
        _row(
            "nonnegative diagonal", "Mamba, GLA, mLSTM, RWKV", Cell("open"), resets,
            [(facts.aperiodic, "a group is not trivial")] * 2, cast=True,
        ),
        _row(
            "signed diagonal", "Mamba or GLA with range [-1, 1]",
            _if(facts.group and facts.small and facts.elementary, "signed_permutation"),
            _if(facts.signs, "signed_diagonal", resets),
            [(facts.elementary, "a group has an element of order above 2"),
             (facts.two_groups, "a group is not a 2-group")],
            cast=True,
        ),
        _row(
            "complex diagonal", "S4D, LRU",
            _if(facts.group and facts.small and facts.abelian, "orthogonal"),
            _if(facts.turns, "complex_diagonal", resets),
            [(facts.abelian, "a group is not abelian"),
             (facts.solvable, "a group is not solvable")],
        ),
        _row(
            "one factor in [0, 1]", "DeltaNet", Cell("open"),
            _if(facts.aperiodic and facts.signs, "signed_diagonal"),
            [(facts.aperiodic, "a group is not trivial")] * 2, cast=not facts.letters_rest,
        ),
        _row(
            "factors in [0, 1]", "DeltaProduct", Cell("open"), _if(facts.star_free, "star_free"),
            [(facts.aperiodic, "a group is not trivial")] * 2,
        ),
        _row(
            "one factor in [-1, 1]", "DeltaNet with range [-1, 1]",
            _if(facts.one_factor, "orthogonal", _if(facts.one_reset, "one_factor")),
            _if(facts.dihedral, "reflections", _if(facts.corners, "one_factor")),
            [(facts.letters_swap, "a letter has a cycle of 3 states or more"), (None, "")],
            cast=True,
        ),
        _row(
            "factors in [-1, 1]", "DeltaProduct with range [-1, 1]",
            _if(facts.group, "permutation"), Cell("yes", "regular_language"), [(None, "")] * 2,
        ),
        _row(
            "dense", "any",
            _if(minimal.kind != "mealy" and minimal.n_states <= MAX_STATES, "dense"),
            Cell("yes", "regular_language"), [(None, "")] * 2,
        ),
    )  # fmt: skip


def _row(
    matrices: str,
    models: str,
    one: Cell,
    many: Cell,
    needs: list[tuple[bool | None, str]],
    *,
    cast: bool = False,
) -> Row:
    """A row; what is needed and known to fail decides, and one layer is some number of them.

    With `cast` the spectra of the class are what the theorems of the cast model ask for.
    """
    cells = []
    for cell, (needed, why), page in zip((one, many), needs, THEOREMS, strict=True):
        refuted_in = ("cast", "exact") if cast else ("exact",)
        cells.append(Cell("no", None, why, page, refuted_in) if needed is False else cell)
    if cells[0].answer == "yes" and cells[1].answer != "yes":
        cells[1] = cells[0]
    return Row(matrices, models, *cells)


def _if(holds: bool | None, construction: str, otherwise: Cell | None = None) -> Cell:
    return Cell("yes", construction) if holds else otherwise or Cell("open")


def _facts(
    minimal: Automaton, profile: Profile, elementary: bool | None, star_free: bool
) -> _Facts:
    order = profile.monoid_size if profile.is_group else None
    small = order is not None and order <= MAX_ORDER
    swaps = _letters_cycle(minimal, 2)
    found = track(minimal) if small and swaps else ""
    hopeless = profile.is_group and profile.is_solvable is False
    corners, one_reset = (False, False) if hopeless else _corners(minimal)
    largest = profile.largest_group
    name = (largest.name if largest else None) or ""
    return _Facts(
        aperiodic=profile.is_aperiodic,
        elementary=elementary,
        two_groups=profile.groups_are_2_groups,
        abelian=profile.groups_are_abelian,
        solvable=profile.is_solvable,
        letters_rest=_letters_cycle(minimal, 1),
        letters_swap=swaps,
        one_factor=isinstance(found, Tracking) and found.choice.factors <= 1,
        signs=profile.groups_are_2_groups is True and _diagonal(minimal, signed_cascade),
        turns=profile.is_solvable is True and _diagonal(minimal, abelian_cascade),
        star_free=star_free,
        group=profile.is_group,
        small=small,
        dihedral=profile.is_group and re.fullmatch(r"Z\d+|D\d+|S3", name) is not None,
        corners=corners,
        one_reset=one_reset,
    )


def _diagonal(minimal: Automaton, make: Callable[[Automaton], Cascade]) -> bool:
    """Whether a cascade of diagonal layers is found, and small enough to be proved right."""
    try:
        return configurations(make(minimal)) <= MAX_CONFIGURATIONS
    except ValueError:
        return False


def _corners(minimal: Automaton) -> tuple[bool, bool]:
    """Whether layers of one factor are found and few configurations, and whether one layer will do.

    A configuration is that of the cascade one letter ago, the letter, the clock's phase and, for a
    polygon, how many turns there were, modulo 2.
    """
    try:
        cascade = one_factor_cascade(minimal)
    except ValueError:
        return False, False
    polygons = sum(permutes(level) and level.size > 2 for level in cascade.levels)
    many = math.prod(cascade.sizes) * minimal.n_letters * 2 ** (polygons + 1)
    resets = not any(map(permutes, cascade.levels)) and minimal.kind != "mealy"
    return many <= MAX_CONFIGURATIONS, resets and len(cascade.levels) == 1


def _letters_cycle(minimal: Automaton, period: int) -> bool:
    """Whether every letter, repeated, comes to a cycle of at most `period`, 1 or 2, states."""
    for row in minimal.delta:
        power = row
        for _ in range((minimal.n_states - 1).bit_length()):
            power = power[power]
        after = row[power] if period == 1 else row[row[power]]
        if (after != power).any():
            return False
    return True
