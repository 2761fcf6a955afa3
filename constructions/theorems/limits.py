"""Theorems about what falls short: a published wiring, two matrices, saturation, TC0."""

from __future__ import annotations

from functools import partial

import numpy as np

from constructions.catalogue import CONSTRUCTIONS
from constructions.regular_language import REGISTER, published
from constructions.theorems import machines, plain
from constructions.theorems.built import prove, refute
from constructions.theorems.layers import EXACT, Maps, allowed_diagonal
from constructions.theorems.machines import named
from constructions.theorems.plain import Generator
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import core_of
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.onehot import plain_layer
from lrnn_theory.profile import analyze
from lrnn_theory.theorem import Hypothesis, Theorem, Worst, require
from lrnn_theory.transition import Diagonal
from lrnn_theory.word_problems import alternating_group, symmetric_group


def _published(automaton: Automaton) -> Worst:
    from lrnn_theory.verification import Refuted, verify  # loads torch

    core, network = core_of(automaton)[1], published(automaton)
    found = verify(network, core, "exact")
    prove(REGISTER(automaton), automaton)
    known = languages.last_letter_and_parity_of_ab().delta.tolist()
    if not isinstance(found, Refuted):
        require(automaton.delta.tolist() != known, "the published construction passes")
        return Worst(0, f"right here: {core.n_states} states")
    letters = "".join(found.word)
    require(automaton.delta.tolist() != known or letters == "ab", f"it fails on {letters}, not ab")
    word = core.encode(list(found.word)).tolist()
    said = network.output_symbols[machines.Follower(network).answer(word)]
    expected = machines.answer_of(core, word)
    require((said, expected) == (found.answered, found.expected), f"it answers {said}")
    require(said != expected, "it answers right")
    return Worst(len(word), f"refuted by {letters}: {core.n_states} states; repaired")


def _no_mealy(automaton: Automaton) -> str:
    return "a Mealy machine" if automaton.kind == "mealy" else ""


def _stays_or_resets(maps: list[list[list[int]]]) -> Worst:
    """Layers that reset or stay, each seeing the coordinates after the letter."""
    from lrnn_theory.dispatch import scan

    letters = len(maps[0])
    levels, contexts = [], letters
    rng = np.random.default_rng(letters)
    for rows in maps:
        size = len(rows[0])
        action = (
            np.arange(contexts) if contexts == letters else rng.integers(len(rows), size=contexts)
        )
        action = action % len(rows)
        nxt = np.arange(contexts * size).reshape(contexts, size)
        levels.append(Level(plain_layer(rows, 0), action, nxt, "current"))
        contexts *= size
    output = rng.integers(2, size=contexts)
    lrnn = LRNN(tuple("abc"[:letters]), np.arange(letters), (tuple(levels),), output, 0)
    for level in lrnn.levels:
        require(allowed_diagonal(0, level.layer), "a layer holds another matrix than 0 and I")
    follower = machines.Follower(lrnn)
    for _ in range(6):
        word = rng.integers(letters, size=int(rng.integers(0, 8))).tolist()
        a = int(rng.integers(letters))
        once, twice = [*word, a], [*word, a, a]
        said = [int(scan(lrnn, [w], "exact", outputs="last")[0]) for w in (once, twice)]
        require(said == [follower.answer(w) for w in (once, twice)], "scan disagrees")
        require(said[0] == said[1], f"{once} and {twice} are told apart")
    needed = languages.at_least(2)
    if letters == 2:
        refute(_renamed(lrnn), needed)
    prove(CONSTRUCTIONS["star_free"](needed), needed)
    return Worst(len(maps), f"{plain.count(len(maps), 'layer')}, {plain.count(letters, 'letter')}")


def _renamed(lrnn: LRNN) -> LRNN:
    return LRNN(("a", "b"), lrnn.letter_class, lrnn.heads, lrnn.output, lrnn.empty_output)


def _random_resets(rng: Generator) -> list[list[list[int]]]:
    letters = int(rng.integers(1, 4))
    layers = []
    for _ in range(int(rng.integers(1, 4))):
        size = int(rng.integers(2, 4))
        choices = [list(range(size)), *([q] * size for q in range(size))]
        layers.append([plain.pick(rng, choices) for _ in range(letters)])
    return layers


def _only_resets(maps: list[list[list[int]]]) -> str:
    for row in (row for layer in maps for row in layer):
        if row != list(range(len(row))) and len(set(row)) > 1:
            return f"{row} neither stays nor resets"
    return ""


def _wraps(width: int) -> Worst:
    """H -> h + 1 in w-bit integers: modulo 2^w if they wrap, stuck if they saturate."""
    one = np.ones((1, 1), np.int64)
    words = np.arange(-(2 ** (width - 1)), 2 ** (width - 1)).reshape(-1, 1, 1)
    k = len(words)
    readout = np.tile(np.arange(k)[:, None], (1, 1, 2))
    layer = Layer(Diagonal(one), one[:, :, None], 0 * one, (words,), readout, k, k // 2)
    counts = np.arange(k)[None] % 2
    level = Level(layer, np.zeros(1, int), counts, "current")
    lrnn = LRNN(("1",), np.zeros(1, int), ((level,),), np.arange(2), 0)
    odd = Automaton.from_table([[1, 0]], accepting=[1], letters="1")
    prove(lrnn, odd, f"fixed{width}.0!wrap:once")
    stuck = refute(lrnn, odd, f"fixed{width}.0:once")
    length = 2 ** (width - 1)
    require(len(stuck.word) == length, f"it is stuck after {len(stuck.word)} letters, not {length}")
    return Worst(width, f"{width} bits: parity if they wrap; stuck after {length} letters if not")


def _nonsolvable(automaton: Automaton) -> str:
    if reason := machines.not_a_group(automaton):
        return reason
    group = plain.monoid(machines.core_rows(automaton), 150)
    if len(group) > 150:
        return "the group has more than 150 elements"
    return "it is solvable" if plain.is_solvable(group) else ""


def _barrington(automaton: Automaton) -> Worst:
    """The reduction that makes the word problem hard: commutators compute conjunctions."""
    group = plain.monoid(machines.core_rows(automaton))
    identity = next(g for g in group if plain.compose(g, g) == g)
    core: Maps = group
    while len(smaller := plain.commutator_subgroup(core)) < len(core):
        core = smaller
    require(len(core) > 1, "the derived series ends")

    def inverse(x: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(int(i) for i in np.argsort(x))

    def commutator(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
        return plain.compose(plain.compose(inverse(x), inverse(y)), plain.compose(x, y))

    depth, values = 0, {x for x in core if x != identity}
    while depth < 4:  # x AND y is [x, y]: not the identity only if both are not
        values = {c for x in values for y in values if (c := commutator(x, y)) != identity}
        require(values, "nested commutators become trivial: no program for AND")
        depth += 1
    require(commutator(identity, next(iter(values))) == identity, "0 AND 1 is not 0")
    profile = analyze(automaton)
    require(profile.is_solvable is False, f"analyze says solvable: {profile.is_solvable}")
    for row in profile.architectures[-2:]:  # factors in [-1, 1], and dense
        require("no" not in (row.one_layer.answer, row.layers.answer), f"{row.matrices}: {row}")
    return Worst(
        len(core), f"{len(group)} elements, perfect part {len(core)}: AND of {2**depth} bits"
    )


THEOREMS = (
    Theorem(
        key="published_cascade",
        name="Theorem 4 holds, its published construction does not",
        statement=(
            "Wired as published, each layer seeing coordinates after the letter, the automaton of "
            "the last letter and the parity of factors ab is answered wrongly on the word ab.  "
            "With a register for the coordinate before the letter every automaton is tracked."
        ),
        citation="Grazzi, Siems et al., arXiv 2411.12537, Theorem 4",
        status="refuted as written",
        precision="exact arithmetic, all lengths",
        hypotheses=(Hypothesis("a DFA or Moore machine", _no_mealy),),
        draw=machines.mixture(machines.any_automaton, machines.group_automaton),
        examine=_published,
        hard={"last letter and parity of ab": languages.last_letter_and_parity_of_ab},
        outside={"a Mealy machine": named("tls")},
        page="docs/regular-languages.md#where-the-published-construction-fails",
        constructions=("regular_language",),
        tests=("tests/test_mutants.py",),
    ),
    Theorem(
        key="zero_and_identity",
        name="0 and I need a shift or a register",
        statement=(
            "In layers with matrices 0 and I, each seeing what those above hold after the letter, "
            "a letter read twice leaves all as after the first time, so that 'at least two a' is "
            "not recognised; with a register of halves it is, in [0, 1]."
        ),
        citation="ours; docs/regular-languages.md",
        status="proved",
        precision=EXACT,
        hypotheses=(Hypothesis("every map stays or resets", _only_resets),),
        draw=_random_resets,
        examine=_stays_or_resets,
        hard={"a latch": lambda: [[[1, 1], [0, 1]]]},
        outside={"a swap": lambda: [[[1, 0]]]},
        page="docs/regular-languages.md#star-free-languages-and-eigenvalues-in-0-1",
        constructions=("star_free", "star_free_shift"),
        tests=("tests/test_star_free.py",),
    ),
    Theorem(
        key="wrapping_integers",
        name="Whether integers wrap or saturate decides parity",
        statement=(
            "h -> h + 1 in w-bit integers is a nonnegative diagonal layer: if they wrap it counts "
            "modulo 2^w, and recognises (11)*; if they saturate it is stuck after 2^(w-1) letters."
        ),
        citation="Nowak, Cotterell, Boumasmoud, arXiv 2606.01765",
        status="proved",
        precision="w-bit integers, one rounding a step, wrapping or saturating",
        draw=lambda rng: int(rng.integers(2, 6)),
        examine=_wraps,
        hard={"6 bits": lambda: 6},
        page="docs/theorems.md#integers-that-wrap",
        tests=("tests/test_theorems.py",),
    ),
    Theorem(
        key="nonsolvable_is_hard",
        name="Word problems of non-solvable groups are outside TC0, unless TC0 = NC1",
        statement=(
            "If the monoid has a non-solvable group, such as S5, its word problem is complete for "
            "NC1, so that models whose passes are in TC0 do not track it unless TC0 = NC1.  What "
            "is checked is the reduction: nested commutators compute conjunctions."
        ),
        citation=(
            "Merrill, Petty, Sabharwal, arXiv 2404.08819; Barrington, J. Comput. System Sci. 38 "
            "(1989)"
        ),
        status="conditional",
        precision="circuits of constant depth, words of every length: logarithmic precision",
        hypotheses=(Hypothesis("a group that is not solvable", _nonsolvable),),
        draw=lambda rng: Automaton.from_table(
            [rng.permutation(5).tolist() for _ in range(2)], accepting=[0]
        ),
        examine=_barrington,
        hard={
            "A5": partial(alternating_group, 5, "two"),
            "S5 on points": lambda: Automaton.from_table(
                [[1, 0, 2, 3, 4], [1, 2, 3, 4, 0]], accepting=[0]
            ),
        },
        outside={"S4": partial(symmetric_group, 4), "parity": languages.parity},
        page="docs/theorems.md#conditional-results",
        tests=("tests/test_theorems.py",),
    ),
)  # fmt: skip
