"""Finite permutation groups and their exact real irreducible characters.

The character table comes from the Burnside-Dixon algorithm: the central characters are the common
eigenvectors of the class matrices modulo a prime p = 1 (mod exponent), and the multiplicities of
the eigenvalues of every element are lifted from there to integers.  Nothing is approximated.

Source: J. D. Dixon, *High speed computation of group characters*, Numer. Math. 10 (1967).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flint import fmpz, nmod_mat
from numpy.typing import ArrayLike, NDArray

from lrnn_theory.cyclotomic import Exact, cos_turn, simplify
from lrnn_theory.groups import closure

MAX_ORDER = 5040
"""Largest order of a group whose elements are listed."""

MAX_ENTRIES = 4_000_000
"""Largest order times degree."""

MAX_CLASSES = 128
"""Largest number of conjugacy classes of a group whose characters are computed."""

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FiniteGroup:
    """The elements of a permutation group; (g h)(x) = g(h(x)), and element 0 is the identity.

    Attributes:
        elements: (order, degree).
        letters: (letters,), the element that every given permutation is.
    """

    elements: Index
    letters: Index

    @classmethod
    def generated_by(cls, rows: ArrayLike) -> FiniteGroup:
        """The group that permutations generate.

        Args:
            rows: permutations, (letters, degree).

        Raises:
            ValueError: if it has more than `MAX_ORDER` elements, or `MAX_ENTRIES` entries.

        Example:
            >>> FiniteGroup.generated_by([[1, 2, 0], [1, 0, 2]]).order
            6
        """
        images = np.asarray(rows, np.int64)
        limit = min(MAX_ORDER, MAX_ENTRIES // max(images.shape[1], 1))
        elements, complete = closure(np.unique(images, axis=0), limit)
        if not complete:
            raise ValueError(
                f"the group has more than {limit} elements ({images.shape[1]} points; at most "
                f"{MAX_ORDER} elements and {MAX_ENTRIES} entries are looked into)"
            )
        elements = elements.astype(np.int64)
        group = cls(elements, np.zeros(0, np.int64))
        return cls(elements, group.find(images))

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.elements)

    @cached_property
    def _base(self) -> Index:
        """Points whose images tell the elements apart."""
        base: list[int] = []
        labels = np.zeros(self.order, np.int64)
        for point in range(self.elements.shape[1]):
            finer = labels * self.elements.shape[1] + self.elements[:, point]
            finer = np.unique(finer, return_inverse=True)[1].ravel()
            if finer.max() > labels.max():
                base.append(point)
                labels = finer
        return np.array(base, np.int64)

    @cached_property
    def _hash(self) -> tuple[Index, Index, Index]:
        """Weights for a sum of images, modulo 2^64, that tells the elements apart; sorted sums."""
        rng = np.random.default_rng(0)
        while True:
            weights = rng.integers(-(2**63), 2**63, size=len(self._base))
            sums = self.elements[:, self._base] @ weights
            order = np.argsort(sums)
            if len(np.unique(sums)) == self.order:
                return weights, sums[order], order

    def find(self, rows: Index) -> Index:
        """Indices of permutations of the group, (k, degree)."""
        return self._find(rows[:, self._base])

    def _find(self, images: Index) -> Index:
        weights, sums, order = self._hash
        return order[np.searchsorted(sums, images @ weights)]

    def times(self, g: Index | int, h: Index | int) -> Index:
        """Indices of the products g h, elementwise with broadcasting."""
        g, h = np.broadcast_arrays(g, h)
        inner = self.elements[h.ravel()][:, self._base]
        return self._find(self.elements[g.ravel()[:, None], inner]).reshape(g.shape)

    @cached_property
    def inverse(self) -> Index:
        """The inverse of every element."""
        return self.find(np.argsort(self.elements, axis=1))

    @cached_property
    def generators(self) -> Index:
        """Some distinct letters that generate the group, each outside what those before it do."""
        kept: list[int] = []
        size = 1
        for a in dict.fromkeys(self.letters.tolist()):
            found = closure(self.elements[[*kept, a]], self.order)[0]
            if len(found) > size:
                kept, size = [*kept, a], len(found)
            if size == self.order:
                break
        return np.array(kept, np.int64)

    @cached_property
    def walk(self) -> list[tuple[int, int, int]]:
        """Every element but 0 once as (g, s, h) with g = s h: s in `generators`, h met before."""
        steps, queue, seen = [], [0], {0}
        products = [self.times(s, np.arange(self.order)) for s in self.generators.tolist()]
        for h in queue:
            for s, product in zip(self.generators.tolist(), products, strict=True):
                g = int(product[h])
                if g not in seen:
                    seen.add(g)
                    queue.append(g)
                    steps.append((g, s, h))
        return steps

    @cached_property
    def classes(self) -> Index:
        """(order,), the number of every element's conjugacy class; that of the identity is 0."""
        everything = np.arange(self.order)
        moved = [
            self.times(self.times(s, everything), self.inverse[s]) for s in self.generators.tolist()
        ]
        label = everything.copy()
        while True:
            new = label.copy()
            for image in moved:
                np.minimum.at(new, image, label)
                new = np.minimum(new, new[image])
            if (new == label).all():
                return np.unique(label, return_inverse=True)[1].ravel()
            label = new

    @cached_property
    def representatives(self) -> Index:
        """(classes,), an element of every class."""
        return np.unique(self.classes, return_index=True)[1]

    def powers(self, g: int) -> list[int]:
        """1, g, g^2, ... up to the order of g."""
        found, step = np.zeros(1, np.int64), np.array(g)
        while (more := self.times(step, found)).all():  # step is g^len(found)
            found, step = np.concatenate([found, more]), self.times(step, step)
        return [*found.tolist(), *more[: int(more.argmin())].tolist()]

    def subgroup(self, generators: list[int]) -> Index:
        """The elements of a subgroup, ascending."""
        found, fresh = np.array([0]), np.array([0])
        while fresh.size:
            products = np.concatenate([self.times(s, fresh) for s in generators])
            fresh = np.setdiff1d(products, found)
            found = np.union1d(found, fresh)
        return found


@dataclass(frozen=True, eq=False)
class RealCharacter:
    """A character of an irreducible representation over the real numbers.

    Attributes:
        spectrum: for every class, the multiplicities of the eigenvalues exp(2πi j/o), where o is
            the order of its elements.
        endomorphisms: 1, 2 or 4: dimension of what commutes with the representation (R, C, H).
    """

    spectrum: tuple[Index, ...]
    endomorphisms: int

    @property
    def dimension(self) -> int:
        """Dimension over the real numbers."""
        return int(self.spectrum[0][0])

    @cached_property
    def values(self) -> tuple[Exact, ...]:
        """The exact trace on every class."""
        return tuple(
            simplify(sum((cos_turn(j, len(m)) * int(c) for j, c in enumerate(m) if c), start=0))
            for m in self.spectrum
        )

    @cached_property
    def lengths(self) -> Index:
        """(classes,), the reflection length rank(I - rho(g)) of every class."""
        return np.array([self.dimension - m[0] for m in self.spectrum], np.int64)

    @cached_property
    def negated_lengths(self) -> Index:
        """(classes,), rank(I + rho(g)): the reflection length of -rho(g)."""
        return np.array(
            [self.dimension - (m[len(m) // 2] if len(m) % 2 == 0 else 0) for m in self.spectrum],
            np.int64,
        )


def real_characters(group: FiniteGroup, seed: int = 0) -> list[RealCharacter]:
    """All irreducible characters over the real numbers, by dimension.

    Raises:
        ValueError: if the group has more than `MAX_CLASSES` classes.

    Example:
        >>> s3 = FiniteGroup.generated_by([[1, 2, 0], [1, 0, 2]])
        >>> [(c.dimension, c.values) for c in real_characters(s3)]
        [(1, (1, 1, 1)), (1, (1, -1, 1)), (2, (2, 0, -1))]
    """
    reps, classes = group.representatives, group.classes
    k = len(reps)
    if k > MAX_CLASSES:
        raise ValueError(f"the group has {k} conjugacy classes, more than {MAX_CLASSES}")
    powers = [classes[group.powers(g)] for g in reps.tolist()]
    exponent = math.lcm(*map(len, powers))
    p = exponent * (2**30 // exponent) + 1
    while not fmpz(p).is_prime():
        p += exponent
    chi = _characters_modulo(group, p, np.random.default_rng(seed))
    root = _primitive_root(p, exponent)
    found: dict[bytes, RealCharacter] = {}
    for character in chi:
        spectrum = [_multiplicities(character[c], root, exponent, p) for c in powers]
        mirrored = [m[-np.arange(len(m)) % len(m)] for m in spectrum]
        if all((m == w).all() for m, w in zip(spectrum, mirrored, strict=True)):
            squares = classes[group.times(reps, reps)]
            sizes = np.bincount(classes)
            # Frobenius and Schur: sum of chi(g^2) is +|G| or -|G| for a real character.
            real = int((sizes * character[squares] % p).sum() % p) == group.order
            factor, kind = (1, 1) if real else (2, 4)
            spectrum = [factor * m for m in spectrum]
        else:
            spectrum, kind = [m + w for m, w in zip(spectrum, mirrored, strict=True)], 2
        found.setdefault(np.concatenate(spectrum).tobytes(), RealCharacter(tuple(spectrum), kind))
    return sorted(found.values(), key=lambda c: (c.dimension, *(-int(m[0]) for m in c.spectrum)))


def _characters_modulo(group: FiniteGroup, p: int, rng: np.random.Generator) -> Index:
    """The irreducible characters modulo p, (characters, classes).

    A random combination of the class matrices has the central characters as eigenvectors; with
    pairwise different eigenvalues it has no others.
    """
    reps, classes, order = group.representatives, group.classes, group.order
    k, sizes = len(reps), np.bincount(classes)
    while True:
        weights = rng.integers(p, size=k)
        matrix = np.zeros((k, k), np.int64)
        for column, z in enumerate(reps.tolist()):
            rows = classes[group.times(group.inverse, z)]  # x^-1 z, for all x
            np.add.at(matrix[:, column], rows, weights[classes])
        matrix %= p
        a = nmod_mat(k, k, matrix.ravel().tolist(), p)
        eigenvalues = [int(root) for root, _ in a.charpoly().roots()]
        if len(eigenvalues) == k:
            break
    rows = []
    for value in eigenvalues:
        shift = nmod_mat(k, k, (np.eye(k, dtype=np.int64) * value).ravel().tolist(), p)
        basis, _ = (a - shift).nullspace()
        omega = np.array([int(basis[i, 0]) for i in range(k)], np.int64)
        omega = omega * pow(int(omega[0]), -1, p) % p
        # chi(c) = omega(c) d / |c|, and the sum of |c| chi(c) chi(c^-1) is the order.
        ratio = np.array([pow(int(s), -1, p) for s in sizes]) * omega % p
        dual = omega[classes[group.inverse[reps]]]
        square = order * pow(int((ratio * dual % p).sum() % p), -1, p) % p
        degree = next(d for d in range(1, math.isqrt(order) + 1) if d * d % p == square)
        rows.append(ratio * degree % p)
    return np.array(rows)


def _primitive_root(p: int, order: int) -> int:
    """An element of this multiplicative order modulo p."""
    primes = [q for q in range(2, order + 1) if order % q == 0 and fmpz(q).is_prime()]
    candidates = (pow(x, (p - 1) // order, p) for x in range(2, p))
    return next(r for r in candidates if all(pow(r, order // q, p) != 1 for q in primes))


def _multiplicities(values: Index, root: int, exponent: int, p: int) -> Index:
    """How often each exp(2πi j/o) is an eigenvalue, from the traces of g^0, ..., g^(o-1)."""
    o = len(values)
    step = pow(root, -(exponent // o), p)
    powers = np.array([pow(step, j, p) for j in range(o)], np.int64)
    table = powers[np.outer(np.arange(o), np.arange(o)) % o]
    total = (table * values % p).sum(axis=1) % p
    return total * pow(o, -1, p) % p
