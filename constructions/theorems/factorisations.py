"""Theorems about how many Householder factors a matrix takes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from constructions.theorems import plain
from constructions.theorems.plain import Generator, Matrix, pick
from constructions.theorems.products import (
    EXACT,
    FIFTH,
    GRAZZI,
    HALF,
    PAGE,
    SIGNED,
    TESTS,
    factors,
    matrix_of,
    part_of,
    random_factors,
    size,
    within,
)
from lrnn_theory import householder as gh
from lrnn_theory.householder import GHProduct
from lrnn_theory.theorem import Hypothesis, Theorem, Worst, require


def _rank_bound(product: GHProduct) -> Worst:
    a = matrix_of(product)
    least = plain.moved(a)
    require(gh.reflection_length(a) == least, "reflection_length is not rank(I - A)")
    require(least <= len(product), f"rank(I - A) = {least} exceeds the factors")
    return Worst(least / max(len(product), 1), f"rank {least}: {size(product)}")


def _scherk(q: Matrix) -> Worst:
    product = gh.orthogonal(q)
    least = plain.moved(q)
    require((plain.written_out(product) == q).all(), "the factors are not those of the matrix")
    require(len(product) == least, f"{len(product)} factors, not rank(I - Q) = {least}")
    weights = [k @ k * beta for k, beta in zip(product.keys, product.betas, strict=True)]
    require(all(w == 2 for w in weights), "a factor is no reflection")
    return Worst(least, f"{least} reflections, n = {len(q)}")


def _orthogonal(q: Matrix) -> str:
    return "" if (q.T @ q == plain.eye(len(q))).all() else "Q^T Q is not I"


def random_orthogonal(rng: Generator) -> Matrix:
    """A rational orthogonal matrix."""
    n = int(rng.integers(1, 6))
    return plain.written_out(random_factors(rng, [Fraction(-1)], 0, n + 2, n))


def _permutation(p: list[int]) -> Worst:
    product, n = gh.permutation(p), len(p)
    a = plain.exact(np.eye(n, dtype=int)[:, np.argsort(p)].T)
    seen: set[int] = set()
    cycles = 0
    for start in range(n):
        cycles += start not in seen
        while start not in seen:
            seen.add(start)
            start = p[start]
    wanted = plain.exact(np.zeros((n, n), int))
    wanted[p, range(n)] = Fraction(1)
    require((a == wanted).all(), "the two definitions of a permutation matrix differ")
    require((matrix_of(product) == wanted).all(), "the factors are not those of the permutation")
    require(len(product) == n - cycles == plain.moved(wanted), "the factors are not n - #cycles")
    require(product.keys.dtype == np.int64, "a factor is not integral")
    return Worst(len(product), f"{len(product)} factors, n = {n}")


def _reads_as_permutation(p: list[int]) -> str:
    return "" if sorted(p) == list(range(len(p))) else "a point is hit twice"


def _resets(n: int) -> Worst:
    zero, one = plain.exact(np.zeros((n, n), int)), plain.eye(n)
    for name, product, wanted, count, least in (
        ("zero", gh.reset(n), zero, n, n),
        ("register", gh.register_reset(n), np.block([[zero, zero], [one, zero]]), 2 * n, 2 * n),
        (
            "halving register",
            gh.halving_register_reset(n),
            np.block([[zero, zero], [one * HALF, zero]]),
            3 * n,
            2 * n,
        ),
    ):
        require((matrix_of(product) == wanted).all(), f"the {name} reset is another matrix")
        require(len(product) == count, f"the {name} reset has {len(product)} factors, not {count}")
        require(plain.moved(wanted) == least, f"rank(I - A) of the {name} reset is not {least}")
    negative = within(0, 1).reason(gh.halving_register_reset(n))
    require(not negative, f"a halving reset leaves [0, 1]: {negative}")
    return Worst(n, f"n = {n}")


def _contraction(m: np.ndarray) -> Worst:
    n, product = len(m), gh.contraction(m)
    least, bound = np.linalg.matrix_rank(np.eye(n) - m, tol=1e-10), 2 * n - 1
    if (m == m.T).all():
        bound = int(least)
    require(len(product) <= bound, f"{len(product)} factors, more than {bound}")
    outside = within(-1, 1).reason(product)
    require(not outside, outside)
    error = np.abs(plain.to_floats(plain.written_out(product)) - m).max()
    require(error < 1e-12 * n, f"the product is off by {error:.3g}")
    return Worst(error, f"error {error:.2g}: {len(product)} of {bound} factors, n = {n}")


def _norm_of(m: np.ndarray) -> str:
    norm = np.linalg.norm(m, 2)
    return "" if norm <= 1 + 1e-12 else f"the norm is {norm:.4g}"


def random_contraction(rng: Generator) -> np.ndarray:
    """A matrix of norm at most 1, often with singular values 0 or 1, or symmetric."""
    n = int(rng.integers(1, 7))
    left, right = (np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(2))
    values = np.where(rng.random(n) < 0.3, rng.integers(0, 2, n), rng.random(n))
    if rng.random() < 0.3:
        m = left @ np.diag(values * rng.choice([-1.0, 1.0], n)) @ left.T
        return (m + m.T) / 2
    return left @ np.diag(values) @ right


def _scaled_turn(instance: tuple[Matrix, Fraction]) -> Worst:
    """C U = C_1 B needs B = C_1^-1 c U to fix a vector with its transpose: v = k_1.

    The proof of docs/proofs/householder-products.md, backwards: v is a fixed vector of B and of
    B^T, so that B B^T v = v; and the only such v is along k_1, which makes all keys orthogonal and
    U symmetric.  So for every k_1 and lambda_1 tried, B and B^T must not both fix k_1 unless U is
    symmetric.
    """
    u, c = instance
    n, rng = len(u), np.random.default_rng(len(u))
    for _ in range(8):
        k, value = plain.vector(rng, n), pick(rng, [c, -c, HALF, Fraction(-1), FIFTH])
        first = plain.written_out(factors([k], [value]))
        rest = plain.inverse(first) @ (c * u)
        gram = rest @ rest.T - plain.eye(n)
        require(n - plain.rank(gram) <= (abs(value) == c), "B B^T fixes more than k_1")
        both = not (rest @ k - k).any() and not (rest.T @ k - k).any()
        if both:
            require(abs(value) == c, "k_1 is fixed although |lambda_1| is not c")
            require((u @ k == k * (value / c)).all(), "k_1 is no eigenvector of U")
    count = len(gh.contraction(plain.to_floats(c * u)))
    symmetric = bool((u == u.T).all())
    require(not symmetric or count <= n, f"{count} factors for a symmetric matrix")
    require(symmetric or n < count <= 2 * n - 1, f"{count} factors, not more than n = {n}")
    return Worst(count / n, f"{count} factors, n = {n}, {'' if symmetric else 'not '}symmetric")


def _scaled_orthogonal(instance: tuple[Matrix, Fraction]) -> str:
    u, c = instance
    if len(u) < 2:
        return "n is 1"
    return _orthogonal(u) or ("" if 0 < c < 1 else f"c is {c}")


def _random_scaled(rng: Generator) -> tuple[Matrix, Fraction]:
    while len(u := random_orthogonal(rng)) < 2:
        pass
    return u, Fraction(int(rng.integers(1, 8)), 8)


LENGTH = "docs/proofs/reflection-length.md"
TURN = plain.exact([[3, -4], [4, 3]]) / 5


THEOREMS = (
    Theorem(
        key="rank_bound",
        name="rank(I - A) factors at least",
        statement="A product of k factors has rank(I - A) at most k.",
        citation="docs/gh-algebra.md, Proposition 1",
        status="proved",
        precision=EXACT,
        draw=lambda rng: random_factors(rng, [*SIGNED, Fraction(2), Fraction(-3)]),
        examine=_rank_bound,
        hard={
            "the identity": lambda: gh.identity(4),
            "a 7-cycle": lambda: gh.permutation([1, 2, 3, 4, 5, 6, 0]),
            "one key twice": lambda: factors([[1, 2], [1, 2]], [-1, -1]),
        },
        page=f"{LENGTH}#the-lower-bound",
        tests=TESTS,
    ),
    Theorem(
        key="orthogonal_factors",
        name="Orthogonal matrices: rank(I - Q) reflections, and no fewer",
        statement="An orthogonal Q is a product of rank(I - Q) reflections, the fewest factors.",
        citation="Scherk, Proc. Amer. Math. Soc. 1 (1950)",
        status="proved",
        precision=EXACT,
        hypotheses=(Hypothesis("Q is orthogonal", _orthogonal),),
        draw=random_orthogonal,
        examine=_scherk,
        hard={
            "-I": lambda: -plain.eye(5),
            "the identity": lambda: plain.eye(3),
            "a rotation by 3 + 4i": lambda: TURN,
        },
        outside={"half a rotation": lambda: TURN / 2},
        page=f"{LENGTH}#orthogonal-matrices",
        constructions=("orthogonal", "signed_permutation"),
        tests=TESTS,
    ),
    Theorem(
        key="permutation_factors",
        name="Permutations: n - #cycles integer reflections, and no fewer",
        statement=(
            "A permutation of n points is a product of n - #cycles transpositions, and of no fewer "
            "factors."
        ),
        citation=f"{GRAZZI}; counted in the action that is used",
        status="proved",
        precision=EXACT,
        hypotheses=(Hypothesis("every point is hit once", _reads_as_permutation),),
        draw=lambda rng: rng.permutation(int(rng.integers(1, 10))).tolist(),
        examine=_permutation,
        hard={"a cycle of 12": lambda: [*range(1, 12), 0], "no point moves": lambda: [0, 1, 2]},
        outside={"a reset": lambda: [0, 0]},
        page=f"{LENGTH}#permutations-points-minus-cycles",
        constructions=("permutation", "cyclic"),
        tests=TESTS,
    ),
    Theorem(
        key="reset_factors",
        name="Resets: n, 2n or 3n factors",
        statement=(
            "The zero matrix is n projections, [[0, 0], [I, 0]] is 2n factors with eigenvalues -1 "
            "and 0, and no fewer in either case; [[0, 0], [I/2, 0]] is 3n projections."
        ),
        citation="docs/gh-algebra.md, Proposition 4; docs/regular-languages.md",
        status="proved",
        precision=EXACT,
        draw=lambda rng: int(rng.integers(1, 7)),
        examine=_resets,
        hard={"n = 12": lambda: 12},
        page=f"{LENGTH}#projections-sign-flips-and-resets",
        constructions=("regular_language", "input_shift", "star_free", "star_free_shift"),
        tests=TESTS,
    ),
    Theorem(
        key="contraction_factors",
        name="Contractions: 2n - 1 factors, not 3n",
        statement=(
            "Every real n x n matrix of norm at most 1 is a product of at most 2n - 1 factors with "
            "eigenvalues in [-1, 1]; a symmetric one of rank(I - M)."
        ),
        citation=f"ours; {part_of('2')} has 3n",
        status="proved",
        precision="float64 factors that are exactly contractions; the product to about 1e-15",
        hypotheses=(Hypothesis("the norm is at most 1", _norm_of),),
        draw=random_contraction,
        examine=_contraction,
        hard={
            "half a rotation": lambda: plain.to_floats(TURN) / 2,
            "a nilpotent matrix": lambda: np.eye(5, k=1),
            "zero": lambda: np.zeros((4, 4)),
            "a rotation by 1e-9": lambda: np.array([[1.0, -1e-9], [1e-9, 1.0]]),
        },
        outside={"twice the identity": lambda: 2 * np.eye(2)},
        page=f"{PAGE}#every-contraction",
        tests=TESTS,
    ),
    Theorem(
        key="n_factors_fall_short",
        name="n factors do not make every contraction",
        statement=(
            "For n >= 2, 0 < c < 1 and an orthogonal U, c U is a product of n factors with "
            "eigenvalues in [-1, 1] only if U is symmetric: 2n - 1 = 3 is sharp for n = 2."
        ),
        citation="ours",
        status="proved",
        precision=EXACT,
        hypotheses=(
            Hypothesis("U is orthogonal with n >= 2, and 0 < c < 1", _scaled_orthogonal),
        ),
        draw=_random_scaled,
        examine=_scaled_turn,
        hard={
            "half a rotation": lambda: (TURN, HALF),
            "half a reflection": lambda: (plain.exact([[0, 1], [1, 0]]), HALF),
        },
        outside={"a rotation": lambda: (TURN, Fraction(1))},
        page=f"{PAGE}#every-contraction",
        tests=TESTS,
    ),
)  # fmt: skip
