"""Weight files: round trips, and one clear line for every damaged file."""

import json

import numpy as np
import pytest
from hypothesis import given
from safetensors import safe_open
from safetensors.numpy import save_file

from constructions import ALL, compile_dfa
from lrnn_theory import LRNN, Automaton, Proved, languages, verify
from lrnn_theory.arithmetic import EXACT
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.strategies import automata
from lrnn_theory.verification.certificate import describe
from lrnn_theory.wiring import wire


def same(x, y):
    return describe(x, EXACT) == describe(y, EXACT) and (
        (x.letters, x.kind, x.construction, x.reason)
        == (y.letters, y.kind, y.construction, y.reason)
    )


@pytest.mark.parametrize("key", [c.key for c in ALL])
def test_every_construction_round_trips(key, tmp_path):
    others = {
        "parity": languages.parity(),
        "signed_permutation": languages.mod(4),
        "star_free": languages.tomita(4),
        "star_free_shift": languages.tomita(4),
        "signed_diagonal": languages.mod(4),
    }
    automaton = others.get(key, languages.mod(6))
    lrnn = compile_dfa(automaton, construction=key)
    lrnn.save(tmp_path / "x.safetensors")
    assert same(lrnn, LRNN.load(tmp_path / "x.safetensors"))
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


@given(automata())
def test_random_automata_round_trip(tmp_path_factory, automaton):
    path = tmp_path_factory.mktemp("weights") / "x.safetensors"
    lrnn = compile_dfa(automaton)
    lrnn.save(path)
    loaded = LRNN.load(path)
    assert same(lrnn, loaded)
    assert isinstance(verify(loaded, automaton, "float16"), Proved)


def test_a_tail_round_trips(tmp_path):
    automaton = languages.random_automaton(9, seed=3)
    lrnn = wire(decompose(automaton, budget=Budget(contexts=0)), shifted=False)
    lrnn.save(tmp_path / "x.safetensors")
    loaded = LRNN.load(tmp_path / "x.safetensors")
    assert same(lrnn, loaded)
    assert loaded.tail is not None
    assert loaded.tail.contexts == lrnn.tail.contexts


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "parity.safetensors"
    compile_dfa("(0|10*1)*").save(path)
    return path


def refused(path, match):
    with pytest.raises(ValueError, match=match) as error:
        LRNN.load(path)
    assert "\n" not in str(error.value)


def test_every_truncation_is_refused(file):
    content = file.read_bytes()
    for length in range(0, len(content), 97):
        file.write_bytes(content[:length])
        refused(file, "safetensors")


def test_every_flipped_byte_is_refused(file):
    content = file.read_bytes()
    for at in range(0, len(content), 13):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        refused(file, "Weight file")


@pytest.mark.parametrize("change", [lambda x: x.view(np.uint64), lambda x: x.reshape(-1, 1)])
def test_a_tensor_of_another_type_or_shape_is_refused(file, change):
    """Its bytes are the same."""
    with safe_open(file, framework="numpy") as f:
        metadata, tensors = f.metadata(), {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118
    save_file(tensors, file, metadata)
    assert LRNN.load(file).letters == ("0", "1")
    name = next(k for k, v in tensors.items() if v.dtype == np.int64)
    save_file(tensors | {name: change(tensors[name])}, file, metadata)
    refused(file, "changed")


def test_a_large_file_is_refused(file, monkeypatch):
    monkeypatch.setattr("lrnn_theory.storage.MAX_BYTES", 100)
    refused(file, "larger than 100 bytes")


def test_other_files_are_refused(tmp_path):
    refused(tmp_path / "missing.safetensors", "No such file")
    refused(tmp_path, "directory|safetensors|Cannot read")
    save_file({"x": np.zeros(2)}, tmp_path / "x.safetensors")
    refused(tmp_path / "x.safetensors", "not written by lrnn-theory")


def test_a_later_version_is_refused(file):
    with safe_open(file, framework="numpy") as f:
        metadata = f.metadata() | {"version": "2"}
        tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118
    save_file(tensors, file, metadata)
    refused(file, "version 2, expected 1")


def test_an_unwritable_path_leaves_nothing(tmp_path):
    lrnn = compile_dfa("(0|10*1)*")
    with pytest.raises(ValueError, match="Cannot write"):
        lrnn.save(tmp_path / "missing" / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_nan_weights_are_refused():
    from lrnn_theory.transition import Diagonal

    with pytest.raises(ValueError, match="finite"):
        Diagonal(np.array([[np.nan]]))
    assert Diagonal(np.array([[0.5]])).diagonal[0, 0] * 2 == 1


def test_metadata_is_json(file):
    with safe_open(file, framework="numpy") as f:
        header = json.loads(f.metadata()["header"])
    assert header["construction"] == "parity"
    assert Automaton.from_regex("(0|10*1)*").letters == tuple(header["letters"])
