"""Certificates of orders of evaluation, of heads and of tails; forgeries of them are rejected."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from networks import counter, weighing
from test_certificates import forged, level

from constructions import compile_dfa
from lrnn_theory import (
    LRNN,
    Automaton,
    Dense,
    Diagonal,
    Layer,
    Level,
    Proved,
    Refuted,
    check,
    languages,
    verify,
)
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.verification import checker
from lrnn_theory.verification.certificate import certify
from lrnn_theory.wiring import wire

ORDERS = ["bfloat16@chunk:3", "float16:once@tree", "fixed8.0:each@tree", "float32:each+fma@chunk:1"]


@pytest.mark.parametrize("arithmetic", ORDERS)
def test_where_nothing_is_rounded_all_orders_agree(arithmetic):
    for automaton in (languages.symmetric_group(3), Automaton.from_regex("a*b(a|b)*")):
        lrnn = compile_dfa(automaton)
        verdict = verify(lrnn, automaton, arithmetic)
        assert verdict.certificate.data["bracketing"] == "exact"
        assert isinstance(check(verdict.certificate, lrnn), Proved)
    for change in (
        lambda d: level(d)["actions"][0]["a"][0][0].__setitem__(1, "2"),
        lambda d: level(d)["actions"][0].update(b=["1/3"] * level(d)["n"]),
        lambda d: level(d)["actions"][0]["a"][0].append([level(d)["n"] - 1, "1"]),
        lambda d: d.update(bracketing="sequential"),
    ):
        with pytest.raises(ValueError, match=r"entries|format|matrix|order|malformed"):
            check(forged(verdict.certificate, change))


def test_a_counter_rounds_in_the_end():
    """It is exact up to 2^8, where bfloat16 stands still but exact numbers do not."""
    lrnn, automaton = counter(3), Automaton.from_regex("aaaa*")
    arithmetic = Arithmetic.parse("bfloat16:each@chunk:4")
    facts = {"method": "orbit", "preperiod": 256, "period": 1, "bracketing": "exact"}
    with pytest.raises(ValueError, match="none of the format"):
        check(certify(lrnn, automaton, arithmetic, "proved", **facts))


def one_action(h0, transition, b=0, words=None):
    """A network over one letter that says 1 while its state is nearest to the last codeword."""
    lrnn = weighing(h0, [h0] if words is None else words, transition)
    layer = replace(lrnn.levels[0].layer, b=np.full((1, len(h0), 1), b))
    return replace(lrnn, heads=((replace(lrnn.levels[0], layer=layer),),))


OFF_THE_GRID = {
    # -(-8) - 1 = 7, but -(-8) is no number of four bits
    "a negative": ("fixed4.0:each@tree", one_action([-8], Diagonal([[-1]]), -1)),
    # from 100 on -h + 200 stays at 100, but from 0 it reaches 200
    "a state from zero": ("fixed8.0:each@tree", one_action([100], Diagonal([[-1]]), 200)),
    # 1 1 = 1 is rounded to 0
    "a product of matrices": ("{-2,0,2}:each@tree", one_action([2], Diagonal([[1]]))),
    # 0 times the first number is NaN where matrices are dense
    "an infinity": ("float32@tree", one_action([2**200, 1], Dense(np.eye(2, dtype=int)[None]))),
    # 2^200 overflows, and 0 times it is NaN
    "a power": ("float32@tree", one_action([0], Diagonal([[2]]))),
}


@pytest.mark.parametrize("name", OFF_THE_GRID)
def test_what_only_some_order_rounds(name):
    arithmetic, lrnn = OFF_THE_GRID[name]
    automaton = Automaton.from_regex("a*")
    facts = {"method": "closure", "bracketing": "exact"}
    with pytest.raises(ValueError, match=r"of the format|move entries"):
        check(certify(lrnn, automaton, Arithmetic.parse(arithmetic), "proved", **facts))


@pytest.mark.parametrize(
    ("arithmetic", "lrnn"),
    [
        ("float16:each@chunk:2", one_action([0], Diagonal([[2]]))),  # the matrices overflow
        ("{1,2}:each@chunk:2", one_action([1, 1], Dense(np.eye(2, dtype=int)[None]))),  # 0 is 1
        ("float16:each+factored@chunk:2", one_action([1], Diagonal([[1]]))),  # no matrices
    ],
)
def test_what_no_affine_maps_can_prove(arithmetic, lrnn):
    automaton = Automaton.from_regex("a*")
    facts = {"method": "compositional", "bracketing": "order-free"}
    with pytest.raises(ValueError, match=r"affine map"):
        check(certify(lrnn, automaton, Arithmetic.parse(arithmetic), "proved", **facts))


@pytest.mark.parametrize("bracketing", ["exact", "order-free"])
@pytest.mark.parametrize(
    "text",
    ["float32:each@bush", "float32:each@chunk:", "float32:each@chunk:0", "float32:each@tree:2",
     "float32:each+factored@tree", "{-1,0,1}:cast@tree", "{-1,0,1}:cast@chunk:2",
     "{-1,0,1}!sat:cast", "{-1,0,1}:cast+factored"],
)  # fmt: skip
def test_an_order_that_nobody_knows(text, bracketing):
    """Where one order stands for all, none is evaluated, and the name is asked for all the same."""
    form = text.partition(":")[0].partition("!")[0]
    certificate = verify(compile_dfa("(0|10*1)*"), "(0|10*1)*", f"{form}:each@tree").certificate
    change = {"arithmetic": text, "bracketing": bracketing}
    with pytest.raises(ValueError, match=r"unknown order|no options"):
        checker.check(forged(certificate, lambda d: d.update(change)))


def test_a_refutation_is_replayed_in_its_own_order():
    three = languages.mod(3)
    lrnn = compile_dfa(three, construction="rotation")
    wrong = verify(lrnn, languages.mod(2), "float32@tree").certificate
    for bracketing in ("exact", "order-free"):
        with pytest.raises(ValueError, match="order"):
            check(forged(wrong, lambda d, b=bracketing: d.update(bracketing=b)))


@pytest.mark.parametrize("order", ["@tree", "@chunk:5"])
def test_a_rotation_right_in_every_order(order):
    three = languages.mod(3)
    lrnn = compile_dfa(three, construction="rotation")
    verdict = verify(lrnn, three, "float32" + order)
    assert verdict.certificate.data["bracketing"] == "order-free"
    assert isinstance(check(verdict.certificate, lrnn), Proved)
    for change in (
        lambda d: d.update(method="closure"),
        lambda d: d.update(bracketing="exact"),
        lambda d: level(d)["readout"][0].__setitem__(0, [1, 1]),
        lambda d: d.update(arithmetic="bfloat16:each@tree"),
    ):
        with pytest.raises(ValueError, match=r"order|matrix|coordinate|format"):
            check(forged(verdict.certificate, change))


def test_right_letter_after_letter_but_not_as_a_tree():
    """1 is rounded to 1 after each letter, but 3/5 3/5 is rounded to 0."""
    lrnn = one_action([1], Diagonal([[Fraction(3, 5)]]), words=[[0], [1]])
    automaton = Automaton.from_regex("a*")
    assert isinstance(check(verify(lrnn, automaton, "{0,1}:once").certificate), Proved)
    assert isinstance(check(verify(lrnn, automaton, "{0,1}:once@tree").certificate), Refuted)
    facts = {"method": "compositional", "bracketing": "order-free"}
    with pytest.raises(ValueError, match="coordinate"):
        check(certify(lrnn, automaton, Arithmetic.parse("{0,1}:once@tree"), "proved", **facts))


def test_blocks_are_multiplied_in_both_orders():
    """Each letter keeps 1, and so does ab as one block, but ba as one block takes it to 0."""
    layer = Layer(
        Diagonal([[Fraction(3, 10)], [Fraction(4, 5)]]),
        b=np.array([[[Fraction(2, 5)]], [[Fraction(3, 10)]]]),
        h0=np.array([[1]]),
        codewords=(np.array([[[0]], [[1]]]),),
        readout=np.array([[[0, 0], [0, 1]]] * 2),
        size=2,
        initial=1,
    )
    letters = np.arange(2)
    level = Level(layer, letters, np.array([[0, 1]] * 2), "current")
    lrnn = LRNN(("a", "b"), letters, ((level,),), letters, 1)
    automaton = Automaton.from_regex("(a|b)*")
    assert isinstance(verify(lrnn, automaton, "{0,1}:once"), Proved)
    verdict = verify(lrnn, automaton, "{0,1}:once@tree")
    assert isinstance(verdict, Refuted)
    assert verdict.word == ("b", "a")
    facts = {"method": "compositional", "bracketing": "order-free"}
    with pytest.raises(ValueError, match="coordinate"):
        check(certify(lrnn, automaton, Arithmetic.parse("{0,1}:once@tree"), "proved", **facts))


def test_a_tree_needs_a_reason():
    """Without one, its states are not finite; a chunk's are, and can be closed."""
    three = languages.mod(3)
    lrnn = compile_dfa(three, construction="rotation")
    tree = certify(lrnn, three, Arithmetic.parse("float32@tree"), "proved", method="closure")
    with pytest.raises(ValueError, match="order"):
        check(tree)
    chunk = certify(lrnn, three, Arithmetic.parse("float32@chunk:5"), "proved", method="closure")
    assert isinstance(check(chunk), Proved)
    wrong = verify(lrnn, languages.mod(2), "float32@tree")
    assert isinstance(check(wrong.certificate, lrnn), Refuted)


@pytest.mark.parametrize("order", ["", "@chunk:2"])
def test_an_entry_outside_a_matrix(order):
    """Where letters are multiplied, only entries inside count; it is no matrix all the same."""
    three = languages.mod(3)
    lrnn = compile_dfa(three, construction="rotation")
    certificate = verify(lrnn, three, "float32" + order).certificate
    with pytest.raises(ValueError, match="unordered entries"):
        check(forged(certificate, lambda d: level(d)["actions"][0]["a"][0].append([2, "1"])))


def test_factors_are_not_matrices():
    """A matrix that is not diagonal does not fit a factored arithmetic, nor factors others."""
    three = languages.symmetric_group(3)
    lrnn = compile_dfa(three)
    dense, factored = (verify(lrnn, three, f"bfloat16:each{x}") for x in ("", "+factored"))
    assert isinstance(check(factored.certificate, lrnn), Proved)
    for certificate, text in ((dense, "bfloat16:each+factored"), (factored, "bfloat16:each")):
        with pytest.raises(ValueError, match=r"no matrix|factors"):
            check(forged(certificate.certificate, lambda d: d.update(arithmetic=text)))  # noqa: B023
    chunk = {"arithmetic": "bfloat16:each+factored@chunk:1"}
    assert isinstance(check(forged(factored.certificate, lambda d: d.update(chunk))), Proved)
    chunk = {"arithmetic": "bfloat16:each@chunk:1"}
    with pytest.raises(ValueError, match="no matrix"):
        check(forged(factored.certificate, lambda d: d.update(chunk)))


def test_a_misread_previous_coordinate():
    automaton = Automaton.from_regex("(a|b)*ab*a").minimize()
    lrnn = wire(decompose(automaton), shifted=False)
    certificate = verify(lrnn, automaton, "bfloat16").certificate
    levels = certificate.data["lrnn"]["heads"][0]
    depth = next(i for i, v in enumerate(levels) if v["reads"] == "previous")

    def lie(data):
        liar = data["lrnn"]["heads"][0][depth]
        size = len(liar["next"][0])
        for pair in (pair for row in liar["readout"] for pair in row):
            pair[0] = (pair[0] + 1) % size

    with pytest.raises(ValueError, match="coordinate"):
        check(forged(certificate, lie))


def test_heads_are_read_together():
    """Even numbers of a and of b, each by a parity of its own."""
    parity = compile_dfa("(0|10*1)*").levels[0]
    heads = [
        replace(parity, action=np.array(x), next=np.array([[0, 1]] * 2)) for x in ([1, 0], [0, 1])
    ]
    layer = parity.layer
    assert layer.transition.matrix(1) == -1 == -layer.transition.matrix(0)
    lrnn = LRNN(
        ("a", "b"),
        np.array([0, 1]),
        tuple((replace(v, reads="current"),) for v in heads),
        np.array([1, 0, 0, 0]),
        1,
        combine=(np.arange(4).reshape(2, 2),),
    )
    automaton = Automaton.from_regex("(aa|bb|(ab|ba)(aa|bb)*(ab|ba))*")
    for method in ("compositional", "closure"):
        certificate = certify(
            lrnn, automaton, Arithmetic.parse("bfloat16"), "proved", method=method
        )
        assert isinstance(check(certificate, lrnn), Proved)
        for combine in ([[[0, 0], [2, 3]]], [[[0, 1], [0, 3]]], []):
            with pytest.raises(ValueError, match=r"answer|malformed"):
                check(forged(certificate, lambda d, c=combine: d["lrnn"].update(combine=c)))


def test_a_readout_sees_what_a_shifted_level_remembered():
    """Was the letter before a b?  aa and ba lead to one state, but not from one."""
    automaton = Automaton.from_table(
        np.array([[0, 0], [1, 1]]), outputs=np.array([[0, 1], [0, 1]]), output_symbols=("0", "1")
    )
    lrnn = wire(decompose(automaton), shifted=True)
    assert [v.reads for v in lrnn.levels] == ["shifted"]
    own = certify(lrnn, automaton, Arithmetic.parse("exact"), "proved", method="closure")
    assert isinstance(check(own), Proved)
    words = (("a", "a"), ("b", "a"))
    with pytest.raises(ValueError, match="look alike"):
        check(certify(lrnn, automaton, Arithmetic.parse("exact"), "confused", words=words))
    assert isinstance(check(verify(lrnn, automaton, "exact", decoder="any").certificate), Proved)
    empty = certify(lrnn, automaton, Arithmetic.parse("exact"), "refuted")
    with pytest.raises(ValueError, match="answered correctly"):
        check(empty)
    with pytest.raises(ValueError, match="answered correctly"):  # no answer is no wrong answer
        check(forged(empty, lambda d: d["lrnn"].update(empty="0")))


def with_a_tail():
    automaton = languages.symmetric_group(4)
    core = automaton.minimize().merge_letters()[1]
    return wire(decompose(core, budget=Budget(contexts=0)), shifted=False), core


def test_a_tail():
    lrnn, automaton = with_a_tail()
    arithmetic = Arithmetic.parse("float8_e5m2")
    by_layers = verify(lrnn, automaton, arithmetic).certificate
    assert isinstance(check(by_layers, lrnn), Proved)
    closed = certify(lrnn, automaton, arithmetic, "proved", method="closure")
    assert isinstance(check(closed, lrnn), Proved)
    narrow = certify(lrnn, automaton, Arithmetic.parse("fixed8.8:each"), "proved", method="closure")
    with pytest.raises(ValueError, match="needs 0 and 1"):
        check(narrow)
    tail = by_layers.data["lrnn"]["tail"]
    states, sizes = len(tail["delta"][0]), len(tail["initial"])
    for change in (
        {"contexts": [[x, a, y[:-1]] for x, a, y in tail["contexts"]]},
        {"contexts": [[x, (a + 1) % 2, list(range(states))] for x, a, y in tail["contexts"]]},
        {"initial": [1, *tail["initial"][1:]] if tail["initial"][0] != 1 else [0] * sizes},
        {"initial": tail["initial"][1:]},
        {"delta": tail["delta"][::-1]},
        {"answers": tail["answers"][::-1]},
    ):
        with pytest.raises(ValueError, match=r"tail|answer|malformed"):
            check(forged(by_layers, lambda d, c=change: d["lrnn"]["tail"].update(c)))


def test_what_no_tail_may_be():
    """It follows one head, every context holds what its letter leads to, and factors need -1."""
    lrnn, automaton = with_a_tail()
    certificate = verify(lrnn, automaton, "{-1,0,1}:each+factored").certificate
    assert isinstance(check(certificate, lrnn), Proved)
    net = certificate.data["lrnn"]
    every, classes = range(len(net["tail"]["contexts"])), {*net["letter_class"]}
    second = {"heads": [*net["heads"], []], "combine": [[[i] * len(classes) for i in every]]}
    elsewhere = [[0], 0, [net["tail"]["delta"][0][0] + 1]]
    for change, message in (
        (lambda d: d.update(arithmetic="{0,1}:each+factored"), "needs 0 and 1"),
        (lambda d: d["lrnn"].update(second), "one head"),
        (lambda d: d["lrnn"]["tail"]["contexts"].append(elsewhere), "wrong context"),
    ):
        with pytest.raises(ValueError, match=message):
            check(forged(certificate, change))
    assert isinstance(
        check(forged(certificate, lambda d: d.update(arithmetic="{0,1}:each"))), Proved
    )


@pytest.mark.parametrize("place", [0, 2])
def test_a_block_of_a_tail_means_one_thing(place):
    """One context with a state more or less, before or after its letter, spoils the proof."""
    automaton = Automaton.from_regex("(a|b)*a(a|b)(a|b)(a|b)").minimize()
    lrnn = wire(decompose(automaton, budget=Budget(contexts=10)), shifted=False)
    certificate = verify(lrnn, automaton, "bfloat16").certificate
    contexts = certificate.data["lrnn"]["tail"]["contexts"]
    for i, context in enumerate(contexts):
        for q in range(automaton.delta.shape[1]):
            block = sorted({*context[place]} ^ {q})
            with pytest.raises(ValueError, match=r"tail|malformed|layer"):
                check(
                    forged(
                        certificate,
                        lambda d, i=i, block=block: d["lrnn"]["tail"]["contexts"][i].__setitem__(
                            place, block
                        ),
                    )
                )
