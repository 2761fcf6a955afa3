"""The reference scan: batches, lengths, streaming, formats; and its refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from constructions import compile_dfa
from lrnn_theory import Automaton, Dense, languages, scan
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.construction import core_of
from lrnn_theory.strategies import automata
from lrnn_theory.wiring import wire

FORMATS = ["exact", "float64", "float32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2:each"]


def tokens_of(automaton, seed, batch=5, time=60):
    return np.random.default_rng(seed).integers(0, automaton.n_letters, (batch, time))


@given(automata(), st.integers(0, 2**32), st.sampled_from(FORMATS))
def test_the_scan_answers_like_the_automaton(automaton, seed, arithmetic):
    tokens = tokens_of(automaton, seed)
    outputs = scan(compile_dfa(automaton), tokens, arithmetic)
    assert outputs.dtype == torch.int64
    assert np.array_equal(outputs.numpy(), automaton.transduce(tokens))


@given(automata(), st.integers(0, 2**32), st.sampled_from(["exact", "bfloat16"]))
def test_streaming_and_lengths_change_nothing(automaton, seed, arithmetic):
    lrnn = compile_dfa(automaton)
    rng = np.random.default_rng(seed)
    tokens = tokens_of(automaton, seed, batch=6, time=12)
    whole = scan(lrnn, tokens, arithmetic)
    cut = int(rng.integers(0, 13))
    first, state = scan(lrnn, tokens[:, :cut], arithmetic, return_state=True)
    rest, state = scan(lrnn, tokens[:, cut:], arithmetic, initial=state, return_state=True)
    assert torch.equal(torch.cat([first, rest], dim=1), whole)
    last = scan(lrnn, tokens, arithmetic, outputs="last")
    assert torch.equal(last, whole[:, -1])
    assert torch.equal(state.output, last)
    lengths = rng.integers(0, 13, 6)
    ragged = scan(lrnn, tokens, arithmetic, lengths=lengths)
    ends = scan(lrnn, tokens, arithmetic, lengths=lengths, outputs="last")
    for i, n in enumerate(lengths):
        assert torch.equal(ragged[i, :n], whole[i, :n])
        assert (ragged[i, n:] == -1).all()
        assert ends[i] == (whole[i, n - 1] if n else lrnn.empty_output)


@given(automata(max_states=6), st.integers(0, 2**32), st.integers(0, 30))
def test_an_exclusion_tail_answers_like_the_automaton(automaton, seed, contexts):
    core = core_of(automaton)[1]
    lrnn = wire(decompose(core, budget=Budget(contexts=contexts)), shifted=False)
    tokens = tokens_of(core, seed)
    for arithmetic in ("exact", "float8_e5m2:each", "bfloat16"):
        outputs = scan(lrnn, tokens, arithmetic).numpy()
        assert np.array_equal(outputs, core.transduce(tokens))


def test_long_random_words():
    for name in ("tomita 4", "mod 5", "S3", "dyck depth 3"):
        automaton = languages.BESTIARY.get(name, languages.parity)()
        tokens = tokens_of(automaton, 1, batch=3, time=2000)
        outputs = scan(compile_dfa(automaton), tokens, "float16").numpy()
        assert np.array_equal(outputs, automaton.transduce(tokens))


def test_order_of_a_non_abelian_group_shows():
    """In S3 a word and its reverse differ; the first letter acts first."""
    s3 = languages.symmetric_group(3)
    tokens = np.array([[i, j, k] for i in range(6) for j in range(6) for k in range(6)])
    states = np.array([s3.run(list(t)) for t in tokens])
    backward = np.array([s3.run(list(t[::-1])) for t in tokens])
    assert (states != backward).any()
    moore = Automaton.from_table(
        s3.delta, letters=s3.letters, outputs=np.arange(6), output_symbols=tuple("012345")
    )
    for construction in ("permutation", "regular_language", "dense", "input_shift"):
        outputs = scan(compile_dfa(moore, construction=construction), tokens, outputs="last")
        assert np.array_equal(outputs.numpy(), moore.transduce(tokens)[:, -1])


def test_empty_shapes():
    lrnn = compile_dfa("(0|10*1)*")
    assert scan(lrnn, np.zeros((0, 5), int)).shape == (0, 5)
    assert scan(lrnn, np.zeros((3, 0), int)).shape == (3, 0)
    assert scan(lrnn, np.zeros((3, 0), int), outputs="last").tolist() == [1, 1, 1]


def test_a_negative_zero_is_stored_as_zero():
    """-2^-10 times 2^-20 underflows in float16, and is one state with 0."""
    lrnn = compile_dfa("(aa)*")
    level = lrnn.levels[0]
    layer = replace(level.layer, transition=Dense([[[2.0**-20]]]), h0=np.array([[-(2.0**-10)]]))
    lrnn = replace(lrnn, heads=((replace(level, layer=layer),),))
    _, state = scan(lrnn, [[0]], "float16", return_state=True)
    assert state.hidden[0].item() == 0
    assert not torch.signbit(state.hidden[0]).any()


def test_the_input_is_not_changed():
    tokens = torch.tensor([[0, 1, 1]])
    scan(compile_dfa("(0|10*1)*"), tokens, lengths=[2])
    assert tokens.tolist() == [[0, 1, 1]]


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"tokens": [[2]]}, ValueError, "letter indices in 0..1"),
        ({"tokens": [[-1]]}, ValueError, "letter indices in 0..1"),
        ({"tokens": [0, 1]}, ValueError, "shape"),
        ({"tokens": [[0.5]]}, TypeError, "integers"),
        ({"tokens": [[0]], "arithmetic": "fp32"}, ValueError, "arithmetic"),
        ({"tokens": [[0]], "outputs": "first"}, ValueError, "outputs"),
        ({"tokens": [[0]], "device": "meta"}, ValueError, "device"),
        ({"tokens": [[0]], "device": "abacus"}, ValueError, "device"),
        ({"tokens": None}, TypeError, "tokens"),
        ({"tokens": "ab"}, TypeError, "tokens"),
        ({"tokens": [[0, 1], [1]]}, TypeError, "tokens"),
        ({"tokens": [[0]], "lengths": [2]}, ValueError, "lengths"),
        ({"tokens": [[0]], "lengths": [-1]}, ValueError, "lengths"),
        ({"tokens": [[0]], "lengths": [1, 1]}, ValueError, "lengths"),
    ],
)
def test_bad_arguments(arguments, error, match):
    with pytest.raises(error, match=match) as caught:
        scan(compile_dfa("(0|10*1)*"), **arguments)
    assert "\n" not in str(caught.value)


def test_a_token_past_the_end_of_a_word_is_ignored():
    lrnn = compile_dfa("(0|10*1)*")
    for token in (99, -1):
        assert scan(lrnn, [[1, token], [1, 1]], lengths=[1, 2]).tolist() == [[0, -1], [0, 1]]
        assert scan(lrnn, [[token]], lengths=[0]).tolist() == [[-1]]


def test_a_state_of_another_batch_is_refused():
    lrnn = compile_dfa("(0|10*1)*")
    _, state = scan(lrnn, [[0]], return_state=True)
    with pytest.raises(ValueError, match="batch"):
        scan(lrnn, [[0], [1]], initial=state)


@pytest.mark.gpu
@pytest.mark.parametrize("arithmetic", [*FORMATS[1:], "float32:wide", "float8_e4m3!sat"])
@pytest.mark.parametrize("name", ["rotation", "cyclic", "iso_date", "tcp", "tail"])
def test_a_gpu_gives_the_same_bits(name, arithmetic):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    if name in ("rotation", "cyclic"):
        automaton = languages.mod(7)
        lrnn = compile_dfa(automaton, construction=name)
    elif name == "tail":
        automaton = languages.random_automaton(10, seed=2)
        lrnn = wire(decompose(automaton, budget=Budget(contexts=40)), shifted=False)
        assert lrnn.tail is not None
    else:
        automaton = languages.BESTIARY[name]()
        lrnn = compile_dfa(automaton)
    tokens = torch.from_numpy(tokens_of(automaton, 0, batch=33, time=100))
    outputs, here = scan(lrnn, tokens, arithmetic, return_state=True)
    on_gpu, there = scan(lrnn, tokens, arithmetic, device="cuda", return_state=True)
    assert torch.equal(outputs, on_gpu.cpu())
    for x, y in zip(here.hidden, there.hidden, strict=True):
        assert torch.equal(x.view(torch.uint8), y.cpu().view(torch.uint8))
