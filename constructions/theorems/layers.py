"""Theorems about what classes of layers track: groups inside a monoid, one layer and several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from constructions.catalogue import CONSTRUCTIONS
from constructions.theorems import machines, plain
from constructions.theorems.built import prove, refute
from constructions.theorems.machines import named
from constructions.theorems.plain import Generator
from constructions.theorems.representations import cell
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.onehot import plain_layer, sign_layer
from lrnn_theory.theorem import Hypothesis, Theorem, Worst, require
from lrnn_theory.transition import Householder
from lrnn_theory.word_problems import alternating_group, symmetric_group

EXACT = "exact arithmetic, finitely many reachable states"
TRACKING = "docs/tracking.md"
Maps = list[tuple[int, ...]]

# -------------------------------------------------------------------- rows of the table


def groups_of(automaton: Automaton) -> list[Maps]:
    """The maximal groups in the monoid of the minimal automaton."""
    return plain.subgroups(plain.monoid(machines.core_rows(automaton)))


def _exponent(group: Maps) -> int:
    return max((plain.cycle_length(m) for m in group), default=1)


def _trivial(group: Maps) -> bool:
    return len(group) == 1


def _exponent_two(group: Maps) -> bool:
    return _exponent(group) <= 2


def _two_group(group: Maps) -> bool:
    return len(group) & (len(group) - 1) == 0


def _abelian(group: Maps) -> bool:
    return all(plain.compose(x, y) == plain.compose(y, x) for x in group for y in group)


def allowed_diagonal(least: int, layer: Layer) -> bool:
    """Whether all matrices are diagonal with entries at least `least`."""
    for a in range(layer.n_actions):
        matrix = machines.matrix_in_doubles(layer.transition, a)
        if (matrix != np.diag(np.diag(matrix))).any() or (np.diag(matrix) < least).any():
            return False
    return True


def _commuting(layer: Layer) -> bool:
    """Whether all matrices are normal and commute: diagonal over the complex numbers at once."""
    all_of = [machines.matrix_in_doubles(layer.transition, a) for a in range(layer.n_actions)]
    all_of += [m.T for m in all_of]
    return all(np.allclose(x @ y, y @ x, atol=1e-12) for x in all_of for y in all_of)


def _positive(layer: Layer) -> bool:
    transition = layer.transition
    return isinstance(transition, Householder) and all(0 <= e <= 1 for e in transition.eigenvalues)


@dataclass(frozen=True)
class Class:
    """A row of the table: what one layer, and some number of layers, need of groups."""

    row: str
    one_layer: Callable[[Maps], bool]
    layers: Callable[[Maps], bool]
    allowed: Callable[[Layer], bool]


CLASSES = {
    "nonnegative_diagonal_groups": Class(
        "nonnegative diagonal", _trivial, _trivial, partial(allowed_diagonal, 0)
    ),
    "signed_diagonal_groups": Class(
        "signed diagonal", _exponent_two, _two_group, partial(allowed_diagonal, -1)
    ),
    "complex_diagonal_groups": Class("complex diagonal", _abelian, plain.is_solvable, _commuting),
    "positive_factors_groups": Class("factors in [0, 1]", _trivial, _trivial, _positive),
}


def _row(key: str, automaton: Automaton) -> Worst:
    kind, groups = CLASSES[key], groups_of(automaton)
    row = cell(automaton, kind.row)
    for answer, needed, depth in (
        (row.one_layer, kind.one_layer, "one layer"),
        (row.layers, kind.layers, "some number of layers"),
    ):
        possible = all(map(needed, groups))
        require(
            (answer.answer == "no") == (not possible),
            f"{depth}: analyze says {answer}, the groups have orders {sorted(map(len, groups))}",
        )
        if answer.answer == "yes":
            lrnn = CONSTRUCTIONS[answer.construction](automaton)
            require(depth != "one layer" or lrnn.n_layers <= 1, f"{lrnn!r} has several layers")
            for level in lrnn.levels:
                require(kind.allowed(level.layer), f"a matrix of {lrnn!r} is not {kind.row}")
            prove(lrnn, automaton)
    largest = max(map(len, groups))
    return Worst(largest, f"largest group {largest}: {row.one_layer}; {row.layers}")


def _small(automaton: Automaton) -> str:
    size = len(plain.monoid(machines.core_rows(automaton), 200))
    return "" if size <= 150 else f"the monoid has more than {150} elements"


SMALL = Hypothesis("the monoid has at most 150 elements, so that it is listed", _small)
KINDS = machines.mixture(
    machines.any_automaton, machines.star_free_automaton, machines.group_automaton,
    machines.polygon_automaton,
)  # fmt: skip

# -------------------------------------------------------------------- networks of small layers


def tower(
    letters: str,
    layers: Sequence[Layer],
    actions: Sequence[Any],
    automaton: Automaton | None = None,
) -> LRNN:
    """Layers of which each sees the letter and the coordinates before it of those above.

    Args:
        letters: their names.
        layers: the layers.
        actions: for every layer an array (letters, sizes of the layers above), the action taken.
        automaton: says what to answer: its states are (coordinates after the letter), row-major;
            by default the last coordinate after the letter.
    """
    n = len(letters)
    levels, contexts = [], np.arange(n)[:, None]  # rows: (letter, coordinates above before it)
    for i, (layer, action) in enumerate(zip(layers, actions, strict=True)):
        taken = np.asarray(action)[tuple(contexts.T)]
        size, rows = layer.size, len(contexts)
        last = i == len(layers) - 1
        nxt = np.arange(rows * size).reshape(rows, size)
        below = np.concatenate(
            [np.repeat(contexts, size, axis=0), np.tile(np.arange(size), rows)[:, None]], axis=1
        )
        levels.append(Level(layer, taken, nxt, "current" if last else "previous"))
        contexts = below
    if automaton is None:
        output = contexts[:, -1] % 2
        empty = layers[-1].initial % 2
    else:
        # The coordinates before the letter of all layers but the last, and of the last after it.
        output = np.array([_after(automaton, layers, actions, row) for row in contexts.tolist()])
        empty = int(automaton.response[automaton.initial])
    return LRNN(tuple(letters), np.arange(n), (tuple(levels),), output, empty)


def _after(automaton: Automaton, layers: Any, actions: Any, row: list[int]) -> int:
    letter, *above, last = row
    state: list[int] = []
    for i, before in enumerate(above):
        action = int(np.asarray(actions[i])[(letter, *above[:i])])
        readout = layers[i].readout[action]
        state.append(int(readout[readout[:, 0] == before][0][1]))
    sizes = [layer.size for layer in layers]
    number = 0
    for size, coordinate in zip(sizes, [*state, last], strict=True):
        number = number * size + coordinate
    return int(automaton.response[number])


def binary_counter(depth: int) -> tuple[LRNN, Automaton]:
    """Layer i, a scalar 1 or -1, changes sign when all above it are -1: counting modulo 2^depth."""
    actions = []
    for i in range(depth):
        action = np.zeros((1, *[2] * i), int)
        action[(0, *[1] * i)] = 1
        actions.append(action)
    # The first layer is the lowest bit: state (b_0, ..., b_{L-1}) row-major.
    values = [int(f"{q:0{depth}b}"[::-1], 2) for q in range(2**depth)]
    number = {v: q for q, v in enumerate(values)}
    delta = [[number[(v + 1) % 2**depth] for v in values]]
    automaton = Automaton.from_table(delta, accepting=[0])
    return tower("a", [sign_layer()] * depth, actions, automaton), automaton


def _signs(actions: list[Any]) -> Worst:
    """Networks of scalars 1 and -1 generate 2-groups, whatever their wiring."""
    from lrnn_theory.verification import extract  # loads torch

    letters, depth = len(actions[0]), len(actions)
    lrnn = tower("abc"[:letters], [sign_layer()] * depth, actions)
    found = extract(lrnn, "exact")
    rows = machines.core_rows(found)
    group = plain.monoid(rows, 4096)
    require(all(len(set(m)) == len(m) for m in group), "a letter is not a permutation")
    require(len(group) & (len(group) - 1) == 0, f"the group has {len(group)} elements")
    counter, automaton = binary_counter(depth)
    prove(counter, automaton)
    longest = _exponent(plain.monoid(machines.core_rows(automaton)))
    require(longest == 2**depth, f"the counter has the order {longest}")
    for other in (2 ** (depth + 1), 3):
        refute(counter, Automaton.from_table([[*range(1, other), 0]], accepting=[0]))
    if depth == 2:
        require(longest == 4, "two layers of signs have no group of exponent 4")
    return Worst(
        len(group),
        f"{plain.count(depth, 'layer')}: a group of {len(group)}; counting modulo {longest}",
    )


def _random_signs(rng: Generator) -> list[Any]:
    letters, depth = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    return [rng.integers(2, size=(letters, *[2] * i)) for i in range(depth)]


def turn_layer(m: int) -> Layer:
    """Actions 0, ..., m - 1 turn a one-hot vector: circulant matrices, diagonal over C at once."""
    return plain_layer([[(q + s) % m for q in range(m)] for s in range(m)], 0)


def _metacyclic(m: int) -> Worst:
    """Z_m : Z_2, the symmetries of an m-gon, as a sign and then a turn whose sense it tells."""
    # Letters: r (turn by 1) and s (flip).  State (f, k): s flips f; r adds (-1)^f to k.
    actions = [np.array([0, 1]), np.array([[1, m - 1], [0, 0]])]
    delta = [
        [f * m + (k + (-1) ** f) % m for f in (0, 1) for k in range(m)],
        [(1 - f) * m + k for f in (0, 1) for k in range(m)],
    ]
    automaton = Automaton.from_table(delta, accepting=[0], letters="rs")
    layers = [sign_layer(), turn_layer(m)]
    require(all(map(_commuting, layers)), "a layer is not diagonal over C")
    lrnn = tower("rs", layers, actions, automaton)
    prove(lrnn, automaton)
    group = plain.monoid(machines.core_rows(automaton))
    require(len(group) == 2 * m, f"the group has {len(group)} elements")
    require(_abelian(group) == (m <= 2), "whether the group is abelian is wrong")
    require(plain.is_solvable(group), "the group is not solvable")
    row = cell(automaton, "complex diagonal")
    require((row.one_layer.answer == "no") == (m > 2), f"analyze says {row.one_layer} of one layer")
    require(row.layers.answer != "no", f"analyze says {row.layers} of more layers")
    if m == 3:
        s3 = plain.monoid(machines.core_rows(symmetric_group(3, "two")))
        require(sorted(map(plain.cycle_length, s3)) == sorted(map(plain.cycle_length, group)),
                "the group is not S3")  # fmt: skip
    return Worst(m, f"{2 * m} elements in two layers, n = 1+{m}")


# -------------------------------------------------------------------- Theorem 4 as published


# -------------------------------------------------------------------- 0 and I alone


# -------------------------------------------------------------------- wrap, and NC1


def _theorem(key: str, name: str, statement: str, citation: str, **more: Any) -> Theorem:
    return Theorem(
        key=key, name=name, statement=statement, citation=citation, status="proved",
        precision=EXACT, hypotheses=(SMALL,), draw=KINDS, examine=partial(_row, key),
        tests=("tests/test_architectures.py",), **more,
    )  # fmt: skip


_KNOWN: dict[str, Callable[[], Automaton]] = {
    "parity": languages.parity,
    "modulo 3": partial(languages.mod, 3),
    "modulo 4": partial(languages.mod, 4),
    "S3": partial(symmetric_group, 3),
    "contains abc": named("contains_abc"),
    "Tomita 3": named("tomita_3"),
    "A5": partial(alternating_group, 5, "two"),
}
_LARGE: dict[str, Callable[[], Automaton]] = {"all maps of 5 states": named("t5")}

THEOREMS = (
    _theorem(
        "nonnegative_diagonal_groups",
        "Nonnegative diagonal layers: star-free languages",
        "If layers of nonnegative diagonal matrices track an automaton, the groups in its monoid "
        "are trivial; and every star-free language is tracked.",
        "Sarrof, Veitsman, Hahn, arXiv 2405.17394, Theorem 4, in their model; docs/tracking.md",
        hard=_KNOWN, outside=_LARGE, page=TRACKING, constructions=("star_free_shift",),
    ),
    _theorem(
        "signed_diagonal_groups",
        "Signed diagonal layers: exponent 2 in one layer, 2-groups in several",
        "If layers of real diagonal matrices track an automaton, the groups in its monoid are "
        "2-groups; in one layer all their elements have order 1 or 2.",
        "docs/tracking.md; Nowak, Cotterell, Boumasmoud, arXiv 2606.01765, for rounding that is "
        "monotone and saturates",
        hard=_KNOWN, outside=_LARGE, page=TRACKING, constructions=("signed_permutation",),
    ),
    _theorem(
        "complex_diagonal_groups",
        "Complex diagonal layers: abelian groups in one layer, solvable ones in several",
        "If layers of complex diagonal matrices track an automaton, the groups in its monoid are "
        "solvable, and abelian if there is one layer.",
        "Shakerinava et al., arXiv 2603.01959; docs/tracking.md",
        hard=_KNOWN, outside=_LARGE, page=TRACKING, constructions=("orthogonal",),
    ),
    _theorem(
        "positive_factors_groups",
        "Factors in [0, 1]: star-free languages, however many factors",
        "If layers of products of factors with eigenvalues in (-1, 1] track an automaton, the "
        "groups in its monoid are trivial; and every star-free language is tracked.",
        "docs/tracking.md; docs/regular-languages.md",
        hard=_KNOWN, outside=_LARGE, page=TRACKING, constructions=("star_free",),
    ),
    Theorem(
        key="sign_layers",
        name="L layers of signs count modulo 2^L, and make all of C4, not only C2",
        statement=(
            "Networks of scalars 1 and -1 generate 2-groups.  L layers count modulo 2^L: so 'every "
            "group that divides the monoid is C2' is false for two layers, whose C4 is one; the "
            "*simple* groups that divide it are C2."
        ),
        citation="Nowak, Cotterell, Boumasmoud, arXiv 2606.01765; corrected",
        status="refuted as written",
        precision=EXACT,
        draw=_random_signs,
        examine=_signs,
        hard={"two layers": lambda: [np.array([1]), np.array([[0, 1]])]},
        page="docs/theorems.md#layers-of-signs",
        tests=("tests/test_theorems.py",),
    ),
    Theorem(
        key="two_complex_layers",
        name="S3, and all symmetries of polygons, in two complex diagonal layers",
        statement=(
            "The dihedral group of order 2m takes two layers that are diagonal over C: a sign, "
            "then a turn by (-1)^sign.  One layer takes abelian groups only."
        ),
        citation="Shakerinava et al., arXiv 2603.01959",
        status="proved",
        precision=EXACT,
        draw=lambda rng: int(rng.integers(2, 10)),
        examine=_metacyclic,
        hard={"S3": lambda: 3, "D12": lambda: 12},
        page="docs/theorems.md#two-complex-layers",
        tests=("tests/test_theorems.py",),
    ),
)  # fmt: skip
