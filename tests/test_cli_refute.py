"""`lrnn refute`: a layer of one's own, without a readout, from a file."""

import pytest
import torch
from command_line import lrnn
from safetensors.torch import save_file

LETTERS = {"letters": '["1", "0"]'}


@pytest.fixture
def layer(tmp_path):
    path = tmp_path / "layer.safetensors"
    tensors = {"diagonal": torch.tensor([[0.5], [1.0]]), "initial": torch.tensor([1.0])}
    save_file(tensors, path, LETTERS)
    return str(path)


def test_two_words_and_a_certificate(layer, tmp_path):
    certificate = str(tmp_path / "c.json")
    options = ("--language", "(0|10*1)*", "-a", "float8_e4m3:cast", "--certificate", certificate)
    done = lrnn("refute", layer, *options, "--json")
    assert done.code == 1
    (found,) = done.data()["refutations"]
    assert found["theorem"] == "G-T1"
    assert (len(found["word"]), len(found["other"])) == (12, 11)  # 2^-10 is a tie: one more
    assert lrnn("check", certificate).code == 1
    assert "no decoder can be right" in lrnn("refute", layer, *options).out


def test_nothing_found(layer):
    done = lrnn("refute", layer, "--language", "0*1(0|1)*", "-a", "fixed8.4:cast", "--budget", "50")
    assert done.code == 3
    assert "nothing found" in done.out


def test_why_words_told_nothing(layer):
    options = ("--language", "(0|10*1)*", "-a", "exact", "--budget", "10")
    why = "words (1)^k: infinitely many exact states are reached"  # 1, 1/2, 1/4, ...
    done = lrnn("refute", layer, *options)
    assert (done.code, why in done.out) == (3, True)
    (found,) = lrnn("refute", layer, *options, "--json").data()["refutations"]
    assert found["verdict"] is None
    assert found["unsettled"][0] == why


@pytest.mark.parametrize(
    "options", [("--language", "(ab)*"), ("--language", "1*", "-a", "cast"), ()]
)
def test_misuse(layer, options):
    done = lrnn("refute", layer, *options)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
