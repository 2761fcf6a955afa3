"""Certificate files: the lone checker and what lies beside it, reading and writing."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest
from networks import counter
from test_certificates import CHECKER, closure_only, forged
from test_verify_cast import scalar

from constructions import compile_dfa
from lrnn_theory import (
    Automaton,
    Certificate,
    Proved,
    Refuted,
    census,
    check,
    languages,
    verify,
)
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.verification.certificate import certify
from lrnn_theory.verification.recheck import refusal
from lrnn_theory.wiring import wire


def run_alone(tmp_path, content):
    """The checker with what lies in a folder, and the standard library only."""
    lone = tmp_path / "c.py"
    shutil.copy(CHECKER, lone)
    (tmp_path / "c.json").write_bytes(content)
    command = [sys.executable, "-I", "-S", str(lone), str(tmp_path / "c.json")]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)


def test_the_lone_checker(tmp_path):
    lrnn = compile_dfa("(0|10*1)*")
    proved = verify(lrnn, "(0|10*1)*", "bfloat16").certificate.text().encode()
    result = run_alone(tmp_path, proved)
    assert (result.returncode, result.stderr) == (0, "")
    assert 'proved "for all lengths" in bfloat16' in result.stdout
    refuted = verify(lrnn, "(0|1)*", "float16").certificate.text().encode()
    result = run_alone(tmp_path, refuted)
    assert result.returncode == 1
    assert 'refuted [["1", 1]] in float16' in result.stdout
    for content in (
        proved[:-40],
        proved.replace(b"bfloat16", b"float16"),
        b"[]",
        b"\xff",
        b"[" * 99999,
    ):
        result = run_alone(tmp_path, content)
        assert result.returncode == 2
        assert result.stderr.startswith("rejected: ")
        assert result.stderr.count("\n") == 1


RARE = {
    "a field": ["arithmetic"],
    "a tree": ["proofs", "arithmetic"],
    "a chunk": ["proofs", "arithmetic"],
    "factors": ["proofs", "arithmetic"],
    "fixed point": ["arithmetic"],
    "a finite set": ["arithmetic"],
    "a fixed accumulator": ["arithmetic"],
    "the cast model": ["arithmetic", "proofs"],
    "a closure": ["proofs"],
    "any decoder": ["proofs"],
    "an orbit": ["proofs"],
    "two words": ["proofs"],
    "a tail": ["proofs"],
    "a decay": ["proofs", "eventual", "arithmetic"],
    "a census": ["proofs"],
}
"""The files that certificates of each kind need, as they are asked for."""


@cache
def rare_certificates():
    """A certificate of each kind that more than one file is needed for."""
    parity, even = compile_dfa("(0|10*1)*"), "(0|10*1)*"
    three = languages.mod(3)
    rotation = compile_dfa(three, construction="rotation")
    walk, machine = closure_only()
    proofs = {
        "a field": verify(rotation, three, "exact"),
        "a tree": verify(parity, even, "bfloat16@tree"),
        "a chunk": verify(rotation, three, "float32@chunk:5"),
        "factors": verify(parity, even, "bfloat16:each+factored"),
        "fixed point": verify(parity, even, "fixed8.4"),
        "a finite set": verify(parity, even, "{-1,0,1}"),
        "a fixed accumulator": verify(parity, even, "fixed4.0:wide+acc=fixed16.0"),
        "the cast model": verify(parity, even, "{-1,0,1}:cast"),
        "a closure": verify(walk, machine, "float32"),
        "any decoder": verify(parity, even, "float32", decoder="any"),
    }
    certificates = {name: verdict.certificate for name, verdict in proofs.items()}
    orbit = {"method": "orbit", "preperiod": 256, "period": 1}
    saturates = counter(3), Automaton.from_regex("aaaa*"), Arithmetic.parse("bfloat16:each")
    alike = (("a",) * 256, ("a",) * 300)
    certificates["an orbit"] = certify(*saturates, "proved", **orbit)
    far = counter(300), Automaton.from_regex("a{300}a*"), saturates[2]
    certificates["two words"] = certify(*far, "confused", words=alike)
    core = languages.symmetric_group(4).minimize().merge_letters()[1]
    tail = wire(decompose(core, budget=Budget(contexts=0)), shifted=False)
    certificates["a tail"] = verify(tail, core, "float16").certificate
    decay = verify(scalar(Fraction(9, 10), 0, 5, (0, 3)), "1{1,11}", "fixed8.4:cast")
    certificates["a decay"] = decay.certificate
    certificates["a census"] = census(parity.levels[0].layer, 1, "float8_e4m3").certificate
    return certificates


@pytest.mark.parametrize("name", RARE)
def test_other_files_are_asked_for_by_name(name, tmp_path):
    """What only they can decide is not accepted without them."""
    content, asked = rare_certificates()[name].text().encode(), []
    while (result := run_alone(tmp_path, content)).returncode == 2:
        missing = re.fullmatch(
            r"rejected: this certificate needs the file checker_(\w+)\.py, beside the checker\n",
            result.stderr,
        )
        assert missing, result.stderr
        assert missing[1] not in asked
        asked.append(missing[1])
        shutil.copy(CHECKER.with_name(f"checker_{missing[1]}.py"), tmp_path)
    assert asked == RARE[name]
    assert result.returncode == (name == "two words")
    assert result.stdout.count("checked: ") == 1


def test_what_no_other_file_is_needed_for(tmp_path):
    """Proofs layer by layer and refuting words in floating point, also of several heads."""
    shift = verify(compile_dfa("a*b(a|b)*", construction="input_shift"), "a*b(a|b)*", "float8_e4m3")
    sixty = languages.mod(60)
    heads = verify(compile_dfa(sixty, construction="heads"), sixty, "bfloat16:each+fma")
    exact = verify(compile_dfa("(0|10*1)*"), "(0|1)*", "exact")
    for verdict in (shift, heads, exact):
        result = run_alone(tmp_path, verdict.certificate.text().encode())
        assert result.returncode == isinstance(verdict, Refuted), result.stderr


def test_files_round_trip(tmp_path):
    verdict = verify(compile_dfa("(0|10*1)*"), "(0|10*1)*")
    verdict.certificate.save(tmp_path / "c.json")
    assert Certificate.load(tmp_path / "c.json").data == json.loads(verdict.certificate.text())
    assert isinstance(check(tmp_path / "c.json"), Proved)
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(ValueError, match="not valid JSON"):
        check(tmp_path / "c.json")
    with pytest.raises(ValueError, match="Cannot read"):
        check(tmp_path / "missing.json")
    with pytest.raises(TypeError, match="certificate"):
        check(3)


def test_a_key_that_stands_twice_is_rejected(tmp_path):
    text = verify(compile_dfa("(0|10*1)*"), "(0|10*1)*").certificate.text()
    text = '{"automaton":{},' + text[1:]
    result = run_alone(tmp_path, text.encode())
    assert result.returncode == 2
    assert "twice" in result.stderr
    with pytest.raises(ValueError, match="twice"):
        Certificate.load(tmp_path / "c.json")


def test_a_certificate_is_about_one_kind_of_machine():
    acceptor = compile_dfa("(0|1)*1")
    proof = verify(acceptor, "(0|1)*1").certificate
    mealy = replace(acceptor, kind="mealy", empty_output=-1)
    with pytest.raises(ValueError, match="other weights"):
        check(proof, mealy)


def test_a_dfa_answers_0_or_1():
    lrnn = compile_dfa("(0|10*1)*")
    with pytest.raises(ValueError, match="output_symbols"):
        replace(lrnn, output_symbols=("1", "0"), output=1 - lrnn.output)


def test_the_size_that_the_checker_refuses_is_known_before():
    """Of a proof that would be right, and of a census."""
    certificates = rare_certificates()
    for name, change, reason in (
        ("an orbit", {"preperiod": 10**9}, "more than 1000000000 steps of layers"),
        ("a closure", {"states": 5_000_001}, "more than 5000000 states"),
        ("a census", {"states": 5_000_001}, "more than 5000000 states"),
    ):
        assert not refusal(certificates[name])
        large = forged(certificates[name], lambda d: d.update(change))  # noqa: B023
        assert refusal(Certificate(large)) == reason
