"""The checker computes what docs/arithmetic.md says, in every format, semantics and order."""

import itertools
import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st
from networks import counter, weighing
from test_certificates import forged

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
    check,
    languages,
    verify,
)
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cyclotomic import Cyclotomic, cos_turn, sin_turn
from lrnn_theory.formats import parse_format
from lrnn_theory.scanning.kernels import make_kernel
from lrnn_theory.scanning.orders import ChunkKernel, TreeKernel
from lrnn_theory.scanning.rational import RationalKernel
from lrnn_theory.strategies import FORMAT_NAMES, arithmetics, layers
from lrnn_theory.verification import checker
from lrnn_theory.verification.certificate import Field, describe

ARITHMETIC = checker.load("arithmetic")


def seen_by_the_checker(layer, arithmetic, word):
    """The numbers that the checker's decoder sees along a word, and the codewords it finds."""
    lrnn = LRNN(
        tuple(map(str, range(layer.n_actions))),
        np.arange(layer.n_actions),
        ((Level(layer, np.arange(layer.n_actions), np.zeros((layer.n_actions, layer.size), int),
                "current"),),),
        np.zeros(1, int),
        0,
    )  # fmt: skip
    data = json.loads(json.dumps(describe(lrnn, arithmetic)))
    rounds = checker.Arithmetic(str(arithmetic), data.get("field"))
    copy_of_layer = checker.Layer(rounds, **data["heads"][0][0])
    seen, read = [], copy_of_layer.read_out
    copy_of_layer.read_out = lambda x, action: (seen.append(x), read(x, action))[1]
    state, pairs = copy_of_layer.start, []
    for a in word:
        state, *pair = copy_of_layer.advance(state, a)
        pairs.append(pair)
    return [plain(x) for x in seen], pairs


def seen_by_the_kernel(layer, arithmetic, word):
    """The same by the engine's kernel in fractions."""
    kernel = RationalKernel(layer, replace(arithmetic, order="sequential", chunk=0))
    if arithmetic.order == "chunk":
        kernel = ChunkKernel(kernel, arithmetic.chunk)
    elif arithmetic.order == "tree":
        kernel = TreeKernel(kernel)
    x, wanted, words = kernel.start(1), [], []
    for a in word:
        x = kernel.step(x, np.array([a]))
        wanted.append(plain(getattr(kernel, "observe", lambda h: h)(x).ravel()))
        words.append(int(kernel.decode(x)[0]))
    return wanted, words


def plain(numbers):
    """Numbers as fractions, infinities and texts, so that equal bits are equal objects."""
    if any(isinstance(x, ARITHMETIC.Real) for x in numbers):
        return list(numbers)
    return [
        ("nan" if x != x else x) if isinstance(x, float) and not math.isfinite(x) else Fraction(x)
        for x in numbers
    ]


@settings(max_examples=300)
@given(st.data())
def test_the_checker_takes_the_documented_step(data):
    """In every format, semantics and order, against the engine's kernel in fractions."""
    arithmetic = data.draw(arithmetics(orders=True))
    layer = data.draw(layers(max_n=3, dense=not arithmetic.factored))
    length = st.lists(st.integers(0, layer.n_actions - 1), min_size=1, max_size=7)
    word = data.draw(length)
    wanted, words = seen_by_the_kernel(layer, arithmetic, word)
    seen, pairs = seen_by_the_checker(layer, arithmetic, word)
    assert seen == wanted
    assert pairs == [layer.readout[a, j].tolist() for a, j in zip(word, words, strict=True)]


POWERS = [x * Fraction(2) ** e for e in (-600, 0, 500, 1000) for x in (1, -1)]
"""Numbers of which a product is beyond all doubles, or an infinity once it is stored."""


@pytest.mark.parametrize("order", ["", "@chunk:2", "@tree", "+factored"])
@settings(max_examples=100)
@given(data=st.data())
def test_infinities_beside_numbers_beyond_all_doubles(order, data):
    draw = lambda *shape: np.array(  # noqa: E731
        data.draw(st.lists(st.sampled_from([0, *POWERS]), min_size=math.prod(shape),
                           max_size=math.prod(shape))), dtype=object
    ).reshape(shape)  # fmt: skip
    factors = Householder(draw(4, 2), draw(4), np.array([0, 2, 4]))
    transition = factors if "factored" in order else Dense(draw(2, 2, 2))
    readout = np.zeros((2, 1, 2), np.int32)
    layer = Layer(transition, draw(2, 2, 1), draw(2, 1), (np.ones((1, 2, 1), int),), readout, 1, 0)
    word = data.draw(st.lists(st.integers(0, 1), min_size=2, max_size=5))
    arithmetic = Arithmetic.parse(f"float64:once{order}")
    wanted, _ = seen_by_the_kernel(layer, arithmetic, word)
    event("an infinity" if any(isinstance(x, (float, str)) for h in wanted for x in h) else "none")
    assert seen_by_the_checker(layer, arithmetic, word)[0] == wanted


@settings(max_examples=100)
@given(st.data())
def test_the_checker_follows_the_cast_model(data):
    form = data.draw(st.sampled_from(["{-1,0,1}", "{0,1,4}", "{1,2}", "float8_e5m2", "fixed8.1"]))
    arithmetic = Arithmetic.parse(f"{form}:cast")
    layer = data.draw(layers(max_n=2))
    word = data.draw(st.lists(st.integers(0, layer.n_actions - 1), min_size=1, max_size=5))
    terms, wanted = [layer.h0.astype(object)], []
    cast = np.vectorize(lambda x: Fraction(arithmetic.format.cast(x)), otypes=[object])
    for a in word:
        matrix = layer.transition.matrix(a).astype(object)
        terms = [matrix @ t for t in terms] + [layer.b[a].astype(object)]
        wanted.append(cast(sum(map(cast, terms))).ravel().tolist())
    assert seen_by_the_checker(layer, arithmetic, word)[0] == wanted


@pytest.mark.parametrize(
    "text", ["exact", "fixed12.6:each", "fixed60.40!wrap:once", "{-1,0,1}:cast"]
)
def test_irrational_weights_stay_exact(text):
    """A rotation by 2 pi / 5; nothing of the format is on its way but the state."""
    arithmetic = Arithmetic.parse(text)
    layer = compile_dfa(languages.mod(5), construction="rotation").levels[0].layer
    kernel = make_kernel(layer, arithmetic, torch.device("cpu"))
    word, x, wanted = [0] * 12, kernel.start(1), []
    for a in word:
        x = kernel.step(x, np.array([a]))
        wanted.append(layer.readout[a, int(kernel.decode(x)[0])].tolist())
    assert seen_by_the_checker(layer, arithmetic, word)[1] == wanted


@given(st.sampled_from(FORMAT_NAMES), st.fractions() | st.floats(), st.booleans(), st.data())
def test_the_checker_rounds_correctly(name, x, cast, data):
    form = parse_format(name)
    form = parse_format(name + data.draw(st.sampled_from(["", *(f"!{o}" for o in form.overflows)])))
    if isinstance(x, float) and not math.isfinite(x):
        if cast or name[0] == "{":
            return
    elif isinstance(x, float):
        x = Fraction(x)
    wanted = form.cast(x) if cast else form.round(x)
    text = f"{name}{form.mark}:{'cast' if cast else 'once'}"
    rounds = checker.Arithmetic(text)
    near = ARITHMETIC.Cast(rounds, [], ()).near if cast else rounds.store
    assert plain([near(x)]) == plain([wanted])


@pytest.mark.parametrize("name", checker.FLOATS)
def test_the_checker_rounds_at_both_ends(name):
    """Below the smallest number, between numbers, at ties, and past the largest number."""
    form, copy_of_format = parse_format(name), checker.Float(name)
    smallest, largest = copy_of_format.corners
    for k in range(-40, 41):
        for x in (smallest * k / 8, Fraction(k, 3), largest + Fraction(k * largest, 2**10)):
            assert plain([copy_of_format.nearest(x)]) == plain([form.round(Fraction(x))]), x


@pytest.mark.parametrize("name", [n for n in FORMAT_NAMES if n[0] != "{"])
def test_the_checker_stores_infinities_and_nan(name):
    for overflow in parse_format(name).overflows:
        form = parse_format(f"{name}!{overflow}")
        for x in (math.inf, -math.inf, math.nan):
            got = checker.Arithmetic(f"{name}!{overflow}:once").store(x)
            assert plain([got]) == plain([form.round(x)])


def test_a_nan_is_nearest_to_nothing():
    """1000 overflows to NaN; a codeword that does not look there is nearest, be it the last."""
    lrnn = weighing([1000, 1], [[1, 0], [0, 1]])
    verdict = verify(lrnn, "a*", "float8_e4m3")
    assert isinstance(verdict, Proved)
    assert isinstance(check(verdict.certificate), Proved)


@pytest.mark.parametrize("order", [5, 7, 8, 9, 12, 15, 16, 24, 35, 60, 105])
def test_real_numbers_of_a_field(order):
    """theta is found, numbers keep their value and their sign, and equal numbers are one."""
    numbers = ARITHMETIC.field(**Field(order).data())
    theta = 2 * cos_turn(1, order)
    for x in (theta, cos_turn(2, order), theta * theta - 1, 1 - theta, sin_turn(1, order)):
        if isinstance(x, Cyclotomic) and order % x.order == 0:
            y = numbers.of([Fraction(c) for c in Field(order).text(x).split()])
            exact = isinstance(y, ARITHMETIC.Real)
            assert float(ARITHMETIC.bounds(y, y.low, y.high)[0] if exact else y) == pytest.approx(
                float(x)
            )
            assert (y > 0) == (x > 0)
            assert (y + 1 > y, y > y, y > y + 1) == (True, False, False)
            assert (y < y + 1, y < y, y + 1 < y) == (True, False, False)
    assert numbers.of([-1, 1]) * numbers.of([1, 1]) + 1 == numbers.of([0, 0, 1])


@pytest.mark.parametrize(
    "field",
    [
        {"polynomial": ["-2", "0", "1"], "interval": ["-2", "2"]},  # two roots
        {"polynomial": ["-2", "0", "1"], "interval": ["2", "3"]},  # none
        {"polynomial": ["-2", "0", "1"], "interval": ["2", "1"]},  # backwards
        {"polynomial": ["0", "-1", "0", "1"], "interval": ["-2", "2"]},  # three
        {"polynomial": ["1"], "interval": ["0", "1"]},
    ],
)
def test_theta_must_be_well_defined(field):
    with pytest.raises((ValueError, ArithmeticError, LookupError)):
        ARITHMETIC.field(**field)


@pytest.mark.parametrize(
    ("polynomial", "interval", "thousandths"),
    [
        (["-2", "0", "1"], ["1", "2"], 1414),
        (["-3", "0", "1"], ["1", "2"], 1732),
        (["-6", "0", "2"], ["1", "9"], 1732),  # no monic polynomial
        (["2", "0", "-1"], ["-2", "-1"], -1415),
    ],
)
def test_theta_is_found_in_a_wide_interval(polynomial, interval, thousandths):
    """By halving, where it lies in the left half as where it lies in the right one."""
    theta = ARITHMETIC.field(polynomial, interval).of([0, 1])
    assert Fraction(thousandths, 1000) < theta < Fraction(thousandths + 1, 1000)
    assert not theta > Fraction(thousandths + 1, 1000)
    assert not theta < Fraction(thousandths, 1000)
    assert theta * theta == round(thousandths**2 / 10**6)


def test_a_set_may_stand_in_any_order():
    store = checker.Arithmetic("{1,-1,0}:once").store
    assert [store(Fraction(k, 2)) for k in (-9, -2, -1, 0, 1, 2, 9)] == [-1, -1, -1, 0, 0, 1, 1]


def neighbours(name):
    """Numbers of a format in a row."""
    if name[0] == "{":
        return list(map(Fraction, name[1:-1].split(",")))
    if name.startswith("fixed"):
        return [k * Fraction(2) ** -int(name.partition(".")[2]) for k in range(-4, 5)]
    first = 1 << checker.FLOATS[name][0] - 1
    return list(range(first, first + 5))


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_the_cast_model_takes_the_smaller_of_two(name):
    """At every midpoint, where rounding takes the even one of floating and fixed point."""
    near = ARITHMETIC.Cast(checker.Arithmetic(f"{name}:cast"), [], ()).near
    store, even = checker.Arithmetic(f"{name}:once").store, []
    for x, y in itertools.pairwise(neighbours(name)):
        assert near(Fraction(x + y) / 2) == x == parse_format(name).cast(Fraction(x + y) / 2)
        even.append(store(Fraction(x + y) / 2) == y)
    assert any(even) == (name[0] != "{")


def test_long_numbers_are_read_out_exactly():
    """Of 64 bits; in doubles both codewords would have one score."""
    lrnn = weighing([2**54 + 3], [[2**54], [2**54 + 4]])
    verdict = verify(lrnn, "a*", "fixed64.0")
    assert isinstance(verdict, Proved)
    assert isinstance(check(verdict.certificate, lrnn), Proved)


def scales(*betas):
    """The product of the numbers 1 - beta, as factors of which the last acts first."""
    keys = np.ones((len(betas), 1), int)
    return Householder(keys, np.array(betas, object), np.array([0, len(betas)]))


HALVES = Dense(np.full((1, 2, 2), Fraction(1, 2)))
NEAR = Fraction(1, 256)
ROUNDED = {
    "a sum, once": (weighing([1, 1], [[0, 0], [1, 1]], HALVES), "fixed8.0:once", "fixed8.0:each"),
    "products, each": (weighing([1, 1], [[1, 1], [0, 0]], HALVES), "fixed8.0:each",
                       "fixed8.0:once"),
    # a quarter of 1 is stored as 0, and four times as much is 0
    "after each factor": (weighing([1], [[1], [0]], scales(-3, Fraction(3, 4))),
                          "fixed8.0:once+factored", "fixed8.2:once+factored"),
    # (1 + 1/256) (1 - 1/256) is nearly 1, but bfloat16 has no 1 + 1/256
    "after all factors": (weighing([1], [[1 - NEAR], [1]], scales(NEAR, -NEAR)),
                          "bfloat16:wide+factored", "bfloat16:once+factored"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROUNDED)
def test_a_proof_that_rests_on_where_is_rounded(name):
    """It holds in one semantics, and not in another one that the certificate may be changed to."""
    lrnn, arithmetic, other = ROUNDED[name]
    verdict = verify(lrnn, "a*", arithmetic)
    assert isinstance(verdict, Proved)
    assert isinstance(check(verdict.certificate, lrnn), Proved)
    assert isinstance(verify(lrnn, "a*", other), Refuted)
    change = {"arithmetic": str(Arithmetic.parse(other))}
    with pytest.raises(ValueError, match=r"an answer is not proved|answered wrongly"):
        check(forged(verdict.certificate, lambda d: d.update(change)))


def test_a_proof_that_rests_on_overflow():
    """A counter of 4 bits that wraps counts modulo 16; one that saturates stays at 7."""
    lrnn, answers = counter(3), [int(3 <= k <= 7) for k in range(16)]
    delta = [[*range(1, 16), 0]]
    cycle = Automaton.from_table(delta, accepting=np.flatnonzero(answers), letters="a")
    ends = Automaton.from_regex("aaaa*")
    for automaton, right, wrong in (
        (cycle, "fixed4.0!wrap:once", "fixed4.0:once"),
        (ends, "fixed4.0:once", "fixed4.0!wrap:once"),
    ):
        for order in ("", "@chunk:3"):
            certificate = verify(lrnn, automaton, right + order).certificate
            assert isinstance(check(certificate, lrnn), Proved)
            change = {"arithmetic": wrong + order}
            with pytest.raises(ValueError, match=r"wrongly|map|not proved"):
                check(forged(certificate, lambda d, c=change: d.update(c)))
