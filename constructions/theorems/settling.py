"""Theorems about layers that settle although every step is rounded: a census of all states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.theorems import plain
from constructions.theorems.plain import Generator, Matrix, pick
from constructions.theorems.rounding import ONCE, PAGE, TESTS, Q, Step, rounded_once
from lrnn_theory.theorem import Hypothesis, Theorem, Worst, require

MEAN = plain.exact([[3, 1], [1, 3]]) / 4


def by_hand(step: Step, h: Matrix, most: int = 4000) -> int:
    """The period that a state ends in, by definition."""
    seen: dict[tuple[Fraction, ...], int] = {}
    while tuple(h) not in seen and len(seen) < most:
        seen[tuple(h)] = len(seen)
        h = rounded_once(step, h)
    return len(seen) - seen.get(tuple(h), len(seen) - 1)


def _periods(
    step: Step, allowed: Callable[[int], bool], what: str, reasons: Sequence[str] = ()
) -> Worst:
    """The periods of all states, of some by definition, and the reason that the library gives."""
    from lrnn_theory.impossibility import period_one_reason
    from lrnn_theory.verification import census  # loads torch

    reason = type(period_one_reason(step.layer(), step.arithmetic)).__name__
    require(not reasons or reason in reasons, f"the reason to settle is {reason}")

    found = census(step.layer(), 0, step.arithmetic)
    require(sum(found.periods.values()) == found.states, f"{found.overflow} states overflow")
    wrong = [p for p in found.periods if not allowed(p)]
    require(
        not wrong, f"states end in period {wrong}: {found.cycles.get(wrong[0]) if wrong else ''}"
    )
    if step.arithmetic.startswith("fixed") and step.arithmetic.endswith(":once"):
        rng = np.random.default_rng(found.states)
        width, places = (int(t) for t in step.arithmetic[5:-5].split("."))
        for _ in range(4):
            units = rng.integers(-(2 ** (width - 1)), 2 ** (width - 1), len(step.a))
            period = by_hand(step, plain.exact(units.tolist()) * Q(2) ** -places)
            require(period in found.periods and allowed(period), f"by hand the period is {period}")
    norm = float(np.linalg.norm(plain.to_floats(step.stored), 2))
    return Worst(norm, f"{what}, norm {norm:.4g}, {found.states:,} states of {found.arithmetic}")


def _small_format(rng: Generator, n: int, semantics: list[str], floats: bool = True) -> str:
    names = {1: ["fixed8.3", "fixed8.0"], 2: ["fixed4.1", "fixed4.0"], 3: ["fixed3.0", "fixed3.1"]}
    some = [f"{name}:{s}" for name in names[n] for s in semantics]
    if n == 1 and floats:
        some += [f"{name}!sat:{s}" for name in ("float8_e5m2", "float8_e4m3") for s in semantics]
    return pick(rng, some)


def _entries(rng: Generator, n: int, low: int, high: int) -> Matrix:
    return plain.exact(
        [[plain.fraction_between(rng, low, high) for _ in range(n)] for _ in range(n)]
    )


def _offset(rng: Generator, n: int) -> Matrix:
    return plain.exact([plain.fraction_between(rng, -2, 2, 32) for _ in range(n)])


def _triangular(rng: Generator) -> Step:
    n = int(rng.integers(1, 4))
    a = np.tril(_entries(rng, n, -2, 2))
    a[range(n), range(n)] = [plain.fraction_between(rng, 0, 2) for _ in range(n)]
    a = a.T if rng.random() < 0.5 else a
    return Step(plain.exact(a), _offset(rng, n), _small_format(rng, n, ["once", "each"]))


def _is_triangular(step: Step) -> str:
    a = step.stored
    if (np.triu(a, 1) != 0).any() and (np.tril(a, -1) != 0).any():
        return "the stored matrix is not triangular"
    low = min(np.diag(a))
    return f"a diagonal entry is {low}" if low < 0 else ""


def _gram(rng: Generator) -> Step:
    n = int(rng.integers(1, 4))
    g = plain.exact(rng.integers(-2, 3, (n, n)).tolist())
    a = g @ g.T * Q(1, int(rng.integers(1, 13)))
    return Step(a, _offset(rng, n), _small_format(rng, n, ["once"]))


def _is_stored_psd(step: Step) -> str:
    a = step.stored
    if (a != a.T).any():
        return "the stored matrix is not symmetric"
    return "" if plain.is_psd(a) else "the stored matrix has a negative eigenvalue"


def _symmetric(rng: Generator) -> Step:
    n = int(rng.integers(1, 4))
    a = _entries(rng, n, -1, 1)
    return Step(a + a.T, _offset(rng, n), _small_format(rng, n, ["once"]))


def _is_symmetric(step: Step) -> str:
    a = step.stored
    return "" if (a == a.T).all() else "the stored matrix is not symmetric"


_TANGENT = {2: None, 3: Q(1732, 1000), 4: Q(1), 6: Q(577, 1000)}
"""Rational lower bounds of tan(pi/p); None for infinity."""


def largest_sector(a: Matrix) -> int:
    """The largest p of 2, 3, 4, 6 with the numerical range inside |arg z| < pi/p; 0 for none.

    The border, which the theorem allows, is left out.

    z^* A z has the real part z^* S z and the imaginary part z^* K z / i, where S and K are the
    symmetric and the skew part: it is inside if t S - iK and t S + iK are positive definite for
    t = tan(pi/p), which are real symmetric matrices of twice the size.
    """
    s, k = (a + a.T) / 2, (a - a.T) / 2
    best = 0
    for p, t in _TANGENT.items():
        if t is None:
            inside = plain.is_psd(s, strictly=True)
        else:
            inside = plain.is_psd(np.block([[t * s, -k], [k, t * s]]), strictly=True)
        best = p if inside else best
    return best


def _turning(rng: Generator) -> Step:
    n = int(rng.integers(2, 4))
    g = plain.exact(rng.integers(-2, 3, (n, n)).tolist())
    k = _entries(rng, n, -1, 1)
    a = (g @ g.T + plain.eye(n)) / int(rng.integers(2, 9)) + (k - k.T) / int(rng.integers(1, 6))
    return Step(a, _offset(rng, n), _small_format(rng, n, ["once"]))


def _in_a_sector(step: Step) -> str:
    return "" if largest_sector(step.stored) else "x^T A x <= 0 for some x"


def _sector(step: Step) -> Worst:
    p = largest_sector(step.stored)
    some = ["Triangular", "PSD", "Sector"]
    worst = _periods(step, lambda q: q == 1 or q > p, f"no period of 2 to {p}", some)
    return Worst(p + worst.strain / 1000, worst.case)


WIDE = ("float8_e4m3!sat:wide+acc=float64", "float8_e5m2!sat:wide+acc=float64")
LEAST = Q(1, 1 << 10)
"""More than 2 eta / u in these arithmetics, for entries of the size drawn."""


def _well_above(rng: Generator) -> Step:
    n = int(rng.integers(1, 3))
    g = plain.exact(rng.integers(-2, 3, (n, n)).tolist())
    a = g @ g.T / 4 + plain.eye(n) / 8
    return Step(a, _offset(rng, n), pick(rng, WIDE))


def _far_from_singular(step: Step) -> str:
    if reason := _is_stored_psd(step):
        return reason
    above = plain.is_psd(step.stored - LEAST * plain.eye(len(step.a)))
    return "" if above else f"an eigenvalue is less than {LEAST}"


def _settles(
    key: str, name: str, statement: str, hypothesis: Hypothesis, draw: Any, **more: Any
) -> Theorem:
    return Theorem(
        key=key, name=name, statement=statement, status="proved", hypotheses=(hypothesis,),
        draw=draw, page=PAGE, tests=TESTS,
        citation=more.pop("citation", "ours"), **more,
    )  # fmt: skip


def _swap(arithmetic: str) -> Step:
    return Step(plain.exact([[0, 1], [1, 0]]), plain.exact([0, 0]), arithmetic)


THEOREMS = (
    _settles(
        "triangular_settles",
        "Triangular layers settle",
        "If the stored matrix is triangular with a nonnegative diagonal, every orbit of one letter "
        "ends constant, whether a step is rounded once or every operation is.",
        Hypothesis("the stored matrix is triangular, its diagonal nonnegative", _is_triangular),
        _triangular,
        precision="rounding that is monotone and saturates: once a step, or every operation",
        examine=lambda step: _periods(step, lambda p: p == 1, "period 1", ["Triangular"]),
        hard={
            "a Jordan block": lambda: Step(
                plain.exact([[1, 1], [0, 1]]), plain.exact([Q(1, 2), Q(-1, 2)]), "fixed5.2:each"
            )
        },
        outside={
            "a swap": lambda: _swap("fixed5.2:once"),
            "the scalar -1": lambda: Step(plain.exact([[-1]]), plain.exact([0]), "fixed8.3:once"),
        },
    ),
    _settles(
        "psd_settles",
        "Symmetric positive semidefinite layers settle if rounded once",
        "If the stored matrix is symmetric and positive semidefinite, of any norm, every orbit of "
        "one letter ends constant when a step is rounded once.",
        Hypothesis("the stored matrix is symmetric and positive semidefinite", _is_stored_psd),
        _gram,
        precision=ONCE,
        examine=lambda step: _periods(
            step, lambda p: p == 1, "period 1", ["Triangular", "PSD"]
        ),
        hard={
            "the mean that cycles if every operation is rounded": lambda: Step(
                MEAN, plain.exact([0, 0]), "float8_e5m2!sat:once"
            )
        },
        outside={"a swap": lambda: _swap("fixed5.2:once")},
    ),
    _settles(
        "margin_settles",
        "Symmetric layers settle in a wide accumulator if no eigenvalue is near 0",
        "If the stored matrix is symmetric with eigenvalues of at least 2 eta / u > 0, where A h "
        "is computed with an error of at most eta before b is added, and numbers of the format "
        "differ by at least u, every orbit of one letter ends constant.",
        Hypothesis("the eigenvalues are at least 1/1024", _far_from_singular),
        _well_above,
        precision="8-bit floats, sums in float64, rounded once more to the format; saturating",
        examine=lambda step: _periods(
            step, lambda p: p == 1, "period 1", ["Triangular", "Margin"]
        ),
        hard={
            "the mean that cycles if every operation is rounded": lambda: Step(
                MEAN, plain.exact([0, 0]), WIDE[1]
            )
        },
        outside={
            "singular": lambda: Step(plain.exact([[1, 1], [1, 1]]), plain.exact([0, 0]), WIDE[0])
        },
    ),
    _settles(
        "symmetric_period_two",
        "Symmetric layers have period at most 2 if rounded once",
        "If the stored matrix is symmetric, every orbit of one letter ends in period 1 or 2 when a "
        "step is rounded once.",
        Hypothesis("the stored matrix is symmetric", _is_symmetric),
        _symmetric,
        precision=ONCE,
        citation="after Goles, Olivos, Discrete Math. 30 (1980)",
        examine=lambda step: _periods(step, lambda p: p <= 2, "period at most 2"),
        hard={"a swap": lambda: _swap("fixed5.2:once")},
        outside={
            "a quarter turn": lambda: Step(
                plain.exact([[0, -1], [1, 0]]), plain.exact([0, 0]), "fixed5.2:once"
            )
        },
    ),
    _settles(
        "sector_settles",
        "A numerical range in a sector excludes short cycles",
        "If the numerical range of the stored matrix is in |arg z| <= pi/p, no orbit of one "
        "letter has a period of 2, ..., p when a step is rounded once.",
        Hypothesis("x^T A x > 0 for every x: the range is in a sector, p >= 2", _in_a_sector),
        _turning,
        precision=ONCE,
        examine=_sector,
        hard={
            "half a sixth of a turn": lambda: Step(
                plain.exact([[Q(1, 2), Q(-1, 4)], [Q(1, 4), Q(1, 2)]]), plain.exact([Q(1, 3), 0]),
                "fixed6.0:once",
            )
        },
        outside={"a swap": lambda: _swap("fixed5.2:once")},
    ),
)  # fmt: skip
