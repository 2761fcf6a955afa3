"""Layers of a user, read from safetensors files after the template."""

import json

import pytest
import torch
from safetensors.torch import save_file

from lrnn_theory import LRNN, Proved, Refuted, scan, verify

METADATA = {"letters": '["a", "b"]'}
EVEN = "(b|ab*a)*"


def parity(kind="householder", dtype=torch.float32):
    """The letter a swaps two coordinates, b leaves them."""
    swap, stay = [[0, 1], [1, 0]], [[1, 0], [0, 1]]
    transitions = {
        "householder": {
            "keys": torch.tensor([[[1, -1]], [[0, 0]]], dtype=dtype),
            "betas": torch.ones(2, 1, dtype=dtype),
        },
        "dense": {"matrices": torch.tensor([swap, stay], dtype=dtype)},
        "diagonal": {"diagonal": torch.tensor([[-1, 1], [1, 1]], dtype=dtype)},
    }
    words = [[1, 0], [-1, 0]] if kind == "diagonal" else stay
    return transitions[kind] | {
        "initial": torch.tensor([1, 0], dtype=dtype),
        "codewords": torch.tensor(words, dtype=dtype),
        "outputs": torch.tensor([1, 0]),
    }


@pytest.mark.parametrize("kind", ["householder", "dense", "diagonal"])
@pytest.mark.parametrize(
    "dtype",
    [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.int8],
)
def test_every_kind_of_layer_is_read(tmp_path, kind, dtype):
    path = tmp_path / "layer.safetensors"
    save_file(parity(kind, dtype), path, METADATA)
    lrnn = LRNN.load(path)
    assert scan(lrnn, [[0, 1, 0]]).tolist() == [[0, 0, 1]]
    assert isinstance(verify(lrnn, EVEN, "bfloat16"), Proved)
    assert isinstance(verify(lrnn, "(a|b)*", "bfloat16"), Refuted)


def test_floats_are_taken_for_the_rationals_they_are(tmp_path):
    path = tmp_path / "layer.safetensors"
    layer = parity("dense") | {"inputs": torch.tensor([[0.1, 0], [0, 0]])}
    save_file(layer, path, METADATA)
    b = LRNN.load(path).heads[0][0].layer.b
    assert b[0, 0, 0].denominator == 2**27
    assert float(b[0, 0, 0]) == torch.tensor(0.1).item()


def test_outputs_may_depend_on_the_last_letter(tmp_path):
    path = tmp_path / "layer.safetensors"
    layer = parity() | {"outputs": torch.tensor([[0, 1], [2, 2]])}
    names = {"output_symbols": '["x", "y", "z"]', "kind": "mealy"}
    save_file(layer, path, METADATA | names)
    lrnn = LRNN.load(path)
    assert lrnn.empty_output == -1
    assert scan(lrnn, [[0, 0, 1, 0]]).tolist() == [[1, 0, 2, 1]]


def spoilt(**changes):
    layer = parity()
    for name, value in changes.items():
        layer.pop(name, None) if value is None else layer.update({name: value})
    return layer


@pytest.mark.parametrize(
    ("layer", "metadata", "message"),
    [
        (spoilt(betas=None), METADATA, "'betas' is missing"),
        (spoilt(codewords=None), METADATA, "'codewords' is missing"),
        (spoilt(betas=torch.ones(2, 3)), METADATA, "betas"),
        (spoilt(outputs=torch.tensor([1, 0, 1])), METADATA, "outputs"),
        (spoilt(outputs=torch.tensor([1, 7])), METADATA, "output"),
        (spoilt(codewords=torch.ones(2)), METADATA, "codewords"),
        (spoilt(initial=torch.tensor([float("nan"), 0])), METADATA, "finite"),
        (spoilt(initial=torch.zeros(2, dtype=torch.complex64)), METADATA, "C64"),
        (spoilt(), {"letters": "a b"}, "JSON list"),
        (spoilt(), {"letters": '["a"]'}, "1 letters"),
        (spoilt(), METADATA | {"kind": "nfa"}, "'kind'"),
        (spoilt(), METADATA | {"empty_output": "5"}, "empty_output"),
    ],
)
def test_what_does_not_follow_the_template_is_refused_in_one_line(
    tmp_path, layer, metadata, message
):
    path = tmp_path / "layer.safetensors"
    save_file(layer, path, metadata)
    with pytest.raises(ValueError, match=message) as error:
        LRNN.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_too_many_numbers_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("lrnn_theory.storage.MAX_NUMBERS", 10)
    path = tmp_path / "layer.safetensors"
    save_file(parity(), path, METADATA)
    with pytest.raises(ValueError, match="more than 10 numbers"):
        LRNN.load(path)


def test_letters_are_named(tmp_path):
    path = tmp_path / "layer.safetensors"
    save_file(parity(), path, {"letters": json.dumps(["left", "right"])})
    assert LRNN.load(path).letters == ("left", "right")
