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
    assert {"config.json", "model.safetensors"} <= {p.name for p in (tmp_path / "model").iterdir()}
    model = from_huggingface(tmp_path / "model")
    tokens = torch.as_tensor(np.random.default_rng(0).integers(automaton.n_letters, size=(9, 20)))
    with torch.no_grad():
        out = model(input_ids=tokens[:, :12])
        rest = model(input_ids=tokens[:, 12:], past_key_values=out.past_key_values)
    said = torch.cat([out.logits, rest.logits], 1).argmax(-1)
    assert torch.equal(said, scan(lrnn, tokens))
    assert isinstance(verify(from_torch(model.network), automaton, "bfloat16"), Proved)


def test_a_folder_without_a_model_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"no 'config\.json'"):
        from_huggingface(tmp_path)
    to_huggingface(compile_dfa("(ab)*"), tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    data = json.loads(config.read_text())
    data["structure"]["heads"][0][0]["n"] += 1
    config.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="Cannot read") as error:
        from_huggingface(tmp_path / "model")
    assert "\n" not in str(error.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="no folder"):
        to_huggingface(compile_dfa("(ab)*"), tmp_path / "file")
