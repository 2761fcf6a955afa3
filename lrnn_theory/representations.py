"""Exact orthogonal matrices of irreducible representations of finite groups.

Let v be a unit vector of an irreducible real representation W on which a subgroup H acts by signs
s(h), unique up to the isometries that commute with the group.  Then

    phi(g) = <rho(g) v, v> = (1 / (e |H|)) sum over h in H of s(h) chi(g h),

exact from the character chi of W (e is the dimension of what commutes with W).  The Gram matrix of
the orbit of v is phi(g_i^-1 g_j): an orthonormal basis among the orbit gives the matrices at once,
and otherwise a Cholesky factor of it does, if its square roots are cyclotomic numbers.  Proofs in
docs/representations.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.characters import FiniteGroup, Index, RealCharacter
from lrnn_theory.cyclotomic import Cyclotomic, Exact, simplify
from lrnn_theory.roots import square_root

Array = NDArray[Any]

MAX_DIMENSION = 12
"""Largest dimension of an irreducible representation whose matrices are looked for."""

MAX_SUBGROUPS = 300
"""How many pairs of elements are tried as generators of the subgroup H."""

WORK = 200_000
"""Order times pairs tried: fewer pairs are tried in large groups."""

MAX_FRAMES = 8
"""How many different functions phi are tried."""

MAX_LINES = 1500
"""Largest number of lines in the orbit of the line of v."""

MAX_DEGREE = 64
"""Largest degree of the cyclotomic field of a square root that is used."""

MAX_NODES = 20_000
"""How many partial bases are tried in search of an orthonormal one."""


@dataclass(frozen=True, eq=False)
class Irreducible:
    """Exact orthogonal matrices of an irreducible real representation.

    Attributes:
        group: the group.
        character: the character.
        value: for every element g, the number of phi(g) in `numbers`.
        numbers: the values of phi.
        pivots: elements g_i whose vectors rho(g_i) v are a basis.
        inverse: L^-1 for the Cholesky factor L of their Gram matrix; None if they are orthonormal.

    Example:
        >>> from lrnn_theory.characters import real_characters
        >>> s3 = FiniteGroup.generated_by([[1, 2, 0], [1, 0, 2]])
        >>> plane = irreducible(s3, real_characters(s3)[2])
        >>> plane.check()
        >>> plane.matrix(int(s3.letters[0])).astype(float).round(3).tolist()
        [[-0.5, -0.866], [0.866, -0.5]]
    """

    group: FiniteGroup
    character: RealCharacter
    value: Index
    numbers: Array
    pivots: Index
    inverse: Array | None

    @property
    def n(self) -> int:
        """Dimension."""
        return len(self.pivots)

    def matrix(self, g: int) -> Array:
        """The matrix of an element, L^-1 M L^-T with M_ij = phi(g_i^-1 g g_j)."""
        left = self.group.times(self.group.inverse[self.pivots], g)
        gram = self.numbers[self.value[self.group.times(left[:, None], self.pivots)]]
        return gram if self.inverse is None else simplified(self.inverse @ gram @ self.inverse.T)

    @cached_property
    def generators(self) -> dict[int, Array]:
        """The matrices of the generators of the group."""
        return {g: self.matrix(g) for g in self.group.generators.tolist()}

    @cached_property
    def cost(self) -> tuple[int, int]:
        """Degree of the field of the entries, and how many are not 0, 1 or -1."""
        entries = [x for matrix in self.generators.values() for x in matrix.flat]
        degrees = [len(x.coefficients) for x in entries if isinstance(x, Cyclotomic)]
        return max(degrees, default=1), sum(x not in (0, 1, -1) for x in entries)

    @property
    def is_signed_permutation(self) -> bool:
        """Whether all matrices have entries 0, 1 and -1."""
        return self.cost == (1, 0)

    def orbit(self, start: Array) -> Array:
        """rho(g) start for every element g, along one word each; (order, ...), exact."""
        vectors = np.empty((self.group.order, *np.shape(start)), object)
        vectors[0] = start
        for g, s, h in self.group.walk:
            vectors[g] = simplified(self.generators[s] @ vectors[h])
        return vectors

    def check(self) -> None:
        """Prove that the generators' matrices are orthogonal and act like the group.

        Every element g gets a matrix along one word.  If rho(s) rho(h) = rho(s h) for all
        generators s and all h, then words with equal products have equal matrices.  The traces
        are compared with the character.

        Raises:
            ArithmeticError: if not.
        """
        eye = np.eye(self.n, dtype=np.int64).astype(object)
        matrices = self.orbit(eye)
        for s, matrix in self.generators.items():
            if (simplified(matrix.T @ matrix) != eye).any():
                raise ArithmeticError(f"the matrix of element {s} is not orthogonal")
            wanted = matrices[self.group.times(s, np.arange(self.group.order))]
            if any(
                (simplified(matrix @ x) != y).any() for x, y in zip(matrices, wanted, strict=True)
            ):
                raise ArithmeticError(f"the matrix of element {s} does not act like it")
        values = [self.character.values[c] for c in self.group.classes]
        if any(np.trace(m) != x for m, x in zip(matrices, values, strict=True)):
            raise ArithmeticError("the traces are not the character")


def irreducible(
    group: FiniteGroup, character: RealCharacter, *, integral: bool = False, seed: int = 0
) -> Irreducible | None:
    """Exact orthogonal matrices with a given character; None if none were found.

    Subgroups H of at most two generators are tried, the largest first, until the matrices are
    signed permutations.  None does not say that there are no such matrices over a cyclotomic field.

    Args:
        group: the group.
        character: one of its irreducible real characters.
        integral: look for signed permutations only: H then has the dimension as its index.
        seed: of the choice among many subgroups.
    """
    n = character.dimension
    if n > MAX_DIMENSION:
        return None
    best: Irreducible | None = None
    size = group.order // n if integral and n > character.endomorphisms else None
    for tried, (value, numbers) in enumerate(_functions(group, character, size, seed)):
        if tried >= MAX_FRAMES and best is not None:
            break
        basis = _basis(group, value, numbers, n)
        if basis is None:
            continue
        found = Irreducible(group, character, value, numbers, *basis)
        if best is None or found.cost < best.cost:
            best = found
        if best.is_signed_permutation:
            return best
    return None if integral else best


def simplified(array: Array) -> Array:
    """Every number in the smallest field; integers and fractions as such."""
    out = np.empty(np.shape(array), object)
    out.reshape(-1)[:] = [_simple(x) for x in np.asarray(array, object).flat]
    return out


def _simple(x: Exact) -> Exact:
    return x.in_smallest_field() if isinstance(x, Cyclotomic) else simplify(x)


def _functions(
    group: FiniteGroup, character: RealCharacter, size: int | None, seed: int
) -> Iterator[tuple[Index, Array]]:
    """The functions phi of signed subgroups (of one size), those of large subgroups first."""
    k, e, everything = len(character.values), character.endomorphisms, np.arange(group.order)
    found, seen = [], set()
    trivial = np.zeros(1, np.int64), np.ones(1, np.int64)
    # If the dimension is e, all of them give the same phi.
    candidates = _signed_subgroups(group, seed) if character.dimension > e else [trivial]
    for subgroup, signs in candidates:
        if size not in (None, len(subgroup)):
            continue
        counts = np.zeros(k, np.int64)
        np.add.at(counts, group.classes[subgroup], signs)
        if _combine(counts, character, e * len(subgroup)) == 1:
            found.append((subgroup, signs))
    for subgroup, signs in sorted(found, key=lambda pair: -len(pair[0])):
        cosets = group.classes[group.times(everything[:, None], subgroup)]
        counts = np.zeros((group.order, k), np.int64)
        np.add.at(counts, (everything[:, None], cosets), signs)
        rows, value = np.unique(counts, axis=0, return_inverse=True)
        numbers = np.empty(len(rows), object)
        numbers[:] = [_combine(row, character, e * len(subgroup)) for row in rows]
        value = value.ravel()
        profile = tuple(sorted(zip(map(str, numbers), np.bincount(value).tolist(), strict=True)))
        if profile not in seen:
            seen.add(profile)
            yield value, numbers


def _combine(counts: Index, character: RealCharacter, size: int) -> Exact:
    """The sum of the character over so many elements of every class, divided by `size`."""
    terms = (x * Fraction(int(c), size) for c, x in zip(counts, character.values, strict=True) if c)
    return _simple(sum(terms, start=Fraction(0)))


@lru_cache(maxsize=4)
def _signed_subgroups(group: FiniteGroup, seed: int) -> list[tuple[Index, Index]]:
    """Proper subgroups with homomorphisms to 1, -1: of cyclic ones, and of random pairs."""
    reps = group.representatives.tolist()
    pairs = [(g, g) for g in reps]
    rng = np.random.default_rng(seed)
    choices = rng.integers(group.order, size=(min(MAX_SUBGROUPS, WORK // group.order), 2))
    pairs += [(reps[int(i) % len(reps)], int(g)) for i, g in choices]
    fixing = [np.flatnonzero(group.elements[:, x] == x) for x in range(group.elements.shape[1])]
    found = {
        (stabiliser.tobytes(), b""): (stabiliser, np.ones(len(stabiliser), np.int64))
        for stabiliser in fixing[:2]
    }
    for a, b in dict.fromkeys(pairs):
        for signs in (1, 1), (-1, -1), (1, -1), (-1, 1):
            closed = _signed_closure(group, [(a, signs[0]), (b, signs[1])])
            if closed is None and signs == (1, 1):
                break  # the whole group
            if closed is not None:
                found.setdefault((closed[0].tobytes(), closed[1].tobytes()), closed)
    return list(found.values())


def _signed_closure(
    group: FiniteGroup, generators: list[tuple[int, int]]
) -> tuple[Index, Index] | None:
    """The subgroup of some elements and its signs; None if it is the group or has no such signs."""
    signs = np.zeros(group.order, np.int64)
    signs[0] = 1
    fresh, size = np.array([0]), 1
    while fresh.size:
        before = fresh
        reached = []
        for g, sign in generators:
            product = group.times(g, before)
            wanted = sign * signs[before]
            if (signs[product] == -wanted).any():
                return None
            reached.append(product[signs[product] == 0])
            signs[product] = wanted
        fresh = np.unique(np.concatenate(reached))
        size += len(fresh)
        if 2 * size > group.order:
            return None
    members = np.flatnonzero(signs)
    return members, signs[members]


def _basis(
    group: FiniteGroup, value: Index, numbers: Array, n: int
) -> tuple[Index, Array | None] | None:
    """`pivots` and `inverse` of an irreducible; None if a square root is not found."""
    same = np.array([x in (1, -1) for x in numbers])
    line = np.flatnonzero(same[value])  # the elements that keep the line of v
    coset = np.full(group.order, -1)
    for g in range(group.order):
        if coset[g] < 0:
            coset[group.times(g, line)] = g
    lines = np.unique(coset)
    if len(lines) > MAX_LINES:
        return None
    gram = value[group.times(group.inverse[lines][:, None], lines)]
    chosen = _orthogonal_lines(np.array([x == 0 for x in numbers])[gram], n)
    if len(chosen) == n:
        return lines[chosen], None
    inverse = np.eye(len(chosen), dtype=np.int64).astype(object)
    while len(chosen) < n:
        step = _next_vector(numbers[gram[chosen]], inverse)
        if step is None:
            return None
        chosen.append(step[0])
        inverse = step[1]
    return lines[chosen], inverse


def _orthogonal_lines(orthogonal: NDArray[np.bool_], n: int) -> list[int]:
    """Up to n pairwise orthogonal lines, line 0 among them: as many as the search finds."""
    neighbours = [sum(1 << int(j) for j in np.flatnonzero(row)) for row in orthogonal]
    best, nodes = [0], 0
    stack = [([0], neighbours[0])]
    while stack and len(best) < n and nodes < MAX_NODES:
        chosen, rest = stack.pop()
        nodes += 1
        if len(chosen) > len(best):
            best = chosen
        while rest:
            j = rest.bit_length() - 1
            rest ^= 1 << j  # lines below j remain for later, j's branch takes those below it
            stack.append(([*chosen, j], neighbours[j] & rest))
    return best


def _next_vector(products: Array, inverse: Array) -> tuple[int, Array] | None:
    """The line whose part orthogonal to the chosen ones has the simplest exact norm.

    Args:
        products: (chosen, lines), the inner products of chosen vectors with all.
        inverse: L^-1 for the chosen vectors.

    Returns:
        Its number, and L^-1 with one more row.
    """
    rough = inverse.astype(float) @ products.astype(float)
    rest = np.round(1 - (rough * rough).sum(axis=0), 9)
    best: tuple[int, int, Array] | None = None
    for size, j in zip(*np.unique(rest, return_index=True), strict=True):
        if size <= 0:
            continue
        along = simplified(inverse @ products[:, j])
        square = _simple(1 - sum(x * x for x in along))
        root = square_root(square)
        degree = len(root.coefficients) if isinstance(root, Cyclotomic) else 1
        if root is None or degree > MAX_DEGREE:
            continue
        if best is None or degree < best[0]:
            k = len(inverse)
            larger = np.zeros((k + 1, k + 1), object)
            larger[:k, :k] = inverse
            larger[k, k] = simplify(Fraction(1) / root)
            larger[k, :k] = simplified(-larger[k, k] * (along @ inverse))
            best = degree, int(j), larger
    return None if best is None else best[1:]
