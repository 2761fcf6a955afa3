"""Groups split by blocks of imprimitivity, so that each level of a cascade permutes few points.

The blocks that contain a point x are the orbits of x under the subgroups between its stabiliser
and the whole group.  So a chain of blocks is a chain of subgroups, and a level of the cascade
permutes the blocks of one size inside a block of the next.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrnn_theory.actions import block_systems
from lrnn_theory.characters import FiniteGroup, Index
from lrnn_theory.series import Chain, left_cosets

MAX_POINTS = 360
"""Most points whose blocks are looked for."""


def block_chain(most: int) -> Chain:
    """The shortest chain of blocks whose levels permute at most `most` points.

    Where there is none, a shortest one among those whose largest level is least.
    """

    def chain(group: FiniteGroup, fixing: Index) -> list[Index]:
        number, points = left_cosets(group, fixing)
        if len(points) == 1:
            return []
        if len(points) <= most or len(points) > MAX_POINTS:
            return [fixing]
        moves = number[group.times(group.generators[:, None], points)]
        systems = [labels == labels[0] for labels in block_systems(moves.astype(np.int32))[0]]
        masks = [sum(1 << int(x) for x in np.flatnonzero(inside)) for inside in systems]
        return [
            np.flatnonzero([mask >> x & 1 for x in number.tolist()])
            for mask in _shortest([(1 << len(points)) - 1, *masks, 1], most)[1:]
        ]

    return chain


def _shortest(masks: Sequence[int], most: int) -> list[int]:
    """From the largest of some sets of points to the smallest, through sets inside one another."""
    nested = sorted(set(masks), key=lambda mask: -mask.bit_count())
    best: dict[int, tuple[int, int, int, list[int]]] = {nested[0]: (most, 0, 0, nested[:1])}
    for i, inner in enumerate(nested[1:], 1):
        best[inner] = min(
            (
                max(best[outer][0], outer.bit_count() // inner.bit_count()),
                best[outer][1] + 1,
                best[outer][2] + outer.bit_count() // inner.bit_count(),
                [*best[outer][3], inner],
            )
            for outer in nested[:i]
            if not inner & ~outer
        )
    return best[nested[-1]][3]
