"""The table of architectures: every "yes" is built and proved, every "no" is attacked."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from constructions import compile_dfa
from lrnn_theory import (
    LRNN,
    Automaton,
    Dense,
    Householder,
    Layer,
    Level,
    Proved,
    Refuted,
    analyze,
    languages,
    refute,
    verify,
)
from lrnn_theory.strategies import automata

PAGES = Path(__file__).parents[1]
ROWS = [row.matrices for row in analyze("a").architectures]
NAMED = [
    "parity", "mod_60", "mod_4_of_a", "modular_arithmetic_5", "t3", "t4", "random_10", "email",
    "s3", "s4_two_generators", "a4", "d4", "q8", "flip_flop", "tomita_1", "tomita_2", "tomita_3",
    "tomita_4", "tomita_5", "tomita_6", "iso_date",
]  # fmt: skip


def matrices_of(lrnn):
    """All transition matrices, as floats, layer by layer."""
    for level in lrnn.levels:
        transition = level.layer.transition
        yield [transition.matrix(a).astype(float) for a in range(level.layer.n_actions)]


def factors_of(lrnn):
    """(eigenvalues of the factors, most factors of an action) of every layer."""
    for level in lrnn.levels:
        t = level.layer.transition
        assert isinstance(t, Householder)
        squares = (t.keys.astype(float) ** 2).sum(axis=1)
        yield 1 - t.betas.astype(float) * squares, int(np.diff(t.ptr).max(initial=0))


def diagonal(matrix):
    return (matrix == np.diag(np.diag(matrix))).all()


def within(lrnn, low, most):
    return all(
        (x >= low - 1e-12).all() and (x <= 1).all() and k <= most for x, k in factors_of(lrnn)
    )


def complex_diagonal(layer):
    """Normal matrices that commute have one unitary basis of eigenvectors."""
    pairs = [(x, y) for x in layer for y in [*layer, x.T]]
    return all(abs(x @ y - y @ x).max() < 1e-9 for x, y in pairs)


BELONGS = {
    "nonnegative diagonal": lambda lrnn: all(
        diagonal(x) and (x >= 0).all() for layer in matrices_of(lrnn) for x in layer
    ),
    "signed diagonal": lambda lrnn: all(diagonal(x) for layer in matrices_of(lrnn) for x in layer),
    "complex diagonal": lambda lrnn: all(map(complex_diagonal, matrices_of(lrnn))),
    "one factor in [0, 1]": lambda lrnn: within(lrnn, 0, 1),
    "factors in [0, 1]": lambda lrnn: within(lrnn, 0, np.inf),
    "one factor in [-1, 1]": lambda lrnn: within(lrnn, -1, 1),
    "factors in [-1, 1]": lambda lrnn: within(lrnn, -1, np.inf),
    "dense": lambda _: True,
}


def test_every_class_is_known():
    assert list(BELONGS) == ROWS


def check_yes(automaton):
    for row in analyze(automaton).architectures:
        for cell, one in ((row.one_layer, True), (row.layers, False)):
            if cell.answer != "yes":
                continue
            assert cell.construction
            lrnn = compile_dfa(automaton, construction=cell.construction)
            assert not one or lrnn.n_layers <= 1
            assert BELONGS[row.matrices](lrnn)
            assert isinstance(verify(lrnn, automaton, "exact"), Proved)


@pytest.mark.parametrize("name", NAMED)
def test_what_can_be_tracked_is_built_and_proved(name):
    check_yes(languages.BESTIARY[name]())


@settings(max_examples=60)
@given(automata(max_states=4, max_letters=2))
def test_what_can_be_tracked_is_built_and_proved_for_any_automaton(automaton):
    check_yes(automaton)


def test_published_answers():
    def answers(automaton):
        return {
            row.matrices: (row.one_layer.answer, row.layers.answer)
            for row in analyze(automaton).architectures
        }

    parity, s3, s5 = (answers(languages.BESTIARY[name]()) for name in ("parity", "s3", "s5"))
    t3 = answers(languages.full_transformation_monoid(3))
    assert parity["nonnegative diagonal"] == parity["one factor in [0, 1]"] == ("no", "no")
    assert parity["signed diagonal"] == parity["one factor in [-1, 1]"] == ("yes", "yes")
    assert s3["complex diagonal"] == ("no", "yes")  # solvable: two layers
    assert s3["one factor in [-1, 1]"] == ("no", "yes")  # a turn is two reflections
    assert answers(languages.BESTIARY["flip_flop"]())["one factor in [-1, 1]"] == ("yes", "yes")
    at_least = answers(languages.at_least(2))
    assert at_least["one factor in [-1, 1]"] == ("open", "yes")  # a clock and a delay
    assert at_least["one factor in [0, 1]"] == ("open", "yes")  # a short convolution
    assert t3["one factor in [-1, 1]"] == ("no", "yes")
    assert s5["one factor in [-1, 1]"] == ("no", "open")  # yes by a proof that is not built
    assert s5["complex diagonal"] == ("no", "no")
    assert s5["factors in [-1, 1]"] == s5["dense"] == ("yes", "yes")
    assert answers(languages.mod(3))["signed diagonal"] == ("no", "no")
    assert answers(languages.mod(4))["signed diagonal"] == ("no", "yes")  # C4 = two layers
    assert t3["complex diagonal"] == ("no", "yes")  # S3 and resets


# -------------------------------------------------------------------- attacks on every "no"


def draw_matrices(rng, kind, count, n):
    """Random matrices of a class that have a chance of finitely many states."""
    if kind == "complex diagonal":
        turns = [np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), k) for k in range(4)]
        blocks = [*turns, np.zeros((2, 2), int)]
        return Dense(np.array([blocks[rng.integers(5)] for _ in range(count)]))
    if "diagonal" in kind:
        entries = [0, 1, 1] if kind.startswith("nonnegative") else [0, 1, -1, -1]
        return Dense(np.array([np.diag(rng.choice(entries, n)) for _ in range(count)]))
    most = 1 if kind.startswith("one") else 3
    ptr = np.cumsum([0, *rng.integers(0, most + 1, count)])
    keys = rng.integers(-1, 2, (int(ptr[-1]), n))
    keys[(keys == 0).all(axis=1), 0] = 1
    scale = rng.choice([1, 2] if "-1" in kind else [1], len(keys))
    size = (keys**2).sum(axis=1)
    betas = scale // size if n == 1 else np.where(size == scale, 1, np.where(size == 1, scale, 1))
    whole = np.where(betas * size > (2 if "-1" in kind else 1), 0, betas)
    return Householder(keys, whole, ptr)


def draw_network(rng, kind, levels, letters=2, draw=draw_matrices):
    """A network over some letters whose layers have such matrices; the rest is random."""
    contexts, built = letters, []
    for i in range(levels):
        n = 2 if kind == "complex diagonal" else int(rng.integers(1, 4))
        actions, k = int(rng.integers(1, 4)), int(rng.integers(2, 4))
        words = rng.integers(-2, 3, (k, n, 1))
        layer = Layer(
            draw(rng, kind, actions, n), rng.integers(-1, 2, (actions, n, 1)), words[0],
            (words,), np.tile(np.arange(k)[:, None], (actions, 1, 2)), k, 0,
        )  # fmt: skip
        below = 2 if i == levels - 1 else 3
        reads = ("current", "previous")[int(rng.integers(2))]
        following = rng.integers(0, below, (contexts, k))
        built.append(Level(layer, rng.integers(0, actions, contexts), following, reads))
        contexts = below
    names, output = tuple("abcdefghijkl"[:letters]), np.arange(contexts) % 2
    return LRNN(names, np.arange(letters), (tuple(built),), output, int(rng.integers(2)))


def implemented(lrnn, most=300):
    """The automaton of the configurations that are reached; None if they are too many."""

    def step(states, letter):
        c, after = letter, []
        for level, h in zip(lrnn.levels, states, strict=True):
            action = level.action[c]
            layer = level.layer
            new = layer.transition.matrix(action).astype(int) @ np.array(h) + layer.b[action, :, 0]
            words = layer.codewords[0][:, :, 0]
            seen = int((words @ new - (words**2).sum(axis=1) / 2).argmax())
            c = level.next[c, seen]
            after.append(tuple(new.tolist()))
        return tuple(after), int(lrnn.output[c])

    start = tuple(tuple(v.layer.h0[:, 0].tolist()) for v in lrnn.levels), lrnn.empty_output
    found, number, delta = [start], {start: 0}, []
    for states, _ in found:  # which grows meanwhile
        after = [step(states, letter) for letter in range(len(lrnn.letters))]
        for there in after:
            if there not in number:
                number[there] = len(found)
                found.append(there)
        delta.append([number[x] for x in after])
        if len(found) > most:
            return None
    accepting = [x == 1 for _, x in found]
    return Automaton.from_table(np.array(delta).T, accepting=accepting, letters=lrnn.letters)


@settings(max_examples=300, phases=[Phase.generate])
@given(st.sampled_from(ROWS[:-1]), st.integers(1, 2), st.integers(0, 2**32))
def test_no_network_does_what_its_class_cannot(kind, levels, seed):
    lrnn = draw_network(np.random.default_rng(seed), kind, levels)
    assert BELONGS[kind](lrnn)
    automaton = implemented(lrnn)
    assume(automaton is not None)
    row = next(x for x in analyze(automaton).architectures if x.matrices == kind)
    assert (row.one_layer if levels == 1 else row.layers).answer != "no"


@pytest.mark.parametrize("kind", ["signed diagonal", "complex diagonal", "one factor in [-1, 1]"])
def test_networks_that_are_drawn_do_more_than_resets(kind):
    """The attack meets groups."""
    groups = set()
    for seed in range(60):
        automaton = implemented(draw_network(np.random.default_rng(seed), kind, 1))
        if automaton is not None:
            groups.add(analyze(automaton).is_aperiodic)
    assert False in groups


# -------------------------------------------------------------------- every "no" has two words

AGAINST = {
    ("nonnegative diagonal", 1): ["parity", "mod_4_of_a", "s3"],
    ("nonnegative diagonal", 2): ["parity", "mod_4_of_a", "s3"],
    ("signed diagonal", 1): ["mod_4_of_a", "s3", "d4", "mod_60"],
    ("signed diagonal", 2): ["s3", "a4", "mod_60"],
    ("complex diagonal", 1): ["s3", "d4", "q8"],
    ("complex diagonal", 2): ["a5_two_generators", "s5_two_generators", "s5_adjacent"],
    ("one factor in [0, 1]", 1): ["parity", "mod_4_of_a", "s3"],
    ("one factor in [0, 1]", 2): ["parity", "mod_4_of_a", "s3"],
    ("factors in [0, 1]", 1): ["parity", "mod_4_of_a", "s3"],
    ("factors in [0, 1]", 2): ["parity", "mod_4_of_a", "s3"],
    ("one factor in [-1, 1]", 1): ["mod_60", "mod_4_of_a", "s3"],
}
"""Machines of which the cell says "no", by class and number of layers."""


def machine(name):
    """A named machine, its answer whether it is where it started, with letters a, b, ..."""
    more = {"s5_two_generators": lambda: languages.symmetric_group(5, "two")}
    found = (languages.BESTIARY | more)[name]()
    names = tuple("abcdefghijkl"[: found.n_letters])
    return Automaton.from_table(
        found.delta, accepting=[found.initial], initial=found.initial, letters=names
    ).minimize()


def fractions(rng, kind, count, n):
    """Random matrices of a class, with eigenvalues that are no integers."""
    low = -8 if "signed" in kind or "-1" in kind else 0
    if "diagonal" in kind:
        entries = rng.integers(low, 9, (count, n)) / 8
        return Dense(np.array([np.diag(row) for row in entries]))
    keys = rng.integers(-2, 3, (count, n))
    keys[(keys == 0).all(axis=1), 0] = 1
    betas = [Fraction(8 - int(x), 8 * int(k @ k))
             for x, k in zip(rng.integers(low, 9, count), keys, strict=True)]  # fmt: skip
    return Householder(keys, np.array(betas, object), np.arange(count + 1))


def cell_of(kind, levels, automaton):
    row = next(x for x in analyze(automaton).architectures if x.matrices == kind)
    return row.one_layer if levels == 1 else row.layers


@pytest.mark.parametrize(("kind", "levels"), AGAINST)
def test_refute_shows_what_a_class_cannot(kind, levels):
    """Random networks of the class, in every arithmetic that the cell names."""
    for i, name in enumerate(AGAINST[kind, levels]):
        automaton = machine(name)
        cell = cell_of(kind, levels, automaton)
        assert cell.answer == "no"
        page, section = (cell.theorem or "").split(", ")
        assert f"\n## {section}\n" in (PAGES / page).read_text(encoding="utf-8")
        rng, met = np.random.default_rng(i), 0
        while met < 3:
            lrnn = draw_network(rng, kind, levels, automaton.n_letters)
            if implemented(lrnn) is None:  # not a hypothesis of the theorem
                continue
            met += 1
            assert isinstance(refute(lrnn, automaton, "exact", budget=20_000), Refuted)
        if "cast" in cell.refuted_in:
            for form in ("{-1,0,1}:cast", "fixed4.1:cast", "fixed8.4:cast"):
                lrnn = draw_network(rng, kind, levels, automaton.n_letters, fractions)
                assert BELONGS[kind](lrnn)
                assert isinstance(refute(lrnn, automaton, form), Refuted)


@pytest.mark.parametrize("name", ["parity", "mod_4_of_a", "s3", "d4", "flip_flop", "tomita_4"])
def test_refute_does_not_touch_what_a_class_can(name):
    automaton, seen = languages.BESTIARY[name](), set()
    for row in analyze(automaton).architectures:
        for cell in (row.one_layer, row.layers):
            if cell.answer == "yes" and cell.construction not in seen:
                seen.add(cell.construction)
                lrnn = compile_dfa(automaton, construction=cell.construction)
                assert refute(lrnn, automaton, "exact") is None


def test_where_the_cast_model_is_named():
    """A letter that cycles is enough for one factor; words need the exact theorem."""
    swap = languages.BESTIARY["parity"]()
    words = Automaton.from_regex("(abab)*")
    for automaton in (swap, words):
        for row in analyze(automaton).architectures:
            for cell in (row.one_layer, row.layers):
                assert (cell.theorem is not None) == (cell.answer == "no") == bool(cell.refuted_in)
    rows = {row.matrices: row.one_layer for row in analyze(swap).architectures}
    assert rows["one factor in [0, 1]"].refuted_in == ("cast", "exact")
    assert rows["factors in [0, 1]"].refuted_in == ("exact",)
    rows = {row.matrices: row.one_layer for row in analyze(words).architectures}
    assert rows["one factor in [0, 1]"].refuted_in == ("exact",)
    assert rows["nonnegative diagonal"].refuted_in == ("cast", "exact")
