"""DeltaNet, Mamba and GLA of the classic range: refuted on parity, in torch's own float32."""

from typing import Any

import pytest
import torch
from classic_layers import SHARES, TRAINED, end, letters_of, models, outcome

from lrnn_theory import languages, refute
from lrnn_theory.learning import Architecture, Model
from lrnn_theory.learning.examination import to_lrnn


def check_layer(name: str, model: Model) -> None:
    found = outcome(model)
    assert found.theorem == ("orbit" if name == "deltanet" else "monotone")
    assert found.same  # bit for bit
    assert found.cast == "G-T1"
    if name != "deltanet":
        assert found.difference == 0
        assert found.cast_same is not False
    assert found.difference <= found.allowed
    assert found.alike


@pytest.mark.parametrize("name", SHARES)
def test_a_classic_layer_confuses_words_in_torch(name: str) -> None:
    """One as it is drawn; of some, one that is trained."""
    trained = int(name in ("deltanet", "mamba", "gla"))
    for model in models(name, 1 + trained, trained):
        check_layer(name, model)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARES)
def test_a_hundred_classic_layers_confuse_words_in_torch(name: str) -> None:
    for model in models(name, SHARES[name], TRAINED):
        check_layer(name, model)


@torch.no_grad()
def test_signed_layers_are_not_confused_by_these_words() -> None:
    """The comparison can fail: an eigenvalue of -1 keeps the two words apart in torch."""
    torch.manual_seed(0)
    classic, signed = (Model(Architecture("gla", r, 1, 8, 2, 0), 2, 2) for r in ("[0,1]", "[-1,1]"))
    found = refute(to_lrnn(classic, languages.parity()), languages.parity(), "float32")
    assert found is not None
    block: Any = signed.blocks[0]
    block.layer.decay[1].bias.data.fill_(-1e4)  # the gate is 0, stretched to -1
    assert (letters_of(signed)["α"] == -1).all()
    assert not torch.equal(end(signed, found.word), end(signed, found.other))
