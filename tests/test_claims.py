"""Verdicts in weight files."""

from __future__ import annotations

import pytest

from constructions import compile_dfa
from constructions.cli import main
from lrnn_theory import LRNN, Automaton, verify
from lrnn_theory.verification import digest_of, with_claim

EVEN = "(0|10*1)*"


def test_claims_are_saved_and_read(tmp_path):
    path = tmp_path / "w.safetensors"
    lrnn = compile_dfa(EVEN)
    for arithmetic in ("bfloat16", "float32", "bfloat16"):
        lrnn = with_claim(lrnn, verify(lrnn, EVEN, arithmetic), EVEN, EVEN)
    lrnn = with_claim(lrnn, verify(lrnn, "(00|1)*(0|)", "float32"), "(00|1)*(0|)", "other")
    lrnn.save(path)
    claims = LRNN.load(path).claims
    assert claims == lrnn.claims
    assert [(c.verdict, c.arithmetic.partition(":")[0]) for c in claims] == [
        ("proved", "float32"),
        ("proved", "bfloat16"),
        ("refuted", "float32"),
    ]
    assert claims[2].detail == "1"
    assert claims[0].automaton == digest_of(Automaton.from_regex(EVEN)) != claims[2].automaton


def test_the_digest_is_that_of_the_language():
    one, two = Automaton.from_regex(EVEN), Automaton.from_regex("(0*10*1)*0*")
    assert digest_of(one) == digest_of(two.with_letters(("1", "0")))


def test_the_command_records_them(tmp_path, capsys):
    path = str(tmp_path / "w.safetensors")
    assert main(["compile", EVEN, "-o", path]) == 0
    assert main(["verify", path, EVEN, "-a", "bfloat16", "--record"]) == 0
    assert "claims written into" in capsys.readouterr().out
    assert [c.source for c in LRNN.load(path).claims] == [EVEN]
    assert main(["verify", path, EVEN, "--any-decoder", "--record"]) == 2


def test_a_claim_needs_a_verdict():
    with pytest.raises(TypeError, match="must be a Verdict"):
        with_claim(compile_dfa(EVEN), True, EVEN)
