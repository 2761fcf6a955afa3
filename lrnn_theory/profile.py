"""What is known of an automaton: its size, its transition monoid and groups, and its cascade."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from lrnn_theory.architectures import Row, architectures
from lrnn_theory.automaton import Automaton, Kind
from lrnn_theory.cascade import Budget, cascade_groups, decompose, is_aperiodic
from lrnn_theory.green import EggBox, GreenClasses
from lrnn_theory.groups import TRIVIAL_GROUP, GroupFacts, permutation_group_facts
from lrnn_theory.monoid import TransitionMonoid, transition_monoid
from lrnn_theory.table import shown

QUICK = Budget(contexts=20_000, work=4_000_000)
"""Budget of the cascade in a profile: about half a second."""

SHOWN_BOXES = 6
"""How many shapes of D-classes the table of a profile shows."""


@dataclass(frozen=True)
class Profile:
    """Facts about an automaton; all but the first three are about its minimal automaton.

    The monoid is the transition monoid of the minimal automaton with equal letters merged; for a
    DFA that is the syntactic monoid of its language.  What the facts mean: docs/analysis.md.

    Attributes:
        kind: "dfa", "moore" or "mealy".
        states: number of states.
        letters: number of letters.
        letter_classes: number of letters that act or answer differently in the minimal automaton.
        minimal_states: number of states of the minimal automaton.
        monoid_size: number of elements of the transition monoid; None if not known.
        monoid_enumerated: number of elements seen; the size is greater if that is None.
        idempotents: number of idempotents of the monoid; None if not known.
        minimal_ideal: number of elements of its least ideal; None if not known.
        green: its Green's classes; None if not known.
        is_group: whether the monoid is a group.
        is_commutative: whether the monoid is commutative; None if not known.
        is_r_trivial: whether different elements have different right ideals.
        is_j_trivial: whether different elements have different two-sided ideals; for a DFA,
            whether the language is piecewise testable.  None if not known.
        is_aperiodic: whether its groups are trivial; for a DFA, whether the language is star-free.
            None if not known.
        groups_are_2_groups: whether the order of every group in it is a power of 2, so that no
            simple group but Z2 divides it; None if not known.
        groups_are_abelian: whether every group in it is abelian; None if not known.
        is_solvable: whether its groups are solvable; None if not known.
        derived_length: the largest derived length of a group in it; None if not known, or if one
            is not solvable.
        largest_group: the largest group in the monoid; None if not known.
        groups: its maximal subgroups, largest first, one of each kind that is told apart; None if
            not known.
        cascade_sizes: number of coordinates of every level of a permutation-reset cascade.
        cascade_contexts: number of contexts of every tabulated level.
        cascade_transpositions: the most transpositions that one action is a product of.
        architectures: which classes of linear RNNs can track it.

    Example:
        >>> analyze("(0|10*1)*").largest_group.name
        'Z2'
    """

    kind: Kind
    states: int
    letters: int
    letter_classes: int
    minimal_states: int
    monoid_size: int | None
    monoid_enumerated: int
    idempotents: int | None
    minimal_ideal: int | None
    green: GreenClasses | None
    is_group: bool
    is_commutative: bool | None
    is_r_trivial: bool
    is_j_trivial: bool | None
    is_aperiodic: bool | None
    groups_are_2_groups: bool | None
    groups_are_abelian: bool | None
    is_solvable: bool | None
    derived_length: int | None
    largest_group: GroupFacts | None
    groups: tuple[GroupFacts, ...] | None
    cascade_sizes: tuple[int, ...]
    cascade_contexts: tuple[int, ...]
    cascade_transpositions: int
    architectures: tuple[Row, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The attributes, ready for `json.dumps`."""
        return asdict(self)

    def __str__(self) -> str:
        rows = self.rows()
        width = max(map(len, rows))
        lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
        return "\n".join([*lines, "", *self._architecture_lines()])

    def _architecture_lines(self) -> list[str]:
        cells = [("can it be tracked with", "in one layer", "in some number of layers")]
        cells += [
            (f"{row.matrices}: {row.models}", str(row.one_layer), str(row.layers))
            for row in self.architectures
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(f"{x:<{n}}" for x, n in zip(line, widths, strict=True)).rstrip()
            for line in cells
        ]
        answers = [c.answer for row in self.architectures for c in (row.one_layer, row.layers)]
        how = "no: proved in docs/tracking.md; `refute` finds words that such a network confuses"
        return [*lines, "", how] if "no" in answers else lines

    def rows(self) -> dict[str, str]:
        """The facts in words, but for the table of architectures."""
        return self._size_rows() | self._monoid_rows() | self._group_rows() | self._cascade_rows()

    def _size_rows(self) -> dict[str, str]:
        return {
            "kind": self.kind,
            "states": f"{self.states}, {self.minimal_states} minimal",
            "letters": f"{self.letters}, {self.letter_classes} distinct",
        }

    def _monoid_rows(self) -> dict[str, str]:
        dfa = self.kind == "dfa"
        green = boxes = "not known"
        if (found := self.green) is not None:
            green = (
                f"{found.r_classes} R, {found.l_classes} L, {found.h_classes} H, "
                f"{found.d_classes} D of which {found.regular_d_classes} regular"
            )
            boxes = _listed([_box(box) for box in found.boxes], SHOWN_BOXES)
        ideal = "not known" if self.minimal_ideal is None else _elements(self.minimal_ideal)
        return {
            "syntactic monoid" if dfa else "transition monoid": self._monoid(),
            "Green's classes": green,
            "D-classes": boxes,
            "minimal ideal": ideal,
            "commutative": _answer(self.is_commutative),
            "R-trivial": _answer(self.is_r_trivial),
            "J-trivial" + " (piecewise testable)" * dfa: _answer(self.is_j_trivial),
            "aperiodic" + " (star-free)" * dfa: _answer(self.is_aperiodic),
        }

    def _group_rows(self) -> dict[str, str]:
        groups = self.groups
        names = None if groups is None else [g.name or f"order {_number(g.order)}" for g in groups]
        length = "" if self.derived_length is None else f", derived length {self.derived_length}"
        return {
            "largest group": _group(self.largest_group),
            "maximal subgroups": "not known" if names is None else _listed(names, 12),
            "groups are 2-groups": _answer(self.groups_are_2_groups),
            "groups are abelian": _answer(self.groups_are_abelian),
            "groups are solvable": _answer(self.is_solvable) + length,
        }

    def _cascade_rows(self) -> dict[str, str]:
        sizes = self.cascade_sizes
        untabulated = len(sizes) - len(self.cascade_contexts)
        return {
            "cascade levels": f"{len(sizes)}" + f", {untabulated} untabulated" * bool(untabulated),
            "cascade sizes": f"{shown(sizes)}, sum {sum(sizes)}" if sizes else "-",
            "cascade contexts": f"{sum(self.cascade_contexts)}",
            "transpositions": f"at most {self.cascade_transpositions} in an action",
        }

    def _monoid(self) -> str:
        group = ", a group" if self.is_group else ""
        if self.monoid_size is None:
            return f"not enumerated: more than {self.monoid_enumerated} elements{group}"
        idempotents = "" if self.is_group else f", {self.idempotents} idempotent"
        return f"{_elements(self.monoid_size)}{idempotents}{group}"


def _answer(value: bool | None) -> str:
    return "not known" if value is None else "yes" if value else "no"


def _group(group: GroupFacts | None) -> str:
    if group is None or group.order is None:
        return "not known"
    order = f"order {_number(group.order)}"
    return order if group.name is None else f"{group.name} ({order})"


def _box(box: EggBox) -> str:
    """The shape of a D-class: its numbers of rows and columns, and the group in its cells."""
    times = f"{box.count} of " if box.count > 1 else ""
    shape = f"{times}{box.r_classes} x {box.l_classes}"
    if box.group is None:
        return f"{shape} not regular"
    return f"{shape} {box.group.name or f'order {box.h_order}'}"


def _listed(items: list[str], limit: int) -> str:
    rest = len(items) - limit
    return ", ".join(items[:limit]) + f", and {rest} more" * (rest > 0)


def _elements(n: int) -> str:
    return f"{_number(n)} element" + "s" * (n > 1)


def _number(n: int | None) -> str:
    digits = "not known" if n is None else str(n)
    return digits if len(digits) <= 15 else f"about 10^{len(digits) - 1}"


def analyze(
    automaton: Any,
    *,
    max_monoid: int = 100_000,
    seconds: float = 1.0,
    budget: Budget = QUICK,
) -> Profile:
    """The facts about an automaton.

    Args:
        automaton: an Automaton, or what `Automaton.coerce` takes: a regex, an automata-lib DFA, ...
        max_monoid: most elements of the transition monoid to enumerate.
        seconds: most time to spend on that enumeration.
        budget: limits on the cascade's tables.

    Raises:
        TypeError: if `automaton` does not stand for an automaton.
        ValueError: if it is malformed, or a limit is not positive.

    Example:
        >>> print(analyze("(0|10*1)*"))  # doctest: +ELLIPSIS
        kind                            dfa
        states                          2, 2 minimal
        letters                         2, 2 distinct
        syntactic monoid                2 elements, a group
        Green's classes                 1 R, 1 L, 1 H, 1 D of which 1 regular
        D-classes                       1 x 1 Z2
        minimal ideal                   2 elements
        commutative                     yes
        R-trivial                       no
        J-trivial (piecewise testable)  no
        aperiodic (star-free)           no
        largest group                   Z2 (order 2)
        maximal subgroups               Z2
        groups are 2-groups             yes
        groups are abelian              yes
        groups are solvable             yes, derived length 1
        cascade levels                  1
        cascade sizes                   2, sum 2
        cascade contexts                2
        transpositions                  at most 1 in an action
        <BLANKLINE>
        can it be tracked with                               in one layer ...
        nonnegative diagonal: Mamba, GLA, mLSTM, RWKV        no (a group is not trivial) ...
        signed diagonal: Mamba or GLA with range [-1, 1]     yes (signed_permutation) ...
        ...
    """
    automaton = Automaton.coerce(automaton)
    minimal = automaton.minimize().merge_letters()[1]
    monoid = transition_monoid(minimal, max_monoid, seconds)
    green = monoid.green(seconds)
    groups = _group_facts(minimal, monoid, green, budget)
    cascade = decompose(minimal, budget=budget).statistics
    largest = groups["largest_group"]
    profile = Profile(
        kind=automaton.kind,
        states=automaton.n_states,
        letters=automaton.n_letters,
        letter_classes=minimal.n_letters,
        minimal_states=minimal.n_states,
        monoid_size=_size(monoid, largest),
        monoid_enumerated=monoid.size,
        idempotents=monoid.idempotents,
        minimal_ideal=monoid.minimal_ideal,
        green=green,
        is_group=monoid.is_group,
        is_commutative=monoid.is_commutative,
        is_r_trivial=monoid.is_r_trivial,
        is_j_trivial=monoid.is_j_trivial,
        **groups,
        cascade_sizes=cascade.sizes,
        cascade_contexts=cascade.contexts,
        cascade_transpositions=cascade.transpositions,
    )
    star_free = profile.is_aperiodic is True and is_aperiodic(minimal, budget) is True
    table = architectures(minimal, profile, monoid.groups_are_elementary, star_free=star_free)
    return replace(profile, architectures=table)


def _size(monoid: TransitionMonoid, group: GroupFacts | None) -> int | None:
    if monoid.is_group and group is not None:
        return group.order
    return monoid.size if monoid.complete else None


def _group_facts(
    minimal: Automaton, monoid: TransitionMonoid, green: GreenClasses | None, budget: Budget
) -> dict[str, Any]:
    """What is known of the groups in a monoid, by attributes of `Profile`."""
    groups = None if green is None else green.groups
    aperiodic = True if monoid.is_r_trivial else monoid.is_aperiodic
    two, abelian = monoid.groups_are_2_groups, monoid.is_commutative or None
    solvable = monoid.is_solvable if groups is None else None
    parts, complete = groups or (monoid.units,), groups is not None
    if groups is None and not aperiodic and None in (aperiodic, two, solvable):
        # Groups that divide the monoid, and if complete with all simple groups that do.
        rows, complete = cascade_groups(minimal, budget)
        parts = (monoid.units, *map(permutation_group_facts, rows))
        aperiodic = _decide(aperiodic, [group == TRIVIAL_GROUP for group in parts], complete)
    if aperiodic:
        groups = parts = (TRIVIAL_GROUP,)
    two = _decide(two, [group.is_2_group for group in parts], complete)
    solvable = _decide(solvable, [group.is_solvable for group in parts], complete)
    whole = groups is not None
    abelian = _decide(abelian, [group.is_abelian for group in parts], complete and whole)
    length = 1 if abelian else None  # commutative, and not R-trivial: some group is there
    if groups is not None:
        lengths = [group.derived_length for group in groups]
        length = None if None in lengths else max(x for x in lengths if x is not None)
    return {
        "is_aperiodic": aperiodic,
        "groups_are_2_groups": two,
        "groups_are_abelian": abelian,
        "is_solvable": solvable,
        "derived_length": length,
        "largest_group": monoid.largest_group if groups is None else groups[0],
        "groups": groups,
    }


def _decide(known: bool | None, parts: list[bool | None], complete: bool) -> bool | None:
    """What is known already, else whether all parts agree; True only if there are no others."""
    if known is not None:
        return known
    return False if False in parts else None if None in parts or not complete else True
