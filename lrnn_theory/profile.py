"""What is known of an automaton: its size, its transition monoid and groups, and its cascade."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lrnn_theory.automaton import Automaton, Kind
from lrnn_theory.cascade import Budget, decompose, is_aperiodic
from lrnn_theory.groups import TRIVIAL_GROUP, GroupFacts
from lrnn_theory.monoid import transition_monoid
from lrnn_theory.table import shown

QUICK = Budget(contexts=20_000, work=4_000_000)
"""Budget of the cascade in a profile: about half a second."""


@dataclass(frozen=True)
class Profile:
    """Facts about an automaton; all but the first four are about its minimal automaton.

    Attributes:
        kind: "dfa", "moore" or "mealy".
        states: number of states.
        letters: number of letters.
        letter_classes: number of letters that act or answer differently in the minimal automaton.
        minimal_states: number of states of the minimal automaton.
        monoid_size: number of elements of the transition monoid; None if not known.
        monoid_enumerated: number of elements seen; the size is greater if that is None.
        idempotents: number of idempotents of the monoid; None if not known.
        is_group: whether the monoid is a group.
        is_commutative: whether the monoid is commutative; None if not known.
        is_aperiodic: whether its groups are trivial; for a DFA, whether the language is star-free.
            None if not known.
        is_solvable: whether its groups are solvable; None if not known.
        largest_group: the largest group in the monoid; None if not known.
        cascade_sizes: number of coordinates of every level of a permutation-reset cascade.
        cascade_contexts: number of contexts of every tabulated level.
        cascade_transpositions: the most transpositions that one action is a product of.

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
    is_group: bool
    is_commutative: bool | None
    is_aperiodic: bool | None
    is_solvable: bool | None
    largest_group: GroupFacts | None
    cascade_sizes: tuple[int, ...]
    cascade_contexts: tuple[int, ...]
    cascade_transpositions: int

    def to_dict(self) -> dict[str, Any]:
        """The attributes, ready for `json.dumps`."""
        return asdict(self)

    def __str__(self) -> str:
        rows = self._rows()
        width = max(map(len, rows))
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())

    def _rows(self) -> dict[str, str]:
        sizes = self.cascade_sizes
        untabulated = len(sizes) - len(self.cascade_contexts)
        return {
            "kind": self.kind,
            "states": f"{self.states}, {self.minimal_states} minimal",
            "letters": f"{self.letters}, {self.letter_classes} distinct",
            "transition monoid": self._monoid(),
            "largest group": _group(self.largest_group),
            "aperiodic" + " (star-free)" * (self.kind == "dfa"): _answer(self.is_aperiodic),
            "solvable": _answer(self.is_solvable),
            "commutative": _answer(self.is_commutative),
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
        plural = "s" if self.monoid_size > 1 else ""
        return f"{_number(self.monoid_size)} element{plural}{idempotents}{group}"


def _answer(value: bool | None) -> str:
    return "not known" if value is None else "yes" if value else "no"


def _group(group: GroupFacts | None) -> str:
    if group is None or group.order is None:
        return "not known"
    order = f"order {_number(group.order)}"
    return order if group.name is None else f"{group.name} ({order})"


def _number(n: int) -> str:
    digits = str(n)
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
        >>> print(analyze("(0|10*1)*"))
        kind                   dfa
        states                 2, 2 minimal
        letters                2, 2 distinct
        transition monoid      2 elements, a group
        largest group          Z2 (order 2)
        aperiodic (star-free)  no
        solvable               yes
        commutative            yes
        cascade levels         1
        cascade sizes          2, sum 2
        cascade contexts       2
        transpositions         at most 1 in an action
    """
    automaton = Automaton.coerce(automaton)
    minimal = automaton.minimize().merge_letters()[1]
    monoid = transition_monoid(minimal, max_monoid, seconds)
    aperiodic = monoid.is_aperiodic
    if aperiodic is None:
        aperiodic = is_aperiodic(minimal, budget)
    group = TRIVIAL_GROUP if aperiodic else monoid.largest_group
    size = monoid.size if monoid.complete else None
    if monoid.is_group and group is not None:
        size = group.order
    cascade = decompose(minimal, budget=budget).statistics
    return Profile(
        kind=automaton.kind,
        states=automaton.n_states,
        letters=automaton.n_letters,
        letter_classes=minimal.n_letters,
        minimal_states=minimal.n_states,
        monoid_size=size,
        monoid_enumerated=monoid.size,
        idempotents=monoid.idempotents,
        is_group=monoid.is_group,
        is_commutative=monoid.is_commutative,
        is_aperiodic=aperiodic,
        is_solvable=True if aperiodic else monoid.is_solvable,
        largest_group=group,
        cascade_sizes=cascade.sizes,
        cascade_contexts=cascade.contexts,
        cascade_transpositions=cascade.transpositions,
    )
