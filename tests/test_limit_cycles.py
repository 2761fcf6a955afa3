"""Reasons to come to rest hold for every state; cycles are replayed exactly, and natively."""

from fractions import Fraction as Q
from itertools import product

import numpy as np
import pytest
import torch
from cast_evaluation import FLOATS
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lrnn_theory import LRNN, Dense, Diagonal, Householder, Proved, census, refute, verify
from lrnn_theory.gallery import GALLERY
from lrnn_theory.impossibility import (
    PSD,
    Margin,
    Sector,
    Triangular,
    limit_cycle,
    period_one_reason,
    spectrum,
)
from lrnn_theory.transition import Householder as Factors

SMALL = ("{-1,0,1}", "{-2,-1,0,1,2}", "{-5,-1,1,5}", "fixed3.0", "fixed4.1", "float8_e5m2")


FINER = [f"wide+acc=fixed16.{i}" for i in (2, 3, 4)]


def layer_of(a, b=None, h0=None):
    n = len(a)
    b, h0 = (np.zeros(n, int) if x is None else x for x in (b, h0))
    return LRNN.from_layer(Dense(np.array([a], object)), [b], h0, "1").levels[0].layer


quarters = st.sampled_from([Q(p, 4) for p in range(-6, 7)])


@st.composite
def plane_layers(draw):
    """Layers of the plane with few different weights, symmetric or triangular half the time."""
    a = [[draw(quarters) for _ in range(2)] for _ in range(2)]
    match draw(st.sampled_from(["any", "symmetric", "triangular", "psd"])):
        case "symmetric":
            a[1][0] = a[0][1]
        case "triangular":
            i = draw(st.integers(0, 1))
            a[i][1 - i] = Q(0)
            a[0][0], a[1][1] = abs(a[0][0]), abs(a[1][1])
        case "psd":
            g = np.array(a, object)
            a = (g.T @ g).tolist()
    return layer_of(a, [draw(quarters) for _ in range(2)])


@settings(max_examples=120)
@given(st.data(), st.sampled_from(SMALL[:5]), st.sampled_from(["once", "each", *FINER]))
def test_a_reason_holds_for_every_state(data, form, semantics):
    assume(form.startswith("fixed") or semantics not in FINER)
    layer = data.draw(plane_layers())
    arithmetic = f"{form}:{semantics}"
    reason, found = period_one_reason(layer, arithmetic), census(layer, 0, arithmetic)
    assume(reason is not None)
    if isinstance(reason, Sector):
        assert not set(found.periods) & set(range(2, reason.up_to + 1))
    else:
        assert set(found.periods) == {1}
        assert limit_cycle(layer, arithmetic) is None


@settings(max_examples=10)
@given(st.data(), st.sampled_from(["once", "wide", "each"]))
def test_a_reason_holds_for_every_state_of_eight_bits(data, semantics):
    """Infinities are left out: a census counts them as overflow."""
    layer, arithmetic = data.draw(plane_layers()), f"float8_e5m2:{semantics}"
    reason = period_one_reason(layer, arithmetic)
    assume(reason is not None)
    excluded = range(2, reason.up_to + 1) if isinstance(reason, Sector) else range(2, 10**6)
    assert not [p for p in census(layer, 0, arithmetic).periods if p in excluded]


@pytest.mark.parametrize(
    ("a", "arithmetic", "kind"),
    [
        ([[1, 7], [0, 1]], "float32", Triangular),
        ([[1, 7], [0, -1]], "float32", type(None)),
        ([[1, 7], [0, 1]], "fixed8.0!wrap", type(None)),
        ([[3, 1], [1, 3]], "float32:once", PSD),
        ([[3, 1], [1, 3]], "bfloat16", type(None)),
        ([[Q(3, 4), Q(1, 4)], [Q(1, 4), Q(3, 4)]], "fixed8.4:wide+acc=fixed24.16", Margin),
        ([[Q(3, 4), Q(1, 4)], [Q(1, 4), Q(3, 4)]], "fixed8.4:each", type(None)),
        ([[Q(3, 4), Q(1, 4)], [Q(1, 4), Q(3, 4)]], "fixed8.4:wide+acc=fixed12.6", Margin),
        ([[Q(3, 4), Q(1, 4)], [Q(1, 4), Q(3, 4)]], "fixed8.4:wide+acc=fixed12.5", type(None)),
        ([[1, -1], [1, -1]], "float32:once", type(None)),
        ([[3, 1], [-1, 3]], "float32:once", Sector),
        ([[0, -1], [1, 0]], "float32:once", type(None)),
    ],
)
def test_kinds_of_reasons(a, arithmetic, kind):
    assert type(period_one_reason(layer_of(a), arithmetic)) is kind


def test_a_sector_is_as_wide_as_its_angle():
    """The numerical range of [[c, -s], [s, c]] is the segment c +- i s: exactly its angle."""
    for p in (2, 3, 5, 9, 30):
        for turn, inside in ((Q(99, 100), True), (Q(101, 100), False)):
            angle = np.pi / p * float(turn)
            a = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            reason = period_one_reason(layer_of(a), "float64:once")
            up_to = reason.up_to if reason else 1
            assert (up_to >= p) == inside
            assert up_to < p + 1 + p * (p < 3)


SKEW = [[1, -1, 1], [1, 1, -1], [-1, 1, 1]]  # 1 and 1 +- i sqrt 3


@pytest.mark.parametrize(
    ("a", "up_to"),
    [([[0, -1], [1, 0]], 2), ([[1, -1], [1, 0]], 2), (SKEW, 3), ([[1, -1], [1, 1]], 4)],
)
def test_a_closed_sector(a, up_to):
    """The border belongs to it; a little more of the skew part does not."""
    reason = period_one_reason(layer_of(a), "fixed3.0:once")
    assert reason.up_to == up_to
    assert not set(census(layer_of(a), 0, "fixed3.0:once").periods) & set(range(2, up_to + 1))
    more = np.array([[Q(x) for x in row] for row in a])
    more += Q(1, 1024) * (more - more.T)
    if up_to > 2:
        assert period_one_reason(layer_of(more), "fixed3.10:once").up_to == up_to - 1


def test_a_closed_half_plane_is_left_by_infinities():
    layer = layer_of([[0, -1], [1, 0]])
    assert period_one_reason(layer, "float32:once") is None
    assert period_one_reason(layer, "float32!sat:once").up_to == 2


def test_periods_begin_where_a_sector_ends():
    """Few matrices, integers in [-4, 4): 2, 3 and 4 occur, and none inside of its sector."""
    met = set()
    for a in product([Q(-1), Q(0), Q(1, 2), Q(1)], repeat=4):
        layer = layer_of([a[:2], a[2:]], [Q(3, 8), Q(1, 8)])
        periods = set(census(layer, 0, "fixed3.0:once").periods) - {1}
        match period_one_reason(layer, "fixed3.0:once"):
            case Sector(up_to=up_to):
                assert all(p > up_to for p in periods)
            case None:
                up_to = 1
            case _:
                assert not periods
                continue
        met |= {(up_to, p) for p in periods}
    assert {(1, 2), (1, 3), (2, 4)} <= met


def test_a_margin_excludes_what_less_of_it_allows():
    """The same matrix has a cycle where products are rounded to the grid of the state."""
    layer = layer_of([[Q(3, 4), Q(1, 4)], [Q(1, 4), Q(3, 4)]])
    fine = period_one_reason(layer, "fixed6.0:wide+acc=fixed24.8")
    assert isinstance(fine, Margin)
    assert fine.eigenvalue <= Q(1, 2)
    assert set(census(layer, 0, "fixed6.0:wide+acc=fixed24.8").periods) == {1}
    assert 2 in census(layer, 0, "fixed6.0:each").periods


def test_a_margin_is_as_small_as_it_may_be():
    """The least eigenvalue is 1/2; two products are off by half a unit of the inner format each."""
    for b in product(range(8), repeat=2):
        layer = layer_of([[Q(3, 4), Q(1, 4)], [Q(1, 4), Q(3, 4)]], [Q(x, 8) for x in b])
        reason = period_one_reason(layer, "fixed4.0:wide+acc=fixed16.2")
        assert (reason.eigenvalue, reason.error, reason.gap) == (Q(1, 2), Q(1, 4), 1)
        assert set(census(layer, 0, "fixed4.0:wide+acc=fixed16.2").periods) == {1}
        assert period_one_reason(layer, "fixed4.0:wide+acc=fixed16.1") is None
    larger = layer_of([[Q(3, 4), Q(257, 1024)], [Q(257, 1024), Q(3, 4)]])
    assert period_one_reason(larger, "fixed14.10:wide+acc=fixed24.12") is None


def test_stored_weights_count():
    """I - 11^T / 6 is a projection; as bfloat16 stores it, it is not semidefinite."""
    exact = layer_of(np.eye(6, dtype=int) - np.full((6, 6), Q(1, 6), object))
    assert isinstance(period_one_reason(exact, "fixed8.0:once"), PSD)
    assert period_one_reason(exact, "bfloat16:once") is None


@pytest.mark.parametrize("arithmetic", ["float8_e5m2", "float8_e5m2!nan", "float8_e4m3:once"])
def test_weights_that_overflow_give_no_reason(arithmetic):
    assert period_one_reason(layer_of([[2**17]]), arithmetic) is None


@pytest.mark.parametrize("inner", ["float16", "fixed60.30"])
def test_a_cycle_beyond_doubles_replays(inner):
    """The layer's own state rests; the cycle comes from the census, and is of fractions."""
    layer = layer_of([[Q(-9, 8)]], [Q(17, 8)], [1])
    found = limit_cycle(layer, f"fixed6.0:wide+acc={inner}")
    assert found.states[:, 0, 0].tolist() == [-32, 31]
    assert found.check(layer)


def test_misuse():
    layer = layer_of([[1]])
    for arithmetic in ("exact", "float32:cast", "float32@tree"):
        with pytest.raises(ValueError, match="arithmetic"):
            period_one_reason(layer, arithmetic)
        with pytest.raises(ValueError, match="arithmetic"):
            limit_cycle(layer, arithmetic)
    with pytest.raises(ValueError, match="action"):
        period_one_reason(layer, "float32", 1)


# -------------------------------------------------------------------- the gallery

names = [f"{i}: {x.name}, {x.arithmetic}" for i, x in enumerate(GALLERY)]


@pytest.mark.parametrize("example", GALLERY, ids=names)
def test_the_gallery_is_in_no_class_that_comes_to_rest(example):
    assert isinstance(period_one_reason(example.layer, example.arithmetic), (Sector, type(None)))
    reason = period_one_reason(example.layer, example.arithmetic)
    assert reason is None or reason.up_to < len(example.cycle)
    found = limit_cycle(example.layer, example.arithmetic)
    assert found.period == len(example.cycle)
    assert found.check(example.layer)
    assert {tuple(map(Q, h)) for h in found.states[:, :, 0].tolist()} == {
        tuple(map(Q, h)) for h in example.cycle
    }


@pytest.mark.parametrize("example", GALLERY[:-1], ids=names[:-1])
def test_the_gallery_has_nonnegative_eigenvalues(example):
    assert spectrum(example.transition.matrix(0), nonnegative=True).nonnegative is True
    assert refute(example_network(example), "(11)*", "float32:cast") is not None


def example_network(example):
    b = np.array([example.b], object)[..., None]
    return LRNN.from_layer(example.transition, b, np.array(example.start, object)[:, None], "1")


def nearest(x, name):
    """To the nearest number, ties to even; for finite sets to the smaller; nothing overflows."""
    if name.startswith("{"):
        return min(map(Q, name[1:-1].split(",")), key=lambda v: (abs(v - x), v))
    if name.startswith("fixed"):
        return Q(round(x))
    unit = Q(2) ** FLOATS[name][1]
    while abs(x) >= unit * 2 ** FLOATS[name][0]:
        unit *= 2
    return round(x / unit) * unit


def exact_step(example, h):
    form, _, rest = example.arithmetic.partition(":")
    b = [Q(x) for x in example.b]
    b = b if form.startswith(("fixed", "{")) else [nearest(x, form) for x in b]
    t = example.transition
    if rest == "each+factored":
        k = [Q(x) for x in t.keys[0]]
        total = None
        for x, y in zip(k, h, strict=True):
            product = nearest(x * y, form)
            total = product if total is None else nearest(total + product, form)
        h = [nearest(y - nearest(x * nearest(total, form), form), form)
             for x, y in zip(k, h, strict=True)]  # fmt: skip
        return [nearest(x + y, form) for x, y in zip(h, b, strict=True)]
    a = [[Q(x) for x in row] for row in t.matrix(0).tolist()]
    if rest == "once":
        return [nearest(sum(x * y for x, y in zip(row, h, strict=True)) + c, form)
                for row, c in zip(a, b, strict=True)]  # fmt: skip
    out = []
    for row, c in zip(a, b, strict=True):
        total = None
        for x, y in zip(row, h, strict=True):
            product = nearest(x * y, form)
            total = product if total is None else nearest(total + product, form)
        out.append(nearest(total + c, form))
    return out


@pytest.mark.parametrize("example", GALLERY, ids=names)
def test_the_gallery_replayed_in_exact_rationals(example):
    cycle = [[Q(x) for x in h] for h in example.cycle]
    h = [Q(x) for x in example.start]
    for _ in range(200):
        if h == cycle[0]:
            break
        h = exact_step(example, h)
    for state in [*cycle, *cycle]:
        assert h == state
        h = exact_step(example, h)


DTYPES = {
    "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16,
    "float8_e5m2": torch.float8_e5m2, "float8_e4m3": torch.float8_e4m3fn,
}  # fmt: skip
NATIVE = [x for x in GALLERY if x.arithmetic.partition(":")[0] in DTYPES]


@pytest.mark.parametrize("example", NATIVE, ids=lambda x: f"{x.name}, {x.arithmetic}")
def test_the_gallery_natively_in_torch(example):
    """Operation by operation in the type itself; 8-bit types are rounded from float32.

    Rounded once: the sum in float64, which is exact here (checked), and in float32 where the type
    is narrower, so that nothing is rounded twice.
    """
    form, _, rest = example.arithmetic.partition(":")
    dtype, a = DTYPES[form], np.array(example.transition.matrix(0), float)
    inner = torch.float32 if "8" in form else dtype

    def rounded(x):
        return x.to(dtype).to(inner)

    def step(h):
        if rest == "each+factored":
            k = torch.tensor([float(x) for x in example.transition.keys[0]], dtype=inner)
            s = rounded(rounded(k[0] * h[0]) + rounded(k[1] * h[1]))
            return rounded(h - rounded(k * s))
        if rest == "once":
            exact = [sum(Q(x) * Q(y) for x, y in zip(row, h.tolist(), strict=True)) + Q(c)
                     for row, c in zip(a.tolist(), example.b, strict=True)]  # fmt: skip
            total = (
                torch.tensor(a) @ h.double() + torch.tensor(list(map(float, example.b))).double()
            )
            b = torch.tensor([float(x) for x in example.b], dtype=torch.float64)
            total = torch.tensor(a) @ h.double() + b
            assert [Q(x) for x in total.tolist()] == exact
            if dtype != torch.float32:
                assert [Q(x) for x in total.float().tolist()] == exact
            return rounded(total.float())
        out = []
        for row, c in zip(a.tolist(), example.b, strict=True):
            products = [
                rounded(torch.tensor(w, dtype=inner) * x) for w, x in zip(row, h, strict=True)
            ]
            out.append(
                rounded(rounded(products[0] + products[1]) + torch.tensor(float(c)).to(inner))
            )
        return torch.stack(out)

    h = torch.tensor([float(x) for x in example.cycle[0]], dtype=inner)
    for state in [*example.cycle[1:], *example.cycle]:
        h = step(h)
        assert [Q(x) for x in h.tolist()] == [Q(x) for x in state]


@pytest.mark.parametrize(
    "example",
    [x for x in GALLERY if len(x.cycle) == 2 and "factored" not in x.arithmetic],
    ids=lambda x: f"{x.name}, {x.arithmetic}",
)
def test_positive_eigenvalues_that_do_parity(example):
    """Proved for all words over {0, 1}, in the arithmetic; refuted in the ideal cast."""
    lrnn = example.parity()
    verdict = verify(lrnn, "(0|10*1)*", example.arithmetic)
    assert isinstance(verdict, Proved)
    assert refute(lrnn, "(0|10*1)*", example.arithmetic) is None
    assert refute(lrnn, "(0|10*1)*", "float32:cast") is not None


def test_a_factor_as_a_vector_has_no_reason_but_as_a_matrix():
    factor = Factors(np.array([[3, 4]]), np.array([Q(1, 50)], object), np.array([0, 1]))
    layer = LRNN.from_layer(factor, [[0, 0]], [1, 0], "1").levels[0].layer
    assert isinstance(period_one_reason(layer, "fixed8.0:once"), PSD)
    assert period_one_reason(layer, "fixed8.0:once+factored") is None
    diagonal = LRNN.from_layer(Diagonal(np.array([[1]])), [[0]], [1], "1").levels[0].layer
    assert isinstance(period_one_reason(diagonal, "float32:each+factored"), Triangular)
    assert Householder is Factors
