"""The weights of a linear RNN as text: small ones whole, large ones by their size."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from lrnn_theory.cyclotomic import short_text
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.transition import Array, Dense, Diagonal, Householder

MAX_ROWS = 12
"""Largest matrix that is written out."""
MAX_ACTIONS = 8
"""Most actions of a layer that are written out."""
MAX_LAYERS = 12
"""Most layers that are written out."""


def weight_facts(lrnn: LRNN) -> list[dict[str, Any]]:
    """Every layer's sizes, and the matrices of small ones, entry by entry as text.

    Returns:
        One object a layer: `n`, `d`, `actions`, `reads`, `kind` of matrices, `factors` (the most in
        one), `spectrum` (the range of the factors' eigenvalues, null where there are none), `exact`
        (whether all numbers are rational), `letters` (the letters, up to three, of every action
        that is written out, in some context) and `matrices`, `inputs` and `initial`, null if the
        layer is too large to write out.
    """
    facts = [_layer(lrnn, head, i) for head in lrnn.heads for i in range(len(head))]
    for i, layer in enumerate(facts):
        if i >= MAX_LAYERS:
            layer.update(matrices=None, inputs=None, initial=None)
    return facts + [_tail_layer(size) for size in (lrnn.tail.sizes if lrnn.tail else ())]


def _tail_layer(size: int) -> dict[str, Any]:
    return {
        **dict.fromkeys(("actions", "letters", "matrices", "inputs", "initial")),
        "n": 2 * size,
        "d": 1,
        "reads": "previous",
        "kind": "tail",
        "factors": 2 * size,
        "spectrum": ["-1", "0"],
        "exact": True,
    }


def _layer(lrnn: LRNN, head: tuple[Level, ...], i: int) -> dict[str, Any]:
    level = head[i]
    layer, transition = level.layer, level.layer.transition
    kinds = {Householder: "householder", Diagonal: "diagonal", Dense: "dense"}
    small = layer.n <= MAX_ROWS and layer.n_actions <= MAX_ACTIONS
    arrays = (*transition.arrays, layer.b, layer.h0)
    return {
        "n": layer.n,
        "d": layer.d,
        "actions": layer.n_actions,
        "reads": level.reads,
        "kind": kinds[type(transition)],
        "factors": int(transition.factors.max(initial=0))
        if isinstance(transition, Householder)
        else None,
        "spectrum": _spectrum(transition) if isinstance(transition, Householder) else None,
        "exact": all(isinstance(x, (int, np.integer, Fraction)) for a in arrays for x in a.flat),
        "letters": _letters(lrnn, level) if i == 0 and small else None,
        "matrices": [rows(transition.matrix(a)) for a in range(layer.n_actions)] if small else None,
        "inputs": [rows(b) for b in layer.b] if small else None,
        "initial": rows(layer.h0) if small else None,
    }


def _spectrum(transition: Householder) -> list[str] | None:
    values = transition.eigenvalues
    return [short_text(min(values)), short_text(max(values))] if len(values) else None


def _letters(lrnn: LRNN, level: Level) -> list[list[str]]:
    """Up to three letters of every action of a first layer, whose contexts are letter classes."""
    actions: list[list[str]] = [[] for _ in range(level.layer.n_actions)]
    for letter, c in zip(lrnn.letters, lrnn.letter_class.tolist(), strict=True):
        names = actions[level.action[c]]
        if len(names) < 4:
            names.append(letter if len(names) < 3 else "…")
    return actions


def rows(matrix: Array) -> list[list[str]]:
    """The entries of a matrix as text."""
    return [[short_text(x) for x in row] for row in matrix]
