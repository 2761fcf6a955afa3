"""Group automata by orthogonal matrices: proved exactly, few factors, and no fewer."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import explain
from constructions.orthogonal import ORTHOGONAL, SIGNED
from constructions.reflections import REFLECTIONS
from lrnn_theory import Automaton, Proved, Refuted, verify
from lrnn_theory.characters import FiniteGroup, real_characters
from lrnn_theory.construction import core_of
from lrnn_theory.lrnn import Level
from lrnn_theory.polygons import polygon
from lrnn_theory.strategies import group_automata
from lrnn_theory.tracking import least, track
from lrnn_theory.word_problems import (
    alternating_group,
    dihedral_group,
    quaternion_group,
    symmetric_group,
)


def choose(automaton, letters):
    """The automaton with some letters only."""
    rows = automaton.delta[[automaton.letters.index(a) for a in letters]]
    return Automaton.from_table(rows, accepting=[0], letters=letters)


def is_involution(letter):
    return letter != "".join(sorted(letter)) and all(
        letter[int(p) - 1] == str(i) for i, p in enumerate(letter, 1)
    )


A5 = alternating_group(5)
TURNS = next(
    found
    for letters in combinations(filter(is_involution, A5.letters), 3)
    if FiniteGroup.generated_by((found := choose(A5, letters)).delta).order == 60
)
CORNERS = {
    m: Automaton.from_table(
        [[(1 - q) % m for q in range(m)], [(q + 1) % m for q in range(m)], range(m)],
        outputs=[list(range(m)), list(range(m))[::-1], [0] * m],
        output_symbols=[str(i) for i in range(m)],
        initial=2,
    )
    for m in (3, 4, 7)
}


# ------------------------------------------------------------------ representations


@settings(deadline=None, max_examples=30)
@given(group_automata(4))
def test_any_small_group_automaton(automaton):
    lrnn = ORTHOGONAL(automaton)
    choice = track(core_of(automaton)[1]).choice
    assert lrnn.n_layers == 1
    assert (lrnn.levels[0].layer.n, lrnn.max_factors) == (choice.n, choice.factors)
    assert isinstance(verify(lrnn, automaton, "exact"), Proved)


@settings(deadline=None, max_examples=30)
@given(group_automata(4))
def test_signed_permutations_are_exact_in_every_format(automaton):
    core = core_of(automaton)[1]
    if SIGNED.obstacles(core):
        with pytest.raises(ValueError, match="signed permutation matrices"):
            SIGNED(automaton)
        return
    lrnn = SIGNED(automaton)
    for array in (*lrnn.levels[0].layer.transition.arrays, *lrnn.levels[0].layer.codewords):
        assert array.dtype == np.int64
    for arithmetic in ("exact", "bfloat16", "float8_e4m3", "fixed8.0"):
        assert isinstance(verify(lrnn, automaton, arithmetic), Proved)


@pytest.mark.parametrize(
    ("automaton", "construction", "n", "factors"),
    [
        (symmetric_group(4), SIGNED, 3, 2),
        (quaternion_group(), SIGNED, 4, 4),
        (alternating_group(5, "two"), ORTHOGONAL, 3, 2),
        (symmetric_group(5, "two"), ORTHOGONAL, 4, 4),
        (symmetric_group(5, "adjacent"), ORTHOGONAL, 4, 1),
        (symmetric_group(4, "adjacent"), SIGNED, 3, 1),
        (TURNS, ORTHOGONAL, 3, 1),
    ],
    ids=["S4", "Q8", "A5", "S5", "S5 adjacent", "S4 adjacent", "A5 half turns"],
)
def test_named_groups(automaton, construction, n, factors):
    lrnn = construction(automaton)
    assert (lrnn.levels[0].layer.n, lrnn.max_factors) == (n, factors)
    assert isinstance(verify(lrnn, automaton, "exact"), Proved)
    assert track(core_of(automaton)[1]).choice.exact


@pytest.mark.parametrize(
    ("automaton", "least_distance"),
    [
        (dihedral_group(5), 0.618),  # 2 sin(pi/10): ten vectors at equal distances
        (quaternion_group(), 1.414),
        (symmetric_group(4), 0.65),
        (alternating_group(5, "two"), 0.43),
        (TURNS, 0.18),
    ],
    ids=["D5", "Q8", "S4", "A5", "A5 half turns"],
)
def test_codewords_are_far_apart(automaton, least_distance):
    found = track(core_of(automaton)[1])
    vectors = found.vectors.astype(float)
    vectors /= np.linalg.norm(vectors[found.start])
    distances = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    assert distances[found.states[:, None] != found.states].min() > least_distance


@settings(deadline=None, max_examples=30)
@given(group_automata(4), st.booleans(), st.sampled_from(["factors", "n"]))
def test_no_faithful_sum_is_better(automaton, signs, objective):
    """The best choice against every subset of the characters, its kernel counted anew."""
    group = FiniteGroup.generated_by(automaton.delta)
    characters = real_characters(group)
    letters = group.classes[group.letters]
    ways = [(c, c.lengths[letters], c.lengths == 0) for c in characters]
    if signs:
        ways += [
            (c, np.minimum(c.lengths, c.negated_lengths)[letters],
             (c.lengths == 0) | (c.negated_lengths == 0))
            for c in characters
        ]  # fmt: skip
    costs = []
    for size in range(1, 4):
        for some in combinations(ways, size):
            if np.logical_and.reduce([kernel for _, _, kernel in some]).sum() == 1:
                pair = max(sum(x for _, x, _ in some)), sum(c.dimension for c, _, _ in some)
                costs.append(pair if objective == "factors" else pair[::-1])
    choice = least(characters, letters, objective, signs=signs)
    found = (choice.factors, choice.n)
    assert choice.exact
    assert (found if objective == "factors" else found[::-1]) == min(costs)


def test_s5_with_a_five_cycle_needs_four_factors():
    """Every irreducible of S5 with more than one dimension has rank(I - rho(5-cycle)) >= 4."""
    group = FiniteGroup.generated_by(symmetric_group(5, "two").delta)
    cycle = next(c for c, g in enumerate(group.representatives) if len(group.powers(int(g))) == 5)
    lengths = [c.lengths[cycle] for c in real_characters(group) if c.dimension > 1]
    assert lengths == [4, 4, 4, 4, 4]  # of dimensions 4, 4, 5, 5, 6: eigenvalue 1 is rare
    assert least(real_characters(group), np.array([cycle]), signs=True).factors == 4


def test_half_turns_need_two_factors_without_signs():
    group = FiniteGroup.generated_by(TURNS.delta)
    characters, letters = real_characters(group), group.classes[group.letters]
    assert group.order == 60
    assert least(characters, letters).factors == 2
    assert least(characters, letters, signs=True).factors == 1


def test_groups_without_an_exact_form():
    frobenius = [[(x + 1) % 7 for x in range(7)], [2 * x % 7 for x in range(7)]]
    automaton = Automaton.from_table(frobenius, accepting=[0])
    with pytest.raises(ValueError, match="irreducible representations with exact orthogonal"):
        ORTHOGONAL(automaton)
    large = Automaton.from_table([[1, 0, *range(2, 9)], [*range(1, 9), 0]], accepting=[0])
    with pytest.raises(ValueError, match="more than 5040 elements"):
        ORTHOGONAL(large)


# ------------------------------------------------------------------ reflections


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15])
def test_dihedral_groups(m):
    lrnn = REFLECTIONS(dihedral_group(m))
    assert (lrnn.n_layers, lrnn.max_factors) == (2, 1)
    assert isinstance(verify(lrnn, dihedral_group(m), "exact"), Proved)


@pytest.mark.parametrize("m", CORNERS)
def test_corners_of_a_polygon_with_outputs(m):
    assert polygon(core_of(CORNERS[m])[1]).states.shape == (m, 1)
    assert isinstance(verify(REFLECTIONS(CORNERS[m]), CORNERS[m], "exact"), Proved)


def test_two_reflections_generate_in_one_layer():
    flips = Automaton.from_table(
        [[-q % 5 for q in range(5)], [(1 - q) % 5 for q in range(5)]], accepting=[0]
    )
    lrnn = REFLECTIONS(flips)
    assert (lrnn.n_layers, lrnn.max_factors) == (1, 1)
    assert isinstance(verify(lrnn, flips, "exact"), Proved)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 8), st.data())
def test_any_letters_of_cyclic_and_dihedral_groups(m, data):
    symmetry = st.tuples(st.integers(0, m - 1), st.sampled_from([1, -1]))
    letters = data.draw(st.lists(symmetry, min_size=1, max_size=3))
    rows = [[(k + s * q) % m for q in range(m)] for k, s in letters]
    regular = data.draw(st.booleans())
    if regular:  # the states are pairs of neighbouring corners
        flags = [(q, (q + t) % m) for q in range(m) for t in ((1, -1) if m > 2 else (1,))]
        rows = [[flags.index((row[a], row[b])) for a, b in flags] for row in rows]
    automaton = Automaton.from_table(rows, accepting=[0]).minimize()
    assert REFLECTIONS.obstacles(core_of(automaton)[1]) == []
    assert isinstance(verify(REFLECTIONS(automaton), automaton, "exact"), Proved)


@settings(deadline=None, max_examples=30)
@given(group_automata(4))
def test_only_cyclic_and_dihedral_groups(automaton):
    """Recognised exactly where the name says so; D2 and D3 are Z2 x Z2 and S3."""
    from lrnn_theory.groups import permutation_group_facts

    core = core_of(automaton)[1]
    name = permutation_group_facts(core.delta).name or ""
    known = name in ("S2", "S3", "Z2 x Z2") or (name[0] in "ZD" and "x" not in name)
    assert (polygon(core) is not None) == known


# ------------------------------------------------------------------ mutants


@pytest.mark.parametrize(
    ("automaton", "construction"),
    [
        (symmetric_group(4, "two"), SIGNED),
        (dihedral_group(5), ORTHOGONAL),
        (dihedral_group(5), REFLECTIONS),
        (quaternion_group(), SIGNED),
    ],
    ids=["S4", "D5", "D5 reflections", "Q8"],
)
def test_mutants(automaton, construction):
    """Two letters exchanged, a factor lost, or another start: wrong, and found out."""
    lrnn = construction(automaton)
    level = lrnn.heads[0][-1]
    layer, t = level.layer, level.layer.transition
    acting = np.flatnonzero(t.factors)
    swapped = level.action.copy()
    swapped[acting[:2]] = swapped[acting[1::-1]]
    lost = replace(t, keys=t.keys[:-1], betas=t.betas[:-1], ptr=np.minimum(t.ptr, len(t.keys) - 1))
    start = next(w for w in layer.codewords[0] if (w != layer.h0).any())
    mutants = [
        Level(layer, swapped, level.next, level.reads),
        replace(level, layer=replace(layer, transition=lost)),
        replace(level, layer=replace(layer, h0=start)),
    ]
    for mutant in mutants:
        broken = replace(lrnn, heads=((*lrnn.heads[0][:-1], mutant),))
        assert isinstance(verify(broken, automaton, "exact"), Refuted)


def test_irrational_weights_are_chosen_by_name_only():
    said = {c.construction.key: c for c in explain(dihedral_group(5))}
    for construction in (ORTHOGONAL, REFLECTIONS):
        c = said[construction.key]
        assert not c.obstacles
        assert not c.picked
        assert "irrational" in c.reason
