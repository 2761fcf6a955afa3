"""ONNX graphs, run in onnxruntime."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import networks, with_tails

from constructions import compile_dfa
from lrnn_theory import Automaton, languages, scan
from lrnn_theory.export import to_onnx
from lrnn_theory.strategies import automata

MISSING = [m for m in ("onnx", "onnxruntime") if importlib.util.find_spec(m) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason="needs the extra onnx")


def run(model, tokens):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    content = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"tokens": np.asarray(tokens, np.int64)})[0]


@pytest.mark.parametrize("name", ["parity", "s5", "iso_date", "tls", "tomita_5", "mod_60"])
def test_a_thousand_words(name, tmp_path):
    lrnn = compile_dfa(languages.BESTIARY[name]())
    rng = np.random.default_rng(0)
    tokens = rng.integers(len(lrnn.letters), size=(1000, 40))
    path = str(tmp_path / "x.onnx")
    to_onnx(lrnn, path)
    assert (run(path, tokens) == scan(lrnn, tokens).numpy()).all()


@given(networks(), st.lists(st.integers(0, 1), min_size=1, max_size=4))
def test_any_network_with_heads_slots_columns_and_shifts(lrnn, word):
    said = run(to_onnx(lrnn, dtype="float64"), [word, word[::-1]])
    assert (said == scan(lrnn, [word, word[::-1]], "exact").numpy()).all()


@given(automata(max_states=5))
def test_an_export_is_still_the_automaton(automaton):
    lrnn = compile_dfa(automaton)
    rng = np.random.default_rng(0)
    tokens = rng.integers(automaton.n_letters, size=(20, 15))
    assert (run(to_onnx(lrnn), tokens) == automaton.transduce(tokens)).all()


def test_irrational_weights_round_as_the_type_does():
    clock = Automaton.from_table([[(q + 1) % 7 for q in range(7)]], outputs=range(7))
    lrnn = compile_dfa(clock, "rotation")
    tokens = np.zeros((1, 500), np.int64)
    for dtype in ("float32", "float64"):
        assert (run(to_onnx(lrnn, dtype=dtype), tokens) == clock.transduce(tokens)).all()


def test_names_are_in_the_metadata():
    model = to_onnx(compile_dfa(languages.protocol("tls")))
    facts = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert facts["letters"] == list(languages.protocol("tls").letters)
    assert facts["kind"] == "mealy"


@given(with_tails())
def test_an_exclusion_tail_is_refused(lrnn):
    with pytest.raises(ValueError, match="exclusion tail"):
        to_onnx(lrnn)


def test_other_types_are_refused():
    with pytest.raises(ValueError, match="'dtype' must be one of"):
        to_onnx(compile_dfa("a*"), dtype="int8")
