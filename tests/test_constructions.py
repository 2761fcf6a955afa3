"""Every construction keeps its promises on every machine that it applies to."""

from itertools import combinations

import numpy as np
import pytest

from constructions import ALL, CONSTRUCTIONS, OBJECTIVES, compile_dfa
from constructions.cyclic import prime_powers, residues
from lrnn_theory import Automaton, Proved, languages, verify
from lrnn_theory.construction import core_of
from lrnn_theory.transition import Householder

# The pairs of 4 points under S4: their blocks of opposite pairs are too few points to act on.
PAIRS = list(combinations(range(4), 2))
FOUR = ((1, 2, 3, 0), (1, 0, 2, 3))
MOVED = [[PAIRS.index(tuple(sorted((p[i], p[j])))) for i, j in PAIRS] for p in FOUR]

MACHINES = {
    "pairs": Automaton.from_table(MOVED, accepting=[0]),
    "one state": Automaton.from_regex("[ab]*"),
    "parity": languages.parity(),
    "mod 6": languages.mod(6),
    "mod 60": languages.mod(60),
    "Q8": languages.quaternion_group(),
    "D5": languages.dihedral_group(5),
    "S4": languages.symmetric_group(4),
    "A5": languages.alternating_group(5),
    "tomita 5": languages.tomita(5),
    "contains abc": languages.contains("abc", "abc"),
    "flip-flop": languages.flip_flop(),
    "T3": languages.full_transformation_monoid(3),
    "ab": languages.last_letter_and_parity_of_ab(),
}


@pytest.mark.parametrize("construction", ALL, ids=lambda c: c.key)
@pytest.mark.parametrize("name", MACHINES)
def test_claims(name, construction):
    automaton = MACHINES[name]
    core = core_of(automaton)[1]
    reasons = construction.obstacles(core)
    if reasons:
        with pytest.raises(ValueError, match="does not apply") as error:
            construction(automaton)
        assert reasons[0] in str(error.value)
        return
    bounds = construction.claims(core)
    lrnn = construction(automaton)
    assert lrnn.n_layers <= bounds.layers
    for level in lrnn.levels:
        assert level.layer.n <= bounds.n
        assert level.layer.d <= bounds.d
        if bounds.factors is not None:
            transition = level.layer.transition
            assert isinstance(transition, Householder)
            assert transition.factors.max(initial=0) <= bounds.factors
            low, high = bounds.spectrum
            assert all(low <= x <= high for x in transition.eigenvalues)
            for a in range(transition.n_actions):
                matrix = np.vectorize(float)(transition.matrix(a))
                assert np.linalg.norm(matrix, 2) <= 1 + 1e-12
    assert isinstance(verify(lrnn, automaton, "exact"), Proved)


def test_every_construction_applies_somewhere():
    used = {c.key for c in ALL for m in MACHINES.values() if not c.obstacles(core_of(m)[1])}
    assert used == set(CONSTRUCTIONS)


@pytest.mark.parametrize(
    ("name", "key", "layers", "state", "factors"),
    [
        ("one state", "regular_language", 0, 0, 0),
        ("parity", "parity", 1, 1, 1),
        ("mod 60", "heads", 1, 10, 4),
        ("S4", "signed_permutation", 1, 3, 2),
        ("A5", "permutation", 1, 5, 4),
        ("Q8", "signed_permutation", 1, 4, 4),
        ("D5", "permutation", 1, 5, 4),
    ],
)
def test_the_cheapest_is_picked(name, key, layers, state, factors):
    lrnn = compile_dfa(MACHINES[name])
    assert (lrnn.construction, lrnn.n_layers, lrnn.state_size, lrnn.max_factors) == (
        key, layers, state, factors,
    )  # fmt: skip
    assert lrnn.reason


def test_an_unused_permutation_degree_is_refused_by_the_action():
    """Q8 has no faithful action on fewer than 8 points."""
    assert compile_dfa(MACHINES["Q8"], construction="permutation").levels[0].layer.n == 8


def test_objectives_and_names():
    for objective in OBJECTIVES:
        assert isinstance(
            verify(compile_dfa(MACHINES["S4"], objective=objective), MACHINES["S4"]), Proved
        )
    lrnn = compile_dfa("(a{3})*", construction="rotation")
    assert (lrnn.construction, lrnn.reason) == ("rotation", "chosen by name")
    with pytest.raises(ValueError, match="construction' must be one of"):
        compile_dfa("a*", construction="magic")
    with pytest.raises(ValueError, match="objective' must be one of"):
        compile_dfa("a*", objective="speed")
    with pytest.raises(ValueError, match="not a permutation"):
        compile_dfa("a*b(a|b)*", construction="permutation")
    with pytest.raises(TypeError):
        compile_dfa(3)


def test_letters_that_act_alike_share_a_class():
    lrnn = compile_dfa(r"(\d\d)*")
    assert len(lrnn.letters) == 10
    assert set(lrnn.letter_class.tolist()) == {0}
    assert lrnn.levels[0].layer.n_actions == 1


def test_residues():
    core = Automaton.from_table(
        [[(q + 2) % 6 for q in range(6)], [(q + 3) % 6 for q in range(6)]], accepting=[0]
    )
    value, shift = residues(core_of(core)[1])  # neither letter generates Z6 alone
    assert sorted(value.tolist()) == list(range(6))
    assert {int(np.gcd(s, 6)) for s in shift} == {2, 3}
    assert residues(core_of(MACHINES["Q8"])[1]) is None
    klein = Automaton.from_table([[1, 0, 3, 2], [2, 3, 0, 1]], accepting=[0])
    assert residues(core_of(klein)[1]) is None


@pytest.mark.parametrize(
    ("m", "parts"), [(1, []), (2, [2]), (60, [3, 4, 5]), (97, [97]), (72, [8, 9])]
)
def test_prime_powers(m, parts):
    assert prime_powers(m) == parts


def test_the_rotation_is_exact():
    for m in (3, 5, 8, 12):
        lrnn = compile_dfa(languages.mod(m), construction="rotation")
        assert isinstance(verify(lrnn, languages.mod(m), "exact"), Proved)
        # Accepting 1 modulo m, a rotation the other way round would be wrong.
        lrnn = compile_dfa(languages.mod(m, accept=1), construction="rotation")
        assert isinstance(verify(lrnn, languages.mod(m, accept=1), "exact"), Proved)


def test_mealy_and_moore_outputs():
    moore = Automaton.from_table(
        [[1, 2, 0], [0, 0, 0]], outputs=[0, 1, 2], output_symbols=("zero", "one", "two")
    )
    mealy = Automaton.from_table(
        [[1, 2, 0], [0, 0, 0]],
        outputs=[[0, 1, 2], [2, 1, 0]],
        output_symbols=("x", "y", "z"),
    )
    for automaton in (moore, mealy):
        for key in ("regular_language", "input_shift"):
            lrnn = compile_dfa(automaton, construction=key)
            assert lrnn.output_symbols == automaton.output_symbols
            for arithmetic in ("exact", "bfloat16"):
                assert isinstance(verify(lrnn, automaton, arithmetic), Proved)
