"""Parallel heads: an automaton as several smaller ones side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import decompose, remembered
from lrnn_theory.construction import (
    Bounds,
    Construction,
    empty_output,
    group_obstacles,
    one_layer,
    points_layer,
    tracking_layer,
)
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.subdirect import Labels, subdirect_factors
from lrnn_theory.tracking import Tracking, track
from lrnn_theory.wiring import wire

MAX_SIGNED = 24
"""Most states of a head of which signed permutation matrices are looked for."""

_cascade = remembered(decompose)


def _obstacles(core: Automaton) -> list[str]:
    factors = subdirect_factors(core.delta)
    if len(factors) < 2:
        return ["no two smaller automata side by side were found that tell its states"]
    for part in (_part(core, labels) for labels in factors):
        if group_obstacles(part) and _cascade(part).tail is not None:
            return ["the tables of a cascade are too large, and a tail is for one head only"]
    return []


def _part(core: Automaton, labels: Labels) -> Automaton:
    """The automaton on the blocks of a congruence, which answers the block.

    For a Mealy machine it answers the letter and the block before it.
    """
    first = np.unique(labels, return_index=True)[1]
    delta, n = labels[core.delta[:, first]], len(first)
    outputs = np.arange(n)
    if core.kind == "mealy":
        outputs = np.arange(n * core.n_letters).reshape(-1, n)
    return Automaton.from_table(
        delta,
        initial=int(labels[core.initial]),
        letters=core.letters,
        outputs=outputs,
        output_symbols=[str(x) for x in range(outputs.size)],
    )


def _head(part: Automaton) -> tuple[Level, ...]:
    """A chain of levels whose last context is the answer of a part."""
    lrnn = _group(part) if not group_obstacles(part) else wire(_cascade(part), shifted=False)
    *above, last = lrnn.levels
    return (*above, replace(last, next=lrnn.output[last.next]))


def _group(part: Automaton) -> LRNN:
    layers = [points_layer(part)]
    if part.n_states <= MAX_SIGNED and isinstance(found := track(part, integral=True), Tracking):
        layers.append(tracking_layer(part, found))
    return one_layer(part, min(layers, key=lambda layer: layer.n))


def _build(core: Automaton) -> LRNN:
    factors = subdirect_factors(core.delta)
    heads = tuple(_head(_part(core, labels)) for labels in factors)
    # What heads know together: the block of each, with the letter for a Mealy machine.
    letters = np.arange(core.n_letters)[:, None] if core.kind == "mealy" else np.zeros((1, 1), int)
    known, *rest = [(letters * (x.max() + 1) + x).ravel() for x in factors]
    combine: list[NDArray[np.int64]] = []
    for labels in rest:
        pairs, joint = np.unique(np.stack([known, labels]), axis=1, return_inverse=True)
        table = np.zeros((known.max() + 1, labels.max() + 1), np.int64)
        table[tuple(pairs)] = np.arange(pairs.shape[1])
        combine.append(table)
        known = joint.ravel()
    output = np.zeros(known.max() + 1, np.int64)
    output[known] = core.response.ravel()
    return LRNN(
        letters=core.letters,
        letter_class=np.arange(core.n_letters),
        heads=heads,
        output=output,
        empty_output=empty_output(core),
        combine=tuple(combine),
        kind=core.kind,
        output_symbols=core.output_symbols,
    )


def _claims(core: Automaton) -> Bounds:
    sizes = [int(x.max()) + 1 for x in subdirect_factors(core.delta)]
    widest = max(sizes)
    if not group_obstacles(core):
        return Bounds(layers=1, n=widest, d=1, factors=widest, spectrum=(-1, -1))
    return Bounds(layers=widest - 1, n=2 * widest, d=1, factors=2 * widest, spectrum=(-1, 0))


HEADS = Construction(
    key="heads",
    statement=(
        "An automaton that is a subdirect product of smaller ones is parallel heads, one for each: "
        "counting modulo 60 is counting modulo 3, 4 and 5 side by side, with at most 4 factors."
    ),
    citation="Birkhoff, Bull. AMS 50 (1944); docs/regular-languages.md",
    obstacles=_obstacles,
    build=_build,
    claims=_claims,
)
