"""Green's classes, against their definition, and against GAP on 500 random monoids."""

import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lrnn_theory import green, languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.green import (
    GreenClasses,
    connected_components,
    green_classes,
    left_cayley_graph,
    right_cayley_graph,
    strong_components,
)
from lrnn_theory.monoid import TransitionMonoid, transition_monoid
from lrnn_theory.strategies import automata

ORACLE = json.loads((Path(__file__).parent / "oracles" / "gap_monoids.json").read_text())
MACHINES = ORACLE["machines"]
CHUNK = 50


def classes_of(monoid: TransitionMonoid) -> GreenClasses:
    assert monoid.complete
    found = green_classes(monoid.elements, monoid.generators, seconds=60.0)
    assert found is not None
    return found


# ---------------------------------------------------------------- the definition


def ideals(elements: list[tuple[int, ...]], *sides: str) -> list[frozenset]:
    """The left, right or two-sided ideal of every element."""

    def after(first, then):
        return tuple(then[q] for q in first)

    found = []
    for x in elements:
        ideal = {x}
        if "right" in sides:
            ideal = {after(x, m) for m in elements}
        if "left" in sides:
            ideal = {after(m, y) for y in ideal for m in elements}
        found.append(frozenset(ideal))
    return found


@given(automata(max_states=4, max_letters=2))
@example(languages.full_transformation_monoid(3))
def test_classes_are_those_of_the_definition(automaton):
    monoid = transition_monoid(automaton)
    elements = [tuple(row) for row in monoid.elements.tolist()]
    if len(elements) > 60:
        return
    r, l_, j = (ideals(elements, *s) for s in (["right"], ["left"], ["left", "right"]))
    idempotent = [tuple(x[q] for q in x) == x for x in elements]
    found = classes_of(monoid)
    assert found.r_classes == len(set(r))
    assert found.l_classes == len(set(l_))
    assert found.h_classes == len(set(zip(r, l_, strict=True)))
    assert found.d_classes == len(set(j))
    assert found.regular_d_classes == len({d for d, e in zip(j, idempotent, strict=True) if e})
    boxes = Counter()
    for d in set(j):
        members = [i for i in range(len(j)) if j[i] == d]
        rows, columns = {r[i] for i in members}, {l_[i] for i in members}
        regular = any(idempotent[i] for i in members)
        boxes[len(members), len(rows), len(columns), regular] += 1
    ours = Counter()
    for b in found.boxes:
        ours[b.size, b.r_classes, b.l_classes, b.group is not None] += b.count
        assert b.size == b.r_classes * b.l_classes * b.h_order
        assert b.group is None or b.group.order == b.h_order
    assert ours == boxes


@given(automata(max_states=5, max_letters=3))
def test_cayley_graphs(automaton):
    monoid = transition_monoid(automaton)
    x, a = monoid.elements, monoid.generators
    clock = green._Clock()
    right = right_cayley_graph(x, a, clock)
    left = left_cayley_graph(right, clock)
    for j, letter in enumerate(a):
        assert np.array_equal(x[right[:, j]], letter[x])
        assert np.array_equal(x[left[:, j]], x[:, letter])


graphs = st.integers(1, 12).flatmap(
    lambda n: st.lists(
        st.lists(st.integers(0, n - 1), max_size=4, unique=True), min_size=n, max_size=n
    )
)


def reach(out: list[list[int]]) -> np.ndarray:
    table = np.eye(len(out), dtype=bool)
    for x, ends in enumerate(out):
        table[x, ends] = True
    for _ in out:
        table = table @ table
    return table


@given(graphs)
def test_components_are_those_of_the_definition(out):
    table = reach(out)
    part = np.array(strong_components(out))
    assert np.array_equal(part[:, None] == part, table & table.T)
    both = [
        sorted({*ends, *(y for y in range(len(out)) if x in out[y])}) for x, ends in enumerate(out)
    ]
    pairs = np.array([(x, y) for x, ends in enumerate(out) for y in ends], np.int64).reshape(-1, 2)
    part = connected_components(len(out), pairs[:, 0], pairs[:, 1])
    assert np.array_equal(part[:, None] == part, reach(both))


# ---------------------------------------------------------------- GAP


def test_the_oracle_is_varied():
    assert len(MACHINES) == 500
    assert {len(letters) for letters, *_ in MACHINES} == {1, 2, 3}
    assert {len(letters[0]) for letters, *_ in MACHINES} >= set(range(2, 8))
    for fact in (5, 6, 7):  # group, aperiodic, commutative
        assert 50 <= sum(m[fact] for m in MACHINES) <= 450
    assert len({m[1] for m in MACHINES}) > 150


@pytest.mark.parametrize("start", range(0, 500, CHUNK))
def test_500_monoids_are_as_gap_says(start):
    for (
        letters,
        size,
        idempotents,
        classes,
        ideal,
        is_group,
        aperiodic,
        commutative,
        boxes,
    ) in MACHINES[start : start + CHUNK]:
        monoid = transition_monoid(Automaton.from_table([[int(q) for q in row] for row in letters]))
        assert (monoid.size, monoid.idempotents) == (size, idempotents), letters
        assert monoid.minimal_ideal == ideal, letters
        assert monoid.is_group == is_group, letters
        assert monoid.is_aperiodic == aperiodic, letters
        assert monoid.is_commutative == commutative, letters
        assert monoid.is_r_trivial == (classes[0] == size), letters
        assert monoid.is_j_trivial == (classes[3] == size), letters
        found = classes_of(monoid)
        ours = [
            found.r_classes,
            found.l_classes,
            found.h_classes,
            found.d_classes,
            found.regular_d_classes,
        ]
        assert ours == classes, letters
        groups = [ORACLE["groups"][box[3]] for box in boxes if box[3] >= 0]
        assert monoid.is_solvable == all(g[3] for g in groups), letters
        assert monoid.groups_are_2_groups == all(g[0] & (g[0] - 1) == 0 for g in groups), letters
        assert all(g.is_abelian for g in found.groups) == all(g[2] for g in groups), letters
        assert {g.derived_length for g in found.groups} == {g[4] for g in groups}, letters
        theirs = Counter()
        for *shape, group, count in boxes:
            facts = tuple(ORACLE["groups"][group]) if group >= 0 else None
            theirs[(*shape, facts and (facts[0], *facts[2:5]))] += count
        own = Counter()
        for b in found.boxes:
            g = b.group
            facts = g and (g.order, g.is_abelian, g.is_solvable, g.derived_length)
            own[b.size, b.r_classes, b.l_classes, facts] += b.count
        assert own == theirs, letters


GAP_NAMES = {
    "1": "Z1", "C2": "Z2", "C3": "Z3", "C4": "Z4", "C5": "Z5", "C6": "Z6", "C10": "Z10",
    "C12": "Z12", "C2 x C2": "Z2 x Z2", "C4 x C2": "Z2 x Z4", "S3": "S3", "D8": "D4", "D10": "D5",
    "D12": "D6", "D24": "D12", "A4": "A4", "S4": "S4", "A5": "A5", "S5": "S5", "A6": "A6",
    "S6": "S6", "A7": "A7", "S7": "S7", "C5 : C4": "Z5:Z4", "C2 x S4": "Z2 x S4",
}  # fmt: skip
"""C5 : C4 has number 3, which is the Frobenius group."""


def test_groups_have_the_names_that_gap_gives():
    seen = set()
    for letters, *_, boxes in MACHINES:
        wanted = {ORACLE["groups"][box[3]][5] for box in boxes if box[3] >= 0}
        if wanted <= seen:
            continue
        seen |= wanted
        table = [[int(q) for q in row] for row in letters]
        found = classes_of(transition_monoid(Automaton.from_table(table)))
        names = {g.name for g in found.groups}
        assert names == {GAP_NAMES[structure] for structure in wanted}, letters
    assert seen == set(GAP_NAMES) == {g[5] for g in ORACLE["groups"]}


# ---------------------------------------------------------------- bounds


def test_a_group_is_one_class():
    monoid = transition_monoid(languages.symmetric_group(4, "two"))
    assert monoid.largest_group is not None
    assert GreenClasses.of_group(monoid.largest_group) == classes_of(monoid)


def test_groups_on_many_points():
    # A counter modulo 300 that can be reset: the group, and 300 constants.
    monoid = transition_monoid(Automaton.from_table([[*range(1, 300), 0], [0] * 300]))
    found = classes_of(monoid)
    assert [(b.size, b.group and b.group.name) for b in found.boxes] == [(300, "Z300"), (300, "Z1")]


def test_one_hundred_thousand_elements_take_seconds():
    # Maps that keep the order, generated by the n - 1 steps up and n - 1 steps down, and their
    # sums with rotations would be more: C(2n-1, n) elements, n D-classes (Howie 1971).
    n = 10
    up = [[q + (q == i) for q in range(n)] for i in range(n - 1)]
    down = [[q - (q == i) for q in range(n)] for i in range(1, n)]
    monoid = transition_monoid(Automaton.from_table(up + down))
    assert monoid.size == 92_378
    start = time.process_time()
    found = classes_of(monoid)
    assert time.process_time() - start < 5
    assert (found.d_classes, found.r_classes, found.l_classes) == (n, 2 ** (n - 1), 2**n - 1)
    assert found.h_classes == monoid.size


def test_chains_are_no_slow_case():
    # Letter a: a tail of 20 states into a cycle of length 5, beside cycles of lengths 7, 8 and 9;
    # letter b takes the tail to state 1, all else to 0.  Elements: a^j for j < 20; the group of
    # order 2520 = lcm(5, 7, 8, 9); a^j b a^i for j < 20, i < 5; five constants.
    row: list[int] = []
    for m in (5, 7, 8, 9):
        row += [len(row) + (i + 1) % m for i in range(m)]
    row += [0, *range(len(row), len(row) + 19)]
    monoid = transition_monoid(Automaton.from_table([row, [0] * 29 + [1] * 20]))
    assert monoid.size == 20 + 2520 + 100 + 5
    start = time.process_time()
    found = classes_of(monoid)
    assert time.process_time() - start < 2
    assert (found.d_classes, found.r_classes) == (20 + 1 + 20 + 1, 20 + 1 + 20 + 1)
    assert (found.l_classes, found.h_classes) == (20 + 1 + 100 + 5, 20 + 1 + 100 + 5)
    assert found.groups[0].name == "Z2520"


def test_time_is_bounded():
    monoid = transition_monoid(languages.full_transformation_monoid(6))
    start = time.monotonic()
    assert green_classes(monoid.elements, monoid.generators, seconds=1e-3) is None
    assert time.monotonic() - start < 1


def test_edges_are_bounded(monkeypatch):
    monoid = transition_monoid(languages.full_transformation_monoid(4))
    monkeypatch.setattr(green, "MAX_EDGES", 3 * 256 - 1)
    assert green_classes(monoid.elements, monoid.generators, seconds=10) is None
    monkeypatch.setattr(green, "MAX_EDGES", 3 * 256)
    assert green_classes(monoid.elements, monoid.generators, seconds=10) is not None


def test_interrupts_pass(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monoid = transition_monoid(languages.full_transformation_monoid(3))
    monkeypatch.setattr(green, "strong_components", interrupt)
    with pytest.raises(KeyboardInterrupt):
        green_classes(monoid.elements, monoid.generators, seconds=10)
