"""Models of transformers, in local folders."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch

from constructions import compile_dfa
from lrnn_theory import Proved, languages, scan, verify
from lrnn_theory.export import from_huggingface, from_torch, to_huggingface

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="needs the extra huggingface"
)


@pytest.mark.parametrize("name", ["parity", "iso_date", "tls"])
def test_it_is_saved_and_loaded(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    automaton = languages.BESTIARY[name]()
    lrnn = compile_dfa(automaton)
    to_huggingface(lrnn, tmp_path / "model")
    assert {p.name for p in (tmp_path / "model").iterdir()} == {"config.json", "model.safetensors"}
    model = from_huggingface(tmp_path / "model")
    same = type(model).from_pretrained(tmp_path / "model", local_files_only=True)
    assert same.network.structure == model.network.structure
    assert same.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(x, model.state_dict()[k]) for k, x in same.state_dict().items())
    tokens = torch.as_tensor(np.random.default_rng(0).integers(automaton.n_letters, size=(9, 20)))
    with torch.no_grad():
        out = model(input_ids=tokens[:, :12])
        rest = model(input_ids=tokens[:, 12:], past_key_values=out.past_key_values)
    said = torch.cat([out.logits, rest.logits], 1).argmax(-1)
    assert torch.equal(said, scan(lrnn, tokens))
    assert isinstance(verify(from_torch(model.network), automaton, "bfloat16"), Proved)


def test_it_is_saved_in_its_dtype(tmp_path):
    lrnn = compile_dfa("(0|10*1)*")
    model = to_huggingface(lrnn, tmp_path / "model", torch.bfloat16)
    for back in (
        from_huggingface(tmp_path / "model"),
        type(model).from_pretrained(tmp_path / "model", local_files_only=True),
    ):
        assert back.dtype == torch.bfloat16
    assert json.loads((tmp_path / "model" / "config.json").read_text())["dtype"] == "bfloat16"


def test_what_is_no_folder_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    lrnn = compile_dfa("(0|10*1)*")
    for path in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(ValueError, match="Cannot write"):
            to_huggingface(lrnn, path)


@pytest.fixture
def folder(tmp_path):
    to_huggingface(compile_dfa("(ab)*"), tmp_path / "model")
    return tmp_path / "model"


def spoil(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def level(config):
    return config["structure"]["heads"][0][0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: level(c).update(n=level(c)["n"] + 1), "not those of its structure"),
        (lambda c: level(c).update(factors=10**12), "not those of its structure"),
        (lambda c: c["structure"]["heads"][0].append(level(c) | {"n": 10**9}), "not those of"),
        (lambda c: c.pop("structure"), "no structure"),
        (lambda c: c.update(structure=[]), "Cannot read"),
        (lambda c: c["structure"].update(letters=[1, 2]), "its letters must be"),
    ],
)
def test_a_config_that_does_not_fit_is_one_line(folder, change, message):
    spoil(folder, change)
    with pytest.raises(ValueError, match=message) as error:
        from_huggingface(folder)
    assert "\n" not in str(error.value)


def test_a_config_cannot_ask_for_more(folder):
    """`from_pretrained` would look for a package for each of these."""
    spoil(folder, lambda c: c.update(quantization_config={"quant_method": "bitsandbytes"}))
    spoil(folder, lambda c: c.update(auto_map={"AutoModel": "evil.Model"}))
    assert from_huggingface(folder).network.letters == ("a", "b")


def test_weights_that_are_none_are_one_line(folder):
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="no whole safetensors file"):
        from_huggingface(folder)
    weights.unlink()
    torch.save({"network.x": torch.zeros(1)}, folder / "pytorch_model.bin")  # pickled: not read
    with pytest.raises(ValueError, match="Cannot read module file"):
        from_huggingface(folder)
    (folder / "config.json").write_text("[" * 100_000)
    weights.write_bytes(content)
    with pytest.raises(ValueError, match="Cannot read"):
        from_huggingface(folder)


def test_a_folder_without_a_model_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"no 'config\.json'"):
        from_huggingface(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="no folder"):
        to_huggingface(compile_dfa("(ab)*"), tmp_path / "file")
