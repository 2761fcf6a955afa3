"""Theorems about group automata: how many factors a letter takes, in which action or matrices."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from constructions.permutation import PERMUTATION
from constructions.theorems import machines, plain
from constructions.theorems.built import prove
from constructions.theorems.plain import Generator
from lrnn_theory import householder as gh
from lrnn_theory.actions import smallest_action
from lrnn_theory.automaton import Automaton
from lrnn_theory.characters import FiniteGroup, real_characters
from lrnn_theory.construction import core_of
from lrnn_theory.profile import analyze
from lrnn_theory.theorem import Hypothesis, Theorem, Worst, require
from lrnn_theory.tracking import least
from lrnn_theory.word_problems import symmetric_group

EXACT = "exact arithmetic"
Partition = tuple[int, ...]

# -------------------------------------------------------------------- characters of S_n


def partitions(n: int, largest: int | None = None) -> list[Partition]:
    """All partitions of n, largest parts first."""
    largest = n if largest is None else largest
    if n == 0:
        return [()]
    return [
        (first, *rest)
        for first in range(min(n, largest), 0, -1)
        for rest in partitions(n - first, first)
    ]


@cache
def murnaghan_nakayama(shape: Partition, cycles: Partition) -> int:
    """The character of S_n of a shape on a class, by removing rim hooks.

    On first-column hook lengths ("beta numbers") a rim hook of length r takes b to b - r.
    """
    if not cycles:
        return 1
    beta = [part + len(shape) - 1 - i for i, part in enumerate(shape)]
    total, r = 0, cycles[0]
    for b in beta:
        if b - r >= 0 and b - r not in beta:
            jumped = sum(b - r < other < b for other in beta)
            left = sorted({*beta, b - r} - {b}, reverse=True)
            smaller = tuple(x - (len(left) - 1 - i) for i, x in enumerate(left))
            total += (-1) ** jumped * murnaghan_nakayama(tuple(x for x in smaller if x), cycles[1:])
    return total


def class_power(cycles: Partition, k: int) -> Partition:
    """The cycle type of the k-th power."""
    parts = [c // math.gcd(c, k) for c in cycles for _ in range(math.gcd(c, k))]
    return tuple(sorted(parts, reverse=True))


def rank_of(shape: Partition, cycles: Partition) -> int:
    """rank(I - rho(g)): the dimension less the mean of the character over the powers of g."""
    order = math.lcm(*cycles)
    fixed = sum(murnaghan_nakayama(shape, class_power(cycles, k)) for k in range(order))
    require(fixed % order == 0, "a character is no character")
    return murnaghan_nakayama(shape, (1,) * sum(cycles)) - fixed // order


def cycle_type(p: tuple[int, ...]) -> Partition:
    """Lengths of the cycles, longest first."""
    lengths, seen = [], set()
    for start in range(len(p)):
        length = 0
        while start not in seen:
            seen.add(start)
            start, length = p[start], length + 1
        if length:
            lengths.append(length)
    return tuple(sorted(lengths, reverse=True))


def fewest_by_hand(n: int, letters: list[Partition]) -> int:
    """The least, over faithful sums of irreducible representations, of the most factors."""
    shapes = partitions(n)
    kernels = {s: {c for c in shapes if rank_of(s, c) == 0} for s in shapes}
    ranks = {s: [rank_of(s, c) for c in letters] for s in shapes}
    # The normal subgroups of S_n form a chain, so that a faithful sum has a faithful part.
    return min(max(ranks[s]) for s in shapes if len(kernels[s]) == 1)


def _representation_rank(letters: list[tuple[int, ...]]) -> Worst:
    n = len(letters[0])
    types = [cycle_type(p) for p in letters]
    group = FiniteGroup.generated_by(letters)
    characters = real_characters(group)
    representatives = [cycle_type(tuple(group.elements[g])) for g in group.representatives]
    found = sorted(tuple(c.lengths.tolist()) for c in characters)
    wanted = sorted(tuple(rank_of(s, c) for c in representatives) for s in partitions(n))
    require(found == wanted, "lengths differ from those of Murnaghan and Nakayama")
    choice = least(characters, group.classes[group.letters])
    require(choice is not None and choice.exact, "no exact choice is found")
    assert choice is not None
    fewest = fewest_by_hand(n, types)
    require(choice.factors == fewest, f"{choice.factors} factors, not {fewest}")
    if (5,) in types:
        faithful = [s for s in partitions(5) if s not in ((5,), (1,) * 5)]
        low = min(rank_of(s, (5,)) for s in faithful)
        require(low == fewest == 4, f"a 5-cycle takes {fewest} factors")
        low = _behind(letters)
        require(low >= 4, f"a 5-cycle takes {low} factors in a group above S5")
    return Worst(fewest, f"S{n}, letters {types}: {fewest} factors")


def _behind(letters: list[tuple[int, ...]]) -> int:
    """The least rank of a 5-cycle where a group above S5, in S5 x Z5, is represented faithfully."""
    above = [(*p, *(5 + (x + i + 1) % 5 for x in range(5))) for i, p in enumerate(letters)]
    group = FiniteGroup.generated_by(above)
    of_letters = [int(g) for g in group.find(np.array(above))]
    h = next(g for g, p in zip(of_letters, letters, strict=True) if cycle_type(p) == (5,))
    turned = (group.times(group.times(g, h), group.inverse[g]) for g in of_letters)
    apart = (group.times(group.times(h, x), group.inverse[group.times(x, h)]) for x in turned)
    # A faithful representation has a part in which a commutator is not the identity.
    moved = group.classes[next(int(g) for g in apart if g)]
    ranks = [character.lengths for character in real_characters(group)]
    return min(int(rank[group.classes[h]]) for rank in ranks if rank[moved])


def _not_symmetric(letters: list[tuple[int, ...]]) -> str:
    n = len(letters[0])
    order = len(plain.monoid(letters))
    return "" if order == math.factorial(n) else f"the letters generate {order} permutations"


def _random_generators(rng: Generator) -> list[tuple[int, ...]]:
    n, count = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    return [tuple(rng.permutation(n).tolist()) for _ in range(count)]


# -------------------------------------------------------------------- the outer automorphism of S6


@cache
def totals() -> list[frozenset[frozenset[frozenset[int]]]]:
    """The six sets of five synthemes that have all fifteen duads (Sylvester)."""

    def synthemes(points: tuple[int, ...]) -> list[frozenset[frozenset[int]]]:
        if not points:
            return [frozenset()]
        first, *rest = points
        return [
            frozenset({frozenset({first, x})}) | more
            for x in rest
            for more in synthemes(tuple(y for y in rest if y != x))
        ]

    every = synthemes(tuple(range(6)))
    return [
        frozenset(five)
        for five in itertools.combinations(every, 5)
        if len(set().union(*five)) == 15
    ]


def outer(p: tuple[int, ...]) -> tuple[int, ...]:
    """The image of a permutation of 6 points: how it permutes the six totals."""
    six = totals()
    image = [
        frozenset(frozenset(frozenset(p[x] for x in duad) for duad in s) for s in total)
        for total in six
    ]
    return tuple(six.index(total) for total in image)


def _displaced(p: tuple[int, ...]) -> Worst:
    """The automaton is on points; the action used may be on totals, where p moves others."""
    image = outer(p)
    counts = []
    for q in (p, image):
        product = gh.permutation(q)
        count = 6 - len(cycle_type(q))
        require(len(product) == count, f"{len(product)} factors, not n - #cycles = {count}")
        require(plain.moved(plain.written_out(product)) == count, "rank(I - A) is not n - #cycles")
        counts.append(count)
    displaced = sum(x != i for i, x in enumerate(p))
    if cycle_type(p) == (2, 1, 1, 1, 1):
        require(counts == [1, 3], f"a transposition takes {counts} factors in the two actions")
        require(displaced - 1 < counts[1], "the bound by displaced states holds")
    # In the action on totals the same group automaton is tracked, with the factors of that action.
    core = core_of(Automaton.from_table([image, outer((1, 2, 3, 4, 5, 0))], accepting=[0]))[1]
    points = smallest_action(core).points
    claimed = PERMUTATION.claims(core).factors
    wanted = max(points.shape[1] - len(cycle_type(tuple(row))) for row in points.tolist())
    require(claimed == wanted, f"the construction claims {claimed} factors, not {wanted}")
    return Worst(
        counts[1] - counts[0],
        f"{cycle_type(p)}: {counts[0]} factors on points, {counts[1]} on totals",
    )


def _on_six_points(p: tuple[int, ...]) -> str:
    return "" if sorted(p) == list(range(6)) else "it is no permutation of 6 points"


# -------------------------------------------------------------------- one factor; symmetric groups


def _longest_cycle(automaton: Automaton) -> int:
    return max(plain.cycle_length(row) for row in machines.core_rows(automaton))


def cell(automaton: Automaton, matrices: str) -> Any:
    """A row of the table of architectures."""
    rows = {row.matrices: row for row in analyze(automaton).architectures}
    return rows[matrices]


def _one_factor(automaton: Automaton) -> Worst:
    row = cell(automaton, "one factor in [-1, 1]")
    longest = _longest_cycle(automaton)
    require(
        (row.one_layer.answer == "no") == (longest > 2), f"a cycle of {longest}: {row.one_layer}"
    )
    if row.one_layer.answer == "yes":
        from constructions.catalogue import CONSTRUCTIONS

        lrnn = CONSTRUCTIONS[row.one_layer.construction](automaton)
        require(lrnn.n_layers <= 1 and lrnn.max_factors in (0, 1), f"it is {lrnn!r}")
        prove(lrnn, automaton)
    return Worst(longest, f"cycles of at most {longest}: {row.one_layer}")


def _symmetric(n: int) -> Worst:
    automaton = symmetric_group(n, "adjacent" if n == 5 else "all")
    lrnn = PERMUTATION(automaton)
    cycle = gh.permutation([*range(1, n), 0])
    require(len(cycle) == plain.moved(plain.written_out(cycle)) == n - 1, "an n-cycle takes others")
    require(lrnn.n_layers == 1 and lrnn.widths == (n,), f"it is {lrnn!r}")
    most = 1 if n == 5 else n - 1
    require(lrnn.max_factors == most, f"{lrnn.max_factors} factors, not {most}")
    prove(lrnn, automaton)
    return Worst(n, f"S{n}: n = {n}, at most {plain.count(most, 'factor')}")


# -------------------------------------------------------------------- copies


def _copy(pair: tuple[int, int, int]) -> Worst:
    n, source, target = pair
    a = plain.eye(n)
    a[target] = a[source]
    square = a.T @ a
    require(plain.is_psd(2 * plain.eye(n) - square), "the norm exceeds sqrt 2")
    require(not plain.is_psd(Fraction(1999, 1000) * plain.eye(n) - square), "the norm is below")
    try:
        gh.contraction(plain.to_floats(a))
    except ValueError:
        return Worst(n, f"n = {n}: norm sqrt 2")
    require(False, "contraction() factors a matrix of norm sqrt 2")
    raise AssertionError


def _different(pair: tuple[int, int, int]) -> str:
    return "" if pair[1] != pair[2] else "source and target are one"


THEOREMS = (
    Theorem(
        key="displaced_states",
        name="Factors are counted in the action that is used",
        statement=(
            "Counting displaced states of the automaton (minus one) does not bound the factors of "
            "a letter once the group acts on other points: the outer automorphism of S6 takes a "
            "transposition, 1 factor, to a triple transposition, 3 factors.  In the action used a "
            "letter takes n - #cycles factors."
        ),
        citation="Grazzi, Siems et al., arXiv 2411.12537, Theorem 3; the count is ours",
        status="refuted as written",
        precision=EXACT,
        hypotheses=(Hypothesis("a permutation of 6 points", _on_six_points),),
        draw=lambda rng: tuple(rng.permutation(6).tolist()),
        examine=_displaced,
        hard={
            "a transposition": lambda: (1, 0, 2, 3, 4, 5),
            "a 3-cycle": lambda: (1, 2, 0, 3, 4, 5),
            "a 6-cycle": lambda: (1, 2, 3, 4, 5, 0),
        },
        outside={"a reset": lambda: (0,) * 6},
        page="docs/proofs/group-automata.md#the-gap",
        constructions=("permutation",),
        tests=("tests/test_group_constructions.py",),
    ),
    Theorem(
        key="representation_rank",
        name="S5 in one layer takes four factors, and no representation takes fewer",
        statement=(
            "In a faithful sum of irreducible representations a letter a takes rank(I - rho(a)) "
            "factors.  For S5 with a 5-cycle among its letters that is at least 4 in every "
            "irreducible representation of dimension above 1, and 4 suffice.  No other layer with "
            "finitely many states takes fewer: a group acts in it that has S5 for a quotient."
        ),
        citation=(
            "Siems et al., Complex KDA, arXiv 2609.24797, Theorem 4; the rank of a 5-cycle: Howe, "
            "arXiv 2609.18966 (faithful representations); characters: Murnaghan, Nakayama"
        ),
        status="proved",
        precision="exact arithmetic, finitely many reachable states",
        hypotheses=(Hypothesis("the letters generate S_n", _not_symmetric),),
        draw=_random_generators,
        examine=_representation_rank,
        hard={
            "S5 by two letters": lambda: [(1, 0, 2, 3, 4), (1, 2, 3, 4, 0)],
            "S5 by neighbours": lambda: [
                (1, 0, 2, 3, 4), (0, 2, 1, 3, 4), (0, 1, 3, 2, 4), (0, 1, 2, 4, 3)
            ],
            "S4 by two letters": lambda: [(1, 0, 2, 3), (1, 2, 3, 0)],
        },
        outside={"A5": lambda: [(1, 2, 0, 3, 4), (1, 2, 3, 4, 0)]},
        page="docs/proofs/factor-counts.md#any-layer",
        constructions=("orthogonal", "signed_permutation"),
        tests=("tests/test_representations.py", "tests/test_characters.py"),
    ),
    Theorem(
        key="one_factor_letters",
        name="One factor a letter: cycles of at most two states",
        statement=(
            "If one layer whose matrices are single factors with eigenvalues in [-1, 1] tracks an "
            "automaton, every letter, repeated, comes to a cycle of one or two states: a letter of "
            "order 3 or more takes two factors."
        ),
        citation="docs/tracking.md",
        status="proved",
        precision="exact arithmetic, finitely many reachable states",
        draw=machines.mixture(machines.any_automaton, machines.group_automaton),
        examine=_one_factor,
        hard={
            "S3 by reflections": lambda: symmetric_group(3, "adjacent"),
            "S4 by neighbours": lambda: symmetric_group(4, "adjacent"),
            "modulo 3": lambda: Automaton.from_table([[1, 2, 0]], accepting=[0]),
        },
        page="docs/tracking.md#one-layer",
        constructions=("orthogonal",),
        tests=("tests/test_architectures.py",),
    ),
    Theorem(
        key="symmetric_groups",
        name="S_n in one layer with n - 1 factors",
        statement=(
            "The word problem of S_n is one layer with n rows and at most n - 1 factors a letter; "
            "with transpositions of neighbours as letters, one factor."
        ),
        citation="Siems et al., DeltaProduct, arXiv 2502.10297",
        status="proved",
        precision=EXACT,
        draw=lambda rng: int(rng.integers(2, 5)),
        examine=_symmetric,
        hard={"S5 by neighbours": lambda: 5},
        page="docs/proofs/group-automata.md#the-theorem",
        constructions=("permutation",),
        tests=("tests/test_group_constructions.py",),
    ),
    Theorem(
        key="copy_matrices",
        name="Copying an entry leaves every class of contractions",
        statement=(
            "The matrix that copies row i to row j has norm sqrt 2, so that no product of factors "
            "with eigenvalues in [-1, 1] is it: constructions by copies do not carry over."
        ),
        citation="RWKV-7, arXiv 2503.14456, uses copies; the norm is ours",
        status="proved",
        precision=EXACT,
        hypotheses=(Hypothesis("the two rows differ", _different),),
        draw=lambda rng: (n := int(rng.integers(2, 8)), *map(int, rng.permutation(n)[:2])),
        examine=_copy,
        hard={"n = 2": lambda: (2, 0, 1)},
        outside={"the identity": lambda: (3, 1, 1)},
        page="docs/proofs/householder-products.md#norm-and-spectrum",
        tests=("tests/test_householder.py",),
    ),
)  # fmt: skip
