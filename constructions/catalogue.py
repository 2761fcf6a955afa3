"""Every construction."""

from __future__ import annotations

from constructions.blocks import BLOCKS
from constructions.cyclic import CYCLIC, ROTATION
from constructions.dense import DENSE
from constructions.diagonal import COMPLEX_DIAGONAL, SIGNED_DIAGONAL
from constructions.heads import HEADS
from constructions.one_factor import ONE_FACTOR
from constructions.orthogonal import ORTHOGONAL, SIGNED
from constructions.parity import PARITY
from constructions.permutation import PERMUTATION
from constructions.reflections import REFLECTIONS
from constructions.regular_language import OFFSET, REGISTER, SHIFT
from constructions.star_free import STAR_FREE, STAR_FREE_SHIFT
from lrnn_theory.construction import Construction

ALL: tuple[Construction, ...] = (
    PARITY, CYCLIC, PERMUTATION, SIGNED, REGISTER, HEADS, SHIFT, OFFSET, BLOCKS, STAR_FREE,
    STAR_FREE_SHIFT, ROTATION, REFLECTIONS, ORTHOGONAL, SIGNED_DIAGONAL, COMPLEX_DIAGONAL,
    ONE_FACTOR, DENSE,
)  # fmt: skip
"""Every construction."""

CONSTRUCTIONS: dict[str, Construction] = {c.key: c for c in ALL}
"""Every construction by key."""

__all__ = ["ALL", "CONSTRUCTIONS", "PERMUTATION", "REGISTER"]
