"""Theorems about products of Householder factors: norm and spectrum."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from constructions.theorems import plain
from constructions.theorems.plain import Generator, Matrix, pick
from lrnn_theory import householder as gh
from lrnn_theory.householder import GHProduct
from lrnn_theory.theorem import Hypothesis, Theorem, Worst, require

PAGE = "docs/proofs/householder-products.md"
TESTS = ("tests/test_householder.py", "tests/test_factorisations.py")
GRAZZI = "Grazzi, Siems et al., arXiv 2411.12537, Proposition 1"
EXACT = "exact rational arithmetic"

HALF, FIFTH = Fraction(1, 2), Fraction(1, 5)
SIGNED = [Fraction(p, 8) for p in range(-8, 9)] + [Fraction(-1), Fraction(0), Fraction(1)] * 3
OPEN = [x for x in SIGNED if x > -1]
POSITIVE = [x for x in SIGNED if x >= 0]


def factors(keys: Any, eigenvalues: Any) -> GHProduct:
    """The product of factors with these keys and eigenvalues."""
    keys = plain.exact(keys)
    betas = [(1 - Fraction(e)) / (k @ k) for k, e in zip(keys, eigenvalues, strict=True)]
    return GHProduct(keys, plain.exact(betas))


def random_factors(
    rng: Generator, eigenvalues: list[Fraction], low: int = 0, high: int = 6, n: int | None = None
) -> GHProduct:
    """A product of some factors with eigenvalues from a list."""
    n = n or int(rng.integers(1, 6))
    count = int(rng.integers(low, high + 1))
    if not count:
        return gh.identity(n)
    return factors(
        [plain.vector(rng, n) for _ in range(count)], [pick(rng, eigenvalues) for _ in range(count)]
    )


def within(low: Fraction | int, high: int, *, open_below: bool = False) -> Hypothesis:
    """All factors have their eigenvalue in an interval."""

    def reason(product: GHProduct) -> str:
        for k, beta in zip(product.keys, product.betas, strict=True):
            value = 1 - Fraction(beta) * sum(Fraction(x) ** 2 for x in k.tolist())
            if not low <= value <= high or (open_below and value == low):
                return f"a factor has the eigenvalue {value}"
        return ""

    bracket = "(" if open_below else "["
    return Hypothesis(f"every factor has its eigenvalue in {bracket}{low}, {high}]", reason)


def matrix_of(product: GHProduct) -> Matrix:
    """The matrix by definition, which the library's must be."""
    a = plain.written_out(product)
    require((plain.exact(product.matrix()) == a).all(), "matrix() is not the product of factors")
    return a


def size(product: GHProduct) -> str:
    """The size of a product in words."""
    return f"{plain.count(len(product), 'factor')}, n = {product.n}"


def _three(kind: str) -> GHProduct:
    u, v = [Fraction(3, 5), Fraction(4, 5)], [Fraction(-3, 5), Fraction(4, 5)]
    return factors([[1, 0], u, v], [0 if kind == "negative" else Fraction(1, 4)] * 3)


# -------------------------------------------------------------------- norm and spectrum


def _norm(product: GHProduct) -> Worst:
    a = matrix_of(product)
    require(plain.norm_at_most_one(a), "the norm exceeds 1")
    require(product.norm_at_most_one(), "norm_at_most_one() denies it")
    norm = float(np.linalg.norm(plain.to_floats(a), 2))
    return Worst(norm + len(product) / 1000, f"norm {norm:.6g}: {size(product)}")


def _unit_circle(product: GHProduct) -> Worst:
    largest = plain.largest_modulus(plain.without_ones(matrix_of(product)))
    return Worst(largest, f"modulus {largest:.6g}: {size(product)}")


def _two_positive(product: GHProduct) -> Worst:
    a = matrix_of(product)
    require(plain.spectrum_within(a, Fraction(0), Fraction(1)), "an eigenvalue is not in [0, 1]")
    skew = float(np.abs(plain.to_floats(a - a.T)).max())
    return Worst(skew, f"asymmetry {skew:.4g}: {size(product)}")


def _at_most_two(product: GHProduct) -> str:
    return "" if len(product) <= 2 else f"there are {len(product)} factors"


def _three_positive(product: GHProduct) -> Worst:
    a = matrix_of(product)
    largest = plain.largest_modulus(plain.without_ones(a))
    nonreal = plain.nonreal_eigenvalues(a)
    inside = plain.spectrum_within(a, Fraction(0), Fraction(1))
    for kind, escapes in (
        ("negative", not inside and not nonreal),
        ("not real", nonreal > 0),
    ):
        example = _three(kind)
        if (example.keys.shape, len(product)) == (product.keys.shape, 3) and (
            (example.keys == product.keys).all() and (example.betas == product.betas).all()
        ):
            require(escapes, f"the example of an eigenvalue that is {kind} has none")
    where = "in [0, 1]" if inside else "not real" if nonreal else "negative"
    return Worst(
        (not inside) + largest, f"spectrum {where}, modulus {largest:.4g}: {size(product)}"
    )


def _three_or_more(product: GHProduct) -> str:
    return "" if len(product) >= 3 else f"there are {len(product)} factors"


# -------------------------------------------------------------------- how many factors


def part_of(part: str) -> str:
    """The citation of a part of Proposition 1."""
    return f"{GRAZZI}, part {part}"


THEOREMS = (
    Theorem(
        key="norm",
        name="Products of factors in [-1, 1] are contractions",
        statement="If every factor has its eigenvalue in [-1, 1], the product has norm at most 1.",
        citation=part_of("1"),
        status="proved",
        precision=EXACT,
        hypotheses=(within(-1, 1),),
        draw=lambda rng: random_factors(rng, SIGNED),
        examine=_norm,
        hard={
            "twelve reflections": lambda: factors([[1, i, 2] for i in range(12)], [-1] * 12),
            "a register reset": lambda: gh.register_reset(3),
        },
        outside={"eigenvalues 2 and 1/2": lambda: factors([[1, 1]] * 2, [2, HALF])},
        page=f"{PAGE}#norm-and-spectrum",
        tests=TESTS,
    ),
    Theorem(
        key="unit_circle",
        name="Products of factors in (-1, 1] have no root of unity but 1",
        statement=(
            "If every factor has its eigenvalue in (-1, 1], every eigenvalue of the product is 1 "
            "or inside the open unit disc, however many factors there are."
        ),
        citation=part_of("3"),
        status="proved",
        precision=EXACT,
        hypotheses=(within(-1, 1, open_below=True),),
        draw=lambda rng: random_factors(rng, OPEN, 0, 8),
        examine=_unit_circle,
        hard={
            "three factors, negative": lambda: _three("negative"),
            "three factors, not real": lambda: _three("not real"),
            "eigenvalues near -1": lambda: factors([[1, 0], [1, 1]], [Fraction(-999, 1000)] * 2),
        },
        outside={"a reflection": lambda: factors([[1, 0]], [-1])},
        page=f"{PAGE}#norm-and-spectrum",
        tests=TESTS,
    ),
    Theorem(
        key="two_positive_factors",
        name="Two factors in [0, 1] have a spectrum in [0, 1]",
        statement=(
            "The product of at most two factors with eigenvalues in [0, 1] has real eigenvalues "
            "in [0, 1]."
        ),
        citation=part_of("3"),
        status="proved",
        precision=EXACT,
        hypotheses=(
            within(0, 1),
            Hypothesis("there are at most two factors", _at_most_two),
        ),
        draw=lambda rng: random_factors(rng, POSITIVE, 0, 2),
        examine=_two_positive,
        hard={"two projections": lambda: factors([[1, 0], [1, 1]], [0, 0])},
        outside={
            "three factors": lambda: _three("negative"),
            "a reflection": lambda: factors([[1, 0]], [-1]),
        },
        page=f"{PAGE}#norm-and-spectrum",
        tests=TESTS,
    ),
    Theorem(
        key="three_positive_factors",
        name="Three factors in [0, 1] may have negative or non-real eigenvalues",
        statement=(
            "P(1, 0) P(3/5, 4/5) P(-3/5, 4/5), with P(u) = u u^T, has the eigenvalue -63/625; with "
            "eigenvalues 1/4 in place of 0 the product has non-real ones.  Still no eigenvalue but "
            "1 has modulus 1.  So a theorem about spectra says nothing of three factors."
        ),
        citation=f"ours, against the reading of {GRAZZI} for any number of factors",
        status="proved",
        precision=EXACT,
        hypotheses=(
            within(0, 1),
            Hypothesis("there are at least three factors", _three_or_more),
        ),
        draw=lambda rng: random_factors(rng, POSITIVE, 3, 5),
        examine=_three_positive,
        hard={
            "P(1, 0) P(3/5, 4/5) P(-3/5, 4/5)": lambda: _three("negative"),
            "the same with eigenvalues 1/4": lambda: _three("not real"),
        },
        outside={"two projections": lambda: factors([[1, 0], [1, 1]], [0, 0])},
        page="docs/proofs/unary.md#what-follows",
        tests=TESTS,
    ),
)  # fmt: skip
