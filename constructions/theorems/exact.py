"""Theorems about exact arithmetic with finitely many reachable states: orbits, groups, limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from constructions.theorems import plain
from constructions.theorems.built import prove, refute
from constructions.theorems.plain import Generator, Matrix
from constructions.theorems.products import OPEN, factors, matrix_of, random_factors, size, within
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import empty_output
from lrnn_theory.householder import GHProduct
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.profile import analyze
from lrnn_theory.theorem import Hypothesis, Theorem, Worst, require
from lrnn_theory.transition import Dense

EXACT = "exact arithmetic, finitely many reachable states"
MAX_STATES = 2_000
"""States after which an orbit counts as infinite."""


@dataclass(frozen=True)
class Maps:
    """Affine maps h -> A_a h + b_a, one for every letter, and a start.

    Attributes:
        a: (letters, n, n).
        b: (letters, n).
        h0: (n,).
    """

    a: Matrix
    b: Matrix
    h0: Matrix

    def step(self, h: Matrix, letter: int) -> Matrix:
        """The state after a letter."""
        return self.a[letter] @ h + self.b[letter]

    def run(self, word: Sequence[int]) -> Matrix:
        """The state after a word."""
        h = self.h0
        for letter in word:
            h = self.step(h, letter)
        return h

    def states(self, limit: int = MAX_STATES) -> list[tuple[Fraction, ...]] | None:
        """All reachable states; None if there are more than the limit."""
        seen, queue = {tuple(self.h0)}, [tuple(self.h0)]
        for h in queue:
            for letter in range(len(self.a)):
                after = tuple(self.step(np.array(h, object), letter))
                if after not in seen:
                    seen.add(after)
                    queue.append(after)
                if len(seen) > limit or max(abs(x.numerator) for x in after) > 10**30:
                    return None
        return queue

    def network(self, automaton: Automaton, words: Sequence[Any]) -> LRNN:
        """The LRNN with these states for codewords, answering like an automaton with them."""
        n, k = self.a.shape[1], len(words)
        readout = np.tile(np.arange(k)[:, None], (len(self.a), 1, 2))
        layer = Layer(
            Dense(self.a), self.b[:, :, None], self.h0[:, None],
            (np.array([list(w) for w in words], object).reshape(k, n, 1),), readout, k, 0,
        )  # fmt: skip
        answers = np.tile(automaton.response, (automaton.n_letters, 1))
        level = Level(layer, np.arange(len(self.a)), answers, "current")
        return LRNN(
            automaton.letters, np.arange(len(self.a)), ((level,),), np.arange(2),
            empty_output(automaton),
        )  # fmt: skip


def _finite(maps: Maps) -> str:
    return "" if maps.states() is not None else f"more than {MAX_STATES} states are reachable"


def _letters(count: int) -> Hypothesis:
    def reason(maps: Maps) -> str:
        return "" if len(maps.a) == count else f"there are {len(maps.a)} letters"

    return Hypothesis(f"{count} letter{'s' * (count > 1)}", reason)


FINITE = Hypothesis("finitely many exact states are reachable", _finite)

# -------------------------------------------------------------------- the unary lemma


def _orbit(maps: Maps) -> tuple[list[tuple[Fraction, ...]], int]:
    """The states of one letter repeated, and the index that the last leads back to."""
    orbit = maps.states()
    assert orbit is not None  # a hypothesis
    after = tuple(maps.step(np.array(orbit[-1], object), 0))
    return orbit, orbit.index(after)


def _unary_lemma(maps: Maps) -> Worst:
    orbit, back = _orbit(maps)
    p, a = len(orbit) - back, maps.a[0]
    cycle = plain.exact([list(h) for h in orbit[back:]])
    moves = (cycle - cycle[0]).T  # its columns span U
    dimension = plain.rank(moves)
    both = np.concatenate([moves, a @ moves], axis=1)
    require(plain.rank(both) == dimension, "A does not map U to itself")
    image, order = a @ moves, 1
    while (image != moves).any():
        image, order = a @ image, order + 1
        require(order <= p, "A^p is not the identity on U")
    require(order == p, f"the order of A on U is {order}, the period {p}")
    if dimension:
        orders = _orders_on(a, moves)
        require(lcm(*orders) == p, f"eigenvalues of orders {orders} make the period {p}")
    # The library agrees: the layer counts as a lasso with p states in its cycle.
    n = len(orbit)
    delta = [[*range(1, n), back]]
    lasso = Automaton.from_table(delta, accepting=[n - 1])
    prove(maps.network(lasso, orbit), lasso)
    if p > 1:
        wrong = Automaton.from_table([[*range(1, n), n - 1]], accepting=[n - 1])
        refute(maps.network(lasso, orbit), wrong)
    return Worst(p, f"period {p} after {back}, dim U = {dimension}, n = {len(a)}")


def _orders_on(a: Matrix, moves: Matrix) -> list[int]:
    """The orders of the eigenvalues of A on the span of some vectors, all roots of unity."""
    basis: list[Any] = []
    for column in moves.T:
        if plain.rank(np.array([*basis, column], object)) > len(basis):
            basis.append(column)
    u = np.array(basis, object).T
    gram = plain.inverse(u.T @ u)
    restricted = gram @ u.T @ a @ u
    p = plain.as_flint(restricted).charpoly()
    orders = []
    for factor, _ in p.numer().factor()[1]:
        order = int(factor.is_cyclotomic())
        require(order > 0, f"the eigenvalues of {factor} are no roots of unity")
        orders.append(order)
    return orders


_CYCLIC_BLOCKS = {
    1: [[1]],
    2: [[-1]],
    3: [[0, -1], [1, -1]],
    4: [[0, -1], [1, 0]],
    5: [[0, 0, 0, -1], [1, 0, 0, -1], [0, 1, 0, -1], [0, 0, 1, -1]],
    6: [[0, -1], [1, 1]],
}


def _diagonal_blocks(blocks: Sequence[Any]) -> Matrix:
    n = sum(map(len, blocks))
    a, at = plain.exact(np.zeros((n, n), int)), 0
    for block in blocks:
        a[at : at + len(block), at : at + len(block)] = plain.exact(block)
        at += len(block)
    return a


def _random_unary(rng: Generator) -> Maps:
    """Blocks of finite order, a nilpotent one, and one at its fixed point that decays."""
    orders = rng.choice(sorted(_CYCLIC_BLOCKS), size=int(rng.integers(1, 3))).tolist()
    blocks: list[Any] = [_CYCLIC_BLOCKS[m] for m in orders]
    b, h = [], []
    for m, block in zip(orders, blocks, strict=True):
        k = len(block)
        b += [0] * k if m == 1 else rng.integers(-2, 3, k).tolist()
        h += rng.integers(-2, 3, k).tolist()
    if size := int(rng.integers(0, 3)):
        blocks.append(np.eye(size, k=1, dtype=int))
        b += rng.integers(-2, 3, size).tolist()
        h += rng.integers(-2, 3, size).tolist()
    if rng.random() < 0.5:
        blocks.append([[Fraction(1, 2)]])
        b, h = [*b, 1], [*h, 2]
    a = _diagonal_blocks(blocks)
    base = plain.unimodular(rng, len(a))
    back = plain.inverse(base)
    return Maps((base @ a @ back)[None], (base @ plain.exact(b))[None], base @ plain.exact(h))


def _minus_and_turn(h: list[int]) -> Maps:
    a = _diagonal_blocks([[[-1]], _CYCLIC_BLOCKS[3]])
    return Maps(a[None], plain.exact([[0, 0, 0]]), plain.exact(h))


# -------------------------------------------------------------------- no parity


def _open_range(product: GHProduct) -> Worst:
    a = matrix_of(product)
    for factor, _ in plain.as_flint(a).charpoly().numer().factor()[1]:
        order = int(factor.is_cyclotomic())
        require(order in (0, 1), f"an eigenvalue has the order {order}")
    rows = {r.matrices: r.one_layer for r in analyze(languages.parity()).architectures}
    answer = rows["factors in [0, 1]"].answer
    require(answer == "no", f"analyze says {answer} of parity")
    # Whatever b and h0 are, an orbit that closes is constant in the end.
    rng, closed = np.random.default_rng(len(product)), 0
    for _ in range(4):
        h0 = plain.vector(rng, product.n)
        maps = Maps(a[None], (h0 - a @ h0)[None], h0)  # h0 is a fixed point
        shifted = Maps(a[None], maps.b, h0 + plain.exact(rng.integers(0, 2, product.n).tolist()))
        for some in (maps, shifted):
            if (orbit := some.states(64)) is not None:
                closed += 1
                require(len(orbit) - _orbit(some)[1] == 1, "an orbit has a longer period")
    return Worst(len(product), f"{size(product)}; {plain.count(closed, 'orbit')} closed")


# -------------------------------------------------------------------- time-invariant layers


def _time_invariant(maps: Maps) -> Worst:
    n = maps.a.shape[1]
    zero, one = (0, *[1] * n), (1, *[1] * n)
    require((maps.run(zero) == maps.run(one)).all(), f"{zero} and {one} lead to different states")
    require(sum(zero) % 2 != sum(one) % 2, "the words have the same parity")
    shortest = next(
        k for k in range(n + 1) if (maps.run((0, *[1] * k)) == maps.run((1, *[1] * k))).all()
    )
    states = maps.states()
    assert states is not None  # a hypothesis
    parity = languages.parity()
    names = Automaton.from_table([range(len(states))] * 2, letters="01")
    verdict = refute(maps.network(names, states), parity, decoder="any")
    pair = [parity.encode(list(w)).tolist() for w in (verdict.word, verdict.other or ())]
    require(pair[0][-1] == pair[1][-1], "the two words end in different letters")
    require((maps.run(pair[0]) == maps.run(pair[1])).all(), "the two words are told apart")
    require(sum(pair[0]) % 2 != sum(pair[1]) % 2, "the two words have the same parity")
    return Worst(shortest, f"0 1^{shortest} and 1 1^{shortest}; {len(states)} states, n = {n}")


def _one_matrix(maps: Maps) -> str:
    return "" if (maps.a == maps.a[0]).all() else "the letters have different matrices"


def _random_invariant(rng: Generator) -> Maps:
    orders = rng.choice(sorted(_CYCLIC_BLOCKS), size=int(rng.integers(0, 3))).tolist()
    size = int(rng.integers(1, 4))
    blocks: list[Any] = [_CYCLIC_BLOCKS[m] for m in orders] + [np.eye(size, k=1, dtype=int)]
    a = _diagonal_blocks(blocks)
    n, base = len(a), plain.unimodular(rng, len(a))
    common = [
        0 if m == 1 else int(x) for m in orders for x in rng.integers(-2, 3, len(_CYCLIC_BLOCKS[m]))
    ]
    b = [plain.exact([*common, *rng.integers(-2, 3, size).tolist()]) for _ in range(2)]
    h = plain.exact(rng.integers(-2, 3, n).tolist())
    both = base @ a @ plain.inverse(base)
    return Maps(np.stack([both, both]), np.stack([base @ x for x in b]), base @ h)


def _one_letter(a: int, b: int) -> Maps:
    return Maps(plain.exact([[[a]]]), plain.exact([[b]]), plain.exact([0]))


def _one_coordinate(a: int, b: list[int]) -> Maps:
    return Maps(plain.exact([[[a]]] * 2), plain.exact([[x] for x in b]), plain.exact([0]))


THEOREMS = (
    Theorem(
        key="unary_lemma",
        name="The period of an exact orbit is an order of the matrix",
        statement=(
            "If x -> A x + b has a periodic orbit of least period p, A maps the span U of the "
            "differences of its points to itself, and p is the order of A on U: the least common "
            "multiple of the orders of its eigenvalues there, some of A's roots of unity."
        ),
        citation="ours",
        status="proved",
        precision=EXACT,
        hypotheses=(_letters(1), FINITE),
        draw=_random_unary,
        examine=_unary_lemma,
        hard={
            "diag(-1, turn by a third), period 2": lambda: _minus_and_turn([1, 0, 0]),
            "diag(-1, turn by a third), period 3": lambda: _minus_and_turn([0, 1, 0]),
            "diag(-1, turn by a third), period 6": lambda: _minus_and_turn([1, 1, 0]),
            "nilpotent": lambda: Maps(
                plain.exact([[[0, 1], [0, 0]]]), plain.exact([[1, 1]]), plain.exact([5, 7])
            ),
        },
        outside={"h -> h + 1": lambda: _one_letter(1, 1)},
        page="docs/proofs/unary.md",
        tests=("tests/test_refute.py",),
    ),
    Theorem(
        key="no_parity_in_open_range",
        name="No parity with factors in (-1, 1], however many",
        statement=(
            "One layer of products of factors with eigenvalues in (-1, 1], such as [0, 1], does "
            "not recognise (11)* with finitely many exact states.  (With infinitely many it may: "
            "h -> h + 1, read modulo 2.)"
        ),
        citation="ours; it covers three and more factors, which spectra do not",
        status="proved",
        precision=EXACT,
        hypotheses=(within(-1, 1, open_below=True),),
        draw=lambda rng: random_factors(rng, OPEN, 0, 7),
        examine=_open_range,
        hard={
            "three projections": lambda: factors([[1, 0], [3, 4], [-3, 4]], [0, 0, 0]),
            "three factors, not real": lambda: factors(
                [[1, 0], [3, 4], [-3, 4]], [Fraction(1, 4)] * 3
            ),
        },
        outside={"the scalar -1": lambda: factors([[1]], [-1])},
        page="docs/proofs/unary.md#what-follows",
        tests=("tests/test_refute.py",),
    ),
    Theorem(
        key="time_invariant",
        name="Layers whose matrix does not depend on the letter fail parity",
        statement=(
            "If A is the same for both letters, any n x n matrix, and finitely many states are "
            "reachable, A^n (B(0) - B(1)) = 0, so that 0 1^n and 1 1^n lead to one state.  Over "
            "one letter A = -1 does recognise (11)*."
        ),
        citation="after Khavari et al., arXiv 2508.07395; docs/theorems.md",
        status="proved",
        precision=EXACT,
        hypotheses=(
            _letters(2), Hypothesis("the letters have one matrix", _one_matrix), FINITE
        ),
        draw=_random_invariant,
        examine=_time_invariant,
        hard={"position parity": lambda: _one_coordinate(-1, [1, 1])},
        outside={
            "h -> -h + x": lambda: _one_coordinate(-1, [0, 1]),
            "h -> h + x": lambda: _one_coordinate(1, [0, 1]),
            "parity itself": lambda: Maps(
                plain.exact([[[1]], [[-1]]]), plain.exact([[0], [0]]), plain.exact([1])
            ),
        },
        page="docs/theorems.md#layers-whose-matrix-is-always-the-same",
        tests=("tests/test_theorems.py",),
    ),
)  # fmt: skip
