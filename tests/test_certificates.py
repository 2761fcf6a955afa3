"""Certificates are re-proved by a program that shares no code, and forgeries are rejected."""

import copy
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions import compile_dfa
from constructions.regular_language import wire
from lrnn_theory import (
    Automaton,
    Certificate,
    Householder,
    Layer,
    Level,
    Proved,
    Refuted,
    check,
    languages,
    verify,
)
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.strategies import automata
from lrnn_theory.verification import checker
from lrnn_theory.verification.certificate import digest

CHECKER = Path(checker.__file__)
ARITHMETICS = ["exact", "float32", "bfloat16", "float16", "float8_e4m3!sat", "float64:each"]


def forged(certificate, change):
    """The certificate with a change and a digest that matches again."""
    data = copy.deepcopy(certificate.data)
    change(data)
    data["digest"] = digest(data)
    return data


def closure_only():
    """Parity by two layers of which the second is right only because the first alternates.

    It adds 1 and -1 in turn; by itself, adding twice in a row would leave its codewords 0 and 1.
    """
    lrnn = compile_dfa("(aa)*")
    first = replace(lrnn.levels[0], reads="previous", next=np.array([[0, 1]]))
    scalar = np.array([[[0]], [[1]]])
    layer = Layer(
        Householder(np.zeros((0, 1), int), np.zeros(0, int), np.zeros(3, int)),
        b=np.array([[[1]], [[-1]]]),
        h0=np.array([[0]]),
        codewords=(scalar,),
        readout=np.array([[[1, 0], [0, 1]]] * 2),
        size=2,
        initial=0,
    )
    second = Level(layer, np.array([0, 1]), np.array([[1, 0]] * 2), "current")
    return replace(lrnn, heads=((first, second),)), Automaton.from_regex("(aa)*")


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_all_methods_are_re_proved(arithmetic):
    lrnn, automaton = closure_only()
    verdict = verify(lrnn, automaton, arithmetic)
    assert isinstance(verdict, Proved)
    assert verdict.method == "closure"
    wrong = verify(lrnn, "(aaa)*", arithmetic)
    assert isinstance(wrong, Refuted)
    assert wrong.word == ("a", "a")
    composed = verify(compile_dfa("a*b(a|b)*"), "a*b(a|b)*", arithmetic)
    for v in (verdict, wrong, composed):
        again = check(v.certificate)
        assert type(again) is type(v)
        assert again.arithmetic == v.arithmetic
    assert check(wrong.certificate).word == wrong.word
    assert (check(wrong.certificate).answered, check(wrong.certificate).expected) == ("1", "0")


@given(automata(max_states=6), st.sampled_from(ARITHMETICS), st.sampled_from([0, 10, 10**6]))
def test_random_certificates_hold_and_lies_do_not(automaton, arithmetic, contexts):
    core = automaton.minimize().merge_letters()[1]
    lrnn = wire(decompose(core, budget=Budget(contexts=contexts)), shifted=False)
    verdict = verify(lrnn, core, arithmetic)
    assert isinstance(verdict, Proved)
    assert isinstance(check(verdict.certificate, lrnn), Proved)
    n_outputs = len(core.output_symbols)

    def lie(data):
        """Claim another answer for the state (and letter) that is met first."""
        response = data["automaton"]["response"]
        row = response[0] if core.kind == "mealy" else response
        row[0] = (row[0] + 1) % n_outputs

    with pytest.raises(ValueError, match=r"answer|tail|word|proved"):
        check(forged(verdict.certificate, lie))


def test_exact_irrational_weights():
    for m in (3, 5, 8):
        rotation = compile_dfa(languages.mod(m), construction="rotation")
        right = verify(rotation, languages.mod(m), "exact")
        wrong = verify(rotation, languages.mod(m + 1), "exact")
        assert isinstance(check(right.certificate, rotation), Proved)
        assert isinstance(check(wrong.certificate, rotation), Refuted)


def test_nearest_irrational_codeword_needs_real_order():
    """A rotation by 2 pi / 8 read out with the codewords of Z3 is mostly off every codeword."""
    three = compile_dfa(languages.mod(3), construction="rotation")
    eight = compile_dfa(languages.mod(8), construction="rotation")
    layer = replace(three.levels[0].layer, transition=eight.levels[0].layer.transition)
    mixed = replace(three, heads=((replace(three.levels[0], layer=layer),),))
    verdict = verify(mixed, languages.mod(3), "exact")
    assert isinstance(verdict, Refuted)
    # An angle of 45 degrees is still nearest to 0, of 90 degrees to 120.
    assert len(verdict.word) == 1
    assert verdict.answered == "1"
    assert check(verdict.certificate).word == verdict.word
    longer = verify(replace(mixed, output=1 - mixed.output), languages.mod(3), "exact")
    assert check(longer.certificate).word == longer.word


def test_other_weights_are_refused():
    verdict = verify(compile_dfa("(0|10*1)*"), "(0|10*1)*", "bfloat16")
    with pytest.raises(ValueError, match="other weights"):
        check(verdict.certificate, compile_dfa("0*1(0|1)*"))


LIES = {
    "claim": lambda d: d.update(claim="refuted", word=["1"]),
    "method": lambda d: d.update(method="trust me"),
    "version": lambda d: d.update(version=2),
    "schema": lambda d: d.update(schema="other"),
    "arithmetic": lambda d: d.update(arithmetic="float12:each"),
    "weight off the grid": lambda d: d["lrnn"]["heads"][0][0]["actions"][1]["a"][0].__setitem__(
        2, "-0x1.0000000000001p+0"
    ),
    "weight": lambda d: d["lrnn"]["heads"][0][0]["actions"][1]["a"][0].__setitem__(2, "1"),
    "h0": lambda d: d["lrnn"]["heads"][0][0].update(h0=["-1"]),
    "wiring": lambda d: d["lrnn"]["heads"][0][0].update(action=[1, 1]),
    "negative index": lambda d: d["lrnn"]["heads"][0][0].update(action=[-2, -1]),
    "boolean index": lambda d: d["lrnn"]["heads"][0][0].update(action=[False, True]),
    "missing": lambda d: d.pop("automaton"),
    "type": lambda d: d.update(lrnn=[]),
    "empty output": lambda d: d["lrnn"].update(empty_output=0),
    "letters": lambda d: d["automaton"].update(letters=["0", "0"]),
    "initial": lambda d: d["automaton"].update(initial=1),
    "transition": lambda d: d["automaton"]["delta"][0].__setitem__(0, 1),
    "kind": lambda d: d["automaton"].update(kind="garbage"),
    "two outputs of one name": lambda d: (
        d["lrnn"].update(output=[0, 0], empty_output=0),
        d["automaton"].update(output_symbols=["0", "0"]),
    ),
    "names of a dfa": lambda d: [
        d[part].update(output_symbols=["1", "0"]) for part in ("lrnn", "automaton")
    ],
    "a weight with too many digits": lambda d: d["lrnn"]["heads"][0][0].update(
        h0=["0x1.00000000000000000000001p+0"]
    ),
    "a foreign digit": lambda d: d["lrnn"]["heads"][0][0].update(h0=["\u0661"]),
    "a narrow accumulator": lambda d: d.update(arithmetic="float64:wide+acc=float32"),
    "a huge layer": lambda d: d["lrnn"]["heads"][0][0].update(n=10**14),
    "a huge field": lambda d: (d.update(arithmetic="exact"), d["lrnn"].update(field=10**14)),
    "an imaginary number": lambda d: (
        d.update(arithmetic="exact"),
        d["lrnn"].update(field=4),
        d["lrnn"]["heads"][0][0].update(h0=["1 z4^1"]),
    ),
    "no letters": lambda d: d["automaton"].update(letters=[], delta=[]),
}


@pytest.mark.parametrize("name", LIES)
def test_forgeries_are_rejected(name):
    verdict = verify(compile_dfa("(0|10*1)*"), "(0|10*1)*", "bfloat16")
    with pytest.raises(ValueError) as error:  # noqa: PT011 - every line names another reason
        check(forged(verdict.certificate, LIES[name]))
    assert "\n" not in str(error.value)
    changed = copy.deepcopy(verdict.certificate.data)
    LIES[name](changed)
    with pytest.raises(ValueError, match=r"digest|schema|version|not an lrnn"):
        check(changed)


def run_alone(tmp_path, content):
    """The checker as a lone file, with nothing but the standard library."""
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
    assert "proved for all lengths in bfloat16" in result.stdout
    refuted = verify(lrnn, "(0|1)*", "float16").certificate.text().encode()
    result = run_alone(tmp_path, refuted)
    assert result.returncode == 1
    assert "refuted by the word '1'" in result.stdout
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
