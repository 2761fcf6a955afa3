"""The command `lrnn learn`."""

import json
from pathlib import Path

import pytest
from command_line import lrnn

from lrnn_theory import LRNN, extract

TINY = ("--layers", 1, "--width", 8, "--heads", 2, "--conv", 0, "--batch", 8, "--device", "cpu")


def test_learn(tmp_path: Path) -> None:
    weights, log, plot = tmp_path / "w.safetensors", tmp_path / "log.jsonl", tmp_path / "c.svg"
    files = ("--output", weights, "--log", log, "--plot", plot)
    ran = lrnn(
        "learn", "parity", "--range=0,1", "--steps", 8, "--seeds", 2, "--decay", 0, *TINY, *files
    )
    assert (ran.code, ran.err) == (0, "")
    assert "| parity | deltanet [0,1] | 8 |" in ran.out
    assert "its LRNN is refuted by" in ran.out
    assert LRNN.load(weights).letters == ("0", "1")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert entries[0]["seeds"] == [0, 1]
    assert entries[0]["recipe"]["weight_decay"] == 0
    assert entries[-1]["step"] == 8
    assert "</svg>" in plot.read_text()


def test_learn_an_automaton_in_json(tmp_path: Path) -> None:
    checkpoint = tmp_path / "c.safetensors"
    options = ("--architecture", "gla", "--steps", 4, *TINY, "--checkpoint", checkpoint)
    data = lrnn("learn", "(a|b)*abb", *options, "--json").data()
    assert data["curve"]["model"] == "gla [-1,1]"
    assert len(data["curve"]["accuracy"][0]) == len(data["curve"]["lengths"]) == 217
    again = lrnn("learn", "(a|b)*abb", *options, "--json").data()
    assert again["curve"]["accuracy"] == data["curve"]["accuracy"]


def test_the_file_is_a_network_like_any_other(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    options = ("--range=0,1", "--steps", 3, *TINY, "--output", weights)
    data = lrnn("learn", "flip_flop", *options, "--json").data()
    assert set(data) == {"curve", "means", "examined"}
    assert data["examined"]["verdict"] == "refuted"
    written = LRNN.load(weights)
    assert (written.kind, written.letters) == ("moore", ("write0", "write1", "ignore"))
    verdict = lrnn("verify", weights, "@flip_flop", "--json").data()["verdicts"][0]
    assert verdict["word"] == data["examined"]["word"]
    with pytest.raises(ValueError, match="takes more than 10 configurations"):
        extract(written, "float32", budget=10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("parity", "--range", "1,2"), "Option '--range' must be 0,1 or -1,1, not '1,2'."),
        (("parity", "--architecture", "rnn"), "Argument 'architecture' must be one of mamba,"),
        (("parity", "--output", "x"), "Option '--output' needs '--layers 1' and '--conv 0'."),
        (
            ("modular_arithmetic", "--layers", 1, "--conv", 0, "--output", "x"),
            "Option '--output' needs an automaton, not 'modular_arithmetic'.",
        ),
        (("parity", "--precision", "int8"), "Argument 'precision' must be float32 or bfloat16"),
        (("@nothing",), "Argument 'SOURCE' must be a machine"),
        (("modularcounting",), "'modularcounting', no task; did you mean 'modular_counting'?"),
        (("parity", "--device", "tpu"), "Option '--device' must be auto or one of cpu"),
    ],
)
def test_misuse(arguments: tuple[object, ...], message: str) -> None:
    ran = lrnn("learn", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1
