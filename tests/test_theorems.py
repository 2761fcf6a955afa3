"""The catalogue: its entries are whole, hold, and fail loudly when their code is broken."""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from constructions import catalogue
from constructions.regular_language import REGISTER, published
from constructions.theorems import (
    ALL,
    THEOREMS,
    cascades,
    cast,
    layers,
    limits,
    representations,
)
from lrnn_theory import architectures, cascade, householder
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.campaign import generator
from lrnn_theory.characters import RealCharacter
from lrnn_theory.construction import Bounds
from lrnn_theory.householder import GHProduct, identity
from lrnn_theory.householder import reflections as reflection_code
from lrnn_theory.ideal_cast import unary
from lrnn_theory.impossibility import OutsideSpectrum, refuter
from lrnn_theory.lrnn import LRNN
from lrnn_theory.onehot import plain_layer
from lrnn_theory.scanning.exact import ExactKernel
from lrnn_theory.scanning.float_kernel import FloatKernel
from lrnn_theory.theorem import STATUSES, Report, Theorem

ROOT = Path(__file__).parents[1]
ENTRIES = [pytest.param(t, id=t.key) for t in ALL]


def trials(theorem: Theorem, count: int, seed: int = 0) -> list[Any]:
    return [theorem.trial(generator(seed, theorem.key, i), i) for i in range(count)]


# -------------------------------------------------------------------- every entry


@pytest.mark.parametrize("theorem", ENTRIES)
def test_named_instances_hold_and_those_outside_are_refused(theorem):
    named = len(theorem.hard) + len(theorem.outside)
    found = trials(theorem, named)
    assert [t.outcome for t in found] == ["holds"] * len(theorem.hard) + ["outside"] * len(
        theorem.outside
    ), found
    assert theorem.hard
    assert all(t.case for t in found)


@pytest.mark.parametrize("theorem", ENTRIES)
def test_random_instances_hold_and_some_meet_the_hypotheses(theorem):
    named = len(theorem.hard) + len(theorem.outside)
    report = Report(theorem.key)
    for i in itertools.count(named):
        report += theorem.trial(generator(1, theorem.key, i), i).report(theorem.key)
        if report.tried == 2:
            break
        assert report.seen < 40
    assert report.passed, report.failures


@pytest.mark.parametrize("theorem", ENTRIES)
def test_entries_are_whole(theorem):
    assert theorem.status in STATUSES
    for text in (theorem.name, theorem.statement, theorem.citation, theorem.precision):
        assert text
    file, _, heading = theorem.page.partition("#")
    page = (ROOT / file).read_text(encoding="utf-8")
    assert not heading or heading in headings(page), (theorem.page, headings(page))
    assert theorem.tests
    assert all((ROOT / test).is_file() for test in theorem.tests)
    assert set(theorem.constructions) <= set(catalogue.CONSTRUCTIONS)
    if theorem.hypotheses:
        assert theorem.outside, "no hypothesis is seen to refuse anything"


def headings(page: str) -> set[str]:
    """The anchors that GitHub makes of the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_catalogue_is_complete():
    assert set(THEOREMS) >= set(catalogue.CONSTRUCTIONS)
    assert len(THEOREMS) == len(ALL)
    assert {t.status for t in ALL} <= set(STATUSES)
    used = {key for t in ALL for key in t.constructions}
    assert used >= set(catalogue.CONSTRUCTIONS)


def test_what_has_no_refuting_word_is_conditional():
    (conditional,) = [t for t in ALL if t.status == "conditional"]
    assert "unless TC0 = NC1" in conditional.statement
    refuted = {t.key for t in ALL if t.status == "refuted as written"}
    assert refuted >= {"published_cascade", "rounding_does_parity", "sign_layers"}


# -------------------------------------------------------------------- broken on purpose

Break = Callable[[pytest.MonkeyPatch], None]


def patch(target: Any, name: str, make: Callable[[Any], Any]) -> Break:
    """Replace an attribute by what is made of it."""
    return lambda monkeypatch: monkeypatch.setattr(target, name, make(getattr(target, name)))


def constant(value: Any) -> Callable[[Any], Any]:
    return lambda _: lambda *_args, **_options: value


def flipped(key: str) -> Break:
    """A construction whose network answers every other context wrongly."""

    def spoil(lrnn: LRNN) -> LRNN:
        output = (lrnn.output + 1) % len(lrnn.output_symbols)
        return replace(lrnn, output=output)

    def use(monkeypatch: pytest.MonkeyPatch) -> None:
        c = catalogue.CONSTRUCTIONS[key]
        spoilt = replace(c, build=lambda core: spoil(c.build(core)))
        monkeypatch.setitem(catalogue.CONSTRUCTIONS, key, spoilt)

    return use


def other_order(matrix: Any) -> Any:
    return lambda self: matrix(self.transpose())


def cycle_of(length: int) -> Callable[[Any], Any]:
    """The first states of a census go round."""

    def make(images: Any) -> Any:
        def spoilt(*arguments: Any) -> Any:
            after = images(*arguments)
            after[:length] = [*range(1, length), 0]
            return after

        return spoilt

    return make


def no_theorems(_: Any) -> Any:
    return lambda matrices, models, one, many, _needs: architectures.Row(
        matrices, models, one, many
    )


TABLE = patch(architectures, "_row", no_theorems)
STUCK = patch(ExactKernel, "step", lambda _: lambda _self, h, _action: h)
INVERSE = patch(householder, "permutation", lambda f: lambda p: f(np.argsort(p).tolist()))
HASTY = patch(refuter, "settle", lambda f: lambda *a: replace(f(*a), preperiod=0))
MATRIX = patch(GHProduct, "matrix", other_order)
STILL = patch(layers, "sign_layer", lambda _: lambda: plain_layer([[0, 1], [0, 1]], 0))

BREAKS: dict[str, Break] = {
    "parity_needs_negative": patch(unary, "_saturate", lambda f: lambda *a: (0, f(*a)[1])),
    "counting_needs_complex": patch(
        cast, "eventual_cast", lambda f: lambda a, b, h, form: f(-a, b, h, form)
    ),
    "deep_parity": HASTY,
    "deep_counting": HASTY,
    "spectral_certificates": patch(OutsideSpectrum, "check", constant(value=True)),
    "unary_lemma": STUCK,
    "no_parity_in_open_range": TABLE,
    "time_invariant": STUCK,
    "nonnegative_diagonal_groups": TABLE,
    "signed_diagonal_groups": TABLE,
    "complex_diagonal_groups": TABLE,
    "positive_factors_groups": TABLE,
    "sign_layers": STILL,
    "two_complex_layers": STILL,
    "published_cascade": patch(limits, "REGISTER", lambda _: replace(REGISTER, build=published)),
    "zero_and_identity": patch(
        limits, "plain_layer", lambda f: lambda maps, i: f([m[::-1] for m in maps], i)
    ),
    "wrapping_integers": patch(
        Arithmetic, "parse", lambda f: staticmethod(lambda a: f(str(a).replace("!wrap", "")))
    ),
    "nonsolvable_is_hard": patch(
        limits, "analyze", lambda f: lambda a: replace(f(a), is_solvable=True)
    ),
    "triangular_settles": lambda m: cycle_patch(m, 2),
    "psd_settles": lambda m: cycle_patch(m, 2),
    "margin_settles": lambda m: cycle_patch(m, 2),
    "symmetric_period_two": lambda m: cycle_patch(m, 3),
    "sector_settles": lambda m: cycle_patch(m, 2),
    "rounding_does_parity": patch(FloatKernel, "step", lambda _: lambda _self, h, _action: h),
    "integer_reflections": INVERSE,
    "unit_norm_transposition": patch(
        GHProduct, "eigenvalues", lambda _: lambda self: np.full(len(self), -1)
    ),
    "norm": patch(GHProduct, "norm_at_most_one", constant(False)),
    "unit_circle": MATRIX,
    "two_positive_factors": MATRIX,
    "three_positive_factors": MATRIX,
    "rank_bound": patch(householder, "reflection_length", lambda f: lambda a: f(a) + 1),
    "orthogonal_factors": patch(reflection_code, "_exact_keys", lambda f: lambda q: f(q)[:-1]),
    "permutation_factors": INVERSE,
    "reset_factors": patch(householder, "register_reset", lambda f: lambda n: f(n).transpose()),
    "contraction_factors": patch(
        householder,
        "contraction",
        lambda f: lambda m: f(m) @ GHProduct(np.eye(len(m))[[0, 0]], np.full(2, 2.0)),
    ),
    "n_factors_fall_short": patch(
        householder, "contraction", lambda f: lambda m: GHProduct(f(m).keys[2:], f(m).betas[2:])
    ),
    "displaced_states": patch(
        representations,
        "PERMUTATION",
        lambda c: replace(c, claims=lambda _: Bounds(1, 6, 1, 1, (-1, -1))),
    ),
    "representation_rank": patch(
        RealCharacter, "lengths", lambda _: property(lambda self: self.negated_lengths)
    ),
    "one_factor_letters": patch(architectures, "_letters_cycle", constant(value=True)),
    "symmetric_groups": patch(
        representations, "PERMUTATION", lambda c: replace(c, build=REGISTER.build)
    ),
    "symmetric_groups_in_layers": INVERSE,
    "copy_matrices": patch(householder, "contraction", lambda _: lambda m: identity(len(m))),
    "cascade_levels": patch(
        cascades, "decompose", lambda f: lambda automaton: f(automaton, "strong")
    ),
    "exclusion_tail": patch(cascades, "Budget", lambda f: lambda **_: f(contexts=3)),
    "cascade_aperiodic": patch(cascades, "is_aperiodic", constant(value=True)),
    "cascade_certificate": patch(cascade, "check_wiring", constant(None)),
} | {key: flipped(key) for key in catalogue.CONSTRUCTIONS}


def cycle_patch(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    module = import_module("lrnn_theory.verification.census")
    monkeypatch.setattr(module, "_images", cycle_of(length)(module._images))


@pytest.mark.parametrize("theorem", ENTRIES)
def test_a_check_fails_loudly_when_its_code_is_broken(theorem, monkeypatch):
    BREAKS[theorem.key](monkeypatch)
    for i in range(30):
        trial = theorem.trial(generator(0, theorem.key, i), i)
        if trial.outcome == "failed":
            report = trial.report(theorem.key)
            assert not report.passed
            assert report.failures[0].case
            return
    pytest.fail("30 instances hold although the code is broken")


def test_every_entry_is_broken_on_purpose():
    assert set(BREAKS) == set(THEOREMS)
