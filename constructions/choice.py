"""The choice among the constructions, and what it is made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from constructions.catalogue import ALL, CONSTRUCTIONS, PERMUTATION, REGISTER
from constructions.objective import Objective
from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import Construction, core_of
from lrnn_theory.exactness import exact_bits
from lrnn_theory.lrnn import LRNN

MAX_STATES = 512
"""Largest number of states for which `explain` builds what does not compete."""

MAX_ENTRIES = 1 << 22
"""Likewise, of entries of one square matrix of the states for every letter."""


@dataclass(frozen=True)
class Candidate:
    """A construction in the choice for an automaton.

    Attributes:
        construction: its key, statement and citation, and whether it may be picked automatically.
        obstacles: every reason why it does not apply; none if it does.
        lrnn: what it builds; None if it does not apply or was not built.
        bits: the precision from which every format computes `lrnn` exactly, see `exact_bits`; None
            if there is none.
        picked: whether `compile_dfa` returns `lrnn`.
        reason: why it was picked, or why not.
    """

    construction: Construction
    obstacles: tuple[str, ...]
    lrnn: LRNN | None
    bits: int | None
    picked: bool
    reason: str


def compile_dfa(
    automaton: Any, construction: str | None = None, objective: str | None = None
) -> LRNN:
    """Compile an automaton to an LRNN with exact weights.

    Args:
        automaton: an Automaton (DFA, Moore or Mealy), an automata-lib DFA or NFA, a networkx
            graph, or a regex.
        construction: the key of a construction in `ALL`; by default every construction with
            exactly representable weights that applies is built and the cheapest is kept.
        objective: what "cheapest" compares first: "layers" (default: layers, then numbers in the
            state, then Householder factors in a matrix), "state", or "factors"; or
            "exact-in:FORMAT", such as "exact-in:bfloat16": as "layers", among the networks that
            the format computes exactly in any order of evaluation.

    Returns:
        The LRNN; its `reason` says why its construction was picked, and `explain` shows all.

    Raises:
        ValueError: if the construction is unknown or does not apply, the input is no automaton, or
            FORMAT computes no network exactly.

    Example:
        >>> compile_dfa("(a{3})*").construction
        'cyclic'
    """
    automaton = Automaton.coerce(automaton)
    wanted = Objective.parse(objective)
    if construction is None:
        return _Choice(automaton, wanted).best
    if construction not in CONSTRUCTIONS:
        raise ValueError(
            f"Argument 'construction' must be one of {', '.join(CONSTRUCTIONS)}, "
            f"not {construction!r}."
        )
    return replace(CONSTRUCTIONS[construction](automaton), reason="chosen by name")


def explain(automaton: Any, objective: str | None = None) -> list[Candidate]:
    """Every construction, what it costs for an automaton, and why `compile_dfa` picks it or not.

    What applies is built; but above `MAX_STATES` states or `MAX_ENTRIES` entries of matrices of the
    minimal automaton, only what competes.

    Args:
        automaton: as for `compile_dfa`.
        objective: as for `compile_dfa`.

    Returns:
        One candidate for each construction of `ALL`, in that order; exactly one is picked.

    Raises:
        ValueError: as `compile_dfa`.

    Example:
        >>> table = {c.construction.key: c for c in explain("(a{3})*")}
        >>> table["cyclic"].reason
        'cheapest by layers, then state, then factors'
        >>> table["parity"].obstacles
        ('the minimal automaton has 3 states, not 2',)
    """
    choice = _Choice(Automaton.coerce(automaton), Objective.parse(objective))
    return [choice.candidate(c) for c in ALL]


class _Choice:
    """The competition for one automaton.

    Attributes:
        obstacles: of every construction, by key.
        tried: what competes, by key; text where building failed.
        admitted: of those, what the objective admits.
        best: the winner, with its reason.
    """

    def __init__(self, automaton: Automaton, objective: Objective) -> None:
        self.automaton = automaton
        self.objective = objective
        self.core = core_of(automaton)[1]
        self.obstacles = {c.key: tuple(c.obstacles(self.core)) for c in ALL}
        competing = [c for c in ALL if self._enters(c) and not self.obstacles[c.key]]
        by_layers = objective == Objective.parse("layers")
        if by_layers and self.core.n_states > 1 and not self.obstacles[PERMUTATION.key]:
            # A group automaton takes one layer by the other constructions, and a cascade of one
            # layer is a permutation of the states, never a smaller one.
            competing = [c for c in competing if c.key != REGISTER.key]
        self.tried = {c.key: _attempt(c, automaton) for c in competing}
        self.admitted = {
            key: lrnn
            for key, lrnn in self.tried.items()
            if isinstance(lrnn, LRNN) and objective.admits(lrnn)
        }
        if not self.admitted:
            raise ValueError(f"No construction can be picked: {self._not_considered(competing)}.")
        best = min(self.admitted.values(), key=objective.cost)
        reason, rest = self._verdict(best), self._not_considered(competing)
        self.best = replace(best, reason=f"{reason}; not considered: {rest}" if rest else reason)

    def _enters(self, c: Construction) -> bool:
        return c.automatic or self.objective.order[0] in c.automatic_for

    def _not_considered(self, among: Iterable[Construction]) -> str:
        return "; ".join(f"{c.key} ({why})" for c in among if (why := self._passed_over(c)))

    def _passed_over(self, c: Construction) -> str:
        """Why a construction that applies is not compared; empty if it is, or does not apply."""
        if self.obstacles[c.key]:
            return ""
        if not self._enters(c):
            return c.remark
        made = self.tried.get(c.key)
        if isinstance(made, str):
            return f"not built: {made}"
        lost = made is not None and c.key not in self.admitted
        return f"not exact in {self.objective.arithmetic}" if lost else ""

    def _verdict(self, best: LRNN) -> str:
        lossy = self.obstacles[PERMUTATION.key]
        if best.construction == REGISTER.key and lossy:
            return f"no one-layer construction applies ({lossy[0]})"
        costs = (
            f"{key} {'/'.join(map(str, self.objective.cost(lrnn)))}"
            for key, lrnn in self.admitted.items()
        )
        return f"cheapest by {self.objective}: {', '.join(costs)}"

    def candidate(self, c: Construction) -> Candidate:
        """What there is to say about a construction; it is built if it can be."""
        obstacles = self.obstacles[c.key]
        if obstacles:
            return Candidate(c, obstacles, None, None, picked=False, reason="does not apply")
        if c.key == self.best.construction:
            reason = f"cheapest by {self.objective}"
            return Candidate(c, (), self.best, exact_bits(self.best), picked=True, reason=reason)
        reason = self._passed_over(c)
        n = self.core.n_states
        if c.key in self.tried:
            made = self.tried[c.key]
        else:
            reason = (
                reason or f"a cascade of one layer is never cheaper than {self.best.construction}"
            )
            if n > MAX_STATES:
                made = f"the minimal automaton has {n} states, more than {MAX_STATES}"
            elif (entries := self.core.n_letters * n * n) > MAX_ENTRIES:
                made = f"a matrix a letter has {entries} entries in all, more than {MAX_ENTRIES}"
            else:
                made = _attempt(c, self.automaton)
            if isinstance(made, str):
                reason += f"; not built: {made}"
        if isinstance(made, str):
            return Candidate(c, (), None, None, picked=False, reason=reason)
        return Candidate(c, (), made, exact_bits(made), False, reason or self._lost(made))

    def _lost(self, lrnn: LRNN) -> str:
        best, cost = self.best, self.objective.cost
        for name, least, more in zip(self.objective.order, cost(best), cost(lrnn), strict=True):
            if least < more:
                return f"{best.construction} is cheaper: {name} {least}, not {more}"
        return f"{best.construction} costs the same and comes first"


def _attempt(c: Construction, automaton: Automaton) -> LRNN | str:
    try:
        return c(automaton)
    except (ValueError, MemoryError) as error:
        return str(error).rstrip(".") or "out of memory"
