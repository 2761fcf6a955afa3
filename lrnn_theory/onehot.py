"""One-hot layers: coordinate maps (permutations and resets) as generalized Householder products.

Three kinds of layer serve a level of a cascade whose coordinate is moved by maps i -> m[i], each a
permutation or a constant:

* `plain_layer`: H = e_current.  A permutation is n - #cycles transpositions; a reset to q is the
  zero matrix (n projections) plus B = e_q, and forgets the previous coordinate.
* `register_layer`: H = (e_current, e_previous or 0), twice as wide.  A permutation acts on the
  first half, and the readout recovers the previous coordinate as the inverse image of the
  current one.  A reset moves the first half to the second, [[0, 0], [I, 0]], by n swaps and n
  projections, and adds (e_q, 0).  So the state after the letter still tells the coordinate
  before it.  (The published construction for regular languages lacks this register, and fails;
  see docs/regular-languages.md.)
* `offset_layer`: H = e_current + c (1, ..., 1), of width n.  A permutation keeps the offset c; a
  reset, 1 v^T with v orthogonal to 1, makes it a number that tells the previous coordinate.

All weights of the first two are 0, 1 or -1, those of the third dyadic fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory import householder as gh
from lrnn_theory.lrnn import Layer
from lrnn_theory.transition import Householder


def is_permutation(image: NDArray[np.int32]) -> bool:
    """Whether a coordinate map is one to one."""
    return len(np.unique(image)) == len(image)


def stack(products: Sequence[gh.GHProduct], n: int) -> Householder:
    """The transitions of a layer from one product an action."""
    ptr = np.cumsum([0, *(len(p.betas) for p in products)])
    keys = [p.keys for p in products if len(p.betas)]
    betas = [p.betas for p in products if len(p.betas)]
    return Householder(
        np.concatenate(keys) if keys else np.zeros((0, n), np.int64),
        np.concatenate(betas) if betas else np.zeros(0, np.int64),
        ptr,
    )


def plain_layer(maps: ArrayLike, initial: int) -> Layer:
    """The layer of width n = size for coordinate maps of shape (actions, size).

    Its readout knows the current coordinate; the previous one only after a permutation (after a
    reset it reads 0, which must not be used).

    Raises:
        ValueError: if a map is neither a permutation nor constant.
    """
    maps = _checked(maps)
    size = maps.shape[1]
    b = np.zeros((len(maps), size, 1), np.int64)
    readout = np.zeros((len(maps), size, 2), np.int32)
    readout[:, :, 1] = np.arange(size)
    products = []
    for a, image in enumerate(maps):
        if is_permutation(image):
            products.append(gh.permutation(image.tolist()))
            readout[a, image, 0] = np.arange(size)
        else:
            products.append(gh.reset(size))
            b[a, image[0]] = 1
    eye = np.eye(size, dtype=np.int64)
    return Layer(
        stack(products, size), b, eye[:, initial, None], (eye[:, :, None],), readout, size, initial
    )


def sign_layer() -> Layer:
    """The scalar that action 0 keeps and action 1 negates: two coordinates, 1 for -1."""
    transition = Householder(np.ones((1, 1), np.int64), np.array([2]), np.array([0, 0, 1]))
    readout = np.array([[[0, 0], [1, 1]], [[1, 0], [0, 1]]])
    words = np.array([1, -1]).reshape(2, 1, 1)
    return Layer(transition, np.zeros((2, 1, 1), int), words[0], (words,), readout, 2, 0)


def register_layer(maps: ArrayLike, initial: int, *, halving: bool = False) -> Layer:
    """The layer of width 2n with a pre-state register, for maps of shape (actions, size).

    Its readout knows the previous and the current coordinate after every action.

    Args:
        maps: permutations and constants.
        initial: the initial coordinate.
        halving: reset by [[0, 0], [I/2, 0]], which is 3n projections instead of n swaps and n
            projections: no eigenvalue below 0, and a register that holds halves.

    Raises:
        ValueError: if a map is neither a permutation nor constant.
    """
    maps = _checked(maps)
    size = maps.shape[1]
    b = np.zeros((len(maps), 2 * size, 1), np.int64)
    # The second half holds 0 (word 0) or e_p (word p + 1).
    readout = np.zeros((len(maps), size, size + 1, 2), np.int32)
    readout[..., 1] = np.arange(size)[:, None]
    products = []
    for a, image in enumerate(maps):
        if is_permutation(image):
            products.append(gh.permutation([*image.tolist(), *range(size, 2 * size)]))
            readout[a, image, :, 0] = np.arange(size)[:, None]
        else:
            products.append((gh.halving_register_reset if halving else gh.register_reset)(size))
            b[a, image[0]] = 1
            readout[a, :, 1:, 0] = np.arange(size)
    eye = np.eye(size, dtype=np.int64)
    h0 = np.concatenate([eye[initial], np.zeros(size, np.int64)])[:, None]
    held = eye.astype(object) * Fraction(1, 2) if halving else eye
    words = (eye[:, :, None], np.concatenate([0 * held[:1], held])[:, :, None])
    return Layer(
        stack(products, 2 * size), b, h0, words, readout.reshape(len(maps), -1, 2), size, initial
    )


def offset_layer(maps: ArrayLike, initial: int) -> Layer:
    """The layer of width n whose offset is a register, for maps of shape (actions, size).

    Its readout knows the previous and the current coordinate after every action.  There is a
    codeword for every pair of them.

    Raises:
        ValueError: if a map is neither a permutation nor constant.
    """
    maps = _checked(maps)
    size = maps.shape[1]
    b = np.zeros((len(maps), size, 1), np.int64)
    readout = np.zeros((len(maps), size, size, 2), np.int32)  # of words (current, previous)
    readout[..., 0] = np.arange(size)
    readout[..., 1] = np.arange(size)[:, None]
    products = []
    for a, image in enumerate(maps):
        if is_permutation(image):
            products.append(gh.permutation(image.tolist()))
            readout[a, image, :, 0] = np.arange(size)[:, None]
        else:
            products.append(gh.offset_reset(size))
            b[a, image[0]] = 1
    eye = np.eye(size, dtype=np.int64)
    held = np.array(gh.offsets(size), object)
    words = (eye[:, None] + held[:, None]).reshape(-1, size, 1)
    h0 = words[initial * size + initial]
    return Layer(
        stack(products, size), b, h0, (words,), readout.reshape(len(maps), -1, 2), size, initial
    )


def _checked(maps: ArrayLike) -> NDArray[np.int32]:
    maps = np.asarray(maps, np.int32)
    if maps.ndim != 2 or not maps.size:
        raise ValueError(f"Argument 'maps' must have shape (actions, size), not {maps.shape}.")
    for image in maps:
        if not (is_permutation(image) or (image == image[0]).all()):
            raise ValueError(
                f"A coordinate map must be a permutation or constant, not {image.tolist()}."
            )
    return maps
