"""Triton kernels against the plain scan, bit for bit; interpreted where there is no GPU."""

from dataclasses import replace
from fractions import Fraction
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import NATIVE, chains, networks, random_words, same_bits, signed, weighing

pytest.importorskip("triton", reason="Triton is made for Linux only")

from constructions import compile_dfa
from lrnn_theory import LRNN, Dense, Layer, Level, languages, scan
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cuda import copies, packed, stretches
from lrnn_theory.cuda.scan import GpuScan
from lrnn_theory.dispatch import summaries
from lrnn_theory.scanning import UnsupportedError
from lrnn_theory.strategies import arithmetics, automata

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
OVERFLOWS = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
"""The interpreter is numpy, which speaks up where numbers overflow."""
SMALL = settings(max_examples=12 if DEVICE == "cpu" else 4)  # a kernel is compiled for each


def assert_same_in_triton(lrnn, tokens, arithmetic, lengths=None, initial=None):
    """All ways of calling; the state of the reference."""
    for outputs in ("all", "last", *["bits"] * (lrnn.kind == "dfa")):
        found, wanted = (
            scan(
                lrnn, tokens, arithmetic, lengths=lengths, outputs=outputs, return_state=True,
                device=DEVICE, backend=of, initial=initial,
            )
            for of in ("triton", "reference")
        )  # fmt: skip
        assert found[0].dtype == wanted[0].dtype
        assert torch.equal(found[0], wanted[0])
        assert torch.equal(found[1].output, wanted[1].output)
        pairs = zip(found[1].hidden, wanted[1].hidden, strict=True)
        assert all(same_bits(*map(_on_host, pair)) for pair in pairs)
        if lengths is None and initial is None:  # then states need not be kept
            alone = scan(lrnn, tokens, arithmetic, outputs=outputs, device=DEVICE, backend="triton")
            assert alone.dtype == wanted[0].dtype
            assert torch.equal(alone, wanted[0])
    return wanted[1]


def _on_host(x):
    return x.cpu() if isinstance(x, torch.Tensor) else x


@OVERFLOWS
@SMALL
@given(chains(), st.sampled_from(NATIVE), st.integers(0, 2**32))
def test_kernels_for_chains_that_round(lrnn, arithmetic, seed):
    tokens, lengths = random_words(lrnn, seed, batch=3, time=7)
    state = assert_same_in_triton(lrnn, tokens, arithmetic, lengths)
    assert_same_in_triton(lrnn, tokens, arithmetic, initial=state)


@OVERFLOWS
@SMALL
@given(chains(), arithmetics(), st.integers(0, 2**32))
def test_kernels_run_any_arithmetic_or_refuse(lrnn, arithmetic, seed):
    tokens, lengths = random_words(lrnn, seed, batch=3, time=5)
    try:
        GpuScan(lrnn, arithmetic, torch.device(DEVICE))
    except UnsupportedError:
        with pytest.raises(ValueError, match="Backend 'triton' cannot run"):
            scan(lrnn, tokens, arithmetic, device=DEVICE, backend="triton")
        return
    assert_same_in_triton(lrnn, tokens, arithmetic, lengths)


@OVERFLOWS
@SMALL
@given(signed(), st.sampled_from(["float32", "bfloat16:once", "exact"]), st.integers(0, 2**32))
def test_kernels_for_packed_layers(lrnn, arithmetic, seed):
    tokens, lengths = random_words(lrnn, seed, batch=3, time=9, dtype=np.uint8)
    state = assert_same_in_triton(lrnn, tokens, arithmetic, lengths)
    with (
        patch.object(copies, "_LANES", 64),
        patch.object(copies, "_SHORTEST", 8),
        patch.object(copies, "_GROUP", 2),
    ):
        tokens, _ = random_words(lrnn, seed, batch=2, time=33)
        assert_same_in_triton(lrnn, tokens, arithmetic, initial=_repeated(state, 2))


@OVERFLOWS
@SMALL
@given(
    networks().filter(lambda x: all(x.heads) and all(v.reads != "shifted" for v in x.levels)),
    st.sampled_from(NATIVE), st.integers(0, 2**32),
)  # fmt: skip
def test_kernels_for_heads_that_round(lrnn, arithmetic, seed):
    tokens, lengths = random_words(lrnn, seed, batch=3, time=7)
    state = assert_same_in_triton(lrnn, tokens, arithmetic, lengths)
    assert_same_in_triton(lrnn, tokens, arithmetic, initial=state)


@OVERFLOWS
@pytest.mark.parametrize(
    ("modulus", "construction", "in_stretches"),
    [(60, None, True), (6, None, True), (35, "rotation", False)],
)
def test_kernels_for_counters_of_several_heads(modulus, construction, in_stretches):
    automaton = languages.mod(modulus, "ab")
    lrnn = compile_dfa(automaton)
    if construction:
        x, y = (compile_dfa(languages.mod(p, "ab"), construction) for p in (5, 7))
        both = x.output[:, None] * y.output
        lrnn = replace(x, heads=x.heads + y.heads, combine=(both,), output=np.arange(2))
    assert len(lrnn.heads) > 1
    fast = GpuScan(lrnn, Arithmetic.parse("float32"), torch.device(DEVICE))
    assert all(head.copies for head in fast.heads) == in_stretches
    tokens, lengths = random_words(lrnn, 0, batch=3, time=75, dtype=np.uint8)
    state = assert_same_in_triton(lrnn, tokens, "float32", lengths)
    with patch.object(copies, "_LANES", 64), patch.object(copies, "_SHORTEST", 8):
        assert_same_in_triton(lrnn, tokens, "float32", initial=state)
        assert_same_in_triton(lrnn, tokens, "float32")
    found = scan(lrnn, tokens, device=DEVICE, backend="triton").cpu().numpy()
    assert (found == automaton.transduce(tokens)).all()


@OVERFLOWS
@SMALL
@given(signed(), st.integers(1, 40), st.integers(0, 99))
def test_summaries_of_stretches(lrnn, time, seed):
    tokens, _ = random_words(lrnn, seed, batch=2, time=time, dtype=np.uint8)
    words = torch.from_numpy(tokens).to(DEVICE)
    wanted = summaries(lrnn, "float32").moves(torch.from_numpy(tokens))
    with (
        patch.object(copies, "_LANES", 4),
        patch.object(copies, "_SHORTEST", 4),
        patch.object(copies, "_GROUP", 2),
        patch.object(stretches, "_LANES", 4),
        patch.object(stretches, "_SHORTEST", 4),
    ):
        for fast in _with_and_without_copies(lrnn):
            found = fast.stretches.moves(words)
            assert torch.equal(found.names.cpu(), wanted.names)
            assert torch.equal(found.added.cpu(), wanted.added)


def _with_and_without_copies(lrnn):
    """Summaries by bytes, if there are such, and by names."""
    yield GpuScan(lrnn, Arithmetic.parse("float32"), torch.device(DEVICE))
    with patch("lrnn_theory.cuda.heads._copies", return_value=None):
        yield GpuScan(lrnn, Arithmetic.parse("float32"), torch.device(DEVICE))


def _repeated(state, batch):
    return state.take(np.arange(len(state.output)) < batch)


@OVERFLOWS
@pytest.mark.parametrize(
    ("name", "construction"),
    [("s5", None), ("iso_date", None), ("flip_flop", None), ("mod_60", "cyclic")],
)
def test_kernels_for_named_machines(name, construction):
    automaton = languages.BESTIARY[name]()
    lrnn = compile_dfa(automaton, construction)
    tokens, lengths = random_words(lrnn, 0, batch=5, time=14, dtype=np.uint8)
    assert_same_in_triton(lrnn, tokens, "bfloat16", lengths)
    for batch in (1, 1, 2):  # a second scan starts where the first did
        state = assert_same_in_triton(lrnn, tokens[:batch], "fixed70.30")
    assert_same_in_triton(lrnn, tokens[:2], "fixed70.30", initial=state)
    found = scan(lrnn, tokens, "float32@tree", device=DEVICE, backend="triton").cpu().numpy()
    assert (found == automaton.transduce(tokens)).all()


@OVERFLOWS
@SMALL
@given(automata(max_states=4), st.booleans(), st.integers(0, 99))
def test_levels_of_a_cascade_may_read_a_letter_each(automaton, staggered, seed):
    lrnn = compile_dfa(automaton)
    assume(len(lrnn.heads) == 1 < len(lrnn.levels) and not lrnn.tail)
    with patch.object(packed, "_FEW_LANES", 1 << 16 if staggered else 0):
        tokens, lengths = random_words(lrnn, seed, batch=3, time=8 + seed % 2, dtype=np.uint8)
        state = assert_same_in_triton(lrnn, tokens, "bfloat16", lengths)
        assert_same_in_triton(lrnn, tokens, "bfloat16", initial=state)
        found = scan(lrnn, tokens, device=DEVICE, backend="triton").cpu().numpy()
    symbols = np.array(automaton.output_symbols)[automaton.transduce(tokens)]
    assert (np.array(lrnn.output_symbols)[found] == symbols).all()


_EVERY = [1, 6, 128, 129, 256]


@pytest.mark.parametrize(
    ("machine", "letters"),
    [*(("copies", k) for k in _EVERY), *(("cascade", k) for k in _EVERY[1:]), ("rounds", 6)],
)
def test_kernels_find_letters_that_are_none(machine, letters):
    names = [f"x{i}" for i in range(letters)]
    if machine == "cascade":
        lrnn = compile_dfa(languages.contains(names[:1], names))
    else:
        rounds = machine == "rounds"
        lrnn = compile_dfa(languages.mod(3, names), construction="rotation" if rounds else None)
    tokens = np.full((2, 23), letters - 1, np.uint8)
    for outputs in ("last", "all"):
        options = {"outputs": outputs, "device": DEVICE, "backend": "triton"}
        right = scan(lrnn, tokens, **options)
        for row, place in [(0, 0), (1, 22)] * (letters < 256):
            wrong = tokens.copy()
            wrong[row, place] = letters
            with pytest.raises(ValueError, match=rf"not \d+\.\.{letters}\.$"):
                scan(lrnn, wrong, **options)
        assert torch.equal(scan(lrnn, tokens, **options), right)  # forgotten


@OVERFLOWS
@pytest.mark.parametrize("arithmetic", ["float32", "float16:once", "float32:each+factored+fma"])
def test_kernels_for_a_rotation(arithmetic):
    lrnn = compile_dfa(languages.mod(7), construction="rotation")
    tokens, lengths = random_words(lrnn, 0, batch=5, time=40, dtype=np.uint8)
    assert_same_in_triton(lrnn, tokens, arithmetic, lengths)


@OVERFLOWS
def test_a_tie_goes_to_the_first_codeword():
    lrnn = weighing([1], [[1], [1]], Dense(np.array([[[Fraction(1, 2)]]])))
    assert scan(lrnn, [[0] * 5], device=DEVICE, backend="triton").tolist() == [[0] * 5]


@OVERFLOWS
@pytest.mark.parametrize("arithmetic", ["float8_e4m3:each", "float16:each+fma", "tf32:once"])
def test_small_numbers_lose_bits(arithmetic):
    lrnn = weighing([2.0**-3], [[0], [1]], Dense(np.array([[[Fraction(9, 16)]]])))
    for batch in (1, 1, 2):  # a second scan starts where the first did
        assert_same_in_triton(lrnn, np.zeros((batch, 30), int), arithmetic)


@OVERFLOWS
def test_a_cleared_entry_is_zero():
    """The second letter clears the second entry, in a stretch of its own."""
    matrices = np.array([[[0, 1, 0], [1, 0, 0], [0, 0, -1]], [[1, 0, 0], [0, 0, 0], [0, 0, 1]]])
    codewords = np.array([[0, 2, 0], [2, 0, 0], [0, 0, 0]])[:, :, None]
    readout = np.tile(np.arange(3)[:, None], (2, 1, 2))
    h0 = np.array([[1], [2], [1]])
    layer = Layer(Dense(matrices), np.zeros((2, 3, 1), int), h0, (codewords,), readout, 3, 0)
    level = Level(layer, np.arange(2), np.tile([0, 1, 0], (2, 1)), "current")
    lrnn = LRNN(("a", "b"), np.arange(2), ((level,),), np.arange(2), 0)
    with patch.object(copies, "_LANES", 4), patch.object(copies, "_SHORTEST", 8):
        assert GpuScan(lrnn, Arithmetic.parse("float32"), torch.device(DEVICE)).heads[0].copies
        assert_same_in_triton(lrnn, random_words(lrnn, 0, batch=6, time=18)[0], "float32")


@OVERFLOWS
def test_words_that_overflow_are_read_again():
    """The second entry grows beyond every number, while the third does not know of it."""
    matrix = np.array([[[0, 0, 0], [0, 4, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 0], [0, 0, -1]]])
    codewords = np.array([[0, 1, 1], [0, 2, -1]])[:, :, None]
    readout = np.tile(np.arange(2)[:, None], (2, 1, 2))
    h0 = np.array([[0], [1], [1]])
    layer = Layer(Dense(matrix), np.zeros((2, 3, 1), int), h0, (codewords,), readout, 2, 0)
    level = Level(layer, np.arange(2), np.tile(np.arange(2), (2, 1)), "current")
    lrnn = LRNN(("a", "b"), np.arange(2), ((level,),), np.arange(2), 0)
    tokens = (np.random.default_rng(0).random((6, 40)) < 0.04).astype(np.uint8)
    state = assert_same_in_triton(lrnn, tokens, "float16")
    assert torch.isinf(state.hidden[0]).any()


@OVERFLOWS
@pytest.mark.parametrize("name", ["s5", "flip_flop"])
def test_summaries_find_letters_that_are_none(name):
    lrnn = compile_dfa(languages.BESTIARY[name]())
    for fast in _with_and_without_copies(lrnn):
        tokens, _ = random_words(lrnn, 0, batch=2, time=150, dtype=np.uint8)
        words = torch.from_numpy(tokens).to(DEVICE)
        assert fast.stretches.checks(words)
        right = fast.stretches.moves(words)
        for row, place in ((0, 0), (1, 70), (1, 149)):
            wrong = words.clone()
            wrong[row, place] = len(lrnn.letters)
            with pytest.raises(UnsupportedError, match="out of range"):
                fast.stretches.moves(wrong)
        assert torch.equal(fast.stretches.moves(words).names, right.names)  # forgotten
