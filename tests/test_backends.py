"""Fast scans against the plain one: the same outputs and the same states, bit for bit."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mutants import machine
from networks import (
    NATIVE,
    chains,
    counter,
    networks,
    random_words,
    same_bits,
    signed,
    weighing,
    with_tails,
)

from constructions import compile_dfa
from constructions.regular_language import wire
from lrnn_theory import Dense, dispatch, languages, scan
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.compiled.packed import PackedChain
from lrnn_theory.compiled.scan import CompiledScan
from lrnn_theory.packing import hash_table, pack
from lrnn_theory.scanning import UnsupportedError
from lrnn_theory.strategies import arithmetics, automata


def assert_same(lrnn, tokens, arithmetic, lengths=None, initial=None, backend="compiled"):
    """All ways of calling; returns the state."""
    for outputs in ("all", "last", *["bits"] * (lrnn.kind == "dfa")):
        found, wanted = (
            scan(
                lrnn, tokens, arithmetic, lengths=lengths, initial=initial, outputs=outputs,
                return_state=True, backend=of,
            )
            for of in (backend, "reference")
        )  # fmt: skip
        assert found[0].dtype == wanted[0].dtype
        assert torch.equal(found[0], wanted[0])
        assert torch.equal(found[1].output, wanted[1].output)
        assert all(map(same_bits, found[1].hidden, wanted[1].hidden))
        assert len(found[1].hidden) == len(wanted[1].hidden)
        for level, *read in zip(lrnn.levels, found[1].shifted, wanted[1].shifted, strict=True):
            assert level.reads != "shifted" or same_bits(*read)
    return found[1]


@given(chains(), st.sampled_from(NATIVE), st.integers(0, 2**32))
def test_chains_that_round(lrnn, arithmetic, seed):
    tokens, lengths = random_words(lrnn, seed)
    with patch("lrnn_theory.compiled.chain._TIME", 8):
        state = assert_same(lrnn, tokens, arithmetic, lengths)
        assert_same(lrnn, tokens, arithmetic, initial=state)


@given(networks(), st.sampled_from(NATIVE), st.integers(0, 2**32))
def test_heads_side_by_side_and_levels_that_read_shifted(lrnn, arithmetic, seed):
    tokens, lengths = random_words(lrnn, seed)
    with (
        patch("lrnn_theory.compiled.chain._TIME", 8),
        patch("lrnn_theory.compiled.heads._TIME", 11),
    ):
        state = assert_same(lrnn, tokens, arithmetic, lengths)
        assert_same(lrnn, tokens, arithmetic, initial=state)


@given(with_tails(), st.sampled_from([*NATIVE, "float16:each+factored"]), st.integers(0, 2**32))
def test_any_tail(lrnn, arithmetic, seed):
    """Also one that misplaces its states."""
    tokens, lengths = random_words(lrnn, seed)
    with patch("lrnn_theory.compiled.heads._TIME", 11):
        state = assert_same(lrnn, tokens, arithmetic, lengths)
        assert_same(lrnn, tokens, arithmetic, initial=state)


@settings(max_examples=30)
@given(automata(), st.sampled_from([0, 5, 20]), st.sampled_from(["exact", "fixed70.30", "tf32"]),
       st.booleans(), st.integers(0, 99))  # fmt: skip
def test_cascades_with_tails_and_shifts_are_compiled(
    automaton, contexts, arithmetic, shifted, seed
):
    core = automaton.minimize()
    lrnn = wire(decompose(core, budget=Budget(contexts=contexts)), shifted=shifted)
    lrnn = replace(lrnn, letters=core.letters)
    tokens, lengths = random_words(lrnn, seed, batch=5)
    state = assert_same(lrnn, tokens, arithmetic, lengths)
    assert_same(lrnn, tokens, arithmetic, initial=state)
    found = scan(lrnn, tokens, arithmetic, backend="compiled")
    symbols = np.array(core.output_symbols)[core.transduce(tokens)]
    assert (np.array(lrnn.output_symbols)[found] == symbols).all()


@given(networks(), arithmetics(), st.integers(0, 2**32))
def test_any_arithmetic_is_run_or_refused(lrnn, arithmetic, seed):
    tokens, lengths = random_words(lrnn, seed, batch=3, time=10)
    try:
        CompiledScan(lrnn, arithmetic)
    except UnsupportedError:
        with pytest.raises(ValueError, match="Backend 'compiled' cannot run"):
            scan(lrnn, tokens, arithmetic, backend="compiled")
        return
    assert_same(lrnn, tokens, arithmetic, lengths)


@given(signed(), st.sampled_from(["float32", "bfloat16:once", "float8_e4m3", "exact"]),
       st.integers(0, 2**32))  # fmt: skip
def test_layers_of_small_integers_are_packed(lrnn, arithmetic, seed):
    assert isinstance(CompiledScan(lrnn, Arithmetic.parse(arithmetic)).chain, PackedChain)
    tokens, lengths = random_words(lrnn, seed, batch=9, dtype=np.uint8)
    state = assert_same(lrnn, tokens, arithmetic, lengths)
    assert_same(lrnn, tokens, arithmetic, initial=state)


@given(automata(), st.sampled_from(["bfloat16", "float8_e5m2:each", "exact"]), st.integers(0, 99))
def test_compiled_automata_are_packed(automaton, arithmetic, seed):
    lrnn = compile_dfa(automaton)
    assume(lrnn.levels)
    chain = CompiledScan(lrnn, Arithmetic.parse(arithmetic)).chain
    if len(lrnn.heads) == 1:
        assert isinstance(chain, PackedChain) == (arithmetic != "exact" or _integral(lrnn))
    tokens, lengths = random_words(lrnn, seed, batch=5)
    assert_same(lrnn, tokens, arithmetic, lengths)


def _integral(lrnn):
    try:
        pack(lrnn, "exact")
    except UnsupportedError:
        return False
    return True


@pytest.mark.parametrize(
    "name", ["s5", "iso_datetime", "quoted_string", "flip_flop", "mod_60", "tcp_server"]
)
@pytest.mark.parametrize("arithmetic", ["float32", "bfloat16@chunk:64", "float16@tree"])
def test_named_machines(name, arithmetic):
    automaton = languages.BESTIARY[name]()
    lrnn = compile_dfa(automaton)
    tokens, lengths = random_words(lrnn, 0, batch=40, time=400, dtype=np.uint8)
    wanted = automaton.transduce(tokens)
    found = scan(lrnn, tokens, arithmetic, lengths=lengths, backend="compiled").numpy()
    within = np.arange(400) < lengths[:, None]
    assert (found[within] == wanted[within]).all()
    assert (found[~within] == -1).all()


@given(signed(), st.integers(1, 3), st.integers(0, 2**32))
def test_long_words_are_read_in_stretches(lrnn, batch, seed):
    tokens, _ = random_words(lrnn, seed, batch=batch, time=67)
    _, state = scan(lrnn, tokens[:, :2], return_state=True, backend="reference")
    with patch("lrnn_theory.compiled.stretches.SHORTEST", 3):
        assert_same(lrnn, tokens, "float32", initial=state)


def test_a_long_word_of_a_group():
    lrnn = compile_dfa(languages.symmetric_group(5))
    word, _ = random_words(lrnn, 0, batch=1, time=200_000, dtype=np.uint8)
    with patch("lrnn_theory.compiled.stretches.SHORTEST", 10**9):
        wanted = scan(lrnn, word, outputs="last", return_state=True, backend="compiled")
    found = scan(lrnn, word, outputs="last", return_state=True, backend="compiled")
    assert found[0].tolist() == wanted[0].tolist()
    assert all(map(same_bits, found[1].hidden, wanted[1].hidden))


def test_all_cores_share_a_batch():
    lrnn = compile_dfa(languages.BESTIARY["iso_date"]())
    tokens, lengths = random_words(lrnn, 1, batch=257, time=100, dtype=np.uint8)
    with patch("os.cpu_count", return_value=5):
        assert_same(lrnn, tokens, "bfloat16", lengths)
        assert_same(lrnn, tokens, "bfloat16:each+factored", lengths)


def test_the_default_is_the_fast_one_where_it_pays():
    lrnn = compile_dfa("(0|10*1)*")
    tokens, _ = random_words(lrnn, 0, batch=100, time=5000, dtype=np.uint8)
    with patch.object(dispatch, "read", side_effect=AssertionError):
        found = scan(lrnn, tokens)
    assert (found == scan(lrnn, tokens, backend="reference")).all()


@pytest.mark.parametrize("name", ["s5", "iso_date", "rotation"])
def test_words_of_any_integer_type_shape_and_stride(name):
    rotation = name == "rotation"
    automaton = languages.mod(7) if rotation else languages.BESTIARY[name]()
    lrnn = compile_dfa(automaton, construction=name if rotation else None)
    letters, _ = random_words(lrnn, 0, batch=9, time=30)
    kinds = [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
    for kind in kinds:
        assert_same(lrnn, letters.astype(kind), "float32")
    assert_same(lrnn, torch.from_numpy(letters).T, "float32")
    assert_same(lrnn, torch.from_numpy(letters)[::2, 1::3], "float32")
    for shape in ((0, 0), (0, 5), (3, 0)):
        assert_same(lrnn, np.zeros(shape, int), "float32")
        assert_same(lrnn, np.zeros(shape, int), "float32", lengths=[0] * shape[0])
    assert_same(lrnn, np.zeros((2, 4), int), "float32", lengths=[0, 0])


def test_few_prepared_scans_are_kept():
    with patch.object(dispatch, "_MOST", 5), patch.object(dispatch, "_prepared", {}):
        for _ in range(2):
            for threshold in range(1, 9):
                scan(counter(threshold), [[0]], backend="compiled")
            assert len(dispatch._prepared) == 5
        kept = list(dispatch._prepared)
        scan(kept[0][0], [[0]], backend="compiled")
        assert list(dispatch._prepared) == [*kept[1:], kept[0]]


def test_a_state_that_is_never_reached_is_taken_by_the_reference():
    """In S5 no word leads to twice the initial state."""
    lrnn = compile_dfa(languages.symmetric_group(5))
    tokens, _ = random_words(lrnn, 0, batch=4, time=2000)
    _, state = scan(lrnn, tokens[:, :1], return_state=True, backend="reference")
    strange = replace(state, hidden=(state.hidden[0] * 2,))
    with pytest.raises(ValueError, match="never in"):
        scan(lrnn, tokens, initial=strange, backend="compiled")
    wanted = scan(lrnn, tokens, initial=strange, backend="reference")
    assert torch.equal(scan(lrnn, tokens, initial=strange), wanted)


@pytest.mark.parametrize("arithmetic", ["float32", "bfloat16:each+factored"])
@pytest.mark.parametrize("backend", ["reference", "compiled"])
def test_a_state_to_continue_from_is_not_changed(arithmetic, backend):
    lrnn = compile_dfa("(0|10*1)*")
    _, state = scan(lrnn, [[0, 1], [1, 1]], arithmetic, return_state=True)
    before = state.output.clone(), [x.clone() for x in state.hidden]
    found = scan(lrnn, [[1], [1]], arithmetic, initial=state, outputs="last", backend=backend)
    assert found.tolist() == [1, 0]
    assert torch.equal(state.output, before[0])
    assert all(map(same_bits, state.hidden, before[1]))


@pytest.mark.parametrize("order", ["@tree", "@chunk:4"])
def test_a_state_within_an_order_is_that_of_the_reference(order):
    lrnn = compile_dfa("(0|10*1)*")
    scan(lrnn, [[1]], "bfloat16" + order, backend="compiled")
    with pytest.raises(ValueError, match="is that of its order"):
        scan(lrnn, [[1]], "bfloat16" + order, return_state=True, backend="compiled")
    _, state = scan(lrnn, [[1]], "bfloat16" + order, return_state=True)
    assert scan(lrnn, [[1, 1]], "bfloat16" + order, initial=state).tolist() == [[1, 0]]


def test_all_nans_of_a_compiled_state_are_one():
    lrnn = weighing([1, 0], [[0, 0], [1, 1]], Dense(np.array([[[2, -2], [2, 2]]])))
    for arithmetic in ("float32:each", "bfloat16:once"):
        _, state = scan(lrnn, [[0] * 300], arithmetic, return_state=True, backend="compiled")
        hidden = state.hidden[0].numpy()
        assert same_bits(hidden, np.full_like(hidden, np.nan))


@pytest.mark.parametrize("arithmetic", ["fixed70.30", "float64:once", "exact", "float32"])
def test_a_packed_state_is_of_the_type_of_the_reference(arithmetic):
    lrnn = compile_dfa("(0|10*1)*")
    assert_same(lrnn, [[1, 0], [1, 1]], arithmetic)


@pytest.mark.parametrize("change", [lambda h: 2 * h, lambda h: 0 * h, lambda h: 0 * h + 1])
def test_a_state_that_is_none_of_a_tail(change):
    lrnn = machine("ends in abb, tail").lrnn
    _, state = scan(lrnn, [[1]], return_state=True, backend="reference")
    hidden = (*state.hidden[:-1], change(state.hidden[-1]))
    scan(lrnn, [[0]], initial=state, backend="compiled")
    with pytest.raises(ValueError, match="never in"):
        scan(lrnn, [[0]], initial=replace(state, hidden=hidden), backend="compiled")


def test_a_coordinate_that_is_none():
    lrnn = compile_dfa("(a|b)*abb", "input_shift")
    _, state = scan(lrnn, [[1]], return_state=True, backend="reference")
    strange = replace(state, shifted=tuple(x + 100 for x in state.shifted))
    with pytest.raises(ValueError, match="does not have"):
        scan(lrnn, [[0]], initial=strange, backend="compiled")


def test_a_tail_in_a_format_without_one_is_left_to_the_reference():
    lrnn = machine("random 12, Mealy, tail").lrnn
    with pytest.raises(ValueError, match="0 and 1"):
        scan(lrnn, [[0]], "fixed8.7", backend="compiled")


def test_a_state_between_two_integers_is_none_of_a_packed_layer():
    lrnn = compile_dfa("(0|10*1)*")
    _, state = scan(lrnn, [[1]], return_state=True, backend="reference")
    strange = replace(state, hidden=(state.hidden[0] * 1.5,))
    with pytest.raises(ValueError, match="never in"):
        scan(lrnn, [[0]], initial=strange, backend="compiled")


@pytest.mark.parametrize(
    ("arithmetic", "match"),
    [("fixed70.30", "emulate"), ("float32:cast", "emulate"), ("bfloat16@tree", "emulate")],
)
def test_what_compiled_code_does_not_run_is_refused(arithmetic, match):
    lrnn = counter(3, steps=(2,))
    with pytest.raises(ValueError, match=match):
        scan(lrnn, [[0]], arithmetic, backend="compiled")


def test_a_backend_is_one_of_three():
    with pytest.raises(ValueError, match="backend"):
        scan(compile_dfa("(0|10*1)*"), [[0]], backend="gpu")


def test_an_action_that_no_letter_takes_leads_nowhere():
    assert len(pack(counter(3, steps=(0, 1)), "exact").levels[0].words) == 1


@pytest.mark.parametrize("factor", [2, -3, 10**12])
def test_states_that_grow_for_ever_are_not_packed(factor):
    lrnn = weighing([1], [[0], [1]], Dense(np.array([[[factor]]])))
    with pytest.raises(UnsupportedError, match="grow"):
        pack(lrnn, "exact")
    word = np.zeros((1, 201), int)
    assert scan(lrnn, word, "exact", outputs="last").tolist() == [int(factor > 0)]


@pytest.mark.parametrize("bits", [32, 64])
def test_a_hash_finds_the_codeword_of_every_state(bits):
    for name, construction in (("s5", None), ("mod_60", "cyclic"), ("iso_datetime", None)):
        lrnn = compile_dfa(languages.BESTIARY[name](), construction)
        for level in pack(lrnn, "float32").levels:
            if int(level.words.max()) >> bits:
                continue
            for direct in (0, 64):
                with patch("lrnn_theory.packing._DIRECT", direct):
                    table, multiplier, shift = hash_table(level, bits)
                places = [w * multiplier % 2**bits >> shift for w in level.words.tolist()]
                assert table[places].tolist() == level.nearest.tolist()


def test_packed_columns_are_the_matrix():
    """The step of the packed words is A h + b, for every state and action of a cascade."""
    lrnn = compile_dfa(languages.BESTIARY["iso_datetime"]())
    for level, packed in zip(lrnn.levels, pack(lrnn, "float32").levels, strict=True):
        states = packed.unpack(packed.words)
        assert packed.pack(states).tolist() == packed.words.tolist()
        for a in np.unique(level.action):
            wanted = states @ level.layer.transition.matrix(a).T + level.layer.b[a, :, 0]
            words = (packed.columns[a] * (states + packed.bias)).sum(axis=1) + packed.constant[a]
            assert (packed.unpack(words) == wanted).all()
