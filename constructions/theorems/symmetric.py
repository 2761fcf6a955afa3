"""Symmetric groups by three layers of two factors, or four of one: blocks of letters, one late."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from constructions.cyclic import ROTATION
from constructions.reflections import REFLECTIONS
from constructions.theorems import plain
from constructions.theorems.plain import Generator, Matrix
from lrnn_theory import householder as gh
from lrnn_theory.automaton import Automaton
from lrnn_theory.theorem import Theorem, Worst, require

Permutation = tuple[int, ...]


@dataclass(frozen=True)
class Words:
    """A word over S_n, and the most factors that a letter may take: 1 or 2."""

    n: int
    factors: int
    letters: tuple[Permutation, ...]


def clock(words: Words) -> tuple[list[int], int]:
    """The position of every letter modulo 2n, by a compiled network, and its layers."""
    from lrnn_theory import scan  # loads torch

    m = 2 * words.n
    turns = Automaton.from_table([[(q + 1) % m for q in range(m)]], outputs=list(range(m)))
    lrnn = (REFLECTIONS if words.factors == 1 else ROTATION)(turns)
    used = lrnn.max_factors or 0
    require(used <= words.factors, f"the clock takes {used} factors")
    told = scan(lrnn, [[0] * len(words.letters)], "exact")[0].tolist()
    return [(int(lrnn.output_symbols[x]) - 1) % m for x in told], lrnn.n_layers


def one_factor(key: Matrix) -> Matrix:
    """I - k k^T 2 / |k|^2 for differences of unit vectors, a projection for unit vectors."""
    a = plain.eye(len(key)) - np.outer(key, key)
    require(plain.moved(a) <= 1, "a letter takes more than one factor")
    return a


class Blocks:
    """The layers above the clock: `collect` keeps the last 2n letters, `apply` acts one block late.

    A readout sees the position, the letter, and the two states; `product` uses nothing else.
    """

    def __init__(self, n: int) -> None:
        self.n, self.group = n, list(itertools.permutations(range(n)))
        self.collect = plain.exact([0] * (2 * n))  # numbers of letters, 0 the identity
        self.apply = plain.exact(list(range(n)))

    def step(self, position: int, letter: Permutation) -> None:
        """Both layers read a letter; `apply` what `collect` tells after it."""
        slot = plain.eye(2 * self.n)[position]
        self.collect = one_factor(slot) @ self.collect + slot * self.group.index(letter)
        i = position % self.n
        for key in self.transpositions(position)[i : i + 1]:
            self.apply = one_factor(key) @ self.apply

    def block(self, position: int, *, late: bool) -> list[Permutation]:
        """The letters of the last block, or those of this one so far."""
        first = position - position % self.n
        if late:
            slots = [(first + self.n + i) % (2 * self.n) for i in range(self.n)]
        else:
            slots = list(range(first, position + 1))
        return [self.group[int(self.collect[i])] for i in slots]

    def transpositions(self, position: int) -> list[Matrix]:
        """Those of the last block's product, the first acts first: n - 1 at most."""
        product = reduce(plain.compose, self.block(position, late=True))
        return list(plain.exact(gh.permutation(product).keys)[::-1])

    def product(self, position: int) -> Permutation:
        """The product of all letters: `apply` undone, the last block, this block."""
        rows = self.apply
        for key in self.transpositions(position)[: position % self.n + 1][::-1]:
            rows = one_factor(key) @ rows
        before = tuple(int(i) for i in np.argsort(rows.astype(int)))
        late, now = (self.block(position, late=x) for x in (True, False))
        return reduce(plain.compose, [*late, *now], before)


def _in_layers(words: Words) -> Worst:
    positions, layers = clock(words)
    layers += 2
    require(layers == 5 - words.factors, f"{layers} layers")
    blocks = Blocks(words.n)
    product = tuple(range(words.n))
    for t, (position, letter) in enumerate(zip(positions, words.letters, strict=True)):
        blocks.step(position, letter)
        product = plain.compose(product, letter)
        require(blocks.product(position) == product, f"letter {t + 1} is answered wrongly")
    most = plain.count(words.factors, "factor")
    return Worst(words.n, f"S{words.n}: {layers} layers, {most}, {len(words.letters)} letters")


def _random_words(rng: Generator) -> Words:
    n = int(rng.integers(2, 6))
    letters = [tuple(rng.permutation(n).tolist()) for _ in range(int(rng.integers(1, 8 * n)))]
    return Words(n, int(rng.integers(1, 3)), tuple(letters))


def _turns(n: int, factors: int, letter: Sequence[int]) -> Words:
    return Words(n, factors, (tuple(letter),) * (6 * n))


THEOREMS = (
    Theorem(
        key="symmetric_groups_in_layers",
        name="S_n in three layers of two factors, or four of one",
        statement=(
            "The word problem of S_n is solved by 3 layers with two factors a letter, and by 4 "
            "layers with one: a clock of 2n positions (a rotation, or two layers of reflections), "
            "a layer that keeps the last 2n letters, and one that applies the product of the last "
            "block, one transposition a letter.  The table of the readout is exponential in n."
        ),
        citation="Siems et al., DeltaProduct, arXiv 2502.10297; the check is ours",
        status="proved",
        precision="exact arithmetic",
        draw=_random_words,
        examine=_in_layers,
        hard={
            "S5, one factor, a 5-cycle again and again": lambda: _turns(5, 1, (1, 2, 3, 4, 0)),
            "S5, two factors, a 5-cycle again and again": lambda: _turns(5, 2, (1, 2, 3, 4, 0)),
            "S6, one factor, no letter moves": lambda: _turns(6, 1, range(6)),
        },
        page="docs/regular-languages.md#one-factor-a-letter",
        constructions=("rotation", "reflections"),
        tests=("tests/test_theorems.py",),
    ),
)
