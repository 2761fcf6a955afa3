"""`lrnn stream`: one word of any length, alone and under torchrun."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import compile_dfa
from constructions.cli import display, main
from constructions.cli.source import read_automaton
from lrnn_theory import languages, streaming

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Weight files of a layer without inputs, a cascade and a Mealy machine."""
    place = tmp_path_factory.mktemp("stream")
    compile_dfa(languages.parity()).save(place / "parity.safetensors")
    compile_dfa(languages.BESTIARY["tomita_4"]()).save(place / "cascade.safetensors")
    dot = "s -> t [label='0/x']; s -> s [label='1/y']; t -> s [label='0/y']; t -> t [label='1/y']"
    (place / "mealy.dot").write_text("digraph {" + dot.replace("'", '"') + "}")
    compile_dfa(read_automaton(str(place / "mealy.dot"))).save(place / "mealy.safetensors")
    return place


def stream(*arguments, stdin=b""):
    """The command with bytes on standard input."""
    out, err = io.StringIO(), io.StringIO()
    source = io.TextIOWrapper(io.BytesIO(stdin))
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch("sys.stdin", source),
    ):
        code = main(["stream", *map(str, arguments)])
    return code, out.getvalue(), err.getvalue()


@settings(max_examples=15)
@given(st.text("01", max_size=70), st.integers(1, 30), st.sampled_from(["parity", "cascade"]))
def test_answers_are_the_automatons(place, word, piece, name):
    automaton = languages.BESTIARY["parity" if name == "parity" else "tomita_4"]()
    (place / "word").write_text(word + "\n")
    command = (place / f"{name}.safetensors", place / "word", "--device", "cpu", "--json")
    with mock.patch.object(streaming, "PIECE", 8 * piece):
        code, out, err = stream(*command, "-o", place / "bits")
    facts = json.loads(out)
    assert (code, err, facts["letters"]) == (0, "", len(word))
    assert facts["answer"] == ("accepted" if automaton.accepts(word) else "rejected")
    assert (facts["processes"], facts["order"], facts["reason"]) == (1, None, None)
    bits = np.frombuffer((place / "bits").read_bytes(), np.uint8)
    assert len(bits) == -(-len(word) // 8)
    answers = np.unpackbits(bits, count=len(word), bitorder="little").tolist()
    assert answers == automaton.transduce(automaton.encode(word)).tolist()
    code, out, err = stream(command[0], "-", *command[2:], stdin=word.encode())
    assert (code, err, json.loads(out)["answer"]) == (0, "", facts["answer"])


def test_a_mealy_machine_answers_too(place):
    weights = place / "mealy.safetensors"
    assert json.loads(stream(weights, "-", "--json", stdin=b"0110\n")[1])["answer"] == "y"
    assert json.loads(stream(weights, "-", "--json", stdin=b"\n")[1])["answer"] is None
    assert stream(weights, "-")[1].startswith("no answer after 0 letters")
    code, out, err = stream(weights, "-", "-o", place / "none", stdin=b"0")
    assert (code, out) == (2, "")
    assert "--output" in err
    assert not (place / "none").exists()


def test_text_for_people(place):
    code, out, err = stream(place / "parity.safetensors", "-", "-o", place / "b", stdin=b"1" * 999)
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert re.fullmatch(r"accepted after 999 letters, in \d+\.\d\d s, \S+ a second", first)
    assert second == f"answers written to {place / 'b'}"


def test_nothing_half_written_is_left(place, tmp_path):
    weights, bits = place / "parity.safetensors", tmp_path / "bits"
    for before in (None, b"old"):
        if before:
            bits.write_bytes(before)
        with mock.patch.object(streaming, "PIECE", 16):
            code, out, err = stream(weights, "-", "-o", bits, stdin=b"01" * 40 + b"x")
        assert (code, out) == (2, "")
        assert "'x' at offset 80 of standard input" in err
        assert [(x.name, x.read_bytes()) for x in tmp_path.iterdir()] == [("bits", before)] * bool(
            before
        )


def test_letters_a_second_are_shown(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(display, "DELAY", 0.0)
    err = io.StringIO()
    with (
        contextlib.redirect_stderr(err),
        display.progress("reading", "letter", rate=True) as update,
    ):
        update(3_000)
        time.sleep(0.3)
    assert re.search(r"reading: 3,000 letters, \S+ a second", err.getvalue())


def torchrun(size, *arguments, cwd):
    """The command in several processes."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(size),
        "--master-addr", "127.0.0.1", "--master-port", "0", "--rdzv-backend", "c10d",
        "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1",
        "--no-python", sys.executable, "-m", "constructions.cli", "stream", *map(str, arguments),
    ]  # fmt: skip
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(("name", "order"), [("parity", "parallel"), ("cascade", "sequential")])
def test_two_processes_write_what_one_does(place, tmp_path, name, order):
    word = np.random.default_rng(0).integers(48, 50, 100_003).astype(np.uint8).tobytes()
    (tmp_path / "word").write_bytes(word + b"\n")
    command = (place / f"{name}.safetensors", tmp_path / "word", "--device", "cpu", "--json", "-o")
    wanted = json.loads(stream(*command, tmp_path / "one")[1])
    run = torchrun(2, *command, "two", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    facts = json.loads(run.stdout)
    assert [facts[x] for x in ("answer", "letters")] == [wanted[x] for x in ("answer", "letters")]
    assert (facts["processes"], facts["order"]) == (2, order)
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()


def test_an_error_of_the_second_process_is_one_line(place, tmp_path):
    (tmp_path / "word").write_bytes(b"01" * 1000 + b"x1")
    run = torchrun(
        2, place / "parity.safetensors", "word", "--device", "cpu", "-o", "bits", cwd=tmp_path
    )
    assert run.returncode != 0
    lines = [x for x in run.stderr.splitlines() if x.startswith("lrnn: ")]
    assert len(lines) == 1
    assert "'x' at offset 2000 of 'word'" in lines[0]
    assert run.stdout == ""
    assert [x.name for x in tmp_path.iterdir()] == ["word"]
