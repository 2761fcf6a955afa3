"""Theorems of several layers in the cast model: the words that `refute` finds are confused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from constructions.theorems import plain
from constructions.theorems.cast import GRAZZI, MODEL, cast_of, with_spectrum
from constructions.theorems.plain import Generator, Matrix, pick
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.theorem import Hypothesis, Theorem, ViolationError, Worst, require
from lrnn_theory.transition import Dense

TESTS = ("tests/test_refute.py", "tests/test_theorems.py")
BY_HAND = 160
"""Lengths up to which words are followed from the definition."""

Q = Fraction
SETS = ("{-1,0,1}", "{-4,-3,-2,-1,0,1,2,3,4}", "{0,1,2,3,4,5,6,7}", "{-2,-1,1,2,5}", "fixed4.1")


@dataclass(frozen=True)
class Network:
    """A chain of layers, the format that it is cast to, and what it should count."""

    lrnn: LRNN
    name: str
    language: Automaton


class Cast:
    """One layer in the cast model by definition: all its terms, each multiplied at every letter."""

    def __init__(self, layer: Layer, name: str) -> None:
        self.layer, self.cast = layer, cast_of(name)
        self.terms = [plain.exact(layer.h0)]

    def step(self, action: int) -> Matrix:
        """What a readout sees after an action."""
        a = plain.exact(self.layer.transition.matrix(action))
        self.terms = [*(a @ t for t in self.terms), plain.exact(self.layer.b[action])]
        return self.rounded(sum(self.rounded(t) for t in self.terms))

    def rounded(self, values: Any) -> Matrix:
        """Every entry as it is cast."""
        return np.vectorize(self.cast, otypes=[object])(values)

    def nearest(self, seen: Matrix) -> int:
        """The first nearest codeword."""
        words = plain.exact(self.layer.codewords[0])
        distances = [((self.rounded(w) - seen) ** 2).sum() for w in words]
        return distances.index(min(distances))


def seen_after(lrnn: LRNN, name: str, word: Iterable[str]) -> list[Any]:
    """What readouts see of all layers after a word, with its last letter."""
    (head,) = lrnn.heads
    layers, last, seen = [Cast(level.layer, name) for level in head], "", []
    for last in word:
        context, seen = int(lrnn.letter_class[lrnn.letters.index(last)]), []
        for level, layer in zip(head, layers, strict=True):
            action = int(level.action[context])
            state = layer.step(action)
            previous, current = level.layer.readout[action, layer.nearest(state)]
            read = current if level.reads == "current" else previous
            context = int(level.next[context, int(read)])
            seen.append(state.tolist())
    return [last, *seen]


def _random_network(
    rng: Generator, letters: str, depth: int, values: Sequence[Fraction], *, together: bool
) -> tuple[LRNN, str]:
    """Layers with eigenvalues from a list; `together`: all triangular in one basis."""
    name = pick(rng, SETS)
    numbers = [cast_of(name)(Q(i, 2)) for i in range(-4, 5)]
    contexts, levels = len(letters), []
    for _ in range(depth):
        n, size, below = (int(rng.integers(1, 3)), int(rng.integers(2, 4)), int(rng.integers(1, 4)))
        spectra = [[pick(rng, values) for _ in range(n)] for _ in range(contexts)]
        if together:
            base = plain.unimodular(rng, n)
            upper = np.triu(plain.exact(rng.integers(-2, 3, (n, n)).tolist()), 1)
            parts = [base @ (upper + np.diag(s)) @ plain.inverse(base) for s in spectra]
        else:
            parts = [with_spectrum(rng, s) for s in spectra]
        layer = Layer(
            Dense(np.stack(parts)),
            plain.exact(rng.integers(-2, 3, (contexts, n, 1)).tolist()),
            plain.exact(rng.integers(-2, 3, (n, 1)).tolist()),
            (plain.exact([[[pick(rng, numbers)] for _ in range(n)] for _ in range(size)]),),
            np.tile(np.arange(size)[:, None], (contexts, 1, 2)), size, 0,
        )  # fmt: skip
        nxt = rng.integers(below, size=(contexts, size))
        nxt[0, 0] = below - 1
        levels.append(Level(layer, np.arange(contexts), nxt, "current"))
        contexts = below
    every = np.arange(len(letters))
    return LRNN(tuple(letters), every, (tuple(levels),), np.arange(contexts) % 2, 0), name


# -------------------------------------------------------------------- words


def _confused(network: Network, theorems: tuple[str, ...]) -> Worst:
    """Require words that the network confuses and the language does not."""
    from lrnn_theory.impossibility import check, refute  # loads torch
    from lrnn_theory.verification import Refuted

    lrnn, name, language = network.lrnn, network.name, network.language
    found = refute(lrnn, language, f"{name}:cast")
    if found is None or found.other is None:
        raise ViolationError("no words are found")
    said = found.certificate.data["theorem"]
    require(said in theorems, f"the words are said to follow from {said}")
    lengths = [len(found.word), len(found.other)]
    verdict = check(found.certificate, lrnn)
    if not isinstance(verdict, Refuted):
        raise ViolationError("the certificate proves instead of refuting")
    again = {tuple(verdict.word), tuple(verdict.other or ())}
    require(again == {tuple(found.word), tuple(found.other)}, "the certificate has other words")
    longest = max(lengths)
    if longest <= BY_HAND:
        pair = [list(w) for w in (found.word, found.other)]
        ends = [language.run(w) for w in pair]
        answers = [bool(language.accepting[q]) for q in ends]
        require(answers[0] != answers[1], "the words need the same answer")
        seen = [seen_after(lrnn, name, w) for w in pair]
        require(seen[0] == seen[1], "the words are told apart")
    layers = len(lrnn.levels)
    return Worst(
        layers + longest / (longest + 99),
        f"{plain.count(layers, 'layer')}, {name}: {lengths} letters",
    )


def _nonnegative(network: Network) -> str:
    for level in network.lrnn.levels:
        transition = level.layer.transition
        for i in range(transition.n_actions):
            p = plain.characteristic(plain.exact(transition.matrix(i)))
            real = plain.real_roots(p, Q(0), None) + (p[0] == 0)
            if real != plain.different_roots(p):
                return "an eigenvalue is not in [0, inf)"
    return ""


def _real_products(network: Network) -> str:
    for depth, level in enumerate(network.lrnn.levels):
        transition = level.layer.transition
        some = [plain.exact(transition.matrix(i)) for i in range(transition.n_actions)]
        for word in product(some, repeat=2**depth):
            a = word[0]
            for b in word[1:]:
                a = b @ a
            if plain.nonreal_eigenvalues(a):
                return (
                    f"layer {depth + 1}: a product of {2**depth} matrices has a non-real eigenvalue"
                )
    return ""


_DECAYS = [Q(0), Q(1, 3), Q(1, 2), Q(3, 4), Q(1), Q(1)]
_REAL = [*_DECAYS, Q(-1), Q(-1), Q(-1, 2)]


def _parity_network(rng: Generator) -> Network:
    depth = int(rng.integers(1, 4))
    lrnn, name = _random_network(rng, "01", depth, _DECAYS, together=False)
    return Network(lrnn, name, languages.parity())


def _counting_network(rng: Generator) -> Network:
    depth = int(rng.integers(1, 3))
    lrnn, name = _random_network(rng, "1", depth, _REAL, together=True)
    m = int(pick(rng, [3, 5, 6, 7, 12, 2 ** (depth + 1)]))
    return Network(lrnn, name, _modulo(m))


def _modulo(m: int) -> Automaton:
    return Automaton.from_table([[*range(1, m), 0]], accepting=[0], letters="1")


def _chain(letters: str, matrices: Sequence[Any], name: str, language: Automaton) -> Network:
    """Layers over the codewords 1 and -1; each acts by the codeword of the one above."""
    levels, contexts = [], len(letters)
    for some in matrices:
        parts = plain.exact([some[i % len(some)] for i in range(contexts)])
        n = parts.shape[1]
        words = np.stack([plain.exact([[1]] * n), plain.exact([[-1]] * n)])
        readout = np.tile(np.arange(2)[:, None], (contexts, 1, 2))
        b = plain.exact(np.zeros((contexts, n, 1), int))
        layer = Layer(Dense(parts), b, words[0], (words,), readout, 2, 0)
        nxt = np.tile(np.arange(2), (contexts, 1))
        levels.append(Level(layer, np.arange(contexts), nxt, "current"))
        contexts = 2
    every = np.arange(len(letters))
    lrnn = LRNN(tuple(letters), every, (tuple(levels),), np.arange(2), 0)
    return Network(lrnn, name, language)


_SIGN, _DECAY = [[[-1]]], [[[Q(1, 2)]]]
_SWAPS = [[[1, 0], [0, -1]], [[0, 1], [1, 0]]]

# -------------------------------------------------------------------- certificates of spectra


def _spectrum(a: Matrix) -> Worst:
    from lrnn_theory.impossibility import (
        RealSpectrum,
        contraction,
        outside_product,
        psd,
        spectrum,
        unity_orders,
    )

    p = plain.characteristic(a)
    real = plain.nonreal_eigenvalues(a) == 0
    positive = real and plain.real_roots(p, None, Q(0)) - (p[0] == 0) == 0
    for nonnegative, expected in ((False, real), (True, positive)):
        found = spectrum(a, nonnegative=nonnegative)
        kind = "nonnegative" if nonnegative else "real"
        claims = isinstance(found, RealSpectrum)
        require(claims == expected, f"it says {claims}: the spectrum is {kind}")
        require(found.check(a), f"the certificate of a {kind} spectrum does not check")
        if nonnegative and not claims:
            require(not found.check(a @ a.T), "it refutes a positive semidefinite matrix, too")
    require((outside_product([a], 1) is None) == real, "outside_product disagrees")
    gram = a + a.T
    require((psd(gram) is not None) == plain.is_psd(gram), "psd disagrees with elimination")
    require((contraction(a) is not None) == plain.norm_at_most_one(a), "contraction disagrees")
    orders = set()
    for factor, _ in plain.as_flint(a).charpoly().numer().factor()[1]:
        orders.add(int(factor.is_cyclotomic()))
    require(set(unity_orders(a)) == orders - {0}, f"the orders of roots of unity are {orders}")
    kind = "nonnegative" if positive else "real" if real else "not real"
    return Worst(len(a), f"{kind}, n = {len(a)}")


def _random_matrix(rng: Generator) -> Matrix:
    n = int(rng.integers(1, 5))
    values = [pick(rng, [*_REAL, Q(2), Q(0)]) for _ in range(n)]
    if rng.random() < 0.6:
        return with_spectrum(rng, values)
    return plain.exact(
        [[plain.fraction_between(rng, -2, 2, 3) for _ in range(n)] for _ in range(n)]
    )


def _jordan(n: int) -> Matrix:
    p = plain.unimodular(np.random.default_rng(n), n)
    a = plain.exact((np.eye(n, dtype=int) + np.eye(n, k=1, dtype=int)).tolist())
    return p @ a @ plain.inverse(p)


THEOREMS = (
    Theorem(
        key="deep_parity",
        name="Parity needs an eigenvalue outside [0, inf) in some layer, at any depth",
        statement=(
            "In the cast model a network of any depth whose matrices have nonnegative real "
            "eigenvalues only confuses 1^k and 1^(k+1) for some k: layer after layer ends "
            "constant.  `refute` names the words."
        ),
        citation=f"{GRAZZI}, Theorem 1",
        status="proved",
        precision=MODEL,
        hypotheses=(Hypothesis("all eigenvalues are real and nonnegative", _nonnegative),),
        draw=_parity_network,
        examine=partial(_confused, theorems=("G-T1",)),
        hard={
            "three decays": lambda: _chain("01", [_DECAY] * 3, "fixed4.1", languages.parity()),
        },
        outside={"a sign": lambda: _chain("01", [_SIGN], "{-1,0,1}", languages.parity())},
        page="docs/proofs/parity.md",
        tests=TESTS,
    ),
    Theorem(
        key="deep_counting",
        name="L layers with real product spectra count modulo powers of 2 up to 2^L only",
        statement=(
            "In the cast model, let all products of 2^(i-1) matrices of layer i have real "
            "eigenvalues, i = 1, ..., L.  Then the states after 1, 11, 111, ... end in a period "
            "that divides 2^L: the network counts modulo no m that is not a power of 2, and not "
            "modulo 2^(L+1) either.  `refute` names the words."
        ),
        citation=f"{GRAZZI}, Theorem 2; the period is what its proof gives",
        status="proved",
        precision=MODEL,
        hypotheses=(Hypothesis("products of 2^(i-1) matrices have real spectra", _real_products),),
        draw=_counting_network,
        examine=partial(_confused, theorems=("G-T1", "G-T2")),
        hard={
            **{
                f"modulo {m} by two signs": partial(
                    _chain, "1", [_SIGN, [[[1]], [[-1]]]], "{-1,0,1}", _modulo(m)
                )
                for m in (3, 5, 6, 7, 8, 12)
            },
        },
        outside={
            "two reflections in the second layer": lambda: _chain(
                "1", [_SIGN, _SWAPS], "{-1,0,1}", _modulo(8)
            )
        },
        page="docs/proofs/modular-counting.md",
        tests=TESTS,
    ),
    Theorem(
        key="spectral_certificates",
        name="Whether a spectrum is real or nonnegative is decided with a certificate",
        statement=(
            "All eigenvalues of a rational matrix are real if and only if tr q(A)^2 >= 0 for "
            "every rational polynomial q, and nonnegative if moreover tr A q(A)^2 >= 0.  So a "
            "polynomial refutes it, and sign changes or LDL^T factors prove it."
        ),
        citation="Hermite; docs/impossibility.md",
        status="proved",
        precision="exact rational arithmetic",
        draw=_random_matrix,
        examine=_spectrum,
        hard={
            "a Jordan block of size 8 in another basis": lambda: _jordan(8),
            "a quarter turn": lambda: plain.exact([[0, -1], [1, 0]]),
            "nilpotent": lambda: plain.exact([[2, -4], [1, -2]]),
            "irrational eigenvalues": lambda: plain.exact([[2, 1], [1, 1]]),
        },
        page="docs/impossibility.md#2-exact-spectra",
        tests=("tests/test_refute.py",),
    ),
)  # fmt: skip
