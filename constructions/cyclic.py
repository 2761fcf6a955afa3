"""Cyclic groups: by a rotation of the plane, or exactly by permutations on prime-power parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lrnn_theory import householder as gh
from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import Bounds, Construction, group_obstacles, one_layer, orbit_layer
from lrnn_theory.cyclotomic import cos_turn, simplify, sin_turn
from lrnn_theory.lrnn import LRNN
from lrnn_theory.onehot import stack
from lrnn_theory.transition import Householder

MAX_MODULUS = 4096
"""Largest number of states that is tried: the group is tabulated."""


def residues(core: Automaton) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Read a core as counting modulo m, its number of states.

    A transitive abelian group acts regularly, so its elements correspond to the states; it is
    cyclic if and only if one of them has order m.

    Returns:
        `(value, shift)`: a residue for every state, 0 for the initial one, and the number that
        every letter adds; None if the letters do not generate a cyclic group of order m.
    """
    m, delta = core.n_states, core.delta
    if group_obstacles(core) or any((x[y] != y[x]).any() for x in delta for y in delta):
        return None
    element = np.empty((m, m), np.int64)  # element[q] is the group element that moves initial to q
    element[core.initial] = np.arange(m)
    for state, word in core.access_words.items():
        if word:
            x = delta[word[-1]]
            element[state] = x[element[np.flatnonzero(x == state)[0]]]
    order = np.ones(m, np.int64)
    image = np.arange(m)
    for _ in range(m):
        moved = image != core.initial
        order += moved
        image = np.where(moved, element[np.arange(m), image], image)
    generator = int(order.argmax())
    if order[generator] != m:
        return None
    value = np.empty(m, np.int64)
    state = core.initial
    for i in range(m):
        value[state] = i
        state = element[generator, state]
    return value, value[delta[:, core.initial]]


def prime_powers(m: int) -> list[int]:
    """The prime powers whose product is m, ascending.

    Example:
        >>> prime_powers(60)
        [3, 4, 5]
    """
    parts, p = [], 2
    while m > 1:
        q = 1
        while m % p == 0:
            m, q = m // p, q * p
        if q > 1:
            parts.append(q)
        p += 1
    return sorted(parts)


def _obstacles(core: Automaton) -> list[str]:
    if core.n_states > MAX_MODULUS:
        return [f"the minimal automaton has {core.n_states} states, more than {MAX_MODULUS}"]
    if reasons := group_obstacles(core):
        return reasons
    return [] if residues(core) else ["its letters do not generate a cyclic group"]


def _counts(core: Automaton) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    counts = residues(core)
    assert counts is not None  # checked by _obstacles
    return counts


def _rotation(core: Automaton) -> LRNN:
    m = core.n_states
    value, shift = _counts(core)

    def unit(p: int, q: int) -> list:
        return [simplify(cos_turn(p, q)), simplify(sin_turn(p, q))]

    # The reflection along (1, 0), then the one along an angle t, turn the plane by 2t.
    keys, betas, ptr = [], [], [0]
    for s in shift.tolist():
        if s:
            keys += [unit(s, 2 * m), [1, 0]]
            betas += [2, 2]
        ptr.append(len(betas))
    transition = Householder(
        np.array(keys, object).reshape(-1, 2), np.array(betas, int), np.array(ptr)
    )
    vectors = [np.array(unit(int(v), m), object) for v in value]
    return one_layer(core, orbit_layer(core, transition, vectors[core.initial], vectors))


def _permutations(core: Automaton) -> LRNN:
    parts = prime_powers(core.n_states)
    value, shift = _counts(core)
    offsets = np.cumsum([0, *parts])
    n = max(int(offsets[-1]), 1)
    products = []
    for s in shift:
        cycles = [o + (np.arange(q) + s) % q for o, q in zip(offsets, parts, strict=False)]
        products.append(gh.permutation(np.concatenate(cycles or [np.zeros(1, int)]).tolist()))
    vectors = []
    for v in value:
        x = np.zeros(n, np.int64)
        x[[o + v % q for o, q in zip(offsets, parts, strict=False)]] = 1
        vectors.append(x)
    return one_layer(core, orbit_layer(core, stack(products, n), vectors[core.initial], vectors))


ROTATION = Construction(
    key="rotation",
    statement="Counting modulo m is one layer with n = 2: rotations, each two reflections.",
    citation="Grazzi, Siems et al., arXiv 2411.12537, section 4.1",
    obstacles=_obstacles,
    build=_rotation,
    claims=lambda _: Bounds(layers=1, n=2, d=1, factors=2, spectrum=(-1, -1)),
    automatic=False,
    remark="its weights are irrational, so a float format may drift; choose it by name",
)

CYCLIC = Construction(
    key="cyclic",
    statement=(
        "Counting modulo m is one layer of permutations whose width n is the sum of the prime "
        "powers of m, with integer weights and at most n - (number of prime powers) factors."
    ),
    citation="folklore: the minimal faithful permutation degree of a cyclic group",
    obstacles=_obstacles,
    build=_permutations,
    claims=lambda core: Bounds(
        layers=1,
        n=max(sum(prime_powers(core.n_states)), 1),
        d=1,
        factors=sum(q - 1 for q in prime_powers(core.n_states)),
        spectrum=(-1, -1),
    ),
)
