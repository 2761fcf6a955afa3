"""Verdicts in every order of evaluation: proved once for all orders, or order by order."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import compile_dfa
from lrnn_theory import (
    Automaton,
    Diagonal,
    Layer,
    Level,
    Proved,
    Refuted,
    Undecided,
    check,
    languages,
    scan,
    verify,
)
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cascade import Budget as CascadeBudget
from lrnn_theory.cascade import decompose
from lrnn_theory.exactness import computes_exactly
from lrnn_theory.strategies import automata
from lrnn_theory.verification import orderfree
from lrnn_theory.verification.compositional import prove
from lrnn_theory.verification.equivalence import Question
from lrnn_theory.verification.orderfree import NotOrderFreeError, close_products
from lrnn_theory.wiring import wire

THREE = Automaton.from_table([[1, 2, 0]], accepting=[True, False, False], letters="1")


def rotation(m):
    delta = [[(i + 1) % m for i in range(m)]]
    automaton = Automaton.from_table(delta, accepting=[i == 0 for i in range(m)], letters="1")
    return compile_dfa(automaton, "rotation"), automaton


@pytest.mark.parametrize("order", ["@chunk:1", "@chunk:7", "@chunk", "@tree"])
@pytest.mark.parametrize(
    "form", ["float32", "bfloat16", "float8_e4m3", "fixed8.0", "{-4,-3,-2,-1,0,1,2,3,4}"]
)
def test_integer_layers_are_right_in_every_order(order, form):
    """S5 by integer reflections, in eight bits: nothing is rounded, so no order matters."""
    automaton = languages.symmetric_group(5)
    lrnn = compile_dfa(automaton)
    assert computes_exactly(lrnn, Arithmetic.parse(form + order))
    verdict = verify(lrnn, automaton, form + order)
    assert isinstance(verdict, Proved)
    assert verdict.certificate.data["bracketing"] == "exact"


@pytest.mark.parametrize("form", ["float32", "float16:each"])
def test_a_closed_set_of_rounded_products_covers_every_order(form):
    """The rotation by a third of a turn closes under rounded products in float32 only."""
    lrnn, automaton = rotation(3)
    verdict = verify(lrnn, automaton, f"{form}@tree")
    if form == "float32":
        assert isinstance(verdict, Proved)
        assert verdict.certificate.data["bracketing"] == "order-free"
        assert isinstance(check(verdict.certificate), Proved)
        assert isinstance(verify(lrnn, automaton, f"{form}@chunk:5"), Proved)
    else:
        assert not isinstance(verdict, Proved)


@pytest.mark.parametrize(
    ("arithmetic", "length"), [("bfloat16@tree", 720), ("bfloat16:each@tree", 963)]
)
def test_a_tree_errs_where_letter_after_letter_never_does(arithmetic, length):
    lrnn, automaton = rotation(3)
    assert isinstance(verify(lrnn, automaton, arithmetic.partition("@")[0]), Proved)
    verdict = verify(lrnn, automaton, arithmetic)
    assert isinstance(verdict, Refuted)
    assert len(verdict.word) == length
    word = torch.zeros(1, length, dtype=torch.long)
    outputs = scan(lrnn, word, arithmetic)[0].tolist()
    wanted = [int(t % 3 == 0) for t in range(1, length + 1)]
    assert outputs[:-1] == wanted[:-1]
    assert outputs[-1] != wanted[-1]


def test_chunks_are_a_finite_machine():
    """A closure decides; chunks of one letter are letter after letter; words replay in the scan."""
    lrnn, automaton = rotation(5)
    verdicts = {c: verify(lrnn, automaton, f"bfloat16:each@chunk:{c}") for c in (1, 2, 4)}
    sequential = verify(lrnn, automaton, "bfloat16:each")
    assert type(verdicts[1]) is type(sequential)
    for c, verdict in verdicts.items():
        if isinstance(verdict, Refuted):
            word = torch.zeros(1, len(verdict.word), dtype=torch.long)
            outputs = scan(lrnn, word, f"bfloat16:each@chunk:{c}")[0].tolist()
            assert outputs[-1] != int(len(verdict.word) % 5 == 0)
        else:
            assert isinstance(verdict, Proved)


@settings(max_examples=40)
@given(automata(max_states=4), st.sampled_from(["@chunk:2", "@chunk:5", "@tree"]), st.data())
def test_scans_in_an_order_agree_where_nothing_is_rounded(automaton, order, data):
    lrnn = compile_dfa(automaton)
    tokens = data.draw(
        st.lists(st.integers(0, automaton.n_letters - 1), min_size=1, max_size=9).map(lambda w: [w])
    )
    form = data.draw(st.sampled_from(["bfloat16", "float8_e5m2:once", "fixed8.0", "{-1,0,1,2}"]))
    plain = scan(lrnn, tokens, "exact")
    assert torch.equal(scan(lrnn, tokens, form + order), plain)
    assert np.array_equal(plain.numpy(), automaton.transduce(np.array(tokens)))


@pytest.mark.parametrize("order", ["@chunk:4", "@tree"])
@pytest.mark.parametrize("form", ["bfloat16", "{-3,-2,-1,0,1,2,3}"])
def test_products_of_many_letters_are_in_their_order(form, order):
    """In S4 blocks of four letters do not commute, nor do the letters in them."""
    group = languages.symmetric_group(4)
    names = [str(i) for i in range(group.n_states)]
    automaton = Automaton.from_table(
        group.delta, outputs=np.arange(group.n_states), output_symbols=names, letters=group.letters
    )
    tokens = np.random.default_rng(0).integers(group.n_letters, size=(7, 43))
    found = scan(compile_dfa(automaton), tokens, form + order, backend="reference")
    assert np.array_equal(found.numpy(), automaton.transduce(tokens))


def test_a_tree_that_cannot_be_decided_says_what_was_covered():
    lrnn, automaton = rotation(60)
    verdict = verify(lrnn, automaton, "float32@tree", budget=50)
    assert isinstance(verdict, Undecided)
    assert verdict.covered >= 40


def test_a_tail_needs_the_numbers_that_it_computes_with():
    """0 and 1 in dense rows; factors of swaps compute with -1 too."""
    automaton = languages.random_automaton(10, seed=2)
    lrnn = wire(decompose(automaton, budget=CascadeBudget(contexts=40)), shifted=False)
    assert lrnn.tail is not None
    for arithmetic, kind in [
        ("fixed8.8", Undecided),  # ends below 1
        ("{0,1}", Proved),
        ("{-1,0,1}:each", Proved),
        ("bfloat16:each+factored", Proved),
    ]:
        verdict = verify(lrnn, automaton, arithmetic)
        assert isinstance(verdict, kind), arithmetic
        if kind is Proved:
            assert isinstance(check(verdict.certificate), Proved)
    tokens = np.random.default_rng(0).integers(automaton.n_letters, size=(5, 60))
    wanted = automaton.transduce(tokens)
    for arithmetic in ("bfloat16:each+factored", "{-1,0,1}:each"):
        assert np.array_equal(scan(lrnn, tokens, arithmetic).numpy(), wanted)


# -------------------------------------------------------------------- closed sets of products


def closed(arithmetic, weights, inputs, readout, maps, reads="current"):
    """Scalars from 1 on, over the codewords -1 and 1, in all orders."""
    count = len(weights)
    layer = Layer(
        Diagonal(np.array(weights, object).reshape(count, 1)),
        b=np.array(inputs, object).reshape(count, 1, 1),
        h0=np.array([[1]]),
        codewords=(np.array([[[-1]], [[1]]]),),
        readout=np.array(readout),
        size=2,
        initial=1,
    )
    every = np.arange(count)
    level = Level(layer, every, np.zeros((count, 2), int), reads)
    return close_products(level, Arithmetic.parse(arithmetic), np.array(maps), every)


ALTERNATE = ([-1], [0], [[[1, 0], [0, 1]]], [[1, 0]])


@pytest.mark.parametrize(
    ("readout", "reads", "right"),
    [
        ([1, 0], "previous", True),
        ([0, 0], "previous", False),
        ([1, 1], "previous", False),
        ([0, 0], "current", True),
        ([1, 1], "current", False),
        ([0, 0], "shifted", True),
    ],
)
def test_a_level_is_told_what_it_reads(readout, reads, right):
    weights, inputs, table, maps = ALTERNATE
    table = [[readout, table[0][1]]]
    if right:
        assert closed("{-1,0,1}", weights, inputs, table, maps, reads) > 0
    else:
        with pytest.raises(NotOrderFreeError, match="misread"):
            closed("{-1,0,1}", weights, inputs, table, maps, reads)


@pytest.mark.parametrize("text", ["{-1,1}", "exact", "float32:each+factored"])
def test_products_of_matrices_need_a_zero_a_format_and_no_factors(text):
    with pytest.raises(NotOrderFreeError, match=r"zero|factors"):
        closed(text, *ALTERNATE)


def test_a_product_is_read_after_its_last_letter():
    """Each letter writes a number of its own, and only its own readout knows what that means."""
    readout = [[[1, 0], [1, 1]], [[1, 1], [1, 0]]]
    assert closed("{-1,0,1}", [0, 0], [1, -1], readout, [[-1, 1]] * 2) == 4


def test_a_letter_may_come_before_a_block():
    """One bracketing of three letters leaves the numbers that are read as 1."""
    quarter, half = Fraction(1, 4), Fraction(1, 2)
    readout, maps = [[[0, 0], [1, 1]]] * 2, [[-1, 1]] * 2
    with pytest.raises(NotOrderFreeError, match="misread"):
        closed("{-2,-1,0,1,2}:once", [-half, 1], [2, quarter], readout, maps)


def test_states_are_taken_on_letter_after_letter():
    """The product of two letters leads back to 1, but one after the other to 0, which is a tie."""
    with pytest.raises(NotOrderFreeError, match="misread"):
        closed("{-1,0,1}", [-1], [-1], [[[1, 0], [0, 1]]], [[1, 0]])


def test_maps_may_be_too_many_or_too_large(monkeypatch):
    with pytest.raises(NotOrderFreeError, match="not finite"):
        closed("float8_e5m2", [2], [0], [[[0, 0], [1, 1]]], [[-1, 1]])
    readout = [[[1, 0], [1, 1]], [[1, 1], [1, 0]]]
    monkeypatch.setattr(orderfree, "MAX_MAPS", 3)
    with pytest.raises(NotOrderFreeError, match="more than 3"):
        closed("{-1,0,1}", [0, 0], [1, -1], readout, [[-1, 1]] * 2)


def test_maps_of_coordinates_do_not_commute():
    """S3 by reflections, proved for all orders at once although nothing is rounded."""
    automaton = languages.symmetric_group(3)
    question = Question(compile_dfa(automaton), automaton.minimize(), Arithmetic.parse("bfloat16"))
    found = prove(question.lrnn, question.target, question.arithmetic, 1000, order_free=True)
    assert len(found.layer_states) == len(question.lrnn.levels)
