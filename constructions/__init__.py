"""Explicit constructions of LRNNs from automata, and the choice among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from constructions.cyclic import CYCLIC, ROTATION
from constructions.dense import DENSE
from constructions.orthogonal import ORTHOGONAL, SIGNED
from constructions.parity import PARITY
from constructions.permutation import PERMUTATION
from constructions.reflections import REFLECTIONS
from constructions.regular_language import REGISTER, SHIFT
from constructions.star_free import STAR_FREE, STAR_FREE_SHIFT
from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import Construction, core_of
from lrnn_theory.lrnn import LRNN

__all__ = ["ALL", "CONSTRUCTIONS", "OBJECTIVES", "compile_dfa"]

ALL: tuple[Construction, ...] = (
    PARITY, CYCLIC, PERMUTATION, SIGNED, REGISTER, SHIFT, STAR_FREE, STAR_FREE_SHIFT, ROTATION,
    REFLECTIONS, ORTHOGONAL, DENSE,
)  # fmt: skip
"""Every construction."""

CONSTRUCTIONS: dict[str, Construction] = {c.key: c for c in ALL}
"""Every construction by key."""

_COSTS = {
    "layers": lambda lrnn: lrnn.n_layers,
    "state": lambda lrnn: lrnn.state_size,
    "factors": lambda lrnn: lrnn.max_factors if lrnn.max_factors is not None else float("inf"),
}

OBJECTIVES: dict[str, tuple[str, ...]] = {
    "layers": ("layers", "state", "factors"),
    "state": ("state", "layers", "factors"),
    "factors": ("factors", "layers", "state"),
}
"""What is compared, in order, for every objective; "layers" is the default."""


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
            state, then Householder factors in a matrix), "state", or "factors".

    Returns:
        The LRNN; its `reason` says why its construction was picked.

    Raises:
        ValueError: if the construction is unknown or does not apply, or the input is no automaton.

    Example:
        >>> compile_dfa("(a{3})*").construction
        'cyclic'
    """
    automaton = Automaton.coerce(automaton)
    objective = objective or "layers"
    if objective not in OBJECTIVES:
        raise ValueError(
            f"Argument 'objective' must be one of {', '.join(OBJECTIVES)}, not {objective!r}."
        )
    if construction is not None:
        if construction not in CONSTRUCTIONS:
            raise ValueError(
                f"Argument 'construction' must be one of {', '.join(CONSTRUCTIONS)}, "
                f"not {construction!r}."
            )
        return replace(CONSTRUCTIONS[construction](automaton), reason="chosen by name")
    core = core_of(automaton)[1]
    candidates = [c for c in ALL if c.automatic and not c.obstacles(core)]
    if objective == "layers" and core.n_states > 1 and len(candidates) > 1:
        # A group automaton takes one layer by the other constructions, and a cascade of one layer
        # is a permutation of the states, never a smaller one.
        candidates.remove(REGISTER)
    built = [c(automaton) for c in candidates]
    order = OBJECTIVES[objective]

    def cost(lrnn: LRNN) -> tuple[float, ...]:
        return tuple(_COSTS[name](lrnn) for name in order)

    best = min(built, key=cost)
    return replace(best, reason=_why(best, built, order, core))


def _why(best: LRNN, built: list[LRNN], order: tuple[str, ...], core: Automaton) -> str:
    costs = ", ".join(
        f"{lrnn.construction} " + "/".join(str(_COSTS[name](lrnn)) for name in order)
        for lrnn in built
    )
    verdict = f"cheapest by {', then '.join(order)}: {costs}"
    if best.construction == REGISTER.key:
        reason = PERMUTATION.obstacles(core)
        verdict = f"no one-layer construction applies ({reason[0]})" if reason else verdict
    passed = [f"{c.key} ({c.remark})" for c in ALL if not c.automatic and not c.obstacles(core)]
    return f"{verdict}; not considered: {'; '.join(passed)}" if passed else verdict
