"""Constructions: their networks are within their bounds, and proved right for all lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from constructions import catalogue
from constructions.theorems import machines, plain
from constructions.theorems.machines import Draw, named
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import Construction, core_of
from lrnn_theory.lrnn import LRNN
from lrnn_theory.theorem import Hypothesis, Theorem, ViolationError, Worst, require
from lrnn_theory.transition import Householder
from lrnn_theory.word_problems import (
    alternating_group,
    cyclic_group,
    dihedral_group,
    quaternion_group,
    symmetric_group,
)

if TYPE_CHECKING:
    from lrnn_theory.verification import Refuted

REGULAR, GROUPS = "docs/regular-languages.md", "docs/representations.md"
TESTS = ("tests/test_constructions.py", "tests/test_group_constructions.py")


def prove(lrnn: LRNN, automaton: Automaton, arithmetic: str = "exact") -> None:
    """Require a proof for all lengths, and that the checker repeats it."""
    from lrnn_theory.verification import Proved, check, verify  # loads torch

    verdict = verify(lrnn, automaton, arithmetic)
    if not isinstance(verdict, Proved):
        raise ViolationError(f"verify answers {verdict!r}")
    require(isinstance(check(verdict.certificate, lrnn), Proved), "the certificate is not accepted")


def refute(lrnn: LRNN, automaton: Automaton, arithmetic: str = "exact", **options: Any) -> Refuted:
    """Require a shortest word that is answered wrongly."""
    from lrnn_theory.verification import Refuted, verify

    verdict = verify(lrnn, automaton, arithmetic, **options)
    if not isinstance(verdict, Refuted):
        raise ViolationError(f"verify answers {verdict!r} to what is wrong")
    return verdict


@dataclass(frozen=True)
class Instances:
    """What a construction is tried on.

    Attributes:
        draw: random automata.
        hypotheses: what the construction assumes, decided by brute force; None: its own obstacles.
        hard: named automata.
        outside: named automata that it must refuse.
        least: whether no action has more factors than rank(I - A).
        shapes: for named automata, the rows and the factors that the network must have.
        page: where it is proved.
        tests: files that test it.
    """

    draw: Draw = machines.ANY
    hypotheses: tuple[Hypothesis, ...] | None = None
    hard: Mapping[str, Callable[[], Automaton]] = field(default_factory=dict)
    outside: Mapping[str, Callable[[], Automaton]] = field(default_factory=dict)
    least: bool = False
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    page: str = REGULAR
    tests: tuple[str, ...] = TESTS


def _within_claims(lrnn: LRNN, c: Construction, core: Automaton) -> None:
    bounds = c.claims(core)
    for level in lrnn.levels:
        layer = level.layer
        require(layer.n <= bounds.n, f"a layer has {layer.n} rows, more than {bounds.n}")
        require(layer.d <= bounds.d, f"a layer has {layer.d} columns, more than {bounds.d}")
    require(lrnn.n_layers <= bounds.layers, f"{lrnn.n_layers} layers, more than {bounds.layers}")
    if bounds.factors is not None:
        most = lrnn.max_factors
        require(most is not None and most <= bounds.factors, f"{most} factors, not so few")
    for level in lrnn.levels:
        transition = level.layer.transition
        if bounds.spectrum is not None and isinstance(transition, Householder):
            low, high = bounds.spectrum
            for e in transition.eigenvalues:
                require(low <= e <= high or e == 1, f"a factor has the eigenvalue {e}")
        largest = 1.0 if bounds.factors is not None else transition.n**0.5  # a Boolean reset's
        for a in range(transition.n_actions):
            norm = float(np.linalg.norm(machines.matrix_in_doubles(transition, a), 2))
            require(norm < largest + 1e-9, f"a transition matrix has the norm {norm}")


def _no_fewer_factors(lrnn: LRNN) -> None:
    for level in lrnn.levels:
        transition = level.layer.transition
        if isinstance(transition, Householder):
            for a in range(transition.n_actions):
                product = transition.product(a)
                least = plain.moved(plain.written_out(product))
                require(len(product) == least, f"{len(product)} factors; rank(I - A) is {least}")


def _build(key: str, instances: Instances, automaton: Automaton) -> Worst:
    c = catalogue.CONSTRUCTIONS[key]
    core = core_of(automaton)[1]
    obstacles = c.obstacles(core)
    require(not obstacles, f"it refuses what meets its hypothesis: {'; '.join(obstacles)}")
    lrnn = c(automaton)
    _within_claims(lrnn, c, core)
    if instances.least:
        _no_fewer_factors(lrnn)
    prove(lrnn, automaton)
    machines.agree(lrnn, automaton, np.random.default_rng(core.n_states))
    for name, shape in instances.shapes.items():
        if (wanted := instances.hard[name]()).letters == automaton.letters and (
            wanted.delta.shape == automaton.delta.shape and (wanted.delta == automaton.delta).all()
        ):
            built = (max(level.layer.n for level in lrnn.levels), lrnn.max_factors)
            require(built == shape, f"{name}: n and factors are {built}, not {shape}")
    states, layers = plain.count(core.n_states, "state"), plain.count(lrnn.n_layers, "layer")
    size = f"{states}, {layers}, n = {'+'.join(map(str, lrnn.widths)) or 0}"
    most = lrnn.max_factors
    factors = "dense" if most is None else plain.count(most, "factor")
    return Worst(lrnn.state_size, f"{size}, {factors}")


def _refused(c: Construction, automaton: Automaton) -> str:
    return "; ".join(c.obstacles(core_of(automaton)[1]))


def theorem_of(c: Construction, instances: Instances) -> Theorem:
    """The entry of a construction."""
    own = Hypothesis("the construction applies", partial(_refused, c))
    return Theorem(
        key=c.key,
        name=f"Construction: {c.key.replace('_', ' ')}",
        statement=c.statement,
        citation=c.citation,
        status="proved",
        precision="exact arithmetic, all lengths; formats by `lrnn verify`",
        hypotheses=(own,) if instances.hypotheses is None else instances.hypotheses,
        draw=instances.draw,
        examine=partial(_build, c.key, instances),
        hard=instances.hard,
        outside=instances.outside,
        page=instances.page,
        constructions=(c.key,),
        tests=instances.tests,
    )


def _a_group() -> Hypothesis:
    return machines.hypothesis("every letter permutes the minimal states", machines.not_a_group)


def _star_free() -> Hypothesis:
    return machines.hypothesis("the monoid has no group", machines.not_aperiodic)


def _cyclic() -> Hypothesis:
    return machines.hypothesis("the letters generate a cyclic group", machines.not_cyclic)


_RESETS = {"flip-flop": named("flip_flop")}
_GROUP = {"parity": named("parity")}

INSTANCES: dict[str, Instances] = {
    "parity": Instances(
        draw=machines.two_states,
        hypotheses=(machines.hypothesis("two states, kept or swapped", machines.not_two_states),),
        hard={"parity": languages.parity},
        outside={"modulo 3": partial(languages.mod, 3), **_RESETS},
        least=True,
        shapes={"parity": (1, 1)},
        page="docs/theorems.md#layers-by-definition",
        tests=TESTS[:1],
    ),
    "cyclic": Instances(
        draw=machines.counter,
        hypotheses=(_cyclic(),),
        hard={"modulo 60": partial(languages.mod, 60), "Z30": partial(cyclic_group, 30)},
        outside={"S3": partial(symmetric_group, 3), **_RESETS},
        least=True,
        shapes={"modulo 60": (12, 9), "Z30": (10, 7)},
        page="docs/proofs/group-automata.md#the-theorem",
    ),
    "permutation": Instances(
        draw=machines.group_automaton,
        hypotheses=(_a_group(),),
        hard={
            "Q8": quaternion_group,
            "A5": partial(alternating_group, 5, "two"),
            "S5": partial(symmetric_group, 5, "two"),
        },
        outside=_RESETS,
        least=True,
        shapes={"A5": (5, 4), "S5": (5, 4)},
        page="docs/proofs/group-automata.md#the-theorem",
    ),
    "signed_permutation": Instances(
        draw=machines.group_automaton,
        hard={"S4": partial(symmetric_group, 4), "Q8": quaternion_group},
        outside=_RESETS,
        least=True,
        shapes={"S4": (3, 2), "Q8": (4, 4)},
        page=GROUPS,
    ),
    "regular_language": Instances(
        hypotheses=(),
        hard={
            "last letter and parity of ab": named("last_letter_and_parity_of_ab"),
            "Tomita 4": named("tomita_4"),
            "all maps of 4 states": named("t4"),
            "no letters matter": lambda: Automaton.from_table([[0, 0]], accepting=[0, 1]),
        },
        least=True,
        page=f"{REGULAR}#the-repair-a-pre-state-register",
    ),
    "input_shift": Instances(
        hypotheses=(),
        hard={
            "last letter and parity of ab": named("last_letter_and_parity_of_ab"),
            "all maps of 4 states": named("t4"),
        },
        least=True,
        page=f"{REGULAR}#the-same-width-by-an-input-shift",
    ),
    "star_free": Instances(
        draw=machines.star_free_automaton,
        hypotheses=(_star_free(),),
        hard={"at least 5": named("at_least_5"), "brackets": named("dyck_5")},
        outside=_GROUP,
        page=f"{REGULAR}#star-free-languages-and-eigenvalues-in-0-1",
        tests=("tests/test_star_free.py",),
    ),
    "star_free_shift": Instances(
        draw=machines.star_free_automaton,
        hypotheses=(_star_free(),),
        hard={"at least 5": named("at_least_5"), "contains abc": named("contains_abc")},
        outside=_GROUP,
        page=f"{REGULAR}#star-free-languages-and-eigenvalues-in-0-1",
        tests=("tests/test_star_free.py",),
    ),
    "rotation": Instances(
        draw=partial(machines.counter, largest=12),
        hypotheses=(_cyclic(),),
        hard={"modulo 12": partial(languages.mod, 12), "Z5": partial(cyclic_group, 5)},
        outside={"S3": partial(symmetric_group, 3)},
        shapes={"modulo 12": (2, 2)},
        page="docs/theorems.md#layers-by-definition",
    ),
    "reflections": Instances(
        draw=machines.polygon_automaton,
        hypotheses=(machines.hypothesis("a cyclic or dihedral group", machines.not_dihedral),),
        hard={
            **{f"D{m}": partial(dihedral_group, m) for m in (3, 4, 5, 7, 12)},
            **{f"Z{m}": partial(cyclic_group, m) for m in (5, 12)},
        },
        outside={"A4": partial(alternating_group, 4), "Q8": quaternion_group},
        shapes={f"D{m}": (2, 1) for m in (3, 5, 7, 12)},
        page=f"{GROUPS}#cyclic-and-dihedral-groups-two-layers-of-single-reflections",
    ),
    "orthogonal": Instances(
        draw=machines.group_automaton,
        hypotheses=(_a_group(),),
        hard={
            "S4": partial(symmetric_group, 4, "two"),
            "A5": partial(alternating_group, 5, "two"),
        },
        outside=_RESETS,
        shapes={"S4": (3, 2), "A5": (3, 2)},
        page=GROUPS,
    ),
    "heads": Instances(
        draw=machines.counter,
        hard={"modulo 60": partial(languages.mod, 60), "Tomita 5": named("tomita_5")},
        outside={"modulo 4": partial(languages.mod, 4)},
    ),
    "offset_register": Instances(
        hypotheses=(),
        hard={"last letter and parity of ab": named("last_letter_and_parity_of_ab")},
        least=True,
    ),
    "blocks": Instances(
        hypotheses=(),
        hard={"S4": partial(symmetric_group, 4, "two"), "all maps of 4 states": named("t4")},
    ),
    "signed_diagonal": Instances(
        hard={"modulo 4": partial(languages.mod, 4), "Tomita 3": named("tomita_3")},
        outside={"modulo 3": partial(languages.mod, 3)},
        page="docs/tracking.md",
    ),
    "complex_diagonal": Instances(
        hard={"S3": partial(symmetric_group, 3), "modulo 6": partial(languages.mod, 6)},
        outside={"A5": partial(alternating_group, 5, "two")},
        page="docs/tracking.md",
    ),
    "one_factor": Instances(
        hard={"S3": partial(symmetric_group, 3), "contains abc": named("contains_abc")},
        outside={"A5": partial(alternating_group, 5, "two")},
    ),
    "dense": Instances(
        draw=machines.mixture(machines.any_automaton, machines.group_automaton),
        hard={"all maps of 4 states": named("t4"), "Tomita 7": named("tomita_7")},
        outside={"a Mealy machine": named("tls")},
        page="docs/theorems.md#layers-by-definition",
    ),
}
"""What every construction is tried on; others on random automata of all kinds."""

THEOREMS = tuple(theorem_of(c, INSTANCES.get(c.key, Instances())) for c in catalogue.ALL)
