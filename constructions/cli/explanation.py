"""The table of `lrnn compile --explain`: every construction, its cost, and why it is picked."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from constructions import Candidate

WIDTH = 80
"""Columns of text."""

_HEAD = f"{'construction':18}  {'layers':>6}  {'state':>6}  {'factors':>7}  {'bits':>4}"


def candidate_facts(c: Candidate) -> dict[str, Any]:
    """A candidate as plain data."""
    lrnn, known = c.lrnn, c.construction
    return {
        "construction": known.key,
        "statement": known.statement,
        "citation": known.citation,
        "automatic": known.automatic,
        "remark": known.remark or None,
        "obstacles": list(c.obstacles),
        "layers": lrnn.n_layers if lrnn else None,
        "state": lrnn.state_size if lrnn else None,
        "factors": lrnn.max_factors if lrnn else None,
        "bits": c.bits,
        "picked": c.picked,
        "reason": c.reason,
    }


def table(candidates: Sequence[Candidate]) -> str:
    """What was built with its cost, the winner first; then what does not apply, and why."""
    applies = sorted((c for c in candidates if not c.obstacles), key=lambda c: not c.picked)
    lines = [_HEAD]
    for c in applies:
        lines += [_costs(c), *_indented(c.reason)]
        lines += _indented(f"{c.construction.statement} [{c.construction.citation}]")
    if rest := [c for c in candidates if c.obstacles]:
        lines += ["", "does not apply"]
        lines += [line for c in rest for line in _hanging(c.construction.key, c.obstacles)]
    return "\n".join(lines)


def _costs(c: Candidate) -> str:
    if c.lrnn is None:
        numbers = ["-"] * 4
    else:
        factors, bits = c.lrnn.max_factors, c.bits
        numbers = [
            c.lrnn.n_layers,
            c.lrnn.state_size,
            "dense" if factors is None else factors,
            "none" if bits is None else bits,
        ]
    layers, state, factors, bits = numbers
    mark = "  picked" if c.picked else ""
    return f"{c.construction.key:18}  {layers:>6}  {state:>6}  {factors:>7}  {bits:>4}{mark}"


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4)


def _hanging(key: str, obstacles: Sequence[str]) -> list[str]:
    return textwrap.wrap(
        "; ".join(obstacles),
        WIDTH,
        initial_indent=f"{key:18}  ",
        subsequent_indent=" " * 20,
    )
